//! What the store's threads count. Each counter is written by its one thread (a load and a store, no locked
//! instruction) and read by the control plane at any time.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Upper bounds of `ThreadStatistics::group_sizes`, in jobs.
pub const GROUP_SIZES: [usize; 9] = [1, 2, 4, 8, 16, 32, 64, 128, 256];

/// A look at the whole store.
#[derive(Clone, Debug, Default)]
pub struct Statistics {
    /// The writer first, then the readers.
    pub threads: Vec<ThreadStatistics>,
    /// Writes that wait in the queue.
    pub waiting_writes: usize,
    /// Reads by key that wait.
    pub waiting_reads_by_key: usize,
    /// Other reads that wait.
    pub waiting_reads: usize,
    /// How often the writer saw that someone else had written.
    pub foreign_writes: u64,
}

/// What one thread has done since it started.
#[derive(Clone, Debug, Default)]
pub struct ThreadStatistics {
    /// `sqlite-writer`, `sqlite-reader-0`, …
    pub name: String,
    /// Jobs answered.
    pub jobs: u64,
    /// Jobs of these answered with an error.
    pub failed: u64,
    /// Time from taking a job (writer: the first of a group) to its answer, summed up.
    pub busy: Duration,
    /// Transactions committed by the writer.
    pub commits: u64,
    /// Groups by size: entry `i` counts those of at most [`GROUP_SIZES`]`[i]` jobs that are in no earlier entry.
    pub group_sizes: [u64; GROUP_SIZES.len()],
    /// Transactions that a job took down with it, so that the others ran again.
    pub losses: u64,
    /// Checkpoints made.
    pub checkpoints: u64,
    /// Statements of jobs that were prepared, at first or anew; the others were kept.
    pub prepared: u64,
    /// Jobs that the database's file did not let it do.
    pub unavailable: u64,
    /// Jobs whose time had come before a thread was free.
    pub wait_timeouts: u64,
    /// Whether its last jobs failed because of the database's file.
    pub is_unavailable: bool,
}

/// One thread's counters.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) jobs: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) busy_ns: AtomicU64,
    pub(crate) commits: AtomicU64,
    pub(crate) group_sizes: [AtomicU64; GROUP_SIZES.len()],
    pub(crate) losses: AtomicU64,
    pub(crate) checkpoints: AtomicU64,
    pub(crate) prepared: AtomicU64,
    pub(crate) unavailable: AtomicU64,
    pub(crate) wait_timeouts: AtomicU64,
    pub(crate) is_unavailable: AtomicBool,
}

/// Adds to a counter that only this thread writes.
pub(crate) fn add(counter: &AtomicU64, n: u64) {
    counter.store(counter.load(Relaxed).wrapping_add(n), Relaxed);
}

impl Counters {
    pub(crate) fn count_group(&self, jobs: usize) {
        let index = GROUP_SIZES.iter().position(|&size| jobs <= size).unwrap_or(GROUP_SIZES.len() - 1);
        add(&self.group_sizes[index], 1);
    }

    pub(crate) fn look(&self, name: String) -> ThreadStatistics {
        ThreadStatistics {
            name,
            jobs: self.jobs.load(Relaxed),
            failed: self.failed.load(Relaxed),
            busy: Duration::from_nanos(self.busy_ns.load(Relaxed)),
            commits: self.commits.load(Relaxed),
            group_sizes: std::array::from_fn(|i| self.group_sizes[i].load(Relaxed)),
            losses: self.losses.load(Relaxed),
            checkpoints: self.checkpoints.load(Relaxed),
            prepared: self.prepared.load(Relaxed),
            unavailable: self.unavailable.load(Relaxed),
            wait_timeouts: self.wait_timeouts.load(Relaxed),
            is_unavailable: self.is_unavailable.load(Relaxed),
        }
    }
}
