//! The reactor's handler: connections come, receive, and go.

use crate::admission::Queues;
use crate::bounds::{
    Bounds, DRAIN_IDLE_NS, INPUT_BYTES_PAUSE, OUTPUT_BYTES_MAX, REFUSED_AT_ONCE_MAX, SLOW_READER_NS, STALL_NS,
};
use crate::connection::{Blocked, Connection, Input, Phase};
use crate::counters::{Counters, RouteId};
use crate::deadlines::Waits;
use crate::draining::Draining;
use crate::outbox::Outbox;
use crate::refusals;
use crate::service::{Observation, Service};
use ringmill_http1::DateText;
use ringmill_mesh::Places;
use ringmill_reactor::{Driver, End, Errno, Fd, Handler, ListenerId, Mail, Now, Reactor, SocketId};
use slab::Slab;
use std::cell::Cell;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::sync::Arc;

/// Connections, and what their service needs to know of them.
pub(crate) struct Connections {
    pub(crate) bounds: Bounds,
    pub(crate) table: Slab<Connection>,
    pub(crate) generation: u32,
    /// Of the host.
    pub(crate) places: Arc<Places>,
    /// Connections without a place, which are being turned away.
    pub(crate) refused: usize,
    pub(crate) counters: Counters,
    pub(crate) outbox: Outbox,
    /// Bytes of all bodies being received.
    pub(crate) bodies_bytes: Rc<Cell<usize>>,
    /// Bytes of all answers that wait for an earlier one of their connection.
    pub(crate) ready_bytes: Rc<Cell<usize>>,
    pub(crate) date: DateText,
    pub(crate) date_second: u64,
    /// Routes of the requests answered in this turn without waiting, recorded together at its end.
    pub(crate) answered: Vec<RouteId>,
    /// Bytes of all connections that were received and are not parsed yet.
    pub(crate) input_bytes: Rc<Cell<usize>>,
    /// Requests that wait for room behind the service.
    pub(crate) queues: Queues,
    /// Stalled bodies are not looked for before then.
    pub(crate) stalled_after_ns: u64,
    /// Slow readers are not looked for before then.
    pub(crate) slow_after_ns: u64,
    /// Listeners that close when their last handshakes have ended.
    pub(crate) closing: Vec<ListenerId>,
    /// The phase of life: `Some` once draining has begun.
    pub(crate) draining: Option<Draining>,
}

/// HTTP on one shard.
pub struct Server<S> {
    pub(crate) connections: Connections,
    /// What is served.
    pub service: S,
}

/// What a service may do with the shard when a message arrives.
pub struct Core<'a, D: Driver> {
    /// Time, randomness, messages, tasks.
    pub reactor: &'a mut Reactor<D>,
    pub(crate) connections: &'a mut Connections,
}

impl<D: Driver> Core<'_, D> {
    /// A copy of the counters; the longest turn starts anew.
    pub fn counters(&mut self) -> Counters {
        let Core { reactor, connections } = self;
        connections.counters.roll(reactor.now().monotonic_ns);
        let mut counters = connections.counters.clone();
        counters.connections = connections.table.len();
        counters.turns = reactor.turns.count;
        counters.turn_longest_ns = std::mem::take(&mut reactor.turns.longest_ns);
        counters
    }

    /// Counts a message of the kind `kind`.
    pub fn count_message(&mut self, kind: usize) {
        let messages = &mut self.connections.counters.messages;
        if messages.len() <= kind {
            messages.resize(kind + 1, 0);
        }
        messages[kind] += 1;
    }

    /// Begins to drain: listeners close, answers end their connections, idle connections close. What is in flight has
    /// until `deadline_ns`, or, given a second time with an earlier instant, until then.
    pub fn drain(&mut self, deadline_ns: u64) {
        let Core { reactor, connections } = self;
        connections.drain(reactor, deadline_ns);
    }
}

impl<S> Server<S> {
    /// A server without connections; `routes` counts [`UNMATCHED`](crate::UNMATCHED) too, `places` bounds the connections of all shards
    /// together: beyond, a newcomer gets 503.
    pub fn new(bounds: Bounds, places: Arc<Places>, routes: usize, service: S) -> Server<S> {
        Server {
            connections: Connections {
                bounds,
                table: Slab::new(),
                generation: 0,
                places,
                refused: 0,
                counters: Counters::new(routes),
                outbox: Outbox::default(),
                bodies_bytes: Rc::default(),
                ready_bytes: Rc::default(),
                input_bytes: Rc::default(),
                queues: Queues::default(),
                stalled_after_ns: 0,
                date: DateText::from_unix(0),
                date_second: 0,
                answered: Vec::new(),
                slow_after_ns: 0,
                closing: Vec::new(),
                draining: None,
            },
            service,
        }
    }

    /// Bytes of answers that the kernel has not taken, or that wait for earlier ones.
    pub fn unsent<D: Driver>(&self, reactor: &Reactor<D>) -> usize {
        reactor.unsent_total() + self.connections.ready_bytes.get()
    }

    /// Connections that are open.
    pub fn connections_count(&self) -> usize {
        self.connections.table.len()
    }
}

impl Connections {
    pub(crate) fn set_date(&mut self, now: Now) {
        let second = now.unix_us / 1_000_000;
        if second != self.date_second {
            self.date_second = second;
            self.date = DateText::from_unix(second);
        }
    }

    pub(crate) fn open<D: Driver, S: Service<D>>(
        &mut self,
        reactor: &mut Reactor<D>,
        fd: Fd,
        service: &mut S,
    ) {
        self.counters.connections_accepted += 1;
        let has_place = self.places.take();
        if !has_place && self.refused >= REFUSED_AT_ONCE_MAX {
            self.counters.connections_refused += 1;
            service.observe(reactor, Observation::TooManyConnections { request_id: None });
            reactor.refuse(fd);
            return;
        }
        let now_ns = reactor.now().monotonic_ns;
        self.generation = self.generation.wrapping_add(1);
        let entry = self.table.vacant_entry();
        let index = entry.key();
        let socket = reactor.open(fd, index as u64);
        let first_request_ns =
            if self.draining.is_some() { DRAIN_IDLE_NS } else { self.bounds.idle_timeout_ns };
        let input = Input::new(&self.input_bytes);
        entry.insert(Connection::new(socket, self.generation, now_ns + first_request_ns, has_place, input));
        self.arm_timer(reactor, index);
        if !has_place {
            self.refused += 1;
            self.counters.connections_refused += 1;
            self.set_date(reactor.now());
            let id = self.write_refusal(reactor, index, refusals::UNAVAILABLE, true);
            service.observe(reactor, Observation::TooManyConnections { request_id: id.as_deref() });
        }
        if let Some(draining) = self.draining
            && draining.deadline_ns <= now_ns
        {
            // It came too late for the deadline's own timer.
            reactor.set_timer(now_ns, crate::deadlines::DRAIN);
        }
    }

    /// Whether the next request may not begin.
    pub(crate) fn blocked_by(
        &mut self,
        unsent: usize,
        is_over: bool,
        index: usize,
        is_write: bool,
    ) -> Blocked {
        let connection = &self.table[index];
        let begun = &connection.begun;
        let behind_write = begun.back().is_some_and(|last| last.meta.is_write());
        if behind_write || is_write && !begun.is_empty() || connection.has_enough_begun() {
            Blocked::Requests
        } else if unsent >= OUTPUT_BYTES_MAX || is_over && unsent > 0 {
            Blocked::Output
        } else if is_over && !begun.is_empty() {
            Blocked::Requests
        } else {
            Blocked::No
        }
    }

    /// Parses what was received before and could not be parsed then.
    pub(crate) fn unblock<D: Driver, S: Service<D>>(
        &mut self,
        reactor: &mut Reactor<D>,
        service: &mut S,
        index: usize,
    ) {
        let connection = &mut self.table[index];
        connection.blocked = Blocked::No;
        let socket = connection.socket;
        let input = connection.input.take();
        let is_waiting = matches!(&connection.phase, Phase::Body(body) if body.is_complete);
        if (is_waiting || !input.is_empty())
            && let ControlFlow::Continue(consumed) = self.parse(reactor, service, index, &input)
        {
            self.keep_rest(index, input, consumed);
        }
        let Some(connection) = self.table.get_mut(index) else { return };
        if connection.blocked == Blocked::No && std::mem::take(&mut connection.is_paused) {
            reactor.resume(socket);
        }
        self.end_if_peer_did(reactor, index);
    }

    /// A peer that has sent its last byte gets the answers it is owed, then the connection closes.
    pub(crate) fn end_if_peer_did<D: Driver>(&mut self, reactor: &mut Reactor<D>, index: usize) {
        let connection = &self.table[index];
        if connection.peer_ended && connection.begun.is_empty() && connection.blocked == Blocked::No {
            self.finish_when_sent(reactor, index);
        }
    }

    /// Keeps `input[consumed..]` for later.
    fn keep_rest(&mut self, index: usize, mut input: Vec<u8>, consumed: usize) {
        if consumed < input.len() {
            input.drain(..consumed);
            self.table[index].input.put(input);
        }
    }
}

/// A new id: 16 hexadecimal digits.
pub(crate) fn request_id<D: Driver>(reactor: &mut Reactor<D>) -> String {
    format!("{:016x}", reactor.driver().random())
}

impl<D: Driver, S: Service<D>> Handler<D> for Server<S> {
    fn accepted(&mut self, reactor: &mut Reactor<D>, _listener: ListenerId, fd: Fd) {
        self.connections.open(reactor, fd, &mut self.service);
    }

    fn received(&mut self, reactor: &mut Reactor<D>, socket: SocketId, user: u64, bytes: D::Buffer) {
        let index = user as usize;
        let Server { connections, service } = self;
        let connection = &mut connections.table[index];
        debug_assert_eq!(connection.socket, socket);
        match &mut connection.phase {
            Phase::Head => {}
            Phase::Body(body) => body.reclaim(reactor, socket),
            Phase::Discard { .. } => {
                connections.discard(reactor, index, bytes.len());
                return;
            }
        }
        if connection.blocked != Blocked::No {
            connection.input.extend(&bytes);
            if connection.input.len() >= INPUT_BYTES_PAUSE {
                if !std::mem::replace(&mut connection.is_paused, true) {
                    reactor.pause(socket);
                }
                if connections.input_bytes.get() > connections.bounds.input_bytes_max {
                    connections.reset(reactor, index);
                    connections.counters.connections_reset += 1;
                    service.observe(reactor, Observation::SlowReaders { connections: 1 });
                }
            }
            return;
        }
        if connection.input.is_empty() {
            // The usual case: requests are parsed where the kernel put them.
            if let ControlFlow::Continue(consumed) = connections.parse(reactor, service, index, &bytes)
                && consumed < bytes.len()
            {
                connections.table[index].input.extend(&bytes[consumed..]);
            }
        } else {
            let mut input = connection.input.take();
            input.extend_from_slice(&bytes);
            drop(bytes);
            if let ControlFlow::Continue(consumed) = connections.parse(reactor, service, index, &input) {
                connections.keep_rest(index, input, consumed);
            }
        }
    }

    fn filled(
        &mut self,
        reactor: &mut Reactor<D>,
        socket: SocketId,
        user: u64,
        buffer: Vec<u8>,
        start: usize,
    ) {
        let index = user as usize;
        let Server { connections, service } = self;
        let undecoded = match &mut connections.table[index].phase {
            Phase::Body(body) => body.fill(buffer, start),
            Phase::Head => Some(buffer),
            Phase::Discard { .. } => {
                connections.discard(reactor, index, buffer.len() - start);
                reactor.resume(socket);
                return;
            }
        };
        let bytes = undecoded.as_deref().unwrap_or_default();
        if let ControlFlow::Continue(consumed) = connections.parse(reactor, service, index, bytes)
            && consumed < bytes.len()
        {
            connections.table[index].input.extend(&bytes[consumed..]);
        }
        let Some(connection) = connections.table.get(index) else { return };
        let is_lent = matches!(&connection.phase, Phase::Body(body) if body.is_lent());
        if !is_lent && !connection.is_paused {
            reactor.resume(socket);
        }
    }

    fn ended(&mut self, reactor: &mut Reactor<D>, _socket: SocketId, user: u64, end: End) {
        let index = user as usize;
        match end {
            End::Failed(_) => self.connections.close(reactor, index),
            End::Closed => {
                let connection = &mut self.connections.table[index];
                connection.peer_ended = true;
                if connection.is_finished {
                    self.connections.close(reactor, index);
                } else {
                    self.connections.end_if_peer_did(reactor, index);
                }
            }
        }
    }

    fn sent(&mut self, reactor: &mut Reactor<D>, _socket: SocketId, user: u64) {
        let index = user as usize;
        let connection = &self.connections.table[index];
        if matches!(connection.phase, Phase::Discard { .. }) {
            if connection.begun.is_empty() {
                self.connections.finish(reactor, index);
            }
        } else if connection.blocked == Blocked::Output {
            self.connections.unblock(reactor, &mut self.service, index);
        } else if connection.begun.is_empty() && connection.waits == Waits::Nothing {
            // A deadline found it idle but for a slow reader: its idle time begins now.
            self.connections.set_phase_deadline(reactor, index, false);
        }
    }

    fn timer(&mut self, reactor: &mut Reactor<D>, payload: u64) {
        let Server { connections, service } = self;
        if payload == crate::deadlines::SERVICE_TIMER {
            return service.timer(&mut Core { reactor, connections });
        }
        connections.timer(reactor, service, payload);
    }

    fn message(&mut self, reactor: &mut Reactor<D>, mail: Mail<D::Message>) {
        let Server { connections, service } = self;
        service.message(&mut Core { reactor, connections }, mail);
        connections.come_back_for_room(reactor, service);
    }

    fn tasks_ran(&mut self, reactor: &mut Reactor<D>, panicked: usize) {
        let Server { connections, service } = self;
        for _ in 0..panicked {
            service.observe(reactor, Observation::Panicked);
        }
        connections.deliver(reactor, service);
        connections.admit(reactor, service);
    }

    fn turned(&mut self, reactor: &mut Reactor<D>, end: Now) {
        let Server { connections, service } = self;
        let start_ns = reactor.now().monotonic_ns;
        let duration_ns = end.monotonic_ns - start_ns;
        connections.counters.busy_ns += duration_ns;
        if duration_ns >= STALL_NS {
            service.observe(reactor, Observation::Stalled { duration_ns });
        }
        let unsent = reactor.unsent_total() + connections.ready_bytes.get();
        let bytes_max = connections.bounds.output_bytes_max;
        if unsent > 2 * bytes_max {
            connections.reset_slowest(reactor, service, 0);
        } else if unsent > bytes_max
            && end.monotonic_ns >= connections.slow_after_ns
            // With completions left over, who seems slow may have read long ago.
            && !reactor.driver().has_more()
        {
            connections.slow_after_ns = end.monotonic_ns + SLOW_READER_NS / 4;
            connections.reset_slowest(reactor, service, SLOW_READER_NS);
        }
        let mut answered = std::mem::take(&mut connections.answered);
        for route in answered.drain(..) {
            connections.counters.record(route, duration_ns, end.monotonic_ns);
        }
        connections.answered = answered;
        connections.look_whether_drained(reactor, service);
    }

    fn accept_failed(&mut self, reactor: &mut Reactor<D>, _listener: ListenerId, errno: Errno) {
        self.service.observe(reactor, Observation::AcceptFailed(errno));
    }
}
