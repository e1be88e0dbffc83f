//! Timers, and how long a turn may wait.

use crate::desk::{Desk, Told};
use ringmill_reactor::bounds::ACCEPT_BACKOFF_NS;
use ringmill_reactor::{Errno, Wait};

#[test]
fn timers_fire_at_their_instant_and_not_before() {
    let mut desk = Desk::new(8);
    desk.turn();
    let now_ns = desk.reactor.now().monotonic_ns;
    assert_eq!(desk.reactor.wait(), Wait::Forever);
    desk.reactor.set_timer(now_ns + 200, 2);
    let taken_back = desk.reactor.set_timer(now_ns + 50, 9);
    desk.reactor.set_timer(now_ns + 100, 1);
    assert_eq!(desk.reactor.wait(), Wait::Until(now_ns + 50));
    desk.reactor.cancel_timer(taken_back);
    assert_eq!(desk.reactor.wait(), Wait::Until(now_ns + 100));
    assert_eq!(desk.reactor.timers_count(), 2);
    desk.world.advance_ns(99);
    desk.turn();
    assert_eq!(desk.told(), []);
    desk.world.advance_ns(1);
    desk.turn();
    assert_eq!(desk.told(), [Told::Timer(1)]);
    desk.world.advance_ns(1000);
    desk.turns(2);
    assert_eq!(desk.told(), [Told::Timer(2)]);
    assert_eq!((desk.reactor.timers_count(), desk.reactor.wait()), (0, Wait::Forever));
}

#[test]
fn accepting_pauses_after_a_failure() {
    let mut desk = Desk::new(8);
    desk.turn();
    desk.world.fail_accept(0, Errno(24));
    let _peer = desk.world.connect(0, 10);
    desk.turns(3);
    assert_eq!(desk.told(), [Told::AcceptFailed(Errno(24))]);
    assert!(desk.notes.sockets.is_empty());
    desk.world.advance_ns(ACCEPT_BACKOFF_NS - 1);
    desk.turns(2);
    assert!(desk.notes.sockets.is_empty());
    desk.world.advance_ns(1);
    desk.turns(2);
    assert_eq!(desk.notes.sockets.len(), 1);
    desk.assert_kept();
}
