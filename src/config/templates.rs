//! Replies: JSON with places such as `"@row"`, and those that a table has when it names none.

use serde_json::Value as Json;

use super::faults::nearest;
use super::plan::{Column, Parameter, Replies, Template, Total};
use super::section::{At, Section};
use super::tree::{Secrecy, Value};
use super::values;

/// All places, for guesses.
const PLACES: [&str; 8] =
    ["@row", "@rows", "@total", "@count", "@page", "@per_page", "@errors", "@params.NAME"];

/// What a reply may speak of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scope<'a> {
    /// The places that have a value here.
    pub(super) places: &'a [&'static str],
    /// What `@row.COLUMN` may name; `None`: whatever the statement answers.
    pub(super) columns: Option<&'a [Column]>,
    /// What `@params.NAME` may name.
    pub(super) parameters: &'a [Parameter],
}

/// A reply as written; with its faults noted.
pub(super) fn template(at: &At<'_>, scope: Scope<'_>) -> Template {
    match &at.node.value {
        Value::Table(_) => Template::Object(
            at.named().iter().map(|(entry, at)| (entry.name.clone(), template(at, scope))).collect(),
        ),
        Value::List(_) => Template::Array(at.list("").iter().map(|at| template(at, scope)).collect()),
        Value::Text(text) => match text.strip_prefix('@') {
            Some(rest) if at.node.secrecy == Secrecy::Secret && !rest.starts_with('@') => {
                let remedy = "write the place itself; a string that begins with @ is written \"@@…\"";
                at.fault("a place in a reply may not come in through `${…}`", remedy);
                Template::Literal(Json::Null)
            }
            None => Template::Literal(Json::from(text.as_str())),
            Some(escaped) if escaped.starts_with('@') => Template::Literal(Json::from(escaped)),
            Some(_) => place(at, text, scope),
        },
        _ => Template::Literal(at.node.to_json().unwrap_or_else(|| {
            at.wrong("is no number that JSON has", "write a finite number");
            Json::Null
        })),
    }
}

fn place(at: &At<'_>, text: &str, scope: Scope<'_>) -> Template {
    let (name, field) = match text.split_once('.') {
        Some(("@row", column)) => ("@row", Some(column)),
        Some(("@params", parameter)) => ("@params.NAME", Some(parameter)),
        _ => (text, None),
    };
    let place = match (name, field) {
        ("@row", Some(column)) => Template::RowColumn(column.into()),
        ("@row", None) => Template::Row,
        ("@params.NAME", Some(parameter)) => Template::Parameter(parameter.into()),
        ("@rows", _) => Template::Rows,
        ("@total", _) => Template::Total,
        ("@count", _) => Template::Count,
        ("@page", _) => Template::Page,
        ("@per_page", _) => Template::PerPage,
        ("@errors", _) => Template::Errors,
        _ => {
            let guess = nearest(text, PLACES);
            let guess = guess.map(|guess| format!("did you mean \"{guess}\"? ")).unwrap_or_default();
            at.wrong("is no place", format!("{guess}a string that begins with @ is written \"@@…\""));
            return Template::Literal(Json::Null);
        }
    };
    if !scope.places.contains(&name) {
        let here = match scope.places {
            [] => "nothing can be filled in here".into(),
            places => format!("here there are {}", places.join(", ")),
        };
        at.wrong("has no value in this reply", here);
    } else if let Template::Parameter(name) = &place
        && scope.parameters.iter().all(|known| known.name != *name)
    {
        at.wrong("names no parameter", "name one of params, or of the path");
    }
    if let Template::RowColumn(column) = &place {
        let known = match scope.columns {
            None => values::is_identifier(column),
            // A table without columns has its fault already.
            Some(columns) => {
                columns.is_empty() || columns.iter().any(|known| known.name == *column && !known.hidden)
            }
        };
        if !known {
            at.wrong("names no column that is returned", "name a column that is not hidden");
        }
    }
    place
}

/// `replies` of a table; what is left out is made from its name and noun.
pub(super) fn replies(
    section: &Section<'_>,
    name: &str,
    noun: &str,
    total: Total,
    columns: &[Column],
) -> Replies {
    let scope = |places| Scope { places, columns: Some(columns), parameters: &[] };
    let reply =
        |key, places, default: Template| section.get(key).map_or(default, |at| template(&at, scope(places)));
    let text = |key: &str, text: String| (key.to_string(), Template::Literal(Json::from(text)));
    let errors = || ("errors".to_string(), Template::Errors);

    let list_places: &[&str] = match total {
        Total::Exact => &["@rows", "@total", "@count", "@page", "@per_page"],
        Total::None => &["@rows", "@count", "@page", "@per_page"],
    };
    let mut list = vec![(name.to_string(), Template::Rows)];
    if total == Total::Exact {
        list.push(("total".into(), Template::Total));
    }
    list.push(("page".into(), Template::Page));
    list.push(("per_page".into(), Template::PerPage));

    let failed = format!("Failed to create {}", noun.to_lowercase());
    Replies {
        list: reply("list", list_places, Template::Object(list)),
        get: reply("get", &["@row"], Template::Row),
        create: reply("create", &["@row"], Template::Row),
        update: reply("update", &["@row"], Template::Object(vec![text("message", "Updated".into())])),
        delete: reply("delete", &[], Template::Object(vec![text("message", format!("{noun} deleted"))])),
        not_found: reply(
            "not_found",
            &[],
            Template::Object(vec![text("error", format!("{noun} not found"))]),
        ),
        missing: reply(
            "missing",
            &["@errors"],
            Template::Object(vec![text("error", "Missing required fields".into()), errors()]),
        ),
        invalid: reply(
            "invalid",
            &["@errors"],
            Template::Object(vec![text("error", "Validation failed".into()), errors()]),
        ),
        conflict: reply("conflict", &["@errors"], Template::Object(vec![text("error", failed), errors()])),
    }
}

/// `users` → `User`, `blog_categories` → `Blog category`. English, and naive: `noun` is there for the rest.
pub(super) fn noun_of(table: &str) -> String {
    let words = table.replace('_', " ");
    let singular = if let Some(stem) = words.strip_suffix("ies").filter(|stem| stem.len() > 1) {
        format!("{stem}y")
    } else if ["sses", "shes", "ches", "xes", "zes"].iter().any(|end| words.ends_with(end)) {
        words[..words.len() - 2].to_string()
    } else if words.len() > 1
        && words.ends_with('s')
        && !["ss", "us", "is"].iter().any(|end| words.ends_with(end))
    {
        words[..words.len() - 1].to_string()
    } else {
        words
    };
    let mut letters = singular.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => singular,
    }
}

#[cfg(test)]
mod tests {
    use super::noun_of;

    #[test]
    fn nouns() {
        for (table, noun) in [
            ("users", "User"),
            ("posts", "Post"),
            ("blog_categories", "Blog category"),
            ("addresses", "Address"),
            ("boxes", "Box"),
            ("branches", "Branch"),
            ("status", "Status"),
            ("news_press", "News press"),
            ("ties", "Tie"),
            ("s", "S"),
            ("data", "Data"),
        ] {
            assert_eq!(noun_of(table), noun, "{table}");
        }
    }
}
