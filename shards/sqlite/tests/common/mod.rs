//! A store on a temporary file, with its answers in a channel and a gate that holds the writer still.

#![allow(dead_code, unreachable_pub)] // Each test binary uses a part of it.

use ringmill_sqlite::{
    Answers, Class, Event, Handle, Job, Options, Reply, Statement, Store, Ticket, Value, run_script,
};
use std::collections::HashMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// Nothing here takes nearly as long; a test that waits this long has failed.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A job with this ticket holds its thread in `answer` until the gate opens.
pub const GATE: Ticket = Ticket::MAX;

pub struct Bench {
    pub store: Store,
    pub handle: Handle,
    pub answers: Receiver<(usize, Ticket, Reply)>,
    pub events: Receiver<Event>,
    /// One for each thread: a message lets a held thread go.
    pub gates: Vec<Sender<()>>,
    /// Says that a thread is held.
    pub held: Receiver<()>,
    early: HashMap<Ticket, Reply>,
    next_ticket: Ticket,
    pub directory: tempfile::TempDir,
}

struct Channel {
    answers: Sender<(usize, Ticket, Reply)>,
    events: Sender<Event>,
    gate: Receiver<()>,
    held: Sender<()>,
}

impl Answers for Channel {
    fn answer(&mut self, shard: usize, ticket: Ticket, reply: Reply) {
        if ticket == GATE {
            let _ = self.held.send(());
            let _ = self.gate.recv();
        }
        let _ = self.answers.send((shard, ticket, reply));
    }

    fn observe(&mut self, event: Event) {
        let _ = self.events.send(event);
    }
}

impl Bench {
    pub fn new(schema: &[&str], adjust: impl FnOnce(&mut Options)) -> Bench {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("test.db");
        let schema: Vec<String> = schema.iter().map(|&sql| sql.to_owned()).collect();
        run_script(&path, &schema).unwrap();
        let mut options = Options::new(path);
        adjust(&mut options);
        let (answer_sender, answers) = channel();
        let (event_sender, events) = channel();
        let (held_sender, held) = channel();
        let mut gates = Vec::new();
        let store = Store::open(options, |_| {
            let (sender, gate) = channel();
            gates.push(sender);
            let (answers, events, held) = (answer_sender.clone(), event_sender.clone(), held_sender.clone());
            Box::new(Channel { answers, events, gate, held })
        })
        .unwrap();
        let handle = store.handle();
        let early = HashMap::new();
        Bench { store, handle, answers, events, gates, held, early, next_ticket: 0, directory }
    }

    pub fn path(&self) -> std::path::PathBuf {
        self.directory.path().join("test.db")
    }

    pub fn submit(&mut self, job: Job) -> Ticket {
        self.next_ticket += 1;
        self.handle.submit(0, self.next_ticket, None, job).unwrap();
        self.next_ticket
    }

    pub fn answer_to(&mut self, ticket: Ticket) -> Reply {
        loop {
            if let Some(reply) = self.early.remove(&ticket) {
                return reply;
            }
            let (_, got, reply) = self.answers.recv_timeout(PATIENCE).expect("an answer");
            self.early.insert(got, reply);
        }
    }

    pub fn ask(&mut self, job: Job) -> Reply {
        let ticket = self.submit(job);
        self.answer_to(ticket)
    }

    /// Holds the thread that takes this job, once it answers it.
    pub fn hold(&mut self, job: Job) {
        self.handle.submit(0, GATE, None, job).unwrap();
        self.held.recv_timeout(PATIENCE).expect("a held thread");
    }

    pub fn let_writer_go(&self) {
        self.gates[0].send(()).unwrap();
    }

    /// Submits these to a writer that is held, so that they form one group, and collects their answers.
    pub fn group(&mut self, jobs: Vec<Job>) -> Vec<Reply> {
        self.hold(write("SELECT 1", vec![]));
        let tickets: Vec<_> = jobs.into_iter().map(|job| self.submit(job)).collect();
        self.let_writer_go();
        tickets.into_iter().map(|ticket| self.answer_to(ticket)).collect()
    }

    /// The first column of a query, as integers.
    pub fn integers(&mut self, sql: &str) -> Vec<i64> {
        let rows = self.ask(read(sql, vec![])).unwrap().remove(0);
        rows.cells
            .iter()
            .map(|cell| match cell {
                Value::Integer(n) => *n,
                other => panic!("{other:?} is no integer"),
            })
            .collect()
    }
}

pub fn statement(sql: &str, parameters: Vec<Value>) -> Statement {
    Statement { sql: sql.into(), parameters }
}

pub fn job(class: Class, sql: &str, parameters: Vec<Value>) -> Job {
    Job::new(class, vec![statement(sql, parameters)])
}

pub fn write(sql: &str, parameters: Vec<Value>) -> Job {
    job(Class::Write, sql, parameters)
}

pub fn read(sql: &str, parameters: Vec<Value>) -> Job {
    job(Class::Read, sql, parameters)
}

pub fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}
