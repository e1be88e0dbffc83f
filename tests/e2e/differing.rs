//! `ringmill check` where the database is otherwise than the file: what is missing, what cannot be added, what is narrower.

use crate::checking::{DATABASE, THINGS, THINGS_TABLE, check_faults, check_notes, folder_with};
use crate::server::run;
use std::path::Path;

#[test]
fn tables_that_are_otherwise_in_the_database() {
    // What `migrate` mends.
    check_faults(
        &format!(
            "{THINGS}size = {{ type = \"integer\", unique = true, default = 1 }}\nchanged = {{ type = \"timestamp\", generated = \"on_write\" }}\n"
        ),
        &[THINGS_TABLE],
        &[
            "ringmill.toml:7: tables.things.columns.size: the table things of the database has no column size; `ringmill migrate` adds it: ALTER TABLE \"things\" ADD COLUMN \"size\" INTEGER DEFAULT 1 CONSTRAINT \"size\" CHECK (\"size\" BETWEEN -2147483648 AND 2147483647); CREATE UNIQUE INDEX \"things_size_idx\" ON \"things\" (\"size\")",
            "ringmill.toml:8: tables.things.columns.changed: the table things of the database has no column changed; `ringmill migrate` adds it: ALTER TABLE \"things\" ADD COLUMN \"changed\" TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')) CONSTRAINT \"changed\" CHECK (\"changed\" GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-5][0-9]:[0-5][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z' AND substr(\"changed\", 12, 2) < '24' AND date(substr(\"changed\", 1, 10)) IS substr(\"changed\", 1, 10) AND substr(\"changed\", 1, 10) >= '0001')",
            "ringmill.toml:8: tables.things.columns.changed: the database has no trigger things_changed_on_write, which sets changed on write; `ringmill migrate` adds it: CREATE TRIGGER \"things_changed_on_write\" AFTER UPDATE ON \"things\" FOR EACH ROW WHEN NEW.\"changed\" IS OLD.\"changed\" AND NEW.\"changed\" IS NOT strftime('%Y-%m-%dT%H:%M:%f000Z', 'now') BEGIN UPDATE \"things\" SET \"changed\" = strftime('%Y-%m-%dT%H:%M:%f000Z', 'now') WHERE \"id\" = NEW.\"id\"; END",
        ],
    );
    // What it does not.
    check_faults(
        THINGS,
        &["CREATE TABLE things (id TEXT PRIMARY KEY, name INTEGER, kind TEXT NOT NULL)"],
        &[
            "ringmill.toml:4: tables.things.columns: things.kind of the database is NOT NULL without a default, so no row can be created; declare the column, or leave `create` out of access",
            "ringmill.toml:5: tables.things.columns.id: things.id is TEXT in the database, where the file needs INTEGER; declare as type what fits such a column (\"numeric\", \"text\", \"timestamp\", \"date\", \"uuid\", \"json\", \"bytes\"), or make the table anew (https://www.sqlite.org/lang_altertable.html#otheralter), for which statements are told once the file declares kind too, or the database has no such column any more (DROP COLUMN)",
            "ringmill.toml:5: tables.things.columns.id: things.id does not number the rows of things in the database; remove `generated`, or make the table anew with INTEGER PRIMARY KEY",
            "ringmill.toml:6: tables.things.columns.name: things.name is INTEGER in the database, where the file needs TEXT; declare as type what fits such a column (\"smallint\", \"integer\", \"bigint\", \"boolean\", \"bytes\"), or make the table anew, as told of tables.things.columns.id",
        ],
    );
    check_faults(
        "[tables.t]\n[tables.t.columns]\nid = \"bigint\"\n",
        &["CREATE TABLE t (id INTEGER)"],
        &[
            "ringmill.toml:1: tables.t.key: the key (id) of t is not unique in the database; `ringmill migrate` adds it: CREATE UNIQUE INDEX \"t_id_idx\" ON \"t\" (\"id\")",
        ],
    );
    // What no answer shows.
    check_notes(
        &format!("indexes = [] \n{THINGS}").replacen(
            "indexes = [] \n[tables.things]\n",
            "[tables.things]\nindexes = [{ columns = [\"name\"], where = \"name > 'a'\" }]\n",
            1,
        ),
        &["CREATE TABLE things (id INTEGER PRIMARY KEY, name VARCHAR(9) DEFAULT 'x', more TEXT)"],
        &[
            "ringmill.toml:2: tables.things.indexes: the database has no such index: CREATE INDEX \"things_name_idx\" ON \"things\" (\"name\") WHERE name > 'a'; `ringmill migrate` adds it",
            "ringmill.toml:6: tables.things.columns.id: things.id has no AUTOINCREMENT: the number of a deleted row may come back; nothing changes it; declare it as it is, or make the table anew",
            "ringmill.toml:7: tables.things.columns.name: things.name may be NULL in the database; the file does not allow it; nothing changes it; declare it as it is, or make the table anew",
            "ringmill.toml:7: tables.things.columns.name: things.name has another default in the database: 'x', in the file: none; nothing changes it; declare it as it is, or make the table anew",
        ],
    );
}

#[test]
fn a_column_that_cannot_be_added_is_one_fault() {
    let file = |rules: &str| {
        format!(
            "{THINGS}extra = {{ {rules} }}\n[endpoints.a]\npath = \"/a\"\nsql = \"SELECT extra FROM things WHERE extra > 'a'\"\n"
        )
    };
    let statements = [THINGS_TABLE, "INSERT INTO things (name) VALUES ('a')"];
    let fault =
        "ringmill.toml:7: tables.things.columns.extra: the table things of the database has no column extra;";
    check_faults(
        &file("type = \"text\", required = true"),
        &statements,
        &[&format!(
            "{fault} its rows would have no value for it: give it a `default`, or remove `required`, or run, with a value of your own: ALTER TABLE \"things\" ADD COLUMN \"extra\" TEXT; UPDATE \"things\" SET \"extra\" = ''"
        )],
    );
    let now = "strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')";
    check_faults(
        &file("type = \"timestamp\", generated = \"on_write\""),
        &statements,
        &[&format!(
            "{fault} SQLite adds no column with a computed default to a table with rows: remove `generated`, or run ALTER TABLE \"things\" ADD COLUMN \"extra\" TEXT CONSTRAINT \"extra\" CHECK (\"extra\" GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-5][0-9]:[0-5][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z' AND substr(\"extra\", 12, 2) < '24' AND date(substr(\"extra\", 1, 10)) IS substr(\"extra\", 1, 10) AND substr(\"extra\", 1, 10) >= '0001'); UPDATE \"things\" SET \"extra\" = ({now})"
        )],
    );
}

#[test]
fn rules_of_the_database_that_are_narrower() {
    let file = THINGS.replacen("max_length = 9", "max_length = 10", 1);
    let anew = "make the table anew, while nobody writes, with sqlite3 -bail, then `ringmill migrate`: PRAGMA foreign_keys = OFF; PRAGMA legacy_alter_table = ON; BEGIN IMMEDIATE; CREATE TABLE \"things_anew\" ( \"id\" INTEGER PRIMARY KEY AUTOINCREMENT, \"name\" TEXT NOT NULL CONSTRAINT \"name\" CHECK (length(\"name\") <= 10) ) STRICT; INSERT INTO \"things_anew\" (\"id\", \"name\") SELECT \"id\", \"name\" FROM \"things\"; DELETE FROM sqlite_sequence WHERE name = 'things_anew'; INSERT INTO sqlite_sequence (name, seq) SELECT 'things_anew', seq FROM sqlite_sequence WHERE name = 'things'; DROP TABLE \"things\"; ALTER TABLE \"things_anew\" RENAME TO \"things\"; COMMIT;";
    let fault = format!(
        "ringmill.toml:6: tables.things.columns.name: things.name has a CHECK in the database that refuses 'xxxxxxxxxx', which the file allows: length(\"name\") <= 9; bring the column's rules into line with it, or {anew}"
    );
    check_faults(&file, &[THINGS_TABLE], &[&fault]);
    // Nor are rows made that it would refuse.
    let folder = folder_with(&file, &[THINGS_TABLE]);
    let ended = run(folder.path(), &["seed", "--table", "things", "--rows", "9"]);
    assert_eq!((ended.code, ended.stderr), (Some(1), format!("ringmill: {fault}\n")));
    check_faults(
        THINGS,
        &[&THINGS_TABLE.replacen("name TEXT", "name TEXT UNIQUE", 1)],
        &[&format!(
            "ringmill.toml:6: tables.things.columns.name: things (name) is unique in the database; the file lets rows agree in it; write unique = true, or {}",
            anew.replace("<= 10", "<= 9")
                .replace("anew,", "anew, which drops what the file does not declare (UNIQUE (name)),")
        )],
    );
}

#[test]
fn tables_that_are_missing() {
    let without = format!("[database]\ncreate_missing = false\n{THINGS}");
    let fault = "ringmill.toml:3: tables.things: the database has no table things; `ringmill migrate` makes it, or set database.create_missing = true";
    check_faults(&without, &[], &[fault]);
    check_faults(&without, &["CREATE TABLE other (id)"], &[fault]);
    check_notes(THINGS, &["CREATE TABLE other (id)"], &[]);
}

/// Functions and collations that another program has.
#[test]
fn what_a_table_needs_and_is_not_here_is_one_fault() {
    let table = |rest: &str| {
        format!("CREATE TABLE things (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL{rest}) STRICT")
    };
    let needs = |what: &str, rest: &str| {
        let folder = folder_with(THINGS, &[&table("")]);
        make_otherwise(folder.path(), "things", &table(rest));
        for command in ["check", "serve"] {
            let ended = run(folder.path(), &[command]);
            let fault = format!(
                "ringmill: ringmill.toml:1: tables.things: the table things of the database needs the {what}, which another program has and this one does not; make the table anew, which drops what the file does not declare ("
            );
            assert!(ended.stderr.starts_with(&fault), "{}", ended.stderr);
            assert_eq!((ended.code, ended.stderr.lines().count()), (Some(1), 1), "{}", ended.stderr);
        }
        let ended = run(folder.path(), &["migrate"]);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert!(
            ended.stdout.starts_with("-- left alone: the table things of the database needs"),
            "{}",
            ended.stdout
        );
    };
    needs("function regexp", " CHECK (regexp('a', name))");
    needs("collation uint", " COLLATE uint");
    let folder = folder_with(THINGS, &[THINGS_TABLE, "CREATE INDEX own ON things (name)"]);
    make_otherwise(folder.path(), "own", "CREATE INDEX own ON things (name COLLATE uint)");
    let ended = run(folder.path(), &["check"]);
    assert_eq!(
        (ended.code, ended.stderr.as_str()),
        (
            Some(1),
            "ringmill: ringmill.toml:1: tables.things: the index own of things of the database needs the collation uint, which another program has and this one does not; run DROP INDEX \"own\", or make it anew without that\n"
        )
    );
}

/// As a program would have made it that has what is not here.
fn make_otherwise(folder: &Path, name: &str, sql: &str) {
    let connection = rusqlite::Connection::open(folder.join(DATABASE)).expect("a database");
    connection.execute_batch("PRAGMA writable_schema = ON").expect("a setting");
    let changed = connection.execute("UPDATE sqlite_schema SET sql = ?1 WHERE name = ?2", [sql, name]);
    assert_eq!(changed, Ok(1));
}
