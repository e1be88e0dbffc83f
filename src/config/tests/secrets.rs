//! What came in through `${…}` is neither shown nor quoted, wherever it stands and whatever is wrong with it.

use super::*;

const SECRET: &str = "hunter2";

#[test]
fn a_password_that_is_no_text_is_hidden_too() {
    check(
        "[database]\npassword = 12345\n",
        &["ringmill.toml:2: database.password: *** is no text; write it in \
         quotation marks"],
    );
}

#[track_caller]
fn check_hidden(text: &str, environment: &[(&str, &str)]) -> usize {
    match Folder::with(text).load(environment, &[]) {
        Ok(plan) => {
            assert!(!plan.shown.to_string().contains(SECRET), "shown: {}", plan.shown);
            0
        }
        Err(faults) => {
            for fault in &faults {
                let all = format!("{fault} {fault:?}");
                assert!(!all.contains(SECRET), "{all}\nof\n{text}");
            }
            faults.len()
        }
    }
}

/// Each value of the built-in file in turn becomes a secret of several shapes.
#[test]
fn no_string_of_the_file_leaks() {
    let mut fault_count = 0;
    let secrets = [
        "hunter2",
        "@hunter2",
        "@row.hunter2",
        "/hunter2/{",
        "hunter2.hunter2",
        "users.hunter2",
        "users/{hunter2}",
        "$hunter2",
        "unix:hunter2",
        "postgres://u:hunter2@h/d",
        "id.hunter2",
        "hunter2/s",
    ];
    let quoted: Vec<(usize, usize)> = {
        let mut spans = Vec::new();
        for (start, line) in line_starts(BUILTIN) {
            let mut quotes = line.match_indices('"').map(|(at, _)| start + at);
            // Comments hold quotes too; replacing those does no harm.
            while let (Some(from), Some(to)) = (quotes.next(), quotes.next()) {
                spans.push((from, to));
            }
        }
        spans
    };
    for (index, (from, to)) in quoted.iter().enumerate() {
        let text = format!("{}\"${{S}}\"{}", &BUILTIN[..*from], &BUILTIN[*to + 1..]);
        // A different shape at each place on each run of the loop keeps this quick; all meet the first places.
        for (turn, secret) in secrets.iter().enumerate() {
            if turn < 2 || (index + turn) % 4 == 0 {
                fault_count += check_hidden(&text, &[("S", secret)]);
            }
        }
    }
    assert!(quoted.len() > 100 && fault_count > 100, "{} places, {fault_count} faults", quoted.len());
}

fn line_starts(text: &str) -> Vec<(usize, &str)> {
    let mut start = 0;
    text.split_inclusive('\n')
        .map(|line| {
            let at = start;
            start += line.len();
            (at, line)
        })
        .collect()
}

#[test]
fn passwords_and_urls_are_hidden() {
    check_hidden("[database]\npassword = \"hunter2\"\n", &[]);
    check_hidden("[database]\npassword = \"hunter2\"\nurl = \"x://u:hunter2@h/d\"\n", &[]);
    check_hidden("[database]\nreplicas = [{ url = \"postgres://u:hunter2@h/d\" }]\n", &[]);
    check_hidden("[server]\ndrain_delay = \"1s\"\n", &[("RINGMILL_DATABASE__PASSWORD", "hunter2")]);
    check_hidden("", &[("RINGMILL_DATABASE__PASSWORD", "[\"hunter2\"]")]);
    check_hidden("", &[("RINGMILL_DATABASE__URL", "u:hunter2@h")]);
    let column = plan("[tables.t.columns]\nid = \"bigint\"\npassword = \"text\"\n").shown;
    assert_eq!(column["tables"]["t"]["columns"]["password"], "text");
    let shown = plan("[database]\npassword = \"x\"\n").shown;
    assert_eq!(shown["database"]["password"], "***");
    assert_eq!(plan("").shown["database"]["password"], "");
}

#[test]
fn values_come_from_the_environment_and_from_files() {
    let folder = Folder::with(
        "[server]\nlisten = \"127.0.0.1:${PORT:-7000}\"\ncores = \"${CORES}\"\n[http]\nmax_fields = \"${FIELDS}\"\n\
         [database]\npassword = \"${file:secret}\"\ncreate_missing = \"${CREATE}\"\n\
         [endpoints.e]\npath = \"/e\"\nsql = \"SELECT '${PORT}'\"\n",
    );
    folder.write("secret", "hunter2\n");
    let environment = [("CORES", "2"), ("FIELDS", "50"), ("CREATE", "false")];
    let plan = folder.load(&environment, &[]).expect("no fault");
    assert_eq!(plan.server.listen, ["127.0.0.1:7000".parse().unwrap()]);
    assert_eq!(plan.server.cores, plan::Cores::Count(2));
    assert_eq!(plan.http.max_fields, 50);
    assert!(!plan.database.create_missing);
    assert_eq!(plan.shown["server"]["listen"], "***");
    let plan::EndpointKind::Sql(sql) = &plan.endpoints[0].kind else { panic!("no SQL") };
    assert_eq!(sql.sql, "SELECT '${PORT}'");
}

#[test]
fn what_is_missing_is_a_fault() {
    check(
        "[server]\ndata = \"${RINGMILL_TEST}\"\nadmin = \"${file:/nowhere/x}\"\n",
        &[
            "ringmill.toml:2: server.data: the environment has no RINGMILL_TEST; set RINGMILL_TEST, or write a \
             default: ${RINGMILL_TEST:-…}",
            "ringmill.toml:3: server.admin: ${file:/nowhere/x} cannot be read: No such file or directory (os error \
             2); make the file, and let this user read it",
        ],
    );
}

/// Whatever key it is, a variable that is not set is one fault.
#[test]
fn a_variable_that_is_not_set_is_told_once() {
    let mut tried = 0;
    for (number, line) in crate::config::BUILTIN.lines().enumerate() {
        if line.trim_start().starts_with('#') {
            continue;
        }
        let strings: Vec<_> = line.match_indices('"').map(|(index, _)| index).collect();
        for ends in strings.chunks(2).filter(|ends| ends.len() == 2) {
            let changed = format!("{}${{UNSET}}{}", &line[..=ends[0]], &line[ends[1]..]);
            let lines = BUILTIN.lines().enumerate();
            let text: Vec<_> =
                lines.map(|(index, line)| if index == number { &changed } else { line }).collect();
            let Err(faults) = Folder::with(&text.join("\n")).load(&[], &[]) else { continue };
            let unset = "the environment has no UNSET";
            for missed in faults.iter().filter(|fault| fault.message == unset) {
                let same =
                    faults.iter().filter(|fault| (fault.line, &fault.key) == (missed.line, &missed.key));
                let same: Vec<_> = same.map(ToString::to_string).collect();
                assert_eq!(same.len(), 1, "{changed}: {same:#?}");
                tried += 1;
            }
        }
    }
    assert!(tried > 20, "{tried}");
}

#[test]
fn what_else_is_wrong_in_a_list_is_told_beside_it() {
    check(
        "[server]\nlisten = [\"${UNSET}\", \"x\"]\ndrain_delay = \"${UNSET}\"\n[database]\nurl = \"${UNSET}\"\n",
        &[
            "ringmill.toml:2: server.listen: the environment has no UNSET; set UNSET, or write a default: ${UNSET:-…}",
            "ringmill.toml:2: server.listen: \"x\" is no address with a port; write an address and a port: \
             \"127.0.0.1:5000\", \"[::1]:5000\"",
            "ringmill.toml:3: server.drain_delay: the environment has no UNSET; set UNSET, or write a default: \
             ${UNSET:-…}",
            "ringmill.toml:5: database.url: the environment has no UNSET; set UNSET, or write a default: ${UNSET:-…}",
        ],
    );
}

/// The line of the one fault there is.
#[track_caller]
fn check_told(text: &str, key: &str, line: usize) {
    let faults = Folder::with(text).load(&[("S", SECRET)], &[]).expect_err(text);
    let told: Vec<_> = faults.iter().filter(|fault| fault.message.starts_with("`${…}` may not")).collect();
    let places: Vec<_> = told.iter().map(|fault| (fault.line, fault.key.as_str())).collect();
    assert_eq!(places, [(Some(line), key)], "{faults:#?}");
    assert!(faults.iter().all(|fault| !fault.to_string().contains(SECRET)), "{faults:#?}");
}

#[test]
fn what_others_would_be_told_is_a_fault() {
    let table = |lines: &str| format!("[tables.t]\n{lines}\n[tables.t.columns]\nid = \"bigint\"\n");
    let column = |rules: &str| format!("[tables.t.columns]\nid = \"bigint\"\na = {rules}\n");
    let endpoint = |lines: &str| format!("[endpoints.e]\npath = \"/e\"\nsql = \"SELECT 1 AS n\"\n{lines}\n");
    for rules in [
        r#"{ type = "text", default = "${S}" }"#,
        r#"{ type = "text", default = "x${S:-y}" }"#,
        r#"{ type = "text", default = "${MISSING:-y}" }"#,
    ] {
        check_told(&column(rules), "tables.t.columns.a.default", 3);
    }
    check_told(&column(r#"{ type = "text", enum = ["a", "${S}"] }"#), "tables.t.columns.a.enum", 3);
    check_told(&column(r#""${S}""#), "tables.t.columns.a", 3);
    check_told(
        &column(r#"{ type = "json", default = { x = ["${S}"] } }"#),
        "tables.t.columns.a.default.x",
        3,
    );
    check_told(
        &table(r#"indexes = [{ columns = ["id"], where = "id = '${S}'" }]"#),
        "tables.t.indexes.where",
        2,
    );
    check_told(&table(r#"indexes = [["${S}"]]"#), "tables.t.indexes", 2);
    for name in ["table", "noun", "list", "item", "key", "order", "shard_by", "rate_limit"] {
        check_told(&table(&format!("{name} = \"${{S}}\"")), &format!("tables.t.{name}"), 2);
    }
    for name in ["methods", "reads", "writes", "order"] {
        check_told(&endpoint(&format!("{name} = [\"${{S}}\"]")), &format!("endpoints.e.{name}"), 4);
    }
    check_told(
        &endpoint(r#"params = { p = { type = "text", enum = ["${S}"] } }"#),
        "endpoints.e.params.p.enum",
        4,
    );
    check_told("[endpoints.e]\npath = \"/${S}\"\njson = 1\n", "endpoints.e.path", 2);
    check_told("[server]\nmetrics_path = \"/${S}\"\n", "server.metrics_path", 2);
    check_told("include = [\"${S}.toml\"]\n", "include", 1);
    // A layer above is no way around.
    let sets = [("tables.t.columns.id.default", "${S}")];
    let faults = Folder::with(&table("")).load(&[("S", SECRET)], &sets).expect_err("a secret in the schema");
    assert_eq!(
        shown(&faults),
        [
            "--set: tables.t.columns.id.default: `${…}` may not stand here: the value becomes part of the database's \
          schema, which everybody who reads that sees; write the value itself; --set and RINGMILL_… set it too, and \
          keep nothing secret"
        ]
    );
}

#[test]
fn places_of_replies_are_no_secrets() {
    for text in ["@row.hunter2", "@hunter2", "@rows"] {
        let file = "[endpoints.e]\npath = \"/e\"\nsql = \"SELECT 1 AS n\"\nshape = \"row\"\nreply = { a = \"${S}\" }\n";
        let faults = Folder::with(file).load(&[("S", text)], &[]).expect_err(text);
        assert_eq!(
            shown(&faults),
            [
                "ringmill.toml:5: endpoints.e.reply.a: a place in a reply may not come in through `${…}`; write the place \
              itself; a string that begins with @ is written \"@@…\""
            ]
        );
    }
}
