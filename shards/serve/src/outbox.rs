//! Answers that come later: made in tasks, handed over here, and delivered to their connections when the tasks have run.

use ringmill_http1::{Rendered, Status};
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

/// Which request of which connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    pub(crate) connection: usize,
    pub(crate) generation: u32,
    pub(crate) sequence: u32,
}

/// An answer that owns what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Three digits.
    pub status: Status,
    /// Fields beside Content-Length, Date and Connection.
    pub fields: Vec<(Cow<'static, str>, Cow<'static, str>)>,
    /// The body.
    pub body: Vec<u8>,
    /// Why, for the log alone.
    pub cause: Option<String>,
    /// Whether the log has to say why, since the body does not. The service hears of it then, whatever the status.
    pub is_unexplained: bool,
}

impl Reply {
    /// A JSON answer that nobody stores.
    pub fn json(status: Status, body: impl Into<Vec<u8>>) -> Reply {
        Reply {
            status,
            fields: vec![
                ("Content-Type".into(), "application/json".into()),
                ("Cache-Control".into(), "no-store".into()),
            ],
            body: body.into(),
            cause: None,
            is_unexplained: false,
        }
    }
}

/// An answer that comes later.
#[derive(Debug)]
pub(crate) enum Late {
    Reply(Reply),
    /// Rendered before, with more field lines.
    Rendered {
        status: Status,
        rendered: Arc<Rendered>,
        lines: Vec<u8>,
    },
}

impl Late {
    pub(crate) fn status(&self) -> Status {
        match self {
            Late::Reply(reply) => reply.status,
            Late::Rendered { status, .. } => *status,
        }
    }

    pub(crate) fn is_unexplained(&self) -> bool {
        match self {
            Late::Reply(reply) => reply.is_unexplained,
            Late::Rendered { .. } => false,
        }
    }

    pub(crate) fn cause(&self) -> Option<&str> {
        match self {
            Late::Reply(reply) => reply.cause.as_deref(),
            Late::Rendered { .. } => None,
        }
    }
}

pub(crate) type Outbox = Rc<RefCell<VecDeque<(Ticket, Late)>>>;

/// The duty to answer one request. Dropped without an answer it answers 500, so that no request is forgotten.
#[derive(Debug)]
pub struct Responder {
    ticket: Ticket,
    outbox: Outbox,
    is_answered: bool,
}

impl Responder {
    pub(crate) fn new(ticket: Ticket, outbox: Outbox) -> Responder {
        Responder { ticket, outbox, is_answered: false }
    }

    /// Answers. If the client is gone by now, the answer is thrown away.
    pub fn answer(self, reply: Reply) {
        self.send(Late::Reply(reply));
    }

    /// Answers with what was rendered before, and more field lines, each with its line break. Not for 5xx, which carry an id.
    pub fn answer_rendered(self, status: Status, rendered: Arc<Rendered>, lines: Vec<u8>) {
        self.send(Late::Rendered { status, rendered, lines });
    }

    fn send(mut self, late: Late) {
        self.is_answered = true;
        self.outbox.borrow_mut().push_back((self.ticket, late));
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        if !self.is_answered {
            let mut reply = Reply::json(Status(500), crate::refusals::INTERNAL_ERROR.as_bytes());
            reply.cause = Some("the request's task ended without an answer".to_owned());
            self.outbox.borrow_mut().push_back((self.ticket, Late::Reply(reply)));
        }
    }
}
