//! Faults of columns: types, rules, defaults, what is generated, references.

use super::*;

#[track_caller]
fn check_column(column: &str, expected: &[&str]) {
    let expected: Vec<String> =
        expected.iter().map(|fault| format!("ringmill.toml:3: tables.t.columns.c{fault}")).collect();
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    check_table(&format!("columns.c = {column}"), &expected);
}

#[test]
fn rules_fit_their_type() {
    check_column("\"text\"", &[]);
    check_column("\"txt\"", &[": \"txt\" is none of the values; did you mean \"text\"?"]);
    check_column(
        "{ required = true }",
        &[": has no `type`; write type = \"text\", or one of the other types"],
    );
    check_column(
        "7",
        &[
            ": 7 is no table; known keys: type, required, min_length, max_length, format, minimum, \
         maximum, enum, default, unique, hidden, read_only, generated, references, on_delete",
            ": has no `type`; write type = \"text\", or one of the other types",
        ],
    );
    check_column(
        "{ type = \"integer\", max_length = 3 }",
        &[".max_length: max_length is for text, this is integer; \
         remove it, or change the type"],
    );
    check_column(
        "{ type = \"uuid\", format = \"email\" }",
        &[".format: format is for text, this is uuid; remove it, \
         or change the type"],
    );
    check_column(
        "{ type = \"text\", min_length = 4, max_length = 3 }",
        &[".min_length: 4 is more than max_length; \
         lower it, or raise max_length"],
    );
    check_column(
        "{ type = \"text\", minimum = 1 }",
        &[".minimum: minimum is for numbers, this is text; remove it, or \
         change the type"],
    );
    check_column(
        "{ type = \"smallint\", maximum = 40000 }",
        &[".maximum: 40000 is no bound of type smallint; write \
         a number that the type holds"],
    );
    check_column(
        "{ type = \"bigint\", minimum = \"1\", maximum = \"1.5e0\" }",
        &[
            ".minimum: \"1\" is no bound of type bigint; write minimum = 1, without quotation marks",
            ".maximum: \"1.5e0\" is no bound of type bigint; write maximum = 1.5e0, without quotation marks",
        ],
    );
    check_column(
        "{ type = \"bigint\", minimum = \"one\" }",
        &[".minimum: \"one\" is no bound of type bigint; write a number that the type holds"],
    );
    check_column(
        "{ type = \"bigint\", minimum = 1.5 }",
        &[".minimum: 1.5 is no bound of type bigint; write a number \
         that the type holds"],
    );
    check_column(
        "{ type = \"double\", minimum = nan }",
        &[".minimum: nan is no bound of type double; write a number \
         that the type holds"],
    );
    check_column(
        "{ type = \"numeric\", minimum = 2, maximum = 1.5 }",
        &[".minimum: 2 is more than maximum; lower it, \
         or raise maximum"],
    );
    check_column(
        "{ type = \"text\", enum = [] }",
        &[".enum: no value is allowed; name the allowed values, or remove \
         enum"],
    );
    check_column(
        "{ type = \"text\", enum = [\"a\", \"a\", 1] }",
        &[
            ".enum: \"a\" stands in the list twice; remove one \
         of them",
            ".enum: 1 is no text; write a string without U+0000",
        ],
    );
    check_column(
        "{ type = \"json\", enum = [1] }",
        &[".enum: a json cannot be chosen from a list; remove enum, or \
         change the type"],
    );
    check_column(
        "{ type = \"text\", read_only = true, required = true }",
        &[": is required and read_only, so that no \
         row could ever be created; give it a default, or drop one of the two; if the database computes it, drop `required`"],
    );
}

#[test]
fn defaults_fit_type_and_rules() {
    const TIMESTAMP: &str = "write \"2026-11-24T02:00:00Z\", in the years 1 to 9999";
    const DATE: &str = "write \"2026-11-24\", in the years 1 to 9999";
    const JSON: &str = "write a value without infinities and U+0000, at most 128 deep";
    for (kind, value) in [
        ("smallint", "-32768"),
        ("bigint", "9223372036854775807"),
        ("integer", "0xFF"),
        ("real", "1"),
        ("double", "-1.5e300"),
        ("numeric", "1.10"),
        ("numeric", "\"123456789012345678901234567890.10\""),
        ("text", "\"\""),
        ("boolean", "false"),
        ("timestamp", "\"2026-11-24T02:00:00+02:00\""),
        ("timestamp", "2026-11-24T02:00:00Z"),
        ("date", "2026-11-24"),
        ("date", "\"2026-11-24\""),
        ("uuid", "\"01234567-89AB-cdef-0123-456789abcdef\""),
        ("json", "{ a = [1, 2.5] }"),
        ("bytes", "\"aGk=\""),
        ("real", "0e-99"),
        ("double", "-0.0"),
        ("timestamp", "\"9999-12-31T23:59:59.999999Z\""),
        ("timestamp", "\"2016-12-31T23:59:60Z\""),
    ] {
        check_column(&format!("{{ type = \"{kind}\", default = {value} }}"), &[]);
    }
    for (kind, value, hint) in [
        ("smallint", "32768", "write a whole number from -32768 to 32767"),
        ("integer", "1.0", "write a whole number of 32 bits"),
        ("bigint", "9223372036854775808", "write a whole number of 64 bits"),
        ("real", "1e39", "write a number that the type holds"),
        ("real", "1e-60", "write a number that the type holds"),
        ("double", "1e-400", "write a number that the type holds"),
        ("double", "inf", "write a number that the type holds"),
        ("numeric", "nan", "write a number, in quotation marks to keep all its digits"),
        ("boolean", "1", "write true or false"),
        ("timestamp", "2026-11-24T02:00:00", TIMESTAMP),
        ("timestamp", "\"-000001-11-24T02:00:00Z\"", TIMESTAMP),
        ("timestamp", "\"0001-01-01T00:00:00+01:00\"", TIMESTAMP),
        ("date", "2026-11-24T02:00:00Z", DATE),
        ("date", "\"0000-01-01\"", DATE),
        ("json", "inf", JSON),
    ] {
        check_column(
            &format!("{{ type = \"{kind}\", default = {value} }}"),
            &[&format!(".default: {value} is no {kind}; {hint}")],
        );
    }
    check_column(
        "{ type = \"bytes\", default = \"aGk\" }",
        &[".default: \"aGk\" is no bytes; write base64 with \
         padding"],
    );
    check_column(
        "{ type = \"json\", default = { \"a\\u0000\" = 1 } }",
        &[&format!(".default: a table is no json; {JSON}")],
    );
    check_column(
        "{ type = \"text\", default = \"\\u0000\" }",
        &[".default: \"\\0\" is no text; write a string without \
         U+0000"],
    );
    for (rules, value, rule) in [
        ("type = \"text\", max_length = 2", "\"üüü\"", "max_length"),
        ("type = \"text\", min_length = 2", "\"ü\"", "min_length"),
        ("type = \"text\", format = \"email\"", "\"a@\"", "format"),
        ("type = \"integer\", minimum = 5", "4", "minimum"),
        ("type = \"numeric\", maximum = 5", "\"5.01\"", "maximum"),
        ("type = \"text\", enum = [\"a\"]", "\"b\"", "enum"),
    ] {
        check_column(
            &format!("{{ {rules}, default = {value} }}"),
            &[&format!(".default: {value} breaks the rule {rule}; change the value or the rule")],
        );
    }
}

#[test]
fn defaults_have_one_form() {
    let columns = "a = { type = \"numeric\", default = 1.10 }\nb = { type = \"timestamp\", default = \
        2026-11-24T04:00:00+02:00 }\nc = { type = \"uuid\", default = \"01234567-89AB-CDEF-0123-456789ABCDEF\" }\nd = { \
        type = \"date\", default = 2026-11-24 }\n";
    let plan = plan(&format!("[tables.t.columns]\nid = \"bigint\"\n{columns}"));
    let defaults: Vec<String> = plan.tables[0].columns[1..]
        .iter()
        .map(|column| column.rules.default.as_ref().unwrap().to_string())
        .collect();
    assert_eq!(
        defaults,
        [
            "\"1.10\"",
            "\"2026-11-24T02:00:00.000000Z\"",
            "\"01234567-89ab-cdef-0123-456789abcdef\"",
            "\"2026-11-24\""
        ]
    );
}

#[test]
fn what_the_database_makes() {
    check_column("{ type = \"uuid\", generated = \"uuid\" }", &[]);
    check_column(
        "{ type = \"text\", generated = \"identity\" }",
        &[
            ".generated: \"identity\" does not make a text; it is for smallint, integer, bigint",
            ": is an identity, but is not the key alone; the embedded database counts only in a key of one column",
        ],
    );
    check_column(
        "{ type = \"bigint\", generated = \"on_write\", default = 1, required = true }",
        &[
            ".generated: \"on_write\" does not make a bigint; it is for timestamp",
            ".generated: generated and default exclude each other; remove one of them",
            ".generated: a generated column cannot be required: callers leave it out; remove `required`",
        ],
    );
    check_table(
        "columns.Id = \"text\"\ncolumns.\"a b\" = \"text\"",
        &[
            "ringmill.toml:3: tables.t.columns.Id: is a column already: databases do not tell capitals apart; rename or \
         remove one of them",
            "ringmill.toml:4: tables.t.columns.\"a b\": is no name of a column; take letters, digits and `_`, a letter or \
         `_` first, at most 63; if the database calls it so, ALTER TABLE … RENAME COLUMN renames it there, or a view that renames it \
         (SELECT \"…\" AS …) is read in place of the table",
        ],
    );
}

#[test]
fn references() {
    let check_reference = |column: &str, expected: &[&str]| {
        let expected: Vec<String> =
            expected.iter().map(|fault| format!("ringmill.toml:3: tables.t.columns.c{fault}")).collect();
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        check_table(
            &format!(
                "columns.c = {{ type = \"bigint\", {column} }}\ncolumns.d = \"bigint\"\ncolumns.e = {{ type = \
                      \"text\", unique = true }}"
            ),
            &expected,
        );
    };
    check_reference("references = \"t.id\", on_delete = \"set_null\"", &[]);
    check_reference("references = \"t\"", &[".references: \"t\" names no column; did you mean \"t.id\"?"]);
    check_reference(
        "references = \"tt.id\"",
        &[".references: \"tt.id\" names no table of this file; did you mean \
         `t`?"],
    );
    check_reference(
        "references = \"t.idd\"",
        &[".references: \"t.idd\" names no column of that table; did you mean \
         `id`?"],
    );
    check_reference(
        "references = \"t.e\"",
        &[".references: \"t.e\" is a text, this column a bigint; give both the \
         same type, or remove `references`"],
    );
    check_reference(
        "references = \"t.d\"",
        &[".references: \"t.d\" may name several rows; refer to the key, or to a \
         unique column"],
    );
    check_reference(
        "on_delete = \"cascade\"",
        &[".on_delete: on_delete is for a column that refers to another; write \
         references, or remove it"],
    );
    check_reference(
        "references = \"t.id\", on_delete = \"cascad\"",
        &[".on_delete: \"cascad\" is none of the values; \
         did you mean \"cascade\"?"],
    );
    check_reference(
        "references = \"t.id\", required = true, on_delete = \"set_null\"",
        &[".on_delete: a required \
         column cannot be set to null; take another on_delete, or drop `required`"],
    );
    check_reference(
        "references = \"t.id\", generated = \"identity\", on_delete = \"set_null\"",
        &[
            ": is an identity, but is not the key alone; the embedded database counts only in a key of one column",
            ".on_delete: a generated column cannot be set to null; take another on_delete",
        ],
    );
    check(
        "[tables.t]\nkey = [\"id\", \"up\"]\n[tables.t.columns]\nid = { type = \"bigint\", unique = true, read_only = true }\n\
         up = { type = \"bigint\", references = \"t.id\", on_delete = \"set_null\" }\n",
        &[
            "ringmill.toml:4: tables.t.columns.id: is a key and read_only, so that no row could ever be created; generate \
             it, or drop read_only",
            "ringmill.toml:5: tables.t.columns.up.on_delete: a key cannot be set to null; take another on_delete",
        ],
    );
}

#[test]
fn a_table_has_an_end() {
    let columns = |count: usize| {
        let columns = (0..count).map(|number| format!("c{number} = \"bigint\"\n")).collect::<String>();
        format!("[tables.t]\nkey = \"c0\"\n[tables.t.columns]\n{columns}")
    };
    check(&columns(1000), &[]);
    let words = "is one column more than 1000; divide the table";
    check(&columns(1002), &[&format!("ringmill.toml:1004: tables.t.columns.c1000: {words}")]);
}

/// A type that is none is one fault, whatever else depends on it.
#[test]
fn a_misspelt_type_is_told_once() {
    let other = |id: &str, own: &str| {
        format!("[tables.a.columns]\nid = {id}\n[tables.b.columns]\nid = \"bigint\"\na = {own}\n")
    };
    let refers = "{ type = \"bigint\", references = \"a.id\" }";
    let misspelt = "is none of the values; did you mean \"bigint\"?";
    let of_id = format!("ringmill.toml:2: tables.a.columns.id: \"bigin\" {misspelt}");
    check(&other("\"bigin\"", refers), &[&of_id]);
    let of_id = format!("ringmill.toml:2: tables.a.columns.id.type: \"bigin\" {misspelt}");
    check(&other("{ type = \"bigin\", generated = \"identity\" }", refers), &[&of_id]);
    let of_own = format!("ringmill.toml:5: tables.b.columns.a.type: \"bigitn\" {misspelt}");
    check(&other("\"bigint\"", "{ type = \"bigitn\", references = \"a.id\" }"), &[&of_own]);
    // Both known and different: one fault as ever.
    check(
        &other("\"integer\"", refers),
        &[
            "ringmill.toml:5: tables.b.columns.a.references: \"a.id\" is an integer, this column a bigint; give both the \
           same type, or remove `references`",
        ],
    );
}

#[test]
fn a_reference_is_told_the_nearest_name() {
    let file = |to: &str| {
        format!(
            "[tables.users.columns]\nid = \"bigint\"\n[tables.b.columns]\nid = {{ type = \"bigint\", references = {to:?} }}\n"
        )
    };
    let fault = |rest: &str| format!("ringmill.toml:4: tables.b.columns.id.references: {rest}");
    let names_no_table =
        |guess: &str| fault(&format!("{guess} names no table of this file; did you mean `users`?"));
    check(&file("user.id"), &[&names_no_table("\"user.id\"")]);
    check(&file("users.id_"), &[&fault("\"users.id_\" names no column of that table; did you mean `id`?")]);
    for name in ["users", "user"] {
        let words = format!("{name:?} names no column; did you mean \"users.id\"?");
        check(&file(name), &[&fault(&words)]);
    }
    check(&file("x"), &[&fault("\"x\" names no column; write \"table.column\"")]);
}
