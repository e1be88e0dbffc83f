//! What the database holds already: counts, largest values, the keys of parents.

use crate::cli::Failure;
use crate::cli::database::store_failure;
use crate::config::plan::{ColumnIndex, Plan};
use ringmill_sqlite::{Answers, Class, Job, Options, Reply, Statement, Store, Ticket, Value};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

/// Counting may scan a large table.
const QUESTION_TIMEOUT: Duration = Duration::from_secs(600);
const ANSWER_BYTES_MAX: usize = 1 << 30;

/// Asks one question at a time.
pub(super) struct Existing<'a> {
    plan: &'a Plan,
    store: Store,
    answers: Receiver<Reply>,
}

struct Sink(SyncSender<Reply>);

impl Answers for Sink {
    fn answer(&mut self, _shard: usize, _ticket: Ticket, reply: Reply) {
        // Nobody waits any more if we are ending.
        let _ = self.0.send(reply);
    }
}

impl<'a> Existing<'a> {
    pub(super) fn open(plan: &'a Plan) -> Result<Existing<'a>, Failure> {
        let (sender, answers) = sync_channel(1);
        let options = Options {
            readers: 1,
            statement_timeout: QUESTION_TIMEOUT,
            reply_bytes_max: ANSWER_BYTES_MAX,
            ..Options::new(&plan.database.sqlite)
        };
        let store = Store::open(options, |_| Box::new(Sink(sender.clone())))?;
        Ok(Existing { plan, store, answers })
    }

    /// Rows of a table.
    pub(super) fn rows(&self, table: usize) -> Result<u64, Failure> {
        let sql = format!("SELECT count(*) FROM {}", self.table(table));
        Ok(match self.ask(&sql, Vec::new())?.first() {
            Some(Value::Integer(count)) => u64::try_from(*count).unwrap_or(0),
            _ => 0,
        })
    }

    /// The largest value of a column, if there is one.
    pub(super) fn largest(&self, table: usize, column: ColumnIndex) -> Result<Option<Value>, Failure> {
        let sql = format!("SELECT max({}) FROM {}", self.column(table, column), self.table(table));
        Ok(self.ask(&sql, Vec::new())?.into_iter().next())
    }

    /// At most `most` values of a column that others refer to, from all over the table.
    pub(super) fn values(&self, table: usize, column: ColumnIndex, most: u64) -> Result<Vec<Value>, Failure> {
        let (name, from) = (self.column(table, column), self.table(table));
        let every = self.rows(table)?.div_ceil(most.max(1)).max(1);
        let sql = match every {
            1 => format!("SELECT {name} FROM {from} WHERE {name} IS NOT NULL LIMIT {most}"),
            _ => format!(
                "SELECT value FROM (SELECT {name} AS value, row_number() OVER () AS number FROM {from} \
                 WHERE {name} IS NOT NULL) WHERE number % {every} = 0 LIMIT {most}"
            ),
        };
        self.ask(&sql, Vec::new())
    }

    /// At most `most` values of a parent's column that no row of the child has in its `referring` column.
    pub(super) fn unused(
        &self,
        (parent, column): (usize, ColumnIndex),
        (child, referring): (usize, ColumnIndex),
        most: u64,
    ) -> Result<Vec<Value>, Failure> {
        let (name, own) = (self.column(parent, column), self.column(child, referring));
        let sql = format!(
            "SELECT {name} FROM {} WHERE {name} IS NOT NULL AND {name} NOT IN \
             (SELECT {own} FROM {} WHERE {own} IS NOT NULL) LIMIT {most}",
            self.table(parent),
            self.table(child)
        );
        self.ask(&sql, Vec::new())
    }

    /// The cells of an answer.
    pub(super) fn ask(&self, sql: &str, parameters: Vec<Value>) -> Result<Vec<Value>, Failure> {
        let statements = vec![Statement { sql: sql.into(), parameters }];
        let job = Job::new(Class::Read, statements);
        self.store.handle().submit(0, 0, None, job).map_err(|_| "the database takes no question")?;
        let rows = self.answers.recv()?.map_err(|error| store_failure(&self.plan.database.sqlite, &error))?;
        Ok(rows.into_iter().next().map(|rows| rows.cells).unwrap_or_default())
    }

    fn table(&self, table: usize) -> String {
        quote(&self.plan.tables[table].sql_name)
    }

    fn column(&self, table: usize, column: ColumnIndex) -> String {
        quote(&self.plan.tables[table].columns[column].name)
    }
}

fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
