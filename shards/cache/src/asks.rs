//! Answers that other cores were asked for, and who waits for them here. When their fills noted the board is known there alone, so
//! somebody waits for an ask only if it carries a floor of at least his own.

use crate::key::{AsItIs, Key};
use hashbrown::HashMap;
use slab::Slab;
use smallvec::SmallVec;

/// What became of a request for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Another core is to be asked, with this number.
    First(usize),
    /// It waits for what was asked before.
    Waits,
}

#[derive(Debug)]
struct Ask<W> {
    key: Key,
    floor: u64,
    waiters: Vec<W>,
}

/// Who waits for other cores.
#[derive(Debug)]
pub struct Asks<W> {
    asks: Slab<Ask<W>>,
    by_key: HashMap<Key, SmallVec<[usize; 2]>, AsItIs>,
}

impl<W> Default for Asks<W> {
    fn default() -> Self {
        Asks { asks: Slab::new(), by_key: HashMap::default() }
    }
}

impl<W> Asks<W> {
    /// Has somebody wait for an answer that was filled at `floor` or later.
    pub fn join(&mut self, key: &Key, floor: u64, waiter: W) -> Asked {
        let known = self.by_key.entry(key.clone()).or_default();
        if let Some(number) = known.iter().copied().find(|number| self.asks[*number].floor >= floor) {
            self.asks[number].waiters.push(waiter);
            return Asked::Waits;
        }
        let number = self.asks.insert(Ask { key: key.clone(), floor, waiters: vec![waiter] });
        known.push(number);
        Asked::First(number)
    }

    /// What was asked is answered, or cannot be asked: its key, its floor, and who waits. `None`: nothing of this number was asked.
    pub fn end(&mut self, number: usize) -> Option<(Key, u64, Vec<W>)> {
        let Ask { key, floor, waiters } = self.asks.try_remove(number)?;
        if let Some(known) = self.by_key.get_mut(&key) {
            known.retain(|each| *each != number);
            if known.is_empty() {
                self.by_key.remove(&key);
            }
        }
        Some((key, floor, waiters))
    }

    /// How many answers are waited for.
    pub fn len(&self) -> usize {
        self.asks.len()
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.asks.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::{Asked, Asks};
    use crate::key::{Key, Seed};

    fn key(number: u8) -> Key {
        Seed::new([1, 2, 3, 4]).key(&[number]).to_key()
    }

    #[test]
    fn who_has_a_higher_floor_asks_anew() {
        let mut asks = Asks::default();
        let Asked::First(one) = asks.join(&key(1), 5, "a") else { panic!("nobody has asked") };
        assert_eq!(asks.join(&key(1), 5, "b"), Asked::Waits);
        assert_eq!(asks.join(&key(1), 4, "c"), Asked::Waits);
        let Asked::First(two) = asks.join(&key(1), 6, "d") else { panic!("the first ask may be too old") };
        assert_eq!(asks.join(&key(1), 6, "e"), Asked::Waits);
        let Asked::First(other) = asks.join(&key(2), 5, "f") else { panic!("another key") };
        assert_eq!(asks.len(), 3);
        // In any order.
        assert_eq!(asks.end(two), Some((key(1), 6, vec!["d", "e"])));
        assert_eq!(asks.end(one), Some((key(1), 5, vec!["a", "b", "c"])));
        assert_eq!(asks.end(one), None);
        assert_eq!(asks.end(other), Some((key(2), 5, vec!["f"])));
        assert!(asks.is_empty() && asks.by_key.is_empty());
        assert!(matches!(asks.join(&key(1), 0, "g"), Asked::First(_)));
    }
}
