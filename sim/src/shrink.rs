//! A smaller run that breaks the same rule: fewer clients, fewer requests, fewer faults.

use crate::world::{self, Failure, Outcome, Product, Settings};
use ringmill_sim_kernel::faults::Fault;

/// What shrinking came to.
pub struct Smaller {
    pub settings: Settings,
    pub failure: Failure,
    pub clients: usize,
}

/// Tries to leave out what the failure does not need.
pub fn shrink(product: &Product, settings: &Settings, outcome: &Outcome, failure: &Failure) -> Smaller {
    let mut best = Smaller { settings: settings.clone(), failure: failure.clone(), clients: outcome.clients };
    let attempt = |best: &mut Smaller, settings: Settings| {
        let outcome = world::run(product, &settings);
        match outcome.failure {
            Some(found) if found.rule == failure.rule => {
                *best = Smaller { settings, failure: found, clients: outcome.clients };
                true
            }
            _ => false,
        }
    };
    for fault in Fault::ALL {
        if !best.settings.without.contains(fault) {
            let mut smaller = best.settings.clone();
            smaller.without.push(*fault);
            attempt(&mut best, smaller);
        }
    }
    let mut clients = outcome.clients;
    while clients > 1 {
        clients -= 1;
        let smaller = Settings { clients, ..best.settings.clone() };
        attempt(&mut best, smaller);
    }
    let mut requests = outcome.requests_most;
    while requests > 1 {
        requests /= 2;
        let smaller = Settings { requests, ..best.settings.clone() };
        attempt(&mut best, smaller);
    }
    best
}
