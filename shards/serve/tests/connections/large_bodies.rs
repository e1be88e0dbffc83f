//! Bodies too large to be left to the core's receive buffers.

use crate::bench::{Bench, SECOND, answers, bodies, bounds, get};
use proptest::prelude::*;
use ringmill_serve::{FILL_BYTES, FILL_BYTES_MAX};
use ringmill_sim_kernel::calm::World;
use ringmill_sim_kernel::faults::Fault;

fn text(length: usize) -> String {
    (0..length).map(|index| char::from(b'a' + (index % 23) as u8)).collect()
}

fn sized(body: &str) -> Vec<u8> {
    format!("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

fn chunked(body: &str, chunk: usize) -> Vec<u8> {
    let mut bytes = b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for piece in body.as_bytes().chunks(chunk) {
        bytes.extend(format!("{:x}\r\n", piece.len()).bytes());
        bytes.extend(piece);
        bytes.extend(b"\r\n");
    }
    bytes.extend(b"0\r\n\r\n");
    bytes
}

fn large() -> Bench {
    let bounds = ringmill_serve::Bounds { body_bytes_max: 2 << 20, bodies_bytes_max: 4 << 20, ..bounds() };
    Bench::with(World::new(1, 64), 0, bounds)
}

#[test]
fn an_upload_takes_few_receive_buffers_and_what_follows_it_is_the_next_request() {
    for (bytes, body) in [1_500_000, FILL_BYTES + 4096, FILL_BYTES_MAX * 2].into_iter().flat_map(|length| {
        [(sized(&text(length)), text(length)), (chunked(&text(length), 1000), text(length))]
    }) {
        let mut bench = large();
        let peer = bench.connect();
        peer.write(&bytes);
        peer.write(&get("/next"));
        bench.settle();
        assert_eq!(bodies(&peer.read()), [format!("POST /a {body}"), "GET /next ".to_owned()]);
        peer.write(&get("/again"));
        bench.settle();
        assert_eq!(bodies(&peer.read()), ["GET /again "]);
        peer.end();
        bench.assert_clean();
    }
}

#[test]
fn a_promise_of_much_takes_little_of_the_budget() {
    let bounds =
        ringmill_serve::Bounds { body_bytes_max: 2 << 20, bodies_bytes_max: 8 * FILL_BYTES, ..bounds() };
    let mut bench = Bench::with(World::new(1, 64), 0, bounds);
    let promising: Vec<_> = (0..7)
        .map(|_| {
            let peer = bench.connect();
            peer.write(b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\n\r\nx");
            bench.settle();
            assert!(peer.read().is_empty());
            peer
        })
        .collect();
    // What they do send counts.
    promising[0].write(text(4 * FILL_BYTES).as_bytes());
    bench.settle();
    assert_eq!(answers(&promising[0].read())[0].0, 503);
    for peer in &promising {
        peer.reset();
    }
    bench.assert_clean();
    // All of it came back.
    let peer = bench.connect();
    peer.write(&sized(&text(3 * FILL_BYTES)));
    bench.settle();
    assert_eq!(bodies(&peer.read()).len(), 1);
}

#[test]
fn an_upload_that_is_too_slow_is_refused_and_leaves_nothing() {
    for chunks in [false, true] {
        for early in [1, 5000, 100_000] {
            let mut bench = large();
            let peer = bench.connect();
            let bytes = if chunks { chunked(&text(200_000), 900) } else { sized(&text(200_000)) };
            peer.write(&bytes[..early + 100]);
            bench.settle();
            bench.pass(31 * SECOND);
            assert_eq!(answers(&peer.read()), [(408, r#"{"error":"Request timeout"}"#.to_owned())]);
            // Its rest is thrown away, then it ends.
            peer.write(&bytes[early + 100..]);
            bench.settle();
            peer.end();
            bench.assert_clean();
            assert!(bench.server.service.seen.is_empty());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn uploads_in_pieces_are_whole(
        uploads in prop::collection::vec((0..120_000usize, prop::option::of(1..40_000usize)), 1..4),
        pieces in prop::collection::vec(1..60_000usize, 1..12),
        receive_bytes_max in 1000..5000usize,
        buffers_short in any::<bool>(),
        receives_late in any::<bool>(),
        ends in prop::option::of(0..150_000usize),
    ) {
        let bounds = ringmill_serve::Bounds { body_bytes_max: 1 << 20, bodies_bytes_max: 4 << 20, ..bounds() };
        let buffers = if buffers_short { 2 } else { 64 };
        let mut bench = Bench::with(World::new(1, buffers), 0, bounds);
        bench.world.set_short(receive_bytes_max, usize::MAX);
        bench.world.set(Fault::CancelLate, receives_late);
        let peer = bench.connect();
        let mut bytes = Vec::new();
        let mut expected = Vec::new();
        for (length, chunk) in uploads {
            let body = text(length);
            bytes.extend(chunk.map_or_else(|| sized(&body), |chunk| chunked(&body, chunk)));
            expected.push(format!("POST /a {body}"));
        }
        let cut = ends.map_or(bytes.len(), |at| at.min(bytes.len()));
        let mut sent = 0;
        for piece in pieces.iter().cycle() {
            let end = (sent + piece).min(cut);
            peer.write(&bytes[sent..end]);
            bench.settle();
            sent = end;
            if sent == cut {
                break;
            }
        }
        let got = bodies(&peer.read());
        prop_assert!(expected.starts_with(&got));
        prop_assert!(cut < bytes.len() || got == expected);
        if sent % 2 == 0 { peer.end() } else { peer.reset() }
        bench.settle();
        prop_assert_eq!(bench.server.connections_count(), 0);
        prop_assert_eq!(bench.reactor.sockets_count(), 0);
        prop_assert_eq!(bench.world.buffers_free(0), buffers);
    }
}
