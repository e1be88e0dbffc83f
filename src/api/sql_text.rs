//! What can be told of an endpoint's SQL by looking at its tokens: its parameters, whether it writes, and what its columns
//! are called. This is no parser: what it can't tell it says so, and the database, asked at start, knows better.

use crate::config::plan::{self, Type};

/// A column of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ResultColumn {
    pub(super) name: String,
    /// Of the table's column that it is; `None` for computed ones.
    pub(super) kind: Option<Type>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Word,
    /// `"name"`, `` `name` ``, `[name]`
    Quoted,
    /// `'text'`
    Text,
    /// `$name`
    Parameter,
    /// A number or a punctuation character.
    Other,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'a> {
    kind: Kind,
    pub(super) text: &'a str,
    pub(super) start: usize,
    /// How many parentheses are open around it; a parenthesis belongs outside.
    pub(super) depth: usize,
}

impl<'a> Token<'a> {
    pub(super) fn is(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(word)
    }

    fn is_any(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.is(word))
    }

    pub(super) fn is_symbol(&self, symbol: &str) -> bool {
        self.kind == Kind::Other && self.text == symbol
    }

    /// What stands between its quotes, of which the second may be missing.
    pub(super) fn inside(&self, close: &str) -> &'a str {
        let inside = &self.text[1..];
        inside.strip_suffix(close).unwrap_or(inside)
    }

    /// The name that it spells, if it is one.
    pub(super) fn name(&self) -> Option<String> {
        let doubled = |quote: &str| self.inside(quote).replace(&quote.repeat(2), quote);
        match self.kind {
            Kind::Word => Some(self.text.to_owned()),
            Kind::Quoted => Some(doubled(match self.text.as_bytes()[0] {
                b'[' => "]",
                b'`' => "`",
                _ => "\"",
            })),
            Kind::Text | Kind::Parameter | Kind::Other => None,
        }
    }
}

/// `sql` with each `$name` of `names` as `?1`, `?2` …, and which name each number is.
pub(super) fn numbered(sql: &str, names: &[&str]) -> (String, Vec<usize>) {
    let mut out = String::with_capacity(sql.len());
    let mut used: Vec<usize> = Vec::new();
    let mut copied = 0;
    for token in tokens(sql).iter().filter(|token| token.kind == Kind::Parameter) {
        let Some(index) = names.iter().position(|name| *name == &token.text[1..]) else { continue };
        let number = used.iter().position(|known| *known == index).unwrap_or_else(|| {
            used.push(index);
            used.len() - 1
        });
        out.push_str(&sql[copied..token.start]);
        out.push_str(&format!("?{}", number + 1));
        copied = token.start + token.text.len();
    }
    out.push_str(&sql[copied..]);
    (out, used)
}

/// What a statement does, by its verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Read,
    Write,
    Delete,
}

/// The verb; what is not known to read is taken to write.
pub(super) fn verb(sql: &str) -> Verb {
    let tokens = tokens(sql);
    match main_verb(&tokens).map(|index| tokens[index]) {
        Some(token) if token.is_any(&["SELECT", "VALUES"]) => Verb::Read,
        Some(token) if token.is("DELETE") => Verb::Delete,
        _ => Verb::Write,
    }
}

/// The first word of a statement that does something else than to read or write rows, in capitals.
pub(super) fn other_verb(sql: &str) -> Option<String> {
    const OTHER: &[&str] = &[
        "ALTER",
        "ANALYZE",
        "ATTACH",
        "BEGIN",
        "COMMIT",
        "CREATE",
        "DETACH",
        "DROP",
        "END",
        "EXPLAIN",
        "PRAGMA",
        "REINDEX",
        "RELEASE",
        "ROLLBACK",
        "SAVEPOINT",
        "VACUUM",
    ];
    let first = tokens(sql).into_iter().find(|token| !token.is_symbol(";"))?;
    first.is_any(OTHER).then(|| first.text.to_ascii_uppercase())
}

/// The columns of the statement's result; `None` if they can't be told.
pub(super) fn result_columns(sql: &str, tables: &[plan::Table]) -> Option<Vec<ResultColumn>> {
    let tokens = tokens(sql);
    let sources = sources(&tokens, main_verb(&tokens)?, tables);
    let mut columns = Vec::new();
    for item in items(result_list(&tokens)?) {
        add_item(&mut columns, sql, item, &sources)?;
    }
    Some(columns)
}

/// What stands between SELECT, or RETURNING, and what ends the list; empty if nothing is returned.
fn result_list<'a, 'b>(tokens: &'b [Token<'a>]) -> Option<&'b [Token<'a>]> {
    let verb = main_verb(tokens)?;
    let list = if tokens[verb].is("SELECT") {
        let modified = tokens.get(verb + 1).is_some_and(|token| token.is_any(&["DISTINCT", "ALL"]));
        verb + 1 + usize::from(modified)
    } else {
        match (verb..tokens.len()).find(|index| tokens[*index].depth == 0 && tokens[*index].is("RETURNING")) {
            Some(index) => index + 1,
            None => return Some(&[]),
        }
    };
    let end = (list..tokens.len()).find(|index| ends_list(&tokens[*index])).unwrap_or(tokens.len());
    Some(&tokens[list..end])
}

/// Whether the statement's RETURNING names a column, or all of them.
pub(super) fn returns(sql: &str, column: &str) -> bool {
    let tokens = tokens(sql);
    let returning = tokens.iter().position(|token| token.depth == 0 && token.is("RETURNING"));
    let list = returning.map_or(&[][..], |index| &tokens[index + 1..]);
    let names = |token: &Token<'_>| token.name().is_some_and(|name| name.eq_ignore_ascii_case(column));
    list.iter().any(names) || items(list).any(|item| matches!(item, [.., star] if star.is_symbol("*")))
}

/// What stands in the parentheses of each CHECK of a CREATE TABLE.
pub(super) fn check_conditions(sql: &str) -> Vec<&str> {
    let tokens = tokens(sql);
    let mut conditions = Vec::new();
    for (index, token) in tokens.iter().enumerate().filter(|(_, token)| token.is("CHECK")) {
        let Some(open) = tokens.get(index + 1).filter(|open| open.is_symbol("(")) else { continue };
        let close =
            tokens[index + 2..].iter().find(|close| close.is_symbol(")") && close.depth == token.depth);
        conditions.extend(close.map(|close| sql[open.start + 1..close.start].trim()));
    }
    conditions
}

/// The same statement without comments, with one space where white space was: on one line unless a text or a name holds a line break.
pub(super) fn one_line(sql: &str) -> String {
    let mut out = String::with_capacity(sql.len());
    let mut end = 0;
    for token in tokens(sql) {
        if token.start > end && !out.is_empty() {
            out.push(' ');
        }
        out.push_str(token.text);
        end = token.start + token.text.len();
    }
    out
}

/// The texts and the whole numbers that stand in a statement.
pub(super) fn literals(sql: &str) -> (Vec<String>, Vec<i64>) {
    let tokens = tokens(sql);
    let of = |kind: Kind| tokens.iter().filter(move |token| token.kind == kind);
    let texts = of(Kind::Text).map(|token| token.inside("'").replace("''", "'"));
    (texts.collect(), of(Kind::Other).filter_map(|token| token.text.parse().ok()).collect())
}

const AFTER_LIST: &[&str] = &[
    "FROM",
    "WHERE",
    "GROUP",
    "HAVING",
    "WINDOW",
    "ORDER",
    "LIMIT",
    "UNION",
    "INTERSECT",
    "EXCEPT",
    "RETURNING",
];

fn ends_list(token: &Token<'_>) -> bool {
    token.depth == 0 && (token.is_any(AFTER_LIST) || token.is_symbol(";"))
}

/// The first word; behind WITH the first verb outside of all parentheses.
fn main_verb(tokens: &[Token<'_>]) -> Option<usize> {
    let first = tokens.first().filter(|token| token.kind == Kind::Word)?;
    if !first.is("WITH") {
        return Some(0);
    }
    let verbs = ["SELECT", "VALUES", "INSERT", "UPDATE", "DELETE", "REPLACE"];
    tokens.iter().position(|token| token.depth == 0 && token.is_any(&verbs))
}

/// The items between commas.
fn items<'a, 'b>(tokens: &'b [Token<'a>]) -> impl Iterator<Item = &'b [Token<'a>]> {
    tokens.split(|token| token.depth == 0 && token.is_symbol(",")).filter(|item| !item.is_empty())
}

/// A table that the statement names, and what it calls it.
struct Source<'a> {
    alias: String,
    /// `None`: a subquery, or a table that the file does not declare.
    table: Option<&'a plan::Table>,
}

/// What follows FROM, JOIN, INTO and UPDATE at the top.
fn sources<'a>(tokens: &[Token<'_>], verb: usize, tables: &'a [plan::Table]) -> Vec<Source<'a>> {
    // Names in front of the verb are those of a WITH: they hide tables.
    let hidden: Vec<_> =
        tokens[..verb].iter().filter(|token| token.depth == 0).filter_map(Token::name).collect();
    let mut sources = Vec::new();
    let mut index = verb;
    let mut in_from = false;
    while index < tokens.len() {
        let token = &tokens[index];
        if token.depth > 0 {
            index += 1;
            continue;
        }
        // Of a compound the first part gives the names.
        if token.is_any(&["UNION", "INTERSECT", "EXCEPT"]) {
            break;
        }
        let opens = token.is_any(&["FROM", "JOIN", "INTO", "UPDATE"]);
        let ends = token.is_any(AFTER_LIST) || token.is_any(&["SET", "VALUES", "SELECT"]);
        in_from = opens || (in_from && !ends);
        index += 1;
        let begins = opens || (in_from && token.is_symbol(","));
        if !begins {
            continue;
        }
        // UPDATE OR REPLACE t
        if tokens.get(index).is_some_and(|token| token.is("OR")) {
            index += 2;
        }
        let Some(first) = tokens.get(index) else { break };
        let mut table = None;
        let mut alias = String::new();
        if first.is_symbol("(") {
            index += 1;
            while tokens.get(index).is_some_and(|token| token.depth > first.depth) {
                index += 1;
            }
        } else if let Some(mut name) = first.name() {
            if tokens.get(index + 1).is_some_and(|token| token.is_symbol("."))
                && let Some(qualified) = tokens.get(index + 2).and_then(Token::name)
            {
                name = qualified;
                index += 2;
            }
            table = tables
                .iter()
                .find(|table| table.sql_name.eq_ignore_ascii_case(&name))
                .filter(|_| !hidden.iter().any(|hidden| hidden.eq_ignore_ascii_case(&name)));
            alias = name;
        }
        index += 1;
        if tokens.get(index).is_some_and(|token| token.is("AS")) {
            index += 1;
        }
        let alias_token = tokens.get(index).filter(|token| token.depth == 0 && !token.is_any(NO_ALIAS));
        if let Some(name) = alias_token.and_then(Token::name) {
            alias = name;
            index += 1;
        }
        sources.push(Source { alias, table });
        // RETURNING speaks of the table that is written alone.
        if !tokens[verb].is("SELECT") {
            break;
        }
    }
    sources
}

const NO_ALIAS: &[&str] = &[
    "ON",
    "USING",
    "JOIN",
    "LEFT",
    "RIGHT",
    "FULL",
    "INNER",
    "CROSS",
    "NATURAL",
    "OUTER",
    "INDEXED",
    "NOT",
    "WHERE",
    "GROUP",
    "HAVING",
    "WINDOW",
    "ORDER",
    "LIMIT",
    "UNION",
    "INTERSECT",
    "EXCEPT",
    "RETURNING",
    "SET",
    "VALUES",
    "SELECT",
    "DEFAULT",
    "FROM",
    "WITH",
];

/// Words that end an expression or join it to what follows: behind them no alias stands.
const NO_OPERAND: &[&str] = &[
    "AND", "OR", "NOT", "IS", "LIKE", "GLOB", "REGEXP", "MATCH", "IN", "BETWEEN", "COLLATE", "ESCAPE",
    "DISTINCT", "FROM", "OVER", "ELSE", "THEN", "WHEN", "CASE", "FILTER",
];
const NO_NAME: &[&str] = &["END", "NULL", "TRUE", "FALSE", "ISNULL", "NOTNULL"];

fn add_item(
    columns: &mut Vec<ResultColumn>,
    sql: &str,
    item: &[Token<'_>],
    sources: &[Source<'_>],
) -> Option<()> {
    let (expression, alias) = match item {
        [expression @ .., word, name] if word.is("AS") => (expression, Some(alias_name(name)?)),
        [expression @ .., name] if !expression.is_empty() && is_implicit_alias(expression, name) => {
            (expression, Some(alias_name(name)?))
        }
        expression => (expression, None),
    };
    let found = match expression {
        [star] if star.is_symbol("*") => return add_all(columns, sources.iter()),
        [alias, dot, star] if dot.is_symbol(".") && star.is_symbol("*") => {
            let alias = alias.name()?;
            return add_all(
                columns,
                sources.iter().filter(|source| source.alias.eq_ignore_ascii_case(&alias)),
            );
        }
        [name] => name.name().map(|name| (column(sources, None, &name), name)),
        [.., alias, dot, name] if dot.is_symbol(".") && expression.len() <= 5 => {
            match (alias.name(), name.name()) {
                (Some(alias), Some(name)) => Some((column(sources, Some(&alias), &name), name)),
                _ => None,
            }
        }
        _ => None,
    };
    let plan_column = found.as_ref().and_then(|(column, _)| *column);
    let own_name = || match &found {
        Some((Some(column), _)) => Some(column.name.clone()),
        Some((None, name)) => Some(name.clone()),
        // As the database does: the text as it was written.
        None => {
            let (first, last) = (expression.first()?, expression.last()?);
            Some(sql[first.start..last.start + last.text.len()].to_owned())
        }
    };
    let name = alias.or_else(own_name)?;
    columns.push(ResultColumn { name, kind: plan_column.map(|column| column.rules.kind) });
    Some(())
}

fn add_all<'a>(columns: &mut Vec<ResultColumn>, sources: impl Iterator<Item = &'a Source<'a>>) -> Option<()> {
    for source in sources {
        let all = source.table?.columns.iter();
        columns.extend(
            all.map(|column| ResultColumn { name: column.name.clone(), kind: Some(column.rules.kind) }),
        );
    }
    Some(())
}

fn alias_name(token: &Token<'_>) -> Option<String> {
    match token.kind {
        Kind::Text => Some(token.inside("'").replace("''", "'")),
        _ => token.name(),
    }
}

fn is_implicit_alias(expression: &[Token<'_>], name: &Token<'_>) -> bool {
    let named = matches!(name.kind, Kind::Word | Kind::Quoted | Kind::Text) && !name.is_any(NO_NAME);
    let operand = expression.last().is_some_and(|token| match token.kind {
        Kind::Word => !token.is_any(NO_OPERAND),
        Kind::Quoted | Kind::Text | Kind::Parameter => true,
        Kind::Other => token.text == ")" || token.text.as_bytes()[0].is_ascii_digit(),
    });
    named && name.depth == 0 && operand
}

/// The one column of that name among the sources; none if another could be meant.
fn column<'a>(sources: &[Source<'a>], alias: Option<&str>, name: &str) -> Option<&'a plan::Column> {
    let meant = |source: &&Source<'_>| alias.is_none_or(|alias| source.alias.eq_ignore_ascii_case(alias));
    let mut found = None;
    for source in sources.iter().filter(meant) {
        let mut columns = source.table?.columns.iter();
        if let Some(column) = columns.find(|column| column.name.eq_ignore_ascii_case(name))
            && found.replace(column).is_some()
        {
            return None;
        }
    }
    found
}

pub(super) fn tokens(sql: &str) -> Vec<Token<'_>> {
    let bytes = sql.as_bytes();
    let mut tokens = Vec::new();
    let mut depth = 0_usize;
    let mut start = 0;
    while start < bytes.len() {
        let rest = &sql[start..];
        let (kind, length) = match bytes[start] {
            byte if byte.is_ascii_whitespace() => {
                start += 1;
                continue;
            }
            b'-' if rest.starts_with("--") => {
                start += rest.find('\n').unwrap_or(rest.len());
                continue;
            }
            b'/' if rest.starts_with("/*") => {
                start += rest[2..].find("*/").map_or(rest.len(), |end| end + 4);
                continue;
            }
            b'\'' => (Kind::Text, quoted_length(rest, b'\'')),
            b'"' => (Kind::Quoted, quoted_length(rest, b'"')),
            b'`' => (Kind::Quoted, quoted_length(rest, b'`')),
            b'[' => (Kind::Quoted, quoted_length(rest, b']')),
            b'$' => (Kind::Parameter, 1 + word_length(&rest[1..])),
            byte if is_word(byte) && !byte.is_ascii_digit() => (Kind::Word, word_length(rest)),
            byte if byte.is_ascii_digit() => (Kind::Other, word_length(rest)),
            _ => (Kind::Other, 1),
        };
        let text = &rest[..length];
        if text == ")" {
            depth = depth.saturating_sub(1);
        }
        tokens.push(Token { kind, text, start, depth });
        if text == "(" {
            depth += 1;
        }
        start += length;
    }
    tokens
}

/// Up to the closing quote; a doubled one stands for itself.
fn quoted_length(text: &str, close: u8) -> usize {
    let bytes = text.as_bytes();
    let mut index = 1;
    while index < bytes.len() {
        if bytes[index] != close {
            index += 1;
        } else if bytes.get(index + 1) == Some(&close) {
            index += 2;
        } else {
            return index + 1;
        }
    }
    bytes.len()
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// As in SQLite, `$` goes on with a word.
fn word_length(text: &str) -> usize {
    text.bytes().position(|byte| !is_word(byte) && byte != b'$').unwrap_or(text.len())
}
