//! `revu snapshot`: what the user types and reads. What is stored has tests of its own.

use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::common;
use crate::support::{Home, Ran, run, siyuan};

const PASSPHRASE: &str = "open sesame";

/// A home with a repository and a folder of three files.
struct Place {
    home: Home,
    repo: PathBuf,
    docs: PathBuf,
}

impl Place {
    fn new() -> Self {
        let home = Home::new();
        let (repo, docs) = (home.path("backup"), home.path("docs"));
        let mut init = home.command(["init"]);
        run(init.arg(&repo).env("REVU_NEW_PASSPHRASE", PASSPHRASE)).ok();
        let place = Self { home, repo, docs };
        for (path, text) in [("a.txt", "one\n"), ("sub/b.txt", "two\n"), ("sub/c.log", "three\n")] {
            place.write(path, text);
        }
        place
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.docs.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = self.home.command(["--repo"]);
        command.arg(&self.repo).args(words).env("REVU_PASSPHRASE", PASSPHRASE);
        command
    }

    fn ask(&self, words: &[&str]) -> Ran {
        run(&mut self.command(words))
    }

    fn snapshot(&self, words: &[&str]) -> Ran {
        let mut command = self.command(&["snapshot"]);
        run(command.arg(&self.docs).args(words))
    }

    fn paths(&self) -> Vec<String> {
        let lines = self.ask(&["ls", "latest", "-R", "--json"]).ok().json();
        let files = lines.iter().filter(|line| line["type"] == "file");
        files.map(|line| line["path"].as_str().unwrap().to_owned()).collect()
    }
}

/// Every file of a folder with what tells a change of it.
fn state(folder: &Path) -> Vec<(PathBuf, u64, i64, i64)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let meta = fs::metadata(&path).unwrap();
        if meta.is_dir() {
            found.extend(state(&path));
        } else {
            found.push((path, meta.ino(), meta.ctime(), meta.ctime_nsec()));
        }
    }
    found.sort();
    found
}

fn summary(ran: Ran) -> Value {
    ran.ok().json().pop().unwrap()["summary"].clone()
}

#[test]
fn what_a_user_reads() {
    let place = Place::new();
    symlink("a.txt", place.docs.join("link")).unwrap();
    fs::create_dir(place.docs.join("empty")).unwrap();
    let dry = place.snapshot(&["--dry-run"]).ok();
    assert!(dry.stdout.contains("would make a snapshot  3 files, 14 B: 3 added"), "{dry:?}");
    assert!(place.ask(&["log"]).ok().stdout.is_empty(), "a dry run writes nothing");

    let first = place.snapshot(&["--tag", "start", "-m", "the first"]).ok();
    let log = place.ask(&["log", "--json"]).ok().json();
    assert_eq!(log.len(), 1);
    let (name, id) = (log[0]["name"].as_str().unwrap(), log[0]["id"].as_str().unwrap());
    let lines = first.lines();
    assert_eq!(lines[0], "left out: 1 symbolic link (/link)");
    assert_eq!(lines[1], "left out: 1 empty folder (/empty)");
    let head = format!("{name}  {}  3 files, 14 B: 3 added, 0 changed, 0 removed", &id[..8]);
    assert_eq!(lines[2], head);
    assert!(lines[3].starts_with("read 14 B, stored ") && lines[3].ends_with(" in 6 objects"));
    assert_eq!(lines[4], "its tag is start");
    assert_eq!((&log[0]["memo"], &log[0]["tags"][0]), (&"the first".into(), &"start".into()));
    assert!(!log[0]["device"]["name"].as_str().unwrap().is_empty());

    let before = state(&place.repo);
    let again = place.snapshot(&[]).ok();
    let told =
        format!("nothing has changed since {name}  {}: no new snapshot (3 files, 14 B)", &id[..8]);
    assert_eq!(again.lines()[2], told);
    assert_eq!(state(&place.repo), before, "nothing is written");
    assert_eq!(place.snapshot(&["--quiet"]).ok().stdout, "");

    place.write("a.txt", "one more\n");
    place.write("new", "n");
    fs::remove_file(place.docs.join("sub/b.txt")).unwrap();
    let second = summary(place.snapshot(&["--json"]));
    for (key, value) in [("files", 3), ("added", 1), ("changed", 1), ("removed", 1)] {
        assert_eq!(second[key], value, "{key} of {second}");
    }
    assert_eq!((&second["base"], &second["unchanged"]), (&log[0]["id"], &1.into()));
    assert_eq!(second["skipped"]["symlink"], serde_json::json!({"count": 1, "names": ["/link"]}));
    let log = place.ask(&["log", "--json"]).ok().json();
    for key in ["id", "name", "created", "time", "memo", "files", "size"] {
        assert_eq!(second[key], log[0][key], "{key}");
    }
    assert_eq!(log[0]["memo"], "[revu] snapshot");
    place.ask(&["check", "--read-data"]).ok();
}

#[test]
fn a_tag_that_is_there_is_refused_before_any_work() {
    let place = Place::new();
    place.snapshot(&["--tag", "v1"]).ok();
    place.write("new", "n");
    let before = state(&place.repo);
    // No key is given: nobody is asked for one.
    let mut command = place.command(&["snapshot", "--tag", "v1"]);
    let told = run(command.arg(&place.docs).env_remove("REVU_PASSPHRASE")).fails(1);
    assert!(told.contains("`v1` already"), "{told}");
    place.snapshot(&["--tag", "a/b"]).fails(2);
    place.snapshot(&["--tag", "v2", "--tag", "v1"]).fails(1);
    assert_eq!(state(&place.repo), before);
    // Nothing has changed, but the user wants a name for what there is.
    place.snapshot(&[]).ok();
    place.snapshot(&["--tag", "v2"]).ok();
    let tags = place.ask(&["tag", "list", "--json"]).ok().json();
    let names: Vec<_> = tags.iter().map(|tag| tag["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["v1", "v2"]);
}

#[test]
fn patterns() {
    let place = Place::new();
    place.write("sub/.revuignore", "*.log\n");
    place.write("big.iso", "x");
    let list = place.home.path("list");
    fs::write(&list, "# comment\nb.txt\n").unwrap();
    let list = list.to_str().unwrap().to_owned();
    let made = place.snapshot(&["--exclude", "*.iso", "--exclude-from", &list, "-v"]).ok();
    let excluded = "left out: 3 things that the rules exclude (/big.iso, /sub/b.txt, /sub/c.log)";
    assert!(made.lines().contains(&excluded), "{made:?}");
    assert_eq!(place.paths(), ["/a.txt", "/sub/.revuignore"]);
    let told = place.snapshot(&["--exclude-from", "/no/such/list"]).fails(1);
    assert!(told.contains("/no/such/list"), "{told}");
    place.snapshot(&["--exclude", "a{"]).fails(1);
}

#[test]
fn folders_that_cannot_be() {
    let place = Place::new();
    place.ask(&["snapshot"]).fails(2);
    let inside = place.repo.join("objects");
    let told = place.ask(&["snapshot", inside.to_str().unwrap()]).fails(2);
    assert!(told.contains("lies in the repository"), "{told}");
    let told = place.ask(&["snapshot", "/no/such/folder"]).fails(1);
    assert!(told.contains("/no/such/folder"), "{told}");
    let file = place.docs.join("a.txt");
    place.ask(&["snapshot", file.to_str().unwrap()]).fails(1);
    assert!(place.ask(&["log"]).ok().stdout.is_empty());
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let place = Place::new();
    place.snapshot(&[]).ok();
    place.write("a.txt", "changed\n");
    place.write("secret", "s");
    for name in ["a.txt", "secret"] {
        fs::set_permissions(place.docs.join(name), fs::Permissions::from_mode(0o000)).unwrap();
    }
    let mut command = place.command(&["snapshot", "--json"]);
    command.arg(&place.docs);
    // SAFETY: `geteuid` has no preconditions.
    if unsafe { libc::geteuid() } == 0 {
        // The administrator reads everything, so somebody else does it.
        give_to_nobody(&place.home.path(""));
        command.uid(NOBODY).gid(NOBODY);
    }
    let ran = run(&mut command);
    let told = ran.stderr.clone();
    assert_eq!(ran.code, 3, "{ran:?}");
    for (path, kept) in [("/a.txt", true), ("/secret", false)] {
        let line =
            told.lines().find(|line| line.contains(path)).unwrap_or_else(|| panic!("{told}"));
        assert_eq!(line.contains("kept as the snapshot before"), kept, "{line}");
    }
    assert!(told.contains("\"exit\":3"), "{told}");
    let summary = &ran.json()[0]["summary"];
    assert_eq!(summary["problems"].as_array().unwrap().len(), 2);
    assert_eq!((&summary["files"], &summary["changed"]), (&3.into(), &0.into()), "{summary}");
}

const NOBODY: u32 = 65_534;

fn give_to_nobody(folder: &Path) {
    chown(folder, Some(NOBODY), Some(NOBODY)).unwrap();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => give_to_nobody(&path),
            // One without any permission stays its owner's, whom permissions bind too.
            false => chown(&path, Some(NOBODY), Some(NOBODY)).unwrap(),
        }
    }
}

#[test]
fn a_workspace_as_siyuan_would() {
    let home = Home::new();
    let ws = home.path("ws");
    common::copy_tree(&siyuan(), &ws);
    let data = ws.join("data");
    let mut restore = home.command(["restore", "latest", "--to"]);
    run(restore.arg(&data).arg("--workspace").arg(&ws)).ok();
    let ask = |words: &[&str]| {
        let mut command = home.command(words);
        run(command.current_dir(&data))
    };
    let before = ask(&["log", "--json"]).ok().json();
    let same = ask(&["snapshot"]).ok();
    assert!(same.stdout.contains("nothing has changed since"), "as SiYuan left it: {same:?}");
    fs::write(ws.join("data/assets/new.txt"), "a new asset").unwrap();
    // SiYuan holds this lock for as long as it runs.
    let lock =
        fs::OpenOptions::new().create(true).write(true).truncate(false).open(ws.join(".lock"));
    let lock = lock.unwrap();
    // SAFETY: the descriptor is open.
    assert_eq!(unsafe { libc::flock(lock.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) }, 0);
    let told = ask(&["snapshot"]).fails(11);
    assert!(told.contains("SiYuan is running"), "{told}");
    drop(lock);
    let told = ask(&["snapshot", "/tmp"]).fails(2);
    assert!(told.contains("revu init"), "{told}");

    ask(&["snapshot", "--tag", "mine"]).ok();
    let log = ask(&["log", "--json"]).ok().json();
    assert_eq!(log.len(), before.len() + 1);
    assert_eq!(log[0]["memo"], "[revu] snapshot");
    let conf: Value =
        serde_json::from_slice(&fs::read(ws.join("conf/conf.json")).unwrap()).unwrap();
    for key in ["id", "name", "os"] {
        assert_eq!(log[0]["device"][key], conf["system"][key], "{key}");
    }
    let paths = ask(&["ls", "latest:/assets", "--json"]).ok().json();
    assert!(paths.iter().any(|line| line["path"] == "/assets/new.txt"), "{paths:?}");
    // From elsewhere the folder says which workspace is meant.
    let again = home.run(["snapshot", data.to_str().unwrap()]).ok();
    assert!(again.stdout.contains("nothing has changed since"), "{again:?}");
    ask(&["check", "--read-data"]).ok();
}

#[test]
fn ctrl_c_leaves_a_good_repository() {
    let place = Place::new();
    place.snapshot(&[]).ok();
    // Without a block on the disk, and yet long to read.
    let large = fs::File::create(place.docs.join("large")).unwrap();
    large.set_len(64 << 30).unwrap();
    let mut command = place.command(&["snapshot"]);
    command.arg(&place.docs).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    // At work: until it has its lock, nobody may have told it what Ctrl-C means.
    let until = Instant::now() + Duration::from_secs(60);
    let locks = place.repo.join("revu-locks");
    while fs::read_dir(&locks).map_or(0, Iterator::count) == 0 {
        assert!(Instant::now() < until, "it does not begin");
        std::thread::sleep(Duration::from_millis(10));
    }
    std::thread::sleep(Duration::from_millis(300));
    let pid = i32::try_from(child.id()).unwrap();
    // SAFETY: the process is a child that nobody has waited for yet.
    assert_eq!(unsafe { libc::kill(pid, libc::SIGINT) }, 0);
    let asked = Instant::now();
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(130), "{ended:?}");
    assert!(asked.elapsed() < Duration::from_secs(30), "it ends soon");
    assert_eq!(String::from_utf8(ended.stderr).unwrap(), "revu: stopped: no snapshot was made\n");
    drop(large);
    fs::remove_file(place.docs.join("large")).unwrap();
    assert_eq!(place.ask(&["log", "--json"]).ok().json().len(), 1);
    place.ask(&["check", "--read-data"]).ok();
    place.write("new", "n");
    place.snapshot(&[]).ok();
}
