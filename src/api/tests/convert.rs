//! Types: what is taken, what is stored, what is refused and with which words.

use super::super::convert::{Rule, email, json, number, typed, uuid_of};
use crate::config::plan::{Bound, Format, Rules, Type};
use crate::config::time;
use proptest::prelude::*;
use ringmill_sqlite::Value;

fn integer(value: i64) -> Result<Value, &'static str> {
    Ok(Value::Integer(value))
}

fn text(value: &str) -> Result<Value, &'static str> {
    Ok(Value::Text(value.to_owned()))
}

#[track_caller]
fn check(kind: Type, raw: &str, expected: Result<Value, &str>) {
    let found = typed(kind, raw);
    assert_eq!(
        found.as_ref().map_err(|message| &**message),
        expected.as_ref().map_err(|message| *message),
        "{raw}"
    );
}

#[test]
fn integers() {
    check(Type::SmallInt, "-32768", integer(-32768));
    check(Type::SmallInt, "32768", Err("is out of range"));
    check(Type::Integer, "2147483647", integer(2_147_483_647));
    check(Type::Integer, "-2147483649", Err("is out of range"));
    check(Type::BigInt, "9223372036854775807", integer(i64::MAX));
    check(Type::BigInt, "-9223372036854775808", integer(i64::MIN));
    check(Type::BigInt, "9223372036854775808", Err("is out of range"));
    check(Type::BigInt, "-0", integer(0));
    check(Type::BigInt, &"9".repeat(5_000), Err("is out of range"));
    for raw in ["1.0", "1e2", "1E2", "1.5", "\"1\"", "true", "{}", "[1]"] {
        check(Type::BigInt, raw, Err("must be an integer"));
    }
    check(Type::BigInt, "null", Ok(Value::Null));
}

#[test]
fn reals_and_numerics() {
    check(Type::Double, "1", Ok(Value::Real(1.0)));
    check(Type::Double, "-1.5e3", Ok(Value::Real(-1500.0)));
    check(Type::Double, "0.1", Ok(Value::Real(0.1)));
    check(Type::Double, "1e309", Err("is out of range"));
    check(Type::Double, "1e-400", Err("is out of range"));
    check(Type::Double, "0e-400", Ok(Value::Real(0.0)));
    check(Type::Double, "0.000", Ok(Value::Real(0.0)));
    check(Type::Real, "0.1", Ok(Value::Real(f64::from(0.1_f32))));
    check(Type::Real, "1e39", Err("is out of range"));
    check(Type::Real, "1e-50", Err("is out of range"));
    check(Type::Double, "\"NaN\"", Err("must be a number"));
    check(Type::Numeric, "1.10000000000000000000000000001", text("1.10000000000000000000000000001"));
    check(Type::Numeric, "-1e400", text("-1e400"));
    check(Type::Numeric, "\"1\"", Err("must be a number"));
}

#[test]
fn strings() {
    check(Type::Text, r#""a\u00e9\n\"""#, text("aé\n\""));
    check(Type::Text, r#""\ud83d\ude00""#, text("😀"));
    check(Type::Text, r#""a\u0000b""#, Err("must not contain U+0000"));
    check(Type::Text, r#""\ud83d""#, Err("must be valid Unicode"));
    check(Type::Text, "1", Err("must be a string"));
    check(Type::Text, "[]", Err("must be a string"));
    check(Type::Boolean, "true", integer(1));
    check(Type::Boolean, "false", integer(0));
    for raw in ["0", "\"true\"", "[]"] {
        check(Type::Boolean, raw, Err("must be true or false"));
    }
    check(
        Type::Uuid,
        "\"ABCDEF01-2345-6789-abcd-EF0123456789\"",
        text("abcdef01-2345-6789-abcd-ef0123456789"),
    );
    for raw in
        ["\"abcdef0123456789abcdef0123456789\"", "\"\"", "\"{abcdef01-2345-6789-abcd-ef012345678}\"", "7"]
    {
        check(Type::Uuid, raw, Err("must be a UUID"));
    }
    check(Type::Bytes, "\"AP8=\"", Ok(Value::Blob(vec![0, 255])));
    check(Type::Bytes, "\"\"", Ok(Value::Blob(Vec::new())));
    for raw in ["\"AP8\"", "\"A-_=\"", "\"AP9=\"", "\"A P8=\"", "1"] {
        check(Type::Bytes, raw, Err("must be base64 with padding"));
    }
}

#[test]
fn timestamps() {
    for (sent, stored) in [
        ("2026-11-24T02:00:00Z", "2026-11-24T02:00:00.000000Z"),
        ("2026-11-24t02:00:00z", "2026-11-24T02:00:00.000000Z"),
        ("2026-11-24 02:00:00.1+00:00", "2026-11-24T02:00:00.100000Z"),
        ("2026-11-24T02:00:00.123456+02:00", "2026-11-24T00:00:00.123456Z"),
        ("2026-01-01T01:30:00+05:45", "2025-12-31T19:45:00.000000Z"),
        ("2024-02-28T23:30:00-0100", "2024-02-29T00:30:00.000000Z"),
        ("2026-11-24T02:00:00-00", "2026-11-24T02:00:00.000000Z"),
        ("2026-11-24T02:00:00.1234565Z", "2026-11-24T02:00:00.123456Z"),
        ("2026-11-24T02:00:00.1234575Z", "2026-11-24T02:00:00.123458Z"),
        ("2026-11-24T02:00:00.12345650000001Z", "2026-11-24T02:00:00.123457Z"),
        ("2026-12-31T23:59:59.9999999Z", "2027-01-01T00:00:00.000000Z"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000000Z"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000Z"),
    ] {
        assert_eq!(time::timestamp(sent).as_deref(), Some(stored), "{sent}");
        assert_eq!(time::timestamp(stored).as_deref(), Some(stored), "{stored}");
    }
    for sent in [
        "",
        "2026-11-24",
        "2026-11-24T02:00:00",
        "2026-11-24T02:00Z",
        "2026-11-24T24:00:00Z",
        "2026-11-24T02:60:00Z",
        "2026-11-24T02:00:61Z",
        "2026-02-29T02:00:00Z",
        "2026-13-01T02:00:00Z",
        "2026-11-24T02:00:00.Z",
        "2026-11-24T02:00:00+24:00",
        "2026-11-24T02:00:00+02:00[Europe/Berlin]",
        "2026-11-24T02:00:00 Z",
        "2026-11-24T02:00:00Zx",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59.9999999Z",
        "9999-12-31T23:59:59-00:01",
        "0000-01-01T00:00:00Z",
        "+2026-11-24T02:00:00Z",
        "2026-11-2éT02:00:00Z",
        "1795485600",
    ] {
        assert_eq!(time::timestamp(sent), None, "{sent}");
    }
    assert_eq!(time::format_timestamp(super::NOW_UNIX_US).as_deref(), Some("2026-11-24T02:00:00.123456Z"));
    assert_eq!(time::format_timestamp(-1).as_deref(), Some("1969-12-31T23:59:59.999999Z"));
    assert_eq!(time::format_timestamp(i64::MAX), None);
    assert_eq!(time::format_date(super::NOW_UNIX_US).as_deref(), Some("2026-11-24"));
}

#[test]
fn dates() {
    check(Type::Date, "\"2024-02-29\"", text("2024-02-29"));
    for raw in ["\"2026-02-29\"", "\"2026-2-1\"", "\"0000-01-01\"", "\"2026-11-24T00:00:00Z\"", "20261124"] {
        check(Type::Date, raw, Err("must be a date, such as 2026-11-24"));
    }
}

#[test]
fn json_values() {
    for (raw, stored) in [
        (" { \"a\" : [ 1 , 2.50 , 1e400 ] , \"b c\" : null } ", r#"{"a":[1,2.50,1e400],"b c":null}"#),
        (r#""x \" y""#, r#""x \" y""#),
        ("\"é\u{2028}\"", "\"é\u{2028}\""),
        (r#""\\u0000""#, r#""\\u0000""#),
        ("12345678901234567890123", "12345678901234567890123"),
        ("true", "true"),
    ] {
        assert_eq!(json::compact(raw).as_deref(), Ok(stored), "{raw}");
    }
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(json::compact(&nested(128)).is_ok());
    for (raw, message) in [
        (nested(129).as_str(), "is nested too deeply"),
        (r#"["\u0000"]"#, "must not contain U+0000"),
        (r#"{"\ud800":1}"#, "must be valid Unicode"),
        ("{", "must be JSON"),
        ("", "must be JSON"),
        ("1 2", "must be JSON"),
    ] {
        assert_eq!(
            json::compact(raw).map_err(|message| message.into_owned()),
            Err(message.to_owned()),
            "{raw}"
        );
    }
}

#[test]
fn emails() {
    let label = "a".repeat(63);
    for valid in [
        "a@b",
        "a.b+c@d-e.f",
        ".a.@b",
        "!#$%&'*+/=?^_`{|}~-@b",
        "a@1.2",
        "a@b.c.d.e",
        &format!("a@{label}.{label}"),
    ] {
        assert!(email::is_valid(valid), "{valid}");
    }
    for invalid in [
        "",
        "a",
        "@",
        "a@",
        "@b",
        "a@b@c",
        "a b@c",
        "a@b c",
        "a@.b",
        "a@b.",
        "a@b..c",
        "a@-b",
        "a@b-",
        "a@b_c",
        "é@b",
        "a@é",
        "a@b\n",
        "\"a\"@b",
        "a@[1.2.3.4]",
        &format!("a@{label}a"),
    ] {
        assert!(!email::is_valid(invalid), "{invalid}");
    }
}

fn rules(kind: Type) -> Rules {
    Rules {
        kind,
        required: false,
        min_length: None,
        max_length: None,
        format: None,
        minimum: None,
        maximum: None,
        choices: None,
        default: None,
    }
}

#[track_caller]
fn check_rule(rules: Rules, raw: &str, expected: &[&str]) {
    let faults = Rule::new(&rules).value_of_json(raw).err().unwrap_or_default();
    assert_eq!(faults, expected, "{raw}");
}

#[test]
fn rules_of_text_and_choices() {
    let name = || Rules { min_length: Some(1), max_length: Some(3), ..rules(Type::Text) };
    check_rule(name(), r#""äöü""#, &[]);
    check_rule(name(), r#""""#, &["must be at least 1 character"]);
    check_rule(name(), r#""äöü\u0061""#, &["must be at most 3 characters"]);
    check_rule(name(), "null", &[]);
    let address = || Rules { format: Some(Format::Email), max_length: Some(1), ..rules(Type::Text) };
    check_rule(address(), r#""ab""#, &["must be at most 1 character", "must be a valid e-mail address"]);
    let choices = Some(vec!["active".into(), "blocked".into()]);
    let status = || Rules { choices: choices.clone(), ..rules(Type::Text) };
    check_rule(status(), r#""blocked""#, &[]);
    check_rule(status(), r#""Blocked""#, &["must be one of: active, blocked"]);
    let choices = Some(vec![1.into(), 2.into()]);
    check_rule(Rules { choices, ..rules(Type::Integer) }, "3", &["must be one of: 1, 2"]);
    let choices = Some(vec!["1.5".into()]);
    check_rule(Rules { choices: choices.clone(), ..rules(Type::Numeric) }, "1.5", &[]);
    check_rule(Rules { choices, ..rules(Type::Numeric) }, "2", &["must be one of: 1.5"]);
}

#[test]
fn bounds_are_exact() {
    let between = |kind, least, most| Rules { minimum: Some(least), maximum: Some(most), ..rules(kind) };
    let whole = |kind| between(kind, Bound::Integer(-1), Bound::Integer(9_007_199_254_740_993));
    for kind in [Type::BigInt, Type::Numeric] {
        check_rule(whole(kind), "9007199254740993", &[]);
        check_rule(whole(kind), "9007199254740994", &["must be at most 9007199254740993"]);
        check_rule(whole(kind), "-2", &["must be at least -1"]);
        check_rule(whole(kind), "-1", &[]);
    }
    check_rule(whole(Type::Numeric), "-1.0000000000000000000000001", &["must be at least -1"]);
    check_rule(whole(Type::Numeric), "1e999999999999999999999", &["must be at most 9007199254740993"]);
    check_rule(whole(Type::Numeric), "-1e-999999999999999999999", &[]);
    let part = |kind| between(kind, Bound::Real(0.1), Bound::Real(1.5e3));
    for kind in [Type::Double, Type::Real, Type::Numeric] {
        check_rule(part(kind), "0.1", &[]);
        check_rule(part(kind), "0.10e0", &[]);
        check_rule(part(kind), "0.09", &["must be at least 0.1"]);
        check_rule(part(kind), "1500.1", &["must be at most 1500"]);
    }
}

#[test]
fn text_of_paths_and_queries() {
    let check = |kind, text: &str, expected: Result<Value, &str>| {
        let found = Rule::new(&rules(kind)).value_of_text(text);
        assert_eq!(
            found.map_err(|messages| messages[0].to_string()),
            expected.map_err(str::to_owned),
            "{text}"
        );
    };
    check(Type::BigInt, "-7", integer(-7));
    for text in ["", "+7", "07", " 7", "7 ", "0x7", "7.0", "null"] {
        check(Type::BigInt, text, Err("must be an integer"));
    }
    check(Type::Numeric, "7.50", text("7.50"));
    check(Type::Text, "null", text("null"));
    check(Type::Text, "", text(""));
    check(Type::Text, "\0", Err("must not contain U+0000"));
    check(Type::Boolean, "true", integer(1));
    check(Type::Boolean, "1", Err("must be true or false"));
    check(Type::Date, "2026-11-24", text("2026-11-24"));
    check(Type::Json, "[1, 2]", text("[1,2]"));
    check(Type::Json, "x", Err("must be JSON"));
}

#[test]
fn uuids_of_chance() {
    assert_eq!(uuid_of(0), "00000000-0000-4000-8000-000000000000");
    assert_eq!(uuid_of(u128::MAX), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    assert_eq!(uuid_of(super::RANDOM), "01234567-89ab-4def-8123-456789abcdef");
}

proptest! {
    #[test]
    fn decimals_order_as_numbers(a in -1_000_000_i64..1_000_000, b in -1_000_000_i64..1_000_000, scale in 0_u32..4) {
        let written = |number: i64| {
            let unit = 10_i64.pow(scale);
            let sign = if number < 0 { "-" } else { "" };
            let (whole, part) = (number.abs() / unit, number.abs() % unit);
            match scale {
                0 => number.to_string(),
                _ => format!("{sign}{whole}.{part:0width$}", width = scale as usize),
            }
        };
        let a_exponent = format!("{a}e-{scale}");
        let order = number::Decimal::new(&written(a)).partial_cmp(&number::Decimal::new(&written(b)));
        prop_assert_eq!(order, Some(a.cmp(&b)));
        let order = number::Decimal::new(&a_exponent).partial_cmp(&number::Decimal::new(&written(b)));
        prop_assert_eq!(order, Some(a.cmp(&b)));
    }

    #[test]
    fn numbers_are_those_of_json(text in "[-+0-9.eE]{0,8}") {
        let is_json = serde_json::from_str::<&serde_json::value::RawValue>(&text).is_ok();
        prop_assert_eq!(number::is_number(&text), is_json);
    }

    #[test]
    fn compact_json_means_the_same(value in arbitrary_json()) {
        let pretty = serde_json::to_string_pretty(&value).unwrap();
        prop_assert_eq!(json::compact(&pretty).unwrap(), value.to_string());
    }

    #[test]
    fn times_never_panic(text in "[-0-9T:.Z+é ]{0,40}|2026-11-24T02:00:00[-.0-9:+Zé]{0,12}") {
        if let Some(stored) = time::timestamp(&text) {
            prop_assert_eq!(time::timestamp(&stored), Some(stored));
        }
    }
}

pub(super) fn arbitrary_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        "[^\0]{0,8}".prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            proptest::collection::vec(("[^\0]{0,4}", inner), 0..4)
                .prop_map(|fields| serde_json::Value::Object(fields.into_iter().collect())),
        ]
    })
}
