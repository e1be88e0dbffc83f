use super::{ENTRY_BYTES, Look, Partition};
use crate::entry::{Ages, Entry, Life};
use crate::key::{KeyRef, Seed};
use proptest::prelude::*;
use std::collections::HashMap;

const AGES: Ages = Ages { ttl: 100, stale_while_revalidate: 10, stale_if_error: 50 };

fn entry(filled_at: u64, born_ns: u64, reply: u32, bytes: usize) -> Entry<u32> {
    let life = Life::new(AGES, born_ns, 0);
    Entry { filled_at, slots: [1, 2].into_iter().collect(), life, reply, bytes }
}

fn seed() -> Seed {
    Seed::new([1, 2, 3, 4])
}

fn found(look: Look<'_, u32>) -> (&'static str, u32) {
    match look {
        Look::Fresh(entry) => ("fresh", entry.reply),
        Look::Stale(entry) => ("stale", entry.reply),
        Look::Passes => ("passes", 0),
        Look::Nothing => ("nothing", 0),
    }
}

#[test]
fn floor_and_age_decide() {
    let seed = seed();
    let key = seed.key(b"a");
    let mut partition = Partition::new(1 << 20);
    assert_eq!(found(partition.look(key, 0, 0)), ("nothing", 0));
    assert!(partition.put(key, entry(5, 1000, 7, 10)));
    for (now_ns, floor, expected, in_need) in [
        (1000, 0, ("fresh", 7), Some(7)),
        (1099, 5, ("fresh", 7), Some(7)),
        // A write has marked it: no age helps, not even in need.
        (1000, 6, ("nothing", 0), None),
        (1100, 5, ("stale", 7), Some(7)),
        (1100, 6, ("nothing", 0), None),
        (1110, 5, ("nothing", 0), Some(7)),
        (1149, 6, ("nothing", 0), None),
        (1150, 5, ("nothing", 0), None),
    ] {
        assert_eq!(found(partition.look(key, now_ns, floor)), expected, "at {now_ns}, floor {floor}");
        let present = partition.look_in_need(key, now_ns, floor).map(|entry| entry.reply);
        assert_eq!(present, in_need, "at {now_ns}, floor {floor}");
    }
    assert_eq!(found(partition.look(seed.key(b"b"), 1000, 0)), ("nothing", 0));
}

#[test]
fn an_entry_is_replaced_by_a_newer_one_only() {
    let seed = seed();
    let key = seed.key(b"a");
    let mut partition = Partition::new(1 << 20);
    assert!(partition.put(key, entry(5, 1000, 1, 10)));
    assert!(!partition.put(key, entry(4, 1001, 2, 10)), "an older fill that came later");
    assert!(!partition.put(key, entry(5, 999, 3, 10)), "the same state of the board, asked for earlier");
    assert_eq!(found(partition.look(key, 1000, 0)), ("fresh", 1));
    assert!(partition.put(key, entry(5, 1050, 4, 10)), "made anew because of its age");
    assert!(partition.put(key, entry(6, 1040, 5, 10)));
    assert_eq!(found(partition.look(key, 1050, 0)), ("fresh", 5));
}

#[test]
fn what_cannot_be_kept_is_known_for_a_while() {
    let seed = seed();
    let key = seed.key(b"a");
    let mut partition: Partition<u32> = Partition::new(1 << 20);
    partition.put_pass(key, 2000);
    assert_eq!(found(partition.look(key, 1999, 9)), ("passes", 0));
    assert_eq!(found(partition.look(key, 2000, 9)), ("nothing", 0));
    assert!(partition.look_in_need(key, 0, 0).is_none());
    assert!(partition.put(key, entry(1, 3000, 1, 10)));
    assert_eq!(found(partition.look(key, 3000, 1)), ("fresh", 1));
    assert_eq!(partition.iter().count(), 1);
}

#[test]
fn the_budget_holds_and_no_entry_is_larger_than_its_share() {
    let seed = seed();
    let mut partition = Partition::new(1 << 20);
    let key = seed.key(b"large");
    let most = (1 << 17) - ENTRY_BYTES - 5;
    assert!(partition.put(key, entry(1, 0, 1, most)));
    assert!(!partition.put(key, entry(2, 0, 1, most + 1)), "one byte more than an eighth");
    assert_eq!(found(partition.look(key, 0, 0)), ("nothing", 0), "what it would have replaced is gone");
    for number in 0..100_000_u32 {
        partition.put(seed.key(&number.to_le_bytes()), entry(1, 0, number, (number % 700) as usize));
        assert!(partition.bytes() <= partition.bytes_max());
    }
    assert_eq!(partition.bytes_max(), 1 << 20);
    assert!(partition.bytes() > (1 << 20) * 9 / 10, "{} bytes are used", partition.bytes());
    assert_eq!(partition.len() as u64 + partition.evicted(), 100_000);
    partition.clear();
    assert_eq!((partition.len(), partition.bytes()), (0, 0));
}

proptest! {
    /// Against a map that forgets nothing: what is found is what was put last and is valid; what is not found was never
    /// there, is no longer valid, or had to go.
    #[test]
    fn never_another_answer_than_the_last(
        steps in proptest::collection::vec((0..40_u8, 0..3_u8, 0..30_u64, 0..400_usize), 1..400)
    ) {
        let seed = seed();
        let mut partition = Partition::new(6 * 1024);
        let mut model: HashMap<u8, (u64, u64, u32)> = HashMap::new();
        let (mut now_ns, mut reply) = (0, 0);
        for (number, what, value, bytes) in steps {
            now_ns += 1;
            let name = [number];
            let key: KeyRef<'_> = seed.key(&name);
            if what == 0 {
                reply += 1;
                let was_put = partition.put(key, entry(value, now_ns, reply, bytes));
                let is_older = model.get(&number).is_some_and(|(filled_at, ..)| *filled_at > value);
                // An older one may take the place of what had to go.
                prop_assert!(was_put || is_older, "put {reply} at {value}");
                if was_put {
                    model.insert(number, (value, now_ns, reply));
                }
            } else {
                let floor = value;
                let known = model.get(&number).copied();
                match partition.look(key, now_ns, floor) {
                    Look::Fresh(entry) | Look::Stale(entry) => {
                        let (filled_at, born_ns, last) = known.expect("put before");
                        prop_assert_eq!(entry.reply, last);
                        prop_assert!(filled_at >= floor && now_ns < born_ns + 110);
                    }
                    Look::Passes => prop_assert!(false, "nothing passes"),
                    Look::Nothing => {}
                }
            }
        }
    }
}
