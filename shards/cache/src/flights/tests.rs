use super::{Flights, Joined};
use crate::key::{Key, Seed};
use proptest::prelude::*;

fn key(number: u8) -> Key {
    Seed::new([1, 2, 3, 4]).key(&[number]).to_key()
}

#[test]
fn who_comes_before_the_question_waits_for_it() {
    let mut flights = Flights::default();
    assert_eq!(flights.join(&key(1), 5, "a"), Joined::First);
    assert_eq!(flights.join(&key(1), 9, "b"), Joined::Waits);
    assert_eq!(flights.join(&key(2), 9, "c"), Joined::First);
    flights.begin(&key(1), 9);
    let ended = flights.end(&key(1));
    assert_eq!((ended.waiters, ended.has_next), (vec!["a", "b"], false));
    assert_eq!(flights.len(), 1);
}

#[test]
fn who_has_a_higher_floor_than_the_flight_waits_for_the_next_one() {
    let mut flights = Flights::default();
    flights.join(&key(1), 5, "a");
    flights.begin(&key(1), 7);
    flights.join(&key(1), 7, "same");
    flights.join(&key(1), 8, "late");
    flights.join(&key(1), 6, "earlier");
    let ended = flights.end(&key(1));
    assert_eq!((ended.waiters, ended.has_next), (vec!["a", "same", "earlier"], true));
    // The next one has not asked yet: whoever comes now waits for it too.
    assert_eq!(flights.join(&key(1), 99, "later"), Joined::Waits);
    flights.begin(&key(1), 99);
    let ended = flights.end(&key(1));
    assert_eq!((ended.waiters, ended.has_next), (vec!["late", "later"], false));
    assert!(flights.is_empty());
}

#[derive(Clone, Debug)]
enum Step {
    Join(u8),
    Write,
    Begin(u8),
    End(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..3_u8).prop_map(Step::Join),
        2 => Just(Step::Write),
        3 => (0..3_u8).prop_map(Step::Begin),
        3 => (0..3_u8).prop_map(Step::End),
    ];
    proptest::collection::vec(step, 1..120)
}

proptest! {
    /// Against requests that know what they need: each gets one answer, new enough; a key has one flight at a time; all come
    /// to an end.
    #[test]
    fn everybody_gets_one_answer_that_is_new_enough(steps in steps()) {
        let mut flights = Flights::default();
        let mut counter = 0_u64;
        let mut floors: Vec<u64> = Vec::new();
        let mut got: Vec<u32> = Vec::new();
        // Of each key: whether a flight waits to be begun, and what the running one noted.
        let mut waiting = [false; 3];
        let mut running: [Option<u64>; 3] = [None; 3];
        let end = |flights: &mut Flights<usize>, running: &mut [Option<u64>; 3], waiting: &mut [bool; 3],
                       floors: &[u64], got: &mut Vec<u32>, number: usize| {
            let Some(filled_at) = running[number].take() else { return };
            let ended = flights.end(&key(number as u8));
            assert!(!ended.waiters.is_empty(), "a flight for nobody");
            for waiter in ended.waiters {
                assert!(filled_at >= floors[waiter], "filled at {filled_at}, needed {}", floors[waiter]);
                got[waiter] += 1;
            }
            waiting[number] = ended.has_next;
        };
        for step in steps {
            match step {
                Step::Write => counter += 1,
                Step::Join(number) => {
                    let waiter = floors.len();
                    floors.push(counter);
                    got.push(0);
                    let index = usize::from(number);
                    match flights.join(&key(number), counter, waiter) {
                        Joined::First => {
                            prop_assert!(!waiting[index] && running[index].is_none());
                            waiting[index] = true;
                        }
                        Joined::Waits => prop_assert!(waiting[index] || running[index].is_some()),
                    }
                }
                Step::Begin(number) if waiting[usize::from(number)] => {
                    waiting[usize::from(number)] = false;
                    running[usize::from(number)] = Some(counter);
                    flights.begin(&key(number), counter);
                }
                Step::Begin(_) => {}
                Step::End(number) => {
                    end(&mut flights, &mut running, &mut waiting, &floors, &mut got, usize::from(number));
                }
            }
        }
        for number in 0..3 {
            for _ in 0..2 {
                end(&mut flights, &mut running, &mut waiting, &floors, &mut got, number);
                if waiting[number] {
                    waiting[number] = false;
                    running[number] = Some(counter);
                    flights.begin(&key(number as u8), counter);
                }
            }
            end(&mut flights, &mut running, &mut waiting, &floors, &mut got, number);
        }
        prop_assert!(flights.is_empty());
        prop_assert!(got.iter().all(|count| *count == 1), "{got:?}");
    }
}
