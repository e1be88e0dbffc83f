//! Deadlines of connections. A connection has one timer; a later deadline is only noted, and found when the timer fires.

use crate::bounds::{DRAIN_IDLE_NS, SEND_STALL_NS};
use crate::connection::{Blocked, Phase, State};
use crate::outbox::{Late, Reply, Ticket};
use crate::refusals;
use crate::server::Connections;
use crate::service::{Observation, Service};
use ringmill_reactor::{Driver, Reactor};

/// The timer of draining; the others carry a connection's index and generation.
pub(crate) const DRAIN: u64 = u64::MAX;

/// The timer of requests that wait for room.
pub(crate) const WAITING: u64 = u64::MAX - 2;

/// The timer after which listeners close.
pub(crate) const LISTENERS: u64 = u64::MAX - 1;

/// The timer that is the service's own: [`Service::timer`]. It may be set several times.
pub const SERVICE_TIMER: u64 = u64::MAX - 3;

/// What a deadline that has passed means.
enum Passed {
    /// It does not apply any more.
    Nothing,
    Idle,
    /// Neither the head nor the body came in time.
    Request,
    /// No answer came in time.
    Answer,
    /// The peer does not close.
    Linger,
}

impl Connections {
    /// Notes a deadline; the timer is touched only if it would fire too late.
    pub(crate) fn set_deadline<D: Driver>(
        &mut self,
        reactor: &mut Reactor<D>,
        index: usize,
        deadline_ns: u64,
    ) {
        let connection = &mut self.table[index];
        connection.deadline_ns = deadline_ns;
        match connection.timer {
            Some((_, fires_ns)) if fires_ns <= deadline_ns => {}
            Some((timer, _)) => {
                reactor.cancel_timer(timer);
                self.arm_timer(reactor, index);
            }
            None => self.arm_timer(reactor, index),
        }
    }

    pub(crate) fn arm_timer<D: Driver>(&mut self, reactor: &mut Reactor<D>, index: usize) {
        let connection = &mut self.table[index];
        let payload = u64::from(connection.generation) << 32 | index as u64;
        // It also looks whether the peer reads, at the latest when a send that begins now would be overdue.
        let since_ns = reactor.stalled_since_ns(connection.socket).unwrap_or(reactor.now().monotonic_ns);
        let fires_ns = connection.deadline_ns.min(since_ns + SEND_STALL_NS);
        connection.timer = Some((reactor.set_timer(fires_ns, payload), fires_ns));
    }

    /// Sets the deadline of what the connection waits for, after parsing. `has_rest`: part of a request was received
    /// that cannot be parsed yet.
    pub(crate) fn set_phase_deadline<D: Driver>(
        &mut self,
        reactor: &mut Reactor<D>,
        index: usize,
        has_rest: bool,
    ) {
        let now_ns = reactor.now().monotonic_ns;
        let bounds = &self.bounds;
        let connection = &mut self.table[index];
        if connection.is_finished {
            return;
        }
        if let Some(first) = connection.begun.front() {
            let deadline_ns = first.meta.started_ns + bounds.request_timeout_ns;
            self.set_deadline(reactor, index, deadline_ns);
            return;
        }
        if connection.blocked == Blocked::Room {
            // It waits for us, and for no longer than it may wait for room.
            self.set_deadline(reactor, index, now_ns + bounds.request_timeout_ns);
            return;
        }
        // Absolute from its first byte on: what trickles in does not move it.
        let waits_for = match connection.phase {
            Phase::Body(_) => Waits::Body,
            Phase::Head if has_rest || !connection.input.is_empty() => Waits::Head,
            Phase::Head | Phase::Discard { .. } => Waits::Nothing,
        };
        let timeout_ns = match waits_for {
            Waits::Nothing if self.draining.is_some() => DRAIN_IDLE_NS,
            Waits::Nothing => bounds.idle_timeout_ns,
            Waits::Head => bounds.head_timeout_ns,
            Waits::Body => bounds.body_timeout_ns,
        };
        if connection.waits != waits_for || waits_for == Waits::Nothing {
            connection.waits = waits_for;
            let socket = connection.socket;
            self.set_deadline(reactor, index, now_ns + timeout_ns);
            if matches!(waits_for, Waits::Head | Waits::Body) {
                reactor.refresh(socket);
            }
        }
    }

    /// A timer of [`Connections::arm_timer`], or the one of draining.
    pub(crate) fn timer<D: Driver, S: Service<D>>(
        &mut self,
        reactor: &mut Reactor<D>,
        service: &mut S,
        payload: u64,
    ) {
        if payload == DRAIN {
            self.drain_timer(reactor);
            return;
        }
        if payload == LISTENERS {
            self.close_listeners(reactor, service);
            return;
        }
        if payload == WAITING {
            self.shed_late(reactor, service);
            return;
        }
        let index = payload as u32 as usize;
        let generation = (payload >> 32) as u32;
        let Some(connection) = self.table.get_mut(index) else { return };
        if connection.generation != generation {
            return;
        }
        connection.timer = None;
        let now_ns = reactor.now().monotonic_ns;
        let socket = connection.socket;
        if reactor.stalled_since_ns(socket).is_some_and(|since_ns| now_ns >= since_ns + SEND_STALL_NS) {
            self.reset(reactor, index);
            self.counters.connections_reset += 1;
            service.observe(reactor, Observation::SlowReaders { connections: 1 });
            return;
        }
        if connection.deadline_ns > now_ns {
            self.arm_timer(reactor, index);
            return;
        }
        self.set_date(reactor.now());
        let is_unsent = reactor.unsent(socket) > 0;
        let connection = &self.table[index];
        let passed = match connection.phase {
            _ if connection.is_finished => Passed::Linger,
            _ if !connection.begun.is_empty() => Passed::Answer,
            _ if matches!(connection.blocked, Blocked::Output | Blocked::Room) => Passed::Nothing,
            Phase::Head if !connection.input.is_empty() => Passed::Request,
            Phase::Body(_) => Passed::Request,
            // What the peer is still reading is bounded by the deadline of sending alone.
            Phase::Head | Phase::Discard { .. } if is_unsent => Passed::Nothing,
            Phase::Head => Passed::Idle,
            Phase::Discard { .. } => Passed::Linger,
        };
        match passed {
            Passed::Nothing => _ = reactor.notify_when_sent(socket),
            Passed::Idle | Passed::Linger => self.close(reactor, index),
            Passed::Request => {
                let whose = self.whose(index);
                self.refuse(reactor, service, index, refusals::TIMEOUT, whose);
            }
            Passed::Answer => self.answer_late(reactor, service, index, generation),
        }
        if let Some(connection) = self.table.get(index)
            && connection.generation == generation
            && connection.timer.is_none()
        {
            if connection.deadline_ns <= now_ns {
                self.table[index].deadline_ns = now_ns + SEND_STALL_NS;
            }
            self.arm_timer(reactor, index);
        }
    }

    /// Requests have had their time: 503 if nothing was done, 504 for a write, which goes on.
    fn answer_late<D: Driver, S: Service<D>>(
        &mut self,
        reactor: &mut Reactor<D>,
        service: &mut S,
        index: usize,
        generation: u32,
    ) {
        while self.answer_one_late(reactor, service, index, generation) {}
    }

    /// Answers the oldest request that is overdue; false: there is none.
    fn answer_one_late<D: Driver, S: Service<D>>(
        &mut self,
        reactor: &mut Reactor<D>,
        service: &mut S,
        index: usize,
        generation: u32,
    ) -> bool {
        let now_ns = reactor.now().monotonic_ns;
        let timeout_ns = self.bounds.request_timeout_ns;
        let Some(connection) = self.table.get(index) else { return false };
        let overdue = connection.begun.iter().position(|begun| {
            matches!(begun.state, State::Waiting) && begun.meta.started_ns + timeout_ns <= now_ns
        });
        let Some(waiting) = overdue.filter(|_| connection.generation == generation) else { return false };
        let ticket = Ticket {
            connection: index,
            generation: connection.generation,
            sequence: connection.first_sequence.wrapping_add(waiting as u32),
        };
        let is_write = connection.begun[waiting].meta.is_write();
        let (status, body) = if is_write { refusals::OUTCOME_UNKNOWN } else { refusals::UNAVAILABLE };
        let mut reply = Reply::json(status, body.as_bytes());
        if !is_write {
            reply.fields.push(("Retry-After".into(), "1".into()));
        }
        reply.cause = Some("request_timeout passed before there was an answer".to_owned());
        self.deliver_one(reactor, service, ticket, &Late::Reply(reply));
        true
    }
}

/// What of a request a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waits {
    Nothing,
    Head,
    Body,
}
