//! Replies: what a table has when its file names none, drawn ones, and their rendering.

use crate::column::toml_string;
use crate::file::{Replies, Reply, Table};
use crate::value::{Cell, string};
use std::fmt::Write;

const NAMES: [&str; 8] =
    ["list", "create", "update", "delete", "not_found", "missing", "invalid", "conflict"];

fn text(name: &str, text: impl Into<String>) -> (String, Reply) {
    (name.to_owned(), Reply::Text(text.into()))
}

fn place(name: &str, reply: Reply) -> (String, Reply) {
    (name.to_owned(), reply)
}

impl Replies {
    /// Those of a table `t0` …, whose noun is `T0` ….
    pub(crate) fn default(index: usize, name: &str, has_total: bool) -> Replies {
        let noun = format!("{}{index}", name.to_uppercase());
        let mut list = vec![place(&format!("{name}{index}"), Reply::Rows)];
        if has_total {
            list.push(place("total", Reply::Total));
        }
        list.extend([place("page", Reply::Page), place("per_page", Reply::PerPage)]);
        let refusal =
            |words: String| Reply::Object(vec![text("error", words), place("errors", Reply::Errors)]);
        Replies {
            list: Reply::Object(list),
            create: Reply::Row,
            update: Reply::Object(vec![text("message", "Updated")]),
            delete: Reply::Object(vec![text("message", format!("{noun} deleted"))]),
            not_found: Reply::Object(vec![text("error", format!("{noun} not found"))]),
            missing: refusal("Missing required fields".into()),
            invalid: refusal("Validation failed".into()),
            conflict: refusal(format!("Failed to create {}", noun.to_lowercase())),
        }
    }

    fn each(&self) -> [&Reply; NAMES.len()] {
        let Replies { list, create, update, delete, not_found, missing, invalid, conflict } = self;
        [list, create, update, delete, not_found, missing, invalid, conflict]
    }
}

impl Table {
    /// Some replies of its own, by the bits of `which`.
    pub(crate) fn draw_replies(&mut self, which: u16) {
        let index = self.name[1..].parse().expect("a number");
        let mut replies = Replies::default(index, "t", self.has_total);
        let has = |bit: u32| which >> 12 == 15 || (which >> 15 == 1 && which >> bit & 1 == 1);
        let shown = self.columns.iter().position(|column| !column.hidden);
        let row = |shown: Option<usize>| {
            let mut fields = vec![place("row", Reply::Row), text("é\"", "@odd \\ \n")];
            fields.extend(shown.map(|column| place("cell", Reply::Cell(column))));
            Reply::Object(fields)
        };
        let refusal = |message: &str| {
            Reply::Array(vec![
                Reply::Text(message.to_owned()),
                Reply::Number(-7),
                Reply::Errors,
                Reply::Object(Vec::new()),
            ])
        };
        if has(0) {
            let fields = [
                place("n", Reply::Count),
                place("rows", Reply::Rows),
                place("p", Reply::Array(vec![Reply::Page, Reply::PerPage])),
            ];
            replies.list = if which & 1 << 8 == 0 { Reply::Rows } else { Reply::Object(fields.into()) };
            self.set(0);
        }
        if has(1) {
            replies.create = if which & 1 << 9 == 0 { row(shown) } else { Reply::Text("made".into()) };
            self.set(1);
        }
        if has(2) {
            replies.update = row(shown);
            self.set(2);
        }
        if has(3) {
            replies.delete = Reply::Object(vec![text("gone", "@x"), place("n", Reply::Number(1))]);
            self.set(3);
        }
        if has(4) {
            replies.not_found = Reply::Array(vec![Reply::Number(404)]);
            self.set(4);
        }
        if has(5) {
            (replies.missing, replies.invalid) = (refusal("missing"), refusal("invalid"));
            self.set(5);
            self.set(6);
        }
        if has(6) {
            replies.conflict = refusal("conflict");
            self.set(7);
        }
        self.replies = replies;
    }

    fn set(&mut self, reply: usize) {
        self.written |= 1 << reply;
    }

    pub(crate) fn write_replies(&self, out: &mut String) {
        if self.written == 0 {
            return;
        }
        writeln!(out, "[tables.{}.replies]", self.name).expect("into a string");
        for (at, (name, reply)) in NAMES.iter().zip(self.replies.each()).enumerate() {
            if self.written >> at & 1 == 1 {
                writeln!(out, "{name} = {}", self.toml_of(reply)).expect("into a string");
            }
        }
    }

    fn toml_of(&self, reply: &Reply) -> String {
        match reply {
            Reply::Row => "\"@row\"".to_owned(),
            Reply::Cell(column) => format!("\"@row.{}\"", self.columns[*column].name),
            Reply::Rows => "\"@rows\"".to_owned(),
            Reply::Total => "\"@total\"".to_owned(),
            Reply::Count => "\"@count\"".to_owned(),
            Reply::Page => "\"@page\"".to_owned(),
            Reply::PerPage => "\"@per_page\"".to_owned(),
            Reply::Errors => "\"@errors\"".to_owned(),
            Reply::Text(text) if text.starts_with('@') => toml_string(&format!("@{text}")),
            Reply::Text(text) => toml_string(text),
            Reply::Number(number) => number.to_string(),
            Reply::Object(fields) => {
                let fields = fields
                    .iter()
                    .map(|(name, reply)| format!("{} = {}", toml_string(name), self.toml_of(reply)));
                format!("{{ {} }}", fields.collect::<Vec<_>>().join(", "))
            }
            Reply::Array(items) => {
                format!("[{}]", items.iter().map(|item| self.toml_of(item)).collect::<Vec<_>>().join(", "))
            }
        }
    }

    /// A row as answers show it.
    pub(crate) fn shown(&self, row: &[Cell]) -> String {
        let columns = self.columns.iter().zip(row).filter(|(column, _)| !column.hidden);
        let fields =
            columns.map(|(column, cell)| format!("{}:{}", string(&column.name), column.kind.show(cell)));
        format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
    }

    /// A reply with its places filled.
    pub(crate) fn render(&self, reply: &Reply, filling: &Filling<'_>) -> String {
        match reply {
            Reply::Row => filling.row.map_or("null".to_owned(), |row| self.shown(row)),
            Reply::Cell(column) => {
                let kind = self.columns[*column].kind;
                filling.row.map_or("null".to_owned(), |row| kind.show(&row[*column]))
            }
            Reply::Rows => {
                format!("[{}]", filling.rows.iter().map(|row| self.shown(row)).collect::<Vec<_>>().join(","))
            }
            Reply::Total => filling.total.to_string(),
            Reply::Count => filling.rows.len().to_string(),
            Reply::Page => filling.page.to_string(),
            Reply::PerPage => filling.per_page.to_string(),
            Reply::Errors => filling.errors.to_owned(),
            Reply::Text(text) => string(text),
            Reply::Number(number) => number.to_string(),
            Reply::Object(fields) => {
                let fields = fields
                    .iter()
                    .map(|(name, reply)| format!("{}:{}", string(name), self.render(reply, filling)));
                format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
            }
            Reply::Array(items) => {
                format!(
                    "[{}]",
                    items.iter().map(|item| self.render(item, filling)).collect::<Vec<_>>().join(",")
                )
            }
        }
    }
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Filling<'a> {
    pub(crate) row: Option<&'a [Cell]>,
    pub(crate) rows: &'a [&'a [Cell]],
    pub(crate) total: usize,
    pub(crate) page: u64,
    pub(crate) per_page: usize,
    pub(crate) errors: &'a str,
}
