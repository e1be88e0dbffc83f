//! What was acknowledged is there after a crash, and several processes may share a database.

use crate::client::{Client, request};
use crate::server::{PATIENCE, Setup, folder};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

#[test]
fn an_acknowledged_row_survives_kill_9() {
    let server = Setup::shards(2).start();
    let client = &mut server.connect();
    let body = r#"{"name":"Ada","email":"ada@example.com"}"#;
    client
        .ask("POST", "/api/users", Some(body))
        .is(201, r#"{"id":1,"name":"Ada","email":"ada@example.com"}"#);
    client.ask("POST", "/api/user", Some(&body.replace("ada", "bo"))).is(200, r#"{"id":2}"#);
    client.ask("POST", "/api/user", Some(&body.replace("ada", "cy"))).is(200, r#"{"id":3}"#);
    client.ask("PATCH", "/api/user/1", Some(r#"{"name":"Eve"}"#)).is(200, r#"{"message":"Updated"}"#);
    client.ask("DELETE", "/api/user/3", None).is(200, r#"{"message":"User deleted"}"#);
    let server = Setup::shards(1).folder(server.kill()).start();
    let client = &mut server.connect();
    let rows = concat!(
        r#"{"users":[{"id":1,"name":"Eve","email":"ada@example.com"},"#,
        r#"{"id":2,"name":"Ada","email":"bo@example.com"}],"total":2,"page":1,"per_page":20}"#
    );
    client.get("/api/users").is(200, rows);
    // A number that was given never comes back.
    client.ask("POST", "/api/user", Some(&body.replace("ada", "di"))).is(200, r#"{"id":4}"#);
}

/// Asks until the process is gone; the bytes of the last answer, if it is whole.
fn created(stream: &mut TcpStream, email: &str) -> bool {
    let body = format!(r#"{{"name":"x","email":"{email}"}}"#);
    if stream.write_all(&request("POST", "/api/user", &[], Some(&body))).is_err() {
        return false;
    }
    let (mut answer, mut bytes) = (Vec::new(), [0; 1024]);
    while !answer.ends_with(b"}") {
        match stream.read(&mut bytes) {
            Ok(0) | Err(_) => return false,
            Ok(count) => answer.extend_from_slice(&bytes[..count]),
        }
    }
    assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer));
    true
}

#[test]
fn whatever_was_acknowledged_when_the_process_died_is_there() {
    const WRITERS: usize = 8;
    // The built-in file limits how many are created in a minute.
    let tables = concat!(
        "[tables.users]\nlist = \"/api/users\"\n[tables.users.columns]\nid = { type = \"bigint\", generated = \"identity\" }\n",
        "name = \"text\"\nemail = { type = \"text\", unique = true }\n",
        "[endpoints.create]\nmethods = [\"POST\"]\npath = \"/api/user\"\nshape = \"row\"\n",
        "params = { name = \"users.name\", email = \"users.email\" }\n",
        "sql = \"INSERT INTO users (name, email) VALUES ($name, $email) RETURNING id\"\n",
    );
    let server = Setup::shards(2).file(tables).start();
    let acknowledged = AtomicUsize::new(0);
    let (public, counted) = (server.public, &acknowledged);
    let (emails, folder) = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                scope.spawn(move || {
                    let mut stream = TcpStream::connect(public).expect("a connection");
                    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
                    let mut emails = Vec::new();
                    loop {
                        let email = format!("w{writer}n{}@example.com", emails.len());
                        if !created(&mut stream, &email) {
                            return emails;
                        }
                        emails.push(email);
                        counted.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        let deadline = Instant::now() + PATIENCE;
        while acknowledged.load(Ordering::Relaxed) < 400 {
            assert!(Instant::now() < deadline, "too few writes in {PATIENCE:?}");
            std::thread::yield_now();
        }
        let folder = server.kill();
        let emails: Vec<String> =
            writers.into_iter().flat_map(|writer| writer.join().expect("a writer ends")).collect();
        (emails, folder)
    });
    let server = Setup::shards(1).folder(folder).start();
    let client: &mut Client = &mut server.connect();
    let mut found = std::collections::HashSet::new();
    for page in 1.. {
        let list = client.get(&format!("/api/users?per_page=100&page={page}")).json();
        let rows = list["users"].as_array().expect("a list");
        found.extend(rows.iter().map(|row| row["email"].as_str().expect("an address").to_owned()));
        if rows.is_empty() {
            break;
        }
    }
    let lost: Vec<_> = emails.iter().filter(|email| !found.contains(*email)).collect();
    assert!(lost.is_empty(), "{} of {} acknowledged rows are lost: {lost:?}", lost.len(), emails.len());
    assert!(found.len() <= emails.len() + WRITERS, "{} rows of {} requests", found.len(), emails.len());
}

#[test]
fn several_processes_may_start_together_on_one_database() {
    let shared = folder(&[]);
    let data = shared.path().join("data");
    let data = data.to_str().expect("a path in UTF-8");
    let servers: Vec<_> = std::thread::scope(|scope| {
        let starting: Vec<_> =
            (0..4).map(|_| scope.spawn(|| Setup::shards(1).set("server.data", data).start())).collect();
        starting.into_iter().map(|starting| starting.join().expect("it starts")).collect()
    });
    for (index, server) in servers.iter().enumerate() {
        let body = format!(r#"{{"name":"x","email":"{index}@example.com"}}"#);
        let id = index + 1;
        server.connect().ask("POST", "/api/user", Some(&body)).is(200, &format!(r#"{{"id":{id}}}"#));
        // A write by another process is seen a moment later.
        let deadline = Instant::now() + PATIENCE;
        for other in &servers {
            while other.connect().get(&format!("/api/user/{id}")).status != 200 {
                assert!(Instant::now() < deadline, "row {id} is never seen");
            }
        }
    }
}
