//! The raw tree: TOML values that know where they were written and whether they are secret.
//!
//! Numbers keep their digits as written. What the `toml` crate parses is copied into a tree of our own because values
//! of several sources meet in it, with lines of one, no lines of another, and places of both in one fault.

use std::path::PathBuf;
use std::rc::Rc;

use serde_json::Value as Json;
use toml::de::{DeTable, DeValue};
use toml::value::Datetime;

/// Something that values stem from: a file, the environment, the flags.
#[derive(Debug)]
pub(super) struct Origin {
    /// As faults name it.
    pub(super) name: String,
    /// Where its relative paths start.
    pub(super) folder: PathBuf,
    /// Order among the origins of a plan, for sorting faults.
    pub(super) rank: usize,
}

/// Where a value was written.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) origin: Rc<Origin>,
    /// Counted from 1.
    pub(super) line: Option<usize>,
}

impl std::fmt::Display for Place {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            Some(line) => write!(out, "{}:{line}", self.origin.name),
            None => out.write_str(&self.origin.name),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Secrecy {
    Plain,
    /// Made with `${…}`: neither shown nor quoted.
    Secret,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stem {
    /// Of a file, a variable or a flag.
    Written,
    /// Of the table of keys; its place is that of the table it was left out of.
    Default,
}

/// A value, and what is known about it.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) place: Place,
    pub(super) secrecy: Secrecy,
    pub(super) stem: Stem,
    /// Its `${…}` came to nothing, which is a fault already: what stands here is nobody's value.
    pub(super) is_void: bool,
    /// The text of a flag or variable, whatever TOML made of it: `--set database.password=12345` is a text.
    pub(super) given: Option<String>,
}

#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(String),
    /// Decimal digits with an optional `-`, of any length.
    Integer(String),
    /// As written, without `_` and `+`; also `inf` and `nan`.
    Float(String),
    Boolean(bool),
    Moment(Datetime),
    List(Vec<Node>),
    Table(Vec<Entry>),
}

/// One key of a table, in the order of the file.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) name: String,
    /// Of the key, not of the value.
    pub(super) place: Place,
    pub(super) node: Node,
}

impl Node {
    pub(super) fn new(value: Value, place: Place) -> Node {
        Node { value, place, secrecy: Secrecy::Plain, stem: Stem::Written, is_void: false, given: None }
    }

    pub(super) fn empty_table(place: Place) -> Node {
        Node::new(Value::Table(Vec::new()), place)
    }

    pub(super) fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Table(entries) => entries,
            _ => &[],
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&Node> {
        self.entries().iter().find(|entry| entry.name == name).map(|entry| &entry.node)
    }

    pub(super) fn is_table(&self) -> bool {
        matches!(self.value, Value::Table(_))
    }

    /// The value as a message may show it.
    pub(super) fn quoted(&self) -> String {
        if self.secrecy == Secrecy::Secret {
            return "***".into();
        }
        match &self.value {
            Value::Text(text) if text.chars().count() > 80 => {
                format!("{:?}…", text.chars().take(77).collect::<String>())
            }
            Value::Text(text) => format!("{text:?}"),
            Value::Integer(text) | Value::Float(text) => text.clone(),
            Value::Boolean(value) => value.to_string(),
            Value::Moment(value) => value.to_string(),
            Value::List(_) => "a list".into(),
            Value::Table(_) => "a table".into(),
        }
    }

    /// The value as JSON, secrets as `***`; `name` is the key under which it stands.
    pub(super) fn shown(&self, name: &str) -> Json {
        let hidden = || Json::from("***");
        match &self.value {
            _ if self.secrecy == Secrecy::Secret => hidden(),
            Value::List(items) => items.iter().map(|item| item.shown(name)).collect(),
            Value::Table(entries) => Json::Object(
                entries.iter().map(|entry| (entry.name.clone(), entry.node.shown(&entry.name))).collect(),
            ),
            Value::Text(text) if name == "url" => Json::from(without_password(text)),
            _ => self.to_json().unwrap_or(Json::Null),
        }
    }

    /// As JSON. `None`: an infinity, a NaN or a number too long for `serde_json` stands in it.
    pub(super) fn to_json(&self) -> Option<Json> {
        Some(match &self.value {
            Value::Text(text) => Json::from(text.as_str()),
            Value::Integer(text) => match text.parse::<i64>() {
                Ok(number) => Json::from(number),
                Err(_) => Json::from(text.parse::<u64>().ok()?),
            },
            Value::Float(text) => Json::Number(serde_json::Number::from_f64(text.parse().ok()?)?),
            Value::Boolean(value) => Json::from(*value),
            Value::Moment(value) => Json::from(value.to_string()),
            Value::List(items) => Json::Array(items.iter().map(Node::to_json).collect::<Option<_>>()?),
            Value::Table(entries) => Json::Object(
                entries
                    .iter()
                    .map(|entry| Some((entry.name.clone(), entry.node.to_json()?)))
                    .collect::<Option<_>>()?,
            ),
        })
    }

    /// Compact JSON with the digits and the order of the file. `None`: an infinity or a NaN stands in it.
    pub(super) fn to_json_text(&self) -> Option<String> {
        let mut out = String::new();
        self.write_json(&mut out)?;
        Some(out)
    }

    fn write_json(&self, out: &mut String) -> Option<()> {
        match &self.value {
            Value::Integer(text) => out.push_str(text),
            Value::Float(text) if text.parse::<f64>().is_ok_and(f64::is_finite) => out.push_str(text),
            Value::Float(_) => return None,
            Value::Text(text) => out.push_str(&Json::from(text.as_str()).to_string()),
            Value::Boolean(_) | Value::Moment(_) => out.push_str(&self.to_json()?.to_string()),
            Value::List(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    item.write_json(out)?;
                }
                out.push(']');
            }
            Value::Table(entries) => {
                out.push('{');
                for (index, entry) in entries.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    out.push_str(&Json::from(entry.name.as_str()).to_string());
                    out.push(':');
                    entry.node.write_json(out)?;
                }
                out.push('}');
            }
        }
        Some(())
    }
}

/// The key of `name` in the table `parent`.
pub(super) fn join(parent: &str, name: &str) -> String {
    let bare = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    let name = if bare { name.to_string() } else { format!("{name:?}") };
    if parent.is_empty() { name } else { format!("{parent}.{name}") }
}

/// Both forms of a connection string, without what must not be seen.
fn without_password(url: &str) -> String {
    if let Some((scheme, rest)) = url.split_once("://") {
        let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
        if let Some((user, host)) = authority.rsplit_once('@')
            && let Some((user, _)) = user.split_once(':')
        {
            return format!("{scheme}://{user}:***@{host}{}", &rest[authority.len()..]);
        }
    }
    if url.to_ascii_lowercase().contains("password") {
        return "***".into();
    }
    url.to_string()
}

/// Copies what the `toml` crate makes of a text, with lines.
pub(super) struct Copier {
    origin: Rc<Origin>,
    /// Where each line begins; `None` for what has no lines.
    line_starts: Option<Vec<usize>>,
}

impl Copier {
    /// For a file.
    pub(super) fn of_file(origin: Rc<Origin>, text: &str) -> Copier {
        let after_breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Copier { origin, line_starts: Some(std::iter::once(0).chain(after_breaks).collect()) }
    }

    /// For a value of a flag or a variable.
    pub(super) fn of_value(origin: Rc<Origin>) -> Copier {
        Copier { origin, line_starts: None }
    }

    pub(super) fn place(&self, offset: usize) -> Place {
        let line = self.line_starts.as_ref().map(|starts| starts.partition_point(|start| *start <= offset));
        Place { origin: self.origin.clone(), line }
    }

    pub(super) fn table(&self, table: &DeTable<'_>) -> Value {
        Value::Table(
            table
                .iter()
                .map(|(name, value)| Entry {
                    name: name.get_ref().to_string(),
                    place: self.place(name.span().start),
                    node: self.node(value.get_ref(), value.span().start),
                })
                .collect(),
        )
    }

    pub(super) fn node(&self, value: &DeValue<'_>, offset: usize) -> Node {
        let value = match value {
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Integer(number) => Value::Integer(decimal(number.as_str(), number.radix())),
            DeValue::Float(number) => Value::Float(number.as_str().trim_start_matches('+').to_string()),
            DeValue::Boolean(value) => Value::Boolean(*value),
            DeValue::Datetime(value) => Value::Moment(*value),
            DeValue::Array(items) => {
                Value::List(items.iter().map(|item| self.node(item.get_ref(), item.span().start)).collect())
            }
            DeValue::Table(table) => self.table(table),
        };
        Node::new(value, self.place(offset))
    }
}

/// Digits of any radix as decimal ones. Hexadecimal numbers beyond 128 bits keep their digits, which no bound admits.
fn decimal(digits: &str, radix: u32) -> String {
    let digits = digits.trim_start_matches('+');
    match radix {
        10 if digits == "-0" => "0".into(),
        10 => digits.to_string(),
        _ => i128::from_str_radix(digits, radix)
            .map_or_else(|_| "9".repeat(digits.len()), |number| number.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_leave_urls() {
        for (url, shown) in [
            ("sqlite:ringmill.db", "sqlite:ringmill.db"),
            ("postgres://user@db/mydb", "postgres://user@db/mydb"),
            ("postgres://user:pw@db/mydb?a=b", "postgres://user:***@db/mydb?a=b"),
            ("postgres://user:p@w:x@db:5432,db2", "postgres://user:***@db:5432,db2"),
            ("host=db password=pw", "***"),
            ("postgres://db/x?password=pw", "***"),
        ] {
            assert_eq!(without_password(url), shown);
        }
    }

    #[test]
    fn keys_are_joined_as_toml_writes_them() {
        assert_eq!(join("", "a"), "a");
        assert_eq!(join("a", "b-c_1"), "a.b-c_1");
        assert_eq!(join("a", "b.c"), "a.\"b.c\"");
    }
}
