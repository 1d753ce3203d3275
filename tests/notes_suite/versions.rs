//! `versions/`.

use std::time::Instant;

use revu::vfs::Kind;

use super::support::{BOX, Notes, files, find, list, names, text, tree};
use crate::common::cases;

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

/// A thousand snapshots of many notes, few of them new in each.
#[test]
#[ignore = "takes a minute; run by hand for the numbers"]
fn a_thousand_snapshots_of_twenty_thousand_notes() {
    let notes = Notes::new();
    let mut records = vec![notes.notebook(BOX, "Book")];
    for n in 0..20_000 {
        let id = format!("202601010{n:05}-aaaaaaa");
        records.push(notes.note(&format!("{BOX}/{id}"), &format!("Title {n}"), "words"));
    }
    for snapshot in 0..1_000 {
        let n = 1 + snapshot * 17 % 20_000;
        let id = format!("202601010{:05}-aaaaaaa", n - 1);
        records[n as usize] = notes.note(&format!("{BOX}/{id}"), &format!("Title {n}"), "more");
        notes.snapshot(snapshot * 1_000, &records);
    }
    let vfs = notes.tree();
    let begin = Instant::now();
    let files = find(&vfs, "versions/files").unwrap();
    list(&vfs, files.ino);
    let for_files = begin.elapsed();
    let tops = find(&vfs, "versions/notes").unwrap();
    list(&vfs, tops.ino);
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    println!(
        "files {for_files:?}, notes too {:?}, {peak} (the repository is in memory)",
        begin.elapsed()
    );
}
