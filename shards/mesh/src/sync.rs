//! Atomics: the standard library's, or loom's when the rings are explored.

#[cfg(not(loom))]
use std::cell::UnsafeCell;
#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence};

#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence};

/// loom's cell, whose accesses are checked, or the standard library's.
#[derive(Debug)]
pub(crate) struct Cell<T> {
    #[cfg(not(loom))]
    inner: UnsafeCell<T>,
    #[cfg(loom)]
    inner: loom::cell::UnsafeCell<T>,
}

impl<T> Cell<T> {
    pub(crate) fn new(value: T) -> Cell<T> {
        #[cfg(not(loom))]
        let inner = UnsafeCell::new(value);
        #[cfg(loom)]
        let inner = loom::cell::UnsafeCell::new(value);
        Cell { inner }
    }

    /// Lends a pointer to the value; reading and writing through it is the caller's to justify.
    pub(crate) fn with_mut<R>(&self, act: impl FnOnce(*mut T) -> R) -> R {
        #[cfg(not(loom))]
        return act(self.inner.get());
        #[cfg(loom)]
        return self.inner.with_mut(act);
    }
}
