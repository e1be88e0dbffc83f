//! Deadlines, in order. Time is an argument.
//!
//! A connection keeps one timer and moves its *deadline* without touching it: when the timer fires early, its owner sets
//! it again. So timers cost nothing per request, and an ordered map is fast enough for the rest.

use std::collections::BTreeMap;

/// Names a timer until it fires or is cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimerId {
    deadline_ns: u64,
    sequence: u64,
}

/// Timers that carry a `T`.
#[derive(Debug)]
pub struct Timers<T> {
    due: BTreeMap<TimerId, T>,
    sequence: u64,
}

impl<T> Default for Timers<T> {
    fn default() -> Self {
        Timers { due: BTreeMap::new(), sequence: 0 }
    }
}

impl<T> Timers<T> {
    /// Fires at the monotonic instant `deadline_ns` or a little later. Equal deadlines fire in the order of setting.
    pub fn set(&mut self, deadline_ns: u64, payload: T) -> TimerId {
        self.sequence += 1;
        let id = TimerId { deadline_ns, sequence: self.sequence };
        self.due.insert(id, payload);
        id
    }

    /// Takes a timer back; `None` if it has fired.
    pub fn cancel(&mut self, id: TimerId) -> Option<T> {
        self.due.remove(&id)
    }

    /// The next deadline.
    pub fn next_deadline_ns(&self) -> Option<u64> {
        self.due.first_key_value().map(|(id, _)| id.deadline_ns)
    }

    /// Takes the first timer whose deadline is not after `now_ns`.
    pub fn pop_due(&mut self, now_ns: u64) -> Option<T> {
        if self.next_deadline_ns()? > now_ns {
            return None;
        }
        self.due.pop_first().map(|(_, payload)| payload)
    }

    /// How many are set.
    pub fn len(&self) -> usize {
        self.due.len()
    }

    /// Whether none is set.
    pub fn is_empty(&self) -> bool {
        self.due.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::Timers;

    #[test]
    fn fires_in_order_of_deadline_then_of_setting() {
        let mut timers = Timers::default();
        for (deadline, name) in [(30, "c"), (10, "a"), (30, "d"), (20, "b")] {
            timers.set(deadline, name);
        }
        let cancelled = timers.set(15, "x");
        assert_eq!(timers.cancel(cancelled), Some("x"));
        assert_eq!(timers.cancel(cancelled), None);
        assert_eq!((timers.len(), timers.is_empty()), (4, false));
        assert_eq!(timers.next_deadline_ns(), Some(10));
        assert_eq!(timers.pop_due(9), None);
        let mut fired = Vec::new();
        for now in [10, 29, 30] {
            while let Some(name) = timers.pop_due(now) {
                fired.push((now, name));
            }
        }
        assert_eq!(fired, [(10, "a"), (29, "b"), (30, "c"), (30, "d")]);
        assert!(timers.is_empty());
    }
}
