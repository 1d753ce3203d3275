//! `kill -9` at random moments of the real program, over and over: each time the repository is whole, the
//! next run succeeds, and what was restored is whole or not there.
//!
//! `REVU_KILLS` is how often each command is killed instead of the few times that fit into everyday
//! tests; `scripts/kill-loop` sets it.

mod common;
mod program;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use program::{Bed, Files, Ran, Random, files, finish, is_temporary, noise, run};

/// How often each of six commands is killed in everyday tests.
const KILLS: u32 = 8;

/// Runs that end before they are killed, for each that is, at the most: then the machine is no good
/// for this.
const IN_VAIN: u32 = 20;

fn kills() -> u32 {
    match std::env::var("REVU_KILLS") {
        Ok(number) => number.parse().expect("REVU_KILLS is a number"),
        Err(_) => KILLS,
    }
}

/// Kills commands at random moments of their lives.
struct Killer {
    random: Random,
    /// How long the command lives if it is let.
    life: Duration,
    killed: u32,
    in_vain: u32,
}

impl Killer {
    /// `life` is that of a first run, which is not killed.
    fn new(mut command: Command) -> Self {
        let begin = Instant::now();
        run(&mut command).ok();
        Self { random: Random::new(), life: begin.elapsed(), killed: 0, in_vain: 0 }
    }

    /// Whether there is more to kill.
    fn goes_on(&self) -> bool {
        let most = kills() * IN_VAIN;
        assert!(self.in_vain < most, "{} of {} runs ended by themselves", self.in_vain, most);
        self.killed < kills()
    }

    /// Starts this and kills it; `None` where it had ended before.
    fn kill(&mut self, mut command: Command) -> Option<()> {
        let whole = u64::try_from(self.life.as_micros()).unwrap();
        let begin = Instant::now();
        let mut child = command.spawn().unwrap();
        std::thread::sleep(Duration::from_micros(self.random.below(whole)));
        child.kill().unwrap();
        let ran = finish(child);
        if ran.code.is_none() {
            self.killed += 1;
            return Some(());
        }
        ran.ok();
        self.in_vain += 1;
        // The first run was slower, as first runs are.
        self.life = (self.life + begin.elapsed()) / 2;
        None
    }
}

impl Drop for Killer {
    fn drop(&mut self) {
        println!("killed {} times, {} runs ended before", self.killed, self.in_vain);
    }
}

/// Changes some of the files of a folder, so that there is something to do.
fn edit(bed: &Bed, folder: &str, random: &mut Random) {
    for _ in 0..30 {
        let n = random.below(200);
        bed.write(&format!("{folder}/d{}/{n}.txt", n % 7), noise(random.next(), 2_000));
    }
    let large = usize::try_from(random.below(6 << 20)).unwrap();
    bed.write(&format!("{folder}/large{}", random.below(3)), noise(random.next(), large));
    let gone = bed.path(format!("{folder}/large{}", random.below(3)));
    let _ = std::fs::remove_file(gone);
}

/// Every leftover goes with a purge, which harms nothing that stays.
fn purge(bed: &Bed, keep: &str) {
    // Objects of the same instant are too young to go.
    std::thread::sleep(Duration::from_millis(30));
    bed.run(&["purge", "--keep-last", keep]).ok();
    bed.is_whole();
    assert_eq!(bed.oddities(), [], "after a purge nothing is left of what was killed");
}

#[test]
fn snapshots() {
    let bed = Bed::new();
    let mut random = Random::new();
    edit(&bed, "data", &mut random);
    let command = |bed: &Bed| bed.revu(&["snapshot", "data"]);
    let mut killer = Killer::new(command(&bed));
    while killer.goes_on() {
        edit(&bed, "data", &mut random);
        if killer.kill(command(&bed)).is_none() {
            continue;
        }
        bed.is_whole();
        run(&mut command(&bed)).ok();
        let restored = bed.path("restored");
        bed.run(&["restore", "latest", "--to", "restored"]).ok();
        let (found, expected) = (files(&restored), files(&bed.path("data")));
        assert!(same_contents(&found, &expected), "the next snapshot has lost something");
        std::fs::remove_dir_all(&restored).unwrap();
        let left: Vec<_> = bed.oddities().into_iter().map(|(kind, _)| kind).collect();
        assert!(left.iter().all(|kind| kind == "leftover"), "{left:?}: no lock of a dead process");
        if killer.killed.is_multiple_of(8) {
            purge(&bed, "3");
        }
    }
    purge(&bed, "1");
}

/// Times may have moved on to a free second where a file changed twice within one.
fn same_contents(a: &Files, b: &Files) -> bool {
    a.keys().eq(b.keys()) && a.iter().all(|(path, (content, _))| b[path].0 == *content)
}

#[test]
fn tags() {
    let bed = Bed::new();
    bed.write("data/a", "text");
    bed.run(&["snapshot", "data"]).ok();
    let mut killer = Killer::new(bed.revu(&["tag", "add", "latest", "first"]));
    let mut n = 0;
    while killer.goes_on() {
        n += 1;
        let tag = format!("tag {n}");
        let is_there = || bed.path("repo/refs/tags").join(&tag).exists();
        if killer.kill(bed.revu(&["tag", "add", "latest", &tag])).is_none() {
            assert!(is_there());
            continue;
        }
        bed.is_whole();
        let again = bed.run(&["tag", "add", "latest", &tag]);
        if again.code != Some(0) {
            let told = again.fails(1);
            assert!(told.contains(&tag), "it was there already, whole: {told}");
        }
        assert_eq!(bed.run(&["cat", &format!("{tag}:/a")]).ok().stdout, "text");
        if killer.killed.is_multiple_of(8) {
            purge(&bed, "1");
        }
    }
    purge(&bed, "1");
}

#[test]
fn restores() {
    let bed = Bed::new();
    let mut random = Random::new();
    for _ in 0..8 {
        edit(&bed, "data", &mut random);
    }
    bed.run(&["snapshot", "data"]).ok();
    let target = bed.path("restored");
    bed.run(&["restore", "latest", "--to", "restored"]).ok();
    // As the format holds it, times and all.
    let expected = files(&target);
    assert!(same_contents(&expected, &files(&bed.path("data"))));
    let restore = ["restore", "latest", "--to", "restored"];
    std::fs::remove_dir_all(&target).unwrap();
    let mut killer = Killer::new(bed.revu(&restore));
    while killer.goes_on() {
        // From nothing, or to where another was killed.
        if random.below(3) > 0 && target.exists() {
            std::fs::remove_dir_all(&target).unwrap();
        }
        if killer.kill(bed.revu(&restore)).is_none() {
            continue;
        }
        whole_or_absent(&target, &expected);
        bed.is_whole();
        if random.below(2) == 0 {
            run(&mut bed.revu(&restore)).ok();
            let mut found = files(&target);
            found.retain(|path, _| !is_temporary(path));
            assert!(found == expected, "the next run restores the rest");
        }
        if random.below(2) == 0 {
            run(bed.revu(&restore).arg("--delete")).ok();
            assert!(files(&target) == expected, "with --delete nothing else is left");
        }
    }
}

/// No file is there in part.
#[track_caller]
fn whole_or_absent(target: &Path, expected: &Files) {
    for (path, found) in files(target) {
        assert!(is_temporary(&path) || expected.get(&path) == Some(&found), "{path} is not whole");
    }
}

#[test]
fn restores_in_place() {
    let bed = Bed::new();
    let workspace = bed.path("ws");
    common::copy_tree(&common::fixtures().join("golden"), &workspace);
    let data = workspace.join("data");
    std::fs::create_dir(&data).unwrap();
    let on = |words: &[&str]| {
        let mut command = bed.command(words);
        command.arg("--workspace").arg(&workspace);
        command
    };
    let ask = |words: &[&str]| run(&mut on(words));
    // Two states that have little in common.
    let states = ["v1", "214ffe91"].map(|state| {
        ask(&["restore", state, "--in-place"]).ok();
        (state, files(&data))
    });
    let mut killer = Killer::new(on(&["restore", "v1", "--in-place"]));
    let mut turn = 0;
    while killer.goes_on() {
        turn += 1;
        let (state, expected) = &states[turn % 2];
        // What only the disk has must not be lost, whatever happens.
        let (new, text) = (format!("new {turn}.sy"), format!("written in turn {turn}"));
        std::fs::write(data.join(&new), &text).unwrap();
        let before = files(&data);
        let killed = killer.kill(on(&["restore", state, "--in-place"]));
        for (path, found) in files(&data) {
            let was = before.get(&path) == Some(&found) || expected.get(&path) == Some(&found);
            assert!(was || is_temporary(&path), "{path} is not whole");
        }
        let checked = ask(&["check", "--read-data"]);
        assert_eq!(checked.code, Some(0), "{checked:?}");
        if !data.join(&new).exists() {
            let held = ask(&["versions", &format!("/{new}"), "--json"]).ok();
            assert!(held.stdout.contains("\"snapshots\""), "{new} is lost: {held:?}");
        }
        if killed.is_some() {
            ask(&["restore", state, "--in-place"]).ok();
        }
        let found = files(&data);
        let missing: Vec<_> =
            expected.iter().filter(|(path, file)| found.get(*path) != Some(file)).collect();
        let more: Vec<_> = found.keys().filter(|path| !expected.contains_key(*path)).collect();
        assert!(
            missing.is_empty() && more.is_empty(),
            "the next run restores the rest and nothing else is left: {:?} are missing, {more:?} are left",
            missing.iter().map(|(path, _)| path).collect::<Vec<_>>()
        );
        assert_eq!(ask(&["cat", &format!("latest:/{new}")]).ok().stdout, text);
    }
    // SiYuan is not kept out by what was killed.
    let lock = workspace.join(".lock");
    assert!(!lock.exists() || std::fs::File::open(lock).unwrap().try_lock().is_ok());
}

#[test]
fn key_changes() {
    let bed = Bed::new();
    bed.write("data/a", "text");
    bed.run(&["snapshot", "data"]).ok();
    let opens = |file: &Path| {
        let mut command = bed.command(&["cat", "latest:/a", "--key-file"]);
        let Ran { code, stdout, .. } = run(command.arg(file).arg("--repo").arg(bed.path("repo")));
        assert!(code == Some(12) || stdout == "text", "{code:?} {stdout}");
        code == Some(0)
    };
    let change = |old: &Path, new: &Path| {
        let mut command = bed.command(&["key", "change", "--key-file"]);
        command.arg(old).arg("--new-key-file").arg(new).arg("--repo").arg(bed.path("repo"));
        command
    };
    let name = |n: u32| bed.path(format!("home/key{n}"));
    let mut killer = Killer::new(change(&bed.key_file(), &name(0)));
    let (mut current, mut n) = (name(0), 0);
    while killer.goes_on() {
        n += 1;
        let new = name(n);
        if killer.kill(change(&current, &new)).is_none() {
            assert!(opens(&new) && !opens(&current));
            current = new;
            continue;
        }
        bed.is_whole();
        // One of the two opens it, and never both.
        let has_new = new.exists() && opens(&new);
        assert_ne!(has_new, opens(&current), "after a kill");
        if has_new {
            current = new;
        }
        n += 1;
        run(&mut change(&current, &name(n))).ok();
        assert!(opens(&name(n)) && !opens(&current));
        current = name(n);
        let listed = bed.run(&["key", "list", "--json"]).ok().stdout;
        assert_eq!(listed.lines().count(), 1, "{listed}");
        if killer.killed.is_multiple_of(8) {
            purge(&bed, "1");
        }
    }
    purge(&bed, "1");
}

#[test]
fn catalogs() {
    let bed = Bed::new();
    for n in 0..300 {
        bed.write(&format!("data/d{}/{n}.txt", n % 7), format!("file {n}"));
    }
    bed.run(&["snapshot", "data"]).ok();
    let cache = bed.path("home/.cache/revu");
    let list = ["ls", "-R", "latest"];
    let expected = bed.run(&list).ok().stdout;
    assert!(expected.contains("299.txt"), "{expected}");
    assert!(!files(&cache).is_empty(), "there is something to kill it at");
    let mut random = Random::new();
    let mut killer = Killer::new(bed.revu(&list));
    while killer.goes_on() {
        // From nothing, or with what another has left.
        if random.below(4) > 0 {
            let _ = std::fs::remove_dir_all(&cache);
        }
        killer.kill(bed.revu(&list));
        assert_eq!(bed.run(&list).ok().stdout, expected);
    }
}
