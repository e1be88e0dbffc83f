//! Rows of bodies and verdicts. Every row is also fed a byte at a time and cut in two at every byte.

use proptest::prelude::*;

use super::*;

/// Data, bytes consumed, and whether the body ended.
type Outcome = Result<(Vec<u8>, usize, bool), Refusal>;

const BODY_BYTES_MAX: usize = 64;

/// Feeds `input` in pieces that end at `ends`, the way a connection would: what was not consumed comes again.
fn feed(framing: BodyFraming, input: &[u8], ends: impl IntoIterator<Item = usize>) -> Outcome {
    let (mut decoder, mut skipper) = (BodyDecoder::new(framing), BodyDecoder::new(framing));
    let (mut body, mut start, mut complete) = (vec![], 0, false);
    for end in ends {
        let decoded = decoder.decode(&input[start..end], &mut body, BODY_BYTES_MAX);
        assert_eq!(decoded, skipper.skip(&input[start..end], BODY_BYTES_MAX), "skip and decode agree");
        if decoded.is_err() {
            assert_eq!(
                decoder.decode(b"0\r\n\r\n", &mut body, BODY_BYTES_MAX),
                decoded,
                "a refusal is final"
            );
        }
        let decoded = decoded?;
        assert!(decoded.complete || decoded.consumed == end - start, "an open body takes all");
        assert_eq!(decoded.complete, decoder.is_complete());
        assert!(body.len() <= BODY_BYTES_MAX);
        start += decoded.consumed;
        complete = decoded.complete;
    }
    Ok((body, start, complete))
}

/// `expected` is the data and how much of the input is left after the body; `None` if the body is still open.
fn check(framing: BodyFraming, input: impl AsRef<[u8]>, expected: Result<(&str, Option<&str>), Refusal>) {
    let input = input.as_ref();
    let expected = expected.map(|(body, rest)| {
        (body.as_bytes().to_vec(), input.len() - rest.unwrap_or("").len(), rest.is_some())
    });
    let name = input.escape_ascii();
    assert_eq!(feed(framing, input, [input.len()]), expected, "whole {name}");
    assert_eq!(feed(framing, input, 0..=input.len()), expected, "bytes of {name}");
    for cut in 0..input.len() {
        assert_eq!(feed(framing, input, [cut, input.len()]), expected, "{name} cut at {cut}");
    }
}

#[test]
fn sized_bodies() {
    let check = |length: u64, input: &str, expected| check(BodyFraming::Sized(length), input, expected);
    check(0, "next", Ok(("", Some("next"))));
    check(5, "hello", Ok(("hello", Some(""))));
    check(5, "hellonext", Ok(("hello", Some("next"))));
    check(5, "hell", Ok(("hell", None)));
    check(5, "", Ok(("", None)));
    check(64, "", Ok(("", None)));
    check(65, "", Err(Refusal::BodyTooLarge));
    check(u64::MAX, "x", Err(Refusal::BodyTooLarge));
}

#[test]
fn no_body() {
    check(BodyFraming::None, "next", Ok(("", Some("next"))));
}

fn check_chunked(input: impl AsRef<[u8]>, expected: Result<(&str, Option<&str>), Refusal>) {
    check(BodyFraming::Chunked, input, expected);
}

#[test]
fn chunks() {
    check_chunked("0\r\n\r\nnext", Ok(("", Some("next"))));
    check_chunked("5\r\nhello\r\n0\r\n\r\n", Ok(("hello", Some(""))));
    check_chunked("5\r\nhello\r\n6\r\n world\r\n000\r\n\r\nGET", Ok(("hello world", Some("GET"))));
    check_chunked("a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", Ok(("01234567890123456789", Some(""))));
    check_chunked("0000000000000002\r\n\r\n\r\n0\r\n\r\n", Ok(("\r\n", Some(""))));
    check_chunked("5\r\nhel", Ok(("hel", None)));
    check_chunked("5\r\nhello\r\n0\r\n\r", Ok(("hello", None)));
    check_chunked("", Ok(("", None)));
}

#[test]
fn broken_chunks() {
    for input in [
        "\r\n",
        " 5\r\n",
        "0x5\r\n",
        "+5\r\n",
        "-5\r\n",
        "g\r\n",
        "5\n",
        "5\r",
        "5\rx",
        "5 \r\n",
        "5\t\r\n",
        "5 5\r\n",
        "5,5\r\n",
        "00000000000000005\r\n",
        "10000000000000000\r\n",
        "5\r\nhellox",
        "5\r\nhello\n",
        "5\r\nhello\rx",
        "5\r\nhello\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "0\r\n\n",
        "0\r\n\rx",
        "0\n\r\n",
        "0\r\n\r\r\n",
        "\u{fc}",
        ";a\r\n",
    ] {
        match input {
            "5\r" => check_chunked(input, Ok(("", None))),
            _ => check_chunked(input, Err(Refusal::BadRequest)),
        }
    }
}

#[test]
fn bodies_too_large() {
    let data = "x".repeat(64);
    check_chunked(format!("40\r\n{data}\r\n0\r\n\r\n"), Ok((&data, Some(""))));
    check_chunked("41\r\n", Err(Refusal::BodyTooLarge));
    check_chunked(format!("40\r\n{data}\r\n1\r\n"), Err(Refusal::BodyTooLarge));
    check_chunked("ffffffffffffffff\r\n", Err(Refusal::BodyTooLarge));
    check_chunked("1\r\nx\r\nffffffffffffffff\r\n", Err(Refusal::BodyTooLarge));
}

#[test]
fn extensions() {
    for extension in
        [";a", ";a=b", ";a=\"b;\\\"c\\\\\"", " \t;\ta = b", ";a;b=\"\";c", ";a=b \t; c", ";a=\"\t\u{fc}\""]
    {
        let input = format!("1{extension}\r\nx\r\n0{extension}\r\n\r\n");
        check_chunked(input, Ok(("x", Some(""))));
    }
    for extension in [
        ";a\n",
        ";a\rb\r\n",
        ";\x00\r\n",
        ";\x7f\r\n",
        ";a=\"b\r\n\"",
        ";a=\"b\\\r\n",
        ";a=\"\\\x00\"\r\n",
        ";a=\"\n",
        " a\r\n",
        ";\u{fc}\r\n",
        ";\r\n",
        " \r\n",
        ";;\r\n",
        ";a=\r\n",
        ";a b\r\n",
        ";a \r\n",
        ";a=\"b\"c\r\n",
        ";=b\r\n",
        "\x0b;a\r\n",
    ] {
        check_chunked(format!("1{extension}x\r\n0\r\n\r\n"), Err(Refusal::BadRequest));
    }
}

#[test]
fn extensions_are_bounded_over_the_whole_body() {
    let extended = |bytes: u32| {
        let half = bytes / 2;
        let name = |length: u32| "a".repeat(length as usize - 1);
        format!("1;{}\r\nx\r\n0;{}\r\n\r\n", name(half), name(bytes - half)).into_bytes()
    };
    let verdict =
        |input: &[u8]| feed(BodyFraming::Chunked, input, [input.len()]).map(|(_, _, complete)| complete);
    assert_eq!(verdict(&extended(EXTENSION_BYTES_MAX)), Ok(true));
    assert_eq!(verdict(&extended(EXTENSION_BYTES_MAX + 1)), Err(Refusal::BadRequest));
}

#[test]
fn trailers() {
    for trailers in ["A: b\r\n", "A:\r\nB-c: \u{fc}\t \r\n", "A:b:c\r\n"] {
        check_chunked(format!("0\r\n{trailers}\r\nnext"), Ok(("", Some("next"))));
    }
    for trailers in [
        "A\r\n",
        "A : b\r\n",
        ": b\r\n",
        " A: b\r\n",
        "A: b\r\n c\r\n",
        "A: b\n",
        "A: b\rc\r\n",
        "A: \x00\r\n",
        "A b: c\r\n",
    ] {
        check_chunked(format!("0\r\n{trailers}\r\n"), Err(Refusal::BadRequest));
    }
}

#[test]
fn trailers_are_bounded() {
    let verdict = |bytes: u32| {
        let input = format!("0\r\nA: {}\r\n\r\n", "a".repeat(bytes as usize - "A: \r\n".len()));
        feed(BodyFraming::Chunked, input.as_bytes(), [input.len()]).map(|(_, _, complete)| complete)
    };
    assert_eq!(verdict(TRAILER_BYTES_MAX), Ok(true));
    assert_eq!(verdict(TRAILER_BYTES_MAX + 1), Err(Refusal::BadRequest));
}

#[test]
fn what_is_missing_is_known_for_sized_bodies() {
    let mut decoder = BodyDecoder::new(BodyFraming::Sized(5));
    assert_eq!(decoder.missing(), Some(5));
    assert_eq!(decoder.skip(b"ab", 5), Ok(Decoded { consumed: 2, complete: false }));
    assert_eq!(decoder.missing(), Some(3));
    assert_eq!(decoder.skip(b"cdef", 5), Ok(Decoded { consumed: 3, complete: true }));
    assert_eq!(decoder.missing(), Some(0));
    assert_eq!(BodyDecoder::new(BodyFraming::Chunked).missing(), None);
    assert_eq!(BodyDecoder::new(BodyFraming::None).missing(), Some(0));
}

/// What was consumed is never asked for again, so the work is the input's length however it is split.
#[test]
fn a_million_small_chunks() {
    let input = "1\r\nx\r\n".repeat(1_000_000) + "0\r\n\r\n";
    let (mut decoder, mut body, mut consumed, mut calls) =
        (BodyDecoder::new(BodyFraming::Chunked), vec![], 0, 0);
    for piece in input.as_bytes().chunks(4096) {
        let decoded = decoder.decode(piece, &mut body, 1_000_000).expect("accepted");
        consumed += decoded.consumed;
        calls += 1;
    }
    assert_eq!((consumed, body.len(), calls), (input.len(), 1_000_000, input.len().div_ceil(4096)));
    assert!(decoder.is_complete());
}

/// Chunks as a sender would write them.
fn chunked(chunks: &[Vec<u8>]) -> Vec<u8> {
    let mut wire = vec![];
    for chunk in chunks {
        wire.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        wire.extend_from_slice(chunk);
        wire.extend_from_slice(b"\r\n");
    }
    wire.extend_from_slice(b"0\r\n\r\n");
    wire
}

fn chunk_soup() -> impl Strategy<Value = Vec<u8>> {
    let pieces = vec![
        "0",
        "1",
        "3",
        "f",
        "\r\n",
        "\r",
        "\n",
        ";",
        ";a=\"b\"",
        "\"",
        "\\",
        "A: b\r\n",
        "1\r\nx\r\n",
        "0\r\n",
        "0\r\n\r\n",
        " ",
    ];
    let piece = prop_oneof![
        6 => proptest::sample::select(pieces).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..4),
    ];
    proptest::collection::vec(piece, 0..20).prop_map(|pieces| pieces.concat())
}

fn ends(cuts: std::collections::BTreeSet<usize>, length: usize) -> Vec<usize> {
    cuts.into_iter().filter(|&cut| cut < length).chain([length]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn splits_do_not_matter(
        input in chunk_soup(),
        length in proptest::option::of(0u64..80),
        cuts in proptest::collection::btree_set(0usize..80, 0..6),
    ) {
        let framing = length.map_or(BodyFraming::Chunked, BodyFraming::Sized);
        let whole = feed(framing, &input, [input.len()]);
        prop_assert_eq!(&whole, &feed(framing, &input, ends(cuts, input.len())));
        prop_assert_eq!(&whole, &feed(framing, &input, 0..=input.len()));
    }

    #[test]
    fn chunks_come_back(
        chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..12), 0..5),
        rest in proptest::collection::vec(any::<u8>(), 0..5),
        cuts in proptest::collection::btree_set(0usize..120, 0..6),
    ) {
        let wire = chunked(&chunks);
        let input = [&wire[..], &rest].concat();
        let expected = Ok((chunks.concat(), wire.len(), true));
        prop_assert_eq!(feed(BodyFraming::Chunked, &input, ends(cuts, input.len())), expected);
    }
}
