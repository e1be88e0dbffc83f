//! The values of one column, as the JSON that a request would bring.

use super::number::{Fractional, Whole};
use super::random::Random;
use super::text::{Person, Subject, Text};
use crate::config::plan::{Column, Format, Table, Type};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ringmill_sqlite::Value;
use std::fmt::Write;

/// How far back times go: two years.
pub(super) const SPAN_US: i64 = 2 * 365 * DAY_US;
const DAY_US: i64 = 86_400_000_000;

/// Dates that are told apart: a hundred years of days.
const DAYS: u32 = 36_500;

/// Makes the values of one column. `plausible` draws any; `numbered` gives each number below `capacity` a value of its own.
#[derive(Clone, Debug)]
pub(super) struct Maker {
    kind: Kind,
    now_unix_us: i64,
}

#[derive(Clone, Debug)]
enum Kind {
    /// JSON.
    Choices(Vec<String>),
    Text(Text),
    Whole(Whole),
    Fractional(Fractional),
    /// Of a hundred, how many are true.
    Boolean(u64),
    Timestamp,
    Date,
    Uuid,
    Json,
    Bytes,
}

/// A yes to one of these is rare.
const RARE: &[&str] = &["deleted", "archived", "blocked", "banned", "locked", "hidden", "failed", "spam"];

impl Maker {
    pub(super) fn new(table: &Table, column: &Column, now_unix_us: i64) -> Maker {
        let rules = &column.rules;
        let kind = match rules.kind {
            kind if rules.choices.is_some() => {
                let choices = rules.choices.iter().flatten();
                Kind::Choices(choices.map(|choice| json_of_choice(kind, choice)).collect())
            }
            Type::Text => {
                let subject = match rules.format {
                    Some(Format::Email) => Subject::Email,
                    None => Subject::of(&table.name, &column.name),
                };
                Kind::Text(Text::new(subject, rules.min_length, rules.max_length))
            }
            Type::SmallInt | Type::Integer | Type::BigInt => Kind::Whole(Whole::new(&column.name, rules)),
            Type::Real | Type::Double | Type::Numeric => {
                Kind::Fractional(Fractional::new(&column.name, rules))
            }
            Type::Boolean => Kind::Boolean(if is_rare(&column.name) { 5 } else { 60 }),
            Type::Timestamp => Kind::Timestamp,
            Type::Date => Kind::Date,
            Type::Uuid => Kind::Uuid,
            Type::Json => Kind::Json,
            Type::Bytes => Kind::Bytes,
        };
        Maker { kind, now_unix_us }
    }

    /// How many values `numbered` tells apart. Where chance does that by itself, there is no end to them.
    pub(super) fn capacity(&self) -> u128 {
        match &self.kind {
            Kind::Choices(choices) => choices.len() as u128,
            Kind::Text(text) => text.capacity(),
            Kind::Whole(whole) => whole.capacity(),
            Kind::Fractional(fractional) => fractional.capacity(),
            Kind::Boolean(_) => 2,
            Kind::Date => DAYS.into(),
            Kind::Json | Kind::Timestamp | Kind::Uuid | Kind::Bytes => u64::MAX.into(),
        }
    }

    /// The number from which on values are probably free, in a table of so many rows.
    pub(super) fn first_number(&self, rows: u64, largest: Option<&Value>) -> u128 {
        match (&self.kind, largest) {
            (Kind::Whole(whole), Some(Value::Integer(largest))) => whole.number_after(*largest),
            (Kind::Whole(_), _) => 0,
            _ => u128::from(rows) % self.capacity().max(1),
        }
    }

    /// Whether the largest value that exists tells `first_number` more than the count of rows.
    pub(super) fn counts_on(&self) -> bool {
        matches!(self.kind, Kind::Whole(_))
    }

    pub(super) fn plausible(&self, person: Person, random: &mut Random, out: &mut String) {
        match &self.kind {
            Kind::Choices(choices) => out.push_str(random.pick::<String>(choices)),
            Kind::Text(text) => push_quoted(out, &text.plausible(person, random)),
            Kind::Whole(whole) => push(out, whole.plausible(random)),
            Kind::Fractional(fractional) => out.push_str(&fractional.plausible(random)),
            Kind::Boolean(percent) => push(out, random.below(100) < *percent),
            Kind::Timestamp => push_quoted(out, &time(self.past(random))),
            Kind::Date => push_quoted(out, &time(self.past(random))[..10]),
            Kind::Uuid => push_quoted(out, &uuid(random)),
            Kind::Json => {
                let source = *random.pick(&["web", "mobile", "partner", "import"]);
                push(out, format_args!("{{\"source\":\"{source}\",\"score\":{}}}", random.below(100)));
            }
            Kind::Bytes => push_quoted(out, &STANDARD.encode(random.next_wide().to_le_bytes())),
        }
    }

    pub(super) fn numbered(&self, number: u128, person: Person, random: &mut Random, out: &mut String) {
        match &self.kind {
            Kind::Choices(choices) => {
                out.push_str(&choices[number as usize % choices.len()]);
            }
            Kind::Text(text) => push_quoted(out, &text.numbered(number, person, random)),
            Kind::Whole(whole) => push(out, whole.numbered(number)),
            Kind::Fractional(fractional) => out.push_str(&fractional.numbered(number)),
            Kind::Boolean(_) => push(out, number == 1),
            Kind::Date => {
                push_quoted(out, &time(self.now_unix_us - number as i64 * DAY_US)[..10]);
            }
            Kind::Json => push(out, format_args!("{{\"number\":{number}}}")),
            Kind::Timestamp | Kind::Uuid | Kind::Bytes => self.plausible(person, random, out),
        }
    }

    fn past(&self, random: &mut Random) -> i64 {
        self.now_unix_us - random.below(SPAN_US.unsigned_abs()) as i64
    }
}

/// Whether the name speaks of something that befalls few rows.
pub(super) fn is_rare(column: &str) -> bool {
    column.split('_').any(|word| RARE.contains(&word))
}

/// What a request would bring to get the value that the database holds.
pub(super) fn json_of_stored(kind: Type, value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Integer(integer) if kind == Type::Boolean => (*integer != 0).to_string(),
        Value::Integer(integer) => integer.to_string(),
        Value::Real(real) => format!("{real:?}"),
        Value::Text(digits) if kind == Type::Numeric => digits.clone(),
        Value::Text(json) if kind == Type::Json => json.clone(),
        Value::Text(text) => serde_json::Value::from(text.as_str()).to_string(),
        Value::Blob(bytes) => format!("\"{}\"", STANDARD.encode(bytes)),
    }
}

/// A numeric stands in the plan as the string of its digits.
fn json_of_choice(kind: Type, choice: &serde_json::Value) -> String {
    match choice {
        serde_json::Value::String(digits) if kind == Type::Numeric => digits.clone(),
        _ => choice.to_string(),
    }
}

/// RFC 3339.
fn time(unix_us: i64) -> String {
    jiff::Timestamp::from_microsecond(unix_us).unwrap_or_default().to_string()
}

/// Version 4 (RFC 9562 section 5.4).
fn uuid(random: &mut Random) -> String {
    let (high, low) = (random.next(), random.next());
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xfff,
        low >> 48 & 0x3fff | 0x8000,
        low & 0xffff_ffff_ffff
    )
}

fn push(out: &mut String, value: impl std::fmt::Display) {
    write!(out, "{value}").expect("into a string");
}

/// The text is ASCII without quotes and backslashes.
fn push_quoted(out: &mut String, text: &str) {
    out.push('"');
    out.push_str(text);
    out.push('"');
}
