//! What the fields of a head mean for framing, persistence and routing: one pass, then the verdict.

use httparse::Header;

use super::authority::{Port, is_authority};
use super::{BodyFraming, Head, Version};
use crate::Refusal;
use crate::text::{is_token, list_elements, trim_blanks};

/// What was said about Expect.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expectation {
    None,
    Continue,
    Unknown,
}

/// Reads all fields once. Length and first letter tell which name can still be meant, so that a field costs one
/// comparison at most, and that one without a branch per byte. Broken syntax is refused where it stands, what is
/// merely unknown after all was read.
///
/// What is found is written into `head`, which comes with its version.
#[inline]
pub(super) fn read<'b>(fields: &[Header<'b>], head: &mut Head<'b, '_>) -> Result<(), Refusal> {
    let version = head.version;
    let mut length: Option<u64> = None;
    let mut codings: Option<Codings> = None;
    let mut options = Options::default();
    let mut expectation = Expectation::None;

    for field in fields {
        let name = field.name.as_bytes();
        let value = field.value;
        match (name.len(), name[0] | 0x20) {
            (4, b'h') if is_named(name, b"host") => {
                if head.host.is_some() || !is_authority(value, Port::Optional) {
                    return Err(Refusal::BadRequest);
                }
                head.host = Some(value);
            }
            (6, b'e') if is_named(name, b"expect") => {
                expectation = match expectation {
                    Expectation::None | Expectation::Continue
                        if value.eq_ignore_ascii_case(b"100-continue") =>
                    {
                        Expectation::Continue
                    }
                    _ => Expectation::Unknown,
                };
            }
            (10, b'c') if is_named(name, b"connection") => options.add(value),
            (12, b'c') if is_named(name, b"content-type") => set_first(&mut head.content_type, value),
            (12, b'x') if is_named(name, b"x-request-id") => set_first(&mut head.request_id, value),
            (13, b'i') if is_named(name, b"if-none-match") => set_first(&mut head.if_none_match, value),
            (14, b'c') if is_named(name, b"content-length") => length = Some(parse_length(value, length)?),
            (15, b'a') if is_named(name, b"accept-encoding") => {
                set_first(&mut head.accept_encoding, value);
            }
            (15, b'x') if is_named(name, b"x-forwarded-for") => head.forwarded_for = Some(value),
            (17, b't') if is_named(name, b"transfer-encoding") => {
                codings.get_or_insert_default().add(value)?;
            }
            _ => {}
        }
    }

    if version == Version::Http11 && head.host.is_none() {
        return Err(Refusal::BadRequest);
    }
    head.framing = match (length, codings) {
        (None, None) => BodyFraming::None,
        (Some(length), None) => BodyFraming::Sized(length),
        (None, Some(codings)) if version == Version::Http11 => codings.framing()?,
        _ => return Err(Refusal::BadRequest),
    };
    head.keep_alive = !options.close && (version == Version::Http11 || options.keep_alive);
    if version == Version::Http11 {
        let has_body = !matches!(head.framing, BodyFraming::None | BodyFraming::Sized(0));
        head.expect_continue = match expectation {
            Expectation::None => false,
            Expectation::Continue => has_body,
            Expectation::Unknown => return Err(Refusal::ExpectationUnknown),
        };
    }
    Ok(())
}

/// Whether `name` is `known`, which consists of small letters and hyphens. Setting the bit that tells small letters
/// from capitals makes no other token byte into one of these.
#[inline]
fn is_named<const N: usize>(name: &[u8], known: &[u8; N]) -> bool {
    let Ok(name) = <&[u8; N]>::try_from(name) else { return false };
    name.iter().zip(known).fold(0, |differing, (byte, known)| differing | ((byte | 0x20) ^ known)) == 0
}

#[inline]
fn set_first<'b>(slot: &mut Option<&'b [u8]>, value: &'b [u8]) {
    if slot.is_none() {
        *slot = Some(value);
    }
}

/// `1*DIGIT` that fits 64 bits, and nothing else. A second length is refused even if it agrees with the `earlier`
/// one: whoever forwarded both may have read either.
fn parse_length(value: &[u8], earlier: Option<u64>) -> Result<u64, Refusal> {
    if value.is_empty() || earlier.is_some() {
        return Err(Refusal::BadRequest);
    }
    value.iter().try_fold(0u64, |length, &byte| match byte {
        b'0'..=b'9' => length
            .checked_mul(10)
            .and_then(|length| length.checked_add(u64::from(byte - b'0')))
            .ok_or(Refusal::BadRequest),
        _ => Err(Refusal::BadRequest),
    })
}

/// Connection options seen so far, over any number of fields.
#[derive(Default)]
struct Options {
    close: bool,
    keep_alive: bool,
}

impl Options {
    fn add(&mut self, value: &[u8]) {
        for option in list_elements(value) {
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
        }
    }
}

/// Transfer codings seen so far, over any number of fields.
#[derive(Default)]
struct Codings {
    chunked: bool,
    unknown: bool,
}

impl Codings {
    fn add(&mut self, value: &[u8]) -> Result<(), Refusal> {
        for element in list_elements(value) {
            let name_end = element.iter().position(|&byte| byte == b';').unwrap_or(element.len());
            // `chunked` comes last and once (RFC 9112 section 6.1).
            if self.chunked || !is_token(trim_blanks(&element[..name_end])) {
                return Err(Refusal::BadRequest);
            }
            if !trim_blanks(&element[..name_end]).eq_ignore_ascii_case(b"chunked") {
                self.unknown = true;
            } else if name_end == element.len() {
                self.chunked = true;
            } else {
                // `chunked` has no parameters (section 7.1).
                return Err(Refusal::BadRequest);
            }
        }
        Ok(())
    }

    fn framing(&self) -> Result<BodyFraming, Refusal> {
        match self.unknown {
            true => Err(Refusal::TransferCodingUnknown),
            false => Ok(BodyFraming::Chunked),
        }
    }
}
