//! One core's part of the cache: which answer is kept under a key, whether it may still be given, and who waits for one that
//! is being made. No I/O, no clock, no chance: instants, numbers of the board and random words come in.
//!
//! Every entry carries `filled_at`, the number of the board that its fill noted before it asked the database. A request brings
//! its *floor*, the highest mark of what it reads. An entry, a flight or an answer of another core is for a request only if it was filled
//! at the request's floor or later: age never makes up for that.

mod aliases;
mod asks;
mod entry;
mod flights;
mod key;
mod partition;

pub use aliases::{ALIAS_BYTES_MAX, Aliases};
pub use asks::{Asked, Asks};
pub use entry::{Ages, Entry, Life, Slots, Stage};
pub use flights::{Ended, Flights, Joined};
pub use key::{Key, KeyRef, Seed};
pub use partition::{ENTRY_BYTES, Look, Partition};
