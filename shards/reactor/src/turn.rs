//! The loop of a shard. One turn: enter the kernel once, copy completions out and act on them, take messages, run tasks,
//! fire timers, and let everything that was written leave together.

use crate::bounds::{ACCEPT_BACKOFF_NS, COMPLETIONS_PER_TURN, MESSAGES_PER_TURN, TASKS_PER_TURN};
use crate::driver::{Completion, Driver, Errno, Fd, Kind, Mail, Now, Operation, Token, Wait};
use crate::sockets::{End, Filled, Sent, SocketId, Sockets, Troubles};
use crate::tasks::Tasks;
use crate::timers::{TimerId, Timers};

/// Index of a listener, in the order of adding.
pub type ListenerId = usize;

/// Who sits on the reactor. Every call comes from within a turn.
pub trait Handler<D: Driver> {
    /// A connection; it is closed unless it is opened (or handed to someone) now.
    fn accepted(&mut self, reactor: &mut Reactor<D>, listener: ListenerId, fd: Fd);
    /// Bytes from the socket that was opened with `user`.
    fn received(&mut self, reactor: &mut Reactor<D>, socket: SocketId, user: u64, bytes: D::Buffer);
    /// Bytes from the socket in a buffer that was given with [`Reactor::receive_into`]: `buffer[start..]`. Receiving stands
    /// still until it is called again, or [`Reactor::resume`].
    fn filled(
        &mut self,
        reactor: &mut Reactor<D>,
        socket: SocketId,
        user: u64,
        buffer: Vec<u8>,
        start: usize,
    );
    /// No more bytes will come.
    fn ended(&mut self, reactor: &mut Reactor<D>, socket: SocketId, user: u64, end: End);
    /// Everything is sent, which the handler had asked to be told.
    fn sent(&mut self, reactor: &mut Reactor<D>, socket: SocketId, user: u64);
    /// A timer set with [`Reactor::set_timer`].
    fn timer(&mut self, reactor: &mut Reactor<D>, payload: u64);
    /// A message from another core or thread.
    fn message(&mut self, reactor: &mut Reactor<D>, mail: Mail<D::Message>);
    /// Ready tasks have run; `panicked` of them ended in a panic.
    fn tasks_ran(&mut self, reactor: &mut Reactor<D>, panicked: usize);
    /// The turn's work is done; outputs leave next. `end` is the clock at this moment.
    fn turned(&mut self, reactor: &mut Reactor<D>, end: Now);
    /// Accepting failed and pauses for a moment (out of descriptors or memory).
    fn accept_failed(&mut self, reactor: &mut Reactor<D>, listener: ListenerId, errno: Errno);
}

#[derive(Debug)]
enum Due {
    Accept(ListenerId),
    Handler(u64),
}

#[derive(Debug)]
struct Listening {
    fd: Fd,
    is_armed: bool,
    is_closing: bool,
}

/// Counts of turns.
#[derive(Clone, Copy, Debug, Default)]
pub struct Turns {
    /// Turns so far.
    pub count: u64,
    /// The longest turn since this was last reset, waiting excluded, nanoseconds.
    pub longest_ns: u64,
}

/// One core's reactor.
pub struct Reactor<D: Driver> {
    driver: D,
    now: Now,
    sockets: Sockets,
    listeners: Vec<Listening>,
    timers: Timers<Due>,
    /// Local tasks.
    pub tasks: Tasks,
    /// Counts of turns.
    pub turns: Turns,
    completions: Vec<Completion<D::Buffer>>,
}

impl<D: Driver> Reactor<D> {
    /// A reactor without sockets.
    pub fn new(mut driver: D) -> Reactor<D> {
        let now = driver.now();
        Reactor {
            driver,
            now,
            sockets: Sockets::default(),
            listeners: Vec::new(),
            timers: Timers::default(),
            tasks: Tasks::default(),
            turns: Turns::default(),
            completions: Vec::with_capacity(COMPLETIONS_PER_TURN),
        }
    }

    /// Both clocks at the start of this turn.
    pub fn now(&self) -> Now {
        self.now
    }

    /// The seam: randomness and messages. Operations go through the reactor.
    pub fn driver(&mut self) -> &mut D {
        &mut self.driver
    }

    /// Sockets that are open or closing.
    pub fn sockets_count(&self) -> usize {
        self.sockets.count()
    }

    /// How often the ordinary troubles of a socket were met.
    pub fn troubles(&self) -> Troubles {
        self.sockets.troubles
    }

    /// Starts accepting on a listening socket, which the reactor owns from now on.
    pub fn add_listener(&mut self, fd: Fd) -> ListenerId {
        let id = self.listeners.len();
        self.listeners.push(Listening { fd, is_armed: false, is_closing: false });
        self.arm_listener(id);
        id
    }

    fn arm_listener(&mut self, id: ListenerId) {
        let listener = &mut self.listeners[id];
        if !listener.is_closing && !listener.is_armed {
            listener.is_armed = true;
            let fd = listener.fd;
            self.driver.submit(Token { slot: id as u32, generation: 0 }, Operation::Accept { listener: fd });
        }
    }

    /// Begins no more handshakes on a listener; accepting goes on.
    pub fn refuse_handshakes(&mut self, id: ListenerId) {
        self.driver.refuse_handshakes(self.listeners[id].fd);
    }

    /// Returns the connections that wait to be accepted, and closes the listener. Connections that the driver is handing
    /// over at this moment still arrive as [`Handler::accepted`].
    pub fn close_listener(&mut self, id: ListenerId) -> Vec<Fd> {
        let listener = &mut self.listeners[id];
        if std::mem::replace(&mut listener.is_closing, true) {
            return Vec::new();
        }
        let (fd, is_armed) = (listener.fd, listener.is_armed);
        let mut waiting = Vec::new();
        while let Some(connection) = self.driver.accept_now(fd) {
            waiting.push(connection);
        }
        if is_armed {
            self.driver
                .submit(Token { slot: id as u32, generation: 0 }, Operation::Cancel { kind: Kind::Accept });
        } else {
            self.driver.close(fd);
        }
        waiting
    }

    /// Whether a listener's descriptor is still open.
    pub fn is_listening(&self) -> bool {
        self.listeners.iter().any(|listener| !listener.is_closing || listener.is_armed)
    }

    /// Takes a connection over. `user` comes back with each of its events.
    pub fn open(&mut self, fd: Fd, user: u64) -> SocketId {
        self.sockets.open(&mut self.driver, fd, user)
    }

    /// Closes a descriptor that was accepted and not opened.
    pub fn refuse(&mut self, fd: Fd) {
        self.driver.close(fd);
    }

    /// The address of the other end.
    pub fn peer(&mut self, socket: SocketId) -> Option<std::net::SocketAddr> {
        let fd = self.sockets.fd(socket)?;
        self.driver.peer(fd)
    }

    /// Takes the output buffer out, to append to it; give it back with [`Reactor::put_output`].
    pub fn take_output(&mut self, socket: SocketId) -> Vec<u8> {
        self.sockets.take_output(socket)
    }

    /// Gives the output buffer back: what it holds leaves at the end of the turn.
    pub fn put_output(&mut self, socket: SocketId, output: Vec<u8>) {
        self.sockets.put_output(socket, output);
    }

    /// Bytes written and not yet taken by the kernel, without what [`Reactor::take_output`] took out.
    pub fn unsent(&mut self, socket: SocketId) -> usize {
        self.sockets.unsent(socket)
    }

    /// Bytes of all sockets, written and not yet taken by the kernel.
    pub fn unsent_total(&self) -> usize {
        self.sockets.unsent_total()
    }

    /// As [`Reactor::unsent_total`], counted anew. Looks at every socket.
    pub fn unsent_counted(&self) -> usize {
        self.sockets.unsent_counted()
    }

    /// The most bytes of one socket, written and not yet taken by the kernel. Looks at every socket.
    pub fn unsent_most(&self) -> usize {
        self.sockets.unsent_most()
    }

    /// Since when the kernel has taken nothing of what is being sent; `None`: nothing is.
    pub fn stalled_since_ns(&mut self, socket: SocketId) -> Option<u64> {
        self.sockets.stalled_since_ns(socket)
    }

    /// Has [`Handler::sent`] called once when all is sent; false: nothing is unsent, it won't be called.
    pub fn notify_when_sent(&mut self, socket: SocketId) -> bool {
        self.sockets.notify_when_sent(socket)
    }

    /// Stops receiving; what is already on its way still arrives.
    pub fn pause(&mut self, socket: SocketId) {
        self.sockets.pause(&mut self.driver, socket);
    }

    /// Receives again.
    pub fn resume(&mut self, socket: SocketId) {
        self.sockets.resume(&mut self.driver, socket);
    }

    /// Receives once into `buffer[start..]` instead of into the core's buffers. What is already on its way still arrives
    /// as [`Handler::received`], and belongs in front: [`Reactor::take_back`] the buffer then.
    pub fn receive_into(&mut self, socket: SocketId, buffer: Vec<u8>, start: usize) {
        self.sockets.receive_into(&mut self.driver, socket, buffer, start);
    }

    /// The buffer of [`Reactor::receive_into`], unless its receive has started.
    pub fn take_back(&mut self, socket: SocketId) -> Option<Vec<u8>> {
        self.sockets.take_back(socket)
    }

    /// Looks at the socket anew, for a connection that begins to wait for the rest of something.
    pub fn refresh(&mut self, socket: SocketId) {
        self.sockets.refresh(&mut self.driver, socket);
    }

    /// Ends our side of the stream (shutdown(2), SHUT_WR). To be called when all is sent.
    pub fn finish(&mut self, socket: SocketId) {
        self.sockets.finish(&mut self.driver, socket);
    }

    /// The next [`Reactor::close`] of this socket resets the connection, instead of leaving the rest to the kernel.
    pub fn reset_on_close(&mut self, socket: SocketId) {
        if let Some(fd) = self.sockets.fd(socket) {
            self.driver.reset_on_close(fd);
        }
    }

    /// Closes; no event of this socket follows.
    pub fn close(&mut self, socket: SocketId) {
        self.sockets.close(&mut self.driver, socket);
    }

    /// [`Handler::timer`] is called with `payload` at the monotonic instant or a little later.
    pub fn set_timer(&mut self, deadline_ns: u64, payload: u64) -> TimerId {
        self.timers.set(deadline_ns, Due::Handler(payload))
    }

    /// Takes a timer back.
    pub fn cancel_timer(&mut self, id: TimerId) {
        self.timers.cancel(id);
    }

    /// Timers that are set.
    pub fn timers_count(&self) -> usize {
        self.timers.len()
    }

    /// How long the next turn may wait for something to do.
    pub fn wait(&self) -> Wait {
        if self.tasks.is_ready() || self.sockets.needs_flush() || self.driver.has_mail() {
            Wait::No
        } else {
            self.timers.next_deadline_ns().map_or(Wait::Forever, Wait::Until)
        }
    }

    /// One turn.
    pub fn turn<H: Handler<D>>(&mut self, handler: &mut H) {
        let wait = self.wait();
        let mut completions = std::mem::take(&mut self.completions);
        self.driver.enter(wait, &mut completions);
        self.now = self.driver.now();
        for completion in completions.drain(..) {
            self.act(handler, completion);
        }
        self.completions = completions;
        for _ in 0..MESSAGES_PER_TURN {
            let Some(mail) = self.driver.pop() else { break };
            handler.message(self, mail);
        }
        if self.tasks.is_ready() {
            let driver = &mut self.driver;
            let panicked = self.tasks.run(TASKS_PER_TURN, |count| driver.choose(count));
            handler.tasks_ran(self, panicked);
        }
        while let Some(due) = self.timers.pop_due(self.now.monotonic_ns) {
            match due {
                Due::Accept(listener) => self.arm_listener(listener),
                Due::Handler(payload) => handler.timer(self, payload),
            }
        }
        let end = self.driver.now();
        self.turns.count += 1;
        self.turns.longest_ns = self.turns.longest_ns.max(end.monotonic_ns - self.now.monotonic_ns);
        handler.turned(self, end);
        self.sockets.flush(&mut self.driver, end.monotonic_ns);
    }

    fn act<H: Handler<D>>(&mut self, handler: &mut H, completion: Completion<D::Buffer>) {
        match completion {
            Completion::Received { token, result, more } => {
                let failure = result.as_ref().err().copied();
                // A receive that found no buffer, or that we stopped, is no end.
                let is_end = match &result {
                    Ok(bytes) => bytes.is_none(),
                    Err(Errno(libc::ENOBUFS | libc::ECANCELED | libc::EINTR | libc::EAGAIN)) => false,
                    Err(_) => true,
                };
                let user = self.sockets.received(&mut self.driver, token, more, failure, is_end);
                let Some(user) = user else { return };
                match result {
                    Ok(Some(bytes)) => handler.received(self, token, user, bytes),
                    Ok(None) => handler.ended(self, token, user, End::Closed),
                    Err(errno) if is_end => handler.ended(self, token, user, End::Failed(errno)),
                    Err(_) => {}
                }
                if !more {
                    self.sockets.rearm(&mut self.driver, token);
                }
            }
            Completion::Filled { token, result, buffer } => {
                match self.sockets.filled(&mut self.driver, token, result, buffer) {
                    Some((user, Filled::Bytes(buffer, start))) => {
                        handler.filled(self, token, user, buffer, start);
                    }
                    Some((user, Filled::Ended(end))) => handler.ended(self, token, user, end),
                    None => {}
                }
            }
            Completion::Sent { token, result, buffer } => {
                let now_ns = self.now.monotonic_ns;
                match self.sockets.sent(&mut self.driver, now_ns, token, result, buffer) {
                    Some((user, Sent::All)) => handler.sent(self, token, user),
                    Some((user, Sent::Failed(errno))) => handler.ended(self, token, user, End::Failed(errno)),
                    Some((_, Sent::Quiet)) | None => {}
                }
            }
            Completion::Accepted { token, result, more } => {
                self.accepted(handler, token.slot as ListenerId, result, more);
            }
        }
    }

    fn accepted<H: Handler<D>>(
        &mut self,
        handler: &mut H,
        id: ListenerId,
        result: Result<Fd, Errno>,
        more: bool,
    ) {
        if !more {
            self.listeners[id].is_armed = false;
        }
        let backs_off = match result {
            Ok(fd) => {
                handler.accepted(self, id, fd);
                false
            }
            Err(errno @ Errno(libc::EMFILE | libc::ENFILE | libc::ENOMEM | libc::ENOBUFS)) => {
                handler.accept_failed(self, id, errno);
                true
            }
            // The connection was reset before it was accepted, or the accept was cancelled.
            Err(_) => false,
        };
        if more {
            return;
        }
        let listener = &self.listeners[id];
        if listener.is_closing {
            let fd = listener.fd;
            self.driver.close(fd);
        } else if backs_off {
            self.timers.set(self.now.monotonic_ns + ACCEPT_BACKOFF_NS, Due::Accept(id));
        } else {
            self.arm_listener(id);
        }
    }
}
