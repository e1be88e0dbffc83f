//! Thousands that trickle, never read, or pipeline without reading: an ordinary client does not notice, they end at their
//! deadlines, and nothing of theirs stays.

use super::peer::{End, Origin, Peer};
use super::{
    AtEnd, Holdings, LARGE_BYTES, SLACK, endpoints, get, post, quantile, raise_descriptors, run, wait_until,
};
use crate::server::{Server, Setup};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const TRICKLERS: usize = 1000;
const DEAF: usize = 1000;
const PIPELINERS: usize = 200;

const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
const IDLE_TIMEOUT: Duration = Duration::from_secs(8);
/// How long bytes are thrown away after an answer that ends the connection.
const LINGER: Duration = Duration::from_secs(2);
/// How long a client may take nothing of its answers.
const SEND_STALL: Duration = Duration::from_secs(30);

/// An ordinary client's requests in a second.
const RATE: u32 = 50;
/// What is claimed of its p99 on a machine that does nothing else. Printed, not asserted: elsewhere it is the machine's. What
/// made clients wait here is asserted by what it held, [`RESIDENT_KIB_PEAK`], and by the deadlines that nobody meets early.
const P99_CLAIMED: Duration = Duration::from_millis(50);

/// Memory that may be kept for reuse.
const RESIDENT_KIB_KEPT: u64 = 48 * 1024;
/// Output not yet sent, of the host, and what the allocator keeps of it.
const RESIDENT_KIB_PEAK: u64 = 256 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Attack {
    /// One byte of a head a second; reads.
    Trickle,
    /// The same; never reads, and goes on after the refusal.
    TrickleDeaf,
    /// Asks without end for a list of the database; never reads.
    DeafList,
    /// Asks, in one write, for more than buffers hold; never reads.
    DeafLarge,
    /// A thousand requests in one write; reads long after.
    Pipeline,
}

#[test]
fn an_ordinary_client_is_served_and_attackers_end_at_their_deadlines() {
    raise_descriptors();
    let server = Setup::shards(2)
        .alone()
        .and(&endpoints())
        .set("http.head_timeout", &format!("{}s", HEAD_TIMEOUT.as_secs()))
        .set("http.idle_timeout", &format!("{}s", IDLE_TIMEOUT.as_secs()))
        .start();
    fill(&server);
    let before = Holdings::of(&server);
    let is_over = AtomicBool::new(false);
    let (ended, mut latencies) = std::thread::scope(|scope| {
        let ordinary = scope.spawn(|| ask_at_a_steady_rate(&server, &is_over));
        let at_end = AtEnd(&is_over);
        let ended = run(attack(server.public));
        drop(at_end);
        (ended, ordinary.join().expect("the ordinary client is served"))
    });

    for attack in
        [Attack::Trickle, Attack::TrickleDeaf, Attack::DeafList, Attack::DeafLarge, Attack::Pipeline]
    {
        let (from, to) = match attack {
            Attack::Trickle => (HEAD_TIMEOUT, HEAD_TIMEOUT),
            Attack::TrickleDeaf => (HEAD_TIMEOUT, HEAD_TIMEOUT + LINGER),
            // Counted from the connection's beginning; progress ends when the buffers are full.
            Attack::DeafList | Attack::DeafLarge => (SEND_STALL, SEND_STALL),
            // When they look is their own choice.
            Attack::Pipeline => (Duration::ZERO, Duration::MAX - SLACK),
        };
        let of_kind = ended.iter().filter(|ended| ended.attack == attack);
        let mut after: Vec<_> = of_kind.map(|ended| ended.after).collect();
        let early = after.iter().filter(|after| **after + Duration::from_millis(100) < from).count();
        let (first, last) = (quantile(&mut after, 0.0), quantile(&mut after, 1.0));
        println!(
            "attacks: {attack:?}: {} ended after {first:.1?} to {last:.1?}, {early} before their deadline",
            after.len()
        );
        assert!(last <= to + SLACK, "{attack:?} ended after {last:?}, long after {to:?}");
        assert_eq!(early, 0, "{attack:?}: of {} ended before {from:?}", after.len());
    }

    let (p50, p99) = (quantile(&mut latencies, 0.5), quantile(&mut latencies, 0.99));
    let max = quantile(&mut latencies, 1.0);
    println!(
        "attacks: {} ordinary answers: p50 {p50:.2?}, p99 {p99:.2?} (claimed: {P99_CLAIMED:?}), max {max:.2?}",
        latencies.len()
    );

    server.metrics_when("no connection left", |metrics| metrics.value("ringmill_connections") == 0.0);
    wait_until("the descriptors of attackers are closed", || Holdings::of(&server).sockets <= before.sockets);
    wait_until("the memory is given back", || {
        Holdings::of(&server).resident_kib <= before.resident_kib + RESIDENT_KIB_KEPT
    });
    let after = Holdings::of(&server);
    println!("attacks: before {before:?}, after {after:?}");
    assert!(
        after.resident_kib_peak <= before.resident_kib + RESIDENT_KIB_PEAK,
        "{before:?} became {after:?}"
    );
}

/// A hundred users, each as long as may be.
fn fill(server: &Server) {
    let client = &mut server.connect();
    let bytes: Vec<u8> = (1..=100).flat_map(|id| post("/api/users", &user(id))).collect();
    client.send(bytes);
    for _ in 1..=100 {
        assert_eq!(client.read().status, 201);
    }
    let list = client.get("/api/users?per_page=100");
    assert!(list.body.len() > 30_000, "{}", list.body.len());
    assert!(client.get("/large").body.len() >= LARGE_BYTES);
}

fn user(id: usize) -> String {
    let domain = [&"d".repeat(60)[..]; 3].join(".");
    format!(r#"{{"name":"{id:0>100}","email":"{id:0>60}@{domain}"}}"#)
}

/// Over keep-alive connections that take turns, as a balancer's would. Says how long each answer took from the instant at which
/// it was to be asked for: what waits behind a slow answer waits too.
fn ask_at_a_steady_rate(server: &Server, is_over: &AtomicBool) -> Vec<Duration> {
    let round = &mut server.round();
    let mut latencies = Vec::new();
    let begun = Instant::now();
    for number in 0u32.. {
        if is_over.load(Relaxed) {
            break;
        }
        let due = begun + Duration::from_secs(1) / RATE * number;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        match number % 3 {
            0 => drop(round.get("/api/data").is(200, r#"{"data":"Your data here"}"#)),
            1 => {
                let id = number as usize % 100 + 1;
                let row = format!(r#"{{"id":{id},{}"#, &user(id)[1..]);
                round.get(&format!("/api/user/{id}")).is(200, &row);
            }
            _ => {
                let marker = format!(r#"{{"marker":{number}}}"#);
                round.ask("POST", "/echo", Some(&marker)).is(200, &marker);
            }
        }
        latencies.push(due.elapsed());
    }
    latencies
}

struct Ended {
    attack: Attack,
    after: Duration,
}

/// All of them at once; returns when the last has ended.
async fn attack(address: SocketAddr) -> Vec<Ended> {
    let mut tasks = JoinSet::new();
    for number in 0..TRICKLERS.max(DEAF) {
        if number < TRICKLERS {
            let attack = if number % 2 == 0 { Attack::Trickle } else { Attack::TrickleDeaf };
            tasks.spawn(one(attack, address));
        }
        if number < DEAF {
            let attack = if number % 5 == 0 { Attack::DeafList } else { Attack::DeafLarge };
            tasks.spawn(one(attack, address));
        }
        if number < PIPELINERS {
            tasks.spawn(one(Attack::Pipeline, address));
        }
        // Connections beyond what may wait to be accepted would come a second later.
        if number % 100 == 99 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    let mut ended = Vec::new();
    while let Some(each) = tasks.join_next().await {
        ended.push(each.expect("an attacker ends as expected"));
    }
    ended
}

async fn one(attack: Attack, address: SocketAddr) -> Ended {
    let origin = Origin { buffers: Some(32 * 1024), ..Origin::default() };
    let mut peer = Peer::connect_from(address, origin).await.expect("the server accepts");
    let begun = Instant::now();
    let lists = get("/api/users?per_page=100").repeat(100);
    let limit = SEND_STALL + SLACK + Duration::from_secs(40);
    let ending = async {
        match attack {
            Attack::Trickle => trickle(&mut peer).await,
            Attack::TrickleDeaf => trickle_deaf(&peer).await,
            Attack::DeafList => while peer.send(&lists).await.is_ok() {},
            Attack::DeafLarge => {
                // Far below what is read ahead: the server has all of it, and nothing else to reset the connection for.
                peer.send(&get("/large").repeat(60)).await.expect("the server reads");
                peer.is_reset().await;
            }
            Attack::Pipeline => pipeline(&mut peer).await,
        }
    };
    if tokio::time::timeout(limit, ending).await.is_err() {
        panic!("{attack:?} was not ended within {limit:?}");
    }
    Ended { attack, after: begun.elapsed() }
}

/// A head without an end.
fn slow_head() -> impl Iterator<Item = u8> {
    b"GET /api/data HTTP/1.1\r\nHost: a\r\nX-Slow: ".iter().copied().chain(std::iter::repeat(b'x'))
}

async fn trickle(peer: &mut Peer) {
    let mut second = tokio::time::interval(Duration::from_secs(1));
    let mut head = slow_head();
    let begun = Instant::now();
    let answer = loop {
        tokio::select! {
            answer = peer.receive(1024) => {
                answer.unwrap_or_else(|end| panic!("{end:?} after {:?} without a 408", begun.elapsed()));
                break peer.answer().await.expect("it is told why");
            }
            _ = second.tick() => {
                let byte = head.next().unwrap_or_default();
                // What became of it is told by the answer.
                let _ = peer.send(&[byte]).await;
            }
        }
    };
    answer.is(408, r#"{"error":"Request timeout"}"#);
    assert!(answer.closes(), "{answer:?}");
    assert_eq!(peer.end().await, End::Closed);
}

async fn trickle_deaf(peer: &Peer) {
    let mut second = tokio::time::interval(Duration::from_secs(1));
    for byte in slow_head() {
        second.tick().await;
        if peer.send(&[byte]).await.is_err() {
            return;
        }
    }
}

/// All answers come, or a reset: what ends without one is whole.
async fn pipeline(peer: &mut Peer) {
    const REQUESTS: usize = 1000;
    peer.send(&get("/api/data").repeat(REQUESTS)).await.expect("the server reads");
    tokio::time::sleep(SEND_STALL + SLACK).await;
    // By now it is forgotten. What the kernel took of the answers is still there, unless the server gave it up.
    let mut answers = 0;
    let end = loop {
        match peer.answer().await {
            Ok(answer) => drop(answer.is(200, r#"{"data":"Your data here"}"#)),
            Err(end) => break end,
        }
        answers += 1;
    };
    let is_whole = answers == REQUESTS && peer.received.is_empty();
    assert!(is_whole || answers < REQUESTS && end == End::Reset, "{end:?} after {answers} answers");
}
