//! What is read off an endpoint's SQL.

use super::super::sql_text::{ResultColumn, Verb, numbered, result_columns, verb};
use super::{Served, builtin_plan, schema_of};
use crate::config::plan::Type;
use proptest::prelude::*;
use ringmill_sqlite::Compiler;

#[test]
fn parameters_become_numbers() {
    let names = ["a", "b", "ab"];
    let check = |sql: &str, expected: &str, used: &[usize]| {
        assert_eq!(numbered(sql, &names), (expected.to_owned(), used.to_vec()), "{sql}");
    };
    check("SELECT 1", "SELECT 1", &[]);
    check("SELECT $b, $a, $b", "SELECT ?1, ?2, ?1", &[1, 0]);
    check("SELECT $ab+$a", "SELECT ?1+?2", &[2, 0]);
    check("SELECT '$a', \"$a\", `$a`, [$a], $a", "SELECT '$a', \"$a\", `$a`, [$a], ?1", &[0]);
    check(
        "SELECT 'it''s $a', $a -- $b\n, $b /* $ab */",
        "SELECT 'it''s $a', ?1 -- $b\n, ?2 /* $ab */",
        &[0, 1],
    );
    check("SELECT x$a, $a", "SELECT x$a, ?1", &[0]);
    check("SELECT $none, 'é', $a", "SELECT $none, 'é', ?1", &[0]);
}

#[test]
fn verbs() {
    for (sql, expected) in [
        ("SELECT 1", Verb::Read),
        (" -- x\n/* y */ select 1", Verb::Read),
        ("VALUES (1)", Verb::Read),
        ("INSERT INTO t SELECT 1", Verb::Write),
        ("WITH a AS (SELECT 1) SELECT replace(x, 'a', 'b') FROM a", Verb::Read),
        ("WITH a AS (SELECT 1) DELETE FROM t", Verb::Delete),
        ("WITH a(x) AS (SELECT 1) UPDATE t SET x = 1", Verb::Write),
        ("DELETE FROM t", Verb::Delete),
        ("REPLACE INTO t VALUES (1)", Verb::Write),
        ("", Verb::Write),
    ] {
        assert_eq!(verb(sql), expected, "{sql}");
    }
}

/// Names and types as read, and the names as SQLite has them.
#[test]
fn columns() {
    let plan = builtin_plan();
    let script: Vec<_> = schema_of(&plan).into_iter().flat_map(|table| table.statements).collect();
    let compiler = Compiler::in_memory(&script).expect("a schema");
    let check = |sql: &str, expected: &[(&str, Option<Type>)]| {
        let columns = result_columns(sql, &plan.tables).unwrap_or_else(|| panic!("{sql}"));
        let expected: Vec<_> = expected
            .iter()
            .map(|(name, kind)| ResultColumn { name: (*name).to_owned(), kind: *kind })
            .collect();
        assert_eq!(columns, expected, "{sql}");
        let names: Vec<_> = columns.into_iter().map(|column| column.name).collect();
        assert_eq!(
            compiler.compile(sql).unwrap_or_else(|error| panic!("{sql}: {error}")).columns,
            names,
            "{sql}"
        );
    };
    let (big, text, time) = (Some(Type::BigInt), Some(Type::Text), Some(Type::Timestamp));
    let users = [
        ("id", big),
        ("name", text),
        ("email", text),
        ("age", Some(Type::Integer)),
        ("status", text),
        ("created_at", time),
        ("updated_at", time),
    ];
    check(
        "SELECT p.id, p.title, u.name AS author FROM posts p JOIN users u ON u.id = p.user_id ORDER BY p.id LIMIT 100",
        &[("id", big), ("title", text), ("author", text)],
    );
    check("INSERT INTO users (name, email) VALUES (?1, ?2) RETURNING id", &[("id", big)]);
    check("SELECT count(*) FROM users", &[("count(*)", None)]);
    check("SELECT count(*) n, max(id) AS m FROM users", &[("n", None), ("m", None)]);
    check("SELECT DISTINCT ID, \"users\".\"name\" FROM users", &[("id", big), ("name", text)]);
    check("SELECT * FROM users", &users);
    check("SELECT u.*, 1 AS one FROM posts AS p, users AS u", &[&users[..], &[("one", None)]].concat());
    check("SELECT id FROM (SELECT 1 AS id)", &[("id", None)]);
    check(
        "SELECT title AS \"the title\", user_id 'u''s', created_at [t] FROM posts, users",
        &[("the title", text), ("u's", big), ("t", time)],
    );
    check(
        "SELECT CASE WHEN age > 1 THEN 'a' ELSE 'b' END, age IS NULL, NOT age, -age, age COLLATE nocase FROM users",
        &[
            ("CASE WHEN age > 1 THEN 'a' ELSE 'b' END", None),
            ("age IS NULL", None),
            ("NOT age", None),
            ("-age", None),
            ("age COLLATE nocase", None),
        ],
    );
    check(
        "SELECT age BETWEEN 1 AND 2 b, CASE age WHEN 1 THEN 2 END c, 'x' y, 1 z, (SELECT id FROM posts) w FROM users",
        &[("b", None), ("c", None), ("y", None), ("z", None), ("w", None)],
    );
    check("WITH users AS (SELECT 1 AS id) SELECT id FROM users", &[("id", None)]);
    check(
        "WITH x AS (SELECT id FROM users) SELECT u.id, x.id AS x FROM users u LEFT JOIN x ON x.id = u.id",
        &[("id", big), ("x", None)],
    );
    check(
        "UPDATE users SET name = 'a' WHERE id = 1 RETURNING name, updated_at AS at",
        &[("name", text), ("at", time)],
    );
    check("UPDATE OR IGNORE users AS u SET name = 'a' RETURNING *", &users);
    check("DELETE FROM posts RETURNING title", &[("title", text)]);
    check(
        "INSERT INTO users (name, email) SELECT title, 'a@b' FROM posts WHERE true \
         ON CONFLICT (email) DO UPDATE SET name = excluded.name RETURNING id, created_at",
        &[("id", big), ("created_at", time)],
    );
    check(
        "UPDATE users SET name = p.title FROM posts AS p WHERE p.user_id = users.id RETURNING id",
        &[("id", big)],
    );
    check("DELETE FROM posts", &[]);
    check("SELECT main.users.id FROM main.users", &[("id", big)]);
    check("SELECT json_object('a', id, 'b', name) AS j FROM users;", &[("j", None)]);
    check("SELECT id FROM users UNION ALL SELECT id FROM posts", &[("id", big)]);
    check(
        "SELECT id, row_number() OVER (ORDER BY id) AS n FROM users WHERE age IN (SELECT 1 FROM posts)",
        &[("id", big), ("n", None)],
    );
    assert_eq!(result_columns("SELECT * FROM (SELECT 1 AS id)", &plan.tables), None);
    assert_eq!(result_columns("SELECT * FROM unknown", &plan.tables), None);
    assert_eq!(result_columns("", &plan.tables), None);
    // Quotes that nothing closes.
    for sql in ["SELECT [é", "SELECT \"é", "SELECT \"", "SELECT 1 AS '", "SELECT 1 AS 'é", "SELECT * FROM `é"]
    {
        let _ = result_columns(sql, &plan.tables);
    }
}

#[test]
fn the_database_knows_better() {
    let mut plan = builtin_plan();
    if let crate::config::plan::EndpointKind::Sql(endpoint) = &mut plan.endpoints[0].kind {
        endpoint.sql = "SELECT * FROM (SELECT 7 AS id, 1 AS flag)".to_owned();
        endpoint.columns = vec![("flag".to_owned(), Type::Boolean)];
    }
    let served = Served::new(&plan);
    let answer = served.get("/api/posts");
    assert_eq!(answer.status, 500);
    assert!(answer.cause.is_some_and(|cause| cause.contains("AS")));
    let names = |sql: &str| sql.contains("flag").then(|| vec!["id".to_owned(), "flag".to_owned()]);
    let served = Served { api: super::Api::with_columns(&plan, &names), ..served };
    served.check(ringmill_http1::Method::Get, "/api/posts", "", 200, r#"[{"id":7,"flag":true}]"#);
}

#[test]
fn a_quoted_name_that_is_not_closed_may_end_with_any_letter() {
    for sql in ["SELECT `é", "SELECT \"é", "SELECT [é"] {
        let columns = result_columns(sql, &[]).expect("a column");
        assert_eq!(columns[0].name, "é", "{sql}");
    }
}

proptest! {
    #[test]
    fn no_text_panics(sql in "(SELECT|WITH|FROM|AS|[-a$'\"`/*\\[\\]().,;é ]){0,20}") {
        let _ = (numbered(&sql, &["a"]), verb(&sql), result_columns(&sql, &builtin_plan().tables));
    }
}
