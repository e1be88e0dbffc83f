//! HTTP/1.1 bytes in, heads and bodies out, and replies back to bytes (RFC 9112). Pure: no I/O, no clock.
//!
//! Decoding is strict where two readers could disagree about where a message ends: such a request is refused,
//! never repaired. Whatever way the bytes were split on the wire, the verdict is the same and the work is linear.

mod body;
mod head;
mod method;
mod refusal;
mod reply;
pub mod target;
mod text;

pub use body::{BodyDecoder, Decoded, EXTENSION_BYTES_MAX, TRAILER_BYTES_MAX};
pub use head::{BodyFraming, FIELDS_CAP, FieldStorage, Head, Limits, METHOD_BYTES_MAX, Version, decode_head};
pub use method::Method;
pub use refusal::Refusal;
pub use reply::{CONTINUE, Connection, DateText, Rendered, Status, encode_reply};
