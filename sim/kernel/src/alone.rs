//! A core without others, for tests of one.

use ringmill_reactor::{Doorbell, Mail, Peers};
use std::os::fd::RawFd;
use std::sync::{Arc, OnceLock};

/// Leads nowhere. Its bell is kept, for whoever wants to wake the core.
#[derive(Clone, Debug, Default)]
pub struct Alone {
    pub bell: Arc<OnceLock<Doorbell>>,
}

impl Peers for Alone {
    type Message = ();

    fn announce(&mut self, doorbell: Doorbell) {
        self.bell.set(doorbell).expect("it is announced once");
    }
    fn request(&mut self, _: usize, (): ()) -> Result<(), ()> {
        Err(())
    }
    fn post(&mut self, _: usize, (): ()) -> Result<(), ()> {
        Err(())
    }
    fn answer(&mut self, _: usize, (): ()) {}
    fn pop(&mut self) -> Option<Mail<()>> {
        None
    }
    fn has_mail(&self) -> bool {
        false
    }
    fn fall_asleep(&mut self) -> bool {
        true
    }
    fn wake_up(&mut self) {}
    fn next_wake(&mut self) -> Option<(usize, RawFd)> {
        None
    }
    fn strike(&mut self, _: usize) {}
}
