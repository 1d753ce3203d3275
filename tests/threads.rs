//! Many threads at the catalog, the chunk cache, read-ahead and the tree at once, while snapshots come and
//! go: nobody gets what is not his. `scripts/torture` runs it under the thread sanitizer where there is one.
//!
//! `REVU_THREADS_SECONDS` says for how long.

mod common;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use common::{End, Maker, noise};
use revu::format::{FileRecord, IndexId, layout};
use revu::repo::{File, Options, Repository};
use revu::store::Store;
use revu::vfs::{Kind, Vfs, VfsOptions, ino};

type Files = BTreeMap<String, Vec<u8>>;

#[derive(Default)]
struct World {
    ever: RwLock<HashMap<IndexId, Arc<Files>>>,
    alive: RwLock<Vec<(IndexId, Vec<FileRecord>)>>,
    ends: AtomicBool,
    reads: AtomicU64,
}

impl World {
    fn is_alive(&self, id: IndexId) -> bool {
        self.alive.read().unwrap().iter().any(|(other, _)| *other == id)
    }

    fn files(&self, id: IndexId) -> Arc<Files> {
        Arc::clone(&self.ever.read().unwrap()[&id])
    }
}

struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % n
    }
}

/// Reads files of a snapshot by their numbers.
fn by_number(world: &World, repo: &Repository, random: &mut Random, id: IndexId) {
    // As everybody does: what is gone and what has come back is seen by the list.
    if repo.snapshots().unwrap().get(id).is_none() {
        return;
    }
    let Ok(loaded) = repo.load(id) else {
        assert!(!world.is_alive(id), "{id} cannot be loaded");
        return;
    };
    let files = world.files(id);
    for _ in 0..20 {
        let no = loaded.files[random.below(loaded.files.len())];
        let Some(File::Known(entry)) = repo.catalog().file(no) else {
            assert!(!world.is_alive(id), "a record of {id} cannot be read");
            continue;
        };
        let whole = &files[&*entry.path];
        let offset = random.below(whole.len() + 1);
        let len = random.below(9_000);
        world.reads.fetch_add(1, Ordering::Relaxed);
        match repo.read(no, offset as u64, len) {
            Ok(bytes) => {
                assert!(
                    bytes[..] == whole[offset..whole.len().min(offset + len)],
                    "{}",
                    entry.path
                );
            }
            Err(e) => assert!(!world.is_alive(id), "{}: {e}", entry.path),
        }
    }
}

/// Reads a whole snapshot through the tree.
fn by_name(world: &World, vfs: &Vfs, id: IndexId) {
    let files = world.files(id);
    let look = || -> Result<(), revu::vfs::VfsError> {
        let root = vfs.lookup(ino::IDS, id.to_string().as_bytes())?.attr.ino;
        for (path, bytes) in &*files {
            let mut at = root;
            for name in path[1..].split('/') {
                at = vfs.lookup(at, name.as_bytes())?.attr.ino;
            }
            let (attr, _) = vfs.getattr(at)?;
            assert_eq!((attr.kind, attr.size), (Kind::File, bytes.len() as u64), "{path} of {id}");
            let read = vfs.read(at, 0, bytes.len())?;
            world.reads.fetch_add(1, Ordering::Relaxed);
            assert!(read[..] == bytes[..], "{path} of {id}");
        }
        Ok(())
    };
    if let Err(e) = look() {
        // A list may be a tenth of a second old.
        std::thread::sleep(Duration::from_millis(150));
        assert!(!world.is_alive(id) || look().is_ok() || !world.is_alive(id), "{id}: {e}");
    }
}

fn reader(world: &World, repo: &Repository, vfs: &Vfs, seed: u64) {
    let mut random = Random(seed);
    while !world.ends.load(Ordering::Relaxed) {
        let id = {
            let alive = world.alive.read().unwrap();
            alive[random.below(alive.len())].0
        };
        match random.below(4) {
            0 => by_name(world, vfs, id),
            _ => by_number(world, repo, &mut random, id),
        }
    }
}

/// One snapshot more: most files as they were, one of a second that was there before.
fn snapshot(world: &World, maker: &Maker, n: i64) {
    let mut files = Files::new();
    let mut records = Vec::new();
    for file in 0..12i64 {
        let version = (n + file) / 4;
        let bytes = noise((file * 1_000 + version) as u64, 400 + 1_500 * file as usize);
        let path = format!("/d{}/{file}", file % 3);
        records.push(maker.file(&path, version * 1_000, &bytes, 2_500));
        files.insert(path, bytes);
    }
    // An ID that comes back with another content, when the last that had it is gone.
    if n % 12 == 0 {
        let bytes = format!("in round {n}").into_bytes();
        records.push(maker.file("/same", 5_000, &bytes, 100));
        files.insert("/same".into(), bytes);
    }
    let index = {
        let scratch = Maker::new(Store::memory());
        let id = scratch.snapshot(n * 1_000, &records);
        scratch.open().objects().index(id).unwrap()
    };
    world.ever.write().unwrap().insert(index.id, Arc::new(files));
    maker.index(&index);
    maker.store.put(layout::LATEST, index.id.to_string().as_bytes()).unwrap();
    world.alive.write().unwrap().push((index.id, records));
}

/// All but the last four go.
fn purge(world: &World, maker: &Maker) {
    let mut alive = world.alive.write().unwrap();
    let stay = alive.len().saturating_sub(4);
    let go: Vec<_> = alive.drain(..stay).collect();
    let kept: Vec<FileRecord> = alive.iter().flat_map(|(_, records)| records.clone()).collect();
    drop(alive);
    for (id, _) in &go {
        maker.store.delete(&layout::index(*id)).unwrap();
    }
    for record in go.into_iter().flat_map(|(_, records)| records) {
        if !kept.iter().any(|other| other.id == record.id) {
            maker.store.delete(&layout::file(record.id)).unwrap();
        }
        for chunk in &record.chunks {
            if !kept.iter().any(|other| other.chunks.contains(chunk)) {
                maker.store.delete(&layout::chunk(*chunk)).unwrap();
            }
        }
    }
}

#[test]
fn nobody_gets_what_is_not_his() {
    let seconds = std::env::var("REVU_THREADS_SECONDS");
    let seconds = seconds.map_or(4, |n| n.parse().expect("REVU_THREADS_SECONDS is a number"));
    let world = World::default();
    let maker = Maker::new(Store::memory());
    (0..4).for_each(|n| snapshot(&world, &maker, n));
    // Much less than there is, so that chunks come and go too.
    let options = Options { cache_bytes: 48 << 10 };
    let repo = Arc::new(Repository::open(maker.store.clone(), &maker.key, options).unwrap());
    let vfs = Vfs::new(Arc::clone(&repo), VfsOptions::default()).unwrap();
    let mut n = 4;
    std::thread::scope(|scope| {
        // Also where somebody panics.
        let _end = End(&world.ends);
        for seed in 1..7u64 {
            let (world, repo, vfs) = (&world, &repo, &vfs);
            scope.spawn(move || {
                let _end = End(&world.ends);
                reader(world, repo, vfs, seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            });
        }
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(seconds) && !world.ends.load(Ordering::Relaxed)
        {
            snapshot(&world, &maker, n);
            if n % 5 == 0 {
                purge(&world, &maker);
            }
            n += 1;
            std::thread::sleep(Duration::from_millis(15));
        }
    });
    let reads = world.reads.into_inner();
    println!("{n} snapshots came and most went, {reads} reads");
    assert!(reads > 100 && n > 10, "{reads} reads, {n} snapshots");
    assert!(repo.chunks().weight() <= repo.chunks().cap());
}
