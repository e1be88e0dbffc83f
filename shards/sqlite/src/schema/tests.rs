use super::{
    ChangeError, Compiled, Compiler, Found, Inspector, LiveColumn, Schema, TableKind, Write, WriteKind,
    change_schema, compile, run_script, run_script_telling, tables,
};
use crate::Error;

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

const SCHEMA: &[&str] = &[
    "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT)",
    "CREATE TABLE posts (id INTEGER PRIMARY KEY, user_id INTEGER REFERENCES users (id) ON DELETE CASCADE, title TEXT)",
    "CREATE TABLE audit (what TEXT)",
    "CREATE VIEW titles AS SELECT title FROM posts",
    "CREATE TRIGGER note AFTER UPDATE ON posts BEGIN INSERT INTO audit VALUES ('posts'); END",
];

#[test]
fn statements_are_checked_against_the_schema() {
    let compiler = Compiler::in_memory(&owned(SCHEMA)).unwrap();
    let check = |sql: &str, expected: Compiled| assert_eq!(compiler.compile(sql), Ok(expected), "{sql}");
    let write = |table: &str, kind| Write { table: table.into(), kind };
    check(
        "SELECT id, email AS mail FROM users WHERE id = :id",
        Compiled {
            columns: owned(&["id", "mail"]),
            readonly: true,
            parameters: owned(&[":id"]),
            reads: owned(&["users"]),
            writes: vec![],
            sets: vec![],
            targets: vec![],
        },
    );
    check(
        "SELECT count(*) FROM titles, users WHERE title < ? OR ?3",
        Compiled {
            columns: owned(&["count(*)"]),
            readonly: true,
            parameters: owned(&["", "", "?3"]),
            reads: owned(&["posts", "titles", "users"]),
            writes: vec![],
            sets: vec![],
            targets: vec![],
        },
    );
    check(
        "UPDATE posts SET title = ?1 WHERE id = ?2",
        Compiled {
            columns: vec![],
            readonly: false,
            parameters: owned(&["?1", "?2"]),
            reads: owned(&["posts"]),
            writes: vec![write("audit", WriteKind::Insert), write("posts", WriteKind::Update)],
            sets: vec![("posts".into(), "title".into())],
            targets: owned(&["posts"]),
        },
    );
    // What WITH names is no table.
    check(
        "WITH n AS (SELECT 1 AS i), m AS (SELECT title FROM posts) SELECT (SELECT count(*) FROM n), count(*) FROM m, audit",
        Compiled {
            columns: owned(&["(SELECT count(*) FROM n)", "count(*)"]),
            readonly: true,
            parameters: vec![],
            reads: owned(&["audit", "posts"]),
            writes: vec![],
            sets: vec![],
            targets: vec![],
        },
    );
    let counted =
        compiler.compile("WITH n AS (SELECT 1 AS i) SELECT count(*) FROM n, json_each('[1]')").unwrap();
    assert_eq!(counted.reads, ["json_each"]);
    let cascade = compiler.compile("DELETE FROM users WHERE id = ?1").unwrap();
    assert_eq!(cascade.writes, [write("posts", WriteKind::Delete), write("users", WriteKind::Delete)]);
    // Only what the statement itself sets: neither what it makes, nor what its triggers do.
    let sets = |sql: &str| compiler.compile(sql).unwrap().sets;
    assert_eq!(sets("INSERT INTO posts (title) VALUES ('a')"), []);
    let upsert = "INSERT INTO posts (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET title = 'b', user_id = 1";
    let pair = |column: &str| ("posts".to_owned(), column.to_owned());
    assert_eq!(sets(upsert), [pair("title"), pair("user_id")]);
    let nested =
        [SCHEMA, &["CREATE TRIGGER on_user AFTER UPDATE ON users BEGIN UPDATE posts SET title = 'c'; END"]]
            .concat();
    let compiled =
        Compiler::in_memory(&owned(&nested)).unwrap().compile("UPDATE users SET email = 'd'").unwrap();
    assert!(compiled.writes.contains(&write("posts", WriteKind::Update)));
    assert_eq!(compiled.sets, [("users".to_owned(), "email".to_owned())]);
}

#[test]
fn what_is_wrong_is_said_in_sqlites_words() {
    let compiler = Compiler::in_memory(&owned(SCHEMA)).unwrap();
    let check = |sql: &str, words: &str| {
        let error = compiler.compile(sql).unwrap_err();
        assert!(error.contains(words), "{sql}: {error}");
    };
    check("SELECT absent FROM users", "no such column: absent");
    check("SELEC 1", "syntax error");
    check("", "no statement");
    check("SELECT 1; DELETE FROM users", "more than one statement");
    check("COMMIT", "more than read or write rows");
    check("SELECT load_extension('x')", "not authorized to use function: load_extension");
    check("SELECT FTS3_Tokenizer('x')", "not authorized to use function: FTS3_Tokenizer");
    check("PRAGMA journal_mode = DELETE", "more than read or write rows");
}

#[test]
fn a_script_is_done_in_whole_or_not_at_all() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("test.db");
    assert_eq!(tables(&path), Ok(vec![]));
    assert!(!path.exists(), "looking makes no file");
    let error = run_script(&path, &owned(&["CREATE TABLE a (id)", "CREATE TABEL b (id)"])).unwrap_err();
    assert!(matches!(error, Error::Statement { .. }), "{error:?}");
    assert_eq!(tables(&path), Ok(vec![]));
    run_script(&path, &owned(SCHEMA)).unwrap();
    assert_eq!(tables(&path), Ok(owned(&["audit", "posts", "titles", "users"])));
    assert_eq!(compile(&path, "SELECT 1 AS one").unwrap().columns, ["one"]);
}

#[test]
fn many_may_start_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("test.db");
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let sql = [
                    "CREATE TABLE IF NOT EXISTS counted (n INTEGER)",
                    "INSERT INTO counted SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM counted)",
                    "UPDATE counted SET n = n + 1",
                ];
                run_script(&path, &owned(&sql)).unwrap();
            });
        }
    });
    let n: i64 = rusqlite::Connection::open(&path)
        .and_then(|connection| connection.query_row("SELECT n FROM counted", [], |row| row.get(0)))
        .unwrap();
    assert_eq!(n, 8);
}

#[test]
fn a_schema_is_read_as_it_stands() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("test.db");
    assert_eq!(Schema::read(&path), Ok(None));
    assert!(!path.exists(), "looking makes no file");
    let sql = [
        "CREATE TABLE a (x INTEGER PRIMARY KEY, y TEXT NOT NULL COLLATE NoCase DEFAULT ('q'), z INTEGER AS (x + 1), UNIQUE (y, x)) STRICT",
        "CREATE TABLE \"B b\" (a INT REFERENCES a ON DELETE CASCADE, c INT, d, FOREIGN KEY (c, d) REFERENCES a (y, x))",
        "CREATE INDEX i ON \"B b\" (abs(c), d, \"where\") WHERE c > 1 AND \"where\" = 'where x'",
        "CREATE VIEW v AS SELECT 1 AS one",
        "CREATE VIEW w AS SELECT x FROM gone",
        "CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; END",
        "INSERT INTO a (y) VALUES ('r')",
    ];
    let mut sql = owned(&sql);
    sql[1] = sql[1].replace("d,", "d, \"where\",");
    run_script(&path, &sql).unwrap();
    let schema = Schema::read(&path).unwrap().unwrap();
    let names: Vec<_> = schema.tables.iter().map(|table| (table.name.as_str(), table.kind)).collect();
    let expected =
        [("B b", TableKind::Table), ("a", TableKind::Table), ("v", TableKind::View), ("w", TableKind::View)];
    assert_eq!(names, expected);
    let a = schema.table("A").unwrap();
    assert!(a.strict && a.has_rows);
    let column =
        |name: &str, declared_type: &str, not_null, default: Option<&str>, key_position, computed| {
            LiveColumn {
                name: name.into(),
                declared_type: declared_type.into(),
                not_null,
                default: default.map(str::to_owned),
                key_position,
                collation: if name == "y" { "NoCase" } else { "BINARY" }.into(),
                computed,
            }
        };
    assert_eq!(
        a.columns,
        [
            column("x", "INTEGER", false, None, 1, false),
            column("y", "TEXT", true, Some("'q'"), 0, false),
            column("z", "INTEGER", false, None, 0, true)
        ]
    );
    assert_eq!(a.indexes[0].columns, [Some("y".to_owned()), Some("x".to_owned())]);
    assert!(a.indexes[0].unique && a.indexes[0].condition.is_none());
    assert_eq!(a.triggers[0].0, "t");
    let b = schema.table("b B").unwrap();
    assert!(!b.strict && !b.has_rows);
    assert_eq!(b.indexes[0].columns, [None, Some("d".to_owned()), Some("where".to_owned())]);
    assert_eq!(b.indexes[0].condition.as_deref(), Some("c > 1 AND \"where\" = 'where x'"));
    let mut keys = b.foreign_keys.clone();
    keys.sort_by_key(|key| key.columns.len());
    assert_eq!((keys[0].on_delete.as_str(), &keys[0].target_columns), ("CASCADE", &owned(&["x"])));
    assert_eq!((&keys[1].columns, &keys[1].target_columns), (&owned(&["c", "d"]), &owned(&["y", "x"])));
    // A copy has it all, and no rows.
    let copy = Compiler::copy_of(&schema).unwrap();
    assert_eq!(copy.compile("SELECT one, y FROM v, a, \"B b\"").unwrap().reads, owned(&["B b", "a", "v"]));
    copy.change("ALTER TABLE a ADD COLUMN w TEXT NOT NULL").unwrap();
    assert_eq!(copy.compile("SELECT w FROM a").unwrap().columns, ["w"]);
    assert!(copy.change("CREATE INDEX j ON a (nothing)").unwrap_err().contains("nothing"));
    assert_eq!(
        copy.query_plan("SELECT y FROM a ORDER BY y, x").unwrap(),
        ["SCAN a USING COVERING INDEX sqlite_autoindex_a_1"]
    );
}

/// A reference without columns means the primary key, in its own order.
#[test]
fn what_a_reference_without_columns_means() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("test.db");
    let sql = [
        "CREATE TABLE one (a UNIQUE, b PRIMARY KEY)",
        "CREATE TABLE two (a, b, c, PRIMARY KEY (c, a))",
        "CREATE TABLE none (a UNIQUE)",
        "CREATE TABLE t (x REFERENCES ONE, y REFERENCES none, z REFERENCES gone, FOREIGN KEY (x, y) REFERENCES two)",
    ];
    run_script(&path, &owned(&sql)).unwrap();
    let schema = Schema::read(&path).unwrap().unwrap();
    let of = |name: &str| {
        let keys = &schema.table("t").unwrap().foreign_keys;
        keys.iter().find(|key| key.table == name).unwrap().target_columns.clone()
    };
    assert_eq!((of("ONE"), of("two")), (owned(&["b"]), owned(&["c", "a"])));
    assert_eq!((of("none"), of("gone")), (owned(&[]), owned(&[])));
}

#[test]
fn a_question_that_is_refused_is_not_one_that_takes_long() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("test.db");
    run_script(&path, &owned(&["CREATE TABLE a (x)"])).unwrap();
    let inspector = Inspector::open(&path);
    assert_eq!(inspector.find("SELECT x FROM a"), Found::NoRow);
    let Found::Failed { detail } = inspector.find("SELECT y FROM a") else { panic!("there is no y") };
    assert!(detail.contains("no such column: y"), "{detail}");
    assert_eq!(Inspector::of_nothing().find("SELECT 1"), Found::NotKnown);
}

#[test]
fn a_schema_is_changed_in_whole_or_not_at_all() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("test.db");
    let change = |sql: &[&str]| {
        let sql = owned(sql);
        change_schema::<()>(&path, &mut |_| (), |_| Ok(sql))
    };
    change(&["CREATE TABLE a (x)", "INSERT INTO a VALUES (1), (1)"]).unwrap();
    let failed = change(&["CREATE TABLE b (x)", "CREATE UNIQUE INDEX i ON a (x)"]).unwrap_err();
    let statement = "CREATE UNIQUE INDEX i ON a (x)".to_owned();
    let detail = "UNIQUE constraint failed: a.x".to_owned();
    assert_eq!(failed, ChangeError::Statement { statement, detail });
    assert_eq!(change_schema(&path, &mut |_| (), |_| Err("no")), Err(ChangeError::Refused("no")));
    assert_eq!(tables(&path), Ok(owned(&["a"])));
    // Who comes second sees what the first one did.
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let changed = change_schema::<()>(&path, &mut |_| (), |schema| {
                    let missing = schema.table("c").is_none();
                    Ok(missing.then(|| "CREATE TABLE c (x)".to_owned()).into_iter().collect())
                });
                assert!(changed.unwrap().schema.table("c").is_some());
            });
        }
    });
}

#[test]
fn who_waits_for_another_process_is_told_so() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("test.db");
    run_script(&path, &owned(&["CREATE TABLE a (x)"])).unwrap();
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut told = Vec::new();
    // The other lets go once it is known that it is waited for.
    let waits = &mut |longest| {
        told.push(longest);
        other.execute_batch("ROLLBACK").unwrap();
    };
    run_script_telling(&path, &owned(&["CREATE TABLE b (x)"]), waits).unwrap();
    assert_eq!(told, [std::time::Duration::from_secs(29)]);
    run_script_telling(&path, &owned(&["CREATE TABLE c (x)"]), &mut |_| panic!("nobody is waited for"))
        .unwrap();
}

#[test]
fn a_double_quoted_word_is_a_string_in_a_schema_that_is_there_alone() {
    let table = "CREATE TABLE t (a TEXT CHECK (a <> \"x\"))";
    let index = "CREATE INDEX i ON t (a) WHERE \"b\" IS NULL";
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("test.db");
    rusqlite::Connection::open(&path).unwrap().execute_batch(&format!("{table}; {index}")).unwrap();
    let schema = Schema::read(&path).unwrap().unwrap();
    assert_eq!(schema.tables[0].indexes[0].condition.as_deref(), Some("\"b\" IS NULL"));
    run_script(&path, &owned(&["INSERT INTO t VALUES ('y')"])).unwrap();
    assert!(run_script(&path, &owned(&["INSERT INTO t VALUES ('x')"])).is_err());
    let other = "CREATE INDEX j ON t (a) WHERE \"c\" IS NULL";
    assert!(run_script(&path, &owned(&[other])).is_err());
    for compiler in
        [Compiler::copy_of(&schema).unwrap(), Compiler::in_memory(&owned(&[table, index])).unwrap()]
    {
        assert!(compiler.compile("INSERT INTO t VALUES ('y')").is_ok());
        assert!(compiler.change(other).unwrap_err().contains("\"c\""));
        compiler.repeat(other).unwrap();
        assert!(compiler.change(&other.replace(" j ", " k ")).is_err());
    }
}
