//! One connection of thousands: it blocks no thread, and tells precisely how it ended.

use crate::client::{Response, decode};
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::{TcpSocket, TcpStream};

pub(super) struct Peer {
    stream: Arc<TcpStream>,
    /// Received and not yet taken as an answer.
    pub(super) received: Vec<u8>,
}

/// Sends while its peer receives.
pub(super) struct Sender(Arc<TcpStream>);

/// How a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum End {
    Closed,
    Reset,
}

/// How a connection comes about.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Origin {
    /// Its own address; any that is free.
    pub(super) source: Option<Ipv4Addr>,
    /// How much the kernel keeps in each direction for it, bytes; what the kernel thinks right.
    pub(super) buffers: Option<u32>,
}

impl Peer {
    pub(super) async fn connect(address: SocketAddr) -> io::Result<Peer> {
        Peer::connect_from(address, Origin::default()).await
    }

    pub(super) async fn connect_from(address: SocketAddr, origin: Origin) -> io::Result<Peer> {
        let socket = TcpSocket::new_v4()?;
        if let Some(bytes) = origin.buffers {
            socket.set_recv_buffer_size(bytes)?;
            socket.set_send_buffer_size(bytes)?;
        }
        if let Some(source) = origin.source {
            socket.bind(SocketAddr::from((source, 0)))?;
        }
        let stream = socket.connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Peer { stream: Arc::new(stream), received: Vec::new() })
    }

    pub(super) async fn send(&self, bytes: &[u8]) -> Result<(), End> {
        send(&self.stream, bytes).await
    }

    pub(super) fn sender(&self) -> Sender {
        Sender(self.stream.clone())
    }

    /// Receives at most so many bytes more.
    pub(super) async fn receive(&mut self, bytes_max: usize) -> Result<usize, End> {
        loop {
            self.stream.readable().await.expect("a registered descriptor");
            let before = self.received.len();
            self.received.resize(before + bytes_max, 0);
            let result = self.stream.try_read(&mut self.received[before..]);
            self.received.truncate(before + result.as_ref().map_or(0, |count| *count));
            match result {
                Ok(0) => return Err(End::Closed),
                Ok(count) => return Ok(count),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(end_of(&error)),
            }
        }
    }

    /// Receives what is there already.
    pub(super) fn look(&mut self) {
        let before = self.received.len();
        self.received.resize(before + 64 * 1024, 0);
        let count = self.stream.try_read(&mut self.received[before..]).unwrap_or(0);
        self.received.truncate(before + count);
    }

    /// The next answer; or how the stream ended instead, with what was received of it in `received`.
    pub(super) async fn answer(&mut self) -> Result<Response, End> {
        loop {
            if let Some((response, length)) = decode(&self.received) {
                self.received.drain(..length);
                return Ok(response);
            }
            self.receive(64 * 1024).await?;
        }
    }

    /// Reads and throws away until the stream ends.
    pub(super) async fn end(&mut self) -> End {
        loop {
            self.received.clear();
            if let Err(end) = self.receive(64 * 1024).await {
                return end;
            }
        }
    }

    /// Waits for a reset without reading.
    pub(super) async fn is_reset(&self) {
        loop {
            let ready = self.stream.ready(Interest::ERROR).await.expect("a registered descriptor");
            if ready.is_error() {
                return;
            }
        }
    }

    /// Goes away with a reset, as a client that crashed.
    pub(super) fn vanish(self) {
        // A peer that has gone first leaves nothing to set.
        let _ = rustix::net::sockopt::set_socket_linger(&*self.stream, Some(Duration::ZERO));
    }
}

impl Sender {
    pub(super) async fn send(&self, bytes: &[u8]) -> Result<(), End> {
        send(&self.0, bytes).await
    }
}

async fn send(stream: &TcpStream, mut bytes: &[u8]) -> Result<(), End> {
    while !bytes.is_empty() {
        match stream.try_write(bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                stream.writable().await.expect("a registered descriptor");
            }
            Err(error) => return Err(end_of(&error)),
        }
    }
    Ok(())
}

fn end_of(error: &io::Error) -> End {
    match error.kind() {
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted => End::Reset,
        _ => panic!("no way for a connection to end: {error}"),
    }
}
