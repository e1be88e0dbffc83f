//! Which layer wins, what is included, where paths start.

use std::time::Duration;

use super::*;
use crate::config::plan::*;

const FILE: &str = "[server]\nlisten = \"127.0.0.1:1\"\ndrain_timeout = \"1s\"\ndrain_delay = \"1s\"\n";

#[test]
fn the_later_layer_wins() {
    let environment = [("RINGMILL_SERVER__DRAIN_TIMEOUT", "2s"), ("RINGMILL_SERVER__LISTEN", "127.0.0.1:2")];
    let sets = [("server.listen", "127.0.0.1:3"), ("server.listen", "[\"127.0.0.1:4\", \"127.0.0.1:5\"]")];
    let plan = Folder::with(FILE).load(&environment, &sets).expect("no fault");
    assert_eq!(plan.server.drain_delay, Duration::from_secs(1));
    assert_eq!(plan.server.drain_timeout, Duration::from_secs(2));
    assert_eq!(plan.server.listen, ["127.0.0.1:4".parse().unwrap(), "127.0.0.1:5".parse().unwrap()]);
}

#[test]
fn each_key_can_be_set_from_outside() {
    let sets = [
        ("tables.users.cache.ttl", "5m"),
        ("tables.posts.cache.ttl", "6m"),
        ("tables.posts.columns.note", "text"),
        ("tables.posts.columns.note.max_length", "5"),
        ("rate_limits.read.rate", "7/s"),
        ("tables.users.page.max", "50"),
        ("endpoints.data.json", "[1, 2]"),
        ("server.cores", "2"),
        ("\"log\".'level'", "debug"),
        ("http.max_connections", "100"),
        ("database.password", "12345"),
    ];
    let plan = load_builtin(&[("RINGMILL_TABLES__Users__NOUN", "Person")], &sets).expect("no fault");
    assert_eq!(plan.tables[0].cache.as_ref().unwrap().ttl, Duration::from_secs(300));
    assert_eq!(plan.tables[0].noun, "Person");
    assert_eq!(plan.tables[0].page.max, 50);
    assert_eq!(plan.tables[1].cache.as_ref().unwrap().ttl, Duration::from_secs(360));
    assert_eq!(plan.tables[1].columns[3].rules.kind, Type::Text);
    assert_eq!(plan.tables[1].columns[3].rules.max_length, Some(5));
    assert_eq!(plan.rate_limits[0].rate.count, 7);
    assert!(matches!(&plan.endpoints[2].kind, EndpointKind::Json(json) if json == "[1,2]"));
    assert_eq!(plan.server.cores, Cores::Count(2));
    assert_eq!(plan.log.level, Level::Debug);
    assert_eq!(plan.http.max_connections, Some(100));
    assert_eq!(plan.shown["database"]["password"], "***");
}

#[test]
fn a_key_below_a_short_form_makes_it_a_table() {
    let folder = Folder::with("[tables.t]\ncache = true\nrate_limit = []\ncolumns.id = \"bigint\"\n");
    let plan = folder.load(&[], &[("tables.t.cache.ttl", "5m")]).expect("no fault");
    assert_eq!(plan.tables[0].cache.as_ref().unwrap().ttl, Duration::from_secs(300));
    let faults = folder.load(&[], &[("tables.t.rate_limit.get", "x")]).unwrap_err();
    assert_eq!(
        shown(&faults),
        ["--set: tables.t.rate_limit.get: `tables.t.rate_limit` is a list and has no keys; set \
          `tables.t.rate_limit` as a whole"]
    );
}

#[test]
fn the_later_layer_says_what_is_included() {
    let folder = Folder::with("include = [\"no.toml\"]\n");
    folder.write("a.toml", "[tables.a]\ncolumns.id = \"bigint\"\n");
    let (no, a) = ("[\"none.toml\"]", "[\"a.toml\"]");
    let plan =
        folder.load(&[("RINGMILL_INCLUDE", no)], &[("include", no), ("include", a)]).expect("no fault");
    assert_eq!(plan.tables.len(), 1);
}

#[test]
fn cores_have_three_forms() {
    for (text, cores) in [
        ("all", Cores::All),
        ("3", Cores::Count(3)),
        ("\"3\"", Cores::Count(3)),
        ("3-3", Cores::List(vec![3])),
        ("0-3,8", Cores::List(vec![0, 1, 2, 3, 8])),
    ] {
        assert_eq!(load_builtin(&[], &[("server.cores", text)]).unwrap().server.cores, cores, "{text}");
    }
}

#[test]
fn faults_of_layers_name_them() {
    let environment = [
        ("RINGMILL_SERVER__LISTN", "x"),
        ("RINGMILL_SERVER____X", "x"),
        ("RINGMILL_SERVER__DRAIN_DELAY", "5x"),
        ("RINGMILL_PORT", "tcp://10.0.0.1:80"),
        ("OTHER", "x"),
    ];
    let sets = [
        ("a b", "1"),
        ("server.listen.port", "1"),
        ("tables.usrs.cache.ttl", "1s"),
        ("server.cores", "many"),
        ("tables.users.list", ""),
    ];
    let faults = load_builtin(&environment, &sets).unwrap_err();
    assert_eq!(
        shown(&faults),
        [
            "environment: RINGMILL_SERVER____X: is no key; write the key in capitals with `__` for the dot: \
             RINGMILL_SERVER__LISTEN",
            "environment: server.listn: is no key; did you mean `listen`?",
            "environment: server.drain_delay: \"5x\" is no duration; write a number with a unit: 250ms, 5s, 1m, 1h, 1d",
            "--set: \"a b\" is no key; write it as in tables.users.cache.ttl",
            "--set: server.listen.port: `server.listen` is \"127.0.0.1:5000\" and has no keys; set `server.listen` \
             as a whole",
            "--set: server.cores: \"many\" is no list of CPUs; write \"all\", a count, or CPUs as in \"0-3,8\"",
            "--set: tables.users.list: \"\" does not begin with a slash; write it as in /api/user/{id}: a slash \
             first, a parameter alone between slashes",
            "--set: tables.usrs: has no columns; declare them in [tables.usrs.columns]",
            "--set: tables.usrs.key: \"id\" is no column of this table; there is no column",
        ]
    );
}

#[test]
fn included_files_add_tables_endpoints_and_policies() {
    let folder =
        Folder::with("include = [\"api/*.toml\", \"one.toml\"]\n[tables.a]\ncolumns.id = \"bigint\"\n");
    folder.write(
        "api/b.toml",
        "[tables.b]\ncolumns.id = \"bigint\"\ncolumns.a = { type = \"bigint\", references = \"a.id\" }\n",
    );
    folder.write("api/c.toml", "[endpoints.c]\npath = \"/c\"\nsql_file = \"c.sql\"\nrate_limit = \"p\"\n");
    folder.write("api/c.sql", "SELECT 1");
    folder.write("api/no.txt", "!");
    folder.write("one.toml", "[rate_limits.p]\nalgorithm = \"fixed_window\"\nrate = \"1/s\"\n");
    let plan = folder.load(&[], &[("tables.b.noun", "Bee")]).expect("no fault");
    assert_eq!(plan.source, Source::File(PathBuf::from("ringmill.toml")));
    assert_eq!(plan.tables[1].noun, "Bee");
    assert_eq!(plan.endpoints[0].rate_limit, [0]);
    assert!(matches!(&plan.endpoints[0].kind, EndpointKind::Sql(sql) if sql.sql == "SELECT 1"));
}

#[test]
fn faults_of_included_files() {
    let folder =
        Folder::with("include = [\"*.toml\", \"x.toml\", \"**\"]\n[tables.a]\ncolumns.id = \"bigint\"\n");
    folder.write("b.toml", "\n[tables.a]\ncolumns.id = \"bigint\"\n[server]\n[endpoints.e]\npath = \"/e\"\n");
    assert_eq!(
        shown(&folder.load(&[], &[]).unwrap_err()),
        [
            "ringmill.toml:1: include: \"x.toml\" names no file that exists; name files that exist, `*` and `?` \
             stand for parts of names: api/*.toml",
            "ringmill.toml:1: include: \"**\" has a `**`, which is not in this version; name files that exist, \
             `*` and `?` stand for parts of names: api/*.toml",
            "b.toml:2: tables.a: is declared twice, here and in ringmill.toml:2; rename or remove one of them",
            "b.toml:4: server: may not stand in an included file; an included file holds [rate_limits], [tables] \
             and [endpoints]; move it to the main file",
            "b.toml:5: endpoints.e: answers with nothing; write one of sql, sql_file, json, echo",
        ]
    );
    folder.write("b.toml", "\n= 1");
    assert_eq!(
        shown(&folder.load(&[], &[]).unwrap_err()).last().unwrap(),
        "b.toml:2: no TOML: unquoted keys cannot be empty, expected letters, numbers, `-`, `_`; mend the syntax, then check again"
    );
}

#[test]
fn paths_start_at_the_file_or_at_the_shell() {
    let folder = Folder::with("");
    folder.write("etc/mill.toml", "[server]\ndata = \"rows\"\nadmin = \"unix:a.sock\"\n");
    let load = |sets: &[(&str, &str)]| {
        let config = Some(PathBuf::from("etc/mill.toml"));
        let inputs = Inputs {
            config,
            working_directory: folder.path(),
            environment: Vec::new(),
            sets: pairs(sets),
            flags: Vec::new(),
        };
        load(&inputs).expect("no fault")
    };
    let plan = load(&[]);
    assert_eq!(plan.source, Source::File(PathBuf::from("etc/mill.toml")));
    assert_eq!(plan.server.data, folder.path().join("etc/rows"));
    assert_eq!(plan.server.admin, AdminAddress::Unix(folder.path().join("etc/a.sock")));
    assert_eq!(plan.database.sqlite, folder.path().join("etc/rows/ringmill.db"));
    let plan = load(&[("server.data", "rows"), ("database.url", "sqlite:/var/x.db")]);
    assert_eq!(plan.server.data, folder.path().join("rows"));
    assert_eq!(plan.database.sqlite, Path::new("/var/x.db"));
}

#[test]
fn a_named_file_that_is_not_there() {
    let inputs = Inputs {
        config: Some("no.toml".into()),
        working_directory: Path::new("/nowhere"),
        environment: Vec::new(),
        sets: Vec::new(),
        flags: Vec::new(),
    };
    assert_eq!(
        shown(&load(&inputs).unwrap_err()),
        ["no.toml: cannot be read: No such file or directory (os error 2); name a file that exists; \
          `ringmill init` writes one"]
    );
}

#[test]
fn other_formats_and_faults_of_syntax() {
    check("format = 1\n", &[]);
    check(
        "format = 2\nx = 1\n",
        &["ringmill.toml:1: format: 2 is no format that this version reads; write format = 1, or use the \
           version of ringmill that the file is for"],
    );
    check(
        "a = \n[server]\nlisten = 1\nlisten = 2\n\nx = \"\n",
        &[
            "ringmill.toml:1: no TOML: string values must be quoted, expected literal string; mend the syntax, then \
             check again",
            "ringmill.toml:4: no TOML: duplicate key; mend the syntax, then check again",
            "ringmill.toml:6: no TOML: invalid basic string, expected `\"`; mend the syntax, then check again",
        ],
    );
}
