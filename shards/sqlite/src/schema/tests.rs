use super::{Compiled, Compiler, Write, WriteKind, compile, run_script, tables};
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
        },
    );
    let cascade = compiler.compile("DELETE FROM users WHERE id = ?1").unwrap();
    assert_eq!(cascade.writes, [write("posts", WriteKind::Delete), write("users", WriteKind::Delete)]);
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
    check("COMMIT", "not allowed in a job");
    check("PRAGMA journal_mode = DELETE", "not allowed in a job");
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
    assert_eq!(tables(&path), Ok(owned(&["audit", "posts", "users"])));
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
