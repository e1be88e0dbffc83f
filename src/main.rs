//! Ringmill.
fn main() {}
