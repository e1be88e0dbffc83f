//! The whole server under one seed: shards as the product runs them, on a simulated kernel, with virtual time, clients that
//! misbehave, a store that fails, and a verdict. The same seed gives the same trace.
//!
//! Reading order: [`world`] (one run), the crate `ringmill-sim-kernel` (what a shard sees), [`client`] and [`truth`] (what has to
//! hold), [`store`], [`control`]. The binary runs many.
#![allow(missing_docs, reason = "a test: each type says what it is, not each field")]

pub mod answer;
pub mod client;
pub mod control;
pub mod shrink;
pub mod store;
pub mod truth;
pub mod world;
