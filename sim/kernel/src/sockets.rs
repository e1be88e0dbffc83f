//! Connections: what a client writes travels, arrives and is received; what the server sends waits to be read.

use crate::faults::Fault;
use crate::kernel::{
    BUFFER_BYTES, CANCELED, Event, INTERRUPTED, Kernel, NO_BUFFERS, PIPE, Pace, RESET, Shared,
};
use crate::lease::Lease;
use ringmill_reactor::{Completion, Direction, Errno, Fd, Token};
use std::collections::VecDeque;

/// What the server's side holds of a connection.
#[derive(Debug, Default)]
pub struct Socket {
    pub(crate) shard: usize,
    /// The client that made it.
    pub client: usize,
    /// Arrived, not received.
    pub(crate) inbound: VecDeque<u8>,
    /// What the client wrote and has not arrived.
    pub travelling: VecDeque<u8>,
    /// What was sent and the client has not read.
    pub outbound: VecDeque<u8>,
    /// Bytes that `outbound` may hold.
    pub window: usize,
    /// The client has ended its side; it arrives behind `travelling`.
    pub client_ended: bool,
    pub(crate) end_arrived: bool,
    /// The client, or the network, has reset the connection.
    pub is_reset: bool,
    /// The error of the reset, until an operation has told it: whatever is asked after that finds a connection that is over.
    pub(crate) error: Option<Errno>,
    /// The reset follows right behind data, and the armed receive will not hear of it.
    pub(crate) is_untold: bool,
    /// The server has ended its side.
    pub is_shut: bool,
    pub(crate) shut_both: bool,
    pub is_closed: bool,
    pub(crate) resets_on_close: bool,
    pub(crate) receiving: Option<Receiving>,
    pub(crate) filling: Option<(Token, Vec<u8>, usize, bool)>,
    pub(crate) sending: Option<(Token, Vec<u8>, usize, bool)>,
    /// Completions of receive and send that were drawn and have not arrived: the next ones come after them.
    pub(crate) receive_post_ns: u64,
    /// When the shard was handed the connection, and when it was last handed bytes of it.
    pub accepted_ns: Option<u64>,
    pub heard_ns: u64,
    /// Bytes that the shard was handed.
    pub heard_bytes: u64,
    /// How many it had been handed, and when.
    pub(crate) heard_log: Vec<(u64, u64)>,
    /// When the server ended its side, and what it had been handed by then.
    pub end_ns: Option<u64>,
    pub heard_at_end: u64,
    pub heard_at_end_ns: u64,
    /// What the server had sent was lost with a reset.
    pub is_output_lost: bool,
    /// The network, not the client or the server, has cut it.
    pub was_cut: bool,
    /// An event of this socket is queued.
    pub(crate) is_receive_queued: bool,
    pub(crate) is_send_queued: bool,
    pub(crate) is_arrive_queued: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Receiving {
    pub(crate) token: Token,
    pub(crate) is_cancelled: bool,
    pub(crate) was_late: bool,
}

impl Socket {
    /// The shard is handed bytes.
    pub(crate) fn note_heard(&mut self, bytes: usize, now_ns: u64) {
        self.heard_ns = now_ns;
        self.heard_bytes += bytes as u64;
        self.heard_log.push((self.heard_bytes, now_ns));
    }

    /// When the shard had been handed so many bytes.
    pub fn heard_at_ns(&self, bytes: u64) -> Option<u64> {
        self.heard_log.iter().find(|(heard, _)| *heard >= bytes).map(|(_, at_ns)| *at_ns)
    }

    fn note_end(&mut self, now_ns: u64) {
        if self.end_ns.is_none() {
            self.end_ns = Some(now_ns);
            self.heard_at_end = self.heard_bytes;
            self.heard_at_end_ns = self.heard_ns;
        }
    }
}

impl Kernel {
    /// The client wrote bytes, ended its side, or reset: the server's side hears of it in a while.
    pub fn client_acted(&mut self, fd: i32) {
        let Some(socket) = self.sockets.get_mut(&fd) else { return };
        if !std::mem::replace(&mut socket.is_arrive_queued, true) {
            let delay = self.pause_of_any_size(500, 200_000);
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
        let arrives = self.random.is(0.8) || self.pace == Pace::AtOnce;
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
        socket.error = Some(if socket.end_arrived { PIPE } else { RESET });
        socket.is_untold = is_untold && socket.receiving.is_some();
        socket.travelling.clear();
        let client = socket.client;
        self.queue_receive(fd);
        self.queue_send(fd);
        let delay = self.pause(500, 50_000);
        self.after(delay, Event::Client(client));
    }

    pub(crate) fn queue_receive(&mut self, fd: i32) {
        let Some(socket) = self.sockets.get_mut(&fd) else { return };
        let is_wanted = socket.receiving.is_some() || socket.filling.is_some();
        if is_wanted && !std::mem::replace(&mut socket.is_receive_queued, true) {
            let delay = self.pause(50, 3_000);
            self.after(delay, Event::Receive(fd));
        }
    }

    pub(crate) fn queue_send(&mut self, fd: i32) {
        let Some(socket) = self.sockets.get_mut(&fd) else { return };
        if socket.sending.is_some() && !std::mem::replace(&mut socket.is_send_queued, true) {
            let delay = self.pause_of_any_size(50, 20_000);
            self.after(delay, Event::Send(fd));
        }
    }

    pub(crate) fn arrive(&mut self, fd: i32) {
        let piece = match self.random.index(3) {
            _ if self.pace == Pace::AtOnce => usize::MAX,
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

    pub(crate) fn receive(&mut self, fd: i32, shared: &Shared) {
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
            if self.happens(Fault::Interrupted) {
                self.end_receive(fd, Err(INTERRUPTED));
                return;
            }
            if self.rings[shard].free.is_empty() || self.happens(Fault::NoBuffer) {
                self.faults.fired[Fault::NoBuffer as usize] += u64::from(self.rings[shard].free.is_empty());
                self.end_receive(fd, Err(NO_BUFFERS));
                return;
            }
            let most = match self.happens(Fault::ShortReceive) {
                true => self.random.magnitude(1, BUFFER_BYTES as u64) as usize,
                false => self.receive_bytes_max.min(BUFFER_BYTES),
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
            let result = socket.error.take().map_or(Ok(None), Err);
            self.end_receive(fd, result);
        } else if socket.end_arrived || socket.shut_both {
            self.end_receive(fd, Ok(None));
        }
    }

    pub(crate) fn end_receive(&mut self, fd: i32, result: Result<Option<Lease>, Errno>) {
        let Some(socket) = self.sockets.get_mut(&fd) else { return };
        let Some(Receiving { token, .. }) = socket.receiving.take() else { return };
        let shard = socket.shard;
        self.deliver(shard, Completion::Received { token, result, more: false }, fd);
    }

    pub(crate) fn fill(&mut self, fd: i32) {
        let is_short = self.happens(Fault::ShortReceive);
        let is_interrupted = self.happens(Fault::Interrupted);
        // One that is cancelled while bytes come brings them or leaves them.
        let is_late = self.random.is(0.5);
        let short = self.random.magnitude(1, BUFFER_BYTES as u64) as usize;
        let most = match self.receive_bytes_max {
            BUFFER_BYTES => usize::MAX,
            most => most,
        };
        let Some(socket) = self.sockets.get_mut(&fd) else { return };
        let shard = socket.shard;
        let Some((_, _, _, is_cancelled)) = &socket.filling else { return };
        let is_over = socket.is_reset || *is_cancelled || socket.end_arrived || socket.shut_both;
        if socket.inbound.is_empty() && !is_over {
            return;
        }
        let Some((token, mut buffer, start, is_cancelled)) = socket.filling.take() else { return };
        if is_interrupted {
            self.deliver(shard, Completion::Filled { token, result: Err(INTERRUPTED), buffer }, fd);
            return;
        }
        let brings = !is_cancelled || is_late;
        let result = if !socket.inbound.is_empty() && !socket.shut_both && brings {
            let most = if is_short { short } else { most };
            let count = socket.inbound.len().min(buffer.len() - start).min(most);
            for (to, from) in buffer[start..].iter_mut().zip(socket.inbound.drain(..count)) {
                *to = from;
            }
            Ok(count)
        } else if is_cancelled {
            Err(CANCELED)
        } else if socket.is_reset {
            socket.error.take().map_or(Ok(0), Err)
        } else {
            Ok(0)
        };
        self.deliver(shard, Completion::Filled { token, result, buffer }, fd);
    }

    pub(crate) fn send(&mut self, fd: i32) {
        let is_short = self.happens(Fault::ShortSend);
        let is_interrupted = self.happens(Fault::Interrupted);
        let short = self.random.magnitude(1, 8_192) as usize;
        let send_bytes_max = self.send_bytes_max;
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
            Err(socket.error.take().unwrap_or(PIPE))
        } else if is_cancelled {
            Err(CANCELED)
        } else if is_interrupted {
            Err(INTERRUPTED)
        } else {
            let count = wanted.min(room).min(if is_short { short } else { send_bytes_max });
            socket.outbound.extend(&buffer[start..start + count]);
            Ok(count)
        };
        if result.is_ok() {
            let delay = self.pause_of_any_size(500, 200_000);
            self.after(delay, Event::Client(client));
        }
        // The kernel has read the buffer; that it is done with it the shard hears later.
        self.deliver(shard, Completion::Sent { token, result, buffer }, 0);
    }

    pub(crate) fn open(&mut self, fd: Fd, what: &str) -> Option<&mut Socket> {
        if self.sockets.get(&fd.0).is_none_or(|socket| socket.is_closed) {
            self.break_contract(format!("{what} on descriptor {}, which is not open", fd.0));
            return None;
        }
        self.sockets.get_mut(&fd.0)
    }

    pub fn shutdown(&mut self, fd: Fd, direction: Direction) {
        let now_ns = self.now_ns;
        let Some(socket) = self.sockets.get_mut(&fd.0) else { return };
        socket.is_shut = true;
        socket.note_end(now_ns);
        if direction == Direction::Both {
            socket.shut_both = true;
            socket.inbound.clear();
        }
        let client = socket.client;
        self.queue_receive(fd.0);
        self.queue_send(fd.0);
        let delay = self.pause_of_any_size(500, 200_000);
        self.after(delay, Event::Client(client));
    }

    pub fn reset_on_close(&mut self, fd: Fd) {
        if let Some(socket) = self.sockets.get_mut(&fd.0) {
            socket.resets_on_close = true;
        }
    }

    pub(crate) fn close_socket(&mut self, fd: Fd) {
        let is_lost = self.pace == Pace::Drawn && self.random.is(0.2);
        let now_ns = self.now_ns;
        let Some(socket) = self.open(fd, "a close") else { return };
        socket.note_end(now_ns);
        let is_busy = socket.receiving.is_some() || socket.filling.is_some() || socket.sending.is_some();
        socket.is_closed = true;
        let loses = socket.resets_on_close || !socket.inbound.is_empty() || !socket.travelling.is_empty();
        if loses {
            socket.is_reset = true;
            // What is still on its way may be lost with it; what a connection to be reset has not sent is.
            if socket.resets_on_close || is_lost {
                socket.is_output_lost |= !socket.outbound.is_empty();
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

    /// Forgets a connection that both sides have left.
    pub fn forget(&mut self, fd: i32) {
        if self.sockets.get(&fd).is_some_and(|socket| socket.is_closed) {
            self.sockets.remove(&fd);
        }
    }

    /// Descriptors that are open on the server's side.
    pub fn descriptors(&self) -> usize {
        self.sockets.values().filter(|socket| !socket.is_closed).count()
    }
}
