//! A shard's driver on the simulated kernel. Messages go through the peers that it is given, as with the real driver: in
//! runs of the whole server the product's own mesh.

use crate::faults::Fault;
use crate::kernel::{Event, Pace, START_UNIX_US, Shared};
use crate::lease::Lease;
use ringmill_reactor::bounds::COMPLETIONS_PER_TURN;
use ringmill_reactor::{
    Completion, Direction, Doorbell, Driver, Fd, Mail, Now, Operation, Peers, Token, Wait,
};
use std::net::SocketAddr;

/// How often ringing another core's bell fails. No fault of its own: cores write to each other seldom so far.
const BELL_FAILS: f64 = 0.3;

pub struct Simulated<P> {
    kernel: Shared,
    shard: usize,
    port: P,
    left_over: bool,
    /// As the simulated kernel numbers them: a ring's descriptor is its shard.
    is_asleep: bool,
}

impl<P: Peers> Simulated<P> {
    pub fn new(kernel: &Shared, shard: usize, mut port: P) -> Simulated<P> {
        let bell = kernel.borrow().bells[shard].clone();
        port.announce(Doorbell { ring: shard as i32, event: bell });
        Simulated { kernel: kernel.clone(), shard, port, left_over: false, is_asleep: false }
    }

    /// The first half of entering: others are woken, what was queued starts.
    pub fn go_in(&mut self) {
        while let Some((core, ring)) = self.port.next_wake() {
            let mut kernel = self.kernel.borrow_mut();
            if kernel.random.is(BELL_FAILS) {
                drop(kernel);
                self.port.strike(core);
            } else {
                let delay = kernel.pause(200, 20_000);
                kernel.after(delay, Event::Ring(ring as usize));
            }
        }
        let mut kernel = self.kernel.borrow_mut();
        kernel.start_all(self.shard);
        kernel.look_at_bells();
    }

    /// The second half: the shard waits, if it may, and comes out again with an [`Event::Turn`].
    pub fn wait(&mut self, wait: Wait) {
        let has_completions = self.kernel.borrow().has_completions(self.shard);
        self.is_asleep = wait != Wait::No && !has_completions && !self.left_over && self.port.fall_asleep();
        self.kernel.borrow_mut().wait(self.shard, self.is_asleep.then_some(wait));
    }
}

impl<P: Peers> Driver for Simulated<P> {
    type Buffer = Lease;
    type Message = P::Message;

    fn now(&mut self) -> Now {
        let mut kernel = self.kernel.borrow_mut();
        let now_ns = kernel.now_ns;
        let ring = &mut kernel.rings[self.shard];
        // The first look of a turn is at its start, the others are at its end.
        let monotonic_ns = match std::mem::replace(&mut ring.asked_start, true) {
            false => now_ns,
            true => now_ns.max(ring.turn_end_ns),
        };
        Now { monotonic_ns, unix_us: START_UNIX_US + monotonic_ns / 1000 }
    }

    fn random(&mut self) -> u64 {
        self.kernel.borrow_mut().random.number()
    }

    fn choose(&mut self, count: usize) -> usize {
        let mut kernel = self.kernel.borrow_mut();
        if count > 1 && kernel.happens(Fault::TaskOvertakes) { kernel.random.index(count) } else { 0 }
    }

    fn submit(&mut self, token: Token, operation: Operation) {
        self.kernel.borrow_mut().submit(self.shard, token, operation);
    }

    fn enter(&mut self, _wait: Wait, completions: &mut Vec<Completion<Lease>>) {
        if std::mem::take(&mut self.is_asleep) {
            self.port.wake_up();
        }
        self.go_in();
        let mut kernel = self.kernel.borrow_mut();
        if kernel.pace == Pace::AtOnce {
            kernel.catch_up(&self.kernel);
        }
        kernel.rings[self.shard].asked_start = false;
        self.left_over = kernel.reap(self.shard, COMPLETIONS_PER_TURN, completions);
    }

    fn has_more(&self) -> bool {
        self.left_over
    }

    fn shutdown(&mut self, fd: Fd, direction: Direction) {
        self.kernel.borrow_mut().shutdown(fd, direction);
    }

    fn reset_on_close(&mut self, fd: Fd) {
        self.kernel.borrow_mut().reset_on_close(fd);
    }

    fn close(&mut self, fd: Fd) {
        self.kernel.borrow_mut().close(self.shard, fd);
    }

    fn peer(&mut self, fd: Fd) -> Option<SocketAddr> {
        Some(SocketAddr::from(([127, 0, 0, 1], fd.0 as u16)))
    }

    fn refuse_handshakes(&mut self, _listener: Fd) {
        self.kernel.borrow_mut().refuse_handshakes(self.shard);
    }

    fn accept_now(&mut self, _listener: Fd) -> Option<Fd> {
        self.kernel.borrow_mut().accept_now(self.shard)
    }

    fn request(&mut self, target: usize, message: P::Message) -> Result<(), P::Message> {
        if self.kernel.borrow_mut().happens(Fault::InboxFull) {
            return Err(message);
        }
        self.port.request(target, message)
    }

    fn post(&mut self, target: usize, message: P::Message) -> Result<(), P::Message> {
        if self.kernel.borrow_mut().happens(Fault::InboxFull) {
            return Err(message);
        }
        self.port.post(target, message)
    }

    fn answer(&mut self, target: usize, message: P::Message) {
        self.port.answer(target, message);
    }

    fn pop(&mut self) -> Option<Mail<P::Message>> {
        if self.kernel.borrow().rings[self.shard].is_mail_late {
            return None;
        }
        self.port.pop()
    }

    fn has_mail(&self) -> bool {
        self.port.has_mail()
    }
}
