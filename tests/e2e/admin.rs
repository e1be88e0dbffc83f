//! The admin listener and what is counted.

use crate::client::{Response, request};
use crate::server::{Metrics, SHARDS, Server, Setup};
use std::collections::BTreeMap;

fn admin(server: &Server, target: &str) -> Response {
    server.connect_admin().get(target)
}

#[test]
fn only_its_own_host_and_only_with_the_field_that_no_page_can_send() {
    let server = Setup::shards(1).start();
    let port = server.admin.port();
    for (host, status) in [
        (format!("127.0.0.1:{port}"), 200),
        (format!("localhost:{port}"), 200),
        ("127.0.0.1".to_owned(), 403),
        (format!("127.0.0.1:{}", port ^ 1), 403),
        (format!("evil.example:{port}"), 403),
        (format!("127.0.0.1.evil.example:{port}"), 403),
        (String::new(), 403),
    ] {
        for target in ["/metrics", "/config", "/ready", "/memory", "/nowhere"] {
            let client = &mut server.connect_admin();
            client.send(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
            let answer = client.read();
            let expected = if target == "/nowhere" && status == 200 { 404 } else { status };
            assert_eq!(answer.status, expected, "Host {host}: {target}: {answer:?}");
        }
    }
    for method in ["POST", "PUT", "DELETE", "PATCH"] {
        for (field, is_refused) in [("X: 1", true), ("X-Ringmill: 0", true), ("X-Ringmill: 1", false)] {
            for target in ["/metrics", "/cache/purge"] {
                let client = &mut server.connect_admin();
                client.send(format!(
                    "{method} {target} HTTP/1.1\r\nHost: {}\r\n{field}\r\nContent-Length: 0\r\n\r\n",
                    server.admin
                ));
                let answer = client.read();
                assert_eq!(answer.status == 403, is_refused, "{method} {target} {field}: {answer:?}");
            }
        }
    }
}

#[test]
fn connections_are_bounded_in_number_and_time() {
    let server = Setup::shards(1).start();
    let mut silent: Vec<_> = (0..64).map(|_| server.connect_admin()).collect();
    silent[0].send("GET /ready HTTP/1.1\r\nHost: ");
    assert_eq!(silent[1].get("/ready").status, 200);
    // All of them are accepted in the order in which they came.
    server.connect_admin().ends();
    silent.iter_mut().for_each(|client| client.ends());
    assert_eq!(admin(&server, "/ready").status, 200);
}

#[test]
fn ready_memory_and_health() {
    let server = Setup::shards(2).start();
    let ready = admin(&server, "/ready");
    assert_eq!((ready.status, ready.text().as_str()), (200, r#"{"status":"ready"}"#));
    let memory = admin(&server, "/memory").json();
    let rows = memory.as_array().expect("a list");
    assert!(!rows.is_empty());
    for row in rows {
        let keys: Vec<_> = row.as_object().expect("an object").keys().collect();
        assert_eq!(keys, ["file", "size_mb"], "{memory}");
        assert!(
            row["file"].is_string() && row["size_mb"].as_f64().is_some_and(|size| size >= 0.0),
            "{memory}"
        );
    }
}

#[test]
fn the_configuration_is_shown_without_its_secrets() {
    let file = concat!(
        "[database]\npassword = \"${SECRET}\"\n[rate_limits.x]\nalgorithm = \"token_bucket\"\nrate = \"10/s\"\n",
        "tiers = [{ caller = \"${KEY}\", rate = \"unlimited\" }]\n",
    );
    let (secret, key) = ("correct horse battery staple", "key-of-the-load-test");
    let server = Setup::shards(1).file(file).environment("SECRET", secret).environment("KEY", key).start();
    let config = admin(&server, "/config");
    assert_eq!(config.json()["database"]["password"], "***");
    assert_eq!(config.json()["rate_limits"]["x"]["tiers"][0]["caller"], "***");
    assert_eq!(config.json()["rate_limits"]["x"]["rate"], "10/s");
    let server_log = server.stdout().join("\n");
    for text in [config.text(), server_log] {
        assert!(!text.contains(secret) && !text.contains(key), "{text}");
    }
    // A password that is given plainly is one all the same.
    let server = Setup::shards(1).set("database.password", secret).start();
    let config = admin(&server, "/config");
    assert_eq!(config.json()["database"]["password"], "***");
    assert!(!config.text().contains(secret), "{}", config.text());
}

/// Requests of each kind, as counted.
fn requests(metrics: &Metrics) -> BTreeMap<String, f64> {
    metrics
        .series("http_requests_total")
        .into_iter()
        .map(|(labels, value)| (labels.to_owned(), value))
        .collect()
}

#[test]
fn every_request_is_counted_once_under_its_declared_path() {
    for shards in SHARDS {
        let server = Setup::shards(shards).start();
        let mut expected = BTreeMap::new();
        for connection in 0..24 {
            let client = &mut server.connect();
            let person = format!(r#"{{"name":"n","email":"e{connection}@example.com"}}"#);
            let item = format!("/api/user/{}", connection % 3 + 100);
            let data = format!("/api/data?x={connection}");
            for (method, target, body, label, status) in [
                ("GET", data.as_str(), None, "/api/data", 200),
                ("GET", "/api/d%61ta", None, "/api/data", 200),
                ("HEAD", "/api/data", None, "/api/data", 200),
                ("POST", "/api/users", Some(person.as_str()), "/api/users", 201),
                ("POST", "/api/users", Some("{}"), "/api/users", 400),
                ("GET", "/api/users?page=2", None, "/api/users", 200),
                ("GET", item.as_str(), None, "/api/user/{id}", 404),
                ("DELETE", item.as_str(), None, "/api/user/{id}", 404),
                ("OPTIONS", "/api/posts", None, "/api/posts", 204),
                ("PUT", "/api/posts", None, "/api/posts", 405),
                ("GET", "/health", None, "/health", 200),
                ("GET", "/secret/path", None, "unmatched", 404),
            ] {
                let answer = client.ask(method, target, body);
                assert_eq!(answer.status, status, "{method} {target}");
                *expected
                    .entry(format!("method=\"{method}\",route=\"{label}\",status=\"{status}\""))
                    .or_insert(0.0) += 1.0;
            }
        }
        let scrape = Metrics(server.connect().get("/metrics").text());
        assert_eq!(scrape.value(r#"http_requests_total{method="GET",route="/api/data",status="200"}"#), 48.0);
        assert_eq!(requests(&scrape), expected);
        // The scrape itself was answered after it was made.
        let own = r#"method="GET",route="/metrics",status="200""#;
        expected.insert(own.to_owned(), 1.0);
        let scrape = server.metrics();
        assert_eq!(requests(&scrape), expected);
        for raw in ["secret", "user/1", "?x="] {
            let labelled = scrape.0.lines().any(|line| line.contains("route=") && line.contains(raw));
            assert!(!labelled, "{raw} in\n{}", scrape.0);
        }
        let count: f64 = expected.values().sum();
        assert_eq!(scrape.value("http_request_duration_seconds_count"), count);
        let histogram: f64 =
            scrape.series("http_server_request_duration_seconds_count").iter().map(|(_, value)| value).sum();
        assert_eq!(histogram, count);
    }
}

#[test]
fn what_shards_count_apart_is_what_they_count_together() {
    let shards = 4;
    let server = Setup::shards(shards).start();
    let mut clients: Vec<_> = (0..40).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.send(request("GET", "/api/data", &[], None).repeat(5));
        client.send(request("GET", "/api/users", &[], None));
        (0..6).for_each(|_| assert_eq!(client.read().status, 200));
    }
    let apart = Metrics(admin(&server, "/metrics?per=shard").text());
    let together = server.metrics();
    for name in [
        "http_requests_total",
        "http_server_request_duration_seconds_count",
        "http_request_duration_seconds_count",
        "ringmill_connections",
        "ringmill_connections_accepted_total",
    ] {
        let mut sums: BTreeMap<String, f64> = BTreeMap::new();
        let mut seen = Vec::new();
        for (labels, value) in apart.series(name) {
            let mut others: Vec<&str> = labels.split(',').collect();
            let shard = others.iter().position(|label| label.starts_with("shard=\""));
            seen.push(
                others.remove(shard.unwrap_or_else(|| panic!("no shard in {name}{{{labels}}}"))).to_owned(),
            );
            *sums.entry(others.join(",")).or_insert(0.0) += value;
        }
        let total: BTreeMap<String, f64> =
            together.series(name).into_iter().map(|(labels, value)| (labels.to_owned(), value)).collect();
        assert_eq!(sums, total, "{name}");
        assert!(!total.is_empty(), "{name}");
        seen.sort();
        seen.dedup();
        // 40 connections on 4 shards: that one gets none happens once in 25,000 times.
        assert_eq!(seen, ["shard=\"0\"", "shard=\"1\"", "shard=\"2\"", "shard=\"3\""], "{name}");
    }
    assert_eq!(together.value("ringmill_connections"), 40.0);
}

/// Every sample belongs to a family that says what it is, and each series stands once.
#[test]
fn the_metrics_are_well_formed() {
    let server = Setup::shards(2).start();
    server.connect().goes_on();
    server.connect().get("/api/users");
    for target in ["/metrics", "/metrics?per=shard"] {
        let text = admin(&server, target).text();
        let (mut types, mut series) = (BTreeMap::new(), std::collections::BTreeSet::new());
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').expect(line);
                assert_eq!(types.insert(name, kind), None, "{name} stands twice");
            } else if !line.starts_with("# HELP ") {
                let (key, value) = line.rsplit_once(' ').expect(line);
                assert!(value.parse::<f64>().is_ok(), "{line}");
                assert!(series.insert(key), "{key} stands twice in {target}");
                let name = key.split('{').next().unwrap_or_default();
                let family = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
                let declared =
                    types.contains_key(name) || family.is_some_and(|name| types.contains_key(name));
                assert!(declared, "{name} has no TYPE in front of it");
            }
        }
        for name in [
            "http_requests_total",
            "http_request_duration_seconds",
            "db_query_duration_seconds",
            "cpu_usage_percent",
            "http_server_request_duration_seconds",
            "process_resident_memory_bytes",
            "ringmill_connections",
            "ringmill_db_connections",
            "ringmill_db_waiting",
            "ringmill_mesh_messages_total",
            "ringmill_turns_total",
            "ringmill_turn_seconds_max",
            "ringmill_build_info",
        ] {
            assert!(types.contains_key(name), "{name} is missing in {target}");
        }
    }
}
