//! `ringmill seed` from the outside: how far it is, what it says at the end, and tables that another program made.

use crate::checking::{DATABASE, contents, folder_with};
use crate::server::{folder, run, run_under};

#[test]
fn how_far_it_is_stands_in_the_log_now_and_then() {
    let folder = folder(&[]);
    let ended = run(folder.path(), &["seed", "--table", "posts", "--rows", "120000"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(ended.stdout, "seeded 120000 rows of posts (and 12000 of users)\n");
    let messages: Vec<String> = ended
        .stderr
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("a line of the log"))
        .filter_map(|line| Some(line["message"].as_str()?.to_owned()))
        .filter(|message| message.starts_with("Seeding"))
        .collect();
    let expected = [
        "Seeding users: 12,000 rows",
        "Seeding posts: 120,000 rows",
        "Seeding posts: 100,000 of 120,000 rows",
    ];
    assert_eq!(messages, expected);
}

#[test]
fn on_a_terminal_there_is_a_bar() {
    let folder = folder(&[]);
    // script(1), of util-linux, gives it a terminal of its own.
    let command = r#"exec script -qec "$0 seed --table users --rows 30000 >said" /dev/null"#;
    let ended = run_under(&["sh", "-c", command], folder.path(), &[]);
    let shown = format!("{}{}", ended.stdout, ended.stderr);
    assert!(ended.code == Some(0) && shown.contains("/30,000") && shown.contains('\u{2588}'), "{shown}");
    assert!(!shown.contains("Seeding users"), "{shown}");
    let said = std::fs::read_to_string(folder.path().join("said")).expect("standard output");
    assert_eq!(said, "seeded 30000 rows of users\n");
}

/// What `serve` refuses has no rows made for it, nor tables.
#[test]
fn a_file_that_is_not_served_is_not_seeded() {
    let table = "[tables.t.columns]\nid = { type = \"bigint\", generated = \"identity\" }\n";
    let check = |file: &str, statements: &[&str], fault: &str| {
        let folder = folder_with(file, statements);
        let before = contents(folder.path());
        let ended = run(folder.path(), &["seed", "--table", "t", "--rows", "3"]);
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(1), format!("ringmill: {fault}\n").as_str()));
        assert!(contents(folder.path()) == before, "something was changed");
    };
    check(
        &format!("{table}[endpoints.a]\npath = \"/a\"\nsql = \"SELECT x FROM nowhere\"\n"),
        &[],
        "ringmill.toml:5: endpoints.a.sql: no such table: nowhere (GET /a); mend the statement, or declare the table or column it needs",
    );
    check(
        &format!("{table}x = \"text\"\n"),
        &["CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT) STRICT"],
        "ringmill.toml:3: tables.t.columns.x: the table t of the database has no column x; `ringmill migrate` adds it: ALTER TABLE \"t\" ADD COLUMN \"x\" TEXT",
    );
}

/// A column that the database computes is left to it, as on create; one that must be unique too.
#[test]
fn computed_columns_are_left_out() {
    let file = "[tables.orders.columns]\nid = { type = \"bigint\", generated = \"identity\" }\ntotal = \"double\"\n\
        tax = { type = \"double\", read_only = true }\nnumber = { type = \"bigint\", read_only = true, unique = true }\n";
    let table = "CREATE TABLE orders (id INTEGER PRIMARY KEY AUTOINCREMENT, total REAL, \
        TAX REAL AS (total * 0.5) STORED, number INTEGER AS (id + 7), UNIQUE (number))";
    let folder = folder_with(file, &[table]);
    let ended = run(folder.path(), &["seed", "--table", "orders", "--rows", "2500"]);
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (Some(0), "seeded 2500 rows of orders\n"),
        "{}",
        ended.stderr
    );
    let database = rusqlite::Connection::open(folder.path().join(DATABASE)).expect("a database");
    let rows = "SELECT count(*) FROM orders WHERE tax IS total / 2 AND number = id + 7 AND total IS NOT NULL";
    let rows: i64 = database.query_row(rows, [], |row| row.get(0)).expect("a count");
    assert!(rows > 1000, "{rows}");
}

/// What stands in the place of a table is not made, and so not told to be.
#[test]
fn a_view_is_no_missing_table() {
    let file = "[tables.things.columns]\nid = { type = \"bigint\", generated = \"identity\" }\n[tables.shown]\nlist = \"/shown\"\n\
        access = { list = \"public\" }\ncolumns = { id = \"bigint\" }\n";
    let schema = [
        "CREATE TABLE things (id INTEGER PRIMARY KEY AUTOINCREMENT)",
        "CREATE VIEW Shown AS SELECT id FROM things",
    ];
    let folder = folder_with(file, &schema);
    let ended = run(folder.path(), &["seed", "--table", "things", "--rows", "1"]);
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (Some(0), "seeded 1 row of things\n"),
        "{}",
        ended.stderr
    );
    assert!(!ended.stderr.contains("Created"), "{}", ended.stderr);
}

#[test]
fn the_folder_of_the_database_can_be_named() {
    let folder =
        folder_with("[tables.things.columns]\nid = { type = \"bigint\", generated = \"identity\" }\n", &[]);
    let ended = run(folder.path(), &["seed", "--data", "other", "--table", "things", "--rows", "3"]);
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (Some(0), "seeded 3 rows of things\n"),
        "{}",
        ended.stderr
    );
    assert!(!folder.path().join(DATABASE).exists());
    let database = rusqlite::Connection::open(folder.path().join("other/ringmill.db")).expect("a database");
    let rows: i64 = database.query_row("SELECT count(*) FROM things", [], |row| row.get(0)).expect("a count");
    assert_eq!(rows, 3);
}
