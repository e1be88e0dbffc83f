//! Listening sockets.

use crate::stage::May::Both;
use crate::stage::scenarios;

scenarios! {
    /// One armed accept brings connection after connection.
    several: [Both("5 connections, each with its own byte")];
    /// A cancelled accept ends, and who waits is still there.
    cancelled: [Both("ECANCELED, then 1 waiting")];
    /// Without an accept they wait, and are taken one by one.
    taken_one_by_one: [Both("3 taken, then none")];
    /// Whoever waits on a listener that is closed is reset.
    listener_closed: [Both("Reset")];
    /// A listener that refuses handshakes takes nobody new; who waits is there.
    refused: [Both("1 waiting, 0 new")];
    /// What a client writes before it is accepted is not lost.
    written_before_accepted: [Both("early")];
}

mod play {
    use crate::stage::{ACCEPT, Outside, Seen, Stage, name};
    use ringmill_reactor::{Driver, Kind};

    pub(super) fn several<O: Outside>(stage: &mut Stage<O>) -> String {
        for number in 0..5 {
            assert!(stage.outside.connect(true));
            stage.outside.write(number, &[number as u8]);
            stage.outside.end(number);
        }
        // Handshakes end in any order.
        let mut own: Vec<u8> = (0..5)
            .flat_map(|number| {
                let fd = stage.accepted();
                stage.receive_all(number, fd).0
            })
            .collect();
        own.sort_unstable();
        own.dedup();
        format!("{} connections, each with its own byte", own.len())
    }

    pub(super) fn cancelled<O: Outside>(stage: &mut Stage<O>) -> String {
        stage.accept();
        stage.settle();
        stage.cancel(ACCEPT, Kind::Accept);
        let mut line = String::new();
        while let Seen::Accepted(result, more) = stage.next(ACCEPT) {
            line = name(result.expect_err("nobody has connected"));
            if !more {
                break;
            }
        }
        assert!(stage.outside.connect(true));
        stage.settle();
        let listener = stage.outside.listener();
        let waiting = std::iter::from_fn(|| stage.driver.accept_now(listener)).count();
        format!("{line}, then {waiting} waiting")
    }

    pub(super) fn taken_one_by_one<O: Outside>(stage: &mut Stage<O>) -> String {
        for _ in 0..3 {
            assert!(stage.outside.connect(true));
        }
        stage.settle();
        let listener = stage.outside.listener();
        let taken = std::iter::from_fn(|| stage.driver.accept_now(listener)).count();
        assert_eq!(stage.driver.accept_now(listener), None);
        format!("{taken} taken, then none")
    }

    pub(super) fn listener_closed<O: Outside>(stage: &mut Stage<O>) -> String {
        assert!(stage.outside.connect(true));
        stage.settle();
        let listener = stage.outside.listener();
        stage.driver.close(listener);
        let (_, over) = stage.read(0, usize::MAX);
        over.map_or_else(String::new, |over| format!("{over:?}"))
    }

    pub(super) fn refused<O: Outside>(stage: &mut Stage<O>) -> String {
        assert!(stage.outside.connect(true));
        stage.settle();
        let listener = stage.outside.listener();
        stage.driver.refuse_handshakes(listener);
        let new = usize::from(stage.outside.connect(true));
        stage.settle();
        let waiting = std::iter::from_fn(|| stage.driver.accept_now(listener)).count();
        format!("{waiting} waiting, {new} new")
    }

    pub(super) fn written_before_accepted<O: Outside>(stage: &mut Stage<O>) -> String {
        assert!(stage.outside.connect(true));
        stage.outside.write(0, b"early");
        stage.outside.end(0);
        stage.settle();
        let fd = stage.accepted();
        let (bytes, end) = stage.receive_all(0, fd);
        assert_eq!(end, "the end");
        String::from_utf8_lossy(&bytes).into_owned()
    }
}
