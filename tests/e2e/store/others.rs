//! Other processes at the same file: what they write is noticed, and any number may start together.

use super::{FILE, assert_sound, thing};
use crate::server::{Server, Setup, folder, run};
use rusqlite::Connection;
use std::time::{Duration, Instant};

/// The contract's figure.
const NOTICED: Duration = Duration::from_millis(100);

fn noticed(server: &Server) -> f64 {
    server.metrics().value("ringmill_db_foreign_writes_total{server=\"sqlite\"}")
}

/// Waits until the counter moves; says how long that took.
fn until_noticed(server: &Server, before: f64, since: Instant) -> Duration {
    server.metrics_when("a write by another process", |metrics| {
        metrics.value("ringmill_db_foreign_writes_total{server=\"sqlite\"}") > before
    });
    since.elapsed()
}

#[test]
fn a_write_by_another_process_is_noticed() {
    let server = Setup::shards(2).file(FILE).start();
    assert_eq!(server.connect().ask("POST", "/api/things", Some(&thing("own", 1))).status, 201);
    let own = noticed(&server);
    assert_eq!(server.connect().ask("POST", "/api/things", Some(&thing("own too", 1))).status, 201);
    assert_eq!(noticed(&server), own, "its own writes are none");
    let other = Connection::open(server.database()).expect("the database opens");
    let mut quickest = Duration::MAX;
    for n in 0..10 {
        let before = noticed(&server);
        other.execute("INSERT INTO things (key) VALUES (?1)", [n]).expect("a write");
        quickest = quickest.min(until_noticed(&server, before, Instant::now()));
    }
    // A machine that is busy may delay each; not all of them.
    println!("noticed after {quickest:?} at best");
    assert!(quickest < NOTICED, "{quickest:?} at best");
}

/// What each shard knows of, which is what its answers may depend on.
fn known(server: &Server) -> Vec<f64> {
    let text = server.connect_admin().get("/metrics?per=shard").text();
    let metrics = crate::server::Metrics(text);
    let known = metrics.series("ringmill_db_foreign_writes_known_total");
    known.into_iter().map(|(_, count)| count).collect()
}

#[test]
fn every_shard_knows_of_a_write_by_another_process() {
    let server = Setup::shards(4).file(FILE).start();
    let other = Connection::open(server.database()).expect("the database opens");
    for n in 0..5 {
        let before = known(&server);
        assert_eq!(before.len(), 4, "each shard says what it knows");
        other.execute("INSERT INTO things (key) VALUES (?1)", [n]).expect("a write");
        // Whoever writes after it knows of it when the answer is there, on every shard.
        let answer = server.connect().ask("POST", "/api/things", Some(&thing(&format!("own {n}"), 1)));
        assert_eq!(answer.status, 201);
        let after = known(&server);
        assert!(after.iter().zip(&before).all(|(after, before)| after > before), "{before:?} {after:?}");
        // And without any write here.
        other.execute("INSERT INTO things (key) VALUES (?1)", [n + 100]).expect("a write");
        until_noticed(&server, after[0], Instant::now());
        assert!(known(&server).iter().all(|known| *known > after[0]), "{after:?}");
    }
}

#[test]
fn what_seed_writes_is_noticed_and_writes_go_on_beside_it() {
    let server = Setup::shards(2).file(FILE).start();
    let folder = server.database();
    let folder = folder.ancestors().nth(2).expect("the folder");
    let before = noticed(&server);
    std::thread::scope(|scope| {
        let seed = scope.spawn(|| run(folder, &["seed", "--table", "things", "--rows", "20000"]));
        let mut client = server.connect();
        let mut n = 0;
        while !seed.is_finished() {
            n += 1;
            let response = client.ask("POST", "/api/things", Some(&thing(&format!("beside {n}"), 1)));
            assert_eq!(response.status, 201, "write {n} beside the seed: {response:?}");
        }
        let seed = seed.join().expect("it ends");
        assert_eq!(seed.code, Some(0), "{}", seed.stderr);
        println!("{n} writes beside the seed");
        assert_eq!(client.get("/api/things").json()["total"], 20_000 + n);
    });
    until_noticed(&server, before, Instant::now());
    assert_sound(&server.database());
}

#[test]
fn processes_that_start_together_make_the_tables_once() {
    for processes in [2, 8] {
        let shared = folder(&[]);
        let data = shared.path().join("data");
        let data = data.to_str().expect("a path in UTF-8");
        let setup = || Setup::shards(1).file(FILE).set("server.data", data).start();
        let servers: Vec<_> = std::thread::scope(|scope| {
            let starting: Vec<_> = (0..processes).map(|_| scope.spawn(setup)).collect();
            starting.into_iter().map(|starting| starting.join().expect("it starts")).collect()
        });
        let said =
            |server: &&Server| server.log().iter().any(|line| line.contains("Created the missing tables"));
        assert!(servers.iter().filter(said).count() >= 1);
        for (n, server) in servers.iter().enumerate() {
            let row = server.connect().ask("POST", "/api/things", Some(&thing(&format!("k{n}"), n)));
            assert_eq!((row.status, &row.json()["id"]), (201, &serde_json::json!(n + 1)));
        }
        let connection =
            Connection::open(shared.path().join("data/ringmill.db")).expect("the database opens");
        let tables: i64 = connection
            .query_row(
                "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN ('things', 'parts')",
                [],
                |row| row.get(0),
            )
            .expect("a count");
        assert_eq!(tables, 2);
        assert_sound(&shared.path().join("data/ringmill.db"));
    }
}
