//! The board: when what was written, read by all cores and changed by writes alone.
//!
//! A line of memory that nobody writes stays in every core's cache, so looking at the board is not contention. One counter
//! orders fills and writes. A fill notes it *before* it asks the database; a write raises it *after* its commit is known, marks
//! what it wrote with the new number, and is answered then. So whatever was filled at a number of at least a mark has seen the write behind
//! that mark; loom explores this in `loom_tests`.
//!
//! On the orders of memory: [`Board::now`] acquires what [`Board::raise`] released, so a fill whose number is that of a write asks a database
//! that has the write. Who hears of a write's answer (by a message, or through a socket, of which the kernel makes the same promise)
//! sees its marks.

use crate::sync::{AtomicU64, Ordering};
use crossbeam_utils::CachePadded;

/// Slots of the board. What was written is known by its slot, so two rows in one slot are stale together: that costs a fill
/// and is never wrong.
pub const SLOTS: usize = 65_536;

/// The number of a slot.
pub type Slot = u16;

/// See the module.
#[derive(Debug)]
pub struct Board {
    counter: CachePadded<AtomicU64>,
    /// The mark of everything.
    whole: CachePadded<AtomicU64>,
    marks: Box<[AtomicU64]>,
}

impl Default for Board {
    fn default() -> Board {
        Board::new()
    }
}

impl Board {
    /// A board on which nothing is marked.
    pub fn new() -> Board {
        Board::with_slots(SLOTS)
    }

    /// The same with fewer slots: `slots` is a power of two.
    pub(crate) fn with_slots(slots: usize) -> Board {
        assert!(slots.is_power_of_two(), "a slot's number is cut to size");
        Board {
            counter: CachePadded::new(AtomicU64::new(0)),
            whole: CachePadded::new(AtomicU64::new(0)),
            marks: (0..slots).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// What a fill notes before it asks the database.
    pub fn now(&self) -> u64 {
        self.counter.load(Ordering::Acquire)
    }

    /// The highest mark of these slots: what was filled earlier is older than an acknowledged write.
    #[inline]
    pub fn floor(&self, slots: &[Slot]) -> u64 {
        let whole = self.whole.load(Ordering::Acquire);
        slots.iter().fold(whole, |floor, slot| floor.max(self.mark(*slot).load(Ordering::Acquire)))
    }

    /// Marks what a write changed, which is committed and not yet answered.
    pub fn raise(&self, slots: &[Slot]) {
        let version = self.counter.fetch_add(1, Ordering::AcqRel) + 1;
        for slot in slots {
            // Raised, not set: another write may have taken a later number and been faster.
            self.mark(*slot).fetch_max(version, Ordering::AcqRel);
        }
    }

    /// Marks everything.
    pub fn raise_whole(&self) {
        let version = self.counter.fetch_add(1, Ordering::AcqRel) + 1;
        self.whole.fetch_max(version, Ordering::AcqRel);
    }

    #[inline]
    fn mark(&self, slot: Slot) -> &AtomicU64 {
        &self.marks[usize::from(slot) & (self.marks.len() - 1)]
    }

    /// Bytes of memory.
    pub fn bytes(&self) -> usize {
        size_of::<Board>() + size_of_val(&*self.marks)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::Board;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[test]
    fn a_write_marks_its_slots_and_no_others() {
        let board = Board::new();
        let before = board.now();
        board.raise(&[7, 9]);
        assert!(before < board.floor(&[7]) && before < board.floor(&[1, 9]));
        assert_eq!(board.floor(&[8, 10]), 0);
        assert_eq!(board.floor(&[7]), board.now(), "a fill that begins now has seen it");
        board.raise_whole();
        assert_eq!(board.floor(&[8]), board.now());
        assert_eq!(board.floor(&[]), board.now());
    }

    /// Threads write and read one value each in a database of a word; nobody sees a copy that is older than an answer.
    #[test]
    fn no_copy_is_older_than_an_answer_of_a_thread() {
        let board = Board::new();
        let (stored, answered) = (AtomicU64::new(0), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for _ in 0..50_000 {
                        let value = stored.fetch_add(1, Ordering::AcqRel) + 1;
                        board.raise(&[3]);
                        answered.fetch_max(value, Ordering::AcqRel);
                    }
                });
            }
            for _ in 0..2 {
                scope.spawn(|| {
                    let mut copy = (board.now(), stored.load(Ordering::Acquire));
                    while answered.load(Ordering::Acquire) < 90_000 {
                        let least = answered.load(Ordering::Acquire);
                        if copy.0 >= board.floor(&[3]) {
                            assert!(copy.1 >= least, "{copy:?} after {least} was answered");
                        } else {
                            copy = (board.now(), stored.load(Ordering::Acquire));
                        }
                    }
                });
            }
        });
    }
}
