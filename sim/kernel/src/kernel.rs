//! The simulated kernel: sockets in memory, each core's queues, and virtual time. It does what Linux does with the same
//! operations, in an order and in pieces that the run's seed draws.
//!
//! Nothing in it asks what time it is: everything that will happen stands in one queue, by instant and then by the order
//! in which it was queued.

use crate::faults::{Fault, Faults};
use crate::lease::{Lease, SCRIBBLE};
use crate::listeners::Listener;
use crate::random::Random;
use crate::rings::Ring;
use crate::sockets::Socket;
use crate::trace::Trace;
use ringmill_reactor::{Completion, Errno, Fd, Strike};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Microseconds since 1970 at a run's beginning: 2026-11-24T02:00:00Z.
pub const START_UNIX_US: u64 = 1_795_485_600_000_000;
/// Where virtual time begins.
pub const START_NS: u64 = 1_000_000_000;
/// Bytes of a receive buffer.
pub const BUFFER_BYTES: usize = 4096;

pub(crate) const CANCELED: Errno = Errno(125);
pub(crate) const NO_BUFFERS: Errno = Errno(105);
pub(crate) const INTERRUPTED: Errno = Errno(4);
pub(crate) const RESET: Errno = Errno(104);
pub(crate) const PIPE: Errno = Errno(32);
pub(crate) const TOO_MANY_FILES: Errno = Errno(24);

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
    /// The handshake of a connection ends.
    Handshake(i32),
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

/// What a shard of a run may hold at the same time.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    pub submissions: usize,
    pub completions: usize,
    pub buffers: usize,
}

/// When things happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// After pauses that are drawn.
    Drawn,
    /// In the turn in which they begin.
    AtOnce,
}

/// The kernel of all cores.
pub struct Kernel {
    pub now_ns: u64,
    pub(crate) queue: BTreeMap<(u64, u64), Event>,
    pub(crate) sequence: u64,
    pub random: Random,
    pub faults: Faults,
    pub rings: Vec<Ring>,
    pub(crate) sizes: Sizes,
    pub(crate) pace: Pace,
    /// Bytes that a receive brings and that a send takes at most.
    pub(crate) receive_bytes_max: usize,
    pub(crate) send_bytes_max: usize,
    pub sockets: BTreeMap<i32, Socket>,
    pub(crate) next_fd: i32,
    pub(crate) posts: BTreeMap<u64, (i32, Completion<Lease>)>,
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
            pace: Pace::Drawn,
            receive_bytes_max: BUFFER_BYTES,
            send_bytes_max: usize::MAX,
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
        self.now_ns = self.now_ns.max(at_ns);
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

    pub(crate) fn delay(&mut self) -> u64 {
        match self.happens(Fault::LateCompletion) {
            true => self.pause_of_any_size(1_000, 50_000_000),
            false => self.pause(100, 5_000),
        }
    }

    /// Nanoseconds from `least` to `most`; none when everything happens at once.
    pub(crate) fn pause(&mut self, least: u64, most: u64) -> u64 {
        match self.pace {
            Pace::Drawn => self.random.within(least, most),
            Pace::AtOnce => 0,
        }
    }

    /// The same, short ones as often as long ones.
    pub(crate) fn pause_of_any_size(&mut self, least: u64, most: u64) -> u64 {
        match self.pace {
            Pace::Drawn => self.random.magnitude(least, most),
            Pace::AtOnce => 0,
        }
    }

    /// Has everything happen that is due now.
    pub(crate) fn catch_up(&mut self, shared: &Shared) {
        while self.queue.first_key_value().is_some_and(|((at_ns, _), _)| *at_ns <= self.now_ns) {
            let Some(event) = self.next_event() else { return };
            self.act(event, shared);
        }
    }

    /// What does not concern shards, clients, the store or control.
    pub fn act(&mut self, event: Event, shared: &Shared) {
        match event {
            Event::Receive(fd) => self.receive(fd, shared),
            Event::Send(fd) => self.send(fd),
            Event::Handshake(fd) => self.end_handshake(fd),
            Event::Accept(shard) => self.accept(shard),
            Event::Arrive(fd) => self.arrive(fd),
            Event::Post(shard, number) => {
                if let Some((fd, completion)) = self.posts.remove(&number) {
                    self.post(shard, fd, completion);
                }
            }
            _ => {}
        }
    }

    /// Bells that threads have struck.
    pub fn look_at_bells(&mut self) {
        for shard in 0..self.bells.len() {
            if self.bells[shard].take() {
                let delay = self.pause(500, 50_000);
                self.after(delay, Event::Ring(shard));
            }
        }
    }

    pub(crate) fn break_contract(&mut self, words: String) {
        self.broken.push(words);
    }

    /// close(2).
    pub fn close(&mut self, shard: usize, fd: Fd) {
        if fd == self.listener_fd(shard) {
            self.close_listener(shard);
        } else {
            self.close_socket(fd);
        }
    }
}
