//! `$name` in SQL: where parameters stand, past strings, quoted names and comments.
//!
//! The words are SQLite's (<https://www.sqlite.org/lang_expr.html#varparam>, `tokenize.c`), less its other forms of
//! parameters, which are refused so that each value has a name and a type.
//!
//! TODO-correctness: `[…]` is a quoted name in SQLite and a subscript in Postgres, and `E'…'` knows backslashes there.
//! To be told apart when a Postgres url is taken.

use std::ops::Range;

/// One `$name` in a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SqlParameter<'a> {
    /// Without the `$`.
    pub(super) name: &'a str,
    /// Of `$name`, in bytes.
    pub(super) at: Range<usize>,
}

/// What is wrong with a statement, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unsound {
    /// Of the statement, counted from 1; `None`: it is wrong as a whole.
    pub(super) line: Option<usize>,
    /// What stands in that line.
    pub(super) message: String,
    pub(super) remedy: &'static str,
}

impl Unsound {
    fn at(sql: &str, at: usize, message: impl Into<String>, remedy: &'static str) -> Unsound {
        Unsound { line: Some(line_of(sql, at)), message: message.into(), remedy }
    }
}

/// For a statement that has no file of its own.
impl std::fmt::Display for Unsound {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(line) = self.line {
            write!(out, "line {line} ")?;
        }
        out.write_str(&self.message)
    }
}

/// Every `$name` of a statement, in order, repetitions included.
///
/// # Errors
///
/// Something is not closed, there is more than one statement or none, or a parameter has another form.
pub(super) fn parameters(sql: &str) -> Result<Vec<SqlParameter<'_>>, Unsound> {
    let bytes = sql.as_bytes();
    if let Some(at) = bytes.iter().position(|byte| *byte == 0) {
        let remedy = "remove it; a file that is full of them is UTF-16: save it as UTF-8";
        return Err(Unsound::at(sql, at, "holds a NUL byte (U+0000), where SQLite stops reading", remedy));
    }
    let mut parameters = Vec::new();
    let mut at = 0;
    let mut has_words = false;
    let mut ended = false;
    while at < bytes.len() {
        let start = at;
        let byte = bytes[at];
        at = match byte {
            b'-' if bytes.get(at + 1) == Some(&b'-') => line_end(bytes, at),
            b'/' if bytes.get(at + 1) == Some(&b'*') => match sql[at + 2..].find("*/") {
                Some(length) => at + 2 + length + 2,
                None => return not_closed(sql, at, "a comment"),
            },
            _ if byte.is_ascii_whitespace() => at + 1,
            b';' => {
                ended = true;
                at + 1
            }
            _ if ended => {
                let remedy = "write one statement to an endpoint";
                return Err(Unsound::at(sql, at, "begins a second statement", remedy));
            }
            b'\'' => closed(sql, at, '\'', "a string")?,
            b'"' | b'`' => closed(sql, at, byte.into(), "a quoted name")?,
            b'[' => match sql[at..].find(']') {
                Some(length) => at + length + 1,
                None => return not_closed(sql, at, "a quoted name"),
            },
            b'$' => {
                let end = word_end(bytes, at + 1);
                let name = &sql[at + 1..end];
                if !super::values::is_identifier(name) {
                    let remedy = "write $name, letters, digits and `_`";
                    return Err(Unsound::at(sql, at, "has a `$` without a name", remedy));
                }
                parameters.push(SqlParameter { name, at: at..end });
                end
            }
            b'?' => return other_form(sql, at),
            b':' if bytes.get(at + 1) == Some(&b':') => at + 2,
            b'@' | b':' | b'#' if bytes.get(at + 1).is_some_and(|byte| is_word(*byte)) => {
                return other_form(sql, at);
            }
            _ if is_word(byte) => word_end(bytes, at),
            _ => at + 1,
        };
        has_words |= is_word(bytes[start]);
    }
    if !has_words {
        let message = "the statement is empty".into();
        return Err(Unsound { line: None, message, remedy: "write one, such as SELECT id FROM users" });
    }
    Ok(parameters)
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii()
}

/// Where a word ends. As in SQLite, `$` goes on with a word.
fn word_end(bytes: &[u8], from: usize) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    from + rest.iter().position(|byte| !is_word(*byte) && *byte != b'$').unwrap_or(rest.len())
}

fn line_end(bytes: &[u8], from: usize) -> usize {
    bytes[from..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |length| from + length)
}

/// Behind the quote that closes the one at `from`; a doubled one stands for itself.
fn closed(sql: &str, from: usize, quote: char, what: &str) -> Result<usize, Unsound> {
    let mut at = from + 1;
    while let Some(length) = sql[at..].find(quote) {
        at += length + 1;
        if !sql[at..].starts_with(quote) {
            return Ok(at);
        }
        at += 1;
    }
    not_closed(sql, from, what)
}

fn not_closed<T>(sql: &str, at: usize, what: &str) -> Result<T, Unsound> {
    Err(Unsound::at(sql, at, format!("begins {what} that is not closed"), "close it"))
}

fn other_form<T>(sql: &str, at: usize) -> Result<T, Unsound> {
    Err(Unsound::at(sql, at, "has a parameter without `$`", "write it as $name"))
}

/// The line in which a statement begins, behind comments and empty lines.
pub(super) fn first_line(sql: &str) -> usize {
    let bytes = sql.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        at = match bytes[at] {
            b'-' if bytes.get(at + 1) == Some(&b'-') => line_end(bytes, at),
            b'/' if bytes.get(at + 1) == Some(&b'*') => {
                sql[at + 2..].find("*/").map_or(bytes.len(), |length| at + 2 + length + 2)
            }
            byte if byte.is_ascii_whitespace() => at + 1,
            _ => return line_of(sql, at),
        };
    }
    1
}

pub(super) fn line_of(sql: &str, at: usize) -> usize {
    1 + sql.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(sql: &str, expected: Result<&[&str], &str>) {
        let found = parameters(sql);
        match (&found, expected) {
            (Ok(found), Ok(expected)) => {
                let names: Vec<&str> = found.iter().map(|parameter| parameter.name).collect();
                assert_eq!(names, expected, "{sql}");
                for parameter in found {
                    assert_eq!(sql[parameter.at.clone()], format!("${}", parameter.name));
                }
            }
            (Err(unsound), Err(expected)) => assert_eq!(unsound.to_string(), expected, "{sql}"),
            _ => panic!("{sql}: {found:?}"),
        }
    }

    #[test]
    fn parameters_stand_outside_of_what_is_quoted() {
        check("SELECT $a, $b_1 FROM t WHERE x=$a", Ok(&["a", "b_1", "a"]));
        check("SELECT '$a', \"$b\", `$c`, [$d] -- $e\n, /* $f */ $g", Ok(&["g"]));
        check("SELECT 'it''s $a', $b", Ok(&["b"]));
        check("SELECT \"x\"\"$a\", $b", Ok(&["b"]));
        check("SELECT x::text, -$a - -$b", Ok(&["a", "b"]));
        check("SELECT 'ü', $a; -- the end", Ok(&["a"]));
        check("SELECT a$b", Ok(&[]));
        check("SELECT $1", Err("line 1 has a `$` without a name"));
        check("SELECT\n$", Err("line 2 has a `$` without a name"));
        check("SELECT $a$b", Err("line 1 has a `$` without a name"));
        check("SELECT $$x$$", Err("line 1 has a `$` without a name"));
        check("SELECT $ü", Err("line 1 has a `$` without a name"));
        check("SELECT ?", Err("line 1 has a parameter without `$`"));
        check("SELECT :a", Err("line 1 has a parameter without `$`"));
        check("SELECT @a", Err("line 1 has a parameter without `$`"));
        check("SELECT 1; SELECT 2", Err("line 1 begins a second statement"));
        check("SELECT 'a\n$b", Err("line 1 begins a string that is not closed"));
        check("SELECT \n\"a", Err("line 2 begins a quoted name that is not closed"));
        check("SELECT /* a", Err("line 1 begins a comment that is not closed"));
        check(" ; -- nothing", Err("the statement is empty"));
        check("", Err("the statement is empty"));
        check("SELECT\n'\0'", Err("line 2 holds a NUL byte (U+0000), where SQLite stops reading"));
    }

    #[test]
    fn where_a_statement_begins() {
        for (sql, line) in [
            ("SELECT 1", 1),
            ("\n\n SELECT 1", 3),
            ("-- a\n/* b\n*/ SELECT\n1", 3),
            ("-- a", 1),
            ("/*", 1),
            ("", 1),
        ] {
            assert_eq!(first_line(sql), line, "{sql}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(sql in "[-a$'\"`/*\\[\\];:@?ü \n]{0,40}") {
            let _ = parameters(&sql);
        }
    }
}
