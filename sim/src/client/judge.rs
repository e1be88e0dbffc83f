//! Whether an answer, or the end of a connection, is as it has to be.

use super::ask::{self, Expected, REQUESTS, Wanted};
use super::{Around, Broken, Client, Timeouts};
use crate::answer::Answer;
use ringmill_serve::DRAIN_IDLE_NS;
use ringmill_sim_kernel::faults::Fault;
use ringmill_sim_kernel::sockets::Socket;
use std::collections::BTreeMap;
use std::fmt::Write;

/// The rows of a list, by key; `None`: it is none, or its total is not that of its rows.
pub(crate) fn rows(body: &[u8]) -> Option<BTreeMap<i64, String>> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    let list = body.get("cells").unwrap_or(&body).as_array()?;
    let total = body.get("total").map(|total| total.as_u64());
    if total.is_some_and(|total| total != Some(list.len() as u64)) {
        return None;
    }
    let row =
        |row: &serde_json::Value| Some((row.get("id")?.as_i64()?, row.get("value")?.as_str()?.to_owned()));
    list.iter().map(row).collect()
}

/// How much later than due a timeout may come: bytes travel, and timers fire late.
const LATE_NS: u64 = 10_000_000_000;

/// Whether this request may have been answered 408 by now. The server can have heard of its bytes only after they were written.
fn timed_out(expected: &Expected, socket: &Socket, now_ns: u64, timeouts: Timeouts) -> Result<(), String> {
    let is_due = |since: Option<u64>, timeout_ns: u64, whole: u64| {
        let ended_ns = socket.heard_at_ns(whole).unwrap_or(now_ns);
        since.is_some_and(|since_ns| ended_ns >= since_ns + timeout_ns)
    };
    let is_head_due = is_due(expected.begun_ns, timeouts.head_ns, expected.head_ends_at);
    let is_body_due = is_due(expected.head_ns, timeouts.body_ns, expected.ends_at);
    match is_head_due || is_body_due {
        true => Ok(()),
        false => Err(format!(
            "at {now_ns} ns; first byte written at {:?}, head at {:?}, head heard at {:?}, end at {:?}",
            expected.begun_ns,
            expected.head_ns,
            socket.heard_at_ns(expected.head_ends_at),
            socket.heard_at_ns(expected.ends_at)
        )),
    }
}

/// Why a request should have been answered 408.
fn should_have_timed_out(expected: &Expected, around: &Around<'_>) -> Option<String> {
    let (begun_ns, head_ns) = (expected.begun_ns?, expected.head_ns?);
    let faults = &around.kernel.faults;
    let is_exact = expected.is_alone
        && ![Fault::Stall, Fault::LateCompletion].iter().any(|fault| faults.is_possible(*fault));
    let head = head_ns - begun_ns;
    let body = expected.end_ns.unwrap_or(around.kernel.now_ns) - head_ns;
    let timeouts = around.timeouts;
    let is_late = head > timeouts.head_ns + LATE_NS || body > timeouts.body_ns + LATE_NS;
    (is_exact && is_late && !matches!(expected.wanted, Wanted::Refused(_)))
        .then(|| format!("its head took {} ms and its body {} ms", head / 1_000_000, body / 1_000_000))
}

impl Client {
    pub(super) fn judge(&mut self, answer: &Answer<'_>, around: &mut Around<'_>) -> Result<(), Broken> {
        let index = self.index;
        let Some(connection) = &mut self.connection else { return Ok(()) };
        let fd = connection.fd;
        let now_ns = around.kernel.now_ns;
        around.kernel.trace.line(now_ns, |line| {
            let _ =
                write!(line, "client {index} on {fd}: {} with {} bytes", answer.status, answer.body.len());
        });
        let shown = || {
            let body = String::from_utf8_lossy(&answer.body[..answer.body.len().min(120)]).into_owned();
            format!("client {index} on {fd} got {} {body}", answer.status)
        };
        if connection.has_last {
            return Err(("after-the-last", format!("{}, after an answer that ends the connection", shown())));
        }
        connection.has_last |= answer.is_last;
        connection.may_end |= answer.is_last;
        // Turned away at the door.
        if connection.answered == 0 && answer.status == 503 && answer.is_last && around.is_crowded {
            connection.expected.clear();
            self.counts.refused += 1;
            return Ok(());
        }
        let Some(expected) = connection.expected.pop_front() else {
            return Err(("unasked", format!("{}, and had asked nothing", shown())));
        };
        connection.answered += 1;
        if let Some(from) = answer.from {
            self.counts.from[from] += 1;
            if !matches!(expected.wanted, Wanted::Read { .. } | Wanted::All { .. }) {
                return Err(("wrong-answer", format!("{}, kept for another request", shown())));
            }
        }
        self.counts.requests[expected.what] += 1;
        let late = |words: String| ("deadline", format!("{}: {words}", shown()));
        if answer.status == 408 {
            if !answer.is_last {
                return Err(late("and may go on".to_owned()));
            }
            let Some(socket) = around.kernel.sockets.get(&fd) else { return Ok(()) };
            return timed_out(&expected, socket, now_ns, around.timeouts).map_err(late);
        }
        if let Some(words) = should_have_timed_out(&expected, around) {
            return Err(late(words));
        }
        if expected.closes && !answer.is_last {
            return Err((
                "wrong-answer",
                format!("{}, and the client had said that it was the last", shown()),
            ));
        }
        let kernel = &around.kernel;
        let may_fail = [
            Fault::StoreFull,
            Fault::StoreFails,
            Fault::StoreStuck,
            Fault::StoreSlow,
            Fault::Stall,
            Fault::StoreUnsure,
            // A question to the owner of an answer waits.
            Fault::InboxFull,
        ];
        let may_fail = around.is_narrow || may_fail.iter().any(|fault| kernel.faults.is_possible(*fault));
        let needs_control = expected.what == ask::METRICS
            && (around.is_narrow
                || [Fault::ControlAway, Fault::InboxFull, Fault::Stall, Fault::LateMail]
                    .iter()
                    .any(|fault| kernel.faults.is_possible(*fault)));
        if needs_control && matches!(answer.status, 503 | 504) {
            self.counts.unavailable += 1;
            return Ok(());
        }
        if expected.uses_store && matches!(answer.status, 503 | 504) && may_fail {
            self.counts.unavailable += 1;
            if let (Wanted::Write { value, .. }, 503) = (&expected.wanted, answer.status) {
                around.truth.refuse(value);
            }
            return Ok(());
        }
        let wrong = |words: String| ("wrong-answer", format!("{}: {words}", shown()));
        match &expected.wanted {
            Wanted::Exactly(status, body) => {
                let is_right = match expected.has_body {
                    true => answer.body == body.as_slice(),
                    false => answer.length == Some(body.len()),
                };
                if answer.status != *status || !is_right {
                    let body = String::from_utf8_lossy(&body[..body.len().min(120)]).into_owned();
                    return Err(wrong(format!("{status} {body} was due ({})", REQUESTS[expected.what])));
                }
            }
            Wanted::Refused(status) => {
                if answer.status != *status || !answer.is_last {
                    return Err(wrong(format!("{status} and the end of the connection were due")));
                }
            }
            Wanted::Write { key, value } => {
                let due = format!(r#"{{"id":{key},"value":"{value}"}}"#);
                if answer.status != 200 || answer.body != due.as_bytes() {
                    return Err(wrong(format!("200 {due} was due")));
                }
                around.truth.acknowledge(*key, value).map_err(|words| ("write-lost", words))?;
                connection.own.insert(*key, around.truth.commit_of(value));
            }
            Wanted::Read { key, floor } => {
                let value = match answer.status {
                    404 => None,
                    200 => {
                        let text = String::from_utf8_lossy(answer.body).into_owned();
                        let start = format!(r#"{{"id":{key},"value":""#);
                        let value = text.strip_prefix(&start).and_then(|rest| rest.strip_suffix("\"}"));
                        Some(value.ok_or_else(|| wrong(format!("a row of key {key} was due")))?.to_owned())
                    }
                    _ => return Err(wrong(format!("a row of key {key} was due"))),
                };
                let own = connection.own.get(key).copied().unwrap_or_default();
                around
                    .truth
                    .saw(*key, value.as_deref(), own.max(*floor))
                    .map_err(|words| ("stale", format!("client {index} on {fd}: {words}")))?;
            }
            Wanted::All { floors } => {
                let rows = rows(answer.body).filter(|_| answer.status == 200);
                let rows = rows.ok_or_else(|| wrong("a list of rows was due".to_owned()))?;
                for (key, floor) in (0_i64..).zip(floors) {
                    let own = connection.own.get(&key).copied().unwrap_or_default();
                    around
                        .truth
                        .saw(key, rows.get(&key).map(String::as_str), own.max(*floor))
                        .map_err(|words| ("stale", format!("client {index} on {fd}, a list: {words}")))?;
                }
            }
            Wanted::Delete { key, floor, since } => match answer.status {
                200 => {
                    let own = around.truth.acknowledge_delete(*key, *since);
                    connection.own.insert(*key, own.map_err(|words| ("write-lost", words))?);
                }
                404 => {
                    let own = connection.own.get(key).copied().unwrap_or_default();
                    around
                        .truth
                        .saw(*key, None, own.max(*floor))
                        .map_err(|words| ("stale", format!("client {index} on {fd}: {words}")))?;
                }
                _ => return Err(wrong("200 or 404 was due".to_owned())),
            },
        }
        Ok(())
    }

    pub(super) fn look_at_end(&mut self, around: &mut Around<'_>) -> Result<(), Broken> {
        let Some(connection) = &self.connection else { return Ok(()) };
        let fd = connection.fd;
        let Some(socket) = around.kernel.sockets.get(&fd) else {
            self.connection = None;
            return Ok(());
        };
        // What was sent before the end, or before a reset of the server's, is read first.
        let is_gone = socket.is_reset && (socket.was_cut || connection.may_end && !connection.has_last);
        let is_over = is_gone || (socket.is_reset || socket.is_shut) && socket.outbound.is_empty();
        if !is_over {
            return Ok(());
        }
        let is_excused = connection.may_end
            || socket.was_cut
            || socket.is_output_lost
            || around.is_cut_off
            || around.is_crowded && connection.answered == 0
            || connection.has_ended && connection.expected.is_empty();
        if !is_excused {
            let how = if socket.is_reset { "reset" } else { "ended" };
            let words = |words: String| {
                let index = self.index;
                (
                    "ended-without-reason",
                    format!("client {index}: {fd} ({:?}) was {how} {words}", connection.manner),
                )
            };
            if let Some(first) = connection.expected.front()
                && first.begins_at < socket.heard_at_end
            {
                return Err(words(format!(
                    "at {:?} ns with {} requests unanswered, of the first ({}) the server had {} bytes, last at {} ns",
                    socket.end_ns,
                    connection.expected.len(),
                    REQUESTS[first.what],
                    socket.heard_at_end - first.begins_at,
                    socket.heard_ns
                )));
            }
            // Only for having been idle; and when nobody listens any more, whoever was not accepted.
            let due_ns = match (socket.accepted_ns, around.drain_asked_ns) {
                (None, Some(_)) => 0,
                (None, None) => u64::MAX,
                (Some(accepted_ns), drain_ns) => {
                    let idle_ns = accepted_ns.max(socket.heard_at_end_ns);
                    let usual_ns = idle_ns + around.timeouts.idle_ns;
                    drain_ns.map_or(usual_ns, |drain_ns| usual_ns.min(idle_ns.max(drain_ns) + DRAIN_IDLE_NS))
                }
            };
            if socket.end_ns.unwrap_or(around.kernel.now_ns) < due_ns {
                return Err(words(format!(
                    "at {:?} ns, accepted at {:?}, last heard at {}, draining since {:?}",
                    socket.end_ns, socket.accepted_ns, socket.heard_at_end_ns, around.drain_asked_ns
                )));
            }
        }
        if !connection.input.is_empty()
            && !socket.is_reset
            && !socket.was_cut
            && !socket.is_output_lost
            && !around.is_cut_off
        {
            return Err((
                "half-an-answer",
                format!(
                    "client {}: {fd} ended within an answer of {} bytes",
                    self.index,
                    connection.input.len()
                ),
            ));
        }
        let has_ended = connection.has_ended;
        if !has_ended {
            if let Some(socket) = around.kernel.sockets.get_mut(&fd) {
                socket.client_ended = true;
            }
            around.kernel.client_acted(fd);
        }
        around.kernel.forget(fd);
        self.connection = None;
        Ok(())
    }
}
