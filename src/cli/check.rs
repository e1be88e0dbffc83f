//! `ringmill check`: what the file comes to on the live database, and everything that is wrong with it. Nothing is made or
//! changed.

use super::database::{data_flag, live_schema, refused_place};
use super::{Configuration, Failure, plan_to_serve, say};
use crate::api::{Api, Depth, Tag, Terms, Touched, verify};
use crate::config::plan::{Algorithm, CacheRule, Caller, Endpoint, Plan, Rate, RateLimit, Source, Table};
use crate::config::{Fault, key_of, show_duration};
use crate::control::log;
use ringmill_http1::Method;
use ringmill_sqlite::Inspector;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    configuration: Configuration,
    /// Folder of the embedded database [server.data, default: data]
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let plan = plan_to_serve(&arguments.configuration, data_flag(arguments.data.as_ref()))?;
    log::set_up(plan.log.level, plan.log.format);
    let database = &plan.database.sqlite;
    let live = live_schema(&plan)?;
    let inspector = Inspector::open(database);
    let mut verified = verify(&plan, &live.clone().unwrap_or_default(), &inspector, Depth::Notes)?;
    if live.is_none() {
        verified.faults.extend(refused_place(&plan));
        plan.places.sort(&mut verified.faults);
    }

    say!(
        "{} on sqlite, {}{}",
        source(&plan),
        database.display(),
        if live.is_none() { ", which is not there yet" } else { "" }
    );
    for table in &verified.made_at_start {
        say!("makes the table {table} at start");
    }
    if let Some(sentence) = plan.no_effect_yet() {
        say!("{sentence}");
    }
    let statements = print_routes(&plan, &verified.api);
    let notes: Vec<Fault> = plan.notes.iter().chain(&verified.notes).cloned().collect();
    print_notes(&notes);
    if !verified.faults.is_empty() {
        return Err(Failure::Faults(verified.faults));
    }
    let notes = match notes.len() {
        0 => String::new(),
        count => format!(", {}", counted(count, "note")),
    };
    let routes = counted(verified.api.routes().len(), "route");
    say!("no fault in {}: {routes}, {}{notes}", source(&plan), counted(statements, "statement"));
    Ok(ExitCode::SUCCESS)
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn source(plan: &Plan) -> String {
    match &plan.source {
        Source::BuiltIn => "the built-in API".to_owned(),
        Source::File(path) => path.display().to_string(),
    }
}

fn print_notes(notes: &[Fault]) {
    if !notes.is_empty() {
        say!("");
    }
    for note in notes {
        say!("note: {note}");
    }
}

/// How many statements there are.
fn print_routes(plan: &Plan, api: &Api) -> usize {
    let mut statements = 0;
    for (index, route) in api.routes().iter().enumerate() {
        for &method in &route.methods {
            // GET speaks for HEAD; OPTIONS has no operation.
            let Some(terms) = api.terms(index, method).filter(|_| method != Method::Head) else { continue };
            let head = if method == Method::Get { ", HEAD" } else { "" };
            say!("");
            say!("{}{head} {}", method.as_str(), route.path);
            for sql in api.statements(index, method) {
                statements += 1;
                let lines: Vec<_> = sql.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
                print("sql", &lines.join(" "));
            }
            print_terms(plan, &declared_at(plan, &route.path, method), terms);
        }
    }
    statements
}

fn print(name: &str, text: &str) {
    say!("  {name:<8}{text}");
}

/// The key of the table or endpoint that a route belongs to.
fn declared_at(plan: &Plan, path: &str, method: Method) -> String {
    let is_it = |endpoint: &&Endpoint| {
        endpoint.path == path && endpoint.methods.iter().any(|name| name == method.as_str())
    };
    if let Some(endpoint) = plan.endpoints.iter().find(is_it) {
        return key_of("endpoints", &endpoint.name);
    }
    let has_it = |table: &&Table| [&table.list, &table.item].into_iter().flatten().any(|known| known == path);
    plan.tables.iter().find(has_it).map_or_else(String::new, |table| key_of("tables", &table.name))
}

/// What is shown in the place of a secret.
const HIDDEN: &str = "***";

/// `key` is that of the table or endpoint.
fn print_terms(plan: &Plan, key: &str, terms: &Terms) {
    let is_secret = |name: &str| plan.places.is_secret(&key_of(key, name));
    let Touched { reads, writes, .. } = &terms.touched;
    for (name, tags) in [("reads", reads), ("writes", writes)] {
        if !tags.is_empty() {
            let tags: Vec<_> = tags.iter().map(|tag| shown_tag(plan, tag)).collect();
            print(name, &tags.join(", "));
        }
    }
    for policy in &terms.policies {
        print("limit", &shown_limit(plan, &plan.rate_limits[*policy]));
    }
    if let Some(rule) = &terms.cache {
        let hidden = is_secret("cache") || plan.places.is_secret("cache");
        print("cache", &if hidden { HIDDEN.to_owned() } else { shown_cache(rule) });
    }
    if let Some(timeout) = terms.timeout {
        print("timeout", &if is_secret("timeout") { HIDDEN.to_owned() } else { show_duration(timeout) });
    }
}

fn shown_tag(plan: &Plan, tag: &Tag) -> String {
    let name = tag.table.name(plan);
    match &tag.rows {
        Some(rows) => format!("{name}/{rows}"),
        None => name.to_owned(),
    }
}

/// `read: token bucket, 1000/min, burst 1000, by header:x-api-key, ip`
fn shown_limit(plan: &Plan, policy: &RateLimit) -> String {
    let key = key_of("rate_limits", &policy.name);
    let names = ["algorithm", "rate", "burst", "by"];
    if names.iter().any(|name| plan.places.is_secret(&key_of(&key, name))) {
        return format!("{}: {HIDDEN}", policy.name);
    }
    let algorithm = match policy.algorithm {
        Algorithm::FixedWindow => "fixed window".to_owned(),
        Algorithm::SlidingWindow => "sliding window".to_owned(),
        Algorithm::TokenBucket => format!("token bucket, burst {}", policy.burst),
    };
    let by = policy.by.iter().map(|caller| match caller {
        Caller::Header(name) => format!("header:{name}"),
        Caller::Ip => "ip".to_owned(),
    });
    let by: Vec<_> = by.collect();
    let tiers = match policy.tiers.len() {
        0 => String::new(),
        count => format!(", {}", counted(count, "tier")),
    };
    format!("{}: {}, {algorithm}, by {}{tiers}", policy.name, shown_rate(policy.rate), by.join(", "))
}

fn shown_rate(rate: Rate) -> String {
    let unit = match rate.per.as_secs() {
        1 => "s",
        60 => "min",
        3600 => "h",
        _ => "d",
    };
    format!("{}/{unit}", rate.count)
}

fn shown_cache(rule: &CacheRule) -> String {
    let named = [
        ("ttl", rule.ttl),
        ("stale_while_revalidate", rule.stale_while_revalidate),
        ("stale_if_error", rule.stale_if_error),
        ("negative_ttl", rule.negative_ttl),
        ("browser_ttl", rule.browser_ttl),
        ("cdn_ttl", rule.cdn_ttl),
    ];
    let parts: Vec<_> = named.iter().map(|(name, time)| format!("{name} {}", show_duration(*time))).collect();
    parts.join(", ")
}
