//! Places for connections, of the whole host: taken when one is accepted, given back when it is closed.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// A number of places that all cores share. It is written once for each connection and never for a request.
#[derive(Debug)]
pub struct Places {
    taken: AtomicUsize,
    most: usize,
}

impl Places {
    /// So many, all free.
    pub fn new(most: usize) -> Places {
        Places { taken: AtomicUsize::new(0), most }
    }

    /// Takes one; false: none is free. Exact over all cores: it orders nothing else, so relaxed is enough.
    pub fn take(&self) -> bool {
        self.taken.fetch_update(Relaxed, Relaxed, |taken| (taken < self.most).then_some(taken + 1)).is_ok()
    }

    /// Gives one back that was taken.
    pub fn give_back(&self) {
        let before = self.taken.fetch_sub(1, Relaxed);
        debug_assert!(before > 0, "given back once");
    }

    /// How many are taken.
    pub fn taken(&self) -> usize {
        self.taken.load(Relaxed)
    }

    /// How many there are.
    pub fn most(&self) -> usize {
        self.most
    }
}

#[cfg(test)]
mod tests {
    use super::Places;

    #[test]
    fn never_more_than_there_are_and_all_come_back() {
        let places = Places::new(10);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..10_000 {
                        if places.take() {
                            assert!(places.taken() <= 10);
                            places.give_back();
                        }
                    }
                });
            }
        });
        assert_eq!((0..20).filter(|_| places.take()).count(), 10);
        assert_eq!(places.taken(), 10);
    }
}
