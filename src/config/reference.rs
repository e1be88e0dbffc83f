//! The reference of the file, `docs/CONFIGURATION.md`: made from the tables that the file is read by, so that the two never
//! differ. What no table knows (how layers meet, what types are) stands here as text.

use std::fmt::Write;

use super::keys::{self, Absent, Key, Kind, Secret};
use super::plan::Type;
use super::rules::TYPES;
use super::values::{show_duration, show_size};

/// The whole page, Markdown.
pub fn reference() -> String {
    let mut page = Page { text: INTRODUCTION.into(), sections: Vec::new() };
    page.add_section("", "", keys::ROOT);
    let Page { mut text, .. } = page;
    add_types(&mut text);
    text.push_str(PLACES);
    text.push_str(SECRETS);
    text.push_str(&told("", keys::ROOT).join(", "));
    text.push_str(".\n");
    text.push_str(LATER);
    text.push_str(&reserved("", keys::ROOT).join(", "));
    text.push_str(NO_EFFECT);
    text
}

/// The keys that are kept for later.
fn reserved(path: &str, keys: &'static [Key]) -> Vec<String> {
    let mut names = Vec::new();
    for key in keys {
        match key.kind {
            Kind::Reserved => names.push(format!("`{}`", inside(path, key))),
            Kind::Section(keys) | Kind::Named(keys) => names.extend(reserved(&inside(path, key), keys)),
            _ => {}
        }
    }
    names
}

/// The keys whose values others are told.
fn told(path: &str, keys: &'static [Key]) -> Vec<String> {
    let mut names = Vec::new();
    for key in keys {
        match (key.secret, key.kind) {
            (Secret::Refused(_), _) => names.push(format!("`{}`", inside(path, key))),
            (Secret::Kept, Kind::Section(keys) | Kind::Named(keys)) => {
                names.extend(told(&inside(path, key), keys));
            }
            _ => {}
        }
    }
    names
}

const INTRODUCTION: &str = "\
# The file

Every key of `ringmill.toml`. This page is made from the tables that the file is read by: change those in
`src/config/keys.rs`, then run `RINGMILL_WRITE_DOCS=1 cargo test --lib reference`. Whole files to start from, each of
them tested, are in [examples](examples/README.md); what is served is described in [CONTRACT.md](CONTRACT.md).

## How it is read

The file is TOML. `ringmill serve --config FILE` names it; without the flag it is `./ringmill.toml`, and if there is none
the built-in file, which `ringmill init` writes. An unknown key is a fault, told with the nearest known one; all faults are
told at once, each with its file, line and remedy.

- **Values.** A duration is a number with a unit, `250ms`, `5s`, `1m`, `1h`, `1d`; a size `64KiB`, `1MiB`, `1GiB` or a number
  of bytes; a rate `10/s`, `100/min`, `1000/h`, `5000/d`. Relative paths start at the folder of the file that they stand in,
  those of flags and variables at the working directory.
- **From outside** the later wins: the file, then the environment, then `--set`, then flags of their own such as `--listen`.
  A variable is `RINGMILL_` and the key in capitals with `__` for the dot: `RINGMILL_SERVER__LISTEN=0.0.0.0:5000`,
  `RINGMILL_TABLES__USERS__PAGE__MAX=50`. A flag is `--set tables.users.page.max=50`, as often as need be. The value of
  either is TOML, and what does not parse as TOML is a string. A variable that is a key but for a `_` in the place of `__` is a
  fault (`RINGMILL_SERVER_LISTEN`), one that is nearly a key, or the end of one (`RINGMILL_LISTEN`), a note of `check` and a warning of the
  log; others set nothing, since container platforms make up variables too (`RINGMILL_PORT`). What the file names with `${…}` is its own.
- **`\"${…}\"`** in any string but `sql`, after parsing: `\"${NAME}\"` is a variable of the environment, `\"${NAME:-default}\"`
  one that may be missing, `\"${file:/run/secrets/name}\"` the text of a file without the line end behind it; `\"$${\"` is a
  plain `${`. What comes in that way is a secret: neither faults nor the log nor `check` nor the admin listener's `/config` show
  it, but for what the first lines of a start tell: addresses, how many shards and connections, the database's file. Where others
  would be told it, it is a fault: see Secrets below.
- **`include`** names more files, with `*` for any part of a name: `include = [\"api/*.toml\"]`. They may hold
  `[rate_limits]`, `[tables]` and `[endpoints]`; a name that is declared twice is a fault, and a pattern that matches no file a note of
  `check`.
- **`sql_file`** names a file that holds an endpoint's statement; what is wrong with it is told with that file and the line there.

A key that *must be given* has no default. Bounds are inclusive.
";

const PLACES: &str = "
## Replies

A reply is any JSON, written as TOML, with strings that stand for something:

| place | is | where |
|---|---|---|
| `\"@row\"` | the row | `get`, `create`, `update`; endpoints with `shape = \"row\"` |
| `\"@row.COLUMN\"` | one cell of it | the same |
| `\"@rows\"` | the rows, a list | `list`; endpoints with `shape = \"rows\"` |
| `\"@count\"` | how many rows the answer has | the same |
| `\"@total\"` | how many rows the table has | `list`, unless `page.total = \"none\"` |
| `\"@page\"`, `\"@per_page\"` | which page it is | `list` |
| `\"@errors\"` | the faults by field | `missing`, `invalid`, `conflict` |
| `\"@params.NAME\"` | a parameter, as the statement got it | endpoints |

A string that begins with `@` and is no place is written with two: `\"@@home\"`.
";

const SECRETS: &str = "
## Secrets

`${…}` is a fault in keys whose values become part of the database's schema, name routes, or are shown by `check`; from
outside `--set` and `RINGMILL_…` set them too, and keep nothing secret. Of replies and `json` clients are told what comes in,
but never as a place such as `\"@row\"`. The keys are ";

const LATER: &str = "
## Not in this version

Kept for later and refused until then: entries of `database.replicas` and of a table's `filter`,
`page.total = \"estimated\"`, values of `access` other than `\"public\"`, a Postgres `database.url`, and the keys ";

/// Behind the reserved keys.
const NO_EFFECT: &str = ".

`rate_limit` is read and checked and has no effect yet; `serve` says so.
";

struct Page {
    text: String,
    /// Tables of keys that are on the page, and under which heading.
    sections: Vec<(&'static [Key], String)>,
}

impl Page {
    /// The keys of a section, then the sections inside it.
    fn add_section(&mut self, path: &str, about: &str, keys: &'static [Key]) {
        let title = if path.is_empty() { "Top level".to_owned() } else { format!("`[{path}]`") };
        write!(self.text, "\n## {title}\n\n").expect("into a string");
        if !about.is_empty() {
            writeln!(self.text, "{}.\n", capital(about)).expect("into a string");
        }
        self.text.push_str("| key | takes | default | about |\n|---|---|---|---|\n");
        self.sections.push((keys, path.to_owned()));
        let shown = keys.iter().filter(|key| !matches!(key.kind, Kind::Reserved));
        for key in shown.clone() {
            let (takes, default) = (takes(key.kind, &inside(path, key)), default(key.default));
            writeln!(self.text, "| `{}` | {takes} | {default} | {} |", key.name, cell(key.about))
                .expect("into a string");
        }
        for key in shown {
            if let Kind::Section(keys) | Kind::Named(keys) | Kind::OtherOrSection(_, keys) = key.kind {
                let inside = inside(path, key);
                let known = self.sections.iter().find(|(known, _)| std::ptr::eq(*known, keys));
                if let Some((_, known)) = known {
                    write!(self.text, "\n## `[{inside}]`\n\nThe keys of [`{known}`](#{}).\n", anchor(known))
                        .expect("into a string");
                } else {
                    self.add_section(&inside, key.about, keys);
                }
            }
        }
    }
}

/// What a section inside another is called.
fn inside(path: &str, key: &Key) -> String {
    let path = if path.is_empty() { key.name.to_owned() } else { format!("{path}.{}", key.name) };
    let is_named = matches!(key.kind, Kind::Named(_)) || key.name == "params";
    if is_named { format!("{path}.NAME") } else { path }
}

fn takes(kind: Kind, inside: &str) -> String {
    let section = || format!("[`[{inside}]`](#{})", anchor(inside));
    match kind {
        Kind::Duration(least, most) => {
            format!("duration, {} to {}", show_duration(least), show_duration(most))
        }
        Kind::DurationOrOff(least, most) => {
            format!("duration, {} to {}, or `\"\"`", show_duration(least), show_duration(most))
        }
        Kind::Size(least, most) => format!("size, {} to {}", show_size(least), show_size(most)),
        Kind::Integer(least, most) if least == most => format!("`{least}`"),
        Kind::Integer(least, i64::MAX) => format!("whole number from {least}"),
        Kind::Integer(least, most) => format!("whole number, {least} to {most}"),
        Kind::Boolean => "`true` or `false`".into(),
        Kind::Text => "string".into(),
        Kind::Choice(names) => {
            let names: Vec<_> = names.iter().map(|name| format!("`\"{name}\"`")).collect();
            names.join(", ")
        }
        Kind::Texts => "list of strings".into(),
        Kind::TextOrTexts => "string or list of strings".into(),
        Kind::Other(text) => cell(text),
        Kind::OtherOrSection(text, _) => format!("{}: {}", cell(text), section()),
        Kind::Section(_) => format!("table, {}", section()),
        Kind::Named(_) => format!("tables by name, {}", section()),
        Kind::Reserved => String::new(),
    }
}

fn default(absent: Absent) -> String {
    match absent {
        Absent::Is(text) if toml::de::DeValue::parse(text).is_ok() => format!("`{text}`"),
        Absent::Is(text) => format!("`\"{text}\"`"),
        Absent::Described(text) => cell(text),
    }
}

/// Text in a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// Of a heading, as the usual renderers make it.
fn anchor(path: &str) -> String {
    let kept = path.chars().filter(|letter| letter.is_alphanumeric() || "_-".contains(*letter));
    kept.collect::<String>().to_lowercase()
}

const NUMERICS: &str = "
A `numeric` is text to SQLite, columns and parameters alike: in SQL of your own, `10` is less than `9.5`. Write `ORDER BY CAST(price AS REAL)` and
`CAST(price AS REAL) < CAST($price AS REAL)`, or to the last digit, in endpoints alone, `ORDER BY price COLLATE decimal` and `price < $price COLLATE decimal`.
";

fn add_types(text: &mut String) {
    text.push_str("\n## Types\n\n| type | JSON | stored by SQLite as |\n|---|---|---|\n");
    for (name, kind) in TYPES {
        writeln!(text, "| `{name}` | {} | {} |", json(kind), storage(kind)).expect("into a string");
    }
    text.push_str(NUMERICS);
}

fn json(kind: Type) -> &'static str {
    match kind {
        Type::SmallInt => "whole number of 16 bits",
        Type::Integer => "whole number of 32 bits",
        Type::BigInt => "whole number of 64 bits",
        Type::Real => "number of 32 bits; `\"NaN\"` and the like out only",
        Type::Double => "number of 64 bits; `\"NaN\"` and the like out only",
        Type::Numeric => "number, all its digits kept",
        Type::Text => "string without U+0000; lengths count characters",
        Type::Boolean => "`true`, `false`",
        Type::Timestamp => "`\"2026-11-24T02:00:00.123456Z\"`; any offset in, UTC out",
        Type::Date => "`\"2026-11-24\"`",
        Type::Uuid => "`\"01234567-89ab-cdef-0123-456789abcdef\"`, lower case out",
        Type::Json => "any value",
        Type::Bytes => "string of base64 with padding",
    }
}

pub(super) fn storage(kind: Type) -> &'static str {
    match kind {
        Type::SmallInt | Type::Integer | Type::BigInt | Type::Boolean => "INTEGER",
        Type::Real | Type::Double => "REAL",
        Type::Numeric | Type::Text | Type::Timestamp | Type::Date | Type::Uuid | Type::Json => "TEXT",
        Type::Bytes => "BLOB",
    }
}
