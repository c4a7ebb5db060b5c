//! What is signed, on its way past.

use aws_lc_rs::digest::{self, Context, Digest};

/// The message of a signature: hashed as it passes, or held where the algorithm wants it whole.
pub(super) enum Message {
    Hashed(Context),
    Whole(Vec<u8>),
}

/// The same, complete.
pub(super) enum Complete {
    Digest(Digest),
    Whole(Vec<u8>),
}

/// The algorithm wants the message whole, and it is too long to be held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooLong;

/// What is held of a message at most.
const LONGEST_WHOLE: usize = 8 << 20;

impl Message {
    pub(super) fn new(hash: Option<&'static digest::Algorithm>) -> Self {
        hash.map_or_else(|| Self::Whole(Vec::new()), |hash| Self::Hashed(Context::new(hash)))
    }

    pub(super) fn update(&mut self, octets: &[u8]) -> Result<(), TooLong> {
        match self {
            Self::Hashed(context) => context.update(octets),
            Self::Whole(whole) if whole.len() + octets.len() > LONGEST_WHOLE => return Err(TooLong),
            Self::Whole(whole) => whole.extend_from_slice(octets),
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Complete {
        match self {
            Self::Hashed(context) => Complete::Digest(context.finish()),
            Self::Whole(whole) => Complete::Whole(whole),
        }
    }
}
