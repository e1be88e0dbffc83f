use super::door::Door;
use super::existing::Existing;
use super::progress::Progress;
use super::random::Random;
use super::steps::Step;
use super::text::{Person, Subject};
use super::unique::{Odometer, UniqueSet, unique_sets};
use super::value::Maker;
use super::{Wish, report, seed_table, table_of};
use crate::cli::Failure;
use crate::config::plan::{Level, LogFormat};
use crate::config::{Inputs, Plan, load};
use crate::control::log;
use ringmill_sqlite::Value;
use std::collections::HashSet;
use tempfile::TempDir;

/// 2026-11-24T02:00:00.123456Z
const NOW_UNIX_US: i64 = 1_795_485_600_123_456;

/// A plan with its database in a folder of its own.
struct Project {
    plan: Plan,
    _folder: TempDir,
}

impl Project {
    /// Of the built-in file.
    fn builtin() -> Project {
        Project::new(None)
    }

    fn of(toml: &str) -> Project {
        Project::new(Some(toml))
    }

    fn new(toml: Option<&str>) -> Project {
        // Tables that are made are news elsewhere.
        log::set_up(Level::Warn, LogFormat::Text);
        let folder = tempfile::tempdir().expect("a folder for the database");
        let config = toml.map(|toml| {
            let path = folder.path().join("ringmill.toml");
            std::fs::write(&path, format!("format = 1\n{toml}")).expect("room for the file");
            path
        });
        let inputs = Inputs {
            config,
            working_directory: folder.path(),
            environment: Vec::new(),
            sets: Vec::new(),
            flags: Vec::new(),
        };
        let plan = load(&inputs).unwrap_or_else(|faults| panic!("{faults:#?}"));
        assert!(plan.database.sqlite.starts_with(folder.path()));
        Project { plan, _folder: folder }
    }

    fn seed(&self, table: &str, rows: u64, seed: u64) -> Result<Vec<(&str, u64)>, String> {
        let wish = Wish { table: table_of(&self.plan, table).unwrap(), rows, seed };
        match seed_table(&self.plan, wish, NOW_UNIX_US, Progress::in_lines()) {
            Ok(steps) => {
                Ok(steps.iter().map(|step| (self.plan.tables[step.table].name.as_str(), step.rows)).collect())
            }
            Err(Failure::Message(message)) => Err(message),
            Err(Failure::Faults(faults)) => Err(faults.iter().map(ToString::to_string).collect()),
        }
    }

    fn ask(&self, sql: &str) -> Vec<Value> {
        Existing::open(&self.plan)
            .unwrap()
            .ask(sql, Vec::new())
            .unwrap_or_else(|error| panic!("{sql}: {error:?}"))
    }

    #[track_caller]
    fn check(&self, sql: &str, expected: i64) {
        assert_eq!(self.ask(sql), [Value::Integer(expected)], "{sql}");
    }
}

/// Rules of a column: every value is one that the API takes from a request, and numbered ones differ.
#[test]
fn every_value_keeps_its_rules() {
    const COUNT: u128 = 300;
    for column in [
        r#"c = "smallint""#,
        r#"c = { type = "smallint", minimum = 32767 }"#,
        r#"c = { type = "integer", minimum = -5, maximum = 5 }"#,
        r#"c = { type = "integer", maximum = -2147483648 }"#,
        r#"age = { type = "integer", minimum = 0, maximum = 150 }"#,
        r#"age = { type = "integer", minimum = 200 }"#,
        r#"c = { type = "bigint", minimum = 9223372036854775000 }"#,
        r#"c = { type = "bigint", enum = [3, 5, 8] }"#,
        r#"c = "real""#,
        r#"c = { type = "real", minimum = 0.1, maximum = 0.1000001 }"#,
        r#"c = { type = "real", maximum = 0.1, minimum = 0.09 }"#,
        r#"latitude = "double""#,
        r#"c = { type = "double", minimum = -1e-9, maximum = 1e-9 }"#,
        r#"c = { type = "double", maximum = -1e300 }"#,
        r#"price = { type = "numeric", minimum = 0.01, maximum = 9.99 }"#,
        r#"c = { type = "numeric", enum = ["1.50", "2.00"] }"#,
        r#"c = { type = "numeric", minimum = 5 }"#,
        r#"c = "text""#,
        r#"c = { type = "text", max_length = 0 }"#,
        r#"c = { type = "text", min_length = 2, max_length = 2 }"#,
        r#"name = { type = "text", min_length = 40, max_length = 41 }"#,
        r#"title = { type = "text", min_length = 12, max_length = 12 }"#,
        r#"title = { type = "text", max_length = 20 }"#,
        r#"body = { type = "text", min_length = 500 }"#,
        r#"c = { type = "text", enum = ["a \"b\"", "ü\\"] }"#,
        r#"c = { type = "text", format = "email" }"#,
        r#"c = { type = "text", format = "email", max_length = 3 }"#,
        r#"c = { type = "text", format = "email", max_length = 23, min_length = 23 }"#,
        r#"c = { type = "text", format = "email", max_length = 24, min_length = 24 }"#,
        r#"c = { type = "text", format = "email", min_length = 90, max_length = 255 }"#,
        r#"slug = { type = "text", max_length = 14 }"#,
        r#"username = { type = "text", max_length = 13 }"#,
        r#"c = "boolean""#,
        r#"c = "timestamp""#,
        r#"c = { type = "timestamp", enum = ["2026-11-24T02:00:00Z"] }"#,
        r#"c = "date""#,
        r#"c = "uuid""#,
        r#"c = "json""#,
        r#"c = "bytes""#,
    ] {
        let project = Project::of(&format!(
            "[tables.t.columns]\nid = {{ type = \"bigint\", generated = \"identity\" }}\n{column}"
        ));
        let table = &project.plan.tables[0];
        let maker = Maker::new(table, &table.columns[1], NOW_UNIX_US);
        let door = Door::new(&project.plan, 0, &[]).unwrap();
        let mut random = Random::new(7);
        let mut accept = |make: &dyn Fn(&mut Random, &mut String)| {
            let mut json = String::new();
            make(&mut random, &mut json);
            let body = format!("{{\"{}\":{json}}}", table.columns[1].name);
            let statement =
                door.insert(&body, NOW_UNIX_US).unwrap_or_else(|failure| panic!("{column}: {failure:?}"));
            format!("{:?}", statement.parameters)
        };
        for _ in 0..COUNT {
            accept(&|random, out| maker.plausible(Person::draw(random), random, out));
        }
        let count = maker.capacity().min(COUNT);
        assert!(count > 0, "{column}");
        let distinct: HashSet<_> = (0..count)
            .map(|number| accept(&|random, out| maker.numbered(number, Person::draw(random), random, out)))
            .collect();
        // Between two neighbouring numbers there is not room for all.
        if !column.contains("real") && !column.contains("1e300") {
            assert_eq!(distinct.len() as u128, count, "{column}");
        }
        project.seed("t", 50, 1).unwrap();
        project.check("SELECT count(*) FROM t", 50);
    }
}

#[test]
fn names_tell_subjects() {
    for (table, column, subject) in [
        ("users", "name", Subject::Person),
        ("products", "name", Subject::Title),
        ("users", "first_name", Subject::FirstName),
        ("x", "last_name", Subject::LastName),
        ("x", "user_name", Subject::User),
        ("x", "company_name", Subject::Title),
        ("x", "Contact_Email", Subject::Email),
        ("x", "zip_code", Subject::Code),
        ("x", "anything", Subject::Word),
    ] {
        assert_eq!(Subject::of(table, column), subject, "{table}.{column}");
    }
}

#[test]
fn an_odometer_meets_each_combination_once() {
    for (sizes, first) in
        [(vec![7], Some(3)), (vec![1], None), (vec![4, 6], None), (vec![10, 1, 9], None), (vec![0, 5], None)]
    {
        let total: u128 = sizes.iter().product();
        let columns: Vec<usize> = (0..sizes.len()).collect();
        let set = UniqueSet { columns: columns.clone(), is_conditional: false };
        let mut odometer = Odometer::new(set, columns.clone(), sizes.clone(), first, &mut Random::new(5));
        let mut met = HashSet::new();
        while !odometer.is_over() {
            let numbers: Option<Vec<u128>> = columns.iter().map(|column| odometer.number(*column)).collect();
            let numbers = numbers.unwrap();
            assert!(numbers.iter().zip(&sizes).all(|(number, size)| number < size));
            assert!(met.insert(numbers));
            odometer.advance();
        }
        assert_eq!(met.len() as u128, total, "{sizes:?}");
        assert_eq!(odometer.number(0), None);
    }
}

#[test]
fn posts_of_the_built_in_file_get_users_first() {
    let project = Project::builtin();
    assert_eq!(project.seed("posts", 2_500, 1).unwrap(), [("users", 250), ("posts", 2_500)]);
    project.check("SELECT count(*) FROM posts", 2_500);
    project.check("SELECT count(*) FROM posts p LEFT JOIN users u ON u.id = p.user_id WHERE u.id IS NULL", 0);
    project.check("SELECT count(DISTINCT email) FROM users", 250);
    project.check("SELECT count(*) FROM users WHERE email LIKE '%.%@example.___' AND name LIKE '% %'", 250);
    project.check("SELECT count(*) FROM users WHERE email LIKE replace(lower(name), ' ', '.') || '%@%'", 250);
    project.check(
        "SELECT count(*) FROM users WHERE created_at = updated_at AND created_at GLOB \
         '202[456]-??-??T??:??:??.??????Z' AND created_at <= '2026-11-24T02:00:00.123456Z'",
        250,
    );
    project.check("SELECT count(*) > 200 FROM users WHERE status = 'active'", 1);
    // There are users now; the same seed again meets rows that exist.
    assert_eq!(project.seed("posts", 10, 1).unwrap(), [("posts", 10)]);
    assert_eq!(project.seed("users", 1_001, 1).unwrap(), [("users", 1_001)]);
    project.check("SELECT count(DISTINCT email) FROM users", 1_251);
}

#[test]
fn equal_seeds_give_equal_rows() {
    let rows = |seed| {
        let project = Project::builtin();
        project.seed("posts", 300, seed).unwrap();
        let mut rows = project.ask("SELECT * FROM users ORDER BY id");
        rows.extend(project.ask("SELECT * FROM posts ORDER BY id"));
        rows.iter().map(|value| format!("{value:?}")).collect::<Vec<_>>()
    };
    assert_eq!(rows(3), rows(3));
    assert_ne!(rows(3), rows(4));
}

const CLUB: &str = r#"
[tables.people.columns]
id = { type = "uuid", generated = "uuid" }
name = { type = "text", required = true, max_length = 30 }
code = { type = "text", unique = true, required = true, max_length = 4 }
born = "date"
[tables.clubs.columns]
id = { type = "uuid" }
name = { type = "text", required = true, unique = true, max_length = 60 }
other = { type = "uuid", generated = "uuid" }
[tables.members]
key = ["person", "club"]
indexes = [{ columns = ["club", "seat"], unique = true }]
[tables.members.columns]
person = { type = "uuid", references = "people.id" }
club = { type = "uuid", references = "clubs.id" }
seat = { type = "integer", required = true, minimum = 1, maximum = 5000 }
role = { type = "text", enum = ["member", "board"], default = "member", required = true }
fee = { type = "numeric", minimum = 0, maximum = 99.5, required = true }
share = { type = "real", minimum = 0.1, maximum = 0.9 }
joined = { type = "timestamp", required = true }
photo = "bytes"
more = "json"
[tables.passports.columns]
id = { type = "bigint", generated = "identity" }
person = { type = "uuid", required = true, unique = true, references = "people.id" }
"#;

#[test]
fn composite_keys_uuids_choices_and_ranges() {
    let project = Project::of(CLUB);
    let done = project.seed("members", 900, 2).unwrap();
    assert_eq!(done, [("people", 90), ("clubs", 90), ("members", 900)]);
    for rows in [300, 1_500] {
        project.seed("members", rows, 2).unwrap();
    }
    project.check("SELECT count(*) FROM (SELECT DISTINCT person, club FROM members)", 2_700);
    project.check("SELECT count(*) FROM (SELECT DISTINCT club, seat FROM members)", 2_700);
    project.check(
        "SELECT count(*) FROM members m JOIN people p ON p.id = m.person JOIN clubs c ON c.id = m.club",
        2_700,
    );
    project.check("SELECT count(DISTINCT role) FROM members", 2);
    project.check(
        "SELECT count(*) FROM members WHERE share NOT BETWEEN 0.1 AND 0.9 OR CAST(fee AS REAL) > 99.5",
        0,
    );
    project.check("SELECT count(*) FROM members WHERE joined NOT GLOB '202[456]-*T*.??????Z'", 0);
    project
        .check("SELECT count(*) FROM people WHERE id GLOB '????????-????-4???-[89ab]???-????????????'", 90);
    // One to one: each needs a person that has none yet.
    assert_eq!(project.seed("passports", 60, 2).unwrap(), [("passports", 60)]);
    assert_eq!(project.seed("passports", 100, 2).unwrap(), [("people", 70), ("passports", 100)]);
    project.check("SELECT count(DISTINCT person) FROM passports", 160);
}

#[test]
fn pairs_get_enough_parents() {
    let project = Project::of(
        r#"
        [tables.tags.columns]
        id = { type = "integer", generated = "identity" }
        label = { type = "text", required = true, unique = true, max_length = 8 }
        [tables.links]
        key = ["a", "b"]
        [tables.links.columns]
        a = { type = "integer", references = "tags.id" }
        b = { type = "integer", references = "tags.id" }
        "#,
    );
    project.seed("tags", 1, 1).unwrap();
    assert_eq!(project.seed("links", 100, 1).unwrap(), [("tags", 9), ("links", 100)]);
    assert_eq!(project.seed("links", 21, 1).unwrap(), [("tags", 1), ("links", 21)]);
    project.check("SELECT count(*) FROM links", 121);
}

#[test]
fn what_can_not_be_is_refused_with_nothing_done() {
    const IDENTITY: &str = r#"id = { type = "bigint", generated = "identity" }"#;
    let boss = |rest: &str| {
        format!(
            "[tables.staff.columns]\n{IDENTITY}\nboss = {{ type = \"bigint\", references = \"staff.id\"{rest} }}"
        )
    };
    let circle = |a: &str, b: &str| {
        format!(
            "[tables.a.columns]\n{IDENTITY}\nb = {{ type = \"bigint\", references = \"b.id\"{a} }}\n\
             [tables.b.columns]\n{IDENTITY}\na = {{ type = \"bigint\", references = \"a.id\"{b} }}"
        )
    };
    let single = |column: &str| format!("[tables.t.columns]\n{IDENTITY}\nc = {column}");
    let required = ", required = true";
    for (toml, table, rows, expected) in [
        (boss(""), "staff", 100, Ok(vec![("staff", 100)])),
        (boss(", unique = true"), "staff", 20, Ok(vec![("staff", 20)])),
        (
            boss(required),
            "staff",
            1,
            Err("staff.boss is required and refers to its own table, which is empty"),
        ),
        (circle("", ""), "a", 20, Ok(vec![("b", 2), ("a", 20)])),
        (circle(required, ""), "a", 20, Ok(vec![("b", 2), ("a", 20)])),
        (circle("", required), "a", 20, Ok(vec![("a", 20)])),
        (
            circle(required, required),
            "a",
            1,
            Err("a.b is required and refers to b, which is empty and needs"),
        ),
        (single(r#"{ type = "boolean", unique = true }"#), "t", 5, Ok(vec![("t", 5)])),
        (
            single(r#"{ type = "integer", unique = true, required = true, minimum = 1, maximum = 9 }"#),
            "t",
            9,
            Ok(vec![("t", 9)]),
        ),
        (
            single(r#"{ type = "integer", unique = true, required = true, minimum = 1, maximum = 9 }"#),
            "t",
            10,
            Err("t.c must be unique and has 9 values, and t has 0 rows already; ask for at most 9 rows"),
        ),
        (
            single(r#"{ type = "text", format = "email", max_length = 2, required = true }"#),
            "t",
            1,
            Err("no row of t fits its rules"),
        ),
    ] {
        let project = Project::of(&toml);
        match (project.seed(table, rows, 1), expected) {
            (Ok(done), Ok(expected)) => {
                assert_eq!(done, expected, "{toml}");
                project.check(&format!("SELECT count(*) FROM {table}"), rows as i64);
            }
            (Err(message), Err(expected)) => {
                assert!(message.starts_with(expected), "{message}");
                project.check(&format!("SELECT count(*) FROM {table}"), 0);
            }
            (done, expected) => panic!("{toml}: {done:?} instead of {expected:?}"),
        }
        if toml == boss("") {
            project.check("SELECT count(*) > 50 FROM staff WHERE boss < id", 1);
        }
    }
}

#[test]
fn values_that_are_taken_are_stepped_over() {
    let project = Project::of(
        r#"
        [tables.t]
        key = "c"
        indexes = [{ columns = ["d"], unique = true, where = "c > 3" }]
        [tables.t.columns]
        c = { type = "integer", minimum = 1, maximum = 40 }
        d = { type = "text", max_length = 1 }
        "#,
    );
    // The largest value is taken, so that the count begins anew and meets the rest.
    project.seed("t", 5, 1).unwrap();
    ringmill_sqlite::run_script(
        &project.plan.database.sqlite,
        &["INSERT INTO t VALUES (40, NULL), (7, 'A'), (8, NULL)".to_owned()],
    )
    .unwrap();
    project.seed("t", 32, 1).unwrap();
    project.check("SELECT count(*) FROM t", 40);
    assert_eq!(
        project.seed("t", 1, 1).unwrap_err(),
        "t.c must be unique and has 40 values, and t has 40 rows already; ask for at most 0 rows, or widen the \
         column's rules"
    );
}

#[test]
fn sets_that_follow_from_others_are_left_out() {
    let project = Project::of(CLUB);
    let sets = |table: &str| unique_sets(&project.plan.tables[table_of(&project.plan, table).unwrap()]);
    let certain = |columns: &[usize]| UniqueSet { columns: columns.to_vec(), is_conditional: false };
    assert_eq!(sets("members"), [certain(&[0, 1]), certain(&[1, 2])]);
    assert_eq!(sets("people"), [certain(&[2])]);
    assert_eq!(sets("passports"), [certain(&[1])]);
}

#[test]
fn an_unknown_table_is_told_the_nearest() {
    let plan = Project::of(CLUB).plan;
    let told = |name| match table_of(&plan, name) {
        Err(Failure::Message(message)) => message,
        other => panic!("{other:?}"),
    };
    assert_eq!(told("club"), "--table: there is no table club; did you mean `clubs`?");
    assert_eq!(told("x"), "--table: there is no table x; known: people, clubs, members, passports");
}

#[test]
fn a_table_that_is_not_there_is_made_only_if_that_is_wished() {
    let project = Project::of(&format!("[database]\ncreate_missing = false\n{CLUB}"));
    let message = project.seed("people", 1, 1).unwrap_err();
    assert!(message.contains("has no table people; `ringmill migrate` makes it"), "{message}");
    assert!(!project.plan.database.sqlite.exists());
}

#[test]
fn the_report_adds_up() {
    let plan = Project::of(CLUB).plan;
    let step = |table, rows| Step { table, rows };
    let wish = |rows| Wish { table: 2, rows, seed: 0 };
    assert_eq!(report(&plan, wish(1), &[step(2, 1)]), "seeded 1 row of members");
    assert_eq!(
        report(&plan, wish(1_000), &[step(0, 90), step(1, 5), step(0, 10), step(2, 1_000)]),
        "seeded 1000 rows of members (and 100 of people, 5 of clubs)"
    );
}
