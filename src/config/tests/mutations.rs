//! No file panics: the built-in one with lines lost, doubled and garbled, below flags. Other files, and whether what has no fault
//! can be served: `tests/model/broken.rs`.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Mutation {
    Delete(usize),
    Double(usize),
    Swap(usize, usize),
    Garble(usize, char),
    Exchange(usize, usize),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let position = 0..BUILTIN.len();
    prop_oneof![
        any::<usize>().prop_map(Mutation::Delete),
        any::<usize>().prop_map(Mutation::Double),
        (any::<usize>(), any::<usize>()).prop_map(|(from, to)| Mutation::Swap(from, to)),
        (
            position,
            prop_oneof![
                any::<char>(),
                prop::sample::select("\"[]{}=,.$@/0-9'#\\\n".chars().collect::<Vec<_>>())
            ]
        )
            .prop_map(|(at, with)| Mutation::Garble(at, with)),
        (any::<usize>(), any::<usize>()).prop_map(|(from, to)| Mutation::Exchange(from, to)),
    ]
}

fn apply(text: &str, mutation: &Mutation) -> String {
    let mut lines: Vec<String> = text.split('\n').map(str::to_string).collect();
    let count = lines.len();
    match mutation {
        Mutation::Delete(line) => _ = lines.remove(line % count),
        Mutation::Double(line) => lines.insert(line % count, lines[line % count].clone()),
        Mutation::Swap(from, to) => lines.swap(from % count, to % count),
        // The value of one line for that of another: still TOML, seldom what is meant.
        Mutation::Exchange(from, to) => {
            let value = lines[from % count].split_once(" = ").map(|(_, value)| value.to_string());
            let line = &mut lines[to % count];
            if let (Some(value), Some((key, _))) = (value, line.split_once(" = ")) {
                *line = format!("{key} = {value}");
            }
        }
        Mutation::Garble(at, with) => {
            let mut letters: Vec<char> = text.chars().collect();
            let index = at % letters.len();
            letters[index] = *with;
            return letters.into_iter().collect();
        }
    }
    lines.join("\n")
}

/// The layers above the file, so that these meet odd trees too.
const SETS: [(&str, &str); 3] = [
    ("tables.users.cache.ttl", "1s"),
    ("server.listen", "127.0.0.1:1"),
    ("tables.users.columns.id.unique", "true"),
];

fn load_mutated(mutations: &[Mutation]) {
    let text = mutations.iter().fold(BUILTIN.to_string(), |text, mutation| apply(&text, mutation));
    let folder = Folder::with(&text);
    match folder.load(&[], &SETS) {
        Ok(plan) => _ = plan.no_effect_yet(),
        Err(faults) => {
            let is_whole =
                |fault: &Fault| !fault.remedy.is_empty() && (fault.line.is_some() || fault.file == "--set");
            assert!(!faults.is_empty() && faults.iter().all(is_whole), "{:#?} of\n{text}", shown(&faults));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_mutation_panics(mutations in prop::collection::vec(mutation(), 1..6)) {
        load_mutated(&mutations);
    }
}

/// Each value of the file in turn becomes one of each kind.
#[test]
fn every_value_may_have_any_kind() {
    let values = [
        "1",
        "-1",
        "1.5",
        "nan",
        "true",
        "\"\"",
        "\"x\"",
        "\"@row\"",
        "[]",
        "[1]",
        "[[\"x\"]]",
        "{}",
        "{ x = 1 }",
        "2026-01-01",
        "99999999999999999999999999999999999999999999",
    ];
    let lines: Vec<&str> = BUILTIN.lines().collect();
    for (index, line) in lines.iter().enumerate() {
        let Some((key, _)) = line.split_once(" = ").filter(|_| !line.starts_with('#')) else { continue };
        for value in values {
            let changed = format!("{key} = {value}");
            let mut lines = lines.clone();
            lines[index] = &changed;
            let text = lines.join("\n");
            match Folder::with(&text).load(&[], &[]) {
                Ok(_) => {}
                Err(faults) => {
                    assert!(
                        faults.iter().all(|fault| fault.line.is_some()),
                        "{changed}: {:#?}",
                        shown(&faults)
                    );
                }
            }
        }
    }
}
