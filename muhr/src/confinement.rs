//! What a process gives up before it works.

#[cfg(feature = "server")]
use std::fs::File;
#[cfg(feature = "server")]
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
#[cfg(feature = "server")]
use std::path::Path;

#[cfg(feature = "server")]
use rustix::io::fcntl_dupfd_cloexec;
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
#[cfg(feature = "server")]
use rustix::stdio::{dup2_stdin, dup2_stdout, stderr, stdin, stdout};

use crate::failure::Failure;

/// No core file, and no reading of this process's memory by others of the same user (PR_SET_DUMPABLE, proc(5)).
pub(crate) fn no_core_files() -> Result<(), Failure> {
    limit(Resource::Core, 0)?;
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

/// Address space of the process that decodes a picture: one of 40 megapixels takes less than half of it.
#[cfg(feature = "server")]
const DECODER_BYTES: u64 = 1 << 30;
/// Its processor time; the largest picture that is taken needs three seconds on a slow machine.
#[cfg(feature = "server")]
const DECODER_SECONDS: u64 = 20;

/// Little memory and time, nothing new to read from or write to, no process beside itself: from now on it only computes.
#[cfg(feature = "server")]
pub(crate) fn decoder() -> Result<(), Failure> {
    close_inherited()?;
    limit(Resource::As, DECODER_BYTES)?;
    limit(Resource::Cpu, DECODER_SECONDS)?;
    limit(Resource::Fsize, 0)?;
    limit(Resource::Nproc, 0)?;
    // Standard input and output are open; whatever else is to be opened, file or socket, would be the number 0 or higher.
    limit(Resource::Nofile, 0)
}

/// Ours are closed on exec; whoever started the server may have left others open, and they came along.
#[cfg(feature = "server")]
#[allow(unsafe_code, reason = "the one way to close a descriptor by its number")]
fn close_inherited() -> Result<(), Failure> {
    let listed = Path::new("/proc/self/fd");
    let names = std::fs::read_dir(listed)?.map(|entry| Ok(entry?.file_name()));
    for name in names.collect::<Result<Vec<_>, std::io::Error>>()? {
        let number = name.to_str().and_then(|name| name.parse::<RawFd>().ok());
        // The list's own descriptor is in it, and closed by now.
        let Some(number) = number.filter(|number| *number > 2 && listed.join(&name).is_symlink()) else {
            continue;
        };
        // SAFETY: it is open, and nothing in this process owns it: nothing but standard input and output has been opened.
        drop(unsafe { OwnedFd::from_raw_fd(number) });
    }
    Ok(())
}

/// Standard input and output for this process alone. What a library of somebody else prints goes to standard error.
#[cfg(feature = "server")]
pub(crate) fn own_pipes() -> Result<(File, File), Failure> {
    // Not for programs that such a library starts.
    let pipes = (File::from(fcntl_dupfd_cloexec(stdin(), 3)?), File::from(fcntl_dupfd_cloexec(stdout(), 3)?));
    dup2_stdout(stderr())?;
    dup2_stdin(File::open("/dev/null")?)?;
    Ok(pipes)
}

fn limit(resource: Resource, most: u64) -> Result<(), Failure> {
    Ok(setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?)
}
