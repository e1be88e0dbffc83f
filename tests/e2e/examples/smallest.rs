//! `smallest.toml`: four lines.

use super::{Example, examples};

#[test]
fn four_lines_are_enough() {
    let text = std::fs::read_to_string(examples().join("smallest.toml")).expect("the file");
    assert_eq!(text.lines().count(), 4);

    let example = Example::start("smallest.toml");
    let round = &mut example.round();
    round.get("/notes").is(200, r#"{"notes":[],"total":0,"page":1,"per_page":20}"#);
    let created = round.ask("POST", "/notes", Some(r#"{"text":"Milk"}"#));
    created.is(201, r#"{"id":1,"text":"Milk"}"#).has("Location", Some("/notes/1"));
    round.get("/notes/1").is(200, r#"{"id":1,"text":"Milk"}"#);
    round.ask("PUT", "/notes/1", Some(r#"{"text":"Tea"}"#)).is(200, r#"{"message":"Updated"}"#);
    round.ask("PATCH", "/notes/1", Some(r#"{"text":"Oat milk"}"#)).is(200, r#"{"message":"Updated"}"#);
    let one = r#"{"notes":[{"id":1,"text":"Oat milk"}],"total":1,"page":1,"per_page":20}"#;
    round.get("/notes").is(200, one);
    let missing = r#"{"error":"Missing required fields","errors":{"text":["is required"]}}"#;
    round.ask("POST", "/notes", Some("{}")).is(400, missing);
    round.ask("DELETE", "/notes/1", None).is(200, r#"{"message":"Note deleted"}"#);
    round.get("/notes/1").is(404, r#"{"error":"Note not found"}"#);
    example.end();
}
