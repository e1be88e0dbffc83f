//! The embedded database, on threads of its own: one writer that commits in groups, a few readers. A shard hands over a
//! [`Job`] without blocking and gets its [`Reply`] back through an [`Answers`] that the caller supplied.
//!
//! The crate knows SQL and SQLite; it does not know tables, routes or HTTP.
//!
//! What it promises: no write is answered before its commit is on the disk; a read sees every write that was answered
//! before the read was submitted; a job that failed has done nothing, unless it says [`Error::OutcomeUnknown`].

#![forbid(unsafe_code)]

mod job;
mod value;

mod store;

mod lanes;
mod sync;

mod files;
mod holders;
mod reader;
mod seat;
mod writer;

mod decimal;
mod fault;
mod link;
mod run;

mod load;
mod schema;

mod bounds;
mod statistics;

pub use bounds::{GROUP_MAX, STATEMENTS_MAX, TROUBLE_INTERVAL};
pub use decimal::compare_decimals;
pub use job::{Answers, Class, Error, Event, Job, Reply, Rows, Statement, Ticket, held_bytes};
pub use link::Sync;
pub use load::Loader;
pub use schema::{
    ChangeError, Changed, Compiled, Compiler, Found, Inspector, LiveColumn, LiveForeignKey, LiveIndex,
    LiveTable, Schema, TableKind, Write, WriteKind, change_schema, compile, run_script, run_script_telling,
    tables,
};
pub use statistics::{GROUP_SIZES, Statistics, ThreadStatistics};
pub use store::{Handle, OpenError, Options, Store};
pub use value::Value;
