//! Differences: between snapshots, against what the fixtures should hold; between a snapshot and a
//! folder; as patches that git takes.

mod common;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use common::{Case, Expected, Maker, noise};
use revu::format::layout;
use revu::ops::Silent;
use revu::ops::diff::{Change, Compare, Differences, Kind, Patcher, folder, snapshots};
use revu::ops::disk::{Dir, Everything};
use revu::ops::paths::Scope;
use revu::ops::restore::{Options, Wanted, plan};
use revu::repo::Repository;
use revu::store::{Store, Verb};

type Files = BTreeMap<String, Expected>;

/// What differs, worked out from the expectations alone; renames as what went and what came.
fn expected(old: &Files, new: &Files) -> BTreeMap<String, Kind> {
    let mut changes = BTreeMap::new();
    for (path, now) in new {
        let kind = match old.get(path) {
            None => Kind::Added,
            Some(then) if then == now => continue,
            Some(then) if then.sha256 == now.sha256 => Kind::Touched,
            Some(_) => Kind::Modified,
        };
        changes.insert(path.clone(), kind);
    }
    let gone = old.keys().filter(|path| !new.contains_key(*path));
    changes.extend(gone.map(|path| (path.clone(), Kind::Removed)));
    changes
}

/// What was found, with renames taken apart again, each of which is checked.
fn plain(found: &Differences, old: &Files, new: &Files) -> BTreeMap<String, Kind> {
    let mut changes = BTreeMap::new();
    for Change { kind, path, from, old: was, new: is } in &found.changes {
        if *kind == Kind::Renamed {
            let from = from.clone().expect("a rename has a path before");
            assert_eq!(old[&from].sha256, new[path].sha256, "{from} to {path}");
            assert!(new[path].size > 0);
            changes.insert(from, Kind::Removed);
            changes.insert(path.clone(), Kind::Added);
            continue;
        }
        for (side, files) in [(was, old), (is, new)] {
            if let Some(side) = side {
                assert_eq!((side.size, side.updated), (files[path].size, files[path].updated));
            }
        }
        assert_eq!(was.is_none(), *kind == Kind::Added, "{path}");
        assert_eq!(is.is_none(), *kind == Kind::Removed, "{path}");
        changes.insert(path.clone(), *kind);
    }
    changes
}

fn in_order(found: &Differences) {
    let paths: Vec<_> = found.changes.iter().map(|change| change.path.replace('/', "\0")).collect();
    assert!(paths.is_sorted(), "{paths:?}");
}

#[test]
fn all_pairs_of_snapshots_differ_as_they_should() {
    for case in common::cases("all_pairs_of_snapshots_differ_as_they_should") {
        let repo = case.open();
        let step = case.snapshots.len().div_ceil(9);
        for (a, old) in case.snapshots.iter().step_by(step) {
            for (b, new) in case.snapshots.iter().step_by(step) {
                let found = snapshots(&repo, *a, *b, &Scope::default(), &Silent).unwrap();
                assert_eq!(found.problems.len(), 0);
                in_order(&found);
                let name = case.name;
                assert_eq!(plain(&found, old, new), expected(old, new), "{name}: {a} to {b}");
            }
        }
    }
}

fn restored(repo: &Repository, id: revu::format::IndexId) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let plan = plan(repo, &[Wanted::all(id)], dir.path(), Options::default(), &Silent).unwrap();
    plan.carry_out(&Silent).unwrap();
    dir
}

#[test]
fn a_snapshot_and_a_folder_differ_as_two_snapshots_do() {
    let case = common::golden();
    let repo = case.open();
    for content in [false, true] {
        let compare = Compare { rules: &Everything, content };
        for (b, new) in &case.snapshots {
            let dir = restored(&repo, *b);
            let root = Dir::open(dir.path()).unwrap();
            for (a, old) in &case.snapshots {
                let found = folder(&repo, *a, &root, compare, &Scope::default(), &Silent).unwrap();
                assert_eq!(found.problems.len(), 0);
                in_order(&found);
                let expected = expected(old, new);
                assert_eq!(plain(&found, old, new), expected, "{a} to {b}");
            }
        }
    }
}

#[test]
fn what_size_and_time_hide_a_full_comparison_finds() {
    let maker = Maker::new(Store::memory());
    let long = noise(1, 900_000);
    let id = maker.snapshot(
        1,
        &[maker.file("/a", 5_000, b"abc", 10), maker.file("/long", 5_000, &long, 200_000)],
    );
    let repo = maker.open();
    let dir = restored(&repo, id);
    let root = Dir::open(dir.path()).unwrap();
    let mut edited = long;
    edited[850_000] ^= 1;
    for (name, bytes) in [("a", &b"abd"[..]), ("long", &edited)] {
        std::fs::write(dir.path().join(name), bytes).unwrap();
        root.set_updated(name, 5_000).unwrap();
    }
    let ask = |content| {
        let compare = Compare { rules: &Everything, content };
        folder(&repo, id, &root, compare, &Scope::default(), &Silent).unwrap().stat()
    };
    assert_eq!(ask(false).modified, 0);
    assert_eq!(ask(true).modified, 2);
}

#[test]
fn renames_are_shown_as_such() {
    let maker = Maker::new(Store::memory());
    let large = noise(3, 2_000_000);
    let old = [
        maker.file("/box/a.sy", 1_000, b"content", 100),
        maker.file("/box/b.sy", 1_000, b"content", 100),
        maker.file("/empty", 1_000, b"", 100),
        maker.file("/large", 1_000, &large, 300_000),
        maker.file("/stays", 1_000, b"stays", 100),
    ];
    let new = [
        maker.file("/other/b.sy", 9_000, b"content", 100),
        maker.file("/other/c.sy", 9_000, b"content", 100),
        maker.file("/copy", 9_000, b"content", 100),
        maker.file("/empty-too", 9_000, b"", 100),
        maker.file("/larger", 1_000, &large, 300_000),
        maker.file("/stays", 1_000, b"stays", 100),
    ];
    let (a, b) = (maker.snapshot(1, &old), maker.snapshot(2, &new));
    let repo = maker.open();
    let dir = restored(&repo, b);
    let root = Dir::open(dir.path()).unwrap();
    let compare = Compare { rules: &Everything, content: false };
    let scope = Scope::default();
    for found in [
        snapshots(&repo, a, b, &scope, &Silent).unwrap(),
        folder(&repo, a, &root, compare, &scope, &Silent).unwrap(),
    ] {
        let shown: Vec<_> = found
            .changes
            .iter()
            .map(|c| (c.kind, c.from.as_deref().unwrap_or(""), c.path.as_str()))
            .collect();
        assert_eq!(
            shown,
            [
                (Kind::Renamed, "box/a.sy", "copy"),
                (Kind::Removed, "", "empty"),
                (Kind::Added, "", "empty-too"),
                (Kind::Renamed, "large", "larger"),
                (Kind::Renamed, "box/b.sy", "other/b.sy"),
                (Kind::Added, "", "other/c.sy"),
            ]
        );
        let stat = found.stat();
        assert_eq!((stat.renamed, stat.added, stat.removed), (3, 2, 1));
        assert_eq!((stat.bytes_new, stat.bytes_old), (7, 0));
    }
    // Within a scope that holds one end alone, nothing has moved.
    let found = snapshots(&repo, a, b, &Scope::new("other"), &Silent).unwrap();
    assert!(found.changes.iter().all(|c| c.kind == Kind::Added) && found.changes.len() == 2);
    let found = folder(&repo, a, &root, compare, &Scope::new("/stays"), &Silent).unwrap();
    assert_eq!(found.changes, []);
    let found = folder(&repo, a, &root, compare, &Scope::new("large"), &Silent).unwrap();
    assert_eq!(found.changes.len(), 1);
}

#[test]
fn it_costs_what_differs() {
    let maker = Maker::new(Store::memory());
    let mut records: Vec<_> = (0..2_000)
        .map(|n| maker.file(&format!("/d{}/{n}", n % 9), n, format!("{n}").as_bytes(), 10))
        .collect();
    let first = maker.snapshot(1, &records);
    records[7] = maker.file("/d7/7", 9_000_000, b"edited", 10);
    records.remove(100);
    let second = maker.snapshot(2, &records);
    let (store, calls) = maker.store.recorded();
    let repo = maker.open_store(store);
    calls.take();
    let found = snapshots(&repo, first, second, &Scope::default(), &Silent).unwrap();
    assert_eq!(found.changes.len(), 2);
    let calls = calls.take();
    assert_eq!(calls.len(), 5, "two indexes and three records: {calls:?}");
    assert!(calls.iter().all(|call| call.verb == Verb::Get));
    // The same snapshot twice: its index alone.
    snapshots(&repo, second, second, &Scope::default(), &Silent).unwrap();
}

#[test]
fn damage_is_named_and_the_rest_compared() {
    let maker = Maker::new(Store::memory());
    let same = maker.file("/same", 0, b"same", 10);
    let old = [same.clone(), maker.file("/a", 1_000, b"old", 10), maker.file("/b", 0, b"b", 10)];
    let new = [same, maker.file("/a", 5_000, b"new", 10)];
    let (a, b) = (maker.snapshot(1, &old), maker.snapshot(2, &new));
    maker.store.delete(&layout::file(old[2].id)).unwrap();
    let repo = maker.open();
    let found = snapshots(&repo, a, b, &Scope::default(), &Silent).unwrap();
    assert_eq!((found.changes.len(), found.problems.len()), (1, 1), "{found:?}");
    maker.store.delete(&layout::chunk(new[1].chunks[0])).unwrap();
    let patcher = Patcher { repo: &repo, folder: None };
    let e = patcher.patch(&found.changes[0]).unwrap_err().to_string();
    assert!(e.starts_with("a: ") && e.contains("missing"), "{e}");
    maker.store.delete(&layout::index(a)).unwrap();
    assert!(snapshots(&repo, a, b, &Scope::default(), &Silent).is_err());
}

fn is_text(path: &Path) -> bool {
    std::fs::read(path).is_ok_and(|bytes| !bytes.contains(&0) && String::from_utf8(bytes).is_ok())
}

fn git_takes(case: &Case, repo: &Repository, a: revu::format::IndexId, b: revu::format::IndexId) {
    let found = snapshots(repo, a, b, &Scope::default(), &Silent).unwrap();
    let patcher = Patcher { repo, folder: None };
    let (before, after) = (restored(repo, a), restored(repo, b));
    let mut patch = String::new();
    let mut changed = 0;
    for change in &found.changes {
        let text = patcher.patch(change).unwrap();
        if text.contains("\nBinary files ") {
            let old = change.old.is_none() || is_text(&before.path().join(&change.path));
            let new = change.new.is_none() || is_text(&after.path().join(&change.path));
            assert!(!(old && new), "{} is text", change.path);
            continue;
        }
        changed += usize::from(!text.is_empty());
        patch.push_str(&text);
    }
    if changed == 0 {
        return;
    }
    let file = before.path().join(".patch");
    std::fs::write(&file, &patch).unwrap();
    let done = Command::new("git")
        .args(["apply", "--whitespace=nowarn", "-p1"])
        .arg(&file)
        .current_dir(before.path())
        // A repository around the folder would make git leave out what is outside of it.
        .env("GIT_CEILING_DIRECTORIES", before.path().parent().unwrap())
        .output()
        .unwrap();
    let name = case.name;
    let errors = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{name}: {a} to {b}: {errors}");
    for change in &found.changes {
        let now = |dir: &Path| std::fs::read(dir.join(&change.path)).ok();
        if is_text(&after.path().join(&change.path)) || change.kind == Kind::Renamed {
            let path = &change.path;
            assert_eq!(now(before.path()), now(after.path()), "{name}: {a} to {b}: {path}");
        }
    }
}

#[test]
fn git_takes_the_patches() {
    if !Command::new("git").arg("--version").output().is_ok_and(|done| done.status.success()) {
        println!("SKIPPED: git takes the patches: git is not installed");
        return;
    }
    for case in common::cases("git_takes_the_patches") {
        if case.name.starts_with("cloud") {
            continue;
        }
        let repo = case.open();
        let ids: Vec<_> = case.snapshots.keys().copied().collect();
        let step = ids.len().div_ceil(8);
        let ids: Vec<_> = ids.into_iter().step_by(step).collect();
        for (a, b) in ids.iter().zip(&ids[1..]) {
            git_takes(&case, &repo, *a, *b);
            git_takes(&case, &repo, *b, *a);
        }
    }
}

#[test]
fn a_patch_reads_well() {
    let maker = Maker::new(Store::memory());
    let long = noise(5, 17 << 20);
    let old = [
        maker.file("/a b.txt", 0, b"one\ntwo\nthree\n", 100),
        maker.file("/bin", 0, b"\0\x01", 100),
        maker.file("/gone", 0, b"gone", 100),
        maker.file("/long", 0, b"short", 100),
    ];
    let new = [
        maker.file("/a b.txt", 5_000, "one\nzwö\nthree\n".as_bytes(), 100),
        maker.file("/bin", 5_000, b"text now", 100),
        maker.file("/come", 5_000, b"come\n", 100),
        maker.file("/long", 5_000, &long, 1 << 20),
    ];
    let (a, b) = (maker.snapshot(1, &old), maker.snapshot(2, &new));
    let repo = maker.open();
    let patcher = Patcher { repo: &repo, folder: None };
    let found = snapshots(&repo, a, b, &Scope::default(), &Silent).unwrap();
    let text: String = found.changes.iter().map(|c| patcher.patch(c).unwrap()).collect();
    let expected = "\
diff --git a/a b.txt b/a b.txt
--- a/a b.txt\t
+++ b/a b.txt\t
@@ -1,3 +1,3 @@
 one
-two
+zwö
 three
diff --git a/bin b/bin
Binary files a/bin and b/bin differ
diff --git a/come b/come
new file mode 100644
--- /dev/null
+++ b/come
@@ -0,0 +1 @@
+come
diff --git a/gone b/gone
deleted file mode 100644
--- a/gone
+++ /dev/null
@@ -1 +0,0 @@
-gone
\\ No newline at end of file
diff --git a/long b/long
Binary files a/long and b/long differ
";
    assert_eq!(text, expected);
    // Against a folder, the new side comes from there.
    let dir = restored(&repo, b);
    std::fs::write(dir.path().join("a b.txt"), "one\nzwei\nthree\n").unwrap();
    let root = Dir::open(dir.path()).unwrap();
    let compare = Compare { rules: &Everything, content: false };
    let found = folder(&repo, a, &root, compare, &Scope::new("a b.txt"), &Silent).unwrap();
    let patcher = Patcher { repo: &repo, folder: Some(&root) };
    assert!(patcher.patch(&found.changes[0]).unwrap().contains("\n-two\n+zwei\n"));
}
