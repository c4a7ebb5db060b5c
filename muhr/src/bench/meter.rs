//! Wall time and CPU time of this process.

use std::time::{Duration, Instant};

use crate::failure::say;

/// Started before what is measured.
pub(crate) struct Meter {
    started: Instant,
    cpu: Duration,
}

impl Meter {
    pub(crate) fn start() -> Self {
        Self { cpu: cpu_time(), started: Instant::now() }
    }

    /// Wall and CPU time since the start.
    pub(crate) fn read(&self) -> (Duration, Duration) {
        (self.started.elapsed(), cpu_time().saturating_sub(self.cpu))
    }
}

fn cpu_time() -> Duration {
    cpu_time_of("self")
}

/// User and system time of all threads of a process, in the clock ticks of `/proc/PID/stat` (proc(5)): 10 ms.
pub(crate) fn cpu_time_of(process: &str) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The second field is a name in brackets that may hold spaces; utime and stime are the 12th and 13th after it.
    let after = stat.rsplit_once(") ").map_or("", |(_, after)| after);
    let ticks: u64 = after.split(' ').skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

/// Prints a figure.
pub(crate) fn figure(name: &str, value: f64, unit: &str) {
    say(serde_json::json!({ "figure": name, "value": (value * 100.0).round() / 100.0, "unit": unit }));
}

/// Forgets the most memory this process has held so far (`clear_refs` of proc(5)), so that each size has its own.
pub(crate) fn reset_peak_resident() -> std::io::Result<()> {
    std::fs::write("/proc/self/clear_refs", "5")
}

/// The most memory this process has held so far (VmHWM of proc(5)), in MiB.
pub(crate) fn peak_resident_mebibytes() -> f64 {
    mebibytes_of("VmHWM:")
}

/// The memory this process holds now (VmRSS of proc(5)), in MiB.
pub(crate) fn resident_mebibytes() -> f64 {
    mebibytes_of("VmRSS:")
}

fn mebibytes_of(field: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kibibytes: f64 = status
        .lines()
        .find_map(|line| line.strip_prefix(field)?.split_whitespace().next()?.parse().ok())
        .unwrap_or(0.0);
    kibibytes / 1024.0
}
