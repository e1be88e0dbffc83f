//! HTTP/1.1 as others test it: cases of published suites, as data in `suites/`, each against the real binary with its bytes
//! sent whole and one at a time. `README.md` has the format and the sources.
//!
//! `CASES=word cargo test --test http` runs the cases whose suite or name contains the word.

mod case;
mod judge;
mod proxies;
mod tests;
mod wire;

#[expect(dead_code, reason = "the end-to-end tests' own; what is needed of it here is a part")]
#[path = "../e2e/client.rs"]
mod client;
#[expect(dead_code, reason = "the end-to-end tests' own; what is needed of it here is a part")]
#[path = "../e2e/server.rs"]
mod server;

use case::{Case, Suite};
use judge::{Fault, shown};
use server::Setup;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use wire::Cut;

/// Connections at a time; each is a thread that mostly waits.
const AT_A_TIME: usize = 16;

/// What the cases ask for: bodies and fields come back, so that what was taken for a body or a field can be seen.
const ENDPOINTS: &str = r#"
[endpoints.root]
path = "/"
methods = ["GET", "POST"]
echo = true
[endpoints.echo]
path = "/echo"
methods = ["GET", "POST"]
echo = true
[endpoints.url]
path = "/url"
methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
echo = true
"#;

/// A case that failed.
struct Failure<'a> {
    suite: &'a Suite,
    case: &'a Case,
    cut: Cut,
    fault: Fault,
}

#[test]
fn published_suites() {
    let suites = wanted();
    let cases = suites.iter().flat_map(|suite| suite.cases.iter().map(move |case| (suite, case)));
    let cases: Vec<_> = cases.filter(|(_, case)| case.skip.is_none()).collect();
    let began = Instant::now();
    let failures = run_all(&cases);
    for suite in &suites {
        say(&summary(suite, &failures));
    }
    let (runs, seconds) = (2 * cases.len(), began.elapsed().as_secs_f32());
    say(&format!("{runs} connections in {seconds:.1} s, {} failures\n", failures.len()));
    for failure in &failures {
        say(&failure.to_string());
    }
    assert!(failures.is_empty(), "{} failures, shown above", failures.len());
}

/// All suites, or what `CASES` asks for.
fn wanted() -> Vec<Suite> {
    let mut suites = case::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/http/suites"));
    let wanted = std::env::var("CASES").unwrap_or_default();
    for Suite { suite, cases, .. } in &mut suites {
        cases.retain(|case| suite.contains(&wanted) || case.name.contains(&wanted));
    }
    suites.retain(|suite| !suite.cases.is_empty());
    suites
}

/// Runs each case whole and cut, many at a time, against one server.
fn run_all<'a>(cases: &[(&'a Suite, &'a Case)]) -> Vec<Failure<'a>> {
    let server = Setup::shards(2).and(ENDPOINTS);
    // Deadlines must not decide anything here, nor end a case before the runner does.
    let server = server.set("http.head_timeout", "60s").set("http.body_timeout", "60s").start();
    let failures = Mutex::new(Vec::new());
    let next = AtomicUsize::new(0);
    let work = || {
        loop {
            let run = next.fetch_add(1, Ordering::Relaxed);
            let Some(&(suite, case)) = cases.get(run / 2) else { break };
            let cut = if run.is_multiple_of(2) { Cut::Whole } else { Cut::Small };
            if let Err(fault) = judge::run(server.public, case, cut, &format!("marker-{run}")) {
                let mut failures = failures.lock().expect("no thread panics while it holds this lock");
                failures.push(Failure { suite, case, cut, fault });
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(work);
        }
    });
    let mut failures = failures.into_inner().expect("no thread panics while it holds this lock");
    failures.sort_by_cached_key(|failure| (failure.suite.suite.clone(), failure.case.name.clone()));
    failures
}

/// A suite's counts, and why cases are left out or differ from what their source expects.
fn summary(suite: &Suite, failures: &[Failure<'_>]) -> String {
    let has_failed = |case: &Case| failures.iter().any(|failure| std::ptr::eq(failure.case, case));
    let mut skipped: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let (mut passed, mut failed, mut uneven, mut differing) = (0, 0, 0, 0);
    for case in &suite.cases {
        match &case.skip {
            Some(why) => skipped.entry(why).or_default().push(&case.name),
            None if has_failed(case) => failed += 1,
            None => passed += 1,
        }
        uneven += usize::from(case.skip.is_none() && case.bytes().len() > wire::BYTEWISE_BYTES_MAX);
        differing += usize::from(case.differs.is_some());
    }
    let skips: usize = skipped.values().map(Vec::len).sum();
    let mut text = format!(
        "{}: {} cases, {passed} passed, {failed} failed, {skips} skipped ({})\n",
        suite.suite,
        suite.cases.len(),
        suite.source
    );
    if uneven > 0 {
        let bound = wire::BYTEWISE_BYTES_MAX;
        text += &format!("  {uneven} longer than {bound} bytes: uneven pieces instead of single bytes\n");
    }
    if differing > 0 {
        text += &format!("  {differing} stricter or other than the source, each with its reason\n");
    }
    for (why, names) in skipped {
        text += &format!("  {} skipped: {why}\n", names.len());
    }
    text
}

impl std::fmt::Display for Failure<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Failure { suite, case, cut, fault } = self;
        writeln!(f, "FAILED {} / {} ({cut:?})", suite.suite, case.name)?;
        writeln!(f, "  about     {} [{}]", case.about, case.level)?;
        writeln!(f, "  sent      {}", shown(&case.bytes(), 1500))?;
        writeln!(f, "  expected  {:?}, then {:?}", case.status, case.after)?;
        writeln!(f, "  but       {}", fault.what)?;
        writeln!(f, "  came      {}", shown(&fault.came, 1500))
    }
}

/// Past the test harness, which would keep it for itself as long as nothing fails.
fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).expect("standard output takes text");
}
