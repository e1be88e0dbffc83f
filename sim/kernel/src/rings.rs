//! Each core's queues: submissions that start, completions that arrive, receive buffers that are free.

use crate::faults::Fault;
use crate::kernel::{Event, Kernel};
use crate::lease::Lease;
use crate::listeners::Listener;
use crate::sockets::Receiving;
use ringmill_reactor::{Completion, Kind, Operation, Token, Wait};
use std::collections::VecDeque;

/// One core's queues.
#[derive(Debug, Default)]
pub struct Ring {
    pub(crate) submissions: Vec<(Token, Operation)>,
    /// With the descriptors that they are of.
    pub(crate) completions: VecDeque<(i32, Completion<Lease>)>,
    pub(crate) listener: Listener,
    pub(crate) free: Vec<Box<[u8]>>,
    /// Buffers in all.
    pub buffers: usize,
    /// It waits in the kernel.
    pub(crate) is_asleep: bool,
    /// Only the turn of this number is meant.
    pub(crate) turn: u64,
    /// A turn that ends the wait is queued.
    pub(crate) is_waking: bool,
    /// When the turn under way ends, and whether its start was asked for.
    pub(crate) turn_end_ns: u64,
    pub(crate) asked_start: bool,
    /// Completions that it found when it last came out of the kernel.
    pub(crate) reaped: usize,
    /// Sends that were submitted, and receives that were cancelled.
    pub(crate) sends: u64,
    pub(crate) receives_cancelled: u64,
    /// Messages are not seen in this turn.
    pub(crate) is_mail_late: bool,
}

impl Kernel {
    /// Receive buffers that are free.
    pub fn buffers_free(&self, shard: usize) -> usize {
        self.rings[shard].free.len()
    }

    /// A completion, after a while. Those of one socket's receives stay in order.
    pub(crate) fn deliver(&mut self, shard: usize, completion: Completion<Lease>, fd: i32) {
        let delay = self.delay();
        let mut at_ns = self.now_ns + delay;
        if let Some(socket) = self.sockets.get_mut(&fd) {
            at_ns = at_ns.max(socket.receive_post_ns);
            socket.receive_post_ns = at_ns;
        }
        if matches!(completion, Completion::Accepted { .. }) {
            let listener = &mut self.rings[shard].listener;
            at_ns = at_ns.max(listener.post_ns);
            listener.post_ns = at_ns;
        }
        self.sequence += 1;
        let number = self.sequence;
        self.posts.insert(number, (fd, completion));
        self.at(at_ns, Event::Post(shard, number));
    }

    pub(crate) fn post(&mut self, shard: usize, fd: i32, completion: Completion<Lease>) {
        let now_ns = self.now_ns;
        self.trace.line(now_ns, |line| {
            use std::fmt::Write;
            let _ = write!(line, "shard {shard}: {completion:?}", completion = Short(&completion));
        });
        self.rings[shard].completions.push_back((fd, completion));
        self.wake(shard);
    }

    /// A shard that has gone in comes out: after a wait, or (`None`) at once.
    pub(crate) fn wait(&mut self, shard: usize, wait: Option<Wait>) {
        let ring = &mut self.rings[shard];
        ring.turn += 1;
        let turn = ring.turn;
        let Some(wait) = wait else {
            let delay = self.pause(100, 2_000);
            self.after(delay, Event::Turn(shard, turn));
            return;
        };
        ring.is_asleep = true;
        if self.happens(Fault::WakesForNothing) {
            let delay = self.pause_of_any_size(1_000, 10_000_000);
            self.after(delay, Event::Turn(shard, turn));
        } else if let Wait::Until(at_ns) = wait {
            let late = match self.happens(Fault::LateTimer) {
                true => self.pause_of_any_size(1_000_000, 300_000_000),
                false => self.pause(0, 60_000),
            };
            self.at(at_ns + late, Event::Turn(shard, turn));
        }
    }

    /// A turn begins, if it is the one that is meant; says when it ends.
    pub fn come_out(&mut self, shard: usize, turn: u64) -> Option<u64> {
        if self.rings[shard].turn != turn {
            return None;
        }
        let work = match self.happens(Fault::Stall) {
            true => self.pause_of_any_size(100_000_000, 3_000_000_000),
            false => self.pause_of_any_size(1_000, 200_000),
        };
        let is_mail_late = self.happens(Fault::LateMail);
        let end_ns = self.now_ns + work;
        let ring = &mut self.rings[shard];
        ring.is_asleep = false;
        ring.is_waking = false;
        ring.is_mail_late = is_mail_late;
        ring.turn_end_ns = end_ns;
        Some(end_ns)
    }

    /// Ends a shard's wait, if it waits.
    pub fn wake(&mut self, shard: usize) {
        let ring = &mut self.rings[shard];
        if ring.is_asleep && !std::mem::replace(&mut ring.is_waking, true) {
            ring.turn += 1;
            let turn = ring.turn;
            let delay = self.pause(200, 20_000);
            self.after(delay, Event::Turn(shard, turn));
        }
    }

    /// Whether the completion queue is full: completions wait behind it, and multishots end.
    pub(crate) fn is_full(&mut self, shard: usize) -> bool {
        let is_full = self.rings[shard].completions.len() >= self.sizes.completions;
        self.faults.fired[Fault::CompletionsFull as usize] += u64::from(is_full);
        is_full || self.happens(Fault::CompletionsFull)
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
        let ring = &mut self.rings[shard];
        ring.sends += u64::from(matches!(operation, Operation::Send { .. }));
        ring.receives_cancelled += u64::from(matches!(operation, Operation::Cancel { kind: Kind::Receive }));
        ring.submissions.push((token, operation));
    }

    /// Starts everything that a shard has queued.
    pub fn start_all(&mut self, shard: usize) {
        for (token, operation) in std::mem::take(&mut self.rings[shard].submissions) {
            self.start(shard, token, operation);
        }
    }

    pub(crate) fn start(&mut self, shard: usize, token: Token, operation: Operation) {
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

    pub(crate) fn cancel(&mut self, shard: usize, token: Token, kind: Kind) {
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
        ring.reaped = count;
        let now_ns = self.now_ns;
        for (fd, completion) in ring.completions.drain(..count) {
            let bytes = match &completion {
                Completion::Received { result: Ok(Some(lease)), .. } => lease.len(),
                Completion::Filled { result: Ok(count), .. } => *count,
                _ => 0,
            };
            let accepted = match &completion {
                Completion::Accepted { result: Ok(fd), .. } => Some(fd.0),
                _ => None,
            };
            if let Some(socket) = self.sockets.get_mut(&accepted.unwrap_or(fd)) {
                if bytes > 0 {
                    socket.note_heard(bytes, now_ns);
                }
                socket.accepted_ns = socket.accepted_ns.or(accepted.map(|_| now_ns));
            }
            completions.push(completion);
        }
        !ring.completions.is_empty()
    }

    /// Whether completions wait for a shard.
    pub fn has_completions(&self, shard: usize) -> bool {
        !self.rings[shard].completions.is_empty()
    }

    /// All completions that nobody took: they hold buffers, which hold the kernel.
    pub fn take_all(&mut self) -> Vec<Completion<Lease>> {
        let posts = std::mem::take(&mut self.posts).into_values();
        let mut all: Vec<_> = posts.map(|(_, each)| each).collect();
        self.rings.iter_mut().for_each(|ring| all.extend(ring.completions.drain(..).map(|(_, each)| each)));
        all
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
