//! Shutting down and closing, as the other end sees it.

use crate::stage::May::{Both, Simulated};
use crate::stage::scenarios;

scenarios! {
    /// Closing behind an answer: the answer, then the end.
    closed: [Both("answer, Ended")];
    /// Closing with bytes that nobody received: a reset, and the answer may be lost with it.
    closed_unreceived: [
        Both("answer, Reset"),
        Simulated("nothing, Reset", "the reset has to overtake an answer that is still on its way"),
    ];
    /// Closing a connection that is to be reset.
    reset_on_close: [Both("Reset")];
    /// Shutting one half down ends the answers; requests still arrive.
    half_shut: [Both("answer, Ended; question, the end")];
    /// Shutting both down.
    shut: [Both("answer, Ended")];
}

mod play {
    use crate::stage::{Outside, Over, Stage};
    use ringmill_reactor::{Direction, Driver};

    fn seen<O: Outside>(stage: &mut Stage<O>, peer: usize) -> String {
        let (bytes, over) = stage.read(peer, usize::MAX);
        let over: Over = over.expect("it is over");
        match bytes.is_empty() {
            true => format!("nothing, {over:?}"),
            false => format!("{}, {over:?}", String::from_utf8_lossy(&bytes)),
        }
    }

    pub(super) fn closed<O: Outside>(stage: &mut Stage<O>) -> String {
        let (peer, fd) = stage.connection(true);
        stage.send_all(peer, fd, b"answer").expect("it is sent");
        stage.driver.close(fd);
        seen(stage, peer)
    }

    pub(super) fn closed_unreceived<O: Outside>(stage: &mut Stage<O>) -> String {
        let (peer, fd) = stage.connection(true);
        stage.outside.write(peer, b"unreceived");
        stage.send_all(peer, fd, b"answer").expect("it is sent");
        stage.settle();
        stage.driver.close(fd);
        seen(stage, peer)
    }

    pub(super) fn reset_on_close<O: Outside>(stage: &mut Stage<O>) -> String {
        let (peer, fd) = stage.connection(true);
        stage.driver.reset_on_close(fd);
        stage.driver.close(fd);
        let (_, over) = stage.read(peer, usize::MAX);
        over.map_or_else(String::new, |over| format!("{over:?}"))
    }

    pub(super) fn half_shut<O: Outside>(stage: &mut Stage<O>) -> String {
        let (peer, fd) = stage.connection(true);
        stage.send_all(peer, fd, b"answer").expect("it is sent");
        stage.driver.shutdown(fd, Direction::Write);
        let answer = seen(stage, peer);
        stage.outside.write(peer, b"question");
        stage.outside.end(peer);
        let (bytes, end) = stage.receive_all(peer, fd);
        format!("{answer}; {}, {end}", String::from_utf8_lossy(&bytes))
    }

    pub(super) fn shut<O: Outside>(stage: &mut Stage<O>) -> String {
        let (peer, fd) = stage.connection(true);
        stage.send_all(peer, fd, b"answer").expect("it is sent");
        stage.driver.shutdown(fd, Direction::Both);
        seen(stage, peer)
    }
}
