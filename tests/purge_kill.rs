//! `kill -9` at many moments of a purge: whatever is left is whole, and the next one removes the rest.

mod common;
mod purge_support;

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use common::{Maker, noise};
use purge_support::*;
use revu::format::RepoKey;
use revu::ops::purge::Plan;
use revu::ops::{Monitor, Silent, Unit};
use revu::repo::Repository;
use revu::store::Store;

const FOLDER: &str = "REVU_TEST_PURGE_FOLDER";
const AT: &str = "REVU_TEST_PURGE_AT";
const KEY: &str = "REVU_TEST_PURGE_KEY";

#[test]
#[ignore = "it is what the other test starts as a process of its own"]
fn another_process() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        println!("SKIPPED: another_process: nobody has started it as such");
        return;
    };
    let key = RepoKey::parse(&std::env::var(KEY).unwrap()).unwrap();
    let at: u64 = std::env::var(AT).unwrap().parse().unwrap();
    let store = Store::local(Path::new(&folder));
    let repo = Repository::open(store.clone(), &key, Default::default()).unwrap();
    let lock = exclusive(&store);
    let plan = Plan::make(&repo, &keep_only(&[]), lock.taken(), &Silent).unwrap();
    let monitor = Suicide { at, steps: AtomicU64::new(0) };
    plan.execute(&lock, &monitor).unwrap();
    println!("steps {}", monitor.steps.into_inner());
}

/// Kills its own process at a step of the work, while other threads are in the middle of theirs.
struct Suicide {
    at: u64,
    steps: AtomicU64,
}

impl Suicide {
    fn step(&self) {
        if self.steps.fetch_add(1, Ordering::SeqCst) == self.at {
            // SAFETY: the call has no conditions.
            unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
        }
    }
}

impl Monitor for Suicide {
    fn begin(&self, _: &str, _: Option<u64>, _: Unit) {
        self.step();
    }
    fn advance(&self, _: u64) {
        self.step();
    }
}

#[test]
fn killed_at_any_moment() {
    let maker = Maker::new(Store::memory());
    let shared = maker.file("/shared", 1_000, b"shared", 10);
    for n in 0..10i64 {
        let mut records: Vec<_> = (0..50)
            .map(|i| maker.file(&format!("/{i}"), 1_000 * n, &noise((n * 50 + i) as u64, 60), 40))
            .collect();
        records.push(shared.clone());
        maker.snapshot(n, &records);
    }
    let whole = content(&maker.store);
    let latest = maker.open().snapshots().unwrap().latest.unwrap();
    let mut stays = read_whole(&maker.open(), latest);
    stays.insert("refs/latest".into());

    let run = |folder: &Path, at: u64| {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "--nocapture", "another_process"])
            .env(FOLDER, folder)
            .env(KEY, &**maker.key.to_base64())
            .env(AT, at.to_string())
            .stderr(Stdio::null())
            .output()
            .unwrap();
        (output.status, String::from_utf8(output.stdout).unwrap())
    };
    let fresh = || {
        // A killed process loses nothing that it has written, on whatever disk: so take one that does
        // not keep the other tests waiting for its syncs.
        let memory = Path::new("/dev/shm");
        let dir = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        let dir = dir.unwrap();
        write_out(&whole, dir.path());
        std::thread::sleep(Duration::from_millis(30));
        dir
    };
    let dir = fresh();
    let (status, said) = run(dir.path(), u64::MAX);
    assert!(status.success(), "{said}");
    let (_, steps) = said.split_once("steps ").expect("it says how many");
    let steps: u64 = steps.lines().next().unwrap().parse().unwrap();
    assert_eq!(keys(&Store::local(dir.path())), stays);

    // Usually a few, and all there are with a large number.
    let kills = std::env::var("REVU_KILLS");
    let kills: u64 = kills.map_or(12, |n| n.parse().expect("REVU_KILLS is a number"));
    let (mut killed, mut midway) = (0, 0);
    // The snapshots one by one, then here and there among the objects.
    for at in (0..12).chain((12..steps).step_by((steps / kills).max(1) as usize)) {
        let dir = fresh();
        let (status, _) = run(dir.path(), at);
        assert_eq!(status.signal(), Some(libc::SIGKILL), "at {at}");
        killed += 1;
        let store = Store::local(dir.path());
        let left = keys(&store);
        assert!(left.is_superset(&stays), "at {at}");
        midway += usize::from(left.len() > stays.len() + 1 && left.len() < whole.len());
        let repo = maker.open_store(store.clone());
        read_whole(&repo, latest);
        no_record_without_its_chunks(&repo);
        std::thread::sleep(Duration::from_millis(30));
        purge(&repo, &store, &[]).unwrap();
        assert_eq!(keys(&store), stays, "at {at}");
    }
    println!("killed {killed} times");
    assert!(midway > 12, "only {midway} times was something gone and something left");
}
