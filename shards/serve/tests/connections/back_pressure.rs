//! A client that does not read is not read.

use crate::bench::{Bench, bodies, get};
use ringmill_serve::{INPUT_BYTES_PAUSE, OUTPUT_BYTES_MAX, READS_BEGUN_MAX};

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
    assert!(received < parsed + INPUT_BYTES_PAUSE + 34 * 4096, "{received} bytes were received");
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

#[test]
fn so_many_reads_are_begun_at_once() {
    let mut bench = Bench::new();
    let peer = bench.connect();
    let count = READS_BEGUN_MAX + 10;
    let all: Vec<u8> = (0..count).flat_map(|number| get(&format!("/later{number}"))).collect();
    peer.write(&all);
    bench.settle();
    assert_eq!(bench.server.service.seen.len(), READS_BEGUN_MAX);
    bench.answer("GET /later0 ");
    assert_eq!(bench.server.service.seen.len(), READS_BEGUN_MAX + 1);
    for number in 1..count {
        bench.answer(&format!("GET /later{number} "));
    }
    let expected: Vec<_> = (0..count).map(|number| format!("GET /later{number} ")).collect();
    assert_eq!(bodies(&peer.read()), expected);
}

#[test]
fn without_buffers_everyone_still_progresses() {
    let mut bench = Bench::with(ringmill_reactor::memory::World::new(1, 64), 0, crate::bench::bounds());
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
