//! What SQLite can hold.

/// A value as it is bound to a statement.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// SQL NULL.
    Null,
    /// INTEGER, also booleans (0 and 1).
    Integer(i64),
    /// REAL. Always finite.
    Real(f64),
    /// TEXT in UTF-8.
    Text(String),
    /// BLOB.
    Blob(Vec<u8>),
}
