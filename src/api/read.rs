//! A table's reads: a list and a row.

use ringmill_sqlite::{Class, Job, Rows, Statement, Value};

use super::exchange::{Answer, Asked};
use super::percent;
use super::refuse;
use super::router::Found;
use super::table::Table;
use super::template::{Filling, each_row};

/// A question to the database, or the answer if none is needed.
pub(super) type Question = Result<(Job, Asked), Box<Answer>>;

impl Table {
    /// One snapshot for the page and the total.
    pub(super) fn begin_list(&self, query: Option<&str>) -> Question {
        let (mut page, mut per_page) = (None, None);
        for (name, value) in query.into_iter().flat_map(percent::query_pairs) {
            match &*name {
                "page" if page.is_none() => page = Some(value.as_deref().and_then(positive)),
                "per_page" if per_page.is_none() => per_page = Some(value.as_deref().and_then(positive)),
                _ => {}
            }
        }
        let page = page.flatten().unwrap_or(1);
        let per_page =
            per_page.flatten().unwrap_or(i64::from(self.page.default)).min(i64::from(self.page.max));
        let offset = (page - 1).saturating_mul(per_page);
        let parameters = vec![Value::Integer(per_page), Value::Integer(offset)];
        let mut statements = vec![Statement { sql: self.statements.list.clone(), parameters }];
        if let Some(count) = &self.statements.count {
            statements.push(Statement { sql: count.clone(), parameters: Vec::new() });
        }
        Ok((Job::new(Class::Read, statements), Asked::List { page, per_page }))
    }

    pub(super) fn finish_list(&self, page: i64, per_page: i64, results: &[Rows]) -> Answer {
        let Some(rows) = results.first() else { return refuse::internal("a list without rows") };
        let total = match results.get(1).and_then(|count| count.cells.first()) {
            Some(Value::Integer(total)) => Some(*total),
            _ => None,
        };
        let filling = Filling {
            rows: Some(rows),
            total,
            page: Some(page),
            per_page: Some(per_page),
            ..Filling::default()
        };
        self.render(200, &self.templates.list, &filling)
    }

    pub(super) fn begin_get(&self, found: &Found<'_>) -> Question {
        let parameters = self.key_of(found).ok_or_else(|| self.not_found())?;
        let statements = vec![Statement { sql: self.statements.get.clone(), parameters }];
        Ok((Job::new(Class::ReadByKey, statements), Asked::Get))
    }

    pub(super) fn finish_get(&self, results: &[Rows]) -> Answer {
        let Some(row) = results.first().and_then(|rows| each_row(rows).next()) else {
            return self.not_found();
        };
        self.render(200, &self.templates.get, &Filling { row: Some(row), ..Filling::default() })
    }
}

/// A positive integer; one that is too large for a column is still larger than any table.
fn positive(text: &str) -> Option<i64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.then(|| text.parse().unwrap_or(i64::MAX));
    number.filter(|number| *number > 0)
}
