//! Clients: each makes a few connections, one after the other, with a manner of its own, and looks hard at what it gets.

use crate::answer::{self, Answer};
use crate::truth::Truth;
use ringmill_sim_kernel::faults::Fault;
use ringmill_sim_kernel::kernel::{Event, Kernel};
use ringmill_sim_kernel::random::Random;
use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write;

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
    Manner::Garbage,
];

/// Names of what clients do, in the order of [`Counts::requests`].
pub const REQUESTS: &[&str] =
    &["data", "mark", "echo", "read", "write", "large", "nowhere", "invalid", "garbage", "head", "oversize"];

/// What a request's answer has to be.
#[derive(Clone, Debug)]
enum Wanted {
    /// This status and body.
    Exactly(u16, Vec<u8>),
    /// A row of `cells`; no older than the floor.
    Read { key: i64, floor: u64 },
    /// What was written.
    Write { key: i64, value: String },
    /// This status, and the end of the connection.
    Refused(u16),
}

#[derive(Debug)]
struct Expected {
    what: usize,
    wanted: Wanted,
    has_body: bool,
    uses_store: bool,
}

/// Bytes that a client has written and the network has not taken to the server.
const TRAVELLING_MAX: usize = 64 * 1024;

#[derive(Debug)]
struct Connection {
    fd: i32,
    manner: Manner,
    requests_left: usize,
    pipeline: usize,
    outgoing: VecDeque<u8>,
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
    own: BTreeMap<i64, String>,
}

/// What a client counts.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Answers by what was asked.
    pub requests: Vec<u64>,
    pub connections: u64,
    pub refused: u64,
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

/// What a client needs of the world.
pub struct Around<'a> {
    pub kernel: &'a mut Kernel,
    pub truth: &'a mut Truth,
    pub shards: usize,
    pub is_draining: bool,
    /// Draining has reached its deadline: what is under way is cut off.
    pub is_cut_off: bool,
    /// Fewer places for connections than clients may want.
    pub is_crowded: bool,
    pub keys: u64,
}

/// Which rule was broken, and how.
pub type Broken = (&'static str, String);

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
            expected: VecDeque::new(),
            input: Vec::new(),
            deaf_until_ns: around.kernel.now_ns + deaf_ns,
            has_ended: false,
            may_end: matches!(manner, Manner::Vanishes),
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

    fn judge(&mut self, answer: &Answer<'_>, around: &mut Around<'_>) -> Result<(), Broken> {
        let index = self.index;
        let Some(connection) = &mut self.connection else { return Ok(()) };
        let fd = connection.fd;
        let now_ns = around.kernel.now_ns;
        around.kernel.trace.line(now_ns, |line| {
            let _ =
                write!(line, "client {index} on {fd}: {} with {} bytes", answer.status, answer.body.len());
        });
        let shown = || {
            let body = String::from_utf8_lossy(&answer.body[..answer.body.len().min(120)]).into_owned();
            format!("client {index} on {fd} got {} {body}", answer.status)
        };
        if connection.has_last {
            return Err(("after-the-last", format!("{}, after an answer that ends the connection", shown())));
        }
        connection.has_last |= answer.is_last;
        connection.may_end |= answer.is_last;
        // Turned away at the door.
        if connection.answered == 0 && answer.status == 503 && answer.is_last && around.is_crowded {
            connection.expected.clear();
            self.counts.refused += 1;
            return Ok(());
        }
        let Some(expected) = connection.expected.pop_front() else {
            // Whoever is too slow or drained is told so without having asked.
            if answer.is_last && matches!(answer.status, 408 | 503) {
                return Ok(());
            }
            return Err(("unasked", format!("{}, and had asked nothing", shown())));
        };
        connection.answered += 1;
        self.counts.requests[expected.what] += 1;
        if answer.status == 408 && connection.manner == Manner::Trickle && answer.is_last {
            return Ok(());
        }
        let kernel = &around.kernel;
        let may_fail = [
            Fault::StoreFull,
            Fault::StoreFails,
            Fault::StoreStuck,
            Fault::StoreSlow,
            Fault::Stall,
            Fault::StoreUnsure,
        ];
        let may_fail = may_fail.iter().any(|fault| kernel.faults.is_possible(*fault));
        if expected.uses_store && matches!(answer.status, 503 | 504) && may_fail {
            self.counts.unavailable += 1;
            if let (Wanted::Write { value, .. }, 503) = (&expected.wanted, answer.status) {
                around.truth.refuse(value);
            }
            return Ok(());
        }
        let wrong = |words: String| ("wrong-answer", format!("{}: {words}", shown()));
        match &expected.wanted {
            Wanted::Exactly(status, body) => {
                if answer.status != *status || answer.body != body.as_slice() && expected.has_body {
                    let body = String::from_utf8_lossy(&body[..body.len().min(120)]).into_owned();
                    return Err(wrong(format!("{status} {body} was due ({})", REQUESTS[expected.what])));
                }
            }
            Wanted::Refused(status) => {
                if answer.status != *status || !answer.is_last {
                    return Err(wrong(format!("{status} and the end of the connection were due")));
                }
            }
            Wanted::Write { key, value } => {
                let due = format!(r#"{{"id":{key},"value":"{value}"}}"#);
                if answer.status != 200 || answer.body != due.as_bytes() {
                    return Err(wrong(format!("200 {due} was due")));
                }
                around.truth.acknowledge(*key, value).map_err(|words| ("write-lost", words))?;
                connection.own.insert(*key, value.clone());
            }
            Wanted::Read { key, floor } => {
                let value = match answer.status {
                    404 => None,
                    200 => {
                        let text = String::from_utf8_lossy(answer.body).into_owned();
                        let start = format!(r#"{{"id":{key},"value":""#);
                        let value = text.strip_prefix(&start).and_then(|rest| rest.strip_suffix("\"}"));
                        Some(value.ok_or_else(|| wrong(format!("a row of key {key} was due")))?.to_owned())
                    }
                    _ => return Err(wrong(format!("a row of key {key} was due"))),
                };
                let own = connection.own.get(key).map_or(0, |value| around.truth.commit_of(value));
                around
                    .truth
                    .saw(*key, value.as_deref(), own.max(*floor))
                    .map_err(|words| ("stale", format!("client {index} on {fd}: {words}")))?;
            }
        }
        Ok(())
    }

    fn look_at_end(&mut self, around: &mut Around<'_>) -> Result<(), Broken> {
        let Some(connection) = &self.connection else { return Ok(()) };
        let fd = connection.fd;
        let Some(socket) = around.kernel.sockets.get(&fd) else {
            self.connection = None;
            return Ok(());
        };
        let is_over = socket.is_reset || socket.is_shut && socket.outbound.is_empty();
        if !is_over {
            return Ok(());
        }
        let is_excused = connection.may_end
            || socket.was_cut
            || around.is_draining
            || around.is_crowded && connection.answered == 0
            || connection.has_ended && connection.expected.is_empty()
            // Whoever takes his time over reading or sending may be given up.
            || matches!(connection.manner, Manner::Deaf | Manner::Trickle | Manner::Vanishes);
        if !is_excused {
            let how = if socket.is_reset { "reset" } else { "ended" };
            return Err((
                "ended-without-reason",
                format!(
                    "client {}: {fd} ({:?}) was {how} with {} requests unanswered",
                    self.index,
                    connection.manner,
                    connection.expected.len()
                ),
            ));
        }
        if !connection.input.is_empty() && !socket.is_reset && !socket.was_cut && !around.is_cut_off {
            return Err((
                "half-an-answer",
                format!(
                    "client {}: {fd} ended within an answer of {} bytes",
                    self.index,
                    connection.input.len()
                ),
            ));
        }
        let has_ended = connection.has_ended;
        if !has_ended {
            if let Some(socket) = around.kernel.sockets.get_mut(&fd) {
                socket.client_ended = true;
            }
            around.kernel.client_acted(fd);
        }
        around.kernel.forget(fd);
        self.connection = None;
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
        let piece = match manner {
            Manner::Trickle => self.random.within(1, 20) as usize,
            _ => self.random.magnitude(1, 100_000) as usize,
        };
        let Some(socket) = around.kernel.sockets.get_mut(&fd) else { return };
        let room = TRAVELLING_MAX.saturating_sub(socket.travelling.len());
        let count = connection.outgoing.len().min(piece).min(room);
        socket.travelling.extend(connection.outgoing.drain(..count));
        let says_end = !connection.has_ended
            && connection.outgoing.is_empty()
            && connection.requests_left == 0
            && (connection.expected.is_empty() || manner == Manner::EndsEarly);
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
            around.kernel.reset(fd);
        }
    }

    /// Adds requests to what is to be written.
    fn ask(&mut self, around: &mut Around<'_>) {
        let Some(connection) = &mut self.connection else { return };
        while connection.requests_left > 0
            && connection.expected.len() < connection.pipeline
            && connection.outgoing.len() < TRAVELLING_MAX
            && !connection.has_last
        {
            connection.requests_left -= 1;
            self.marks += 1;
            let mark = format!("m{}-{}", self.index, self.marks);
            let is_last = connection.requests_left == 0;
            let mut what = self.random.index(8);
            if is_last && connection.manner == Manner::Garbage {
                what = if self.random.is(0.5) { 8 } else { 10 };
            } else if self.random.is(0.05) && connection.answered > 0 {
                // Not at first: who is turned away gets a body, since nothing of the request was read.
                what = 9;
            }
            let key = self.random.below(around.keys) as i64;
            let ok = |body: String| Wanted::Exactly(200, body.into_bytes());
            let mut has_body = true;
            let (text, body, wanted): (String, Vec<u8>, Wanted) = match what {
                0 => ("GET /data".into(), vec![], ok(r#"{"data":"here"}"#.into())),
                1 => (format!("GET /mark/{mark}"), vec![], ok(format!(r#"{{"m":"{mark}"}}"#))),
                2 => {
                    let length = self.random.magnitude(1, 200_000) as usize;
                    let body: Vec<u8> = mark.bytes().chain(*b" ").cycle().take(length).collect();
                    ("POST /echo".into(), body.clone(), Wanted::Exactly(200, body))
                }
                3 => {
                    let floor = around.truth.floor(key);
                    (format!("GET /cells/{key}"), vec![], Wanted::Read { key, floor })
                }
                4 => {
                    around.truth.mean(key, &mark);
                    let body = format!(r#"{{"value":"{mark}"}}"#).into_bytes();
                    (format!("POST /put/{key}"), body, Wanted::Write { key, value: mark.clone() })
                }
                5 => {
                    let n = self.random.magnitude(1, 40_000);
                    let fill = "x".repeat(2 * n as usize);
                    let body = format!(r#"{{"m":"{mark}","fill":"{fill}"}}"#);
                    (format!("GET /large/{n}/{mark}"), vec![], ok(body))
                }
                6 => {
                    let body = br#"{"error":"Not found"}"#.to_vec();
                    (format!("GET /nowhere/{mark}"), vec![], Wanted::Exactly(404, body))
                }
                7 => {
                    let body =
                        br#"{"error":"Validation failed","errors":{"value":["is required"]}}"#.to_vec();
                    (format!("POST /put/{key}"), b"{}".to_vec(), Wanted::Exactly(400, body))
                }
                8 => {
                    has_body = true;
                    ("GET /\0".into(), vec![], Wanted::Refused(400))
                }
                10 => {
                    // More than may be sent, and it looks like requests.
                    let smuggled = b"GET /data HTTP/1.1\r\nHost: sim\r\n\r\n"
                        .repeat(self.random.within(1, 900) as usize);
                    ("POST /echo".into(), smuggled, Wanted::Refused(413))
                }
                _ => {
                    has_body = false;
                    (format!("HEAD /mark/{mark}"), vec![], ok(String::new()))
                }
            };
            let mut head = format!("{text} HTTP/1.1\r\nHost: sim\r\n");
            let is_json = matches!(what, 4 | 7);
            if is_json {
                head.push_str("Content-Type: application/json\r\n");
            }
            let mut request = Vec::new();
            let is_chunked = !body.is_empty() && self.random.is(0.4) && what != 10;
            if is_chunked {
                head.push_str("Transfer-Encoding: chunked\r\n\r\n");
                request.extend(head.bytes());
                let mut rest = body.as_slice();
                while !rest.is_empty() {
                    let count = (self.random.magnitude(1, 20_000) as usize).min(rest.len());
                    request.extend(format!("{count:x}\r\n").bytes());
                    request.extend(&rest[..count]);
                    request.extend(b"\r\n");
                    rest = &rest[count..];
                }
                request.extend(b"0\r\n\r\n");
            } else {
                if !body.is_empty() {
                    let length = if what == 10 { 10_000_000 } else { body.len() };
                    let _ = write!(head, "Content-Length: {length}\r\n");
                }
                head.push_str("\r\n");
                request.extend(head.bytes());
                request.extend(&body);
            }
            connection.outgoing.extend(request);
            let uses_store = matches!(what, 1 | 3 | 4 | 5 | 9);
            connection.expected.push_back(Expected { what, wanted, has_body, uses_store });
        }
    }
}
