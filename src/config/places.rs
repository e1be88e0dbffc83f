//! Where each key of a plan was written: faults that only the database can tell name file and line too.

use std::collections::{HashMap, HashSet};

use super::faults::Fault;
use super::tree::{Node, Secrecy, Value, join};

/// File and line of every key.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// By dotted key; items of a list have their number behind it, `indexes[0]`.
    by_key: HashMap<String, Spot>,
    /// Keys whose value, or a part of it, is a secret.
    secrets: HashSet<String>,
    /// Files in the order of their faults.
    files: Vec<String>,
}

#[derive(Clone, Copy, Debug)]
struct Spot {
    file: usize,
    line: Option<usize>,
}

impl Places {
    pub(super) fn of(root: &Node) -> Places {
        let mut found = Vec::new();
        collect(root, String::new(), &mut found);
        let mut ranks: Vec<_> =
            found.iter().map(|(_, node)| (node.place.origin.rank, node.place.origin.name.clone())).collect();
        ranks.sort();
        ranks.dedup();
        let files: Vec<String> = ranks.into_iter().map(|(_, name)| name).collect();
        let spot = |node: &Node| Spot {
            file: files.iter().position(|name| *name == node.place.origin.name).unwrap_or(0),
            line: node.place.line,
        };
        let secrets = found.iter().filter(|(_, node)| is_secret(node)).map(|(key, _)| key.clone()).collect();
        let by_key = found.into_iter().map(|(key, node)| (key, spot(node))).collect();
        Places { by_key, secrets, files }
    }

    /// Whether a key's value, or a part of it, is a secret, which nobody is shown.
    pub fn is_secret(&self, key: &str) -> bool {
        self.secrets.contains(key)
    }

    /// Whether somebody wrote this key, or it has a default.
    pub fn has(&self, key: &str) -> bool {
        self.by_key.contains_key(key)
    }

    /// A fault at a key; where it is not written, at the table or list around it.
    pub fn fault(&self, key: &str, message: impl Into<String>, remedy: impl Into<String>) -> Fault {
        let spot = self.spot(key);
        Fault {
            file: spot.and_then(|spot| self.files.get(spot.file)).cloned().unwrap_or_default(),
            line: spot.and_then(|spot| spot.line),
            key: without_numbers(key),
            message: message.into(),
            remedy: remedy.into(),
        }
    }

    /// Has what is told of a key name another file, in which its value stands.
    pub(super) fn move_to(&mut self, key: &str, file: &str, line: usize) {
        let index = self.files.iter().position(|name| name == file).unwrap_or_else(|| {
            self.files.push(file.to_owned());
            self.files.len() - 1
        });
        self.by_key.insert(key.to_owned(), Spot { file: index, line: Some(line) });
    }

    /// Puts faults in the order of files and lines; those of one line stay in theirs.
    pub fn sort(&self, faults: &mut [Fault]) {
        let rank = |file: &str| self.files.iter().position(|name| *name == file).unwrap_or(usize::MAX);
        faults.sort_by_key(|fault| (rank(&fault.file), fault.line));
    }

    fn spot(&self, key: &str) -> Option<Spot> {
        let mut key = key;
        loop {
            if let Some(spot) = self.by_key.get(key) {
                return Some(*spot);
            }
            key = &key[..key.rfind(['.', '[']).unwrap_or(0)];
            if key.is_empty() {
                return self.by_key.get("").copied();
            }
        }
    }
}

/// The key of `name` within `parent`, as faults write it.
pub fn key_of(parent: &str, name: &str) -> String {
    join(parent, name)
}

/// As faults write it: an item of a list has the key of its list.
fn without_numbers(key: &str) -> String {
    let mut out = String::new();
    let mut rest = key;
    while let Some(open) = rest.find('[') {
        let length = rest[open..].find(']').map_or(0, |close| close + 1);
        let is_number = length > 2 && rest[open + 1..open + length - 1].bytes().all(|b| b.is_ascii_digit());
        out.push_str(&rest[..open]);
        if !is_number {
            out.push('[');
        }
        rest = &rest[open + if is_number { length } else { 1 }..];
    }
    out + rest
}

fn is_secret(node: &Node) -> bool {
    match &node.value {
        Value::Table(entries) => entries.iter().any(|entry| is_secret(&entry.node)),
        Value::List(items) => items.iter().any(is_secret),
        _ => node.secrecy == Secrecy::Secret,
    }
}

fn collect<'a>(node: &'a Node, key: String, found: &mut Vec<(String, &'a Node)>) {
    match &node.value {
        Value::Table(entries) => {
            entries.iter().for_each(|entry| collect(&entry.node, join(&key, &entry.name), found));
        }
        Value::List(items) => {
            let numbered = items.iter().enumerate();
            numbered.for_each(|(index, item)| collect(item, format!("{key}[{index}]"), found));
        }
        _ => {}
    }
    found.push((key, node));
}

#[cfg(test)]
mod tests {
    use super::super::{Inputs, load};

    #[test]
    fn a_key_has_the_line_of_its_value_or_of_what_is_around_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = "include = [\"b.toml\"]\n[endpoints.a]\npath = \"/a\"\nsql = \"SELECT 1 AS n\"\n\
                    reply = [\"x\",\n  \"@count\"]\n";
        std::fs::write(folder.path().join("a.toml"), file).expect("a file");
        let included = "[endpoints.\"b c\"]\npath = \"/b\"\njson = 1\n";
        std::fs::write(folder.path().join("b.toml"), included).expect("a file");
        let inputs = Inputs {
            config: Some("a.toml".into()),
            working_directory: folder.path(),
            environment: Vec::new(),
            sets: vec![("endpoints.a.timeout".into(), "1s".into())],
            flags: Vec::new(),
        };
        let places = load(&inputs).expect("no fault").places;
        for (key, shown) in [
            ("endpoints.a.sql", "a.toml:4: endpoints.a.sql: no; mend it"),
            ("endpoints.a.reply[1]", "a.toml:6: endpoints.a.reply: no; mend it"),
            ("endpoints.a.shape", "a.toml:2: endpoints.a.shape: no; mend it"),
            ("endpoints.a.timeout", "--set: endpoints.a.timeout: no; mend it"),
            ("endpoints.\"b c\".json", "b.toml:3: endpoints.\"b c\".json: no; mend it"),
        ] {
            assert_eq!(places.fault(key, "no", "mend it").to_string(), shown);
        }
        let mut faults = ["endpoints.a.timeout", "endpoints.\"b c\"", "endpoints.a.sql", "endpoints.a"]
            .map(|key| places.fault(key, "", ""));
        places.sort(&mut faults);
        let order: Vec<_> = faults.iter().map(|fault| fault.key.as_str()).collect();
        assert_eq!(order, ["endpoints.a", "endpoints.a.sql", "endpoints.\"b c\"", "endpoints.a.timeout"]);
    }
}
