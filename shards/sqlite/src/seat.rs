//! What a thread of the store has, be it the writer or a reader: its place, its queue, and the way its answers go.

use crate::bounds::TROUBLE_INTERVAL;
use crate::holders::Holders;
use crate::lanes::{Lane, Lanes};
use crate::link::Opening;
use crate::statistics::{Counters, add};
use crate::{Answers, Class, Error, Event, Job, Reply, Ticket, held_bytes};
use crossbeam_utils::CachePadded;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// A job on its way.
pub(crate) struct Task {
    pub(crate) shard: usize,
    pub(crate) ticket: Ticket,
    pub(crate) begin_by: Option<Instant>,
    pub(crate) job: Job,
}

/// What all threads and handles of a store share.
pub(crate) struct Shared {
    pub(crate) lanes: Lanes<Task>,
    pub(crate) counters: Box<[CachePadded<Counters>]>,
    pub(crate) holders: Holders,
    /// How often the writer saw that someone else had written. Shards read it; only such a write writes it.
    pub(crate) foreign_writes: CachePadded<AtomicU64>,
    /// Bytes of large replies that are on their way.
    pub(crate) held_bytes: CachePadded<AtomicUsize>,
    pub(crate) held_bytes_max: usize,
    /// Set on closing: from then on jobs are answered without being run.
    pub(crate) given_up_at: OnceLock<Instant>,
}

/// One thread's place.
pub(crate) struct Seat {
    /// 0 is the writer.
    pub(crate) index: usize,
    pub(crate) shared: Arc<Shared>,
    pub(crate) answers: Box<dyn Answers>,
    pub(crate) opening: Opening,
    pub(crate) statement_timeout: Duration,
    pub(crate) reply_bytes_max: usize,
    pub(crate) trouble: Trouble,
}

/// What a thread has said about jobs that it could not serve.
#[derive(Default)]
pub(crate) struct Trouble {
    said_at: Option<Instant>,
    /// Said, and not yet that it is over.
    is_open: bool,
    /// Since it was last said.
    jobs: u64,
    tried_at: Option<Instant>,
}

impl Seat {
    pub(crate) fn counters(&self) -> &Counters {
        &self.shared.counters[self.index]
    }

    /// Why a job that was taken should not be run at all.
    pub(crate) fn refusal(&self, task: &Task) -> Option<Error> {
        let closing = self.shared.lanes.is_closed();
        if task.begin_by.is_none() && !closing {
            return None;
        }
        let now = Instant::now();
        if task.begin_by.is_some_and(|begin_by| begin_by <= now) {
            add(&self.counters().wait_timeouts, 1);
            return Some(Error::NotBegun);
        }
        (closing && self.shared.given_up_at.get().is_some_and(|&at| at <= now)).then(shutting_down)
    }

    /// Sends a reply. A panic in the caller's code costs this reply only.
    pub(crate) fn answer(&mut self, task: &Task, mut reply: Reply) {
        let bytes = held_bytes(&reply);
        if bytes > 0 {
            let held = self.shared.held_bytes.fetch_add(bytes, Relaxed);
            // A write was done, and its answer is owed.
            if held.saturating_add(bytes) > self.shared.held_bytes_max && task.job.class != Class::Write {
                self.shared.held_bytes.fetch_sub(bytes, Relaxed);
                reply = Err(Error::Crowded);
            }
        }
        add(&self.counters().jobs, 1);
        if reply.is_err() {
            add(&self.counters().failed, 1);
        }
        let answers = &mut self.answers;
        let sent = catch_unwind(AssertUnwindSafe(|| answers.answer(task.shard, task.ticket, reply)));
        if let Err(panic) = sent {
            self.observe(Event::Panicked { detail: words(&*panic) });
        }
    }

    /// Reports an event. What panics here has nobody left to tell.
    pub(crate) fn observe(&mut self, event: Event) {
        let answers = &mut self.answers;
        let _ = catch_unwind(AssertUnwindSafe(|| answers.observe(event)));
    }

    /// Takes note of an error that is the file's fault; others say nothing about it.
    pub(crate) fn not_well(&mut self, error: &Error, jobs: u64) {
        if !error.is_of_the_file() || self.shared.lanes.is_closed() {
            return;
        }
        self.counters().is_unavailable.store(true, Relaxed);
        add(&self.counters().unavailable, jobs);
        self.trouble.jobs += jobs;
        if self.trouble.said_at.is_none_or(|said_at| said_at.elapsed() >= TROUBLE_INTERVAL) {
            self.trouble.said_at = Some(Instant::now());
            self.trouble.is_open = true;
            let jobs = std::mem::take(&mut self.trouble.jobs);
            self.observe(Event::Unavailable { detail: error.detail(), jobs });
        }
    }

    /// Takes note that the file serves.
    pub(crate) fn well(&mut self) {
        if self.counters().is_unavailable.load(Relaxed) {
            self.counters().is_unavailable.store(false, Relaxed);
            if std::mem::take(&mut self.trouble.is_open) {
                self.observe(Event::Available);
            }
        }
    }

    /// Whether a thread without work should try if it can serve again.
    pub(crate) fn should_try(&mut self) -> bool {
        let trouble = &mut self.trouble;
        let is_due = trouble.tried_at.is_none_or(|tried_at| tried_at.elapsed() >= TROUBLE_INTERVAL);
        let should = is_due && self.shared.counters[self.index].is_unavailable.load(Relaxed);
        if should {
            trouble.tried_at = Some(Instant::now());
        }
        should
    }
}

impl Task {
    pub(crate) fn lane(class: Class) -> Lane {
        match class {
            Class::Write => Lane::Write,
            Class::ReadByKey => Lane::Key,
            Class::Read => Lane::Read,
        }
    }
}

/// For a job that the closing store has not run.
#[cold]
pub(crate) fn shutting_down() -> Error {
    Error::Unavailable { detail: "the store is closing".into() }
}

/// An error that is not the job's own, in the words of the original.
#[cold]
pub(crate) fn unavailable(error: Error) -> Error {
    match error {
        Error::Unavailable { .. } | Error::Damaged { .. } => error,
        Error::Statement { detail } | Error::Constraint { detail } | Error::OutcomeUnknown { detail } => {
            Error::Unavailable { detail }
        }
        other => Error::Unavailable { detail: format!("{other:?}") },
    }
}

/// What a panic said.
#[cold]
pub(crate) fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without words")
        .into()
}
