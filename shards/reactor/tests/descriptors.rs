//! Descriptors that run out. A process of its own, since the limit is the process's.

#[path = "events/echo.rs"]
#[expect(dead_code, reason = "this needs a part of it")]
mod echo;

use echo::{Echo, Loop, connect, exchange};
use ringmill_reactor::bounds::RingSizes;
use std::fs::File;
use std::io::{Read, Write};
use std::time::Duration;

#[test]
#[allow(unsafe_code)]
fn accepting_pauses_without_descriptors_and_goes_on_with_them() {
    // A low limit, which the kernel notes when accepting begins.
    let limit = libc::rlimit { rlim_cur: 200, rlim_max: 200 };
    // SAFETY: sets a limit of this process from a valid struct.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) }, 0);
    let server = Loop::start(RingSizes::default(), Echo::default);
    let mut first = connect(server.address);
    assert_eq!(exchange(&mut first, b"a"), b"a");
    let mut ballast: Vec<_> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    // Room for the client's end, and none for the server's: it waits in the backlog.
    ballast.pop();
    let mut waiting = connect(server.address);
    std::thread::sleep(Duration::from_millis(400));
    let mut back = [0];
    first.write_all(b"b").and_then(|()| first.read_exact(&mut back)).expect("those who are there are served");
    assert_eq!(back, *b"b");
    drop(ballast);
    assert_eq!(exchange(&mut waiting, b"c"), b"c");
    drop((first, waiting));
    let end = server.stop();
    // Backing off: one attempt in 50 ms, not one in a turn.
    assert!((1..=20).contains(&end.accept_failures), "{end:?}");
    assert_eq!((end.accepted, end.sockets), (2, 0), "{end:?}");
}
