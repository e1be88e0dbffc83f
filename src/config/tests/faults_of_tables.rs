//! Faults of tables: keys, routes, columns, rules, references, replies.

use super::*;
use crate::config::plan::*;

#[test]
fn keys_orders_and_indexes() {
    check_table("", &[]);
    check(
        "[tables.t]\n",
        &[
            "ringmill.toml:1: tables.t: has no columns; declare them in [tables.t.columns]",
            "ringmill.toml:1: tables.t.key: \"id\" is no column of this table; there is no column",
        ],
    );
    check(
        "[tables.t.columns]\nno = \"text\"\n",
        &["ringmill.toml:1: tables.t.key: \"id\" is no column of this table; known: no"],
    );
    check_table(
        "order = \"idd\"\nindexes = [[\"id\", \"id\"], [], {}, { columns = [\"x\"], where = \"a = $a\" }, 1]\nshard_by = \"no\"",
        &[
            "ringmill.toml:3: tables.t.order: \"idd\" is no column of this table; did you mean `id`?",
            "ringmill.toml:4: tables.t.indexes: \"id\" stands in the index twice; remove one of them",
            "ringmill.toml:4: tables.t.indexes: an index needs a column; write [\"column\"] or { columns = \
             [\"column\"], unique = true }",
            "ringmill.toml:4: tables.t.indexes: has no `columns`; write [\"column\"] or { columns = [\"column\"], \
             unique = true }",
            "ringmill.toml:4: tables.t.indexes.columns: \"x\" is no column of this table; known: id",
            "ringmill.toml:4: tables.t.indexes.where: the condition of an index has no parameters; write the value \
             itself",
            "ringmill.toml:4: tables.t.indexes: 1 is no list; write [\"column\"] or { columns = [\"column\"], \
             unique = true }",
            "ringmill.toml:5: tables.t.shard_by: \"no\" is no column of this table; known: id",
        ],
    );
    check_table(
        "order = [\"id.desc\", \"id\"]",
        &["ringmill.toml:3: tables.t.order: \"id\" stands in the order \
         twice; remove one of them"],
    );
    check_table(
        "order = [\"id.down\"]",
        &["ringmill.toml:3: tables.t.order: \"id.down\" has a direction that is \
         none; write \"column\" or \"column.desc\""],
    );
    check_table("key = []", &["ringmill.toml:3: tables.t.key: names no column; write key = \"id\""]);
    check_table(
        "key = [\"id\", \"id\"]",
        &["ringmill.toml:3: tables.t.key: \"id\" stands in the key twice; remove \
         one of them"],
    );
    check_table(
        "columns.j = \"json\"\nkey = \"j\"",
        &["ringmill.toml:4: tables.t.key: \"j\" has a type that cannot \
         name a row; take a column of another type"],
    );
    check_table(
        "page = { default = 50, max = 20 }",
        &["ringmill.toml:3: tables.t.page.default: 50 is more than page.max; lower it, or raise max"],
    );
    check_table("page.max = 10", &[]);
    check_table(
        "page.max = 0",
        &["ringmill.toml:3: tables.t.page.max: 0 is out of bounds; write 1 to 1000000"],
    );
}

#[test]
fn a_composite_key() {
    let plan = plan(
        "[tables.t]\nkey = [\"tenant\", \"n\"]\nitem = \"/t/{n}/of/{tenant}\"\norder = [\"n.desc\"]\n\
         [tables.t.columns]\ntenant = \"text\"\nn = \"integer\"\n",
    );
    assert_eq!(plan.tables[0].key, [0, 1]);
    assert_eq!(plan.tables[0].order, [Order { column: 1, direction: Direction::Descending }]);
    let access = &plan.tables[0].access;
    assert!(!access.list && !access.create && access.get && access.update && access.delete);
}

#[test]
fn routes_and_names() {
    let path = "write it as in /api/user/{id}: a slash first, a parameter alone between slashes";
    check_table(
        "list = \"t\"",
        &[&format!("ringmill.toml:3: tables.t.list: \"t\" does not begin with a slash; {path}")],
    );
    check_table(
        "list = \"/t/{id}\"",
        &["ringmill.toml:3: tables.t.list: \"/t/{id}\" has a parameter; write a path \
         without {…}"],
    );
    check_table(
        "item = \"/t/{x}\"",
        &["ringmill.toml:3: tables.t.item: \"/t/{x}\" does not name the key columns; its \
         parameters are {id}, each once"],
    );
    check_table(
        "item = \"/t\"",
        &["ringmill.toml:3: tables.t.item: \"/t\" does not name the key columns; its \
         parameters are {id}, each once"],
    );
    check_table(
        "access = { get = \"public\" }",
        &["ringmill.toml:3: tables.t.access.get: the table has no `item`, so \
         there is no get; write item = \"/…\", or remove it"],
    );
    check_table(
        "access = { gett = \"public\" }",
        &["ringmill.toml:3: tables.t.access.gett: is no key; did you mean \
         `get`?"],
    );
    check_table(
        "table = \"sqlite_x\"",
        &["ringmill.toml:3: tables.t.table: names of tables that begin with sqlite_ \
         or ringmill_ are taken; take another name"],
    );
    check(
        "[tables.\"a-b\"]\ncolumns.id = \"bigint\"\n[tables.T]\ncolumns.id = \"bigint\"\n[tables.u]\ntable = \"t\"\n\
         columns.id = \"bigint\"\n",
        &[
            "ringmill.toml:1: tables.a-b: is no name of a table; take letters, digits and `_`, at most 63; another name \
             in the database is `table`",
            "ringmill.toml:5: tables.u: is the same table of the database as tables.T; declare it once; databases do \
             not tell capitals apart",
        ],
    );
}

#[test]
fn the_same_route_twice() {
    check(
        "[tables.a]\ncolumns.id = \"bigint\"\nlist = \"/x\"\nitem = \"/x/{id}\"\naccess = { get = \"public\", list = \
         \"public\" }\n[tables.b]\ncolumns.n = \"bigint\"\nkey = \"n\"\nitem = \"/x/{n}\"\n[endpoints.e]\npath = \"/x\"\n\
         json = 1\nmethods = [\"POST\", \"GET\"]\n[endpoints.f]\npath = \"/ready\"\necho = true\n[endpoints.g]\n\
         path = \"/ready\"\necho = true\nmethods = [\"post\"]\n",
        &[
            "ringmill.toml:9: tables.b.item: GET of this path is a route of tables.a.item (ringmill.toml:4) already; \
             change one of the paths or methods",
            "ringmill.toml:11: endpoints.e.path: GET of this path is a route of tables.a.list (ringmill.toml:3) \
             already; change one of the paths or methods",
            "ringmill.toml:15: endpoints.f.path: GET of this path is a route of ringmill itself (/ready) already; \
             change one of the paths or methods",
        ],
    );
}

/// A column `c` of line 3, and its faults without file, line and column.
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
         row could ever be created; give it a default, or drop one of the two"],
    );
}

#[test]
fn defaults_fit_type_and_rules() {
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
    ] {
        check_column(&format!("{{ type = \"{kind}\", default = {value} }}"), &[]);
    }
    for (kind, value, hint) in [
        ("smallint", "32768", "write a whole number from -32768 to 32767"),
        ("integer", "1.0", "write a whole number of 32 bits"),
        ("bigint", "9223372036854775808", "write a whole number of 64 bits"),
        ("real", "1e39", "write a finite number"),
        ("double", "inf", "write a finite number"),
        ("numeric", "nan", "write a number, in quotation marks to keep all its digits"),
        ("boolean", "1", "write true or false"),
        ("timestamp", "2026-11-24T02:00:00", "write \"2026-11-24T02:00:00Z\""),
        ("date", "2026-11-24T02:00:00Z", "write \"2026-11-24\""),
        ("json", "inf", "write a value without infinities"),
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
            "\"2026-11-24T02:00:00Z\"",
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
         `_` first, at most 63",
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
    check_reference("references = \"t\"", &[".references: \"t\" names no column; write \"table.column\""]);
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
         same type"],
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
}

#[test]
fn limits_and_caches() {
    let policy = "[rate_limits.read]\nalgorithm = \"fixed_window\"\nrate = \"1/s\"\n";
    let check_table = |lines: &str, expected: &[&str]| {
        check(&format!("[tables.t]\ncolumns.id = \"bigint\"\n{lines}\n{policy}"), expected);
    };
    check_table("rate_limit = \"read\"", &[]);
    check_table(
        "rate_limit = [\"raed\", \"read\", \"read\"]",
        &[
            "ringmill.toml:3: tables.t.rate_limit: \"raed\" is no policy of [rate_limits]; did you mean `read`?",
            "ringmill.toml:3: tables.t.rate_limit: \"read\" is applied twice; remove one of them",
        ],
    );
    check_table(
        "rate_limit = { list = [\"read\"], gt = \"read\" }",
        &["ringmill.toml:3: tables.t.rate_limit.gt: is no key; did you mean `get`?"],
    );
    check_table("cache = true", &[]);
    check_table(
        "cache = \"1h\"",
        &["ringmill.toml:3: tables.t.cache: \"1h\" is no cache rule; write true, false, or \
         { ttl = \"1h\" }"],
    );
    check_table(
        "cache = { tll = \"1h\" }",
        &["ringmill.toml:3: tables.t.cache.tll: is no key; did you mean `ttl`?"],
    );
}

#[test]
fn replies() {
    let columns = "columns.secret = { type = \"text\", hidden = true }\n";
    let check_reply = |reply: &str, expected: &[&str]| {
        let expected: Vec<String> =
            expected.iter().map(|fault| format!("ringmill.toml:4: tables.t.replies.{fault}")).collect();
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        check_table(&format!("{columns}replies.{reply}"), &expected);
    };
    check_reply("list = \"@rows\"", &[]);
    check_reply("create = { a = [\"@row.id\", \"@@row\", 1.5, true] }", &[]);
    check_reply("lst = 1", &["lst: is no key; did you mean `list`?"]);
    check_reply(
        "list = { x = \"@row\" }",
        &["list.x: \"@row\" has no value in this reply; here there are @rows, \
         @total, @count, @page, @per_page"],
    );
    check_reply(
        "create = \"@rwo\"",
        &["create: \"@rwo\" is no place; did you mean \"@row\"? a string that begins with @ \
         is written \"@@…\""],
    );
    check_reply(
        "create = \"@row.secret\"",
        &["create: \"@row.secret\" names no column that is returned; name a column \
         that is not hidden"],
    );
    check_reply(
        "delete = \"@row\"",
        &["delete: \"@row\" has no value in this reply; nothing can be filled in here"],
    );
    check_reply(
        "missing = [\"@errors\", inf]",
        &["missing: inf is no number that JSON has; write a finite number"],
    );
    check_table(
        "page.total = \"none\"\nreplies.list = [\"@total\"]",
        &["ringmill.toml:4: tables.t.replies.list: \
         \"@total\" has no value in this reply; here there are @rows, @count, @page, @per_page"],
    );
}

#[test]
fn replies_are_made_from_name_and_noun() {
    let table = "[tables.t]\ncolumns.id = \"bigint\"\n";
    let places = |plan: &Plan| match &plan.tables[0].replies.list {
        Template::Object(fields) => fields.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>(),
        _ => Vec::new(),
    };
    assert_eq!(places(&plan(table)), ["t", "total", "page", "per_page"]);
    assert_eq!(places(&plan(&format!("{table}page.total = \"none\"\n"))), ["t", "page", "per_page"]);
    let plan = plan(&format!("{table}noun = \"Big Thing\"\nreplies.create = \"@@row\"\n"));
    let text = |text: &str| Template::Literal(serde_json::Value::from(text));
    let replies = &plan.tables[0].replies;
    assert_eq!(replies.create, text("@row"));
    assert_eq!(replies.delete, Template::Object(vec![("message".into(), text("Big Thing deleted"))]));
    let conflict =
        vec![("error".into(), text("Failed to create big thing")), ("errors".into(), Template::Errors)];
    assert_eq!(replies.conflict, Template::Object(conflict));
}
