//! What was written, in the order of the store, and what clients were told of it.

use std::collections::{BTreeMap, BTreeSet};

/// What is known of every value that a client ever wrote. Values are unique in a run.
#[derive(Debug, Default)]
pub struct Truth {
    commits: u64,
    /// The key that a value was meant for.
    meant: BTreeMap<String, i64>,
    /// When a value was committed.
    committed: BTreeMap<String, u64>,
    /// When rows were deleted, by key.
    deleted: BTreeMap<i64, Vec<u64>>,
    /// The newest acknowledged write of each key.
    acknowledged: BTreeMap<i64, u64>,
    /// Values whose writers were told that nothing was done.
    refused: BTreeSet<String>,
}

impl Truth {
    /// A client is about to write this.
    pub fn mean(&mut self, key: i64, value: &str) {
        self.meant.insert(value.to_owned(), key);
    }

    /// The store has done a write with this value among its parameters.
    pub fn commit(&mut self, value: &str) {
        if self.meant.contains_key(value) {
            self.commits += 1;
            self.committed.insert(value.to_owned(), self.commits);
        }
    }

    /// The store has deleted the row of this key.
    pub fn delete(&mut self, key: i64) {
        self.commits += 1;
        self.deleted.entry(key).or_default().push(self.commits);
    }

    /// How many writes there were until now.
    pub fn commits(&self) -> u64 {
        self.commits
    }

    /// A client was told that the row is deleted, which it asked for after so many writes. Gives the least that it then knows.
    pub fn acknowledge_delete(&mut self, key: i64, since: u64) -> Result<u64, String> {
        let all = self.deleted.get(&key).map_or(&[][..], Vec::as_slice);
        let Some(first) = all.iter().copied().find(|commit| *commit > since) else {
            return Err(format!("the deletion of key {key} was acknowledged and never done"));
        };
        let newest = self.acknowledged.entry(key).or_default();
        *newest = (*newest).max(first);
        Ok(first)
    }

    /// A client was told that its write is done.
    pub fn acknowledge(&mut self, key: i64, value: &str) -> Result<(), String> {
        let Some(commit) = self.committed.get(value) else {
            return Err(format!("the write of {value} was acknowledged and never done"));
        };
        let newest = self.acknowledged.entry(key).or_default();
        *newest = (*newest).max(*commit);
        Ok(())
    }

    /// A client was told that nothing was done.
    pub fn refuse(&mut self, value: &str) {
        self.refused.insert(value.to_owned());
    }

    /// What a read that begins now has to see at least; 0: nothing.
    pub fn floor(&self, key: i64) -> u64 {
        self.acknowledged.get(&key).copied().unwrap_or_default()
    }

    /// The number of the commit of this value; 0: there is none.
    pub fn commit_of(&self, value: &str) -> u64 {
        self.committed.get(value).copied().unwrap_or_default()
    }

    /// Whether a read may have got this value (`None`: no row).
    pub fn saw(&self, key: i64, value: Option<&str>, floor: u64) -> Result<(), String> {
        let Some(value) = value else {
            let is_deleted =
                self.deleted.get(&key).is_some_and(|all| all.iter().any(|commit| *commit >= floor));
            return if floor == 0 || is_deleted {
                Ok(())
            } else {
                Err(format!("key {key}: no row after an acknowledged write"))
            };
        };
        if self.meant.get(value) != Some(&key) {
            return Err(format!("key {key} shows {value}, which was never meant for it"));
        }
        match self.committed.get(value) {
            None => Err(format!("key {key} shows {value}, which was never committed")),
            Some(commit) if *commit < floor => Err(format!(
                "key {key} shows {value} (commit {commit}), older than acknowledged commit {floor}"
            )),
            Some(_) => Ok(()),
        }
    }

    /// At the end: nothing that was refused was done.
    pub fn refused_and_done(&self) -> Option<&str> {
        self.refused.iter().find(|value| self.committed.contains_key(*value)).map(String::as_str)
    }
}
