//! Endpoints with SQL, and a table whose rows belong to those of another.

use crate::server::{SHARDS, Setup};

/// Gives posts a list and an item.
fn with_posts(shards: usize) -> Setup<'static> {
    Setup::shards(shards).set("tables.posts.list", "/api/post").set("tables.posts.item", "/api/post/{id}")
}

#[test]
fn posts_are_joined_with_their_authors() {
    for shards in SHARDS {
        let server = with_posts(shards).start();
        let round = &mut server.round();
        round.get("/api/posts").is(200, "[]");
        for name in ["ada", "bo"] {
            let body = format!(r#"{{"name":"{name}","email":"{name}@example.com"}}"#);
            assert_eq!(round.ask("POST", "/api/users", Some(&body)).status, 201);
        }
        for (id, user, title) in [(1, 2, "One"), (2, 1, "Two"), (3, 2, "Three")] {
            let body = format!(r#"{{"user_id":{user},"title":"{title}"}}"#);
            let created = round.ask("POST", "/api/post", Some(&body));
            created.is(201, &format!(r#"{{"id":{id},"user_id":{user},"title":"{title}"}}"#));
            created.has("Location", Some(&format!("/api/post/{id}")));
        }
        let expected = concat!(
            r#"[{"id":1,"title":"One","author":"bo"},{"id":2,"title":"Two","author":"ada"},"#,
            r#"{"id":3,"title":"Three","author":"bo"}]"#
        );
        round.get("/api/posts").is(200, expected);
        round.get("/api/posts?page=7").is(200, expected);
        let nobody = round.ask("POST", "/api/post", Some(r#"{"user_id":9,"title":"Four"}"#));
        nobody.is(400, r#"{"error":"Validation failed","errors":{"user_id":["does not exist"]}}"#);
        let nobody = round.ask("PATCH", "/api/post/1", Some(r#"{"user_id":9}"#));
        nobody.is(400, r#"{"error":"Validation failed","errors":{"user_id":["does not exist"]}}"#);
        // A user takes the posts with it.
        round.ask("DELETE", "/api/user/2", None).is(200, r#"{"message":"User deleted"}"#);
        round.get("/api/posts").is(200, r#"[{"id":2,"title":"Two","author":"ada"}]"#);
        round.get("/api/post/1").is(404, r#"{"error":"Post not found"}"#);
    }
}

#[test]
fn the_short_way_to_create_a_user_answers_its_number() {
    for shards in SHARDS {
        let server = Setup::shards(shards).start();
        let round = &mut server.round();
        let body = r#"{"name":"Ada","email":"ada@example.com"}"#;
        round.ask("POST", "/api/user", Some(body)).is(200, r#"{"id":1}"#).has("Location", None);
        round.get("/api/user/1").is(200, r#"{"id":1,"name":"Ada","email":"ada@example.com"}"#);
        let taken = r#"{"error":"Conflict","errors":{"email":["is already taken"]}}"#;
        round.ask("POST", "/api/user", Some(body)).is(409, taken);
        let invalid = |errors: &str| format!(r#"{{"error":"Validation failed","errors":{{{errors}}}}}"#);
        for (body, errors) in [
            ("{}", r#""name":["is required"],"email":["is required"]"#),
            (r#"{"name":"x"}"#, r#""email":["is required"]"#),
            (
                r#"{"name":"","email":"x"}"#,
                r#""name":["must be at least 1 character"],"email":["must be a valid e-mail address"]"#,
            ),
            (r#"{"name":"x","email":"x@example.com","age":1}"#, r#""age":["is unknown"]"#),
            (
                r#"{"name":"x","email":"x@example.com","email":"x@example.com"}"#,
                r#""email":["is given twice"]"#,
            ),
            ("[1]", r#""body":["must be an object"]"#),
        ] {
            eprintln!("{body}");
            round.ask("POST", "/api/user", Some(body)).is(400, &invalid(errors));
        }
        assert_eq!(round.get("/api/users").json()["total"], 1);
        // Text never becomes SQL.
        let body = r#"{"name":"'); DROP TABLE users; --","email":"o'b@example.com"}"#;
        round.ask("POST", "/api/user", Some(body)).is(200, r#"{"id":2}"#);
        let expected = r#"{"id":2,"name":"'); DROP TABLE users; --","email":"o'b@example.com"}"#;
        round.get("/api/user/2").is(200, expected);
    }
}

/// Each shape, each source of a parameter, and what they do without a row.
const ENDPOINTS: &str = r#"
[endpoints.rows]
path = "/rows"
params = { least = { type = "integer", default = 0, maximum = 1000 } }
sql = "SELECT id, name FROM users WHERE id >= $least ORDER BY id"

[endpoints.row]
path = "/row/{email}"
params = { email = "users.email" }
sql = "SELECT name, age FROM users WHERE email = $email"
shape = "row"

[endpoints.value]
path = "/value"
sql = "SELECT count(*) AS n FROM users"
shape = "value"

[endpoints.rename]
path = "/rename/{id}"
methods = ["POST"]
params = { id = "users.id", name = "users.name" }
sql = "UPDATE users SET name = $name WHERE id = $id RETURNING id, name"
shape = "row"
status = 202
reply = { renamed = "@row.id", to = "@row.name" }
"#;

#[test]
fn sql_endpoints_take_parameters_from_path_query_and_body() {
    let server = Setup::shards(2).and(ENDPOINTS).start();
    let round = &mut server.round();
    round.get("/rows").is(200, "[]");
    round.get("/value").is(200, "0");
    round.get("/row/ada@example.com").is(404, r#"{"error":"Not found"}"#);
    for name in ["ada", "bo"] {
        let body = format!(r#"{{"name":"{name}","email":"{name}@example.com"}}"#);
        assert_eq!(round.ask("POST", "/api/users", Some(&body)).status, 201);
    }
    round.get("/rows").is(200, r#"[{"id":1,"name":"ada"},{"id":2,"name":"bo"}]"#);
    round.get("/rows?least=2").is(200, r#"[{"id":2,"name":"bo"}]"#);
    let out_of_range = r#"{"error":"Validation failed","errors":{"least":["must be at most 1000"]}}"#;
    round.get("/rows?least=1001").is(400, out_of_range);
    round.get("/value").is(200, "2");
    round.get("/row/b%6F%40example.com").is(200, r#"{"name":"bo","age":null}"#);
    round.ask("POST", "/rename/2", Some(r#"{"name":"Bob"}"#)).is(202, r#"{"renamed":2,"to":"Bob"}"#);
    round.ask("POST", "/rename/2?name=Rob", None).is(202, r#"{"renamed":2,"to":"Rob"}"#);
    round.ask("POST", "/rename/9?name=Rob", None).is(404, r#"{"error":"Not found"}"#);
    round.get("/api/user/2").is(200, r#"{"id":2,"name":"Rob","email":"bo@example.com"}"#);
}

/// What never ends by itself, and what ends after a while.
const LONG: &str = r#"
[endpoints.endless]
path = "/endless"
timeout = "300ms"
sql = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) AS n FROM n"
shape = "row"

[endpoints.endless_write]
methods = ["POST"]
path = "/endless"
timeout = "300ms"
sql = """
INSERT INTO users (name, email) SELECT 'x', max(i) FROM
(WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n)"""

[endpoints.patient]
path = "/patient"
timeout = "25s"
sql = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 3000000) SELECT max(i) FROM n"
shape = "value"

[endpoints.impatient]
path = "/impatient"
sql = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 3000000) SELECT max(i) FROM n"
shape = "value"
"#;

#[test]
fn an_endpoint_ends_after_its_own_timeout_and_others_go_on() {
    let unavailable = r#"{"error":"Service unavailable"}"#;
    let server = Setup::shards(2)
        .and(LONG)
        .set("database.statement_timeout", "1h")
        .set("http.request_timeout", "1h")
        .set("database.wait_timeout", "20s")
        .start();
    let round = &mut server.round();
    let ada = r#"{"name":"ada","email":"ada@example.com"}"#;
    for method in ["GET", "POST"] {
        let mut waiting = server.connect();
        waiting.send(format!("{method} /endless HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"));
        round.get("/api/data").is(200, r#"{"data":"Your data here"}"#);
        assert_eq!(round.get("/api/users").status, 200);
        waiting.read().is(503, unavailable).has("Retry-After", Some("1"));
        let line = server.log_line("of the timeout", |line| {
            line["route"] == "/endless"
                && line["status"] == 503
                && line["message"].as_str().is_some_and(|m| m.contains(method))
        });
        assert_eq!(line["cause"], "the statement ran longer than its timeout");
    }
    // The writer is free again, and nothing is left of what was ended.
    assert_eq!(round.ask("POST", "/api/users", Some(ada)).status, 201);
    assert_eq!(round.get("/api/users").json()["total"], 1);

    let server = Setup::shards(1).and(LONG).set("database.statement_timeout", "20ms").start();
    server.connect().get("/patient").is(200, "3000000");
    server.connect().get("/impatient").is(503, unavailable);
}
