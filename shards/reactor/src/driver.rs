//! The seam between a shard and the world.
//!
//! A shard gives the driver *operations* and gets *completions* back, in turns. A buffer given to the driver is gone
//! until it comes back with its completion. Everything else that is not computed from these comes through here as well:
//! time, chance, and messages.

use std::ops::Deref;
use std::os::fd::{OwnedFd, RawFd};
use std::sync::Arc;

/// A descriptor as the driver numbers it. Plain data: it is closed with [`Driver::close`] only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fd(pub RawFd);

/// An error number of the operating system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(pub i32);

impl std::fmt::Display for Errno {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::io::Error::from_raw_os_error(self.0).fmt(f)
    }
}

/// Both clocks, read together once a turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Monotonic nanoseconds since an arbitrary start; never goes back.
    pub monotonic_ns: u64,
    /// Microseconds since 1970-01-01T00:00:00Z as the wall clock has it; may be up to
    /// 50 ms behind a step of that clock.
    pub unix_us: u64,
}

/// Who an operation belongs to: a slot and its generation, so that a completion that arrives after the slot was given
/// to someone else is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Token {
    /// Index into the shard's table of sockets (or listeners, for [`Operation::Accept`]).
    pub slot: u32,
    /// Counts how often the slot was given out, modulo 2^28.
    pub generation: u32,
}

/// Which operation of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// [`Operation::Accept`]
    Accept = 1,
    /// [`Operation::Receive`]
    Receive = 2,
    /// [`Operation::Send`]
    Send = 3,
    /// [`Operation::Fill`]
    Fill = 4,
}

/// What a shard asks for. A token has at most one operation of each kind under way, and never a receive and a fill.
#[derive(Debug)]
pub enum Operation {
    /// Accept connections until told otherwise: one completion each; the last has `more == false`.
    Accept {
        /// A listening socket.
        listener: Fd,
    },
    /// Receive into buffers of the driver's until told otherwise: one completion each; the last has `more == false`.
    Receive {
        /// A connected socket.
        fd: Fd,
    },
    /// Receive once, into `buffer[start..]`; one completion.
    Fill {
        /// A connected socket.
        fd: Fd,
        /// Owned by the driver until its completion.
        buffer: Vec<u8>,
        /// Where the received bytes go; less than the length.
        start: usize,
    },
    /// Send `buffer[start..]`; one completion, which may report fewer bytes.
    Send {
        /// A connected socket.
        fd: Fd,
        /// Owned by the driver until its completion.
        buffer: Vec<u8>,
        /// The first byte to send.
        start: usize,
    },
    /// End the operation `kind` of the same token. It has no completion of its own: the cancelled operation's last
    /// completion (ECANCELED, or whatever it came to first) is the answer.
    Cancel {
        /// Which.
        kind: Kind,
    },
}

/// What came of an operation. `B` is a received buffer: readable until it is dropped, which gives it back.
#[derive(Debug)]
pub enum Completion<B> {
    /// A connection, or why there is none.
    Accepted {
        /// The operation's token.
        token: Token,
        /// The connection, not yet owned by anyone.
        result: Result<Fd, Errno>,
        /// Whether the operation goes on.
        more: bool,
    },
    /// Bytes, the end of the stream (`None`), or an error.
    Received {
        /// The operation's token.
        token: Token,
        /// `Ok(None)`: the peer has sent its last byte. ENOBUFS: no buffer was free, nothing is lost.
        result: Result<Option<B>, Errno>,
        /// Whether the operation goes on.
        more: bool,
    },
    /// How many bytes came into the buffer (0: the peer has sent its last byte), and the buffer.
    Filled {
        /// The operation's token.
        token: Token,
        /// Bytes from the operation's `start` on.
        result: Result<usize, Errno>,
        /// The buffer that was given.
        buffer: Vec<u8>,
    },
    /// How many bytes of the buffer left, and the buffer.
    Sent {
        /// The operation's token.
        token: Token,
        /// Bytes from the operation's `start` on.
        result: Result<usize, Errno>,
        /// The buffer that was given.
        buffer: Vec<u8>,
    },
}

/// How long [`Driver::enter`] may wait for a first completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Not at all.
    No,
    /// Until a completion, a wake-up, or this monotonic instant.
    Until(u64),
    /// Until a completion or a wake-up.
    Forever,
}

/// Which half of a connection to shut down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// No more will be sent: the peer sees the end of the stream.
    Write,
    /// Neither sent nor received.
    Both,
}

/// A message as it arrives.
#[derive(Debug)]
pub struct Mail<M> {
    /// The endpoint that sent it.
    pub source: usize,
    /// What it sent.
    pub message: M,
}

/// The world as a shard sees it.
pub trait Driver {
    /// A received buffer; dropping it gives it back.
    type Buffer: Deref<Target = [u8]>;
    /// What cores and threads send each other.
    type Message;

    /// Both clocks.
    fn now(&mut self) -> Now;
    /// A number from the shard's seeded source. The real driver's cannot be foreseen by who does not know the seed.
    fn random(&mut self) -> u64;
    /// Which of `count` (at least 1) ready tasks runs next. The real driver says 0: first come, first served.
    fn choose(&mut self, count: usize) -> usize;

    /// Queues an operation; it starts at the next [`Driver::enter`] at the latest.
    fn submit(&mut self, token: Token, operation: Operation);
    /// Starts what was queued, waits as told unless a message is there, and appends at most
    /// [`crate::bounds::COMPLETIONS_PER_TURN`] completions.
    fn enter(&mut self, wait: Wait, completions: &mut Vec<Completion<Self::Buffer>>);
    /// Whether completions were left over by the last [`Driver::enter`].
    fn has_more(&self) -> bool;

    /// shutdown(2). A failure (the peer is gone) is of no interest.
    fn shutdown(&mut self, fd: Fd, direction: Direction);
    /// Has close(2) reset the connection: what the kernel holds for the peer is thrown away.
    fn reset_on_close(&mut self, fd: Fd);
    /// close(2), without waiting.
    fn close(&mut self, fd: Fd);
    /// The address of the connection's other end, if it is still known.
    fn peer(&mut self, fd: Fd) -> Option<std::net::SocketAddr>;
    /// Has a listening socket begin no more handshakes; those that have begun may still end.
    fn refuse_handshakes(&mut self, listener: Fd);
    /// A connection that waits on the listener, if there is one.
    fn accept_now(&mut self, listener: Fd) -> Option<Fd>;

    /// Sends a message that will be answered; gives it back when `target`'s requests from here have no room.
    fn request(&mut self, target: usize, message: Self::Message) -> Result<(), Self::Message>;
    /// Sends a message that is not answered and may be lost; gives it back when there is no room.
    fn post(&mut self, target: usize, message: Self::Message) -> Result<(), Self::Message>;
    /// Answers a request of `target`'s. There is always room: the request reserved it.
    fn answer(&mut self, target: usize, message: Self::Message);
    /// The next message, if there is one.
    fn pop(&mut self) -> Option<Mail<Self::Message>>;
    /// Whether a message waits.
    fn has_mail(&self) -> bool;
}

/// The part of the seam that leads to other cores and threads, as the real driver uses it.
pub trait Peers {
    /// What cores and threads send each other.
    type Message;

    /// Tells everyone how this core is woken. Called once, on the core's thread.
    fn announce(&mut self, doorbell: Doorbell);
    /// As [`Driver::request`].
    fn request(&mut self, target: usize, message: Self::Message) -> Result<(), Self::Message>;
    /// As [`Driver::post`].
    fn post(&mut self, target: usize, message: Self::Message) -> Result<(), Self::Message>;
    /// As [`Driver::answer`].
    fn answer(&mut self, target: usize, message: Self::Message);
    /// As [`Driver::pop`].
    fn pop(&mut self) -> Option<Mail<Self::Message>>;
    /// As [`Driver::has_mail`].
    fn has_mail(&self) -> bool;
    /// Publishes that this core sleeps and looks for messages once more; false: there is one, and the core counts as
    /// awake again.
    fn fall_asleep(&mut self) -> bool;
    /// This core is awake.
    fn wake_up(&mut self);
    /// A sleeping core that a message was sent to and that nobody else wakes, with its ring; once each.
    fn next_wake(&mut self) -> Option<(usize, RawFd)>;
    /// Wakes `core` without a ring, since posting to its ring failed.
    fn strike(&mut self, core: usize);
}

/// How a core is woken.
#[derive(Clone, Debug)]
pub struct Doorbell {
    /// The core's ring: other cores post a completion there.
    pub ring: RawFd,
    /// For threads without a ring: the core's eventfd.
    pub event: Arc<dyn Strike>,
}

/// What wakes a core from any thread.
pub trait Strike: std::fmt::Debug + Send + Sync {
    /// Wakes it. Never blocks.
    fn strike(&self);
}

impl Strike for OwnedFd {
    fn strike(&self) {
        crate::syscalls::write_event(self);
    }
}

impl Doorbell {
    /// Wakes the core from a thread without a ring. Never blocks.
    pub fn strike(&self) {
        self.event.strike();
    }
}
