//! The store as its callers see it.

mod common;

use common::{Bench, GATE, PATIENCE, job, read, statement, text, write};
use ringmill_sqlite::{
    Class, Error, Event, Job, Loader, OpenError, Options, Rows, STATEMENTS_MAX, Store, Sync, Value,
};
use std::time::{Duration, Instant};

const USERS: &[&str] = &[
    "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE, age INTEGER CHECK (age >= 0))",
    "CREATE TABLE posts (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE RESTRICT)",
];
const ENDLESS: &str = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n";

fn insert(id: i64, email: &str) -> Job {
    write("INSERT INTO users (id, email) VALUES (?1, ?2)", vec![Value::Integer(id), text(email)])
}

fn plain(_: &mut Options) {}

fn quick(options: &mut Options) {
    options.statement_timeout = Duration::from_millis(30);
}

#[test]
fn a_job_may_name_a_timeout_of_its_own() {
    let within = |milliseconds| Some(Duration::from_millis(milliseconds));
    let mut bench = Bench::new(USERS, |options| options.statement_timeout = PATIENCE);
    for class in [Class::Read, Class::ReadByKey, Class::Write] {
        let job = Job { statement_timeout: within(30), ..Job::new(class, vec![statement(ENDLESS, vec![])]) };
        assert_eq!(bench.ask(job), Err(Error::Timeout), "{class:?}");
    }
    // Each statement has all of it; and it may be more than the store's.
    let mut bench = Bench::new(USERS, |options| options.statement_timeout = Duration::from_millis(1));
    let long =
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 200000) SELECT max(i) FROM n";
    assert_eq!(bench.ask(read(long, vec![])), Err(Error::Timeout));
    let job = Job::new(Class::Read, vec![statement(long, vec![]), statement(long, vec![])]);
    let job = Job { statement_timeout: Some(PATIENCE), ..job };
    assert_eq!(bench.ask(job).unwrap()[1].cells, [Value::Integer(200_000)]);
}

/// A sort is one step of a statement, between two looks at the clock: the comparing itself looks.
#[test]
fn a_sort_of_long_numbers_ends_in_time() {
    let digits = "1".repeat(300_000);
    let mut bench = Bench::new(&["CREATE TABLE t (v)"], |options| options.statement_timeout = PATIENCE);
    for last in ["3", "1", "2", "5", "4"] {
        bench.ask(write("INSERT INTO t VALUES (?1)", vec![text(&format!("{digits}{last}"))])).unwrap();
    }
    // So few rows are fewer steps than lie between two looks.
    let sort = |timeout| Job {
        statement_timeout: Some(timeout),
        ..read("SELECT substr(v, -1) FROM t ORDER BY v COLLATE decimal", vec![])
    };
    let sorted = bench.ask(sort(PATIENCE)).unwrap();
    assert_eq!(sorted[0].cells, ["1", "2", "3", "4", "5"].map(text));
    for _ in 0..3 {
        assert_eq!(bench.ask(sort(Duration::ZERO)), Err(Error::Timeout));
        assert_eq!(bench.ask(sort(PATIENCE)), Ok(sorted.clone()));
    }
}

#[test]
fn values_survive_the_round_trip() {
    let mut bench = Bench::new(&["CREATE TABLE t (v)"], plain);
    for value in [
        Value::Null,
        Value::Integer(i64::MIN),
        Value::Integer(i64::MAX),
        Value::Real(-0.1),
        text(""),
        text("Grüße, 世界 🌍"),
        Value::Blob(vec![]),
        Value::Blob((0..=255).collect()),
    ] {
        let rows = bench.ask(write("INSERT INTO t VALUES (?1) RETURNING v", vec![value.clone()])).unwrap();
        assert_eq!(rows, [Rows { columns: 1, cells: vec![value.clone()], changed: 1 }]);
        let rows = bench.ask(read("SELECT v FROM t ORDER BY rowid DESC LIMIT 1", vec![])).unwrap();
        assert_eq!(rows, [Rows { columns: 1, cells: vec![value], changed: 0 }]);
    }
}

#[test]
fn text_that_is_no_utf8_is_refused() {
    let mut bench = Bench::new(&["CREATE TABLE t (v)"], plain);
    bench.ask(write("INSERT INTO t VALUES (CAST(x'ff' AS TEXT))", vec![])).unwrap();
    let reply = bench.ask(read("SELECT v FROM t", vec![]));
    assert_eq!(reply, Err(Error::NotText { detail: "the text in column 0 is no UTF-8".into() }));
}

#[test]
fn rows_changed_are_the_statements_own() {
    let mut bench = Bench::new(USERS, plain);
    for id in 1..=3 {
        bench.ask(insert(id, &format!("{id}@x"))).unwrap();
    }
    let all = Job::new(
        Class::Write,
        vec![
            statement("UPDATE users SET age = 1", vec![]),
            statement("SELECT count(*) FROM users", vec![]),
            statement("DELETE FROM users WHERE id > 100", vec![]),
            statement("DELETE FROM users WHERE id >= 2 RETURNING id", vec![]),
        ],
    );
    let changed: Vec<usize> = bench.ask(all).unwrap().iter().map(|rows| rows.changed).collect();
    assert_eq!(changed, [3, 0, 0, 2]);
}

#[test]
fn errors() {
    let mut bench = Bench::new(USERS, plain);
    bench.ask(insert(1, "a@x")).unwrap();
    bench.ask(write("INSERT INTO posts (id, user_id) VALUES (1, 1)", vec![])).unwrap();
    let mut check =
        |sql: &str, expected: Error| assert_eq!(bench.ask(write(sql, vec![])), Err(expected), "{sql}");
    let unique = |column: &str| Error::Unique { columns: vec![column.to_owned()] };
    check("INSERT INTO users (id, email) VALUES (2, 'a@x')", unique("users.email"));
    check("INSERT INTO users (id, email) VALUES (1, 'b@x')", unique("users.id"));
    check("INSERT INTO users (id) VALUES (2)", Error::NotNull { column: "users.email".into() });
    check(
        "INSERT INTO users (id, email, age) VALUES (2, 'c', -1)",
        Error::Constraint { detail: "CHECK constraint failed: age >= 0".into() },
    );
    check("INSERT INTO posts (id, user_id) VALUES (2, 9)", Error::ForeignKey);
    check("DELETE FROM users WHERE id = 1", Error::ForeignKey);
    check("SELECT", Error::Statement { detail: "incomplete input".into() });
    check("SELECT 1; SELECT 2", Error::Statement { detail: "more than one statement".into() });
    let hint = "no such column: \"absent\" - should this be a string literal in single-quotes?";
    check("SELECT \"absent\"", Error::Statement { detail: hint.into() });
    let own = bench.ask(write("COMMIT --the store's own", vec![]));
    assert!(matches!(own, Err(Error::Statement { .. })), "{own:?}");
    let too_few = bench.ask(write("SELECT ?1, ?2", vec![Value::Null]));
    assert!(matches!(too_few, Err(Error::Statement { .. })), "{too_few:?}");
    let too_many = vec![statement("SELECT 1", vec![]); STATEMENTS_MAX + 1];
    let too_many = bench.ask(Job::new(Class::Read, too_many));
    assert!(matches!(too_many, Err(Error::Statement { .. })), "{too_many:?}");
}

#[test]
fn a_failed_job_takes_nothing_with_it() {
    let mut bench = Bench::new(USERS, plain);
    let half = Job::new(
        Class::Write,
        vec![
            statement("INSERT INTO users (id, email) VALUES (50, 'half@x')", vec![]),
            statement("INSERT INTO users (id, email) VALUES (3, 'dup@x')", vec![]),
        ],
    );
    let mut jobs: Vec<Job> = (1..=5).map(|id| insert(id, &format!("{id}@x"))).collect();
    jobs.insert(3, half);
    let replies = bench.group(jobs);
    let failed: Vec<bool> = replies.iter().map(Result::is_err).collect();
    assert_eq!(failed, [false, false, false, true, false, false]);
    assert_eq!(replies[3], Err(Error::Unique { columns: vec!["users.id".into()] }));
    assert_eq!(bench.integers("SELECT id FROM users ORDER BY id"), [1, 2, 3, 4, 5]);
    let writer = &bench.store.statistics().threads[0];
    assert_eq!((writer.commits, writer.group_sizes[3]), (2, 1), "the gate's group and one of six");
}

/// These errors end the whole transaction, not just the savepoint.
#[test]
fn neighbours_of_a_job_that_ends_the_transaction_succeed() {
    let mut bench = Bench::new(USERS, quick);
    let rollback = || write("INSERT OR ROLLBACK INTO users (id, email) VALUES (1, 'again@x')", vec![]);
    let endless =
        || write(&format!("INSERT INTO users (id, email) {}, 'never@x' FROM n", &ENDLESS[..79]), vec![]);
    let mut next = 0;
    for guilty in 1..=4 {
        let mut jobs = Vec::new();
        for _ in 0..=guilty {
            next += 1;
            jobs.push(insert(next, &format!("{next}@x")));
        }
        for n in 0..guilty {
            jobs.insert(1 + 2 * n, if n % 2 == 0 { rollback() } else { endless() });
        }
        let replies = bench.group(jobs);
        for (n, reply) in replies.iter().enumerate() {
            match n {
                _ if n % 2 == 0 => assert!(reply.is_ok(), "{guilty} guilty, {n}: {reply:?}"),
                _ if n % 4 == 1 => {
                    assert_eq!(*reply, Err(Error::Unique { columns: vec!["users.id".into()] }));
                }
                _ => assert_eq!(*reply, Err(Error::Timeout)),
            }
        }
        let expected: Vec<i64> = (1..=next).collect();
        assert_eq!(bench.integers("SELECT id FROM users ORDER BY id"), expected);
    }
}

#[test]
fn a_deferred_foreign_key_costs_only_its_own_job() {
    let schema = [
        "CREATE TABLE a (id INTEGER PRIMARY KEY)",
        "CREATE TABLE b (a_id REFERENCES a (id) DEFERRABLE INITIALLY DEFERRED)",
    ];
    let mut bench = Bench::new(&schema, plain);
    let replies = bench.group(vec![
        write("INSERT INTO a VALUES (1)", vec![]),
        write("INSERT INTO b VALUES (7)", vec![]),
        write("INSERT INTO b VALUES (1)", vec![]),
    ]);
    assert!(replies[0].is_ok() && replies[2].is_ok(), "{replies:?}");
    assert_eq!(replies[1], Err(Error::ForeignKey));
    assert_eq!(bench.integers("SELECT a_id FROM b"), [1]);
}

#[test]
fn an_endless_statement_is_ended() {
    let mut bench = Bench::new(USERS, quick);
    let replies = bench.group(vec![insert(1, "a@x"), write(ENDLESS, vec![]), insert(2, "b@x")]);
    assert!(replies[0].is_ok() && replies[2].is_ok(), "{replies:?}");
    assert_eq!(replies[1], Err(Error::Timeout));
    assert_eq!(bench.ask(read(ENDLESS, vec![])), Err(Error::Timeout));
    assert_eq!(bench.ask(job(Class::ReadByKey, ENDLESS, vec![])), Err(Error::Timeout));
    assert_eq!(bench.integers("SELECT id FROM users ORDER BY id"), [1, 2]);
}

#[test]
fn a_job_not_begun_in_time_is_not_run() {
    let mut bench = Bench::new(USERS, |options| options.statement_timeout = PATIENCE);
    let past = Instant::now();
    for (ticket, job) in [(1, insert(1, "a@x")), (2, read("SELECT 1", vec![]))] {
        bench.handle.submit(0, ticket, Some(past), job).unwrap();
        assert_eq!(bench.answer_to(ticket), Err(Error::NotBegun));
    }
    assert_eq!(bench.integers("SELECT count(*) FROM users"), [0]);
}

#[test]
fn a_reply_too_large_is_an_error_and_undone() {
    let mut bench = Bench::new(&["CREATE TABLE t (v)"], |options| options.reply_bytes_max = 10_000);
    let one = |bytes: i64| read("SELECT zeroblob(?1)", vec![Value::Integer(bytes)]);
    assert!(bench.ask(one(9_000)).is_ok());
    assert_eq!(bench.ask(one(10_001)), Err(Error::ValueTooLarge));
    assert_eq!(bench.ask(one(900_000_000)), Err(Error::ValueTooLarge), "and SQLite never builds it");
    let bound = read("SELECT length(?1)", vec![Value::Text("x".repeat(2_000_000))]);
    assert_eq!(bench.ask(bound), Err(Error::ValueTooLarge), "nor takes it");
    assert_eq!(
        bench.ask(read("SELECT zeroblob(900000000)", vec![])),
        Err(Error::TooLarge),
        "no value's fault"
    );
    let many = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000) SELECT i FROM n";
    assert_eq!(bench.ask(read(many, vec![])), Err(Error::TooLarge), "small cells count too");
    let sum = Job::new(Class::Read, vec![statement("SELECT zeroblob(6000)", vec![]); 2]);
    assert_eq!(bench.ask(sum), Err(Error::TooLarge), "the whole job counts");
    let written = write("INSERT INTO t VALUES (zeroblob(20000)) RETURNING v", vec![]);
    assert_eq!(bench.ask(written), Err(Error::TooLarge));
    assert_eq!(bench.integers("SELECT count(*) FROM t"), [0]);
}

#[test]
fn a_read_job_cannot_write() {
    let mut bench = Bench::new(USERS, plain);
    for class in [Class::Read, Class::ReadByKey] {
        let reply = bench.ask(job(class, "INSERT INTO users (id, email) VALUES (1, 'a')", vec![]));
        assert!(matches!(reply, Err(Error::Statement { .. })), "{reply:?}");
    }
    assert_eq!(bench.integers("SELECT count(*) FROM users"), [0]);
}

#[test]
fn the_statements_of_a_read_see_one_snapshot() {
    let mut bench = Bench::new(&["CREATE TABLE t (n INTEGER)", "INSERT INTO t VALUES (0)"], plain);
    let twice = || Job::new(Class::Read, vec![statement("SELECT n FROM t", vec![]); 2]);
    let mut reads = Vec::new();
    for _ in 0..500 {
        bench.submit(write("UPDATE t SET n = n + 1", vec![]));
        reads.push(bench.submit(twice()));
    }
    for ticket in reads {
        let rows = bench.answer_to(ticket).unwrap();
        assert_eq!(rows[0], rows[1]);
    }
}

#[test]
fn a_read_sees_every_write_answered_before() {
    for readers in [1, 2, 4] {
        let schema = ["CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)", "INSERT INTO t VALUES (1, 0)"];
        let mut bench = Bench::new(&schema, |options| {
            options.readers = readers;
            options.sync = Sync::Normal;
        });
        for n in 1..=1_500 {
            bench.ask(write("UPDATE t SET n = ?1 WHERE id = 1", vec![Value::Integer(n)])).unwrap();
            let class = if n % 2 == 0 { Class::Read } else { Class::ReadByKey };
            let rows = bench.ask(job(class, "SELECT n FROM t WHERE id = 1", vec![])).unwrap();
            assert_eq!(rows[0].cells, [Value::Integer(n)], "{readers} readers");
        }
        let own: Vec<Event> = bench.events.try_iter().collect();
        assert_eq!(own, [], "its own commits and checkpoints are not foreign");
    }
}

#[test]
fn a_full_queue_gives_the_job_back() {
    let mut bench = Bench::new(USERS, |options| options.queue_max = 2);
    bench.hold(write("SELECT 1", vec![]));
    let tickets = [bench.submit(insert(1, "a@x")), bench.submit(insert(2, "b@x"))];
    let back = bench.handle.submit(0, 99, None, insert(3, "c@x")).unwrap_err();
    assert_eq!(back.statements[0].parameters, [Value::Integer(3), text("c@x")]);
    assert_eq!(bench.store.statistics().waiting_writes, 2);
    bench.let_writer_go();
    for ticket in tickets {
        bench.answer_to(ticket).unwrap();
    }
}

#[test]
fn a_slow_read_keeps_no_read_by_key_waiting() {
    let mut bench = Bench::new(USERS, plain);
    bench.hold(read("SELECT 1", vec![]));
    assert!(bench.ask(job(Class::ReadByKey, "SELECT 2", vec![])).is_ok());
    bench.gates[2].send(()).unwrap();
    bench.answer_to(GATE).unwrap();
}

#[test]
fn closing_finishes_what_is_queued() {
    let mut bench = Bench::new(USERS, plain);
    let tickets: Vec<_> = (1..=200).map(|id| bench.submit(insert(id, &format!("{id}@x")))).collect();
    let reads: Vec<_> = (0..200).map(|_| bench.submit(read("SELECT count(*) FROM users", vec![]))).collect();
    let Bench { store, handle, answers, directory, .. } = bench;
    store.close(PATIENCE);
    assert!(handle.submit(0, 0, None, insert(999, "late@x")).is_err());
    let answered: Vec<_> = answers.try_iter().collect();
    assert_eq!(answered.len(), tickets.len() + reads.len());
    assert!(answered.iter().all(|(_, _, reply)| reply.is_ok()));
    let path = directory.path().join("test.db");
    assert!(!path.with_extension("db-wal").exists(), "the log was copied into the file");
    assert_eq!(ringmill_sqlite::tables(&path).unwrap(), ["posts", "users"]);
}

#[test]
fn closing_gives_up_at_its_deadline() {
    let mut bench = Bench::new(USERS, plain);
    bench.hold(write("SELECT 1", vec![]));
    let ticket = bench.submit(insert(1, "a@x"));
    let gate = bench.gates.remove(0);
    let Bench { store, answers, directory, .. } = bench;
    // Closing waits for the held thread; the gate opens as soon as the store refuses jobs. A few reads at a time, since a
    // full queue refuses them too.
    let handle = store.handle();
    let opener = std::thread::spawn(move || {
        let (mut submitted, mut got) = (0, Vec::new());
        loop {
            got.extend(answers.try_iter());
            if submitted - got.len() > 10 {
                std::thread::yield_now();
            } else if handle.submit(0, 77, None, read("SELECT 1", vec![])).is_ok() {
                submitted += 1;
            } else {
                break;
            }
        }
        gate.send(()).unwrap();
        (got, answers)
    });
    store.close(Duration::ZERO);
    let (mut got, answers) = opener.join().unwrap();
    got.extend(answers.try_iter());
    let reply = got.into_iter().find(|(_, answered, _)| *answered == ticket).expect("an answer").2;
    assert!(matches!(reply, Err(Error::Unavailable { .. })), "{reply:?}");
    let left = Store::open(Options::new(directory.path().join("test.db")), |_| Box::new(Nobody)).unwrap();
    drop(left);
}

struct Nobody;

impl ringmill_sqlite::Answers for Nobody {
    fn answer(&mut self, _: usize, _: ringmill_sqlite::Ticket, _: ringmill_sqlite::Reply) {}
}

#[test]
fn a_lock_held_elsewhere_is_unavailable_for_all_that_wait() {
    let mut bench = Bench::new(USERS, |options| options.busy_timeout = Duration::from_millis(5));
    let sql = "INSERT INTO users (id, email) VALUES (?1, ?2)";
    let mut other = Loader::open(&bench.path(), sql, 100, PATIENCE, Sync::Normal).unwrap();
    other.push(&[Value::Integer(1), text("other@x")]).unwrap();
    let replies = bench.group((10..20).map(|id| insert(id, &format!("{id}@x"))).collect());
    for reply in replies {
        assert!(matches!(reply, Err(Error::Unavailable { .. })), "{reply:?}");
    }
    assert_eq!(bench.integers("SELECT id FROM users"), [0; 0], "reads go on");
    other.finish().unwrap();
    assert!(bench.ask(insert(2, "b@x")).is_ok());
    assert_eq!(bench.integers("SELECT id FROM users ORDER BY id"), [1, 2]);
}

#[test]
fn foreign_writes_are_noticed() {
    let bench = Bench::new(USERS, plain);
    let sql = "INSERT INTO users (id, email) VALUES (?1, ?2)";
    let mut other = Loader::open(&bench.path(), sql, 1, PATIENCE, Sync::Normal).unwrap();
    other.push(&[Value::Integer(1), text("other@x")]).unwrap();
    assert_eq!(bench.events.recv_timeout(PATIENCE), Ok(Event::ForeignWrite), "while nothing else happens");
}

#[test]
fn the_log_starts_anew() {
    let mut bench = Bench::new(&["CREATE TABLE t (v)"], |options| options.sync = Sync::Normal);
    for _ in 0..12 {
        let jobs = (0..500).map(|_| write("INSERT INTO t VALUES (randomblob(8000))", vec![]));
        let tickets: Vec<_> = jobs.map(|job| bench.submit(job)).collect();
        for ticket in tickets {
            bench.answer_to(ticket).unwrap();
        }
    }
    let log_mib = std::fs::metadata(bench.path().with_extension("db-wal")).unwrap().len() >> 20;
    assert!(bench.store.statistics().threads[0].checkpoints >= 3);
    assert!(log_mib < 16, "{log_mib} MiB of log after 48 MB of rows");
}

#[test]
fn a_file_that_is_no_database_says_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let check = |name: &str, words: &str| {
        let error =
            Store::open(Options::new(directory.path().join(name)), |_| Box::new(Nobody)).err().unwrap();
        assert!(matches!(error, OpenError::Database { .. }));
        assert!(error.to_string().contains(words), "{error}");
    };
    std::fs::write(directory.path().join("letter"), "Dear reader, ".repeat(1_000)).unwrap();
    check("letter", "no SQLite database");
    check("missing/test.db", "does its directory exist");
}
