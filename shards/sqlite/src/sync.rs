//! The atomics and threads of [`crate::lanes`]: the standard library's, or loom's when the crate is built with
//! `--cfg loom`. The queue itself comes from crossbeam, which loom can't look into; its stand-in keeps what the protocol
//! relies on and no more (see there).

#[cfg(not(loom))]
mod chosen {
    pub(crate) use std::sync::atomic::{AtomicBool, fence};
    pub(crate) use std::thread::{Thread, current};
    use std::time::Duration;

    /// Waits for an unpark, or for `longest`.
    pub(crate) fn park(longest: Duration) {
        std::thread::park_timeout(longest);
    }

    /// A bounded queue, lock-free for its pushers.
    pub(crate) struct Ring<T>(crossbeam_queue::ArrayQueue<T>);

    impl<T> Ring<T> {
        pub(crate) fn new(slots: usize) -> Self {
            Ring(crossbeam_queue::ArrayQueue::new(slots))
        }

        pub(crate) fn push(&self, item: T) -> Result<(), T> {
            self.0.push(item)
        }

        pub(crate) fn pop(&self) -> Option<T> {
            self.0.pop()
        }

        pub(crate) fn len(&self) -> usize {
            self.0.len()
        }
    }
}

#[cfg(loom)]
mod chosen {
    use loom::sync::Mutex;
    pub(crate) use loom::sync::atomic::{AtomicBool, fence};
    use loom::sync::atomic::{AtomicUsize, Ordering};
    pub(crate) use loom::thread::{Thread, current};
    use std::collections::VecDeque;
    use std::time::Duration;

    /// No belt here: what is proved is proved without the timeout.
    pub(crate) fn park(_longest: Duration) {
        loom::thread::park();
    }

    /// Stands in for crossbeam's queue. The items lie behind a mutex, but `len` and the look of an empty `pop` go
    /// through a relaxed counter only: a stand-in that locked for these would order the two sides and hide a missing fence.
    pub(crate) struct Ring<T> {
        items: Mutex<VecDeque<T>>,
        len: AtomicUsize,
        slots: usize,
    }

    impl<T> Ring<T> {
        pub(crate) fn new(slots: usize) -> Self {
            Ring { items: Mutex::new(VecDeque::new()), len: AtomicUsize::new(0), slots }
        }

        pub(crate) fn push(&self, item: T) -> Result<(), T> {
            let mut items = self.items.lock().unwrap();
            if items.len() == self.slots {
                return Err(item);
            }
            items.push_back(item);
            self.len.fetch_add(1, Ordering::Release);
            Ok(())
        }

        pub(crate) fn pop(&self) -> Option<T> {
            if self.len.load(Ordering::Relaxed) == 0 {
                return None;
            }
            let mut items = self.items.lock().unwrap();
            let item = items.pop_front()?;
            self.len.fetch_sub(1, Ordering::AcqRel);
            Some(item)
        }

        pub(crate) fn len(&self) -> usize {
            self.len.load(Ordering::Relaxed)
        }
    }
}

pub(crate) use chosen::{AtomicBool, Ring, Thread, current, fence, park};
