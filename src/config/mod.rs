//! From the file, the environment and the flags to the plan.
//!
//! Two steps, each without side effects beyond reading files: [`raw`] lays file, included files, environment and flags
//! over one another into one tree whose every value knows where it was written; the planners below turn that tree into
//! a [`Plan`], or into every fault that is in it. A planner that meets a fault notes it and goes on with a stand-in, so
//! that one run shows all of them; the stand-ins of tables and endpoints never leave this module,
//! and a plan with faults is never served.
//!
//! Deserializing into structs was rejected: it stops at the first fault and knows no lines.

pub mod plan;

pub mod keys;

mod faults;
mod tree;

mod bounded;
mod variables;

mod expand;
mod glob;
mod raw;

mod section;
pub(crate) mod time;
mod values;

mod columns;
mod endpoints;
mod limits;
mod paths;
mod places;
mod rules;
mod services;
mod sql;
mod tables;
mod templates;

mod reference;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

pub use faults::{Fault, on_one_line};
pub use places::{Places, key_of};
pub use plan::Plan;
pub use reference::reference;
pub(crate) use rules::{TYPES, name_of as type_name};

pub(crate) use faults::{did_you_mean, nearest};
pub(crate) use values::show_duration;

use faults::Faults;
use section::Section;

/// The file that is used when there is none, and that `ringmill init` writes.
pub const BUILTIN: &str = include_str!("builtin.toml");

/// The version of the file that this program reads: `format`.
pub const FORMAT: i64 = 1;

/// All that a plan is made of, besides the files that are named in it.
#[derive(Clone, Debug)]
pub struct Inputs<'a> {
    /// `--config`. `None`: `ringmill.toml` in the working directory if there is one, else the built-in file.
    pub config: Option<PathBuf>,
    /// Where relative paths of flags and environment start, and those of the built-in file.
    pub working_directory: &'a Path,
    /// The whole environment: `RINGMILL_…` sets keys, the rest is there for `${NAME}`.
    pub environment: Vec<(String, String)>,
    /// `--set KEY=VALUE`, in order; the later wins.
    pub sets: Vec<(String, String)>,
    /// Keys that have flags of their own, which win over `--set`.
    pub flags: Vec<Flag>,
}

/// A flag that sets a key, such as `--listen`.
#[derive(Clone, Debug)]
pub struct Flag {
    /// As it is written, for faults.
    pub name: &'static str,
    /// The key that it sets.
    pub key: &'static str,
    /// TOML, or a string.
    pub value: String,
}

/// What reading came to.
#[derive(Debug)]
pub struct Examined {
    /// Every fault that there is, in the order of files and lines.
    pub faults: Vec<Fault>,
    /// To be served if there is no fault. With faults it is there for the database to look at the rest, if that is certain: the
    /// tables, the endpoints without a fault, and where the database is.
    pub plan: Option<Plan>,
}

/// Reads, layers and validates.
///
/// # Errors
///
/// Every fault that there is, in the order of files and lines. A file with faults of syntax shows those alone.
pub fn load(inputs: &Inputs) -> Result<Plan, Vec<Fault>> {
    match examine(inputs) {
        Examined { faults, plan: Some(plan) } if faults.is_empty() => Ok(plan),
        Examined { faults, .. } => Err(faults),
    }
}

/// [`load`], with what is certain beside the faults.
pub fn examine(inputs: &Inputs) -> Examined {
    let faults = Faults::default();
    let Some(raw) = raw::read(inputs, &faults) else {
        return Examined { faults: faults.sorted(), plan: None };
    };
    let root = Section::root(&raw.root, &faults);
    let services = services::plan(&root);
    let rate_limits = limits::plan(&root);
    let tables = tables::plan(&root, &rate_limits, &services.cache);
    let mut endpoints = endpoints::plan(&root, &rate_limits, &tables, &services.cache);
    paths::refuse_conflicts(&root, &services.server, &tables, &endpoints);
    if tables.is_empty() && endpoints.is_empty() {
        faults.note(
            root.at.place(),
            "",
            "declares no table and no endpoint",
            "write [tables.NAME] or [endpoints.NAME]; `ringmill init` writes a file to start from",
        );
    }
    let notes = faults.notes();
    let faults = faults.sorted();
    if faults.iter().any(|fault| !leaves_tables_certain(&fault.key)) {
        return Examined { faults, plan: None };
    }
    endpoints.retain(|endpoint| {
        let key = key_of("endpoints", &endpoint.name);
        !faults.iter().any(|fault| is_within(&fault.key, &key))
    });
    let mut places = Places::of(&raw.root);
    for endpoint in &endpoints {
        if let plan::EndpointKind::Sql(sql) = &endpoint.kind
            && let Some(file) = &sql.file
        {
            let key = key_of(&key_of("endpoints", &endpoint.name), "sql_file");
            places.move_to(&key, &file.name, file.line);
        }
    }
    let plan = Plan {
        source: raw.source,
        server: services.server,
        http: services.http,
        log: services.log,
        database: services.database,
        cache: services.cache,
        rate_limits,
        tables,
        endpoints,
        shown: raw.root.shown(""),
        places,
        notes,
    };
    Examined { faults, plan: Some(plan) }
}

/// Whether a fault at a key says nothing of tables and of where the database is.
fn leaves_tables_certain(key: &str) -> bool {
    ["server", "http", "log", "cache", "rate_limits", "endpoints"]
        .iter()
        .any(|section| is_within(key, section))
        && !is_within(key, "server.data")
}

fn is_within(key: &str, section: &str) -> bool {
    key.strip_prefix(section).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}
