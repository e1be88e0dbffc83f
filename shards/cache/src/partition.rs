//! Entries within a budget of bytes.

use crate::entry::{Entry, Stage};
use crate::key::{AsItIs, Key, KeyRef};
use quick_cache::unsync::{Cache, DefaultLifecycle};
use quick_cache::{OptionsBuilder, Weighter};

/// What an entry takes beyond its answer and the bytes of its key: itself, its place in the policy's lists and in the table.
pub const ENTRY_BYTES: usize = 256;

/// The share of a partition that one entry may take.
const LARGEST: u64 = 8;

/// What is known of a key.
#[derive(Debug)]
enum Known<R> {
    Entry(Entry<R>),
    /// That its answers cannot be kept, until then.
    Passes {
        until_ns: u64,
    },
}

#[derive(Clone, Debug)]
struct Weight;

impl<R> Weighter<Key, Known<R>> for Weight {
    fn weight(&self, key: &Key, known: &Known<R>) -> u64 {
        weight(
            key.as_ref(),
            match known {
                Known::Entry(entry) => entry.bytes,
                Known::Passes { .. } => 0,
            },
        )
    }
}

fn weight(key: KeyRef<'_>, bytes: usize) -> u64 {
    (ENTRY_BYTES + key.bytes().len() + bytes) as u64
}

/// What a look finds.
#[derive(Debug)]
pub enum Look<'a, R> {
    /// To be given.
    Fresh(&'a Entry<R>),
    /// To be given, and made anew.
    Stale(&'a Entry<R>),
    /// Its answers cannot be kept: nobody waits for another's.
    Passes,
    /// Nothing that may be given.
    Nothing,
}

/// The entries of one core.
#[derive(Debug)]
pub struct Partition<R> {
    entries: Cache<Key, Known<R>, Weight, AsItIs, DefaultLifecycle<Key, Known<R>>>,
    largest: u64,
    /// Entries that went because there was no room.
    evicted: u64,
}

impl<R> Partition<R> {
    /// Within so many bytes.
    pub fn new(bytes: u64) -> Partition<R> {
        // A guess of the usual size: the table grows with what there is.
        let options = OptionsBuilder::new()
            .estimated_items_capacity((bytes / 1024).clamp(16, 1 << 20) as usize)
            .weight_capacity(bytes)
            .build();
        let options = options.unwrap_or_else(|_| unreachable!("both capacities are set"));
        Partition {
            entries: Cache::with_options(options, Weight, AsItIs, DefaultLifecycle::default()),
            largest: bytes / LARGEST,
            evicted: 0,
        }
    }

    /// What may be given to a request with this floor. Counts as a use of the entry.
    #[inline]
    pub fn look(&mut self, key: KeyRef<'_>, now_ns: u64, floor: u64) -> Look<'_, R> {
        match self.entries.get(&key) {
            Some(Known::Entry(entry)) if entry.filled_at >= floor => match entry.life.stage(now_ns) {
                Stage::Fresh => Look::Fresh(entry),
                Stage::Revalidate => Look::Stale(entry),
                Stage::Error | Stage::Over => Look::Nothing,
            },
            Some(Known::Passes { until_ns }) if now_ns < *until_ns => Look::Passes,
            _ => Look::Nothing,
        }
    }

    /// What may be given to a request with this floor because no new answer can be made.
    pub fn look_in_need(&self, key: KeyRef<'_>, now_ns: u64, floor: u64) -> Option<&Entry<R>> {
        match self.entries.peek(&key) {
            Some(Known::Entry(entry)) if entry.filled_at >= floor && entry.life.covers_errors(now_ns) => {
                Some(entry)
            }
            _ => None,
        }
    }

    /// What is kept under a key, whether it may be given or not.
    pub fn peek(&self, key: KeyRef<'_>) -> Option<&Entry<R>> {
        match self.entries.peek(&key) {
            Some(Known::Entry(entry)) => Some(entry),
            _ => None,
        }
    }

    /// Keeps an entry in the place of an older one. False: it is not kept, since there is a newer one or it is too large.
    pub fn put(&mut self, key: KeyRef<'_>, entry: Entry<R>) -> bool {
        if let Some(Known::Entry(present)) = self.entries.peek(&key)
            && (present.filled_at, present.life.born_ns) > (entry.filled_at, entry.life.born_ns)
        {
            return false;
        }
        if weight(key, entry.bytes) > self.largest {
            // What is there is no newer.
            self.entries.remove(&key);
            return false;
        }
        self.insert(key, Known::Entry(entry));
        true
    }

    /// Remembers that answers to this key cannot be kept.
    pub fn put_pass(&mut self, key: KeyRef<'_>, until_ns: u64) {
        self.insert(key, Known::Passes { until_ns });
    }

    fn insert(&mut self, key: KeyRef<'_>, known: Known<R>) {
        let before = self.entries.len() + usize::from(!self.entries.contains_key(&key));
        self.entries.insert(key.to_key(), known);
        self.evicted += before.saturating_sub(self.entries.len()) as u64;
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.entries.clear();
    }

    /// Every entry.
    pub fn iter(&self) -> impl Iterator<Item = (KeyRef<'_>, &Entry<R>)> {
        self.entries.iter().filter_map(|(key, known)| match known {
            Known::Entry(entry) => Some((key.as_ref(), entry)),
            Known::Passes { .. } => None,
        })
    }

    /// Entries, and keys whose answers cannot be kept.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes that it holds, [`ENTRY_BYTES`] for each entry included.
    pub fn bytes(&self) -> u64 {
        self.entries.weight()
    }

    /// Bytes that it may hold.
    pub fn bytes_max(&self) -> u64 {
        self.entries.capacity()
    }

    /// Entries that went because there was no room.
    pub fn evicted(&self) -> u64 {
        self.evicted
    }
}

#[cfg(test)]
mod tests;
