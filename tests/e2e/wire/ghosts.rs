//! Half a request and at once a reset: the kernel does not always tell a multishot receive of a reset right behind data,
//! and the server has to notice all the same.

use super::peer::Peer;
use super::{Holdings, post, raise_descriptors, run, wait_until};
use crate::client::Client;
use crate::pipelining::ENDPOINTS;
use crate::server::Setup;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::task::JoinSet;

const GHOSTS: usize = 3000;
const CONCURRENT: usize = 100;

/// Far below every deadline of this server.
const NOTICED_WITHIN: Duration = Duration::from_secs(8);

#[test]
fn half_a_request_and_a_reset_leave_nothing() {
    raise_descriptors();
    let server = Setup::shards(2)
        .and(ENDPOINTS)
        .set("http.head_timeout", "1h")
        .set("http.body_timeout", "1h")
        .set("http.idle_timeout", "1h")
        .start();
    let asker = &mut server.connect();
    assert_eq!(connections(asker), 1.0);
    let before = Holdings::of(&server);
    run(haunt(server.public));
    let mut left = 0.0;
    let took = wait_until("only the one that asks is left", || {
        let now = connections(asker);
        if now != left {
            println!("ghosts: {now} connections");
            left = now;
        }
        now == 1.0
    });
    println!("ghosts: forgotten {took:.2?} after the last of {GHOSTS}");
    assert!(took < NOTICED_WITHIN, "{took:?}");
    wait_until("their descriptors are closed", || Holdings::of(&server).sockets <= before.sockets);
}

fn connections(asker: &mut Client) -> f64 {
    let text = asker.get("/metrics").text();
    let value = |line: &str| line.strip_prefix("ringmill_connections ")?.parse().ok();
    text.lines().find_map(value).unwrap_or_else(|| panic!("no number of connections in {text}"))
}

async fn haunt(address: SocketAddr) {
    let mut tasks = JoinSet::new();
    for first in 0..CONCURRENT {
        tasks.spawn(async move {
            for number in (first..GHOSTS).step_by(CONCURRENT) {
                ghost(address, number).await;
            }
        });
    }
    while let Some(each) = tasks.join_next().await {
        each.expect("a client ends as expected");
    }
}

async fn ghost(address: SocketAddr, number: usize) {
    let peer = Peer::connect(address).await.expect("the server accepts");
    let small = post("/echo", "0123456789");
    let large = post("/echo", &"0123456789".repeat(50_000));
    let bytes = match number % 6 {
        0 | 1 => &b"GET /api/data HTTP/1.1\r\nHost: a\r\nX-Half"[..],
        2 => b"GE",
        3 => &small[..small.len() - 5],
        4 => &large[..large.len() / 10 * (1 + number / 6 % 9)],
        _ => b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nabc",
    };
    let half = bytes.len() / 2;
    peer.send(&bytes[..half]).await.expect("the server reads");
    // Sometimes what follows finds the server waiting for it.
    match number / 6 % 3 {
        0 => {}
        1 => tokio::task::yield_now().await,
        _ => tokio::time::sleep(Duration::from_millis(10)).await,
    }
    peer.send(&bytes[half..]).await.expect("the server reads");
    if number / 18 % 2 == 1 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    peer.vanish();
}
