//! Damage costs what depends on it and no more: an error for what needs the object, one log line that
//! names it and the path, all else reads.

mod common;

use std::path::Path;

use common::{Case, copy_tree, golden, logged, sha256};
use revu::format::{FileId, FileRecord, layout};
use revu::repo::{Options, Repository};
use revu::store::Store;
use revu::vfs::{Kind, ROOT, Vfs, VfsError, VfsOptions};

/// The golden repository in a folder of its own, its newest snapshot and that snapshot's records.
struct Copy {
    dir: tempfile::TempDir,
    case: Case,
    records: Vec<FileRecord>,
}

impl Copy {
    fn new() -> Self {
        logged();
        let dir = tempfile::tempdir().unwrap();
        let mut case = golden();
        copy_tree(&case.repo, dir.path());
        case.repo = dir.path().to_owned();
        // What full-latest.json knows would hide what a record's damage costs.
        std::fs::remove_file(dir.path().join(layout::FULL_LATEST)).unwrap();
        let repo = case.open();
        let latest = repo.snapshots().unwrap().latest.unwrap();
        let index = repo.objects().index(latest).unwrap();
        let records = index.files.iter().map(|id| repo.objects().record(*id).unwrap()).collect();
        Self { dir, case, records }
    }

    fn path(&self, key: &str) -> std::path::PathBuf {
        self.dir.path().join(key)
    }

    fn vfs(&self) -> Vfs {
        let store = Store::local(self.dir.path());
        let repo = Repository::open(store, &self.case.key, Options::default()).unwrap();
        Vfs::new(repo.into(), VfsOptions::default()).unwrap()
    }

    fn record_of(&self, path: &str) -> &FileRecord {
        self.records.iter().find(|r| r.path == path).unwrap()
    }
}

/// Everything below a folder: path, and content or why not.
fn read_all(vfs: &Vfs, dir: u64, prefix: &str, all: &mut Vec<(String, Result<Vec<u8>, VfsError>)>) {
    let mut items = Vec::new();
    vfs.readdir(dir, 0, &mut |item| {
        if !matches!(item.name, b"." | b"..") {
            items.push((String::from_utf8(item.name.to_vec()).unwrap(), item.entry.attr));
        }
        true
    })
    .unwrap();
    for (name, attr) in items {
        let path = format!("{prefix}{name}");
        if attr.kind == Kind::Dir {
            read_all(vfs, attr.ino, &format!("{path}/"), all);
        } else {
            let read = vfs.read(attr.ino, 0, attr.size as usize);
            all.push((path, read.map(|bytes| bytes.to_vec())));
        }
    }
}

fn latest(vfs: &Vfs) -> Vec<(String, Result<Vec<u8>, VfsError>)> {
    let target = String::from_utf8(vfs.readlink(revu::vfs::ino::LATEST).unwrap()).unwrap();
    let dir = target
        .split('/')
        .fold(ROOT, |dir, name| vfs.lookup(dir, name.as_bytes()).unwrap().attr.ino);
    let mut all = Vec::new();
    read_all(vfs, dir, "", &mut all);
    all
}

type Harm = fn(&Path, &Path);

/// Each kind of damage, and what its log line must say.
const HARMS: [(&str, &str, Harm); 6] = [
    ("a flipped bit", "authenticate", |path, _| {
        let mut bytes = std::fs::read(path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 4;
        std::fs::write(path, bytes).unwrap();
    }),
    ("truncated", "cut short", |path, _| {
        let bytes = std::fs::read(path).unwrap();
        std::fs::write(path, &bytes[..30]).unwrap();
    }),
    ("empty", "cut short", |path, _| std::fs::write(path, b"").unwrap()),
    ("missing", "missing", |path, _| std::fs::remove_file(path).unwrap()),
    ("swapped", "identity", |path, other| {
        std::fs::copy(other, path).unwrap();
    }),
    ("a folder", "not a regular file", |path, _| {
        std::fs::remove_file(path).unwrap();
        std::fs::create_dir(path).unwrap();
    }),
];

#[test]
fn a_damaged_chunk_costs_its_file_alone() {
    for (harm, says, damage) in HARMS {
        let copy = Copy::new();
        let victim = copy.record_of("/assets/exact.bin").clone();
        let other = copy.records.iter().find(|r| r.chunks[0] != victim.chunks[0] && r.size > 300);
        let key = layout::chunk(victim.chunks[0]);
        damage(&copy.path(&key), &copy.path(&layout::chunk(other.unwrap().chunks[0])));
        let before = logged().len();
        let vfs = copy.vfs();
        for _ in 0..2 {
            check(&copy, latest(&vfs), |record| record.chunks.contains(&victim.chunks[0]), harm);
        }
        let told: Vec<_> = logged().split_off(before);
        let about: Vec<_> = told.iter().filter(|line| line.contains(&key)).collect();
        let [line] = about[..] else { panic!("{harm}: {told:?}") };
        assert!(
            line.contains(says) || (harm == "truncated" && line.contains("authenticate")),
            "{harm}: {line}"
        );
        assert!(line.contains("/assets/"), "{harm} names the path: {line}");
    }
}

#[test]
fn a_damaged_record_costs_its_file_alone_and_leaves_a_mark() {
    for (harm, says, damage) in HARMS {
        let copy = Copy::new();
        let victim = copy.record_of("/assets/exact.bin").id;
        let other = copy.records.iter().find(|r| r.id != victim).unwrap();
        let key = layout::file(victim);
        damage(&copy.path(&key), &copy.path(&layout::file(other.id)));
        let before = logged().len();
        let vfs = copy.vfs();
        for _ in 0..2 {
            check(&copy, latest(&vfs), |record| record.id == victim, harm);
        }
        let told: Vec<_> = logged().split_off(before);
        let about: Vec<_> = told.iter().filter(|line| line.contains(&key)).collect();
        let [line] = about[..] else { panic!("{harm}: {told:?}") };
        assert!(
            line.contains(says) || (harm == "truncated" && line.contains("authenticate")),
            "{harm}: {line}"
        );
    }
}

/// All files but the victims read right; a victim is an error, under its name or its mark.
fn check(
    copy: &Copy,
    found: Vec<(String, Result<Vec<u8>, VfsError>)>,
    is_victim: impl Fn(&FileRecord) -> bool,
    harm: &str,
) {
    let latest = copy.case.snapshots.iter().find(|(id, _)| {
        std::fs::read_to_string(copy.path(layout::LATEST)).unwrap().trim() == id.to_string()
    });
    let (_, expected) = latest.unwrap();
    let mut right = 0;
    let mut wrong = 0;
    for (path, content) in &found {
        match content {
            Ok(bytes) => {
                assert_eq!(sha256(bytes), expected[path].sha256, "{harm}: {path}");
                right += 1;
            }
            Err(e) => {
                assert_eq!(e.errno(), libc::EIO);
                let record = copy.records.iter().find(|r| {
                    r.path == format!("/{path}") || *path == format!("revu-damaged/{}", r.id)
                });
                assert!(is_victim(record.unwrap()), "{harm}: {path} is no victim: {e}");
                wrong += 1;
            }
        }
    }
    let victims = copy.records.iter().filter(|r| is_victim(r)).count();
    assert!(victims > 0);
    assert_eq!((right, wrong), (copy.records.len() - victims, victims), "{harm}");
}

#[test]
fn damage_in_a_large_file_costs_the_damaged_part() {
    for (harm, _, damage) in HARMS {
        let dir = tempfile::tempdir().unwrap();
        let maker = common::Maker::new(Store::local(dir.path()));
        let lens = [700_000, 900_000, 300, 100, 524_288];
        let pieces: Vec<_> = (0..).zip(lens).map(|(seed, len)| common::noise(seed, len)).collect();
        let chunks: Vec<_> = pieces.iter().map(|piece| maker.chunk(piece)).collect();
        let whole = pieces.concat();
        let record = FileRecord::new("/large".into(), whole.len() as i64, 7, chunks.clone());
        maker.record(&record);
        let id = maker.snapshot(0, std::slice::from_ref(&record));
        for bad in [&[1][..], &[1, 3], &[0], &[4], &[0, 4]] {
            let backup = tempfile::tempdir().unwrap();
            copy_tree(dir.path(), backup.path());
            for i in bad {
                let key = |i: usize| backup.path().join(layout::chunk(chunks[i]));
                // The swap is with another chunk of the same file: every byte authenticates.
                damage(&key(*i), &key(2));
            }
            let vfs =
                Vfs::new(maker.open_store(Store::local(backup.path())), VfsOptions::default());
            let vfs = vfs.unwrap();
            let dir = vfs.lookup(revu::vfs::ino::IDS, id.to_string().as_bytes()).unwrap();
            let ino = vfs.lookup(dir.attr.ino, b"large").unwrap().attr.ino;
            let lost = *bad.first().unwrap()..=*bad.last().unwrap();
            let mut begin = 0;
            for (i, len) in lens.into_iter().enumerate() {
                for at in [begin, begin + len / 2, begin + len - 1] {
                    match vfs.read(ino, at as u64, 1) {
                        Err(_) => assert!(lost.contains(&i), "{harm} of {bad:?}: byte {at}"),
                        Ok(read) => {
                            assert!(!bad.contains(&i), "{harm} of {bad:?}: byte {at}");
                            assert_eq!(*read, whole[at..=at], "{harm} of {bad:?}: byte {at}");
                        }
                    }
                }
                begin += len;
            }
        }
    }
}

#[test]
fn a_damaged_index_is_left_out_with_one_line() {
    for (harm, _, damage) in HARMS {
        let copy = Copy::new();
        let ids: Vec<_> = copy.case.snapshots.keys().copied().collect();
        let newest = std::fs::read_to_string(copy.path(layout::LATEST)).unwrap();
        let victim = *ids.iter().find(|id| id.to_string() != newest.trim()).unwrap();
        let other = *ids.iter().find(|id| **id != victim).unwrap();
        // Not a flipped bit anywhere: a list needs the head of an index and reads no more.
        let path = copy.path(&layout::index(victim));
        if harm == "a flipped bit" {
            let mut bytes = std::fs::read(&path).unwrap();
            bytes[0] ^= 4;
            std::fs::write(&path, bytes).unwrap();
        } else {
            damage(&path, &copy.path(&layout::index(other)));
        }
        let before = logged().len();
        let vfs = copy.vfs();
        let mut names = Vec::new();
        vfs.readdir(revu::vfs::ino::IDS, 0, &mut |item| {
            names.push(String::from_utf8(item.name.to_vec()).unwrap());
            true
        })
        .unwrap();
        assert_eq!(names.len() - 2, ids.len() - 1, "{harm}");
        assert!(!names.contains(&victim.to_string()), "{harm}");
        assert!(latest(&vfs).iter().all(|(_, content)| content.is_ok()), "{harm}");
        let told: Vec<_> = logged().split_off(before);
        let about = told.iter().filter(|line| line.contains(&victim.to_string())).count();
        assert!(about == 1 || matches!(harm, "missing" | "a folder"), "{harm}: {told:?}");
    }
}

#[test]
fn a_missing_or_broken_latest_is_no_obstacle() {
    for broken in [None, Some("garbage"), Some("0123456789abcdef0123456789abcdef01234567")] {
        let copy = Copy::new();
        match broken {
            None => std::fs::remove_file(copy.path(layout::LATEST)).unwrap(),
            Some(text) => std::fs::write(copy.path(layout::LATEST), text).unwrap(),
        }
        let vfs = copy.vfs();
        assert_eq!(latest(&vfs).len(), copy.records.len(), "the newest stands in: {broken:?}");
    }
}

#[test]
fn a_lying_full_latest_never_gives_a_wrong_byte() {
    use revu::format::latest::FullLatest;
    let golden = golden();
    let bytes = std::fs::read(golden.repo.join(layout::FULL_LATEST)).unwrap();
    let honest = FullLatest::decode(&bytes).unwrap();
    let find = |path: &str| honest.files.iter().position(|f| f.path == path).unwrap();
    let (a, b) = (find("/assets/exact.bin"), find("/assets/one-byte"));
    type Lie = fn(&mut FullLatest, usize, usize);
    let lies: [(&str, Lie); 5] = [
        ("chunks of another file", |full, a, b| {
            full.files[a].chunks = full.files[b].chunks.clone();
        }),
        ("sizes exchanged", |full, a, b| {
            let size = full.files[a].size;
            full.files[a].size = full.files[b].size;
            full.files[b].size = size;
        }),
        ("a file said to be empty", |full, a, b| {
            full.files[b].size += full.files[a].size;
            full.files[a].size = 0;
        }),
        ("another millisecond", |full, a, _| full.files[a].updated += 1),
        ("a chunk that is not there", |full, a, _| {
            full.files[a].chunks[0] = revu::format::ChunkId::of(b"nothing has this");
        }),
    ];
    for (lie, tell) in lies {
        let copy = Copy::new();
        let mut full = honest.clone();
        tell(&mut full, a, b);
        std::fs::write(copy.path(layout::FULL_LATEST), full.encode()).unwrap();
        let vfs = copy.vfs();
        // The first reading may fail where the size shown was wrong; never may it be wrong.
        for round in 0..2 {
            for (path, content) in latest(&vfs) {
                let record = copy.record_of(&format!("/{path}"));
                match content {
                    Ok(bytes) => assert_eq!(bytes.len() as i64, record.size, "{lie}: {path}"),
                    Err(e) => assert!(round == 0, "{lie}: {path}: {e}"),
                }
            }
        }
        check_right(&copy, latest(&vfs), lie);
    }
}

/// All files read right.
fn check_right(copy: &Copy, found: Vec<(String, Result<Vec<u8>, VfsError>)>, what: &str) {
    assert_eq!(found.len(), copy.records.len(), "{what}");
    for (path, content) in found {
        let record = copy.record_of(&format!("/{path}"));
        let bytes = content.unwrap_or_else(|e| panic!("{what}: {path}: {e}"));
        assert_eq!(bytes.len() as i64, record.size, "{what}: {path}");
        let expected = copy.case.snapshots.values().find_map(|s| {
            s.get(&path).filter(|e| e.updated == record.updated && e.size as i64 == record.size)
        });
        assert_eq!(sha256(&bytes), expected.unwrap().sha256, "{what}: {path}");
    }
}

#[test]
fn hostile_paths_stay_inside_and_what_cannot_be_shown_is_left_out() {
    let maker = common::Maker::new(Store::memory());
    let deep = "/d".repeat(10_000);
    let long = format!("/{}", "n".repeat(1 << 20));
    let paths = [
        "/a/../../etc/passwd",
        "/../x",
        "//double//slash",
        "/.",
        "/..",
        "",
        "/",
        "/nul\0byte",
        "no-slash",
        "/dir",
        "/dir/file",
        "/dir/file/below",
        "/twice",
        "/control\u{1}\u{7f}\n",
        &deep,
        &long,
        "/revu-damaged/x",
        "/revu-damaged",
    ];
    let mut records: Vec<_> =
        paths.iter().map(|path| maker.file(path, 0, path.as_bytes(), 1 << 21)).collect();
    // The same path twice, with other times and contents; the same file many times.
    records.push(maker.file("/twice", 5_000, b"the other", 100));
    let mut ids: Vec<FileId> = records.iter().map(|r| r.id).collect();
    ids.extend(std::iter::repeat_n(records[0].id, 100_000));
    ids.push(FileRecord::identity("/nowhere", 0));
    // Times and sizes at the ends of what they can be.
    for (path, updated) in [("/past", i64::MIN), ("/future", i64::MAX)] {
        let record = maker.file(path, updated, b"x", 100);
        ids.push(record.id);
        records.push(record);
    }
    let huge = FileRecord::new("/huge".into(), i64::MAX, 0, vec![maker.chunk(b"x")]);
    let lying = FileRecord::new("/lying".into(), 5, 0, vec![maker.chunk(b"x")]);
    for record in [huge, lying] {
        maker.record(&record);
        ids.push(record.id);
    }
    let id = maker.snapshot_of(0, ids, &[]);
    maker.tag("..", id);
    maker.tag("new\nline", id);
    let vfs = Vfs::new(maker.open(), VfsOptions::default()).unwrap();
    let mut all = Vec::new();
    let dir = vfs.lookup(revu::vfs::ino::IDS, id.to_string().as_bytes()).unwrap().attr.ino;
    read_all(&vfs, dir, "", &mut all);
    let mut seen = std::collections::BTreeSet::new();
    for (path, _) in &all {
        assert!(seen.insert(path.clone()), "{path} twice");
        for part in path.split('/') {
            assert!(revu::vfs::escape::is_plain(part), "{path:?}");
        }
    }
    let contents: std::collections::BTreeSet<&[u8]> =
        all.iter().filter_map(|(_, c)| c.as_deref().ok()).collect();
    for path in paths.iter().filter(|path| **path != deep && **path != long) {
        assert!(
            contents.contains(path.as_bytes()),
            "{:?} is not shown",
            &path[..path.len().min(40)]
        );
    }
    assert!(contents.contains(&b"the other"[..]));
    let errors: Vec<_> = all.iter().filter(|(_, c)| c.is_err()).map(|(p, _)| p.as_str()).collect();
    assert_eq!(errors.len(), 4, "nowhere, lying; long and huge, refused as records: {errors:?}");
    let mut tags = Vec::new();
    vfs.readdir(revu::vfs::ino::TAGS, 0, &mut |item| {
        tags.push(String::from_utf8(item.name.to_vec()).unwrap());
        true
    })
    .unwrap();
    assert_eq!(tags.len(), 4, "{tags:?}");
    assert!(tags[2].starts_with("..~"), "{tags:?}");
}
