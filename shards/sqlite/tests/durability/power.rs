//! Power cuts at drawn instants: whatever was answered is there, nothing is half there, and the file is sound. And disks
//! that are full, or whose writes and syncs fail, for a while. `RINGMILL_CUTS=2000` asks for so many cuts of each kind.

use crate::disk::{Chance, Cut, Disk, Faults};
use crate::vfs::Book;
use ringmill_sqlite::{
    Answers, Class, Error, Handle, Job, Loader, Options, Reply, Statement, Store, Sync, Ticket, Value,
    run_script,
};
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

/// Rows that one run writes over and over, by so many writers.
const KEYS: usize = 24;

/// Writes of one run.
const WRITES: usize = 300;

/// Rows beside each, written in the same job.
const CHILDREN: i64 = 3;

const SCHEMA: [&str; 3] = [
    "CREATE TABLE parent (id INTEGER PRIMARY KEY, v INTEGER NOT NULL, again INTEGER NOT NULL, pad TEXT NOT NULL)",
    "CREATE INDEX parent_v ON parent (v, id)",
    "CREATE TABLE child (n INTEGER PRIMARY KEY, parent INTEGER NOT NULL REFERENCES parent (id), v INTEGER NOT NULL)",
];

/// Cuts of each kind: enough to find a planted mistake many times over.
fn cuts_wanted() -> usize {
    std::env::var("RINGMILL_CUTS").map_or(250, |text| text.parse().expect("RINGMILL_CUTS is a number"))
}

struct Folder {
    folder: tempfile::TempDir,
}

impl Folder {
    fn new() -> Folder {
        Folder { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        Book::forget(&self.path(""));
    }
}

/// What a row is after a write: `None` if it was deleted, else what stands in all of its columns.
type State = Option<i64>;

/// The write that follows `seq` writes of a key.
fn job(key: usize, seq: usize, chance: &mut Chance) -> (Job, State) {
    let id = Value::Integer(key as i64);
    let statement = |sql: &str, parameters: Vec<Value>| Statement { sql: sql.into(), parameters };
    let mut statements = vec![statement("DELETE FROM child WHERE parent = ?1", vec![id.clone()])];
    let state = if chance.one_in(5) {
        statements.push(statement("DELETE FROM parent WHERE id = ?1", vec![id]));
        None
    } else {
        let v = seq as i64 + 1;
        let pad = Value::Text("x".repeat([10, 200, 3_000, 9_000][chance.below(4)]));
        statements.push(statement(
            "INSERT INTO parent VALUES (?1, ?2, ?2, ?3) ON CONFLICT (id) DO UPDATE SET v = ?2, again = ?2, pad = ?3",
            vec![id.clone(), Value::Integer(v), pad],
        ));
        for _ in 0..CHILDREN {
            let sql = "INSERT INTO child (parent, v) VALUES (?1, ?2)";
            statements.push(statement(sql, vec![id.clone(), Value::Integer(v)]));
        }
        Some(v)
    };
    (Job::new(Class::Write, statements), state)
}

struct Witness {
    book: Arc<Book>,
    answers: Sender<(Ticket, Reply)>,
}

impl Answers for Witness {
    fn answer(&mut self, _: usize, ticket: Ticket, reply: Reply) {
        let mut disk = self.book.disk();
        disk.answered.push(ticket);
        if reply.is_err() {
            // What was refused must not come back.
            disk.cut_after_refusal();
        }
        drop(disk);
        let _ = self.answers.send((ticket, reply));
    }
}

/// A run: what each key's writes made of it, in order, and which of them succeeded.
struct Run {
    book: Arc<Book>,
    /// By key, then by write: the state, and how it ended.
    writes: Vec<Vec<(State, Ending)>>,
    checkpoints: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Done,
    NotDone,
    Unknown,
}

struct Workload<'a> {
    handle: &'a Handle,
    answers: &'a Receiver<(Ticket, Reply)>,
    chance: Chance,
    writes: Vec<Vec<(State, Ending)>>,
}

impl Workload<'_> {
    /// Each key has one write under way at most, as a connection has.
    fn run(&mut self, count: usize) {
        let mut free: Vec<usize> = (0..KEYS).collect();
        let mut sent = 0;
        while sent < count || free.len() < KEYS {
            let many = 1 + self.chance.below(12);
            for _ in 0..many.min(free.len()).min(count - sent) {
                let key = free.swap_remove(self.chance.below(free.len()));
                let seq = self.writes[key].len();
                let (job, state) = job(key, seq, &mut self.chance);
                self.writes[key].push((state, Ending::Unknown));
                self.handle.submit(0, (key << 32 | seq) as u64, None, job).unwrap();
                sent += 1;
            }
            let (ticket, reply) = self.answers.recv_timeout(PATIENCE).expect("an answer");
            let (key, seq) = (ticket as usize >> 32, ticket as usize & 0xffff_ffff);
            self.writes[key][seq].1 = match reply {
                Ok(_) => Ending::Done,
                Err(Error::Unavailable { .. }) => Ending::NotDone,
                Err(Error::OutcomeUnknown { .. }) => Ending::Unknown,
                Err(error) => panic!("{error:?}"),
            };
            free.push(key);
        }
    }
}

/// Writes at random on a disk whose power is cut now and then, and on which `between` does what it likes halfway.
fn run(folder: &Folder, seed: u64, cut_in: usize, disk: impl FnOnce(&mut Disk), between: &[Faults]) -> Run {
    let path = folder.path(&format!("{seed}.db"));
    let book = Book::simulate(&path, Disk::new(seed, 0));
    run_script(&path, &SCHEMA.map(str::to_owned)).unwrap();
    {
        let mut on = book.disk();
        *on = on.again(seed, cut_in);
        disk(&mut on);
    }
    let (sender, answers) = channel();
    let mut chance = Chance::new(seed + 1);
    let checkpoint_frames = [20, 60, 200][chance.below(3)];
    let options = Options { readers: 1, checkpoint_frames, ..Options::new(&path) };
    let store =
        Store::open(options, |_| Box::new(Witness { book: book.clone(), answers: sender.clone() })).unwrap();
    let handle = store.handle();
    let writes = vec![Vec::new(); KEYS];
    let mut workload = Workload { handle: &handle, answers: &answers, chance, writes };
    for &faults in between {
        workload.run(WRITES / (2 * between.len() + 1));
        book.disk().faults = faults;
        workload.run(WRITES / (2 * between.len() + 1));
        book.disk().faults = Faults::None;
    }
    workload.run(WRITES / (2 * between.len() + 1));
    let writes = workload.writes;
    let checkpoints = store.statistics().threads[0].checkpoints;
    store.close(PATIENCE);
    Run { book, writes, checkpoints }
}

/// What is in a database that the store has opened again; a fault in words.
fn look(path: &Path) -> Result<Vec<State>, String> {
    struct Nobody;
    impl Answers for Nobody {
        fn answer(&mut self, _: usize, _: Ticket, _: Reply) {}
    }
    Book::hasten(path);
    let options = Options { readers: 1, ..Options::new(path) };
    let store = Store::open(options, |_| Box::new(Nobody)).map_err(|error| error.to_string())?;
    let states = check(path).map_err(|error| error.to_string())?;
    store.close(PATIENCE);
    states
}

fn check(path: &Path) -> rusqlite::Result<Result<Vec<State>, String>> {
    let connection = Connection::open(path)?;
    sound(&connection)?;
    let mut states = vec![None; KEYS];
    let mut rows = connection.prepare(
        "SELECT id, v, again = v AND length(trim(pad, 'x')) = 0 AND length(pad) IN (10, 200, 3000, 9000),
            (SELECT count(*) FROM child WHERE parent = parent.id AND child.v = parent.v),
            (SELECT count(*) FROM child WHERE parent = parent.id) FROM parent",
    )?;
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        let (id, v): (i64, i64) = (row.get(0)?, row.get(1)?);
        let (whole, matching, all): (bool, i64, i64) = (row.get(2)?, row.get(3)?, row.get(4)?);
        if !whole || matching != CHILDREN || all != CHILDREN {
            return Ok(Err(format!("row {id} is half there: {v}, {whole}, {matching} of {all} children")));
        }
        states[id as usize] = Some(v);
    }
    Ok(Ok(states))
}

/// `integrity_check` and `foreign_key_check`.
fn sound(connection: &Connection) -> rusqlite::Result<()> {
    let fault = |words: String| rusqlite::Error::InvalidParameterName(words);
    let words: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
    if words != "ok" {
        return Err(fault(format!("integrity_check: {words}")));
    }
    match connection.query_row("PRAGMA foreign_key_check", [], |_| Ok(())) {
        Err(rusqlite::Error::QueryReturnedNoRows) => Ok(()),
        Ok(()) => Err(fault("foreign_key_check finds a row".into())),
        Err(error) => Err(error),
    }
}

/// Whether what a cut left is what the answers before it promise.
fn judge(run: &Run, cut: &Cut, states: &[State]) -> Result<(), String> {
    let mut answered = [0; KEYS];
    for &ticket in &run.book.disk().answered[..cut.answered] {
        answered[ticket as usize >> 32] = (ticket as usize & 0xffff_ffff) + 1;
    }
    for (key, writes) in run.writes.iter().enumerate() {
        let mut allowed = vec![None];
        for (state, ending) in &writes[..answered[key]] {
            match ending {
                Ending::Done => allowed = vec![*state],
                Ending::NotDone => {}
                Ending::Unknown => allowed.push(*state),
            }
        }
        // At most one is under way, however it ended afterwards.
        allowed.extend(writes.get(answered[key]).map(|write| write.0));
        if !allowed.contains(&states[key]) {
            return Err(format!("row {key} is {:?}, not one of {allowed:?}", states[key]));
        }
    }
    Ok(())
}

/// Looks at every cut of a run; says how many there were, or what is wrong with the first that is.
fn judge_all(folder: &Folder, run: &Run) -> Result<usize, String> {
    let cuts = std::mem::take(&mut run.book.disk().cuts);
    for (n, cut) in cuts.iter().enumerate() {
        let path = folder.path(&format!("cut-{n}.db"));
        cut.restore(&path);
        let judged = look(&path).and_then(|states| judge(run, cut, &states));
        judged.map_err(|words| format!("cut {n} in operation {}: {words}", cut.operation))?;
        for suffix in ["", "-wal", "-shm", "-journal"] {
            let _ = std::fs::remove_file(format!("{}{suffix}", path.display()));
        }
    }
    Ok(cuts.len())
}

fn many_runs(faults: &[Faults]) -> usize {
    let (mut cuts, mut failed, mut checkpoints) = (0, 0, 0);
    for seed in 1.. {
        let folder = Folder::new();
        let run = run(&folder, seed, 120, |_| (), faults);
        cuts += judge_all(&folder, &run).unwrap_or_else(|words| panic!("seed {seed}: {words}"));
        failed += run.book.disk().failed;
        checkpoints += run.checkpoints;
        if cuts >= cuts_wanted() {
            println!("{cuts} cuts in {seed} runs, {failed} failed operations, {checkpoints} checkpoints");
            assert!(checkpoints > seed, "{checkpoints} checkpoints in {seed} runs");
            break;
        }
    }
    failed
}

#[test]
fn after_a_power_cut_every_answered_write_is_there_and_none_is_half() {
    many_runs(&[]);
}

#[test]
fn the_same_on_a_disk_that_was_full_and_writes_go_on_once_there_is_space() {
    assert!(many_runs(&[Faults::Full, Faults::Refused]) > 0);
}

#[test]
fn the_same_on_a_disk_whose_syncs_fail_for_a_while() {
    assert!(many_runs(&[Faults::Syncs]) > 0);
}

/// The test of the tests: a log whose syncs do nothing is found.
#[test]
fn a_log_that_is_not_synced_is_found() {
    let found = (1..20).find_map(|seed| {
        let folder = Folder::new();
        let run = run(&folder, seed, 60, |disk| disk.syncs_lie = true, &[]);
        judge_all(&folder, &run).err()
    });
    assert!(found.is_some(), "no power cut of 19 runs finds it");
}

/// What stands at the end of a run is exactly what was answered.
#[test]
fn what_a_full_disk_refused_is_not_there() {
    for seed in 1..=8 {
        let folder = Folder::new();
        let run = run(&folder, seed, 0, |_| (), &[Faults::Full, Faults::Refused]);
        let states = look(&folder.path(&format!("{seed}.db"))).unwrap();
        let refused = run.writes.iter().flatten().filter(|write| write.1 == Ending::NotDone).count();
        assert!(refused > 0, "seed {seed}: nothing was refused");
        assert!(
            run.writes.iter().flatten().all(|write| write.1 != Ending::Unknown),
            "a full disk is no doubt"
        );
        for (key, writes) in run.writes.iter().enumerate() {
            let done = writes.iter().rev().find(|write| write.1 == Ending::Done);
            assert_eq!(states[key], done.and_then(|write| write.0), "seed {seed}, row {key}");
        }
    }
}

/// Cuts within the making of the schema: all of it or nothing, and it can be made again.
#[test]
fn a_schema_is_made_whole_whenever_the_power_goes() {
    let folder = Folder::new();
    let schema = SCHEMA.map(str::to_owned);
    let (mut cuts, mut empty) = (0, 0);
    for seed in 1.. {
        let path = folder.path(&format!("{seed}.db"));
        let book = Book::simulate(&path, Disk::new(seed, 3));
        run_script(&path, &schema).unwrap();
        let done = {
            let mut disk = book.disk();
            disk.answered.push(0);
            disk.cut();
            std::mem::take(&mut disk.cuts)
        };
        for (n, cut) in done.iter().enumerate() {
            let path = folder.path(&format!("{seed}-{n}.db"));
            Book::hasten(&path);
            cut.restore(&path);
            let tables =
                ringmill_sqlite::tables(&path).unwrap_or_else(|error| panic!("seed {seed}: {error:?}"));
            match &tables[..] {
                [] if cut.answered == 0 => {
                    empty += 1;
                    run_script(&path, &schema).unwrap_or_else(|error| panic!("seed {seed}: {error:?}"));
                }
                [child, parent] => assert_eq!((child.as_str(), parent.as_str()), ("child", "parent")),
                other => panic!("seed {seed}, cut {n}: {other:?} with {} answers", cut.answered),
            }
            sound(&Connection::open(&path).unwrap()).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            cuts += 1;
        }
        if cuts >= cuts_wanted() {
            break;
        }
    }
    assert!(empty > 0 && empty < cuts, "{empty} of {cuts} cuts came before the tables");
}

/// A loader's transactions are whole; with its syncs, those that it has committed are there.
#[test]
fn a_loader_loads_whole_transactions() {
    const ROWS: i64 = 7;
    for sync in [Sync::Full, Sync::Normal] {
        let (mut cuts, folder) = (0, Folder::new());
        for seed in 1.. {
            let path = folder.path(&format!("{seed}.db"));
            let book = Book::simulate(&path, Disk::new(seed, 0));
            run_script(&path, &["CREATE TABLE t (id INTEGER PRIMARY KEY, pad TEXT)".into()]).unwrap();
            {
                let mut disk = book.disk();
                *disk = disk.again(seed, 40);
            }
            let sql = "INSERT INTO t VALUES (?1, ?2)";
            let mut loader = Loader::open(&path, sql, ROWS as usize, PATIENCE, sync).unwrap();
            for id in 1..=40 * ROWS {
                loader.push(&[Value::Integer(id), Value::Text("x".repeat(900))]).unwrap();
                if id % ROWS == 0 {
                    book.disk().answered.push(id as u64);
                }
            }
            loader.finish().unwrap();
            let done = std::mem::take(&mut book.disk().cuts);
            let answered = book.disk().answered.clone();
            for (n, cut) in done.iter().enumerate() {
                let path = folder.path(&format!("{seed}-{n}.db"));
                Book::hasten(&path);
                cut.restore(&path);
                let connection = Connection::open(&path).unwrap();
                sound(&connection).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
                let sql = "SELECT count(*), coalesce(max(id), 0) FROM t WHERE length(trim(pad, 'x')) = 0";
                let there: (i64, i64) =
                    connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
                let least = match (sync, cut.answered) {
                    (Sync::Full, count @ 1..) => answered[count - 1] as i64,
                    _ => 0,
                };
                assert!(
                    there.0 == there.1 && there.0 % ROWS == 0 && there.0 >= least,
                    "seed {seed}, cut {n}: {there:?}, at least {least}"
                );
                cuts += 1;
            }
            if cuts >= cuts_wanted() / 2 {
                break;
            }
        }
    }
}
