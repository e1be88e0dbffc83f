//! From the command to `ready`, and the log to the end: signals on the way, pipes that nobody reads, who gets an address, and
//! what a start that fails leaves behind.

use crate::client::Client;
use crate::pipes::{full_pipe, open_pipe};
use crate::server::{PATIENCE, Process, Setup, Signal, command, folder, run};
use rustix::fs::{FlockOperation, fcntl_lock};
use std::process::Stdio;
use std::time::Instant;

const SERVE: [&str; 7] = ["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--cores", "1"];

#[test]
fn a_signal_while_the_database_is_locked_ends_the_start() {
    for signal in [Signal::Terminate, Signal::Interrupt] {
        let folder = folder(&[]);
        std::fs::create_dir(folder.path().join("data")).expect("a folder");
        let database = std::fs::File::create(folder.path().join("data/ringmill.db")).expect("a file");
        fcntl_lock(&database, FlockOperation::LockExclusive).expect("a lock");
        let mut command = command(folder.path(), &SERVE);
        let mut process = Process::start(command.stdout(Stdio::piped()).stderr(Stdio::piped()));
        process.complains("no effect in this version");
        process.signal(signal);
        assert_eq!(process.exit_code(), Some(0), "{signal:?}");
    }
}

#[test]
fn a_server_whose_output_nobody_reads_serves_and_drains() {
    let folder = folder(&[]);
    let (_reader, writer) = full_pipe();
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = free.local_addr().expect("its address");
    drop(free);
    let listen = address.to_string();
    let arguments = ["serve", "--listen", &listen, "--admin", "127.0.0.1:0", "--cores", "1"];
    let mut command = command(folder.path(), &arguments);
    let mut process = Process::start(command.stdout(writer).stderr(Stdio::piped()));
    let deadline = Instant::now() + PATIENCE;
    while std::net::TcpStream::connect(address).is_err() {
        assert!(Instant::now() < deadline, "nobody listens");
    }
    // Control answers this when the start is over.
    assert_eq!(Client::connect(address).get("/metrics").status, 200);
    process.signal(Signal::Terminate);
    assert_eq!(process.exit_code(), Some(0));
    process.complains("Drained; ");
}

#[test]
fn a_start_that_fails_ends_though_nobody_reads_its_log() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its address").to_string();
    let folder = folder(&[]);
    let (_reader, writer) = full_pipe();
    let mut command = command(folder.path(), &["serve", "--listen", &address, "--admin", "127.0.0.1:0"]);
    let mut process = Process::start(command.stdout(Stdio::null()).stderr(writer));
    assert_eq!(process.exit_code(), Some(1));
}

#[test]
fn of_two_processes_that_start_at_once_one_gets_the_port() {
    for _ in 0..3 {
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = free.local_addr().expect("its address").to_string();
        drop(free);
        let folders = [folder(&[]), folder(&[])];
        let arguments = ["serve", "--listen", &address, "--admin", "127.0.0.1:0", "--cores", "1"];
        let mut both = folders.each_ref().map(|folder| {
            let mut command = command(folder.path(), &arguments);
            Process::start(command.stdout(Stdio::piped()).stderr(Stdio::piped()))
        });
        let mut outcomes = both.each_mut().map(|process| {
            let stdout = process.stdout();
            (stdout.find(|line| line == "ready").is_some(), process)
        });
        let ready = outcomes.iter().filter(|(is_ready, _)| *is_ready).count();
        assert_eq!(ready, 1, "{address}");
        for (is_ready, process) in &mut outcomes {
            if *is_ready {
                process.signal(Signal::Terminate);
                assert_eq!(process.exit_code(), Some(0));
            } else {
                assert_eq!(process.exit_code(), Some(1));
                let log = process.complains("is in use by another process").all();
                assert!(log.last().is_some_and(|line| line.contains(&address)), "{log:?}");
            }
        }
    }
}

#[test]
fn a_mistyped_start_leaves_nothing_behind() {
    let taken = Setup::shards(1).start();
    let (public, admin) = (taken.public.to_string(), taken.admin.to_string());
    for arguments in [
        ["--listen", "192.0.2.1:5000", "--admin", "unix:admin.sock"],
        ["--listen", "127.0.0.1:0", "--admin", &admin],
        ["--listen", &public, "--admin", "unix:admin.sock"],
        ["--listen", "127.0.0.1:0", "--cores", "1023-1023"],
    ] {
        let folder = folder(&[]);
        let ended = run(folder.path(), &[&["serve"][..], &arguments].concat());
        assert_eq!(ended.code, Some(1), "{arguments:?}");
        let left: Vec<_> = std::fs::read_dir(folder.path()).expect("a folder").collect();
        assert!(left.is_empty(), "{arguments:?} leaves {left:?}");
    }
}

#[test]
fn a_second_signal_ends_a_server_whose_log_nobody_reads() {
    let (_reader, writer) = full_pipe();
    let mut server = Setup::shards(2).set("server.drain_delay", "1h").stderr(writer).start();
    server.signal(Signal::Terminate);
    assert_eq!(server.exit_code_of_second(Signal::Terminate), Some(1));
}

#[test]
fn the_last_lines_find_a_reader_that_was_behind() {
    use std::io::{BufRead, BufReader, Read};
    const BATCH: usize = 500;
    let (mut reader, writer) = open_pipe();
    let mut server = Setup::shards(2).set("log.access", "all").stderr(writer).start();
    let client = &mut server.connect();
    let began = std::time::Instant::now();
    let mut read = vec![0; 4096];
    // More lines than the pipe and the queue hold, with a little read in between.
    for _ in 0..40 {
        client.send("GET /api/data HTTP/1.1\r\nHost: a\r\n\r\n".repeat(BATCH));
        (0..BATCH).for_each(|_| assert_eq!(client.read().status, 200));
        reader.read_exact(&mut read).expect("the log");
    }
    server.signal(Signal::Terminate);
    let lines: Vec<String> = BufReader::new(reader).lines().map(|line| line.expect("a line")).collect();
    assert_eq!(server.exit_code(), Some(0));
    for words in ["SIGTERM: draining", "0 requests were cut off"] {
        assert!(lines.iter().any(|line| line.contains(words)), "no {words:?}: {:?}", lines.last());
    }
    let reports = lines.iter().filter(|line| line.contains("were dropped")).count();
    let seconds = usize::try_from(began.elapsed().as_secs()).expect("a few");
    assert!((1..=seconds + 2).contains(&reports), "{reports} reports of dropped lines in {seconds} s");
}

#[test]
fn nothing_stands_below_the_last_words() {
    use std::io::{BufRead, BufReader};
    const BATCH: usize = 500;
    let (reader, writer) = open_pipe();
    let setup = Setup::shards(2).set("log.access", "all").set("server.drain_delay", "1h");
    let mut server = setup.stderr(writer).start();
    let client = &mut server.connect();
    for _ in 0..10 {
        client.send("GET /api/data HTTP/1.1\r\nHost: a\r\n\r\n".repeat(BATCH));
        (0..BATCH).for_each(|_| assert_eq!(client.read().status, 200));
    }
    server.signal(Signal::Terminate);
    let read = std::thread::spawn(|| {
        BufReader::new(reader).lines().map(|line| line.expect("a line")).collect::<Vec<_>>()
    });
    assert_eq!(server.exit_code_of_second(Signal::Terminate), Some(1));
    let lines = read.join().expect("a reader");
    assert_eq!(lines.last().map(String::as_str), Some("ringmill: ended without having drained"));
    let at = |words: &str| lines.iter().position(|line| line.contains(words)).expect(words);
    assert!(at("SIGTERM: draining") < at("SIGTERM again"));
}

#[test]
fn no_line_is_lost_on_a_log_that_does_not_block() {
    use std::io::{BufRead, BufReader};
    const COUNT: usize = 3000;
    let (reader, writer) = open_pipe();
    rustix::fs::fcntl_setfl(&writer, rustix::fs::OFlags::NONBLOCK).expect("O_NONBLOCK");
    let mut server = Setup::shards(1).set("log.access", "all").stderr(writer).start();
    let client = &mut server.connect();
    client.goes_on();
    for _ in 0..COUNT / 100 {
        client.send("GET /api/data HTTP/1.1\r\nHost: a\r\n\r\n".repeat(100));
        (0..100).for_each(|_| assert_eq!(client.read().status, 200));
    }
    server.metrics_when("all", |metrics| {
        metrics.value(r#"http_requests_total{method="GET",route="/api/data",status="200"}"#) >= COUNT as f64
    });
    let lines = std::thread::spawn(|| {
        BufReader::new(reader)
            .lines()
            .map_while(Result::ok)
            .filter(|line| line.contains("GET /api/data 200"))
            .count()
    });
    assert_eq!(server.term(), Some(0));
    assert_eq!(lines.join().expect("a reader"), COUNT);
}

/// Whoever looks on learns what a start waits for, and how long at most.
#[test]
fn a_start_that_waits_for_another_process_says_so() {
    let folder = folder(&[]);
    let path = folder.path().join("data/ringmill.db");
    std::fs::create_dir(folder.path().join("data")).expect("a folder");
    let other = rusqlite::Connection::open(&path).expect("a database");
    other
        .execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE other (x); BEGIN IMMEDIATE")
        .expect("a lock");
    let mut command = command(folder.path(), &SERVE);
    let mut process = Process::start(command.stdout(Stdio::piped()).stderr(Stdio::piped()));
    let stdout = process.stdout();
    let waits = format!("Waiting for another process that holds {}, for at most 29s", path.display());
    process.complains(&waits);
    other.execute_batch("ROLLBACK").expect("no lock");
    assert!(stdout.find(|line| line == "ready").is_some());
    process.signal(Signal::Terminate);
    assert_eq!(process.exit_code(), Some(0));
}
