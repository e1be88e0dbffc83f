//! What can go wrong, how likely it is in a run, and how often it did.

use crate::random::Random;

macro_rules! faults {
    ($($(#[doc = $doc:literal])* $name:ident = $label:literal, $most:literal;)*) => {
        /// What can go wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Fault { $($(#[doc = $doc])* $name,)* }

        impl Fault {
            /// All.
            pub const ALL: &[Fault] = &[$(Fault::$name,)*];

            /// As it is called on the command line.
            pub fn label(self) -> &'static str {
                match self { $(Fault::$name => $label,)* }
            }

            /// How likely it is in the worst of runs, each time that it could happen.
            fn most(self) -> f64 {
                match self { $(Fault::$name => $most,)* }
            }
        }
    };
}

faults! {
    /// A receive brings fewer bytes than are there.
    ShortReceive = "short-receive", 0.9;
    /// A send takes fewer bytes than it was given.
    ShortSend = "short-send", 0.9;
    /// A completion comes late, so that those of other connections overtake it.
    LateCompletion = "late-completion", 0.4;
    /// The network resets a connection.
    Reset = "reset", 0.04;
    /// A handshake takes long.
    LateHandshake = "late-handshake", 0.7;
    /// Accepting fails for want of descriptors.
    AcceptFails = "accept-fails", 0.4;
    /// The multishot accept ends without a reason.
    AcceptEnds = "accept-ends", 0.4;
    /// A receive, a send or a fill ends with EINTR and has done nothing.
    Interrupted = "interrupted", 0.1;
    /// No receive buffer is free.
    NoBuffer = "no-buffer", 0.3;
    /// A multishot receive ends without a reason.
    ReceiveEnds = "receive-ends", 0.3;
    /// A receive that was cancelled brings bytes first.
    CancelLate = "cancel-late", 1.0;
    /// The multishot receive is not told of a reset that follows right behind data.
    ResetUntold = "reset-untold", 0.9;
    /// The submission queue is full: what is queued starts at once.
    SubmissionsFull = "submissions-full", 0.2;
    /// The completion queue is full: completions wait, and multishots end.
    CompletionsFull = "completions-full", 0.1;
    /// More completions are there than one turn takes.
    LeftOver = "left-over", 0.3;
    /// The wait for a timer ends late.
    LateTimer = "late-timer", 0.5;
    /// A shard stands still for a while.
    Stall = "stall", 0.01;
    /// Messages that are there are not seen in this turn.
    LateMail = "late-mail", 0.4;
    /// A shard wakes for nothing.
    WakesForNothing = "wakes-for-nothing", 0.05;
    /// A message that may be lost finds no room.
    InboxFull = "inbox-full", 0.5;
    /// The store's queue has no room.
    StoreFull = "store-full", 0.1;
    /// The store takes long.
    StoreSlow = "store-slow", 0.5;
    /// The store takes so long that its asker has given up.
    StoreStuck = "store-stuck", 0.15;
    /// The store fails and has done nothing.
    StoreFails = "store-fails", 0.1;
    /// The store has done it, but cannot say so.
    StoreUnsure = "store-unsure", 0.3;
    /// Control stays away for a while.
    ControlAway = "control-away", 0.2;
    /// A ready task is chosen out of turn.
    TaskOvertakes = "task-overtakes", 0.5;
}

/// What goes wrong in one run.
#[derive(Clone, Debug)]
pub struct Faults {
    shares: Vec<f64>,
    /// How often each did.
    pub fired: Vec<u64>,
    is_over: bool,
}

impl Faults {
    /// Some runs are calm, some are hell: each fault has a share of its own in each.
    pub fn draw(random: &mut Random) -> Faults {
        let temper = [0.0, 0.05, 0.3, 1.0][random.index(4)];
        let share = |fault: &Fault| {
            let weight = [0.0, 0.0, 0.1, 0.5, 1.0][random.index(5)];
            fault.most() * weight * temper
        };
        let shares = Fault::ALL.iter().map(share).collect();
        Faults { shares, fired: vec![0; Fault::ALL.len()], is_over: false }
    }

    /// Nothing goes wrong.
    pub fn none() -> Faults {
        Faults { shares: vec![0.0; Fault::ALL.len()], fired: vec![0; Fault::ALL.len()], is_over: false }
    }

    /// Has one happen in this share of the times that it can.
    pub fn set(&mut self, fault: Fault, share: f64) {
        self.shares[fault as usize] = share;
    }

    /// Has one never happen.
    pub fn leave_out(&mut self, fault: Fault) {
        self.set(fault, 0.0);
    }

    /// Whether it may happen in this run.
    pub fn is_possible(&self, fault: Fault) -> bool {
        self.shares[fault as usize] > 0.0
    }

    /// From here on nothing goes wrong: what is left has to come to an end.
    pub fn end(&mut self) {
        self.is_over = true;
    }

    /// Whether it happens now.
    pub fn happens(&mut self, fault: Fault, random: &mut Random) -> bool {
        let share = self.shares[fault as usize];
        // Drawn in any case: leaving one fault out leaves the other draws as they are.
        let happens = random.is(share) && !self.is_over;
        self.fired[fault as usize] += u64::from(happens);
        happens
    }
}
