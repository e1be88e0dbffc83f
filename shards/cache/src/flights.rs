//! Answers that are being made, and who waits for them. A key has at most one flight that has asked the database, and one
//! behind it for those who come too late for that.

use crate::key::{AsItIs, Key, KeyRef};
use hashbrown::HashMap;

/// What became of a request for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joined {
    /// A flight is to be begun: nobody makes this answer.
    First,
    /// It waits for a flight that there is.
    Waits,
}

/// What a flight leaves.
#[derive(Debug)]
pub struct Ended<W> {
    /// Who gets its answer.
    pub waiters: Vec<W>,
    /// Somebody came too late for it: another flight of this key is to be begun.
    pub has_next: bool,
}

#[derive(Debug)]
struct Flight<W> {
    /// What it noted of the board before it asked the database; `None`: it has not asked yet.
    filled_at: Option<u64>,
    waiters: Vec<W>,
    next: Vec<W>,
}

/// Who waits for what.
#[derive(Debug)]
pub struct Flights<W> {
    by_key: HashMap<Key, Flight<W>, AsItIs>,
}

impl<W> Default for Flights<W> {
    fn default() -> Self {
        Flights { by_key: HashMap::default() }
    }
}

impl<W> Flights<W> {
    /// Has somebody wait for an answer that was filled at `floor` or later.
    pub fn join(&mut self, key: &Key, floor: u64, waiter: W) -> Joined {
        let Some(flight) = self.by_key.get_mut(key) else {
            self.by_key
                .insert(key.clone(), Flight { filled_at: None, waiters: vec![waiter], next: Vec::new() });
            return Joined::First;
        };
        match flight.filled_at {
            Some(filled_at) if filled_at < floor => flight.next.push(waiter),
            // What is not noted yet will be at least any mark that there is.
            Some(_) | None => flight.waiters.push(waiter),
        }
        Joined::Waits
    }

    /// A flight asks the database now, and noted this.
    pub fn begin(&mut self, key: &Key, filled_at: u64) {
        if let Some(flight) = self.by_key.get_mut(key) {
            debug_assert!(flight.filled_at.is_none(), "a flight begins once");
            flight.filled_at = Some(filled_at);
        }
    }

    /// A flight has its answer, or none.
    pub fn end(&mut self, key: &Key) -> Ended<W> {
        let Some(flight) = self.by_key.get_mut(key) else {
            return Ended { waiters: Vec::new(), has_next: false };
        };
        let next = std::mem::take(&mut flight.next);
        let waiters = std::mem::replace(&mut flight.waiters, next);
        flight.filled_at = None;
        let has_next = !flight.waiters.is_empty();
        if !has_next {
            self.by_key.remove(key);
        }
        Ended { waiters, has_next }
    }

    /// Whether there is a flight of this key.
    pub fn contains(&self, key: KeyRef<'_>) -> bool {
        self.by_key.contains_key(&key)
    }

    /// Keys that have a flight.
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }
}

#[cfg(test)]
mod tests;
