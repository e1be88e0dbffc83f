//! The API against the real store: what goes in as a request comes out as an answer.

mod body;
mod contract;
mod convert;
mod endpoint;
mod freshness;
mod generated;
mod names;
mod refusal;
mod render;
mod routes;
mod schema;
mod sql_text;
mod table;
mod values;

use super::{Answer, Api, Begin, Pending, Request, schema as schema_of};
use crate::config::{Inputs, Plan, load};
use ringmill_http1::Method;
use ringmill_sqlite::{Answers, Compiler, Job, Options, Reply, Store, Sync, Ticket, run_script};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// 2026-11-24T02:00:00.123456Z
const NOW_UNIX_US: i64 = 1_795_485_600_123_456;
const RANDOM: u128 = 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef;
const JSON: Option<&str> = Some("application/json");

/// The plan of the built-in file.
fn builtin_plan() -> Plan {
    plan_in(Path::new("/nonexistent"), None)
}

/// The plan of this file.
fn plan_of(toml: &str) -> Plan {
    let folder = tempfile::tempdir().expect("a folder for the file");
    let path = folder.path().join("ringmill.toml");
    std::fs::write(&path, format!("format = 1\n{toml}")).expect("room for the file");
    plan_in(folder.path(), Some(&path))
}

fn plan_in(working_directory: &Path, config: Option<&Path>) -> Plan {
    let inputs = Inputs {
        config: config.map(Path::to_owned),
        working_directory,
        environment: Vec::new(),
        sets: Vec::new(),
        flags: Vec::new(),
    };
    load(&inputs).unwrap_or_else(|faults| panic!("{faults:#?}"))
}

/// An API and its database.
struct Served {
    api: Api,
    store: Store,
    replies: Receiver<Reply>,
    _folder: tempfile::TempDir,
}

struct Sink(Sender<Reply>);

impl Answers for Sink {
    fn answer(&mut self, _shard: usize, _ticket: Ticket, reply: Reply) {
        // The test may have ended.
        let _ = self.0.send(reply);
    }
}

impl Served {
    fn builtin() -> Served {
        Served::new(&builtin_plan())
    }

    fn of(toml: &str) -> Served {
        Served::new(&plan_of(toml))
    }

    fn new(plan: &Plan) -> Served {
        Served::open(plan, None)
    }

    /// With each statement's text shown to `trace` when it begins to run.
    fn traced(plan: &Plan, trace: fn(&str)) -> Served {
        Served::open(plan, Some(trace))
    }

    fn open(plan: &Plan, trace: Option<fn(&str)>) -> Served {
        let folder = tempfile::tempdir().expect("a folder for the database");
        let path = folder.path().join("test.db");
        let script: Vec<_> = schema_of(plan).into_iter().flat_map(|table| table.statements).collect();
        run_script(&path, &script).unwrap_or_else(|error| panic!("{error:?}: {script:#?}"));
        let compiler = Compiler::open(&path).expect("a database to look at");
        let api = Api::new(plan);
        for (index, route) in api.routes().iter().enumerate() {
            for method in &route.methods {
                for sql in api.statements(index, *method) {
                    let compiled = compiler.compile(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
                    let writes = api.terms(index, *method).expect("it has statements").writes;
                    assert!(compiled.readonly || writes, "{sql}");
                }
            }
        }
        Served::with(api, Options { trace, ..Options::new(path) }, folder)
    }

    /// On a database that is there.
    fn on(api: Api, path: std::path::PathBuf, folder: tempfile::TempDir) -> Served {
        Served::with(api, Options::new(path), folder)
    }

    fn with(api: Api, options: Options, folder: tempfile::TempDir) -> Served {
        let (sender, replies) = channel();
        let options = Options { sync: Sync::Normal, ..options };
        let store = Store::open(options, |_| Box::new(Sink(sender.clone()))).expect("a store");
        Served { api, store, replies, _folder: folder }
    }

    fn run(&self, job: Job) -> Reply {
        self.store.handle().submit(0, 0, None, job).expect("room in the queue");
        self.replies.recv_timeout(Duration::from_secs(30)).expect("a reply")
    }

    fn ask(&self, method: Method, target: &str, content_type: Option<&str>, body: &[u8]) -> Answer {
        match begin(&self.api, method, target, content_type, body) {
            Begin::Answer(answer) => answer,
            Begin::Constant(index) => {
                let constant = &self.api.constants()[index];
                Answer::json(constant.status, constant.body.clone())
            }
            Begin::Ask { job, pending } => self.api.finish(pending, self.run(job)),
        }
    }

    fn get(&self, target: &str) -> Answer {
        self.ask(Method::Get, target, None, b"")
    }

    fn send(&self, method: Method, target: &str, body: &str) -> Answer {
        self.ask(method, target, JSON, body.as_bytes())
    }

    /// Asks, and compares status and body.
    #[track_caller]
    fn check(&self, method: Method, target: &str, body: &str, status: u16, expected: &str) -> Answer {
        let answer = match method {
            Method::Get | Method::Head | Method::Delete => self.ask(method, target, None, b""),
            _ => self.send(method, target, body),
        };
        assert_eq!(
            (answer.status, text(&answer)),
            (status, expected),
            "{method:?} {target} {body}: {answer:?}"
        );
        answer
    }
}

fn begin(api: &Api, method: Method, target: &str, content_type: Option<&str>, body: &[u8]) -> Begin {
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    let Some(found) = api.find(path) else { return Begin::Answer(api.no_route(method)) };
    let drawn = std::cell::Cell::new(RANDOM);
    let request = Request {
        method,
        query,
        content_type: content_type.map(str::as_bytes),
        body,
        fields: &|visit| {
            visit("Host", b"test");
            visit("X-Many", b"a, b");
        },
        now_unix_us: NOW_UNIX_US,
        // Another number each time.
        random: &|| drawn.replace(!drawn.get()),
    };
    api.begin(&found, &request)
}

/// The question that a request comes to.
#[track_caller]
fn question(api: &Api, method: Method, target: &str, body: &str) -> (Job, Pending) {
    match begin(api, method, target, JSON, body.as_bytes()) {
        Begin::Ask { job, pending } => (job, pending),
        other => panic!("{method:?} {target} {body}: {other:?}"),
    }
}

fn text(answer: &Answer) -> &str {
    std::str::from_utf8(&answer.body).expect("an answer in UTF-8")
}
