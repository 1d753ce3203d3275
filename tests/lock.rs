//! Locks between real processes, with the kernel's own locks as witness; and what `kill -9` leaves.

use std::fs::{File, TryLockError};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use revu::store::Store;
use revu::store::lock::{Kind, LOCKS, Lock, locks};

const FOLDER: &str = "REVU_TEST_LOCK_FOLDER";
const DEED: &str = "REVU_TEST_LOCK_DEED";

/// This program again, as another process that does `deed`.
fn process(folder: &Path, deed: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "another_process"])
        .env(FOLDER, folder)
        .env(DEED, deed)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
#[ignore = "it is what the other tests start as a process of its own"]
fn another_process() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        println!("SKIPPED: another_process: nobody has started it as such");
        return;
    };
    let folder = Path::new(&folder);
    match std::env::var(DEED).unwrap().as_str() {
        "race" => race(folder),
        "hold" => {
            let store = Store::local(folder);
            let _lock = take(&store, Kind::Exclusive, Duration::ZERO).unwrap();
            println!("held");
            std::thread::sleep(Duration::from_secs(600));
        }
        other => panic!("{other}"),
    }
}

fn take(store: &Store, kind: Kind, wait: Duration) -> Option<Lock> {
    match Lock::take(store, kind, "race", wait, &|| false) {
        Ok(lock) => Some(lock),
        Err(revu::store::lock::LockError::Held { .. }) => None,
        Err(e) => panic!("{e}"),
    }
}

/// Takes locks of either kind for a while. While one is held, the kernel's lock of that kind on a
/// witness must be free to take.
fn race(folder: &Path) {
    let store = Store::local(folder);
    let witness = File::open(folder.join("witness")).unwrap();
    let mut taken = 0;
    let until = Instant::now() + Duration::from_secs(4);
    for n in 0u32.. {
        if Instant::now() > until {
            break;
        }
        let exclusive = (n ^ std::process::id()).is_multiple_of(2);
        let kind = if exclusive { Kind::Exclusive } else { Kind::Shared };
        let Some(lock) = take(&store, kind, Duration::ZERO) else { continue };
        let free = if exclusive { witness.try_lock() } else { witness.try_lock_shared() };
        match free {
            Ok(()) => taken += 1,
            Err(TryLockError::WouldBlock) => panic!("{kind:?} is held beside another"),
            Err(TryLockError::Error(e)) => panic!("{e}"),
        }
        std::thread::sleep(Duration::from_millis(1));
        witness.unlock().unwrap();
        drop(lock);
        std::thread::sleep(Duration::from_millis(u64::from(n % 5)));
    }
    println!("taken {taken}");
}

/// Waits until a child has printed this.
fn until_it_says(child: &mut Child, word: &str) {
    let out = child.stdout.take().expect("it was piped");
    let said = BufReader::new(out).lines().map(Result::unwrap).any(|line| line.contains(word));
    assert!(said, "it never said {word}");
}

#[test]
fn processes_never_hold_what_stands_against_each_other() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("witness"), b"").unwrap();
    let racers: Vec<_> = (0..4).map(|_| process(dir.path(), "race")).collect();
    let mut taken = 0;
    for racer in racers {
        let output = racer.wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{text}");
        // The test's own name stands before what it prints.
        let (_, count) = text.split_once("taken ").expect("it says how many");
        taken += count.lines().next().unwrap().parse::<u32>().unwrap();
    }
    assert!(taken >= 8, "only {taken} locks were ever taken");
    assert_eq!(Store::local(dir.path()).list(LOCKS).unwrap(), []);
}

#[test]
fn kill_9_leaves_a_lock_that_is_found_to_be_dead() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::local(dir.path());
    let mut holder = process(dir.path(), "hold");
    until_it_says(&mut holder, "held");
    assert!(take(&store, Kind::Shared, Duration::ZERO).is_none());
    let found = locks(&store).unwrap();
    assert!(found.len() == 1 && found[0].alive);
    assert_eq!(found[0].note.as_ref().unwrap().owner.pid, holder.id());
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert!(!locks(&store).unwrap()[0].alive);
    let lock = take(&store, Kind::Exclusive, Duration::ZERO).expect("the dead count for nothing");
    assert_eq!(store.list(LOCKS).unwrap().len(), 1);
    lock.still_held().unwrap();
}
