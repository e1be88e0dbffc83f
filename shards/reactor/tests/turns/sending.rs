//! Outputs: what is unsent, what goes on where it stopped, whose buffers are used again.

use crate::desk::{Desk, Told};
use ringmill_reactor::bounds::{SPARE_OUTPUT_BYTES, SPARE_OUTPUTS};
use ringmill_reactor::{End, Errno, Wait};
use ringmill_sim_kernel::faults::Fault;

const SECOND: u64 = 1_000_000_000;

#[test]
fn what_is_written_leaves_at_the_end_of_the_turn() {
    let mut desk = Desk::new(8);
    let (peer, id) = desk.connect(usize::MAX);
    assert_ne!(desk.reactor.wait(), Wait::No);
    desk.write(id, b"one ");
    desk.write(id, b"two");
    assert_eq!(desk.reactor.wait(), Wait::No, "there is something to send");
    desk.turns(2);
    assert_eq!(peer.read(), b"one two");
    assert_eq!(desk.world.sends(0), 1, "all of a turn leaves together");
    assert_ne!(desk.reactor.wait(), Wait::No);
    // Nothing written is nothing to do.
    desk.write(id, b"");
    assert_ne!(desk.reactor.wait(), Wait::No);
    desk.turns(2);
    assert_eq!(desk.world.sends(0), 1);
    desk.assert_kept();
}

#[test]
fn unsent_bytes_are_counted_until_they_have_left() {
    let mut desk = Desk::new(8);
    let (peer, id) = desk.connect(10);
    let (_, other) = desk.connect(0);
    desk.write(id, &[1; 25]);
    desk.write(other, &[2; 7]);
    let counts = |desk: &mut Desk| {
        let reactor = &mut desk.reactor;
        assert_eq!(reactor.unsent_total(), reactor.unsent_counted());
        (reactor.unsent(id), reactor.unsent_total(), reactor.unsent_most())
    };
    assert_eq!(counts(&mut desk), (25, 32, 25));
    assert_eq!(desk.reactor.stalled_since_ns(id), None, "nothing is being sent yet");
    desk.turns(3);
    // A buffer that has left in part is held as a whole.
    assert_eq!(counts(&mut desk), (15, 32, 25));
    desk.write(id, &[1; 100]);
    assert_eq!(counts(&mut desk), (115, 132, 125));
    let output = desk.reactor.take_output(id);
    assert_eq!((output.len(), desk.reactor.unsent_total()), (100, 32), "what is taken out is not counted");
    desk.reactor.put_output(id, output);
    assert_eq!(peer.read().len(), 10);
    desk.turns(3);
    assert_eq!(counts(&mut desk), (105, 132, 125));
    for _ in 0..20 {
        peer.read();
        desk.turns(3);
    }
    assert_eq!(counts(&mut desk), (0, 7, 7));
    assert!(desk.reactor.troubles().short_sends > 10);
    desk.assert_kept();
}

#[test]
fn short_sends_and_interrupted_ones_go_on_where_they_stopped() {
    for most in [1, 3, 1000] {
        let mut desk = Desk::new(8);
        let (peer, id) = desk.connect(usize::MAX);
        desk.world.set_short(4096, most);
        let all: Vec<u8> = (0..5000).map(|at| (at % 251) as u8).collect();
        desk.write(id, &all);
        desk.world.set(Fault::Interrupted, true);
        desk.turns(3);
        assert_eq!(peer.read(), b"");
        desk.world.set(Fault::Interrupted, false);
        desk.turns(5003);
        assert_eq!(peer.read(), all);
        assert_eq!(desk.told(), []);
        desk.assert_kept();
    }
}

#[test]
fn a_stall_is_counted_from_the_last_byte_that_left() {
    let mut desk = Desk::new(8);
    let (peer, id) = desk.connect(10);
    desk.world.advance_ns(SECOND);
    desk.write(id, &[1; 30]);
    desk.turn();
    let begun_ns = desk.reactor.now().monotonic_ns;
    assert_eq!(desk.reactor.stalled_since_ns(id), Some(begun_ns));
    desk.world.advance_ns(SECOND);
    desk.turn();
    let first_ns = desk.reactor.now().monotonic_ns;
    assert_eq!((first_ns, desk.reactor.stalled_since_ns(id)), (begun_ns + SECOND, Some(first_ns)));
    desk.world.advance_ns(SECOND);
    desk.turn();
    assert_eq!(desk.reactor.stalled_since_ns(id), Some(first_ns), "nothing has left since");
    // Being interrupted is no progress.
    desk.world.set(Fault::Interrupted, true);
    peer.read();
    desk.turn();
    desk.world.set(Fault::Interrupted, false);
    assert_eq!(desk.reactor.stalled_since_ns(id), Some(first_ns));
    desk.turns(2);
    assert_eq!(desk.reactor.stalled_since_ns(id), Some(desk.reactor.now().monotonic_ns));
    for _ in 0..3 {
        peer.read();
        desk.turns(2);
    }
    assert_eq!(desk.reactor.stalled_since_ns(id), None);
}

#[test]
fn who_asks_is_told_once_when_all_has_left() {
    let mut desk = Desk::new(8);
    let (peer, id) = desk.connect(10);
    assert!(!desk.reactor.notify_when_sent(id), "nothing is unsent");
    desk.write(id, &[1; 15]);
    assert!(desk.reactor.notify_when_sent(id));
    desk.turns(3);
    // More behind what is being sent.
    desk.write(id, &[1; 3]);
    assert!(desk.reactor.notify_when_sent(id));
    assert_eq!(desk.told(), []);
    for _ in 0..4 {
        peer.read();
        desk.turns(3);
    }
    assert_eq!(desk.told(), [Told::Sent(0)]);
    desk.write(id, b"x");
    desk.turns(3);
    assert_eq!(desk.told(), [], "nobody asked");
}

#[test]
fn a_connection_that_is_gone_is_told_by_its_send() {
    let mut desk = Desk::new(8);
    let (peer, id) = desk.connect(10);
    desk.reactor.pause(id);
    desk.write(id, &[1; 100]);
    desk.turns(3);
    desk.write(id, &[1; 100]);
    peer.reset();
    desk.turns(3);
    assert_eq!(desk.told(), [Told::Ended(0, End::Failed(Errno(104)))]);
    assert_eq!((desk.reactor.unsent(id), desk.reactor.unsent_total()), (0, 0));
    desk.reactor.close(id);
    desk.turns(3);
    assert_eq!((desk.reactor.sockets_count(), desk.world.descriptors_open()), (0, 0));
    desk.assert_kept();
}

#[test]
fn buffers_of_outputs_are_used_again_up_to_a_bound() {
    let mut desk = Desk::new(8);
    let (_, id) = desk.connect(usize::MAX);
    let give = |desk: &mut Desk, capacity: usize| desk.reactor.put_output(id, Vec::with_capacity(capacity));
    let take = |desk: &mut Desk| desk.reactor.take_output(id).capacity();
    assert_eq!(take(&mut desk), 0);
    give(&mut desk, SPARE_OUTPUT_BYTES + 1);
    assert_eq!(take(&mut desk), 0, "too large to be kept");
    give(&mut desk, SPARE_OUTPUT_BYTES);
    assert_eq!(take(&mut desk), SPARE_OUTPUT_BYTES);
    for _ in 0..SPARE_OUTPUTS {
        give(&mut desk, 0);
    }
    for _ in 0..SPARE_OUTPUTS + 5 {
        give(&mut desk, 100);
    }
    let kept = (0..SPARE_OUTPUTS + 5).filter(|_| take(&mut desk) > 0).count();
    assert_eq!(kept, SPARE_OUTPUTS);
    // One that was sent comes back too, empty.
    desk.write(id, &[1; 50]);
    desk.turns(3);
    let output = desk.reactor.take_output(id);
    assert!(output.is_empty() && output.capacity() >= 50, "{}", output.capacity());
}
