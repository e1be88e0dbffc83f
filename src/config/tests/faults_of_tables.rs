//! Faults of tables: keys, routes, limits, replies.

use super::*;
use crate::config::plan::*;

#[test]
fn keys_orders_and_indexes() {
    check_table("", &[]);
    check("[tables.t]\n", &["ringmill.toml:1: tables.t: has no columns; declare them in [tables.t.columns]"]);
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

/// A column that is no key may hold them.
#[test]
fn texts_that_no_path_leads_to_are_no_values_of_a_key() {
    let file = |column: &str| {
        format!(
            "[tables.t]\nkey = [\"id\", \"a\"]\n[tables.t.columns]\nid = \"bigint\"\na = {column}\nb = {column}\n"
        )
    };
    for text in ["", ".", ".."] {
        let wrong = |key: &str| {
            format!(
                "ringmill.toml:5: tables.t.columns.a.{key}: \"{text}\" is no value of a key: no path leads there; \
                 take one that is not empty, `.` or `..`"
            )
        };
        check(&file(&format!("{{ type = \"text\", default = \"{text}\" }}")), &[&wrong("default")]);
        check(&file(&format!("{{ type = \"text\", enum = [\"x\", \"{text}\"] }}")), &[&wrong("enum")]);
    }
    check(&file("{ type = \"text\", default = \"...\", enum = [\"...\", \" \"] }"), &[]);
}
