//! `kill -9` under concurrent writes, over and over on one database. `RINGMILL_KILLS=50` asks for so many.

use super::{FILE, assert_sound};
use crate::client::{decode, request};
use crate::server::{PATIENCE, Server, Setup};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

const WRITERS: usize = 8;

/// Answers after which a round ends, and how much later each round is.
const ANSWERS: usize = 150;
const ANSWERS_STEP: usize = 7;

/// What stands in a row's columns and how many parts go with it; `None`: there is no such row.
type State = Option<(usize, usize)>;

/// Of one writer's rows, by key: what was acknowledged, and what was asked for when the process died.
#[derive(Default)]
struct Rows {
    acknowledged: BTreeMap<String, State>,
    asked: Option<(String, State)>,
}

struct Writer {
    stream: TcpStream,
    rows: Rows,
}

impl Writer {
    /// Sends a write and reads its answer to the end; `None` once the process is gone.
    fn ask(
        &mut self,
        method: &str,
        target: &str,
        body: Option<&str>,
        status: u16,
    ) -> Option<serde_json::Value> {
        self.stream.write_all(&request(method, target, &[], body)).ok()?;
        let (mut answer, mut bytes) = (Vec::new(), [0; 4096]);
        loop {
            if let Some((response, _)) = decode(&answer) {
                assert_eq!(response.status, status, "{method} {target}: {response:?}");
                return Some(response.json());
            }
            match self.stream.read(&mut bytes) {
                Ok(0) | Err(_) => return None,
                Ok(count) => answer.extend_from_slice(&bytes[..count]),
            }
        }
    }

    fn change(
        &mut self,
        key: &str,
        state: State,
        ask: (&str, &str, Option<&str>, u16),
        answers: &AtomicUsize,
    ) -> Option<serde_json::Value> {
        self.rows.asked = Some((key.to_owned(), state));
        let (method, target, body, status) = ask;
        let answer = self.ask(method, target, body, status)?;
        self.rows.asked = None;
        self.rows.acknowledged.insert(key.to_owned(), state);
        answers.fetch_add(1, Relaxed);
        Some(answer)
    }

    /// Creates, changes and deletes until the process is gone.
    fn write(&mut self, name: &str, answers: &AtomicUsize) -> Option<()> {
        for n in 1.. {
            let key = format!("{name}-{n}");
            let body = super::thing(&key, n);
            let row = self.change(&key, Some((n, 0)), ("POST", "/api/things", Some(&body), 201), answers)?;
            let id = row["id"].as_u64().expect("an id");
            let item = format!("/api/things/{id}");
            let parts = format!(r#"{{"thing":{id},"a":{n}}}"#);
            self.change(&key, Some((n, 3)), ("POST", "/api/three_parts", Some(&parts), 200), answers)?;
            for change in 1..=n % 3 {
                let m = n + 1000 * change;
                let (method, body) = match change {
                    1 => ("PUT", super::thing(&key, m)),
                    _ => ("PATCH", format!(r#"{{"a":{m},"b":{m}}}"#)),
                };
                self.change(&key, Some((m, 3)), (method, &item, Some(&body), 200), answers)?;
            }
            if n % 4 == 0 {
                self.change(&key, None, ("DELETE", &item, None, 200), answers)?;
            }
        }
        None
    }
}

fn round(server: Server, round: usize) -> (tempfile::TempDir, Vec<Rows>) {
    let answers = AtomicUsize::new(0);
    let (public, counted): (SocketAddr, _) = (server.public, &answers);
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                scope.spawn(move || {
                    let stream = TcpStream::connect(public).expect("a connection");
                    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
                    let mut writer_of = Writer { stream, rows: Rows::default() };
                    writer_of.write(&format!("r{round}w{writer}"), counted);
                    writer_of.rows
                })
            })
            .collect();
        let deadline = Instant::now() + PATIENCE;
        while answers.load(Relaxed) < ANSWERS + round * ANSWERS_STEP {
            assert!(Instant::now() < deadline, "too few writes in {PATIENCE:?}");
            std::thread::yield_now();
        }
        let folder = server.kill();
        (folder, writers.into_iter().map(|writer| writer.join().expect("a writer ends")).collect())
    })
}

/// What the server shows of all rows.
fn shown(server: &Server) -> BTreeMap<String, State> {
    let client = &mut server.connect();
    let number = |value: &serde_json::Value| value.as_u64().expect("a number") as usize;
    let mut parts: BTreeMap<usize, usize> = BTreeMap::new();
    for part in client.get("/api/parts?per_page=1000000").json()["parts"].as_array().expect("a list") {
        *parts.entry(number(&part["thing"])).or_default() += 1;
    }
    let list = client.get("/api/things?per_page=1000000").json();
    let rows = list["things"].as_array().expect("a list");
    assert_eq!(list["total"], rows.len());
    let things: BTreeMap<_, _> = rows
        .iter()
        .map(|row| {
            assert_eq!(row["a"], row["b"], "half there: {row}");
            let parts = parts.remove(&number(&row["id"])).unwrap_or(0);
            (row["key"].as_str().expect("a key").to_owned(), Some((number(&row["a"]), parts)))
        })
        .collect();
    assert!(parts.is_empty(), "parts without their thing: {parts:?}");
    things
}

#[test]
fn whatever_was_acknowledged_survives_kill_9_under_concurrent_writes() {
    let kills = std::env::var("RINGMILL_KILLS").map_or(8, |text| text.parse().expect("a number of kills"));
    let mut known: BTreeMap<String, State> = BTreeMap::new();
    let mut server = Setup::shards(2).file(FILE).start();
    let (mut acknowledged, mut under_way) = (0, 0);
    for number in 1..=kills {
        let (folder, writers) = round(server, number);
        server = Setup::shards(2).folder(folder).start();
        let shown = shown(&server);
        for rows in writers {
            acknowledged += rows.acknowledged.len();
            known.extend(rows.acknowledged);
            // What was asked for and not answered is there as a whole or not at all.
            if let Some((key, state)) = rows.asked {
                under_way += 1;
                let now = shown.get(&key).copied().flatten();
                if now == state {
                    known.insert(key, state);
                }
            }
        }
        for (key, state) in &known {
            assert_eq!(shown.get(key).copied().flatten(), *state, "kill {number}: {key}");
        }
        let there = known.values().filter(|state| state.is_some()).count();
        assert_eq!(shown.len(), there, "kill {number}: a row that nobody asked for");
        assert_sound(&server.database());
    }
    println!("{kills} kills, {acknowledged} rows acknowledged, {under_way} writes under way at a kill");
    assert!(under_way >= kills, "kills came when nobody wrote");
}
