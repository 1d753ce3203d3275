//! The session in README.md prints what README.md says.

use std::fs;
use std::path::Path;

use crate::support::{Home, run};

/// Commands of the `console` blocks with what stands below each.
fn session(readme: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    let mut inside = false;
    for line in readme.lines() {
        if line.starts_with("```") {
            inside = line == "```console";
        } else if let Some(command) = line.strip_prefix("$ ").filter(|_| inside) {
            found.push((command.to_owned(), String::new()));
        } else if inside {
            let (_, printed) = found.last_mut().expect("a block begins with a command");
            printed.push_str(line);
            printed.push('\n');
        }
    }
    found
}

/// Without what is another one each time: times, IDs, the home folder, the width of columns, and sizes of
/// what is stored, since times are a part of that and have more or fewer digits; how much is read depends
/// on how long ago the files were written.
fn masked(text: &str, home: &str) -> String {
    let text = text.replace(home, "/home/me");
    let lines = text.lines().map(|line| {
        let mut before = "";
        let words = line.split_whitespace().map(|word| {
            let stored = ["read", "stored", "free", "freed"].contains(&before);
            before = word;
            let hex = |word: &str| word.len() == 8 && word.bytes().all(|b| b.is_ascii_hexdigit());
            let (time, more) = word.split_once('_').unwrap_or((word, ""));
            let is_time = time.len() == 24 && time.as_bytes()[10] == b'T';
            match () {
                () if is_time && (more.is_empty() || hex(more)) => "TIME",
                () if hex(word) => "ID",
                () if stored => "SIZE",
                () => word,
            }
        });
        words.collect::<Vec<_>>().join(" ")
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_session_is_what_happens() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let session = session(&fs::read_to_string(readme).unwrap());
    assert!(session.len() >= 10, "README shows a session");
    let home = Home::new();
    let folder = home.path("home");
    fs::create_dir_all(folder.join("Documents/letters")).unwrap();
    for (name, text) in [
        ("shopping.md", "milk\neggs\n"),
        ("letters/aunt.txt", "Dear aunt,\nthank you for the oaks.\n"),
        ("plan.txt", "plant three oaks\n"),
    ] {
        fs::write(folder.join("Documents").join(name), text).unwrap();
    }
    let program = Path::new(env!("CARGO_BIN_EXE_revu")).parent().unwrap().to_owned();
    let path = std::env::var("PATH").unwrap();
    let mut exports = String::new();
    for (command, expected) in session {
        if command.starts_with("export ") {
            exports.push_str(&command);
            exports.push('\n');
            continue;
        }
        let mut shell = home.other("bash");
        shell.arg("-c").arg(format!("{exports}{{ {command}; }} 2>&1")).current_dir(&folder);
        shell.env("PATH", format!("{}:{path}", program.display()));
        shell.env("REVU_PASSPHRASE", "open sesame").env("REVU_NEW_PASSPHRASE", "open sesame");
        let ran = run(&mut shell);
        assert_eq!(ran.code, 0, "{command}: {ran:?}");
        let home = folder.to_str().unwrap();
        assert_eq!(masked(&ran.stdout, home), masked(&expected, home), "{command}");
    }
}
