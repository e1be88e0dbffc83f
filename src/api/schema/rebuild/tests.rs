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
    assert!(remedy.starts_with(&format!("{first}, or make the table anew, ")), "{remedy}");
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
    let first = "declare the type that it has";
    let asked =
        "SELECT group_concat(typeof(x) || x, ' ') FROM (SELECT x FROM t WHERE x IS NOT NULL ORDER BY id)";
    let table =
        |kind: &str, strict: &str| format!("CREATE TABLE t (id INTEGER PRIMARY KEY, x {kind}){strict}");
    for (column, kind, strict, values, expected) in [
        ("bigint", "TEXT", " STRICT", "(1, '12'), (2, NULL), (100, 'x'), (101, '1.5')", "integer12"),
        ("bigint", "VARCHAR(9)", "", "(1, '-3'), (2, '007'), (100, ''), (101, x'31')", "integer-3 integer7"),
        ("double", "TEXT", "", "(1, '1.5'), (2, '2'), (100, '1,5')", "real1.5 real2.0"),
        ("text", "INTEGER", " STRICT", "(1, 5), (2, NULL), (100, 123456)", "text5"),
        ("text", "DECIMAL(9, 2)", "", "(1, 1.5), (2, 'a'), (100, x'00')", "text1.5 texta"),
    ] {
        let rows = format!("INSERT INTO t VALUES {values}");
        let rules = if column == "text" { ", max_length = 5" } else { "" };
        check_runs(
            &format!("x = {{ type = \"{column}\"{rules} }}"),
            &[&table(kind, strict), &rows],
            first,
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
         c, and the new column y has a `default` or is not required, and z has the type that the file declares (how its values \
         become that is not guessed), and i is dropped, whose statement has a text with a line break",
    );
}
