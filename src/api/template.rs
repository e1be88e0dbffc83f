//! Reply templates, compiled once into literal pieces and places, so that rendering only appends.

use crate::config::plan::{self, Type};
use ringmill_sqlite::{Rows, Value};

use super::faults::Faults;
use super::render::{escape, write_integer, write_null, write_value};

/// A row as JSON: the bytes before each cell, and the cell's type.
#[derive(Clone, Debug)]
pub(super) struct RowShape {
    names: Vec<String>,
    kinds: Vec<Option<Type>>,
    /// `{"id":`, `,"name":` …
    openings: Vec<Box<[u8]>>,
}

impl RowShape {
    pub(super) fn new(columns: impl IntoIterator<Item = (String, Option<Type>)>) -> RowShape {
        let (names, kinds): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
        let openings = names
            .iter()
            .enumerate()
            .map(|(index, name)| {
                let mut opening = vec![if index == 0 { b'{' } else { b',' }];
                escape(&mut opening, name);
                opening.push(b':');
                opening.into_boxed_slice()
            })
            .collect();
        RowShape { names, kinds, openings }
    }

    /// How many cells it shows.
    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    pub(super) fn first_kind(&self) -> Option<Type> {
        self.kinds.first().copied().flatten()
    }

    pub(super) fn position(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|known| known == name)
    }

    /// Appends the row; cells beyond the shape are not shown.
    pub(super) fn write(&self, out: &mut Vec<u8>, row: &[Value]) {
        if self.openings.is_empty() {
            out.push(b'{');
        }
        for ((opening, kind), value) in self.openings.iter().zip(&self.kinds).zip(row) {
            out.extend_from_slice(opening);
            write_value(out, *kind, value);
        }
        out.push(b'}');
    }

    pub(super) fn write_all(&self, out: &mut Vec<u8>, rows: &Rows) {
        out.push(b'[');
        for (index, row) in each_row(rows).enumerate() {
            if index > 0 {
                out.push(b',');
            }
            self.write(out, row);
        }
        out.push(b']');
    }
}

/// The rows of a result one by one.
pub(super) fn each_row(rows: &Rows) -> std::slice::ChunksExact<'_, Value> {
    rows.cells.chunks_exact(rows.columns.max(1))
}

/// What a template's places are filled with; a place without a filling is `null`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Filling<'a> {
    pub(super) row: Option<&'a [Value]>,
    pub(super) rows: Option<&'a Rows>,
    pub(super) total: Option<i64>,
    pub(super) page: Option<i64>,
    pub(super) per_page: Option<i64>,
    pub(super) faults: Option<&'a Faults>,
    /// In the order of the shape that the template was made with.
    pub(super) parameters: &'a [Value],
}

/// A compiled template.
#[derive(Clone, Debug)]
pub(super) struct Template {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug)]
enum Piece {
    Bytes(Vec<u8>),
    Row,
    Cell(usize),
    Parameter(usize, Option<Type>),
    Rows,
    Total,
    Count,
    Page,
    PerPage,
    Errors,
}

impl Template {
    pub(super) fn new(template: &plan::Template, shape: &RowShape) -> Template {
        Template::with_parameters(template, shape, &RowShape::new([]))
    }

    /// Of an endpoint, whose parameters are like a row.
    pub(super) fn with_parameters(
        template: &plan::Template,
        shape: &RowShape,
        parameters: &RowShape,
    ) -> Template {
        let mut compiled = Template { pieces: Vec::new() };
        compiled.add(template, shape, parameters);
        compiled
    }

    /// Whether it shows something of the row.
    pub(super) fn needs_row(&self) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::Row | Piece::Cell(_) | Piece::Rows))
    }

    /// Appends the document.
    pub(super) fn write(&self, out: &mut Vec<u8>, shape: &RowShape, filling: &Filling<'_>) {
        for piece in &self.pieces {
            match piece {
                Piece::Bytes(bytes) => out.extend_from_slice(bytes),
                Piece::Row => match filling.row {
                    Some(row) => shape.write(out, row),
                    None => write_null(out),
                },
                Piece::Cell(index) => match filling.row.and_then(|row| row.get(*index)) {
                    Some(value) => write_value(out, shape.kinds[*index], value),
                    None => write_null(out),
                },
                Piece::Parameter(index, kind) => {
                    write_value(out, *kind, filling.parameters.get(*index).unwrap_or(&Value::Null));
                }
                Piece::Rows => match filling.rows {
                    Some(rows) => shape.write_all(out, rows),
                    None => write_null(out),
                },
                Piece::Count => {
                    write_place(
                        out,
                        filling.rows.map(|rows| each_row(rows).len().try_into().unwrap_or(i64::MAX)),
                    );
                }
                Piece::Total => write_place(out, filling.total),
                Piece::Page => write_place(out, filling.page),
                Piece::PerPage => write_place(out, filling.per_page),
                Piece::Errors => match filling.faults {
                    Some(faults) => faults.write(out),
                    None => out.extend_from_slice(b"{}"),
                },
            }
        }
    }

    fn add(&mut self, template: &plan::Template, shape: &RowShape, parameters: &RowShape) {
        match template {
            plan::Template::Row => self.pieces.push(Piece::Row),
            plan::Template::RowColumn(name) => match shape.position(name) {
                Some(index) => self.pieces.push(Piece::Cell(index)),
                None => self.add_bytes(b"null"),
            },
            plan::Template::Parameter(name) => match parameters.position(name) {
                Some(index) => self.pieces.push(Piece::Parameter(index, parameters.kinds[index])),
                None => self.add_bytes(b"null"),
            },
            plan::Template::Rows => self.pieces.push(Piece::Rows),
            plan::Template::Total => self.pieces.push(Piece::Total),
            plan::Template::Count => self.pieces.push(Piece::Count),
            plan::Template::Page => self.pieces.push(Piece::Page),
            plan::Template::PerPage => self.pieces.push(Piece::PerPage),
            plan::Template::Errors => self.pieces.push(Piece::Errors),
            plan::Template::Literal(value) => self.add_bytes(value.to_string().as_bytes()),
            plan::Template::Object(fields) => {
                self.add_bytes(b"{");
                for (index, (name, template)) in fields.iter().enumerate() {
                    let mut opening = if index == 0 { Vec::new() } else { vec![b','] };
                    escape(&mut opening, name);
                    opening.push(b':');
                    self.add_bytes(&opening);
                    self.add(template, shape, parameters);
                }
                self.add_bytes(b"}");
            }
            plan::Template::Array(items) => {
                self.add_bytes(b"[");
                for (index, template) in items.iter().enumerate() {
                    if index > 0 {
                        self.add_bytes(b",");
                    }
                    self.add(template, shape, parameters);
                }
                self.add_bytes(b"]");
            }
        }
    }

    fn add_bytes(&mut self, bytes: &[u8]) {
        if let Some(Piece::Bytes(last)) = self.pieces.last_mut() {
            last.extend_from_slice(bytes);
        } else {
            self.pieces.push(Piece::Bytes(bytes.to_vec()));
        }
    }
}

fn write_place(out: &mut Vec<u8>, number: Option<i64>) {
    match number {
        Some(number) => write_integer(out, number),
        None => write_null(out),
    }
}
