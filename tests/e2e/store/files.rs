//! A database whose file is locked, read-only, damaged, deleted or replaced: at start, and while the server runs.

use super::{FAILED, FILE, assert_sound, complains, is_unavailable, ready_says, thing};
use crate::server::{PATIENCE, Server, Setup, assert_no_trace, folder, run_under};
use rusqlite::Connection;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::Path;
use std::time::Instant;

fn create(server: &Server, key: &str) -> u16 {
    server.connect().ask("POST", "/api/things", Some(&thing(key, 1))).status
}

/// Creates until it is 201: what heals takes a moment.
fn create_at_last(server: &Server, key: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match create(server, key) {
            201 => return,
            status => assert!(Instant::now() < deadline, "still {status}"),
        }
    }
}

fn keys(server: &Server) -> Vec<String> {
    let list = server.connect().get("/api/things?per_page=1000000").json();
    let rows = list["things"].as_array().unwrap_or_else(|| panic!("{list}"));
    rows.iter().map(|row| row["key"].as_str().expect("a key").to_owned()).collect()
}

/// A database with rows, in a folder whose server has ended.
fn filled(rows: usize) -> tempfile::TempDir {
    let mut server = Setup::shards(1).file(FILE).start();
    let client = &mut server.connect();
    for n in 0..rows {
        let body = format!(r#"{{"key":"k{n}","a":1,"b":1,"pad":"{}"}}"#, "p".repeat(500));
        assert_eq!(client.ask("POST", "/api/things", Some(&body)).status, 201);
    }
    assert_eq!(server.term(), Some(0));
    server.kill()
}

#[test]
fn a_start_on_a_bad_file_is_one_sentence_with_path_and_remedy() {
    type Spoil = fn(&Path);
    let cases: [(&str, Spoil, &str); 5] = [
        (
            "a folder",
            |path| std::fs::create_dir(path).expect("a folder"),
            "is not a regular file; name a file",
        ),
        (
            "a letter",
            |path| std::fs::write(path, "Dear reader, ".repeat(1000)).expect("a file"),
            "give another path",
        ),
        (
            "a broken header",
            |path| {
                let file = std::fs::OpenOptions::new().write(true).open(path).expect("the file");
                file.write_all_at(&[0x5a; 100], 0).expect("a write");
            },
            "give another path or restore a backup",
        ),
        (
            "a page and a half",
            |path| {
                let file = std::fs::OpenOptions::new().write(true).open(path).expect("the file");
                file.set_len(6000).expect("a shorter file");
            },
            "restore a backup",
        ),
        (
            "nothing but a log",
            |path| {
                std::fs::remove_file(path).expect("no file");
                std::fs::write(path.with_extension("db-wal"), "rubbish ".repeat(9000)).expect("a log");
            },
            "",
        ),
    ];
    for (what, spoil, words) in cases {
        let folder = match what {
            "a folder" | "a letter" => folder(&[("ringmill.toml", FILE)]),
            _ => filled(40),
        };
        std::fs::create_dir_all(folder.path().join("data")).expect("a folder");
        spoil(&folder.path().join("data/ringmill.db"));
        match Setup::shards(1).folder(folder).start_or_end() {
            // A log without its database is none's: a new one begins.
            Ok(server) => {
                assert_eq!(words, "", "{what} is no obstacle");
                assert_eq!(keys(&server), [""; 0]);
                create_at_last(&server, "new");
                assert_sound(&server.database());
            }
            Err(ended) => {
                assert_eq!(ended.code, Some(1), "{what}: {}", ended.stderr);
                assert_no_trace(&ended.stderr);
                let last = ended.last_line();
                assert!(
                    last.starts_with("ringmill: ") && last.contains("data/ringmill.db"),
                    "{what}: {last}"
                );
                assert!(!words.is_empty() && last.contains(words), "{what}: {last}");
            }
        }
    }
}

#[test]
fn a_log_of_rubbish_beside_a_good_file_changes_nothing() {
    let folder = filled(10);
    std::fs::write(folder.path().join("data/ringmill.db-wal"), "rubbish ".repeat(9000)).expect("a log");
    let server = Setup::shards(1).folder(folder).start();
    assert_eq!(keys(&server).len(), 10);
    create_at_last(&server, "new");
    assert_sound(&server.database());
}

/// As root permissions bind nobody, so the server runs as somebody else then.
#[test]
fn a_read_only_file_or_folder_is_refused_at_start_with_its_remedy() {
    let is_root = rustix::process::getuid().is_root();
    for (file_mode, folder_mode) in [(0o444, 0o777), (0o666, 0o555)] {
        let folder = filled(3);
        let data = folder.path().join("data");
        let database = data.join("ringmill.db");
        let mode = |path: &Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("permissions");
        };
        mode(folder.path(), 0o755);
        mode(&database, file_mode);
        mode(&data, folder_mode);
        let nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
        let under: &[&str] = if is_root { &nobody } else { &[] };
        let arguments = ["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--cores", "1"];
        let ended = run_under(under, folder.path(), &arguments);
        mode(&data, 0o777);
        assert_eq!(ended.code, Some(1), "{}", ended.stderr);
        let last = ended.last_line();
        assert!(last.contains("data/ringmill.db: ") && last.contains("permissions"), "{last}");
    }
}

#[test]
fn a_lock_that_another_process_holds_refuses_writes_in_time_and_no_reads() {
    let server = Setup::shards(2).file(FILE).set("database.wait_timeout", "100ms").start();
    create_at_last(&server, "before");
    for begin in ["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"] {
        let other = Connection::open(server.database()).expect("the database opens");
        other.execute_batch(begin).expect("the lock");
        other.execute("INSERT INTO things (key) VALUES (?1)", [begin]).expect("a write of its own");
        let clients: Vec<_> = (0..20).map(|_| server.connect()).collect();
        std::thread::scope(|scope| {
            for mut client in clients {
                scope.spawn(move || {
                    is_unavailable(&client.ask("POST", "/api/things", Some(&thing("never", 1))));
                });
            }
        });
        assert!(!keys(&server).contains(&begin.to_owned()), "reads go on, and see what was committed");
        ready_says(&server, "degraded");
        complains(&server, "another process holds the database");
        other.execute_batch("COMMIT").expect("its commit");
        ready_says(&server, "ready");
        create_at_last(&server, &format!("after {begin}"));
    }
    assert_eq!(
        keys(&server),
        ["before", "BEGIN IMMEDIATE", "after BEGIN IMMEDIATE", "BEGIN EXCLUSIVE", "after BEGIN EXCLUSIVE"]
    );
}

#[test]
fn a_damaged_page_is_500_with_a_log_line_and_never_wrong_rows() {
    // All but the first page, which was read at the start; or cut off.
    for spoil in ["overwritten", "truncated"] {
        let server = Setup::shards(2).folder(filled(400)).start();
        let database = server.database();
        let good = std::fs::read(&database).expect("the file");
        let file = std::fs::OpenOptions::new().write(true).open(&database).expect("the file");
        match spoil {
            "overwritten" => file.write_all_at(&vec![0xa5; good.len() - 4096], 4096).expect("a write"),
            _ => file.set_len(4096 + 512).expect("a shorter file"),
        }
        let response = server.connect().get("/api/things?per_page=1000");
        assert_eq!((response.status, response.text().as_str()), (500, FAILED), "{spoil}");
        let id = response.field("X-Request-Id").expect("an id").to_owned();
        let line = server.log_line("of the request", |line| line["request_id"] == id.as_str());
        assert!(line["cause"].as_str().is_some_and(|cause| cause.contains("damaged")), "{line}");
        complains(&server, "damaged");
        let refused = server.connect().ask("POST", "/api/things", Some(&thing("new", 1)));
        assert_eq!(refused.status, 500, "{refused:?}");
        assert_eq!(server.connect().get("/health").status, 200);
        ready_says(&server, "degraded");
        file.write_all_at(&good, 0).expect("a write");
        file.set_len(good.len() as u64).expect("its length");
        ready_says(&server, "ready");
        assert_eq!(keys(&server).len(), 400, "a file that was mended in its place is read again");
        create_at_last(&server, "new");
        assert_sound(&database);
    }
}

#[test]
fn a_file_that_was_moved_away_refuses_writes_until_it_is_back() {
    let server = Setup::shards(2).file(FILE).start();
    create_at_last(&server, "before");
    let (path, aside) = (server.database(), server.database().with_extension("aside"));
    std::fs::rename(&path, &aside).expect("it moves");
    let response = server.connect().ask("POST", "/api/things", Some(&thing("never", 1)));
    is_unavailable(&response);
    assert_eq!(keys(&server), ["before"], "reads go on");
    ready_says(&server, "degraded");
    complains(&server, "the file is gone or empty");
    std::fs::rename(&aside, &path).expect("it moves back");
    ready_says(&server, "ready");
    create_at_last(&server, "after");
    let server = Setup::shards(1).folder(server.kill()).start();
    assert_eq!(keys(&server), ["before", "after"]);
}

#[test]
fn a_file_that_was_emptied_takes_no_writes_until_another_stands_in_its_place() {
    let backup = filled(5);
    // So many that SQLite does not copy the log into a file without them.
    let server = Setup::shards(2).folder(filled(200)).start();
    create_at_last(&server, "before");
    let path = server.database();
    let file = std::fs::OpenOptions::new().write(true).open(&path).expect("the file");
    file.set_len(0).expect("an empty file");
    for n in 0..200 {
        let status = create(&server, &format!("never{n}"));
        assert!([500, 503, 504].contains(&status), "{status}");
    }
    ready_says(&server, "degraded");
    complains(&server, "the file is gone or empty");
    std::fs::rename(backup.path().join("data/ringmill.db"), &path).expect("it moves");
    create_at_last(&server, "new");
    assert_eq!(keys(&server), ["k0", "k1", "k2", "k3", "k4", "new"]);
    assert_sound(&path);
}

#[test]
fn a_file_that_was_cut_short_takes_no_writes_until_another_stands_in_its_place() {
    let backup = filled(5);
    let server = Setup::shards(2).folder(filled(200)).start();
    create_at_last(&server, "before");
    let path = server.database();
    let file = std::fs::OpenOptions::new().write(true).open(&path).expect("the file");
    file.set_len(4096).expect("a shorter file");
    for n in 0..50 {
        let status = create(&server, &format!("never{n}"));
        assert!([500, 504].contains(&status), "{status}");
    }
    ready_says(&server, "degraded");
    complains(&server, "it was cut short and lacks pages that its header counts");
    std::fs::rename(backup.path().join("data/ringmill.db"), &path).expect("it moves");
    create_at_last(&server, "new");
    assert_eq!(keys(&server), ["k0", "k1", "k2", "k3", "k4", "new"]);
    assert_sound(&path);
}

/// It becomes shorter by right.
#[test]
fn a_file_that_another_process_vacuums_goes_on_being_served() {
    let server = Setup::shards(2).folder(filled(200)).start();
    let other = Connection::open(server.database()).expect("the database opens");
    let length = || std::fs::metadata(server.database()).expect("the file").len();
    let before = length();
    other
        .execute_batch("DELETE FROM things WHERE key <> 'k0'; VACUUM; PRAGMA wal_checkpoint(TRUNCATE)")
        .expect("a shorter file");
    assert!(length() < before);
    for n in 0..20 {
        assert_eq!(create(&server, &format!("new{n}")), 201);
    }
    ready_says(&server, "ready");
    drop(other);
    assert_sound(&server.database());
}

#[test]
fn a_file_that_was_replaced_is_served_as_it_is() {
    let backup = filled(5);
    let server = Setup::shards(2).file(FILE).start();
    create_at_last(&server, "of the old file");
    let path = server.database();
    // The old log stays behind: it is not the new file's.
    std::fs::rename(backup.path().join("data/ringmill.db"), &path).expect("it moves");
    let deadline = Instant::now() + PATIENCE;
    while create(&server, "new") != 201 {
        assert!(Instant::now() < deadline, "the new file is never served");
    }
    let expected = ["k0", "k1", "k2", "k3", "k4", "new"];
    for _ in 0..8 {
        assert_eq!(keys(&server), expected, "every reader has the new file");
    }
    ready_says(&server, "ready");
    assert_sound(&path);
    let server = Setup::shards(1).folder(server.kill()).start();
    assert_eq!(keys(&server), expected);
}

/// What stands in a database, asked of the file itself.
fn keys_in(path: &Path) -> Vec<String> {
    let connection = Connection::open(path).expect("the database opens");
    let mut statement = connection.prepare("SELECT key FROM things ORDER BY id").expect("a table");
    let keys = statement.query_map([], |row| row.get(0)).expect("its rows");
    keys.collect::<Result<_, _>>().expect("text")
}

/// A link made beside `link` takes its place at once.
fn point(link: &Path, target: &Path) {
    let next = link.with_extension("next");
    std::os::unix::fs::symlink(target, &next).expect("a link");
    std::fs::rename(&next, link).expect("it moves");
}

#[test]
fn a_link_that_leads_elsewhere_is_followed() {
    for linked in ["data/ringmill.db", "data"] {
        let (first, second) = (filled(1), filled(2));
        let folder = folder(&[]);
        let link = folder.path().join(linked);
        std::fs::create_dir_all(link.parent().expect("a folder above")).expect("a folder");
        point(&link, &first.path().join(linked));
        let server = Setup::shards(2).file(FILE).folder(folder).start();
        create_at_last(&server, "first");
        point(&link, &second.path().join(linked));
        create_at_last(&server, "second");
        for _ in 0..8 {
            assert_eq!(keys(&server), ["k0", "k1", "second"], "every reader has followed {linked}");
        }
        // Nothing was acknowledged that stands elsewhere.
        assert_eq!(keys_in(&first.path().join("data/ringmill.db")), ["k0", "first"]);
        assert_eq!(keys_in(&second.path().join("data/ringmill.db")), ["k0", "k1", "second"]);
        ready_says(&server, "ready");

        std::fs::remove_file(&link).expect("it is there");
        is_unavailable(&server.connect().ask("POST", "/api/things", Some(&thing("never", 1))));
        complains(&server, "the file is gone");
        point(&link, &second.path().join(linked));
        ready_says(&server, "ready");
        create_at_last(&server, "third");
        assert_sound(&server.database());
    }
}

#[test]
fn a_log_that_was_deleted_costs_nothing() {
    let server = Setup::shards(2).file(FILE).start();
    create_at_last(&server, "first");
    for (n, suffix) in ["db-wal", "db-shm"].into_iter().enumerate() {
        std::fs::remove_file(server.database().with_extension(suffix)).expect("it is there");
        create_at_last(&server, &format!("after {suffix}"));
        assert_eq!(keys(&server).len(), 2 + n);
    }
    assert_sound(&server.database());
    let server = Setup::shards(1).folder(server.kill()).start();
    assert_eq!(keys(&server), ["first", "after db-wal", "after db-shm"]);
}
