//! Looking whether every core still turns. A long turn that has ended is told by its shard; this is for one that does not
//! end.

use super::super::log::{emit, line};
use super::Control;
use crate::shard::Message;
use std::time::Duration;
use tokio::time::Instant;

/// How often each shard is asked whether it turns.
const WATCH_INTERVAL: Duration = Duration::from_secs(5);

/// How long it may take to answer. Beyond it, it counts as stuck, which is logged once.
const STUCK: Duration = Duration::from_secs(2);

/// What is known of one shard's turning.
#[derive(Clone, Copy, Default)]
pub(super) struct Watch {
    /// It was asked and has not answered.
    asked: Option<Instant>,
    is_stuck: bool,
}

impl Control {
    /// Asks, and tells of those that do not answer. Called once a second.
    pub(super) fn watch(&mut self) {
        let now = Instant::now();
        let is_due = self.watched.is_none_or(|last| now.duration_since(last) >= WATCH_INTERVAL);
        if is_due {
            self.watched = Some(now);
        }
        for shard in 0..self.shards {
            let watch = &mut self.watches[shard];
            match watch.asked {
                Some(asked) if now.duration_since(asked) >= STUCK && !watch.is_stuck => {
                    watch.is_stuck = true;
                    emit(
                        line!(Error, "A core is stuck: shard {shard} has not ended its turn for {STUCK:?}")
                            .with_number("core", shard as f64),
                    );
                }
                Some(_) => {}
                None if is_due && self.threads[shard].is_some() => {
                    watch.asked = self.guest.request(shard, Message::Turn).is_ok().then_some(now);
                }
                None => {}
            }
        }
    }

    /// A shard has answered.
    pub(super) fn turned(&mut self, shard: usize) {
        let watch = std::mem::take(&mut self.watches[shard]);
        if let (Some(asked), true) = (watch.asked, watch.is_stuck) {
            let seconds = asked.elapsed().as_secs_f64();
            emit(
                line!(Warn, "A core goes on: shard {shard} has ended a turn after {seconds:.1}s")
                    .with_number("core", shard as f64),
            );
        }
    }
}
