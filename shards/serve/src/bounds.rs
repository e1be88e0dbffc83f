//! Bounds of a connection. Those that a user sets are in [`Bounds`]; the others stand here with what happens beyond them.

/// Output that the kernel has not taken, per connection, bytes. Beyond: parsing pauses.
pub const OUTPUT_BYTES_MAX: usize = 64 * 1024;

/// Reads of a connection that are begun and not answered, fewer if their answers would be longer together than
/// [`OUTPUT_BYTES_MAX`]. Beyond: parsing pauses. A write is begun alone.
pub const READS_BEGUN_MAX: usize = 32;

/// What the first answers of a connection are taken to be long, bytes: until one is seen, four reads may be begun.
pub(crate) const ANSWER_BYTES_FIRST: u32 = OUTPUT_BYTES_MAX as u32 / 4;

/// Received and unparsed bytes of a connection whose parsing is paused. Beyond: receiving pauses too.
pub const INPUT_BYTES_PAUSE: usize = 16 * 1024;

/// Bytes thrown away after an answer that ends the connection, so that the peer reads that answer before a reset.
/// Beyond: close.
pub const LINGER_BYTES_MAX: usize = 256 * 1024;

/// How long bytes are thrown away after such an answer. Beyond: close.
pub const LINGER_NS: u64 = 2_000_000_000;

/// Received and unparsed bytes of connections whose parsing is paused, of the whole host; each shard has its part, at least
/// [`SHARD_BYTES_MIN`]. Beyond: a connection that has more than [`INPUT_BYTES_PAUSE`] and sends on is reset.
pub const INPUT_HOST_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Bodies being received, of the whole host, bytes; each shard has its part, at least [`SHARD_BYTES_MIN`]. Beyond: bodies
/// that stall are ended with 408, and one that still does not fit and is larger than [`FILL_BYTES`] with 503.
pub const BODIES_BYTES_MAX: usize = 256 * 1024 * 1024;

/// From how many missing bytes on a body is received into a buffer of its own, and how many such a receive brings at
/// first; later ones bring as many as came so far.
pub const FILL_BYTES: usize = 16 * 1024;

/// The most that one receive of a large body brings, bytes.
pub const FILL_BYTES_MAX: usize = 256 * 1024;

/// From how long without a byte on a body counts as stalled when bodies need room, nanoseconds.
pub const STALLED_BODY_NS: u64 = 1_000_000_000;

/// Output that the kernel has not taken, of the whole host, bytes; each shard has its part, at least [`SHARD_BYTES_MIN`].
/// Beyond: the slowest readers are reset; beyond twice that, however short their time.
pub const OUTPUT_HOST_BYTES_MAX: usize = 256 * 1024 * 1024;

/// From how long without progress on a reader counts as slow, nanoseconds; a fourth of it is how often slow ones are looked
/// for. Nobody else is reset for want of room: who has something unsent then gets no more until it has left.
pub const SLOW_READER_NS: u64 = 1_000_000_000;

/// The least that a shard gets of a host's bytes, however many shards there are: one connection's worth of everything has
/// to fit many times.
pub const SHARD_BYTES_MIN: usize = 16 * 1024 * 1024;

/// Connections of a shard beyond its bound that are answered with 503 at the same time. Beyond: closed without a word.
pub const REFUSED_AT_ONCE_MAX: usize = 64;

/// The work of one turn, nanoseconds. Beyond: the core counts as stalled, which is logged.
pub const STALL_NS: u64 = 100_000_000;

/// No progress in sending, nanoseconds. Beyond: reset.
pub const SEND_STALL_NS: u64 = 30_000_000_000;

/// The longest X-Request-Id of a client's that is used, bytes.
pub const REQUEST_ID_BYTES_MAX: usize = 128;

/// How long an idle connection may still ask once draining has begun, nanoseconds: a request may be on its way. Beyond: close.
pub const DRAIN_IDLE_NS: u64 = 1_000_000_000;

/// How long handshakes that have begun may take to end once draining has begun, nanoseconds: their clients take the
/// connection for open, and may have sent a request. Beyond: reset.
pub const HANDSHAKE_GRACE_NS: u64 = 250_000_000;

/// What `[http]` of the file sets.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// Of a head: bytes, fields, target.
    pub head: ringmill_http1::Limits,
    /// 413
    pub body_bytes_max: usize,
    /// From a head's first byte to its last; then 408.
    pub head_timeout_ns: u64,
    /// From the end of the head to the end of the body; then 408.
    pub body_timeout_ns: u64,
    /// From the end of the request to its answer; then 503, or 504 for a write.
    pub request_timeout_ns: u64,
    /// Without a request; then close.
    pub idle_timeout_ns: u64,
    /// Requests of one connection; 0 is no bound.
    pub requests_max: u64,
    /// Bodies being received on this shard, bytes; beyond, 503 and close.
    pub bodies_bytes_max: usize,
    /// Received and unparsed bytes on this shard; beyond, those that send on without reading are reset.
    pub input_bytes_max: usize,
    /// How long a request waits for room behind the service; then it is shed.
    pub wait_timeout_ns: u64,
    /// Output that the kernel has not taken on this shard, bytes; beyond, the slowest readers are reset.
    pub output_bytes_max: usize,
    /// Whether every answer is observed, or only slow ones, those with status 500 and above, and refusals.
    pub observe: Observe,
    /// From which duration on an answer counts as slow, nanoseconds.
    pub slow_ns: u64,
}

/// Which answers the service hears of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Observe {
    /// Slow ones, those with status 500 and above, and those that nobody explains but the log.
    Exceptions,
    /// All.
    All,
}
