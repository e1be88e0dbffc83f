//! The control plane's part: it asks shards for counts, answers scrapes, and has them drain.

use ringmill::shard::{Message, Phase};
use ringmill_mesh::{Guest, Mesh, Waker};
use ringmill_sim_kernel::faults::Fault;
use ringmill_sim_kernel::kernel::{Event, Shared};
use ringmill_sim_kernel::random::Random;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

pub struct Control {
    guest: Guest<Message>,
    kernel: Shared,
    random: Random,
    shards: usize,
    is_woken: Arc<AtomicBool>,
    /// Answers that were asked for and have not come.
    pub owed: usize,
    pub logs: u64,
    pub counts: u64,
    /// Draining, as far as it was announced.
    pub is_draining: bool,
    is_leaving: bool,
    /// Answers to announced phases.
    entered: usize,
    drain_at_ns: Option<u64>,
    drain_ns: u64,
    cut_off_ns: Option<u64>,
    /// When draining was asked for.
    pub drain_asked_ns: Option<u64>,
    back_ns: u64,
    /// Phases that shards have not been told of.
    unsent: Vec<(usize, Phase)>,
}

impl Control {
    pub fn new(kernel: &Shared, mesh: &Arc<Mesh<Message>>, seed: u64) -> Control {
        let is_woken = Arc::new(AtomicBool::new(false));
        let woken = is_woken.clone();
        let waker = Waker::Callback(Box::new(move || woken.store(true, Relaxed)));
        let mut random = Random::stream(seed, "control", 0);
        let drain_ns = random.magnitude(10_000_000, 20_000_000_000);
        Control {
            guest: mesh.guest_seat(0).adopt_guest(waker),
            kernel: kernel.clone(),
            random,
            shards: mesh.cores(),
            is_woken,
            owed: 0,
            logs: 0,
            counts: 0,
            is_draining: false,
            is_leaving: false,
            entered: 0,
            drain_at_ns: None,
            drain_ns,
            cut_off_ns: None,
            drain_asked_ns: None,
            back_ns: 0,
            unsent: Vec::new(),
        }
    }

    /// Somebody has struck its bell since.
    pub fn take_woken(&self) -> bool {
        self.is_woken.swap(false, Relaxed)
    }

    /// Draining begins then.
    pub fn drain_at(&mut self, at_ns: u64) {
        self.drain_at_ns = Some(at_ns);
        self.kernel.borrow_mut().at(at_ns, Event::Control);
    }

    /// Acts: once for each event.
    pub fn act(&mut self) {
        {
            let mut kernel = self.kernel.borrow_mut();
            if kernel.now_ns < self.back_ns {
                return;
            }
            if kernel.happens(Fault::ControlAway) {
                let away_ns = self.random.magnitude(10_000_000, 20_000_000_000);
                self.back_ns = kernel.now_ns + away_ns;
                kernel.after(away_ns, Event::Control);
                return;
            }
        }
        while let Some(mail) = self.guest.pop() {
            match mail.message {
                Message::Scrape { ticket } => {
                    self.guest.answer(mail.source, Message::Scraped { ticket, text: "up 1\n".into() });
                }
                Message::Counted { .. } | Message::Entered | Message::Turned => {
                    self.entered += usize::from(matches!(mail.message, Message::Entered));
                    if matches!(mail.message, Message::Entered) && self.entered == 2 * self.shards {
                        self.unsent.extend((0..self.shards).map(|shard| (shard, Phase::Ending)));
                    }
                    self.owed -= 1;
                    self.counts += 1;
                }
                Message::Log(_) => self.logs += 1,
                _ => {}
            }
        }
        let now_ns = self.kernel.borrow().now_ns;
        if self.drain_at_ns.is_some_and(|at_ns| at_ns <= now_ns) {
            let phase = match std::mem::replace(&mut self.is_leaving, true) {
                false => Phase::Leaving,
                true => Phase::Closing { within_ns: self.drain_ns },
            };
            self.is_draining |= phase != Phase::Leaving;
            if self.is_draining {
                self.drain_asked_ns = self.drain_asked_ns.or(Some(now_ns));
            }
            self.cut_off_ns = self.is_draining.then_some(now_ns + self.drain_ns);
            self.unsent.extend((0..self.shards).map(|shard| (shard, phase)));
            self.drain_at_ns = (phase == Phase::Leaving).then_some(now_ns + 1_000_000);
            if let Some(at_ns) = self.drain_at_ns {
                self.kernel.borrow_mut().at(at_ns, Event::Control);
            }
        } else if !self.is_draining && self.random.is(0.3) {
            let shard = self.random.index(self.shards);
            let message = if self.random.is(0.5) { Message::Turn } else { Message::Count { ticket: now_ns } };
            self.ask(shard, message);
        }
        // What the bound has no room for goes later.
        for (shard, phase) in std::mem::take(&mut self.unsent) {
            if !self.ask(shard, Message::Enter(phase)) {
                self.unsent.push((shard, phase));
            }
        }
        if !self.unsent.is_empty() {
            self.kernel.borrow_mut().after(1_000_000, Event::Control);
        }
        // It sleeps: whoever writes to it next strikes its bell.
        if !self.guest.fall_asleep() {
            self.guest.wake_up();
            self.kernel.borrow_mut().after(1_000, Event::Control);
        }
        self.kernel.borrow_mut().look_at_bells();
    }

    fn ask(&mut self, shard: usize, message: Message) -> bool {
        let is_taken = self.guest.request(shard, message).is_ok();
        self.owed += usize::from(is_taken);
        is_taken
    }

    /// Whether shards may have been told to leave.
    pub fn is_leaving(&self) -> bool {
        self.is_leaving
    }

    /// Whether draining may have reached its deadline on some shard.
    pub fn is_cut_off(&self, now_ns: u64) -> bool {
        self.cut_off_ns.is_some_and(|at_ns| now_ns >= at_ns)
    }

    /// How long draining may take.
    pub fn drain_ns(&self) -> u64 {
        self.drain_ns
    }
}
