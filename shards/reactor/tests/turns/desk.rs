//! A reactor on a simulated kernel in which nothing is drawn, and a handler that notes what it is told.

use ringmill_reactor::{End, Errno, Fd, Handler, ListenerId, Mail, Now, Reactor, SocketId};
use ringmill_sim_kernel::alone::Alone;
use ringmill_sim_kernel::calm::{Peer, World};
use ringmill_sim_kernel::driver::Simulated;
use ringmill_sim_kernel::lease::Lease;

pub(crate) type Driver = Simulated<Alone>;

/// What a handler was told of the socket with this number.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Received(u64, Vec<u8>),
    Filled(u64, Vec<u8>, usize),
    Ended(u64, End),
    Sent(u64),
    Timer(u64),
    AcceptFailed(Errno),
}

#[derive(Default)]
pub(crate) struct Notes {
    pub(crate) sockets: Vec<SocketId>,
    pub(crate) told: Vec<Told>,
    /// Received buffers are kept.
    pub(crate) holds: bool,
    pub(crate) held: Vec<Lease>,
}

impl Handler<Driver> for Notes {
    fn accepted(&mut self, reactor: &mut Reactor<Driver>, _: ListenerId, fd: Fd) {
        let user = self.sockets.len() as u64;
        self.sockets.push(reactor.open(fd, user));
    }
    fn received(&mut self, _: &mut Reactor<Driver>, _: SocketId, user: u64, bytes: Lease) {
        self.told.push(Told::Received(user, bytes.to_vec()));
        if self.holds {
            self.held.push(bytes);
        }
    }
    fn filled(&mut self, _: &mut Reactor<Driver>, _: SocketId, user: u64, buffer: Vec<u8>, start: usize) {
        self.told.push(Told::Filled(user, buffer, start));
    }
    fn ended(&mut self, _: &mut Reactor<Driver>, _: SocketId, user: u64, end: End) {
        self.told.push(Told::Ended(user, end));
    }
    fn sent(&mut self, _: &mut Reactor<Driver>, _: SocketId, user: u64) {
        self.told.push(Told::Sent(user));
    }
    fn timer(&mut self, _: &mut Reactor<Driver>, payload: u64) {
        self.told.push(Told::Timer(payload));
    }
    fn message(&mut self, _: &mut Reactor<Driver>, _: Mail<()>) {}
    fn tasks_ran(&mut self, _: &mut Reactor<Driver>, _: usize) {}
    fn turned(&mut self, _: &mut Reactor<Driver>, _: Now) {}
    fn accept_failed(&mut self, _: &mut Reactor<Driver>, _: ListenerId, errno: Errno) {
        self.told.push(Told::AcceptFailed(errno));
    }
}

pub(crate) struct Desk {
    pub(crate) world: World,
    pub(crate) reactor: Reactor<Driver>,
    pub(crate) notes: Notes,
}

impl Desk {
    pub(crate) fn new(buffers: usize) -> Desk {
        let world = World::new(1, buffers);
        let mut reactor = Reactor::new(world.driver(0, Alone::default()));
        reactor.add_listener(world.listener(0));
        Desk { world, reactor, notes: Notes::default() }
    }

    pub(crate) fn turn(&mut self) {
        self.reactor.turn(&mut self.notes);
    }

    pub(crate) fn turns(&mut self, count: usize) {
        (0..count).for_each(|_| self.turn());
    }

    /// A connection with room for so many bytes.
    pub(crate) fn connect(&mut self, window: usize) -> (Peer, SocketId) {
        let peer = self.world.connect(0, window);
        self.turns(2);
        (peer, *self.notes.sockets.last().expect("it is accepted"))
    }

    pub(crate) fn write(&mut self, id: SocketId, bytes: &[u8]) {
        let mut output = self.reactor.take_output(id);
        output.extend_from_slice(bytes);
        self.reactor.put_output(id, output);
    }

    /// What was told since this was last asked.
    pub(crate) fn told(&mut self) -> Vec<Told> {
        std::mem::take(&mut self.notes.told)
    }

    /// All that came of the socket, put together.
    pub(crate) fn bytes(&mut self) -> Vec<u8> {
        let bytes = self.told().into_iter().flat_map(|told| match told {
            Told::Received(_, bytes) => bytes,
            Told::Filled(_, buffer, start) => buffer[start..].to_vec(),
            other => panic!("{other:?}"),
        });
        bytes.collect()
    }

    /// Nothing was asked that the driver's contract forbids.
    pub(crate) fn assert_kept(&self) {
        assert_eq!(self.world.broken(), [""; 0]);
    }
}
