//! The question for the password of encrypted notebooks, on a terminal.

use std::io::{Read, Write};
use std::process::Stdio;

use super::cli::Home;

/// Runs the shell's `line` on a terminal and types `keys` when the question stands there.
fn on_terminal(home: &Home, line: &str, keys: &str) -> String {
    let mut command = home.other("script");
    command.args(["-qec", line, "/dev/null"]).env("TERM", "xterm");
    command.env("REVU", env!("CARGO_BIN_EXE_revu"));
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let (mut input, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut shown = Vec::new();
    let mut byte = [0];
    while !shown.ends_with(b": ") {
        assert_eq!(output.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&shown));
        shown.push(byte[0]);
    }
    input.write_all(keys.as_bytes()).unwrap();
    output.read_to_end(&mut shown).unwrap();
    drop(input);
    child.wait().unwrap();
    String::from_utf8(shown).unwrap()
}

const CAT: &str =
    "\"$REVU\" cat --markdown --unlock Safe 'latest:/Safe/Secret plan'; echo code $?; stty -a";

#[test]
fn the_password_of_notebooks_is_asked_for_and_not_shown() {
    let home = Home::siyuan();
    let shown = on_terminal(&home, CAT, "opens the safe\n");
    assert!(shown.starts_with("Password of the encrypted notebooks: "), "{shown}");
    assert!(shown.contains("under the third oak") && shown.contains("code 0"), "{shown}");
    assert!(!shown.contains("opens the safe"), "the password was shown");
    assert!(!shown.contains("-echo ") && !shown.contains("-icanon"), "{shown}");
}

#[test]
fn a_wrong_password_is_one_sentence() {
    let home = Home::siyuan();
    let shown = on_terminal(&home, CAT, "open sesame\n");
    assert!(shown.contains("code 12"), "{shown}");
    assert!(!shown.contains("third oak") && !shown.contains("open sesame"), "{shown}");
    let told: Vec<&str> = shown.lines().filter(|line| line.contains("wrong password")).collect();
    assert_eq!(told.len(), 1, "{shown}");
    assert!(told[0].contains("`Safe`"), "{shown}");
    let shown = on_terminal(&home, CAT, "opens\x03");
    assert!(shown.contains("code 130"), "Ctrl-C: {shown}");
}

#[test]
fn mount_asks_before_it_goes_to_the_background() {
    if super::mounted::skipped("prompt") {
        return;
    }
    let home = Home::siyuan();
    let line = "\"$REVU\" mount --unlock Safe mnt; echo code $?";
    let wrong = on_terminal(&home, line, "open sesame\n");
    assert!(wrong.contains("code 12") && wrong.contains("wrong password"), "{wrong}");
    assert!(!home.folder.path().join("mnt").exists(), "nothing was mounted");
    let shown = on_terminal(&home, line, "opens the safe\n");
    assert!(shown.starts_with("Password of the encrypted notebooks: "), "{shown}");
    assert!(shown.contains("code 0") && !shown.contains("opens the safe"), "{shown}");
    let mount = super::mounted::Mount::of(home);
    let note = mount.point.join("notes/latest/Safe/Secret plan.md");
    let text = std::fs::read_to_string(note);
    assert!(text.unwrap().contains("under the third oak"), "it outlives its terminal");
}
