//! A store's thread wakes a sleeping shard.

use super::{Ask, Message, StoreAnswers};
use ringmill_mesh::{Mesh, Waker};
use ringmill_reactor::{
    Driver, End, Errno, Fd, Handler, ListenerId, Mail, Now, Reactor, SEED_BYTES, SocketId, Uring,
};
use ringmill_sqlite::{Class, Job, Options, Statement, Store, Value};

#[derive(Default)]
struct Replies(Vec<(u64, Value)>);

impl<D: Driver<Message = Message>> Handler<D> for Replies {
    fn message(&mut self, _: &mut Reactor<D>, mail: Mail<Message>) {
        let Message::Stored { ticket, reply } = mail.message else { panic!("only replies come here") };
        let rows = reply.expect("the job succeeds");
        self.0.push((ticket, rows[0].cells[0].clone()));
    }

    fn accepted(&mut self, _: &mut Reactor<D>, _: ListenerId, _: Fd) {}
    fn received(&mut self, _: &mut Reactor<D>, _: SocketId, _: u64, _: D::Buffer) {}
    fn filled(&mut self, _: &mut Reactor<D>, _: SocketId, _: u64, _: Vec<u8>, _: usize) {}
    fn ended(&mut self, _: &mut Reactor<D>, _: SocketId, _: u64, _: End) {}
    fn sent(&mut self, _: &mut Reactor<D>, _: SocketId, _: u64) {}
    fn timer(&mut self, _: &mut Reactor<D>, _: u64) {}
    fn tasks_ran(&mut self, _: &mut Reactor<D>, _: usize) {}
    fn turned(&mut self, _: &mut Reactor<D>, _: Now) {}
    fn accept_failed(&mut self, _: &mut Reactor<D>, _: ListenerId, _: Errno) {}
}

#[test]
fn a_reply_of_the_store_wakes_a_sleeping_shard() {
    const JOBS: u64 = 2000;
    let folder = tempfile::tempdir().unwrap();
    let mesh = Mesh::<Message>::new(1, 1 + 3);
    let store = Store::open(Options::new(folder.path().join("a.db")), |thread| {
        let guest = mesh.guest_seat(1 + thread).adopt_guest(Waker::Callback(Box::new(|| ())));
        Box::new(StoreAnswers::new(guest, 1, Default::default()))
    })
    .unwrap();
    let handle = store.handle();
    let mut reactor = Reactor::new(Uring::new(mesh.seat(0).adopt(), [0; SEED_BYTES]).unwrap());
    let mut replies = Replies::default();
    for ticket in 0..JOBS {
        let class = [Class::Read, Class::ReadByKey, Class::Write][ticket as usize % 3];
        // Slow enough that the shard is asleep by the time the reply comes.
        let sql = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 500) SELECT ?1 + 0 * sum(i) FROM n";
        let statement = Statement { sql: sql.into(), parameters: vec![Value::Integer(ticket as i64)] };
        handle.ask(0, ticket, None, Job::new(class, vec![statement])).unwrap();
        while replies.0.len() as u64 <= ticket {
            reactor.turn(&mut replies);
        }
        assert_eq!(replies.0[ticket as usize], (ticket, Value::Integer(ticket as i64)));
    }
    // One turn to fall asleep and be woken in for each, and a few where the reply was there at once.
    assert!(reactor.turns.count <= 2 * JOBS, "{} turns: it slept", reactor.turns.count);
    store.close(std::time::Duration::from_secs(5));
}
