//! Timestamps and dates, of requests and of the file alike: any offset in, UTC with six digits out, so that the order of the text is the order of time.
//! Civil arithmetic, because the clock type of `jiff` ends a day before the year 9999 does and sentinels sit there.

use jiff::SignedDuration;
use jiff::civil::{Date, DateTime};

/// `2026-11-24T02:00:00.123456Z` of an RFC 3339 time with an offset; rounded to microseconds (half to even, as Postgres
/// does). `None` if it is no such time or falls outside of the years 1 to 9999.
pub(crate) fn timestamp(text: &str) -> Option<String> {
    let date = calendar(text.get(..10)?)?;
    let (clock, zone) = text.get(10..)?.strip_prefix(['T', 't', ' '])?.split_at_checked(8)?;
    let &[h1, h2, b':', m1, m2, b':', s1, s2] = clock.as_bytes() else { return None };
    let (hour, minute, second) = (two(h1, h2)?, two(m1, m2)?, two(s1, s2)?);
    // A leap second is the next minute's first, as in Postgres.
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (microseconds, zone) = fraction(zone)?;
    let into_day = SignedDuration::from_secs(hour * 3600 + minute * 60 + second - offset_seconds(zone)?);
    let time = date.at(0, 0, 0, 0).checked_add(into_day).ok()?;
    format(time.checked_add(SignedDuration::from_micros(microseconds)).ok()?)
}

/// The same of microseconds since 1970.
pub(crate) fn format_timestamp(unix_us: i64) -> Option<String> {
    let epoch = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);
    format(epoch.checked_add(SignedDuration::from_micros(unix_us)).ok()?)
}

/// The date in UTC of microseconds since 1970.
pub(crate) fn format_date(unix_us: i64) -> Option<String> {
    format_timestamp(unix_us).map(|time| time[..10].to_owned())
}

/// A date of the calendar, `2026-11-24`, in the years 1 to 9999.
pub(crate) fn date(text: &str) -> Option<String> {
    calendar(text).map(|_| text.to_owned())
}

fn format(time: DateTime) -> Option<String> {
    let (year, month, day) = (time.year(), time.month(), time.day());
    let (hour, minute, second) = (time.hour(), time.minute(), time.second());
    let microsecond = time.subsec_nanosecond() / 1000;
    (year >= 1)
        .then(|| format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{microsecond:06}Z"))
}

fn calendar(text: &str) -> Option<Date> {
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text.as_bytes() else { return None };
    let year = two(y1, y2)? * 100 + two(y3, y4)?;
    let (month, day) = (two(m1, m2)?, two(d1, d2)?);
    if year < 1 {
        return None;
    }
    Date::new(year.try_into().ok()?, month.try_into().ok()?, day.try_into().ok()?).ok()
}

/// The microseconds of `.123456789`, rounded, and what follows; 0 if there is no fraction.
fn fraction(text: &str) -> Option<(i64, &str)> {
    let Some(text) = text.strip_prefix('.') else { return Some((0, text)) };
    let end = text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    if digits.is_empty() {
        return None;
    }
    let (kept, dropped) = digits.split_at(digits.len().min(6));
    let scale = 10_i64.pow(6 - kept.len() as u32);
    let microseconds = kept.parse::<i64>().ok()? * scale;
    let dropped = dropped.trim_end_matches('0');
    let up = match dropped {
        "5" => microseconds % 2 != 0,
        _ => dropped.as_bytes().first().is_some_and(|digit| *digit >= b'5'),
    };
    Some((microseconds + i64::from(up), rest))
}

/// `Z`, `+02:00`, `+0200` or `+02`.
fn offset_seconds(text: &str) -> Option<i64> {
    let (sign, hours, minutes) = match *text.as_bytes() {
        [b'Z' | b'z'] => return Some(0),
        [sign, h1, h2, b':', m1, m2] | [sign, h1, h2, m1, m2] => (sign, two(h1, h2)?, two(m1, m2)?),
        [sign, h1, h2] => (sign, two(h1, h2)?, 0),
        _ => return None,
    };
    let seconds = hours * 3600 + minutes * 60;
    match sign {
        _ if hours > 23 || minutes > 59 => None,
        b'+' => Some(seconds),
        b'-' => Some(-seconds),
        _ => None,
    }
}

fn two(tens: u8, ones: u8) -> Option<i64> {
    let digit = |byte: u8| byte.is_ascii_digit().then(|| i64::from(byte - b'0'));
    Some(digit(tens)? * 10 + digit(ones)?)
}
