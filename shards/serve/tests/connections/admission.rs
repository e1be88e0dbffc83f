//! Requests for which the service has no room wait, in order, and not for ever.

use crate::bench::{Bench, SECOND, answers, bodies, get, post};
use ringmill_serve::FILL_BYTES;

/// With so many places in each of the two lanes.
fn with_room(room: usize) -> Bench {
    let mut bench = Bench::new();
    bench.server.service.room = [room; 2];
    bench
}

/// Answers what waits at the service, one after the other, until nothing does. Says in which order it was begun.
fn answer_all(bench: &mut Bench) -> Vec<String> {
    loop {
        let next = bench.server.service.waiting.borrow().first().map(|(text, _)| text.clone());
        let Some(text) = next else { break };
        bench.answer(&text);
    }
    bench
        .server
        .service
        .seen
        .iter()
        .map(|text| text.trim_start_matches("GET /room0").trim_end().to_owned())
        .collect()
}

#[test]
fn a_pipeline_has_no_more_turns_than_a_single_request() {
    let mut bench = with_room(2);
    let [a, b, c] = [(); 3].map(|()| bench.connect());
    let pipeline: Vec<u8> = (0..6).flat_map(|number| get(&format!("/room0a{number}"))).collect();
    a.write(&pipeline);
    bench.settle();
    b.write(&get("/room0b"));
    bench.settle();
    c.write(&get("/room0c"));
    bench.settle();
    assert_eq!(bench.server.service.seen.len(), 2, "there are two places");
    let order = answer_all(&mut bench);
    assert_eq!(order, ["a0", "a1", "a2", "b", "c", "a3", "a4", "a5"]);
    let expected: Vec<_> = (0..6).map(|number| format!("GET /room0a{number} ")).collect();
    assert_eq!(bodies(&a.read()), expected);
    assert_eq!(bodies(&b.read()), ["GET /room0b "]);
    assert_eq!(bodies(&c.read()), ["GET /room0c "]);
    for peer in [a, b, c] {
        peer.end();
    }
    bench.assert_clean();
}

#[test]
fn what_needs_no_room_or_another_one_does_not_wait() {
    let mut bench = with_room(1);
    let [a, b] = [(); 2].map(|()| bench.connect());
    a.write(&[get("/room0"), get("/room0"), get("/a")].concat());
    b.write(&[get("/a"), get("/room1")].concat());
    bench.settle();
    assert_eq!(bodies(&b.read()), ["GET /a "]);
    assert_eq!(bench.server.service.waiting.borrow().len(), 2);
    bench.answer("GET /room1 ");
    assert_eq!(bodies(&b.read()), ["GET /room1 "]);
    assert!(a.read().is_empty(), "behind what waits nothing of its connection is begun");
    answer_all(&mut bench);
    assert_eq!(bodies(&a.read()), ["GET /room0 ", "GET /room0 ", "GET /a "]);
}

#[test]
fn who_waits_too_long_is_shed_and_what_follows_waits_in_its_turn() {
    let mut bench = with_room(1);
    let [a, b] = [(); 2].map(|()| bench.connect());
    a.write(&get("/room0a"));
    bench.settle();
    b.write(&[get("/room0b"), get("/b"), get("/room0c")].concat());
    bench.pass(SECOND - SECOND / 5);
    assert!(b.read().is_empty());
    bench.pass(SECOND * 2 / 5);
    let shed = (503, "shed".to_owned());
    let plain = (200, "GET /b ".to_owned());
    // The answer of 503 is written again, with an id.
    let told = answers(&b.read());
    assert_eq!((told[0].0, &told[1]), (shed.0, &plain));
    assert_eq!(told.len(), 2);
    bench.answer("GET /room0a ");
    bench.answer("GET /room0c ");
    assert_eq!(bodies(&b.read()), ["GET /room0c "]);
    assert_eq!(bench.server.service.seen, ["GET /room0a ", "GET /b ", "GET /room0c "]);
    for peer in [a, b] {
        peer.end();
    }
    bench.assert_clean();
}

#[test]
fn bodies_wait_whole_however_they_came() {
    let chunked = |path: &str, body: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
            body.len()
        )
        .into_bytes()
    };
    let followers = [get("/b"), get("/c")].concat();
    for length in [1, 3000, FILL_BYTES + 1, 3 * FILL_BYTES] {
        let body = "x".repeat(length);
        for request in [post("/room0", &body), chunked("/room0", &body)] {
            for cut in [request.len(), request.len() - 1, 40] {
                for (with, later) in [(&[][..], &[][..]), (&followers, &[]), (&[], &followers)] {
                    let mut bench = with_room(1);
                    let [a, b] = [(); 2].map(|()| bench.connect());
                    a.write(&get("/room0a"));
                    bench.settle();
                    b.write(&request[..cut]);
                    bench.settle();
                    b.write(&request[cut..]);
                    b.write(with);
                    bench.settle();
                    b.write(later);
                    b.end();
                    bench.settle();
                    assert_eq!(bench.server.service.seen.len(), 1);
                    answer_all(&mut bench);
                    let mut expected = vec![format!("POST /room0 {body}")];
                    if !(with.is_empty() && later.is_empty()) {
                        expected.extend(["GET /b ".to_owned(), "GET /c ".to_owned()]);
                    }
                    assert_eq!(bodies(&b.read()), expected, "{length} bytes, cut at {cut}");
                    a.end();
                    bench.assert_clean();
                }
            }
        }
    }
}

#[test]
fn newcomers_go_behind_and_a_place_of_the_table_that_is_used_again_has_no_turn() {
    let mut bench = with_room(1);
    let [a, b, c, d] = [(); 4].map(|()| bench.connect());
    for (peer, name) in [(&a, "a"), (&b, "b"), (&c, "c")] {
        peer.write(&get(&format!("/room0{name}")));
        bench.settle();
    }
    b.reset();
    bench.settle();
    let e = bench.connect();
    e.write(&get("/room0e"));
    bench.settle();
    // Arrives in the turn in which there is room.
    d.write(&get("/room0d"));
    assert_eq!(answer_all(&mut bench), ["a", "c", "e", "d"]);
    for peer in [a, c, d, e] {
        peer.end();
    }
    bench.assert_clean();
}

#[test]
fn a_request_that_waited_counts_once_and_may_be_the_last() {
    let mut bounds = crate::bench::bounds();
    bounds.requests_max = 3;
    let mut bench = Bench::with(ringmill_sim_kernel::calm::World::new(1, 64), 0, bounds);
    bench.server.service.room = [1; 2];
    let [a, b, c] = [(); 3].map(|()| bench.connect());
    a.write(&get("/room0a"));
    bench.settle();
    b.write(&[get("/room0b"), get("/room0c"), get("/room0d"), get("/room0e")].concat());
    c.write(b"GET /room0f HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    bench.settle();
    answer_all(&mut bench);
    assert_eq!(bodies(&b.read()), ["GET /room0b ", "GET /room0c ", "GET /room0d "]);
    assert_eq!(bodies(&c.read()), ["GET /room0f "]);
    assert!(b.is_ended() && c.is_ended() && !a.is_ended());
}

#[test]
fn who_goes_while_waiting_leaves_the_turn_to_others() {
    let mut bench = with_room(1);
    let [a, b, c, d] = [(); 4].map(|()| bench.connect());
    for (peer, name) in [(&a, "a"), (&b, "b"), (&c, "c"), (&d, "d")] {
        peer.write(&get(&format!("/room0{name}")));
        bench.settle();
    }
    b.reset();
    c.end();
    bench.settle();
    assert_eq!(answer_all(&mut bench), ["a", "c", "d"]);
    assert_eq!(bodies(&c.read()), ["GET /room0c "], "a peer that ends its side still gets its answer");
    assert_eq!(bodies(&d.read()), ["GET /room0d "]);
    assert_eq!(bodies(&a.read()), ["GET /room0a "]);
    for peer in [a, d] {
        peer.end();
    }
    bench.assert_clean();
}

#[test]
fn what_waits_when_draining_begins_is_answered() {
    let mut bench = with_room(1);
    let [a, b] = [(); 2].map(|()| bench.connect());
    for (peer, name) in [(&a, "a"), (&b, "b")] {
        peer.write(&get(&format!("/room0{name}")));
        bench.settle();
    }
    let deadline_ns = bench.reactor.now().monotonic_ns + 30 * SECOND;
    bench.server.drain(&mut bench.reactor, deadline_ns);
    bench.settle();
    assert_eq!(answer_all(&mut bench), ["a", "b"]);
    let text = b.read();
    assert_eq!(bodies(&text), ["GET /room0b "]);
    assert!(String::from_utf8_lossy(&text).contains("\r\nConnection: close\r\n"));
    assert!(a.is_ended() && b.is_ended());
}

#[test]
fn who_is_answered_without_taking_the_room_leaves_it_to_others() {
    let mut bench = with_room(1);
    let [a, b, c] = [(); 3].map(|()| bench.connect());
    a.write(&get("/room0a"));
    bench.settle();
    for (peer, name) in [(&b, "b"), (&c, "c")] {
        peer.write(&[get(&format!("/room0once{name}")), get(&format!("/room0{name}"))].concat());
        bench.settle();
    }
    assert_eq!(answer_all(&mut bench), ["a", "onceb", "oncec", "b", "c"]);
    for peer in [a, b, c] {
        peer.end();
    }
    bench.assert_clean();
}
