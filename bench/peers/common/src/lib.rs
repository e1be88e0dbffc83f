//! What every peer shares: where it listens, what it answers, and how requests are told apart.
//!
//! A peer is told by its environment, so that the command that measures starts them all alike:
//! `PORT`, `BODY` (default `{"data":"Your data here"}`) and, for those that write their own head,
//! `HEAD_EXTRA`: further fields, each ended by CRLF, that make the answer as long as another server's.

mod answer;
mod heads;

pub use answer::{Answer, body};
pub use heads::{Heads, count_requests};

use std::net::{Ipv4Addr, SocketAddrV4};

/// The peer's address: loopback only, port from `PORT`.
pub fn address() -> SocketAddrV4 {
    let port = std::env::var("PORT").ok().and_then(|port| port.parse().ok());
    let Some(port) = port else {
        eprintln!("PORT must be set to a port number");
        std::process::exit(2);
    };
    SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)
}
