//! Every row of the contract that is ours, byte by byte, on the built-in file.

use super::{JSON, Served, text};
use ringmill_http1::Method::{self, Delete, Get, Head, Options, Patch, Post, Put};

fn with_users(count: usize) -> Served {
    let served = Served::builtin();
    for number in 1..=count {
        let body = format!(r#"{{"name":"N{number}","email":"n{number}@a.b"}}"#);
        let row = format!(r#"{{"id":{number},"name":"N{number}","email":"n{number}@a.b"}}"#);
        served.check(Post, "/api/users", &body, 201, &row);
    }
    served
}

#[test]
fn list() {
    let served = with_users(3);
    let all = r#"{"users":[{"id":1,"name":"N1","email":"n1@a.b"},{"id":2,"name":"N2","email":"n2@a.b"},{"id":3,"name":"N3","email":"n3@a.b"}],"total":3,"page":1,"per_page":20}"#;
    for target in [
        "/api/users",
        "/api/users?",
        "/api/users?page=1&per_page=20",
        "/api/users?page=0",
        "/api/users?page=-1",
        "/api/users?page=x&per_page=",
        "/api/users?page=1.5&per_page=0",
        "/api/users?other=1&&=&page",
        "/api/users?page=%FF",
    ] {
        served.check(Get, target, "", 200, all);
    }
    served.check(
        Get,
        "/api/users?page=2&per_page=1",
        "",
        200,
        r#"{"users":[{"id":2,"name":"N2","email":"n2@a.b"}],"total":3,"page":2,"per_page":1}"#,
    );
    served.check(Get, "/api/users?page=2", "", 200, r#"{"users":[],"total":3,"page":2,"per_page":20}"#);
    served.check(
        Get,
        "/api/users?page=99999999999999999999999&per_page=1000",
        "",
        200,
        r#"{"users":[],"total":3,"page":9223372036854775807,"per_page":100}"#,
    );
    served.check(
        Get,
        "/api/users?per%5Fpage=1&page=%33",
        "",
        200,
        r#"{"users":[{"id":3,"name":"N3","email":"n3@a.b"}],"total":3,"page":3,"per_page":1}"#,
    );
    Served::builtin().check(Get, "/api/users", "", 200, r#"{"users":[],"total":0,"page":1,"per_page":20}"#);
}

#[test]
fn create() {
    let served = Served::builtin();
    let answer = served.check(
        Post,
        "/api/users",
        r#"{"name":"Ann","email":"ann@a.b"}"#,
        201,
        r#"{"id":1,"name":"Ann","email":"ann@a.b"}"#,
    );
    assert_eq!(answer.location.as_deref(), Some("/api/user/1"));
    assert_eq!(answer.content_type, "application/json");
    let missing = r#"{"error":"Missing required fields","errors":{"email":["is required"]}}"#;
    served.check(Post, "/api/users", r#"{"name":"Ann"}"#, 400, missing);
    served.check(Post, "/api/users", r#"{"name":"Ann","email":null}"#, 400, missing);
    served.check(
        Post,
        "/api/users",
        "{}",
        400,
        r#"{"error":"Missing required fields","errors":{"name":["is required"],"email":["is required"]}}"#,
    );
    served.check(
        Post,
        "/api/users",
        r#"{"name":"","age":151,"x":1}"#,
        400,
        r#"{"error":"Missing required fields","errors":{"name":["must be at least 1 character"],"email":["is required"],"age":["must be at most 150"],"x":["is unknown"]}}"#,
    );
    served.check(
        Post,
        "/api/users",
        r#"{"id":1,"name":7,"email":"ann","status":"active","created_at":null}"#,
        400,
        r#"{"error":"Validation failed","errors":{"id":["may not be set"],"name":["must be a string"],"email":["must be a valid e-mail address"],"status":["may not be set"],"created_at":["may not be set"]}}"#,
    );
    let answer = served.check(
        Post,
        "/api/users",
        r#"{"name":"Bob","email":"ann@a.b"}"#,
        409,
        r#"{"error":"Failed to create user","errors":{"email":["is already taken"]}}"#,
    );
    assert_eq!(answer.cause.as_deref(), Some("unique constraint on users.email"));
    // A refused row takes no number.
    served.check(Post, "/api/user", r#"{"name":"C","email":"c@a.b"}"#, 200, r#"{"id":2}"#);
}

#[test]
fn the_short_create() {
    let served = with_users(6);
    served.check(Post, "/api/user", r#"{"name":"Seven","email":"7@a.b"}"#, 200, r#"{"id":7}"#);
    served.check(
        Post,
        "/api/user",
        r#"{"name":"Seven"}"#,
        400,
        r#"{"error":"Validation failed","errors":{"email":["is required"]}}"#,
    );
    served.check(
        Post,
        "/api/user",
        r#"{"name":"Seven","email":"7@a.b"}"#,
        409,
        r#"{"error":"Conflict","errors":{"email":["is already taken"]}}"#,
    );
}

#[test]
fn get() {
    let served = with_users(1);
    for target in ["/api/user/1", "/api/user/%31", "/%61pi/user/1?x=1"] {
        served.check(Get, target, "", 200, r#"{"id":1,"name":"N1","email":"n1@a.b"}"#);
    }
    for target in [
        "/api/user/2",
        "/api/user/x",
        "/api/user/1.0",
        "/api/user/99999999999999999999",
        "/api/user/%FF",
        "/api/user/1%2F",
        "/api/user/1%00",
        "/api/user/+1",
        "/api/user/%201",
    ] {
        served.check(Get, target, "", 404, r#"{"error":"User not found"}"#);
    }
}

#[test]
fn put() {
    let served = with_users(2);
    served.check(
        Put,
        "/api/user/1",
        r#"{"name":"A","email":"a@a.b","age":30}"#,
        200,
        r#"{"message":"Updated"}"#,
    );
    served.check(Get, "/api/user/1", "", 200, r#"{"id":1,"name":"A","email":"a@a.b"}"#);
    // What may not be written may be repeated.
    let same = r#"{"id":1,"name":"B","email":"a@a.b","status":"active"}"#;
    served.check(Put, "/api/user/1", same, 200, r#"{"message":"Updated"}"#);
    served.check(Get, "/api/user/1", "", 200, r#"{"id":1,"name":"B","email":"a@a.b"}"#);
    served.check(
        Put,
        "/api/user/1",
        r#"{"id":2,"name":"C","email":"a@a.b","status":"blocked"}"#,
        400,
        r#"{"error":"Validation failed","errors":{"id":["may not be changed"],"status":["may not be changed"]}}"#,
    );
    served.check(Get, "/api/user/1", "", 200, r#"{"id":1,"name":"B","email":"a@a.b"}"#);
    served.check(
        Put,
        "/api/user/1",
        r#"{"name":"A"}"#,
        400,
        r#"{"error":"Missing required fields","errors":{"email":["is required"]}}"#,
    );
    served.check(
        Put,
        "/api/user/1",
        r#"{"name":"A","email":"n2@a.b"}"#,
        409,
        r#"{"error":"Failed to create user","errors":{"email":["is already taken"]}}"#,
    );
    for target in ["/api/user/3", "/api/user/x"] {
        let body = r#"{"id":3,"name":"A","email":"c@a.b"}"#;
        served.check(Put, target, body, 404, r#"{"error":"User not found"}"#);
    }
}

#[test]
fn put_keeps_what_is_hidden() {
    let mut plan = super::builtin_plan();
    let served = Served::new(&plan);
    served.check(
        Post,
        "/api/users",
        r#"{"name":"A","email":"a@a.b","age":40}"#,
        201,
        r#"{"id":1,"name":"A","email":"a@a.b"}"#,
    );
    served.check(Put, "/api/user/1", r#"{"name":"B","email":"a@a.b"}"#, 200, r#"{"message":"Updated"}"#);
    plan.tables[0].columns.iter_mut().for_each(|column| column.hidden = false);
    let open = Served { api: super::Api::new(&plan), ..served };
    let answer = open.get("/api/user/1");
    assert_eq!(
        text(&answer),
        r#"{"id":1,"name":"B","email":"a@a.b","age":40,"status":"active","created_at":"2026-11-24T02:00:00.123456Z","updated_at":"2026-11-24T02:00:00.123457Z"}"#
    );
    // Returned now, so left out means NULL; what was read may be sent back.
    open.check(Put, "/api/user/1", text(&answer), 200, r#"{"message":"Updated"}"#);
    open.check(Put, "/api/user/1", r#"{"name":"B","email":"a@a.b"}"#, 200, r#"{"message":"Updated"}"#);
    let row = open.get("/api/user/1");
    assert!(text(&row).contains(r#""age":null,"status":"active""#), "{}", text(&row));
    // What another has changed meanwhile is seen.
    let stale = text(&answer).replace("123457Z", "000000Z");
    open.check(
        Put,
        "/api/user/1",
        &stale,
        400,
        r#"{"error":"Validation failed","errors":{"updated_at":["may not be changed"]}}"#,
    );
}

#[test]
fn patch() {
    let served = with_users(2);
    served.check(Patch, "/api/user/1", r#"{"name":"P"}"#, 200, r#"{"message":"Updated"}"#);
    served.check(Get, "/api/user/1", "", 200, r#"{"id":1,"name":"P","email":"n1@a.b"}"#);
    served.check(Patch, "/api/user/1", "{}", 200, r#"{"message":"Updated"}"#);
    served.check(Patch, "/api/user/1", r#"{"id":1}"#, 200, r#"{"message":"Updated"}"#);
    served.check(
        Patch,
        "/api/user/1",
        r#"{"id":2}"#,
        400,
        r#"{"error":"Validation failed","errors":{"id":["may not be changed"]}}"#,
    );
    served.check(
        Patch,
        "/api/user/1",
        r#"{"name":null}"#,
        400,
        r#"{"error":"Missing required fields","errors":{"name":["is required"]}}"#,
    );
    served.check(Patch, "/api/user/9", "{}", 404, r#"{"error":"User not found"}"#);
    served.check(Patch, "/api/user/9", r#"{"name":"x"}"#, 404, r#"{"error":"User not found"}"#);
    served.check(
        Patch,
        "/api/user/1",
        r#"{"email":"n2@a.b"}"#,
        409,
        r#"{"error":"Failed to create user","errors":{"email":["is already taken"]}}"#,
    );
}

#[test]
fn delete() {
    let served = with_users(1);
    served.check(Delete, "/api/user/1", "", 200, r#"{"message":"User deleted"}"#);
    served.check(Delete, "/api/user/1", "", 404, r#"{"error":"User not found"}"#);
    served.check(Delete, "/api/user/x", "", 404, r#"{"error":"User not found"}"#);
    // Its number does not come back.
    served.check(Post, "/api/user", r#"{"name":"n","email":"n@a.b"}"#, 200, r#"{"id":2}"#);
}

#[test]
fn posts_and_constants() {
    let served = Served::builtin();
    served.check(Get, "/api/posts", "", 200, "[]");
    served.check(Get, "/api/data", "", 200, r#"{"data":"Your data here"}"#);
    served.check(Get, "/api/heavy-operation", "", 200, r#"{"result":"Done"}"#);
}

#[test]
fn methods() {
    let served = Served::builtin();
    for (target, allow) in [
        ("/api/users", "GET, HEAD, POST, OPTIONS"),
        ("/api/user/1", "GET, HEAD, PUT, PATCH, DELETE, OPTIONS"),
        ("/api/user", "POST, OPTIONS"),
        ("/api/data", "GET, HEAD, OPTIONS"),
    ] {
        let answer = served.ask(Options, target, None, b"");
        assert_eq!((answer.status, text(&answer), answer.content_type.as_ref()), (204, "", ""));
        assert_eq!(answer.allow.as_deref(), Some(allow), "{target}");
        for method in [Method::Trace, Method::Connect] {
            let answer = served.ask(method, target, None, b"");
            assert_eq!((answer.status, text(&answer)), (405, r#"{"error":"Method not allowed"}"#));
            assert_eq!(answer.allow.as_deref(), Some(allow), "{target}");
        }
        let answer = served.ask(Method::Unknown, target, None, b"");
        assert_eq!((answer.status, text(&answer)), (501, r#"{"error":"Not implemented"}"#));
    }
    let answer = served.check(Delete, "/api/users", "", 405, r#"{"error":"Method not allowed"}"#);
    assert_eq!(answer.allow.as_deref(), Some("GET, HEAD, POST, OPTIONS"));
    served.check(Get, "/api/user", "", 405, r#"{"error":"Method not allowed"}"#);
    let head = served.ask(Head, "/api/data", None, b"");
    assert_eq!(head, served.get("/api/data"));
    for target in
        ["/", "/api/users/", "/api/user/", "/api/user/1/", "/API/users", "//api/users", "/api%2Fusers"]
    {
        served.check(Get, target, "", 404, r#"{"error":"Not found"}"#);
    }
    assert_eq!(served.ask(Method::Unknown, "/nowhere", None, b"").status, 501);
    assert_eq!(served.ask(Method::Trace, "/nowhere", None, b"").status, 405);
    assert_eq!(served.ask(Options, "/nowhere", None, b"").status, 404);
}

#[test]
fn content_types() {
    let served = Served::builtin();
    let body = br#"{"name":"A"}"#;
    for content_type in [
        JSON,
        Some("application/json; charset=utf-8"),
        Some("Application/JSON;charset=UTF-8"),
        Some(" application/json "),
    ] {
        assert_eq!(served.ask(Post, "/api/users", content_type, body).status, 400, "{content_type:?}");
    }
    for content_type in
        [None, Some(""), Some("text/plain"), Some("application/jsonp"), Some("application/json2;x")]
    {
        for (method, target) in
            [(Post, "/api/users"), (Put, "/api/user/1"), (Patch, "/api/user/1"), (Post, "/api/user")]
        {
            let answer = served.ask(method, target, content_type, body);
            let expected = r#"{"error":"Content-Type must be application/json"}"#;
            assert_eq!((answer.status, text(&answer)), (415, expected), "{content_type:?}");
        }
    }
}
