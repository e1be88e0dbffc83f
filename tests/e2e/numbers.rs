//! Numbers of every type at the ends of what it holds.

use crate::documents::{TABLES, field, send};
use crate::server::Setup;

/// Numbers at and beyond the bounds of every type: exact or refused.
#[test]
fn numbers_are_exact_or_refused() {
    const INTEGER: Result<&str, &str> = Err("must be an integer");
    const OUTSIDE: Result<&str, &str> = Err("is out of range");
    const TYPES: [&str; 6] = ["smallint", "integer", "bigint", "real", "double", "numeric"];
    let server = Setup::shards(1).file(TABLES).start();
    let client = &mut server.connect();
    let same = |number: &'static str| Ok(number);
    for (number, expected) in [
        ("32767", [same("32767"), Ok("32767"), Ok("32767"), Ok("32767.0"), Ok("32767.0"), Ok("32767")]),
        ("32768", [OUTSIDE, Ok("32768"), Ok("32768"), Ok("32768.0"), Ok("32768.0"), Ok("32768")]),
        ("-32768", [Ok("-32768"), Ok("-32768"), Ok("-32768"), Ok("-32768.0"), Ok("-32768.0"), Ok("-32768")]),
        ("-32769", [OUTSIDE, Ok("-32769"), Ok("-32769"), Ok("-32769.0"), Ok("-32769.0"), Ok("-32769")]),
        (
            "2147483647",
            [
                OUTSIDE,
                Ok("2147483647"),
                Ok("2147483647"),
                Ok("2147483600.0"),
                Ok("2147483647.0"),
                Ok("2147483647"),
            ],
        ),
        (
            "2147483648",
            [OUTSIDE, OUTSIDE, Ok("2147483648"), Ok("2147483600.0"), Ok("2147483648.0"), Ok("2147483648")],
        ),
        (
            "-2147483648",
            [
                OUTSIDE,
                Ok("-2147483648"),
                Ok("-2147483648"),
                Ok("-2147483600.0"),
                Ok("-2147483648.0"),
                Ok("-2147483648"),
            ],
        ),
        (
            "-2147483649",
            [
                OUTSIDE,
                OUTSIDE,
                Ok("-2147483649"),
                Ok("-2147483600.0"),
                Ok("-2147483649.0"),
                Ok("-2147483649"),
            ],
        ),
        (
            "9007199254740993",
            [
                OUTSIDE,
                OUTSIDE,
                Ok("9007199254740993"),
                Ok("9.007199e15"),
                Ok("9007199254740992.0"),
                Ok("9007199254740993"),
            ],
        ),
        (
            "9223372036854775807",
            [
                OUTSIDE,
                OUTSIDE,
                Ok("9223372036854775807"),
                Ok("9.223372e18"),
                Ok("9.223372036854776e18"),
                Ok("9223372036854775807"),
            ],
        ),
        (
            "9223372036854775808",
            [
                OUTSIDE,
                OUTSIDE,
                OUTSIDE,
                Ok("9.223372e18"),
                Ok("9.223372036854776e18"),
                Ok("9223372036854775808"),
            ],
        ),
        (
            "18446744073709551616",
            [
                OUTSIDE,
                OUTSIDE,
                OUTSIDE,
                Ok("1.8446744e19"),
                Ok("1.8446744073709552e19"),
                Ok("18446744073709551616"),
            ],
        ),
        (
            "-9223372036854775808",
            [
                OUTSIDE,
                OUTSIDE,
                Ok("-9223372036854775808"),
                Ok("-9.223372e18"),
                Ok("-9.223372036854776e18"),
                Ok("-9223372036854775808"),
            ],
        ),
        (
            "-9223372036854775809",
            [
                OUTSIDE,
                OUTSIDE,
                OUTSIDE,
                Ok("-9.223372e18"),
                Ok("-9.223372036854776e18"),
                Ok("-9223372036854775809"),
            ],
        ),
        ("1e400", [INTEGER, INTEGER, INTEGER, OUTSIDE, OUTSIDE, Ok("1e400")]),
        ("-1E+400", [INTEGER, INTEGER, INTEGER, OUTSIDE, OUTSIDE, Ok("-1E+400")]),
        ("1e-400", [INTEGER, INTEGER, INTEGER, OUTSIDE, OUTSIDE, Ok("1e-400")]),
        ("1e39", [INTEGER, INTEGER, INTEGER, OUTSIDE, Ok("1e39"), Ok("1e39")]),
        (
            "1e999999999999999999999",
            [INTEGER, INTEGER, INTEGER, OUTSIDE, OUTSIDE, Ok("1e999999999999999999999")],
        ),
        ("5e-324", [INTEGER, INTEGER, INTEGER, OUTSIDE, Ok("5e-324"), Ok("5e-324")]),
        (
            "1.7976931348623157e308",
            [INTEGER, INTEGER, INTEGER, OUTSIDE, Ok("1.7976931348623157e308"), Ok("1.7976931348623157e308")],
        ),
        (
            "1.7976931348623159e308",
            [INTEGER, INTEGER, INTEGER, OUTSIDE, OUTSIDE, Ok("1.7976931348623159e308")],
        ),
        (
            "3.4028235e38",
            [INTEGER, INTEGER, INTEGER, Ok("3.4028235e38"), Ok("3.4028235e38"), Ok("3.4028235e38")],
        ),
        ("0.1", [INTEGER, INTEGER, INTEGER, Ok("0.1"), Ok("0.1"), Ok("0.1")]),
        ("1.500", [INTEGER, INTEGER, INTEGER, Ok("1.5"), Ok("1.5"), Ok("1.500")]),
        ("-0", [Ok("0"), Ok("0"), Ok("0"), Ok("0.0"), Ok("0.0"), Ok("-0")]),
        ("-0.0", [INTEGER, INTEGER, INTEGER, Ok("0.0"), Ok("0.0"), Ok("-0.0")]),
        (
            "0e999999999999999999999",
            [INTEGER, INTEGER, INTEGER, Ok("0.0"), Ok("0.0"), Ok("0e999999999999999999999")],
        ),
        ("1.0", [INTEGER, INTEGER, INTEGER, Ok("1.0"), Ok("1.0"), Ok("1.0")]),
    ] {
        for (kind, expected) in TYPES.iter().zip(expected) {
            let answer = send(client, "POST", "/all", format!(r#"{{"{kind}":{number}}}"#).as_bytes());
            match expected {
                Err(words) => {
                    let body =
                        format!(r#"{{"error":"Validation failed","errors":{{"{kind}":["{words}"]}}}}"#);
                    assert_eq!((answer.status, answer.text()), (400, body), "{number} as {kind}");
                }
                Ok(shown) => {
                    let found = field(&answer, kind);
                    assert_eq!((answer.status, found.as_str()), (201, shown), "{number} as {kind}");
                    let again = client.get(answer.field("Location").expect("a row"));
                    assert_eq!(field(&again, kind), shown, "{number} as {kind}");
                }
            }
        }
    }
}
