//! What check and purge hold in memory, as the kernel counts it: in a process of its own, so that what
//! made the repository does not count.

mod common;
mod purge_support;

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use common::{Maker, noise};
use purge_support::*;
use revu::format::{Cipher, FileRecord, RepoKey, layout};
use revu::ops::Silent;
use revu::ops::check::{Options, ReadData, check};
use revu::ops::purge::Plan;
use revu::repo::Repository;
use revu::store::Store;

const FOLDER: &str = "REVU_TEST_MEMORY_FOLDER";
const DEED: &str = "REVU_TEST_MEMORY_DEED";

/// The most memory that this process has had, KiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
#[ignore = "it is what the other tests start as a process of its own"]
fn another_process() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        println!("SKIPPED: another_process: nobody has started it as such");
        return;
    };
    let store = Store::local(Path::new(&folder));
    let key = RepoKey::from_bytes([42; 32]);
    let repo = Repository::open(store.clone(), &key, Default::default()).unwrap();
    let begun = Instant::now();
    let options = |read_data| Options { read_data, zone: jiff::tz::TimeZone::UTC };
    let deed = std::env::var(DEED).unwrap();
    let said = match deed.as_str() {
        "check" | "check all" => {
            let read_data = if deed == "check" { ReadData::Heads } else { ReadData::All };
            let report = check(&repo, &options(read_data), None, &Silent).unwrap();
            assert_eq!(report.findings, []);
            format!("{:?}", report.summary)
        }
        "purge" => {
            let lock = exclusive(&store);
            // Every tenth stays, and so do the records of all of those.
            let keep = |all: &[revu::ops::purge::Candidate]| {
                (0..all.len())
                    .map(|n| if n % 10 == 0 { vec!["x".into()] } else { vec![] })
                    .collect()
            };
            let plan = Plan::make(&repo, &keep, lock.taken(), &Silent).unwrap();
            format!("{:?}", plan.execute(&lock, &Silent).unwrap())
        }
        other => panic!("{other}"),
    };
    println!("peak {} KiB", peak());
    println!("{deed}: {said} in {:?}", begun.elapsed());
}

/// Fills a folder with snapshots of so many files, of which so many change from one to the next.
fn fill(folder: &Path, snapshots: usize, files: usize, changed: usize) {
    let maker = Maker::new(Store::local(folder));
    let cipher = Cipher::new(&maker.key);
    let batch = maker.store.batch();
    let version = |n: usize, version: usize| {
        let path = format!("/20240501100000-abcdefg/20240501100000-{:07}/{n:07}.sy", n / 20);
        let plain = noise((n * 1_009 + version) as u64, 80);
        let chunk = revu::format::ChunkId::of(&plain);
        batch.put(layout::chunk(chunk), &cipher.seal(&plain)).unwrap();
        let record = FileRecord::new(path, 80, 1_000 * version as i64, vec![chunk]);
        batch.put(layout::file(record.id), &cipher.seal(&record.encode())).unwrap();
        record
    };
    let mut records: Vec<_> = (0..files).map(|n| version(n, 1)).collect();
    for snapshot in 0..snapshots {
        for i in 0..if snapshot > 0 { changed } else { 0 } {
            let n = (snapshot * 7_919 + i * 104_729) % files;
            records[n] = version(n, snapshot + 1);
        }
        maker.snapshot(snapshot as i64 * 60_000, &records);
    }
    batch.commit().unwrap();
}

/// The peaks of each deed, KiB.
fn measure(snapshots: usize, files: usize, changed: usize) -> Vec<(&'static str, u64)> {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path(), snapshots, files, changed);
    std::thread::sleep(std::time::Duration::from_millis(30));
    let deeds = ["check", "check all", "purge"];
    let one = |deed| {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "--nocapture", "another_process"])
            .env(FOLDER, dir.path())
            .env(DEED, deed)
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{said}");
        println!("{said}");
        let (_, peak) = said.split_once("peak ").unwrap();
        (deed, peak.split_once(" KiB").unwrap().0.parse().unwrap())
    };
    deeds.map(one).into()
}

#[test]
fn a_hundred_snapshots_take_little() {
    for (deed, peak) in measure(100, 1_000, 20) {
        assert!(peak <= 64 << 10, "{deed}: {peak} KiB");
    }
}

#[test]
fn a_thousand_snapshots_of_20_000_files_take_less_than_300_mib() {
    if std::env::var_os("REVU_LARGE").is_none_or(|value| value != "1") {
        println!("SKIPPED: a thousand snapshots of 20,000 files: minutes; REVU_LARGE=1 runs it");
        return;
    }
    for (deed, peak) in measure(1_000, 20_000, 200) {
        assert!(peak <= 300 << 10, "{deed}: {peak} KiB");
    }
}
