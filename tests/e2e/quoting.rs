//! Words in double quotes that name no column: of the file, and of a schema that another program made.

use crate::checking::{DATABASE, THINGS, THINGS_TABLE, folder_with};
use crate::server::run;

/// SQLite by itself takes such a word for a string, and the index for one of no row.
#[test]
fn a_misspelt_column_in_double_quotes() {
    let file = THINGS.replace(
        "item =",
        "indexes = [{ columns = [\"name\"], where = '\"retuned\" IS NULL', unique = true }]\nitem =",
    );
    let words = "ringmill.toml:3: tables.things.indexes.where: no such column: \"retuned\" - should this be a string literal in single-quotes?";
    let sql = "CREATE UNIQUE INDEX \"things_name_idx\" ON \"things\" (\"name\") WHERE \"retuned\" IS NULL";
    for statements in [&[][..], &[THINGS_TABLE]] {
        let folder = folder_with(&file, statements);
        for arguments in [&["check"][..], &["migrate"], &["serve"]] {
            let ended = run(folder.path(), arguments);
            assert_eq!(ended.code, Some(1), "{arguments:?}");
            assert!(ended.stderr.contains(words), "{arguments:?}: {}", ended.stderr);
        }
    }
    // One that was made so before.
    let folder = folder_with(&file, &[THINGS_TABLE]);
    let made = rusqlite::Connection::open(folder.path().join(DATABASE)).expect("a database");
    made.execute_batch(sql).expect("an index of a string");
    drop(made);
    let fault = format!(
        "ringmill: {words}; mend it, run DROP INDEX \"things_name_idx\", which was made with it, then `ringmill migrate`\n"
    );
    let ended = run(folder.path(), &["check"]);
    assert_eq!((ended.code, ended.stderr), (Some(1), fault));
}

/// Strings in double quotes that another program's schema has are its own affair.
#[test]
fn strings_in_double_quotes_of_a_schema_that_is_there() {
    let folder = folder_with(&THINGS.replace("max_length = 9", "enum = [\"a\", \"b\"]"), &[]);
    std::fs::create_dir(folder.path().join("data")).expect("a folder");
    let made = rusqlite::Connection::open(folder.path().join(DATABASE)).expect("a database");
    made.execute_batch(
        "CREATE TABLE things (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL CHECK (name IN (\"a\", \"b\")), \
         state TEXT DEFAULT \"new\"); CREATE INDEX open ON things (name) WHERE state = \"new\"",
    )
    .expect("a schema with strings in double quotes");
    drop(made);
    for arguments in [&["check"][..], &["migrate"], &["seed", "--table", "things", "--rows", "3"]] {
        let ended = run(folder.path(), arguments);
        assert_eq!(ended.code, Some(0), "{arguments:?}: {}", ended.stderr);
    }
    // A column is added to such a table.
    let file = std::fs::read_to_string(folder.path().join("ringmill.toml")).expect("the file");
    std::fs::write(folder.path().join("ringmill.toml"), format!("{file}note = \"text\"\n"))
        .expect("the file");
    let ended = run(folder.path(), &["migrate"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}
