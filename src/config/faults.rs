//! What is wrong with a file: where, what, and what to do about it.
//!
//! Messages quote values only through [`Node::quoted`](super::tree::Node::quoted), which hides secrets.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;

use super::tree::{Origin, Place};

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The file as it was named; or "--set", "environment", "built-in file".
    pub file: String,
    /// Counted from 1; `None` where there are no lines.
    pub line: Option<usize>,
    /// The dotted key; empty if the fault is the file's as a whole.
    pub key: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it; may be empty.
    pub remedy: String,
}

/// On one line, whatever it quotes.
impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&on_one_line(&self.file))?;
        if let Some(line) = self.line {
            write!(out, ":{line}")?;
        }
        if !self.key.is_empty() {
            write!(out, ": {}", on_one_line(&self.key))?;
        }
        write!(out, ": {}", on_one_line(&self.message))?;
        if !self.remedy.is_empty() {
            write!(out, "; {}", on_one_line(&self.remedy))?;
        }
        Ok(())
    }
}

/// With a space for each line break and the white space around it, and other control characters escaped: names of a database may hold
/// what a terminal would obey.
pub fn on_one_line(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let lines = text.split(['\n', '\r']).map(str::trim).filter(|line| !line.is_empty());
    let mut line = String::with_capacity(text.len());
    for letter in lines.collect::<Vec<_>>().join(" ").chars() {
        match letter {
            '\t' => line.push(letter),
            _ if letter.is_control() => line.extend(letter.escape_unicode()),
            _ => line.push(letter),
        }
    }
    Cow::Owned(line)
}

impl std::error::Error for Fault {}

/// Collects faults while planners go on.
#[derive(Default)]
pub(super) struct Faults {
    faults: RefCell<Vec<(usize, Fault)>>,
    notes: RefCell<Vec<(usize, Fault)>>,
}

impl Faults {
    /// Notes one fault.
    #[cold]
    pub(super) fn add(
        &self,
        place: &Place,
        key: impl Into<String>,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let fault = fault(place, key.into(), message.into(), remedy.into());
        let mut faults = self.faults.borrow_mut();
        if !faults.iter().any(|(_, known)| *known == fault) {
            faults.push((place.origin.rank, fault));
        }
    }

    /// Notes what hinders nothing.
    #[cold]
    pub(super) fn note(
        &self,
        place: &Place,
        key: impl Into<String>,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let note = fault(place, key.into(), message.into(), remedy.into());
        self.notes.borrow_mut().push((place.origin.rank, note));
    }

    /// Notes a fault of a file as a whole.
    #[cold]
    pub(super) fn add_whole(&self, origin: &std::rc::Rc<Origin>, message: impl Into<String>, remedy: &str) {
        self.add(&Place { origin: origin.clone(), line: None }, "", message, remedy);
    }

    /// All faults by file and line; those of one line in the order in which they were found.
    pub(super) fn sorted(&self) -> Vec<Fault> {
        sorted(self.faults.take())
    }

    /// All that was noted, in the same order.
    pub(super) fn notes(&self) -> Vec<Fault> {
        sorted(self.notes.take())
    }
}

fn sorted(mut faults: Vec<(usize, Fault)>) -> Vec<Fault> {
    faults.sort_by_key(|(rank, fault)| (*rank, fault.line));
    faults.into_iter().map(|(_, fault)| fault).collect()
}

fn fault(place: &Place, key: String, message: String, remedy: String) -> Fault {
    Fault { file: place.origin.name.clone(), line: place.line, key, message, remedy }
}

/// The known name that a wrong one was probably meant to be.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = name.to_ascii_lowercase();
    let (distance, best) = known
        .into_iter()
        .map(|candidate| (edit_distance(&lower, &candidate.to_ascii_lowercase()), candidate))
        .min_by_key(|(distance, _)| *distance)?;
    // Beyond a third of the name, a guess misleads more often than it helps.
    let length = name.chars().count().max(best.chars().count());
    (distance <= (length / 3).max(1) && distance < length).then_some(best)
}

/// "did you mean …", or what there is.
pub(crate) fn did_you_mean<'a>(
    name: &str,
    known: impl IntoIterator<Item = &'a str> + Clone,
    what: &str,
) -> String {
    if let Some(best) = nearest(name, known.clone()) {
        return format!("did you mean `{best}`?");
    }
    let all: Vec<&str> = known.into_iter().collect();
    if all.is_empty() {
        return format!("there is no {what}");
    }
    format!("known: {}", all.join(", "))
}

/// Insertions, deletions, substitutions and swaps of neighbours (optimal string alignment).
pub(super) fn edit_distance(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.chars().collect();
    let right: Vec<char> = right.chars().collect();
    let mut rows: [Vec<usize>; 3] =
        [vec![0; right.len() + 1], (0..=right.len()).collect(), vec![0; right.len() + 1]];
    for (row, a) in left.iter().enumerate() {
        let [before, previous, current] = &mut rows;
        current[0] = row + 1;
        for (column, b) in right.iter().enumerate() {
            let mut least = (previous[column] + usize::from(a != b))
                .min(previous[column + 1] + 1)
                .min(current[column] + 1);
            if row > 0 && column > 0 && *a == right[column - 1] && left[row - 1] == *b {
                least = least.min(before[column - 1] + 1);
            }
            current[column + 1] = least;
        }
        rows.rotate_left(1);
    }
    rows[1][right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (left, right, distance) in
            [("", "", 0), ("a", "", 1), ("listen", "lsiten", 1), ("ttl", "tls", 2), ("kitten", "sitting", 3)]
        {
            assert_eq!(edit_distance(left, right), distance, "{left} {right}");
            assert_eq!(edit_distance(right, left), distance, "{right} {left}");
        }
    }

    #[test]
    fn one_line() {
        assert_eq!(on_one_line("a \n\r\n b\tc\u{1b}[31m\u{7f}"), "a b\tc\\u{1b}[31m\\u{7f}");
    }

    #[test]
    fn a_guess_is_near_or_none() {
        assert_eq!(nearest("listne", ["listen", "admin"]), Some("listen"));
        assert_eq!(nearest("zzz", ["listen", "admin"]), None);
        assert_eq!(nearest("u", ["t"]), None);
        assert_eq!(nearest("x", []), None);
    }
}
