//! The log: one line per event, on standard error, as JSON or text.
//!
//! Shards post their lines to control; whoever has no shard writes at once.

use crate::config::plan::{Level, LogFormat};
use serde_json::{Map, Value};
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

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

/// Lines that may wait for standard error. Beyond it they are dropped and counted: nobody who serves waits for whoever
/// reads the log.
const LINES_MAX: usize = 8192;

/// How long the end of the process waits for lines to be written.
const FINISH_TIMEOUT: Duration = Duration::from_secs(1);

enum Job {
    Write(Line),
    /// Everything before this is written.
    Tell(SyncSender<()>),
}

static WRITER: OnceLock<SyncSender<Job>> = OnceLock::new();
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// Sets level and format, once.
pub fn set_up(level: Level, format: LogFormat) {
    let _ = SETTINGS.set(Settings { level, format });
}

/// Starts the thread that writes: from now on whoever logs never waits for standard error.
pub fn start_writer() -> std::io::Result<()> {
    let (sender, jobs) = sync_channel(LINES_MAX);
    std::thread::Builder::new().name("log".to_owned()).spawn(move || {
        let mut dropped = 0;
        for job in jobs {
            match job {
                Job::Write(line) => write(&line),
                Job::Tell(done) => _ = done.send(()),
            }
            let now_dropped = DROPPED.load(Relaxed);
            if now_dropped > dropped {
                write(
                    &line!(Warn, "{} log lines found no room and were dropped", now_dropped - dropped)
                        .at(unix_us()),
                );
                dropped = now_dropped;
            }
        }
    })?;
    let _ = WRITER.set(sender);
    Ok(())
}

/// Waits a moment until what was logged is written.
pub fn finish() {
    let (done, written) = sync_channel(1);
    if let Some(writer) = WRITER.get()
        && writer.try_send(Job::Tell(done)).is_ok()
    {
        let _ = written.recv_timeout(FINISH_TIMEOUT);
    }
}

fn write(line: &Line) {
    // Nobody is left to tell if standard error is gone.
    let _ = std::io::stderr().write_all(line.render(settings().format).as_bytes());
}

fn settings() -> Settings {
    *SETTINGS.get().unwrap_or(&Settings { level: Level::Info, format: LogFormat::Json })
}

/// Writes a line, if its level is wanted. Never blocks once [`start_writer`] has run.
pub fn emit(line: Line) {
    if line.level > settings().level {
        return;
    }
    let line = if line.unix_us == 0 { line.at(unix_us()) } else { line };
    match WRITER.get() {
        Some(writer) => {
            if writer.try_send(Job::Write(line)).is_err() {
                DROPPED.fetch_add(1, Relaxed);
            }
        }
        None => write(&line),
    }
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
