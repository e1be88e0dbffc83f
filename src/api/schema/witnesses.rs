//! Values that the file allows, to be tried on a CHECK of the database, and what it says about the CHECK which of them it takes.

use crate::config::plan::{Bound, Column, Format, Table, Type};

use super::{bound, is_not_null, literal, quote_text};
use crate::api::sql_text;

/// Characters of a text that stands for one of any length.
const LONG_TEXT: usize = 1 << 20;
/// Characters of a text that is shown as it is.
const SHOWN_MAX: usize = 20;
/// Numbers, and texts, of a CHECK that are tried.
const LITERALS_MAX: usize = 32;
/// Numbers and lengths that people choose as bounds, and those beside them.
const SPREAD: [i64; 22] =
    [0, 1, 2, 3, 4, 5, 8, 10, 16, 20, 32, 50, 64, 100, 128, 200, 255, 256, 500, 1000, 1024, 4096];

/// A value that the file allows.
pub(super) struct Witness {
    /// SQL.
    pub(super) value: String,
    /// For messages.
    pub(super) shown: String,
    role: Role,
}

/// What a rule of the file could say about a value.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Role {
    /// `required` excludes it.
    Null,
    /// A member of the file's `enum`, which need not be.
    Choice,
    /// `minimum` and `maximum` exclude it, or an `enum` that does not name it.
    Number(f64),
    /// `min_length` and `max_length` exclude it.
    Length(usize),
    /// A text that stands in the CHECK: an `enum` could name it.
    Literal,
    /// The same with more behind it.
    LongerLiteral,
    /// Nothing excludes it without excluding others.
    Variant,
}

/// What the file could do about a CHECK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// A rule of the file says the same, or more.
    CanBeSaid,
    CannotBeSaid,
}

/// The first value that was refused, and what that means; `None` if none was. `tried` says of each whether it was taken.
pub(super) fn judge<'a>(tried: &'a [(Witness, bool)], condition: &str) -> Option<(&'a Witness, Verdict)> {
    let refused = |is_it: fn(&Role) -> bool| {
        tried.iter().find(|(witness, taken)| !taken && is_it(&witness.role)).map(|(witness, _)| witness)
    };
    if let Some(witness) = refused(|role| matches!(role, Role::Null | Role::Choice)) {
        return Some((witness, Verdict::CanBeSaid));
    }
    let Some(witness) = refused(|role| role.place().is_some()) else {
        return refused(|_| true).map(|witness| (witness, Verdict::CannotBeSaid));
    };
    // Most CHECKs take NULL and empty text, whatever they are about.
    let is_ordinary = |role: &Role| !matches!(role, Role::Null | Role::Length(0));
    let places = |wanted: bool| {
        let such = tried.iter().filter(move |(_, taken)| *taken == wanted).map(|(witness, _)| witness.role);
        such.filter(move |role| !wanted || is_ordinary(role)).filter_map(Role::place)
    };
    let (least, most) = places(true)
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), place| (least.min(place), most.max(place)));
    let is_range = least <= most && !places(false).any(|place| (least..=most).contains(&place));
    let taken = || tried.iter().filter(|(_, taken)| *taken).map(|(witness, _)| witness.role);
    let numbers = sql_text::literals(condition).1;
    let is_named = |role: Role| match role {
        Role::Number(number) => numbers.iter().any(|named| *named as f64 == number.abs()),
        Role::Literal | Role::Null | Role::Length(0) => true,
        Role::Choice | Role::Length(_) | Role::LongerLiteral | Role::Variant => false,
    };
    // Of all that was tried it takes but what it names.
    let is_list = taken().any(|role| is_ordinary(&role)) && taken().all(is_named);
    let verdict = if is_range || is_list { Verdict::CanBeSaid } else { Verdict::CannotBeSaid };
    Some((witness, verdict))
}

impl Role {
    /// Where it stands among others of its kind.
    fn place(self) -> Option<f64> {
        match self {
            Role::Number(number) => Some(number),
            Role::Length(length) => Some(length as f64),
            Role::Null | Role::Choice | Role::Literal | Role::LongerLiteral | Role::Variant => None,
        }
    }
}

/// At the ends of what the file allows, in a spread between, and at what a condition names.
pub(super) fn witnesses(table: &Table, column: &Column, condition: &str) -> Vec<Witness> {
    let rules = &column.rules;
    let mut all = Vec::new();
    if !is_not_null(table, column) {
        all.push(Witness { value: "NULL".into(), shown: "NULL".into(), role: Role::Null });
    }
    let (texts, numbers) = sql_text::literals(condition);
    let texts = &texts[..texts.len().min(LITERALS_MAX)];
    let beside = |number: i64| [number.saturating_sub(1), number, number.saturating_add(1)];
    let numbers = numbers.into_iter().take(LITERALS_MAX).chain(SPREAD).flat_map(beside);
    let numbers: Vec<i64> = numbers.flat_map(|number| [number, number.saturating_neg()]).collect();
    let shown = |value: String, role: Role| Witness { shown: value.clone(), value, role };
    let variants = |values: &[&str]| -> Vec<Witness> {
        values.iter().map(|value| shown((*value).to_owned(), Role::Variant)).collect()
    };
    if let Some(choices) = &rules.choices {
        let values = choices.iter().filter_map(|choice| literal(rules.kind, choice));
        all.extend(values.map(|value| shown(value, Role::Choice)));
        return all;
    }
    match rules.kind {
        Type::SmallInt | Type::Integer | Type::BigInt => {
            let (least, most) = match rules.kind {
                Type::SmallInt => (i64::from(i16::MIN), i64::from(i16::MAX)),
                Type::Integer => (i64::from(i32::MIN), i64::from(i32::MAX)),
                // SQL has no literal of the least one.
                _ => (-i64::MAX, i64::MAX),
            };
            let values = integers(column, least, most, &numbers).into_iter();
            all.extend(values.map(|value| shown(value.to_string(), Role::Number(value as f64))));
        }
        Type::Real | Type::Double | Type::Numeric => {
            let most = if rules.kind == Type::Real { 3e38 } else { 1e300 };
            for value in reals(column, most, &numbers) {
                let number = bound(rules.kind, &Bound::Real(value));
                let sql = if rules.kind == Type::Numeric { quote_text(&number) } else { number };
                all.push(shown(sql, Role::Number(value)));
            }
            if rules.kind == Type::Numeric && rules.minimum.is_none() && rules.maximum.is_none() {
                all.extend(variants(&["'12345678901234567890.12'", "'-0.12345678901234567890'"]));
            }
        }
        Type::Boolean => {
            all.extend([("0", 0.0), ("1", 1.0)].map(|(value, at)| shown(value.into(), Role::Number(at))));
        }
        Type::Timestamp => all.extend(variants(&[
            "'2026-11-24T02:00:00.123456Z'",
            "'0001-01-01T00:00:00.000000Z'",
            "'1969-12-31T23:59:59.999999Z'",
            "'1970-01-01T00:00:00.000000Z'",
            "'2000-01-01T00:00:00.000000Z'",
            "'9999-12-31T23:59:59.999999Z'",
        ])),
        Type::Date => all.extend(variants(&[
            "'2026-11-24'",
            "'0001-01-01'",
            "'1969-12-31'",
            "'1970-01-01'",
            "'1999-12-31'",
            "'2000-02-29'",
            "'9999-12-31'",
        ])),
        Type::Uuid => all.extend(variants(&[
            "'01234567-89ab-cdef-0123-456789abcdef'",
            "'00000000-0000-0000-0000-000000000000'",
            "'ffffffff-ffff-ffff-ffff-ffffffffffff'",
        ])),
        Type::Json => all.extend(variants(&["'{}'", "'[]'", "'null'", "'0'", "'\"x\"'", "'true'"])),
        Type::Bytes => {
            all.extend(variants(&["X''", "X'00'", "X'FF00'", "X'00112233445566778899AABBCCDDEEFF'"]));
        }
        Type::Text => all.extend(text_witnesses(column, texts, &numbers)),
    }
    all
}

fn integers(column: &Column, least: i64, most: i64, numbers: &[i64]) -> Vec<i64> {
    let end = |rule: &Option<Bound>, otherwise: i64| match rule {
        Some(Bound::Integer(end)) => *end,
        _ => otherwise,
    };
    let (least, most) = (end(&column.rules.minimum, least), end(&column.rules.maximum, most));
    let mut values: Vec<i64> =
        numbers.iter().copied().filter(|value| (least..=most).contains(value)).collect();
    values.extend([least, most, least.midpoint(most)]);
    values.sort_unstable();
    values.dedup();
    values
}

fn reals(column: &Column, most: f64, numbers: &[i64]) -> Vec<f64> {
    let end = |rule: &Option<Bound>, otherwise: f64| match rule {
        Some(Bound::Integer(end)) => *end as f64,
        Some(Bound::Real(end)) => *end,
        None => otherwise,
    };
    let (least, most) = (end(&column.rules.minimum, -most), end(&column.rules.maximum, most));
    let within = numbers.iter().map(|number| *number as f64).chain([0.5, -0.5, least.midpoint(most)]);
    let mut values: Vec<f64> = within.filter(|value| (least..=most).contains(value)).collect();
    values.extend([least, most]);
    values.sort_by(f64::total_cmp);
    values.dedup();
    values
}

/// Texts of one letter in many lengths; then other letters, and what the condition names.
fn text_witnesses(column: &Column, texts: &[String], numbers: &[i64]) -> Vec<Witness> {
    let rules = &column.rules;
    let is_email = rules.format == Some(Format::Email);
    // The shortest address is x@x.
    let shortest = rules.min_length.unwrap_or(0).max(if is_email { 3 } else { 0 });
    let longest = rules.max_length.unwrap_or(LONG_TEXT).clamp(shortest, LONG_TEXT.max(shortest));
    let lengths = numbers.iter().filter_map(|number| usize::try_from(*number).ok());
    let mut lengths: Vec<usize> = lengths.filter(|length| (shortest..=longest).contains(length)).collect();
    lengths.extend([shortest, longest]);
    lengths.sort_unstable();
    lengths.dedup();
    let of = |text: String, role: Role| {
        let shown = match text.chars().count() {
            0 => "empty text".to_owned(),
            1..=SHOWN_MAX => quote_text(&text),
            length if length == text.len() => format!("a text of {length} characters"),
            length => format!("a text of {length} characters, {} bytes", text.len()),
        };
        Witness { value: quote_text(&text), shown, role }
    };
    let plain = |length: usize| if is_email { "x".repeat(length - 2) + "@x" } else { "x".repeat(length) };
    let mut all: Vec<_> = lengths.into_iter().map(|length| of(plain(length), Role::Length(length))).collect();
    if is_email {
        all.push(of(plain(longest).to_uppercase(), Role::Variant));
        return all;
    }
    let some = shortest.max(SHOWN_MAX.min(longest));
    all.extend(["X", "1", "é"].map(|letter| of(letter.repeat(some), Role::Variant)));
    // Bytes are not characters.
    all.push(of("é".repeat(longest), Role::Variant));
    if some > 1 {
        all.push(of(format!("{}x", " ".repeat(some - 1)), Role::Variant));
        all.push(of(format!("x{}", " ".repeat(some - 1)), Role::Variant));
    }
    let is_allowed = |text: &&String| {
        // A pattern matches itself, which says nothing.
        !text.contains(['%', '_', '*', '?', '[', '\0'])
            && (shortest..=longest).contains(&text.chars().count())
    };
    for text in texts.iter().filter(is_allowed) {
        all.push(of(text.clone(), Role::Literal));
        if text.chars().count() < longest {
            all.push(of(format!("{text}x"), Role::LongerLiteral));
        }
    }
    all
}
