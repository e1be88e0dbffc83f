//! A shard on a simulated kernel in which nothing is drawn, and a service whose late answers a test gives when it likes.

use ringmill_http1::{Limits, Status};
use ringmill_mesh::{Mesh, Places, Port};
use ringmill_reactor::{Driver, Mail, Reactor};
use ringmill_serve::{
    Admission, Bounds, Context, Core, Observation, Observe, Outcome, Reply, Request, Responder, Server,
    Service, Writer,
};
use ringmill_sim_kernel::calm::{Peer, World};
use ringmill_sim_kernel::driver::Simulated;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

pub(crate) const SECOND: u64 = 1_000_000_000;

#[derive(Debug)]
pub(crate) enum Note {
    Ping,
    Pong,
}

/// The driver of a test's shard.
pub(crate) type Memory = Simulated<Port<Note>>;

/// Answers with `METHOD PATH BODY`; paths under `/later` and `/room` when the test says so, but for `/room0once`.
#[derive(Default)]
pub(crate) struct Echo {
    pub(crate) waiting: Rc<RefCell<Vec<(String, Responder)>>>,
    pub(crate) seen: Vec<String>,
    pub(crate) statuses: Vec<u16>,
    /// Status, method and path, and whether there is an id.
    pub(crate) observed: Vec<(u16, String, bool)>,
    pub(crate) pongs: usize,
    pub(crate) panics: usize,
    pub(crate) cut_off: Option<usize>,
    pub(crate) accept_failures: usize,
    pub(crate) refused: Vec<Option<String>>,
    pub(crate) slow_readers: usize,
    pub(crate) stalls_ns: Vec<u64>,
    /// How many of `/room0` and of `/room1` may be under way.
    pub(crate) room: [usize; 2],
    /// Time passes while a request to `/stall` is answered.
    pub(crate) world: Option<World>,
}

impl Echo {
    fn has_room_in(&self, lane: usize) -> bool {
        let name = format!("/room{lane}");
        self.waiting.borrow().iter().filter(|(text, _)| text.contains(&name)).count() < self.room[lane]
    }
}

impl Service<Memory> for Echo {
    fn call(
        &mut self,
        context: &mut Context<'_, Memory>,
        request: &Request<'_, '_, '_>,
        writer: &mut Writer<'_>,
    ) -> Outcome {
        let (method, path) = (request.head.method.as_str(), request.head.path);
        let text = format!("{method} {path} {}", String::from_utf8_lossy(request.body));
        let lane = ["/room0", "/room1"].iter().position(|lane| path.starts_with(lane));
        if let Some(lane) = lane {
            match context.admission(lane, self.has_room_in(lane)) {
                Admission::Begin => {}
                Admission::Wait => return Outcome::Wait(lane),
                Admission::Shed => {
                    writer.reply(Status(503), &[], b"shed", None);
                    return Outcome::Answered(1);
                }
            }
        }
        self.seen.push(text.clone());
        if lane.is_some() && !path.contains("once") {
            self.waiting.borrow_mut().push((text, context.responder()));
            return Outcome::Later(1);
        }
        if path.starts_with("/later") {
            self.waiting.borrow_mut().push((text, context.responder()));
            return Outcome::Later(1);
        }
        if path == "/task" {
            let responder = context.responder();
            context.reactor.tasks.spawn(async move { responder.answer(Reply::json(Status(200), text)) });
            return Outcome::Later(1);
        }
        if let Some(world) = self.world.as_ref().filter(|_| path == "/stall") {
            world.advance_ns(SECOND / 5);
        }
        assert!(path != "/panic", "on purpose");
        if path == "/panic-with-responder" {
            let _responder = context.responder();
            panic!("on purpose");
        }
        if path == "/panic-later" {
            let responder = context.responder();
            context.reactor.tasks.spawn(async move {
                let _responder = responder;
                panic!("on purpose");
            });
            return Outcome::Later(1);
        }
        writer.reply(Status(200), &[("Content-Type", "text/plain")], text.as_bytes(), None);
        Outcome::Answered(1)
    }

    fn has_room(&self, lane: usize) -> bool {
        self.has_room_in(lane)
    }

    fn message(&mut self, core: &mut Core<'_, Memory>, mail: Mail<Note>) {
        match mail.message {
            Note::Ping => {
                let driver = core.reactor.driver();
                ringmill_reactor::Driver::answer(driver, mail.source, Note::Pong);
            }
            Note::Pong => self.pongs += 1,
        }
    }

    fn observe(&mut self, _: &mut Reactor<Memory>, observation: Observation<'_>) {
        match observation {
            Observation::Answered(answered) => {
                self.statuses.push(answered.status);
                let asked = format!("{} {}", answered.method, answered.path);
                self.observed.push((answered.status, asked, answered.request_id.is_some()));
            }
            Observation::Panicked => self.panics += 1,
            Observation::Drained { cut_off } => self.cut_off = Some(cut_off),
            Observation::AcceptFailed(_) => self.accept_failures += 1,
            Observation::TooManyConnections { request_id } => {
                self.refused.push(request_id.map(str::to_owned));
            }
            Observation::SlowReaders { connections } => self.slow_readers += connections,
            Observation::Stalled { duration_ns } => self.stalls_ns.push(duration_ns),
        }
    }
}

pub(crate) fn bounds() -> Bounds {
    Bounds {
        head: Limits { head_bytes_max: 16 * 1024, fields_max: 100, target_bytes_max: 8 * 1024 },
        body_bytes_max: 64 * 1024,
        head_timeout_ns: 10 * SECOND,
        body_timeout_ns: 30 * SECOND,
        request_timeout_ns: 20 * SECOND,
        idle_timeout_ns: 75 * SECOND,
        requests_max: 0,
        bodies_bytes_max: 1 << 20,
        output_bytes_max: 8 << 20,
        input_bytes_max: 8 << 20,
        wait_timeout_ns: SECOND,
        observe: Observe::All,
        slow_ns: u64::MAX,
    }
}

pub(crate) struct Bench {
    pub(crate) world: World,
    pub(crate) reactor: Reactor<Memory>,
    pub(crate) server: Server<Echo>,
    pub(crate) listener: usize,
    pub(crate) shard: usize,
}

impl Bench {
    pub(crate) fn new() -> Bench {
        Bench::with(World::new(1, 64), 0, bounds())
    }

    pub(crate) fn with(world: World, shard: usize, bounds: Bounds) -> Bench {
        Bench::with_places(world, shard, bounds, Arc::new(Places::new(1000)))
    }

    pub(crate) fn with_places(world: World, shard: usize, bounds: Bounds, places: Arc<Places>) -> Bench {
        Bench::of_several(world, &Mesh::new(1, 0), shard, bounds, places)
    }

    /// One shard of those that a mesh connects.
    pub(crate) fn of_several(
        world: World,
        mesh: &Arc<Mesh<Note>>,
        shard: usize,
        bounds: Bounds,
        places: Arc<Places>,
    ) -> Bench {
        let mut reactor = Reactor::new(world.driver(shard, mesh.seat(shard).adopt()));
        let listener = reactor.add_listener(world.listener(shard));
        Bench { world, reactor, server: Server::new(bounds, places, 2, Echo::default()), listener, shard }
    }

    pub(crate) fn turn(&mut self) {
        self.reactor.turn(&mut self.server);
    }

    /// Turns until nothing happens.
    pub(crate) fn settle(&mut self) {
        let mut quiet = 0;
        for _ in 0..200_000 {
            self.turn();
            quiet = if self.world.is_idle(self.shard) && !self.reactor.driver().has_mail() {
                quiet + 1
            } else {
                0
            };
            if quiet == 4 {
                let census = self.server.census(&self.reactor);
                assert!(census.is_balanced && census.untimed == 0, "{census:?}");
                return;
            }
        }
        panic!("it does not settle");
    }

    pub(crate) fn connect(&mut self) -> Peer {
        let peer = self.world.connect(self.shard, usize::MAX);
        self.settle();
        peer
    }

    /// Time passes in steps of a tenth of a second.
    pub(crate) fn pass(&mut self, ns: u64) {
        for _ in 0..ns.div_ceil(SECOND / 10) {
            self.world.advance_ns(SECOND / 10);
            self.turn();
        }
        self.settle();
    }

    /// Gives the late answer whose request was `text`.
    pub(crate) fn answer(&mut self, text: &str) {
        let waiting = self.server.service.waiting.clone();
        let index = waiting.borrow().iter().position(|(each, _)| each == text).expect("it waits");
        let (text, responder) = waiting.borrow_mut().remove(index);
        // From within a task, as the product does.
        self.reactor.tasks.spawn(async move { responder.answer(Reply::json(Status(200), text)) });
        self.settle();
    }

    /// Everything has come back to where it was.
    pub(crate) fn assert_clean(&mut self) {
        self.settle();
        assert_eq!(self.server.connections_count(), 0, "connections");
        assert_eq!(self.reactor.sockets_count(), 0, "slots");
        assert_eq!(self.reactor.unsent_total(), 0, "unsent output");
        assert_eq!(self.reactor.timers_count(), 0, "timers");
        assert_eq!(self.reactor.tasks.alive(), 0, "tasks");
        assert_eq!(self.world.descriptors_open(), 0, "descriptors");
        assert_eq!(self.world.broken(), [""; 0], "what the driver was asked for");
        assert_eq!(self.world.buffers_free(self.shard), 64, "buffers");
    }
}

pub(crate) fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").into_bytes()
}

pub(crate) fn post(path: &str, body: &str) -> Vec<u8> {
    format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// Status and body of each answer in `bytes`; panics if they are not whole answers.
pub(crate) fn answers(mut bytes: &[u8]) -> Vec<(u16, String)> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("a whole head") + 4;
        let head = std::str::from_utf8(&bytes[..end]).unwrap();
        let status: u16 = head[9..12].parse().unwrap();
        let length: usize = head
            .lines()
            .find_map(|line| line.strip_prefix("Content-Length: "))
            .map_or(0, |length| length.parse().unwrap());
        assert!(bytes.len() >= end + length, "a whole body");
        all.push((status, String::from_utf8(bytes[end..end + length].to_vec()).unwrap()));
        bytes = &bytes[end + length..];
    }
    all
}

pub(crate) fn bodies(bytes: &[u8]) -> Vec<String> {
    answers(bytes)
        .into_iter()
        .map(|(status, body)| {
            assert_eq!(status, 200, "{body}");
            body
        })
        .collect()
}
