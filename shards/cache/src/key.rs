//! Keys: the bytes that a request comes down to once its values are parsed, and their hash.

use equivalent::Equivalent;
use std::hash::{BuildHasher, Hash, Hasher};

/// Makes hashes of keys that nobody outside can foresee. All cores of a process have the same, so that they agree on a
/// key's owner.
#[derive(Clone, Debug)]
pub struct Seed(ahash::RandomState);

impl BuildHasher for Seed {
    type Hasher = ahash::AHasher;

    #[inline]
    fn build_hasher(&self) -> ahash::AHasher {
        self.0.build_hasher()
    }
}

impl Seed {
    /// Of random words.
    pub fn new(words: [u64; 4]) -> Seed {
        let [a, b, c, d] = words;
        Seed(ahash::RandomState::with_seeds(a, b, c, d))
    }

    /// A hash of these bytes.
    #[inline]
    pub fn hash(&self, bytes: &[u8]) -> u64 {
        let mut hasher = self.0.build_hasher();
        hasher.write(bytes);
        hasher.finish()
    }

    /// A key that is not kept.
    #[inline]
    pub fn key<'a>(&self, bytes: &'a [u8]) -> KeyRef<'a> {
        KeyRef { hash: self.hash(bytes), bytes }
    }
}

/// A key that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    hash: u64,
    bytes: Box<[u8]>,
}

/// A key that is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyRef<'a> {
    hash: u64,
    bytes: &'a [u8],
}

impl Key {
    /// To look for.
    #[inline]
    pub fn as_ref(&self) -> KeyRef<'_> {
        KeyRef { hash: self.hash, bytes: &self.bytes }
    }
}

impl KeyRef<'_> {
    /// Its hash.
    pub fn hash(self) -> u64 {
        self.hash
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        self.bytes
    }

    /// To keep.
    pub fn to_key(self) -> Key {
        Key { hash: self.hash, bytes: self.bytes.into() }
    }

    /// Which of so many cores owns it. Another part of the hash than a table's buckets go by.
    pub fn owner(self, cores: usize) -> usize {
        ((u128::from(self.hash) * cores as u128) >> 64) as usize
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl Hash for KeyRef<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl Equivalent<Key> for KeyRef<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.hash == key.hash && *self.bytes == *key.bytes
    }
}

/// Tables take the hash of a key as it is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct AsItIs;

/// See [`AsItIs`].
#[derive(Debug, Default)]
pub(crate) struct Taken(u64);

impl BuildHasher for AsItIs {
    type Hasher = Taken;

    fn build_hasher(&self) -> Taken {
        Taken::default()
    }
}

impl Hasher for Taken {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        debug_assert!(false, "only keys are hashed here, and they are one word");
    }

    fn write_u64(&mut self, word: u64) {
        // Spread once more, since the upper bits are the owner's: all keys of one core share some.
        self.0 = word.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(32);
    }
}

#[cfg(test)]
mod tests {
    use super::Seed;

    #[test]
    fn owners_are_even_and_follow_the_seed() {
        let (one, other) = (Seed::new([1, 2, 3, 4]), Seed::new([5, 6, 7, 8]));
        for cores in [1, 2, 3, 8, 64] {
            let mut counts = vec![0_usize; cores];
            let mut moved = 0;
            for number in 0..10_000_u32 {
                let bytes = number.to_le_bytes();
                let owner = one.key(&bytes).owner(cores);
                counts[owner] += 1;
                moved += usize::from(owner != other.key(&bytes).owner(cores));
            }
            let mean = 10_000 / cores;
            assert!(counts.iter().all(|count| count.abs_diff(mean) < mean / 2 + 10), "{counts:?}");
            assert!(cores == 1 || moved > 4_000, "{moved} of 10,000 have another owner");
        }
    }

    #[test]
    fn keys_are_their_bytes() {
        let seed = Seed::new([1, 2, 3, 4]);
        assert_eq!(seed.key(b"a").to_key(), seed.key(b"a").to_key());
        assert_ne!(seed.key(b"a").to_key(), seed.key(b"b").to_key());
        assert_eq!(seed.key(b"a").to_key().as_ref(), seed.key(b"a"));
    }
}
