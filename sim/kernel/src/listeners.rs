//! Listening sockets, one a core: who waits to be accepted, and the accept that is armed.

use crate::faults::Fault;
use crate::kernel::{CANCELED, Event, Kernel, TOO_MANY_FILES};
use crate::sockets::Socket;
use ringmill_reactor::{Completion, Errno, Fd, Token};
use std::collections::VecDeque;

#[derive(Debug, Default)]
pub(crate) struct Listener {
    pub(crate) fd: i32,
    pub(crate) armed: Option<Token>,
    pub(crate) is_cancelled: bool,
    pub(crate) is_refusing: bool,
    pub(crate) is_closed: bool,
    pub(crate) backlog: VecDeque<i32>,
    pub(crate) is_queued: bool,
    /// The next accept fails for this.
    pub(crate) failure: Option<Errno>,
    /// When its last completion arrives: the next ones come after it.
    pub(crate) post_ns: u64,
}

impl Kernel {
    /// A client begins a handshake with this shard. `None`: nobody takes new ones there any more.
    pub fn connect(&mut self, shard: usize, client: usize, window: usize) -> Option<i32> {
        let listener = &mut self.rings[shard].listener;
        if listener.is_closed || listener.is_refusing {
            return None;
        }
        let fd = self.begin_handshake(shard, client, window);
        let delay = match self.happens(Fault::LateHandshake) {
            true => self.pause(1_000_000, 500_000_000),
            false => self.pause_of_any_size(1_000, 2_000_000),
        };
        self.after(delay, Event::Handshake(fd));
        Some(fd)
    }

    pub(crate) fn begin_handshake(&mut self, shard: usize, client: usize, window: usize) -> i32 {
        let fd = self.next_fd;
        self.next_fd += 1;
        self.sockets.insert(fd, Socket { shard, client, window, ..Socket::default() });
        fd
    }

    /// It waits to be accepted from now on, also if no further handshakes begin; if nobody listens any more, it is reset.
    pub(crate) fn end_handshake(&mut self, fd: i32) {
        let Some(socket) = self.sockets.get(&fd) else { return };
        let (shard, is_over) = (socket.shard, socket.is_reset);
        let listener = &mut self.rings[shard].listener;
        if !listener.is_closed {
            listener.backlog.push_back(fd);
            self.queue_accept(shard);
            return;
        }
        if !is_over {
            self.reset(fd);
        }
        if let Some(socket) = self.sockets.get_mut(&fd) {
            socket.is_closed = true;
        }
    }

    pub(crate) fn queue_accept(&mut self, shard: usize) {
        let listener = &mut self.rings[shard].listener;
        let is_wanted = listener.armed.is_some()
            && (listener.is_cancelled || listener.failure.is_some() || !listener.backlog.is_empty());
        if is_wanted && !std::mem::replace(&mut listener.is_queued, true) {
            let delay = self.delay();
            self.after(delay, Event::Accept(shard));
        }
    }

    pub fn listener_fd(&self, shard: usize) -> Fd {
        Fd(self.rings[shard].listener.fd)
    }

    pub fn is_listening(&self, shard: usize) -> bool {
        !self.rings[shard].listener.is_closed
    }

    pub(crate) fn accept(&mut self, shard: usize) {
        self.rings[shard].listener.is_queued = false;
        let Some(token) = self.rings[shard].listener.armed else { return };
        let end = |kernel: &mut Kernel, result| {
            kernel.rings[shard].listener.armed = None;
            kernel.rings[shard].listener.is_cancelled = false;
            kernel.deliver(shard, Completion::Accepted { token, result, more: false }, 0);
        };
        if self.rings[shard].listener.is_cancelled {
            end(self, Err(CANCELED));
            return;
        }
        if let Some(errno) = self.rings[shard].listener.failure.take() {
            end(self, Err(errno));
            return;
        }
        if self.rings[shard].listener.backlog.is_empty() {
            return;
        }
        if self.happens(Fault::AcceptFails) {
            end(self, Err(TOO_MANY_FILES));
            return;
        }
        let Some(fd) = self.rings[shard].listener.backlog.pop_front() else { return };
        if self.is_full(shard) || self.happens(Fault::AcceptEnds) {
            end(self, Ok(Fd(fd)));
            return;
        }
        self.deliver(shard, Completion::Accepted { token, result: Ok(Fd(fd)), more: true }, 0);
        self.queue_accept(shard);
    }

    pub(crate) fn close_listener(&mut self, shard: usize) {
        if std::mem::replace(&mut self.rings[shard].listener.is_closed, true) {
            self.break_contract("a listener closed twice".to_owned());
        }
        // Who was not accepted is reset.
        for fd in std::mem::take(&mut self.rings[shard].listener.backlog) {
            self.reset(fd);
            if let Some(socket) = self.sockets.get_mut(&fd) {
                socket.is_closed = true;
            }
        }
    }

    pub fn refuse_handshakes(&mut self, shard: usize) {
        self.rings[shard].listener.is_refusing = true;
    }

    pub fn accept_now(&mut self, shard: usize) -> Option<Fd> {
        let fd = self.rings[shard].listener.backlog.pop_front()?;
        if let Some(socket) = self.sockets.get_mut(&fd) {
            socket.accepted_ns = Some(self.now_ns);
        }
        Some(Fd(fd))
    }
}
