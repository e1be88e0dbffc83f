//! Standard output and standard error as a server uses them: written by threads of their own to descriptors of their own,
//! so that a reader who stops stops nobody else.
//!
//! Rust's handles were rejected: whoever waits in one holds its lock, and one that does not block loses what it does not
//! take.

use rustix::event::{PollFd, PollFlags, poll};
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::mpsc::{Sender, SyncSender, channel, sync_channel};
use std::time::Duration;

/// A copy of an open descriptor, without the lock of Rust's handle.
pub(super) fn copy_of(descriptor: BorrowedFd<'_>) -> std::io::Result<File> {
    Ok(File::from(descriptor.try_clone_to_owned()?))
}

/// Writes everything, waiting for room even where the descriptor does not block.
pub(super) fn write_whole(file: &File, mut bytes: &[u8]) -> std::io::Result<()> {
    let mut file = file;
    while !bytes.is_empty() {
        match file.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => wait_for_room(file)?,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn wait_for_room(file: &File) -> std::io::Result<()> {
    match poll(&mut [PollFd::new(file, PollFlags::OUT)], None) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Prints lines on standard output without ever making its owner wait.
#[derive(Clone)]
pub struct Printer(Sender<Job>);

enum Job {
    Print(String),
    /// Everything before this is printed.
    Tell(SyncSender<()>),
}

impl Printer {
    /// Starts the thread that prints.
    pub fn start() -> std::io::Result<Printer> {
        let stdout = copy_of(std::io::stdout().as_fd())?;
        let (sender, jobs) = channel();
        std::thread::Builder::new().name("output".to_owned()).spawn(move || {
            for job in jobs {
                match job {
                    // That nobody reads it is no reason to end.
                    Job::Print(line) => _ = write_whole(&stdout, line.as_bytes()),
                    Job::Tell(done) => _ = done.send(()),
                }
            }
        })?;
        Ok(Printer(sender))
    }

    /// Prints a line. There are as many as a start has things to say, so they need no bound.
    pub fn print(&self, mut line: String) {
        line.push('\n');
        // Its thread ends after its owners.
        let _ = self.0.send(Job::Print(line));
    }

    /// Waits until what was said is printed, but no longer than `longest`.
    pub fn finish(&self, longest: Duration) {
        let (done, printed) = sync_channel(1);
        if self.0.send(Job::Tell(done)).is_ok() {
            let _ = printed.recv_timeout(longest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::write_whole;
    use std::fs::File;
    use std::io::Read;
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_descriptor_that_does_not_block_takes_everything() {
        const BYTES: usize = 8 << 20;
        let (mut reader, writer) = UnixStream::pair().expect("two sockets");
        writer.set_nonblocking(true).expect("a mode");
        let read = std::thread::spawn(move || {
            let mut all = Vec::new();
            reader.read_to_end(&mut all).map(|_| all.len())
        });
        let writer = File::from(OwnedFd::from(writer));
        write_whole(&writer, &vec![b'x'; BYTES]).expect("a reader reads");
        drop(writer);
        assert_eq!(read.join().expect("a reader").expect("bytes"), BYTES);
    }

    #[test]
    fn a_reader_that_is_gone_is_an_error() {
        let (reader, writer) = UnixStream::pair().expect("two sockets");
        drop(reader);
        assert!(write_whole(&File::from(OwnedFd::from(writer)), b"x").is_err());
    }
}
