//! `ringmill seed`: plausible rows for a declared table, parents first.
//!
//! A row is made as the body of a request and goes the API's way in, so that it keeps every rule of the file and is stored as
//! any other row. It is written beside a running server in short transactions.

mod door;
mod existing;
mod fill;
mod number;
mod progress;
mod random;
mod steps;
mod text;
mod unique;
mod value;
mod words;

#[cfg(test)]
mod tests;

use super::database::{compile_api, data_flag, live_schema, prepare_database};
use super::{Configuration, Failure, plan_to_serve};
use crate::config::{Plan, did_you_mean};
use crate::control::log;
use existing::Existing;
use fill::{Run, fill};
use progress::Progress;
use random::Random;
use std::process::ExitCode;
use std::time::SystemTime;
use steps::{Step, steps};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    configuration: Configuration,
    /// Folder of the embedded database [server.data, default: data]
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
    /// A declared table; tables that it refers to get rows first if they have too few
    #[arg(long, value_name = "NAME")]
    table: String,
    /// How many rows to add
    #[arg(long, value_name = "COUNT", value_parser = count)]
    rows: u64,
    /// Repeats the values of an earlier run on a like database, but for times [default: at random]
    #[arg(long, value_name = "NUMBER", value_parser = number)]
    seed: Option<u64>,
}

fn count(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(count) if count > 0 => Ok(count),
        _ => Err("write a whole number, 1 or more".to_owned()),
    }
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("write a whole number from 0 to {}", u64::MAX))
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let plan = plan_to_serve(&arguments.configuration, data_flag(arguments.data.as_ref()))?;
    log::set_up(plan.log.level, plan.log.format);
    let seed = match arguments.seed {
        Some(seed) => seed,
        None => random_seed()?,
    };
    let wish = Wish { table: table_of(&plan, &arguments.table)?, rows: arguments.rows, seed };
    let done = seed_table(&plan, wish, now_unix_us()?, Progress::new()?)?;
    super::say!("{}", report(&plan, wish, &done));
    Ok(ExitCode::SUCCESS)
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
struct Wish {
    table: usize,
    rows: u64,
    seed: u64,
}

/// Makes what is missing and adds the rows. Says what was added, parents first.
fn seed_table(plan: &Plan, wish: Wish, now_unix_us: i64, progress: Progress) -> Result<Vec<Step>, Failure> {
    // What a start would refuse has no rows made for it.
    compile_api(plan)?;
    prepare_database(plan, &plan.database.sqlite)?;
    let live = live_schema(plan)?.unwrap_or_default();
    let existing = Existing::open(plan)?;
    let steps = steps(plan, wish.table, wish.rows, &mut |table| existing.rows(table))?;
    progress.expect(steps.iter().map(|step| step.rows).sum());
    let random = Random::new(wish.seed);
    let mut run = Run { plan, live: &live, existing: &existing, random, now_unix_us, progress };
    for step in &steps {
        run.progress.begin(&plan.tables[step.table].name, step.rows);
        fill(&mut run, step.table, step.rows)?;
    }
    run.progress.end();
    Ok(steps)
}

fn table_of(plan: &Plan, name: &str) -> Result<usize, Failure> {
    if let Some(index) = plan.tables.iter().position(|table| table.name == name) {
        return Ok(index);
    }
    let names = plan.tables.iter().map(|table| table.name.as_str());
    Err(Failure::Message(format!(
        "--table: there is no table {name}; {}",
        did_you_mean(name, names, "table in the file")
    )))
}

/// `seeded 1000 rows of posts (and 100 of users)`
fn report(plan: &Plan, wish: Wish, done: &[Step]) -> String {
    let mut sums: Vec<Step> = Vec::new();
    for step in done.iter().filter(|step| step.table != wish.table) {
        match sums.iter_mut().find(|sum| sum.table == step.table) {
            Some(sum) => sum.rows += step.rows,
            None => sums.push(*step),
        }
    }
    let others: Vec<_> =
        sums.iter().map(|sum| format!("{} of {}", sum.rows, plan.tables[sum.table].name)).collect();
    let rows = if wish.rows == 1 { "row" } else { "rows" };
    let own = format!("seeded {} {rows} of {}", wish.rows, plan.tables[wish.table].name);
    if others.is_empty() { own } else { format!("{own} (and {})", others.join(", ")) }
}

fn now_unix_us() -> Result<i64, Failure> {
    Ok(i64::try_from(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_micros())?)
}

fn random_seed() -> Result<u64, Failure> {
    let mut bytes = [0; 8];
    let mut source = std::fs::File::open("/dev/urandom")?;
    std::io::Read::read_exact(&mut source, &mut bytes)?;
    Ok(u64::from_ne_bytes(bytes))
}
