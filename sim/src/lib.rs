//! The whole server under one seed: shards as the product runs them, on a simulated kernel, with virtual time, clients that
//! misbehave, a store that fails, and a verdict. The same seed gives the same trace.
//!
//! Reading order: [`world`] (one run), [`kernel`] and [`driver`] (what a shard sees), [`faults`], [`client`] and [`truth`] (what
//! has to hold), [`store`], [`control`]. The binary runs many.
#![allow(missing_docs, reason = "a test: each type says what it is, not each field")]

pub mod answer;
pub mod client;
pub mod control;
pub mod driver;
pub mod faults;
pub mod kernel;
pub mod random;
pub mod shrink;
pub mod store;
pub mod trace;
pub mod truth;
pub mod world;
