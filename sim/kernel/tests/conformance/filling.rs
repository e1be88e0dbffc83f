//! Receiving once, into a buffer of the owner's.

use crate::stage::May::{Both, Simulated};
use crate::stage::scenarios;

scenarios! {
    /// Bytes come from `start` on; what is before and behind them stays.
    from_its_start: [Both("aaahelloaaaa")];
    /// The end of the stream is nothing received.
    at_the_end: [Both("Ok(0)")];
    /// A reset.
    reset: [Both("ECONNRESET")];
    /// Cancelled, it gives the buffer back as it was.
    cancelled: [Both("ECANCELED, buffer unchanged")];
    /// Cancelled while bytes come: either it brings them or they are still there.
    cancelled_amid: [
        Both("left"),
        Simulated("brought", "the bytes have to be taken in the instant between two operations that are submitted together"),
    ];
    /// A receive, then fills, then a receive: no byte is lost or comes out of order.
    in_between: [Both("60000 bytes")];
}

mod play {
    use crate::stage::{Outside, Seen, Stage, name, token};
    use ringmill_reactor::{Kind, Operation};

    pub(super) fn from_its_start<O: Outside>(stage: &mut Stage<O>) -> String {
        let (peer, fd) = stage.connection(true);
        stage.outside.write(peer, b"hello");
        stage.settle();
        let (mut start, mut buffer) = (3, vec![b'a'; 12]);
        while start < 8 {
            stage.submit(token(peer), Operation::Fill { fd, buffer, start });
            match stage.next(token(peer)) {
                Seen::Filled(Ok(count), filled) => {
                    start += count;
                    buffer = filled;
                }
                other => panic!("{other:?}"),
            }
        }
        String::from_utf8_lossy(&buffer).into_owned()
    }

    fn fill<O: Outside>(stage: &mut Stage<O>, act: impl Fn(&mut Stage<O>, usize)) -> String {
        let (peer, fd) = stage.connection(true);
        stage.submit(token(peer), Operation::Fill { fd, buffer: vec![7; 10], start: 0 });
        stage.settle();
        act(stage, peer);
        match stage.next(token(peer)) {
            Seen::Filled(Ok(count), _) => format!("Ok({count})"),
            Seen::Filled(Err(125), buffer) if buffer == [7; 10] => "ECANCELED, buffer unchanged".to_owned(),
            Seen::Filled(Err(errno), _) => name(errno),
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn at_the_end<O: Outside>(stage: &mut Stage<O>) -> String {
        fill(stage, |stage, peer| stage.outside.end(peer))
    }

    pub(super) fn reset<O: Outside>(stage: &mut Stage<O>) -> String {
        fill(stage, |stage, peer| stage.outside.reset(peer))
    }

    pub(super) fn cancelled<O: Outside>(stage: &mut Stage<O>) -> String {
        fill(stage, |stage, peer| stage.cancel(token(peer), Kind::Fill))
    }

    pub(super) fn cancelled_amid<O: Outside>(stage: &mut Stage<O>) -> String {
        let (peer, fd) = stage.connection(true);
        stage.submit(token(peer), Operation::Fill { fd, buffer: vec![0; 10], start: 0 });
        stage.turn();
        stage.outside.write(peer, b"hello");
        stage.outside.end(peer);
        stage.cancel(token(peer), Kind::Fill);
        let (line, mut bytes) = match stage.next(token(peer)) {
            Seen::Filled(Ok(count), buffer) => ("brought", buffer[..count].to_vec()),
            Seen::Filled(Err(125), _) => ("left", Vec::new()),
            other => panic!("{other:?}"),
        };
        bytes.extend(stage.receive_all(peer, fd).0);
        assert_eq!(bytes, b"hello");
        line.to_owned()
    }

    pub(super) fn in_between<O: Outside>(stage: &mut Stage<O>) -> String {
        let (peer, fd) = stage.connection(true);
        let all: Vec<u8> = (0..60_000).map(|at| (at % 241) as u8).collect();
        let mut bytes = Vec::new();
        stage.submit(token(peer), Operation::Receive { fd });
        stage.outside.write(peer, &all[..5_000]);
        stage.turn();
        stage.outside.write(peer, &all[5_000..]);
        stage.outside.end(peer);
        stage.cancel(token(peer), Kind::Receive);
        while let Seen::Received(result, more) = stage.next(token(peer)) {
            bytes.extend(result.ok().flatten().unwrap_or_default());
            if !more {
                break;
            }
        }
        for _ in 0..3 {
            stage.submit(token(peer), Operation::Fill { fd, buffer: vec![0; 9_000], start: 0 });
            match stage.next(token(peer)) {
                Seen::Filled(Ok(count), buffer) => bytes.extend(&buffer[..count]),
                other => panic!("{other:?}"),
            }
        }
        bytes.extend(stage.receive_all(peer, fd).0);
        assert!(bytes == all, "in order");
        format!("{} bytes", bytes.len())
    }
}
