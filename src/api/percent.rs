//! Percent-encoding of paths and queries (RFC 3986 section 2.1).
//!
//! A path is matched in a *normal form*: every escape that yields text is decoded, and what would change the path's shape or
//! is no text stays an escape in upper case: `/`, `%` itself, and bytes that are not UTF-8. So `%2F` never separates, and
//! the form is unambiguous.

use std::borrow::Cow;

/// The normal form of a raw path.
pub fn normalize(path: &str) -> Cow<'_, str> {
    if !path.contains('%') {
        return Cow::Borrowed(path);
    }
    let mut out = String::with_capacity(path.len());
    let bytes = decode_bytes(path, |byte| byte == b'/' || byte == b'%');
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        for byte in chunk.invalid() {
            push_escape(&mut out, *byte);
        }
    }
    Cow::Owned(out)
}

/// The text of a part of a normal form; `None` if it is no text.
pub(super) fn decode_normal(part: &str) -> Option<Cow<'_, str>> {
    if !part.contains('%') {
        return Some(Cow::Borrowed(part));
    }
    String::from_utf8(decode_all(part)).ok().map(Cow::Owned)
}

/// The pairs of a query, decoded, `+` as a space. A name that is no text is left out, since no parameter is called so; a
/// value that is none is `None`.
pub(super) fn query_pairs(query: &str) -> impl Iterator<Item = (Cow<'_, str>, Option<Cow<'_, str>>)> {
    query.split('&').filter(|pair| !pair.is_empty()).filter_map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        Some((decode_query(name)?, decode_query(value)))
    })
}

/// Appends `text` as one path segment: all but unreserved characters are escaped.
pub(super) fn encode_segment(out: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            push_escape(out, byte);
        }
    }
}

fn decode_query(text: &str) -> Option<Cow<'_, str>> {
    if !text.bytes().any(|byte| byte == b'%' || byte == b'+') {
        return Some(Cow::Borrowed(text));
    }
    let spaced = text.replace('+', " ");
    String::from_utf8(decode_all(&spaced)).ok().map(Cow::Owned)
}

fn decode_all(text: &str) -> Vec<u8> {
    decode_bytes(text, |_| false)
}

/// Decodes all escapes but those whose byte `keeps` names: these, and a `%` that begins no escape, come out as escapes.
fn decode_bytes(text: &str, keeps: impl Fn(u8) -> bool) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut index = 0;
    while index < bytes.len() {
        let (byte, length) = match bytes[index..] {
            [b'%', high, low, ..] => match (hex(high), hex(low)) {
                (Some(high), Some(low)) => (high << 4 | low, 3),
                _ => (b'%', 1),
            },
            [byte, ..] => (byte, 1),
            [] => break,
        };
        if keeps(byte) && bytes[index] == b'%' {
            out.extend_from_slice(&escape_of(byte));
        } else {
            out.push(byte);
        }
        index += length;
    }
    out
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

fn escape_of(byte: u8) -> [u8; 3] {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    [b'%', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]
}

fn push_escape(out: &mut String, byte: u8) {
    out.extend(escape_of(byte).map(char::from));
}
