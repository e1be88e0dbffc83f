//! One shard's part of the cache: what is kept, who waits for what, and which shard makes an answer. It does nothing itself: what is
//! to be asked and who is to be told stands in its deeds.
//!
//! Every key has an owner among the shards. A request that finds nothing on its own shard asks the owner, which answers from what it
//! keeps or asks the database, once for all who ask meanwhile. Nothing is given that was filled below a request's floor: see
//! [`ringmill_cache`] and [`ringmill_mesh::Board`].

use super::store::{LANES, lane};
use super::whole::Whole;
use crate::api::{Answer, Api, Pending, RouteIndex};
use ringmill_cache::{
    ALIAS_BYTES_MAX, Aliases, Asked, Asks, Entry, Flights, Joined, Key, KeyRef, Life, Look, Partition, Seed,
    Slots,
};
use ringmill_mesh::Board;
use ringmill_serve::{Lane, RouteId};
use ringmill_sqlite::{Job, Reply as Stored};
use slab::Slab;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

/// Flights of a shard that wait for room in a lane of the store; one route may have half of them. Beyond it whoever waits is shed.
pub const FLIGHTS_WAITING_MAX: usize = 1024;

/// How long it is remembered that an answer cannot be kept, nanoseconds.
const PASS_NS: u64 = 1_000_000_000;

/// Targets that a shard remembers.
const ALIASES_MAX: usize = 16_384;

/// The share of a shard's budget for copies of what other shards own.
const COPIES: u64 = 4;

/// What all shards of a process have in common.
#[derive(Clone, Debug)]
pub struct Coherence {
    /// When what was written.
    pub board: Arc<Board>,
    /// For keys and tags.
    pub seed: Seed,
}

/// Where an answer comes from, as the client is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// It was kept.
    Hit,
    /// The database was asked.
    Miss,
    /// It was kept and is past its time.
    Stale,
}

/// What a request gets that waits.
#[derive(Clone, Debug)]
pub enum Fetched {
    /// What may be kept from now on.
    Kept(Entry<Arc<Whole>>, How),
    /// What may not.
    Answer(Box<Answer>),
    /// There are too many ahead of it.
    Shed,
}

/// What it takes to make an answer. It crosses to the owner.
#[derive(Clone, Debug)]
pub struct Work {
    pub(super) key: Key,
    pub(super) slots: Slots,
    pub(super) job: Job,
    pub(super) pending: Pending,
}

/// Who waits for an answer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Who {
    /// A request of this shard, by ticket.
    Here(u64),
    /// Another shard, which calls it so.
    There { shard: usize, number: usize },
    /// What is past its time is made anew for whoever comes.
    Nobody,
}

#[derive(Debug)]
struct Waiting {
    floor: u64,
    who: Who,
}

/// A question that waits for room, or is with the store.
#[derive(Debug)]
struct Question {
    work: Rc<Work>,
    /// Since when it waits, then when it was asked.
    since_ns: u64,
    /// What was noted of the board before it was asked.
    filled_at: u64,
    /// Of an answer that cannot be kept: who waits for this one alone.
    alone: Option<Waiting>,
}

/// A question to another shard.
#[derive(Debug)]
pub struct Send {
    pub(super) number: usize,
    pub(super) floor: u64,
    pub(super) work: Box<Work>,
    since_ns: u64,
}

/// What the shard has to do: it alone reaches the other shards and its requests.
#[derive(Debug)]
pub(super) enum Deed {
    /// Ask another shard.
    Send { shard: usize, send: Send },
    /// Somebody's wait is over.
    Give { who: Who, fetched: Fetched },
}

/// What a shard counts of its part of the cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheCounts {
    /// Requests by what came of them, in the order of [`RESULTS`].
    pub results: [u64; RESULTS.len()],
    /// Bytes that are kept.
    pub bytes: u64,
    /// Answers that are kept.
    pub entries: u64,
    /// Answers that went for want of room.
    pub evictions: u64,
    /// Marks on the board, of the whole process.
    pub invalidations: u64,
}

impl CacheCounts {
    /// Adds those of another shard of the same process.
    pub fn add(&mut self, other: &CacheCounts) {
        self.results.iter_mut().zip(other.results).for_each(|(sum, count)| *sum += count);
        self.bytes += other.bytes;
        self.entries += other.entries;
        self.evictions += other.evictions;
        // What all of them see.
        self.invalidations = self.invalidations.max(other.invalidations);
    }
}

/// What comes of a request whose answer may be kept: it was kept on the connection's own shard, or on the owner's; it was made for
/// it; it was past its time; it cannot be kept.
pub const RESULTS: [&str; 5] = ["hit", "hit_owner", "miss", "stale", "uncached"];

pub(super) const HIT: usize = 0;
const HIT_OWNER: usize = 1;
const MISS: usize = 2;
pub(super) const STALE: usize = 3;
const UNCACHED: usize = 4;

/// An answer that is kept, for whoever compares it with the database.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Its operation's number, then values with their kinds.
    pub key: Vec<u8>,
    /// Nothing that it depends on has been written since.
    pub is_valid: bool,
    /// Of the answer.
    pub status: u16,
    /// Of the answer.
    pub body: Vec<u8>,
}

impl Kept {
    /// The one integer that its request comes down to.
    pub fn item(&self) -> Option<i64> {
        let value = self.key.get(4..)?.strip_prefix(&[1])?;
        Some(i64::from_le_bytes(value.try_into().ok()?))
    }
}

/// What a target comes down to.
#[derive(Debug)]
struct Alias {
    key: Key,
    slots: Slots,
    route: RouteId,
}

/// See the module.
pub(super) struct Cache {
    shard: usize,
    shards: usize,
    pub(super) coherence: Coherence,
    wait_timeout_ns: u64,
    /// Targets of requests, as they came.
    aliases: Aliases<Alias>,
    own: Partition<Arc<Whole>>,
    copies: Partition<Arc<Whole>>,
    flights: Flights<Waiting>,
    asks: Asks<u64>,
    queues: [VecDeque<Question>; LANES],
    queued_of: HashMap<RouteIndex, usize>,
    /// Questions to each of the other shards that there was no room for in the mesh.
    unsent: Vec<VecDeque<Send>>,
    asked: Slab<Question>,
    deeds: VecDeque<Deed>,
    /// Requests by what came of them.
    pub(super) results: [u64; RESULTS.len()],
    /// Nobody else is asked any more: it may have ended.
    is_alone: bool,
}

impl Cache {
    /// That of one of so many shards; all together keep `bytes_max`. Nobody waits for the store for longer than `wait_timeout_ns`.
    pub(super) fn new(
        (shard, shards): (usize, usize),
        bytes_max: u64,
        wait_timeout_ns: u64,
        coherence: Coherence,
    ) -> Cache {
        let budget = bytes_max / shards as u64;
        let copies = if shards > 1 { budget / COPIES } else { 0 };
        Cache {
            shard,
            shards,
            wait_timeout_ns,
            aliases: Aliases::new(ALIASES_MAX, coherence.seed.clone()),
            coherence,
            own: Partition::new(budget - copies),
            copies: Partition::new(copies),
            flights: Flights::default(),
            asks: Asks::default(),
            queues: Default::default(),
            queued_of: HashMap::new(),
            unsent: (0..shards).map(|_| VecDeque::new()).collect(),
            asked: Slab::new(),
            deeds: VecDeque::new(),
            results: [0; RESULTS.len()],
            is_alone: false,
        }
    }

    /// What there is to do next.
    pub(super) fn deed(&mut self) -> Option<Deed> {
        self.deeds.pop_front()
    }

    /// The path of most requests: an answer that is kept here and fresh, for a target that was asked before, and its route.
    #[inline]
    pub(super) fn hit(&mut self, target: &[u8], now_ns: u64) -> Option<(&Entry<Arc<Whole>>, RouteId)> {
        let alias = self.aliases.get(target)?;
        let floor = self.coherence.board.floor(&alias.slots);
        let key = alias.key.as_ref();
        let partition = if key.owner(self.shards) == self.shard { &mut self.own } else { &mut self.copies };
        match partition.look(key, now_ns, floor) {
            Look::Fresh(entry) => {
                self.results[HIT] += 1;
                Some((entry, alias.route))
            }
            Look::Stale(_) | Look::Passes | Look::Nothing => None,
        }
    }

    /// What a target comes down to is remembered.
    pub(super) fn remember(&mut self, target: &[u8], key: KeyRef<'_>, slots: &Slots, route: RouteId) {
        if target.len() <= ALIAS_BYTES_MAX {
            self.aliases.put(target, Alias { key: key.to_key(), slots: slots.clone(), route });
        }
    }

    fn is_own(&self, key: KeyRef<'_>) -> bool {
        key.owner(self.shards) == self.shard
    }

    /// What is kept here for a request with this floor.
    pub(super) fn look(&mut self, key: KeyRef<'_>, now_ns: u64, floor: u64) -> Look<'_, Arc<Whole>> {
        if self.is_own(key) {
            return self.own.look(key, now_ns, floor);
        }
        match self.copies.look(key, now_ns, floor) {
            // The owner has it made anew, once for all.
            Look::Stale(_) => Look::Nothing,
            found => found,
        }
    }

    /// A request has found nothing here, or (`Who::Nobody`) something of this shard's own that is past its time.
    pub(super) fn miss(&mut self, work: Work, floor: u64, who: Who, now_ns: u64) {
        let owner = work.key.as_ref().owner(self.shards);
        match who {
            Who::Here(ticket) if owner != self.shard && !self.is_alone => {
                if let Asked::First(number) = self.asks.join(&work.key, floor, ticket) {
                    let send = Send { number, floor, work: Box::new(work), since_ns: now_ns };
                    self.deeds.push_back(Deed::Send { shard: owner, send });
                }
            }
            _ => self.obtain(work, floor, who, now_ns),
        }
    }

    /// Somebody wants an answer that this shard makes.
    pub(super) fn obtain(&mut self, work: Work, floor: u64, who: Who, now_ns: u64) {
        let waiting = Waiting { floor, who };
        if matches!(who, Who::Nobody) {
            if !self.flights.contains(work.key.as_ref()) {
                self.flights.join(&work.key, floor, waiting);
                self.enqueue(Rc::new(work), None, now_ns);
            }
            return;
        }
        match self.own.look(work.key.as_ref(), now_ns, floor) {
            Look::Fresh(entry) => {
                let fetched = Fetched::Kept(entry.clone(), How::Hit);
                self.deeds.push_back(Deed::Give { who, fetched });
            }
            Look::Stale(entry) => {
                let fetched = Fetched::Kept(entry.clone(), How::Stale);
                self.deeds.push_back(Deed::Give { who, fetched });
                self.obtain(work, floor, Who::Nobody, now_ns);
            }
            Look::Passes => self.enqueue(Rc::new(work), Some(waiting), now_ns),
            Look::Nothing => {
                if self.flights.join(&work.key, floor, waiting) == Joined::First {
                    self.enqueue(Rc::new(work), None, now_ns);
                }
            }
        }
    }

    fn enqueue(&mut self, work: Rc<Work>, alone: Option<Waiting>, now_ns: u64) {
        let question = Question { work, since_ns: now_ns, filled_at: 0, alone };
        let route = question.work.pending.route;
        let of_route = self.queued_of.entry(route).or_default();
        let all: usize = self.queues.iter().map(VecDeque::len).sum();
        if all >= FLIGHTS_WAITING_MAX || *of_route >= FLIGHTS_WAITING_MAX / 2 {
            self.end(question, now_ns, |_| Fetched::Shed);
            return;
        }
        *of_route += 1;
        self.queues[lane(question.work.job.class)].push_back(question);
    }

    /// The next question of a lane that has room, which is asked now, and its number.
    pub(super) fn next(&mut self, lane: Lane, now_ns: u64) -> Option<(usize, Job)> {
        let mut question = self.queues[lane].pop_front()?;
        self.is_taken(&question);
        question.since_ns = now_ns;
        // Before the store has it.
        question.filled_at = self.coherence.board.now();
        if question.alone.is_none() {
            self.flights.begin(&question.work.key, question.filled_at);
        }
        let job = question.work.job.clone();
        Some((self.asked.insert(question), job))
    }

    /// The store does not take it.
    pub(super) fn not_asked(&mut self, number: usize, now_ns: u64) {
        if let Some(question) = self.asked.try_remove(number) {
            self.end(question, now_ns, |_| Fetched::Shed);
        }
    }

    /// The store has replied to a question.
    pub(super) fn stored(&mut self, api: &Api, number: usize, stored: Stored, now_ns: u64, random: u64) {
        let Some(question) = self.asked.try_remove(number) else { return };
        let work = question.work.clone();
        let key = work.key.as_ref();
        let answer = api.finish(work.pending.clone(), stored);
        let rule = api.cache_rule(&work.pending);
        if let Some(rule) = rule
            && let Some((whole, ages)) = Whole::new(&answer, rule)
        {
            let entry = Entry {
                filled_at: question.filled_at,
                slots: work.slots.clone(),
                life: Life::new(ages, question.since_ns, random),
                bytes: whole.bytes(),
                reply: Arc::new(whole),
            };
            if !self.is_own(key) {
                // Made here because its owner may have ended.
            } else if ages.ttl == 0 || !self.own.put(key, entry.clone()) && !self.has_newer(key, &entry) {
                self.own.put_pass(key, now_ns + PASS_NS);
            }
            self.end(question, now_ns, |_| Fetched::Kept(entry.clone(), How::Miss));
            return;
        }
        if answer.status < 500 {
            if self.is_own(key) {
                self.own.put_pass(key, now_ns + PASS_NS);
            }
            self.end(question, now_ns, |_| Fetched::Answer(Box::new(answer.clone())));
            return;
        }
        // What a write has marked meanwhile is no help.
        let floor_now = self.coherence.board.floor(&work.slots);
        let own = self.own.look_in_need(key, now_ns, floor_now).cloned();
        self.end(question, now_ns, |floor| match &own {
            Some(entry) if entry.filled_at >= floor => Fetched::Kept(entry.clone(), How::Stale),
            _ => Fetched::Answer(Box::new(answer.clone())),
        });
    }

    fn has_newer(&self, key: KeyRef<'_>, entry: &Entry<Arc<Whole>>) -> bool {
        self.own.peek(key).is_some_and(|known| known.filled_at >= entry.filled_at)
    }

    /// A question is over: who waited for it gets what `fetched` says for his floor, and who came too late for it is next.
    fn end(&mut self, question: Question, now_ns: u64, fetched: impl Fn(u64) -> Fetched) {
        let give = |waiting: Waiting| Deed::Give { who: waiting.who, fetched: fetched(waiting.floor) };
        if let Some(waiting) = question.alone {
            self.deeds.push_back(give(waiting));
            return;
        }
        let ended = self.flights.end(&question.work.key);
        self.deeds.extend(ended.waiters.into_iter().map(give));
        if ended.has_next {
            self.enqueue(question.work, None, now_ns);
        }
    }

    /// Other shards may end from now on: nobody else is asked any more, and what was not asked yet is shed.
    pub(super) fn be_alone(&mut self) {
        self.is_alone = true;
        for shard in 0..self.shards {
            for send in std::mem::take(&mut self.unsent[shard]) {
                self.fetched(send.number, Fetched::Shed);
            }
        }
    }

    /// There was no room for a question to another shard: it is sent when that has answered another one.
    pub(super) fn not_sent(&mut self, shard: usize, send: Send) {
        if self.is_alone || self.unsent[shard].len() >= FLIGHTS_WAITING_MAX {
            return self.fetched(send.number, Fetched::Shed);
        }
        self.unsent[shard].push_back(send);
    }

    /// A shard has answered, so that there is room for another question to it.
    pub(super) fn send_next(&mut self, shard: usize, now_ns: u64) {
        while let Some(send) = self.unsent[shard].pop_front() {
            if send.since_ns + self.wait_timeout_ns > now_ns {
                self.deeds.push_back(Deed::Send { shard, send });
                return;
            }
            self.fetched(send.number, Fetched::Shed);
        }
    }

    /// When the first of those that wait for room has waited for as long as it may, monotonic nanoseconds.
    pub(super) fn deadline_ns(&self) -> Option<u64> {
        let questions =
            self.queues.iter().filter_map(|queue| queue.front()).map(|question| question.since_ns);
        let sends = self.unsent.iter().filter_map(|queue| queue.front()).map(|send| send.since_ns);
        questions.chain(sends).min().map(|since_ns| since_ns + self.wait_timeout_ns)
    }

    /// Sheds what has waited for room for too long.
    pub(super) fn shed_late(&mut self, now_ns: u64) {
        let timeout_ns = self.wait_timeout_ns;
        for lane in 0..LANES {
            let is_late = |question: &Question| question.since_ns + timeout_ns <= now_ns;
            while self.queues[lane].front().is_some_and(is_late) {
                let Some(question) = self.queues[lane].pop_front() else { break };
                self.is_taken(&question);
                self.end(question, now_ns, |_| Fetched::Shed);
            }
        }
        for shard in 0..self.shards {
            let is_late = |send: &Send| send.since_ns + timeout_ns <= now_ns;
            while self.unsent[shard].front().is_some_and(is_late) {
                let Some(send) = self.unsent[shard].pop_front() else { break };
                self.fetched(send.number, Fetched::Shed);
            }
        }
    }

    /// Off its queue.
    fn is_taken(&mut self, question: &Question) {
        if let Some(count) = self.queued_of.get_mut(&question.work.pending.route) {
            *count -= 1;
        }
    }

    /// The owner has answered what was asked.
    pub(super) fn fetched(&mut self, number: usize, fetched: Fetched) {
        let Some((key, floor, waiters)) = self.asks.end(number) else { return };
        if let Fetched::Kept(entry, _) = &fetched {
            debug_assert!(entry.filled_at >= floor, "the owner gives nothing below the floor");
            self.copies.put(key.as_ref(), entry.clone());
        }
        for ticket in waiters {
            self.deeds.push_back(Deed::Give { who: Who::Here(ticket), fetched: fetched.clone() });
        }
    }

    /// What it counts.
    pub(super) fn counts(&self) -> CacheCounts {
        CacheCounts {
            results: self.results,
            bytes: self.own.bytes() + self.copies.bytes(),
            entries: (self.own.len() + self.copies.len()) as u64,
            evictions: self.own.evicted() + self.copies.evicted(),
            invalidations: self.coherence.board.now(),
        }
    }

    /// A request that has waited gets this.
    pub(super) fn count(&mut self, fetched: &Fetched) {
        let result = match fetched {
            Fetched::Kept(_, How::Hit) => HIT_OWNER,
            Fetched::Kept(_, How::Miss) => MISS,
            Fetched::Kept(_, How::Stale) => STALE,
            Fetched::Answer(_) | Fetched::Shed => UNCACHED,
        };
        self.results[result] += 1;
    }

    /// Whether nobody waits for this shard.
    pub(super) fn is_idle(&self) -> bool {
        self.flights.is_empty() && self.asked.is_empty() && self.queues.iter().all(VecDeque::is_empty)
    }

    /// Answers that other shards were asked for.
    pub(super) fn asks(&self) -> usize {
        self.asks.len()
    }

    /// What is kept here, its own and copies: for whoever compares it with the database.
    pub(super) fn kept(&self) -> impl Iterator<Item = Kept> {
        self.own.iter().chain(self.copies.iter()).map(|(key, entry)| Kept {
            key: key.bytes().to_vec(),
            is_valid: entry.filled_at >= self.coherence.board.floor(&entry.slots),
            status: entry.reply.status(),
            body: entry.reply.body().to_vec(),
        })
    }
}
