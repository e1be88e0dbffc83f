//! SIGTERM in the middle of everything: whoever got a connection and has sent a byte gets an answer.

use super::peer::{End, Peer};
use super::{Chance, get, number_of, post, raise_descriptors, run};
use crate::pipelining::ENDPOINTS;
use crate::server::{PATIENCE, Server, Setup, Signal};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// How often; RINGMILL_DRAINS sets another number.
const DRAINS: u64 = 8;

/// Far more than anything here takes.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// Between two connections: 500 a second.
const PACE: Duration = Duration::from_millis(2);

/// What became of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    /// Nobody listened.
    Refused,
    /// There was a connection, which ended before it was known to the client.
    ResetAtConnect,
    /// Every request was answered, the last with Connection: close if `told`.
    Answered { told: bool },
    /// A request's bytes were sent, and no answer came.
    Lost(End),
    /// An answer began and did not end.
    Cut(End),
}

fn drained(server: &mut Server, signalled: Instant) -> Duration {
    assert_eq!(server.exit_code(), Some(0));
    let took = signalled.elapsed();
    assert!(took < DRAIN_TIMEOUT, "the end came {took:?} after the signal");
    let log = server.stderr_at_end();
    assert!(log.last().is_some_and(|line| line.contains("0 requests were cut off")), "{log:?}");
    took
}

fn drain_timeout() -> String {
    format!("{}s", DRAIN_TIMEOUT.as_secs())
}

#[test]
fn under_new_connections_and_a_slow_upload_nobody_is_left_without_an_answer() {
    raise_descriptors();
    let seed = Chance::seed("draining");
    let mut chance = Chance(seed);
    for round in 0..number_of("RINGMILL_DRAINS").unwrap_or(DRAINS) {
        let mut server =
            Setup::shards(2).and(ENDPOINTS).set("server.drain_timeout", &drain_timeout()).start();
        let before_signal = Duration::from_millis(300 + chance.below(300) as u64);
        let (fates, signalled) = run(load(&server, round, before_signal));
        let took = drained(&mut server, signalled);
        println!("draining: round {round}: ended {took:.2?} after the signal; {fates:?}");
        let lost = fates.keys().any(|fate| !matches!(fate, Fate::Refused | Fate::Answered { .. }));
        assert!(!lost, "round {round}: {fates:?}");
        // The load spans the end of listening.
        assert!(
            fates.contains_key(&Fate::Refused) && fates.contains_key(&Fate::Answered { told: false }),
            "{fates:?}"
        );
    }
}

/// Connections at a steady rate and an upload, a signal, and what became of them all.
async fn load(server: &Server, round: u64, before_signal: Duration) -> (BTreeMap<Fate, usize>, Instant) {
    let address = server.public;
    let is_over = Arc::new(AtomicBool::new(false));
    let until = is_over.clone();
    let upload = tokio::spawn(upload(address, round, before_signal));
    let connections = tokio::spawn(async move {
        let mut pace = tokio::time::interval(PACE);
        let mut tasks = JoinSet::new();
        for number in 0.. {
            pace.tick().await;
            if until.load(Relaxed) {
                break;
            }
            tasks.spawn(visit(address, number));
        }
        let mut fates = BTreeMap::new();
        while let Some(fate) = tasks.join_next().await {
            *fates.entry(fate.expect("a client ends")).or_default() += 1;
        }
        fates
    });
    tokio::time::sleep(before_signal).await;
    server.signal(Signal::Terminate);
    let signalled = Instant::now();
    tokio::time::sleep(Duration::from_millis(300)).await;
    is_over.store(true, Relaxed);
    upload.await.expect("the upload is answered");
    let fates = tokio::time::timeout(PATIENCE, connections).await.expect("every connection ends");
    (fates.expect("the load ends"), signalled)
}

/// One request, or for every third connection several, one after the other.
async fn visit(address: SocketAddr, number: usize) -> Fate {
    let mut peer = match Peer::connect(address).await {
        Ok(peer) => peer,
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => return Fate::Refused,
        Err(error) if error.kind() == ErrorKind::ConnectionReset => return Fate::ResetAtConnect,
        Err(error) => panic!("no way to be refused: {error}"),
    };
    let requests = if number.is_multiple_of(3) { 2 + number / 3 % 4 } else { 1 };
    for request in 0..requests {
        match ask(&mut peer, number + request, &format!("{number}.{request}")).await {
            Ok(false) => {}
            Ok(true) => return Fate::Answered { told: true },
            Err(fate) => return fate,
        }
    }
    Fate::Answered { told: false }
}

/// Asks something; says whether the answer was the connection's last.
async fn ask(peer: &mut Peer, kind: usize, marker: &str) -> Result<bool, Fate> {
    let (request, status, body) = match kind % 8 {
        0 | 1 => (get("/api/data"), 200, r#"{"data":"Your data here"}"#.to_owned()),
        2 | 3 => (post("/echo", marker), 200, marker.to_owned()),
        4..7 => (
            get(&format!("/slow?marker={marker}&steps=2000")),
            200,
            format!(r#"{{"marker":"{marker}","n":2000}}"#),
        ),
        _ => {
            let person = format!(r#"{{"name":"x","email":"m{marker}@example.com"}}"#);
            (post("/api/users", &person), 201, String::new())
        }
    };
    if let Err(end) = peer.send(&request).await {
        return Err(Fate::Lost(end));
    }
    let answer = tokio::time::timeout(PATIENCE, peer.answer()).await.expect("an answer or an end");
    let answer =
        answer.map_err(|end| if peer.received.is_empty() { Fate::Lost(end) } else { Fate::Cut(end) })?;
    assert_eq!(answer.status, status, "{answer:?}");
    assert!(body.is_empty() || answer.text() == body, "{answer:?}");
    if answer.closes() {
        assert_eq!((peer.end().await, peer.received.len()), (End::Closed, 0));
    }
    Ok(answer.closes())
}

/// A body in pieces: half of them before the signal, half behind it.
async fn upload(address: SocketAddr, round: u64, before_signal: Duration) {
    const PIECES: usize = 10;
    let pause = Duration::from_millis(100);
    let piece = "upload ".repeat(3000);
    tokio::time::sleep(before_signal.saturating_sub(pause * PIECES as u32 / 2)).await;
    let mut peer = Peer::connect(address).await.expect("the server accepts");
    let head = if round.is_multiple_of(2) {
        format!("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", piece.len() * PIECES)
    } else {
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned()
    };
    peer.send(head.as_bytes()).await.expect("the server reads");
    for _ in 0..PIECES {
        let bytes =
            if round.is_multiple_of(2) { piece.clone() } else { format!("{:x}\r\n{piece}\r\n", piece.len()) };
        peer.send(bytes.as_bytes()).await.expect("the server reads");
        tokio::time::sleep(pause).await;
    }
    if round % 2 == 1 {
        peer.send(b"0\r\n\r\n").await.expect("the server reads");
    }
    let answer = peer.answer().await.unwrap_or_else(|end| panic!("the upload: {end:?}"));
    assert!(
        answer.status == 200 && answer.text() == piece.repeat(PIECES) && answer.closes(),
        "{}",
        answer.status
    );
    assert_eq!(peer.end().await, End::Closed);
}

#[test]
fn clients_that_ask_without_a_pause_lose_no_answer() {
    const CLIENTS: usize = 40;
    const ROUNDS: usize = 10;
    let seed = Chance::seed("draining under keep-alive");
    let mut chance = Chance(seed);
    for round in 0..ROUNDS {
        let mut server =
            Setup::shards(2).and(ENDPOINTS).set("server.drain_timeout", &drain_timeout()).start();
        let address = server.public;
        let before_signal = Duration::from_millis(50 + chance.below(150) as u64);
        let (answers, signalled) = run(async {
            let mut tasks = JoinSet::new();
            for client in 0..CLIENTS {
                tasks.spawn(ask_without_a_pause(address, client));
            }
            tokio::time::sleep(before_signal).await;
            server.signal(Signal::Terminate);
            let signalled = Instant::now();
            let mut answers = Vec::new();
            while let Some(each) = tasks.join_next().await {
                answers.push(each.expect("a client ends"));
            }
            (answers, signalled)
        });
        let took = drained(&mut server, signalled);
        let lost: Vec<_> = answers.iter().filter_map(|answer| answer.err()).collect();
        let count: usize = answers.iter().filter_map(|answer| answer.ok()).sum();
        println!(
            "draining under keep-alive: round {round}: {count} answers, ended {took:.2?} after the signal"
        );
        assert!(lost.is_empty(), "round {round}: {lost:?}");
        assert_eq!(answers.len(), CLIENTS);
    }
}

/// Until the server says that an answer is the last; how many there were.
async fn ask_without_a_pause(address: SocketAddr, client: usize) -> Result<usize, Fate> {
    let mut peer = Peer::connect(address).await.expect("the server accepts");
    for answers in 1.. {
        if ask(&mut peer, client + answers, &format!("{client}.{answers}")).await? {
            return Ok(answers);
        }
    }
    Ok(0)
}
