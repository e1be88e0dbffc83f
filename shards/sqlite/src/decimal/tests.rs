use super::{add_collation, compare_decimals};
use rusqlite::Connection;
use std::cmp::Ordering;

/// From the least to the greatest; what stands in one row is equal.
const ORDER: &[&[&str]] = &[
    &["-1e99999999999999999999"],
    &["-1e400"],
    &["-9007199254740993"],
    &["-9007199254740992", "-9007199254740992.000", "-9007199254740.992e3"],
    &["-1.5", "-15e-1"],
    &["-0.1000000000000000000000001"],
    &["-0.1", "-1e-1", "-0.10"],
    &["-0.01"],
    &["-1e-400"],
    &["0", "-0", "0.0", "0e5", "00", "0e-99999999999999999999"],
    &["1e-99999999999999999999"],
    &["1e-400", "10e-401", "0.1E-399"],
    &["0.001", "1e-3"],
    &["0.01", "0.0100", "00.01"],
    &["0.010000000000000000000001"],
    &["0.1", "0.10", "1E-1"],
    &["0.1000000000000000000000001"],
    &["1", "1.0", "01", "0.1e1", "10e-1", "1e0", "1e+0"],
    &["2"],
    &["10", "1e1", "1.0e+1"],
    &["9007199254740992"],
    &["9007199254740992.5"],
    &["9007199254740993"],
    &["123456789012345678901234567890.1"],
    &["123456789012345678901234567890.2"],
    &["1e400"],
    // No numbers: by their bytes.
    &[""],
    &["+1"],
    &["-"],
    &[".5"],
    &["1."],
    &["1.2.3"],
    &["1e"],
    &["1e5e5"],
    &["Inf"],
    &["١"],
];

#[test]
fn numbers_are_ordered_by_their_value() {
    for (index, row) in ORDER.iter().enumerate() {
        for (other_index, other) in ORDER.iter().enumerate() {
            for left in *row {
                for right in *other {
                    assert_eq!(compare_decimals(left, right), index.cmp(&other_index), "{left} {right}");
                }
            }
        }
    }
}

#[test]
fn long_numbers_are_compared_to_their_last_digit() {
    let digits = "7".repeat(1_000_000);
    assert_eq!(compare_decimals(&format!("{digits}1"), &format!("{digits}2")), Ordering::Less);
    assert_eq!(compare_decimals(&format!("0.{digits}1"), &format!("0.{digits}")), Ordering::Greater);
    assert_eq!(compare_decimals(&format!("{digits}.0"), &digits), Ordering::Equal);
}

/// Whatever a column holds: numbers that SQLite stored as such count as their digits.
#[test]
fn queries_know_it() {
    let connection = Connection::open_in_memory().unwrap();
    add_collation(&connection).unwrap();
    let sql = "WITH t (x) AS (VALUES ('10'), (9), ('9007199254740993'), ('9007199254740992.5'), (NULL), ('-1e1'), (2.5), (1e300), ('1e299')) \
               SELECT coalesce(CAST(x AS TEXT), 'null') FROM t ORDER BY CAST(x AS TEXT) COLLATE decimal";
    let mut statement = connection.prepare(sql).unwrap();
    let rows: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert_eq!(
        rows,
        ["null", "-1e1", "2.5", "9", "10", "9007199254740992.5", "9007199254740993", "1e299", "1.0e+300"]
    );
}
