//! The table of the built-in file: lists, rows, and what each write answers and leaves behind, on one shard and on
//! several, each request on another connection than the one before.

use crate::client::Round;
use crate::server::{SHARDS, Server, Setup};

/// Runs a claim on the built-in API for each number of shards.
fn on_the_builtin_file(claim: fn(&mut Round)) {
    for shards in SHARDS {
        eprintln!("{shards} shards");
        let server = Setup::shards(shards).start();
        claim(&mut server.round());
    }
}

const NOT_FOUND: &str = r#"{"error":"User not found"}"#;

fn row(id: u64, name: &str, email: &str) -> String {
    format!(r#"{{"id":{id},"name":"{name}","email":"{email}"}}"#)
}

fn person(name: &str, email: &str) -> String {
    format!(r#"{{"name":"{name}","email":"{email}"}}"#)
}

fn list(rows: &[String], total: usize, page: &str, per_page: u64) -> String {
    let rows = rows.join(",");
    format!(r#"{{"users":[{rows}],"total":{total},"page":{page},"per_page":{per_page}}}"#)
}

#[track_caller]
fn create(round: &mut Round, name: &str, email: &str) -> u64 {
    let created = round.ask("POST", "/api/users", Some(&person(name, email)));
    assert_eq!(created.status, 201, "{created:?}");
    created.json()["id"].as_u64().expect("an id")
}

#[test]
fn a_created_row_is_answered_located_and_found() {
    on_the_builtin_file(|round| {
        let created = round.ask("POST", "/api/users", Some(&person("Ada", "ada@example.com")));
        created.is(201, &row(1, "Ada", "ada@example.com")).has("Location", Some("/api/user/1"));
        assert_eq!(created.line, "HTTP/1.1 201 Created");
        let location = created.field("Location").expect("checked above");
        let got = round.get(location);
        got.is(200, &row(1, "Ada", "ada@example.com")).has("Location", None);
        assert_eq!(got.line, "HTTP/1.1 200 OK");
        let expected = list(&[row(1, "Ada", "ada@example.com")], 1, "1", 20);
        round.get("/api/users").is(200, &expected);
        // The order of a body's fields and what JSON lets one write otherwise make no difference.
        let body = "\r\n{ \"\\u0065mail\" :\t\"b@example.com\", \"name\": \"\\u00df\\ud83d\\ude00\\\"\" }\n";
        let created = round.ask("POST", "/api/users", Some(body));
        created.is(201, "{\"id\":2,\"name\":\"ß😀\\\"\",\"email\":\"b@example.com\"}");
    });
}

#[test]
fn a_list_comes_in_pages_by_key() {
    on_the_builtin_file(|round| {
        round.get("/api/users").is(200, &list(&[], 0, "1", 20));
        let rows: Vec<String> = (1..=105)
            .map(|number| {
                let (name, email) = (format!("n{number}"), format!("e{number}@example.com"));
                row(create(round, &name, &email), &name, &email)
            })
            .collect();
        let expect = |query: &str, start: usize, end: usize, page: &str, per_page: u64| {
            (format!("/api/users{query}"), list(&rows[start..end], 105, page, per_page))
        };
        let huge = "9".repeat(40);
        let cases = [
            expect("", 0, 20, "1", 20),
            expect("?", 0, 20, "1", 20),
            expect("?page=1&per_page=20", 0, 20, "1", 20),
            expect("?per_page=20&page=1", 0, 20, "1", 20),
            expect("?page=2", 20, 40, "2", 20),
            expect("?page=6", 100, 105, "6", 20),
            expect("?page=7", 0, 0, "7", 20),
            expect("?page=4611686018427387904&per_page=100", 0, 0, "4611686018427387904", 100),
            expect("?per_page=1&page=105", 104, 105, "105", 1),
            expect("?per_page=100", 0, 100, "1", 100),
            expect("?per_page=101", 0, 100, "1", 100),
            expect(&format!("?per_page={huge}"), 0, 100, "1", 100),
            expect("?per_page=100&page=2", 100, 105, "2", 100),
            // What is no positive number falls back to the default.
            expect("?page=0", 0, 20, "1", 20),
            expect("?page=-1", 0, 20, "1", 20),
            expect("?page=x&per_page=-3", 0, 20, "1", 20),
            expect("?page=&per_page=", 0, 20, "1", 20),
            expect("?page=1.5&per_page=0", 0, 20, "1", 20),
            expect("?page=%20", 0, 20, "1", 20),
            // Escapes are decoded, what the route does not know is ignored.
            expect("?%70age=%32", 20, 40, "2", 20),
            expect("?order=name&page=2&unknown", 20, 40, "2", 20),
        ];
        for (target, expected) in cases {
            eprintln!("{target}");
            round.get(&target).is(200, &expected);
        }
    });
}

#[test]
fn a_row_that_is_not_there_is_not_found_by_any_method() {
    on_the_builtin_file(|round| {
        create(round, "Ada", "ada@example.com");
        let body = person("Bo", "bo@example.com");
        let names = ["2", "0", "-1", "x", "1x", "1.5", "9223372036854775808", "%31%00", "%2F", "%FF", "1%2F"];
        for id in names {
            let item = format!("/api/user/{id}");
            for (method, body) in [
                ("GET", None),
                ("DELETE", None),
                ("PUT", Some(body.as_str())),
                ("PATCH", Some(body.as_str())),
                ("PATCH", Some("{}")),
            ] {
                eprintln!("{method} {item}");
                round.ask(method, &item, body).is(404, NOT_FOUND);
            }
        }
        // These paths are not those of a row: no slash is added or taken away.
        for target in
            ["/api/user", "/api/user/", "/api/user/1/", "/api/user/1/x", "//api/user/1", "/api/users/"]
        {
            let method = if target == "/api/user" { "PUT" } else { "GET" };
            let answer = round.ask(method, target, None);
            match target {
                // POST /api/user is a route of its own.
                "/api/user" => answer.is(405, r#"{"error":"Method not allowed"}"#),
                _ => answer.is(404, r#"{"error":"Not found"}"#),
            };
        }
        round.get("/api/user/%31").is(200, &row(1, "Ada", "ada@example.com"));
    });
}

#[test]
fn everything_that_is_wrong_with_a_row_is_said_at_once() {
    on_the_builtin_file(|round| {
        create(round, "Ada", "ada@example.com");
        create(round, "Bo", "bo@example.com");
        let long = "x".repeat(101);
        let missing =
            |errors: &str| format!(r#"{{"error":"Missing required fields","errors":{{{errors}}}}}"#);
        let invalid = |errors: &str| format!(r#"{{"error":"Validation failed","errors":{{{errors}}}}}"#);
        let both = missing(r#""name":["is required"],"email":["is required"]"#);
        let no_email = missing(r#""email":["is required"]"#);
        let bad_email = r#""email":["must be a valid e-mail address"]"#;
        // For POST and PUT alike.
        let of_whole_rows = [
            ("{}".to_owned(), both.clone()),
            (r#"{"name":"x"}"#.to_owned(), no_email.clone()),
            (r#"{"name":"x","email":null}"#.to_owned(), no_email),
            (r#"{"email":"x@example.com"}"#.to_owned(), missing(r#""name":["is required"]"#)),
            (r#"{"email":"x@"}"#.to_owned(), missing(&format!(r#""name":["is required"],{bad_email}"#))),
        ];
        // For PATCH too.
        let of_values = [
            (person("x", "x@"), invalid(bad_email)),
            (person("", "x"), invalid(&format!(r#""name":["must be at least 1 character"],{bad_email}"#))),
            (person(&long, "x@example.com"), invalid(r#""name":["must be at most 100 characters"]"#)),
            (r#"{"name":7,"email":["x"]}"#.to_owned(), {
                invalid(r#""name":["must be a string"],"email":["must be a string"]"#)
            }),
            (
                r#"{"name":"x","email":"x@example.com","age":151}"#.to_owned(),
                invalid(r#""age":["must be at most 150"]"#),
            ),
            (
                r#"{"name":"x","email":"x@example.com","age":-1}"#.to_owned(),
                invalid(r#""age":["must be at least 0"]"#),
            ),
            (
                r#"{"name":"x","email":"x@example.com","age":1.5}"#.to_owned(),
                invalid(r#""age":["must be an integer"]"#),
            ),
            (
                r#"{"name":"x\u0000","email":"x@example.com"}"#.to_owned(),
                invalid(r#""name":["must not contain U+0000"]"#),
            ),
            (
                r#"{"name":"x","email":"x@example.com","nick":1}"#.to_owned(),
                invalid(r#""nick":["is unknown"]"#),
            ),
            (
                r#"{"name":"x","name":"x","email":"x@example.com"}"#.to_owned(),
                invalid(r#""name":["is given twice"]"#),
            ),
            ("[]".to_owned(), invalid(r#""body":["must be an object"]"#)),
            (r#""x""#.to_owned(), invalid(r#""body":["must be an object"]"#)),
        ];
        for (body, expected) in of_whole_rows.iter().chain(&of_values) {
            eprintln!("{body}");
            round.ask("POST", "/api/users", Some(body)).is(400, expected).has("Location", None);
            round.ask("PUT", "/api/user/1", Some(body)).is(400, expected);
        }
        for (body, expected) in &of_values {
            eprintln!("PATCH {body}");
            round.ask("PATCH", "/api/user/1", Some(body)).is(400, expected);
        }
        let taken = r#"{"error":"Failed to create user","errors":{"email":["is already taken"]}}"#;
        for name in ["Cy", "Ada"] {
            let body = person(name, "bo@example.com");
            round.ask("POST", "/api/users", Some(&body)).is(409, taken).has("Location", None);
            round.ask("PUT", "/api/user/1", Some(&body)).is(409, taken);
            round.ask("PATCH", "/api/user/1", Some(&body)).is(409, taken);
        }
        round.ask("PATCH", "/api/user/1", Some(r#"{"email":"bo@example.com"}"#)).is(409, taken);
        // Nothing of all this changed anything.
        let rows = [row(1, "Ada", "ada@example.com"), row(2, "Bo", "bo@example.com")];
        round.get("/api/users").is(200, &list(&rows, 2, "1", 20));
        // A row's own address is not taken for it, and the longest name is no fault.
        round
            .ask("PUT", "/api/user/2", Some(&person(&long[1..], "bo@example.com")))
            .is(200, r#"{"message":"Updated"}"#);
        round.get("/api/user/2").is(200, &row(2, &long[1..], "bo@example.com"));
    });
}

#[test]
fn put_sets_all_that_is_shown_and_patch_what_is_given() {
    on_the_builtin_file(|round| {
        create(round, "Ada", "ada@example.com");
        let updated = r#"{"message":"Updated"}"#;
        let mut change = |method: &str, body: &str, expected: &str| {
            eprintln!("{method} {body}");
            round.ask(method, "/api/user/1", Some(body)).is(200, updated);
            round.get("/api/user/1").is(200, expected);
            round.get("/api/users").is(200, &list(&[expected.to_owned()], 1, "1", 20));
        };
        change("PATCH", "{}", &row(1, "Ada", "ada@example.com"));
        change("PATCH", r#"{"name":"Eve"}"#, &row(1, "Eve", "ada@example.com"));
        change("PATCH", r#"{"email":"eve@example.com"}"#, &row(1, "Eve", "eve@example.com"));
        change("PATCH", &person("Cy", "cy@example.com"), &row(1, "Cy", "cy@example.com"));
        change("PUT", &person("Bo", "bo@example.com"), &row(1, "Bo", "bo@example.com"));
        // What may not be written is accepted if it says what is there.
        change("PUT", &row(1, "Di", "di@example.com"), &row(1, "Di", "di@example.com"));
        change("PUT", &row(1, "Di", "di@example.com"), &row(1, "Di", "di@example.com"));
        change("PATCH", r#"{"id":1}"#, &row(1, "Di", "di@example.com"));
        let fixed = r#"{"error":"Validation failed","errors":{"id":["may not be changed"]}}"#;
        round.ask("PUT", "/api/user/1", Some(&row(2, "X", "x@example.com"))).is(400, fixed);
        round.ask("PATCH", "/api/user/1", Some(r#"{"id":2}"#)).is(400, fixed);
        round.ask("PATCH", "/api/user/1", Some(r#"{"name":"X","id":2}"#)).is(400, fixed);
        round.get("/api/user/1").is(200, &row(1, "Di", "di@example.com"));
        let unset =
            r#"{"error":"Validation failed","errors":{"id":["may not be set"],"status":["may not be set"]}}"#;
        let body = r#"{"id":9,"name":"X","email":"x@example.com","status":"active"}"#;
        round.ask("POST", "/api/users", Some(body)).is(400, unset);
    });
}

#[test]
fn a_deleted_row_is_gone_and_its_number_does_not_come_back() {
    on_the_builtin_file(|round| {
        for number in 1..=3 {
            create(round, "N", &format!("{number}@example.com"));
        }
        let deleted = r#"{"message":"User deleted"}"#;
        round.ask("DELETE", "/api/user/3", None).is(200, deleted);
        for _ in 0..3 {
            round.ask("DELETE", "/api/user/3", None).is(404, NOT_FOUND);
            round.get("/api/user/3").is(404, NOT_FOUND);
        }
        let rows = [row(1, "N", "1@example.com"), row(2, "N", "2@example.com")];
        round.get("/api/users").is(200, &list(&rows, 2, "1", 20));
        // Its address is free again.
        assert_eq!(create(round, "M", "3@example.com"), 4);
    });
}

/// What is never returned, read behind the table's back.
const HIDDEN: &str = r#"
[endpoints.hidden]
path = "/hidden/{id}"
params = { id = "users.id" }
sql = "SELECT age, status, created_at, updated_at FROM users WHERE id = $id"
shape = "row"
"#;

fn hidden(server: &Server) -> serde_json::Value {
    server.connect().get("/hidden/1").json()
}

#[test]
fn hidden_columns_are_kept_defaulted_and_stamped() {
    let server = Setup::shards(2).and(HIDDEN).start();
    let round = &mut server.round();
    round.get("/hidden/1").is(404, r#"{"error":"Not found"}"#);
    let body = r#"{"name":"Ada","email":"ada@example.com"}"#;
    round.ask("POST", "/api/users", Some(body)).is(201, &row(1, "Ada", "ada@example.com"));
    let first = hidden(&server);
    assert_eq!((&first["age"], &first["status"]), (&serde_json::Value::Null, &"active".into()), "{first}");
    let created_at = first["created_at"].as_str().expect("a timestamp").to_owned();
    assert!(created_at.ends_with('Z') && created_at.len() == 27, "{created_at}");

    round.ask("PATCH", "/api/user/1", Some(r#"{"age":36}"#)).is(200, r#"{"message":"Updated"}"#);
    let second = hidden(&server);
    assert_eq!((&second["age"], &second["created_at"]), (&36.into(), &first["created_at"]));
    assert!(second["updated_at"].as_str() > first["updated_at"].as_str(), "{first} {second}");

    // A hidden column that is left out keeps its value, one that is given is set.
    round.ask("PUT", "/api/user/1", Some(body)).is(200, r#"{"message":"Updated"}"#);
    assert_eq!(hidden(&server)["age"], 36);
    let older = r#"{"name":"Ada","email":"ada@example.com","age":37}"#;
    round.ask("PUT", "/api/user/1", Some(older)).is(200, r#"{"message":"Updated"}"#);
    assert_eq!(hidden(&server)["age"], 37);
    round.ask("PATCH", "/api/user/1", Some(r#"{"age":null}"#)).is(200, r#"{"message":"Updated"}"#);
    assert_eq!(hidden(&server)["age"], serde_json::Value::Null);

    // A column that may not be written is accepted if it equals the row's, whatever the offset it is written with.
    let before = hidden(&server);
    let stamp = created_at.trim_end_matches('Z');
    for (body, status) in [
        (r#"{"status":"active"}"#.to_owned(), 200),
        (r#"{"status":"blocked"}"#.to_owned(), 400),
        (r#"{"status":null}"#.to_owned(), 400),
        (format!(r#"{{"created_at":"{created_at}"}}"#), 200),
        (format!(r#"{{"created_at":"{stamp}+00:00"}}"#), 200),
        (r#"{"created_at":"2001-01-01T00:00:00Z"}"#.to_owned(), 400),
        (r#"{"created_at":"yesterday"}"#.to_owned(), 400),
    ] {
        let answer = round.ask("PATCH", "/api/user/1", Some(&body));
        assert_eq!(answer.status, status, "{body}: {answer:?}");
        assert_eq!(hidden(&server), before, "{body}");
    }
    let refused =
        round.ask("PUT", "/api/user/1", Some(r#"{"name":"B","email":"b@example.com","status":"blocked"}"#));
    refused.is(400, r#"{"error":"Validation failed","errors":{"status":["may not be changed"]}}"#);
    round.get("/api/user/1").is(200, &row(1, "Ada", "ada@example.com"));
}
