//! `[endpoints]`: SQL, constants and echoes.

use std::rc::Rc;

use super::bounded::{self, Unread};
use super::columns::locate;
use super::faults::{did_you_mean, nearest};
use super::keys;
use super::limits;
use super::paths::{self, Path};
use super::plan::{
    CacheDefaults, Endpoint, EndpointKind, Parameter, RateLimit, Shape, SqlEndpoint, SqlFile, Table, Type,
};
use super::raw::RANK_SQL_FILES;
use super::rules::{self, Needed};
use super::section::{At, Section};
use super::services::cache_rule;
use super::sql;
use super::tables::{direction, refuse_other_access};
use super::templates::{self, Scope};
use super::tree::{Origin, Place, Value};
use super::values;

/// What makes an endpoint; each has exactly one.
const KINDS: [&str; 4] = ["sql", "sql_file", "json", "echo"];
/// Keys that only SQL endpoints have.
const SQL_ONLY: [&str; 10] =
    ["params", "shape", "status", "reply", "reads", "writes", "columns", "read", "timeout", "order"];
/// Methods that an endpoint may have.
const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];
const SQL_FILE_BYTES_MAX: u64 = 1 << 20;

/// One endpoint for each entry, also for those with faults.
pub(super) fn plan(
    root: &Section<'_>,
    rate_limits: &[RateLimit],
    tables: &[Table],
    cache: &CacheDefaults,
) -> Vec<Endpoint> {
    let endpoints = root.named("endpoints").into_iter();
    endpoints.map(|(entry, at)| endpoint(&entry.name, &at, rate_limits, tables, cache)).collect()
}

fn endpoint(
    name: &str,
    at: &At<'_>,
    rate_limits: &[RateLimit],
    tables: &[Table],
    cache: &CacheDefaults,
) -> Endpoint {
    if name.is_empty() || name.chars().any(char::is_control) {
        at.fault("is no name of an endpoint", "take letters, digits and `_`");
    }
    let section = at.section(keys::ENDPOINT);
    let path = section.needed("path", "write path = \"/api/…\"").and_then(|at| paths::path(&at));
    let path = path.unwrap_or(Path { text: String::new(), parameters: Vec::new() });
    let methods = methods(&section);
    if let Some(at) = section.get("access") {
        refuse_other_access(&at, "write access = \"public\"");
    }
    let kind = kind(&section, &path, tables);
    let cache = cache_rule(&section, cache);
    if let (Some(_), Some(at)) = (&cache, section.get("cache")) {
        refuse_useless_cache(&at, &methods, &kind);
    }
    Endpoint {
        name: name.into(),
        path: path.text,
        methods,
        kind,
        cache,
        rate_limit: section
            .get("rate_limit")
            .map(|at| limits::policies(&at, rate_limits))
            .unwrap_or_default(),
    }
}

fn refuse_useless_cache(at: &At<'_>, methods: &[String], kind: &EndpointKind) {
    match kind {
        _ if !methods.iter().any(|method| method == "GET") => {
            at.fault("only answers to GET are cached", "remove cache, or add \"GET\" to methods");
        }
        EndpointKind::Echo => at.fault("an echo is never cached", "remove cache"),
        EndpointKind::Sql(sql) if sql.writes.as_ref().is_some_and(|writes| !writes.is_empty()) => {
            at.fault("what writes is never cached", "remove cache or writes");
        }
        EndpointKind::Sql(_) | EndpointKind::Json(_) => {}
    }
}

fn methods(section: &Section<'_>) -> Vec<String> {
    const REMEDY: &str = "write methods = [\"GET\"], or others of POST, PUT, PATCH, DELETE";
    let mut methods: Vec<String> = Vec::new();
    for (at, text) in section.texts("methods") {
        let method = text.to_ascii_uppercase();
        match method.as_str() {
            "HEAD" | "OPTIONS" => at.wrong("is answered by itself", "remove it; HEAD comes with GET"),
            _ if !METHODS.contains(&method.as_str()) => at.wrong("is no method of an endpoint", REMEDY),
            _ if methods.contains(&method) => at.wrong("stands in the list twice", "remove one of them"),
            _ => methods.push(method),
        }
    }
    if let Some(at) = section.get("methods")
        && matches!(&at.node.value, Value::List(items) if items.is_empty())
    {
        at.fault("names no method", REMEDY);
    }
    methods
}

fn kind(section: &Section<'_>, path: &Path, tables: &[Table]) -> EndpointKind {
    let is_given = |name: &&str| {
        section.get(name).is_some_and(|at| !matches!(at.node.value, Value::Boolean(false)) || *name != "echo")
    };
    let given: Vec<&str> = KINDS.into_iter().filter(is_given).collect();
    let kind = match given.as_slice() {
        [kind] => *kind,
        [] => {
            if section.at.node.is_table() && !KINDS.iter().any(|name| section.is_misspelt(name)) {
                section.at.fault(
                    "has nothing to answer with",
                    "write sql = \"SELECT …\", sql_file = \"NAME.sql\", json = { … } or echo = true",
                );
            }
            return EndpointKind::Echo;
        }
        [first, ..] => {
            let message = format!("has {} at once", given.join(" and "));
            section.at.fault(message, "write one of sql, sql_file, json, echo");
            *first
        }
    };
    match (kind, section.get(kind)) {
        ("json", Some(at)) => {
            refuse_sql_keys(section, "a constant");
            EndpointKind::Json(at.node.to_json_text().unwrap_or_else(|| {
                at.fault("holds a number that JSON does not have", "write finite numbers");
                String::new()
            }))
        }
        ("echo", Some(at)) => {
            at.boolean();
            refuse_sql_keys(section, "an echo");
            EndpointKind::Echo
        }
        ("sql_file", Some(at)) => {
            let (statement, origin) = read_sql(&at).unzip();
            sql_endpoint(section, &at, (statement, origin), path, tables)
        }
        (_, Some(at)) => sql_endpoint(section, &at, (at.text().map(str::to_string), None), path, tables),
        (_, None) => EndpointKind::Echo,
    }
}

fn refuse_sql_keys(section: &Section<'_>, what: &str) {
    for name in SQL_ONLY {
        if let Some(at) = section.get(name) {
            at.fault(format!("{what} has no {name}"), "remove it; it is for sql");
        }
    }
}

/// A statement, and the file that it stands in.
fn read_sql(at: &At<'_>) -> Option<(String, Rc<Origin>)> {
    let (outer, written) = (&at.place().origin, at.text()?);
    let path = outer.folder.join(written);
    match bounded::read(&path, SQL_FILE_BYTES_MAX) {
        Ok(sql) => {
            let name = match std::path::Path::new(&outer.name).parent() {
                Some(beside) if at.place().line.is_some() => beside.join(written).display().to_string(),
                _ => written.to_owned(),
            };
            Some((sql, Rc::new(Origin { name, folder: outer.folder.clone(), rank: RANK_SQL_FILES })))
        }
        Err(Unread { error, .. }) => {
            let remedy = bounded::remedy(&error).unwrap_or(match error.kind() {
                std::io::ErrorKind::FileTooLarge => "name a file with one statement",
                _ => "make the file, and let this user read it",
            });
            at.wrong(&format!("cannot be read: {error}"), remedy);
            None
        }
    }
}

/// The statement is `None` if there is a fault about it already; with the file that it stands in.
fn sql_endpoint(
    section: &Section<'_>,
    at: &At<'_>,
    (statement, origin): (Option<String>, Option<Rc<Origin>>),
    path: &Path,
    tables: &[Table],
) -> EndpointKind {
    let parameters = parameters(section, path, tables);
    if let Some(sql) = &statement {
        check_statement(at, origin.as_ref(), sql, &parameters);
    }
    let sql = statement.unwrap_or_default();
    let file = origin.map(|origin| SqlFile { name: origin.name.clone(), line: sql::first_line(&sql) });
    let shape = match section.choice("shape") {
        "row" => Shape::Row,
        "value" => Shape::Value,
        _ => Shape::Rows,
    };
    section.choice("read");
    let order = section.texts("order");
    EndpointKind::Sql(SqlEndpoint {
        sql,
        file,
        shape,
        status: section.integer_if("status").and_then(|status| u16::try_from(status).ok()),
        reply: section.get("reply").and_then(|at| reply(&at, shape, &parameters)),
        reads: tags(section, "reads", Some(&parameters), tables),
        writes: tags(section, "writes", None, tables),
        columns: computed(section),
        timeout: section.duration_if("timeout"),
        order: order
            .into_iter()
            .map(|(at, text)| {
                direction(&at, text);
                text.to_string()
            })
            .collect(),
        parameters,
    })
}

fn check_statement(at: &At<'_>, origin: Option<&Rc<Origin>>, sql: &str, parameters: &[Parameter]) {
    // In a file of its own at the line there.
    let tell = |line: Option<usize>, message: String, remedy: String| match origin {
        Some(origin) => {
            let place = Place { origin: origin.clone(), line: line.or(Some(sql::first_line(sql))) };
            at.fault_at(&place, &at.key, message, remedy);
        }
        None => at.fault(message, remedy),
    };
    let found = match sql::parameters(sql) {
        Ok(found) => found,
        Err(unsound) => {
            let shown = if origin.is_some() { unsound.message.clone() } else { unsound.to_string() };
            tell(unsound.line, shown, unsound.remedy.into());
            return;
        }
    };
    let mut missing: Vec<&str> = Vec::new();
    for used in found {
        if !parameters.iter().any(|known| known.name == used.name) && !missing.contains(&used.name) {
            missing.push(used.name);
            let declare = format!("params = {{ {} = \"table.column\" }}", used.name);
            let remedy = match nearest(used.name, parameters.iter().map(|known| known.name.as_str())) {
                Some(meant) => format!("did you mean `${meant}`? Else declare it: {declare}"),
                None => format!("declare it: {declare}"),
            };
            tell(Some(sql::line_of(sql, used.at.start)), format!("${} is not declared", used.name), remedy);
        }
    }
}

/// Those of `params`, then those of the path that are not among them, as text.
fn parameters(section: &Section<'_>, path: &Path, tables: &[Table]) -> Vec<Parameter> {
    let mut parameters = Vec::new();
    for (entry, at) in section.named("params") {
        if !values::is_identifier(&entry.name) {
            at.fault("is no name of a parameter", "take letters, digits and `_`, a letter or `_` first");
        }
        let (mut clamp, mut of, mut key_of) = (false, None, None);
        let rules = match &at.node.value {
            Value::Table(_) => {
                let section = at.section(keys::PARAMETER);
                let rules = rules::rules(&section, Needed::UnlessDefault);
                clamp = self::clamp(&section, &rules, path.parameters.contains(&entry.name));
                rules
            }
            Value::Text(text) if !text.contains('.') => {
                at.wrong("names no column", "write \"table.column\" or { type = \"text\" }");
                rules::bare(Type::Text)
            }
            _ => match locate(&at, tables) {
                Some((table, column)) => {
                    key_of = tables[table].key.contains(&column).then_some(table);
                    of = Some((table, column));
                    let mut rules = tables[table].columns[column].rules.clone();
                    rules.required = rules.default.is_none();
                    rules
                }
                None => rules::bare(Type::Text),
            },
        };
        parameters.push(Parameter { name: entry.name.clone(), rules, clamp, column: of, key_of });
    }
    for name in &path.parameters {
        if !parameters.iter().any(|known: &Parameter| known.name == *name) {
            let rules = plan_text();
            let name = name.clone();
            parameters.push(Parameter { name, rules, clamp: false, column: None, key_of: None });
        }
    }
    parameters
}

fn clamp(section: &Section<'_>, rules: &super::plan::Rules, is_in_path: bool) -> bool {
    if !section.boolean("clamp") {
        return false;
    }
    if let Some(at) = section.get("clamp") {
        if rules.minimum.is_none() && rules.maximum.is_none() {
            at.fault("there is no bound to go to", "write minimum or maximum, or remove clamp");
        }
        if is_in_path {
            at.fault("a path names its row exactly", "remove clamp, or take the parameter out of the path");
        }
    }
    true
}

fn plan_text() -> super::plan::Rules {
    super::plan::Rules { required: true, ..rules::bare(Type::Text) }
}

fn reply(at: &At<'_>, shape: Shape, parameters: &[Parameter]) -> Option<super::plan::Template> {
    let mut places = match shape {
        Shape::Rows => vec!["@rows", "@count"],
        Shape::Row => vec!["@row"],
        Shape::Value => {
            at.fault("a value is answered as it is", "remove reply, or take shape = \"row\"");
            return None;
        }
    };
    if !parameters.is_empty() {
        places.push("@params.NAME");
    }
    Some(templates::template(at, Scope { places: &places, columns: None, parameters }))
}

/// `users`, `users/{id}`. `parameters`: what may stand in braces, if that can be known.
fn tags(
    section: &Section<'_>,
    name: &str,
    parameters: Option<&[Parameter]>,
    tables: &[Table],
) -> Option<Vec<String>> {
    section.get(name)?;
    let mut tags = Vec::new();
    for (at, text) in section.texts(name) {
        let mut parts = text.split('/');
        let table = parts.next().unwrap_or_default();
        if !tables.iter().any(|known| known.name == table) {
            let names = tables.iter().map(|table| table.name.as_str());
            let remedy = match at.node.secrecy {
                super::tree::Secrecy::Plain => did_you_mean(table, names, "table"),
                super::tree::Secrecy::Secret => "name one of [tables]".into(),
            };
            at.wrong("names no table of this file", remedy);
            continue;
        }
        for part in parts {
            let inside = part.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
            match (inside, parameters) {
                (Some(inside), Some(known)) if !known.iter().any(|known| known.name == inside) => {
                    at.wrong("names no parameter", "write {NAME} of a parameter, or the table alone");
                }
                (Some(inside), _) if !values::is_identifier(inside) => {
                    at.wrong("has a name in braces that is none", "write \"users/{id}\"");
                }
                (None, _) if part.is_empty() || part.contains(['{', '}']) => {
                    at.wrong("is no tag", "write \"users\" or \"users/{id}\"");
                }
                _ => {}
            }
        }
        tags.push(text.to_string());
    }
    Some(tags)
}

fn computed(section: &Section<'_>) -> Vec<(String, Type)> {
    let columns = section.named("columns").into_iter();
    columns.filter_map(|(entry, at)| Some((entry.name.clone(), rules::kind(&at)?))).collect()
}
