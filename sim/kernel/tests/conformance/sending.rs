//! Sending.

use crate::stage::May::{Both, Simulated};
use crate::stage::scenarios;

scenarios! {
    /// A small send arrives, and the buffer comes back as it was.
    small: [Both("answer")];
    /// More than there is room for: short sends, and every byte in order.
    large: [Both("1000000 bytes, some sends short")];
    /// A send without room that is cancelled.
    cancelled: [Both("ECANCELED")];
    /// A send without room whose connection is reset.
    blocked_and_reset: [Both("ECONNRESET")];
    /// A send without room whose connection is shut down.
    blocked_and_shut: [Both("EPIPE")];
    /// A send after a reset that a receive has told of.
    after_a_reset: [Both("EPIPE")];
    /// A send after a reset that nobody has told of.
    after_a_reset_untold: [
        Both("ECONNRESET, then EPIPE"),
    ];
    /// A send after a reset of a peer that had ended its side before.
    after_an_end_and_a_reset: [Both("EPIPE, then EPIPE")];
    /// A reset while a receive and a send without room are under way: one of them tells its error.
    both_and_reset: [
        Both("receive ECONNRESET, send EPIPE"),
        Simulated("receive the end, send ECONNRESET", "the send has to be looked at first, which was begun later"),
    ];
    /// A send after the own half was shut down.
    after_the_own_end: [Both("EPIPE")];
    /// A peer that ends its side keeps taking what a send without room still has.
    blocked_and_half_closed: [Both("500000 bytes")];
}

mod play {
    use crate::stage::{Outside, Seen, Stage, name, token};
    use ringmill_reactor::{Direction, Driver, Fd, Kind, Operation};

    fn pattern(count: usize) -> Vec<u8> {
        (0..count).map(|at| ((at * 2_654_435_761) >> 24) as u8).collect()
    }

    pub(super) fn small<O: Outside>(stage: &mut Stage<O>) -> String {
        let (peer, fd) = stage.connection(true);
        stage.send_all(peer, fd, b"answer").expect("it is sent");
        String::from_utf8_lossy(&stage.read(peer, 6).0).into_owned()
    }

    /// Sends everything while the other end reads.
    fn exchange<O: Outside>(stage: &mut Stage<O>, peer: usize, fd: Fd, all: &[u8]) -> (Vec<u8>, bool) {
        let (mut start, mut bytes, mut was_short) = (0, Vec::new(), false);
        let mut given = all.to_vec();
        while start < all.len() {
            stage.submit(token(peer), Operation::Send { fd, buffer: given, start });
            let seen = stage.until("a send's completion", |stage| {
                stage.take_seen(token(peer)).or_else(|| {
                    stage.outside.read(peer, &mut bytes);
                    None
                })
            });
            match seen {
                Seen::Sent(Ok(count), buffer) => {
                    given = buffer;
                    start += count;
                    was_short |= start < all.len();
                }
                other => panic!("{other:?}"),
            }
        }
        assert!(given == all, "the buffer comes back as it was given");
        let missing = all.len() - bytes.len();
        bytes.extend(stage.read(peer, missing).0);
        assert!(bytes == all, "in order");
        (bytes, was_short)
    }

    pub(super) fn large<O: Outside>(stage: &mut Stage<O>) -> String {
        let (peer, fd) = stage.connection(false);
        let (bytes, was_short) = exchange(stage, peer, fd, &pattern(1_000_000));
        format!("{} bytes, {} sends short", bytes.len(), if was_short { "some" } else { "no" })
    }

    /// Sends until there is no more room; a send is left without it.
    fn block<O: Outside>(stage: &mut Stage<O>) -> (usize, Fd) {
        let (peer, fd) = stage.connection(false);
        loop {
            stage.submit(token(peer), Operation::Send { fd, buffer: vec![1; 1 << 20], start: 0 });
            stage.settle();
            match stage.take_seen(token(peer)) {
                Some(Seen::Sent(Ok(_), _)) => {}
                None => return (peer, fd),
                other => panic!("{other:?}"),
            }
        }
    }

    fn outcome<O: Outside>(stage: &mut Stage<O>, peer: usize) -> String {
        match stage.next(token(peer)) {
            Seen::Sent(Err(errno), _) => name(errno),
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn cancelled<O: Outside>(stage: &mut Stage<O>) -> String {
        let (peer, _) = block(stage);
        stage.cancel(token(peer), Kind::Send);
        outcome(stage, peer)
    }

    pub(super) fn blocked_and_reset<O: Outside>(stage: &mut Stage<O>) -> String {
        let (peer, _) = block(stage);
        stage.outside.reset(peer);
        outcome(stage, peer)
    }

    pub(super) fn blocked_and_shut<O: Outside>(stage: &mut Stage<O>) -> String {
        let (peer, fd) = block(stage);
        stage.driver.shutdown(fd, Direction::Both);
        outcome(stage, peer)
    }

    fn send<O: Outside>(stage: &mut Stage<O>, peer: usize, fd: Fd) -> String {
        stage.submit(token(peer), Operation::Send { fd, buffer: b"late".to_vec(), start: 0 });
        outcome(stage, peer)
    }

    pub(super) fn after_a_reset<O: Outside>(stage: &mut Stage<O>) -> String {
        let (peer, fd) = stage.connection(true);
        stage.submit(token(peer), Operation::Receive { fd });
        stage.settle();
        stage.outside.reset(peer);
        assert_eq!(stage.received(peer, fd).1, "ECONNRESET");
        send(stage, peer, fd)
    }

    pub(super) fn after_a_reset_untold<O: Outside>(stage: &mut Stage<O>) -> String {
        let (peer, fd) = stage.connection(true);
        stage.outside.reset(peer);
        stage.settle();
        let first = send(stage, peer, fd);
        format!("{first}, then {}", send(stage, peer, fd))
    }

    pub(super) fn after_an_end_and_a_reset<O: Outside>(stage: &mut Stage<O>) -> String {
        let (peer, fd) = stage.connection(true);
        stage.outside.end(peer);
        stage.settle();
        stage.outside.reset(peer);
        stage.settle();
        let first = send(stage, peer, fd);
        format!("{first}, then {}", send(stage, peer, fd))
    }

    pub(super) fn both_and_reset<O: Outside>(stage: &mut Stage<O>) -> String {
        let (peer, fd) = block(stage);
        // Of another token, so that the two are told apart.
        stage.submit(token(peer + 1), Operation::Receive { fd });
        stage.settle();
        stage.outside.reset(peer);
        let (_, received) = stage.received(peer + 1, fd);
        format!("receive {received}, send {}", outcome(stage, peer))
    }

    pub(super) fn after_the_own_end<O: Outside>(stage: &mut Stage<O>) -> String {
        let (peer, fd) = stage.connection(true);
        stage.driver.shutdown(fd, Direction::Write);
        send(stage, peer, fd)
    }

    pub(super) fn blocked_and_half_closed<O: Outside>(stage: &mut Stage<O>) -> String {
        let (peer, fd) = stage.connection(false);
        stage.outside.end(peer);
        let (bytes, _) = exchange(stage, peer, fd, &pattern(500_000));
        format!("{} bytes", bytes.len())
    }
}
