//! `ringmill seed`: plausible rows.

use super::{Configuration, Failure, plan};
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    configuration: Configuration,
    /// A declared table
    #[arg(long, value_name = "NAME")]
    table: String,
    /// How many rows to add
    #[arg(long, value_name = "COUNT")]
    rows: u64,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let _plan = plan(&arguments.configuration, Vec::new())?;
    Err(Failure::Message(format!("seeding {} with {} rows", arguments.table, arguments.rows)))
}
