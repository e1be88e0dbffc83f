//! Short connections, one after the other in great number, that end at any point: no byte of another's comes back, and
//! nothing of theirs stays.

use super::peer::{Origin, Peer};
use super::{Chance, Holdings, get, number_of, post, run, wait_until};
use crate::client::{decode_head, request};
use crate::pipelining::ENDPOINTS;
use crate::server::{PATIENCE, Setup};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Instant;
use tokio::task::JoinSet;

/// RINGMILL_CHURN sets another number.
const CONNECTIONS: u64 = 20_000;

/// At the same time.
const CONCURRENT: usize = 64;

/// What memory may grow by after the first connections, for what is kept for reuse.
const RESIDENT_KIB_KEPT: u64 = 16 * 1024;

/// Where a client goes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Cut {
    BeforeRequest,
    WithinRequest,
    AfterRequest,
    WithinAnswer,
    AfterAnswer,
}

const CUTS: [Cut; 5] =
    [Cut::BeforeRequest, Cut::WithinRequest, Cut::AfterRequest, Cut::WithinAnswer, Cut::AfterAnswer];

#[test]
fn no_connection_gets_a_byte_of_anothers_and_none_is_left() {
    let count = number_of("RINGMILL_CHURN").unwrap_or(CONNECTIONS);
    let seed = Chance::seed("churn");
    let mut server = Setup::shards(2).and(ENDPOINTS).set("log.slow_request", "").start();
    // The first ones fill what is kept for reuse, and have every reader of the database open its files.
    let warm = count / 5;
    run(churn(server.public, seed, 0..warm as usize));
    let is_left = || server.metrics().value("ringmill_connections") != 0.0;
    wait_until("the first connections are closed", || !is_left());
    let warmed = Holdings::of(&server);
    let begun = Instant::now();
    let told = run(churn(server.public, seed, warm as usize..count as usize));
    let took = begun.elapsed();
    println!(
        "churn: {} connections in {took:.1?}, {:.0}/s",
        count - warm,
        (count - warm) as f64 / took.as_secs_f64()
    );
    for ((cut, answers), connections) in &told {
        println!("churn: {cut:?} with {answers} whole answers: {connections}");
    }
    assert_eq!(told.values().sum::<usize>() as u64, count - warm);

    wait_until("no connection is left", || !is_left());
    let metrics = server.metrics();
    let failed =
        metrics.series("http_requests_total").into_iter().filter(|(labels, _)| labels.contains("status=\"5"));
    assert_eq!(failed.collect::<Vec<_>>(), []);
    wait_until("all descriptors closed", || Holdings::of(&server).sockets <= warmed.sockets);
    let after = Holdings::of(&server);
    println!("churn: after a fifth {warmed:?}, after all {after:?}");
    assert!(after.resident_kib <= warmed.resident_kib + RESIDENT_KIB_KEPT, "{warmed:?} became {after:?}");

    // No receive buffer is lost: more than all of them hold is received at the same time.
    let body = "b".repeat(900_000);
    let mut clients: Vec<_> = (0..12).map(|_| server.connect()).collect();
    clients.iter_mut().for_each(|client| client.send(post("/echo", &body)));
    assert!(clients.iter_mut().all(|client| client.read().text() == body));
    drop(clients);
    assert_eq!(server.term(), Some(0));
    let log = server.stderr_at_end();
    assert!(log.last().is_some_and(|line| line.contains("0 requests were cut off")), "{log:?}");
}

/// How many connections ended where, with how many whole answers.
type Told = BTreeMap<(Cut, usize), usize>;

async fn churn(address: SocketAddr, seed: u64, range: std::ops::Range<usize>) -> Told {
    let next = Arc::new(AtomicUsize::new(range.start));
    let mut tasks = JoinSet::new();
    for _ in 0..CONCURRENT {
        let next = next.clone();
        tasks.spawn(async move {
            let mut told = Told::new();
            loop {
                let number = next.fetch_add(1, Relaxed);
                if number >= range.end {
                    return told;
                }
                let visit = tokio::time::timeout(PATIENCE, visit(address, seed, number)).await;
                let visited = visit.unwrap_or_else(|_| panic!("connection {number} has no end"));
                *told.entry(visited).or_default() += 1;
            }
        });
    }
    let mut told = Told::new();
    while let Some(each) = tasks.join_next().await {
        for (visited, count) in each.expect("a client ends as expected") {
            *told.entry(visited).or_default() += count;
        }
    }
    told
}

/// Requests, and the body of each answer.
struct Conversation {
    requests: Vec<u8>,
    expected: Vec<Vec<u8>>,
}

impl Conversation {
    fn new(chance: &mut Chance, marker: &str) -> Conversation {
        let mut conversation = Conversation { requests: Vec::new(), expected: Vec::new() };
        let count = if chance.below(4) == 0 { 1 + chance.below(4) } else { 1 };
        for part in 0..count {
            conversation.ask(chance, &format!("{marker}.{part}"));
        }
        conversation
    }

    fn ask(&mut self, chance: &mut Chance, marker: &str) {
        match chance.below(4) {
            0 => {
                let field = format!("X-Marker: {marker}");
                self.requests.extend(request("GET", "/echo", &[&field], None));
                self.expected.push(format!("Host: ringmill.test\n{field}\n").into_bytes());
            }
            1 => {
                let body = marker.repeat(1 + chance.below(8));
                self.requests.extend(post("/echo", &body));
                self.expected.push(body.into_bytes());
            }
            2 => {
                let body = marker.repeat(1 + chance.below(4000));
                self.requests.extend(post("/echo", &body));
                self.expected.push(body.into_bytes());
            }
            // Answered later, by another thread: perhaps when the place of this connection has another owner.
            _ => {
                self.requests.extend(get(&format!("/slow?marker={marker}&steps=300")));
                self.expected.push(format!(r#"{{"marker":"{marker}","n":300}}"#).into_bytes());
            }
        }
    }
}

async fn visit(address: SocketAddr, seed: u64, number: usize) -> (Cut, usize) {
    let mut chance = Chance(seed ^ (number as u64).wrapping_mul(0xd134_2543_de82_ef95));
    let marker = format!("m{number}");
    let conversation = Conversation::new(&mut chance, &marker);
    let requests = &conversation.requests;
    // Ports are per address.
    let source = Ipv4Addr::from(0x7f01_0000 + (number as u32 % 0xf0_0000));
    let origin = Origin { source: Some(source), ..Origin::default() };
    let mut peer = Peer::connect_from(address, origin).await.expect("the server accepts");
    let cut = CUTS[chance.below(CUTS.len())];
    let sent = match cut {
        Cut::BeforeRequest => Ok(()),
        Cut::WithinRequest => peer.send(&requests[..1 + chance.below(requests.len() - 1)]).await,
        Cut::AfterRequest | Cut::WithinAnswer | Cut::AfterAnswer => peer.send(requests).await,
    };
    sent.unwrap_or_else(|end| panic!("connection {number}: {end:?} instead of being read"));
    let least: usize = conversation.expected.iter().map(Vec::len).sum();
    let bytes_max = match cut {
        Cut::WithinAnswer => 1 + chance.below(least),
        Cut::AfterAnswer => usize::MAX,
        // What may have come meanwhile is looked at too.
        Cut::BeforeRequest | Cut::WithinRequest | Cut::AfterRequest => 0,
    };
    let mut answers = 0;
    while peer.received.len() < bytes_max && answers < conversation.expected.len() {
        let left = bytes_max - peer.received.len();
        if let Err(end) = peer.receive(left.min(64 * 1024)).await {
            panic!("connection {number}: {end:?} within its answers, after {:?}", shown(&peer.received));
        }
        answers = check(number, &peer.received, &conversation.expected);
    }
    peer.look();
    answers = check(number, &peer.received, &conversation.expected).max(answers);
    if chance.below(10) == 0 {
        // Once in a while politely.
        drop(peer);
    } else {
        peer.vanish();
    }
    (cut, answers)
}

/// Checks every byte; says how many answers are whole.
fn check(number: usize, received: &[u8], expected: &[Vec<u8>]) -> usize {
    const LINE: &[u8] = b"HTTP/1.1 200 OK\r\n";
    let mut rest = received;
    for (answers, body) in expected.iter().enumerate() {
        let line = rest.len().min(LINE.len());
        assert!(rest[..line] == LINE[..line], "connection {number}: {:?}", shown(rest));
        let Some((response, start, length)) = decode_head(rest) else { return answers };
        assert_eq!(length, body.len(), "connection {number}: {response:?}");
        let came = &rest[start..rest.len().min(start + length)];
        assert!(*came == body[..came.len()], "connection {number}: {:?}", shown(came));
        if came.len() < length {
            return answers;
        }
        rest = &rest[start + length..];
    }
    assert!(rest.is_empty(), "connection {number}, behind its answers: {:?}", shown(rest));
    expected.len()
}

fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(400)]).into_owned()
}
