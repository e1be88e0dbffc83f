//! Values and templates to JSON.

use super::super::render::{escape, write_value};
use super::super::template::{Filling, RowShape, Template};
use crate::config::plan::{self, Type};
use proptest::prelude::*;
use ringmill_sqlite::{Rows, Value};

fn rendered(kind: Option<Type>, value: &Value) -> String {
    let mut out = Vec::new();
    write_value(&mut out, kind, value);
    String::from_utf8(out).unwrap()
}

#[test]
fn values_by_type() {
    let text = |text: &str| Value::Text(text.to_owned());
    for (kind, value, expected) in [
        (Some(Type::BigInt), Value::Integer(i64::MIN), "-9223372036854775808"),
        (Some(Type::Boolean), Value::Integer(1), "true"),
        (Some(Type::Boolean), Value::Integer(0), "false"),
        (Some(Type::Boolean), Value::Null, "null"),
        (Some(Type::Boolean), text("x"), "\"x\""),
        (None, Value::Integer(1), "1"),
        (Some(Type::Double), Value::Real(0.1), "0.1"),
        (Some(Type::Double), Value::Real(1e300), "1e300"),
        (Some(Type::Double), Value::Integer(2), "2.0"),
        (Some(Type::Real), Value::Real(f64::from(0.1_f32)), "0.1"),
        (Some(Type::Real), Value::Real(1e300), "1e300"),
        (Some(Type::Double), Value::Real(f64::NAN), "\"NaN\""),
        (Some(Type::Double), Value::Real(f64::INFINITY), "\"Infinity\""),
        (None, Value::Real(f64::NEG_INFINITY), "\"-Infinity\""),
        (Some(Type::Numeric), text("1.100000000000000000000"), "1.100000000000000000000"),
        (Some(Type::Numeric), text("NaN"), "\"NaN\""),
        (Some(Type::Numeric), text("01"), "\"01\""),
        (Some(Type::Numeric), Value::Integer(3), "3"),
        (Some(Type::Json), text(r#"{"a":[1]}"#), r#"{"a":[1]}"#),
        (Some(Type::Json), text("{broken"), "\"{broken\""),
        (
            Some(Type::Text),
            text("a\"b\\c\n\r\t\u{8}\u{c}\u{1}/é\u{7f}"),
            "\"a\\\"b\\\\c\\n\\r\\t\\b\\f\\u0001/é\u{7f}\"",
        ),
        (Some(Type::Bytes), Value::Blob(vec![0, 255]), "\"AP8=\""),
        (None, Value::Blob(Vec::new()), "\"\""),
        (Some(Type::Timestamp), text("2026-11-24T02:00:00.123456Z"), "\"2026-11-24T02:00:00.123456Z\""),
    ] {
        assert_eq!(rendered(kind, &value), expected);
    }
}

#[test]
fn templates() {
    let shape = RowShape::new([("id".to_owned(), Some(Type::BigInt)), ("na\"me".to_owned(), None)]);
    let rows = Rows {
        columns: 2,
        cells: vec![Value::Integer(1), Value::Text("a".into()), Value::Integer(2), Value::Null],
        changed: 0,
    };
    let full = Filling {
        row: Some(&rows.cells[..2]),
        rows: Some(&rows),
        total: Some(9),
        page: Some(3),
        per_page: Some(2),
        faults: None,
        parameters: &[],
    };
    let check = |template: plan::Template, filling: &Filling<'_>, expected: &str| {
        let mut out = Vec::new();
        Template::new(&template, &shape).write(&mut out, &shape, filling);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    };
    check(plan::Template::Row, &full, r#"{"id":1,"na\"me":"a"}"#);
    check(plan::Template::Rows, &full, r#"[{"id":1,"na\"me":"a"},{"id":2,"na\"me":null}]"#);
    let all = || {
        let literal = serde_json::json!({"x": [1.50, "@row", null]});
        plan::Template::Object(vec![
            ("a\n".into(), plan::Template::Array(vec![plan::Template::Count, plan::Template::Total])),
            ("b".into(), plan::Template::Object(vec![])),
            ("c".into(), plan::Template::RowColumn("id".into())),
            ("d".into(), plan::Template::RowColumn("none".into())),
            ("e".into(), plan::Template::Array(vec![plan::Template::Page, plan::Template::PerPage])),
            ("f".into(), plan::Template::Literal(literal)),
            ("g".into(), plan::Template::Errors),
        ])
    };
    check(
        all(),
        &full,
        r#"{"a\n":[2,9],"b":{},"c":1,"d":null,"e":[3,2],"f":{"x":[1.5,"@row",null]},"g":{}}"#,
    );
    let none =
        r#"{"a\n":[null,null],"b":{},"c":null,"d":null,"e":[null,null],"f":{"x":[1.5,"@row",null]},"g":{}}"#;
    check(all(), &Filling::default(), none);
    let empty = Rows { columns: 2, ..Rows::default() };
    let filling = Filling { rows: Some(&empty), ..Filling::default() };
    check(plan::Template::Array(vec![plan::Template::Rows, plan::Template::Count]), &filling, "[[],0]");
}

proptest! {
    #[test]
    fn strings_come_back(text in "\\PC{0,40}|[\0-\u{9f}\"\\\\]{0,40}") {
        let mut out = Vec::new();
        escape(&mut out, &text);
        prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
    }

    #[test]
    fn doubles_come_back(real in any::<f64>().prop_filter("finite", |real| real.is_finite())) {
        let json = rendered(Some(Type::Double), &Value::Real(real));
        prop_assert_eq!(serde_json::from_str::<f64>(&json).unwrap().to_bits(), real.to_bits());
    }
}
