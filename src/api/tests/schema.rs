//! The tables as SQLite gets them.

use super::{Served, builtin_plan, plan_of, schema_of};
use ringmill_http1::Method::Post;
use ringmill_sqlite::{Class, Compiler, Error, Job, Statement, Value};

#[test]
fn the_built_in_file() {
    let schema = schema_of(&builtin_plan());
    let now = "strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')";
    let users = [
        format!(
            r#"CREATE TABLE IF NOT EXISTS "users" (
  "id" INTEGER PRIMARY KEY AUTOINCREMENT,
  "name" TEXT NOT NULL CONSTRAINT "name" CHECK (length("name") >= 1 AND length("name") <= 100),
  "email" TEXT NOT NULL UNIQUE CONSTRAINT "email" CHECK (length("email") <= 255),
  "age" INTEGER CONSTRAINT "age" CHECK ("age" BETWEEN -2147483648 AND 2147483647 AND "age" >= 0 AND "age" <= 150),
  "status" TEXT DEFAULT 'active' CONSTRAINT "status" CHECK ("status" IN ('active', 'blocked')),
  "created_at" TEXT NOT NULL DEFAULT ({now}) CONSTRAINT "created_at" CHECK ("created_at" GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-5][0-9]:[0-5][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z' AND substr("created_at", 12, 2) < '24' AND date(substr("created_at", 1, 10)) IS substr("created_at", 1, 10) AND substr("created_at", 1, 10) >= '0001'),
  "updated_at" TEXT NOT NULL DEFAULT ({now}) CONSTRAINT "updated_at" CHECK ("updated_at" GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-5][0-9]:[0-5][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]Z' AND substr("updated_at", 12, 2) < '24' AND date(substr("updated_at", 1, 10)) IS substr("updated_at", 1, 10) AND substr("updated_at", 1, 10) >= '0001')
) STRICT"#
        ),
        r#"CREATE INDEX IF NOT EXISTS "users_created_at_idx" ON "users" ("created_at")"#.to_owned(),
        r#"CREATE INDEX IF NOT EXISTS "users_status_created_at_idx" ON "users" ("status", "created_at") WHERE status = 'active'"#.to_owned(),
        format!(
            r#"CREATE TRIGGER IF NOT EXISTS "users_updated_at_on_write" AFTER UPDATE ON "users" FOR EACH ROW WHEN NEW."updated_at" IS OLD."updated_at" AND NEW."updated_at" IS NOT {now} BEGIN UPDATE "users" SET "updated_at" = {now} WHERE "id" = NEW."id"; END"#
        ),
    ];
    assert_eq!(schema[0].name, "users");
    assert_eq!(schema[0].statements, users);
    assert_eq!(schema[1].name, "posts");
    assert_eq!(
        schema[1].statements,
        [r#"CREATE TABLE IF NOT EXISTS "posts" (
  "id" INTEGER PRIMARY KEY AUTOINCREMENT,
  "user_id" INTEGER NOT NULL REFERENCES "users" ("id") ON DELETE CASCADE,
  "title" TEXT NOT NULL CONSTRAINT "title" CHECK (length("title") <= 200)
) STRICT"#]
    );
}

const FILE: &str = r#"
    [tables.children]
    [tables.children.columns]
    id = { type = "bigint", generated = "identity" }
    parent = { type = "text", references = "parents.code" }
    [tables.parents]
    key = ["place", "number"]
    indexes = [{ columns = ["flag"], unique = true }, { columns = ["flag"], where = "flag = 1" }]
    [tables.parents.columns]
    number = { type = "bigint", default = 1 }
    place = "smallint"
    code = { type = "text", unique = true, default = "it's", enum = ["it's", "x"] }
    flag = { type = "boolean", default = true }
    ratio = { type = "double", default = 1, minimum = 0.5 }
    price = { type = "numeric", default = 1.50, maximum = 10 }
    data = { type = "bytes", default = "AP8=" }
    extra = { type = "json", default = { a = [1] } }
    day = { type = "date", default = "2026-11-24" }
    made = { type = "timestamp", default = "2026-11-24T02:00:00+02:00" }
    [tables.parents.columns.other]
    type = "bigint"
    references = "children.id"
"#;

#[test]
fn defaults_and_checks_hold_for_all_who_write() {
    let served = Served::of(FILE);
    let run = |sql: &str| {
        let statement = Statement { sql: sql.into(), parameters: Vec::new() };
        served.run(Job::new(Class::Write, vec![statement]))
    };
    let rows = run("INSERT INTO parents (place) VALUES (7) RETURNING *").expect("all else has a default");
    let text = |text: &str| Value::Text(text.to_owned());
    assert_eq!(
        rows[0].cells,
        [
            Value::Integer(1),
            Value::Integer(7),
            text("it's"),
            Value::Integer(1),
            Value::Real(1.0),
            text("1.50"),
            Value::Blob(vec![0, 255]),
            text(r#"{"a":[1]}"#),
            text("2026-11-24"),
            text("2026-11-24T00:00:00.000000Z"),
            Value::Null,
        ]
    );
    let check = |set: &str, column: &str| {
        let expected = Error::Constraint { detail: format!("CHECK constraint failed: {column}") };
        assert_eq!(run(&format!("UPDATE parents SET {set}")), Err(expected), "{set}");
    };
    check("place = 32768", "place");
    check("code = 'y'", "code");
    check("flag = 2", "flag");
    check("ratio = 0.4", "ratio");
    check("price = '10.1'", "price");
    check("extra = '{'", "extra");
    assert!(matches!(run("UPDATE parents SET place = 'x'"), Err(Error::Constraint { .. })));
    assert!(matches!(run("UPDATE parents SET place = NULL"), Err(Error::NotNull { .. })));
    assert!(run("UPDATE parents SET code = NULL, price = '9'").is_ok());
}

#[test]
fn parents_come_first_and_cycles_come_too() {
    let names =
        |toml: &str| schema_of(&plan_of(toml)).into_iter().map(|table| table.name).collect::<Vec<_>>();
    let column = |table: &str, to: &str| {
        format!(
            "[tables.{table}.columns]\nid = {{ type = \"bigint\", generated = \"identity\" }}\n\
             up = {{ type = \"bigint\", references = \"{to}.id\" }}\n"
        )
    };
    assert_eq!(names(&[column("a", "b"), column("b", "c"), column("c", "c")].concat()), ["c", "b", "a"]);
    let cycle = [column("a", "b"), column("b", "a"), column("c", "a")].concat();
    assert_eq!(names(&cycle), ["a", "b", "c"]);
    Served::of(&cycle);
}

#[test]
fn making_it_twice_changes_nothing() {
    let script: Vec<_> = schema_of(&plan_of(FILE)).into_iter().flat_map(|table| table.statements).collect();
    assert_eq!(script.len(), 4, "{script:#?}");
    assert!(Compiler::in_memory(&[script.clone(), script].concat()).is_ok());
}

/// What equals a bound is within it: the schema rounds bounds as it rounds values.
#[test]
fn bounds_hold_for_the_schema_as_for_the_api() {
    let served = Served::of(
        r#"
        [tables.t]
        list = "/t"
        [tables.t.columns]
        id = { type = "bigint", generated = "identity" }
        single = { type = "real", minimum = 0.1, maximum = 0.3 }
        least = { type = "real", minimum = 16777217, maximum = 1e300 }
        double = { type = "double", minimum = 9007199254740993, maximum = 9007199254740995 }
        exact = { type = "numeric", minimum = 9007199254740993, maximum = 9007199254740995 }
        "#,
    );
    for field in [
        "\"single\":0.1",
        "\"single\":0.3",
        "\"least\":16777217",
        "\"double\":9007199254740993",
        "\"double\":9007199254740995",
        "\"exact\":9007199254740993",
        "\"exact\":9007199254740995",
    ] {
        let answer = served.send(Post, "/t", &format!("{{{field}}}"));
        assert_eq!(answer.status, 201, "{field}: {answer:?}");
    }
    let refused = served.send(Post, "/t", r#"{"exact":9007199254740992.9}"#);
    assert_eq!(refused.status, 400);
}

/// A name that is taken gets a number: an index that is taken for another would never be made.
#[test]
fn names_of_indexes_and_triggers_are_told_apart() {
    let served = Served::of(
        r#"
        [tables.a]
        list = "/a"
        indexes = [{ columns = ["b_c"], unique = true }]
        [tables.a.columns]
        id = { type = "bigint", generated = "identity" }
        b_c = "bigint"
        b_t = { type = "timestamp", generated = "on_write" }
        [tables.a_b]
        list = "/ab"
        indexes = [{ columns = ["C"], unique = true }]
        [tables.a_b.columns]
        id = { type = "bigint", generated = "identity" }
        C = "bigint"
        t = { type = "timestamp", generated = "on_write", hidden = true }
        [tables.third]
        table = "a_b_C_idx"
        [tables.third.columns]
        id = { type = "bigint", generated = "identity" }
        "#,
    );
    served.check(Post, "/ab", r#"{"C":1}"#, 201, r#"{"id":1,"C":1}"#);
    let taken = r#"{"error":"Failed to create a b","errors":{"C":["is already taken"]}}"#;
    served.check(Post, "/ab", r#"{"C":1}"#, 409, taken);
    let count = "SELECT count(*) FROM sqlite_schema WHERE type IN ('trigger', 'index') AND sql IS NOT NULL";
    let statement = Statement { sql: count.into(), parameters: Vec::new() };
    let rows = served.run(Job::new(Class::Read, vec![statement])).expect("a count");
    assert_eq!(rows[0].cells, [Value::Integer(4)]);
}
