//! What is known of one connection.

use crate::counters::RouteId;
use crate::deadlines::Waits;
use ringmill_http1::{BodyDecoder, Connection as ConnectionField, Head, Method, Version};
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

/// A request whose body is being received.
#[derive(Debug)]
pub(crate) struct Body {
    /// The head as received, decoded again when the body is complete.
    pub(crate) head: Vec<u8>,
    pub(crate) decoder: BodyDecoder,
    pub(crate) data: Vec<u8>,
    /// What `data` takes of the shard's budget.
    pub(crate) share: Share,
    /// 100 (Continue) is owed as soon as earlier answers are out.
    pub(crate) owes_continue: bool,
}

/// A part of the budget for bodies, given back when the body goes, wherever it goes.
#[derive(Debug)]
pub(crate) struct Share {
    bytes: usize,
    total: Rc<Cell<usize>>,
}

impl Share {
    pub(crate) fn new(total: &Rc<Cell<usize>>) -> Share {
        Share { bytes: 0, total: total.clone() }
    }

    /// Becomes `bytes`; says what all shares come to then.
    pub(crate) fn set(&mut self, bytes: usize) -> usize {
        let total = self.total.get() - self.bytes + bytes;
        self.bytes = bytes;
        self.total.set(total);
        total
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set(0);
    }
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
    /// Its answer's bytes.
    Ready(Vec<u8>),
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
    /// Received and not yet parsed.
    pub(crate) input: Vec<u8>,
    /// How far `input` was searched for the end of a head.
    pub(crate) scanned: usize,
    pub(crate) blocked: Blocked,
    pub(crate) is_paused: bool,
    /// Begun, oldest first. The first has the number `first_sequence`.
    pub(crate) begun: VecDeque<Begun>,
    pub(crate) first_sequence: u32,
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
    /// For the deadline of sending: how much was unsent when it was last looked at.
    pub(crate) stalled: Option<(usize, u64)>,
}

impl Connection {
    pub(crate) fn new(socket: SocketId, generation: u32, deadline_ns: u64) -> Connection {
        Connection {
            socket,
            generation,
            phase: Phase::Head,
            input: Vec::new(),
            scanned: 0,
            blocked: Blocked::No,
            is_paused: false,
            begun: VecDeque::new(),
            first_sequence: 0,
            requests: 0,
            is_last: false,
            peer_ended: false,
            is_finished: false,
            deadline_ns,
            timer: None,
            waits: Waits::Nothing,
            stalled: None,
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
