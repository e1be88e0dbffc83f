//! What the reactor does turn by turn, on a simulated kernel in which nothing is drawn.

mod closing;
mod desk;
mod receiving;
mod sending;
mod waiting;
