//! A reader: takes a query, opens a snapshot, answers. The snapshot is opened after the job was taken, so it holds every
//! commit that was answered before the job was submitted.

use crate::bounds::READER_LOOK;
use crate::lanes::Taken;
use crate::link::{Link, Own};
use crate::run::{self, Access, Bounds};
use crate::seat::{Seat, Task, shutting_down, unavailable, words};
use crate::statistics::{Counters, add};
use crate::{Answers, Error, Event, Reply, Rows, fault};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

pub(crate) struct Reader {
    pub(crate) seat: Seat,
    /// None after a panic, on a damaged page, and while the file is replaced; until the next job.
    link: Option<Link>,
}

impl Reader {
    pub(crate) fn new(seat: Seat, link: Link) -> Reader {
        Reader { seat, link: Some(link) }
    }

    /// The thread's whole life. Gives its `Answers` back for what came too late.
    pub(crate) fn run(mut self) -> Box<dyn Answers> {
        loop {
            match self.seat.shared.lanes.take_or_wait(self.seat.index, READER_LOOK) {
                Taken::Job(task) => self.serve(&task),
                Taken::Idle => {
                    self.keep_or_give_up();
                    if self.seat.should_try() {
                        self.look_whether_well();
                    }
                }
                Taken::Closed => return self.seat.answers,
            }
        }
    }

    fn serve(&mut self, task: &Task) {
        let since = Instant::now();
        let reply = match catch_unwind(AssertUnwindSafe(|| self.reply(task))) {
            Ok(reply) => {
                match &reply {
                    Ok(_) => self.seat.well(),
                    Err(error) => self.seat.not_well(error, 1),
                }
                if matches!(reply, Err(Error::Damaged { .. })) {
                    // What it has read of the file may be as wrong; the file may be mended in its place.
                    self.link = None;
                }
                reply
            }
            Err(panic) => {
                self.link = None;
                let detail = words(&*panic);
                self.seat.observe(Event::Panicked { detail: detail.clone() });
                Err(Error::Unavailable { detail: format!("a reader panicked: {detail}") })
            }
        };
        self.seat.answer(task, reply);
        add(&self.seat.counters().busy_ns, since.elapsed().as_nanos() as u64);
    }

    fn reply(&mut self, task: &Task) -> Reply {
        if let Some(error) = self.seat.refusal(task) {
            return Err(error);
        }
        let bounds = Bounds {
            access: Access::Read,
            statement_timeout: self.seat.statement_timeout,
            reply_bytes_max: self.seat.reply_bytes_max,
        };
        self.keep_or_give_up();
        let link = opened(&mut self.link, &self.seat)?;
        let rows = if let [_] = &task.job.statements[..] {
            // A single statement is its own snapshot.
            run::statements(link, bounds, &task.job, self.seat.counters())
        } else {
            snapshot(link, bounds, task, self.seat.counters())
        };
        if !link.is_autocommit() && link.own(Own::Rollback).is_err() {
            self.link = None;
        }
        rows
    }

    /// Closes the connection if the writer has found the file replaced.
    fn keep_or_give_up(&mut self) {
        let reader = self.seat.index - 1;
        if !self.seat.shared.holders.may_keep(reader) {
            self.link = None;
            self.seat.shared.holders.leave(reader);
        }
    }

    /// Reads a page, so that nobody has to ask in vain for it to be known that all is well again.
    fn look_whether_well(&mut self) {
        let read = |link: &Link| {
            let sql = "SELECT count(*) FROM sqlite_schema";
            link.connection().query_row(sql, [], |_| Ok(())).map_err(fault::error)
        };
        match opened(&mut self.link, &self.seat).and_then(read) {
            Ok(()) => self.seat.well(),
            Err(error) => self.seat.not_well(&error, 0),
        }
    }
}

/// The connection, opened anew if the last was given up.
fn opened<'a>(link: &'a mut Option<Link>, seat: &Seat) -> Result<&'a Link, Error> {
    if link.is_none() {
        if !seat.shared.holders.enter(seat.index - 1) {
            return Err(Error::Unavailable { detail: REPLACED.into() });
        }
        *link = Some(Link::open_reader(&seat.opening).map_err(|error| unavailable(fault::error(error)))?);
    }
    link.as_ref().ok_or_else(shutting_down)
}

/// What is said while the file is replaced.
pub(crate) const REPLACED: &str = "the file or its log was deleted or replaced; it is opened anew as soon as no statement reads the old one";

fn snapshot(link: &Link, bounds: Bounds, task: &Task, counters: &Counters) -> Result<Vec<Rows>, Error> {
    link.own(Own::Begin).map_err(fault::error)?;
    let rows = run::statements(link, bounds, &task.job, counters)?;
    link.own(Own::Commit).map_err(fault::error)?;
    Ok(rows)
}
