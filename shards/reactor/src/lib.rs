//! One core's reactor: a ring, sockets, timers and local tasks, turned by one thread. It knows no protocol; whoever sits
//! on it implements [`Handler`].
//!
//! All that a shard learns from outside comes through [`Driver`]: operations and their completions, both clocks,
//! randomness, and what other cores and threads send. [`Uring`] is the driver on Linux; another one can take its place
//! without a change above it, several shards on one thread included. Hence nothing in here is a static or thread-local,
//! nothing asks for the time, and wakers only push onto the queue of the shard that made them.
//!
//! Reading order: [`bounds`], the seam in `driver`, then `turn` (the loop), `sockets`, `timers`, `tasks`; last the real
//! driver: `uring`, `ring`, `buffers`, `syscalls`. A second driver, on a simulated kernel, is the crate `ringmill-sim-kernel`.

pub mod bounds;
mod buffers;
mod driver;
mod net;
mod pin;
mod ring;
mod sockets;
mod syscalls;
mod tasks;
mod timers;
mod turn;
mod uring;
mod watched;

pub use buffers::Lease;
pub use driver::{
    Completion, Direction, Doorbell, Driver, Errno, Fd, Kind, Mail, Now, Operation, Peers, Strike, Token,
    Wait,
};
pub use net::{ListenError, Listener, listen};
pub use pin::{available_cpus, pin_to};
pub use ring::Pressure;
pub use sockets::{End, SocketId, Troubles};
pub use syscalls::{give_memory_back, ignore_file_size_signal};
pub use tasks::{Tasks, Waiter, Waiters};
pub use timers::{TimerId, Timers};
pub use turn::{Handler, ListenerId, Reactor, Turns};
pub use uring::{SEED_BYTES, StartError, Uring};
pub use watched::{Call, Watched};
