//! The end-to-end judges.
