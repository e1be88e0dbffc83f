//! More is asked of the database than it has room for: what comes waits its turn, nobody is refused while things move, and
//! an ordinary client's requests are among those that are served.

use super::peer::Peer;
use super::{AtEnd, get, post, run};
use crate::server::{Server, Setup};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Of each kind; each has so many requests under way all the time, together more than a shard has room for.
const PIPELINERS: usize = 60;
const AT_ONCE: usize = 40;

#[derive(Clone, Copy, Debug)]
enum Kind {
    Row,
    List,
    Create,
}

#[test]
fn pipelines_of_many_leave_an_ordinary_client_its_turn() {
    // An overloaded machine may be slow: what is asserted is that nobody is refused, not when.
    let server = Setup::shards(2).set("database.wait_timeout", "20s").start();
    let client = &mut server.connect();
    for number in 0..100 {
        let row = format!(r#"{{"name":"n","email":"n{number}@example.com"}}"#);
        assert_eq!(client.ask("POST", "/api/users", Some(&row)).status, 201);
    }
    let is_over = Arc::new(AtomicBool::new(false));
    let (answers, asked) = std::thread::scope(|scope| {
        let pipelining = scope.spawn(|| run(pipeline(server.public, &is_over)));
        let at_end = AtEnd(&is_over);
        let asked = ask(&server);
        drop(at_end);
        (pipelining.join().expect("everyone is served"), asked)
    });
    println!("overload: {answers:?} answers to pipelines, {asked} to the ordinary client");
    assert!(answers.iter().all(|answers| *answers > PIPELINERS), "{answers:?}");
    assert!(asked >= 30, "{asked}");
}

/// One request after the other on connections of their own, for a while.
fn ask(server: &Server) -> usize {
    let begun = Instant::now();
    for number in 0.. {
        if number >= 30 && begun.elapsed() > Duration::from_secs(2) {
            return number;
        }
        let client = &mut server.connect();
        let answer = match number % 3 {
            0 => client.get("/api/user/1"),
            1 => client.get("/api/users"),
            _ => {
                let row = format!(r#"{{"name":"o","email":"o{number}@example.com"}}"#);
                client.ask("POST", "/api/users", Some(&row))
            }
        };
        assert!(matches!(answer.status, 200 | 201), "{answer:?}");
    }
    0
}

/// Says how many answers each kind got.
async fn pipeline(address: SocketAddr, is_over: &Arc<AtomicBool>) -> [usize; 3] {
    let mut answers = [0; 3];
    let mut tasks = JoinSet::new();
    for number in 0..3 * PIPELINERS {
        let kind = [Kind::Row, Kind::List, Kind::Create][number % 3];
        let is_over = is_over.clone();
        tasks.spawn(async move {
            let mut peer = Peer::connect(address).await.expect("the server accepts");
            let mut count = 0;
            while !is_over.load(Relaxed) {
                let requests: Vec<u8> = (0..AT_ONCE)
                    .flat_map(|each| match kind {
                        Kind::Row => get("/api/user/1"),
                        Kind::List => get("/api/users?per_page=100"),
                        Kind::Create => {
                            let email = format!("p{number}.{count}.{each}@example.com");
                            post("/api/users", &format!(r#"{{"name":"p","email":"{email}"}}"#))
                        }
                    })
                    .collect();
                peer.send(&requests).await.expect("the server reads");
                for _ in 0..AT_ONCE {
                    let answer = peer.answer().await.expect("every answer");
                    assert!(matches!(answer.status, 200 | 201), "{kind:?}: {answer:?}");
                    count += 1;
                }
            }
            (number % 3, count)
        });
    }
    while let Some(each) = tasks.join_next().await {
        let (kind, count) = each.expect("everyone is served");
        answers[kind] += count;
    }
    answers
}
