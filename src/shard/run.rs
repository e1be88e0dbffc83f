//! A shard's thread: it makes everything that it owns itself, and turns until it is drained.

use super::cache::{Cache, Kept};
use super::service::{Parts, ShardService};
use super::{Ask, LANES, Message};
use crate::config::plan::{Access, Plan};
use ringmill_http1::Limits;
use ringmill_mesh::{Places, Seat};
use ringmill_reactor::{
    Call, Driver, Fd, ListenerId, Reactor, SEED_BYTES, StartError, Uring, Wait, Watched, pin_to,
};
use ringmill_serve::{
    BODIES_BYTES_MAX, Bounds, FILL_BYTES, INPUT_HOST_BYTES_MAX, OUTPUT_HOST_BYTES_MAX, Observe,
    SHARD_BYTES_MIN, Server,
};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

/// All that a shard is given. It crosses to the shard's thread and becomes the shard there.
pub struct Seed<A> {
    /// What it is made of.
    pub parts: Parts<A>,
    /// The CPU to run on; `None`: wherever the kernel likes.
    pub cpu: Option<usize>,
    /// Its place in the mesh.
    pub seat: Seat<Message>,
    /// Listening sockets, which the shard closes.
    pub listeners: Vec<Fd>,
    /// Bounds and log settings.
    pub plan: Arc<Plan>,
    /// Places for connections, of all shards.
    pub places: Arc<Places>,
    /// For randomness: secret, and another one for each shard.
    pub random: [u8; SEED_BYTES],
}

/// Starts a shard. `started` hears once whether it could. The thread's result is how many requests were cut off when it had
/// drained, `None` if it could not start.
pub fn spawn<A: Ask + Send + 'static>(
    seed: Seed<A>,
    started: SyncSender<Result<(), StartError>>,
) -> std::io::Result<JoinHandle<Option<usize>>> {
    Builder::new().name(format!("shard-{}", seed.parts.shard)).spawn(move || {
        if let Some(cpu) = seed.cpu {
            pin_to(cpu);
        }
        match Uring::new(seed.seat.adopt(), seed.random) {
            Ok(driver) => {
                let host = (&*seed.plan, seed.places);
                let mut shard = Shard::new(driver, Instant::now(), seed.parts, host, &seed.listeners);
                let _ = started.send(Ok(()));
                drop(started);
                while !shard.is_drained() {
                    shard.turn();
                }
                Some(shard.end())
            }
            Err(error) => {
                // Whoever waits has gone only if the process ends anyway.
                let _ = started.send(Err(error));
                None
            }
        }
    })
}

/// What a shard holds: nothing of it once the last client has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Census {
    /// Sockets that are open or closing.
    pub sockets: usize,
    /// Timers that are set.
    pub timers: usize,
    /// Tasks that have not ended.
    pub tasks: usize,
    /// Of outputs, bytes.
    pub unsent_bytes: usize,
    /// Requests that wait for the store or for control.
    pub waiting: usize,
    /// Jobs that the store has, by lane.
    pub under_way: [usize; LANES],
    /// Of connections.
    pub server: ringmill_serve::Census,
}

/// A shard, on the thread that turns it.
pub struct Shard<D: Driver, A> {
    reactor: Reactor<D>,
    server: Server<ShardService<A>>,
    listeners: Vec<ListenerId>,
}

impl<D: Driver<Message = Message>, A: Ask> Shard<D, A> {
    /// It listens from its first turn on. `now` is what the standard library's clock says at what is the driver's now.
    pub fn new(
        driver: D,
        now: Instant,
        parts: Parts<A>,
        (plan, places): (&Plan, Arc<Places>),
        listeners: &[Fd],
    ) -> Shard<D, A> {
        let mut reactor = Reactor::new(driver);
        let bounds = bounds(plan, parts.control);
        let routes = parts.routes.labels.len();
        let service = ShardService::new(parts, (now, reactor.now().monotonic_ns), plan);
        let server = Server::new(bounds, places, routes, service);
        let listeners = listeners.iter().map(|fd| reactor.add_listener(*fd)).collect();
        Shard { reactor, server, listeners }
    }

    /// One turn.
    pub fn turn(&mut self) {
        self.reactor.turn(&mut self.server);
        self.end_turn();
    }

    /// One turn, of which somebody is told each call.
    pub fn turn_watched(&mut self, watch: impl FnMut(Call)) {
        self.reactor.turn(&mut Watched { handler: &mut self.server, watch });
        self.end_turn();
    }

    fn end_turn(&mut self) {
        let Shard { reactor, server, listeners } = self;
        let unsent = server.unsent(reactor);
        server.service.settle(unsent);
        if server.service.closing.take().is_some() {
            server.close_listeners(reactor, listeners);
        }
    }

    /// The driver, for whoever turns several shards on one thread.
    pub fn driver(&mut self) -> &mut D {
        self.reactor.driver()
    }

    /// How long its next turn may wait for something to do.
    pub fn wait(&self) -> Wait {
        self.reactor.wait()
    }

    /// What it holds at this moment.
    pub fn census(&self) -> Census {
        let server = self.server.census(&self.reactor);
        Census {
            sockets: self.reactor.sockets_count(),
            timers: self.reactor.timers_count(),
            tasks: self.reactor.tasks.alive(),
            unsent_bytes: self.reactor.unsent_total(),
            waiting: self.server.service.waiting(),
            under_way: self.server.service.under_way(),
            server,
        }
    }

    /// What its part of the cache keeps.
    pub fn kept(&self) -> Vec<Kept> {
        self.server.service.cache.as_ref().map_or_else(Vec::new, |cache| cache.kept().collect())
    }

    /// Whether it was told to drain and has, and nobody waits for it any more.
    pub fn is_drained(&mut self) -> bool {
        self.server.is_drained()
            && self.server.service.may_end
            && self.server.service.cache.as_ref().is_none_or(Cache::is_idle)
            // What others have asked before they closed.
            && !self.reactor.driver().has_mail()
    }

    /// Lets what was posted in the last turn leave; how many requests draining has cut off.
    pub fn end(mut self) -> usize {
        // Control looks once a second anyway.
        let control = self.server.service.control;
        let _ = self.reactor.driver().post(control, Message::Drained);
        // What was posted in the last turn is announced before the ring goes.
        self.reactor.driver().enter(Wait::No, &mut Vec::new());
        self.server.cut_off()
    }
}

pub(super) fn ns(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX / 4).min(u64::MAX / 4)
}

/// From which duration on a request is slow, nanoseconds.
pub(super) fn slow_ns(plan: &Plan) -> u64 {
    plan.log.slow_request.map_or(u64::MAX, ns)
}

fn bounds(plan: &Plan, shards: usize) -> Bounds {
    let http = &plan.http;
    Bounds {
        head: Limits {
            head_bytes_max: http.max_head_bytes,
            fields_max: http.max_fields,
            target_bytes_max: http.max_target_bytes,
        },
        body_bytes_max: http.max_body_bytes,
        head_timeout_ns: ns(http.head_timeout),
        body_timeout_ns: ns(http.body_timeout),
        request_timeout_ns: ns(http.request_timeout),
        idle_timeout_ns: ns(http.idle_timeout),
        requests_max: http.max_requests.unwrap_or(0),
        // One body of the largest size always fits.
        bodies_bytes_max: (BODIES_BYTES_MAX / shards)
            .max(SHARD_BYTES_MIN)
            .max(http.max_body_bytes + FILL_BYTES),
        output_bytes_max: (OUTPUT_HOST_BYTES_MAX / shards).max(SHARD_BYTES_MIN),
        input_bytes_max: (INPUT_HOST_BYTES_MAX / shards).max(SHARD_BYTES_MIN),
        wait_timeout_ns: ns(plan.database.wait_timeout.min(http.request_timeout)),
        observe: if plan.log.access == Access::Off { Observe::Exceptions } else { Observe::All },
        slow_ns: slow_ns(plan),
    }
}
