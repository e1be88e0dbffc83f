//! `article.toml`: what `ringmill init` writes.

use super::{Example, copied};
use crate::server::run;

#[test]
fn it_is_what_init_writes() {
    let folder = copied();
    let ended = run(folder.path(), &["init", "written.toml"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    let text = |name: &str| std::fs::read(folder.path().join(name)).expect("a file");
    assert!(text("written.toml") == text("article.toml"), "docs/examples/article.toml is another file");
}

#[test]
fn the_article_is_served() {
    let example = Example::start("article.toml");
    let round = &mut example.round();
    let body = r#"{"name":"Ada","email":"ada@example.com"}"#;
    let ada = r#"{"id":1,"name":"Ada","email":"ada@example.com"}"#;
    round.ask("POST", "/api/users", Some(body)).is(201, ada).has("Location", Some("/api/user/1"));
    round.get("/api/user/1").is(200, ada).has("Location", None);
    let list = format!(r#"{{"users":[{ada}],"total":1,"page":1,"per_page":20}}"#);
    round.get("/api/users").is(200, &list);
    round.get("/api/users?page=0&per_page=x").is(200, &list);
    round.get("/api/users?page=2&per_page=1000").is(200, r#"{"users":[],"total":1,"page":2,"per_page":100}"#);
    let taken = r#"{"error":"Failed to create user","errors":{"email":["is already taken"]}}"#;
    round.ask("POST", "/api/users", Some(body)).is(409, taken);
    let short = r#"{"name":"Bo","email":"bo@example.com"}"#;
    round.ask("POST", "/api/user", Some(short)).is(200, r#"{"id":2}"#).has("Location", None);
    let put = r#"{"id":2,"name":"Bob","email":"bob@example.com"}"#;
    round.ask("PUT", "/api/user/2", Some(put)).is(200, r#"{"message":"Updated"}"#);
    round.ask("PATCH", "/api/user/2", Some(r#"{"name":"Rob"}"#)).is(200, r#"{"message":"Updated"}"#);
    round.get("/api/user/2").is(200, r#"{"id":2,"name":"Rob","email":"bob@example.com"}"#);
    round.get("/api/posts").is(200, "[]");
    round.get("/api/data").is(200, r#"{"data":"Your data here"}"#);
    round.get("/api/heavy-operation").is(200, r#"{"result":"Done"}"#);
    round.ask("DELETE", "/api/user/2", None).is(200, r#"{"message":"User deleted"}"#);
    round.ask("DELETE", "/api/user/2", None).is(404, r#"{"error":"User not found"}"#);
    round.ask("POST", "/api/user/1", None).is(405, r#"{"error":"Method not allowed"}"#);
    example.end();
}
