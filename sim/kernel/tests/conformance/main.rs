//! Small scenarios, each played on the simulated kernel, under many seeds, and on Linux: so that the simulation believes nothing
//! that Linux does not do, and leaves out nothing that was seen of it.
//!
//! A scenario says in a line what came of it. The lines that may come stand beside it: those that both kernels have to show, and
//! those that only the simulation has to, with the reason why Linux shows them too seldom to wait for.

mod accepting;
mod ending;
mod filling;
mod linux;
mod receiving;
mod sending;
mod simulated;
mod stage;
mod waiting;
