//! Ends processes and removes folders when this test binary ends, however it ends.
//!
//! Statics are never dropped and a killed process drops nothing, so the work is done by a shell that
//! reads from a pipe only we hold: the end of the pipe is the end of us.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

const SCRIPT: &str = r#"
trap '' INT TERM HUP
processes= mounts= folders=
while read -r verb what; do
    case $verb in
        process) processes="$processes $what" ;;
        mount) mounts="$mounts $what" ;;
        folder) folders="$folders $what" ;;
        gone) processes=$(printf '%s\n' $processes | grep -v "^$what:" | tr '\n' ' ') ;;
    esac
done
for process in $processes; do kill -"${process#*:}" "${process%:*}" 2>/dev/null; done
tries=0
for process in $processes; do
    while kill -0 "${process%:*}" 2>/dev/null && [ $tries -lt 50 ]; do sleep 0.1; tries=$((tries + 1)); done
    kill -KILL "${process%:*}" 2>/dev/null
done
for mount in $mounts; do umount -l "$mount" 2>/dev/null || sudo -n umount -l "$mount" 2>/dev/null; done
rm -rf $folders
"#;

/// When we end: this signal to that process, and `KILL` if it does not obey within five seconds.
pub(crate) fn will_end(process: u32, signal: &str) {
    tell(&format!("process {process}:{signal}"));
}

/// That process has ended; its number may be somebody else's from now on.
pub(crate) fn has_ended(process: u32) {
    tell(&format!("gone {process}"));
}

pub(crate) fn will_remove(folder: &Path) {
    tell(&format!("folder {}", folder.display()));
}

pub(crate) fn will_unmount(folder: &Path) {
    tell(&format!("mount {}", folder.display()));
}

#[expect(clippy::zombie_processes, reason = "it outlives us: that is its purpose")]
fn tell(line: &str) {
    static PIPE: OnceLock<Mutex<ChildStdin>> = OnceLock::new();
    let pipe = PIPE.get_or_init(|| {
        let mut shell = Command::new("sh")
            .args(["-c", SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0) // Ctrl-C is for us; it has to survive that and clean up
            .spawn()
            .expect("sh starts");
        Mutex::new(shell.stdin.take().expect("it was piped"))
    });
    let mut pipe = pipe.lock().unwrap_or_else(PoisonError::into_inner);
    writeln!(pipe, "{line}").expect("the janitor lives as long as we do");
}
