//! `ringmill check`: what it prints, every fault with its place, and that it changes nothing. What it refuses, `serve` refuses in
//! the same words.

use crate::server::{Ended, command, folder, run};
use ringmill_sqlite::run_script;
use std::path::Path;
use tempfile::TempDir;

/// Where `ringmill.toml` has its database if it does not say otherwise.
pub(crate) const DATABASE: &str = "data/ringmill.db";

/// A folder with this file, and the database that these statements make.
pub(crate) fn folder_with(file: &str, statements: &[&str]) -> TempDir {
    let folder = folder(&[("ringmill.toml", file)]);
    if !statements.is_empty() {
        script(folder.path(), statements);
    }
    folder
}

/// Runs statements on the folder's database, as another program would.
pub(crate) fn script(folder: &Path, statements: &[&str]) {
    std::fs::create_dir_all(folder.join("data")).expect("a folder");
    let statements: Vec<_> = statements.iter().map(|statement| (*statement).to_owned()).collect();
    run_script(&folder.join(DATABASE), &statements).expect("statements of a test");
}

/// Every file below a folder with its bytes.
pub(crate) fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path.clone());
            }
            let bytes = if path.is_dir() { Vec::new() } else { std::fs::read(&path).expect("a file") };
            found.push((path.display().to_string(), bytes));
        }
    }
    found.sort();
    found
}

fn lines(text: &str) -> Vec<&str> {
    text.lines().collect()
}

/// Checks the faults of a file, one a line, and that `serve` has the same.
#[track_caller]
pub(crate) fn check_faults(file: &str, statements: &[&str], expected: &[&str]) {
    let folder = folder_with(file, statements);
    let before = contents(folder.path());
    let last = match expected {
        [one] => format!("ringmill: {one}"),
        [.., last] => format!("ringmill: {} faults in the configuration; the last: {last}", expected.len()),
        [] => String::new(),
    };
    let mut wanted: Vec<&str> = if expected.len() == 1 { Vec::new() } else { expected.to_vec() };
    wanted.push(&last);
    let serve = ["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--cores", "1"];
    for arguments in [&["check"][..], &serve] {
        let Ended { code, stderr, .. } = run(folder.path(), arguments);
        let told: Vec<_> = lines(&stderr).into_iter().filter(|line| !line.starts_with('{')).collect();
        assert_eq!((code, told), (Some(1), wanted.clone()), "{arguments:?} of\n{file}");
        assert!(contents(folder.path()) == before, "{arguments:?} changed something");
    }
}

/// Checks the notes of a file that has no fault.
#[track_caller]
pub(crate) fn check_notes(file: &str, statements: &[&str], expected: &[&str]) {
    let folder = folder_with(file, statements);
    let before = contents(folder.path());
    let ended = run(folder.path(), &["check"]);
    let notes: Vec<_> =
        lines(&ended.stdout).into_iter().filter_map(|line| line.strip_prefix("note: ")).collect();
    assert_eq!((ended.code, ended.stderr.as_str(), notes), (Some(0), "", expected.to_vec()), "{file}");
    assert!(contents(folder.path()) == before, "something was changed");
}

pub(crate) const THINGS: &str = r#"[tables.things]
list = "/things"
item = "/things/{id}"
[tables.things.columns]
id = { type = "bigint", generated = "identity" }
name = { type = "text", required = true, max_length = 9 }
"#;
/// As `serve` makes it.
pub(crate) const THINGS_TABLE: &str = "CREATE TABLE things (id INTEGER PRIMARY KEY AUTOINCREMENT, \
    name TEXT NOT NULL CONSTRAINT \"name\" CHECK (length(\"name\") <= 9)) STRICT";

#[test]
fn endpoints_that_are_no_reading_or_writing_of_rows() {
    let endpoint =
        |sql: &str| format!("{THINGS}[endpoints.a]\npath = \"/a\"\nmethods = [\"POST\"]\nsql = \"{sql}\"\n");
    for (verb, sql) in [
        ("CREATE", "CREATE TABLE x (v)"),
        ("DROP", "-- gone\\nDROP TABLE things"),
        ("ALTER", "alter table things add column v"),
        ("ANALYZE", "ANALYZE"),
        ("REINDEX", "/* all */ REINDEX"),
        ("VACUUM", "VACUUM"),
        ("EXPLAIN", "EXPLAIN SELECT 1"),
        ("EXPLAIN", "EXPLAIN QUERY PLAN DELETE FROM things"),
        ("PRAGMA", "PRAGMA table_info(things)"),
        ("ATTACH", "ATTACH 'x' AS y"),
        ("BEGIN", "BEGIN"),
    ] {
        let fault = format!(
            "ringmill.toml:10: endpoints.a.sql: {verb} neither reads nor writes rows, which is all that an endpoint may do; \
             write SELECT, INSERT, UPDATE, DELETE or REPLACE; the schema is changed by `ringmill migrate`"
        );
        check_faults(&endpoint(sql), &[], &[&fault]);
    }
    for name in ["pragma_database_list", "pragma_table_info('things')", "PRAGMA_compile_options"] {
        let shown = name.split('(').next().unwrap_or(name);
        let fault = format!(
            "ringmill.toml:10: endpoints.a.sql: {shown} is a setting of the database, not a table: an endpoint may only read and \
             write rows; read tables and views"
        );
        check_faults(&endpoint(&format!("SELECT * FROM {name}")), &[], &[&fault]);
    }
    for (name, sql) in [
        ("sqlite_master", "SELECT sql FROM sqlite_schema"),
        ("SQLITE_MASTER", "SELECT id FROM things WHERE EXISTS (SELECT 1 FROM SQLITE_MASTER)"),
        ("dbstat", "SELECT name FROM dbstat"),
        ("sqlite_sequence", "UPDATE sqlite_sequence SET seq = 0"),
        ("sqlite_sequence", "DELETE FROM sqlite_sequence"),
    ] {
        let fault = format!(
            "ringmill.toml:10: endpoints.a.sql: {name} is SQLite's own: an endpoint may only read and write rows of tables; name \
             tables and views that were declared or created"
        );
        check_faults(&endpoint(sql), &[THINGS_TABLE], &[&fault]);
    }
    let fault = "ringmill.toml:10: endpoints.a.sql: not authorized to use function: load_extension (POST /a); mend the statement, \
        or declare the table or column it needs";
    check_faults(&endpoint("SELECT load_extension('x')"), &[], &[fault]);
    check_notes(&endpoint("SELECT seq FROM sqlite_sequence"), &[THINGS_TABLE], &[]);
    check_notes(&endpoint("INSERT INTO things (name) VALUES ('x')"), &[THINGS_TABLE], &[]);
    let table = "CREATE TABLE pragma_table (v TEXT)";
    check_notes(&endpoint("SELECT v FROM pragma_table"), &[table], &[]);
}

#[test]
fn a_get_that_writes() {
    let fault = |at: &str| {
        format!(
            "ringmill.toml:{at}: the statement writes, and GET (with HEAD, which comes with it) must not; write methods = \
             [\"POST\"], or others of PUT, PATCH, DELETE"
        )
    };
    let endpoint =
        |more: &str, sql: &str| format!("{THINGS}[endpoints.a]\npath = \"/a\"\n{more}sql = \"{sql}\"\n");
    let delete = "DELETE FROM things";
    check_faults(&endpoint("", delete), &[], &[&fault("9: endpoints.a.sql")]);
    let with = "WITH old AS (SELECT 1 AS id) DELETE FROM things WHERE id IN (SELECT id FROM old)";
    check_faults(&endpoint("", with), &[], &[&fault("9: endpoints.a.sql")]);
    check_faults(&endpoint("methods = [\"POST\", \"get\"]\n", delete), &[], &[&fault("10: endpoints.a.sql")]);
    check_notes(&endpoint("methods = [\"POST\"]\n", delete), &[], &[]);
    check_notes(&endpoint("methods = [\"POST\", \"GET\"]\n", "SELECT id FROM things"), &[], &[]);
}

#[test]
fn everything_is_printed() {
    let file = r#"[rate_limits.slow]
algorithm = "token_bucket"
rate = "10/min"
burst = 5
by = ["ip"]
[tables.things]
list = "/things"
rate_limit = { create = "slow" }
cache = { ttl = "1m" }
[tables.things.columns]
id = "bigint"
[endpoints.n]
path = "/n"
methods = ["GET", "POST"]
sql = """
  SELECT count(*) AS n
  FROM things
"""
timeout = "2s"
"#;
    let folder = folder_with(file, &[]);
    let ended = run(folder.path(), &["check"]);
    let database = folder.path().join(DATABASE);
    let expected = format!(
        r#"ringmill.toml on sqlite, {}, which is not there yet
makes the table things at start
rate_limit has no effect in this version: tables.things

GET, HEAD /things
  sql     SELECT "id" FROM "things" ORDER BY "id" LIMIT ?1 OFFSET ?2
  sql     SELECT count(*) FROM "things"
  reads   things
  cache   ttl 1m, stale_while_revalidate 30s, stale_if_error 10m, negative_ttl 5s, browser_ttl 0s, cdn_ttl 0s

POST /things
  sql     INSERT INTO "things" ("id") VALUES (?1) RETURNING "id"
  reads   things
  writes  things
  limit   slow: 10/min, token bucket, burst 5, by ip

GET, HEAD /n
  sql     SELECT count(*) AS n FROM things
  reads   things
  timeout 2s

POST /n
  sql     SELECT count(*) AS n FROM things
  reads   things
  timeout 2s
no fault in ringmill.toml: 2 routes, 5 statements
"#,
        database.display()
    );
    assert_eq!((ended.code, ended.stdout.as_str(), ended.stderr.as_str()), (Some(0), expected.as_str(), ""));
    assert_eq!(contents(folder.path()).len(), 1, "nothing was made");
}

#[test]
fn secrets_are_not_printed() {
    let file = r#"[rate_limits.hidden]
algorithm = "fixed_window"
rate = "${RATE}"
[rate_limits.shown]
algorithm = "fixed_window"
rate = "7/s"
tiers = [{ caller = "${CALLER}", rate = "9/s" }]
[tables.things]
list = "/things"
rate_limit = ["hidden", "shown"]
cache = { ttl = "${TTL}" }
access = { list = "public" }
replies = { list = ["@rows", "${REPLY}"] }
[tables.things.columns]
id = "bigint"
[endpoints.n]
path = "/n"
sql = "SELECT id FROM things"
timeout = "${TIMEOUT}"
cache = { ttl = "3m" }
"#;
    let folder = folder_with(file, &[]);
    let mut command = command(folder.path(), &["check"]);
    let secrets = [
        ("RATE", "4321/s"),
        ("CALLER", "hunter2"),
        ("TTL", "4321s"),
        ("REPLY", "hunter2"),
        ("TIMEOUT", "4321ms"),
    ];
    let output = command.envs(secrets).output().expect("the binary starts");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && output.stderr.is_empty(), "{said}");
    assert!(!said.contains("4321") && !said.contains("hunter2"), "{said}");
    let terms: Vec<_> = lines(&said).into_iter().filter(|line| line.starts_with("  ")).collect();
    assert_eq!(
        terms[3..],
        [
            "  limit   hidden: ***",
            "  limit   shown: 7/s, fixed window, by header:x-api-key, ip, 1 tier",
            "  cache   ***",
            "  sql     SELECT id FROM things",
            "  reads   things",
            "  cache   ttl 3m, stale_while_revalidate 30s, stale_if_error 10m, negative_ttl 5s, browser_ttl 0s, cdn_ttl 0s",
            "  timeout ***",
        ]
    );
}

#[test]
fn the_built_in_api_has_no_fault() {
    let folder = folder(&[]);
    let ended = run(folder.path(), &["check", "--data", "elsewhere"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{}", ended.stdout);
    let last = ended.stdout.lines().last().unwrap_or_default();
    assert!(last.starts_with("no fault in the built-in API: 6 routes, 13 statements"), "{last}");
    assert!(ended.stdout.contains("/elsewhere/ringmill.db"), "{}", ended.stdout);
    assert!(contents(folder.path()).is_empty(), "nothing was made");
}

#[test]
fn faults_of_the_file_alone_are_told() {
    let folder = folder(&[("ringmill.toml", "[server]\nlistne = 1\n[http]\nmax_head = \"x\"\n")]);
    let ended = run(folder.path(), &["check"]);
    let faults = [
        "ringmill.toml:2: server.listne: is no key; did you mean `listen`?",
        "ringmill.toml:4: http.max_head: \"x\" is no size; write a number with a unit: 64KiB, 1MiB, 1GiB",
    ];
    let last = format!("ringmill: 2 faults in the configuration; the last: {}", faults[1]);
    assert_eq!((ended.code, lines(&ended.stderr)), (Some(1), vec![faults[0], faults[1], &last]));
}

#[test]
fn faults_of_the_file_and_of_statements_are_told_at_once() {
    let mend = "mend the statement, or declare the table or column it needs";
    let endpoints = "[endpoints.a]\npath = \"/a\"\nsql = \"SELECT nmae FROM things\"\n\
        [endpoints.b]\npath = \"/b\"\nshape = \"rwo\"\nsql = \"SELECT x FROM nowhere\"\n\
        [endpoints.c]\npath = \"/c\"\nsql = \"SELECT y FROM things\"\n[http]\nmax_head = \"x\"\n";
    let of_a = format!("ringmill.toml:9: endpoints.a.sql: no such column: nmae (GET /a); {mend}");
    let of_b = "ringmill.toml:12: endpoints.b.shape: \"rwo\" is none of the values; did you mean \"row\"?";
    let of_c = format!("ringmill.toml:16: endpoints.c.sql: no such column: y (GET /c); {mend}");
    let of_http =
        "ringmill.toml:18: http.max_head: \"x\" is no size; write a number with a unit: 64KiB, 1MiB, 1GiB";
    check_faults(&format!("{THINGS}{endpoints}"), &[], &[&of_a, of_b, &of_c, of_http]);
    // Statements over tables that are in doubt are not looked at.
    let misspelt = THINGS.replacen("type = \"text\"", "type = \"txet\"", 1);
    check_faults(
        &format!("{misspelt}{endpoints}"),
        &[],
        &[
            "ringmill.toml:6: tables.things.columns.name.type: \"txet\" is none of the values; did you mean \"text\"?",
            of_b,
            of_http,
        ],
    );
}

#[test]
fn statements_that_the_database_refuses() {
    let mend = "mend the statement, or declare the table or column it needs";
    check_faults(
        "[endpoints.a]\npath = \"/a\"\nsql = \"SELECT x FROM nowhere\"\n\
         [endpoints.b]\npath = \"/b\"\nsql = \"\"\"\nSELEC 1\n\"\"\"\n",
        &[],
        &[
            &format!("ringmill.toml:3: endpoints.a.sql: no such table: nowhere (GET /a); {mend}"),
            &format!("ringmill.toml:6: endpoints.b.sql: near \"SELEC\": syntax error (GET /b); {mend}"),
        ],
    );
    check_faults(
        &format!("{THINGS}[endpoints.a]\npath = \"/a\"\nsql = \"SELECT nmae FROM things\"\n"),
        &[THINGS_TABLE],
        &[&format!("ringmill.toml:9: endpoints.a.sql: no such column: nmae (GET /a); {mend}")],
    );
}

#[test]
fn what_does_not_fit_an_endpoint_s_statement() {
    let endpoint = |rest: &str| format!("{THINGS}[endpoints.a]\npath = \"/a/{{id}}\"\n{rest}\n");
    let select = "sql = \"SELECT id, name FROM things WHERE id = $id\"\n";
    check_faults(
        &endpoint(&format!("{select}shape = \"value\"")),
        &[],
        &[
            "ringmill.toml:10: endpoints.a.shape: a value is one column; the statement returns 2: id, name; return one column, or take shape = \"row\"",
        ],
    );
    check_faults(
        &endpoint(&format!(
            "{select}shape = \"row\"\nreply = {{ a = \"@row.nmae\", b = [\"@row.id\",\n\"@row.x\"] }}\ncolumns = {{ n = \"text\" }}\norder = [\"y.desc\"]"
        )),
        &[],
        &[
            "ringmill.toml:11: endpoints.a.reply.a: \"@row.nmae\" names no column that the statement returns; it returns id, name",
            "ringmill.toml:12: endpoints.a.reply.b: \"@row.x\" names no column that the statement returns; it returns id, name",
            "ringmill.toml:13: endpoints.a.columns.n: names no column that the statement returns; it returns id, name",
            "ringmill.toml:14: endpoints.a.order: y is no column that the statement returns; it returns id, name",
        ],
    );
    check_faults(
        &endpoint(
            "methods = [\"DELETE\"]\nsql = \"DELETE FROM things WHERE id = $id\"\nshape = \"row\"\nreply = { id = \"@row.id\" }",
        ),
        &[],
        &[
            "ringmill.toml:12: endpoints.a.reply.id: \"@row.id\" names no column that the statement returns; it returns nothing: add RETURNING",
        ],
    );
    check_faults(
        &endpoint("sql = \"SELECT id, name AS id FROM things WHERE id = $id\""),
        &[],
        &[
            "ringmill.toml:9: endpoints.a.sql: the result has two columns id; name one of them otherwise, with AS",
        ],
    );
    check_faults(
        &endpoint("sql = \"DELETE FROM things WHERE id = $id\"\ncache = true"),
        &[],
        &[
            "ringmill.toml:9: endpoints.a.sql: the statement writes, and GET (with HEAD, which comes with it) must not; write methods = [\"POST\"], or others of PUT, PATCH, DELETE",
            "ringmill.toml:10: endpoints.a.cache: what writes is never cached; remove cache, or write a statement that reads only",
        ],
    );
    let reply =
        "params = { shown = { type = \"text\" } }\nreply = { shown = \"@params.shown\", rows = \"@rows\" }";
    check_notes(&endpoint(&format!("{select}{reply}")), &[], &[]);
    check_notes(
        &endpoint("sql = \"SELECT name FROM things\"\nparams = { limit = { type = \"integer\" } }"),
        &[],
        &[
            "ringmill.toml:8: endpoints.a.path: the statement does not use $id of the path; use it, or take a path without it",
            "ringmill.toml:10: endpoints.a.params.limit: $limit is declared, but the statement does not use it; use it, or remove it",
        ],
    );
}

const FAMILY: &str = r#"[tables.parents.columns]
id = { type = "bigint", generated = "identity" }
[tables.children]
indexes = [["parent"]]
[tables.children.columns]
id = { type = "bigint", generated = "identity" }
parent = { type = "bigint", references = "parents.id", on_delete = "cascade" }
[tables.toys]
indexes = [["child"]]
[tables.toys.columns]
id = { type = "bigint", generated = "identity" }
child = { type = "bigint", references = "children.id", on_delete = "set_null" }
"#;

#[test]
fn reads_and_writes_that_are_written_out() {
    let both = "sql = \"SELECT c.id FROM children c JOIN parents p ON p.id = c.parent WHERE p.id = $id\"";
    let endpoint = |rest: &str| format!("{FAMILY}[endpoints.a]\npath = \"/a/{{id}}\"\n{rest}\n");
    check_faults(
        &endpoint(&format!("{both}\nreads = [\"parents/{{id}}\"]")),
        &[],
        &[
            "ringmill.toml:16: endpoints.a.reads: the statement reads children too, with its triggers and cascades; add \"children\", or leave reads out: it is asked of the database",
        ],
    );
    check_notes(
        &endpoint(&format!("{both}\nreads = [\"parents/{{id}}\", \"children\", \"toys\"]")),
        &[],
        &["ringmill.toml:16: endpoints.a.reads: the statement never reads toys; remove \"toys\""],
    );
    let delete = "methods = [\"DELETE\"]\nsql = \"DELETE FROM parents WHERE id = $id\"";
    check_faults(
        &endpoint(&format!("{delete}\nwrites = [\"parents/{{id}}\", \"toys\"]")),
        &[],
        &[
            "ringmill.toml:17: endpoints.a.writes: the statement writes children too, with its triggers and cascades; add \"children\", or leave writes out: it is asked of the database",
        ],
    );
}

#[test]
fn what_is_read_and_written_is_asked_of_the_database() {
    let file = format!(
        "{FAMILY}[endpoints.delete]\npath = \"/a/{{id}}\"\nmethods = [\"DELETE\"]\nsql = \"DELETE FROM parents WHERE id = $id\"\n\
         [endpoints.view]\npath = \"/b\"\nsql = \"SELECT n FROM counted\"\n\
         [endpoints.finer]\npath = \"/c/{{id}}\"\nsql = \"SELECT id FROM toys WHERE id = $id\"\nreads = [\"toys/{{id}}\"]\n"
    );
    let statements = [
        "CREATE TABLE audit (what TEXT)",
        "CREATE TABLE toys (id INTEGER PRIMARY KEY AUTOINCREMENT, child INTEGER REFERENCES children (id) ON DELETE SET NULL)",
        "CREATE INDEX toys_child ON toys (child)",
        "CREATE VIEW counted AS SELECT count(*) AS n FROM toys, audit",
        "CREATE TRIGGER noted AFTER UPDATE ON toys BEGIN INSERT INTO audit VALUES ('toys'); END",
    ];
    let folder = folder_with(&file, &statements);
    let ended = run(folder.path(), &["check"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    let shown: Vec<_> = lines(&ended.stdout)
        .into_iter()
        .filter(|line| line.starts_with("  reads") || line.starts_with("  writes"))
        .collect();
    assert_eq!(
        shown,
        [
            "  reads   parents, children, toys",
            "  writes  parents, children, toys, audit",
            "  reads   toys, audit",
            "  reads   toys/{id}"
        ]
    );
}

/// To open one would wait until somebody writes to it.
#[test]
fn a_database_that_is_a_pipe_is_not_opened() {
    let folder = folder(&[("ringmill.toml", &format!("[database]\nurl = \"sqlite:pipe\"\n{THINGS}"))]);
    std::fs::create_dir(folder.path().join("data")).expect("a folder");
    let pipe = folder.path().join("data/pipe");
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).expect("a pipe");
    let fault = format!(
        "ringmill: ringmill.toml:2: database.url: {} is not a regular file; name a file, not a folder, device, pipe or socket",
        pipe.display()
    );
    let seed = ["seed", "--table", "things", "--rows", "1"];
    let serve = ["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--cores", "1"];
    for arguments in [&["check"][..], &["migrate"], &["migrate", "--dry-run"], &seed, &serve] {
        let ended = run(folder.path(), arguments);
        assert_eq!((ended.code, ended.last_line()), (Some(1), fault.as_str()), "{arguments:?}");
    }
}

#[test]
fn conditions_of_indexes_are_compiled() {
    let file = THINGS.replacen(
        "[tables.things]\n",
        "[tables.things]\nindexes = [[\"name\"],\n  { columns = [\"name\"], where = \"nmae = 1\" }]\n",
        1,
    );
    let fault = "ringmill.toml:3: tables.things.indexes.where: no such column: nmae; mend it; the statement is: CREATE INDEX \"things_name_idx2\" ON \"things\" (\"name\") WHERE nmae = 1";
    check_faults(&file, &[], &[fault]);
    let statements = [THINGS_TABLE, "CREATE INDEX things_name_idx ON things (name)"];
    let folder = folder_with(&file, &statements);
    let ended = run(folder.path(), &["migrate"]);
    assert_eq!((ended.code, ended.last_line()), (Some(1), format!("ringmill: {fault}").as_str()));
}

#[test]
fn indexes_that_statements_would_be_faster_with() {
    let file = r#"[tables.users.columns]
id = { type = "bigint", generated = "identity" }
name = "text"
[tables.posts]
list = "/posts"
order = ["made.desc"]
[tables.posts.columns]
id = { type = "bigint", generated = "identity" }
user_id = { type = "bigint", references = "users.id" }
made = "timestamp"
[endpoints.named]
path = "/named/{name}"
sql = "SELECT id FROM users WHERE name = $name"
[endpoints.all]
path = "/all"
sql = "SELECT p.id, u.name FROM posts p JOIN users u ON u.id = p.user_id ORDER BY p.id"
[endpoints.made]
path = "/made"
sql = "SELECT u.id, p.id AS post FROM users u JOIN posts p ON p.made = u.name"
"#;
    check_notes(
        file,
        &[],
        &[
            "ringmill.toml:6: tables.posts.order: a missing index: all rows are read and sorted for each run; CREATE INDEX \"posts_made_idx\" ON \"posts\" (\"made\"): add [\"made\"] to indexes of tables.posts, then run `ringmill migrate`",
            "ringmill.toml:9: tables.posts.columns.user_id: a missing index: a delete of a row that it refers to scans this table; CREATE INDEX \"posts_user_id_idx\" ON \"posts\" (\"user_id\"): add [\"user_id\"] to indexes of tables.posts, then run `ringmill migrate`",
            "ringmill.toml:13: endpoints.named.sql: a missing index: all rows are read for each run; CREATE INDEX \"users_name_idx\" ON \"users\" (\"name\"): add [\"name\"] to indexes of tables.users, then run `ringmill migrate`",
            "ringmill.toml:19: endpoints.made.sql: a missing index: SQLite makes one for each run; CREATE INDEX \"users_name_idx\" ON \"users\" (\"name\"): add [\"name\"] to indexes of tables.users, then run `ringmill migrate`",
        ],
    );
    // With them there is nothing to say.
    let with = file.replacen("order =", "indexes = [[\"made\"], [\"user_id\"]]\norder =", 1).replacen(
        "[tables.users.columns]",
        "[tables.users]\nindexes = [[\"name\"]]\n[tables.users.columns]",
        1,
    );
    check_notes(&with, &[], &[]);
}

#[test]
fn a_file_that_is_no_database_is_named() {
    let folder = folder(&[("ringmill.toml", THINGS)]);
    std::fs::create_dir(folder.path().join("data")).expect("a folder");
    std::fs::write(
        folder.path().join(DATABASE),
        "no database at all, but long enough to have a header".repeat(9),
    )
    .expect("a file");
    for command in ["check", "migrate"] {
        let ended = run(folder.path(), &[command]);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""));
        let last = ended.last_line();
        assert!(
            last.contains("data/ringmill.db: ") && last.contains("the file is no SQLite database"),
            "{last}"
        );
    }
}
