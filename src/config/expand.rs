//! `${NAME}`, `${NAME:-default}` and `${file:/path}` in strings, after parsing.
//!
//! What they bring in is data: it is not looked at again, so a variable cannot name another one.

use super::bounded;
use super::faults::Faults;
use super::keys::{Key, Kind, Secret};
use super::tree::{Node, Secrecy, Value, join};
use super::variables::Environment;

/// The longest file that `${file:…}` reads.
const SECRET_FILE_BYTES_MAX: u64 = 64 * 1024;

/// Expands every string below `node`, which stands at `key`, save those of keys named `sql`. What came in so is a secret,
/// and so is `database.password`.
pub(super) fn expand(node: &mut Node, key: &str, environment: &Environment<'_>, faults: &Faults) {
    if key == "database.password" && !matches!(&node.value, Value::Text(text) if text.is_empty()) {
        node.secrecy = Secrecy::Secret;
    }
    match &mut node.value {
        Value::Text(text) if text.contains("${") => {
            match expand_text(text, environment, &node.place.origin.folder) {
                Ok(Expanded { text: new, secrecy }) => {
                    *text = new;
                    node.secrecy = secrecy;
                    node.given = None;
                }
                Err(Wrong { message, remedy }) => {
                    faults.add(&node.place, key, message, remedy);
                    node.is_void = true;
                }
            }
        }
        Value::List(items) => items.iter_mut().for_each(|item| expand(item, key, environment, faults)),
        Value::Table(entries) => {
            for entry in entries.iter_mut().filter(|entry| entry.name != "sql" || entry.node.is_table()) {
                expand(&mut entry.node, &join(key, &entry.name), environment, faults);
            }
        }
        _ => {}
    }
}

/// Refuses what came in through `${…}` at keys whose values others are told. Nothing of it is left, so that no later fault
/// can tell it either.
pub(super) fn refuse_told(table: &mut Node, key: &str, keys: &'static [Key], faults: &Faults) {
    let Value::Table(entries) = &mut table.value else { return };
    for entry in entries {
        let Some(known) = keys.iter().find(|known| known.name == entry.name) else { continue };
        let key = join(key, &entry.name);
        match (known.secret, known.kind) {
            (Secret::Refused(how), _) => refuse(&mut entry.node, &key, how, faults),
            (Secret::Kept, Kind::Section(keys)) => refuse_told(&mut entry.node, &key, keys, faults),
            (Secret::Kept, Kind::Named(keys)) => {
                let Value::Table(named) = &mut entry.node.value else { continue };
                for entry in named {
                    refuse_told(&mut entry.node, &join(&key, &entry.name), keys, faults);
                }
            }
            _ => {}
        }
    }
}

/// Refuses what came in through `${…}` anywhere below `node`, which stands at `key`.
pub(super) fn refuse(node: &mut Node, key: &str, how: &str, faults: &Faults) {
    match &mut node.value {
        Value::List(items) => items.iter_mut().for_each(|item| refuse(item, key, how, faults)),
        Value::Table(entries) => {
            for entry in entries {
                refuse(&mut entry.node, &join(key, &entry.name), how, faults);
            }
        }
        value if node.secrecy == Secrecy::Secret => {
            let remedy = "write the value itself; --set and RINGMILL_… set it too, and keep nothing secret";
            faults.add(&node.place, key, format!("`${{…}}` may not stand here: {how}"), remedy);
            *value = Value::Text(String::new());
            node.is_void = true;
        }
        _ => {}
    }
}

struct Expanded {
    text: String,
    secrecy: Secrecy,
}

struct Wrong {
    message: String,
    remedy: String,
}

fn wrong<T>(message: String, remedy: impl Into<String>) -> Result<T, Wrong> {
    Err(Wrong { message, remedy: remedy.into() })
}

fn expand_text(
    text: &str,
    environment: &Environment<'_>,
    folder: &std::path::Path,
) -> Result<Expanded, Wrong> {
    let mut out = String::new();
    let mut secrecy = Secrecy::Plain;
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        if rest[..at].ends_with('$') {
            out.push_str(&rest[..at - 1]);
            out.push_str("${");
            rest = &rest[at + 2..];
            continue;
        }
        out.push_str(&rest[..at]);
        let Some(length) = rest[at + 2..].find('}') else {
            return wrong("a `${` has no `}`".into(), "write ${NAME}; a plain `${` is `$${`");
        };
        let inside = &rest[at + 2..at + 2 + length];
        out.push_str(&look_up(inside, environment, folder)?);
        secrecy = Secrecy::Secret;
        rest = &rest[at + 3 + length..];
    }
    out.push_str(rest);
    Ok(Expanded { text: out, secrecy })
}

fn look_up(inside: &str, environment: &Environment<'_>, folder: &std::path::Path) -> Result<String, Wrong> {
    if let Some(path) = inside.strip_prefix("file:") {
        let path = folder.join(path);
        return read_secret(&path).or_else(|error| {
            let remedy = bounded::remedy(&error).unwrap_or("make the file, and let this user read it");
            wrong(format!("${{{inside}}} cannot be read: {error}"), remedy)
        });
    }
    let (name, default) = match inside.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inside, None),
    };
    let proper = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && name.bytes().next().is_some_and(|b| !b.is_ascii_digit());
    if !proper {
        return wrong(
            format!("${{{inside}}} names no variable"),
            "write ${NAME}, ${NAME:-default} or ${file:/path}; a plain `${` is `$${`",
        );
    }
    let found = environment.look_up(name);
    // As in a shell, `:-` counts an empty variable as a missing one.
    match (found, default) {
        (Some(""), Some(default)) => Ok(default.into()),
        (Some(value), _) => Ok(value.into()),
        (None, Some(default)) => Ok(default.into()),
        (None, None) => wrong(
            format!("the environment has no {name}"),
            format!("set {name}, or write a default: ${{{name}:-…}}"),
        ),
    }
}

/// The file's text without one line break at its end, which editors and `echo` add.
fn read_secret(path: &std::path::Path) -> std::io::Result<String> {
    let mut text = bounded::read(path, SECRET_FILE_BYTES_MAX).map_err(|unread| unread.error)?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<(&str, Secrecy), &str>) {
        let environment: Vec<(String, String)> =
            [("A", "1"), ("EMPTY", ""), ("NESTED", "${A}")].map(|(k, v)| (k.into(), v.into())).to_vec();
        let got = expand_text(text, &Environment::of(&environment), std::path::Path::new("/nowhere"));
        match (got, expected) {
            (Ok(got), Ok((text, secrecy))) => assert_eq!((got.text.as_str(), got.secrecy), (text, secrecy)),
            (Err(got), Err(message)) => assert_eq!(got.message, message),
            (got, _) => panic!("{text}: {:?}", got.map(|g| g.text).map_err(|w| w.message)),
        }
    }

    #[test]
    fn forms() {
        use Secrecy::{Plain, Secret};
        check("${A}", Ok(("1", Secret)));
        check("x${A}y${A}z", Ok(("x1y1z", Secret)));
        check("$${A} $A $$", Ok(("${A} $A $$", Plain)));
        check("$${${A}", Ok(("${1", Secret)));
        check("${EMPTY}", Ok(("", Secret)));
        check("${EMPTY:-d}", Ok(("d", Secret)));
        check("${MISSING:-}", Ok(("", Secret)));
        check("${MISSING:-a:-b}", Ok(("a:-b", Secret)));
        check("${NESTED}", Ok(("${A}", Secret)));
        check("ü${A}ü", Ok(("ü1ü", Secret)));
        check("${MISSING}", Err("the environment has no MISSING"));
        check("${A", Err("a `${` has no `}`"));
        check("${}", Err("${} names no variable"));
        check("${1A}", Err("${1A} names no variable"));
    }
}
