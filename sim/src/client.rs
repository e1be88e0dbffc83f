//! Clients: each makes a few connections, one after the other, with a manner of its own, and looks hard at what it gets.

mod ask;
mod judge;

pub(crate) use judge::rows;

pub use ask::REQUESTS;

use crate::answer;
use crate::answer::FROM;
use crate::truth::Truth;
use ask::Expected;
use ringmill_sim_kernel::faults::Fault;
use ringmill_sim_kernel::kernel::{Event, Kernel};
use ringmill_sim_kernel::random::Random;
use std::collections::{BTreeMap, VecDeque};

/// How a connection's client behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Sends, reads, goes.
    Plain,
    /// Sends a few bytes at a time.
    Trickle,
    /// Does not read for a while.
    Deaf,
    /// Resets the connection in the midst of it.
    Vanishes,
    /// Ends its side with the last request, and reads on.
    EndsEarly,
    /// Stops amid a request, for nearly as long as it may or for longer.
    Slow,
    /// Sends something that is no request among those that are.
    Garbage,
}

const MANNERS: &[Manner] = &[
    Manner::Plain,
    Manner::Plain,
    Manner::Plain,
    Manner::Trickle,
    Manner::Deaf,
    Manner::Vanishes,
    Manner::EndsEarly,
    Manner::Slow,
    Manner::Slow,
    Manner::Garbage,
];

/// Bytes that a client has written and the network has not taken to the server.
const TRAVELLING_MAX: usize = 64 * 1024;

#[derive(Debug)]
struct Connection {
    fd: i32,
    manner: Manner,
    requests_left: usize,
    pipeline: usize,
    outgoing: VecDeque<u8>,
    /// Bytes that the network was given.
    written: u64,
    /// How long it stays when it has got everything, and until when, once it has.
    stay_ns: u64,
    stays_until_ns: u64,
    /// Until when a slow one writes nothing.
    slow_until_ns: u64,
    expected: VecDeque<Expected>,
    input: Vec<u8>,
    /// Until when nothing is read.
    deaf_until_ns: u64,
    has_ended: bool,
    /// The last answer said so, or the client has given a reason.
    may_end: bool,
    answered: usize,
    /// An answer has said that it is the last.
    has_last: bool,
    /// The newest acknowledged write of this connection, by key.
    own: BTreeMap<i64, u64>,
}

/// What a client counts.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Answers by what was asked.
    pub requests: Vec<u64>,
    pub connections: u64,
    pub refused: u64,
    /// Answers that were kept, by where they came from.
    pub from: [u64; FROM.len()],
    /// 503 and 504.
    pub unavailable: u64,
}

/// One client.
#[derive(Debug)]
pub struct Client {
    index: usize,
    random: Random,
    connections_left: usize,
    requests_most: usize,
    connection: Option<Connection>,
    next_act_ns: u64,
    marks: u64,
    pub is_done: bool,
    pub counts: Counts,
}

/// Of the file, nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    pub head_ns: u64,
    pub body_ns: u64,
    pub idle_ns: u64,
}

/// What a client needs of the world.
pub struct Around<'a> {
    pub kernel: &'a mut Kernel,
    pub truth: &'a mut Truth,
    pub shards: usize,
    /// Draining has reached its deadline: what is under way is cut off.
    pub is_cut_off: bool,
    /// Fewer places for connections than clients may want.
    pub is_crowded: bool,
    /// Fewer requests may be under way to control than clients may want.
    pub is_narrow: bool,
    /// When draining was asked for.
    pub drain_asked_ns: Option<u64>,
    pub timeouts: Timeouts,
    pub keys: u64,
}

/// Which rule was broken, and how.
pub type Broken = (&'static str, String);

impl Connection {
    /// So many bytes more were given to the network.
    fn note_written(&mut self, count: u64, now_ns: u64) {
        self.written += count;
        for (index, expected) in self.expected.iter_mut().enumerate() {
            if expected.begins_at < self.written && expected.begun_ns.is_none() {
                expected.begun_ns = Some(now_ns);
                expected.is_alone = index == 0;
            }
            if expected.head_ends_at <= self.written && expected.head_ns.is_none() {
                expected.head_ns = Some(now_ns);
            }
            if expected.ends_at <= self.written && expected.end_ns.is_none() {
                expected.end_ns = Some(now_ns);
            }
        }
    }
}

impl Client {
    pub fn new(index: usize, seed: u64, connections: usize, requests_most: usize) -> Client {
        Client {
            index,
            random: Random::stream(seed, "client", index),
            connections_left: connections,
            requests_most,
            connection: None,
            next_act_ns: 0,
            marks: 0,
            is_done: false,
            counts: Counts { requests: vec![0; REQUESTS.len()], ..Counts::default() },
        }
    }

    /// What it waits for, in words.
    pub fn state(&self) -> String {
        match &self.connection {
            None => "between connections".to_owned(),
            Some(connection) => format!(
                "on {} ({:?}) with {} unanswered, the first {:?}, {} bytes to write, {} bytes read",
                connection.fd,
                connection.manner,
                connection.expected.len(),
                connection.expected.front().map(|expected| REQUESTS[expected.what]),
                connection.outgoing.len(),
                connection.input.len()
            ),
        }
    }

    /// Acts: once for each event.
    pub fn act(&mut self, around: &mut Around<'_>) -> Result<(), Broken> {
        if self.is_done {
            return Ok(());
        }
        if self.connection.is_none() && !self.connect(around) {
            self.is_done = true;
            return Ok(());
        }
        self.read(around)?;
        if self.connection.is_some() {
            self.look_at_end(around)?;
        }
        if self.connection.is_some() {
            self.write(around);
        }
        self.come_back(around);
        Ok(())
    }

    /// One timer of its own at a time.
    fn come_back(&mut self, around: &mut Around<'_>) {
        let now_ns = around.kernel.now_ns;
        if self.next_act_ns > now_ns {
            return;
        }
        let is_writing = self.connection.as_ref().is_none_or(|connection| !connection.outgoing.is_empty());
        let pause = match is_writing {
            true => self.random.magnitude(1_000, 2_000_000),
            false => self.random.magnitude(1_000_000, 400_000_000),
        };
        self.next_act_ns = now_ns + pause;
        around.kernel.at(self.next_act_ns, Event::Client(self.index));
    }

    fn connect(&mut self, around: &mut Around<'_>) -> bool {
        if self.connections_left == 0 {
            return false;
        }
        self.connections_left -= 1;
        let first = self.random.index(around.shards);
        let window = match self.random.index(3) {
            0 => self.random.magnitude(64, 4_096) as usize,
            _ => 256 * 1024,
        };
        let listening = (0..around.shards).map(|n| (first + n) % around.shards);
        let Some(shard) = listening.into_iter().find(|shard| around.kernel.is_listening(*shard)) else {
            return false;
        };
        let Some(fd) = around.kernel.connect(shard, self.index, window) else { return false };
        let manner = MANNERS[self.random.index(MANNERS.len())];
        let deaf_ns =
            if manner == Manner::Deaf { self.random.magnitude(1_000_000, 5_000_000_000) } else { 0 };
        self.counts.connections += 1;
        self.connection = Some(Connection {
            fd,
            manner,
            requests_left: self.random.within(1, self.requests_most as u64) as usize,
            pipeline: if self.random.is(0.5) { 1 } else { self.random.within(2, 40) as usize },
            outgoing: VecDeque::new(),
            written: 0,
            slow_until_ns: 0,
            stay_ns: if self.random.is(0.5) { self.random.magnitude(1_000_000, 3_000_000_000) } else { 0 },
            stays_until_ns: 0,
            expected: VecDeque::new(),
            input: Vec::new(),
            deaf_until_ns: around.kernel.now_ns + deaf_ns,
            has_ended: false,
            may_end: false,
            answered: 0,
            has_last: false,
            own: BTreeMap::new(),
        });
        true
    }

    fn read(&mut self, around: &mut Around<'_>) -> Result<(), Broken> {
        let Some(connection) = &mut self.connection else { return Ok(()) };
        if around.kernel.now_ns < connection.deaf_until_ns {
            return Ok(());
        }
        let most = if self.random.is(0.5) { usize::MAX } else { self.random.magnitude(1, 10_000) as usize };
        let Some(socket) = around.kernel.sockets.get_mut(&connection.fd) else { return Ok(()) };
        let count = socket.outbound.len().min(most);
        connection.input.extend(socket.outbound.drain(..count));
        let is_more = !socket.outbound.is_empty();
        if count > 0 {
            around.kernel.client_read(connection.fd);
        }
        if is_more {
            let delay = self.random.magnitude(1_000, 100_000);
            around.kernel.after(delay, Event::Client(self.index));
        }
        let mut input = std::mem::take(&mut connection.input);
        let mut used = 0;
        while let Some(connection) = &self.connection {
            let has_body = connection.expected.front().is_none_or(|expected| expected.has_body);
            let parsed = answer::parse(&input[used..], has_body)
                .map_err(|words| ("no-answer", format!("client {}: {words}", self.index)))?;
            let Some((answer, length)) = parsed else { break };
            used += length;
            if answer.status == 100 {
                continue;
            }
            self.judge(&answer, around)?;
        }
        if let Some(connection) = &mut self.connection {
            input.drain(..used);
            connection.input = input;
        }
        Ok(())
    }

    fn write(&mut self, around: &mut Around<'_>) {
        let Some(connection) = &self.connection else { return };
        let (fd, manner) = (connection.fd, connection.manner);
        if around.kernel.happens(Fault::Reset) {
            if let Some(socket) = around.kernel.sockets.get_mut(&fd) {
                socket.was_cut = true;
            }
            around.kernel.reset(fd);
            return;
        }
        self.ask(around);
        let Some(connection) = &mut self.connection else { return };
        if !connection.expected.is_empty() {
            connection.stays_until_ns = around.kernel.now_ns + connection.stay_ns;
        }
        let now_ns = around.kernel.now_ns;
        if now_ns < connection.slow_until_ns {
            return;
        }
        let stops = manner == Manner::Slow && self.random.is(0.3);
        let piece = match manner {
            Manner::Slow if stops => self.random.within(1, 90) as usize,
            Manner::Trickle => self.random.within(1, 20) as usize,
            _ => self.random.magnitude(1, 100_000) as usize,
        };
        let Some(socket) = around.kernel.sockets.get_mut(&fd) else { return };
        let room = TRAVELLING_MAX.saturating_sub(socket.travelling.len());
        let count = connection.outgoing.len().min(piece).min(room);
        socket.travelling.extend(connection.outgoing.drain(..count));
        connection.note_written(count as u64, now_ns);
        if stops && !connection.outgoing.is_empty() {
            let timeouts = [around.timeouts.head_ns, around.timeouts.body_ns];
            let timeout_ns = timeouts[self.random.index(2)];
            let percent =
                if self.random.is(0.5) { self.random.within(50, 95) } else { self.random.within(150, 300) };
            connection.slow_until_ns = now_ns + timeout_ns / 100 * percent;
        }
        let says_end = !connection.has_ended
            && connection.outgoing.is_empty()
            && connection.requests_left == 0
            && (connection.expected.is_empty() && now_ns >= connection.stays_until_ns
                || manner == Manner::EndsEarly);
        if says_end {
            connection.has_ended = true;
            socket.client_ended = true;
        }
        let vanishes = manner == Manner::Vanishes && !connection.expected.is_empty();
        if count > 0 || says_end {
            around.kernel.client_acted(fd);
        }
        // Right behind what it has just written.
        if vanishes && self.random.is(0.4) {
            connection.may_end = true;
            around.kernel.reset(fd);
        }
    }
}
