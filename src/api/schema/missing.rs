//! Tables and columns that the database does not have: the statements that add them, and what to do where SQLite adds none.

use crate::config::plan::{Column, Table, Type};
use ringmill_sqlite::LiveTable;
use serde_json::Value as Json;

use super::differences::{Found, Harm, Means, Step, at_once, column_key, on_write, position};
use super::{
    Of, column_definition, create_index, create_table, create_trigger, default, is_in_key, is_not_null,
    literal, trigger_name,
};
use crate::api::sql::quote;
use crate::config::key_of;

/// What keeps an UPDATE by hand from being taken for a write of today; `migrate` makes the triggers again.
pub(in crate::api) fn drop_on_write(table: &Table, live: &LiveTable) -> String {
    let names = on_write(table).map(|column| trigger_name(table, column));
    let there = names.filter(|name| live.triggers.iter().any(|(there, _)| there.eq_ignore_ascii_case(name)));
    there.map(|name| format!("DROP TRIGGER {}; ", quote(&name))).collect()
}

impl Found<'_> {
    pub(super) fn missing_table(&mut self, table: &Table) {
        let key = key_of("tables", &table.name);
        let step = |key: String, sql: &str| Step::new(key, at_once(sql));
        let mut steps = vec![step(key.clone(), &create_table(self.plan, table))];
        for (number, index) in table.indexes.iter().enumerate() {
            let sql = create_index(table, index, &mut self.names);
            steps.push(step(format!("{key}.indexes[{number}].where"), &sql));
        }
        for column in on_write(table) {
            let name = self.names.take(trigger_name(table, column));
            steps.push(step(column_key(table, column), &create_trigger(table, column, &name)));
        }
        let message = format!("the database has no table {}", table.sql_name);
        let renamed = self.renamed_table(table);
        self.add_missing(key, message, Means::MissingTable(steps), renamed);
    }

    /// Whether it can be added.
    pub(super) fn missing_column(&mut self, table: &Table, column: &Column, live: &LiveTable) -> bool {
        let key = column_key(table, column);
        let (name, table_name) = (&column.name, &table.sql_name);
        let message = format!("the table {table_name} of the database has no column {name}");
        let is_computed = default(column).is_some_and(|default| default.starts_with('('));
        let by_hand = |value: &str| {
            format!(
                "{}{}; UPDATE {} SET {} = {value}",
                drop_on_write(table, live),
                self.add_nullable(table, column),
                quote(table_name),
                quote(name)
            )
        };
        let remedy = if is_in_key(table, column) {
            Some("SQLite adds no column to a key: make the table anew, or declare the key it has".to_owned())
        } else if !live.has_rows {
            None
        } else if is_computed {
            let value = default(column).unwrap_or_default();
            Some(format!(
                "SQLite adds no column with a computed default to a table with rows: remove `generated`, or run {}",
                by_hand(&value)
            ))
        } else if is_not_null(table, column) && default(column).is_none() {
            Some(format!(
                "its rows would have no value for it: give it a `default`, or remove `required`, or run, with a value of your own: {}",
                by_hand(&self.any_value(column))
            ))
        } else if let (Some(_), Some(value)) = (&column.references, default(column)) {
            Some(format!(
                "SQLite adds no reference with a default to a table with rows: remove `default`, or run {}",
                by_hand(&value)
            ))
        } else {
            None
        };
        let renamed = Self::renamed_column(table, column, live);
        if let Some(remedy) = remedy {
            self.add_missing(key, message, Means::CannotAdd { remedy }, renamed);
            return false;
        }
        let definition = column_definition(self.plan, table, column, Of::OldTable);
        let sql = format!("ALTER TABLE {} ADD COLUMN {definition}", quote(table_name));
        let mut steps = vec![Step::new(&key, sql)];
        if column.unique {
            steps.push(self.unique_index(table, live, &key, &[position(table, column)]));
        }
        self.add_missing(key, message, Means::Missing { steps, harm: Harm::Wrong }, renamed);
        true
    }

    /// The column as one that may be left out, which SQLite adds to any table.
    fn add_nullable(&self, table: &Table, column: &Column) -> String {
        let mut column = column.clone();
        column.rules.required = false;
        column.rules.default = None;
        column.generated = None;
        let definition = column_definition(self.plan, table, &column, Of::OldTable);
        format!("ALTER TABLE {} ADD COLUMN {definition}", quote(&table.sql_name))
    }

    /// SQL of a value that a column takes, for rows that have none.
    fn any_value(&self, column: &Column) -> String {
        if let Some(reference) = &column.references {
            let parent = &self.plan.tables[reference.table];
            let key = quote(&parent.columns[reference.column].name);
            return format!("(SELECT min({key}) FROM {})", quote(&parent.sql_name));
        }
        let rules = &column.rules;
        if let Some(value) = rules.choices.as_ref().and_then(|choices| literal(rules.kind, choices.first()?))
        {
            return value;
        }
        let bound = rules.minimum.as_ref().or(rules.maximum.as_ref());
        match rules.kind {
            // No two rows may agree in it.
            Type::SmallInt | Type::Integer | Type::BigInt if column.unique => "rowid".into(),
            Type::Text if column.unique => "'x' || rowid".into(),
            Type::Numeric => {
                bound.map_or("'0'".into(), |bound| format!("'{}'", super::bound(rules.kind, bound)))
            }
            Type::SmallInt | Type::Integer | Type::BigInt | Type::Real | Type::Double => {
                bound.map_or("0".into(), |bound| super::bound(rules.kind, bound))
            }
            Type::Boolean => "0".into(),
            Type::Text if rules.format.is_some() => "'x@x'".into(),
            Type::Text => format!("'{}'", "x".repeat(rules.min_length.unwrap_or(0))),
            Type::Timestamp => "'1970-01-01T00:00:00.000000Z'".into(),
            Type::Date => "'1970-01-01'".into(),
            Type::Uuid => format!("({})", super::RANDOM_UUID),
            Type::Json => literal(Type::Json, &Json::from("")).unwrap_or_default(),
            Type::Bytes => "X''".into(),
        }
    }
}
