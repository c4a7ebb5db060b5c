//! One line per step with its time, and a last line that says how it ended.

use std::process::Command;
use std::time::{Duration, Instant};

pub(crate) struct Run {
    started: Instant,
    steps: usize,
}

impl Run {
    pub(crate) fn start() -> Self {
        Self { started: Instant::now(), steps: 0 }
    }

    /// Does the step and prints its line. The error is the run's last line.
    pub(crate) fn step(
        &mut self,
        name: &str,
        work: impl FnOnce() -> Result<(), String>,
    ) -> Result<(), String> {
        let started = Instant::now();
        let outcome = work();
        let took = seconds(started.elapsed());
        self.steps += 1;
        match outcome {
            Ok(()) => {
                println!("xtask: {name:<10} ok      {took:>8}");
                Ok(())
            }
            Err(reason) => {
                println!("xtask: {name:<10} FAILED  {took:>8}");
                Err(format!(
                    "xtask test: FAILED at step '{name}' after {}: {reason}",
                    seconds(self.started.elapsed())
                ))
            }
        }
    }

    pub(crate) fn finish(self) {
        println!("xtask test: all {} steps passed in {}", self.steps, seconds(self.started.elapsed()));
    }
}

/// Runs the command with our own output; its exit code decides.
pub(crate) fn succeed(command: &mut Command) -> Result<(), String> {
    let status =
        command.status().map_err(|error| format!("{:?} does not start: {error}", command.get_program()))?;
    if status.success() { Ok(()) } else { Err(format!("{command:?} ended with {status}")) }
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}
