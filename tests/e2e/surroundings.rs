//! What stands around the file: variables, included files, statements in files of their own, and where the database is to be.

use crate::checking::{THINGS, check_faults, check_notes, contents};
use crate::server::{Ended, Setup, command, folder, run};

/// Runs it with a variable.
fn run_with(folder: &std::path::Path, arguments: &[&str], name: &str) -> Ended {
    let output = command(folder, arguments).env(name, "127.0.0.1:0").output().expect("the binary runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

#[test]
fn a_variable_that_sets_nothing_is_told() {
    let folder = folder(&[("ringmill.toml", THINGS)]);
    let fault = "environment: RINGMILL_SERVER_LISTEN: sets no key: `__` stands for the dot; write RINGMILL_SERVER__LISTEN";
    for arguments in [&["check"][..], &["serve"], &["migrate"], &["seed", "--table", "things", "--rows", "1"]]
    {
        let ended = run_with(folder.path(), arguments, "RINGMILL_SERVER_LISTEN");
        assert_eq!((ended.code, ended.last_line()), (Some(1), format!("ringmill: {fault}").as_str()));
    }
    assert_eq!(contents(folder.path()).len(), 1, "nothing is made");
    let note = "environment: RINGMILL_LISTEN: sets no key: `__` stands for the dot; did you mean RINGMILL_SERVER__LISTEN?";
    let ended = run_with(folder.path(), &["check"], "RINGMILL_LISTEN");
    assert!(ended.code == Some(0) && ended.stdout.contains(&format!("\nnote: {note}\n")), "{}", ended.stdout);
    let ended = run_with(folder.path(), &["check"], "RINGMILL_PORT");
    assert!(ended.code == Some(0) && !ended.stdout.contains("note: "), "{}", ended.stdout);
    let server = Setup::shards(1).file(THINGS).environment("RINGMILL_LISTEN", "x").start();
    server.connect().get("/health").is(200, r#"{"status":"healthy"}"#);
    let log = server.log();
    assert!(log.iter().any(|line| line.contains(&format!("\"{note}\""))), "{log:?}");
}

#[test]
fn a_pattern_that_matches_no_file_is_a_note() {
    let file = format!("include = [\"api/*.toml\"]\n{THINGS}");
    let folder = folder(&[("ringmill.toml", &file)]);
    let path = folder.path().canonicalize().expect("a path");
    let ended = run(folder.path(), &["check"]);
    let note = format!(
        "note: ringmill.toml:1: include: \"api/*.toml\" matches no file: there is no folder {}/api; mend the pattern, or \
         remove it\n",
        path.display()
    );
    assert!(ended.code == Some(0) && ended.stdout.contains(&note), "{}", ended.stdout);
    assert!(ended.stdout.ends_with(", 1 note\n"), "{}", ended.stdout);
}

/// SQLite's words, at the line of the file that they are about where SQLite says so.
#[test]
fn what_sqlite_refuses_in_a_file_is_told_at_its_line() {
    let file = format!("{THINGS}[endpoints.a]\npath = \"/a/{{id}}\"\nsql_file = \"q/a.sql\"\n");
    let remedy = "mend the statement, or declare the table or column it needs";
    for (sql, line, words) in [
        ("SELECT id,\n  $id,\n  nope\nFROM things", 3, "no such column: nope"),
        ("SELECT $id\nFORM things", 2, "near \"things\": syntax error"),
        ("-- all\nSELECT $id\nFROM none_such", 2, "no such table: none_such"),
    ] {
        let folder = folder(&[("ringmill.toml", &file)]);
        std::fs::create_dir(folder.path().join("q")).expect("a folder");
        std::fs::write(folder.path().join("q/a.sql"), sql).expect("a file");
        let ended = run(folder.path(), &["check"]);
        let fault =
            format!("ringmill: q/a.sql:{line}: endpoints.a.sql_file: {words} (GET /a/{{id}}); {remedy}");
        assert_eq!((ended.code, ended.last_line()), (Some(1), fault.as_str()), "{sql}");
    }
}

#[test]
fn a_place_where_no_database_can_be_made_is_a_fault() {
    for (url, words) in [
        ("/proc/foo.db", "/proc/foo.db cannot be made: no file can be made in /proc"),
        ("/proc/none/foo.db", "/proc/none/foo.db cannot be made: no file can be made in /proc"),
        (
            "/dev/null/foo.db",
            "/dev/null/foo.db cannot be made: no file can be made in /dev/null: Not a directory (os error 20)",
        ),
    ] {
        let file = format!("[database]\nurl = \"sqlite:{url}\"\n{THINGS}");
        let fault = format!(
            "ringmill.toml:2: database.url: {words}; name another file, choose another folder with --data or server.data, or \
             let this user write there"
        );
        check_faults(&file, &[], &[&fault]);
    }
    check_notes(THINGS, &[], &[]);
}

#[test]
fn counts_that_are_none() {
    let folder = folder(&[("ringmill.toml", THINGS)]);
    for (arguments, words) in [
        (["--rows", "x"], "invalid value 'x' for '--rows <COUNT>': write a whole number, 1 or more"),
        (["--rows", "0"], "invalid value '0' for '--rows <COUNT>': write a whole number, 1 or more"),
        (["--rows", "1e3"], "invalid value '1e3' for '--rows <COUNT>': write a whole number, 1 or more"),
    ] {
        let ended = run(folder.path(), &[&["seed", "--table", "things"][..], &arguments].concat());
        assert!(ended.code == Some(2) && ended.stderr.contains(words), "{}", ended.stderr);
    }
    let seed = ["seed", "--table", "things", "--rows", "1", "--seed", "-x"];
    let ended = run(folder.path(), &seed);
    assert_eq!(ended.code, Some(2));
    let seed = ["seed", "--table", "things", "--rows", "1", "--seed=x"];
    let words =
        "invalid value 'x' for '--seed <NUMBER>': write a whole number from 0 to 18446744073709551615";
    let ended = run(folder.path(), &seed);
    assert!(ended.code == Some(2) && ended.stderr.contains(words), "{}", ended.stderr);
}
