//! Panics, which only the crate itself can cause.

use crate::{Answers, Class, Error, Event, Job, Options, Reply, Statement, Store, Ticket, run_script};
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

struct Channel(Sender<Reply>, Sender<Event>);

impl Answers for Channel {
    fn answer(&mut self, _: usize, ticket: Ticket, reply: Reply) {
        self.0.send(reply).unwrap();
        assert_ne!(ticket, 13, "the caller's own panic");
    }

    fn observe(&mut self, event: Event) {
        // A new connection of the writer can't tell whether someone else has written.
        if event != Event::ForeignWrite {
            self.1.send(event).unwrap();
        }
    }
}

#[test]
fn a_panic_is_answered_and_the_thread_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let (answers, replies) = channel();
    let (observer, events) = channel();
    let path = directory.path().join("test.db");
    run_script(&path, &["CREATE TABLE t (n)".to_owned()]).unwrap();
    let options = Options { readers: 1, ..Options::new(path) };
    let store = Store::open(options, |_| Box::new(Channel(answers.clone(), observer.clone()))).unwrap();
    let handle = store.handle();
    let ask = |class, ticket, sql: &[&str]| {
        let one = |sql: &&str| Statement { sql: (*sql).into(), parameters: vec![] };
        handle.submit(0, ticket, None, Job::new(class, sql.iter().map(one).collect())).unwrap();
        replies.recv_timeout(Duration::from_secs(60)).unwrap()
    };
    for class in [Class::Write, Class::Read, Class::ReadByKey] {
        for _ in 0..3 {
            let reply = ask(class, 1, &["SELECT 1", "panic"]);
            assert!(matches!(reply, Err(Error::Unavailable { .. })), "{reply:?}");
            let event = events.recv_timeout(Duration::from_secs(60));
            assert_eq!(event, Ok(Event::Panicked { detail: "asked for by a test".into() }));
            assert!(ask(class, 2, &["SELECT n FROM t"]).is_ok());
            assert!(ask(class, 13, &["SELECT n FROM t"]).is_ok());
            let event = events.recv_timeout(Duration::from_secs(60));
            assert!(matches!(event, Ok(Event::Panicked { .. })), "{event:?}");
        }
    }
    store.close(Duration::from_secs(60));
    assert!(replies.try_iter().next().is_none());
}
