//! Nothing that is needed ever goes; what nobody needs and is old goes; a stop anywhere harms nothing.

mod common;
mod purge_support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use common::{Maker, copy_tree, golden, noise};
use parking_lot::Mutex;
use proptest::prelude::*;
use purge_support::*;
use revu::format::{FileId, FileRecord, IndexId, layout};
use revu::ops::purge::{Plan, PurgeError};
use revu::ops::retention::{self, Count, Made, Policy};
use revu::ops::{Monitor, Silent, Unit};
use revu::repo::Repository;
use revu::store::{Fault, Faults, Store};

/// Three snapshots of which only the last is named, two files shared, and what a crash left.
struct Small {
    maker: Maker,
    ids: Vec<IndexId>,
    /// What must be there when the last alone has stayed.
    stays: BTreeSet<String>,
}

fn small(store: Store) -> Small {
    let maker = Maker::new(store);
    let shared = maker.file("/shared.md", 1_000, &noise(1, 3_000), 1_000);
    let ids = (0..3i64)
        .map(|n| {
            let own = maker.file("/own.md", 1_000 * (n + 2), &noise(10 + n as u64, 2_000), 1_500);
            maker.snapshot(1_000 * n, &[shared.clone(), own])
        })
        .collect::<Vec<_>>();
    let needed = read_whole(&maker.open(), ids[2]);
    // A record and chunks that no index ever listed, one of them of the size of a large file's.
    maker.file("/never.md", 9_000, &noise(99, 200_000), 150_000);
    maker.chunk(&noise(98, 10));
    let maker_store = maker.store.clone();
    maker_store.put("full-latest.json", b"left alone").unwrap();
    maker_store.put("indexes-v2.json", b"left alone").unwrap();
    maker_store.put("objects/ab/README", b"left alone").unwrap();
    maker_store.put("notes.txt", b"left alone").unwrap();
    let others = ["full-latest.json", "indexes-v2.json", "objects/ab/README", "notes.txt"];
    let mut stays = needed;
    stays.extend(others.map(str::to_owned));
    stays.insert(layout::LATEST.to_owned());
    Small { maker, ids, stays }
}

fn bytes(content: &BTreeMap<String, Vec<u8>>) -> u64 {
    content.values().map(|bytes| bytes.len() as u64).sum()
}

#[test]
fn what_nobody_needs_goes_and_its_bytes_are_exact() {
    let small = small(Store::memory());
    let store = &small.maker.store;
    let before = bytes(&content(store));
    let repo = small.maker.open();
    tick();
    let lock = exclusive(store);
    let plan = Plan::make(&repo, &keep_only(&[]), lock.taken(), &Silent).unwrap();
    assert_eq!(plan.goes.iter().map(|goes| goes.head.id).collect::<Vec<_>>(), small.ids[..2]);
    assert_eq!(plan.stays.len(), 1);
    assert_eq!(plan.stays[0].reasons, ["latest"]);
    let unchanged = keys(store);
    assert!(unchanged.is_superset(&small.stays), "a plan removes nothing");
    let done = plan.execute(&lock, &Silent).unwrap();
    drop(lock);
    assert_eq!(keys(store), small.stays);
    assert_eq!(before - bytes(&content(store)), done.bytes);
    assert_eq!((plan.figures.bytes(), plan.figures.objects), (done.bytes, done.objects));
    assert_eq!(done.snapshots, 2);
    read_whole(&repo, small.ids[2]);
    let again = purge(&repo, store, &[]).unwrap();
    assert_eq!((again.bytes, again.objects, again.snapshots), (0, 0, 0));
}

#[test]
fn the_golden_repository_with_a_policy() {
    let dir = tempfile::tempdir().unwrap();
    let mut case = golden();
    copy_tree(&case.repo, dir.path());
    case.repo = dir.path().to_owned();
    let repo = case.open();
    let store = repo.store().clone();
    let all: Vec<_> = repo.snapshots().unwrap().list.iter().map(|s| s.head.id).collect();
    let tags = case.tags();
    assert_eq!((all.len(), tags.len()), (6, 4));
    let policy = Policy { last: Count::Newest(2), ..Policy::default() };
    let zone = jiff::tz::TimeZone::UTC;
    let keep = |candidates: &[revu::ops::purge::Candidate]| {
        let made: Vec<_> = candidates
            .iter()
            .map(|c| Made { created: c.head.created, tags: c.tags.clone() })
            .collect();
        let reasons = retention::reasons(&policy, &made, &zone, jiff::Timestamp::now());
        reasons.iter().map(|own| own.iter().map(ToString::to_string).collect()).collect()
    };
    let before = bytes(&content(&store));
    std::thread::sleep(std::time::Duration::from_millis(20));
    let lock = exclusive(&store);
    let plan = Plan::make(&repo, &keep, lock.taken(), &Silent).unwrap();
    plan.execute(&lock, &Silent).unwrap();
    drop(lock);
    let kept: Vec<_> = plan.stays.iter().map(|stays| stays.snapshot.head.id).collect();
    let expected: Vec<_> = all
        .iter()
        .filter(|id| tags.values().any(|tagged| tagged == *id) || all[4..].contains(id))
        .copied()
        .collect();
    assert_eq!(kept, expected);
    assert!(kept.len() < all.len(), "else this shows nothing");
    let mut needed = BTreeSet::new();
    for id in &kept {
        needed.extend(read_whole(&repo, *id));
    }
    let left = keys(&store);
    assert!(left.is_superset(&needed));
    let objects = |keys: &BTreeSet<String>| {
        keys.iter().filter(|key| key.starts_with("objects/")).cloned().collect::<BTreeSet<_>>()
    };
    assert_eq!(objects(&left), objects(&needed), "and nothing else");
    assert_eq!(before - bytes(&content(&store)), plan.figures.bytes());
    for stays in &plan.stays {
        assert!(!stays.reasons.is_empty());
        for tag in &stays.snapshot.tags {
            assert!(stays.reasons.contains(&format!("tag {tag}")), "{stays:?}");
        }
    }
}

/// One file of the model: its path's number, its version, its chunks' numbers.
type ModelFile = (u8, u8, Vec<u8>);

#[derive(Debug, Clone)]
struct Model {
    files: Vec<ModelFile>,
    /// Per snapshot: which files, kept by the policy, a tag, named by latest-sync.
    snapshots: Vec<(Vec<usize>, bool, bool, bool)>,
    latest: Option<usize>,
    orphans: Vec<u8>,
    /// Chunks and files that are written after the purge has begun.
    young: Vec<ModelFile>,
}

fn models() -> impl Strategy<Value = Model> {
    let chunks = || prop::collection::vec(0u8..20, 1..4);
    let files = prop::collection::vec((0u8..12, 0u8..4, chunks()), 1..25);
    let young = prop::collection::vec((100u8..104, 0u8..2, chunks()), 0..3);
    (files, young, prop::collection::vec(0u8..40, 0..6)).prop_flat_map(|(files, young, orphans)| {
        let n = files.len();
        let snapshot = (
            prop::collection::vec(0..n, 0..8),
            prop::bool::weighted(0.3),
            prop::bool::weighted(0.15),
            prop::bool::weighted(0.1),
        );
        (prop::collection::vec(snapshot, 1..8), prop::option::weighted(0.9, any::<usize>()))
            .prop_map(move |(snapshots, latest)| Model {
                latest: latest.map(|n| n % snapshots.len()),
                files: files.clone(),
                snapshots,
                orphans: orphans.clone(),
                young: young.clone(),
            })
    })
}

fn model_file(maker: &Maker, (path, version, chunks): &ModelFile) -> FileRecord {
    let updated = i64::from(*version) * 1_000;
    let mut size = 0;
    let chunks = chunks.iter().map(|n| {
        let plain = noise(u64::from(*n), 20 + usize::from(*n) * 40);
        size += plain.len() as i64;
        maker.chunk(&plain)
    });
    let chunks: Vec<_> = chunks.collect();
    let record = FileRecord::new(format!("/{path}"), size, updated, chunks);
    // As DejaVu does: what is there stays as it is.
    let key = layout::file(record.id);
    match maker.store.size(&key) {
        Ok(_) => maker.open().objects().record(record.id).unwrap(),
        Err(_) => {
            maker.record(&record);
            record
        }
    }
}

fn key_set(records: &[FileRecord]) -> impl Iterator<Item = String> + '_ {
    records.iter().flat_map(|record| {
        let chunks = record.chunks.iter().map(|chunk| layout::chunk(*chunk));
        std::iter::once(layout::file(record.id)).chain(chunks)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn exactly_what_is_needed_or_young_stays(model in models()) {
        let maker = Maker::new(Store::memory());
        maker.store.put("objects/xx/unknown", b"").unwrap();
        let records: Vec<_> = model.files.iter().map(|file| model_file(&maker, file)).collect();
        let mut ids = Vec::new();
        let mut expected = BTreeSet::from(["objects/xx/unknown".to_owned()]);
        let mut keep = Vec::new();
        for (n, (files, keeps, ..)) in model.snapshots.iter().enumerate() {
            let mut files: Vec<_> = files.iter().map(|i| records[*i].clone()).collect();
            // No snapshot lists a file twice.
            let mut seen = BTreeSet::new();
            files.retain(|record| seen.insert(record.id));
            let id = maker.snapshot(n as i64, &files);
            keep.extend(keeps.then_some(id));
            ids.push((id, files));
        }
        maker.store.delete(layout::LATEST).unwrap();
        let mut stays = BTreeSet::new();
        let mut name = |key: &str, id: IndexId| {
            maker.store.put(key, id.to_string().as_bytes()).unwrap();
            expected.insert(key.to_owned());
            stays.insert(id);
        };
        for (n, (_, _, tag, sync)) in model.snapshots.iter().enumerate() {
            if *tag {
                name(&layout::tag(&format!("tag {n}")), ids[n].0);
            }
            if *sync {
                name(layout::LATEST_SYNC, ids[n].0);
            }
        }
        match model.latest {
            Some(n) => name(layout::LATEST, ids[n].0),
            // Then the newest counts as the latest.
            None => drop(stays.insert(ids.last().unwrap().0)),
        }
        // latest-sync names one: an earlier one that it named is not kept for that.
        let named: BTreeSet<_> = content(&maker.store)
            .into_iter()
            .filter(|(key, _)| key.starts_with("refs/"))
            .map(|(_, id)| String::from_utf8(id).unwrap().parse::<IndexId>().unwrap())
            .collect();
        let newest = ids.last().unwrap().0;
        stays.retain(|id| named.contains(id) || (model.latest.is_none() && *id == newest));
        stays.extend(&keep);
        for n in &model.orphans {
            maker.chunk(&noise(u64::from(*n), 20 + usize::from(*n) * 40));
        }
        for (id, files) in &ids {
            if stays.contains(id) {
                expected.insert(layout::index(*id));
                expected.extend(key_set(files));
            }
        }

        tick();
        let lock = exclusive(&maker.store);
        let old = keys(&maker.store);
        tick();
        let young: Vec<_> = model.young.iter().map(|file| model_file(&maker, file)).collect();
        let before: BTreeSet<_> = keys(&maker.store);
        expected.extend(key_set(&young));
        // A chunk, whose record was there already and is left as it is.
        expected.extend(before.difference(&old).cloned());
        let repo = maker.open();
        let plan = Plan::make(&repo, &keep_only(&keep), lock.taken(), &Silent).unwrap();
        let told: BTreeSet<_> = plan.stays.iter().map(|s| s.snapshot.head.id).collect();
        prop_assert_eq!(&told, &stays);
        let done = plan.execute(&lock, &Silent).unwrap();
        drop(lock);
        let after = keys(&maker.store);
        prop_assert_eq!(&after, &expected);
        prop_assert_eq!(before.len() - 1 - after.len(), done.objects + done.snapshots);
    }
}

#[test]
fn what_refuses() {
    type Harm = fn(&Small) -> String;
    let table: &[(&str, Harm)] = &[
        ("an index that a ref names is damaged", |s| {
            let key = layout::index(s.ids[2]);
            s.maker.store.put(&key, b"damage").unwrap();
            key
        }),
        ("one that a tag names is missing", |s| {
            s.maker.tag("gone", "00".repeat(20).parse().unwrap());
            "tag remove 'gone'".into()
        }),
        ("one that latest-sync names is missing", |s| {
            let zeros = "00".repeat(20);
            s.maker.store.put(layout::LATEST_SYNC, zeros.as_bytes()).unwrap();
            "refs/latest-sync".into()
        }),
        ("one is damaged of which nobody knows whether it must stay", |s| {
            let key = layout::index(s.ids[0]);
            s.maker.store.put(&key, b"damage").unwrap();
            key
        }),
        ("a tag cannot be read", |s| {
            s.maker.store.put("refs/tags/bad", b"?").unwrap();
            "refs/tags/bad".into()
        }),
        ("a record that must stay is missing", |s| {
            let file = s.maker.open().objects().index(s.ids[2]).unwrap().files[0];
            s.maker.store.delete(&layout::file(file)).unwrap();
            layout::file(file)
        }),
        ("a record that must stay is damaged", |s| {
            let file = s.maker.open().objects().index(s.ids[2]).unwrap().files[1];
            let key = layout::file(file);
            let mut bytes = s.maker.store.get(&key, u64::MAX).unwrap();
            bytes[20] ^= 1;
            s.maker.store.put(&key, &bytes).unwrap();
            key
        }),
    ];
    for (name, harm) in table {
        let small = small(Store::memory());
        let repo = small.maker.open();
        let says = harm(&small);
        let before = keys(&small.maker.store);
        let refused = purge(&repo, &small.maker.store, &[]).expect_err(name);
        let told = refused.to_string();
        assert!(told.contains(&says) && told.starts_with("nothing was removed"), "{name}: {told}");
        assert_eq!(keys(&small.maker.store), before, "{name}");
    }
    // A snapshot that goes may be damaged as it likes, as long as its head says when it was made.
    let small = small(Store::memory());
    let repo = small.maker.open();
    let file = repo.objects().index(small.ids[0]).unwrap().files[1];
    small.maker.store.put(&layout::file(file), b"damage").unwrap();
    purge(&repo, &small.maker.store, &[]).unwrap();
    assert_eq!(keys(&small.maker.store), small.stays);
}

#[test]
fn check_indexes_go_with_their_snapshots() {
    let small = small(Store::memory());
    let store = &small.maker.store;
    let check = |of: IndexId| {
        let name =
            layout::CHECK_INDEXES.to_owned() + "/" + &of.hex().chars().rev().collect::<String>();
        let json = format!("{{\"id\":\"x\",\"indexID\":\"{of}\",\"files\":null}}");
        store.put(&name, &zstd::encode_all(json.as_bytes(), 3).unwrap()).unwrap();
        name
    };
    let of_each: Vec<_> = small.ids.iter().map(|id| check(*id)).collect();
    // Of a snapshot that went long ago; and one that says nothing.
    let of_gone = check("12".repeat(20).parse().unwrap());
    let odd = format!("{}/{}", layout::CHECK_INDEXES, "ab".repeat(20));
    store.put(&odd, b"?").unwrap();
    store.put("check/indexes-report", b"?").unwrap();
    let before = bytes(&content(store));
    let done = purge(&small.maker.open(), store, &[small.ids[1]]).unwrap();
    let left = keys(store);
    let gone = [&of_each[0], &of_gone].map(|key| left.contains(key));
    assert_eq!(gone, [false; 2]);
    for key in [&of_each[1], &of_each[2], &odd, &"check/indexes-report".to_owned()] {
        assert!(left.contains(key), "{key}");
    }
    assert_eq!(before - bytes(&content(store)), done.bytes);
}

#[test]
fn what_dead_processes_left_goes_and_what_is_unknown_stays() {
    let dir = tempfile::tempdir().unwrap();
    let small = small(Store::local(dir.path()));
    let staging = dir.path().join(".revu-staging-dead");
    std::fs::create_dir(&staging).unwrap();
    std::fs::write(staging.join("0"), [0; 1_000]).unwrap();
    for key in
        [".revu-a.tmp", "refs/.revu-b.tmp", "objects/ab/.revu-c.tmp", "refs/tags/.revu-d.tmp"]
    {
        let path = dir.path().join(key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, [0; 10]).unwrap();
    }
    std::fs::create_dir_all(dir.path().join(".revu-unknown")).unwrap();
    std::fs::write(dir.path().join("objects/ab/0123.tmp"), b"DejaVu's").unwrap();
    // The clock of the file system moves on.
    std::thread::sleep(std::time::Duration::from_millis(30));
    let lock = exclusive(&small.maker.store);
    let repo = small.maker.open();
    std::fs::write(dir.path().join(".revu-young.tmp"), b"").unwrap();
    let plan = Plan::make(&repo, &keep_only(&small.ids), lock.taken(), &Silent).unwrap();
    assert_eq!((plan.figures.leftovers, plan.figures.leftover_bytes), (5, 1_040));
    plan.execute(&lock, &Silent).unwrap();
    drop(lock);
    assert!(!staging.exists() && dir.path().join(".revu-unknown").exists());
    let left = keys(&small.maker.store);
    assert!(left.contains(".revu-young.tmp") && left.contains("objects/ab/0123.tmp"));
    let temporary = left.iter().filter(|key| key.contains(".revu-") && key.ends_with(".tmp"));
    assert_eq!(temporary.count(), 1);
}

/// Does something to the repository when a part of the work begins, as another writer would.
struct Meanwhile<F: Fn()>(&'static str, Mutex<Option<F>>);

impl<F: Fn() + Send> Monitor for Meanwhile<F> {
    fn begin(&self, what: &str, _: Option<u64>, _: Unit) {
        if what == self.0
            && let Some(act) = self.1.lock().take()
        {
            act();
        }
    }
}

#[test]
fn who_writes_meanwhile_loses_nothing() {
    for when in ["reading file records", "removing snapshots"] {
        for needs_what_goes in [true, false] {
            let small = small(Store::memory());
            let maker = Arc::new(small.maker);
            let first = small.ids[0];
            let writer = Arc::clone(&maker);
            let made = Arc::new(Mutex::new(None));
            let id = Arc::clone(&made);
            let act = move || {
                // As DejaVu does it: objects that are there are not written again.
                let repo = writer.open();
                let old = repo.objects().index(first);
                let old = match old {
                    Ok(old) if needs_what_goes => {
                        repo.objects().record(old.files[1]).map(|r| r.chunks).unwrap_or_default()
                    }
                    _ => vec![writer.chunk(b"new")],
                };
                let size = old.iter().map(|c| repo.objects().chunk(*c).unwrap().len() as i64).sum();
                let record = FileRecord::new("/new.md".into(), size, 77_000, old);
                writer.record(&record);
                *id.lock() = Some(writer.snapshot(77_000, &[record]));
            };
            let repo = maker.open();
            tick();
            let lock = exclusive(&maker.store);
            let monitor = Meanwhile(when, Mutex::new(Some(act)));
            let plan = Plan::make(&repo, &keep_only(&[]), lock.taken(), &monitor).unwrap();
            let result = plan.execute(&lock, &monitor);
            let new = made.lock().expect("it came");
            match (&result, needs_what_goes && when == "removing snapshots") {
                (Err(PurgeError::Interfered { what, .. }), true) => {
                    assert!(what.contains(&new.to_string()), "{what}");
                }
                (Ok(_), false) => {}
                _ => panic!("{when}, {needs_what_goes}: {result:?}"),
            }
            read_whole(&repo, new);
            drop(lock);
            purge(&repo, &maker.store, &[]).unwrap();
            read_whole(&repo, new);
        }
    }
}

#[test]
fn a_ref_to_what_goes_stops_it() {
    let small = small(Store::memory());
    let maker = Arc::new(small.maker);
    let (writer, first) = (Arc::clone(&maker), small.ids[0]);
    let act = move || writer.tag("late", first);
    let repo = maker.open();
    tick();
    let lock = exclusive(&maker.store);
    let monitor = Meanwhile("looking through objects", Mutex::new(Some(act)));
    let plan = Plan::make(&repo, &keep_only(&[]), lock.taken(), &monitor).unwrap();
    let result = plan.execute(&lock, &monitor);
    assert!(matches!(result, Err(PurgeError::Interfered { .. })), "{result:?}");
    read_whole(&repo, first);
}

#[test]
fn without_its_lock_it_ends() {
    let small = small(Store::memory());
    let repo = small.maker.open();
    tick();
    let lock = exclusive(&small.maker.store);
    let plan = Plan::make(&repo, &keep_only(&[]), lock.taken(), &Silent).unwrap();
    let before = keys(&small.maker.store);
    small.maker.store.delete(lock.key()).unwrap();
    assert!(matches!(plan.execute(&lock, &Silent), Err(PurgeError::Lock(_))));
    assert_eq!(keys(&small.maker.store).len() + 1, before.len(), "the lock alone is gone");
}

/// Stops the work after so many looks.
struct Impatient(std::sync::atomic::AtomicUsize);

impl Monitor for Impatient {
    fn stopped(&self) -> bool {
        use std::sync::atomic::Ordering::SeqCst;
        self.0.fetch_update(SeqCst, SeqCst, |n| Some(n.saturating_sub(1))).unwrap() == 0
    }
}

#[test]
fn who_is_stopped_leaves_all_whole() {
    let whole = content(&small(Store::memory()).maker.store);
    let mut completed = false;
    for looks in 0..500 {
        let store = store_of(&whole);
        let maker = Maker::new(store.clone());
        let repo = maker.open();
        let latest = repo.snapshots().unwrap().latest.unwrap();
        tick();
        let lock = exclusive(&store);
        let monitor = Impatient(looks.into());
        let result = Plan::make(&repo, &keep_only(&[]), lock.taken(), &monitor)
            .and_then(|plan| plan.execute(&lock, &monitor));
        drop(lock);
        read_whole(&repo, latest);
        no_record_without_its_chunks(&repo);
        match result {
            Ok(_) => {
                completed = true;
                break;
            }
            Err(PurgeError::Stopped) => {}
            Err(e) => panic!("{e}"),
        }
    }
    assert!(completed, "it ends at last");
}

#[test]
fn every_write_may_fail() {
    let made = small(Store::memory());
    let whole = content(&made.maker.store);
    let before = bytes(&whole);
    let faults = Faults::none();
    let store = store_of(&whole);
    let key = &made.maker.key;
    let open = |store: Store| Repository::open(store, key, Default::default()).unwrap();
    let full = purge(&open(store.faulty(&faults)), &store, &[]).unwrap();
    let writes = faults.done();
    assert_eq!(keys(&store), made.stays);
    assert!(writes > 10, "{writes}");
    let errors = [libc::ENOSPC, libc::EIO, libc::EROFS, libc::EACCES].map(Fault::Errno);
    for fault in errors.into_iter().chain([Fault::Stop]) {
        for at in 0..writes {
            let store = store_of(&whole);
            let faults = Faults::among_writes(at, fault);
            let failed = purge(&open(store.faulty(&faults)), &store, &[]);
            assert!(failed.is_err(), "{fault:?} at {at}");
            let repo = open(store.clone());
            assert!(keys(&store).is_superset(&made.stays), "{fault:?} at {at}");
            read_whole(&repo, made.ids[2]);
            no_record_without_its_chunks(&repo);
            let freed = before - bytes(&content(&store));
            let rest = purge(&repo, &store, &[]).unwrap();
            assert_eq!(freed + rest.bytes, full.bytes, "{fault:?} at {at}");
            assert_eq!(keys(&store), made.stays, "{fault:?} at {at}");
        }
    }
}

#[test]
fn every_read_may_fail() {
    let made = small(Store::memory());
    let whole = content(&made.maker.store);
    let key = &made.maker.key;
    let open = |store: Store| Repository::open(store, key, Default::default());
    for at in 0.. {
        let store = store_of(&whole);
        let faults = Faults::at(at, Fault::Errno(libc::EIO));
        let result = open(store.faulty(&faults)).map(|repo| purge(&repo, &store, &[]));
        let left = keys(&store);
        assert!(left.is_superset(&made.stays), "at {at}");
        let repo = open(store.clone()).unwrap();
        no_record_without_its_chunks(&repo);
        purge(&repo, &store, &[]).unwrap();
        assert_eq!(keys(&store), made.stays, "at {at}");
        if faults.done() <= at {
            assert!(matches!(result, Ok(Ok(_))));
            return;
        }
    }
}

#[test]
fn records_are_told_from_chunks_by_their_look() {
    // A record of an orphan is found whether or not an index lists it, small or large.
    let maker = Maker::new(Store::memory());
    let chunks: Vec<_> = (0..9_000u32).map(|n| maker.chunk(&n.to_le_bytes())).collect();
    let large = FileRecord::new("/large".into(), 36_000, 0, chunks);
    maker.record(&large);
    assert!(maker.store.size(&layout::file(large.id)).unwrap() > 140_000);
    let id = maker.snapshot(0, &[maker.file("/a", 0, b"a", 10)]);
    let (store, calls) = maker.store.recorded();
    let repo = maker.open_store(store);
    tick();
    let lock = exclusive(&maker.store);
    let plan = Plan::make(&repo, &keep_only(&[id]), lock.taken(), &Silent).unwrap();
    calls.take();
    plan.execute(&lock, &Silent).unwrap();
    let deleted = calls.take();
    let place = |key: &str| deleted.iter().position(|call| call.key == key).unwrap();
    let record = place(&layout::file(FileId(large.id.0)));
    assert!(large.chunks.iter().all(|chunk| place(&layout::chunk(*chunk)) > record));
    let sync = deleted.iter().position(|call| call.verb == revu::store::Verb::Sync).unwrap();
    assert!(sync > record && large.chunks.iter().all(|c| place(&layout::chunk(*c)) > sync));
}
