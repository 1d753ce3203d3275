//! Restores: what comes back equals what was there, what is there already is treated as asked, and
//! nothing but the target is touched.

mod common;

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use common::{Expected, Maker, cases, noise, sha256};
use parking_lot::Mutex;
use revu::format::{FileRecord, IndexId, layout};
use revu::ops::restore::{Action, Options, Overwrite, Report, RestoreError, Wanted, plan};
use revu::ops::{Monitor, Silent};
use revu::repo::Repository;
use revu::store::{Fault, Faults, Store};

/// What is on disk: path to size, time, hash, for regular files.
fn on_disk(folder: &Path) -> BTreeMap<String, Expected> {
    fn enter(folder: &Path, prefix: &str, all: &mut BTreeMap<String, Expected>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let path = format!("{prefix}{}", String::from_utf8_lossy(entry.file_name().as_bytes()));
            let meta = entry.path().symlink_metadata().unwrap();
            if meta.is_dir() {
                enter(&entry.path(), &format!("{path}/"), all);
            } else if meta.is_file() {
                let updated = meta.mtime() * 1000 + meta.mtime_nsec() / 1_000_000;
                let sha256 = sha256(&std::fs::read(entry.path()).unwrap());
                all.insert(path, Expected { size: meta.len(), updated, sha256 });
            }
        }
    }
    let mut all = BTreeMap::new();
    enter(folder, "", &mut all);
    all
}

/// Everything that tells whether a file was touched: inode, change time, times, size.
fn marks(folder: &Path) -> BTreeMap<String, (u64, i64, i64, i64, u64)> {
    let mut marks = BTreeMap::new();
    for path in on_disk(folder).into_keys() {
        let meta = folder.join(&path).metadata().unwrap();
        let mark = (meta.ino(), meta.ctime(), meta.ctime_nsec(), meta.mtime_nsec(), meta.len());
        marks.insert(path, mark);
    }
    marks
}

/// A folder in memory where there is one: on a disk that others are writing to, each wait for it takes
/// half a second, and some tests wait hundreds of times.
fn quick_folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

fn options(overwrite: Overwrite, delete: bool) -> Options<'static> {
    Options { overwrite, delete, ..Options::default() }
}

fn restore(repo: &Repository, wanted: &[Wanted], target: &Path, options: Options<'_>) -> Report {
    let plan = plan(repo, wanted, target, options, &Silent).unwrap();
    let forecast = plan.forecast();
    let report = plan.carry_out(&Silent).unwrap();
    if report.problems.is_empty() {
        assert_eq!(report, forecast, "a dry run says what is done");
    }
    assert_no_temporary(target);
    report
}

fn assert_no_temporary(folder: &Path) {
    if folder.is_dir() {
        let left: Vec<_> = on_disk(folder).into_keys().filter(|p| p.contains(".revu-")).collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

fn put(folder: &Path, path: &str, content: &[u8], updated_ms: i64) {
    let path = folder.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, content).unwrap();
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_millis(updated_ms as u64);
    std::fs::File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
}

#[test]
fn every_snapshot_of_every_fixture_comes_back_and_a_second_time_nothing_is_written() {
    for case in cases("every_snapshot_of_every_fixture_comes_back") {
        let repo = case.open();
        // The guide has 85 snapshots that differ little: a few of them do.
        let step = case.snapshots.len().div_ceil(8);
        for (id, expected) in case.snapshots.iter().step_by(step) {
            let dir = tempfile::tempdir().unwrap();
            let target = dir.path().join("not/there/yet");
            let wanted = [Wanted::all(*id)];
            let dry = plan(&repo, &wanted, &target, Options::default(), &Silent).unwrap();
            assert_eq!(dry.steps().count(), expected.len());
            assert!(!dir.path().join("not").exists(), "a plan makes nothing");

            let report = restore(&repo, &wanted, &target, Options::default());
            assert_eq!(report.created, expected.len() as u64, "{} {id}", case.name);
            assert_eq!(report.problems, [], "{} {id}", case.name);
            assert_eq!(&on_disk(&target), expected, "{} {id}", case.name);
            for path in expected.keys() {
                let time = target.join(path).metadata().unwrap().mtime_nsec();
                assert_eq!(time % 1_000_000, 0, "{path}: the time is the snapshot's");
            }

            let before = marks(&target);
            for overwrite in [Overwrite::Never, Overwrite::IfOlder, Overwrite::Always] {
                let again = restore(&repo, &wanted, &target, options(overwrite, true));
                let equal = expected.len() as u64;
                assert_eq!(again, Report { equal, ..Report::default() }, "{} {id}", case.name);
            }
            assert_eq!(marks(&target), before, "{} {id}: not even touched", case.name);
        }
    }
}

#[test]
fn from_every_golden_state_to_every_other() {
    let case = common::golden();
    let repo = case.open();
    let all = options(Overwrite::Always, true);
    for from in case.snapshots.keys() {
        for (to, expected) in &case.snapshots {
            let dir = quick_folder();
            restore(&repo, &[Wanted::all(*from)], dir.path(), all);
            let report = restore(&repo, &[Wanted::all(*to)], dir.path(), all);
            assert_eq!(report.problems, [], "{from} to {to}");
            assert_eq!(&on_disk(dir.path()), expected, "{from} to {to}");
            let changed = report.created + report.replaced + report.retimed + report.removed;
            assert_eq!(changed == 0, case.snapshots[from] == *expected, "{from} to {to}");
        }
    }
}

#[test]
fn a_part_comes_back_under_its_own_path() {
    let case = common::golden();
    let repo = case.open();
    let (id, expected) = case.snapshots.iter().next().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let folder = "assets";
    let report = restore(&repo, &[Wanted::part(*id, "/assets/")], dir.path(), Options::default());
    let of_folder: BTreeMap<_, _> = expected
        .iter()
        .filter(|(path, _)| path.starts_with("assets/"))
        .map(|(path, file)| (path.clone(), file.clone()))
        .collect();
    assert!(!of_folder.is_empty(), "{folder} holds something");
    assert_eq!(on_disk(dir.path()), of_folder);
    assert_eq!(report.created, of_folder.len() as u64);

    let (path, file) = expected.iter().find(|(path, _)| !path.starts_with("assets/")).unwrap();
    put(dir.path(), "assets/extra", b"x", 1000);
    let all = options(Overwrite::Always, true);
    let report = restore(&repo, &[Wanted::part(*id, path)], dir.path(), all);
    assert_eq!((report.created, report.removed), (1, 0), "to delete is meant for what is restored");
    assert_eq!(&on_disk(dir.path())[path], file);
    let report = restore(&repo, &[Wanted::part(*id, "assets")], dir.path(), all);
    assert_eq!((report.removed, report.equal), (1, of_folder.len() as u64));

    let wanted = [Wanted::part(*id, "assets/nowhere")];
    let e = plan(&repo, &wanted, dir.path(), Options::default(), &Silent).unwrap_err();
    assert!(matches!(e, RestoreError::NotFound { lost: 0, .. }), "{e}");
}

#[test]
fn two_snapshots_cannot_give_one_path_two_files() {
    let maker = Maker::new(Store::memory());
    let same = maker.file("/same", 1_000, b"same", 10);
    let old = maker.file("/a", 1_000, b"old", 10);
    let new = maker.file("/a", 9_000, b"new", 10);
    let first = maker.snapshot(1, &[same.clone(), old]);
    let second = maker.snapshot(2, &[same, new]);
    let repo = maker.open();
    let dir = tempfile::tempdir().unwrap();
    let wanted = [Wanted::part(first, "same"), Wanted::part(second, "same")];
    assert_eq!(restore(&repo, &wanted, dir.path(), Options::default()).created, 1);
    let wanted = [Wanted::part(first, "a"), Wanted::all(second)];
    let e = plan(&repo, &wanted, dir.path(), Options::default(), &Silent).unwrap_err();
    assert!(matches!(&e, RestoreError::Twice { path } if path == "a"), "{e}");
}

#[test]
fn what_is_there_is_treated_as_asked() {
    const T: i64 = 1_700_000_000_123;
    let maker = Maker::new(Store::memory());
    let names = ["equal", "retimed-older", "retimed-newer", "older", "newer", "same-time", "new"];
    let records: Vec<_> =
        names.iter().map(|name| maker.file(&format!("/d/{name}"), T, b"snapshot", 3)).collect();
    let id = maker.snapshot(1, &records);
    let repo = maker.open();
    use Action::{Create, Keep, Replace, Retime};
    let table = [
        (Overwrite::Never, [None, Some(Keep), Some(Keep), Some(Keep), Some(Keep), Some(Keep)]),
        (
            Overwrite::IfOlder,
            [None, Some(Retime), Some(Keep), Some(Replace), Some(Keep), Some(Keep)],
        ),
        (
            Overwrite::Always,
            [None, Some(Retime), Some(Retime), Some(Replace), Some(Replace), Some(Replace)],
        ),
    ];
    for (overwrite, expected) in table {
        let dir = tempfile::tempdir().unwrap();
        let d = dir.path().join("d");
        for (name, content, updated) in [
            ("equal", "snapshot", T),
            ("retimed-older", "snapshot", T - 1),
            ("retimed-newer", "snapshot", T + 1),
            ("older", "on disk!", T - 1),
            ("newer", "on disk, longer", T + 1),
            ("same-time", "on disk!", T),
        ] {
            put(&d, name, content.as_bytes(), updated);
        }
        std::fs::set_permissions(d.join("older"), PermissionsExt::from_mode(0o600)).unwrap();
        let before = marks(dir.path());
        let wanted = [Wanted::all(id)];
        let plan = plan(&repo, &wanted, dir.path(), options(overwrite, false), &Silent).unwrap();
        let steps: BTreeMap<_, _> = plan.steps().map(|s| (s.path.clone(), s.action)).collect();
        assert_eq!(steps["d/new"], Create);
        for (name, action) in names.iter().zip(expected) {
            assert_eq!(steps.get(&format!("d/{name}")).copied(), action, "{overwrite:?} {name}");
        }
        plan.carry_out(&Silent).unwrap();
        let after = marks(dir.path());
        let now = on_disk(dir.path());
        for (name, action) in names.iter().zip(expected) {
            let path = format!("d/{name}");
            match action {
                None | Some(Keep) => {
                    assert_eq!(after[&path], before[&path], "{overwrite:?} {name}")
                }
                Some(Retime) => assert_eq!(after[&path].0, before[&path].0, "not written again"),
                _ => assert_ne!(after[&path].0, before[&path].0, "a new file"),
            }
            if !matches!(action, Some(Keep)) {
                let snapshot = Expected { size: 8, updated: T, sha256: sha256(b"snapshot") };
                assert_eq!(now[&path], snapshot, "{overwrite:?} {name}");
            }
        }
        let mode = d.join("older").metadata().unwrap().mode() & 0o777;
        assert_eq!(mode, 0o600, "{overwrite:?}: a private file stays private");
    }
}

#[test]
fn new_files_and_folders_have_the_usual_permissions() {
    let maker = Maker::new(Store::memory());
    let id = maker.snapshot(1, &[maker.file("/a/b", 0, b"x", 10)]);
    let dir = tempfile::tempdir().unwrap();
    restore(&maker.open(), &[Wanted::all(id)], dir.path(), Options::default());
    let probe = dir.path().join("probe");
    std::fs::write(&probe, "").unwrap();
    let umask = 0o666 & !probe.metadata().unwrap().mode();
    let mode = |path: &str| dir.path().join(path).metadata().unwrap().mode() & 0o7777;
    assert_eq!(mode("a/b"), 0o644 & !umask);
    assert_eq!(mode("a"), 0o755 & !umask);
}

#[test]
fn to_delete_removes_what_the_snapshot_does_not_hold_and_follows_no_link() {
    let maker = Maker::new(Store::memory());
    let id =
        maker.snapshot(1, &[maker.file("/a/keep", 0, b"x", 10), maker.file("/top", 0, b"y", 9)]);
    let repo = maker.open();
    let top = tempfile::tempdir().unwrap();
    let (target, outside) = (top.path().join("target"), top.path().join("outside"));
    put(&outside, "precious", b"1", 0);
    put(&target, "a/extra", b"2", 0);
    put(&target, "b/c/d/extra", b"3", 0);
    put(&target, ".hidden/extra", b"4", 0);
    put(&target, "was-empty/x", b"5", 0);
    std::fs::remove_file(target.join("was-empty/x")).unwrap();
    symlink(&outside, target.join("a/link")).unwrap();
    symlink(&outside, target.join("outside")).unwrap();
    symlink("nowhere", target.join("b/dangling")).unwrap();

    let keeps = restore(&repo, &[Wanted::all(id)], &target, options(Overwrite::Always, false));
    assert_eq!((keeps.created, keeps.removed), (2, 0));
    let report = restore(&repo, &[Wanted::all(id)], &target, options(Overwrite::Always, true));
    assert_eq!((report.removed, report.equal, report.problems.len()), (3, 2, 0));
    assert_eq!(on_disk(&target).into_keys().collect::<Vec<_>>(), ["a/keep", "top"]);
    assert_eq!(std::fs::read(outside.join("precious")).unwrap(), b"1");
    assert!(target.join("a/link").is_symlink() && target.join("b/dangling").is_symlink());
    assert!(!target.join("b/c").exists() && !target.join(".hidden").exists());
    assert!(target.join("was-empty").is_dir(), "only what the restore empties goes");
}

#[test]
fn nothing_is_removed_while_it_is_not_known_what_the_snapshot_held() {
    let maker = Maker::new(Store::memory());
    let records = [maker.file("/a", 0, b"x", 10), maker.file("/lost", 0, b"the only copy", 99)];
    let id = maker.snapshot(1, &records);
    maker.store.delete(&layout::file(records[1].id)).unwrap();
    let repo = maker.open();
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "lost", b"the only copy", 0);
    let report = restore(&repo, &[Wanted::all(id)], dir.path(), options(Overwrite::Always, true));
    assert_eq!((report.created, report.removed), (1, 0));
    assert_eq!(report.problems.len(), 2, "{:?}", report.problems);
    assert!(dir.path().join("lost").exists());
    // What is found is found; what is not may be the one that is lost.
    let report = restore(&repo, &[Wanted::part(id, "a")], dir.path(), Options::default());
    assert_eq!(report.problems, []);
    let wanted = [Wanted::part(id, "lost")];
    let e = plan(&repo, &wanted, dir.path(), Options::default(), &Silent).unwrap_err();
    assert!(matches!(e, RestoreError::NotFound { lost: 1, .. }), "{e}");
}

#[test]
fn hostile_paths_write_nothing_outside_and_are_named() {
    let maker = Maker::new(Store::memory());
    let long_name = format!("/{}", "n".repeat(256));
    let long_path = "/d".repeat(5_000);
    let bad = [
        "/../x",
        "/a/../../x",
        "/..",
        "/.",
        "",
        "/",
        "//etc/passwd",
        "/a//b",
        "/nul\0byte",
        "/absolute/",
        &long_name,
        &long_path,
        "/link/x",
        "/link/deep/y",
        "/both",
    ];
    let good = ["/both/below", "/fine", "/deep/er/fine", "no-slash", "/twice", "/link-file"];
    let mut records: Vec<FileRecord> = Vec::new();
    for path in bad.iter().chain(&good) {
        records.push(maker.file(path, 0, path.as_bytes(), 1 << 20));
    }
    records.push(maker.file("/twice", 9_000, b"the second", 100));
    let id = maker.snapshot(1, &records);
    let repo = maker.open();

    let top = tempfile::tempdir().unwrap();
    let (target, outside) = (top.path().join("target"), top.path().join("outside"));
    put(&outside, "file", b"untouched", 0);
    std::fs::create_dir_all(&target).unwrap();
    symlink(&outside, target.join("link")).unwrap();
    symlink(outside.join("file"), target.join("link-file")).unwrap();
    let report = restore(&repo, &[Wanted::all(id)], &target, options(Overwrite::Always, true));
    let mut named: Vec<_> = report.problems.iter().filter_map(|p| p.path.as_deref()).collect();
    named.sort_unstable();
    // A safe path is named as it would lie below the target.
    let safe = ["/link/x", "/link/deep/y", "/both"];
    let mut expected: Vec<&str> =
        bad.iter().map(|path| if safe.contains(path) { &path[1..] } else { path }).collect();
    expected.push("twice");
    expected.sort_unstable();
    for (named, expected) in named.iter().zip(&expected) {
        assert_eq!(named, expected);
    }
    assert_eq!(named.len(), expected.len());
    assert!(report.problems.iter().all(|p| p.sentence.len() < 700), "no megabytes of path");
    let found = on_disk(&target);
    assert_eq!(
        found.keys().collect::<Vec<_>>(),
        ["both/below", "deep/er/fine", "fine", "link-file", "no-slash", "twice"]
    );
    assert_eq!(found["twice"].sha256, sha256(b"/twice"), "the first one has the path");
    assert_eq!(on_disk(&outside).len(), 1);
    assert_eq!(std::fs::read(outside.join("file")).unwrap(), b"untouched");
    let around: Vec<_> = std::fs::read_dir(top.path()).unwrap().collect();
    assert_eq!(around.len(), 2, "nothing beside the target");
}

#[test]
fn files_and_folders_in_the_way() {
    let maker = Maker::new(Store::memory());
    let id = maker.snapshot(
        1,
        &[maker.file("/was-file/below", 0, b"x", 10), maker.file("/was-folder", 0, b"y", 10)],
    );
    let repo = maker.open();
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "was-file", b"1", 0);
    put(dir.path(), "was-folder/a/b", b"2", 0);
    let before = marks(dir.path());
    let report = restore(&repo, &[Wanted::all(id)], dir.path(), options(Overwrite::Always, false));
    assert_eq!((report.created, report.problems.len()), (0, 2), "{:?}", report.problems);
    assert_eq!(marks(dir.path()), before);
    let report = restore(&repo, &[Wanted::all(id)], dir.path(), options(Overwrite::Always, true));
    assert_eq!((report.created, report.removed, report.problems.len()), (2, 2, 0));
    assert_eq!(
        on_disk(dir.path()).into_keys().collect::<Vec<_>>(),
        ["was-file/below", "was-folder"]
    );
}

#[test]
fn the_repository_is_no_target() {
    let top = tempfile::tempdir().unwrap();
    let place = top.path().join("repo");
    let maker = Maker::new(Store::local(&place));
    let id = maker.snapshot(
        1,
        &[maker.file("/repo/refs/latest", 0, b"evil", 10), maker.file("/a", 0, b"x", 10)],
    );
    let repo = maker.open();
    for inside in [place.clone(), place.join("objects"), place.join("new/folder")] {
        let e = plan(&repo, &[Wanted::all(id)], &inside, Options::default(), &Silent).unwrap_err();
        assert!(matches!(e, RestoreError::InRepository(_)), "{e}");
    }
    let before = marks(&place);
    let report = restore(&repo, &[Wanted::all(id)], top.path(), options(Overwrite::Always, true));
    assert_eq!((report.created, report.removed, report.problems.len()), (1, 0, 1));
    assert_eq!(marks(&place), before);
}

/// Flips a byte of an object.
fn harm(store: &Store, key: &str) {
    let mut bytes = store.get(key, 1 << 30).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    store.put(key, &bytes).unwrap();
}

#[test]
fn damage_costs_its_file_alone() {
    let maker = Maker::new(Store::memory());
    let large = noise(7, 3_000_000);
    let records = [
        maker.file("/a", 1_000, b"first", 100),
        maker.file("/harmed", 1_000, b"harmed", 100),
        maker.file("/large", 1_000, &large, 100_000),
        maker.file("/large-harmed", 1_000, &noise(8, 3_000_000), 100_000),
        maker.file("/large-missing", 1_000, &noise(9, 3_000_000), 100_000),
        maker.file("/z", 1_000, b"last", 100),
    ];
    // One whose record and chunks cannot both be right.
    let lying = FileRecord::new("/lying".into(), 4, 0, vec![maker.chunk(b"12345")]);
    let long = vec![maker.chunk(b"12345"), maker.chunk(b"678")];
    let lying_long = FileRecord::new("/lying-long".into(), 7, 0, long);
    maker.record(&lying);
    maker.record(&lying_long);
    harm(&maker.store, &layout::chunk(records[1].chunks[0]));
    harm(&maker.store, &layout::chunk(records[3].chunks[17]));
    maker.store.delete(&layout::chunk(records[4].chunks[29])).unwrap();
    let mut all = records.to_vec();
    all.extend([lying, lying_long]);
    let id = maker.snapshot(1, &all);
    let told = Told::default();
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "harmed", b"what was there", 0);
    let repo = maker.open();
    let wanted = [Wanted::all(id)];
    let plan = plan(&repo, &wanted, dir.path(), options(Overwrite::Always, true), &told).unwrap();
    let report = plan.carry_out(&told).unwrap();
    assert_no_temporary(dir.path());
    let named: std::collections::BTreeSet<_> =
        report.problems.iter().filter_map(|p| p.path.as_deref()).collect();
    let expected = ["harmed", "large-harmed", "large-missing", "lying", "lying-long"];
    assert_eq!(named.into_iter().collect::<Vec<_>>(), expected);
    assert_eq!(report.problems.len(), 5, "each once: {:?}", report.problems);
    assert_eq!(told.0.lock().len(), 5);
    let found = on_disk(dir.path());
    assert_eq!(found.keys().collect::<Vec<_>>(), ["a", "harmed", "large", "z"]);
    assert_eq!(found["large"].sha256, sha256(&large));
    assert_eq!(found["harmed"].sha256, sha256(b"what was there"), "better than nothing");
    assert_eq!(report.created, 3);
}

#[derive(Default)]
struct Told(Mutex<Vec<String>>);

impl Monitor for Told {
    fn problem(&self, sentence: &str) {
        self.0.lock().push(sentence.to_owned());
    }
}

/// Stops after so many bytes.
struct Impatient {
    after: u64,
    seen: AtomicU64,
}

impl Monitor for Impatient {
    fn advance(&self, done: u64) {
        self.seen.fetch_add(done, Ordering::SeqCst);
    }
    fn stopped(&self) -> bool {
        self.seen.load(Ordering::SeqCst) >= self.after
    }
}

fn many(maker: &Maker, large: usize) -> (IndexId, BTreeMap<String, Vec<u8>>) {
    let mut contents = BTreeMap::new();
    for n in 0..60u64 {
        let len = if n % 10 == 3 { large } else { 3_000 };
        contents.insert(format!("d{}/f{n}", n % 4), noise(n, len));
    }
    let records: Vec<_> = contents
        .iter()
        .map(|(path, content)| maker.file(&format!("/{path}"), 5_000, content, large.div_ceil(30)))
        .collect();
    (maker.snapshot(1, &records), contents)
}

#[test]
fn stopped_at_any_moment_it_leaves_whole_files_and_no_temporary_ones() {
    let maker = Maker::new(Store::memory());
    let (id, contents) = many(&maker, 2_000_000);
    let repo = maker.open();
    let total: u64 = contents.values().map(|c| c.len() as u64).sum();
    for part in 0..12 {
        let dir = quick_folder();
        // The plan counts its files, the writing its bytes.
        let after = part * total / 11;
        let plan =
            plan(&repo, &[Wanted::all(id)], dir.path(), Options::default(), &Silent).unwrap();
        let result = plan.carry_out(&Impatient { after, seen: AtomicU64::new(0) });
        let e = result.expect_err("it was stopped, if only at the end");
        let RestoreError::Stopped { done, of } = e else { panic!("{e}") };
        assert_eq!(of, 60);
        assert_no_temporary(dir.path());
        let found = on_disk(dir.path());
        assert_eq!(found.len() as u64, done);
        for (path, file) in found {
            assert_eq!(file.sha256, sha256(&contents[&path]));
        }
        let rest = restore(&repo, &[Wanted::all(id)], dir.path(), Options::default());
        assert_eq!(rest.created + rest.equal, 60);
    }
}

#[test]
fn any_read_may_fail_and_what_is_restored_is_right() {
    let maker = Maker::new(Store::memory());
    let (id, contents) = many(&maker, 100_000);
    let counted = Faults::at(u64::MAX, Fault::Errno(libc::EIO));
    let repo = maker.open_store(maker.store.faulty(&counted));
    let opening = counted.done();
    let dir = quick_folder();
    restore(&repo, &[Wanted::all(id)], dir.path(), Options::default());
    let operations = counted.done();
    assert!(operations - opening > 150, "records and chunks: {operations}");
    let step = if operations > 400 { 7 } else { 3 };
    for at in (opening..operations).step_by(step) {
        for fault in [Fault::Errno(libc::EIO), Fault::Stop] {
            let dir = quick_folder();
            let repo = maker.open_store(maker.store.faulty(&Faults::at(at, fault)));
            let wanted = [Wanted::all(id)];
            let planned = plan(&repo, &wanted, dir.path(), Options::default(), &Silent);
            let planned = match planned {
                Ok(planned) => planned,
                Err(RestoreError::Snapshot(_)) => continue,
                Err(e) => panic!("operation {at}: {e}"),
            };
            let report = planned.carry_out(&Silent).unwrap();
            assert_no_temporary(dir.path());
            let found = on_disk(dir.path());
            assert_eq!(report.created, found.len() as u64);
            assert!(!report.problems.is_empty(), "operation {at} {fault:?}");
            if fault != Fault::Stop {
                assert_eq!(report.problems.len() + found.len(), 60, "operation {at}");
            }
            for (path, file) in found {
                assert_eq!(file.sha256, sha256(&contents[&path]), "operation {at}: {path}");
            }
        }
    }
}

/// A file system of its own that goes with it.
struct Small(tempfile::TempDir);

impl Small {
    fn mount(size: u64) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let option = format!("size={size}");
        let done = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", &option, "tmpfs"])
            .arg(dir.path())
            .stderr(std::process::Stdio::null())
            .status();
        done.is_ok_and(|status| status.success()).then_some(Self(dir))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let done = std::process::Command::new("umount").arg(self.0.path()).status();
        assert!(done.is_ok_and(|status| status.success()), "{:?} stays mounted", self.0.path());
    }
}

#[test]
fn a_full_disk_is_one_clear_sentence_and_leaves_no_temporary_file() {
    let maker = Maker::new(Store::memory());
    let (id, contents) = many(&maker, 2_000_000);
    let repo = maker.open();
    for size in [64 << 10, 3 << 20, 10 << 20] {
        let Some(disk) = Small::mount(size) else {
            println!("SKIPPED: a full disk: a tmpfs cannot be mounted here (root may)");
            return;
        };
        let told = Told::default();
        let target = disk.0.path().join("target");
        let wanted = [Wanted::all(id)];
        let plan = plan(&repo, &wanted, &target, Options::default(), &told).unwrap();
        let e = plan.carry_out(&told).unwrap_err();
        let RestoreError::DiskFull { done, of, missing, .. } = &e else { panic!("{e}") };
        let found = on_disk(&target);
        let written: u64 = found.values().map(|file| file.size).sum();
        let total: u64 = contents.values().map(|c| c.len() as u64).sum();
        assert_eq!((*done, *of, *missing), (found.len() as u64, 60, total - written));
        assert_no_temporary(&target);
        let sentence = e.to_string();
        assert!(sentence.contains("full") && sentence.contains(target.to_str().unwrap()));
        assert_eq!(told.0.lock().len(), 0, "one sentence: {:?}", told.0.lock());
    }
}

#[test]
fn what_full_latest_says_is_not_believed() {
    let maker = Maker::new(Store::memory());
    let records = [maker.file("/a", 5_000, b"right", 10), maker.file("/b", 5_000, b"other", 10)];
    let id = maker.snapshot(1, &records);
    let mut lies = records.clone();
    lies[0].chunks = lies[1].chunks.clone();
    lies[1].updated += 7;
    maker.full_latest(id, &lies);
    let dir = tempfile::tempdir().unwrap();
    restore(&maker.open(), &[Wanted::all(id)], dir.path(), Options::default());
    let found = on_disk(dir.path());
    assert_eq!(found["a"].sha256, sha256(b"right"));
    assert_eq!(found["b"].updated, 5_000);
}

#[test]
fn what_comes_meanwhile_is_not_overwritten() {
    let maker = Maker::new(Store::memory());
    let id =
        maker.snapshot(1, &[maker.file("/a", 0, b"snapshot", 10), maker.file("/b", 0, b"x", 1)]);
    let repo = maker.open();
    let dir = tempfile::tempdir().unwrap();
    let never = options(Overwrite::Never, false);
    let plan = plan(&repo, &[Wanted::all(id)], dir.path(), never, &Silent).unwrap();
    put(dir.path(), "a", b"just made", 0);
    let report = plan.carry_out(&Silent).unwrap();
    assert_eq!((report.created, report.problems.len()), (1, 1), "{:?}", report.problems);
    assert_eq!(std::fs::read(dir.path().join("a")).unwrap(), b"just made");
    assert_no_temporary(dir.path());
}

/// A workspace of SiYuan with this data.
fn workspace() -> (tempfile::TempDir, revu::siyuan::Workspace) {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "conf/conf.json", b"{}", 0);
    std::fs::create_dir(dir.path().join("data")).unwrap();
    let workspace = revu::siyuan::Workspace::at(dir.path()).unwrap();
    (dir, workspace)
}

#[test]
fn in_place_what_siyuan_keeps_stays() {
    let maker = Maker::new(Store::memory());
    let id = maker.snapshot(
        1,
        &[
            maker.file("/box/a.sy", 5_000, b"as it was", 100),
            maker.file("/box/was-folder", 5_000, b"f", 100),
            maker.file("/.siyuan/syncignore", 5_000, b"*.old\n", 100),
        ],
    );
    let repo = maker.open();
    let (_dir, workspace) = workspace();
    let data = workspace.data();
    put(&data, ".siyuan/syncignore", b"*.ignored\n", 6_000);
    for (path, content) in [
        ("box/a.sy", "edited"),
        ("box/was-folder/x.sy", "goes"),
        ("box/new.sy", "goes"),
        ("empties/new.sy", "goes"),
        ("assets/deep/new.png", "goes, its folders stay"),
        ("widgets/new.js", "goes, its folder stays"),
        ("box/x.ignored", "stays"),
        (".hidden/file", "stays"),
        ("box/.dot", "stays"),
        ("box/a.tmp", "stays"),
        ("box/.revu-12.tmp", "stays"),
        ("box/.revu-0123abcd-12.tmp", "goes: a killed restore has left it"),
        ("storage/local.json", "stays"),
        ("20210808180117-6v0mkxr/guide.sy", "stays"),
    ] {
        put(&data, path, content.as_bytes(), 9_000);
    }
    let before = marks(&data);

    // A dry run changes nothing, and saves nothing.
    let wanted = [Wanted::all(id)];
    let never = || -> Result<(), String> { panic!("it saves nothing") };
    use revu::ops::restore::in_place;
    let forecast = in_place(&repo, &wanted, &workspace, |_| false, never, &Silent).unwrap();
    assert_eq!((forecast.created, forecast.replaced, forecast.removed), (1, 2, 6));
    assert_eq!(marks(&data), before);

    let unsaved = in_place(&repo, &wanted, &workspace, |_| true, || Err("no room".into()), &Silent);
    assert!(unsaved.unwrap_err().to_string().contains("no room"));
    assert_eq!(marks(&data), before);

    let mut saved = 0;
    let save = || {
        saved += 1;
        let second = revu::siyuan::WorkspaceLock::acquire(&workspace);
        assert!(second.is_err(), "SiYuan cannot start while it is saved");
        assert_eq!(marks(&data), before, "it is saved before anything changes");
        Ok(())
    };
    let report = in_place(&repo, &wanted, &workspace, |_| true, save, &Silent).unwrap();
    assert_eq!(saved, 1);
    assert_eq!(report, forecast);
    let now = on_disk(&data);
    assert_eq!(
        now.keys().map(String::as_str).collect::<Vec<_>>(),
        [
            ".hidden/file",
            ".siyuan/syncignore",
            "20210808180117-6v0mkxr/guide.sy",
            "box/.dot",
            "box/.revu-12.tmp",
            "box/a.sy",
            "box/a.tmp",
            "box/was-folder",
            "box/x.ignored",
            "storage/local.json",
        ]
    );
    assert_eq!(now["box/a.sy"].sha256, sha256(b"as it was"));
    assert_eq!(now[".siyuan/syncignore"].sha256, sha256(b"*.old\n"));
    assert!(data.join("assets/deep").is_dir() && data.join("widgets").is_dir());
    assert!(!data.join("empties").exists());
    assert!(!workspace.lock().exists(), "the lock is gone");

    // By the rules that have come back, what was ignored is not any more.
    let again = in_place(&repo, &wanted, &workspace, |_| true, || Ok(()), &Silent).unwrap();
    assert_eq!((again.equal, again.removed), (3, 1), "{again:?}");
    let again = in_place(&repo, &wanted, &workspace, |_| true, never, &Silent).unwrap();
    assert_eq!(again, Report { equal: 3, ..Report::default() });
}

/// Sees at each step that rules that ignore `old` do not come before it has gone.
struct Rules<'a>(&'a std::path::Path);

impl Monitor for Rules<'_> {
    fn stopped(&self) -> bool {
        let new =
            std::fs::read(self.0.join(".siyuan/syncignore")).is_ok_and(|rules| rules == b"/old/\n");
        assert!(!new || !self.0.join("old").exists(), "the new rules would keep what is to go");
        false
    }
}

#[test]
fn in_place_the_rules_change_last() {
    let maker = Maker::new(Store::memory());
    let all = maker.snapshot(1, &[maker.file("/old/a", 5_000, b"x", 100)]);
    let files = [
        maker.file("/b", 5_000, b"y", 100),
        maker.file("/.siyuan/syncignore", 5_000, b"/old/\n", 100),
    ];
    let ruled = maker.snapshot(2, &files);
    let repo = maker.open();
    let (_dir, workspace) = workspace();
    let data = workspace.data();
    for (id, count) in [(all, 1), (ruled, 2)] {
        let wanted = [Wanted::all(id)];
        let restored = revu::ops::restore::in_place(
            &repo,
            &wanted,
            &workspace,
            |_| true,
            || Ok(()),
            &Rules(&data),
        );
        assert_eq!(restored.unwrap().created, count);
        assert_eq!(on_disk(&data).len() as u64, count);
    }
}

#[test]
fn in_place_is_refused_while_siyuan_runs() {
    let maker = Maker::new(Store::memory());
    let id = maker.snapshot(1, &[maker.file("/a", 0, b"x", 10)]);
    let repo = maker.open();
    let (_dir, workspace) = workspace();
    let _siyuan = revu::siyuan::WorkspaceLock::acquire(&workspace).unwrap();
    let wanted = [Wanted::all(id)];
    let refused = revu::ops::restore::in_place(
        &repo,
        &wanted,
        &workspace,
        |_| panic!("it does not even look"),
        || Ok(()),
        &Silent,
    );
    assert!(matches!(refused, Err(RestoreError::Refused(_))));
    assert_eq!(on_disk(&workspace.data()).len(), 0);
}

#[test]
fn in_place_from_every_golden_state_to_every_other() {
    let case = common::golden();
    let repo = case.open();
    let dir = quick_folder();
    put(dir.path(), "conf/conf.json", b"{}", 0);
    for from in case.snapshots.keys() {
        for (to, expected) in &case.snapshots {
            let data = dir.path().join("data");
            let _ = std::fs::remove_dir_all(&data);
            std::fs::create_dir(&data).unwrap();
            let workspace = revu::siyuan::Workspace::at(dir.path()).unwrap();
            let go_to = |id: &IndexId| {
                let wanted = [Wanted::all(*id)];
                let go_on = |_: &revu::ops::restore::Plan<'_>| true;
                let done = revu::ops::restore::in_place(
                    &repo,
                    &wanted,
                    &workspace,
                    go_on,
                    || Ok(()),
                    &Silent,
                );
                assert_eq!(done.unwrap().problems, [], "{from} to {to}");
            };
            go_to(from);
            let rules = revu::siyuan::IgnoreRules::load(&data).unwrap();
            go_to(to);
            let found = on_disk(&data);
            for (path, file) in expected {
                assert_eq!(found.get(path), Some(file), "{from} to {to}: {path}");
            }
            // What the rules of the one state ignore stays in the other.
            for path in found.keys().filter(|path| !expected.contains_key(*path)) {
                assert!(rules.ignores(&format!("/{path}")), "{from} to {to}: {path}");
            }
        }
    }
}
