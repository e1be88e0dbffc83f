//! What clients ask, and what has to come of it.

use super::{Around, Client, Manner, TRAVELLING_MAX};
use std::fmt::Write;

/// Names of what clients do, in the order of [`super::Counts::requests`].
pub const REQUESTS: &[&str] = &[
    "data", "mark", "echo", "read", "write", "large", "nowhere", "invalid", "garbage", "head", "oversize",
    "health", "metrics", "put", "list", "all", "delete",
];

const DATA: usize = 0;
const MARK: usize = 1;
const ECHO: usize = 2;
const READ: usize = 3;
const WRITE: usize = 4;
const LARGE: usize = 5;
const NOWHERE: usize = 6;
const INVALID: usize = 7;
const GARBAGE: usize = 8;
const HEAD: usize = 9;
const OVERSIZE: usize = 10;
const HEALTH: usize = 11;
pub(super) const METRICS: usize = 12;
const PUT: usize = 13;
const LIST: usize = 14;
const ALL: usize = 15;
const DELETE: usize = 16;

/// What is asked at any time.
const ORDINARY: &[usize] = &[
    DATA, MARK, ECHO, READ, READ, READ, WRITE, WRITE, LARGE, NOWHERE, INVALID, HEALTH, METRICS, PUT, LIST,
    ALL, DELETE,
];

/// What a request's answer has to be.
#[derive(Clone, Debug)]
pub(super) enum Wanted {
    /// This status and body.
    Exactly(u16, Vec<u8>),
    /// A row of `cells`; no older than the floor.
    Read { key: i64, floor: u64 },
    /// All rows; each no older than its floor, by key.
    All { floors: Vec<u64> },
    /// A row is deleted, or was not there. So many writes were done before it was asked.
    Delete { key: i64, floor: u64, since: u64 },
    /// What was written.
    Write { key: i64, value: String },
    /// This status, and the end of the connection.
    Refused(u16),
}

/// A request that was asked and not answered.
#[derive(Debug)]
pub(super) struct Expected {
    pub(super) what: usize,
    pub(super) wanted: Wanted,
    pub(super) has_body: bool,
    pub(super) uses_store: bool,
    /// The client wants no more after it.
    pub(super) closes: bool,
    /// Where it stands in what the client writes.
    pub(super) begins_at: u64,
    pub(super) head_ends_at: u64,
    pub(super) ends_at: u64,
    /// Nothing was unanswered when its first byte was written.
    pub(super) is_alone: bool,
    /// When its first byte, its head and its last byte were written.
    pub(super) begun_ns: Option<u64>,
    pub(super) head_ns: Option<u64>,
    pub(super) end_ns: Option<u64>,
}

impl Client {
    /// Adds requests to what is to be written.
    pub(crate) fn ask(&mut self, around: &mut Around<'_>) {
        let Some(connection) = &mut self.connection else { return };
        while connection.requests_left > 0
            && connection.expected.len() < connection.pipeline
            && connection.outgoing.len() < TRAVELLING_MAX
            && !connection.has_last
        {
            connection.requests_left -= 1;
            self.marks += 1;
            let mark = format!("m{}-{}", self.index, self.marks);
            let is_last = connection.requests_left == 0;
            let mut what = ORDINARY[self.random.index(ORDINARY.len())];
            if is_last && connection.manner == Manner::Garbage {
                what = if self.random.is(0.5) { GARBAGE } else { OVERSIZE };
            } else if self.random.is(0.05) && connection.answered > 0 {
                // Not at first: who is turned away gets a body, since nothing of the request was read.
                what = HEAD;
            }
            let key = self.random.below(around.keys) as i64;
            let ok = |body: String| Wanted::Exactly(200, body.into_bytes());
            let mut has_body = true;
            let (text, body, wanted): (String, Vec<u8>, Wanted) = match what {
                DATA => ("GET /data".into(), vec![], ok(r#"{"data":"here"}"#.into())),
                MARK => (format!("GET /mark/{mark}"), vec![], ok(format!(r#"{{"m":"{mark}"}}"#))),
                ECHO => {
                    let length = self.random.magnitude(1, 200_000) as usize;
                    let body: Vec<u8> = mark.bytes().chain(*b" ").cycle().take(length).collect();
                    ("POST /echo".into(), body.clone(), Wanted::Exactly(200, body))
                }
                READ => {
                    let floor = around.truth.floor(key);
                    (format!("GET /cells/{key}"), vec![], Wanted::Read { key, floor })
                }
                LIST | ALL => {
                    let floors = (0..around.keys).map(|key| around.truth.floor(key as i64)).collect();
                    // Parameters in any order, and one that nobody knows, are the same list.
                    let lists =
                        ["/cells?per_page=50", "/cells?page=1&per_page=50", "/cells?x=1&per_page=50&page=1"];
                    let path = if what == LIST { lists[self.random.index(lists.len())] } else { "/all" };
                    (format!("GET {path}"), vec![], Wanted::All { floors })
                }
                DELETE => {
                    let (floor, since) = (around.truth.floor(key), around.truth.commits());
                    (format!("DELETE /cells/{key}"), vec![], Wanted::Delete { key, floor, since })
                }
                WRITE | PUT => {
                    around.truth.mean(key, &mark);
                    let body = format!(r#"{{"value":"{mark}"}}"#).into_bytes();
                    (
                        format!("{} /put/{key}", if what == PUT { "PUT" } else { "POST" }),
                        body,
                        Wanted::Write { key, value: mark.clone() },
                    )
                }
                LARGE => {
                    let n = self.random.magnitude(1, 40_000);
                    let fill = "x".repeat(2 * n as usize);
                    let body = format!(r#"{{"m":"{mark}","fill":"{fill}"}}"#);
                    (format!("GET /large/{n}/{mark}"), vec![], ok(body))
                }
                NOWHERE => {
                    let body = br#"{"error":"Not found"}"#.to_vec();
                    (format!("GET /nowhere/{mark}"), vec![], Wanted::Exactly(404, body))
                }
                INVALID => {
                    let body =
                        br#"{"error":"Validation failed","errors":{"value":["is required"]}}"#.to_vec();
                    (format!("POST /put/{key}"), b"{}".to_vec(), Wanted::Exactly(400, body))
                }
                GARBAGE => {
                    has_body = true;
                    ("GET /\0".into(), vec![], Wanted::Refused(400))
                }
                OVERSIZE => {
                    // More than may be sent, and it looks like requests.
                    let smuggled = b"GET /data HTTP/1.1\r\nHost: sim\r\n\r\n"
                        .repeat(self.random.within(1, 900) as usize);
                    ("POST /echo".into(), smuggled, Wanted::Refused(413))
                }
                HEALTH => ("GET /health".into(), vec![], ok(r#"{"status":"healthy"}"#.into())),
                METRICS => ("GET /metrics".into(), vec![], ok("up 1\n".into())),
                _ => {
                    has_body = false;
                    (format!("HEAD /mark/{mark}"), vec![], ok(format!(r#"{{"m":"{mark}"}}"#)))
                }
            };
            let is_old = body.is_empty() && what != GARBAGE && self.random.is(0.02);
            let closes = what != GARBAGE && what != OVERSIZE && (is_old || self.random.is(0.02));
            let version = if is_old { "HTTP/1.0" } else { "HTTP/1.1" };
            let mut head = format!("{text} {version}\r\nHost: sim\r\n");
            if closes {
                connection.requests_left = 0;
                head.push_str(if is_old { "" } else { "Connection: close\r\n" });
            }
            if what == ECHO && self.random.is(0.1) {
                head.push_str("Expect: 100-continue\r\n");
            }
            let is_json = matches!(what, WRITE | PUT | INVALID);
            if is_json {
                head.push_str("Content-Type: application/json\r\n");
            }
            let mut request = Vec::new();
            let head_length;
            let is_chunked = !body.is_empty() && self.random.is(0.4) && what != OVERSIZE;
            if is_chunked {
                head.push_str("Transfer-Encoding: chunked\r\n\r\n");
                request.extend(head.bytes());
                head_length = request.len();
                let mut rest = body.as_slice();
                while !rest.is_empty() {
                    let count = (self.random.magnitude(1, 20_000) as usize).min(rest.len());
                    request.extend(format!("{count:x}\r\n").bytes());
                    request.extend(&rest[..count]);
                    request.extend(b"\r\n");
                    rest = &rest[count..];
                }
                request.extend(b"0\r\n\r\n");
            } else {
                if !body.is_empty() {
                    let length = if what == OVERSIZE { 10_000_000 } else { body.len() };
                    let _ = write!(head, "Content-Length: {length}\r\n");
                }
                head.push_str("\r\n");
                request.extend(head.bytes());
                head_length = request.len();
                request.extend(&body);
            }
            let begins_at = connection.written + connection.outgoing.len() as u64;
            connection.expected.push_back(Expected {
                what,
                wanted,
                has_body,
                uses_store: matches!(
                    what,
                    LIST | ALL | DELETE | MARK | READ | WRITE | PUT | INVALID | LARGE | HEAD
                ),
                closes,
                begins_at,
                head_ends_at: begins_at + head_length as u64,
                ends_at: begins_at + request.len() as u64,
                is_alone: false,
                begun_ns: None,
                head_ns: None,
                end_ns: None,
            });
            connection.outgoing.extend(request);
        }
    }
}
