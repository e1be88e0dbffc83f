use super::{Tasks, Waiters};
use std::cell::RefCell;
use std::rc::Rc;

#[test]
fn the_driver_chooses_who_runs() {
    for (choice, expected) in [(0, [0, 1, 2]), (usize::MAX, [2, 1, 0])] {
        let tasks = Tasks::default();
        let order = Rc::new(RefCell::new(Vec::new()));
        for name in 0..3 {
            let order = order.clone();
            tasks.spawn(async move { order.borrow_mut().push(name) });
        }
        assert_eq!(tasks.run(10, |count| choice.min(count - 1)), 0);
        assert_eq!(*order.borrow(), expected);
        assert_eq!(tasks.alive(), 0);
    }
}

#[test]
fn a_waiter_gets_its_own_value_once() {
    let tasks = Tasks::default();
    let waiters = Waiters::<&str>::default();
    let got = Rc::new(RefCell::new(Vec::new()));
    let mut tickets = Vec::new();
    for name in 0..2 {
        let waiter = waiters.register();
        tickets.push(waiter.ticket());
        let got = got.clone();
        tasks.spawn(async move {
            let value = waiter.await;
            got.borrow_mut().push((name, value));
        });
    }
    tasks.run(10, |_| 0);
    assert!(!tasks.is_ready());
    assert_eq!(waiters.complete(tickets[1], "second"), Ok(()));
    tasks.run(10, |_| 0);
    assert_eq!(waiters.complete(tickets[1], "again"), Err("again"));
    assert_eq!(waiters.complete(tickets[0], "first"), Ok(()));
    tasks.run(10, |_| 0);
    assert_eq!(*got.borrow(), [(1, "second"), (0, "first")]);
    assert!(waiters.is_empty());
    assert_eq!(tasks.alive(), 0);
}

#[test]
fn a_ticket_outlives_neither_its_waiter_nor_the_next_one_in_its_place() {
    let waiters = Waiters::<u8>::default();
    let gone = waiters.register();
    let old = gone.ticket();
    drop(gone);
    assert_eq!(waiters.complete(old, 1), Err(1));
    let next = waiters.register();
    assert_eq!(next.ticket() as u32, old as u32, "same place");
    assert_eq!(waiters.complete(old, 1), Err(1));
    assert_eq!(waiters.complete(next.ticket(), 2), Ok(()));
}

#[test]
fn a_panic_ends_only_its_task() {
    let tasks = Tasks::default();
    let ran = Rc::new(RefCell::new(false));
    tasks.spawn(async { panic!("on purpose") });
    let after = ran.clone();
    tasks.spawn(async move { *after.borrow_mut() = true });
    assert_eq!(tasks.run(10, |_| 0), 1);
    assert!(*ran.borrow());
    assert_eq!(tasks.alive(), 0);
}
