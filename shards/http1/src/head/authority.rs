//! `host [":" port]` (RFC 9110 section 7.2, RFC 3986 section 3.2), as it stands in Host and in targets.

use std::net::Ipv6Addr;

use crate::text::is_reg_name_byte;

/// Whether a port has to be there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Port {
    Optional,
    Required,
}

/// Whether `value` names a host, and a port from 0 to 65535 if there is one. No userinfo, no IPvFuture.
pub(super) fn is_authority(value: &[u8], port: Port) -> bool {
    let rest = match value.first() {
        Some(b'[') => after_ip_literal(value),
        _ => after_reg_name(value),
    };
    match rest {
        Some([]) => port == Port::Optional,
        Some([b':', digits @ ..]) => is_port(digits, port),
        _ => false,
    }
}

fn after_ip_literal(value: &[u8]) -> Option<&[u8]> {
    let end = value.iter().position(|&byte| byte == b']')?;
    let address = std::str::from_utf8(&value[1..end]).ok()?;
    address.parse::<Ipv6Addr>().ok()?;
    Some(&value[end + 1..])
}

fn after_reg_name(value: &[u8]) -> Option<&[u8]> {
    let mut rest = value;
    loop {
        let plain = rest.iter().position(|&byte| !is_reg_name_byte(byte)).unwrap_or(rest.len());
        rest = &rest[plain..];
        match rest {
            [] | [b':', ..] => break,
            [b'%', ..] if has_escape(rest) => rest = &rest[3..],
            _ => return None,
        }
    }
    (rest.len() < value.len()).then_some(rest)
}

/// Whether `bytes` begin with a well-formed percent-escape.
pub(super) fn has_escape(bytes: &[u8]) -> bool {
    matches!(bytes, [b'%', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
}

/// The grammar allows `host:` with no digits; it means the scheme's port.
fn is_port(digits: &[u8], port: Port) -> bool {
    if digits.is_empty() {
        return port == Port::Optional;
    }
    digits.len() <= 5
        && digits.iter().all(u8::is_ascii_digit)
        && digits.iter().fold(0u32, |value, digit| value * 10 + u32::from(digit - b'0')) <= 65535
}
