//! One shard's service: finds the route, begins the request, and lets a task finish it with the store's reply.

use super::cache::{Cache, Coherence, Fetched, Who};
use super::cached::Unmarked;
use super::store::{LANES, lane, question_of, with_lane, without_lane};
use super::{Ask, Message, Phase, Snapshot};
use crate::api::{Answer, Api, Begin, normal_path};
use crate::config::plan::{Access, Plan};
use ringmill_http1::{Head, Method, Rendered, Status};
use ringmill_reactor::{Driver, Mail, Reactor, TimerId, Waiters};
use ringmill_serve::{
    Admission, Context, Core, Lane, Observation, Outcome, Reply, Request, RouteId, Service, UNMATCHED, Writer,
};
use ringmill_sqlite::{Class, Reply as Stored, held_bytes};
use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The routes of a process, as they are counted: 0 matched none, then the API's, then the built-in ones.
#[derive(Clone, Debug)]
pub struct Routes {
    /// Labels, by number.
    pub labels: Vec<String>,
    /// In the normal form of paths.
    metrics_path: Option<String>,
    built_in: RouteId,
}

impl Routes {
    /// Of an API and a plan.
    pub fn new(api: &Api, plan: &Plan) -> Routes {
        let mut labels = vec!["unmatched".to_owned()];
        labels.extend(api.routes().iter().map(|route| route.path.clone()));
        let built_in = labels.len();
        labels.extend(["/health".to_owned(), "/ready".to_owned()]);
        labels.extend(plan.server.metrics_path.clone());
        let metrics_path = plan.server.metrics_path.as_deref().map(|path| normal_path(path).into_owned());
        Routes { labels, metrics_path, built_in }
    }

    /// `path` is in the normal form.
    fn built_in(&self, path: &str) -> Option<(BuiltIn, RouteId)> {
        match path {
            "/health" => Some((BuiltIn::Health, self.built_in)),
            "/ready" => Some((BuiltIn::Ready, self.built_in + 1)),
            _ if self.metrics_path.as_deref() == Some(path) => Some((BuiltIn::Metrics, self.built_in + 2)),
            _ => None,
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum BuiltIn {
    Health,
    Ready,
    Metrics,
}

/// Replies that are rendered once.
struct Constants {
    /// Of the API, by index.
    api: Vec<(Status, Rendered)>,
    health: Rendered,
    ready: Rendered,
    degraded: Rendered,
    not_ready: Rendered,
}

/// What some route answers to.
const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

const JSON: (&str, &str) = ("Content-Type", "application/json");
const NO_STORE: (&str, &str) = ("Cache-Control", "no-store");

impl Constants {
    fn new(api: &Api) -> Constants {
        let json = |status, body: &[u8]| Rendered::new(Status(status), &[JSON, NO_STORE], body);
        Constants {
            api: api
                .constants()
                .iter()
                .map(|constant| (Status(constant.status), json(constant.status, &constant.body)))
                .collect(),
            health: json(200, br#"{"status":"healthy"}"#),
            ready: json(200, br#"{"status":"ready"}"#),
            degraded: json(200, br#"{"status":"degraded"}"#),
            not_ready: json(503, br#"{"status":"draining"}"#),
        }
    }
}

/// The service of one shard.
pub(super) struct ShardService<A> {
    pub(super) shard: usize,
    pub(super) control: usize,
    pub(super) api: Arc<Api>,
    pub(super) routes: Routes,
    constants: Constants,
    pub(super) store: A,
    stored: Waiters<Stored>,
    /// `None`: nothing is kept.
    pub(super) cache: Option<Cache>,
    /// When somebody has waited for room for as long as he may, monotonic nanoseconds.
    pub(super) cache_timer: Option<(TimerId, u64)>,
    /// Requests that wait for what the cache gets, and hear when it came, monotonic nanoseconds.
    pub(super) fetched: Waiters<(Fetched, u64)>,
    /// Jobs that the store has, by lane.
    under_way: [usize; LANES],
    under_way_max: [usize; LANES],
    /// Some lane has no room.
    is_any_full: bool,
    scraped: Waiters<String>,
    /// What the monotonic clock was at an instant: turns this turn's time into the store's.
    epoch: (Instant, u64),
    wait_timeout: Duration,
    pub(super) access: Access,
    pub(super) access_count: u64,
    pub(super) slow_ns: u64,
    is_leaving: bool,
    pub(super) log_dropped: u64,
    /// The second, and how many lines a client has caused in it.
    pub(super) lines: (u64, u32),
    pub(super) muted: [super::observe::Muted; 5],
    /// Set when control asks for it; the shard's loop closes the listeners.
    pub(super) closing: Option<u64>,
    /// No other shard asks this one for anything any more.
    pub(super) may_end: bool,
    /// Of large replies that came in this turn, bytes.
    taken_bytes: usize,
    /// What the store was told that this shard has unsent, in [`UNSENT_STEP`]s of bytes.
    unsent_told: usize,
}

/// The store hears of a shard's unsent output when it has changed by as much, bytes.
const UNSENT_STEP: usize = 1024 * 1024;

/// What a shard's service is made of.
pub struct Parts<A> {
    /// The shard's number.
    pub shard: usize,
    /// The endpoint of the control plane, which follows the shards: their number.
    pub control: usize,
    /// What is served.
    pub api: Arc<Api>,
    /// What is counted.
    pub routes: Routes,
    /// The store.
    pub store: A,
    /// How many jobs the store may have of this shard, by lane: at most [`super::STORE_UNDER_WAY_MAX`].
    pub under_way_max: [usize; LANES],
    /// What the caches of all shards have in common.
    pub coherence: Coherence,
}

impl<A: Ask> ShardService<A> {
    /// `epoch` is one instant on both clocks.
    pub(super) fn new(parts: Parts<A>, epoch: (Instant, u64), plan: &Plan) -> ShardService<A> {
        let is_cached = parts.api.routes().iter().any(|route| route.cached);
        let cache = is_cached.then(|| {
            let wait_timeout_ns = super::run::ns(plan.database.wait_timeout.min(plan.http.request_timeout));
            let place = (parts.shard, parts.control);
            Cache::new(place, plan.cache.memory_bytes, wait_timeout_ns, parts.coherence)
        });
        ShardService {
            shard: parts.shard,
            control: parts.control,
            constants: Constants::new(&parts.api),
            api: parts.api,
            routes: parts.routes,
            store: parts.store,
            stored: Waiters::default(),
            cache,
            cache_timer: None,
            fetched: Waiters::default(),
            under_way: [0; LANES],
            under_way_max: parts.under_way_max,
            is_any_full: false,
            scraped: Waiters::default(),
            epoch,
            wait_timeout: plan.database.wait_timeout,
            access: plan.log.access,
            access_count: 0,
            slow_ns: super::run::slow_ns(plan),
            is_leaving: false,
            log_dropped: 0,
            lines: (0, 0),
            muted: Default::default(),
            closing: None,
            may_end: false,
            taken_bytes: 0,
            unsent_told: 0,
        }
    }

    /// Requests that wait for the store or for control.
    pub(super) fn waiting(&self) -> usize {
        let asks = self.cache.as_ref().map_or(0, Cache::asks);
        self.under_way.iter().sum::<usize>().max(self.stored.len())
            + self.scraped.len()
            + self.fetched.len().max(asks)
    }

    /// At the end of a turn: tells the store what became of large replies.
    pub(super) fn settle(&mut self, unsent_bytes: usize) {
        let unsent = unsent_bytes / UNSENT_STEP;
        if unsent != self.unsent_told || self.taken_bytes > 0 {
            let before = self.unsent_told * UNSENT_STEP + std::mem::take(&mut self.taken_bytes);
            self.store.hold((unsent * UNSENT_STEP).cast_signed() - before.cast_signed());
            self.unsent_told = unsent;
        }
    }

    /// Jobs that the store has, by lane.
    pub(super) fn under_way(&self) -> [usize; LANES] {
        self.under_way
    }

    /// Until when the store has to have begun what has waited for so long.
    pub(super) fn begin_by(&self, now_ns: u64, waited_ns: u64) -> Instant {
        let since_epoch = Duration::from_nanos(now_ns.saturating_sub(self.epoch.1));
        let waited = Duration::from_nanos(waited_ns);
        self.epoch.0 + since_epoch + self.wait_timeout.saturating_sub(waited)
    }

    /// The store has another job.
    pub(super) fn is_under_way(&mut self, lane: Lane) {
        self.under_way[lane] += 1;
        self.is_any_full |= !self.has_room_in(lane);
    }

    pub(super) fn has_room_in(&self, lane: Lane) -> bool {
        self.under_way[lane] < self.under_way_max[lane]
    }

    fn built_in<D: Driver<Message = Message>>(
        &mut self,
        context: &mut Context<'_, D>,
        (built_in, route): (BuiltIn, RouteId),
        method: Method,
        writer: &mut Writer<'_>,
    ) -> Outcome {
        match method {
            Method::Get | Method::Head => {}
            Method::Options => {
                writer.reply(Status(204), &[("Allow", "GET, HEAD, OPTIONS"), NO_STORE], b"", None);
                return Outcome::Answered(route);
            }
            Method::Unknown => {
                write(writer, self.api.no_route(method));
                return Outcome::Answered(route);
            }
            _ => {
                let fields = [JSON, NO_STORE, ("Allow", "GET, HEAD, OPTIONS")];
                writer.reply(Status(405), &fields, br#"{"error":"Method not allowed"}"#, None);
                return Outcome::Answered(route);
            }
        }
        match built_in {
            BuiltIn::Health => writer.rendered(&self.constants.health, Status(200)),
            BuiltIn::Ready if self.is_leaving => writer.rendered(&self.constants.not_ready, Status(503)),
            BuiltIn::Ready if self.store.is_unavailable() => {
                writer.rendered(&self.constants.degraded, Status(200));
            }
            BuiltIn::Ready => writer.rendered(&self.constants.ready, Status(200)),
            BuiltIn::Metrics => {
                let waiter = self.scraped.register();
                let asked = context
                    .reactor
                    .driver()
                    .request(self.control, Message::Scrape { ticket: waiter.ticket() });
                if asked.is_err() {
                    unavailable(writer, "control is behind with scrapes");
                    return Outcome::Answered(route);
                }
                let responder = context.responder();
                context.reactor.tasks.spawn(async move {
                    let text = waiter.await;
                    responder.answer(Reply {
                        status: Status(200),
                        fields: vec![
                            ("Content-Type".into(), "text/plain; version=0.0.4; charset=utf-8".into()),
                            ("Cache-Control".into(), "no-store".into()),
                        ],
                        body: text.into_bytes(),
                        cause: None,
                        is_unexplained: false,
                    });
                });
                return Outcome::Later(route);
            }
        }
        Outcome::Answered(route)
    }
}

pub(super) fn unavailable(writer: &mut Writer<'_>, cause: &str) {
    let fields = [JSON, NO_STORE, ("Retry-After", "1")];
    writer.reply(Status(503), &fields, br#"{"error":"Service unavailable"}"#, Some(cause.to_owned()));
}

/// Writes an answer of the API's.
fn write(writer: &mut Writer<'_>, answer: Answer) {
    let retry_after = answer.retry_after_seconds.map(|seconds| seconds.to_string());
    let mut fields: Vec<(&str, &str)> = Vec::with_capacity(5);
    if !answer.content_type.is_empty() {
        fields.push(("Content-Type", &answer.content_type));
    }
    fields.push(NO_STORE);
    fields.extend(answer.location.as_deref().map(|location| ("Location", location)));
    fields.extend(answer.allow.as_deref().map(|allow| ("Allow", allow)));
    fields.extend(retry_after.as_deref().map(|seconds| ("Retry-After", seconds)));
    writer.reply(Status(answer.status), &fields, &answer.body, answer.cause);
}

/// An answer of the API's, to be sent later.
pub(super) fn reply(answer: Answer) -> Reply {
    let mut fields: Vec<(Cow<'static, str>, Cow<'static, str>)> = Vec::with_capacity(4);
    if !answer.content_type.is_empty() {
        fields.push(("Content-Type".into(), answer.content_type));
    }
    fields.push(("Cache-Control".into(), "no-store".into()));
    fields.extend(answer.location.map(|location| ("Location".into(), location.into())));
    fields.extend(answer.allow.map(|allow| ("Allow".into(), allow.into())));
    fields
        .extend(answer.retry_after_seconds.map(|seconds| ("Retry-After".into(), seconds.to_string().into())));
    Reply {
        status: Status(answer.status),
        fields,
        body: answer.body,
        cause: answer.cause,
        is_unexplained: answer.is_unexplained,
    }
}

fn api_request<'a>(
    head: &Head<'a, '_>,
    body: &'a [u8],
    fields: crate::api::Fields<'a>,
    now_unix_us: u64,
    random: &'a dyn Fn() -> u128,
) -> crate::api::Request<'a> {
    crate::api::Request {
        method: head.method,
        query: head.query,
        content_type: head.content_type,
        body,
        fields,
        now_unix_us: now_unix_us as i64,
        random,
    }
}

impl<A: Ask, D: Driver<Message = Message>> Service<D> for ShardService<A> {
    fn call(
        &mut self,
        context: &mut Context<'_, D>,
        request: &Request<'_, '_, '_>,
        writer: &mut Writer<'_>,
    ) -> Outcome {
        let head = request.head;
        // HEAD may have been given to another operation.
        if head.method == Method::Get
            && let Some(route) = self.hit(context, head, writer)
        {
            return Outcome::Answered(route);
        }
        let Some(found) = self.api.find(head.path) else {
            if let Some(built_in) = self.routes.built_in(&normal_path(head.path)) {
                return self.built_in(context, built_in, head.method, writer);
            }
            // `*` matches no path, since those begin with a slash: it stands for the server as a whole.
            if head.path == "*" && head.method == Method::Options {
                writer.reply(Status(204), &[("Allow", METHODS), NO_STORE], b"", None);
            } else {
                write(writer, self.api.no_route(head.method));
            }
            return Outcome::Answered(UNMATCHED);
        };
        let route = found.route + 1;
        let is_cached = self.cache.is_some() && self.api.is_cached(&found, head.method);
        if !is_cached
            && (self.is_any_full || context.is_anybody_waiting())
            && let Some(lane) = self.api.class(&found, head.method).map(lane)
        {
            match context.admission(lane, self.has_room_in(lane)) {
                Admission::Begin => {}
                Admission::Wait => return Outcome::Wait(lane),
                Admission::Shed => {
                    unavailable(writer, "the database did not get to it within wait_timeout");
                    return Outcome::Answered(route);
                }
            }
        }
        let now = context.reactor.now();
        let driver = RefCell::new(context.reactor.driver());
        let random = || {
            let mut driver = driver.borrow_mut();
            u128::from(driver.random()) << 64 | u128::from(driver.random())
        };
        let visit = |each: &mut dyn FnMut(&str, &[u8])| {
            for (name, value) in head.fields() {
                each(name, value);
            }
        };
        let asked = api_request(head, request.body, &visit, now.unix_us, &random);
        match self.api.begin(&found, &asked) {
            Begin::Constant(index) => {
                let (status, rendered) = &self.constants.api[index];
                writer.rendered(rendered, *status);
                Outcome::Answered(route)
            }
            Begin::Answer(answer) => {
                write(writer, answer);
                Outcome::Answered(route)
            }
            Begin::Ask { job, pending } if is_cached => {
                self.cached(context, head, writer, route, job, pending)
            }
            Begin::Ask { job, pending } => {
                // A PATCH that changes nothing only reads, in the lane that it was let into.
                let lane = self.api.class(&found, head.method).map_or(lane(job.class), lane);
                let is_write = job.class == Class::Write;
                let waiter = self.stored.register();
                let begin_by = self.begin_by(now.monotonic_ns, context.waited_ns());
                let ticket = with_lane(waiter.ticket(), lane);
                if self.store.ask(self.shard, ticket, Some(begin_by), job).is_err() {
                    unavailable(writer, "the database's queue is full");
                    return Outcome::Answered(route);
                }
                self.is_under_way(lane);
                let (api, responder) = (self.api.clone(), context.responder());
                let coherence = self.cache.as_ref().filter(|_| is_write).map(|cache| cache.coherence.clone());
                let unmarked = coherence.map(Unmarked::new);
                context.reactor.tasks.spawn(async move {
                    let stored = waiter.await;
                    if let Some(unmarked) = unmarked {
                        unmarked.mark(&api, &pending, &stored);
                    }
                    responder.answer(reply(api.finish(pending, stored)));
                });
                Outcome::Later(route)
            }
        }
    }

    fn has_room(&self, lane: Lane) -> bool {
        self.has_room_in(lane)
    }

    fn message(&mut self, core: &mut Core<'_, D>, mail: Mail<Message>) {
        core.count_message(mail.message.kind());
        match mail.message {
            Message::Stored { ticket, reply } => {
                self.taken_bytes += held_bytes(&reply);
                let (ticket, lane) = without_lane(ticket);
                self.under_way[lane] -= 1;
                self.is_any_full = (0..self.under_way.len()).any(|lane| !self.has_room_in(lane));
                match question_of(ticket) {
                    Some(number) => self.question_stored(core, number, reply),
                    // Nobody waits any more if the task was dropped; a reply is consumed all the same.
                    None => drop(self.stored.complete(ticket, reply)),
                }
                // There is room for another question.
                self.ask_questions(core.reactor);
            }
            Message::Fetch(send) => {
                let who = Who::There { shard: mail.source, number: send.number };
                match &mut self.cache {
                    Some(cache) => cache.obtain(*send.work, send.floor, who, core.reactor.now().monotonic_ns),
                    None => self.give(core.reactor, who, Fetched::Shed),
                }
                self.ask_questions(core.reactor);
            }
            Message::Fetched { number, fetched } => {
                if let Some(cache) = &mut self.cache {
                    cache.fetched(number, *fetched);
                    cache.send_next(mail.source, core.reactor.now().monotonic_ns);
                }
                self.ask_questions(core.reactor);
            }
            Message::Scraped { ticket, text } => {
                let _ = self.scraped.complete(ticket, text);
            }
            Message::Count { ticket } => {
                let snapshot = Snapshot {
                    counters: core.counters(),
                    is_degraded: self.store.is_unavailable(),
                    cache: self.cache.as_ref().map(Cache::counts).unwrap_or_default(),
                    foreign_writes: self.store.foreign_writes(),
                    store_waiting: self.stored.len(),
                    log_dropped: self.log_dropped,
                };
                let answer = Message::Counted { ticket, snapshot: Box::new(snapshot) };
                core.reactor.driver().answer(mail.source, answer);
            }
            Message::Enter(phase) => {
                match phase {
                    Phase::Leaving => self.is_leaving = true,
                    Phase::Closing { within_ns } => {
                        self.is_leaving = true;
                        let deadline_ns = core.reactor.now().monotonic_ns.saturating_add(within_ns);
                        core.drain(deadline_ns);
                        self.closing = Some(deadline_ns);
                        if let Some(cache) = &mut self.cache {
                            cache.be_alone();
                        }
                        self.ask_questions(core.reactor);
                    }
                    Phase::Ending => self.may_end = true,
                }
                core.reactor.driver().answer(mail.source, Message::Entered);
            }
            Message::Turn => core.reactor.driver().answer(mail.source, Message::Turned),
            // These go to control.
            Message::Scrape { .. }
            | Message::Counted { .. }
            | Message::Entered
            | Message::Turned
            | Message::Log(_)
            | Message::Drained
            | Message::Store(_) => debug_assert!(false, "sent to a shard by mistake"),
        }
    }

    fn timer(&mut self, core: &mut Core<'_, D>) {
        self.cache_timer(core.reactor);
    }

    fn observe(&mut self, reactor: &mut Reactor<D>, observation: Observation<'_>) {
        self.log_observation(reactor, observation);
    }
}
