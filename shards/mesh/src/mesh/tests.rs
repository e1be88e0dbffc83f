use super::Mesh;
use crate::{REQUESTS, Waker};
use ringmill_reactor::Peers;
use std::time::Duration;

fn guest<M: Send>(mesh: &std::sync::Arc<Mesh<M>>, index: usize) -> crate::Guest<M> {
    mesh.guest_seat(index).adopt_guest(Waker::Thread(std::thread::current()))
}

#[test]
fn an_answer_has_room_when_every_request_is_used_up() {
    let mesh = Mesh::new(0, 2);
    let (mut a, mut b) = (guest(&mesh, 0), guest(&mesh, 1));
    for number in 0..REQUESTS {
        assert_eq!(a.request(1, number), Ok(()));
        assert_eq!(b.request(0, number), Ok(()));
    }
    assert_eq!(a.request(1, 0), Err(0));
    // All answers of both directions fit beside all requests.
    for number in 0..REQUESTS {
        let mail = a.pop().unwrap();
        assert_eq!((mail.source, mail.message), (1, number));
        a.answer(1, 10_000 + number);
    }
    for number in 0..REQUESTS {
        assert_eq!(b.pop().unwrap().message, number);
        b.answer(0, 20_000 + number);
    }
    for number in 0..REQUESTS {
        assert_eq!(b.pop().unwrap().message, 10_000 + number);
        assert_eq!(a.pop().unwrap().message, 20_000 + number);
    }
    assert!(a.pop().is_none() && b.pop().is_none());
    assert_eq!(a.request(1, 1), Ok(()));
}

#[test]
#[expect(clippy::needless_range_loop)]
fn order_holds_within_each_pair() {
    const SENDERS: usize = 70;
    const EACH: usize = 200;
    let mesh = Mesh::new(0, SENDERS + 1);
    let mut receiver = guest(&mesh, SENDERS);
    let threads: Vec<_> = (0..SENDERS)
        .map(|index| {
            let seat = mesh.guest_seat(index);
            std::thread::spawn(move || {
                let mut sender = seat.adopt_guest(Waker::Thread(std::thread::current()));
                for number in 0..EACH {
                    assert!(sender.post(SENDERS, number).is_ok());
                }
            })
        })
        .collect();
    let mut next = [0; SENDERS];
    for _ in 0..SENDERS * EACH {
        let mail = receiver.pop_or_wait(Duration::from_secs(30)).expect("no wake-up is lost");
        assert_eq!(mail.message, next[mail.source]);
        next[mail.source] += 1;
    }
    for thread in threads {
        thread.join().unwrap();
    }
    for index in 0..SENDERS {
        assert_eq!(next[index], EACH);
    }
}

#[test]
fn posts_have_a_bound_and_leave_room() {
    let mesh = Mesh::new(0, 2);
    let mut a = guest(&mesh, 0);
    for number in 0..crate::POSTS {
        assert_eq!(a.post(1, number), Ok(()));
    }
    assert_eq!(a.post(1, 7), Err(7));
    for number in 0..REQUESTS {
        assert_eq!(a.request(1, number), Ok(()), "requests have their own room");
    }
}

#[test]
fn a_sleeper_is_announced_to_one_sender_only() {
    let mesh = Mesh::new(3, 0);
    let (mut a, mut b, mut sleeper) = (mesh.seat(0).adopt(), mesh.seat(1).adopt(), mesh.seat(2).adopt());
    assert!(sleeper.fall_asleep());
    a.request(2, ()).unwrap();
    b.request(2, ()).unwrap();
    assert_eq!((a.wakes.len(), b.wakes.len()), (1, 0));
    assert!(!sleeper.fall_asleep(), "mail is there");
    assert!(sleeper.pop().is_some() && sleeper.pop().is_some() && sleeper.pop().is_none());
    assert!(sleeper.fall_asleep());
}
