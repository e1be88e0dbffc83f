//! End to end: the real binary, real sockets, and what its users see. `docs/CONTRACT.md` is what is tested.

mod client;
mod pipes;
mod server;

mod admin;
mod blame;
mod bodies;
mod checking;
mod commands;
mod crud;
mod differing;
mod documents;
mod durability;
mod examples;
mod fixed_routes;
mod keys;
mod lifecycle;
mod logging;
mod migrating;
mod model;
mod numbers;
mod pipelining;
mod posts;
mod readme;
mod refusals;
mod returning;
mod routing;
mod seeding;
mod splits;
mod starting;
mod store;
mod syncs;
mod together;
mod values;
mod vanishing;
mod wire;
