//! The files of `docs/examples`, each served as it stands: answers byte for byte, no warning at its start, and no route that
//! was not asked.

mod article;
mod crud;
mod shop;
mod smallest;

use crate::client::Round;
use crate::server::{Ended, Server, Setup, folder, run};
use ringmill::api::Api;
use ringmill::config::{Inputs, Plan, load};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/examples")
}

/// A folder with all examples, so that nothing is written beside the originals.
fn copied() -> TempDir {
    fn copy(from: &Path, to: &Path) {
        for entry in std::fs::read_dir(from).expect("a folder") {
            let path = entry.expect("an entry").path();
            let target = to.join(path.file_name().expect("a name"));
            if path.is_dir() {
                std::fs::create_dir(&target).expect("a folder");
                copy(&path, &target);
            } else {
                std::fs::copy(&path, &target).expect("a copy");
            }
        }
    }
    let folder = folder(&[]);
    copy(&examples(), folder.path());
    folder
}

/// A running example.
struct Example {
    server: Server,
    plan: Plan,
}

impl Example {
    fn start(name: &str) -> Example {
        Example::start_with(name, &[])
    }

    fn start_with(name: &str, environment: &[(&'static str, &'static str)]) -> Example {
        Example::start_in(copied(), name, environment)
    }

    fn start_in(folder: TempDir, name: &str, environment: &[(&'static str, &'static str)]) -> Example {
        let inputs = Inputs {
            config: Some(name.into()),
            working_directory: folder.path(),
            environment: Vec::new(),
            sets: Vec::new(),
            flags: Vec::new(),
        };
        let plan = load(&inputs).unwrap_or_else(|faults| panic!("{faults:#?}"));
        let setup = Setup::shards(2).config(name).folder(folder);
        let setup = environment.iter().fold(setup, |setup, (name, value)| setup.environment(name, value));
        Example { server: setup.start(), plan }
    }

    fn round(&self) -> Round {
        self.server.round()
    }

    /// Drains it, when all was asked.
    fn end(mut self) {
        let metrics = self.server.metrics();
        let asked = metrics.series("http_requests_total");
        for route in Api::new(&self.plan).routes() {
            let methods = route.methods.iter().map(|method| method.as_str());
            for method in methods.filter(|method| !["HEAD", "OPTIONS"].contains(method)) {
                let labels = format!(r#"method="{method}",route="{}",status="2"#, route.path);
                let met = asked.iter().any(|(series, count)| series.starts_with(&labels) && *count > 0.0);
                assert!(met, "{method} {} was never asked with success: {asked:?}", route.path);
            }
        }
        assert_eq!(self.server.term(), Some(0));
        for line in self.server.stderr_at_end() {
            let line: serde_json::Value = serde_json::from_str(&line).expect("a line of the log");
            let is_of_time = line["message"]
                .as_str()
                .is_some_and(|message| message.starts_with("Slow request") || message.starts_with("A core "));
            let level = line["level"].as_str().unwrap_or_default();
            assert!(is_of_time || ["INFO", "DEBUG"].contains(&level), "{line}");
        }
    }
}

/// `ringmill seed` on a file of the folder.
fn seed(folder: &Path, name: &str, table: &str, rows: &str) -> Ended {
    run(folder, &["seed", "--config", name, "--table", table, "--rows", rows, "--seed", "7"])
}

/// Every file of the folder is one of these tests', and stands in its README.
#[test]
fn every_example_is_known() {
    let readme = std::fs::read_to_string(examples().join("README.md")).expect("a README");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(examples()).expect("a folder") {
        let name = entry.expect("an entry").file_name().into_string().expect("a name in UTF-8");
        if let Some(stem) = name.strip_suffix(".toml") {
            assert!(readme.contains(&format!("[{name}]({name})")), "{name} does not stand in the README");
            names.push(stem.to_owned());
        }
    }
    names.sort_unstable();
    assert_eq!(names, ["article", "crud", "shop", "smallest"]);
}
