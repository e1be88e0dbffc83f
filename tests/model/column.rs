//! Columns of drawn files: their rules, what breaks them, and how a file says them.

use crate::file::{Column, Generated, OnDelete, Table};
use crate::value::{Cell, Decimal, Input, Kind};
use std::fmt::Write;

pub(crate) fn add_rules(column: &mut Column, which: u16, size: u16) {
    let size_i64 = i64::from(size % 9);
    match which % 4 {
        0 => {}
        1 if column.kind == Kind::Text => {
            column.lengths = (
                Some(usize::from(size % 2)).filter(|least| *least > 0),
                Some(1 + usize::from(size / 2 % 12)),
            );
        }
        2 if column.kind == Kind::Text => column.is_email = true,
        1 if column.kind.is_number() => {
            let scale = u32::from(!column.kind.is_integer() && size % 2 == 1);
            let bound = |digits: i64| Some(Decimal { digits, scale });
            column.bounds = (
                bound(size_i64 - 5).filter(|_| size % 4 != 3),
                bound(size_i64 * 10 + 3).filter(|_| size % 3 != 2),
            );
        }
        3 if column.kind.is_integer() || matches!(column.kind, Kind::Text | Kind::Numeric | Kind::Date) => {
            let mut choices: Vec<Input> = Vec::new();
            for seed in [size, size / 3, size / 7] {
                let choice = column.kind.input(u32::from(seed));
                if choices.iter().all(|known| known.outcome != choice.outcome) {
                    choices.push(choice);
                }
            }
            column.choices = Some(choices);
        }
        _ => {}
    }
}

impl Column {
    pub(crate) fn is_settable(&self) -> bool {
        self.generated.is_none() && !self.read_only
    }

    /// The rules that a value breaks, in the words of a refusal.
    pub(crate) fn broken_by(&self, input: &Input, in_key: bool) -> Vec<String> {
        let Ok(cell) = &input.outcome else { return Vec::new() };
        let mut broken = Vec::new();
        let counted =
            |count: usize| if count == 1 { "1 character".to_owned() } else { format!("{count} characters") };
        if let Cell::Text(text) = cell
            && self.kind == Kind::Text
        {
            if in_key && self.is_settable() && matches!(text.as_str(), "." | "..") {
                broken.push("must not be . or ..".to_owned());
            }
            let length = text.chars().count();
            let least = self.lengths.0.unwrap_or(0).max(usize::from(in_key && self.is_settable()));
            if length < least {
                broken.push(format!("must be at least {}", counted(least)));
            }
            if let Some(most) = self.lengths.1.filter(|most| length > *most) {
                broken.push(format!("must be at most {}", counted(most)));
            }
            // No other text that is drawn has an @.
            if self.is_email && !text.contains('@') {
                broken.push("must be a valid e-mail address".to_owned());
            }
        }
        if let Some(number) = input.number {
            if let Some(least) = self.bounds.0.filter(|least| number.compare(*least).is_lt()) {
                broken.push(format!("must be at least {}", shown_bound(least)));
            }
            if let Some(most) = self.bounds.1.filter(|most| number.compare(*most).is_gt()) {
                broken.push(format!("must be at most {}", shown_bound(most)));
            }
        }
        if let Some(choices) = &self.choices
            && choices.iter().all(|choice| choice.outcome.as_ref() != Ok(cell))
        {
            let shown = choices.iter().map(|choice| match &choice.outcome {
                Ok(cell) => self.kind.in_path(cell),
                Err(_) => String::new(),
            });
            broken.push(format!("must be one of: {}", shown.collect::<Vec<_>>().join(", ")));
        }
        broken
    }

    /// How a file says a value; `None` if it can't.
    pub(crate) fn toml_of(&self, input: &Input) -> Option<String> {
        let Ok(cell) = &input.outcome else { return None };
        Some(match (self.kind, cell) {
            (Kind::Json, _) if input.raw.contains(['{', '\n', '\\']) || input.raw.len() > 20 => return None,
            (Kind::Json, _) => input.raw.clone(),
            (Kind::Double | Kind::Real, _) => input.raw.clone(),
            (_, Cell::Text(text)) => toml_string(text),
            (Kind::Bytes, _) => input.raw.clone(),
            _ => self.kind.show(cell),
        })
    }

    pub(crate) fn toml(&self, tables: &[Table]) -> String {
        let mut rules = vec![format!("type = \"{}\"", self.kind.name())];
        let mut add = |rule: Option<String>| rules.extend(rule);
        let flag = |is: bool, name: &str| is.then(|| format!("{name} = true"));
        add(flag(self.required, "required"));
        add(flag(self.unique, "unique"));
        add(flag(self.hidden, "hidden"));
        add(flag(self.read_only, "read_only"));
        add(self.generated.map(|generated| {
            let name = match generated {
                Generated::Identity => "identity",
                Generated::Uuid => "uuid",
                Generated::OnCreate => "on_create",
                Generated::OnWrite => "on_write",
            };
            format!("generated = \"{name}\"")
        }));
        add(self.reference.map(|(table, column, on_delete)| {
            let on_delete = match on_delete {
                OnDelete::NoAction => "no_action",
                OnDelete::Restrict => "restrict",
                OnDelete::Cascade => "cascade",
                OnDelete::SetNull => "set_null",
            };
            let (table, column) = (&tables[table].name, &tables[table].columns[column].name);
            format!("references = \"{table}.{column}\", on_delete = \"{on_delete}\"")
        }));
        add(self.lengths.0.map(|least| format!("min_length = {least}")));
        add(self.lengths.1.map(|most| format!("max_length = {most}")));
        add(self.is_email.then(|| "format = \"email\"".to_owned()));
        add(self.bounds.0.map(|least| format!("minimum = {}", least.text())));
        add(self.bounds.1.map(|most| format!("maximum = {}", most.text())));
        add(self.choices.as_ref().map(|choices| {
            let choices: Vec<_> = choices.iter().filter_map(|choice| self.toml_of(choice)).collect();
            format!("enum = [{}]", choices.join(", "))
        }));
        add(self.default.as_ref().and_then(|default| Some(format!("default = {}", self.toml_of(default)?))));
        format!("{} = {{ {} }}", self.name, rules.join(", "))
    }
}

/// As a refusal shows it: a number of the file, without zeros at its end.
fn shown_bound(bound: Decimal) -> String {
    match bound.scale {
        0 => bound.text(),
        _ => bound.text().trim_end_matches('0').trim_end_matches('.').to_owned(),
    }
}

pub(crate) fn toml_string(text: &str) -> String {
    let mut out = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            letter if letter.is_control() => write!(out, "\\u{:04X}", letter as u32).expect("into a string"),
            letter => out.push(letter),
        }
    }
    out + "\""
}
