//! Faults of endpoints: what they are, parameters, statements, tags, replies.

use super::*;
use crate::config::plan::*;

const TABLE: &str = "[tables.t.columns]\nid = \"bigint\"\nname = { type = \"text\", required = true, max_length = 9 }\n\
    status = { type = \"text\", default = \"new\" }\n";

/// Lines of an endpoint at `/e/{id}`, whose first is line 7, and its faults without file and section.
#[track_caller]
fn check_endpoint(lines: &str, expected: &[&str]) {
    let expected: Vec<String> = expected
        .iter()
        .map(|fault| {
            let (line, rest) = fault.split_once(' ').expect("a line and a fault");
            format!("ringmill.toml:{line} endpoints.e{rest}")
        })
        .collect();
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    check(&format!("{TABLE}[endpoints.e]\npath = \"/e/{{id}}\"\n{lines}\n"), &expected);
}

#[track_caller]
fn sql_endpoint(lines: &str) -> SqlEndpoint {
    let plan = plan(&format!("{TABLE}[endpoints.e]\npath = \"/e/{{id}}\"\n{lines}\n"));
    match plan.endpoints.into_iter().next().map(|endpoint| endpoint.kind) {
        Some(EndpointKind::Sql(sql)) => sql,
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_kind() {
    check_endpoint(
        "",
        &[
            "5: : has nothing to answer with; write sql = \"SELECT …\", sql_file = \"NAME.sql\", json = { … } or echo = true",
        ],
    );
    check_endpoint(
        "echo = false",
        &[
            "5: : has nothing to answer with; write sql = \"SELECT …\", sql_file = \"NAME.sql\", json = { … } or echo = true",
        ],
    );
    check_endpoint(
        "echo = true\njson = 1",
        &["5: : has json and echo at once; write one of sql, sql_file, json, echo"],
    );
    check_endpoint(
        "json = 1\nshape = \"row\"\nstatus = 201",
        &[
            "8: .shape: a constant has no shape; remove it; it is for sql",
            "9: .status: a constant has no status; remove it; it is for sql",
        ],
    );
    check_endpoint(
        "json = [nan]",
        &["7: .json: holds a number that JSON does not have; write finite numbers"],
    );
    check_endpoint(
        "sql_file = \"no.sql\"",
        &["7: .sql_file: \"no.sql\" cannot be read: No such file or directory (os \
         error 2); make the file, and let this user read it"],
    );
    check(
        "[endpoints.e]\njson = 1\n",
        &["ringmill.toml:1: endpoints.e: has no `path`; write path = \"/api/…\""],
    );
    check_endpoint(
        "json = 1\naccess = \"staff\"",
        &["8: .access: access other than \"public\" is not in this version; \
         write access = \"public\""],
    );
}

#[test]
fn methods() {
    let remedy = "write methods = [\"GET\"], or others of POST, PUT, PATCH, DELETE";
    check_endpoint("json = 1\nmethods = [\"get\", \"POST\"]", &[]);
    check_endpoint("json = 1\nmethods = []", &[&format!("8: .methods: names no method; {remedy}")]);
    check_endpoint(
        "json = 1\nmethods = [\"HEAD\", \"TRACE\", \"GET\", \"get\"]",
        &[
            "8: .methods: \"HEAD\" is answered by itself; remove it; HEAD comes with GET",
            &format!("8: .methods: \"TRACE\" is no method of an endpoint; {remedy}"),
            "8: .methods: \"get\" stands in the list twice; remove one of them",
        ],
    );
}

#[test]
fn caches() {
    check_endpoint("json = 1\ncache = true", &[]);
    check_endpoint("echo = true\ncache = true", &["8: .cache: an echo is never cached; remove cache"]);
    check_endpoint(
        "json = 1\nmethods = [\"POST\"]\ncache = true",
        &["9: .cache: only answers to GET are cached; remove \
         cache, or add \"GET\" to methods"],
    );
    check_endpoint(
        "sql = \"SELECT 1\"\nwrites = [\"t\"]\ncache = { ttl = \"1s\" }",
        &["9: .cache: what writes is never \
         cached; remove cache or writes"],
    );
}

#[test]
fn parameters_are_declared() {
    let sql = sql_endpoint(
        "sql = \"SELECT $id, $name, $n, $status\"\nparams = { name = \"t.name\", n = { type = \
        \"integer\", minimum = 1 }, status = \"t.status\", o = { type = \"text\", required = false } }",
    );
    let parameters: Vec<(&str, Type, bool)> =
        sql.parameters.iter().map(|p| (p.name.as_str(), p.rules.kind, p.rules.required)).collect();
    assert_eq!(
        parameters,
        [
            ("name", Type::Text, true),
            ("n", Type::Integer, true),
            ("status", Type::Text, false),
            ("o", Type::Text, false),
            ("id", Type::Text, true),
        ]
    );
    assert_eq!(sql.parameters[0].rules.max_length, Some(9));
    assert_eq!(sql.parameters[1].rules.minimum, Some(Bound::Integer(1)));
    let sql = sql_endpoint("sql = \"SELECT $id\"\nparams = { id = \"t.id\" }");
    assert_eq!(sql.parameters.len(), 1);
    assert_eq!(sql.parameters[0].rules.kind, Type::BigInt);

    check_endpoint(
        "sql = \"SELECT $x, $x, '$y'\"",
        &["7: .sql: $x is not declared; declare it: params = { x = \
         \"table.column\" }"],
    );
    check_endpoint("sql = \"SELECT ?\"", &["7: .sql: line 1 has a parameter without `$`; write it as $name"]);
    check_endpoint(
        "sql = \"\"",
        &["7: .sql: the statement is empty; write one, such as SELECT id FROM users"],
    );
    check_endpoint("sql = 1", &["7: .sql: 1 is no text; write it in quotation marks"]);
    check_endpoint(
        "sql = \"SELECT 1\"\nparams = { a = \"text\", b = \"t.nam\", c = { type = \"text\", unique = true }, \
         \"d-e\" = \"t.id\" }",
        &[
            "8: .params.a: \"text\" names no column; write \"table.column\" or { type = \"text\" }",
            "8: .params.b: \"t.nam\" names no column of that table; did you mean `name`?",
            "8: .params.c.unique: is no key; known: type, required, min_length, max_length, format, minimum, maximum, enum, \
         default, clamp",
            "8: .params.d-e: is no name of a parameter; take letters, digits and `_`, a letter or `_` first",
        ],
    );
}

#[test]
fn statements_and_their_answers() {
    let select = "sql = \"SELECT 1\"\n";
    check_endpoint(
        &format!("{select}shape = \"rwo\""),
        &["8: .shape: \"rwo\" is none of the values; did you mean \
         \"row\"?"],
    );
    check_endpoint(&format!("{select}status = 199"), &["8: .status: 199 is out of bounds; write 200 to 599"]);
    check_endpoint(
        &format!("{select}timeout = \"0s\""),
        &["8: .timeout: \"0s\" is out of bounds; write 1ms to 1h"],
    );
    check_endpoint(&format!("{select}reply = {{ a = \"@rows\", n = \"@count\" }}"), &[]);
    check_endpoint(
        &format!("{select}reply = \"@row\""),
        &["8: .reply: \"@row\" has no value in this reply; here there \
         are @rows, @count, @params.NAME"],
    );
    check_endpoint(
        &format!("{select}reply = 1\nshape = \"value\""),
        &["8: .reply: a value is answered as it is; remove \
         reply, or take shape = \"row\""],
    );
    check_endpoint(
        &format!("{select}columns = {{ n = \"integer\", m = \"intger\" }}"),
        &["8: .columns.m: \"intger\" is \
         none of the values; did you mean \"integer\"?"],
    );
    check_endpoint(
        &format!("{select}order = [\"id.sideways\"]"),
        &["8: .order: \"id.sideways\" has a direction that is \
         none; write \"column\" or \"column.desc\""],
    );
    check_endpoint(
        &format!("{select}reads = [\"t/{{id}}\", \"t/{{x}}\", \"u\"]\nwrites = [\"t/{{x}}\", \"t/\"]"),
        &[
            "8: .reads: \"t/{x}\" names no parameter; write {NAME} of a parameter, or the table alone",
            "8: .reads: \"u\" names no table of this file; known: t",
            "9: .writes: \"t/\" is no tag; write \"users\" or \"users/{id}\"",
        ],
    );
}

#[test]
fn constants_keep_digits_and_order() {
    let plan = plan(
        "[endpoints.e]\npath = \"/e\"\n[endpoints.e.json]\nz = 1.10\na = [1_000, 0x10, -0.0, 1e5, +7, \
         12345678901234567890123]\nd = 2026-11-24T02:00:00Z\nt = \"\\\"ü\\u0001\"\nn = { b = true, a = {} }\n",
    );
    let EndpointKind::Json(json) = &plan.endpoints[0].kind else { panic!("no constant") };
    assert_eq!(
        json,
        "{\"z\":1.10,\"a\":[1000,16,-0.0,1e5,7,12345678901234567890123],\"d\":\"2026-11-24T02:00:00Z\",\
         \"t\":\"\\\"ü\\u0001\",\"n\":{\"b\":true,\"a\":{}}}"
    );
    assert!(serde_json::from_str::<serde_json::Value>(json).is_ok());
}

#[test]
fn clamps_and_places_of_parameters() {
    check(
        "[endpoints.a]\npath = \"/a/{id}\"\nsql = \"SELECT $id, $n, $m\"\n\
         reply = { id = \"@params.id\", n = \"@params.m\", x = \"@params.x\", y = \"@params\", z = \"@param.m\" }\n\
         [endpoints.a.params]\n\
         id = { type = \"integer\", minimum = 1, clamp = true }\n\
         n = { type = \"integer\", clamp = true }\n\
         m = { type = \"integer\", maximum = 1, clamp = true }\n\
         [endpoints.b]\npath = \"/b\"\nsql = \"SELECT 1\"\nreply = { page = \"@page\" }\n",
        &[
            "ringmill.toml:4: endpoints.a.reply.x: \"@params.x\" names no parameter; name one of params, or of the path",
            "ringmill.toml:4: endpoints.a.reply.y: \"@params\" is no place; a string that begins with @ is written \"@@…\"",
            "ringmill.toml:4: endpoints.a.reply.z: \"@param.m\" is no place; did you mean \"@params.NAME\"? a string that begins with @ is written \"@@…\"",
            "ringmill.toml:6: endpoints.a.params.id.clamp: a path names its row exactly; remove clamp, or take the \
             parameter out of the path",
            "ringmill.toml:7: endpoints.a.params.n.clamp: there is no bound to go to; write minimum or maximum, or \
             remove clamp",
            "ringmill.toml:12: endpoints.b.reply.page: \"@page\" has no value in this reply; here there are @rows, \
             @count",
        ],
    );
}

#[test]
fn two_endpoints_of_one_path_are_one_fault() {
    let endpoint = |name: &str, methods: &str| {
        format!("[endpoints.{name}]\npath = \"/e\"\nmethods = [{methods}]\njson = 1\n")
    };
    let four = "\"GET\", \"POST\", \"PUT\", \"DELETE\"";
    check(
        &format!("{}{}{}", endpoint("a", four), endpoint("b", four), endpoint("c", "\"GET\", \"PATCH\"")),
        &[
            "ringmill.toml:6: endpoints.b.path: GET, POST, PUT, DELETE of this path are routes of endpoints.a.path \
             (ringmill.toml:2) already; change one of the paths or methods",
            "ringmill.toml:10: endpoints.c.path: GET of this path is a route of endpoints.a.path (ringmill.toml:2) \
             already; change one of the paths or methods",
        ],
    );
}
