//! Answers that come later, back into the order of their requests.

use crate::bodies::Share;
use crate::bounds::Observe;
use crate::connection::{Blocked, Meta, State};
use crate::outbox::{Late, Ticket};
use crate::refusals;
use crate::server::{Connections, request_id};
use crate::service::{Answered, Observation, Service};
use ringmill_http1::{Connection as ConnectionField, DateText, Status, encode_reply};
use ringmill_reactor::{Driver, Reactor};

/// An answer of 500 and above with its id.
pub(crate) fn encode_failure(
    out: &mut Vec<u8>,
    date: &DateText,
    status: u16,
    id: &str,
    connection: ConnectionField,
    with_body: bool,
) {
    let fields = [("Content-Type", "application/json"), ("Cache-Control", "no-store"), ("X-Request-Id", id)];
    let body = refusals::INTERNAL_ERROR.as_bytes();
    encode_reply(out, Status(status), &fields, body, date, connection, with_body);
}

impl Connections {
    /// Brings every answer in the outbox to its connection.
    pub(crate) fn deliver<D: Driver, S: Service<D>>(&mut self, reactor: &mut Reactor<D>, service: &mut S) {
        loop {
            let next = self.outbox.borrow_mut().pop_front();
            let Some((ticket, reply)) = next else { break };
            self.deliver_one(reactor, service, ticket, &reply);
        }
    }

    /// Brings one answer to its connection. If the connection is gone, or has answered that request (its deadline
    /// passed), it is thrown away.
    pub(crate) fn deliver_one<D: Driver, S: Service<D>>(
        &mut self,
        reactor: &mut Reactor<D>,
        service: &mut S,
        ticket: Ticket,
        reply: &Late,
    ) {
        self.set_date(reactor.now());
        let Some(connection) = self.table.get_mut(ticket.connection) else { return };
        if connection.generation != ticket.generation {
            return;
        }
        let place = ticket.sequence.wrapping_sub(connection.first_sequence) as usize;
        let Some(begun) = connection.begun.get_mut(place) else { return };
        if !matches!(begun.state, State::Waiting) {
            return;
        }
        let id = (reply.status().0 >= 500)
            .then(|| begun.meta.request_id.as_deref().map_or_else(|| request_id(reactor), str::to_owned));
        let socket = connection.socket;
        let bytes = if place == 0 {
            let mut out = reactor.take_output(socket);
            let before = out.len();
            encode(&mut out, reply, &begun.meta, id.as_deref(), &self.date);
            let bytes = out.len() - before;
            reactor.put_output(socket, out);
            begun.state = State::Ready { bytes: Vec::new(), share: Share::new(&self.ready_bytes) };
            bytes
        } else {
            let mut bytes = Vec::new();
            encode(&mut bytes, reply, &begun.meta, id.as_deref(), &self.date);
            let mut share = Share::new(&self.ready_bytes);
            let length = bytes.len();
            share.set(length);
            connection.ready_bytes += length;
            begun.state = State::Ready { bytes, share };
            length
        };
        let now_ns = reactor.now().monotonic_ns;
        let meta = &begun.meta;
        let duration_ns = now_ns.saturating_sub(meta.started_ns);
        self.counters.count(meta.route, meta.method, reply.status().0);
        self.counters.record(meta.route, duration_ns, now_ns);
        if self.bounds.observe == Observe::All
            || reply.status().0 >= 500
            || reply.is_unexplained()
            || duration_ns >= self.bounds.slow_ns
        {
            let observation = Observation::Answered(Answered {
                route: meta.route,
                method: meta.method.as_str(),
                path: &meta.path,
                status: reply.status().0,
                duration_ns,
                request_id: id.as_deref(),
                cause: reply.cause(),
                is_unexplained: reply.is_unexplained(),
            });
            service.observe(reactor, observation);
        }
        // A refusal says nothing of how long answers are.
        if reply.status().0 < 500 {
            self.table[ticket.connection].has_answer_of(bytes);
        }
        self.release(reactor, service, ticket.connection);
    }

    /// Sends the answers at the front of the queue that are there, and goes on with what they held up.
    pub(crate) fn release<D: Driver, S: Service<D>>(
        &mut self,
        reactor: &mut Reactor<D>,
        service: &mut S,
        index: usize,
    ) {
        let connection = &mut self.table[index];
        let socket = connection.socket;
        let mut out = reactor.take_output(socket);
        while let Some(State::Ready { bytes, .. }) = connection.begun.front().map(|begun| &begun.state) {
            out.extend_from_slice(bytes);
            connection.ready_bytes -= bytes.len();
            connection.begun.pop_front();
            connection.first_sequence = connection.first_sequence.wrapping_add(1);
        }
        if connection.begun.is_empty() {
            // A queue that was used is not kept by an idle connection.
            connection.begun.shrink_to(1);
            self.continue_if_owed(index, &mut out);
        }
        reactor.put_output(socket, out);
        let connection = &mut self.table[index];
        if connection.begun.is_empty() && connection.is_last {
            self.finish_when_sent(reactor, index);
            return;
        }
        self.set_phase_deadline(reactor, index, false);
        if self.table[index].blocked == Blocked::Requests {
            self.unblock(reactor, service, index);
        } else {
            self.end_if_peer_did(reactor, index);
        }
    }
}

fn encode(out: &mut Vec<u8>, reply: &Late, meta: &Meta, id: Option<&str>, date: &DateText) {
    let reply = match reply {
        Late::Reply(reply) => reply,
        Late::Rendered { rendered, lines, .. } => {
            return rendered.write_with(out, date, lines, meta.connection, meta.with_body);
        }
    };
    let mut fields: Vec<(&str, &str)> =
        reply.fields.iter().map(|(name, value)| (name.as_ref(), value.as_ref())).collect();
    if let Some(id) = id {
        fields.push(("X-Request-Id", id));
    }
    encode_reply(out, reply.status, &fields, &reply.body, date, meta.connection, meta.with_body);
}
