//! The store: opens the file, owns the threads, and ends them.

use crate::bounds::CHECKPOINT_FRAMES;
use crate::files::Files;
use crate::holders::Holders;
use crate::lanes::{Lane, Lanes};
use crate::link::{Link, Opening};
use crate::reader::Reader;
use crate::seat::{Seat, Shared, Task, Trouble, shutting_down};
use crate::statistics::{Counters, Statistics};
use crate::writer::Writer;
use crate::{Answers, Job, Sync, Ticket, fault};
use crossbeam_utils::CachePadded;
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{
    AtomicU64, AtomicUsize,
    Ordering::{Acquire, Relaxed},
};
use std::sync::{Arc, OnceLock};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

/// How a store is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// The database file. Made if it is missing; its directory is not.
    pub path: PathBuf,
    /// Reader threads, at least 1. With two or more, the first serves reads by key alone.
    pub readers: usize,
    /// The longest that one statement runs. Beyond it [`crate::Error::Timeout`].
    pub statement_timeout: Duration,
    /// Bytes of one job's rows. Beyond it [`crate::Error::TooLarge`].
    pub reply_bytes_max: usize,
    /// Bytes of large replies that are on their way: what shards have not taken, and what they say with [`Handle::hold`].
    /// Beyond it a read whose reply is large gets [`crate::Error::Crowded`].
    pub held_bytes_max: usize,
    /// Jobs that wait in each of the three queues (writes, reads by key, other reads). Beyond it a job is given back.
    pub queue_max: usize,
    /// How long a statement waits while another process writes. Beyond it [`crate::Error::Unavailable`].
    pub busy_timeout: Duration,
    /// When a commit counts as done.
    pub sync: Sync,
    /// Frames in the write-ahead log from which it is copied back into the database after a group of writes.
    pub checkpoint_frames: u32,
    /// Sees each statement's text when it begins to run, on its connection's thread. Values are no part of it.
    pub trace: Option<fn(&str)>,
}

impl Options {
    /// The defaults, for a file.
    pub fn new(path: impl Into<PathBuf>) -> Options {
        Options {
            path: path.into(),
            readers: 2,
            statement_timeout: Duration::from_secs(5),
            reply_bytes_max: 16 * 1024 * 1024,
            held_bytes_max: 256 * 1024 * 1024,
            queue_max: 1_024,
            busy_timeout: Duration::from_secs(5),
            sync: Sync::Full,
            checkpoint_frames: CHECKPOINT_FRAMES,
            trace: None,
        }
    }
}

/// Why a store could not be opened.
#[derive(Debug)]
pub enum OpenError {
    /// An option is out of its range.
    Options {
        /// Which and why.
        detail: String,
    },
    /// SQLite refused the file; with a word on what to do.
    Database {
        /// The file.
        path: PathBuf,
        /// SQLite's words.
        detail: String,
    },
    /// The kernel gave no thread.
    Thread(std::io::Error),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::Options { detail } => f.write_str(detail),
            OpenError::Database { path, detail } => write!(f, "{}: {detail}", path.display()),
            OpenError::Thread(error) => write!(f, "no thread for the database: {error}"),
        }
    }
}

impl std::error::Error for OpenError {}

/// The open database and its threads. Dropped, it ends them as [`Store::close`] does, but runs nothing that still waits.
pub struct Store {
    shared: Arc<Shared>,
    writer: Option<JoinHandle<WriterLeft>>,
    readers: Vec<JoinHandle<Box<dyn Answers>>>,
}

/// What the writer's thread leaves.
type WriterLeft = (Box<dyn Answers>, Option<Link>, Files);

/// A shard's end: submits jobs.
#[derive(Clone)]
pub struct Handle {
    shared: Arc<Shared>,
}

impl Handle {
    /// Hands a job over. Never blocks. A job that is still queued at `begin_by` is not run and answered
    /// [`crate::Error::NotBegun`]; one that runs has `statement_timeout` for each of its statements.
    ///
    /// # Errors
    /// The job itself, if its queue is full or the store is closing.
    pub fn submit(
        &self,
        shard: usize,
        ticket: Ticket,
        begin_by: Option<Instant>,
        job: Job,
    ) -> Result<(), Job> {
        let lane = Task::lane(job.class);
        self.shared.lanes.push(lane, Task { shard, ticket, begin_by, job }).map_err(|task| task.job)
    }

    /// Tells how many bytes more (or fewer, if negative) a shard holds because of large replies. What it was sent counts
    /// already, by [`crate::held_bytes`], until it says that it holds as much less.
    pub fn hold(&self, change: isize) {
        // Relaxed, and wrapping: it is a sum of what is added and taken away by all.
        self.shared.held_bytes.fetch_add(change.cast_unsigned(), Relaxed);
    }

    /// How often it was seen that someone else had written to the file: as long as it stays the same, what was read after it was
    /// looked at is not out of date because of others. It rises within about 50 ms of a foreign commit while nothing is written
    /// here, and always before the answers of a write whose transaction follows that commit.
    pub fn foreign_writes(&self) -> u64 {
        // Whoever sees it risen reads what was written: a snapshot opened from then on has it.
        self.shared.foreign_writes.load(Acquire)
    }

    /// Whether a thread's last jobs failed because of the database's file: it is gone, full, locked or damaged.
    pub fn is_unavailable(&self) -> bool {
        self.shared.counters.iter().any(|counters| counters.is_unavailable.load(Relaxed))
    }
}

impl Store {
    /// Opens the file and starts the threads. `make_answers` is called once per thread: 0 is the writer, then the readers.
    ///
    /// # Errors
    /// If an option is out of range, the file can't be opened as a database, or a thread can't be started.
    pub fn open(
        options: Options,
        mut make_answers: impl FnMut(usize) -> Box<dyn Answers>,
    ) -> Result<Store, OpenError> {
        if options.readers == 0 || options.queue_max == 0 {
            let detail = "a store needs at least one reader and one place in its queues".into();
            return Err(OpenError::Options { detail });
        }
        let opening = Opening {
            path: options.path.clone(),
            busy_timeout: options.busy_timeout,
            sync: options.sync,
            value_bytes_max: options.reply_bytes_max,
            checkpoint_frames: options.checkpoint_frames,
            trace: options.trace,
        };
        let refused =
            |error| OpenError::Database { path: options.path.clone(), detail: fault::error(error).detail() };
        // The writer first: it makes the file and its log, which a read-only connection can't.
        let writer = Link::open_writer(&opening).map_err(refused)?;
        let readers: Vec<Link> = (0..options.readers)
            .map(|_| Link::open_reader(&opening))
            .collect::<rusqlite::Result<_>>()
            .map_err(refused)?;

        let shared = Arc::new(Shared {
            lanes: Lanes::new(options.readers, options.queue_max),
            counters: (0..=options.readers).map(|_| CachePadded::new(Counters::default())).collect(),
            holders: Holders::new(options.readers),
            foreign_writes: CachePadded::new(AtomicU64::new(0)),
            held_bytes: CachePadded::new(AtomicUsize::new(0)),
            held_bytes_max: options.held_bytes_max,
            given_up_at: OnceLock::new(),
        });
        let mut seat = |index| Seat {
            index,
            shared: Arc::clone(&shared),
            answers: make_answers(index),
            opening: opening.clone(),
            statement_timeout: options.statement_timeout,
            reply_bytes_max: options.reply_bytes_max,
            trouble: Trouble::default(),
        };
        // From here on dropping the store ends the threads that were started.
        let mut store = Store { shared: Arc::clone(&shared), writer: None, readers: Vec::new() };
        let writer = Writer::new(seat(0), writer);
        let thread = Builder::new().name(thread_name(0)).spawn(|| writer.run());
        store.writer = Some(thread.map_err(OpenError::Thread)?);
        for (index, link) in readers.into_iter().enumerate() {
            let reader = Reader::new(seat(index + 1), link);
            let thread = Builder::new().name(thread_name(index + 1)).spawn(|| reader.run());
            store.readers.push(thread.map_err(OpenError::Thread)?);
        }
        Ok(store)
    }

    /// One for each shard.
    pub fn handle(&self) -> Handle {
        Handle { shared: Arc::clone(&self.shared) }
    }

    /// What the threads have done so far.
    pub fn statistics(&self) -> Statistics {
        let counters = self.shared.counters.iter().enumerate();
        let lanes = &self.shared.lanes;
        Statistics {
            threads: counters.map(|(index, counters)| counters.look(thread_name(index))).collect(),
            waiting_writes: lanes.waiting(Lane::Write),
            waiting_reads_by_key: lanes.waiting(Lane::Key),
            waiting_reads: lanes.waiting(Lane::Read),
            foreign_writes: self.shared.foreign_writes.load(Relaxed),
        }
    }

    /// Refuses further jobs, finishes what is queued (what is not begun within `longest` is answered
    /// [`crate::Error::Unavailable`]), copies the log into the database and joins the threads. Shards should have
    /// stopped submitting: a job submitted at the very moment may be neither given back nor answered.
    pub fn close(mut self, longest: Duration) {
        self.end(longest);
    }

    fn end(&mut self, longest: Duration) {
        self.shared.given_up_at.get_or_init(|| Instant::now() + longest);
        self.shared.lanes.close();
        let mut answers: Vec<Box<dyn Answers>> = Vec::new();
        // Readers first: the last connection to close deletes the log, and only a writing one can.
        answers.extend(self.readers.drain(..).filter_map(|thread| thread.join().ok()));
        if let Some(Ok((writers, link, files))) = self.writer.take().map(JoinHandle::join) {
            // In this order: see `Files`.
            drop(link);
            drop(files);
            answers.push(writers);
        }
        if let Some(answers) = answers.first_mut() {
            while let Some(task) = self.shared.lanes.take_left_over() {
                answers.answer(task.shard, task.ticket, Err(shutting_down()));
            }
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.end(Duration::ZERO);
    }
}

fn thread_name(index: usize) -> String {
    match index {
        0 => "sqlite-writer".into(),
        reader => format!("sqlite-reader-{}", reader - 1),
    }
}
