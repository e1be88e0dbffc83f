//! The command line: exit codes, what the last line says, and where the configuration comes from.

use crate::server::{BUILTIN, Server, Setup, folder, run};

#[test]
fn a_wrong_command_line_is_2() {
    let folder = folder(&[]);
    for arguments in [
        &["serve", "--no-such-flag"][..],
        &["serve", "--cores"],
        &["serve", "--set", "novalue"],
        &["no-such-command"],
        &[],
        &["init", "a", "b"],
        &["seed", "--table", "users"],
    ] {
        let ended = run(folder.path(), arguments);
        assert_eq!(ended.code, Some(2), "{arguments:?}: {}", ended.stderr);
        assert!(!ended.stderr.is_empty(), "{arguments:?}");
    }
    for arguments in [
        &["--help"][..],
        &["serve", "--help"],
        &["init", "--help"],
        &["check", "--help"],
        &["migrate", "--help"],
        &["--version"],
    ] {
        let ended = run(folder.path(), arguments);
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{arguments:?}");
        assert!(!ended.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn what_is_kept_for_later_is_refused_as_such() {
    let folder = folder(&[]);
    for arguments in
        [&["worker"][..], &["doctor", "--fix"], &["top", "5"], &["backup", "--to", "elsewhere", "--", "x"]]
    {
        let ended = run(folder.path(), arguments);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{arguments:?}: {}", ended.stderr);
        let expected = format!("ringmill: `{}` is not in this version; ", arguments[0]);
        assert!(ended.last_line().starts_with(&expected), "{}", ended.stderr);
    }
    let ended = run(folder.path(), &["wroker"]);
    assert!(ended.code == Some(2) && ended.stderr.contains("unrecognized subcommand"), "{}", ended.stderr);
    let help = run(folder.path(), &["--help"]).stdout;
    assert!(help.contains("serve") && help.contains("migrate") && !help.contains("worker"), "{help}");
}

/// The last line of a start that fails.
#[track_caller]
fn check_last_line(arguments: &[&str], expected: &[&str]) {
    let folder = folder(&[("one.toml", "[server]\nlisten = \"x\"\n"), ("file", "")]);
    let ended = run(folder.path(), arguments);
    assert_eq!(ended.code, Some(1), "{arguments:?}: {}", ended.stderr);
    let last = ended.last_line();
    assert!(last.starts_with("ringmill: "), "{last}");
    for words in expected {
        assert!(last.contains(words), "no {words:?} in {last}");
    }
}

#[test]
fn the_last_line_names_the_fault_its_place_and_its_remedy() {
    let no_address = "is no address with a port; write an address and a port";
    check_last_line(
        &["serve", "--config", "one.toml"],
        &["ringmill: one.toml:2: server.listen: \"x\" ", no_address],
    );
    check_last_line(&["serve", "--listen", "x"], &["ringmill: --listen: server.listen: \"x\" ", no_address]);
    check_last_line(&["serve", "--admin", "x"], &["ringmill: --admin: server.admin: \"x\" "]);
    check_last_line(&["serve", "--cores", "x"], &["ringmill: --cores: server.cores: \"x\" "]);
    check_last_line(
        &["serve", "--data", "file/x", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"],
        &["--data"],
    );
    check_last_line(
        &["serve", "--listen", "x", "--set", "http.max_head=x"],
        &["2 faults in the configuration", "the last: ", "is no", "; write "],
    );
    check_last_line(&["serve", "--config", "."], &["ringmill: .: is a folder; name the file in it"]);
    check_last_line(
        &["serve", "--listen", "192.0.2.1:5000"],
        &["192.0.2.1:5000", "use one that `ip addr` shows, or 0.0.0.0"],
    );
    check_last_line(&["serve", "--cores", "1023-1023"], &["CPU 1023", "name some of 0"]);
    check_last_line(&["init", "file/ringmill.toml"], &["file/ringmill.toml", "name another FILE"]);
}

#[test]
fn an_address_in_use_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its address").to_string();
    let folder = folder(&[]);
    for arguments in [
        ["serve", "--listen", &address, "--admin", "127.0.0.1:0"],
        ["serve", "--listen", "127.0.0.1:0", "--admin", &address],
    ] {
        let ended = run(folder.path(), &arguments);
        assert_eq!(ended.code, Some(1), "{}", ended.stderr);
        let last = ended.last_line();
        assert!(last.starts_with("ringmill: ") && last.contains(&address), "{last}");
        assert!(!ended.stdout.contains("ready"), "{}", ended.stdout);
    }
    // A second process on the same port too, though its sockets would share it.
    let server = Setup::shards(1).start();
    let address = server.public.to_string();
    let ended =
        run(folder.path(), &["serve", "--listen", &address, "--admin", "127.0.0.1:0", "--cores", "1"]);
    assert_eq!(ended.code, Some(1), "{} {}", ended.stdout, ended.stderr);
    assert!(ended.last_line().contains(&address), "{}", ended.last_line());
    server.connect().goes_on();
}

#[test]
fn a_broken_file_is_told_all_its_faults_with_their_lines() {
    let broken = concat!(
        "format = 1\n[server]\nlisten = \"nowhere\"\ncorse = 2\n[http]\nmax_head = \"lots\"\n",
        "[tables.things]\nlist = \"/things\"\n[tables.things.columns]\nid = \"bigint\"\nsize = \"hugeint\"\n",
        "[endpoints.a]\npath = \"/a\"\n",
    );
    let files = folder(&[("broken.toml", broken), ("syntax.toml", "format = 1\n[server\n")]);
    let ended = run(files.path(), &["serve", "--config", "broken.toml"]);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    for (line, word) in
        [(3, "server.listen"), (4, "cores"), (6, "http.max_head"), (11, "size"), (12, "endpoints.a")]
    {
        let place = format!("broken.toml:{line}: ");
        let found = ended.stderr.lines().any(|each| each.starts_with(&place) && each.contains(word));
        assert!(found, "no fault at {place} about {word} in\n{}", ended.stderr);
    }
    assert!(ended.last_line().starts_with("ringmill: "), "{}", ended.last_line());

    let ended = run(files.path(), &["serve", "--config", "syntax.toml"]);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("syntax.toml:2"), "{}", ended.stderr);

    let ended = run(files.path(), &["serve", "--config", "missing.toml"]);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(
        ended.last_line().starts_with("ringmill: ") && ended.stderr.contains("missing.toml"),
        "{}",
        ended.stderr
    );

    let ended = run(files.path(), &["serve", "--set", "server.drain_timeout=soon"]);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("server.drain_timeout"), "{}", ended.stderr);
}

#[test]
fn sql_that_the_database_refuses_is_named_with_its_route() {
    let file = "[endpoints.a]\npath = \"/a\"\nsql = \"SELECT absent FROM nowhere\"\n";
    let files = folder(&[("ringmill.toml", file)]);
    let ended = run(files.path(), &["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("GET /a") && ended.stderr.contains("nowhere"), "{}", ended.stderr);
}

#[test]
fn init_writes_the_builtin_file_once() {
    let folder = folder(&[]);
    let written = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect("a file");
    let ended = run(folder.path(), &["init"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    assert_eq!(written("ringmill.toml"), BUILTIN);
    assert_eq!(run(folder.path(), &["init", "other.toml"]).code, Some(0));
    assert_eq!(written("other.toml"), BUILTIN);

    std::fs::write(folder.path().join("ringmill.toml"), "# mine\n").expect("a file");
    let ended = run(folder.path(), &["init"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.last_line().contains("ringmill.toml"), "{}", ended.last_line());
    assert_eq!(written("ringmill.toml"), "# mine\n");
    let ended = run(folder.path(), &["init", "no/such/folder.toml"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.last_line().contains("no/such/folder.toml"), "{}", ended.last_line());
}

fn first_line(server: &Server) -> String {
    server.stdout().first().cloned().unwrap_or_default()
}

#[test]
fn the_first_line_says_which_file_is_served() {
    let server = Setup::shards(1).start();
    assert!(first_line(&server).contains("built-in"), "{}", first_line(&server));
    // What `init` writes is what is served without it.
    let folder = server.kill();
    assert_eq!(run(folder.path(), &["init"]).code, Some(0));
    let server = Setup::shards(1).folder(folder).start();
    let line = first_line(&server);
    assert!(line.contains("ringmill.toml") && !line.contains("built-in"), "{line}");
    server.connect().get("/api/data").is(200, r#"{"data":"Your data here"}"#);
}

#[test]
fn standard_output_says_what_an_operator_asks() {
    let server = Setup::shards(2).start();
    let stdout = server.stdout();
    assert_eq!(stdout.last().map(String::as_str), Some("ready"), "{stdout:?}");
    for word in [&server.public.to_string(), &server.admin.to_string(), "2 shards", "sqlite", "memory"] {
        assert!(stdout.iter().any(|line| line.contains(word)), "{word} in {stdout:?}");
    }
}

#[test]
fn the_later_of_file_environment_and_flag_wins() {
    let file = "[http]\nmax_body = 1000\nmax_target = 1000\nmax_head = 3000\n";
    let server = Setup::shards(1)
        .file(file)
        .environment("RINGMILL_HTTP__MAX_TARGET", "1001")
        .environment("RINGMILL_HTTP__MAX_HEAD", "3001")
        .set("http.max_head", "3002")
        .start();
    let config = server.connect_admin().get("/config").json();
    let http = &config["http"];
    for (key, value) in [("max_body", 1000), ("max_target", 1001), ("max_head", 3002)] {
        let shown = http[key].as_u64().or_else(|| http[key].as_str()?.parse().ok());
        assert_eq!(shown, Some(value), "{key} in {config}");
    }
}
