//! What is printed of runs.

use ringmill_reactor::Call;
use ringmill_sim::answer::FROM;
use ringmill_sim::client::REQUESTS;
use ringmill_sim::shrink::Smaller;
use ringmill_sim::world::{Failure, Outcome, Settings};
use ringmill_sim_kernel::faults::Fault;
use std::time::Duration;

/// Many runs.
pub(crate) struct Sum {
    first: u64,
    seeds: u64,
    fired: Vec<u64>,
    requests: Vec<u64>,
    from: [u64; FROM.len()],
    calls: Vec<u64>,
    connections: u64,
    refused: u64,
    unavailable: u64,
    turns: u64,
    hash: u64,
}

impl Sum {
    pub(crate) fn new(first: u64) -> Sum {
        Sum {
            first,
            seeds: 0,
            fired: vec![0; Fault::ALL.len()],
            requests: vec![0; REQUESTS.len()],
            from: [0; FROM.len()],
            calls: vec![0; Call::ALL.len()],
            connections: 0,
            refused: 0,
            unavailable: 0,
            turns: 0,
            hash: 0,
        }
    }

    pub(crate) fn add(&mut self, outcome: &Outcome) {
        self.seeds += 1;
        self.fired.iter_mut().zip(&outcome.fired).for_each(|(sum, one)| *sum += one);
        self.requests.iter_mut().zip(&outcome.counts.requests).for_each(|(sum, one)| *sum += one);
        self.from.iter_mut().zip(outcome.counts.from).for_each(|(sum, one)| *sum += one);
        self.calls.iter_mut().zip(&outcome.calls).for_each(|(sum, one)| *sum += one);
        self.connections += outcome.counts.connections;
        self.refused += outcome.counts.refused;
        self.unavailable += outcome.counts.unavailable;
        self.turns += outcome.turns;
        self.hash = self.hash.rotate_left(1) ^ outcome.hash;
    }

    /// What happened fewer times than this.
    pub(crate) fn seldom(&self, least: u64) -> Vec<String> {
        let faults = Fault::ALL.iter().map(|fault| fault.label()).zip(&self.fired);
        let requests = REQUESTS.iter().copied().zip(&self.requests);
        let calls = Call::ALL.iter().map(|call| format!("{call:?}")).zip(&self.calls);
        let from = FROM.iter().copied().zip(&self.from);
        let named = faults.chain(requests).chain(from).map(|(name, count)| (name.to_owned(), count));
        named.chain(calls).filter(|(_, count)| **count < least).map(|(name, _)| name).collect()
    }

    pub(crate) fn print(&self, elapsed: Duration) {
        println!("faults:");
        for (fault, count) in Fault::ALL.iter().zip(&self.fired) {
            println!("  {:<20} {count:>9}", fault.label());
        }
        println!("answers:");
        for (name, count) in REQUESTS.iter().zip(&self.requests) {
            println!("  {name:<20} {count:>9}");
        }
        println!("answers that are kept:");
        for (name, count) in FROM.iter().zip(&self.from) {
            println!("  {name:<20} {count:>9}");
        }
        println!("calls of the handler:");
        for (call, count) in Call::ALL.iter().zip(&self.calls) {
            println!("  {:<20} {count:>9}", format!("{call:?}"));
        }
        let Sum { connections, refused, unavailable, turns, .. } = self;
        println!(
            "{connections} connections, {refused} turned away, {unavailable} answers 503 or 504, {turns} turns"
        );
        let seconds = elapsed.as_secs_f64();
        println!(
            "{} seeds from {} in {seconds:.1} s, {:.1} a second; trace {:016x}",
            self.seeds,
            self.first,
            self.seeds as f64 / seconds,
            self.hash
        );
    }
}

/// A run that was replayed.
pub(crate) fn one(seed: u64, outcome: &Outcome) {
    println!("seed {seed}: {} lines, trace {:016x}", outcome.lines, outcome.hash);
    if let Some(Failure { rule, words }) = &outcome.failure {
        println!("broken: {rule}: {words}");
    }
}

/// A run that failed, and a smaller one that fails too.
pub(crate) fn failed(settings: &Settings, failure: &Failure, smaller: &Smaller) {
    println!("seed {} broke {}: {}", settings.seed, failure.rule, failure.words);
    println!("replay: scripts/sim --seed {}{}", settings.seed, arguments(settings));
    println!("smaller ({} clients): {}", smaller.clients, smaller.failure.words);
    println!("replay: scripts/sim --seed {}{}", settings.seed, arguments(&smaller.settings));
}

fn arguments(settings: &Settings) -> String {
    let mut text = String::new();
    if settings.clients != usize::MAX {
        text.push_str(&format!(" --clients {}", settings.clients));
    }
    if settings.requests != usize::MAX {
        text.push_str(&format!(" --requests {}", settings.requests));
    }
    for fault in &settings.without {
        text.push_str(&format!(" --without {}", fault.label()));
    }
    text
}
