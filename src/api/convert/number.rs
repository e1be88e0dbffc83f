//! Numbers, exactly: integers out of their digits, decimals compared without rounding.

use crate::config::plan::Type;
use ringmill_sqlite::{Value, compare_decimals};
use std::cmp::Ordering;
use std::fmt;

use crate::api::words::{self, Message};

/// The value of a JSON number as a column of this type stores it. What does not fit is refused.
pub(in crate::api) fn typed(kind: Type, digits: &str) -> Result<Value, Message> {
    if let Some((least, most)) = range(kind) {
        return integer(digits, least, most);
    }
    match kind {
        Type::Real => {
            let single = digits.parse::<f32>().map_err(|_| words::NUMBER)?;
            real(f64::from(single), digits)
        }
        Type::Double => real(digits.parse().map_err(|_| words::NUMBER)?, digits),
        _ => Ok(Value::Text(digits.to_owned())),
    }
}

/// The whole numbers that a column of this type holds.
pub(in crate::api) fn range(kind: Type) -> Option<(i64, i64)> {
    match kind {
        Type::SmallInt => Some((i64::from(i16::MIN), i64::from(i16::MAX))),
        Type::Integer => Some((i64::from(i32::MIN), i64::from(i32::MAX))),
        Type::BigInt => Some((i64::MIN, i64::MAX)),
        _ => None,
    }
}

fn integer(digits: &str, least: i64, most: i64) -> Result<Value, Message> {
    if digits.bytes().any(|byte| matches!(byte, b'.' | b'e' | b'E')) {
        return Err(words::INTEGER.into());
    }
    match digits.parse::<i64>() {
        Ok(integer) if (least..=most).contains(&integer) => Ok(Value::Integer(integer)),
        _ => Err(words::OUT_OF_RANGE.into()),
    }
}

/// Neither too large for the type nor so small that nothing is left of it.
fn real(real: f64, digits: &str) -> Result<Value, Message> {
    let vanished = real == 0.0 && compare_decimals(digits, "0").is_ne();
    if real.is_finite() && !vanished { Ok(Value::Real(real)) } else { Err(words::OUT_OF_RANGE.into()) }
}

/// Whether `text` is a number by JSON's grammar (RFC 8259 section 6).
pub(in crate::api) fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        None => (unsigned, None),
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        None => (mantissa, None),
        Some((whole, fraction)) => (whole, Some(fraction)),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(|exponent| digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)))
}

/// A number without the zeros at the end of its fraction: clients in whose language 1.50 is 1.5 give it back so.
pub(in crate::api) fn without_zeros(digits: &str) -> &str {
    if !digits.contains('.') || digits.contains(['e', 'E']) {
        return digits;
    }
    digits.trim_end_matches('0').trim_end_matches('.')
}

/// A decimal number of any length, by its value.
#[derive(Clone, Debug)]
pub(in crate::api) struct Decimal {
    /// As it was written.
    text: String,
}

impl Decimal {
    /// `text` is a number by JSON's grammar.
    pub(in crate::api) fn new(text: &str) -> Decimal {
        Decimal { text: text.to_owned() }
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Decimal) -> bool {
        compare_decimals(&self.text, &other.text).is_eq()
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Decimal) -> Option<Ordering> {
        Some(compare_decimals(&self.text, &other.text))
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}
