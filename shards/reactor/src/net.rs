//! Listening sockets: made before any shard starts, so that a taken port is a sentence and not a half-started server.

use crate::bounds::{BACKLOG, KERNEL_UNSENT_BYTES, RING_RETRY};
use crate::driver::Fd;
use socket2::{Domain, Protocol, Socket, Type};
use std::net::SocketAddr;
use std::os::fd::IntoRawFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;

/// A bound socket that no shard has adopted yet.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    address: SocketAddr,
    claim: Option<Arc<UnixDatagram>>,
}

/// How many ports the kernel is asked for before one is found that nobody claims.
const PORTS_TRIED: usize = 16;

impl Listener {
    /// `count` sockets bound to one address, one for each core (SO_REUSEPORT), in core order. None of them listens yet. A
    /// process that has the address is found out first, even one that would share the port or does not listen yet.
    pub fn bind_all(address: SocketAddr, count: usize) -> Result<Vec<Listener>, ListenError> {
        let fail = |error| ListenError { address, error };
        if address.port() != 0 {
            let claim = take(address).map_err(fail)?;
            return bind_claimed(address, count, claim).map_err(fail);
        }
        let mut taken = Vec::new();
        loop {
            let first = bind_shared(address).map_err(fail)?;
            match claim(first.address) {
                Ok(claim) => {
                    let mut all =
                        bind_claimed(first.address, count.saturating_sub(1), claim.clone()).map_err(fail)?;
                    all.insert(0, Listener { claim, ..first });
                    return Ok(all);
                }
                // Kept meanwhile, so that the kernel chooses another one.
                Err(_) if taken.len() < PORTS_TRIED => taken.push(first),
                Err(error) => return Err(fail(error)),
            }
        }
    }

    /// Begins to listen.
    pub fn listen(&self) -> Result<(), ListenError> {
        let fail = |error| ListenError { address: self.address, error };
        self.socket.set_reuse_address(true).map_err(fail)?;
        self.socket.listen(BACKLOG).map_err(fail)
    }

    /// What keeps the address from other processes, until the last copy is dropped: to be kept as long as anybody listens.
    /// `None` if there is nothing of the kind here.
    pub fn claim(&self) -> Option<Arc<UnixDatagram>> {
        self.claim.clone()
    }

    /// For a thread that waits otherwise.
    pub fn into_std(self) -> std::net::TcpListener {
        self.socket.into()
    }

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
            Some(libc::EADDRNOTAVAIL) => {
                write!(f, "{address} is no address of this host: use one that `ip addr` shows, or 0.0.0.0")
            }
            _ => write!(f, "cannot listen on {address}: {error}; choose another address"),
        }
    }
}

impl std::error::Error for ListenError {}

/// [`Listener::bind_all`], listening.
pub fn listen(address: SocketAddr, count: usize) -> Result<Vec<Listener>, ListenError> {
    let listeners = Listener::bind_all(address, count)?;
    listeners.iter().try_for_each(Listener::listen)?;
    Ok(listeners)
}

fn bind_claimed(
    address: SocketAddr,
    count: usize,
    claim: Option<Arc<UnixDatagram>>,
) -> std::io::Result<Vec<Listener>> {
    (0..count).map(|_| Ok(Listener { claim: claim.clone(), ..bind_shared(address)? })).collect()
}

fn bind_shared(address: SocketAddr) -> std::io::Result<Listener> {
    let socket = socket(address)?;
    socket.set_reuse_port(true)?;
    socket.bind(&address.into())?;
    // Until it listens, a probe finds it by this alone.
    socket.set_reuse_address(false)?;
    let bound = socket.local_addr()?.as_socket().unwrap_or(address);
    Ok(Listener { socket, address: bound, claim: None })
}

/// Claims the address and makes sure that nobody has it. Tried again for a while, since the ring of a process that was
/// just killed keeps its listeners a moment longer.
fn take(address: SocketAddr) -> std::io::Result<Option<Arc<UnixDatagram>>> {
    let started = std::time::Instant::now();
    loop {
        match claim(address).and_then(|claim| probe(address).map(|()| claim)) {
            Err(error)
                if error.raw_os_error() == Some(libc::EADDRINUSE) && started.elapsed() < RING_RETRY =>
            {
                std::thread::sleep(RING_RETRY / 50);
            }
            result => return result,
        }
    }
}

/// An address may be claimed once: sockets that share ports do not tell two processes apart that start at the same moment.
/// The claim is an abstract Unix socket, whose names belong to a network namespace as ports do and go with their process.
fn claim(address: SocketAddr) -> std::io::Result<Option<Arc<UnixDatagram>>> {
    let name = std::os::unix::net::SocketAddr::from_abstract_name(format!("ringmill/{address}"))?;
    match UnixDatagram::bind_addr(&name) {
        Ok(claim) => Ok(Some(Arc::new(claim))),
        Err(error) if error.raw_os_error() == Some(libc::EADDRINUSE) => Err(error),
        // Where there are no such sockets, the probe alone has to do.
        Err(_) => Ok(None),
    }
}

/// Fails when anybody has the address, ourselves started twice included: this socket shares its port with nobody.
fn probe(address: SocketAddr) -> std::io::Result<()> {
    let tried = socket(address)?;
    tried.bind(&address.into()).and_then(|()| tried.listen(1))
}

/// A TCP socket with the options that accepted connections inherit.
fn socket(address: SocketAddr) -> std::io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_notsent_lowat(KERNEL_UNSENT_BYTES)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn any() -> SocketAddr {
        ([127, 0, 0, 1], 0).into()
    }

    #[track_caller]
    fn is_in_use(address: SocketAddr) {
        let error = Listener::bind_all(address, 2).expect_err("it is taken");
        assert_eq!(error.error.raw_os_error(), Some(libc::EADDRINUSE), "{error}");
    }

    #[test]
    fn an_address_is_taken_before_anybody_listens() {
        let first = Listener::bind_all(any(), 2).expect("a port is free");
        let address = first[0].address();
        assert_eq!(first[1].address(), address);
        is_in_use(address);
        // A claim knows its own address only; this is found by the sockets.
        is_in_use((std::net::Ipv4Addr::UNSPECIFIED, address.port()).into());
        first.iter().for_each(|listener| listener.listen().expect("to listen"));
        is_in_use(address);
        drop(first);
        listen(address, 2).expect("it is free again");
    }

    #[test]
    fn who_has_claimed_an_address_may_take_his_time_to_bind_it() {
        let address = Listener::bind_all(any(), 1).expect("a port is free")[0].address();
        let claim = claim(address).expect("nobody has it").expect("abstract sockets");
        is_in_use(address);
        drop(claim);
        Listener::bind_all(address, 1).expect("it is free again");
    }
}
