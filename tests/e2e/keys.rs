//! Keys that are text: whatever a row is called, its path leads to it, and to it alone.

use crate::checking::{check_faults, check_notes};
use crate::server::Setup;

const FILE: &str = r#"
[tables.words]
list = "/words"
item = "/words/{word}"
key = "word"
[tables.words.columns]
word = { type = "text" }
note = { type = "text", default = "" }

[endpoints.upsert]
path = "/words/{word}/note"
methods = ["PUT"]
params = { word = "words.word", note = "words.note" }
sql = "INSERT INTO words (word, note) VALUES ($word, $note) ON CONFLICT (word) DO UPDATE SET note = excluded.note"
shape = "row"
status = 204
[endpoints.upsert_of_body]
path = "/upsert"
methods = ["POST"]
params = { word = "words.word", note = "words.note" }
sql = "INSERT INTO words (word, note) VALUES ($word, $note) ON CONFLICT (word) DO UPDATE SET note = excluded.note"
shape = "row"
status = 204
[endpoints.find]
path = "/find"
params = { word = "words.word" }
sql = "SELECT word FROM words WHERE word = $word"
"#;

#[test]
fn a_key_that_clients_take_for_a_step_is_refused() {
    let server = Setup::shards(1).file(FILE).start();
    let client = &mut server.connect();
    let refused = r#"{"error":"Validation failed","errors":{"word":["must not be . or .."]}}"#;
    for word in [".", "..", "\\u002e"] {
        let row = format!(r#"{{"word":"{word}"}}"#);
        client.ask("POST", "/words", Some(&row)).is(400, refused);
        client.ask("POST", "/upsert", Some(&row)).is(400, refused);
    }
    for word in [".", "..", "%2e", "%2E."] {
        let path = format!("/words/{word}/note");
        client.ask("PUT", &path, Some("{}")).is(404, r#"{"error":"Not found"}"#);
    }
    client.get("/words").is(200, r#"{"words":[],"total":0,"page":1,"per_page":20}"#);
    // To look for it is no fault, nor is it one as another column's value.
    client.get("/find?word=..").is(200, "[]");
    client.ask("POST", "/words", Some(r#"{"word":"a","note":".."}"#)).is(201, r#"{"word":"a","note":".."}"#);
}

#[test]
fn any_other_key_is_reached_at_its_location() {
    let server = Setup::shards(1).file(FILE).start();
    let client = &mut server.connect();
    for (word, path) in [
        ("...", "/words/..."),
        (".a", "/words/.a"),
        ("a/b", "/words/a%2Fb"),
        ("/", "/words/%2F"),
        ("../a", "/words/..%2Fa"),
        ("a%2Fb", "/words/a%252Fb"),
        ("%2e", "/words/%252e"),
        ("a?b#c", "/words/a%3Fb%23c"),
        (" ", "/words/%20"),
        ("Ä", "/words/%C3%84"),
    ] {
        let row = format!(r#"{{"word":"{word}","note":""}}"#);
        client.ask("POST", "/words", Some(&row)).is(201, &row).has("Location", Some(path));
        client.get(path).is(200, &row);
        client.ask("PUT", &format!("{path}/note"), Some(r#"{"note":"n"}"#)).is(204, "");
        client.ask("DELETE", path, None).is(200, r#"{"message":"Word deleted"}"#);
        client.get("/words").is(200, r#"{"words":[],"total":0,"page":1,"per_page":20}"#);
    }
    // An escape in either case is the same path; a slash is another.
    client.ask("POST", "/words", Some(r#"{"word":"a/b"}"#)).is(201, r#"{"word":"a/b","note":""}"#);
    client.get("/words/a%2fb").is(200, r#"{"word":"a/b","note":""}"#);
    client.get("/words/a/b").is(404, r#"{"error":"Not found"}"#);
    client.get("/words/a%252Fb").is(404, r#"{"error":"Word not found"}"#);
}

/// `http.max_target` is 8 KiB if nothing else is said.
#[test]
fn a_key_is_as_long_as_its_path_may_be() {
    let server = Setup::shards(1).file(format!("{FILE}{PAIRS}")).start();
    let client = &mut server.connect();
    let refused = r#"{"error":"Validation failed","errors":{"word":["is too long for a path"]}}"#;
    let longest = 8 * 1024 - "/words/".len();
    for word in ["a".repeat(longest), "/".repeat(longest / 3), "ä".repeat(longest / 6)] {
        let row = format!(r#"{{"word":"{word}","note":""}}"#);
        let answer = client.ask("POST", "/words", Some(&row));
        answer.is(201, &row);
        let location = answer.field("Location").expect("a path").to_owned();
        client.get(&location).is(200, &row);
        client.ask("DELETE", &location, None).is(200, r#"{"message":"Word deleted"}"#);
        client.ask("POST", "/upsert", Some(&row)).is(204, "");
        client.ask("DELETE", &location, None).is(200, r#"{"message":"Word deleted"}"#);
        let longer = format!(r#"{{"word":"{word}{}","note":""}}"#, &word[..word.len().min(2)].repeat(3));
        client.ask("POST", "/words", Some(&longer)).is(400, refused);
        client.ask("POST", "/upsert", Some(&longer)).is(400, refused);
    }
    // All parts of a key together; the longest is named, and beside it what else is wrong.
    let (a, b) = ("a".repeat(5000), "b".repeat(3000));
    let longest = 8 * 1024 - "/pairs//".len();
    let row = format!(r#"{{"a":"{a}","b":"{b}{}"}}"#, "c".repeat(longest - 8000));
    let answer = client.ask("POST", "/pairs", Some(&row));
    assert_eq!(answer.status, 201);
    let location = answer.field("Location").expect("a path").to_owned();
    assert_eq!(location.len(), 8 * 1024);
    assert_eq!(client.get(&location).status, 200);
    let longer = format!(r#"{{"a":"{a}","b":"{b}{}"}}"#, "c".repeat(longest - 7999));
    let refused = r#"{"error":"Validation failed","errors":{"a":["is too long for a path"]}}"#;
    client.ask("POST", "/pairs", Some(&longer)).is(400, refused);
    client.ask("POST", "/pair", Some(&longer)).is(400, refused);
    let wrong = longer.replace('}', r#","n":"x"}"#);
    client.ask("POST", "/pairs", Some(&wrong)).is(
        400,
        r#"{"error":"Validation failed","errors":{"n":["must be an integer"],"a":["is too long for a path"]}}"#,
    );
}

const PAIRS: &str = r#"
[tables.pairs]
list = "/pairs"
item = "/pairs/{a}/{b}"
key = ["a", "b"]
columns = { a = "text", b = "text", n = "integer" }
[endpoints.pair]
path = "/pair"
methods = ["POST"]
params = { b = "pairs.b", a = "pairs.a" }
sql = "INSERT INTO pairs (a, b) VALUES ($a, $b)"
"#;

/// A row has one path: what shows it is found by its key.
#[test]
fn a_key_that_tells_fewer_texts_apart_is_a_fault() {
    let file = "[tables.t]\nitem = \"/t/{word}\"\nkey = \"word\"\n[tables.t.columns]\nword = \"text\"\nother = \"text\"\n";
    for collation in ["NOCASE", "RTRIM"] {
        let table =
            format!("CREATE TABLE t (word TEXT NOT NULL COLLATE {collation} PRIMARY KEY, other TEXT) STRICT");
        let fault = format!(
            "ringmill.toml:5: tables.t.columns.word: t.word has COLLATE {collation} in the database, so that several keys would name one row; take a key that compares every byte, or make the table anew"
        );
        check_faults(file, &[&table], &[&fault]);
    }
    // So may other columns, a key's index, and a key of which there is one way to say it.
    let table = "CREATE TABLE t (word TEXT NOT NULL PRIMARY KEY, other TEXT COLLATE NOCASE) STRICT";
    check_notes(file, &[table, "CREATE UNIQUE INDEX i ON t (word COLLATE NOCASE)"], &[]);
    let uuid = file.replace("word = \"text\"", "word = \"uuid\"");
    check_notes(
        &uuid,
        &["CREATE TABLE t (word TEXT NOT NULL COLLATE NOCASE PRIMARY KEY, other TEXT) STRICT"],
        &[],
    );
}
