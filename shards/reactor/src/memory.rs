//! A second driver, for tests: sockets in memory, a clock that a test advances, no kernel. Several shards run in turn on
//! one thread.
//!
//! It does what the contract of [`Driver`] says and no more: completions come at [`Driver::enter`], a send takes what the
//! peer has room for, a receive without a free buffer ends with ENOBUFS. Faults are settings of a [`World`].

use crate::driver::{Completion, Direction, Driver, Errno, Fd, Kind, Mail, Now, Operation, Token, Wait};
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::ops::Deref;
use std::rc::Rc;

/// Microseconds since 1970 at the world's beginning: 2026-11-24T02:00:00Z.
pub const START_UNIX_US: u64 = 1_795_485_600_000_000;

/// Requests of one shard to another that may be under way.
const REQUESTS: usize = 64;

#[derive(Debug, Default)]
struct Socket {
    shard: usize,
    /// What the peer wrote and the shard has not received.
    inbound: VecDeque<u8>,
    /// What the shard sent and the peer has not read.
    outbound: Vec<u8>,
    /// Bytes that `outbound` may hold.
    window: usize,
    peer_ended: bool,
    reset: bool,
    /// The shard has shut its side down.
    is_shut: bool,
    is_closed: bool,
    resets_on_close: bool,
    receiving: Option<Token>,
    receive_cancelled: bool,
    /// The cancelled receive has brought something since.
    was_late: bool,
    filling: Option<(Token, Vec<u8>, usize)>,
    fill_cancelled: bool,
    sending: Option<(Token, Vec<u8>, usize)>,
    send_cancelled: bool,
}

#[derive(Debug, Default)]
struct Shard<M> {
    listener: Option<Token>,
    backlog: VecDeque<Fd>,
    is_refusing: bool,
    accept_cancelled: bool,
    accept_error: Option<Errno>,
    mail: VecDeque<(usize, Envelope<M>)>,
    /// Requests under way, by target.
    under_way: BTreeMap<usize, usize>,
    buffers_free: usize,
    random: u64,
    /// Completions of the last enter; nothing happened when this is 0.
    happened: usize,
    sends: u64,
    receives_cancelled: u64,
}

#[derive(Debug)]
enum Envelope<M> {
    Plain(M),
    Answer(M),
}

#[derive(Debug)]
struct State<M> {
    now_ns: u64,
    sockets: BTreeMap<i32, Socket>,
    next_fd: i32,
    shards: Vec<Shard<M>>,
    receive_bytes_max: usize,
    send_bytes_max: usize,
    receives_late: bool,
}

/// Everything outside the shards.
#[derive(Debug)]
pub struct World<M> {
    state: Rc<RefCell<State<M>>>,
}

impl<M> Clone for World<M> {
    fn clone(&self) -> Self {
        World { state: self.state.clone() }
    }
}

impl<M> World<M> {
    /// A world of `shards` shards with `buffers` receive buffers each.
    pub fn new(shards: usize, buffers: usize) -> World<M> {
        let shard = |index| Shard {
            listener: None,
            backlog: VecDeque::new(),
            is_refusing: false,
            accept_cancelled: false,
            accept_error: None,
            mail: VecDeque::new(),
            under_way: BTreeMap::new(),
            buffers_free: buffers,
            random: index as u64,
            happened: 0,
            sends: 0,
            receives_cancelled: 0,
        };
        World {
            state: Rc::new(RefCell::new(State {
                now_ns: 1_000_000_000,
                sockets: BTreeMap::new(),
                next_fd: 1000,
                shards: (0..shards).map(shard).collect(),
                receive_bytes_max: 4096,
                send_bytes_max: usize::MAX,
                receives_late: false,
            })),
        }
    }

    /// The driver of a shard.
    pub fn driver(&self, shard: usize) -> Memory<M> {
        Memory { state: self.state.clone(), shard }
    }

    /// Receives bring at most so many bytes, sends take at most so many.
    pub fn set_short(&self, receive_bytes_max: usize, send_bytes_max: usize) {
        let mut state = self.state.borrow_mut();
        state.receive_bytes_max = receive_bytes_max;
        state.send_bytes_max = send_bytes_max;
    }

    /// A receive that is cancelled brings what is there once more before it ends.
    pub fn set_late_receives(&self, receives_late: bool) {
        self.state.borrow_mut().receives_late = receives_late;
    }

    /// The next accept of a shard fails.
    pub fn fail_accept(&self, shard: usize, errno: Errno) {
        self.state.borrow_mut().shards[shard].accept_error = Some(errno);
    }

    /// Time passes.
    pub fn advance_ns(&self, ns: u64) {
        self.state.borrow_mut().now_ns += ns;
    }

    /// A connection to a shard, with room for `window` unread bytes.
    pub fn connect(&self, shard: usize, window: usize) -> Peer<M> {
        let mut state = self.state.borrow_mut();
        let fd = state.next_fd;
        state.next_fd += 1;
        state.sockets.insert(fd, Socket { shard, window, ..Socket::default() });
        state.shards[shard].backlog.push_back(Fd(fd));
        Peer { state: self.state.clone(), fd }
    }

    /// Whether nothing happened to the shard in its last enter and nothing waits for it.
    pub fn is_idle(&self, shard: usize) -> bool {
        let state = self.state.borrow();
        state.shards[shard].happened == 0 && state.shards[shard].mail.is_empty()
    }

    /// Receive buffers that are free.
    pub fn buffers_free(&self, shard: usize) -> usize {
        self.state.borrow().shards[shard].buffers_free
    }

    /// Sends that a shard has submitted.
    pub fn sends(&self, shard: usize) -> u64 {
        self.state.borrow().shards[shard].sends
    }

    /// Receives that a shard has cancelled.
    pub fn receives_cancelled(&self, shard: usize) -> u64 {
        self.state.borrow().shards[shard].receives_cancelled
    }

    /// Descriptors that are open on the shards' side.
    pub fn descriptors_open(&self) -> usize {
        self.state.borrow().sockets.values().filter(|socket| !socket.is_closed).count()
    }
}

/// The other end of a connection.
#[derive(Debug)]
pub struct Peer<M> {
    state: Rc<RefCell<State<M>>>,
    fd: i32,
}

impl<M> Peer<M> {
    fn with<R>(&self, act: impl FnOnce(&mut Socket) -> R) -> R {
        act(self.state.borrow_mut().sockets.get_mut(&self.fd).expect("a peer's socket stays known"))
    }

    /// Writes bytes.
    pub fn write(&self, bytes: &[u8]) {
        self.with(|socket| socket.inbound.extend(bytes));
    }

    /// Reads what is there.
    pub fn read(&self) -> Vec<u8> {
        self.with(|socket| std::mem::take(&mut socket.outbound))
    }

    /// Writes no more.
    pub fn end(&self) {
        self.with(|socket| socket.peer_ended = true);
    }

    /// Resets the connection.
    pub fn reset(&self) {
        self.with(|socket| socket.reset = true);
    }

    /// Whether the shard has ended its side.
    pub fn is_ended(&self) -> bool {
        self.with(|socket| socket.is_shut || socket.is_closed)
    }

    /// Whether the shard has closed its descriptor.
    pub fn is_closed(&self) -> bool {
        self.with(|socket| socket.is_closed)
    }

    /// Whether the shard's close has reset the connection.
    pub fn is_reset(&self) -> bool {
        self.with(|socket| socket.is_closed && socket.resets_on_close)
    }

    /// Bytes that wait to be received by the shard.
    pub fn unreceived(&self) -> usize {
        self.with(|socket| socket.inbound.len())
    }
}

/// The driver of one shard of a [`World`].
#[derive(Debug)]
pub struct Memory<M> {
    state: Rc<RefCell<State<M>>>,
    shard: usize,
}

/// A receive buffer of a [`World`]'s.
pub struct MemoryBuffer<M> {
    bytes: Vec<u8>,
    state: Rc<RefCell<State<M>>>,
    shard: usize,
}

impl<M> Deref for MemoryBuffer<M> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl<M> Drop for MemoryBuffer<M> {
    fn drop(&mut self) {
        self.state.borrow_mut().shards[self.shard].buffers_free += 1;
    }
}

impl<M> Memory<M> {
    fn push(&mut self, target: usize, envelope: Envelope<M>) {
        self.state.borrow_mut().shards[target].mail.push_back((self.shard, envelope));
    }

    fn accepts(&self, completions: &mut Vec<Completion<MemoryBuffer<M>>>) {
        let mut state = self.state.borrow_mut();
        let shard = &mut state.shards[self.shard];
        let Some(token) = shard.listener else { return };
        if let Some(errno) = shard.accept_error.take() {
            shard.listener = None;
            completions.push(Completion::Accepted { token, result: Err(errno), more: false });
            return;
        }
        while let Some(fd) = shard.backlog.pop_front() {
            completions.push(Completion::Accepted { token, result: Ok(fd), more: true });
        }
        if std::mem::take(&mut shard.accept_cancelled) {
            shard.listener = None;
            completions.push(Completion::Accepted {
                token,
                result: Err(Errno(libc::ECANCELED)),
                more: false,
            });
        }
    }

    fn receives(&self, fd: i32) -> Option<Completion<MemoryBuffer<M>>> {
        let mut state = self.state.borrow_mut();
        let State { sockets, shards, receive_bytes_max, receives_late, .. } = &mut *state;
        let socket = sockets.get_mut(&fd)?;
        let token = socket.receiving?;
        let end = |socket: &mut Socket, result| {
            socket.receiving = None;
            socket.receive_cancelled = false;
            Some(Completion::Received { token, result, more: false })
        };
        if socket.reset {
            return end(socket, Err(Errno(libc::ECONNRESET)));
        }
        let is_late = *receives_late && !socket.inbound.is_empty() && !socket.was_late;
        if socket.receive_cancelled && !is_late {
            socket.was_late = false;
            return end(socket, Err(Errno(libc::ECANCELED)));
        }
        if !socket.inbound.is_empty() {
            let free = &mut shards[self.shard].buffers_free;
            if *free == 0 {
                return end(socket, Err(Errno(libc::ENOBUFS)));
            }
            *free -= 1;
            socket.was_late = socket.receive_cancelled;
            let count = socket.inbound.len().min(*receive_bytes_max);
            let bytes = socket.inbound.drain(..count).collect();
            let buffer = MemoryBuffer { bytes, state: self.state.clone(), shard: self.shard };
            return Some(Completion::Received { token, result: Ok(Some(buffer)), more: true });
        }
        if socket.peer_ended {
            return end(socket, Ok(None));
        }
        None
    }

    fn fills(&self, fd: i32) -> Option<Completion<MemoryBuffer<M>>> {
        let mut state = self.state.borrow_mut();
        let receive_bytes_max = state.receive_bytes_max;
        let socket = state.sockets.get_mut(&fd)?;
        let is_over = socket.reset || socket.fill_cancelled || socket.peer_ended;
        if socket.inbound.is_empty() && !is_over {
            return None;
        }
        let (token, mut buffer, start) = socket.filling.take()?;
        let result = if socket.reset {
            Err(Errno(libc::ECONNRESET))
        } else if std::mem::take(&mut socket.fill_cancelled) {
            Err(Errno(libc::ECANCELED))
        } else {
            let count = socket.inbound.len().min(buffer.len() - start).min(receive_bytes_max);
            for (to, from) in buffer[start..].iter_mut().zip(socket.inbound.drain(..count)) {
                *to = from;
            }
            Ok(count)
        };
        Some(Completion::Filled { token, result, buffer })
    }

    fn sends(&self, fd: i32) -> Option<Completion<MemoryBuffer<M>>> {
        let mut state = self.state.borrow_mut();
        let send_bytes_max = state.send_bytes_max;
        let socket = state.sockets.get_mut(&fd)?;
        let room = socket.window.saturating_sub(socket.outbound.len());
        if !socket.reset && !socket.send_cancelled && !socket.is_shut && room == 0 {
            return None;
        }
        let (token, buffer, start) = socket.sending.take()?;
        let result = if socket.reset || socket.is_shut {
            Err(Errno(libc::EPIPE))
        } else if std::mem::take(&mut socket.send_cancelled) {
            Err(Errno(libc::ECANCELED))
        } else {
            let count = (buffer.len() - start).min(room).min(send_bytes_max);
            socket.outbound.extend_from_slice(&buffer[start..start + count]);
            Ok(count)
        };
        Some(Completion::Sent { token, result, buffer })
    }
}

impl<M> Driver for Memory<M> {
    type Buffer = MemoryBuffer<M>;
    type Message = M;

    fn now(&mut self) -> Now {
        let now_ns = self.state.borrow().now_ns;
        Now { monotonic_ns: now_ns, unix_us: START_UNIX_US + now_ns / 1000 }
    }

    fn random(&mut self) -> u64 {
        let random = &mut self.state.borrow_mut().shards[self.shard].random;
        *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        *random >> 16
    }

    fn choose(&mut self, _count: usize) -> usize {
        0
    }

    fn submit(&mut self, token: Token, operation: Operation) {
        let mut state = self.state.borrow_mut();
        let State { sockets, shards, .. } = &mut *state;
        match operation {
            Operation::Accept { .. } => shards[self.shard].listener = Some(token),
            Operation::Receive { fd } => {
                let socket = sockets.get_mut(&fd.0).expect("receives on an open socket");
                assert!(socket.receiving.is_none() && !socket.is_closed, "one receive at a time");
                assert!(socket.filling.is_none(), "no receive beside a fill");
                socket.receiving = Some(token);
            }
            Operation::Fill { fd, buffer, start } => {
                let socket = sockets.get_mut(&fd.0).expect("receives on an open socket");
                assert!(socket.receiving.is_none() && !socket.is_closed, "no fill beside a receive");
                assert!(socket.filling.is_none(), "one fill at a time");
                assert!(start < buffer.len(), "a fill has room");
                socket.filling = Some((token, buffer, start));
            }
            Operation::Send { fd, buffer, start } => {
                shards[self.shard].sends += 1;
                let socket = sockets.get_mut(&fd.0).expect("sends on an open socket");
                assert!(socket.sending.is_none() && !socket.is_closed, "one send at a time");
                socket.sending = Some((token, buffer, start));
            }
            Operation::Cancel { kind: Kind::Accept } => shards[self.shard].accept_cancelled = true,
            Operation::Cancel { kind: Kind::Receive } => {
                if let Some(socket) = sockets.values_mut().find(|socket| socket.receiving == Some(token)) {
                    socket.receive_cancelled = true;
                    shards[self.shard].receives_cancelled += 1;
                }
            }
            Operation::Cancel { kind: Kind::Fill } => {
                let fills =
                    |socket: &&mut Socket| socket.filling.as_ref().is_some_and(|each| each.0 == token);
                if let Some(socket) = sockets.values_mut().find(fills) {
                    socket.fill_cancelled = true;
                }
            }
            Operation::Cancel { kind: Kind::Send } => {
                let sends =
                    |socket: &&mut Socket| socket.sending.as_ref().is_some_and(|each| each.0 == token);
                if let Some(socket) = sockets.values_mut().find(sends) {
                    socket.send_cancelled = true;
                }
            }
        }
    }

    fn enter(&mut self, _wait: Wait, completions: &mut Vec<Completion<MemoryBuffer<M>>>) {
        let before = completions.len();
        self.accepts(completions);
        let shard = self.shard;
        let mine: Vec<i32> = {
            let state = self.state.borrow();
            state.sockets.iter().filter(|(_, socket)| socket.shard == shard).map(|(&fd, _)| fd).collect()
        };
        for fd in mine {
            completions.extend(self.sends(fd));
            completions.extend(self.receives(fd));
            completions.extend(self.fills(fd));
        }
        self.state.borrow_mut().shards[self.shard].happened = completions.len() - before;
    }

    fn has_more(&self) -> bool {
        false
    }

    fn shutdown(&mut self, fd: Fd, direction: Direction) {
        if let Some(socket) = self.state.borrow_mut().sockets.get_mut(&fd.0) {
            socket.is_shut = true;
            if direction == Direction::Both {
                socket.peer_ended = true;
                socket.inbound.clear();
            }
        }
    }

    fn reset_on_close(&mut self, fd: Fd) {
        if let Some(socket) = self.state.borrow_mut().sockets.get_mut(&fd.0) {
            socket.resets_on_close = true;
        }
    }

    fn close(&mut self, fd: Fd) {
        if let Some(socket) = self.state.borrow_mut().sockets.get_mut(&fd.0) {
            assert!(
                socket.receiving.is_none() && socket.filling.is_none() && socket.sending.is_none(),
                "closed after its last completion"
            );
            assert!(!socket.is_closed, "closed once");
            socket.is_closed = true;
            if socket.resets_on_close {
                socket.outbound.clear();
            }
        }
    }

    fn peer(&mut self, fd: Fd) -> Option<SocketAddr> {
        Some(SocketAddr::from(([127, 0, 0, 1], fd.0 as u16)))
    }

    fn refuse_handshakes(&mut self, _listener: Fd) {
        self.state.borrow_mut().shards[self.shard].is_refusing = true;
    }

    fn accept_now(&mut self, _listener: Fd) -> Option<Fd> {
        self.state.borrow_mut().shards[self.shard].backlog.pop_front()
    }

    fn request(&mut self, target: usize, message: M) -> Result<(), M> {
        {
            let mut state = self.state.borrow_mut();
            let under_way = state.shards[self.shard].under_way.entry(target).or_default();
            if *under_way == REQUESTS {
                return Err(message);
            }
            *under_way += 1;
        }
        self.push(target, Envelope::Plain(message));
        Ok(())
    }

    fn post(&mut self, target: usize, message: M) -> Result<(), M> {
        if target >= self.state.borrow().shards.len() {
            return Err(message);
        }
        self.push(target, Envelope::Plain(message));
        Ok(())
    }

    fn answer(&mut self, target: usize, message: M) {
        self.push(target, Envelope::Answer(message));
    }

    fn pop(&mut self) -> Option<Mail<M>> {
        let mut state = self.state.borrow_mut();
        let shard = &mut state.shards[self.shard];
        let (source, envelope) = shard.mail.pop_front()?;
        let message = match envelope {
            Envelope::Plain(message) => message,
            Envelope::Answer(message) => {
                *shard.under_way.entry(source).or_default() -= 1;
                message
            }
        };
        Some(Mail { source, message })
    }

    fn has_mail(&self) -> bool {
        !self.state.borrow().shards[self.shard].mail.is_empty()
    }
}
