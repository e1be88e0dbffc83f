//! Tables beyond the built-in ones: keys, references, generated columns, templates.

use super::{Served, text};
use ringmill_http1::Method::{Delete, Get, Patch, Post, Put};
use ringmill_sqlite::{Class, Job, Statement, Value};

const FILE: &str = r#"
    [tables.teams]
    list = "/teams"
    item = "/teams/{tenant}/{slug}"
    key = ["tenant", "slug"]
    order = ["size.desc"]
    page = { default = 2, max = 3, total = "none" }
    [tables.teams.columns]
    tenant = { type = "integer", required = true }
    slug = { type = "text", required = true, hidden = true }
    size = { type = "numeric", minimum = 0 }
    label = { type = "text", default = "none" }
    [tables.teams.replies]
    list = "@rows"
    update = "@row"

    [tables.members]
    list = "/members"
    item = "/members/{id}"
    [tables.members.columns]
    id = { type = "uuid", generated = "uuid" }
    token = { type = "uuid", generated = "uuid" }
    friend = { type = "uuid", references = "members.id", on_delete = "restrict" }
    owner = { type = "bigint", references = "owners.id", on_delete = "set_null" }
    made = { type = "timestamp", generated = "on_create" }
    kept = { type = "text", default = "yes", read_only = true }

    [tables.owners]
    list = "/owners"
    item = "/owners/{id}"
    [tables.owners.columns]
    id = { type = "bigint", generated = "identity" }
    changed = { type = "timestamp", generated = "on_write" }
    nick = { type = "text", unique = true }
    [tables.owners.replies]
    update = "@row"
"#;

fn query(served: &Served, sql: &str) -> Vec<Value> {
    let statement = Statement { sql: sql.into(), parameters: Vec::new() };
    served.run(Job::new(Class::Write, vec![statement])).expect("a result").remove(0).cells
}

#[test]
fn keys_of_several_columns() {
    let served = Served::of(FILE);
    let answer = served.check(
        Post,
        "/teams",
        r#"{"tenant":1,"slug":"a/b é","size":1.10}"#,
        201,
        r#"{"tenant":1,"size":1.10,"label":"none"}"#,
    );
    assert_eq!(answer.location.as_deref(), Some("/teams/1/a%2Fb%20%C3%A9"));
    let item = "/teams/1/a%2Fb%20%C3%A9";
    served.check(Get, item, "", 200, r#"{"tenant":1,"size":1.10,"label":"none"}"#);
    served.check(Get, "/teams/x/a%2Fb%20%C3%A9", "", 404, r#"{"error":"Team not found"}"#);
    served.check(Get, "/teams/2/a%2Fb%20%C3%A9", "", 404, r#"{"error":"Team not found"}"#);
    // A key is not required again, may be repeated, may not be changed.
    served.check(Put, item, r#"{"size":2,"label":null}"#, 200, r#"{"tenant":1,"size":2,"label":null}"#);
    served.check(
        Put,
        item,
        r#"{"tenant":1,"slug":"a/b é"}"#,
        200,
        r#"{"tenant":1,"size":null,"label":"none"}"#,
    );
    served.check(
        Patch,
        item,
        r#"{"tenant":2,"label":"x"}"#,
        400,
        r#"{"error":"Validation failed","errors":{"tenant":["may not be changed"]}}"#,
    );
    served.check(
        Patch,
        item,
        r#"{"tenant":"1"}"#,
        400,
        r#"{"error":"Validation failed","errors":{"tenant":["must be an integer"]}}"#,
    );
    served.check(
        Post,
        "/teams",
        r#"{"tenant":1,"slug":"a/b é"}"#,
        409,
        r#"{"error":"Failed to create team","errors":{"tenant":["is already taken"],"slug":["is already taken"]}}"#,
    );
    served.check(Delete, item, "", 200, r#"{"message":"Team deleted"}"#);
    served.check(Delete, item, "", 404, r#"{"error":"Team not found"}"#);
}

#[test]
fn a_key_is_required_and_can_be_reached() {
    let served = Served::of(
        r#"
        [tables.pages]
        list = "/pages"
        item = "/pages/{site}/{slug}"
        key = ["site", "slug"]
        [tables.pages.columns]
        site = { type = "bigint" }
        slug = { type = "text" }
        title = { type = "text", required = true }
        [tables.words]
        list = "/words"
        item = "/words/{word}"
        key = ["word"]
        [tables.words.columns]
        word = { type = "text", min_length = 2 }
        [tables.terms]
        list = "/terms"
        item = "/terms/{term}"
        key = ["term"]
        [tables.terms.columns]
        term = { type = "text", default = "none" }
    "#,
    );
    let refused = |target: &str, body: &str, error: &str, errors: &str| {
        let expected = format!(r#"{{"error":"{error}","errors":{{{errors}}}}}"#);
        served.check(Post, target, body, 400, &expected);
    };
    let (missing, invalid) = ("Missing required fields", "Validation failed");
    let all = r#""site":["is required"],"slug":["is required"],"title":["is required"]"#;
    refused("/pages", "{}", missing, all);
    refused("/pages", r#"{"site":null,"slug":null,"title":null}"#, missing, all);
    let empty = r#""slug":["must be at least 1 character"]"#;
    refused("/pages", r#"{"site":1,"slug":"","title":""}"#, invalid, empty);
    refused("/words", r#"{"word":""}"#, invalid, r#""word":["must be at least 2 characters"]"#);
    served.check(Post, "/terms", "{}", 201, r#"{"term":"none"}"#);
    served.check(
        Post,
        "/pages",
        r#"{"site":1,"slug":"a","title":""}"#,
        201,
        r#"{"site":1,"slug":"a","title":""}"#,
    );
    // A key is not asked for again.
    served.check(Put, "/pages/1/a", r#"{"title":"t"}"#, 200, r#"{"message":"Updated"}"#);
}

#[test]
fn lists_are_ordered() {
    let served = Served::of(FILE);
    for (slug, size) in [("a", "9"), ("b", "10"), ("d", "2"), ("c", "2")] {
        let body = format!(r#"{{"tenant":1,"slug":"{slug}","size":{size},"label":"{slug}"}}"#);
        assert_eq!(served.send(Post, "/teams", &body).status, 201);
    }
    let row = |size: u32, label: &str| format!(r#"{{"tenant":1,"size":{size},"label":"{label}"}}"#);
    served.check(Get, "/teams", "", 200, &format!("[{},{}]", row(10, "b"), row(9, "a")));
    served.check(Get, "/teams?page=2", "", 200, &format!("[{},{}]", row(2, "c"), row(2, "d")));
    served.check(Get, "/teams?per_page=9&page=2", "", 200, &format!("[{}]", row(2, "d")));
    served.check(Get, "/teams?page=9223372036854775807&per_page=3", "", 200, "[]");
}

#[test]
fn references() {
    let served = Served::of(FILE);
    let id = "01234567-89ab-4def-8123-456789abcdef";
    let answer = served.send(Post, "/members", r#"{"owner":null}"#);
    assert_eq!((answer.status, answer.location), (201, Some(format!("/members/{id}"))));
    let row: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(row["id"], id);
    assert_eq!((&row["made"], &row["kept"]), (&"2026-11-24T02:00:00.123456Z".into(), &"yes".into()));
    let token = row["token"].as_str().expect("a second identifier");
    assert_eq!((token.len(), token.as_bytes()[14], token == id), (36, b'4', false));
    assert!(matches!(token.as_bytes()[19], b'8' | b'9' | b'a' | b'b'), "{token}");

    let item = format!("/members/{id}");
    served.check(
        Patch,
        &item,
        r#"{"owner":7,"friend":"01234567-89AB-4DEF-8123-456789abcdff"}"#,
        400,
        r#"{"error":"Validation failed","errors":{"friend":["does not exist"],"owner":["does not exist"]}}"#,
    );
    served.check(
        Post,
        "/members",
        r#"{"owner":7}"#,
        // The same chance gives the same identifier, and the key is looked at first.
        409,
        r#"{"error":"Failed to create member","errors":{"id":["is already taken"]}}"#,
    );
    assert_eq!(served.send(Post, "/owners", r#"{"nick":"n"}"#).status, 201);
    served.check(Patch, &item, r#"{"owner":1}"#, 200, r#"{"message":"Updated"}"#);
    served.check(Delete, "/owners/1", "", 200, r#"{"message":"Owner deleted"}"#);
    assert!(text(&served.get(&item)).contains(r#""owner":null"#));
    // It is its own friend by now: RESTRICT does not mind, a second one would.
    query(&served, &format!("INSERT INTO members (friend) VALUES ('{id}')"));
    served.check(Delete, &item, "", 409, r#"{"error":"Conflict","errors":{"id":["is still referred to"]}}"#);
}

#[test]
fn the_time_of_a_write() {
    let served = Served::of(FILE);
    let row = |changed: &str, nick: &str| format!(r#"{{"id":1,"changed":"{changed}","nick":{nick}}}"#);
    let now = "2026-11-24T02:00:00.123456Z";
    let after = "2026-11-24T02:00:00.123457Z";
    served.check(Post, "/owners", r#"{"nick":"a"}"#, 201, &row(now, "\"a\""));
    // Two writes in one microsecond still change it, and the answer is what is stored.
    served.check(Patch, "/owners/1", r#"{"nick":"b"}"#, 200, &row(after, "\"b\""));
    served.check(Get, "/owners/1", "", 200, &row(after, "\"b\""));
    served.check(Patch, "/owners/1", r#"{"nick":"c"}"#, 200, &row(now, "\"c\""));
    served.check(Patch, "/owners/1", "{}", 200, &row(now, "\"c\""));
    served.check(Put, "/owners/1", "{}", 200, &row(after, "null"));
    // What goes by the API gets it from the schema: in this millisecond, but with the same digits.
    let cells = query(&served, "UPDATE owners SET nick = 'd'; ");
    assert!(cells.is_empty());
    let Some(Value::Text(changed)) = query(&served, "SELECT changed FROM owners").pop() else { panic!() };
    assert_ne!(changed, after);
    assert!(changed.len() == now.len() && changed.ends_with("000Z"), "{changed}");
}

#[test]
fn chance_is_drawn_only_for_what_is_made_of_it() {
    let served = Served::of(FILE);
    let drawn = std::cell::Cell::new(0);
    let draws = |method, path: &str, body: &str| {
        let found = served.api.find(path).expect("a route");
        drawn.set(0);
        let request = crate::api::Request {
            method,
            query: None,
            content_type: super::JSON.map(str::as_bytes),
            body: body.as_bytes(),
            fields: &|_| (),
            now_unix_us: super::NOW_UNIX_US,
            random: &|| {
                drawn.set(drawn.get() + 1);
                0
            },
        };
        assert!(matches!(served.api.begin(&found, &request), crate::api::Begin::Ask { .. }));
        drawn.get()
    };
    assert_eq!(draws(Get, "/members", ""), 0);
    assert_eq!(draws(Post, "/owners", r#"{"nick":"x"}"#), 0);
    assert_eq!(draws(Post, "/members", "{}"), 2);
}

/// Whoever parses 1.50 and writes it again mostly writes 1.5.
#[test]
fn a_fixed_numeric_may_come_back_without_its_zeros() {
    let served = Served::of(
        r#"
        [tables.accounts]
        list = "/accounts"
        item = "/accounts/{id}"
        [tables.accounts.columns]
        id = "bigint"
        owner = "text"
        credit = { type = "numeric", default = "100.50", read_only = true }
        limit = { type = "numeric", default = "1e3", read_only = true }
        round = { type = "numeric", default = "200", read_only = true }
        [tables.accounts.replies]
        update = "Updated"
        "#,
    );
    let row = r#"{"id":1,"owner":"Ada","credit":100.50,"limit":1e3,"round":200}"#;
    served.check(Post, "/accounts", r#"{"id":1,"owner":"Ada"}"#, 201, row);
    let refused = |column: &str| {
        format!(r#"{{"error":"Validation failed","errors":{{"{column}":["may not be changed"]}}}}"#)
    };
    for owner in ["", r#""owner":"Ada","#] {
        for same in
            [r#""credit":100.5"#, r#""credit":100.500,"limit":1e3"#, r#""credit":100.50,"round":200.0"#]
        {
            served.check(Patch, "/accounts/1", &format!("{{{owner}{same}}}"), 200, "\"Updated\"");
        }
        for (column, other) in
            [("credit", "100.51"), ("credit", "10.05"), ("round", "2"), ("limit", "1000"), ("credit", "null")]
        {
            let body = format!("{{{owner}\"{column}\":{other}}}");
            served.check(Patch, "/accounts/1", &body, 400, &refused(column));
        }
    }
    served.check(Get, "/accounts/1", "", 200, row);
}

/// Setting a column to what it is leaves every reference in place, also that of a row to itself by its key.
#[test]
fn a_row_that_refers_to_itself_can_be_written() {
    let served = Served::of(
        r#"
        [tables.nodes]
        list = "/nodes"
        item = "/nodes/{up}/{n}"
        key = ["up", "n"]
        [tables.nodes.columns]
        up = { type = "text", references = "nodes.code" }
        n = "bigint"
        code = { type = "text", unique = true }
        "#,
    );
    for body in [r#"{"up":"a","n":1,"code":"a"}"#, r#"{"up":"a","n":2,"code":"b"}"#] {
        assert_eq!(served.send(Post, "/nodes", body).status, 201, "{body}");
    }
    served.check(Put, "/nodes/a/1", r#"{"code":"a"}"#, 200, r#"{"message":"Updated"}"#);
    served.check(Patch, "/nodes/a/2", r#"{"code":"c"}"#, 200, r#"{"message":"Updated"}"#);
    let referred = r#"{"error":"Conflict","errors":{"code":["is still referred to"]}}"#;
    served.check(Patch, "/nodes/a/1", r#"{"code":"d"}"#, 409, referred);
}

/// Doubles would take these for one another.
#[test]
fn numerics_are_ordered_to_their_last_digit() {
    let served = Served::of(
        r#"
        [tables.prices]
        list = "/prices"
        order = ["price.desc"]
        replies = { list = "@rows" }
        [tables.prices.columns]
        id = { type = "bigint", generated = "identity", hidden = true }
        price = "numeric"
        "#,
    );
    let sorted = ["1e400", "9007199254740993", "9007199254740992.5", "9007199254740992", "0.10", "0.1", "-3"];
    for price in ["0.10", "9007199254740992", "1e400", "-3", "9007199254740993", "0.1", "9007199254740992.5"]
    {
        assert_eq!(served.send(Post, "/prices", &format!(r#"{{"price":{price}}}"#)).status, 201, "{price}");
    }
    let rows: Vec<_> = sorted.iter().map(|price| format!(r#"{{"price":{price}}}"#)).collect();
    served.check(Get, "/prices", "", 200, &format!("[{}]", rows.join(",")));
}

/// 1 and 1.0 are two keys and one number: pages keep them in one order.
#[test]
fn keys_that_are_equal_as_numbers_have_an_order() {
    let served = Served::of(
        r#"
        [tables.prices]
        list = "/prices"
        item = "/prices/{price}"
        key = "price"
        replies = { list = "@rows" }
        [tables.prices.columns]
        price = "numeric"
        "#,
    );
    for price in ["1.00", "1", "10", "1.0", "1e0", "9"] {
        assert_eq!(served.send(Post, "/prices", &format!(r#"{{"price":{price}}}"#)).status, 201);
    }
    let all = ["1", "1.0", "1.00", "1e0", "9", "10"].map(|price| format!(r#"{{"price":{price}}}"#));
    served.check(Get, "/prices", "", 200, &format!("[{}]", all.join(",")));
    served.check(Get, "/prices/1.0", "", 200, r#"{"price":1.0}"#);
}
