//! Numbers that fit their column's name, type and bounds; skewed, as counts and prices are.

use super::random::Random;
use crate::config::plan::{Bound, Rules, Type};

/// How large the numbers of a column are that is called so: from, to, how often small (1: evenly), decimal places.
const HABITS: &[(&[&str], Habit)] = &[
    (&["age"], Habit { low: 18.0, high: 90.0, skew: 1.5, places: 0 }),
    (&["year"], Habit { low: 1970.0, high: 2026.0, skew: 0.5, places: 0 }),
    (&["rating", "stars"], Habit { low: 1.0, high: 5.0, skew: 0.6, places: 1 }),
    (&["percent", "percentage", "discount"], Habit { low: 0.0, high: 100.0, skew: 1.5, places: 1 }),
    (&["quantity", "qty"], Habit { low: 1.0, high: 20.0, skew: 3.0, places: 0 }),
    (&["latitude", "lat"], Habit { low: -90.0, high: 90.0, skew: 1.0, places: 5 }),
    (&["longitude", "lng", "lon"], Habit { low: -180.0, high: 180.0, skew: 1.0, places: 5 }),
    (&["price", "amount", "total", "cost", "fee"], Habit { low: 1.0, high: 1_000.0, skew: 3.0, places: 2 }),
    (&["balance", "salary", "revenue"], Habit { low: 0.0, high: 100_000.0, skew: 2.0, places: 2 }),
    (&["views", "likes", "hits", "visits"], Habit { low: 0.0, high: 100_000.0, skew: 6.0, places: 0 }),
];

const ANY: Habit = Habit { low: 0.0, high: 1_000.0, skew: 3.0, places: 2 };

#[derive(Clone, Copy, Debug)]
struct Habit {
    low: f64,
    high: f64,
    skew: f64,
    places: usize,
}

impl Habit {
    fn of(column: &str) -> Habit {
        let column = column.to_ascii_lowercase();
        let mut words = column.split('_');
        let met = |word: &str| HABITS.iter().find(|(names, _)| names.contains(&word));
        words.find_map(met).map_or(ANY, |(_, habit)| *habit)
    }

    /// Within bounds; the bounds alone if the habit lies outside.
    fn within(self, low: f64, high: f64, is_bounded: bool) -> Habit {
        let (least, most) = (self.low.max(low), self.high.min(high));
        if least <= most && !(is_bounded && self.is_any()) {
            return Habit { low: least, high: most, ..self };
        }
        let least = if low.is_finite() { low } else { high.min(0.0) - SPAN };
        let most = if high.is_finite() { high } else { least + SPAN };
        Habit { low: least, high: most, ..self }
    }

    fn is_any(self) -> bool {
        self.low == ANY.low && self.high == ANY.high
    }

    fn draw(self, random: &mut Random) -> f64 {
        let drawn = self.low + (self.high - self.low) * random.fraction().powf(self.skew);
        drawn.clamp(self.low, self.high)
    }
}

/// How far from its only bound a number lies at most.
const SPAN: f64 = 1_000.0;

/// Makes the values of one column of whole numbers.
#[derive(Clone, Debug)]
pub(super) struct Whole {
    habit: Habit,
    /// What number 0 is.
    first: i64,
    high: i64,
    low: i64,
}

impl Whole {
    pub(super) fn new(column: &str, rules: &Rules) -> Whole {
        let (type_low, type_high) = match rules.kind {
            Type::SmallInt => (i64::from(i16::MIN), i64::from(i16::MAX)),
            Type::Integer => (i64::from(i32::MIN), i64::from(i32::MAX)),
            _ => (i64::MIN, i64::MAX),
        };
        let bound = |bound: &Option<Bound>| match bound {
            Some(Bound::Integer(bound)) => Some(*bound),
            Some(Bound::Real(_)) | None => None,
        };
        let (minimum, maximum) = (bound(&rules.minimum), bound(&rules.maximum));
        let (low, high) = (minimum.unwrap_or(type_low), maximum.unwrap_or(type_high));
        let both = minimum.is_some() && maximum.is_some();
        let finite = |bound: Option<i64>, none: f64| bound.map_or(none, |bound| bound as f64);
        let habit = Habit::of(column).within(
            finite(minimum, f64::NEG_INFINITY),
            finite(maximum, f64::INFINITY),
            both && high.saturating_sub(low) < SPAN as i64,
        );
        Whole { habit, first: minimum.unwrap_or(if high >= 1 { 1 } else { low }), low, high }
    }

    pub(super) fn capacity(&self) -> u128 {
        (i128::from(self.high) - i128::from(self.first) + 1).max(0).unsigned_abs()
    }

    /// The number that stands behind `value`; 0 if the column cannot go on there.
    pub(super) fn number_after(&self, value: i64) -> u128 {
        let number = i128::from(value) - i128::from(self.first) + 1;
        if number > 0 && value < self.high { number.unsigned_abs() } else { 0 }
    }

    pub(super) fn plausible(&self, random: &mut Random) -> i64 {
        (self.habit.draw(random).round() as i64).clamp(self.low, self.high)
    }

    pub(super) fn numbered(&self, number: u128) -> i64 {
        let value = i128::from(self.first) + i128::try_from(number).unwrap_or(i128::MAX / 2);
        i64::try_from(value).unwrap_or(self.high).min(self.high)
    }
}

/// Makes the values of one column of numbers with a fraction.
#[derive(Clone, Debug)]
pub(super) struct Fractional {
    kind: Type,
    habit: Habit,
    low: f64,
    high: f64,
}

/// Distinct values between two bounds.
const STEPS: u32 = 1 << 20;

impl Fractional {
    pub(super) fn new(column: &str, rules: &Rules) -> Fractional {
        let bound = |bound: &Option<Bound>, none| match bound {
            Some(Bound::Integer(bound)) => *bound as f64,
            Some(Bound::Real(bound)) => *bound,
            None => none,
        };
        let low = bound(&rules.minimum, f64::NEG_INFINITY);
        let high = bound(&rules.maximum, f64::INFINITY);
        let habit = Habit::of(column).within(low, high, high - low < SPAN);
        Fractional { kind: rules.kind, habit, low, high }
    }

    /// Whole numbers upwards if nothing bounds them there, else steps of equal size.
    pub(super) fn capacity(&self) -> u128 {
        match self.kind {
            _ if self.high.is_finite() => STEPS.into(),
            Type::Real => 1 << 24,
            _ => 1 << 53,
        }
    }

    pub(super) fn plausible(&self, random: &mut Random) -> String {
        let value = self.habit.draw(random);
        let places = self.habit.places.max(1);
        // Without the sign that a rounded zero may keep.
        let rounded = format!("{:.places$}", value + 0.0);
        match rounded.strip_prefix('-') {
            Some(zero) if zero.bytes().all(|byte| matches!(byte, b'0' | b'.')) && self.fits(zero) => {
                zero.to_owned()
            }
            _ if self.fits(&rounded) => rounded,
            _ => self.exact(value),
        }
    }

    pub(super) fn numbered(&self, number: u128) -> String {
        let number = number as f64;
        if self.high.is_finite() {
            let low = if self.low.is_finite() { self.low } else { self.high - SPAN };
            return self.exact(low + (self.high - low) * ((number + 0.5) / f64::from(STEPS)));
        }
        let first = if self.low.is_finite() { self.low.ceil() } else { 1.0 };
        self.exact(first + number)
    }

    /// All digits; what a `real` rounds to lies within the bounds too.
    fn exact(&self, value: f64) -> String {
        let value = value.clamp(self.low, self.high);
        if self.kind != Type::Real {
            return format!("{value:?}");
        }
        let mut single = value as f32;
        if f64::from(single) > self.high {
            single = single.next_down();
        }
        if f64::from(single) < self.low {
            single = single.next_up();
        }
        format!("{:?}", f64::from(single))
    }

    fn fits(&self, digits: &str) -> bool {
        let is_within = |value: f64| self.low <= value && value <= self.high;
        let Ok(value) = digits.parse::<f64>() else { return false };
        let rounded = digits.parse().map_or(f64::NAN, |single: f32| f64::from(single));
        is_within(value) && (self.kind != Type::Real || is_within(rounded))
    }
}
