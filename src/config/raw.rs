//! Reading and layering: the file and what it includes, then `RINGMILL_…` of the environment, then the flags.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use toml::de::{DeTable, DeValue};

use super::bounded::{self, TEXT_BYTES_MAX, Unread};
use super::expand::{expand, refuse, refuse_told};
use super::faults::{Faults, did_you_mean};
use super::plan::Source;
use super::tree::{Copier, Entry, Node, Origin, Place, Stem, Value, join};
use super::variables::{self, Environment};
use super::{BUILTIN, FORMAT, Inputs, glob, keys};

/// The file that is looked for in the working directory.
pub(super) const FILE_NAME: &str = "ringmill.toml";
/// Faults of syntax that are shown of one file: one wrong quote may make many.
const SYNTAX_FAULTS_MAX: usize = 10;
/// What included files may hold.
const INCLUDABLE: [&str; 3] = ["rate_limits", "tables", "endpoints"];

/// Ranks of origins, for the order of faults; included files count on from the last one.
const RANK_FILE: usize = 0;
pub(super) const RANK_SQL_FILES: usize = usize::MAX - 2;
const RANK_ENVIRONMENT: usize = usize::MAX - 1;
const RANK_SETS: usize = usize::MAX;

/// The layers laid over one another, expanded, with the defaults of all keys that have one.
pub(super) struct Raw {
    pub(super) root: Node,
    pub(super) source: Source,
}

/// `None`: with faults of syntax or of another format, looking further would only make noise.
pub(super) fn read(inputs: &Inputs<'_>, faults: &Faults) -> Option<Raw> {
    let (source, origin, path, text) = choose(inputs, faults)?;
    let mut root = parse(&origin, &text, faults)?;
    refuse_other_formats(&root, faults)?;
    let environment = Environment::of(&inputs.environment);
    expand(&mut root, "", &environment, faults);

    let layers = overlays(inputs, &environment, &root, faults);
    let include = layers.iter().rev().find(|layer| layer.path == ["include"]).map(|layer| &layer.node);
    if let Some(mut include) = include.or(root.get("include")).cloned() {
        refuse(&mut include, "include", keys::IN_FAULTS, faults);
        add_included(&mut root, &include, path.as_deref(), &environment, faults)?;
    }
    for layer in layers {
        lay_over(&mut root, layer, faults);
    }
    environment.tell_unknown(&outside(inputs, "environment", RANK_ENVIRONMENT), &root, faults);
    refuse_fragments(&mut root, faults);
    refuse_told(&mut root, "", keys::ROOT, faults);
    add_defaults(&mut root, keys::ROOT);
    Some(Raw { root, source })
}

/// Which file, and its text.
fn choose(inputs: &Inputs<'_>, faults: &Faults) -> Option<(Source, Rc<Origin>, Option<PathBuf>, String)> {
    let found = || inputs.working_directory.join(FILE_NAME).exists().then(|| PathBuf::from(FILE_NAME));
    let Some(named) = inputs.config.clone().or_else(found) else {
        let origin = Origin {
            name: "built-in file".into(),
            folder: inputs.working_directory.to_path_buf(),
            rank: RANK_FILE,
        };
        return Some((Source::BuiltIn, Rc::new(origin), None, BUILTIN.into()));
    };
    let path = inputs.working_directory.join(&named);
    let folder = path.parent().unwrap_or(inputs.working_directory).to_path_buf();
    let origin = Rc::new(Origin { name: named.display().to_string(), folder, rank: RANK_FILE });
    match bounded::read(&path, TEXT_BYTES_MAX) {
        Ok(text) => Some((Source::File(named), origin, Some(path), text)),
        Err(Unread { error, line }) => {
            if error.kind() == std::io::ErrorKind::IsADirectory {
                faults.add_whole(&origin, "is a folder", "name the file in it");
                return None;
            }
            let remedy = bounded::remedy(&error).unwrap_or(match error.kind() {
                std::io::ErrorKind::NotFound => "name a file that exists; `ringmill init` writes one",
                std::io::ErrorKind::FileTooLarge => "divide it: `include` names further files",
                _ => "let this user read it",
            });
            faults.add(&Place { origin, line }, "", format!("cannot be read: {error}"), remedy);
            None
        }
    }
}

fn parse(origin: &Rc<Origin>, text: &str, faults: &Faults) -> Option<Node> {
    let copier = Copier::of_file(origin.clone(), text);
    if let Some(at) = text.find('\0') {
        let remedy = "remove it; a file that is full of them is UTF-16: save it as UTF-8";
        faults.add(&copier.place(at), "", "no TOML: holds a NUL byte (U+0000)", remedy);
        return None;
    }
    let (table, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return Some(Node::new(copier.table(table.get_ref()), copier.place(0)));
    }
    for error in errors.iter().take(SYNTAX_FAULTS_MAX) {
        let place = copier.place(error.span().map_or(0, |span| span.start));
        let message = error.message().replace(", expected nothing", "");
        faults.add(&place, "", format!("no TOML: {message}"), "mend the syntax, then check again");
    }
    None
}

fn refuse_other_formats(root: &Node, faults: &Faults) -> Option<()> {
    match root.get("format") {
        Some(node) if !matches!(&node.value, Value::Integer(text) if *text == FORMAT.to_string()) => {
            faults.add(
                &node.place,
                "format",
                format!("{} is no format that this version reads", node.quoted()),
                format!("write format = {FORMAT}, or use the version of ringmill that the file is for"),
            );
            None
        }
        _ => Some(()),
    }
}

/// One key that the environment or a flag sets.
struct Layer {
    path: Vec<String>,
    node: Node,
}

/// Relative paths of the shell start where the shell is.
fn outside(inputs: &Inputs<'_>, name: &str, rank: usize) -> Rc<Origin> {
    Rc::new(Origin { name: name.into(), folder: inputs.working_directory.to_path_buf(), rank })
}

fn overlays(inputs: &Inputs<'_>, variables: &Environment<'_>, root: &Node, faults: &Faults) -> Vec<Layer> {
    let environment = outside(inputs, "environment", RANK_ENVIRONMENT);
    let sets = outside(inputs, "--set", RANK_SETS);
    let mut layers = Vec::new();
    for (name, value) in variables.variables {
        let Some(path) = variable_path(name, root) else { continue };
        if path.iter().any(String::is_empty) {
            let place = Place { origin: environment.clone(), line: None };
            faults.add(
                &place,
                name,
                "is no key",
                "write the key in capitals with `__` for the dot: RINGMILL_SERVER__LISTEN",
            );
            continue;
        }
        layers.push(Layer { node: overlay_value(&environment, value), path });
    }
    for (key, value) in &inputs.sets {
        match key_path(key) {
            Some(path) => layers.push(Layer { node: overlay_value(&sets, value), path }),
            None => {
                let place = Place { origin: sets.clone(), line: None };
                faults.add(&place, "", format!("{key:?} is no key"), "write it as in tables.users.cache.ttl");
            }
        }
    }
    for flag in &inputs.flags {
        let origin = outside(inputs, flag.name, RANK_SETS);
        let path = flag.key.split('.').map(str::to_owned).collect();
        layers.push(Layer { node: overlay_value(&origin, &flag.value), path });
    }
    for layer in &mut layers {
        let key = layer.path.iter().fold(String::new(), |key, name| join(&key, name));
        if layer.path.last().is_none_or(|name| name != "sql") {
            expand(&mut layer.node, &key, variables, faults);
        }
    }
    layers
}

/// `RINGMILL_SERVER__LISTEN` → `server.listen`. A name without `__` counts only if it is a key: container platforms
/// make up others, such as `RINGMILL_PORT`.
fn variable_path(name: &str, root: &Node) -> Option<Vec<String>> {
    let name = name.strip_prefix(variables::PREFIX)?;
    if !name.contains("__") {
        let lower = name.to_ascii_lowercase();
        return ["format", "include"].contains(&lower.as_str()).then(|| vec![lower]);
    }
    let mut at = Some(root);
    let mut path = Vec::new();
    for part in name.split("__") {
        let known = at.and_then(|node| node.entries().iter().find(|e| e.name.eq_ignore_ascii_case(part)));
        at = known.map(|entry| &entry.node);
        path.push(known.map_or_else(|| part.to_ascii_lowercase(), |entry| entry.name.clone()));
    }
    Some(path)
}

/// A dotted key as TOML writes it, quoted parts included.
fn key_path(key: &str) -> Option<Vec<String>> {
    if key.contains(['\n', '\r', '#', '=']) || key.trim_start().starts_with('[') {
        return None;
    }
    let text = format!("{key} = 0");
    let table = DeTable::parse(&text).ok()?;
    let (mut table, mut path) = (table.get_ref(), Vec::new());
    loop {
        let (name, value) = table.iter().next()?;
        path.push(name.get_ref().to_string());
        match value.get_ref() {
            DeValue::Table(inner) => table = inner,
            _ => return Some(path),
        }
    }
}

fn overlay_value(origin: &Rc<Origin>, text: &str) -> Node {
    let copier = Copier::of_value(origin.clone());
    match DeValue::parse(text) {
        Ok(value) => {
            let mut node = copier.node(value.get_ref(), 0);
            node.given = Some(text.into());
            node
        }
        Err(_) => Node::new(Value::Text(text.into()), copier.place(0)),
    }
}

/// Sets one key. Short forms on the way become the tables that they are short for.
fn lay_over(root: &mut Node, layer: Layer, faults: &Faults) {
    let Some((last, parents)) = layer.path.split_last() else { return };
    let (mut at, mut key) = (root, String::new());
    for name in parents {
        key = join(&key, name);
        let inside = {
            let place = layer.node.place.clone();
            child(at, name, || Node::empty_table(place))
        };
        match &inside.value {
            Value::Table(_) => {}
            // `cache = true`
            Value::Boolean(_) => inside.value = Value::Table(Vec::new()),
            // `id = "bigint"`
            Value::Text(_) if is_short_column(&key) => {
                let short = std::mem::replace(&mut inside.value, Value::Table(Vec::new()));
                let node = Node { value: short, ..inside.clone() };
                *child(inside, "type", || node.clone()) = node.clone();
            }
            _ => {
                faults.add(
                    &layer.node.place,
                    layer.path.iter().fold(String::new(), |key, name| join(&key, name)),
                    format!("`{key}` is {} and has no keys", inside.quoted()),
                    format!("set `{key}` as a whole"),
                );
                return;
            }
        }
        at = inside;
    }
    let node = layer.node;
    *child(at, last, || node.clone()) = node.clone();
}

/// Of tables, limits and endpoints that only flags and variables name, what each must say; without it a name is misspelt.
const ESSENTIALS: [(&str, &str, &str); 3] = [
    ("tables", "columns", "table"),
    ("rate_limits", "rate", "rate limit"),
    ("endpoints", "path", "endpoint"),
];

/// Takes out what flags and variables set of a table, column, limit or endpoint that the file does not have.
fn refuse_fragments(root: &mut Node, faults: &Faults) {
    for (section, essential, what) in ESSENTIALS {
        let Some(node) = get_mut(root, section) else { continue };
        refuse_fragments_in(node, section, essential, what, faults);
        if section == "tables"
            && let Value::Table(tables) = &mut node.value
        {
            for table in tables {
                let key = join(&join(section, &table.name), "columns");
                if let Some(columns) = get_mut(&mut table.node, "columns") {
                    refuse_fragments_in(columns, &key, "type", "column", faults);
                }
            }
        }
    }
}

fn refuse_fragments_in(node: &mut Node, key: &str, essential: &str, what: &str, faults: &Faults) {
    let Value::Table(entries) = &mut node.value else { return };
    let is_fragment = |entry: &Entry| {
        entry.place.origin.rank >= RANK_ENVIRONMENT
            && entry.node.is_table()
            && entry.node.get(essential).is_none()
    };
    let (fragments, known): (Vec<_>, Vec<_>) = std::mem::take(entries).into_iter().partition(is_fragment);
    for fragment in fragments {
        let names = known.iter().map(|entry| entry.name.as_str());
        let remedy = did_you_mean(&fragment.name, names, what);
        faults.add(
            &fragment.place,
            join(key, &fragment.name),
            format!("is no {what} of the file, and has no `{essential}` to be a new one"),
            remedy,
        );
    }
    *entries = known;
}

fn get_mut<'a>(node: &'a mut Node, name: &str) -> Option<&'a mut Node> {
    let Value::Table(entries) = &mut node.value else { return None };
    entries.iter_mut().find(|entry| entry.name == name).map(|entry| &mut entry.node)
}

fn is_short_column(key: &str) -> bool {
    let mut parts = key.split('.');
    parts.next() == Some("tables") && parts.nth(1) == Some("columns")
}

/// The value of `name` in a table, made if it is not there.
fn child<'a>(table: &'a mut Node, name: &str, make: impl FnOnce() -> Node) -> &'a mut Node {
    let Value::Table(entries) = &mut table.value else { unreachable!("callers look first") };
    let index = entries.iter().position(|entry| entry.name == name).unwrap_or_else(|| {
        let node = make();
        entries.push(Entry { name: name.into(), place: node.place.clone(), node });
        entries.len() - 1
    });
    &mut entries[index].node
}

fn add_included(
    root: &mut Node,
    include: &Node,
    main: Option<&Path>,
    environment: &Environment<'_>,
    faults: &Faults,
) -> Option<()> {
    let Value::List(patterns) = &include.value else {
        let message = format!("{} is no list", include.quoted());
        faults.add(&include.place, "include", message, "write include = [\"api/*.toml\"]");
        return Some(());
    };
    let mut files: Vec<PathBuf> = Vec::new();
    let mut missing = false;
    for pattern in patterns {
        if pattern.is_void {
            missing = true;
            continue;
        }
        let folder = &include.place.origin.folder;
        match &pattern.value {
            Value::Text(text) => match glob::find(folder, text) {
                Ok(found) if found.is_empty() => {
                    note_unmatched(pattern, &glob::folder_of(folder, text), faults);
                }
                Ok(found) => files.extend(found),
                Err(message) => {
                    faults.add(
                        &pattern.place,
                        "include",
                        format!("{} {message}", pattern.quoted()),
                        "name files that exist, `*` and `?` stand for parts of names: api/*.toml",
                    );
                }
            },
            _ => faults.add(
                &pattern.place,
                "include",
                format!("{} is no text", pattern.quoted()),
                "write include = [\"api/*.toml\"]",
            ),
        }
    }
    let mut seen: Vec<PathBuf> = main.and_then(|path| path.canonicalize().ok()).into_iter().collect();
    for file in files {
        let canonical = file.canonicalize().unwrap_or_else(|_| file.clone());
        if seen.contains(&canonical) {
            continue;
        }
        seen.push(canonical);
        let folder = file.parent().map(Path::to_path_buf).unwrap_or_default();
        let shown = file.strip_prefix(&include.place.origin.folder).unwrap_or(&file);
        let origin =
            Rc::new(Origin { name: shown.display().to_string(), folder, rank: RANK_FILE + seen.len() });
        match bounded::read(&file, TEXT_BYTES_MAX) {
            Ok(text) => {
                let Some(mut part) = parse(&origin, &text, faults) else {
                    missing = true;
                    continue;
                };
                expand(&mut part, "", environment, faults);
                merge(root, part, faults);
            }
            Err(Unread { error, line }) => {
                missing = true;
                let remedy = bounded::remedy(&error).unwrap_or(match error.kind() {
                    std::io::ErrorKind::FileTooLarge => "divide it",
                    _ => "let this user read it",
                });
                faults.add(&Place { origin, line }, "", format!("cannot be read: {error}"), remedy);
            }
        }
    }
    // What an unreadable file declares would be missed everywhere else.
    (!missing).then_some(())
}

/// A pattern of files that come later is no fault.
fn note_unmatched(pattern: &Node, folder: &Path, faults: &Faults) {
    let (pattern_text, shown) = (pattern.quoted(), folder.display());
    let message = if folder.is_dir() {
        format!("{pattern_text} matches no file in {shown}")
    } else {
        format!("{pattern_text} matches no file: there is no folder {shown}")
    };
    faults.note(&pattern.place, "include", message, "mend the pattern, or remove it");
}

fn merge(root: &mut Node, part: Node, faults: &Faults) {
    let Value::Table(sections) = part.value else { return };
    for section in sections {
        if !INCLUDABLE.contains(&section.name.as_str()) {
            let remedy =
                "an included file holds [rate_limits], [tables] and [endpoints]; move it to the main file";
            faults.add(&section.place, &section.name, "may not stand in an included file", remedy);
            continue;
        }
        let Value::Table(entries) = section.node.value else {
            let message = format!("{} is no table", section.node.quoted());
            faults.add(&section.place, &section.name, message, format!("write [{}.NAME]", section.name));
            continue;
        };
        let target = child(root, &section.name, || Node::empty_table(section.place.clone()));
        let Value::Table(known) = &mut target.value else { continue };
        for entry in entries {
            match known.iter().find(|other| other.name == entry.name) {
                Some(other) => faults.add(
                    &entry.place,
                    join(&section.name, &entry.name),
                    format!("is declared twice, here and in {}", other.place),
                    "rename or remove one of them",
                ),
                None => known.push(entry),
            }
        }
    }
}

/// Gives each key that is not set the default that its table of keys names, at the place of the table around it.
fn add_defaults(node: &mut Node, keys: &'static [keys::Key]) {
    if !node.is_table() {
        return;
    }
    let place = node.place.clone();
    for key in keys {
        match (key.kind, key.default) {
            (keys::Kind::Section(inner), _) => {
                add_defaults(child(node, key.name, || default(Value::Table(Vec::new()), &place)), inner);
            }
            (keys::Kind::Named(inner), _) => {
                let names = child(node, key.name, || default(Value::Table(Vec::new()), &place));
                let Value::Table(entries) = &mut names.value else { continue };
                for entry in entries {
                    add_defaults(&mut entry.node, inner);
                }
            }
            (_, keys::Absent::Is(text)) if node.get(key.name).is_none() => {
                let value = overlay_value(&place.origin, text).value;
                child(node, key.name, || default(value, &place));
            }
            _ => {}
        }
    }
}

fn default(value: Value, place: &Place) -> Node {
    Node { stem: Stem::Default, ..Node::new(value, place.clone()) }
}
