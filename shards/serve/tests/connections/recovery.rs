//! What goes wrong stays where it went wrong.

use crate::bench::{Bench, SECOND, answers, bodies, get, post};
use ringmill_reactor::Errno;

#[test]
fn a_panic_costs_its_own_request_only() {
    let mut bench = Bench::new();
    let peer = bench.connect();
    for path in ["/a", "/panic", "/panic-later", "/b"] {
        peer.write(&get(path));
    }
    bench.settle();
    let text = peer.read();
    let failure = (500, r#"{"error":"Internal server error"}"#.to_owned());
    let ok = |text: &str| (200, text.to_owned());
    assert_eq!(answers(&text), [ok("GET /a "), failure.clone(), failure, ok("GET /b ")]);
    assert_eq!(String::from_utf8_lossy(&text).matches("X-Request-Id: ").count(), 2);
    assert_eq!(bench.server.service.panics, 2);
    peer.end();
    bench.assert_clean();
}

#[test]
fn a_clients_own_request_id_is_used_if_it_is_one() {
    let mut bench = Bench::new();
    let long = "x".repeat(129);
    for (id, is_used) in [("abc-1", true), ("a b", false), (long.as_str(), false), ("", false)] {
        let peer = bench.connect();
        peer.write(format!("GET /panic HTTP/1.1\r\nHost: a\r\nX-Request-Id: {id}\r\n\r\n").as_bytes());
        bench.settle();
        let text = String::from_utf8(peer.read()).unwrap();
        assert_eq!(text.contains(&format!("X-Request-Id: {id}\r\n")), is_used, "{text}");
    }
}

#[test]
fn a_reset_at_any_point_leaves_nothing_behind() {
    let request = [post("/later1", "0123456789"), get("/b")].concat();
    for at in 0..=request.len() {
        let mut bench = Bench::new();
        let other = bench.connect();
        let peer = bench.connect();
        peer.write(&request[..at]);
        bench.settle();
        peer.reset();
        bench.settle();
        other.write(&get("/mine"));
        bench.settle();
        assert_eq!(bodies(&other.read()), ["GET /mine "]);
        other.end();
        bench.server.service.waiting.borrow_mut().clear();
        bench.assert_clean();
    }
}

#[test]
fn accepting_pauses_without_descriptors_or_memory_and_goes_on() {
    // EMFILE, ENFILE, ENOMEM, ENOBUFS
    for errno in [24, 23, 12, 105] {
        let mut bench = Bench::new();
        bench.settle();
        bench.world.fail_accept(0, Errno(errno));
        let peer = bench.world.connect(0, usize::MAX);
        peer.write(&get("/a"));
        bench.settle();
        assert!(peer.read().is_empty(), "{errno}");
        assert_eq!(bench.server.service.accept_failures, 1, "{errno}");
        bench.pass(SECOND);
        assert_eq!(bodies(&peer.read()), ["GET /a "], "{errno}");
    }
}

#[test]
fn a_turn_that_takes_long_is_told() {
    let mut bench = Bench::new();
    bench.server.service.world = Some(bench.world.clone());
    let peer = bench.connect();
    peer.write(&get("/a"));
    bench.settle();
    assert!(bench.server.service.stalls_ns.is_empty());
    peer.write(&get("/stall"));
    bench.settle();
    assert_eq!(bodies(&peer.read()), ["GET /a ", "GET /stall "]);
    assert_eq!(bench.server.service.stalls_ns, [SECOND / 5]);
}

#[test]
fn one_connection_too_many_is_told_so() {
    let places = std::sync::Arc::new(ringmill_mesh::Places::new(2));
    let world = ringmill_sim_kernel::calm::World::new(1, 64);
    let mut bench = Bench::with_places(world, 0, crate::bench::bounds(), places);
    let peers = [bench.connect(), bench.connect()];
    let third = bench.connect();
    assert_eq!(answers(&third.read()), [(503, r#"{"error":"Service unavailable"}"#.to_owned())]);
    assert!(third.is_ended());
    third.end();
    peers[0].end();
    bench.settle();
    let fourth = bench.connect();
    fourth.write(&get("/a"));
    bench.settle();
    assert_eq!(bodies(&fourth.read()), ["GET /a "]);
}

#[test]
fn too_much_after_the_last_answer_closes() {
    let mut bench = Bench::new();
    let peer = bench.connect();
    peer.write(b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 999999\r\n\r\n");
    bench.settle();
    assert!(peer.read().is_empty());
    peer.write(b"x");
    bench.settle();
    assert_eq!(answers(&peer.read()), [(413, r#"{"error":"Body too large"}"#.to_owned())]);
    peer.write(&vec![b'x'; 200_000]);
    bench.settle();
    assert!(!peer.is_closed(), "a bounded amount is thrown away");
    peer.write(&vec![b'x'; 200_000]);
    bench.settle();
    assert!(peer.is_closed());
    assert!(bench.server.service.seen.is_empty());
    bench.assert_clean();
}

#[test]
fn requests_of_a_connection_may_be_bounded() {
    let mut bounds = crate::bench::bounds();
    bounds.requests_max = 2;
    let mut bench = Bench::with(ringmill_sim_kernel::calm::World::new(1, 64), 0, bounds);
    let peer = bench.connect();
    for path in ["/a", "/b", "/c"] {
        peer.write(&get(path));
    }
    bench.settle();
    assert_eq!(bodies(&peer.read()), ["GET /a ", "GET /b "]);
    assert!(peer.is_ended());
}

#[test]
fn bodies_being_received_have_a_budget_that_is_given_back() {
    let mut bounds = crate::bench::bounds();
    bounds.bodies_bytes_max = 100_000;
    let mut bench = Bench::with(ringmill_sim_kernel::calm::World::new(1, 64), 0, bounds);
    let request = post("/a", &"x".repeat(60_000));
    for _ in 0..3 {
        let (first, second) = (bench.connect(), bench.connect());
        first.write(&request[..59_000]);
        bench.settle();
        second.write(&request[..59_000]);
        bench.settle();
        assert!(first.read().is_empty());
        assert_eq!(answers(&second.read()), [(503, r#"{"error":"Service unavailable"}"#.to_owned())]);
        first.write(&request[59_000..]);
        bench.settle();
        assert_eq!(answers(&first.read())[0].0, 200);
        let third = bench.connect();
        third.write(&request[..59_000]);
        bench.settle();
        third.reset();
        bench.settle();
    }
}

#[test]
fn a_duty_that_a_panic_dropped_answers_no_later_request() {
    let mut bench = Bench::new();
    let peer = bench.connect();
    peer.write(&get("/panic-with-responder"));
    peer.write(&get("/later1"));
    bench.settle();
    // The dropped duty's answer is in the outbox now; it is delivered with the next one.
    bench.answer("GET /later1 ");
    let failure = (500, r#"{"error":"Internal server error"}"#.to_owned());
    assert_eq!(answers(&peer.read()), [failure, (200, "GET /later1 ".to_owned())]);
    peer.end();
    bench.assert_clean();
}

#[test]
fn every_refusal_is_observed_with_what_is_known_of_its_request() {
    let mut bounds = crate::bench::bounds();
    bounds.bodies_bytes_max = 1000;
    let mut large = b"PUT /c HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n".to_vec();
    large.resize(40_000, b'x');
    let mut bench = Bench::with(ringmill_sim_kernel::calm::World::new(1, 64), 0, bounds);
    for (bytes, expected) in [
        (&b"GET /a HTTP/1.1\nHost: a\r\n\r\n"[..], (400, "UNKNOWN ", false)),
        (b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 999999\r\n\r\nx", (413, "POST /a", false)),
        (b"POST /b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx", (400, "POST /b", false)),
        (b"GET /a HTTP/3.0\r\nHost: a\r\n\r\n", (505, "UNKNOWN ", true)),
        (&large, (503, "PUT /c", true)),
        (b"PUT /d HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n", (408, "PUT /d", false)),
    ] {
        let peer = bench.connect();
        peer.write(bytes);
        bench.settle();
        bench.pass(31 * SECOND);
        let (status, asked, has_id) = bench.server.service.observed.pop().expect("an observation");
        assert_eq!((status, asked.as_str(), has_id), expected);
        assert!(bench.server.service.observed.is_empty());
        peer.end();
        bench.settle();
    }
}

#[test]
fn who_begins_to_wait_for_the_rest_of_a_request_looks_at_its_socket_anew() {
    // A multishot receive is not always told of a reset right behind data, and the kernel cannot be made to forget on cue.
    let mut bench = Bench::new();
    let peer = bench.connect();
    for (bytes, cancelled) in [
        (&b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n"[..], 0),
        (b"POST /b HTTP/1.1\r\n", 1),
        (b"Host: a\r\n", 1),
        (b"Content-Length: 3\r\n\r\n", 2),
        (b"x", 2),
        (b"yz", 2),
        (b"GET /c HTTP/1.1\r\nHost: a\r\n\r\n", 2),
    ] {
        peer.write(bytes);
        bench.settle();
        assert_eq!(bench.world.receives_cancelled(0), cancelled, "{}", String::from_utf8_lossy(bytes));
    }
    assert_eq!(bodies(&peer.read()), ["GET /a ", "POST /b xyz", "GET /c "]);
}

#[test]
fn a_refusal_of_head_has_no_body() {
    for (request, status) in [
        (&b"HEAD /a HTTP/1.1\r\nHost: a\r\nContent-Length: 999999\r\n\r\nx"[..], "413"),
        (b"HEAD /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx", "400"),
        (b"HEAD /a HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nx", "408"),
    ] {
        let mut bench = Bench::new();
        let peer = bench.connect();
        peer.write(request);
        bench.pass(31 * SECOND);
        let text = String::from_utf8(peer.read()).unwrap();
        assert!(text.starts_with(&format!("HTTP/1.1 {status} ")) && text.ends_with("\r\n\r\n"), "{text}");
        assert!(!text.contains("Content-Length: 0\r\n"), "{text}");
    }
}

#[test]
fn small_bodies_need_no_budget_and_stalled_ones_make_room() {
    let mut bounds = crate::bench::bounds();
    bounds.bodies_bytes_max = 60_500;
    let mut bench = Bench::with(ringmill_sim_kernel::calm::World::new(1, 64), 0, bounds);
    let large = post("/a", &"x".repeat(60_000));
    let small = post("/a", &"x".repeat(1000));
    let first = bench.connect();
    first.write(&large[..59_000]);
    bench.settle();
    // Stalled ones are not looked for all the time.
    bench.pass(SECOND / 2);
    let second = bench.connect();
    second.write(&large[..59_000]);
    bench.settle();
    assert_eq!(answers(&second.read())[0].0, 503, "a large one has no room");
    for cut in [1, 70, 500] {
        let third = bench.connect();
        third.write(&small[..cut]);
        bench.settle();
        third.write(&small[cut..]);
        bench.settle();
        assert_eq!(answers(&third.read())[0].0, 200, "a small one has");
    }
    bench.pass(SECOND + SECOND / 5);
    let fourth = bench.connect();
    fourth.write(&large[..59_000]);
    bench.settle();
    assert_eq!(answers(&first.read())[0].0, 408, "nothing came of it for a second");
    assert!(fourth.read().is_empty());
    fourth.write(&large[59_000..]);
    bench.settle();
    assert_eq!(answers(&fourth.read())[0].0, 200);
}
