//! `[server]`, `[http]`, `[log]`, `[database]` and `[cache]`.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::keys;
use super::paths;
use super::plan::{
    Access, AdminAddress, CacheDefaults, CacheRule, Cores, Database, Http, Level, Log, LogFormat, Server,
};
use super::section::{At, Section};
use super::tree::Value;
use super::values::{self, NetworkError};

/// The longest path of a Unix socket: `sun_path` of unix(7), less its NUL.
const SOCKET_PATH_BYTES_MAX: usize = 107;

pub(super) struct Services {
    pub(super) server: Server,
    pub(super) http: Http,
    pub(super) log: Log,
    pub(super) database: Database,
    pub(super) cache: CacheDefaults,
}

pub(super) fn plan(root: &Section<'_>) -> Services {
    // Read for their faults alone: what they do is done.
    root.integer("format");
    let server = server(&root.section("server"));
    let database = database(&root.section("database"), &server);
    Services {
        http: http(&root.section("http")),
        log: log(&root.section("log")),
        cache: cache(&root.section("cache")),
        server,
        database,
    }
}

fn server(section: &Section<'_>) -> Server {
    let listen = listen(section);
    let admin = admin(section, &listen);
    let trusted_proxies = section.texts("trusted_proxies").into_iter().filter_map(|(at, text)| {
        values::network(text)
            .map_err(|error| match error {
                NetworkError::NoNetwork => {
                    at.wrong("is no network", "write an address and how many bits count: \"10.0.0.0/8\"");
                }
                NetworkError::HostBits(network) => at.wrong(
                    "names a host within a network",
                    match at.node.secrecy {
                        super::tree::Secrecy::Plain => {
                            format!("write \"{}/{}\"", network.address, network.prefix_bits)
                        }
                        super::tree::Secrecy::Secret => "clear the bits behind the prefix".into(),
                    },
                ),
            })
            .ok()
    });
    Server {
        trusted_proxies: trusted_proxies.collect(),
        cores: cores(section),
        data: folder(section),
        metrics_path: section
            .get("metrics_path")
            .filter(|at| at.as_text() != Some(""))
            .and_then(|at| paths::fixed(&at)),
        drain_delay: section.duration("drain_delay"),
        drain_timeout: section.duration("drain_timeout"),
        listen,
        admin,
    }
}

const LISTEN_REMEDY: &str = "write an address and a port: \"127.0.0.1:5000\", \"[::1]:5000\"";

fn listen(section: &Section<'_>) -> Vec<SocketAddr> {
    let mut listen: Vec<SocketAddr> = Vec::new();
    for (at, text) in section.texts("listen") {
        let Ok(address) = text.parse::<SocketAddr>() else {
            at.wrong("is no address with a port", LISTEN_REMEDY);
            continue;
        };
        if listen.iter().any(|other| overlap(*other, address)) {
            at.wrong("is listened on already", "remove it, or take another port");
            continue;
        }
        listen.push(address);
    }
    if let Some(at) = section.get("listen")
        && matches!(&at.node.value, Value::List(items) if items.is_empty())
    {
        at.fault("names no address", LISTEN_REMEDY);
    }
    listen
}

/// Whether two sockets cannot both be bound. IPv6 sockets take IPv6 alone here, so that `0.0.0.0` and `[::]` may stand
/// side by side.
fn overlap(left: SocketAddr, right: SocketAddr) -> bool {
    left.port() != 0
        && left.port() == right.port()
        && left.is_ipv4() == right.is_ipv4()
        && (left.ip() == right.ip() || left.ip().is_unspecified() || right.ip().is_unspecified())
}

fn admin(section: &Section<'_>, listen: &[SocketAddr]) -> AdminAddress {
    const REMEDY: &str = "write a loopback address and a port, or unix:PATH";
    let stand_in = AdminAddress::Unix(PathBuf::new());
    let Some(at) = section.get("admin") else { return stand_in };
    let Some(text) = at.text() else { return stand_in };
    if let Some(path) = text.strip_prefix("unix:") {
        let path = at.place().origin.folder.join(path);
        let length = path.as_os_str().len();
        if text == "unix:" || text.contains('\0') {
            at.wrong("names no socket", "write unix:PATH");
        } else if length > SOCKET_PATH_BYTES_MAX {
            at.fault(
                format!("the socket's path has {length} bytes, more than the {SOCKET_PATH_BYTES_MAX} that Linux takes"),
                "put it into a folder with a shorter path",
            );
        }
        return AdminAddress::Unix(path);
    }
    let Ok(address) = text.parse::<SocketAddr>() else {
        at.wrong("is no address with a port", REMEDY);
        return stand_in;
    };
    if !address.ip().is_loopback() {
        at.wrong("is no loopback address: the admin listener is never public", REMEDY);
    }
    if listen.iter().any(|other| overlap(*other, address)) {
        at.wrong("is also in server.listen", "give one of them another port");
    }
    AdminAddress::Tcp(address)
}

fn cores(section: &Section<'_>) -> Cores {
    const REMEDY: &str = "write \"all\", a count, or CPUs as in \"0-3,8\"";
    let Some(at) = section.get("cores") else { return Cores::All };
    let number = at.as_text().filter(|text| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()));
    // In quotation marks, or through `${…}`, a lone number is still a count; CPU 4 alone is "4-4".
    if let Some(digits) = at.as_digits().or(number) {
        return match digits.parse() {
            Ok(count) if (1..=keys::CORES_MAX).contains(&count) => Cores::Count(count),
            _ => {
                at.wrong("is no count of cores", format!("write 1 to {}", keys::CORES_MAX));
                Cores::All
            }
        };
    }
    match at.as_text() {
        Some("all") => Cores::All,
        Some(text) => match values::cpus(text, keys::CORES_MAX - 1) {
            Some(cpus) => Cores::List(cpus),
            None => {
                at.wrong("is no list of CPUs", REMEDY);
                Cores::All
            }
        },
        None => {
            at.wrong("names no cores", REMEDY);
            Cores::All
        }
    }
}

fn folder(section: &Section<'_>) -> PathBuf {
    let Some(at) = section.get("data") else { return PathBuf::new() };
    let Some(text) = at.text() else { return PathBuf::new() };
    if text.is_empty() || text.contains('\0') {
        at.wrong("names no folder", "write a path; it is made if it is not there");
    }
    at.place().origin.folder.join(text)
}

fn http(section: &Section<'_>) -> Http {
    let max_head = section.size_if("max_head");
    let mut max_target = section.size_if("max_target");
    if let (Some(head), Some(target)) = (max_head, max_target)
        && target > head
    {
        match section.written("max_target") {
            Some(at) => {
                at.wrong("is more than http.max_head, which it is part of", "lower it, or raise max_head");
            }
            // A default gives way.
            None => max_target = max_head,
        }
    }
    let bytes = |size: Option<u64>| usize::try_from(size.unwrap_or_default()).unwrap_or(usize::MAX);
    let max_connections = section.get("max_connections").and_then(|at| match at.as_text() {
        Some("auto") => None,
        _ if at.as_digits().is_none() => {
            at.wrong("is no number of connections", "write \"auto\" or a number");
            None
        }
        _ => at.integer(1, keys::CONNECTIONS_MAX).map(to_usize),
    });
    Http {
        max_head_bytes: bytes(max_head),
        max_fields: to_usize(section.integer("max_fields")),
        max_target_bytes: bytes(max_target),
        max_body_bytes: bytes(section.size_if("max_body")),
        head_timeout: section.duration("head_timeout"),
        body_timeout: section.duration("body_timeout"),
        request_timeout: section.duration("request_timeout"),
        idle_timeout: section.duration("idle_timeout"),
        max_requests: u64::try_from(section.integer("max_requests")).ok().filter(|count| *count > 0),
        max_connections,
    }
}

/// Of a number whose bounds are those of a key and within the type.
pub(super) fn to_usize(number: i64) -> usize {
    usize::try_from(number).unwrap_or_default()
}

fn log(section: &Section<'_>) -> Log {
    Log {
        level: match section.choice("level") {
            "error" => Level::Error,
            "warn" => Level::Warn,
            "debug" => Level::Debug,
            _ => Level::Info,
        },
        format: match section.choice("format") {
            "text" => LogFormat::Text,
            _ => LogFormat::Json,
        },
        slow_request: section.duration_if("slow_request"),
        access: match section.choice("access") {
            "errors" => Access::Errors,
            "sample" => Access::Sample,
            "all" => Access::All,
            _ => Access::Off,
        },
    }
}

fn database(section: &Section<'_>, server: &Server) -> Database {
    // What only a database behind a network has is checked and has no place in the plan yet.
    section.text("password");
    section.duration("connect_timeout");
    section.duration("max_lifetime");
    section.choice("read");
    if let Some(at) = section.get("connections").filter(|at| at.as_text() != Some("cores")) {
        match at.as_digits() {
            Some(_) => _ = at.integer(1, keys::LINKS_MAX),
            None => at.wrong("is no number of links", "write \"cores\" or a number"),
        }
    }
    if let Some(at) = section.get("replicas")
        && !at.list("write replicas = []").is_empty()
    {
        at.later("a replica", "write replicas = []");
    }
    Database {
        sqlite: section.get("url").and_then(|at| sqlite_file(&at, server)).unwrap_or_default(),
        wait_timeout: section.duration("wait_timeout"),
        statement_timeout: section.duration("statement_timeout"),
        create_missing: section.boolean("create_missing"),
        start_timeout: section.duration("start_timeout"),
    }
}

/// The file behind `sqlite:FILE`. No message quotes the url: it may hold a password.
fn sqlite_file(at: &At<'_>, server: &Server) -> Option<PathBuf> {
    const REMEDY: &str = "write \"sqlite:FILE\", a file in `data` or an absolute path";
    let text = at.text()?;
    let lower = text.trim_start().to_ascii_lowercase();
    let key_value = lower.split_whitespace().next().is_some_and(|first| {
        first.split_once('=').is_some_and(|(name, _)| values::is_identifier(name.trim()))
    });
    if lower.starts_with("postgres:") || lower.starts_with("postgresql:") || key_value {
        at.later("a Postgres url", REMEDY);
        return None;
    }
    let Some(file) = text.strip_prefix("sqlite:") else {
        at.fault("the url names no database that is spoken", REMEDY);
        return None;
    };
    let file = file.strip_prefix("//").unwrap_or(file);
    if file == ":memory:" {
        at.later("a database in memory", REMEDY);
        return None;
    }
    if file.is_empty() || file.ends_with('/') || file.contains(['\0', '?']) {
        at.fault("the url names no file", REMEDY);
        return None;
    }
    Some(server.data.join(file))
}

fn cache(section: &Section<'_>) -> CacheDefaults {
    CacheDefaults {
        memory_bytes: section.size("memory"),
        rule: CacheRule {
            ttl: section.duration("ttl"),
            stale_while_revalidate: section.duration("stale_while_revalidate"),
            stale_if_error: section.duration("stale_if_error"),
            negative_ttl: section.duration("negative_ttl"),
            browser_ttl: section.duration("browser_ttl"),
            cdn_ttl: section.duration("cdn_ttl"),
        },
    }
}

/// `cache` of a table or an endpoint, as the key `cache` of `section`.
pub(super) fn cache_rule(section: &Section<'_>, defaults: &CacheDefaults) -> Option<CacheRule> {
    let at = section.get("cache")?;
    if !at.node.is_table() {
        return match at.node.value {
            Value::Text(_) if at.node.secrecy == super::tree::Secrecy::Plain => {
                at.wrong("is no cache rule", "write true, false, or { ttl = \"1h\" }");
                None
            }
            _ => at.boolean().then(|| defaults.rule.clone()),
        };
    }
    let rule = at.section(keys::CACHE_RULE);
    let or = |name, default| rule.duration_if(name).unwrap_or(default);
    let defaults = &defaults.rule;
    Some(CacheRule {
        ttl: or("ttl", defaults.ttl),
        stale_while_revalidate: or("stale_while_revalidate", defaults.stale_while_revalidate),
        stale_if_error: or("stale_if_error", defaults.stale_if_error),
        negative_ttl: or("negative_ttl", defaults.negative_ttl),
        browser_ttl: or("browser_ttl", defaults.browser_ttl),
        cdn_ttl: or("cdn_ttl", defaults.cdn_ttl),
    })
}
