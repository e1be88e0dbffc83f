//! How long a key may be: the path to its row has to fit into `http.max_target`, or nobody would reach the row again.

use crate::config::plan::{self, ColumnIndex, Type};
use ringmill_sqlite::Value;

use super::percent;
use super::router::{self, Segment};

/// Bytes of a part of a key that is not known yet, at most: a UUID, a time with its escapes, an identity's number.
const GENERATED_BYTES_MAX: usize = 40;

/// What the path to a table's rows leaves for their keys.
#[derive(Clone, Debug)]
pub(super) struct KeyRoom {
    pub(super) key: Vec<ColumnIndex>,
    /// Of all parts together, escaped.
    bytes_max: usize,
}

impl KeyRoom {
    /// `None`: no path leads to its rows.
    pub(super) fn of(table: &plan::Table, target_bytes_max: usize) -> Option<KeyRoom> {
        let mut around = String::new();
        for segment in router::segments(table.item.as_deref()?) {
            around.push('/');
            if let Segment::Literal(literal) = segment {
                percent::encode_segment(&mut around, &literal);
            }
        }
        let bytes_max = target_bytes_max.saturating_sub(around.len());
        Some(KeyRoom { key: table.key.clone(), bytes_max })
    }

    /// The longest of a key's parts, as an index into `parts`, if they have no room. A part that will be generated is `None`.
    pub(super) fn too_long(&self, parts: &[Option<(Type, &Value)>]) -> Option<usize> {
        let bytes = |part: &Option<(Type, &Value)>| {
            part.map_or(GENERATED_BYTES_MAX, |(kind, value)| {
                let mut segment = String::new();
                percent::encode_segment(&mut segment, &segment_of(kind, value));
                segment.len()
            })
        };
        let bytes: Vec<usize> = parts.iter().map(bytes).collect();
        let is_known = |index: &usize| parts[*index].is_some();
        let longest = (0..parts.len()).filter(is_known).max_by_key(|index| bytes[*index]);
        longest.filter(|_| bytes.iter().sum::<usize>() > self.bytes_max)
    }
}

/// A key's cell as it stands in a path: as in JSON, but without quotes.
pub(super) fn segment_of(kind: Type, value: &Value) -> String {
    if let Value::Text(text) = value {
        return text.clone();
    }
    let mut json = Vec::new();
    super::render::write_value(&mut json, Some(kind), value);
    String::from_utf8_lossy(&json).trim_matches('"').to_owned()
}
