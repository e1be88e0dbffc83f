//! The control plane: once per process, on ordinary threads, never on the path of a request.
//!
//! One thread runs all of it: it takes what shards and store send, answers the admin listener, counts the process's own
//! figures, hears signals and leads the phases of life.

pub mod admin;
mod host;
mod lifecycle;
pub mod log;
mod metrics;
mod output;
mod process;

pub use host::Host;
pub use lifecycle::{Ended, Ground, Running, run};
pub use output::Printer;
