//! loom tries every interleaving (within its bounds) of a ring, and of falling asleep against being woken.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p ringmill-mesh --release --lib`

#![allow(unsafe_code)]

use crate::board::Board;
use crate::mailbox::Mailbox;
use crate::ring::Ring;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering};
use loom::thread;

#[test]
fn a_ring_delivers_everything_in_order() {
    loom::model(|| {
        let ring = Arc::new(Ring::new(2));
        let sender = ring.clone();
        let pushing = thread::spawn(move || {
            let mut next = 0;
            while next < 3 {
                // SAFETY: this thread alone pushes.
                match unsafe { sender.push(next) } {
                    Ok(()) => next += 1,
                    Err(_) => thread::yield_now(),
                }
            }
        });
        let mut expected = 0;
        while expected < 3 {
            // SAFETY: this thread alone pops.
            match unsafe { ring.pop() } {
                Some(value) => {
                    assert_eq!(value, expected);
                    expected += 1;
                }
                None => thread::yield_now(),
            }
        }
        pushing.join().unwrap();
    });
}

/// The receiver parks, and a sender unparks it only when the mailbox says that this is its duty. If a wake-up could be
/// lost, loom would report the execution in which the receiver sleeps for ever as a deadlock.
fn every_message_wakes(senders: usize) {
    loom::model(move || {
        let mailbox = Arc::new(Mailbox::new(senders));
        let rings: Vec<_> = (0..senders).map(|_| Arc::new(Ring::new(2))).collect();
        let receiver = thread::current();
        let threads: Vec<_> = (0..senders)
            .map(|source| {
                let (mailbox, ring, receiver) = (mailbox.clone(), rings[source].clone(), receiver.clone());
                thread::spawn(move || {
                    // SAFETY: this thread alone pushes to its ring.
                    unsafe { ring.push(source) }.unwrap();
                    if mailbox.announce(source) {
                        receiver.unpark();
                    }
                })
            })
            .collect();
        let mut received = 0;
        while received < senders {
            let mut bits = mailbox.take(0);
            while bits != 0 {
                let source = bits.trailing_zeros() as usize;
                // SAFETY: this thread alone pops.
                match unsafe { rings[source].pop() } {
                    Some(value) => {
                        assert_eq!(value, source);
                        received += 1;
                    }
                    None => bits &= bits - 1,
                }
            }
            if received < senders && mailbox.fall_asleep() {
                thread::park();
                mailbox.wake_up();
            }
        }
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

#[test]
fn one_sender_wakes_a_sleeper() {
    every_message_wakes(1);
}

#[test]
fn two_senders_wake_a_sleeper() {
    every_message_wakes(2);
}

/// A database of one word, which many write and read as if through messages: every step of it is ordered for those who see it.
struct Database(AtomicU64);

impl Database {
    fn read(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// Commits, and says what the value is then.
    fn write(&self) -> u64 {
        self.0.fetch_add(1, Ordering::AcqRel) + 1
    }
}

/// One or two write; somebody has filled before, fills meanwhile, and uses what he has as long as the board lets him.
fn a_copy_is_never_older_than_an_answer(writers: usize) {
    loom::model(move || {
        let board = Arc::new(Board::with_slots(2));
        let database = Arc::new(Database(AtomicU64::new(0)));
        let answered = Arc::new(AtomicU64::new(0));
        let writing: Vec<_> = (0..writers)
            .map(|_| {
                let (board, database, answered) = (board.clone(), database.clone(), answered.clone());
                thread::spawn(move || {
                    let value = database.write();
                    board.raise(&[1]);
                    answered.fetch_max(value, Ordering::AcqRel);
                })
            })
            .collect();
        for _ in 0..2 {
            let (filled_at, copy) = (board.now(), database.read());
            let least = answered.load(Ordering::Acquire);
            if filled_at >= board.floor(&[1]) {
                assert!(copy >= least, "{copy}, filled at {filled_at}, after {least} was answered");
            }
        }
        writing.into_iter().for_each(|thread| thread.join().unwrap());
        // At rest: what is filled now is used and is the newest.
        let (filled_at, copy) = (board.now(), database.read());
        assert!(filled_at >= board.floor(&[1]));
        assert_eq!(copy, writers as u64);
    });
}

#[test]
fn a_copy_is_never_older_than_the_answer_of_a_write() {
    a_copy_is_never_older_than_an_answer(1);
}

#[test]
fn a_copy_is_never_older_than_the_answers_of_two_writes() {
    a_copy_is_never_older_than_an_answer(2);
}
