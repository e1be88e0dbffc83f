//! Values that are written as text: durations, sizes, rates, networks, lists of CPUs. Pure; `None` is "that is none".

use std::net::IpAddr;
use std::time::Duration;

use super::plan::{Network, Rate};

/// Units of durations, and their milliseconds.
const DURATION_UNITS: [(&str, u64); 5] =
    [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// Units of sizes, and their bytes.
const SIZE_UNITS: [(&str, u64); 3] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];

/// Units of rates, and their seconds.
const RATE_UNITS: [(&str, u64); 4] = [("s", 1), ("min", 60), ("h", 3600), ("d", 86_400)];

/// `250ms`, `5s`, `1m`, `1h`, `1d`.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let milliseconds = with_unit(text, &DURATION_UNITS)?;
    Some(Duration::from_millis(milliseconds))
}

/// `64KiB`, `1MiB`, `1GiB`, in bytes.
pub(super) fn size(text: &str) -> Option<u64> {
    with_unit(text, &SIZE_UNITS)
}

fn with_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let at = text.find(|c: char| !c.is_ascii_digit())?;
    let (digits, unit) = text.split_at(at);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    digits.parse::<u64>().ok()?.checked_mul(*factor)
}

/// In the largest unit that leaves no rest.
pub(crate) fn show_duration(duration: Duration) -> String {
    let milliseconds = duration.as_millis();
    if milliseconds == 0 {
        return "0s".into();
    }
    let mut units = DURATION_UNITS.iter().rev();
    match units.find(|(_, factor)| milliseconds.is_multiple_of(u128::from(*factor))) {
        Some((name, factor)) => format!("{}{name}", milliseconds / u128::from(*factor)),
        None => format!("{milliseconds}ms"),
    }
}

/// In the largest unit that leaves no rest.
pub(super) fn show_size(bytes: u64) -> String {
    let mut units = SIZE_UNITS.iter().rev();
    match units.find(|(_, factor)| bytes > 0 && bytes.is_multiple_of(*factor)) {
        Some((name, factor)) => format!("{}{name}", bytes / factor),
        None => bytes.to_string(),
    }
}

/// `10/s`, `100/min`, `1000/h`, `5000/d`.
pub(super) fn rate(text: &str) -> Option<Rate> {
    let (count, unit) = text.split_once('/')?;
    if count.is_empty() || !count.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (_, seconds) = RATE_UNITS.iter().find(|(name, _)| *name == unit)?;
    // A count of more digits than fit is out of every algorithm's bounds, which the caller says better.
    Some(Rate { count: count.parse().unwrap_or(u64::MAX), per: Duration::from_secs(*seconds) })
}

/// What is wrong with a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NetworkError {
    NoNetwork,
    /// The network that was meant.
    HostBits(Network),
}

/// `10.0.0.0/8`, or an address alone.
pub(super) fn network(text: &str) -> Result<Network, NetworkError> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().map_err(|_| NetworkError::NoNetwork)?;
    let bits_max: u8 = if address.is_ipv4() { 32 } else { 128 };
    let prefix_bits = match bits {
        None => bits_max,
        Some(bits) if !bits.is_empty() && bits.bytes().all(|b| b.is_ascii_digit()) => {
            bits.parse().map_err(|_| NetworkError::NoNetwork)?
        }
        Some(_) => return Err(NetworkError::NoNetwork),
    };
    if prefix_bits > bits_max {
        return Err(NetworkError::NoNetwork);
    }
    let host_bits = u32::from(bits_max - prefix_bits);
    let masked = match address {
        IpAddr::V4(address) => {
            IpAddr::V4((address.to_bits() & u32::MAX.checked_shl(host_bits).unwrap_or(0)).into())
        }
        IpAddr::V6(address) => {
            IpAddr::V6((address.to_bits() & u128::MAX.checked_shl(host_bits).unwrap_or(0)).into())
        }
    };
    let network = Network { address: masked, prefix_bits };
    if masked == address { Ok(network) } else { Err(NetworkError::HostBits(network)) }
}

/// `0-3,8`: in order, each once, none above `most`.
pub(super) fn cpus(text: &str, most: usize) -> Option<Vec<usize>> {
    let mut cpus = Vec::new();
    for part in text.split(',') {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let number = |text: &str| {
            let text = text.trim();
            text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<usize>().ok()).flatten()
        };
        let (from, to) = (number(from)?, number(to)?);
        if from > to || to > most {
            return None;
        }
        cpus.extend(from..=to);
    }
    cpus.sort_unstable();
    let count = cpus.len();
    cpus.dedup();
    (cpus.len() == count).then_some(cpus)
}

/// Whether it begins with a letter or `_` and goes on with letters, digits and `_`.
pub(super) fn is_identifier(text: &str) -> bool {
    text.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Whether it is a field name of HTTP (RFC 9110, section 5.1: a token).
pub(super) fn is_field_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// Whether it is a valid e-mail address by the HTML standard's production.
pub(super) fn is_email(text: &str) -> bool {
    const LABEL_MAX: usize = 63;
    let Some((local, domain)) = text.split_once('@') else { return false };
    let atext = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+/=?^_`{|}~.-".contains(&b);
    let label = |label: &str| {
        (1..=LABEL_MAX).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    !local.is_empty() && local.bytes().all(atext) && domain.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, milliseconds) in
            [("250ms", 250), ("5s", 5000), ("1m", 60_000), ("1h", 3_600_000), ("1d", 86_400_000), ("0s", 0)]
        {
            assert_eq!(duration(text), Some(Duration::from_millis(milliseconds)), "{text}");
            assert_eq!(show_duration(Duration::from_millis(milliseconds)), text);
        }
        for text in [
            "",
            "5",
            "s",
            "5x",
            "-1s",
            "1.5s",
            "5 s",
            "5S",
            "1h30m",
            "99999999999999999999s",
            "9999999999999999d",
        ] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn sizes() {
        for (text, bytes) in [("64KiB", 65_536), ("1MiB", 1 << 20), ("1GiB", 1 << 30)] {
            assert_eq!(size(text), Some(bytes), "{text}");
            assert_eq!(show_size(bytes), text);
        }
        for text in ["", "64", "64KB", "64kib", "1.5MiB", "99999999999GiB"] {
            assert_eq!(size(text), None, "{text}");
        }
    }

    #[test]
    fn rates() {
        for (text, count, seconds) in
            [("10/s", 10, 1), ("100/min", 100, 60), ("1000/h", 1000, 3600), ("0/s", 0, 1), ("5/d", 5, 86_400)]
        {
            assert_eq!(rate(text), Some(Rate { count, per: Duration::from_secs(seconds) }), "{text}");
        }
        for text in ["", "10", "/s", "10/", "10/m", "-1/s", "+1/s", "1.5/s", "10/ s"] {
            assert_eq!(rate(text), None, "{text}");
        }
        assert_eq!(rate("99999999999999999999999/s").map(|rate| rate.count), Some(u64::MAX));
    }

    #[test]
    fn networks() {
        let v4 = |text: &str, prefix_bits| Network { address: text.parse().unwrap(), prefix_bits };
        assert_eq!(network("10.0.0.0/8"), Ok(v4("10.0.0.0", 8)));
        assert_eq!(network("10.1.2.3"), Ok(v4("10.1.2.3", 32)));
        assert_eq!(network("0.0.0.0/0"), Ok(v4("0.0.0.0", 0)));
        assert_eq!(network("fd00::/8"), Ok(v4("fd00::", 8)));
        assert_eq!(network("::/0"), Ok(v4("::", 0)));
        assert_eq!(network("10.1.2.3/8"), Err(NetworkError::HostBits(v4("10.0.0.0", 8))));
        for text in ["", "10.0.0.0/33", "10.0.0/8", "10.0.0.0/", "10.0.0.0/+8", "::/129", "::/999", "host/8"]
        {
            assert_eq!(network(text), Err(NetworkError::NoNetwork), "{text}");
        }
    }

    #[test]
    fn lists_of_cpus() {
        assert_eq!(cpus("0-3,8", 1023), Some(vec![0, 1, 2, 3, 8]));
        assert_eq!(cpus("8, 0-1", 1023), Some(vec![0, 1, 8]));
        for text in ["", "a", "3-1", "0,0", "0-2,1", "1024", "1,,2", "-", "0-99999999999999999999"] {
            assert_eq!(cpus(text, 1023), None, "{text}");
        }
    }

    #[test]
    fn e_mail_addresses() {
        for text in
            ["a@b", "a.b+c@example.com", "!#$%&'*+/=?^_`{|}~.-@x-1.y", &format!("a@{}", "b".repeat(63))]
        {
            assert!(is_email(text), "{text}");
        }
        for text in [
            "",
            "a",
            "@b",
            "a@",
            "a@b@c",
            "a@-b",
            "a@b-",
            "a@b..c",
            "a b@c",
            "ü@b",
            &format!("a@{}", "b".repeat(64)),
        ] {
            assert!(!is_email(text), "{text}");
        }
    }
}
