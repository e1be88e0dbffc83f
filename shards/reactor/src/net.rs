//! Listening sockets: made before any shard starts, so that a taken port is a sentence and not a half-started server.

use crate::bounds::{BACKLOG, RING_RETRY};
use crate::driver::Fd;
use socket2::{Domain, Protocol, Socket, Type};
use std::net::SocketAddr;
use std::os::fd::IntoRawFd;

/// A listening socket that no shard has adopted yet.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    address: SocketAddr,
}

impl Listener {
    /// Where it listens (the port that was chosen, if 0 was asked for).
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The descriptor; whoever takes it closes it.
    pub fn into_fd(self) -> Fd {
        Fd(self.socket.into_raw_fd())
    }
}

/// Why an address cannot be listened on.
#[derive(Debug)]
pub struct ListenError {
    /// The address.
    pub address: SocketAddr,
    /// The system's reason.
    pub error: std::io::Error,
}

impl std::fmt::Display for ListenError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ListenError { address, error } = self;
        match error.raw_os_error() {
            Some(libc::EADDRINUSE) => {
                write!(f, "{address} is in use by another process: stop that one or choose another address")
            }
            Some(libc::EACCES) => {
                write!(
                    f,
                    "{address} needs a privilege: choose a port from 1024 on or grant CAP_NET_BIND_SERVICE"
                )
            }
            Some(libc::EADDRNOTAVAIL) => write!(f, "{address} is no address of this host"),
            _ => write!(f, "cannot listen on {address}: {error}"),
        }
    }
}

impl std::error::Error for ListenError {}

/// `count` listeners on one address, one for each core (SO_REUSEPORT), in core order. A process that already listens
/// there is found out first, even one that would share the port.
pub fn listen(address: SocketAddr, count: usize) -> Result<Vec<Listener>, ListenError> {
    let fail = |error| ListenError { address, error };
    let mut listeners: Vec<Listener> = Vec::with_capacity(count);
    if address.port() != 0 {
        probe(address).map_err(fail)?;
    }
    for _ in 0..count {
        let at = listeners.first().map_or(address, Listener::address);
        let socket = socket(at).map_err(fail)?;
        socket.set_reuse_port(true).map_err(fail)?;
        socket.bind(&at.into()).map_err(fail)?;
        socket.listen(BACKLOG).map_err(fail)?;
        let bound = socket.local_addr().map_err(fail)?.as_socket().unwrap_or(at);
        listeners.push(Listener { socket, address: bound });
    }
    Ok(listeners)
}

/// Fails when anybody listens on the address, ourselves started twice included: this socket shares its port with nobody.
/// Tried again for a while, since the ring of a process that was just killed keeps its listeners a moment longer.
fn probe(address: SocketAddr) -> std::io::Result<()> {
    let started = std::time::Instant::now();
    loop {
        let tried = socket(address)?;
        match tried.bind(&address.into()).and_then(|()| tried.listen(1)) {
            Err(error)
                if error.raw_os_error() == Some(libc::EADDRINUSE) && started.elapsed() < RING_RETRY =>
            {
                std::thread::sleep(RING_RETRY / 50);
            }
            result => return result,
        }
    }
}

/// A TCP socket with the options that accepted connections inherit.
fn socket(address: SocketAddr) -> std::io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_tcp_nodelay(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    Ok(socket)
}
