//! The constant answer.

/// Answers that one send carries at most. Beyond it a second send follows.
const REPEATED: usize = 256;

/// The body that every peer answers with.
pub fn body() -> String {
    std::env::var("BODY").unwrap_or_else(|_| r#"{"data":"Your data here"}"#.to_string())
}

/// One whole reply, laid end to end as often as one send may need it, so that answering a pipeline
/// copies nothing.
pub struct Answer {
    repeated: &'static [u8],
    len: usize,
}

impl Answer {
    /// From `BODY` and `HEAD_EXTRA`. Lives as long as the process.
    pub fn from_environment() -> Answer {
        Answer::new(&body(), &std::env::var("HEAD_EXTRA").unwrap_or_default())
    }

    /// `head_extra` is empty or whole field lines, each ended by CRLF.
    pub fn new(body: &str, head_extra: &str) -> Answer {
        // The date stands still: a peer that rendered it anew would do it once a second.
        let one = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
             Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n{head_extra}\r\n{body}",
            body.len()
        );
        Answer { len: one.len(), repeated: one.repeat(REPEATED).leak().as_bytes() }
    }

    /// The bytes of one reply.
    pub fn one(&self) -> &'static [u8] {
        &self.repeated[..self.len]
    }

    /// The next bytes of `bytes_owed`, at most what one send carries. `bytes_owed` need not be a
    /// multiple of one reply: after a short send the rest begins in the middle of one.
    pub fn owed(&self, bytes_owed: usize) -> &'static [u8] {
        let sent_of_first = (self.len - bytes_owed % self.len) % self.len;
        let end = self.repeated.len().min(sent_of_first + bytes_owed);
        &self.repeated[sent_of_first..end]
    }

    /// The bytes of `requests` replies.
    pub fn len_of(&self, requests: usize) -> usize {
        requests * self.len
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owed_bytes_leave_in_order_however_short_the_sends() {
        let answer = Answer::new("{}", "X-Pad: 1\r\n");
        for requests in [1, 2, REPEATED, REPEATED + 3] {
            for send_max in [1, 7, answer.len, answer.len * 2 + 5, usize::MAX] {
                let mut owed = answer.len_of(requests);
                let mut sent = Vec::new();
                while owed > 0 {
                    let bytes = answer.owed(owed);
                    let bytes = &bytes[..bytes.len().min(send_max)];
                    sent.extend_from_slice(bytes);
                    owed -= bytes.len();
                }
                assert!(sent == answer.one().repeat(requests), "{requests} requests, sends of {send_max}");
            }
        }
    }
}
