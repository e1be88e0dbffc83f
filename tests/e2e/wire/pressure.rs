//! What is not a client but can stop a server all the same: a log that nobody reads, scrapes without end.

use super::peer::{End, Peer};
use super::{AtEnd, get, run, wait_until};
use crate::pipelining::ENDPOINTS;
use crate::server::{PATIENCE, Setup, Signal};
use std::io::{ErrorKind, PipeWriter, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Far more than the drains here take.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// Leaves room for nothing.
fn fill(pipe: &mut PipeWriter) {
    rustix::io::ioctl_fionbio(&*pipe, true).expect("FIONBIO");
    for size in [4096, 1] {
        let error = loop {
            if let Err(error) = pipe.write(&vec![b'\n'; size]) {
                break error;
            }
        };
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
    }
    // Its other end is the server's, which has to find what it would find anywhere.
    rustix::io::ioctl_fionbio(&*pipe, false).expect("FIONBIO");
}

#[test]
fn a_log_that_nobody_reads_stops_nothing() {
    let (unread, mut pipe) = std::io::pipe().expect("a pipe");
    fill(&mut pipe);
    let mut server = Setup::shards(2)
        .and(ENDPOINTS)
        .set("log.access", "all")
        .set("log.level", "debug")
        .set("server.drain_timeout", "10s")
        .stderr(pipe)
        .start();
    let begun = Instant::now();
    let round = &mut server.round();
    // More lines than may wait for standard error.
    const REQUESTS: usize = 12_000;
    const AT_ONCE: usize = 100;
    for number in 0..REQUESTS / AT_ONCE {
        let client = round.next();
        client.send(get("/api/data").repeat(AT_ONCE));
        for _ in 0..AT_ONCE {
            client.read().is(200, r#"{"data":"Your data here"}"#);
        }
        let row = format!(r#"{{"marker":"{number}","n":10}}"#);
        round.get(&format!("/slow?marker={number}&steps=10")).is(200, &row);
        assert_eq!(round.ask("BREW", "/api/data", None).status, 501);
    }
    let took = begun.elapsed();
    let metrics = server.metrics();
    let dropped = metrics.value("ringmill_log_dropped_total");
    println!(
        "pressure: {REQUESTS} answers in {took:.2?} with a log that is full; {dropped} lines were dropped"
    );
    assert!(dropped > 0.0, "{}", metrics.0);
    let signalled = Instant::now();
    assert_eq!(server.term(), Some(0));
    let took = signalled.elapsed();
    println!("pressure: ended {took:.2?} after the signal");
    assert!(took < DRAIN_TIMEOUT, "{took:?}");
    drop(unread);
}

#[test]
fn floods_of_scrapes_stop_neither_readiness_nor_the_end() {
    const CLIENTS: usize = 16;
    let mut server = Setup::shards(2).alone().and(ENDPOINTS).set("server.drain_timeout", "10s").start();
    let is_over = Arc::new(AtomicBool::new(false));
    let (public, admin) = (server.public, server.admin);
    let (scrapes, worst, signalled) = std::thread::scope(|scope| {
        let at_end = AtEnd(&is_over);
        let flooding = scope.spawn(|| {
            run(async {
                let mut tasks = Vec::new();
                for client in 0..CLIENTS {
                    tasks.push(tokio::spawn(scrape(
                        public,
                        Listener::Public { deep: 1 + client % 4 * 3 },
                        is_over.clone(),
                    )));
                    tasks.push(tokio::spawn(scrape(admin, Listener::Admin, is_over.clone())));
                }
                let mut scrapes = Vec::new();
                for task in tasks {
                    scrapes.push(task.await.expect("a client ends as expected"));
                }
                scrapes
            })
        });
        let mut worst = Duration::ZERO;
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(3) {
            let asked = Instant::now();
            server.connect_admin().get("/ready").is(200, r#"{"status":"ready"}"#);
            worst = worst.max(asked.elapsed());
            std::thread::sleep(Duration::from_millis(20));
        }
        server.signal(Signal::Terminate);
        let signalled = Instant::now();
        // Those of the public listener are told; those of the admin listener end with the process.
        assert_eq!(server.exit_code(), Some(0));
        let signalled = signalled.elapsed();
        drop(at_end);
        (flooding.join().expect("clients end as expected"), worst, signalled)
    });
    let sum: usize = scrapes.iter().sum();
    println!(
        "pressure: {sum} scrapes; /ready took at most {worst:.2?}; ended {signalled:.2?} after the signal"
    );
    assert!(scrapes.iter().all(|scrapes| *scrapes > 0), "{scrapes:?}");
    assert!(signalled < DRAIN_TIMEOUT, "{signalled:?}");
}

#[derive(Clone, Copy, Debug)]
enum Listener {
    /// So many requests are sent at once.
    Public {
        deep: usize,
    },
    Admin,
}

/// Scrapes without a pause; says how often.
async fn scrape(address: SocketAddr, listener: Listener, is_over: Arc<AtomicBool>) -> usize {
    let deep = match listener {
        Listener::Public { deep } => deep,
        Listener::Admin => 1,
    };
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\n\r\n").repeat(deep);
    let mut peer = Peer::connect(address).await.expect("the server accepts");
    let mut scrapes = 0;
    while !is_over.load(Relaxed) {
        let sent = peer.send(request.as_bytes()).await;
        for number in 0..deep {
            let answer = match &sent {
                Ok(()) => tokio::time::timeout(PATIENCE, peer.answer()).await.expect("an answer in time"),
                Err(end) => Err(*end),
            };
            match (answer, listener) {
                (Ok(answer), _) => {
                    assert_eq!(answer.status, 200);
                    scrapes += 1;
                    if answer.closes() {
                        assert_eq!(peer.end().await, End::Closed);
                        return scrapes;
                    }
                }
                (Err(_), Listener::Admin) => return scrapes,
                (Err(end), Listener::Public { .. }) => panic!("{end:?} instead of answer {number} of {deep}"),
            }
        }
    }
    scrapes
}

#[test]
fn a_client_does_not_fill_the_log() {
    const REQUESTS: usize = 20_000;
    /// Of one core.
    const LINES_PER_SECOND: usize = 1000;
    let server = Setup::shards(1).start();
    let begun = Instant::now();
    let client = &mut server.connect();
    for _ in 0..REQUESTS / 100 {
        client.send(b"BREW /api/data HTTP/1.1\r\nHost: a\r\n\r\n".repeat(100));
        for _ in 0..100 {
            assert_eq!(client.read().status, 501);
        }
    }
    // The second in which it began and the one in which it ended count as whole ones.
    let lines_max = LINES_PER_SECOND * (begun.elapsed().as_secs() as usize + 2);
    let metrics = server.metrics();
    let dropped = metrics.value("ringmill_log_dropped_total") as usize;
    let told = || server.log().iter().filter(|line| line.contains("was answered with 501")).count();
    wait_until("every line is there or counted", || told() + dropped == REQUESTS);
    println!("pressure: {} lines, {dropped} dropped", told());
    assert!(told() <= lines_max, "{} lines, at most {lines_max} were allowed", told());
}
