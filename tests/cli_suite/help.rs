//! Help, man pages and completions, which come from one definition.

use clap::{ArgAction, Command, CommandFactory};
use revu::cli::args::Cli;

use crate::support::{Home, run};

/// Every command with the words that call it, the program itself among them.
fn commands() -> Vec<(Vec<String>, Command)> {
    fn below(words: &[String], command: &Command, all: &mut Vec<(Vec<String>, Command)>) {
        all.push((words.to_vec(), command.clone()));
        for inner in command.get_subcommands() {
            below(&[words, &[inner.get_name().to_owned()]].concat(), inner, all);
        }
    }
    let mut command = Cli::command();
    command.build();
    let mut all = Vec::new();
    below(&[], &command, &mut all);
    all
}

/// What a user must be told of a command: its options and arguments as they are written.
fn options(command: &Command) -> Vec<String> {
    let mut words = Vec::new();
    for arg in command.get_arguments() {
        words.extend(arg.get_long().map(|long| format!("--{long}")));
        words.extend(arg.get_short().map(|short| format!("-{short}")));
        if arg.is_positional() || matches!(arg.get_action(), ArgAction::Set) {
            let names = arg.get_value_names().into_iter().flatten();
            words.extend(names.map(ToString::to_string));
        }
    }
    words
}

#[test]
fn there_are_the_commands_of_the_manual() {
    let names: Vec<String> = commands().iter().map(|(words, _)| words.join(" ")).collect();
    for name in [
        "mount",
        "umount",
        "mounts",
        "snapshot",
        "log",
        "ls",
        "cat",
        "restore",
        "diff",
        "find",
        "versions",
        "tag list",
        "check",
        "purge",
        "stats",
        "completions",
        "man",
    ] {
        assert!(names.contains(&name.to_owned()), "{name} in {names:?}");
    }
}

#[test]
fn help_names_every_option() {
    let home = Home::new();
    for (words, command) in commands() {
        for flag in ["-h", "--help"] {
            let mut run_it = home.command(&words);
            let text = run(run_it.arg(flag)).ok().stdout;
            for option in options(&command) {
                assert!(text.contains(&option), "{words:?} {flag} lacks {option}:\n{text}");
            }
            assert!(text.contains("Examples:"), "{words:?} {flag}");
            assert_eq!(text.contains("Exit codes:"), flag == "--help", "{words:?} {flag}");
            assert!(!text.contains('\x1b'), "no colours in a pipe");
            assert!(!text.contains("[`"), "{words:?}: a comment for programmers:\n{text}");
        }
    }
}

#[test]
fn every_command_has_a_man_page() {
    let home = Home::new();
    let folder = home.path("man/man1");
    let mut man = home.command(["man", "--json"]);
    let summary = run(man.arg(&folder)).ok().json();
    let all = commands();
    assert_eq!(summary[0]["summary"]["pages"], all.len());
    for (words, command) in &all {
        let name = [&["revu".to_owned()], &words[..]].concat().join("-");
        let page = std::fs::read_to_string(folder.join(format!("{name}.1"))).expect(&name);
        assert!(page.starts_with(".") && page.contains(".TH"), "{page}");
        for section in ["NAME", "SYNOPSIS", "DESCRIPTION", "EXAMPLES", "EXIT CODES"] {
            assert!(
                page.contains(&format!(".SH {section}\n"))
                    || page.contains(&format!(".SH \"{section}\"\n")),
                "{name} lacks {section}:\n{page}"
            );
        }
        let plain = page.replace("\\-", "-");
        for option in options(command) {
            assert!(plain.contains(&option), "{name} lacks {option}:\n{page}");
        }
    }
    run(home.command(["man"]).arg(&folder)).ok();
    assert!(run(home.command(["man"]).arg("/proc/nowhere")).fails(1).contains("/proc/nowhere"));
}

#[test]
fn completions_know_every_command_and_option() {
    let home = Home::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = home.run(["completions", shell]).ok().stdout;
        for (words, command) in commands() {
            if let Some(word) = words.last() {
                assert!(script.contains(word.as_str()), "{shell} lacks {word}");
            }
            for long in command.get_arguments().filter_map(|arg| arg.get_long()) {
                assert!(script.contains(long), "{shell} lacks {long}");
            }
        }
        if shell == "bash" {
            let path = home.path("completions");
            std::fs::write(&path, &script).unwrap();
            run(home.other("bash").arg("-n").arg(&path)).ok();
        }
    }
}
