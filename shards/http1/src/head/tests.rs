//! Rows of heads and verdicts. Every row is also fed a byte at a time and cut in two at every byte.

mod splits;

use super::*;

const LIMITS: Limits = Limits { head_bytes_max: 600, fields_max: 12, target_bytes_max: 100 };

/// What became of an input, without its lifetimes.
#[derive(Debug, Clone, PartialEq)]
enum Verdict {
    Head(String, usize),
    Incomplete,
    Refused(Refusal),
}

/// Feeds `input` in the pieces that end at `ends`, as a connection would.
fn feed(input: &[u8], limits: &Limits, ends: impl IntoIterator<Item = usize>) -> Verdict {
    let mut scanned = 0;
    for end in ends {
        let mut storage = FieldStorage::new();
        match decode_head(&input[..end], &mut scanned, limits, &mut storage) {
            Ok(Some((head, consumed))) => {
                assert_eq!(scanned, 0, "a decoded head resets the memory");
                return Verdict::Head(format!("{head:?}"), consumed);
            }
            Ok(None) => assert!(scanned <= end),
            Err(refusal) => return Verdict::Refused(refusal),
        }
    }
    Verdict::Incomplete
}

fn whole(input: &[u8]) -> Verdict {
    feed(input, &LIMITS, [input.len()])
}

/// The law of splits: pieces give what the whole gives, but a refusal may wait for the end of the head.
fn assert_same_when_split(input: &[u8], limits: &Limits, ends: &[usize]) {
    let whole = feed(input, limits, [input.len()]);
    let mut split = feed(input, limits, ends.iter().copied());
    if split == Verdict::Incomplete && matches!(whole, Verdict::Refused(_)) {
        let closed = [input, b"\r\n\r\n"].concat();
        split = feed(&closed, limits, ends.iter().copied().chain([closed.len()]));
    }
    assert_eq!(whole, split, "input {:?} ending at {ends:?}", String::from_utf8_lossy(input));
}

fn assert_same_at_every_cut(input: &[u8]) {
    let each: Vec<usize> = (1..=input.len()).collect();
    assert_same_when_split(input, &LIMITS, &each);
    for cut in 1..input.len() {
        assert_same_when_split(input, &LIMITS, &[cut, input.len()]);
    }
}

/// Decodes a whole `input` and says what `view` makes of it.
fn decode<T>(input: &[u8], view: impl Fn(&Head<'_, '_>, usize) -> T) -> Result<Option<T>, Refusal> {
    assert_same_at_every_cut(input);
    let mut storage = FieldStorage::new();
    let decoded = decode_head(input, &mut 0, &LIMITS, &mut storage)?;
    Ok(decoded.map(|(head, consumed)| view(&head, consumed)))
}

fn check_refused(input: impl AsRef<[u8]>, refusal: Refusal) {
    let input = input.as_ref();
    assert_eq!(decode(input, |head, _| format!("{head:?}")), Err(refusal), "{}", input.escape_ascii());
}

/// Refused or not, for a request line and Host followed by `fields`.
fn check_fields(fields: &str, expected: Result<(), Refusal>) {
    let input = format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
    let verdict = decode(input.as_bytes(), |_, _| ()).map(|head| head.expect("complete"));
    assert_eq!(verdict, expected, "{fields:?}");
}

#[test]
fn takes_a_head_apart() {
    let input = b"GET /api/users?page=2 HTTP/1.1\r\nHost: example.org:8080\r\naccept-ENCODING:gzip\r\n\
        X-Request-Id:\t r-1 \r\nIf-None-Match: \"a\"\r\nX-Forwarded-For: 10.0.0.1\r\nx-forwarded-for: 10.0.0.2\r\n\
        Content-Type: application/json\r\nContent-Length: 5\r\nEmpty:\r\n\r\nhello";
    let mut storage = FieldStorage::new();
    let decoded = decode_head(input, &mut 0, &LIMITS, &mut storage);
    let (head, consumed) = decoded.expect("accepted").expect("complete");
    assert_eq!(&input[consumed..], b"hello");
    assert_eq!((head.method, head.version), (Method::Get, Version::Http11));
    assert_eq!(head.target, "/api/users?page=2");
    assert_eq!((head.path, head.query), ("/api/users", Some("page=2")));
    assert_eq!(head.framing, BodyFraming::Sized(5));
    assert!(head.keep_alive);
    assert!(!head.expect_continue);
    assert_eq!(head.host, Some(&b"example.org:8080"[..]));
    assert_eq!(head.accept_encoding, Some(&b"gzip"[..]));
    assert_eq!(head.request_id, Some(&b"r-1"[..]));
    assert_eq!(head.if_none_match, Some(&b"\"a\""[..]));
    assert_eq!(head.content_type, Some(&b"application/json"[..]));
    assert_eq!(head.forwarded_for, Some(&b"10.0.0.2"[..]));
    assert_eq!(head.field("EMPTY"), Some(&b""[..]));
    assert_eq!(head.field("Emptyy"), None);
    assert_eq!(head.field("x-FORWARDED-for"), Some(&b"10.0.0.1"[..]));
    assert_eq!(head.field_lines("X-Forwarded-For").next_back(), head.forwarded_for);
    assert_eq!(head.fields().count(), 9);
    assert_eq!(head.fields().next(), Some(("Host", &b"example.org:8080"[..])));
}

#[test]
fn incomplete_heads_wait() {
    let head = "\r\nGET /a HTTP/1.1\r\nHost: a\r\n\r\n";
    for end in 0..head.len() {
        assert_eq!(whole(&head.as_bytes()[..end]), Verdict::Incomplete, "{end}");
    }
    assert!(matches!(whole(head.as_bytes()), Verdict::Head(_, consumed) if consumed == head.len()));
}

#[test]
fn one_empty_line_may_come_first() {
    let check = |input: &[u8], expected| {
        assert_eq!(decode(input, |_, consumed| consumed), expected, "{}", input.escape_ascii());
    };
    check(b"\r\nGET / HTTP/1.0\r\n\r\nnext", Ok(Some(20)));
    check(b"\r\n", Ok(None));
    check(b"\r", Ok(None));
    for input in
        ["\r\n\r\nGET / HTTP/1.0\r\n\r\n", "\nGET / HTTP/1.0\r\n\r\n", "\r\n\nGET /", "\rGET /", "\r\r\n"]
    {
        check(input.as_bytes(), Err(Refusal::BadRequest));
    }
}

#[test]
fn request_lines() {
    let check = |line: &str, expected: Result<Method, Refusal>| {
        let input = format!("{line}\r\nHost: a\r\n\r\n");
        let verdict = decode(input.as_bytes(), |head, _| head.method);
        assert_eq!(verdict.map(|method| method.expect("complete")), expected, "{line:?}");
    };
    check("GET / HTTP/1.1", Ok(Method::Get));
    check("PATCH / HTTP/1.1", Ok(Method::Patch));
    check("get / HTTP/1.1", Ok(Method::Unknown));
    check("M-SEARCH!#$ / HTTP/1.0", Ok(Method::Unknown));
    check(&format!("{} / HTTP/1.1", "M".repeat(32)), Ok(Method::Unknown));
    for line in [
        &format!("{} / HTTP/1.1", "M".repeat(33)),
        "GET  / HTTP/1.1",
        "GET /  HTTP/1.1",
        "GET / HTTP/1.1 ",
        " GET / HTTP/1.1",
        "GET\t/ HTTP/1.1",
        "GET /\tHTTP/1.1",
        "G@T / HTTP/1.1",
        "GET / http/1.1",
        "GET / HTTP/1.",
        "GET / HTTP/11",
        "GET / HTTP/1.1x",
        "GET / HTTPS/1.1",
        "GET / HTTP/a.1",
        "GET / ",
        "GET /",
        "GET",
        "/ HTTP/1.1",
        "GET / a HTTP/1.1",
    ] {
        check(line, Err(Refusal::BadRequest));
    }
    for version in ["HTTP/2.0", "HTTP/0.9", "HTTP/1.2", "HTTP/3.0", "HTTP/9.9"] {
        check(&format!("GET / {version}"), Err(Refusal::VersionUnsupported));
    }
}

#[test]
fn the_preface_of_http2_is_an_unsupported_version() {
    check_refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Refusal::VersionUnsupported);
    assert_eq!(whole(b"PRI * HTTP/2"), Verdict::Incomplete);
}

#[test]
fn targets() {
    type Parts<'t> = (&'t str, Option<&'t str>, &'t str);
    let check = |method: &str, target: &str, expected: Result<Parts<'_>, Refusal>| {
        let input = format!("{method} {target} HTTP/1.1\r\nHost: field\r\n\r\n");
        let view = |head: &Head<'_, '_>, _| {
            assert_eq!(head.target, target);
            let host = String::from_utf8(head.host.expect("always there").to_vec()).expect("ASCII");
            (head.path.to_owned(), head.query.map(str::to_owned), host)
        };
        let verdict = decode(input.as_bytes(), view).map(|parts| parts.expect("complete"));
        let expected = expected.map(|(path, query, host)| (path.into(), query.map(Into::into), host.into()));
        assert_eq!(verdict, expected, "{method} {target}");
    };
    check("GET", "/", Ok(("/", None, "field")));
    check("GET", "//x", Ok(("//x", None, "field")));
    check("GET", "/a/%2F%c3%BC?x=%zz&y=?", Ok(("/a/%2F%c3%BC", Some("x=%zz&y=?"), "field")));
    check("GET", "/?", Ok(("/", Some(""), "field")));
    check("GET", "/a\"<>|{}^`\\", Ok(("/a\"<>|{}^`\\", None, "field")));
    check("GET", "http://h", Ok(("/", None, "h")));
    check("GET", "HTTP://h:80/p?q", Ok(("/p", Some("q"), "h:80")));
    check("GET", "https://[::1]:8443?q", Ok(("/", Some("q"), "[::1]:8443")));
    check("OPTIONS", "*", Ok(("*", None, "field")));
    check("OPTIONS", "/a", Ok(("/a", None, "field")));
    check("CONNECT", "h:443", Ok(("h:443", None, "h:443")));
    for (method, target) in [
        ("GET", "*"),
        ("OPTIONS", "**"),
        ("GET", "a"),
        ("GET", "?q"),
        ("GET", "h:80"),
        ("GET", "/a#b"),
        ("GET", "/a?b#c"),
        ("GET", "/\u{fc}"),
        ("GET", "/?\u{fc}"),
        ("GET", "/%"),
        ("GET", "/%4"),
        ("GET", "/%g0"),
        ("GET", "/%0g?"),
        ("GET", "/\x7f"),
        ("GET", "/\x01"),
        ("GET", "http://"),
        ("GET", "http:///p"),
        ("GET", "http://u@h/p"),
        ("GET", "http://:80/"),
        ("GET", "http://h:99999/"),
        ("GET", "http://h/%"),
        ("GET", "http:/h"),
        ("GET", "ftp://h/"),
        ("GET", "http"),
        ("CONNECT", "h"),
        ("CONNECT", "h:"),
        ("CONNECT", "/"),
        ("CONNECT", "*"),
        ("CONNECT", "http://h:80"),
    ] {
        check(method, target, Err(Refusal::BadRequest));
    }
    check_refused(b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::BadRequest);
}

#[test]
fn hosts() {
    let check = |fields: &str, expected: Result<(), Refusal>| {
        let input = format!("GET / HTTP/1.1\r\n{fields}\r\n");
        let verdict = decode(input.as_bytes(), |_, _| ()).map(|head| head.expect("complete"));
        assert_eq!(verdict, expected, "{fields:?}");
    };
    for host in [
        "a",
        "A.b-c_d~e",
        "a:0",
        "a:65535",
        "a:",
        "127.0.0.1:80",
        "[::1]",
        "[::1]:80",
        "[::ffff:1.2.3.4]",
        "%41b",
        "a!$&'()*+,;=b",
    ] {
        check(&format!("Host: {host}\r\n"), Ok(()));
    }
    for host in [
        "",
        ":80",
        "a:65536",
        "a:+1",
        "a:8x",
        "a:80:80",
        "a:000080",
        "u@a",
        "a b",
        "a/b",
        "a?b",
        "a#b",
        "a\\b",
        "%4",
        "%zz",
        "[::1",
        "[]",
        "[::1]x",
        "[g::]",
        "[1.2.3.4]",
        "[v1.a]",
        "[::1%25eth0]",
        "::1",
        "a\u{fc}",
        "a\"",
    ] {
        check(&format!("Host: {host}\r\n"), Err(Refusal::BadRequest));
    }
    check("", Err(Refusal::BadRequest));
    check("Hos: a\r\n", Err(Refusal::BadRequest));
    check("Host: a\r\nhOST: a\r\n", Err(Refusal::BadRequest));
    assert_eq!(decode(b"GET / HTTP/1.0\r\n\r\n", |head, _| head.host.is_none()), Ok(Some(true)));
    check_refused("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", Refusal::BadRequest);
    check_refused("GET http://h/ HTTP/1.1\r\n\r\n", Refusal::BadRequest);
}

#[test]
fn field_syntax() {
    check_fields("A: \u{fc}\t \"~\r\n", Ok(()));
    check_fields("!#$%&'*+-.^_`|~09aZ: a\r\n", Ok(()));
    for fields in [
        "A : b\r\n",
        "A\t: b\r\n",
        ": b\r\n",
        " : b\r\n",
        "A\r\n",
        "A b: c\r\n",
        "A: b\r\n c\r\n",
        "A: b\r\n\tc\r\n",
        "A(: b\r\n",
        "A: \x00\r\n",
        "A: \x01b\r\n",
        "A: b\x7f\r\n",
        "A: b\x0b\r\n",
        "A\u{fc}: b\r\n",
        "\"A\": b\r\n",
    ] {
        check_fields(fields, Err(Refusal::BadRequest));
    }
    check_refused("GET / HTTP/1.1\r\n Host: a\r\n\r\n", Refusal::BadRequest);
    check_refused("GET / HTTP/1.1\r\n\tHost: a\r\nHost: a\r\n\r\n", Refusal::BadRequest);
}

#[test]
fn bare_line_ends_are_refused() {
    let lines = ["GET / HTTP/1.1", "Host: a", "Empty:", "B: c", ""];
    for broken in 0..lines.len() {
        for end in ["\n", "\r", "\n\r", "\r\r\n"] {
            let ends = (0..lines.len()).map(|line| if line == broken { end } else { "\r\n" });
            let input: String = lines.iter().zip(ends).flat_map(|(line, end)| [*line, end]).collect();
            // A last line that ends in a lone CR is still open.
            check_refused(format!("{input}x\r\n\r\n"), Refusal::BadRequest);
        }
    }
    check_refused("GET / HTTP/1.1\nHost: a\n\n", Refusal::BadRequest);
    check_refused("GET / HTTP/1.0\n\n", Refusal::BadRequest);
    check_refused("GET / HTTP/1.0\n\r\n", Refusal::BadRequest);
    check_fields("A: b\rc\r\n", Err(Refusal::BadRequest));
    check_fields("A: b\nc\r\n", Err(Refusal::BadRequest));
    check_fields("A: b\nC: d\r\n", Err(Refusal::BadRequest));
    check_fields("A:\nC: d\r\n", Err(Refusal::BadRequest));
}

#[test]
fn framings() {
    let check = |fields: &str, expected: Result<BodyFraming, Refusal>| {
        let input = format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
        let verdict =
            decode(input.as_bytes(), |head, _| head.framing).map(|framing| framing.expect("complete"));
        assert_eq!(verdict, expected, "{fields:?}");
    };
    let length = |value: &str| format!("Content-Length: {value}\r\n");
    let coding = |value: &str| format!("Transfer-Encoding: {value}\r\n");
    check("", Ok(BodyFraming::None));
    check(&length("0"), Ok(BodyFraming::Sized(0)));
    check(&length("\t 42 \t"), Ok(BodyFraming::Sized(42)));
    check(&length("007"), Ok(BodyFraming::Sized(7)));
    check(&length("18446744073709551615"), Ok(BodyFraming::Sized(u64::MAX)));
    for value in ["", "+1", "-1", "1 2", "1,1", "1, 1", "0x1", "1.0", "a", "18446744073709551616", "1\u{fc}"]
    {
        check(&length(value), Err(Refusal::BadRequest));
    }
    check(&(length("1") + &length("1")), Err(Refusal::BadRequest));
    check(&(length("1") + &length("2")), Err(Refusal::BadRequest));

    check(&coding("chunked"), Ok(BodyFraming::Chunked));
    check(&coding(" \tcHuNkEd\t"), Ok(BodyFraming::Chunked));
    for value in
        ["gzip", "gzip, chunked", "identity", "xchunked", "chunkedx", "gzip;q=1", "gzip;a=b, chunked"]
    {
        check(&coding(value), Err(Refusal::TransferCodingUnknown));
    }
    check(&(coding("gzip") + &coding("chunked")), Err(Refusal::TransferCodingUnknown));
    for value in [
        "",
        ",",
        "chunked,",
        ",chunked",
        "chunked, chunked",
        "chunked, gzip",
        "gzip, chunked, chunked",
        "chunked;a",
        "chunked ;a=b",
        "\"chunked\"",
        "chun ked",
        "chunked\u{fc}",
        "\x0bchunked",
        ";chunked",
    ] {
        check(&coding(value), Err(Refusal::BadRequest));
    }
    check(&(coding("chunked") + &coding("chunked")), Err(Refusal::BadRequest));
    check(&(coding("chunked") + &coding("identity")), Err(Refusal::BadRequest));
    check(&(coding("chunked") + &length("1")), Err(Refusal::BadRequest));
    check(&(length("1") + &coding("chunked")), Err(Refusal::BadRequest));
    check(&(length("1") + &coding("gzip")), Err(Refusal::BadRequest));
    check_refused("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", Refusal::BadRequest);
    check_refused("POST / HTTP/1.0\r\nTransfer-Encoding: gzip\r\n\r\n", Refusal::BadRequest);
}

#[test]
fn persistence() {
    let check = |version: &str, values: &[&str], expected: bool| {
        let fields: String = values.iter().map(|value| format!("Connection: {value}\r\n")).collect();
        let input = format!("GET / {version}\r\nHost: a\r\n{fields}\r\n");
        assert_eq!(
            decode(input.as_bytes(), |head, _| head.keep_alive),
            Ok(Some(expected)),
            "{version} {values:?}"
        );
    };
    check("HTTP/1.1", &[], true);
    check("HTTP/1.1", &["keep-alive"], true);
    check("HTTP/1.1", &["close"], false);
    check("HTTP/1.1", &["Upgrade ,\tCLOSE,,"], false);
    check("HTTP/1.1", &["keep-alive", "close"], false);
    check("HTTP/1.1", &["closed, not-close", "cl ose", ""], true);
    check("HTTP/1.0", &[], false);
    check("HTTP/1.0", &["Keep-Alive"], true);
    check("HTTP/1.0", &["x, keep-alive"], true);
    check("HTTP/1.0", &["close", "keep-alive"], false);
}

#[test]
fn expectations() {
    let check = |fields: &str, expected: Result<bool, Refusal>| {
        let (version, fields) = fields.split_once('|').expect("version|fields");
        let input = format!("POST / HTTP/{version}\r\nHost: a\r\n{fields}\r\n");
        let verdict =
            decode(input.as_bytes(), |head, _| head.expect_continue).map(|head| head.expect("complete"));
        assert_eq!(verdict, expected, "{fields:?}");
    };
    check("1.1|Expect: 100-continue\r\nContent-Length: 1\r\n", Ok(true));
    check("1.1|Expect: 100-Continue\r\nTransfer-Encoding: chunked\r\n", Ok(true));
    check("1.1|Expect: 100-continue\r\nExpect: 100-continue\r\nContent-Length: 1\r\n", Ok(true));
    check("1.1|Expect: 100-continue\r\n", Ok(false));
    check("1.1|Expect: 100-continue\r\nContent-Length: 0\r\n", Ok(false));
    check("1.0|Expect: 100-continue\r\nContent-Length: 1\r\n", Ok(false));
    check("1.0|Expect: else\r\n", Ok(false));
    for value in ["", "100", "100-continue, x", "else"] {
        check(&format!("1.1|Expect: {value}\r\n"), Err(Refusal::ExpectationUnknown));
    }
    check("1.1|Expect: x\r\nExpect: 100-continue\r\n", Err(Refusal::ExpectationUnknown));
    check("1.1|Expect: x\r\nTransfer-Encoding: gzip\r\n", Err(Refusal::TransferCodingUnknown));
    check("1.1|Expect: x\r\nContent-Length: x\r\n", Err(Refusal::BadRequest));
}

#[test]
fn bounds() {
    let check = |input: String, expected: Result<Option<()>, Refusal>| {
        assert_eq!(decode(input.as_bytes(), |_, _| ()), expected, "{} bytes: {input:?}", input.len());
    };
    let targeted = |length: usize| format!("GET /{} HTTP/1.0\r\n\r\n", "a".repeat(length - 1));
    check(targeted(100), Ok(Some(())));
    check(targeted(101), Err(Refusal::TargetTooLong));
    check(format!("GET /{}", "a".repeat(99)), Ok(None));
    check(format!("GET /{}", "a".repeat(100)), Err(Refusal::TargetTooLong));
    check(format!("\r\nGET /{}", "a".repeat(100)), Err(Refusal::TargetTooLong));
    check(format!("GET /{}", "a".repeat(1000)), Err(Refusal::TargetTooLong));
    check(format!("GET /\t{}", "a".repeat(1000)), Err(Refusal::BadRequest));
    check(format!("GET /{} HTTP/7.x\r\n\r\n", "a".repeat(200)), Err(Refusal::TargetTooLong));
    check("M".repeat(32), Ok(None));
    check("M".repeat(33), Err(Refusal::BadRequest));

    let padded = |length: usize| {
        let rest = "GET / HTTP/1.0\r\nA: \r\n\r\n";
        format!("GET / HTTP/1.0\r\nA: {}\r\n\r\n", "a".repeat(length - rest.len()))
    };
    check(padded(600), Ok(Some(())));
    check(padded(601), Err(Refusal::HeadTooLarge));
    check(padded(5000), Err(Refusal::HeadTooLarge));
    check(padded(600)[..599].to_owned(), Ok(None));
    check(padded(601)[..600].to_owned(), Err(Refusal::HeadTooLarge));

    let counted = |fields: usize| format!("GET / HTTP/1.0\r\n{}\r\n", "A: b\r\n".repeat(fields));
    check(counted(12), Ok(Some(())));
    check(counted(13), Err(Refusal::HeadTooLarge));
    check(format!("{}rest", padded(600)), Ok(Some(())));
}

#[test]
fn limits_beyond_the_cap_are_cut_to_it() {
    let limits = Limits { head_bytes_max: 1 << 20, fields_max: usize::MAX, target_bytes_max: usize::MAX };
    let counted = |fields: usize| format!("GET / HTTP/1.0\r\n{}\r\n", "A: b\r\n".repeat(fields));
    let verdict = |input: String| feed(input.as_bytes(), &limits, [4, input.len()]);
    assert!(matches!(verdict(counted(FIELDS_CAP)), Verdict::Head(..)));
    assert_eq!(verdict(counted(FIELDS_CAP + 1)), Verdict::Refused(Refusal::HeadTooLarge));
    let nothing = Limits { head_bytes_max: 0, fields_max: 0, target_bytes_max: 0 };
    assert_eq!(feed(b"\r\nGET", &nothing, [5]), Verdict::Refused(Refusal::HeadTooLarge));
    assert_eq!(feed(b"GET / HTTP/1.1", &nothing, [14]), Verdict::Refused(Refusal::HeadTooLarge));
}
