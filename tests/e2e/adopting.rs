//! A file over a database that another program made: what is told of foreign keys, rows and values that the file does not speak of.

use crate::checking::{check_faults, folder_with, script};
use crate::server::{Setup, run};

const LABELS: &str = r#"[tables.labels]
table = "Label"
list = "/labels"
item = "/labels/{id}"
[tables.labels.columns]
id = "bigint"
[tables.albums]
list = "/albums"
item = "/albums/{id}"
[tables.albums.columns]
id = "bigint"
label = "bigint"
artist = { type = "bigint", default = 0 }
[endpoints.add]
path = "/add"
methods = ["POST"]
sql = "INSERT INTO albums (id, artist) VALUES ($id, $by)"
params = { id = "albums.id", by = "albums.artist" }
"#;

const LABEL_TABLE: &str = "CREATE TABLE Label (id INTEGER NOT NULL PRIMARY KEY) STRICT";
const ARTIST_TABLE: &str = "CREATE TABLE artist (no INTEGER NOT NULL PRIMARY KEY) STRICT";

fn albums(label: &str, artist: &str) -> String {
    format!(
        "CREATE TABLE albums (id INTEGER NOT NULL PRIMARY KEY, label INTEGER {label}, artist INTEGER DEFAULT 0 {artist}) STRICT"
    )
}

#[test]
fn a_foreign_key_that_the_file_can_say_is_a_fault() {
    let label = |on_delete: &str, adds: &str| {
        let table = albums(&format!("REFERENCES label {on_delete}"), "");
        let fault = format!(
            "ringmill.toml:12: tables.albums.columns.label: albums.label refers to label in the database, which the file does not say; add references = \"labels.id\"{adds} to the column"
        );
        check_faults(LABELS, &[LABEL_TABLE, &table], &[&fault]);
        let folder = folder_with(LABELS, &[LABEL_TABLE, &table]);
        for arguments in
            [&["migrate"][..], &["migrate", "--dry-run"], &["seed", "--table", "albums", "--rows", "1"]]
        {
            let ended = run(folder.path(), arguments);
            assert_eq!(
                (ended.code, ended.stderr),
                (Some(1), format!("ringmill: {fault}\n")),
                "{arguments:?}"
            );
        }
        // What it says is what it takes.
        let said = format!("label = {{ type = \"bigint\", references = \"labels.id\"{adds} }}");
        let file = LABELS.replacen("label = \"bigint\"", &said, 1);
        let ended = run(folder_with(&file, &[LABEL_TABLE, &table]).path(), &["check"]);
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    };
    label("", "");
    label("ON DELETE RESTRICT", ", on_delete = \"restrict\"");
    label("ON DELETE CASCADE", ", on_delete = \"cascade\"");
    label("ON DELETE SET NULL", ", on_delete = \"set_null\"");
}

/// Notes about foreign keys alone.
#[track_caller]
fn check_told(file: &str, statements: &[&str], expected: &[&str]) {
    let folder = folder_with(file, statements);
    let ended = run(folder.path(), &["check"]);
    let told = |begins: &str| -> Vec<String> {
        let lines = ended.stdout.lines().filter_map(|line| line.strip_prefix(begins));
        lines.filter(|line| line.contains(" refers to ")).map(str::to_owned).collect()
    };
    assert_eq!(
        (ended.code, ended.stderr.as_str(), told("note: ")),
        (Some(0), "", expected.iter().map(|line| (*line).to_owned()).collect())
    );
    let ended = run(folder.path(), &["migrate", "--dry-run"]);
    for line in expected {
        let message = line.splitn(3, ": ").nth(2).expect("a message");
        let line = format!("-- left alone: {message}\n");
        assert!(ended.stdout.contains(&line), "no {line:?} in {}", ended.stdout);
    }
}

#[test]
fn a_foreign_key_that_the_file_cannot_say_is_a_note() {
    let artist = |on_delete: &str, more: &str| {
        let table = albums("", &format!("REFERENCES artist (no) {on_delete}"));
        let note = format!(
            "ringmill.toml:13: tables.albums.columns.artist: albums.artist refers to artist.no in the database, a table that the file does not have: values without a row there are 400{more}"
        );
        check_told(LABELS, &[LABEL_TABLE, ARTIST_TABLE, &table], &[&note]);
    };
    artist("", "");
    artist("ON DELETE CASCADE", "; a DELETE there deletes rows here");
    artist("ON DELETE SET NULL", "; a DELETE there changes rows here");
    let table = albums("", "REFERENCES Label ON DELETE SET DEFAULT");
    check_told(
        LABELS,
        &[LABEL_TABLE, &table],
        &[
            "ringmill.toml:13: tables.albums.columns.artist: albums.artist refers to Label in the database, which the file cannot say: values without a row there are 400; a DELETE there changes rows here",
        ],
    );
    // Of a table that nobody declared.
    let other = |on_delete: &str, does: &str| {
        let other = format!("CREATE TABLE stock (album INTEGER REFERENCES albums {on_delete})");
        let note = format!(
            "ringmill.toml:7: tables.albums: stock.album, of a table that the file does not have, refers to albums: a DELETE of a row {does}"
        );
        check_told(LABELS, &[LABEL_TABLE, &albums("", ""), &other], &[&note]);
        let kept = LABELS.replacen(
            "item = \"/albums/{id}\"",
            "item = \"/albums/{id}\"\naccess = { list = \"public\", get = \"public\" }",
            1,
        );
        check_told(&kept, &[LABEL_TABLE, &albums("", ""), &other], &[]);
    };
    other("ON DELETE CASCADE", "deletes the rows there that refer to it");
    other("ON DELETE SET NULL", "sets that to NULL in the rows there that refer to it");
    other("", "is 409 while a row there refers to it");
}

#[test]
fn a_mistake_has_one_status_whatever_the_method() {
    let folder = folder_with(
        LABELS,
        &[
            LABEL_TABLE,
            ARTIST_TABLE,
            &albums("", "REFERENCES artist"),
            "CREATE TABLE stock (album INTEGER REFERENCES albums)",
            "INSERT INTO artist VALUES (0), (1)",
            "INSERT INTO albums VALUES (1, NULL, 1)",
            "INSERT INTO stock VALUES (1)",
        ],
    );
    let server = Setup::shards(1).folder(folder).start();
    let client = &mut server.connect();
    let missing = r#"{"error":"Validation failed","errors":{"artist":["does not exist"]}}"#;
    client.ask("POST", "/albums", Some(r#"{"id":2,"artist":7}"#)).is(400, missing);
    client.ask("PATCH", "/albums/1", Some(r#"{"artist":7}"#)).is(400, missing);
    client.ask("PUT", "/albums/1", Some(r#"{"label":null,"artist":7}"#)).is(400, missing);
    let by = r#"{"error":"Validation failed","errors":{"by":["does not exist"]}}"#;
    client.ask("POST", "/add", Some(r#"{"id":2,"by":7}"#)).is(400, by);
    let referred = r#"{"error":"Conflict","errors":{"id":["is still referred to"]}}"#;
    client.ask("DELETE", "/albums/1", None).is(409, referred);
    // One that came after the start is known to nobody; the status is the same.
    let later = server.folder();
    script(
        later,
        &[
            "DROP TABLE stock",
            "CREATE TABLE anew (id INTEGER NOT NULL PRIMARY KEY, label INTEGER REFERENCES Label, artist INTEGER DEFAULT 0) STRICT",
            "INSERT INTO anew SELECT * FROM albums",
            "DROP TABLE albums",
            "ALTER TABLE anew RENAME TO albums",
        ],
    );
    let nobody = r#"{"error":"Validation failed","errors":{}}"#;
    client.ask("POST", "/albums", Some(r#"{"id":2,"label":7,"artist":null}"#)).is(400, nobody);
    client.ask("PATCH", "/albums/1", Some(r#"{"label":7}"#)).is(400, nobody);
}
