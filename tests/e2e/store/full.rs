//! A disk that is full and then is not. A limit of file sizes stands for it, which can be set and lifted from outside:
//! to the server it is the same refusal of write(2), but that a process which does not ignore SIGXFSZ would be killed.

use super::{FILE, assert_sound, complains, is_unavailable, ready_says, thing};
use crate::client::Response;
use crate::server::{PATIENCE, Server, Setup};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

/// No file of the server may grow beyond so many bytes.
fn limit(server: &Server, bytes: Option<u64>) {
    let pid = Pid::from_raw(i32::try_from(server.pid()).expect("a pid"));
    let limit = Rlimit { current: bytes, maximum: None };
    prlimit(pid, Resource::Fsize, limit).expect("the limit of one's own child");
}

fn create(server: &Server, key: &str) -> Response {
    server.connect().ask("POST", "/api/things", Some(&thing(key, 1)))
}

fn complaints(server: &Server) -> usize {
    server.log().iter().filter(|line| line.contains("does not serve")).count()
}

#[test]
fn a_full_disk_refuses_writes_and_nothing_else_until_there_is_space() {
    let server = Setup::shards(2).file(FILE).start();
    assert_eq!(create(&server, "before").status, 201);
    let since = Instant::now();
    limit(&server, Some(1));
    for n in 0..100 {
        is_unavailable(&create(&server, &format!("never{n}")));
        let list = server.connect().get("/api/things").json();
        assert_eq!(list["total"], 1, "reads go on: {list}");
    }
    is_unavailable(&server.connect().ask("PUT", "/api/things/1", Some(&thing("before", 2))));
    is_unavailable(&server.connect().ask("DELETE", "/api/things/1", None));
    ready_says(&server, "degraded");
    complains(&server, "ulimit -f");
    let (said, seconds) = (complaints(&server), since.elapsed().as_secs() as usize);
    assert!(said <= seconds + 1, "{said} lines in {seconds} s about one trouble");
    assert!(server.metrics().value("ringmill_db_unavailable_total{server=\"sqlite\"}") >= 102.0);
    limit(&server, None);
    // Nobody has to write for it to be noticed.
    ready_says(&server, "ready");
    let again = |line: &serde_json::Value| {
        line["message"].as_str().is_some_and(|text| text.ends_with("serves again"))
    };
    server.log_line("that it serves again", again);
    assert_eq!(create(&server, "after").status, 201);
    let database = server.database();
    assert_sound(&database);
    let server = Setup::shards(1).folder(server.kill()).start();
    let list = server.connect().get("/api/things").json();
    let keys: Vec<_> =
        list["things"].as_array().expect("a list").iter().map(|row| row["key"].clone()).collect();
    assert_eq!(keys, ["before", "after"]);
}

#[test]
fn under_load_nothing_acknowledged_is_lost_and_nothing_refused_is_there() {
    const WRITERS: usize = 6;
    let server = Setup::shards(2).file(FILE).set("log.level", "error").start();
    let (is_over, done, refused) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    let until = |counter: &AtomicUsize, least: usize| {
        let deadline = Instant::now() + PATIENCE;
        let least = counter.load(Relaxed) + least;
        while counter.load(Relaxed) < least {
            assert!(Instant::now() < deadline, "no progress");
            std::thread::yield_now();
        }
    };
    let keys: Vec<(String, u16)> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (server, is_over, done, refused) = (&server, &is_over, &done, &refused);
                scope.spawn(move || {
                    let (mut client, mut keys) = (server.connect(), Vec::new());
                    while !is_over.load(Relaxed) {
                        let key = format!("w{writer}n{}", keys.len());
                        let body = format!(r#"{{"key":"{key}","a":1,"b":1,"pad":"{}"}}"#, "x".repeat(3000));
                        let status = client.ask("POST", "/api/things", Some(&body)).status;
                        let counter = if status == 201 { done } else { refused };
                        counter.fetch_add(1, Relaxed);
                        keys.push((key, status));
                    }
                    keys
                })
            })
            .collect();
        for pages in [0, 3, 40] {
            until(&done, 60);
            let log =
                std::fs::metadata(server.database().with_extension("db-wal")).map_or(0, |log| log.len());
            limit(&server, Some(log + pages * 4096));
            until(&refused, 60);
            limit(&server, None);
        }
        until(&done, 60);
        is_over.store(true, Relaxed);
        writers.into_iter().flat_map(|writer| writer.join().expect("a writer ends")).collect()
    });
    assert!(keys.iter().all(|(_, status)| matches!(status, 201 | 503)), "only 201 and 503");
    let expected: BTreeSet<_> = keys.into_iter().filter(|key| key.1 == 201).map(|key| key.0).collect();
    assert_sound(&server.database());
    let server = Setup::shards(1).folder(server.kill()).start();
    let list = server.connect().get("/api/things?per_page=1000000").json();
    let rows = list["things"].as_array().expect("a list").iter();
    let found: BTreeSet<_> = rows.map(|row| row["key"].as_str().expect("a key").to_owned()).collect();
    assert_eq!(found, expected);
}
