//! Linux as a stage.

use crate::stage::{Outside, Over, Stage};
use ringmill_reactor::bounds::RingSizes;
use ringmill_reactor::{Completion, Doorbell, Driver, Fd, Lease, Listener, SEED_BYTES, Uring, Wait};
use ringmill_sim_kernel::alone::Alone;
use socket2::{Domain, SockRef, Socket, Type};
use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

/// Receive buffers of a stage.
pub(crate) const BUFFERS: usize = 8;
/// Room of a peer that has little, bytes; the kernel doubles it.
const LITTLE_ROOM: usize = 4096;

/// One ring at a time: their memory is charged to the user.
static TURN: Mutex<()> = Mutex::new(());

struct Peer {
    /// `None`: it was reset.
    stream: Option<TcpStream>,
    outgoing: VecDeque<u8>,
    has_ended: bool,
}

pub(crate) struct Linux {
    listener: Fd,
    address: SocketAddr,
    bell: Arc<OnceLock<Doorbell>>,
    peers: Vec<Peer>,
}

impl Linux {
    pub(crate) fn play(scenario: fn(&mut Stage<Linux>) -> String) -> String {
        let _one = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let alone = Alone::default();
        let sizes = RingSizes { submissions: 16, completions: 512, receive_buffers: BUFFERS as u16 };
        let driver = Uring::with_sizes(alone.clone(), [1; SEED_BYTES], sizes).expect("a ring");
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener = Listener::bind_all(address, 1).expect("a port").pop().expect("one listener");
        listener.listen().expect("it listens");
        let (address, listener) = (listener.address(), listener.into_fd());
        let mut stage = Stage::new(driver, Linux { listener, address, bell: alone.bell, peers: Vec::new() });
        scenario(&mut stage)
    }

    fn flush(&mut self) {
        for peer in &mut self.peers {
            let Some(stream) = &mut peer.stream else { continue };
            while !peer.outgoing.is_empty() {
                match stream.write(peer.outgoing.as_slices().0) {
                    Ok(count) => drop(peer.outgoing.drain(..count)),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(_) => peer.outgoing.clear(),
                }
            }
            if peer.has_ended && peer.outgoing.is_empty() {
                peer.has_ended = false;
                stream.shutdown(Shutdown::Write).ok();
            }
        }
    }
}

impl Outside for Linux {
    type Driver = Uring<Alone>;

    fn enter(&mut self, driver: &mut Self::Driver, wait: Wait, completions: &mut Vec<Completion<Lease>>) {
        self.flush();
        driver.enter(wait, completions);
    }

    fn quiet_ns(&self) -> u64 {
        5_000_000
    }

    fn listener(&self) -> Fd {
        self.listener
    }

    fn connect(&mut self, has_room: bool) -> bool {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        if !has_room {
            socket.set_recv_buffer_size(LITTLE_ROOM).expect("a small buffer");
        }
        if socket.connect_timeout(&self.address.into(), Duration::from_millis(50)).is_err() {
            return false;
        }
        socket.set_nonblocking(true).expect("no waiting");
        socket.set_tcp_nodelay(true).expect("no waiting");
        self.peers.push(Peer { stream: Some(socket.into()), outgoing: VecDeque::new(), has_ended: false });
        true
    }

    fn write(&mut self, peer: usize, bytes: &[u8]) {
        self.peers[peer].outgoing.extend(bytes);
        self.flush();
    }

    fn read(&mut self, peer: usize, bytes: &mut Vec<u8>) -> Option<Over> {
        let stream = self.peers[peer].stream.as_mut().expect("it was not reset here");
        let mut buffer = vec![0; 65_536];
        loop {
            match stream.read(&mut buffer) {
                Ok(0) => return Some(Over::Ended),
                Ok(count) => bytes.extend(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return Some(Over::Reset),
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn end(&mut self, peer: usize) {
        self.peers[peer].has_ended = true;
        self.flush();
    }

    fn reset(&mut self, peer: usize) {
        self.flush();
        if let Some(stream) = self.peers[peer].stream.take() {
            SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("a reset");
        }
    }

    fn strike_soon(&mut self) {
        let bell = self.bell.get().expect("it was announced").clone();
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(5));
            bell.strike();
        });
    }
}
