//! The simulated kernel as a stage.

use crate::stage::{Outside, Over, Stage};
use ringmill_reactor::{Completion, Doorbell, Driver, Fd, Wait};
use ringmill_sim_kernel::alone::Alone;
use ringmill_sim_kernel::driver::Simulated;
use ringmill_sim_kernel::faults::{Fault, Faults};
use ringmill_sim_kernel::kernel::{Event, Kernel, Shared, Sizes};
use ringmill_sim_kernel::lease::Lease;
use ringmill_sim_kernel::random::Random;
use ringmill_sim_kernel::trace::Trace;
use std::sync::{Arc, OnceLock};

/// Room of a peer that has little.
const LITTLE_ROOM: usize = 4096;

/// What may go wrong here: what Linux does of its own accord.
const FAULTS: &[Fault] = &[
    Fault::ShortReceive,
    Fault::ShortSend,
    Fault::LateCompletion,
    Fault::AcceptEnds,
    Fault::ReceiveEnds,
    Fault::CancelLate,
    Fault::ResetUntold,
    Fault::SubmissionsFull,
    Fault::CompletionsFull,
    Fault::LeftOver,
    Fault::LateTimer,
    Fault::WakesForNothing,
];

pub(crate) struct Simulation {
    kernel: Shared,
    bell: Arc<OnceLock<Doorbell>>,
    peers: Vec<i32>,
}

impl Simulation {
    pub(crate) fn play(seed: u64, is_calm: bool, scenario: fn(&mut Stage<Simulation>) -> String) -> String {
        let mut faults = Faults::none();
        if !is_calm {
            FAULTS.iter().for_each(|fault| faults.set(*fault, 0.3));
        }
        let sizes = Sizes { submissions: 16, completions: 512, buffers: crate::linux::BUFFERS };
        let kernel = Kernel::new(1, sizes, Random::stream(seed, "kernel", 0), faults, Trace::new(false));
        let alone = Alone::default();
        let driver = Simulated::new(&kernel, 0, alone.clone());
        let mut stage =
            Stage::new(driver, Simulation { kernel: kernel.clone(), bell: alone.bell, peers: Vec::new() });
        let line = scenario(&mut stage);
        let broken = kernel.borrow().broken.clone();
        assert!(broken.is_empty(), "seed {seed}: {broken:?}");
        drop(stage);
        let left = kernel.borrow_mut().take_all();
        drop(left);
        line
    }
}

impl Outside for Simulation {
    type Driver = Simulated<Alone>;

    fn enter(&mut self, driver: &mut Self::Driver, wait: Wait, completions: &mut Vec<Completion<Lease>>) {
        driver.go_in();
        driver.wait(wait);
        loop {
            let event = self.kernel.borrow_mut().next_event();
            match event {
                Some(Event::Turn(shard, turn)) => {
                    if self.kernel.borrow_mut().come_out(shard, turn).is_some() {
                        break;
                    }
                }
                Some(Event::Ring(shard)) => self.kernel.borrow_mut().wake(shard),
                Some(Event::Control) => {
                    self.bell.get().expect("it was announced").strike();
                    self.kernel.borrow_mut().look_at_bells();
                }
                Some(event) => self.kernel.borrow_mut().act(event, &self.kernel),
                None => panic!("it waits for ever"),
            }
        }
        driver.enter(Wait::No, completions);
    }

    fn quiet_ns(&self) -> u64 {
        200_000_000
    }

    fn listener(&self) -> Fd {
        self.kernel.borrow().listener_fd(0)
    }

    fn connect(&mut self, has_room: bool) -> bool {
        let window = if has_room { 1 << 20 } else { LITTLE_ROOM };
        let fd = self.kernel.borrow_mut().connect(0, 0, window);
        self.peers.extend(fd);
        fd.is_some()
    }

    fn write(&mut self, peer: usize, bytes: &[u8]) {
        let mut kernel = self.kernel.borrow_mut();
        let fd = self.peers[peer];
        kernel.sockets.get_mut(&fd).expect("a connection").travelling.extend(bytes);
        kernel.client_acted(fd);
    }

    fn read(&mut self, peer: usize, bytes: &mut Vec<u8>) -> Option<Over> {
        let mut kernel = self.kernel.borrow_mut();
        let fd = self.peers[peer];
        let socket = kernel.sockets.get_mut(&fd).expect("a connection");
        bytes.extend(std::mem::take(&mut socket.outbound));
        let over = match (socket.is_reset, socket.is_shut) {
            (true, _) => Some(Over::Reset),
            (false, true) => Some(Over::Ended),
            (false, false) => None,
        };
        kernel.client_read(fd);
        over
    }

    fn end(&mut self, peer: usize) {
        let mut kernel = self.kernel.borrow_mut();
        let fd = self.peers[peer];
        kernel.sockets.get_mut(&fd).expect("a connection").client_ended = true;
        kernel.client_acted(fd);
    }

    fn reset(&mut self, peer: usize) {
        self.kernel.borrow_mut().reset(self.peers[peer]);
    }

    fn strike_soon(&mut self) {
        self.kernel.borrow_mut().after(20_000_000, Event::Control);
    }
}
