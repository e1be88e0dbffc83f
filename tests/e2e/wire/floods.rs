//! Bodies in a flood, from clients that read slowly or not at all: more than all receive buffers hold comes in every turn.
//! Everyone goes on, the many that ask little and the few that flood.

use super::peer::{Origin, Peer};
use super::{AtEnd, get, post, quantile, run};
use crate::pipelining::ENDPOINTS;
use crate::server::{PATIENCE, Setup};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const FLOODERS: usize = 12;
/// How many of them read nothing while they flood.
const DEAF: usize = 4;
const BODY_BYTES: usize = 1024 * 1024;

const OTHERS: usize = 100;
/// Between two requests of each of the others.
const PACE: Duration = Duration::from_millis(200);
const SECONDS: usize = 6;

#[test]
fn floods_of_bodies_starve_nobody() {
    let mut server = Setup::shards(2).alone().and(ENDPOINTS).start();
    let is_over = Arc::new(AtomicBool::new(false));
    let (flooded, others) = std::thread::scope(|scope| {
        let at_end = AtEnd(&is_over);
        let flooding = scope.spawn(|| run(flood(server.public, &is_over)));
        let others = run(ask(server.public));
        drop(at_end);
        (flooding.join().expect("those who flood are served"), others)
    });
    println!(
        "floods: bodies completed by each of {FLOODERS} (the last {DEAF} read nothing meanwhile): {flooded:?}"
    );
    let mut latencies: Vec<_> =
        others.iter().flat_map(|other| other.iter().map(|answer| answer.took)).collect();
    let (p50, p99) = (quantile(&mut latencies, 0.5), quantile(&mut latencies, 0.99));
    let gap = others.iter().map(|other| worst_gap(other)).max().unwrap_or_default();
    println!(
        "floods: {} answers of {OTHERS} others: p50 {p50:.2?}, p99 {p99:.2?}, max {:.2?}; worst gap {gap:.2?}",
        latencies.len(),
        quantile(&mut latencies, 1.0)
    );
    assert!(flooded.iter().all(|bodies| *bodies > 0), "{flooded:?}");
    for (number, other) in others.iter().enumerate() {
        for second in 0..SECONDS as u64 {
            let answers = other.iter().filter(|answer| answer.at.as_secs() == second).count();
            assert!(answers > 0, "client {number} has no answer in second {second}");
        }
    }
    assert_eq!(server.term(), Some(0));
}

struct Answer {
    /// Since the beginning of this client.
    at: Duration,
    took: Duration,
}

fn worst_gap(answers: &[Answer]) -> Duration {
    let gaps = answers.windows(2).map(|pair| pair[1].at - pair[0].at);
    gaps.max().unwrap_or_default()
}

/// The hundred.
async fn ask(address: SocketAddr) -> Vec<Vec<Answer>> {
    let mut tasks = JoinSet::new();
    for client in 0..OTHERS {
        tasks.spawn(async move {
            tokio::time::sleep(PACE / OTHERS as u32 * client as u32).await;
            let mut peer = Peer::connect(address).await.expect("the server accepts");
            let mut answers = Vec::new();
            let begun = Instant::now();
            let mut pace = tokio::time::interval(PACE);
            for number in 0.. {
                pace.tick().await;
                let marker = format!("client {client}, request {number}");
                let request = if number % 2 == 0 { post("/echo", &marker) } else { get("/api/data") };
                let asked = Instant::now();
                peer.send(&request).await.expect("the server reads");
                let answer = tokio::time::timeout(PATIENCE, peer.answer()).await.expect("an answer in time");
                let answer = answer.unwrap_or_else(|end| panic!("{end:?} instead of an answer"));
                let expected = if number % 2 == 0 { &marker } else { r#"{"data":"Your data here"}"# };
                assert_eq!((answer.status, answer.text().as_str()), (200, expected));
                answers.push(Answer { at: begun.elapsed(), took: asked.elapsed() });
                if begun.elapsed() >= Duration::from_secs(SECONDS as u64) {
                    break;
                }
            }
            answers
        });
    }
    tasks.join_all().await
}

/// The twelve: until it is over. Says how many bodies came back whole to each.
async fn flood(address: SocketAddr, is_over: &Arc<AtomicBool>) -> Vec<usize> {
    let mut tasks = Vec::new();
    for number in 0..FLOODERS {
        let is_over = is_over.clone();
        let is_deaf = number >= FLOODERS - DEAF;
        tasks.push(tokio::spawn(async move {
            let body = format!("{number:04}").repeat(BODY_BYTES / 4);
            let request = post("/echo", &body);
            let origin = Origin { buffers: Some(256 * 1024), ..Origin::default() };
            let mut peer = Peer::connect_from(address, origin).await.expect("the server accepts");
            let sender = peer.sender();
            let sending = tokio::spawn(async move {
                loop {
                    sender.send(&request).await.expect("the server reads");
                }
            });
            let bodies = if is_deaf {
                while !is_over.load(Relaxed) {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                completed(&mut peer, &body, |bodies| bodies == 3).await
            } else {
                completed(&mut peer, &body, |_| is_over.load(Relaxed)).await
            };
            // A send that fails is a failure of the test; one that waits is over.
            assert!(!sending.is_finished() || sending.await.is_ok(), "client {number} was not read");
            bodies
        }));
    }
    let mut bodies = Vec::new();
    for task in tasks {
        bodies.push(task.await.expect("a client ends as expected"));
    }
    bodies
}

/// Reads slowly until `is_over` says so, of the bodies that came back whole.
async fn completed(peer: &mut Peer, body: &str, is_over: impl Fn(usize) -> bool) -> usize {
    const AT_ONCE: usize = 256 * 1024;
    for bodies in 0.. {
        loop {
            if let Some((answer, length)) = crate::client::decode(&peer.received) {
                assert!(answer.status == 200 && answer.body == body.as_bytes(), "{}", answer.status);
                peer.received.drain(..length);
                break;
            }
            if is_over(bodies) {
                return bodies;
            }
            let received =
                tokio::time::timeout(PATIENCE, peer.receive(AT_ONCE)).await.expect("an answer goes on");
            received.unwrap_or_else(|end| panic!("{end:?} within an answer"));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    0
}
