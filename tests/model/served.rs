//! A drawn file served: in this process, by the API over the store, or by the real binary over a socket.

use crate::client::{Client, Expect};
use crate::request::Ask;
use crate::server::{Server, Setup};
use crate::state::Answer;
use ringmill::api::{Api, Begin, Request, schema};
use ringmill::config::{Fault, Inputs, Plan, load};
use ringmill_http1::Method;
use ringmill_sqlite::{Answers, Compiler, Job, Options, Reply, Store, Sync, Ticket, run_script};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// Whatever answers.
pub(crate) trait Serves {
    fn answer(&mut self, ask: &Ask) -> Answer;
}

/// The API and the store, without sockets.
pub(crate) struct InProcess {
    pub(crate) api: Api,
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

pub(crate) fn plan(folder: &Path) -> Result<Plan, Vec<Fault>> {
    load(&Inputs {
        config: None,
        working_directory: folder,
        environment: Vec::new(),
        sets: Vec::new(),
        flags: Vec::new(),
    })
}

impl InProcess {
    pub(crate) fn of(toml: &str) -> InProcess {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("ringmill.toml"), toml).expect("a file");
        let plan = plan(folder.path()).unwrap_or_else(|faults| panic!("{faults:#?} in\n{toml}"));
        InProcess::start(&plan, folder).unwrap_or_else(|why| panic!("{why} in\n{toml}"))
    }

    /// In words why it can't be served.
    pub(crate) fn start(plan: &Plan, folder: tempfile::TempDir) -> Result<InProcess, String> {
        let path = folder.path().join("test.db");
        let script: Vec<_> = schema(plan).into_iter().flat_map(|table| table.statements).collect();
        run_script(&path, &script).map_err(|error| format!("{error:?} of {script:#?}"))?;
        let compiler = Compiler::open(&path).map_err(|error| format!("{error:?}"))?;
        let api = Api::with_columns(plan, &|sql| compiler.compile(sql).ok().map(|compiled| compiled.columns));
        for (index, route) in api.routes().iter().enumerate() {
            for method in &route.methods {
                for sql in api.statements(index, *method) {
                    compiler.compile(sql).map_err(|error| format!("{}: {error}: {sql}", route.path))?;
                }
            }
        }
        let (sender, replies) = channel();
        let options = Options { sync: Sync::Normal, readers: 1, ..Options::new(path) };
        let store =
            Store::open(options, |_| Box::new(Sink(sender.clone()))).map_err(|error| error.to_string())?;
        Ok(InProcess { api, store, replies, _folder: folder })
    }

    pub(crate) fn ask(
        &self,
        method: &str,
        target: &str,
        content_type: Option<&str>,
        body: &[u8],
        now_unix_us: i64,
        random: u128,
    ) -> ringmill::api::Answer {
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        let method = Method::from_token(method.as_bytes());
        let Some(found) = self.api.find(path) else { return self.api.no_route(method) };
        let content_type = content_type.map(str::as_bytes);
        let request =
            Request { method, query, content_type, body, fields: &|_| (), now_unix_us, random: &|| random };
        match self.api.begin(&found, &request) {
            Begin::Answer(answer) => answer,
            Begin::Constant(index) => {
                let constant = &self.api.constants()[index];
                ringmill::api::Answer {
                    status: constant.status,
                    body: constant.body.clone(),
                    ..self.api.no_route(method)
                }
            }
            Begin::Ask { job, pending } => self.api.finish(pending, self.run(job)),
        }
    }

    fn run(&self, job: Job) -> Reply {
        self.store.handle().submit(0, 0, None, job).expect("room in the queue");
        self.replies.recv_timeout(Duration::from_secs(30)).expect("a reply")
    }
}

impl Serves for InProcess {
    fn answer(&mut self, ask: &Ask) -> Answer {
        let answer =
            self.ask(ask.method, &ask.target, ask.content_type, &ask.bytes, ask.now_unix_us, ask.random);
        let body = String::from_utf8(answer.body).expect("an answer in UTF-8");
        Answer { status: answer.status, body, location: answer.location, allow: answer.allow }
    }
}

/// The binary, and a connection to it.
pub(crate) struct OverSocket {
    client: Client,
    _server: Server,
}

impl OverSocket {
    pub(crate) fn of(toml: &str) -> OverSocket {
        let server = Setup::shards(1).file(toml).start();
        OverSocket { client: server.connect(), _server: server }
    }
}

impl Serves for OverSocket {
    fn answer(&mut self, ask: &Ask) -> Answer {
        let mut head = format!("{} {} HTTP/1.1\r\nHost: a\r\n", ask.method, ask.target);
        if let Some(content_type) = ask.content_type {
            head.push_str(&format!("Content-Type: {content_type}\r\n"));
        }
        if !ask.bytes.is_empty() || ask.content_type.is_some() {
            head.push_str(&format!("Content-Length: {}\r\n", ask.bytes.len()));
        }
        self.client.send(head + "\r\n");
        self.client.send(&ask.bytes);
        let answer = self.client.read_as(if ask.method == "HEAD" { Expect::HeadOnly } else { Expect::Body });
        let field = |name| answer.field(name).map(str::to_owned);
        Answer {
            status: answer.status,
            body: answer.text(),
            location: field("Location"),
            allow: field("Allow"),
        }
    }
}
