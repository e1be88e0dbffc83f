//! `[rate_limits]`, and the keys that name them.

use std::time::Duration;

use super::faults::did_you_mean;
use super::keys;
use super::plan::{Algorithm, Caller, Operations, PolicyIndex, Rate, RateLimit};
use super::section::{Alone, At, Section};
use super::tree::{Secrecy, Value};
use super::values;

/// A fixed window counts in 32 bits.
pub(super) const FIXED_WINDOW_COUNT_MAX: u64 = u32::MAX as u64;
/// A sliding window keeps two counts beside its window in 64 bits, so each has 24.
pub(super) const SLIDING_WINDOW_COUNT_MAX: u64 = (1 << 24) - 1;
/// A token bucket reckons in nanoseconds; 1 µs for each token keeps its rounding below a thousandth.
pub(super) const TOKEN_INTERVAL_MIN: Duration = Duration::from_micros(1);
/// And a burst refills within a year, so that no sum of times overflows.
pub(super) const REFILL_MAX: Duration = Duration::from_secs(365 * 24 * 3600);

/// Names go into header fields and metrics.
const NAME_BYTES_MAX: usize = 63;
const RATE_REMEDY: &str = "write a count for a unit: 10/s, 100/min, 1000/h";

pub(super) fn plan(root: &Section<'_>) -> Vec<RateLimit> {
    root.named("rate_limits").into_iter().map(|(entry, at)| rate_limit(&entry.name, &at)).collect()
}

fn rate_limit(name: &str, at: &At<'_>) -> RateLimit {
    let proper = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if !proper || name.is_empty() || name.len() > NAME_BYTES_MAX {
        at.fault(
            "is no name of a policy",
            format!("take letters, digits, `_` and `-`, at most {NAME_BYTES_MAX}"),
        );
    }
    let section = at.section(keys::RATE_LIMIT);
    section.needed("algorithm", "write algorithm = \"sliding_window\"");
    let algorithm = match section.choice_if("algorithm") {
        Some("fixed_window") => Algorithm::FixedWindow,
        Some("token_bucket") => Algorithm::TokenBucket,
        _ => Algorithm::SlidingWindow,
    };
    let written = section.needed("rate", "write rate = \"100/min\"");
    let rate = written.as_ref().and_then(|at| countable(at, algorithm));
    let burst = section.integer_if("burst").and_then(|burst| u64::try_from(burst).ok());
    if let (Some(at), true) = (section.written("burst"), algorithm != Algorithm::TokenBucket) {
        at.fault("burst is for a token_bucket only", "remove it, or take algorithm = \"token_bucket\"");
    } else if let (Some(rate), Some(burst), Some(at)) = (rate, burst, section.written("burst")) {
        let refill = rate.per.as_secs_f64() / rate.count as f64 * burst as f64;
        if refill > REFILL_MAX.as_secs_f64() {
            at.wrong("tokens take more than a year to refill", "lower burst, or raise rate");
        }
    }
    let rate = rate.unwrap_or(Rate { count: 1, per: Duration::from_secs(1) });
    RateLimit {
        name: name.into(),
        algorithm,
        rate,
        burst: burst.unwrap_or(rate.count),
        by: callers(&section),
        tiers: section
            .get("tiers")
            .map(|at| at.list("write tiers = [{ caller = \"…\", rate = \"…\" }]"))
            .map(|tiers| self::tiers(&tiers, algorithm))
            .unwrap_or_default(),
    }
}

fn countable(at: &At<'_>, algorithm: Algorithm) -> Option<Rate> {
    let Some(rate) = at.as_text().and_then(values::rate) else {
        at.wrong("is no rate", RATE_REMEDY);
        return None;
    };
    if rate.count == 0 {
        at.wrong("lets nobody in", "write a count of at least 1, or remove the routes");
        return None;
    }
    let (name, count_max) = match algorithm {
        Algorithm::FixedWindow => ("fixed_window", FIXED_WINDOW_COUNT_MAX),
        Algorithm::SlidingWindow => ("sliding_window", SLIDING_WINDOW_COUNT_MAX),
        Algorithm::TokenBucket => {
            let most = rate.per.as_micros() / TOKEN_INTERVAL_MIN.as_micros();
            ("token_bucket", u64::try_from(most).unwrap_or(u64::MAX).min(u64::from(u32::MAX)))
        }
    };
    if rate.count > count_max {
        at.wrong(
            &format!("is more than a {name} can count"),
            format!("write at most {count_max} for this unit, or take another algorithm"),
        );
        return None;
    }
    Some(rate)
}

fn callers(section: &Section<'_>) -> Vec<Caller> {
    const REMEDY: &str = "write \"ip\" or \"header:NAME\"";
    let mut callers = Vec::new();
    for (at, text) in section.texts("by") {
        let caller = match text.strip_prefix("header:") {
            Some(name) if values::is_field_name(name) => Caller::Header(name.to_ascii_lowercase()),
            None if text == "ip" => Caller::Ip,
            _ => {
                at.wrong("names no caller", REMEDY);
                continue;
            }
        };
        if callers.contains(&caller) {
            at.wrong("stands in the list twice", "remove one of them");
        }
        callers.push(caller);
    }
    if let Some(at) = section.get("by")
        && matches!(&at.node.value, Value::List(items) if items.is_empty())
    {
        at.fault("names no caller", REMEDY);
    }
    callers
}

fn tiers(tiers: &[At<'_>], algorithm: Algorithm) -> Vec<(String, Option<Rate>)> {
    let mut planned: Vec<(String, Option<Rate>)> = Vec::new();
    for at in tiers {
        let tier = at.section(keys::TIER);
        let caller = tier.needed("caller", "write caller = \"…\"");
        let rate = tier.needed("rate", "write rate = \"unlimited\" or a rate");
        let rate = rate.and_then(|at| match at.as_text() {
            Some("unlimited") => None,
            _ => countable(&at, algorithm),
        });
        let Some((at, name)) = caller.and_then(|at| at.text().map(|text| (at, text))) else { continue };
        if name.is_empty() {
            at.fault("caller is empty", "write the value that names the caller");
        } else if planned.iter().any(|(known, _)| known == name) {
            at.wrong("has a tier already", "remove one of them");
        } else {
            planned.push((name.into(), rate));
        }
    }
    planned
}

/// A policy's name, or a list of them.
pub(super) fn policies(at: &At<'_>, known: &[RateLimit]) -> Vec<PolicyIndex> {
    let mut policies = Vec::new();
    for (at, name) in at.texts(Alone::Taken) {
        match known.iter().position(|policy| policy.name == name) {
            Some(index) if policies.contains(&index) => {
                at.wrong("is applied twice", "remove one of them");
            }
            Some(index) => policies.push(index),
            None => {
                let names = known.iter().map(|policy| policy.name.as_str());
                let remedy = match at.node.secrecy {
                    Secrecy::Plain => did_you_mean(name, names, "[rate_limits.NAME]"),
                    Secrecy::Secret => "name one of [rate_limits]".into(),
                };
                at.wrong("is no policy of [rate_limits]", remedy);
            }
        }
    }
    policies
}

/// `rate_limit` of a table: a name, a list, or a table by operation.
pub(super) fn policies_by_operation(
    section: &Section<'_>,
    known: &[RateLimit],
) -> Operations<Vec<PolicyIndex>> {
    let Some(at) = section.get("rate_limit") else { return Operations::default() };
    if !at.node.is_table() {
        let all = policies(&at, known);
        return Operations {
            list: all.clone(),
            get: all.clone(),
            create: all.clone(),
            update: all.clone(),
            delete: all,
        };
    }
    let section = at.section(keys::POLICIES);
    let of = |name| section.get(name).map(|at| policies(&at, known)).unwrap_or_default();
    Operations {
        list: of("list"),
        get: of("get"),
        create: of("create"),
        update: of("update"),
        delete: of("delete"),
    }
}
