//! What is said of tables that have to be made anew: statements that do so, or what stands in their way.

use super::super::tests::{plan_of, schema_of};
use super::super::{Means, differences};
use ringmill_sqlite::Schema;

/// The remedies of a table `t` of these columns, beside a table `p`.
fn remedies(folder: &std::path::Path, columns: &str, live: &Schema) -> Vec<String> {
    let file =
        format!("[tables.p.columns]\nid = \"bigint\"\n[tables.t.columns]\nid = \"bigint\"\n{columns}\n");
    let found = differences(&plan_of(folder, &file), live).into_iter();
    found
        .filter_map(|difference| match difference.means {
            Means::Wrong { remedy } => Some(remedy),
            _ => None,
        })
        .collect()
}

const PARENT: &str = "CREATE TABLE p (id INTEGER PRIMARY KEY) STRICT";

/// Runs the statements of the one remedy, which begins with `first`; afterwards nothing is wrong, and `asked` is `expected`.
#[track_caller]
fn check_runs(columns: &str, statements: &[&str], first: &str, asked: &str, expected: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let live = schema_of(folder.path(), &[&[PARENT], statements].concat());
    let remedies = remedies(folder.path(), columns, &live);
    let [remedy] = remedies.as_slice() else { panic!("{remedies:#?}") };
    let begins = remedy.split_once(", or make the table anew, ").expect(remedy).0;
    assert_eq!(begins, first);
    let connection = rusqlite::Connection::open(folder.path().join("test.db")).expect("a database");
    if let Some((_, query)) = remedy.split_once("once no row is found by ") {
        let query = query.split(", while nobody writes").next().unwrap_or_default();
        let mut statement = connection.prepare(query).expect("a query");
        let refused: Vec<i64> =
            statement.query_map([], |row| row.get(0)).expect("rows").map(|id| id.expect("an id")).collect();
        for id in refused {
            assert!(id >= 100, "{id} would be taken, by {query}");
            connection.execute("DELETE FROM t WHERE id = ?1", [id]).expect("a row");
        }
    }
    let (_, script) = remedy.split_once("then `ringmill migrate`: ").expect(remedy);
    connection.execute_batch(script).unwrap_or_else(|error| panic!("{error}: {script}"));
    let after = Schema::read(&folder.path().join("test.db")).expect("a database").expect("a file");
    assert_eq!(self::remedies(folder.path(), columns, &after), Vec::<String>::new());
    let told: String = connection.query_row(asked, [], |row| row.get(0)).expect(asked);
    assert_eq!(told, expected);
}

#[test]
fn another_on_delete() {
    let columns = "x = { type = \"bigint\", references = \"p.id\", on_delete = \"set_null\" }";
    for (has, first) in [
        ("", "leave on_delete out"),
        ("ON DELETE SET DEFAULT", "leave `references` out"),
        ("ON DELETE CASCADE", "write on_delete = \"cascade\""),
        ("ON DELETE RESTRICT", "write on_delete = \"restrict\""),
    ] {
        let table =
            format!("CREATE TABLE t (id INTEGER PRIMARY KEY, x INTEGER REFERENCES p (id) {has}) STRICT");
        let rows = ["INSERT INTO p VALUES (1)", "INSERT INTO t VALUES (7, 1), (8, NULL)"];
        let asked = "SELECT on_delete || (SELECT group_concat(id) FROM t) FROM pragma_foreign_key_list('t')";
        check_runs(columns, &[&[table.as_str()], &rows[..]].concat(), first, asked, "SET NULL7,8");
    }
}

/// Rows from 100 on have values that the new type does not hold.
#[test]
fn another_type() {
    let text = "\"numeric\", \"text\", \"timestamp\", \"date\", \"uuid\", \"json\"";
    let text_or_bytes = format!("{text}, \"bytes\"");
    let whole = "\"smallint\", \"integer\", \"bigint\", \"boolean\"";
    let no_text = "\"smallint\", \"integer\", \"bigint\", \"real\", \"double\", \"boolean\", \"timestamp\", \"date\", \"uuid\", \"bytes\"";
    let asked =
        "SELECT group_concat(typeof(x) || x, ' ') FROM (SELECT x FROM t WHERE x IS NOT NULL ORDER BY id)";
    let table =
        |kind: &str, strict: &str| format!("CREATE TABLE t (id INTEGER PRIMARY KEY, x {kind}){strict}");
    for (column, kind, strict, fits, values, expected) in [
        ("bigint", "TEXT", " STRICT", text, "(1, '12'), (2, NULL), (100, 'x'), (101, '1.5')", "integer12"),
        (
            "bigint",
            "VARCHAR(9)",
            "",
            &text_or_bytes,
            "(1, '-3'), (2, '007'), (100, ''), (101, x'31')",
            "integer-3 integer7",
        ),
        ("double", "TEXT", "", &text_or_bytes, "(1, '1.5'), (2, '2'), (100, '1,5')", "real1.5 real2.0"),
        ("text", "INTEGER", " STRICT", whole, "(1, 5), (2, NULL), (100, 123456)", "text5"),
        ("text", "DECIMAL(9, 2)", "", no_text, "(1, 1.5), (2, 'a'), (100, x'00')", "text1.5 texta"),
        ("numeric", "DECIMAL", "", no_text, "(1, 1.5), (2, '007'), (100, 'a')", "text1.5 text7"),
        (
            "json",
            "JSON",
            "",
            no_text,
            "(1, '{\"a\": 1}'), (2, 1.5), (3, '\"x\"'), (4, 'true'), (100, 'x'), (101, x'31')",
            "text{\"a\": 1} text1.5 text\"x\" texttrue",
        ),
    ] {
        let rows = format!("INSERT INTO t VALUES {values}");
        let rules = if column == "text" { ", max_length = 5" } else { "" };
        check_runs(
            &format!("x = {{ type = \"{column}\"{rules} }}"),
            &[&table(kind, strict), &rows],
            &format!("declare as type what fits such a column ({fits})"),
            asked,
            expected,
        );
    }
}

/// No statements are told while something stands in their way, and then all of that is.
#[test]
fn obstacles() {
    let begin = "make the table anew (https://www.sqlite.org/lang_altertable.html#otheralter), for which statements are told once ";
    let check = |columns: &str, statements: &[&str], expected: &str| {
        let folder = tempfile::tempdir().expect("a folder");
        let live = schema_of(folder.path(), &[&[PARENT], statements].concat());
        let remedies = remedies(folder.path(), columns, &live);
        let told = remedies.iter().find_map(|remedy| Some(remedy.split_once(begin)?.1));
        assert_eq!(told, Some(expected), "{remedies:#?}");
    };
    let narrow = "x = \"text\"";
    check(
        narrow,
        &["CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT NOT NULL, a ANY, b ANY) STRICT"],
        "the file declares a, b too, or the database has no such column any more (DROP COLUMN)",
    );
    check(
        "x = \"text\"\ny = { type = \"text\", required = true }\nz = { type = \"timestamp\" }",
        &[
            "CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT NOT NULL, z INTEGER, a TEXT, c TEXT AS (x)) STRICT",
            "CREATE INDEX i ON t (x) WHERE x <> 'a\nb'",
            "INSERT INTO t (id, x) VALUES (1, 'a')",
        ],
        "the file declares a too, or the database has no such column any more (DROP COLUMN), and the database no longer computes \
         c, and the new column y has a `default` or is not required, and z is TEXT, which, with what its values become in the \
         place of `?`, is done by BEGIN IMMEDIATE; ALTER TABLE \"t\" ADD COLUMN \"z_anew\" TEXT; UPDATE \"t\" SET \"z_anew\" = ?; \
         ALTER TABLE \"t\" DROP COLUMN \"z\"; ALTER TABLE \"t\" RENAME COLUMN \"z_anew\" TO \"z\"; COMMIT, and i is dropped, whose statement has a text with a line break",
    );
}

/// What is told where nothing is guessed can be run, with a value in the place of the question mark.
#[test]
fn a_column_gets_its_type_by_hand() {
    let folder = tempfile::tempdir().expect("a folder");
    let columns = "x = \"timestamp\"\nn = { type = \"numeric\", minimum = 0 }";
    let live = schema_of(
        folder.path(),
        &[
            PARENT,
            "CREATE TABLE t (id INTEGER PRIMARY KEY, x INTEGER, n DECIMAL)",
            "INSERT INTO t VALUES (1, 86400, 1.5)",
        ],
    );
    let told = remedies(folder.path(), columns, &live);
    let connection = rusqlite::Connection::open(folder.path().join("test.db")).expect("a database");
    let scripts = told[0].split("BEGIN IMMEDIATE; ").skip(1);
    let values = ["strftime('%Y-%m-%dT%H:%M:%f000Z', x, 'unixepoch')", "CAST(n AS TEXT)"];
    for (script, value) in scripts.zip(values) {
        let script = script.split("COMMIT").next().unwrap_or_default().replace('?', value);
        connection
            .execute_batch(&format!("BEGIN; {script}COMMIT"))
            .unwrap_or_else(|error| panic!("{error}: {script}"));
    }
    let row = "SELECT x || ' ' || n FROM t";
    let row: String = connection.query_row(row, [], |row| row.get(0)).expect(row);
    assert_eq!(row, "1970-01-02T00:00:00.000000Z 1.5");
    let after = Schema::read(&folder.path().join("test.db")).expect("a database").expect("a file");
    assert_eq!(remedies(folder.path(), columns, &after), Vec::<String>::new());
}
