//! Reading one table of the tree by its table of keys.
//!
//! A getter always gives a value: where there is a fault, it notes it and gives a stand-in, so that the planner goes on
//! and finds the next one. Which bounds hold is not said here but in [`keys`](super::keys).

use std::time::Duration;

use super::faults::{Faults, did_you_mean, nearest};
use super::keys::{Key, Kind};
use super::tree::{Entry, Node, Place, Secrecy, Stem, Value, join};
use super::{keys, values};

const NOT_IN_THIS_VERSION: &str = "is not in this version";

/// A value and the key it stands at.
#[derive(Clone, Debug)]
pub(super) struct At<'a> {
    pub(super) node: &'a Node,
    pub(super) key: String,
    faults: &'a Faults,
}

impl std::fmt::Debug for Faults {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Faults")
    }
}

impl<'a> At<'a> {
    pub(super) fn place(&self) -> &'a Place {
        &self.node.place
    }

    /// Notes a fault of this value, if there is a value.
    #[cold]
    pub(super) fn fault(&self, message: impl Into<String>, remedy: impl Into<String>) {
        if !self.node.is_void {
            self.faults.add(&self.node.place, &self.key, message, remedy);
        }
    }

    /// Notes a fault of another value.
    #[cold]
    pub(super) fn fault_at(
        &self,
        place: &Place,
        key: &str,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.faults.add(place, key, message, remedy);
    }

    /// A value of this table.
    pub(super) fn child(&self, name: &str) -> Option<At<'a>> {
        let node = self.node.get(name)?;
        Some(At { node, key: join(&self.key, name), faults: self.faults })
    }

    /// Notes that this value `is …`, with the value quoted.
    #[cold]
    pub(super) fn wrong(&self, what: &str, remedy: impl Into<String>) {
        self.fault(format!("{} {what}", self.node.quoted()), remedy);
    }

    /// Refuses it for now.
    #[cold]
    pub(super) fn later(&self, what: &str, remedy: &str) {
        self.fault(format!("{what} {NOT_IN_THIS_VERSION}"), remedy);
    }

    /// The string, or a flag's or variable's text.
    pub(super) fn as_text(&self) -> Option<&'a str> {
        match (&self.node.value, &self.node.given) {
            (Value::Text(text), _) => Some(text),
            (Value::List(_) | Value::Table(_), _) => None,
            (_, given) => given.as_deref(),
        }
    }

    pub(super) fn text(&self) -> Option<&'a str> {
        let text = self.as_text();
        if text.is_none() {
            self.wrong("is no text", "write it in quotation marks");
        }
        text
    }

    /// The digits of a whole number, also of one that came in through `${…}`.
    pub(super) fn as_digits(&self) -> Option<&'a str> {
        match &self.node.value {
            Value::Integer(digits) => Some(digits),
            Value::Text(text)
                if self.node.secrecy == Secrecy::Secret
                    && !text.is_empty()
                    && text.bytes().all(|b| b.is_ascii_digit()) =>
            {
                Some(text)
            }
            _ => None,
        }
    }

    /// `None`: a fault was noted.
    pub(super) fn integer(&self, least: i64, most: i64) -> Option<i64> {
        let digits = self.as_digits();
        if let Some(number) = digits.and_then(|digits| digits.parse().ok())
            && (least..=most).contains(&number)
        {
            return Some(number);
        }
        let is_within = |number: i64| (least..=most).contains(&number);
        match self.quoted_number().filter(|text| text.parse().is_ok_and(is_within)) {
            Some(number) => self.wrong("is no whole number", self.unquoted(number)),
            None if digits.is_none() => self.wrong("is no whole number", between(least, most)),
            None => self.wrong("is out of bounds", between(least, most)),
        }
        None
    }

    /// A number that stands in quotation marks, where everybody may see it.
    pub(super) fn quoted_number(&self) -> Option<&'a str> {
        let Value::Text(text) = &self.node.value else { return None };
        let is_plain = self.node.secrecy == Secrecy::Plain && self.node.given.is_none();
        let is_number =
            text.parse().is_ok_and(f64::is_finite) && text.ends_with(|last: char| last.is_ascii_digit());
        (is_plain && is_number).then_some(text)
    }

    /// How a value is written that stands in quotation marks.
    pub(super) fn unquoted(&self, value: &str) -> String {
        let name = self.key.rsplit('.').next().unwrap_or(&self.key);
        format!("write {name} = {value}, without quotation marks")
    }

    pub(super) fn boolean(&self) -> bool {
        match (&self.node.value, self.node.secrecy) {
            (Value::Boolean(value), _) => *value,
            (Value::Text(text), Secrecy::Secret) if text == "true" || text == "false" => text == "true",
            _ => {
                self.wrong("is neither true nor false", "write true or false, without quotation marks");
                false
            }
        }
    }

    pub(super) fn duration(&self, least: Duration, most: Duration) -> Duration {
        match self.as_text().and_then(values::duration) {
            Some(duration) if (least..=most).contains(&duration) => duration,
            Some(_) => {
                let (least, most) = (values::show_duration(least), values::show_duration(most));
                self.wrong("is out of bounds", format!("write {least} to {most}"));
                Duration::ZERO
            }
            None => {
                self.wrong("is no duration", "write a number with a unit: 250ms, 5s, 1m, 1h, 1d");
                Duration::ZERO
            }
        }
    }

    /// `None`: a fault was noted.
    pub(super) fn size(&self, least: u64, most: u64) -> Option<u64> {
        let size = match self.as_digits() {
            Some(digits) => digits.parse().ok(),
            None => self.as_text().and_then(values::size),
        };
        match size {
            None => self.wrong("is no size", "write a number with a unit: 64KiB, 1MiB, 1GiB"),
            Some(size) if !(least..=most).contains(&size) => {
                let bounds = (values::show_size(least), values::show_size(most));
                self.wrong("is out of bounds", format!("write {} to {}", bounds.0, bounds.1));
            }
            Some(_) => return size,
        }
        None
    }

    pub(super) fn choice(&self, names: &[&'static str]) -> &'static str {
        let text = self.as_text();
        if let Some(name) = names.iter().find(|name| Some(**name) == text) {
            return name;
        }
        let guess = match text.and_then(|text| nearest(text, names.iter().copied())) {
            Some(guess) if self.node.secrecy == Secrecy::Plain => format!("did you mean \"{guess}\"?"),
            _ => format!("write \"{}\"", names.join("\" or \"")),
        };
        self.wrong("is none of the values", guess);
        names[0]
    }

    /// The items of a list.
    pub(super) fn list(&self, remedy: &str) -> Vec<At<'a>> {
        match &self.node.value {
            Value::List(items) => items.iter().map(|node| self.item(node)).collect(),
            _ => {
                self.wrong("is no list", remedy);
                Vec::new()
            }
        }
    }

    /// A string alone, or the strings of a list.
    pub(super) fn texts(&self, alone: Alone) -> Vec<(At<'a>, &'a str)> {
        let items = match (&self.node.value, alone) {
            (Value::List(_), _) | (_, Alone::Refused) => self.list("write a list of texts: [\"…\"]"),
            (_, Alone::Taken) => vec![self.clone()],
        };
        items.into_iter().filter_map(|item| item.text().map(|text| (item, text))).collect()
    }

    fn item(&self, node: &'a Node) -> At<'a> {
        At { node, key: self.key.clone(), faults: self.faults }
    }

    /// This table, to be read by `keys`.
    pub(super) fn section(&self, keys: &'static [Key]) -> Section<'a> {
        if !self.node.is_table() {
            self.wrong(
                "is no table",
                format!("known keys: {}", names_of(keys).collect::<Vec<_>>().join(", ")),
            );
        }
        let section = Section { at: self.clone(), keys };
        section.refuse_unknown_keys();
        section
    }

    /// The entries of a table whose names are the user's.
    pub(super) fn named(&self) -> Vec<(&'a Entry, At<'a>)> {
        if !self.node.is_table() {
            self.wrong("is no table", "write it as a table");
        }
        let entries = self.node.entries().iter();
        entries
            .map(|entry| {
                (entry, At { node: &entry.node, key: join(&self.key, &entry.name), faults: self.faults })
            })
            .collect()
    }
}

/// Whether a string may stand for a list of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alone {
    Taken,
    Refused,
}

fn between(least: i64, most: i64) -> String {
    if least == most { format!("write {least}") } else { format!("write {least} to {most}") }
}

fn names_of(keys: &'static [Key]) -> impl Iterator<Item = &'static str> + Clone {
    keys.iter().filter(|key| !matches!(key.kind, Kind::Reserved)).map(|key| key.name)
}

/// A table whose keys are known.
#[derive(Clone, Debug)]
pub(super) struct Section<'a> {
    pub(super) at: At<'a>,
    keys: &'static [Key],
}

impl<'a> Section<'a> {
    /// The whole tree.
    pub(super) fn root(node: &'a Node, faults: &'a Faults) -> Section<'a> {
        At { node, key: String::new(), faults }.section(keys::ROOT)
    }

    fn refuse_unknown_keys(&self) {
        for entry in self.at.node.entries() {
            let key = join(&self.at.key, &entry.name);
            match self.keys.iter().find(|key| key.name == entry.name) {
                Some(Key { kind: Kind::Reserved, .. }) => {
                    self.at.faults.add(
                        &entry.place,
                        key,
                        NOT_IN_THIS_VERSION,
                        "remove it; the name is kept for later",
                    );
                }
                Some(_) => {}
                None => {
                    let remedy = did_you_mean(&entry.name, names_of(self.keys), "key");
                    self.at.faults.add(&entry.place, key, "is no key", remedy);
                }
            }
        }
    }

    fn kind(&self, name: &str) -> Kind {
        match self.keys.iter().find(|key| key.name == name) {
            Some(key) => key.kind,
            None => unreachable!("{name} is read but stands in no table of keys"),
        }
    }

    /// The value, default included.
    pub(super) fn get(&self, name: &str) -> Option<At<'a>> {
        let node = self.at.node.get(name)?;
        debug_assert!(self.keys.iter().any(|key| key.name == name), "{name} stands in no table of keys");
        Some(At { node, key: self.key(name), faults: self.at.faults })
    }

    /// The value, if somebody wrote it.
    pub(super) fn written(&self, name: &str) -> Option<At<'a>> {
        self.get(name).filter(|at| at.node.stem == Stem::Written)
    }

    /// Notes that a key is missing if it is.
    pub(super) fn needed(&self, name: &str, remedy: &str) -> Option<At<'a>> {
        let at = self.get(name);
        if at.is_none() && !self.is_misspelt(name) {
            self.at.fault(format!("has no `{name}`"), remedy);
        }
        at
    }

    /// Whether an unknown key, which has its fault, was probably meant to be this one.
    pub(super) fn is_misspelt(&self, name: &str) -> bool {
        let is_known = |entry: &&Entry| self.keys.iter().any(|key| key.name == entry.name);
        let mut unknown = self.at.node.entries().iter().filter(|entry| !is_known(entry));
        unknown.any(|entry| nearest(&entry.name, names_of(self.keys)) == Some(name))
    }

    /// What a key is called in faults.
    pub(super) fn key(&self, name: &str) -> String {
        join(&self.at.key, name)
    }

    pub(super) fn duration(&self, name: &str) -> Duration {
        self.duration_if(name).unwrap_or_default()
    }

    /// `None`: off, or left out.
    pub(super) fn duration_if(&self, name: &str) -> Option<Duration> {
        let at = self.get(name)?;
        match self.kind(name) {
            Kind::Duration(least, most) => Some(at.duration(least, most)),
            Kind::DurationOrOff(..) if at.as_text() == Some("") => None,
            Kind::DurationOrOff(least, most) => Some(at.duration(least, most)),
            kind => unreachable!("{name} is {kind:?}"),
        }
    }

    /// `None`: left out, or a fault was noted.
    pub(super) fn size_if(&self, name: &str) -> Option<u64> {
        match self.kind(name) {
            Kind::Size(least, most) => self.get(name)?.size(least, most),
            kind => unreachable!("{name} is {kind:?}"),
        }
    }

    pub(super) fn size(&self, name: &str) -> u64 {
        self.size_if(name).unwrap_or_default()
    }

    /// `None`: left out, or a fault was noted.
    pub(super) fn integer_if(&self, name: &str) -> Option<i64> {
        match self.kind(name) {
            Kind::Integer(least, most) => self.get(name)?.integer(least, most),
            kind => unreachable!("{name} is {kind:?}"),
        }
    }

    pub(super) fn integer(&self, name: &str) -> i64 {
        self.integer_if(name).unwrap_or_default()
    }

    pub(super) fn boolean(&self, name: &str) -> bool {
        self.get(name).is_some_and(|at| at.boolean())
    }

    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        self.get(name)?.text()
    }

    pub(super) fn choice_if(&self, name: &str) -> Option<&'static str> {
        match self.kind(name) {
            Kind::Choice(names) => Some(self.get(name)?.choice(names)),
            kind => unreachable!("{name} is {kind:?}"),
        }
    }

    /// The choice, or the first one where there is none.
    pub(super) fn choice(&self, name: &str) -> &'static str {
        self.choice_if(name).unwrap_or_default()
    }

    pub(super) fn texts(&self, name: &str) -> Vec<(At<'a>, &'a str)> {
        let Some(at) = self.get(name) else { return Vec::new() };
        match self.kind(name) {
            Kind::TextOrTexts => at.texts(Alone::Taken),
            _ => at.texts(Alone::Refused),
        }
    }

    /// A table inside this one.
    pub(super) fn section(&self, name: &str) -> Section<'a> {
        match (self.get(name), self.kind(name)) {
            (Some(at), Kind::Section(keys)) => at.section(keys),
            // Only where this is no table itself, which is a fault already: a section without keys stands in.
            (None, Kind::Section(keys)) => {
                Section { at: At { key: self.key(name), ..self.at.clone() }, keys }
            }
            (_, kind) => unreachable!("{name} is {kind:?}"),
        }
    }

    /// The tables inside this one whose names are the user's.
    pub(super) fn named(&self, name: &str) -> Vec<(&'a Entry, At<'a>)> {
        self.get(name).map(|at| at.named()).unwrap_or_default()
    }
}
