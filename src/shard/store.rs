//! Between a shard and the store.

use super::Message;
use ringmill_mesh::{Guest, POSTS};
use ringmill_sqlite::{Answers, Event, Handle, Job, Reply, Ticket};
use std::time::Instant;

/// Jobs of a shard that the store has and has not replied to. Beyond it a request is shed with 503. Each thread of the
/// store may post as many replies to one shard, so none is ever without room.
pub const STORE_UNDER_WAY_MAX: usize = 1024;

const _: () = assert!(STORE_UNDER_WAY_MAX <= POSTS);

/// Whoever takes jobs and replies to them with [`Message::Stored`].
pub trait Ask {
    /// Hands a job over without blocking; gives it back when it can't be taken.
    fn ask(&self, shard: usize, ticket: Ticket, begin_by: Option<Instant>, job: Job) -> Result<(), Job>;
}

impl Ask for Handle {
    fn ask(&self, shard: usize, ticket: Ticket, begin_by: Option<Instant>, job: Job) -> Result<(), Job> {
        self.submit(shard, ticket, begin_by, job)
    }
}

/// A store thread's way back.
pub struct StoreAnswers {
    guest: Guest<Message>,
    control: usize,
}

impl StoreAnswers {
    /// `control` is the endpoint that hears of events.
    pub fn new(guest: Guest<Message>, control: usize) -> StoreAnswers {
        StoreAnswers { guest, control }
    }
}

impl Answers for StoreAnswers {
    fn answer(&mut self, shard: usize, ticket: Ticket, reply: Reply) {
        let posted = self.guest.post(shard, Message::Stored { ticket, reply });
        // By STORE_UNDER_WAY_MAX there is room; losing a reply would leave its asker waiting for ever.
        assert!(posted.is_ok(), "a shard's ring has room for every job it has under way");
    }

    fn observe(&mut self, event: Event) {
        // Only for the log: lost if control is behind.
        let _ = self.guest.post(self.control, Message::Store(event));
    }
}
