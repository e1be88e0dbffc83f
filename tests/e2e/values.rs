//! Strings that are easily broken on the way (`tests/values/strings.txt`), over sockets: in bodies, in paths, in queries. What the
//! database sees of them is a matter of `src/api/tests/values.rs`. `VALUES=FILE` adds the lines of a file, each a JSON string.

use crate::client::Client;
use crate::server::Setup;

const STRINGS: &str = include_str!("../values/strings.txt");

const TABLES: &str = r#"
[tables.words]
list = "/words"
item = "/words/{word}"
key = "word"
[tables.words.columns]
word = { type = "text" }
note = { type = "text", unique = true }
doc = "json"

[endpoints.by_query]
path = "/query"
params = { word = "words.word" }
sql = "SELECT note FROM words WHERE word = $word"
shape = "value"

[endpoints.by_body]
path = "/body/{word}"
methods = ["POST"]
params = { word = "words.word", note = "words.note" }
sql = "UPDATE words SET note = $note WHERE word = $word RETURNING word, note"
shape = "row"
"#;

/// A string is sent in paths up to this; longer ones only in bodies.
const ESCAPED_BYTES_MAX: usize = 8 * 1024 - 100;

fn strings() -> Vec<String> {
    let further =
        std::env::var("VALUES").map(|file| std::fs::read_to_string(file).expect("VALUES names a file"));
    let text = format!("{STRINGS}\n{}", further.unwrap_or_default());
    let lines = text.lines().filter(|line| line.starts_with('"'));
    lines.map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"))).collect()
}

fn all_escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

/// As people write paths: what may stand there does.
fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// JSON with every character as an escape.
fn escaped_json(text: &str) -> String {
    let units = text.encode_utf16().map(|unit| format!("\\u{unit:04X}"));
    format!("\"{}\"", units.collect::<String>())
}

#[test]
fn strings_come_back_byte_for_byte() {
    let long = |setup: Setup<'static>, key: &str| setup.set(key, "\"1MiB\"");
    let server = long(long(Setup::shards(1).file(TABLES), "http.max_head"), "http.max_target").start();
    let client = &mut server.connect();
    let (mut sent, mut refused, mut in_paths) = (0, 0, 0);
    for string in strings() {
        sent += 1;
        let raw = serde_json::to_string(&string).expect("a string");
        if matches!(string.as_str(), "" | "." | "..") || string.contains('\0') {
            refused += 1;
            let body = format!(r#"{{"word":{raw}}}"#);
            assert_eq!(client.ask("POST", "/words", Some(&body)).status, 400, "{raw}");
            continue;
        }
        in_paths += usize::from(there_and_back(client, &string, &raw));
    }
    println!("{sent} strings, {refused} refused, {in_paths} in paths and queries too");
    client.get("/words").is(200, r#"{"words":[],"total":0,"page":1,"per_page":20}"#);
}

/// Whether the string was short enough for a path.
fn there_and_back(client: &mut Client, string: &str, raw: &str) -> bool {
    let row = format!(r#"{{"word":{raw},"note":{raw},"doc":[{raw}]}}"#);
    let answer = client.ask("POST", "/words", Some(&row));
    answer.is(201, &row);
    let location = answer.field("Location").expect("a path").to_owned();
    if 3 * string.len() > ESCAPED_BYTES_MAX {
        client
            .get("/words?per_page=1")
            .is(200, &format!(r#"{{"words":[{row}],"total":1,"page":1,"per_page":1}}"#));
        return false;
    }
    client.get(&location).is(200, &row);
    for path in [all_escaped(string), escaped(string)] {
        client.get(&format!("/words/{path}")).is(200, &row);
    }
    client.get(&format!("/query?word={}", all_escaped(string))).is(200, raw);
    let spaced = all_escaped(string).replace("%20", "+");
    client.get(&format!("/query?x=%FF&word={spaced}&word=other")).is(200, raw);
    let body = format!(r#"{{"note":{}}}"#, escaped_json(string));
    let pair = format!(r#"{{"word":{raw},"note":{raw}}}"#);
    client.ask("POST", &format!("/body/{}", all_escaped(string)), Some(&body)).is(200, &pair);
    client.ask("PATCH", &location, Some(&body)).is(200, r#"{"message":"Updated"}"#);
    client.ask("DELETE", &location, None).is(200, r#"{"message":"Word deleted"}"#);
    client.get(&location).is(404, r#"{"error":"Word not found"}"#);
    true
}
