//! Pipes to hand to a process, one of them full: what a program writes to whose reader has stopped.

use std::io::{ErrorKind, PipeReader, PipeWriter, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;

pub(crate) fn open_pipe() -> (PipeReader, PipeWriter) {
    std::io::pipe().expect("a pipe")
}

/// A blocking pipe that takes nothing more.
pub(crate) fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, writer) = open_pipe();
    // Opened anew it is another description, which alone does not block.
    let path = format!("/proc/self/fd/{}", writer.as_raw_fd());
    let mut filler = std::fs::OpenOptions::new();
    let mut filler = filler.write(true).custom_flags(libc::O_NONBLOCK).open(path).expect("the pipe");
    for size in [4096, 1] {
        let bytes = vec![b'\n'; size];
        while match filler.write(&bytes) {
            Ok(_) => true,
            Err(error) if error.kind() == ErrorKind::WouldBlock => false,
            Err(error) => panic!("{error}"),
        } {}
    }
    (reader, writer)
}
