//! The writer: takes what is queued into one transaction, commits, and only then answers.
//!
//! Each job has its own savepoint, so one that fails takes nothing with it. Some errors end the whole transaction all the
//! same (a full disk, an I/O error, a timeout within an INSERT, RAISE(ROLLBACK)): then the guilty job gets its error and
//! the others run again, in a new transaction; after two such losses, in one each. The same if COMMIT finds a deferred
//! foreign key violated, since it does not say whose.
//!
//! When COMMIT fails otherwise, nothing was committed as far as anyone can see; but a log whose sync failed may still
//! hold the whole transaction, and a crash would bring it back. So the writer commits something harmless over it. If that
//! succeeds the group certainly did not happen; if not, its outcome is unknown, and so it is answered.

use crate::bounds::{FOREIGN_LOOK, GROUP_LOSSES_MAX, GROUP_MAX, GROUP_TIME_MAX, LOCK_LOOK};
use crate::files::{Files, Seen};
use crate::lanes::Taken;
use crate::link::{Link, Own, is_busy};
use crate::reader::REPLACED;
use crate::run::{self, Access, Bounds};
use crate::seat::{Seat, Task, unavailable, words};
use crate::statistics::add;
use crate::writer::checkpoint::Checkpoints;
use crate::{Answers, Error, Event, Reply, fault};
use rusqlite::ffi;
use rusqlite::wal::CheckpointMode;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering::Release;
use std::time::Instant;

mod checkpoint;

pub(crate) struct Writer {
    seat: Seat,
    /// None after a panic or an unknown outcome, until the next group.
    link: Option<Link>,
    phase: Phase,
    /// `PRAGMA data_version` at the last look; None on a new connection.
    data_version: Option<i64>,
    checkpoints: Checkpoints,
    /// What the connections have open.
    files: Files,
}

/// Where a group is: what a panic would mean for it.
#[derive(Clone, Copy)]
enum Phase {
    /// Nothing of what has no reply yet can have been committed.
    Running,
    /// In COMMIT.
    Committing,
}

/// A job of the group. A reply that is an error stands; one that is not yet known, or `Ok`, waits for the commit.
struct Member {
    task: Task,
    reply: Option<Reply>,
}

/// Whether jobs that queue meanwhile may join the transaction.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Intake {
    Open,
    Closed,
}

/// How a transaction ended.
enum Ending {
    Committed,
    /// A member ended it and has its error; the others may run again.
    Lost,
    /// COMMIT found a constraint violated, by which job is unknown.
    Refused(Error),
    /// Certainly not committed.
    Undone(Error),
    /// Perhaps committed.
    Unknown(Error),
}

impl Writer {
    pub(crate) fn new(seat: Seat, link: Link) -> Writer {
        let data_version = data_version(&link);
        let files = Files::of(&seat.opening.path);
        let checkpoints = Checkpoints::new(seat.opening.checkpoint_frames);
        let phase = Phase::Running;
        Writer { seat, link: Some(link), phase, data_version, checkpoints, files }
    }

    /// The thread's whole life. Gives its `Answers` back for what came too late, and what has the files open.
    pub(crate) fn run(mut self) -> (Box<dyn Answers>, Option<Link>, Files) {
        loop {
            match self.seat.shared.lanes.take_or_wait(self.seat.index, FOREIGN_LOOK) {
                Taken::Job(task) => self.group(task),
                Taken::Idle => self.idle(),
                Taken::Closed => return (self.seat.answers, self.link, self.files),
            }
        }
    }

    /// What it does while nobody writes.
    fn idle(&mut self) {
        if let Err(error) = self.right_link() {
            self.seat.not_well(&error, 0);
            return;
        }
        self.look_for_foreign_writes();
        if self.seat.should_try() {
            let link = self.link.as_ref();
            match link
                .map_or(Err(lost()), |link| overwrite(link).map_err(|error| unavailable(fault::error(error))))
            {
                Ok(()) => self.seat.well(),
                Err(error) => self.seat.not_well(&error, 0),
            }
        }
    }

    /// One group from its first job to its last answer.
    fn group(&mut self, first: Task) {
        let since = Instant::now();
        let commits = |writer: &Writer| writer.link.as_ref().map_or(0, Link::log_commits);
        let commits_before = commits(self);
        let mut members = vec![Member { task: first, reply: None }];
        self.phase = Phase::Running;
        match catch_unwind(AssertUnwindSafe(|| self.settle(&mut members))) {
            Ok(()) => self.note_health(&members, commits(self) > commits_before),
            Err(panic) => self.after_panic(&mut members, words(&*panic)),
        }
        self.seat.counters().count_group(members.len());
        for member in members {
            let reply = member.reply.unwrap_or_else(|| Err(unavailable(lost())));
            self.seat.answer(&member.task, reply);
        }
        add(&self.seat.counters().busy_ns, since.elapsed().as_nanos() as u64);
        if let Some(link) = &self.link {
            match self.checkpoints.after_group(link) {
                Ok(true) => add(&self.seat.counters().checkpoints, 1),
                Ok(false) => {}
                Err(error) => {
                    self.seat.observe(Event::CheckpointFailed { detail: fault::error(error).detail() });
                }
            }
        }
    }

    /// Says whether the file serves, as far as a group's answers tell; one that wrote nothing tells nothing.
    fn note_health(&mut self, members: &[Member], has_written: bool) {
        let refusals = || {
            members.iter().filter_map(|member| match &member.reply {
                Some(Err(error)) if error.is_of_the_file() => Some(error),
                _ => None,
            })
        };
        if let Some(error) = refusals().next() {
            self.seat.not_well(error, refusals().count() as u64);
        } else if has_written {
            self.seat.well();
        }
        if refusals().any(|error| matches!(error, Error::Damaged { .. })) {
            // What it has read of the file may be as wrong; the file may be mended in its place.
            self.give_up_link();
        }
    }

    /// Runs the group until every member has a reply that stands.
    fn settle(&mut self, members: &mut Vec<Member>) {
        let mut intake = Intake::Open;
        for _ in 0..GROUP_LOSSES_MAX {
            match self.transaction(members, intake) {
                Ending::Lost => forget(members),
                Ending::Refused(_) => {
                    forget(members);
                    break;
                }
                ending => return conclude(members, ending),
            }
            if members.iter().all(|member| member.reply.is_some()) {
                return;
            }
            intake = Intake::Closed;
        }
        for member in members.iter_mut().filter(|member| member.reply.is_none()) {
            let alone = std::slice::from_mut(member);
            let ending = self.transaction_alone(&mut alone[0]);
            conclude(alone, ending);
        }
    }

    /// One transaction of all members without a reply, and while intake is open of those that queue meanwhile.
    fn transaction(&mut self, members: &mut Vec<Member>, intake: Intake) -> Ending {
        let begin_by = members.first().and_then(|member| member.task.begin_by);
        let mut ending = self.begin(begin_by);
        let since = Instant::now();
        let mut next = 0;
        while !matches!(ending, Some(Ending::Lost)) {
            if next == members.len() {
                // After a failed BEGIN the queued jobs are only collected: all of them get its error.
                let in_time = ending.is_some() || since.elapsed() < GROUP_TIME_MAX;
                if intake == Intake::Closed || members.len() == GROUP_MAX || !in_time {
                    break;
                }
                let Some(task) = self.seat.shared.lanes.take_now(self.seat.index) else { break };
                members.push(Member { task, reply: None });
            }
            if ending.is_none() {
                ending = self.member(&mut members[next]);
            }
            next += 1;
        }
        ending.unwrap_or_else(|| self.commit())
    }

    fn transaction_alone(&mut self, member: &mut Member) -> Ending {
        let ending = self.begin(member.task.begin_by).or_else(|| self.member(member));
        ending.unwrap_or_else(|| self.commit())
    }

    /// Takes the lock. While another process has it, waits until `begin_by` and no longer than `busy_timeout`.
    fn begin(&mut self, begin_by: Option<Instant>) -> Option<Ending> {
        if let Err(error) = self.right_link() {
            return Some(Ending::Undone(error));
        }
        let longest = Instant::now() + self.seat.opening.busy_timeout;
        let until = begin_by.map_or(longest, |begin_by| begin_by.min(longest));
        loop {
            let Some(link) = &self.link else { return Some(Ending::Undone(lost())) };
            match link.own(Own::BeginImmediate) {
                Ok(()) => break,
                Err(error)
                    if is_busy(&error) && Instant::now() < until && !self.seat.shared.lanes.is_closed() =>
                {
                    self.look_for_foreign_writes();
                    std::thread::sleep(LOCK_LOOK);
                }
                Err(error) => return Some(Ending::Undone(unavailable(fault::error(error)))),
            }
        }
        // From here on nobody else commits, so what is reported now is all that came before this group.
        self.look_for_foreign_writes();
        None
    }

    /// Makes sure that there is a connection, and that it is to the file that stands at the path.
    fn right_link(&mut self) -> Result<(), Error> {
        let seen = if self.link.is_some() { self.files.look() } else { self.files.look_at_database() };
        if seen == Seen::Gone {
            // The connection is kept: the file may be put back.
            return Err(Error::Unavailable { detail: GONE.into() });
        }
        if seen == Seen::Cut {
            return Err(Error::Damaged { detail: CUT.into() });
        }
        let holders = &self.seat.shared.holders;
        if seen == Seen::Other {
            holders.end_round();
        }
        if holders.is_open() && self.link.is_some() {
            return Ok(());
        }
        if !holders.is_open() {
            if !holders.are_gone() {
                return Err(Error::Unavailable { detail: REPLACED.into() });
            }
            // Into the old file, wherever that is: a log left behind would be taken for the new file's.
            let copied = self.link.take().is_some_and(|link| {
                link.connection().wal_checkpoint_v2(None::<&str>, CheckpointMode::TRUNCATE).is_ok()
            });
            if !copied {
                self.files.remove_log_left_behind();
            }
            self.give_up_link();
        }
        let link =
            Link::reopen_writer(&self.seat.opening).map_err(|error| unavailable(fault::error(error)))?;
        self.files.renew();
        self.seat.shared.holders.begin_round();
        self.link = Some(link);
        Ok(())
    }

    /// Runs a member that has no reply yet, in a savepoint.
    fn member(&mut self, member: &mut Member) -> Option<Ending> {
        if member.reply.is_some() {
            return None;
        }
        let reply = match self.seat.refusal(&member.task) {
            Some(error) => Err(error),
            None => self.in_savepoint(&member.task),
        };
        let link = self.link.as_ref()?;
        let lost = link.is_autocommit();
        // A job can't end the transaction and succeed: the authorizer refuses COMMIT.
        member.reply = Some(if lost && reply.is_ok() { Err(ended_by_itself()) } else { reply });
        if lost {
            add(&self.seat.counters().losses, 1);
        }
        lost.then_some(Ending::Lost)
    }

    fn in_savepoint(&self, task: &Task) -> Reply {
        let Some(link) = &self.link else { return Err(lost()) };
        let bounds = Bounds {
            access: Access::Write,
            statement_timeout: self.seat.statement_timeout,
            reply_bytes_max: self.seat.reply_bytes_max,
        };
        link.own(Own::Savepoint).map_err(fault::error)?;
        let reply = run::statements(link, bounds, &task.job, self.seat.counters());
        let released = match &reply {
            Ok(_) => link.own(Own::Release),
            Err(_) if link.is_autocommit() => Ok(()),
            Err(_) => link.own(Own::RollbackTo).and_then(|()| link.own(Own::Release)),
        };
        match released {
            Ok(()) => reply,
            Err(error) => {
                // A savepoint that can't be ended makes the whole transaction worthless.
                if !link.is_autocommit() {
                    let _ = link.own(Own::Rollback);
                }
                reply.and(Err(fault::error(error)))
            }
        }
    }

    fn commit(&mut self) -> Ending {
        let Some(link) = &self.link else { return Ending::Undone(lost()) };
        self.phase = Phase::Committing;
        let Err(error) = link.own(Own::Commit) else {
            add(&self.seat.counters().commits, 1);
            // Into a file that bears the name no more, it would be gone with this process.
            return match self.files.look() {
                Seen::Same => Ending::Committed,
                Seen::Gone | Seen::Other => Ending::Unknown(Error::OutcomeUnknown { detail: GONE.into() }),
                Seen::Cut => Ending::Unknown(Error::OutcomeUnknown { detail: CUT.into() }),
            };
        };
        if !link.is_autocommit() {
            let _ = link.own(Own::Rollback);
        }
        let extended_code = fault::extended_code(&error);
        let in_transaction = !link.is_autocommit();
        let error = fault::error(error);
        match extended_code & 0xff {
            _ if in_transaction => {}
            ffi::SQLITE_CONSTRAINT => return Ending::Refused(error),
            // Refused before anything was written, or before the frame that would have made it a commit was whole.
            ffi::SQLITE_BUSY | ffi::SQLITE_FULL => return Ending::Undone(unavailable(error)),
            _ if extended_code == ffi::SQLITE_IOERR_WRITE => return Ending::Undone(unavailable(error)),
            _ if overwrite(link).is_ok() => return Ending::Undone(unavailable(error)),
            _ => {}
        }
        self.give_up_link();
        Ending::Unknown(error)
    }

    fn look_for_foreign_writes(&mut self) {
        let Some(link) = &self.link else { return };
        let seen = data_version(link);
        // No figure, as on a new connection, counts as a change: better to fill a cache once too often.
        if seen.is_none() || seen != self.data_version {
            self.seat.shared.foreign_writes.fetch_add(1, Release);
            self.seat.observe(Event::ForeignWrite);
        }
        self.data_version = seen;
    }

    /// The connection is in a state that nobody knows; a new one is opened for the next group.
    fn give_up_link(&mut self) {
        self.link = None;
        self.data_version = None;
        self.checkpoints = Checkpoints::new(self.seat.opening.checkpoint_frames);
    }

    #[cold]
    fn after_panic(&mut self, members: &mut [Member], detail: String) {
        self.give_up_link();
        let text = format!("the writer panicked: {detail}");
        let ending = match self.phase {
            Phase::Running => Ending::Undone(Error::Unavailable { detail: text }),
            Phase::Committing => Ending::Unknown(Error::OutcomeUnknown { detail: text }),
        };
        conclude(members, ending);
        self.seat.observe(Event::Panicked { detail });
    }
}

/// Gives all that wait for the commit the reply that its ending means.
fn conclude(members: &mut [Member], ending: Ending) {
    let error = match ending {
        Ending::Committed | Ending::Lost => return,
        Ending::Refused(error) | Ending::Undone(error) => error,
        Ending::Unknown(error) => match unavailable(error) {
            Error::Unavailable { detail } => Error::OutcomeUnknown { detail },
            other => other,
        },
    };
    for member in members {
        if !matches!(member.reply, Some(Err(_))) {
            member.reply = Some(Err(error.clone()));
        }
    }
}

/// What succeeded in a transaction that was lost has not happened.
fn forget(members: &mut [Member]) {
    for member in members {
        if matches!(member.reply, Some(Ok(_))) {
            member.reply = None;
        }
    }
}

/// Commits a page as it is, over whatever a failed commit has left in the log.
#[cold]
fn overwrite(link: &Link) -> rusqlite::Result<()> {
    let connection = link.connection();
    link.own(Own::BeginImmediate)?;
    let version = connection.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0));
    let written = version.and_then(|version| connection.pragma_update(None, "user_version", version));
    let committed = written.and_then(|()| link.own(Own::Commit));
    if committed.is_err() && !link.is_autocommit() {
        let _ = link.own(Own::Rollback);
    }
    committed
}

/// Changes when another connection has committed.
fn data_version(link: &Link) -> Option<i64> {
    let mut statement = link.connection().prepare_cached("PRAGMA data_version").ok()?;
    statement.query_row([], |row| row.get(0)).ok()
}

/// What is said while there is no file.
const GONE: &str = "the file is gone or empty; put it back or restore a backup in its place";

/// What is said while the file lacks its end.
const CUT: &str = "the file is damaged: it was cut short and lacks pages that its header counts; restore a backup in its place";

#[cold]
fn lost() -> Error {
    Error::Unavailable { detail: "the writer has no connection".into() }
}

#[cold]
fn ended_by_itself() -> Error {
    Error::OutcomeUnknown { detail: "the job ended the transaction around it".into() }
}

#[cfg(all(test, not(loom)))]
#[path = "writer/tests.rs"]
mod tests;
