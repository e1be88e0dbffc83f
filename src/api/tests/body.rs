//! Bodies that are no row.

use super::{JSON, Served, text};
use proptest::prelude::*;
use ringmill_http1::Method::{Patch, Post, Put};

#[test]
fn bodies_that_are_no_json() {
    let served = Served::builtin();
    for (body, detail) in [
        ("", "The document ends where a value should stand (line 1, column 0)"),
        ("{", "The document ends in the middle of an object (line 1, column 1)"),
        ("{\"a\":", "The document ends where a value should stand (line 1, column 5)"),
        ("{\n\"name\":}", "A value should stand here (line 2, column 8)"),
        ("{\"name\":\"secret", "The document ends in the middle of a string (line 1, column 15)"),
        ("{} {}", "Something stands behind the end of the document (line 1, column 4)"),
        ("[1,]", "A value should stand here (line 1, column 4)"),
        ("{\"a\":[1", "The document ends in the middle of an array (line 1, column 7)"),
        ("name=x", "What stands here is none of true, false and null (line 1, column 2)"),
        ("{\"a\":01}", "A number is not written as JSON writes it (line 1, column 7)"),
        ("{\"a\":NaN}", "A value should stand here (line 1, column 6)"),
        ("{\"a\" 1}", "A colon should stand behind a field's name (line 1, column 6)"),
        ("{\"a\":[1 2]}", "A comma or ] should stand behind an array's item (line 1, column 9)"),
        ("{\"a\":1 \"b\":2}", "A comma or } should stand behind a field (line 1, column 8)"),
        ("{a:1}", "A field's name should stand here, in quotation marks (line 1, column 2)"),
        ("{\"a\":1,}", "A comma has nothing behind it (line 1, column 8)"),
        ("{\"a\":\"\\x\"}", "A string has an escape that JSON does not have (line 1, column 8)"),
        ("{\"a\":\"\t\"}", "A string has a control character that is not escaped (line 1, column 6)"),
        ("{\"\\ud800\":1}", "A string has an escape that is no character (line 1, column 9)"),
    ] {
        let expected = format!(r#"{{"error":"Invalid JSON","detail":"{detail}"}}"#);
        for (method, target) in
            [(Post, "/api/users"), (Put, "/api/user/1"), (Patch, "/api/user/1"), (Post, "/api/user")]
        {
            let answer = served.ask(method, target, JSON, body.as_bytes());
            assert_eq!((answer.status, text(&answer)), (400, expected.as_str()), "{body}");
        }
    }
    let answer = served.ask(Post, "/api/users", JSON, b"{\"name\":\"\xff\"}");
    assert_eq!(text(&answer), r#"{"error":"Invalid JSON","detail":"The document is not UTF-8 (byte 10)"}"#);
}

#[test]
fn json_that_is_no_object() {
    let served = Served::builtin();
    for body in ["[]", "null", " 1 ", "\"x\"", "[{\"name\":\"A\",\"email\":\"a@a.b\"}]"] {
        let expected = r#"{"error":"Validation failed","errors":{"body":["must be an object"]}}"#;
        served.check(Post, "/api/users", body, 400, expected);
        served.check(Put, "/api/user/1", body, 400, expected);
        served.check(Post, "/api/user", body, 400, expected);
    }
}

#[test]
fn fields_unknown_or_given_twice() {
    let served = Served::builtin();
    served.check(
        Post,
        "/api/users",
        r#"{"name":"A","n\u0061me":"B","email":"a@a.b","Email":1,"":2,"é\n":3}"#,
        400,
        r#"{"error":"Validation failed","errors":{"name":["is given twice"],"Email":["is unknown"],"":["is unknown"],"é\n":["is unknown"]}}"#,
    );
    served.check(
        Post,
        "/api/user",
        r#"{"name":"","name":1,"email":"a@a.b","id":1}"#,
        400,
        r#"{"error":"Validation failed","errors":{"name":["is given twice","must be a string"],"id":["is unknown"]}}"#,
    );
    // What a client invents is not repeated without end.
    let fields: Vec<_> = (0..10_000).map(|number| format!(r#""{number}{}":1"#, "x".repeat(200))).collect();
    let answer = served.send(Post, "/api/users", &format!("{{{}}}", fields.join(",")));
    assert_eq!(answer.status, 400);
    assert!(answer.body.len() < 20_000, "{}", answer.body.len());
}

#[test]
fn deep_nesting_is_no_danger() {
    let served = Served::builtin();
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let body = format!(r#"{{"name":{deep},"email":"a@a.b"}}"#);
    let expected = r#"{"error":"Validation failed","errors":{"name":["must be a string"]}}"#;
    served.check(Post, "/api/users", &body, 400, expected);
    let expected = r#"{"error":"Validation failed","errors":{"body":["must be an object"]}}"#;
    served.check(Post, "/api/users", &deep, 400, expected);
}

proptest! {
    #[test]
    fn no_body_panics(body in prop_oneof![
        "[\\[\\]{}:,\"\\\\a-fu0-9.eE+-]{0,60}".prop_map(String::into_bytes),
        proptest::collection::vec(any::<u8>(), 0..60),
        "\\{\"(name|email|age|id|x)\":[0-9a-z\"\\[\\]{}., -]{0,20}(,\"(name|age|status)\":[0-9a-z\"]{0,9})?\\}"
            .prop_map(String::into_bytes),
    ]) {
        let api = super::Api::new(&super::builtin_plan());
        for (method, target) in [(Post, "/api/users"), (Put, "/api/user/1"), (Patch, "/api/user/1"), (Post, "/api/user")] {
            if let super::Begin::Answer(answer) = super::begin(&api, method, target, JSON, &body) {
                prop_assert!(serde_json::from_slice::<serde_json::Value>(&answer.body).is_ok());
            }
        }
    }
}

/// Nanoseconds a byte at three lengths, for documents that are made to be slow: the same at each, since all work is linear.
#[test]
#[ignore = "measures: run it alone, in release, with --nocapture"]
fn what_documents_cost() {
    type Make = fn(usize) -> String;
    let documents: [(&str, Make); 9] = [
        ("nested arrays", |bytes| format!("{{\"name\":{}{}}}", "[".repeat(bytes / 2), "]".repeat(bytes / 2))),
        ("nested, never closed", |bytes| format!("{{\"name\":{}", "[".repeat(bytes))),
        ("nested in a json column", |bytes| {
            format!("{{\"doc\":{}{}}}", "[".repeat(bytes / 2), "]".repeat(bytes / 2))
        }),
        ("digits", |bytes| format!("{{\"price\":{}}}", "7".repeat(bytes))),
        ("digits of a double", |bytes| format!("{{\"double\":0.{}}}", "7".repeat(bytes))),
        ("backslashes", |bytes| format!("{{\"name\":\"{}\"}}", "\\\\".repeat(bytes / 2))),
        ("one field over and over", |bytes| format!("{{{}\"x\":1}}", "\"name\":1,".repeat(bytes / 9))),
        ("ever other fields", |bytes| {
            let fields: String = (0..bytes / 12).map(|number| format!("\"{number:07}\":1,")).collect();
            format!("{{{fields}\"x\":1}}")
        }),
        ("json with white space", |bytes| format!("{{\"doc\":[{}1]}}", "1 , ".repeat(bytes / 4))),
    ];
    let plan = super::plan_of(
        r#"
        [tables.t]
        list = "/t"
        [tables.t.columns]
        id = { type = "bigint", generated = "identity" }
        name = "text"
        doc = "json"
        price = { type = "numeric", maximum = 1e300 }
        double = { type = "double", maximum = 0.9 }
        "#,
    );
    let api = super::Api::new(&plan);
    for (name, make) in documents {
        let costs = [64, 256, 1024].map(|kib| {
            let body = make(kib * 1024);
            let rounds = 4096 / kib;
            let began = std::time::Instant::now();
            for _ in 0..rounds {
                std::hint::black_box(super::begin(&api, Post, "/t", JSON, body.as_bytes()));
            }
            began.elapsed().as_nanos() as f64 / (rounds * body.len()) as f64
        });
        println!(
            "{name:26} {:6.2} {:6.2} {:6.2} ns a byte at 64 KiB, 256 KiB, 1 MiB",
            costs[0], costs[1], costs[2]
        );
    }
}
