//! HTTP/1.1 bytes in, heads and bodies out, and replies back to bytes (RFC 9112). Pure: no I/O, no clock.

mod method;

pub use method::Method;
