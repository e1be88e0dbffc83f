//! The command line: one file per subcommand. Exit codes: 0 done or drained, 1 a fault whose remedy the last line names,
//! 2 a wrong command line.

mod check;
mod database;
mod init;
mod migrate;
mod seed;
mod serve;

/// Prints a line on standard output. That nobody reads it is no reason to end.
macro_rules! say {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stdout(), $($text)*);
    }};
}

use say;

use crate::config::{Examined, Fault, Flag, Inputs, Plan, examine, on_one_line};
use crate::control::log;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// Declare your tables in one file; Ringmill serves them as a JSON API, one io_uring reactor per core.
#[derive(Debug, Parser)]
#[command(name = "ringmill", version, about, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves the API until SIGTERM or SIGINT, then drains.
    Serve(serve::Arguments),
    /// Writes the built-in file, to start from.
    Init(init::Arguments),
    /// Validates the file against itself and the live database, and prints what it comes to; changes nothing.
    Check(check::Arguments),
    /// Adds missing tables, columns, indexes and triggers to the database; never drops, renames or narrows.
    Migrate(migrate::Arguments),
    /// Fills a declared table with plausible rows, its parents first.
    Seed(seed::Arguments),
    #[command(flatten)]
    Later(Later),
}

/// Names that are kept for later. Whatever stands behind them is not looked at.
#[derive(Debug, Subcommand)]
enum Later {
    #[command(hide = true, disable_help_flag = true)]
    Worker(Anything),
    #[command(hide = true, disable_help_flag = true)]
    Doctor(Anything),
    #[command(hide = true, disable_help_flag = true)]
    Top(Anything),
    #[command(hide = true, disable_help_flag = true)]
    Backup(Anything),
}

#[derive(Debug, Args)]
struct Anything {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    _rest: Vec<std::ffi::OsString>,
}

impl Later {
    fn refuse(&self) -> ExitCode {
        let name = match self {
            Later::Worker(_) => "worker",
            Later::Doctor(_) => "doctor",
            Later::Top(_) => "top",
            Later::Backup(_) => "backup",
        };
        log::finish(&format!("ringmill: `{name}` is not in this version; `ringmill --help` says what is\n"));
        ExitCode::from(WRONG_COMMAND_LINE)
    }
}

/// The exit code that clap has too.
const WRONG_COMMAND_LINE: u8 = 2;

/// Where the configuration comes from.
#[derive(Debug, Args)]
struct Configuration {
    /// The file [default: ./ringmill.toml if there is one, else the built-in API]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Sets a key of the file, such as tables.users.cache.ttl=5m; the value is TOML, else a string. May be repeated
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = key_and_value)]
    sets: Vec<(String, String)>,
}

fn key_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.to_owned())),
        _ => Err("write KEY=VALUE, such as server.listen=0.0.0.0:5000".to_owned()),
    }
}

/// Why a command ended: its last line on standard error.
#[derive(Debug)]
enum Failure {
    /// What is wrong and what to do about it.
    Message(String),
    /// Everything that is wrong with the configuration.
    Faults(Vec<Fault>),
}

impl<E: std::fmt::Display> From<E> for Failure {
    fn from(error: E) -> Failure {
        Failure::Message(error.to_string())
    }
}

/// Runs the command that the process was given.
pub fn main() -> ExitCode {
    ringmill_reactor::ignore_file_size_signal();
    let cli = Cli::parse();
    let result = match cli.command {
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Init(arguments) => init::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Migrate(arguments) => migrate::run(&arguments),
        Command::Seed(arguments) => seed::run(&arguments),
        Command::Later(later) => return later.refuse(),
    };
    match result {
        Ok(code) => {
            log::finish("");
            code
        }
        Err(failure) => {
            log::finish(&failure.to_lines());
            ExitCode::FAILURE
        }
    }
}

impl Failure {
    /// Whole lines; the last one names a fault and its remedy.
    fn to_lines(&self) -> String {
        let (above, last) = match self {
            Failure::Message(message) => (Vec::new(), on_one_line(message).into_owned()),
            Failure::Faults(faults) => match faults.as_slice() {
                [] => (Vec::new(), "the configuration is refused".to_owned()),
                [fault] => (Vec::new(), fault.to_string()),
                [.., last] => (
                    faults.iter().map(ToString::to_string).collect(),
                    format!("{} faults in the configuration; the last: {last}", faults.len()),
                ),
            },
        };
        let mut lines = above.join("\n");
        if !lines.is_empty() {
            lines.push('\n');
        }
        format!("{lines}ringmill: {last}\n")
    }
}

/// The plan that file, environment and flags come to.
fn plan(configuration: &Configuration, flags: Vec<Flag>) -> Result<Plan, Failure> {
    let Examined { faults, plan } = examined(configuration, flags)?;
    match plan {
        Some(plan) if faults.is_empty() => Ok(plan),
        _ => Err(Failure::Faults(faults)),
    }
}

/// The same for who serves it: beside faults of the file stand those that the database tells of the rest.
fn plan_to_serve(configuration: &Configuration, flags: Vec<Flag>) -> Result<Plan, Failure> {
    let Examined { mut faults, plan } = examined(configuration, flags)?;
    match plan {
        Some(plan) if faults.is_empty() => Ok(plan),
        Some(plan) => {
            // Why the database cannot be asked is told when the file has no fault.
            if let Err(Failure::Faults(more)) = database::compile_api(&plan) {
                faults.extend(more);
                plan.places.sort(&mut faults);
            }
            Err(Failure::Faults(faults))
        }
        None => Err(Failure::Faults(faults)),
    }
}

fn examined(configuration: &Configuration, flags: Vec<Flag>) -> Result<Examined, Failure> {
    let working_directory = std::env::current_dir()?;
    // Names and values that are not UTF-8 cannot be meant for us.
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    Ok(examine(&Inputs {
        config: configuration.config.clone(),
        working_directory: &working_directory,
        environment,
        sets: configuration.sets.clone(),
        flags,
    }))
}
