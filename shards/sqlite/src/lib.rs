//! The embedded database, on threads of its own: one writer that commits in groups, a few readers. A shard hands over a
//! [`Job`] without blocking and gets its [`Reply`] back through an [`Answers`] that the caller supplied.
//!
//! The crate knows SQL and SQLite; it does not know tables, routes or HTTP.

mod job;
mod value;

pub use job::{Answers, Class, Error, Job, Reply, Rows, Statement, Ticket};
pub use value::Value;
