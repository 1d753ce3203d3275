//! Repositories that somebody made with the right key to do harm: nothing leaves the mount or a
//! restore's target, memory stays bounded, and what is honest in them stays readable.
//!
//! Paths in a mount are in `tests/damage.rs`.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use common::Maker;
use revu::format::latest::FullLatest;
use revu::format::own::Own;
use revu::format::{ChunkId, FileId, FileRecord, Id, Index, IndexId, layout};
use revu::ops::check::{Options, ReadData, check};
use revu::ops::find::{NamePattern, Query, find};
use revu::ops::paths::Scope;
use revu::ops::restore::{Wanted, plan};
use revu::ops::{Silent, diff, purge};
use revu::store::Store;
use revu::vfs::{Kind, Vfs, VfsOptions, ino};

/// The system's allocator, counting.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

fn count(more: usize) {
    let held = HELD.fetch_add(more, Ordering::Relaxed) + more;
    PEAK.fetch_max(held, Ordering::Relaxed);
}

// SAFETY: everything is passed on to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(at, layout) }
    }
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, new: usize) -> *mut u8 {
        count(new);
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.realloc(at, layout, new) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// One after the other: the counter is the whole program's.
static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());

/// Runs a test alone, and fails it where it held more than `most` bytes at a time or hung.
fn bounded(most: usize, test: impl FnOnce()) {
    let _alone = ALONE.lock().unwrap_or_else(|broken| broken.into_inner());
    let before = HELD.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let began = Instant::now();
    test();
    let held = PEAK.load(Ordering::Relaxed) - before;
    println!("{} MiB at the most, {:?}", held >> 20, began.elapsed());
    assert!(held <= most, "{held} bytes were held");
    // Whatever takes so long, on a machine however slow, hangs.
    assert!(began.elapsed() < Duration::from_secs(600), "{:?}", began.elapsed());
}

/// From here on memory counts: making something hostile takes more than to meet it.
fn made() -> usize {
    let held = HELD.load(Ordering::Relaxed);
    PEAK.store(held, Ordering::Relaxed);
    held
}

/// Reads all files of all snapshots; gives the contents that could be read.
fn read_all(maker: &Maker) -> BTreeSet<Vec<u8>> {
    fn below(vfs: &Vfs, dir: u64, contents: &mut BTreeSet<Vec<u8>>) {
        let mut items = Vec::new();
        let listed = vfs.readdir(dir, 0, &mut |item| {
            if !matches!(item.name, b"." | b"..") {
                items.push(item.entry.attr);
            }
            true
        });
        if listed.is_err() {
            return;
        }
        for attr in items {
            if attr.kind == Kind::Dir {
                below(vfs, attr.ino, contents);
            } else if let Ok(bytes) = vfs.read(attr.ino, 0, attr.size.min(1 << 20) as usize) {
                contents.insert(bytes.to_vec());
            }
        }
    }
    let vfs = Vfs::new(maker.open(), VfsOptions::default()).unwrap();
    let mut contents = BTreeSet::new();
    below(&vfs, ino::IDS, &mut contents);
    contents
}

/// What every other deed makes of it: anything but a panic. Gives how many findings there are.
fn all_deeds(maker: &Maker) -> usize {
    let repo = maker.open();
    let ids: Vec<_> = repo.snapshots().unwrap().list.iter().map(|s| s.head.id).collect();
    for two in ids.windows(2) {
        let _ = diff::snapshots(&repo, two[0], two[1], &Scope::default(), &Silent);
    }
    let any = Query::Name(NamePattern::new("*", false).unwrap());
    find(&repo, &ids, &any, &Scope::default(), &Silent);
    let keep = |all: &[purge::Candidate]| vec![Vec::new(); all.len()];
    let now = std::time::SystemTime::now();
    let _ = purge::Plan::make(&repo, &keep, now, &Silent);
    let options = Options { read_data: ReadData::All, zone: jiff::tz::TimeZone::UTC };
    check(&repo, &options, None, &Silent).unwrap().summary.damage
}

fn honest(maker: &Maker) -> FileRecord {
    maker.file("/honest.md", 1_000, b"an honest file", 100)
}

/// A frame of `head`, many times the same byte, and `tail`, which says its size or does not.
fn bomb(head: &str, len: usize, tail: &str, sized: bool) -> Vec<u8> {
    let whole = [head.as_bytes(), &vec![b'x'; len], tail.as_bytes()].concat();
    if sized {
        return zstd::bulk::compress(&whole, 1).unwrap();
    }
    let mut frame = Vec::new();
    zstd::stream::copy_encode(&whole[..], &mut frame, 1).unwrap();
    frame
}

fn seal(maker: &Maker, id: Id, frame: &[u8]) {
    use aes_gcm::aead::{Aead, KeyInit};
    let cipher = aes_gcm::Aes256Gcm::new(maker.key.as_bytes().into());
    let sealed = cipher.encrypt(&[3u8; 12].into(), frame).unwrap();
    maker.store.put(&layout::object(id), &[&[3u8; 12][..], &sealed].concat()).unwrap();
}

#[test]
fn records_that_expand_to_as_much_as_they_may() {
    // All that may be expanded at a time is 256 MiB.
    bounded(280 << 20, || {
        let maker = Maker::new(Store::memory());
        let mut files = vec![honest(&maker).id];
        for n in 0..12 {
            let id = FileId(Id::digest(&[n]));
            let head = format!(r#"{{"id":"{id}","path":"/"#);
            let tail = r#"","size":1,"updated":0,"chunks":[]}"#;
            // Within the limit and beyond it, honest about its size or not.
            let len = if n % 3 == 0 { 100 << 20 } else { 60 << 20 };
            seal(&maker, id.0, &bomb(&head, len, tail, n % 2 == 0));
            files.push(id);
        }
        maker.snapshot_of(1_000, files, &[]);
        made();
        assert_eq!(read_all(&maker), BTreeSet::from([b"an honest file".to_vec()]));
        assert!(all_deeds(&maker) >= 12, "each of them");
    });
}

#[test]
fn indexes_that_expand_to_as_much_as_they_may() {
    bounded(200 << 20, || {
        let maker = Maker::new(Store::memory());
        let record = honest(&maker);
        for n in 0..4u8 {
            let id = IndexId(Id::digest(&[n]));
            // A memo so long that a look at the head does not suffice.
            let head = format!(r#"{{"id":"{id}","memo":""#);
            let tail = format!(r#"","created":5,"files":["{}"]}}"#, record.id);
            let len = if n % 2 == 0 { 300 << 20 } else { 200 << 20 };
            maker.store.put(&layout::index(id), &bomb(&head, len, &tail, n < 2)).unwrap();
        }
        maker.snapshot(1_000, &[record]);
        made();
        let contents = read_all(&maker);
        assert_eq!(contents, BTreeSet::from([b"an honest file".to_vec()]));
    });
}

#[test]
fn chunks_that_expand_without_end_and_records_of_a_million_chunks() {
    bounded(400 << 20, || {
        let maker = Maker::new(Store::memory());
        let mut records = vec![honest(&maker)];
        let piece = maker.chunk(b"x");
        for (n, sized) in [(0u8, true), (1, false)] {
            let chunk = ChunkId(Id::digest(&[n]));
            seal(&maker, chunk.0, &bomb("", 500 << 20, "", sized));
            let path = format!("/bomb{n}");
            records.push(FileRecord::new(path, 4 << 20, 0, vec![chunk]));
        }
        records.push(FileRecord::new("/many".into(), 1_000_000, 0, vec![piece; 1_000_000]));
        records.push(FileRecord::new("/lying".into(), 1 << 40, 0, vec![piece; 1_000_000]));
        records[1..].iter().for_each(|record| maker.record(record));
        maker.snapshot(1_000, &records);
        made();
        let contents = read_all(&maker);
        assert!(contents.contains(&b"an honest file"[..]));
        assert!(contents.contains(&vec![b'x'; 1_000_000]), "odd, but true");
        assert_eq!(contents.len(), 2);
        assert!(all_deeds(&maker) >= 3);
    });
}

#[test]
fn indexes_of_millions_of_files() {
    bounded(200 << 20, || {
        let maker = Maker::new(Store::memory());
        let record = honest(&maker);
        maker.snapshot_of(1_000, vec![record.id; 300_000], &[]);
        made();
        assert_eq!(read_all(&maker), BTreeSet::from([b"an honest file".to_vec()]));
        // Ten million are more than an index may list.
        let id = IndexId(Id::digest(b"ten million"));
        let one = format!(r#","{}""#, record.id);
        let list = one.repeat(10_000_000);
        let json = format!(r#"{{"id":"{id}","created":1,"files":[{}]}}"#, &list[1..]);
        drop(list);
        let frame = zstd::bulk::compress(json.as_bytes(), 1).unwrap();
        drop(json);
        maker.store.put(&layout::index(id), &frame).unwrap();
        drop(frame);
        let repo = maker.open();
        made();
        assert!(repo.load(id).is_err(), "more than an index may expand to");
        // A million times one file are 43 MB, and a few kilobytes on disk.
        let million = maker.snapshot_of(2_000, vec![record.id; 1_000_000], &[]);
        made();
        assert!(repo.load(million).is_err(), "no list of files is compressed so well");
        let whole = repo.snapshots_now().unwrap().list[1].head.id;
        assert_eq!(repo.load(whole).unwrap().files.len(), 300_000);
    });
}

#[test]
fn json_of_every_wrong_shape() {
    bounded(200 << 20, || {
        let maker = Maker::new(Store::memory());
        let record = honest(&maker);
        let deep = |open: &str, close: &str| open.repeat(100_000) + &close.repeat(100_000);
        let id = |n: usize| IndexId(Id::digest(&n.to_le_bytes()));
        let file = record.id;
        let indexes: Vec<Box<dyn Fn(IndexId) -> String>> = vec![
            Box::new(|_| deep("[", "]")),
            Box::new(|_| deep(r#"{"id":"#, "}")),
            Box::new(|id| {
                format!(r#"{{"x":{},"id":"{id}","created":1,"files":[]}}"#, deep("[", "]"))
            }),
            Box::new(|id| format!(r#"{{"id":"{id}","created":1,"created":2,"files":["{file}"]}}"#)),
            Box::new(|id| format!(r#"{{"id":"{id}","created":"1","files":["{file}"]}}"#)),
            Box::new(|id| format!(r#"{{"id":"{id}","created":1e99,"files":["{file}"]}}"#)),
            Box::new(|id| format!(r#"{{"id":"{id}","created":1,"files":{{}}}}"#)),
            Box::new(|id| format!(r#"{{"id":"{id}","created":1,"files":["../../x"]}}"#)),
            Box::new(|id| format!(r#"{{"id":"{id}","created":1,"files":[null]}}"#)),
            Box::new(|_| "null".into()),
            Box::new(|_| String::new()),
            // Odd, and good all the same.
            Box::new(|id| {
                format!(
                    r#"{{"new":[1],"files":["{file}"],"created":-9223372036854775808,"id":"{id}"}}"#
                )
            }),
        ];
        let last = id(indexes.len() - 1);
        for (n, json) in indexes.iter().enumerate() {
            let frame = zstd::bulk::compress(json(id(n)).as_bytes(), 1).unwrap();
            maker.store.put(&layout::index(id(n)), &frame).unwrap();
        }
        let good = maker.snapshot(9_000, std::slice::from_ref(&record));
        let repo = maker.open();
        for n in 0..indexes.len() - 1 {
            let loaded = repo.load(id(n));
            // What nobody knows is passed over, however deep it is.
            assert!(if n == 2 { loaded.unwrap().files.is_empty() } else { loaded.is_err() }, "{n}");
        }
        for id in [last, good] {
            assert_eq!(repo.load(id).unwrap().files.len(), 1);
        }
        // The same of records and of the files that are no objects.
        let mut files = vec![file];
        for (n, json) in [deep("[", "]"), deep(r#"{"chunks":"#, "}"), "null".into(), "{}".into()]
            .iter()
            .enumerate()
        {
            let id = FileId(Id::digest(format!("record {n}").as_bytes()));
            maker.put_sealed(id.0, json.as_bytes());
            files.push(id);
        }
        maker.snapshot_of(10_000, files, &[]);
        for bad in [vec![0x91; 100_000], vec![0xdd, 0xff, 0xff, 0xff, 0xff], vec![0xdf; 9], vec![]]
        {
            assert!(FullLatest::decode(&bad).is_err());
            maker.store.put(layout::FULL_LATEST, &bad).unwrap();
            assert!(read_all(&maker).contains(&b"an honest file"[..]));
        }
        for bad in [deep("[", "]"), deep(r#"{"slots":"#, "}"), "{}".into()] {
            assert!(Own::decode(bad.as_bytes()).is_err());
        }
        assert!(all_deeds(&maker) > 10);
    });
}

#[test]
fn refs_that_lead_in_circles_and_tags_of_every_name() {
    bounded(64 << 20, || {
        let place = tempfile::tempdir().unwrap();
        let maker = Maker::new(Store::local(place.path()));
        let id = maker.snapshot(1_000, &[honest(&maker)]);
        let long = "t".repeat(255);
        for name in ["new\nline", " ", "-rf", "\u{202e}gnp.exe", "%2e%2e", "~", &long] {
            let path = place.path().join("refs/tags");
            std::fs::create_dir_all(&path).unwrap();
            std::fs::write(path.join(name), id.to_string()).unwrap();
        }
        let tags = place.path().join("refs/tags");
        std::os::unix::fs::symlink("circle", tags.join("circle")).unwrap();
        std::os::unix::fs::symlink("..", tags.join("up")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", tags.join("away")).unwrap();
        std::fs::write(tags.join("ref"), "ref: refs/tags/ref").unwrap();
        std::fs::write(tags.join("gone"), Id::digest(b"gone").to_string()).unwrap();
        std::fs::write(place.path().join("refs/latest"), "ref: refs/latest\n").unwrap();
        assert_eq!(read_all(&maker).len(), 1);
        let repo = maker.open();
        let snapshots = repo.snapshots().unwrap();
        assert_eq!((snapshots.latest, snapshots.tags.len()), (Some(id), 7));
        for damaged in &snapshots.damaged {
            assert!(!format!("{damaged:?}").contains("root:"), "what is outside is not shown");
        }
        let vfs = Vfs::new(repo, VfsOptions::default()).unwrap();
        let mut names = Vec::new();
        vfs.readdir(ino::TAGS, 0, &mut |item| {
            names.push(String::from_utf8(item.name.to_vec()).unwrap());
            true
        })
        .unwrap();
        let all_plain = names.iter().skip(2).all(|name| revu::vfs::escape::is_plain(name));
        assert!(all_plain && names.len() == 9, "{names:?}");
        assert!(all_deeds(&maker) >= 4);
    });
}

#[test]
fn a_restore_leaves_its_target_by_no_path() {
    bounded(64 << 20, || {
        let place = tempfile::tempdir().unwrap();
        let maker = Maker::new(Store::memory());
        let target = place.path().join("a/target");
        let outside = place.path().join("outside");
        std::fs::create_dir_all(&target).unwrap();
        std::fs::create_dir(&outside).unwrap();
        std::os::unix::fs::symlink(&outside, target.join("link")).unwrap();
        let absolute = format!("{}/absolute", outside.display());
        let paths = [
            "/../escaped",
            "/../../escaped",
            "/x/../../../escaped",
            "../escaped",
            "..",
            "/..",
            "/.",
            "/",
            "",
            "//",
            "/link/through",
            "/link",
            "/nul\0byte",
            "/a\0/../../escaped",
            &absolute,
            "/deep/./../..//escaped",
            "/honest",
            "/honest/below",
            "/.revu-x.tmp",
            "/\u{7}bell\u{1b}[2J",
        ];
        let mut records: Vec<_> =
            paths.iter().map(|path| maker.file(path, 7_000, path.as_bytes(), 99)).collect();
        for (path, updated) in [("/past", i64::MIN), ("/future", i64::MAX)] {
            records.push(maker.file(path, updated, b"x", 99));
        }
        records.push(maker.file("/fine/file.md", 7_000, b"fine", 99));
        let id = maker.snapshot(1_000, &records);
        let repo = maker.open();
        let plan = plan(&repo, &[Wanted::all(id)], &target, Default::default(), &Silent).unwrap();
        let report = plan.carry_out(&Silent).unwrap();
        assert!(!report.problems.is_empty(), "what was left out is told");
        assert_eq!(std::fs::read(target.join("fine/file.md")).unwrap(), b"fine");
        let names = |folder: &Path| {
            let entries = std::fs::read_dir(folder).unwrap();
            let mut names: Vec<_> =
                entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        };
        assert_eq!(names(place.path()), ["a", "outside"]);
        assert_eq!(names(&place.path().join("a")), ["target"]);
        assert_eq!(names(&outside), [""; 0]);
        assert!(all_deeds(&maker) < records.len());
    });
}

#[test]
fn numbers_at_their_ends() {
    bounded(64 << 20, || {
        let maker = Maker::new(Store::memory());
        let record = honest(&maker);
        for (n, end) in [i64::MIN, -1, 0, i64::MAX].into_iter().enumerate() {
            let id = IndexId(Id::digest(&[n as u8]));
            let json = format!(
                r#"{{"id":"{id}","created":{end},"files":["{}"],"count":{end},"size":{end}}}"#,
                record.id
            );
            let index: Index = serde_json::from_str(&json).unwrap();
            maker.index(&index);
        }
        let mut ids = vec![record.id];
        for (n, size) in [i64::MIN, -1, 13, 15, i64::MAX].into_iter().enumerate() {
            let path = format!("/size{n}");
            let record = FileRecord::new(path, size, i64::MAX - n as i64, record.chunks.clone());
            maker.record(&record);
            ids.push(record.id);
        }
        maker.snapshot_of(5, ids, &[]);
        assert_eq!(read_all(&maker), BTreeSet::from([b"an honest file".to_vec()]));
        assert!(all_deeds(&maker) >= 5);
    });
}
