//! What is kept under a key, and how long it may be given.

use smallvec::SmallVec;

/// Slots of the board that an entry depends on: few in a table's own routes, one for each table in an endpoint's.
pub type Slots = SmallVec<[u16; 6]>;

/// How long answers of a route live, nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ages {
    /// Given as it is.
    pub ttl: u64,
    /// After that: given, and made anew behind it.
    pub stale_while_revalidate: u64,
    /// After `ttl`: given if it cannot be made anew.
    pub stale_if_error: u64,
}

/// Until when an entry may be given; monotonic nanoseconds of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// When its fill asked the database.
    pub born_ns: u64,
    fresh_until_ns: u64,
    revalidate_until_ns: u64,
    error_until_ns: u64,
}

/// What an entry is good for, so far as its age goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// To be given.
    Fresh,
    /// To be given, and made anew.
    Revalidate,
    /// To be given if there is no other.
    Error,
    /// For nothing.
    Over,
}

/// The share of `ttl` by which a life may be shorter, so that what was filled together is not made anew together.
const JITTER: u64 = 10;

impl Life {
    /// Of an answer asked for at `born_ns`; `random` makes it up to a tenth of its `ttl` shorter, never longer.
    pub fn new(ages: Ages, born_ns: u64, random: u64) -> Life {
        let less = (u128::from(ages.ttl / JITTER) * u128::from(random)) >> 64;
        let fresh_until_ns = born_ns.saturating_add(ages.ttl - less as u64);
        Life {
            born_ns,
            fresh_until_ns,
            revalidate_until_ns: fresh_until_ns.saturating_add(ages.stale_while_revalidate),
            error_until_ns: fresh_until_ns.saturating_add(ages.stale_if_error),
        }
    }

    /// What it is good for at this instant.
    #[inline]
    pub fn stage(&self, now_ns: u64) -> Stage {
        if now_ns < self.fresh_until_ns {
            Stage::Fresh
        } else if now_ns < self.revalidate_until_ns {
            Stage::Revalidate
        } else if now_ns < self.error_until_ns {
            Stage::Error
        } else {
            Stage::Over
        }
    }

    /// Whole seconds since it was asked for.
    #[inline]
    pub fn age_seconds(&self, now_ns: u64) -> u64 {
        now_ns.saturating_sub(self.born_ns) / 1_000_000_000
    }

    /// Whether it may be given when a new one cannot be made.
    pub fn covers_errors(&self, now_ns: u64) -> bool {
        now_ns < self.error_until_ns.max(self.revalidate_until_ns)
    }
}

/// An answer that is kept.
#[derive(Clone, Debug)]
pub struct Entry<R> {
    /// What its fill noted of the board before it asked the database; of an entry made of others the lowest of theirs.
    pub filled_at: u64,
    /// What it depends on.
    pub slots: Slots,
    /// How long it may be given.
    pub life: Life,
    /// The answer.
    pub reply: R,
    /// Bytes of the answer on the heap.
    pub bytes: usize,
}

#[cfg(test)]
mod tests {
    use super::{Ages, Life, Stage};

    const AGES: Ages = Ages { ttl: 1000, stale_while_revalidate: 50, stale_if_error: 500 };

    #[test]
    fn an_age_follows_another() {
        let life = Life::new(AGES, 10_000, 0);
        for (now_ns, stage, covers) in [
            (10_000, Stage::Fresh, true),
            (10_999, Stage::Fresh, true),
            (11_000, Stage::Revalidate, true),
            (11_049, Stage::Revalidate, true),
            (11_050, Stage::Error, true),
            (11_499, Stage::Error, true),
            (11_500, Stage::Over, false),
        ] {
            assert_eq!((life.stage(now_ns), life.covers_errors(now_ns)), (stage, covers), "{now_ns}");
        }
        let short = Life::new(Ages { stale_if_error: 0, ..AGES }, 0, 0);
        assert_eq!((short.stage(1050), short.covers_errors(1049)), (Stage::Over, true));
    }

    #[test]
    fn chance_makes_a_life_shorter_and_never_longer() {
        for random in [0, 1, u64::MAX / 2, u64::MAX] {
            let life = Life::new(AGES, 0, random);
            assert_eq!(life.stage(899), Stage::Fresh);
            assert_ne!(life.stage(1000), Stage::Fresh);
        }
        assert_eq!(Life::new(AGES, 0, u64::MAX).stage(901), Stage::Revalidate);
        let for_ever = Ages { ttl: u64::MAX, ..Ages::default() };
        assert_eq!(Life::new(for_ever, u64::MAX / 2, 0).stage(u64::MAX - 1), Stage::Fresh);
        assert_eq!(Life::new(Ages::default(), 5, u64::MAX).stage(5), Stage::Over);
    }

    #[test]
    fn age_is_in_whole_seconds() {
        let life = Life::new(AGES, 5_000_000_000, 0);
        for (now_ns, seconds) in [(0, 0), (5_999_999_999, 0), (6_000_000_000, 1), (65_000_000_000, 60)] {
            assert_eq!(life.age_seconds(now_ns), seconds);
        }
    }
}
