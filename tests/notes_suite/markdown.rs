//! Every note of the fixtures against the Markdown that SiYuan exports for it.

use std::path::Path;

use serde_json::Value;

use super::support::{files, read, tree};
use crate::common::{Case, cases};

/// Lines that SiYuan computes by templates in Go, see tests/README.md: nothing else may differ.
const TEMPLATES: &str = "20240208172514-9dsv6na";

fn case(name: &str) -> Option<Case> {
    cases("notes").into_iter().find(|case| case.name == name)
}

fn compare(case: &Case, json: &Path, snapshot: &str) -> (usize, usize) {
    let vfs = tree(case.open());
    let json: Value = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
    let shown = files(&vfs, &format!("notes/{snapshot}"));
    let (mut same, mut all) = (0, 0);
    for note in json["docs"].as_array().unwrap() {
        let (id, wanted) = (note["id"].as_str().unwrap(), note["markdown"].as_str().unwrap());
        let title = note["hpath"].as_str().unwrap();
        let candidates = shown.iter().filter(|(path, _)| path.ends_with(&format!("{title}.md")));
        let texts: Vec<String> = candidates.map(|(_, attr)| read(&vfs, attr)).collect();
        if texts.is_empty() {
            println!("{title} ({id}) is not in the snapshot");
            continue;
        }
        all += 1;
        if texts.iter().any(|text| text == wanted) {
            same += 1;
            continue;
        }
        assert_eq!(id, TEMPLATES, "{title} differs:\n{}\n---\n{wanted}", texts[0]);
        let differing =
            texts[0].lines().zip(wanted.lines()).filter(|(ours, theirs)| ours != theirs);
        for (ours, theirs) in differing {
            assert!(ours.starts_with('|') && theirs.starts_with('|'), "{ours}\n{theirs}");
        }
        assert_eq!(texts[0].lines().count(), wanted.lines().count());
    }
    println!("{}: {same} of {all} notes byte for byte as SiYuan exports them", case.name);
    (same, all)
}

fn name_of(case: &Case, id: &str) -> String {
    let snapshots = case.open().snapshots().unwrap();
    let names = revu::repo::names::names(&snapshots, &jiff::tz::TimeZone::UTC);
    let at = snapshots.list.iter().position(|s| s.head.id.to_string() == id).unwrap();
    names[at].clone()
}

#[test]
fn every_note_of_the_workspace_reads_as_siyuan_exports_it() {
    let case = case("siyuan-workspace").unwrap();
    let json = case.repo.join("../../notes.json");
    let id = "8665716a7d9b3e73058e73fa2831693b9269c3b6";
    assert_eq!(compare(&case, &json, &name_of(&case, id)), (42, 42));
}

#[test]
fn every_note_of_the_guide_reads_as_siyuan_exports_it() {
    let Some(case) = case("guide-en") else {
        println!("SKIPPED: the guide is not there");
        return;
    };
    let json = case.repo.join("../markdown.json");
    let latest = case.open().snapshots().unwrap().latest.unwrap();
    let (same, all) = compare(&case, &json, &name_of(&case, &latest.to_string()));
    assert_eq!((same, all), (16, 17), "all but the note with template columns");
}
