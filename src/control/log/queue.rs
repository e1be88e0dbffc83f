//! What waits for standard error, and what goes next: decided here without threads or clocks.
//!
//! The process's own lines are few and have room of their own. All go out in the order in which they came, unless the
//! reader is so far behind that the own ones would come too late: then they go first.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Lines of shards and store that may wait. Beyond it they are dropped and counted: nobody who serves waits for whoever
/// reads the log.
const LINES_MAX: usize = 8192;

/// The process's own lines that may wait. Beyond it they are dropped and counted too.
const OWN_LINES_MAX: usize = 256;

/// How long an own line waits for lines that came before it.
const OWN_PATIENCE: Duration = Duration::from_millis(100);

/// How long the end waits for them; less than what the process waits for the end.
pub(super) const END_PATIENCE: Duration = Duration::from_millis(500);

/// How far reports of dropped lines are apart.
const REPORTS_APART: Duration = Duration::from_secs(1);

/// What the writer does next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next<L> {
    Write(L),
    /// Say how many lines were dropped since the last report.
    Report(u64),
    /// Say how many were dropped since the last report, if any, and then nothing more.
    End(u64),
    /// Nothing until something comes, or until then.
    Wait(Option<Instant>),
}

pub(super) struct Queue<L> {
    lines: VecDeque<(u64, L)>,
    own: VecDeque<(u64, Instant, L)>,
    number: u64,
    dropped: u64,
    reported: u64,
    reported_at: Option<Instant>,
    ends_since: Option<Instant>,
}

impl<L> Queue<L> {
    pub(super) const fn new() -> Queue<L> {
        Queue {
            lines: VecDeque::new(),
            own: VecDeque::new(),
            number: 0,
            dropped: 0,
            reported: 0,
            reported_at: None,
            ends_since: None,
        }
    }

    /// A line of a shard or the store.
    pub(super) fn push(&mut self, line: L) {
        if self.lines.len() < LINES_MAX && self.ends_since.is_none() {
            self.number += 1;
            self.lines.push_back((self.number, line));
        } else {
            self.dropped += 1;
        }
    }

    /// A line of the process itself.
    pub(super) fn push_own(&mut self, line: L, now: Instant) {
        if self.own.len() < OWN_LINES_MAX && self.ends_since.is_none() {
            self.number += 1;
            self.own.push_back((self.number, now, line));
        } else {
            self.dropped += 1;
        }
    }

    /// Nothing comes any more.
    pub(super) fn end(&mut self, now: Instant) {
        self.ends_since.get_or_insert(now);
    }

    /// A line could not be written.
    pub(super) fn lost(&mut self) {
        self.dropped += 1;
    }

    /// How many were dropped so far.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    pub(super) fn next(&mut self, now: Instant) -> Next<L> {
        if self.ends_since.is_some_and(|since| now.duration_since(since) >= END_PATIENCE) {
            self.dropped += self.lines.drain(..).count() as u64;
        }
        let unreported = self.dropped - self.reported;
        let report_at = self.reported_at.map_or(now, |last| last + REPORTS_APART);
        if unreported > 0 && report_at <= now && self.ends_since.is_none() {
            self.reported = self.dropped;
            self.reported_at = Some(now);
            return Next::Report(unreported);
        }
        let first = self.lines.front().map(|(number, _)| *number);
        let is_own_next = self.own.front().is_some_and(|(number, since, _)| {
            first.is_none_or(|first| *number < first) || now.duration_since(*since) >= OWN_PATIENCE
        });
        let line = if is_own_next {
            self.own.pop_front().map(|(_, _, line)| line)
        } else {
            self.lines.pop_front().map(|(_, line)| line)
        };
        match line {
            Some(line) => Next::Write(line),
            None if self.ends_since.is_some() => {
                self.reported = self.dropped;
                Next::End(unreported)
            }
            None => Next::Wait((unreported > 0).then_some(report_at)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn all_go_out_in_the_order_in_which_they_came() {
        let (mut queue, now) = (Queue::new(), Instant::now());
        queue.push("a");
        queue.push_own("b", now);
        queue.push("c");
        queue.end(now);
        let next: Vec<_> = (0..4).map(|_| queue.next(now)).collect();
        assert_eq!(next, [Next::Write("a"), Next::Write("b"), Next::Write("c"), Next::End(0)]);
    }

    #[test]
    fn own_lines_have_room_and_go_first_once_they_have_waited() {
        let (mut queue, now) = (Queue::new(), Instant::now());
        (0..LINES_MAX).for_each(|_| queue.push("line"));
        queue.push_own("own", now);
        assert_eq!(queue.next(now), Next::Write("line"));
        assert_eq!(queue.next(now + OWN_PATIENCE - MS), Next::Write("line"));
        assert_eq!(queue.next(now + OWN_PATIENCE), Next::Write("own"));
        assert_eq!(queue.next(now + OWN_PATIENCE), Next::Write("line"));
    }

    #[test]
    fn the_end_waits_for_a_while_and_counts_what_it_leaves() {
        let (mut queue, now) = (Queue::new(), Instant::now());
        (0..10).for_each(|_| queue.push("line"));
        queue.push_own("last", now);
        queue.end(now);
        queue.push("too late");
        assert_eq!(queue.next(now), Next::Write("line"));
        assert_eq!(queue.next(now + END_PATIENCE), Next::Write("last"));
        assert_eq!(queue.next(now + END_PATIENCE), Next::End(10));
    }

    #[test]
    fn what_is_dropped_is_reported_once_a_second() {
        let (mut queue, now) = (Queue::new(), Instant::now());
        let flood = |queue: &mut Queue<&str>| (0..LINES_MAX + 3).for_each(|_| queue.push("line"));
        flood(&mut queue);
        assert_eq!(queue.next(now), Next::Report(3));
        assert_eq!(queue.next(now), Next::Write("line"));
        flood(&mut queue);
        assert_eq!(queue.next(now + REPORTS_APART - MS), Next::Write("line"));
        queue.lines.clear();
        assert_eq!(queue.next(now + MS), Next::Wait(Some(now + REPORTS_APART)));
        assert_eq!(queue.next(now + REPORTS_APART), Next::Report(LINES_MAX as u64 + 2));
        assert_eq!(queue.next(now + REPORTS_APART), Next::Wait(None));
        queue.lost();
        queue.end(now + REPORTS_APART);
        assert_eq!(queue.next(now + REPORTS_APART), Next::End(1));
    }
}
