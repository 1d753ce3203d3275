//! What the tests of purge and check share: whole stores as maps, copies of them, snapshots read to
//! the last byte.
#![allow(dead_code, reason = "each test program uses its part")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, SystemTime};

use revu::format::{FileId, IndexId, layout};
use revu::ops::Silent;
use revu::ops::purge::{Candidate, Done, Plan, PurgeError};
use revu::repo::Repository;
use revu::store::Store;
use revu::store::lock::{Kind, Lock};

/// Every key with its bytes.
pub fn content(store: &Store) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        for listed in store.list(&folder).unwrap() {
            let key = match folder.as_str() {
                "" => listed.name,
                folder => format!("{folder}/{}", listed.name),
            };
            if listed.is_folder {
                folders.push(key);
            } else {
                let bytes = store.get(&key, u64::MAX).unwrap();
                all.insert(key, bytes);
            }
        }
    }
    all
}

/// Every key.
pub fn keys(store: &Store) -> BTreeSet<String> {
    content(store).into_keys().collect()
}

/// A store in memory with this in it.
pub fn store_of(content: &BTreeMap<String, Vec<u8>>) -> Store {
    let store = Store::memory();
    for (key, bytes) in content {
        store.put(key, bytes).unwrap();
    }
    store
}

/// Writes this into a folder, durable or not.
pub fn write_out(content: &BTreeMap<String, Vec<u8>>, folder: &Path) {
    for (key, bytes) in content {
        let path = folder.join(key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

/// Returns when the clock has moved on, so that what is written next is younger than what was written
/// before.
pub fn tick() -> SystemTime {
    let before = SystemTime::now();
    loop {
        std::thread::sleep(Duration::from_micros(50));
        let now = SystemTime::now();
        if now > before {
            return now;
        }
    }
}

pub fn exclusive(store: &Store) -> Lock {
    Lock::take(store, Kind::Exclusive, "purge", Duration::ZERO, &|| false).unwrap()
}

/// Keeps what the test says.
pub fn keep_only(ids: &[IndexId]) -> impl Fn(&[Candidate]) -> Vec<Vec<String>> {
    let ids = ids.to_vec();
    move |candidates| {
        let keep = |id| if ids.contains(id) { vec!["the test".to_owned()] } else { Vec::new() };
        candidates.iter().map(|candidate| keep(&candidate.head.id)).collect()
    }
}

/// Plans and executes under a lock of its own.
pub fn purge(repo: &Repository, lock: &Store, keep: &[IndexId]) -> Result<Done, PurgeError> {
    tick();
    let lock = exclusive(lock);
    Plan::make(repo, &keep_only(keep), lock.taken(), &Silent)?.execute(&lock, &Silent)
}

/// Reads every byte of a snapshot; gives the keys of all that it needs.
pub fn read_whole(repo: &Repository, id: IndexId) -> BTreeSet<String> {
    let mut needed = BTreeSet::from([layout::index(id)]);
    let objects = repo.objects();
    let index = objects.index(id).unwrap();
    for file in index.files {
        needed.insert(layout::file(file));
        let record = objects.record(file).unwrap_or_else(|e| panic!("{e}"));
        let mut size = 0;
        for chunk in record.chunks {
            needed.insert(layout::chunk(chunk));
            size += objects.chunk(chunk).unwrap_or_else(|e| panic!("{e}")).len();
        }
        assert_eq!(size as i64, record.size, "{}", record.path);
    }
    needed
}

/// Panics where a record is there, of a snapshot or not, whose chunks are not.
pub fn no_record_without_its_chunks(repo: &Repository) {
    let keys = keys(repo.store());
    for id in keys.iter().filter_map(|key| layout::object_id(key)) {
        if let Ok(record) = repo.objects().record(FileId(id)) {
            for chunk in &record.chunks {
                let key = layout::chunk(*chunk);
                assert!(keys.contains(&key), "{}: {key} is gone", record.path);
            }
        }
    }
}
