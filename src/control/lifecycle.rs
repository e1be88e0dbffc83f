//! The control plane's one thread: messages, questions, signals, and the phases from serving to the end.

mod gathering;
mod watch;

use gathering::{Gathering, Wants};
use watch::Watch;

use super::admin::{self, Admin, AdminListener};
use super::log::{emit, emit_of_shard, line, unix_us};
use super::output::Printer;
use super::process::{self, CpuUsage};
use crate::config::Plan;
use crate::shard::{KINDS, Message, Phase, Routes, Snapshot};
use ringmill_mesh::Guest;
use ringmill_sqlite::{Event, Store, TROUBLE_INTERVAL};
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

/// Questions of the admin listener that may wait. Beyond it its handlers wait.
const QUESTIONS: usize = 64;

/// Messages acted on before signals, timers and questions are looked at again.
const MESSAGES_AT_ONCE: usize = 256;

/// Resident memory beyond that of the start, from which on freed memory is given back to the system, bytes. Looked at once a
/// second.
const TRIM_BYTES: u64 = 32 * 1024 * 1024;

/// Between two times of giving memory back: at first, and when there was little to give.
const TRIM_INTERVAL: Duration = Duration::from_secs(5);
const TRIM_INTERVAL_MAX: Duration = Duration::from_secs(640);

/// How long after the drain's deadline the shards may take to say so.
const DRAIN_GRACE: Duration = Duration::from_secs(5);

/// How long the store may take to finish what it has once all shards are drained.
const STORE_CLOSE: Duration = Duration::from_secs(5);

/// A signal within so long of the first one is the same: timeout(1) and some supervisors signal both a process and its
/// group.
const SAME_SIGNAL: Duration = Duration::from_millis(5);

/// What runs, and what control needs to lead it.
pub struct Running {
    /// The plan.
    pub plan: Arc<Plan>,
    /// Labels of what is counted.
    pub routes: Routes,
    /// Control's place in the mesh.
    pub guest: Guest<Message>,
    /// Struck when a message for control waits.
    pub notify: Arc<Notify>,
    /// Threads of shards.
    pub shards: Vec<JoinHandle<Option<usize>>>,
    /// The store, which ends after the shards.
    pub store: Store,
    /// Listening and not yet served.
    pub admin: AdminListener,
    /// What keeps the public addresses from other processes while shards listen there.
    pub claims: Vec<Arc<UnixDatagram>>,
    /// Says `ready`.
    pub printer: Printer,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By a signal, before anything was served.
    BeforeReady,
    /// Drained.
    Drained,
    /// By a second signal, or a shard that did not drain in time.
    AtOnce,
    /// A shard's thread ended by itself: a defect, of ours or of the host's.
    ShardLost,
}

struct Control {
    plan: Arc<Plan>,
    routes: Routes,
    guest: Guest<Message>,
    store: Store,
    shards: usize,
    cpu: CpuUsage,
    started_unix_seconds: f64,
    gathering: Option<Gathering>,
    /// Who waits for the next one.
    next: Vec<Wants>,
    /// The latest counts of each shard.
    last: Vec<Option<Snapshot>>,
    ticket: u64,
    is_leaving: bool,
    /// Of the shards; `None`: ended.
    threads: Vec<Option<JoinHandle<Option<usize>>>>,
    /// Answers to announced phases.
    entered: usize,
    drained: usize,
    cut_off: usize,
    /// When it was last said that the database does not serve, and jobs that failed so since.
    trouble_said: Option<Instant>,
    trouble_jobs: u64,
    watches: Vec<Watch>,
    /// When shards were last asked whether they turn.
    watched: Option<Instant>,
    resident_at_start: Option<u64>,
    /// Freed memory is not given back before then.
    trim_after: Instant,
    trim_interval: Duration,
}

/// What has to stand before anything runs: the runtime, and ears for signals.
pub struct Ground {
    runtime: tokio::runtime::Runtime,
    terminate: Signal,
    interrupt: Signal,
}

impl Ground {
    /// Prepares it.
    pub fn prepare() -> std::io::Result<Ground> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let entered = runtime.enter();
        let (terminate, interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        drop(entered);
        Ok(Ground { runtime, terminate, interrupt })
    }
}

impl Ground {
    /// Has a thread do what precedes serving; `None`: a signal came first, and the thread is left to itself.
    pub fn while_starting<T: Send + 'static>(
        &mut self,
        start: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let Ground { runtime, terminate, interrupt } = self;
        runtime.block_on(async {
            tokio::select! {
                biased;
                // First, since it may serve already.
                started = tokio::task::spawn_blocking(start) => match started {
                    Ok(started) => Some(started),
                    Err(error) => std::panic::resume_unwind(error.into_panic()),
                },
                signal = either(terminate, interrupt) => {
                    emit(line!(Info, "{signal}: ended before it was ready"));
                    None
                }
            }
        })
    }
}

impl Ground {
    /// Gives up without waiting for a start that is under way.
    pub fn leave(self) {
        self.runtime.shutdown_background();
    }
}

/// Runs until a signal has drained the process.
pub fn run(ground: Ground, running: Running) -> std::io::Result<Ended> {
    let Ground { runtime, terminate, interrupt } = ground;
    Ok(runtime.block_on(lead(terminate, interrupt, running)))
}

/// Where the process is on its way out.
enum Stage {
    Serving,
    /// `/ready` says 503; the listeners close then.
    Leaving {
        until: Instant,
    },
    /// In flight until drained; given up then.
    Closing {
        until: Instant,
    },
}

async fn lead(mut terminate: Signal, mut interrupt: Signal, running: Running) -> Ended {
    let Running { plan, routes, guest, notify, shards, store, admin, mut claims, printer } = running;
    let (questions, mut asked) = mpsc::channel(QUESTIONS);
    let _admin_claim = admin.claim();
    let shared = Admin { questions, shown: Arc::new(plan.shown.clone()), address: admin.address() };
    tokio::spawn(admin::serve(admin, shared));
    printer.print("ready".to_owned());
    let shards_count = shards.len();
    let mut control = Control {
        routes,
        guest,
        store,
        cpu: CpuUsage::new(shards.len().min(ringmill_reactor::available_cpus().len())),
        shards: shards.len(),
        started_unix_seconds: unix_us() as f64 / 1e6,
        gathering: None,
        next: Vec::new(),
        last: vec![None; shards.len()],
        ticket: 0,
        is_leaving: false,
        threads: shards.into_iter().map(Some).collect(),
        entered: 0,
        drained: 0,
        cut_off: 0,
        trouble_said: None,
        trouble_jobs: 0,
        watches: vec![Watch::default(); shards_count],
        watched: None,
        resident_at_start: None,
        trim_after: Instant::now(),
        trim_interval: TRIM_INTERVAL,
        plan,
    };
    let mut second = interval(Duration::from_secs(1));
    second.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut stage = Stage::Serving;
    let mut signalled: Option<Instant> = None;
    let ended = loop {
        for _ in 0..MESSAGES_AT_ONCE {
            let Some(mail) = control.guest.pop() else { break };
            control.message(mail.source, mail.message);
        }
        if control.drained == control.shards {
            break Ended::Drained;
        }
        if control.is_shard_lost() {
            break Ended::ShardLost;
        }
        let wakes_at = match stage {
            Stage::Serving => None,
            Stage::Leaving { until } | Stage::Closing { until } => Some(until),
        };
        // With more messages at hand it goes on at once, but not without having looked at everything else.
        let has_more = !control.guest.fall_asleep();
        tokio::select! {
            biased;
            signal = either(&mut terminate, &mut interrupt) => match stage {
                Stage::Serving => {
                    emit(line!(Info, "{signal}: draining"));
                    signalled = Some(Instant::now());
                    control.is_leaving = true;
                    control.enter(Phase::Leaving);
                    stage = Stage::Leaving { until: Instant::now() + control.plan.server.drain_delay };
                }
                Stage::Leaving { .. } | Stage::Closing { .. }
                    if signalled.is_some_and(|first| first.elapsed() < SAME_SIGNAL) => {}
                Stage::Leaving { .. } | Stage::Closing { .. } => {
                    emit(line!(Warn, "{signal} again: ended at once, without waiting for what is in flight"));
                    break Ended::AtOnce;
                }
            },
            () = at(wakes_at) => match stage {
                Stage::Leaving { .. } => {
                    let within = control.plan.server.drain_timeout;
                    let within_ns = u64::try_from(within.as_nanos()).unwrap_or(u64::MAX);
                    control.enter(Phase::Closing { within_ns });
                    // Another process may listen there from now on.
                    claims.clear();
                    stage = Stage::Closing { until: Instant::now() + within + DRAIN_GRACE };
                }
                Stage::Closing { .. } => {
                    emit(line!(Error, "A shard did not drain in time; the process ends without it"));
                    break Ended::AtOnce;
                }
                Stage::Serving => {}
            },
            _ = second.tick() => {
                control.cpu.look();
                control.give_memory_back();
                control.give_up_late();
                control.watch();
            }
            Some(question) = asked.recv() => control.question(question),
            () = notify.notified() => {}
            () = tokio::task::yield_now(), if has_more => {}
        }
        control.guest.wake_up();
    };
    if ended == Ended::Drained {
        while let Some(mail) = control.guest.pop() {
            control.message(mail.source, mail.message);
        }
        close(control.store);
        let words = if control.cut_off == 1 {
            "1 request was".to_owned()
        } else {
            format!("{} requests were", control.cut_off)
        };
        emit(line!(Info, "Drained; {words} cut off"));
    } else {
        // Dropped, it would wait for the statements that run.
        std::mem::forget(control.store);
    }
    ended
}

/// Closes the store, but waits no longer than [`STORE_CLOSE`] for a statement that runs: what was acknowledged is on the disk
/// anyway.
fn close(store: Store) {
    let (done, closed) = std::sync::mpsc::sync_channel(1);
    std::thread::spawn(move || {
        store.close(STORE_CLOSE);
        let _ = done.send(());
    });
    if closed.recv_timeout(STORE_CLOSE).is_err() {
        emit(line!(Warn, "The database is still at work after {STORE_CLOSE:?}; the process ends without it"));
    }
}

async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

async fn either(terminate: &mut Signal, interrupt: &mut Signal) -> &'static str {
    tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    }
}

impl Control {
    fn message(&mut self, source: usize, message: Message) {
        match message {
            Message::Log(line) => emit_of_shard(*line),
            Message::Counted { ticket, snapshot } => {
                self.last[source] = Some(*snapshot);
                if let Some(gathering) = &mut self.gathering
                    && gathering.ticket == ticket
                {
                    gathering.missing[source] = false;
                    self.look_at_gathering();
                }
            }
            Message::Scrape { ticket } => self.gather(Wants::Shard { endpoint: source, ticket }),
            // Its thread is about to end.
            Message::Drained => self.join(source),
            Message::Store(event) => self.store_event(event),
            Message::Turned => self.turned(source),
            Message::Entered => {
                self.entered += 1;
                // Leaving and closing, on every shard.
                if self.entered == 2 * self.shards {
                    self.enter(Phase::Ending);
                }
            }
            Message::Stored { .. }
            | Message::Scraped { .. }
            | Message::Fetch(_)
            | Message::Fetched { .. }
            | Message::Count { .. }
            | Message::Enter(_)
            | Message::Turn => {
                debug_assert!(false, "{} was sent to control by mistake", KINDS[message.kind()]);
            }
        }
    }

    /// Says what the store noticed; what goes on says it again, at most once in [`TROUBLE_INTERVAL`] for all of its threads.
    fn store_event(&mut self, event: Event) {
        let file = self.plan.database.sqlite.display();
        match event {
            Event::ForeignWrite => emit_of_shard(line!(Debug, "Another process wrote to the database")),
            Event::Panicked { detail } => {
                emit_of_shard(line!(Error, "A thread of the database panicked and goes on: {detail}"));
            }
            Event::Unavailable { detail, jobs } => {
                self.trouble_jobs += jobs;
                if self.trouble_said.is_none_or(|said| said.elapsed() >= TROUBLE_INTERVAL) {
                    self.trouble_said = Some(Instant::now());
                    let jobs = std::mem::take(&mut self.trouble_jobs);
                    let line = line!(Error, "The database {file} does not serve: {detail}");
                    emit_of_shard(line.with_number("jobs", jobs as f64));
                }
            }
            Event::Available => {
                // Each thread says so; all have to.
                if !self.store.statistics().threads.iter().any(|thread| thread.is_unavailable) {
                    emit_of_shard(line!(Info, "The database {file} serves again"));
                }
            }
            Event::CheckpointFailed { detail } => {
                if self.trouble_said.is_none_or(|said| said.elapsed() >= TROUBLE_INTERVAL) {
                    self.trouble_said = Some(Instant::now());
                    let words = "nothing is lost, but the log beside it grows";
                    emit_of_shard(line!(Warn, "The log of {file} was not copied into it; {words}: {detail}"));
                }
            }
        }
    }

    /// After a burst or an attack the process becomes as small again as what lives asks for. An attempt that gives back
    /// little makes the next one later.
    fn give_memory_back(&mut self) {
        let before = process::read().resident_bytes;
        let start = *self.resident_at_start.get_or_insert(before);
        if self.trim_after > Instant::now() || before < start + TRIM_BYTES {
            return;
        }
        ringmill_reactor::give_memory_back();
        let is_little = process::read().resident_bytes > before / 10 * 9;
        self.trim_interval =
            if is_little { (self.trim_interval * 2).min(TRIM_INTERVAL_MAX) } else { TRIM_INTERVAL };
        self.trim_after = Instant::now() + self.trim_interval;
    }

    /// Takes note of how a shard's thread ended.
    fn join(&mut self, shard: usize) {
        if let Some(thread) = self.threads[shard].take()
            && let Ok(Some(cut_off)) = thread.join()
        {
            self.drained += 1;
            self.cut_off += cut_off;
        }
        // It answers no more; it is shown as it was last.
        if let Some(gathering) = &mut self.gathering {
            gathering.missing[shard] = false;
            self.look_at_gathering();
        }
    }

    /// Whether a shard's thread has ended in another way than by draining.
    fn is_shard_lost(&mut self) -> bool {
        for shard in 0..self.shards {
            if self.threads[shard].as_ref().is_some_and(JoinHandle::is_finished) {
                self.join(shard);
            }
        }
        let ended = self.threads.iter().filter(|thread| thread.is_none()).count();
        ended > self.drained
    }

    fn enter(&mut self, phase: Phase) {
        for shard in 0..self.shards {
            if self.guest.request(shard, Message::Enter(phase)).is_err() {
                emit(line!(Error, "Shard {shard} takes no messages"));
            }
        }
    }
}
