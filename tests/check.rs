//! What is damaged is found and named with all that it costs, and nothing else is.

mod common;
mod purge_support;

use std::collections::{BTreeMap, BTreeSet};

use common::{Maker, cases, golden, noise};
use purge_support::*;
use revu::format::{ChunkId, FileId, FileRecord, IndexId, RepoKey, layout};
use revu::ops::check::{Finding, Kind, Options, ReadData, Report, check};
use revu::ops::{Monitor, Silent};
use revu::repo::Repository;
use revu::store::{Fault, Faults, Store, Verb};

fn options(read_data: ReadData) -> Options {
    Options { read_data, zone: jiff::tz::TimeZone::UTC }
}

fn open(store: &Store, key: &RepoKey) -> Repository {
    Repository::open(store.clone(), key, Default::default()).unwrap()
}

fn run(repo: &Repository, read_data: ReadData) -> Report {
    check(repo, &options(read_data), None, &Silent).unwrap()
}

#[test]
fn what_dejavu_and_siyuan_wrote_is_whole() {
    for case in cases("what_dejavu_and_siyuan_wrote_is_whole") {
        let repo = case.open();
        for read_data in [ReadData::Heads, ReadData::Percent(50.0), ReadData::All] {
            let report = run(&repo, read_data);
            assert_eq!(report.findings, [], "{}", case.name);
            assert_eq!(report.next, [""; 0], "{}", case.name);
            let summary = report.summary;
            assert_eq!(summary.snapshots, case.snapshots.len(), "{}", case.name);
            assert_eq!((summary.whole, summary.orphans), (summary.snapshots, 0), "{}", case.name);
            if read_data == ReadData::All {
                assert_eq!(summary.verified, summary.chunks, "{}", case.name);
            }
        }
    }
}

/// The golden repository, and what each of its objects is needed for.
struct Golden {
    content: BTreeMap<String, Vec<u8>>,
    key: RepoKey,
    snapshots: Vec<(IndexId, Vec<FileRecord>)>,
}

impl Golden {
    fn new() -> Self {
        let case = golden();
        let repo = case.open();
        let objects = repo.objects();
        let load = |id: &IndexId| {
            let index = objects.index(*id).unwrap();
            let records = index.files.iter().map(|id| objects.record(*id).unwrap()).collect();
            (*id, records)
        };
        let snapshots = case.snapshots.keys().map(load).collect();
        Self { content: content(repo.store()), key: case.key, snapshots }
    }

    /// Snapshots and paths that need an object, by its key.
    fn costs(&self, key: &str) -> (BTreeSet<IndexId>, BTreeSet<String>) {
        let mut costs = (BTreeSet::new(), BTreeSet::new());
        for (id, records) in &self.snapshots {
            for record in records {
                let is_chunk = record.chunks.iter().any(|chunk| layout::chunk(*chunk) == key);
                if is_chunk || layout::file(record.id) == key {
                    costs.0.insert(*id);
                    costs.1.insert(record.path.clone());
                }
            }
        }
        costs
    }

    fn is_record(&self, key: &str) -> bool {
        let mut records = self.snapshots.iter().flat_map(|(_, records)| records);
        records.any(|record| layout::file(record.id) == key)
    }

    fn objects(&self) -> Vec<&String> {
        self.content.keys().filter(|key| key.starts_with("objects/")).collect()
    }
}

type Harm = fn(&mut Vec<u8>) -> bool;

/// Each kind of damage, its word, and whether a look at the beginning shows it. A harm may not fit.
const HARMS: [(&str, bool, Harm); 5] = [
    ("not-authentic", false, |bytes| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 4;
        true
    }),
    ("truncated", false, |bytes| {
        let fits = bytes.len() > 8_000;
        bytes.truncate(5_000);
        fits
    }),
    ("truncated", true, |bytes| {
        bytes.truncate(30);
        true
    }),
    ("truncated", true, |bytes| {
        bytes.clear();
        true
    }),
    ("missing", true, |_| true),
];

#[test]
fn every_object_is_missed_with_all_that_it_costs() {
    let golden = Golden::new();
    let mut seen = 0;
    for key in golden.objects() {
        let (snapshots, paths) = golden.costs(key);
        let is_record = golden.is_record(key);
        for (word, at_a_look, harm) in HARMS {
            let store = store_of(&golden.content);
            let mut bytes = golden.content[key].clone();
            let is_small = bytes.len() < 4096;
            if !harm(&mut bytes) {
                continue;
            }
            match word {
                "missing" => store.delete(key).unwrap(),
                _ => store.put(key, &bytes).unwrap(),
            }
            let repo = open(&store, &golden.key);
            // What a look shows, all the reading shows too.
            for read_data in [ReadData::Heads, ReadData::All] {
                if read_data == ReadData::All && at_a_look {
                    continue;
                }
                let report = run(&repo, read_data);
                if read_data == ReadData::Heads && !at_a_look && !is_small && !is_record {
                    assert_eq!(report.findings, [], "{key}");
                    continue;
                }
                let [found] = &report.findings[..] else { panic!("{key}: {report:?}") };
                let kind = if is_record { Kind::Record } else { Kind::Chunk };
                assert_eq!((found.kind, &found.object), (kind, key));
                // A flipped bit may lie where it looks as if the end were missing.
                let alike = (word, found.problem) == ("not-authentic", "truncated");
                assert!(found.problem == word || alike, "{key}: {}", found.detail);
                assert!(found.is_damage);
                assert_eq!(found.snapshots.listed, snapshots, "{key}");
                // A record has taken its path with it, unless full-latest.json knows it.
                if !is_record || !found.paths.listed.is_empty() {
                    assert_eq!(found.paths.listed, paths, "{key}");
                } else {
                    assert!(found.detail.contains("path"), "{}", found.detail);
                }
                let whole = golden.snapshots.len() - snapshots.len();
                assert_eq!(report.summary.whole, whole, "{key}");
                assert_eq!(report.summary.damage, 1);
                // What a lost record names nobody knows.
                assert!(is_record || report.summary.orphans == 0);
                assert!(report.next[0].contains(key) && report.next[0].contains("--repair-from"));
                seen += 1;
            }
        }
    }
    assert!(seen > 300, "{seen}");
}

#[test]
fn one_object_in_the_place_of_another() {
    let golden = Golden::new();
    let objects = golden.objects();
    for (key, other) in objects.iter().zip(objects.iter().cycle().skip(1)) {
        let store = store_of(&golden.content);
        store.put(key, &golden.content[*other]).unwrap();
        let report = run(&open(&store, &golden.key), ReadData::All);
        let [found] = &report.findings[..] else { panic!("{key}: {report:?}") };
        assert_eq!(found.object, **key);
        let words = ["wrong-identity", "undecodable"];
        assert!(words.contains(&found.problem), "{key}: {}", found.detail);
    }
}

#[test]
fn indexes_and_refs() {
    let golden = Golden::new();
    let refs: BTreeMap<&String, IndexId> = golden
        .content
        .iter()
        .filter(|(key, _)| key.starts_with("refs/"))
        .map(|(key, id)| (key, std::str::from_utf8(id).unwrap().trim().parse().unwrap()))
        .collect();
    for (id, _) in &golden.snapshots {
        let key = layout::index(*id);
        let names: Vec<_> =
            refs.iter().filter(|(_, named)| *named == id).map(|(k, _)| *k).collect();
        // Not there: no damage, unless something names it.
        let store = store_of(&golden.content);
        store.delete(&key).unwrap();
        let report = run(&open(&store, &golden.key), ReadData::Heads);
        let told: Vec<_> = report.findings.iter().map(|f| (f.kind, &f.object, f.problem)).collect();
        let expected: Vec<_> = names.iter().map(|name| (Kind::Ref, *name, "dangling")).collect();
        let told: Vec<_> = told.into_iter().filter(|(kind, ..)| *kind == Kind::Ref).collect();
        assert_eq!(told, expected, "{id}");
        for found in report.findings.iter().filter(|found| found.kind == Kind::Ref) {
            assert!(found.snapshots.listed.contains(id) && found.is_damage);
        }
        assert_eq!(report.summary.snapshots, 5);
        // Damaged.
        for harm in [b"" as &[u8], b"nonsense", &golden.content[&key][..40]] {
            let store = store_of(&golden.content);
            store.put(&key, harm).unwrap();
            let report = run(&open(&store, &golden.key), ReadData::Heads);
            let [found] = &report.findings[..] else { panic!("{id}: {report:?}") };
            assert_eq!((found.kind, &found.object), (Kind::Index, &key));
            assert_eq!(found.snapshots.listed, BTreeSet::from([*id]));
            assert_eq!(report.summary.whole, 5);
            for name in &names {
                let name = name.trim_start_matches("refs/").replace("tags/", "tag ");
                assert!(found.detail.contains(&name), "{}", found.detail);
            }
        }
    }
    for key in refs.keys() {
        let store = store_of(&golden.content);
        store.put(key, b"no ID").unwrap();
        let report = run(&open(&store, &golden.key), ReadData::Heads);
        let [found] = &report.findings[..] else { panic!("{key}: {report:?}") };
        assert_eq!((found.kind, &found.object, found.problem), (Kind::Ref, *key, "unreadable"));
        assert!(report.next.iter().any(|sentence| sentence.contains(key.as_str())), "{report:?}");
    }
}

/// The findings of a repository that was made wrong, in short.
fn told(report: &Report) -> Vec<(Kind, &'static str, bool, Vec<String>, usize)> {
    let short = |f: &Finding| {
        let paths = f.paths.listed.iter().cloned().collect();
        (f.kind, f.problem, f.is_damage, paths, f.snapshots.total())
    };
    report.findings.iter().map(short).collect()
}

#[test]
fn what_does_not_add_up() {
    let maker = Maker::new(Store::memory());
    let good = maker.file("/good", 1_000, b"good", 9);
    let one = FileRecord::new("/one".into(), 5, 1_000, good.chunks.clone());
    let many = [maker.chunk(&noise(1, 3_000)), maker.chunk(&noise(2, 9_000))];
    let many = FileRecord::new("/many".into(), 12_001, 1_000, many.into());
    maker.record(&one);
    maker.record(&many);
    maker.snapshot(1, &[good.clone(), one.clone()]);
    maker.snapshot(2, &[good.clone(), many.clone(), one.clone()]);
    for read_data in [ReadData::Heads, ReadData::All] {
        let report = run(&maker.open(), read_data);
        let mut told = told(&report);
        told.sort_by(|a, b| a.3.cmp(&b.3));
        let size = |path: &str, snapshots| {
            (Kind::Size, "wrong-size", true, vec![path.to_owned()], snapshots)
        };
        assert_eq!(told, [size("/many", 1), size("/one", 2)]);
        assert_eq!(report.summary.whole, 0);
    }

    let maker = Maker::new(Store::memory());
    let good = maker.file("/good", 1_000, b"good", 9);
    let id = maker.snapshot(1, std::slice::from_ref(&good));
    let mut index = maker.open().objects().index(id).unwrap();
    for (count, size, problem) in [(2, 4, "wrong-count"), (1, 5, "wrong-size"), (0, 0, "")] {
        (index.count, index.size) = (count, size);
        maker.index(&index);
        let report = run(&maker.open(), ReadData::Heads);
        let expected = [(Kind::Index, problem, true, vec![], 1)];
        assert_eq!(told(&report), if problem.is_empty() { &[] } else { &expected[..] });
        assert_eq!(report.summary.whole, usize::from(problem.is_empty()));
    }
}

#[test]
fn paths_that_cannot_be_shown_as_they_are() {
    let maker = Maker::new(Store::memory());
    let odd: Vec<_> = ["/a/../b", "/.", "//x", "/nul\0", &format!("/{}", "n".repeat(256)), "/end/"]
        .iter()
        .map(|path| maker.file(path, 1_000, b"odd", 9))
        .collect();
    maker.snapshot(1, &odd);
    let report = run(&maker.open(), ReadData::Heads);
    let mut paths: Vec<_> = odd.iter().map(|record| record.path.clone()).collect();
    paths.sort();
    let mut named: Vec<_> = report.findings.iter().flat_map(|f| f.paths.listed.clone()).collect();
    named.sort();
    assert_eq!(named, paths);
    for found in &report.findings {
        assert_eq!((found.kind, found.problem, found.is_damage), (Kind::Path, "odd", false));
        assert_eq!(found.snapshots.total(), 1);
    }
    assert_eq!((report.summary.whole, report.summary.notices), (1, 6));
    assert_eq!(report.next, [""; 0], "nothing is lost");

    let maker = Maker::new(Store::memory());
    let deep = maker.file(&"/d".repeat(1_025), 1_000, b"deep", 9);
    let shown = maker.file(&"/d".repeat(1_024), 1_000, b"deep", 9);
    maker.snapshot(1, &[deep.clone(), shown]);
    let report = run(&maker.open(), ReadData::Heads);
    assert_eq!(told(&report), [(Kind::Path, "too-deep", true, vec![deep.path], 1)]);

    let maker = Maker::new(Store::memory());
    let first = maker.file("/same", 1_000, b"one", 9);
    let second = maker.file("/same", 2_000, b"two", 9);
    let file = maker.file("/a/b", 1_000, b"a file", 9);
    let below = maker.file("/a/b/c/d", 1_000, b"needs a folder", 9);
    maker.snapshot(1, &[first.clone(), file.clone()]);
    maker.snapshot(2, &[second.clone(), below.clone()]);
    assert_eq!(
        told(&run(&maker.open(), ReadData::Heads)),
        [],
        "in two snapshots, that is no clash"
    );
    maker.snapshot(3, &[first.clone(), second.clone(), file.clone(), below.clone()]);
    maker.snapshot(4, &[file.clone(), below]);
    let mut told = told(&run(&maker.open(), ReadData::Heads));
    told.sort_by_key(|told| told.1);
    assert_eq!(
        told,
        [
            (Kind::Path, "file-and-folder", false, vec!["/a/b".into()], 2),
            (Kind::Path, "twice", false, vec!["/same".into()], 1),
        ]
    );
}

#[test]
fn the_plaintext_cache() {
    let maker = Maker::new(Store::memory());
    let records: Vec<_> =
        (0..4).map(|n| maker.file(&format!("/{n}"), 1_000, b"content", 9)).collect();
    let old = maker.snapshot(1, &records[..2]);
    let id = maker.snapshot(2, &records);
    let told_with = |id, records: &[FileRecord]| {
        maker.full_latest(id, records);
        told(&run(&maker.open(), ReadData::Heads))
    };
    assert_eq!(told_with(id, &records), []);
    assert_eq!(told_with(old, &records[..1]), [], "of another snapshot: DejaVu makes it anew");
    let untrue = |paths| [(Kind::FullLatest, "untrue", true, paths, 0)];
    assert_eq!(told_with(id, &records[..3]), untrue(vec![]));
    let mut lies = records.clone();
    lies[1].chunks = vec![ChunkId::of(b"another")];
    assert_eq!(told_with(id, &lies), untrue(vec!["/1".into()]));
    maker.store.put(layout::FULL_LATEST, b"?").unwrap();
    let report = run(&maker.open(), ReadData::Heads);
    assert_eq!(told(&report), [(Kind::FullLatest, "undecodable", true, vec![], 0)]);
    assert!(report.next.iter().any(|sentence| sentence.contains("full-latest.json")));

    // What it knows of a record that is gone is better than nothing.
    maker.full_latest(id, &records);
    maker.store.delete(&layout::file(records[3].id)).unwrap();
    let report = run(&maker.open(), ReadData::Heads);
    assert_eq!(told(&report), [(Kind::Record, "missing", true, vec!["/3".into()], 1)]);
}

#[test]
fn what_nobody_needs_is_counted_and_only_damage_in_it_is_told() {
    let maker = Maker::new(Store::memory());
    maker.snapshot(1, &[maker.file("/a", 1_000, b"a", 9)]);
    let before = content(&maker.store);
    maker.file("/never", 1_000, &noise(1, 9_000), 5_000);
    let orphans = content(&maker.store).into_iter().filter(|(key, _)| !before.contains_key(key));
    let orphans: BTreeMap<_, _> = orphans.collect();
    let bytes: u64 = orphans.values().map(|bytes| bytes.len() as u64).sum();
    for read_data in [ReadData::Heads, ReadData::All] {
        let report = run(&maker.open(), read_data);
        assert_eq!(report.findings, []);
        assert_eq!((report.summary.orphans, report.summary.orphan_bytes), (3, bytes));
    }
    for (key, whole) in &orphans {
        let is_record =
            maker.open().objects().record(FileId(layout::object_id(key).unwrap())).is_ok();
        let mut bytes = whole.clone();
        bytes[20] ^= 1;
        maker.store.put(key, &bytes).unwrap();
        assert_eq!(run(&maker.open(), ReadData::Heads).findings, []);
        let report = run(&maker.open(), ReadData::All);
        let [found] = &report.findings[..] else { panic!("{report:?}") };
        assert_eq!((found.kind, &found.object), (Kind::Orphan, key));
        assert!(report.next.iter().any(|sentence| sentence.contains("revu purge")));
        maker.store.delete(key).unwrap();
        let report = run(&maker.open(), ReadData::All);
        match is_record {
            true => assert_eq!(report.findings, []),
            false => assert_eq!(report.findings[0].problem, "incomplete", "its record is there"),
        }
        maker.store.put(key, whole).unwrap();
    }
    // A folder that cannot be listed is no silence.
    let faults = Faults::none();
    run(&open(&maker.store.faulty(&faults), &maker.key), ReadData::Heads);
}

#[test]
fn whose_it_is_besides() {
    let dir = tempfile::tempdir().unwrap();
    let maker = Maker::new(Store::local(dir.path()));
    maker.snapshot(1, &[maker.file("/a", 1_000, b"a", 9)]);
    let folder = dir.path();
    for file in ["notes.txt", "indexes/x", "objects/y", "objects/00/z", "revu.json", "lock-sync"] {
        std::fs::create_dir_all(folder.join(file).parent().unwrap()).unwrap();
        std::fs::write(folder.join(file), b"").unwrap();
    }
    std::fs::create_dir_all(folder.join("check/indexes")).unwrap();
    std::fs::create_dir(folder.join(".revu-staging-x")).unwrap();
    std::fs::write(folder.join("refs/.revu-1.tmp"), b"").unwrap();
    std::fs::write(folder.join("objects/00/.revu-2.tmp"), b"").unwrap();
    let held = exclusive(&maker.store);
    maker.store.put("revu-locks/dead.json", b"?").unwrap();
    let dead = std::fs::File::options().write(true).open(folder.join("revu-locks/dead.json"));
    dead.unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    let report = run(&maker.open(), ReadData::All);
    let told: Vec<_> = report.findings.iter().map(|f| (f.kind, &*f.object, f.problem)).collect();
    let mut locks = [(held.key(), "held"), ("revu-locks/dead.json", "dead")];
    locks.sort_unstable();
    let mut expected = vec![(Kind::Settings, "revu.json", "undecodable")];
    expected.extend(locks.map(|(key, problem)| (Kind::Lock, key, problem)));
    for key in [".revu-staging-x", "objects/00/.revu-2.tmp"] {
        expected.push((Kind::Leftover, key, "leftover"));
    }
    for key in ["indexes/x", "notes.txt", "objects/00/z", "objects/y"] {
        expected.push((Kind::Unknown, key, "unknown"));
    }
    assert_eq!(told, expected);
    assert_eq!((report.summary.damage, report.summary.notices), (1, 8));
}

#[test]
fn where_else_it_can_be_had() {
    let maker = Maker::new(Store::memory());
    let old = maker.file("/note.md", 1_000, b"old", 9);
    let new = maker.file("/note.md", 2_000, b"new", 9);
    let only = maker.file("/only.md", 1_000, b"only", 9);
    let first = maker.snapshot(1_714_500_000_000, &[old.clone(), only.clone()]);
    let second = maker.snapshot(1_714_600_000_000, &[old.clone(), only.clone()]);
    maker.snapshot(1_714_700_000_000, &[new.clone(), only.clone()]);
    maker.store.delete(&layout::chunk(new.chunks[0])).unwrap();
    let report = run(&maker.open(), ReadData::Heads);
    let next = report.next.join("\n");
    assert!(
        next.contains(&format!(
            "2 of 3 snapshots are whole, the newest of them {} of 2024-05-01",
            second.short()
        )),
        "{next}"
    );
    let restore = format!("revu restore '{}:/note.md' --to DIR", second.short());
    assert!(next.contains(&restore), "{next}");
    maker.store.delete(&layout::chunk(only.chunks[0])).unwrap();
    let report = run(&maker.open(), ReadData::Heads);
    let next = report.next.join("\n");
    assert!(next.contains("No snapshot is whole"), "{next}");
    assert!(next.contains("No snapshot has a whole version of /only.md"), "{next}");
    assert!(next.contains(&restore), "{next}");
    // With an index that cannot be read, what it needs only seems to be needed by nobody.
    maker.store.put(&layout::index(first), b"?").unwrap();
    maker.store.put(&layout::index(second), b"?").unwrap();
    let next = run(&maker.open(), ReadData::Heads).next.join("\n");
    assert!(next.contains("do not remove them"), "{next}");
}

#[test]
fn each_object_is_read_once() {
    let golden = Golden::new();
    for read_data in [ReadData::Heads, ReadData::All] {
        let (store, calls) = store_of(&golden.content).recorded();
        let repo = open(&store, &golden.key);
        calls.take();
        run(&repo, read_data);
        let mut reads: BTreeMap<(bool, String), usize> = BTreeMap::new();
        for call in calls.take() {
            assert!(!matches!(call.verb, Verb::Put | Verb::Delete | Verb::Sync), "{call:?}");
            *reads.entry((call.verb == Verb::Get, call.key)).or_default() += 1;
        }
        for key in golden.objects() {
            let times = |whole| reads.get(&(whole, key.clone())).copied().unwrap_or(0);
            let large = golden.content[key].len() >= 4096;
            match golden.is_record(key) {
                true => assert_eq!((times(true), times(false)), (1, 0), "{key}"),
                // Two files that share a chunk may come to it at the same moment.
                false => {
                    assert!((1..=2).contains(&times(false)), "{key}");
                    assert_eq!(times(true) > 0, large && read_data == ReadData::All, "{key}");
                }
            }
        }
    }
}

#[test]
fn stopped_or_unreadable_it_does_not_say_that_all_is_well() {
    struct Stopped;
    impl Monitor for Stopped {
        fn stopped(&self) -> bool {
            true
        }
    }
    let golden = Golden::new();
    let store = store_of(&golden.content);
    let repo = open(&store, &golden.key);
    assert!(check(&repo, &options(ReadData::All), None, &Stopped).is_err());
    // Whatever cannot be read is told, or ends the check.
    for at in 0.. {
        let faults = Faults::at(at, Fault::Errno(libc::EIO));
        let repo = Repository::open(store.faulty(&faults), &golden.key, Default::default());
        let opened = faults.done();
        let report = repo.map(|repo| check(&repo, &options(ReadData::All), None, &Silent));
        if faults.done() <= at {
            assert_eq!(report.unwrap().unwrap().findings, []);
            assert!(at > 100);
            break;
        }
        // A failure while opening is another matter; so is that of a cache that nobody needs.
        if let (true, Ok(Ok(report))) = (at >= opened, report) {
            assert!(report.summary.damage > 0, "at {at}");
        }
    }
}
