//! Connected sockets: what is under way on each, and the order in which they open, pause and close.
//!
//! A slot is given out again only after the last completion of its last owner, with another generation.

use crate::bounds::{SPARE_OUTPUT_BYTES, SPARE_OUTPUTS};
use crate::driver::{Direction, Driver, Errno, Fd, Kind, Operation, Token};

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
}

#[derive(Debug)]
struct Socket {
    fd: Fd,
    user: u64,
    /// Appended during turns, not yet given to the driver.
    output: Vec<u8>,
    /// Of the buffer under way: where its unsent part starts, and its length. `None`: no send is under way.
    sending: Option<(usize, usize)>,
    receiving: Receiving,
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

/// The sockets of one shard.
#[derive(Debug, Default)]
pub(crate) struct Sockets {
    slots: Vec<Slot>,
    free: Vec<u32>,
    dirty: Vec<Token>,
    starved: Vec<Token>,
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
            receiving: Receiving::Armed,
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
        !self.dirty.is_empty() || !self.starved.is_empty()
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
        if output.capacity() == 0 { self.spare.pop().unwrap_or_default() } else { output }
    }

    /// Brings the output buffer back; what is in it leaves at the end of the turn.
    pub(crate) fn put_output(&mut self, id: SocketId, output: Vec<u8>) {
        match self.get(id) {
            Some(socket) if !output.is_empty() && !socket.closing => {
                socket.output = output;
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
            let fd = socket.fd;
            driver.submit(id, Operation::Receive { fd });
        }
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
        let (fd, receiving, is_sending) = (socket.fd, socket.receiving, socket.sending.is_some());
        let output = std::mem::take(&mut socket.output);
        if receiving == Receiving::Armed {
            socket.receiving = Receiving::Stopping;
        }
        self.recycle(output);
        driver.shutdown(fd, Direction::Both);
        if receiving == Receiving::Armed {
            driver.submit(id, Operation::Cancel { kind: Kind::Receive });
        }
        if is_sending {
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

    /// Takes note of a completed receive. The owner is told unless the socket is closing: then `None`.
    pub(crate) fn received<D: Driver>(
        &mut self,
        driver: &mut D,
        id: SocketId,
        more: bool,
        failure: Option<Errno>,
        is_end: bool,
    ) -> Option<u64> {
        let socket = self.get(id)?;
        let user = socket.user;
        let closing = socket.closing;
        if is_end {
            socket.ended = true;
        }
        if !more {
            let starved = failure == Some(Errno(libc::ENOBUFS));
            socket.receiving = Receiving::Off;
            if socket.closing {
                self.release_if_done(driver, id);
            } else if !socket.ended && !socket.paused {
                // Without buffers it waits for the end of the turn, when buffers have come back; ended for another
                // reason (the kernel may do that at any time), it goes on at once.
                if starved {
                    socket.receiving = Receiving::Starved;
                    self.starved.push(id);
                } else {
                    socket.receiving = Receiving::Armed;
                    let fd = socket.fd;
                    driver.submit(id, Operation::Receive { fd });
                }
            }
        }
        (!closing).then_some(user)
    }

    /// Takes note of a completed send: goes on with what is left of the buffer.
    pub(crate) fn sent<D: Driver>(
        &mut self,
        driver: &mut D,
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
                self.recycle(output);
                self.recycle(buffer);
                return Some((user, Sent::Failed(errno)));
            }
        };
        let start = start + sent;
        if start < length {
            socket.sending = Some((start, length));
            let fd = socket.fd;
            driver.submit(id, Operation::Send { fd, buffer, start });
            return Some((user, Sent::Quiet));
        }
        let outcome = if socket.output.is_empty() && std::mem::take(&mut socket.notify) {
            Sent::All
        } else {
            Sent::Quiet
        };
        let has_output = !socket.output.is_empty();
        self.recycle(buffer);
        if has_output {
            self.mark_dirty(id);
        }
        Some((user, outcome))
    }

    /// Gives every output to the driver, one send each, and arms receives that found no buffer.
    pub(crate) fn flush<D: Driver>(&mut self, driver: &mut D) {
        for index in 0..self.dirty.len() {
            let id = self.dirty[index];
            let Some(socket) = self.get(id) else { continue };
            socket.is_dirty = false;
            if socket.closing || socket.output.is_empty() || socket.sending.is_some() {
                continue;
            }
            let buffer = std::mem::take(&mut socket.output);
            socket.sending = Some((0, buffer.len()));
            let fd = socket.fd;
            driver.submit(id, Operation::Send { fd, buffer, start: 0 });
        }
        self.dirty.clear();
        for id in std::mem::take(&mut self.starved) {
            let Some(socket) = self.get(id) else { continue };
            if socket.receiving != Receiving::Starved {
                continue;
            }
            socket.receiving = Receiving::Off;
            if !socket.closing && !socket.paused {
                socket.receiving = Receiving::Armed;
                let fd = socket.fd;
                driver.submit(id, Operation::Receive { fd });
            }
        }
    }
}
