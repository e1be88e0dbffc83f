//! JSON documents: those of nst/JSONTestSuite, each as a body and as a value, and those that are meant to crash a parser, slow it
//! down or exhaust it. `tests/json/suite.txt` has the suite and says what its words mean.

use crate::client::{Client, Response};
use crate::server::{Server, Setup};

const SUITE: &str = include_str!("../json/suite.txt");
/// How many documents the suite has that must be refused, must be taken, and may be either.
const COUNTS: [(&str, usize); 3] = [("n_", 188), ("y_", 95), ("i_", 35)];

pub(crate) const TABLES: &str = r#"
[http]
max_body = "8MiB"
body_timeout = "5m"
request_timeout = "5m"
[database]
wait_timeout = "5m"
statement_timeout = "5m"

[tables.docs]
list = "/docs"
item = "/docs/{row}"
key = "row"
[tables.docs.columns]
row = { type = "bigint", generated = "identity" }
doc = "json"

[tables.all]
list = "/all"
item = "/all/{id}"
[tables.all.columns]
id = { type = "bigint", generated = "identity" }
smallint = "smallint"
integer = "integer"
bigint = "bigint"
real = "real"
double = "double"
numeric = "numeric"
text = "text"
boolean = "boolean"
timestamp = "timestamp"
date = "date"
uuid = "uuid"
json = "json"
bytes = "bytes"

[endpoints.keep]
path = "/keep"
methods = ["POST"]
params = { doc = { type = "json", required = false } }
sql = "INSERT INTO docs (doc) VALUES ($doc) RETURNING doc"
shape = "row"
"#;

struct Case<'a> {
    name: &'a str,
    verdict: &'a str,
    document: Vec<u8>,
}

fn cases() -> Vec<Case<'static>> {
    let lines = SUITE.lines().filter(|line| !line.starts_with('#'));
    let cases = lines.map(|line| match line.splitn(3, ' ').collect::<Vec<_>>()[..] {
        [name, verdict, document] => Case { name, verdict, document: unescape(document) },
        _ => panic!("no case: {line}"),
    });
    cases.collect()
}

/// `%HH` is a byte, `%(3:x)` is xxx.
fn unescape(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut parts = text.split('%');
    out.extend_from_slice(parts.next().unwrap_or_default().as_bytes());
    for part in parts {
        if let Some((count, rest)) = part.strip_prefix('(').and_then(|rest| rest.split_once(':')) {
            let (repeated, rest) = rest.split_once(')').expect(text);
            out.extend(repeated.repeat(count.parse().expect(text)).into_bytes());
            out.extend_from_slice(rest.as_bytes());
        } else {
            out.push(u8::from_str_radix(&part[..2], 16).expect(text));
            out.extend_from_slice(&part.as_bytes()[2..]);
        }
    }
    out
}

pub(crate) fn send(client: &mut Client, method: &str, target: &str, body: &[u8]) -> Response {
    client.send(format!(
        "{method} {target} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    ));
    client.send(body);
    client.read()
}

fn is_invalid_json(answer: &Response) -> bool {
    answer.status == 400 && answer.json()["error"] == "Invalid JSON" && answer.json()["detail"].is_string()
}

/// Without the white space that stands between the parts of a document, which is one.
fn compact(document: &[u8]) -> String {
    let (mut in_string, mut is_escaped) = (false, false);
    let mut out = String::new();
    for letter in std::str::from_utf8(document).expect("a document that is taken is UTF-8").chars() {
        if in_string || !" \t\r\n".contains(letter) {
            out.push(letter);
        }
        let ends_or_begins = letter == '"' && !is_escaped;
        is_escaped = in_string && letter == '\\' && !is_escaped;
        in_string ^= ends_or_begins;
    }
    out
}

fn value_of(document: &[u8]) -> Vec<u8> {
    [b"{\"doc\": ", document, b"}"].concat()
}

#[test]
fn the_suite_is_whole() {
    let cases = cases();
    for (prefix, count) in COUNTS {
        assert_eq!(cases.iter().filter(|case| case.name.starts_with(prefix)).count(), count, "{prefix}");
    }
    let mut names: Vec<_> = cases.iter().map(|case| case.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), cases.len());
    for case in &cases {
        assert_eq!(case.verdict == "invalid", !case.name.starts_with("y_") && case.verdict == "invalid");
        assert!(!case.name.starts_with("n_") || case.verdict == "invalid", "{}", case.name);
    }
}

/// Writes the documents into the folder that `JSON_SUITE` names, to be compared with the suite's own.
#[test]
#[ignore = "for comparing with a checkout: JSON_SUITE=FOLDER; then diff -r"]
fn the_suite_as_files() {
    let folder = std::env::var("JSON_SUITE").expect("JSON_SUITE names a folder");
    for case in cases() {
        let path = std::path::Path::new(&folder).join(format!("{}.json", case.name));
        std::fs::write(path, case.document).expect("a folder that can be written to");
    }
}

/// As a whole body: what is no JSON is told from what is JSON and no row.
#[test]
fn a_document_as_a_body() {
    let server = Setup::shards(1).file(TABLES).start();
    let client = &mut server.connect();
    send(client, "POST", "/docs", b"{}").is(201, r#"{"row":1,"doc":null}"#);
    for case in cases() {
        let is_object = case.document.trim_ascii_start().starts_with(b"{");
        for (method, target) in
            [("POST", "/docs"), ("PUT", "/docs/1"), ("PATCH", "/docs/1"), ("POST", "/keep")]
        {
            let answer = send(client, method, target, &case.document);
            let shown = || format!("{} to {method} {target}: {answer:?}", case.name);
            let names_no_character = case.verdict == "unicode" && is_object;
            if case.verdict == "invalid" || names_no_character {
                assert!(is_invalid_json(&answer), "{}", shown());
            } else if !is_object {
                assert_eq!(answer.status, 400, "{}", shown());
                let body = r#"{"error":"Validation failed","errors":{"body":["must be an object"]}}"#;
                assert_eq!(answer.text(), body, "{}", shown());
            } else if case.document.trim_ascii() == b"{}" {
                assert!(matches!(answer.status, 200 | 201), "{}", shown());
            } else {
                // None has a field of these tables.
                assert_eq!(
                    (answer.status, &answer.json()["error"]),
                    (400, &"Validation failed".into()),
                    "{}",
                    shown()
                );
                let errors = &answer.json()["errors"];
                let words = errors.as_object().into_iter().flatten().map(|(_, words)| words.to_string());
                assert!(
                    words.clone().count() > 0 && words.clone().all(|word| word == r#"["is unknown"]"#),
                    "{}",
                    shown()
                );
            }
        }
    }
    assert_healthy(&server);
}

/// As the value of a json column and of a parameter: what is taken comes back with every digit, escape and name.
#[test]
fn a_document_as_a_value() {
    let server = Setup::shards(1).file(TABLES).start();
    let client = &mut server.connect();
    send(client, "POST", "/docs", b"{}").is(201, r#"{"row":1,"doc":null}"#);
    let mut counts = std::collections::BTreeMap::<_, usize>::new();
    for case in cases() {
        *counts.entry(case.verdict).or_default() += 1;
        let body = value_of(&case.document);
        let refusal = match case.verdict {
            "invalid" | "kept" => None,
            "nul" => Some("must not contain U+0000"),
            "unicode" => Some("must be valid Unicode"),
            "deep" => Some("is nested too deeply"),
            verdict => panic!("{verdict} is no verdict"),
        };
        for (method, target) in
            [("POST", "/docs"), ("PUT", "/docs/1"), ("PATCH", "/docs/1"), ("POST", "/keep")]
        {
            let answer = send(client, method, target, &body);
            let shown = format!("{} to {method} {target}: {answer:?}", case.name);
            if let Some(words) = refusal {
                assert_eq!(answer.status, 400, "{shown}");
                let body = format!(r#"{{"error":"Validation failed","errors":{{"doc":["{words}"]}}}}"#);
                assert_eq!(answer.text(), body, "{shown}");
                continue;
            }
            if case.verdict == "invalid" {
                assert!(is_invalid_json(&answer), "{shown}");
                continue;
            }
            let kept = compact(&case.document);
            match (method, target) {
                ("POST", "/docs") => {
                    let path = answer.field("Location").expect(&shown).to_owned();
                    let row = path.rsplit('/').next().expect("a path");
                    answer.is(201, &format!(r#"{{"row":{row},"doc":{kept}}}"#));
                    client.get(&path).is(200, &format!(r#"{{"row":{row},"doc":{kept}}}"#));
                }
                ("POST", _) => _ = answer.is(200, &format!(r#"{{"doc":{kept}}}"#)),
                _ => {
                    answer.is(200, r#"{"message":"Updated"}"#);
                    client.get("/docs/1").is(200, &format!(r#"{{"row":1,"doc":{kept}}}"#));
                }
            }
        }
    }
    println!("{counts:?}");
    assert_healthy(&server);
}

/// The text of a number in a flat object, with its digits.
pub(crate) fn field(answer: &Response, name: &str) -> String {
    let text = answer.text();
    let rest = text.split_once(&format!("\"{name}\":")).map_or("", |(_, rest)| rest);
    rest.split([',', '}']).next().unwrap_or_default().to_owned()
}

/// Documents made to crash a parser, slow it down or exhaust it: each is refused with words or kept exactly, and the server stays.
#[test]
fn documents_without_end() {
    const MIB: usize = 1 << 20;
    const DEEP: usize = 1_000_000;
    let server = Setup::shards(1).file(TABLES).start();
    let client = &mut server.connect();
    let refused = |field: &str, words: &str| {
        format!(r#"{{"error":"Validation failed","errors":{{"{field}":["{words}"]}}}}"#)
    };
    for (open, close) in [("[", "]"), (r#"{"":"#, "}"), (r#"[{"a":"#, "}]")] {
        let inner = if open == "[" { "" } else { "0" };
        let nested = [&open.repeat(DEEP), inner, &close.repeat(DEEP)].concat();
        let body = if open.starts_with('[') {
            refused("body", "must be an object")
        } else {
            refused("", "is unknown")
        };
        send(client, "POST", "/docs", nested.as_bytes()).is(400, &body);
        let value = send(client, "POST", "/docs", &value_of(nested.as_bytes()));
        value.is(400, &refused("doc", "is nested too deeply"));
        let value = format!(r#"{{"text":{nested}}}"#);
        send(client, "POST", "/all", value.as_bytes()).is(400, &refused("text", "must be a string"));
        let unclosed = open.repeat(DEEP);
        assert!(is_invalid_json(&send(client, "POST", "/docs", unclosed.as_bytes())), "{open}");
        assert!(is_invalid_json(&send(client, "POST", "/docs", &value_of(unclosed.as_bytes()))), "{open}");
        assert!(is_invalid_json(&send(client, "POST", "/docs", close.repeat(DEEP).as_bytes())), "{close}");
    }

    let digits = "7".repeat(MIB);
    for number in [
        digits.clone(),
        format!("-{digits}"),
        format!("0.{digits}"),
        format!("1e{digits}"),
        format!("1e-{digits}"),
    ] {
        let is_whole = !number.contains(['.', 'e']);
        for kind in ["smallint", "integer", "bigint", "real", "double"] {
            let words = match kind {
                "real" | "double" if number.starts_with("0.") => continue,
                "real" | "double" => "is out of range",
                _ if is_whole => "is out of range",
                _ => "must be an integer",
            };
            let answer = send(client, "POST", "/all", format!(r#"{{"{kind}":{number}}}"#).as_bytes());
            answer.is(400, &refused(kind, words));
        }
        for (kind, name) in [("numeric", "numeric"), ("json", "json")] {
            let answer = send(client, "POST", "/all", format!(r#"{{"{kind}":{number}}}"#).as_bytes());
            assert_eq!(answer.status, 201, "{kind}: {:.200}", answer.text());
            assert!(field(&answer, name) == number, "{kind} of {number:.20}…");
        }
    }
    let answer =
        send(client, "POST", "/all", format!(r#"{{"double":0.{digits},"real":0.{digits}}}"#).as_bytes());
    assert_eq!(
        (field(&answer, "double"), field(&answer, "real")),
        ("0.7777777777777778".into(), "0.7777778".into())
    );

    // Each backslash is two in JSON.
    let backslashes = "\\".repeat(MIB);
    for column in ["text", "json"] {
        let answer = send(client, "POST", "/all", format!(r#"{{"{column}":"{backslashes}"}}"#).as_bytes());
        assert_eq!(answer.status, 201);
        let shown = format!(r#""{column}":"{backslashes}""#);
        assert!(answer.text().contains(&shown), "{column}");
        let odd = format!(r#"{{"{column}":"{backslashes}\"}}"#);
        assert!(is_invalid_json(&send(client, "POST", "/all", odd.as_bytes())), "{column}");
    }
    let escaped = format!(r#"{{"text":"{}"}}"#, r"\u0041\n".repeat(MIB / 8));
    let answer = send(client, "POST", "/all", escaped.as_bytes());
    assert!(answer.text().contains(&r"A\n".repeat(MIB / 8)));

    let same = |field: &str| format!("{{{}}}", vec![field; MIB / (field.len() + 1)].join(","));
    send(client, "POST", "/all", same(r#""text":1"#).as_bytes())
        .is(400, r#"{"error":"Validation failed","errors":{"text":["is given twice","must be a string"]}}"#);
    send(client, "POST", "/all", same(r#""t\u0065xt":"x""#).as_bytes())
        .is(400, &refused("text", "is given twice"));
    send(client, "POST", "/all", same(r#""x":1"#).as_bytes()).is(400, &refused("x", "is unknown"));
    let fields: Vec<_> = (0..100_000).map(|number| format!(r#""f{number}":{number}"#)).collect();
    let answer = send(client, "POST", "/all", format!("{{{}}}", fields.join(",")).as_bytes());
    let errors = answer.json()["errors"].as_object().map(|errors| errors.len());
    assert_eq!((answer.status, errors), (400, Some(100)));

    let long = format!(r#"{{"{}":1}}"#, "x".repeat(MIB));
    send(client, "POST", "/all", long.as_bytes()).is(400, &refused(&"x".repeat(100), "is unknown"));
    assert!(is_invalid_json(&send(client, "POST", "/all", " ".repeat(MIB).as_bytes())));
    let spaces = format!("{0}{{{0}\"json\"{0}:{0}[{0}]{0}}}{0}", " \t\r\n".repeat(MIB / 32));
    let answer = send(client, "POST", "/all", spaces.as_bytes());
    assert!(answer.status == 201 && answer.text().contains(r#""json":[]"#));
    assert_healthy(&server);
}

/// It goes on, and nothing of what was sent was its own fault.
fn assert_healthy(server: &Server) {
    server.connect().goes_on();
    let metrics = server.metrics();
    for (labels, count) in metrics.series("http_requests_total") {
        assert!(!labels.contains("status=\"5") || count == 0.0, "{labels} {count}");
    }
}
