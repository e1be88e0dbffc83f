//! Foreign keys of a database that another program made: what the file has to say of them, that advice works when it is followed,
//! and who is blamed for a broken one.

use crate::checking::{check_faults, check_notes, folder_with};
use crate::server::{Setup, run};

const ARTISTS: &str = r#"[tables.artists]
list = "/artists"
item = "/artists/{id}"
[tables.artists.columns]
id = { type = "bigint", generated = "identity" }
slug = { type = "text", required = true, unique = true }
"#;

/// With the given column `artist`.
fn albums(column: &str) -> String {
    format!(
        "{ARTISTS}[tables.albums]\nlist = \"/albums\"\nitem = \"/albums/{{id}}\"\nindexes = [[\"artist\"]]\n[tables.albums.columns]\nid = {{ type = \"bigint\", generated = \"identity\" }}\nartist = {column}\n"
    )
}

const ARTIST_TABLE: &str =
    "CREATE TABLE artists (id INTEGER PRIMARY KEY AUTOINCREMENT, slug TEXT NOT NULL UNIQUE) STRICT";

fn album_table(artist: &str) -> String {
    format!("CREATE TABLE albums (id INTEGER PRIMARY KEY AUTOINCREMENT, artist {artist}) STRICT")
}

/// Where `artist` stands.
const AT: &str = "ringmill.toml:13: tables.albums.columns.artist";

/// Checks the faults of a column `artist` on a database, and that another has none there.
#[track_caller]
fn check_mended(statements: &[&str], column: &str, faults: &[&str], mended: &str) {
    let faults: Vec<_> = faults.iter().map(|fault| format!("{AT}: {fault}")).collect();
    let folder = folder_with(&albums(column), statements);
    let ended = run(folder.path(), &["check"]);
    let told: Vec<_> = ended.stderr.lines().collect();
    assert_eq!(ended.code, Some(1), "{}", ended.stdout);
    assert!(told.len() == faults.len(), "{told:#?}");
    for (told, fault) in told.iter().zip(&faults) {
        assert!(told.contains(fault.as_str()), "no {fault:?} in {told}");
    }
    let ended = run(folder_with(&albums(mended), statements).path(), &["check"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{mended}");
}

/// Notes about foreign keys.
#[track_caller]
fn notes_of(file: &str, statements: &[&str]) -> Vec<String> {
    let ended = run(folder_with(file, statements).path(), &["check"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    let notes = ended.stdout.lines().filter_map(|line| line.strip_prefix("note: "));
    notes.filter(|note| note.contains(" refers to ")).map(str::to_owned).collect()
}

/// SQLite's primary key, whichever key the file has.
#[test]
fn a_reference_without_a_column_means_the_key_of_the_database() {
    let file = |artist: &str| {
        albums(artist)
            .replace("{id}\"\n[tables.artists.columns]", "{slug}\"\nkey = \"slug\"\n[tables.artists.columns]")
            .replacen(
                "{ type = \"bigint\", generated = \"identity\" }",
                "{ type = \"text\", required = true, unique = true }",
                1,
            )
            .replace(", required = true, unique = true }\n[", ", required = true }\n[")
    };
    let artists = "CREATE TABLE artists (id TEXT NOT NULL PRIMARY KEY, slug TEXT NOT NULL UNIQUE) STRICT";
    let table = album_table("TEXT REFERENCES artists");
    let statements = [artists, table.as_str()];
    let at =
        "ringmill.toml:14: tables.albums.columns.artist: albums.artist refers to artists.id in the database";
    check_faults(
        &file("\"text\""),
        &statements,
        &[&format!("{at}, which the file does not say; add references = \"artists.id\" to the column")],
    );
    let folder = folder_with(&file("{ type = \"text\", references = \"artists.slug\" }"), &statements);
    let told = run(folder.path(), &["check"]).stderr;
    let fault = format!(
        "ringmill: {at}, in the file to artists.slug; write references = \"artists.id\" at the column, or make the table anew"
    );
    assert!(told.starts_with(&fault), "{told}");
    let file = file("{ type = \"text\", references = \"artists.id\" }");
    let server = Setup::shards(1).folder(folder_with(&file, &statements)).start();
    let client = &mut server.connect();
    client.ask("POST", "/artists", Some(r#"{"id":"i","slug":"s"}"#)).is(201, r#"{"id":"i","slug":"s"}"#);
    let missing = r#"{"error":"Validation failed","errors":{"artist":["does not exist"]}}"#;
    client.ask("POST", "/albums", Some(r#"{"artist":"s"}"#)).is(400, missing);
    client.ask("POST", "/albums", Some(r#"{"artist":"i"}"#)).is(201, r#"{"id":1,"artist":"i"}"#);
    // What is referred to is the id.
    let referred = r#"{"error":"Conflict","errors":{"id":["is still referred to"]}}"#;
    client.ask("PATCH", "/artists/s", Some(r#"{"id":"j"}"#)).is(409, referred);
}

#[test]
fn advice_about_a_foreign_key_works_when_followed() {
    let refers = "albums.artist refers to artists.id in the database";
    let add = |says: &str| format!("{refers}, which the file does not say; add {says} to the column");
    // Of another integer type.
    let table = album_table("INTEGER REFERENCES artists (id)");
    check_mended(
        &[ARTIST_TABLE, &table],
        "\"integer\"",
        &[&add("type = \"bigint\", references = \"artists.id\"")],
        "{ type = \"bigint\", references = \"artists.id\" }",
    );
    // Several on one column: the file can say one, and what it does not say is a note.
    let table =
        album_table("INTEGER REFERENCES labels REFERENCES artists REFERENCES artists ON DELETE CASCADE");
    let labels = "CREATE TABLE labels (id INTEGER PRIMARY KEY) STRICT";
    let mended = "{ type = \"bigint\", references = \"artists.id\", on_delete = \"cascade\" }";
    check_mended(
        &[ARTIST_TABLE, labels, &table],
        "\"bigint\"",
        &[&add("references = \"artists.id\", on_delete = \"cascade\"")],
        mended,
    );
    // Another one than the file says.
    let file = |references: &str| {
        format!(
            "{}label = \"bigint\"\n[tables.labels]\n[tables.labels.columns]\nid = \"bigint\"\n",
            albums(references)
        )
    };
    let table = table.replace("REFERENCES artists REFERENCES artists ON DELETE CASCADE", ", label INTEGER");
    let wrong = file("{ type = \"bigint\", references = \"artists.id\" }");
    let told = run(folder_with(&wrong, &[ARTIST_TABLE, labels, &table]).path(), &["check"]).stderr;
    let fault = format!(
        "ringmill: {AT}: albums.artist refers to labels.id in the database, in the file to artists.id; write references = \"labels.id\" at the column, or make the table anew"
    );
    assert!(told.starts_with(&fault) && told.lines().count() == 1, "{told}");
    let right = file("{ type = \"bigint\", references = \"labels.id\" }");
    assert_eq!(run(folder_with(&right, &[ARTIST_TABLE, labels, &table]).path(), &["check"]).stderr, "");
    // A column that only the database keeps unique.
    let file = |slug: &str, artist: &str| albums(artist).replace("required = true, unique = true", slug);
    let read_only = "read_only = true";
    let table = album_table("TEXT REFERENCES artists (slug)");
    let statements =
        ["CREATE TABLE artists (id INTEGER PRIMARY KEY AUTOINCREMENT, slug TEXT UNIQUE) STRICT", &table];
    check_faults(
        &file(read_only, "\"text\""),
        &statements,
        &[&format!(
            "{AT}: albums.artist refers to artists.slug in the database, which the file does not say; add references = \"artists.slug\" to the column, and unique = true to tables.artists.columns.slug"
        )],
    );
    let mended =
        file("read_only = true, unique = true", "{ type = \"text\", references = \"artists.slug\" }");
    assert_eq!(run(folder_with(&mended, &statements).path(), &["check"]).stderr, "");
}

/// SQLite takes such a table, and refuses what is written to it.
#[test]
fn a_foreign_key_that_sqlite_cannot_keep_is_mended_first() {
    let told = |file: &str, statements: &[&str]| -> String {
        let stderr = run(folder_with(file, statements).path(), &["check"]).stderr;
        let mut about = stderr.lines().filter(|line| line.contains(" refers to "));
        let line = about.next().expect(&stderr).to_owned();
        line[line.find(AT).expect("a place") + AT.len() + 2..].to_owned()
    };
    let slugs = albums("\"text\"").replace(", unique = true", "");
    let artists = ARTIST_TABLE.replace(" UNIQUE", "");
    let table = album_table("TEXT REFERENCES artists (slug)");
    let index = "CREATE UNIQUE INDEX \"artists_slug_key\" ON \"artists\" (\"slug\")";
    assert_eq!(
        told(&slugs, &[&artists, &table]),
        format!(
            "albums.artist refers to artists.slug in the database, which is not unique there: SQLite writes no row; run {index}"
        )
    );
    let then = told(&slugs, &[&artists, &table, index]);
    assert!(then.contains("add references = \"artists.slug\" to the column, and unique = true to"), "{then}");
    // A view, and a table that is gone: the table made anew has no such key.
    let view = "CREATE VIEW artists AS SELECT id, slug FROM them";
    let them = "CREATE TABLE them (id INTEGER PRIMARY KEY, slug TEXT) STRICT";
    let file = albums("\"bigint\"").replacen(
        "item =",
        "access = { list = \"public\", get = \"public\" }\nitem =",
        1,
    );
    let table = album_table("INTEGER REFERENCES artists (id)");
    for (statements, begins) in [
        (
            &[them, view, &table][..],
            "albums.artist refers to artists.id in the database, where that is a view: SQLite writes no row; make the table anew, which drops what the file does not declare (FOREIGN KEY (artist) REFERENCES artists (id)), ",
        ),
        (
            &[ARTIST_TABLE, &album_table("INTEGER REFERENCES gone (id)")],
            "albums.artist refers to gone.id in the database, which has no such table: SQLite writes no row; make the table anew, which drops what the file does not declare (FOREIGN KEY (artist) REFERENCES gone (id)), ",
        ),
    ] {
        let folder = folder_with(&file, statements);
        let stderr = run(folder.path(), &["check"]).stderr;
        let line = stderr.lines().find(|line| line.contains(begins)).unwrap_or_else(|| panic!("{stderr}"));
        let anew = line.split("`ringmill migrate`: ").nth(1).expect("statements");
        let database = folder.path().join(crate::checking::DATABASE);
        rusqlite::Connection::open(database).expect("a database").execute_batch(anew).expect(anew);
        assert_eq!(run(folder.path(), &["migrate"]).code, Some(0));
        assert_eq!(run(folder.path(), &["check"]).stderr, "");
    }
}

/// SQLite compares a text with an integer as integers; the file cannot say so.
#[test]
fn columns_of_different_types_are_told_as_that() {
    let statements = [ARTIST_TABLE, &album_table("TEXT REFERENCES artists (id) ON DELETE CASCADE")];
    assert_eq!(
        notes_of(&albums("\"text\""), &statements),
        [format!(
            "{AT}: albums.artist refers to artists.id in the database, which the file cannot say of columns of different types, text and bigint: values without a row there are 400; a DELETE there deletes rows here"
        )]
    );
    let said = albums("{ type = \"text\", references = \"artists.id\" }");
    check_faults(
        &said,
        &statements,
        &[&format!(
            "{AT}.references: \"artists.id\" is a bigint, this column a text; give both the same type, or remove `references`"
        )],
    );
}

/// Nobody brings a value that the key could refuse.
#[test]
fn a_table_that_is_only_read_needs_no_references() {
    let file = albums("\"bigint\"").replace(
        "item = \"/albums/{id}\"",
        "item = \"/albums/{id}\"\naccess = { list = \"public\", get = \"public\", delete = \"public\" }",
    );
    let at = AT.replace(":13", ":14");
    let one = |on_delete: &str, more: &str| {
        let table = album_table(&format!("INTEGER REFERENCES artists {on_delete}"));
        let index = "CREATE INDEX i ON albums (artist)";
        let note = format!(
            "{at}: albums.artist refers to artists.id in the database, which the file does not say{more}"
        );
        let statements = [ARTIST_TABLE, table.as_str(), index];
        assert_eq!(notes_of(&file, &statements), [note]);
        assert_eq!(run(folder_with(&file, &statements).path(), &["migrate"]).code, Some(0));
    };
    one("", "");
    one("ON DELETE CASCADE", "; a DELETE there deletes rows here");
}

#[test]
fn a_row_whose_references_cannot_be_emptied_is_still_referred_to() {
    let file = albums("{ type = \"bigint\", required = true }")
        + "[endpoints.drop]\npath = \"/drop/{id}\"\nmethods = [\"POST\"]\nsql = \"DELETE FROM artists WHERE id = $id\"\nparams = { id = \"artists.id\" }\n";
    let table = album_table("INTEGER NOT NULL REFERENCES artists ON DELETE SET NULL");
    let statements = [ARTIST_TABLE, table.as_str()];
    assert_eq!(
        notes_of(&file, &statements),
        [format!(
            "{AT}: albums.artist refers to artists.id in the database, which the file cannot say: values without a row there are 400; a DELETE there would make it NULL, which it may not be, and is 409"
        )]
    );
    let server = Setup::shards(1).folder(folder_with(&file, &statements)).start();
    let client = &mut server.connect();
    client.ask("POST", "/artists", Some(r#"{"slug":"s"}"#)).is(201, r#"{"id":1,"slug":"s"}"#);
    client.ask("POST", "/albums", Some(r#"{"artist":1}"#)).is(201, r#"{"id":1,"artist":1}"#);
    let referred = r#"{"error":"Conflict","errors":{"id":["is still referred to"]}}"#;
    client.ask("DELETE", "/artists/1", None).is(409, referred);
    client.ask("POST", "/drop/1", None).is(409, r#"{"error":"Conflict"}"#);
    // The file cannot promise it either.
    let folder = folder_with(
        &albums("{ type = \"bigint\", references = \"artists.id\", on_delete = \"set_null\" }"),
        &statements,
    );
    let told = run(folder.path(), &["check"]).stderr;
    let fault = format!(
        "ringmill: {AT}: albums.artist is NOT NULL in the database; the file allows it to be left out; write required = true and remove `references`, or make the table anew"
    );
    assert!(told.starts_with(&fault), "{told}");
}

const ADDS: &str = r#"[tables.labels]
list = "/labels"
[tables.labels.columns]
id = "bigint"
[tables.songs]
[tables.songs.columns]
id = { type = "bigint", generated = "identity" }
artist = { type = "bigint", references = "artists.id" }
label = { type = "bigint", references = "labels.id", default = 9 }
[endpoints.both]
path = "/both"
methods = ["POST"]
sql = "INSERT INTO songs (artist, label) VALUES ($artist, $label) RETURNING id"
params = { artist = "songs.artist", label = "songs.label" }
[endpoints.one]
path = "/one"
methods = ["POST"]
sql = "INSERT INTO songs (artist, label) VALUES ($artist, NULL) RETURNING id"
params = { artist = "songs.artist" }
[endpoints.default]
path = "/default"
methods = ["POST"]
sql = "INSERT INTO songs (artist) VALUES ($artist) RETURNING id"
params = { artist = "songs.artist" }
[endpoints.literal]
path = "/literal"
methods = ["POST"]
sql = "INSERT INTO songs (artist, label) VALUES ($artist, 7) RETURNING id"
params = { artist = "songs.artist" }
[endpoints.other]
path = "/other"
methods = ["POST"]
sql = "INSERT INTO albums (artist) VALUES ($artist) RETURNING id"
params = { artist = "songs.artist" }
[endpoints.set]
path = "/set"
methods = ["POST"]
sql = "UPDATE songs SET artist = $artist"
params = { artist = "songs.artist" }
shape = "row"
status = 204
[endpoints.nobody]
path = "/nobody"
methods = ["POST"]
sql = "INSERT INTO songs (artist, label) VALUES (7, NULL)"
"#;

/// SQLite does not say which foreign key is broken.
#[test]
fn a_parameter_is_blamed_where_no_other_can_be_meant() {
    let file = albums("{ type = \"bigint\", references = \"artists.id\" }") + ADDS;
    let server = Setup::shards(1).file(&file).start();
    let client = &mut server.connect();
    client.ask("POST", "/artists", Some(r#"{"slug":"s"}"#)).is(201, r#"{"id":1,"slug":"s"}"#);
    client.ask("POST", "/labels", Some(r#"{"id":1}"#)).is(201, r#"{"id":1}"#);
    let blamed = r#"{"error":"Validation failed","errors":{"artist":["does not exist"]}}"#;
    let nobody = r#"{"error":"Validation failed"}"#;
    client.ask("POST", "/both", Some(r#"{"artist":1,"label":1}"#)).is(200, r#"[{"id":1}]"#);
    client.ask("POST", "/both", Some(r#"{"artist":7,"label":1}"#)).is(400, nobody);
    client.ask("POST", "/both", Some(r#"{"artist":7,"label":null}"#)).is(400, blamed);
    client.ask("POST", "/set", Some(r#"{"artist":7}"#)).is(400, blamed);
    // NULL and a default, a row and a literal look alike to a statement's parameters.
    for path in ["/one", "/default", "/literal"] {
        client.ask("POST", path, Some(r#"{"artist":7}"#)).is(400, nobody);
    }
    client.ask("POST", "/literal", Some(r#"{"artist":1}"#)).is(400, nobody);
    // The parameter has the rules of another table's column.
    client.ask("POST", "/other", Some(r#"{"artist":7}"#)).is(400, nobody);
    // Without parameters it is nobody's mistake but the file's.
    client.ask("POST", "/nobody", None).is(500, r#"{"error":"Internal server error"}"#);
    let line = server.log_line("of that", |line| line["route"] == "/nobody");
    assert_eq!(line["cause"], "foreign key constraint");
}

/// Notes that hinder nothing are no faults of `serve`.
#[test]
fn a_sound_file_has_no_notes() {
    let table = album_table("INTEGER REFERENCES artists");
    let index = "CREATE INDEX albums_artist_idx ON albums (artist)";
    check_notes(
        &albums("{ type = \"bigint\", references = \"artists.id\" }"),
        &[ARTIST_TABLE, &table, index],
        &[],
    );
}
