//! Functions and collations that a table of the database names and this program does not have: another program brought them. No
//! such table can be made again to compile statements against, so that is told once and something like it stands in.

use crate::config::key_of;
use crate::config::plan::Table;
use ringmill_sqlite::{Compiler, LiveTable};

use super::differences::{Found, Means};
use crate::api::sql::quote;

/// How SQLite's words about them begin; the name follows.
const WORDS: [(&str, &str); 3] = [
    ("no such function: ", "function"),
    ("unknown function: ", "function"),
    ("no such collation sequence: ", "collation"),
];

impl Found<'_> {
    /// One difference for the table, and one for each of its indexes.
    pub(super) fn unknown(&mut self, table: &Table, live: &LiveTable) {
        let Ok(compiler) = Compiler::in_memory(&[]) else { return };
        let key = key_of("tables", &table.name);
        let name = &table.sql_name;
        let said = |what: &str, unknown: &str| {
            format!(
                "{what} of the database needs the {unknown}, which another program has and this one does not"
            )
        };
        if let Some(unknown) = compiler.repeat(&live.sql).err().and_then(|words| named(&words)) {
            let remedy = self.anew(table, live);
            self.add(key.clone(), said(&format!("the table {name}"), &unknown), Means::Wrong { remedy });
            make_stand_in(&compiler, live);
        }
        for index in &live.indexes {
            let Some(sql) = &index.sql else { continue };
            if let Some(unknown) = compiler.repeat(sql).err().and_then(|words| named(&words)) {
                let remedy = format!("run DROP INDEX {}, or make it anew without that", quote(&index.name));
                let what = format!("the index {} of {name}", index.name);
                self.add(key.clone(), said(&what, &unknown), Means::Wrong { remedy });
            }
        }
    }
}

/// `function regexp`
fn named(words: &str) -> Option<String> {
    WORDS.iter().find_map(|(begin, what)| {
        let name = words.strip_prefix(begin)?;
        Some(format!("{what} {}", name.trim_end_matches("()")))
    })
}

/// Makes what a copy of the schema lacks: a table of these columns and keys without its rules, with the indexes and triggers that
/// can be made.
pub(in crate::api) fn stand_in(compiler: &Compiler, live: &LiveTable) {
    if compiler.compile(&format!("SELECT 1 FROM {}", quote(&live.name))).is_err() {
        make_stand_in(compiler, live);
        let indexes = live.indexes.iter().filter_map(|index| index.sql.as_deref());
        let triggers = live.triggers.iter().map(|(_, sql)| sql.as_str());
        for sql in indexes.chain(triggers) {
            // Statements that need it say so.
            let _ = compiler.repeat(sql);
        }
    }
}

fn make_stand_in(compiler: &Compiler, live: &LiveTable) {
    let columns =
        live.columns.iter().map(|column| format!("{} {}", quote(&column.name), column.declared_type));
    let mut key: Vec<_> = live.columns.iter().filter(|column| column.key_position > 0).collect();
    key.sort_by_key(|column| column.key_position);
    let key: Vec<_> = key.iter().map(|column| quote(&column.name)).collect();
    let key = (!key.is_empty()).then(|| format!("PRIMARY KEY ({})", key.join(", ")));
    let unique = live.indexes.iter().filter(|index| index.unique && index.sql.is_none());
    let unique = unique.map(|index| {
        let names: Vec<_> = index.columns.iter().flatten().map(|name| quote(name)).collect();
        format!("UNIQUE ({})", names.join(", "))
    });
    let parts: Vec<_> = columns.chain(key).chain(unique).collect();
    let _ = compiler.change(&format!("CREATE TABLE {} ({})", quote(&live.name), parts.join(", ")));
}
