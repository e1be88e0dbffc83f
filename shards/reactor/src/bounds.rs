//! Every bound of the reactor, with its unit and what happens beyond it.

/// Submission queue entries. Beyond it: what is queued is submitted at once.
pub const SUBMISSIONS: u32 = 256;

/// Completion queue entries. Beyond it the kernel keeps completions and flushes them at the next enter. Memory of a ring
/// is charged to the *user* (RLIMIT_MEMLOCK before 5.12 style accounting), so this is not larger than it has to be.
pub const COMPLETIONS: u32 = 4096;

/// Completions acted on in one turn; the rest waits for the next.
pub const COMPLETIONS_PER_TURN: usize = 256;

/// Messages from other cores and threads acted on in one turn; the rest waits for the next.
pub const MESSAGES_PER_TURN: usize = 256;

/// Tasks polled in one turn; the rest waits for the next.
pub const TASKS_PER_TURN: usize = 256;

/// Provided receive buffers of a core; a power of two. Beyond it receives end with ENOBUFS and are armed again when
/// buffers have come back.
pub const RECEIVE_BUFFERS: u16 = 512;

/// Bytes of one receive buffer.
pub const RECEIVE_BUFFER_BYTES: usize = 4096;

/// How large a core's ring is. The product's is [`RingSizes::default`]; tests make small ones to see their bounds passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingSizes {
    /// See [`SUBMISSIONS`]; a power of two.
    pub submissions: u32,
    /// See [`COMPLETIONS`]; a power of two, not smaller than `submissions`.
    pub completions: u32,
    /// See [`RECEIVE_BUFFERS`]; a power of two.
    pub receive_buffers: u16,
}

impl Default for RingSizes {
    fn default() -> Self {
        RingSizes { submissions: SUBMISSIONS, completions: COMPLETIONS, receive_buffers: RECEIVE_BUFFERS }
    }
}

/// Output buffers that are kept for reuse by a core. Beyond it they are freed.
pub const SPARE_OUTPUTS: usize = 256;

/// Capacity up to which an output buffer is kept for reuse, bytes.
pub const SPARE_OUTPUT_BYTES: usize = 64 * 1024;

/// How long accepting pauses after the process ran out of descriptors or memory, nanoseconds.
pub const ACCEPT_BACKOFF_NS: u64 = 50_000_000;

/// Connections that may wait to be accepted, per listener (the kernel caps it at net.core.somaxconn).
pub const BACKLOG: i32 = 4096;

/// What the kernel takes of a connection's output beyond what it may send at once, bytes (TCP_NOTSENT_LOWAT). Beyond it sends
/// end short: a peer that does not read costs the kernel this, and not the megabytes that a send buffer grows to.
pub const KERNEL_UNSENT_BYTES: u32 = 128 * 1024;

/// How long creating a ring is tried again after ENOMEM, and listening after EADDRINUSE: a process that has just ended gives
/// back what its rings held a moment later.
pub const RING_RETRY: std::time::Duration = std::time::Duration::from_secs(1);

const _: () = assert!(RECEIVE_BUFFERS.is_power_of_two());
const _: () = assert!(COMPLETIONS_PER_TURN <= COMPLETIONS as usize);
