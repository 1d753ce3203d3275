//! Two of the real program at once on one repository: nothing is lost, and one waits or is refused
//! clearly. A process that is stopped while it holds its lock is at work for as long as the test wants.

mod program;

use std::ffi::OsStr;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use program::{Bed, Random, finish, noise, run, signal, soon};

/// A bed with data to work on for a while.
fn bed() -> Bed {
    let bed = Bed::new();
    for n in 0..40 {
        bed.write(&format!("data/{n}"), noise(n, 1 << 20));
    }
    bed.write("other/b", "other");
    bed
}

/// Starts this, and stops it while it holds its lock.
fn stopped_at_work(bed: &Bed, mut command: Command) -> Child {
    let locks = bed.path("repo/revu-locks");
    // Before it has its name it is a temporary file, and stands against nobody.
    let is_lock = |name: &OsStr| name.as_encoded_bytes().ends_with(b".json");
    let is_held = || {
        std::fs::read_dir(&locks)
            .is_ok_and(|files| files.flatten().any(|file| is_lock(&file.file_name())))
    };
    assert!(!is_held(), "a lock is left");
    let mut child = command.spawn().unwrap();
    assert!(soon(is_held), "it never took its lock");
    signal(&child, "STOP");
    assert!(is_held() && child.try_wait().unwrap().is_none(), "it was too fast");
    child
}

/// Whoever wants the repository now waits in vain, and is told for whom.
#[track_caller]
fn is_refused(bed: &Bed, words: &[&str], holder: &Child, deed: &str) {
    let told = bed.run(words).fails(11);
    let (deed, pid) = (format!("`revu {deed}`"), format!("process {}", holder.id()));
    assert!(told.contains(&deed) && told.contains(&pid) && told.contains("try again"), "{told}");
}

fn goes_on(child: Child) {
    signal(&child, "CONT");
    finish(child).ok();
}

#[test]
fn of_two_snapshots_one_is_refused_or_waits() {
    let bed = bed();
    let first = stopped_at_work(&bed, bed.revu(&["snapshot", "data"]));
    is_refused(&bed, &["snapshot", "other"], &first, "snapshot");
    // Who comes while there is hope waits.
    let second = bed.revu(&["snapshot", "other"]).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(500));
    goes_on(first);
    finish(second).ok();
    bed.is_whole();
    assert_eq!(bed.run(&["cat", "latest:/b"]).ok().stdout, "other");
    assert_eq!(bed.run(&["ls", "latest~1"]).ok().stdout.lines().count(), 40);
    assert_eq!(bed.oddities(), []);
}

#[test]
fn during_a_purge_nothing_is_added() {
    let bed = bed();
    for n in 0..12 {
        bed.write("data/edited", n.to_string());
        bed.run(&["snapshot", "data"]).ok();
    }
    let purge = stopped_at_work(&bed, bed.revu(&["purge", "--keep-last", "1"]));
    is_refused(&bed, &["snapshot", "other"], &purge, "purge");
    is_refused(&bed, &["tag", "add", "latest", "t"], &purge, "purge");
    is_refused(&bed, &["purge", "--keep-last", "1"], &purge, "purge");
    // Readers need no lock.
    assert_eq!(bed.run(&["cat", "latest:/edited"]).ok().stdout, "11");
    let waits = bed.revu(&["snapshot", "other"]).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(500));
    goes_on(purge);
    finish(waits).ok();
    bed.is_whole();
    assert_eq!(bed.run(&["cat", "latest:/b"]).ok().stdout, "other");
    assert_eq!(bed.run(&["cat", "latest~1:/edited"]).ok().stdout, "11");
    assert_eq!(bed.run(&["log"]).ok().stdout.lines().count(), 2);
}

#[test]
fn during_a_snapshot_nothing_is_purged() {
    let bed = bed();
    bed.run(&["snapshot", "other"]).ok();
    bed.write("other/b", "newer");
    bed.run(&["snapshot", "other"]).ok();
    let snapshot = stopped_at_work(&bed, bed.revu(&["snapshot", "data"]));
    is_refused(&bed, &["purge", "--keep-last", "1"], &snapshot, "snapshot");
    bed.run(&["purge", "--keep-last", "1", "--dry-run"]);
    assert_eq!(bed.run(&["log"]).ok().stdout.lines().count(), 2);
    goes_on(snapshot);
    bed.run(&["purge", "--keep-last", "1"]).ok();
    bed.is_whole();
    assert_eq!(bed.run(&["ls", "latest"]).ok().stdout.lines().count(), 40);
    assert_eq!(bed.run(&["log"]).ok().stdout.lines().count(), 1);
}

#[test]
fn many_at_once_lose_nothing() {
    let bed = Bed::new();
    let mut random = Random::new();
    let begin = Instant::now();
    let (mut made, mut refused) = (0, 0);
    for round in 0..12 {
        for folder in ["a", "b"] {
            bed.write(&format!("{folder}/shared"), format!("in round {round}"));
            bed.write(&format!("{folder}/{folder}{round}"), noise(random.next(), 300_000));
        }
        let memo = |folder: &str| format!("{folder} of round {round}");
        let (memo_a, memo_b) = (memo("a"), memo("b"));
        let commands: [&[&str]; 3] = [
            &["snapshot", "a", "-m", &memo_a],
            &["snapshot", "b", "-m", &memo_b],
            &["purge", "--keep-last", "4"],
        ];
        let running = commands.map(|words| {
            let child = bed.revu(words).spawn().unwrap();
            std::thread::sleep(Duration::from_millis(random.below(30)));
            child
        });
        let ended = running.map(finish);
        for (words, ran) in commands.iter().zip(ended) {
            match ran.code {
                Some(0) if words[0] == "snapshot" => {
                    made += 1;
                    // It is one of the last four, which stay.
                    let log = bed.run(&["log", "--json"]).ok().stdout;
                    assert!(log.contains(words[3]), "{} is lost: {log}", words[3]);
                }
                Some(0) => {}
                _ => {
                    refused += 1;
                    let told = ran.fails(11);
                    assert!(told.contains("is in use by"), "{told}");
                }
            }
        }
        bed.is_whole();
    }
    println!("{made} snapshots made, {refused} runs refused in {:?}", begin.elapsed());
    assert!(made >= 12, "only {made} were ever made");
    run(&mut bed.revu(&["purge", "--keep-last", "1"])).ok();
    bed.is_whole();
    assert_eq!(bed.oddities(), []);
}
