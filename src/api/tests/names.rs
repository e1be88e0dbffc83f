//! Names are found, in few steps.

use crate::api::names::Names;

#[test]
fn every_name_is_found_and_no_other() {
    let known = ["b", "", "a", "aa", "A", "é", "name"];
    let names = Names::new(known.iter().enumerate().map(|(place, name)| ((*name).to_owned(), place)));
    for (place, name) in known.iter().enumerate() {
        assert_eq!(names.position(name), Some(place), "{name:?}");
    }
    for name in ["c", "aaa", "B", "e", "nam", "name ", "\0"] {
        assert_eq!(names.position(name), None, "{name:?}");
    }
    assert_eq!(Names::default().position("a"), None);
}

/// A body may bring a hundred thousand names to a thousand columns.
#[test]
fn the_steps_grow_with_the_logarithm() {
    for (count, most) in [(1, 1), (7, 3), (1000, 10)] {
        let names = Names::new((0..count).map(|place| (format!("column_{place}"), place)));
        for sought in (0..count).map(|place| format!("column_{place}")).chain(["x".into(), "a".into()]) {
            let mut steps = 0;
            names.position_by(|known| {
                steps += 1;
                known.cmp(&sought)
            });
            assert!(steps <= most + 1, "{steps} steps for {sought} among {count}");
        }
    }
}
