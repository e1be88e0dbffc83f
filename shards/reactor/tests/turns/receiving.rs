//! Receiving: into the core's buffers, into the owner's, not at all.

use crate::desk::{Desk, Told};
use ringmill_reactor::{End, Errno};
use ringmill_sim_kernel::faults::Fault;

#[test]
fn bytes_and_the_end_are_told_in_order() {
    let mut desk = Desk::new(8);
    let (peer, _) = desk.connect(usize::MAX);
    peer.write(b"hello");
    desk.turn();
    peer.end();
    desk.turn();
    assert_eq!(desk.told(), [Told::Received(0, b"hello".to_vec()), Told::Ended(0, End::Closed)]);
    desk.turns(3);
    assert_eq!(desk.told(), [], "the end is told once");
}

#[test]
fn a_receive_that_ends_for_no_reason_is_armed_again() {
    for fault in [Fault::ReceiveEnds, Fault::Interrupted, Fault::NoBuffer] {
        let mut desk = Desk::new(8);
        let (peer, _) = desk.connect(usize::MAX);
        desk.world.set(fault, true);
        peer.write(b"hello");
        desk.turn();
        desk.world.set(fault, false);
        desk.turns(2);
        peer.write(b" again");
        desk.turns(3);
        assert_eq!(desk.bytes(), b"hello again", "{fault:?}");
        let troubles = desk.reactor.troubles();
        let (starved, rearmed) = (troubles.starved > 0, troubles.rearmed > 0);
        assert_eq!((starved, rearmed), (fault == Fault::NoBuffer, fault != Fault::NoBuffer), "{troubles:?}");
        desk.assert_kept();
    }
}

#[test]
fn without_buffers_receives_wait_and_those_that_got_nothing_come_first() {
    let mut desk = Desk::new(1);
    desk.notes.holds = true;
    let peers: Vec<_> = (0..3).map(|_| desk.connect(usize::MAX).0).collect();
    peers.iter().for_each(|peer| peer.write(b"x"));
    desk.turn();
    assert_eq!(desk.told(), [Told::Received(0, b"x".to_vec())]);
    desk.turns(5);
    assert_eq!(desk.told(), []);
    assert!(desk.reactor.troubles().hunger_max >= 5, "{:?}", desk.reactor.troubles());
    peers[0].write(b"y");
    desk.turn();
    // One buffer at a time: each of the others before the first gets a second.
    let mut order = Vec::new();
    for _ in 0..20 {
        desk.notes.held.clear();
        desk.turn();
        order.extend(desk.told());
    }
    let users: Vec<_> = order
        .iter()
        .map(|told| match told {
            Told::Received(user, _) => *user,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(users.len(), 3, "{order:?}");
    assert_eq!(*users.last().unwrap(), 0, "{order:?}");
    desk.assert_kept();
}

#[test]
fn a_paused_socket_that_found_no_buffer_receives_when_it_is_resumed() {
    let mut desk = Desk::new(8);
    let (peer, id) = desk.connect(usize::MAX);
    desk.world.set(Fault::NoBuffer, true);
    peer.write(b"hello");
    desk.turn();
    desk.reactor.pause(id);
    desk.world.set(Fault::NoBuffer, false);
    desk.turns(3);
    assert_eq!(desk.told(), []);
    desk.reactor.resume(id);
    desk.turns(2);
    assert_eq!(desk.bytes(), b"hello");
    desk.assert_kept();
}

#[test]
fn paused_and_resumed() {
    let mut desk = Desk::new(8);
    let (peer, id) = desk.connect(usize::MAX);
    desk.reactor.pause(id);
    desk.reactor.pause(id);
    assert_eq!(desk.world.receives_cancelled(0), 1, "once");
    peer.write(b"hello");
    desk.turns(3);
    assert_eq!(desk.told(), []);
    assert_eq!(peer.unreceived(), 5);
    desk.reactor.resume(id);
    desk.reactor.resume(id);
    desk.turns(2);
    assert_eq!(desk.bytes(), b"hello");
    // Resumed before the cancelled receive has ended: it goes on.
    desk.reactor.pause(id);
    desk.reactor.resume(id);
    peer.write(b" again");
    desk.turns(3);
    assert_eq!(desk.bytes(), b" again");
    desk.assert_kept();
}

#[test]
fn a_refresh_finds_the_reset_that_the_receive_was_not_told_of() {
    let mut desk = Desk::new(8);
    let (peer, id) = desk.connect(usize::MAX);
    desk.world.set(Fault::ResetUntold, true);
    peer.write(b"hel");
    peer.reset();
    desk.turns(3);
    assert_eq!(desk.bytes(), b"hel");
    desk.reactor.refresh(id);
    desk.turns(3);
    assert_eq!(desk.told(), [Told::Ended(0, End::Failed(Errno(104)))]);
    // Neither a paused one nor one that does not receive is touched.
    let (_, other) = desk.connect(usize::MAX);
    desk.reactor.pause(other);
    desk.turns(2);
    let cancelled = desk.world.receives_cancelled(0);
    desk.reactor.refresh(other);
    desk.reactor.refresh(id);
    desk.turns(2);
    assert_eq!(desk.world.receives_cancelled(0), cancelled);
    desk.assert_kept();
}

#[test]
fn a_fill_brings_bytes_behind_its_start() {
    for interrupted in [false, true] {
        let mut desk = Desk::new(8);
        let (peer, id) = desk.connect(usize::MAX);
        desk.reactor.receive_into(id, vec![7; 10], 3);
        desk.turns(2);
        assert_eq!(desk.reactor.take_back(id), None, "its receive has started");
        desk.world.set(Fault::Interrupted, interrupted);
        peer.write(b"hello");
        desk.turn();
        desk.world.set(Fault::Interrupted, false);
        desk.turns(2);
        assert_eq!(desk.told(), [Told::Filled(0, b"\x07\x07\x07hello".to_vec(), 3)]);
        // Receiving stands still until it is asked for.
        peer.write(b" again");
        desk.turns(2);
        assert_eq!(desk.told(), []);
        desk.reactor.resume(id);
        desk.turns(2);
        assert_eq!(desk.bytes(), b" again");
        desk.assert_kept();
    }
}

#[test]
fn what_the_receive_still_brings_comes_before_the_fill() {
    let mut desk = Desk::new(8);
    let (peer, id) = desk.connect(usize::MAX);
    desk.world.set(Fault::CancelLate, true);
    peer.write(b"first");
    desk.reactor.receive_into(id, vec![0; 10], 0);
    desk.turn();
    assert_eq!(desk.bytes(), b"first");
    peer.write(b"second");
    desk.turns(3);
    assert_eq!(desk.bytes(), b"second");
    desk.assert_kept();
}

#[test]
fn a_fill_that_has_not_started_is_given_back() {
    let mut desk = Desk::new(8);
    let (peer, id) = desk.connect(usize::MAX);
    desk.reactor.receive_into(id, vec![9; 4], 0);
    assert_eq!(desk.reactor.take_back(id), Some(vec![9; 4]));
    assert_eq!(desk.reactor.take_back(id), None);
    peer.write(b"hello");
    desk.turns(3);
    assert_eq!(desk.told(), [Told::Received(0, b"hello".to_vec())]);
    // Given while the receive is being stopped.
    desk.reactor.pause(id);
    desk.reactor.receive_into(id, vec![8; 4], 1);
    desk.turns(2);
    peer.write(b"abc");
    desk.turns(2);
    assert_eq!(desk.told(), [Told::Filled(0, b"\x08abc".to_vec(), 1)]);
    desk.assert_kept();
}

#[test]
fn the_end_and_a_reset_are_told_of_a_fill() {
    for resets in [false, true] {
        let mut desk = Desk::new(8);
        let (peer, id) = desk.connect(usize::MAX);
        desk.reactor.receive_into(id, vec![0; 10], 0);
        desk.turns(2);
        match resets {
            true => peer.reset(),
            false => peer.end(),
        }
        desk.turns(2);
        let end = if resets { End::Failed(Errno(104)) } else { End::Closed };
        assert_eq!(desk.told(), [Told::Ended(0, end)]);
        // After the end nothing is received any more.
        desk.reactor.receive_into(id, vec![0; 10], 0);
        desk.reactor.resume(id);
        desk.turns(2);
        assert_eq!(desk.told(), []);
        desk.reactor.close(id);
        desk.turns(2);
        assert_eq!(desk.world.descriptors_open(), 0);
        desk.assert_kept();
    }
}
