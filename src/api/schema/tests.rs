//! Declared and live schema side by side.

use super::{Means, differences, schema, steps};
use crate::api::sql_text::one_line;
use crate::config::{Inputs, Plan, load};
use ringmill_sqlite::{Schema, run_script};
use std::path::Path;

mod adopted;

pub(super) fn plan_of(folder: &Path, file: &str) -> Plan {
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
        Means::Undeclared { .. } => "undeclared",
        Means::Unseen => "unseen",
        Means::Differs => "differs",
        Means::NotInFile => "not in file",
    }
}

pub(super) fn schema_of(folder: &Path, statements: &[&str]) -> Schema {
    let path = folder.join("test.db");
    let statements: Vec<String> = statements.iter().map(|statement| (*statement).to_owned()).collect();
    run_script(&path, &statements).expect("statements of a test");
    Schema::read(&path).expect("a database").expect("a file")
}

/// The differences of a table `t` of these columns as `key word`.
#[track_caller]
fn check(keys: &str, columns: &str, statements: &[&str], expected: &[&str]) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = format!(
        "[tables.p.columns]\nid = \"bigint\"\n[tables.t]\nlist = \"/t\"\n{keys}\n[tables.t.columns]\n{columns}\n"
    );
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
    one("x = \"text\"", ", x TEXT NOT NULL", &[&x("wrong")]);
    one("x = { type = \"text\", default = \"a\" }", ", x TEXT DEFAULT 'a'", &[]);
    one("x = { type = \"text\", default = \"a\" }", ", x TEXT DEFAULT 'b'", &[&x("differs")]);
    one("x = { type = \"text\", unique = true }", ", x TEXT UNIQUE", &[]);
    one("x = { type = \"text\", unique = true }", ", x TEXT", &[&missing]);
    one("x = { type = \"text\", max_length = 3 }", ", x TEXT", &[]);
    let check_of = ", x TEXT CONSTRAINT \"x\" CHECK (length(\"x\") <= 3)";
    one("x = { type = \"text\", max_length = 3 }", check_of, &[]);
    one("x = { type = \"text\", max_length = 4 }", check_of, &[&x("wrong")]);
    one("x = { type = \"text\", max_length = 2 }", check_of, &[&x("differs")]);
    one("x = \"text\"", check_of, &[&x("wrong")]);
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
    check("", id, &[&table(", x INTEGER NOT NULL")], &["tables.t.columns wrong"]);
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
    index("{ columns = [\"a\"] }", "CREATE UNIQUE INDEX i ON t (a)", &["tables.t.columns.a wrong"]);

    let on_write = "id = \"bigint\"\nat = { type = \"timestamp\", generated = \"on_write\" }";
    let table = "CREATE TABLE t (id INTEGER PRIMARY KEY, at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now'))) STRICT";
    check("", on_write, &[table], &["tables.t.columns.at missing"]);
    let trigger = "CREATE TRIGGER t_at_on_write AFTER UPDATE ON t BEGIN SELECT 1; END";
    check("", on_write, &[table, trigger], &["tables.t.columns.at differs"]);
    check("", "id = \"bigint\"", &["CREATE VIEW t AS SELECT 1 AS id"], &[]);
    check("", "id = \"bigint\"", &["CREATE TABLE other (id)"], &["tables.t table", "tables not in file"]);
}

/// A rule of the database that is narrower than the file's is a fault; one that is as narrow or wider is none.
#[test]
fn rules_that_are_narrower() {
    let wrong = &["tables.t.columns.x wrong"][..];
    let note = &["tables.t.columns.x differs"][..];
    let one = |column: &str, rest: &str, expected: &[&str]| {
        let table = format!("CREATE TABLE t (id INTEGER PRIMARY KEY, {rest}) STRICT");
        check("", &format!("id = \"bigint\"\nx = {column}"), &[&table], expected);
    };
    let choices = |names: &str| format!("{{ type = \"text\", enum = [{names}] }}");
    let ours = |condition: &str| format!("x TEXT CONSTRAINT \"x\" CHECK ({condition})");
    // A list of values.
    let two = ours("\"x\" IN ('a', 'b')");
    one(&choices("\"a\", \"b\""), &two, &[]);
    one(&choices("\"a\", \"b\", \"c\""), &two, wrong);
    one(&choices("\"a\""), &two, note);
    one("\"text\"", &two, wrong);
    one(&choices("\"a\", \"c\""), "x TEXT CHECK (x = 'a' OR x='b')", wrong);
    one(&choices("\"a\", \"b\""), "x TEXT CHECK (x in ('b', 'a', 'c'))", &[]);
    one(&choices("\"A\""), "x TEXT COLLATE NOCASE CHECK (x IN ('a'))", &[]);
    // Bounds.
    let most = |most: &str| format!("{{ type = \"bigint\", maximum = {most} }}");
    one(&most("200"), "x INTEGER CHECK (x <= 150)", wrong);
    one(&most("150"), "x INTEGER CHECK (x <= 150)", &[]);
    one(&most("149"), "x INTEGER, CHECK (150 >= X)", &[]);
    one("\"bigint\"", "x INTEGER CONSTRAINT \"x\" CHECK (\"x\" BETWEEN -32768 AND 32767)", wrong);
    one("{ type = \"integer\", minimum = 0, maximum = 9 }", "x INTEGER CHECK (x BETWEEN 1 AND 5)", wrong);
    one("\"bigint\"", "x INTEGER CHECK (x <= 150)", wrong);
    one("{ type = \"double\", minimum = 0 }", "x REAL CHECK (x > 0)", wrong);
    one("{ type = \"numeric\", maximum = 10 }", "x TEXT CHECK (CAST(x AS REAL) <= 9.5)", wrong);
    // Lengths.
    let long = |most: &str| format!("{{ type = \"text\", max_length = {most} }}");
    one(&long("9"), "x TEXT CHECK (length(x) <= 8)", wrong);
    one(&long("8"), "x TEXT CHECK (length(x) <= 8)", &[]);
    one(
        "{ type = \"text\", min_length = 1, max_length = 8 }",
        "x TEXT CHECK (length(x) BETWEEN 2 AND 8)",
        wrong,
    );
    one("{ type = \"text\", format = \"email\", max_length = 99 }", "x TEXT CHECK (x LIKE '%@%')", &[]);
    one(&long("9"), "x TEXT CHECK (x <> '')", wrong);
    // What no rule of the file could say is no fault.
    one(&long("9"), "x TEXT CHECK (x = upper(x))", note);
    one("\"bigint\"", "x INTEGER CHECK (x % 3 = 2)", note);
    one(&long("9"), "x TEXT CHECK (x LIKE 'http%')", note);
    one(&long("9"), "x TEXT CHECK (substr(x, 1, 4) = 'http')", note);
    one(&long("9"), "x TEXT CHECK (x <> 'bad')", note);
    one(&long("9"), "x TEXT CHECK (trim(x) = x)", note);
    one(&long("9"), "x TEXT CHECK (rtrim(x) = x)", note);
    one(&long("99"), "x TEXT CHECK (x = lower(x))", note);
    one(&long("10"), "x TEXT CHECK (length(CAST(x AS BLOB)) <= 10)", note);
    one(&long("10"), "x TEXT CHECK (length(CAST(x AS BLOB)) <= 20)", &[]);
    one(&long("9"), "x TEXT CHECK (length(x) % 2 = 0)", note);
    one("\"bigint\"", "x INTEGER CHECK (x <> 42)", note);
    one("\"bigint\"", "x INTEGER CHECK (x % 2 = 0)", note);
    one("\"date\"", "x TEXT CHECK (x >= '2000-01-01')", note);
    one("\"timestamp\"", "x TEXT CHECK (x < '2100')", note);
    one("\"json\"", "x TEXT CHECK (json_type(x) = 'object')", note);
    one("\"bytes\"", "x BLOB CHECK (length(x) = 16)", note);
    one("\"uuid\"", "x TEXT CHECK (x > '1')", note);
    one("\"numeric\"", "x TEXT CHECK (length(x) <= 10)", note);
    // What it could say is one, however narrow.
    one("\"text\"", "x TEXT CHECK (length(x) = 2)", wrong);
    one("\"text\"", "x TEXT CHECK (length(x) BETWEEN 3 AND 5)", wrong);
    one("\"text\"", "x TEXT CHECK (length(x) = 777)", wrong);
    one("\"text\"", "x TEXT CHECK (length(x) < 100)", wrong);
    one("\"text\"", "x TEXT CHECK (x IN ('it''s', 'b'))", wrong);
    one("\"text\"", "x TEXT CHECK (x IN ('', 'b'))", wrong);
    one("\"bigint\"", "x INTEGER CHECK (x IN (1, 5, 700))", wrong);
    one("\"bigint\"", "x INTEGER CHECK (x BETWEEN 701 AND 703)", wrong);
    one("\"bigint\"", "x INTEGER CHECK (x = -77)", wrong);
    one("\"boolean\"", "x INTEGER CHECK (x = 1)", wrong);
    // Of several columns: not told.
    one(&most("9"), "x INTEGER, y INTEGER, CHECK (x < y)", &["tables.t not in file"]);
    // NULL.
    one("\"bigint\"", "x INTEGER NOT NULL", wrong);
    one("\"bigint\"", "x INTEGER CHECK (x IS NOT NULL)", wrong);
    one("{ type = \"bigint\", read_only = true, default = 1 }", "x INTEGER NOT NULL DEFAULT 1", note);
    one("{ type = \"bigint\", read_only = true }", "x INTEGER NOT NULL", wrong);
    // Rows that agree.
    one("\"bigint\"", "x INTEGER UNIQUE", wrong);
    one("{ type = \"bigint\", unique = true }", "x INTEGER UNIQUE", &[]);
    one("{ type = \"uuid\", generated = \"uuid\" }", "x TEXT NOT NULL DEFAULT '' UNIQUE", note);
    let indexed = |keys: &str, index: &str, expected: &[&str]| {
        let table = "CREATE TABLE t (id INTEGER PRIMARY KEY, x INTEGER, y INTEGER) STRICT";
        let index = format!("CREATE UNIQUE INDEX i ON t {index}");
        check(keys, "id = \"bigint\"\nx = \"bigint\"\ny = \"bigint\"", &[table, &index], expected);
    };
    let pair = &["tables.t.indexes wrong"][..];
    indexed("", "(x, y)", pair);
    indexed("indexes = [{ columns = [\"y\", \"x\"], unique = true }]", "(y, x)", &[]);
    indexed("indexes = [{ columns = [\"x\"], unique = true }]", "(x)", &[]);
    indexed("", "(x) WHERE y > 1", pair);
    indexed("indexes = [{ columns = [\"x\"], unique = true, where = \"y > 1\" }]", "(x) WHERE y  > 1", &[]);
    indexed("", "(x, id)", &[]);
    indexed("", "(abs(x))", &[]);
}

/// What is said to make a table anew does so, and keeps its rows, numbers, indexes, triggers and views.
#[test]
fn a_table_is_made_anew_as_the_remedy_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |most: &str| {
        format!(
            "[tables.p.columns]\nid = \"bigint\"\n[tables.t.columns]\nid = {{ type = \"bigint\", generated = \"identity\" }}\n\
             x = {{ type = \"text\", max_length = {most}, required = true }}\n\
             up = {{ type = \"bigint\", references = \"t.id\" }}\n\
             at = {{ type = \"timestamp\", generated = \"on_write\" }}\n"
        )
    };
    let plan = plan_of(folder.path(), &file("1"));
    let made: Vec<_> = super::schema(&plan).into_iter().flat_map(|table| table.statements).collect();
    let mut statements: Vec<_> = made.iter().map(String::as_str).collect();
    statements.extend([
        "CREATE INDEX own ON t (x) WHERE x > 'a  b' -- few\n",
        "CREATE TRIGGER own_too AFTER DELETE ON t BEGIN SELECT 1; END",
        "CREATE VIEW v AS SELECT x FROM t",
        "CREATE TABLE child (t INTEGER REFERENCES t (id) ON DELETE CASCADE)",
        "INSERT INTO t (x) VALUES ('a'), ('b')",
        "INSERT INTO t (x, up) VALUES ('c', 1)",
        "INSERT INTO child VALUES (1)",
        "DELETE FROM t WHERE id = 3",
    ]);
    let before = schema_of(folder.path(), &statements);
    let plan = plan_of(folder.path(), &file("2"));
    let found = differences(&plan, &before);
    let wrong = found.iter().find_map(|difference| match &difference.means {
        Means::Wrong { remedy } => Some(remedy.clone()),
        _ => None,
    });
    let remedy = wrong.expect("the CHECK is narrower");
    let (_, script) = remedy.split_once("then `ringmill migrate`: ").expect(&remedy);
    let connection = rusqlite::Connection::open(folder.path().join("test.db")).expect("a database");
    connection.execute_batch(script).unwrap_or_else(|error| panic!("{error}: {script}"));
    connection.execute_batch("PRAGMA foreign_keys = ON; PRAGMA legacy_alter_table = OFF").expect("settings");
    let after = Schema::read(&folder.path().join("test.db")).expect("a database").expect("a file");
    let not_wrong = differences(&plan, &after)
        .into_iter()
        .find(|one| !matches!(one.means, Means::NotInFile | Means::Unseen));
    assert_eq!(not_wrong, None);
    let table = |schema: &Schema, name: &str| {
        let mut table = schema.table(name).expect("a table").clone();
        for index in &mut table.indexes {
            index.sql = index.sql.as_deref().map(one_line);
            index.condition = index.condition.as_deref().map(one_line);
        }
        table
    };
    let (old, new) = (table(&before, "t"), table(&after, "t"));
    assert_eq!((old.indexes, old.triggers, old.foreign_keys), (new.indexes, new.triggers, new.foreign_keys));
    assert_eq!(table(&before, "child"), table(&after, "child"));
    let one = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, String>(0)).expect(sql);
    assert_eq!(one("SELECT group_concat(id || x) FROM t"), "1a,2b");
    assert_eq!(one("SELECT group_concat(x) FROM v"), "a,b");
    assert_eq!(one("INSERT INTO t (x) VALUES ('dd') RETURNING id || x"), "4dd", "no number comes back");
    assert!(connection.execute_batch("INSERT INTO t (x) VALUES ('eee')").is_err());
    connection.execute_batch("DELETE FROM t WHERE id = 1").expect("a cascade");
    assert_eq!(one("SELECT count(*) || '' FROM child"), "0");
}

/// What the new table would lack is named, and the rows that it would refuse are found.
#[test]
fn what_a_table_made_anew_would_lose_or_refuse_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = "[tables.t.columns]\nid = \"bigint\"\nx = { type = \"text\", required = true, unique = true }\n\
                n = { type = \"integer\", maximum = 9 }\nu = \"bigint\"\n";
    let plan = plan_of(folder.path(), file);
    let statements = [
        "CREATE TABLE u (id INTEGER PRIMARY KEY)",
        "CREATE TABLE w (k UNIQUE)",
        "INSERT INTO u VALUES (1), (2), (3), (4), (5), (6)",
        "INSERT INTO w VALUES (1), (2), (3), ('few'), (10), (6)",
        "CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT COLLATE NOCASE DEFAULT 'd', n INTEGER, \
         u INTEGER NOT NULL REFERENCES u ON DELETE CASCADE, UNIQUE (n, -- and\n u), CHECK (n <> 9 OR x = 'a' -- or\n), \
         FOREIGN KEY (n) REFERENCES w (k))",
        "CREATE TABLE t_anew (a)",
        "INSERT INTO t VALUES (1, 'a', 1, 1), (2, NULL, 2, 2), (3, 'a', 3, 3), (4, 'b', 'few', 4), (5, 'c', 10, 5), (6, 'd', 6, 6)",
    ];
    let found = differences(&plan, &schema_of(folder.path(), &statements));
    let anew = found.iter().find_map(|difference| match &difference.means {
        Means::Wrong { remedy } => remedy.split_once("make the table anew, "),
        _ => None,
    });
    let (_, told) = anew.expect("NOT NULL is narrower");
    let lost = "which drops what the file does not declare (DEFAULT 'd' of x; COLLATE NOCASE of x; NOT NULL of u; \
                UNIQUE (n, u); CHECK (n <> 9 OR x = 'a'); FOREIGN KEY (n) REFERENCES w (k); FOREIGN KEY (u) REFERENCES u (id)), \
                once no row is found by ";
    let rest = told.strip_prefix(lost).unwrap_or_else(|| panic!("{told}"));
    let (query, script) =
        rest.split_once(", while nobody writes, with sqlite3 -bail, then `ringmill migrate`: ").expect(rest);
    let connection = rusqlite::Connection::open(folder.path().join("test.db")).expect("a database");
    let rows = format!("SELECT group_concat(id) FROM ({query})");
    let rows = connection.query_row(&rows, [], |row| row.get::<_, String>(0));
    assert_eq!(rows.as_deref(), Ok("1,2,3,4,5"), "{query}");
    assert!(connection.execute_batch(script).is_err(), "rows contradict it");
    connection.execute_batch("ROLLBACK; DELETE FROM t WHERE id < 6").expect("rows");
    connection.execute_batch(script).unwrap_or_else(|error| panic!("{error}: {script}"));
    connection.execute_batch("INSERT INTO t_anew VALUES (1)").expect("another's table is left alone");
}

/// What is said where SQLite adds no column can be run, and then only notes are left.
#[test]
fn columns_are_added_as_the_remedy_says() {
    let rules = [
        "{ type = \"text\", required = true }",
        "{ type = \"text\", required = true, min_length = 2, unique = true }",
        "{ type = \"text\", required = true, format = \"email\" }",
        "{ type = \"integer\", required = true, minimum = 5 }",
        "{ type = \"numeric\", required = true, maximum = -1 }",
        "{ type = \"json\", required = true }",
        "{ type = \"bytes\", required = true }",
        "{ type = \"text\", required = true, enum = [\"it's\"] }",
        "{ type = \"bigint\", required = true, references = \"p.id\" }",
        "{ type = \"bigint\", references = \"p.id\", default = 7 }",
        "{ type = \"timestamp\", generated = \"on_create\" }",
        "{ type = \"timestamp\", generated = \"on_write\" }",
        "{ type = \"uuid\", generated = \"uuid\", unique = true }",
    ];
    for rule in rules {
        let folder = tempfile::tempdir().expect("a folder");
        let file =
            format!("[tables.p.columns]\nid = \"bigint\"\n[tables.t.columns]\nid = \"bigint\"\nx = {rule}\n");
        let plan = plan_of(folder.path(), &file);
        let statements = [
            "CREATE TABLE p (id INTEGER NOT NULL, PRIMARY KEY (id)) STRICT",
            "CREATE TABLE t (id INTEGER NOT NULL, PRIMARY KEY (id)) STRICT",
            "INSERT INTO p VALUES (7)",
            "INSERT INTO t VALUES (11), (12)",
        ];
        let found = differences(&plan, &schema_of(folder.path(), &statements));
        let [super::Difference { means: Means::CannotAdd { remedy }, .. }] = found.as_slice() else {
            panic!("{rule}: {found:#?}")
        };
        let at = remedy.find("ALTER TABLE").expect(remedy);
        let script = &remedy[at..];
        schema_of(folder.path(), &[script]);
        let connection = rusqlite::Connection::open(folder.path().join("test.db")).expect("a database");
        let empty = "SELECT count(*) FROM t WHERE x IS NULL";
        assert_eq!(connection.query_row(empty, [], |row| row.get::<_, i64>(0)), Ok(0), "{script}");
        let live = Schema::read(&folder.path().join("test.db")).expect("a database").expect("a file");
        let left = differences(&plan, &live);
        let steps = steps(&plan, &left);
        assert!(
            left.iter().all(|one| matches!(one.means, Means::Differs | Means::Missing { .. })),
            "{rule}: {left:#?}"
        );
        for step in steps {
            connection.execute_batch(&step.sql).unwrap_or_else(|error| panic!("{rule}: {error}"));
        }
    }
}

/// An UPDATE by hand is no write of today.
#[test]
fn a_column_that_is_added_by_hand_leaves_times_as_they_are() {
    let folder = tempfile::tempdir().expect("a folder");
    let table =
        "[tables.t.columns]\nid = \"bigint\"\nat = { type = \"timestamp\", generated = \"on_write\" }\n";
    let plan = plan_of(folder.path(), table);
    let made: Vec<String> = schema(&plan).into_iter().flat_map(|table| table.statements).collect();
    let mut statements: Vec<&str> = made.iter().map(String::as_str).collect();
    let old = "2020-01-01T00:00:00.000000Z";
    let insert = format!("INSERT INTO t VALUES (1, '{old}')");
    statements.push(&insert);
    let plan = plan_of(folder.path(), &format!("{table}x = {{ type = \"text\", required = true }}\n"));
    let found = differences(&plan, &schema_of(folder.path(), &statements));
    let [super::Difference { means: Means::CannotAdd { remedy }, .. }] = found.as_slice() else {
        panic!("{found:#?}")
    };
    let at = remedy.find("DROP TRIGGER").expect(remedy);
    let live = schema_of(folder.path(), &[&remedy[at..]]);
    for step in steps(&plan, &differences(&plan, &live)) {
        schema_of(folder.path(), &[&step.sql]);
    }
    let connection = rusqlite::Connection::open(folder.path().join("test.db")).expect("a database");
    let row = connection.query_row("SELECT at, x FROM t", [], |row| Ok((row.get(0)?, row.get(1)?)));
    assert_eq!(row, Ok((old.to_owned(), String::new())));
    let triggers = "SELECT count(*) FROM sqlite_schema WHERE type = 'trigger'";
    assert_eq!(connection.query_row(triggers, [], |row| row.get(0)), Ok(1), "and it is there again");
}

/// Other programs may bring along a SQLite that calls NULL no valid JSON.
#[test]
fn json_that_may_be_left_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let plan = plan_of(folder.path(), "[tables.t.columns]\nid = \"bigint\"\nx = \"json\"\n");
    let made: Vec<String> = schema(&plan).into_iter().flat_map(|table| table.statements).collect();
    assert!(made[0].contains("json_valid(coalesce(\"x\", 'null'))"), "{made:?}");
}
