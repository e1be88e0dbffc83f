//! Who may hold a connection. All connections of a process to one file share SQLite's locks and the log's index, so when
//! the file was replaced, every one is closed before the first is opened anew.
//!
//! Rounds count up: in an even one readers open connections, in an odd one nobody does. A reader writes down the round of
//! its connection, then looks at the round once more; the writer ends a round, then looks who still holds one. Both are
//! SeqCst, so at least one of the two sees the other.

use crossbeam_utils::CachePadded;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// No connection.
const NONE: u64 = 0;

pub(crate) struct Holders {
    round: AtomicU64,
    /// By reader, from 0.
    held: Box<[CachePadded<AtomicU64>]>,
}

impl Holders {
    /// All readers hold one.
    pub(crate) fn new(readers: usize) -> Holders {
        let held = (0..readers).map(|_| CachePadded::new(AtomicU64::new(2))).collect();
        Holders { round: AtomicU64::new(2), held }
    }

    /// Whether a reader may keep the connection that it holds.
    pub(crate) fn may_keep(&self, reader: usize) -> bool {
        self.round.load(SeqCst) == self.held[reader].load(SeqCst)
    }

    /// Whether a reader may open one.
    pub(crate) fn enter(&self, reader: usize) -> bool {
        let round = self.round.load(SeqCst);
        if !round.is_multiple_of(2) {
            return false;
        }
        self.held[reader].store(round, SeqCst);
        let stays = self.round.load(SeqCst) == round;
        if !stays {
            self.leave(reader);
        }
        stays
    }

    /// A reader has closed its own.
    pub(crate) fn leave(&self, reader: usize) {
        self.held[reader].store(NONE, SeqCst);
    }

    /// The writer's: from now on nobody opens one, and who holds one gives it up after its job.
    pub(crate) fn end_round(&self) {
        self.round.fetch_or(1, SeqCst);
    }

    /// The writer's: whether a round was ended and all readers have closed theirs.
    pub(crate) fn are_gone(&self) -> bool {
        !self.is_open() && self.held.iter().all(|held| held.load(SeqCst) == NONE)
    }

    /// The writer's: readers may open again.
    pub(crate) fn begin_round(&self) {
        let round = self.round.load(SeqCst);
        if !round.is_multiple_of(2) {
            self.round.store(round + 1, SeqCst);
        }
    }

    /// The writer's: whether a round runs.
    pub(crate) fn is_open(&self) -> bool {
        self.round.load(SeqCst).is_multiple_of(2)
    }
}
