//! Declared and live schema side by side.

use super::{Means, differences, steps};
use crate::config::{Inputs, Plan, load};
use ringmill_sqlite::{Schema, run_script};
use std::path::Path;

fn plan_of(folder: &Path, file: &str) -> Plan {
    std::fs::write(folder.join("ringmill.toml"), file).expect("a file");
    let inputs = Inputs {
        config: None,
        working_directory: folder,
        environment: Vec::new(),
        sets: Vec::new(),
        flags: Vec::new(),
    };
    load(&inputs).unwrap_or_else(|faults| panic!("{faults:#?}"))
}

/// What a difference comes to, in a word.
fn word(means: &Means) -> &'static str {
    match means {
        Means::MissingTable(_) => "table",
        Means::Missing { harm: super::Harm::Wrong, .. } => "missing",
        Means::Missing { harm: super::Harm::Slow, .. } => "slow",
        Means::CannotAdd { .. } => "cannot",
        Means::Wrong { .. } => "wrong",
        Means::Differs => "differs",
        Means::NotInFile => "not in file",
    }
}

fn schema_of(folder: &Path, statements: &[&str]) -> Schema {
    let path = folder.join("test.db");
    let statements: Vec<String> = statements.iter().map(|statement| (*statement).to_owned()).collect();
    run_script(&path, &statements).expect("statements of a test");
    Schema::read(&path).expect("a database").expect("a file")
}

/// The differences of a table `t` of these columns as `key word`.
#[track_caller]
fn check(keys: &str, columns: &str, statements: &[&str], expected: &[&str]) {
    let folder = tempfile::tempdir().expect("a folder");
    let file =
        format!("[tables.p.columns]\nid = \"bigint\"\n[tables.t]\n{keys}\n[tables.t.columns]\n{columns}\n");
    let plan = plan_of(folder.path(), &file);
    let mut all = vec!["CREATE TABLE p (id INTEGER NOT NULL, PRIMARY KEY (id)) STRICT"];
    all.extend(statements);
    let found = differences(&plan, &schema_of(folder.path(), &all));
    let shown: Vec<_> =
        found.iter().map(|difference| format!("{} {}", difference.key, word(&difference.means))).collect();
    assert_eq!(shown, expected, "{found:#?}");
}

#[test]
fn what_the_file_makes_is_what_it_declares() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = r#"
        [tables.children.columns]
        id = { type = "bigint", generated = "identity" }
        parent = { type = "text", references = "parents.code", on_delete = "set_null" }
        self = { type = "bigint", references = "children.id" }
        [tables.parents]
        key = ["place", "number"]
        indexes = [["flag", "made"], { columns = ["flag"], unique = true }, { columns = ["flag"], where = "flag  =\n1" }]
        [tables.parents.columns]
        number = { type = "bigint", default = -1 }
        place = "smallint"
        code = { type = "text", unique = true, default = "it's (1)", enum = ["it's (1)", "x"] }
        flag = { type = "boolean", default = true }
        ratio = { type = "double", default = 1, minimum = 0.5 }
        price = { type = "numeric", default = 1.50, maximum = 10 }
        data = { type = "bytes", default = "AP8=" }
        extra = { type = "json", default = { a = [1] } }
        token = { type = "uuid", generated = "uuid" }
        made = { type = "timestamp", generated = "on_create" }
        changed = { type = "timestamp", generated = "on_write" }
    "#;
    let plan = plan_of(folder.path(), file);
    let all = steps(&plan, &differences(&plan, &Schema::default()));
    let names: Vec<_> =
        all.iter().map(|step| step.sql.split(['(', '\n']).next().unwrap_or_default()).collect();
    assert_eq!(names[0], "CREATE TABLE \"parents\" ", "{names:?}");
    let statements: Vec<_> = all.iter().map(|step| step.sql.as_str()).collect();
    let live = schema_of(folder.path(), &statements);
    assert_eq!(differences(&plan, &live), []);
    // Nor does it differ from what a start makes.
    let other = tempfile::tempdir().expect("a folder");
    let started: Vec<_> = super::schema(&plan).into_iter().flat_map(|table| table.statements).collect();
    let started: Vec<_> = started.iter().map(String::as_str).collect();
    assert_eq!(schema_of(other.path(), &started), live);
}

#[test]
fn columns() {
    let id = "id = \"bigint\"\n";
    let table = |rest: &str| format!("CREATE TABLE t (id INTEGER PRIMARY KEY{rest}) STRICT");
    let one = |column: &str, rest: &str, expected: &[&str]| {
        check("", &format!("{id}{column}"), &[&table(rest)], expected);
    };
    let row = "INSERT INTO t DEFAULT VALUES";
    let with_row = |column: &str, rest: &str, expected: &[&str]| {
        check("", &format!("{id}{column}"), &[&table(rest), row], expected);
    };
    let x = |word: &str| format!("tables.t.columns.x {word}");
    let missing = x("missing");
    // Missing ones.
    one("x = \"text\"", "", &[&missing]);
    one("x = { type = \"text\", required = true }", "", &[&missing]);
    with_row("x = { type = \"text\", required = true }", "", &[&x("cannot")]);
    with_row("x = { type = \"text\", required = true, default = \"a\" }", "", &[&missing]);
    one("x = { type = \"timestamp\", generated = \"on_create\" }", "", &[&missing]);
    with_row("x = { type = \"timestamp\", generated = \"on_create\" }", "", &[&x("cannot")]);
    with_row("x = { type = \"bigint\", references = \"p.id\", default = 1 }", "", &[&x("cannot")]);
    with_row("x = { type = \"bigint\", references = \"p.id\" }", "", &[&missing]);
    // Types.
    one("x = \"text\"", ", x TEXT", &[]);
    one("x = \"text\"", ", x ANY", &[]);
    one("x = \"text\"", ", x INTEGER", &[&x("wrong")]);
    one("x = { type = \"bigint\" }", ", x INT", &[]);
    let loose = |column: &str, kind: &str, expected: &[&str]| {
        let mut all = expected.to_vec();
        all.push("tables.t not in file");
        check(
            "",
            &format!("{id}{column}"),
            &[&format!("CREATE TABLE t (id INTEGER PRIMARY KEY, x {kind})")],
            &all,
        );
    };
    loose("x = \"text\"", "VARCHAR(20)", &[]);
    loose("x = \"text\"", "", &[]);
    loose("x = \"timestamp\"", "DATETIME", &[]);
    loose("x = \"boolean\"", "BOOLEAN", &[]);
    loose("x = \"numeric\"", "DECIMAL(10,2)", &[&x("wrong")]);
    loose("x = \"double\"", "DOUBLE PRECISION", &[]);
    loose("x = \"double\"", "BIGINT", &[&x("wrong")]);
    loose("x = \"bytes\"", "TEXT", &[]);
    // Constraints.
    one("x = { type = \"text\", required = true }", ", x TEXT", &[&x("differs")]);
    one("x = \"text\"", ", x TEXT NOT NULL", &[&x("differs")]);
    one("x = { type = \"text\", default = \"a\" }", ", x TEXT DEFAULT 'a'", &[]);
    one("x = { type = \"text\", default = \"a\" }", ", x TEXT DEFAULT 'b'", &[&x("differs")]);
    one("x = { type = \"text\", unique = true }", ", x TEXT UNIQUE", &[]);
    one("x = { type = \"text\", unique = true }", ", x TEXT", &[&missing]);
    one("x = { type = \"text\", max_length = 3 }", ", x TEXT", &[]);
    let check_of = ", x TEXT CONSTRAINT \"x\" CHECK (length(\"x\") <= 3)";
    one("x = { type = \"text\", max_length = 3 }", check_of, &[]);
    one("x = { type = \"text\", max_length = 4 }", check_of, &[&x("differs")]);
    one("x = \"text\"", check_of, &[&x("differs")]);
    one("x = \"bigint\"", ", x INTEGER AS (id + 1)", &[&x("wrong")]);
    one("x = { type = \"bigint\", read_only = true }", ", x INTEGER AS (id + 1)", &[]);
    // References.
    let refers = "x = { type = \"bigint\", references = \"p.id\" }";
    one(refers, ", x INTEGER REFERENCES p (id)", &[]);
    one(refers, ", x INTEGER REFERENCES p", &[]);
    one(refers, ", x INTEGER", &[&x("wrong")]);
    one(refers, ", x INTEGER REFERENCES p ON DELETE CASCADE", &[&x("wrong")]);
    // What the file does not have.
    one("", ", x INTEGER", &["tables.t not in file"]);
    check("list = \"/t\"", id, &[&table(", x INTEGER NOT NULL")], &["tables.t.columns wrong"]);
}

#[test]
fn keys_indexes_and_triggers() {
    let two = "a = \"bigint\"\nb = \"bigint\"";
    let key = "key = [\"a\", \"b\"]";
    let table = "CREATE TABLE t (a INTEGER NOT NULL, b INTEGER NOT NULL";
    check(key, two, &[&format!("{table}, PRIMARY KEY (b, a)) STRICT")], &[]);
    check(key, two, &[&format!("{table}, UNIQUE (b, a)) STRICT")], &[]);
    check(key, two, &[&format!("{table}) STRICT")], &["tables.t.key missing"]);
    check(
        key,
        two,
        &[&format!("{table}) STRICT"), "CREATE UNIQUE INDEX i ON t (a, b) WHERE a > 1"],
        &["tables.t.key missing"],
    );
    check(key, two, &["CREATE TABLE t (a INTEGER PRIMARY KEY) STRICT"], &["tables.t.columns.b cannot"]);
    let identity = "id = { type = \"bigint\", generated = \"identity\" }";
    check("", identity, &["CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT) STRICT"], &[]);
    check(
        "",
        identity,
        &["CREATE TABLE t (id INTEGER PRIMARY KEY) STRICT"],
        &["tables.t.columns.id differs"],
    );
    check("", identity, &["CREATE TABLE t (id INT PRIMARY KEY) STRICT"], &["tables.t.columns.id wrong"]);

    let table = "CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER, b INTEGER) STRICT";
    let columns = format!("id = \"bigint\"\n{two}");
    let index = |declared: &str, live: &str, expected: &[&str]| {
        check(&format!("indexes = [{declared}]"), &columns, &[table, live], expected);
    };
    let slow = &["tables.t.indexes[0] slow"][..];
    index("[\"a\", \"b\"]", "CREATE INDEX other ON t (A, b)", &[]);
    index("[\"a\", \"b\"]", "CREATE INDEX t_a_b_idx ON t (b, a)", slow);
    index("[\"a\"]", "CREATE INDEX t_a_idx ON t (a, b)", slow);
    index("[\"a\"]", "CREATE INDEX t_a_idx ON t (a) WHERE b > 1", slow);
    index("[\"a\"]", "CREATE INDEX t_a_idx ON t (abs(a))", slow);
    index("{ columns = [\"a\"], where = \"b > 1\" }", "CREATE INDEX i ON t (a)where b  > 1", &[]);
    index("{ columns = [\"a\"], where = \"b > 1\" }", "CREATE INDEX i ON t (a) WHERE b > 2", slow);
    index(
        "{ columns = [\"a\"], unique = true }",
        "CREATE INDEX i ON t (a)",
        &["tables.t.indexes[0] missing"],
    );
    index("{ columns = [\"a\"] }", "CREATE UNIQUE INDEX i ON t (a)", &[]);

    let on_write = "id = \"bigint\"\nat = { type = \"timestamp\", generated = \"on_write\" }";
    let table = "CREATE TABLE t (id INTEGER PRIMARY KEY, at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now'))) STRICT";
    check("", on_write, &[table], &["tables.t.columns.at missing"]);
    let trigger = "CREATE TRIGGER t_at_on_write AFTER UPDATE ON t BEGIN SELECT 1; END";
    check("", on_write, &[table, trigger], &["tables.t.columns.at differs"]);
    check("", "id = \"bigint\"", &["CREATE VIEW t AS SELECT 1 AS id"], &[]);
    check("", "id = \"bigint\"", &["CREATE TABLE other (id)"], &["tables.t table", "tables not in file"]);
}
