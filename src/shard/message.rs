//! What crosses between cores and threads: one closed enum.

use super::cache::{CacheCounts, Fetched, Send};
use crate::control::log::Line;
use ringmill_serve::Counters;
use ringmill_sqlite::{Reply, Ticket};

/// A message. What each is, and whether it is answered, stands at its variant.
#[derive(Debug)]
pub enum Message {
    /// Store to shard, posted: the reply to a job.
    Stored {
        /// Of the job.
        ticket: Ticket,
        /// What came of it.
        reply: Reply,
    },
    /// Shard to shard, a request: an answer that the other one owns.
    Fetch(Send),
    /// The answer to `Fetch`.
    Fetched {
        /// Of the request.
        number: usize,
        /// What came of it.
        fetched: Box<Fetched>,
    },
    /// Shard to control, a request: the text of all metrics.
    Scrape {
        /// Comes back with the text.
        ticket: u64,
    },
    /// The answer to `Scrape`.
    Scraped {
        /// Of the request.
        ticket: u64,
        /// Prometheus text.
        text: String,
    },
    /// Control to shard, a request: a copy of what it counts.
    Count {
        /// Comes back with the copy.
        ticket: u64,
    },
    /// The answer to `Count`.
    Counted {
        /// Of the request.
        ticket: u64,
        /// The copy.
        snapshot: Box<Snapshot>,
    },
    /// Control to shard, a request: the next phase of life begins.
    Enter(Phase),
    /// The answer to `Enter`.
    Entered,
    /// Control to shard, a request: does it turn?
    Turn,
    /// The answer to `Turn`.
    Turned,
    /// Shard to control, posted: a line for the log.
    Log(Box<Line>),
    /// Shard to control, posted: draining has ended on this shard, whose thread ends too and says how. May be lost.
    Drained,
    /// Anyone to control, posted: a connection to the store noticed something.
    Store(ringmill_sqlite::Event),
}

/// Names of the kinds, in the order of [`Message::kind`]: the label of `ringmill_mesh_messages_total`.
pub const KINDS: [&str; 14] = [
    "stored", "scrape", "scraped", "count", "counted", "enter", "entered", "log", "drained", "store", "turn",
    "turned", "fetch", "fetched",
];

impl Message {
    /// Index into [`KINDS`].
    pub fn kind(&self) -> usize {
        match self {
            Message::Stored { .. } => 0,
            Message::Scrape { .. } => 1,
            Message::Scraped { .. } => 2,
            Message::Count { .. } => 3,
            Message::Counted { .. } => 4,
            Message::Enter(_) => 5,
            Message::Entered => 6,
            Message::Log(_) => 7,
            Message::Drained => 8,
            Message::Store(_) => 9,
            Message::Turn => 10,
            Message::Turned => 11,
            Message::Fetch(_) => 12,
            Message::Fetched { .. } => 13,
        }
    }
}

/// The phases of a shard's life that control announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// `/ready` says 503; connections are still accepted.
    Leaving,
    /// Listeners close; what is in flight has so long, nanoseconds.
    Closing {
        /// From the arrival of the message on.
        within_ns: u64,
    },
    /// All shards close, so that none asks another one for answers any more: whoever has drained ends.
    Ending,
}

/// What a shard knows of itself.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Requests, durations, connections, turns.
    pub counters: Counters,
    /// The database's file does not serve.
    pub is_degraded: bool,
    /// Of its part of the cache.
    pub cache: CacheCounts,
    /// Writes by other processes that it knows of.
    pub foreign_writes: u64,
    /// Jobs handed to the store and not replied to.
    pub store_waiting: usize,
    /// Lines that found no room on their way to the log.
    pub log_dropped: u64,
}
