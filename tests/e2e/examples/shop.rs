//! `shop.toml`: five related tables, every type and most rules, and SQL for what spans several.

use super::{Example, copied, seed};
use crate::client::{Response, Round};
use crate::server::run;

fn invalid(errors: &str) -> String {
    format!(r#"{{"error":"Validation failed","errors":{{{errors}}}}}"#)
}

/// A cell of an answer that nobody can know before, such as a time.
#[track_caller]
fn cell(answer: &Response, name: &str) -> String {
    answer.json()[name].as_str().unwrap_or_else(|| panic!("no {name} in {answer:?}")).to_owned()
}

/// The row of the first customer.
fn ada(tier: &str, created_at: &str, updated_at: &str) -> String {
    format!(
        r#"{{"id":1,"email":"ada@example.com","name":"Ada","tier":"{tier}","birthday":"1815-12-10","credit":0.00,"created_at":"{created_at}","updated_at":"{updated_at}"}}"#
    )
}

#[test]
fn the_shop_is_served() {
    let example = Example::start("shop.toml");
    let round = &mut example.round();
    customers(round);
    let (tea, cup) = products(round);
    orders(round);
    order_items(round, &tea, &cup);
    reports(round, &tea);
    reviews(round, &tea, &cup);
    what_is_deleted(round, &tea, &cup);
    example.end();
}

/// Enums, unique, generated times, hidden and read-only columns.
fn customers(round: &mut Round) {
    let body = r#"{"email":"ada@example.com","name":"Ada","birthday":"1815-12-10","note":"likes tea"}"#;
    let created = round.ask("POST", "/customers", Some(body));
    let created_at = cell(&created, "created_at");
    assert!(created_at.len() == 27 && created_at.ends_with('Z'), "{created_at}");
    created.is(201, &ada("basic", &created_at, &created_at)).has("Location", Some("/customers/1"));
    let taken = r#"{"error":"Failed to create customer","errors":{"email":["is already taken"]}}"#;
    round.ask("POST", "/customers", Some(body)).is(409, taken);

    let faults = invalid(concat!(
        r#""email":["must be a valid e-mail address"],"name":["must be at least 1 character"],"#,
        r#""tier":["must be one of: basic, silver, gold"],"birthday":["must be a date, such as 2026-11-24"],"#,
        r#""credit":["may not be set"],"created_at":["may not be set"],"nmae":["is unknown"]"#
    ));
    let body = r#"{"email":"ada","name":"","tier":"tin","birthday":"1815-02-29","credit":5,"created_at":"2026-11-24T02:00:00Z","nmae":1}"#;
    round.ask("POST", "/customers", Some(body)).is(400, &faults);

    // An update answers the row, and changes its time.
    let patched = round.ask("PATCH", "/customers/1", Some(r#"{"tier":"gold","credit":0}"#));
    let updated_at = cell(&patched, "updated_at");
    assert!(updated_at > created_at, "{updated_at} {created_at}");
    patched.is(200, &ada("gold", &created_at, &updated_at));
    round.get("/customers/1").is(200, &ada("gold", &created_at, &updated_at));
    let fixed = invalid(r#""credit":["may not be changed"]"#);
    round.ask("PATCH", "/customers/1", Some(r#"{"credit":1}"#)).is(400, &fixed);
    let put = r#"{"email":"ada@example.com","name":"Ada","birthday":"1815-12-10","tier":null}"#;
    let put = round.ask("PUT", "/customers/1", Some(put));
    let updated_at = cell(&put, "updated_at");
    put.is(200, &ada("basic", &created_at, &updated_at).replace(r#""basic""#, "null"));

    for (name, id) in [("Bo", 2), ("Cy", 3)] {
        let body = format!(r#"{{"email":"{name}@example.com","name":"{name}"}}"#);
        let created = round.ask("POST", "/customers", Some(&body));
        created.has("Location", Some(&format!("/customers/{id}")));
    }
    // Newest first.
    let list = round.get("/customers?per_page=2").json();
    assert_eq!((&list["total"], &list["page"], &list["per_page"]), (&3.into(), &1.into(), &2.into()));
    assert_eq!((&list["customers"][0]["id"], &list["customers"][1]["id"]), (&3.into(), &2.into()));
    assert_eq!(round.get("/customers?per_page=1000").json()["per_page"], 50);
}

/// Exact numbers, JSON, bytes, dates and identifiers that nobody can guess.
fn products(round: &mut Round) -> (String, String) {
    let body = r#"{"sku":"TEA-1","name":"Tea","price":12.50,"weight":0.25,"status":"active","released":"2024-02-29","attributes":{"organic": true, "grams": 1.10},"picture":"aGVsbG8="}"#;
    let created = round.ask("POST", "/products", Some(body));
    let tea = cell(&created, "id");
    let row = format!(
        r#"{{"id":"{tea}","sku":"TEA-1","name":"Tea","price":12.50,"weight":0.25,"status":"active","released":"2024-02-29","attributes":{{"organic":true,"grams":1.10}},"picture":"aGVsbG8="}}"#
    );
    created.is(201, &row).has("Location", Some(&format!("/products/{tea}")));
    round.get(&format!("/products/{tea}")).is(200, &row);
    round.get(&format!("/products/{}", tea.to_uppercase())).is(200, &row);
    round.get("/products/tea").is(404, r#"{"error":"Product not found"}"#);

    let created = round.ask("POST", "/products", Some(r#"{"sku":"CUP-1","name":"Cup","price":3}"#));
    let cup = cell(&created, "id");
    let row = format!(
        r#"{{"id":"{cup}","sku":"CUP-1","name":"Cup","price":3,"weight":null,"status":"draft","released":null,"attributes":{{}},"picture":null}}"#
    );
    created.is(201, &row);
    let four = |id: &str| id.len() == 36 && id.as_bytes()[14] == b'4' && id.to_lowercase() == id;
    assert!(four(&tea) && four(&cup) && tea != cup, "{tea} {cup}");

    let faults = invalid(concat!(
        r#""sku":["must be at least 3 characters"],"price":["must be at most 99999.99"],"#,
        r#""weight":["is out of range"],"picture":["must be base64 with padding"]"#
    ));
    let body = r#"{"sku":"X","name":"X","price":99999.990000000000001,"weight":1e400,"picture":"aGVsbG8"}"#;
    round.ask("POST", "/products", Some(body)).is(400, &faults);
    let updated = r#"{"message":"Updated"}"#;
    let path = format!("/products/{cup}");
    round.ask("PATCH", &path, Some(r#"{"price":3.000000000000000000000000000001}"#)).is(200, updated);
    let exact = row.replace(r#""price":3"#, r#""price":3.000000000000000000000000000001"#);
    round.get(&path).is(200, &exact);
    let put = r#"{"sku":"CUP-1","name":"Cup","price":3}"#;
    round.ask("PUT", &path, Some(put)).is(200, updated);
    let list = round.get("/products").json();
    assert_eq!((&list["products"][0]["name"], &list["products"][1]["name"]), (&"Cup".into(), &"Tea".into()));
    (tea, cup)
}

/// References, and a partial unique index.
fn orders(round: &mut Round) {
    let body = r#"{"customer_id":1,"deliver_after":"2026-11-24T02:00:00.5+02:00"}"#;
    let created = round.ask("POST", "/orders", Some(body));
    let placed_at = cell(&created, "placed_at");
    let row = format!(
        r#"{{"id":1,"customer_id":1,"status":"open","deliver_after":"2026-11-24T00:00:00.500000Z","gift":false,"placed_at":"{placed_at}"}}"#
    );
    created.is(201, &row).has("Location", Some("/orders/1"));
    round.get("/orders/1").is(200, &row);
    let open = r#"{"error":"Failed to create order","errors":{"customer_id":["is already taken"]}}"#;
    round.ask("POST", "/orders", Some(r#"{"customer_id":1}"#)).is(409, open);
    assert_eq!(round.ask("POST", "/orders", Some(r#"{"customer_id":1,"status":"paid"}"#)).status, 201);
    let nobody = invalid(r#""customer_id":["does not exist"]"#);
    round.ask("POST", "/orders", Some(r#"{"customer_id":99}"#)).is(400, &nobody);
    let missing = r#"{"error":"Missing required fields","errors":{"customer_id":["is required"],"gift":["must be true or false"]}}"#;
    round.ask("POST", "/orders", Some(r#"{"gift":"yes"}"#)).is(400, missing);
    round.ask("PUT", "/orders/2", Some(r#"{"customer_id":1}"#)).is(409, open);
    let put = r#"{"customer_id":1,"status":"cancelled","gift":true}"#;
    round.ask("PUT", "/orders/2", Some(put)).is(200, r#"{"message":"Updated"}"#);
    assert_eq!(round.get("/orders").json()["total"], 2);
    let referred = r#"{"error":"Conflict","errors":{"id":["is still referred to"]}}"#;
    round.ask("DELETE", "/customers/1", None).is(409, referred);
}

/// A key of two columns, and an endpoint that writes with parameters from path, query and body.
fn order_items(round: &mut Round, tea: &str, cup: &str) {
    let add = |round: &mut Round, target: &str, body: &str| round.ask("POST", target, Some(body));
    let added = |quantity: u32, price: &str, discount: u32| {
        format!(
            r#"{{"added":{{"product_id":"{tea}","quantity":{quantity},"unit_price":{price}}},"order":{{"id":1,"discount_percent":{discount}}}}}"#
        )
    };
    let two = format!(r#"{{"product_id":"{tea}","quantity":2}}"#);
    add(round, "/orders/1/items?discount=10", &two).is(201, &added(2, "11.25", 10));
    let one = format!(r#"{{"product_id":"{tea}"}}"#);
    add(round, "/orders/1/items?discount=99", &one).is(201, &added(3, "6.25", 50));
    round.ask("POST", &format!("/orders/1/items?product_id={tea}"), None).is(201, &added(4, "12.50", 0));
    let draft = format!(r#"{{"product_id":"{cup}"}}"#);
    add(round, "/orders/1/items", &draft).is(404, r#"{"error":"Not found"}"#);
    add(round, "/orders/x/items", &one).is(404, r#"{"error":"Not found"}"#);
    // Order or product: the database does not say which reference leads nowhere.
    add(round, "/orders/77/items", &one).is(400, r#"{"error":"Validation failed"}"#);
    let faults = invalid(r#""product_id":["must be a UUID"],"quantity":["must be at most 1000"]"#);
    add(round, "/orders/1/items", r#"{"product_id":"tea","quantity":1001}"#).is(400, &faults);
    let many = format!(r#"{{"product_id":"{tea}","quantity":999}}"#);
    add(round, "/orders/1/items", &many).is(400, &invalid(r#""quantity":["is not allowed"]"#));

    let path = format!("/orders/1/items/{tea}");
    let item = |quantity: u32, price: &str| {
        format!(r#"{{"order_id":1,"product_id":"{tea}","quantity":{quantity},"unit_price":{price}}}"#)
    };
    round.get(&path).is(200, &item(4, "12.50"));
    round.get(&format!("/orders/2/items/{tea}")).is(404, r#"{"error":"Order item not found"}"#);
    let taken = r#"{"error":"Failed to create order item","errors":{"order_id":["is already taken"],"product_id":["is already taken"]}}"#;
    round.ask("POST", "/order_items", Some(&item(1, "1"))).is(409, taken);
    let other = item(1, "3.10").replace(tea, cup);
    let created = round.ask("POST", "/order_items", Some(&other));
    created.is(201, &other).has("Location", Some(&format!("/orders/1/items/{cup}")));
    round.ask("PUT", &path, Some(&item(5, "12.00"))).is(200, r#"{"message":"Updated"}"#);
    round.ask("PATCH", &path, Some(r#"{"quantity":4}"#)).is(200, r#"{"message":"Updated"}"#);
    let moved = item(4, "12.00").replace(r#""order_id":1"#, r#""order_id":2"#);
    round.ask("PUT", &path, Some(&moved)).is(400, &invalid(r#""order_id":["may not be changed"]"#));
    let list = |of: &[&str]| {
        let of = of.join(",");
        format!(r#"{{"order_items":[{of}],"total":1,"page":1,"per_page":20}}"#)
    };
    round
        .ask("DELETE", &format!("/orders/1/items/{cup}"), None)
        .is(200, r#"{"message":"Order item deleted"}"#);
    round.get("/order_items").is(200, &list(&[&item(4, "12.00")]));
}

/// Joins and sums.
fn reports(round: &mut Round, tea: &str) {
    let placed_at = cell(&round.get("/orders/1"), "placed_at");
    let details = format!(
        r#"{{"id":1,"status":"open","placed_at":"{placed_at}","customer":"Ada","items":[{{"sku":"TEA-1","name":"Tea","quantity":4}}],"total":48.00}}"#
    );
    round.get("/orders/1/details").is(200, &details);
    let nothing = round.get("/orders/2/details");
    assert!(nothing.text().ends_with(r#""customer":"Ada","items":[],"total":0.00}"#), "{nothing:?}");
    round.get("/orders/3/details").is(404, r#"{"error":"Not found"}"#);

    round.get("/customers/1/spent").is(200, "0.00");
    round.ask("PATCH", "/orders/1", Some(r#"{"status":"paid"}"#)).is(200, r#"{"message":"Updated"}"#);
    round.get("/customers/1/spent").is(200, "48.00");

    let best = |rows: &str, since: &str| format!(r#"{{"bestsellers":[{rows}],"since":"{since}"}}"#);
    let row = format!(r#"{{"id":"{tea}","name":"Tea","sold":4,"revenue":48.00,"rating":null}}"#);
    round.get("/reports/bestsellers?limit=0").is(200, &best(&row, "2000-01-01T00:00:00.000000Z"));
    let late = "/reports/bestsellers?since=2999-01-01T00:00:00%2B02:00";
    round.get(late).is(200, &best("", "2998-12-31T22:00:00.000000Z"));
    let since = invalid(r#""since":["must be a timestamp with an offset, such as 2026-11-24T02:00:00Z"]"#);
    round.get("/reports/bestsellers?since=2026-11-24").is(400, &since);
}

/// A table of an included file: a unique index of two columns, and no update.
fn reviews(round: &mut Round, tea: &str, cup: &str) {
    let body = |product: &str, customer: u32| {
        format!(r#"{{"product_id":"{product}","customer_id":{customer},"stars":4}}"#)
    };
    let created = round.ask("POST", "/reviews", Some(&body(tea, 2)));
    created.is(201, r#"{"review":{"id":1,"stars":4},"thanks":"Thank you"}"#);
    created.has("Location", Some("/reviews/1"));
    let taken = r#"{"error":"Failed to create review","errors":{"product_id":["is already taken"],"customer_id":["is already taken"]}}"#;
    round.ask("POST", "/reviews", Some(&body(tea, 2))).is(409, taken);
    assert_eq!(round.ask("POST", "/reviews", Some(&body(cup, 2))).status, 201);
    let stars = invalid(r#""stars":["must be at most 5"]"#);
    round.ask("POST", "/reviews", Some(&body(tea, 3).replace('4', "6"))).is(400, &stars);
    let refused = round.ask("PATCH", "/reviews/1", Some(r#"{"stars":5}"#));
    refused.is(405, r#"{"error":"Method not allowed"}"#).has("Allow", Some("GET, HEAD, DELETE, OPTIONS"));
    assert_eq!(round.get("/reports/bestsellers").json()["bestsellers"][0]["rating"], 4.0);
}

/// What goes with a row that is deleted, and what keeps it.
fn what_is_deleted(round: &mut Round, tea: &str, cup: &str) {
    let referred = r#"{"error":"Conflict","errors":{"id":["is still referred to"]}}"#;
    round.ask("DELETE", &format!("/products/{tea}"), None).is(409, referred);
    // A review stays without its customer, and goes with its product.
    round.ask("DELETE", "/customers/2", None).is(200, r#"{"message":"Customer deleted"}"#);
    let review = round.get("/reviews/1");
    let written_at = cell(&review, "written_at");
    let row = format!(
        r#"{{"id":1,"product_id":"{tea}","customer_id":null,"stars":4,"body":null,"written_at":"{written_at}"}}"#
    );
    review.is(200, &row);
    round.ask("DELETE", &format!("/products/{cup}"), None).is(200, r#"{"message":"Product deleted"}"#);
    round.get("/reviews").is(200, &format!(r#"{{"reviews":[{row}],"count":1,"page":1}}"#));
    // An order takes its items with it.
    round.ask("DELETE", "/orders/1", None).is(200, r#"{"message":"Order deleted"}"#);
    round.get("/order_items").is(200, r#"{"order_items":[],"total":0,"page":1,"per_page":20}"#);
    round.ask("DELETE", "/reviews/1", None).is(200, r#"{"message":"Review deleted"}"#);
}

#[test]
fn what_comes_from_outside_is_used_and_not_shown() {
    let environment =
        [("SHOP_DATABASE", "hunter2.db"), ("RINGMILL_TABLES__REVIEWS__NOUN", "Opinion"), ("SHOP_OTHER", "x")];
    let example = Example::start_with("shop.toml", &environment);
    example.server.connect().get("/reviews/1").is(404, r#"{"error":"Opinion not found"}"#);
    let config = example.server.connect_admin().get("/config").json();
    assert_eq!(config["database"]["url"], "***");
    assert!(!config.to_string().contains("hunter2"), "{config}");
    let folder = example.server.kill();
    assert!(folder.path().join("data/hunter2.db").exists());
}

/// Every table can be filled, its parents first, and what is there is served.
#[test]
fn every_table_can_be_seeded() {
    let folder = copied();
    for (table, rows, said) in [
        ("order_items", "500", "seeded 500 rows of order_items (and "),
        ("reviews", "300", "seeded 300 rows of reviews"),
        ("customers", "40", "seeded 40 rows of customers\n"),
        ("products", "40", "seeded 40 rows of products\n"),
        ("orders", "200", "seeded 200 rows of orders"),
    ] {
        let ended = seed(folder.path(), "shop.toml", table, rows);
        assert_eq!(ended.code, Some(0), "{table}: {}", ended.stderr);
        assert!(ended.stdout.starts_with(said), "{}", ended.stdout);
    }
    let ended = run(folder.path(), &["seed", "--config", "shop.toml", "--table", "revews", "--rows", "1"]);
    assert!(ended.code == Some(1) && ended.last_line().contains("no table revews"), "{}", ended.stderr);

    let example = Example::start_in(folder, "shop.toml", &[]);
    let round = &mut example.round();
    for (table, least) in [("customers", 40), ("products", 40), ("orders", 200), ("order_items", 500)] {
        let list = round.get(&format!("/{table}")).json();
        assert!(list["total"].as_u64() >= Some(least), "{table}: {}", list["total"]);
        assert_eq!(list[table].as_array().map(Vec::len), list["per_page"].as_u64().map(|n| n as usize));
    }
    assert_eq!(round.get("/reviews?per_page=100").json()["count"], 100);
    let best = round.get("/reports/bestsellers?limit=3").json();
    assert_eq!(best["bestsellers"].as_array().map(Vec::len), Some(3), "{best}");
}
