//! Triggers of the database on tables of the file that are none of its `on_write` columns: they run with what the API writes, and no
//! answer tells of it.

use crate::api::sql::quote;
use crate::api::sql_text::{Token, one_line, tokens};
use crate::config::key_of;
use crate::config::plan::{Column, Table, Type};
use ringmill_sqlite::{LiveTable, TableKind};

use super::differences::{Found, Means, at_once, on_write};
use super::forms::{example, form, keeps_form};
use super::{create_trigger, now, trigger_name};

/// Name and statement of each.
pub(in crate::api) fn own_triggers<'a>(
    table: &'a Table,
    live: &'a LiveTable,
) -> impl Iterator<Item = (&'a str, &'a str)> {
    let is_of_file = |name: &str, sql: &str| {
        on_write(table).any(|column| {
            trigger_name(table, column).eq_ignore_ascii_case(name)
                || one_line(sql) == one_line(&at_once(&create_trigger(table, column, name)))
        })
    };
    let all = live.triggers.iter().map(|(name, sql)| (name.as_str(), sql.as_str()));
    all.filter(move |(name, sql)| !is_of_file(name, sql))
}

/// Statements that drop the triggers which an UPDATE of a column would run, and those that make them again.
pub(in crate::api) fn put_aside(
    table: &Table,
    column: &Column,
    live: &LiveTable,
) -> (Vec<String>, Vec<String>) {
    let runs = |sql: &str| {
        let event = Event::of(sql);
        let of = &event.columns;
        event.verb == "UPDATE"
            && (of.is_empty() || of.iter().any(|name| name.eq_ignore_ascii_case(&column.name)))
    };
    let triggers = own_triggers(table, live).filter(|(_, sql)| runs(sql));
    triggers.map(|(name, sql)| (format!("DROP TRIGGER {}", quote(name)), one_line(sql))).unzip()
}

impl Found<'_> {
    pub(super) fn own_triggers(&mut self, table: &Table, live: &LiveTable) {
        for (name, sql) in own_triggers(table, live) {
            let message = format!("the trigger {name} on {}, which the file does not have", table.sql_name);
            // The file says what it does of a view that can be written.
            let (message, means) = match live.kind {
                TableKind::Table => {
                    let forms = self.forms_to_keep(name, sql);
                    (format!("{message}: it runs with {}{forms}", Event::of(sql).words()), Means::Unseen)
                }
                _ => (message, Means::NotInFile),
            };
            self.add(key_of("tables", &table.name), message, means);
        }
    }

    /// What the database would refuse of what a trigger writes.
    fn forms_to_keep(&self, name: &str, sql: &str) -> String {
        let mut kept = String::new();
        for (target, column) in written(sql) {
            let table = self.plan.tables.iter().find(|table| table.sql_name.eq_ignore_ascii_case(&target));
            let Some((table, live)) = table.and_then(|table| Some((table, self.live.table(&target)?))) else {
                continue;
            };
            let is_written =
                |one: &&Column| column.as_ref().is_none_or(|name| name.eq_ignore_ascii_case(&one.name));
            for column in table.columns.iter().filter(is_written) {
                if form(column).is_none() || !keeps_form(column, live) {
                    continue;
                }
                let kind = column.rules.kind;
                let how = match kind {
                    Type::Timestamp | Type::Date => format!(" ({} does)", now(kind)),
                    _ => String::new(),
                };
                let (table, column, form) = (&table.sql_name, &column.name, example(kind));
                kept += &format!("; what it writes into {table}.{column} has to be written as {form}{how}");
            }
        }
        if kept.is_empty() {
            return kept;
        }
        format!(
            "{kept}, else the database refuses the request: mend the trigger, or run DROP TRIGGER {}",
            quote(name)
        )
    }
}

/// What a trigger runs with.
struct Event {
    /// In capitals.
    verb: &'static str,
    /// Of an UPDATE; empty: all.
    columns: Vec<String>,
    has_condition: bool,
}

impl Event {
    fn of(sql: &str) -> Event {
        let tokens = tokens(sql);
        // All of them are reserved: no name is one.
        let verb = |token: &Token<'_>| ["INSERT", "UPDATE", "DELETE"].into_iter().find(|verb| token.is(verb));
        let at = tokens.iter().position(|token| verb(token).is_some()).unwrap_or(tokens.len());
        let behind = tokens.get(at + 1..).unwrap_or_default();
        let listed = match behind.split_first() {
            Some((of, listed)) if of.is("OF") => listed,
            _ => &[],
        };
        let listed = listed.iter().take_while(|token| !token.is("ON")).filter(|token| !token.is_symbol(","));
        let mut head = behind.iter().take_while(|token| !token.is("BEGIN"));
        Event {
            verb: tokens.get(at).and_then(verb).unwrap_or("INSERT"),
            columns: listed.filter_map(Token::name).collect(),
            has_condition: head.any(|token| token.is("WHEN")),
        }
    }

    fn words(&self) -> String {
        let of =
            if self.columns.is_empty() { String::new() } else { format!(" of {}", self.columns.join(", ")) };
        let when = if self.has_condition { " for which its WHEN holds" } else { "" };
        format!("every {}{of}{when}", self.verb)
    }
}

/// Tables and columns that a trigger's statements set, as far as they name them; no column: all.
fn written(sql: &str) -> Vec<(String, Option<String>)> {
    let tokens = tokens(sql);
    let begin = tokens.iter().position(|token| token.is("BEGIN")).unwrap_or(tokens.len());
    let body = &tokens[begin..];
    let mut found: Vec<(String, Option<String>)> = Vec::new();
    let mut target = None;
    for (at, token) in body.iter().enumerate() {
        let behind = &body[at + 1..];
        if token.is("INTO") {
            target = behind.first().and_then(Token::name);
            let Some(table) = &target else { continue };
            match behind.get(1) {
                Some(open) if open.is_symbol("(") => {
                    let listed = behind[2..].iter().take_while(|token| !token.is_symbol(")"));
                    found.extend(listed.filter_map(Token::name).map(|name| (table.clone(), Some(name))));
                }
                _ => found.push((table.clone(), None)),
            }
        } else if token.is("UPDATE") {
            // UPDATE OR IGNORE t; DO UPDATE SET is of the same table as its INSERT.
            let named =
                if behind.first().is_some_and(|or| or.is("OR")) { behind.get(2) } else { behind.first() };
            if let Some(name) = named.filter(|named| !named.is("SET")).and_then(Token::name) {
                target = Some(name);
            }
        } else if behind.first().is_some_and(|equals| equals.is_symbol("="))
            && at > 0
            && (body[at - 1].is("SET") || body[at - 1].is_symbol(","))
            && let (Some(table), Some(name)) = (&target, token.name())
        {
            found.push((table.clone(), Some(name)));
        }
    }
    found.dedup();
    found
}
