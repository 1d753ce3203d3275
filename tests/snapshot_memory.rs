//! A first snapshot of 100,000 files takes no more than 200 MiB of memory.

mod snapshot;

use std::process::Command;

use revu::format::RepoKey;
use revu::ops::Silent;
use revu::repo::Repository;
use revu::store::Store;

const CHILD: &str = "REVU_TEST_MEMORY_OF";
const LIMIT_KIB: u64 = 200 << 10;

/// What the child process does; by itself nothing.
#[test]
fn child() {
    let Some(place) = std::env::var_os(CHILD) else { return };
    let place = std::path::PathBuf::from(place);
    let key = RepoKey::from_bytes(snapshot::KEY);
    let store = Store::local(place.join("repo"));
    let repo = Repository::open(store, &key, Default::default()).unwrap();
    let options =
        revu::ops::snapshot::Options { states: Some(place.join("states")), ..Default::default() };
    let profile = match place.join("siyuan").exists() {
        true => snapshot::siyuan(),
        false => snapshot::plain(),
    };
    let data = place.join("data");
    let made = revu::ops::snapshot::snapshot(&repo, &data, &profile, &options, &Silent).unwrap();
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    println!("FILES {} {line}", made.counts.files);
}

fn memory_of_a_snapshot(place: &std::path::Path, files: u64) -> u64 {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env(CHILD, place)
        .output()
        .unwrap();
    assert!(child.status.success(), "{child:?}");
    let text = String::from_utf8(child.stdout).unwrap();
    let line = text.lines().find(|line| line.contains("VmHWM")).unwrap();
    assert!(line.contains(&format!("FILES {files} ")), "{line}");
    let kib = line.split_whitespace().rev().nth(1).unwrap().parse().unwrap();
    println!("{files} files: {} MiB", kib >> 10);
    kib
}

#[test]
fn a_hundred_thousand_files_and_some_large_ones() {
    let bench = snapshot::Bench::new(snapshot::siyuan());
    std::fs::write(bench.place.path().join("siyuan"), "").unwrap();
    for folder in 0..1_000 {
        std::fs::create_dir(bench.data().join(format!("a folder of notes {folder:04}"))).unwrap();
        for file in 0..100 {
            let path = format!("a folder of notes {folder:04}/20240319021607-note{file:03}.sy");
            std::fs::write(bench.data().join(path), format!("note {folder} {file}")).unwrap();
        }
    }
    for n in 0..4 {
        bench.write(&format!("large{n}"), snapshot::noise(n, 40 << 20));
    }
    let first = memory_of_a_snapshot(bench.place.path(), 100_004);
    // And again with one of them changed.
    bench.write("large0", "small");
    let second = memory_of_a_snapshot(bench.place.path(), 100_004);
    assert!(first <= LIMIT_KIB, "the first snapshot took {first} KiB");
    assert!(second <= LIMIT_KIB, "the second snapshot took {second} KiB");
}
