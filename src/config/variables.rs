//! The environment: `RINGMILL_SERVER__LISTEN` sets `server.listen`, every variable is there for `${NAME}`, and one that sets nothing
//! but looks as if it should is told.

use std::cell::RefCell;
use std::collections::HashSet;
use std::rc::Rc;

use super::faults::{Faults, edit_distance};
use super::keys::{self, Key, Kind};
use super::tree::{Node, Origin, Place};

/// Before each key in the environment; `__` stands for the dot.
pub(super) const PREFIX: &str = "RINGMILL_";
/// Letters in which a name may differ from a key's and still be taken for it.
const SLIPS_MAX: usize = 2;

/// The whole environment, and which of it `${…}` has named.
pub(super) struct Environment<'a> {
    pub(super) variables: &'a [(String, String)],
    named: RefCell<HashSet<String>>,
}

impl<'a> Environment<'a> {
    pub(super) fn of(variables: &'a [(String, String)]) -> Environment<'a> {
        Environment { variables, named: RefCell::default() }
    }

    /// The value of a variable that `${…}` names.
    pub(super) fn look_up(&self, name: &str) -> Option<&'a str> {
        self.named.borrow_mut().insert(name.to_owned());
        self.variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Tells of variables that set nothing: a key with `_` in the place of `__` is a fault; what is nearly one, or the end of one, is a
    /// note, and of the rest nothing is said, since container platforms make up others, such as `RINGMILL_PORT`.
    pub(super) fn tell_unknown(&self, origin: &Rc<Origin>, root: &Node, faults: &Faults) {
        let mut known = Vec::new();
        collect(keys::ROOT, Some(root), PREFIX, &mut known);
        let named = self.named.borrow();
        for (name, _) in self.variables {
            let is_key = |name: &str| name.contains("__") || known.iter().any(|known| known == name);
            if !name.starts_with(PREFIX) || is_key(name) || named.contains(name) {
                continue;
            }
            let place = Place { origin: origin.clone(), line: None };
            let message = "sets no key: `__` stands for the dot";
            let letters = letters(name);
            if let Some(meant) = known.iter().find(|known| self::letters(known) == letters) {
                faults.add(&place, name, message, format!("write {meant}"));
            } else if let Some(meant) = nearest(&letters, &known) {
                faults.note(&place, name, message, format!("did you mean {meant}?"));
            }
        }
    }
}

/// What stands behind the prefix, without capitals and `_`.
fn letters(name: &str) -> String {
    name[PREFIX.len()..].replace('_', "").to_ascii_lowercase()
}

fn nearest<'a>(name: &str, known: &'a [String]) -> Option<&'a String> {
    let ends = |known: &&String| {
        known.rsplit_once("__").is_some_and(|(_, last)| last.replace('_', "").eq_ignore_ascii_case(name))
    };
    let distance = |known: &&String| edit_distance(name, &letters(known));
    let near = known.iter().min_by_key(distance).filter(|known| {
        let distance = distance(known);
        distance <= SLIPS_MAX && distance * 3 <= name.len()
    });
    near.or_else(|| known.iter().find(ends))
}

/// The variables of all keys, those of the file's own names too.
fn collect(keys: &'static [Key], node: Option<&Node>, before: &str, found: &mut Vec<String>) {
    for key in keys {
        let name = format!("{before}{}", key.name.to_ascii_uppercase());
        let node = node.and_then(|node| node.get(key.name));
        match key.kind {
            Kind::Section(inner) => collect(inner, node, &format!("{name}__"), found),
            Kind::Named(inner) => {
                for entry in node.map(Node::entries).unwrap_or_default() {
                    let name = format!("{name}__{}__", entry.name.to_ascii_uppercase());
                    collect(inner, Some(&entry.node), &name, found);
                }
            }
            Kind::Reserved => {}
            _ => found.push(name),
        }
    }
}
