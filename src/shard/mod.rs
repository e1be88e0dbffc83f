//! What runs on each core: the service that brings requests to the API and the store, the messages between cores and
//! threads, and the thread itself.

mod cache;
mod cached;
mod message;
mod observe;
mod run;
mod service;
mod store;
mod whole;

pub use cache::{CacheCounts, Coherence, FLIGHTS_WAITING_MAX, Fetched, How, Kept, RESULTS, Work};
pub use message::{KINDS, Message, Phase, Snapshot};
pub use run::{Census, Seed, Shard, spawn};
pub use service::{Parts, Routes};
pub use store::{Ask, LANES, STORE_LANE_MAX, STORE_UNDER_WAY_MAX, StoreAnswers};
pub use whole::Whole;

#[cfg(test)]
mod tests;
