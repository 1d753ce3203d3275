//! What takes bytes from outside: one function each, that must neither panic nor hang nor take more
//! memory than it is given, whatever the bytes are, and what must be true of all that it accepts.

use std::path::Path;

use revu::format::check_index::CheckIndex;
use revu::format::latest::FullLatest;
use revu::format::own::Own;
use revu::format::{
    ChunkId, Cipher, FileId, FileRecord, Id, Index, IndexHead, IndexId, MAX_CHUNK, RepoKey, layout,
};
use revu::repo::names::{end_of, resolve};
use revu::repo::{Options, Repository, Snapshots};
use revu::siyuan::ignore::IgnoreRules;
use revu::store::{Store, refs};
use revu::vfs::{Kind, Vfs, VfsOptions, escape, ino};

/// One of them.
pub type Entry = fn(&[u8]);

pub const ENTRIES: [(&str, Entry); 12] = [
    ("index", index),
    ("index_json", index_json),
    ("record", record),
    ("sealed", sealed),
    ("full_latest", full_latest),
    ("check_index", check_index),
    ("settings", settings),
    ("conf", conf),
    ("a_ref", a_ref),
    ("snapshot_name", snapshot_name),
    ("ignore_rules", ignore_rules),
    ("repository", repository),
];

const ID: Id = Id::from_bytes([1; 20]);

pub fn index(bytes: &[u8]) {
    let head = IndexHead::decode(bytes, IndexId(ID));
    if let Ok(index) = Index::decode(bytes, IndexId(ID)) {
        assert_eq!(Index::decode(&index.encode(), index.id).unwrap(), index);
        if let Ok(Some(head)) = head {
            assert_eq!((head.id, head.created), (index.id, index.created));
        }
    }
}

pub fn index_json(bytes: &[u8]) {
    index(&zstd::bulk::compress(bytes, 1).unwrap());
    check_index(&zstd::bulk::compress(bytes, 1).unwrap());
}

pub fn record(bytes: &[u8]) {
    let accept = |id: FileId| {
        if let Ok(record) = FileRecord::decode(bytes, id) {
            assert_eq!(FileRecord::identity(&record.path, record.updated), record.id);
            assert!(record.size >= 0 && !record.chunks.is_empty());
            assert_eq!(FileRecord::decode(&record.encode(), id).unwrap(), record);
        }
    };
    accept(FileId(ID));
    // Under the name that it gives itself.
    let value: Option<serde_json::Value> = serde_json::from_slice(bytes).ok();
    let id = value.as_ref().and_then(|value| value.get("id")?.as_str()?.parse().ok());
    id.into_iter().for_each(accept);
}

pub fn sealed(bytes: &[u8]) {
    let cipher = Cipher::new(&RepoKey::from_bytes([42; 32]));
    let _ = cipher.probe(bytes);
    let _ = cipher.peek(bytes, 1 << 16);
    if let Ok(plain) = cipher.open(&mut bytes.to_vec(), MAX_CHUNK) {
        assert!(plain.len() <= MAX_CHUNK);
    }
    let mut whole = cipher.seal(bytes);
    assert_eq!(cipher.open(&mut whole, bytes.len()).unwrap(), bytes);
}

pub fn full_latest(bytes: &[u8]) {
    if let Ok(full) = FullLatest::decode(bytes) {
        assert_eq!(FullLatest::decode(&full.encode()).unwrap(), full);
    }
}

pub fn check_index(bytes: &[u8]) {
    let _ = CheckIndex::decode(bytes);
}

pub fn settings(bytes: &[u8]) {
    if let Ok(own) = Own::decode(bytes) {
        let again = Own::decode(&own.encode()).unwrap();
        assert_eq!((again.id(), again.slots().len()), (own.id(), own.slots().len()));
        assert!(own.settings(&RepoKey::from_bytes([42; 32])).is_none(), "nobody forges a seal");
    }
}

pub fn conf(bytes: &[u8]) {
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    for name in ["data", "repo", "conf"] {
        std::fs::create_dir(folder.path().join(name)).unwrap();
    }
    std::fs::write(folder.path().join("conf/conf.json"), bytes).unwrap();
    if let Some(workspace) = workspace(folder.path())
        && let Ok(conf) = revu::siyuan::Conf::read(&workspace)
    {
        let _ = conf.key();
    }
}

fn workspace(folder: &Path) -> Option<revu::siyuan::Workspace> {
    revu::siyuan::Workspace::at(folder)
}

pub fn a_ref(bytes: &[u8]) {
    let store = Store::memory();
    store.put(layout::LATEST, bytes).unwrap();
    store.put(&layout::tag("v1"), bytes).unwrap();
    if let Ok(Some(id)) = refs::read(&store, layout::LATEST) {
        assert_eq!(std::str::from_utf8(bytes).unwrap().trim(), id.to_string());
    }
    assert_eq!(refs::tags(&store).unwrap().len(), 1);
}

pub fn snapshot_name(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(8));
    let _ = end_of(&text, &zone);
    let snapshots = Snapshots {
        list: vec![revu::repo::Snapshot {
            head: IndexHead { id: IndexId(ID), memo: String::new(), created: 1_714_557_660_000 },
            tags: vec![text.to_string()],
        }],
        tags: vec![(text.to_string(), IndexId(ID))],
        latest: Some(IndexId(ID)),
        ..Snapshots::default()
    };
    assert_eq!(resolve(&snapshots, &zone, &text), Ok(IndexId(ID)), "a tag by its name");
    let shown = escape::shown(&text);
    assert!(escape::is_plain(&shown), "{shown}");
    if let Some(path) = escape::shown_path(&text) {
        assert!(path.split('/').all(escape::is_plain), "{path}");
    }
}

pub fn ignore_rules(bytes: &[u8]) {
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    std::fs::create_dir(folder.path().join(".siyuan")).unwrap();
    std::fs::write(folder.path().join(".siyuan/syncignore"), bytes).unwrap();
    if let Ok(rules) = IgnoreRules::load(folder.path()) {
        for path in ["/a", "/a/b.md", "/assets/标签 x.png", "/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a"] {
            rules.ignores(path);
        }
    }
}

/// A repository made of bytes: each takes the place of something, and the tree is walked.
pub fn repository(bytes: &[u8]) {
    let store = Store::memory();
    let key = RepoKey::from_bytes([42; 32]);
    let cipher = Cipher::new(&key);
    let chunk = ChunkId::of(b"x");
    store.put(&layout::chunk(chunk), &cipher.seal(b"x")).unwrap();
    let mut files = Vec::new();
    for (n, path) in bytes.split(|b| *b == 0xff).enumerate() {
        let path = String::from_utf8_lossy(path).into_owned();
        let size = i64::from(path.len() as u8 % 3);
        let record = FileRecord::new(path, size, n as i64 * 777 - 1_000, vec![chunk; 1 + n % 2]);
        store.put(&layout::file(record.id), &cipher.seal(&record.encode())).unwrap();
        files.push(record.id);
    }
    let id = IndexId(ID);
    let mut index: Index = serde_json::from_value(serde_json::json!({
        "id": id, "created": i64::from(bytes.first().copied().unwrap_or(0)), "files": [],
    }))
    .expect("an index needs no more");
    index.files = files;
    store.put(&layout::index(id), &index.encode()).unwrap();
    let repo = Repository::open(store, &key, Options { cache_bytes: 1 << 20 }).unwrap();
    let vfs = Vfs::new(repo.into(), VfsOptions::default()).unwrap();
    walk(&vfs, ino::IDS, 0);
}

fn walk(vfs: &Vfs, dir: u64, depth: usize) {
    assert!(depth <= escape::MAX_DEPTH + 2);
    let mut items = Vec::new();
    vfs.readdir(dir, 0, &mut |item| {
        let name = String::from_utf8(item.name.to_vec()).expect("names are UTF-8");
        if !matches!(&*name, "." | "..") {
            assert!(escape::is_plain(&name), "{name:?}");
            items.push((name, item.entry.attr));
        }
        true
    })
    .unwrap();
    for pair in items.windows(2) {
        assert_ne!(pair[0].0, pair[1].0, "a name comes once");
    }
    for (name, attr) in items {
        assert_eq!(vfs.lookup(dir, name.as_bytes()).unwrap().attr.ino, attr.ino, "{name:?}");
        if attr.kind == Kind::Dir {
            walk(vfs, attr.ino, depth + 1);
        } else if let Ok(bytes) = vfs.read(attr.ino, 0, 8) {
            assert!(bytes.iter().all(|b| *b == b'x') && bytes.len() as u64 == attr.size);
        }
    }
}
