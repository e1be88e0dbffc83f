//! Drawn requests: what is asked in the model's terms, and the bytes that say so.

use crate::file::{File, Table};
use crate::state::{Row, State};
use crate::value::{Cell, Input, Kind};
use proptest::prelude::*;

/// Fields of a request that a draw has something to say about; further columns begin again.
const FIELDS: usize = 8;

/// Numbers alone, as in a [`crate::file::ColumnDraw`].
#[derive(Clone, Debug)]
pub(crate) struct AskDraw {
    operation: u16,
    table: u16,
    row: u16,
    twist: u16,
    chance: u64,
    fields: [(u16, u32); FIELDS],
}

pub(crate) fn asks(count: usize) -> impl Strategy<Value = Vec<AskDraw>> {
    let field = (any::<u16>(), any::<u32>());
    let fields = prop::array::uniform8(field);
    let ask = (any::<u16>(), any::<u16>(), any::<u16>(), any::<u16>(), any::<u64>(), fields);
    let ask = ask.prop_map(|(operation, table, row, twist, chance, fields)| AskDraw {
        operation,
        table,
        row,
        twist,
        chance,
        fields,
    });
    prop::collection::vec(ask, 1..=count)
}

/// A key is `None` if the path says something that is no value of its type.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    List {
        page: Option<u64>,
        per_page: Option<u64>,
    },
    Create,
    Get(Option<Vec<Cell>>),
    Put(Option<Vec<Cell>>),
    Patch(Option<Vec<Cell>>),
    Delete(Option<Vec<Cell>>),
    OptionsOfList,
    OptionsOfItem,
    /// All columns of all rows, by an endpoint.
    Dump,
    /// A path that nobody declared.
    Unknown,
}

#[derive(Clone, Debug)]
pub(crate) enum Body {
    Fields(Vec<Field>),
    NoObject(&'static str),
    NoJson(&'static str),
    /// A good body that does not say that it is JSON.
    OtherType(Option<&'static str>),
}

#[derive(Clone, Debug)]
pub(crate) struct Field {
    /// A column, or a name that is none.
    pub(crate) column: Result<usize, String>,
    pub(crate) input: Input,
}

#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) table: usize,
    pub(crate) operation: Operation,
    pub(crate) body: Body,
    pub(crate) method: &'static str,
    pub(crate) target: String,
    pub(crate) content_type: Option<&'static str>,
    pub(crate) bytes: Vec<u8>,
    pub(crate) now_unix_us: i64,
    pub(crate) random: u128,
}

impl AskDraw {
    pub(crate) fn ask(&self, file: &File, state: &State, now_unix_us: i64) -> Ask {
        let index = usize::from(self.table) % file.tables.len();
        let table = &file.tables[index];
        let list = table.list_path();
        let (key, item) = self.key(table, &state.rows[index]);
        let is_nowhere = item.is_none();
        let item = item.unwrap_or_else(|| format!("/{}/one/", table.name));
        let (operation, method, target) = match self.operation % 32 {
            0..11 => (Operation::Create, "POST", list),
            11..15 => self.list(list),
            15..18 => (Operation::Get(key), if self.twist.is_multiple_of(9) { "HEAD" } else { "GET" }, item),
            18..22 => (Operation::Put(key), "PUT", item),
            22..26 => (Operation::Patch(key), "PATCH", item),
            26..29 => (Operation::Delete(key), "DELETE", item),
            29 if self.twist.is_multiple_of(2) => (Operation::OptionsOfList, "OPTIONS", list),
            29 => (Operation::OptionsOfItem, "OPTIONS", item),
            30 => (Operation::Unknown, "GET", format!("{list}/")),
            _ => (Operation::Dump, "GET", format!("/dump/{index}")),
        };
        let asks_for_row =
            (15..29).contains(&(self.operation % 32)) || matches!(operation, Operation::OptionsOfItem);
        let operation = if is_nowhere && asks_for_row { Operation::Unknown } else { operation };
        let is_create = matches!(operation, Operation::Create);
        let is_written = is_create || matches!(operation, Operation::Put(_) | Operation::Patch(_));
        let body = if is_written {
            self.body(file, state, index, is_create, &operation)
        } else {
            Body::Fields(Vec::new())
        };
        let (content_type, bytes) = match &body {
            _ if !is_written => (None, Vec::new()),
            Body::Fields(fields) => (Some("application/json"), object(table, fields, self.twist)),
            Body::NoObject(text) | Body::NoJson(text) => {
                (Some("application/json; charset=utf-8"), text.as_bytes().to_vec())
            }
            Body::OtherType(content_type) => (*content_type, b"{}".to_vec()),
        };
        let random = u128::from(self.chance) << 64 | u128::from(self.chance.rotate_left(17));
        Ask { table: index, operation, body, method, target, content_type, bytes, now_unix_us, random }
    }

    /// How much later it is than at the request before, in microseconds.
    pub(crate) fn later_us(&self) -> i64 {
        [0, 0, 1, 1_000_003][(self.chance % 4) as usize]
    }

    /// The key of a row that is there, or of another, and its path: none says an empty text.
    fn key(&self, table: &Table, rows: &[Row]) -> (Option<Vec<Cell>>, Option<String>) {
        let mut key = Vec::new();
        let (mut is_key, mut is_path) = (true, true);
        let mut path = String::new();
        let row = usize::from(self.row / 8);
        for (position, at) in table.item_order().into_iter().enumerate() {
            let kind = table.columns[at].kind;
            let cell = match self.row % 8 {
                0..6 if !rows.is_empty() => rows[row % rows.len()][at].clone(),
                _ => kind.input(self.fields[position].1).outcome.expect("a value"),
            };
            let mut text = kind.in_path(&cell);
            if self.row % 8 == 7 && position == 0 {
                is_key = false;
                let bad = ["\0", "x", "1.x", "+1", "%", "0x1"];
                let count = if kind == Kind::Text { 1 } else { bad.len() };
                text = bad[self.fields[0].1 as usize % count].to_owned();
            }
            is_path &= !text.is_empty();
            key.push((at, cell));
            path.push('/');
            path.push_str(&escaped(&text, self.twist));
        }
        let cells = table
            .key
            .iter()
            .map(|at| key.iter().find(|(known, _)| known == at).expect("all are there").1.clone());
        (is_key.then(|| cells.collect()), is_path.then(|| format!("/{}/one{path}", table.name)))
    }

    fn list(&self, path: String) -> (Operation, &'static str, String) {
        let number = |choice: u16| match choice % 8 {
            0..5 => (Some(u64::from(choice / 8 % 5) + 1), (choice / 8 % 5 + 1).to_string()),
            5 => (None, ["0", "-1", "x", "", "1.5", "%00"][usize::from(choice / 8 % 6)].to_owned()),
            6 => (Some(i64::MAX as u64), "9223372036854775808".to_owned()),
            _ => (Some(7), "0007".to_owned()),
        };
        let (page, page_text) = number(self.fields[0].0);
        let (per_page, per_page_text) = number(self.fields[1].0);
        let (operation, query) = match self.twist % 6 {
            0 => ((None, None), String::new()),
            1 => ((page, None), format!("?page={page_text}")),
            2 => ((None, per_page), format!("?x&per%5Fpage={per_page_text}&per_page=1")),
            _ => ((page, per_page), format!("?per_page={per_page_text}&page={page_text}&&=&page=2")),
        };
        (Operation::List { page: operation.0, per_page: operation.1 }, "GET", path + &query)
    }

    fn body(&self, file: &File, state: &State, index: usize, is_create: bool, operation: &Operation) -> Body {
        let table = &file.tables[index];
        match self.twist % 64 {
            60 => {
                return Body::NoJson(
                    ["", "{", "{\"a\":01}", "{} {}", "\u{feff}{}", "[1,]", "{'a':1}"]
                        [usize::from(self.row) % 7],
                );
            }
            61 => {
                return Body::NoObject(
                    ["[]", " null ", "\"x\"", "-0.1e5", "[{\"a\":1}]"][usize::from(self.row) % 5],
                );
            }
            62 => {
                return Body::OtherType(
                    [None, Some("text/plain"), Some("application/jsonx"), Some("")]
                        [usize::from(self.row) % 4],
                );
            }
            _ => {}
        }
        let mut fields = Vec::new();
        let own = match operation {
            Operation::Put(Some(key)) | Operation::Patch(Some(key)) => state.rows[index]
                .iter()
                .find(|row| table.key.iter().zip(key).all(|(at, cell)| row[*at] == *cell)),
            _ => None,
        };
        for (at, column) in table.columns.iter().enumerate() {
            let (mood, seed) = self.fields[at % FIELDS];
            let seed = seed.wrapping_add((at / FIELDS) as u32);
            let is_needed = column.required || table.key.contains(&at);
            let is_fixed = !column.is_settable() || (!is_create && table.key.contains(&at));
            let is_given = match (is_create, mood % 16) {
                _ if is_fixed => mood % 16 == 15,
                (true, mood) => mood < 12 || (is_needed && mood < 15),
                (false, mood) => mood < 8,
            };
            if !is_given {
                continue;
            }
            let input = match mood / 16 % 32 {
                31 => column.kind.bad_input(seed),
                30 => Input { raw: "null".into(), outcome: Ok(Cell::Null), number: None },
                29 => column.kind.input(seed),
                _ if is_fixed => match own {
                    Some(row) => {
                        Input { raw: column.kind.show(&row[at]), outcome: Ok(row[at].clone()), number: None }
                    }
                    None => column.kind.input(seed),
                },
                _ => fitting(file, state, index, at, seed),
            };
            fields.push(Field { column: Ok(at), input });
        }
        match self.twist % 64 {
            56 | 57 => fields.push(Field {
                column: Err(["nobody", "", "é\n"][usize::from(self.row) % 3].into()),
                input: table.columns[0].kind.input(0),
            }),
            58 if !fields.is_empty() => {
                let mut again = fields[usize::from(self.row) % fields.len()].clone();
                if let Ok(at) = again.column {
                    again.input = table.columns[at].kind.input(self.fields[0].1);
                }
                fields.push(again);
            }
            59 => fields.clear(),
            _ => {}
        }
        if self.twist % 3 == 1 {
            fields.reverse();
        }
        Body::Fields(fields)
    }
}

/// A value that keeps the column's rules, if one is found soon.
fn fitting(file: &File, state: &State, table: usize, at: usize, seed: u32) -> Input {
    let column = &file.tables[table].columns[at];
    if let Some((to, target, _)) = column.reference {
        let parents = &state.rows[to];
        if !parents.is_empty() && seed % 16 < 15 {
            let cell = parents[seed as usize / 16 % parents.len()][target].clone();
            return Input { raw: column.kind.show(&cell), outcome: Ok(cell), number: None };
        }
        if parents.is_empty() && seed % 4 < 3 && to != table {
            return Input { raw: "null".into(), outcome: Ok(Cell::Null), number: None };
        }
    }
    if let Some(choices) = &column.choices {
        return choices[seed as usize % choices.len()].clone();
    }
    if column.is_email {
        let text = format!("a{}@b.c", seed % 5);
        return Input { raw: crate::value::string(&text), outcome: Ok(Cell::Text(text)), number: None };
    }
    let in_key = file.tables[table].key.contains(&at);
    let tried = (0..20).map(|step| column.kind.input(seed.wrapping_add(step)));
    let fits = |input: &Input| column.broken_by(input, in_key).is_empty();
    tried.clone().find(fits).unwrap_or_else(|| column.kind.input(seed))
}

fn object(table: &Table, fields: &[Field], twist: u16) -> Vec<u8> {
    let fields = fields.iter().map(|field| {
        let name = match &field.column {
            Ok(at) => crate::value::string(&table.columns[*at].name),
            Err(name) => crate::value::string(name),
        };
        let name = if twist.is_multiple_of(7) { name.replace('c', "\\u0063") } else { name };
        format!("{name}:{}", field.input.raw)
    });
    let between = if twist.is_multiple_of(5) { " ,\r\n\t" } else { "," };
    format!("{{{}}}", fields.collect::<Vec<_>>().join(between)).into_bytes()
}

/// A path's segment: what has to be escaped, or all of it.
fn escaped(text: &str, twist: u16) -> String {
    let must = |byte: u8| !(byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
    let escape = |byte: u8| {
        if must(byte) || twist.is_multiple_of(4) {
            format!("%{byte:02X}")
        } else {
            char::from(byte).to_string()
        }
    };
    text.bytes().map(escape).collect()
}

impl Ask {
    /// Where an answer says that a row is.
    pub(crate) fn item_path(&self, table: &Table, row: &Row) -> String {
        let order = table.item_order().into_iter();
        let parts = order.map(|at| format!("/{}", escaped(&table.columns[at].kind.in_path(&row[at]), 1)));
        format!("/{}/one{}", table.name, parts.collect::<String>())
    }
}
