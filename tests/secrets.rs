//! Keys stay where they belong: in no output, no log, no error, no child, no core dump, and what is
//! written beside a repository is its owner's alone.

mod program;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use program::{Bed, Ran, run};

const PASSPHRASE: &str = "a passphrase that nobody may see";

/// The key as base64, and in hexadecimal digits of either case.
fn spellings(bed: &Bed) -> Vec<String> {
    use base64::Engine;
    let shown = bed.run(&["key", "show"]).ok().stdout.trim().to_owned();
    let bytes = base64::engine::general_purpose::STANDARD.decode(&shown).unwrap();
    let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
    // Eight digits of a key are too many.
    vec![shown[..8].to_owned(), hex[..8].to_owned(), hex[..8].to_uppercase(), PASSPHRASE.to_owned()]
}

fn assert_silent(ran: &Ran, secrets: &[String], what: &str) {
    for secret in secrets {
        let all = format!("{}{}", ran.stdout, ran.stderr);
        assert!(!all.contains(secret), "{what} shows a secret: {all}");
    }
}

fn modes(folder: &Path, all: &mut Vec<(PathBuf, u32)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let meta = entry.metadata().unwrap();
        all.push((entry.path(), meta.permissions().mode() & 0o7777));
        if meta.is_dir() {
            modes(&entry.path(), all);
        }
    }
}

#[test]
fn no_command_shows_a_key_whatever_goes_wrong() {
    let bed = Bed::new();
    let secrets = spellings(&bed);
    bed.write("data/note.md", "a note");
    let damaged = |bed: &Bed| bed.path("repo/refs/latest");
    let commands: [&[&str]; 14] = [
        &["snapshot", "data"],
        &["log"],
        &["ls", "latest"],
        &["cat", "latest:note.md"],
        &["cat", "latest:nothing"],
        &["diff", "latest", "latest"],
        &["find", "*"],
        &["check", "--read-data"],
        &["restore", "latest", "--to", "out"],
        &["stats"],
        &["key", "list"],
        &["purge", "--keep-last", "1"],
        &["no such command"],
        &["ls"],
    ];
    for is_damaged in [false, true] {
        if is_damaged {
            std::fs::write(damaged(&bed), "nonsense").unwrap();
        }
        for words in commands {
            let further: &[&str] = if is_damaged { &["-vvv", "--json"] } else { &["-vvv"] };
            let mut command = bed.revu(&[further, words].concat());
            command.env("REVU_PASSPHRASE", PASSPHRASE);
            assert_silent(&run(&mut command), &secrets, &format!("{words:?}"));
        }
    }
}

#[test]
fn a_wrong_key_is_not_repeated() {
    let bed = Bed::new();
    let wrong = "d3JvbmcgYXMgd3JvbmcgY2FuIGJlLCAzMiBieXRlcyE";
    std::fs::write(bed.path("wrong.key"), wrong).unwrap();
    for (name, value) in
        [("REVU_KEY", wrong), ("REVU_PASSPHRASE", PASSPHRASE), ("REVU_KEY_FILE", "wrong.key")]
    {
        let mut command = bed.command(&["-vvv", "log"]);
        command.env("REVU_REPO", bed.path("repo")).env(name, value);
        let ran = run(&mut command);
        assert_eq!(ran.code, Some(12), "{name}: {ran:?}");
        assert_silent(&ran, &[wrong[..8].to_owned(), PASSPHRASE.to_owned()], name);
    }
}

#[test]
fn children_get_no_secret_and_leave_no_core() {
    let bed = Bed::new();
    let shown = bed.run(&["key", "show"]).ok().stdout.trim().to_owned();
    std::fs::write(bed.path("the.key"), &shown).unwrap();
    let mut command = bed.command(&[
        "--key-command",
        "env > child.env; ulimit -c > child.core; tr '\\0' ' ' < /proc/$PPID/cmdline > parent.args; cat the.key",
        "log",
    ]);
    let secrets = [("REVU_KEY", shown.as_str()), ("REVU_PASSPHRASE", PASSPHRASE)];
    run(command.env("REVU_REPO", bed.path("repo")).envs(secrets)).ok();
    let read = |name: &str| std::fs::read_to_string(bed.path(name)).unwrap();
    let environment = read("child.env");
    assert!(environment.contains("REVU_REPO="), "it is the environment: {environment}");
    for text in [&environment, &read("parent.args")] {
        assert!(!text.contains(&shown[..8]) && !text.contains(PASSPHRASE), "{text}");
    }
    // What the child inherits is what its parent has.
    assert_eq!(read("child.core").trim(), "0");
}

#[test]
fn what_is_kept_beside_a_repository_is_its_owners_alone() {
    let bed = Bed::new();
    for n in 0..40 {
        bed.write(&format!("data/{n}.md"), format!("note {n}"));
    }
    let mut make = bed.revu(&["snapshot", "data"]);
    // Where everything would be everybody's.
    let shell = |command: &Command| {
        let mut shell = Command::new("sh");
        shell.args(["-c", "umask 000; exec \"$@\"", "sh"]);
        shell.arg(command.get_program()).args(command.get_args()).env_clear();
        for (name, value) in command.get_envs() {
            shell.env(name, value.unwrap_or_default());
        }
        shell.current_dir(bed.path(""));
        shell
    };
    make.arg("--quiet");
    run(&mut shell(&make)).ok();
    run(&mut shell(&bed.revu(&["ls", "latest"]))).ok();
    let cache = bed.path("home/.cache/revu");
    let mut all = vec![(cache.clone(), cache.metadata().unwrap().permissions().mode() & 0o7777)];
    modes(&cache, &mut all);
    let files = all.iter().filter(|(path, _)| path.is_file()).count();
    assert!(files >= 2, "a state and a catalog: {all:?}");
    for (path, mode) in all {
        let expected = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode, expected, "{}", path.display());
    }
}

#[test]
fn a_key_file_that_others_can_read_draws_a_warning() {
    let bed = Bed::new();
    for (mode, warns) in [(0o600, false), (0o400, false), (0o640, true), (0o604, true)] {
        std::fs::set_permissions(bed.key_file(), PermissionsExt::from_mode(mode)).unwrap();
        let mut command = bed.command(&["log"]);
        command.env("REVU_REPO", bed.path("repo")).env("REVU_KEY_FILE", bed.key_file());
        let ran = run(&mut command).ok();
        assert_eq!(ran.stderr.contains("chmod 600"), warns, "{mode:o}: {ran:?}");
    }
}
