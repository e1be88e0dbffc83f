//! The embedded database before anything runs on it: its folder, and the tables that are missing.

use super::Failure;
use crate::api::{Api, Depth, schema, verify};
use crate::config::{Fault, Flag, Plan, show_duration};
use crate::control::log::{emit, line};
use ringmill_sqlite::{Inspector, Schema, run_script_telling, tables};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

/// Makes the folder, and the tables that are missing. Several processes may do so at once: it is one transaction.
pub(super) fn prepare_database(plan: &Plan, database: &Path) -> Result<(), Failure> {
    make_folder(database)?;
    if !plan.database.create_missing {
        return Ok(());
    }
    let existing = match tables(database) {
        Ok(existing) => existing,
        // A file that does not exist yet has no tables.
        Err(_) if !database.exists() => Vec::new(),
        Err(error) => return Err(store_failure(database, &error)),
    };
    let missing: Vec<_> = schema(plan)
        .into_iter()
        .filter(|table| !existing.iter().any(|name| name.eq_ignore_ascii_case(&table.name)))
        .collect();
    // A file without tables of its own is served from an empty database.
    if missing.is_empty() && database.exists() {
        return Ok(());
    }
    let names: Vec<_> = missing.iter().map(|table| table.name.clone()).collect();
    let statements: Vec<String> = missing.into_iter().flat_map(|table| table.statements).collect();
    run_script_telling(database, &statements, &mut |longest| tell_wait(database, longest))
        .map_err(|error| store_failure(database, &error))?;
    if !names.is_empty() {
        emit(line!(Info, "Created the missing tables {}", names.join(", ")));
    }
    Ok(())
}

/// Makes the folder of the database.
pub(super) fn make_folder(database: &Path) -> Result<(), Failure> {
    let Some(folder) = database.parent() else { return Ok(()) };
    make_durably(folder).map_err(|error| {
        let folder = folder.display();
        Failure::Message(format!(
            "cannot make the folder {folder}: {error}; choose another with --data or server.data"
        ))
    })
}

/// What the database holds; `None` if there is none. Nothing is made.
pub(super) fn live_schema(plan: &Plan) -> Result<Option<Schema>, Failure> {
    let database = &plan.database.sqlite;
    // To open a pipe or a device may wait for ever.
    if database.metadata().is_ok_and(|metadata| !metadata.is_file()) {
        let message = format!("{} is not a regular file", database.display());
        let remedy = "name a file, not a folder, device, pipe or socket";
        return Err(Failure::Faults(vec![plan.places.fault("database.url", message, remedy)]));
    }
    Schema::read_telling(database, &mut |longest| tell_wait(database, longest))
        .map_err(|error| store_failure(database, &error))
}

/// Compiles what is served, and every statement of it against the schema as it will be: what `check` refuses is refused here
/// in the same words, before anything is made.
pub(super) fn compile_api(plan: &Plan) -> Result<Api, Failure> {
    let live = live_schema(plan)?;
    let inspector = Inspector::open(&plan.database.sqlite);
    let mut verified = verify(plan, &live.clone().unwrap_or_default(), &inspector, Depth::Faults)?;
    if live.is_none() {
        verified.faults.extend(refused_place(plan));
        plan.places.sort(&mut verified.faults);
    }
    if verified.faults.is_empty() { Ok(verified.api) } else { Err(Failure::Faults(verified.faults)) }
}

/// What keeps a database that is not there from being made; nothing is made to see it. Where the file system cannot tell, nothing is
/// said: a start does.
pub(super) fn refused_place(plan: &Plan) -> Option<Fault> {
    let database = &plan.database.sqlite;
    let folder = database.ancestors().skip(1).find(|folder| folder.exists())?;
    // A file without a name, which goes with its descriptor.
    let mut options = std::fs::OpenOptions::new();
    let error = options.write(true).custom_flags(libc::O_TMPFILE | libc::O_CLOEXEC).open(folder).err()?;
    let is_certain =
        [libc::EACCES, libc::EPERM, libc::EROFS, libc::ENOTDIR].map(Some).contains(&error.raw_os_error());
    let message =
        format!("{} cannot be made: no file can be made in {}", database.display(), folder.display());
    let message = match is_of_the_kernel(folder) {
        true => message,
        false if is_certain => format!("{message}: {error}"),
        false => return None,
    };
    let remedy =
        "name another file, choose another folder with --data or server.data, or let this user write there";
    Some(plan.places.fault("database.url", message, remedy))
}

/// Whether what stands in a folder is made by the kernel alone.
fn is_of_the_kernel(folder: &Path) -> bool {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
    ["/proc", "/sys", "/dev/pts"].iter().any(|kernel| folder.starts_with(kernel))
}

/// Says that another process is waited for.
pub(super) fn tell_wait(database: &Path, longest: Duration) {
    emit(line!(
        Warn,
        "Waiting for another process that holds {}, for at most {}",
        database.display(),
        show_duration(longest)
    ));
}

/// `--data` as a key.
pub(super) fn data_flag(value: Option<&String>) -> Vec<Flag> {
    value.map(|value| Flag { name: "--data", key: "server.data", value: value.clone() }).into_iter().collect()
}

/// Makes a folder, those above it too, and has its name reach the disk: a power cut must not take it with all that was
/// acknowledged in it.
fn make_durably(folder: &Path) -> std::io::Result<()> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    let above = folder.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
    make_durably(above)?;
    match std::fs::create_dir(folder) {
        // Another process that starts at the same moment.
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && folder.is_dir() => {}
        made => made?,
    }
    std::fs::File::open(above)?.sync_all()
}

pub(super) fn store_failure(database: &Path, error: &ringmill_sqlite::Error) -> Failure {
    Failure::Message(format!("{}: {}", database.display(), error.detail()))
}
