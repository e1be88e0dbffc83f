//! The control plane's one thread: messages, questions, signals, and the phases from serving to the end.

use super::admin::{self, Admin, AdminListener, Question, Readiness};
use super::log::{emit, line, unix_us};
use super::metrics::{self, Per, Scrape};
use super::process::{self, CpuUsage};
use crate::config::Plan;
use crate::shard::{KINDS, Message, Phase, Routes, Snapshot};
use ringmill_mesh::Guest;
use ringmill_sqlite::{Event, Store};
use std::collections::HashMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

/// Questions of the admin listener that may wait. Beyond it its handlers wait.
const QUESTIONS: usize = 64;

/// How long a scrape waits for the shards. Beyond it, it shows those that answered.
const SCRAPE_TIMEOUT: Duration = Duration::from_secs(2);

/// How long after the drain's deadline the shards may take to say so.
const DRAIN_GRACE: Duration = Duration::from_secs(5);

/// How long the store may take to finish what it has once all shards are drained.
const STORE_CLOSE: Duration = Duration::from_secs(10);

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
    pub shards: Vec<JoinHandle<()>>,
    /// The store, which ends after the shards.
    pub store: Store,
    /// Bound and not yet served.
    pub admin: AdminListener,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Drained.
    Drained,
    /// By a second signal, or a shard that was lost.
    AtOnce,
}

/// Someone who waits for the shards' counts.
enum Wants {
    Metrics { per_shard: bool, answer: oneshot::Sender<String> },
    Ready { answer: oneshot::Sender<Readiness> },
    Memory { answer: oneshot::Sender<Vec<(String, u64)>> },
    Shard { endpoint: usize, ticket: u64 },
}

struct Gathering {
    wants: Wants,
    snapshots: Vec<Option<Snapshot>>,
    until: Instant,
}

struct Control {
    plan: Arc<Plan>,
    routes: Routes,
    guest: Guest<Message>,
    store: Store,
    shards: usize,
    cpu: CpuUsage,
    started_unix_seconds: f64,
    gathering: HashMap<u64, Gathering>,
    ticket: u64,
    is_leaving: bool,
    drained: usize,
    cut_off: usize,
}

/// Runs until a signal has drained the process.
pub fn run(running: Running) -> std::io::Result<Ended> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(lead(running))
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

async fn lead(running: Running) -> std::io::Result<Ended> {
    let Running { plan, routes, guest, notify, shards, store, admin } = running;
    let (questions, mut asked) = mpsc::channel(QUESTIONS);
    let socket_file = match &admin {
        AdminListener::Unix(_, path) => Some(path.clone()),
        AdminListener::Tcp(_) => None,
    };
    let shared = Admin { questions, shown: Arc::new(plan.shown.clone()), address: admin.address() };
    tokio::spawn(admin::serve(admin, shared));
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    // Not earlier: whoever reads it may send a signal, which would end a process that does not listen to it yet.
    println!("ready");
    let mut control = Control {
        routes,
        guest,
        store,
        cpu: CpuUsage::new(shards.len()),
        shards: shards.len(),
        started_unix_seconds: unix_us() as f64 / 1e6,
        gathering: HashMap::new(),
        ticket: 0,
        is_leaving: false,
        drained: 0,
        cut_off: 0,
        plan,
    };
    let mut second = interval(Duration::from_secs(1));
    second.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut stage = Stage::Serving;
    let mut signalled: Option<Instant> = None;
    let ended = loop {
        while let Some(mail) = control.guest.pop() {
            control.message(mail.source, mail.message);
        }
        if control.drained == control.shards {
            break Ended::Drained;
        }
        if shards.iter().filter(|thread| thread.is_finished()).count() > control.drained {
            emit(line!(Error, "A shard was lost; the process ends"));
            break Ended::AtOnce;
        }
        let wakes_at = match stage {
            Stage::Serving => None,
            Stage::Leaving { until } | Stage::Closing { until } => Some(until),
        };
        if !control.guest.fall_asleep() {
            continue;
        }
        tokio::select! {
            () = notify.notified() => {}
            Some(question) = asked.recv() => control.question(question),
            _ = second.tick() => {
                control.cpu.look();
                control.give_up_late();
            }
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
                    stage = Stage::Closing { until: Instant::now() + within + DRAIN_GRACE };
                }
                Stage::Closing { .. } => {
                    emit(line!(Error, "A shard did not drain in time; the process ends without it"));
                    break Ended::AtOnce;
                }
                Stage::Serving => {}
            },
        }
        control.guest.wake_up();
    };
    if let Some(path) = socket_file {
        let _ = std::fs::remove_file(path);
    }
    if ended == Ended::Drained {
        for shard in shards {
            let _ = shard.join();
        }
        while let Some(mail) = control.guest.pop() {
            control.message(mail.source, mail.message);
        }
        control.store.close(STORE_CLOSE);
        emit(line!(Info, "Drained; {} requests were cut off", control.cut_off));
    } else {
        // Dropped, it would wait for the statements that run.
        std::mem::forget(control.store);
    }
    Ok(ended)
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
            Message::Log(line) => emit(*line),
            Message::Counted { ticket, snapshot } => {
                if let Some(gathering) = self.gathering.get_mut(&ticket) {
                    gathering.snapshots[source] = Some(*snapshot);
                    if gathering.snapshots.iter().all(Option::is_some) {
                        self.gathered(ticket);
                    }
                }
            }
            Message::Scrape { ticket } => self.gather(Wants::Shard { endpoint: source, ticket }),
            Message::Drained { cut_off } => {
                self.drained += 1;
                self.cut_off += cut_off;
            }
            Message::Store(event) => match event {
                Event::ForeignWrite => emit(line!(Debug, "Another process wrote to the database")),
                Event::Panicked { detail } => {
                    emit(line!(Error, "A thread of the database panicked and goes on: {detail}"));
                }
                Event::NotReopened { detail } => {
                    emit(line!(Error, "The database could not be opened anew: {detail}"));
                }
                other => emit(line!(Warn, "The database noticed: {other:?}")),
            },
            Message::Entered => {}
            Message::Stored { .. } | Message::Scraped { .. } | Message::Count { .. } | Message::Enter(_) => {
                debug_assert!(false, "{} was sent to control by mistake", KINDS[message.kind()]);
            }
        }
    }

    fn question(&mut self, question: Question) {
        self.gather(match question {
            Question::Metrics { per_shard, answer } => Wants::Metrics { per_shard, answer },
            Question::Ready { answer } => Wants::Ready { answer },
            Question::Memory { answer } => Wants::Memory { answer },
        });
    }

    /// Asks every shard for its counts, for someone.
    fn gather(&mut self, wants: Wants) {
        self.ticket += 1;
        let ticket = self.ticket;
        let snapshots = vec![None; self.shards];
        self.gathering.insert(ticket, Gathering { wants, snapshots, until: Instant::now() + SCRAPE_TIMEOUT });
        for shard in 0..self.shards {
            // Without room the scrape goes on without this shard.
            let _ = self.guest.request(shard, Message::Count { ticket });
        }
    }

    fn give_up_late(&mut self) {
        let now = Instant::now();
        let late: Vec<u64> =
            self.gathering.iter().filter(|(_, each)| each.until <= now).map(|(&ticket, _)| ticket).collect();
        for ticket in late {
            emit(line!(
                Warn,
                "A scrape goes on without the shards that did not answer within {SCRAPE_TIMEOUT:?}"
            ));
            self.gathered(ticket);
        }
    }

    fn gathered(&mut self, ticket: u64) {
        let Some(gathering) = self.gathering.remove(&ticket) else { return };
        let snapshots: Vec<Snapshot> = gathering.snapshots.into_iter().flatten().collect();
        match gathering.wants {
            Wants::Metrics { per_shard, answer } => {
                let per = if per_shard { Per::Shard } else { Per::Process };
                let _ = answer.send(self.render(&snapshots, per));
            }
            Wants::Shard { endpoint, ticket } => {
                let text = self.render(&snapshots, Per::Process);
                self.guest.answer(endpoint, Message::Scraped { ticket, text });
            }
            Wants::Ready { answer } => {
                let _ = answer.send(match (self.is_leaving, snapshots.iter().any(|each| each.is_degraded)) {
                    (true, _) => Readiness::Draining,
                    (false, true) => Readiness::Degraded,
                    (false, false) => Readiness::Ready,
                });
            }
            Wants::Memory { answer } => {
                let _ = answer.send(self.memory(&snapshots));
            }
        }
    }

    fn render(&self, snapshots: &[Snapshot], per: Per) -> String {
        let scrape = Scrape {
            routes: &self.routes.labels,
            shards: snapshots,
            store: &self.store.statistics(),
            process: process::read(),
            cpu_percent: self.cpu.percent(),
            started_unix_seconds: self.started_unix_seconds,
        };
        metrics::render(&scrape, per)
    }

    /// Owners of memory, largest first.
    fn memory(&self, snapshots: &[Snapshot]) -> Vec<(String, u64)> {
        use ringmill_reactor::bounds::{RECEIVE_BUFFER_BYTES, RECEIVE_BUFFERS};
        let process = process::read();
        let connections: usize = snapshots.iter().map(|each| each.counters.connections).sum();
        let mut rows = vec![
            ("process: resident".to_owned(), process.resident_bytes),
            (
                "shards/reactor: receive buffers".to_owned(),
                (self.shards * usize::from(RECEIVE_BUFFERS) * RECEIVE_BUFFER_BYTES) as u64,
            ),
            ("shards/serve: connections".to_owned(), (connections * ringmill_serve::CONNECTION_BYTES) as u64),
            (
                "shards/serve: counters".to_owned(),
                snapshots.iter().map(|each| each.counters.bytes() as u64).sum(),
            ),
        ];
        rows.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
        rows
    }

    fn enter(&mut self, phase: Phase) {
        for shard in 0..self.shards {
            if self.guest.request(shard, Message::Enter(phase)).is_err() {
                emit(line!(Error, "Shard {shard} takes no messages"));
            }
        }
    }
}
