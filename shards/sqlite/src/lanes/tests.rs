use super::{Lane, Lanes, Taken};
use std::sync::mpsc;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);

#[test]
fn a_full_queue_gives_the_job_back() {
    let lanes = Lanes::new(2, 3);
    for n in 0..3 {
        assert_eq!(lanes.push(Lane::Write, n), Ok(()));
    }
    assert_eq!(lanes.push(Lane::Write, 3), Err(3));
    assert_eq!(lanes.push(Lane::Read, 4), Ok(()), "each queue has places of its own");
    assert_eq!(lanes.take_now(0), Some(0));
    assert_eq!(lanes.push(Lane::Write, 5), Ok(()));
}

#[test]
fn who_serves_what() {
    let check = |readers: usize, thread: usize, expected: [Option<Lane>; 4]| {
        let lanes = Lanes::new(readers, 8);
        for lane in [Lane::Read, Lane::Key, Lane::Write] {
            assert!(lanes.push(lane, lane).is_ok());
        }
        let taken: [Option<Lane>; 4] = std::array::from_fn(|_| lanes.take_now(thread));
        assert_eq!(taken, expected, "{readers} readers, thread {thread}");
    };
    check(1, 0, [Some(Lane::Write), None, None, None]);
    check(1, 1, [Some(Lane::Key), Some(Lane::Read), None, None]);
    check(2, 1, [Some(Lane::Key), None, None, None]);
    check(2, 2, [Some(Lane::Key), Some(Lane::Read), None, None]);
    check(4, 1, [Some(Lane::Key), None, None, None]);
    check(4, 4, [Some(Lane::Key), Some(Lane::Read), None, None]);
}

#[test]
fn closed_is_seen_once_the_queue_is_empty() {
    let lanes = Lanes::new(1, 8);
    assert!(lanes.push(Lane::Read, 1).is_ok());
    lanes.close();
    assert_eq!(lanes.push(Lane::Read, 2), Err(2));
    assert_eq!(lanes.take_or_wait(1, LONG), Taken::Job(1));
    assert_eq!(lanes.take_or_wait(1, LONG), Taken::Closed);
    assert_eq!(lanes.take_or_wait(0, LONG), Taken::Closed);
}

/// Every item arrives once, whoever sleeps.
#[test]
fn many_pushers_many_threads() {
    const PUSHERS: usize = 3;
    const ITEMS: usize = 20_000;
    let lanes = Lanes::new(3, 64);
    let (sender, receiver) = mpsc::channel();
    let mut got = std::thread::scope(|scope| {
        for index in 0..4 {
            let (lanes, sender) = (&lanes, sender.clone());
            scope.spawn(move || {
                loop {
                    match lanes.take_or_wait(index, LONG) {
                        Taken::Job(item) => sender.send(item).unwrap(),
                        Taken::Idle => {}
                        Taken::Closed => break,
                    }
                }
            });
        }
        for pusher in 0..PUSHERS {
            let lanes = &lanes;
            scope.spawn(move || {
                for n in 0..ITEMS {
                    let lane = [Lane::Write, Lane::Key, Lane::Read][n % 3];
                    let mut item = (pusher, n);
                    while let Err(back) = lanes.push(lane, item) {
                        item = back;
                        std::thread::yield_now();
                    }
                }
            });
        }
        let got: Vec<_> = receiver.iter().take(PUSHERS * ITEMS).collect();
        lanes.close();
        got
    });
    got.sort_unstable();
    let expected: Vec<_> = (0..PUSHERS).flat_map(|p| (0..ITEMS).map(move |n| (p, n))).collect();
    assert_eq!(got, expected);
}
