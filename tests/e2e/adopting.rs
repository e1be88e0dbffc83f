//! A file over a database that another program made: what is told of foreign keys, rows and values that the file does not speak of.

use crate::checking::{check_faults, check_notes, contents, folder_with, script};
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
            "ringmill.toml:12: tables.albums.columns.label: albums.label refers to label.id in the database, which the file does not say; add references = \"labels.id\"{adds} to the column"
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
            "ringmill.toml:13: tables.albums.columns.artist: albums.artist refers to Label.id in the database, which the file cannot say: values without a row there are 400; a DELETE there changes rows here",
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

const CODES: &str = r#"[tables.codes]
list = "/codes"
[tables.codes.columns]
id = "bigint"
code = { type = "text", unique = true }
"#;

#[test]
fn rows_that_agree_are_told_before_anything_is_done() {
    let table = "CREATE TABLE codes (id INTEGER NOT NULL PRIMARY KEY, code TEXT, place TEXT) STRICT";
    let check = |file: &str, rows: &str, faults: &[&str]| {
        let statements = [table, rows];
        check_faults(file, &statements, faults);
        let folder = folder_with(file, &statements);
        let before = contents(folder.path());
        for arguments in [&["migrate"][..], &["migrate", "--dry-run"]] {
            let ended = run(folder.path(), arguments);
            let last = format!("ringmill: {}", faults.last().expect("a fault"));
            assert_eq!(
                (ended.code, ended.last_line(), ended.stdout.as_str()),
                (Some(1), last.as_str(), ""),
                "{arguments:?}"
            );
        }
        assert!(contents(folder.path()) == before, "nothing was done");
    };
    let twice = "INSERT INTO codes VALUES (1, 'a', 'x'), (2, 'a', 'y'), (3, NULL, 'z'), (4, NULL, 'z')";
    let one = "rows agree in it: mend those that SELECT \"code\", count(*) FROM \"codes\" WHERE \"code\" IS NOT NULL GROUP BY \"code\" HAVING count(*) > 1 counts, then `ringmill migrate` adds it";
    let fault = format!(
        "ringmill.toml:5: tables.codes.columns.code: codes.code is not unique in the database; {one}: CREATE UNIQUE INDEX \"codes_code_idx\" ON \"codes\" (\"code\")"
    );
    check(CODES, twice, &[&fault]);
    // Of several columns, and on a condition.
    let pair = CODES
        .replace(
            "list =",
            "indexes = [{ columns = [\"place\", \"code\"], unique = true, where = \"id < 3\" }]\nlist =",
        )
        .replace(", unique = true }\n", " }\nplace = \"text\"\n");
    let fault = "ringmill.toml:2: tables.codes.indexes: the database has no such index: CREATE UNIQUE INDEX \"codes_place_code_idx\" ON \"codes\" (\"place\", \"code\") WHERE id < 3; rows agree in it: mend those that SELECT \"place\", \"code\", count(*) FROM \"codes\" WHERE \"place\" IS NOT NULL AND \"code\" IS NOT NULL AND (id < 3) GROUP BY \"place\", \"code\" HAVING count(*) > 1 counts, then `ringmill migrate` adds it";
    check(&pair, "INSERT INTO codes VALUES (1, 'a', 'x'), (2, 'a', 'x')", &[fault]);
    // A column that is not there yet.
    let new = format!("{CODES}more = {{ type = \"text\", unique = true, default = \"x\" }}\n").replacen(
        ", unique = true",
        "",
        1,
    );
    let fault = "ringmill.toml:6: tables.codes.columns.more: the table codes of the database has no column more; its rows would all have the same value, which is to be unique: remove `default`, or `unique`; if it is the column place: ALTER TABLE \"codes\" RENAME COLUMN \"place\" TO \"more\"";
    check(&new, twice, &[fault]);
    // What agrees in part is let be.
    for (file, rows) in [
        (CODES, "INSERT INTO codes VALUES (1, 'a', 'x'), (3, NULL, 'z'), (4, NULL, 'z')"),
        (&pair, "INSERT INTO codes VALUES (1, 'a', 'x'), (2, 'a', 'y'), (3, 'a', 'y'), (4, NULL, 'y')"),
        (&new, "INSERT INTO codes VALUES (1, 'a', 'x')"),
    ] {
        let folder = folder_with(file, &[table, rows]);
        let ended = run(folder.path(), &["migrate"]);
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
        assert_eq!(run(folder.path(), &["check"]).code, Some(0));
    }
}

/// Rows are asked with what the column will hold.
#[test]
fn a_condition_over_a_column_that_is_still_to_be_added() {
    let table = "CREATE TABLE codes (id INTEGER NOT NULL PRIMARY KEY, code TEXT) STRICT";
    let twice = "INSERT INTO codes VALUES (1, 'a'), (2, 'a')";
    let file = |index: &str, more: &str| {
        let codes = CODES.replacen(", unique = true", "", 1).replace("list =", &format!("{index}\nlist ="));
        format!("{codes}more = {more}\n")
    };
    let index = "indexes = [{ columns = [\"code\"], unique = true, where = \"\\\"more\\\" = 1\" }]";
    let told = |file: &str| run(folder_with(file, &[table, twice]).path(), &["check"]).stderr;
    let agree = "rows agree in it: mend those that SELECT \"code\", count(*) FROM (SELECT *, 1 AS \"more\" FROM \"codes\") WHERE \"code\" IS NOT NULL AND (\"more\" = 1) GROUP BY \"code\" HAVING count(*) > 1 counts";
    let stderr = told(&file(index, "{ type = \"bigint\", default = 1 }"));
    assert!(stderr.contains(agree), "{stderr}");
    // NULL meets no condition.
    let folder = folder_with(&file(index, "\"bigint\""), &[table, twice]);
    let stderr = run(folder.path(), &["check"]).stderr;
    assert!(stderr.contains("`ringmill migrate` adds it") && !stderr.contains("unless"), "{stderr}");
    assert_eq!(run(folder.path(), &["migrate"]).code, Some(0));
    assert_eq!(run(folder.path(), &["check"]).code, Some(0));
    // What SQLite does not answer took no time.
    let stderr = told(&file(&index.replace("more", "gone"), "\"bigint\""));
    let refused = "HAVING count(*) > 1 tells; it is refused: no such column: \"gone\"";
    assert!(stderr.contains(refused) && !stderr.contains("longer than"), "{stderr}");
}

/// A table that cannot be looked through in time.
#[test]
fn what_takes_too_long_is_not_promised() {
    // Values that are computed at each look, for some minutes.
    let statements = [
        "CREATE TABLE codes (id INTEGER NOT NULL PRIMARY KEY, code TEXT AS (hex(zeroblob(200000))), place TEXT)",
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) INSERT INTO codes (id) SELECT i FROM n",
    ];
    let file = CODES.replace("unique = true", "unique = true, read_only = true");
    let query = "SELECT \"code\", count(*) FROM \"codes\" WHERE \"code\" IS NOT NULL GROUP BY \"code\" HAVING count(*) > 1";
    let fault = format!(
        "ringmill.toml:5: tables.codes.columns.code: codes.code is not unique in the database; `ringmill migrate` adds it: CREATE UNIQUE INDEX \"codes_code_idx\" ON \"codes\" (\"code\"), unless rows agree, which {query} tells; it takes longer than 5 s"
    );
    let folder = folder_with(&file, &statements);
    assert_eq!(run(folder.path(), &["check"]).last_line(), format!("ringmill: {fault}"));
    let ended = run(folder.path(), &["migrate", "--dry-run"]);
    let line = format!(
        "-- not known, since it takes longer than 5 s: whether rows refuse that, which {query} tells\n"
    );
    assert!(ended.stdout.contains(&line), "{}", ended.stdout);
}

const FORMS: &str = r#"[tables.forms]
list = "/forms"
item = "/forms/{id}"
order = ["at", "id"]
[tables.forms.columns]
id = "bigint"
at = "timestamp"
day = "date"
ref = "uuid"
price = "numeric"
[endpoints.put]
path = "/put"
methods = ["POST"]
sql = "INSERT INTO forms (id, at, day, ref, price) VALUES ($id, $at, $day, $ref, $price) RETURNING id"
shape = "row"
[endpoints.put.params]
id = "forms.id"
at = { type = "text", required = false }
day = { type = "text", required = false }
ref = { type = "text", required = false }
price = { type = "text", required = false }
"#;

/// What SQL endpoints store is held to the form of its type too.
#[test]
fn sql_endpoints_store_no_malformed_values() {
    let server = Setup::shards(1).file(FORMS).start();
    let client = &mut server.connect();
    let body = |id: i64, name: &str, value: &str| {
        let mut body = serde_json::json!({"id": id, "at": null, "day": null, "ref": null, "price": null});
        body[name] = value.into();
        body.to_string()
    };
    let mut id = 0;
    for (name, values) in [
        (
            "at",
            &[
                "2026-11-24T02:00:00.123456Z",
                "0001-01-01T00:00:00.000000Z",
                "9999-12-31T23:59:59.999999Z",
                "2024-01-31T23:59:59.999999Z",
                "2024-02-29T12:00:00.000000Z",
            ][..],
        ),
        ("day", &["2026-11-24", "0001-01-01", "9999-12-31", "2000-02-29"]),
        ("ref", &["01234567-89ab-cdef-0123-456789abcdef"]),
        ("price", &["0", "-1.50", "12345678901234567890123456789.123", "1e5", "1E-400", "-0"]),
    ] {
        for value in values {
            id += 1;
            client.ask("POST", "/put", Some(&body(id, name, value))).is(200, &format!(r#"{{"id":{id}}}"#));
        }
    }
    let refused = [
        (
            "at",
            &[
                "2026-11-24 02:00:00",
                "2026-11-24T02:00:00Z",
                "2026-11-24T02:00:00.123456",
                "2026-02-30T02:00:00.123456Z",
                "2026-11-24T25:00:00.123456Z",
                "2026-11-24T24:00:00.000000Z",
                "0000-01-01T00:00:00.000000Z",
                "2026-11-24T2x:00:00.000000Z",
                "2026-11-24T23:59:59.12345 Z",
                "now",
                "",
            ][..],
        ),
        ("day", &["2026-02-30", "2026-11-24 00:00:00", "now", "24.11.2026", "0000-00-00", "0000-01-01"]),
        (
            "ref",
            &[
                "01234567-89AB-cdef-0123-456789abcdef",
                "0123456789abcdef0123456789abcdef",
                "01234567-89ab-cdef-0123-456789abcdeg",
                "x",
            ],
        ),
        ("price", &["abc", "", "1.", ".5", "+1", "01", " 1", "1e", "NaN", "-", "[1]"]),
    ];
    for (name, values) in refused {
        for value in values {
            client.ask("POST", "/put", Some(&body(99, name, value))).is(
                400,
                &format!(r#"{{"error":"Validation failed","errors":{{"{name}":["is not allowed"]}}}}"#),
            );
        }
    }
    assert_eq!(client.get("/forms").json()["total"], id);
}

/// Tables that were made without a CHECK of form are as good, and what they hold in another form is told once it is there.
#[test]
fn values_of_another_form_are_told_and_mended() {
    let table = "CREATE TABLE forms (id INTEGER NOT NULL, at TEXT, day TEXT, ref TEXT, price TEXT, PRIMARY KEY (id)) STRICT";
    let good = "INSERT INTO forms VALUES (1, '2026-11-24T02:00:00.123456Z', '2026-11-24', '01234567-89ab-cdef-0123-456789abcdef', '1.50'), (2, NULL, NULL, NULL, NULL)";
    let index = "CREATE INDEX own ON forms (at, id)";
    let notes = |statements: &[&str]| {
        let folder = folder_with(FORMS, statements);
        let ended = run(folder.path(), &["check"]);
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
        let notes: Vec<_> = ended
            .stdout
            .lines()
            .filter(|line| line.starts_with("note: ") && !line.contains("a missing index"))
            .map(str::to_owned)
            .collect();
        let ended = run(folder.path(), &["migrate", "--dry-run"]);
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
        assert_eq!(ended.stdout.lines().count(), 1, "{}", ended.stdout);
        (folder, notes)
    };
    assert_eq!(notes(&[table, index, good]).1, [""; 0]);
    let bad = "INSERT INTO forms VALUES (3, '2026-11-24 10:00:00', '2026-11-24 00:00:00', '01234567-89AB-CDEF-0123-456789ABCDEF', '1,5'), (4, 'now', NULL, NULL, NULL), (5, '2024', NULL, NULL, NULL), (6, '2024-02-30 10:00:00', NULL, NULL, NULL), (7, '2024-01-01 24:30:00', NULL, NULL, NULL), (8, '2024-01-01T00:00:00.123456', NULL, NULL, NULL)";
    let (folder, told) = notes(&[table, index, good, bad]);
    let names = ["at", "day", "ref", "price"];
    assert_eq!(told.len(), names.len(), "{told:#?}");
    let connection = rusqlite::Connection::open(folder.path().join("data/ringmill.db")).expect("a database");
    for (note, (line, name)) in told.iter().zip((7..).zip(names)) {
        let begins = format!(
            "note: ringmill.toml:{line}: tables.forms.columns.{name}: forms.{name} holds values that are not written as "
        );
        assert!(note.starts_with(&begins), "{note}");
        // What is said can be run.
        let (_, rest) = note.split_once("; SELECT ").expect(note);
        let (query, rest) = rest.split_once(" shows them; ").expect(note);
        let count = format!("SELECT count(*) FROM (SELECT {query})");
        let rows = || connection.query_row(&count, [], |row| row.get::<_, i64>(0)).expect(&count);
        assert_eq!(rows(), if name == "at" { 6 } else { 1 });
        match rest.strip_prefix("those in the spelling of CURRENT_TIMESTAMP are mended by ") {
            Some(update) => {
                connection.execute_batch(update).unwrap_or_else(|error| panic!("{error}: {update}"));
                assert_eq!(rows(), 5, "what another spelling means is not guessed: {update}");
            }
            None => assert!(name != "at" && rest == "mend each by hand", "{name}: {rest}"),
        }
    }
    let all = "SELECT group_concat(at, '|') FROM (SELECT at FROM forms ORDER BY id)";
    let all = connection.query_row(all, [], |row| row.get::<_, String>(0)).expect(all);
    assert_eq!(
        all,
        "2026-11-24T02:00:00.123456Z|2026-11-24T10:00:00.000000Z|now|2024|2024-02-30 10:00:00|2024-01-01 24:30:00|2024-01-01T00:00:00.123456"
    );
}

#[test]
fn what_is_there_under_another_name_is_told() {
    let codes = CODES.replacen(", unique = true", "", 1);
    let table =
        |column: &str| format!("CREATE TABLE codes (id INTEGER NOT NULL PRIMARY KEY, {column}) STRICT");
    let adds = "ringmill.toml:5: tables.codes.columns.code: the table codes of the database has no column code; `ringmill migrate` adds it: ALTER TABLE \"codes\" ADD COLUMN \"code\" TEXT";
    let renamed = |name: &str| {
        format!("; if it is the column {name}: ALTER TABLE \"codes\" RENAME COLUMN \"{name}\" TO \"code\"")
    };
    check_faults(&codes, &[&table("label TEXT")], &[&format!("{adds}{}", renamed("label"))]);
    check_faults(&codes, &[&table("label TEXT, codes TEXT")], &[&format!("{adds}{}", renamed("codes"))]);
    check_faults(
        &codes,
        &[&table("label TEXT, zip_code TEXT")],
        &[&format!("{adds}{}", renamed("zip_code"))],
    );
    check_faults(&codes, &[&table("label TEXT, place TEXT")], &[adds]);
    check_faults(&codes, &[&table("size INTEGER")], &[adds]);
    // It may be what cannot be added.
    let needed = codes.replacen("\"text\"", "\"text\", required = true", 1);
    let folder = folder_with(&needed, &[&table("label TEXT"), "INSERT INTO codes VALUES (1, 'a')"]);
    for arguments in [&["check"][..], &["migrate"]] {
        let ended = run(folder.path(), arguments);
        assert!(ended.stderr.ends_with(&format!("{}\n", renamed("label"))), "{}", ended.stderr);
    }
    // Tables.
    let note = |name: &str| {
        format!(
            "ringmill.toml:1: tables.codes: the database has no table codes; if it is the table {name}: write table = \"{name}\", or run ALTER TABLE \"{name}\" RENAME TO \"codes\""
        )
    };
    check_notes(&codes, &["CREATE TABLE code (x TEXT)"], &[&note("code")]);
    check_notes(&codes, &["CREATE TABLE other (ID INTEGER, code TEXT, more TEXT)"], &[&note("other")]);
    check_notes(&codes, &["CREATE TABLE other (id INTEGER)"], &[]);
    let ended = run(folder_with(&codes, &["CREATE TABLE code (x TEXT)"]).path(), &["migrate", "--dry-run"]);
    let line = "-- the database has no table codes; if it is the table code: write table = \"code\", or run ALTER TABLE \"code\" RENAME TO \"codes\"\n";
    assert!(ended.stdout.contains(line), "{}", ended.stdout);
}

/// One fault for a column that the database computes, and none for one that is declared as that.
#[test]
fn computed_columns() {
    let file = |column: &str| {
        format!(
            "[tables.t]\nlist = \"/t\"\nitem = \"/t/{{id}}\"\n[tables.t.columns]\nid = \"bigint\"\nname = \"text\"\nup = {column}\n"
        )
    };
    let table = "CREATE TABLE t (id INTEGER PRIMARY KEY NOT NULL, name TEXT, up TEXT NOT NULL AS (upper(coalesce(name, '')))) STRICT";
    check_faults(
        &file("\"text\""),
        &[table],
        &["ringmill.toml:7: tables.t.columns.up: t.up is computed by the database; write read_only = true"],
    );
    check_notes(&file("{ type = \"text\", read_only = true }"), &[table], &[]);
}

/// Statements that make a table anew are told once.
#[test]
fn a_table_is_made_anew_but_once() {
    let folder = folder_with(
        "[tables.t]\nlist = \"/t\"\n[tables.t.columns]\nid = \"bigint\"\na = \"text\"\nb = \"text\"\nc = \"text\"\n",
        &[
            "CREATE TABLE t (id INTEGER PRIMARY KEY NOT NULL, a TEXT NOT NULL, b TEXT NOT NULL, c TEXT CHECK (c IN ('x'))) STRICT",
        ],
    );
    for arguments in [&["check"][..], &["migrate", "--dry-run"]] {
        let ended = run(folder.path(), arguments);
        let told = format!("{}{}", ended.stdout, ended.stderr);
        assert_eq!(told.matches("BEGIN IMMEDIATE").count(), 1, "{told}");
        for column in ["b", "c"] {
            let of = format!("t.{column} ");
            let line = told.lines().find(|line| line.contains(&of)).unwrap_or_else(|| panic!("{told}"));
            assert!(line.ends_with(", or make the table anew, as told of tables.t.columns.a"), "{line}");
        }
    }
}

/// Of tables that need one another no first row can be made.
#[test]
fn required_references_in_a_circle() {
    let file = |b: &str| {
        format!(
            "[tables.a.columns]\nid = {{ type = \"bigint\", generated = \"identity\" }}\n\
             b_id = {{ type = \"bigint\", required = true, unique = true, references = \"b.id\" }}\n\
             [tables.b.columns]\nid = {{ type = \"bigint\", generated = \"identity\" }}\n\
             a_id = {{ type = \"bigint\", required = {b}, unique = true, references = \"a.id\" }}\n"
        )
    };
    let note = "ringmill.toml:3: tables.a.columns.b_id: a.b_id, b.a_id refer to one another and are required: \
        no request can make a first row; leave `required` out of one of them";
    check_notes(&file("true"), &[], &[note]);
    check_notes(&file("false"), &[], &[]);
}
