//! RETURNING shows a row as the statement left it: triggers, and with them the time of an `on_write` column, come after that.

use crate::config::plan::{Generated, SqlEndpoint};
use ringmill_sqlite::Compiled;

use super::Findings;
use crate::api::schema::now;
use crate::api::sql_text;

pub(super) fn check(findings: &mut Findings<'_>, key: &str, sql: &SqlEndpoint, asked: &Compiled) {
    let plan = findings.plan;
    for table in &plan.tables {
        let is_own = |(name, _): &&(String, String)| name.eq_ignore_ascii_case(&table.sql_name);
        let set: Vec<_> = asked.sets.iter().filter(is_own).map(|(_, column)| column).collect();
        let touched = table.columns.iter().filter(|column| column.generated == Some(Generated::OnWrite));
        for column in touched.filter(|_| !set.is_empty()) {
            let name = &column.name;
            if set.iter().any(|set| set.eq_ignore_ascii_case(name)) || !sql_text::returns(&sql.sql, name) {
                continue;
            }
            let at = findings.sql_key(key);
            findings.note(
                &at,
                format!("RETURNING shows {name} as it was before: its trigger runs after that"),
                format!("set it in the statement, {name} = {}", now(column.rules.kind)),
            );
        }
    }
}
