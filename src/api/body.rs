//! A JSON body taken apart into its fields, each with its raw text: so a field given twice is seen, and a number keeps the
//! digits that were sent. Neither the values' content nor their nesting is looked at here.

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

use super::faults::Faults;
use super::names::Names;

/// A field and its raw JSON text.
type Field<'a> = (Cow<'a, str>, &'a str);

/// Why there are no fields.
#[derive(Debug)]
pub(super) enum Refusal {
    /// It does not say that it is JSON.
    ContentType,
    /// Not JSON; with line and column, without the body's content.
    Invalid { detail: String },
    /// JSON, but no object.
    NoObject,
}

/// The fields of `body` in its order, duplicates included.
fn fields(body: &[u8]) -> Result<Vec<Field<'_>>, Refusal> {
    let text = std::str::from_utf8(body).map_err(|error| Refusal::Invalid {
        detail: format!("The document is not UTF-8 (byte {})", error.valid_up_to() + 1),
    })?;
    let invalid = |error: serde_json::Error| Refusal::Invalid { detail: detail(&error) };
    if text.trim_start_matches([' ', '\t', '\r', '\n']).starts_with('{') {
        let mut json = serde_json::Deserializer::from_str(text);
        let fields = json.deserialize_map(Fields).map_err(invalid)?;
        json.end().map_err(invalid)?;
        Ok(fields)
    } else {
        serde_json::from_str::<&RawValue>(text).map_err(invalid)?;
        Err(Refusal::NoObject)
    }
}

/// What the parser says, and what clients are told. It has no codes, so its words are looked for; `bodies_that_are_no_json`
/// fails if one of them changes.
const DETAILS: [(&str, &str); 17] = [
    ("EOF while parsing a list", "The document ends in the middle of an array"),
    ("EOF while parsing an object", "The document ends in the middle of an object"),
    ("EOF while parsing a string", "The document ends in the middle of a string"),
    ("EOF while parsing a value", "The document ends where a value should stand"),
    ("expected `:`", "A colon should stand behind a field's name"),
    ("expected `,` or `]`", "A comma or ] should stand behind an array's item"),
    ("expected `,` or `}`", "A comma or } should stand behind a field"),
    ("expected ident", "What stands here is none of true, false and null"),
    ("expected value", "A value should stand here"),
    ("invalid escape", "A string has an escape that JSON does not have"),
    ("invalid number", "A number is not written as JSON writes it"),
    ("number out of range", "A number is too large"),
    ("control character", "A string has a control character that is not escaped"),
    ("key must be a string", "A field's name should stand here, in quotation marks"),
    ("trailing comma", "A comma has nothing behind it"),
    ("trailing characters", "Something stands behind the end of the document"),
    ("recursion limit exceeded", "The document is nested too deeply"),
];
/// Of a name with half a surrogate pair or too few digits.
const OTHER_DETAIL: &str = "A string has an escape that is no character";

/// `A value should stand here (line 2, column 8)`: neither the body's content nor the parser's words.
#[cold]
fn detail(error: &serde_json::Error) -> String {
    let said = error.to_string();
    let told =
        DETAILS.iter().find(|(begin, _)| said.starts_with(begin)).map_or(OTHER_DETAIL, |(_, told)| told);
    format!("{told} (line {}, column {})", error.line(), error.column())
}

/// A body's fields, each at the place of the column or parameter that it names.
#[derive(Debug)]
pub(super) struct Slots<'a> {
    /// Raw JSON; of a field given twice the last.
    pub(super) given: Vec<Option<&'a str>>,
    twice: Vec<bool>,
    unknown: Faults,
}

impl<'a> Slots<'a> {
    /// Nothing given.
    pub(super) fn empty(count: usize) -> Slots<'a> {
        Slots { given: vec![None; count], twice: vec![false; count], unknown: Faults::default() }
    }

    /// The fields of a JSON body; `names` are places among `count`.
    pub(super) fn new(
        content_type: Option<&[u8]>,
        body: &'a [u8],
        count: usize,
        names: &Names,
    ) -> Result<Slots<'a>, Refusal> {
        if !is_json(content_type) {
            return Err(Refusal::ContentType);
        }
        let mut slots = Slots::empty(count);
        for (name, raw) in fields(body)? {
            match names.position(&name) {
                Some(index) => slots.twice[index] |= slots.given[index].replace(raw).is_some(),
                None => slots.unknown.add_unknown(&name),
            }
        }
        Ok(slots)
    }

    pub(super) fn is_twice(&self, index: usize) -> bool {
        self.twice[index]
    }

    /// The fields that name nothing.
    pub(super) fn into_unknown(self) -> Faults {
        self.unknown
    }
}

/// Whether a request's `Content-Type` says JSON: `application/json`, with parameters or without.
fn is_json(content_type: Option<&[u8]>) -> bool {
    content_type.is_some_and(|value| {
        let essence = value.split(|byte| *byte == b';').next().unwrap_or_default();
        essence.trim_ascii().eq_ignore_ascii_case(b"application/json")
    })
}

struct Fields;

impl<'a> Visitor<'a> for Fields {
    type Value = Vec<Field<'a>>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<M: MapAccess<'a>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut fields = Vec::new();
        while let Some(Name(name)) = map.next_key()? {
            let value: &RawValue = map.next_value()?;
            fields.push((name, value.get()));
        }
        Ok(fields)
    }
}

/// A key, borrowed when it has no escapes.
struct Name<'a>(Cow<'a, str>);

impl<'a> serde::Deserialize<'a> for Name<'a> {
    fn deserialize<D: Deserializer<'a>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'a> Visitor<'a> for Text {
            type Value = Name<'a>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a name")
            }

            fn visit_borrowed_str<E>(self, name: &'a str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Borrowed(name)))
            }

            fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Owned(name.to_owned())))
            }
        }
        deserializer.deserialize_str(Text)
    }
}
