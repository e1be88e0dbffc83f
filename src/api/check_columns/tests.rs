//! What SQLite itself calls a CHECK when it refuses a row, and the column that is told.

use super::{column, of};
use ringmill_sqlite::{Compiler, Schema, run_script};

/// `definition`: what stands in the parentheses of a table that refuses a row of zeros.
#[track_caller]
fn check(definition: &str, expected: Option<&str>) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("test.db");
    let sql = format!("CREATE TABLE t ({definition})");
    run_script(&path, std::slice::from_ref(&sql)).expect("a table");
    let schema = Schema::read(&path).expect("a database").expect("a file");
    let compiler = Compiler::in_memory(&[sql]).expect("a table");
    let words = compiler.change("INSERT INTO t VALUES (0, 0)").expect_err("a row that is refused");
    let name = words.strip_prefix("CHECK constraint failed: ").expect("a CHECK");
    let checks = of(schema.table("t").expect("the table"));
    let found = Some(column(&checks, name)).filter(|column| ["a", "b"].contains(column));
    assert_eq!(found, expected, "{definition}: {words}");
}

#[test]
fn the_column_of_a_check() {
    check("a, b, CHECK (a > 0)", Some("a"));
    check("a, b, CHECK (\n  A > 0 -- not b\n )", Some("a"));
    check("a, b, CONSTRAINT positive CHECK (b > 0)", Some("b"));
    check("a, b, CONSTRAINT \"is: it?\" CHECK (b > 0)", Some("b"));
    check("a, b CONSTRAINT x NOT NULL CHECK (b > 0)", Some("b"));
    check("a CONSTRAINT x NOT NULL, b CHECK (b > 0)", Some("b"));
    check("a DEFAULT (1), b CONSTRAINT x CHECK (b IN (0)) CHECK (b = 'a: b')", Some("b"));
    check("a, b, CHECK (\"b\" > 0)", Some("b"));
    check("a, b, CHECK (\"a\" = 'b')", Some("a"));
    check("a, b, CHECK ('b' = a)", Some("a"));
    check("a, b, CHECK ([b] > 0)", Some("b"));
    check("abs, b, CHECK (abs(b) > 0)", Some("b"));
    check("a, b, CONSTRAINT a CHECK (b > 0)", Some("b"));
    // Which of two it is nobody can tell.
    check("a, b, CHECK (a > b)", None);
    check("a CONSTRAINT x CHECK (a > 0), b CONSTRAINT x CHECK (b > 0)", None);
    check("a, b, CHECK (0)", None);
}
