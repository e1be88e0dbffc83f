//! A simulated disk. What was synced is on it; of everything else a power cut keeps some sectors, loses others and tears
//! some, in any order. So with names: a file that was made or deleted may be there or not until its folder was synced.
//!
//! As SQLite assumes of any disk, bytes beside those written stay as they were.

#![allow(unreachable_pub)] // A module of a test binary.

use rusqlite::ffi;
use std::path::Path;

/// Bytes that a disk writes at once, or half.
const SECTOR: usize = 512;

/// A file of the database. The log's index is memory and nothing to a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    File,
    Log,
    Journal,
}

const SUFFIXES: [&str; 3] = ["", "-wal", "-journal"];

/// A draw of chance: xorshift64*.
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Chance {
        Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// Below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % n.max(1)
    }

    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

/// What was done to a file since its last sync.
#[derive(Clone)]
enum Change {
    Write { at: usize, data: Vec<u8> },
    Truncate { size: usize },
}

/// One file's content.
#[derive(Clone, Default)]
struct Content {
    synced: Vec<u8>,
    pending: Vec<Change>,
}

#[derive(Clone, Default)]
struct Name {
    /// What the name stands for now.
    now: Option<Content>,
    /// What it stood for when the folder was last synced, unless it is the same file.
    before: Option<Option<Content>>,
}

/// What goes wrong with a write or sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Faults {
    None,
    /// The disk is full: of each write some bytes, then no more.
    Full,
    /// A limit of file sizes, a quota: the same in other words.
    Refused,
    /// Of two syncs one fails, and what was to be synced is in doubt.
    Syncs,
}

/// The disk, a journal of its cuts, and who was answered when.
pub struct Disk {
    names: [Name; 3],
    chance: Chance,
    /// Operations so far.
    pub operations: usize,
    /// In one of how many operations the power is cut; 0 for never.
    cut_in: usize,
    /// All cuts so far.
    pub cuts: Vec<Cut>,
    /// Tickets answered so far, in order; the test's own entries.
    pub answered: Vec<u64>,
    pub faults: Faults,
    /// Writes and syncs that failed.
    pub failed: usize,
    /// A planted mistake: syncs of the log do nothing.
    pub syncs_lie: bool,
}

/// What is left after a power cut.
pub struct Cut {
    files: [Option<Vec<u8>>; 3],
    /// So many were answered before.
    pub answered: usize,
    /// The operation that was under way.
    pub operation: usize,
}

impl Cut {
    /// Writes it down as a database that a machine finds when it comes up again.
    pub fn restore(&self, path: &Path) {
        for (bytes, suffix) in self.files.iter().zip(SUFFIXES) {
            if let Some(bytes) = bytes {
                let mut name = path.to_owned().into_os_string();
                name.push(suffix);
                std::fs::write(name, bytes).unwrap();
            }
        }
    }
}

impl Disk {
    /// Empty, with a power cut in one of `cut_in` operations.
    pub fn new(seed: u64, cut_in: usize) -> Disk {
        Disk {
            names: Default::default(),
            chance: Chance::new(seed),
            operations: 0,
            cut_in,
            cuts: Vec::new(),
            answered: Vec::new(),
            faults: Faults::None,
            failed: 0,
            syncs_lie: false,
        }
    }

    /// The same disk with everything on it synced, as a new run finds it.
    pub fn again(&self, seed: u64, cut_in: usize) -> Disk {
        let names = self.names.clone().map(|mut name| {
            if let Some(content) = &mut name.now {
                for change in std::mem::take(&mut content.pending) {
                    change.apply(&mut content.synced);
                }
            }
            Name { before: None, ..name }
        });
        Disk { names, ..Disk::new(seed, cut_in) }
    }

    pub(crate) fn opened(&mut self, part: Part) {
        let name = &mut self.names[part as usize];
        if name.now.is_none() {
            name.before.get_or_insert(None);
            name.now = Some(Content::default());
        }
    }

    pub(crate) fn deleted(&mut self, part: Part, folder_synced: bool) {
        let name = &mut self.names[part as usize];
        let was = name.now.take();
        name.before.get_or_insert(was);
        self.operation();
        if folder_synced {
            self.sync_folder();
        }
    }

    /// With a fault: SQLite's code, and how many bytes were written all the same.
    pub(crate) fn write(&mut self, part: Part, at: usize, data: &[u8]) -> Option<(i32, usize)> {
        let fault = match self.faults {
            Faults::Full => Some(ffi::SQLITE_FULL),
            Faults::Refused => Some(ffi::SQLITE_IOERR_WRITE),
            Faults::None | Faults::Syncs => None,
        };
        let bytes = if fault.is_some() { self.chance.below(data.len()) } else { data.len() };
        let data = data[..bytes].to_vec();
        self.content(part).pending.push(Change::Write { at, data });
        self.operation();
        self.failed += usize::from(fault.is_some());
        fault.map(|code| (code, bytes))
    }

    pub(crate) fn truncate(&mut self, part: Part, size: usize) {
        self.content(part).pending.push(Change::Truncate { size });
        self.operation();
    }

    /// With a fault: SQLite's code.
    pub(crate) fn sync(&mut self, part: Part) -> Option<i32> {
        self.operation();
        if self.faults == Faults::Syncs && self.chance.one_in(2) {
            self.failed += 1;
            return Some(ffi::SQLITE_IOERR_FSYNC);
        }
        if self.syncs_lie && part == Part::Log {
            return None;
        }
        let content = self.content(part);
        for change in std::mem::take(&mut content.pending) {
            change.apply(&mut content.synced);
        }
        // SQLite syncs the folder with a new log's or journal's first sync.
        if part != Part::File && self.names[part as usize].before.is_some() {
            self.sync_folder();
        }
        None
    }

    fn content(&mut self, part: Part) -> &mut Content {
        self.names[part as usize].now.get_or_insert_default()
    }

    fn sync_folder(&mut self) {
        for name in &mut self.names {
            name.before = None;
        }
    }

    fn operation(&mut self) {
        self.operations += 1;
        if self.cut_in > 0 && self.chance.one_in(self.cut_in) {
            self.cut();
        }
    }

    /// Cuts the power now and then.
    pub fn cut_after_refusal(&mut self) {
        if self.cut_in > 0 && self.chance.one_in(10) {
            self.cut();
        }
    }

    /// Cuts the power and goes on as if it had not.
    pub fn cut(&mut self) {
        // How much of what was not synced is kept: nothing, everything, or by chance.
        let odds = [0, 1, 2, 4][self.chance.below(4)];
        let chance = &mut self.chance;
        let files = self.names.each_ref().map(|name| {
            let shown = match &name.before {
                Some(before) if chance.one_in(2) => before,
                _ => &name.now,
            };
            shown.as_ref().map(|content| content.after_cut(chance, odds))
        });
        self.cuts.push(Cut { files, answered: self.answered.len(), operation: self.operations });
    }
}

impl Content {
    /// `odds`: one in so many sectors is kept, 0 for none.
    fn after_cut(&self, chance: &mut Chance, odds: usize) -> Vec<u8> {
        let mut bytes = self.synced.clone();
        if odds == 0 {
            return bytes;
        }
        for change in &self.pending {
            match change {
                Change::Truncate { .. } if chance.one_in(odds) => change.apply(&mut bytes),
                Change::Truncate { .. } => {}
                Change::Write { at, data } => {
                    let (mut from, end) = (*at, at + data.len());
                    while from < end {
                        let to = ((from / SECTOR + 1) * SECTOR).min(end);
                        let mut sector = data[from - at..to - at].to_vec();
                        if odds > 1 && chance.one_in(8) {
                            // Torn: its second half is what nobody wrote.
                            let half = sector.len() / 2;
                            sector[half..].fill(chance.below(256) as u8);
                            Change::Write { at: from, data: sector }.apply(&mut bytes);
                        } else if chance.one_in(odds) {
                            Change::Write { at: from, data: sector }.apply(&mut bytes);
                        }
                        from = to;
                    }
                }
            }
        }
        bytes
    }
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Change::Truncate { size } => bytes.truncate(*size),
            Change::Write { at, data } => {
                if bytes.len() < at + data.len() {
                    bytes.resize(at + data.len(), 0);
                }
                bytes[*at..at + data.len()].copy_from_slice(data);
            }
        }
    }
}
