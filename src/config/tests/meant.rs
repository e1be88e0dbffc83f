//! What people write who know another program, and what follows from one slip: each is one fault that says what was meant.

use super::*;

#[test]
fn paths_of_other_routers() {
    check_table(
        "item = \"/x/:id\"",
        &["ringmill.toml:3: tables.t.item: \"/x/:id\" has a parameter in another form; write \"/x/{id}\""],
    );
    check(
        "[endpoints.e]\npath = \"/x/<int:id>/y\"\njson = 1\n",
        &[
            "ringmill.toml:2: endpoints.e.path: \"/x/<int:id>/y\" has a parameter in another form; write \"/x/{id}/y\"",
        ],
    );
    check_table("item = \"/x/{id}\"\nlist = \"/x:y\"", &[]);
}

#[test]
fn orders_of_other_programs() {
    let another = "says its direction in another form";
    for (order, what, remedy) in [
        ("-id", another, "did you mean \"id.desc\"?"),
        ("+id", another, "did you mean \"id\"?"),
        ("id DESC", another, "did you mean \"id.desc\"?"),
        ("id:asc", another, "did you mean \"id\"?"),
        ("id.DESC", "has a direction that is none", "did you mean \"id.desc\"?"),
        ("id  up", another, "write \"column\" or \"column.desc\""),
    ] {
        let fault = format!("ringmill.toml:3: tables.t.order: \"{order}\" {what}; {remedy}");
        check_table(&format!("order = \"{order}\""), &[&fault]);
    }
}

#[test]
fn values_of_another_kind() {
    let table = "write access = \"public\", or by operation, { list = \"public\", get = \"public\" }";
    let operation = "write list = \"public\"; an operation that is left out does not exist";
    for (line, fault) in [
        ("access = [\"list\"]", format!("access: a list is no access; {table}")),
        ("access = true", format!("access: true is no access; {table}")),
        ("list = \"/t\"\naccess = { list = true }", format!("access.list: true is no access; {operation}")),
        (
            "columns.r = { type = \"bigint\", references = { table = \"t\" } }",
            "columns.r.references: a table names no column; write \"table.column\", such as \"users.id\"".into(),
        ),
        (
            "columns.r = { type = \"bigint\", references = [\"t.id\", \"t.id\"] }",
            "columns.r.references: a reference of several columns is not in this version; refer to one unique column, or \
             leave `references` out and check it in the SQL of an endpoint"
                .into(),
        ),
    ] {
        let last = 3 + line.matches('\n').count();
        check_table(line, &[&format!("ringmill.toml:{last}: tables.t.{fault}")]);
    }
    check(
        "[tables.p]\nkey = [\"a\", \"b\"]\ncolumns = { a = \"bigint\", b = \"bigint\" }\n[tables.t.columns]\nid = \"bigint\"\n\
         a = { type = \"bigint\", references = \"p.a\" }\n",
        &[
            "ringmill.toml:6: tables.t.columns.a.references: \"p.a\" may name several rows; its key has several columns, \
           and a reference is to one: refer to one unique column, or leave `references` out and check it in the SQL of \
           an endpoint",
        ],
    );
}

#[test]
fn types_of_other_databases() {
    for (kind, meant) in [
        ("string", "\"text\""),
        ("VARCHAR(255)", "\"text\""),
        ("int", "\"integer\""),
        ("int8", "\"bigint\""),
        ("datetime", "\"timestamp\""),
        ("decimal(10,2)", "\"numeric\""),
        ("serial", "\"integer\" with generated = \"identity\""),
    ] {
        let fault = format!(
            "ringmill.toml:3: tables.t.columns.c: \"{kind}\" is none of the types; did you mean {meant}?"
        );
        check_table(&format!("columns.c = \"{kind}\""), &[&fault]);
    }
}

#[test]
fn a_generator_that_is_none_is_one_fault() {
    for (value, remedy) in [
        ("now", "did you mean \"on_create\"?"),
        ("on_update", "did you mean \"on_write\"?"),
        ("identiy", "did you mean \"identity\"?"),
        ("sometime", "write \"identity\" or \"uuid\" or \"on_create\" or \"on_write\""),
    ] {
        let fault = format!(
            "ringmill.toml:3: tables.t.columns.c.generated: \"{value}\" is none of the values; {remedy}"
        );
        check_table(&format!("columns.c = {{ type = \"text\", generated = \"{value}\" }}"), &[&fault]);
    }
}

#[test]
fn a_misspelt_key_is_one_fault() {
    check(
        "[tables.x]\nitem = \"/x/{id}\"\norder = \"name\"\nindexes = [[\"name\"]]\nreplies = { create = { id = \"@row.id\" } }\n\
         [tables.x.colums]\nid = \"bigint\"\n[tables.y.columns]\nid = { type = \"bigint\", references = \"x.id\" }\n\
         [endpoints.e]\npath = \"/e\"\nparams = { a = \"x.id\" }\nsql = \"SELECT $a\"\n",
        &["ringmill.toml:6: tables.x.colums: is no key; did you mean `columns`?"],
    );
    check(
        "[endpoints.e]\npath = \"/e\"\nsqll = \"SELECT 1\"\n",
        &["ringmill.toml:3: endpoints.e.sqll: is no key; did you mean `sql`?"],
    );
    check(
        "[endpoints.e]\npaht = \"/e\"\njson = 1\n",
        &["ringmill.toml:2: endpoints.e.paht: is no key; did you mean `path`?"],
    );
}

#[test]
fn an_include_that_is_none_is_one_fault() {
    check("include = 5\n", &["ringmill.toml:1: include: 5 is no list; write include = [\"api/*.toml\"]"]);
    check("include = [5]\n", &["ringmill.toml:1: include: 5 is no text; write include = [\"api/*.toml\"]"]);
}

#[test]
fn names_that_only_flags_have() {
    let folder = Folder::with("[tables.books]\ncolumns = { id = \"bigint\", name = \"text\" }\n");
    for (key, fault) in [
        (
            "tables.book.noun",
            "tables.book: is no table of the file, and has no `columns` to be a new one; did you mean `books`?",
        ),
        (
            "tables.books.columns.nmae.hidden",
            "tables.books.columns.nmae: is no column of the file, and has no `type` to be a new one; did you mean `name`?",
        ),
        (
            "endpoints.x.cache",
            "endpoints.x: is no endpoint of the file, and has no `path` to be a new one; there is no endpoint",
        ),
    ] {
        let faults = folder.load(&[], &[(key, "true")]).unwrap_err();
        assert_eq!(shown(&faults), [format!("--set: {fault}")], "{key}");
    }
    let plan =
        folder.load(&[], &[("tables.new.columns.id", "bigint"), ("tables.new.noun", "N")]).expect("no fault");
    assert_eq!(plan.tables.len(), 2);
}

#[test]
fn files_with_nothing_in_them() {
    let folder = Folder::with("");
    let plan = folder.load(&[], &[]).expect("no fault");
    assert_eq!(
        shown(&plan.notes),
        [
            "ringmill.toml:1: declares no table and no endpoint; write [tables.NAME] or [endpoints.NAME]; `ringmill init` \
          writes a file to start from"
        ]
    );
    check(
        "[server]\n\0",
        &[
            "ringmill.toml:2: no TOML: holds a NUL byte (U+0000); remove it; a file that is full of them is UTF-16: save it \
           as UTF-8",
        ],
    );
}
