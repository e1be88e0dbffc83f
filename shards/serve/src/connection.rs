//! What is known of one connection.

use crate::bodies::{Body, Share};
use crate::bounds::{ANSWER_BYTES_FIRST, OUTPUT_BYTES_MAX, READS_BEGUN_MAX};
use crate::counters::RouteId;
use crate::deadlines::Waits;
use ringmill_http1::{Connection as ConnectionField, Head, Method, Version};
use ringmill_reactor::{SocketId, TimerId};
use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;

/// What the next received byte belongs to.
#[derive(Debug)]
pub(crate) enum Phase {
    /// A head.
    Head,
    /// The body of a request whose head has been copied.
    Body(Box<Body>),
    /// Nothing: an answer that ends the connection was given; a bounded amount is thrown away.
    Discard {
        /// So far.
        bytes: usize,
    },
}

/// A request that is begun and whose answer has not left.
#[derive(Debug)]
pub(crate) struct Begun {
    pub(crate) state: State,
    pub(crate) meta: Meta,
}

#[derive(Debug)]
pub(crate) enum State {
    Waiting,
    Ready {
        /// Its answer.
        bytes: Vec<u8>,
        #[expect(dead_code, reason = "gives the budget for output its part back when it goes")]
        share: Share,
    },
}

/// What is needed of a request when its answer comes.
#[derive(Debug)]
pub(crate) struct Meta {
    pub(crate) started_ns: u64,
    pub(crate) route: RouteId,
    pub(crate) method: Method,
    pub(crate) connection: ConnectionField,
    pub(crate) with_body: bool,
    pub(crate) path: Box<str>,
    /// The client's X-Request-Id, if it is one that may be used.
    pub(crate) request_id: Option<Box<str>>,
}

impl Meta {
    pub(crate) fn is_write(&self) -> bool {
        is_write(self.method)
    }
}

/// Whether a method may change something: such a request is begun alone.
pub(crate) fn is_write(method: Method) -> bool {
    matches!(method, Method::Post | Method::Put | Method::Patch | Method::Delete)
}

/// Why the next request of a connection cannot begin yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blocked {
    No,
    /// By requests that are begun.
    Requests,
    /// By output that the peer has not read.
    Output,
    /// By want of room behind the service: it stands in a queue.
    Room,
}

/// Bytes that were received and are not parsed yet; all shards' parts of a budget count them.
#[derive(Debug)]
pub(crate) struct Input {
    bytes: Vec<u8>,
    total: Rc<Cell<usize>>,
}

impl Input {
    pub(crate) fn new(total: &Rc<Cell<usize>>) -> Input {
        Input { bytes: Vec::new(), total: total.clone() }
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.total.set(self.total.get() + bytes.len());
    }

    /// Takes the bytes out.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        self.total.set(self.total.get() - self.bytes.len());
        std::mem::take(&mut self.bytes)
    }

    /// Puts bytes back, in place of none.
    pub(crate) fn put(&mut self, bytes: Vec<u8>) {
        debug_assert!(self.bytes.is_empty());
        self.total.set(self.total.get() + bytes.len());
        self.bytes = bytes;
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        self.take();
    }
}

/// What an idle connection costs the server beyond the kernel's own, bytes: its entry here, and one in the reactor of
/// about the same size.
pub const CONNECTION_BYTES: usize = 2 * size_of::<Connection>();

/// One connection.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) socket: SocketId,
    /// Distinguishes connections that had this place.
    pub(crate) generation: u32,
    pub(crate) phase: Phase,
    /// It counts among the host's connections; the others are turned away.
    pub(crate) has_place: bool,
    /// Received and not yet parsed.
    pub(crate) input: Input,
    /// How far `input` was searched for the end of a head.
    pub(crate) scanned: usize,
    pub(crate) blocked: Blocked,
    pub(crate) is_paused: bool,
    /// Begun, oldest first. The first has the number `first_sequence`.
    pub(crate) begun: VecDeque<Begun>,
    pub(crate) first_sequence: u32,
    /// What an answer that comes later is taken to be long, bytes: the longest of the last few.
    pub(crate) answer_bytes: u32,
    /// Of the answers in `begun` that wait for an earlier one, bytes.
    pub(crate) ready_bytes: usize,
    pub(crate) requests: u64,
    /// The answer to the last request that was begun ends the connection.
    pub(crate) is_last: bool,
    /// The peer sends no more.
    pub(crate) peer_ended: bool,
    /// All is answered and sent, our side of the stream has ended.
    pub(crate) is_finished: bool,
    /// What is done at the deadline follows from the state then.
    pub(crate) deadline_ns: u64,
    pub(crate) timer: Option<(TimerId, u64)>,
    /// What `deadline_ns` was set for.
    pub(crate) waits: Waits,
}

impl Connection {
    /// An answer of so many bytes came.
    pub(crate) fn has_answer_of(&mut self, bytes: usize) {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.answer_bytes = bytes.max(self.answer_bytes / 2);
    }

    /// Whether no further read may begin: too many are begun, or their answers will be too long together.
    pub(crate) fn has_enough_begun(&self) -> bool {
        let begun = self.begun.len();
        begun >= READS_BEGUN_MAX
            || self.ready_bytes >= OUTPUT_BYTES_MAX
            || begun > 0 && (begun + 1) * self.answer_bytes as usize > OUTPUT_BYTES_MAX
    }

    pub(crate) fn new(
        socket: SocketId,
        generation: u32,
        deadline_ns: u64,
        has_place: bool,
        input: Input,
    ) -> Connection {
        Connection {
            socket,
            generation,
            phase: Phase::Head,
            has_place,
            input,
            scanned: 0,
            blocked: Blocked::No,
            is_paused: false,
            begun: VecDeque::new(),
            first_sequence: 0,
            answer_bytes: ANSWER_BYTES_FIRST,
            ready_bytes: 0,
            requests: 0,
            is_last: false,
            peer_ended: false,
            is_finished: false,
            deadline_ns,
            timer: None,
            waits: Waits::Nothing,
        }
    }

    /// The Connection field of the answer to `head`.
    pub(crate) fn field(head: &Head<'_, '_>, is_last: bool) -> ConnectionField {
        match (is_last, head.version) {
            (true, _) => ConnectionField::Close,
            (false, Version::Http10) => ConnectionField::KeepAlive,
            (false, Version::Http11) => ConnectionField::Default,
        }
    }
}
