//! Paths to routes.

use super::super::percent;
use super::super::router::Router;
use super::{Api, Served, builtin_plan, plan_of};
use proptest::prelude::*;
use ringmill_http1::Method;

#[test]
fn paths_match_exactly_after_decoding() {
    let mut router = Router::default();
    let declared = [
        "/",
        "/a/b",
        "/a/{x}/c",
        "/a/b/d",
        "/ü/{x}",
        "/{x}",
        "/a/{x}",
        "/a/{x}/{y}/z",
        "/a%b",
        "/t/",
        "/b{r}",
    ];
    for (operation, path) in declared.iter().enumerate() {
        router.add(path, &[Method::Get], operation, false);
    }
    let check = |path: &str, expected: Option<(&str, &[&str])>| {
        let found = router.find(path);
        let found = found.as_ref().map(|found| {
            let parameters: Vec<_> =
                found.parameters.iter().map(|text| text.as_deref().unwrap_or("?")).collect();
            (router.routes()[found.route].path.as_str(), parameters)
        });
        assert_eq!(found, expected.map(|(route, parameters)| (route, parameters.to_vec())), "{path}");
    };
    check("/", Some(("/", &[])));
    check("/a/b", Some(("/a/b", &[])));
    check("/a/%62", Some(("/a/b", &[])));
    check("/%61/b/d", Some(("/a/b/d", &[])));
    check("/a/b/c", Some(("/a/{x}/c", &["b"])));
    check("/a/q/c", Some(("/a/{x}/c", &["q"])));
    check("/a/q%2Fc", Some(("/a/{x}", &["q/c"])));
    check("/a/q%2fc/c", Some(("/a/{x}/c", &["q/c"])));
    check("/a%2Fb", Some(("/{x}", &["a/b"])));
    check("/a/%00", Some(("/a/{x}", &["\0"])));
    check("/a/%FF", Some(("/a/{x}", &["?"])));
    check("/a/%2541", Some(("/a/{x}", &["%41"])));
    check("/a/%zz", Some(("/a/{x}", &["%zz"])));
    check("/a/%", Some(("/a/{x}", &["%"])));
    check("/a/%4", Some(("/a/{x}", &["%4"])));
    check("/a%25b", Some(("/a%b", &[])));
    check("/%C3%BC/%C3%A4", Some(("/ü/{x}", &["ä"])));
    check("/a/+", Some(("/a/{x}", &["+"])));
    check("/a/{x}", Some(("/a/{x}", &["{x}"])));
    check("/b{r}", Some(("/b{r}", &[])));
    check("/a/1/2/z", Some(("/a/{x}/{y}/z", &["1", "2"])));
    check("/t/", Some(("/t/", &[])));
    check("/t", Some(("/{x}", &["t"])));
    for path in ["", "a", "//", "/a/", "/a//c", "/a/b/", "/a/b/c/", "/A/b", "/a/%2F/", "*"] {
        check(path, None);
    }
}

#[test]
fn routes_of_one_shape_are_one() {
    let plan = plan_of(
        r#"
        [tables.things]
        list = "/things"
        item = "/things/{id}"
        access = { list = "public", get = "public" }
        [tables.things.columns]
        id = { type = "bigint", generated = "identity" }
        [tables.closed]
        list = "/closed"
        item = "/closed/{id}"
        access = { create = "public" }
        [tables.closed.columns]
        id = { type = "bigint", generated = "identity" }
        [endpoints.patch]
        path = "/things/{number}"
        methods = ["PATCH"]
        sql = "SELECT $number AS n"
        shape = "row"
        [endpoints.echo]
        path = "/things"
        methods = ["PUT"]
        echo = true
        "#,
    );
    let served = Served::new(&plan);
    let routes: Vec<_> =
        served.api.routes().iter().map(|route| (route.path.as_str(), route.allow.as_str())).collect();
    assert_eq!(
        routes,
        [
            ("/things", "GET, HEAD, PUT, OPTIONS"),
            ("/things/{id}", "GET, HEAD, PATCH, OPTIONS"),
            ("/closed", "POST, OPTIONS")
        ]
    );
    served.check(Method::Patch, "/things/x", "", 200, r#"{"n":"x"}"#);
    served.check(Method::Get, "/things/x", "", 404, r#"{"error":"Thing not found"}"#);
    served.check(Method::Get, "/closed/1", "", 404, r#"{"error":"Not found"}"#);
    served.check(Method::Get, "/closed", "", 405, r#"{"error":"Method not allowed"}"#);
    // Nothing is there to be set, and no item to point to.
    let answer = served.check(Method::Post, "/closed", "{}", 201, r#"{"id":1}"#);
    assert_eq!(answer.location, None);
}

#[test]
fn terms() {
    let plan = builtin_plan();
    let api = Api::new(&plan);
    let route = |path: &str| api.find(path).expect("declared").route;
    let policies = |path: &str, method| {
        let terms = api.terms(route(path), method);
        terms.map(|terms| {
            let names = terms.policies.iter().map(|index| plan.rate_limits[*index].name.as_str());
            (names.collect::<Vec<_>>(), terms.cache.is_some(), terms.writes)
        })
    };
    assert_eq!(policies("/api/users", Method::Get), Some((vec!["read"], true, false)));
    assert_eq!(policies("/api/users", Method::Head), Some((vec!["read"], true, false)));
    assert_eq!(policies("/api/users", Method::Post), Some((vec!["create"], false, true)));
    assert_eq!(policies("/api/user/1", Method::Patch), Some((vec!["update"], false, true)));
    assert_eq!(policies("/api/user/1", Method::Delete), Some((vec!["delete"], false, true)));
    assert_eq!(policies("/api/posts", Method::Get), Some((vec!["read"], true, false)));
    assert_eq!(policies("/api/user", Method::Post), Some((vec!["create"], false, true)));
    assert_eq!(policies("/api/data", Method::Get), Some((vec!["data"], false, false)));
    assert_eq!(policies("/api/users", Method::Options), None);
    let posts = api.terms(route("/api/posts"), Method::Get).and_then(|terms| terms.timeout);
    assert_eq!(posts, Some(std::time::Duration::from_secs(5)));
    let cached: Vec<_> = api.routes().iter().map(|route| (route.path.as_str(), route.cached)).collect();
    assert_eq!(
        cached,
        [
            ("/api/users", true),
            ("/api/user/{id}", true),
            ("/api/posts", true),
            ("/api/user", false),
            ("/api/data", false),
            ("/api/heavy-operation", false)
        ]
    );
}

proptest! {
    #[test]
    fn an_encoded_segment_comes_back(text in "\\PC{1,20}|[/%\0+.a]{1,9}") {
        let mut router = Router::default();
        router.add("/x/{a}", &[Method::Get], 0, false);
        let mut path = String::from("/x/");
        percent::encode_segment(&mut path, &text);
        let found = router.find(&path).expect("one segment");
        prop_assert_eq!(found.parameters[0].as_deref(), Some(text.as_str()));
    }

    #[test]
    fn no_path_panics(path in "[/%a-f0-9{}é\0]{0,30}") {
        let _ = Api::new(&builtin_plan()).find(&path);
    }
}
