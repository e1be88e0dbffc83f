//! The four forms of a request-target (RFC 9112 section 3.2).

use super::authority::{Port, has_escape, is_authority};
use crate::text::is_plain_path_byte;
use crate::{Method, Refusal};

/// A target taken apart.
pub(super) struct Form<'b> {
    pub(super) path: &'b str,
    pub(super) query: Option<&'b str>,
    /// Of an absolute-form target.
    pub(super) authority: Option<&'b str>,
}

/// Takes `target` apart; httparse has let through visible ASCII and bytes from 0x80 on.
#[inline]
pub(super) fn split(method: Method, target: &str) -> Result<Form<'_>, Refusal> {
    if method == Method::Connect {
        return authority_form(target);
    }
    if target.starts_with('/') {
        let (path, query) = path_and_query(target)?;
        return Ok(Form { path, query, authority: None });
    }
    if target == "*" && method == Method::Options {
        return Ok(Form { path: target, query: None, authority: None });
    }
    absolute_form(method, target)
}

fn authority_form(target: &str) -> Result<Form<'_>, Refusal> {
    match is_authority(target.as_bytes(), Port::Required) {
        true => Ok(Form { path: target, query: None, authority: Some(target) }),
        false => Err(Refusal::BadRequest),
    }
}

fn absolute_form(method: Method, target: &str) -> Result<Form<'_>, Refusal> {
    let rest = after_scheme(target, "http://").or_else(|| after_scheme(target, "https://"));
    let rest = rest.ok_or(Refusal::BadRequest)?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    if !is_authority(authority.as_bytes(), Port::Optional) {
        return Err(Refusal::BadRequest);
    }
    let (path, query) = path_and_query(rest)?;
    let path = match path {
        // RFC 9112 section 3.2.4: what a proxy would pass on as `*`.
        "" if method == Method::Options && query.is_none() => "*",
        "" => "/",
        _ => path,
    };
    Ok(Form { path, query, authority: Some(authority) })
}

fn after_scheme<'b>(target: &'b str, scheme: &str) -> Option<&'b str> {
    let start = target.get(..scheme.len())?;
    start.eq_ignore_ascii_case(scheme).then(|| &target[scheme.len()..])
}

/// Splits at the first `?`, looking at every byte once.
#[inline]
fn path_and_query(text: &str) -> Result<(&str, Option<&str>), Refusal> {
    let bytes = text.as_bytes();
    let mut end = 0;
    loop {
        let rest = &bytes[end..];
        end += rest.iter().position(|&byte| !is_plain_path_byte(byte)).unwrap_or(rest.len());
        match &bytes[end..] {
            [] => return Ok((text, None)),
            [b'?', ..] => break,
            rest if has_escape(rest) => end += 3,
            _ => return Err(Refusal::BadRequest),
        }
    }
    let (path, query) = (&text[..end], &text[end + 1..]);
    // Without an early exit, so that it is done for many bytes at a time.
    match query.bytes().fold(false, |found, byte| found | (byte == b'#') | (byte >= 0x80)) {
        true => Err(Refusal::BadRequest),
        false => Ok((path, Some(query))),
    }
}
