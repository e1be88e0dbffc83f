//! One run: shards, clients, store and control on one thread, from one seed, with a verdict.

use crate::client::{Around, Broken, Client, Counts, Timeouts};
use crate::control::Control;
use crate::store::{Store, THREADS};
use crate::truth::Truth;
use ringmill::api::Api;
use ringmill::config::Plan;
use ringmill::shard::{Coherence, LANES, Message, Parts, Routes, STORE_UNDER_WAY_MAX, Shard};
use ringmill_mesh::{Board, Mesh, Places, Port};
use ringmill_reactor::{Call, Wait};
use ringmill_serve::{INPUT_BYTES_PAUSE, OUTPUT_BYTES_MAX, READS_BEGUN_MAX};
use ringmill_sim_kernel::driver::Simulated;
use ringmill_sim_kernel::faults::{Fault, Faults};
use ringmill_sim_kernel::kernel::{Event, Kernel, START_NS, Shared, Sizes};
use ringmill_sim_kernel::random::Random;
use ringmill_sim_kernel::trace::Trace;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

/// What is the same in every run.
pub struct Product {
    pub plan: Arc<Plan>,
    pub api: Arc<Api>,
    pub schema: String,
}

impl Product {
    /// The product with the file of the simulation.
    pub fn load() -> Result<Product, String> {
        let folder = tempfile::tempdir().map_err(|error| format!("no temporary folder: {error}"))?;
        std::fs::write(folder.path().join("ringmill.toml"), include_str!("api.toml"))
            .map_err(|error| format!("{}: {error}", folder.path().display()))?;
        let inputs = ringmill::config::Inputs {
            config: None,
            working_directory: folder.path(),
            environment: Vec::new(),
            sets: Vec::new(),
            flags: Vec::new(),
        };
        let plan = ringmill::config::load(&inputs).map_err(|faults| format!("{faults:#?}"))?;
        let empty = ringmill_sqlite::Schema::default();
        let no_rows = ringmill_sqlite::Inspector::of_nothing();
        let verified = ringmill::api::verify(&plan, &empty, &no_rows, ringmill::api::Depth::Faults)?;
        if !verified.faults.is_empty() {
            return Err(format!("{:#?}", verified.faults));
        }
        let migration =
            ringmill::api::migration(&plan, &empty, &no_rows).map_err(|faults| format!("{faults:#?}"))?;
        Ok(Product { plan: plan.into(), api: verified.api.into(), schema: migration.statements.join(";\n") })
    }
}

/// A run, and what is left out of it.
#[derive(Clone, Debug)]
pub struct Settings {
    pub seed: u64,
    /// At most so many clients.
    pub clients: usize,
    /// At most so many requests of a connection.
    pub requests: usize,
    pub without: Vec<Fault>,
    pub is_shown: bool,
}

impl Settings {
    pub fn of(seed: u64) -> Settings {
        Settings { seed, clients: usize::MAX, requests: usize::MAX, without: Vec::new(), is_shown: false }
    }
}

/// A rule that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub rule: String,
    pub words: String,
}

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub failure: Option<Failure>,
    pub hash: u64,
    pub lines: u64,
    pub fired: Vec<u64>,
    pub counts: Counts,
    pub turns: u64,
    /// How often each of the handler's functions ran, in the order of [`Call::ALL`].
    pub calls: Vec<u64>,
    pub clients: usize,
    pub requests_most: usize,
}

/// Whoever is not done by then is not done at all: every deadline of the product is far shorter.
const PATIENCE_NS: u64 = 400_000_000_000;
/// Faults end then, so that what is left comes to an end.
const HELL_NS: u64 = 60_000_000_000;
/// Turns on end that may find nothing to do and say that there is something.
const RESTLESS_MAX: u32 = 300;
/// Events of one run. Beyond: something goes round and round.
const EVENTS_MAX: u64 = 20_000_000;

struct World {
    kernel: Shared,
    shards: Vec<Option<Shard<Simulated<Port<Message>>, Store>>>,
    store: Store,
    control: Control,
    clients: Vec<Client>,
    truth: Rc<RefCell<Truth>>,
    places: Arc<Places>,
    is_crowded: bool,
    is_narrow: bool,
    is_rush: bool,
    keys: u64,
    under_way_max: [usize; LANES],
    wait_timeout_ns: u64,
    timeouts: Timeouts,
    turns: u64,
    /// Turns on end in which a shard did nothing and did not sleep after it.
    restless: Vec<u32>,
    /// How often each of the handler's functions ran.
    calls: Vec<u64>,
}

/// Runs one seed.
pub fn run(product: &Product, settings: &Settings) -> Outcome {
    let seed = settings.seed;
    let mut random = Random::stream(seed, "world", 0);
    let mut faults = Faults::draw(&mut random);
    settings.without.iter().for_each(|fault| faults.leave_out(*fault));
    let shards = random.within(1, 4) as usize;
    let sizes = Sizes {
        submissions: random.magnitude(2, 256) as usize,
        completions: random.magnitude(4, 4096) as usize,
        buffers: 1 << random.within(1, 6),
    };
    // Small bounds in some runs: who is never reached is never tried.
    let under_way_max = match random.is(0.5) {
        true => [(); LANES].map(|()| if random.is(0.3) { 1 } else { random.magnitude(1, 64) as usize }),
        false => STORE_UNDER_WAY_MAX,
    };
    let (requests_max, posts_max) = match random.is(0.5) {
        true => {
            let posts = under_way_max.iter().sum::<usize>() as u64 + random.magnitude(1, 64);
            (random.magnitude(1, 64) as usize, posts as usize)
        }
        false => (ringmill_mesh::REQUESTS, ringmill_mesh::POSTS),
    };
    let mut plan = (*product.plan).clone();
    plan.http.max_requests = random.is(0.2).then(|| random.within(1, 20));
    let clients_drawn = random.within(1, 16) as usize;
    let requests_drawn = random.within(1, 40) as usize;
    let places_drawn = if random.is(0.2) { random.within(1, 8) } else { 1000 } as usize;
    let keys = random.within(1, 6);
    let drains_amid = random.is(0.5).then(|| START_NS + random.magnitude(1_000_000, 5_000_000_000));
    // In some runs everybody comes just before draining begins, and what was begun then ends late.
    let is_rush = random.is(0.5) && drains_amid.is_some();
    if is_rush {
        for fault in [Fault::LateHandshake, Fault::LateCompletion] {
            if !settings.without.contains(&fault) {
                faults.set(fault, 0.7);
            }
        }
    }
    let clients = clients_drawn.min(settings.clients);
    let requests_most = requests_drawn.min(settings.requests).max(1);
    let trace = Trace::new(settings.is_shown);
    let kernel = Kernel::new(shards, sizes, Random::stream(seed, "kernel", 0), faults, trace);
    let places = Arc::new(Places::new(places_drawn));
    let mesh = Mesh::<Message>::with_bounds(shards, 1 + THREADS, requests_max, posts_max);
    let truth = Rc::new(RefCell::new(Truth::default()));
    let coherence = Coherence {
        board: Arc::new(Board::new()),
        seed: ringmill_cache::Seed::new([random.number(), random.number(), random.number(), random.number()]),
    };
    let store = Store::new(&kernel, &mesh, &truth, &product.schema, &coherence.board);
    let control = Control::new(&kernel, &mesh, seed);
    let epoch = Instant::now();
    store.set_epoch(epoch, START_NS);
    let routes = Routes::new(&product.api, &product.plan);
    let shards_count = shards;
    let shards: Vec<_> = (0..shards)
        .map(|shard| {
            let driver = Simulated::new(&kernel, shard, mesh.seat(shard).adopt());
            let parts = Parts {
                shard,
                control: mesh.cores(),
                api: product.api.clone(),
                routes: routes.clone(),
                store: store.clone(),
                under_way_max,
                coherence: coherence.clone(),
            };
            let listener = kernel.borrow().listener_fd(shard);
            let host = (&plan, places.clone());
            Some(Shard::new(driver, epoch, parts, host, &[listener]))
        })
        .collect();
    let all = (0..clients)
        .map(|index| {
            let connections = random.within(1, 4) as usize;
            Client::new(index, seed, connections, requests_most)
        })
        .collect();
    let is_crowded = places_drawn < 1000;
    let mut world = World {
        kernel,
        shards,
        store,
        control,
        clients: all,
        truth,
        places,
        is_crowded,
        is_rush,
        is_narrow: requests_max < ringmill_mesh::REQUESTS,
        keys,
        under_way_max,
        wait_timeout_ns: plan.database.wait_timeout.min(plan.http.request_timeout).as_nanos() as u64,
        timeouts: Timeouts {
            head_ns: plan.http.head_timeout.as_nanos() as u64,
            body_ns: plan.http.body_timeout.as_nanos() as u64,
            idle_ns: plan.http.idle_timeout.as_nanos() as u64,
        },
        turns: 0,
        restless: vec![0; shards_count],
        calls: vec![0; Call::ALL.len()],
    };
    let failure = match catch_unwind(AssertUnwindSafe(|| world.go(drains_amid))) {
        Ok(Ok(())) => None,
        Ok(Err((rule, words))) => Some(Failure { rule: rule.to_owned(), words }),
        Err(panic) => {
            let words = panic.downcast_ref::<String>().cloned();
            let words = words.or_else(|| panic.downcast_ref::<&str>().map(|words| (*words).to_owned()));
            Some(Failure { rule: "panic".to_owned(), words: words.unwrap_or_default() })
        }
    };
    world.outcome(failure, clients, requests_most)
}

/// The most that one connection may have unsent: the answers of the reads that may be begun beyond the bound of its output.
const UNSENT_MOST: usize = OUTPUT_BYTES_MAX + READS_BEGUN_MAX * 90_000 + 300_000;

/// The most timers that a shard may have set.
fn server_timers(census: &ringmill::shard::Census) -> usize {
    census.server.connections + 5
}

impl World {
    fn go(&mut self, drains_amid: Option<u64>) -> Result<(), Broken> {
        {
            let mut kernel = self.kernel.borrow_mut();
            for shard in 0..self.shards.len() {
                kernel.after(0, Event::Enter(shard));
            }
            let rush_ns = drains_amid.filter(|_| self.is_rush);
            for client in 0..self.clients.len() {
                let begin_ns = match rush_ns {
                    Some(drain_ns) => drain_ns.saturating_sub(kernel.random.magnitude(1_000, 20_000_000)),
                    None => kernel.now_ns + kernel.random.magnitude(1_000, 50_000_000),
                };
                kernel.at(begin_ns, Event::Client(client));
            }
            kernel.after(5_000_000, Event::Control);
        }
        if let Some(at_ns) = drains_amid {
            self.control.drain_at(at_ns);
        }
        // Clients come and go.
        self.until(HELL_NS, |world| world.clients.iter().all(|client| client.is_done))?;
        self.kernel.borrow_mut().faults.end();
        self.until(PATIENCE_NS, |world| world.clients.iter().all(|client| client.is_done))?;
        if let Some(client) = self.clients.iter().find(|client| !client.is_done) {
            return Err((
                "unanswered",
                format!("after {} s: {}", PATIENCE_NS / 1_000_000_000, client.state()),
            ));
        }
        // Everything comes back.
        self.until(PATIENCE_NS, |world| world.is_at_rest().is_ok())?;
        self.is_at_rest().map_err(|words| ("not-given-back", words))?;
        self.are_copies_right().map_err(|words| ("copy-differs", words))?;
        if drains_amid.is_none() {
            let now_ns = self.kernel.borrow().now_ns;
            self.control.drain_at(now_ns);
        }
        self.until(PATIENCE_NS, |world| world.shards.iter().all(Option::is_none))?;
        if self.shards.iter().any(Option::is_some) {
            return Err(("never-drained", format!("drain_timeout was {} ns", self.control.drain_ns())));
        }
        self.until(PATIENCE_NS, |world| world.control.owed == 0)?;
        if self.control.owed > 0 {
            return Err(("message-lost", format!("control waits for {} answers", self.control.owed)));
        }
        if let Some(value) = self.truth.borrow().refused_and_done() {
            return Err(("refused-and-done", format!("{value} was answered 503 and is written")));
        }
        Ok(())
    }

    /// Until `is_done`, or for so long.
    fn until(&mut self, ns: u64, is_done: impl Fn(&World) -> bool) -> Result<(), Broken> {
        let deadline_ns = self.kernel.borrow().now_ns + ns;
        for _ in 0..EVENTS_MAX {
            if is_done(self) {
                return Ok(());
            }
            let event = {
                let mut kernel = self.kernel.borrow_mut();
                if kernel.now_ns > deadline_ns {
                    return Ok(());
                }
                kernel.next_event()
            };
            let Some(event) = event else { return Ok(()) };
            self.act(event)?;
        }
        Err(("round-and-round", format!("{EVENTS_MAX} events")))
    }

    fn act(&mut self, event: Event) -> Result<(), Broken> {
        match event {
            Event::Enter(shard) => self.enter(shard),
            Event::Turn(shard, turn) => self.turn(shard, turn)?,
            Event::Ring(shard) => self.kernel.borrow_mut().wake(shard),
            Event::Store(number) => self.store.act(number),
            Event::Control => self.control.act(),
            Event::Client(client) => {
                let mut kernel = self.kernel.borrow_mut();
                let now_ns = kernel.now_ns;
                let mut around = Around {
                    kernel: &mut kernel,
                    truth: &mut self.truth.borrow_mut(),
                    shards: self.shards.len(),
                    is_cut_off: self.control.is_cut_off(now_ns),
                    is_crowded: self.is_crowded,
                    is_narrow: self.is_narrow,
                    drain_asked_ns: self.control.drain_asked_ns,
                    timeouts: self.timeouts,
                    keys: self.keys,
                };
                self.clients[client].act(&mut around)?;
            }
            other => {
                let shared = self.kernel.clone();
                shared.borrow_mut().act(other, &self.kernel);
            }
        }
        if self.control.take_woken() {
            let mut kernel = self.kernel.borrow_mut();
            let delay = kernel.random.magnitude(1_000, 1_000_000);
            kernel.after(delay, Event::Control);
        }
        match self.kernel.borrow_mut().broken.pop() {
            Some(words) => Err(("contract", words)),
            None => Ok(()),
        }
    }

    /// A shard goes into the kernel: what it queued starts, and it may wait.
    fn enter(&mut self, index: usize) {
        let Some(shard) = &mut self.shards[index] else { return };
        shard.driver().go_in();
        let wait = shard.wait();
        if wait == Wait::No {
            self.restless[index] += 1;
        }
        shard.driver().wait(wait);
    }

    fn turn(&mut self, index: usize, turn: u64) -> Result<(), Broken> {
        let Some(shard) = &mut self.shards[index] else { return Ok(()) };
        let Some(end_ns) = self.kernel.borrow_mut().come_out(index, turn) else { return Ok(()) };
        let calls = &mut self.calls;
        let restless = &mut self.restless[index];
        shard.turn_watched(|call| {
            calls[call as usize] += 1;
            if call != Call::Turned {
                *restless = 0;
            }
        });
        if *restless > RESTLESS_MAX {
            return Err(("round-and-round", format!("shard {index} does not sleep and does nothing")));
        }
        self.turns += 1;
        let is_drained = shard.is_drained();
        let census = shard.census();
        let is_too_much = census.server.begun_most > READS_BEGUN_MAX
            || census.server.input_most > INPUT_BYTES_PAUSE + 2 * 4096 * 64
            // One of each connection; and of draining, of the listeners' grace, of the queues, of the cache, of an accept that failed.
            || census.timers > server_timers(&census)
            || census.server.unsent_most > UNSENT_MOST
            || census.under_way.iter().zip(&self.under_way_max).any(|(has, most)| has > most)
            || self.places.taken() > self.places.most();
        if census.server.untimed > 0 {
            return Err(("untimed", format!("shard {index} has connections without a timer: {census:?}")));
        }
        if !census.server.is_balanced {
            return Err(("unbalanced", format!("shard {index} counts wrong: {census:?}")));
        }
        // Whoever leaves makes his own answers.
        if let Some(sql) = self.store.asked_twice().filter(|_| !self.control.is_leaving()) {
            return Err(("asked-twice", format!("{sql} was asked while its answer was under way")));
        }
        if census.server.has_idle_room {
            return Err(("idle-room", format!("shard {index} lets requests wait for room that is there")));
        }
        // A shed is due in the turn in which its time has come.
        let now_ns = self.kernel.borrow().now_ns;
        if let Some(since_ns) = census.server.queued_since_ns
            && since_ns + self.wait_timeout_ns <= now_ns
        {
            return Err(("waited-too-long", format!("shard {index} has one that waits since {since_ns} ns")));
        }
        if is_too_much {
            return Err(("bound", format!("shard {index} holds {census:?}")));
        }
        self.kernel.borrow_mut().look_at_bells();
        if is_drained {
            if let Some(shard) = self.shards[index].take() {
                shard.end();
            }
        } else {
            self.kernel.borrow_mut().at(end_ns, Event::Enter(index));
        }
        Ok(())
    }

    /// Whether every answer that is kept and may be given says what the store says.
    fn are_copies_right(&self) -> Result<(), String> {
        let rows = self.store.rows();
        for kept in self.shards.iter().flatten().flat_map(Shard::kept).filter(|kept| kept.is_valid) {
            let is_right = match (kept.status, kept.item()) {
                (404, Some(key)) => !rows.contains_key(&key),
                (_, Some(key)) => rows.get(&key).is_some_and(|value| {
                    kept.body == format!(r#"{{"id":{key},"value":"{value}"}}"#).as_bytes()
                }),
                (_, None) => crate::client::rows(&kept.body).is_some_and(|kept| kept == rows),
            };
            if !is_right {
                let body = String::from_utf8_lossy(&kept.body);
                return Err(format!(
                    "{:?} is kept as {} {body}, and there is {rows:?}",
                    kept.key, kept.status
                ));
            }
        }
        Ok(())
    }

    /// Whether all that was taken was given back; else what was not.
    fn is_at_rest(&self) -> Result<(), String> {
        let kernel = self.kernel.borrow();
        for (index, shard) in self.shards.iter().enumerate() {
            let Some(shard) = shard else { continue };
            let census = shard.census();
            let server = &census.server;
            let is_empty = census.sockets == 0
                && census.timers == 0
                && census.tasks == 0
                && census.unsent_bytes == 0
                && census.waiting == 0
                && server.connections == 0
                && server.refused == 0
                && server.bodies_bytes == 0
                && server.ready_bytes == 0
                && server.input_bytes == 0;
            if !is_empty {
                return Err(format!("shard {index} still holds {census:?}"));
            }
            if kernel.buffers_free(index) != kernel.rings[index].buffers {
                let (free, all) = (kernel.buffers_free(index), kernel.rings[index].buffers);
                return Err(format!("shard {index} has {free} of {all} buffers"));
            }
        }
        if self.places.taken() > 0 {
            return Err(format!("{} places are taken", self.places.taken()));
        }
        if kernel.descriptors() > 0 {
            return Err(format!("{} descriptors are open", kernel.descriptors()));
        }
        // A shard that has drained takes no reply any more.
        if self.shards.iter().all(Option::is_some) && self.store.held_bytes() != 0 {
            return Err(format!("the store is told of {} bytes that are held", self.store.held_bytes()));
        }
        if self.store.waiting() > 0 {
            return Err(format!("{} jobs wait", self.store.waiting()));
        }
        Ok(())
    }

    fn outcome(self, failure: Option<Failure>, clients: usize, requests_most: usize) -> Outcome {
        let mut counts = Counts::default();
        for client in &self.clients {
            let of = &client.counts;
            counts.requests.resize(of.requests.len(), 0);
            counts.requests.iter_mut().zip(&of.requests).for_each(|(sum, one)| *sum += one);
            counts.from.iter_mut().zip(of.from).for_each(|(sum, one)| *sum += one);
            counts.connections += of.connections;
            counts.refused += of.refused;
            counts.unavailable += of.unavailable;
        }
        let turns = self.turns;
        let calls = self.calls.clone();
        let kernel = self.kernel.clone();
        drop(self);
        let left = kernel.borrow_mut().take_all();
        drop(left);
        let kernel = kernel.borrow();
        Outcome {
            failure,
            hash: kernel.trace.hash(),
            lines: kernel.trace.lines(),
            fired: kernel.faults.fired.clone(),
            counts,
            turns,
            calls,
            clients,
            requests_most,
        }
    }
}
