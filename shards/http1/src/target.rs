//! Percent-decoding of paths and queries. Pure helpers: nothing here knows what a route is.

use std::borrow::Cow;

use crate::text::hex_value;

#[cfg(test)]
mod tests;

/// Whether `+` stands for a space.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Plus {
    Itself,
    Space,
}

/// Whether what cannot be decoded is an error.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Malformed {
    Refuse,
    /// Broken escapes stand for themselves.
    Keep,
}

/// Percent-decodes one segment of a raw path. `None` if an escape is malformed or the result is not UTF-8.
/// Decode after splitting at `/`, so that `%2F` never separates; the result may hold NUL.
pub fn decode_segment(raw: &str) -> Option<Cow<'_, str>> {
    decode(raw, Plus::Itself)
}

/// Percent-decodes a name or value of a raw query, where `+` means a space. `None` as in [`decode_segment`].
pub fn decode_query_value(raw: &str) -> Option<Cow<'_, str>> {
    decode(raw, Plus::Space)
}

/// The pairs of a raw query, undecoded and in order: pieces between `&`, split at their first `=`. A piece
/// without `=` has an empty value; empty pieces are left out.
pub fn raw_query_pairs(raw: &str) -> impl Iterator<Item = (&str, &str)> {
    raw.split('&').filter(|piece| !piece.is_empty()).map(|piece| piece.split_once('=').unwrap_or((piece, "")))
}

/// The pairs of a raw query, decoded as the WHATWG's URL standard does it, which never fails: a malformed escape
/// stands for itself, and what is not UTF-8 becomes U+FFFD. Who would rather refuse takes [`raw_query_pairs`]
/// and [`decode_query_value`].
pub fn query_pairs(raw: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    raw_query_pairs(raw).map(|(name, value)| (decode_lossy(name), decode_lossy(value)))
}

/// The value of `name` in a raw query, decoded like [`query_pairs`]. Of several the first counts.
pub fn query_value<'r>(raw: &'r str, name: &str) -> Option<Cow<'r, str>> {
    raw_query_pairs(raw).find(|(each, _)| decode_lossy(each) == name).map(|(_, value)| decode_lossy(value))
}

fn decode(raw: &str, plus: Plus) -> Option<Cow<'_, str>> {
    if is_plain(raw, plus) {
        return Some(Cow::Borrowed(raw));
    }
    String::from_utf8(decode_bytes(raw, plus, Malformed::Refuse)?).ok().map(Cow::Owned)
}

fn decode_lossy(raw: &str) -> Cow<'_, str> {
    if is_plain(raw, Plus::Space) {
        return Cow::Borrowed(raw);
    }
    let bytes = decode_bytes(raw, Plus::Space, Malformed::Keep).unwrap_or_default();
    Cow::Owned(
        String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()),
    )
}

fn is_plain(raw: &str, plus: Plus) -> bool {
    !raw.bytes().any(|byte| byte == b'%' || (byte == b'+' && plus == Plus::Space))
}

fn decode_bytes(raw: &str, plus: Plus, malformed: Malformed) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(raw.len());
    let mut rest = raw.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'%' => match escaped(after) {
                Some(value) => {
                    decoded.push(value);
                    rest = &after[2..];
                }
                None if malformed == Malformed::Keep => decoded.push(b'%'),
                None => return None,
            },
            b'+' if plus == Plus::Space => decoded.push(b' '),
            _ => decoded.push(byte),
        }
    }
    Some(decoded)
}

/// The byte that the two digits after a `%` stand for.
fn escaped(digits: &[u8]) -> Option<u8> {
    match digits {
        [high, low, ..] => Some(hex_value(*high)? << 4 | hex_value(*low)?),
        _ => None,
    }
}
