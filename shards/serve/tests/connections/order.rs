//! Answers come in the order of requests, whenever they are made.

use crate::bench::{Bench, answers, bodies, get, post};
use proptest::prelude::*;

#[test]
fn requests_of_one_buffer_are_answered_with_one_send() {
    let mut bench = Bench::new();
    let peer = bench.connect();
    let all: Vec<u8> = (0..16).flat_map(|number| get(&format!("/{number}"))).collect();
    peer.write(&all);
    bench.settle();
    let expected: Vec<_> = (0..16).map(|number| format!("GET /{number} ")).collect();
    assert_eq!(bodies(&peer.read()), expected);
    assert_eq!(bench.world.sends(0), 1);
}

#[test]
fn late_answers_wait_for_earlier_ones() {
    let mut bench = Bench::new();
    let peer = bench.connect();
    for path in ["/later1", "/now", "/later2", "/later3"] {
        peer.write(&get(path));
    }
    bench.settle();
    assert_eq!(bench.server.service.seen.len(), 4, "reads overlap");
    bench.answer("GET /later3 ");
    bench.answer("GET /later2 ");
    assert!(peer.read().is_empty());
    bench.answer("GET /later1 ");
    assert_eq!(bodies(&peer.read()), ["GET /later1 ", "GET /now ", "GET /later2 ", "GET /later3 "]);
}

#[test]
fn a_write_begins_alone_and_nothing_begins_behind_it() {
    let mut bench = Bench::new();
    let peer = bench.connect();
    peer.write(&get("/later1"));
    peer.write(&post("/later2", "x"));
    peer.write(&get("/later3"));
    bench.settle();
    assert_eq!(bench.server.service.seen, ["GET /later1 "]);
    bench.answer("GET /later1 ");
    assert_eq!(bench.server.service.seen, ["GET /later1 ", "POST /later2 x"]);
    bench.answer("POST /later2 x");
    assert_eq!(bench.server.service.seen.len(), 3);
    bench.answer("GET /later3 ");
    assert_eq!(bodies(&peer.read()), ["GET /later1 ", "POST /later2 x", "GET /later3 "]);
}

#[test]
fn what_follows_the_last_request_is_not_looked_at() {
    let mut bench = Bench::new();
    let peer = bench.connect();
    peer.write(b"GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n");
    bench.settle();
    let text = peer.read();
    assert!(String::from_utf8_lossy(&text).contains("Connection: close\r\n"));
    assert_eq!(bodies(&text), ["GET /a "]);
    assert!(peer.is_ended());
    peer.end();
    bench.assert_clean();
}

#[test]
fn a_refusal_comes_behind_what_was_begun_and_ends_the_connection() {
    let mut bench = Bench::new();
    let peer = bench.connect();
    peer.write(&get("/later1"));
    peer.write(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n");
    bench.settle();
    assert!(peer.read().is_empty());
    bench.answer("GET /later1 ");
    let got = answers(&peer.read());
    assert_eq!(got.len(), 2);
    assert_eq!(got[1], (400, r#"{"error":"Bad request"}"#.to_owned()));
    assert_eq!(bench.server.service.seen.len(), 1);
    peer.end();
    bench.assert_clean();
}

#[test]
fn a_peer_that_ends_its_side_still_gets_its_answers() {
    let mut bench = Bench::new();
    let peer = bench.connect();
    peer.write(&get("/later1"));
    peer.write(&get("/now"));
    peer.end();
    bench.settle();
    assert!(!peer.is_ended());
    bench.answer("GET /later1 ");
    assert_eq!(bodies(&peer.read()), ["GET /later1 ", "GET /now "]);
    bench.assert_clean();
}

#[test]
fn an_answer_for_a_connection_that_is_gone_goes_nowhere() {
    let mut bench = Bench::new();
    let gone = bench.connect();
    gone.write(&get("/later1"));
    bench.settle();
    gone.reset();
    bench.settle();
    // Its place is taken by another connection with a request of its own.
    let peer = bench.connect();
    peer.write(&get("/later2"));
    bench.settle();
    bench.answer("GET /later1 ");
    assert!(peer.read().is_empty());
    bench.answer("GET /later2 ");
    assert_eq!(bodies(&peer.read()), ["GET /later2 "]);
    peer.end();
    bench.assert_clean();
}

#[test]
fn continue_is_sent_to_who_waits_for_it() {
    let mut bench = Bench::new();
    let peer = bench.connect();
    let head = b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n";
    peer.write(head);
    bench.settle();
    assert_eq!(peer.read(), b"HTTP/1.1 100 Continue\r\n\r\n");
    peer.write(b"xyz");
    bench.settle();
    assert_eq!(bodies(&peer.read()), ["POST /a xyz"]);
    // Who sends the body at once needs no permission.
    peer.write(&[head.as_slice(), b"xyz"].concat());
    bench.settle();
    assert_eq!(bodies(&peer.read()), ["POST /a xyz"]);
}

#[test]
fn a_body_may_come_in_chunks_and_in_pieces() {
    let mut bench = Bench::new();
    let peer = bench.connect();
    let text = b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4;x=y\r\nwiki\r\n5\r\npedia\r\n0\r\nT: 1\r\n\r\n";
    for byte in text.iter().chain(&get("/b")) {
        peer.write(&[*byte]);
        bench.turn();
    }
    bench.settle();
    assert_eq!(bodies(&peer.read()), ["POST /a wikipedia", "GET /b "]);
}

#[derive(Clone, Debug)]
enum Ask {
    Now(u8),
    Later(u8),
    Task,
    Post(String),
    Chunked(Vec<String>),
}

fn ask() -> impl Strategy<Value = Ask> {
    prop_oneof![
        any::<u8>().prop_map(Ask::Now),
        any::<u8>().prop_map(Ask::Later),
        Just(Ask::Task),
        "[a-z]{0,40}".prop_map(Ask::Post),
        prop::collection::vec("[a-z]{1,20}", 0..4).prop_map(Ask::Chunked),
    ]
}

impl Ask {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Ask::Now(number) => get(&format!("/{number}")),
            Ask::Later(number) => get(&format!("/later{number}")),
            Ask::Task => get("/task"),
            Ask::Post(body) => post("/p", body),
            Ask::Chunked(chunks) => {
                let mut text = "PUT /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned();
                for chunk in chunks {
                    text += &format!("{:x}\r\n{chunk}\r\n", chunk.len());
                }
                (text + "0\r\n\r\n").into_bytes()
            }
        }
    }

    fn answer(&self) -> String {
        match self {
            Ask::Now(number) => format!("GET /{number} "),
            Ask::Later(number) => format!("GET /later{number} "),
            Ask::Task => "GET /task ".to_owned(),
            Ask::Post(body) => format!("POST /p {body}"),
            Ask::Chunked(chunks) => format!("PUT /c {}", chunks.concat()),
        }
    }
}

proptest! {
    /// Whatever is asked, however it is cut, however short receives and sends are, and in whatever order late answers
    /// are made: each request gets its own answer, in order.
    #[test]
    fn every_request_gets_its_own_answer_in_order(
        asks in prop::collection::vec(ask(), 1..60),
        cuts in prop::collection::vec(1usize..200, 1..20),
        short in (1usize..300, 1usize..300),
        picks in prop::collection::vec(any::<usize>(), 60),
    ) {
        let mut bench = Bench::new();
        bench.world.set_short(short.0, short.1);
        let peer = bench.connect();
        let all: Vec<u8> = asks.iter().flat_map(Ask::bytes).collect();
        let mut rest = &all[..];
        let mut cut = cuts.iter().cycle();
        while !rest.is_empty() {
            let (piece, after) = rest.split_at((*cut.next().unwrap()).min(rest.len()));
            peer.write(piece);
            bench.turn();
            rest = after;
        }
        bench.settle();
        let waiting = bench.server.service.waiting.clone();
        for pick in picks.iter().cycle().take(asks.len()) {
            let texts: Vec<String> = waiting.borrow().iter().map(|(text, _)| text.clone()).collect();
            if !texts.is_empty() {
                bench.answer(&texts[pick % texts.len()]);
            }
        }
        let expected: Vec<_> = asks.iter().map(Ask::answer).collect();
        prop_assert_eq!(bodies(&peer.read()), expected);
        peer.end();
        bench.assert_clean();
    }
}
