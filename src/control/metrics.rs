//! Prometheus text (exposition format 0.0.4). The table of names and what they mean stands here alone.

use super::process::Process;
use crate::shard::{CacheCounts, KINDS, RESULTS, Snapshot};
use ringmill_http1::Method;
use ringmill_serve::{BUCKET_BOUNDS_NS, Counters};
use ringmill_sqlite::{Statistics, ThreadStatistics};
use std::fmt::Write;

/// All that a scrape shows.
pub(super) struct Scrape<'a> {
    /// Labels of routes, by number.
    pub(super) routes: &'a [String],
    /// One for each shard, in order.
    pub(super) shards: &'a [Snapshot],
    pub(super) store: &'a Statistics,
    pub(super) process: Process,
    pub(super) cpu_percent: f64,
    /// Log lines that were dropped behind the shards.
    pub(super) log_dropped: u64,
    pub(super) started_unix_seconds: f64,
}

/// Whether shards are summed up or shown apart, with a label `shard`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Per {
    Process,
    Shard,
}

struct Text(String);

impl Text {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        self.0.push_str(name);
        let mut separator = '{';
        for (label, text) in labels.iter().filter(|(_, text)| !text.is_empty()) {
            let _ = write!(self.0, "{separator}{label}=\"");
            for character in text.chars() {
                match character {
                    '\\' => self.0.push_str("\\\\"),
                    '"' => self.0.push_str("\\\""),
                    '\n' => self.0.push_str("\\n"),
                    _ => self.0.push(character),
                }
            }
            self.0.push('"');
            separator = ',';
        }
        if separator == ',' {
            self.0.push('}');
        }
        let _ = writeln!(self.0, " {value}");
    }

    fn single(&mut self, (name, kind, help): (&str, &str, &str), labels: &[(&str, &str)], value: f64) {
        self.family(name, kind, help);
        self.sample(name, labels, value);
    }
}

/// The text.
pub(super) fn render(scrape: &Scrape<'_>, per: Per) -> String {
    let mut text = Text(String::with_capacity(16 * 1024));
    let groups: Vec<(String, Snapshot)> = match per {
        Per::Shard => scrape
            .shards
            .iter()
            .enumerate()
            .map(|(index, shard)| (index.to_string(), shard.clone()))
            .collect(),
        Per::Process => sum(scrape.shards).map(|sum| (String::new(), sum)).into_iter().collect(),
    };
    requests(&mut text, scrape, &groups);
    durations(&mut text, scrape, &groups);
    connections(&mut text, &groups);
    shards(&mut text, scrape, &groups);
    cache(&mut text, &groups);
    store(&mut text, scrape.store);
    process(&mut text, scrape);
    text.0
}

fn sum(shards: &[Snapshot]) -> Option<Snapshot> {
    let mut shards = shards.iter();
    let mut sum = shards.next()?.clone();
    for shard in shards {
        sum.counters.add(&shard.counters);
        sum.is_degraded |= shard.is_degraded;
        // What all of them know.
        sum.foreign_writes = sum.foreign_writes.min(shard.foreign_writes);
        sum.cache.add(&shard.cache);
        sum.store_waiting += shard.store_waiting;
        sum.log_dropped += shard.log_dropped;
    }
    Some(sum)
}

const METHODS: [Method; Method::COUNT] = [
    Method::Get,
    Method::Head,
    Method::Post,
    Method::Put,
    Method::Patch,
    Method::Delete,
    Method::Options,
    Method::Trace,
    Method::Connect,
    Method::Unknown,
];

fn requests(text: &mut Text, scrape: &Scrape<'_>, groups: &[(String, Snapshot)]) {
    let name = "http_requests_total";
    text.family(name, "counter", "Requests answered, by declared route, method and status.");
    for (shard, snapshot) in groups {
        for (route, method, status, count) in snapshot.counters.requests() {
            let status = if status == 0 { "other".to_owned() } else { status.to_string() };
            let labels = [
                ("method", METHODS[method].as_str()),
                ("route", scrape.routes[route].as_str()),
                ("status", status.as_str()),
                ("shard", shard.as_str()),
            ];
            text.sample(name, &labels, count as f64);
        }
    }
}

fn durations(text: &mut Text, scrape: &Scrape<'_>, groups: &[(String, Snapshot)]) {
    let name = "http_request_duration_seconds";
    text.family(
        name,
        "summary",
        "From the end of a request to its answer; quantiles of the last one to two minutes.",
    );
    for (shard, snapshot) in groups {
        let recent = snapshot.counters.recent_us();
        for (quantile, label) in [(0.5, "0.5"), (0.95, "0.95"), (0.99, "0.99"), (0.999, "0.999")] {
            let value =
                if recent.is_empty() { f64::NAN } else { recent.value_at_quantile(quantile) as f64 / 1e6 };
            text.sample(name, &[("quantile", label), ("shard", shard)], value);
        }
        let (count, sum_ns) = total(&snapshot.counters);
        text.sample(&format!("{name}_sum"), &[("shard", shard)], sum_ns as f64 / 1e9);
        text.sample(&format!("{name}_count"), &[("shard", shard)], count as f64);
    }
    let name = "http_server_request_duration_seconds";
    text.family(name, "histogram", "From the end of a request to its answer, by declared route.");
    for (shard, snapshot) in groups {
        for (route, durations) in snapshot.counters.durations().iter().enumerate() {
            if durations.buckets.iter().all(|&count| count == 0) {
                continue;
            }
            let route = scrape.routes[route].as_str();
            let mut cumulative = 0;
            for (index, count) in durations.buckets.iter().enumerate() {
                cumulative += count;
                let bound = BUCKET_BOUNDS_NS
                    .get(index)
                    .map_or_else(|| "+Inf".to_owned(), |&bound| (bound as f64 / 1e9).to_string());
                let labels = [("http_route", route), ("le", bound.as_str()), ("shard", shard)];
                text.sample(&format!("{name}_bucket"), &labels, cumulative as f64);
            }
            let labels = [("http_route", route), ("shard", shard.as_str())];
            text.sample(&format!("{name}_sum"), &labels, durations.sum_ns as f64 / 1e9);
            text.sample(&format!("{name}_count"), &labels, cumulative as f64);
        }
    }
}

fn total(counters: &Counters) -> (u64, u64) {
    counters.durations().iter().fold((0, 0), |(count, sum_ns), durations| {
        (count + durations.buckets.iter().sum::<u64>(), sum_ns + durations.sum_ns)
    })
}

fn connections(text: &mut Text, groups: &[(String, Snapshot)]) {
    let rows: [Row; 4] = [
        ("ringmill_connections", "gauge", "Open connections.", |c| c.connections as f64),
        ("ringmill_connections_accepted_total", "counter", "Connections accepted.", |c| {
            c.connections_accepted as f64
        }),
        ("ringmill_connections_refused_total", "counter", "Connections refused for their number.", |c| {
            c.connections_refused as f64
        }),
        ("ringmill_connections_reset_total", "counter", "Connections reset: the client did not read.", |c| {
            c.connections_reset as f64
        }),
    ];
    each(text, groups, &rows);
}

fn shards(text: &mut Text, scrape: &Scrape<'_>, groups: &[(String, Snapshot)]) {
    let rows: [Row; 3] = [
        ("ringmill_turns_total", "counter", "Turns of the reactors.", |c| c.turns as f64),
        ("ringmill_turn_seconds_max", "gauge", "The longest turn since the last scrape.", |c| {
            c.turn_longest_ns as f64 / 1e9
        }),
        ("ringmill_busy_seconds_total", "counter", "Time that shards spent in their turns.", |c| {
            c.busy_ns as f64 / 1e9
        }),
    ];
    each(text, groups, &rows);
    let name = "ringmill_mesh_messages_total";
    text.family(name, "counter", "Messages that shards received, by kind.");
    for (shard, snapshot) in groups {
        for (kind, count) in snapshot.counters.messages.iter().enumerate().filter(|(_, count)| **count > 0) {
            text.sample(name, &[("kind", KINDS[kind]), ("shard", shard)], *count as f64);
        }
    }
    let name = "ringmill_log_dropped_total";
    text.family(name, "counter", "Log lines that found no room on their way.");
    for (shard, snapshot) in groups {
        // What was dropped behind the shards belongs to none of them.
        let behind = if shard.is_empty() { scrape.log_dropped } else { 0 };
        text.sample(name, &[("shard", shard)], (snapshot.log_dropped + behind) as f64);
    }
    let name = "ringmill_db_under_way";
    text.family(name, "gauge", "Jobs that shards handed to the database and that are not replied to.");
    for (shard, snapshot) in groups {
        text.sample(name, &[("server", "sqlite"), ("shard", shard)], snapshot.store_waiting as f64);
    }
    let name = "ringmill_db_foreign_writes_known_total";
    text.family(
        name,
        "counter",
        "Of the writes by other processes that were noticed, those that shards know of.",
    );
    for (shard, snapshot) in groups {
        text.sample(name, &[("server", "sqlite"), ("shard", shard)], snapshot.foreign_writes as f64);
    }
}

fn cache(text: &mut Text, groups: &[(String, Snapshot)]) {
    let name = "ringmill_cache_requests_total";
    let help = "Requests whose answers may be kept, by where the answer came from.";
    text.family(name, "counter", help);
    for (shard, snapshot) in groups {
        for (result, count) in RESULTS.iter().zip(snapshot.cache.results) {
            text.sample(name, &[("result", result), ("shard", shard)], count as f64);
        }
    }
    let rows: [CacheRow; 4] = [
        (
            "ringmill_cache_bytes",
            "gauge",
            "Bytes of answers that are kept, with what it takes to find them.",
            |c| c.bytes,
        ),
        ("ringmill_cache_entries", "gauge", "Answers that are kept; a copy on another shard counts.", |c| {
            c.entries
        }),
        ("ringmill_cache_evictions_total", "counter", "Answers that went for want of room.", |c| c.evictions),
        (
            "ringmill_cache_invalidations_total",
            "counter",
            "Writes that made answers stale, in the whole process.",
            |c| c.invalidations,
        ),
    ];
    for (name, kind, help, value) in rows {
        text.family(name, kind, help);
        for (shard, snapshot) in groups {
            text.sample(name, &[("shard", shard)], value(&snapshot.cache) as f64);
        }
    }
}

type CacheRow = (&'static str, &'static str, &'static str, fn(&CacheCounts) -> u64);

type Row = (&'static str, &'static str, &'static str, fn(&Counters) -> f64);

fn each(text: &mut Text, groups: &[(String, Snapshot)], rows: &[Row]) {
    for &(name, kind, help, value) in rows {
        text.family(name, kind, help);
        for (shard, snapshot) in groups {
            text.sample(name, &[("shard", shard)], value(&snapshot.counters));
        }
    }
}

fn store(text: &mut Text, statistics: &Statistics) {
    let server = ("server", "sqlite");
    let jobs: u64 = statistics.threads.iter().map(|thread| thread.jobs).sum();
    let busy: f64 = statistics.threads.iter().map(|thread| thread.busy.as_secs_f64()).sum();
    let name = "db_query_duration_seconds";
    text.family(name, "summary", "Time that jobs took in the database, without waiting.");
    text.sample(&format!("{name}_sum"), &[server], busy);
    text.sample(&format!("{name}_count"), &[server], jobs as f64);
    let name = "ringmill_db_waiting";
    text.family(name, "gauge", "Jobs in the database's queues.");
    for (queue, waiting) in [
        ("write", statistics.waiting_writes),
        ("read_by_key", statistics.waiting_reads_by_key),
        ("read", statistics.waiting_reads),
    ] {
        text.sample(name, &[server, ("queue", queue)], waiting as f64);
    }
    let name = "ringmill_db_jobs_total";
    text.family(name, "counter", "Jobs answered, by thread of the database.");
    for thread in &statistics.threads {
        text.sample(name, &[server, ("thread", &thread.name)], thread.jobs as f64);
    }
    let name = "ringmill_db_connections";
    text.family(name, "gauge", "Connections to the database.");
    text.sample(name, &[server, ("state", "open")], statistics.threads.len() as f64);
    let commits: u64 = statistics.threads.iter().map(|thread| thread.commits).sum();
    let commit =
        ("ringmill_db_commits_total", "counter", "Transactions committed; a group of writes shares one.");
    text.single(commit, &[server], commits as f64);
    let name = "ringmill_db_foreign_writes_total";
    let foreign = (name, "counter", "Times that a write by another process was noticed.");
    text.single(foreign, &[server], statistics.foreign_writes as f64);
    let rows: [StoreRow; 5] = [
        ("ringmill_db_checkpoints_total", "Times that the log was copied into the database.", |t| {
            t.checkpoints
        }),
        ("ringmill_db_prepared_total", "Statements prepared, at first or anew; the others were kept.", |t| {
            t.prepared
        }),
        ("ringmill_db_wait_timeouts_total", "Jobs given up because no thread was free in time.", |t| {
            t.wait_timeouts
        }),
        ("ringmill_db_unavailable_total", "Jobs that failed because of the database's file.", |t| {
            t.unavailable
        }),
        (
            "ringmill_db_lost_groups_total",
            "Groups of writes that one of them ended; the others ran again.",
            |t| t.losses,
        ),
    ];
    for (name, help, count) in rows {
        let count: u64 = statistics.threads.iter().map(count).sum();
        text.single((name, "counter", help), &[server], count as f64);
    }
}

type StoreRow = (&'static str, &'static str, fn(&ThreadStatistics) -> u64);

fn process(text: &mut Text, scrape: &Scrape<'_>) {
    let process = scrape.process;
    let rows = [
        (
            "cpu_usage_percent",
            "gauge",
            "Of the CPUs that shards have; 100 is all of them.",
            scrape.cpu_percent,
        ),
        ("process_cpu_seconds_total", "counter", "User and system time.", process.cpu_seconds),
        ("process_resident_memory_bytes", "gauge", "Resident memory.", process.resident_bytes as f64),
        ("process_virtual_memory_bytes", "gauge", "Virtual memory.", process.virtual_bytes as f64),
        ("process_open_fds", "gauge", "Open descriptors.", process.open_descriptors as f64),
        ("process_max_fds", "gauge", "The limit of open descriptors.", process.descriptors_max as f64),
        ("process_threads", "gauge", "Threads.", process.threads as f64),
        (
            "process_start_time_seconds",
            "gauge",
            "When the process started, seconds since 1970.",
            scrape.started_unix_seconds,
        ),
    ];
    for (name, kind, help, value) in rows {
        text.single((name, kind, help), &[], value);
    }
    let info = ("ringmill_build_info", "gauge", "Always 1; the version is a label.");
    text.single(info, &[("version", env!("CARGO_PKG_VERSION"))], 1.0);
}
