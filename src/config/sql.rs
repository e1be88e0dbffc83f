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

/// Every `$name` of a statement, in order, repetitions included.
///
/// # Errors
///
/// What is wrong with the statement, and what to do about it: something is not closed, there is more than one statement
/// or none, or a parameter has another form.
pub(super) fn parameters(sql: &str) -> Result<Vec<SqlParameter<'_>>, (String, &'static str)> {
    let bytes = sql.as_bytes();
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
                return Err((
                    format!("line {} begins a second statement", line_of(sql, at)),
                    "write one statement to an endpoint",
                ));
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
                    return Err((
                        format!("line {} has a `$` without a name", line_of(sql, at)),
                        "write $name, letters, digits and `_`",
                    ));
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
        return Err(("the statement is empty".into(), "write a statement"));
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
fn closed(sql: &str, from: usize, quote: char, what: &str) -> Result<usize, (String, &'static str)> {
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

fn not_closed<T>(sql: &str, at: usize, what: &str) -> Result<T, (String, &'static str)> {
    Err((format!("line {} begins {what} that is not closed", line_of(sql, at)), "close it"))
}

fn other_form<T>(sql: &str, at: usize) -> Result<T, (String, &'static str)> {
    Err((format!("line {} has a parameter without `$`", line_of(sql, at)), "write it as $name"))
}

fn line_of(sql: &str, at: usize) -> usize {
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
            (Err((message, _)), Err(expected)) => assert_eq!(message, expected, "{sql}"),
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
    }

    proptest! {
        #[test]
        fn no_text_panics(sql in "[-a$'\"`/*\\[\\];:@?ü \n]{0,40}") {
            let _ = parameters(&sql);
        }
    }
}
