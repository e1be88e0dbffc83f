//! Asking every shard for its counts: for scrapes, readiness and memory.

use super::super::admin::{Question, Readiness};
use super::super::log::{self, emit, line};
use super::super::metrics::{self, Per, Scrape};
use super::super::process;
use super::Control;
use crate::shard::{Message, Snapshot};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// How long a scrape waits for the shards. Beyond it, it shows those that answered.
const SCRAPE_TIMEOUT: Duration = Duration::from_secs(2);

/// Someone who waits for the shards' counts.
pub(super) enum Wants {
    Metrics { per_shard: bool, answer: oneshot::Sender<String> },
    Ready { answer: oneshot::Sender<Readiness> },
    Memory { answer: oneshot::Sender<Vec<(String, u64)>> },
    Shard { endpoint: usize, ticket: u64 },
}

pub(super) struct Gathering {
    pub(super) ticket: u64,
    wants: Vec<Wants>,
    /// By shard: whether it has still to answer.
    pub(super) missing: Vec<bool>,
    until: Instant,
}

impl Control {
    pub(super) fn question(&mut self, question: Question) {
        self.gather(match question {
            Question::Metrics { per_shard, answer } => Wants::Metrics { per_shard, answer },
            Question::Ready { answer } => Wants::Ready { answer },
            Question::Memory { answer } => Wants::Memory { answer },
        });
    }

    /// Asks every shard for its counts, for someone. One gathering runs; whoever comes meanwhile waits for the next, so
    /// that a scrape shows everything that was answered before it began.
    pub(super) fn gather(&mut self, wants: Wants) {
        self.next.push(wants);
        if self.gathering.is_none() {
            self.begin_gathering();
        }
    }

    fn begin_gathering(&mut self) {
        self.ticket += 1;
        let ticket = self.ticket;
        let wants = std::mem::take(&mut self.next);
        let missing = (0..self.shards)
            .map(|shard| {
                // Without room, or without the shard, the scrape goes on without it.
                self.threads[shard].is_some() && self.guest.request(shard, Message::Count { ticket }).is_ok()
            })
            .collect();
        self.gathering = Some(Gathering { ticket, wants, missing, until: Instant::now() + SCRAPE_TIMEOUT });
        self.look_at_gathering();
    }

    /// Goes on if nobody is missing.
    pub(super) fn look_at_gathering(&mut self) {
        if self.gathering.as_ref().is_some_and(|gathering| !gathering.missing.contains(&true)) {
            self.gathered();
        }
    }

    pub(super) fn give_up_late(&mut self) {
        if self.gathering.as_ref().is_some_and(|gathering| gathering.until <= Instant::now()) {
            emit(line!(
                Warn,
                "A scrape shows older counts of the shards that did not answer within {SCRAPE_TIMEOUT:?}"
            ));
            self.gathered();
        }
    }

    fn gathered(&mut self) {
        let Some(gathering) = self.gathering.take() else { return };
        // A shard that did not answer is shown as it was; before its first answer there is nothing to show.
        let snapshots: Vec<Snapshot> = self.last.iter().flatten().cloned().collect();
        let mut text: Option<String> = None;
        for wants in gathering.wants {
            match wants {
                Wants::Metrics { per_shard: true, answer } => {
                    let _ = answer.send(self.render(&snapshots, Per::Shard));
                }
                Wants::Metrics { per_shard: false, answer } => {
                    let text = text.get_or_insert_with(|| self.render(&snapshots, Per::Process));
                    let _ = answer.send(text.clone());
                }
                Wants::Shard { endpoint, ticket } => {
                    let text = text.get_or_insert_with(|| self.render(&snapshots, Per::Process)).clone();
                    self.guest.answer(endpoint, Message::Scraped { ticket, text });
                }
                Wants::Ready { answer } => {
                    let is_degraded = snapshots.iter().any(|each| each.is_degraded);
                    let _ = answer.send(match (self.is_leaving, is_degraded) {
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
        if !self.next.is_empty() {
            self.begin_gathering();
        }
    }

    fn render(&self, snapshots: &[Snapshot], per: Per) -> String {
        let scrape = Scrape {
            routes: &self.routes.labels,
            shards: snapshots,
            store: &self.store.statistics(),
            process: process::read(),
            cpu_percent: self.cpu.percent(),
            log_dropped: log::dropped(),
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
}
