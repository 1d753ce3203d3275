//! Notes that nobody would write.

use revu::repo::{Options, Repository};
use revu::store::Verb;

use super::support::{BOX, Notes, find, text, tree};

const A: &str = "20260101000001-aaaaaa1";
const B: &str = "20260101000002-bbbbbb2";
const BOOK: &str = "notes/1970-01-01T00.00.01Z/Untitled";

#[test]
fn a_note_of_100_mb_is_refused_without_reading_it() {
    let notes = Notes::new();
    let mut large = format!(
        r#"{{"ID":"{A}","Type":"NodeDocument","Properties":{{"title":"Large"}},
        "Children":[{{"Type":"NodeText","Data":""#
    )
    .into_bytes();
    large.resize(100 << 20, b'x');
    large.extend_from_slice(br#""}]}"#);
    let large = notes.maker.file(&format!("/{BOX}/{A}.sy"), 1_000, &large, 8 << 20);
    notes.snapshot(1_000, &[large, notes.note(&format!("{BOX}/{B}"), "Small", "x")]);
    let (store, calls) = notes.maker.store.clone().recorded();
    let repo = Repository::open(store, &notes.maker.key, Options::default()).unwrap();
    let vfs = tree(std::sync::Arc::new(repo));
    assert_eq!(text(&vfs, &format!("{BOOK}/Small.md")), "# Small\n\nx\n");
    calls.take();
    let excuse = text(&vfs, &format!("{BOOK}/Large.md"));
    assert!(excuse.contains("cannot be shown") && excuse.contains(&format!("/{BOX}/{A}.sy")));
    let gets = calls.take().into_iter().filter(|call| call.verb == Verb::Get).count();
    assert!(gets <= 1, "{gets} of its 13 chunks were read");
}

#[test]
fn a_note_of_ten_thousand_levels_is_shown() {
    let notes = Notes::new();
    let deep = 10_000;
    let mut json =
        format!(r#"{{"ID":"{A}","Type":"NodeDocument","Properties":{{"title":"Deep"}},"#);
    json += r#""Children":["#;
    for _ in 0..deep {
        json += r#"{"Type":"NodeSuperBlock","Children":[{"Type":"NodeSuperBlockOpenMarker"},
            {"Type":"NodeSuperBlockLayoutMarker"},"#;
    }
    json += r#"{"Type":"NodeParagraph","Children":[{"Type":"NodeText","Data":"the bottom"}]}"#;
    json += &r#",{"Type":"NodeSuperBlockCloseMarker"}]}"#.repeat(deep);
    json += "]}";
    let deep = notes.maker.file(&format!("/{BOX}/{A}.sy"), 1_000, json.as_bytes(), 8 << 20);
    notes.snapshot(1_000, &[deep]);
    let vfs = notes.tree();
    // The thread that a test runs on has the stack that the threads of a mount have.
    let shown = text(&vfs, &format!("{BOOK}/Deep.md"));
    assert!(shown.starts_with("# Deep\n") && shown.contains("the bottom"), "{shown:.200}");
    assert!(find(&vfs, &format!("{BOOK}/Deep")).is_none());
}
