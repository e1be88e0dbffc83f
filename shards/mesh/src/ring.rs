//! A bounded ring with one sender and one receiver.
#![allow(unsafe_code)]

use crate::sync::{AtomicUsize, Cell, Ordering};
use crossbeam_utils::CachePadded;
use std::mem::MaybeUninit;

/// The ring. Sender and receiver are told apart by whoever holds it: one thread pushes, one thread pops.
///
/// INVARIANT: entries from `head` up to `tail` (both counting on without bound) hold a value; the sender alone writes
/// `tail` and entries outside that range, the receiver alone writes `head` and takes entries inside it.
pub(crate) struct Ring<T> {
    /// Taken by the receiver so far.
    head: CachePadded<AtomicUsize>,
    /// Pushed by the sender so far.
    tail: CachePadded<AtomicUsize>,
    entries: Box<[Cell<MaybeUninit<T>>]>,
}

// SAFETY: values move from the sender's thread to the receiver's; nothing is shared beyond the two counters.
unsafe impl<T: Send> Send for Ring<T> {}
// SAFETY: as above; `push` and `pop` are unsafe to call from more than one thread each, which their callers rule out.
unsafe impl<T: Send> Sync for Ring<T> {}

impl<T> Ring<T> {
    /// A ring of `capacity` entries, a power of two.
    pub(crate) fn new(capacity: usize) -> Ring<T> {
        assert!(capacity.is_power_of_two());
        Ring {
            head: CachePadded::new(AtomicUsize::new(0)),
            tail: CachePadded::new(AtomicUsize::new(0)),
            entries: (0..capacity).map(|_| Cell::new(MaybeUninit::uninit())).collect(),
        }
    }

    fn entry(&self, position: usize) -> &Cell<MaybeUninit<T>> {
        &self.entries[position & (self.entries.len() - 1)]
    }

    /// Appends a value, or gives it back when the ring is full.
    ///
    /// # Safety
    /// Only one thread may push.
    pub(crate) unsafe fn push(&self, value: T) -> Result<(), T> {
        let tail = self.tail.load(Ordering::Relaxed);
        // Acquire: the receiver is done with the entry before we write to it.
        let head = self.head.load(Ordering::Acquire);
        if tail.wrapping_sub(head) == self.entries.len() {
            return Err(value);
        }
        self.entry(tail).with_mut(|entry| {
            // SAFETY: outside head..tail, hence ours alone (INVARIANT).
            unsafe { (*entry).write(value) };
        });
        // Release: whoever sees the new tail sees the entry.
        self.tail.store(tail.wrapping_add(1), Ordering::Release);
        Ok(())
    }

    /// Values in it; for the sender never fewer than there are.
    #[cfg(not(loom))]
    pub(crate) fn occupied(&self) -> usize {
        self.tail.load(Ordering::Relaxed).wrapping_sub(self.head.load(Ordering::Acquire))
    }

    /// Takes the oldest value.
    ///
    /// # Safety
    /// Only one thread may pop.
    pub(crate) unsafe fn pop(&self) -> Option<T> {
        let head = self.head.load(Ordering::Relaxed);
        let tail = self.tail.load(Ordering::Acquire);
        if head == tail {
            return None;
        }
        let value = self.entry(head).with_mut(|entry| {
            // SAFETY: inside head..tail: initialised, and ours to take (INVARIANT).
            unsafe { (*entry).assume_init_read() }
        });
        self.head.store(head.wrapping_add(1), Ordering::Release);
        Some(value)
    }
}

impl<T> Drop for Ring<T> {
    fn drop(&mut self) {
        // SAFETY: `&mut self`: nobody else pushes or pops.
        while unsafe { self.pop() }.is_some() {}
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::Ring;

    #[test]
    fn keeps_order_and_bound_and_drops_what_is_left() {
        let ring = Ring::new(4);
        let witness = std::rc::Rc::new(());
        for round in 0..10 {
            // SAFETY: one thread.
            unsafe {
                for index in 0..4 {
                    assert!(ring.push((round, index, witness.clone())).is_ok());
                }
                assert!(ring.push((round, 4, witness.clone())).is_err());
                for index in 0..3 {
                    let (r, i, _) = ring.pop().unwrap();
                    assert_eq!((r, i), (round, index));
                }
                assert_eq!(ring.pop().map(|(r, i, _)| (r, i)), Some((round, 3)));
                assert!(ring.pop().is_none());
            }
        }
        // SAFETY: one thread.
        unsafe { assert!(ring.push((0, 0, witness.clone())).is_ok()) };
        drop(ring);
        assert_eq!(std::rc::Rc::strong_count(&witness), 1);
    }
}
