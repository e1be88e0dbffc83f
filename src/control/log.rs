//! The log: one line per event, on standard error, as JSON or text.
//!
//! Shards post their lines to control, and a thread writes them. Before it is started, whoever logs writes at once.

mod queue;

use super::output::{copy_of, write_whole};
use crate::config::plan::{Level, LogFormat};
use queue::{Next, Queue};
use serde_json::{Map, Value};
use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
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

/// How long the end of the process waits for lines to be written.
pub const FINISH_TIMEOUT: Duration = Duration::from_secs(1);

const _: () = assert!(queue::END_PATIENCE.as_millis() < FINISH_TIMEOUT.as_millis());

/// Between those who log and the thread that writes. Nobody holds a lock while he waits for standard error.
struct Writer {
    queue: Mutex<Queue<Line>>,
    /// Something came.
    came: Condvar,
    is_over: Mutex<bool>,
    over: Condvar,
}

static WRITER: Writer = Writer {
    queue: Mutex::new(Queue::new()),
    came: Condvar::new(),
    is_over: Mutex::new(false),
    over: Condvar::new(),
};

static IS_STARTED: AtomicBool = AtomicBool::new(false);

/// A thread that panicked within leaves nothing half done there.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sets level and format, once.
pub fn set_up(level: Level, format: LogFormat) {
    let _ = SETTINGS.set(Settings { level, format });
}

/// Starts the thread that writes: from now on whoever logs never waits for standard error.
pub fn start_writer() -> std::io::Result<()> {
    let stderr = copy_of(std::io::stderr().as_fd())?;
    std::thread::Builder::new().name("log".to_owned()).spawn(move || write_all(&stderr))?;
    IS_STARTED.store(true, Relaxed);
    Ok(())
}

fn write_all(stderr: &File) {
    let mut queue = lock(&WRITER.queue);
    loop {
        let now = Instant::now();
        let line = match queue.next(now) {
            Next::Write(line) => line,
            Next::Report(count) => report(count),
            Next::End(count) => {
                drop(queue);
                if count > 0 {
                    // Nobody is left to tell of it.
                    let _ = write(stderr, &report(count));
                }
                let last = std::mem::take(&mut *lock(&LAST_WORDS));
                let _ = write_whole(stderr, last.as_bytes());
                *lock(&WRITER.is_over) = true;
                WRITER.over.notify_all();
                return;
            }
            Next::Wait(until) => {
                queue = match until {
                    None => WRITER.came.wait(queue).unwrap_or_else(PoisonError::into_inner),
                    Some(until) => {
                        let waited = WRITER.came.wait_timeout(queue, until.duration_since(now));
                        waited.unwrap_or_else(PoisonError::into_inner).0
                    }
                };
                continue;
            }
        };
        drop(queue);
        let written = write(stderr, &line);
        queue = lock(&WRITER.queue);
        if written.is_err() {
            queue.lost();
        }
    }
}

fn report(count: u64) -> Line {
    let (lines, were) = if count == 1 { ("line", "was") } else { ("lines", "were") };
    line!(Warn, "{count} log {lines} found no room and {were} dropped").at(unix_us())
}

/// What stands below everything else.
static LAST_WORDS: Mutex<String> = Mutex::new(String::new());

/// Ends the log with these words, whole lines or none, and waits a moment until all is written. What is logged later is lost.
pub fn finish(last_words: &str) {
    if !IS_STARTED.load(Relaxed) {
        let _ = std::io::stderr().write_all(last_words.as_bytes());
        return;
    }
    last_words.clone_into(&mut lock(&LAST_WORDS));
    lock(&WRITER.queue).end(Instant::now());
    WRITER.came.notify_all();
    let is_over = lock(&WRITER.is_over);
    let _ = WRITER.over.wait_timeout_while(is_over, FINISH_TIMEOUT, |is_over| !*is_over);
}

/// Lines that were dropped so far.
pub(super) fn dropped() -> u64 {
    lock(&WRITER.queue).dropped()
}

fn write(stderr: &File, line: &Line) -> std::io::Result<()> {
    write_whole(stderr, line.render(settings().format).as_bytes())
}

fn settings() -> Settings {
    *SETTINGS.get().unwrap_or(&Settings { level: Level::Info, format: LogFormat::Json })
}

/// Writes a line of the process itself, if its level is wanted. Never blocks once [`start_writer`] has run.
pub fn emit(line: Line) {
    log(line, |queue, line| queue.push_own(line, Instant::now()));
}

/// The same for lines of shards and the store: they may be many.
pub(super) fn emit_of_shard(line: Line) {
    log(line, Queue::push);
}

fn log(line: Line, push: impl FnOnce(&mut Queue<Line>, Line)) {
    if line.level > settings().level {
        return;
    }
    let line = if line.unix_us == 0 { line.at(unix_us()) } else { line };
    if IS_STARTED.load(Relaxed) {
        push(&mut lock(&WRITER.queue), line);
        WRITER.came.notify_one();
    } else {
        // Nobody is left to tell if standard error is gone.
        let _ = std::io::stderr().write_all(line.render(settings().format).as_bytes());
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
