//! Closing: a slot is free after the last completion of its last owner, and stale names find nothing.

use crate::desk::Desk;
use ringmill_sim_kernel::faults::Fault;

#[test]
fn a_slot_is_given_out_again_with_another_generation() {
    let mut desk = Desk::new(8);
    let (peer, old) = desk.connect(usize::MAX);
    let (_other, other) = desk.connect(usize::MAX);
    assert_eq!(desk.reactor.sockets_count(), 2);
    desk.reactor.close(old);
    assert_eq!(desk.reactor.peer(old), None, "it is closing");
    assert_eq!(desk.reactor.sockets_count(), 2, "its receive is still under way");
    desk.turns(2);
    assert_eq!(desk.reactor.sockets_count(), 1);
    assert!(peer.is_closed());
    let (new_peer, new) = desk.connect(usize::MAX);
    assert_eq!((new.slot, new.generation), (old.slot, old.generation + 1));
    assert_ne!(new.slot, other.slot);
    assert!(desk.reactor.peer(new).is_some());
    // Whatever is asked of the old name does not reach the new owner.
    desk.write(old, b"stale");
    desk.reactor.pause(old);
    desk.reactor.finish(old);
    desk.reactor.reset_on_close(old);
    desk.reactor.receive_into(old, vec![0; 4], 0);
    desk.reactor.close(old);
    assert_eq!(desk.reactor.unsent(old), 0);
    assert!(!desk.reactor.notify_when_sent(old));
    new_peer.write(b"hello");
    desk.turns(3);
    assert_eq!(desk.bytes(), b"hello");
    assert!(new_peer.read().is_empty() && !new_peer.is_ended());
    assert_eq!(desk.reactor.unsent_total(), 0);
    desk.assert_kept();
}

#[test]
fn whatever_is_under_way_ends_before_the_descriptor_is_closed() {
    for under_way in ["nothing", "paused", "fill", "waiting fill", "send", "output", "starved"] {
        let mut desk = Desk::new(8);
        let (peer, id) = desk.connect(10);
        match under_way {
            "paused" => desk.reactor.pause(id),
            "fill" => desk.reactor.receive_into(id, vec![0; 10], 0),
            "send" => desk.write(id, &[1; 100]),
            "starved" => {
                desk.world.set(Fault::NoBuffer, true);
                peer.write(b"x");
            }
            _ => {}
        }
        desk.turns(3);
        match under_way {
            "waiting fill" => desk.reactor.receive_into(id, vec![0; 10], 0),
            "output" => desk.write(id, &[1; 100]),
            _ => {}
        }
        desk.told();
        desk.reactor.close(id);
        desk.reactor.close(id);
        assert_eq!(desk.reactor.unsent_total(), 0, "{under_way}: what is unsent is lost");
        desk.write(id, b"late");
        peer.write(b"late");
        desk.turns(4);
        assert_eq!(desk.told(), [], "{under_way}: the owner hears no more");
        let reactor = &desk.reactor;
        assert_eq!((reactor.sockets_count(), reactor.unsent_total()), (0, 0), "{under_way}");
        assert_eq!((desk.world.descriptors_open(), desk.world.buffers_free(0)), (0, 8), "{under_way}");
        desk.assert_kept();
    }
}

#[test]
fn finishing_ends_our_side_and_leaves_theirs() {
    let mut desk = Desk::new(8);
    let (peer, id) = desk.connect(usize::MAX);
    desk.reactor.finish(id);
    desk.turn();
    assert!(peer.is_ended() && !peer.is_closed());
    peer.write(b"still");
    desk.turns(2);
    assert_eq!(desk.bytes(), b"still");
    desk.reactor.reset_on_close(id);
    desk.reactor.close(id);
    desk.turns(2);
    assert!(peer.is_reset());
}

#[test]
fn a_listener_gives_back_who_waits() {
    let mut desk = Desk::new(8);
    desk.turn();
    let _waiting = [desk.world.connect(0, 10), desk.world.connect(0, 10)];
    let waiting = desk.reactor.close_listener(0);
    assert_eq!(waiting.len(), 2);
    assert!(desk.reactor.is_listening(), "its accept is still under way");
    assert!(desk.reactor.close_listener(0).is_empty(), "once");
    desk.turns(2);
    assert!(!desk.reactor.is_listening());
    for fd in waiting {
        desk.reactor.refuse(fd);
    }
    assert_eq!(desk.world.descriptors_open(), 0);
    desk.assert_kept();
}
