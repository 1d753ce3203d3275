//! Random folders, changed at random, a snapshot after each change: every snapshot, read back, restored
//! and mounted at the end, is what was on disk when it was made.
//!
//! `REVU_ROUND_TRIPS` is how many such stories are told instead of the few that fit into everyday tests.

mod mount_support;
mod snapshot;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use proptest::prelude::*;
use revu::format::{IndexId, RepoKey};
use revu::ops::Silent;
use revu::ops::paths::Scope;
use revu::ops::restore::{self, Wanted};
use revu::ops::snapshot::SnapshotError;

use mount_support::{Place, Spec};
use snapshot::{Bench, Content, KEY, noise, on_disk, plain, read_back, set_time, siyuan, verify};

/// How many stories everyday tests tell: about half a minute's.
const STORIES: u32 = 32;

#[derive(Debug, Clone)]
enum Edit {
    /// Writes a file, making folders of files that are in its way.
    Write { path: String, size: usize, seed: u64, time: Time },
    /// Changes a byte of the `n`th file and keeps its size and time.
    Flip { n: usize },
    /// Adds to the end of the `n`th file.
    Grow { n: usize, by: usize, time: Time },
    /// Changes the time of the `n`th file alone.
    Touch { n: usize, time: Time },
    /// Removes the `n`th file.
    Remove { n: usize },
    /// Moves the `n`th file.
    Move { n: usize, path: String },
    /// Forgets the local state.
    Forget,
}

#[derive(Debug, Clone, Copy)]
enum Time {
    Now,
    At(i64, u32),
}

fn time() -> impl Strategy<Value = Time> {
    prop_oneof![
        3 => Just(Time::Now),
        // Few seconds, so that they meet.
        3 => (0..4_i64, 0..4_u32).prop_map(|(s, n)| Time::At(1_700_000_000 + s, n * 250_000_000)),
        2 => (-3..3_i64, 0..1_000_u32).prop_map(|(s, n)| Time::At(s, n * 1_000_000)),
        1 => (-4_000_000_000..8_000_000_000_i64).prop_map(|s| Time::At(s, 999_999_999)),
    ]
}

fn path() -> impl Strategy<Value = String> {
    let odd = vec![
        "标签 🗂️",
        "\n\t\"'\\ %41",
        "\u{1}\u{1b}[31m\u{7f}",
        // One letter composed, one of two.
        "\u{e9}",
        "e\u{301}",
        "\u{202e}txt.exe",
        "\u{feff}\u{200d}\u{fffd}",
        " a ",
        "...",
        ".hidden",
        "a.tmp",
        "*?[a]{b}#",
        "-",
        "~",
    ];
    let name = prop_oneof![
        10 => prop::sample::select(vec!["a", "b", "a.txt", "a!"]).prop_map(str::to_owned),
        10 => prop::sample::select(odd).prop_map(str::to_owned),
        1 => Just("n".repeat(255)),
        1 => Just("标".repeat(85)),
    ];
    prop_oneof![
        20 => prop::collection::vec(name, 1..5).prop_map(|names| names.join("/")),
        1 => Just(format!("{}leaf", "deep/".repeat(300))),
    ]
}

fn size() -> impl Strategy<Value = usize> {
    let around = |n: usize| (n.saturating_sub(2)..n + 3).boxed();
    prop_oneof![
        12 => around(0),
        6 => around(256),
        6 => (0..20_000_usize).boxed(),
        3 => around(512 << 10),
        3 => around(1 << 20),
        2 => (600_000..4_000_000_usize).boxed(),
        1 => around(8 << 20),
        1 => (9_000_000..12_000_000_usize).boxed(),
    ]
}

fn edit() -> impl Strategy<Value = Edit> {
    let n = any::<prop::sample::Index>().prop_map(|n| n.index(1_000));
    prop_oneof![
        10 => (path(), size(), 0..6_u64, time())
            .prop_map(|(path, size, seed, time)| Edit::Write { path, size, seed, time }),
        4 => n.clone().prop_map(|n| Edit::Flip { n }),
        2 => (n.clone(), 1..700_000_usize, time())
            .prop_map(|(n, by, time)| Edit::Grow { n, by, time }),
        2 => (n.clone(), time()).prop_map(|(n, time)| Edit::Touch { n, time }),
        2 => n.clone().prop_map(|n| Edit::Remove { n }),
        2 => (n, path()).prop_map(|(n, path)| Edit::Move { n, path }),
        1 => Just(Edit::Forget),
    ]
}

/// Makes room for a file: what is in its way goes.
fn make_room(data: &Path, path: &str) {
    let full = data.join(path);
    let mut above: Vec<_> = full.ancestors().skip(1).collect();
    above.reverse();
    for folder in above.into_iter().skip_while(|folder| *folder != data).skip(1) {
        if folder.is_file() {
            std::fs::remove_file(folder).unwrap();
        }
    }
    if full.is_dir() {
        std::fs::remove_dir_all(&full).unwrap();
    }
    std::fs::create_dir_all(full.parent().unwrap()).unwrap();
}

fn put_time(path: &Path, time: Time) {
    if let Time::At(seconds, nanos) = time {
        set_time(path, seconds, nanos);
    }
}

fn apply(bench: &Bench, edit: &Edit) {
    let data = bench.data();
    let nth = |n: usize| {
        let files: Vec<_> = on_disk_paths(&data);
        (!files.is_empty()).then(|| data.join(&files[n % files.len()][1..]))
    };
    match edit {
        Edit::Write { path, size, seed, time } => {
            make_room(&data, path);
            // Even seeds compress.
            let content = match seed % 2 {
                0 => noise(*seed, 100).iter().cycle().take(*size).copied().collect(),
                _ => noise(*seed, *size),
            };
            std::fs::write(data.join(path), content).unwrap();
            put_time(&data.join(path), *time);
        }
        Edit::Flip { n } => {
            let Some(path) = nth(*n) else { return };
            let meta = std::fs::metadata(&path).unwrap();
            let mut content = std::fs::read(&path).unwrap();
            let middle = content.len() / 2;
            let Some(byte) = content.get_mut(middle) else { return };
            *byte ^= 0x55;
            std::fs::write(&path, content).unwrap();
            use std::os::unix::fs::MetadataExt;
            set_time(&path, meta.mtime(), meta.mtime_nsec() as u32);
        }
        Edit::Grow { n, by, time } => {
            let Some(path) = nth(*n) else { return };
            let mut content = std::fs::read(&path).unwrap();
            content.extend(noise(*by as u64, *by));
            std::fs::write(&path, content).unwrap();
            put_time(&path, *time);
        }
        Edit::Touch { n, time } => {
            let Some(path) = nth(*n) else { return };
            put_time(&path, *time);
        }
        Edit::Remove { n } => {
            let Some(path) = nth(*n) else { return };
            std::fs::remove_file(path).unwrap();
        }
        Edit::Move { n, path } => {
            let Some(from) = nth(*n) else { return };
            let to = data.join(path);
            if from.starts_with(&to) || to.starts_with(&from) {
                return;
            }
            make_room(&data, path);
            std::fs::rename(from, to).unwrap();
        }
        Edit::Forget => bench.forget_state(),
    }
}

fn on_disk_paths(folder: &Path) -> Vec<String> {
    fn walk(folder: &Path, prefix: &str, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let path = format!("{prefix}/{}", entry.file_name().into_string().unwrap());
            match entry.file_type().unwrap().is_dir() {
                true => walk(&entry.path(), &path, found),
                false => found.push(path),
            }
        }
    }
    let mut found = Vec::new();
    walk(folder, "", &mut found);
    found.sort();
    found
}

/// What was ever in the repository under one path and second. The second of 1970 has a second on
/// both sides.
#[derive(Default)]
struct History(BTreeMap<(String, i64), BTreeSet<[u8; 20]>>);

impl History {
    /// Checks a file of a snapshot against what was on disk then.
    fn check(&mut self, path: &str, read: &Content, disk: &Content) {
        assert!(read.bytes == disk.bytes, "{path}: its content is another");
        let digest = *revu::format::Id::digest(&disk.bytes).as_bytes();
        let second = |updated: i64| (path.to_owned(), updated / 1_000);
        let others = self.0.get(&second(disk.updated)).cloned().unwrap_or_default();
        if others.is_empty() {
            assert_eq!(read.updated, disk.updated, "{path}: nothing was in its way");
        } else if others.contains(&digest) && read.updated / 1_000 == disk.updated / 1_000 {
            // The record that was there serves, with its own milliseconds.
        } else {
            assert!(read.updated > disk.updated, "{path}: its time moves on");
            assert_eq!(read.updated % 1_000, 0);
        }
        let here = self.0.entry(second(read.updated)).or_default();
        here.insert(digest);
        assert_eq!(here.len(), 1, "{path}: one second, one content");
    }
}

/// Whether a snapshot in SiYuan's manner holds a file of this path.
fn siyuan_takes(path: &str) -> bool {
    !path.contains("/.") && !path.ends_with(".tmp")
}

/// A snapshot as it was read back when it was new.
struct Made {
    id: IndexId,
    read: BTreeMap<String, Content>,
}

fn go(edits: Vec<Vec<Edit>>, is_siyuan: bool, is_mounted: bool) {
    let bench = Bench::new(if is_siyuan { siyuan() } else { plain() });
    let mut made: Vec<Made> = Vec::new();
    let mut history = History::default();
    for edits in edits {
        for edit in &edits {
            apply(&bench, edit);
        }
        let mut disk = on_disk(&bench.data());
        if is_siyuan {
            disk.retain(|path, _| siyuan_takes(path));
            if disk.is_empty() {
                let refused = bench.try_run();
                assert!(matches!(refused, Err(SnapshotError::NoFiles { .. })), "{refused:?}");
                continue;
            }
        }
        let summary = bench.run();
        assert!(summary.problems.is_empty(), "{:?}", summary.problems);
        let Some(id) = summary.index else {
            // Nothing but fractions of a second may differ from the snapshot before.
            let before = &made.last().expect("the first one is made").read;
            assert!(before.keys().eq(disk.keys()), "{:?} {:?}", before.keys(), disk.keys());
            for (path, content) in &disk {
                assert!(before[path].bytes == content.bytes, "{path}: an edit was lost");
            }
            continue;
        };
        let read = read_back(&bench.open(), id);
        assert!(read.keys().eq(disk.keys()), "{:?} {:?}", read.keys(), disk.keys());
        for (path, content) in &disk {
            history.check(path, &read[path], content);
        }
        assert_eq!(summary.counts.files as usize, disk.len());
        assert_eq!(bench.run().index, None, "once more: nothing has changed");
        made.push(Made { id, read });
    }
    // Through one repository that has them all.
    let repo = bench.open();
    for Made { id, read } in &made {
        assert_same(&read_back(&repo, *id), read, "read again");
        let target = bench.place.path().join("restored").join(id.to_string());
        let wanted = [Wanted { snapshot: *id, scope: Scope::default() }];
        let plan = restore::plan(&repo, &wanted, &target, Default::default(), &Silent).unwrap();
        let report = plan.carry_out(&Silent).unwrap();
        assert_eq!(report.problems, []);
        if read.is_empty() {
            assert!(!target.exists(), "nothing to restore, nothing made");
        } else {
            assert_same(&on_disk(&target), read, "restored");
        }
    }
    if is_mounted && !made.is_empty() {
        mounted(&bench, &made);
    }
    verify(&bench.store());
}

/// Compares the folders of a real mount.
fn mounted(bench: &Bench, made: &[Made]) {
    let place = Place::new();
    let key = RepoKey::from_bytes(KEY).to_base64();
    let repo = bench.place.path().join("repo");
    let mount = place.mount(&Spec::new(&repo, &key, &place.path("mount")));
    for Made { id, read } in made {
        let folder = mount.point.join("ids").join(id.to_string());
        assert_same(&on_disk(&folder), read, "mounted");
    }
    let latest = made.last().expect("there is one");
    assert_same(&on_disk(&mount.snapshot()), &latest.read, "mounted as the latest");
}

/// The same paths with the same contents, their times to the millisecond.
#[track_caller]
fn assert_same(found: &BTreeMap<String, Content>, expected: &BTreeMap<String, Content>, how: &str) {
    assert!(found.keys().eq(expected.keys()), "{how}: {:?} {:?}", found.keys(), expected.keys());
    for (path, content) in expected {
        assert!(found[path] == *content, "{how}: {path}: {:?}, not {content:?}", found[path]);
    }
}

/// How many stories to tell.
fn stories() -> u32 {
    match std::env::var("REVU_ROUND_TRIPS") {
        Ok(number) => number.parse().expect("REVU_ROUND_TRIPS is a number"),
        Err(_) => STORIES,
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: stories(), max_shrink_iters: 60, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn every_snapshot_is_what_was_on_disk(
        edits in prop::collection::vec(prop::collection::vec(edit(), 1..8), 1..6),
        is_siyuan in any::<bool>(),
        is_mounted in any::<bool>(),
    ) {
        let test = "every_snapshot_is_what_was_on_disk, its mounts";
        go(edits, is_siyuan, is_mounted && mount_support::wanted(test));
    }
}

#[test]
fn a_wide_folder() {
    let bench = Bench::new(plain());
    for n in 0..5_000 {
        bench.write(&format!("wide/{n}"), n.to_string());
    }
    let id = bench.run().index.unwrap();
    let read = read_back(&bench.open(), id);
    assert_same(&read, &on_disk(&bench.data()), "read back");
    if mount_support::wanted("a_wide_folder, its mount") {
        mounted(&bench, &[Made { id, read }]);
    }
}

#[test]
fn many_chunks() {
    let bench = Bench::new(plain());
    bench.write("large", noise(1, 70 << 20));
    set_time(&bench.data().join("large"), -1_000_000_000, 1_000_000);
    let first = bench.run().index.unwrap();
    let disk = on_disk(&bench.data());
    let mut content = noise(1, 70 << 20);
    content.splice(30_000_000..30_000_000, *b"in the middle");
    bench.write("large", content);
    let second = bench.run().index.unwrap();
    let repo = bench.open();
    let chunks = |id| snapshot::records(&repo, id).remove(0).chunks;
    assert!(chunks(first).len() > 20);
    let shared = chunks(second).iter().filter(|chunk| chunks(first).contains(chunk)).count();
    assert!(shared + 4 > chunks(first).len(), "{shared} of {}", chunks(first).len());
    let made = [first, second].map(|id| Made { id, read: read_back(&repo, id) });
    assert_same(&made[0].read, &disk, "read back");
    assert_same(&made[1].read, &on_disk(&bench.data()), "read back");
    if mount_support::wanted("many_chunks, its mount") {
        mounted(&bench, &made);
    }
}
