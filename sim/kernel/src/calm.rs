//! A simulated kernel in which nothing is drawn: for tests that say themselves what happens. Everything happens in the turn in
//! which it begins, whole unless a test says otherwise; time passes only when a test has it pass.

use crate::driver::Simulated;
use crate::faults::{Fault, Faults};
use crate::kernel::{Kernel, Pace, Shared, Sizes};
use crate::random::Random;
use crate::sockets::Socket;
use crate::trace::Trace;
use ringmill_reactor::{Errno, Fd, Peers};

/// Everything outside the shards.
#[derive(Clone)]
pub struct World(Shared);

impl World {
    /// A world of `shards` shards with `buffers` receive buffers each.
    pub fn new(shards: usize, buffers: usize) -> World {
        let sizes = Sizes { submissions: usize::MAX, completions: usize::MAX, buffers };
        let kernel =
            Kernel::new(shards, sizes, Random::stream(0, "kernel", 0), Faults::none(), Trace::new(false));
        kernel.borrow_mut().pace = Pace::AtOnce;
        World(kernel)
    }

    /// The driver of a shard, and how it reaches others.
    pub fn driver<P: Peers>(&self, shard: usize, peers: P) -> Simulated<P> {
        Simulated::new(&self.0, shard, peers)
    }

    /// The listening socket of a shard.
    pub fn listener(&self, shard: usize) -> Fd {
        self.0.borrow().listener_fd(shard)
    }

    /// Receives bring at most so many bytes, sends take at most so many.
    pub fn set_short(&self, receive_bytes_max: usize, send_bytes_max: usize) {
        let mut kernel = self.0.borrow_mut();
        kernel.receive_bytes_max = receive_bytes_max;
        kernel.send_bytes_max = send_bytes_max;
    }

    /// Has something go wrong whenever it can, or never.
    pub fn set(&self, fault: Fault, happens: bool) {
        self.0.borrow_mut().faults.set(fault, f64::from(u8::from(happens)));
    }

    /// The next accept of a shard fails.
    pub fn fail_accept(&self, shard: usize, errno: Errno) {
        let mut kernel = self.0.borrow_mut();
        kernel.rings[shard].listener.failure = Some(errno);
        kernel.queue_accept(shard);
    }

    /// Time passes.
    pub fn advance_ns(&self, ns: u64) {
        self.0.borrow_mut().now_ns += ns;
    }

    /// A connection to a shard, with room for `window` unread bytes. Its handshake began before the shard refused further ones.
    pub fn connect(&self, shard: usize, window: usize) -> Peer {
        let mut kernel = self.0.borrow_mut();
        let fd = kernel.begin_handshake(shard, 0, window);
        kernel.end_handshake(fd);
        drop(kernel);
        Peer { kernel: self.0.clone(), fd }
    }

    /// Whether nothing happened to the shard in its last turn.
    pub fn is_idle(&self, shard: usize) -> bool {
        self.0.borrow().rings[shard].reaped == 0
    }

    /// Receive buffers that are free.
    pub fn buffers_free(&self, shard: usize) -> usize {
        self.0.borrow().buffers_free(shard)
    }

    /// Sends that a shard has submitted.
    pub fn sends(&self, shard: usize) -> u64 {
        self.0.borrow().rings[shard].sends
    }

    /// Receives that a shard has cancelled.
    pub fn receives_cancelled(&self, shard: usize) -> u64 {
        self.0.borrow().rings[shard].receives_cancelled
    }

    /// Descriptors that are open on the shards' side.
    pub fn descriptors_open(&self) -> usize {
        self.0.borrow().descriptors()
    }

    /// What was asked of the driver that may not be asked.
    pub fn broken(&self) -> Vec<String> {
        self.0.borrow().broken.clone()
    }
}

/// The other end of a connection.
pub struct Peer {
    kernel: Shared,
    fd: i32,
}

impl Peer {
    fn with<R>(&self, act: impl FnOnce(&mut Socket) -> R) -> R {
        act(self.kernel.borrow_mut().sockets.get_mut(&self.fd).expect("a peer's socket stays known"))
    }

    /// Writes bytes.
    pub fn write(&self, bytes: &[u8]) {
        self.with(|socket| socket.travelling.extend(bytes));
        self.kernel.borrow_mut().client_acted(self.fd);
    }

    /// Reads what is there.
    pub fn read(&self) -> Vec<u8> {
        let bytes = self.with(|socket| std::mem::take(&mut socket.outbound));
        self.kernel.borrow_mut().client_read(self.fd);
        bytes.into()
    }

    /// Writes no more.
    pub fn end(&self) {
        self.with(|socket| socket.client_ended = true);
        self.kernel.borrow_mut().client_acted(self.fd);
    }

    /// Resets the connection.
    pub fn reset(&self) {
        self.kernel.borrow_mut().reset(self.fd);
    }

    /// Whether the shard has ended its side.
    pub fn is_ended(&self) -> bool {
        self.with(|socket| socket.is_shut || socket.is_closed)
    }

    /// Whether the shard has closed its descriptor.
    pub fn is_closed(&self) -> bool {
        self.with(|socket| socket.is_closed)
    }

    /// Whether the shard's close has reset the connection.
    pub fn is_reset(&self) -> bool {
        self.with(|socket| socket.is_closed && socket.is_reset)
    }

    /// Bytes that wait to be received by the shard.
    pub fn unreceived(&self) -> usize {
        self.with(|socket| socket.travelling.len() + socket.inbound.len())
    }
}
