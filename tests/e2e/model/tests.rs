//! The model itself: histories that a table can have, and the least change that makes them impossible.

use super::history::{Event, History, Shown, Span, Updated, What};

fn at(start: u64, end: u64, what: What) -> Event {
    Event { span: Span { start, end }, connection: 0, what }
}

fn shown(name: &str) -> Shown {
    Shown { name: name.to_owned(), email: format!("{name}@x") }
}

fn created(start: u64, end: u64, id: u64, name: &str) -> Event {
    at(start, end, What::Created { id, shown: shown(name) })
}

fn named(start: u64, end: u64, name: &str) -> Event {
    at(start, end, What::Updated { id: 1, name: Some(name.to_owned()), email: None, outcome: Updated::Done })
}

fn read(start: u64, end: u64, name: Option<&str>) -> Event {
    let email = "a@x".to_owned();
    at(start, end, What::Read { id: 1, shown: name.map(|name| Shown { name: name.to_owned(), email }) })
}

fn deleted(start: u64, end: u64, was_there: bool) -> Event {
    at(start, end, What::Deleted { id: 1, was_there })
}

fn listed(start: u64, end: u64, total: u64, rows: &[(u64, &str)]) -> Event {
    let rows = rows.iter().map(|(id, name)| (*id, shown(name))).collect();
    at(start, end, What::Listed { page: 1, per_page: 2, total, rows })
}

/// Histories that a table can have, and the least change that it cannot.
#[test]
fn the_model_tells_the_possible_from_the_impossible() {
    let a = || created(0, 9, 1, "a");
    let three = |id, name| created(10 + id, 16 + id, id, name);
    let taken = |start, end| at(start, end, What::CreateTaken { email: "a@x".to_owned() });
    for (events, is_possible) in [
        (vec![a(), read(10, 11, Some("a"))], true),
        (vec![a(), read(10, 11, None)], false),
        (vec![a(), read(8, 11, None)], true),
        (vec![read(1, 2, Some("a")), a()], true),
        (vec![a(), read(10, 11, Some("b"))], false),
        (vec![a(), named(20, 29, "b"), read(28, 31, Some("a"))], true),
        (vec![a(), named(20, 29, "b"), read(30, 31, Some("a"))], false),
        (vec![a(), named(20, 29, "b"), read(15, 21, Some("b"))], true),
        (vec![a(), named(20, 29, "b"), read(15, 19, Some("b"))], false),
        // Two writes at once may come in either order.
        (vec![a(), named(20, 29, "b"), named(25, 35, "c"), read(40, 41, Some("b"))], true),
        (vec![a(), named(20, 29, "b"), named(30, 35, "c"), read(40, 41, Some("b"))], false),
        (vec![a(), deleted(20, 29, true), read(30, 31, Some("a"))], false),
        (vec![a(), deleted(20, 29, true), read(28, 31, Some("a"))], true),
        (vec![a(), deleted(20, 29, true), read(15, 21, None)], true),
        (vec![a(), deleted(20, 29, true), read(15, 19, None)], false),
        (vec![a(), deleted(20, 29, true), deleted(20, 29, true)], false),
        (vec![a(), deleted(20, 29, true), deleted(20, 29, false)], true),
        (vec![a(), deleted(20, 29, false)], false),
        (vec![a(), taken(10, 11)], true),
        (vec![a(), deleted(20, 29, true), taken(30, 31)], false),
        (vec![a(), deleted(20, 29, true), taken(28, 31)], true),
        (vec![a(), created(10, 19, 2, "a")], false),
        (vec![a(), deleted(20, 29, true), created(21, 22, 2, "a")], true),
        (vec![a(), deleted(20, 29, true), created(10, 19, 2, "a")], false),
        (vec![a(), listed(10, 11, 1, &[(1, "a")])], true),
        (vec![a(), listed(10, 11, 0, &[])], false),
        (vec![a(), listed(5, 11, 0, &[])], true),
        (vec![a(), listed(10, 11, 2, &[(1, "a")])], false),
        (vec![a(), created(10, 19, 2, "b"), listed(20, 21, 2, &[(1, "a"), (2, "b")])], true),
        (vec![a(), created(10, 19, 2, "b"), listed(20, 21, 2, &[(2, "b"), (1, "a")])], false),
        (vec![a(), created(10, 19, 2, "b"), listed(20, 21, 1, &[(2, "b")])], false),
        (vec![a(), created(10, 19, 2, "b"), listed(20, 21, 3, &[(1, "a"), (2, "b")])], false),
        (vec![a(), three(2, "b"), three(3, "c"), listed(20, 21, 3, &[(1, "a"), (2, "b")])], true),
        (vec![a(), three(2, "b"), three(3, "c"), listed(20, 21, 3, &[(1, "a"), (3, "c")])], false),
        (vec![a(), three(2, "b"), three(3, "c"), listed(17, 21, 3, &[(1, "a"), (3, "c")])], true),
    ] {
        let shown = format!("{events:#?}");
        let checked = History::new(events).check();
        assert_eq!(checked.is_ok(), is_possible, "{checked:?} of {shown}");
    }
}
