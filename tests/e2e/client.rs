//! A raw HTTP client: it sends exactly the bytes it is given and reads one answer at a time.
//!
//! What the contract claims of every answer is checked of every answer here: a well-formed head, each field once, `Date`,
//! and `Content-Length` unless the status is 204 or 304.

use crate::server::PATIENCE;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// One connection.
pub(crate) struct Client {
    stream: TcpStream,
    /// Received and not yet read as an answer.
    received: Vec<u8>,
    peer: SocketAddr,
}

/// Whether an answer has a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expect {
    Body,
    /// To HEAD: the length of a body that does not come.
    HeadOnly,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// The whole first line.
    pub(crate) line: String,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    /// The value of a field, whatever its case.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(each, _)| each.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("a body in UTF-8")
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn closes(&self) -> bool {
        self.field("Connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }

    /// Checks status and body, and that the body is called what it is.
    #[track_caller]
    pub(crate) fn is(&self, status: u16, body: &str) -> &Response {
        assert_eq!((self.status, self.text().as_str()), (status, body), "{self:?}");
        if !body.is_empty() {
            assert_eq!(self.field("Content-Type"), Some("application/json"), "{self:?}");
        }
        self
    }

    /// Checks a field.
    #[track_caller]
    pub(crate) fn has(&self, name: &str, value: Option<&str>) -> &Response {
        assert_eq!(self.field(name), value, "{name} of {self:?}");
        self
    }
}

/// A request's bytes. `fields` are whole lines without their ends; a body brings its length and, unless it stands in
/// `fields`, its type.
pub(crate) fn request(method: &str, target: &str, fields: &[&str], body: Option<&str>) -> Vec<u8> {
    let mut text = format!("{method} {target} HTTP/1.1\r\nHost: ringmill.test\r\n");
    for field in fields {
        text.push_str(field);
        text.push_str("\r\n");
    }
    if let Some(body) = body {
        if !fields.iter().any(|field| field.to_ascii_lowercase().starts_with("content-type:")) {
            text.push_str("Content-Type: application/json\r\n");
        }
        text.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    text.push_str("\r\n");
    text.push_str(body.unwrap_or_default());
    text.into_bytes()
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Client {
        let stream = TcpStream::connect(address).unwrap_or_else(|error| panic!("{address}: {error}"));
        stream.set_nodelay(true).expect("TCP_NODELAY");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
        Client { stream, received: Vec::new(), peer: address }
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).expect("the server reads");
    }

    /// Sends what the server may refuse to read to its end.
    pub(crate) fn send_if_taken(&mut self, bytes: impl AsRef<[u8]>) {
        // The answer tells what became of it.
        let _ = self.stream.write_all(bytes.as_ref());
    }

    /// Sends, with its own Host, a request without a body, and reads the answer.
    #[track_caller]
    pub(crate) fn get(&mut self, target: &str) -> Response {
        let host = format!("GET {target} HTTP/1.1\r\nHost: {}\r\n\r\n", self.peer);
        self.send(host);
        self.read()
    }

    #[track_caller]
    pub(crate) fn ask(&mut self, method: &str, target: &str, body: Option<&str>) -> Response {
        self.ask_with(method, target, &[], body)
    }

    #[track_caller]
    pub(crate) fn ask_with(
        &mut self,
        method: &str,
        target: &str,
        fields: &[&str],
        body: Option<&str>,
    ) -> Response {
        self.send(request(method, target, fields, body));
        self.read_as(if method == "HEAD" { Expect::HeadOnly } else { Expect::Body })
    }

    #[track_caller]
    pub(crate) fn read(&mut self) -> Response {
        self.read_as(Expect::Body)
    }

    #[track_caller]
    pub(crate) fn read_as(&mut self, expect: Expect) -> Response {
        let end = loop {
            if let Some(end) = self.received.windows(4).position(|window| window == b"\r\n\r\n") {
                break end;
            }
            assert!(self.receive(), "the connection ended within a head: {:?}", self.shown());
        };
        let head = String::from_utf8(self.received[..end].to_vec()).expect("a head in ASCII");
        self.received.drain(..end + 4);
        let mut response = parse_head(&head);
        let length = check_head(&response);
        if expect == Expect::Body {
            while self.received.len() < length {
                assert!(self.receive(), "the connection ended within a body of {length}: {:?}", self.shown());
            }
            response.body = self.received.drain(..length).collect();
        }
        response
    }

    /// Reads an interim answer: a head of these bytes and nothing else.
    #[track_caller]
    pub(crate) fn read_exactly(&mut self, expected: &[u8]) {
        while self.received.len() < expected.len() {
            assert!(self.receive(), "the connection ended: {:?}", self.shown());
        }
        let read: Vec<u8> = self.received.drain(..expected.len()).collect();
        assert_eq!(String::from_utf8_lossy(&read), String::from_utf8_lossy(expected));
    }

    /// Checks that nothing comes any more and the connection ends.
    #[track_caller]
    pub(crate) fn ends(&mut self) {
        while self.receive() {}
        assert_eq!(self.shown(), "", "after the last answer");
    }

    /// Checks that the connection is still good for a request.
    #[track_caller]
    pub(crate) fn goes_on(&mut self) {
        self.ask("GET", "/health", None).is(200, r#"{"status":"healthy"}"#);
    }

    /// The same connection for another thread, which sends while this one reads.
    pub(crate) fn second(&self) -> Client {
        let stream = self.stream.try_clone().expect("a descriptor");
        Client { stream, received: Vec::new(), peer: self.peer }
    }

    /// Says that nothing more will be sent.
    pub(crate) fn end_sending(&mut self) {
        self.stream.shutdown(Shutdown::Write).expect("shutdown");
    }

    /// Goes away with a reset, as a client that crashed.
    pub(crate) fn vanish(self) {
        rustix::net::sockopt::set_socket_linger(&self.stream, Some(Duration::ZERO)).expect("SO_LINGER");
    }

    /// Whether more came; false at the stream's end.
    #[track_caller]
    fn receive(&mut self) -> bool {
        let mut bytes = vec![0; 64 * 1024];
        match self.stream.read(&mut bytes) {
            Ok(0) => false,
            Ok(count) => {
                self.received.extend_from_slice(&bytes[..count]);
                true
            }
            // A signal that stops and continues this process ends a read that has a timeout.
            Err(error) if error.kind() == ErrorKind::Interrupted => true,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            Err(error) => panic!("no answer: {error}; received so far: {:?}", self.shown()),
        }
    }

    fn shown(&self) -> String {
        String::from_utf8_lossy(&self.received).into_owned()
    }
}

/// Several connections that take turns, so that what one request does is seen by the next on another shard.
pub(crate) struct Round {
    clients: Vec<Client>,
    next: usize,
}

impl Round {
    pub(crate) fn new(clients: Vec<Client>) -> Round {
        Round { clients, next: 0 }
    }

    /// The connection whose turn it is.
    pub(crate) fn next(&mut self) -> &mut Client {
        self.next = (self.next + 1) % self.clients.len();
        &mut self.clients[self.next]
    }

    #[track_caller]
    pub(crate) fn ask(&mut self, method: &str, target: &str, body: Option<&str>) -> Response {
        self.next().ask(method, target, body)
    }

    #[track_caller]
    pub(crate) fn get(&mut self, target: &str) -> Response {
        self.next().get(target)
    }
}

/// The answer that these bytes begin with, checked as all are, and its length; `None` if there is more of it to come.
#[track_caller]
pub(crate) fn decode(bytes: &[u8]) -> Option<(Response, usize)> {
    let (mut response, start, length) = decode_head(bytes)?;
    response.body = bytes.get(start..start + length)?.to_vec();
    Some((response, start + length))
}

/// The head that these bytes begin with, checked as all are, where its body starts, and how long that is.
#[track_caller]
pub(crate) fn decode_head(bytes: &[u8]) -> Option<(Response, usize, usize)> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).expect("a head in ASCII");
    let response = parse_head(head);
    let length = check_head(&response);
    Some((response, end + 4, length))
}

fn parse_head(head: &str) -> Response {
    let mut lines = head.split("\r\n");
    let line = lines.next().unwrap_or_default().to_owned();
    let status = line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok()).expect(head);
    let fields = lines.map(|line| {
        let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("no field: {line:?} in {head:?}"));
        (name.to_owned(), value.to_owned())
    });
    Response { status, fields: fields.collect(), line, body: Vec::new() }
}

/// The claims about every head; the length of the body.
#[track_caller]
fn check_head(response: &Response) -> usize {
    for (index, (name, _)) in response.fields.iter().enumerate() {
        let twice = response.fields[..index].iter().any(|(other, _)| other.eq_ignore_ascii_case(name));
        assert!(!twice, "{name} stands twice in {response:?}");
    }
    let date = response.field("Date").or_else(|| response.field("date")).expect("Date");
    assert!(date.len() == 29 && date.ends_with(" GMT"), "Date: {date}");
    let length = response.field("Content-Length");
    if matches!(response.status, 204 | 304) {
        assert_eq!(length, None, "{response:?}");
        return 0;
    }
    length.and_then(|length| length.parse().ok()).unwrap_or_else(|| panic!("no Content-Length: {response:?}"))
}
