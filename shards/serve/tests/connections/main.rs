//! Connections on a simulated kernel in which nothing is drawn: every deadline, bound and order, without a kernel and without waiting.

mod bench;

mod admission;
mod back_pressure;
mod deadlines;
mod drain;
mod large_bodies;
mod order;
mod recovery;
mod shards;
