//! Fewer descriptors than connections: those that found one are served, the others wait and are served when some leave, and
//! the log does not tell of every attempt.

use super::peer::Peer;
use super::{Holdings, get, run, wait_until};
use crate::pipelining::ENDPOINTS;
use crate::server::{PATIENCE, Server, Setup};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const CONNECTIONS: usize = 200;

/// How long all descriptors are taken.
const HELD: Duration = Duration::from_secs(3);

/// Lines about it: some for each of two shards, not one for each of the attempts, of which there are many in a second.
const LINES_MAX: usize = 12;

#[test]
fn without_descriptors_accepting_pauses_and_recovers() {
    let mut server = Setup::shards(2)
        .under(&["prlimit", "--nofile=64:64"])
        .and(ENDPOINTS)
        .set("http.max_connections", "500")
        .start();
    let before = Holdings::of(&server);
    // Made while there are descriptors, it can be asked when there are none.
    let admin = &mut server.connect_admin();
    assert_eq!(admin.get("/ready").status, 200);
    let (held, all) = run(crowd(&server));
    let lines = pauses(&server);
    println!(
        "descriptors: {held} of {CONNECTIONS} served at once, all {all:.2?} after they began to leave; {lines} lines"
    );
    assert!((8..64).contains(&held), "{held} connections found a descriptor");
    assert!((1..=LINES_MAX).contains(&lines), "{lines} lines about it");
    let told = server.log_line("with the remedy", |line| {
        line["message"].as_str().is_some_and(|message| message.contains("ulimit -n"))
    });
    println!("descriptors: {told}");
    server.connect().goes_on();
    assert_eq!(admin.get("/ready").status, 200);
    wait_until("their descriptors are closed", || Holdings::of(&server).sockets <= before.sockets + 1);
    assert_eq!(server.term(), Some(0));
}

fn pauses(server: &Server) -> usize {
    server.log().iter().filter(|line| line.contains("Accepting connections pauses")).count()
}

/// Says how many were served while nobody left, and how long it took until all were.
async fn crowd(server: &Server) -> (usize, Duration) {
    let address = server.public;
    let served = Arc::new(AtomicUsize::new(0));
    let may_leave = Arc::new(AtomicBool::new(false));
    let mut tasks = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (served, may_leave) = (served.clone(), may_leave.clone());
        tasks.spawn(async move {
            let mut peer = Peer::connect(address).await.expect("the kernel accepts");
            for request in 0.. {
                peer.send(&get("/api/data")).await.expect("the server reads");
                let answer = peer.answer().await.unwrap_or_else(|end| panic!("{end:?} instead of an answer"));
                answer.is(200, r#"{"data":"Your data here"}"#);
                served.fetch_add(usize::from(request == 0), Relaxed);
                if may_leave.load(Relaxed) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
    }
    tokio::time::sleep(HELD).await;
    let held = served.load(Relaxed);
    may_leave.store(true, Relaxed);
    let begun = Instant::now();
    let all = async {
        while let Some(each) = tasks.join_next().await {
            each.expect("every client is served");
        }
    };
    tokio::time::timeout(PATIENCE, all).await.expect("all are served when some leave");
    assert_eq!(served.load(Relaxed), CONNECTIONS);
    (held, begun.elapsed())
}
