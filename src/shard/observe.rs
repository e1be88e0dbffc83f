//! What a shard says in the log.

use super::service::ShardService;
use super::{Ask, Message};
use crate::config::plan::Access;
use crate::control::log::{Line, line};
use ringmill_reactor::{Driver, Reactor};
use ringmill_serve::{Answered, Observation};

/// What is logged seldom, since whoever causes it may do so as often as he likes.
#[derive(Clone, Copy, Debug)]
enum Seldom {
    AcceptFailed,
    Unanswered,
    SlowReaders,
    Stalled,
    Unexplained,
}

/// How long a kind of line is held back after one was logged, nanoseconds.
const SELDOM_NS: u64 = 10_000_000_000;

/// Lines in a second about failures, slow requests and refused connections of one shard. Beyond: dropped and counted. What
/// `log.access` asks for has no such bound.
const LINES_PER_SECOND: u32 = 1000;

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Muted {
    until_ns: u64,
    /// Since the last line.
    count: u64,
}

impl<A: Ask> ShardService<A> {
    /// Says what was observed, as far as it is worth a line.
    pub(super) fn log_observation<D: Driver<Message = Message>>(
        &mut self,
        reactor: &mut Reactor<D>,
        observation: Observation<'_>,
    ) {
        match observation {
            Observation::Answered(answered) => self.observe_answer(reactor, &answered),
            Observation::Panicked => {
                self.log(reactor, line!(Error, "A request's code panicked; it was answered with 500"));
            }
            Observation::AcceptFailed(errno) => {
                let line = line!(
                    Error,
                    "Accepting connections pauses: {errno}; raise the descriptor limit (ulimit -n, LimitNOFILE=)"
                );
                self.log_seldom(reactor, Seldom::AcceptFailed, 1, line);
            }
            Observation::TooManyConnections { request_id: Some(id) } => {
                let line = line!(Warn, "A connection was refused: http.max_connections is reached");
                self.log_within_budget(reactor, line.with("request_id", id));
            }
            Observation::TooManyConnections { request_id: None } => {
                let line = line!(
                    Warn,
                    "Connections were closed without an answer: many more than http.max_connections came at once"
                );
                self.log_seldom(reactor, Seldom::Unanswered, 1, line);
            }
            Observation::SlowReaders { connections } => {
                let line = line!(Warn, "Connections were reset: their clients do not read their answers");
                self.log_seldom(reactor, Seldom::SlowReaders, connections as u64, line);
            }
            Observation::Stalled { duration_ns } => {
                let line = line!(
                    Warn,
                    "A core stalled: one turn took {:.3}s, and everybody on it waited",
                    duration_ns as f64 / 1e9
                );
                let line = line.with_number("core", self.shard as f64);
                self.log_seldom(reactor, Seldom::Stalled, 1, line);
            }
            // Others may still wait for what this shard owns.
            Observation::Drained { .. } => {}
        }
    }

    /// Logs one line of a kind at once, and then one in [`SELDOM_NS`] with how many there were.
    fn log_seldom<D: Driver<Message = Message>>(
        &mut self,
        reactor: &mut Reactor<D>,
        kind: Seldom,
        count: u64,
        line: Line,
    ) {
        let now_ns = reactor.now().monotonic_ns;
        let muted = &mut self.muted[kind as usize];
        muted.count += count;
        if now_ns >= muted.until_ns {
            let count = std::mem::take(&mut muted.count);
            muted.until_ns = now_ns + SELDOM_NS;
            self.log(reactor, line.with_number("count", count as f64));
        }
    }

    /// Logs a line that a client can cause as often as it likes, at most [`LINES_PER_SECOND`]; the others count as dropped.
    fn log_within_budget<D: Driver<Message = Message>>(&mut self, reactor: &mut Reactor<D>, line: Line) {
        let second = reactor.now().monotonic_ns / 1_000_000_000;
        if self.lines.0 != second {
            self.lines = (second, 0);
        }
        if self.lines.1 == LINES_PER_SECOND {
            self.log_dropped += 1;
            return;
        }
        self.lines.1 += 1;
        self.log(reactor, line);
    }

    fn log<D: Driver<Message = Message>>(&mut self, reactor: &mut Reactor<D>, line: Line) {
        let line = line.at(reactor.now().unix_us);
        if reactor.driver().post(self.control, Message::Log(Box::new(line))).is_err() {
            self.log_dropped += 1;
        }
    }

    fn with_details(&self, line: Line, answer: &Answered<'_>) -> Line {
        line.with("method", answer.method)
            .with("route", &self.routes.labels[answer.route])
            .with_number("status", f64::from(answer.status))
            .with_number("execution_time_ms", (seconds(answer) * 1e6).round() / 1e3)
            .with_number("core", self.shard as f64)
            .with_optional("request_id", answer.request_id)
            .with_optional("cause", answer.cause)
    }

    fn observe_answer<D: Driver<Message = Message>>(
        &mut self,
        reactor: &mut Reactor<D>,
        answer: &Answered<'_>,
    ) {
        let status = &answer.status;
        let asked = || match answer.path {
            "" => "A request that could not be read".to_owned(),
            path => format!("{} {path}", answer.method),
        };
        // 503 is an everyday event under overload; 500 is a defect.
        let failure = match status {
            500 => Some(line!(Error, "{} was answered with {status}", asked())),
            501.. => Some(line!(Warn, "{} was answered with {status}", asked())),
            _ => None,
        };
        let slow = (answer.duration_ns >= self.slow_ns)
            .then(|| line!(Warn, "Slow request: {} took {:.2}s", answer.path, seconds(answer)));
        self.access_count += 1;
        let wanted = match self.access {
            Access::Off => false,
            Access::Errors => *status >= 400,
            Access::Sample => self.access_count % ACCESS_SAMPLE == 1,
            Access::All => true,
        };
        let access = wanted.then(|| line!(Info, "{} {status}", asked()));
        for line in [failure, slow].into_iter().flatten() {
            let line = self.with_details(line, answer);
            self.log_within_budget(reactor, line);
        }
        if answer.is_unexplained && *status < 500 {
            let line = line!(Warn, "{} was answered with {status}, and no field is to blame", asked());
            let line = self.with_details(line, answer);
            self.log_seldom(reactor, Seldom::Unexplained, 1, line);
        }
        if let Some(line) = access {
            let line = self.with_details(line, answer);
            self.log(reactor, line);
        }
    }
}

fn seconds(answer: &Answered<'_>) -> f64 {
    answer.duration_ns as f64 / 1e9
}

/// `access = "sample"` logs one in so many.
const ACCESS_SAMPLE: u64 = 1000;
