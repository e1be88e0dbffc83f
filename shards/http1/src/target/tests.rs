//! Rows of raw text and what it decodes to.

use proptest::prelude::*;

use super::*;

#[test]
fn segments() {
    let check =
        |raw: &str, expected: Option<&str>| assert_eq!(decode_segment(raw).as_deref(), expected, "{raw}");
    check("", Some(""));
    check("plain", Some("plain"));
    check("a+b", Some("a+b"));
    check("a%20b", Some("a b"));
    check("%2F%2f%00", Some("//\0"));
    check("%C3%bC\u{fc}", Some("üü"));
    check("%25%32%35", Some("%25"));
    for raw in ["%", "%2", "%2g", "%g2", "a%", "%%20", "%ff", "%C3", "%C3x", "%ED%A0%80", "%+1"] {
        check(raw, None);
    }
    assert!(matches!(decode_segment("plain"), Some(Cow::Borrowed(_))));
}

#[test]
fn query_values() {
    let check =
        |raw: &str, expected: Option<&str>| assert_eq!(decode_query_value(raw).as_deref(), expected, "{raw}");
    check("a+b%2B", Some("a b+"));
    check("a=b", Some("a=b"));
    check("%zz", None);
    check("+%ff", None);
}

#[test]
fn pairs() {
    let check = |raw: &str, expected: &[(&str, &str)]| {
        let pairs: Vec<_> = query_pairs(raw).collect();
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(pairs, expected, "{raw}");
    };
    check("", &[]);
    check("&&", &[]);
    check("a=1&b=2", &[("a", "1"), ("b", "2")]);
    check("&a&=&b=&=c&", &[("a", ""), ("", ""), ("b", ""), ("", "c")]);
    check("a=b=c", &[("a", "b=c")]);
    check("a%3D=%26+", &[("a=", "& ")]);
    check("a;b=1", &[("a;b", "1")]);
    check("a=%zz%4", &[("a", "%zz%4")]);
    check("%ff=%C3%28", &[("\u{fffd}", "\u{fffd}(")]);
}

#[test]
fn the_first_of_a_name_counts() {
    let check = |raw: &str, name: &str, expected: Option<&str>| {
        assert_eq!(query_value(raw, name).as_deref(), expected, "{name} in {raw}");
    };
    check("page=1&page=2", "page", Some("1"));
    check("%70age=1+2&page=2", "page", Some("1 2"));
    check("page", "page", Some(""));
    check("Page=1", "page", None);
    check("", "", None);
}

/// The other direction, for every byte.
fn encode(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

proptest! {
    #[test]
    fn escapes_come_back(text in any::<String>(), name in "[a-z]{1,5}") {
        let escaped = encode(&text);
        prop_assert_eq!(decode_segment(&escaped), Some(Cow::from(&text)));
        prop_assert_eq!(decode_query_value(&escaped), Some(Cow::from(&text)));
        let query = format!("x=1&{}={escaped}&y=2", encode(&name));
        prop_assert_eq!(query_value(&query, &name).unwrap(), if name == "x" { "1" } else { &text });
    }

    #[test]
    fn strict_and_lossy_agree_where_both_answer(raw in "([a-c+%&=0-9]|\u{fc}|%[0-9a-f]{2}){0,12}") {
        let lossy: Vec<_> = query_pairs(&raw).collect();
        for ((name, value), (lossy_name, lossy_value)) in raw_query_pairs(&raw).zip(lossy) {
            for (strict, lossy) in [(decode_query_value(name), lossy_name), (decode_query_value(value), lossy_value)] {
                prop_assert!(strict.is_none_or(|strict| strict == lossy));
            }
        }
        if let Some(decoded) = decode_segment(&raw) {
            prop_assert!(decoded.len() <= raw.len());
        }
    }
}
