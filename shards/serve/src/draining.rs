//! Draining: what was received is answered, listeners close when their last handshakes have ended, idle connections close,
//! and what is late is cut off.

use crate::bounds::{DRAIN_IDLE_NS, HANDSHAKE_GRACE_NS};
use crate::connection::{Phase, State};
use crate::deadlines::{DRAIN, LISTENERS};
use crate::server::{Connections, Server};
use crate::service::{Observation, Service};
use ringmill_http1::Connection as ConnectionField;
use ringmill_reactor::{Driver, ListenerId, Reactor};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Draining {
    /// What is in flight is cut off then.
    pub(crate) deadline_ns: u64,
    pub(crate) cut_off: usize,
    pub(crate) is_over: bool,
}

impl Connections {
    pub(crate) fn drain<D: Driver>(&mut self, reactor: &mut Reactor<D>, deadline_ns: u64) {
        match &mut self.draining {
            Some(draining) => draining.deadline_ns = draining.deadline_ns.min(deadline_ns),
            None => self.draining = Some(Draining { deadline_ns, cut_off: 0, is_over: false }),
        }
        reactor.set_timer(deadline_ns, DRAIN);
        let mut idle = Vec::new();
        for (index, connection) in &mut self.table {
            let wants_no_more = matches!(connection.phase, Phase::Head) && connection.input.is_empty();
            match connection.begun.back_mut() {
                // The last answer that is owed ends the connection, and says so. One that is written already cannot: what
                // follows it has the time of an idle connection.
                Some(last) if wants_no_more && matches!(last.state, State::Waiting) => {
                    last.meta.connection = ConnectionField::Close;
                    connection.is_last = true;
                }
                None if wants_no_more => idle.push(index),
                _ => {}
            }
        }
        // A request may be on its way already; it gets its answer, which then says that it is the last.
        for index in idle {
            self.set_deadline(reactor, index, reactor.now().monotonic_ns + DRAIN_IDLE_NS);
        }
    }

    /// The listeners' grace is over: what still waits to be accepted is taken over, and they close.
    pub(crate) fn close_listeners<D: Driver, S: Service<D>>(
        &mut self,
        reactor: &mut Reactor<D>,
        service: &mut S,
    ) {
        for listener in std::mem::take(&mut self.closing) {
            for fd in reactor.close_listener(listener) {
                self.open(reactor, fd, service);
            }
        }
    }

    /// Says so once when nothing is left.
    pub(crate) fn look_whether_drained<D: Driver, S: Service<D>>(
        &mut self,
        reactor: &mut Reactor<D>,
        service: &mut S,
    ) {
        if let Some(draining) = &mut self.draining
            && !draining.is_over
            && self.table.is_empty()
            && reactor.sockets_count() == 0
            && !reactor.is_listening()
        {
            draining.is_over = true;
            let cut_off = draining.cut_off;
            service.observe(reactor, Observation::Drained { cut_off });
        }
    }

    /// The deadline of draining: what is not answered is cut off.
    pub(crate) fn drain_timer<D: Driver>(&mut self, reactor: &mut Reactor<D>) {
        let now_ns = reactor.now().monotonic_ns;
        let Some(draining) = &mut self.draining else { return };
        if now_ns < draining.deadline_ns {
            return;
        }
        let all: Vec<usize> = self.table.iter().map(|(index, _)| index).collect();
        for index in all {
            let connection = &self.table[index];
            let in_reception =
                usize::from(!connection.input.is_empty() || matches!(connection.phase, Phase::Body(_)));
            let half_sent = usize::from(connection.begun.is_empty() && reactor.unsent(connection.socket) > 0);
            let cut_off = connection.begun.len() + in_reception + half_sent;
            if let Some(draining) = &mut self.draining {
                draining.cut_off += cut_off;
            }
            self.close(reactor, index);
        }
    }
}

impl<S> Server<S> {
    /// Whether draining was asked for and has ended.
    pub fn is_drained(&self) -> bool {
        self.connections.draining.is_some_and(|draining| draining.is_over)
    }

    /// Requests that the deadline of draining cut off.
    pub fn cut_off(&self) -> usize {
        self.connections.draining.map_or(0, |draining| draining.cut_off)
    }
    /// As [`crate::Core::drain`], from outside a message.
    pub fn drain<D: Driver>(&mut self, reactor: &mut Reactor<D>, deadline_ns: u64) {
        self.connections.drain(reactor, deadline_ns);
    }

    /// Begins no more handshakes, and stops accepting when those that have begun have had [`HANDSHAKE_GRACE_NS`].
    pub fn close_listeners<D: Driver>(&mut self, reactor: &mut Reactor<D>, listeners: &[ListenerId]) {
        for &listener in listeners {
            reactor.refuse_handshakes(listener);
            self.connections.closing.push(listener);
        }
        let now_ns = reactor.now().monotonic_ns;
        let deadline_ns = self.connections.draining.map_or(u64::MAX, |draining| draining.deadline_ns);
        reactor.set_timer(deadline_ns.min(now_ns + HANDSHAKE_GRACE_NS), LISTENERS);
    }
}
