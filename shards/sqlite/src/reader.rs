//! A reader: takes a query, opens a snapshot, answers. The snapshot is opened after the job was taken, so it holds every
//! commit that was answered before the job was submitted.

use crate::bounds::READER_LOOK;
use crate::lanes::Taken;
use crate::link::{Link, Own};
use crate::run::{self, Access, Bounds};
use crate::seat::{Seat, Task, words};
use crate::statistics::add;
use crate::{Answers, Error, Event, Reply, Rows, fault};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

pub(crate) struct Reader {
    pub(crate) seat: Seat,
    /// None after a panic, until the next job.
    pub(crate) link: Option<Link>,
}

impl Reader {
    /// The thread's whole life. Gives its `Answers` back for what came too late.
    pub(crate) fn run(mut self) -> Box<dyn Answers> {
        loop {
            match self.seat.shared.lanes.take_or_wait(self.seat.index, READER_LOOK) {
                Taken::Job(task) => self.serve(&task),
                Taken::Idle => {}
                Taken::Closed => return self.seat.answers,
            }
        }
    }

    fn serve(&mut self, task: &Task) {
        let since = Instant::now();
        let reply = match catch_unwind(AssertUnwindSafe(|| self.reply(task))) {
            Ok(reply) => reply,
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
        let link = self.seat.reopened(&mut self.link, Link::open_reader)?;
        if let [_] = &task.job.statements[..] {
            // A single statement is its own snapshot.
            return run::statements(link, bounds, &task.job);
        }
        let rows = snapshot(link, bounds, task);
        if !link.is_autocommit() && link.own(Own::Rollback).is_err() {
            self.link = None;
        }
        rows
    }
}

fn snapshot(link: &Link, bounds: Bounds, task: &Task) -> Result<Vec<Rows>, Error> {
    link.own(Own::Begin).map_err(fault::error)?;
    let rows = run::statements(link, bounds, &task.job)?;
    link.own(Own::Commit).map_err(fault::error)?;
    Ok(rows)
}
