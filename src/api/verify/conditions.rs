//! Conditions of indexes that are there. SQLite may have made such an index with a misspelt column in double quotes, which it took for
//! a string: the index then holds other rows than were meant, and keeps nothing unique.

use crate::config::key_of;
use ringmill_sqlite::{Compiler, Schema};

use super::Findings;
use crate::api::schema::made_index;
use crate::api::sql::quote;

/// Those of indexes that are missing are compiled with the statement that makes them.
pub(super) fn check(findings: &mut Findings<'_>, compiler: &Compiler, live: &Schema) {
    let plan = findings.plan;
    for table in &plan.tables {
        let Some(there) = live.table(&table.sql_name) else { continue };
        for (number, index) in table.indexes.iter().enumerate() {
            let (Some(condition), Some(made)) = (&index.condition, made_index(table, index, there)) else {
                continue;
            };
            // A comment at its end would take what stands behind it.
            let query = format!("SELECT 1 FROM {} WHERE (\n{condition}\n)", quote(&table.sql_name));
            if let Err(words) = compiler.compile(&query) {
                let key = format!("{}.indexes[{number}].where", key_of("tables", &table.name));
                let remedy = format!(
                    "mend it, run DROP INDEX {}, which was made with it, then `ringmill migrate`",
                    quote(&made.name)
                );
                findings.fault(&key, words, remedy);
            }
        }
    }
}
