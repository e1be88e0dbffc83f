//! What is wrong with a request, field by field, in the order in which it shows in `errors`.

use super::render::escape;
use super::words::Message;

/// How many unknown fields `errors` names: columns are few, but a body can invent names without end.
const UNKNOWN_MAX: usize = 100;
/// How much of an unknown name is repeated, in characters.
const UNKNOWN_CHARACTERS_MAX: usize = 100;

/// The faults of one request.
#[derive(Debug, Default)]
pub(super) struct Faults {
    fields: Vec<(String, Vec<Message>)>,
    missing: bool,
}

impl Faults {
    pub(super) fn one(name: &str, message: impl Into<Message>) -> Faults {
        let mut faults = Faults::default();
        faults.add(name, message);
        faults
    }

    pub(super) fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Whether a required field is missing, whatever else is wrong.
    pub(super) fn is_missing(&self) -> bool {
        self.missing
    }

    pub(super) fn add(&mut self, name: &str, message: impl Into<Message>) {
        let message = message.into();
        if let Some((_, messages)) = self.fields.iter_mut().find(|(known, _)| known == name) {
            if !messages.contains(&message) {
                messages.push(message);
            }
        } else {
            self.fields.push((name.to_owned(), vec![message]));
        }
    }

    /// A name that a client invented; beyond the bounds it is cut short or not repeated. Only for faults that hold nothing
    /// else.
    pub(super) fn add_unknown(&mut self, name: &str) {
        let name = match name.char_indices().nth(UNKNOWN_CHARACTERS_MAX) {
            None => name,
            Some((end, _)) => &name[..end],
        };
        if self.fields.len() < UNKNOWN_MAX {
            self.add(name, super::words::UNKNOWN);
        }
    }

    pub(super) fn add_missing(&mut self, name: &str) {
        self.missing = true;
        self.add(name, super::words::REQUIRED);
    }

    /// Those of `other` after the own ones.
    pub(super) fn append(&mut self, other: Faults) {
        self.missing |= other.missing;
        for (name, messages) in other.fields {
            for message in messages {
                self.add(&name, message);
            }
        }
    }

    /// `{"email":["is required"]}`
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.push(b'{');
        for (index, (name, messages)) in self.fields.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            escape(out, name);
            out.extend_from_slice(b":[");
            for (index, message) in messages.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                escape(out, message);
            }
            out.push(b']');
        }
        out.push(b'}');
    }
}
