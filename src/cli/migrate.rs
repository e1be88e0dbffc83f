//! `ringmill migrate`: adds to the database what the file declares and the database does not have. All of it or nothing, under
//! SQLite's lock; what it cannot add is told before anything is done.

use super::database::{data_flag, live_schema, make_folder, store_failure, tell_wait};
use super::{Configuration, Failure, plan, say};
use crate::api::{Means, Migration, differences, migration, refused_by_rows};
use crate::config::{Plan, on_one_line};
use crate::control::log;
use ringmill_sqlite::{ChangeError, Inspector, Schema, change_schema};
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    configuration: Configuration,
    /// Folder of the embedded database [server.data, default: data]
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
    /// Prints the statements that would be run, and changes nothing
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let plan = plan(&arguments.configuration, data_flag(arguments.data.as_ref()))?;
    log::set_up(plan.log.level, plan.log.format);
    let database = &plan.database.sqlite;
    let live = live_schema(&plan)?;
    let schema = live.clone().unwrap_or_default();
    // Before the lock, so that what is refused leaves no file behind; asked again under it.
    let Migration { statements, not_known } =
        migration(&plan, &schema, &Inspector::open(database)).map_err(Failure::Faults)?;
    if arguments.dry_run || (statements.is_empty() && live.is_some()) {
        print_statements(&statements);
        for (query, why) in not_known {
            say!("-- not known, since {why}: whether rows refuse that, which {query} tells");
        }
        print_left_alone(&plan, &schema);
        say!("-- {}: {}", database.display(), ending(statements.len(), "would be run"));
        return Ok(ExitCode::SUCCESS);
    }
    make_folder(database)?;
    let mut under_lock = Schema::default();
    let changed = change_schema(database, &mut |longest| tell_wait(database, longest), |schema| {
        under_lock = schema.clone();
        // Rows may have come meanwhile: the statements themselves find out.
        migration(&plan, schema, &Inspector::of_nothing()).map(|migration| migration.statements)
    });
    let changed = changed.map_err(|error| match error {
        ChangeError::Refused(faults) => Failure::Faults(faults),
        ChangeError::Statement { statement, detail } => match refused_by_rows(&plan, &under_lock, &statement) {
            Some(fault) => Failure::Faults(vec![fault]),
            None => Failure::Message(format!(
                "{}: {detail}; nothing was changed: mend the rows that are there, then migrate again; the statement is: {statement}",
                database.display()
            )),
        },
        ChangeError::Database(error) => store_failure(database, &error),
    })?;
    print_statements(&changed.statements);
    print_left_alone(&plan, &changed.schema);
    say!("-- {}: {}", database.display(), ending(changed.statements.len(), "run"));
    Ok(ExitCode::SUCCESS)
}

fn ending(count: usize, done: &str) -> String {
    match count {
        0 => "nothing to do".to_owned(),
        1 => format!("1 statement {done}"),
        _ => format!("{count} statements {done}"),
    }
}

/// What else is said is comments in SQL, a line each, so that the output is a script.
fn print_statements(statements: &[String]) {
    for statement in statements {
        say!("{statement};");
    }
}

fn print_left_alone(plan: &Plan, live: &Schema) {
    for difference in differences(plan, live) {
        let message = on_one_line(&difference.message);
        match difference.means {
            Means::MissingTable(_) | Means::Missing { .. } => {
                if let Some(renamed) = difference.renamed {
                    say!("-- {message}; {}", on_one_line(&renamed));
                }
            }
            Means::CannotAdd { .. } | Means::Undeclared { .. } => {}
            Means::Wrong { remedy } => say!("-- left alone: {message}; {}", on_one_line(&remedy)),
            Means::Differs | Means::Unseen | Means::NotInFile => say!("-- left alone: {message}"),
        }
    }
}
