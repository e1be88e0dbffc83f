//! The one table from a refusal to its status and text.

use ringmill_http1::{Refusal, Status};

pub(crate) const INTERNAL_ERROR: &str = r#"{"error":"Internal server error"}"#;
pub(crate) const TIMEOUT: (Status, &str) = (Status(408), r#"{"error":"Request timeout"}"#);
pub(crate) const UNAVAILABLE: (Status, &str) = (Status(503), r#"{"error":"Service unavailable"}"#);
pub(crate) const OUTCOME_UNKNOWN: (Status, &str) = (Status(504), r#"{"error":"Outcome unknown"}"#);

/// Status and body of a refusal; the connection closes after each.
pub(crate) fn answer(refusal: Refusal) -> (Status, &'static str) {
    match refusal {
        Refusal::BadRequest => (Status(400), r#"{"error":"Bad request"}"#),
        Refusal::HeadTooLarge => (Status(431), r#"{"error":"Header too large"}"#),
        Refusal::TargetTooLong => (Status(414), r#"{"error":"Target too long"}"#),
        Refusal::BodyTooLarge => (Status(413), r#"{"error":"Body too large"}"#),
        Refusal::TransferCodingUnknown => (Status(501), r#"{"error":"Not implemented"}"#),
        Refusal::ExpectationUnknown => (Status(417), r#"{"error":"Expectation failed"}"#),
        Refusal::VersionUnsupported => (Status(505), r#"{"error":"HTTP version not supported"}"#),
    }
}
