//! What is asked, at random. A thread sends one request on each of its connections and then reads all answers, so that as many
//! requests are under way as there are connections.
//!
//! Rows are of four kinds: *own* ones are changed by the thread that made them, one change at a time, and also take addresses
//! that others want; *whole* ones are replaced by everyone, *parts* have their cells set by everyone; *fleeting* ones are made with
//! addresses that others want, and deleted by anyone. All are read by everyone.

use super::Clock;
use super::history::{Event, Shown, Span, Updated, What};
use crate::client::{Client, Response, request};
use serde_json::Value;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

const WHOLE: u64 = 12;
const PARTS: u64 = 12;
/// Addresses that more than one row wants.
const WANTED: u64 = 24;
const OWN_MAX: usize = 12;
const FLEETING_KNOWN: usize = 16;

/// SplitMix64: small, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ bits >> 31
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// What all threads know.
pub(super) struct Shared {
    seed: u64,
    clock: Clock,
    /// The largest number that a row was seen to have.
    id_max: AtomicU64,
    fleeting: Mutex<Vec<u64>>,
}

impl Shared {
    pub(super) fn new(seed: u64) -> Shared {
        let (clock, id_max) = (Clock::default(), AtomicU64::new(1));
        Shared { seed, clock, id_max, fleeting: Mutex::new(Vec::new()) }
    }

    /// The rows that everyone changes: numbers 1 to [`WHOLE`], then [`PARTS`].
    pub(super) fn prepare(&self, client: &mut Client) -> Vec<Event> {
        let mut actor = Actor::new(self, super::THREADS, Vec::new());
        for id in 1..=WHOLE + PARTS {
            let kind = if id <= WHOLE { " whole" } else { "" };
            let ask =
                actor.create(format!("shared{id}{kind}"), format!("shared{id}@x.example"), Kind::Shared);
            let start = self.clock.now();
            client.send(ask.bytes());
            let answer = client.read();
            actor.finish(&ask, start, 0, &answer);
        }
        actor.events
    }

    /// Every page of the list.
    pub(super) fn read_all(&self, client: &mut Client) -> Vec<Event> {
        let mut actor = Actor::new(self, super::THREADS, Vec::new());
        for page in 1.. {
            let ask = Ask::List { page, per_page: 100 };
            let start = self.clock.now();
            client.send(ask.bytes());
            let answer = client.read();
            actor.finish(&ask, start, 0, &answer);
            if answer.json()["users"].as_array().is_none_or(Vec::is_empty) {
                break;
            }
        }
        actor.events
    }
}

/// Of what kind a created row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Shared,
    Own,
    Fleeting,
}

/// A request.
#[derive(Clone, Debug)]
enum Ask {
    Create {
        shown: Shown,
        kind: Kind,
    },
    Get {
        id: u64,
    },
    Put {
        id: u64,
        shown: Shown,
    },
    Patch {
        id: u64,
        name: Option<String>,
        email: Option<String>,
    },
    Delete {
        id: u64,
    },
    List {
        page: u64,
        per_page: u64,
    },
    /// Something wrong, with the answer.
    Wrong {
        bytes: Vec<u8>,
        status: u16,
        body: &'static str,
    },
}

impl Ask {
    fn bytes(&self) -> Vec<u8> {
        let object = |name: Option<&String>, email: Option<&String>| {
            let name = name.map(|name| format!(r#""name":"{name}""#));
            let email = email.map(|email| format!(r#""email":"{email}""#));
            format!("{{{}}}", name.into_iter().chain(email).collect::<Vec<_>>().join(","))
        };
        let item = |id: &u64| format!("/api/user/{id}");
        match self {
            Ask::Create { shown, .. } => {
                request("POST", "/api/users", &[], Some(&object(Some(&shown.name), Some(&shown.email))))
            }
            Ask::Get { id } => request("GET", &item(id), &[], None),
            Ask::Put { id, shown } => {
                request("PUT", &item(id), &[], Some(&object(Some(&shown.name), Some(&shown.email))))
            }
            Ask::Patch { id, name, email } => {
                request("PATCH", &item(id), &[], Some(&object(name.as_ref(), email.as_ref())))
            }
            Ask::Delete { id } => request("DELETE", &item(id), &[], None),
            Ask::List { page, per_page } => {
                request("GET", &format!("/api/users?page={page}&per_page={per_page}"), &[], None)
            }
            Ask::Wrong { bytes, .. } => bytes.clone(),
        }
    }
}

/// A row of this thread's, and whether a change of it is under way.
struct Own {
    id: u64,
    is_busy: bool,
}

pub(super) struct Actor<'a> {
    shared: &'a Shared,
    thread: usize,
    connections: Vec<Client>,
    random: Random,
    own: Vec<Own>,
    /// Makes every value unique.
    written: u64,
    pub(super) events: Vec<Event>,
}

const NOT_FOUND: &str = r#"{"error":"User not found"}"#;
const TAKEN: &str = r#"{"error":"Failed to create user","errors":{"email":["is already taken"]}}"#;

impl<'a> Actor<'a> {
    pub(super) fn new(shared: &'a Shared, thread: usize, connections: Vec<Client>) -> Actor<'a> {
        let random = Random(shared.seed ^ (thread as u64).wrapping_mul(0x9e37_79b9));
        Actor { shared, thread, connections, random, own: Vec::new(), written: 0, events: Vec::new() }
    }

    /// One request on each connection, then all answers, in another order.
    pub(super) fn round(&mut self) {
        let mut under_way = Vec::with_capacity(self.connections.len());
        for index in 0..self.connections.len() {
            let ask = self.choose();
            let start = self.shared.clock.now();
            self.connections[index].send(ask.bytes());
            under_way.push((index, ask, start));
        }
        let turn = self.random.below(under_way.len() as u64) as usize;
        under_way.rotate_left(turn);
        for (index, ask, start) in under_way {
            let answer = self.connections[index].read();
            self.finish(&ask, start, index, &answer);
        }
    }

    fn value(&mut self) -> String {
        self.written += 1;
        format!("t{}w{}", self.thread, self.written)
    }

    fn wanted_email(&mut self) -> String {
        format!("wanted{}@x.example", self.random.below(WANTED))
    }

    fn create(&mut self, name: String, email: String, kind: Kind) -> Ask {
        Ask::Create { shown: Shown { name, email }, kind }
    }

    fn any_id(&mut self) -> u64 {
        let max = self.shared.id_max.load(Ordering::Relaxed);
        match self.random.below(4) {
            0 => 1 + self.random.below(WHOLE + PARTS),
            // Recent ones, and those that come next.
            1 | 2 => (max + 3).saturating_sub(self.random.below(60)).max(1),
            _ => 1 + self.random.below(max),
        }
    }

    /// One of its own rows that nothing is being done to, which is then busy.
    fn take_own(&mut self) -> Option<u64> {
        if self.own.is_empty() {
            return None;
        }
        let index = self.random.below(self.own.len() as u64) as usize;
        let own = &mut self.own[index];
        (!std::mem::replace(&mut own.is_busy, true)).then_some(own.id)
    }

    fn choose(&mut self) -> Ask {
        match self.random.below(100) {
            0..45 => Ask::Get { id: self.any_id() },
            45..55 => Ask::List {
                page: 1 + self.random.below(4),
                per_page: [1, 5, 20, 100][self.random.below(4) as usize],
            },
            55..62 => {
                let (id, value) = (1 + self.random.below(WHOLE), self.value());
                let shown = Shown { name: format!("{value} whole"), email: format!("{value}@x.example") };
                Ask::Put { id, shown }
            }
            62..69 => {
                let id = WHOLE + 1 + self.random.below(PARTS);
                let value = self.value();
                let (name, email) = match self.random.below(2) {
                    0 => (Some(value), None),
                    _ => (None, Some(format!("{value}@x.example"))),
                };
                Ask::Patch { id, name, email }
            }
            69..76 => {
                let (name, email) = (self.value(), self.wanted_email());
                self.create(name, email, Kind::Fleeting)
            }
            76..84 => {
                let known = self.shared.fleeting.lock().expect("no thread panics here");
                let id = match known.len() {
                    0 => None,
                    // Not taken away: another may try it at the same time.
                    count => Some(known[self.random.below(count as u64) as usize]),
                };
                drop(known);
                id.map_or(Ask::Get { id: 1 }, |id| Ask::Delete { id })
            }
            84..97 => self.choose_own(),
            97 => Ask::Patch { id: self.any_id(), name: None, email: None },
            _ => self.choose_wrong(),
        }
    }

    fn choose_own(&mut self) -> Ask {
        let value = self.value();
        if self.own.len() < OWN_MAX && self.random.below(3) == 0 || self.own.is_empty() {
            let email = format!("{value}@x.example");
            return self.create(value, email, Kind::Own);
        }
        let Some(id) = self.take_own() else { return Ask::Get { id: self.any_id() } };
        match self.random.below(8) {
            0 => Ask::Delete { id },
            1 => Ask::Patch { id, name: Some(value), email: None },
            2 | 3 => {
                let email = format!("{value}@x.example");
                Ask::Put { id, shown: Shown { name: value, email } }
            }
            4 => Ask::Patch { id, name: None, email: Some(format!("{value}@x.example")) },
            _ => Ask::Put { id, shown: Shown { name: value, email: self.wanted_email() } },
        }
    }

    fn choose_wrong(&mut self) -> Ask {
        let (bytes, status, body) = match self.random.below(4) {
            0 => (
                request("POST", "/api/users", &[], Some(r#"{"name":"x"}"#)),
                400,
                r#"{"error":"Missing required fields","errors":{"email":["is required"]}}"#,
            ),
            1 => (
                request("PATCH", "/api/user/1", &[], Some(r#"{"email":"x"}"#)),
                400,
                r#"{"error":"Validation failed","errors":{"email":["must be a valid e-mail address"]}}"#,
            ),
            2 => (request("GET", "/api/nowhere", &[], None), 404, r#"{"error":"Not found"}"#),
            _ => (request("GET", "/api/user/x", &[], None), 404, NOT_FOUND),
        };
        Ask::Wrong { bytes, status, body }
    }

    /// Notes what an answer says. One that no table gives is a panic here already.
    fn finish(&mut self, ask: &Ask, start: u64, connection: usize, answer: &Response) {
        let span = Span { start, end: self.shared.clock.now() };
        let unexpected =
            || -> ! { panic!("RINGMILL_MODEL_SEED={}: {ask:?} was answered {answer:?}", self.shared.seed) };
        let outcome = || match (answer.status, answer.text().as_str()) {
            (200, r#"{"message":"Updated"}"#) => Updated::Done,
            (404, NOT_FOUND) => Updated::NotFound,
            (409, TAKEN) => Updated::Taken,
            _ => unexpected(),
        };
        let what = match ask {
            Ask::Create { shown, .. } => match answer.status {
                201 => match row(&answer.json()) {
                    Some((id, created)) if created == *shown => What::Created { id, shown: created },
                    _ => unexpected(),
                },
                409 if answer.text() == TAKEN => What::CreateTaken { email: shown.email.clone() },
                _ => unexpected(),
            },
            Ask::Get { id } => match answer.status {
                200 => match row(&answer.json()) {
                    Some((shown_id, shown)) if shown_id == *id => What::Read { id: *id, shown: Some(shown) },
                    _ => unexpected(),
                },
                404 if answer.text() == NOT_FOUND => What::Read { id: *id, shown: None },
                _ => unexpected(),
            },
            Ask::Put { id, shown } => {
                let (name, email) = (Some(shown.name.clone()), Some(shown.email.clone()));
                What::Updated { id: *id, name, email, outcome: outcome() }
            }
            Ask::Patch { id, name, email } => {
                What::Updated { id: *id, name: name.clone(), email: email.clone(), outcome: outcome() }
            }
            Ask::Delete { id } => match (answer.status, answer.text().as_str()) {
                (200, r#"{"message":"User deleted"}"#) => What::Deleted { id: *id, was_there: true },
                (404, NOT_FOUND) => What::Deleted { id: *id, was_there: false },
                _ => unexpected(),
            },
            Ask::List { page, per_page } => match list(&answer.json(), *page, *per_page) {
                Some(listed) if answer.status == 200 => listed,
                _ => unexpected(),
            },
            Ask::Wrong { status, body, .. } => match (answer.status, answer.text()) {
                (given, text) if given == *status && text == *body => What::Fixed,
                _ => unexpected(),
            },
        };
        self.remember(ask, &what);
        self.events.push(Event { span, connection: self.thread * 1000 + connection, what });
    }

    fn remember(&mut self, ask: &Ask, what: &What) {
        match (ask, what) {
            (Ask::Create { kind, .. }, What::Created { id, .. }) => {
                self.shared.id_max.fetch_max(*id, Ordering::Relaxed);
                match kind {
                    Kind::Own => self.own.push(Own { id: *id, is_busy: false }),
                    Kind::Fleeting => {
                        let mut fleeting = self.shared.fleeting.lock().expect("no thread panics here");
                        if fleeting.len() >= FLEETING_KNOWN {
                            let index = self.random.below(FLEETING_KNOWN as u64) as usize;
                            fleeting.swap_remove(index);
                        }
                        fleeting.push(*id);
                    }
                    Kind::Shared => {}
                }
            }
            (_, What::Deleted { id, was_there }) => {
                self.own.retain(|own| own.id != *id);
                if !was_there {
                    self.shared.fleeting.lock().expect("no thread panics here").retain(|known| known != id);
                }
            }
            (Ask::Put { id, .. } | Ask::Patch { id, .. }, What::Updated { name, email, .. })
                if name.is_some() || email.is_some() =>
            {
                self.own.iter_mut().filter(|own| own.id == *id).for_each(|own| own.is_busy = false);
            }
            _ => {}
        }
    }
}

/// `{"id":…,"name":…,"email":…}` and nothing else.
fn row(json: &Value) -> Option<(u64, Shown)> {
    let object = json.as_object().filter(|object| object.keys().eq(["id", "name", "email"]))?;
    let text = |name: &str| Some(object[name].as_str()?.to_owned());
    Some((object["id"].as_u64()?, Shown { name: text("name")?, email: text("email")? }))
}

fn list(json: &Value, page: u64, per_page: u64) -> Option<What> {
    let object = json.as_object()?;
    let is_well_formed = object.keys().eq(["users", "total", "page", "per_page"])
        && object["page"].as_u64() == Some(page)
        && object["per_page"].as_u64() == Some(per_page);
    let rows = object["users"].as_array()?.iter().map(row).collect::<Option<Vec<_>>>()?;
    (is_well_formed && rows.len() as u64 <= per_page).then_some(What::Listed {
        page,
        per_page,
        total: object["total"].as_u64()?,
        rows,
    })
}
