//! Values as the model has them: what a request may say, what a table then holds, and how answers show it. Written out from the
//! contract and made forwards, from a value to the ways of saying it, so that nothing here reads what the product reads.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::cmp::Ordering;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    BigInt,
    Text,
    Integer,
    SmallInt,
    Uuid,
    Numeric,
    Boolean,
    Timestamp,
    Date,
    Double,
    Real,
    Json,
    Bytes,
}

/// The simplest first: that is where shrinking ends.
pub(crate) const KINDS: [Kind; 13] = [
    Kind::BigInt,
    Kind::Text,
    Kind::Integer,
    Kind::SmallInt,
    Kind::Uuid,
    Kind::Numeric,
    Kind::Boolean,
    Kind::Timestamp,
    Kind::Date,
    Kind::Double,
    Kind::Real,
    Kind::Json,
    Kind::Bytes,
];
/// How many of them may name a row.
pub(crate) const KEY_KINDS: usize = 9;

/// What a table holds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
    Bytes(Vec<u8>),
}

/// A way of saying a value, and what becomes of it but for the rules of its column.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    /// JSON.
    pub(crate) raw: String,
    pub(crate) outcome: Result<Cell, &'static str>,
    /// The number that was said, for bounds.
    pub(crate) number: Option<Decimal>,
}

/// `digits` × 10^`-scale`
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Decimal {
    pub(crate) digits: i64,
    pub(crate) scale: u32,
}

impl Decimal {
    pub(crate) fn compare(self, other: Decimal) -> Ordering {
        let scaled = |decimal: Decimal| i128::from(decimal.digits) * 10_i128.pow(9 - decimal.scale);
        scaled(self).cmp(&scaled(other))
    }

    pub(crate) fn text(self) -> String {
        let unit = 10_u64.pow(self.scale);
        let sign = if self.digits < 0 { "-" } else { "" };
        let (whole, part) = (self.digits.unsigned_abs() / unit, self.digits.unsigned_abs() % unit);
        match self.scale {
            0 => self.digits.to_string(),
            scale => format!("{sign}{whole}.{part:0width$}", width = scale as usize),
        }
    }
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::BigInt => "bigint",
            Kind::Text => "text",
            Kind::Integer => "integer",
            Kind::SmallInt => "smallint",
            Kind::Uuid => "uuid",
            Kind::Numeric => "numeric",
            Kind::Boolean => "boolean",
            Kind::Timestamp => "timestamp",
            Kind::Date => "date",
            Kind::Double => "double",
            Kind::Real => "real",
            Kind::Json => "json",
            Kind::Bytes => "bytes",
        }
    }

    pub(crate) fn is_integer(self) -> bool {
        matches!(self, Kind::BigInt | Kind::Integer | Kind::SmallInt)
    }

    pub(crate) fn is_number(self) -> bool {
        self.is_integer() || matches!(self, Kind::Numeric | Kind::Double | Kind::Real)
    }

    /// What is said of a value of another type.
    fn mistyped(self) -> &'static str {
        match self {
            Kind::BigInt | Kind::Integer | Kind::SmallInt => "must be an integer",
            Kind::Numeric | Kind::Double | Kind::Real => "must be a number",
            Kind::Text => "must be a string",
            Kind::Boolean => "must be true or false",
            Kind::Timestamp => "must be a timestamp with an offset, such as 2026-11-24T02:00:00Z",
            Kind::Date => "must be a date, such as 2026-11-24",
            Kind::Uuid => "must be a UUID",
            Kind::Json => "must be JSON",
            Kind::Bytes => "must be base64 with padding",
        }
    }

    /// As an answer shows it.
    pub(crate) fn show(self, cell: &Cell) -> String {
        match (self, cell) {
            (_, Cell::Null) => "null".to_owned(),
            (Kind::Boolean, Cell::Integer(flag)) => (*flag != 0).to_string(),
            (_, Cell::Integer(integer)) => integer.to_string(),
            (Kind::Real, Cell::Real(real)) => serde_json::to_string(&(*real as f32)).expect("a number"),
            (_, Cell::Real(real)) => serde_json::to_string(real).expect("a number"),
            (Kind::Numeric | Kind::Json, Cell::Text(text)) => text.clone(),
            (_, Cell::Text(text)) => string(text),
            (_, Cell::Bytes(bytes)) => string(&STANDARD.encode(bytes)),
        }
    }

    /// As a path has it, before it is escaped.
    pub(crate) fn in_path(self, cell: &Cell) -> String {
        match cell {
            Cell::Text(text) => text.clone(),
            cell => self.show(cell),
        }
    }

    /// The order in which the database has two values.
    pub(crate) fn order(self, left: &Cell, right: &Cell) -> Ordering {
        let rank = |cell: &Cell| match cell {
            Cell::Null => 0,
            Cell::Integer(_) | Cell::Real(_) => 1,
            Cell::Text(_) => 2,
            Cell::Bytes(_) => 3,
        };
        match (left, right) {
            (Cell::Integer(left), Cell::Integer(right)) => left.cmp(right),
            (Cell::Real(left), Cell::Real(right)) => left.partial_cmp(right).expect("finite"),
            (Cell::Text(left), Cell::Text(right)) if self == Kind::Numeric => {
                let number = |text: &str| text.parse::<f64>().expect("a number");
                number(left).partial_cmp(&number(right)).expect("no NaN")
            }
            (Cell::Text(left), Cell::Text(right)) => left.as_bytes().cmp(right.as_bytes()),
            (Cell::Bytes(left), Cell::Bytes(right)) => left.cmp(right),
            (left, right) => rank(left).cmp(&rank(right)),
        }
    }

    /// A way of saying a value of this type; a small `seed` says a simple one, and one that comes again soon.
    pub(crate) fn input(self, seed: u32) -> Input {
        let (small, large) = (i64::from(seed % 7), i64::from(seed / 7));
        let plain = |raw: String, cell: Cell| Input { raw, outcome: Ok(cell), number: None };
        match self {
            Kind::BigInt | Kind::Integer | Kind::SmallInt => {
                let (least, most) = self.range();
                let integer = match seed % 16 {
                    0..12 => small,
                    12 => -small - large % 100,
                    13 => least + small,
                    14 => most - small,
                    _ => large.clamp(least, most),
                };
                let number = Some(Decimal { digits: integer, scale: 0 });
                Input { raw: integer.to_string(), outcome: Ok(Cell::Integer(integer)), number }
            }
            Kind::Double | Kind::Real | Kind::Numeric => {
                let scale = [0, 1, 1, 2, 4][seed as usize % 5];
                let digits = if seed.is_multiple_of(3) { small } else { large % 200_000 - 100_000 };
                let number = Decimal { digits, scale };
                let raw = number.text();
                let cell = self.of_digits(&raw);
                Input { raw, outcome: Ok(cell), number: Some(number) }
            }
            Kind::Boolean => plain((seed % 2 == 1).to_string(), Cell::Integer(i64::from(seed % 2))),
            Kind::Text => {
                let text = text(seed);
                plain(said(&text, seed), Cell::Text(text))
            }
            Kind::Uuid => {
                let number =
                    u128::from(seed % 5) * 0x1111_2222_3333_4444_5555_aaaa_bbbb_cccc + u128::from(seed / 50);
                let text = hyphenated(number);
                let raw = if seed % 3 == 1 { text.to_ascii_uppercase() } else { text.clone() };
                plain(string(&raw), Cell::Text(text))
            }
            Kind::Date => {
                let text = format!("{:04}-{:02}-{:02}", 1 + large % 9999, 1 + small, 28 - small);
                plain(string(&text), Cell::Text(text))
            }
            Kind::Timestamp => {
                let fraction = if seed.is_multiple_of(2) { 0 } else { large % 1_000_000 };
                let unix_us = (1_700_000_000 + small * 3_000_001) * 1_000_000 + fraction;
                let minutes = [0, 60, -330, 345][seed as usize / 3 % 4];
                let local = timestamp(unix_us + minutes * 60_000_000);
                let local = local.strip_suffix('Z').unwrap_or(&local);
                let local = if fraction == 0 { &local[..19] } else { local };
                let sign = if minutes < 0 { '-' } else { '+' };
                let offset = match minutes {
                    0 => "Z".to_owned(),
                    _ => format!("{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60),
                };
                plain(string(&format!("{local}{offset}")), Cell::Text(timestamp(unix_us)))
            }
            Kind::Json => json(seed),
            Kind::Bytes => {
                let bytes: Vec<u8> = (0..seed % 6).map(|index| (seed >> index) as u8).collect();
                plain(string(&STANDARD.encode(&bytes)), Cell::Bytes(bytes))
            }
        }
    }

    /// A way of saying something that is no value of this type.
    pub(crate) fn bad_input(self, seed: u32) -> Input {
        let no = |raw: &str, words| Input { raw: raw.to_owned(), outcome: Err(words), number: None };
        match (self, seed % 4) {
            (Kind::BigInt | Kind::Integer | Kind::SmallInt, 0) => {
                no("9223372036854775808", "is out of range")
            }
            (Kind::SmallInt, 1) => no("-32769", "is out of range"),
            (Kind::Integer, 1) => no("2147483648", "is out of range"),
            (Kind::BigInt, 1) => no("1e2", self.mistyped()),
            (kind, 2) if kind.is_integer() => no("1.0", self.mistyped()),
            (Kind::Double | Kind::Real, 0 | 1) => no("-1e400", "is out of range"),
            (Kind::Real, 2) => no("1e-60", "is out of range"),
            (Kind::Text, 0) => no(r#""a\u0000""#, "must not contain U+0000"),
            (Kind::Text, 1) => no(r#""\ud800""#, "must be valid Unicode"),
            (Kind::Json, 0) => no(r#"{"a":["\u0000"]}"#, "must not contain U+0000"),
            (Kind::Json, 1) => no(r#"["\udfff"]"#, "must be valid Unicode"),
            (Kind::Json, _) => {
                no(&format!("{}1{}", "[".repeat(129), "]".repeat(129)), "is nested too deeply")
            }
            (Kind::Date, 0) => no("\"2026-02-29\"", self.mistyped()),
            (Kind::Timestamp, 0) => no("\"2026-11-24T02:00:00\"", self.mistyped()),
            (Kind::Uuid, 0) => no("\"01234567-89ab-cdef-0123-456789abcde\"", self.mistyped()),
            (Kind::Bytes, 0) => no("\"AP8\"", self.mistyped()),
            (_, 3) => no(" [1, {\"a\": \"]\"}]", self.mistyped()),
            (Kind::Text | Kind::Date | Kind::Timestamp | Kind::Uuid | Kind::Bytes, _) => {
                no("7", self.mistyped())
            }
            _ => no("\"x\"", self.mistyped()),
        }
    }

    fn range(self) -> (i64, i64) {
        match self {
            Kind::SmallInt => (-32_768, 32_767),
            Kind::Integer => (-2_147_483_648, 2_147_483_647),
            _ => (i64::MIN, i64::MAX),
        }
    }

    /// Of a number other than a whole one.
    pub(crate) fn of_digits(self, digits: &str) -> Cell {
        match self {
            Kind::Real => Cell::Real(f64::from(digits.parse::<f32>().expect("a number"))),
            Kind::Double => Cell::Real(digits.parse().expect("a number")),
            _ => Cell::Text(digits.to_owned()),
        }
    }
}

/// A JSON string with no more escapes than it needs.
pub(crate) fn string(text: &str) -> String {
    serde_json::to_string(text).expect("a string")
}

/// Texts that come again, and texts with something about them; none has an `@`.
fn text(seed: u32) -> String {
    const ODD: [&str; 16] = [
        "' OR 1=1 --",
        "\"; DROP TABLE t0; --",
        "$1 ?1 :a",
        "é\u{301}ß",
        "😀👩‍👩‍👧",
        "a/b?c#d%2F&e=f+g",
        "\u{202e}rtl",
        "\t\r\n\u{b}\u{7f}",
        "\\\\\"{}[]",
        "\u{feff}x\u{ffff}",
        "..",
        " ",
        "null",
        "1",
        "\u{1}\u{1f}",
        "日本語テキスト",
    ];
    match seed % 4 {
        0..2 => char::from(b'a' + (seed / 4 % 5) as u8).to_string(),
        2 => ODD[seed as usize / 4 % ODD.len()].to_owned(),
        _ => ODD[seed as usize / 4 % ODD.len()].repeat(seed as usize / 64 % 4),
    }
}

/// JSON for a text, with every character escaped, or some, or none but those that must be.
fn said(text: &str, seed: u32) -> String {
    if !seed.is_multiple_of(5) {
        return string(text);
    }
    let mut raw = String::from("\"");
    for unit in text.encode_utf16() {
        raw.push_str(&format!("\\u{unit:04x}"));
    }
    raw + "\""
}

fn json(seed: u32) -> Input {
    let (raw, kept) = match seed % 8 {
        0 => ("1", "1"),
        1 => ("\"x\"", "\"x\""),
        2 => (" { \"a\" : [ 1.50 , -0 , 1E+400 ] , \"a\" : null } ", r#"{"a":[1.50,-0,1E+400],"a":null}"#),
        3 => ("[\n]", "[]"),
        4 => ("true", "true"),
        5 => (r#""\u00e9 \" \\ \/""#, r#""\u00e9 \" \\ \/""#),
        6 => ("{\"\": 123456789012345678901234567890}", r#"{"":123456789012345678901234567890}"#),
        _ => ("\"' $1 😀\"", "\"' $1 😀\""),
    };
    Input { raw: raw.to_owned(), outcome: Ok(Cell::Text(kept.to_owned())), number: None }
}

/// `2026-11-24T02:00:00.123456Z`
pub(crate) fn timestamp(unix_us: i64) -> String {
    let time = jiff::Timestamp::from_microsecond(unix_us).expect("a time of our days");
    time.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

pub(crate) fn hyphenated(number: u128) -> String {
    let hex = format!("{number:032x}");
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

/// What chance makes a UUID of version 4 of (RFC 9562): its digits but for those of version and variant.
pub(crate) fn random_uuid(random: u128) -> String {
    let mut digits = hyphenated(random).into_bytes();
    digits[14] = b'4';
    let variant = char::from(digits[19]).to_digit(16).expect("a digit");
    digits[19] = b"89ab"[(variant % 4) as usize];
    String::from_utf8(digits).expect("ASCII")
}
