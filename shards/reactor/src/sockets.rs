//! Connected sockets: what is under way on each, and the order in which they open, pause and close.
//!
//! A slot is given out again only after the last completion of its last owner, with another generation.

use crate::bounds::{SPARE_OUTPUT_BYTES, SPARE_OUTPUTS};
use crate::driver::{Direction, Driver, Errno, Fd, Kind, Operation, Token};
use std::collections::BTreeMap;

/// Names a socket; stale names find nothing.
pub type SocketId = Token;

/// How a peer's stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It has sent its last byte; it may still read.
    Closed,
    /// The connection is gone.
    Failed(Errno),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Receiving {
    /// Nothing is under way.
    Off,
    /// Multishot.
    Armed,
    /// Multishot, a cancellation is queued.
    Stopping,
    /// Ended for want of buffers; armed again at the end of the turn.
    Starved,
    /// Single-shot, into a buffer of the owner's from here on.
    Filling(usize),
}

/// A buffer that waits for the multishot receive to end.
#[derive(Debug)]
struct Fill {
    buffer: Vec<u8>,
    start: usize,
}

#[derive(Debug)]
struct Socket {
    fd: Fd,
    user: u64,
    /// Appended during turns, not yet given to the driver.
    output: Vec<u8>,
    /// Of the buffer under way: where its unsent part starts, and its length. `None`: no send is under way.
    sending: Option<(usize, usize)>,
    /// When the kernel last took bytes of this socket's, or was first given some, monotonic nanoseconds.
    moved_ns: u64,
    receiving: Receiving,
    /// Bytes came since the receive was armed.
    fed: bool,
    fill: Option<Box<Fill>>,
    paused: bool,
    /// The peer's stream has ended: no receive is armed again.
    ended: bool,
    closing: bool,
    /// Stands in `dirty`.
    is_dirty: bool,
    /// The owner wants to know when all is sent.
    notify: bool,
}

#[derive(Debug)]
struct Slot {
    generation: u32,
    socket: Option<Socket>,
}

const GENERATIONS: u32 = 1 << 28;

/// How often the ordinary troubles of a socket were met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Troubles {
    /// Receives that ended because no buffer was free.
    pub starved: u64,
    /// The most turns on end in which one receive found no buffer.
    pub hunger_max: u32,
    /// Receives that the kernel ended without a reason that concerns the stream, and that were armed again.
    pub rearmed: u64,
    /// Sends that took less than they were given.
    pub short_sends: u64,
}

/// What became of a completion.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// Nothing that concerns the owner.
    Quiet,
    /// All that was written has left, and the owner had asked.
    All,
    /// The connection is gone.
    Failed(Errno),
}

/// What came of a fill.
#[derive(Debug)]
pub(crate) enum Filled {
    /// The owner's buffer, and where the new bytes start.
    Bytes(Vec<u8>, usize),
    /// There were none.
    Ended(End),
}

/// The sockets of one shard.
#[derive(Debug, Default)]
pub(crate) struct Sockets {
    slots: Vec<Slot>,
    free: Vec<u32>,
    dirty: Vec<Token>,
    /// Receives without a buffer: those that had got nothing, and the others.
    starved: [Vec<Token>; 2],
    /// Of all sockets: bytes written and not yet taken by the kernel.
    unsent_bytes: usize,
    pub(crate) troubles: Troubles,
    /// Of sockets without a buffer: in how many flushes on end, up to the given one, that was so.
    hunger: BTreeMap<u32, (u32, u64)>,
    /// Counts calls of [`Sockets::flush`].
    flushes: u64,
    spare: Vec<Vec<u8>>,
    open: usize,
}

impl Sockets {
    /// Takes a descriptor over and starts receiving.
    pub(crate) fn open<D: Driver>(&mut self, driver: &mut D, fd: Fd, user: u64) -> SocketId {
        let socket = Socket {
            fd,
            user,
            output: Vec::new(),
            sending: None,
            moved_ns: 0,
            receiving: Receiving::Armed,
            fed: false,
            fill: None,
            paused: false,
            ended: false,
            closing: false,
            is_dirty: false,
            notify: false,
        };
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                self.slots.push(Slot { generation: 0, socket: None });
                (self.slots.len() - 1) as u32
            }
        };
        let entry = &mut self.slots[slot as usize];
        entry.socket = Some(socket);
        self.open += 1;
        let token = Token { slot, generation: entry.generation };
        driver.submit(token, Operation::Receive { fd });
        token
    }

    /// Sockets whose slot is not free yet.
    pub(crate) fn count(&self) -> usize {
        self.open
    }

    /// Whether outputs or receives wait for the flush.
    pub(crate) fn needs_flush(&self) -> bool {
        !self.dirty.is_empty() || self.starved.iter().any(|starved| !starved.is_empty())
    }

    fn get(&mut self, id: SocketId) -> Option<&mut Socket> {
        let slot = self.slots.get_mut(id.slot as usize)?;
        if slot.generation != id.generation {
            return None;
        }
        slot.socket.as_mut()
    }

    /// The descriptor, unless the socket is closing.
    pub(crate) fn fd(&mut self, id: SocketId) -> Option<Fd> {
        self.get(id).filter(|socket| !socket.closing).map(|socket| socket.fd)
    }

    /// Takes the output buffer out, to append to it; [`Sockets::put_output`] brings it back.
    pub(crate) fn take_output(&mut self, id: SocketId) -> Vec<u8> {
        let output = match self.get(id) {
            Some(socket) => std::mem::take(&mut socket.output),
            None => Vec::new(),
        };
        self.unsent_bytes -= output.len();
        if output.capacity() == 0 { self.spare.pop().unwrap_or_default() } else { output }
    }

    /// Brings the output buffer back; what is in it leaves at the end of the turn.
    pub(crate) fn put_output(&mut self, id: SocketId, output: Vec<u8>) {
        match self.get(id) {
            Some(socket) if !output.is_empty() && !socket.closing => {
                let bytes = output.len();
                socket.output = output;
                self.unsent_bytes += bytes;
                self.mark_dirty(id);
            }
            _ => self.recycle(output),
        }
    }

    fn mark_dirty(&mut self, id: SocketId) {
        if let Some(socket) = self.get(id)
            && !socket.is_dirty
            && socket.sending.is_none()
        {
            socket.is_dirty = true;
            self.dirty.push(id);
        }
    }

    fn recycle(&mut self, mut buffer: Vec<u8>) {
        let capacity = buffer.capacity();
        if capacity > 0 && capacity <= SPARE_OUTPUT_BYTES && self.spare.len() < SPARE_OUTPUTS {
            buffer.clear();
            self.spare.push(buffer);
        }
    }

    /// Bytes written and not yet taken by the kernel.
    pub(crate) fn unsent(&mut self, id: SocketId) -> usize {
        self.get(id).map_or(0, |socket| {
            socket.output.len() + socket.sending.map_or(0, |(start, length)| length - start)
        })
    }

    /// What outputs of all sockets hold, bytes; one that has left in part is still held as a whole.
    pub(crate) fn unsent_total(&self) -> usize {
        self.unsent_bytes
    }

    fn unsent_of_each(&self) -> impl Iterator<Item = usize> {
        let sockets = self.slots.iter().filter_map(|slot| slot.socket.as_ref());
        // What a closed one has under way is nobody's any more.
        sockets
            .filter(|socket| !socket.closing)
            .map(|socket| socket.output.len() + socket.sending.map_or(0, |(_, length)| length))
    }

    /// As [`Sockets::unsent_total`], counted anew.
    pub(crate) fn unsent_counted(&self) -> usize {
        self.unsent_of_each().sum()
    }

    /// The most that one socket's hold, bytes.
    pub(crate) fn unsent_most(&self) -> usize {
        self.unsent_of_each().max().unwrap_or(0)
    }

    /// Since when the kernel has taken nothing of what is being sent, monotonic nanoseconds; `None`: nothing is.
    pub(crate) fn stalled_since_ns(&mut self, id: SocketId) -> Option<u64> {
        self.get(id).filter(|socket| socket.sending.is_some()).map(|socket| socket.moved_ns)
    }

    /// Asks to be told once when all is sent; false: it is already.
    pub(crate) fn notify_when_sent(&mut self, id: SocketId) -> bool {
        match self.get(id) {
            Some(socket) if !socket.output.is_empty() || socket.sending.is_some() => {
                socket.notify = true;
                true
            }
            _ => false,
        }
    }

    /// Stops receiving. What is already on its way still arrives.
    pub(crate) fn pause<D: Driver>(&mut self, driver: &mut D, id: SocketId) {
        let Some(socket) = self.get(id) else { return };
        socket.paused = true;
        if socket.receiving == Receiving::Armed {
            socket.receiving = Receiving::Stopping;
            driver.submit(id, Operation::Cancel { kind: Kind::Receive });
        }
    }

    /// Ends the receive that is under way and starts another, which looks at the socket anew: a multishot receive is not
    /// always told of a reset that follows right behind data.
    pub(crate) fn refresh<D: Driver>(&mut self, driver: &mut D, id: SocketId) {
        let Some(socket) = self.get(id) else { return };
        if socket.receiving == Receiving::Armed && !socket.paused {
            // Its last completion finds the socket not paused and arms it again.
            socket.receiving = Receiving::Stopping;
            driver.submit(id, Operation::Cancel { kind: Kind::Receive });
        }
    }

    /// Receives again.
    pub(crate) fn resume<D: Driver>(&mut self, driver: &mut D, id: SocketId) {
        let Some(socket) = self.get(id) else { return };
        socket.paused = false;
        if socket.receiving == Receiving::Off && !socket.ended && !socket.closing {
            socket.receiving = Receiving::Armed;
            socket.fed = false;
            let fd = socket.fd;
            driver.submit(id, Operation::Receive { fd });
        }
    }

    /// Receives once into `buffer[start..]`, as soon as the multishot receive has ended. Until then what that one still
    /// brings goes to the owner, who has to take the buffer back first.
    pub(crate) fn receive_into<D: Driver>(
        &mut self,
        driver: &mut D,
        id: SocketId,
        buffer: Vec<u8>,
        start: usize,
    ) {
        debug_assert!(start < buffer.len(), "there is room for a byte");
        let Some(socket) = self.get(id) else { return };
        if socket.ended || socket.closing {
            return;
        }
        match socket.receiving {
            Receiving::Off | Receiving::Starved => {
                socket.receiving = Receiving::Filling(start);
                let fd = socket.fd;
                driver.submit(id, Operation::Fill { fd, buffer, start });
            }
            Receiving::Armed => {
                socket.receiving = Receiving::Stopping;
                socket.fill = Some(Box::new(Fill { buffer, start }));
                driver.submit(id, Operation::Cancel { kind: Kind::Receive });
            }
            Receiving::Stopping => socket.fill = Some(Box::new(Fill { buffer, start })),
            Receiving::Filling(_) => debug_assert!(false, "one fill at a time"),
        }
    }

    /// Takes back the buffer of [`Sockets::receive_into`], as it was given, if its receive has not started.
    pub(crate) fn take_back(&mut self, id: SocketId) -> Option<Vec<u8>> {
        self.get(id)?.fill.take().map(|fill| fill.buffer)
    }

    /// Ends the stream towards the peer once everything is sent; receiving goes on.
    pub(crate) fn finish<D: Driver>(&mut self, driver: &mut D, id: SocketId) {
        if let Some(fd) = self.fd(id) {
            driver.shutdown(fd, Direction::Write);
        }
    }

    /// Closes: shutdown, cancel, last completions, close. What is unsent is lost. The owner hears no more.
    pub(crate) fn close<D: Driver>(&mut self, driver: &mut D, id: SocketId) {
        let Some(socket) = self.get(id) else { return };
        if socket.closing {
            return;
        }
        socket.closing = true;
        let (fd, receiving) = (socket.fd, socket.receiving);
        let sending = socket.sending.map(|(_, length)| length);
        let output = std::mem::take(&mut socket.output);
        socket.fill = None;
        if receiving == Receiving::Armed {
            socket.receiving = Receiving::Stopping;
        }
        // What is being sent is given up here: its completion counts for nobody.
        self.unsent_bytes -= output.len() + sending.unwrap_or(0);
        self.recycle(output);
        driver.shutdown(fd, Direction::Both);
        match receiving {
            Receiving::Armed => driver.submit(id, Operation::Cancel { kind: Kind::Receive }),
            Receiving::Filling(_) => driver.submit(id, Operation::Cancel { kind: Kind::Fill }),
            Receiving::Off | Receiving::Stopping | Receiving::Starved => {}
        }
        if sending.is_some() {
            driver.submit(id, Operation::Cancel { kind: Kind::Send });
        }
        self.release_if_done(driver, id);
    }

    fn release_if_done<D: Driver>(&mut self, driver: &mut D, id: SocketId) {
        let Some(socket) = self.get(id) else { return };
        let idle = matches!(socket.receiving, Receiving::Off | Receiving::Starved);
        if !socket.closing || !idle || socket.sending.is_some() {
            return;
        }
        let fd = socket.fd;
        driver.close(fd);
        let slot = &mut self.slots[id.slot as usize];
        slot.socket = None;
        slot.generation = (slot.generation + 1) % GENERATIONS;
        self.free.push(id.slot);
        self.open -= 1;
    }

    /// Takes note of a completed receive. The owner is told unless the socket is closing: then `None`. When he has been told,
    /// [`Sockets::rearm`] goes on.
    pub(crate) fn received<D: Driver>(
        &mut self,
        driver: &mut D,
        id: SocketId,
        more: bool,
        failure: Option<Errno>,
        is_end: bool,
    ) -> Option<u64> {
        let socket = self.get(id)?;
        let (user, is_closing) = (socket.user, socket.closing);
        socket.fed |= failure.is_none();
        if is_end {
            socket.ended = true;
            socket.fill = None;
        }
        if !more {
            // What the kernel ended without a reason that concerns the stream, it may end at any time.
            let is_starved = failure == Some(Errno(libc::ENOBUFS));
            socket.receiving = if is_starved { Receiving::Starved } else { Receiving::Off };
            let is_rearmed = !is_starved && !is_end && failure != Some(Errno(libc::ECANCELED));
            self.troubles.starved += u64::from(is_starved);
            self.troubles.rearmed += u64::from(is_rearmed);
            self.release_if_done(driver, id);
        }
        (!is_closing).then_some(user)
    }

    /// Starts the receive that has to follow the one that has ended, if its owner has not done so.
    pub(crate) fn rearm<D: Driver>(&mut self, driver: &mut D, id: SocketId) {
        let Some(socket) = self.get(id) else { return };
        if socket.closing || socket.ended {
            return;
        }
        match socket.receiving {
            Receiving::Off | Receiving::Starved if socket.fill.is_some() => {
                if let Some(fill) = socket.fill.take() {
                    let Fill { buffer, start } = *fill;
                    self.receive_into(driver, id, buffer, start);
                }
            }
            // Without buffers it waits for the end of the turn, when buffers have come back.
            Receiving::Starved => {
                let fed = usize::from(socket.fed);
                self.starve(id, fed);
            }
            Receiving::Off if !socket.paused => {
                socket.receiving = Receiving::Armed;
                socket.fed = false;
                let fd = socket.fd;
                driver.submit(id, Operation::Receive { fd });
            }
            _ => {}
        }
    }

    /// Takes note of a completed fill: what the owner is told, and its buffer up to the last byte that came. `None`: nothing.
    pub(crate) fn filled<D: Driver>(
        &mut self,
        driver: &mut D,
        id: SocketId,
        result: Result<usize, Errno>,
        mut buffer: Vec<u8>,
    ) -> Option<(u64, Filled)> {
        let socket = self.get(id)?;
        let Receiving::Filling(start) = std::mem::replace(&mut socket.receiving, Receiving::Off) else {
            debug_assert!(false, "a slot is released after its last completion");
            return None;
        };
        if socket.closing {
            self.release_if_done(driver, id);
            return None;
        }
        let user = socket.user;
        let outcome = match result {
            Ok(0) => Filled::Ended(End::Closed),
            Ok(count) => {
                buffer.truncate(start + count);
                return Some((user, Filled::Bytes(buffer, start)));
            }
            Err(Errno(libc::EINTR | libc::EAGAIN)) => {
                self.receive_into(driver, id, buffer, start);
                return None;
            }
            Err(errno) => Filled::Ended(End::Failed(errno)),
        };
        socket.ended = true;
        Some((user, outcome))
    }

    /// Takes note of a completed send: goes on with what is left of the buffer.
    pub(crate) fn sent<D: Driver>(
        &mut self,
        driver: &mut D,
        now_ns: u64,
        id: SocketId,
        result: Result<usize, Errno>,
        buffer: Vec<u8>,
    ) -> Option<(u64, Sent)> {
        let Some(socket) = self.get(id) else {
            debug_assert!(false, "a slot is released after its last completion");
            return None;
        };
        let user = socket.user;
        let (start, length) = socket.sending.take().unwrap_or((0, 0));
        if socket.closing {
            self.recycle(buffer);
            self.release_if_done(driver, id);
            return None;
        }
        let sent = match result {
            Ok(sent) => sent,
            Err(Errno(libc::EINTR | libc::EAGAIN)) => 0,
            Err(errno) => {
                socket.ended = true;
                let output = std::mem::take(&mut socket.output);
                self.unsent_bytes -= output.len() + length;
                self.recycle(output);
                self.recycle(buffer);
                return Some((user, Sent::Failed(errno)));
            }
        };
        let start = start + sent;
        if sent > 0 {
            socket.moved_ns = now_ns;
        }
        if start < length {
            socket.sending = Some((start, length));
            let fd = socket.fd;
            driver.submit(id, Operation::Send { fd, buffer, start });
            self.troubles.short_sends += 1;
            return Some((user, Sent::Quiet));
        }
        let outcome = if socket.output.is_empty() && std::mem::take(&mut socket.notify) {
            Sent::All
        } else {
            Sent::Quiet
        };
        let has_output = !socket.output.is_empty();
        self.unsent_bytes -= length;
        self.recycle(buffer);
        if has_output {
            self.mark_dirty(id);
        }
        Some((user, outcome))
    }

    /// Gives every output to the driver, one send each, and arms receives that found no buffer, those that had got nothing
    /// first.
    pub(crate) fn flush<D: Driver>(&mut self, driver: &mut D, now_ns: u64) {
        for index in 0..self.dirty.len() {
            let id = self.dirty[index];
            let Some(socket) = self.get(id) else { continue };
            socket.is_dirty = false;
            if socket.closing || socket.output.is_empty() || socket.sending.is_some() {
                continue;
            }
            let buffer = std::mem::take(&mut socket.output);
            socket.sending = Some((0, buffer.len()));
            socket.moved_ns = now_ns;
            let fd = socket.fd;
            driver.submit(id, Operation::Send { fd, buffer, start: 0 });
        }
        self.dirty.clear();
        self.flushes += 1;
        if self.starved.iter().any(|starved| !starved.is_empty()) {
            self.feed(driver);
        }
    }

    #[cold]
    fn starve(&mut self, id: SocketId, fed: usize) {
        let flushes = self.flushes;
        let (count, flush) = self.hunger.entry(id.slot).or_default();
        *count = if fed == 0 && *flush + 1 == flushes { *count + 1 } else { 1 };
        *flush = flushes;
        self.troubles.hunger_max = self.troubles.hunger_max.max(*count);
        self.starved[fed].push(id);
    }

    #[cold]
    fn feed<D: Driver>(&mut self, driver: &mut D) {
        // Whoever is not starved this time begins anew.
        let flushes = self.flushes;
        self.hunger.retain(|_, (_, flush)| *flush + 1 == flushes);
        for id in std::mem::take(&mut self.starved).into_iter().flatten() {
            let Some(socket) = self.get(id) else { continue };
            if socket.receiving != Receiving::Starved {
                continue;
            }
            socket.receiving = Receiving::Off;
            if !socket.closing && !socket.paused {
                socket.receiving = Receiving::Armed;
                socket.fed = false;
                let fd = socket.fd;
                driver.submit(id, Operation::Receive { fd });
            }
        }
    }
}
