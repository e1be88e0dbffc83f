//! The one crate in which cores meet: message rings between *endpoints*, and the wake-up of those that sleep.
//!
//! An endpoint is a core, or an ordinary thread (the embedded database's, the control plane's): a *guest*. Each ordered
//! pair has a bounded ring of its own, made at first use, so order within a pair holds and nobody waits for a lock. A
//! request reserves room for its answer: at most [`REQUESTS`] of a pair's requests are under way, a ring has room for
//! these and for as many answers, so an answer always has room and draining never waits. A *post* is not answered; it
//! takes only room that is left over.
//!
//! Beside the rings cores share the [`Board`], which says what was written when.
//!
//! A sleeper publishes *asleep*, fences, looks for messages once more, and only then waits; a sender pushes, fences, and
//! wakes the target only if it swapped its *asleep* away. loom explores that in `loom_tests`.

mod board;
#[cfg(not(loom))]
mod guest;
mod mailbox;
#[cfg(not(loom))]
mod mesh;
#[cfg(not(loom))]
mod places;
mod ring;
mod sync;

pub use board::{Board, SLOTS, Slot};
#[cfg(not(loom))]
pub use guest::{Guest, Waker};
#[cfg(not(loom))]
pub use mesh::{Mesh, Port, Seat};
#[cfg(not(loom))]
pub use places::Places;

/// Requests of an ordered pair that may be under way. Beyond it a request is given back to its sender.
pub const REQUESTS: usize = 1024;

/// Entries that an ordered pair's ring may hold when something is posted to it. Beyond it a post is given back.
pub const POSTS: usize = 2048;

#[cfg(all(loom, test))]
mod loom_tests;
