//! The runner against peers that misbehave on purpose: what it has to find, it finds.

use crate::case::{self, Suite};
use crate::judge;
use crate::wire::Cut;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};

const REFUSED: &str = "HTTP/1.1 400 Bad Request\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}";
const SERVED: &str = "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 2\r\n\r\n{}";

/// A peer that answers any request, and the next one, with these, and ends the connection once nothing is left to say.
fn peer(answers: Vec<String>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("the runner connects");
        let mut received = Vec::new();
        for answer in answers {
            receive_head(&mut stream, &mut received);
            let marker = marker(&received);
            stream.write_all(answer.replace("{marker}", &marker).as_bytes()).expect("the runner reads");
            received.clear();
        }
        let _ = stream.shutdown(Shutdown::Write);
        let _ = stream.read_to_end(&mut received);
    });
    address
}

fn receive_head(stream: &mut TcpStream, received: &mut Vec<u8>) {
    let mut bytes = [0; 4096];
    while !received.ends_with(b"\r\n\r\n") {
        match stream.read(&mut bytes) {
            Ok(count) if count > 0 => received.extend_from_slice(&bytes[..count]),
            _ => return,
        }
    }
}

fn marker(received: &[u8]) -> String {
    let text = String::from_utf8_lossy(received);
    let value = text.split_once("X-Marker: ").and_then(|(_, rest)| rest.split_once("\r\n"));
    value.map(|(value, _)| value.to_owned()).unwrap_or_default()
}

fn own_answer() -> String {
    let body = "Host: marker.test\nX-Marker: {marker}\n";
    let length = body.replace("{marker}", "m-1").len();
    format!(
        "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

fn suite(keys: &str) -> Result<Suite, String> {
    case::parse(&format!(
        "suite = \"s\"\nsource = \"here\"\ncount = 1\n[[case]]\nname = \"c\"\nrequest = [\"GET / HTTP/1.1\\r\\n\\r\\n\"]\n{keys}"
    ))
}

/// What the runner finds wrong with such answers; empty if nothing.
#[track_caller]
fn check(keys: &str, answers: &[&str], expected: &str) {
    let suite = suite(keys).expect("a suite");
    let address = peer(answers.iter().map(|&answer| answer.to_owned()).collect());
    let found = match judge::run(address, &suite.cases[0], Cut::Whole, "m-1") {
        Ok(()) => String::new(),
        Err(fault) => fault.what,
    };
    assert!(
        found.contains(expected) && found.is_empty() == expected.is_empty(),
        "{found:?} is not {expected:?}"
    );
}

#[test]
fn what_is_right_passes() {
    check("status = [400]\nafter = \"closed\"", &[REFUSED], "");
    check("status = [200]\nafter = \"open\"", &[SERVED, &own_answer()], "");
    check("status = [200, 400]\nafter = \"closed\"", &[&format!("{SERVED}{REFUSED}")], "");
    check(
        "status = [200]\nafter = \"open\"\nbody = [\"{}\"]\nfields = [\"date\"]",
        &[SERVED, &own_answer()],
        "",
    );
    let interim = format!("HTTP/1.1 100 Continue\r\n\r\n{SERVED}");
    check("status = [200]\nafter = \"open\"\ninterim = true", &[&interim, &own_answer()], "");
}

#[test]
fn another_verdict_is_found() {
    check("status = [400]\nafter = \"closed\"", &[SERVED], "answer 1 is 200");
    check("status = [200]\nafter = \"open\"", &[REFUSED], "answer 1 is 400");
    check("status = [200, 400]\nafter = \"closed\"", &[SERVED], "ended instead of answer 2");
    check("status = [200]\nafter = \"open\"\nbody = [\"x\"]", &[SERVED], "the first body");
    check("status = [200]\nafter = \"open\"\nfields = [\"Allow\"]", &[SERVED], "no Allow");
    check("after = \"waiting\"", &[REFUSED], "more came");
}

#[test]
fn left_over_bytes_that_became_a_request_are_found() {
    let twice = format!("{REFUSED}{SERVED}");
    check("status = [400]\nafter = \"closed\"", &[&twice], "more came");
    // The request that the runner sends behind the refusal must not be answered either.
    check("status = [400]\nafter = \"closed\"", &[REFUSED, SERVED], "more came");
    check("status = [200]\nafter = \"open\"", &[SERVED, SERVED], "instead of its own answer");
    let late = format!("{}{SERVED}", own_answer());
    check("status = [200]\nafter = \"open\"", &[SERVED, &late], "more came");
    check("status = [200]\nafter = \"open\"", &[SERVED], "not kept");
}

#[test]
fn malformed_answers_are_found() {
    let check = |answer: &str, expected: &str| check("status = [200]\nafter = \"open\"", &[answer], expected);
    check(&SERVED.replace("Content-Length: 2", "X: 2"), "0 Content-Lengths");
    check(
        &SERVED.replace("Content-Length: 2", "Content-Length: 2\r\ncontent-length: 2"),
        "2 Content-Lengths",
    );
    check(&SERVED.replace("Content-Length: 2", "Transfer-Encoding: chunked"), "Transfer-Encoding");
    check(&SERVED.replace("200 OK", "204 No Content"), "204 with a Content-Length");
    check(&SERVED.replace("Date", "X"), "without a Date");
    check(&SERVED.replace("200 OK", "500 Oh"), "500 must never happen");
    check(&SERVED.replace("200 OK", "20 OK"), "no status line");
    check(&SERVED.replace("Date: ", "Date:"), "is no field");
    check(&SERVED.replace("Length: 2", "Length: 3"), "ended within a body");
    check(&format!("HTTP/1.1 100 Continue\r\n\r\n{SERVED}"), "nobody asked for");
}

#[test]
fn suites_that_cannot_be_right_are_refused() {
    let check = |keys: &str, expected: &str| {
        let found = suite(keys).err().unwrap_or_default();
        assert!(found.contains(expected), "{found:?} is not {expected:?}");
    };
    check("status = [503]", "503 is never a right answer");
    check("after = \"open\"", "no answer, yet ready");
    check("status = [200]\nallowed = [\"4xx\"]", "not among");
    check("status = [200]\nallowed = [\"2xx+close\"]\nafter = \"open\"", "not among");
    check("status = [400]\nallowed = [\"4xx\"]\ndiffers = \"why\"", "does not differ");
    check(
        "status = [400]\nallowed = [\"2xx\"]\ndiffers = \"why\"\nlevel = \"MUST\"",
        "differs from what must be",
    );
    check("status = [400]\nskip = \"why\"", "skipped, but with a verdict");
    check("status = [400]\nunknown = 1", "unknown field");
    let second = "status = [400]\n[[case]]\nname = \"d\"\nrequest = []\nstatus = [400]";
    check(second, "2 cases, but the source has 1");
}
