//! The README's commands give what it prints.

use crate::server::Setup;
use std::process::Command;

const README: &str = include_str!("../../README.md");

/// Each `$ command` of the README's blocks, continued after `\`, and the lines that it says are printed.
fn commands() -> Vec<(String, String)> {
    let mut commands: Vec<(String, String)> = Vec::new();
    let mut continues = false;
    for line in README.lines() {
        let Some(text) = line.strip_prefix("    ") else {
            continues = false;
            continue;
        };
        if let Some(command) = text.strip_prefix("$ ") {
            commands.push((command.to_owned(), String::new()));
        } else if continues {
            let command = &mut commands.last_mut().expect("a command goes on").0;
            command.push(' ');
            command.push_str(text.trim_start());
        } else if let Some((_, output)) = commands.last_mut()
            && text.starts_with(['{', '['])
        {
            output.push_str(text);
        }
        continues = text.ends_with('\\');
        if continues {
            let command = &mut commands.last_mut().expect("a command goes on").0;
            *command = command.trim_end_matches('\\').trim_end().to_owned();
        }
    }
    commands
}

#[test]
fn every_line_of_the_readme_prints_what_it_says() {
    let server = Setup::shards(2).start();
    let commands = commands();
    assert!(commands.len() >= 7, "{commands:?}");
    for (command, printed) in commands {
        assert!(command.starts_with("curl ") && command.contains("localhost:5000"), "{command}");
        let command = command.replace("localhost:5000", &server.public.to_string());
        let output =
            Command::new("bash").args(["-c", &command]).output().expect("bash and curl are installed");
        assert!(output.status.success(), "{command}: {output:?}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), printed, "{command}");
    }
}
