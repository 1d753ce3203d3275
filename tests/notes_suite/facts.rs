//! What is remembered of notes from one run to the next.

use std::path::Path;
use std::sync::{Arc, Mutex};

use revu::format::{Cipher, Id};
use revu::repo::{Options, Repository, disposable};
use revu::store::{Calls, Verb};
use revu::vfs::notes::{Fact, FactKey, Facts, KeptFacts, NotesOptions, unlock};
use revu::vfs::{Change, Kind, Vfs};

use super::support::{BOX, Notes, files, find, list, read, tree, tree_with};
use crate::common::cases;

const A: &str = "20260101000001-aaaaaa1";
const B: &str = "20260101000002-bbbbbb2";

/// What another process would see.
fn again(notes: &Notes, cache: &Path, links: bool) -> (Vfs, Calls) {
    let (store, calls) = notes.maker.store.clone().recorded();
    let repo = Repository::open(store, &notes.maker.key, Options::default()).unwrap();
    let repo = Arc::new(repo);
    repo.keep_catalogs_in(&cache.join("catalogs"));
    let facts = Arc::new(KeptFacts::new(&cache.join("notes"), Arc::clone(&repo)));
    (tree_with(repo, NotesOptions { links, facts, ..NotesOptions::default() }), calls)
}

fn made(vfs: &Vfs) -> u64 {
    vfs.notes().unwrap().engine().made()
}

/// A notebook of many notes, and one that refers to another.
fn many() -> Notes {
    let notes = Notes::new();
    let reference = serde_json::json!({"ID": "20260101000000-paragra", "Type": "NodeParagraph",
        "Children": [{"Type": "NodeTextMark", "TextMarkType": "block-ref", "TextMarkBlockRefID": A,
            "TextMarkBlockRefSubtype": "s", "TextMarkTextContent": "over there"}]});
    let mut records = vec![
        notes.notebook(BOX, "Book"),
        notes.note(&format!("{BOX}/{A}"), "Under the third oak", "x"),
        notes.note_of(&format!("{BOX}/{B}"), "Refers", &[reference]),
    ];
    for n in 0..200 {
        let id = format!("{BOX}/20260102000000-{n:07}");
        records.push(notes.note(&id, &format!("Title {n}"), &"words ".repeat(n)));
    }
    notes.snapshot(1_000, &records);
    notes
}

const BOOK: &str = "notes/1970-01-01T00.00.01Z/Book";

#[test]
fn another_process_lists_notes_without_reading_them() {
    let notes = many();
    let cache = tempfile::tempdir().unwrap();
    let (first, _) = again(&notes, cache.path(), false);
    let book = find(&first, BOOK).unwrap();
    let shown = list(&first, book.ino);
    assert_eq!(made(&first), 202);
    drop(first);

    let (second, calls) = again(&notes, cache.path(), false);
    let book = find(&second, BOOK).unwrap();
    calls.take();
    let listed = list(&second, book.ino);
    assert_eq!(made(&second), 0, "nothing is rendered");
    let gets = calls.take().into_iter().filter(|call| call.verb == Verb::Get).count();
    assert!(gets <= 1, "{gets} objects were read; the notebook's configuration is one");
    let facts = |list: &[(String, revu::vfs::Attr)]| -> Vec<(String, u64, i128)> {
        list.iter().map(|(name, attr)| (name.clone(), attr.size, attr.mtime_ns)).collect()
    };
    assert_eq!(facts(&listed), facts(&shown));
    for (_, attr) in listed.iter().filter(|(_, attr)| attr.kind == Kind::File) {
        read(&second, attr);
    }
    assert_eq!(made(&second), 202, "what is read is rendered, once");
}

#[test]
fn damage_is_a_miss_and_nothing_is_plain_on_disk() {
    use std::os::unix::fs::PermissionsExt;
    let notes = many();
    let cache = tempfile::tempdir().unwrap();
    let (first, _) = again(&notes, cache.path(), false);
    let shown = list(&first, find(&first, BOOK).unwrap().ino);
    drop(first);
    let folder = cache.path().join("notes");
    let kept: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path()).collect();
    let [file] = &kept[..] else { panic!("one file for each repository: {kept:?}") };
    assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
    let good = std::fs::read(file).unwrap();
    for secret in ["third oak", "Title", "Refers"] {
        assert!(!good.windows(secret.len()).any(|part| part == secret.as_bytes()), "{secret}");
    }
    for bad in [good[..good.len() / 2].to_vec(), b"nonsense".to_vec(), vec![0; 1 << 20]] {
        std::fs::write(file, &bad).unwrap();
        let (vfs, _) = again(&notes, cache.path(), false);
        assert_eq!(list(&vfs, find(&vfs, BOOK).unwrap().ino).len(), shown.len());
        assert_eq!(made(&vfs), 202, "all is made anew");
    }
    std::fs::remove_file(file).unwrap();
    std::fs::create_dir(file).unwrap();
    let (vfs, _) = again(&notes, cache.path(), false);
    assert_eq!(list(&vfs, find(&vfs, BOOK).unwrap().ino).len(), shown.len());
}

#[test]
fn sizes_with_links_and_without_do_not_mix() {
    let notes = many();
    let cache = tempfile::tempdir().unwrap();
    let mut sizes = Vec::new();
    for links in [false, true, false, true] {
        let (vfs, _) = again(&notes, cache.path(), links);
        let listed = list(&vfs, find(&vfs, BOOK).unwrap().ino);
        sizes.push(listed.iter().find(|(name, _)| name == "Refers.md").unwrap().1.size);
        // Reading asserts that the size was exact.
        for (_, attr) in listed.iter().filter(|(_, attr)| attr.kind == Kind::File) {
            read(&vfs, attr);
        }
    }
    assert_eq!((sizes[0], sizes[1]), (sizes[2], sizes[3]));
    assert!(sizes[1] > sizes[0], "{sizes:?}");
}

#[test]
fn nothing_of_an_encrypted_notebook_is_kept() {
    let case = cases("encrypted").into_iter().find(|case| case.name == "siyuan-workspace").unwrap();
    let cache = tempfile::tempdir().unwrap();
    let repo = case.open();
    let snapshots = repo.snapshots().unwrap();
    let vault = unlock(&repo, &snapshots, &["Safe".to_owned()], b"opens the safe").unwrap();
    let facts = Arc::new(KeptFacts::new(cache.path(), Arc::clone(&repo)));
    let options = NotesOptions { vault, facts, ..NotesOptions::default() };
    let vfs = tree_with(repo, options);
    let shown = files(&vfs, "notes");
    assert!(shown.keys().any(|path| path.ends_with("/Safe/Secret plan.md")));
    drop(vfs);
    let kept = std::fs::read_dir(cache.path()).unwrap().next().unwrap().unwrap().path();
    let plain = disposable::read(&kept, &Cipher::new(&case.key), 1 << 30).unwrap();
    let holds = |text: &str| plain.windows(text.len()).any(|part| part == text.as_bytes());
    assert!(holds("Journal") || holds("Tomatoes"), "titles of the others are there");
    assert!(!holds("Secret plan") && !holds("Map"), "and those of the safe are not");
}

/// Remembers that every note has one byte.
#[derive(Debug, Default)]
struct Liar(Mutex<Vec<Fact>>);

impl Facts for Liar {
    fn get(&self, _: FactKey) -> Option<Fact> {
        Some(Fact { title: "Title".into(), updated: String::new(), size: Some(1) })
    }
    fn put(&self, _: FactKey, fact: &Fact) {
        self.0.lock().unwrap().push(fact.clone());
    }
}

#[test]
fn a_size_that_was_wrong_is_corrected_and_told() {
    let notes = Notes::new();
    let book = notes.notebook(BOX, "Book");
    notes.snapshot(1_000, &[book, notes.note(&format!("{BOX}/{A}"), "Title", "x")]);
    let facts = Arc::new(Liar::default());
    let options =
        NotesOptions { facts: Arc::clone(&facts) as Arc<dyn Facts>, ..NotesOptions::default() };
    let vfs = tree_with(notes.maker.open(), options);
    let told: Arc<Mutex<Vec<Change>>> = Arc::default();
    let list = Arc::clone(&told);
    vfs.on_change(Box::new(move |change| list.lock().unwrap().push(change)));
    let note = find(&vfs, &format!("{BOOK}/Title.md")).unwrap();
    assert_eq!(note.size, 1);
    assert_eq!(&*vfs.read(note.ino, 0, 100).unwrap(), b"# Title\n\nx\n");
    assert_eq!(vfs.getattr(note.ino).unwrap().0.size, 11);
    assert!(told.lock().unwrap().contains(&Change::Node(note.ino)));
    assert_eq!(facts.0.lock().unwrap().last().unwrap().size, Some(11));
}

/// Sizes are kept from run to run, so what is kept must not outlive a change of the Markdown.
#[test]
fn what_is_kept_changes_its_version_with_the_markdown() {
    let case = cases("facts").into_iter().find(|case| case.name == "siyuan-workspace").unwrap();
    let vfs = tree(case.open());
    let mut all = String::new();
    for (path, attr) in files(&vfs, "notes") {
        if attr.kind == Kind::File && path.ends_with(".md") {
            all += &read(&vfs, &attr);
        }
    }
    assert_eq!(
        Id::digest(all.as_bytes()).to_string(),
        "d5f17dabc6ff203bd68479326262abc6ac2858c5",
        "the Markdown has changed: count MAGIC in src/vfs/notes/kept.rs up, and put the new digest here"
    );
}
