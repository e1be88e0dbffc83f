//! A constant responder on io_uring: the floor that the other servers are compared with.
//!
//! It parses nothing: it counts the ends of heads and answers each with the same bytes. One ring, one
//! thread; multishot accept; multishot receives into a ring of provided buffers, or single-shot ones
//! with `RECEIVE=single`; one send per connection and turn, straight from static memory.

use std::io;
use std::net::TcpListener;
use std::os::fd::{AsRawFd, RawFd};

use io_uring::{IoUring, SubmissionQueue, Submitter, cqueue, opcode, squeue, types};
use peer_common::{Answer, Heads};

mod buffers;
use buffers::Buffers;

const SUBMISSIONS: u32 = 256;
const COMPLETIONS: u32 = 4096;

#[derive(Clone, Copy)]
enum Receive {
    Multishot,
    SingleShot,
}

#[derive(Clone, Copy)]
#[repr(u8)]
enum Operation {
    Accept,
    Receive,
    Send,
}

#[derive(Clone, Copy, Default)]
struct Connection {
    heads: Heads,
    /// Of the answers begun and not yet sent.
    bytes_owed: usize,
    is_receiving: bool,
    is_sending: bool,
    /// Stands in the turn's list of connections with output.
    is_listed: bool,
    /// Nothing more will come; closed once nothing is in flight or owed.
    is_ending: bool,
}

struct Server<'a> {
    submitter: Submitter<'a>,
    submissions: SubmissionQueue<'a>,
    buffers: Buffers,
    answer: Answer,
    receive: Receive,
    listener: TcpListener,
    /// Indexed by descriptor: dense, and reset when one is accepted.
    connections: Vec<Connection>,
    /// Who has output to send at the end of this turn.
    listed: Vec<RawFd>,
}

fn main() -> io::Result<()> {
    let receive = match std::env::var("RECEIVE").as_deref() {
        Ok("single") => Receive::SingleShot,
        _ => Receive::Multishot,
    };
    let listener = TcpListener::bind(peer_common::address())?;
    let mut ring = IoUring::builder()
        .setup_single_issuer()
        .setup_defer_taskrun()
        .setup_submit_all()
        .setup_cqsize(COMPLETIONS)
        .build(SUBMISSIONS)?;
    let (mut submitter, submissions, mut completions) = ring.split();
    submitter.register_ring_fd()?;
    let mut server = Server {
        buffers: Buffers::register(&submitter)?,
        submitter,
        submissions,
        answer: Answer::from_environment(),
        receive,
        listener,
        connections: Vec::new(),
        listed: Vec::new(),
    };
    server.accept()?;
    loop {
        server.enter()?;
        completions.sync();
        for completion in &mut completions {
            server.act(&completion)?;
        }
        server.flush()?;
    }
}

impl Server<'_> {
    /// Hands over what was queued, buffers included, and waits for at least one completion.
    fn enter(&mut self) -> io::Result<()> {
        self.buffers.publish();
        self.submissions.sync();
        match self.submitter.submit_and_wait(1) {
            // EBUSY: completions must be taken first; they are, next.
            Err(error) if !matches!(error.raw_os_error(), Some(libc::EINTR | libc::EBUSY)) => Err(error),
            _ => Ok(()),
        }
    }

    fn push(&mut self, entry: squeue::Entry, operation: Operation, fd: RawFd) -> io::Result<()> {
        let entry = entry.user_data((operation as u64) << 32 | fd as u64);
        loop {
            // SAFETY: what the entry points to is static (answers) or nothing (buffers are the kernel's
            // choice); a descriptor is closed only when nothing of it is in flight.
            if unsafe { self.submissions.push(&entry) }.is_ok() {
                return Ok(());
            }
            self.submissions.sync();
            self.submitter.submit()?;
            self.submissions.sync();
        }
    }

    fn act(&mut self, completion: &cqueue::Entry) -> io::Result<()> {
        let fd = completion.user_data() as u32 as RawFd;
        match (completion.user_data() >> 32) as u8 {
            operation if operation == Operation::Accept as u8 => self.accepted(completion),
            operation if operation == Operation::Receive as u8 => self.received(fd, completion),
            _ => self.sent(fd, completion.result()),
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        let fd = self.listener.as_raw_fd();
        let entry = opcode::AcceptMulti::new(types::Fd(fd)).flags(libc::SOCK_CLOEXEC).build();
        self.push(entry, Operation::Accept, fd)
    }

    fn accepted(&mut self, completion: &cqueue::Entry) -> io::Result<()> {
        if !cqueue::more(completion.flags()) {
            self.accept()?;
        }
        let fd = completion.result();
        if fd < 0 {
            return Err(io::Error::from_raw_os_error(-fd));
        }
        let on: libc::c_int = 1;
        // SAFETY: the option's value is a live int of the size that is said.
        unsafe {
            let size = size_of_val(&on) as libc::socklen_t;
            libc::setsockopt(fd, libc::IPPROTO_TCP, libc::TCP_NODELAY, (&raw const on).cast(), size);
        }
        if self.connections.len() <= fd as usize {
            self.connections.resize(fd as usize + 1, Connection::default());
        }
        self.connections[fd as usize] = Connection::default();
        self.arm_receive(fd)
    }

    fn arm_receive(&mut self, fd: RawFd) -> io::Result<()> {
        self.connections[fd as usize].is_receiving = true;
        let entry = match self.receive {
            Receive::Multishot => opcode::RecvMulti::new(types::Fd(fd), buffers::GROUP).build(),
            Receive::SingleShot => {
                opcode::Recv::new(types::Fd(fd), std::ptr::null_mut(), buffers::BUFFER_SIZE as u32)
                    .buf_group(buffers::GROUP)
                    .build()
                    .flags(squeue::Flags::BUFFER_SELECT)
            }
        };
        self.push(entry, Operation::Receive, fd)
    }

    fn received(&mut self, fd: RawFd, completion: &cqueue::Entry) -> io::Result<()> {
        let connection = &mut self.connections[fd as usize];
        let result = completion.result();
        if result > 0 {
            let id = cqueue::buffer_select(completion.flags()).expect("bytes arrive in a buffer");
            let requests = connection.heads.count(self.buffers.filled(id, result as usize));
            self.buffers.give_back(id);
            connection.bytes_owed += self.answer.len_of(requests);
        } else if result != -libc::ENOBUFS {
            connection.is_ending = true;
        }
        if !cqueue::more(completion.flags()) {
            connection.is_receiving = false;
            if !connection.is_ending {
                self.arm_receive(fd)?;
            }
        }
        self.list_or_close(fd);
        Ok(())
    }

    fn sent(&mut self, fd: RawFd, result: i32) -> io::Result<()> {
        let connection = &mut self.connections[fd as usize];
        connection.is_sending = false;
        if result > 0 {
            connection.bytes_owed -= result as usize;
        } else {
            connection.bytes_owed = 0;
            connection.is_ending = true;
            // SAFETY: takes no pointer. Ends the receive that is still armed, which then closes.
            unsafe { libc::shutdown(fd, libc::SHUT_RDWR) };
        }
        self.list_or_close(fd);
        Ok(())
    }

    fn list_or_close(&mut self, fd: RawFd) {
        let connection = &mut self.connections[fd as usize];
        if connection.is_sending {
            return;
        }
        if connection.bytes_owed > 0 {
            if !connection.is_listed {
                connection.is_listed = true;
                self.listed.push(fd);
            }
        } else if connection.is_ending && !connection.is_receiving {
            // SAFETY: the connection owns this descriptor; nothing of it is in flight.
            unsafe { libc::close(fd) };
        }
    }

    /// One send for each connection that has output.
    fn flush(&mut self) -> io::Result<()> {
        while let Some(fd) = self.listed.pop() {
            let connection = &mut self.connections[fd as usize];
            connection.is_listed = false;
            connection.is_sending = true;
            let bytes = self.answer.owed(connection.bytes_owed);
            let entry = opcode::Send::new(types::Fd(fd), bytes.as_ptr(), bytes.len() as u32)
                .flags(libc::MSG_NOSIGNAL | libc::MSG_WAITALL)
                .build();
            self.push(entry, Operation::Send, fd)?;
        }
        Ok(())
    }
}
