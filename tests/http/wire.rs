//! One connection to the server: bytes go out as they are, and what comes back is taken apart strictly.

use crate::case::is_fit;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// How long an answer, or the end of the connection, may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest request that is sent one byte at a time.
pub(crate) const BYTEWISE_BYTES_MAX: usize = 4096;

/// The sizes of pieces of longer ones, in turn.
const UNEVEN: [usize; 7] = [1, 7, 64, 3, 1021, 2, 4099];

/// How a request's bytes are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    Whole,
    /// One byte at a time, or uneven pieces beyond [`BYTEWISE_BYTES_MAX`].
    Small,
}

pub(crate) struct Wire {
    stream: TcpStream,
    received: Vec<u8>,
    /// Everything that came, for the report.
    pub(crate) transcript: Vec<u8>,
}

/// An answer that is well-formed.
pub(crate) struct Response {
    pub(crate) status: u16,
    fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn has(&self, name: &str) -> bool {
        self.field(name).is_some()
    }

    pub(crate) fn closes(&self) -> bool {
        self.field("Connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(each, _)| each.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

impl Wire {
    pub(crate) fn connect(address: SocketAddr) -> Result<Wire, String> {
        let connect = || {
            let stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            Ok(stream)
        };
        let stream = connect().map_err(|error: std::io::Error| format!("cannot connect: {error}"))?;
        Ok(Wire { stream, received: Vec::new(), transcript: Vec::new() })
    }

    /// Sends as much as the server takes: it may refuse before the end.
    pub(crate) fn send(&mut self, bytes: &[u8], cut: Cut) {
        let sizes: &[usize] = match cut {
            Cut::Whole => &[usize::MAX],
            Cut::Small if bytes.len() <= BYTEWISE_BYTES_MAX => &[1],
            Cut::Small => &UNEVEN,
        };
        let mut rest = bytes;
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                return;
            }
            let (piece, after) = rest.split_at(rest.len().min(*size));
            if self.stream.write_all(piece).is_err() {
                return;
            }
            rest = after;
            if cut == Cut::Small {
                // So that the server sees this piece by itself, as a rule.
                std::thread::yield_now();
            }
        }
    }

    /// Says that nothing more will be sent.
    pub(crate) fn end_sending(&mut self) {
        // The server may be gone already.
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// The next answer; `None` if the connection ends before its first byte.
    pub(crate) fn read(&mut self, is_to_head: bool) -> Result<Option<Response>, String> {
        let end = loop {
            if let Some(end) = self.received.windows(4).position(|window| window == b"\r\n\r\n") {
                break end;
            }
            if !self.receive()? {
                return match self.received.is_empty() {
                    true => Ok(None),
                    false => Err("the connection ended within a head".into()),
                };
            }
        };
        let head = String::from_utf8(self.received[..end].to_vec()).map_err(|_| "a head that is no text")?;
        self.received.drain(..end + 4);
        let mut response = parse(&head)?;
        let length = check(&response)?;
        if !is_to_head {
            while self.received.len() < length {
                if !self.receive()? {
                    return Err(format!("the connection ended within a body of {length} bytes"));
                }
            }
            response.body = self.received.drain(..length).collect();
        }
        Ok(Some(response))
    }

    /// Checks that nothing comes any more and the connection ends.
    pub(crate) fn ends(&mut self) -> Result<(), String> {
        while self.received.is_empty() {
            if !self.receive()? {
                return Ok(());
            }
        }
        Err("more came than was asked for".into())
    }

    /// Whether more came; false at the end.
    fn receive(&mut self) -> Result<bool, String> {
        let mut bytes = vec![0; 64 * 1024];
        loop {
            match self.stream.read(&mut bytes) {
                Ok(0) => return Ok(false),
                Ok(count) => {
                    self.received.extend_from_slice(&bytes[..count]);
                    self.transcript.extend_from_slice(&bytes[..count]);
                    return Ok(true);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(false),
                Err(error) => return Err(format!("neither bytes nor an end within {PATIENCE:?} ({error})")),
            }
        }
    }
}

fn parse(head: &str) -> Result<Response, String> {
    let mut lines = head.split("\r\n");
    let line = lines.next().unwrap_or_default();
    let status = line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.split_once(' ')).map(|(code, _)| code);
    let status = status.filter(|code| code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_digit()));
    let status =
        status.and_then(|code| code.parse().ok()).ok_or_else(|| format!("{line:?} is no status line"))?;
    let mut fields = Vec::new();
    for line in lines {
        let is_plain = |text: &str| text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
        let is_name = |name: &str| {
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        match line.split_once(": ") {
            Some((name, value)) if is_name(name) && is_plain(value) => {
                fields.push((name.to_owned(), value.to_owned()));
            }
            _ => return Err(format!("{line:?} is no field")),
        }
    }
    Ok(Response { status, fields, body: Vec::new() })
}

/// What holds of every answer; the length of its body, or of that which HEAD leaves out.
fn check(response: &Response) -> Result<usize, String> {
    let status = response.status;
    let lengths: Vec<_> =
        response.fields.iter().filter(|(name, _)| name.eq_ignore_ascii_case("Content-Length")).collect();
    if response.has("Transfer-Encoding") {
        return Err(format!("{status} with a Transfer-Encoding"));
    }
    if (100..200).contains(&status) || matches!(status, 204 | 304) {
        return match lengths.as_slice() {
            [] => Ok(0),
            _ => Err(format!("{status} with a Content-Length")),
        };
    }
    if !is_fit(status) {
        return Err(format!("{status} must never happen"));
    }
    if !response.field("Date").is_some_and(|date| date.len() == 29 && date.ends_with(" GMT")) {
        return Err(format!("{status} without a Date"));
    }
    match lengths.as_slice() {
        [(_, length)] if length.bytes().all(|byte| byte.is_ascii_digit()) => {
            length.parse().map_err(|_| format!("Content-Length: {length}"))
        }
        _ => Err(format!("{status} with {} Content-Lengths", lengths.len())),
    }
}
