//! What the store says to what the client gets.

use super::{Api, builtin_plan, question, text};
use ringmill_http1::Method::{self, Delete, Get, Post, Put};
use ringmill_sqlite::Error;

#[test]
fn faults_of_the_store() {
    let api = Api::new(&builtin_plan());
    let row = r#"{"name":"A","email":"a@a.b"}"#;
    let requests: [(Method, &str, &str); 7] = [
        (Get, "/api/users", ""),
        (Get, "/api/user/1", ""),
        (Post, "/api/users", row),
        (Put, "/api/user/1", row),
        (Delete, "/api/user/1", ""),
        (Post, "/api/user", row),
        (Get, "/api/posts", ""),
    ];
    for (method, target, body) in requests {
        let detail = || "secret".to_owned();
        for (error, status, expected, retry_after_seconds) in [
            (Error::Timeout, 503, r#"{"error":"Service unavailable"}"#, Some(1)),
            (Error::Unavailable { detail: detail() }, 503, r#"{"error":"Service unavailable"}"#, Some(1)),
            (Error::OutcomeUnknown { detail: detail() }, 504, r#"{"error":"Outcome unknown"}"#, None),
            (Error::Crowded, 503, r#"{"error":"Service unavailable"}"#, Some(1)),
            (Error::NotBegun, 503, r#"{"error":"Service unavailable"}"#, Some(1)),
            (Error::Damaged { detail: detail() }, 500, r#"{"error":"Internal server error"}"#, None),
            (Error::TooLarge, 500, r#"{"error":"Internal server error"}"#, None),
            (Error::Statement { detail: detail() }, 500, r#"{"error":"Internal server error"}"#, None),
        ] {
            let (_, pending) = question(&api, method, target, body);
            let answer = api.finish(pending, Err(error));
            assert_eq!((answer.status, text(&answer)), (status, expected), "{method:?} {target}");
            assert_eq!(answer.retry_after_seconds, retry_after_seconds);
            assert!(answer.cause.is_some());
        }
    }
}

#[test]
fn constraints() {
    let api = Api::new(&builtin_plan());
    let row = r#"{"name":"A","email":"a@a.b"}"#;
    let check = |method, target, error, status, expected: &str| {
        let (_, pending) = question(&api, method, target, row);
        let answer = api.finish(pending, Err(error));
        assert_eq!((answer.status, text(&answer)), (status, expected));
        assert!(answer.cause.is_some());
    };
    let unique =
        |columns: &[&str]| Error::Unique { columns: columns.iter().map(|name| (*name).to_owned()).collect() };
    let not_null = |column: &str| Error::NotNull { column: column.to_owned() };
    let constraint = |detail: &str| Error::Constraint { detail: detail.to_owned() };
    let taken = r#"{"error":"Failed to create user","errors":{"email":["is already taken"]}}"#;
    let unnamed = r#"{"error":"Failed to create user","errors":{}}"#;
    check(Post, "/api/users", unique(&["users.email"]), 409, taken);
    check(Put, "/api/user/1", unique(&["users.email"]), 409, taken);
    check(Post, "/api/users", unique(&[]), 409, unnamed);
    check(Post, "/api/users", unique(&["other.email", "users.none", "usersXemail"]), 409, unnamed);
    let required = r#"{"error":"Validation failed","errors":{"name":["is required"]}}"#;
    check(Post, "/api/users", not_null("users.name"), 400, required);
    check(Post, "/api/users", not_null("audit.name"), 400, r#"{"error":"Validation failed","errors":{}}"#);
    let not_allowed = r#"{"error":"Validation failed","errors":{"age":["is not allowed"]}}"#;
    check(Post, "/api/users", constraint("CHECK constraint failed: age"), 400, not_allowed);
    let unnamed = r#"{"error":"Validation failed","errors":{}}"#;
    check(Post, "/api/users", constraint("CHECK constraint failed: x > 1"), 400, unnamed);
    let referred = r#"{"error":"Conflict","errors":{"id":["is still referred to"]}}"#;
    check(Delete, "/api/user/1", Error::ForeignKey, 409, referred);
    check(
        Post,
        "/api/user",
        unique(&["users.email"]),
        409,
        r#"{"error":"Conflict","errors":{"email":["is already taken"]}}"#,
    );
    check(Post, "/api/user", unique(&["users.id"]), 409, r#"{"error":"Conflict"}"#);
    check(Post, "/api/user", not_null("users.name"), 400, required);
    check(Post, "/api/user", Error::ForeignKey, 400, r#"{"error":"Validation failed"}"#);
    check(
        Post,
        "/api/user",
        constraint("CHECK constraint failed: name"),
        400,
        r#"{"error":"Validation failed","errors":{"name":["is not allowed"]}}"#,
    );
}
