//! Files in, plans or faults out.

use std::path::{Path, PathBuf};

use super::*;

mod builtin;
mod faults_of_columns;
mod faults_of_endpoints;
mod faults_of_sections;
mod faults_of_tables;
mod layers;
mod meant;
mod mutations;
mod reference;
mod secrets;

/// A folder of its own for a file named `ringmill.toml`, which goes with it.
struct Folder(tempfile::TempDir);

impl Folder {
    fn with(text: &str) -> Folder {
        let folder = Folder(tempfile::tempdir().expect("a temporary folder"));
        folder.write("ringmill.toml", text);
        folder
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn load(&self, environment: &[(&str, &str)], sets: &[(&str, &str)]) -> Result<Plan, Vec<Fault>> {
        load(&Inputs {
            config: None,
            working_directory: self.path(),
            environment: pairs(environment),
            sets: pairs(sets),
            flags: Vec::new(),
        })
    }
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

/// The built-in file, without looking at any folder.
fn load_builtin(environment: &[(&str, &str)], sets: &[(&str, &str)]) -> Result<Plan, Vec<Fault>> {
    load(&Inputs {
        config: None,
        working_directory: Path::new("/nowhere"),
        environment: pairs(environment),
        sets: pairs(sets),
        flags: Vec::new(),
    })
}

fn shown(faults: &[Fault]) -> Vec<String> {
    faults.iter().map(ToString::to_string).collect()
}

/// A file, and all its faults as they are shown.
#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let faults = match Folder::with(text).load(&[], &[]) {
        Ok(_) => Vec::new(),
        Err(faults) => shown(&faults),
    };
    assert_eq!(faults, expected, "of\n{text}");
}

/// The same for lines below a table with an `id`, whose first is line 3 of the file.
#[track_caller]
fn check_table(lines: &str, expected: &[&str]) {
    check(&format!("[tables.t]\ncolumns.id = \"bigint\"\n{lines}"), expected);
}

/// A file without faults.
#[track_caller]
fn plan(text: &str) -> Plan {
    match Folder::with(text).load(&[], &[]) {
        Ok(plan) => plan,
        Err(faults) => panic!("{:#?} of\n{text}", shown(&faults)),
    }
}
