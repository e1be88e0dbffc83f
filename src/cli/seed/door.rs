//! From a row as JSON to what the database stores. It is the API's own way in: each row is the body of a request to a copy of
//! its table that takes every column, so that a row that seeding makes is one that a client could have sent.

use crate::api::{Api, Begin, Found, Request};
use crate::cli::Failure;
use crate::config::Plan;
use crate::config::plan::{ColumnIndex, Generated, Operations, Template};
use ringmill_http1::Method;
use ringmill_sqlite::Statement;

const PATH: &str = "/rows";

pub(super) struct Door {
    api: Api,
    found: Found<'static>,
    /// For messages.
    table: String,
}

impl Door {
    /// `left`: columns that the database computes, which no INSERT may name.
    pub(super) fn new(plan: &Plan, table: usize, left: &[ColumnIndex]) -> Result<Door, Failure> {
        let mut open = plan.tables[table].clone();
        let name = open.name.clone();
        open.list = Some(PATH.to_owned());
        open.item = None;
        open.access = Operations { create: true, ..Operations::default() };
        // Nothing of the row is asked back.
        open.replies.create = Template::Literal(serde_json::Value::Null);
        for (index, column) in open.columns.iter_mut().enumerate() {
            column.read_only &= column.generated.is_some() || left.contains(&index);
            // A request brings chance for one, and the schema of a table that was there before may have no DEFAULT.
            if column.generated == Some(Generated::Uuid) {
                column.generated = None;
            }
        }
        let api = Api::new(&Plan { tables: vec![open], endpoints: Vec::new(), ..plan.clone() });
        let found = api.find(PATH).ok_or("the copy of a table has no route")?;
        Ok(Door { api, found, table: name })
    }

    /// The INSERT of a row, and its values. The text is the same for every row.
    pub(super) fn insert(&self, body: &str, now_unix_us: i64) -> Result<Statement, Failure> {
        let request = Request {
            method: Method::Post,
            query: None,
            content_type: Some(b"application/json"),
            body: body.as_bytes(),
            fields: &|_| (),
            now_unix_us,
            random: &|| 0,
        };
        match self.api.begin(&self.found, &request) {
            Begin::Ask { mut job, .. } if job.statements.len() == 1 => Ok(job.statements.remove(0)),
            Begin::Answer(answer) => Err(self.refused(&String::from_utf8_lossy(&answer.body), body)),
            Begin::Ask { .. } | Begin::Constant(_) => Err(self.refused("no single INSERT", body)),
        }
    }

    #[cold]
    fn refused(&self, words: &str, body: &str) -> Failure {
        Failure::Message(format!(
            "no row of {} fits its rules: {words} for {body}; widen the rules of that column",
            self.table
        ))
    }
}
