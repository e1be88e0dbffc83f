//! The built-in file has no faults, and means what its comments say.

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::config::plan::*;

fn builtin() -> Plan {
    match load_builtin(&[], &[]) {
        Ok(plan) => plan,
        Err(faults) => panic!("{:#?}", shown(&faults)),
    }
}

#[test]
fn services() {
    let plan = builtin();
    assert_eq!(plan.source, Source::BuiltIn);
    assert_eq!(plan.server.listen, ["127.0.0.1:5000".parse().unwrap()]);
    assert_eq!(plan.server.admin, AdminAddress::Tcp("127.0.0.1:5001".parse().unwrap()));
    assert_eq!(plan.server.cores, Cores::All);
    assert_eq!(plan.server.data, Path::new("/nowhere/data"));
    assert_eq!(plan.server.metrics_path.as_deref(), Some("/metrics"));
    assert_eq!(plan.server.drain_timeout, Duration::from_secs(30));
    assert_eq!(plan.http.max_head_bytes, 16 << 10);
    assert_eq!(plan.http.max_body_bytes, 1 << 20);
    assert_eq!(plan.http.max_requests, None);
    assert_eq!(plan.http.max_connections, None);
    assert_eq!(plan.log.slow_request, Some(Duration::from_millis(500)));
    assert_eq!(plan.log.level, Level::Info);
    assert_eq!(plan.database.sqlite, Path::new("/nowhere/data/ringmill.db"));
    assert!(plan.database.create_missing);
    assert_eq!(plan.cache.memory_bytes, 256 << 20);
    assert_eq!(plan.cache.rule.stale_if_error, Duration::from_secs(600));
}

#[test]
fn rate_limits() {
    let plan = builtin();
    let names: Vec<&str> = plan.rate_limits.iter().map(|policy| policy.name.as_str()).collect();
    assert_eq!(names, ["read", "create", "update", "delete", "data", "heavy"]);
    let read = &plan.rate_limits[0];
    assert_eq!(read.algorithm, Algorithm::TokenBucket);
    assert_eq!(read.rate, Rate { count: 1000, per: Duration::from_secs(60) });
    assert_eq!(read.burst, 1000);
    assert_eq!(read.by, [Caller::Header("x-api-key".into()), Caller::Ip]);
    assert!(read.tiers.is_empty());
    assert_eq!(plan.rate_limits[5].by, read.by);
}

#[test]
fn users() {
    let plan = builtin();
    let users = &plan.tables[0];
    assert_eq!(
        (users.name.as_str(), users.sql_name.as_str(), users.noun.as_str()),
        ("users", "users", "User")
    );
    assert_eq!(users.list.as_deref(), Some("/api/users"));
    assert_eq!(users.item.as_deref(), Some("/api/user/{id}"));
    assert_eq!(users.key, [0]);
    assert_eq!(users.order, [Order { column: 0, direction: Direction::Ascending }]);
    assert_eq!(users.page, Page { default: 20, max: 100, total: Total::Exact });
    let all = Operations { list: true, get: true, create: true, update: true, delete: true };
    assert_eq!(users.access, all);
    assert_eq!(users.rate_limit.list, [0]);
    assert_eq!(users.rate_limit.delete, [3]);
    assert_eq!(users.cache.as_ref(), Some(&plan.cache.rule));
    assert_eq!(users.indexes[0].columns, [5]);
    assert_eq!(users.indexes[1].columns, [4, 5]);
    assert_eq!(users.indexes[1].condition.as_deref(), Some("status = 'active'"));
    let names: Vec<&str> = users.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["id", "name", "email", "age", "status", "created_at", "updated_at"]);
    let email = &users.columns[2];
    assert_eq!(email.rules.max_length, Some(255));
    assert_eq!(email.rules.format, Some(Format::Email));
    assert!(email.unique && email.rules.required && !email.hidden);
    assert_eq!(users.columns[3].rules.maximum, Some(Bound::Integer(150)));
    let status = &users.columns[4];
    assert_eq!(status.rules.choices, Some(vec![json!("active"), json!("blocked")]));
    assert_eq!(status.rules.default, Some(json!("active")));
    assert!(status.hidden && status.read_only);
    assert_eq!(users.columns[6].generated, Some(Generated::OnWrite));
}

#[test]
fn the_replies_of_users_are_the_defaults() {
    let written = builtin().tables.remove(0).replies;
    let without: String = {
        let (before, rest) = BUILTIN.split_once("[tables.users.replies]").expect("the section");
        let (_, after) = rest.split_once("[tables.posts]").expect("the section behind it");
        format!("{before}[tables.posts]{after}")
    };
    let made = plan(&without).tables.remove(0).replies;
    assert_eq!(format!("{written:?}"), format!("{made:?}"));
}

#[test]
fn posts() {
    let plan = builtin();
    let posts = &plan.tables[1];
    assert_eq!(posts.noun, "Post");
    assert_eq!(posts.access, Operations::default());
    let reference = Reference { table: 0, column: 0, on_delete: OnDelete::Cascade };
    assert_eq!(posts.columns[1].references, Some(reference));
    assert_eq!(posts.cache, None);
}

#[test]
fn endpoints() {
    let plan = builtin();
    let names: Vec<&str> = plan.endpoints.iter().map(|endpoint| endpoint.name.as_str()).collect();
    assert_eq!(names, ["posts", "create_user", "data", "heavy"]);
    assert_eq!(plan.endpoints[0].cache.as_ref().unwrap().ttl, Duration::from_secs(60));
    assert_eq!(plan.endpoints[0].cache.as_ref().unwrap().negative_ttl, Duration::from_secs(5));
    let EndpointKind::Sql(create) = &plan.endpoints[1].kind else { panic!("no SQL") };
    assert_eq!(plan.endpoints[1].methods, ["POST"]);
    assert_eq!(create.parameters.len(), 2);
    assert_eq!(create.parameters[1].rules.format, Some(Format::Email));
    assert!(create.parameters[1].rules.required);
    assert_eq!(create.shape, Shape::Row);
    assert_eq!(create.status, Some(200));
    let reply = Template::Object(vec![("id".into(), Template::RowColumn("id".into()))]);
    assert_eq!(create.reply, Some(reply));
    assert_eq!(create.writes, Some(vec!["users/{id}".to_string()]));
    let EndpointKind::Json(data) = &plan.endpoints[2].kind else { panic!("no constant") };
    assert_eq!(data, r#"{"data":"Your data here"}"#);
}

#[test]
fn what_has_no_effect_is_said() {
    assert_eq!(
        builtin().no_effect_yet().unwrap(),
        "rate_limit has no effect in this version: tables.users, endpoints.posts, \
         endpoints.create_user, endpoints.data, endpoints.heavy"
    );
    assert_eq!(plan("").no_effect_yet(), None);
}

#[test]
fn the_sections_of_the_builtin_file_show_their_defaults() {
    let (builtin, empty) = (builtin(), plan(""));
    for section in ["http", "log", "database", "cache"] {
        assert_eq!(builtin.shown[section], empty.shown[section], "[{section}]");
    }
    let mut server = empty.shown["server"].clone();
    server["metrics_path"] = json!("/metrics");
    assert_eq!(builtin.shown["server"], server);
}
