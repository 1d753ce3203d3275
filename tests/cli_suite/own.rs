//! Repositories of our own: `init`, `key`, and what opens them.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use revu::format::RepoKey;
use revu::store::Store;

use crate::common;
use crate::support::{Home, Ran, golden, run};

/// A repository that the passphrase `open sesame` opens; its slot.
fn init(home: &Home) -> (PathBuf, String) {
    let repo = home.path("backup");
    let mut command = home.command(["init", "--json"]);
    let made = run(command.arg(&repo).env("REVU_NEW_PASSPHRASE", "open sesame")).ok().json();
    let summary = &made[0]["summary"];
    assert_eq!(summary["repository"], repo.to_str().unwrap());
    assert_eq!(summary["profile"], "plain");
    (repo, summary["slot"].as_str().unwrap().to_owned())
}

fn with_passphrase(home: &Home, repo: &Path, passphrase: &str, words: &[&str]) -> Ran {
    run(on(home, repo, words).env("REVU_PASSPHRASE", passphrase))
}

fn on(home: &Home, repo: &Path, words: &[&str]) -> Command {
    let mut command = home.command(["--repo"]);
    command.arg(repo).args(words);
    command
}

/// The repository's own key.
fn shown(home: &Home, repo: &Path, passphrase: &str) -> RepoKey {
    let text = with_passphrase(home, repo, passphrase, &["key", "show"]).ok().stdout;
    RepoKey::from_base64(text.trim_end()).unwrap()
}

#[test]
fn init_then_every_way_in() {
    let home = Home::new();
    let (repo, _) = init(&home);
    let ask = |passphrase| with_passphrase(&home, &repo, passphrase, &["log"]);
    assert_eq!(ask("open sesame").ok().stdout, "");
    assert_eq!(ask(" open sesame\n").ok().stdout, "");
    let told = ask("open sesam").fails(12);
    assert!(told.contains("wrong key") && !told.contains("SiYuan shows"), "{told}");
    assert!(!told.contains("sesam"), "{told}");

    let key = shown(&home, &repo, "open sesame");
    let raw = key.to_base64();
    run(on(&home, &repo, &["log"]).env("REVU_KEY", raw.as_str())).ok();
    let wrong = RepoKey::from_bytes([1; 32]).to_base64();
    run(on(&home, &repo, &["log"]).env("REVU_KEY", wrong.as_str())).fails(12);
    let file = home.secret("phrase", "open sesame\n");
    run(on(&home, &repo, &["log", "--key-file"]).arg(&file)).ok();
    let shell = format!("cat '{}'", file.display());
    run(&mut on(&home, &repo, &["log", "--key-command", &shell])).ok();

    // A snapshot that was made with the key is there for all of them.
    let mut maker = common::Maker::new(Store::local(&repo));
    maker.take(key);
    let record = maker.file("/note", 1_714_557_660_000, b"old words", 100);
    maker.snapshot(1_714_557_660_000, &[record]);
    let cat = with_passphrase(&home, &repo, "open sesame", &["cat", "latest:/note"]);
    assert_eq!(cat.ok().stdout, "old words");
    // In the workspace of SiYuan's nothing has changed.
    let mut other = on(&home, &repo, &["log", "--json"]);
    let ran = run(other.env("REVU_WORKSPACE", golden()).env("REVU_PASSPHRASE", "open sesame"));
    assert_eq!(ran.ok().json().len(), 1);
}

#[test]
fn init_takes_what_opens_it_from_the_usual_places_and_never_shows_it() {
    let home = Home::new();
    let file = home.secret("phrase", "from a file");
    let command = |name: &str| {
        let mut command = home.command(["init"]);
        command.arg(home.path(name));
        command
    };
    let opens = |name: &str, passphrase: &str| {
        with_passphrase(&home, &home.path(name), passphrase, &["log"]).ok();
    };
    let told = run(command("a").env("REVU_PASSPHRASE", "pass a")).ok().stdout;
    assert!(told.contains("key slot") && told.contains("revu key show"), "{told}");
    assert!(!told.contains("pass a"));
    opens("a", "pass a");
    run(command("b").arg("--key-file").arg(&file).env("REVU_PASSPHRASE", "not this")).ok();
    opens("b", "from a file");
    run(command("c").env("REVU_NEW_PASSPHRASE", "new").env("REVU_PASSPHRASE", "old")).ok();
    opens("c", "new");
    let told = run(command("d").env("REVU_NEW_PASSPHRASE", " ")).fails(12);
    assert!(told.contains("REVU_NEW_PASSPHRASE") && told.contains("empty"), "{told}");
    assert!(!home.path("d").exists());
    // Without a terminal, also where the tests are run on one.
    let mut nowhere = home.other("setsid");
    nowhere.arg("--wait").arg(env!("CARGO_BIN_EXE_revu")).arg("init").arg(home.path("d"));
    let told = run(&mut nowhere).fails(1);
    assert!(told.contains("REVU_NEW_PASSPHRASE") && told.contains("--new-key-file"), "{told}");
    assert!(!home.path("d").exists());
}

#[test]
fn init_leaves_what_is_there() {
    let home = Home::new();
    let (repo, _) = init(&home);
    let before = fs::read(repo.join("revu.json")).unwrap();
    let again = |folder: &Path, words: &[&str]| {
        let mut command = home.command(["init"]);
        let told = run(command.args(words).arg(folder).env("REVU_NEW_PASSPHRASE", "x")).fails(1);
        assert_eq!(told.lines().count(), 1);
        told
    };
    let key_file = home.path("never");
    let words = ["--new-key-file", key_file.to_str().unwrap()];
    for words in [&words[..], &[], &["--profile", "siyuan"]] {
        assert!(again(&repo, words).contains("there is a repository"));
        assert!(again(&golden().join("repo"), words).contains("there is a repository"));
        assert!(again(&home.path("home/.."), words).contains("is not empty"));
    }
    assert!(!key_file.exists(), "a key was made for nothing");
    assert_eq!(fs::read(repo.join("revu.json")).unwrap(), before);
    run(&mut home.command(["init"])).fails(2);
}

#[test]
fn key_files_are_made_and_open() {
    let home = Home::new();
    let (repo, file) = (home.path("r"), home.path("key"));
    let mut command = home.command(["init", "--label", "stick", "--new-key-file"]);
    run(command.arg(&file).arg(&repo)).ok();
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let log = |file: &Path| run(on(&home, &repo, &["log", "--key-file"]).arg(file));
    log(&file).ok();
    let text = fs::read_to_string(&file).unwrap();
    assert!(RepoKey::parse(&text).is_ok());
    let key = run(on(&home, &repo, &["key", "show", "--key-file"]).arg(&file)).ok().stdout;
    assert_ne!(key, text, "the file is a key of its own");
    // Never overwritten; nor in the repository, where whoever takes that takes it too.
    let mut command = home.command(["init", "--new-key-file"]);
    let told = run(command.arg(&file).arg(home.path("s"))).fails(1);
    assert!(told.contains("there already") && !home.path("s").exists(), "{told}");
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
    let mut command = home.command(["init", "--new-key-file"]);
    let told = run(command.arg(home.path("s/key")).arg(home.path("s"))).fails(2);
    assert!(told.contains("lie in the repository") && !home.path("s").exists(), "{told}");
}

#[test]
fn for_siyuan_there_is_the_key_alone() {
    let home = Home::new();
    let (repo, file) = (home.path("r"), home.path("key"));
    let mut command = home.command(["init", "--profile", "siyuan", "--json", "--new-key-file"]);
    let made = run(command.arg(&file).arg(&repo)).ok().json();
    assert_eq!(made[0]["summary"]["profile"], "siyuan");
    assert!(!repo.join("revu.json").exists());
    let text = fs::read_to_string(&file).unwrap();
    let key = run(on(&home, &repo, &["key", "show", "--key-file"]).arg(&file)).ok().stdout;
    assert_eq!(key, text);
    for words in
        [&["key", "list"][..], &["key", "add"], &["key", "change"], &["key", "remove", "x"]]
    {
        let told = run(&mut on(&home, &repo, words)).fails(1);
        assert!(told.contains("repository of SiYuan"), "{words:?}: {told}");
    }
    let mut command = home.command(["init", "--profile", "siyuan", "--label", "x"]);
    run(command.arg(home.path("s"))).fails(2);
}

#[test]
fn show_prints_the_key_that_opens_and_no_other() {
    let home = Home::new();
    let golden = golden();
    let key = fs::read_to_string(golden.join("key.txt")).unwrap();
    let mut command = home.command(["key", "show", "--workspace"]);
    assert_eq!(run(command.arg(&golden)).ok().stdout.trim(), key.trim());
    let mut command = home.command(["key", "show", "--json", "--workspace"]);
    assert_eq!(run(command.arg(&golden)).ok().json()[0]["key"], key.trim());
    let mut command = home.command(["key", "show", "--workspace"]);
    let ran = run(command.arg(&golden).env("REVU_PASSPHRASE", "wrong"));
    assert_eq!(ran.stdout, "");
    ran.fails(12);
}

#[test]
fn slots_come_change_and_go() {
    let home = Home::new();
    let (repo, first) = init(&home);
    let before = shown(&home, &repo, "open sesame");
    let act = |passphrase: &str, new: &str, words: &[&str]| {
        let mut command = on(&home, &repo, words);
        run(command.env("REVU_PASSPHRASE", passphrase).env("REVU_NEW_PASSPHRASE", new))
    };
    let added = act("open sesame", "second", &["key", "add", "--label", "desk", "--json"]).ok();
    let second = added.json()[0]["summary"]["slot"].as_str().unwrap().to_owned();
    assert_eq!(added.json()[0]["summary"]["state"], "added");
    assert_eq!(shown(&home, &repo, "second"), before);

    let file = home.path("key");
    let mut command = on(&home, &repo, &["key", "add", "--new-key-file"]);
    run(command.arg(&file).env("REVU_PASSPHRASE", "second")).ok();
    run(on(&home, &repo, &["log", "--key-file"]).arg(&file)).ok();

    let list = run(&mut on(&home, &repo, &["key", "list", "--json"])).ok().json();
    let kinds: Vec<_> = list.iter().map(|slot| slot["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["passphrase", "passphrase", "key-file"]);
    assert_eq!((&list[0]["id"], &list[1]["id"]), (&first.clone().into(), &second.clone().into()));
    assert_eq!((&list[1]["label"], &list[1]["usable"]), (&"desk".into(), &true.into()));
    let text = run(&mut on(&home, &repo, &["key", "list"])).ok();
    assert_eq!(text.lines().len(), 3, "{text:?}");

    // The slot that opens is the one that changes.
    act("second", "third", &["key", "change"]).ok();
    act("second", "", &["log"]).fails(12);
    assert_eq!(shown(&home, &repo, "third"), before);
    act("third", "fourth", &["key", "change", &first[..7]]).ok();
    act("open sesame", "", &["log"]).fails(12);
    assert_eq!(shown(&home, &repo, "fourth"), before);
    // With the key itself none is the one.
    let raw = before.to_base64();
    let mut command = on(&home, &repo, &["key", "change"]);
    let told = run(command.env("REVU_KEY", raw.as_str()).env("REVU_NEW_PASSPHRASE", "x")).fails(2);
    assert!(told.contains("name the slot"), "{told}");

    let told = act("third", "", &["key", "remove", "desk"]).fails(1);
    assert!(told.contains("the one that opened"), "{told}");
    assert!(act("third", "", &["key", "remove", "none"]).fails(1).contains("revu key list"));
    act("wrong", "", &["key", "remove", &first]).fails(12);
    act("third", "", &["key", "remove", &first]).ok();
    act("fourth", "", &["log"]).fails(12);
    let mut command = on(&home, &repo, &["key", "remove", "desk", "--key-file"]);
    run(command.arg(&file)).ok();
    let last = run(&mut on(&home, &repo, &["key", "list", "--json"])).ok().json();
    let last = last[0]["id"].as_str().unwrap().to_owned();
    let mut command = on(&home, &repo, &["key", "remove", &last, "--json"]);
    let told = run(command.env("REVU_KEY", raw.as_str())).fails(1);
    assert!(told.contains("last one that opens"), "{told}");
    run(on(&home, &repo, &["log", "--key-file"]).arg(&file)).ok();
}

#[test]
fn a_damaged_file_is_told_and_the_key_still_opens() {
    let home = Home::new();
    let (repo, _) = init(&home);
    let key = shown(&home, &repo, "open sesame");
    let mut maker = common::Maker::new(Store::local(&repo));
    maker.take(key.clone());
    let record = maker.file("/note", 1_714_557_660_000, b"old words", 100);
    maker.snapshot(1_714_557_660_000, &[record]);
    let file = repo.join("revu.json");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, &text[..text.len() / 2]).unwrap();
    let told = with_passphrase(&home, &repo, "open sesame", &["log"]).fails(1);
    assert!(told.contains("revu.json") && told.contains("revu key show"), "{told}");
    let raw = key.to_base64();
    let ran = run(on(&home, &repo, &["cat", "latest:/note"]).env("REVU_KEY", raw.as_str()));
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "old words"), "{ran:?}");
    assert!(ran.stderr.contains("warning") && ran.stderr.contains("damaged"), "{ran:?}");
    fs::write(&file, text.replacen("65536", "104857600", 1)).unwrap();
    let told = with_passphrase(&home, &repo, "open sesame", &["log"]).fails(12);
    assert!(told.contains("104857600 KiB") && told.contains("absurd"), "{told}");
}

#[test]
fn a_repository_in_use_keeps_its_keys() {
    use revu::store::lock::{Kind, Lock};
    let home = Home::new();
    let (repo, _) = init(&home);
    let store = Store::local(&repo);
    let wait = std::time::Duration::ZERO;
    let lock = Lock::take(&store, Kind::Shared, "snapshot", wait, &|| false).unwrap();
    let mut command = on(&home, &repo, &["key", "add"]);
    command.env("REVU_PASSPHRASE", "open sesame").env("REVU_NEW_PASSPHRASE", "second");
    let told = run(&mut command).fails(11);
    assert!(told.contains("in use") && told.contains("snapshot"), "{told}");
    drop(lock);
    run(&mut command).ok();
}

/// Runs the shell's `line` on a terminal and answers each question that it asks.
fn on_terminal(home: &Home, line: &str, answers: &[&str]) -> String {
    let mut command = home.other("script");
    command.args(["-qec", line, "/dev/null"]).env("TERM", "xterm");
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let (mut input, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut shown = Vec::new();
    let mut byte = [0];
    for answer in answers {
        let asked = shown.len();
        while shown.len() == asked || !shown.ends_with(b": ") {
            assert_eq!(output.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&shown));
            shown.push(byte[0]);
        }
        input.write_all(format!("{answer}\n").as_bytes()).unwrap();
    }
    output.read_to_end(&mut shown).unwrap();
    drop(input);
    child.wait().unwrap();
    String::from_utf8(shown).unwrap()
}

#[test]
fn the_terminal_asks_twice_for_what_is_new() {
    let home = Home::new();
    let repo = home.path("r");
    let line = format!("\"$REVU\" init '{}'; echo code $?", repo.display());
    let shown = on_terminal(&home, &line, &["first try", "mistyped", "good words", "good words"]);
    assert!(shown.contains("New passphrase of /") && shown.contains("The same again"), "{shown}");
    assert!(shown.contains("not the same") && shown.contains("code 0"), "{shown}");
    assert!(!shown.contains("words") && !shown.contains("try"), "it was shown: {shown}");
    let line = format!("\"$REVU\" key change --repo '{}'; echo code $?", repo.display());
    let shown = on_terminal(&home, &line, &["good words", "better", "better"]);
    assert!(shown.contains("Passphrase of /") && shown.contains("code 0"), "{shown}");
    with_passphrase(&home, &repo, "better", &["log"]).ok();
    let line = format!("\"$REVU\" init '{}'; echo code $?", home.path("s").display());
    let shown = on_terminal(&home, &line, &["a", "b", "c", "d", "e", "f"]);
    assert!(shown.contains("code 1") && !home.path("s").exists(), "{shown}");
}

#[test]
fn new_passphrases_do_not_get_to_children() {
    let home = Home::new();
    let (repo, _) = init(&home);
    let command = "env | grep -q REVU_NEW_PASSPHRASE= && exit 9; echo open sesame";
    let mut add = on(&home, &repo, &["key", "add", "--key-command", command]);
    run(add.env("REVU_NEW_PASSPHRASE", "s3cret")).ok();
}
