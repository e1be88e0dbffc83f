//! What senders and one receiver share beside the rings: which rings hold something, and whether the receiver sleeps.

use crate::sync::{AtomicBool, AtomicU64, Ordering, fence};
use crossbeam_utils::CachePadded;

const BITS: usize = u64::BITS as usize;

/// One endpoint's mailbox.
#[derive(Debug)]
pub(crate) struct Mailbox {
    /// One bit for each source whose ring may hold something.
    pending: Box<[CachePadded<AtomicU64>]>,
    asleep: CachePadded<AtomicBool>,
}

impl Mailbox {
    /// A mailbox for `sources` senders, whose receiver is awake.
    pub(crate) fn new(sources: usize) -> Mailbox {
        Mailbox {
            pending: (0..sources.div_ceil(BITS)).map(|_| CachePadded::new(AtomicU64::new(0))).collect(),
            asleep: CachePadded::new(AtomicBool::new(false)),
        }
    }

    /// The sender has pushed. True: the receiver slept, and it is now this sender's duty to wake it.
    #[must_use]
    pub(crate) fn announce(&self, source: usize) -> bool {
        self.pending[source / BITS].fetch_or(1 << (source % BITS), Ordering::Release);
        // Before the look at `asleep`: the receiver either sees the bit when it looks once more, or we see it asleep.
        fence(Ordering::SeqCst);
        self.asleep.load(Ordering::Relaxed) && self.asleep.swap(false, Ordering::AcqRel)
    }

    /// Whether a ring may hold something.
    pub(crate) fn has_mail(&self) -> bool {
        self.pending.iter().any(|word| word.load(Ordering::Acquire) != 0)
    }

    /// Takes the bits of sources `64 * word` and up; the caller empties those rings or marks them again.
    pub(crate) fn take(&self, word: usize) -> u64 {
        // The load alone keeps the line shared while nothing is there.
        if self.pending[word].load(Ordering::Relaxed) == 0 {
            return 0;
        }
        self.pending[word].swap(0, Ordering::Acquire)
    }

    /// How many words [`Mailbox::take`] knows.
    #[cfg(not(loom))]
    pub(crate) fn words(&self) -> usize {
        self.pending.len()
    }

    /// The receiver is about to wait. False: there is mail after all, and it counts as awake.
    pub(crate) fn fall_asleep(&self) -> bool {
        // A swap, not a store: it takes its place after a sender's swap that took an earlier sleep away but came late.
        self.asleep.swap(true, Ordering::AcqRel);
        fence(Ordering::SeqCst);
        if self.has_mail() {
            self.asleep.store(false, Ordering::Relaxed);
            return false;
        }
        true
    }

    /// The receiver is awake.
    pub(crate) fn wake_up(&self) {
        self.asleep.store(false, Ordering::Relaxed);
    }
}
