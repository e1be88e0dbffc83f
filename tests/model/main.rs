//! Files, rows and requests drawn at random, and a model in plain Rust that says what each answer has to be: status, body byte for
//! byte, `Location` and `Allow`. The model is written out from `docs/CONTRACT.md` and calls nothing of the API.
//!
//! `file`, `column` and `replies` draw files, `request` draws requests against what is there, `value` says values, `state` is the model;
//! `broken` draws files with faults. `PROPTEST_CASES` is the number of files; `RINGMILL_MODEL_SECONDS` goes on for so long.

mod broken;
mod column;
mod file;
mod replies;
mod request;
mod served;
mod state;
mod value;

#[expect(dead_code, reason = "the end-to-end tests' own; what is needed of it here is a part")]
#[path = "../e2e/client.rs"]
mod client;
#[expect(dead_code, reason = "the end-to-end tests' own; what is needed of it here is a part")]
#[path = "../e2e/server.rs"]
mod server;

use file::File;
use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestError, TestRunner};
use request::AskDraw;
use served::{InProcess, OverSocket, Serves};
use state::{Answer, INVALID_JSON, Judge, State};
use std::time::{Duration, Instant};

const CASES: u32 = 600;
const CASES_OVER_SOCKETS: u32 = 10;
const COLUMNS: usize = 7;
const REQUESTS: usize = 120;
/// How long the smallest case that fails is looked for.
const SHRINK_MS: u32 = 30_000;
/// 2026-11-24T02:00:00Z
const START_UNIX_US: i64 = 1_795_485_600_000_000;

#[test]
fn the_api_answers_as_the_model() {
    let cases = (file::file(COLUMNS, false), request::asks(REQUESTS));
    run(CASES, &cases, |(file, asks)| check(&file, &asks, &mut InProcess::of(&file.toml())));
}

#[test]
fn the_server_answers_as_the_model() {
    let cases = (file::file(COLUMNS, true), request::asks(REQUESTS));
    run(CASES_OVER_SOCKETS, &cases, |(file, asks)| check(&file, &asks, &mut OverSocket::of(&file.toml())));
}

/// So many cases, or as many as `PROPTEST_CASES` or `RINGMILL_MODEL_SECONDS` ask for.
fn run<S: Strategy>(cases: u32, strategy: &S, test: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let number = |variable: &str| {
        let text = std::env::var(variable).ok()?;
        Some(text.parse::<u32>().unwrap_or_else(|_| panic!("{variable}={text}: write a number")))
    };
    let cases = number("PROPTEST_CASES").unwrap_or(cases);
    let until =
        number("RINGMILL_MODEL_SECONDS").map(|seconds| Instant::now() + Duration::from_secs(seconds.into()));
    loop {
        let config = ProptestConfig {
            cases,
            failure_persistence: None,
            max_shrink_time: SHRINK_MS,
            max_shrink_iters: u32::MAX,
            ..ProptestConfig::default()
        };
        match TestRunner::new(config).run(strategy, &test) {
            Ok(()) => {}
            // The draws themselves say nothing to people.
            Err(TestError::Fail(why, _)) => panic!("{why}"),
            Err(error) => panic!("{error}"),
        }
        if until.is_none_or(|until| Instant::now() >= until) {
            return;
        }
    }
}

fn check(file: &File, asks: &[AskDraw], served: &mut impl Serves) -> Result<(), TestCaseError> {
    let mut state = State::new(file);
    let mut now_unix_us = START_UNIX_US;
    let mut said = Vec::new();
    for draw in asks {
        now_unix_us += draw.later_us();
        let ask = draw.ask(file, &state, now_unix_us);
        let found = served.answer(&ask);
        said.push(format!(
            "{} {} {}\n  {} {}",
            ask.method,
            ask.target,
            String::from_utf8_lossy(&ask.bytes),
            found.status,
            found.body
        ));
        let outcomes = Judge { file, state: &state, ask: &ask }.outcomes();
        let agreed = outcomes.iter().find(|(expected, _)| agree(ask.method, expected, &found));
        match agreed {
            Some((_, after)) => state = after.clone(),
            None => {
                let expected: Vec<_> = outcomes.iter().map(|(answer, _)| answer).collect();
                let message = format!(
                    "found {found:#?}\nexpected one of {expected:#?}\nfile:\n{}\nrequests:\n{}",
                    file.toml(),
                    said.join("\n")
                );
                return Err(TestCaseError::fail(message));
            }
        }
    }
    Ok(())
}

fn agree(method: &str, expected: &Answer, found: &Answer) -> bool {
    let is_head_over_socket = method == "HEAD" && found.body.is_empty();
    // The parser's words on what is wrong with a document are its own.
    let is_invalid_json = expected.body == INVALID_JSON && found.body.starts_with(INVALID_JSON);
    (expected.status, &expected.location, &expected.allow) == (found.status, &found.location, &found.allow)
        && (expected.body == found.body || is_invalid_json || is_head_over_socket)
}
