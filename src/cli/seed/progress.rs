//! How far seeding is: a bar where people look, else a line of the log now and then.

use crate::cli::Failure;
use crate::control::log::{emit, line};
use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use std::io::IsTerminal;

/// Rows between two lines.
const ROWS_PER_LINE: u64 = 100_000;

/// Counts the rows of all tables.
#[derive(Clone, Debug)]
pub(super) struct Progress {
    shown: Shown,
    table: String,
    done: u64,
    rows: u64,
}

#[derive(Clone, Debug)]
enum Shown {
    Bar(ProgressBar),
    Lines,
}

impl Progress {
    /// On standard error.
    pub(super) fn new() -> Result<Progress, Failure> {
        if !std::io::stderr().is_terminal() {
            return Ok(Progress::in_lines());
        }
        let style = ProgressStyle::with_template("{msg} {wide_bar} {human_pos}/{human_len} {per_sec} {eta}")?;
        Ok(Progress { shown: Shown::Bar(ProgressBar::new(0).with_style(style)), ..Progress::in_lines() })
    }

    /// In the log, whoever looks.
    pub(super) fn in_lines() -> Progress {
        Progress { shown: Shown::Lines, table: String::new(), done: 0, rows: 0 }
    }

    /// How many rows there will be in all tables together.
    pub(super) fn expect(&self, rows: u64) {
        if let Shown::Bar(bar) = &self.shown {
            bar.set_length(rows);
        }
    }

    /// So many rows of this table come next.
    pub(super) fn begin(&mut self, table: &str, rows: u64) {
        (self.table, self.done, self.rows) = (table.to_owned(), 0, rows);
        match &self.shown {
            Shown::Bar(bar) => bar.set_message(table.to_owned()),
            Shown::Lines => emit(line!(Info, "Seeding {table}: {} rows", HumanCount(rows))),
        }
    }

    /// So many more are written.
    pub(super) fn add(&mut self, rows: u64) {
        let lines_before = self.done / ROWS_PER_LINE;
        self.done += rows;
        match &self.shown {
            Shown::Bar(bar) => bar.inc(rows),
            Shown::Lines if self.done / ROWS_PER_LINE > lines_before && self.done < self.rows => {
                let (done, all) = (HumanCount(self.done), HumanCount(self.rows));
                emit(line!(Info, "Seeding {}: {done} of {all} rows", self.table));
            }
            Shown::Lines => {}
        }
    }

    /// All is written.
    pub(super) fn end(&self) {
        if let Shown::Bar(bar) = &self.shown {
            bar.finish_and_clear();
        }
    }
}
