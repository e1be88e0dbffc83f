//! Clients that mean harm, or are many, or go away at the worst moment: what they may cost, and that others are served.
//!
//! They are tasks on one thread (tokio's), so that thousands of them need no threads. What is timed is timed by threads of
//! its own. Every deadline is checked from both sides: not before, and not long after; [`SLACK`] is for slow machines.

mod attacks;
mod churn;
mod descriptors;
mod draining;
mod floods;
mod forbidden;
mod ghosts;
mod overload;
mod peer;
mod pressure;

use crate::client::request;
use crate::server::{PATIENCE, Server};
use rustix::process::{Resource, Rlimit};
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// How much later than its deadline a thing may be seen to have happened.
const SLACK: Duration = Duration::from_secs(12);

/// Descriptors that the largest of these tests needs, of its own process and of the server.
const DESCRIPTORS: u64 = 6000;

/// A large constant, and what the other tests use too.
fn endpoints() -> String {
    let large = "large ".repeat(LARGE_BYTES / 6);
    format!(
        "{}\n[endpoints.large]\npath = \"/large\"\njson = {{ text = \"{large}\" }}\n",
        crate::pipelining::ENDPOINTS
    )
}

/// About as long is the answer to /large.
const LARGE_BYTES: usize = 120_000;

/// Drives tasks on this thread until one has its result.
fn run<T>(task: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(task)
}

/// Raises this process's limit of descriptors, which servers started later have too.
fn raise_descriptors() {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= DESCRIPTORS) {
        return;
    }
    let raised = match limit.maximum {
        Some(maximum) if maximum < DESCRIPTORS => {
            Rlimit { current: Some(DESCRIPTORS), maximum: Some(DESCRIPTORS) }
        }
        maximum => Rlimit { current: Some(DESCRIPTORS), maximum },
    };
    if let Err(error) = rustix::process::setrlimit(Resource::Nofile, raised) {
        panic!(
            "{DESCRIPTORS} descriptors are needed: {error}; raise the hard limit (ulimit -Hn {DESCRIPTORS})"
        );
    }
}

/// What a process holds.
#[derive(Clone, Copy, Debug)]
struct Holdings {
    resident_kib: u64,
    resident_kib_peak: u64,
    /// Descriptors of sockets: the database's threads open their files when they first need them.
    sockets: usize,
}

impl Holdings {
    fn of(server: &Server) -> Holdings {
        let folder = format!("/proc/{}", server.pid());
        let status = std::fs::read_to_string(format!("{folder}/status")).expect("a process that runs");
        let kib = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let number = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
            number.unwrap_or_else(|| panic!("no {name} in {status}"))
        };
        let descriptors = std::fs::read_dir(format!("{folder}/fd")).expect("a process of one's own");
        let is_socket = |link: &std::path::Path| link.to_string_lossy().starts_with("socket:");
        // One may have been closed since it was listed.
        let links = descriptors.flatten().filter_map(|entry| std::fs::read_link(entry.path()).ok());
        let sockets = links.filter(|link| is_socket(link)).count();
        Holdings { resident_kib: kib("VmRSS:"), resident_kib_peak: kib("VmHWM:"), sockets }
    }
}

/// Waits until `holds`; says how long that took.
#[track_caller]
fn wait_until(what: &str, mut holds: impl FnMut() -> bool) -> Duration {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
    begun.elapsed()
}

/// Says that it is over when it goes, by a panic too: nobody works on for a test that has failed.
struct AtEnd<'a>(&'a AtomicBool);

impl Drop for AtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014).
struct Chance(u64);

impl Chance {
    /// Seeded by the clock, or by RINGMILL_SEED; says by what, so that it can be done again.
    fn seed(test: &str) -> u64 {
        let seed = number_of("RINGMILL_SEED").unwrap_or_else(|| {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            now.map_or(0, |now| now.as_nanos() as u64)
        });
        println!("{test}: RINGMILL_SEED={seed}");
        seed
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}

/// A number that the environment sets.
fn number_of(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name}={value}: a number is expected")))
}

/// The p-th quantile, in place.
fn quantile(values: &mut [Duration], p: f64) -> Duration {
    values.sort_unstable();
    let last = values.len().saturating_sub(1);
    values.get((last as f64 * p).ceil() as usize).copied().unwrap_or_default()
}

fn get(target: &str) -> Vec<u8> {
    request("GET", target, &[], None)
}

fn post(target: &str, body: &str) -> Vec<u8> {
    request("POST", target, &[], Some(body))
}
