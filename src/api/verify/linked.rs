//! Which foreign keys a statement of an endpoint may break. SQLite does not say which one it was: a parameter is to blame if no
//! other can have been.

use crate::api::sql_text::{Token, tokens};
use crate::config::plan::{Plan, SqlEndpoint};
use ringmill_sqlite::{Compiled, LiveColumn, Schema, WriteKind};

/// A foreign key, of the database or of a table that is still to be made.
pub(super) struct Link {
    child: String,
    columns: Vec<String>,
    /// Those of them that are not NULL in a row whose statement does not name them.
    with_default: Vec<String>,
    parent: String,
    /// Of the parent.
    targets: Vec<String>,
}

pub(super) fn links(plan: &Plan, live: &Schema) -> Vec<Link> {
    let mut links = Vec::new();
    for child in &live.tables {
        for there in &child.foreign_keys {
            let has_default = |column: &&LiveColumn| {
                let is_it = |name: &String| name.eq_ignore_ascii_case(&column.name);
                column.default.is_some() && there.columns.iter().any(is_it)
            };
            links.push(Link {
                child: child.name.clone(),
                columns: there.columns.clone(),
                with_default: child
                    .columns
                    .iter()
                    .filter(has_default)
                    .map(|column| column.name.clone())
                    .collect(),
                parent: there.table.clone(),
                targets: there.target_columns.clone(),
            });
        }
    }
    for table in plan.tables.iter().filter(|table| live.table(&table.sql_name).is_none()) {
        for column in &table.columns {
            let Some(reference) = &column.references else { continue };
            let parent = &plan.tables[reference.table];
            let has_default = column.rules.default.is_some() || column.generated.is_some();
            links.push(Link {
                child: table.sql_name.clone(),
                columns: vec![column.name.clone()],
                with_default: has_default.then(|| column.name.clone()).into_iter().collect(),
                parent: parent.sql_name.clone(),
                targets: vec![parent.columns[reference.column].name.clone()],
            });
        }
    }
    links
}

/// Of each parameter whether it stands for a foreign key that the statement may break, and whether there are such for which none
/// stands.
pub(super) fn blamable(
    plan: &Plan,
    links: &[Link],
    endpoint: &SqlEndpoint,
    asked: &Compiled,
) -> (Vec<bool>, bool) {
    let named = inserted_columns(&endpoint.sql);
    let broken: Vec<&Link> = links.iter().filter(|link| link.is_broken_by(asked, named.as_deref())).collect();
    let stands_for = |link: &Link, (table, column): (usize, usize)| {
        let (table, column) = (&plan.tables[table], &plan.tables[table].columns[column]);
        link.child.eq_ignore_ascii_case(&table.sql_name) && are(&link.columns, &column.name)
    };
    let columns = || endpoint.parameters.iter().map(|parameter| parameter.column);
    let refers = columns()
        .map(|column| column.is_some_and(|column| broken.iter().any(|link| stands_for(link, column))))
        .collect();
    let is_anybodys = |link: &&Link| columns().flatten().any(|column| stands_for(link, column));
    (refers, !broken.iter().all(is_anybodys))
}

impl Link {
    /// `named`: the columns that an INSERT names; `None`: all.
    fn is_broken_by(&self, asked: &Compiled, named: Option<&[String]>) -> bool {
        let writes = |table: &str, kind: WriteKind| {
            asked.writes.iter().any(|write| write.kind == kind && write.table.eq_ignore_ascii_case(table))
        };
        let is_target = |table: &str| contains(&asked.targets, table);
        // What a trigger sets is not known.
        let sets = |table: &str, columns: &[String]| {
            let is_set =
                |(of, column): &(String, String)| of.eq_ignore_ascii_case(table) && contains(columns, column);
            writes(table, WriteKind::Update) && (!is_target(table) || asked.sets.iter().any(is_set))
        };
        let is_given = |column: &String| {
            named.is_none_or(|named| contains(named, column)) || contains(&self.with_default, column)
        };
        let is_inserted = writes(&self.child, WriteKind::Insert)
            && (!is_target(&self.child) || self.columns.iter().all(is_given));
        is_inserted
            || sets(&self.child, &self.columns)
            || sets(&self.parent, &self.targets)
            || writes(&self.parent, WriteKind::Delete)
    }
}

/// The columns in the parentheses behind INTO; `None` if there are none.
fn inserted_columns(sql: &str) -> Option<Vec<String>> {
    let tokens = tokens(sql);
    let into = tokens.iter().position(|token| token.depth == 0 && token.is("INTO"))?;
    let behind = &tokens[into + 1..];
    let is_end =
        |token: &Token<'_>| ["VALUES", "SELECT", "WITH", "DEFAULT"].into_iter().any(|word| token.is(word));
    let end = behind.iter().position(is_end);
    let behind = &behind[..end.unwrap_or(behind.len())];
    let open = behind.iter().position(|token| token.is_symbol("("))?;
    Some(behind[open + 1..].iter().filter_map(|token| token.name()).collect())
}

fn are(columns: &[String], name: &str) -> bool {
    matches!(columns, [one] if one.eq_ignore_ascii_case(name))
}

fn contains(names: &[String], name: &str) -> bool {
    names.iter().any(|known| known.eq_ignore_ascii_case(name))
}
