//! Every interleaving of the sleep and wake protocol. A missed wake-up shows as a deadlock, since `park` has no timeout
//! here. `RUSTFLAGS="--cfg loom" cargo test -p ringmill-sqlite --lib loom_ --release`

use super::{Lane, Lanes, Taken};
use loom::sync::Arc;
use loom::thread;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

/// Waits for one job as a thread of the store does.
fn take(lanes: &Lanes<u32>, index: usize) -> u32 {
    loop {
        match lanes.take_or_wait(index, Duration::MAX) {
            Taken::Job(job) => return job,
            Taken::Idle => {}
            Taken::Closed => panic!("nobody closed it"),
        }
    }
}

fn model(bound: Option<usize>, body: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = bound;
    builder.check(body);
}

#[test]
fn loom_a_push_wakes_the_writer() {
    model(None, || {
        let lanes = Arc::new(Lanes::new(1, 4));
        let writer = {
            let lanes = Arc::clone(&lanes);
            thread::spawn(move || take(&lanes, 0) + take(&lanes, 0))
        };
        lanes.push(Lane::Write, 1).unwrap();
        lanes.push(Lane::Write, 2).unwrap();
        assert_eq!(writer.join().unwrap(), 3);
    });
}

#[test]
fn loom_two_pushers_one_thread() {
    model(Some(3), || {
        let lanes = Arc::new(Lanes::new(1, 4));
        let pusher = {
            let lanes = Arc::clone(&lanes);
            thread::spawn(move || lanes.push(Lane::Key, 1).unwrap())
        };
        let reader = {
            let lanes = Arc::clone(&lanes);
            thread::spawn(move || take(&lanes, 1) + take(&lanes, 1))
        };
        lanes.push(Lane::Read, 2).unwrap();
        assert_eq!(reader.join().unwrap(), 3);
        pusher.join().unwrap();
    });
}

/// Two readers take one job each and never come back, as if that job took for ever; the one kept for reads by key was
/// woken for its job but is descheduled. Whoever is woken for the read takes the more urgent read by key; the read must
/// still find the other, asleep though it is.
#[test]
fn loom_a_busy_reader_keeps_no_job_from_a_sleeping_one() {
    model(Some(3), || {
        let lanes = Arc::new(Lanes::new(3, 4));
        let descheduled = &lanes.sleepers[1];
        descheduled.thread.get_or_init(thread::current);
        descheduled.asleep.store(true, SeqCst);
        let reader = |index| {
            let lanes = Arc::clone(&lanes);
            thread::spawn(move || take(&lanes, index))
        };
        let readers = [reader(2), reader(3)];
        lanes.push(Lane::Key, 1).unwrap();
        lanes.push(Lane::Read, 2).unwrap();
        let sum: u32 = readers.into_iter().map(|reader| reader.join().unwrap()).sum();
        assert_eq!(sum, 3);
    });
}

#[test]
fn loom_closing_wakes_a_sleeper() {
    model(None, || {
        let lanes = Arc::new(Lanes::<u32>::new(1, 4));
        let reader = {
            let lanes = Arc::clone(&lanes);
            thread::spawn(move || while lanes.take_or_wait(1, Duration::MAX) != Taken::Closed {})
        };
        lanes.close();
        reader.join().unwrap();
    });
}
