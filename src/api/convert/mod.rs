//! From what a client sent to what the database stores, by type and rules.
//!
//! A value arrives as JSON (a body) or as text (a path or query); both end in the same checks. All faults of a value are
//! reported at once, but a value of the wrong type has no other.

pub(super) mod email;
pub(super) mod json;
pub(super) mod number;

use crate::config::plan::{Bound, Format, Rules, Type};
use crate::config::time;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ringmill_sqlite::Value;

use super::words::{self, Message};
use number::Decimal;

/// The rules of a column or parameter, ready for use.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) kind: Type,
    pub(super) required: bool,
    pub(super) default: Option<Value>,
    length_min: Option<usize>,
    length_max: Option<usize>,
    format: Option<Format>,
    minimum: Option<Decimal>,
    maximum: Option<Decimal>,
    choices: Option<(Vec<Value>, Message)>,
    /// Whether a path has to lead to it.
    in_path: bool,
}

impl Rule {
    pub(super) fn new(rules: &Rules) -> Rule {
        Rule {
            kind: rules.kind,
            required: rules.required,
            default: rules.default.as_ref().and_then(|value| constant(rules.kind, value)),
            length_min: rules.min_length,
            length_max: rules.max_length,
            format: rules.format,
            minimum: rules.minimum.as_ref().map(decimal),
            maximum: rules.maximum.as_ref().map(decimal),
            choices: rules.choices.as_ref().map(|choices| {
                let values = choices.iter().filter_map(|value| constant(rules.kind, value)).collect();
                (values, words::one_of(choices))
            }),
            in_path: false,
        }
    }

    /// The rule of a key: no row is without one, and a path leads to it.
    pub(super) fn of_key(self) -> Rule {
        Rule { required: true, ..self.in_path() }
    }

    /// The rule of a value that a path has to lead to. None leads to an empty one, nor to `.` and `..`: clients take these for
    /// steps (RFC 3986 section 5.2.4), as escapes too.
    pub(super) fn in_path(self) -> Rule {
        let length_min = match self.kind {
            Type::Text => Some(self.length_min.unwrap_or_default().max(1)),
            _ => self.length_min,
        };
        Rule { in_path: true, length_min, ..self }
    }

    /// The value of raw JSON; `null` is SQL NULL, whether or not the field is required.
    pub(super) fn value_of_json(&self, raw: &str) -> Result<Value, Vec<Message>> {
        self.checked(typed(self.kind, raw).map_err(|message| vec![message])?, raw)
    }

    /// The value of a path's or query's text.
    pub(super) fn value_of_text(&self, text: &str) -> Result<Value, Vec<Message>> {
        self.checked(typed_text(self.kind, text).map_err(|message| vec![message])?, text)
    }

    /// The value of a path's text by its type alone: a key that breaks a rule is a key that no row has.
    pub(super) fn value_of_key(&self, text: &str) -> Result<Value, Message> {
        typed_text(self.kind, text)
    }

    /// A number of any size within its bounds, those of an integer's type included: what lies beyond one is that bound.
    /// `None` if it is no number of this type; the other rules are looked at as ever.
    pub(super) fn clamped(&self, digits: &str) -> Option<Result<Value, Vec<Message>>> {
        if !takes_number(self.kind) || !number::is_number(digits) {
            return None;
        }
        let integers = number::range(self.kind);
        if integers.is_some() && digits.bytes().any(|byte| matches!(byte, b'.' | b'e' | b'E')) {
            return None;
        }
        let of_type =
            |bound: fn((i64, i64)) -> i64| integers.map(|range| Decimal::new(&bound(range).to_string()));
        let minimum = self.minimum.clone().or_else(|| of_type(|range| range.0));
        let maximum = self.maximum.clone().or_else(|| of_type(|range| range.1));
        let number = Decimal::new(digits);
        let kept = match (&minimum, &maximum) {
            (Some(minimum), _) if number < *minimum => minimum.to_string(),
            (_, Some(maximum)) if number > *maximum => maximum.to_string(),
            _ => digits.to_owned(),
        };
        let value = typed(self.kind, &kept).ok()?;
        Some(self.checked(value, &kept))
    }

    /// `value` if it keeps the rules; `digits` is a number as it was sent.
    fn checked(&self, value: Value, digits: &str) -> Result<Value, Vec<Message>> {
        if value == Value::Null {
            return Ok(value);
        }
        let mut faults = Vec::new();
        match &value {
            Value::Text(text) if self.in_path && matches!(text.as_str(), "." | "..") => {
                faults.push(words::DOTS.into());
            }
            Value::Blob(bytes) if self.in_path && bytes.is_empty() => faults.push(words::at_least_long(1)),
            _ => {}
        }
        if let (Value::Text(text), true) = (&value, self.length_min.is_some() || self.length_max.is_some()) {
            let length = text.chars().count();
            if let Some(least) = self.length_min.filter(|least| length < *least) {
                faults.push(words::at_least_long(least));
            }
            if let Some(most) = self.length_max.filter(|most| length > *most) {
                faults.push(words::at_most_long(most));
            }
        }
        if let (Some(Format::Email), Value::Text(text)) = (self.format, &value)
            && !email::is_valid(text)
        {
            faults.push(words::EMAIL.into());
        }
        if self.minimum.is_some() || self.maximum.is_some() {
            let number = Decimal::new(digits);
            if let Some(minimum) = self.minimum.as_ref().filter(|minimum| number < **minimum) {
                faults.push(words::at_least(minimum));
            }
            if let Some(maximum) = self.maximum.as_ref().filter(|maximum| number > **maximum) {
                faults.push(words::at_most(maximum));
            }
        }
        if let Some((choices, message)) = &self.choices
            && !choices.contains(&value)
        {
            faults.push(message.clone());
        }
        if faults.is_empty() { Ok(value) } else { Err(faults) }
    }
}

/// The value of raw JSON as a column of this type stores it; no rule but the type is looked at.
pub(super) fn typed(kind: Type, raw: &str) -> Result<Value, Message> {
    match raw.as_bytes() {
        b"null" => Ok(Value::Null),
        _ if kind == Type::Json => json::compact(raw).map(Value::Text),
        b"true" if kind == Type::Boolean => Ok(Value::Integer(1)),
        b"false" if kind == Type::Boolean => Ok(Value::Integer(0)),
        [b'"', ..] if !takes_number(kind) && kind != Type::Boolean => {
            let text: String = serde_json::from_str(raw).map_err(|_| words::UNICODE)?;
            typed_string(kind, &text)
        }
        [b'-' | b'0'..=b'9', ..] if takes_number(kind) => number::typed(kind, raw),
        _ => Err(mistyped(kind).into()),
    }
}

/// The same for text that is not JSON.
fn typed_text(kind: Type, text: &str) -> Result<Value, Message> {
    match kind {
        Type::Boolean => match text {
            "true" => Ok(Value::Integer(1)),
            "false" => Ok(Value::Integer(0)),
            _ => Err(words::BOOLEAN.into()),
        },
        Type::Json => json::compact(text).map(Value::Text),
        _ if !takes_number(kind) => typed_string(kind, text),
        _ if number::is_number(text) => number::typed(kind, text),
        _ => Err(mistyped(kind).into()),
    }
}

fn typed_string(kind: Type, text: &str) -> Result<Value, Message> {
    if text.contains('\0') {
        return Err(words::NUL.into());
    }
    match kind {
        Type::Timestamp => time::timestamp(text).map(Value::Text).ok_or(words::TIMESTAMP.into()),
        Type::Date => time::date(text).map(Value::Text).ok_or(words::DATE.into()),
        Type::Uuid => uuid(text).map(Value::Text).ok_or(words::UUID.into()),
        Type::Bytes => STANDARD.decode(text).map(Value::Blob).map_err(|_| words::BASE64.into()),
        _ => Ok(Value::Text(text.to_owned())),
    }
}

/// A value that stands in the file; the plan's own checks have seen it, and keep a numeric as the text of its digits.
pub(super) fn constant(kind: Type, value: &serde_json::Value) -> Option<Value> {
    match value {
        serde_json::Value::String(digits) if kind == Type::Numeric => Some(Value::Text(digits.clone())),
        _ => typed(kind, &value.to_string()).ok(),
    }
}

/// A version 4 UUID out of 128 random bits (RFC 9562 section 5.4).
pub(super) fn uuid_of(random: u128) -> String {
    let bits = random & !(0xf << 76) & !(0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let hex = format!("{bits:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

fn uuid(text: &str) -> Option<String> {
    let shaped = text.len() == 36
        && text.bytes().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        });
    shaped.then(|| text.to_ascii_lowercase())
}

fn takes_number(kind: Type) -> bool {
    match kind {
        Type::SmallInt | Type::Integer | Type::BigInt | Type::Real | Type::Double | Type::Numeric => true,
        Type::Text | Type::Boolean | Type::Timestamp | Type::Date | Type::Uuid | Type::Json | Type::Bytes => {
            false
        }
    }
}

fn mistyped(kind: Type) -> &'static str {
    match kind {
        Type::SmallInt | Type::Integer | Type::BigInt => words::INTEGER,
        Type::Real | Type::Double | Type::Numeric => words::NUMBER,
        Type::Text => words::STRING,
        Type::Boolean => words::BOOLEAN,
        Type::Timestamp => words::TIMESTAMP,
        Type::Date => words::DATE,
        Type::Uuid => words::UUID,
        Type::Json => words::JSON,
        Type::Bytes => words::BASE64,
    }
}

fn decimal(bound: &Bound) -> Decimal {
    match bound {
        Bound::Integer(integer) => Decimal::new(&integer.to_string()),
        Bound::Real(real) => Decimal::new(&real.to_string()),
    }
}
