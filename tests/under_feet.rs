//! Repositories that change under a mount's feet, as SiYuan changes them: every read gives right bytes or
//! an error for what is gone, lists follow, and nothing old stands under a new name.
//!
//! `REVU_UNDER_FEET` says for how many seconds instead of the few that fit into everyday tests.

mod common;
mod mount_support;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::io::Read;
use std::path::Path;
use std::sync::RwLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use common::{End, Maker, noise};
use mount_support::{Place, Spec, wanted};
use revu::format::{FileRecord, IndexId, layout};
use revu::store::Store;
use revu::vfs::{Kind, Vfs, VfsOptions, ino};

/// Another content under the same path and second, and so under the same File ID, once nobody needs the
/// first any more.
#[test]
fn an_id_that_comes_back_with_other_content() {
    let maker = Maker::new(Store::memory());
    let old = maker.file("/note.md", 5_000, b"the old content", 100);
    let first = maker.snapshot(1_000, std::slice::from_ref(&old));
    let vfs = Vfs::new(maker.open(), VfsOptions::default()).unwrap();
    let file = |id: IndexId| {
        let folder = vfs.lookup(ino::IDS, id.to_string().as_bytes()).unwrap().attr.ino;
        vfs.lookup(folder, b"note.md").unwrap().attr
    };
    let read = |ino| vfs.read(ino, 0, 100).map(|bytes| bytes.to_vec());
    let before = file(first);
    assert_eq!(read(before.ino).unwrap(), b"the old content");

    maker.store.delete(&layout::index(first)).unwrap();
    maker.store.delete(&layout::file(old.id)).unwrap();
    maker.store.delete(&layout::chunk(old.chunks[0])).unwrap();
    let new = maker.file("/note.md", 5_000, b"a new and longer content", 100);
    assert_eq!(new.id, old.id, "a File ID does not depend on the content");
    let second = maker.snapshot(2_000, std::slice::from_ref(&new));
    vfs.repository().snapshots_now().unwrap();
    let after = file(second);
    assert_eq!((after.kind, after.size), (Kind::File, 24));
    assert_eq!(read(after.ino).unwrap(), b"a new and longer content");
    assert_ne!(after.ino, before.ino, "the kernel keeps what it has read of the other");

    // What has stayed keeps its number, however much goes.
    let third = maker.snapshot(3_000, std::slice::from_ref(&new));
    maker.store.delete(&layout::index(second)).unwrap();
    vfs.repository().snapshots_now().unwrap();
    assert_eq!(file(third).ino, after.ino);
    assert_eq!(read(before.ino).unwrap(), b"the old content", "from the cache");
}

type Files = BTreeMap<String, Vec<u8>>;

/// What ever was, and what is there now.
#[derive(Default)]
struct World {
    ever: RwLock<HashMap<IndexId, Files>>,
    now: RwLock<Now>,
    ends: AtomicBool,
    reads: AtomicU64,
    errors: AtomicU64,
}

#[derive(Default, Clone)]
struct Now {
    /// Oldest first.
    alive: Vec<(IndexId, Vec<FileRecord>)>,
    tags: BTreeMap<String, IndexId>,
    latest: Option<IndexId>,
}

impl Now {
    fn is_alive(&self, id: IndexId) -> bool {
        self.alive.iter().any(|(other, _)| *other == id)
    }
}

impl World {
    fn is_alive(&self, id: IndexId) -> bool {
        self.now.read().unwrap().is_alive(id)
    }

    fn content(&self, id: IndexId, path: &str) -> Vec<u8> {
        self.ever.read().unwrap()[&id][path].clone()
    }

    /// Whether any snapshot ever held this there.
    fn was_ever(&self, path: &str, bytes: &[u8]) -> bool {
        self.ever.read().unwrap().values().any(|files| files.get(path).is_some_and(|f| f == bytes))
    }
}

fn is_gone(error: &std::io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EIO | libc::ESTALE | libc::ENOENT))
}

/// Reads whatever is listed until the world ends.
fn reader(world: &World, point: &Path, seed: u64) {
    let mut random = seed;
    let mut below = |n: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random >> 11) as usize % n
    };
    while !world.ends.load(Ordering::Relaxed) {
        let view = ["ids", "tags", "snapshots"][below(3)];
        let Ok(entries) = fs::read_dir(point.join(view)) else { panic!("{view} cannot be listed") };
        let names: Vec<_> =
            entries.filter_map(|e| e.ok()?.file_name().into_string().ok()).collect();
        if names.is_empty() {
            continue;
        }
        let name = &names[below(names.len())];
        let path = ["notes/a.md", "notes/b.md", "large.bin", "same.md"][below(4)];
        let at = point.join(view).join(name).join(path);
        let id = (view == "ids").then(|| name.parse::<IndexId>().unwrap());
        let was_alive = id.is_some_and(|id| world.is_alive(id));
        let begin = Instant::now();
        let read = match below(3) {
            // In pieces, with a break.
            0 => fs::File::open(&at).and_then(|mut file| {
                let mut bytes = vec![0; 5_000];
                let n = file.read(&mut bytes)?;
                bytes.truncate(n);
                std::thread::sleep(Duration::from_millis(below(40) as u64));
                file.read_to_end(&mut bytes)?;
                Ok(bytes)
            }),
            _ => fs::read(&at),
        };
        world.reads.fetch_add(1, Ordering::Relaxed);
        let key = format!("/{path}");
        match (read, id) {
            (Ok(bytes), Some(id)) => assert!(
                bytes == world.content(id, &key),
                "{name}/{path}: {} bytes that are not its own",
                bytes.len()
            ),
            (Ok(bytes), None) => {
                assert!(world.was_ever(&key, &bytes), "{view}/{name}/{path}: bytes of nobody");
            }
            (Err(e), _) => {
                world.errors.fetch_add(1, Ordering::Relaxed);
                assert!(is_gone(&e), "{}: {e}", at.display());
                // Nothing goes while it is read and is still there afterwards.
                if let Some(id) = id
                    && was_alive
                    && world.is_alive(id)
                    && world.ever.read().unwrap()[&id].contains_key(&key)
                {
                    panic!("{}: {e}, {:?} after it was begun", at.display(), begin.elapsed());
                }
            }
        }
    }
}

/// Makes, tags and purges as DejaVu does.
struct Writer<'a> {
    world: &'a World,
    maker: Maker,
    round: u64,
    /// What `/same.md` holds as long as its record is there.
    same: Option<(FileRecord, Vec<u8>)>,
    large: (FileRecord, Vec<u8>),
}

impl Writer<'_> {
    fn snapshot(&mut self) {
        let n = self.round as i64;
        let mut files = Files::new();
        let mut records = Vec::new();
        for (path, updated) in [("/notes/a.md", n * 1_000), ("/notes/b.md", n / 5 * 1_000)] {
            let bytes = format!("{path} of {updated}, {}", "and more ".repeat(200)).into_bytes();
            records.push(self.maker.file(path, updated, &bytes, 4_000));
            files.insert(path.into(), bytes);
        }
        if n % 9 == 0 {
            let bytes = noise(self.round + 1, 700_000);
            self.large = (self.maker.file("/large.bin", n * 1_000, &bytes, 250_000), bytes);
        }
        records.push(self.large.0.clone());
        files.insert("/large.bin".into(), self.large.1.clone());
        if n % 8 < 2 {
            // An object that is there is left as it is.
            let (record, bytes) = self.same.get_or_insert_with(|| {
                let bytes = format!("the same second, in round {n}").into_bytes();
                (self.maker.file("/same.md", 7_000, &bytes, 100), bytes)
            });
            records.push(record.clone());
            files.insert("/same.md".into(), bytes.clone());
        }
        // Known before anybody can see it.
        let index = self.index(&records);
        self.world.ever.write().unwrap().insert(index.id, files);
        let key = layout::index(index.id);
        let latest = index.id.to_string();
        if n % 4 == 3 {
            // As after a sync: named a moment before it is there.
            self.maker.store.put(layout::LATEST, latest.as_bytes()).unwrap();
            self.maker.store.put(&key, &index.encode()).unwrap();
        } else {
            self.maker.store.put(&key, &index.encode()).unwrap();
            self.maker.store.put(layout::LATEST, latest.as_bytes()).unwrap();
        }
        self.maker.full_latest(index.id, &records);
        let mut now = self.world.now.write().unwrap();
        now.alive.push((index.id, records));
        now.latest = Some(index.id);
    }

    fn index(&self, records: &[FileRecord]) -> revu::format::Index {
        let scratch = Maker::new(Store::memory());
        let id = scratch.snapshot(1_700_000_000_000 + self.round as i64 * 1_000, records);
        scratch.open().objects().index(id).unwrap()
    }

    fn tag(&self) {
        let now = self.world.now.read().unwrap().clone();
        let name = format!("tag{}", self.round % 3);
        let id = now.alive[self.round as usize * 7 % now.alive.len()].0;
        if self.round % 5 == 4 {
            self.maker.store.delete(&layout::tag(&name)).unwrap();
            self.world.now.write().unwrap().tags.remove(&name);
        } else {
            self.maker.tag(&name, id);
            self.world.now.write().unwrap().tags.insert(name, id);
        }
    }

    /// Indexes first, then objects.
    fn purge(&mut self) {
        let mut now = self.world.now.write().unwrap();
        let named: BTreeSet<IndexId> = now.tags.values().copied().chain(now.latest).collect();
        let newest = now.alive.len().saturating_sub(3);
        let mut nth = 0;
        let (stay, go): (Vec<_>, Vec<_>) =
            std::mem::take(&mut now.alive).into_iter().partition(|s| {
                nth += 1;
                named.contains(&s.0) || (nth > newest && self.round % 16 != 15)
            });
        now.alive = stay;
        let kept = now.alive.clone();
        drop(now);
        for (id, _) in &go {
            self.maker.store.delete(&layout::index(*id)).unwrap();
        }
        // The newest large file is written no more than once, so it stays.
        let kept = || kept.iter().flat_map(|(_, records)| records).chain([&self.large.0]);
        let records: BTreeSet<_> = kept().map(|record| record.id).collect();
        let chunks: BTreeSet<_> = kept().flat_map(|record| record.chunks.clone()).collect();
        for record in go.iter().flat_map(|(_, records)| records) {
            if !records.contains(&record.id) {
                self.maker.store.delete(&layout::file(record.id)).unwrap();
                if self.same.as_ref().is_some_and(|(same, _)| same.id == record.id) {
                    self.same = None;
                }
            }
            for chunk in record.chunks.iter().filter(|chunk| !chunks.contains(chunk)) {
                self.maker.store.delete(&layout::chunk(*chunk)).unwrap();
            }
        }
    }
}

/// Waits for what must come soon, on a machine however slow.
fn follows(what: &str, is_so: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < until, "not within a minute: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Nothing changes: everything is listed, and nothing else, and all of it can be read.
fn stands_still(world: &World, point: &Path) {
    let now = world.now.read().unwrap().clone();
    let names = |view: &str| -> BTreeSet<String> {
        let entries = fs::read_dir(point.join(view)).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    let ids: BTreeSet<String> = now.alive.iter().map(|(id, _)| id.to_string()).collect();
    follows("the list of snapshots", || names("ids") == ids);
    follows("the list of tags", || names("tags").iter().eq(now.tags.keys()));
    let latest = now.latest.unwrap();
    let a = |folder: &str| fs::read(point.join(folder).join("notes/a.md")).unwrap_or_default();
    follows("latest", || a("latest") == world.content(latest, "/notes/a.md"));
    for (tag, id) in &now.tags {
        let folder = format!("tags/{tag}");
        follows("a tag", || a(&folder) == world.content(*id, "/notes/a.md"));
    }
    for (id, _) in &now.alive {
        for (path, bytes) in &world.ever.read().unwrap()[id] {
            let read = fs::read(point.join("ids").join(id.to_string()).join(&path[1..]));
            assert!(read.unwrap_or_else(|e| panic!("{id}{path}: {e}")) == *bytes, "{id}{path}");
        }
    }
}

#[test]
fn several_read_while_siyuan_writes_and_purges() {
    if !wanted("several_read_while_siyuan_writes_and_purges") {
        return;
    }
    let seconds = std::env::var("REVU_UNDER_FEET");
    let seconds = seconds.map_or(6, |n| n.parse().expect("REVU_UNDER_FEET is a number"));
    let place = Place::new();
    let repo = place.path("repo");
    fs::create_dir(&repo).unwrap();
    let world = World::default();
    let maker = Maker::new(Store::local(&repo));
    let large = noise(0, 700_000);
    let record = maker.file("/large.bin", 0, &large, 250_000);
    let key = maker.key.to_base64();
    let mut writer = Writer { world: &world, maker, round: 0, same: None, large: (record, large) };
    writer.snapshot();
    let mount = place.mount(&Spec::new(&repo, &key, &place.path("mount")));
    let mut purges = 0;
    std::thread::scope(|scope| {
        // Also where the writer panics.
        let _end = End(&world.ends);
        for n in 1..5u64 {
            let (world, point) = (&world, &mount.point);
            scope.spawn(move || reader(world, point, n.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        }
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(seconds) {
            writer.round += 1;
            writer.snapshot();
            writer.tag();
            if writer.round % 4 == 3 {
                writer.purge();
                purges += 1;
            }
            std::thread::sleep(Duration::from_millis(writer.round * 13 % 70));
            if writer.round.is_multiple_of(40) {
                stands_still(&world, &mount.point);
            }
        }
        stands_still(&world, &mount.point);
    });
    let count = |of: &AtomicU64| of.load(Ordering::Relaxed);
    let (reads, errors) = (count(&world.reads), count(&world.errors));
    println!(
        "{} snapshots, {purges} purges, {reads} reads, {errors} of them of what was gone or not there",
        writer.round
    );
    assert!(reads > 50 && purges > 0, "{reads} reads, {purges} purges");
    assert!(mount.is_up());
}
