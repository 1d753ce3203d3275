//! The view through the real kernel.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use revu::store::Store;

use super::cli::Home;
use super::support::{BOX, Notes};
use crate::common::Maker;

/// A mount that is left when the test ends, however it does.
pub struct Mount {
    pub home: Home,
    pub point: PathBuf,
}

impl Mount {
    fn new(home: Home, args: &[&str]) -> Self {
        let point = home.folder.path().join("mnt");
        let output = home.run(&[&["mount", "mnt"], args].concat());
        assert!(output.status.success(), "{output:?}");
        Self { home, point }
    }

    /// What a test has mounted at `mnt` itself.
    pub fn of(home: Home) -> Self {
        let point = home.folder.path().join("mnt");
        Self { home, point }
    }

    /// Unmounts it, and mounts it anew.
    fn again(&self) {
        self.home.ok(&["umount", "mnt"]);
        self.home.ok(&["mount", "mnt"]);
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let output = self.home.run(&["umount", "mnt"]);
        if !output.status.success() {
            let _ = Command::new("fusermount3").arg("-uz").arg(&self.point).output();
        }
    }
}

/// Whether tests with mounts are not wanted. Without FUSE they fail, unless told to be skipped.
pub fn skipped(test: &str) -> bool {
    let skip = std::env::var_os("REVU_SKIP_FUSE").is_some_and(|value| value == "1");
    if skip {
        println!("SKIPPED: {test}: REVU_SKIP_FUSE is set");
    }
    skip
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn tools_find_notes_and_pictures_where_they_look() {
    if skipped("tools") {
        return;
    }
    let mount = Mount::new(Home::with_notes(), &["--utc"]);
    let notes = mount.point.join("notes");
    assert_eq!(names(&notes), ["1970-01-01T00.00.01Z", "1970-01-01T00.00.02Z", "latest", "tags"]);
    let grep = Command::new("grep").args(["-r", "oak"]).arg(&notes).output().unwrap();
    let found = String::from_utf8(grep.stdout).unwrap();
    assert_eq!(found.lines().count(), 4, "links are not followed twice: {found}");
    assert!(found.contains("Field notes/Oak.md:the third oak"), "{found}");
    let latest = notes.join("latest/Field notes");
    assert_eq!(fs::read_to_string(latest.join("assets/x.png")).unwrap(), "png");
    assert_eq!(fs::read_to_string(latest.join("Garden/assets/x.png")).unwrap(), "png");
    let copy = mount.home.folder.path().join("copy");
    let cp = Command::new("cp").args(["-rL"]).arg(notes.join("latest/")).arg(&copy).output();
    assert!(cp.unwrap().status.success());
    assert_eq!(fs::read_to_string(copy.join("Field notes/assets/x.png")).unwrap(), "png");
    let meta = fs::metadata(latest.join("Garden.md")).unwrap();
    assert_eq!(meta.len(), fs::read(latest.join("Garden.md")).unwrap().len() as u64);
    assert!(meta.permissions().readonly());
    assert!(fs::write(latest.join("new.md"), "x").is_err());
    // A path in the mount means the note to the commands that know notes.
    let path = latest.join("Garden/Oaks.md").to_string_lossy().into_owned();
    assert!(mount.home.ok(&["cat", "--markdown", &path]).contains("fourth"));
    assert_eq!(mount.home.ok(&["versions", "--json", &path]).lines().count(), 3);
}

#[test]
fn without_notes_and_with_links() {
    if skipped("options") {
        return;
    }
    let mount = Mount::new(Home::with_notes(), &["-o", "nonotes"]);
    assert_eq!(names(&mount.point), ["ids", "latest", "snapshots", "tags", "versions"]);
    drop(mount);
    let mount = Mount::new(Home::with_notes(), &["-o", "notelinks"]);
    assert!(mount.point.join("notes/latest/Field notes/Garden.md").is_file());
}

#[test]
fn an_encrypted_notebook_is_mounted_with_its_password_alone() {
    if skipped("encrypted") {
        return;
    }
    let command = ["--notebook-password-command", "echo opens the safe"];
    let args = [&["--unlock", "Safe"][..], &command].concat();
    let mount = Mount::new(Home::siyuan(), &args);
    let grep = Command::new("grep")
        .args(["-rl", "under the third oak"])
        .arg(mount.point.join("notes"))
        .output()
        .unwrap();
    assert!(String::from_utf8(grep.stdout).unwrap().contains("/Safe/Secret plan.md"));
    drop(mount);
    let home = Home::siyuan();
    let wrong = ["mount", "mnt", "--unlock", "Safe", "--notebook-password-command", "echo x"];
    let said = home.fails(&wrong, 12);
    assert!(said.contains("wrong password"), "{said}");
    assert!(names(home.folder.path()).iter().all(|name| name != "mnt"), "nothing was mounted");
}

/// A notebook of a thousand notes, listed with all that a file manager asks for, twice. The time that
/// it may take is generous: other programs use this machine too, and this is no release build.
#[test]
fn a_thousand_notes_are_listed_soon_and_then_at_once() {
    if skipped("thousand") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let repo = folder.path().join("repo");
    fs::create_dir(&repo).unwrap();
    let notes = Notes::at(Maker::new(Store::local(&repo)));
    let mut records = vec![notes.notebook(BOX, "Large")];
    for n in 0..1_000 {
        let words = format!("note {n}: ") + &"some words of it and more. ".repeat(200);
        records.push(notes.note(
            &format!("{BOX}/20260101000000-{n:07}"),
            &format!("Title {n}"),
            &words,
        ));
    }
    notes.snapshot(1_000, &records);
    let home = Home::of(folder, repo, &notes.maker.key);
    let mount = Mount::new(home, &[]);
    let book = mount.point.join("notes/latest/Large");
    let list = || {
        let begin = Instant::now();
        let output = Command::new("ls").arg("-l").arg(&book).output().unwrap();
        assert_eq!(output.stdout.iter().filter(|b| **b == b'\n').count(), 1_001);
        begin.elapsed()
    };
    let (first, second) = (list(), list());
    // What is known is written as soon as nothing more comes, and by no means only at the end.
    let kept = mount.home.folder.path().join(".cache/revu/notes");
    let begin = Instant::now();
    while !(kept.is_dir() && names(&kept).iter().any(|name| name.len() == 40)) {
        assert!(begin.elapsed().as_secs() < 30, "nothing is kept");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    mount.again();
    let third = list();
    println!(
        "1,000 notes listed first in {first:?}, then in {second:?}, in another process in {third:?}"
    );
    assert!(first.as_secs() < 20 && second.as_secs() < 5, "{first:?}, {second:?}");
    assert!(third.as_secs() < 10, "{third:?}");
}
