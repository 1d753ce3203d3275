//! Where keys come from, in their order, and what is never shown of them.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use revu::format::RepoKey;

use crate::support::{Home, golden_key, run, siyuan};

/// Where a key can be, in their order; `conf.json` and the terminal come after these.
const PLACES: [&str; 6] = [
    "--key-file",
    "--key-command",
    "REVU_KEY_FILE",
    "REVU_KEY_COMMAND",
    "REVU_KEY",
    "REVU_PASSPHRASE",
];

fn give(command: &mut Command, place: &str, file: &Path, key: &str) {
    let shell = format!("cat '{}'", file.display());
    match place {
        "--key-file" => command.arg(place).arg(file),
        "--key-command" => command.arg(place).arg(shell),
        "REVU_KEY_FILE" => command.env(place, file),
        "REVU_KEY_COMMAND" => command.env(place, shell),
        _ => command.env(place, key),
    };
}

fn wrong_key() -> String {
    RepoKey::from_bytes([1; 32]).to_base64().to_string()
}

#[test]
fn the_first_place_that_has_a_key_decides() {
    let home = Home::new();
    let workspace = home.copy("golden", "ws");
    let (right, wrong) = (golden_key(), wrong_key());
    let right_file = home.secret("right", &right);
    let wrong_file = home.secret("wrong", &wrong);
    let conf = workspace.join("conf/conf.json");
    let right_conf = std::fs::read_to_string(&conf).unwrap();
    let wrong_conf = right_conf.replace(&right, &wrong);
    assert_ne!(right_conf, wrong_conf);
    for nth in 0..=PLACES.len() {
        for (first, rest, code) in [(true, false, 0), (false, true, 12)] {
            let text = |good| if good { (&right_file, &right) } else { (&wrong_file, &wrong) };
            let mut command = home.command(["log", "--workspace"]);
            command.arg(&workspace);
            for (at, place) in PLACES.iter().enumerate().skip(nth) {
                let (file, key) = text(if at == nth { first } else { rest });
                give(&mut command, place, file, key);
            }
            let is_conf = nth == PLACES.len();
            let in_conf = if is_conf { first } else { rest };
            std::fs::write(&conf, if in_conf { &right_conf } else { &wrong_conf }).unwrap();
            let ran = run(&mut command);
            let place = PLACES.get(nth).unwrap_or(&"conf.json");
            assert_eq!(ran.code, code, "{place}: {ran:?}");
            for key in [&right, &wrong] {
                assert!(!ran.stderr.contains(key.as_str()), "{place}: {ran:?}");
            }
        }
    }
}

#[test]
fn a_wrong_key_is_told_in_one_sentence_and_at_once() {
    let home = Home::new();
    let file = home.secret("wrong", &wrong_key());
    let begin = Instant::now();
    let mut command = home.command(["log", "--key-file"]);
    let told = run(command.arg(&file).arg("--workspace").arg(siyuan())).fails(12);
    assert!(begin.elapsed() < Duration::from_secs(1));
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(told.starts_with("revu: wrong key for ") && told.contains("SiYuan"), "{told}");
    let mut command = home.command(["log", "--json", "--key-file"]);
    let told = run(command.arg(&file).arg("--workspace").arg(siyuan())).fails(12);
    let json: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(json["error"]["kind"], "wrong_key");
    assert_eq!(json["error"]["exit"], 12);
    assert!(json["error"]["message"].as_str().unwrap().starts_with("wrong key for "));
}

#[test]
fn a_passphrase_is_a_key_too() {
    let home = Home::new();
    // The fixture's own passphrase, with what comes along when it is copied.
    let passphrase = "\u{feff} correct horse battery staple\u{200b}\n";
    let repo = siyuan().join("repo");
    let mut command = home.command(["log", "--repo"]);
    assert_eq!(run(command.arg(&repo).env("REVU_PASSPHRASE", passphrase)).ok().lines().len(), 7);
    let file = home.secret("passphrase", passphrase);
    let mut command = home.command(["log", "--key-file"]);
    run(command.arg(file).arg("--repo").arg(&repo)).ok();
    // REVU_KEY is base64 and nothing else.
    let mut command = home.command(["log", "--repo"]);
    let told = run(command.arg(&repo).env("REVU_KEY", passphrase.trim())).fails(12);
    assert!(told.contains("REVU_PASSPHRASE") && !told.contains("battery"), "{told}");
}

#[test]
fn key_files_that_others_can_read_are_warned_of() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::new();
    let file = home.secret("key", &golden_key());
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    let ask = |args: &[&str]| {
        let mut command = home.command(["log", "--key-file"]);
        run(command.arg(&file).arg("--workspace").arg(crate::support::golden()).args(args))
    };
    let warned = ask(&[]);
    assert_eq!((warned.code, warned.stderr.lines().count()), (0, 1), "{warned:?}");
    assert!(warned.stderr.contains("warning") && warned.stderr.contains("chmod 600"));
    ask(&["--quiet"]).ok();
    let json: serde_json::Value = serde_json::from_str(&ask(&["--json"]).stderr).unwrap();
    assert_eq!(json["log"]["level"], "warning");
}

#[test]
fn what_is_wrong_with_a_place_is_told() {
    let home = Home::new();
    let golden = crate::support::golden();
    for (place, value, code, words) in [
        ("--key-file", "/nowhere/key", 1, "/nowhere/key"),
        ("--key-file", "/dev/null", 12, "it is empty"),
        ("--key-file", "/dev/zero", 1, "too long"),
        ("--key-command", "echo s3cret; exit 4", 1, "exit status: 4"),
        ("--key-command", "printf '\\377'", 12, "not text"),
        ("--key-command", "yes s3cret", 1, "too long"),
    ] {
        let mut command = home.command(["log", "--workspace"]);
        let told = run(command.arg(&golden).arg(place).arg(value)).fails(code);
        assert!(told.contains(words), "{place} {value}: {told}");
        assert!(!told.contains("s3cret"), "{told}");
    }
}

#[test]
fn secrets_do_not_get_to_children() {
    let home = Home::new();
    let file = home.secret("key", &golden_key());
    let command =
        format!("env | grep -q 'REVU_KEY=\\|REVU_PASSPHRASE=' && exit 9; cat '{}'", file.display());
    let mut log = home.command(["log", "--key-command", &command, "--workspace"]);
    log.env("REVU_KEY", wrong_key()).env("REVU_PASSPHRASE", "s3cret");
    run(log.arg(crate::support::golden())).ok();
}

#[test]
fn without_a_key_and_a_terminal_the_places_are_named() {
    let home = Home::new();
    // Without a terminal, also where the tests are run on one.
    let mut command = home.other("setsid");
    command.arg("--wait").arg(env!("CARGO_BIN_EXE_revu")).args(["log", "--repo"]);
    let repo = home.copy("golden/repo", "lone");
    let told = run(command.arg(&repo)).fails(12);
    assert_eq!(told.lines().count(), 1);
    for place in ["--workspace", "--key-file", "--key-command", "REVU_KEY"] {
        assert!(told.contains(place), "{told}");
    }
}

/// Runs the shell's `line` on a terminal and types `keys` when the question stands there.
fn on_terminal(home: &Home, line: &str, keys: &[u8]) -> String {
    let mut command = home.other("script");
    command.args(["-qec", line, "/dev/null"]).env("TERM", "xterm");
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut output = child.stdout.take().unwrap();
    let mut shown = Vec::new();
    let mut byte = [0];
    while !shown.ends_with(b": ") {
        assert_eq!(output.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&shown));
        shown.push(byte[0]);
    }
    let mut input = child.stdin.take().unwrap();
    input.write_all(keys).unwrap();
    output.read_to_end(&mut shown).unwrap();
    drop(input);
    child.wait().unwrap();
    String::from_utf8(shown).unwrap()
}

#[test]
fn the_terminal_is_asked_last_and_shows_nothing() {
    let home = Home::new();
    let repo = home.copy("golden/repo", "lone");
    let line = format!("\"$REVU\" log --json --repo '{}'; echo code $?; stty -a", repo.display());
    let key = golden_key();
    let shown = on_terminal(&home, &line, format!("{key}\n").as_bytes());
    assert!(shown.starts_with("Key or passphrase of /"), "{shown}");
    assert!(!shown.contains(&key), "the key was shown");
    assert!(shown.contains("\"name\":\"2024-05-01T02.01.00+0800\"") && shown.contains("code 0"));
    assert!(!shown.contains("-echo ") && !shown.contains("-icanon"), "{shown}");
    let shown = on_terminal(&home, &line, b"half a k\x03");
    assert!(shown.contains("code 130"), "{shown}");
    assert!(
        !shown.contains("-echo ") && !shown.contains("-icanon"),
        "the terminal is blind: {shown}"
    );
    assert!(!shown.contains("half a k"), "{shown}");
}
