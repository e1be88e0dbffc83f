//! What was asked and answered, and whether a table can have answered so.
//!
//! Each event has an interval: from before its request was sent to after its answer was read. Between the two it took place
//! somewhere. So, for each cell of each row: a read may show a value only if the write of it began before the read ended, and
//! no other write lies wholly between that write's end and the read's beginning. It follows that after the answer to a write
//! no read that begins later shows anything older. Values are unique, so that each names its write, but for addresses that
//! several rows want.
//!
//! Rows are created once and deleted at most once; an address belongs to one row at a time; a list is one snapshot.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::{self, Write};

/// An interval of the clock, ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: u64,
    pub(super) end: u64,
}

impl Span {
    /// Wholly before the other.
    fn is_before(self, other: Span) -> bool {
        self.end < other.start
    }
}

/// What a row shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) name: String,
    pub(super) email: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Updated {
    Done,
    NotFound,
    /// The address is another row's.
    Taken,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    Created {
        id: u64,
        shown: Shown,
    },
    CreateTaken {
        email: String,
    },
    Read {
        id: u64,
        shown: Option<Shown>,
    },
    Updated {
        id: u64,
        name: Option<String>,
        email: Option<String>,
        outcome: Updated,
    },
    Deleted {
        id: u64,
        was_there: bool,
    },
    Listed {
        page: u64,
        per_page: u64,
        total: u64,
        rows: Vec<(u64, Shown)>,
    },
    /// Answered with the only answer that it can have.
    Fixed,
}

#[derive(Clone)]
pub(super) struct Event {
    pub(super) span: Span,
    pub(super) connection: usize,
    pub(super) what: What,
}

impl fmt::Debug for Event {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Span { start, end } = self.span;
        write!(out, "{start}..{end} on connection {}: {:?}", self.connection, self.what)
    }
}

/// The writes of one cell, by the value that each wrote.
#[derive(Default)]
struct Cell {
    writes: HashMap<String, Vec<Span>>,
    /// By start: the earliest end of this write or a later one.
    ends: Vec<(u64, u64)>,
}

impl Cell {
    fn add(&mut self, value: &str, span: Span) {
        self.writes.entry(value.to_owned()).or_default().push(span);
    }

    fn settle(&mut self) {
        self.ends = self.writes.values().flatten().map(|span| (span.start, span.end)).collect();
        self.ends.sort_unstable();
        let mut earliest = u64::MAX;
        for (_, end) in self.ends.iter_mut().rev() {
            earliest = earliest.min(*end);
            *end = earliest;
        }
    }

    /// From when on nobody may see what `write` wrote: another write that began after its end has ended.
    fn superseded_at(&self, write: Span) -> u64 {
        let next = self.ends.partition_point(|(start, _)| *start <= write.end);
        self.ends.get(next).map_or(u64::MAX, |(_, end)| *end)
    }

    fn check(&self, value: &str, read: Span) -> Result<(), String> {
        let Some(writes) = self.writes.get(value) else { return Err(format!("{value} was never written")) };
        let can_be = |write: &Span| write.start < read.end && self.superseded_at(*write) > read.start;
        if writes.iter().any(can_be) {
            return Ok(());
        }
        let when: Vec<_> = writes.iter().map(|write| (*write, self.superseded_at(*write))).collect();
        Err(format!("{value} is not what is there: it was written, and superseded, at {when:?}"))
    }
}

#[derive(Default)]
struct Row {
    created: Option<Span>,
    deleted: Option<Span>,
    name: Cell,
    email: Cell,
}

impl Row {
    fn check_is_there(&self, at: Span) -> Result<(), String> {
        match (self.created, self.deleted) {
            (None, _) => Err("it is there and was never created".to_owned()),
            (Some(created), _) if at.is_before(created) => {
                Err("it is there before it was created".to_owned())
            }
            (_, Some(deleted)) if deleted.is_before(at) => Err("it is there after it was deleted".to_owned()),
            _ => Ok(()),
        }
    }

    fn check_is_not_there(&self, at: Span) -> Result<(), String> {
        let Some(created) = self.created else { return Ok(()) };
        if created.is_before(at) && self.deleted.is_none_or(|deleted| at.is_before(deleted)) {
            return Err(format!("it is not there, created at {created:?} and deleted at {:?}", self.deleted));
        }
        Ok(())
    }
}

/// An address in a row: from a write to the next one or the row's end.
struct Holding {
    id: u64,
    from: Span,
    until: Option<Span>,
}

pub(super) struct History {
    events: Vec<Event>,
    rows: BTreeMap<u64, Row>,
    holdings: HashMap<String, Vec<Holding>>,
    broken: Option<String>,
}

impl History {
    pub(super) fn new(mut events: Vec<Event>) -> History {
        events.sort_by_key(|event| event.span.start);
        let mut history = History { events, rows: BTreeMap::new(), holdings: HashMap::new(), broken: None };
        let writes = history.collect();
        history.broken = writes.err();
        history
    }

    fn collect(&mut self) -> Result<(), String> {
        // The address that each row has, by the order in which writes began: addresses that several rows may want are moved
        // by one connection at a time.
        let mut held: HashMap<u64, (String, Span)> = HashMap::new();
        for event in &self.events {
            let span = event.span;
            let mut next = None;
            match &event.what {
                What::Created { id, shown } => {
                    let row = self.rows.entry(*id).or_default();
                    if row.created.replace(span).is_some() {
                        return Err(format!("row {id} was created twice"));
                    }
                    row.name.add(&shown.name, span);
                    row.email.add(&shown.email, span);
                    next = Some((*id, Some(shown.email.clone())));
                }
                What::Updated { id, name, email, outcome: Updated::Done } => {
                    let row = self.rows.entry(*id).or_default();
                    if let Some(name) = name {
                        row.name.add(name, span);
                    }
                    if let Some(email) = email {
                        row.email.add(email, span);
                        next = Some((*id, Some(email.clone())));
                    }
                }
                What::Deleted { id, was_there: true } => {
                    if self.rows.entry(*id).or_default().deleted.replace(span).is_some() {
                        return Err(format!("row {id} was deleted twice"));
                    }
                    next = Some((*id, None));
                }
                _ => {}
            }
            let Some((id, email)) = next else { continue };
            if let Some((email, from)) = held.remove(&id) {
                let holding = Holding { id, from, until: Some(span) };
                self.holdings.entry(email).or_default().push(holding);
            }
            if let Some(email) = email {
                held.insert(id, (email, span));
            }
        }
        for (id, (email, from)) in held {
            self.holdings.entry(email).or_default().push(Holding { id, from, until: None });
        }
        for row in self.rows.values_mut() {
            row.name.settle();
            row.email.settle();
        }
        Ok(())
    }

    /// How many of what.
    pub(super) fn summary(&self) -> String {
        let mut counts = BTreeMap::new();
        for event in &self.events {
            let kind = match &event.what {
                What::Created { .. } => "created",
                What::CreateTaken { .. } => "create taken",
                What::Read { shown: Some(_), .. } => "read",
                What::Read { shown: None, .. } => "read nothing",
                What::Updated { outcome: Updated::Done, .. } => "updated",
                What::Updated { outcome: Updated::NotFound, .. } => "update found nothing",
                What::Updated { outcome: Updated::Taken, .. } => "update taken",
                What::Deleted { was_there: true, .. } => "deleted",
                What::Deleted { was_there: false, .. } => "delete found nothing",
                What::Listed { .. } => "listed",
                What::Fixed => "refused",
            };
            *counts.entry(kind).or_insert(0) += 1;
        }
        let counts: Vec<String> = counts.into_iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        counts.join(", ")
    }

    /// The first disagreement, with all that happened to the row.
    pub(super) fn check(&self) -> Result<(), String> {
        if let Some(broken) = &self.broken {
            return Err(broken.clone());
        }
        let totals = Totals::new(&self.rows);
        let mut alive = Alive::new(&self.rows);
        for event in &self.events {
            alive.go_on_to(event.span.start);
            let checked = match &event.what {
                What::Read { id, shown } => self.check_row(*id, shown.as_ref(), event.span),
                What::Created { id, .. } => self.check_row_exists(*id, event.span),
                What::Updated { id, email, outcome, .. } => match outcome {
                    Updated::Done => self.check_row_exists(*id, event.span),
                    Updated::NotFound => self.check_row(*id, None, event.span),
                    Updated::Taken => self.check_taken(email.as_deref(), Some(*id), event.span),
                },
                What::Deleted { id, was_there: true } => self.check_row_exists(*id, event.span),
                What::Deleted { id, was_there: false } => self.check_row(*id, None, event.span),
                What::CreateTaken { email } => self.check_taken(Some(email), None, event.span),
                What::Listed { page, per_page, total, rows } => {
                    self.check_list((*page, *per_page, *total), rows, event.span, (&totals, &alive))
                }
                What::Fixed => Ok(()),
            };
            checked.map_err(|(id, words)| self.told(event, id, &words))?;
        }
        self.check_holdings()
    }

    fn check_row_exists(&self, id: u64, at: Span) -> Result<(), (Option<u64>, String)> {
        match self.rows.get(&id) {
            Some(row) => row.check_is_there(at).map_err(|words| (Some(id), words)),
            None => Err((Some(id), "it is there and was never created".to_owned())),
        }
    }

    fn check_row(&self, id: u64, shown: Option<&Shown>, at: Span) -> Result<(), (Option<u64>, String)> {
        let in_row = |words: String| (Some(id), words);
        let Some(shown) = shown else {
            return self.rows.get(&id).map_or(Ok(()), |row| row.check_is_not_there(at).map_err(in_row));
        };
        self.check_row_exists(id, at)?;
        let row = &self.rows[&id];
        row.name.check(&shown.name, at).map_err(in_row)?;
        row.email.check(&shown.email, at).map_err(in_row)?;
        if let Some((whole, _)) = shown.name.split_once(" whole")
            && !shown.email.starts_with(&format!("{whole}@"))
        {
            return Err(in_row(format!("{shown:?} is half of one write and half of another")));
        }
        Ok(())
    }

    /// A write was refused for an address that another row has.
    fn check_taken(
        &self,
        email: Option<&str>,
        own: Option<u64>,
        at: Span,
    ) -> Result<(), (Option<u64>, String)> {
        let holdings = email.and_then(|email| self.holdings.get(email)).map_or(&[][..], Vec::as_slice);
        let is_held = holdings.iter().any(|holding| {
            Some(holding.id) != own
                && !at.is_before(holding.from)
                && holding.until.is_none_or(|until| !until.is_before(at))
        });
        if is_held { Ok(()) } else { Err((own, format!("{email:?} is said to be taken and nobody has it"))) }
    }

    fn check_list(
        &self,
        (page, per_page, total): (u64, u64, u64),
        rows: &[(u64, Shown)],
        at: Span,
        (totals, alive): (&Totals, &Alive),
    ) -> Result<(), (Option<u64>, String)> {
        for (id, shown) in rows {
            self.check_row(*id, Some(shown), at)?;
        }
        let as_a_whole = |words: String| (None, words);
        if let Some(pair) = rows.windows(2).find(|pair| pair[0].0 >= pair[1].0) {
            return Err(as_a_whole(format!("row {} stands before row {}", pair[0].0, pair[1].0)));
        }
        let mut emails: Vec<_> = rows.iter().map(|(_, shown)| &shown.email).collect();
        emails.sort_unstable();
        if let Some(pair) = emails.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(as_a_whole(format!("{} stands there twice", pair[0])));
        }
        // What lies between its rows, and behind its end, is not there.
        let (offset, count) = ((page - 1) * per_page, rows.len() as u64);
        let is_last = count < per_page;
        let first = rows.first().map(|(id, _)| *id);
        let start = if page == 1 { Some(0) } else { first };
        let end = if is_last { u64::MAX } else { rows.last().map_or(0, |(id, _)| *id) };
        if let Some(start) = start {
            let listed: std::collections::HashSet<u64> = rows.iter().map(|(id, _)| *id).collect();
            for id in alive.ids.range(start..=end).filter(|id| !listed.contains(id)) {
                let missing = |words| (Some(*id), format!("missing in a list: {words}"));
                self.rows[id].check_is_not_there(at).map_err(missing)?;
            }
        }
        // One snapshot for the page and the total.
        let agrees = match (count, is_last) {
            (0, _) => total <= offset,
            (_, true) => total == offset + count,
            (_, false) => total >= offset + count,
        };
        if !agrees {
            return Err(as_a_whole(format!("{count} rows behind {offset} and a total of {total}")));
        }
        let (least, most) = totals.bounds(at);
        if !(least..=most).contains(&total) {
            return Err(as_a_whole(format!("a total of {total}, which has to be within {least} and {most}")));
        }
        Ok(())
    }

    /// No address was in two rows at once: what certainly was one's does not overlap what certainly was another's.
    fn check_holdings(&self) -> Result<(), String> {
        for (email, holdings) in &self.holdings {
            let end = |holding: &Holding| holding.until.map_or(u64::MAX, |until| until.start);
            let mut certain: Vec<&Holding> =
                holdings.iter().filter(|holding| holding.from.end < end(holding)).collect();
            certain.sort_by_key(|holding| holding.from.end);
            for pair in certain.windows(2) {
                if end(pair[0]) > pair[1].from.end {
                    let (one, two) = (pair[0].id, pair[1].id);
                    return Err(format!(
                        "{email} was in row {one} and in row {two} at once:\n{}{}",
                        self.of_row(one),
                        self.of_row(two)
                    ));
                }
            }
        }
        Ok(())
    }

    fn told(&self, event: &Event, id: Option<u64>, words: &str) -> String {
        let row = id.map(|id| format!("\nrow {id}:\n{}", self.of_row(id))).unwrap_or_default();
        let mut shown = format!("{event:?}");
        shown.truncate(2000);
        format!("{words}\nat {shown}{row}")
    }

    /// All that was asked of a row, in order.
    fn of_row(&self, row: u64) -> String {
        let mut text = String::new();
        for event in &self.events {
            let is_of_row = match &event.what {
                What::Created { id, .. }
                | What::Read { id, .. }
                | What::Updated { id, .. }
                | What::Deleted { id, .. } => *id == row,
                What::CreateTaken { .. } | What::Listed { .. } | What::Fixed => false,
            };
            if is_of_row {
                let _ = writeln!(text, "{event:?}");
            }
        }
        text
    }
}

/// The rows that were created before an instant and whose deletion had not begun: the only ones that may not be missing in a
/// read that begins then.
struct Alive {
    ids: BTreeSet<u64>,
    /// When creations ended, the earliest last.
    created: Vec<(u64, u64)>,
    /// When deletions began, the earliest last.
    deleted: Vec<(u64, u64)>,
}

impl Alive {
    fn new(rows: &BTreeMap<u64, Row>) -> Alive {
        let latest_first = |mut instants: Vec<(u64, u64)>| {
            instants.sort_unstable_by_key(|instant| std::cmp::Reverse(*instant));
            instants
        };
        let created = rows.iter().filter_map(|(id, row)| Some((row.created?.end, *id)));
        let deleted = rows.iter().filter_map(|(id, row)| Some((row.deleted?.start, *id)));
        Alive {
            ids: BTreeSet::new(),
            created: latest_first(created.collect()),
            deleted: latest_first(deleted.collect()),
        }
    }

    /// To an instant that is not before the last one.
    fn go_on_to(&mut self, instant: u64) {
        while let Some((_, id)) = self.created.pop_if(|(end, _)| *end < instant) {
            self.ids.insert(id);
        }
        while let Some((_, id)) = self.deleted.pop_if(|(start, _)| *start < instant) {
            self.ids.remove(&id);
        }
    }
}

/// Bounds of the number of rows over an interval.
struct Totals {
    creates: (Vec<u64>, Vec<u64>),
    deletes: (Vec<u64>, Vec<u64>),
}

impl Totals {
    fn new(rows: &BTreeMap<u64, Row>) -> Totals {
        let sorted = |spans: Vec<Span>| {
            let mut starts: Vec<u64> = spans.iter().map(|span| span.start).collect();
            let mut ends: Vec<u64> = spans.iter().map(|span| span.end).collect();
            starts.sort_unstable();
            ends.sort_unstable();
            (starts, ends)
        };
        Totals {
            creates: sorted(rows.values().filter_map(|row| row.created).collect()),
            deletes: sorted(rows.values().filter_map(|row| row.deleted).collect()),
        }
    }

    /// Certainly there all the time, and possibly there at some time.
    fn bounds(&self, at: Span) -> (u64, u64) {
        let before = |instants: &[u64], at: u64| instants.partition_point(|instant| *instant < at) as u64;
        let least = before(&self.creates.1, at.start).saturating_sub(before(&self.deletes.0, at.end));
        let most = before(&self.creates.0, at.end) - before(&self.deletes.1, at.start);
        (least, most)
    }
}
