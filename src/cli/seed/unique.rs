//! What must be unique in a table, and how new rows come by it: an odometer over columns that together have enough values
//! meets each combination once, so that only rows that were there before can be in its way.

use super::random::Random;
use super::value::Maker;
use crate::config::plan::{ColumnIndex, Table};

/// Columns that no two rows may share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct UniqueSet {
    pub(super) columns: Vec<ColumnIndex>,
    /// Of a partial index: rows outside of it may share them.
    pub(super) is_conditional: bool,
}

/// All sets of a table but those that generated columns see to, and those that follow from a smaller one.
pub(super) fn unique_sets(table: &Table) -> Vec<UniqueSet> {
    let certain = |columns: Vec<ColumnIndex>| UniqueSet { columns, is_conditional: false };
    let mut sets = vec![certain(table.key.clone())];
    sets.extend(
        (0..table.columns.len()).filter(|index| table.columns[*index].unique).map(|i| certain(vec![i])),
    );
    let indexes = table.indexes.iter().filter(|index| index.unique);
    sets.extend(indexes.map(|index| UniqueSet {
        columns: index.columns.clone(),
        is_conditional: index.condition.is_some(),
    }));
    sets.retain(|set| set.columns.iter().all(|column| table.columns[*column].generated.is_none()));
    for set in &mut sets {
        set.columns.sort_unstable();
    }
    sets.sort_by_key(|set| (set.columns.len(), set.is_conditional));
    let mut kept: Vec<UniqueSet> = Vec::new();
    for set in sets {
        let follows = |other: &UniqueSet| {
            other.columns.iter().all(|column| set.columns.contains(column))
                && other.is_conditional <= set.is_conditional
        };
        if !kept.iter().any(follows) {
            kept.push(set);
        }
    }
    kept
}

/// Which of a set's columns make new rows unique: one alone if it has values for so many rows, else all together.
pub(super) fn driving(table: &Table, makers: &[Maker], set: &UniqueSet, rows: u64) -> Vec<ColumnIndex> {
    let own = set.columns.iter().filter(|column| table.columns[**column].references.is_none());
    let best = own.max_by_key(|column| makers[**column].capacity());
    match best {
        Some(best) if makers[*best].capacity() >= u128::from(rows) => vec![*best],
        _ => set.columns.clone(),
    }
}

/// Whether a row may go without a value there.
pub(super) fn is_nullable(table: &Table, column: ColumnIndex) -> bool {
    !table.columns[column].rules.required
        && !table.key.contains(&column)
        && table.columns[column].generated.is_none()
}

/// Combinations beyond this are more than any table has rows; it leaves room for a sum.
const TOTAL_MAX: u128 = 1 << 126;

/// Steps through the combinations of some columns' values, each once.
#[derive(Clone, Debug)]
pub(super) struct Odometer {
    pub(super) columns: Vec<ColumnIndex>,
    /// What it makes unique.
    pub(super) set: UniqueSet,
    sizes: Vec<u128>,
    total: u128,
    position: u128,
    step: u128,
    left: u128,
}

impl Odometer {
    /// `sizes` belong to `columns`. One column goes upwards from `first`; several begin anywhere and leap.
    pub(super) fn new(
        set: UniqueSet,
        columns: Vec<ColumnIndex>,
        sizes: Vec<u128>,
        first: Option<u128>,
        random: &mut Random,
    ) -> Odometer {
        let total = sizes.iter().fold(1_u128, |total, size| total.saturating_mul(*size)).min(TOTAL_MAX);
        let (position, step) = match first {
            Some(first) if total > 0 => (first % total, 1),
            None if total > 0 => (random.next_wide() % total, leap(total)),
            _ => (0, 0),
        };
        Odometer { columns, set, sizes, total, position, step, left: total }
    }

    /// The number of the value that a column has now; `None` if it is none of its columns, or when all combinations have
    /// been met.
    pub(super) fn number(&self, column: ColumnIndex) -> Option<u128> {
        let index = self.columns.iter().position(|other| *other == column).filter(|_| self.left > 0)?;
        let below: u128 =
            self.sizes[..index].iter().fold(1_u128, |product, size| product.saturating_mul(*size));
        Some(self.position / below % self.sizes[index])
    }

    pub(super) fn is_over(&self) -> bool {
        self.left == 0
    }

    /// How many combinations there are.
    pub(super) fn total(&self) -> u128 {
        self.total
    }

    pub(super) fn advance(&mut self) {
        if self.left > 0 {
            self.left -= 1;
            self.position = (self.position + self.step) % self.total;
        }
    }
}

/// A step of about the golden ratio that has no divisor in common with the total.
fn leap(total: u128) -> u128 {
    let mut step = (total / 1_000 * 618).max(1);
    while divisor(step, total) != 1 {
        step += 1;
    }
    step
}

fn divisor(left: u128, right: u128) -> u128 {
    if right == 0 { left } else { divisor(right, left % right) }
}
