//! The suites once more, through proxies that share their few connections to the server between the cases and others'
//! requests: whatever a case leaves behind on such a connection, another client would get.
//!
//! What a proxy answers to a case does not matter. What matters is that each probe, sent by other clients all the while,
//! gets its own answer, and that no case gets a probe's.

use crate::case::{Case, Suite};
use crate::judge::shown;
use crate::server::{Server, Setup, folder};
use crate::wire::{Cut, Wire};
use crate::{ENDPOINTS, say, wanted};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Clients that send cases. A case that has been answered only waits, with no connection behind the proxy.
const CASES_AT_A_TIME: usize = 16;

/// Clients that send probes.
const PROBERS: usize = 2;

/// How long a case's connection is read after its last byte.
const QUIET: Duration = Duration::from_millis(25);

/// How long the first byte of an answer may take where one is expected; elsewhere it is [`UNEXPECTED`].
const EXPECTED: Duration = Duration::from_millis(1000);
const UNEXPECTED: Duration = Duration::from_millis(100);

/// How long a proxy may take to start, and to end.
const PATIENCE: Duration = Duration::from_secs(20);

/// What all probes' words begin with, and no case has.
const WORD: &str = "word-of-a-probe";

/// Foreign answers after which a run ends: more of them tell nothing new.
const FOREIGN_MAX: usize = 10;

/// A proxy, and how to run it. `@PORT@`, `@UPSTREAM@` and `@FOLDER@` are filled in.
struct Recipe {
    command: &'static str,
    package: &'static str,
    arguments: &'static [&'static str],
    config: &'static str,
}

/// As lenient as they can be, so that as much as possible reaches the server, and with few connections to it, which all
/// clients share.
const RECIPES: [Recipe; 3] = [
    Recipe {
        command: "nginx",
        package: "nginx-light",
        arguments: &["-e", "stderr", "-p", "@FOLDER@", "-c", "config"],
        config: r#"
daemon off;
master_process off;
pid nginx.pid;
error_log stderr crit;
events { worker_connections 256; }
http {
    access_log off;
    client_body_temp_path temp;
    proxy_temp_path temp;
    fastcgi_temp_path temp;
    uwsgi_temp_path temp;
    scgi_temp_path temp;
    client_max_body_size 0;
    ignore_invalid_headers off;
    underscores_in_headers on;
    keepalive_requests 1000000;
    upstream ringmill {
        server @UPSTREAM@;
        keepalive 4;
        keepalive_requests 1000000;
    }
    server {
        listen 127.0.0.1:@PORT@;
        location / {
            proxy_pass http://ringmill;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_request_buffering off;
        }
    }
}
"#,
    },
    Recipe {
        command: "haproxy",
        package: "haproxy",
        arguments: &["-db", "-f", "@FOLDER@/config"],
        config: "
global
    nbthread 1
    maxconn 256
defaults
    mode http
    timeout connect 10s
    timeout client 60s
    timeout server 60s
frontend public
    bind 127.0.0.1:@PORT@
    option accept-invalid-http-request
    default_backend ringmill
backend ringmill
    http-reuse always
    server ringmill @UPSTREAM@ pool-max-conn 4 pool-purge-delay 60s
",
    },
    Recipe {
        command: "varnishd",
        package: "varnish",
        arguments: &[
            "-F",
            "-j",
            "none",
            "-n",
            "@FOLDER@/state",
            "-a",
            "127.0.0.1:@PORT@",
            "-T",
            "none",
            "-s",
            "malloc,32m",
            "-f",
            "@FOLDER@/config",
        ],
        // The fields that it adds would stand in the probes' answers.
        config: r#"
vcl 4.1;
backend ringmill { .host = "@UPSTREAM_HOST@"; .port = "@UPSTREAM_PORT@"; }
sub vcl_recv { return (pass); }
sub vcl_backend_fetch {
    unset bereq.http.X-Forwarded-For;
    unset bereq.http.X-Varnish;
    unset bereq.http.Via;
    return (fetch);
}
"#,
    },
];

#[test]
fn through_proxies() {
    let suites = wanted();
    let cases = suites.iter().flat_map(|suite| suite.cases.iter().map(move |case| (suite, case)));
    let shots: Vec<_> =
        cases.filter(|(_, case)| case.skip.is_none()).map(|(suite, case)| Shot::of(suite, case)).collect();
    let server = Setup::shards(2).and(ENDPOINTS);
    // What a connection still waits for must not be cut off before a probe is taken for it.
    let mut server = server.set("http.head_timeout", "60s").set("http.body_timeout", "60s").start();
    let mut foreign = 0;
    for recipe in &RECIPES {
        let name = recipe.command;
        let (began, before) = (Instant::now(), traffic(&server));
        let proxy = Proxy::start(recipe, server.public);
        let tally = shoot(proxy.address, &shots);
        let after = traffic(&server);
        let (connections, requests) = (after.0 - before.0, after.1 - before.1);
        say(&format!("{name}: {tally}\n"));
        say(&format!(
            "  {requests} requests on {connections} connections behind it, {:.1} s\n",
            began.elapsed().as_secs_f32()
        ));
        for foreign in &tally.foreign {
            say(&format!("FOREIGN {name}: {foreign}"));
        }
        foreign += tally.foreign.len();
        let errors = tally.probe_errors;
        assert!(errors * 200 <= tally.probes, "{name}: {errors} probes without an answer: {}", proxy.said());
        assert!(connections * 2.0 <= requests, "{name}: connections are not shared, so nothing is shown");
    }
    assert_eq!(foreign, 0, "answers to others, shown above");
    assert_eq!(server.term(), Some(0));
    server.stderr_at_end();
}

/// Connections and requests so far.
fn traffic(server: &Server) -> (f64, f64) {
    let metrics = server.metrics();
    let requests = metrics.series("http_requests_total").iter().map(|(_, value)| value).sum();
    (metrics.value("ringmill_connections_accepted_total"), requests)
}

/// A running proxy; it ends with the test.
struct Proxy {
    process: Child,
    address: SocketAddr,
    folder: TempDir,
}

impl Proxy {
    /// Starts it in front of `upstream`. Its port is looked for and then taken, so it may be gone in between.
    fn start(recipe: &Recipe, upstream: SocketAddr) -> Proxy {
        for _ in 0..3 {
            if let Some(proxy) = Proxy::try_start(recipe, upstream) {
                return proxy;
            }
        }
        panic!("{} did not start, see above", recipe.command);
    }

    fn try_start(recipe: &Recipe, upstream: SocketAddr) -> Option<Proxy> {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
        let address = free.expect("a free port");
        let folder = folder(&[]);
        let fill = |text: &str| {
            text.replace("@PORT@", &address.port().to_string())
                .replace("@UPSTREAM@", &upstream.to_string())
                .replace("@UPSTREAM_HOST@", &upstream.ip().to_string())
                .replace("@UPSTREAM_PORT@", &upstream.port().to_string())
                .replace("@FOLDER@", &folder.path().display().to_string())
        };
        std::fs::write(folder.path().join("config"), fill(recipe.config)).expect("a file");
        let said = std::fs::File::create(folder.path().join("said")).expect("a file");
        let mut command = Command::new(program(recipe));
        command.args(recipe.arguments.iter().map(|argument| fill(argument)));
        command.stdin(Stdio::null()).stdout(said.try_clone().expect("a second handle")).stderr(said);
        let process = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", recipe.command));
        let mut proxy = Proxy { process, address, folder };
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(address).is_err() {
            let is_running = proxy.process.try_wait().expect("a child can be waited for").is_none();
            if !is_running || Instant::now() > deadline {
                say(&format!("{} is not running: {}\n", recipe.command, proxy.said()));
                return None;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Some(proxy)
    }

    fn said(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("said")).unwrap_or_default()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Varnish has a child of its own, which it ends if it is asked to end itself.
        let pid = i32::try_from(self.process.id()).ok().and_then(rustix::process::Pid::from_raw);
        if let Some(pid) = pid {
            // It may have ended already.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let deadline = Instant::now() + PATIENCE;
        while matches!(self.process.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        // As above.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Where the proxy lies: /usr/sbin is not on everybody's path.
fn program(recipe: &Recipe) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders =
        std::env::split_paths(&path).chain(["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from));
    let found = folders.map(|folder| folder.join(recipe.command)).find(|path| path.is_file());
    found.unwrap_or_else(|| {
        panic!(
            "{} is missing, which the cases are sent through: apt-get install {}, or scripts/test --install",
            recipe.command, recipe.package
        )
    })
}

/// What is sent to a proxy.
struct Shot {
    name: String,
    bytes: Vec<u8>,
    is_answered: bool,
}

impl Shot {
    fn of(suite: &Suite, case: &Case) -> Shot {
        let mut bytes = case.bytes();
        // A proxy passes on no head that has no end.
        bytes.extend(case.rest());
        Shot { name: format!("{} / {}", suite.suite, case.name), bytes, is_answered: !case.status.is_empty() }
    }
}

/// What came of it.
#[derive(Default)]
struct Tally {
    cases: usize,
    unanswered: usize,
    /// 502, 503, 504
    case_errors: usize,
    probes: usize,
    /// 502, 503, 504, or an end without an answer.
    probe_errors: usize,
    foreign: Vec<String>,
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Tally { cases, unanswered, case_errors, probes, probe_errors, foreign } = self;
        write!(f, "{cases} cases sent, {unanswered} unanswered, {case_errors} answered 502, 503 or 504; ")?;
        write!(f, "{probes} probes, {} foreign answers, {probe_errors} proxy errors", foreign.len())
    }
}

/// One proxy while it is shot at.
struct Range<'a> {
    proxy: SocketAddr,
    shots: &'a [Shot],
    next: AtomicUsize,
    is_over: AtomicBool,
    tally: Mutex<Tally>,
}

/// Sends all shots through the proxy, and probes with them.
fn shoot(proxy: SocketAddr, shots: &[Shot]) -> Tally {
    let range = Range {
        proxy,
        shots,
        next: AtomicUsize::new(0),
        is_over: AtomicBool::new(false),
        tally: Mutex::new(Tally::default()),
    };
    std::thread::scope(|scope| {
        let range = &range;
        let probers = (0..PROBERS).map(|prober| scope.spawn(move || range.probe(prober)));
        let probers: Vec<_> = probers.collect();
        let shooters: Vec<_> = (0..CASES_AT_A_TIME).map(|_| scope.spawn(|| range.send_cases())).collect();
        let panicked = shooters.into_iter().filter_map(|shooter| shooter.join().err()).count();
        range.is_over.store(true, Ordering::Relaxed);
        let panicked = panicked + probers.into_iter().filter_map(|prober| prober.join().err()).count();
        assert_eq!(panicked, 0, "clients panicked");
    });
    range.tally.into_inner().expect("no thread panics while it holds this lock")
}

impl Range<'_> {
    fn send_cases(&self) {
        while !self.is_over.load(Ordering::Relaxed) {
            let Some(shot) = self.shots.get(self.next.fetch_add(1, Ordering::Relaxed)) else { return };
            let came = exchange(self.proxy, shot);
            let mut tally = self.tally.lock().expect("no thread panics while it holds this lock");
            tally.cases += 1;
            tally.unanswered += usize::from(came.is_empty());
            tally.case_errors += usize::from(is_of_the_proxy(&came));
            drop(tally);
            if came.windows(WORD.len()).any(|window| window == WORD.as_bytes()) {
                self.found(&format!("{} got a probe's answer", shot.name), &came);
            }
        }
    }

    fn probe(&self, prober: usize) {
        let mut kept = None;
        for number in 0.. {
            if self.is_over.load(Ordering::Relaxed) {
                return;
            }
            let word = format!("{WORD}-{prober}-{number}.");
            let connect = || Wire::connect(self.proxy).unwrap_or_else(|what| panic!("a probe: {what}"));
            let mut wire = kept.take().unwrap_or_else(connect);
            wire.transcript.clear();
            let request = format!("GET /echo?{word} HTTP/1.1\r\nHost: probe.test\r\nX-Word: {word}\r\n\r\n");
            wire.send(request.as_bytes(), Cut::Whole);
            let answer = wire.read(false);
            let mut tally = self.tally.lock().expect("no thread panics while it holds this lock");
            tally.probes += 1;
            // HAProxy writes names of fields in lower case.
            let fields = format!("host: probe.test\nx-word: {word}\n");
            match answer {
                Ok(Some(answer))
                    if answer.status == 200 && answer.body.eq_ignore_ascii_case(fields.as_bytes()) =>
                {
                    kept = (!answer.closes()).then_some(wire);
                }
                Ok(None) => tally.probe_errors += 1,
                Err(_) if is_of_the_proxy(&wire.transcript) => tally.probe_errors += 1,
                Ok(_) => {
                    drop(tally);
                    self.found(&format!("{word} got another answer"), &wire.transcript);
                }
                Err(what) => {
                    drop(tally);
                    self.found(&format!("{word}: {what}"), &wire.transcript);
                }
            }
        }
    }

    fn found(&self, what: &str, came: &[u8]) {
        let next = self.next.load(Ordering::Relaxed).min(self.shots.len());
        let recent = &self.shots[next.saturating_sub(2 * CASES_AT_A_TIME)..next];
        let recent: Vec<_> = recent.iter().map(|shot| shot.name.as_str()).collect();
        let mut tally = self.tally.lock().expect("no thread panics while it holds this lock");
        tally.foreign.push(format!(
            "{what}\n  came    {}\n  before  {}\n",
            shown(came, 2000),
            recent.join(", ")
        ));
        if tally.foreign.len() >= FOREIGN_MAX {
            self.is_over.store(true, Ordering::Relaxed);
        }
    }
}

/// All that comes on a connection of its own until it ends or is quiet.
fn exchange(proxy: SocketAddr, shot: &Shot) -> Vec<u8> {
    let mut stream = TcpStream::connect(proxy).expect("the proxy listens");
    let wait = |stream: &TcpStream, time| stream.set_read_timeout(Some(time)).expect("a timeout");
    stream.set_write_timeout(Some(EXPECTED)).expect("a timeout");
    // The proxy may refuse before the end.
    let _ = stream.write_all(&shot.bytes);
    wait(&stream, if shot.is_answered { EXPECTED } else { UNEXPECTED });
    let mut came = Vec::new();
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = stream.read(&mut bytes) {
        came.extend_from_slice(&bytes[..count]);
        wait(&stream, QUIET);
    }
    came
}

/// Whether these are the words of a proxy that did without the server.
fn is_of_the_proxy(came: &[u8]) -> bool {
    [b"HTTP/1.1 502 ", b"HTTP/1.1 503 ", b"HTTP/1.1 504 "].iter().any(|line| came.starts_with(*line))
}

/// Servers that are broken on purpose, behind each proxy: what they mix up is found.
mod tests {
    use super::{Proxy, RECIPES, Recipe, Shot, program, shoot};
    use std::io::{Read as _, Write as _};
    use std::net::{SocketAddr, TcpListener, TcpStream};
    use std::sync::Mutex;

    /// Makes the fields of an answer out of those of a request's head.
    type Mix = fn(&str) -> String;

    #[test]
    fn bodies_taken_for_requests_are_found() {
        let hidden = "GET /hidden HTTP/1.1\r\nX-Hidden: ";
        let length = hidden.len();
        let request = format!("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{hidden}");
        check(&request, str::to_owned, "X-Hidden: GET /echo?word-of-a-probe");
    }

    #[test]
    fn answers_to_others_are_found() {
        static LAST: Mutex<String> = Mutex::new(String::new());
        let exchanged: Mix = |fields| std::mem::replace(&mut LAST.lock().expect("a lock"), fields.to_owned());
        check("GET /echo HTTP/1.1\r\nHost: a\r\n\r\n", exchanged, "got a probe's answer");
    }

    #[test]
    #[should_panic(
        expected = "no-such-proxy is missing, which the cases are sent through: apt-get install a-package"
    )]
    fn what_is_missing_is_said() {
        program(&Recipe { command: "no-such-proxy", package: "a-package", arguments: &[], config: "" });
    }

    #[track_caller]
    fn check(request: &str, mix: Mix, expected: &str) {
        let upstream = upstream(mix);
        for recipe in &RECIPES {
            let shot =
                |number| Shot { name: format!("shot {number}"), bytes: request.into(), is_answered: true };
            let shots: Vec<_> = (0..200).map(shot).collect();
            let proxy = Proxy::start(recipe, upstream);
            let foreign = shoot(proxy.address, &shots).foreign;
            let is_found = foreign.iter().any(|each| each.contains(expected));
            assert!(is_found, "{}: no {expected:?} among {foreign:#?}", recipe.command);
        }
    }

    /// A server that knows of no bodies.
    fn upstream(mix: Mix) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.expect("a connection");
                std::thread::spawn(move || serve(stream, mix));
            }
        });
        address
    }

    fn serve(mut stream: TcpStream, mix: Mix) {
        let mut received = Vec::new();
        let mut bytes = [0; 4096];
        loop {
            while let Some(end) = received.windows(4).position(|window| window == b"\r\n\r\n") {
                let head: Vec<u8> = received.drain(..end + 4).collect();
                let head = String::from_utf8_lossy(&head[..end]).replace("\r\n", "\n");
                let fields = head.split_once('\n').map(|(_, fields)| format!("{fields}\n"));
                let body = mix(&fields.unwrap_or_default());
                let length = body.len();
                let date = "Date: Sun, 06 Nov 1994 08:49:37 GMT";
                let answer = format!("HTTP/1.1 200 OK\r\n{date}\r\nContent-Length: {length}\r\n\r\n{body}");
                if stream.write_all(answer.as_bytes()).is_err() {
                    return;
                }
            }
            match stream.read(&mut bytes) {
                Ok(count @ 1..) => received.extend_from_slice(&bytes[..count]),
                _ => return,
            }
        }
    }
}
