//! What is served: tables and endpoints become routes, SQL, validation and JSON.
//!
//! Everything here is a function of its arguments: no I/O, no clock, no chance. A request *begins*, which answers it or asks
//! the database one job; the reply *finishes* it. What the API is made of is compiled once out of the plan and never
//! changes, so all shards share one.
//!
//! What the contract leaves open is decided so:
//! - If something is missing and something else is wrong, the answer is `missing`, with all faults in `errors`.
//! - A body that is no object is `{"body":["must be an object"]}` in `errors`.
//! - A key is given once: an update may repeat it, as any column that may not be written, but not change it.
//! - A path's part that is no value of its column or parameter is a row that does not exist.
//! - A row that others refer to is a conflict when it is deleted.
//! - `Location` is given if a row can be read at its item's path.
//! - An SQL endpoint's `missing` is `Validation failed` too, with `is required` in `errors`.

mod body;
mod check_columns;
mod convert;
mod endpoint;
mod exchange;
mod faults;
mod freshness;
mod key_room;
mod names;
mod percent;
mod read;
mod refuse;
mod render;
mod router;
mod schema;
mod sql;
mod sql_text;
mod table;
mod template;
mod verify;
mod words;
mod write;

#[cfg(test)]
mod tests;

use crate::config::plan::{self, EndpointKind, Plan};
use ringmill_http1::Method;
use ringmill_sqlite::{Class, Reply};
use std::sync::Arc;

use endpoint::SqlEndpoint;
use exchange::Asked;
use router::{OperationIndex, Router};
use sql_text::Verb;
use table::Table;
use write::Update;

pub use exchange::{Answer, Begin, Constant, ConstantIndex, Fields, Pending, Request};
pub use freshness::Hash;
pub use percent::normalize as normal_path;
pub use router::{Found, Route, RouteIndex, Terms};
pub use schema::{Difference, Harm, Means, Step, TableSchema, differences, schema};
pub use verify::{Depth, Migration, TableRef, Tag, Touched, Verified, migration, refused_by_rows, verify};

/// What is served. Immutable; shared by all shards.
#[derive(Debug)]
pub struct Api {
    router: Router,
    operations: Vec<Operation>,
    tables: Vec<Table>,
    statements: Vec<SqlEndpoint>,
    constants: Vec<Constant>,
    /// Columns of the database, as `table.column`, that ON DELETE sets to NULL or to a default.
    emptied: Vec<String>,
}

#[derive(Clone, Debug)]
struct Operation {
    kind: Kind,
    terms: Terms,
}

/// What an operation does; the numbers are indices into the API's tables, statements and constants.
#[derive(Clone, Copy, Debug)]
enum Kind {
    List(usize),
    Get(usize),
    Create(usize),
    Put(usize),
    Patch(usize),
    Delete(usize),
    Sql(usize),
    Constant(ConstantIndex),
    Echo,
}

impl Api {
    /// Compiles the plan. What the columns of SQL endpoints are called is read off their text.
    pub fn new(plan: &Plan) -> Api {
        Api::with_columns(plan, &|_| None)
    }

    /// Compiles the plan; `columns` asks the database what the columns of a statement are called (with `?1` for parameters).
    /// Where it says nothing, the text is read.
    pub fn with_columns(plan: &Plan, columns: &dyn Fn(&str) -> Option<Vec<String>>) -> Api {
        let mut api = Api {
            router: Router::default(),
            operations: Vec::new(),
            tables: (0..plan.tables.len())
                .map(|own| Table::new(own, &plan.tables, plan.http.max_target_bytes))
                .collect(),
            statements: Vec::new(),
            constants: Vec::new(),
            emptied: Vec::new(),
        };
        for (index, table) in plan.tables.iter().enumerate() {
            api.add_table(index, table);
        }
        for endpoint in &plan.endpoints {
            api.add_endpoint(endpoint, plan, columns);
        }
        api
    }

    /// Every declared route, in the file's order, tables first.
    pub fn routes(&self) -> &[Route] {
        self.router.routes()
    }

    /// Answers that never change.
    pub fn constants(&self) -> &[Constant] {
        &self.constants
    }

    /// The route of a raw path, without its query and still percent-encoded.
    pub fn find<'a>(&self, path: &'a str) -> Option<Found<'a>> {
        self.router.find(path)
    }

    /// What stands around a route's operation; `None` if the method has none (OPTIONS, and all that is refused).
    pub fn terms(&self, route: RouteIndex, method: Method) -> Option<&Terms> {
        Some(&self.operations[self.operation(route, method)?].terms)
    }

    /// The statements that an operation may run, `?1` for parameters: what `check` shows and prepares.
    pub fn statements(&self, route: RouteIndex, method: Method) -> Vec<&Arc<str>> {
        match self.operation(route, method) {
            Some(operation) => self.statements_of(self.operations[operation].kind),
            None => Vec::new(),
        }
    }

    fn statements_of(&self, kind: Kind) -> Vec<&Arc<str>> {
        match kind {
            Kind::List(table) => {
                let statements = &self.tables[table].statements;
                std::iter::once(&statements.list).chain(&statements.count).collect()
            }
            Kind::Get(table) => vec![&self.tables[table].statements.get],
            Kind::Create(table) => vec![&self.tables[table].statements.insert],
            Kind::Put(table) | Kind::Patch(table) => {
                let table = &self.tables[table];
                let statements = &table.statements;
                let mut used = vec![&statements.get_guarded];
                if !table.updated.is_empty() {
                    used.extend([&statements.update, &statements.update_guarded]);
                }
                used
            }
            Kind::Delete(table) => vec![&self.tables[table].statements.delete],
            Kind::Sql(index) => vec![&self.statements[index].statement],
            Kind::Constant(_) | Kind::Echo => Vec::new(),
        }
    }

    /// The answer where there is no route.
    pub fn no_route(&self, method: Method) -> Answer {
        match method {
            Method::Unknown => refuse::not_implemented(),
            Method::Trace | Method::Connect => refuse::method_not_allowed(""),
            _ => refuse::not_found(),
        }
    }

    /// Begins a request.
    pub fn begin(&self, found: &Found<'_>, request: &Request<'_>) -> Begin {
        let route = &self.router.routes()[found.route];
        let Some(operation) = self.operation(found.route, request.method) else {
            return Begin::Answer(match request.method {
                Method::Options => refuse::options(&route.allow),
                Method::Unknown => refuse::not_implemented(),
                _ => refuse::method_not_allowed(&route.allow),
            });
        };
        let question = match self.operations[operation].kind {
            Kind::List(table) => self.tables[table].begin_list(request.query),
            Kind::Get(table) => self.tables[table].begin_get(found),
            Kind::Create(table) => self.tables[table].begin_create(request),
            Kind::Put(table) => self.tables[table].begin_update(Update::Replace, found, request),
            Kind::Patch(table) => self.tables[table].begin_update(Update::Patch, found, request),
            Kind::Delete(table) => self.tables[table].begin_delete(found),
            Kind::Sql(index) => self.statements[index].begin(found, request),
            Kind::Constant(index) => return Begin::Constant(index),
            Kind::Echo => return Begin::Answer(endpoint::echo(request)),
        };
        match question {
            Ok((job, asked)) => Begin::Ask { job, pending: Pending { route: found.route, operation, asked } },
            Err(answer) => Begin::Answer(*answer),
        }
    }

    /// What kind of job a request would ask the database for; `None`: it asks for none.
    pub fn class(&self, found: &Found<'_>, method: Method) -> Option<Class> {
        match self.operations[self.operation(found.route, method)?].kind {
            Kind::List(_) => Some(Class::Read),
            Kind::Get(_) => Some(Class::ReadByKey),
            Kind::Create(_) | Kind::Put(_) | Kind::Patch(_) | Kind::Delete(_) => Some(Class::Write),
            Kind::Sql(index) => Some(self.statements[index].class()),
            Kind::Constant(_) | Kind::Echo => None,
        }
    }

    /// Whether answers to such a request are kept.
    pub fn is_cached(&self, found: &Found<'_>, method: Method) -> bool {
        let is_read = matches!(method, Method::Get | Method::Head);
        let operation = self.operation(found.route, method).filter(|_| is_read);
        let terms = operation.map(|operation| &self.operations[operation].terms);
        terms.is_some_and(|terms| terms.cache.is_some() && !terms.writes)
    }

    /// Finishes a request with what the database said.
    pub fn finish(&self, pending: Pending, reply: Reply) -> Answer {
        let kind = self.operations[pending.operation].kind;
        let results = match reply {
            Ok(results) => results,
            Err(error) => match refuse::blame(error) {
                Ok(blame) => return self.blame(kind, &pending.asked, blame),
                Err(answer) => return *answer,
            },
        };
        match (kind, pending.asked) {
            (Kind::List(table), Asked::List { page, per_page }) => {
                self.tables[table].finish_list(page, per_page, &results)
            }
            (Kind::Get(table), Asked::Get) => self.tables[table].finish_get(&results),
            (Kind::Create(table), Asked::Create { .. }) => self.tables[table].finish_create(&results),
            (Kind::Put(table) | Kind::Patch(table), Asked::Update { fixed, change, .. }) => {
                self.tables[table].finish_update(&fixed, change, &results)
            }
            (Kind::Delete(table), Asked::Delete { .. }) => self.tables[table].finish_delete(&results),
            (Kind::Sql(index), Asked::Sql { parameters }) => {
                self.statements[index].finish(&parameters, &results)
            }
            _ => refuse::internal("a reply to another request"),
        }
    }

    fn blame(&self, kind: Kind, asked: &Asked, blame: refuse::Blame) -> Answer {
        let deletes = match kind {
            Kind::Delete(_) => true,
            Kind::Sql(index) => self.statements[index].verb == Verb::Delete,
            _ => false,
        };
        let is_emptied = |column: &String| self.emptied.iter().any(|one| one.eq_ignore_ascii_case(column));
        let blame = match blame {
            // A column that may not be NULL: so the row is still referred to.
            refuse::Blame::Missing { column } if deletes && is_emptied(&column) => refuse::Blame::Reference,
            blame => blame,
        };
        match kind {
            Kind::Create(table) | Kind::Put(table) | Kind::Patch(table) | Kind::Delete(table) => {
                self.tables[table].blame(blame, asked)
            }
            Kind::Sql(index) => match asked {
                Asked::Sql { parameters } => self.statements[index].blame(blame, parameters),
                _ => refuse::internal(blame.cause()),
            },
            Kind::List(_) | Kind::Get(_) | Kind::Constant(_) | Kind::Echo => refuse::internal(blame.cause()),
        }
    }

    fn operation(&self, route: RouteIndex, method: Method) -> Option<OperationIndex> {
        self.router.routes().get(route)?.by_method[method as usize]
    }

    fn add_table(&mut self, index: usize, table: &plan::Table) {
        let (access, limits) = (&table.access, &table.rate_limit);
        let read = |policies: &[_]| Terms {
            policies: policies.to_vec(),
            cache: table.cache.clone(),
            ..Terms::default()
        };
        let write = |policies: &[_]| Terms { policies: policies.to_vec(), writes: true, ..Terms::default() };
        if let Some(path) = &table.list {
            self.add(path, access.list, &[Method::Get], Kind::List(index), read(&limits.list));
            self.add(path, access.create, &[Method::Post], Kind::Create(index), write(&limits.create));
        }
        if let Some(path) = &table.item {
            self.add(path, access.get, &[Method::Get], Kind::Get(index), read(&limits.get));
            self.add(path, access.update, &[Method::Put], Kind::Put(index), write(&limits.update));
            self.add(path, access.update, &[Method::Patch], Kind::Patch(index), write(&limits.update));
            self.add(path, access.delete, &[Method::Delete], Kind::Delete(index), write(&limits.delete));
        }
    }

    fn add_endpoint(
        &mut self,
        endpoint: &plan::Endpoint,
        plan: &Plan,
        columns: &dyn Fn(&str) -> Option<Vec<String>>,
    ) {
        let mut terms = Terms {
            policies: endpoint.rate_limit.clone(),
            cache: endpoint.cache.clone(),
            ..Terms::default()
        };
        let kind = match &endpoint.kind {
            EndpointKind::Sql(sql) => {
                let mut compiled = SqlEndpoint::new(&endpoint.path, sql, plan, None);
                if let Some(names) = columns(&compiled.statement) {
                    compiled = SqlEndpoint::new(&endpoint.path, sql, plan, Some(names));
                }
                terms.writes = compiled.verb != Verb::Read;
                terms.timeout = sql.timeout;
                self.statements.push(compiled);
                Kind::Sql(self.statements.len() - 1)
            }
            EndpointKind::Json(json) => {
                self.constants.push(Constant { status: 200, body: json.clone().into_bytes() });
                Kind::Constant(self.constants.len() - 1)
            }
            EndpointKind::Echo => Kind::Echo,
        };
        let methods: Vec<_> = endpoint
            .methods
            .iter()
            .map(|name| Method::from_token(name.as_bytes()))
            .filter(|method| !matches!(method, Method::Unknown | Method::Trace | Method::Connect))
            .collect();
        self.add(&endpoint.path, true, &methods, kind, terms);
    }

    fn add(&mut self, path: &str, exists: bool, methods: &[Method], kind: Kind, terms: Terms) {
        if exists {
            let cached = terms.cache.is_some();
            self.operations.push(Operation { kind, terms });
            self.router.add(path, methods, self.operations.len() - 1, cached);
        }
    }
}
