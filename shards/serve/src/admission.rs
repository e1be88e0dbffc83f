//! Requests that wait for room behind the service. Of each lane they begin in the order in which they came, one of a
//! connection at a time, so that a long pipeline takes no more turns than a single request; those that come meanwhile go
//! behind them. Whoever has waited for too long is shed.

use crate::connection::Blocked;
use crate::deadlines::WAITING;
use crate::server::Connections;
use crate::service::Service;
use ringmill_reactor::{Driver, Reactor, TimerId};
use std::collections::VecDeque;

/// A kind of work behind the service with room of its own; they are numbered from 0.
pub type Lane = usize;

/// What may be done with a request that needs room in a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It begins.
    Begin,
    /// Not yet: [`crate::Outcome::Wait`] has the request brought again.
    Wait,
    /// It has waited for as long as it may: it is answered 503 now.
    Shed,
}

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// Anybody's for whom nobody waits.
    Usual,
    /// That of a request that waited for so long, nanoseconds.
    Waited(u64),
    /// That of a request that waited too long.
    Late,
}

/// A connection whose next request waits.
#[derive(Debug)]
struct Waiting {
    connection: usize,
    generation: u32,
    since_ns: u64,
}

/// Who waits, by lane.
#[derive(Debug)]
pub(crate) struct Queues {
    lanes: Vec<VecDeque<Waiting>>,
    /// In all lanes; as many as there are connections at most, and those that have gone since the last look.
    count: usize,
    turn: Turn,
    timer: Option<TimerId>,
}

impl Default for Queues {
    fn default() -> Self {
        Queues { lanes: Vec::new(), count: 0, turn: Turn::Usual, timer: None }
    }
}

/// What one call is told of the queues.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ahead<'a> {
    queues: &'a Queues,
    turn: Turn,
}

impl Queues {
    /// In all lanes.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Since when the first waits.
    pub(crate) fn since_ns(&self) -> Option<u64> {
        self.lanes.iter().filter_map(VecDeque::front).map(|waiting| waiting.since_ns).min()
    }

    /// Whether somebody waits in a lane that has room.
    pub(crate) fn has_idle_room(&self, has_room: impl Fn(Lane) -> bool) -> bool {
        self.lanes.iter().enumerate().any(|(lane, queue)| !queue.is_empty() && has_room(lane))
    }

    /// For one call: a turn is for one request.
    pub(crate) fn ahead(&mut self) -> Ahead<'_> {
        let turn = std::mem::replace(&mut self.turn, Turn::Usual);
        Ahead { queues: self, turn }
    }
}

impl Ahead<'_> {
    pub(crate) fn is_anybody(&self) -> bool {
        self.queues.count > 0 || self.turn != Turn::Usual
    }

    pub(crate) fn admission(&self, lane: Lane, has_room: bool) -> Admission {
        let nobody_waits = self.queues.lanes.get(lane).is_none_or(VecDeque::is_empty);
        match self.turn {
            Turn::Late => Admission::Shed,
            Turn::Waited(_) if has_room => Admission::Begin,
            Turn::Usual if has_room && nobody_waits => Admission::Begin,
            Turn::Waited(_) | Turn::Usual => Admission::Wait,
        }
    }

    pub(crate) fn waited_ns(&self) -> u64 {
        match self.turn {
            Turn::Waited(ns) => ns,
            Turn::Usual | Turn::Late => 0,
        }
    }
}

impl Connections {
    /// Puts a connection's next request at the end of a lane.
    pub(crate) fn wait_for_room<D: Driver>(&mut self, reactor: &mut Reactor<D>, index: usize, lane: Lane) {
        let now_ns = reactor.now().monotonic_ns;
        let generation = self.table[index].generation;
        let queues = &mut self.queues;
        if queues.lanes.len() <= lane {
            queues.lanes.resize_with(lane + 1, VecDeque::new);
        }
        queues.lanes[lane].push_back(Waiting { connection: index, generation, since_ns: now_ns });
        queues.count += 1;
        if queues.timer.is_none() {
            queues.timer = Some(reactor.set_timer(now_ns + self.bounds.wait_timeout_ns, WAITING));
        }
    }

    /// Begins what waits, as far as there is room. Each lane is gone through once: of whoever was answered without taking the
    /// room, the next request may stand at the end of the lane by then, so what is left has its turn in the next turn.
    pub(crate) fn admit<D: Driver, S: Service<D>>(&mut self, reactor: &mut Reactor<D>, service: &mut S) {
        if self.queues.count == 0 {
            return;
        }
        for lane in 0..self.queues.lanes.len() {
            // Who goes behind again has had this time's turn.
            for _ in 0..self.queues.lanes[lane].len() {
                if !service.has_room(lane) {
                    break;
                }
                let now_ns = reactor.now().monotonic_ns;
                let Some(waiting) = self.next_of(lane) else { break };
                self.queues.turn = Turn::Waited(now_ns.saturating_sub(waiting.since_ns));
                self.resume_waiting(reactor, service, &waiting);
            }
        }
        if self.queues.count == 0
            && let Some(timer) = self.queues.timer.take()
        {
            reactor.cancel_timer(timer);
        }
        self.come_back_for_room(reactor, service);
    }

    /// Has [`Connections::admit`] called, if there is something for it to do: it follows tasks that ran.
    pub(crate) fn come_back_for_room<D: Driver, S: Service<D>>(&self, reactor: &mut Reactor<D>, service: &S) {
        let is_needed = self.queues.count > 0 && !reactor.tasks.is_ready();
        if is_needed && self.queues.has_idle_room(|lane| service.has_room(lane)) {
            reactor.tasks.spawn(async {});
        }
    }

    /// Sheds what has waited too long; the timer is set for whoever is next.
    pub(crate) fn shed_late<D: Driver, S: Service<D>>(&mut self, reactor: &mut Reactor<D>, service: &mut S) {
        let now_ns = reactor.now().monotonic_ns;
        let timeout_ns = self.bounds.wait_timeout_ns;
        for lane in 0..self.queues.lanes.len() {
            for _ in 0..self.queues.lanes[lane].len() {
                let front = self.queues.lanes[lane].front();
                if front.is_none_or(|waiting| waiting.since_ns + timeout_ns > now_ns) {
                    break;
                }
                let Some(waiting) = self.next_of(lane) else { break };
                self.queues.turn = Turn::Late;
                self.resume_waiting(reactor, service, &waiting);
            }
        }
        let fronts = self.queues.lanes.iter().filter_map(VecDeque::front);
        let next_ns = fronts.map(|waiting| waiting.since_ns + timeout_ns).min();
        self.queues.timer = next_ns.map(|next_ns| reactor.set_timer(next_ns, WAITING));
    }

    fn next_of(&mut self, lane: Lane) -> Option<Waiting> {
        let waiting = self.queues.lanes[lane].pop_front()?;
        self.queues.count -= 1;
        Some(waiting)
    }

    fn resume_waiting<D: Driver, S: Service<D>>(
        &mut self,
        reactor: &mut Reactor<D>,
        service: &mut S,
        waiting: &Waiting,
    ) {
        let index = waiting.connection;
        let is_there = self.table.get(index).is_some_and(|connection| {
            connection.generation == waiting.generation && connection.blocked == Blocked::Room
        });
        if is_there {
            self.unblock(reactor, service, index);
        }
        self.queues.turn = Turn::Usual;
    }
}
