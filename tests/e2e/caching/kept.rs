//! What comes from the cache, and how an answer says so.

use super::FILE;
use crate::client::{Response, request};
use crate::server::{SHARDS, Server, Setup};

fn x_cache(response: &Response) -> &str {
    response.field("x-cache").unwrap_or("none")
}

fn add(server: &Server, title: &str) {
    let body = format!(r#"{{"title":"{title}"}}"#);
    assert_eq!(server.connect().ask("POST", "/books", Some(&body)).status, 201);
}

/// Jobs that the database has done.
fn jobs(server: &Server) -> f64 {
    server.metrics().series("ringmill_db_jobs_total").iter().map(|(_, count)| count).sum()
}

#[test]
fn an_answer_is_made_once_for_all_connections() {
    for shards in [1, 2, 4, 8] {
        let server = Setup::shards(shards).file(FILE).start();
        add(&server, "Emma");
        let mut round = server.round();
        for path in ["/books/1", "/books", "/books?per_page=7", "/titles", "/one/1", "/books/99"] {
            let before = jobs(&server);
            let first = round.get(path);
            assert_eq!(x_cache(&first), "MISS", "{path} on {shards} shards");
            for _ in 0..24 {
                let again = round.get(path);
                assert_eq!(x_cache(&again), "HIT", "{path} on {shards} shards");
                assert_eq!((again.status, again.text()), (first.status, first.text()), "{path}");
                assert_eq!(again.field("etag"), first.field("etag"), "{path}");
            }
            assert_eq!(jobs(&server) - before, 1.0, "{path} on {shards} shards");
        }
        let metrics = server.metrics();
        let of = |result| metrics.value(&format!("ringmill_cache_requests_total{{result=\"{result}\"}}"));
        assert_eq!(of("miss"), 6.0);
        assert_eq!(of("hit") + of("hit_owner"), 6.0 * 24.0);
        assert!(metrics.value("ringmill_cache_entries") >= 6.0);
        assert!(metrics.value("ringmill_cache_bytes") > 1000.0);
    }
}

#[test]
fn parameters_are_what_they_mean() {
    let server = Setup::shards(2).file(FILE).start();
    let mut round = server.round();
    for (path, expected) in [
        ("/books?page=2&per_page=3", "MISS"),
        ("/books?per_page=3&page=2", "HIT"),
        ("/books?x=1&per_page=3&page=2&y", "HIT"),
        ("/books?per_page=3&page=02", "HIT"),
        ("/books?per_page=4&page=2", "MISS"),
        ("/books", "MISS"),
        ("/books?page=-1", "HIT"),
        ("/books?per_page=100000", "MISS"),
        ("/books?per_page=100", "HIT"),
        ("/books/7", "MISS"),
        ("/books/07", "none"),
        ("/%62ooks/7", "HIT"),
        // No row has such a key: nobody is asked, and nothing kept.
        ("/books/x", "none"),
        ("/plain", "none"),
        ("/plain/1", "none"),
    ] {
        assert_eq!(x_cache(&round.get(path)), expected, "{path}");
    }
}

#[test]
fn an_answer_that_is_kept_says_what_others_may_do_with_it() {
    let server = Setup::shards(2)
        .file(FILE)
        .set("tables.shelves.cache", r#"{ browser_ttl = "30s", cdn_ttl = "5m" }"#)
        .start();
    add(&server, "Emma");
    let client = &mut server.connect();
    for how in ["MISS", "HIT"] {
        let answer = client.get("/books/1");
        answer.is(200, r#"{"id":1,"title":"Emma","shelf_id":null}"#);
        answer.has("x-cache", Some(how)).has("cache-control", Some("no-cache"));
        answer.has("vary", Some("Accept-Encoding")).has("content-type", Some("application/json"));
        answer.has("age", Some("0"));
    }
    let etag = client.get("/books/1").field("etag").expect("an ETag").to_owned();
    assert!(etag.starts_with('"') && etag.ends_with('"'), "{etag} is strong");
    for (given, status) in [
        (etag.clone(), 304),
        (format!("W/{etag}"), 304),
        (format!("\"x\", {etag}"), 304),
        ("*".into(), 304),
        ("\"x\"".into(), 200),
    ] {
        let answer = client.ask_with("GET", "/books/1", &[&format!("If-None-Match: {given}")], None);
        assert_eq!(answer.status, status, "{given}");
        answer.has("etag", Some(&etag)).has("cache-control", Some("no-cache")).has("x-cache", Some("HIT"));
        answer.has("content-length", if status == 304 { None } else { Some("39") });
    }
    // One that has to be made is compared too.
    client.ask("POST", "/rename/1", Some(r#"{"title":"Emma"}"#)).is(200, r#"{"id":1,"title":"Emma"}"#);
    let answer = client.ask_with("GET", "/books/1", &[&format!("If-None-Match: {etag}")], None);
    assert_eq!(answer.status, 304);
    answer.has("x-cache", Some("MISS"));
    let head = client.ask("HEAD", "/books/1", None);
    head.is(200, "").has("x-cache", Some("HIT")).has("etag", Some(&etag)).has("content-length", Some("39"));
    client.get("/shelves").has("cache-control", Some("public, max-age=30, s-maxage=300"));
    client.get("/plain").has("cache-control", Some("no-store")).has("etag", None).has("age", None);
    let missing = client.ask_with("GET", "/books/99", &["If-None-Match: *"], None);
    missing.is(404, r#"{"error":"Book not found"}"#).has("x-cache", Some("MISS"));
}

#[test]
fn a_thousand_who_ask_for_one_cold_answer_ask_the_database_once() {
    for shards in SHARDS {
        let server = Setup::shards(shards).file(FILE).start();
        add(&server, "Emma");
        let before = jobs(&server);
        let mut clients: Vec<_> = (0..50).map(|_| server.connect()).collect();
        let twenty = request("GET", "/titles", &[], None).repeat(20);
        for client in &mut clients {
            client.send(&twenty);
        }
        let mut misses = 0;
        for client in &mut clients {
            for _ in 0..20 {
                let answer = client.read();
                answer.is(200, r#"[{"title":"Emma"}]"#);
                misses += usize::from(x_cache(&answer) == "MISS");
            }
        }
        assert!(misses > 0);
        assert_eq!(jobs(&server) - before, 1.0, "on {shards} shards");
    }
}
