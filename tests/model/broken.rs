//! Files with faults: good ones with lines lost, doubled and garbled, values exchanged, keys renamed, bytes thrown in. Loading them
//! never panics and always ends; every fault names its file, a line of it, and a remedy; and a file without a fault can be
//! served: its tables can be made, the statements of its routes compile, and no route answers 500.

use crate::file;
use crate::served::{InProcess, plan};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use ringmill::api::{Api, schema};
use ringmill::config::plan::EndpointKind;
use ringmill::config::{BUILTIN, Fault, Plan};
use ringmill_sqlite::Compiler;
use std::path::{Path, PathBuf};

const CASES: u32 = 800;
const INCLUDED: &str =
    "[tables.more]\nlist = \"/more\"\nitem = \"/more/{id}\"\n\n[tables.more.columns]\nid = \"uuid\"\n";
const STATEMENT: &str = "SELECT 1 AS one";

#[derive(Clone, Debug)]
enum Mutation {
    Delete(usize),
    Double(usize),
    Swap(usize, usize),
    /// The value of one line for that of another.
    Exchange(usize, usize),
    Value(usize, String),
    Key(usize, String),
    Insert(usize, Vec<u8>),
    Overwrite(usize, u8),
    Cut(usize),
    Append(String),
}

/// Values that some key takes, and values that none does.
const VALUES: &[&str] = &[
    "0",
    "-1",
    "1",
    "1.5",
    "nan",
    "inf",
    "1e400",
    "-9223372036854775808",
    "99999999999999999999999999",
    "0x10",
    "true",
    "\"\"",
    "\"x\"",
    "\"@row\"",
    "\"@errors\"",
    "\"@rows\"",
    "\"users.id\"",
    "\"t0.c0\"",
    "\"c0\"",
    "\"/a/{id}\"",
    "\"/a/{c0}\"",
    "\"/health\"",
    "\"text\"",
    "\"bigint\"",
    "\"numeric\"",
    "\"json\"",
    "\"bytes\"",
    "\"timestamp\"",
    "\"identity\"",
    "\"on_write\"",
    "\"cascade\"",
    "\"set_null\"",
    "\"email\"",
    "\"none\"",
    "\"1s\"",
    "\"public\"",
    "[]",
    "[1]",
    "[\"c0\"]",
    "[[\"c0\"]]",
    "[\"c0\", \"c0\"]",
    "{}",
    "{ type = \"text\" }",
    "{ type = \"numeric\", default = 1, unique = true }",
    "{ type = \"real\", minimum = 1e300 }",
    "{ type = \"text\", max_length = 0, default = \"\" }",
    "{ columns = [\"c0\"], unique = true }",
    "{ list = \"public\" }",
    "{ n = \"integer\" }",
    "2026-01-01",
    "2026-01-01T00:00:00Z",
    "\"${NOBODY}\"",
    "\"${NOBODY:-x}\"",
    "\"${file:nowhere}\"",
    "\"${file:/dev/zero}\"",
    "\"${\"",
    "\"SELECT $id\"",
    "\"SELECT 1; SELECT 2\"",
    "\"DELETE FROM users\"",
    "\"nowhere.sql\"",
    "\"/dev/zero\"",
    "\"one.sql\"",
    "\"\\u0000\"",
    "\"\\u202e\"",
    "\"'\\\"; --\"",
    "'''\n'''",
    "[\"more.toml\"]",
    "[\"*.toml\"]",
    "[\"ringmill.toml\"]",
    "[\"nowhere/*\"]",
    "[\"/dev/zero\"]",
    "204",
    "304",
    "500",
    "[\"POST\"]",
    "[\"GET\", \"PUT\"]",
];
const KEYS: &[&str] = &[
    "key",
    "list",
    "item",
    "order",
    "page",
    "access",
    "columns",
    "indexes",
    "replies",
    "type",
    "default",
    "unique",
    "hidden",
    "read_only",
    "required",
    "generated",
    "references",
    "on_delete",
    "enum",
    "minimum",
    "max_length",
    "sql",
    "sql_file",
    "json",
    "echo",
    "params",
    "shape",
    "status",
    "reply",
    "reads",
    "writes",
    "path",
    "methods",
    "cache",
    "include",
    "format",
    "id",
    "c0",
    "create",
    "a.b.c",
    "\"\"",
    "\"a b\"",
    "rowid",
    "table",
    "noun",
    "auth",
    "lst",
    "x",
];

fn mutation() -> impl Strategy<Value = Mutation> {
    let at = || any::<usize>();
    let value = || prop::sample::select(VALUES).prop_map(str::to_owned);
    let key = || prop::sample::select(KEYS).prop_map(str::to_owned);
    prop_oneof![
        2 => at().prop_map(Mutation::Delete),
        1 => at().prop_map(Mutation::Double),
        1 => (at(), at()).prop_map(|(from, to)| Mutation::Swap(from, to)),
        2 => (at(), at()).prop_map(|(from, to)| Mutation::Exchange(from, to)),
        6 => (at(), value()).prop_map(|(line, value)| Mutation::Value(line, value)),
        3 => (at(), key()).prop_map(|(line, key)| Mutation::Key(line, key)),
        1 => (at(), prop::collection::vec(any::<u8>(), 0..5)).prop_map(|(at, bytes)| Mutation::Insert(at, bytes)),
        1 => (at(), prop::sample::select(b"\"[]{}=,.$@/09'#\\\n\0\xff ".to_vec())).prop_map(|(at, byte)| Mutation::Overwrite(at, byte)),
        1 => at().prop_map(Mutation::Cut),
        2 => (key(), value()).prop_map(|(key, value)| Mutation::Append(format!("{key} = {value}"))),
    ]
}

fn apply(text: Vec<u8>, mutation: &Mutation) -> Vec<u8> {
    let mut lines: Vec<Vec<u8>> = text.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    let count = lines.len();
    let halves = |line: &[u8]| {
        let at = line.windows(3).position(|window| window == b" = ")?;
        Some((line[..at].to_vec(), line[at + 3..].to_vec()))
    };
    match mutation {
        Mutation::Delete(line) => _ = lines.remove(line % count),
        Mutation::Double(line) => lines.insert(line % count, lines[line % count].clone()),
        Mutation::Swap(from, to) => lines.swap(from % count, to % count),
        Mutation::Exchange(from, to) => {
            if let (Some((_, value)), Some((key, _))) =
                (halves(&lines[from % count]), halves(&lines[to % count]))
            {
                lines[to % count] = [key, value].join(&b" = "[..]);
            }
        }
        Mutation::Value(line, value) => {
            if let Some((key, _)) = halves(&lines[line % count]) {
                lines[line % count] = [&key, value.as_bytes()].join(&b" = "[..]);
            }
        }
        Mutation::Key(line, key) => {
            if let Some((_, value)) = halves(&lines[line % count]) {
                lines[line % count] = [key.as_bytes(), &value].join(&b" = "[..]);
            }
        }
        Mutation::Insert(at, bytes) => {
            let at = at % (text.len() + 1);
            return [&text[..at], bytes, &text[at..]].concat();
        }
        Mutation::Overwrite(at, byte) => {
            let mut text = text;
            let at = at % text.len().max(1);
            text.get_mut(at).into_iter().for_each(|old| *old = *byte);
            return text;
        }
        Mutation::Cut(at) => return text[..at % (text.len() + 1)].to_vec(),
        Mutation::Append(line) => lines.push(line.clone().into_bytes()),
    }
    lines.join(&b"\n"[..])
}

/// The built-in file, those of `docs/examples`, and drawn ones.
fn good_file() -> impl Strategy<Value = String> {
    let mut files = vec![BUILTIN.to_owned()];
    for entry in std::fs::read_dir(examples()).expect("the examples") {
        let path = entry.expect("an entry of docs/examples").path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            files.push(std::fs::read_to_string(path).expect("an example"));
        }
    }
    prop_oneof![prop::sample::select(files), file::file(6, false).prop_map(|file| file.toml())]
}

#[test]
fn a_file_has_faults_with_their_places_or_serves() {
    let cases = (good_file(), prop::collection::vec(mutation(), 1..5));
    crate::run(CASES, &cases, |(file, mutations)| check(mutations.iter().fold(file.into_bytes(), apply)));
}

#[test]
fn drawn_files_and_the_built_in_one_are_good() {
    crate::run(150, &good_file(), |text| {
        let folder = folder(text.as_bytes());
        let plan =
            plan(folder.path()).map_err(|faults| TestCaseError::fail(format!("{faults:#?} of\n{text}")))?;
        serve(&plan, folder).map_err(|why| TestCaseError::fail(format!("{why} of\n{text}")))
    });
}

/// Files that are more than a file should be.
#[test]
fn files_without_end() {
    let deep =
        |open: &str, close: &str, depth: usize| format!("{}{}", open.repeat(depth), close.repeat(depth));
    for depth in [100, 10_000, 100_000] {
        for value in [
            deep("[", "]", depth),
            deep("{a=", "}", depth).replace("=}", "=1}"),
            "[".repeat(depth),
            "9".repeat(depth),
        ] {
            for key in ["format", "endpoints.x.json", "tables.t.columns.c.default", "x"] {
                check(format!("{key} = {value}\n").into_bytes()).expect("faults with their places");
            }
        }
        let dotted = vec!["a"; depth].join(".");
        check(format!("{dotted} = 1\n").into_bytes()).expect("faults with their places");
        check(format!("[{dotted}]\n").into_bytes()).expect("faults with their places");
        check(format!("endpoints.x.json.{dotted} = 1\n").into_bytes()).expect("faults with their places");
    }
    check("x = 1\n".repeat(10_000).into_bytes()).expect("faults with their places");
    check((0..10_000).map(|n| format!("x{n} = 1\n")).collect::<String>().into_bytes())
        .expect("faults with their places");
    let columns: String = (0..3000).map(|n| format!("c{n} = \"bigint\"\n")).collect();
    check(format!("[tables.t]\nkey = \"c0\"\n[tables.t.columns]\n{columns}").into_bytes())
        .expect("faults with their places");
    let columns: String = (0..1000).map(|n| format!("c{n} = \"bigint\"\n")).collect();
    let most = format!(
        "[tables.t]\nkey = \"c0\"\nlist = \"/t\"\nitem = \"/t/{{c0}}\"\n[tables.t.columns]\n{columns}"
    );
    let folder = folder(most.as_bytes());
    let plan = plan(folder.path()).expect("no fault");
    serve(&plan, folder).expect("it serves");
}

fn folder(text: &[u8]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let write = |name: &str, text: &[u8]| std::fs::write(folder.path().join(name), text).expect("a file");
    write("ringmill.toml", text);
    write("more.toml", INCLUDED.as_bytes());
    write("one.sql", STATEMENT.as_bytes());
    let shop = folder.path().join("shop");
    std::fs::create_dir(&shop).expect("a folder");
    for entry in std::fs::read_dir(examples().join("shop")).expect("what the shop is made of") {
        let path = entry.expect("an entry").path();
        std::fs::copy(&path, shop.join(path.file_name().expect("a name"))).expect("a copy");
    }
    folder
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/examples")
}

fn check(text: Vec<u8>) -> Result<(), TestCaseError> {
    let folder = folder(&text);
    let shown = || format!("of\n{}", String::from_utf8_lossy(&text[..text.len().min(20_000)]));
    match plan(folder.path()) {
        Ok(plan) => serve(&plan, folder).map_err(|why| TestCaseError::fail(format!("{why} {}", shown()))),
        Err(faults) => {
            prop_assert!(!faults.is_empty(), "no faults {}", shown());
            for fault in &faults {
                prop_assert!(is_placed(fault, &text), "{fault:?} {}", shown());
            }
            Ok(())
        }
    }
}

fn is_placed(fault: &Fault, text: &[u8]) -> bool {
    let lines = match fault.file.as_str() {
        "ringmill.toml" => text.split(|byte| *byte == b'\n').count(),
        "more.toml" => INCLUDED.split('\n').count(),
        // Read by `include`: what is wrong with it as a whole has no line of its own.
        "/dev/zero" => return fault.line.is_none() && !fault.remedy.is_empty(),
        // Of the shop's own folder.
        included => match std::fs::read_to_string(examples().join(included)) {
            Ok(text) => text.split('\n').count(),
            Err(_) => return false,
        },
    };
    fault.line.is_some_and(|line| (1..=lines).contains(&line))
        && !fault.message.is_empty()
        && !fault.remedy.is_empty()
}

/// Serves it. SQL of the user's own, in endpoints and conditions of indexes, is looked at by the database alone: where that refuses
/// it, there is nothing to serve.
fn serve(plan: &Plan, folder: tempfile::TempDir) -> Result<(), String> {
    let script: Vec<_> = schema(plan).into_iter().flat_map(|table| table.statements).collect();
    let has_conditions =
        plan.tables.iter().flat_map(|table| &table.indexes).any(|index| index.condition.is_some());
    let compiler = match Compiler::in_memory(&script) {
        Ok(compiler) => compiler,
        Err(_) if has_conditions => return Ok(()),
        Err(error) => return Err(format!("{error:?}: {script:#?}")),
    };
    let api = Api::with_columns(plan, &|sql| compiler.compile(sql).ok().map(|compiled| compiled.columns));
    let mut is_refused = false;
    for (index, route) in api.routes().iter().enumerate() {
        for method in &route.methods {
            let is_users_own = plan.endpoints.iter().any(|endpoint| {
                matches!(endpoint.kind, EndpointKind::Sql(_))
                    && endpoint
                        .methods
                        .iter()
                        .any(|name| name == method.as_str() || (name == "GET" && method.as_str() == "HEAD"))
            });
            for sql in api.statements(index, *method) {
                match compiler.compile(sql) {
                    Ok(_) => {}
                    Err(_) if is_users_own => is_refused = true,
                    Err(error) => return Err(format!("{}: {error}: {sql}", route.path)),
                }
            }
        }
    }
    if is_refused {
        return Ok(());
    }
    let served = InProcess::start(plan, folder)?;
    let routes: Vec<_> =
        served.api.routes().iter().map(|route| (route.path.clone(), route.methods.clone())).collect();
    for (path, methods) in routes {
        for method in methods {
            for (part, body) in
                [("1", "{}"), ("x", r#"{"name":"A","email":"a@b.c","c0":1}"#), ("%00", "[1"), ("1", "null")]
            {
                let segments =
                    path.split('/').map(|segment| if segment.starts_with('{') { part } else { segment });
                let target = segments.collect::<Vec<_>>().join("/") + "?page=2&per_page=x&id=1";
                let answer =
                    served.ask(method.as_str(), &target, Some("application/json"), body.as_bytes(), 1, 1);
                // Statements of the user's own may fail for what they say.
                let may_fail = plan
                    .endpoints
                    .iter()
                    .any(|endpoint| endpoint.path == path && matches!(endpoint.kind, EndpointKind::Sql(_)));
                if answer.status == 500 && !may_fail {
                    return Err(format!("{} {target} {body}: {answer:?}", method.as_str()));
                }
            }
        }
    }
    Ok(())
}
