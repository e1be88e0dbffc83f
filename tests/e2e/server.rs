//! The real binary, started in a folder of its own and ended with the test.
//!
//! Waiting is always for something that the process does, a line, its end, an answer, and [`PATIENCE`] only bounds how
//! long a broken one may keep a test.

use crate::client::{Client, Round};
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long anything may take before a test gives up on it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The file that `ringmill init` writes.
pub(crate) const BUILTIN: &str = include_str!("../../src/config/builtin.toml");

/// Shards of all tests that run at the same time: memory of rings is charged to the user, and 8 MiB of it, a usual
/// limit, are enough for 15.
const SHARDS_AT_ONCE: usize = 8;

/// Signals that are no further apart may be taken for one.
const SAME_SIGNAL: Duration = Duration::from_millis(5);

/// Connections of [`Server::round`]; that all of them land on one shard of two happens once in 2,000 times.
const ROUND: usize = 12;

/// How many shards a claim is tried on that holds for any number of them.
pub(crate) const SHARDS: [usize; 3] = [1, 2, 4];

/// A bound of [`SHARDS_AT_ONCE`] over the tests of this process.
struct Permit(usize);

static PERMITS: (Mutex<usize>, Condvar) = (Mutex::new(SHARDS_AT_ONCE), Condvar::new());

impl Permit {
    fn take(shards: usize) -> Permit {
        let free = lock(&PERMITS.0);
        let mut free =
            PERMITS.1.wait_while(free, |free| *free < shards).expect("no test panics while it counts");
        *free -= shards;
        Permit(shards)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        *lock(&PERMITS.0) += self.0;
        PERMITS.1.notify_all();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no test panics while it holds this lock")
}

/// A new folder with these files in it.
pub(crate) fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().expect("a temporary folder");
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).expect("a file in a temporary folder");
    }
    folder
}

/// `ringmill` with these arguments in this folder, with nothing of the environment that could set a key.
pub(crate) fn command(folder: &Path, arguments: &[&str]) -> Command {
    command_under(&[], folder, arguments)
}

fn command_under(under: &[&str], folder: &Path, arguments: &[&str]) -> Command {
    let binary = env!("CARGO_BIN_EXE_ringmill");
    let mut words = under.iter().copied().chain([binary]);
    let mut command = Command::new(words.next().unwrap_or(binary));
    command.args(words).args(arguments).current_dir(folder).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("RINGMILL_") {
            command.env_remove(name);
        }
    }
    command
}

/// What a command that ends by itself said.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// The last line on standard error.
    pub(crate) fn last_line(&self) -> &str {
        self.stderr.lines().last().unwrap_or_default()
    }
}

/// Runs `ringmill` to its end.
pub(crate) fn run(folder: &Path, arguments: &[&str]) -> Ended {
    run_under(&[], folder, arguments)
}

/// Has another command, such as prlimit, run `ringmill` to its end.
pub(crate) fn run_under(under: &[&str], folder: &Path, arguments: &[&str]) -> Ended {
    let mut command = command_under(under, folder, arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = Process(command.spawn().expect("the binary starts"));
    let stdout = child.0.stdout.take().map(read_apart).expect("standard output");
    let stderr = child.0.stderr.take().map(read_apart).expect("standard error");
    let status = child.wait_until(Instant::now() + PATIENCE);
    let text = |reader: std::thread::JoinHandle<String>| reader.join().expect("a reader ends");
    let ended = Ended { code: status.code(), stdout: text(stdout), stderr: text(stderr) };
    assert_no_trace(&ended.stderr);
    ended
}

fn read_apart(mut stream: impl Read + Send + 'static) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("output is UTF-8");
        text
    })
}

/// What no user may ever see.
pub(crate) fn assert_no_trace(stderr: &str) {
    for word in ["backtrace", "panicked at", "Panic: "] {
        assert!(!stderr.contains(word), "standard error speaks of {word:?}:\n{stderr}");
    }
}

/// A child that does not outlive its test.
pub(crate) struct Process(Child);

impl Process {
    pub(crate) fn start(command: &mut Command) -> Process {
        Process(command.spawn().expect("the binary starts"))
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.0.id()).ok().and_then(rustix::process::Pid::from_raw);
        let signal = match signal {
            Signal::Terminate => rustix::process::Signal::TERM,
            Signal::Interrupt => rustix::process::Signal::INT,
        };
        rustix::process::kill_process(pid.expect("a pid"), signal).expect("its own child");
    }

    /// What it writes to standard output, a pipe.
    pub(crate) fn stdout(&mut self) -> Lines {
        self.0.stdout.take().map(Lines::of).expect("standard output")
    }

    /// Waits for a line on standard error, which is a pipe that nobody else reads.
    pub(crate) fn complains(&mut self, of: &str) -> Lines {
        let stderr = self.0.stderr.take().map(Lines::of).expect("standard error");
        assert!(stderr.find(|line| line.contains(of)).is_some(), "no {of:?} in {:?}", stderr.so_far());
        stderr
    }

    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        self.wait_until(Instant::now() + PATIENCE).code()
    }

    /// The exit status, which has to come until `deadline`.
    fn wait_until(&mut self, deadline: Instant) -> ExitStatus {
        loop {
            if let Some(status) = self.0.try_wait().expect("a child can be waited for") {
                return status;
            }
            assert!(Instant::now() < deadline, "the process did not end within {PATIENCE:?}");
            std::thread::yield_now();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to kill.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Lines that a process writes, as they come.
#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<(Mutex<Written>, Condvar)>);

#[derive(Default)]
struct Written {
    lines: Vec<String>,
    is_over: bool,
}

impl Lines {
    fn of(stream: impl Read + Send + 'static) -> Lines {
        let lines = Lines::default();
        let target = lines.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                lock(&target.0.0).lines.push(line);
                target.0.1.notify_all();
            }
            lock(&target.0.0).is_over = true;
            target.0.1.notify_all();
        });
        lines
    }

    /// The first line that fits, which is waited for; `None` if the stream ends without one.
    pub(crate) fn find(&self, fits: impl Fn(&str) -> bool) -> Option<String> {
        let deadline = Instant::now() + PATIENCE;
        let mut written = lock(&self.0.0);
        loop {
            if let Some(line) = written.lines.iter().find(|line| fits(line)) {
                return Some(line.clone());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if written.is_over || left.is_zero() {
                return None;
            }
            written = self.0.1.wait_timeout(written, left).expect("no test panics while it reads").0;
        }
    }

    /// All, once the stream has ended.
    pub(crate) fn all(&self) -> Vec<String> {
        let written = lock(&self.0.0);
        let (written, waited) = self
            .0
            .1
            .wait_timeout_while(written, PATIENCE, |written| !written.is_over)
            .expect("no test panics while it reads");
        assert!(!waited.timed_out(), "the stream did not end");
        written.lines.clone()
    }

    fn so_far(&self) -> Vec<String> {
        lock(&self.0.0).lines.clone()
    }
}

/// What to start.
pub(crate) struct Setup<'a> {
    shards: usize,
    /// A command, with its arguments, that runs the binary.
    under: Vec<&'a str>,
    arguments: Vec<String>,
    environment: Vec<(&'a str, &'a str)>,
    files: Vec<(&'a str, String)>,
    folder: Option<TempDir>,
    /// No other server of this process runs meanwhile.
    is_alone: bool,
    /// Where the log goes, if not to the test.
    stderr: Option<Stdio>,
}

impl<'a> Setup<'a> {
    /// The built-in API on so many shards.
    pub(crate) fn shards(shards: usize) -> Setup<'a> {
        Setup {
            shards,
            under: Vec::new(),
            arguments: Vec::new(),
            environment: Vec::new(),
            files: Vec::new(),
            folder: None,
            is_alone: false,
            stderr: None,
        }
    }

    /// Waits until no other server of this process runs, and keeps them from starting: for what measures time.
    pub(crate) fn alone(mut self) -> Setup<'a> {
        self.is_alone = true;
        self
    }

    /// The log goes there, unread by the test.
    pub(crate) fn stderr(mut self, stderr: impl Into<Stdio>) -> Setup<'a> {
        self.stderr = Some(stderr.into());
        self
    }

    /// Run by another command, such as strace.
    pub(crate) fn under(mut self, command: &[&'a str]) -> Setup<'a> {
        self.under = command.to_vec();
        self
    }

    /// `--set key=value`
    pub(crate) fn set(mut self, key: &str, value: &str) -> Setup<'a> {
        self.arguments.extend(["--set".to_owned(), format!("{key}={value}")]);
        self
    }

    /// `--config name`, a file of the folder.
    pub(crate) fn config(mut self, name: &str) -> Setup<'a> {
        self.arguments.extend(["--config".to_owned(), name.to_owned()]);
        self
    }

    /// This text as the file.
    pub(crate) fn file(mut self, text: impl Into<String>) -> Setup<'a> {
        self.files.push(("ringmill.toml", text.into()));
        self
    }

    /// The built-in file with this at its end.
    pub(crate) fn and(self, more: &str) -> Setup<'a> {
        self.file(format!("{BUILTIN}\n{more}"))
    }

    pub(crate) fn environment(mut self, name: &'a str, value: &'a str) -> Setup<'a> {
        self.environment.push((name, value));
        self
    }

    /// In a folder that is there, with all that another process left in it.
    pub(crate) fn folder(mut self, folder: TempDir) -> Setup<'a> {
        self.folder = Some(folder);
        self
    }

    /// Starts it and waits until it says that it is ready.
    pub(crate) fn start(self) -> Server {
        self.start_or_end().unwrap_or_else(|ended| panic!("not ready:\n{}\n{}", ended.stdout, ended.stderr))
    }

    /// Starts it and waits until it says that it is ready, or ends.
    pub(crate) fn start_or_end(self) -> Result<Server, Ended> {
        let permit = Permit::take(if self.is_alone { SHARDS_AT_ONCE } else { self.shards });
        let folder = self.folder.unwrap_or_else(|| folder(&[]));
        for (name, text) in &self.files {
            std::fs::write(folder.path().join(name), text).expect("a file in a temporary folder");
        }
        let shards = self.shards.to_string();
        let mut arguments =
            vec!["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--cores", &shards];
        arguments.extend(self.arguments.iter().map(String::as_str));
        let mut command = command_under(&self.under, folder.path(), &arguments);
        command
            .envs(self.environment)
            .stdout(Stdio::piped())
            .stderr(self.stderr.unwrap_or_else(Stdio::piped));
        let mut process = Process(command.spawn().expect("the binary starts"));
        // What it holds of the child's standard error would keep that open.
        drop(command);
        let stdout = process.0.stdout.take().map(Lines::of).expect("standard output");
        let stderr = process.0.stderr.take().map_or_else(|| Lines::of(std::io::empty()), Lines::of);
        if stdout.find(|line| line == "ready").is_none() {
            let code = process.wait_until(Instant::now() + PATIENCE).code();
            let (stdout, stderr) = (stdout.all().join("\n"), stderr.all().join("\n"));
            return Err(Ended { code, stdout, stderr });
        }
        let line = stdout.find(|line| line.starts_with("listening on ")).expect("it says where it listens");
        let (public, admin) = addresses(&line);
        Ok(Server { process, stdout, stderr, public, admin, folder: Some(folder), _permit: permit })
    }
}

/// Of `listening on http://127.0.0.1:1 (admin on http://127.0.0.1:2)`.
fn addresses(line: &str) -> (SocketAddr, SocketAddr) {
    let parts = line.strip_prefix("listening on http://").and_then(|rest| rest.strip_suffix(')'));
    let (public, admin) = parts.and_then(|rest| rest.split_once(" (admin on http://")).expect(line);
    (public.parse().expect(line), admin.parse().expect(line))
}

/// A running server.
pub(crate) struct Server {
    process: Process,
    stdout: Lines,
    stderr: Lines,
    pub(crate) public: SocketAddr,
    pub(crate) admin: SocketAddr,
    folder: Option<TempDir>,
    _permit: Permit,
}

impl Server {
    /// A new connection.
    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.public)
    }

    /// A new connection to the admin listener.
    pub(crate) fn connect_admin(&self) -> Client {
        Client::connect(self.admin)
    }

    /// Connections that take turns: enough of them that they land on several shards.
    pub(crate) fn round(&self) -> Round {
        Round::new((0..ROUND).map(|_| self.connect()).collect())
    }

    /// The admin listener's metrics.
    pub(crate) fn metrics(&self) -> Metrics {
        Metrics(self.connect_admin().get("/metrics").text())
    }

    /// Asks for the metrics until they fit.
    pub(crate) fn metrics_when(&self, what: &str, fits: impl Fn(&Metrics) -> bool) -> Metrics {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let metrics = self.metrics();
            if fits(&metrics) {
                return metrics;
            }
            assert!(Instant::now() < deadline, "the metrics never showed {what}:\n{}", metrics.0);
        }
    }

    /// The embedded database's file.
    pub(crate) fn database(&self) -> PathBuf {
        let folder = self.folder.as_ref().expect("only `kill` takes it");
        folder.path().join("data/ringmill.db")
    }

    /// Standard output so far.
    pub(crate) fn stdout(&self) -> Vec<String> {
        self.stdout.so_far()
    }

    /// Waits for a line of the log.
    pub(crate) fn log_line(
        &self,
        what: &str,
        fits: impl Fn(&serde_json::Value) -> bool,
    ) -> serde_json::Value {
        let fits = |line: &str| serde_json::from_str(line).is_ok_and(|value| fits(&value));
        let found = self.stderr.find(fits);
        let line =
            found.unwrap_or_else(|| panic!("no log line {what} in\n{}", self.stderr.so_far().join("\n")));
        serde_json::from_str(&line).expect("it was JSON a moment ago")
    }

    /// The log so far.
    pub(crate) fn log(&self) -> Vec<String> {
        self.stderr.so_far()
    }

    /// Of the process that was started: of what it runs under, unless that becomes it.
    /// Where it was started.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.as_ref().expect("only `kill` takes it").path()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.0.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Waits for the exit code.
    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        self.process.wait_until(Instant::now() + PATIENCE).code()
    }

    /// The second signal, once the first is known to be taken and long enough ago not to be the same; then the exit code.
    pub(crate) fn exit_code_of_second(&mut self, signal: Signal) -> Option<i32> {
        while self.connect_admin().get("/ready").status != 503 {}
        let taken = Instant::now();
        while taken.elapsed() < 4 * SAME_SIGNAL {
            assert_eq!(self.connect_admin().get("/ready").status, 503);
        }
        self.signal(signal);
        self.exit_code()
    }

    /// SIGTERM, then the exit code.
    pub(crate) fn term(&mut self) -> Option<i32> {
        self.signal(Signal::Terminate);
        self.exit_code()
    }

    /// All that it wrote to standard error; it has ended.
    pub(crate) fn stderr_at_end(&self) -> Vec<String> {
        let lines = self.stderr_of_a_defect();
        assert_no_trace(&lines.join("\n"));
        lines
    }

    /// The same, of a process that a panic may have ended.
    pub(crate) fn stderr_of_a_defect(&self) -> Vec<String> {
        self.stderr.all()
    }

    /// SIGKILL; what is in its folder stays.
    pub(crate) fn kill(mut self) -> TempDir {
        self.process.0.kill().expect("a child can be killed");
        self.process.0.wait().expect("a child can be waited for");
        self.folder.take().expect("only this takes it")
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Signal {
    Terminate,
    Interrupt,
}

/// A scrape.
pub(crate) struct Metrics(pub(crate) String);

impl Metrics {
    /// The value of exactly this series, `name{label="…"}`; 0 if there is none.
    pub(crate) fn value(&self, series: &str) -> f64 {
        let value = |line: &str| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok();
        self.0.lines().find_map(value).unwrap_or(0.0)
    }

    /// All series of a name: labels and value.
    pub(crate) fn series(&self, name: &str) -> Vec<(&str, f64)> {
        let lines = self.0.lines().filter_map(|line| line.strip_prefix(name));
        let series = lines.filter_map(|rest| {
            let (labels, value) = rest.rsplit_once(' ')?;
            let labels = match labels {
                "" => "",
                _ => labels.strip_prefix('{')?.strip_suffix('}')?,
            };
            Some((labels, value.parse().ok()?))
        });
        series.collect()
    }
}
