//! Nothing is older than the last write that was answered.

use super::FILE;
use crate::server::{SHARDS, Setup, run};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

/// Every read of a row, before and after each way to write it.
#[test]
fn a_write_is_seen_by_all_reads_that_follow() {
    for shards in SHARDS {
        let server = Setup::shards(shards).file(FILE).start();
        let mut round = server.round();
        let reads = ["/books/1", "/books", "/titles", "/one/1", "/shelves", "/shelves/a"];
        let look = |round: &mut crate::client::Round, what: &str, row: Option<&str>, all: &str| {
            for _ in 0..3 {
                for path in reads {
                    let text = round.get(path).text();
                    match path {
                        "/books/1" | "/one/1" => match row {
                            Some(title) => {
                                assert!(text.contains(&format!("\"{title}\"")), "{what}: {path}: {text}");
                            }
                            None => assert!(
                                text.contains("not found") || text.contains("Not found"),
                                "{what}: {text}"
                            ),
                        },
                        "/titles" => assert_eq!(text, all, "{what}"),
                        _ => {}
                    }
                }
                let list = round.get("/books").json();
                let titles: Vec<_> = list["books"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|book| format!("{{\"title\":{}}}", book["title"]))
                    .collect();
                assert_eq!(format!("[{}]", titles.join(",")), all, "{what}");
                assert_eq!(list["total"], titles.len(), "{what}");
            }
        };
        look(&mut round, "nothing", None, "[]");
        round.ask("POST", "/books", Some(r#"{"title":"A"}"#));
        look(&mut round, "POST", Some("A"), r#"[{"title":"A"}]"#);
        round.ask("PUT", "/books/1", Some(r#"{"title":"B"}"#));
        look(&mut round, "PUT", Some("B"), r#"[{"title":"B"}]"#);
        round.ask("PATCH", "/books/1", Some(r#"{"title":"C"}"#));
        look(&mut round, "PATCH", Some("C"), r#"[{"title":"C"}]"#);
        round.ask("POST", "/rename/1", Some(r#"{"title":"d"}"#));
        look(&mut round, "an endpoint that names the row", Some("d"), r#"[{"title":"d"}]"#);
        assert_eq!(round.ask("POST", "/shout", None).status, 204);
        look(&mut round, "an endpoint that names no row", Some("D"), r#"[{"title":"D"}]"#);
        round.ask("POST", "/books", Some(r#"{"title":"Z"}"#));
        look(&mut round, "another row", Some("D"), r#"[{"title":"D"},{"title":"Z"}]"#);
        round.ask("DELETE", "/books/1", None);
        look(&mut round, "DELETE", None, r#"[{"title":"Z"}]"#);
        // What goes with a row of another table.
        assert_eq!(round.ask("POST", "/shelves", Some(r#"{"name":"a","id":5}"#)).status, 201);
        round.ask("POST", "/books", Some(r#"{"title":"ZZ","shelf_id":5}"#));
        assert_eq!(round.get("/books/3").status, 200);
        look(&mut round, "a row that refers", None, r#"[{"title":"Z"},{"title":"ZZ"}]"#);
        assert_eq!(round.ask("DELETE", "/shelves/a", None).status, 200);
        look(&mut round, "a cascade", None, r#"[{"title":"Z"}]"#);
        for _ in 0..6 {
            assert_eq!(round.get("/books/3").status, 404);
            assert_eq!(round.get("/shelves/a").status, 404);
        }
    }
}

/// Readers on many connections note what was acknowledged before each of their reads.
#[test]
fn readers_beside_writers_never_see_what_is_older() {
    const WRITERS: usize = 4;
    let seconds =
        std::env::var("RINGMILL_FRESH_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(3);
    let shards = std::env::var("RINGMILL_FRESH_SHARDS").ok().and_then(|text| text.parse().ok()).unwrap_or(4);
    let server = Setup::shards(shards).file(FILE).start();
    for writer in 0..WRITERS {
        let body = format!(r#"{{"title":"0-{writer}"}}"#);
        assert_eq!(server.connect().ask("POST", "/books", Some(&body)).status, 201);
    }
    let acknowledged: [AtomicU64; WRITERS] = Default::default();
    let is_over = AtomicBool::new(false);
    let reads = AtomicU64::new(0);
    let hits = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (mut client, acknowledged, is_over) = (server.connect(), &acknowledged[writer], &is_over);
            scope.spawn(move || {
                let mut number = 1_u64;
                while !is_over.load(SeqCst) {
                    let body = format!(r#"{{"title":"{number}-{writer}"}}"#);
                    let (method, path) = match number % 3 {
                        0 => ("POST", format!("/rename/{}", writer + 1)),
                        1 => ("PUT", format!("/books/{}", writer + 1)),
                        _ => ("PATCH", format!("/books/{}", writer + 1)),
                    };
                    match client.ask(method, &path, Some(&body)).status {
                        200 => {}
                        // Nothing was done: the machine may be slow.
                        503 => continue,
                        status => panic!("{status}"),
                    }
                    acknowledged.store(number, SeqCst);
                    number += 1;
                }
            });
        }
        for reader in 0..8 {
            let (mut client, acknowledged, is_over, reads, hits) =
                (server.connect(), &acknowledged, &is_over, &reads, &hits);
            scope.spawn(move || {
                for number in 0_usize.. {
                    if is_over.load(SeqCst) {
                        return;
                    }
                    let writer = (number + reader) % WRITERS;
                    let floors: Vec<u64> = acknowledged.iter().map(|number| number.load(SeqCst)).collect();
                    let seen = |title: &serde_json::Value, writer: usize| {
                        let title = title.as_str().expect("a title");
                        let (number, of) = title.split_once('-').expect("a number and a writer");
                        assert_eq!(of, writer.to_string());
                        let number: u64 = number.parse().expect("a number");
                        assert!(
                            number >= floors[writer],
                            "{number} of {writer} after {} was answered",
                            floors[writer]
                        );
                    };
                    let path = match number % 4 {
                        0 => "/books".to_owned(),
                        1 => format!("/one/{}", writer + 1),
                        _ => format!("/books/{}", writer + 1),
                    };
                    let answer = client.get(&path);
                    hits.fetch_add(u64::from(answer.field("x-cache") == Some("HIT")), SeqCst);
                    let body = answer.json();
                    match body["books"].as_array() {
                        Some(books) => {
                            books.iter().enumerate().for_each(|(writer, book)| seen(&book["title"], writer));
                        }
                        None => seen(&body["title"], writer),
                    }
                    reads.fetch_add(1, SeqCst);
                }
            });
        }
        std::thread::sleep(Duration::from_secs(seconds));
        is_over.store(true, SeqCst);
    });
    let (reads, hits) = (reads.into_inner(), hits.into_inner());
    println!("{reads} reads on {shards} shards, {hits} of them hits, none of them older than an answer");
    assert!(hits > 0 && reads > hits, "{hits} of {reads} reads were hits");
}

#[test]
fn writes_of_another_process_are_seen_soon() {
    let server = Setup::shards(2).file(FILE).start();
    let mut round = server.round();
    assert_eq!(round.get("/books").json()["total"], 0);
    assert_eq!(round.get("/books").field("x-cache"), Some("HIT"));
    let ended = run(server.folder(), &["seed", "--table", "books", "--rows", "10"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let since = Instant::now();
    while round.get("/books").json()["total"] != 10 {
        assert!(since.elapsed() < crate::server::PATIENCE, "never seen");
    }
    println!("seen {:?} after the other process has ended", since.elapsed());
}

#[test]
fn a_write_to_one_row_leaves_the_others_where_they_are() {
    const ROWS: usize = 2_000;
    let server = Setup::shards(2).file(FILE).start();
    assert_eq!(
        run(server.folder(), &["seed", "--table", "books", "--rows", &ROWS.to_string()]).code,
        Some(0)
    );
    let client = &mut server.connect();
    while client.get("/books?per_page=1").json()["total"] != ROWS {}
    let hits = |client: &mut crate::client::Client| {
        (1..=ROWS).filter(|id| client.get(&format!("/books/{id}")).field("x-cache") == Some("HIT")).count()
    };
    // Once more when it has been noticed that another process wrote.
    let since = Instant::now();
    while hits(client) < ROWS {
        assert!(since.elapsed() < crate::server::PATIENCE, "rows are not kept");
    }
    client.get("/shelves");
    client.ask("PATCH", "/books/7", Some(r#"{"title":"new"}"#)).is(200, r#"{"message":"Updated"}"#);
    let after = hits(client);
    assert!((ROWS - 2..ROWS).contains(&after), "{after} of {ROWS} are still there");
    client.get("/shelves").has("x-cache", Some("HIT"));
    client.get("/books/7").has("x-cache", Some("HIT")).is(200, &client.get("/books/7").text());
}
