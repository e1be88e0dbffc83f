//! Every bound of this crate, with its unit and what lies beyond it.

use std::time::Duration;

/// Statements of one job. Beyond it the job is refused with [`crate::Error::Statement`].
pub const STATEMENTS_MAX: usize = 64;

/// Jobs of one group commit. The rest form the next group.
pub const GROUP_MAX: usize = 256;

/// A group that has run this long takes no further job in: early jobs of a group don't wait for ever more late ones.
pub(crate) const GROUP_TIME_MAX: Duration = Duration::from_millis(20);

/// How often a group may lose its whole transaction to one of its jobs before the rest run in a transaction each.
pub(crate) const GROUP_LOSSES_MAX: usize = 2;

/// Prepared statements kept per connection. Beyond it the one used longest ago is prepared anew.
pub(crate) const STATEMENT_CACHE: usize = 256;

/// Steps of SQLite's virtual machine between two looks at the clock (about 10 to 100 µs).
pub(crate) const STEPS_PER_LOOK: i32 = 1_000;
/// A sort of numerics looks at the clock after so many bytes that it has compared.
pub(crate) const COMPARED_BYTES_PER_LOOK: u64 = 64 * 1024;

/// The writer looks at least this often whether another process has written.
pub(crate) const FOREIGN_LOOK: Duration = Duration::from_millis(50);

/// While another process writes, the writer asks for the lock this often.
pub(crate) const LOCK_LOOK: Duration = Duration::from_millis(2);

/// How often a thread says that it can't serve, and how often one without work tries whether it can again.
pub const TROUBLE_INTERVAL: Duration = Duration::from_secs(1);

/// A sleeping reader looks into its queues this often, should a wake-up ever be missed.
pub(crate) const READER_LOOK: Duration = Duration::from_secs(1);

/// Frames in the write-ahead log from which it is copied back into the database after a group, unless told otherwise.
pub(crate) const CHECKPOINT_FRAMES: u32 = 1_000;

/// Frames between two attempts when readers held the log.
pub(crate) const CHECKPOINT_FRAMES_STEP: u32 = 250;

/// Frames from which a checkpoint waits for readers, so that the log starts anew (64 MiB with pages of 4 KiB).
pub(crate) const CHECKPOINT_FRAMES_HIGH: u32 = 16_384;

/// Bytes that the log's file keeps when it starts anew, should readers have made it longer.
pub(crate) const LOG_KEPT_BYTES: i64 = CHECKPOINT_FRAMES_HIGH as i64 * 4096;

/// How long that checkpoint waits at most; no commit is possible meanwhile.
pub(crate) const CHECKPOINT_WAIT: Duration = Duration::from_millis(50);

/// Slots of a queue beyond the jobs that may wait in it. They keep a shard from ever meeting a slot that a descheduled
/// reader is still emptying: that takes this many further jobs to pass while the reader stands still.
pub(crate) const QUEUE_SPARE: usize = 4_096;

/// Length of one value or row beyond `reply_bytes_max` that SQLite may still build, in bytes. Beyond both the
/// statement fails with [`crate::Error::TooLarge`].
pub(crate) const LENGTH_SPARE: usize = 1024 * 1024;

/// A reply of fewer bytes counts nothing among those that are held: there are only so many jobs under way.
pub(crate) const HELD_BYTES_MIN: usize = 64 * 1024;

/// How long start-up statements wait for other processes that start at the same moment.
pub(crate) const SCRIPT_WAIT: Duration = Duration::from_secs(30);

/// Of that, how long it is not told to whoever asked for them.
pub(crate) const SILENT_WAIT: Duration = Duration::from_secs(1);

/// For questions about the rows of a file before it is served. Beyond it their answer is [`crate::Found::NotKnown`].
pub(crate) const INSPECT_TIME_MAX: Duration = Duration::from_secs(5);

/// Pages that a loader keeps in memory, KiB.
pub(crate) const LOAD_CACHE_KIB: i64 = 65_536;

/// Frames in the write-ahead log from which a loader copies it back (32 MiB with pages of 4 KiB).
pub(crate) const LOAD_CHECKPOINT_FRAMES: i64 = 8_000;
