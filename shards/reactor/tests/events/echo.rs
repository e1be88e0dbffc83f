//! One core on its own thread that sends back what it receives.

use ringmill_reactor::bounds::RingSizes;
use ringmill_reactor::{
    Driver, End, Errno, Fd, Handler, ListenerId, Mail, Now, Pressure, Reactor, SEED_BYTES, SocketId,
    Troubles, Uring, listen,
};
use ringmill_sim_kernel::alone::Alone;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

type Core = Reactor<Uring<Alone>>;

const FILL_BYTES: usize = 20_000;

/// Output beyond which a connection is paused.
const UNSENT_MAX: usize = 1 << 20;

/// Sends back what it receives.
#[derive(Default)]
pub(crate) struct Echo {
    /// Zeros are thrown away instead.
    is_sink: bool,
    /// From the first byte on, a connection is received into buffers of its own.
    fills: bool,
    filled: u64,
    accepted: u64,
    accept_failures: u64,
    ended: Vec<SocketId>,
}

impl Echo {
    pub(crate) fn sink() -> Echo {
        Echo { is_sink: true, ..Echo::default() }
    }

    pub(crate) fn filling() -> Echo {
        Echo { fills: true, ..Echo::default() }
    }

    fn send(&mut self, reactor: &mut Core, socket: SocketId, bytes: &[u8]) {
        if self.is_sink && bytes[0] == 0 {
            return;
        }
        let mut out = reactor.take_output(socket);
        out.extend_from_slice(bytes);
        reactor.put_output(socket, out);
        if reactor.unsent(socket) > UNSENT_MAX && reactor.notify_when_sent(socket) {
            reactor.pause(socket);
        }
    }
}

impl Handler<Uring<Alone>> for Echo {
    fn accepted(&mut self, reactor: &mut Core, _: ListenerId, fd: Fd) {
        self.accepted += 1;
        reactor.open(fd, 0);
    }

    fn received(
        &mut self,
        reactor: &mut Core,
        socket: SocketId,
        _: u64,
        bytes: <Uring<Alone> as Driver>::Buffer,
    ) {
        if self.fills {
            // What overtook the buffer goes in front of it.
            drop(reactor.take_back(socket));
            self.send(reactor, socket, &bytes);
            reactor.receive_into(socket, vec![0; FILL_BYTES], 0);
        } else {
            self.send(reactor, socket, &bytes);
        }
    }

    fn filled(&mut self, reactor: &mut Core, socket: SocketId, _: u64, buffer: Vec<u8>, start: usize) {
        self.filled += 1;
        self.send(reactor, socket, &buffer[start..]);
        // Turn and turn about with the core's own buffers.
        if self.filled.is_multiple_of(3) {
            reactor.resume(socket);
        } else {
            reactor.receive_into(socket, vec![7; FILL_BYTES + 5], 5);
        }
    }

    fn ended(&mut self, reactor: &mut Core, socket: SocketId, _: u64, end: End) {
        if end == End::Closed && reactor.notify_when_sent(socket) {
            self.ended.push(socket);
        } else {
            reactor.close(socket);
        }
    }

    fn sent(&mut self, reactor: &mut Core, socket: SocketId, _: u64) {
        if self.ended.contains(&socket) {
            reactor.close(socket);
        } else {
            reactor.resume(socket);
        }
    }

    fn timer(&mut self, _: &mut Core, _: u64) {}
    fn message(&mut self, _: &mut Core, _: Mail<()>) {}
    fn tasks_ran(&mut self, _: &mut Core, _: usize) {}

    fn turned(&mut self, _: &mut Core, _: Now) {}

    fn accept_failed(&mut self, _: &mut Core, _: ListenerId, errno: Errno) {
        assert_eq!(errno, Errno(libc::EMFILE));
        self.accept_failures += 1;
    }
}

/// What was left when a core had ended.
#[derive(Debug)]
pub(crate) struct Left {
    pub(crate) pressure: Pressure,
    pub(crate) troubles: Troubles,
    pub(crate) sockets: usize,
    pub(crate) unsent: usize,
    pub(crate) accepted: u64,
    pub(crate) accept_failures: u64,
    pub(crate) fills: u64,
}

/// A core on its thread.
pub(crate) struct Loop {
    pub(crate) address: SocketAddr,
    is_stopped: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<Left>,
}

impl Loop {
    pub(crate) fn start(sizes: RingSizes, echo: impl FnOnce() -> Echo + Send + 'static) -> Loop {
        let listener = listen(([127, 0, 0, 1], 0).into(), 1).expect("a port is free").remove(0);
        let address = listener.address();
        let is_stopped = Arc::new(AtomicBool::new(false));
        let stopped = is_stopped.clone();
        let thread = std::thread::spawn(move || {
            let mut echo = echo();
            let driver = Uring::with_sizes(Alone::default(), [1; SEED_BYTES], sizes)
                .expect("io_uring works on this host");
            let mut reactor = Reactor::new(driver);
            let listener = reactor.add_listener(listener.into_fd());
            while !stopped.load(Ordering::Relaxed) {
                // A turn at least so often, to see the flag.
                let now_ns = reactor.now().monotonic_ns;
                let timer = reactor.set_timer(now_ns + 20_000_000, 0);
                reactor.turn(&mut echo);
                reactor.cancel_timer(timer);
            }
            for fd in reactor.close_listener(listener) {
                reactor.refuse(fd);
            }
            let deadline = std::time::Instant::now() + Duration::from_secs(10);
            while (reactor.sockets_count() > 0 || reactor.is_listening())
                && std::time::Instant::now() < deadline
            {
                let now_ns = reactor.now().monotonic_ns;
                let timer = reactor.set_timer(now_ns + 20_000_000, 0);
                reactor.turn(&mut echo);
                reactor.cancel_timer(timer);
            }
            Left {
                pressure: reactor.driver().pressure(),
                troubles: reactor.troubles(),
                sockets: reactor.sockets_count(),
                unsent: reactor.unsent_total(),
                accepted: echo.accepted,
                accept_failures: echo.accept_failures,
                fills: echo.filled,
            }
        });
        Loop { address, is_stopped, thread }
    }

    /// Ends the core once its clients have gone.
    pub(crate) fn stop(self) -> Left {
        self.is_stopped.store(true, Ordering::Relaxed);
        self.thread.join().expect("the core does not panic")
    }
}

pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("it accepts");
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// Sends bytes and reads as many back.
pub(crate) fn exchange(stream: &mut TcpStream, bytes: &[u8]) -> Vec<u8> {
    let mut writer = stream.try_clone().unwrap();
    std::thread::scope(|scope| {
        // Both at once, since the echo of much needs a reader.
        if bytes.len() > 10_000 {
            scope.spawn(move || writer.write_all(bytes).expect("it receives"));
        } else {
            writer.write_all(bytes).expect("it receives");
        }
        let mut got = vec![0; bytes.len()];
        stream.read_exact(&mut got).expect("it sends everything back");
        got
    })
}
