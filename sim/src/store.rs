//! A store with the interface of the SQLite handle: real SQL on a database in memory, at instants that the seed draws.

use crate::truth::Truth;
use ringmill::shard::{Ask, Message, StoreAnswers};
use ringmill_mesh::{Board, Mesh, Waker};
use ringmill_sim_kernel::faults::Fault;
use ringmill_sim_kernel::kernel::{Event, Shared};
use ringmill_sqlite::{Answers, Class, Error, Job, Reply, Rows, Ticket, Value, held_bytes};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, params_from_iter};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

/// Threads that reply: reads and writes come on rings of their own.
pub const THREADS: usize = 2;
/// Jobs that wait; a queue this long is full.
const JOBS_MAX: usize = 4096;

struct Waiting {
    shard: usize,
    ticket: Ticket,
    /// Virtual.
    begin_by_ns: u64,
    job: Job,
    reply: Option<Reply>,
}

struct State {
    kernel: Shared,
    truth: Rc<RefCell<Truth>>,
    connection: Connection,
    answers: Vec<StoreAnswers>,
    waiting: BTreeMap<u64, Waiting>,
    next: u64,
    /// The longest that a job usually takes.
    job_ns_most: u64,
    held_bytes: isize,
    /// Two questions for one answer that is kept were with the store at once.
    twice: Option<String>,
    /// The instant that virtual time is counted from, and what virtual time was then.
    epoch: Option<(Instant, u64)>,
}

/// The store; every shard has a handle.
#[derive(Clone)]
pub struct Store(Rc<RefCell<State>>);

impl Store {
    pub fn new(
        kernel: &Shared,
        mesh: &Arc<Mesh<Message>>,
        truth: &Rc<RefCell<Truth>>,
        schema: &str,
        board: &Arc<Board>,
    ) -> Store {
        let connection = Connection::open_in_memory().expect("a database in memory");
        connection.execute_batch(schema).expect("the schema");
        let job_ns_most = [300_000, 300_000, 30_000_000][kernel.borrow_mut().random.index(3)];
        let control = mesh.cores();
        let answers = (0..THREADS)
            .map(|thread| {
                let seat = mesh.guest_seat(1 + thread);
                StoreAnswers::new(seat.adopt_guest(Waker::Callback(Box::new(|| ()))), control, board.clone())
            })
            .collect();
        Store(Rc::new(RefCell::new(State {
            kernel: kernel.clone(),
            truth: truth.clone(),
            connection,
            answers,
            waiting: BTreeMap::new(),
            next: 0,
            job_ns_most,
            held_bytes: 0,
            twice: None,
            epoch: None,
        })))
    }

    /// `instant` is virtual `now_ns`, for the shards too.
    pub fn set_epoch(&self, instant: Instant, now_ns: u64) {
        self.0.borrow_mut().epoch = Some((instant, now_ns));
    }

    pub fn waiting(&self) -> usize {
        self.0.borrow().waiting.len()
    }

    /// What was asked although the answer to it was under way.
    pub fn asked_twice(&self) -> Option<String> {
        self.0.borrow().twice.clone()
    }

    /// All rows, by key.
    pub fn rows(&self) -> BTreeMap<i64, String> {
        let state = self.0.borrow();
        let mut all = state.connection.prepare("SELECT id, value FROM cells").expect("a query");
        let rows = all.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).expect("rows");
        rows.map(|row| row.expect("a row")).collect()
    }

    pub fn held_bytes(&self) -> isize {
        self.0.borrow().held_bytes
    }

    /// The next step of a job: it runs, or its reply leaves.
    pub fn act(&self, number: u64) {
        let state = &mut *self.0.borrow_mut();
        let Some(mut waiting) = state.waiting.remove(&number) else { return };
        let thread = usize::from(waiting.job.class != Class::Write);
        if let Some(reply) = waiting.reply {
            // As the store counts it; the shard takes it off when it has the reply.
            state.held_bytes += held_bytes(&reply) as isize;
            state.answers[thread].answer(waiting.shard, waiting.ticket, reply);
            state.kernel.borrow_mut().look_at_bells();
            return;
        }
        let reply = state.run(&waiting);
        let mut kernel = state.kernel.borrow_mut();
        let now_ns = kernel.now_ns;
        kernel.trace.line(now_ns, |line| {
            use std::fmt::Write;
            let of = match &reply {
                Ok(rows) => format!("{} results", rows.len()),
                Err(error) => format!("{error:?}"),
            };
            let _ = write!(line, "store: job {number} of shard {}: {of}", waiting.shard);
        });
        waiting.reply = Some(reply);
        let delay = kernel.random.magnitude(500, 100_000);
        kernel.after(delay, Event::Store(number));
        drop(kernel);
        state.waiting.insert(number, waiting);
    }
}

impl State {
    fn run(&mut self, waiting: &Waiting) -> Reply {
        {
            let mut kernel = self.kernel.borrow_mut();
            if kernel.now_ns > waiting.begin_by_ns {
                return Err(Error::NotBegun);
            }
            if kernel.happens(Fault::StoreFails) {
                return Err(Error::Unavailable { detail: "simulated".into() });
            }
        }
        let is_write = waiting.job.class == Class::Write;
        let results = self.run_all(&waiting.job);
        if results.is_ok() && is_write {
            for (statement, rows) in waiting.job.statements.iter().zip(results.iter().flatten()) {
                if let (true, Some(Value::Integer(key))) =
                    (statement.sql.starts_with("DELETE") && rows.changed > 0, statement.parameters.first())
                {
                    self.truth.borrow_mut().delete(*key);
                }
                for parameter in &statement.parameters {
                    if let Value::Text(text) = parameter {
                        self.truth.borrow_mut().commit(text);
                    }
                }
            }
            if self.kernel.borrow_mut().happens(Fault::StoreUnsure) {
                return Err(Error::OutcomeUnknown { detail: "simulated".into() });
            }
        }
        results
    }

    fn run_all(&mut self, job: &Job) -> Reply {
        let transaction = self.connection.unchecked_transaction().map_err(words)?;
        let mut results = Vec::new();
        for statement in &job.statements {
            let mut prepared = transaction.prepare_cached(&statement.sql).map_err(words)?;
            let mut rows = Rows { columns: prepared.column_count(), ..Rows::default() };
            let is_read = prepared.readonly();
            let mut cursor =
                prepared.query(params_from_iter(statement.parameters.iter().map(bound))).map_err(words)?;
            while let Some(row) = cursor.next().map_err(words)? {
                for column in 0..rows.columns {
                    rows.cells.push(value(row.get_ref(column).map_err(words)?));
                }
            }
            drop(cursor);
            if !is_read {
                rows.changed = transaction.changes() as usize;
            }
            results.push(rows);
        }
        transaction.commit().map_err(words)?;
        Ok(results)
    }
}

fn words(error: rusqlite::Error) -> Error {
    Error::Statement { detail: error.to_string() }
}

fn bound(value: &Value) -> rusqlite::types::Value {
    match value {
        Value::Null => rusqlite::types::Value::Null,
        Value::Integer(n) => rusqlite::types::Value::Integer(*n),
        Value::Real(x) => rusqlite::types::Value::Real(*x),
        Value::Text(text) => rusqlite::types::Value::Text(text.clone()),
        Value::Blob(bytes) => rusqlite::types::Value::Blob(bytes.clone()),
    }
}

fn value(cell: ValueRef<'_>) -> Value {
    match cell {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(n) => Value::Integer(n),
        ValueRef::Real(x) => Value::Real(x),
        ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
    }
}

impl Ask for Store {
    fn ask(&self, shard: usize, ticket: Ticket, begin_by: Option<Instant>, job: Job) -> Result<(), Job> {
        let state = &mut *self.0.borrow_mut();
        let mut kernel = state.kernel.borrow_mut();
        if state.waiting.len() >= JOBS_MAX || kernel.happens(Fault::StoreFull) {
            return Err(job);
        }
        let begin_by_ns = match (begin_by, state.epoch) {
            (Some(at), Some((instant, now_ns))) => {
                now_ns + at.saturating_duration_since(instant).as_nanos() as u64
            }
            _ => u64::MAX,
        };
        let delay = if kernel.happens(Fault::StoreStuck) {
            kernel.random.magnitude(1_000_000_000, 100_000_000_000)
        } else if kernel.happens(Fault::StoreSlow) {
            kernel.random.magnitude(100_000, 1_000_000_000)
        } else {
            kernel.random.magnitude(2_000, state.job_ns_most)
        };
        let same = |waiting: &&Waiting| {
            let of = |job: &Job| {
                job.statements
                    .iter()
                    .map(|one| format!("{} {:?}", one.sql, one.parameters))
                    .collect::<Vec<_>>()
            };
            job.class != Class::Write && of(&waiting.job) == of(&job)
        };
        // Those of /mark and /large are each for one request.
        let is_kept = job.statements.iter().all(|statement| statement.sql.contains("cells"));
        if is_kept && state.waiting.values().find(same).is_some() {
            state.twice = Some(job.statements[0].sql.to_string());
        }
        state.next += 1;
        kernel.after(delay, Event::Store(state.next));
        drop(kernel);
        state.waiting.insert(state.next, Waiting { shard, ticket, begin_by_ns, job, reply: None });
        Ok(())
    }

    fn hold(&self, change: isize) {
        self.0.borrow_mut().held_bytes += change;
    }

    fn foreign_writes(&self) -> u64 {
        0
    }

    fn is_unavailable(&self) -> bool {
        false
    }
}
