//! The product syncs its log before it acknowledges, seen from outside: strace(1) counts what the process asks of the
//! kernel. (That a sync comes *between* commit and answer, and that skipped syncs lose rows, is shown in `shards/sqlite`.)

use crate::server::{Server, Setup};
use std::path::Path;

/// Completed syncs of the write-ahead log in a trace.
fn syncs(trace: &Path) -> usize {
    let text = std::fs::read_to_string(trace).expect("strace writes its file");
    // `-y` names the file; a call that another thread's line interrupts ends in a line of its own, without the name.
    let begun =
        |line: &str| (line.contains("fdatasync(") || line.contains("fsync(")) && line.contains("-wal>");
    let failed = |line: &str| line.contains("= -1");
    text.lines().filter(|line| begun(line) && !failed(line)).count()
}

fn traced(trace: &Path) -> Server {
    let trace = trace.to_str().expect("a plain path");
    // -D: the server stays the direct child, and is what a test ends.
    Setup::shards(2)
        .under(&["strace", "-D", "-f", "-q", "-y", "-e", "trace=fsync,fdatasync", "-o", trace])
        .start()
}

fn body(number: usize) -> String {
    format!(r#"{{"name":"x","email":"x{number}@example.com"}}"#)
}

#[test]
fn a_new_folder_of_the_database_reaches_the_disk_before_it_is_ready() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let trace = folder.path().join("trace");
    let server = traced(&trace);
    let data = server.database().parent().expect("its folder").canonicalize().expect("it is there");
    let text = std::fs::read_to_string(&trace).expect("strace writes its file");
    // The folder's name stands in the one above; the database's in the folder.
    for folder in [data.parent().expect("one above"), &data] {
        let synced = format!("<{}>)", folder.display());
        assert!(
            text.lines().any(|line| line.contains("sync(") && line.contains(&synced)),
            "{synced} in {text}"
        );
    }
}

#[test]
fn each_write_that_is_alone_has_its_own_sync() {
    const WRITES: usize = 40;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let trace = folder.path().join("trace");
    let server = traced(&trace);
    let client = &mut server.connect();
    let before = syncs(&trace);
    for number in 0..WRITES {
        let answer = client.ask("POST", "/api/users", Some(&body(number)));
        assert_eq!(answer.status, 201);
        // What was acknowledged is in the trace already: strace writes a line before it lets the call return.
        assert!(syncs(&trace) > before + number, "write {number} was acknowledged before its log was synced");
    }
}

#[test]
fn writes_at_the_same_time_share_their_syncs() {
    const WRITERS: usize = 64;
    const EACH: usize = 10;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let trace = folder.path().join("trace");
    let server = traced(&trace);
    let before = syncs(&trace);
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let mut client = server.connect();
            scope.spawn(move || {
                for number in 0..EACH {
                    let body = body(writer * EACH + number);
                    assert_eq!(client.ask("POST", "/api/users", Some(&body)).status, 201);
                }
            });
        }
    });
    let writes = WRITERS * EACH;
    let syncs = syncs(&trace) - before;
    println!("{writes} writes by {WRITERS} writers: {syncs} syncs of the log");
    assert!(syncs > 0 && syncs * 4 <= writes, "{syncs} syncs for {writes} writes");
}
