//! What a read depends on has to hold whatever changes its answer: every write is tried on every read, on schemas in which the
//! database does more than it is told.

use super::{Method, Served, begin, plan_of};
use crate::api::{Begin, Depth, verify};
use ringmill_cache::Seed;
use ringmill_sqlite::{Inspector, Schema, run_script};
use std::collections::BTreeSet;

/// A file, the statements that make its database, and which way its writes know their rows.
struct Case {
    name: &'static str,
    file: &'static str,
    schema: &'static [&'static str],
    rows: &'static [&'static str],
    writes: &'static [(Method, &'static str, &'static str)],
    reads: &'static [&'static str],
}

const CASES: &[Case] = &[
    Case {
        name: "as declared",
        file: r#"
[tables.a]
list = "/a"
item = "/a/{id}"
cache = true
[tables.a.columns]
id = { type = "bigint", generated = "identity" }
x = "text"
[tables.b]
list = "/b"
item = "/b/{id}"
cache = true
[tables.b.columns]
id = { type = "bigint", generated = "identity" }
a_id = { type = "bigint", references = "a.id", on_delete = "cascade" }
[endpoints.join]
path = "/join"
sql = "SELECT a.x, b.id FROM a JOIN b ON b.a_id = a.id ORDER BY b.id"
cache = true
[endpoints.one]
path = "/one/{id}"
params = { id = "a.id" }
sql = "SELECT x FROM a WHERE id = $id"
shape = "row"
reads = ["a/{id}"]
cache = true
[endpoints.set]
path = "/set/{id}"
methods = ["POST"]
params = { id = "a.id", x = "a.x" }
sql = "UPDATE a SET x = $x WHERE id = $id"
writes = ["a/{id}"]
[endpoints.all]
path = "/all"
methods = ["POST"]
sql = "UPDATE a SET x = 'all'"
[endpoints.some]
path = "/some"
methods = ["POST"]
sql = "UPDATE a SET x = 'some' WHERE id > 1 RETURNING id"
writes = ["a/{id}"]
[endpoints.last]
path = "/last"
sql = "SELECT seq FROM sqlite_sequence WHERE name = 'a'"
cache = true
[endpoints.insert]
path = "/insert"
methods = ["POST"]
params = { x = "a.x" }
sql = "INSERT INTO a (x) VALUES ($x) RETURNING id"
shape = "row"
writes = ["a/{id}"]
"#,
        schema: &[],
        rows: &["INSERT INTO a (x) VALUES ('1'), ('2'), ('3')", "INSERT INTO b (a_id) VALUES (1), (2)"],
        writes: &[
            (Method::Post, "/a", r#"{"x":"n"}"#),
            (Method::Put, "/a/1", r#"{"x":"p"}"#),
            (Method::Patch, "/a/2", r#"{"x":"q"}"#),
            (Method::Delete, "/a/1", ""),
            (Method::Delete, "/a/3", ""),
            (Method::Post, "/b", r#"{"a_id":3}"#),
            (Method::Delete, "/b/2", ""),
            (Method::Post, "/set/2", r#"{"x":"s"}"#),
            (Method::Post, "/all", "{}"),
            (Method::Post, "/some", "{}"),
            (Method::Post, "/insert", r#"{"x":"i"}"#),
        ],
        reads: &[
            "/a",
            "/a?per_page=1",
            "/a/1",
            "/a/2",
            "/a/3",
            "/a/4",
            "/b",
            "/b/1",
            "/b/2",
            "/b/3",
            "/join",
            "/last",
            "/one/1",
            "/one/2",
            "/one/4",
        ],
    },
    Case {
        name: "keys whose values have several spellings",
        file: r#"
[tables.a]
list = "/a"
item = "/a/{n}"
key = "n"
cache = true
[tables.a.columns]
n = { type = "numeric", required = true }
x = "text"
"#,
        schema: &[],
        rows: &["INSERT INTO a VALUES ('1.5', '1'), ('20', '2')"],
        writes: &[
            (Method::Put, "/a/1.50", r#"{"x":"p"}"#),
            (Method::Put, "/a/1.5", r#"{"x":"p"}"#),
            (Method::Delete, "/a/20", ""),
        ],
        reads: &["/a", "/a/1.5", "/a/1.50", "/a/20", "/a/20.0"],
    },
    Case {
        name: "triggers that write back",
        file: r#"
[tables.a]
list = "/a"
item = "/a/{id}"
cache = true
[tables.a.columns]
id = { type = "bigint", generated = "identity" }
x = "text"
[tables.b]
list = "/b"
item = "/b/{id}"
cache = true
[tables.b.columns]
id = { type = "bigint", generated = "identity" }
x = "text"
[endpoints.audit]
path = "/audit"
sql = "SELECT what FROM audit"
cache = true
"#,
        schema: &[
            "CREATE TABLE a (id INTEGER PRIMARY KEY AUTOINCREMENT, x TEXT) STRICT",
            "CREATE TABLE b (id INTEGER PRIMARY KEY AUTOINCREMENT, x TEXT) STRICT",
            "CREATE TABLE audit (what TEXT)",
            "CREATE TRIGGER around AFTER UPDATE ON a WHEN new.id = 1 BEGIN UPDATE a SET x = 'by 1' WHERE id = 2; END",
            "CREATE TRIGGER there AFTER UPDATE ON b BEGIN UPDATE a SET x = 'by b' WHERE id = 3; INSERT INTO audit VALUES ('b'); END",
        ],
        rows: &["INSERT INTO a (x) VALUES ('1'), ('2'), ('3')", "INSERT INTO b (x) VALUES ('1'), ('2')"],
        writes: &[
            (Method::Put, "/a/1", r#"{"x":"p"}"#),
            (Method::Patch, "/a/2", r#"{"x":"q"}"#),
            (Method::Put, "/b/1", r#"{"x":"r"}"#),
        ],
        reads: &["/a", "/a/1", "/a/2", "/a/3", "/b", "/b/1", "/b/2", "/audit"],
    },
    Case {
        name: "rows that take others of their table with them",
        file: r#"
[tables.a]
list = "/a"
item = "/a/{id}"
cache = true
[tables.a.columns]
id = { type = "bigint", generated = "identity" }
up = { type = "bigint", references = "a.id", on_delete = "cascade" }
[tables.c]
list = "/c"
item = "/c/{id}"
cache = true
[tables.c.columns]
id = { type = "bigint", generated = "identity" }
d_id = { type = "bigint", references = "d.id", on_delete = "set_null" }
[tables.d]
list = "/d"
item = "/d/{id}"
cache = true
[tables.d.columns]
id = { type = "bigint", generated = "identity" }
c_id = { type = "bigint", references = "c.id", on_delete = "cascade" }
"#,
        schema: &[],
        rows: &[
            "INSERT INTO a (up) VALUES (NULL), (1), (2)",
            "INSERT INTO c (d_id) VALUES (NULL), (NULL)",
            "INSERT INTO d (c_id) VALUES (1)",
            "UPDATE c SET d_id = 1 WHERE id = 2",
        ],
        writes: &[
            (Method::Delete, "/a/1", ""),
            (Method::Delete, "/a/3", ""),
            (Method::Delete, "/c/1", ""),
            (Method::Delete, "/d/1", ""),
        ],
        reads: &["/a", "/a/1", "/a/2", "/a/3", "/c", "/c/1", "/c/2", "/d", "/d/1"],
    },
    Case {
        name: "REPLACE, in the statement and in the table",
        file: r#"
[tables.a]
list = "/a"
item = "/a/{id}"
cache = true
[tables.a.columns]
id = { type = "bigint", generated = "identity" }
code = { type = "text", unique = true }
[tables.b]
list = "/b"
item = "/b/{id}"
cache = true
[tables.b.columns]
id = { type = "bigint", generated = "identity" }
code = { type = "text", unique = true }
[endpoints.replace]
path = "/replace/{id}"
methods = ["POST"]
params = { id = "a.id", code = "a.code" }
sql = "INSERT OR REPLACE INTO a (id, code) VALUES ($id, $code)"
writes = ["a/{id}"]
"#,
        schema: &[
            "CREATE TABLE a (id INTEGER PRIMARY KEY AUTOINCREMENT, code TEXT CONSTRAINT a_code UNIQUE) STRICT",
            "CREATE TABLE b (id INTEGER PRIMARY KEY AUTOINCREMENT, code TEXT UNIQUE ON CONFLICT REPLACE) STRICT",
        ],
        rows: &["INSERT INTO a (code) VALUES ('1'), ('2')", "INSERT INTO b (code) VALUES ('1'), ('2')"],
        writes: &[
            (Method::Post, "/replace/7", r#"{"code":"2"}"#),
            (Method::Post, "/b", r#"{"code":"1"}"#),
            (Method::Patch, "/b/1", r#"{"code":"2"}"#),
        ],
        reads: &["/a", "/a/1", "/a/2", "/a/7", "/b", "/b/1", "/b/2", "/b/3"],
    },
    Case {
        name: "a full-text index that looks into a table",
        file: r#"
[tables.docs]
list = "/docs"
item = "/docs/{id}"
cache = true
[tables.docs.columns]
id = { type = "bigint", generated = "identity" }
title = { type = "text", required = true }
[endpoints.search]
path = "/search"
params = { q = { type = "text", required = true } }
sql = "SELECT rowid, title FROM found WHERE found MATCH $q"
cache = true
"#,
        schema: &[
            "CREATE TABLE docs (id INTEGER PRIMARY KEY AUTOINCREMENT, title TEXT NOT NULL) STRICT",
            "CREATE VIRTUAL TABLE found USING fts5 (title, content = 'docs', content_rowid = 'id')",
        ],
        rows: &[
            "INSERT INTO docs (title) VALUES ('red house'), ('blue house')",
            "INSERT INTO found (found) VALUES ('rebuild')",
        ],
        writes: &[(Method::Patch, "/docs/1", r#"{"title":"green house"}"#)],
        reads: &["/docs", "/docs/1", "/docs/2", "/search?q=house", "/search?q=blue"],
    },
    Case {
        name: "a view, and a key of two columns",
        file: r#"
[tables.a]
list = "/a"
item = "/a/{x}/{y}"
key = ["x", "y"]
cache = true
[tables.a.columns]
x = { type = "bigint", required = true }
y = { type = "text", required = true }
z = "double"
[tables.v]
list = "/v"
item = "/v/{x}"
key = "x"
access = { list = "public", get = "public" }
cache = true
[tables.v.columns]
x = { type = "bigint", required = true }
many = "bigint"
[endpoints.z]
path = "/z/{x}/{y}"
methods = ["POST"]
params = { x = "a.x", y = "a.y", z = "a.z" }
sql = "UPDATE a SET z = $z WHERE x = $x AND y = $y RETURNING x, y"
shape = "row"
writes = ["a/{x}/{y}"]
"#,
        schema: &[
            "CREATE TABLE a (x INTEGER NOT NULL, y TEXT NOT NULL, z REAL, PRIMARY KEY (x, y)) STRICT",
            "CREATE VIEW v AS SELECT x, count(*) AS many FROM a GROUP BY x",
        ],
        rows: &["INSERT INTO a VALUES (1, 'a', 0), (1, 'b', 0), (2, 'a', 0)"],
        writes: &[
            (Method::Post, "/a", r#"{"x":3,"y":"c"}"#),
            (Method::Put, "/a/1/b", r#"{"z":4}"#),
            (Method::Delete, "/a/1/a", ""),
            (Method::Post, "/z/2/a", r#"{"z":5}"#),
        ],
        reads: &["/a", "/a/1/a", "/a/1/b", "/a/2/a", "/a/3/c", "/v", "/v/1", "/v/3"],
    },
];

fn served(case: &Case) -> Served {
    let plan = plan_of(case.file);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("test.db");
    let made = crate::api::schema(&plan).into_iter().flat_map(|table| table.statements);
    let script: Vec<String> = match case.schema {
        [] => made.collect(),
        statements => statements.iter().map(|sql| (*sql).to_owned()).collect(),
    };
    run_script(&path, &script).unwrap_or_else(|error| panic!("{}: {error:?}", case.name));
    let live = Schema::read(&path).expect("a database").expect("a file");
    let verified = verify(&plan, &live, &Inspector::of_nothing(), Depth::Faults).expect("memory");
    assert_eq!(verified.faults, [], "{}", case.name);
    let rows: Vec<String> = case.rows.iter().map(|sql| (*sql).to_owned()).collect();
    run_script(&path, &rows).unwrap_or_else(|error| panic!("{}: {error:?}", case.name));
    Served::on(verified.api, path, folder)
}

#[test]
fn no_answer_changes_by_a_write_that_it_does_not_depend_on() {
    let seed = Seed::new([1, 2, 3, 4]);
    let hash = |bytes: &[u8]| seed.hash(bytes);
    let mut changed = 0;
    for case in CASES {
        for (method, target, body) in case.writes {
            // Anew for each write, so that each has something to do.
            let served = served(case);
            let question = |target: &str| match begin(&served.api, Method::Get, target, None, b"") {
                Begin::Ask { job, pending } => (job, pending),
                other => panic!("{target}: {other:?}"),
            };
            let before: Vec<_> = case
                .reads
                .iter()
                .map(|read| {
                    let (job, pending) = question(read);
                    let slots = served.api.depends_on(&job, &pending, &hash);
                    (served.api.finish(pending, served.run(job)), slots)
                })
                .collect();
            let content_type = (!body.is_empty()).then_some("application/json");
            let Begin::Ask { job, pending } =
                begin(&served.api, *method, target, content_type, body.as_bytes())
            else {
                panic!("{}: {method:?} {target} asks nothing", case.name)
            };
            assert!(served.api.is_write(&pending));
            let stored = served.run(job);
            let results = stored.as_ref().unwrap_or_else(|error| panic!("{} {target}: {error:?}", case.name));
            let marked: BTreeSet<u16> =
                served.api.changes(&pending, Some(results), &hash).into_iter().collect();
            let at_most: BTreeSet<u16> = served.api.changes(&pending, None, &hash).into_iter().collect();
            for (read, (before, slots)) in case.reads.iter().zip(before) {
                if served.get(read) != before {
                    changed += 1;
                    let is_marked = |marked: &BTreeSet<u16>| slots.iter().any(|slot| marked.contains(slot));
                    assert!(is_marked(&marked), "{}: {method:?} {target} changes {read} unseen", case.name);
                    assert!(
                        is_marked(&at_most),
                        "{}: {method:?} {target}, of which nothing is known, {read}",
                        case.name
                    );
                }
            }
        }
    }
    assert!(changed > 60, "only {changed} answers changed");
}

/// Where nothing speaks against it, a write to a row leaves the other rows alone.
#[test]
fn a_write_that_names_its_row_marks_no_other() {
    let seed = Seed::new([1, 2, 3, 4]);
    let hash = |bytes: &[u8]| seed.hash(bytes);
    let case = &CASES[0];
    let served = served(case);
    let slots = |target: &str| match begin(&served.api, Method::Get, target, None, b"") {
        Begin::Ask { job, pending } => served.api.depends_on(&job, &pending, &hash),
        other => panic!("{target}: {other:?}"),
    };
    for (method, target, body, marks) in [
        (Method::Put, "/a/1", r#"{"x":"p"}"#, &["/a/1", "/one/1", "/a"][..]),
        (Method::Post, "/set/1", r#"{"x":"p"}"#, &["/a/1", "/one/1", "/a"]),
        (Method::Post, "/insert", r#"{"x":"p"}"#, &["/a/4", "/one/4", "/a"]),
        (Method::Post, "/a", r#"{"x":"p"}"#, &["/a/5", "/a"]),
        (Method::Post, "/all", "{}", &["/a/1", "/a/2", "/one/3", "/a"]),
        (Method::Delete, "/a/2", "", &["/a/2", "/a", "/b", "/b/1", "/b/2", "/join"]),
        (Method::Delete, "/b/1", "", &["/b/1", "/b", "/join"]),
    ] {
        let content_type = (!body.is_empty()).then_some("application/json");
        let Begin::Ask { job, pending } = begin(&served.api, method, target, content_type, body.as_bytes())
        else {
            panic!("{target}")
        };
        let results = served.run(job).expect("a write");
        let marked = served.api.changes(&pending, Some(&results), &hash);
        let all = ["/a", "/a/1", "/a/2", "/a/4", "/a/5", "/one/1", "/one/3", "/one/4", "/b", "/b/1", "/b/2"];
        for read in all {
            let is_marked = slots(read).iter().any(|slot| marked.contains(slot));
            let is_due = marks.contains(&read)
                || target == "/all" && (read.starts_with("/a/") || read.starts_with("/one/"));
            assert_eq!(is_marked, is_due, "{method:?} {target}: {read}");
        }
    }
}
