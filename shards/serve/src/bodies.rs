//! Receiving bodies: what is small comes with its head through the core's receive buffers; what is large is received into
//! a buffer of its own, so that no upload takes the buffers that everybody's heads arrive in.

use crate::bounds::{FILL_BYTES, FILL_BYTES_MAX, STALLED_BODY_NS};
use crate::connection::Phase;
use crate::server::Connections;
use crate::service::Service;
use ringmill_http1::BodyDecoder;
use ringmill_reactor::{Driver, Reactor, SocketId};
use std::cell::Cell;
use std::rc::Rc;

/// A request whose body is being received.
#[derive(Debug)]
pub(crate) struct Body {
    /// The head as received, decoded again when the body is complete.
    pub(crate) head: Vec<u8>,
    pub(crate) decoder: BodyDecoder,
    pub(crate) data: Vec<u8>,
    /// What the body takes of the shard's budget.
    pub(crate) share: Share,
    /// It is all there; if it has not begun, it waits for room.
    pub(crate) is_complete: bool,
    /// When bytes of it came last, monotonic nanoseconds.
    pub(crate) moved_ns: u64,
    /// 100 (Continue) is owed as soon as earlier answers are out.
    pub(crate) owes_continue: bool,
    /// Which buffer the reactor has.
    lent: Option<Lent>,
    /// It is large: it was lent a buffer before.
    is_large: bool,
}

/// A buffer that the reactor receives into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lent {
    /// `data` itself, from its end on: the bytes of the body come as they are.
    Data(usize),
    /// Another one: chunks have to be taken apart.
    Chunks,
}

impl Body {
    pub(crate) fn new(
        head: Vec<u8>,
        decoder: BodyDecoder,
        total: &Rc<Cell<usize>>,
        owes_continue: bool,
    ) -> Body {
        Body {
            head,
            decoder,
            data: Vec::new(),
            share: Share::new(total),
            is_complete: false,
            moved_ns: 0,
            owes_continue,
            lent: None,
            is_large: false,
        }
    }

    /// Notes what has come; false: it does not fit into the budget. Small bodies always do: there are no more of them than
    /// connections.
    pub(crate) fn has_taken(&mut self, now_ns: u64, bytes_max: usize) -> bool {
        self.moved_ns = now_ns;
        let bytes = self.data.len();
        self.share.set(bytes) <= bytes_max || bytes <= FILL_BYTES
    }

    /// The buffer to receive into next and where, if this body has one of its own; the body is without its data then.
    fn lend(&mut self) -> Option<(Vec<u8>, usize)> {
        if self.is_complete {
            return None;
        }
        match self.decoder.missing() {
            Some(missing) => {
                let missing = usize::try_from(missing).unwrap_or(usize::MAX);
                if missing == 0 || missing <= FILL_BYTES && !self.is_large {
                    return None;
                }
                // No more at once than came already, so that a promise of much reserves little.
                let start = self.data.len();
                let step = start.clamp(FILL_BYTES, FILL_BYTES_MAX).min(missing);
                let mut buffer = std::mem::take(&mut self.data);
                buffer.resize(start + step, 0);
                self.lent = Some(Lent::Data(start));
                self.is_large = true;
                Some((buffer, start))
            }
            None if self.data.len() >= FILL_BYTES || self.is_large => {
                self.lent = Some(Lent::Chunks);
                self.is_large = true;
                Some((vec![0; FILL_BYTES], 0))
            }
            None => None,
        }
    }

    /// Takes the buffer back that bytes on another way have overtaken.
    pub(crate) fn reclaim<D: Driver>(&mut self, reactor: &mut Reactor<D>, socket: SocketId) {
        let Some(lent) = self.lent.take() else { return };
        let buffer = reactor.take_back(socket);
        debug_assert!(buffer.is_some(), "nothing arrives beside a fill");
        if let (Lent::Data(start), Some(mut buffer)) = (lent, buffer) {
            buffer.truncate(start);
            self.data = buffer;
        }
    }

    /// A lent buffer comes back with bytes from `start` on. Those that are still to be decoded are returned.
    pub(crate) fn fill(&mut self, buffer: Vec<u8>, start: usize) -> Option<Vec<u8>> {
        match self.lent.take() {
            Some(Lent::Data(_)) => {
                // Sized data is what it is; a decoder that refuses repeats that when it is asked next.
                let _ = self.decoder.skip(&buffer[start..], usize::MAX);
                self.data = buffer;
                None
            }
            Some(Lent::Chunks) | None => Some(buffer),
        }
    }

    pub(crate) fn is_lent(&self) -> bool {
        self.lent.is_some()
    }
}

impl Connections {
    /// Has a large body's next bytes received into its own buffer; false: the budget for bodies is used up.
    pub(crate) fn lend<D: Driver, S: Service<D>>(
        &mut self,
        reactor: &mut Reactor<D>,
        service: &mut S,
        index: usize,
    ) -> bool {
        if !matches!(self.table[index].phase, Phase::Body(_)) {
            return true;
        }
        if self.bodies_bytes.get() + FILL_BYTES_MAX > self.bounds.bodies_bytes_max {
            self.end_stalled_bodies(reactor, service, index);
        }
        let connection = &mut self.table[index];
        let Phase::Body(body) = &mut connection.phase else { return true };
        let Some((buffer, start)) = body.lend() else { return true };
        // The chunks' buffer counts like the data that it will become.
        let bytes = body.data.len() + buffer.len();
        let fits = body.share.set(bytes) <= self.bounds.bodies_bytes_max || bytes <= FILL_BYTES;
        if fits {
            reactor.receive_into(connection.socket, buffer, start);
        }
        fits
    }

    /// The budget for bodies is used up: large ones of which nothing has come for longest go, as if their time were over,
    /// until there is room for another step.
    #[cold]
    fn end_stalled_bodies<D: Driver, S: Service<D>>(
        &mut self,
        reactor: &mut Reactor<D>,
        service: &mut S,
        spared: usize,
    ) {
        let now_ns = reactor.now().monotonic_ns;
        if now_ns < self.stalled_after_ns {
            return;
        }
        self.stalled_after_ns = now_ns + STALLED_BODY_NS / 4;
        let mut stalled: Vec<(u64, usize)> = Vec::new();
        for (index, connection) in &self.table {
            if let Phase::Body(body) = &connection.phase
                && !body.is_complete
                && body.share.bytes > FILL_BYTES
                && body.moved_ns + STALLED_BODY_NS <= now_ns
                && index != spared
            {
                stalled.push((body.moved_ns, index));
            }
        }
        stalled.sort_unstable();
        for (_, index) in stalled {
            if self.bodies_bytes.get() + FILL_BYTES_MAX <= self.bounds.bodies_bytes_max {
                break;
            }
            let whose = self.whose(index);
            self.refuse(reactor, service, index, crate::refusals::TIMEOUT, whose);
        }
    }
}

/// A part of a budget, given back when what it stands for goes, wherever it goes.
#[derive(Debug)]
pub(crate) struct Share {
    bytes: usize,
    total: Rc<Cell<usize>>,
}

impl Share {
    pub(crate) fn new(total: &Rc<Cell<usize>>) -> Share {
        Share { bytes: 0, total: total.clone() }
    }

    /// Becomes `bytes`; says what all shares come to then.
    pub(crate) fn set(&mut self, bytes: usize) -> usize {
        let total = self.total.get() - self.bytes + bytes;
        self.bytes = bytes;
        self.total.set(total);
        total
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set(0);
    }
}
