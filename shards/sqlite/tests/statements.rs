//! What a job's statement may do, and what becomes of values that a sound statement cannot be run with.

mod common;

use common::{Bench, read, statement, text, write};
use ringmill_sqlite::{Class, Error, Event, Job, Value};

const SCHEMA: &[&str] = &[
    "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT, age INTEGER)",
    "CREATE INDEX by_age ON users (age)",
    "CREATE VIEW emails AS SELECT email FROM users",
    "CREATE TABLE notes (what TEXT)",
    "CREATE TRIGGER noted AFTER INSERT ON users BEGIN INSERT INTO notes VALUES (new.email); END",
    "CREATE VIRTUAL TABLE words USING fts5 (word)",
    "CREATE VIRTUAL TABLE boxes USING rtree (id, x0, x1)",
];

#[test]
fn only_rows() {
    let mut bench = Bench::new(SCHEMA, |_| {});
    let objects = "SELECT count(*) FROM sqlite_schema";
    let before = bench.integers(objects);
    for sql in [
        "COMMIT",
        "SAVEPOINT x",
        "ATTACH 'x' AS y",
        "PRAGMA synchronous = OFF",
        "PRAGMA foreign_keys = 0",
        "CREATE TABLE t (v)",
        "CREATE TABLE t AS SELECT * FROM users",
        "CREATE TEMP TABLE t (v)",
        "CREATE INDEX i ON users (email)",
        "CREATE VIEW v AS SELECT 1",
        "CREATE TEMP VIEW v AS SELECT 1",
        "CREATE TRIGGER t AFTER INSERT ON users BEGIN SELECT 1; END",
        "CREATE TEMP TRIGGER t AFTER INSERT ON users BEGIN SELECT 1; END",
        "CREATE VIRTUAL TABLE t USING fts5 (v)",
        "DROP TABLE users",
        "DROP TABLE words",
        "DROP INDEX by_age",
        "DROP VIEW emails",
        "DROP TRIGGER noted",
        "ALTER TABLE users ADD COLUMN v",
        "ALTER TABLE users RENAME TO u",
        "ANALYZE",
        "REINDEX by_age",
    ] {
        let refused = "the statement does more than read or write rows: not authorized";
        let refused = Err(Error::Statement { detail: refused.into() });
        assert_eq!(bench.ask(write(sql, vec![])), refused, "{sql}");
        assert!(matches!(bench.ask(read(sql, vec![])), Err(Error::Statement { .. })), "{sql}");
    }
    for sql in ["VACUUM", "VACUUM INTO 'elsewhere.db'"] {
        let reply = bench.ask(write(sql, vec![]));
        assert!(matches!(reply, Err(Error::Statement { .. })), "{sql}: {reply:?}");
    }
    assert_eq!(bench.integers(objects), before);
    // Tables that are made of others and change only their rows.
    for sql in [
        "INSERT INTO words (word) VALUES ('one'), ('two')",
        "UPDATE words SET word = 'three' WHERE word MATCH 'one'",
        "INSERT INTO words (words) VALUES ('rebuild')",
        "INSERT INTO words (words) VALUES ('optimize')",
        "DELETE FROM words WHERE word MATCH 'two'",
        "INSERT INTO boxes VALUES (1, 0, 1)",
        "DELETE FROM boxes",
        "INSERT INTO users (email) VALUES ('a') RETURNING id",
    ] {
        assert!(bench.ask(write(sql, vec![])).is_ok(), "{sql}");
    }
    assert_eq!(bench.integers("SELECT count(*) FROM words WHERE word MATCH 'three'"), [1]);
}

#[test]
fn values_that_make_no_sense_to_a_sound_statement() {
    let mut bench = Bench::new(SCHEMA, |options| options.reply_bytes_max = 10_000);
    bench.ask(write("INSERT INTO words (word) VALUES ('one')", vec![])).unwrap();
    let cases = [
        ("SELECT word FROM words WHERE words MATCH ?1", text("\"")),
        ("SELECT word FROM words WHERE words MATCH ?1", text("nosuch : x")),
        ("SELECT id FROM users LIMIT ?1", text("many")),
        ("SELECT id FROM users LIMIT 1 OFFSET ?1", Value::Real(0.5)),
        ("SELECT json_extract(?1, '$.a')", text("{")),
        ("SELECT json_extract('{}', ?1)", text("a")),
        ("SELECT abs(?1)", Value::Integer(i64::MIN)),
        ("SELECT sum(v) FROM (SELECT ?1 AS v UNION ALL SELECT 1)", Value::Integer(i64::MAX)),
        ("SELECT 'a' LIKE 'a' ESCAPE ?1", text("ab")),
    ];
    for (sql, value) in cases {
        let refused = bench.ask(read(sql, vec![value.clone()]));
        assert!(matches!(refused, Err(Error::Value { .. })), "{sql} with {value:?}: {refused:?}");
    }
    // In a group of writes the others are done.
    let insert = "INSERT INTO users (id, email) VALUES (?1, ?2)";
    let row = |id| write(insert, vec![id, text("a")]);
    let replies = bench.group(vec![row(Value::Integer(1)), row(text("two")), row(Value::Integer(3))]);
    assert!(replies[0].is_ok() && replies[2].is_ok(), "{replies:?}");
    assert!(matches!(replies[1], Err(Error::Value { .. })), "{replies:?}");
    assert_eq!(bench.integers("SELECT id FROM users ORDER BY id"), [1, 3]);
    // Too long: made of a value, given as one.
    for (sql, value) in [
        ("SELECT printf('%.*c', ?1, 'x')", Value::Integer(900_000_000)),
        ("SELECT length(zeroblob(?1))", Value::Integer(900_000_000)),
        ("SELECT length(?1)", text(&"x".repeat(2_000_000))),
    ] {
        assert_eq!(bench.ask(read(sql, vec![value])), Err(Error::ValueTooLarge), "{sql}");
    }
    // As long as a reply may be, or a little longer, though SQLite would build it.
    let made = |bytes| read("SELECT printf('%.*c', ?1, 'x')", vec![Value::Integer(bytes)]);
    assert_eq!(bench.ask(made(10_000)), Err(Error::ValueTooLarge));
    assert!(bench.ask(made(9_000)).is_ok());
    assert_eq!(bench.ask(read("SELECT printf('%.*c', 10000, 'x')", vec![])), Err(Error::TooLarge));
    // No value is to blame for these.
    let overflow = bench.ask(read("SELECT abs(-9223372036854775807 - 1)", vec![]));
    assert_eq!(overflow, Err(Error::Statement { detail: "integer overflow".into() }));
    assert_eq!(bench.ask(read("SELECT length(zeroblob(900000000))", vec![])), Err(Error::TooLarge));
}

#[test]
fn a_table_that_went_under_a_kept_statement_is_no_values_fault() {
    let mut bench = Bench::new(SCHEMA, |_| {});
    let find = || read("SELECT what FROM notes WHERE what = ?1", vec![text("a")]);
    assert!(bench.ask(find()).is_ok());
    let other = rusqlite::Connection::open(bench.path()).unwrap();
    other.execute_batch("DROP TABLE notes").unwrap();
    let gone = Err(Error::Statement { detail: "no such table: notes".into() });
    assert_eq!(bench.ask(find()), gone);
    assert_eq!(bench.ask(find()), gone);
    let jobs = Job::new(Class::Read, vec![statement("SELECT abs(?1)", vec![Value::Integer(i64::MIN)])]);
    assert_eq!(bench.ask(jobs), Err(Error::Value { detail: "integer overflow".into() }));
}

#[test]
fn a_constraint_that_refuses_prepares_nothing() {
    let mut bench = Bench::new(SCHEMA, |_| {});
    let insert = || write("INSERT INTO users (id) VALUES (?1)", vec![Value::Integer(1)]);
    bench.ask(insert()).unwrap();
    let prepared = |bench: &Bench| bench.store.statistics().threads[0].prepared;
    let before = prepared(&bench);
    for _ in 0..10 {
        assert!(matches!(bench.ask(insert()), Err(Error::Unique { .. })));
    }
    assert_eq!(prepared(&bench), before);
}

#[test]
fn text_that_is_no_utf_8_undoes_the_write_that_shows_it() {
    let mut bench = Bench::new(SCHEMA, |_| {});
    let not_text = Err(Error::NotText { detail: "the text in column 0 is no UTF-8".into() });
    for (sql, value) in [
        ("char(?1)", Value::Integer(0xd800)),
        ("json_extract(?1, '$.a')", text(r#"{"a":"\ud800"}"#)),
        ("CAST(?1 AS TEXT)", Value::Blob(vec![0xff])),
    ] {
        assert_eq!(bench.ask(read(&format!("SELECT {sql}"), vec![value.clone()])), not_text, "{sql}");
        let insert = format!("INSERT INTO notes VALUES ({sql}) RETURNING what");
        assert_eq!(bench.ask(write(&insert, vec![value])), not_text, "{sql}");
    }
    assert_eq!(bench.integers("SELECT count(*) FROM notes"), [0]);
}

#[test]
fn numbers_that_are_used_up_are_no_full_disk() {
    let schema = [
        SCHEMA,
        &[
            "CREATE TABLE used (id INTEGER PRIMARY KEY AUTOINCREMENT)",
            "INSERT INTO used VALUES (9223372036854775807)",
        ],
    ];
    let mut bench = Bench::new(&schema.concat(), |_| {});
    let note = |what: &str| write("INSERT INTO notes VALUES (?1)", vec![text(what)]);
    let replies = bench.group(vec![note("a"), write("INSERT INTO used DEFAULT VALUES", vec![]), note("b")]);
    assert!(replies[0].is_ok() && replies[2].is_ok(), "{replies:?}");
    let detail = "the numbers of the table used are used up: its last id is 9223372036854775807, beyond which AUTOINCREMENT has \
        none; make the table anew, or lower its seq in sqlite_sequence if the highest ids are gone";
    assert_eq!(replies[1], Err(Error::Statement { detail: detail.into() }));
    assert_eq!(bench.integers("SELECT count(*) FROM notes"), [2]);
    assert!(!bench.store.statistics().threads[0].is_unavailable);
    assert!(bench.events.try_iter().all(|event| !matches!(event, Event::Unavailable { .. })));
}
