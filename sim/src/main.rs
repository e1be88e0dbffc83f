//! `scripts/sim`: replays one seed, or runs many.

mod report;

use clap::Parser;
use ringmill_sim::shrink;
use ringmill_sim::world::{self, Product, Settings};
use ringmill_sim_kernel::faults::Fault;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Runs the whole server in memory from a seed; the same seed gives the same run.
#[derive(Debug, Parser)]
#[command(name = "sim")]
struct Arguments {
    /// Replay this seed and print its trace.
    #[arg(long)]
    seed: Option<u64>,
    /// Run so many seeds.
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// Run fresh seeds for so long, such as 60s or 10m.
    #[arg(long = "for", value_name = "TIME", value_parser = time)]
    duration: Option<Duration>,
    /// The first seed of --count or --for; without it --count begins at 1 and --for at a random one.
    #[arg(long, value_name = "SEED")]
    from: Option<u64>,
    /// Run each seed twice and compare the traces.
    #[arg(long)]
    twice: bool,
    /// Fail unless each fault happened, and each request was answered, so many times in all.
    #[arg(long, value_name = "N", default_value_t = 0)]
    least: u64,
    /// At most so many clients.
    #[arg(long, value_name = "N")]
    clients: Option<usize>,
    /// At most so many requests of a connection.
    #[arg(long, value_name = "N")]
    requests: Option<usize>,
    /// Leave this fault out; may be given several times.
    #[arg(long, value_name = "FAULT", value_parser = fault)]
    without: Vec<Fault>,
    /// No trace of the seed that is replayed, only its outcome.
    #[arg(long)]
    quiet: bool,
}

fn time(text: &str) -> Result<Duration, String> {
    let words = || format!("\"{text}\" is no time: write a number with s, m or h, such as 60s");
    let unit = text.chars().last().ok_or_else(words)?;
    let number: u64 = text.strip_suffix(unit).and_then(|number| number.parse().ok()).ok_or_else(words)?;
    match unit {
        's' => Ok(Duration::from_secs(number)),
        'm' => Ok(Duration::from_secs(60 * number)),
        'h' => Ok(Duration::from_secs(3600 * number)),
        _ => Err(words()),
    }
}

fn fault(text: &str) -> Result<Fault, String> {
    Fault::ALL.iter().copied().find(|fault| fault.label() == text).ok_or_else(|| {
        let names: Vec<_> = Fault::ALL.iter().map(|fault| fault.label()).collect();
        format!("there is no fault \"{text}\"; there are {}", names.join(", "))
    })
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let product = match Product::load() {
        Ok(product) => product,
        Err(words) => {
            eprintln!("sim: {words}");
            return ExitCode::FAILURE;
        }
    };
    let settings = |seed| Settings {
        clients: arguments.clients.unwrap_or(usize::MAX),
        requests: arguments.requests.unwrap_or(usize::MAX),
        without: arguments.without.clone(),
        ..Settings::of(seed)
    };
    if let Some(seed) = arguments.seed {
        let outcome = world::run(&product, &Settings { is_shown: !arguments.quiet, ..settings(seed) });
        report::one(seed, &outcome);
        return if outcome.failure.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    // Panics are a rule that is broken, told with the seed.
    std::panic::set_hook(Box::new(|_| ()));
    let started = Instant::now();
    let first = arguments.from.unwrap_or_else(|| match arguments.duration {
        Some(_) => std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(1, |since| since.as_micros() as u64),
        None => 1,
    });
    let most = arguments.count.unwrap_or(if arguments.duration.is_some() { u64::MAX } else { 100 });
    let mut sum = report::Sum::new(first);
    for seed in (0..most).map(|number| first.wrapping_add(number)) {
        if arguments.duration.is_some_and(|duration| started.elapsed() >= duration) {
            break;
        }
        let settings = settings(seed);
        let outcome = world::run(&product, &settings);
        sum.add(&outcome);
        if let Some(failure) = &outcome.failure {
            sum.print(started.elapsed());
            let smaller = shrink::shrink(&product, &settings, &outcome, failure);
            report::failed(&settings, failure, &smaller);
            return ExitCode::FAILURE;
        }
        if arguments.twice {
            let again = world::run(&product, &settings);
            if again.hash != outcome.hash {
                println!("seed {seed} has two traces: {:016x} and {:016x}", outcome.hash, again.hash);
                return ExitCode::FAILURE;
            }
        }
    }
    sum.print(started.elapsed());
    let seldom = sum.seldom(arguments.least);
    if !seldom.is_empty() {
        println!("fewer than {} times: {}", arguments.least, seldom.join(", "));
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
