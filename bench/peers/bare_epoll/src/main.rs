//! A constant responder on epoll: what the kernel's readiness path costs when the server does nothing.
//!
//! Level-triggered; one read per readiness, one write for all heads that the read held.

use std::io;
use std::net::TcpListener;
use std::os::fd::{AsRawFd, IntoRawFd, RawFd};

use peer_common::{Answer, Heads};

const EVENTS_PER_TURN: usize = 256;
const READ_BYTES_MAX: usize = 16 * 1024;

#[derive(Clone, Copy, Default)]
struct Connection {
    heads: Heads,
    /// Of the answers begun and not yet written.
    bytes_owed: usize,
}

fn main() -> io::Result<()> {
    let answer = Answer::from_environment();
    let listener = TcpListener::bind(peer_common::address())?;
    listener.set_nonblocking(true)?;

    // SAFETY: takes no pointer; the result is checked.
    let epoll = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
    control(epoll, libc::EPOLL_CTL_ADD, listener.as_raw_fd(), libc::EPOLLIN)?;

    // Indexed by descriptor: dense, and reset when one is accepted.
    let mut connections: Vec<Connection> = Vec::new();
    let mut events = [libc::epoll_event { events: 0, u64: 0 }; EVENTS_PER_TURN];
    let mut buffer = [0u8; READ_BYTES_MAX];
    loop {
        // SAFETY: `events` is a live array of as many events as is said.
        let ready = unsafe { libc::epoll_wait(epoll, events.as_mut_ptr(), EVENTS_PER_TURN as i32, -1) };
        let ready = match check(ready) {
            Ok(ready) => ready as usize,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        for event in &events[..ready] {
            let fd = event.u64 as RawFd;
            if fd == listener.as_raw_fd() {
                accept_all(&listener, epoll, &mut connections)?;
                continue;
            }
            let connection = &mut connections[fd as usize];
            let alive = serve(fd, connection, epoll, &answer, &mut buffer);
            if !alive {
                // SAFETY: the connection owns this descriptor and is not used after it. Closing also
                // takes it out of the epoll set.
                unsafe { libc::close(fd) };
            }
        }
    }
}

fn accept_all(listener: &TcpListener, epoll: RawFd, connections: &mut Vec<Connection>) -> io::Result<()> {
    while let Ok((stream, _)) = listener.accept() {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        let fd = stream.into_raw_fd();
        if connections.len() <= fd as usize {
            connections.resize(fd as usize + 1, Connection::default());
        }
        connections[fd as usize] = Connection::default();
        control(epoll, libc::EPOLL_CTL_ADD, fd, libc::EPOLLIN)?;
    }
    Ok(())
}

/// One readiness. False when the connection is over.
fn serve(fd: RawFd, connection: &mut Connection, epoll: RawFd, answer: &Answer, buffer: &mut [u8]) -> bool {
    let was_blocked = connection.bytes_owed > 0;
    if !was_blocked {
        // SAFETY: `buffer` is live and as long as is said.
        let read = unsafe { libc::recv(fd, buffer.as_mut_ptr().cast(), buffer.len(), 0) };
        match read {
            0 => return false,
            read if read < 0 => return would_block(),
            read => {
                let requests = connection.heads.count(&buffer[..read as usize]);
                connection.bytes_owed = answer.len_of(requests);
            }
        }
    }
    while connection.bytes_owed > 0 {
        let bytes = answer.owed(connection.bytes_owed);
        // SAFETY: `bytes` is live and as long as is said.
        let sent = unsafe { libc::send(fd, bytes.as_ptr().cast(), bytes.len(), libc::MSG_NOSIGNAL) };
        if sent < 0 {
            if !would_block() {
                return false;
            }
            break;
        }
        connection.bytes_owed -= sent as usize;
    }
    // While answers are owed nothing is read.
    let is_blocked = connection.bytes_owed > 0;
    if is_blocked != was_blocked {
        let interest = if is_blocked { libc::EPOLLOUT } else { libc::EPOLLIN };
        return control(epoll, libc::EPOLL_CTL_MOD, fd, interest).is_ok();
    }
    true
}

fn would_block() -> bool {
    io::Error::last_os_error().kind() == io::ErrorKind::WouldBlock
}

fn control(epoll: RawFd, operation: i32, fd: RawFd, interest: i32) -> io::Result<()> {
    let mut event = libc::epoll_event { events: interest as u32, u64: fd as u64 };
    // SAFETY: `event` is live during the call, which copies it.
    check(unsafe { libc::epoll_ctl(epoll, operation, fd, &mut event) })?;
    Ok(())
}

fn check(result: i32) -> io::Result<i32> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
