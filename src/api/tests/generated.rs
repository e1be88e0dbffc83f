//! What is accepted and stored comes back equal, for every type.

use super::convert::arbitrary_json;
use super::{Served, text};
use proptest::prelude::*;
use ringmill_http1::Method::{Get, Patch, Post, Put};
use serde_json::{Map, Value, json};

const FILE: &str = r#"
    [tables.things]
    list = "/things"
    item = "/things/{id}"
    [tables.things.columns]
    id = { type = "bigint", generated = "identity" }
    small = "smallint"
    whole = "integer"
    big = "bigint"
    single = "real"
    double = "double"
    digits = "numeric"
    words = { type = "text", max_length = 20 }
    flag = "boolean"
    time = "timestamp"
    day = "date"
    uid = "uuid"
    tree = "json"
    data = "bytes"
    [tables.things.replies]
    update = "@row"
"#;

fn row() -> impl Strategy<Value = Map<String, Value>> {
    let finite = any::<f64>().prop_filter("finite", |real| real.is_finite());
    let single = any::<f32>().prop_filter("finite", |real| real.is_finite());
    let numbers = (any::<i16>(), any::<i32>(), any::<i64>(), single, finite);
    let times = (0_i64..253_402_300_800_000_000, 1_u8..29);
    let rest = (any::<bool>(), "[^\0]{0,20}", any::<u128>(), arbitrary_json(), any::<Vec<u8>>());
    let present = proptest::collection::vec(any::<bool>(), 13);
    (numbers, times, rest, present).prop_map(|(numbers, (time, day), rest, present)| {
        let (small, whole, big, single, double) = numbers;
        let (flag, words, uid, tree, data) = rest;
        use base64::Engine;
        let single: Value = serde_json::from_str(ryu::Buffer::new().format_finite(single)).unwrap();
        let fields = [
            ("small", json!(small)),
            ("whole", json!(whole)),
            ("big", json!(big)),
            ("single", single),
            ("double", json!(double)),
            ("digits", json!(big)),
            ("words", json!(words)),
            ("flag", json!(flag)),
            ("time", json!(crate::config::time::format_timestamp(time).unwrap())),
            ("day", json!(format!("2026-02-{day:02}"))),
            ("uid", json!(super::super::convert::uuid_of(uid))),
            ("tree", tree),
            ("data", json!(base64::engine::general_purpose::STANDARD.encode(data))),
        ];
        let null = |(name, value): (&str, Value), present| {
            (name.to_owned(), if present { value } else { Value::Null })
        };
        fields.into_iter().zip(present).map(|(field, present)| null(field, present)).collect()
    })
}

#[test]
fn rows_come_back() {
    let served = Served::of(FILE);
    let mut runner = proptest::test_runner::TestRunner::default();
    let rows = (row(), row());
    runner
        .run(&rows, |(first, second)| {
            let answer = served.send(Post, "/things", &Value::Object(first.clone()).to_string());
            prop_assert_eq!(answer.status, 201, "{}", text(&answer));
            let item = answer.location.clone().expect("it has an item");
            let mut shown: Map<String, Value> = serde_json::from_slice(&answer.body).unwrap();
            let id = shown.remove("id");
            prop_assert_eq!(&shown, &first);
            prop_assert_eq!(&served.get(&item).body, &answer.body);

            // What was read may be written back, and changes nothing.
            let again = served.send(Put, &item, text(&answer));
            prop_assert_eq!((again.status, &again.body), (200, &answer.body), "{}", text(&again));

            // PUT replaces all, PATCH what is given.
            let answer = served.send(Put, &item, &Value::Object(second.clone()).to_string());
            let mut shown: Map<String, Value> = serde_json::from_slice(&answer.body).unwrap();
            prop_assert_eq!(shown.remove("id"), id);
            prop_assert_eq!(&shown, &second);
            let part: Map<_, _> = first.into_iter().take(6).collect();
            let answer = served.send(Patch, &item, &Value::Object(part.clone()).to_string());
            let shown: Map<String, Value> = serde_json::from_slice(&answer.body).unwrap();
            for (name, value) in &second {
                prop_assert_eq!(&shown[name], part.get(name).unwrap_or(value));
            }
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(served.ask(Get, "/things", None, b"").status, 200);
}

#[test]
fn numerics_keep_all_digits() {
    let served = Served::of(FILE);
    for digits in ["1.10", "-0.000", "123456789012345678901234567890.5", "1e-7", "2E+3"] {
        let body = format!(r#"{{"digits":{digits}}}"#);
        let answer = served.send(Post, "/things", &body);
        assert!(text(&answer).contains(&format!(r#""digits":{digits},"#)), "{}", text(&answer));
    }
}
