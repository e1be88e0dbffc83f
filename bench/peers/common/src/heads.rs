//! Telling requests apart, with and without parsing them.

use std::sync::LazyLock;

use memchr::memmem::Finder;

const TERMINATOR: &[u8; 4] = b"\r\n\r\n";
static FINDER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(TERMINATOR));

/// Counts the ends of heads in one connection's bytes: the least that answers pipelined GETs rightly.
/// Bodies are not understood.
#[derive(Clone, Copy, Default)]
pub struct Heads {
    /// How much of a terminator the bytes so far end with, 0 to 3.
    matched: usize,
}

impl Heads {
    /// The heads that end within `bytes`, which follow those of the previous call.
    pub fn count(&mut self, bytes: &[u8]) -> usize {
        let mut rest = bytes;
        let mut count = 0;
        // A terminator that began in an earlier buffer.
        while self.matched > 0
            && let Some((&byte, after)) = rest.split_first()
        {
            rest = after;
            count += self.step(byte);
        }
        if self.matched > 0 {
            return count;
        }
        while let Some(at) = FINDER.find(rest) {
            count += 1;
            rest = &rest[at + TERMINATOR.len()..];
        }
        for &byte in &rest[rest.len().saturating_sub(TERMINATOR.len() - 1)..] {
            count += self.step(byte);
        }
        count
    }

    /// 1 if `byte` ends a head.
    fn step(&mut self, byte: u8) -> usize {
        if byte == TERMINATOR[self.matched] {
            self.matched += 1;
        } else {
            self.matched = usize::from(byte == b'\r');
        }
        if self.matched == TERMINATOR.len() {
            self.matched = 0;
            return 1;
        }
        0
    }
}

/// Parses the requests at the start of `bytes` as a small hand-written server would: their number and
/// the bytes they took. `None` if the client does not speak HTTP/1.
pub fn count_requests(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut count = 0;
    let mut taken = 0;
    while taken < bytes.len() {
        let mut fields = [httparse::EMPTY_HEADER; 32];
        let mut request = httparse::Request::new(&mut fields);
        match request.parse(&bytes[taken..]) {
            Ok(httparse::Status::Complete(len)) => {
                count += 1;
                taken += len;
            }
            Ok(httparse::Status::Partial) => break,
            Err(_) => return None,
        }
    }
    Some((count, taken))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], expected: usize) {
        for first in 0..=bytes.len() {
            for second in first..=bytes.len() {
                let mut heads = Heads::default();
                let count = heads.count(&bytes[..first])
                    + heads.count(&bytes[first..second])
                    + heads.count(&bytes[second..]);
                assert_eq!(count, expected, "split at {first} and {second}");
            }
        }
    }

    #[test]
    fn heads_are_counted_however_they_are_split() {
        check(b"", 0);
        check(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 1);
        check(b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n", 2);
        check(b"GET / HTTP/1.1\r\nHost: a\r\n\r", 0);
        check(b"\r\r\n\r\n", 1);
        check(b"\r\n\r\r\n\r\n", 1);
        check(b"\r\n\n\r\n\r\n\r\n\r\n", 2);
        check(b"\r\n\r\n\r\n", 1);
    }

    #[test]
    fn parsed_requests_are_counted_and_the_rest_is_left() {
        let request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        let mut bytes = request.repeat(3);
        assert_eq!(count_requests(&bytes), Some((3, bytes.len())));
        bytes.pop();
        assert_eq!(count_requests(&bytes), Some((2, request.len() * 2)));
        assert_eq!(count_requests(b"\x16\x03\x01"), None);
    }
}
