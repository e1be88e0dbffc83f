//! Clients that go away in the middle of something harm nobody, and nothing of theirs stays.

use crate::client::request;
use crate::pipelining::ENDPOINTS;
use crate::server::{Server, Setup};

const CONNECTIONS: &str = "ringmill_connections";
const UNDER_WAY: &str = "ringmill_db_under_way{server=\"sqlite\"}";

/// Waits until only `count` connections are left and the database is idle.
fn settles(server: &Server, count: usize) {
    server.metrics_when("the connections that are left", |metrics| {
        metrics.value(CONNECTIONS) == count as f64 && metrics.value(UNDER_WAY) == 0.0
    });
}

#[test]
fn clients_that_vanish_harm_nobody() {
    let server = Setup::shards(4).and(ENDPOINTS).start();
    let mut others: Vec<_> = (0..16).map(|_| server.connect()).collect();
    others.iter_mut().for_each(|other| other.goes_on());
    settles(&server, 16);
    let body = "x".repeat(200_000);
    let large = request("POST", "/echo", &[], Some(&body));
    let slow = request("GET", "/slow?marker=m&steps=1000000", &[], None);
    let person = request("POST", "/api/users", &[], Some(r#"{"name":"x","email":"x@example.com"}"#));
    let mut behind = slow.clone();
    behind.extend(&person);
    behind.extend(&large);
    for (what, bytes) in [
        ("before a byte", Vec::new()),
        ("within a head", b"GET /health HTTP/1.1\r\nHo".to_vec()),
        ("within a body", large[..100_000].to_vec()),
        (
            "within a chunk",
            b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nabc".to_vec(),
        ),
        ("when it is told to go on", {
            b"POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n".to_vec()
        }),
        ("before a constant", request("GET", "/health", &[], None).repeat(10)),
        ("within a large answer", large.repeat(20)),
        ("before a slow answer", slow.clone()),
        ("with much behind a slow answer", behind),
    ] {
        eprintln!("{what}");
        for _ in 0..8 {
            let mut client = server.connect();
            client.send_if_taken(&bytes);
            client.vanish();
            // And once politely.
            let mut client = server.connect();
            client.send_if_taken(&bytes[..bytes.len().min(100_000)]);
            drop(client);
        }
        for (index, other) in others.iter_mut().enumerate() {
            let marker = format!("{what} {index}");
            other.send(request("POST", "/echo", &[], Some(&marker)));
            other.send(request("GET", "/api/user/99", &[], None));
            assert_eq!(other.read().text(), marker);
            other.read().is(404, r#"{"error":"User not found"}"#);
        }
        settles(&server, 16);
    }
    // What was begun of a write is whole: the row is there once or not at all.
    let total = others[0].get("/api/users").json()["total"].as_u64();
    assert!(total.is_some_and(|total| total <= 1), "{total:?}");
    let metrics = server.metrics();
    assert_eq!(metrics.value("ringmill_log_dropped_total"), 0.0, "{}", metrics.0);
}

#[test]
fn a_client_that_reads_half_an_answer_and_vanishes_is_forgotten() {
    let server = Setup::shards(2).and(ENDPOINTS).start();
    let body = "y".repeat(900_000);
    for _ in 0..4 {
        let mut client = server.connect();
        client.send(request("POST", "/echo", &[], Some(&body)));
        client.read_exactly(b"HTTP/1.1 200 OK\r\n");
        client.vanish();
    }
    let other = &mut server.connect();
    assert!(other.ask("POST", "/echo", Some(&body)).text() == body);
    settles(&server, 1);
    other.goes_on();
}
