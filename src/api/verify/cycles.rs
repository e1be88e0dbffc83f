//! Tables whose rows need one another: of none of them can a first row be made, since a reference is looked at when its row is
//! written.

use crate::config::key_of;
use crate::config::plan::{ColumnIndex, Plan, Table};
use ringmill_sqlite::Schema;
use std::collections::VecDeque;

use super::Findings;

pub(super) fn advise(findings: &mut Findings<'_>, live: &Schema) {
    let plan = findings.plan;
    let mut told = vec![false; plan.tables.len()];
    for start in 0..plan.tables.len() {
        let Some(cycle) = cycle_from(plan, start) else { continue };
        let has_rows = |table: &Table| live.table(&table.sql_name).is_some_and(|live| live.has_rows);
        if cycle.iter().any(|(table, _)| told[*table]) {
            continue;
        }
        cycle.iter().for_each(|(table, _)| told[*table] = true);
        if cycle.iter().all(|(table, _)| has_rows(&plan.tables[*table])) {
            continue;
        }
        let name = |(table, column): &(usize, ColumnIndex)| {
            let table = &plan.tables[*table];
            format!("{}.{}", table.name, table.columns[*column].name)
        };
        let names: Vec<_> = cycle.iter().map(name).collect();
        let (table, column) = cycle[0];
        let table = &plan.tables[table];
        findings.note(
            &key_of(&format!("{}.columns", key_of("tables", &table.name)), &table.columns[column].name),
            format!(
                "{} refer to one another and are required: no request can make a first row",
                names.join(", ")
            ),
            "leave `required` out of one of them",
        );
    }
}

/// The shortest way back to a table over references that every row has; each step is a table and its column. A row may refer to
/// itself.
fn cycle_from(plan: &Plan, start: usize) -> Option<Vec<(usize, ColumnIndex)>> {
    let mut came_by: Vec<Option<(usize, ColumnIndex)>> = vec![None; plan.tables.len()];
    let mut queue = VecDeque::from([start]);
    while let Some(at) = queue.pop_front() {
        let table = &plan.tables[at];
        for (index, column) in table.columns.iter().enumerate() {
            let is_given = column.rules.required || table.key.contains(&index);
            let Some(reference) = column.references.as_ref().filter(|to| is_given && to.table != at) else {
                continue;
            };
            if came_by[reference.table].is_none() {
                came_by[reference.table] = Some((at, index));
                queue.push_back(reference.table);
            }
        }
    }
    let mut cycle = vec![came_by[start]?];
    while cycle[0].0 != start {
        cycle.insert(0, came_by[cycle[0].0]?);
    }
    Some(cycle)
}
