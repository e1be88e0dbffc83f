//! The log: one line per event, on standard error, as JSON or text.
//!
//! Shards post their lines to control; whoever has no shard writes at once.

use crate::config::plan::{Level, LogFormat};
use serde_json::{Map, Value};
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::os::fd::AsFd;
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

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

/// Lines of shards that may wait for standard error. Beyond it they are dropped and counted: nobody who serves waits for
/// whoever reads the log.
const LINES_MAX: usize = 8192;

/// Lines of the process itself that may wait, in a queue of their own, which goes first: what shards have to say in masses
/// does not displace them.
const OWN_LINES_MAX: usize = 256;

/// How long the end of the process waits for lines to be written.
const FINISH_TIMEOUT: Duration = Duration::from_secs(1);

/// How often dropped lines are reported, at most.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// How long a standard error that does not block, and is full, is left alone.
const FULL_PAUSE: Duration = Duration::from_millis(2);

#[derive(Default)]
struct Queues {
    /// Rendered lines of the process itself.
    own: VecDeque<String>,
    shards: VecDeque<Line>,
    /// Lines that found no room, and could not be written, so far.
    dropped: u64,
    /// A line was taken and is not written yet.
    is_writing: bool,
    is_started: bool,
}

static QUEUES: Mutex<Queues> = Mutex::new(Queues {
    own: VecDeque::new(),
    shards: VecDeque::new(),
    dropped: 0,
    is_writing: false,
    is_started: false,
});
/// Struck when there is something to write, and when it is written.
static CHANGED: Condvar = Condvar::new();

fn queues() -> MutexGuard<'static, Queues> {
    // Nothing is done under the lock that leaves a queue half changed.
    QUEUES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sets level and format, once.
pub fn set_up(level: Level, format: LogFormat) {
    let _ = SETTINGS.set(Settings { level, format });
}

/// Starts the thread that writes: from now on whoever logs never waits for standard error.
pub fn start_writer() -> std::io::Result<()> {
    // A descriptor of its own: nobody else waits for a lock that is held while it writes.
    let stderr = File::from(std::io::stderr().as_fd().try_clone_to_owned()?);
    std::thread::Builder::new().name("log".to_owned()).spawn(move || write_for_ever(&stderr))?;
    queues().is_started = true;
    Ok(())
}

fn write_for_ever(stderr: &File) {
    let mut reported = (0, None::<Instant>);
    loop {
        let text = {
            let mut queues = queues();
            queues.is_writing = false;
            CHANGED.notify_all();
            loop {
                let is_due = reported.1.is_none_or(|at| at.elapsed() >= REPORT_INTERVAL);
                if queues.dropped > reported.0 && is_due {
                    let count = queues.dropped - reported.0;
                    reported = (queues.dropped, Some(Instant::now()));
                    let line = line!(Warn, "{count} log lines found no room and were dropped");
                    queues.own.push_back(line.at(unix_us()).render(settings().format));
                }
                let next = queues.own.pop_front();
                let next = next.or_else(|| Some(queues.shards.pop_front()?.render(settings().format)));
                if let Some(text) = next {
                    queues.is_writing = true;
                    break text;
                }
                queues = CHANGED.wait(queues).unwrap_or_else(PoisonError::into_inner);
            }
        };
        if !write_all(stderr, text.as_bytes()) {
            queues().dropped += 1;
        }
    }
}

/// Writes all of it, however long its reader takes; false: standard error is gone.
fn write_all(mut stderr: &File, mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        match stderr.write(bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(FULL_PAUSE),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return false,
        }
    }
    true
}

/// Waits a moment until what was logged is written: the process's own lines, and those of shards if there is time.
pub fn finish() {
    let queues = queues();
    if queues.is_started {
        let is_behind =
            |queues: &mut Queues| !queues.own.is_empty() || !queues.shards.is_empty() || queues.is_writing;
        let _ = CHANGED.wait_timeout_while(queues, FINISH_TIMEOUT, is_behind);
    }
}

/// Lines that were dropped so far.
pub fn dropped() -> u64 {
    queues().dropped
}

fn settings() -> Settings {
    *SETTINGS.get().unwrap_or(&Settings { level: Level::Info, format: LogFormat::Json })
}

/// Writes a line of the process itself, if its level is wanted. Never blocks once [`start_writer`] has run.
pub fn emit(line: Line) {
    if line.level <= settings().level {
        let line = if line.unix_us == 0 { line.at(unix_us()) } else { line };
        write_own(line.render(settings().format));
    }
}

/// Writes a line of a shard, if its level is wanted and there is room.
pub fn emit_of_shard(line: Line) {
    if line.level > settings().level {
        return;
    }
    let mut queues = queues();
    if queues.shards.len() < LINES_MAX {
        queues.shards.push_back(line);
        CHANGED.notify_all();
    } else {
        queues.dropped += 1;
    }
}

/// Writes words to standard error as they are, behind what was logged. Never blocks once [`start_writer`] has run.
pub fn complain(words: &str) {
    write_own(format!("{words}\n"));
}

fn write_own(text: String) {
    let mut queues = queues();
    if !queues.is_started {
        drop(queues);
        // Nobody is left to tell if standard error is gone.
        let _ = std::io::stderr().write_all(text.as_bytes());
    } else if queues.own.len() < OWN_LINES_MAX {
        queues.own.push_back(text);
        CHANGED.notify_all();
    } else {
        queues.dropped += 1;
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
