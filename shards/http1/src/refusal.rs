//! Why a request is not taken. Status codes and texts are the business of whoever answers.

use std::fmt;

/// Why the bytes of a request are refused. Where a head earns several, the request line counts before the fields, a
/// bound before what lies beyond it, and broken syntax before what is merely unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// Syntax or framing is broken, or two readers could understand it differently.
    BadRequest,
    /// The head has more bytes or more fields than [`Limits`](crate::Limits) allow.
    HeadTooLarge,
    /// The request-target has more bytes than [`Limits`](crate::Limits) allow.
    TargetTooLong,
    /// The body is, or announces itself to be, longer than the caller allows.
    BodyTooLarge,
    /// A Transfer-Encoding other than `chunked`.
    TransferCodingUnknown,
    /// An Expect other than `100-continue`.
    ExpectationUnknown,
    /// `HTTP/x.y` that is neither 1.0 nor 1.1; the preface of HTTP/2 is one of these.
    VersionUnsupported,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refusal::BadRequest => "malformed request",
            Refusal::HeadTooLarge => "head too large",
            Refusal::TargetTooLong => "request-target too long",
            Refusal::BodyTooLarge => "body too large",
            Refusal::TransferCodingUnknown => "unknown transfer coding",
            Refusal::ExpectationUnknown => "unknown expectation",
            Refusal::VersionUnsupported => "unsupported HTTP version",
        })
    }
}

impl std::error::Error for Refusal {}
