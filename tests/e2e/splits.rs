//! Bytes arrive in whatever pieces the network makes: where a stream is cut changes nothing.

use crate::client::{Client, request};
use crate::pipelining::ENDPOINTS;
use crate::server::Setup;

/// Sends `stream` cut at each of its places, on a connection each, and expects the same answers. On one shard an answer
/// on another connection is the proof that the first piece has been read.
fn cut_everywhere(stream: &[u8], expected: &[(u16, &str)]) {
    let server = Setup::shards(1).and(ENDPOINTS).start();
    let witness = &mut server.connect();
    for cut in 1..stream.len() {
        let client = &mut server.connect();
        client.send(&stream[..cut]);
        witness.goes_on();
        client.send(&stream[cut..]);
        expect(client, expected, &format!("cut at {cut}"));
    }
    let client = &mut server.connect();
    for byte in stream {
        client.send([*byte]);
        witness.goes_on();
    }
    expect(client, expected, "byte by byte");
}

fn expect(client: &mut Client, expected: &[(u16, &str)], what: &str) {
    for (status, body) in expected {
        let answer = client.read();
        assert_eq!((answer.status, answer.text().as_str()), (*status, *body), "{what}");
    }
    client.goes_on();
}

#[test]
fn a_stream_of_two_requests_may_be_cut_anywhere() {
    let mut stream = request("POST", "/echo", &["X: 1"], Some("\r\n\r\nGET / HTTP/1.1"));
    stream.extend(request("GET", "/api/data", &[], None));
    let expected = [(200, "\r\n\r\nGET / HTTP/1.1"), (200, r#"{"data":"Your data here"}"#)];
    cut_everywhere(&stream, &expected);
    // One empty line between requests is skipped.
    let mut stream = request("GET", "/api/user/1", &[], None);
    stream.extend(b"\r\n");
    stream.extend(request("POST", "/echo", &[], Some("b")));
    cut_everywhere(&stream, &[(404, r#"{"error":"User not found"}"#), (200, "b")]);
}

#[test]
fn chunks_may_be_cut_anywhere() {
    let mut stream = b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    stream.extend(b"5\r\nhello\r\n0001;a=b\r\n,\r\n2;c=\"q;\\\"\"\r\n \r\r\n6\r\n\nworld\r\n");
    stream.extend(b"0;last\r\nTrailer: 1\r\nContent-Length: 9\r\n\r\n");
    stream.extend(request("GET", "/api/data", &[], None));
    let expected = [(200, "hello, \r\nworld"), (200, r#"{"data":"Your data here"}"#)];
    cut_everywhere(&stream, &expected);
}

#[test]
fn pieces_of_several_clients_do_not_mix() {
    let server = Setup::shards(1).and(ENDPOINTS).start();
    let witness = &mut server.connect();
    let count = 6;
    let mut clients: Vec<Client> = (0..count).map(|_| server.connect()).collect();
    let marker = |client: usize, round: usize| format!("client {client} round {round} ").repeat(client + 1);
    for round in 0..3 {
        let streams: Vec<Vec<u8>> = (0..count)
            .map(|client| {
                let mut stream = request("POST", "/echo", &[], Some(&marker(client, round)));
                stream.extend(request("GET", &format!("/slow?steps=9&marker=c{client}r{round}"), &[], None));
                stream
            })
            .collect();
        for at in 0..streams.iter().map(Vec::len).max().unwrap_or(0) {
            for (client, stream) in clients.iter_mut().zip(&streams) {
                if let Some(byte) = stream.get(at) {
                    client.send([*byte]);
                }
            }
            witness.goes_on();
        }
        for (index, client) in clients.iter_mut().enumerate().rev() {
            assert_eq!(client.read().text(), marker(index, round));
            assert_eq!(client.read().text(), format!(r#"{{"marker":"c{index}r{round}","n":9}}"#));
        }
    }
}
