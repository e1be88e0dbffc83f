//! The driver on Linux: one io_uring, driven by the thread that made it.

use crate::bounds::{COMPLETIONS_PER_TURN, RING_RETRY, RingSizes};
use crate::buffers::Lease;
use crate::driver::{
    Completion, Direction, Doorbell, Driver, Errno, Fd, Kind, Mail, Now, Operation, Peers, Token, Wait,
};
use crate::ring::{BUFFER_GROUP, EnterWait, Pressure, Ring};
use crate::syscalls;
use chacha20::ChaCha12Rng;
use chacha20::rand_core::{Rng, SeedableRng};
use io_uring::{cqueue, opcode, squeue, types};
use std::collections::BTreeMap;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;

/// `user_data` of what needs no completion handler: wake-ups, cancellations.
const NO_TOKEN: u64 = 0;
/// `user_data` of the multishot poll on this core's eventfd.
const EVENT: u64 = 1;
/// `user_data` of a wake-up sent to another core, which stands above bit 8; arrives here only when it failed.
const WAKE_FAILED: u64 = 2;
const CORE_SHIFT: u32 = 8;

const GENERATION_BITS: u32 = 28;
const SLOT_BITS: u32 = 32;

/// How long the wall clock's distance from the monotonic clock is believed.
const WALL_CLOCK_NS: u64 = 50_000_000;

fn user_data(token: Token, kind: Kind) -> u64 {
    (kind as u64) << (GENERATION_BITS + SLOT_BITS)
        | (token.generation as u64) << SLOT_BITS
        | token.slot as u64
}

fn token_of(user_data: u64) -> Token {
    Token {
        slot: user_data as u32,
        generation: (user_data >> SLOT_BITS) as u32 & ((1 << GENERATION_BITS) - 1),
    }
}

/// Why a core cannot start.
#[derive(Debug)]
pub struct StartError {
    /// The operating system's reason.
    pub errno: i32,
    /// What failed and what to do about it.
    pub message: String,
}

impl StartError {
    fn new(error: &std::io::Error) -> StartError {
        let errno = error.raw_os_error().unwrap_or(0);
        let message = match errno {
            libc::EPERM | libc::EACCES => "io_uring is forbidden here: allow io_uring_setup, io_uring_enter and \
                io_uring_register in the container's seccomp profile, and set the sysctl kernel.io_uring_disabled to 0"
                .to_owned(),
            libc::ENOSYS => "this kernel has no io_uring: Linux 6.1 or later is needed".to_owned(),
            libc::EINVAL => "this kernel's io_uring is too old: Linux 6.1 or later is needed".to_owned(),
            libc::ENOMEM => "no memory may be locked for another io_uring: raise the limit of locked memory \
                (ulimit -l, LimitMEMLOCK=) or start with fewer --cores"
                .to_owned(),
            _ => format!("io_uring cannot be set up: {error}"),
        };
        StartError { errno, message }
    }
}

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for StartError {}

/// Bytes of a seed for [`Uring::new`].
pub const SEED_BYTES: usize = 32;

/// The io_uring driver. `P` leads to the other cores and threads.
pub struct Uring<P: Peers> {
    ring: Ring,
    peers: P,
    event: Arc<OwnedFd>,
    /// Buffers being sent, by slot: the kernel reads them until the completion.
    sending: Vec<Vec<u8>>,
    /// Buffers being filled, by slot: the kernel writes to them until the completion. Few at a time.
    filling: BTreeMap<u32, Vec<u8>>,
    left_over: bool,
    random: ChaCha12Rng,
    /// The last [`Driver::now`].
    now_ns: u64,
    /// Wall clock minus monotonic clock, and until when that is believed.
    wall_offset_us: u64,
    wall_until_ns: u64,
}

impl<P: Peers> Uring<P> {
    /// Makes the ring. To be called on the thread that will turn it. `seed` is for [`Driver::random`]: who
    /// knows it knows all its numbers.
    pub fn new(peers: P, seed: [u8; SEED_BYTES]) -> Result<Uring<P>, StartError> {
        Uring::with_sizes(peers, seed, RingSizes::default())
    }

    /// As [`Uring::new`], with a ring of other sizes.
    pub fn with_sizes(
        mut peers: P,
        seed: [u8; SEED_BYTES],
        sizes: RingSizes,
    ) -> Result<Uring<P>, StartError> {
        let started = std::time::Instant::now();
        let ring = loop {
            match Ring::new(sizes) {
                Ok(ring) => break ring,
                Err(error)
                    if error.raw_os_error() == Some(libc::ENOMEM) && started.elapsed() < RING_RETRY =>
                {
                    std::thread::sleep(RING_RETRY / 20);
                }
                Err(error) => return Err(StartError::new(&error)),
            }
        };
        if let Err(missing) = ring.probe() {
            return Err(StartError {
                errno: libc::ENOSYS,
                message: format!("this kernel's io_uring lacks {missing}: Linux 6.1 or later is needed"),
            });
        }
        let event = syscalls::eventfd()
            .map_err(|errno| StartError::new(&std::io::Error::from_raw_os_error(errno.0)))?;
        let event = Arc::new(event);
        peers.announce(Doorbell { ring: ring.descriptor(), event: event.clone() });
        let mut uring = Uring {
            ring,
            peers,
            event,
            sending: Vec::new(),
            filling: BTreeMap::new(),
            left_over: false,
            random: ChaCha12Rng::from_seed(seed),
            now_ns: 0,
            wall_offset_us: 0,
            wall_until_ns: 0,
        };
        uring.watch_event();
        Ok(uring)
    }

    /// How often a queue of the ring was too small.
    pub fn pressure(&self) -> Pressure {
        self.ring.pressure()
    }

    /// Multishot: one completion for each write, without reading.
    fn watch_event(&mut self) {
        let poll = opcode::PollAdd::new(types::Fd(self.event.as_raw_fd()), libc::POLLIN as u32).multi(true);
        self.ring.push(poll.build().user_data(EVENT));
    }

    fn ring_doorbells(&mut self) {
        while let Some((core, ring)) = self.peers.next_wake() {
            let entry = opcode::MsgRingData::new(types::Fd(ring), 0, NO_TOKEN, None)
                .build()
                .flags(squeue::Flags::SKIP_SUCCESS)
                .user_data(WAKE_FAILED | (core as u64) << CORE_SHIFT);
            self.ring.push(entry);
        }
    }

    fn send_entry(&mut self, token: Token, fd: Fd, buffer: Vec<u8>, start: usize) -> squeue::Entry {
        let slot = token.slot as usize;
        if self.sending.len() <= slot {
            self.sending.resize_with(slot + 1, Vec::new);
        }
        debug_assert!(self.sending[slot].capacity() == 0, "one send at a time per token");
        self.sending[slot] = buffer;
        let bytes = &self.sending[slot][start..];
        opcode::Send::new(types::Fd(fd.0), bytes.as_ptr(), u32::try_from(bytes.len()).unwrap_or(u32::MAX))
            .flags(libc::MSG_NOSIGNAL)
            .build()
            .user_data(user_data(token, Kind::Send))
    }

    fn fill_entry(&mut self, token: Token, fd: Fd, buffer: Vec<u8>, start: usize) -> squeue::Entry {
        let before = self.filling.insert(token.slot, buffer);
        debug_assert!(before.is_none(), "one fill at a time per token");
        let bytes = self.filling.get_mut(&token.slot).map_or(&mut [][..], |buffer| &mut buffer[start..]);
        opcode::Recv::new(types::Fd(fd.0), bytes.as_mut_ptr(), u32::try_from(bytes.len()).unwrap_or(u32::MAX))
            .build()
            .user_data(user_data(token, Kind::Fill))
    }
}

fn errno_of(entry: &cqueue::Entry) -> Option<Errno> {
    (entry.result() < 0).then(|| Errno(-entry.result()))
}

impl<P: Peers> Driver for Uring<P> {
    type Buffer = Lease;
    type Message = P::Message;

    fn now(&mut self) -> Now {
        let monotonic_ns = syscalls::monotonic_ns();
        self.now_ns = monotonic_ns;
        if monotonic_ns >= self.wall_until_ns {
            self.wall_offset_us = syscalls::unix_us().wrapping_sub(monotonic_ns / 1000);
            self.wall_until_ns = monotonic_ns + WALL_CLOCK_NS;
        }
        Now { monotonic_ns, unix_us: self.wall_offset_us.wrapping_add(monotonic_ns / 1000) }
    }

    fn random(&mut self) -> u64 {
        // A cipher rather than a quick mixer: clients see ids that are made of it, and must not foresee the next ones.
        self.random.next_u64()
    }

    fn choose(&mut self, _count: usize) -> usize {
        0
    }

    fn submit(&mut self, token: Token, operation: Operation) {
        let entry = match operation {
            Operation::Accept { listener } => opcode::AcceptMulti::new(types::Fd(listener.0))
                .flags(libc::SOCK_CLOEXEC)
                .build()
                .user_data(user_data(token, Kind::Accept)),
            Operation::Receive { fd } => opcode::RecvMulti::new(types::Fd(fd.0), BUFFER_GROUP)
                .build()
                .user_data(user_data(token, Kind::Receive)),
            Operation::Fill { fd, buffer, start } => self.fill_entry(token, fd, buffer, start),
            Operation::Send { fd, buffer, start } => self.send_entry(token, fd, buffer, start),
            Operation::Cancel { kind } => opcode::AsyncCancel::new(user_data(token, kind))
                .build()
                .flags(squeue::Flags::SKIP_SUCCESS)
                .user_data(NO_TOKEN),
        };
        self.ring.push(entry);
    }

    fn enter(&mut self, wait: Wait, completions: &mut Vec<Completion<Lease>>) {
        self.ring_doorbells();
        let wait = match wait {
            Wait::No => EnterWait::No,
            // Counted from the turn's `now`: late by the length of the turn, but without another look at the clock.
            Wait::Until(deadline_ns) => EnterWait::AtMost(deadline_ns.saturating_sub(self.now_ns)),
            Wait::Forever => EnterWait::Forever,
        };
        let sleeps = !matches!(wait, EnterWait::No) && !self.left_over;
        let result = if sleeps && self.peers.fall_asleep() {
            let result = self.ring.enter(wait);
            self.peers.wake_up();
            result
        } else {
            self.ring.enter(EnterWait::No)
        };
        if let Err(errno) = result {
            // Nothing that a client or a peer does leads here: the ring itself is broken.
            panic!("io_uring_enter failed: {errno}");
        }
        let Uring { ring, sending, filling, peers, .. } = self;
        let buffers = ring.buffers().clone();
        let mut rewatch = false;
        ring.reap(COMPLETIONS_PER_TURN, |entry| {
            let data = entry.user_data();
            if data >> (GENERATION_BITS + SLOT_BITS) == 0 {
                match data & ((1 << CORE_SHIFT) - 1) {
                    EVENT => rewatch |= !cqueue::more(entry.flags()),
                    WAKE_FAILED if entry.result() < 0 => peers.strike((data >> CORE_SHIFT) as usize),
                    _ => {}
                }
                return;
            }
            let token = token_of(data);
            let more = cqueue::more(entry.flags());
            let error = errno_of(&entry);
            completions.push(match data >> (GENERATION_BITS + SLOT_BITS) {
                kind if kind == Kind::Accept as u64 => {
                    Completion::Accepted { token, result: error.map_or(Ok(Fd(entry.result())), Err), more }
                }
                kind if kind == Kind::Receive as u64 => {
                    let lease = cqueue::buffer_select(entry.flags())
                        .map(|id| Lease::new(&buffers, id, entry.result().max(0) as u32));
                    let result = match error {
                        Some(errno) => Err(errno),
                        None => Ok(lease.filter(|lease| !lease.is_empty())),
                    };
                    Completion::Received { token, result, more }
                }
                kind if kind == Kind::Fill as u64 => Completion::Filled {
                    token,
                    result: error.map_or(Ok(entry.result() as usize), Err),
                    buffer: filling.remove(&token.slot).unwrap_or_default(),
                },
                _ => Completion::Sent {
                    token,
                    result: error.map_or(Ok(entry.result() as usize), Err),
                    buffer: std::mem::take(&mut sending[token.slot as usize]),
                },
            });
        });
        self.left_over = self.ring.has_completions();
        if rewatch {
            self.watch_event();
        }
    }

    fn has_more(&self) -> bool {
        self.left_over
    }

    fn shutdown(&mut self, fd: Fd, direction: Direction) {
        syscalls::shutdown(fd, direction);
    }

    fn reset_on_close(&mut self, fd: Fd) {
        syscalls::reset_on_close(fd);
    }

    fn close(&mut self, fd: Fd) {
        syscalls::close(fd);
    }

    fn peer(&mut self, fd: Fd) -> Option<std::net::SocketAddr> {
        syscalls::peer(fd)
    }

    fn refuse_handshakes(&mut self, listener: Fd) {
        syscalls::refuse_handshakes(listener);
    }

    fn accept_now(&mut self, listener: Fd) -> Option<Fd> {
        syscalls::accept_now(listener)
    }

    fn request(&mut self, target: usize, message: P::Message) -> Result<(), P::Message> {
        self.peers.request(target, message)
    }

    fn post(&mut self, target: usize, message: P::Message) -> Result<(), P::Message> {
        self.peers.post(target, message)
    }

    fn answer(&mut self, target: usize, message: P::Message) {
        self.peers.answer(target, message);
    }

    fn pop(&mut self) -> Option<Mail<P::Message>> {
        self.peers.pop()
    }

    fn has_mail(&self) -> bool {
        self.peers.has_mail()
    }
}
