//! Where a scenario is played: a shard's driver, and the other ends of its connections.

use crate::linux::Linux;
use crate::simulated::Simulation;
use ringmill_reactor::{Completion, Driver, Errno, Fd, Kind, Operation, Token, Wait};
use std::collections::{BTreeSet, VecDeque};

/// Seeds that each scenario is played under, half of them without faults.
const SEEDS: u64 = 400;
/// How often it is played on Linux.
const ROUNDS: usize = 8;
/// Turns after which something that has not come will not come.
const TURNS_MAX: usize = 20_000;
/// Times [`Outside::quiet_ns`] without anything, after which nothing will come.
const QUIET: u64 = 4;

/// How a connection came to its end, as the other side sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    Ended,
    Reset,
}

/// Everything outside the driver. Other ends are numbered.
pub(crate) trait Outside {
    type Driver: Driver<Message = ()>;

    /// Enters, and comes out with what there is.
    fn enter(
        &mut self,
        driver: &mut Self::Driver,
        wait: Wait,
        completions: &mut Vec<Completion<<Self::Driver as Driver>::Buffer>>,
    );
    /// How long a turn may wait when nothing is expected, nanoseconds.
    fn quiet_ns(&self) -> u64;
    fn listener(&self) -> Fd;
    /// Begins to connect, with room for few bytes or for many; `false`: nobody takes part.
    fn connect(&mut self, has_room: bool) -> bool;
    fn write(&mut self, peer: usize, bytes: &[u8]);
    /// Reads what is there, and says whether it was the last.
    fn read(&mut self, peer: usize, bytes: &mut Vec<u8>) -> Option<Over>;
    /// Writes no more.
    fn end(&mut self, peer: usize);
    fn reset(&mut self, peer: usize);
    /// Strikes the core's bell from another thread while it waits.
    fn strike_soon(&mut self);
}

/// A completion, without the driver's types.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Seen {
    Accepted(Result<Fd, i32>, bool),
    Received(Result<Option<Vec<u8>>, i32>, bool),
    Filled(Result<usize, i32>, Vec<u8>),
    Sent(Result<usize, i32>, Vec<u8>),
}

/// Without the bytes.
impl std::fmt::Debug for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Seen::Accepted(result, more) => write!(f, "accepted {result:?}, more {more}"),
            Seen::Received(result, more) => {
                let result = result.as_ref().map(|bytes| bytes.as_ref().map(Vec::len));
                write!(f, "received {result:?}, more {more}")
            }
            Seen::Filled(result, _) => write!(f, "filled {result:?}"),
            Seen::Sent(result, _) => write!(f, "sent {result:?}"),
        }
    }
}

pub(crate) struct Stage<O: Outside> {
    pub(crate) driver: O::Driver,
    pub(crate) outside: O,
    seen: VecDeque<(Token, Seen)>,
    /// Received buffers that are not given back.
    pub(crate) held: Vec<<O::Driver as Driver>::Buffer>,
    pub(crate) holds: bool,
    pub(crate) peers: usize,
    is_accepting: bool,
}

/// What the accept of a scenario carries.
pub(crate) const ACCEPT: Token = Token { slot: 0, generation: 0 };

/// What the connection of this number carries.
pub(crate) fn token(number: usize) -> Token {
    Token { slot: number as u32 + 1, generation: 7 }
}

/// As errno(3) calls it.
pub(crate) fn name(errno: i32) -> String {
    match errno {
        104 => "ECONNRESET".to_owned(),
        32 => "EPIPE".to_owned(),
        125 => "ECANCELED".to_owned(),
        105 => "ENOBUFS".to_owned(),
        other => Errno(other).to_string(),
    }
}

impl<O: Outside> Stage<O> {
    pub(crate) fn new(driver: O::Driver, outside: O) -> Stage<O> {
        Stage {
            driver,
            outside,
            seen: VecDeque::new(),
            held: Vec::new(),
            holds: false,
            peers: 0,
            is_accepting: false,
        }
    }

    /// One turn; whether something was seen.
    pub(crate) fn turn(&mut self) -> bool {
        let now_ns = self.driver.now().monotonic_ns;
        let wait = Wait::Until(now_ns + self.outside.quiet_ns());
        let mut completions = Vec::new();
        self.outside.enter(&mut self.driver, wait, &mut completions);
        self.take(completions)
    }

    /// What was seen in a turn.
    pub(crate) fn take(&mut self, completions: Vec<Completion<<O::Driver as Driver>::Buffer>>) -> bool {
        let is_any = !completions.is_empty();
        for completion in completions {
            let seen = match completion {
                Completion::Accepted { token, result, more } => {
                    self.is_accepting &= more;
                    (token, Seen::Accepted(result.map_err(|errno| errno.0), more))
                }
                Completion::Received { token, result, more } => {
                    let result = result.map(|buffer| {
                        buffer.map(|buffer| {
                            let bytes = buffer.to_vec();
                            self.held.extend(self.holds.then_some(buffer));
                            bytes
                        })
                    });
                    (token, Seen::Received(result.map_err(|errno| errno.0), more))
                }
                Completion::Filled { token, result, buffer } => {
                    (token, Seen::Filled(result.map_err(|errno| errno.0), buffer))
                }
                Completion::Sent { token, result, buffer } => {
                    (token, Seen::Sent(result.map_err(|errno| errno.0), buffer))
                }
            };
            self.seen.push_back(seen);
        }
        is_any
    }

    /// Turns until it is so.
    pub(crate) fn until<R>(&mut self, what: &str, mut look: impl FnMut(&mut Self) -> Option<R>) -> R {
        for _ in 0..TURNS_MAX {
            if let Some(result) = look(self) {
                return result;
            }
            self.turn();
        }
        panic!("never: {what}");
    }

    /// Turns until nothing happens any more.
    pub(crate) fn settle(&mut self) {
        let mut last_ns = self.driver.now().monotonic_ns;
        while self.driver.now().monotonic_ns < last_ns + QUIET * self.outside.quiet_ns() {
            if self.turn() {
                last_ns = self.driver.now().monotonic_ns;
            }
        }
    }

    /// The next completion of a token.
    pub(crate) fn next(&mut self, of: Token) -> Seen {
        self.until("a completion", |stage| stage.take_seen(of))
    }

    /// The next completion of a token, if it has come.
    pub(crate) fn take_seen(&mut self, of: Token) -> Option<Seen> {
        let index = self.seen.iter().position(|(token, _)| *token == of)?;
        self.seen.remove(index).map(|(_, seen)| seen)
    }

    pub(crate) fn submit(&mut self, token: Token, operation: Operation) {
        self.driver.submit(token, operation);
    }

    pub(crate) fn cancel(&mut self, token: Token, kind: Kind) {
        self.submit(token, Operation::Cancel { kind });
    }

    pub(crate) fn accept(&mut self) {
        self.is_accepting = true;
        let listener = self.outside.listener();
        self.submit(ACCEPT, Operation::Accept { listener });
    }

    /// The next connection that is accepted; an accept that ended with it is armed again.
    pub(crate) fn accepted(&mut self) -> Fd {
        if !self.is_accepting {
            self.accept();
        }
        match self.next(ACCEPT) {
            Seen::Accepted(Ok(fd), _) => fd,
            other => panic!("{other:?}"),
        }
    }

    /// A connection, by its number, and its descriptor.
    pub(crate) fn connection(&mut self, has_room: bool) -> (usize, Fd) {
        assert!(self.outside.connect(has_room), "somebody listens");
        let fd = self.accepted();
        self.peers += 1;
        (self.peers - 1, fd)
    }

    /// Receives until the last completion: its bytes, and how it ended. What ends without a reason, or for want of buffers, is
    /// armed again.
    pub(crate) fn receive_all(&mut self, number: usize, fd: Fd) -> (Vec<u8>, String) {
        self.submit(token(number), Operation::Receive { fd });
        self.received(number, fd)
    }

    /// The same of a receive that is armed.
    pub(crate) fn received(&mut self, number: usize, fd: Fd) -> (Vec<u8>, String) {
        let mut bytes = Vec::new();
        loop {
            match self.next(token(number)) {
                Seen::Received(Ok(Some(more_bytes)), more) => {
                    bytes.extend(more_bytes);
                    if !more {
                        self.submit(token(number), Operation::Receive { fd });
                    }
                }
                Seen::Received(Err(105), false) => self.submit(token(number), Operation::Receive { fd }),
                Seen::Received(Ok(None), false) => return (bytes, "the end".to_owned()),
                Seen::Received(Err(errno), false) => return (bytes, name(errno)),
                other => panic!("{other:?}"),
            }
        }
    }

    /// Reads at the other end until it is over, or until so many bytes are there.
    pub(crate) fn read(&mut self, peer: usize, most: usize) -> (Vec<u8>, Option<Over>) {
        let mut bytes = Vec::new();
        self.until("bytes or the end at the other side", |stage| {
            let over = stage.outside.read(peer, &mut bytes);
            (over.is_some() || bytes.len() >= most).then_some(over)
        })
        .pipe(|over| (bytes, over))
    }

    /// Sends until everything is sent; a send that was short goes on.
    pub(crate) fn send_all(&mut self, number: usize, fd: Fd, bytes: &[u8]) -> Result<(), i32> {
        let mut start = 0;
        while start < bytes.len() {
            self.submit(token(number), Operation::Send { fd, buffer: bytes.to_vec(), start });
            match self.next(token(number)) {
                Seen::Sent(result, buffer) => {
                    assert!(buffer == bytes, "the buffer comes back as it was given");
                    start += result?;
                }
                other => panic!("{other:?}"),
            }
        }
        Ok(())
    }
}

trait Pipe: Sized {
    fn pipe<R>(self, then: impl FnOnce(Self) -> R) -> R {
        then(self)
    }
}

impl<T> Pipe for T {}

/// A line that may come of a scenario.
pub(crate) enum May {
    /// Both kernels show it.
    Both(&'static str),
    /// The simulation shows it; Linux so seldom that no test waits for it, for this reason.
    Simulated(&'static str, &'static str),
}

/// Plays a scenario on both kernels.
pub(crate) fn check(
    simulated: fn(&mut Stage<Simulation>) -> String,
    linux: fn(&mut Stage<Linux>) -> String,
    may: &[May],
) {
    let may_come = |line: &str| {
        may.iter().any(|may| match may {
            May::Both(each) | May::Simulated(each, _) => *each == line,
        })
    };
    let mut shown = BTreeSet::new();
    for seed in 0..SEEDS {
        let line = Simulation::play(seed, seed % 2 == 0, simulated);
        assert!(may_come(&line), "simulated, seed {seed}: {line:?} is none of those that may come");
        shown.insert(line);
    }
    let mut on_linux = BTreeSet::new();
    for _ in 0..ROUNDS {
        let line = Linux::play(linux);
        assert!(may_come(&line), "Linux: {line:?} is none of those that may come");
        on_linux.insert(line);
    }
    for each in may {
        match each {
            May::Both(line) => {
                assert!(shown.contains(*line), "the simulation never shows {line:?}, only {shown:?}");
                assert!(on_linux.contains(*line), "Linux does not show {line:?}, only {on_linux:?}");
            }
            May::Simulated(line, why) => {
                assert!(!why.is_empty());
                assert!(shown.contains(*line), "the simulation never shows {line:?}, only {shown:?}");
            }
        }
    }
}

/// A test for each scenario: its name, and the lines that may come of it.
macro_rules! scenarios {
    ($($(#[doc = $doc:literal])* $name:ident: [$($may:expr),+ $(,)?];)+) => {$(
        $(#[doc = $doc])*
        #[test]
        fn $name() {
            crate::stage::check(play::$name, play::$name, &[$($may),+]);
        }
    )+};
}

pub(crate) use scenarios;
