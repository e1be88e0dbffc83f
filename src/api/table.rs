//! A table made ready for serving: its statements, templates and rules. What its operations do stands in `read` and
//! `write`.

use crate::config::plan::{self, ColumnIndex, Generated, Total};
use ringmill_sqlite::Value;
use std::sync::Arc;

use super::check_columns::{self, CheckColumn};
use super::convert::Rule;
use super::exchange::{Answer, Asked};
use super::faults::Faults;
use super::key_room::{KeyRoom, segment_of};
use super::names::Names;
use super::percent;
use super::refuse::{self, Blame};
use super::router::{self, Found, Segment};
use super::sql;
use super::template::{Filling, RowShape, Template};
use super::words;

#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) sql_name: String,
    pub(super) columns: Vec<Column>,
    pub(super) names: Names,
    /// What answers show.
    pub(super) shape: RowShape,
    /// The key's columns and where the item's path has them.
    pub(super) key: Vec<KeyColumn>,
    pub(super) page: plan::Page,
    /// What an INSERT names, in its order.
    pub(super) inserted: Vec<(ColumnIndex, Source)>,
    /// What an UPDATE may set, in its order.
    pub(super) updated: Vec<ColumnIndex>,
    /// What an UPDATE sets to the time, in its order.
    pub(super) touched: Vec<ColumnIndex>,
    /// The rest: what a client may repeat but not change.
    pub(super) fixed: Vec<ColumnIndex>,
    pub(super) statements: Statements,
    pub(super) templates: Templates,
    /// The item's path and where a created row has its key's cells.
    pub(super) location: Option<Vec<LocationPart>>,
    /// `None`: no path leads to a row.
    pub(super) key_room: Option<KeyRoom>,
    /// Where a created row has its key's cells; `None`: it does not have them.
    pub(super) created_key: Option<Vec<usize>>,
    /// Whether two keys that the database takes for equal are the same values.
    pub(super) has_exact_key: bool,
    /// Of the CHECKs that the database has.
    pub(super) checks: Vec<CheckColumn>,
}

#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) rule: Rule,
    pub(super) hidden: bool,
    /// Whether a client may give it for a new row.
    pub(super) settable: bool,
    /// Whether it refers to another row.
    pub(super) refers: bool,
    /// Whether rows refer to it.
    pub(super) is_referred: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct KeyColumn {
    pub(super) column: ColumnIndex,
    /// Among the path's parameters.
    pub(super) position: Option<usize>,
}

/// Where an INSERT takes a column's value from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The client, else the column's default, else NULL.
    Client,
    /// The column's default.
    Default,
    Now,
    Random,
}

#[derive(Clone, Debug)]
pub(super) struct Statements {
    pub(super) list: Arc<str>,
    /// `None`: no total is answered.
    pub(super) count: Option<Arc<str>>,
    pub(super) get: Arc<str>,
    pub(super) insert: Arc<str>,
    pub(super) update: Arc<str>,
    /// An UPDATE that also compares what may not be changed.
    pub(super) update_guarded: Arc<str>,
    /// The shown columns, then the fixed ones.
    pub(super) get_guarded: Arc<str>,
    pub(super) delete: Arc<str>,
}

#[derive(Clone, Debug)]
pub(super) struct Templates {
    pub(super) list: Template,
    pub(super) get: Template,
    pub(super) create: Template,
    pub(super) update: Template,
    pub(super) delete: Template,
    pub(super) not_found: Template,
    pub(super) missing: Template,
    pub(super) invalid: Template,
    pub(super) conflict: Template,
}

#[derive(Clone, Debug)]
pub(super) enum LocationPart {
    Text(String),
    /// Of the row that the INSERT returned.
    Cell(usize, plan::Type),
}

impl Table {
    /// `own` is its number in the plan; no target of a request is longer than `target_bytes_max`.
    pub(super) fn new(own: usize, tables: &[plan::Table], target_bytes_max: usize) -> Table {
        let table = &tables[own];
        let references =
            || tables.iter().flat_map(|table| &table.columns).filter_map(|one| one.references.as_ref());
        let column = |(index, column): (usize, &plan::Column)| Column {
            is_referred: references().any(|one| one.table == own && one.column == index),
            ..Column::new(column, table.key.contains(&index))
        };
        let columns: Vec<Column> = table.columns.iter().enumerate().map(column).collect();
        let indices = |keep: &dyn Fn(ColumnIndex) -> bool| -> Vec<ColumnIndex> {
            (0..columns.len()).filter(|index| keep(*index)).collect()
        };
        let visible = indices(&|index| !columns[index].hidden);
        let shape = RowShape::new(
            visible.iter().map(|index| (columns[*index].name.clone(), Some(columns[*index].rule.kind))),
        );
        let updated = indices(&|index| columns[index].settable && !table.key.contains(&index));
        let fixed = indices(&|index| !updated.contains(&index));
        let inserted = inserted(table);
        let templates = Templates::new(&table.replies, &shape);
        let parameters = table.item.as_deref().map(router::parameter_names).unwrap_or_default();
        let key = table.key.iter().map(|column| KeyColumn {
            column: *column,
            position: parameters.iter().position(|name| *name == table.columns[*column].name),
        });

        // A created row also brings the key's cells, for its Location.
        let mut created = visible.clone();
        created.extend(table.key.iter().filter(|column| !visible.contains(column)));
        let location = table.item.as_deref().filter(|_| table.access.get);
        let location = location.and_then(|item| location_parts(item, table, &created));
        // Whoever has kept that there is no such row has to be told which.
        let created_needed =
            location.is_some() || templates.create.needs_row() || table.cache.is_some() && table.access.get;
        let created_key = created_needed.then(|| {
            let cell = |column: &ColumnIndex| created.iter().position(|known| known == column);
            table.key.iter().filter_map(cell).collect()
        });

        let shown = |template: &Template| template.needs_row().then_some(&visible[..]);
        let set: Vec<_> = inserted.iter().map(|(column, _)| *column).collect();
        let mut guarded = visible.clone();
        guarded.extend(&fixed);
        let statements = Statements {
            list: sql::list(table, &visible).into(),
            count: (table.page.total == Total::Exact).then(|| sql::count(table).into()),
            get: sql::get(table, &visible).into(),
            insert: sql::insert(table, &set, created_needed.then_some(&created[..])).into(),
            update: sql::update(own, table, &updated, &[], shown(&templates.update)).into(),
            update_guarded: sql::update(own, table, &updated, &fixed, shown(&templates.update)).into(),
            get_guarded: sql::get(table, &guarded).into(),
            delete: sql::delete(table, shown(&templates.delete)).into(),
        };
        Table {
            sql_name: table.sql_name.clone(),
            shape,
            key: key.collect(),
            page: table.page,
            inserted,
            updated,
            touched: sql::on_write(table).collect(),
            names: Names::new(columns.iter().enumerate().map(|(index, column)| (column.name.clone(), index))),
            fixed,
            statements,
            templates,
            location,
            created_key,
            has_exact_key: false,
            key_room: KeyRoom::of(table, target_bytes_max),
            checks: Vec::new(),
            columns,
        }
    }

    /// The key in the path; `None` if a part of it is no value of its column, so that no row has it.
    pub(super) fn key_of(&self, found: &Found<'_>) -> Option<Vec<Value>> {
        let value = |key: &KeyColumn| {
            let text = found.parameters.get(key.position?)?.as_deref()?;
            self.columns[key.column].rule.value_of_key(text).ok()
        };
        self.key.iter().map(value).collect()
    }

    /// These columns, as the database calls them, refer to another row.
    pub(super) fn refers_by(&mut self, names: &[String]) {
        for index in names.iter().filter_map(|name| self.stored_column(name)).collect::<Vec<_>>() {
            self.columns[index].refers = true;
        }
    }

    /// Rows refer to these columns; to the key if there are none.
    pub(super) fn is_referred_by(&mut self, names: &[String]) {
        let mut columns: Vec<_> = names.iter().filter_map(|name| self.stored_column(name)).collect();
        if names.is_empty() {
            columns.extend(self.key.iter().map(|key| key.column));
        }
        columns.into_iter().for_each(|index| self.columns[index].is_referred = true);
    }

    pub(super) fn not_found(&self) -> Answer {
        self.render(404, &self.templates.not_found, &Filling::default())
    }

    pub(super) fn conflict(&self, faults: &Faults) -> Answer {
        self.render(409, &self.templates.conflict, &Filling { faults: Some(faults), ..Filling::default() })
    }

    /// Faults of what was sent. When something is missing that is said, whatever else is wrong beside it.
    pub(super) fn invalid(&self, faults: &Faults) -> Answer {
        let template = if faults.is_missing() { &self.templates.missing } else { &self.templates.invalid };
        self.render(400, template, &Filling { faults: Some(faults), ..Filling::default() })
    }

    pub(super) fn render(&self, status: u16, template: &Template, filling: &Filling<'_>) -> Answer {
        let mut body = Vec::new();
        template.write(&mut body, &self.shape, filling);
        Answer::json(status, body)
    }

    /// A constraint that refused a row.
    pub(super) fn blame(&self, blame: Blame, asked: &Asked) -> Answer {
        let cause = blame.cause();
        let mut faults = Faults::default();
        let answer = match blame {
            Blame::Taken { columns } => {
                let taken = columns.iter().filter_map(|column| self.own_column(column)).collect();
                add_all(self, &mut faults, &self.changeable(asked, taken), words::TAKEN);
                self.conflict(&faults)
            }
            Blame::Reference => self.blame_reference(asked, &mut faults),
            // What a DELETE is refused for stands in other rows than its own.
            Blame::Missing { .. } | Blame::Constraint { .. } if matches!(asked, Asked::Delete { .. }) => {
                self.invalid(&faults)
            }
            Blame::Missing { column } => {
                let missing: Vec<_> = self.own_column(&column).into_iter().collect();
                add_all(self, &mut faults, &missing, words::REQUIRED);
                self.invalid(&faults)
            }
            Blame::Constraint { detail } => {
                let name = check_columns::column(&self.checks, refuse::constraint_name(&detail));
                let named: Vec<_> = self.stored_column(name).into_iter().collect();
                add_all(self, &mut faults, &named, words::NOT_ALLOWED);
                self.invalid(&faults)
            }
            Blame::Raised { text } => {
                faults = refuse::raised(&text);
                self.invalid(&faults)
            }
            // By an index or a trigger of the database's own, on an expression that this value makes no sense to.
            Blame::Value { .. } | Blame::ValueTooLarge => self.invalid(&faults),
            // It stood in the row: what was sent is text.
            Blame::NotText { .. } => return refuse::internal(cause),
        };
        answer.refused_for(cause, &faults)
    }

    /// Which reference it is the database does not say.
    fn blame_reference(&self, asked: &Asked, faults: &mut Faults) -> Answer {
        match asked {
            Asked::Create { linked } | Asked::Update { linked, .. } if !linked.referring.is_empty() => {
                add_all(self, faults, &linked.referring, words::NO_SUCH_ROW);
                self.invalid(faults)
            }
            // Of a trigger's or the schema's making.
            Asked::Create { .. } => self.invalid(faults),
            Asked::Update { linked, .. } if linked.referred.is_empty() => self.invalid(faults),
            Asked::Update { linked, .. } => {
                add_all(self, faults, &linked.referred, words::REFERRED_TO);
                refuse::plain(409, words::CONFLICT, faults)
            }
            _ => {
                let key: Vec<_> = self.key.iter().map(|key| key.column).collect();
                add_all(self, faults, &key, words::REFERRED_TO);
                refuse::plain(409, words::CONFLICT, faults)
            }
        }
    }

    /// Of these columns those that a client could give otherwise; all, if there is none.
    fn changeable(&self, asked: &Asked, columns: Vec<ColumnIndex>) -> Vec<ColumnIndex> {
        let is_changeable = |column: &ColumnIndex| match asked {
            Asked::Update { .. } => self.updated.contains(column),
            _ => self.columns[*column].settable,
        };
        let some: Vec<_> = columns.iter().copied().filter(is_changeable).collect();
        if some.is_empty() { columns } else { some }
    }

    /// The column of `table.column`, as the database writes it, if the table is this one.
    fn own_column(&self, column: &str) -> Option<ColumnIndex> {
        let (table, name) = column.split_at_checked(self.sql_name.len())?;
        let name = name.strip_prefix('.').filter(|_| table.eq_ignore_ascii_case(&self.sql_name))?;
        self.stored_column(name)
    }

    /// The column that the database calls so: it does not tell capitals apart.
    fn stored_column(&self, name: &str) -> Option<ColumnIndex> {
        self.columns.iter().position(|column| column.name.eq_ignore_ascii_case(name))
    }

    /// The path of a row that an INSERT returned.
    pub(super) fn location_of(&self, row: &[Value]) -> Option<String> {
        let mut path = String::new();
        for part in self.location.as_ref()? {
            match part {
                LocationPart::Text(text) => path.push_str(text),
                LocationPart::Cell(index, kind) => {
                    percent::encode_segment(&mut path, &segment_of(*kind, row.get(*index)?));
                }
            }
        }
        Some(path)
    }
}

impl Column {
    fn new(column: &plan::Column, in_key: bool) -> Column {
        let settable = column.generated.is_none() && !column.read_only;
        let rule = Rule::new(&column.rules);
        Column {
            name: column.name.clone(),
            rule: if in_key && settable { rule.of_key() } else { rule },
            hidden: column.hidden,
            settable,
            refers: column.references.is_some(),
            is_referred: false,
        }
    }
}

impl Templates {
    fn new(replies: &plan::Replies, shape: &RowShape) -> Templates {
        let compile = |template: &plan::Template| Template::new(template, shape);
        Templates {
            list: compile(&replies.list),
            get: compile(&replies.get),
            create: compile(&replies.create),
            update: compile(&replies.update),
            delete: compile(&replies.delete),
            not_found: compile(&replies.not_found),
            missing: compile(&replies.missing),
            invalid: compile(&replies.invalid),
            conflict: compile(&replies.conflict),
        }
    }
}

fn add_all(table: &Table, faults: &mut Faults, columns: &[ColumnIndex], message: &'static str) {
    columns.iter().for_each(|column| faults.add(&table.columns[*column].name, message));
}

/// What is not named here is the schema's DEFAULT.
fn inserted(table: &plan::Table) -> Vec<(ColumnIndex, Source)> {
    let source = |index: ColumnIndex| {
        let column = &table.columns[index];
        match column.generated {
            None if !column.read_only => Some(Source::Client),
            None if column.rules.default.is_some() => Some(Source::Default),
            Some(Generated::OnCreate | Generated::OnWrite) => Some(Source::Now),
            Some(Generated::Uuid) => Some(Source::Random),
            None | Some(Generated::Identity) => None,
        }
    };
    (0..table.columns.len()).filter_map(|index| Some((index, source(index)?))).collect()
}

fn location_parts(item: &str, table: &plan::Table, row: &[ColumnIndex]) -> Option<Vec<LocationPart>> {
    let mut parts = Vec::new();
    for segment in router::segments(item) {
        let mut text = String::from("/");
        match segment {
            Segment::Literal(literal) => {
                percent::encode_segment(&mut text, &literal);
                parts.push(LocationPart::Text(text));
            }
            Segment::Parameter(name) => {
                let cell = row.iter().position(|column| table.columns[*column].name == name)?;
                parts.push(LocationPart::Text(text));
                parts.push(LocationPart::Cell(cell, table.columns[row[cell]].rules.kind));
            }
        }
    }
    Some(parts)
}
