//! System calls that the standard library does not offer on plain descriptors.
#![allow(unsafe_code)]

use crate::driver::{Direction, Errno, Fd};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

fn last_errno() -> Errno {
    Errno(std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO))
}

/// shutdown(2).
pub(crate) fn shutdown(fd: Fd, direction: Direction) {
    let how = match direction {
        Direction::Write => libc::SHUT_WR,
        Direction::Both => libc::SHUT_RDWR,
    };
    // SAFETY: takes no pointer.
    unsafe { libc::shutdown(fd.0, how) };
}

/// Has the allocator give back to the system what was freed, small pieces included, which it otherwise keeps. Takes
/// milliseconds for each hundred megabytes, during which threads that allocate may wait.
pub fn give_memory_back() {
    // SAFETY: takes no pointer; the allocator locks what it looks at.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Has a write beyond the limit of file sizes (`ulimit -f`) fail, as one on a full disk does, instead of ending the process.
pub fn ignore_file_size_signal() {
    // SAFETY: SIG_IGN runs no code of ours.
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
    }
}

/// SO_LINGER of zero seconds.
pub(crate) fn reset_on_close(fd: Fd) {
    // SAFETY: the borrow ends before this function returns, while the caller keeps the descriptor open.
    let borrowed = unsafe { std::os::fd::BorrowedFd::borrow_raw(fd.0) };
    // It fails only for a connection that is gone.
    let _ = socket2::SockRef::from(&borrowed).set_linger(Some(std::time::Duration::ZERO));
}

/// close(2).
pub(crate) fn close(fd: Fd) {
    // SAFETY: takes no pointer; the caller owns the descriptor and forgets it.
    unsafe { libc::close(fd.0) };
}

/// An eventfd that counts up and does not block.
pub(crate) fn eventfd() -> Result<OwnedFd, Errno> {
    // SAFETY: takes no pointer.
    let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
    if fd < 0 {
        return Err(last_errno());
    }
    // SAFETY: the descriptor is new and owned by nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Adds one to an eventfd. EAGAIN (2^64 - 2 wake-ups unread) still leaves it readable, so nothing is lost.
pub(crate) fn write_event(event: &OwnedFd) {
    let one = 1u64.to_ne_bytes();
    // SAFETY: the buffer is valid for eight bytes.
    unsafe { libc::write(event.as_raw_fd(), one.as_ptr().cast(), one.len()) };
}

/// getpeername(2).
pub(crate) fn peer(fd: Fd) -> Option<SocketAddr> {
    // SAFETY: the borrow ends before this function returns, while the caller keeps the descriptor open.
    let borrowed = unsafe { std::os::fd::BorrowedFd::borrow_raw(fd.0) };
    socket2::SockRef::from(&borrowed).peer_addr().ok()?.as_socket()
}

/// accept4(2) on a listener that is made non-blocking first.
pub(crate) fn accept_now(listener: Fd) -> Option<Fd> {
    // SAFETY: fcntl with F_GETFL and F_SETFL takes integers only.
    unsafe {
        let flags = libc::fcntl(listener.0, libc::F_GETFL);
        libc::fcntl(listener.0, libc::F_SETFL, flags | libc::O_NONBLOCK);
    }
    loop {
        // SAFETY: null addresses are allowed: the peer's address is not asked for.
        let fd = unsafe {
            libc::accept4(listener.0, std::ptr::null_mut(), std::ptr::null_mut(), libc::SOCK_CLOEXEC)
        };
        if fd >= 0 {
            return Some(Fd(fd));
        }
        match last_errno().0 {
            libc::EINTR | libc::ECONNABORTED => {}
            _ => return None,
        }
    }
}

/// Attaches a socket filter that drops every packet that asks for a connection: no further handshake begins on the
/// listener. Those that have begun end as usual, since their clients already take the connection for open.
pub(crate) fn refuse_handshakes(listener: Fd) {
    const TCP_FLAGS_OFFSET: u32 = 13;
    const SYN: u32 = 2;
    const WHOLE_PACKET: u32 = u32::MAX;
    let step = |code: u32, jt: u8, jf: u8, k: u32| libc::sock_filter { code: code as u16, jt, jf, k };
    // A filter of a TCP socket sees the segment from its TCP header on.
    let mut drop_requests = [
        step(libc::BPF_LD | libc::BPF_B | libc::BPF_ABS, 0, 0, TCP_FLAGS_OFFSET),
        step(libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K, 0, 1, SYN),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, 0),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, WHOLE_PACKET),
    ];
    let program = libc::sock_fprog { len: drop_requests.len() as u16, filter: drop_requests.as_mut_ptr() };
    // SAFETY: the program and its instructions live until the call returns; the kernel copies them.
    unsafe {
        libc::setsockopt(
            listener.0,
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const program).cast(),
            size_of::<libc::sock_fprog>() as libc::socklen_t,
        );
    }
}

/// clock_gettime(2), nanoseconds.
fn clock_ns(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is valid for writing; both clocks exist on every Linux.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Nanoseconds of CLOCK_MONOTONIC.
pub(crate) fn monotonic_ns() -> u64 {
    clock_ns(libc::CLOCK_MONOTONIC)
}

/// Microseconds since 1970 of CLOCK_REALTIME.
pub(crate) fn unix_us() -> u64 {
    clock_ns(libc::CLOCK_REALTIME) / 1000
}

/// Registers the ring's own descriptor with itself (io_uring_register(2), IORING_REGISTER_RING_FDS): saves a look-up at
/// each enter. Returns its index.
pub(crate) fn register_ring_fd(ring: RawFd) -> Result<u32, Errno> {
    #[repr(C)]
    struct Update {
        offset: u32,
        reserved: u32,
        data: u64,
    }
    const IORING_REGISTER_RING_FDS: libc::c_ulong = 20;
    let mut update = Update { offset: u32::MAX, reserved: 0, data: ring as u64 };
    // SAFETY: one `io_uring_rsrc_update`, valid for reading and writing while the call lasts.
    let registered = unsafe {
        libc::syscall(libc::SYS_io_uring_register, ring, IORING_REGISTER_RING_FDS, &raw mut update, 1)
    };
    if registered == 1 { Ok(update.offset) } else { Err(last_errno()) }
}

/// io_uring_enter(2) with a time-out in nanoseconds (IORING_ENTER_EXT_ARG); ETIME, EINTR, EBUSY and EAGAIN are for the
/// caller to judge.
pub(crate) fn ring_enter(
    ring: u32,
    submit: u32,
    complete: u32,
    flags: u32,
    timeout_ns: Option<u64>,
) -> Result<u32, Errno> {
    #[repr(C)]
    struct Timespec {
        seconds: i64,
        nanoseconds: i64,
    }
    #[repr(C)]
    struct Argument {
        signal_mask: u64,
        signal_mask_size: u32,
        minimum_wait_us: u32,
        timeout: u64,
    }
    const IORING_ENTER_EXT_ARG: u32 = 1 << 3;
    let timespec;
    let argument;
    let (flags, pointer, size) = match timeout_ns {
        Some(ns) => {
            timespec =
                Timespec { seconds: (ns / 1_000_000_000) as i64, nanoseconds: (ns % 1_000_000_000) as i64 };
            argument = Argument {
                signal_mask: 0,
                signal_mask_size: 0,
                minimum_wait_us: 0,
                timeout: (&raw const timespec) as u64,
            };
            (flags | IORING_ENTER_EXT_ARG, &raw const argument, size_of::<Argument>())
        }
        None => (flags, std::ptr::null(), 0),
    };
    // SAFETY: argument and time-out, where given, live until the call returns; the entries of the submission queue were
    // checked when they were pushed.
    let result =
        unsafe { libc::syscall(libc::SYS_io_uring_enter, ring, submit, complete, flags, pointer, size) };
    if result < 0 { Err(last_errno()) } else { Ok(result as u32) }
}
