//! How jobs reach the store's threads: three bounded queues, and threads that sleep when theirs are empty.
//!
//! A shard pushes and never takes a lock, so a descheduled thread of the store can't hold it up. (A push could spin only
//! if a reader were descheduled in the middle of a pop and [`QUEUE_SPARE`] further jobs went by before it ran again;
//! the writer is alone on its queue, there it can't happen at all.) Rejected: `std::sync::mpsc` and condition variables,
//! which lock to wake.
//!
//! The protocol: a thread publishes *asleep*, fences, looks into its queues once more, then parks. A pusher pushes,
//! fences, and unparks a thread only if it swaps that one's *asleep* away. With both fences at least one of the two
//! sees the other. A reader that was woken for one job may find a more urgent one, whose own reader wakes up in vain; so a
//! reader that takes a job and leaves others behind wakes the next sleeper for them. `loom_` tests go through all interleavings.

use crate::bounds::QUEUE_SPARE;
use crate::sync::{AtomicBool, Ring, Thread, current, fence, park};
use crossbeam_utils::CachePadded;
use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::time::Duration;

/// Which queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// The writer's.
    Write,
    /// Reads by key.
    Key,
    /// Other reads.
    Read,
}

/// What a thread that waited is told.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Taken<T> {
    /// Work.
    Job(T),
    /// It woke up and there is nothing to do.
    Idle,
    /// Closed, and its queues are empty.
    Closed,
}

/// The queues and the sleepers. Thread 0 is the writer, thread 1 the reader kept for reads by key, the others serve all
/// reads; with a single reader, thread 1 does.
pub(crate) struct Lanes<T> {
    queues: [CachePadded<Ring<T>>; 3],
    sleepers: Box<[CachePadded<Sleeper>]>,
    closed: AtomicBool,
    waiting_max: usize,
}

struct Sleeper {
    asleep: AtomicBool,
    /// INVARIANT: set before the first `asleep = true`, so whoever swaps that away finds it.
    thread: OnceLock<Thread>,
}

impl Sleeper {
    /// True for one caller of those that race. (Not a swap: one that comes too late would write `false` over `false`,
    /// and loom can't tell that the thread's next `true` comes after it.)
    fn take_asleep(&self) -> bool {
        self.asleep.compare_exchange(true, false, SeqCst, Relaxed).is_ok()
    }
}

impl<T> Lanes<T> {
    /// For one writer and `readers` readers; at most `waiting_max` jobs wait in each queue (a few more if several shards
    /// push the last one at once).
    pub(crate) fn new(readers: usize, waiting_max: usize) -> Self {
        let ring = || CachePadded::new(Ring::new(waiting_max + QUEUE_SPARE));
        let sleeper =
            |_| CachePadded::new(Sleeper { asleep: AtomicBool::new(false), thread: OnceLock::new() });
        Lanes {
            queues: [ring(), ring(), ring()],
            sleepers: (0..=readers).map(sleeper).collect(),
            closed: AtomicBool::new(false),
            waiting_max,
        }
    }

    /// Hands a job over and wakes a thread for it. Gives the job back if the queue is full or closed.
    pub(crate) fn push(&self, lane: Lane, item: T) -> Result<(), T> {
        let queue = &self.queues[lane as usize];
        if self.closed.load(Relaxed) || queue.len() >= self.waiting_max {
            return Err(item);
        }
        queue.push(item)?;
        fence(SeqCst);
        self.wake_one(self.servants(lane));
        Ok(())
    }

    /// Jobs that wait in a queue.
    pub(crate) fn waiting(&self, lane: Lane) -> usize {
        self.queues[lane as usize].len()
    }

    /// From now on pushes are refused; threads see `Closed` once their queues are empty.
    pub(crate) fn close(&self) {
        self.closed.store(true, SeqCst);
        fence(SeqCst);
        for index in 0..self.sleepers.len() {
            self.wake_one(index..index + 1);
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Relaxed)
    }

    /// The next job of thread `index`, if there is one.
    pub(crate) fn take_now(&self, index: usize) -> Option<T> {
        let served = self.served(index);
        let item = served.iter().find_map(|&lane| self.queues[lane as usize].pop())?;
        if index > 0 {
            self.pass_on(served);
        }
        Some(item)
    }

    /// The next job of thread `index`; sleeps until there is one, at most `longest`. Called by that thread alone.
    pub(crate) fn take_or_wait(&self, index: usize, longest: Duration) -> Taken<T> {
        if let Some(item) = self.take_now(index) {
            return Taken::Job(item);
        }
        let sleeper = &self.sleepers[index];
        sleeper.thread.get_or_init(current);
        sleeper.asleep.store(true, SeqCst);
        fence(SeqCst);
        let closed = self.closed.load(SeqCst);
        if !closed && self.served(index).iter().all(|&lane| self.waiting(lane) == 0) {
            park(longest);
        }
        // A swap, not a store: it reads the waker's swap and with it what that one pushed before.
        sleeper.asleep.swap(false, SeqCst);
        match self.take_now(index) {
            Some(item) => Taken::Job(item),
            None if closed => Taken::Closed,
            None => Taken::Idle,
        }
    }

    /// What is left when no thread serves the queue any more.
    pub(crate) fn take_left_over(&self) -> Option<T> {
        self.queues.iter().find_map(|queue| queue.pop())
    }

    /// Wakes a thread for each queue that has jobs left.
    fn pass_on(&self, lanes: &[Lane]) {
        for &lane in lanes {
            if self.waiting(lane) > 0 {
                self.wake_one(self.servants(lane));
            }
        }
    }

    fn wake_one(&self, threads: Range<usize>) {
        for sleeper in &self.sleepers[threads] {
            // The load spares awake threads the traffic on their line.
            if sleeper.asleep.load(Relaxed) && sleeper.take_asleep() {
                if let Some(thread) = sleeper.thread.get() {
                    thread.unpark();
                }
                return;
            }
        }
    }

    /// The lanes of a thread, most urgent first.
    fn served(&self, index: usize) -> &'static [Lane] {
        match index {
            0 => &[Lane::Write],
            1 if self.sleepers.len() > 2 => &[Lane::Key],
            _ => &[Lane::Key, Lane::Read],
        }
    }

    /// The threads of a lane, the one to wake first in front.
    fn servants(&self, lane: Lane) -> Range<usize> {
        let threads = self.sleepers.len();
        match lane {
            Lane::Write => 0..1,
            Lane::Key => 1..threads,
            Lane::Read => {
                if threads > 2 {
                    2..threads
                } else {
                    1..threads
                }
            }
        }
    }
}

#[cfg(all(test, loom))]
#[path = "lanes/loom_tests.rs"]
mod loom_tests;
#[cfg(all(test, not(loom)))]
#[path = "lanes/tests.rs"]
mod tests;
