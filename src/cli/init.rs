//! `ringmill init`: the built-in file, to start from.

use super::Failure;
use crate::config::BUILTIN;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Where to write it; an existing file is never overwritten
    #[arg(default_value = "ringmill.toml", value_name = "FILE")]
    file: PathBuf,
}

const REMEDY: &str = "name another FILE, in a folder that exists and that this user may write to";

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let shown = arguments.file.display();
    let created = std::fs::OpenOptions::new().write(true).create_new(true).open(&arguments.file);
    let mut file = created.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            format!("{shown} exists and is left as it is: name another file or move this one away")
        }
        _ => format!("cannot write {shown}: {error}; {REMEDY}"),
    })?;
    file.write_all(BUILTIN.as_bytes()).map_err(|error| format!("cannot write {shown}: {error}; {REMEDY}"))?;
    super::say!("wrote {shown}: `ringmill serve` in this folder uses it");
    Ok(ExitCode::SUCCESS)
}
