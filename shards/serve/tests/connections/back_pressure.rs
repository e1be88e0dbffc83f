//! A client that does not read is not read.

use crate::bench::{Bench, bodies, bounds, get};
use ringmill_mesh::Places;
use ringmill_serve::{INPUT_BYTES_PAUSE, OUTPUT_BYTES_MAX, READS_BEGUN_MAX, REFUSED_AT_ONCE_MAX};
use ringmill_sim_kernel::calm::World;
use std::sync::Arc;

#[test]
fn output_is_bounded_and_nothing_is_lost() {
    let mut bench = Bench::new();
    let peer = bench.world.connect(0, 10_000);
    bench.settle();
    const REQUESTS: usize = 20_000;
    let all: Vec<u8> = (0..REQUESTS).flat_map(|number| get(&format!("/{number}"))).collect();
    peer.write(&all);
    bench.settle();
    // About 130 bytes an answer: it has stopped after the bound, and stopped receiving too.
    let begun = bench.server.service.seen.len();
    assert!(begun < OUTPUT_BYTES_MAX / 100 + 200, "{begun} requests were begun");
    let received = all.len() - peer.unreceived();
    let parsed = begun * get("/99999").len();
    // All buffers may have been filled by the time that it stops.
    assert!(received < parsed + INPUT_BYTES_PAUSE + 66 * 4096, "{received} bytes were received");
    let mut text = Vec::new();
    loop {
        let more = peer.read();
        if more.is_empty() {
            break;
        }
        text.extend(more);
        bench.settle();
    }
    let expected: Vec<_> = (0..REQUESTS).map(|number| format!("GET /{number} ")).collect();
    assert_eq!(bodies(&text), expected);
    peer.end();
    bench.assert_clean();
}

/// Asks for `count` answers that come later, as long as the `bytes` of their requests' bodies, and says how many requests were
/// begun at the same time before each.
fn begun_at_once(count: usize, bytes: usize) -> Vec<usize> {
    let mut bench = Bench::new();
    let peer = bench.connect();
    let body = "x".repeat(bytes);
    for number in 0..count {
        let head = format!("GET /later{number} HTTP/1.1\r\nHost: a\r\nContent-Length: {bytes}\r\n\r\n");
        peer.write(format!("{head}{body}").as_bytes());
    }
    bench.settle();
    let text = |number| format!("GET /later{number} {body}");
    let begun_at_once = (0..count)
        .map(|number| {
            let begun = bench.server.service.seen.len() - number;
            bench.answer(&text(number));
            begun
        })
        .collect();
    let expected: Vec<_> = (0..count).map(text).collect();
    assert_eq!(bodies(&peer.read()), expected);
    begun_at_once
}

#[test]
fn more_reads_are_begun_at_once_when_answers_turn_out_short() {
    let begun = begun_at_once(100, 0);
    assert_eq!(begun[..5], [4, 8, 16, 32, READS_BEGUN_MAX], "{begun:?}");
    assert_eq!(begun.iter().max(), Some(&READS_BEGUN_MAX), "{begun:?}");
}

#[test]
fn fewer_reads_are_begun_at_once_when_answers_are_long() {
    let begun = begun_at_once(20, OUTPUT_BYTES_MAX / 3);
    assert_eq!(begun[..4], [4, 3, 2, 2], "{begun:?}");
    assert!(begun[2..19].iter().all(|&begun| begun == 2), "{begun:?}");
    let begun = begun_at_once(20, OUTPUT_BYTES_MAX);
    assert!(begun[4..].iter().all(|&begun| begun == 1), "{begun:?}");
}

#[test]
fn without_buffers_everyone_still_progresses() {
    let mut bench = Bench::with(ringmill_sim_kernel::calm::World::new(1, 64), 0, crate::bench::bounds());
    bench.world.set_short(7, 1000);
    let peers: Vec<_> = (0..300).map(|_| bench.world.connect(0, usize::MAX)).collect();
    bench.settle();
    for (number, peer) in peers.iter().enumerate() {
        peer.write(&get(&format!("/{number}")));
    }
    bench.settle();
    for (number, peer) in peers.iter().enumerate() {
        assert_eq!(bodies(&peer.read()), [format!("GET /{number} ")]);
        peer.end();
    }
    bench.assert_clean();
}

#[test]
fn the_slowest_readers_go_when_a_shard_has_too_much_unsent() {
    let bounds = ringmill_serve::Bounds { output_bytes_max: 1 << 20, ..bounds() };
    let mut bench = Bench::with(World::new(1, 64), 0, bounds);
    let many: Vec<u8> = (0..3000).flat_map(|_| get("/a")).collect();
    let slow: Vec<_> = (0..24)
        .map(|_| {
            let peer = bench.world.connect(0, 100);
            bench.settle();
            peer.write(&many);
            bench.pass(1_000_000_000);
            assert!(bench.reactor.unsent_total() <= (1 << 20) + OUTPUT_BYTES_MAX + 4096);
            peer
        })
        .collect();
    // Each has about a sixteenth of it: of 24, those that stopped reading first are gone.
    let gone: Vec<bool> = slow.iter().map(|peer| peer.is_reset()).collect();
    let count = gone.iter().filter(|&&gone| gone).count();
    assert!((8..=10).contains(&count), "{gone:?}");
    assert!(gone[..count].iter().all(|&gone| gone), "{gone:?}");
    assert_eq!(bench.server.service.slow_readers, count);
    let reader = bench.connect();
    reader.write(&get("/b"));
    bench.settle();
    assert_eq!(bodies(&reader.read()), ["GET /b "]);
}

#[test]
fn answers_that_wait_for_an_earlier_one_count_as_unsent() {
    let bounds = ringmill_serve::Bounds { output_bytes_max: 100_000, ..bounds() };
    let mut bench = Bench::with(World::new(1, 64), 0, bounds);
    let slow = bench.world.connect(0, 10);
    bench.settle();
    slow.write(&get("/a"));
    bench.settle();
    let waiting: Vec<_> = (0..30)
        .map(|_| {
            let peer = bench.connect();
            peer.write(&get("/later"));
            for _ in 0..20 {
                peer.write(&get(&format!("/{}", "x".repeat(2000))));
            }
            bench.settle();
            peer
        })
        .collect();
    assert!(!slow.is_reset(), "it may still read");
    bench.pass(1_300_000_000);
    assert!(slow.is_reset(), "180 KB wait, and this one has not read");
    drop(waiting);
}

#[test]
fn beyond_the_bound_of_connections_some_are_answered_and_the_rest_closed() {
    let mut bench = Bench::with_places(World::new(1, 64), 0, bounds(), Arc::new(Places::new(3)));
    let served: Vec<_> = (0..3).map(|_| bench.connect()).collect();
    let refused: Vec<_> = (0..REFUSED_AT_ONCE_MAX + 10).map(|_| bench.connect()).collect();
    let mut answered = 0;
    for peer in &refused {
        let text = String::from_utf8(peer.read()).unwrap();
        if text.is_empty() {
            assert!(peer.is_closed());
        } else {
            assert!(text.starts_with("HTTP/1.1 503 ") && text.contains("\r\nX-Request-Id: "), "{text}");
            answered += 1;
        }
    }
    assert_eq!(answered, REFUSED_AT_ONCE_MAX);
    let named = bench.server.service.refused.iter().filter(|id| id.is_some()).count();
    assert_eq!((named, bench.server.service.refused.len()), (answered, answered + 10));
    for peer in &refused {
        peer.end();
    }
    bench.settle();
    let again = bench.connect();
    assert!(!again.read().is_empty(), "it is answered again");
    again.end();
    for peer in refused.iter().chain(&served) {
        peer.end();
    }
    bench.assert_clean();
}

#[test]
fn those_that_are_turned_away_take_no_place() {
    let places = Arc::new(Places::new(2));
    let mut bench = Bench::with_places(World::new(1, 64), 0, bounds(), places.clone());
    let served = [bench.connect(), bench.connect()];
    // They keep their sockets for as long as they may.
    let refused: Vec<_> = (0..20).map(|_| bench.connect()).collect();
    assert_eq!(places.taken(), 2);
    served[0].end();
    bench.settle();
    let next = bench.connect();
    next.write(&get("/a"));
    bench.settle();
    assert_eq!(bodies(&next.read()), ["GET /a "]);
    for peer in refused.iter().chain(&served).chain([&next]) {
        peer.reset();
    }
    bench.assert_clean();
    assert_eq!(places.taken(), 0);
}

#[test]
fn answers_behind_a_slow_one_are_bounded() {
    let mut bench = Bench::new();
    let peer = bench.connect();
    let large = "x".repeat(8000);
    peer.write(&get("/later"));
    let count = 60;
    for _ in 0..count {
        peer.write(&get(&format!("/{large}")));
    }
    bench.settle();
    let begun = bench.server.service.seen.len();
    assert!(begun <= 1 + OUTPUT_BYTES_MAX / large.len(), "{begun} are begun");
    bench.answer("GET /later ");
    let mut text = peer.read();
    loop {
        bench.settle();
        let more = peer.read();
        if more.is_empty() {
            break;
        }
        text.extend(more);
    }
    assert_eq!(bodies(&text).len(), count + 1);
}

#[test]
fn an_output_that_left_in_part_is_held_as_a_whole() {
    let mut bench = Bench::new();
    let peer = bench.world.connect(0, 5000);
    bench.settle();
    peer.write(&get(&format!("/{}", "x".repeat(7000))));
    bench.settle();
    assert_eq!(peer.read().len(), 5000);
    bench.settle();
    assert!(peer.read().len() > 2000);
    bench.settle();
    assert_eq!(bench.reactor.unsent_total(), 0);
    peer.write(&get(&format!("/{}", "x".repeat(7000))));
    bench.settle();
    assert!(bench.reactor.unsent_total() > 7000, "{}", bench.reactor.unsent_total());
}

#[test]
fn beyond_twice_the_bound_who_read_a_moment_ago_goes_too() {
    let bounds = ringmill_serve::Bounds { output_bytes_max: 20_000, ..bounds() };
    let mut bench = Bench::with(World::new(1, 64), 0, bounds);
    let peers: Vec<_> = (0..12)
        .map(|_| {
            let peer = bench.world.connect(0, 10);
            bench.settle();
            peer.write(&get(&format!("/{}", "x".repeat(7000))));
            bench.settle();
            peer
        })
        .collect();
    let gone = peers.iter().filter(|peer| peer.is_reset()).count();
    assert!(bench.reactor.unsent_total() <= 40_000, "{}", bench.reactor.unsent_total());
    assert!((6..12).contains(&gone), "{gone}");
}

#[test]
fn who_sends_on_without_reading_goes_when_input_is_too_much() {
    let bounds = ringmill_serve::Bounds { input_bytes_max: 100_000, ..bounds() };
    let mut bench = Bench::with(World::new(1, 64), 0, bounds);
    let small = bench.connect();
    small.write(
        &[get("/later"), get("/later"), get("/later"), get("/later"), get("/later"), get("/a")].concat(),
    );
    bench.settle();
    let flood: Vec<u8> = (0..2000).flat_map(|_| get("/later")).collect();
    let floods: Vec<_> = (0..6)
        .map(|_| {
            let peer = bench.connect();
            peer.write(&flood);
            bench.settle();
            peer
        })
        .collect();
    assert!(floods.iter().any(|peer| peer.is_reset()), "60 KB each, and 100 KB are allowed");
    assert!(!small.is_reset(), "it has less than pauses it");
}
