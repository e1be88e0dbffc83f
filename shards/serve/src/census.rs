//! What a shard's connections hold at a moment, for whoever watches that it is given back.

use crate::server::Server;
use crate::service::Service;
use ringmill_reactor::{Driver, Reactor};

/// What the connections of a shard hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Census {
    /// How many there are.
    pub connections: usize,
    /// Of those, which are being turned away.
    pub refused: usize,
    /// The most requests that one has begun.
    pub begun_most: usize,
    /// The most bytes that one has received and not parsed.
    pub input_most: usize,
    /// Bytes of bodies being received.
    pub bodies_bytes: usize,
    /// Bytes of answers that wait for earlier ones.
    pub ready_bytes: usize,
    /// Bytes received and not parsed.
    pub input_bytes: usize,
    /// Connections that stand in a queue for room behind the service.
    pub queued: usize,
    /// Since when the first of them does, monotonic nanoseconds.
    pub queued_since_ns: Option<u64>,
    /// Somebody waits for room that is there, and no task is ready, after which it would be given.
    pub has_idle_room: bool,
    /// The most bytes of output that one has unsent.
    pub unsent_most: usize,
    /// Connections that no timer looks after: there are none.
    pub untimed: usize,
    /// The totals of input, of answers that wait and of unsent output are the sums of what each connection has.
    pub is_balanced: bool,
}

impl<S> Server<S> {
    /// What its connections hold at this moment.
    pub fn census<D: Driver>(&self, reactor: &Reactor<D>) -> Census
    where
        S: Service<D>,
    {
        let connections = &self.connections;
        let each = connections.table.iter().map(|(_, connection)| connection);
        Census {
            connections: connections.table.len(),
            refused: connections.refused,
            begun_most: each.clone().map(|connection| connection.begun.len()).max().unwrap_or(0),
            input_most: each.clone().map(|connection| connection.input.len()).max().unwrap_or(0),
            bodies_bytes: connections.bodies_bytes.get(),
            ready_bytes: connections.ready_bytes.get(),
            input_bytes: connections.input_bytes.get(),
            queued: connections.queues.count(),
            queued_since_ns: connections.queues.since_ns(),
            has_idle_room: connections.queues.has_idle_room(|lane| self.service.has_room(lane))
                && !reactor.tasks.is_ready(),
            unsent_most: reactor.unsent_most(),
            untimed: each.clone().filter(|each| each.timer.is_none()).count(),
            is_balanced: connections.input_bytes.get() == each.clone().map(|each| each.input.len()).sum()
                && connections.ready_bytes.get() == each.map(|each| each.ready_bytes).sum()
                && reactor.unsent_total() == reactor.unsent_counted(),
        }
    }
}
