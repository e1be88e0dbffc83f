//! Heads that arrive in pieces, by rows and by chance.

use proptest::prelude::*;

use super::*;
use crate::text::trim_blanks;

/// A head that trickles in is searched, not parsed: a broken field is noticed only once the end is there.
#[test]
fn trickled_heads_are_parsed_once() {
    let input = b"GET / HTTP/1.1\r\nbroken\r\nHost: a\r\n\r\n";
    let mut scanned = 0;
    for end in 1..input.len() {
        let verdict = decode_head(&input[..end], &mut scanned, &LIMITS, &mut FieldStorage::new()).map(drop);
        assert_eq!(verdict, Ok(()), "{end}");
        assert_eq!(scanned, end, "the next search starts where this one ended");
    }
    assert_eq!(feed(input, &LIMITS, [1, input.len()]), Verdict::Refused(Refusal::BadRequest));
}

/// What decides a trickling head is noticed with the byte that decides it, not when the head ends or the
/// connection times out.
#[test]
fn trickled_heads_are_refused_at_once() {
    let check = |input: &str, refusal: Refusal| {
        let input = input.as_bytes();
        assert_eq!(
            feed(input, &LIMITS, 1..=input.len()),
            Verdict::Refused(refusal),
            "{}",
            input.escape_ascii()
        );
        assert_eq!(feed(input, &LIMITS, 1..input.len()), Verdict::Incomplete, "{}", input.escape_ascii());
    };
    check(&format!("GET /{}", "a".repeat(100)), Refusal::TargetTooLong);
    check(&format!("\r\nGET /{}", "a".repeat(100)), Refusal::TargetTooLong);
    check(&format!("GET / HTTP/1.0\r\n{}", "a".repeat(584)), Refusal::HeadTooLarge);
    check(&"M".repeat(33), Refusal::BadRequest);
    check("GET / HTTP/1.0\n\n", Refusal::BadRequest);
    check("GET / HTTP/1.0\n\r\n", Refusal::BadRequest);
    check("GET / HTTP/1.0\r\nA: b\n\n", Refusal::BadRequest);
    check("GET / HTTP/2.0\r\n\r\n", Refusal::VersionUnsupported);
    check("\r\n\r", Refusal::BadRequest);
    check("\n", Refusal::BadRequest);
}

#[test]
fn pipelined_heads_come_one_by_one() {
    let input = b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\nGET /3 HT";
    let (mut scanned, mut rest, mut paths) = (0, &input[..], vec![]);
    while let Some((head, consumed)) =
        decode_head(rest, &mut scanned, &LIMITS, &mut FieldStorage::new()).expect("accepted")
    {
        paths.push(head.path);
        rest = &rest[consumed..];
    }
    assert_eq!(paths, ["/1", "/2"]);
    assert_eq!((rest, scanned), (&b"GET /3 HT"[..], 9));
}

/// Pieces that heads are made of, sound and broken ones.
fn head_soup() -> impl Strategy<Value = Vec<u8>> {
    let pieces: Vec<&'static [u8]> = vec![
        b"GET / HTTP/1.1\r\n",
        b"POST /a?b=%20 HTTP/1.0\r\n",
        b"GET ",
        b"/",
        b" HTTP/1.1",
        b" HTTP/2.0",
        b"\r\n",
        b"\r\n\r\n",
        b"\n",
        b"\r",
        b" ",
        b":",
        b"Host: a\r\n",
        b"Host: [::1]:80\r\n",
        b"Content-Length: 3\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: gzip\r\n",
        b"Expect: 100-continue\r\n",
        b"Expect: x\r\n",
        b"Connection: close\r\n",
        b"A:\r\n",
        b"A: \xff\t\r\n",
        b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        b"\x00",
        b"%",
        b"#",
        b"*",
    ];
    let piece = prop_oneof![
        6 => proptest::sample::select(pieces).prop_map(<[u8]>::to_vec),
        1 => proptest::collection::vec(any::<u8>(), 0..4),
    ];
    let start = prop_oneof![
        Just(&b"GET / HTTP/1.1\r\nHost: a\r\n"[..]),
        Just(&b"GET / HTTP/1.0\r\n"[..]),
        Just(&b"\r\n"[..]),
        Just(&b""[..])
    ];
    (start, proptest::collection::vec(piece, 0..14))
        .prop_map(|(start, pieces)| [start.to_vec(), pieces.concat(), b"\r\n\r\n".to_vec()].concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn splits_do_not_matter(
        input in head_soup(),
        cuts in proptest::collection::btree_set(0usize..400, 0..8),
        head_bytes_max in 20usize..300,
        fields_max in 0usize..8,
        target_bytes_max in 0usize..60,
    ) {
        let limits = Limits { head_bytes_max, fields_max, target_bytes_max };
        let mut ends: Vec<usize> = cuts.into_iter().filter(|&cut| cut < input.len()).collect();
        ends.push(input.len());
        assert_same_when_split(&input, &limits, &ends);
    }

    #[test]
    fn arbitrary_bytes_never_panic(input in proptest::collection::vec(any::<u8>(), 0..200)) {
        assert_same_at_every_cut(&input);
    }

    /// Whatever is accepted obeys the grammar as read by a second, naive reader.
    #[test]
    fn accepted_heads_are_plain(input in head_soup()) {
        let mut storage = FieldStorage::new();
        if let Ok(Some((head, consumed))) = decode_head(&input, &mut 0, &LIMITS, &mut storage) {
            let text: Vec<u8> = input[..consumed].to_vec();
            let inner = text.strip_prefix(b"\r\n").unwrap_or(&text);
            let lines: Vec<&[u8]> = inner
                .strip_suffix(b"\r\n\r\n").expect("ends in an empty line")
                .split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line)).collect();
            prop_assert_eq!(lines.len(), head.fields().count() + 1);
            let breaks = inner.iter().filter(|byte| matches!(byte, b'\r' | b'\n')).count();
            prop_assert_eq!(breaks, 2 * lines.len() + 2);
            for (line, (name, value)) in lines[1..].iter().zip(head.fields()) {
                let (start, rest) = line.split_at(name.len() + 1);
                prop_assert_eq!(start, [name.as_bytes(), b":"].concat());
                prop_assert_eq!(trim_blanks(rest), value);
            }
        }
    }
}
