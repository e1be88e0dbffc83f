//! An ordinary thread's end: it blocks where a core would wait in its ring.

use crate::mesh::Port;
use ringmill_reactor::{Mail, Peers};
use std::thread::Thread;
use std::time::Duration;

/// How a guest is woken. Never blocks.
pub enum Waker {
    /// Unparks a thread.
    Thread(Thread),
    /// Calls back, on the sender's thread.
    Callback(Box<dyn Fn() + Send + Sync>),
}

impl Waker {
    pub(crate) fn wake(&self) {
        match self {
            Waker::Thread(thread) => thread.unpark(),
            Waker::Callback(callback) => callback(),
        }
    }
}

/// A guest's port. Everything sent through it wakes its target at once.
pub struct Guest<M> {
    port: Port<M>,
}

impl<M: Send> Guest<M> {
    pub(crate) fn new(port: Port<M>) -> Guest<M> {
        Guest { port }
    }

    /// This endpoint's number.
    pub fn endpoint(&self) -> usize {
        self.port.endpoint()
    }

    /// Sends a request that will be answered; gives it back when too many are under way.
    pub fn request(&mut self, target: usize, message: M) -> Result<(), M> {
        let result = self.port.request(target, message);
        self.port.strike_all();
        result
    }

    /// Answers a request of `target`'s.
    pub fn answer(&mut self, target: usize, message: M) {
        self.port.answer(target, message);
        self.port.strike_all();
    }

    /// Posts a message that is not answered; gives it back when there is no room.
    pub fn post(&mut self, target: usize, message: M) -> Result<(), M> {
        let result = self.port.post(target, message);
        self.port.strike_all();
        result
    }

    /// The next message, if there is one.
    pub fn pop(&mut self) -> Option<Mail<M>> {
        self.port.pop()
    }

    /// Publishes that this guest sleeps; false: there is mail. After it slept, or did not, [`Guest::wake_up`] follows.
    pub fn fall_asleep(&mut self) -> bool {
        self.port.fall_asleep()
    }

    /// This guest is awake.
    pub fn wake_up(&mut self) {
        self.port.wake_up();
    }

    /// The next message; waits for it at most `timeout`. Only for a guest woken by [`Waker::Thread`] of its own thread.
    pub fn pop_or_wait(&mut self, timeout: Duration) -> Option<Mail<M>> {
        let deadline = std::time::Instant::now() + timeout;
        loop {
            if let Some(mail) = self.port.pop() {
                return Some(mail);
            }
            let left = deadline.saturating_duration_since(std::time::Instant::now());
            if left.is_zero() {
                return None;
            }
            if self.port.fall_asleep() {
                std::thread::park_timeout(left);
            }
            self.port.wake_up();
        }
    }
}
