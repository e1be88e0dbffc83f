//! The log: one line per event, on standard error, as JSON or text.
//!
//! Shards post their lines to control; whoever has no shard writes at once.

use crate::config::plan::{Level, LogFormat};
use serde_json::{Map, Value};
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::OnceLock;

/// One line.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    level: Level,
    message: String,
    /// Source file and line.
    at: (&'static str, u32),
    unix_us: u64,
    details: Map<String, Value>,
}

/// A line with the place in the source where it stands: `line!(Warn, "…", …)`.
macro_rules! line {
    ($level:ident, $($message:tt)+) => {
        $crate::control::log::Line::new(
            $crate::config::plan::Level::$level,
            format!($($message)+),
            (file!(), std::line!()),
        )
    };
}
pub(crate) use line;

impl Line {
    /// See [`line!`].
    pub fn new(level: Level, message: String, at: (&'static str, u32)) -> Line {
        Line { level, message, at, unix_us: 0, details: Map::new() }
    }

    /// Says when it happened; without it, when it is written.
    #[must_use]
    pub fn at(mut self, unix_us: u64) -> Line {
        self.unix_us = unix_us;
        self
    }

    /// Adds a detail.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Line {
        self.details.insert(name.to_owned(), Value::from(value));
        self
    }

    /// Adds a detail if there is one.
    #[must_use]
    pub fn with_optional(self, name: &str, value: Option<&str>) -> Line {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// Adds a number.
    #[must_use]
    pub fn with_number(mut self, name: &str, value: f64) -> Line {
        let number = if value.fract() == 0.0 && value.abs() < 1e15 {
            Value::from(value as i64)
        } else {
            Value::from(value)
        };
        self.details.insert(name.to_owned(), number);
        self
    }

    fn render(&self, format: LogFormat) -> String {
        let timestamp = timestamp(self.unix_us);
        let level = match self.level {
            Level::Error => "ERROR",
            Level::Warn => "WARN",
            Level::Info => "INFO",
            Level::Debug => "DEBUG",
        };
        match format {
            LogFormat::Json => {
                let mut fields = Map::new();
                fields.insert("timestamp".to_owned(), timestamp.into());
                fields.insert("level".to_owned(), level.into());
                fields.insert("message".to_owned(), self.message.as_str().into());
                fields.insert("path".to_owned(), self.at.0.into());
                fields.insert("line".to_owned(), self.at.1.into());
                fields.extend(self.details.clone());
                let mut text = Value::Object(fields).to_string();
                text.push('\n');
                text
            }
            LogFormat::Text => {
                let mut text = format!("{timestamp} {level:5} {}", self.message.escape_debug());
                for (name, value) in &self.details {
                    let _ = write!(text, " {name}={value}");
                }
                text.push('\n');
                text
            }
        }
    }
}

/// Microseconds since 1970 as RFC 3339 in UTC.
pub(super) fn timestamp(unix_us: u64) -> String {
    i64::try_from(unix_us)
        .ok()
        .and_then(|us| jiff::Timestamp::from_microsecond(us).ok())
        .map_or_else(String::new, |time| format!("{time:.6}"))
}

/// Now, microseconds since 1970.
pub(super) fn unix_us() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_micros() as u64)
}

#[derive(Clone, Copy, Debug)]
struct Settings {
    level: Level,
    format: LogFormat,
}

static SETTINGS: OnceLock<Settings> = OnceLock::new();

/// Sets level and format, once.
pub fn set_up(level: Level, format: LogFormat) {
    let _ = SETTINGS.set(Settings { level, format });
}

/// Whether a line of that level is written.
fn settings() -> Settings {
    *SETTINGS.get().unwrap_or(&Settings { level: Level::Info, format: LogFormat::Json })
}

/// Writes a line, if its level is wanted. May block on standard error: not for a shard's thread.
pub fn emit(line: Line) {
    let settings = settings();
    if line.level > settings.level {
        return;
    }
    let line = if line.unix_us == 0 { line.at(unix_us()) } else { line };
    // Nobody is left to tell if standard error is gone.
    let _ = std::io::stderr().write_all(line.render(settings.format).as_bytes());
}

/// Panics become lines of the log, without a backtrace.
pub fn log_panics() {
    std::panic::set_hook(Box::new(|info| {
        let payload = info.payload();
        let words = payload
            .downcast_ref::<&str>()
            .map(|words| (*words).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_default();
        let place = info.location().map(|place| format!("{}:{}", place.file(), place.line()));
        let line = line!(Error, "Panic: {words}")
            .with_optional("at", place.as_deref())
            .with_optional("thread", std::thread::current().name());
        emit(line);
    }));
}

#[cfg(test)]
mod tests {
    use super::LogFormat;

    #[test]
    fn a_line_has_the_five_keys_first_and_is_one_line() {
        let line = line!(Warn, "Slow request: {} took 0.62s", "/a\n\"b\"")
            .at(1_790_000_000_123_456)
            .with("route", "/a")
            .with_number("execution_time_ms", 620.5)
            .with_number("status", 200.0)
            .with_optional("cause", None);
        let json = line.render(LogFormat::Json);
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        let keys: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
        let expected =
            ["timestamp", "level", "message", "path", "line", "route", "execution_time_ms", "status"];
        assert_eq!(keys, expected);
        assert_eq!(value["timestamp"], "2026-09-21T14:13:20.123456Z");
        assert_eq!(value["path"], file!());
        assert_eq!(value["status"], 200);
        assert_eq!(json.matches('\n').count(), 1);
        assert_eq!(line.render(LogFormat::Text).matches('\n').count(), 1);
    }
}
