//! A kernel that is simulated: sockets in memory and virtual time behind the reactor's `Driver`, everything drawn from one
//! seed. The same seed gives the same trace.
//!
//! It knows nothing of HTTP, stores or what messages mean. Reading order: [`kernel`] (time and the queue of what will
//! happen), [`sockets`], [`listeners`], [`rings`], [`driver`] (what a shard sees), [`faults`]. For unit tests of what sits on
//! a reactor: [`calm`].
#![allow(missing_docs, reason = "a test: each type says what it is, not each field")]

pub mod alone;
pub mod calm;
pub mod driver;
pub mod faults;
pub mod kernel;
pub mod lease;
pub mod listeners;
pub mod random;
pub mod rings;
pub mod sockets;
pub mod trace;
