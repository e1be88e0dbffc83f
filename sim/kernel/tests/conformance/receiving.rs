//! Receiving into the driver's buffers.

use crate::stage::May::{Both, Simulated};
use crate::stage::scenarios;

scenarios! {
    /// Everything that was written comes, in order, and then the end.
    whole: [Both("100000 bytes, then the end")];
    /// An end that came before the receive is told all the same.
    ended_before: [Both("4 bytes, then the end")];
    /// A reset without data.
    reset: [Both("0 bytes, then ECONNRESET")];
    /// A reset right behind data: the data come first, if they come at all.
    reset_behind_data: [
        Both("4 bytes, then ECONNRESET"),
        Simulated(
            "4 bytes, then nothing; armed again: ECONNRESET",
            "the reset has to arrive in the instant in which the kernel takes the data: seen under load",
        ),
        Simulated("0 bytes, then ECONNRESET", "the network has to lose the data and not the reset"),
    ];
    /// The error of a reset is told once; after that the connection is at its end.
    received_again: [Both("ECONNRESET, then the end")];
    /// With all buffers held a receive ends with ENOBUFS; once they are back, nothing is missing.
    no_buffers: [Both("ENOBUFS, then 65536 bytes")];
    /// A held buffer does not change, whatever else arrives.
    held: [Both("unchanged")];
    /// A cancelled receive ends.
    cancelled: [Both("ECANCELED")];
    /// One that is cancelled while bytes come may bring some more of them; armed again, it brings the rest.
    cancelled_amid: [Both("50000 bytes")];
    /// Shutting both halves down ends a receive.
    shut: [Both("0 bytes, then the end")];
    /// A peer that has ended its side still gets answers.
    answered_after_the_end: [Both("the end; answer")];
}

mod play {
    use crate::linux::BUFFERS;
    use crate::stage::{Outside, Seen, Stage, name, token};
    use ringmill_reactor::{Direction, Driver, Kind, Operation};

    fn pattern(count: usize) -> Vec<u8> {
        (0..count).map(|at| (at % 251) as u8).collect()
    }

    pub(super) fn whole<O: Outside>(stage: &mut Stage<O>) -> String {
        let (peer, fd) = stage.connection(true);
        let all = pattern(100_000);
        stage.outside.write(peer, &all);
        stage.outside.end(peer);
        let (bytes, end) = stage.receive_all(peer, fd);
        assert!(bytes == all, "in order");
        format!("{} bytes, then {end}", bytes.len())
    }

    pub(super) fn ended_before<O: Outside>(stage: &mut Stage<O>) -> String {
        let (peer, fd) = stage.connection(true);
        stage.outside.write(peer, b"four");
        stage.outside.end(peer);
        stage.settle();
        let (bytes, end) = stage.receive_all(peer, fd);
        format!("{} bytes, then {end}", bytes.len())
    }

    pub(super) fn reset<O: Outside>(stage: &mut Stage<O>) -> String {
        let (peer, fd) = stage.connection(true);
        stage.submit(token(peer), Operation::Receive { fd });
        stage.settle();
        stage.outside.reset(peer);
        let (bytes, end) = stage.received(peer, fd);
        format!("{} bytes, then {end}", bytes.len())
    }

    pub(super) fn received_again<O: Outside>(stage: &mut Stage<O>) -> String {
        let (peer, fd) = stage.connection(true);
        stage.submit(token(peer), Operation::Receive { fd });
        stage.settle();
        stage.outside.reset(peer);
        let first = stage.received(peer, fd).1;
        format!("{first}, then {}", stage.receive_all(peer, fd).1)
    }

    pub(super) fn reset_behind_data<O: Outside>(stage: &mut Stage<O>) -> String {
        let (peer, fd) = stage.connection(true);
        stage.submit(token(peer), Operation::Receive { fd });
        stage.settle();
        stage.outside.write(peer, b"four");
        stage.outside.reset(peer);
        stage.settle();
        let (mut count, mut line, mut is_armed) = (0, String::new(), true);
        while let Some(seen) = stage.take_seen(token(peer)) {
            let Seen::Received(result, more) = seen else { panic!("{seen:?}") };
            is_armed = more;
            match result {
                Ok(Some(bytes)) => count += bytes.len(),
                Ok(None) => line = "the end".to_owned(),
                Err(errno) => line = name(errno),
            }
        }
        if line.is_empty() {
            if is_armed {
                stage.cancel(token(peer), Kind::Receive);
                while let Seen::Received(result, true) = stage.next(token(peer)) {
                    assert!(matches!(result, Ok(Some(_))), "{result:?}");
                }
                let (bytes, end) = stage.receive_all(peer, fd);
                assert!(bytes.is_empty());
                return format!("{count} bytes, then nothing; armed again: {end}");
            }
            let (bytes, end) = stage.receive_all(peer, fd);
            return format!("{} bytes, then {end}", count + bytes.len());
        }
        format!("{count} bytes, then {line}")
    }

    pub(super) fn no_buffers<O: Outside>(stage: &mut Stage<O>) -> String {
        let (peer, fd) = stage.connection(true);
        let all = pattern(2 * BUFFERS * 4096);
        stage.holds = true;
        stage.submit(token(peer), Operation::Receive { fd });
        stage.outside.write(peer, &all);
        stage.outside.end(peer);
        let mut bytes = Vec::new();
        let error = loop {
            match stage.next(token(peer)) {
                Seen::Received(Ok(Some(more_bytes)), more) => {
                    bytes.extend(more_bytes);
                    if !more {
                        stage.submit(token(peer), Operation::Receive { fd });
                    }
                }
                Seen::Received(Err(errno), false) => break name(errno),
                other => panic!("{other:?}"),
            }
        };
        assert!(stage.held.len() == BUFFERS, "{} buffers are held", stage.held.len());
        stage.holds = false;
        stage.held.clear();
        let (rest, end) = stage.receive_all(peer, fd);
        bytes.extend(rest);
        assert!(bytes == all && end == "the end", "in order");
        format!("{error}, then {} bytes", bytes.len())
    }

    pub(super) fn held<O: Outside>(stage: &mut Stage<O>) -> String {
        let (peer, fd) = stage.connection(true);
        stage.holds = true;
        stage.submit(token(peer), Operation::Receive { fd });
        stage.outside.write(peer, b"first");
        let first = match stage.next(token(peer)) {
            Seen::Received(Ok(Some(bytes)), more) => {
                if !more {
                    stage.submit(token(peer), Operation::Receive { fd });
                }
                bytes
            }
            other => panic!("{other:?}"),
        };
        stage.holds = false;
        let kept = stage.held.remove(0);
        stage.outside.write(peer, &pattern(200_000));
        stage.outside.end(peer);
        stage.received(peer, fd);
        if kept[..] == first[..] { "unchanged".to_owned() } else { format!("{:?}", &kept[..]) }
    }

    pub(super) fn cancelled<O: Outside>(stage: &mut Stage<O>) -> String {
        let (peer, fd) = stage.connection(true);
        stage.submit(token(peer), Operation::Receive { fd });
        stage.settle();
        stage.cancel(token(peer), Kind::Receive);
        match stage.next(token(peer)) {
            Seen::Received(Err(errno), false) => name(errno),
            other => format!("{other:?}"),
        }
    }

    pub(super) fn cancelled_amid<O: Outside>(stage: &mut Stage<O>) -> String {
        let (peer, fd) = stage.connection(true);
        let all = pattern(50_000);
        let mut bytes = Vec::new();
        stage.submit(token(peer), Operation::Receive { fd });
        stage.outside.write(peer, &all[..30_000]);
        stage.turn();
        stage.outside.write(peer, &all[30_000..]);
        stage.outside.end(peer);
        stage.cancel(token(peer), Kind::Receive);
        let end = loop {
            match stage.next(token(peer)) {
                Seen::Received(Ok(Some(more_bytes)), more) => {
                    bytes.extend(more_bytes);
                    if !more {
                        break String::new();
                    }
                }
                Seen::Received(Ok(None), false) => break "the end".to_owned(),
                Seen::Received(Err(errno), false) => break name(errno),
                other => panic!("{other:?}"),
            }
        };
        if end != "the end" {
            bytes.extend(stage.receive_all(peer, fd).0);
        }
        assert!(bytes == all, "in order");
        format!("{} bytes", bytes.len())
    }

    pub(super) fn shut<O: Outside>(stage: &mut Stage<O>) -> String {
        let (peer, fd) = stage.connection(true);
        stage.submit(token(peer), Operation::Receive { fd });
        stage.settle();
        stage.driver.shutdown(fd, Direction::Both);
        let (bytes, end) = stage.received(peer, fd);
        format!("{} bytes, then {end}", bytes.len())
    }

    pub(super) fn answered_after_the_end<O: Outside>(stage: &mut Stage<O>) -> String {
        let (peer, fd) = stage.connection(true);
        stage.outside.end(peer);
        let (_, end) = stage.receive_all(peer, fd);
        stage.send_all(peer, fd, b"answer").expect("it is sent");
        let (bytes, _) = stage.read(peer, 6);
        format!("{end}; {}", String::from_utf8_lossy(&bytes))
    }
}
