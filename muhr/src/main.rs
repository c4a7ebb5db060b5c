//! The command: every role in one process, or one role each.
fn main() {}
