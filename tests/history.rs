//! Versions of a path and finds in many snapshots: right, and at the cost of what is new in each.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};

use common::{Case, Maker, count, noise};
use revu::format::{FileId, FileRecord, IndexId, layout};
use revu::ops::find::{Finds, NamePattern, Query, TextPattern, find};
use revu::ops::history::{Versions, versions};
use revu::ops::paths::Scope;
use revu::ops::{Monitor, Silent};
use revu::repo::Repository;
use revu::store::{Call, Store};

fn ids(repo: &Repository) -> Vec<IndexId> {
    repo.snapshots().unwrap().list.iter().map(|snapshot| snapshot.head.id).collect()
}

fn objects(calls: &[Call]) -> Vec<String> {
    let keys = calls.iter().map(|call| call.key.clone());
    keys.filter(|key| key.starts_with("objects/")).collect()
}

/// Which snapshots hold each state of each path, from the expectations alone.
fn expected(case: &Case, ids: &[IndexId]) -> BTreeMap<(String, i64), Vec<usize>> {
    let mut states: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (nth, id) in ids.iter().enumerate() {
        for (path, file) in &case.snapshots[id] {
            // One File ID is one content: its time to the second.
            states.entry((path.clone(), file.updated / 1000)).or_default().push(nth);
        }
    }
    states
}

#[test]
fn the_versions_of_every_path_of_every_fixture() {
    for case in common::cases("the_versions_of_every_path_of_every_fixture") {
        let repo = case.open();
        let ids = ids(&repo);
        let mut by_path: BTreeMap<String, BTreeMap<i64, Vec<usize>>> = BTreeMap::new();
        for ((path, seconds), numbers) in expected(&case, &ids) {
            by_path.entry(path).or_default().insert(seconds, numbers);
        }
        // The guide has 700 paths: some of them do.
        let step = by_path.len().div_ceil(40);
        for (path, states) in by_path.iter().step_by(step) {
            let found = versions(&repo, &ids, path, &Silent);
            assert_eq!(found.damaged.len(), 0);
            let numbers: BTreeMap<i64, Vec<usize>> = found
                .versions
                .iter()
                .map(|v| (v.updated / 1000, v.snapshots.numbers().collect()))
                .collect();
            assert_eq!(&numbers, states, "{}: {path}", case.name);
            assert_eq!(found.versions.len(), states.len());
            for version in &found.versions {
                let first = version.snapshots.first().unwrap();
                let file = &case.snapshots[&ids[first]][path];
                assert_eq!((version.size, version.updated), (file.size, file.updated));
            }
            let order: Vec<_> = found.versions.iter().map(|v| v.snapshots.first()).collect();
            assert!(order.is_sorted(), "{path}");
        }
        assert_eq!(versions(&repo, &ids, "/no/such/path", &Silent).versions.len(), 0);
    }
}

#[test]
fn every_name_of_every_fixture_is_found_where_it_is() {
    for case in common::cases("every_name_of_every_fixture_is_found_where_it_is") {
        let repo = case.open();
        let ids = ids(&repo);
        let query = Query::Name(NamePattern::new("*", false).unwrap());
        let found = find(&repo, &ids, &query, &Scope::default(), &Silent);
        let files: BTreeMap<(String, i64), Vec<usize>> = found
            .found
            .iter()
            .filter_map(|f| {
                let seconds = f.file.as_ref()?.updated / 1000;
                Some(((f.path.clone(), seconds), f.snapshots.numbers().collect()))
            })
            .collect();
        let states = expected(&case, &ids);
        assert_eq!(files, states, "{}", case.name);
        let mut folders: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
        for ((path, _), numbers) in &states {
            for (at, _) in path.match_indices('/') {
                folders.entry(path[..at].to_owned()).or_default().extend(numbers);
            }
        }
        let found: BTreeMap<String, BTreeSet<usize>> = found
            .found
            .iter()
            .filter(|f| f.file.is_none())
            .map(|f| (f.path.clone(), f.snapshots.numbers().collect()))
            .collect();
        assert_eq!(found, folders, "{}", case.name);
    }
}

/// A thousand notes in forty snapshots, each with one edit.
fn edited() -> (Maker, Vec<FileRecord>) {
    let maker = Maker::new(Store::memory());
    let mut records: Vec<_> = (0..1_000)
        .map(|n| maker.file(&format!("/d{}/{n}.sy", n % 9), 1_000, format!("{n}").as_bytes(), 10))
        .collect();
    for n in 0..40i64 {
        let content = format!("edit {}", n % 2);
        // Every other snapshot goes back to the first state of the note.
        let time = if n % 2 == 0 { 1_000 } else { 1_000_000 * n };
        records[5] = maker.file("/d5/5.sy", time, content.as_bytes(), 10);
        records[77] = maker.file("/d5/77.sy", 1_000_000 * n, b"touched alone", 20);
        maker.snapshot(n, &records);
    }
    (maker, records)
}

#[test]
fn what_has_not_changed_costs_nothing() {
    let (maker, _) = edited();
    let (store, calls) = maker.store.recorded();
    let repo = maker.open_store(store);
    let ids = ids(&repo);
    calls.take();
    let found = versions(&repo, &ids, "/d5/5.sy", &Silent);
    let read = objects(&calls.take());
    // 1,000 files, of which one has 21 states and one 40.
    assert_eq!(read.len(), 998 + 21 + 40);
    assert!(count(read).values().all(|n| *n == 1), "each record once");
    assert_eq!(repo.catalog().len(), 0, "nothing is kept");
    assert_eq!(found.versions.len(), 21);
    let first = &found.versions[0];
    assert_eq!(
        first.snapshots.numbers().collect::<Vec<_>>(),
        (0..40).step_by(2).collect::<Vec<_>>()
    );
    assert_eq!(first.snapshots.count(), 20);
    assert!(found.versions[1..].iter().all(|v| v.snapshots.count() == 1));
    assert!(!found.versions[1].touched && found.versions[2].touched);
    let touched = versions(&repo, &ids, "d5/77.sy/", &Silent);
    assert_eq!(touched.versions.len(), 40);
    assert!(!touched.versions[0].touched && touched.versions[1..].iter().all(|v| v.touched));
}

#[test]
fn with_full_latest_only_what_could_be_it_is_read() {
    let (maker, records) = edited();
    let (store, calls) = maker.store.recorded();
    let repo = maker.open_store(store);
    let ids = ids(&repo);
    maker.full_latest(*ids.last().unwrap(), &records);
    calls.take();
    let found = versions(&repo, &ids, "/d5/5.sy", &Silent);
    assert_eq!(found.versions.len(), 21);
    let read = objects(&calls.take());
    assert_eq!(read.len(), 21 + 39, "the newest 998 others are known by their IDs");
    // One that lies about a path is not believed.
    let mut lies = records.clone();
    lies[5].path = "/elsewhere".into();
    maker.full_latest(*ids.last().unwrap(), &lies);
    assert_eq!(versions(&repo, &ids, "/d5/5.sy", &Silent).versions.len(), 21);
}

#[test]
fn a_content_is_searched_once_however_many_hold_it() {
    let maker = Maker::new(Store::memory());
    let mut long = noise(1, 300_000);
    long.iter_mut().for_each(|byte| *byte = b'a' + *byte % 26);
    long.splice(199_997..200_003, *b"NEEDLE");
    let common = [
        maker.file("/a.txt", 1_000, b"one\ntwo NEEDLE three\n", 100),
        maker.file("/copy.txt", 2_000, b"one\ntwo NEEDLE three\n", 100),
        maker.file("/long.txt", 1_000, &long, 100_000),
        maker.file("/binary", 1_000, b"\0NEEDLE", 100),
        maker.file("/other", 1_000, b"nothing here", 100),
    ];
    for n in 0..30 {
        maker.snapshot(n, &common);
    }
    let (store, calls) = maker.store.recorded();
    let repo = maker.open_store(store);
    let ids = ids(&repo);
    let chunks: BTreeSet<String> =
        common.iter().flat_map(|r| r.chunks.iter().map(|id| layout::chunk(*id))).collect();
    let search = |text: &str, ignore_case, scope: &str| {
        calls.take();
        let query = Query::Content(TextPattern::new(text, ignore_case).unwrap());
        let found = find(&repo, &ids, &query, &Scope::new(scope), &Silent);
        let read: Vec<_> =
            objects(&calls.take()).into_iter().filter(|key| chunks.contains(key)).collect();
        assert!(count(&read).values().all(|n| *n == 1), "each chunk once: {read:?}");
        (found, read.len())
    };
    let (found, read) = search("NEEDLE", false, "");
    assert_eq!(read, 6, "a and its copy are one, long ends at its match, binary at its first");
    let paths: Vec<_> = found.found.iter().map(|f| f.path.as_str()).collect();
    assert_eq!(paths, ["a.txt", "copy.txt", "long.txt"]);
    assert_eq!(found.not_text, 1);
    assert!(found.found.iter().all(|f| f.snapshots.count() == 30));
    let excerpt = found.found[0].excerpt.as_ref().unwrap();
    assert_eq!((excerpt.line, excerpt.text.as_str()), (2, "two NEEDLE three"));
    assert_eq!(&excerpt.text[excerpt.from..excerpt.to], "NEEDLE");
    assert_eq!(search("needle", false, "").0.found.len(), 0);
    assert_eq!(search("needle", true, "").0.found.len(), 3);
    let (found, read) = search("NEEDLE", false, "copy.txt");
    assert_eq!((found.found.len(), read), (1, 1));
}

#[test]
fn every_text_of_the_fixtures_is_found_where_it_is() {
    let case = common::golden();
    let repo = case.open();
    let ids = ids(&repo);
    // What is in the files, read without the search.
    let mut holders: BTreeMap<&str, BTreeSet<(String, usize)>> = BTreeMap::new();
    let words = ["the", "a", "state", "。", "\n"];
    for (nth, id) in ids.iter().enumerate() {
        let index = repo.objects().index(*id).unwrap();
        for file in index.files {
            let record = repo.objects().record(file).unwrap();
            let chunks = record.chunks.iter().map(|id| repo.objects().chunk(*id).unwrap());
            let bytes: Vec<u8> = chunks.collect::<Vec<_>>().concat();
            if bytes[..bytes.len().min(8_000)].contains(&0) {
                continue;
            }
            for word in words {
                if bytes.windows(word.len()).any(|part| part == word.as_bytes()) {
                    holders.entry(word).or_default().insert((record.path[1..].to_owned(), nth));
                }
            }
        }
    }
    for word in words {
        let query = Query::Content(TextPattern::new(word, false).unwrap());
        let found = find(&repo, &ids, &query, &Scope::default(), &Silent);
        let places: BTreeSet<(String, usize)> = found
            .found
            .iter()
            .flat_map(|f| f.snapshots.numbers().map(|nth| (f.path.clone(), nth)))
            .collect();
        assert_eq!(Some(places).filter(|p| !p.is_empty()), holders.remove(word), "{word:?}");
    }
}

#[test]
fn notes_are_found_by_their_titles() {
    let own = common::fixtures().join("siyuan-workspace");
    let text = std::fs::read_to_string(own.join("notes.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let cases = common::cases("notes_are_found_by_their_titles");
    let case = cases.iter().find(|case| case.name == "siyuan-workspace").unwrap();
    let repo = case.open();
    let ids = ids(&repo);
    let query = Query::Title(NamePattern::of_titles("*", false).unwrap());
    let found = find(&repo, &ids, &query, &Scope::default(), &Silent);
    let snapshot: IndexId = json["snapshot"].as_str().unwrap().parse().unwrap();
    let nth = ids.iter().position(|id| *id == snapshot).unwrap();
    let titles: BTreeSet<(String, String)> = found
        .found
        .iter()
        .filter(|f| f.snapshots.numbers().any(|n| n == nth))
        .map(|f| (f.path.clone(), f.title.clone().unwrap()))
        .collect();
    // SiYuan lists each note of that snapshot, some more than once.
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let listed: BTreeSet<(String, String)> = json["docs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|doc| (text(&doc["box"]) + &text(&doc["path"]), text(&doc["title"])))
        .collect();
    assert!(listed.len() > 10);
    for note in &listed {
        assert!(titles.contains(note), "{note:?}");
    }
    let query = Query::Title(NamePattern::of_titles("field NOTES", true).unwrap());
    let found = find(&repo, &ids, &query, &Scope::default(), &Silent);
    assert!(found.found.iter().any(|f| f.title.as_deref() == Some("Field notes")));
    assert!(found.found.len() < titles.len());
}

#[test]
fn damage_is_named_and_the_rest_is_found() {
    let maker = Maker::new(Store::memory());
    let records = [
        maker.file("/a", 0, b"text", 10),
        maker.file("/b", 0, b"text two", 10),
        maker.file("/c", 0, b"text three", 20),
    ];
    let first = maker.snapshot(1, &records);
    maker.snapshot(2, &records);
    let third = maker.snapshot(3, &records);
    let repo = maker.open();
    let ids = ids(&repo);
    maker.store.delete(&layout::index(first)).unwrap();
    maker.store.delete(&layout::file(records[1].id)).unwrap();
    maker.store.delete(&layout::chunk(records[2].chunks[0])).unwrap();
    let found = versions(&repo, &ids, "a", &Silent);
    assert_eq!(found.damaged.len(), 2, "an index and a record: {:?}", found.damaged);
    assert_eq!(found.versions[0].snapshots.numbers().collect::<Vec<_>>(), [1, 2]);
    assert_eq!(ids[2], third);
    let query = Query::Content(TextPattern::new("text", false).unwrap());
    let told = Told::default();
    let found = find(&repo, &ids, &query, &Scope::default(), &told);
    assert_eq!((found.found.len(), found.damaged.len()), (1, 3));
    assert_eq!(told.0.load(Ordering::SeqCst), 3);
}

#[derive(Default)]
struct Told(AtomicU64);

impl Monitor for Told {
    fn problem(&self, _: &str) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

struct Stopped;

impl Monitor for Stopped {
    fn stopped(&self) -> bool {
        true
    }
}

#[test]
fn it_stops_when_asked() {
    let (maker, _) = edited();
    let (store, calls) = maker.store.recorded();
    let repo = maker.open_store(store);
    let ids = ids(&repo);
    calls.take();
    let Versions { stopped, .. } = versions(&repo, &ids, "d5/5.sy", &Stopped);
    assert!(stopped);
    assert!(calls.take().len() < 15, "a few lists were on their way");
    let query = Query::Name(NamePattern::new("*", false).unwrap());
    let Finds { stopped, .. } = find(&repo, &ids, &query, &Scope::default(), &Stopped);
    assert!(stopped);
}

#[test]
fn hostile_lists_are_no_trouble() {
    let maker = Maker::new(Store::memory());
    let record = maker.file("/a/../b", 0, b"x", 10);
    let twice = [maker.file("/p", 0, b"1", 10), maker.file("/p", 9_000, b"2", 10)];
    let mut list: Vec<FileId> = vec![record.id; 50_000];
    list.extend([twice[0].id, twice[1].id]);
    maker.snapshot_of(1, list, &[]);
    let repo = maker.open();
    let ids = ids(&repo);
    assert_eq!(versions(&repo, &ids, "p", &Silent).versions.len(), 2);
    assert_eq!(versions(&repo, &ids, "a/../b", &Silent).versions.len(), 1);
    assert_eq!(versions(&repo, &ids, "b", &Silent).versions.len(), 0);
}
