//! Decimal numbers of any length, compared by their digits: no double stands between.
//!
//! Our own connections know this order as the collation `decimal`, as sqlite3's shell does. It is named in queries alone: a schema
//! that named it could not be read by programs that lack it.

use rusqlite::Connection;
use std::cmp::Ordering;
use std::panic::UnwindSafe;

/// Makes the collation known to a connection.
pub(crate) fn add_collation(connection: &Connection) -> rusqlite::Result<()> {
    connection.create_collation("decimal", compare_decimals)
}

/// The same for one that only reads. SQLite looks at its clock between the steps of a statement, and a sort is one step, so this does
/// while it compares: `is_over` is told how many bytes are looked at, and once it says so all are equal, in a result that nobody
/// gets.
pub(crate) fn add_ending_collation(
    connection: &Connection,
    is_over: impl Fn(usize) -> bool + Send + UnwindSafe + 'static,
) -> rusqlite::Result<()> {
    connection.create_collation("decimal", move |left, right| {
        if is_over(left.len() + right.len()) { Ordering::Equal } else { compare_decimals(left, right) }
    })
}

/// Numbers by their value, behind them all text that is no number by its bytes. A number is one of JSON's grammar (RFC 8259 section
/// 6), zeros in front of it allowed; exponents count up to 2^63.
pub fn compare_decimals(left: &str, right: &str) -> Ordering {
    match (Decimal::of(left), Decimal::of(right)) {
        (Some(left), Some(right)) => left.compare(&right),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => left.cmp(right),
    }
}

/// sign × 0.DIGITS × 10^exponent
struct Decimal<'a> {
    /// -1, 0 or 1.
    sign: i8,
    exponent: i64,
    /// The digits in two parts, the first of them not `0`.
    digits: [&'a [u8]; 2],
}

impl<'a> Decimal<'a> {
    /// `None`: no number.
    fn of(text: &'a str) -> Option<Decimal<'a>> {
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (negative, unsigned) = match mantissa.strip_prefix('-') {
            Some(unsigned) => (true, unsigned),
            None => (false, mantissa),
        };
        let (whole, fraction) = match unsigned.split_once('.') {
            Some((_, "")) => return None,
            parts => parts.unwrap_or((unsigned, "")),
        };
        let exponent_digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty()
            || exponent_digits.is_empty()
            || ![whole, fraction, exponent_digits].into_iter().all(are_digits)
        {
            return None;
        }
        let first = |digits: &[u8]| digits.iter().position(|digit| *digit != b'0');
        let (whole, fraction) = (whole.as_bytes(), fraction.as_bytes());
        let (digits, shift) = match (first(whole), first(fraction)) {
            (Some(at), _) => ([&whole[at..], fraction], (whole.len() - at) as i64),
            (None, Some(at)) => ([&fraction[at..], &[][..]], -(at as i64)),
            (None, None) => return Some(Decimal { sign: 0, exponent: 0, digits: [&[], &[]] }),
        };
        let beyond = if exponent.starts_with('-') { i64::MIN } else { i64::MAX };
        let exponent = shift.saturating_add(exponent.parse().unwrap_or(beyond));
        Some(Decimal { sign: if negative { -1 } else { 1 }, exponent, digits })
    }

    fn compare(&self, other: &Decimal<'_>) -> Ordering {
        let magnitude = || self.exponent.cmp(&other.exponent).then_with(|| self.compare_digits(other));
        match self.sign.cmp(&other.sign) {
            Ordering::Equal if self.sign < 0 => magnitude().reverse(),
            Ordering::Equal => magnitude(),
            unequal => unequal,
        }
    }

    /// Zeros at the end make no difference.
    fn compare_digits(&self, other: &Decimal<'_>) -> Ordering {
        let mut left = self.digits.into_iter().flatten();
        let mut right = other.digits.into_iter().flatten();
        loop {
            return match (left.next(), right.next()) {
                (None, None) => Ordering::Equal,
                (left, right) => match left.unwrap_or(&b'0').cmp(right.unwrap_or(&b'0')) {
                    Ordering::Equal => continue,
                    unequal => unequal,
                },
            };
        }
    }
}

#[cfg(all(test, not(loom)))]
#[path = "decimal/tests.rs"]
mod tests;
