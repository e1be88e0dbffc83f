//! Shards on real rings and threads: every way in which a sleeping one is woken, and messages between two of them.

use ringmill_mesh::{Mesh, Port, Waker};
use ringmill_reactor::{
    Driver, End, Errno, Fd, Handler, ListenerId, Mail, Now, Reactor, SEED_BYTES, SocketId, Uring, Wait,
    listen,
};
use std::io::{Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

type Core = Reactor<Uring<Port<Note>>>;

#[derive(Debug, PartialEq)]
enum Note {
    Ping(u64),
    Pong(u64),
    Stop,
}

/// Answers pings; counts what it sees.
#[derive(Default)]
struct Echo {
    pings: u64,
    pongs: u64,
    timers: Vec<u64>,
    bytes: u64,
    is_stopped: bool,
}

impl<D: Driver<Message = Note>> Handler<D> for Echo {
    fn accepted(&mut self, reactor: &mut Reactor<D>, _: ListenerId, fd: Fd) {
        reactor.open(fd, 0);
    }

    fn received(&mut self, reactor: &mut Reactor<D>, socket: SocketId, _: u64, bytes: D::Buffer) {
        self.bytes += bytes.len() as u64;
        let mut out = reactor.take_output(socket);
        out.extend_from_slice(&bytes);
        reactor.put_output(socket, out);
    }

    fn filled(&mut self, _: &mut Reactor<D>, _: SocketId, _: u64, _: Vec<u8>, _: usize) {}

    fn ended(&mut self, reactor: &mut Reactor<D>, socket: SocketId, _: u64, _: End) {
        reactor.close(socket);
    }

    fn sent(&mut self, _: &mut Reactor<D>, _: SocketId, _: u64) {}

    fn timer(&mut self, _: &mut Reactor<D>, payload: u64) {
        self.timers.push(payload);
    }

    fn message(&mut self, reactor: &mut Reactor<D>, mail: Mail<Note>) {
        match mail.message {
            Note::Ping(number) => {
                assert_eq!(number, self.pings, "order holds");
                self.pings += 1;
                reactor.driver().answer(mail.source, Note::Pong(number));
            }
            Note::Pong(number) => {
                assert_eq!(number, self.pongs, "order holds");
                self.pongs += 1;
            }
            Note::Stop => self.is_stopped = true,
        }
    }

    fn tasks_ran(&mut self, _: &mut Reactor<D>, _: usize) {}
    fn turned(&mut self, _: &mut Reactor<D>, _: Now) {}
    fn accept_failed(&mut self, _: &mut Reactor<D>, _: ListenerId, _: Errno) {}
}

fn core(mesh: &Arc<Mesh<Note>>, index: usize) -> Core {
    Reactor::new(
        Uring::new(mesh.seat(index).adopt(), [index as u8; SEED_BYTES]).expect("io_uring works on this host"),
    )
}

/// Runs a shard on its own thread until it is told to stop.
fn spawn(mesh: &Arc<Mesh<Note>>, index: usize) -> std::thread::JoinHandle<Echo> {
    let mesh = mesh.clone();
    std::thread::spawn(move || {
        let mut reactor = core(&mesh, index);
        let mut echo = Echo::default();
        while !echo.is_stopped {
            reactor.turn(&mut echo);
        }
        echo
    })
}

#[test]
fn a_million_ping_pongs_between_two_shards_end() {
    const PINGS: u64 = 1_000_000;
    let mesh = Mesh::new(2, 0);
    let other = spawn(&mesh, 1);
    let mut reactor = core(&mesh, 0);
    let mut echo = Echo::default();
    let started = Instant::now();
    while echo.pongs < PINGS {
        // One at a time, so that each side has to be woken from its sleep again and again.
        reactor.driver().request(1, Note::Ping(echo.pongs)).unwrap();
        let next = echo.pongs + 1;
        while echo.pongs < next {
            reactor.turn(&mut echo);
        }
    }
    let each = started.elapsed() / PINGS as u32;
    println!("{PINGS} ping-pongs between two shards: {each:?} each; {} turns", reactor.turns.count);
    reactor.driver().request(1, Note::Stop).unwrap();
    reactor.driver().enter(Wait::No, &mut Vec::new());
    assert_eq!(other.join().unwrap().pings, PINGS);
}

#[test]
fn many_messages_at_once_keep_their_order_and_their_bound() {
    const PINGS: u64 = 100_000;
    let mesh = Mesh::new(2, 0);
    let other = spawn(&mesh, 1);
    let mut reactor = core(&mesh, 0);
    let mut echo = Echo::default();
    let mut next = 0;
    let mut refused = 0;
    while echo.pongs < PINGS {
        while next < PINGS {
            match reactor.driver().request(1, Note::Ping(next)) {
                Ok(()) => next += 1,
                Err(note) => {
                    assert_eq!(note, Note::Ping(next));
                    refused += 1;
                    break;
                }
            }
        }
        reactor.turn(&mut echo);
    }
    assert!(refused > 0, "the bound was reached");
    reactor.driver().request(1, Note::Stop).unwrap();
    reactor.driver().enter(Wait::No, &mut Vec::new());
    assert_eq!(other.join().unwrap().pings, PINGS);
}

#[test]
fn an_ordinary_thread_wakes_a_sleeping_shard_and_is_woken_by_it() {
    let mesh = Mesh::new(1, 1);
    let shard = spawn(&mesh, 0);
    let mut guest = mesh.guest_seat(0).adopt_guest(Waker::Thread(std::thread::current()));
    for number in 0..20_000 {
        guest.request(0, Note::Ping(number)).unwrap();
        let mail = guest.pop_or_wait(Duration::from_secs(30)).expect("no wake-up is lost");
        assert_eq!(mail.message, Note::Pong(number));
    }
    guest.post(0, Note::Stop).unwrap();
    assert_eq!(shard.join().unwrap().pings, 20_000);
}

#[test]
fn a_timer_wakes_a_sleeping_shard() {
    let mesh = Mesh::new(1, 0);
    let mut reactor = core(&mesh, 0);
    let mut echo = Echo::default();
    let start = reactor.now().monotonic_ns;
    reactor.set_timer(start + 20_000_000, 2);
    reactor.set_timer(start + 10_000_000, 1);
    let cancelled = reactor.set_timer(start + 15_000_000, 3);
    reactor.cancel_timer(cancelled);
    while echo.timers.len() < 2 {
        reactor.turn(&mut echo);
    }
    assert_eq!(echo.timers, [1, 2]);
    assert!(reactor.now().monotonic_ns >= start + 20_000_000, "not before its time");
    assert!(reactor.turns.count < 20, "it slept in between: {} turns", reactor.turns.count);
}

#[test]
fn a_completion_wakes_a_sleeping_shard_and_bytes_come_back_in_order() {
    let mesh = Mesh::new(1, 1);
    let mut listeners = listen("127.0.0.1:0".parse().unwrap(), 1).unwrap();
    let listener = listeners.pop().unwrap();
    let address = listener.address();
    let shard = {
        let mesh = mesh.clone();
        std::thread::spawn(move || {
            let mut reactor = core(&mesh, 0);
            reactor.add_listener(listener.into_fd());
            let mut echo = Echo::default();
            while !echo.is_stopped {
                reactor.turn(&mut echo);
            }
            // Every slot has come back once the clients are gone.
            while reactor.sockets_count() > 0 {
                reactor.turn(&mut echo);
            }
            echo
        })
    };
    let mut sent = 0;
    for round in 0..50u32 {
        let mut client = std::net::TcpStream::connect(address).unwrap();
        let message: Vec<u8> = (0..round * 997 % 40_000 + 1).map(|byte| (byte ^ round) as u8).collect();
        let mut back = vec![0; message.len()];
        let mut writer = client.try_clone().unwrap();
        let expected = message.clone();
        let writing = std::thread::spawn(move || writer.write_all(&message).unwrap());
        client.read_exact(&mut back).unwrap();
        writing.join().unwrap();
        assert_eq!(back, expected);
        sent += back.len() as u64;
    }
    let mut guest = mesh.guest_seat(0).adopt_guest(Waker::Thread(std::thread::current()));
    guest.post(0, Note::Stop).unwrap();
    assert_eq!(shard.join().unwrap().bytes, sent);
}
