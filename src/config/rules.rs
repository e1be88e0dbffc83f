//! Types and rules: of columns, and of parameters that are written out. Each rule must fit the type, and the default must
//! pass the rules, so that a plan holds no value that a request could not have brought.

use base64::Engine as _;
use serde_json::Value as Json;

use super::plan::{Bound, Format, Rules, Type};
use super::section::{At, Section};
use super::services::to_usize;
use super::tree::{Secrecy, Value};
use super::{time, values};

/// All types by name, in the contract's order.
pub(crate) const TYPES: [(&str, Type); 13] = [
    ("smallint", Type::SmallInt),
    ("integer", Type::Integer),
    ("bigint", Type::BigInt),
    ("real", Type::Real),
    ("double", Type::Double),
    ("numeric", Type::Numeric),
    ("text", Type::Text),
    ("boolean", Type::Boolean),
    ("timestamp", Type::Timestamp),
    ("date", Type::Date),
    ("uuid", Type::Uuid),
    ("json", Type::Json),
    ("bytes", Type::Bytes),
];

const TYPE_NAMES: [&str; TYPES.len()] = {
    let mut names = [""; TYPES.len()];
    let mut index = 0;
    while index < names.len() {
        names[index] = TYPES[index].0;
        index += 1;
    }
    names
};

/// As the file writes it.
pub(crate) fn name_of(kind: Type) -> &'static str {
    TYPES.iter().find(|(_, known)| *known == kind).map_or("", |(name, _)| name)
}

/// The type that a value names.
pub(super) fn kind(at: &At<'_>) -> Option<Type> {
    let text = at.text()?;
    let found = TYPES.iter().find(|(name, _)| *name == text).map(|(_, kind)| *kind);
    if found.is_none() {
        match meant(text).filter(|_| at.node.secrecy == Secrecy::Plain) {
            Some(meant) => at.wrong("is none of the types", format!("did you mean {meant}?")),
            None => {
                at.choice(&TYPE_NAMES);
            }
        }
    }
    found
}

/// What types of databases and languages are called here, in lower case.
const OTHER_NAMES: [(&str, &[&str]); 16] = [
    (
        "\"text\"",
        &["string", "str", "varchar", "nvarchar", "char", "character", "character varying", "citext", "clob"],
    ),
    ("\"smallint\"", &["int2", "int16", "tinyint", "short"]),
    ("\"integer\"", &["int", "int4", "int32", "mediumint"]),
    ("\"bigint\"", &["int8", "int64", "long"]),
    ("\"integer\" with generated = \"identity\"", &["serial", "serial4"]),
    ("\"bigint\" with generated = \"identity\"", &["bigserial", "serial8"]),
    ("\"real\"", &["float4", "float32"]),
    ("\"double\"", &["float", "float8", "float64", "double precision"]),
    ("\"numeric\"", &["decimal", "dec", "money", "number"]),
    ("\"boolean\"", &["bool", "bit"]),
    ("\"timestamp\"", &["datetime", "timestamptz", "timestamp with time zone"]),
    ("\"uuid\"", &["guid"]),
    ("\"json\"", &["jsonb", "object", "array"]),
    ("\"bytes\"", &["blob", "bytea", "binary", "varbinary"]),
    ("\"text\" with format = \"email\"", &["email"]),
    ("\"text\" with enum = [\"…\"]", &["enum"]),
];

/// The type that a name of another database stands for: `VARCHAR(255)`.
fn meant(text: &str) -> Option<String> {
    let name = text.split('(').next().unwrap_or(text).trim().to_ascii_lowercase();
    let other = OTHER_NAMES.iter().find(|(_, names)| names.contains(&name.as_str()));
    let own = || TYPE_NAMES.iter().find(|known| **known == name).map(|known| format!("\"{known}\""));
    other.map(|(meant, _)| (*meant).to_owned()).or_else(own)
}

/// With its article, as in "an integer".
pub(super) fn a(kind: Type) -> String {
    let name = name_of(kind);
    let article = if name.starts_with(['a', 'e', 'i', 'o']) { "an" } else { "a" };
    format!("{article} {name}")
}

/// Whether a column or parameter says which type it has: one that does not, or names none, has its fault already, and
/// what is said of the stand-in would be another.
pub(super) fn has_type(at: &At<'_>) -> bool {
    let named = if at.node.is_table() { at.child("type") } else { Some(at.clone()) };
    let text = named.as_ref().and_then(At::as_text);
    text.is_some_and(|text| TYPES.iter().any(|(name, _)| *name == text))
}

/// Whether a value must be given that has no rule about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needed {
    No,
    UnlessDefault,
}

/// Rules that ask for nothing but a type.
pub(super) fn bare(kind: Type) -> Rules {
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

/// The rules of a section that has the keys of [`PARAMETER`](super::keys::PARAMETER).
pub(super) fn rules(section: &Section<'_>, needed: Needed) -> Rules {
    let at = section.needed("type", "write type = \"text\", or one of the other types");
    // A type that is none makes every other check a guess.
    let Some(kind) = at.and_then(|at| kind(&at)) else { return bare(Type::Json) };
    let mut rules = bare(kind);
    lengths(section, &mut rules);
    bounds(section, &mut rules);
    rules.choices = section.get("enum").and_then(|at| choices(&at, &rules));
    rules.default = section.get("default").and_then(|at| checked(&at, &rules));
    rules.required = match (section.get("required"), needed) {
        (Some(at), _) => at.boolean(),
        (None, Needed::No) => false,
        (None, Needed::UnlessDefault) => section.get("default").is_none(),
    };
    rules
}

fn lengths(section: &Section<'_>, rules: &mut Rules) {
    for name in ["min_length", "max_length", "format"] {
        if let Some(at) = section.get(name).filter(|_| rules.kind != Type::Text) {
            at.fault(
                format!("{name} is for text, this is {}", name_of(rules.kind)),
                "remove it, or change the type",
            );
            return;
        }
    }
    rules.min_length = section.integer_if("min_length").map(to_usize);
    rules.max_length = section.integer_if("max_length").map(to_usize);
    rules.format = section.choice_if("format").map(|_| Format::Email);
    if let (Some(least), Some(most), Some(at)) =
        (rules.min_length, rules.max_length, section.get("min_length"))
        && least > most
    {
        at.wrong("is more than max_length", "lower it, or raise max_length");
    }
}

fn bounds(section: &Section<'_>, rules: &mut Rules) {
    let bound = |name: &str| section.get(name).and_then(|at| bound(&at, name, rules.kind));
    (rules.minimum, rules.maximum) = (bound("minimum"), bound("maximum"));
    if let (Some(least), Some(most), Some(at)) = (&rules.minimum, &rules.maximum, section.get("minimum"))
        && real(least) > real(most)
    {
        at.wrong("is more than maximum", "lower it, or raise maximum");
    }
}

/// The whole numbers of a type.
fn range(kind: Type) -> Option<(i64, i64)> {
    match kind {
        Type::SmallInt => Some((i64::from(i16::MIN), i64::from(i16::MAX))),
        Type::Integer => Some((i64::from(i32::MIN), i64::from(i32::MAX))),
        Type::BigInt => Some((i64::MIN, i64::MAX)),
        _ => None,
    }
}

fn bound(at: &At<'_>, name: &str, kind: Type) -> Option<Bound> {
    let is_number = matches!(kind, Type::Real | Type::Double | Type::Numeric);
    if !is_number && range(kind).is_none() {
        at.fault(
            format!("{name} is for numbers, this is {}", name_of(kind)),
            "remove it, or change the type",
        );
        return None;
    }
    let bound = match &at.node.value {
        Value::Integer(digits) => match (digits.parse::<i64>(), range(kind)) {
            (Ok(number), Some((least, most))) => {
                (least..=most).contains(&number).then_some(Bound::Integer(number))
            }
            (Ok(number), None) => Some(Bound::Integer(number)),
            (Err(_), Some(_)) => None,
            (Err(_), None) => digits.parse().ok().map(Bound::Real),
        },
        Value::Float(text) if is_number => {
            text.parse().ok().filter(|number: &f64| number.is_finite()).map(Bound::Real)
        }
        _ => None,
    };
    if bound.is_none() {
        let remedy = match at.quoted_number() {
            Some(number) => at.unquoted(number),
            None => "write a number that the type holds".into(),
        };
        at.wrong(&format!("is no bound of type {}", name_of(kind)), remedy);
    }
    bound
}

fn real(bound: &Bound) -> f64 {
    match bound {
        Bound::Integer(number) => *number as f64,
        Bound::Real(number) => *number,
    }
}

fn choices(at: &At<'_>, rules: &Rules) -> Option<Vec<Json>> {
    if matches!(rules.kind, Type::Json | Type::Bytes) {
        let message = format!("{} cannot be chosen from a list", a(rules.kind));
        at.fault(message, "remove enum, or change the type");
        return None;
    }
    let items = at.list("write enum = [\"active\", \"blocked\"]");
    if items.is_empty() {
        at.fault("no value is allowed", "name the allowed values, or remove enum");
        return None;
    }
    let mut choices = Vec::new();
    for item in items {
        let Some(value) = checked(&item, rules) else { continue };
        if choices.contains(&value) {
            item.wrong("stands in the list twice", "remove one of them");
        } else {
            choices.push(value);
        }
    }
    Some(choices)
}

/// A value of the type that passes the rules so far.
fn checked(at: &At<'_>, rules: &Rules) -> Option<Json> {
    let Some(value) = of_kind(at, rules.kind) else {
        at.wrong(&format!("is no {}", name_of(rules.kind)), hint(rules.kind));
        return None;
    };
    match broken_rule(&value, rules) {
        None => Some(value),
        Some(rule) => {
            at.wrong(&format!("breaks the rule {rule}"), "change the value or the rule");
            None
        }
    }
}

fn hint(kind: Type) -> &'static str {
    match kind {
        Type::SmallInt => "write a whole number from -32768 to 32767",
        Type::Integer => "write a whole number of 32 bits",
        Type::BigInt => "write a whole number of 64 bits",
        Type::Real | Type::Double => "write a number that the type holds",
        Type::Numeric => "write a number, in quotation marks to keep all its digits",
        Type::Text => "write a string without U+0000",
        Type::Boolean => "write true or false",
        Type::Timestamp => "write \"2026-11-24T02:00:00Z\", in the years 1 to 9999",
        Type::Date => "write \"2026-11-24\", in the years 1 to 9999",
        Type::Uuid => "write \"01234567-89ab-cdef-0123-456789abcdef\"",
        Type::Json => "write a value without infinities and U+0000, at most 128 deep",
        Type::Bytes => "write base64 with padding",
    }
}

/// The JSON that a request would bring for it; a numeric is the string of its digits.
fn of_kind(at: &At<'_>, kind: Type) -> Option<Json> {
    let value = &at.node.value;
    let moment = || match value {
        Value::Moment(moment) => Some(moment.to_string()),
        _ => at.as_text().map(str::to_string),
    };
    match kind {
        Type::SmallInt | Type::Integer | Type::BigInt => {
            let number: i64 = at.as_digits()?.parse().ok()?;
            let (least, most) = range(kind)?;
            (least..=most).contains(&number).then(|| Json::from(number))
        }
        Type::Real | Type::Double => {
            let (Value::Integer(text) | Value::Float(text)) = value else { return None };
            let number: f64 = text.parse().ok()?;
            // Neither too large for the type nor so small that nothing is left of it.
            let held = if kind == Type::Real { f64::from(number as f32) } else { number };
            let is_zero = !text.split(['e', 'E']).next()?.contains(|digit| matches!(digit, '1'..='9'));
            if !held.is_finite() || (held == 0.0 && !is_zero) {
                return None;
            }
            match value {
                Value::Integer(_) => at.node.to_json(),
                _ => serde_json::Number::from_f64(number).map(Json::Number),
            }
        }
        Type::Numeric => {
            let (Value::Integer(text) | Value::Float(text) | Value::Text(text)) = value else { return None };
            is_decimal(text).then(|| Json::from(text.as_str()))
        }
        Type::Text => at.as_text().filter(|text| !text.contains('\0')).map(Json::from),
        Type::Boolean => match value {
            Value::Boolean(value) => Some(Json::from(*value)),
            _ => None,
        },
        Type::Timestamp => time::timestamp(&moment()?).map(Json::from),
        Type::Date => time::date(&moment()?).map(Json::from),
        Type::Uuid => {
            at.as_text().filter(|text| is_uuid(text)).map(|text| Json::from(text.to_ascii_lowercase()))
        }
        Type::Json => at.node.to_json().filter(|json| is_storable(json, JSON_DEPTH_MAX)),
        Type::Bytes => {
            let text = at.as_text()?;
            base64::engine::general_purpose::STANDARD.decode(text).ok()?;
            Some(Json::from(text))
        }
    }
}

/// As deep as a request's values of type json may be.
const JSON_DEPTH_MAX: usize = 128;

/// Without U+0000, which no text may hold, and no deeper than `depth`.
fn is_storable(json: &Json, depth: usize) -> bool {
    let is_text = |text: &str| !text.contains('\0');
    match json {
        Json::String(text) => is_text(text),
        Json::Array(items) => depth > 0 && items.iter().all(|item| is_storable(item, depth - 1)),
        Json::Object(fields) => {
            depth > 0 && fields.iter().all(|(name, value)| is_text(name) && is_storable(value, depth - 1))
        }
        Json::Null | Json::Bool(_) | Json::Number(_) => true,
    }
}

/// A number as JSON writes it (RFC 8259, section 6).
fn is_decimal(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let exponent = exponent.is_none_or(|text| digits(text.strip_prefix(['-', '+']).unwrap_or(text)));
    let mantissa = match mantissa.split_once('.') {
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => digits(mantissa),
    };
    let leading_zero =
        unsigned.len() > 1 && unsigned.starts_with('0') && unsigned.as_bytes()[1].is_ascii_digit();
    mantissa && exponent && !leading_zero
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// The name of a rule that the value breaks.
fn broken_rule(value: &Json, rules: &Rules) -> Option<&'static str> {
    if let (Type::Text, Json::String(text)) = (rules.kind, value) {
        let length = text.chars().count();
        if rules.min_length.is_some_and(|least| length < least) {
            return Some("min_length");
        }
        if rules.max_length.is_some_and(|most| length > most) {
            return Some("max_length");
        }
        if rules.format == Some(Format::Email) && !values::is_email(text) {
            return Some("format");
        }
    }
    let outside = |bound: &Option<Bound>, breaks: fn(std::cmp::Ordering) -> bool| {
        let order = bound.as_ref().and_then(|bound| compare(value, bound));
        order.is_some_and(breaks)
    };
    if outside(&rules.minimum, std::cmp::Ordering::is_lt) {
        return Some("minimum");
    }
    if outside(&rules.maximum, std::cmp::Ordering::is_gt) {
        return Some("maximum");
    }
    let chosen = rules.choices.as_ref().is_none_or(|choices| choices.contains(value));
    (!chosen).then_some("enum")
}

fn compare(value: &Json, bound: &Bound) -> Option<std::cmp::Ordering> {
    if let (Some(number), Bound::Integer(bound)) = (value.as_i64(), bound) {
        return Some(number.cmp(bound));
    }
    let number = value.as_f64().or_else(|| value.as_str()?.parse().ok())?;
    number.partial_cmp(&real(bound))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals() {
        for text in ["0", "-1.50", "1e5", "1.5E-3", "0.5", "123456789012345678901234567890.123"] {
            assert!(is_decimal(text), "{text}");
        }
        for text in ["", "-", "1.", ".5", "1e", "e5", "--1", "inf", "nan", "+1", "1,5", "0x1", "01", "-00"] {
            assert!(!is_decimal(text), "{text}");
        }
    }

    #[test]
    fn uuids() {
        assert!(is_uuid("01234567-89AB-cdef-0123-456789abcdef"));
        for text in ["", "0123456789abcdef0123456789abcdef", "01234567-89ab-cdef-0123-456789abcdeg"] {
            assert!(!is_uuid(text), "{text}");
        }
    }

    #[test]
    fn every_type_has_its_name() {
        for (name, kind) in TYPES {
            assert_eq!(name_of(kind), name);
        }
        assert_eq!(TYPE_NAMES[12], "bytes");
    }

    #[test]
    fn names_of_other_databases() {
        for (text, expected) in [
            ("string", Some("\"text\"")),
            ("VARCHAR(255)", Some("\"text\"")),
            ("int", Some("\"integer\"")),
            ("int4", Some("\"integer\"")),
            ("int8", Some("\"bigint\"")),
            ("datetime", Some("\"timestamp\"")),
            ("decimal(10, 2)", Some("\"numeric\"")),
            ("numeric(10,2)", Some("\"numeric\"")),
            ("float", Some("\"double\"")),
            ("bool", Some("\"boolean\"")),
            ("serial", Some("\"integer\" with generated = \"identity\"")),
            ("TEXT", Some("\"text\"")),
            ("txet", None),
            ("", None),
        ] {
            assert_eq!(meant(text).as_deref(), expected, "{text}");
        }
    }
}
