//! Drawn files: tables with columns, rules, keys, references and replies, as the model has them and as TOML.

use crate::column::{add_rules, toml_string};
use crate::value::{Cell, Decimal, Input, KEY_KINDS, KINDS, Kind};
use proptest::prelude::*;
use std::fmt::Write;

/// What a column is made of. Numbers without structure: each of them can be lowered alone, and 0 is the simplest.
pub(crate) type ColumnDraw = [u16; 10];

#[derive(Clone, Debug)]
pub(crate) struct TableDraw {
    columns: Vec<ColumnDraw>,
    choices: [u16; 12],
    indexes: Vec<[u16; 4]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Generated {
    Identity,
    Uuid,
    OnCreate,
    OnWrite,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnDelete {
    NoAction,
    Restrict,
    Cascade,
    SetNull,
}

#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) required: bool,
    pub(crate) unique: bool,
    pub(crate) hidden: bool,
    pub(crate) read_only: bool,
    pub(crate) generated: Option<Generated>,
    /// Table, column, and what becomes of this row when the other one goes.
    pub(crate) reference: Option<(usize, usize, OnDelete)>,
    pub(crate) lengths: (Option<usize>, Option<usize>),
    pub(crate) is_email: bool,
    pub(crate) bounds: (Option<Decimal>, Option<Decimal>),
    pub(crate) choices: Option<Vec<Input>>,
    pub(crate) default: Option<Input>,
}

/// A reply, with places.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    Row,
    /// Of a column.
    Cell(usize),
    Rows,
    Total,
    Count,
    Page,
    PerPage,
    Errors,
    Text(String),
    Number(i64),
    Object(Vec<(String, Reply)>),
    Array(Vec<Reply>),
}

#[derive(Clone, Debug)]
pub(crate) struct Replies {
    pub(crate) list: Reply,
    pub(crate) create: Reply,
    pub(crate) update: Reply,
    pub(crate) delete: Reply,
    pub(crate) not_found: Reply,
    pub(crate) missing: Reply,
    pub(crate) invalid: Reply,
    pub(crate) conflict: Reply,
}

#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) name: String,
    pub(crate) sql_name: String,
    pub(crate) columns: Vec<Column>,
    pub(crate) key: Vec<usize>,
    pub(crate) has_list: bool,
    pub(crate) has_item: bool,
    /// The item's parameters come in the opposite order.
    item_reversed: bool,
    /// List, get, create, update, delete; `None`: all.
    access: Option<[bool; 5]>,
    /// Columns, and whether downwards; `None`: by the key.
    pub(crate) order: Option<Vec<(usize, bool)>>,
    pub(crate) page: (usize, usize),
    pub(crate) has_total: bool,
    pub(crate) uniques: Vec<Vec<usize>>,
    plain_indexes: Vec<(Vec<usize>, bool)>,
    pub(crate) replies: Replies,
    /// Which replies are written out.
    pub(crate) written: u16,
}

#[derive(Clone, Debug)]
pub(crate) struct File {
    pub(crate) tables: Vec<Table>,
}

/// Files in which time and chance are seen, or not: over sockets nobody knows the server's.
pub(crate) fn file(columns_max: usize, is_predictable: bool) -> impl Strategy<Value = File> {
    let column = prop::array::uniform10(any::<u16>());
    let table = (
        prop::collection::vec(column, 1..=columns_max),
        prop::array::uniform12(any::<u16>()),
        prop::collection::vec(prop::array::uniform4(any::<u16>()), 0..3),
    );
    let table = table.prop_map(|(columns, choices, indexes)| TableDraw { columns, choices, indexes });
    prop::collection::vec(table, 1..=4).prop_map(move |tables| File::new(&tables, is_predictable))
}

impl File {
    fn new(draws: &[TableDraw], is_predictable: bool) -> File {
        let mut tables: Vec<Table> =
            draws.iter().enumerate().map(|(index, draw)| table(index, draw, is_predictable)).collect();
        for (index, draw) in draws.iter().enumerate() {
            for column in 0..tables[index].columns.len() {
                refer(&mut tables, index, column, draw.columns.get(column).map_or(0, |draw| draw[8]));
            }
        }
        for (table, draw) in tables.iter_mut().zip(draws) {
            settle(table, draw);
        }
        File { tables }
    }

    pub(crate) fn toml(&self) -> String {
        let mut out = String::from("format = 1\n");
        for (index, table) in self.tables.iter().enumerate() {
            table.write(&mut out, &self.tables);
            let columns: Vec<_> =
                table.columns.iter().map(|column| format!("\\\"{}\\\"", column.name)).collect();
            let key: Vec<_> = table.key.iter().map(|key| columns[*key].clone()).collect();
            let from = format!("\\\"{}\\\"", table.sql_name.replace('"', "\\\"\\\""));
            let (columns, key) = (columns.join(", "), key.join(", "));
            let sql = format!("SELECT {columns} FROM {from} ORDER BY {key}");
            writeln!(out, "[endpoints.dump{index}]\npath = \"/dump/{index}\"\nsql = \"{sql}\"\n")
                .expect("into a string");
        }
        out
    }
}

fn table(index: usize, draw: &TableDraw, is_predictable: bool) -> Table {
    let choices = &draw.choices;
    let mut columns: Vec<Column> =
        draw.columns.iter().enumerate().map(|(at, draw)| column(at, *draw)).collect();
    // One identity or a key of one or two columns.
    let mut key = vec![0];
    if choices[0] % 3 == 2 && columns.len() > 1 {
        key = vec![usize::from(choices[1]) % columns.len(), 0];
        key.dedup();
    }
    for at in &key {
        let column = &mut columns[*at];
        if !KINDS[..KEY_KINDS].contains(&column.kind) {
            column.kind = Kind::Text;
        }
    }
    if choices[0].is_multiple_of(3) {
        columns[0].generated = Some(Generated::Identity);
        if !columns[0].kind.is_integer() {
            columns[0].kind = Kind::BigInt;
        }
    }
    let mut has_uuid = false;
    for (at, column) in columns.iter_mut().enumerate() {
        let rolled = draw.columns[at][7] % 8;
        let in_key = key.contains(&at);
        column.generated = match (column.kind, rolled) {
            _ if column.generated.is_some() => column.generated,
            _ if is_predictable => None,
            (Kind::Uuid, 1..4) if !has_uuid => Some(Generated::Uuid),
            (Kind::Text, 1) if !has_uuid => Some(Generated::Uuid),
            (Kind::Timestamp, 1..4) if !in_key => Some(Generated::OnCreate),
            (Kind::Timestamp, 4..7) if !in_key => Some(Generated::OnWrite),
            _ => None,
        };
        has_uuid |= column.generated == Some(Generated::Uuid);
        if column.generated.is_some() {
            column.required = false;
            column.read_only = false;
            column.unique &= column.generated == Some(Generated::Uuid);
        }
        if in_key {
            column.read_only = false;
        }
    }
    let sql_name =
        ["", "Some table", "it's \"quoted\"", "ü$1"][usize::from(choices[2] % 16).saturating_sub(12)];
    Table {
        name: format!("t{index}"),
        sql_name: if sql_name.is_empty() { format!("t{index}") } else { format!("{sql_name}{index}") },
        columns,
        key,
        has_list: choices[3] % 16 != 15,
        has_item: choices[4] % 16 != 15,
        item_reversed: choices[4] % 2 == 1,
        access: (choices[5] % 8 == 7).then(|| [0, 1, 2, 3, 4].map(|bit| choices[6] >> bit & 1 == 1)),
        order: None,
        page: (1 + usize::from(choices[7] % 5), 5 + usize::from(choices[7] / 5 % 3)),
        has_total: choices[8] % 4 != 3,
        uniques: Vec::new(),
        plain_indexes: Vec::new(),
        replies: Replies::default(index, "t", true),
        written: 0,
    }
}

/// Type and plain rules; what depends on the table comes later.
fn column(at: usize, draw: ColumnDraw) -> Column {
    let is = |index: usize, of: u16| draw[index] % of == of - 1;
    Column {
        name: format!("{}{at}", ["c", "Col_", "select", "_x"][usize::from(draw[9] % 4)]),
        kind: KINDS[usize::from(draw[0]) % KINDS.len()],
        required: is(1, 3),
        unique: is(2, 5),
        hidden: is(3, 5),
        read_only: is(4, 9),
        generated: None,
        reference: None,
        lengths: (None, None),
        is_email: false,
        bounds: (None, None),
        choices: None,
        default: None,
    }
}

/// Makes a column refer to a key or a unique column, if one is there.
fn refer(tables: &mut [Table], table: usize, column: usize, choice: u16) {
    if !choice.is_multiple_of(4) || choice == 0 || tables[table].columns[column].generated.is_some() {
        return;
    }
    let in_key = tables[table].key.contains(&column);
    let mut targets = Vec::new();
    for (index, other) in tables.iter().enumerate() {
        for (at, target) in other.columns.iter().enumerate() {
            let names_one = other.key == [at] || target.unique;
            let may_change = index == table && at == column;
            if names_one
                && !may_change
                && target.reference.is_none()
                && (!in_key || KINDS[..KEY_KINDS].contains(&target.kind))
            {
                targets.push((index, at, target.kind));
            }
        }
    }
    // A column that others may refer to keeps its type.
    let own = &tables[table];
    let is_referred_to = tables
        .iter()
        .flat_map(|other| &other.columns)
        .any(|other| other.reference.is_some_and(|(to, at, _)| (to, at) == (table, column)));
    if targets.is_empty() || is_referred_to || own.key == [column] {
        return;
    }
    let (to, at, kind) = targets[usize::from(choice / 4) % targets.len()];
    let has_on_write = own.columns.iter().any(|column| column.generated == Some(Generated::OnWrite));
    let column = &mut tables[table].columns[column];
    let on_delete = match choice / 64 % 4 {
        0 => OnDelete::NoAction,
        1 => OnDelete::Restrict,
        2 => OnDelete::Cascade,
        // What the database does by itself is stamped with its own clock, which nobody knows.
        _ if column.required || in_key || has_on_write => OnDelete::Cascade,
        _ => OnDelete::SetNull,
    };
    column.kind = kind;
    column.read_only = false;
    column.reference = Some((to, at, on_delete));
}

/// Rules, defaults, order, indexes and replies, once types are settled.
fn settle(table: &mut Table, draw: &TableDraw) {
    let key = table.key.clone();
    for (at, (column, draw)) in table.columns.iter_mut().zip(&draw.columns).enumerate() {
        if column.generated.is_none() && column.reference.is_none() {
            add_rules(column, draw[5], draw[6]);
        }
        // Texts that no path leads to are a fault of the file.
        let is_reachable = |choice: &Input| !matches!(&choice.outcome, Ok(Cell::Text(text)) if matches!(text.as_str(), "" | "." | ".."));
        if key.contains(&at)
            && let Some(choices) = &mut column.choices
        {
            choices.retain(is_reachable);
            if choices.is_empty() {
                column.choices = None;
            }
        }
        if column.generated.is_none() && draw[7] % 5 == 4 && column.reference.is_none() {
            let choices = column.choices.as_ref();
            let default = match choices {
                Some(choices) => choices[usize::from(draw[6]) % choices.len()].clone(),
                None => column.kind.input(u32::from(draw[6])),
            };
            column.default = Some(default).filter(|default| {
                column.broken_by(default, key.contains(&at)).is_empty() && column.toml_of(default).is_some()
            });
        }
        column.read_only &= !column.required || column.default.is_some();
    }
    let count = table.columns.len();
    let choices = &draw.choices;
    if choices[9] % 3 == 2 {
        let first = usize::from(choices[9] / 3) % count;
        let second = usize::from(choices[10]) % count;
        let mut order = vec![(first, choices[10] % 2 == 1)];
        if second != first {
            order.push((second, choices[10] % 3 == 1));
        }
        table.order = Some(order);
    }
    if table.columns[table.key[0]].generated != Some(Generated::Identity) {
        table.uniques.push(table.key.clone());
    }
    table.uniques.extend((0..count).filter(|at| table.columns[*at].unique).map(|at| vec![at]));
    for index in &draw.indexes {
        let (first, second) = (usize::from(index[0]) % count, usize::from(index[1]) % count);
        let columns = if first == second { vec![first] } else { vec![first, second] };
        let is_unique = index[2] % 4 == 3;
        if is_unique {
            table.uniques.push(columns.clone());
        }
        table.plain_indexes.push((columns, is_unique));
    }
    table.draw_replies(choices[11]);
}

impl Table {
    /// Which of list, get, create, update and delete are there.
    pub(crate) fn allows(&self, operation: usize) -> bool {
        let has_path = if matches!(operation, 0 | 2) { self.has_list } else { self.has_item };
        has_path && self.access.is_none_or(|access| access[operation])
    }

    pub(crate) fn list_path(&self) -> String {
        format!("/{}", self.name)
    }

    /// The key's columns in the order in which the item's path has them.
    pub(crate) fn item_order(&self) -> Vec<usize> {
        let mut order = self.key.clone();
        if self.item_reversed {
            order.reverse();
        }
        order
    }

    fn write(&self, out: &mut String, tables: &[Table]) {
        let mut line = |text: String| writeln!(out, "{text}").expect("into a string");
        let name = |column: &usize| toml_string(&self.columns[*column].name);
        let names = |columns: &[usize]| columns.iter().map(name).collect::<Vec<_>>().join(", ");
        line(format!("[tables.{}]", self.name));
        if self.sql_name != self.name {
            line(format!("table = {}", toml_string(&self.sql_name)));
        }
        line(format!("key = [{}]", names(&self.key)));
        if self.has_list {
            line(format!("list = \"{}\"", self.list_path()));
        }
        if self.has_item {
            let parameters =
                self.item_order().into_iter().map(|at| format!("/{{{}}}", self.columns[at].name));
            line(format!("item = \"/{}/one{}\"", self.name, parameters.collect::<String>()));
        }
        if let Some(order) = &self.order {
            let terms = order.iter().map(|(column, is_down)| {
                format!("\"{}{}\"", self.columns[*column].name, if *is_down { ".desc" } else { "" })
            });
            line(format!("order = [{}]", terms.collect::<Vec<_>>().join(", ")));
        }
        let total = if self.has_total { "exact" } else { "none" };
        line(format!("page = {{ default = {}, max = {}, total = \"{total}\" }}", self.page.0, self.page.1));
        if let Some(access) = self.access {
            let named = ["list", "get", "create", "update", "delete"].into_iter().enumerate();
            let named = named.filter(|(at, _)| access[*at] && self.allows(*at));
            let named: Vec<_> = named.map(|(_, name)| format!("{name} = \"public\"")).collect();
            line(format!("access = {{ {} }}", named.join(", ")));
        }
        let indexes = self.plain_indexes.iter().map(|(columns, is_unique)| {
            let columns = names(columns);
            if *is_unique {
                format!("{{ columns = [{columns}], unique = true }}")
            } else {
                format!("[{columns}]")
            }
        });
        line(format!("indexes = [{}]", indexes.collect::<Vec<_>>().join(", ")));
        line(format!("[tables.{}.columns]", self.name));
        for column in &self.columns {
            line(column.toml(tables));
        }
        self.write_replies(out);
    }
}
