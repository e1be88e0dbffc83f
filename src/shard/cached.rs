//! Requests whose answers are kept, and what the cache has a shard do.

use super::cache::{Coherence, Deed, Fetched, HIT, How, STALE, Who, Work};
use super::service::{ShardService, reply};
use super::store::{LANES, of_question, with_lane};
use super::whole::lines;
use super::{Ask, Message};
use crate::api::{Answer, Api, Pending};
use ringmill_cache::Look;
use ringmill_http1::{Head, Method};
use ringmill_reactor::{Driver, Reactor};
use ringmill_serve::{Context, Core, Outcome, RouteId, Writer};
use ringmill_sqlite::{Error, Job, Reply as Stored};

/// A write that is under way. Dropped before it is marked, whyever that may be, it marks everything.
pub(super) struct Unmarked(Option<Coherence>);

impl Unmarked {
    pub(super) fn new(coherence: Coherence) -> Unmarked {
        Unmarked(Some(coherence))
    }

    /// What the write has changed is marked before it is answered; unless it has certainly changed nothing.
    pub(super) fn mark(mut self, api: &Api, pending: &Pending, stored: &Stored) {
        let results = match stored {
            Ok(results) => Some(results.as_slice()),
            Err(Error::OutcomeUnknown { .. }) => None,
            Err(_) => {
                self.0 = None;
                return;
            }
        };
        let Some(coherence) = &self.0 else { return };
        let changes = api.changes(pending, results, &|bytes| coherence.seed.hash(bytes));
        coherence.board.raise(&changes);
        self.0 = None;
    }
}

impl Drop for Unmarked {
    fn drop(&mut self) {
        if let Some(coherence) = &self.0 {
            coherence.board.raise_whole();
        }
    }
}

impl<A: Ask> ShardService<A> {
    /// Answers a target that was asked before with what is kept here: nothing is parsed, allocated, sent or waited for.
    #[inline]
    pub(super) fn hit<D: Driver<Message = Message>>(
        &mut self,
        context: &Context<'_, D>,
        head: &Head<'_, '_>,
        writer: &mut Writer<'_>,
    ) -> Option<RouteId> {
        let now_ns = context.reactor.now().monotonic_ns;
        let (entry, route) = self.cache.as_mut()?.hit(head.target.as_bytes(), now_ns)?;
        let (status, rendered) = entry.reply.form(head.field_lines("if-none-match"));
        writer.rendered_with(rendered, status, &lines(How::Hit, entry.life.age_seconds(now_ns)));
        Some(route)
    }

    /// Answers with what is kept, or later with what is made.
    pub(super) fn cached<D: Driver<Message = Message>>(
        &mut self,
        context: &mut Context<'_, D>,
        head: &Head<'_, '_>,
        writer: &mut Writer<'_>,
        route: RouteId,
        job: Job,
        pending: Pending,
    ) -> Outcome {
        let Some(cache) = &mut self.cache else { return Outcome::Answered(route) };
        let now_ns = context.reactor.now().monotonic_ns;
        let coherence = cache.coherence.clone();
        let mut bytes = Vec::new();
        self.api.append_key(&job, &pending, &mut bytes);
        let key = coherence.seed.key(&bytes);
        let slots = self.api.depends_on(&job, &pending, &|bytes| coherence.seed.hash(bytes));
        let floor = coherence.board.floor(&slots);
        if head.method == Method::Get {
            cache.remember(head.target.as_bytes(), key, &slots, route);
        }
        let found = match cache.look(key, now_ns, floor) {
            Look::Fresh(entry) => Some((entry, How::Hit)),
            Look::Stale(entry) => Some((entry, How::Stale)),
            Look::Passes | Look::Nothing => None,
        };
        let work = |slots| Work { key: key.to_key(), slots, job, pending };
        if let Some((entry, how)) = found {
            let result = if how == How::Stale { STALE } else { HIT };
            let (status, rendered) = entry.reply.form(head.field_lines("if-none-match"));
            writer.rendered_with(rendered, status, &lines(how, entry.life.age_seconds(now_ns)));
            cache.results[result] += 1;
            if how == How::Stale {
                cache.miss(work(slots), floor, Who::Nobody, now_ns);
                self.ask_questions(context.reactor);
            }
            return Outcome::Answered(route);
        }
        let waiter = self.fetched.register();
        cache.miss(work(slots), floor, Who::Here(waiter.ticket()), now_ns);
        self.ask_questions(context.reactor);
        let responder = context.responder();
        let if_none_match: Vec<Vec<u8>> = head.field_lines("if-none-match").map(<[u8]>::to_vec).collect();
        context.reactor.tasks.spawn(async move {
            let (fetched, now_ns) = waiter.await;
            match fetched {
                Fetched::Kept(entry, how) => {
                    let (status, rendered) = entry.reply.form(if_none_match.iter().map(Vec::as_slice));
                    let age_seconds = entry.life.age_seconds(now_ns);
                    responder.answer_rendered(status, rendered.clone(), lines(how, age_seconds).to_vec());
                }
                Fetched::Answer(answer) => responder.answer(reply(*answer)),
                Fetched::Shed => responder.answer(reply(Answer::shed())),
            }
        });
        Outcome::Later(route)
    }

    /// The store has replied to a question of the cache.
    pub(super) fn question_stored<D: Driver<Message = Message>>(
        &mut self,
        core: &mut Core<'_, D>,
        number: usize,
        stored: Stored,
    ) {
        let Some(cache) = &mut self.cache else { return };
        let now_ns = core.reactor.now().monotonic_ns;
        let random = core.reactor.driver().random();
        cache.stored(&self.api, number, stored, now_ns, random);
    }

    /// Asks what there is room for, and does what the cache has to have done.
    pub(super) fn ask_questions<D: Driver<Message = Message>>(&mut self, reactor: &mut Reactor<D>) {
        let now_ns = reactor.now().monotonic_ns;
        for lane in 0..LANES {
            while self.has_room_in(lane) {
                let Some((number, job)) = self.cache.as_mut().and_then(|cache| cache.next(lane, now_ns))
                else {
                    break;
                };
                let ticket = with_lane(of_question(number), lane);
                let begin_by = self.begin_by(now_ns, 0);
                match self.store.ask(self.shard, ticket, Some(begin_by), job) {
                    Ok(()) => self.is_under_way(lane),
                    Err(_) => {
                        if let Some(cache) = &mut self.cache {
                            cache.not_asked(number, now_ns);
                        }
                        break;
                    }
                }
            }
        }
        while let Some(deed) = self.cache.as_mut().and_then(super::cache::Cache::deed) {
            match deed {
                Deed::Send { shard, send } => {
                    let message = Message::Fetch(send);
                    if let Err(Message::Fetch(send)) = reactor.driver().request(shard, message)
                        && let Some(cache) = &mut self.cache
                    {
                        cache.not_sent(shard, send);
                    }
                }
                Deed::Give { who, fetched } => self.give(reactor, who, fetched),
            }
        }
        self.set_cache_timer(reactor);
    }

    /// Somebody may have waited for room for as long as he may.
    pub(super) fn cache_timer<D: Driver<Message = Message>>(&mut self, reactor: &mut Reactor<D>) {
        let now_ns = reactor.now().monotonic_ns;
        if let Some(cache) = &mut self.cache
            && self.cache_timer.take_if(|(_, fires_ns)| *fires_ns <= now_ns).is_some()
        {
            cache.shed_late(now_ns);
            self.ask_questions(reactor);
        }
    }

    fn set_cache_timer<D: Driver<Message = Message>>(&mut self, reactor: &mut Reactor<D>) {
        let due_ns = self.cache.as_ref().and_then(super::cache::Cache::deadline_ns);
        if self.cache_timer.map(|(_, fires_ns)| fires_ns) == due_ns {
            return;
        }
        if let Some((timer, _)) = self.cache_timer.take() {
            reactor.cancel_timer(timer);
        }
        self.cache_timer =
            due_ns.map(|fires_ns| (reactor.set_timer(fires_ns, ringmill_serve::SERVICE_TIMER), fires_ns));
    }

    /// Somebody's wait is over.
    pub(super) fn give<D: Driver<Message = Message>>(
        &mut self,
        reactor: &mut Reactor<D>,
        who: Who,
        fetched: Fetched,
    ) {
        match who {
            // Nobody waits any more if the task was dropped.
            Who::Here(ticket) => {
                if let Some(cache) = &mut self.cache {
                    cache.count(&fetched);
                }
                drop(self.fetched.complete(ticket, (fetched, reactor.now().monotonic_ns)));
            }
            Who::There { shard, number } => {
                reactor.driver().answer(shard, Message::Fetched { number, fetched: Box::new(fetched) });
            }
            Who::Nobody => {}
        }
    }
}
