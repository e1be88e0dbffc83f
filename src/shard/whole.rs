//! Answers as they are kept: rendered once, in each form in which they are given.

use super::cache::How;
use crate::api::Answer;
use crate::config::plan::CacheRule;
use ringmill_cache::Ages;
use ringmill_http1::{Rendered, Status};
use sha2::{Digest, Sha256};
use smallvec::SmallVec;
use std::sync::Arc;
use std::time::Duration;

/// An answer that is kept.
#[derive(Debug)]
pub struct Whole {
    status: Status,
    answer: Arc<Rendered>,
    /// For whoever has it already; `None`: there is nothing to have.
    not_modified: Option<Arc<Rendered>>,
    /// With its quotes.
    etag: String,
}

/// Bytes of the hash of a body that make an ETag: no two bodies that anybody finds have the same.
const ETAG_BYTES: usize = 16;

impl Whole {
    /// Renders what may be kept by this rule, and says for how long; `None`: it may not.
    pub(super) fn new(answer: &Answer, rule: &CacheRule) -> Option<(Whole, Ages)> {
        let is_found = (200..300).contains(&answer.status);
        if !is_found && answer.status != 404 || answer.location.is_some() || answer.cause.is_some() {
            return None;
        }
        let ages = match is_found {
            true => Ages {
                ttl: ns(rule.ttl),
                stale_while_revalidate: ns(rule.stale_while_revalidate),
                stale_if_error: ns(rule.stale_if_error),
            },
            false => Ages { ttl: ns(rule.negative_ttl), ..Ages::default() },
        };
        let etag = etag(&answer.body);
        let cache_control = cache_control(rule, is_found);
        let common =
            [("ETag", etag.as_str()), ("Cache-Control", &cache_control), ("Vary", "Accept-Encoding")];
        let mut fields: Vec<(&str, &str)> = Vec::with_capacity(4);
        if !answer.content_type.is_empty() {
            fields.push(("Content-Type", &answer.content_type));
        }
        fields.extend(common);
        let status = Status(answer.status);
        let whole = Whole {
            status,
            answer: Arc::new(Rendered::new(status, &fields, &answer.body)),
            not_modified: is_found.then(|| Arc::new(Rendered::new(Status(304), &common, b""))),
            etag,
        };
        Some((whole, ages))
    }

    /// Bytes on the heap.
    pub(super) fn bytes(&self) -> usize {
        let not_modified = self.not_modified.as_ref().map_or(0, |rendered| rendered.bytes_len());
        size_of::<Whole>()
            + 2 * size_of::<Rendered>()
            + self.answer.bytes_len()
            + not_modified
            + self.etag.len()
    }

    /// What is given to a request with these values of `If-None-Match`.
    pub(super) fn form<'a>(&self, if_none_match: impl Iterator<Item = &'a [u8]>) -> (Status, &Arc<Rendered>) {
        match &self.not_modified {
            Some(not_modified) if has(if_none_match, &self.etag) => (Status(304), not_modified),
            _ => (self.status, &self.answer),
        }
    }

    /// Of the answer.
    pub fn status(&self) -> u16 {
        self.status.0
    }

    /// Of the answer.
    pub fn body(&self) -> &[u8] {
        self.answer.body()
    }
}

/// Field lines that differ between two answers of one entry: as long as they get, they stay on the stack.
pub(super) type Lines = SmallVec<[u8; 64]>;

/// The fields that tell where an answer comes from, with their line breaks.
#[inline]
pub(super) fn lines(how: How, age_seconds: u64) -> Lines {
    let start: &[u8] = match how {
        How::Hit => b"X-Cache: HIT\r\nAge: ",
        How::Miss => b"X-Cache: MISS\r\nAge: ",
        How::Stale => b"X-Cache: STALE\r\nAge: ",
    };
    let mut lines = Lines::from_slice(start);
    lines.extend_from_slice(itoa::Buffer::new().format(age_seconds).as_bytes());
    lines.extend_from_slice(b"\r\n");
    lines
}

fn ns(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn etag(body: &[u8]) -> String {
    use std::fmt::Write;
    let mut text = String::with_capacity(2 * ETAG_BYTES + 2);
    text.push('"');
    for byte in &Sha256::digest(body)[..ETAG_BYTES] {
        let _ = write!(text, "{byte:02x}");
    }
    text.push('"');
    text
}

/// What others may do with the answer: keep it and ask each time, unless the file says for how long they need not.
fn cache_control(rule: &CacheRule, is_found: bool) -> String {
    let (browser, cdn) = (rule.browser_ttl.as_secs(), rule.cdn_ttl.as_secs());
    match (browser, cdn) {
        _ if !is_found => "no-cache".to_owned(),
        (0, 0) => "no-cache".to_owned(),
        (_, 0) => format!("max-age={browser}"),
        _ => format!("public, max-age={browser}, s-maxage={cdn}"),
    }
}

/// Whether a list of ETags has this one, or says that any will do (RFC 9110 section 13.1.2: compared without their `W/`).
fn has<'a>(lines: impl Iterator<Item = &'a [u8]>, etag: &str) -> bool {
    lines.into_iter().map(<[u8]>::trim_ascii).any(|line| {
        let mut tags = line.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        line == b"*" || tags.any(|tag| tag.strip_prefix(b"W/").unwrap_or(tag) == etag.as_bytes())
    })
}

#[cfg(test)]
mod tests {
    use super::{Whole, etag, has, lines};
    use crate::api::Answer;
    use crate::config::plan::CacheRule;
    use crate::shard::cache::How;
    use std::time::Duration;

    fn rule(browser: u64, cdn: u64) -> CacheRule {
        CacheRule {
            ttl: Duration::from_secs(60),
            stale_while_revalidate: Duration::from_secs(5),
            stale_if_error: Duration::from_secs(600),
            negative_ttl: Duration::from_secs(3),
            browser_ttl: Duration::from_secs(browser),
            cdn_ttl: Duration::from_secs(cdn),
        }
    }

    fn answer(status: u16) -> Answer {
        Answer {
            status,
            body: b"{}".to_vec(),
            content_type: "application/json".into(),
            location: None,
            allow: None,
            retry_after_seconds: None,
            cause: None,
            is_unexplained: false,
        }
    }

    #[test]
    fn etags_follow_the_body_and_are_found_in_lists() {
        let (one, other) = (etag(b"{}"), etag(b"{ }"));
        assert_ne!(one, other);
        assert_eq!(one.len(), 34);
        for (list, expected) in [
            (one.clone(), true),
            (format!("W/{one}"), true),
            ("*".to_owned(), true),
            ("\"a,*,b\"".to_owned(), false),
            (format!("{other} , {one}"), true),
            (other.clone(), false),
            (one.trim_matches('"').to_owned(), false),
            (String::new(), false),
        ] {
            assert_eq!(has([list.as_bytes()].into_iter(), &one), expected, "{list}");
        }
        assert!(has([other.as_bytes(), one.as_bytes()].into_iter(), &one), "several lines");
    }

    #[test]
    fn what_is_kept_says_what_others_may_do_with_it() {
        for (browser, cdn, expected) in [
            (0, 0, "no-cache"),
            (30, 0, "max-age=30"),
            (0, 60, "public, max-age=0, s-maxage=60"),
            (30, 60, "public, max-age=30, s-maxage=60"),
        ] {
            let (whole, _) = Whole::new(&answer(200), &rule(browser, cdn)).unwrap();
            let mut out = Vec::new();
            let date = ringmill_http1::DateText::from_unix(0);
            whole.answer.write(&mut out, &date, ringmill_http1::Connection::Default, true);
            let text = String::from_utf8(out).unwrap();
            assert!(text.contains(&format!("\r\nCache-Control: {expected}\r\n")), "{text}");
            assert!(text.contains(&format!("\r\nETag: {}\r\n", etag(b"{}"))), "{text}");
            assert!(text.contains("\r\nVary: Accept-Encoding\r\n"), "{text}");
        }
    }

    #[test]
    fn only_what_was_found_or_certainly_was_not_is_kept() {
        let second = 1_000_000_000;
        for (status, ttl) in [
            (200, Some(60)),
            (203, Some(60)),
            (404, Some(3)),
            (400, None),
            (409, None),
            (500, None),
            (503, None),
        ] {
            let made = Whole::new(&answer(status), &rule(0, 0));
            assert_eq!(made.as_ref().map(|(_, ages)| ages.ttl / second), ttl, "{status}");
            let any = [b"*".as_slice()];
            if let Some((whole, _)) = made {
                let expected = if status == 404 { 404 } else { 304 };
                assert_eq!(whole.form(any.into_iter()).0.0, expected, "{status}");
                assert_eq!(whole.form([].into_iter()).0.0, status);
            }
        }
    }

    #[test]
    fn lines_say_where_it_comes_from() {
        assert_eq!(lines(How::Stale, 61).as_slice(), b"X-Cache: STALE\r\nAge: 61\r\n");
        assert!(!lines(How::Stale, u64::MAX).spilled());
    }
}
