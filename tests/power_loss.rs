//! The power fails: a disk holds what was synced, and of the rest whatever it likes, in any order. At every
//! moment of everything that writes, such disks are made, opened and read to the last byte.
//!
//! A disk keeps what a store's `put` and `sync` have promised when they returned. Names that were given or
//! taken away since are there or not, each by itself; a name whose bytes were never synced leads
//! to any part of them. Of the combinations none, all, each alone, each left out and some by chance are made:
//! `REVU_POWER` says how many by chance for each moment.

mod common;
mod purge_support;
mod snapshot;

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, HashSet};
use std::hash::{Hash, Hasher};

use common::{Maker, noise};
use purge_support::{content, read_whole, store_of};
use revu::format::own::{Own, Secret, Settings, Stretch, Style};
use revu::format::{IndexId, RepoKey, layout};
use revu::ops::check::{Options, ReadData, check};
use revu::ops::{Silent, init, keys, refs, tags};
use revu::repo::Repository;
use revu::store::{Event, Store};
use snapshot::{Bench, on_disk, plain, read_back, siyuan};

/// What is on a disk.
type Keys = BTreeMap<String, Vec<u8>>;

/// Something that the disk may have done.
struct Waiting {
    /// The number of its event.
    nth: usize,
    key: String,
    /// What the key may hold once it is done; `None` where it was removed.
    may_hold: Vec<Option<Vec<u8>>>,
}

/// What is on the disk for sure, and what may be.
struct Disk {
    sure: Keys,
    waiting: Vec<Waiting>,
}

impl Disk {
    fn settle(&mut self, is_settled: impl Fn(&Waiting) -> bool) {
        let (settled, rest) = std::mem::take(&mut self.waiting).into_iter().partition(is_settled);
        self.waiting = rest;
        let settled: Vec<Waiting> = settled;
        for done in settled {
            apply(&mut self.sure, &done.key, &done.may_hold[0]);
        }
    }

    fn happens(&mut self, nth: usize, event: &Event) {
        let mut wait = |key: &str, may_hold| {
            self.waiting.push(Waiting { nth, key: key.to_owned(), may_hold });
        };
        match event {
            Event::Putting { key, bytes } => wait(key, vec![Some(bytes.clone())]),
            Event::Published { key, bytes, durable: true } => wait(key, vec![Some(bytes.clone())]),
            Event::Published { key, bytes, durable: false } => {
                let half = bytes[..bytes.len() / 2].to_vec();
                wait(key, vec![Some(bytes.clone()), Some(half), Some(Vec::new())]);
            }
            Event::Deleted { key } => wait(key, vec![None]),
            Event::Put { key, done: true } => self.settle(|waiting| waiting.key == *key),
            // Something else has that name: nothing was written.
            Event::Put { key, done: false } => {
                let at = self.waiting.iter().rposition(|waiting| waiting.key == *key);
                drop(self.waiting.remove(at.expect("it was begun")));
            }
            Event::Sync { began } => self.settle(|waiting| waiting.nth < *began),
        }
    }

    /// What is there if of what waits only this was done, each with the nth of what it may hold.
    fn with(&self, done: impl Fn(usize) -> Option<usize>) -> Keys {
        let mut keys = self.sure.clone();
        for (n, waiting) in self.waiting.iter().enumerate() {
            if let Some(which) = done(n) {
                let which = which % waiting.may_hold.len();
                apply(&mut keys, &waiting.key, &waiting.may_hold[which]);
            }
        }
        keys
    }
}

fn apply(keys: &mut Keys, key: &str, value: &Option<Vec<u8>>) {
    match value {
        Some(bytes) => drop(keys.insert(key.to_owned(), bytes.clone())),
        None => drop(keys.remove(key)),
    }
}

/// Shows `see` each disk that there may be, once; gives how many there were.
fn each_disk(before: &Keys, events: &[Event], mut see: impl FnMut(Keys)) -> usize {
    let chances: usize =
        std::env::var("REVU_POWER").ok().map_or(6, |n| n.parse().expect("REVU_POWER is a number"));
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    let mut seen = HashSet::new();
    let mut show = |keys: Keys| {
        let mut hasher = DefaultHasher::new();
        keys.hash(&mut hasher);
        if seen.insert(hasher.finish()) {
            see(keys);
        }
        seen.len()
    };
    let mut disk = Disk { sure: before.clone(), waiting: Vec::new() };
    let mut count = show(before.clone());
    for (nth, event) in events.iter().enumerate() {
        disk.happens(nth, event);
        show(disk.with(|_| None));
        for which in 0..3 {
            show(disk.with(|_| Some(which)));
        }
        let waiting = disk.waiting.len();
        let step = if chances > 6 { 1 } else { waiting.div_ceil(12).max(1) };
        for one in (0..waiting).step_by(step) {
            for which in 0..3 {
                show(disk.with(|n| (n == one).then_some(which)));
            }
            show(disk.with(|n| (n != one).then_some(0)));
        }
        for _ in 0..chances {
            let chance = next();
            count = show(disk.with(|n| {
                let mut hasher = DefaultHasher::new();
                (chance, n).hash(&mut hasher);
                let drawn = hasher.finish();
                (drawn & 1 == 0).then_some((drawn >> 1) as usize % 3)
            }));
        }
    }
    count
}

/// Every ref leads to a snapshot, every snapshot is whole, and these are among them.
fn is_sound(repo: &Repository, must: &[IndexId]) {
    let options = Options { read_data: ReadData::All, zone: jiff::tz::TimeZone::UTC };
    let report = check(repo, &options, None, &Silent).unwrap();
    assert_eq!(report.summary.damage, 0, "{:?}", report.findings);
    for found in refs::all(repo.store()).unwrap() {
        found.id.unwrap_or_else(|e| panic!("{e}"));
    }
    for id in must {
        read_whole(repo, *id);
    }
}

fn of_latest(store: &Store) -> IndexId {
    revu::store::refs::read(store, layout::LATEST).unwrap().expect("there is a latest")
}

/// Of processes that have ended, were this not all one process.
fn without_locks(mut keys: Keys) -> Keys {
    keys.retain(|key, _| !key.starts_with("revu-locks/"));
    keys
}

#[test]
fn during_a_snapshot() {
    for profile in [plain(), siyuan()] {
        let mut bench = Bench::new(profile);
        bench.write("kept", "kept");
        bench.write("edited", "first");
        bench.write("removed", "removed");
        bench.options.tags = vec!["v1".into()];
        bench.run();
        let before = content(&bench.store());
        let first = of_latest(&bench.store());
        bench.write("edited", "later");
        snapshot::set_time(&bench.data().join("edited"), 1_700_000_000, 5_000_000);
        bench.remove("removed");
        for n in 0..12 {
            bench.write(&format!("added/{n}"), format!("small {n}"));
        }
        bench.write("added/large", noise(1, 700_000));
        bench.options.tags = vec!["v2".into()];
        let expected = on_disk(&bench.data());
        let (store, journal) = store_of(&before).forgetful();
        bench.run_in(&snapshot::open(store.clone())).unwrap();
        let last = of_latest(&store);
        let events = journal.take();
        let mut nth = 0;
        let disks = each_disk(&before, &events, |keys| {
            let store = store_of(&without_locks(keys));
            let repo = snapshot::open(store.clone());
            is_sound(&repo, &[first]);
            let latest = of_latest(&store);
            assert!(latest == first || latest == last);
            nth += 1;
            if nth % 16 == 0 {
                // The next one brings it all, whatever it finds.
                bench.forget_state();
                let mut options = bench.options.clone();
                options.tags.clear();
                let made = revu::ops::snapshot::snapshot(
                    &repo,
                    &bench.data(),
                    &bench.profile,
                    &options,
                    &Silent,
                );
                made.unwrap();
                let repo = snapshot::open(store.clone());
                assert_eq!(read_back(&repo, of_latest(&store)), expected);
                is_sound(&repo, &[first]);
            }
        });
        println!("{} events of a snapshot: {disks} disks", events.len());
        assert!(disks > 100, "{disks}");
    }
}

#[test]
fn during_a_purge() {
    let maker = Maker::new(Store::memory());
    let shared = maker.file("/shared.md", 1_000, &noise(1, 3_000), 1_000);
    let ids: Vec<_> = (0..4i64)
        .map(|n| {
            let own = maker.file("/own.md", 1_000 * (n + 2), &noise(10 + n as u64, 2_000), 1_500);
            maker.snapshot(1_000 * n, &[shared.clone(), own])
        })
        .collect();
    maker.tag("v1", ids[1]);
    maker.file("/never.md", 9_000, &noise(99, 2_000), 1_000);
    let before = content(&maker.store);
    let (store, journal) = maker.store.forgetful();
    let repo = maker.open_store(store.clone());
    let done = purge_support::purge(&repo, &store, &[]).unwrap();
    assert_eq!(done.snapshots, 2);
    let events = journal.take();
    let disks = each_disk(&before, &events, |keys| {
        let repo = maker.open_store(store_of(&without_locks(keys)));
        is_sound(&repo, &[ids[1], ids[3]]);
        purge_support::no_record_without_its_chunks(&repo);
    });
    println!("{} events of a purge: {disks} disks", events.len());
    assert!(disks > 40, "{disks}");
}

#[test]
fn while_a_tag_comes_and_goes() {
    let maker = Maker::new(Store::memory());
    let id = maker.snapshot(1_000, &[maker.file("/a", 1_000, b"a", 9)]);
    let before = content(&maker.store);
    let (store, journal) = maker.store.forgetful();
    let repo = maker.open_store(store.clone());
    tags::add(&repo, "v1", id).unwrap();
    tags::add(&repo, "v2", id).unwrap();
    tags::remove(&store, "v1").unwrap();
    let events = journal.take();
    let disks = each_disk(&before, &events, |keys| {
        let tag = |name: &str| keys.get(&layout::tag(name)).cloned();
        let whole = id.to_string().into_bytes();
        assert!(["v1", "v2"].iter().all(|name| tag(name).is_none_or(|tag| tag == whole)));
        is_sound(&maker.open_store(store_of(&without_locks(keys))), &[id]);
    });
    println!("{} events of tags: {disks} disks", events.len());
    assert!(disks > 5, "{disks}");
}

fn file(n: u8) -> Secret {
    Secret::Key(RepoKey::from_bytes([n; 32]))
}

fn style() -> Style<'static> {
    Style { created: 0, label: None, stretch: Stretch::STANDARD }
}

#[test]
fn while_keys_change() {
    let maker = Maker::new(Store::memory());
    let id = maker.snapshot(1_000, &[maker.file("/a", 1_000, b"a", 9)]);
    let own = Own::new(&maker.key, Settings::default());
    maker.store.put("revu.json", &own.encode()).unwrap();
    let slot = keys::add(&maker.store, &maker.key, &file(1), style()).unwrap();
    let opens = |store: &Store, n: u8| match keys::open(store, &file(n)) {
        Ok(access) => {
            assert_eq!(access.key, maker.key);
            true
        }
        Err(keys::KeysError::Wrong { .. }) => false,
        Err(e) => panic!("{e}"),
    };
    type Change<'a> = (&'a str, &'a dyn Fn(&Store), [bool; 2], [bool; 2]);
    let changes: [Change<'_>; 3] = [
        (
            "add",
            &|store| {
                keys::add(store, &maker.key, &file(2), style()).unwrap();
            },
            [true, false],
            [true, true],
        ),
        (
            "change",
            &|store| keys::change(store, &maker.key, slot, &file(3), style()).unwrap(),
            [true, true],
            [false, true],
        ),
        (
            "remove",
            &|store| {
                let own = keys::read(store).unwrap().unwrap();
                let other = own.slots().iter().map(|it| it.id()).find(|it| *it != slot);
                keys::remove(store, slot, other).unwrap();
            },
            [false, true],
            [false, true],
        ),
    ];
    for (what, change, was, is) in changes {
        let before = content(&maker.store);
        let (store, journal) = maker.store.forgetful();
        change(&store);
        let events = journal.take();
        let disks = each_disk(&before, &events, |keys| {
            let store = store_of(&without_locks(keys));
            let now = [opens(&store, 1), opens(&store, 2)];
            assert!(now == was || now == is, "{what}: {now:?}");
            is_sound(&maker.open_store(store), &[id]);
        });
        println!("{} events of a key slot's {what}: {disks} disks", events.len());
        assert!(disks > 2, "{what}: {disks}");
    }
    assert!(keys::open(&maker.store, &file(3)).is_err(), "it went with the last change");
}

#[test]
fn while_a_repository_is_made() {
    let (store, journal) = Store::memory().forgetful();
    let made = init::own(&store, &file(1), Settings::default(), style()).unwrap();
    let disks = each_disk(&Keys::new(), &journal.take(), |keys| {
        let store = store_of(&keys);
        if keys.is_empty() {
            init::own(&store, &file(2), Settings::default(), style()).unwrap();
        } else {
            assert_eq!(keys::open(&store, &file(1)).unwrap().key, made.key);
        }
    });
    assert_eq!(disks, 2);
}

#[test]
fn what_is_not_synced_is_found_out() {
    // Were there no promise, there would be a fault: an index whose file was never synced.
    let maker = Maker::new(Store::memory());
    let before = content(&maker.store);
    let record = maker.file("/a", 1_000, b"a", 9);
    let id = maker.snapshot(1_000, &[record]);
    let events: Vec<Event> = content(&maker.store)
        .into_iter()
        .map(|(key, bytes)| Event::Published { key, bytes, durable: false })
        .collect();
    let (mut whole, mut torn) = (0, 0);
    each_disk(&before, &events, |keys| {
        let options = Options { read_data: ReadData::All, zone: jiff::tz::TimeZone::UTC };
        let opened = Repository::open(store_of(&keys), &maker.key, Default::default());
        let damage = |repo| check(&repo, &options, None, &Silent).unwrap().summary.damage;
        match opened.map(damage) {
            Ok(0) => whole += 1,
            _ => torn += 1,
        }
    });
    assert!(whole > 1 && torn > 10, "{whole} {torn} {id}");
}
