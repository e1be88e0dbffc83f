//! What happened, in lines: hashed always, kept and shown when somebody reads it.

/// FNV-1a.
const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0100_0000_01b3;

/// The trace of a run.
#[derive(Debug)]
pub struct Trace {
    hash: u64,
    line: String,
    lines: u64,
    is_shown: bool,
}

impl Trace {
    /// `is_shown`: each line goes to standard output as it comes.
    pub fn new(is_shown: bool) -> Trace {
        Trace { hash: OFFSET, line: String::new(), lines: 0, is_shown }
    }

    /// A line at an instant.
    pub fn line(&mut self, now_ns: u64, write: impl FnOnce(&mut String)) {
        self.line.clear();
        write(&mut self.line);
        self.lines += 1;
        for byte in now_ns.to_le_bytes().iter().chain(self.line.as_bytes()) {
            self.hash = (self.hash ^ u64::from(*byte)).wrapping_mul(PRIME);
        }
        if self.is_shown {
            let us = now_ns as f64 / 1e3;
            println!("{us:>14.1} µs  {}", self.line);
        }
    }

    /// Of all lines so far.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// How many there were.
    pub fn lines(&self) -> u64 {
        self.lines
    }
}
