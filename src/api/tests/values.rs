//! Strings that are easily broken on the way (`tests/values/strings.txt`): each comes back as it was sent, by every way in, and none
//! becomes part of a statement. What runs is seen by the database's own trace. `VALUES=FILE` adds the lines of a file.

use super::{Served, plan_of, text};
use ringmill_http1::Method::{self, Delete, Get, Patch, Post, Put};
use std::collections::BTreeSet;
use std::sync::Mutex;

const STRINGS: &str = include_str!("../../../tests/values/strings.txt");

const FILE: &str = r#"
    [tables.words]
    list = "/words"
    item = "/words/{word}"
    key = "word"
    replies = { list = "@rows", update = "@row" }
    [tables.words.columns]
    word = { type = "text" }
    note = { type = "text", unique = true }
    doc = "json"
    [endpoints.by_query]
    path = "/query"
    params = { word = "words.word" }
    sql = "SELECT word, note FROM words WHERE word = $word"
    [endpoints.by_path]
    path = "/path/{word}/x"
    sql = "SELECT note FROM words WHERE word = $word"
    shape = "value"
    [endpoints.by_body]
    path = "/body"
    methods = ["POST"]
    params = { word = "words.word", note = "words.note" }
    sql = "UPDATE words SET note = $note WHERE word = $word RETURNING word, note"
    shape = "row"
    [endpoints.computed]
    path = "/computed"
    params = { word = { type = "text" } }
    sql = "SELECT $word AS word, length($word) AS length"
    shape = "row"
    "#;

/// What the statements that ran said: those of this module's only traced store.
static SEEN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

fn note(sql: &str) {
    SEEN.lock().expect("no test panics while it holds this lock").insert(sql.to_owned());
}

fn seen() -> BTreeSet<String> {
    SEEN.lock().expect("no test panics while it holds this lock").clone()
}

fn strings() -> Vec<String> {
    let further =
        std::env::var("VALUES").map(|file| std::fs::read_to_string(file).expect("VALUES names a file"));
    let text = format!("{STRINGS}\n{}", further.unwrap_or_default());
    let lines = text.lines().filter(|line| line.starts_with('"'));
    lines.map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"))).collect()
}

fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn json(text: &str) -> String {
    serde_json::to_string(text).expect("a string")
}

/// All the ways of a string that may stand in a table and in a path.
fn there_and_back(served: &Served, word: &str) {
    let (raw, path) = (json(word), escaped(word));
    let row = format!(r#"{{"word":{raw},"note":{raw},"doc":{{{raw}:[{raw}]}}}}"#);
    let answer = served.check(Post, "/words", &row, 201, &row);
    let location = answer.location.expect("the row's path");
    let item = format!("/words/{path}");
    served.check(Get, &location, "", 200, &row);
    served.check(Get, &item, "", 200, &row);
    served.check(Get, "/words", "", 200, &format!("[{row}]"));
    served.check(Patch, &item, &format!(r#"{{"word":{raw},"note":{raw}}}"#), 200, &row);
    served.check(Put, &item, &format!(r#"{{"note":{raw},"doc":{{{raw}:[{raw}]}}}}"#), 200, &row);
    let pair = format!(r#"{{"word":{raw},"note":{raw}}}"#);
    served.check(Get, &format!("/query?word={path}"), "", 200, &format!("[{pair}]"));
    served.check(Get, &format!("/path/{path}/x"), "", 200, &raw);
    served.check(Post, "/body", &pair, 200, &pair);
    let length = word.chars().count();
    let computed = format!(r#"{{"word":{raw},"length":{length}}}"#);
    served.check(Get, &format!("/computed?word={path}"), "", 200, &computed);
    let taken = r#"{"error":"Failed to create word","errors":{"word":["is already taken"]}}"#;
    let again = served.send(Post, "/words", &format!(r#"{{"word":{raw}}}"#));
    assert_eq!((again.status, text(&again)), (409, taken), "{word:?}");
    served.check(Delete, &item, "", 200, r#"{"message":"Word deleted"}"#);
    served.check(Get, &item, "", 404, r#"{"error":"Word not found"}"#);
}

#[test]
fn strings_come_back_and_never_become_statements() {
    let served = Served::traced(&plan_of(FILE), note);
    there_and_back(&served, "plain");
    let fixed = seen();
    let mut known = BTreeSet::new();
    for (index, route) in served.api.routes().iter().enumerate() {
        let statements = route.methods.iter().flat_map(|method| served.api.statements(index, *method));
        known.extend(statements.map(|sql| sql.to_string()));
    }
    assert!(fixed.len() > 10 && known.iter().filter(|sql| fixed.contains(*sql)).count() > 8, "{fixed:#?}");
    let mut count = 0;
    let is_key = |string: &&String| !matches!(string.as_str(), "" | "." | "..") && !string.contains('\0');
    for string in strings().iter().filter(is_key) {
        there_and_back(&served, string);
        count += 1;
    }
    assert!(count > 250, "{count}");
    // The store's own statements bear a mark or set it up.
    let is_own = |sql: &&String| sql.ends_with("--the store's own") || sql.starts_with("PRAGMA");
    let others: Vec<_> = seen().into_iter().filter(|sql| !known.contains(sql) && !is_own(&sql)).collect();
    assert_eq!(others, [""; 0], "beside the statements of the file");
}

#[test]
fn what_is_no_text_is_refused() {
    let served = Served::of(FILE);
    let nul = "must not contain U+0000";
    let refused = |method: Method, target: &str, body: &[u8], status: u16, expected: &str| {
        let answer = served.ask(method, target, super::JSON, body);
        assert_eq!((answer.status, text(&answer)), (status, expected), "{target} {body:?}");
    };
    let errors = |field: &str, words: &str| {
        format!(r#"{{"error":"Validation failed","errors":{{"{field}":["{words}"]}}}}"#)
    };
    for string in strings().iter().filter(|string| string.contains('\0')) {
        let (raw, path) = (json(string), escaped(string));
        refused(Post, "/words", format!(r#"{{"word":{raw}}}"#).as_bytes(), 400, &errors("word", nul));
        refused(
            Post,
            "/words",
            format!(r#"{{"word":"a","doc":[{raw}]}}"#).as_bytes(),
            400,
            &errors("doc", nul),
        );
        refused(
            Post,
            "/words",
            format!(r#"{{"word":"a","doc":{{{raw}:1}}}}"#).as_bytes(),
            400,
            &errors("doc", nul),
        );
        refused(
            Post,
            "/body",
            format!(r#"{{"word":{raw},"note":"a"}}"#).as_bytes(),
            400,
            &errors("word", nul),
        );
        refused(Get, &format!("/query?word={path}"), b"", 400, &errors("word", nul));
        refused(Get, &format!("/words/{path}"), b"", 404, r#"{"error":"Word not found"}"#);
        refused(Get, &format!("/path/{path}/x"), b"", 404, r#"{"error":"Not found"}"#);
    }
    for bytes in [&b"\xff"[..], b"a\x80", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe6\x97"] {
        let path: String = bytes.iter().map(|byte| format!("%{byte:02x}")).collect();
        let body = [b"{\"word\":\"", bytes, b"\"}"].concat();
        let at = 10 + usize::from(bytes[0] == b'a');
        let invalid =
            format!(r#"{{"error":"Invalid JSON","detail":"The document is not UTF-8 (byte {at})"}}"#);
        refused(Post, "/words", &body, 400, &invalid);
        refused(Post, "/body", &body, 400, &invalid);
        refused(Get, &format!("/query?word={path}"), b"", 400, &errors("word", "must be valid Unicode"));
        refused(Get, &format!("/words/{path}"), b"", 404, r#"{"error":"Word not found"}"#);
        refused(Get, &format!("/path/{path}/x"), b"", 404, r#"{"error":"Not found"}"#);
        refused(Get, &format!("/words?page={path}&x%ff=1"), b"", 200, "[]");
    }
    refused(Post, "/words", br#"{"word":""}"#, 400, &errors("word", "must be at least 1 character"));
}
