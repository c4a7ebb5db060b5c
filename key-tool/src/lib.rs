//! `muhr key`: keys on the machine of whoever owns them.

pub mod pfx;
