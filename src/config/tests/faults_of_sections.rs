//! Faults of the fixed sections and of the policies.

use super::*;

#[test]
fn the_example_of_the_manual() {
    check(
        "[tables.users]\ncolumns.id = \"bigint\"\n[tables.users.cache]\n\nttl = \"5x\"\n",
        &[
            "ringmill.toml:5: tables.users.cache.ttl: \"5x\" is no duration; write a number with a unit: 250ms, 5s, \
           1m, 1h, 1d",
        ],
    );
}

#[test]
fn unknown_keys_have_a_nearest_one() {
    check(
        "frmat = 1\n[server]\nlisen = 1\nzzzzzz = 1\n[zzzzzz]\n",
        &[
            "ringmill.toml:1: frmat: is no key; did you mean `format`?",
            "ringmill.toml:3: server.lisen: is no key; did you mean `listen`?",
            "ringmill.toml:4: server.zzzzzz: is no key; known: listen, admin, cores, data, trusted_proxies, \
             metrics_path, drain_delay, drain_timeout",
            "ringmill.toml:5: zzzzzz: is no key; known: format, include, server, http, log, database, cache, \
             rate_limits, tables, endpoints",
        ],
    );
}

#[test]
fn what_is_for_later() {
    let remedy = "is not in this version; remove it; the name is kept for later";
    for name in ["auth", "redis", "cors", "tls", "static", "jobs", "databases"] {
        check(&format!("[{name}]\nx = 1\n"), &[&format!("ringmill.toml:1: {name}: {remedy}")]);
    }
    let url = "write \"sqlite:FILE\", a file in `data` or an absolute path";
    for text in
        ["postgres://u:hunter2@h/d", "postgresql://h/d", "host=h password=hunter2", " dbname = 'x'", "user=a"]
    {
        let expected = match text {
            " dbname = 'x'" => "the url names no database that is spoken".to_string(),
            _ => "a Postgres url is not in this version".to_string(),
        };
        check(
            &format!("[database]\nurl = \"{text}\"\n"),
            &[&format!("ringmill.toml:2: database.url: {expected}; {url}")],
        );
    }
    check(
        "[database]\nreplicas = [{ url = \"postgres://u:hunter2@h/d\" }]\n[database.shards]\nby = \"range\"\n",
        &[
            "ringmill.toml:2: database.replicas: a replica is not in this version; write replicas = []",
            &format!("ringmill.toml:3: database.shards: {remedy}"),
        ],
    );
    check_table(
        "filter = [\"id\"]\npage = { total = \"estimated\" }\naccess = { list = \"staff\" }\nlist = \"/t\"",
        &[
            "ringmill.toml:3: tables.t.filter: filter is not in this version; write filter = []",
            "ringmill.toml:4: tables.t.page.total: an estimated total is not in this version; write total = \
             \"exact\" or \"none\"",
            "ringmill.toml:5: tables.t.access.list: access other than \"public\" is not in this version; write list = \"public\"; an \
             operation that is left out does not exist",
        ],
    );
}

/// One key of one section and what is said about it, without file, line and key.
#[track_caller]
fn check_key(section: &str, key: &str, value: &str, expected: &str) {
    let prefix = format!("ringmill.toml:2: {section}.{key}: ");
    let text = format!("[{section}]\n{key} = {value}\n");
    match expected {
        "" => check(&text, &[]),
        _ => check(&text, &[&(prefix + expected)]),
    }
}

#[test]
fn server() {
    let listen = "write an address and a port: \"127.0.0.1:5000\", \"[::1]:5000\"";
    let check = |key: &str, value: &str, expected: &str| check_key("server", key, value, expected);
    check("listen", "[\"0.0.0.0:80\", \"[::]:80\"]", "");
    check("listen", "\"localhost:80\"", &format!("\"localhost:80\" is no address with a port; {listen}"));
    check("listen", "5000", "5000 is no text; write it in quotation marks");
    check("listen", "[]", &format!("names no address; {listen}"));
    check(
        "listen",
        "[\"0.0.0.0:80\", \"127.0.0.1:80\"]",
        "\"127.0.0.1:80\" is listened on already; remove it, or take another port",
    );
    check("admin", "\"unix:/run/ringmill.sock\"", "");
    check("admin", "\"[::1]:5001\"", "");
    check(
        "admin",
        "\"0.0.0.0:5001\"",
        "\"0.0.0.0:5001\" is no loopback address: the admin listener is never public; write a loopback address \
         and a port, or unix:PATH",
    );
    check(
        "admin",
        "\"127.0.0.1:5000\"",
        "\"127.0.0.1:5000\" is also in server.listen; give one of them another port",
    );
    check("admin", "\"unix:\"", "\"unix:\" names no socket; write unix:PATH");
    check(
        "admin",
        &format!("\"unix:/{}\"", "x".repeat(107)),
        "the socket's path has 108 bytes, more than the \
         107 that Linux takes; put it into a folder with a shorter path",
    );
    check("cores", "0", "0 is no count of cores; write 1 to 1024");
    check("cores", "1.5", "1.5 names no cores; write \"all\", a count, or CPUs as in \"0-3,8\"");
    check("cores", "\"3-1\"", "\"3-1\" is no list of CPUs; write \"all\", a count, or CPUs as in \"0-3,8\"");
    check("data", "\"\"", "\"\" names no folder; write a path; it is made if it is not there");
    check("trusted_proxies", "[\"10.0.0.0/8\", \"::1\"]", "");
    check("trusted_proxies", "\"10.0.0.0/8\"", "\"10.0.0.0/8\" is no list; write a list of texts: [\"…\"]");
    check(
        "trusted_proxies",
        "[\"10.1.0.0/8\"]",
        "\"10.1.0.0/8\" names a host within a network; write \"10.0.0.0/8\"",
    );
    check(
        "trusted_proxies",
        "[\"lan\"]",
        "\"lan\" is no network; write an address and how many bits count: \"10.0.0.0/8\"",
    );
    check("metrics_path", "\"/{x}\"", "\"/{x}\" has a parameter; write a path without {…}");
    check(
        "metrics_path",
        "\"/health\"",
        "GET of this path is a route of ringmill itself (/health) already; change \
         one of the paths or methods",
    );
    check("drain_timeout", "30", "30 is no duration; write a number with a unit: 250ms, 5s, 1m, 1h, 1d");
    check("drain_timeout", "\"2d\"", "\"2d\" is out of bounds; write 0s to 1d");
}

#[test]
fn http() {
    let check = |key: &str, value: &str, expected: &str| check_key("http", key, value, expected);
    check("max_head", "16384", "");
    check("max_head", "\"1KiB\"", "");
    check("max_head", "\"16KB\"", "\"16KB\" is no size; write a number with a unit: 64KiB, 1MiB, 1GiB");
    check("max_head", "\"2GiB\"", "\"2GiB\" is out of bounds; write 1KiB to 1MiB");
    check("max_body", "0", "");
    check("max_body", "-1", "-1 is no size; write a number with a unit: 64KiB, 1MiB, 1GiB");
    check("max_fields", "1", "1 is out of bounds; write 8 to 10000");
    check(
        "max_fields",
        "\"100\"",
        "\"100\" is no whole number; write max_fields = 100, without quotation marks",
    );
    check("max_fields", "\"7\"", "\"7\" is no whole number; write 8 to 10000");
    check("max_fields", "99999999999999999999", "99999999999999999999 is out of bounds; write 8 to 10000");
    check(
        "max_target",
        "\"32KiB\"",
        "\"32KiB\" is more than http.max_head, which it is part of; lower it, or raise max_head",
    );
    check("head_timeout", "\"0s\"", "\"0s\" is out of bounds; write 1ms to 1h");
    check("max_requests", "0xFF", "");
    check("max_connections", "\"many\"", "\"many\" is no number of connections; write \"auto\" or a number");
    check("max_connections", "0", "0 is out of bounds; write 1 to 10000000");
}

#[test]
fn log_database_and_cache() {
    check_key("log", "slow_request", "\"\"", "");
    check_key("log", "level", "\"wran\"", "\"wran\" is none of the values; did you mean \"warn\"?");
    check_key(
        "log",
        "access",
        "\"everything\"",
        "\"everything\" is none of the values; write \"off\" or \"errors\" or \"sample\" or \"all\"",
    );
    let url = "write \"sqlite:FILE\", a file in `data` or an absolute path";
    check_key("database", "url", "\"sqlite:///var/x.db\"", "");
    check_key(
        "database",
        "url",
        "\"mysql://u:p@h\"",
        &format!("the url names no database that is spoken; {url}"),
    );
    check_key("database", "url", "\"sqlite:\"", &format!("the url names no file; {url}"));
    check_key(
        "database",
        "url",
        "\"sqlite::memory:\"",
        &format!("a database in memory is not in this version; {url}"),
    );
    check_key("database", "connections", "4", "");
    check_key("database", "connections", "0", "0 is out of bounds; write 1 to 1000");
    check_key(
        "database",
        "connections",
        "\"few\"",
        "\"few\" is no number of links; write \"cores\" or a number",
    );
    check_key(
        "database",
        "create_missing",
        "\"yes\"",
        "\"yes\" is neither true nor false; write true or false, without quotation marks",
    );
    check_key("cache", "memory", "\"1KiB\"", "\"1KiB\" is out of bounds; write 1MiB to 1024GiB");
    check(
        "cache = true\n",
        &["ringmill.toml:1: cache: true is no table; known keys: memory, ttl, \
         stale_while_revalidate, stale_if_error, negative_ttl, browser_ttl, cdn_ttl"],
    );
}

/// Lines of a policy, whose first is line 2 of the file, and its faults without file and section.
#[track_caller]
fn check_policy(lines: &str, expected: &[&str]) {
    let expected: Vec<String> = expected
        .iter()
        .map(|fault| {
            let (line, rest) = fault.split_once(' ').expect("a line and a fault");
            format!("ringmill.toml:{line} rate_limits.p{rest}")
        })
        .collect();
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    check(&format!("[rate_limits.p]\n{lines}\n"), &expected);
}

#[test]
fn policies() {
    check_policy(
        "",
        &[
            "1: : has no `algorithm`; write algorithm = \"sliding_window\"",
            "1: : has no `rate`; write rate = \"100/min\"",
        ],
    );
    for (algorithm, rate, expected) in [
        ("fixed_window", "4294967295/d", ""),
        (
            "fixed_window",
            "4294967296/d",
            "\"4294967296/d\" is more than a fixed_window can count; write at most \
             4294967295 for this unit, or take another algorithm",
        ),
        ("sliding_window", "16777215/h", ""),
        (
            "sliding_window",
            "16777216/h",
            "\"16777216/h\" is more than a sliding_window can count; write at most \
             16777215 for this unit, or take another algorithm",
        ),
        ("token_bucket", "1000000/s", ""),
        (
            "token_bucket",
            "1000001/s",
            "\"1000001/s\" is more than a token_bucket can count; write at most 1000000 \
             for this unit, or take another algorithm",
        ),
        (
            "token_bucket",
            "99999999999999999999/d",
            "\"99999999999999999999/d\" is more than a token_bucket can \
             count; write at most 4294967295 for this unit, or take another algorithm",
        ),
        ("token_bucket", "0/s", "\"0/s\" lets nobody in; write a count of at least 1, or remove the routes"),
        ("token_bucket", "10/m", "\"10/m\" is no rate; write a count for a unit: 10/s, 100/min, 1000/h"),
    ] {
        let lines = format!("algorithm = \"{algorithm}\"\nrate = \"{rate}\"");
        match expected {
            "" => check_policy(&lines, &[]),
            _ => check_policy(&lines, &[&format!("3: .rate: {expected}")]),
        }
    }
    let bucket = |lines: &str| format!("algorithm = \"token_bucket\"\nrate = \"1/d\"\n{lines}");
    check_policy(&bucket("burst = 365"), &[]);
    check_policy(
        &bucket("burst = 366"),
        &["4: .burst: 366 tokens take more than a year to refill; lower burst, or raise rate"],
    );
    check_policy(&bucket("burst = 0"), &["4: .burst: 0 is out of bounds; write 1 to 4294967295"]);
    check_policy(
        "algorithm = \"fixed_window\"\nrate = \"1/s\"\nburst = 2",
        &["4: .burst: burst is for a token_bucket only; remove it, or take algorithm = \"token_bucket\""],
    );
    check_policy(&bucket("by = \"ip\""), &[]);
    check_policy(
        &bucket("by = [\"header:\", \"cookie\", \"ip\", \"ip\"]"),
        &[
            "4: .by: \"header:\" names no caller; write \"ip\" or \"header:NAME\"",
            "4: .by: \"cookie\" names no caller; write \"ip\" or \"header:NAME\"",
            "4: .by: \"ip\" stands in the list twice; remove one of them",
        ],
    );
    check_policy(&bucket("by = []"), &["4: .by: names no caller; write \"ip\" or \"header:NAME\""]);
    check_policy(
        &bucket(
            "tiers = [{ caller = \"a\", rate = \"unlimited\" },\n{ caller = \"a\", rate = \"0/s\" },\n{}]",
        ),
        &[
            "5: .tiers.rate: \"0/s\" lets nobody in; write a count of at least 1, or remove the routes",
            "5: .tiers.caller: \"a\" has a tier already; remove one of them",
            "6: .tiers: has no `caller`; write caller = \"…\"",
            "6: .tiers: has no `rate`; write rate = \"unlimited\" or a rate",
        ],
    );
    check(
        "[rate_limits.\"a b\"]\nalgorithm = \"fixed_window\"\nrate = \"1/s\"\n",
        &[
            "ringmill.toml:1: rate_limits.\"a b\": is no name of a policy; take letters, digits, `_` and `-`, at most \
           63",
        ],
    );
}

/// Opening one would wait until somebody writes to it.
#[test]
fn pipes_are_not_opened() {
    let folder = Folder::with(
        "include = [\"pipe\"]\n[server]\ncores = \"${file:pipe}\"\n[endpoints.e]\npath = \"/e\"\nsql_file = \"pipe\"\n",
    );
    let pipe = folder.path().join("pipe");
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).expect("a pipe");
    let cannot = "cannot be read: it is not a regular file; name a file, not a device, pipe or socket";
    assert_eq!(
        shown(&folder.load(&[], &[]).expect_err("pipes")),
        [
            "ringmill.toml:1: include: \"pipe\" is not a regular file; name files that exist, `*` and `?` stand for \
             parts of names: api/*.toml",
            &format!("ringmill.toml:3: server.cores: ${{file:pipe}} {cannot}"),
            &format!("ringmill.toml:6: endpoints.e.sql_file: \"pipe\" {cannot}"),
        ]
    );
    let inputs = Inputs {
        config: Some("pipe".into()),
        working_directory: folder.path(),
        environment: Vec::new(),
        sets: Vec::new(),
        flags: Vec::new(),
    };
    assert_eq!(shown(&load(&inputs).expect_err("a pipe")), [format!("pipe: {cannot}")]);
}

#[test]
fn a_choice_that_is_no_text_is_told_the_choices() {
    let choices = "write \"off\" or \"errors\" or \"sample\" or \"all\"";
    for (value, remedy) in
        [("true", choices), ("1", choices), ("[\"all\"]", choices), ("\"error\"", "did you mean \"errors\"?")]
    {
        let quoted = if value.starts_with('[') { "a list" } else { value };
        let fault = format!("ringmill.toml:2: log.access: {quoted} is none of the values; {remedy}");
        check(&format!("[log]\naccess = {value}\n"), &[&fault]);
    }
}
