//! The io_uring itself: made on the thread that owns it, entered once a turn.
#![allow(unsafe_code)]

use crate::bounds::RingSizes;
use crate::buffers::Region;
use crate::driver::Errno;
use crate::syscalls;
use io_uring::{IoUring, cqueue, squeue, types};
use std::collections::VecDeque;
use std::os::fd::{AsRawFd, RawFd};
use std::rc::Rc;

/// The one buffer group.
pub(crate) const BUFFER_GROUP: u16 = 0;

const ENTER_GETEVENTS: u32 = 1;
const ENTER_REGISTERED_RING: u32 = 1 << 4;

/// A ring with its registered buffers.
///
/// INVARIANT: an entry that refers to memory (a send) is pushed only by [`crate::Uring`], which keeps that memory until
/// the completion; the ring is drained and closed before its buffers are freed (see `Drop`).
pub(crate) struct Ring {
    ring: IoUring,
    /// Index of the registered ring descriptor, else the descriptor itself.
    enter_fd: u32,
    enter_flags: u32,
    /// Entries that found the submission queue full; they go first.
    backlog: VecDeque<squeue::Entry>,
    pressure: Pressure,
    buffers: Rc<Region>,
}

/// How often a queue of the ring was too small.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pressure {
    /// Entries that found the submission queue full.
    pub submissions: u64,
    /// Turns that found the completion queue full, so that the kernel may keep further completions.
    pub completions: u64,
}

impl Ring {
    /// Makes the ring on this thread, which must be the only one that uses it.
    pub(crate) fn new(sizes: RingSizes) -> std::io::Result<Ring> {
        let ring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_submit_all()
            .setup_cqsize(sizes.completions)
            .build(sizes.submissions)?;
        // A profile may allow the setup and forbid what comes then: better found out before anybody connects.
        ring.submitter().submit()?;
        let buffers = Region::new(sizes.receive_buffers)?;
        // SAFETY: the region is page-aligned, has `receive_buffers` entries, and outlives the ring (see `Drop`).
        unsafe {
            ring.submitter().register_buf_ring_with_flags(
                buffers.ring_address(),
                sizes.receive_buffers,
                BUFFER_GROUP,
                0,
            )?;
        }
        buffers.provide_all();
        let (enter_fd, enter_flags) = match syscalls::register_ring_fd(ring.as_raw_fd()) {
            Ok(index) => (index, ENTER_REGISTERED_RING),
            Err(_) => (ring.as_raw_fd() as u32, 0),
        };
        Ok(Ring {
            ring,
            enter_fd,
            enter_flags,
            backlog: VecDeque::new(),
            pressure: Pressure::default(),
            buffers,
        })
    }

    /// What the kernel offers: `Err` names the first missing operation.
    pub(crate) fn probe(&self) -> Result<(), &'static str> {
        use io_uring::opcode;
        let mut probe = io_uring::Probe::new();
        if self.ring.submitter().register_probe(&mut probe).is_err() {
            return Err("IORING_REGISTER_PROBE");
        }
        for (code, name) in [
            (opcode::Accept::CODE, "IORING_OP_ACCEPT"),
            (opcode::Recv::CODE, "IORING_OP_RECV"),
            (opcode::Send::CODE, "IORING_OP_SEND"),
            (opcode::AsyncCancel::CODE, "IORING_OP_ASYNC_CANCEL"),
            (opcode::PollAdd::CODE, "IORING_OP_POLL_ADD"),
            (opcode::MsgRingData::CODE, "IORING_OP_MSG_RING"),
        ] {
            if !probe.is_supported(code) {
                return Err(name);
            }
        }
        Ok(())
    }

    /// The buffers behind [`BUFFER_GROUP`].
    pub(crate) fn buffers(&self) -> &Rc<Region> {
        &self.buffers
    }

    /// How often a queue was too small.
    pub(crate) fn pressure(&self) -> Pressure {
        self.pressure
    }

    /// The descriptor that other rings post to.
    pub(crate) fn descriptor(&self) -> RawFd {
        self.ring.as_raw_fd()
    }

    /// Queues an entry. Memory that it points to must stay valid until its completion (the type's INVARIANT).
    pub(crate) fn push(&mut self, entry: squeue::Entry) {
        if self.backlog.is_empty() && self.try_push(&entry) {
            return;
        }
        self.pressure.submissions += 1;
        self.backlog.push_back(entry);
        self.submit_backlog();
    }

    fn try_push(&mut self, entry: &squeue::Entry) -> bool {
        // SAFETY: see `push`.
        unsafe { self.ring.submission().push(entry).is_ok() }
    }

    /// Submits what is queued to make room, as often as that helps.
    #[cold]
    fn submit_backlog(&mut self) {
        while let Some(entry) = self.backlog.front().cloned() {
            if self.try_push(&entry) {
                self.backlog.pop_front();
                continue;
            }
            let queued = self.ring.submission().len() as u32;
            match syscalls::ring_enter(self.enter_fd, queued, 0, self.enter_flags, None) {
                Ok(submitted) if submitted > 0 => {}
                // EBUSY or EAGAIN: the completion queue has to be emptied first; the next turn does that.
                _ => return,
            }
        }
    }

    /// Submits everything and waits for a completion: not at all, at most `timeout_ns`, or for ever.
    pub(crate) fn enter(&mut self, wait: EnterWait) -> Result<(), Errno> {
        if !self.backlog.is_empty() {
            self.submit_backlog();
        }
        let queued = self.ring.submission().len() as u32;
        let (complete, timeout) = match wait {
            EnterWait::No => (0, None),
            EnterWait::AtMost(ns) => (1, Some(ns)),
            EnterWait::Forever => (1, None),
        };
        let flags = self.enter_flags | ENTER_GETEVENTS;
        match syscalls::ring_enter(self.enter_fd, queued, complete, flags, timeout) {
            Ok(_) => Ok(()),
            // The time-out passed, a signal came, or completions have to be taken first.
            Err(Errno(libc::ETIME | libc::EINTR | libc::EBUSY | libc::EAGAIN)) => Ok(()),
            Err(errno) => Err(errno),
        }
    }

    /// Takes at most `most` completions.
    pub(crate) fn reap(&mut self, most: usize, mut each: impl FnMut(cqueue::Entry)) -> usize {
        let mut taken = 0;
        let mut queue = self.ring.completion();
        self.pressure.completions += u64::from(queue.is_full());
        while taken < most {
            let Some(entry) = queue.next() else { break };
            each(entry);
            taken += 1;
        }
        taken
    }

    /// Whether completions are there that were not taken.
    pub(crate) fn has_completions(&mut self) -> bool {
        !self.ring.completion().is_empty()
    }
}

/// How long to wait in [`Ring::enter`].
#[derive(Clone, Copy)]
pub(crate) enum EnterWait {
    /// Not at all.
    No,
    /// Nanoseconds.
    AtMost(u64),
    /// Without bound.
    Forever,
}

impl Drop for Ring {
    fn drop(&mut self) {
        // Everything under way is cancelled and waited for, so that the kernel neither reads nor writes our memory when
        // the buffers go. The ring's own drop closes it afterwards; the region goes last, being reference-counted.
        let _ = self.ring.submitter().register_sync_cancel(None, types::CancelBuilder::any());
        let _ = self.ring.submitter().unregister_buf_ring(BUFFER_GROUP);
    }
}
