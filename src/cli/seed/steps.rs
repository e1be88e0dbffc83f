//! Which tables get how many rows, parents before their children. Worked out before the first row is written, so that what
//! cannot be done is refused with nothing done.

use super::unique::{driving, is_nullable, unique_sets};
use super::value::Maker;
use crate::cli::Failure;
use crate::config::plan::{ColumnIndex, Plan};

/// Rows for a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) table: usize,
    pub(super) rows: u64,
}

/// How many rows a table has; asked of the database.
pub(super) type Count<'a> = &'a mut dyn FnMut(usize) -> Result<u64, Failure>;

/// The steps that end with `rows` rows of `table`.
pub(super) fn steps(plan: &Plan, table: usize, rows: u64, count: Count<'_>) -> Result<Vec<Step>, Failure> {
    let mut planner = Planner {
        plan,
        count,
        counted: vec![None; plan.tables.len()],
        under_way: Vec::new(),
        steps: Vec::new(),
    };
    planner.add(table, rows)?;
    Ok(planner.steps)
}

struct Planner<'a> {
    plan: &'a Plan,
    count: Count<'a>,
    /// With the rows of the steps so far.
    counted: Vec<Option<u64>>,
    /// The table that is looked at, behind the children that want it.
    under_way: Vec<usize>,
    steps: Vec<Step>,
}

/// A child has this many times as many rows as a parent that is made for it.
const CHILDREN_PER_PARENT: u64 = 10;

impl Planner<'_> {
    fn add(&mut self, table: usize, rows: u64) -> Result<(), Failure> {
        self.under_way.push(table);
        for (column, parent) in self.references(table) {
            if self.rows(parent)? > 0 || self.makes(parent)? {
                continue;
            }
            if !is_nullable(&self.plan.tables[table], column) {
                return Err(self.circle(table, column, parent));
            }
        }
        let mut wanted = self.wanted(table, rows)?;
        // A parent may be a parent of another one.
        wanted.retain(|(parent, _)| !self.under_way.contains(parent));
        for (parent, least) in wanted {
            let have = self.rows(parent)?;
            if have < least && self.makes(parent)? {
                self.add(parent, least - have)?;
            }
        }
        self.under_way.pop();
        let had = self.rows(table)?;
        self.counted[table] = Some(had.saturating_add(rows));
        // Never added to an earlier step of the table: that one's parents came before it, these rows' parents may not have.
        self.steps.push(Step { table, rows });
        Ok(())
    }

    /// How many rows each parent should have for so many more rows of the table.
    fn wanted(&mut self, table: usize, rows: u64) -> Result<Vec<(usize, u64)>, Failure> {
        let mut wanted = Vec::new();
        for (_, parent) in self.references(table) {
            if self.rows(parent)? == 0 {
                wanted.push((parent, (rows / CHILDREN_PER_PARENT).max(1)));
            }
        }
        let declared = &self.plan.tables[table];
        let makers: Vec<_> = declared.columns.iter().map(|column| Maker::new(declared, column, 0)).collect();
        let all = rows.saturating_add(self.rows(table)?);
        for set in unique_sets(declared) {
            let columns = driving(declared, &makers, &set, all);
            let (mut total, mut others) = (1_u128, 1_u128);
            let mut growing = Vec::new();
            for column in &columns {
                let parent = declared.columns[*column].references.as_ref().map(|reference| reference.table);
                let size = match parent {
                    None => makers[*column].capacity(),
                    Some(parent) => {
                        let planned =
                            wanted.iter().filter(|(other, _)| *other == parent).map(|(_, n)| *n).max();
                        u128::from(self.rows(parent)?.max(planned.unwrap_or(0)))
                    }
                };
                total = total.saturating_mul(size);
                match parent {
                    Some(parent) if !self.under_way.contains(&parent) && self.makes(parent)? => {
                        growing.push(parent);
                    }
                    _ => others = others.saturating_mul(size),
                }
            }
            if total >= u128::from(all) {
                continue;
            }
            if !growing.is_empty() && others > 0 {
                let least = least_each(all, others, growing.len());
                wanted.extend(growing.into_iter().map(|parent| (parent, least)));
            } else if !set.is_conditional && !set.columns.iter().any(|column| is_nullable(declared, *column))
            {
                return Err(self.too_few(table, &set.columns, total));
            }
        }
        Ok(wanted)
    }

    fn references(&self, table: usize) -> Vec<(ColumnIndex, usize)> {
        let columns = self.plan.tables[table].columns.iter().enumerate();
        columns.filter_map(|(index, column)| Some((index, column.references.as_ref()?.table))).collect()
    }

    fn rows(&mut self, table: usize) -> Result<u64, Failure> {
        if let Some(rows) = self.counted[table] {
            return Ok(rows);
        }
        let rows = (self.count)(table)?;
        self.counted[table] = Some(rows);
        Ok(rows)
    }

    /// Whether rows of the table can be made before the rows of those that are under way.
    fn makes(&mut self, table: usize) -> Result<bool, Failure> {
        if self.under_way.contains(&table) {
            return Ok(false);
        }
        self.under_way.push(table);
        let mut makes = true;
        for (column, parent) in self.references(table) {
            makes = makes
                && (is_nullable(&self.plan.tables[table], column)
                    || self.rows(parent)? > 0
                    || self.makes(parent)?);
        }
        self.under_way.pop();
        Ok(makes)
    }

    #[cold]
    fn circle(&self, table: usize, column: ColumnIndex, parent: usize) -> Failure {
        let (child, name) = (&self.plan.tables[table], &self.plan.tables[table].columns[column].name);
        let parent = &self.plan.tables[parent].name;
        let what = if *parent == child.name {
            "its own table, which is empty".to_owned()
        } else {
            format!("{parent}, which is empty and needs a row of another table under way first, in a circle")
        };
        Failure::Message(format!(
            "{}.{name} is required and refers to {what}; drop `required`, or insert a first row of {parent} by hand",
            child.name
        ))
    }

    #[cold]
    fn too_few(&mut self, table: usize, columns: &[ColumnIndex], total: u128) -> Failure {
        let had = match self.rows(table) {
            Ok(had) => had,
            Err(failure) => return failure,
        };
        let table = &self.plan.tables[table];
        Failure::Message(format!(
            "{} must be unique and has {total} values, and {} has {had} rows already; ask for at most {} rows, or \
             widen the column's rules",
            named(table, columns),
            table.name,
            total.saturating_sub(had.into())
        ))
    }
}

/// `users.email`, or `members.(user_id, group_id)`.
pub(super) fn named(table: &crate::config::plan::Table, columns: &[ColumnIndex]) -> String {
    let names: Vec<_> = columns.iter().map(|column| table.columns[*column].name.as_str()).collect();
    match names.as_slice() {
        [name] => format!("{}.{name}", table.name),
        names => format!("{}.({})", table.name, names.join(", ")),
    }
}

/// How large each of so many factors must be for a product, beside the others.
fn least_each(product: u64, others: u128, factors: usize) -> u64 {
    let left = u128::from(product).div_ceil(others);
    let enough = |least: u64| (0..factors).fold(1_u128, |all, _| all.saturating_mul(least.into())) >= left;
    let mut least = (left as f64).powf(1.0 / factors as f64) as u64;
    while !enough(least) {
        least += 1;
    }
    least
}

#[cfg(test)]
mod tests {
    use super::least_each;

    #[test]
    fn factors_are_just_large_enough() {
        for (product, others, factors, least) in [
            (100, 1, 1, 100),
            (100, 1, 2, 10),
            (101, 1, 2, 11),
            (100, 3, 1, 34),
            (1, 7, 2, 1),
            (1_000_000, 1, 3, 100),
        ] {
            assert_eq!(least_each(product, others, factors), least, "{product} {others} {factors}");
        }
    }
}
