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
            "--set: tables.usrs: is no table of the file, and has no `columns` to be a new one; did you mean `users`?",
            "--set: server.cores: \"many\" is no list of CPUs; write \"all\", a count, or CPUs as in \"0-3,8\"",
            "--set: tables.users.list: \"\" does not begin with a slash; write it as in /api/user/{id}: a slash \
             first, a parameter alone between slashes",
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
            "b.toml:5: endpoints.e: has nothing to answer with; write sql = \"SELECT …\", \
             sql_file = \"NAME.sql\", json = { … } or echo = true",
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

/// Variables, and the faults and notes that they come to in a file with a table.
#[track_caller]
fn check_variables(names: &[&str], expected_faults: &[&str], expected_notes: &[&str]) {
    let folder =
        Folder::with("[server]\ndata = \"${RINGMILL_SERVER_DATA}\"\n[tables.t]\ncolumns.id = \"bigint\"\n");
    let mut environment: Vec<_> = names.iter().map(|name| (*name, "x")).collect();
    environment.push(("RINGMILL_SERVER_DATA", "x"));
    let examined = examine(&Inputs {
        config: None,
        working_directory: folder.path(),
        environment: pairs(&environment),
        sets: Vec::new(),
        flags: Vec::new(),
    });
    assert_eq!(shown(&examined.faults), expected_faults, "{names:?}");
    let notes = examined.plan.map(|plan| shown(&plan.notes)).unwrap_or_default();
    assert_eq!(notes, expected_notes, "{names:?}");
}

#[test]
fn variables_that_set_nothing() {
    const SETS_NONE: &str = "sets no key: `__` stands for the dot";
    let told = |name: &str, remedy: &str| format!("environment: {name}: {SETS_NONE}; {remedy}");
    for (name, meant) in [
        ("RINGMILL_SERVER_LISTEN", "RINGMILL_SERVER__LISTEN"),
        ("RINGMILL_HTTP_MAXBODY", "RINGMILL_HTTP__MAX_BODY"),
        ("RINGMILL_TABLES_T_NOUN", "RINGMILL_TABLES__T__NOUN"),
    ] {
        check_variables(&[name], &[&told(name, &format!("write {meant}"))], &[]);
    }
    for (name, meant) in [
        ("RINGMILL_SERVER_LISTN", "RINGMILL_SERVER__LISTEN"),
        ("RINGMILL_LISTEN", "RINGMILL_SERVER__LISTEN"),
        ("RINGMILL_MAX_BODY", "RINGMILL_HTTP__MAX_BODY"),
        ("RINGMILL_INCLUDES", "RINGMILL_INCLUDE"),
    ] {
        check_variables(&[name], &[], &[&told(name, &format!("did you mean {meant}?"))]);
    }
    // What container platforms and scripts make up, and what the file names itself.
    for name in [
        "RINGMILL_PORT",
        "RINGMILL_PORT_5000_TCP_ADDR",
        "RINGMILL_SERVICE_HOST",
        "RINGMILL_SEED",
        "RINGMILL_WRITE_DOCS",
        "RINGMILL_DATABASE_STATEMENT_TIMERS",
        "ringmill_server_listen",
        "RINGMILL_",
    ] {
        check_variables(&[name], &[], &[]);
    }
}

#[test]
fn a_pattern_that_matches_no_file_is_noted() {
    let folder =
        Folder::with("include = [\"api/*.toml\",\n\"*.none\"]\n[tables.t]\ncolumns.id = \"bigint\"\n");
    let shown_folder = folder.path().display();
    let notes = || shown(&folder.load(&[], &[]).expect("no fault").notes);
    let nothing_here = format!(
        "ringmill.toml:2: include: \"*.none\" matches no file in {shown_folder}; mend the pattern, or remove it"
    );
    let no_folder = format!(
        "ringmill.toml:1: include: \"api/*.toml\" matches no file: there is no folder {shown_folder}/api; mend the \
         pattern, or remove it"
    );
    assert_eq!(notes(), [no_folder, nothing_here.clone()]);
    folder.write("api/a.toml", "");
    assert_eq!(notes(), [nothing_here]);
}

#[test]
fn a_fault_in_an_sql_file_names_its_line() {
    let folder = Folder::with("include = [\"api/*.toml\"]\n");
    folder.write("api/c.toml", "[endpoints.c]\npath = \"/c/{id}\"\nsql_file = \"q/c.sql\"\n");
    let at = "endpoints.c.sql_file";
    for (sql, expected) in [
        ("-- c\n\nSELECT 1,\n 'x", format!("4: {at}: begins a string that is not closed; close it")),
        (
            "SELECT 1;\nSELECT 2",
            format!("2: {at}: begins a second statement; write one statement to an endpoint"),
        ),
        ("", format!("1: {at}: the statement is empty; write one, such as SELECT id FROM users")),
        (
            "SELECT 1,\n'\0'",
            format!(
                "2: {at}: holds a NUL byte (U+0000), where SQLite stops reading; remove it; a file that is full of them is UTF-16: save it as UTF-8"
            ),
        ),
        ("\n-- none", format!("1: {at}: the statement is empty; write one, such as SELECT id FROM users")),
        (
            "SELECT $id,\n $Id",
            format!(
                "2: {at}: $Id is not declared; did you mean `$id`? Else declare it: params = {{ Id = \"table.column\" }}"
            ),
        ),
    ] {
        folder.write("api/q/c.sql", sql);
        assert_eq!(shown(&folder.load(&[], &[]).unwrap_err()), [format!("api/q/c.sql:{expected}")], "{sql}");
    }
}
