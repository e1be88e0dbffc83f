//! A handler whose calls somebody counts.

use crate::driver::{Driver, Errno, Fd, Mail, Now};
use crate::sockets::{End, SocketId};
use crate::turn::{Handler, ListenerId, Reactor};

/// Which of [`Handler`]'s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// [`Handler::accepted`]
    Accepted,
    /// [`Handler::received`]
    Received,
    /// [`Handler::filled`]
    Filled,
    /// [`Handler::ended`], the peer having sent its last byte
    Closed,
    /// [`Handler::ended`], with an error
    Failed,
    /// [`Handler::sent`]
    Sent,
    /// [`Handler::timer`]
    Timer,
    /// [`Handler::message`]
    Message,
    /// [`Handler::tasks_ran`]
    TasksRan,
    /// [`Handler::turned`]
    Turned,
    /// [`Handler::accept_failed`]
    AcceptFailed,
}

impl Call {
    /// All, in the order of their values.
    pub const ALL: &[Call] = &[
        Call::Accepted,
        Call::Received,
        Call::Filled,
        Call::Closed,
        Call::Failed,
        Call::Sent,
        Call::Timer,
        Call::Message,
        Call::TasksRan,
        Call::Turned,
        Call::AcceptFailed,
    ];
}

/// Passes each call on, after `watch` was told of it.
pub struct Watched<'a, H, W> {
    /// Who acts on it.
    pub handler: &'a mut H,
    /// Who is told.
    pub watch: W,
}

impl<D: Driver, H: Handler<D>, W: FnMut(Call)> Handler<D> for Watched<'_, H, W> {
    fn accepted(&mut self, reactor: &mut Reactor<D>, listener: ListenerId, fd: Fd) {
        (self.watch)(Call::Accepted);
        self.handler.accepted(reactor, listener, fd);
    }

    fn received(&mut self, reactor: &mut Reactor<D>, socket: SocketId, user: u64, bytes: D::Buffer) {
        (self.watch)(Call::Received);
        self.handler.received(reactor, socket, user, bytes);
    }

    fn filled(
        &mut self,
        reactor: &mut Reactor<D>,
        socket: SocketId,
        user: u64,
        buffer: Vec<u8>,
        start: usize,
    ) {
        (self.watch)(Call::Filled);
        self.handler.filled(reactor, socket, user, buffer, start);
    }

    fn ended(&mut self, reactor: &mut Reactor<D>, socket: SocketId, user: u64, end: End) {
        (self.watch)(match end {
            End::Closed => Call::Closed,
            End::Failed(_) => Call::Failed,
        });
        self.handler.ended(reactor, socket, user, end);
    }

    fn sent(&mut self, reactor: &mut Reactor<D>, socket: SocketId, user: u64) {
        (self.watch)(Call::Sent);
        self.handler.sent(reactor, socket, user);
    }

    fn timer(&mut self, reactor: &mut Reactor<D>, payload: u64) {
        (self.watch)(Call::Timer);
        self.handler.timer(reactor, payload);
    }

    fn message(&mut self, reactor: &mut Reactor<D>, mail: Mail<D::Message>) {
        (self.watch)(Call::Message);
        self.handler.message(reactor, mail);
    }

    fn tasks_ran(&mut self, reactor: &mut Reactor<D>, panicked: usize) {
        (self.watch)(Call::TasksRan);
        self.handler.tasks_ran(reactor, panicked);
    }

    fn turned(&mut self, reactor: &mut Reactor<D>, end: Now) {
        (self.watch)(Call::Turned);
        self.handler.turned(reactor, end);
    }

    fn accept_failed(&mut self, reactor: &mut Reactor<D>, listener: ListenerId, errno: Errno) {
        (self.watch)(Call::AcceptFailed);
        self.handler.accept_failed(reactor, listener, errno);
    }
}
