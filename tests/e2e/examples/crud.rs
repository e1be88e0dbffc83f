//! `crud.toml`: HttpArena's CRUD profile, with the requests of its validation and of its load.

use super::{Example, copied, seed};

#[test]
fn the_profile_is_served() {
    let example = Example::start("crud.toml");
    let round = &mut example.round();
    let empty =
        |page: &str, limit: &str| format!(r#"{{"items":[],"total":0,"page":{page},"limit":{limit}}}"#);
    round.get("/crud/items").is(200, &empty("1", "10"));
    round.get("/crud/items/999999").is(404, r#"{"error":"Item not found"}"#);
    round.get("/crud/items/x").is(404, r#"{"error":"Item not found"}"#);

    // Created, read back, and created again: the later one wins, what it does not bring stays.
    let body = r#"{"id":200001,"name":"New Product","category":"test","price":25,"quantity":10}"#;
    let item = |name: &str, price: &str, quantity: &str| {
        format!(
            r#"{{"id":200001,"name":"{name}","category":"test","price":{price},"quantity":{quantity},"active":true,"tags":["bench"],"rating":{{"score":0,"count":0}}}}"#
        )
    };
    let new = item("New Product", "25", "10");
    round.ask("POST", "/crud/items", Some(body)).is(201, &new);
    round.get("/crud/items/200001").is(200, &new);
    let again = body.replace("25", "42").replace("New Product", "ValidateItem");
    round.ask("POST", "/crud/items", Some(&again)).is(201, &item("ValidateItem", "42", "10"));
    round.get("/crud/items/200001").is(200, &item("ValidateItem", "42", "10"));
    let list = |of: &str, page: &str, limit: &str| {
        format!(r#"{{"items":[{of}],"total":1,"page":{page},"limit":{limit}}}"#)
    };
    let listed = list(&item("ValidateItem", "42", "10"), "1", "5");
    round.get("/crud/items?category=test&page=1&limit=5").is(200, &listed);

    // An update answers the fields; the category may be left out.
    let fields = |name: &str, category: &str, price: &str, quantity: &str| {
        format!(
            r#"{{"id":200001,"name":"{name}","category":"{category}","price":{price},"quantity":{quantity}}}"#
        )
    };
    let put = r#"{"name":"Updated Name","price":30,"quantity":5}"#;
    let updated = fields("Updated Name", "test", "30", "5");
    round.ask("PUT", "/crud/items/200001", Some(put)).is(200, &updated);
    round.get("/crud/items/200001").is(200, &item("Updated Name", "30", "5"));
    let put = r#"{"name":"UpdatedItem","category":"office","price":99,"quantity":1}"#;
    round.ask("PUT", "/crud/items/200001", Some(put)).is(200, &fields("UpdatedItem", "office", "99", "1"));
    round.ask("PUT", "/crud/items/7", Some(put)).is(404, r#"{"error":"Not found"}"#);
    let moved = item("UpdatedItem", "99", "1").replace(r#""test""#, r#""office""#);
    round.get("/crud/items?category=office").is(200, &list(&moved, "1", "10"));
    round.get("/crud/items?category=test").is(200, &empty("1", "10"));

    // What is no page or limit falls back, what is too large is capped.
    for (query, page, limit) in [
        ("page=0&limit=0", "1", "1"),
        ("page=-3&limit=1000", "1", "50"),
        ("page=x&limit=", "1", "10"),
        ("page=3000000000&limit=50", "2147483647", "50"),
    ] {
        round.get(&format!("/crud/items?category=none&{query}")).is(200, &empty(page, limit));
    }

    // All faults at once.
    let faults = r#"{"error":"Validation failed","errors":{"id":["must be an integer"],"name":["is required"],"category":["is required"],"price":["is out of range"],"quantity":["is required"]}}"#;
    round.ask("POST", "/crud/items", Some(r#"{"id":"1","price":3000000000}"#)).is(400, faults);
    let unknown = r#"{"error":"Validation failed","errors":{"active":["is unknown"]}}"#;
    let more = body.replace("\"quantity\":10", "\"quantity\":10,\"active\":false");
    round.ask("POST", "/crud/items", Some(&more)).is(400, unknown);

    // The table's other operations do not exist.
    let not_allowed = r#"{"error":"Method not allowed"}"#;
    let refused = round.ask("DELETE", "/crud/items/200001", None);
    refused.is(405, not_allowed).has("Allow", Some("GET, HEAD, PUT, OPTIONS"));
    let refused = round.ask("PUT", "/crud/items", Some("{}"));
    refused.is(405, not_allowed).has("Allow", Some("GET, HEAD, POST, OPTIONS"));
    example.end();
}

#[test]
fn a_full_table_is_paged() {
    let folder = copied();
    let ended = seed(folder.path(), "crud.toml", "items", "300");
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (Some(0), "seeded 300 rows of items\n"),
        "{}",
        ended.stderr
    );
    let example = Example::start_in(folder, "crud.toml", &[]);
    let round = &mut example.round();
    let body = r#"{"id":1000,"name":"a","category":"electronics","price":1,"quantity":1}"#;
    for id in 1000..1060 {
        assert_eq!(
            round.ask("POST", "/crud/items", Some(&body.replace("1000", &id.to_string()))).status,
            201
        );
    }
    let mut seen = Vec::new();
    for page in 1..=20 {
        let list = round.get(&format!("/crud/items?page={page}&limit=25")).json();
        let items = list["items"].as_array().expect("a list").clone();
        assert_eq!(list["total"], items.len());
        for item in items {
            assert!(item["rating"]["score"].is_i64() && item["rating"]["count"].is_i64(), "{item}");
            seen.push(item["id"].as_i64().expect("a number"));
        }
    }
    let expected: Vec<i64> = (1000..1060).collect();
    assert_eq!(seen.iter().rev().take(60).rev().copied().collect::<Vec<_>>(), expected);
    assert!(seen.is_sorted());
}
