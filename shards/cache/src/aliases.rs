//! What was asked, as it came, and what that comes down to: spares whoever asks again for it the way from the one to the other. An
//! alias never goes stale, since what it stands for is a matter of the request alone.

use crate::key::Seed;
use quick_cache::UnitWeighter;
use quick_cache::unsync::{Cache, DefaultLifecycle};

/// The longest text that is remembered, bytes.
pub const ALIAS_BYTES_MAX: usize = 256;

type Table<V> = Cache<Box<[u8]>, V, UnitWeighter, Seed, DefaultLifecycle<Box<[u8]>, V>>;

/// A bounded table of aliases.
#[derive(Debug)]
pub struct Aliases<V> {
    table: Table<V>,
}

impl<V> Aliases<V> {
    /// At most so many.
    pub fn new(most: usize, seed: Seed) -> Aliases<V> {
        let table = Cache::with(most, most as u64, UnitWeighter, seed, DefaultLifecycle::default());
        Aliases { table }
    }

    /// What the text stands for.
    #[inline]
    pub fn get(&self, text: &[u8]) -> Option<&V> {
        self.table.get(text)
    }

    /// Remembers it, unless the text is too long; others may go for it.
    pub fn put(&mut self, text: &[u8], value: V) {
        if text.len() <= ALIAS_BYTES_MAX {
            self.table.insert(text.into(), value);
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::{ALIAS_BYTES_MAX, Aliases};
    use crate::key::Seed;

    #[test]
    fn there_are_at_most_so_many_and_none_is_too_long() {
        let mut aliases = Aliases::new(100, Seed::new([1, 2, 3, 4]));
        for number in 0..10_000_u32 {
            aliases.put(format!("/{number}").as_bytes(), number);
            assert!(aliases.len() <= 100);
        }
        let found: Vec<u32> =
            (0..10_000).filter_map(|number| aliases.get(format!("/{number}").as_bytes()).copied()).collect();
        assert!(found.len() > 50, "{} are left", found.len());
        for number in found {
            assert_eq!(aliases.get(format!("/{number}").as_bytes()), Some(&number));
        }
        aliases.put(&[b'x'; ALIAS_BYTES_MAX], 1);
        aliases.put(&[b'x'; ALIAS_BYTES_MAX + 1], 2);
        assert_eq!(aliases.get(&[b'x'; ALIAS_BYTES_MAX]), Some(&1));
        assert_eq!(aliases.get(&[b'x'; ALIAS_BYTES_MAX + 1]), None);
        assert!(!aliases.is_empty());
    }
}
