//! The head of a request: from the first byte to the empty line.
//!
//! httparse finds the parts, this file says whether they may stand together. A head that is there as a whole is
//! parsed at once. One that trickles in is not parsed again with every byte: only its new bytes are searched for
//! the empty line, and it is parsed when that has come or a bound is passed.

mod authority;
mod fields;
mod target_form;

#[cfg(test)]
mod tests;

use std::mem::MaybeUninit;

use httparse::{Header, Status};

use crate::text::{is_token, is_token_byte};
use crate::{Method, Refusal};

/// The most fields that [`Limits::fields_max`] can ask for.
pub const FIELDS_CAP: usize = 256;

/// The longest method that is read, known or not.
pub const METHOD_BYTES_MAX: usize = 32;

/// How large a head may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the whole head, the empty line included. Beyond: [`Refusal::HeadTooLarge`].
    pub head_bytes_max: usize,
    /// Field lines; at most [`FIELDS_CAP`]. Beyond: [`Refusal::HeadTooLarge`].
    pub fields_max: usize,
    /// Bytes of the request-target. Beyond: [`Refusal::TargetTooLong`].
    pub target_bytes_max: usize,
}

/// Room for the fields of one head, on the caller's stack and never zeroed. One is made for each call of
/// [`decode_head`]; the [`Head`] borrows it.
pub struct FieldStorage<'b> {
    slots: [MaybeUninit<Header<'b>>; FIELDS_CAP],
}

impl FieldStorage<'_> {
    /// Costs nothing but stack.
    #[inline]
    pub fn new() -> Self {
        FieldStorage { slots: [const { MaybeUninit::uninit() }; FIELDS_CAP] }
    }
}

impl Default for FieldStorage<'_> {
    fn default() -> Self {
        FieldStorage::new()
    }
}

/// The versions that are spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    Http11,
}

/// How the end of the body is found (RFC 9112 section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFraming {
    /// Neither Content-Length nor Transfer-Encoding: there is no body.
    None,
    /// Content-Length, in bytes; may be 0.
    Sized(u64),
    /// Transfer-Encoding: chunked.
    Chunked,
}

/// A request's head. `'b` is the life of the received bytes, `'f` that of the [`FieldStorage`].
///
/// Where a field that is named here occurs several times, the first counts, save for `forwarded_for`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head<'b, 'f> {
    /// The method.
    pub method: Method,
    /// The version of the request; the answer is always HTTP/1.1.
    pub version: Version,
    /// The request-target as received: visible ASCII without `#`.
    pub target: &'b str,
    /// The path as received, its percent-escapes well-formed but not decoded. `/` if an absolute-form target
    /// has none, `*` for `OPTIONS *`, `host:port` for CONNECT.
    pub path: &'b str,
    /// What follows the first `?`, as received. Its escapes are not checked.
    pub query: Option<&'b str>,
    /// How the body ends.
    pub framing: BodyFraming,
    /// Whether the client wants to use the connection again.
    pub keep_alive: bool,
    /// Whether the client waits for 100 (Continue) before it sends the body that `framing` announces.
    pub expect_continue: bool,
    /// The authority of an absolute-form target, else the value of Host. None only in HTTP/1.0.
    pub host: Option<&'b [u8]>,
    /// Content-Type
    pub content_type: Option<&'b [u8]>,
    /// X-Request-Id
    pub request_id: Option<&'b [u8]>,
    /// If-None-Match
    pub if_none_match: Option<&'b [u8]>,
    /// Accept-Encoding
    pub accept_encoding: Option<&'b [u8]>,
    /// The last X-Forwarded-For, since the nearest proxy writes last; the others are in [`Head::field_lines`].
    pub forwarded_for: Option<&'b [u8]>,
    fields: &'f [Header<'b>],
}

impl<'b, 'f> Head<'b, 'f> {
    /// All fields in the order received: names as spelled, values without the white space around them.
    pub fn fields(&self) -> impl DoubleEndedIterator<Item = (&'b str, &'b [u8])> + use<'b, 'f> {
        self.fields.iter().map(|field| (field.name, field.value))
    }

    /// The values of all fields called `name`, whatever its case, in the order received.
    pub fn field_lines<'n>(
        &self,
        name: &'n str,
    ) -> impl DoubleEndedIterator<Item = &'b [u8]> + use<'b, 'f, 'n> {
        self.fields().filter(move |(each, _)| each.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The value of the first field called `name`, whatever its case.
    pub fn field(&self, name: &str) -> Option<&'b [u8]> {
        self.field_lines(name).next()
    }
}

/// The head at the beginning of `bytes`, and how many bytes it takes up. `None` while its end has not arrived.
///
/// `scanned` remembers between calls how far `bytes` was searched, so that a head arriving a byte at a time costs
/// linear work. It is 0 before the first call for a head, and again after one was returned; the caller resets it
/// if it drops bytes in another way. Between calls for one head, `bytes` may only grow at its end.
///
/// One empty line before the request line is skipped and counted (RFC 9112 section 2.2).
pub fn decode_head<'b, 'f>(
    bytes: &'b [u8],
    scanned: &mut usize,
    limits: &Limits,
    storage: &'f mut FieldStorage<'b>,
) -> Result<Option<(Head<'b, 'f>, usize)>, Refusal> {
    let Some(skipped) = leading_line(bytes)? else { return Ok(None) };
    let window = &bytes[..bytes.len().min(limits.head_bytes_max)];
    let message = window.get(skipped..).ok_or(Refusal::HeadTooLarge)?;
    let seen = scanned.saturating_sub(skipped).min(message.len());
    let bound_reached = bytes.len() >= limits.head_bytes_max;

    if *scanned == 0 || bound_reached || holds_end(message, seen) {
        let slots = &mut storage.slots[..limits.fields_max.min(FIELDS_CAP)];
        let mut request = httparse::Request::new(&mut []);
        match request.parse_with_uninit_headers(message, slots) {
            Ok(Status::Complete(length)) => {
                let head = assemble(request, &message[..length], limits)?;
                *scanned = 0;
                return Ok(Some((head, skipped + length)));
            }
            Ok(Status::Partial) => {}
            Err(error) => refuse_unless_incomplete(error, message, limits)?,
        }
    }
    if bound_reached {
        judge_request_line(message, limits)?;
        return Err(Refusal::HeadTooLarge);
    }
    // Looked at once, when the request line grows past what it may have: linear, like the rest.
    let bound = request_line_bound(message, limits);
    if seen <= bound && bound < message.len() {
        judge_request_line(message, limits)?;
    }
    *scanned = bytes.len();
    Ok(None)
}

/// The length of the one empty line that may stand before a request; `None` if that cannot be told yet.
fn leading_line(bytes: &[u8]) -> Result<Option<usize>, Refusal> {
    let skipped = match bytes {
        [] | [b'\r'] | [b'\r', b'\n'] => return Ok(None),
        [b'\r', b'\n', ..] => 2,
        _ => 0,
    };
    match bytes[skipped] {
        b'\r' | b'\n' => Err(Refusal::BadRequest),
        _ => Ok(Some(skipped)),
    }
}

/// Whether an empty line ends at or after `from`; everything before was searched by an earlier call. Line feeds
/// alone count too, so that what httparse takes for the end of a head is looked at, and refused, when it comes.
fn holds_end(message: &[u8], from: usize) -> bool {
    let mut searched = from;
    while let Some(found) = message[searched..].iter().position(|&byte| byte == b'\n') {
        let end = searched + found;
        match &message[..end] {
            [.., b'\n'] | [.., b'\n', b'\r'] => return true,
            _ => searched = end + 1,
        }
    }
    false
}

/// From how many bytes on a message must hold the space after its method or its target.
fn request_line_bound(message: &[u8], limits: &Limits) -> usize {
    match method_end(message) {
        Some(end) => (end + 1).saturating_add(limits.target_bytes_max),
        None => METHOD_BYTES_MAX,
    }
}

fn method_end(message: &[u8]) -> Option<usize> {
    message.iter().take(METHOD_BYTES_MAX + 1).position(|&byte| byte == b' ')
}

/// What is wrong with the request line up to its second space, complete or not: this is asked before anything
/// that comes later on the wire, so that the verdict does not depend on how much had arrived.
#[cold]
fn judge_request_line(message: &[u8], limits: &Limits) -> Result<(), Refusal> {
    let Some(end) = method_end(message) else {
        let fits = message.len() <= METHOD_BYTES_MAX && message.iter().all(|&byte| is_token_byte(byte));
        return if fits { Ok(()) } else { Err(Refusal::BadRequest) };
    };
    if !is_token(&message[..end]) {
        return Err(Refusal::BadRequest);
    }
    let rest = &message[end + 1..];
    match rest
        .iter()
        .take(limits.target_bytes_max.saturating_add(1))
        .position(|byte| !byte.is_ascii_graphic())
    {
        Some(0) => Err(Refusal::BadRequest),
        Some(end) if rest[end] == b' ' => Ok(()),
        Some(_) => Err(Refusal::BadRequest),
        None if rest.len() > limits.target_bytes_max => Err(Refusal::TargetTooLong),
        None => Ok(()),
    }
}

/// The refusal behind an error of httparse; Ok if more bytes are needed to tell.
#[cold]
fn refuse_unless_incomplete(error: httparse::Error, message: &[u8], limits: &Limits) -> Result<(), Refusal> {
    judge_request_line(message, limits)?;
    match error {
        httparse::Error::TooManyHeaders => Err(Refusal::HeadTooLarge),
        httparse::Error::Version => judge_version(message),
        _ => Err(Refusal::BadRequest),
    }
}

/// A version that httparse does not know: a well-formed one is unsupported, the beginning of one is incomplete.
fn judge_version(message: &[u8]) -> Result<(), Refusal> {
    let text = message.splitn(3, |&byte| byte == b' ').nth(2).unwrap_or_default();
    let text = &text[..text.len().min(8)];
    let fits = text.iter().zip(b"HTTP/0.0").all(|(byte, expected)| match expected {
        b'0' => byte.is_ascii_digit(),
        _ => byte == expected,
    });
    match text.len() {
        8 if fits => Err(Refusal::VersionUnsupported),
        0..8 if fits => Ok(()),
        _ => Err(Refusal::BadRequest),
    }
}

/// Puts together what httparse found in `message`, which is exactly the head.
#[inline]
fn assemble<'b, 'f>(
    request: httparse::Request<'f, 'b>,
    message: &'b [u8],
    limits: &Limits,
) -> Result<Head<'b, 'f>, Refusal> {
    let (Some(token), Some(target), Some(minor)) = (request.method, request.path, request.version) else {
        return Err(Refusal::BadRequest);
    };
    let fields: &'f [Header<'b>] = request.headers;
    if token.len() > METHOD_BYTES_MAX {
        return Err(Refusal::BadRequest);
    }
    if target.len() > limits.target_bytes_max {
        judge_request_line(message, limits)?;
        return Err(Refusal::TargetTooLong);
    }
    if !lines_end_in_crlf(message, fields) {
        return Err(Refusal::BadRequest);
    }
    let method = Method::from_token(token.as_bytes());
    let version = if minor == 0 { Version::Http10 } else { Version::Http11 };
    let form = target_form::split(method, target)?;
    let mut head = Head {
        method,
        version,
        target,
        path: form.path,
        query: form.query,
        framing: BodyFraming::None,
        keep_alive: false,
        expect_continue: false,
        host: None,
        content_type: None,
        request_id: None,
        if_none_match: None,
        accept_encoding: None,
        forwarded_for: None,
        fields,
    };
    fields::read(fields, &mut head)?;
    // The target's authority wins over Host, which is checked all the same (RFC 9112 section 3.2.2).
    if let Some(authority) = form.authority {
        head.host = Some(authority.as_bytes());
    }
    Ok(head)
}

/// httparse takes a bare line feed for the end of a line. It lets no carriage return through elsewhere, so it is
/// enough to look at the byte before each line feed; and where lines end, the next field's name begins.
fn lines_end_in_crlf(message: &[u8], fields: &[Header<'_>]) -> bool {
    let ends_in_crlf = |end: usize| message.get(end.wrapping_sub(2)) == Some(&b'\r');
    let start = message.as_ptr().addr();
    fields.iter().all(|field| ends_in_crlf(field.name.as_ptr().addr().wrapping_sub(start)))
        && message.ends_with(b"\r\n\r\n")
}
