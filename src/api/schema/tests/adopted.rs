//! Databases that another program made: foreign keys, forms and names that the file does not speak of.

use super::{check, differences, plan_of, schema_of};

/// What a missing column may be called in the database.
#[test]
fn renamed_columns() {
    let one = |kind: &str, there: &str, expected: Option<&str>| {
        let folder = tempfile::tempdir().expect("a folder");
        let plan = plan_of(folder.path(), &format!("[tables.t.columns]\nid = \"bigint\"\nname = {kind}\n"));
        let table = format!("CREATE TABLE t (id INTEGER PRIMARY KEY, {there})");
        let found = differences(&plan, &schema_of(folder.path(), &[&table]));
        let renamed = found.iter().find_map(|difference| difference.renamed.as_deref());
        let wanted = expected.map(|name| {
            format!("if it is the column {name}: ALTER TABLE \"t\" RENAME COLUMN \"{name}\" TO \"name\"")
        });
        assert_eq!(renamed, wanted.as_deref(), "{found:#?}");
    };
    one("\"text\"", "label TEXT", Some("label"));
    one("\"text\"", "label VARCHAR(9), size INTEGER", Some("label"));
    one("\"text\"", "label TEXT, NAMES TEXT", Some("NAMES"));
    one("\"text\"", "label TEXT, full_name TEXT", Some("full_name"));
    one("\"text\"", "label TEXT, other TEXT", None);
    one("\"text\"", "names INTEGER", None);
    one("\"bigint\"", "names INTEGER AS (id)", None);
    one("\"text\"", "name TEXT, label TEXT", None);
    // A single letter says nothing, whatever has it.
    one("\"text\"", "a TEXT", None);
    one("\"text\"", "label TEXT, n TEXT", None);
    one("\"text\"", "\"full\nname\" TEXT", None);
}

/// A CHECK of form is the file's; a table without it is none that differs.
#[test]
fn forms() {
    let one = |kind: &str, rest: &str, expected: &[&str]| {
        let table = format!("CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT{rest}) STRICT");
        check("", &format!("id = \"bigint\"\nx = {kind}"), &[&table], expected);
    };
    let (wrong, told) = (&["tables.t.columns.x wrong"][..], &["tables.t.columns.x differs"][..]);
    let least = "{ type = \"numeric\", minimum = 0 }";
    let (digits, rule) = (
        " CONSTRAINT \"x\" CHECK (\"x\" NOT GLOB '*[^-+.0-9eE]*' AND json_valid(coalesce(\"x\", '0')))",
        " CONSTRAINT \"x\" CHECK (CAST(\"x\" AS REAL) >= 0.0)",
    );
    one("\"numeric\"", "", &[]);
    one("\"numeric\"", digits, &[]);
    one(least, rule, &[]);
    one(least, &format!("{digits}{rule}"), &[]);
    one(least, digits, &[]);
    one("\"numeric\"", &format!("{digits}{rule}"), wrong);
    one("{ type = \"numeric\", minimum = 1 }", &format!("{digits}{rule}"), told);
    // Of another type it refuses what that allows.
    one("\"text\"", digits, wrong);
}

/// Foreign keys that the file does not declare.
#[test]
fn foreign_keys() {
    let one = |column: &str, rest: &str, expected: &[&str]| {
        let table = format!("CREATE TABLE t (id INTEGER PRIMARY KEY, x INTEGER{rest}) STRICT");
        let other = "CREATE TABLE other (id INTEGER PRIMARY KEY) STRICT";
        let mut all = expected.to_vec();
        all.push("tables not in file");
        check("", &format!("id = \"bigint\"\nx = {column}"), &[other, &table], &all);
    };
    let (told, seen) = (&["tables.t.columns.x undeclared"][..], &["tables.t.columns.x unseen"][..]);
    one("\"bigint\"", " REFERENCES p", told);
    one("\"bigint\"", " REFERENCES P (ID) ON DELETE CASCADE", told);
    one("\"bigint\"", ", FOREIGN KEY (X) REFERENCES p ON DELETE SET NULL", told);
    one("{ type = \"bigint\", references = \"p.id\" }", " REFERENCES p", &[]);
    // `required` cannot be said beside set_null.
    one("{ type = \"bigint\", required = true }", " NOT NULL REFERENCES p ON DELETE SET NULL", seen);
    one("\"bigint\"", " REFERENCES p ON DELETE SET DEFAULT", seen);
    one("\"bigint\"", " REFERENCES other", seen);
    one(
        "\"bigint\"",
        " REFERENCES p REFERENCES other",
        &["tables.t.columns.x unseen", "tables.t.columns.x undeclared"],
    );
    one("\"bigint\"", " REFERENCES p (more)", &["tables.t.columns.x wrong"]);
    one("\"bigint\"", " REFERENCES gone", &["tables.t.columns.x wrong"]);
    one("{ type = \"bigint\", references = \"p.id\" }", " REFERENCES p REFERENCES other", seen);
    // Of several columns, and of one that the file does not have.
    one("\"bigint\"", ", FOREIGN KEY (id, x) REFERENCES p (id, id)", &["tables.t wrong"]);
    one("\"bigint\"", ", y INTEGER REFERENCES p", &["tables.t unseen", "tables.t not in file"]);
}
