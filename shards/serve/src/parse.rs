//! Received bytes to requests.

use crate::bodies::{Body, Share};
use crate::bounds::{Observe, REQUEST_ID_BYTES_MAX};
use crate::connection::{Begun, Blocked, Connection, Meta, Phase, State, is_write};
use crate::counters::UNMATCHED;
use crate::deadlines::Waits;
use crate::outbox::Ticket;
use crate::refusals;
use crate::server::{Connections, request_id};
use crate::service::{Answered, Context, Observation, Outcome, Request, Service, Writer};
use ringmill_http1::{
    BodyDecoder, BodyFraming, CONTINUE, Connection as ConnectionField, FieldStorage, Head, Method, Refusal,
    Status, decode_head,
};
use ringmill_reactor::{Driver, Reactor};
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Why a connection's bytes are not looked at any further.
enum Stop {
    Refused(Refusal),
    /// As `Refused`, of a request whose method and path are known.
    RefusedOf(Refusal, Method, String),
    /// Too many bytes of bodies are being received on this shard.
    Bodies,
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Stop {
        Stop::Refused(refusal)
    }
}

impl Stop {
    fn answer(&self) -> (Status, &'static str) {
        match self {
            Stop::Refused(refusal) | Stop::RefusedOf(refusal, ..) => refusals::answer(*refusal),
            Stop::Bodies => refusals::UNAVAILABLE,
        }
    }
}

/// What came of looking at bytes.
struct Step {
    /// So many are done with.
    consumed: usize,
    /// What follows may be looked at.
    goes_on: bool,
}

/// What to do with a head that was decoded.
enum Next {
    /// Nothing yet: it stays in the input.
    Wait(Blocked),
    /// Its body is not all there.
    Receive(Box<Body>),
    /// Its request was begun.
    Begun,
}

impl Connections {
    /// Parses as many requests as `bytes` holds and the connection may begin, and begins them, the one included whose body
    /// has just become whole in a buffer of its own; `bytes` is empty then. `Continue` says how many
    /// bytes are done with; `Break`: the connection wants none of the rest.
    pub(crate) fn parse<D: Driver, S: Service<D>>(
        &mut self,
        reactor: &mut Reactor<D>,
        service: &mut S,
        index: usize,
        bytes: &[u8],
    ) -> ControlFlow<(), usize> {
        let socket = self.table[index].socket;
        self.set_date(reactor.now());
        let in_flight = reactor.unsent(socket);
        let mut out = reactor.take_output(socket);
        let already = out.len();
        let mut at = 0;
        let mut refusal = None;
        loop {
            let connection = &mut self.table[index];
            if connection.is_last && matches!(connection.phase, Phase::Head) {
                break;
            }
            let unsent = in_flight - already.min(in_flight) + out.len();
            let step = match &mut connection.phase {
                Phase::Discard { .. } => break,
                Phase::Head => self.parse_head(reactor, service, index, &bytes[at..], &mut out, unsent),
                Phase::Body(_) => self.parse_body(reactor, service, index, &bytes[at..], &mut out),
            };
            match step {
                Ok(step) => {
                    at += step.consumed;
                    if !step.goes_on || at == bytes.len() {
                        break;
                    }
                }
                Err(refused) => {
                    refusal = Some(refused);
                    break;
                }
            }
        }
        reactor.put_output(socket, out);
        if refusal.is_none() && !self.lend(reactor, service, index) {
            refusal = Some(Stop::Bodies);
        }
        if let Some(refusal) = refusal {
            let answer = refusal.answer();
            let whose = match refusal {
                Stop::RefusedOf(_, method, path) => Some((method, path)),
                Stop::Refused(_) | Stop::Bodies => self.whose(index),
            };
            self.refuse(reactor, service, index, answer, whose);
            return ControlFlow::Break(());
        }
        let connection = &mut self.table[index];
        if connection.is_last && matches!(connection.phase, Phase::Head) {
            // What follows the last request is not looked at.
            if connection.begun.is_empty() {
                self.finish_when_sent(reactor, index);
            } else {
                self.set_phase_deadline(reactor, index, false);
            }
            return ControlFlow::Break(());
        }
        if connection.blocked == Blocked::Output && !reactor.notify_when_sent(socket) {
            // Cannot be: output over the bound is unsent.
            connection.blocked = Blocked::No;
        }
        self.set_phase_deadline(reactor, index, at < bytes.len());
        ControlFlow::Continue(at)
    }

    fn parse_head<D: Driver, S: Service<D>>(
        &mut self,
        reactor: &mut Reactor<D>,
        service: &mut S,
        index: usize,
        bytes: &[u8],
        out: &mut Vec<u8>,
        unsent: usize,
    ) -> Result<Step, Stop> {
        let mut storage = FieldStorage::new();
        let limits = self.bounds.head;
        let connection = &mut self.table[index];
        let Some((head, head_bytes)) = decode_head(bytes, &mut connection.scanned, &limits, &mut storage)?
        else {
            return Ok(Step { consumed: 0, goes_on: false });
        };
        let rest = &bytes[head_bytes..];
        let mut consumed = head_bytes;
        // While the shard has too much unsent, who has something unsent gets no more; everyone else does.
        let held = reactor.unsent_total() + self.ready_bytes.get() + out.len();
        let is_over = held > self.bounds.output_bytes_max;
        let next = match self.blocked_by(unsent, is_over, index, is_write(head.method)) {
            Blocked::No => match head.framing {
                BodyFraming::None | BodyFraming::Sized(0) => {
                    self.begin(reactor, service, index, (&head, &[]), rest.is_empty(), out)
                }
                // Refused with its first byte, or when the client asks; until then it may not come at all.
                BodyFraming::Sized(length)
                    if length > self.bounds.body_bytes_max as u64
                        && (head.expect_continue || !rest.is_empty()) =>
                {
                    let path = head.path.to_owned();
                    return Err(Stop::RefusedOf(Refusal::BodyTooLarge, head.method, path));
                }
                BodyFraming::Sized(length) if length <= rest.len() as u64 => {
                    let length = length as usize;
                    let (body, rest) = rest.split_at(length);
                    consumed += length;
                    self.begin(reactor, service, index, (&head, body), rest.is_empty(), out)
                }
                framing => Next::Receive(Box::new(Body::new(
                    bytes[..head_bytes].to_vec(),
                    BodyDecoder::new(framing),
                    &self.bodies_bytes,
                    head.expect_continue && rest.is_empty(),
                ))),
            },
            blocked => Next::Wait(blocked),
        };
        match next {
            Next::Begun => {}
            Next::Wait(blocked) => {
                let connection = &mut self.table[index];
                connection.blocked = blocked;
                connection.scanned = 0;
                return Ok(Step { consumed: 0, goes_on: false });
            }
            Next::Receive(body) => {
                self.table[index].phase = Phase::Body(body);
                self.continue_if_owed(index, out);
            }
        }
        Ok(Step { consumed, goes_on: true })
    }

    /// Method and path of the request whose body is being received.
    pub(crate) fn whose(&self, index: usize) -> Option<(Method, String)> {
        let Phase::Body(body) = &self.table[index].phase else { return None };
        let mut storage = FieldStorage::new();
        let (head, _) = decode_head(&body.head, &mut 0, &self.bounds.head, &mut storage).ok()??;
        Some((head.method, head.path.to_owned()))
    }

    /// Writes 100 (Continue) if it is owed and no earlier answer is outstanding.
    pub(crate) fn continue_if_owed(&mut self, index: usize, out: &mut Vec<u8>) {
        let connection = &mut self.table[index];
        if let Phase::Body(body) = &mut connection.phase
            && body.owes_continue
            && connection.begun.is_empty()
        {
            body.owes_continue = false;
            out.extend_from_slice(CONTINUE);
        }
    }

    fn parse_body<D: Driver, S: Service<D>>(
        &mut self,
        reactor: &mut Reactor<D>,
        service: &mut S,
        index: usize,
        bytes: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Step, Stop> {
        let body_bytes_max = self.bounds.body_bytes_max;
        let now_ns = reactor.now().monotonic_ns;
        let connection = &mut self.table[index];
        let Phase::Body(body) = &mut connection.phase else {
            return Ok(Step { consumed: 0, goes_on: false });
        };
        body.owes_continue = false;
        let mut consumed = 0;
        if !body.is_complete {
            let decoded = body.decoder.decode(bytes, &mut body.data, body_bytes_max)?;
            consumed = decoded.consumed;
            body.is_complete = decoded.complete;
            if !body.has_taken(now_ns, self.bounds.bodies_bytes_max) {
                return Err(Stop::Bodies);
            }
            if !decoded.complete {
                return Ok(Step { consumed, goes_on: consumed > 0 });
            }
        }
        let Phase::Body(body) = std::mem::replace(&mut connection.phase, Phase::Head) else {
            return Ok(Step { consumed, goes_on: false });
        };
        let mut storage = FieldStorage::new();
        let limits = self.bounds.head;
        // It was decoded before; nothing has changed.
        let Some((head, _)) = decode_head(&body.head, &mut 0, &limits, &mut storage)? else {
            return Ok(Step { consumed, goes_on: false });
        };
        let is_all = consumed == bytes.len();
        let next = self.begin(reactor, service, index, (&head, &body.data), is_all, out);
        let goes_on = !matches!(next, Next::Wait(_));
        if let Next::Wait(blocked) = next {
            let connection = &mut self.table[index];
            connection.blocked = blocked;
            connection.phase = Phase::Body(body);
        }
        Ok(Step { consumed, goes_on })
    }

    /// Begins a request: calls the service, which answers at once or later, or has it wait. `is_all`: nothing that was
    /// received follows it.
    fn begin<D: Driver, S: Service<D>>(
        &mut self,
        reactor: &mut Reactor<D>,
        service: &mut S,
        index: usize,
        (head, body): (&Head<'_, '_>, &[u8]),
        is_all: bool,
        out: &mut Vec<u8>,
    ) -> Next {
        let requests_max = self.bounds.requests_max;
        // What came before draining is answered, so the last of it says that it is the last.
        let is_draining = self.draining.is_some() && is_all;
        let connection = &mut self.table[index];
        connection.requests += 1;
        // The next head has its own deadline.
        connection.waits = Waits::Nothing;
        connection.is_last =
            !head.keep_alive || is_draining || requests_max != 0 && connection.requests >= requests_max;
        let field = Connection::field(head, connection.is_last);
        let with_body = head.method != ringmill_http1::Method::Head;
        let ticket = Ticket {
            connection: index,
            generation: connection.generation,
            sequence: connection.first_sequence.wrapping_add(connection.begun.len() as u32),
        };
        let socket = connection.socket;
        // An answer that is given now goes straight to the output, unless earlier ones are still to come.
        let mut apart = Vec::new();
        let is_direct = connection.begun.is_empty();
        let target = if is_direct { &mut *out } else { &mut apart };
        let start = target.len();
        let mut writer =
            Writer { out: target, date: &self.date, connection: field, with_body, status: None, cause: None };
        let request = Request { head, body };
        let ahead = self.queues.ahead();
        let waited_ns = ahead.waited_ns();
        let mut context = Context { reactor, ticket, outbox: &self.outbox, socket, ahead };
        let outcome = catch_unwind(AssertUnwindSafe(|| service.call(&mut context, &request, &mut writer)));
        let (status, cause) = (writer.status, writer.cause.take());
        let outcome = match outcome {
            Ok(Outcome::Answered(route)) if status.is_none_or(|status| status.0 >= 500) => {
                // Rare, so written again, with an id.
                let status = status.map_or(500, |status| status.0);
                let written = writer.out.split_off(start);
                self.rewrite_failure(
                    reactor,
                    service,
                    head,
                    route,
                    status,
                    cause,
                    written,
                    (field, with_body),
                )
            }
            Ok(Outcome::Answered(route)) => {
                let status = status.map_or(500, |status| status.0);
                self.answered_now(reactor, service, head, route, status);
                None
            }
            Ok(Outcome::Wait(lane)) => {
                writer.out.truncate(start);
                let connection = &mut self.table[index];
                connection.requests -= 1;
                connection.is_last = false;
                self.wait_for_room(reactor, index, lane);
                return Next::Wait(Blocked::Room);
            }
            Ok(Outcome::Later(route)) => {
                writer.out.truncate(start);
                let meta = Meta {
                    started_ns: reactor.now().monotonic_ns.saturating_sub(waited_ns),
                    route,
                    method: head.method,
                    connection: field,
                    with_body,
                    path: head.path.into(),
                    request_id: usable_id(head).map(Into::into),
                };
                self.table[index].begun.push_back(Begun { state: State::Waiting, meta });
                return Next::Begun;
            }
            Err(_) => {
                writer.out.truncate(start);
                service.observe(reactor, Observation::Panicked);
                let cause = Some("the request's code panicked".to_owned());
                let target = (field, with_body);
                self.rewrite_failure(reactor, service, head, UNMATCHED, 500, cause, Vec::new(), target)
            }
        };
        if let Some(bytes) = outcome {
            let target = if is_direct { &mut *out } else { &mut apart };
            target.extend_from_slice(&bytes);
        }
        if is_direct {
            // Its number is used up: a duty to answer that it made and dropped finds nobody, not the next request.
            let connection = &mut self.table[index];
            connection.first_sequence = connection.first_sequence.wrapping_add(1);
        } else {
            let meta = Meta {
                started_ns: reactor.now().monotonic_ns,
                route: UNMATCHED,
                method: head.method,
                connection: field,
                with_body,
                path: Box::default(),
                request_id: None,
            };
            let mut share = Share::new(&self.ready_bytes);
            share.set(apart.len());
            let connection = &mut self.table[index];
            connection.ready_bytes += apart.len();
            connection.has_answer_of(apart.len());
            connection.begun.push_back(Begun { state: State::Ready { bytes: apart, share }, meta });
        }
        Next::Begun
    }

    fn answered_now<D: Driver, S: Service<D>>(
        &mut self,
        reactor: &mut Reactor<D>,
        service: &mut S,
        head: &Head<'_, '_>,
        route: usize,
        status: u16,
    ) {
        self.counters.count(route, head.method, status);
        self.answered.push(route);
        if self.bounds.observe == Observe::All {
            let observation = Observation::Answered(Answered {
                route,
                method: head.method.as_str(),
                path: head.path,
                status,
                duration_ns: 0,
                request_id: None,
                cause: None,
                is_unexplained: false,
            });
            service.observe(reactor, observation);
        }
    }

    /// An answer of 500 and above that was given at once: counted, observed, and given its X-Request-Id.
    #[cold]
    #[expect(clippy::too_many_arguments, reason = "one cold call site, of which each argument is a part")]
    fn rewrite_failure<D: Driver, S: Service<D>>(
        &mut self,
        reactor: &mut Reactor<D>,
        service: &mut S,
        head: &Head<'_, '_>,
        route: usize,
        status: u16,
        cause: Option<String>,
        written: Vec<u8>,
        (field, with_body): (ConnectionField, bool),
    ) -> Option<Vec<u8>> {
        let id = usable_id(head).map_or_else(|| request_id(reactor), str::to_owned);
        let mut bytes = written;
        if bytes.is_empty() {
            crate::answers::encode_failure(&mut bytes, &self.date, status, &id, field, with_body);
        } else {
            // In front of the empty line that ends the head.
            let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").map_or(0, |at| at + 2);
            let line = format!("X-Request-Id: {id}\r\n");
            bytes.splice(end..end, line.into_bytes());
        }
        self.counters.count(route, head.method, status);
        self.answered.push(route);
        let observation = Observation::Answered(Answered {
            route,
            method: head.method.as_str(),
            path: head.path,
            status,
            duration_ns: 0,
            request_id: Some(&id),
            cause: cause.as_deref(),
            is_unexplained: false,
        });
        service.observe(reactor, observation);
        Some(bytes)
    }
}

/// The client's X-Request-Id, if it is visible ASCII and not too long.
fn usable_id<'b>(head: &Head<'b, '_>) -> Option<&'b str> {
    let id = head.request_id?;
    let fits = !id.is_empty() && id.len() <= REQUEST_ID_BYTES_MAX && id.iter().all(u8::is_ascii_graphic);
    fits.then(|| std::str::from_utf8(id).ok()).flatten()
}
