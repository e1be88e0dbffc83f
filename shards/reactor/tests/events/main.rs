//! The ordinary events of a ring, made to happen on the real one: queues and buffers that are too small, sends that take
//! less than they were given, resets at any point, descriptors that run out.

mod echo;

use echo::{Echo, Loop, connect, exchange};
use ringmill_reactor::bounds::RingSizes;
use ringmill_reactor::{Driver, SEED_BYTES, Uring};
use ringmill_sim_kernel::alone::Alone;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::time::{Duration, Instant};

const SMALL: RingSizes = RingSizes { submissions: 4, completions: 8, receive_buffers: 2 };

/// Many clients at once on queues of a few entries: the submission queue is full, completions overflow, multishot receives
/// end for it, buffers run out; and everybody gets back what he sent.
#[test]
fn queues_and_buffers_that_are_too_small_lose_nothing() {
    let server = Loop::start(SMALL, Echo::default);
    let address = server.address;
    let clients: Vec<_> = (0..64u8)
        .map(|number| {
            std::thread::spawn(move || {
                let mut stream = connect(address);
                for round in 0..20usize {
                    let bytes: Vec<u8> =
                        (0..3000 + round * 977).map(|at| (at % 251) as u8 ^ number).collect();
                    assert_eq!(exchange(&mut stream, &bytes), bytes, "client {number}, round {round}");
                }
            })
        })
        .collect();
    for client in clients {
        client.join().expect("every client gets its own bytes");
    }
    let end = server.stop();
    assert!(end.pressure.submissions > 0, "{end:?}");
    assert!(end.pressure.completions > 0, "{end:?}");
    assert!(end.troubles.starved > 0, "{end:?}");
    assert!(end.troubles.rearmed > 0, "{end:?}");
    assert_eq!(end.sockets, 0, "{end:?}");
}

/// Twelve who send without end, on two buffers; a hundred others ask now and then. Nobody starves.
#[test]
fn floods_do_not_starve_the_others() {
    let server = Loop::start(RingSizes { receive_buffers: 2, ..RingSizes::default() }, Echo::sink);
    let address = server.address;
    let is_over = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let floods: Vec<_> = (0..12)
        .map(|_| {
            let is_over = is_over.clone();
            std::thread::spawn(move || {
                let mut stream = connect(address);
                let mut sent = 0;
                while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                    stream.write_all(&[0; 65_536]).expect("a flood goes on");
                    sent += 65_536;
                }
                sent
            })
        })
        .collect();
    // Bytes other than zero are echoed.
    let mut others: Vec<_> = (0..100).map(|_| connect(address)).collect();
    let started = Instant::now();
    let mut rounds = 0;
    while started.elapsed() < Duration::from_secs(2) {
        for (number, stream) in others.iter_mut().enumerate() {
            let bytes = [number as u8 + 1; 100];
            assert_eq!(exchange(stream, &bytes), bytes);
        }
        rounds += 1;
    }
    is_over.store(true, std::sync::atomic::Ordering::Relaxed);
    let sent: Vec<usize> = floods.into_iter().map(|flood| flood.join().expect("a flood ends")).collect();
    drop(others);
    let end = server.stop();
    println!("{rounds} rounds of 100, floods sent {sent:?}, {end:?}");
    assert!(rounds > 0);
    assert!(sent.iter().all(|&sent| sent > 1 << 20), "{sent:?}");
    assert!(end.troubles.starved > 0, "{end:?}");
    // Two buffers a turn, and those that got none come first in the next: thirteen want one at the same time, or a few more.
    assert!(end.troubles.hunger_max <= 16, "{end:?}");
}

/// A send larger than the peer's window completes short, several times, and goes on.
#[test]
fn short_sends_go_on_where_they_stopped() {
    let server = Loop::start(RingSizes::default(), Echo::default);
    let mut stream = connect(server.address);
    let bytes: Vec<u8> = (0..8 << 20).map(|at: u32| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut writer = stream.try_clone().unwrap();
    let sent = bytes.clone();
    let writing = std::thread::spawn(move || {
        writer.write_all(&sent).unwrap();
        writer.shutdown(Shutdown::Write).unwrap();
    });
    // Nothing is read until the echo has nowhere to go.
    std::thread::sleep(Duration::from_millis(300));
    let mut got = Vec::new();
    stream.read_to_end(&mut got).unwrap();
    writing.join().unwrap();
    assert!(got == bytes, "{} of {} bytes", got.len(), bytes.len());
    let end = server.stop();
    assert!(end.troubles.short_sends > 0, "{end:?}");
    assert_eq!((end.sockets, end.unsent), (0, 0), "{end:?}");
}

/// Connections that are reset before, while and after bytes move; slots are used again and none is left.
#[test]
fn resets_at_any_point_leave_nothing() {
    let server = Loop::start(SMALL, Echo::default);
    for round in 0..2000usize {
        let mut stream = connect(server.address);
        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
        if round % 4 > 0 {
            stream.write_all(&vec![1; round % 9001 + 1]).unwrap();
        }
        if round % 4 == 2 {
            let _ = stream.read(&mut [0; 64]).unwrap();
        }
        if round % 4 == 3 {
            std::thread::sleep(Duration::from_micros(round as u64 % 300));
        }
    }
    let mut stream = connect(server.address);
    assert_eq!(exchange(&mut stream, b"still there"), b"still there");
    drop(stream);
    let end = server.stop();
    assert_eq!((end.sockets, end.unsent), (0, 0), "{end:?}");
    assert_eq!((end.accepted, end.accept_failures), (2001, 0), "{end:?}");
}

/// A large buffer of the owner's is filled, by itself and behind what the multishot receive still brought.
#[test]
fn fills_bring_every_byte_in_order() {
    let server = Loop::start(SMALL, Echo::filling);
    let mut clients = Vec::new();
    for number in 0..8u8 {
        let address = server.address;
        clients.push(std::thread::spawn(move || {
            let mut stream = connect(address);
            for round in 1..12usize {
                let bytes: Vec<u8> = (0..round * 40_013).map(|at| (at % 241) as u8 ^ number).collect();
                assert!(exchange(&mut stream, &bytes) == bytes, "client {number}, round {round}");
            }
        }));
    }
    for client in clients {
        client.join().expect("every client gets its own bytes");
    }
    let end = server.stop();
    assert!(end.fills > 0, "{end:?}");
    assert_eq!(end.sockets, 0, "{end:?}");
}

/// Who has seen a number cannot work out the next one, as he could if a counter were only mixed (SplitMix64).
#[test]
fn chance_is_the_seeds_and_cannot_be_foreseen() {
    let numbers = |seed: u8| {
        let mut driver = Uring::with_sizes(Alone::default(), [seed; SEED_BYTES], SMALL)
            .expect("io_uring works on this host");
        [driver.random(), driver.random(), driver.random()]
    };
    let seen = numbers(1);
    assert_eq!(numbers(1), seen);
    assert_ne!(numbers(2), seen);
    let mix = |z: u64| {
        let z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    };
    let unmix = |z: u64| {
        let z = (z ^ z >> 31 ^ z >> 62).wrapping_mul(0x3196_42b2_d24d_8ec3);
        let z = (z ^ z >> 27 ^ z >> 54).wrapping_mul(0x96de_1b17_3f11_9089);
        z ^ z >> 30 ^ z >> 60
    };
    for pair in seen.windows(2) {
        assert_eq!(mix(unmix(pair[0])), pair[0]);
        assert_ne!(mix(unmix(pair[0]).wrapping_add(0x9e37_79b9_7f4a_7c15)), pair[1]);
    }
}
