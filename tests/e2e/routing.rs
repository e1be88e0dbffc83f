//! From a target to a route: escapes, queries, absolute form.

use crate::server::{SHARDS, Setup};

const NOT_FOUND: &str = r#"{"error":"Not found"}"#;
const DATA: &str = r#"{"data":"Your data here"}"#;

#[test]
fn paths_match_exactly_after_their_escapes_are_decoded() {
    for shards in SHARDS {
        let server = Setup::shards(shards).start();
        let round = &mut server.round();
        let empty = r#"{"users":[],"total":0,"page":1,"per_page":20}"#;
        for (target, status, body) in [
            ("/api/%75sers", 200, empty),
            ("/%61pi/users", 200, empty),
            ("/api/%75%73%65%72%73?", 200, empty),
            ("/api/dat%61", 200, DATA),
            ("/%68ealth", 200, r#"{"status":"healthy"}"#),
            ("/r%65ady", 200, r#"{"status":"ready"}"#),
            ("/api/heavy%2Doperation", 200, r#"{"result":"Done"}"#),
            ("/api/heavy%2doperation", 200, r#"{"result":"Done"}"#),
            // An escaped separator separates nothing, and nothing is tidied up.
            ("/api%2Fdata", 404, NOT_FOUND),
            ("/api%2fdata", 404, NOT_FOUND),
            ("/api/data%00", 404, NOT_FOUND),
            ("/api/%2575sers", 404, NOT_FOUND),
            ("/api/data%20", 404, NOT_FOUND),
            ("/api/data/", 404, NOT_FOUND),
            ("//api/data", 404, NOT_FOUND),
            ("/api//data", 404, NOT_FOUND),
            ("/api/./data", 404, NOT_FOUND),
            ("/api/x/../data", 404, NOT_FOUND),
            ("/API/data", 404, NOT_FOUND),
            ("/", 404, NOT_FOUND),
            ("/health/", 404, NOT_FOUND),
            ("/health%2F", 404, NOT_FOUND),
            ("/api/data?/api/users", 200, DATA),
            ("/api/data?a=%zz&&=&", 200, DATA),
            ("/api/data??", 200, DATA),
        ] {
            eprintln!("{target}");
            round.get(target).is(status, body);
        }
    }
}

#[test]
fn a_target_may_name_the_host_that_it_is_for() {
    let server = Setup::shards(2).start();
    let client = &mut server.connect();
    for target in [
        "http://ringmill.test/api/data",
        "HTTP://127.0.0.1:1/api/d%61ta?x",
        "https://[::1]:7/api/data",
        "http://a/api/data#",
    ] {
        eprintln!("{target}");
        client.send(format!("GET {target} HTTP/1.1\r\nHost: other\r\n\r\n"));
        if target.ends_with('#') {
            client.read().is(400, r#"{"error":"Bad request"}"#);
        } else {
            client.read().is(200, DATA);
        }
    }
    let client = &mut server.connect();
    client.send("GET http://ringmill.test HTTP/1.1\r\nHost: a\r\n\r\n");
    client.read().is(404, NOT_FOUND);
    // Host is needed all the same.
    client.send("GET http://ringmill.test/api/data HTTP/1.1\r\n\r\n");
    client.read().is(400, r#"{"error":"Bad request"}"#);
}
