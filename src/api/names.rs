//! Names of columns or parameters and their places. A body or a query may bring as many names as its length allows, so one is
//! found in a number of steps that grows with the logarithm of how many are known: the work for a request grows with its
//! length, whatever the file declares.

use std::cmp::Ordering;

/// Sorted by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Names(Vec<(String, usize)>);

impl Names {
    /// Names, each but once, and their places.
    pub(super) fn new(names: impl IntoIterator<Item = (String, usize)>) -> Names {
        let mut names: Vec<_> = names.into_iter().collect();
        names.sort();
        Names(names)
    }

    /// The place of a name.
    pub(super) fn position(&self, name: &str) -> Option<usize> {
        self.position_by(|known| known.cmp(name))
    }

    /// `compare` says how a known name compares with the one that is sought.
    pub(super) fn position_by(&self, mut compare: impl FnMut(&str) -> Ordering) -> Option<usize> {
        let index = self.0.binary_search_by(|(known, _)| compare(known)).ok()?;
        Some(self.0[index].1)
    }
}
