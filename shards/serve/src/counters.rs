//! What a shard counts: by itself, without atomics; the control plane asks for a copy and sums.

use hdrhistogram::Histogram;
use ringmill_http1::Method;

/// Index of a route: 0 is [`UNMATCHED`], the service's own follow in its order.
pub type RouteId = usize;

/// The route of requests that matched none.
pub const UNMATCHED: RouteId = 0;

/// The statuses that are counted apart; any other counts as the last, 0.
pub const STATUSES: [u16; 32] = [
    200, 201, 202, 204, 304, 400, 401, 403, 404, 405, 408, 409, 413, 414, 415, 417, 422, 429, 431, 500, 501,
    502, 503, 504, 505, 301, 302, 307, 308, 410, 412, 0,
];

/// Where a status stands in [`STATUSES`].
pub fn status_index(status: u16) -> usize {
    // The usual ones first; the rest is found in a few steps.
    STATUSES.iter().position(|&each| each == status).unwrap_or(STATUSES.len() - 1)
}

/// Upper bounds of the histogram's buckets, nanoseconds: those that OpenTelemetry recommends for
/// `http.server.request.duration`, with finer ones below. A last bucket, without bound, follows.
pub const BUCKET_BOUNDS_NS: [u64; 17] = [
    100_000,
    500_000,
    1_000_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    75_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    750_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    7_500_000_000,
    10_000_000_000,
];

const BUCKETS: usize = BUCKET_BOUNDS_NS.len() + 1;

/// How long a window of the summary's quantiles is; they cover the last one to two of these.
const WINDOW_NS: u64 = 60_000_000_000;

/// Durations of one route's requests.
#[derive(Clone, Debug, Default)]
pub struct Durations {
    /// One for each bucket, not cumulative.
    pub buckets: [u64; BUCKETS],
    /// Nanoseconds.
    pub sum_ns: u64,
}

/// Everything a shard counts about requests.
#[derive(Clone, Debug)]
pub struct Counters {
    routes: usize,
    /// `requests[(route * Method::COUNT + method) * STATUSES.len() + status]`.
    requests: Box<[u64]>,
    durations: Box<[Durations]>,
    /// Of all routes: this window and the one before, microseconds.
    recent_us: [Histogram<u64>; 2],
    window_until_ns: u64,
    /// Open connections.
    pub connections: usize,
    /// Connections accepted so far.
    pub connections_accepted: u64,
    /// Connections turned away so far.
    pub connections_refused: u64,
    /// Connections reset so far because their peers did not read.
    pub connections_reset: u64,
    /// Turns of the reactor.
    pub turns: u64,
    /// The longest turn since the last copy, nanoseconds.
    pub turn_longest_ns: u64,
    /// Messages from other cores and threads, by kind; the service knows the kinds.
    pub messages: Vec<u64>,
    /// The process-wide CPU clock is of no use here: nanoseconds that this shard spent in its turns.
    pub busy_ns: u64,
}

fn histogram() -> Histogram<u64> {
    // 1 µs to 1 h at two digits: 60 KiB would be three; the bounds are constants, so this cannot fail.
    Histogram::new_with_bounds(1, 3_600_000_000, 2).expect("constant bounds are valid")
}

impl Counters {
    /// For `routes` routes, [`UNMATCHED`] included.
    pub fn new(routes: usize) -> Counters {
        Counters {
            routes,
            requests: vec![0; routes * Method::COUNT * STATUSES.len()].into(),
            durations: vec![Durations::default(); routes].into(),
            recent_us: [histogram(), histogram()],
            window_until_ns: 0,
            connections: 0,
            connections_accepted: 0,
            connections_refused: 0,
            connections_reset: 0,
            turns: 0,
            turn_longest_ns: 0,
            messages: Vec::new(),
            busy_ns: 0,
        }
    }

    /// Counts an answer.
    pub(crate) fn count(&mut self, route: RouteId, method: Method, status: u16) {
        self.requests[(route * Method::COUNT + method as usize) * STATUSES.len() + status_index(status)] += 1;
    }

    /// Records how long an answer took; `now_ns` moves the window.
    pub(crate) fn record(&mut self, route: RouteId, duration_ns: u64, now_ns: u64) {
        self.roll(now_ns);
        let bucket = BUCKET_BOUNDS_NS.iter().position(|&bound| duration_ns <= bound).unwrap_or(BUCKETS - 1);
        let durations = &mut self.durations[route];
        durations.buckets[bucket] += 1;
        durations.sum_ns += duration_ns;
        self.recent_us[0].saturating_record((duration_ns / 1000).max(1));
    }

    /// Begins a new window if this one is over.
    pub(crate) fn roll(&mut self, now_ns: u64) {
        if now_ns >= self.window_until_ns {
            self.turn_window(now_ns);
        }
    }

    #[cold]
    fn turn_window(&mut self, now_ns: u64) {
        self.recent_us.swap(0, 1);
        self.recent_us[0].reset();
        if now_ns >= self.window_until_ns + WINDOW_NS {
            self.recent_us[1].reset();
        }
        self.window_until_ns = now_ns + WINDOW_NS;
    }

    /// Answers by route, method and status, those that occurred.
    pub fn requests(&self) -> impl Iterator<Item = (RouteId, usize, u16, u64)> {
        self.requests.iter().enumerate().filter(|&(_, &count)| count > 0).map(|(index, &count)| {
            let status = STATUSES[index % STATUSES.len()];
            let method = index / STATUSES.len() % Method::COUNT;
            (index / STATUSES.len() / Method::COUNT, method, status, count)
        })
    }

    /// Durations by route.
    pub fn durations(&self) -> &[Durations] {
        &self.durations
    }

    /// Durations of the last one to two minutes, microseconds.
    pub fn recent_us(&self) -> Histogram<u64> {
        let mut sum = self.recent_us[0].clone();
        // Both have the same bounds.
        let _ = sum.add(&self.recent_us[1]);
        sum
    }

    /// What this takes up in memory.
    pub fn bytes(&self) -> usize {
        size_of_val(&*self.requests)
            + size_of_val(&*self.durations)
            + self.recent_us.iter().map(|each| each.distinct_values() * size_of::<u64>()).sum::<usize>()
    }

    /// Adds another shard's.
    pub fn add(&mut self, other: &Counters) {
        debug_assert_eq!(self.routes, other.routes);
        for (sum, each) in self.requests.iter_mut().zip(&other.requests) {
            *sum += each;
        }
        for (sum, each) in self.durations.iter_mut().zip(&other.durations) {
            for (sum, each) in sum.buckets.iter_mut().zip(each.buckets) {
                *sum += each;
            }
            sum.sum_ns += each.sum_ns;
        }
        for (sum, each) in self.recent_us.iter_mut().zip(&other.recent_us) {
            let _ = sum.add(each);
        }
        self.connections += other.connections;
        self.connections_accepted += other.connections_accepted;
        self.connections_refused += other.connections_refused;
        self.connections_reset += other.connections_reset;
        self.turns += other.turns;
        self.turn_longest_ns = self.turn_longest_ns.max(other.turn_longest_ns);
        self.busy_ns += other.busy_ns;
        if self.messages.len() < other.messages.len() {
            self.messages.resize(other.messages.len(), 0);
        }
        for (sum, each) in self.messages.iter_mut().zip(&other.messages) {
            *sum += each;
        }
    }
}
