//! From a raw path to a route. Paths match segment by segment after decoding; a `{parameter}` is one whole segment, never
//! empty. Routes of the same shape are one route, whatever their parameters are called.

use crate::config::plan::{CacheRule, PolicyIndex};
use ringmill_http1::Method;
use std::borrow::Cow;
use std::time::Duration;

use super::percent;
use super::verify::Touched;

/// Index into [`Router::routes`].
pub type RouteIndex = usize;
/// Index into what the API can do.
pub(super) type OperationIndex = usize;

/// A declared path and what its methods do.
#[derive(Clone, Debug)]
pub struct Route {
    /// As declared: the label of metrics.
    pub path: String,
    /// What is allowed: with HEAD where there is GET, and OPTIONS.
    pub methods: Vec<Method>,
    /// Whether any of its methods is cached.
    pub cached: bool,
    pub(super) allow: String,
    pub(super) by_method: [Option<OperationIndex>; Method::COUNT],
}

/// What stands around an operation: which policies it counts against, whether it is cached, how long it may run.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// Policies in order.
    pub policies: Vec<PolicyIndex>,
    /// `None`: never cached.
    pub cache: Option<CacheRule>,
    /// Whether it may change rows.
    pub writes: bool,
    /// `None`: `statement_timeout`.
    pub timeout: Option<Duration>,
    /// What it reads and writes; empty until [`verify`](super::verify) has asked the database.
    pub touched: Touched,
}

/// A route found and its path's parameters.
#[derive(Clone, Debug)]
pub struct Found<'a> {
    /// Which route.
    pub route: RouteIndex,
    /// By position, decoded; `None` is a segment that is no text, which no value equals.
    pub(super) parameters: Vec<Option<Cow<'a, str>>>,
}

/// All routes.
#[derive(Clone, Debug, Default)]
pub(super) struct Router {
    tree: matchit::Router<RouteIndex>,
    shapes: Vec<String>,
    routes: Vec<Route>,
}

/// A declared path, taken apart.
#[derive(Clone, Debug)]
pub(super) enum Segment {
    /// Decoded.
    Literal(String),
    Parameter(String),
}

/// The segments of a declared path; escapes in it are decoded, as those of a request.
pub(super) fn segments(declared: &str) -> Vec<Segment> {
    let path = declared.strip_prefix('/').unwrap_or(declared);
    let segment = |text: &str| match text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
        Some(name) => Segment::Parameter(name.to_owned()),
        None => Segment::Literal(percent::decode_normal(text).unwrap_or(Cow::Borrowed(text)).into_owned()),
    };
    path.split('/').map(segment).collect()
}

/// The position of each parameter of a declared path.
pub(super) fn parameter_names(declared: &str) -> Vec<String> {
    let names = segments(declared).into_iter().filter_map(|segment| match segment {
        Segment::Parameter(name) => Some(name),
        Segment::Literal(_) => None,
    });
    names.collect()
}

impl Router {
    /// Gives `operation` to these methods of a declared path. GET brings HEAD with it; what a method had before stays.
    pub(super) fn add(
        &mut self,
        declared: &str,
        methods: &[Method],
        operation: OperationIndex,
        cached: bool,
    ) {
        let shape = shape(declared);
        let index = self.shapes.iter().position(|known| *known == shape).unwrap_or_else(|| {
            let index = self.routes.len();
            // The plan was checked: distinct shapes of whole segments cannot collide in the tree.
            if self.tree.insert(&shape, index).is_ok() {
                self.routes.push(Route::new(declared));
                self.shapes.push(shape);
            }
            index
        });
        let Some(route) = self.routes.get_mut(index) else { return };
        for method in methods {
            route.by_method[*method as usize].get_or_insert(operation);
        }
        route.cached |= cached;
        route.settle();
    }

    pub(super) fn routes(&self) -> &[Route] {
        &self.routes
    }

    pub(super) fn find<'a>(&self, path: &'a str) -> Option<Found<'a>> {
        match percent::normalize(path) {
            Cow::Borrowed(path) => {
                let matched = self.tree.at(path).ok()?;
                let parameters = matched.params.iter().map(|(_, text)| Some(Cow::Borrowed(text))).collect();
                Some(Found { route: *matched.value, parameters })
            }
            Cow::Owned(path) => {
                let matched = self.tree.at(&path).ok()?;
                let text =
                    |text: &str| percent::decode_normal(text).map(|text| Cow::Owned(text.into_owned()));
                let parameters = matched.params.iter().map(|(_, part)| text(part)).collect();
                Some(Found { route: *matched.value, parameters })
            }
        }
    }
}

impl Route {
    fn new(declared: &str) -> Route {
        Route {
            path: declared.to_owned(),
            methods: Vec::new(),
            cached: false,
            allow: String::new(),
            by_method: [None; Method::COUNT],
        }
    }

    fn settle(&mut self) {
        const SHOWN: [Method; 7] = [
            Method::Get,
            Method::Head,
            Method::Post,
            Method::Put,
            Method::Patch,
            Method::Delete,
            Method::Options,
        ];
        if self.by_method[Method::Head as usize].is_none() {
            self.by_method[Method::Head as usize] = self.by_method[Method::Get as usize];
        }
        let has = |method: &Method| *method == Method::Options || self.by_method[*method as usize].is_some();
        self.methods = SHOWN.into_iter().filter(has).collect();
        let names: Vec<_> = self.methods.iter().map(|method| method.as_str()).collect();
        self.allow = names.join(", ");
    }
}

/// The pattern of a declared path in the tree's language and in the normal form of paths, parameters without names.
fn shape(declared: &str) -> String {
    let mut shape = String::new();
    let mut parameters = 0;
    for segment in segments(declared) {
        shape.push('/');
        match segment {
            Segment::Parameter(_) => {
                shape.push_str(&format!("{{p{parameters}}}"));
                parameters += 1;
            }
            Segment::Literal(text) => {
                let text = text.replace('%', "%25").replace('/', "%2F");
                shape.push_str(&text.replace('{', "{{").replace('}', "}}"));
            }
        }
    }
    shape
}
