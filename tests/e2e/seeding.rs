//! `ringmill seed` from the outside: how far it is, and what it says at the end.

use crate::server::{folder, run, run_under};

#[test]
fn how_far_it_is_stands_in_the_log_now_and_then() {
    let folder = folder(&[]);
    let ended = run(folder.path(), &["seed", "--table", "posts", "--rows", "120000"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(ended.stdout, "seeded 120000 rows of posts (and 12000 of users)\n");
    let messages: Vec<String> = ended
        .stderr
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("a line of the log"))
        .filter_map(|line| Some(line["message"].as_str()?.to_owned()))
        .filter(|message| message.starts_with("Seeding"))
        .collect();
    let expected = [
        "Seeding users: 12,000 rows",
        "Seeding posts: 120,000 rows",
        "Seeding posts: 100,000 of 120,000 rows",
    ];
    assert_eq!(messages, expected);
}

#[test]
fn on_a_terminal_there_is_a_bar() {
    let folder = folder(&[]);
    // script(1), of util-linux, gives it a terminal of its own.
    let command = r#"exec script -qec "$0 seed --table users --rows 30000 >said" /dev/null"#;
    let ended = run_under(&["sh", "-c", command], folder.path(), &[]);
    let shown = format!("{}{}", ended.stdout, ended.stderr);
    assert!(ended.code == Some(0) && shown.contains("/30,000") && shown.contains('\u{2588}'), "{shown}");
    assert!(!shown.contains("Seeding users"), "{shown}");
    let said = std::fs::read_to_string(folder.path().join("said")).expect("standard output");
    assert_eq!(said, "seeded 30000 rows of users\n");
}
