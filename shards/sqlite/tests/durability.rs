//! A write is answered only when it is on the disk; seen from below SQLite.

#[path = "durability/disk.rs"]
mod disk;
#[path = "durability/power.rs"]
mod power;
#[path = "durability/vfs.rs"]
mod vfs;

use ringmill_sqlite::{
    Answers, Class, Error, Handle, Job, Options, Reply, Statement, Store, Ticket, Value, run_script,
};
use rusqlite::Connection;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;
use vfs::{Book, Durable, Entry, Syncs};

const PATIENCE: Duration = Duration::from_secs(60);

struct Bench {
    book: Arc<Book>,
    store: Store,
    handle: Handle,
    answers: Receiver<(usize, Ticket, Reply)>,
    disks: Receiver<Durable>,
    directory: tempfile::TempDir,
}

/// Enters each answer into the book and keeps what the disk held at that moment.
struct Witness {
    book: Arc<Book>,
    answers: Sender<(usize, Ticket, Reply)>,
    disks: Option<Sender<Durable>>,
}

impl Answers for Witness {
    fn answer(&mut self, shard: usize, ticket: Ticket, reply: Reply) {
        self.book.enter(Entry::Answered(ticket));
        if let Some(disks) = &self.disks {
            let _ = disks.send(self.book.durable());
        }
        let _ = self.answers.send((shard, ticket, reply));
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Disks {
    Kept,
    Ignored,
}

impl Bench {
    fn new(syncs: Syncs, kept: Disks) -> Bench {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().canonicalize().unwrap().join("test.db");
        let book = Book::open(&path, syncs);
        run_script(&path, &["CREATE TABLE t (id INTEGER PRIMARY KEY)".into()]).unwrap();
        book.settle();
        let (answer_sender, answers) = channel();
        let (disk_sender, disks) = channel();
        let store = Store::open(Options { readers: 1, ..Options::new(path) }, |_| {
            let disks = (kept == Disks::Kept).then(|| disk_sender.clone());
            Box::new(Witness { book: Arc::clone(&book), answers: answer_sender.clone(), disks })
        })
        .unwrap();
        let handle = store.handle();
        Bench { book, store, handle, answers, disks, directory }
    }

    fn insert(&self, id: i64) -> Reply {
        self.ask(insert(id))
    }

    fn ask(&self, job: Job) -> Reply {
        self.handle.submit(0, 1, None, job).unwrap();
        self.answers.recv_timeout(PATIENCE).expect("an answer").2
    }

    fn ids(&self) -> Vec<Value> {
        let job = Job { class: Class::Read, ..insert(0) };
        let statement = Statement { sql: "SELECT id FROM t ORDER BY id".into(), parameters: vec![] };
        self.ask(Job { statements: vec![statement], ..job }).unwrap().remove(0).cells
    }
}

fn insert(id: i64) -> Job {
    let statement =
        Statement { sql: "INSERT INTO t VALUES (?1)".into(), parameters: vec![Value::Integer(id)] };
    Job::new(Class::Write, vec![statement])
}

/// The rule: when an answer leaves, all that was written to the log before is synced. Says how many answers there were.
fn check_order(entries: &[Entry]) -> Result<usize, String> {
    let (mut written, mut unsynced, mut answers) = (0, 0, 0);
    for entry in entries {
        match *entry {
            Entry::LogWritten => (written, unsynced) = (written + 1, unsynced + 1),
            Entry::LogSynced => unsynced = 0,
            Entry::Answered(ticket) if written == 0 => {
                return Err(format!("{ticket} answered, nothing written"));
            }
            Entry::Answered(ticket) if unsynced > 0 => {
                return Err(format!("{ticket} answered with {unsynced} writes to the log not yet synced"));
            }
            Entry::Answered(_) => answers += 1,
        }
    }
    Ok(answers)
}

/// The same, seen from after a power cut: the n-th disk holds n rows. Says how many disks there were.
fn check_disks(disks: &Receiver<Durable>) -> Result<usize, String> {
    let directory = tempfile::tempdir().unwrap();
    let mut count = 0;
    for (n, disk) in disks.try_iter().enumerate() {
        let path: PathBuf = directory.path().join(format!("{n}.db"));
        disk.restore(&path);
        let rows: i64 = Connection::open(&path)
            .and_then(|connection| connection.query_row("SELECT count(*) FROM t", [], |row| row.get(0)))
            .map_err(|error| format!("after answer {n}: {error}"))?;
        if rows != n as i64 + 1 {
            return Err(format!("after answer {n} a power cut leaves {rows} rows"));
        }
        count += 1;
    }
    Ok(count)
}

#[test]
fn the_log_is_synced_between_commit_and_answer() {
    let bench = Bench::new(Syncs::Real, Disks::Kept);
    for id in 0..30 {
        bench.insert(id).unwrap();
    }
    assert_eq!(check_order(&bench.book.entries()), Ok(30));
    assert_eq!(check_disks(&bench.disks), Ok(30));
}

/// The tests of the test: with syncs that do nothing both checks must find it.
#[test]
fn skipped_syncs_are_found() {
    let bench = Bench::new(Syncs::Skipped, Disks::Kept);
    for id in 0..30 {
        bench.insert(id).unwrap();
    }
    let found = check_order(&bench.book.entries());
    assert!(found.as_ref().is_err_and(|found| found.contains("not yet synced")), "{found:?}");
    let found = check_disks(&bench.disks);
    assert!(found.as_ref().is_err_and(|found| found.contains("leaves 0 rows")), "{found:?}");
}

#[test]
fn a_group_shares_a_sync() {
    const WRITERS: i64 = 64;
    const WRITES: i64 = 50;
    let bench = Bench::new(Syncs::Real, Disks::Ignored);
    let mut next = vec![0; WRITERS as usize];
    let submit = |writer: i64, n: i64| {
        let ticket = u64::try_from(writer).unwrap();
        bench.handle.submit(0, ticket, None, insert(writer * WRITES + n)).unwrap();
    };
    // Each writer has one write under way, as 64 connections would; the next leaves on the answer to the last.
    for writer in 0..WRITERS {
        submit(writer, 0);
    }
    for _ in 0..WRITERS * WRITES {
        let (_, ticket, reply) = bench.answers.recv_timeout(PATIENCE).expect("an answer");
        reply.unwrap();
        let writer = ticket as usize;
        next[writer] += 1;
        if next[writer] < WRITES {
            submit(writer as i64, next[writer]);
        }
    }
    let entries = bench.book.entries();
    assert_eq!(check_order(&entries), Ok((WRITERS * WRITES) as usize));
    let syncs = entries.iter().filter(|&&entry| entry == Entry::LogSynced).count();
    let writes = (WRITERS * WRITES) as usize;
    println!(
        "{writes} writes of {WRITERS} writers: {syncs} syncs, {:.1} writes each",
        writes as f64 / syncs as f64
    );
    assert!(syncs * 4 < writes, "{syncs} syncs for {writes} writes");
    assert_eq!(bench.ids().len(), writes);
}

#[test]
fn a_commit_that_fails_once_certainly_did_nothing() {
    let bench = Bench::new(Syncs::Real, Disks::Ignored);
    bench.insert(1).unwrap();
    bench.book.fail_syncs.store(1, SeqCst);
    let reply = bench.insert(2);
    assert!(matches!(reply, Err(Error::Unavailable { .. })), "{reply:?}");
    // Not even a power cut brings it back, though its frames were written whole.
    let path = bench.directory.path().join("after.db");
    bench.book.durable().restore(&path);
    let after: Vec<i64> = Connection::open(&path)
        .and_then(|connection| {
            let mut statement = connection.prepare("SELECT id FROM t")?;
            let ids = statement.query_map([], |row| row.get(0))?;
            ids.collect()
        })
        .unwrap();
    assert_eq!(after, [1]);
    bench.insert(3).unwrap();
    assert_eq!(bench.ids(), [Value::Integer(1), Value::Integer(3)]);
}

#[test]
fn a_commit_that_keeps_failing_has_an_unknown_outcome() {
    let bench = Bench::new(Syncs::Real, Disks::Ignored);
    bench.insert(1).unwrap();
    bench.book.fail_syncs.store(2, SeqCst);
    let reply = bench.insert(2);
    assert!(matches!(reply, Err(Error::OutcomeUnknown { .. })), "{reply:?}");
    bench.insert(3).unwrap();
    bench.store.close(PATIENCE);
}

#[test]
fn a_full_disk_is_unavailable_and_passes() {
    let bench = Bench::new(Syncs::Real, Disks::Ignored);
    bench.insert(1).unwrap();
    bench.book.fail_writes.store(1, SeqCst);
    let reply = bench.insert(2);
    let full = matches!(&reply, Err(Error::Unavailable { detail }) if detail.contains("disk is full"));
    assert!(full, "{reply:?}");
    bench.insert(3).unwrap();
    assert_eq!(bench.ids(), [Value::Integer(1), Value::Integer(3)]);
}
