//! The simulated kernel: sockets in memory, each core's queues, and virtual time. It does what Linux does with the same
//! operations, in an order and in pieces that the run's seed draws.
//!
//! Nothing in it asks what time it is: everything that will happen stands in one queue, by instant and then by the order
//! in which it was queued.

use crate::faults::{Fault, Faults};
use crate::random::Random;
use crate::trace::Trace;
use ringmill_reactor::{Completion, Direction, Errno, Fd, Kind, Operation, Strike, Token};
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Microseconds since 1970 at a run's beginning: 2026-11-24T02:00:00Z.
pub const START_UNIX_US: u64 = 1_795_485_600_000_000;
/// Where virtual time begins.
pub const START_NS: u64 = 1_000_000_000;
/// Bytes of a receive buffer.
pub const BUFFER_BYTES: usize = 4096;
/// What a buffer is overwritten with when it is given back.
const SCRIBBLE: u8 = 0xAA;

/// What happens at an instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A shard goes into the kernel after its turn.
    Enter(usize),
    /// A shard comes out of the kernel. A stale number is no more meant.
    Turn(usize, u64),
    /// The receive of a socket looks for bytes.
    Receive(i32),
    /// The send of a socket takes bytes.
    Send(i32),
    /// The accept of a shard's listener looks for connections.
    Accept(usize),
    /// A completion that was drawn before arrives.
    Post(usize, u64),
    /// A bell rings at a core.
    Ring(usize),
    /// Bytes of a client reach the server's side, or its end does.
    Arrive(i32),
    /// A client acts.
    Client(usize),
    /// The store acts on a job.
    Store(u64),
    /// Control acts.
    Control,
}

/// What the server's side holds of a connection.
#[derive(Debug, Default)]
pub struct Socket {
    shard: usize,
    /// The client that made it.
    pub client: usize,
    /// Arrived, not received.
    inbound: VecDeque<u8>,
    /// What the client wrote and has not arrived.
    pub travelling: VecDeque<u8>,
    /// What was sent and the client has not read.
    pub outbound: VecDeque<u8>,
    /// Bytes that `outbound` may hold.
    pub window: usize,
    /// The client has ended its side; it arrives behind `travelling`.
    pub client_ended: bool,
    end_arrived: bool,
    /// The client, or the network, has reset the connection.
    pub is_reset: bool,
    /// The reset follows right behind data, and the armed receive will not hear of it.
    is_untold: bool,
    /// The server has ended its side.
    pub is_shut: bool,
    shut_both: bool,
    pub is_closed: bool,
    resets_on_close: bool,
    receiving: Option<Receiving>,
    filling: Option<(Token, Vec<u8>, usize, bool)>,
    sending: Option<(Token, Vec<u8>, usize, bool)>,
    /// Completions of receive and send that were drawn and have not arrived: the next ones come after them.
    receive_post_ns: u64,
    /// The network, not the client or the server, has cut it.
    pub was_cut: bool,
    /// An event of this socket is queued.
    is_receive_queued: bool,
    is_send_queued: bool,
    is_arrive_queued: bool,
}

#[derive(Clone, Copy, Debug)]
struct Receiving {
    token: Token,
    is_cancelled: bool,
    was_late: bool,
}

#[derive(Debug, Default)]
struct Listener {
    fd: i32,
    armed: Option<Token>,
    is_cancelled: bool,
    is_refusing: bool,
    is_closed: bool,
    backlog: VecDeque<i32>,
    is_queued: bool,
    /// When its last completion arrives: the next ones come after it.
    post_ns: u64,
}

/// One core's queues.
#[derive(Debug, Default)]
pub struct Ring {
    submissions: Vec<(Token, Operation)>,
    completions: VecDeque<Completion<Lease>>,
    listener: Listener,
    free: Vec<Box<[u8]>>,
    /// Buffers in all.
    pub buffers: usize,
    /// It waits in the kernel.
    pub is_asleep: bool,
    /// Only the turn of this number is meant.
    pub turn: u64,
    /// A turn that ends the wait is queued.
    pub is_waking: bool,
    /// When the turn under way ends, and whether its start was asked for.
    pub turn_end_ns: u64,
    pub asked_start: bool,
    /// Messages are not seen in this turn.
    pub is_mail_late: bool,
}

/// What a shard of a run may hold at the same time.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    pub submissions: usize,
    pub completions: usize,
    pub buffers: usize,
}

/// The kernel of all cores.
pub struct Kernel {
    pub now_ns: u64,
    queue: BTreeMap<(u64, u64), Event>,
    sequence: u64,
    pub random: Random,
    pub faults: Faults,
    pub rings: Vec<Ring>,
    sizes: Sizes,
    pub sockets: BTreeMap<i32, Socket>,
    next_fd: i32,
    posts: BTreeMap<u64, Completion<Lease>>,
    pub trace: Trace,
    pub bells: Vec<Arc<Bell>>,
    /// What broke the driver's contract.
    pub broken: Vec<String>,
}

/// Everyone's way to the kernel.
pub type Shared = Rc<RefCell<Kernel>>;

/// What threads strike to wake a core.
#[derive(Debug, Default)]
pub struct Bell(AtomicBool);

impl Strike for Bell {
    fn strike(&self) {
        self.0.store(true, Relaxed);
    }
}

impl Bell {
    fn take(&self) -> bool {
        self.0.swap(false, Relaxed)
    }
}

/// Received bytes, readable until this is dropped, which scribbles over them and gives the buffer back.
pub struct Lease {
    bytes: Box<[u8]>,
    length: usize,
    shard: usize,
    kernel: Option<Shared>,
}

impl Deref for Lease {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.fill(SCRIBBLE);
        if let Some(kernel) = self.kernel.take() {
            // A completion that is thrown away within the kernel gives its buffer back there.
            if let Ok(mut kernel) = kernel.try_borrow_mut() {
                kernel.rings[self.shard].free.push(bytes);
            }
        }
    }
}

impl std::fmt::Debug for Lease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.length)
    }
}

const CANCELED: Errno = Errno(125);
const NO_BUFFERS: Errno = Errno(105);
const RESET: Errno = Errno(104);
const PIPE: Errno = Errno(32);
const TOO_MANY_FILES: Errno = Errno(24);

impl Kernel {
    pub fn new(shards: usize, sizes: Sizes, random: Random, faults: Faults, trace: Trace) -> Shared {
        let ring = |shard: usize| Ring {
            free: (0..sizes.buffers).map(|_| vec![SCRIBBLE; BUFFER_BYTES].into()).collect(),
            buffers: sizes.buffers,
            listener: Listener { fd: 3 + shard as i32, ..Listener::default() },
            ..Ring::default()
        };
        Rc::new(RefCell::new(Kernel {
            now_ns: START_NS,
            queue: BTreeMap::new(),
            sequence: 0,
            random,
            faults,
            rings: (0..shards).map(ring).collect(),
            sizes,
            sockets: BTreeMap::new(),
            next_fd: 100,
            posts: BTreeMap::new(),
            trace,
            bells: (0..shards).map(|_| Arc::default()).collect(),
            broken: Vec::new(),
        }))
    }

    /// Queues an event so many nanoseconds from now.
    pub fn after(&mut self, ns: u64, event: Event) {
        self.at(self.now_ns + ns, event);
    }

    /// Queues an event at an instant that is not past.
    pub fn at(&mut self, at_ns: u64, event: Event) {
        self.sequence += 1;
        self.queue.insert((at_ns.max(self.now_ns), self.sequence), event);
    }

    /// The next event; time goes on to its instant.
    pub fn next_event(&mut self) -> Option<Event> {
        let ((at_ns, _), event) = self.queue.pop_first()?;
        self.now_ns = at_ns;
        Some(event)
    }

    /// Draws whether something goes wrong now.
    pub fn happens(&mut self, fault: Fault) -> bool {
        let happens = self.faults.happens(fault, &mut self.random);
        if happens {
            let now_ns = self.now_ns;
            self.trace.line(now_ns, |line| line.push_str(fault.label()));
        }
        happens
    }

    fn delay(&mut self) -> u64 {
        match self.happens(Fault::LateCompletion) {
            true => self.random.magnitude(1_000, 50_000_000),
            false => self.random.within(100, 5_000),
        }
    }

    /// A connection from a client: waits to be accepted by this shard. `None`: nobody listens there any more.
    pub fn connect(&mut self, shard: usize, client: usize, window: usize) -> Option<i32> {
        let listener = &mut self.rings[shard].listener;
        if listener.is_closed || listener.is_refusing {
            return None;
        }
        let fd = self.next_fd;
        self.next_fd += 1;
        listener.backlog.push_back(fd);
        self.sockets.insert(fd, Socket { shard, client, window, ..Socket::default() });
        self.queue_accept(shard);
        Some(fd)
    }

    fn queue_accept(&mut self, shard: usize) {
        let listener = &mut self.rings[shard].listener;
        let is_wanted = listener.armed.is_some() && (listener.is_cancelled || !listener.backlog.is_empty());
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

    /// Receive buffers that are free.
    pub fn buffers_free(&self, shard: usize) -> usize {
        self.rings[shard].free.len()
    }

    /// Descriptors that are open on the server's side.
    pub fn descriptors(&self) -> usize {
        self.sockets.values().filter(|socket| !socket.is_closed).count()
    }

    /// The client wrote bytes, ended its side, or reset: the server's side hears of it in a while.
    pub fn client_acted(&mut self, fd: i32) {
        let Some(socket) = self.sockets.get_mut(&fd) else { return };
        if !std::mem::replace(&mut socket.is_arrive_queued, true) {
            let delay = self.random.magnitude(500, 200_000);
            self.after(delay, Event::Arrive(fd));
        }
    }

    /// The client has read: there is room again.
    pub fn client_read(&mut self, fd: i32) {
        self.queue_send(fd);
    }

    /// The connection is reset, by the client or by the network.
    pub fn reset(&mut self, fd: i32) {
        // What the client had written may arrive right before.
        let arrives = self.random.is(0.8);
        if let Some(socket) = self.sockets.get_mut(&fd)
            && arrives
            && !socket.is_closed
            && !socket.shut_both
        {
            let bytes = std::mem::take(&mut socket.travelling);
            socket.inbound.extend(bytes);
        }
        let behind_data = self.sockets.get(&fd).is_some_and(|socket| !socket.inbound.is_empty());
        let is_untold = behind_data && self.happens(Fault::ResetUntold);
        let Some(socket) = self.sockets.get_mut(&fd) else { return };
        if socket.is_closed || socket.is_reset {
            return;
        }
        socket.is_reset = true;
        socket.is_untold = is_untold && socket.receiving.is_some();
        socket.travelling.clear();
        let client = socket.client;
        self.queue_receive(fd);
        self.queue_send(fd);
        let delay = self.random.within(500, 50_000);
        self.after(delay, Event::Client(client));
    }

    fn queue_receive(&mut self, fd: i32) {
        let Some(socket) = self.sockets.get_mut(&fd) else { return };
        let is_wanted = socket.receiving.is_some() || socket.filling.is_some();
        if is_wanted && !std::mem::replace(&mut socket.is_receive_queued, true) {
            let delay = self.random.within(50, 3_000);
            self.after(delay, Event::Receive(fd));
        }
    }

    fn queue_send(&mut self, fd: i32) {
        let Some(socket) = self.sockets.get_mut(&fd) else { return };
        if socket.sending.is_some() && !std::mem::replace(&mut socket.is_send_queued, true) {
            let delay = self.random.magnitude(50, 20_000);
            self.after(delay, Event::Send(fd));
        }
    }

    /// What does not concern shards, clients, the store or control.
    pub fn act(&mut self, event: Event, shared: &Shared) {
        match event {
            Event::Receive(fd) => self.receive(fd, shared),
            Event::Send(fd) => self.send(fd),
            Event::Accept(shard) => self.accept(shard),
            Event::Arrive(fd) => self.arrive(fd),
            Event::Post(shard, number) => {
                if let Some(completion) = self.posts.remove(&number) {
                    self.post(shard, completion);
                }
            }
            _ => {}
        }
    }

    fn arrive(&mut self, fd: i32) {
        let piece = match self.random.index(3) {
            0 => usize::MAX,
            1 => self.random.magnitude(1, 4_000) as usize,
            _ => self.random.within(1, 200) as usize,
        };
        let Some(socket) = self.sockets.get_mut(&fd) else { return };
        socket.is_arrive_queued = false;
        let count = socket.travelling.len().min(piece);
        let bytes: Vec<u8> = socket.travelling.drain(..count).collect();
        if socket.is_closed {
            // To a descriptor that is gone: the answer is a reset.
            if count > 0 && !socket.is_reset {
                socket.is_reset = true;
                let client = socket.client;
                self.after(10_000, Event::Client(client));
            }
            return;
        }
        if !socket.shut_both {
            socket.inbound.extend(bytes);
        }
        let more = !socket.travelling.is_empty();
        if !more && socket.client_ended {
            socket.end_arrived = true;
        }
        if more {
            self.client_acted(fd);
        }
        self.queue_receive(fd);
    }

    fn accept(&mut self, shard: usize) {
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

    fn receive(&mut self, fd: i32, shared: &Shared) {
        let Some(socket) = self.sockets.get_mut(&fd) else { return };
        socket.is_receive_queued = false;
        if socket.filling.is_some() {
            self.fill(fd);
            return;
        }
        let (shard, Some(receiving)) = (socket.shard, socket.receiving) else { return };
        let token = receiving.token;
        // What travels may arrive at this very moment.
        if receiving.is_cancelled && socket.inbound.is_empty() && !socket.shut_both {
            let bytes = std::mem::take(&mut socket.travelling);
            socket.inbound.extend(bytes);
        }
        let has_bytes = !socket.inbound.is_empty();
        let late =
            receiving.is_cancelled && has_bytes && !receiving.was_late && self.happens(Fault::CancelLate);
        if receiving.is_cancelled && !late {
            self.end_receive(fd, Err(CANCELED));
            return;
        }
        let Some(socket) = self.sockets.get_mut(&fd) else { return };
        if has_bytes && !socket.shut_both {
            if self.rings[shard].free.is_empty() || self.happens(Fault::NoBuffer) {
                self.faults.fired[Fault::NoBuffer as usize] += u64::from(self.rings[shard].free.is_empty());
                self.end_receive(fd, Err(NO_BUFFERS));
                return;
            }
            let most = match self.happens(Fault::ShortReceive) {
                true => self.random.magnitude(1, BUFFER_BYTES as u64) as usize,
                false => BUFFER_BYTES,
            };
            let ends = !late && (self.is_full(shard) || self.happens(Fault::ReceiveEnds));
            let Some(socket) = self.sockets.get_mut(&fd) else { return };
            let Some(mut bytes) = self.rings[shard].free.pop() else { return };
            let length = socket.inbound.len().min(most);
            for (to, from) in bytes.iter_mut().zip(socket.inbound.drain(..length)) {
                *to = from;
            }
            let lease = Lease { bytes, length, shard, kernel: Some(shared.clone()) };
            if let Some(receiving) = &mut socket.receiving {
                receiving.was_late = late;
            }
            if ends {
                socket.receiving = None;
            }
            let completion = Completion::Received { token, result: Ok(Some(lease)), more: !ends };
            self.deliver(shard, completion, fd);
            self.queue_receive(fd);
            return;
        }
        if socket.is_reset && !socket.is_untold {
            self.end_receive(fd, Err(RESET));
        } else if socket.end_arrived || socket.shut_both {
            self.end_receive(fd, Ok(None));
        }
    }

    fn end_receive(&mut self, fd: i32, result: Result<Option<Lease>, Errno>) {
        let Some(socket) = self.sockets.get_mut(&fd) else { return };
        let Some(Receiving { token, .. }) = socket.receiving.take() else { return };
        let shard = socket.shard;
        self.deliver(shard, Completion::Received { token, result, more: false }, fd);
    }

    fn fill(&mut self, fd: i32) {
        let is_short = self.happens(Fault::ShortReceive);
        let short = self.random.magnitude(1, BUFFER_BYTES as u64) as usize;
        let Some(socket) = self.sockets.get_mut(&fd) else { return };
        let shard = socket.shard;
        let Some((_, _, _, is_cancelled)) = &socket.filling else { return };
        let is_over = socket.is_reset || *is_cancelled || socket.end_arrived || socket.shut_both;
        if socket.inbound.is_empty() && !is_over {
            return;
        }
        let Some((token, mut buffer, start, is_cancelled)) = socket.filling.take() else { return };
        let result = if !socket.inbound.is_empty() && !socket.shut_both && !is_cancelled {
            let most = if is_short { short } else { usize::MAX };
            let count = socket.inbound.len().min(buffer.len() - start).min(most);
            for (to, from) in buffer[start..].iter_mut().zip(socket.inbound.drain(..count)) {
                *to = from;
            }
            Ok(count)
        } else if is_cancelled {
            Err(CANCELED)
        } else if socket.is_reset {
            Err(RESET)
        } else {
            Ok(0)
        };
        self.deliver(shard, Completion::Filled { token, result, buffer }, fd);
    }

    fn send(&mut self, fd: i32) {
        let is_short = self.happens(Fault::ShortSend);
        let short = self.random.magnitude(1, 8_192) as usize;
        let Some(socket) = self.sockets.get_mut(&fd) else { return };
        socket.is_send_queued = false;
        let Some((_, buffer, start, is_cancelled)) = &socket.sending else { return };
        let (is_cancelled, wanted) = (*is_cancelled, buffer.len() - start);
        let is_gone = socket.is_reset || socket.is_shut;
        let room = socket.window.saturating_sub(socket.outbound.len());
        if !is_gone && !is_cancelled && room == 0 {
            return;
        }
        let Some((token, buffer, start, _)) = socket.sending.take() else { return };
        let (shard, client) = (socket.shard, socket.client);
        let result = if is_gone {
            Err(PIPE)
        } else if is_cancelled {
            Err(CANCELED)
        } else {
            let count = wanted.min(room).min(if is_short { short } else { usize::MAX });
            socket.outbound.extend(&buffer[start..start + count]);
            Ok(count)
        };
        if result.is_ok() {
            let delay = self.random.magnitude(500, 200_000);
            self.after(delay, Event::Client(client));
        }
        // The kernel has read the buffer; that it is done with it the shard hears later.
        self.deliver(shard, Completion::Sent { token, result, buffer }, 0);
    }

    /// A completion, after a while. Those of one socket's receives stay in order.
    fn deliver(&mut self, shard: usize, completion: Completion<Lease>, fd: i32) {
        let delay = self.delay();
        let mut at_ns = self.now_ns + delay;
        if let Some(socket) = self.sockets.get_mut(&fd) {
            at_ns = at_ns.max(socket.receive_post_ns + 1);
            socket.receive_post_ns = at_ns;
        }
        if matches!(completion, Completion::Accepted { .. }) {
            let listener = &mut self.rings[shard].listener;
            at_ns = at_ns.max(listener.post_ns + 1);
            listener.post_ns = at_ns;
        }
        self.sequence += 1;
        let number = self.sequence;
        self.posts.insert(number, completion);
        self.at(at_ns, Event::Post(shard, number));
    }

    fn post(&mut self, shard: usize, completion: Completion<Lease>) {
        let now_ns = self.now_ns;
        self.trace.line(now_ns, |line| {
            use std::fmt::Write;
            let _ = write!(line, "shard {shard}: {completion:?}", completion = Short(&completion));
        });
        self.rings[shard].completions.push_back(completion);
        self.wake(shard);
    }

    /// Ends a shard's wait, if it waits.
    pub fn wake(&mut self, shard: usize) {
        let ring = &mut self.rings[shard];
        if ring.is_asleep && !std::mem::replace(&mut ring.is_waking, true) {
            ring.turn += 1;
            let turn = ring.turn;
            let delay = self.random.within(200, 20_000);
            self.after(delay, Event::Turn(shard, turn));
        }
    }

    /// Bells that threads have struck.
    pub fn look_at_bells(&mut self) {
        for shard in 0..self.bells.len() {
            if self.bells[shard].take() {
                let delay = self.random.within(500, 50_000);
                self.after(delay, Event::Ring(shard));
            }
        }
    }

    /// Whether the completion queue is full: completions wait behind it, and multishots end.
    fn is_full(&mut self, shard: usize) -> bool {
        let is_full = self.rings[shard].completions.len() >= self.sizes.completions;
        self.faults.fired[Fault::CompletionsFull as usize] += u64::from(is_full);
        is_full || self.happens(Fault::CompletionsFull)
    }

    fn break_contract(&mut self, words: String) {
        self.broken.push(words);
    }

    /// Queues an operation.
    pub fn submit(&mut self, shard: usize, token: Token, operation: Operation) {
        if self.rings[shard].submissions.len() >= self.sizes.submissions
            || self.happens(Fault::SubmissionsFull)
        {
            self.faults.fired[Fault::SubmissionsFull as usize] +=
                u64::from(self.rings[shard].submissions.len() >= self.sizes.submissions);
            self.start_all(shard);
        }
        self.rings[shard].submissions.push((token, operation));
    }

    /// Starts everything that a shard has queued.
    pub fn start_all(&mut self, shard: usize) {
        for (token, operation) in std::mem::take(&mut self.rings[shard].submissions) {
            self.start(shard, token, operation);
        }
    }

    fn open(&mut self, fd: Fd, what: &str) -> Option<&mut Socket> {
        if self.sockets.get(&fd.0).is_none_or(|socket| socket.is_closed) {
            self.break_contract(format!("{what} on descriptor {}, which is not open", fd.0));
            return None;
        }
        self.sockets.get_mut(&fd.0)
    }

    fn start(&mut self, shard: usize, token: Token, operation: Operation) {
        match operation {
            Operation::Accept { .. } => {
                if self.rings[shard].listener.armed.replace(token).is_some() {
                    self.break_contract("two accepts on one listener".to_owned());
                }
                self.queue_accept(shard);
            }
            Operation::Receive { fd } => {
                let Some(socket) = self.open(fd, "a receive") else { return };
                let is_second = socket.receiving.is_some() || socket.filling.is_some();
                socket.receiving = Some(Receiving { token, is_cancelled: false, was_late: false });
                socket.is_untold = false;
                if is_second {
                    self.break_contract(format!("two receives on descriptor {}", fd.0));
                }
                self.queue_receive(fd.0);
            }
            Operation::Fill { fd, buffer, start } => {
                let Some(socket) = self.open(fd, "a fill") else { return };
                let is_second = socket.receiving.is_some() || socket.filling.is_some();
                let has_room = start < buffer.len();
                socket.filling = Some((token, buffer, start, false));
                if is_second || !has_room {
                    self.break_contract(format!("a fill beside a receive, or without room, on {}", fd.0));
                }
                self.queue_receive(fd.0);
            }
            Operation::Send { fd, buffer, start } => {
                let Some(socket) = self.open(fd, "a send") else { return };
                let is_second = socket.sending.is_some();
                socket.sending = Some((token, buffer, start, false));
                if is_second {
                    self.break_contract(format!("two sends on descriptor {}", fd.0));
                }
                self.queue_send(fd.0);
            }
            Operation::Cancel { kind: Kind::Accept } => {
                self.rings[shard].listener.is_cancelled = true;
                self.queue_accept(shard);
            }
            Operation::Cancel { kind } => self.cancel(shard, token, kind),
        }
    }

    fn cancel(&mut self, shard: usize, token: Token, kind: Kind) {
        let mut found = None;
        for (fd, socket) in self.sockets.iter_mut().filter(|(_, socket)| socket.shard == shard) {
            match kind {
                Kind::Receive => {
                    if let Some(receiving) = &mut socket.receiving
                        && receiving.token == token
                    {
                        receiving.is_cancelled = true;
                        found = Some(*fd);
                    }
                }
                Kind::Fill => {
                    if let Some(filling) = &mut socket.filling
                        && filling.0 == token
                    {
                        filling.3 = true;
                        found = Some(*fd);
                    }
                }
                Kind::Send => {
                    if let Some(sending) = &mut socket.sending
                        && sending.0 == token
                    {
                        sending.3 = true;
                        found = Some(*fd);
                    }
                }
                Kind::Accept => {}
            }
        }
        if let Some(fd) = found {
            self.queue_receive(fd);
            self.queue_send(fd);
        }
    }

    /// What a shard finds when it comes out of the kernel. Says whether something is left over.
    pub fn reap(&mut self, shard: usize, most: usize, completions: &mut Vec<Completion<Lease>>) -> bool {
        let is_left_over = self.happens(Fault::LeftOver);
        let most = if is_left_over { most.min(self.random.within(1, 4) as usize) } else { most };
        let ring = &mut self.rings[shard];
        let count = ring.completions.len().min(most);
        completions.extend(ring.completions.drain(..count));
        !ring.completions.is_empty()
    }

    /// Whether completions wait for a shard.
    pub fn has_completions(&self, shard: usize) -> bool {
        !self.rings[shard].completions.is_empty()
    }

    pub fn shutdown(&mut self, fd: Fd, direction: Direction) {
        let Some(socket) = self.sockets.get_mut(&fd.0) else { return };
        socket.is_shut = true;
        if direction == Direction::Both {
            socket.shut_both = true;
            socket.inbound.clear();
        }
        let client = socket.client;
        self.queue_receive(fd.0);
        self.queue_send(fd.0);
        let delay = self.random.magnitude(500, 200_000);
        self.after(delay, Event::Client(client));
    }

    pub fn reset_on_close(&mut self, fd: Fd) {
        if let Some(socket) = self.sockets.get_mut(&fd.0) {
            socket.resets_on_close = true;
        }
    }

    pub fn close(&mut self, shard: usize, fd: Fd) {
        if fd == self.listener_fd(shard) {
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
            return;
        }
        let Some(socket) = self.open(fd, "a close") else { return };
        let is_busy = socket.receiving.is_some() || socket.filling.is_some() || socket.sending.is_some();
        socket.is_closed = true;
        let loses = socket.resets_on_close || !socket.inbound.is_empty() || !socket.travelling.is_empty();
        if loses {
            socket.is_reset = true;
            if socket.resets_on_close {
                socket.outbound.clear();
            }
        }
        socket.is_shut = true;
        let client = socket.client;
        if is_busy {
            self.break_contract(format!("descriptor {} closed before its last completion", fd.0));
        }
        self.after(20_000, Event::Client(client));
    }

    pub fn refuse_handshakes(&mut self, shard: usize) {
        self.rings[shard].listener.is_refusing = true;
    }

    pub fn accept_now(&mut self, shard: usize) -> Option<Fd> {
        self.rings[shard].listener.backlog.pop_front().map(Fd)
    }

    /// All completions that nobody took: they hold buffers, which hold the kernel.
    pub fn take_all(&mut self) -> Vec<Completion<Lease>> {
        let posts = std::mem::take(&mut self.posts).into_values();
        let mut all: Vec<_> = posts.collect();
        self.rings.iter_mut().for_each(|ring| all.extend(ring.completions.drain(..)));
        all
    }

    /// Forgets a connection that both sides have left.
    pub fn forget(&mut self, fd: i32) {
        if self.sockets.get(&fd).is_some_and(|socket| socket.is_closed) {
            self.sockets.remove(&fd);
        }
    }
}

/// A completion in a line of the trace: without its buffer.
struct Short<'a>(&'a Completion<Lease>);

impl std::fmt::Debug for Short<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Completion::Accepted { result, more, .. } => write!(f, "accepted {result:?} more {more}"),
            Completion::Received { token, result, more } => {
                write!(f, "received {}.{} {result:?} more {more}", token.slot, token.generation)
            }
            Completion::Filled { token, result, .. } => {
                write!(f, "filled {}.{} {result:?}", token.slot, token.generation)
            }
            Completion::Sent { token, result, .. } => {
                write!(f, "sent {}.{} {result:?}", token.slot, token.generation)
            }
        }
    }
}
