//! Draining: what is owed is answered, what is idle closes, what is late is cut off.

use crate::bench::{Bench, SECOND, bodies, get, post};
use ringmill_reactor::{Handler, Mail};
use ringmill_serve::HANDSHAKE_GRACE_NS;

/// Begins to drain, as a message from control would have it.
fn drain(bench: &mut Bench, seconds: u64) {
    let deadline_ns = bench.reactor.now().monotonic_ns + seconds * SECOND;
    bench.server.drain(&mut bench.reactor, deadline_ns);
    bench.server.close_listeners(&mut bench.reactor, &[bench.listener]);
    bench.settle();
    assert!(bench.reactor.is_listening(), "handshakes may still end");
    let late = bench.world.connect(0, usize::MAX);
    bench.pass(HANDSHAKE_GRACE_NS);
    assert!(!bench.reactor.is_listening());
    assert!(!late.is_ended(), "it is served like the others");
    late.end();
    bench.settle();
}

#[test]
fn idle_connections_close_and_owed_answers_come() {
    let mut bench = Bench::new();
    let (idle, owed, late) = (bench.connect(), bench.connect(), bench.connect());
    idle.write(&get("/a"));
    owed.write(&get("/later1"));
    late.write(&post("/later2", "x")[..50]);
    bench.settle();
    assert_eq!(bodies(&idle.read()), ["GET /a "]);
    drain(&mut bench, 30);
    assert!(!idle.is_ended() && !owed.is_ended() && !late.is_ended());
    // A request that was on its way is answered, with the word that it is the last.
    idle.write(&get("/b"));
    bench.settle();
    let text = idle.read();
    assert!(String::from_utf8_lossy(&text).contains("Connection: close\r\n"));
    assert_eq!(bodies(&text), ["GET /b "]);
    assert!(idle.is_ended());
    bench.answer("GET /later1 ");
    let text = owed.read();
    assert!(String::from_utf8_lossy(&text).contains("Connection: close\r\n"));
    assert_eq!(bodies(&text), ["GET /later1 "]);
    assert!(owed.is_ended());
    late.write(&post("/later2", "x")[50..]);
    bench.settle();
    bench.answer("POST /later2 x");
    let text = late.read();
    assert!(String::from_utf8_lossy(&text).contains("Connection: close\r\n"));
    for peer in [&idle, &owed, &late] {
        peer.end();
    }
    bench.settle();
    assert!(bench.server.is_drained());
    assert_eq!(bench.server.service.cut_off, Some(0));
}

#[test]
fn a_connection_that_waits_to_be_accepted_is_served() {
    let mut bench = Bench::new();
    bench.settle();
    let waiting = bench.world.connect(0, usize::MAX);
    waiting.write(&get("/a"));
    drain(&mut bench, 30);
    assert_eq!(bodies(&waiting.read()), ["GET /a "]);
    waiting.end();
    bench.settle();
    assert!(bench.server.is_drained());
}

#[test]
fn a_connection_that_asks_no_more_does_not_hold_the_drain_up() {
    let mut bench = Bench::new();
    let (fresh, used) = (bench.connect(), bench.connect());
    used.write(&get("/a"));
    bench.settle();
    drain(&mut bench, 30);
    assert!(!fresh.is_ended() && !used.is_ended());
    bench.pass(2 * SECOND);
    assert!(fresh.is_closed() && used.is_closed());
    assert!(bench.server.is_drained());
}

#[test]
fn the_deadline_cuts_off_and_counts() {
    let mut bench = Bench::new();
    let peers = [bench.connect(), bench.connect(), bench.connect()];
    peers[0].write(&get("/later1"));
    peers[1].write(&[get("/later2"), get("/later3")].concat());
    peers[2].write(b"GET /partial HT");
    bench.settle();
    drain(&mut bench, 5);
    bench.pass(4 * SECOND);
    assert!(!bench.server.is_drained());
    bench.pass(2 * SECOND);
    assert!(bench.server.is_drained());
    assert_eq!(bench.server.service.cut_off, Some(4));
    bench.server.service.waiting.borrow_mut().clear();
    bench.assert_clean();
}

#[test]
fn a_message_is_handled_while_draining() {
    let mut bench = Bench::new();
    drain(&mut bench, 5);
    let mail = Mail { source: 0, message: crate::bench::Note::Pong };
    bench.server.message(&mut bench.reactor, mail);
    assert_eq!(bench.server.service.pongs, 1);
}

#[test]
fn who_comes_after_the_deadline_is_cut_off_too() {
    let mut bench = Bench::new();
    let peer = bench.connect();
    peer.write(&get("/later1"));
    bench.settle();
    let deadline_ns = bench.reactor.now().monotonic_ns;
    bench.server.drain(&mut bench.reactor, deadline_ns);
    bench.settle();
    let late = bench.world.connect(0, usize::MAX);
    late.write(&get("/later2"));
    bench.server.close_listeners(&mut bench.reactor, &[bench.listener]);
    bench.settle();
    bench.pass(SECOND);
    assert!(bench.server.is_drained() && peer.is_closed() && late.is_closed());
    bench.server.service.waiting.borrow_mut().clear();
    bench.assert_clean();
}

#[test]
fn what_was_received_before_draining_is_answered_and_the_last_answer_says_so() {
    let mut bench = Bench::new();
    let peer = bench.connect();
    peer.write(&[post("/later1", "x"), get("/a"), get("/later2"), get("/b")].concat());
    bench.settle();
    drain(&mut bench, 30);
    bench.answer("POST /later1 x");
    bench.answer("GET /later2 ");
    let text = peer.read();
    assert_eq!(bodies(&text), ["POST /later1 x", "GET /a ", "GET /later2 ", "GET /b "]);
    let text = String::from_utf8(text).unwrap();
    assert_eq!(text.matches("Connection: close").count(), 1);
    assert!(text.rfind("Connection: close") > text.find("GET /later2 "));
    peer.end();
    bench.settle();
    assert!(bench.server.is_drained());
    assert_eq!(bench.server.service.cut_off, Some(0));
}

#[test]
fn a_request_on_its_way_behind_a_written_answer_is_answered() {
    let mut bench = Bench::new();
    let peer = bench.connect();
    peer.write(&[get("/later1"), get("/a")].concat());
    bench.settle();
    drain(&mut bench, 30);
    bench.answer("GET /later1 ");
    peer.write(&get("/b"));
    bench.settle();
    let text = peer.read();
    assert_eq!(bodies(&text), ["GET /later1 ", "GET /a ", "GET /b "]);
    assert!(String::from_utf8_lossy(&text).contains("Connection: close"));
    peer.end();
    bench.settle();
    assert!(bench.server.is_drained());
}

#[test]
fn a_slow_reader_holds_the_drain_no_longer_than_it_reads() {
    let mut bench = Bench::new();
    let peer = bench.world.connect(0, 100);
    bench.settle();
    peer.write(&[get("/a"), get("/b")].concat());
    bench.settle();
    drain(&mut bench, 30);
    bench.pass(5 * SECOND);
    assert!(!peer.is_closed());
    let mut text = Vec::new();
    for _ in 0..10 {
        text.extend(peer.read());
        bench.settle();
    }
    assert_eq!(bodies(&text).len(), 2);
    bench.pass(SECOND + SECOND / 5);
    assert!(peer.is_closed() && bench.server.is_drained());
}

#[test]
fn an_answer_that_is_half_sent_at_the_deadline_counts() {
    let mut bench = Bench::new();
    let peer = bench.world.connect(0, 100);
    bench.settle();
    peer.write(&get("/a"));
    bench.settle();
    drain(&mut bench, 5);
    bench.pass(6 * SECOND);
    assert!(peer.is_closed() && bench.server.is_drained());
    assert_eq!(bench.server.service.cut_off, Some(1));
    bench.assert_clean();
}

#[test]
fn a_connection_that_was_answered_late_does_not_hold_the_drain_up() {
    let mut bench = Bench::new();
    let peer = bench.connect();
    peer.write(&[get("/later1"), get("/later2")].concat());
    bench.settle();
    bench.answer("GET /later2 ");
    drain(&mut bench, 30);
    bench.answer("GET /later1 ");
    assert_eq!(bodies(&peer.read()).len(), 2);
    bench.pass(SECOND + SECOND / 5);
    assert!(peer.is_closed() && bench.server.is_drained());
}
