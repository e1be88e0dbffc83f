//! One case against a server: the listed answers, in order, and nothing that was not asked for.

use crate::case::{After, Case, bytes};
use crate::wire::{Cut, Response, Wire};
use std::net::SocketAddr;

/// What went wrong, for a reader who sees nothing else.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) what: String,
    /// All that came on the connection.
    pub(crate) came: Vec<u8>,
}

/// Runs a case on a connection of its own. `marker` is a word that no other request of this run has.
pub(crate) fn run(address: SocketAddr, case: &Case, cut: Cut, marker: &str) -> Result<(), Fault> {
    let mut wire = Wire::connect(address).map_err(|what| Fault { what, came: Vec::new() })?;
    converse(&mut wire, case, cut, marker).map_err(|what| Fault { what, came: wire.transcript })
}

fn converse(wire: &mut Wire, case: &Case, cut: Cut, marker: &str) -> Result<(), String> {
    wire.send(&case.bytes(), cut);
    if cut == Cut::Small {
        wire.send(&case.rest(), cut);
    }
    let mut is_closing = false;
    for (index, &expected) in case.status.iter().enumerate() {
        let number = index + 1;
        let response = final_answer(wire, case, number)?;
        if response.status != expected {
            return Err(format!("answer {number} is {}", response.status));
        }
        if index == 0 {
            check_first(&response, case)?;
        }
        is_closing = response.closes();
        if is_closing && number < case.status.len() {
            return Err(format!("answer {number} says close, yet {} were expected", case.status.len()));
        }
    }
    if !case.status.is_empty() && is_closing != (case.after == After::Closed) {
        return Err(format!("the last answer says close: {is_closing}"));
    }
    match case.after {
        After::Open => {
            goes_on(wire, marker)?;
            wire.end_sending();
        }
        // Whoever sends another request now gets no answer to it.
        After::Closed => wire.send(&marked(marker), Cut::Whole),
        // The server cannot know that the rest will not come, until it is told.
        After::Waiting => wire.end_sending(),
    }
    wire.ends()
}

fn final_answer(wire: &mut Wire, case: &Case, number: usize) -> Result<Response, String> {
    let is_to_head = case.head.contains(&number);
    loop {
        match wire.read(is_to_head)? {
            None => return Err(format!("the connection ended instead of answer {number}")),
            Some(response) if response.status == 100 && case.interim && number == 1 => {}
            Some(response) if response.status < 200 => {
                return Err(format!("a {} nobody asked for", response.status));
            }
            Some(response) => return Ok(response),
        }
    }
}

fn check_first(response: &Response, case: &Case) -> Result<(), String> {
    if let Some(missing) = case.fields.iter().find(|name| !response.has(name)) {
        return Err(format!("answer 1 has no {missing}"));
    }
    match &case.body {
        Some(pieces) if bytes(pieces) != response.body => {
            Err(format!("the first body is {:?}…", shown(&response.body, 200)))
        }
        _ => Ok(()),
    }
}

/// Checks that the next request gets its own answer: the server echoes its fields, this word among them.
fn goes_on(wire: &mut Wire, marker: &str) -> Result<(), String> {
    wire.send(&marked(marker), Cut::Whole);
    let Some(response) = wire.read(false)? else {
        return Err("the connection was not kept for another request".into());
    };
    let expected = format!("Host: marker.test\nX-Marker: {marker}\n");
    match response.status == 200 && response.body == expected.as_bytes() {
        true => Ok(()),
        false => Err(format!(
            "the next request got {} {:?} instead of its own answer",
            response.status,
            shown(&response.body, 200)
        )),
    }
}

fn marked(marker: &str) -> Vec<u8> {
    format!("GET / HTTP/1.1\r\nHost: marker.test\r\nX-Marker: {marker}\r\n\r\n").into_bytes()
}

/// Bytes as text with escapes, cut in the middle if there are many.
pub(crate) fn shown(bytes: &[u8], bytes_max: usize) -> String {
    if bytes.len() <= bytes_max {
        return bytes.escape_ascii().to_string();
    }
    let half = bytes_max / 2;
    let left_out = bytes.len() - 2 * half;
    let (start, end) = (&bytes[..half], &bytes[bytes.len() - half..]);
    format!("{} [… {left_out} bytes …] {}", start.escape_ascii(), end.escape_ascii())
}
