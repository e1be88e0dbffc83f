//! Every wait has a deadline.

use crate::bench::{Bench, SECOND, answers, bodies, get, post};

#[test]
fn an_idle_connection_closes_without_a_word() {
    let mut bench = Bench::new();
    let peer = bench.connect();
    bench.pass(74 * SECOND);
    assert!(!peer.is_ended());
    bench.pass(2 * SECOND);
    assert!(peer.is_closed() && peer.read().is_empty());
    bench.assert_clean();
}

#[test]
fn each_request_starts_the_idle_time_anew() {
    let mut bench = Bench::new();
    let peer = bench.connect();
    for _ in 0..5 {
        bench.pass(60 * SECOND);
        peer.write(&get("/a"));
        bench.settle();
        assert_eq!(bodies(&peer.read()), ["GET /a "]);
    }
    bench.pass(76 * SECOND);
    assert!(peer.is_closed());
    bench.assert_clean();
}

#[test]
fn a_head_has_its_time_however_it_trickles() {
    let mut bench = Bench::new();
    let peer = bench.connect();
    bench.pass(60 * SECOND);
    for byte in &get("/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")[..20] {
        peer.write(&[*byte]);
        bench.pass(SECOND / 2);
    }
    bench.pass(SECOND);
    assert_eq!(answers(&peer.read()), [(408, r#"{"error":"Request timeout"}"#.to_owned())]);
    assert!(peer.is_ended());
    bench.pass(3 * SECOND);
    bench.assert_clean();
}

#[test]
fn a_pipeline_that_always_ends_in_a_partial_head_is_not_late() {
    let mut bench = Bench::new();
    let peer = bench.connect();
    let request = get("/a");
    let (first, second) = request.split_at(10);
    peer.write(first);
    for _ in 0..30 {
        bench.pass(SECOND);
        peer.write(second);
        peer.write(first);
        bench.settle();
        assert_eq!(bodies(&peer.read()), ["GET /a "]);
    }
}

#[test]
fn a_body_has_its_time() {
    let mut bench = Bench::new();
    let peer = bench.connect();
    peer.write(&post("/a", "0123456789")[..55]);
    bench.pass(29 * SECOND);
    assert!(!peer.is_ended());
    bench.pass(2 * SECOND);
    assert_eq!(answers(&peer.read()), [(408, r#"{"error":"Request timeout"}"#.to_owned())]);
    bench.pass(3 * SECOND);
    bench.assert_clean();
}

#[test]
fn a_read_without_an_answer_is_503_and_a_write_504() {
    let mut bench = Bench::new();
    let (reader, writer) = (bench.connect(), bench.connect());
    reader.write(&get("/later1"));
    reader.write(&get("/later2"));
    writer.write(&post("/later3", ""));
    bench.pass(19 * SECOND);
    assert!(reader.read().is_empty() && writer.read().is_empty());
    bench.pass(2 * SECOND);
    let text = reader.read();
    assert_eq!(String::from_utf8_lossy(&text).matches("Retry-After: 1\r\n").count(), 2);
    assert_eq!(String::from_utf8_lossy(&text).matches("X-Request-Id: ").count(), 2);
    let unavailable = (503, r#"{"error":"Service unavailable"}"#.to_owned());
    assert_eq!(answers(&text), [unavailable.clone(), unavailable]);
    let text = writer.read();
    assert!(!String::from_utf8_lossy(&text).contains("Retry-After"));
    assert_eq!(answers(&text), [(504, r#"{"error":"Outcome unknown"}"#.to_owned())]);
    // The answers that come after all are thrown away, and the connections go on.
    for text in ["GET /later1 ", "GET /later2 ", "POST /later3 "] {
        bench.answer(text);
    }
    assert!(reader.read().is_empty() && writer.read().is_empty());
    reader.write(&get("/a"));
    bench.settle();
    assert_eq!(bodies(&reader.read()), ["GET /a "]);
}

#[test]
fn a_peer_that_does_not_close_after_the_last_answer_is_closed() {
    let mut bench = Bench::new();
    let peer = bench.connect();
    peer.write(b"GET /a HTTP/1.0\r\n\r\n");
    bench.settle();
    assert!(peer.is_ended() && !peer.is_closed());
    bench.pass(3 * SECOND);
    assert!(peer.is_closed());
    bench.assert_clean();
}

#[test]
fn a_peer_that_reads_nothing_is_reset_when_its_time_is_over() {
    for asked_after in [0, 7, 29, 31] {
        let mut bench = Bench::new();
        let peer = bench.world.connect(0, 100);
        bench.settle();
        bench.pass(asked_after * SECOND);
        for _ in 0..10 {
            peer.write(&get("/a"));
        }
        bench.settle();
        bench.pass(29 * SECOND);
        assert!(!peer.is_closed(), "it has 30 s to make progress");
        bench.pass(SECOND + SECOND / 5);
        assert!(peer.is_reset(), "asked after {asked_after} s");
        assert_eq!(bench.server.service.slow_readers, 1);
        bench.assert_clean();
    }
}

#[test]
fn a_peer_that_reads_slowly_is_served_and_then_idles() {
    let mut bench = Bench::new();
    let peer = bench.world.connect(0, 100);
    bench.settle();
    for _ in 0..10 {
        peer.write(&get("/a"));
    }
    bench.settle();
    let mut text = Vec::new();
    while text.len() < 1000 {
        bench.pass(25 * SECOND);
        text.extend(peer.read());
        assert!(!peer.is_closed(), "after {} bytes", text.len());
    }
    bench.settle();
    text.extend(peer.read());
    bench.settle();
    text.extend(peer.read());
    assert_eq!(bodies(&text).len(), 10);
    // Its idle time begins with the last byte that it took.
    bench.pass(74 * SECOND);
    assert!(!peer.is_closed());
    bench.pass(2 * SECOND);
    assert!(peer.is_closed() && !peer.is_reset());
    bench.assert_clean();
}

#[test]
fn a_head_that_waits_for_the_reader_has_its_whole_time_afterwards() {
    let mut bench = Bench::new();
    let peer = bench.world.connect(0, 10_000);
    bench.settle();
    let many: Vec<u8> = (0..3000).flat_map(|_| get("/a")).collect();
    peer.write(&many);
    peer.write(b"GET /last HTTP/1.1\r\n");
    bench.settle();
    bench.pass(20 * SECOND);
    let mut text = peer.read();
    while !text.is_empty() {
        bench.settle();
        text = peer.read();
    }
    bench.pass(9 * SECOND);
    peer.write(b"Host: a\r\n\r\n");
    bench.settle();
    assert_eq!(bodies(&peer.read()), ["GET /last "]);

    // Its time, and no more.
    peer.write(&many);
    peer.write(b"GET /last HTTP/1.1\r\n");
    bench.settle();
    bench.pass(20 * SECOND);
    while !peer.read().is_empty() {
        bench.settle();
    }
    bench.pass(11 * SECOND);
    assert_eq!(answers(&peer.read())[0].0, 408);
}

#[test]
fn an_answer_that_ends_its_connection_has_its_time_too() {
    let close = b"GET /later HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".to_vec();
    let old = b"GET /later HTTP/1.0\r\n\r\n".to_vec();
    let refused_behind = [get("/later"), b"GET /a\x01 HTTP/1.1\r\n\r\n".to_vec()].concat();
    let mut last = crate::bench::bounds();
    last.requests_max = 1;
    for (bounds, request) in [
        (crate::bench::bounds(), close),
        (crate::bench::bounds(), old),
        (crate::bench::bounds(), refused_behind),
        (last, get("/later")),
    ] {
        let mut bench = Bench::with(ringmill_sim_kernel::calm::World::new(1, 64), 0, bounds);
        let peer = bench.connect();
        peer.write(&request);
        bench.pass(19 * SECOND);
        assert!(peer.read().is_empty());
        bench.pass(2 * SECOND);
        let told = answers(&peer.read());
        assert_eq!(told[0].0, 503, "{:?}", String::from_utf8_lossy(&request));
        assert!(peer.is_ended());
        bench.pass(3 * SECOND);
        bench.assert_clean();
    }
}

#[test]
fn each_request_has_its_own_time_for_an_answer() {
    let mut bench = Bench::new();
    let peer = bench.connect();
    peer.write(&get("/later1"));
    bench.pass(5 * SECOND);
    peer.write(&get("/later2"));
    bench.settle();
    bench.pass(15 * SECOND + SECOND / 5);
    let statuses = |text: &[u8]| answers(text).into_iter().map(|(status, _)| status).collect::<Vec<_>>();
    assert_eq!(statuses(&peer.read()), [503], "the second has five seconds left");
    bench.pass(2 * SECOND);
    bench.answer("GET /later2 ");
    assert_eq!(statuses(&peer.read()), [200]);
    peer.end();
    bench.answer("GET /later1 ");
    bench.assert_clean();
}
