//! The text of a Date field: IMF-fixdate (RFC 9110 section 5.6.7).

const SECONDS_PER_DAY: u64 = 86_400;

/// 9999-12-31T23:59:59Z, the last second that four digits of year can name.
const SECONDS_MAX: u64 = 253_402_300_799;

const WEEKDAYS: [&[u8; 3]; 7] = [b"Thu", b"Fri", b"Sat", b"Sun", b"Mon", b"Tue", b"Wed"];
const MONTHS: [&[u8; 3]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];

/// A point in time as a Date field shows it: `Tue, 24 Nov 2026 02:00:00 GMT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateText([u8; 29]);

impl DateText {
    /// The text for `seconds` since 1970-01-01T00:00:00Z; what lies after the year 9999 shows its last second.
    pub fn from_unix(seconds: u64) -> Self {
        let seconds = seconds.min(SECONDS_MAX);
        let (days, second) = (seconds / SECONDS_PER_DAY, seconds % SECONDS_PER_DAY);
        let (year, month, day) = civil_from_days(days);
        let mut text = *b"Thu, 01 Jan 1970 00:00:00 GMT";
        text[..3].copy_from_slice(WEEKDAYS[(days % 7) as usize]);
        text[5..7].copy_from_slice(&two_digits(day));
        text[8..11].copy_from_slice(MONTHS[month as usize - 1]);
        text[12..14].copy_from_slice(&two_digits(year / 100));
        text[14..16].copy_from_slice(&two_digits(year % 100));
        text[17..19].copy_from_slice(&two_digits(second / 3600));
        text[20..22].copy_from_slice(&two_digits(second / 60 % 60));
        text[23..25].copy_from_slice(&two_digits(second % 60));
        DateText(text)
    }

    /// The 29 bytes.
    pub fn as_bytes(&self) -> &[u8; 29] {
        &self.0
    }
}

/// Year, month and day of the proleptic Gregorian calendar; the algorithm is Howard Hinnant's `civil_from_days`
/// without its part before the epoch. Years begin in March there, so that the leap day comes last.
fn civil_from_days(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day)
}

fn two_digits(number: u64) -> [u8; 2] {
    [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8]
}
