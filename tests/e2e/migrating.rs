//! `ringmill migrate`: what it adds, what it leaves alone, and that it does all or nothing.

use crate::checking::{contents, folder_with, script};
use crate::server::{Process, Setup, command, run};
use std::path::Path;
use std::process::Stdio;

const FIRST: &str = r#"[tables.items]
list = "/items"
item = "/items/{id}"
[tables.items.columns]
id = { type = "bigint", generated = "identity" }
name = { type = "text", required = true }
"#;

/// More of everything that can be added to a table with rows.
const SECOND: &str = r#"[tables.owners.columns]
id = { type = "bigint", generated = "identity" }
[tables.items]
list = "/items"
item = "/items/{id}"
indexes = [["size"], { columns = ["name", "size"], unique = true }]
[tables.items.columns]
id = { type = "bigint", generated = "identity" }
name = { type = "text", required = true }
size = { type = "integer", required = true, default = 3, minimum = 0 }
code = { type = "text", unique = true }
owner = { type = "bigint", references = "owners.id", on_delete = "set_null" }
"#;

const STATEMENTS: &str = r#"CREATE TABLE "owners" (
  "id" INTEGER PRIMARY KEY AUTOINCREMENT
) STRICT;
ALTER TABLE "items" ADD COLUMN "size" INTEGER NOT NULL DEFAULT 3 CONSTRAINT "size" CHECK ("size" BETWEEN -2147483648 AND 2147483647 AND "size" >= 0);
ALTER TABLE "items" ADD COLUMN "code" TEXT;
ALTER TABLE "items" ADD COLUMN "owner" INTEGER REFERENCES "owners" ("id") ON DELETE SET NULL;
CREATE UNIQUE INDEX "items_code_idx" ON "items" ("code");
CREATE INDEX "items_size_idx" ON "items" ("size");
CREATE UNIQUE INDEX "items_name_size_idx" ON "items" ("name", "size");
"#;

const ITEMS: &str = "CREATE TABLE items (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL) STRICT";
const ROWS: &str = "INSERT INTO items (name) VALUES ('a'), ('b')";

fn write(folder: &Path, file: &str) {
    std::fs::write(folder.join("ringmill.toml"), file).expect("a file");
}

/// Runs it and checks all that it says on standard output but the last line, which it gives back without the file's name.
#[track_caller]
fn check_migrates(folder: &Path, arguments: &[&str], expected: &str) -> String {
    let mut all = vec!["migrate"];
    all.extend(arguments);
    let ended = run(folder, &all);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{}", ended.stdout);
    let last = ended.stdout.lines().last().unwrap_or_default();
    let above = ended.stdout.strip_suffix(&format!("{last}\n")).unwrap_or_default();
    assert_eq!(above, expected);
    last.rsplit_once(": ").map(|(_, words)| words.to_owned()).unwrap_or_default()
}

#[test]
fn what_is_missing_is_added_and_then_nothing() {
    let folder = folder_with(SECOND, &[ITEMS, ROWS]);
    let before = contents(folder.path());
    assert_eq!(check_migrates(folder.path(), &["--dry-run"], STATEMENTS), "7 statements would be run");
    assert!(contents(folder.path()) == before, "a dry run changes nothing");
    assert_eq!(check_migrates(folder.path(), &[], STATEMENTS), "7 statements run");
    let after = contents(folder.path());
    assert_eq!(check_migrates(folder.path(), &[], ""), "nothing to do");
    assert_eq!(check_migrates(folder.path(), &["--dry-run"], ""), "nothing to do");
    assert!(contents(folder.path()) == after, "the second time changes nothing");
    assert_eq!(run(folder.path(), &["check"]).code, Some(0));
    let server = Setup::shards(1).folder(folder).start();
    server.connect().get("/items/2").is(200, r#"{"id":2,"name":"b","size":3,"code":null,"owner":null}"#);
}

#[test]
fn a_database_that_is_not_there_is_made() {
    let folder = folder_with(FIRST, &[]);
    let made = "CREATE TABLE \"items\" (\n  \"id\" INTEGER PRIMARY KEY AUTOINCREMENT,\n  \"name\" TEXT NOT NULL\n) STRICT;\n";
    assert_eq!(check_migrates(folder.path(), &["--dry-run"], made), "1 statement would be run");
    assert_eq!(contents(folder.path()).len(), 1, "a dry run makes no file");
    assert_eq!(check_migrates(folder.path(), &["--data", "here"], made), "1 statement run");
    assert!(folder.path().join("here/ringmill.db").exists());
}

#[test]
fn triggers_and_lost_indexes_come_back() {
    let file = "[tables.t]\nindexes = [[\"a\"], { columns = [\"a\"], where = \"a > 1\" }]\n[tables.t.columns]\n\
                id = \"bigint\"\na = \"bigint\"\nat = { type = \"timestamp\", generated = \"on_write\" }\n";
    let folder = folder_with(file, &[]);
    assert_eq!(run(folder.path(), &["migrate"]).code, Some(0));
    // The name of the first index now belongs to another.
    script(
        folder.path(),
        &[
            "DROP INDEX t_a_idx",
            "CREATE INDEX t_a_idx ON t (at)",
            "DROP INDEX t_a_idx2",
            "DROP TRIGGER t_at_on_write",
        ],
    );
    let now = "strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')";
    let expected = format!(
        "CREATE INDEX \"t_a_idx2\" ON \"t\" (\"a\");\n\
         CREATE INDEX \"t_a_idx3\" ON \"t\" (\"a\") WHERE a > 1;\n\
         CREATE TRIGGER \"t_at_on_write\" AFTER UPDATE ON \"t\" FOR EACH ROW WHEN NEW.\"at\" IS OLD.\"at\" AND NEW.\"at\" IS NOT {now} BEGIN UPDATE \"t\" SET \"at\" = {now} WHERE \"id\" = NEW.\"id\"; END;\n"
    );
    assert_eq!(check_migrates(folder.path(), &[], &expected), "3 statements run");
    assert_eq!(check_migrates(folder.path(), &[], ""), "nothing to do");
}

#[test]
fn what_cannot_be_added_is_told_and_nothing_is_done() {
    let file = format!(
        "[tables.later.columns]\nid = \"bigint\"\n{FIRST}\
         need = {{ type = \"text\", required = true }}\nmade = {{ type = \"timestamp\", generated = \"on_create\" }}\n\
         owner = {{ type = \"bigint\", references = \"later.id\", default = 1 }}\n"
    );
    let folder = folder_with(&file, &[ITEMS, ROWS]);
    let before = contents(folder.path());
    let ended = run(folder.path(), &["migrate"]);
    let no_column = |name: &str| {
        format!("tables.items.columns.{name}: the table items of the database has no column {name}; ")
    };
    let faults = [
        format!(
            "ringmill.toml:9: {}its rows would have no value for it: give it a `default`, or remove `required`, or run, with a value of your own: ALTER TABLE \"items\" ADD COLUMN \"need\" TEXT; UPDATE \"items\" SET \"need\" = ''",
            no_column("need")
        ),
        format!(
            "ringmill.toml:10: {}SQLite adds no column with a computed default to a table with rows: remove `generated`, or run ALTER TABLE \"items\" ADD COLUMN \"made\" TEXT CONSTRAINT \"made\" CHECK (\"made\" GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-5][0-9]:[0-5][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z' AND substr(\"made\", 12, 2) < '24' AND date(substr(\"made\", 1, 10)) IS substr(\"made\", 1, 10) AND substr(\"made\", 1, 10) >= '0001'); UPDATE \"items\" SET \"made\" = (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now'))",
            no_column("made")
        ),
        format!(
            "ringmill.toml:11: {}SQLite adds no reference with a default to a table with rows: remove `default`, or run ALTER TABLE \"items\" ADD COLUMN \"owner\" INTEGER REFERENCES \"later\" (\"id\"); UPDATE \"items\" SET \"owner\" = 1",
            no_column("owner")
        ),
    ];
    let last = format!("ringmill: 3 faults in the configuration; the last: {}", faults[2]);
    let told: Vec<_> = ended.stderr.lines().collect();
    assert_eq!((ended.code, told), (Some(1), vec![faults[0].as_str(), &faults[1], &faults[2], &last]));
    assert!(contents(folder.path()) == before, "nothing was done");

    // An empty table takes them.
    script(folder.path(), &["DELETE FROM items"]);
    assert_eq!(run(folder.path(), &["migrate"]).code, Some(0));
    assert_eq!(run(folder.path(), &["check"]).code, Some(0));

    let folder = folder_with(
        "[tables.t]\nkey = [\"a\", \"b\"]\n[tables.t.columns]\na = \"bigint\"\nb = \"bigint\"\n",
        &["CREATE TABLE t (a INTEGER PRIMARY KEY)"],
    );
    let ended = run(folder.path(), &["migrate"]);
    assert_eq!(
        ended.last_line(),
        "ringmill: ringmill.toml:5: tables.t.columns.b: the table t of the database has no column b; SQLite adds no column to a key: make the table anew, or declare the key it has"
    );
}

/// Rows that contradict what is to be added: all of it or nothing.
#[track_caller]
fn check_rows_refuse(file: &str, rows: &str, words: &str) {
    let folder = folder_with(file, &[ITEMS, rows]);
    let ended = run(folder.path(), &["migrate"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{}", ended.stderr);
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    assert!(ended.stderr.contains(words), "no {words:?} in {}", ended.stderr);
    // Neither is what stands before it.
    write(folder.path(), FIRST);
    assert_eq!(check_migrates(folder.path(), &[], ""), "nothing to do");
}

#[test]
fn rows_that_contradict_undo_all() {
    let unique = FIRST.replacen("[tables.items]", "[tables.more.columns]\nid = \"bigint\"\n[tables.items]\nindexes = [{ columns = [\"name\"], unique = true }]", 1);
    let twice = "INSERT INTO items (name) VALUES ('a'), ('a')";
    check_rows_refuse(
        &format!("{unique}size = \"bigint\"\n"),
        twice,
        "rows agree in it: mend those that SELECT \"name\", count(*) FROM",
    );
    let unique_column = format!("{FIRST}code = {{ type = \"text\", unique = true, default = \"x\" }}\n");
    check_rows_refuse(&unique_column, twice, "its rows would all have the same value");
}

#[test]
fn what_it_leaves_alone_is_listed() {
    let statements = [
        "CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT, old TEXT)",
        "CREATE TABLE legacy (x)",
        "CREATE VIEW names AS SELECT name FROM items",
        "CREATE VIRTUAL TABLE words USING fts5(name)",
        "CREATE TRIGGER fill AFTER INSERT ON items BEGIN INSERT INTO words VALUES (NEW.name); END",
    ];
    let folder = folder_with(FIRST, &statements);
    let before = contents(folder.path());
    let expected = "-- left alone: items.id has no AUTOINCREMENT: the number of a deleted row may come back\n\
        -- left alone: items.name may be NULL in the database; the file does not allow it\n\
        -- left alone: the column items.old, which the file does not have\n\
        -- left alone: the trigger fill on items, which the file does not have: it runs with every INSERT\n\
        -- left alone: items is not STRICT, which SQLite cannot change\n\
        -- left alone: the table legacy, which the file does not have\n\
        -- left alone: the view names, which the file does not have\n\
        -- left alone: the virtual table words, which the file does not have\n";
    assert_eq!(check_migrates(folder.path(), &[], expected), "nothing to do");
    assert!(contents(folder.path()) == before, "nothing was done");
}

#[test]
fn several_at_once_end_well() {
    let folder = folder_with(SECOND, &[ITEMS, ROWS]);
    let mut migrating: Vec<_> =
        (0..4).map(|_| Process::start(command(folder.path(), &["migrate"]).stdout(Stdio::null()))).collect();
    for process in &mut migrating {
        assert_eq!(process.exit_code(), Some(0));
    }
    assert_eq!(check_migrates(folder.path(), &[], ""), "nothing to do");
}

#[test]
fn beside_a_running_server() {
    let server = Setup::shards(1).file(FIRST).start();
    let mut client = server.connect();
    let row = |name: &str| format!(r#"{{"name":"{name}"}}"#);
    client.ask("POST", "/items", Some(&row("a"))).is(201, r#"{"id":1,"name":"a"}"#);
    let folder = server.folder().to_path_buf();
    write(&folder, SECOND);
    let writer = std::thread::spawn({
        let mut client = server.connect();
        move || {
            for number in 0..50 {
                let row = format!(r#"{{"name":"b{number}"}}"#);
                client
                    .ask("POST", "/items", Some(&row))
                    .is(201, &format!(r#"{{"id":{},"name":"b{number}"}}"#, number + 2));
            }
        }
    });
    assert_eq!(check_migrates(&folder, &[], STATEMENTS), "7 statements run");
    writer.join().expect("every row was created");
    // The server goes on with the file that it read.
    client.get("/items/1").is(200, r#"{"id":1,"name":"a"}"#);
    client.ask("POST", "/items", Some(&row("c"))).is(201, r#"{"id":52,"name":"c"}"#);
    assert_eq!(client.ask("POST", "/items", Some(&row("c"))).status, 409);
}

/// Whatever line breaks and comments the database's own statements have.
#[test]
fn what_is_left_alone_is_told_in_comments_of_one_line() {
    let file = FIRST.replacen(", required = true", "", 1);
    let statements = [
        "CREATE TABLE items (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL DEFAULT 'a\n\nb' CHECK (name <>\n'' -- none\n))",
        "CREATE TABLE log (x)",
        "CREATE INDEX own ON items (name, -- first\n id)",
        "CREATE TRIGGER tidy AFTER DELETE ON items BEGIN\n  DELETE FROM log;\nEND",
        "INSERT INTO log VALUES (1)",
    ];
    let folder = folder_with(&file, &statements);
    for arguments in [&["migrate", "--dry-run"][..], &["migrate"]] {
        let ended = run(folder.path(), arguments);
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
        assert!(
            ended.stdout.contains("AFTER DELETE ON items BEGIN DELETE FROM log; END"),
            "{}",
            ended.stdout
        );
        assert!(
            ended.stdout.contains("ON items (name, id);"),
            "a comment would hide the rest: {}",
            ended.stdout
        );
        let other = ended.stdout.lines().find(|line| !line.starts_with("-- "));
        assert_eq!(other, None, "{}", ended.stdout);
    }
    let ended = run(folder.path(), &["check"]);
    assert_eq!(ended.code, Some(1));
    let begins = |line: &str| line.starts_with("ringmill.toml:") || line.starts_with("ringmill: 2 faults in");
    assert!(ended.stderr.lines().all(begins), "{}", ended.stderr);
    assert_eq!(ended.stderr.lines().count(), 3, "{}", ended.stderr);
    let notes = ended.stdout.lines().filter(|line| line.contains("another default"));
    assert_eq!(notes.count(), 1, "{}", ended.stdout);
    assert!(ended.stdout.contains("in the database: 'a b', in the file: none"), "{}", ended.stdout);
}
