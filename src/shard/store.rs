//! Between a shard and the store.

use super::Message;
use ringmill_mesh::{Board, Guest, POSTS};
use ringmill_serve::Lane;
use ringmill_sqlite::{Answers, Class, Event, Handle, Job, Reply, Ticket};
use std::sync::Arc;
use std::time::Instant;

/// Jobs of a shard that the store has and has not replied to, by lane: see [`lane`]. Beyond it requests wait on the shard, in
/// the order in which they came. Each thread of the store may post as many replies to one shard, so none is ever without
/// room. Reads that are not by key may be slow, so that few of them are ahead of anybody.
pub const STORE_UNDER_WAY_MAX: [usize; LANES] = [768, 1024, 64];

/// Kinds of jobs: see [`lane`].
pub const LANES: usize = 3;

/// The most that one shard has with the store in a lane, as the store's queues have to be long for each shard.
pub const STORE_LANE_MAX: usize = 1024;

const _: () = {
    let [writes, reads_by_key, reads] = STORE_UNDER_WAY_MAX;
    assert!(writes + reads_by_key + reads <= POSTS);
    assert!(writes <= STORE_LANE_MAX && reads_by_key <= STORE_LANE_MAX && reads <= STORE_LANE_MAX);
};

/// Where jobs of a class wait: writes, reads by key and other reads do not wait for each other.
pub(super) fn lane(class: Class) -> Lane {
    match class {
        Class::Write => 0,
        Class::ReadByKey => 1,
        Class::Read => 2,
    }
}

/// Bits of a ticket that name the lane: a shard's tickets number its waiters, of whom there are far fewer.
const LANE_SHIFT: u32 = 30;

/// What the store is told of a waiter's ticket.
pub(super) fn with_lane(ticket: Ticket, lane: Lane) -> Ticket {
    debug_assert!(ticket as u32 >> LANE_SHIFT == 0 && lane < LANES, "bits that a lane takes are free");
    ticket | (lane as u64) << LANE_SHIFT
}

/// Says of a ticket that it numbers a question of the cache.
const QUESTION: u64 = 1 << 29;

/// What the store is told of a question of the cache.
pub(super) fn of_question(number: usize) -> Ticket {
    debug_assert!((number as u64) < QUESTION);
    number as u64 | QUESTION
}

/// The number that [`of_question`] was given; `None`: the ticket is a waiter's.
pub(super) fn question_of(ticket: Ticket) -> Option<usize> {
    (ticket & QUESTION != 0).then_some((ticket & (QUESTION - 1)) as usize)
}

/// The waiter's ticket and the lane that [`with_lane`] put together.
pub(super) fn without_lane(ticket: Ticket) -> (Ticket, Lane) {
    let lane = ticket as u32 >> LANE_SHIFT;
    (ticket & !(u64::from(lane) << LANE_SHIFT), lane as Lane)
}

/// Whoever takes jobs and replies to them with [`Message::Stored`].
pub trait Ask {
    /// Hands a job over without blocking; gives it back when it can't be taken.
    fn ask(&self, shard: usize, ticket: Ticket, begin_by: Option<Instant>, job: Job) -> Result<(), Job>;

    /// Hears how many bytes more or fewer a shard holds because of large replies.
    fn hold(&self, change: isize);

    /// Whether it fails because of the database's file.
    fn is_unavailable(&self) -> bool;

    /// How often others were seen to have written: what was read before it rose may be out of date.
    fn foreign_writes(&self) -> u64;
}

impl Ask for Handle {
    fn ask(&self, shard: usize, ticket: Ticket, begin_by: Option<Instant>, job: Job) -> Result<(), Job> {
        self.submit(shard, ticket, begin_by, job)
    }

    fn hold(&self, change: isize) {
        Handle::hold(self, change);
    }

    fn is_unavailable(&self) -> bool {
        Handle::is_unavailable(self)
    }

    fn foreign_writes(&self) -> u64 {
        Handle::foreign_writes(self)
    }
}

/// A store thread's way back.
pub struct StoreAnswers {
    guest: Guest<Message>,
    control: usize,
    board: Arc<Board>,
}

impl StoreAnswers {
    /// `control` is the endpoint that hears of events; what others have written makes everything on the board stale.
    pub fn new(guest: Guest<Message>, control: usize, board: Arc<Board>) -> StoreAnswers {
        StoreAnswers { guest, control, board }
    }
}

impl Answers for StoreAnswers {
    fn answer(&mut self, shard: usize, ticket: Ticket, reply: Reply) {
        let posted = self.guest.post(shard, Message::Stored { ticket, reply });
        // By STORE_UNDER_WAY_MAX there is room; losing a reply would leave its asker waiting for ever.
        assert!(posted.is_ok(), "a shard's ring has room for every job it has under way");
    }

    fn observe(&mut self, event: Event) {
        if matches!(event, Event::ForeignWrite) {
            self.board.raise_whole();
        }
        // Only for the log: lost if control is behind.
        let _ = self.guest.post(self.control, Message::Store(event));
    }
}
