//! HTTP connections on the reactor: bytes become requests, a [`Service`] answers each now or later, and answers leave in
//! the order of the requests. Deadlines, back-pressure, draining and the request counters are here; what is served is
//! not.
//!
//! Reading order: [`service`](crate::Service) (the seam to what is served), `connection` (its state), `server` (the
//! reactor's handler), `parse` (bytes to requests), `admission` (requests that wait for room), `bodies`, `answers` (answers back in order), `deadlines`, `draining`, `ending`,
//! `counters`.

mod admission;
mod answers;
mod bodies;
mod bounds;
mod census;
mod connection;
mod counters;
mod deadlines;
mod draining;
mod ending;
mod outbox;
mod parse;
mod refusals;
mod server;
mod service;

pub use admission::{Admission, Lane};
pub use bounds::{
    BODIES_BYTES_MAX, Bounds, DRAIN_IDLE_NS, FILL_BYTES, FILL_BYTES_MAX, HANDSHAKE_GRACE_NS,
    INPUT_BYTES_PAUSE, INPUT_HOST_BYTES_MAX, LINGER_BYTES_MAX, LINGER_NS, OUTPUT_BYTES_MAX,
    OUTPUT_HOST_BYTES_MAX, Observe, READS_BEGUN_MAX, REFUSED_AT_ONCE_MAX, REQUEST_ID_BYTES_MAX,
    SEND_STALL_NS, SHARD_BYTES_MIN, SLOW_READER_NS, STALL_NS, STALLED_BODY_NS,
};
pub use census::Census;
pub use connection::CONNECTION_BYTES;
pub use counters::{BUCKET_BOUNDS_NS, Counters, RouteId, STATUSES, UNMATCHED, status_index};
pub use deadlines::SERVICE_TIMER;
pub use outbox::{Reply, Responder, Ticket};
pub use server::{Core, Server};
pub use service::{Answered, Context, Observation, Outcome, Request, Service, Writer};
