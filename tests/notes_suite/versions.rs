//! `versions/`.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use revu::format::{ChunkId, Cipher, FileRecord, RepoKey, layout};
use revu::repo::{Options, Repository};
use revu::store::Store;
use revu::vfs::Kind;
use revu::vfs::notes::{KeptFacts, NotesOptions};

use super::support::{BOX, Notes, files, find, list, names, text, tree, tree_with};
use crate::common::{Maker, cases};

const A: &str = "20260101000001-aaaaaa1";
const B: &str = "20260101000002-bbbbbb2";

#[test]
fn each_version_comes_once_newest_first_through_renames_and_moves() {
    let notes = Notes::new();
    let book = notes.notebook(BOX, "Book");
    let plan =
        |updated, words: &str| notes.maker.file("/assets/plan.txt", updated, words.as_bytes(), 100);
    let garden = notes.note(&format!("{BOX}/{A}"), "Garden", "x");
    let oak = notes.note(&format!("{BOX}/{B}"), "Oak", "one");
    let first = [book.clone(), garden.clone(), oak.clone(), plan(10_000, "one")];
    notes.snapshot(1_000, &first);
    notes.snapshot(2_000, &first);
    let moved = notes.note(&format!("{BOX}/{A}/{B}"), "Oaks", "two");
    notes.snapshot(3_000, &[book.clone(), garden.clone(), moved, plan(20_000, "two")]);
    // The note is gone, and another one has come that is called the same.
    let twin = notes.note(&format!("{BOX}/{A}/20260101000003-cccccc3"), "Oaks", "twin");
    notes.snapshot(4_000, &[book, garden, twin, plan(21_000, "three")]);
    let vfs = notes.tree();
    assert_eq!(names(&vfs, "versions"), ["files", "notes"]);
    assert_eq!(names(&vfs, "versions/files"), [BOX, "assets"]);
    let plans = "versions/files/assets/plan.txt";
    let shown = names(&vfs, plans);
    assert_eq!(shown.len(), 3, "{shown:?}");
    assert_eq!(shown[0], "1970-01-01T00.00.21Z.txt", "newest first");
    assert_eq!(shown[2], "1970-01-01T00.00.10Z.txt");
    assert_eq!(text(&vfs, &format!("{plans}/{}", shown[0])), "three");
    assert_eq!(text(&vfs, &format!("{plans}/{}", shown[1])), "two");
    assert_eq!(text(&vfs, &format!("{plans}/{}", shown[2])), "one");

    assert_eq!(names(&vfs, "versions/notes"), ["Book"]);
    assert_eq!(names(&vfs, "versions/notes/Book"), ["Garden"]);
    let below = names(&vfs, "versions/notes/Book/Garden");
    assert!(below[0].ends_with(".md"), "{below:?}");
    assert_eq!(below[1..], ["Oaks", "Oaks~bbbbbb2"], "the note of today keeps its name");
    let old = names(&vfs, "versions/notes/Book/Garden/Oaks~bbbbbb2");
    let read = |name: &str| text(&vfs, &format!("versions/notes/Book/Garden/Oaks~bbbbbb2/{name}"));
    assert_eq!(
        old.iter().map(|name| read(name)).collect::<Vec<_>>(),
        ["# Oaks\n\ntwo\n", "# Oak\n\none\n"]
    );
    files(&vfs, "versions");

    // A new snapshot is seen, and numbers of the tree before are stale and not wrong.
    let before = find(&vfs, "versions/files/assets/plan.txt").unwrap();
    notes.snapshot(5_000, &[plan(30_000, "four")]);
    std::thread::sleep(std::time::Duration::from_millis(150));
    assert_eq!(names(&vfs, plans).len(), 4);
    assert!(vfs.getattr(before.ino).is_err());
}

#[test]
fn all_versions_of_the_guide_are_there() {
    let Some(case) = cases("versions").into_iter().find(|case| case.name == "guide-en") else {
        println!("SKIPPED: the guide is not there");
        return;
    };
    let repo = case.open();
    let vfs = tree(repo.clone());
    let begin = Instant::now();
    let top = find(&vfs, "versions/files").unwrap();
    list(&vfs, top.ino);
    println!("the versions of the guide's files are known after {:?}", begin.elapsed());
    let shown = files(&vfs, "versions/files");
    let versions = shown.values().filter(|attr| attr.kind == Kind::File).count();
    let mut known = std::collections::HashSet::new();
    for (id, files) in &case.snapshots {
        let loaded = repo.load(*id).unwrap();
        assert_eq!(loaded.files.len(), files.len());
        known.extend(loaded.index.files);
    }
    assert_eq!(versions, known.len(), "each File ID once");
    let notes = files(&vfs, "versions/notes");
    println!("{versions} versions of files, {} of notes", notes.len());
    assert!(notes.len() >= 600 && notes.keys().all(|path| path.ends_with(".md")));
}

const FOLDER: &str = "REVU_TEST_VERSIONS_FOLDER";

/// The most memory that this process has had, MiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

#[test]
#[ignore = "it is what the next test starts as a process of its own"]
fn another_process() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        println!("SKIPPED: another_process: nobody has started it as such");
        return;
    };
    let folder = Path::new(&folder);
    let key = RepoKey::from_bytes([42; 32]);
    let store = Store::local(folder.join("repo"));
    let repo = Arc::new(Repository::open(store, &key, Options::default()).unwrap());
    repo.keep_catalogs_in(&folder.join("catalogs"));
    let facts = Arc::new(KeptFacts::new(&folder.join("notes"), Arc::clone(&repo)));
    let vfs = tree_with(repo, NotesOptions { facts, ..NotesOptions::default() });
    for (view, paths) in [("files", vec![BOX]), ("notes", vec!["Book", "Book/Title 1"])] {
        let begin = Instant::now();
        let top = find(&vfs, &format!("versions/{view}")).unwrap();
        assert_eq!(list(&vfs, top.ino).len(), 1);
        let first = begin.elapsed();
        let begin = Instant::now();
        let all: Vec<usize> = paths
            .iter()
            .map(|path| names(&vfs, &format!("versions/{view}/{path}")).len())
            .collect();
        println!(
            "versions/{view} {first:?}, then {all:?} lines in {:?}; peak {} MiB",
            begin.elapsed(),
            peak()
        );
        assert!(first.as_secs_f64() <= 2.0 || cfg!(debug_assertions), "{first:?}");
    }
    assert!(peak() <= 300, "{} MiB", peak());
}

/// A thousand snapshots of many notes, one of them new in each.
#[test]
#[ignore = "takes a minute and half a gigabyte; run by hand, as release build, for the numbers"]
fn a_thousand_snapshots_of_twenty_thousand_notes() {
    let folder = tempfile::tempdir().unwrap();
    let maker = Maker::new(Store::local(folder.path().join("repo")));
    std::fs::create_dir(folder.path().join("repo")).unwrap();
    let batch = maker.store.batch();
    let seal = |plain: &[u8]| Cipher::new(&maker.key).seal(plain);
    let write = |path: String, updated: i64, content: String| {
        let chunk = ChunkId::of(content.as_bytes());
        batch.put(layout::chunk(chunk), &seal(content.as_bytes())).unwrap();
        let record = FileRecord::new(path, content.len() as i64, updated, vec![chunk]);
        batch.put(layout::file(record.id), &seal(&record.encode())).unwrap();
        record
    };
    let note = |n: usize, updated: i64| {
        let id = format!("202601010{n:05}-aaaaaaa");
        let content = format!(
            r#"{{"ID":"{id}","Type":"NodeDocument","Properties":{{"title":"Title {n}"}},"Children":[
            {{"Type":"NodeParagraph","Children":[{{"Type":"NodeText","Data":"{updated}"}}]}}]}}"#
        );
        write(format!("/{BOX}/{id}.sy"), updated, content)
    };
    let conf = write(format!("/{BOX}/.siyuan/conf.json"), 1_000, r#"{"name":"Book"}"#.into());
    let mut records = vec![conf];
    records.extend((1..=20_000).map(|n| note(n, 1_000)));
    for snapshot in 0..1_000 {
        let n = 1 + snapshot * 17 % 20_000;
        records[n] = note(n, 2_000 + snapshot as i64 * 1_000);
        maker.snapshot(snapshot as i64 * 1_000, &records);
    }
    batch.commit().unwrap();
    for run in ["first", "with what was kept"] {
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "suite::versions::another_process", "--ignored", "--nocapture"])
            .env(FOLDER, folder.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        println!("{run}:\n{said}");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}
