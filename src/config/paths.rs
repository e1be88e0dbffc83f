//! Paths of routes: how they are written, and that no two routes are the same.

use std::collections::HashMap;

use super::plan::{Endpoint, Server, Table};
use super::section::{At, Section};
use super::tree::{Place, Secrecy};
use super::values;

const PATH_REMEDY: &str = "write it as in /api/user/{id}: a slash first, a parameter alone between slashes";
const PATH_BYTES_MAX: usize = 1024;

/// A declared path, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path {
    pub(super) text: String,
    /// Names in braces, in order.
    pub(super) parameters: Vec<String>,
}

/// A path that may hold parameters.
pub(super) fn path(at: &At<'_>) -> Option<Path> {
    let text = at.text()?;
    if let Some(meant) = braced(text) {
        let remedy = match at.node.secrecy {
            Secrecy::Plain => format!("write \"{meant}\""),
            Secrecy::Secret => PATH_REMEDY.into(),
        };
        at.wrong("has a parameter in another form", remedy);
        return None;
    }
    match parse(text) {
        Ok(path) => Some(path),
        Err(message) => {
            at.wrong(message, PATH_REMEDY);
            None
        }
    }
}

/// A path without parameters.
pub(super) fn fixed(at: &At<'_>) -> Option<String> {
    let path = path(at)?;
    if path.parameters.is_empty() {
        return Some(path.text);
    }
    at.wrong("has a parameter", "write a path without {…}");
    None
}

/// The path with its parameters in braces if some stand in the form of another router: `:id`, `<id>`.
fn braced(text: &str) -> Option<String> {
    let braced = text.split('/').map(|segment| {
        let other = segment.strip_prefix(':').or_else(|| segment.strip_prefix('<')?.strip_suffix('>'));
        match other.map(|name| name.rsplit(':').next().unwrap_or(name)) {
            Some(name) if values::is_identifier(name) => format!("{{{name}}}"),
            _ => segment.to_owned(),
        }
    });
    let braced = braced.collect::<Vec<_>>().join("/");
    (braced != text).then_some(braced)
}

fn parse(text: &str) -> Result<Path, &'static str> {
    let Some(rest) = text.strip_prefix('/') else { return Err("does not begin with a slash") };
    if text.len() > PATH_BYTES_MAX {
        return Err("is longer than 1024 bytes");
    }
    // Paths match after decoding, so an escape written here would match its own letters.
    if text.contains(|c: char| c.is_whitespace() || c.is_control() || "?#%\\\"".contains(c)) {
        return Err("has a character that no declared path may have");
    }
    let mut parameters: Vec<String> = Vec::new();
    let segments: Vec<&str> = rest.split('/').collect();
    for (index, segment) in segments.iter().enumerate() {
        match *segment {
            "." | ".." => return Err("has a segment that clients resolve themselves"),
            "" if index + 1 < segments.len() => return Err("has an empty segment"),
            _ => {}
        }
        let inside = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        match inside {
            Some(name) if !values::is_identifier(name) => {
                return Err("has a parameter whose name is none");
            }
            Some(name) if parameters.iter().any(|known| known == name) => {
                return Err("has a parameter twice");
            }
            Some(name) => parameters.push(name.into()),
            None if segment.contains(['{', '}']) => {
                return Err("has a parameter that is not a whole segment");
            }
            None => {}
        }
    }
    Ok(Path { text: text.into(), parameters })
}

/// What two routes may not have in common: the path with its parameters nameless, and the method.
fn shape(path: &str) -> String {
    let segments = path.split('/').map(|segment| if segment.starts_with('{') { "{}" } else { segment });
    segments.collect::<Vec<_>>().join("/")
}

struct Route {
    shape: String,
    method: String,
    key: String,
    /// `None`: ours.
    place: Option<Place>,
}

/// Notes each route that is declared twice, at the later one.
pub(super) fn refuse_conflicts(
    root: &Section<'_>,
    server: &Server,
    tables: &[Table],
    endpoints: &[Endpoint],
) {
    let mut routes = Vec::new();
    let ours = |path: &str| Route { shape: path.into(), method: "GET".into(), key: path.into(), place: None };
    routes.extend([ours("/health"), ours("/ready")]);
    if let Some(path) = &server.metrics_path {
        let at = root.section("server").get("metrics_path");
        routes.push(Route {
            key: "server.metrics_path".into(),
            place: at.map(|at| at.place().clone()),
            ..ours(path)
        });
    }
    let mut declare = |path: &Option<String>, methods: &[(&str, bool)], at: Option<At<'_>>| {
        let (Some(path), Some(at)) = (path, at) else { return };
        routes.extend(methods.iter().filter(|(_, exists)| *exists).map(|(method, _)| Route {
            shape: shape(path),
            method: (*method).into(),
            key: at.key.clone(),
            place: Some(at.place().clone()),
        }));
    };
    for ((_, at), table) in root.named("tables").iter().zip(tables) {
        let access = &table.access;
        let key = |name: &str| at.child(name);
        declare(&table.list, &[("GET", access.list), ("POST", access.create)], key("list"));
        let item = [
            ("GET", access.get),
            ("PUT", access.update),
            ("PATCH", access.update),
            ("DELETE", access.delete),
        ];
        declare(&table.item, &item, key("item"));
    }
    for ((_, at), endpoint) in root.named("endpoints").iter().zip(endpoints) {
        let methods: Vec<(&str, bool)> =
            endpoint.methods.iter().map(|method| (method.as_str(), true)).collect();
        let path = Some(endpoint.path.clone()).filter(|path| !path.is_empty());
        declare(&path, &methods, at.child("path"));
    }
    refuse_equal(root, &routes);
}

fn refuse_equal(root: &Section<'_>, routes: &[Route]) {
    let mut seen: HashMap<(&str, &str), &Route> = HashMap::new();
    // Of two keys, all methods that they have in common are one fault.
    let mut clashes: Vec<(&Route, &Route, Vec<&str>)> = Vec::new();
    for route in routes {
        let Some(first) = seen.get(&(route.shape.as_str(), route.method.as_str())) else {
            seen.insert((&route.shape, &route.method), route);
            continue;
        };
        match clashes.iter_mut().find(|(later, known, _)| later.key == route.key && known.key == first.key) {
            Some((_, _, methods)) => methods.push(&route.method),
            None => clashes.push((route, first, vec![&route.method])),
        }
    }
    for (route, first, methods) in clashes {
        let Some(place) = &route.place else { continue };
        let whose = match &first.place {
            Some(place) => format!("{} ({place})", first.key),
            None => format!("ringmill itself ({})", first.key),
        };
        let what = match methods.as_slice() {
            [method] => format!("{method} of this path is a route"),
            methods => format!("{} of this path are routes", methods.join(", ")),
        };
        root.at.fault_at(
            place,
            &route.key,
            format!("{what} of {whose} already"),
            "change one of the paths or methods",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_their_parameters() {
        for (text, parameters) in [
            ("/", vec![]),
            ("/api/users", vec![]),
            ("/api/users/", vec![]),
            ("/api/user/{id}", vec!["id"]),
            ("/{a}/x/{b}", vec!["a", "b"]),
            ("/ü", vec![]),
        ] {
            assert_eq!(parse(text).unwrap().parameters, parameters, "{text}");
        }
        for (text, message) in [
            ("", "does not begin with a slash"),
            ("api", "does not begin with a slash"),
            ("/a//b", "has an empty segment"),
            ("//", "has an empty segment"),
            ("/a/../b", "has a segment that clients resolve themselves"),
            ("/a b", "has a character that no declared path may have"),
            ("/a%20b", "has a character that no declared path may have"),
            ("/a?b", "has a character that no declared path may have"),
            ("/x{id}", "has a parameter that is not a whole segment"),
            ("/{id", "has a parameter that is not a whole segment"),
            ("/{}", "has a parameter whose name is none"),
            ("/{*rest}", "has a parameter whose name is none"),
            ("/{a}/{a}", "has a parameter twice"),
        ] {
            assert_eq!(parse(text).unwrap_err(), message, "{text}");
        }
    }

    #[test]
    fn parameters_of_other_routers() {
        for (text, expected) in [
            ("/x/:id", Some("/x/{id}")),
            ("/x/:id/y/<name>/{z}", Some("/x/{id}/y/{name}/{z}")),
            ("/x/<int:id>", Some("/x/{id}")),
            ("/x/{id}", None),
            ("/x/1:2/:/<>/:1", None),
            ("/x/book:publish", None),
        ] {
            assert_eq!(braced(text).as_deref(), expected, "{text}");
        }
    }
}
