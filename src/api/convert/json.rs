//! Values of `json` columns: kept as their text without white space, so that numbers keep their digits. A scan instead of
//! a tree, since a tree would round numbers and recurse as deep as a client likes.

use crate::api::words::{self, Message};

/// Deeper values could not be read back by common parsers.
const DEPTH_MAX: usize = 128;

/// The compact text of one JSON value.
pub(in crate::api) fn compact(raw: &str) -> Result<String, Message> {
    serde_json::from_str::<&serde_json::value::RawValue>(raw).map_err(|_| words::JSON)?;
    let bytes = raw.as_bytes();
    let mut out = String::with_capacity(raw.len());
    let mut depth = 0_usize;
    let mut index = 0;
    while index < bytes.len() {
        let end = match bytes[index] {
            b' ' | b'\t' | b'\r' | b'\n' => {
                index += 1;
                continue;
            }
            b'"' => {
                let end = string_end(bytes, index);
                check_string(&raw[index..end])?;
                end
            }
            b'{' | b'[' => {
                depth += 1;
                if depth > DEPTH_MAX {
                    return Err(words::TOO_DEEP.into());
                }
                index + 1
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                index + 1
            }
            _ => index + 1,
        };
        out.push_str(&raw[index..end]);
        index = end;
    }
    Ok(out)
}

/// Behind the quote that ends the string at `start`.
fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut index = start + 1;
    while index < bytes.len() {
        match bytes[index] {
            b'\\' => index += 2,
            b'"' => return index + 1,
            _ => index += 1,
        }
    }
    bytes.len()
}

fn check_string(raw: &str) -> Result<(), Message> {
    if !raw.contains('\\') {
        return Ok(());
    }
    let text: String = serde_json::from_str(raw).map_err(|_| words::UNICODE)?;
    if text.contains('\0') { Err(words::NUL.into()) } else { Ok(()) }
}
