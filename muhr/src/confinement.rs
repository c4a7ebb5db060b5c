//! What a process gives up before it works.

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

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
    limit(Resource::As, DECODER_BYTES)?;
    limit(Resource::Cpu, DECODER_SECONDS)?;
    limit(Resource::Fsize, 0)?;
    limit(Resource::Nproc, 0)?;
    // Standard input and output are open; whatever else is to be opened, file or socket, would be the number 0 or higher.
    limit(Resource::Nofile, 0)
}

fn limit(resource: Resource, most: u64) -> Result<(), Failure> {
    Ok(setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?)
}
