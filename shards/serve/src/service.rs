//! The seam to what is served.

use crate::admission::{Admission, Ahead, Lane};
use crate::counters::RouteId;
use crate::outbox::{Outbox, Responder, Ticket};
use crate::server::Core;
use ringmill_http1::{Connection, DateText, Head, Rendered, Status, encode_reply};
use ringmill_reactor::{Driver, Mail, Reactor};

/// A whole request.
#[derive(Debug)]
pub struct Request<'a, 'b, 'f> {
    /// Its head.
    pub head: &'a Head<'b, 'f>,
    /// Its body, decoded; empty if it has none.
    pub body: &'a [u8],
}

/// What came of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The answer is written.
    Answered(RouteId),
    /// A [`Responder`] was made and will answer.
    Later(RouteId),
    /// Nothing was done: the lane has no room, and the request is brought again when [`Service::has_room`] says so.
    Wait(Lane),
}

/// What a call may use beside the service itself.
pub struct Context<'a, D: Driver> {
    /// Time, randomness, messages, tasks.
    pub reactor: &'a mut Reactor<D>,
    pub(crate) ticket: Ticket,
    pub(crate) outbox: &'a Outbox,
    pub(crate) socket: ringmill_reactor::SocketId,
    pub(crate) ahead: Ahead<'a>,
}

impl<D: Driver> Context<'_, D> {
    /// Takes the duty to answer this request; the call then returns [`Outcome::Later`]. Dropped without an answer (a
    /// panic), it answers 500.
    pub fn responder(&self) -> Responder {
        Responder::new(self.ticket, self.outbox.clone())
    }

    /// Whether [`Context::admission`] has to be asked although there is room.
    pub fn is_anybody_waiting(&self) -> bool {
        self.ahead.is_anybody()
    }

    /// What may be done with this request, which needs room in `lane`: others may have come first.
    pub fn admission(&self, lane: Lane, has_room: bool) -> Admission {
        self.ahead.admission(lane, has_room)
    }

    /// How long this request has waited for room, nanoseconds.
    pub fn waited_ns(&self) -> u64 {
        self.ahead.waited_ns()
    }

    /// The address of the connection's other end.
    pub fn peer(&mut self) -> Option<std::net::SocketAddr> {
        self.reactor.peer(self.socket)
    }
}

/// Where an answer that is given now is written: straight into the connection's output.
pub struct Writer<'a> {
    pub(crate) out: &'a mut Vec<u8>,
    pub(crate) date: &'a DateText,
    pub(crate) connection: Connection,
    pub(crate) with_body: bool,
    pub(crate) status: Option<Status>,
    pub(crate) cause: Option<String>,
}

impl Writer<'_> {
    /// Writes an answer that was rendered before. Not for 5xx, which carry an id.
    pub fn rendered(&mut self, rendered: &Rendered, status: Status) {
        rendered.write(self.out, self.date, self.connection, self.with_body);
        self.status = Some(status);
    }

    /// The same with more field lines, each with its line break.
    pub fn rendered_with(&mut self, rendered: &Rendered, status: Status, lines: &[u8]) {
        rendered.write_with(self.out, self.date, lines, self.connection, self.with_body);
        self.status = Some(status);
    }

    /// Writes an answer. `cause` is for the log.
    pub fn reply(&mut self, status: Status, fields: &[(&str, &str)], body: &[u8], cause: Option<String>) {
        self.status = Some(status);
        self.cause = cause;
        encode_reply(self.out, status, fields, body, self.date, self.connection, self.with_body);
    }
}

/// What the service is told of an answer.
#[derive(Clone, Copy, Debug)]
pub struct Answered<'a> {
    /// The route it matched.
    pub route: RouteId,
    /// As received.
    pub method: &'a str,
    /// Its raw path.
    pub path: &'a str,
    /// Of the answer.
    pub status: u16,
    /// From the end of the request to its answer.
    pub duration_ns: u64,
    /// X-Request-Id, if the answer carries one.
    pub request_id: Option<&'a str>,
    /// Why, for the log alone.
    pub cause: Option<&'a str>,
    /// Whether the log has to say why, since the body does not.
    pub is_unexplained: bool,
}

/// What the service is told, for logs.
#[derive(Debug)]
pub enum Observation<'a> {
    /// A request was answered.
    Answered(Answered<'a>),
    /// A request's own code panicked; it is answered with 500.
    Panicked,
    /// Accepting pauses for want of descriptors or memory.
    AcceptFailed(ringmill_reactor::Errno),
    /// A connection was turned away, since there are as many as may be.
    TooManyConnections {
        /// X-Request-Id of its 503; `None`: it was closed without an answer, since many were turned away just now.
        request_id: Option<&'a str>,
    },
    /// Connections were reset, since their peers did not read.
    SlowReaders {
        /// How many.
        connections: usize,
    },
    /// One turn's work took so long that everybody on this core has waited for it.
    Stalled {
        /// Nanoseconds.
        duration_ns: u64,
    },
    /// Draining ended: how many requests were cut off by the deadline.
    Drained {
        /// Requests begun and not answered.
        cut_off: usize,
    },
}

/// What is served, on one shard.
pub trait Service<D: Driver>: Sized {
    /// Answers a request now, through `writer`, or later, through [`Context::responder`].
    fn call(
        &mut self,
        context: &mut Context<'_, D>,
        request: &Request<'_, '_, '_>,
        writer: &mut Writer<'_>,
    ) -> Outcome;
    /// Whether a request that waits for this lane may begin.
    fn has_room(&self, lane: Lane) -> bool {
        _ = lane;
        true
    }
    /// A message from another core or thread.
    fn message(&mut self, core: &mut Core<'_, D>, mail: Mail<D::Message>);
    /// A timer that it has set with [`SERVICE_TIMER`](crate::SERVICE_TIMER).
    fn timer(&mut self, core: &mut Core<'_, D>) {
        _ = core;
    }
    /// Something worth a line in the log.
    fn observe(&mut self, reactor: &mut Reactor<D>, observation: Observation<'_>);
}
