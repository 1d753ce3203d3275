//! Names, folders and links of the view.

use revu::vfs::Kind;
use revu::vfs::notes::NotesOptions;

use super::support::{BOX, Notes, files, find, names, text, tree, tree_with};
use crate::common::cases;

const A: &str = "20260101000001-aaaaaa1";
const B: &str = "20260101000002-bbbbbb2";
const C: &str = "20260101000003-cccccc3";

#[test]
fn a_repository_without_notes_has_no_view_of_them() {
    let notes = Notes::new();
    let plain = notes.maker.file("/docs/20260101000001-aaaaaa1.sy", 1_000, b"{}", 100);
    notes.snapshot(1_000, &[plain]);
    let vfs = notes.tree();
    assert_eq!(names(&vfs, ""), ["ids", "latest", "snapshots", "tags", "versions"]);
    assert!(find(&vfs, "notes").is_none());
}

#[test]
fn notes_stand_where_a_person_looks_for_them() {
    let notes = Notes::new();
    let first = [
        notes.notebook(BOX, "Field notes"),
        notes.note(&format!("{BOX}/{A}"), "Garden", "roses"),
        notes.note(&format!("{BOX}/{A}/{B}"), "Tomatoes / more", "red"),
        notes.maker.file("/assets/x.png", 1_000, b"png", 100),
    ];
    let id = notes.snapshot(1_767_225_600_000, &first);
    notes.maker.tag("v1", id);
    let vfs = notes.tree();
    assert_eq!(names(&vfs, ""), ["ids", "latest", "notes", "snapshots", "tags", "versions"]);
    assert_eq!(names(&vfs, "notes"), ["latest", "tags", "2026-01-01T00.00.00Z"]);
    let latest = find(&vfs, "notes/latest").unwrap();
    assert_eq!(vfs.readlink(latest.ino).unwrap(), b"2026-01-01T00.00.00Z");
    assert_eq!(names(&vfs, "notes/tags"), ["v1"]);
    for top in ["notes/2026-01-01T00.00.00Z", "notes/tags/v1"] {
        assert_eq!(names(&vfs, top), ["Field notes"]);
        let book = format!("{top}/Field notes");
        assert_eq!(names(&vfs, &book), ["assets", "Garden", "Garden.md"]);
        assert_eq!(names(&vfs, &format!("{book}/Garden")), ["assets", "Tomatoes _ more.md"]);
        assert_eq!(text(&vfs, &format!("{book}/Garden.md")), "# Garden\n\nroses\n");
        let deep = format!("{book}/Garden/Tomatoes _ more.md");
        assert_eq!(text(&vfs, &deep), "# Tomatoes / more\n\nred\n");
        for (folder, up) in [
            (book.clone(), top.matches('/').count() + 2),
            (format!("{book}/Garden"), top.matches('/').count() + 3),
        ] {
            let link = find(&vfs, &format!("{folder}/assets")).unwrap();
            assert_eq!(link.kind, Kind::Symlink);
            let target = String::from_utf8(vfs.readlink(link.ino).unwrap()).unwrap();
            assert_eq!(target, format!("{}ids/{id}/assets", "../".repeat(up)));
            assert_eq!(link.size, target.len() as u64);
        }
    }
    // The time that the note itself has, local to this machine.
    let zone = jiff::tz::TimeZone::system();
    let time = jiff::civil::date(2026, 1, 2).at(3, 4, 5, 0).to_zoned(zone).unwrap();
    let note = find(&vfs, "notes/tags/v1/Field notes/Garden.md").unwrap();
    assert_eq!(note.mtime_ns, time.timestamp().as_nanosecond());
    let before = vfs.notes().unwrap().engine().made();
    files(&vfs, "notes");
    assert_eq!(vfs.notes().unwrap().engine().made(), before, "nothing is rendered twice");
}

#[test]
fn renames_moves_and_twins_are_shown_right() {
    let notes = Notes::new();
    let other = "20260101000000-boxbbbb";
    let (one, two) = (notes.notebook(BOX, "Book"), notes.notebook(other, "Book"));
    let a = notes.note(&format!("{BOX}/{A}"), "Same", "a");
    let b = notes.note(&format!("{BOX}/{B}"), "Same", "b");
    let c = notes.note(&format!("{BOX}/{C}"), "", "c");
    notes.snapshot(1_000, &[one.clone(), two.clone(), a.clone(), b.clone(), c.clone()]);
    // The notebook is renamed, one note renamed, one moved below another, in the second book.
    let renamed = notes.notebook(BOX, "Volume");
    let a2 = notes.note(&format!("{BOX}/{A}"), "Other", "a");
    let b2 = notes.note(&format!("{BOX}/{A}/{B}"), "Same", "b");
    let c2 = notes.note(&format!("{other}/{C}"), "", "c");
    notes.snapshot(2_000, &[renamed, two, a2, b2, c2]);
    let vfs = notes.tree();
    let (old, new) = ("notes/1970-01-01T00.00.01Z", "notes/1970-01-01T00.00.02Z");
    assert_eq!(names(&vfs, old), ["Book", "Book~boxbbbb"]);
    assert_eq!(names(&vfs, &format!("{old}/Book")), ["Same.md", "Same~bbbbbb2.md", "Untitled.md"]);
    assert_eq!(text(&vfs, &format!("{old}/Book/Same.md")), "# Same\n\na\n");
    assert_eq!(text(&vfs, &format!("{old}/Book/Same~bbbbbb2.md")), "# Same\n\nb\n");
    assert_eq!(names(&vfs, new), ["Book", "Volume"]);
    assert_eq!(names(&vfs, &format!("{new}/Volume")), ["Other", "Other.md"]);
    assert_eq!(names(&vfs, &format!("{new}/Volume/Other")), ["Same.md"]);
    assert_eq!(names(&vfs, &format!("{new}/Book")), ["Untitled.md"]);
    assert_eq!(names(&vfs, &format!("{old}/Book~boxbbbb")), [""; 0]);
}

#[test]
fn a_note_that_becomes_a_folder_stays_where_it_is() {
    let notes = Notes::new();
    let book = notes.notebook(BOX, "Book");
    let note = notes.note(&format!("{BOX}/{A}"), "Garden", "roses");
    notes.snapshot(1_000, &[book.clone(), note.clone()]);
    let child = notes.note(&format!("{BOX}/{A}/{B}"), "Oaks", "x");
    notes.snapshot(2_000, &[book.clone(), note.clone(), child]);
    notes.snapshot(3_000, &[book, note]);
    let vfs = notes.tree();
    let book = |n: u32| format!("notes/1970-01-01T00.00.0{n}Z/Book");
    assert_eq!(names(&vfs, &book(1)), ["Garden.md"]);
    assert_eq!(names(&vfs, &book(2)), ["Garden", "Garden.md"]);
    assert_eq!(names(&vfs, &format!("{}/Garden", book(2))), ["Oaks.md"]);
    assert_eq!(names(&vfs, &book(3)), ["Garden.md"]);
    let inode = |n| find(&vfs, &format!("{}/Garden.md", book(n))).unwrap().ino;
    assert!(inode(1) == inode(2) && inode(2) == inode(3), "one version, one text");
}

#[test]
fn a_folder_without_its_note_and_a_note_that_is_none_are_shown() {
    let notes = Notes::new();
    let broken = notes.maker.file(&format!("/{BOX}/{B}.sy"), 1_000, b"{\"ID\":", 100);
    let child = notes.note(&format!("{BOX}/{A}/{C}"), "Child", "x");
    notes.snapshot(1_000, &[child, broken]);
    let vfs = notes.tree();
    let top = "notes/1970-01-01T00.00.01Z/Untitled";
    assert_eq!(names(&vfs, top), [format!("{B}.md").as_str(), "Untitled"]);
    assert_eq!(names(&vfs, &format!("{top}/Untitled")), ["Child.md"]);
    let excuse = text(&vfs, &format!("{top}/{B}.md"));
    assert!(
        excuse.contains("cannot be shown") && excuse.contains(&format!("/{BOX}/{B}.sy")),
        "{excuse}"
    );
}

#[test]
fn what_is_embedded_counts_and_is_rendered_anew_where_it_changed() {
    let notes = Notes::new();
    let book = notes.notebook(BOX, "Book");
    let embed = serde_json::json!({"ID": "20260101000000-embed00", "Type": "NodeBlockQueryEmbed",
        "Children": [{"Type": "NodeBlockQueryEmbedScript",
            "Data": format!("select * from blocks where id='{B}'")}]});
    let sql = serde_json::json!({"ID": "20260101000000-embed01", "Type": "NodeBlockQueryEmbed",
        "Children": [{"Type": "NodeBlockQueryEmbedScript", "Data": "select * from blocks limit 1"}]});
    let a = notes.note_of(&format!("{BOX}/{A}"), "Shows", &[embed, sql]);
    let b = notes.note(&format!("{BOX}/{B}"), "Shown", "one");
    let b2 = notes.note(&format!("{BOX}/{B}"), "Shown", "two");
    let c = notes.note(&format!("{BOX}/{C}"), "Aside", "one");
    notes.snapshot(1_000, &[book.clone(), a.clone(), b.clone()]);
    notes.snapshot(2_000, &[book.clone(), a.clone(), b, c]);
    notes.snapshot(3_000, &[book, a, b2]);
    let vfs = notes.tree();
    let shows = |n: u32| format!("notes/1970-01-01T00.00.0{n}Z/Book/Shows.md");
    assert_eq!(text(&vfs, &shows(1)), "# Shows\n\n> one\n\n{{select * from blocks limit 1}}\n");
    assert_eq!(text(&vfs, &shows(3)), "# Shows\n\n> two\n\n{{select * from blocks limit 1}}\n");
    let inode = |n| find(&vfs, &shows(n)).unwrap().ino;
    assert_eq!(inode(1), inode(2), "all that it shows is the same");
    assert_ne!(inode(1), inode(3));
}

#[test]
fn references_can_be_links() {
    let notes = Notes::new();
    let reference = serde_json::json!({"ID": "20260101000000-paragra", "Type": "NodeParagraph",
        "Children": [{"Type": "NodeTextMark", "TextMarkType": "block-ref", "TextMarkBlockRefID": B,
            "TextMarkBlockRefSubtype": "s", "TextMarkTextContent": "over there"}]});
    let records = [
        notes.notebook(BOX, "Book"),
        notes.note_of(&format!("{BOX}/{A}/{C}"), "Here", &[reference]),
        notes.note(&format!("{BOX}/{A}"), "Up", "x"),
        notes.note(&format!("{BOX}/{B}"), "There (1)", "x"),
    ];
    notes.snapshot(1_000, &records);
    let path = "notes/1970-01-01T00.00.01Z/Book/Up/Here.md";
    assert_eq!(text(&notes.tree(), path), "# Here\n\nover there\n");
    let options = NotesOptions { links: true, ..NotesOptions::default() };
    let linked = tree_with(notes.maker.open(), options);
    assert_eq!(text(&linked, path), "# Here\n\n[over there](../There%20%281%29.md)\n");
}

#[test]
fn each_version_of_a_note_is_rendered_once_in_all_snapshots_of_the_guide() {
    let Some(case) = cases("notes").into_iter().find(|case| case.name == "guide-en") else {
        println!("SKIPPED: the guide is not there");
        return;
    };
    let repo = case.open();
    let vfs = tree(repo.clone());
    let begin = std::time::Instant::now();
    let shown = files(&vfs, "notes");
    let first = begin.elapsed();
    let made = vfs.notes().unwrap().engine().made();
    let mut versions = std::collections::HashSet::new();
    let mut of_texts = std::collections::HashSet::new();
    for attr in shown.values().filter(|attr| attr.kind == Kind::File) {
        of_texts.insert(attr.ino);
    }
    repo.catalog().with_files(|files| {
        for file in files {
            if let revu::repo::File::Known(entry) = file
                && entry.path.ends_with(".sy")
            {
                versions.insert(entry.id);
            }
        }
    });
    println!(
        "{} paths, {} versions, {} texts, {made} rendered, {first:?}",
        shown.len(),
        versions.len(),
        of_texts.len()
    );
    assert!(of_texts.len() >= versions.len());
    assert_eq!(made, of_texts.len() as u64, "each text was rendered once");
    for attr in shown.values().filter(|attr| attr.kind == Kind::File) {
        assert_eq!(vfs.read(attr.ino, 0, 1 << 30).unwrap().len() as u64, attr.size);
    }
    assert_eq!(vfs.notes().unwrap().engine().made(), made, "all of them are in the cache");
}

#[test]
fn databases_are_tables() {
    let notes = Notes::new();
    let database = |id: &str, name: &str, more: serde_json::Value| {
        let json = serde_json::json!({"id": id, "name": name, "viewID": "v", "keyValues": [
            {"key": {"id": "k", "name": "Name", "type": "block"}, "values": [
                {"blockID": "r", "isDetached": true, "block": {"id": "r", "content": "a, \"b\""}},
                {"blockID": "s", "isDetached": true, "block": {"id": "s", "content": "c"}}]}, more],
            "views": [{"id": "v", "type": "table", "itemIds": ["s", "r"],
                "table": {"columns": [{"id": "k"}, {"id": "l"}]}}]});
        notes.maker.file(&format!("/storage/av/{id}.json"), 1_000, json.to_string().as_bytes(), 100)
    };
    let (one, two) = ("20260101000000-dataaaa", "20260101000000-databbb");
    let number = serde_json::json!({"key": {"id": "l", "name": "Cost", "type": "number"}, "values": [
        {"blockID": "r", "number": {"content": 2.5, "isNotEmpty": true}}]});
    let relation = serde_json::json!({"key": {"id": "l", "name": "Of", "type": "relation",
        "relation": {"avID": one}}, "values": [
        {"blockID": "s", "relation": {"blockIDs": ["s", "r", "gone"]}}]});
    let records = [
        notes.notebook(BOX, "Book"),
        notes.note(&format!("{BOX}/{A}"), "Note", "x"),
        database(one, "Costs", number),
        database(two, "", relation),
    ];
    notes.snapshot(1_000, &records);
    let vfs = notes.tree();
    let top = "notes/1970-01-01T00.00.01Z";
    assert_eq!(names(&vfs, top), ["Book", "databases"]);
    assert_eq!(names(&vfs, &format!("{top}/databases")), ["Costs.csv", "Untitled.csv"]);
    let costs = text(&vfs, &format!("{top}/databases/Costs.csv"));
    assert_eq!(costs, "Name,Cost\nc,\n\"a, \"\"b\"\"\",2.5\n");
    let related = text(&vfs, &format!("{top}/databases/Untitled.csv"));
    assert_eq!(related, "Name,Of\nc,\"c, a, \"\"b\"\"\"\n\"a, \"\"b\"\"\",\n");
}
