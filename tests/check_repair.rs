//! What is missing or bad comes from a copy, verified; what is good is never written over.

mod common;
mod purge_support;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use common::{Maker, golden, noise};
use purge_support::*;
use revu::format::{Cipher, IndexId, RepoKey, layout};
use revu::ops::Silent;
use revu::ops::check::{CheckError, Kind, Options, ReadData, Repair, Report, check};
use revu::repo::Repository;
use revu::store::lock::{self, Lock};
use revu::store::{Fault, Faults, Store, Verb};

fn options() -> Options {
    Options { read_data: ReadData::All, zone: jiff::tz::TimeZone::UTC }
}

fn open(store: &Store, key: &RepoKey) -> Repository {
    Repository::open(store.clone(), key, Default::default()).unwrap()
}

fn look(repo: &Repository) -> Report {
    check(repo, &options(), None, &Silent).unwrap()
}

/// Repairs `repo`, whose locks lie in `locks`, from `copy`.
fn repair(repo: &Repository, locks: &Store, copy: &Repository) -> Report {
    let kind = lock::Kind::Shared;
    let lock = Lock::take(locks, kind, "check", Duration::ZERO, &|| false).unwrap();
    check(repo, &options(), Some(&Repair::new(copy, &lock)), &Silent).unwrap()
}

#[test]
fn everything_comes_back_from_a_copy() {
    let case = golden();
    let whole = content(case.open().store());
    let copy = open(&store_of(&whole), &case.key);
    let named: BTreeSet<String> = whole
        .iter()
        .filter(|(key, _)| key.starts_with("refs/"))
        .map(|(_, id)| format!("indexes/{}", std::str::from_utf8(id).unwrap().trim()))
        .collect();
    type Harm = fn(&Store, &str, &[u8]);
    let harms: [Harm; 4] = [
        |store, key, _| store.delete(key).unwrap(),
        |store, key, _| store.put(key, b"").unwrap(),
        |store, key, bytes| store.put(key, &bytes[..bytes.len() - 1]).unwrap(),
        |store, key, bytes| {
            let mut bytes = bytes.to_vec();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            store.put(key, &bytes).unwrap();
        },
    ];
    for harm in harms {
        // Every third, then all at once.
        for every in [3, 1] {
            let store = store_of(&whole);
            let mut harmed = Vec::new();
            // A snapshot without a ref that is gone is one that was purged.
            let may = |key: &&String| key.starts_with("objects/") || named.contains(*key);
            for key in whole.keys().filter(may).step_by(every) {
                harm(&store, key, &whole[key]);
                // Its end may not matter to an index, which nothing authenticates.
                if store.get(key, u64::MAX).ok().as_deref() != Some(&whole[key]) {
                    harmed.push(key);
                }
            }
            let (recorded, calls) = store.recorded();
            let repo = open(&recorded, &case.key);
            calls.take();
            let report = repair(&repo, &store, &copy);
            assert_eq!(report.findings, []);
            assert!(report.repair_failed.is_none());
            let put: Vec<_> = calls.take().into_iter().filter(|c| c.verb == Verb::Put).collect();
            assert_eq!(put.len(), report.summary.repaired, "each once");
            assert!(put.iter().all(|call| harmed.contains(&&call.key)), "nothing good");
            let repaired: Vec<_> = report.repaired.iter().map(|r| r.object.clone()).collect();
            assert_eq!(repaired.len(), put.len());
            let clean = look(&open(&store, &case.key));
            assert_eq!(clean.findings, []);
            assert_eq!(clean.summary.whole, 6);
            for (key, bytes) in &whole {
                let is = store.get(key, u64::MAX).unwrap();
                // An index that reads well although it was harmed is left as it is.
                if !key.starts_with("indexes/") {
                    assert_eq!(&is, bytes, "{key}");
                }
            }
            let again = repair(&repo, &store, &copy);
            assert_eq!((again.summary.repaired, again.findings.len()), (0, 0));
        }
    }
}

#[test]
fn what_the_copy_does_not_have_stays_bad_and_is_told() {
    let maker = Maker::new(Store::memory());
    let a = maker.file("/a", 1_000, &noise(1, 9_000), 5_000);
    let b = maker.file("/b", 1_000, b"b", 9);
    maker.snapshot(1, &[a.clone(), b.clone()]);
    let whole = content(&maker.store);
    let there = store_of(&whole);
    let gone = layout::chunk(a.chunks[0]);
    let bad = layout::file(b.id);
    for store in [&maker.store, &there] {
        store.delete(&gone).unwrap();
        store.put(&bad, b"bad").unwrap();
    }
    // This the copy has.
    maker.store.delete(&layout::chunk(a.chunks[1])).unwrap();
    let report = repair(&maker.open(), &maker.store, &open(&there, &maker.key));
    let told: Vec<_> = report.findings.iter().map(|f| (f.kind, &*f.object)).collect();
    assert_eq!(told, [(Kind::Record, &*bad), (Kind::Chunk, &*gone)]);
    assert!(report.findings[1].detail.contains("the copy lacks it too"), "{report:?}");
    assert!(report.findings[0].detail.contains("nor can the copy's"), "{report:?}");
    assert_eq!(report.summary.repaired, 1);
    assert!(report.next[0].contains("try another one"), "{:?}", report.next);
    assert_eq!(maker.store.get(&bad, 9).unwrap(), b"bad", "bad is not written over with bad");
    // Another copy has them.
    let report = repair(&maker.open(), &maker.store, &open(&store_of(&whole), &maker.key));
    assert_eq!((report.findings, report.summary.repaired), (vec![], 2));
}

#[test]
fn nothing_is_believed_of_a_copy() {
    let maker = Maker::new(Store::memory());
    let a = maker.file("/a", 1_000, b"a", 9);
    let b = maker.file("/b", 1_000, b"b", 9);
    let id = maker.snapshot(1, &[a.clone(), b.clone()]);
    let whole = content(&maker.store);
    let keys = [layout::chunk(a.chunks[0]), layout::file(a.id), layout::index(id)];
    let lost = {
        let store = store_of(&whole);
        keys.iter().for_each(|key| store.delete(key).unwrap());
        content(&store)
    };
    let other = Cipher::new(&RepoKey::from_bytes([1; 32]));
    let mut index = maker.open().objects().index(id).unwrap();
    index.aes_key_verify_val = other.verify_val();
    let foreign_index = index.encode();
    index.aes_key_verify_val = String::new();
    index.size += 1;
    let wrong_size = index.encode();
    let lies: [(&str, [Vec<u8>; 3]); 3] = [
        (
            "sealed with another key",
            [other.seal(b"a"), other.seal(&a.encode()), foreign_index.clone()],
        ),
        (
            "another's",
            [
                whole[&layout::chunk(b.chunks[0])].clone(),
                whole[&layout::file(b.id)].clone(),
                b"?".to_vec(),
            ],
        ),
        (
            "an index that its files do not add up to",
            [whole[&keys[0]].clone(), whole[&keys[1]].clone(), wrong_size],
        ),
    ];
    for (name, lie) in lies {
        let there = store_of(&whole);
        for (key, bytes) in keys.iter().zip(&lie) {
            there.put(key, bytes).unwrap();
        }
        let store = store_of(&lost);
        let copy = open(&there, &maker.key);
        let report = repair(&open(&store, &maker.key), &store, &copy);
        let indexes = report.findings.iter().filter(|f| f.object.starts_with("refs/")).count();
        assert!(indexes > 0, "{name}: {report:?}");
        assert!(store.size(&keys[2]).is_err(), "{name}");
        for (key, bytes) in content(&store) {
            assert!(whole.get(&key).is_some_and(|good| *good == bytes), "{name}: {key}");
        }
    }
    // A copy with another key is not even opened.
    assert!(
        Repository::open(store_of(&whole), &RepoKey::from_bytes([1; 32]), Default::default())
            .is_err()
    );
}

#[test]
fn the_repository_is_no_copy_of_itself() {
    let dir = tempfile::tempdir().unwrap();
    let maker = Maker::new(Store::local(dir.path()));
    maker.snapshot(1, &[maker.file("/a", 1_000, b"a", 9)]);
    let link = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(dir.path(), link.path().join("copy")).unwrap();
    let copy = open(&Store::local(link.path().join("copy")), &maker.key);
    let kind = lock::Kind::Shared;
    let lock = Lock::take(&maker.store, kind, "check", Duration::ZERO, &|| false).unwrap();
    let refused = check(&maker.open(), &options(), Some(&Repair::new(&copy, &lock)), &Silent);
    assert!(matches!(refused, Err(CheckError::SamePlace(_))));
}

#[test]
fn what_only_cannot_be_read_is_not_replaced() {
    let maker = Maker::new(Store::memory());
    maker.snapshot(1, &[maker.file("/a", 1_000, b"a", 9)]);
    let copy = open(&store_of(&content(&maker.store)), &maker.key);
    let mut refused = 0;
    for at in 0.. {
        let store = store_of(&content(&maker.store));
        let faults = Faults::at(at, Fault::Errno(libc::EACCES));
        let Ok(repo) = Repository::open(store.faulty(&faults), &maker.key, Default::default())
        else {
            continue;
        };
        let kind = lock::Kind::Shared;
        let lock = Lock::take(&store, kind, "check", Duration::ZERO, &|| false).unwrap();
        let report = check(&repo, &options(), Some(&Repair::new(&copy, &lock)), &Silent);
        if faults.done() <= at {
            break;
        }
        let Ok(report) = report else { continue };
        assert_eq!(report.summary.repaired, 0, "at {at}");
        refused += report.findings.iter().filter(|f| f.detail.contains("it may be good")).count();
    }
    assert!(refused >= 3, "{refused}");
}

/// A repository that has lost something of everything, and its copy.
struct Harmed {
    key: RepoKey,
    whole: BTreeMap<String, Vec<u8>>,
    harmed: BTreeMap<String, Vec<u8>>,
    ids: Vec<IndexId>,
}

fn harmed() -> Harmed {
    let maker = Maker::new(Store::memory());
    let large = maker.file("/large", 1_000, &noise(1, 20_000), 5_000);
    let mut ids = Vec::new();
    for n in 0..3i64 {
        let note = maker.file("/note", 1_000 * (n + 2), &noise(5 + n as u64, 100), 100);
        ids.push(maker.snapshot(n, &[large.clone(), note]));
    }
    maker.tag("first", ids[0]);
    let whole = content(&maker.store);
    let objects = maker.open();
    let index = objects.objects().index(ids[1]).unwrap();
    maker.store.delete(&layout::index(ids[0])).unwrap();
    maker.store.delete(&layout::file(index.files[1])).unwrap();
    for chunk in &large.chunks[1..] {
        maker.store.put(&layout::chunk(*chunk), b"bad").unwrap();
    }
    maker.store.put(&layout::index(ids[1]), b"bad").unwrap();
    Harmed { key: maker.key.clone(), whole, harmed: content(&maker.store), ids }
}

#[test]
fn every_write_of_a_repair_may_fail() {
    let Harmed { key, whole, harmed, ids } = harmed();
    let copy = open(&store_of(&whole), &key);
    let store = store_of(&harmed);
    let faults = Faults::none();
    let full = repair(&open(&store.faulty(&faults), &key), &store, &copy);
    assert_eq!(full.findings, []);
    assert_eq!(content(&store), whole);
    let writes = faults.done();
    assert_eq!(writes as usize, full.summary.repaired);
    assert!(writes >= 6, "{writes}");
    for fault in
        [Fault::Errno(libc::ENOSPC), Fault::Errno(libc::EIO), Fault::ShortWrite, Fault::Stop]
    {
        for at in 0..writes {
            let store = store_of(&harmed);
            let faults = Faults::among_writes(at, fault);
            let repo = open(&store.faulty(&faults), &key);
            let kind = lock::Kind::Shared;
            let lock = Lock::take(&store, kind, "check", Duration::ZERO, &|| false).unwrap();
            let report = check(&repo, &options(), Some(&Repair::new(&copy, &lock)), &Silent);
            drop(lock);
            // A process that was stopped says nothing.
            if let (Ok(report), false) = (&report, fault == Fault::Stop) {
                assert!(report.repair_failed.is_some(), "{fault:?} at {at}");
                assert!(report.summary.damage > 0, "{fault:?} at {at}");
            }
            // What was written is good, what was good is as it was, and nothing else is there.
            for (key, bytes) in content(&store) {
                let before = harmed.get(&key);
                assert!(before == Some(&bytes) || whole[&key] == bytes, "{fault:?} at {at}: {key}");
            }
            // An index comes last: one that is there again has all that it needs.
            let repo = open(&store, &key);
            for id in &ids[..2] {
                if repo.objects().index(*id).is_ok() {
                    read_whole(&repo, *id);
                }
            }
            let rest = repair(&repo, &store, &copy);
            assert_eq!(rest.findings, [], "{fault:?} at {at}");
            assert_eq!(content(&store), whole, "{fault:?} at {at}");
        }
    }
}
