//! From a signal to the end: what is in flight is answered, the rest closes, and the exit code says how it went.

use crate::client::request;
use crate::pipelining::ENDPOINTS;
use crate::server::{PATIENCE, Server, Setup, Signal};
use std::io::ErrorKind;
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// What an answer that waits for nobody takes less than.
const NO_WAIT: Duration = Duration::from_millis(1500);

const UNDER_WAY: &str = "ringmill_db_under_way{server=\"sqlite\"}";

/// Long enough for a signal to come in between, and then over.
const SLOW: &str = "/slow?marker=m&steps=40000000";
/// Never over.
const ENDLESS: &str = "/slow?marker=m&steps=2147483647";

/// A server whose drain lasts longer than this test waits, so that only what is done in time ends it.
fn patient() -> Setup<'static> {
    Setup::shards(2)
        .and(ENDPOINTS)
        .set("server.drain_timeout", "1h")
        .set("http.request_timeout", "1h")
        .set("database.statement_timeout", "1h")
}

fn is_under_way(server: &Server) {
    server.metrics_when("a request under way", |metrics| metrics.value(UNDER_WAY) >= 1.0);
}

/// Waits until nobody listens any more.
fn refuses(server: &Server) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match TcpStream::connect(server.public) {
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => return,
            _ => assert!(Instant::now() < deadline, "connections are still accepted"),
        }
    }
}

#[test]
fn a_server_with_nothing_to_do_ends_at_once() {
    for signal in [Signal::Terminate, Signal::Interrupt] {
        let mut server = patient().start();
        let mut idle: Vec<_> = (0..10).map(|_| server.connect()).collect();
        idle.iter_mut().for_each(|client| client.goes_on());
        server.signal(signal);
        idle.iter_mut().for_each(|client| client.ends());
        assert_eq!(server.exit_code(), Some(0), "{signal:?}");
        let log = server.stderr_at_end();
        assert!(log.last().is_some_and(|line| line.contains("0 requests were cut off")), "{log:?}");
    }
}

#[test]
fn a_connection_that_never_asks_does_not_hold_up_the_end() {
    let mut server = patient().start();
    let mut silent: Vec<_> = (0..4).map(|_| server.connect()).collect();
    server.metrics_when("all of them", |metrics| metrics.value("ringmill_connections") == 4.0);
    server.signal(Signal::Terminate);
    silent.iter_mut().for_each(|client| client.ends());
    assert_eq!(server.exit_code(), Some(0));
}

#[test]
fn what_is_in_flight_is_answered_and_then_all_ends() {
    let mut server = patient().start();
    let client = &mut server.connect();
    client.send(request("GET", SLOW, &[], None));
    is_under_way(&server);
    server.signal(Signal::Terminate);
    refuses(&server);
    let answer = client.read();
    answer.is(200, r#"{"marker":"m","n":40000000}"#);
    assert!(answer.closes(), "an answer while draining does not say that it is the last: {answer:?}");
    client.ends();
    assert_eq!(server.exit_code(), Some(0));
    server.stderr_at_end();
}

#[test]
fn all_that_was_begun_on_a_connection_is_answered() {
    let mut server = patient().start();
    let client = &mut server.connect();
    let mut requests = request("GET", SLOW, &[], None);
    requests.extend(request("GET", "/api/data", &[], None));
    requests.extend(request("GET", "/api/users", &[], None));
    client.send(&requests);
    is_under_way(&server);
    server.signal(Signal::Terminate);
    refuses(&server);
    let answers = [client.read(), client.read(), client.read()];
    assert_eq!(answers.each_ref().map(|answer| answer.status), [200; 3], "{answers:?}");
    client.ends();
    assert_eq!(server.exit_code(), Some(0));
}

#[test]
fn an_upload_that_completes_while_draining_is_answered() {
    let mut server = patient().start();
    let body = "0123456789".repeat(50_000);
    let bytes = request("POST", "/echo", &[], Some(&body));
    let client = &mut server.connect();
    client.send(&bytes[..200_000]);
    let write = &mut server.connect();
    let person = request("POST", "/api/users", &[], Some(r#"{"name":"x","email":"x@example.com"}"#));
    write.send(&person[..person.len() - 1]);
    server.signal(Signal::Terminate);
    refuses(&server);
    client.send(&bytes[200_000..]);
    let answer = client.read();
    assert!(answer.status == 200 && answer.text() == body && answer.closes());
    client.ends();
    write.send(&person[person.len() - 1..]);
    let answer = write.read();
    assert!(answer.status == 201 && answer.closes(), "{answer:?}");
    write.ends();
    assert_eq!(server.exit_code(), Some(0));
    server.stderr_at_end();
}

#[test]
fn what_takes_longer_than_drain_timeout_is_cut_off_and_counted() {
    let mut server = patient().set("server.drain_timeout", "300ms").start();
    let client = &mut server.connect();
    client.send(request("GET", ENDLESS, &[], None));
    is_under_way(&server);
    let half = &mut server.connect();
    half.goes_on();
    half.send("POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n");
    half.read_exactly(b"HTTP/1.1 100 Continue\r\n\r\n");
    assert_eq!(server.term(), Some(0));
    client.ends();
    half.ends();
    let log = server.stderr_at_end();
    assert!(log.last().is_some_and(|line| line.contains("2 requests were cut off")), "{log:?}");
}

#[test]
fn a_second_signal_ends_at_once() {
    for (first, second) in [(Signal::Terminate, Signal::Terminate), (Signal::Interrupt, Signal::Terminate)] {
        let mut server = patient().start();
        let client = &mut server.connect();
        client.send(request("GET", ENDLESS, &[], None));
        is_under_way(&server);
        server.signal(first);
        refuses(&server);
        assert_eq!(server.exit_code_of_second(second), Some(1));
        client.ends();
        let log = server.stderr_at_end();
        assert!(log.last().is_some_and(|line| line.starts_with("ringmill: ")), "{log:?}");
    }
}

#[test]
fn during_drain_delay_a_balancer_is_told_and_everyone_is_served() {
    let mut server = patient().set("server.drain_delay", "1h").start();
    let client = &mut server.connect();
    client.ask("GET", "/ready", None).is(200, r#"{"status":"ready"}"#);
    server.signal(Signal::Terminate);
    let deadline = Instant::now() + PATIENCE;
    while client.ask("GET", "/ready", None).status != 503 {
        assert!(Instant::now() < deadline, "/ready never says 503");
    }
    // Each shard is told by itself.
    for _ in 0..16 {
        let other = &mut server.connect();
        while other.ask("GET", "/ready", None).status != 503 {
            assert!(Instant::now() < deadline, "/ready never says 503");
        }
        let answer = other.get("/api/data");
        answer.is(200, r#"{"data":"Your data here"}"#);
        assert!(!answer.closes(), "{answer:?}");
        other.goes_on();
    }
    assert_eq!(server.connect_admin().get("/ready").status, 503);
    assert_eq!(server.connect_admin().get("/metrics").status, 200);
    client.goes_on();
    assert_eq!(server.exit_code_of_second(Signal::Terminate), Some(1));
}

#[test]
fn without_a_drain_timeout_what_is_in_flight_is_cut_off_at_once() {
    let mut server = patient().set("server.drain_timeout", "0s").start();
    let client = &mut server.connect();
    client.send(request("GET", ENDLESS, &[], None));
    is_under_way(&server);
    let silent = &mut server.connect();
    assert_eq!(server.term(), Some(0));
    client.ends();
    silent.ends();
    let log = server.stderr_at_end();
    assert!(log.last().is_some_and(|line| line.contains("1 request was cut off")), "{log:?}");
}

#[test]
fn while_the_last_shard_drains_the_admin_listener_answers_for_those_that_have_ended() {
    let mut server = patient().start();
    let client = &mut server.connect();
    client.send(request("GET", ENDLESS, &[], None));
    is_under_way(&server);
    server.signal(Signal::Terminate);
    refuses(&server);
    // By then a shard that has nothing to do has ended, and every answer is as quick as before.
    let asked = Instant::now();
    while asked.elapsed() < NO_WAIT {
        let one = Instant::now();
        assert_eq!(server.connect_admin().get("/ready").status, 503);
        assert!(server.connect_admin().get("/metrics").text().contains("ringmill_connections"));
        assert!(one.elapsed() < NO_WAIT, "{:?}", one.elapsed());
    }
    assert_eq!(server.exit_code_of_second(Signal::Terminate), Some(1));
    client.ends();
    let log = server.stderr_at_end();
    assert!(!log.iter().any(|line| line.contains("did not answer")), "{log:?}");
}

#[test]
fn after_drain_delay_it_drains() {
    let mut server = patient().set("server.drain_delay", "200ms").start();
    let client = &mut server.connect();
    client.goes_on();
    assert_eq!(server.term(), Some(0));
    client.ends();
}

/// strace(1) makes system calls of the product fail, or late, from the given one of a thread on.
fn injected(what: &str) -> Server {
    let inject = format!("inject=io_uring_enter:{what}");
    // -D: the server stays the direct child, and is what a test ends.
    let strace = ["strace", "-D", "-f", "-q", "-e", "trace=io_uring_enter", "-e", &inject, "-o", "/dev/null"];
    Setup::shards(1).under(&strace).start()
}

#[test]
fn a_panic_outside_of_a_request_ends_the_process_with_one_clear_line() {
    let mut server = injected("error=EBADF:when=100+");
    // Each request enters the kernel; from some time on there is nobody to answer.
    let address = server.public;
    while let Ok(mut stream) = TcpStream::connect(address) {
        use std::io::{Read, Write};
        let asked = stream.write_all(b"GET /api/data HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        if asked.is_err() || stream.read_to_end(&mut Vec::new()).is_err() {
            break;
        }
    }
    assert_eq!(server.exit_code(), Some(1));
    let log = server.stderr_of_a_defect();
    let last = log.last().expect("a line");
    assert!(last.starts_with("ringmill: a shard was lost to the panic above"), "{log:?}");
    let panics: Vec<_> = log.iter().filter(|line| line.contains("io_uring_enter failed")).collect();
    assert_eq!(panics.len(), 1, "{log:?}");
    assert!(!log.iter().any(|line| line.contains("backtrace")), "{log:?}");
}

#[test]
fn a_core_that_does_not_end_its_turn_is_told_of_and_so_is_its_return() {
    // One entry into the kernel takes so long.
    let server = injected("delay_enter=9000000:when=40");
    let client = &mut server.connect();
    for _ in 0..40 {
        client.get("/api/data").is(200, r#"{"data":"Your data here"}"#);
    }
    for words in ["A core is stuck: shard 0", "A core goes on: shard 0"] {
        server.log_line(words, |line| line["message"].as_str().is_some_and(|text| text.starts_with(words)));
    }
    client.get("/api/data").is(200, r#"{"data":"Your data here"}"#);
}
