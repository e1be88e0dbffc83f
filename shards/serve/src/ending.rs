//! How connections end: with a refusal, when all is sent, by a reset, at once.

use crate::bodies::Share;
use crate::bounds::{LINGER_BYTES_MAX, LINGER_NS, Observe};
use crate::connection::{Begun, Meta, Phase, State};
use crate::counters::UNMATCHED;
use crate::server::{Connections, request_id};
use crate::service::{Answered, Observation, Service};
use ringmill_http1::{Connection as ConnectionField, encode_reply};
use ringmill_reactor::{Driver, Reactor};

impl Connections {
    /// Answers with a refusal behind everything that was begun, after which the connection ends. `whose`: method and path,
    /// as far as they are known.
    pub(crate) fn refuse<D: Driver, S: Service<D>>(
        &mut self,
        reactor: &mut Reactor<D>,
        service: &mut S,
        index: usize,
        answer: (ringmill_http1::Status, &str),
        whose: Option<(ringmill_http1::Method, String)>,
    ) {
        let with_body = whose.as_ref().is_none_or(|(method, _)| *method != ringmill_http1::Method::Head);
        let id = self.write_refusal(reactor, index, answer, with_body);
        if id.is_some() || self.bounds.observe == Observe::All {
            let (method, path) = whose.unwrap_or((ringmill_http1::Method::Unknown, String::new()));
            let observation = Observation::Answered(Answered {
                route: UNMATCHED,
                method: method.as_str(),
                path: &path,
                status: answer.0.0,
                duration_ns: 0,
                request_id: id.as_deref(),
                cause: Some("refused before the whole request was there"),
                is_unexplained: false,
            });
            service.observe(reactor, observation);
        }
    }

    /// Writes a refusal, after which the connection ends. Says the id that an answer of 500 and above carries.
    pub(crate) fn write_refusal<D: Driver>(
        &mut self,
        reactor: &mut Reactor<D>,
        index: usize,
        (status, body): (ringmill_http1::Status, &str),
        with_body: bool,
    ) -> Option<String> {
        self.counters.count(UNMATCHED, ringmill_http1::Method::Unknown, status.0);
        self.answered.push(UNMATCHED);
        let mut fields = vec![("Content-Type", "application/json"), ("Cache-Control", "no-store")];
        if status.0 == 503 {
            fields.push(("Retry-After", "1"));
        }
        let id = (status.0 >= 500).then(|| request_id(reactor));
        fields.extend(id.as_deref().map(|id| ("X-Request-Id", id)));
        let mut bytes = Vec::new();
        let (date, close) = (&self.date, ConnectionField::Close);
        encode_reply(&mut bytes, status, &fields, body.as_bytes(), date, close, with_body);
        self.refuse_with(reactor, index, bytes);
        id
    }

    /// Ends what is received and closes when everything is sent and the peer has had its chance to read it.
    pub(crate) fn finish_when_sent<D: Driver>(&mut self, reactor: &mut Reactor<D>, index: usize) {
        let connection = &mut self.table[index];
        if !connection.begun.is_empty() || connection.is_finished {
            return;
        }
        if !matches!(connection.phase, Phase::Discard { .. }) {
            connection.phase = Phase::Discard { bytes: connection.input.len() };
            connection.input.take();
        }
        let socket = connection.socket;
        if !reactor.notify_when_sent(socket) {
            self.finish(reactor, index);
        } else if std::mem::take(&mut self.table[index].is_paused) {
            reactor.resume(socket);
        }
    }

    /// All is sent: our side ends; the peer's rest is thrown away until it ends too, or too much or too long.
    pub(crate) fn finish<D: Driver>(&mut self, reactor: &mut Reactor<D>, index: usize) {
        let connection = &mut self.table[index];
        if connection.peer_ended {
            self.close(reactor, index);
            return;
        }
        connection.is_finished = true;
        reactor.finish(connection.socket);
        self.set_deadline(reactor, index, reactor.now().monotonic_ns + LINGER_NS);
    }

    /// Bytes that belong to no request any more are thrown away, within bounds.
    pub(crate) fn discard<D: Driver>(&mut self, reactor: &mut Reactor<D>, index: usize, count: usize) {
        let connection = &mut self.table[index];
        if let Phase::Discard { bytes } = &mut connection.phase {
            *bytes += count;
            if *bytes > LINGER_BYTES_MAX && connection.is_finished {
                self.close(reactor, index);
            }
        }
    }

    /// Too much output is unsent: those go whose peers have taken nothing for longest, and for `slow_ns` at least, until it
    /// fits.
    #[cold]
    pub(crate) fn reset_slowest<D: Driver, S: Service<D>>(
        &mut self,
        reactor: &mut Reactor<D>,
        service: &mut S,
        slow_ns: u64,
    ) {
        let mut readers: Vec<(u64, usize)> = Vec::new();
        for (index, connection) in &self.table {
            readers.extend(reactor.stalled_since_ns(connection.socket).map(|since_ns| (since_ns, index)));
        }
        readers.sort_unstable();
        let now_ns = reactor.now().monotonic_ns;
        let bytes_max = self.bounds.output_bytes_max;
        let mut connections = 0;
        for (since_ns, index) in readers {
            let bytes = reactor.unsent_total() + self.ready_bytes.get();
            if bytes <= bytes_max || since_ns + slow_ns > now_ns {
                break;
            }
            self.reset(reactor, index);
            connections += 1;
        }
        if connections > 0 {
            self.counters.connections_reset += connections as u64;
            service.observe(reactor, Observation::SlowReaders { connections });
        }
    }

    /// Closes at once, and the kernel forgets what it holds for the peer.
    pub(crate) fn reset<D: Driver>(&mut self, reactor: &mut Reactor<D>, index: usize) {
        reactor.reset_on_close(self.table[index].socket);
        self.close(reactor, index);
    }

    /// Closes at once.
    pub(crate) fn close<D: Driver>(&mut self, reactor: &mut Reactor<D>, index: usize) {
        let connection = self.table.remove(index);
        if connection.has_place {
            self.places.give_back();
        } else {
            self.refused -= 1;
        }
        if let Some((timer, _)) = connection.timer {
            reactor.cancel_timer(timer);
        }
        reactor.close(connection.socket);
    }

    /// Puts the bytes of a refusal behind everything that was begun.
    pub(crate) fn refuse_with<D: Driver>(&mut self, reactor: &mut Reactor<D>, index: usize, bytes: Vec<u8>) {
        let connection = &mut self.table[index];
        connection.is_last = true;
        connection.input.take();
        connection.phase = Phase::Discard { bytes: 0 };
        let socket = connection.socket;
        // What a body was still to be received into.
        let _ = reactor.take_back(socket);
        if connection.begun.is_empty() {
            let mut out = reactor.take_output(socket);
            out.extend_from_slice(&bytes);
            reactor.put_output(socket, out);
            self.finish_when_sent(reactor, index);
        } else {
            let meta = Meta {
                started_ns: 0,
                route: UNMATCHED,
                method: ringmill_http1::Method::Unknown,
                connection: ConnectionField::Close,
                with_body: true,
                path: Box::default(),
                request_id: None,
            };
            let mut share = Share::new(&self.ready_bytes);
            share.set(bytes.len());
            connection.ready_bytes += bytes.len();
            connection.begun.push_back(Begun { state: State::Ready { bytes, share }, meta });
            self.set_phase_deadline(reactor, index, false);
        }
    }
}
