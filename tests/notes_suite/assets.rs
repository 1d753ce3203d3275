//! Attachments beside notes.

use revu::vfs::Kind;

use super::support::{BOX, Notes, files, find, names, text};

const A: &str = "20260101000001-aaaaaa1";
const B: &str = "20260101000002-bbbbbb2";
const OTHER: &str = "20260101000000-boxbbbb";
const TOP: &str = "notes/1970-01-01T00.00.01Z";

fn target(notes: &revu::vfs::Vfs, path: &str) -> String {
    let link = find(notes, path).unwrap();
    assert_eq!(link.kind, Kind::Symlink, "{path}");
    String::from_utf8(notes.readlink(link.ino).unwrap()).unwrap()
}

#[test]
fn attachments_of_several_folders_are_one_as_siyuan_resolves_them() {
    let notes = Notes::new();
    let file = |path: &str, text: &str| notes.maker.file(path, 1_000, text.as_bytes(), 1 << 20);
    let records = [
        notes.notebook(BOX, "Book"),
        notes.notebook(OTHER, "Other"),
        notes.note(&format!("{BOX}/{A}"), "Note", "x"),
        notes.note(&format!("{BOX}/{A}/{B}"), "Below", "x"),
        notes.note(&format!("{OTHER}/{B}"), "Elsewhere", "x"),
        file("/assets/all.txt", "data"),
        file("/assets/sub/deep.txt", "deep"),
        file(&format!("/{BOX}/assets/all.txt"), "book"),
        file(&format!("/{BOX}/assets/own.txt"), "book"),
        file(&format!("/{BOX}/{A}/assets/own.txt"), "below"),
        file(&format!("/{BOX}/{A}/assets/below.txt"), "below"),
        file(&format!("/{OTHER}/assets/own.txt"), "other"),
    ];
    let id = notes.snapshot(1_000, &records);
    let vfs = notes.tree();
    let assets = format!("{TOP}/Book/assets");
    assert_eq!(find(&vfs, &assets).unwrap().kind, Kind::Dir);
    assert_eq!(names(&vfs, &assets), ["all.txt", "below.txt", "own.txt", "sub"]);
    let read = |name: &str| text(&vfs, &format!("{assets}/{name}"));
    assert_eq!(read("all.txt"), "data", "the data folder comes first");
    assert_eq!(read("own.txt"), "book", "then the note's own notebook");
    assert_eq!(read("below.txt"), "below");
    let of_other = format!("{TOP}/Other/assets");
    assert_eq!(names(&vfs, &of_other), ["all.txt", "below.txt", "own.txt", "sub"]);
    assert_eq!(text(&vfs, &format!("{of_other}/own.txt")), "other");
    assert_eq!(target(&vfs, &format!("{TOP}/Book/Note/assets")), "../assets");
    assert_eq!(target(&vfs, &format!("{assets}/sub")), format!("../../../../ids/{id}/assets/sub"));
    // All of it is consistent, whichever way it is asked for.
    files(&vfs, "notes");
    let here = find(&vfs, &assets).unwrap();
    assert!(vfs.lookup(here.ino, b"nothing").is_err());
    assert!(vfs.readlink(here.ino).is_err());
    let below = find(&vfs, &format!("{TOP}/Book/Note/assets")).unwrap();
    assert!(vfs.lookup(below.ino, b"own.txt").is_err(), "a link is no folder");
    assert!(vfs.readdir(below.ino, 0, &mut |_| true).is_err());
}

#[test]
fn one_folder_of_attachments_is_linked_to_wherever_it_is() {
    let notes = Notes::new();
    let records = [
        notes.notebook(BOX, "Book"),
        notes.note(&format!("{BOX}/{A}"), "Note", "x"),
        notes.note(&format!("{BOX}/{A}/{B}"), "Below", "x"),
        notes.maker.file(&format!("/{BOX}/{A}/assets/x.txt"), 1_000, b"x", 100),
    ];
    let id = notes.snapshot(1_000, &records);
    let vfs = notes.tree();
    let path = format!("ids/{id}/{BOX}/{A}/assets");
    assert_eq!(target(&vfs, &format!("{TOP}/Book/assets")), format!("../../../{path}"));
    assert_eq!(target(&vfs, &format!("{TOP}/Book/Note/assets")), format!("../../../../{path}"));
    assert_eq!(text(&vfs, &format!("{path}/x.txt")), "x");
}
