//! Replies byte for byte, and the calendar against a day-by-day count.

use proptest::prelude::*;

use super::*;

const NOW: u64 = 1_795_485_600;

/// Both ways of writing a reply give `expected`, behind what was in the output already.
fn check(
    status: u16,
    fields: &[(&str, &str)],
    body: &str,
    connection: Connection,
    with_body: bool,
    expected: &str,
) {
    let date = DateText::from_unix(NOW);
    let mut encoded = b"before".to_vec();
    encode_reply(&mut encoded, Status(status), fields, body.as_bytes(), &date, connection, with_body);
    let mut written = b"before".to_vec();
    let rendered = Rendered::new(Status(status), fields, body.as_bytes());
    rendered.write(&mut written, &date, connection, with_body);
    let expected = format!("before{expected}");
    assert_eq!(String::from_utf8_lossy(&encoded), expected, "encoded");
    assert_eq!(String::from_utf8_lossy(&written), expected, "rendered");
    assert_eq!(rendered.body(), if Status(status).allows_body() { body.as_bytes() } else { b"" });
}

#[test]
fn replies() {
    let json = [("Content-Type", "application/json"), ("X-Cache", "HIT")];
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Cache: HIT\r\nContent-Length: 2\r\n\
        Date: Tue, 24 Nov 2026 02:00:00 GMT\r\n";
    check(200, &json, "{}", Connection::Default, true, &format!("{head}\r\n{{}}"));
    check(200, &json, "{}", Connection::Default, false, &format!("{head}\r\n"));
    check(200, &json, "{}", Connection::Close, true, &format!("{head}Connection: close\r\n\r\n{{}}"));
    check(
        200,
        &json,
        "{}",
        Connection::KeepAlive,
        true,
        &format!("{head}Connection: keep-alive\r\n\r\n{{}}"),
    );
    check(200, &json, "{}", Connection::Close, false, &format!("{head}Connection: close\r\n\r\n"));
}

#[test]
fn bodies_that_may_not_be() {
    let date = "Date: Tue, 24 Nov 2026 02:00:00 GMT\r\n";
    for (status, line) in [(204, "204 No Content"), (304, "304 Not Modified"), (103, "103 Early Hints")] {
        let expected = format!("HTTP/1.1 {line}\r\nETag: \"a\"\r\n{date}\r\n");
        check(status, &[("ETag", "\"a\"")], "left out", Connection::Default, true, &expected);
        check(status, &[("ETag", "\"a\"")], "left out", Connection::Default, false, &expected);
    }
    check(
        404,
        &[],
        "",
        Connection::Default,
        true,
        &format!("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n{date}\r\n"),
    );
    check(
        299,
        &[],
        "",
        Connection::Default,
        true,
        &format!("HTTP/1.1 299 \r\nContent-Length: 0\r\n{date}\r\n"),
    );
}

#[test]
fn replies_are_written_again_with_another_date() {
    let rendered = Rendered::new(Status(200), &[], b"x");
    let write = |seconds: u64| {
        let mut out = vec![];
        rendered.write(&mut out, &DateText::from_unix(seconds), Connection::Default, true);
        assert_eq!(out.len(), rendered.bytes_len());
        String::from_utf8(out).expect("ASCII")
    };
    assert!(write(NOW).contains("02:00:00 GMT\r\n\r\nx"));
    assert!(write(NOW + 1).contains("02:00:01 GMT\r\n\r\nx"));
}

#[test]
fn dates() {
    let check = |seconds: u64, expected: &str| {
        let text = DateText::from_unix(seconds);
        assert_eq!(std::str::from_utf8(text.as_bytes()), Ok(expected), "{seconds}");
    };
    check(0, "Thu, 01 Jan 1970 00:00:00 GMT");
    check(784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT");
    check(951_782_399, "Mon, 28 Feb 2000 23:59:59 GMT");
    check(951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT");
    check(4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT");
    check(253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT");
    check(u64::MAX, "Fri, 31 Dec 9999 23:59:59 GMT");
}

/// Counts days one by one, as a calendar on a wall does.
#[test]
fn dates_follow_the_calendar_from_1970_to_2200() {
    let weekdays = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut day_count = 0u64;
    for year in 1970..=2200 {
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let lengths = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        for (month, length) in months.iter().zip(lengths) {
            for day in 1..=length {
                let second = day_count * 7919 % 86_400;
                let (hour, minute) = (second / 3600, second % 3600 / 60);
                let weekday = weekdays[(day_count % 7) as usize];
                let expected = format!(
                    "{weekday}, {day:02} {month} {year} {hour:02}:{minute:02}:{:02} GMT",
                    second % 60
                );
                let text = DateText::from_unix(day_count * 86_400 + second);
                assert_eq!(std::str::from_utf8(text.as_bytes()), Ok(&*expected));
                day_count += 1;
            }
        }
    }
    assert_eq!(day_count, 84_371);
}

#[test]
fn reasons() {
    for (code, reason) in [(200, "OK"), (413, "Content Too Large"), (429, "Too Many Requests"), (599, "")] {
        assert_eq!(Status(code).reason(), reason);
    }
}

proptest! {
    #[test]
    fn values_never_break_lines(text in "[ -~\r\n\0\u{fc}]{0,20}") {
        let mut out = vec![];
        append_harmless(&mut out, &text);
        prop_assert_eq!(out.len(), text.len());
        prop_assert!(!out.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)));
        prop_assert_eq!(is_harmless(&text), out == text.as_bytes());
    }

    #[test]
    fn numbers(number in any::<usize>()) {
        let mut out = vec![];
        append_number(&mut out, number);
        prop_assert_eq!(out, number.to_string().into_bytes());
    }
}
