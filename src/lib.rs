//! The product: its control plane, what it serves, and what runs on each core. `main.rs` only calls [`cli::main`].
//!
//! The modules are public for the binary and the tests; a library for others to build on is not promised yet.
#![allow(missing_docs, reason = "not yet a library for others: each type says what it is, not each field")]

pub mod cli;

pub mod config;

pub mod api;

pub mod shard;

pub mod control;
