//! Endpoints and the rings between them.

use crate::mailbox::Mailbox;
use crate::ring::Ring;
use crate::{POSTS, REQUESTS};
use ringmill_reactor::{Doorbell, Mail, Peers};
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

/// What travels: a request is answered, a post is not.
#[derive(Debug)]
pub(crate) enum Envelope<M> {
    Request(M),
    Answer(M),
    Post(M),
}

/// How an endpoint is woken.
pub(crate) enum Bell {
    Core(Doorbell),
    Guest(crate::Waker),
}

struct Endpoint {
    mailbox: Mailbox,
    bell: OnceLock<Bell>,
    is_taken: AtomicBool,
}

/// All endpoints of a process: cores first, then guests.
pub struct Mesh<M> {
    cores: usize,
    endpoints: Box<[Endpoint]>,
    /// `rings[source * endpoints + target]`.
    rings: Box<[OnceLock<Ring<Envelope<M>>>]>,
    /// As [`REQUESTS`] and [`POSTS`].
    requests: usize,
    posts: usize,
}

impl<M: Send> Mesh<M> {
    /// A mesh of `cores` cores and `guests` ordinary threads.
    pub fn new(cores: usize, guests: usize) -> Arc<Mesh<M>> {
        Mesh::with_bounds(cores, guests, REQUESTS, POSTS)
    }

    /// The same, with other bounds than [`REQUESTS`] and [`POSTS`].
    pub fn with_bounds(cores: usize, guests: usize, requests: usize, posts: usize) -> Arc<Mesh<M>> {
        let count = cores + guests;
        Arc::new(Mesh {
            cores,
            endpoints: (0..count)
                .map(|_| Endpoint {
                    mailbox: Mailbox::new(count),
                    bell: OnceLock::new(),
                    is_taken: AtomicBool::new(false),
                })
                .collect(),
            rings: (0..count * count).map(|_| OnceLock::new()).collect(),
            requests,
            posts,
        })
    }

    /// How many cores.
    pub fn cores(&self) -> usize {
        self.cores
    }

    /// Takes an endpoint's seat, once; it crosses to the thread that will sit there.
    ///
    /// # Panics
    /// If there is no such endpoint or its seat is taken.
    pub fn seat(self: &Arc<Self>, endpoint: usize) -> Seat<M> {
        let taken = self.endpoints[endpoint].is_taken.swap(true, Ordering::AcqRel);
        assert!(!taken, "endpoint {endpoint} has one owner");
        Seat { mesh: self.clone(), endpoint }
    }

    /// The seat of guest `index`: endpoint `cores + index`.
    pub fn guest_seat(self: &Arc<Self>, index: usize) -> Seat<M> {
        self.seat(self.cores + index)
    }

    fn ring(&self, source: usize, target: usize) -> &Ring<Envelope<M>> {
        self.rings[source * self.endpoints.len() + target].get_or_init(|| {
            // A pair's requests, its answers to the requests of the other direction, and posts.
            Ring::new((2 * self.requests + self.posts).next_power_of_two())
        })
    }
}

/// An endpoint that nobody sits at yet: the only thing that crosses threads. It has no methods until it is adopted.
pub struct Seat<M> {
    mesh: Arc<Mesh<M>>,
    endpoint: usize,
}

impl<M: Send> Seat<M> {
    /// Becomes the endpoint's port on this thread.
    pub fn adopt(self) -> Port<M> {
        let count = self.mesh.endpoints.len();
        Port {
            mesh: self.mesh,
            endpoint: self.endpoint,
            under_way: vec![0; count],
            wakes: Vec::new(),
            word: 0,
            bits: 0,
        }
    }

    /// Becomes a guest's end on this thread, woken through `waker`.
    pub fn adopt_guest(self, waker: crate::Waker) -> crate::Guest<M> {
        let mut port = self.adopt();
        port.set_bell(Bell::Guest(waker));
        crate::Guest::new(port)
    }
}

/// One endpoint's end of all its rings. There is one, and it is used by one thread at a time.
pub struct Port<M> {
    mesh: Arc<Mesh<M>>,
    endpoint: usize,
    /// Requests sent to each endpoint and not yet answered.
    under_way: Vec<usize>,
    /// Sleeping endpoints that this one has the duty to wake.
    wakes: Vec<usize>,
    /// Where popping goes on: sources that were pending in this word.
    word: usize,
    bits: u64,
}

impl<M: Send> Port<M> {
    pub(crate) fn set_bell(&mut self, bell: Bell) {
        assert!(
            self.mesh.endpoints[self.endpoint].bell.set(bell).is_ok(),
            "an endpoint announces itself once"
        );
    }

    /// This endpoint's number.
    pub fn endpoint(&self) -> usize {
        self.endpoint
    }

    fn push(&mut self, target: usize, envelope: Envelope<M>) -> Result<(), Envelope<M>> {
        self.mesh.push(self.endpoint, target, envelope)?;
        if self.mesh.endpoints[target].mailbox.announce(self.endpoint) {
            self.wakes.push(target);
        }
        Ok(())
    }

    /// Strikes the bells of those that this endpoint has to wake; for threads without a ring.
    pub(crate) fn strike_all(&mut self) {
        while let Some(target) = self.wakes.pop() {
            self.strike(target);
        }
    }

    pub(crate) fn mailbox(&self) -> &Mailbox {
        &self.mesh.endpoints[self.endpoint].mailbox
    }

    fn take_source(&mut self) -> Option<usize> {
        if self.bits == 0 {
            let words = self.mailbox().words();
            for _ in 0..words {
                self.word = (self.word + 1) % words;
                self.bits = self.mailbox().take(self.word);
                if self.bits != 0 {
                    break;
                }
            }
        }
        (self.bits != 0).then(|| self.word * u64::BITS as usize + self.bits.trailing_zeros() as usize)
    }
}

impl<M: Send> Peers for Port<M> {
    type Message = M;

    fn announce(&mut self, doorbell: Doorbell) {
        self.set_bell(Bell::Core(doorbell));
    }

    fn request(&mut self, target: usize, message: M) -> Result<(), M> {
        if self.under_way[target] == self.mesh.requests {
            return Err(message);
        }
        match self.push(target, Envelope::Request(message)) {
            Ok(()) => {
                self.under_way[target] += 1;
                Ok(())
            }
            Err(_) => unreachable!("a ring has room for all requests and answers of its pair"),
        }
    }

    fn post(&mut self, target: usize, message: M) -> Result<(), M> {
        // At most `posts` are in a ring, so requests and answers keep their room whatever is posted.
        if self.mesh.ring(self.endpoint, target).occupied() >= self.mesh.posts {
            return Err(message);
        }
        self.push(target, Envelope::Post(message)).map_err(|envelope| match envelope {
            Envelope::Request(message) | Envelope::Answer(message) | Envelope::Post(message) => message,
        })
    }

    fn answer(&mut self, target: usize, message: M) {
        assert!(
            self.push(target, Envelope::Answer(message)).is_ok(),
            "a request reserves room for its answer"
        );
    }

    fn pop(&mut self) -> Option<Mail<M>> {
        loop {
            let source = self.take_source()?;
            let Some(envelope) = self.mesh.pop(source, self.endpoint) else {
                // Empty: on to the next source.
                self.bits &= self.bits - 1;
                continue;
            };
            let message = match envelope {
                Envelope::Request(message) | Envelope::Post(message) => message,
                Envelope::Answer(message) => {
                    self.under_way[source] -= 1;
                    message
                }
            };
            return Some(Mail { source, message });
        }
    }

    fn has_mail(&self) -> bool {
        self.bits != 0 || self.mailbox().has_mail()
    }

    fn fall_asleep(&mut self) -> bool {
        self.bits == 0 && self.mailbox().fall_asleep()
    }

    fn wake_up(&mut self) {
        self.mailbox().wake_up();
    }

    fn next_wake(&mut self) -> Option<(usize, RawFd)> {
        while let Some(target) = self.wakes.pop() {
            match self.mesh.endpoints[target].bell.get() {
                Some(Bell::Core(doorbell)) => return Some((target, doorbell.ring)),
                Some(Bell::Guest(waker)) => waker.wake(),
                None => {}
            }
        }
        None
    }

    fn strike(&mut self, core: usize) {
        match self.mesh.endpoints[core].bell.get() {
            Some(Bell::Core(doorbell)) => doorbell.strike(),
            Some(Bell::Guest(waker)) => waker.wake(),
            // Not yet announced, so it does not sleep either: it looks before it does.
            None => {}
        }
    }
}

/// The two places where a ring's "one thread" rule is kept: a port is unique (a seat is taken once) and is used through
/// `&mut`, so pushes from `source` and pops for `target` come from one thread each at any time, and a port that moves to
/// another thread brings what it did along.
mod access {
    #![allow(unsafe_code)]
    use super::{Envelope, Mesh};

    impl<M: Send> Mesh<M> {
        pub(super) fn push(
            &self,
            source: usize,
            target: usize,
            envelope: Envelope<M>,
        ) -> Result<(), Envelope<M>> {
            // SAFETY: called by the port of `source` alone (see the module's comment).
            unsafe { self.ring(source, target).push(envelope) }
        }

        pub(super) fn pop(&self, source: usize, target: usize) -> Option<Envelope<M>> {
            // SAFETY: called by the port of `target` alone (see the module's comment).
            unsafe { self.ring(source, target).pop() }
        }
    }
}

#[cfg(test)]
mod tests;
