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
    served.check(Post, "/posts", r#"{"user_id":1}"#, 400, r#"{"error":"Validation failed"}"#);
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
