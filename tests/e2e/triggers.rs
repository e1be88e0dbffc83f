//! Triggers that only the database has, on tables of the file: `check` names them, and what is told to be run minds them.

use crate::checking::{DATABASE, folder_with, script};
use crate::server::run;
use std::path::Path;

const ALBUMS: &str = "[tables.albums]\nlist = \"/albums\"\nitem = \"/albums/{id}\"\n[tables.albums.columns]\n\
    id = { type = \"bigint\", generated = \"identity\" }\ntitle = \"text\"\nday = \"date\"\n\
    updated_at = { type = \"timestamp\", read_only = true }\n";

/// What `check` notes.
#[track_caller]
fn notes(folder: &Path) -> Vec<String> {
    let ended = run(folder, &["check"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    ended.stdout.lines().filter_map(|line| line.strip_prefix("note: ")).map(str::to_owned).collect()
}

#[test]
fn each_is_told_with_what_it_runs_with() {
    let folder = folder_with(ALBUMS, &[]);
    assert_eq!(run(folder.path(), &["migrate"]).code, Some(0));
    script(
        folder.path(),
        &[
            "CREATE TABLE log (at TEXT)",
            "CREATE TRIGGER a AFTER INSERT ON albums BEGIN INSERT INTO log SELECT NEW.updated_at; END",
            "CREATE TRIGGER b AFTER UPDATE OF title, \"day\" ON albums WHEN NEW.title <> '' BEGIN DELETE FROM log; END",
            "CREATE TRIGGER c BEFORE DELETE ON albums BEGIN SELECT RAISE(ABORT, 'no') WHERE OLD.day = 'x'; END",
            "CREATE TRIGGER d AFTER UPDATE ON albums BEGIN \
             UPDATE OR IGNORE albums SET title = NEW.title, updated_at = CURRENT_TIMESTAMP WHERE id = NEW.id; END",
            "CREATE TRIGGER e AFTER INSERT ON log BEGIN INSERT INTO albums (day) VALUES (NEW.at); END",
            "CREATE TRIGGER f AFTER INSERT ON albums WHEN NEW.title = 'f' BEGIN INSERT INTO albums (title, [day]) VALUES ('g', 'x'); END",
        ],
    );
    let told = |name: &str, with: &str| {
        format!(
            "ringmill.toml:1: tables.albums: the trigger {name} on albums, which the file does not have: it runs with every {with}"
        )
    };
    let expected = [
        told("a", "INSERT"),
        told("b", "UPDATE of title, day for which its WHEN holds"),
        told("c", "DELETE"),
        told(
            "d",
            "UPDATE; what it writes into albums.updated_at has to be written as 2026-11-24T02:00:00.123456Z \
             (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now') does), else the database refuses the request: mend the trigger, or run DROP TRIGGER \"d\"",
        ),
        told(
            "f",
            "INSERT for which its WHEN holds; what it writes into albums.day has to be written as 2026-11-24 \
             (strftime('%Y-%m-%d', 'now') does), else the database refuses the request: mend the trigger, or run DROP TRIGGER \"f\"",
        ),
    ];
    assert_eq!(notes(folder.path()), expected);
}

/// Neither may the UPDATE that is told run them, nor may it be done in part.
#[test]
fn values_of_another_form_are_mended_without_them() {
    let folder = folder_with(
        &ALBUMS.replace("read_only = true", "generated = \"on_write\"").replace("day", "at"),
        &[
            "CREATE TABLE albums (id INTEGER PRIMARY KEY AUTOINCREMENT, title TEXT, at TEXT, \
             updated_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP)",
            "INSERT INTO albums (title, updated_at) VALUES ('a', '2020-01-01 10:00:00')",
        ],
    );
    assert_eq!(run(folder.path(), &["migrate"]).code, Some(0));
    let triggers = [
        "CREATE TRIGGER touch AFTER UPDATE ON albums BEGIN UPDATE albums SET title = title || '!' WHERE id = NEW.id; END",
        "CREATE TRIGGER other AFTER UPDATE OF title ON albums WHEN NEW.title = 'x' BEGIN SELECT 1; END",
        "CREATE TRIGGER late AFTER UPDATE OF Updated_At ON albums BEGIN SELECT RAISE(ABORT, 'late'); END",
    ];
    script(folder.path(), &triggers);
    let notes = notes(folder.path());
    let note = notes.iter().find(|note| note.contains("holds values")).expect("a note of another form");
    let default = "sort by their letters; its DEFAULT, CURRENT_TIMESTAMP, goes on writing such values into rows that are inserted without one; SELECT";
    assert!(note.contains(default), "{note}");
    let aside = "are mended, with the triggers of the database that would run with it dropped before and made again after, by, with sqlite3 -bail, BEGIN IMMEDIATE; ";
    let (_, rest) = note.split_once(aside).expect(note);
    let (mend, then) = rest.split_once(" COMMIT;").expect(note);
    assert_eq!(then, ", then `ringmill migrate`");
    assert!(!mend.contains("\"other\""), "{mend}");
    let database = rusqlite::Connection::open(folder.path().join(DATABASE)).expect("a database");
    let made = |name: &str| {
        database
            .query_row("SELECT sql FROM sqlite_schema WHERE name = ?1", [name], |row| row.get::<_, String>(0))
    };
    database
        .execute_batch(&format!("BEGIN IMMEDIATE; {mend} COMMIT;"))
        .unwrap_or_else(|error| panic!("{error}: {mend}"));
    for (name, sql) in ["touch", "other", "late"].iter().zip(triggers) {
        assert_eq!(made(name).as_deref(), Ok(sql));
    }
    let row = database
        .query_row("SELECT title || ' ' || updated_at FROM albums", [], |row| row.get::<_, String>(0));
    assert_eq!(row.as_deref(), Ok("a 2020-01-01T10:00:00.000000Z"));
}
