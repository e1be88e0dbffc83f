//! Values of the database to JSON, straight into the answer's bytes.

use crate::config::plan::Type;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ringmill_sqlite::Value;

use super::convert::number;

/// Appends `value` as a column of type `kind` shows it; without a type, as the database's kind of value tells. What does not
/// fit its type (a table that others made, a computed column) shows as what it is, so that the answer is JSON whatever is stored.
pub(super) fn write_value(out: &mut Vec<u8>, kind: Option<Type>, value: &Value) {
    match (kind, value) {
        (Some(Type::Boolean), Value::Integer(flag)) => {
            out.extend_from_slice(if *flag == 0 { b"false" } else { b"true" });
        }
        (Some(Type::Real), Value::Real(real)) => write_single(out, *real),
        (Some(Type::Real | Type::Double), Value::Integer(integer)) => write_double(out, *integer as f64),
        (Some(Type::Numeric), Value::Text(text)) if number::is_number(text) => {
            out.extend_from_slice(text.as_bytes());
        }
        (Some(Type::Json), Value::Text(text)) if is_json(text) => out.extend_from_slice(text.as_bytes()),
        (_, Value::Null) => write_null(out),
        (_, Value::Integer(integer)) => write_integer(out, *integer),
        (_, Value::Real(real)) => write_double(out, *real),
        (_, Value::Text(text)) => escape(out, text),
        (_, Value::Blob(bytes)) => {
            out.push(b'"');
            let start = out.len();
            let length = base64::encoded_len(bytes.len(), true).expect("a reply is far smaller than memory");
            out.resize(start + length, 0);
            STANDARD.encode_slice(bytes, &mut out[start..]).expect("the room was made to measure");
            out.push(b'"');
        }
    }
}

pub(super) fn write_integer(out: &mut Vec<u8>, integer: i64) {
    out.extend_from_slice(itoa::Buffer::new().format(integer).as_bytes());
}

pub(super) fn write_null(out: &mut Vec<u8>) {
    out.extend_from_slice(b"null");
}

fn write_double(out: &mut Vec<u8>, real: f64) {
    if real.is_finite() {
        out.extend_from_slice(ryu::Buffer::new().format_finite(real).as_bytes());
    } else {
        out.extend_from_slice(not_finite(real).as_bytes());
    }
}

/// A `real` has four bytes: its digits are those that tell it from its neighbours.
fn write_single(out: &mut Vec<u8>, real: f64) {
    let single = real as f32;
    if single.is_finite() {
        out.extend_from_slice(ryu::Buffer::new().format_finite(single).as_bytes());
    } else {
        write_double(out, real);
    }
}

fn not_finite(real: f64) -> &'static str {
    if real.is_nan() {
        "\"NaN\""
    } else if real > 0.0 {
        "\"Infinity\""
    } else {
        "\"-Infinity\""
    }
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<&serde_json::value::RawValue>(text).is_ok()
}

/// What a byte of a string becomes: 0 itself, `u` a `\u00XX`, else a backslash and this byte.
static ESCAPES: [u8; 256] = {
    let mut table = [0; 256];
    let mut control = 0;
    while control < 0x20 {
        table[control] = b'u';
        control += 1;
    }
    table[0x08] = b'b';
    table[0x09] = b't';
    table[0x0a] = b'n';
    table[0x0c] = b'f';
    table[0x0d] = b'r';
    table[b'"' as usize] = b'"';
    table[b'\\' as usize] = b'\\';
    table
};

/// Appends `text` as a JSON string: only `"`, `\` and controls are escaped.
pub(super) fn escape(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    out.reserve(bytes.len() + 2);
    out.push(b'"');
    let mut plain = 0;
    for (index, byte) in bytes.iter().enumerate() {
        let escape = ESCAPES[usize::from(*byte)];
        if escape == 0 {
            continue;
        }
        out.extend_from_slice(&bytes[plain..index]);
        plain = index + 1;
        if escape == b'u' {
            const DIGITS: &[u8; 16] = b"0123456789abcdef";
            out.extend_from_slice(b"\\u00");
            out.push(DIGITS[usize::from(byte >> 4)]);
            out.push(DIGITS[usize::from(byte & 15)]);
        } else {
            out.extend_from_slice(&[b'\\', escape]);
        }
    }
    out.extend_from_slice(&bytes[plain..]);
    out.push(b'"');
}
