//! Two hundred connections on four shards read and write the same table at random for a while, and every answer is held
//! against what a table can have answered.
//!
//! `RINGMILL_MODEL_SECONDS` says how long (10), `RINGMILL_MODEL_SEED` repeats the choices of a run; how they interleave is
//! the machine's. `history` says what is checked, `actor` what is asked.

mod actor;
mod history;
mod tests;

use crate::server::Setup;
use actor::{Actor, Shared};
use history::{Event, History};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const THREADS: usize = 8;
const CONNECTIONS_PER_THREAD: usize = 25;
const SECONDS: u64 = 10;

/// Cached, so that the promise of freshness is tested with it, and without limits.
const TABLE: &str = r#"
[database]
wait_timeout = "30s"
statement_timeout = "30s"

[tables.users]
noun = "User"
list = "/api/users"
item = "/api/user/{id}"
cache = { ttl = "1h" }

[tables.users.columns]
id = { type = "bigint", generated = "identity" }
name = { type = "text", required = true }
email = { type = "text", required = true, format = "email", unique = true }
"#;

/// Numbers instants in the order in which they happen: what one thread has seen, another's later number is greater than.
#[derive(Default)]
struct Clock(AtomicU64);

impl Clock {
    fn now(&self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst)
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text}: write a number")))
}

#[test]
fn every_answer_is_one_that_the_table_can_have_given() {
    let seed = number("RINGMILL_MODEL_SEED").unwrap_or_else(|| {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock");
        since.as_nanos() as u64
    });
    let duration = Duration::from_secs(number("RINGMILL_MODEL_SECONDS").unwrap_or(SECONDS));
    println!("RINGMILL_MODEL_SEED={seed} for {duration:?}");
    let server = Setup::shards(4).file(TABLE).start();
    let shared = Shared::new(seed);
    let mut events = shared.prepare(&mut server.connect());
    let until = Instant::now() + duration;
    let ran: Vec<Vec<Event>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let connections = (0..CONNECTIONS_PER_THREAD).map(|_| server.connect()).collect();
                let mut actor = Actor::new(&shared, thread, connections);
                scope.spawn(move || {
                    while Instant::now() < until {
                        actor.round();
                    }
                    actor.events
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("a thread whose answers were all expected"))
            .collect()
    });
    events.extend(ran.into_iter().flatten());
    // All pages, when everything has ended.
    events.extend(shared.read_all(&mut server.connect()));
    let checked = events.len();
    let history = History::new(events);
    println!("{checked} answers: {}", history.summary());
    if let Err(disagreement) = history.check() {
        panic!("RINGMILL_MODEL_SEED={seed}: {disagreement}");
    }
    server.metrics_when("that all are gone", |metrics| metrics.value("ringmill_connections") == 0.0);
}
