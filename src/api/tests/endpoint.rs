//! SQL endpoints and echoes.

use super::{JSON, Served, text};
use ringmill_http1::Method::{Delete, Get, Patch, Post, Put};

const FILE: &str = r#"
    [tables.users]
    [tables.users.columns]
    id = { type = "bigint", generated = "identity" }
    name = { type = "text", required = true, max_length = 5 }
    admin = { type = "boolean", default = false }
    price = "numeric"
    [tables.posts]
    [tables.posts.columns]
    id = { type = "bigint", generated = "identity" }
    user_id = { type = "bigint", required = true, references = "users.id" }

    [endpoints.find]
    path = "/find"
    params = { name = "users.name", least = { type = "bigint", default = 0 }, flag = { type = "boolean", required = false } }
    sql = "SELECT id, admin, price, $flag AS flag, '$name' AS literal FROM users WHERE name = $name AND id >= $least"
    columns = { flag = "boolean" }
    [endpoints.one]
    path = "/users/{id}/{name}"
    params = { id = "users.id" }
    sql = "SELECT id, $name AS name FROM users WHERE id = $id"
    shape = "row"
    [endpoints.add]
    path = "/users"
    methods = ["POST", "PUT"]
    params = { name = "users.name", admin = "users.admin" }
    sql = "INSERT INTO users (name, admin) VALUES ($name, $admin) RETURNING *"
    shape = "row"
    status = 201
    reply = { user = "@row", id = "@row.id" }
    [endpoints.rename]
    path = "/users/{id}"
    methods = ["PATCH", "DELETE"]
    params = { id = "users.id", name = "users.name" }
    sql = "UPDATE users SET name = $name WHERE id = $id"
    shape = "row"
    reply = { message = "Renamed" }
    [endpoints.remove]
    path = "/remove/{id}"
    methods = ["DELETE"]
    params = { id = "users.id" }
    sql = "DELETE FROM users WHERE id = $id"
    [endpoints.post]
    path = "/posts"
    methods = ["POST"]
    params = { user_id = "posts.user_id" }
    sql = "INSERT INTO posts (user_id) VALUES ($user_id) RETURNING id"
    shape = "row"
    [endpoints.counted]
    path = "/counted"
    sql = "SELECT id FROM users ORDER BY id"
    reply = { data = "@rows", count = "@count" }
    [endpoints.value]
    path = "/value"
    sql = "SELECT json_object('n', count(*)) FROM users"
    shape = "value"
    [endpoints.name]
    path = "/name"
    sql = "SELECT name FROM users ORDER BY id LIMIT 1"
    shape = "value"
    [endpoints.total]
    path = "/total"
    sql = "SELECT count(*) FROM users"
    shape = "value"
    [endpoints.silent]
    path = "/silent"
    sql = "SELECT 1 AS one"
    status = 204
    [endpoints.echo]
    path = "/echo"
    methods = ["GET", "POST"]
    echo = true
"#;

#[test]
fn parameters_of_a_query() {
    let served = Served::of(FILE);
    served.check(Get, "/find?name=x", "", 200, "[]");
    served.check(
        Post,
        "/users",
        r#"{"name":"Al B"}"#,
        201,
        r#"{"user":{"id":1,"name":"Al B","admin":false,"price":null},"id":1}"#,
    );
    let row =
        |flag: &str| format!(r#"[{{"id":1,"admin":false,"price":null,"flag":{flag},"literal":"$name"}}]"#);
    served.check(Get, "/find?name=Al+B", "", 200, &row("null"));
    served.check(Get, "/find?name=Al%20B&flag=true&least=1&other=2", "", 200, &row("true"));
    served.check(Get, "/find?name=Al+B&name=x&least=1", "", 200, &row("null"));
    served.check(Get, "/find?name=Al+B&least=2", "", 200, "[]");
    served.check(
        Get,
        "/find?least=x&flag=1",
        "",
        400,
        r#"{"error":"Validation failed","errors":{"name":["is required"],"least":["must be an integer"],"flag":["must be true or false"]}}"#,
    );
    served.check(
        Get,
        "/find?name=123456",
        "",
        400,
        r#"{"error":"Validation failed","errors":{"name":["must be at most 5 characters"]}}"#,
    );
}

#[test]
fn parameters_of_a_path() {
    let served = Served::of(FILE);
    served.check(
        Put,
        "/users",
        r#"{"name":"A","admin":true}"#,
        201,
        r#"{"user":{"id":1,"name":"A","admin":true,"price":null},"id":1}"#,
    );
    served.check(Get, "/users/1/x%2Fy", "", 200, r#"{"id":1,"name":"x/y"}"#);
    served.check(Get, "/users/1/x?id=2&name=z", "", 200, r#"{"id":1,"name":"x"}"#);
    served.check(Get, "/users/2/x", "", 404, r#"{"error":"Not found"}"#);
    served.check(Get, "/users/a/x", "", 404, r#"{"error":"Not found"}"#);
    served.check(Get, "/users/1/%FF", "", 404, r#"{"error":"Not found"}"#);
}

#[test]
fn parameters_of_a_body() {
    let served = Served::of(FILE);
    served.check(
        Post,
        "/users",
        r#"{"name":"A","id":1}"#,
        400,
        r#"{"error":"Validation failed","errors":{"id":["is unknown"]}}"#,
    );
    served.check(
        Post,
        "/users?name=B",
        "{}",
        201,
        r#"{"user":{"id":1,"name":"B","admin":false,"price":null},"id":1}"#,
    );
    let answer = served.ask(Post, "/users?name=C", None, b"");
    assert_eq!(answer.status, 201);
    let answer = served.ask(Post, "/users", None, b"");
    assert_eq!(text(&answer), r#"{"error":"Validation failed","errors":{"name":["is required"]}}"#);
    let answer = served.ask(Post, "/users?name=C", JSON, b"");
    assert_eq!(answer.status, 400);
    served.check(Patch, "/users/1", r#"{"name":"D"}"#, 200, r#"{"message":"Renamed"}"#);
    served.check(Patch, "/users/9", r#"{"name":"D"}"#, 404, r#"{"error":"Not found"}"#);
    served.check(
        Patch,
        "/users/1",
        r#"{"name":"D","id":1}"#,
        400,
        r#"{"error":"Validation failed","errors":{"id":["is unknown"]}}"#,
    );
    served.check(Delete, "/users/1?name=E", "", 200, r#"{"message":"Renamed"}"#);
}

#[test]
fn shapes() {
    let served = Served::of(FILE);
    served.check(Get, "/counted", "", 200, r#"{"data":[],"count":0}"#);
    served.check(Get, "/name", "", 404, r#"{"error":"Not found"}"#);
    served.check(
        Post,
        "/users",
        r#"{"name":"12"}"#,
        201,
        r#"{"user":{"id":1,"name":"12","admin":false,"price":null},"id":1}"#,
    );
    served.check(Get, "/counted", "", 200, r#"{"data":[{"id":1}],"count":1}"#);
    served.check(Get, "/value", "", 200, r#"{"n":1}"#);
    served.check(Get, "/name", "", 200, r#""12""#);
    served.check(Get, "/total", "", 200, "1");
}

#[test]
fn constraints() {
    let served = Served::of(FILE);
    let nobody = r#"{"error":"Validation failed","errors":{"user_id":["does not exist"]}}"#;
    served.check(Post, "/posts", r#"{"user_id":1}"#, 400, nobody);
    served.check(
        Post,
        "/users",
        r#"{"name":"A"}"#,
        201,
        r#"{"user":{"id":1,"name":"A","admin":false,"price":null},"id":1}"#,
    );
    served.check(Post, "/posts", r#"{"user_id":1}"#, 200, r#"{"id":1}"#);
    served.check(Delete, "/remove/1", "", 409, r#"{"error":"Conflict"}"#);
}

#[test]
fn echo() {
    let served = Served::of(FILE);
    let answer = served.check(Get, "/echo", "", 200, "Host: test\nX-Many: a, b\n");
    assert_eq!(answer.content_type, "text/plain");
    for (sent, expected) in [
        (Some("text/x; a=b"), "text/x; a=b"),
        (Some("text/x\r\nA: b"), "application/octet-stream"),
        (None, "application/octet-stream"),
    ] {
        let answer = served.ask(Post, "/echo", sent, b"\0\xff");
        assert_eq!(
            (answer.status, answer.body.as_slice(), answer.content_type.as_ref()),
            (200, &b"\0\xff"[..], expected)
        );
    }
    assert_eq!(served.ask(Put, "/echo", None, b"").status, 405);
}

const CLAMPED: &str = r#"
    [tables.items]
    [tables.items.columns]
    id = "bigint"
    kind = { type = "text", required = true }

    [endpoints.page]
    path = "/items/{kind}"
    sql = "SELECT id FROM items WHERE kind = $kind ORDER BY id LIMIT $limit OFFSET ($page - 1) * $limit"
    reply = { items = "@rows", total = "@count", of = { kind = "@params.kind", page = "@params.page", limit = "@params.limit" } }
    [endpoints.page.params]
    page = { type = "integer", default = 1, minimum = 1, clamp = true }
    limit = { type = "smallint", default = 10, minimum = 1, maximum = 50, clamp = true }

    [endpoints.numbers]
    path = "/numbers"
    methods = ["GET", "POST"]
    sql = "SELECT 1 AS one"
    shape = "row"
    reply = { big = "@params.big", exact = "@params.exact", half = "@params.half", odd = "@params.odd" }
    [endpoints.numbers.params]
    big = { type = "bigint", required = false, minimum = 0, clamp = true }
    exact = { type = "numeric", required = false, maximum = 9.99, clamp = true }
    half = { type = "double", required = false, minimum = -0.5, maximum = 0.5, clamp = true }
    odd = { type = "integer", required = false, minimum = 1, maximum = 9, enum = [1, 3, 5, 7, 9], clamp = true }
"#;

/// The bodies of these queries.
#[track_caller]
fn check_clamped(served: &Served, rows: &[(&str, &str)]) {
    for (target, expected) in rows {
        served.check(Get, target, "", 200, expected);
    }
}

#[test]
fn numbers_beyond_a_bound_become_the_bound() {
    let served = Served::of(CLAMPED);
    let page = |page: &str, limit: &str| {
        format!(r#"{{"items":[],"total":0,"of":{{"kind":"a","page":{page},"limit":{limit}}}}}"#)
    };
    for (query, expected) in [
        ("", page("1", "10")),
        ("?page=2&limit=50", page("2", "50")),
        ("?page=0&limit=0", page("1", "1")),
        ("?page=-7&limit=51", page("1", "50")),
        ("?page=99999999999999999999999&limit=99999", page("2147483647", "50")),
        ("?page=-99999999999999999999999&limit=-99999", page("1", "1")),
        ("?page=abc&limit=", page("1", "10")),
        ("?page=1.5&limit=1e1", page("1", "10")),
        ("?page=%2B1&limit=0x10", page("1", "10")),
    ] {
        served.check(Get, &format!("/items/a{query}"), "", 200, &expected);
    }
    let row = |big: &str, exact: &str, half: &str, odd: &str| {
        format!(r#"{{"big":{big},"exact":{exact},"half":{half},"odd":{odd}}}"#)
    };
    check_clamped(
        &served,
        &[
            ("/numbers", &row("null", "null", "null", "null")),
            (
                "/numbers?big=9223372036854775808&exact=9.990000001",
                &row("9223372036854775807", "9.99", "null", "null"),
            ),
            ("/numbers?big=-1&exact=-1e400", &row("0", "-1e400", "null", "null")),
            ("/numbers?half=1e400&odd=0", &row("null", "null", "0.5", "1")),
            ("/numbers?half=-1e-400&odd=10", &row("null", "null", "null", "9")),
        ],
    );
    // Other rules stay, and a body's value has to be a number.
    let odd = r#"{"error":"Validation failed","errors":{"odd":["must be one of: 1, 3, 5, 7, 9"]}}"#;
    served.check(Get, "/numbers?odd=4", "", 400, odd);
    served.check(Post, "/numbers", r#"{"odd":4}"#, 400, odd);
    served.check(Post, "/numbers", r#"{"big":-5,"odd":11}"#, 200, &row("0", "null", "null", "9"));
    let number = r#"{"error":"Validation failed","errors":{"big":["must be an integer"]}}"#;
    served.check(Post, "/numbers", r#"{"big":"5"}"#, 400, number);
    served.check(Post, "/numbers", r#"{"big":1.5}"#, 400, number);
}

#[test]
fn an_endpoint_brings_its_own_timeout() {
    let served = Served::of(
        "[endpoints.a]\npath = \"/a\"\nsql = \"SELECT 1 AS n\"\ntimeout = \"250ms\"\n\
         [endpoints.b]\npath = \"/b\"\nsql = \"SELECT 1 AS n\"",
    );
    let timeout = |path| super::question(&served.api, Get, path, "").0.statement_timeout;
    assert_eq!(timeout("/a"), Some(std::time::Duration::from_millis(250)));
    assert_eq!(timeout("/b"), None);
}

#[test]
fn a_status_without_a_body() {
    let served = Served::of(FILE);
    let answer = served.check(Get, "/silent", "", 204, "");
    assert_eq!(answer.content_type, "");
}

#[test]
fn values_that_the_statement_cannot_be_run_with() {
    let served = Served::of(
        r#"
        [endpoints.path]
        path = "/path"
        sql = "SELECT json_extract('{\"a\":1}', $path) AS n"
        params = { path = { type = "text" } }
        [endpoints.page]
        path = "/page"
        sql = "SELECT 1 AS n LIMIT $most OFFSET $first"
        params = { most = { type = "text" }, first = { type = "numeric", default = 0 } }
        [endpoints.long]
        path = "/long"
        methods = ["POST"]
        sql = "SELECT length(printf('%.*c', $length, 'x')) AS length"
        params = { length = { type = "bigint" } }
        [endpoints.always]
        path = "/always"
        sql = "SELECT abs(-9223372036854775807 - 1) AS n"
        "#,
    );
    let refused =
        |field: &str| format!(r#"{{"error":"Validation failed","errors":{{"{field}":["is not allowed"]}}}}"#);
    served.check(Get, "/path?path=$.a", "", 200, r#"[{"n":1}]"#);
    let answer = served.check(Get, "/path?path=a", "", 400, &refused("path"));
    assert_eq!(answer.cause.as_deref(), Some("bad JSON path: 'a'"));
    served.check(Get, "/page?most=1", "", 200, r#"[{"n":1}]"#);
    // Which of two is to blame SQLite does not say.
    served.check(Get, "/page?most=x", "", 400, r#"{"error":"Validation failed"}"#);
    served.check(Get, "/page?most=1&first=0.5", "", 400, r#"{"error":"Validation failed"}"#);
    served.check(Post, "/long", r#"{"length":9}"#, 200, r#"[{"length":9}]"#);
    served.check(Post, "/long", r#"{"length":900000000}"#, 400, &refused("length"));
    served.check(Get, "/always", "", 500, r#"{"error":"Internal server error"}"#);
}

#[test]
fn text_that_is_none_is_the_parameters_fault_if_there_are_some() {
    let served = Served::of(
        r#"
        [tables.notes]
        list = "/notes"
        item = "/notes/{id}"
        replies.update = "@row"
        columns = { id = { type = "bigint", generated = "identity" }, what = "text", n = "integer" }
        [endpoints.add]
        path = "/add"
        methods = ["POST"]
        sql = "INSERT INTO notes (what) VALUES (char($code)) RETURNING what"
        params = { code = { type = "integer" } }
        shape = "value"
        [endpoints.silent]
        path = "/silent"
        methods = ["POST"]
        sql = "INSERT INTO notes (what) VALUES (char($code))"
        params = { code = { type = "integer" } }
        [endpoints.all]
        path = "/all"
        sql = "SELECT what FROM notes"
        "#,
    );
    let failed = r#"{"error":"Internal server error"}"#;
    let refused = r#"{"error":"Validation failed","errors":{"code":["is not allowed"]}}"#;
    served.check(Post, "/add", r#"{"code":65}"#, 200, r#""A""#);
    let answer = served.check(Post, "/add", r#"{"code":55296}"#, 400, refused);
    assert_eq!(answer.cause.as_deref(), Some("the text in column 0 is no UTF-8"));
    served.check(Get, "/all", "", 200, r#"[{"what":"A"}]"#);
    // Nobody's parameter is to blame for what was stored before.
    served.check(Post, "/silent", r#"{"code":55296}"#, 200, "[]");
    served.check(Get, "/all", "", 500, failed);
    served.check(Get, "/notes/2", "", 500, failed);
    served.check(Patch, "/notes/2", r#"{"n":1}"#, 500, failed);
    served.check(Put, "/notes/2", r#"{"what":"B","n":1}"#, 200, r#"{"id":2,"what":"B","n":1}"#);
    served.check(Get, "/all", "", 200, r#"[{"what":"A"},{"what":"B"}]"#);
}

/// As docs/CONFIGURATION.md says.
#[test]
fn numerics_in_sql_of_the_file() {
    for (key, value, expected) in [
        ("price", "$price", r#"[{"price":10.5},{"price":1e1},{"price":9.25},{"price":9.5}]"#),
        ("CAST(price AS REAL)", "CAST($price AS REAL)", r#"[{"price":9.25},{"price":9.5},{"price":1e1}]"#),
        (
            "price COLLATE decimal",
            "$price COLLATE decimal",
            r#"[{"price":9.25},{"price":9.5},{"price":1e1}]"#,
        ),
    ] {
        let served = Served::of(&format!(
            "[tables.things]\nlist = \"/things\"\n[tables.things.columns]\n\
             id = {{ type = \"bigint\", generated = \"identity\" }}\nprice = \"numeric\"\n\
             [endpoints.a]\npath = \"/a\"\nparams = {{ price = {{ type = \"numeric\" }} }}\n\
             sql = \"SELECT price FROM things WHERE price IS NOT NULL AND {} < {value} ORDER BY {key}\"\n",
            key.split(" COLLATE").next().unwrap()
        ));
        for price in ["10.5", "9.5", "9.25", "1e1"] {
            assert_eq!(served.send(Post, "/things", &format!("{{\"price\":{price}}}")).status, 201);
        }
        let limit = if key == "price" { "99" } else { "10.25" };
        assert_eq!(text(&served.get(&format!("/a?price={limit}"))), expected, "{key}");
    }
}
