//! SQL endpoints: parameters from path, query or body, one statement, a reply made of its rows; and `echo`.
//!
//! A parameter that the path has is taken from there. POST, PUT and PATCH take the others from a JSON body, and from the query
//! what the body leaves out; with neither body nor content type from the query alone. All other methods take the query.

use crate::config::plan::{self, Plan, Shape, Type};
use ringmill_http1::Method;
use ringmill_sqlite::{Class, Job, Rows, Statement, Value};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use super::body::Slots;
use super::check_columns::{self, CheckColumn};
use super::convert::Rule;
use super::exchange::{Answer, Asked, Request};
use super::faults::Faults;
use super::key_room::KeyRoom;
use super::names::Names;
use super::percent;
use super::read::Question;
use super::refuse::{self, Blame};
use super::render::{self, write_value};
use super::router::{self, Found};
use super::sql_text::{self, ResultColumn, Verb};
use super::template::{Filling, RowShape, Template, each_row};
use super::words::{self, Message};

#[derive(Clone, Debug)]
pub(super) struct SqlEndpoint {
    pub(super) statement: Arc<str>,
    pub(super) verb: Verb,
    parameters: Vec<Parameter>,
    /// Of those that a body or a query gives.
    names: Names,
    /// The parameter of each number in the statement.
    used: Vec<usize>,
    /// `None`: as long as any statement may run.
    timeout: Option<Duration>,
    shape: Shape,
    status: u16,
    /// `None`: the shape itself.
    reply: Option<Template>,
    /// `None`: what the columns are called is not known.
    row: Option<RowShape>,
    /// Of a statement that writes: parameters that may become a row's key, and what there is room for.
    keys: Vec<(Vec<usize>, KeyRoom)>,
    /// Whether the statement may break foreign keys that no parameter stands for.
    breaks_others: bool,
    /// Of the CHECKs that the tables which it writes have in the database.
    pub(super) checks: Vec<CheckColumn>,
}

#[derive(Clone, Debug)]
struct Parameter {
    name: String,
    rule: Rule,
    clamp: bool,
    /// Whether a row that it names may not exist.
    refers: bool,
    /// Among the path's parameters.
    position: Option<usize>,
}

impl Parameter {
    /// `None`: no value of its type and rules, so that no row has it.
    fn value_in_path(&self, found: &Found<'_>, position: usize) -> Option<Value> {
        let text = found.parameters.get(position)?.as_deref()?;
        self.rule.value_of_text(text).ok()
    }

    /// `None`: as if it had been left out.
    fn value_in_query(&self, text: &str) -> Option<Result<Value, Vec<Message>>> {
        match self.clamp {
            true => self.rule.clamped(text),
            false => Some(self.rule.value_of_text(text)),
        }
    }

    fn value_in_body(&self, raw: &str) -> Result<Value, Vec<Message>> {
        let clamped = if self.clamp { self.rule.clamped(raw) } else { None };
        clamped.unwrap_or_else(|| self.rule.value_of_json(raw))
    }
}

impl SqlEndpoint {
    /// `names` are the result's columns as the database calls them; without it they are read off the statement.
    pub(super) fn new(
        path: &str,
        endpoint: &plan::SqlEndpoint,
        plan: &Plan,
        names: Option<Vec<String>>,
    ) -> SqlEndpoint {
        let tables = &plan.tables;
        let in_path = router::parameter_names(path);
        let verb = sql_text::verb(&endpoint.sql);
        let rule = |parameter: &plan::Parameter| match Rule::new(&parameter.rules) {
            // It may become a row's key.
            rule if parameter.key_of.is_some() && verb == Verb::Write => rule.in_path(),
            rule => rule,
        };
        let parameters: Vec<_> = endpoint
            .parameters
            .iter()
            .map(|parameter| Parameter {
                name: parameter.name.clone(),
                rule: rule(parameter),
                clamp: parameter.clamp,
                refers: parameter
                    .column
                    .is_some_and(|(table, column)| tables[table].columns[column].references.is_some()),
                position: in_path.iter().position(|name| *name == parameter.name),
            })
            .collect();
        let given = parameters.iter().enumerate().filter(|(_, parameter)| parameter.position.is_none());
        let names_given = Names::new(given.map(|(index, parameter)| (parameter.name.clone(), index)));
        let parameter_names: Vec<_> = parameters.iter().map(|parameter| parameter.name.as_str()).collect();
        let (statement, used) = sql_text::numbered(&endpoint.sql, &parameter_names);
        let columns = columns(endpoint, tables, names);
        let row = columns
            .map(|columns| RowShape::new(columns.into_iter().map(|column| (column.name, column.kind))));
        let no_row = RowShape::new([]);
        let in_reply = parameters.iter().map(|known| (known.name.clone(), Some(known.rule.kind)));
        let in_reply = RowShape::new(in_reply);
        let reply = endpoint
            .reply
            .as_ref()
            .map(|reply| Template::with_parameters(reply, row.as_ref().unwrap_or(&no_row), &in_reply));
        SqlEndpoint {
            statement: statement.into(),
            verb,
            parameters,
            names: names_given,
            used,
            timeout: endpoint.timeout,
            shape: endpoint.shape,
            status: endpoint.status.unwrap_or(200),
            reply,
            row,
            keys: if verb == Verb::Write { keys(endpoint, plan) } else { Vec::new() },
            breaks_others: false,
            checks: Vec::new(),
        }
    }

    /// What is declared, or stands in the path, and is not in the statement.
    pub(super) fn unused_parameters(&self) -> impl Iterator<Item = &str> {
        let unused = self.parameters.iter().enumerate().filter(|(index, _)| !self.used.contains(index));
        unused.map(|(_, parameter)| parameter.name.as_str())
    }

    pub(super) fn begin(&self, found: &Found<'_>, request: &Request<'_>) -> Question {
        let slots = self.slots(request)?;
        let query = self.query_values(request.query);
        let mut faults = Faults::default();
        let mut values = Vec::with_capacity(self.parameters.len());
        for (index, parameter) in self.parameters.iter().enumerate() {
            if slots.is_twice(index) {
                faults.add(&parameter.name, words::TWICE);
            }
            let value = match parameter.position {
                Some(position) => {
                    Some(Ok(parameter.value_in_path(found, position).ok_or_else(refuse::not_found)?))
                }
                None => match (slots.given[index], &query[index]) {
                    (Some(raw), _) => Some(parameter.value_in_body(raw)),
                    (None, Some(Some(text))) => parameter.value_in_query(text),
                    (None, Some(None)) => Some(Err(vec![words::UNICODE.into()])),
                    (None, None) => None,
                },
            };
            let value = value.or_else(|| parameter.rule.default.clone().map(Ok));
            match value {
                None | Some(Ok(Value::Null)) if parameter.rule.required => {
                    faults.add_missing(&parameter.name);
                }
                None => values.push(Value::Null),
                Some(Ok(value)) => values.push(value),
                Some(Err(messages)) => {
                    messages.into_iter().for_each(|message| faults.add(&parameter.name, message));
                }
            }
        }
        faults.append(slots.into_unknown());
        if faults.is_empty() {
            self.check_keys(&values, &mut faults);
        }
        if !faults.is_empty() {
            return Err(invalid(&faults).into());
        }
        let class = self.class();
        let parameters = self.used.iter().map(|index| values[*index].clone()).collect();
        let statements = vec![Statement { sql: self.statement.clone(), parameters }];
        let result_columns = self.row.as_ref().map(RowShape::len);
        let job = Job { class, statements, statement_timeout: self.timeout, result_columns };
        Ok((job, Asked::Sql { parameters: values }))
    }

    /// The value of a parameter among those of a request.
    pub(super) fn parameter<'a>(&self, name: &str, values: &'a [Value]) -> Option<&'a Value> {
        values.get(self.parameters.iter().position(|parameter| parameter.name == name)?)
    }

    /// A column of the first row of the answer.
    pub(super) fn cell<'a>(&self, name: &str, results: &'a [Rows]) -> Option<&'a Value> {
        let rows = results.first()?;
        rows.cells.get(..rows.columns)?.get(self.row.as_ref()?.position(name)?)
    }

    /// Which parameters refer to a row, in the order of the file, and whether the statement may break foreign keys that none of
    /// them stands for.
    pub(super) fn refers_by(&mut self, refers: &[bool], breaks_others: bool) {
        for (parameter, refers) in self.parameters.iter_mut().zip(refers) {
            parameter.refers = *refers;
        }
        self.breaks_others = breaks_others;
    }

    fn check_keys(&self, values: &[Value], faults: &mut Faults) {
        for (indices, room) in &self.keys {
            let part = |index: &usize| Some((self.parameters[*index].rule.kind, &values[*index]));
            let parts: Vec<_> = indices.iter().map(part).collect();
            if let Some(longest) = room.too_long(&parts) {
                faults.add(&self.parameters[indices[longest]].name, words::TOO_LONG_FOR_PATH);
            }
        }
    }

    pub(super) fn class(&self) -> Class {
        match self.verb {
            Verb::Read => Class::Read,
            Verb::Write | Verb::Delete => Class::Write,
        }
    }

    /// `parameters` are the values of all of them.
    pub(super) fn finish(&self, parameters: &[Value], results: &[Rows]) -> Answer {
        let Some(rows) = results.first() else { return refuse::internal("a statement without a result") };
        let row = each_row(rows).next();
        let changed = rows.columns == 0 && rows.changed > 0;
        if self.shape != Shape::Rows && row.is_none() && !changed {
            return refuse::not_found();
        }
        let mut body = Vec::new();
        if self.shape == Shape::Value && self.reply.is_none() {
            let kind = self.row.as_ref().and_then(RowShape::first_kind).or(Some(Type::Json));
            write_value(&mut body, kind, row.and_then(<[Value]>::first).unwrap_or(&Value::Null));
            return self.answer(body);
        }
        let Some(shape) = self.row.as_ref() else {
            return refuse::internal(
                "the names of the statement's columns can't be told; give each an alias with AS",
            );
        };
        let filling = Filling { row, rows: Some(rows), parameters, ..Filling::default() };
        match (&self.reply, self.shape) {
            (Some(reply), _) => reply.write(&mut body, shape, &filling),
            (None, Shape::Rows) => shape.write_all(&mut body, rows),
            (None, _) => match row {
                Some(row) => shape.write(&mut body, row),
                None => render::write_null(&mut body),
            },
        }
        self.answer(body)
    }

    /// 204 has no body.
    fn answer(&self, body: Vec<u8>) -> Answer {
        match self.status {
            204 => Answer { content_type: Cow::Borrowed(""), ..Answer::json(204, "") },
            status => Answer::json(status, body),
        }
    }

    /// A constraint or a value that refused the statement: of the columns only the parameters' names are known here. `values` are the
    /// parameters'.
    pub(super) fn blame(&self, blame: Blame, values: &[Value]) -> Answer {
        let cause = blame.cause();
        let mut faults = Faults::default();
        let mut add = |column: &str, message: &'static str| {
            // As the database writes it, which does not tell capitals apart.
            let named = |parameter: &&Parameter| {
                let start = column.len().checked_sub(parameter.name.len());
                let parts = start.and_then(|start| column.split_at_checked(start));
                parts.is_some_and(|(rest, name)| {
                    name.eq_ignore_ascii_case(&parameter.name) && (rest.is_empty() || rest.ends_with('.'))
                })
            };
            if let Some(parameter) = self.parameters.iter().find(named) {
                faults.add(&parameter.name, message);
            }
        };
        let answer = match blame {
            Blame::Taken { columns } => {
                columns.iter().for_each(|column| add(column, words::TAKEN));
                refuse::plain(409, words::CONFLICT, &faults)
            }
            // The status says it all.
            Blame::Reference if self.verb == Verb::Delete => {
                return refuse::plain(409, words::CONFLICT, &faults).with_cause(cause);
            }
            Blame::Raised { text } => {
                faults = refuse::raised(&text);
                invalid(&faults)
            }
            // Nobody's parameter.
            _ if self.used.is_empty() => return refuse::internal(cause),
            Blame::Reference => {
                let given = self.parameters.iter().zip(values);
                let referring: Vec<_> =
                    given.filter(|(one, value)| one.refers && **value != Value::Null).collect();
                match referring.as_slice() {
                    [(parameter, _)] if !self.breaks_others => {
                        faults.add(&parameter.name, words::NO_SUCH_ROW);
                    }
                    // Which of several it is the database does not say; one of them it is.
                    [_, _, ..] if !self.breaks_others => return invalid(&faults).with_cause(cause),
                    _ => {}
                }
                invalid(&faults)
            }
            Blame::Missing { column } => {
                add(&column, words::REQUIRED);
                invalid(&faults)
            }
            Blame::Constraint { detail } => {
                let name = check_columns::column(&self.checks, refuse::constraint_name(&detail));
                add(name, words::NOT_ALLOWED);
                invalid(&faults)
            }
            // Which of them is to blame is told if there is but one.
            Blame::Value { .. } | Blame::NotText { .. } | Blame::ValueTooLarge => {
                if let [parameter] = self.used.as_slice() {
                    faults.add(&self.parameters[*parameter].name, words::NOT_ALLOWED);
                }
                invalid(&faults)
            }
        };
        answer.refused_for(cause, &faults)
    }

    fn slots<'a>(&self, request: &Request<'a>) -> Result<Slots<'a>, Box<Answer>> {
        let count = self.parameters.len();
        let wanted = self.parameters.iter().any(|parameter| parameter.position.is_none());
        let sent = !request.body.is_empty() || request.content_type.is_some();
        if !(wanted && sent && matches!(request.method, Method::Post | Method::Put | Method::Patch)) {
            return Ok(Slots::empty(count));
        }
        Slots::new(request.content_type, request.body, count, &self.names)
            .map_err(|refusal| refuse::body(refusal, invalid).into())
    }

    /// Of each parameter the first value in the query; `Some(None)` is one that is no text.
    fn query_values<'a>(&self, query: Option<&'a str>) -> Vec<Option<Option<Cow<'a, str>>>> {
        let mut values = vec![None; self.parameters.len()];
        for (name, value) in query.into_iter().flat_map(percent::query_pairs) {
            if let Some(index) = self.names.position(&name) {
                values[index].get_or_insert(value);
            }
        }
        values
    }
}

/// For each table of whose key there are parameters.
fn keys(endpoint: &plan::SqlEndpoint, plan: &Plan) -> Vec<(Vec<usize>, KeyRoom)> {
    let parameters = || endpoint.parameters.iter().enumerate();
    let of_table = |(index, table): (usize, &plan::Table)| {
        let own = parameters().filter(|(_, parameter)| parameter.key_of == Some(index));
        let own: Vec<_> = own.map(|(index, _)| index).collect();
        let room = KeyRoom::of(table, plan.http.max_target_bytes).filter(|_| !own.is_empty())?;
        Some((own, room))
    };
    plan.tables.iter().enumerate().filter_map(of_table).collect()
}

fn invalid(faults: &Faults) -> Answer {
    refuse::plain(400, words::VALIDATION_FAILED, faults)
}

fn columns(
    endpoint: &plan::SqlEndpoint,
    tables: &[plan::Table],
    names: Option<Vec<String>>,
) -> Option<Vec<ResultColumn>> {
    let told = sql_text::result_columns(&endpoint.sql, tables);
    let mut columns = match (names, told) {
        (None, told) => told?,
        (Some(names), told) => {
            let told = told.filter(|told| told.len() == names.len()).unwrap_or_default();
            let kinds = told.into_iter().map(|column| column.kind).chain(std::iter::repeat(None));
            names.into_iter().zip(kinds).map(|(name, kind)| ResultColumn { name, kind }).collect()
        }
    };
    for column in &mut columns {
        if let Some((_, kind)) = endpoint.columns.iter().find(|(name, _)| *name == column.name) {
            column.kind = Some(*kind);
        }
    }
    Some(columns)
}

/// What an `echo` endpoint answers: a GET with the request's fields as text, others with the body as it came.
pub(super) fn echo(request: &Request<'_>) -> Answer {
    let answer = Answer::json(200, "");
    if matches!(request.method, Method::Get | Method::Head) {
        let mut body = Vec::new();
        (request.fields)(&mut |name, value| {
            body.extend_from_slice(name.as_bytes());
            body.extend_from_slice(b": ");
            body.extend_from_slice(value);
            body.push(b'\n');
        });
        return Answer { body, content_type: Cow::Borrowed("text/plain"), ..answer };
    }
    let given = request.content_type.and_then(|value| std::str::from_utf8(value).ok());
    let content_type = match given.filter(|value| !value.is_empty() && !value.contains(char::is_control)) {
        Some(given) => Cow::Owned(given.to_owned()),
        None => Cow::Borrowed("application/octet-stream"),
    };
    Answer { body: request.body.to_vec(), content_type, ..answer }
}
