//! Replies: rendered once and written many times, or written in one go. On the wire the order is status line, the
//! caller's fields, Content-Length, Date, Connection, body.

mod date;
mod status;

#[cfg(test)]
mod tests;

pub use date::DateText;
pub use status::Status;

/// The interim reply to a client that waits before it sends its body (RFC 9110 section 15.2.1).
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// Which Connection field a reply carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// None: what is usual in the request's version goes on.
    Default,
    /// `close`
    Close,
    /// `keep-alive`: for HTTP/1.0 clients that asked for it.
    KeepAlive,
}

impl Connection {
    fn line(self) -> &'static [u8] {
        match self {
            Connection::Default => b"",
            Connection::Close => b"Connection: close\r\n",
            Connection::KeepAlive => b"Connection: keep-alive\r\n",
        }
    }
}

/// A whole reply with a place for the date. Writing it is one copy and 29 bytes patched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    bytes: Box<[u8]>,
    /// Where the date stands.
    date_at: usize,
    /// Where the empty line stands: a Connection field goes in front of it.
    head_end: usize,
}

impl Rendered {
    /// Renders a reply. `fields` may not hold Content-Length, Date or Connection. Status 1xx, 204 and 304 have
    /// neither a body nor a Content-Length, whatever `body` is. See [`encode_reply`] for what becomes of
    /// control characters.
    pub fn new(status: Status, fields: &[(&str, &str)], body: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(head_bytes_estimate(fields) + body.len());
        append_head(&mut bytes, status, fields, body.len());
        let date_at = bytes.len() + DATE_NAME.len();
        append_date(&mut bytes, &DateText::from_unix(0));
        let head_end = bytes.len();
        bytes.extend_from_slice(b"\r\n");
        if status.allows_body() {
            bytes.extend_from_slice(body);
        }
        Rendered { bytes: bytes.into_boxed_slice(), date_at, head_end }
    }

    /// Appends the reply to `out`. Without the body (for HEAD) its Content-Length stays.
    #[inline]
    pub fn write(&self, out: &mut Vec<u8>, date: &DateText, connection: Connection, with_body: bool) {
        let start = out.len();
        if connection == Connection::Default && with_body {
            out.extend_from_slice(&self.bytes);
        } else {
            self.write_varied(out, b"", connection, with_body);
        }
        self.patch_date(out, start, date);
    }

    /// The same with more field lines, each with its line break, behind those that were rendered.
    #[inline]
    pub fn write_with(
        &self,
        out: &mut Vec<u8>,
        date: &DateText,
        lines: &[u8],
        connection: Connection,
        with_body: bool,
    ) {
        debug_assert!(lines.is_empty() || lines.ends_with(b"\r\n"), "lines end");
        let start = out.len();
        self.write_varied(out, lines, connection, with_body);
        self.patch_date(out, start, date);
    }

    fn patch_date(&self, out: &mut [u8], start: usize, date: &DateText) {
        let date_at = start + self.date_at;
        out[date_at..date_at + date.as_bytes().len()].copy_from_slice(date.as_bytes());
    }

    fn write_varied(&self, out: &mut Vec<u8>, lines: &[u8], connection: Connection, with_body: bool) {
        let (head, rest) = self.bytes.split_at(self.head_end);
        out.reserve(self.bytes.len() + lines.len() + connection.line().len());
        out.extend_from_slice(head);
        out.extend_from_slice(lines);
        out.extend_from_slice(connection.line());
        out.extend_from_slice(if with_body { rest } else { b"\r\n" });
    }

    /// The body alone.
    pub fn body(&self) -> &[u8] {
        &self.bytes[self.head_end + 2..]
    }

    /// How many bytes it takes up in memory, and on the wire without a Connection field.
    pub fn bytes_len(&self) -> usize {
        self.bytes.len()
    }
}

/// Writes a reply in one go, for answers that are made per request. The rules are those of [`Rendered::new`] and
/// [`Rendered::write`].
///
/// Names and values come from code and checked configuration. Should one hold CR, LF or NUL all the same, a debug
/// build panics and a release build writes spaces in their place: no value can begin a field or a reply.
pub fn encode_reply(
    out: &mut Vec<u8>,
    status: Status,
    fields: &[(&str, &str)],
    body: &[u8],
    date: &DateText,
    connection: Connection,
    with_body: bool,
) {
    out.reserve(head_bytes_estimate(fields) + body.len());
    append_head(out, status, fields, body.len());
    append_date(out, date);
    out.extend_from_slice(connection.line());
    out.extend_from_slice(b"\r\n");
    if with_body && status.allows_body() {
        out.extend_from_slice(body);
    }
}

const DATE_NAME: &[u8] = b"Date: ";

fn head_bytes_estimate(fields: &[(&str, &str)]) -> usize {
    // Status line, Content-Length, Date, Connection and the empty line take at most 160 bytes.
    fields.iter().fold(160, |sum, (name, value)| sum + name.len() + value.len() + 4)
}

/// Status line, `fields` and Content-Length.
fn append_head(out: &mut Vec<u8>, status: Status, fields: &[(&str, &str)], body_bytes: usize) {
    debug_assert!((100..1000).contains(&status.0), "a status has three digits: {}", status.0);
    out.extend_from_slice(b"HTTP/1.1 ");
    append_number(out, status.0 as usize);
    out.push(b' ');
    out.extend_from_slice(status.reason().as_bytes());
    out.extend_from_slice(b"\r\n");
    for (name, value) in fields {
        debug_assert!(is_harmless(name) && is_harmless(value), "line break in field {name:?}: {value:?}");
        append_harmless(out, name);
        out.extend_from_slice(b": ");
        append_harmless(out, value);
        out.extend_from_slice(b"\r\n");
    }
    if status.allows_body() {
        out.extend_from_slice(b"Content-Length: ");
        append_number(out, body_bytes);
        out.extend_from_slice(b"\r\n");
    }
}

fn append_date(out: &mut Vec<u8>, date: &DateText) {
    out.extend_from_slice(DATE_NAME);
    out.extend_from_slice(date.as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn append_number(out: &mut Vec<u8>, mut number: usize) {
    let mut digits = [0u8; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

fn is_harmless(text: &str) -> bool {
    !text.bytes().any(breaks_lines)
}

fn append_harmless(out: &mut Vec<u8>, text: &str) {
    if is_harmless(text) {
        out.extend_from_slice(text.as_bytes());
    } else {
        out.extend(text.bytes().map(|byte| if breaks_lines(byte) { b' ' } else { byte }));
    }
}

fn breaks_lines(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n' | 0)
}
