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

pub const ENTRIES: [(&str, Entry); 13] = [
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
    ("vfs_name", vfs_name),
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
}

pub fn vfs_name(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
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

/// Takes what it needs from the bytes, and zeros when they have come to their end.
struct Source<'a>(&'a [u8]);

impl<'a> Source<'a> {
    fn take(&mut self, n: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(n.min(self.0.len()));
        self.0 = rest;
        taken
    }

    fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    /// Below `n`.
    fn below(&mut self, n: usize) -> usize {
        usize::from(self.byte()) % n
    }

    fn text(&mut self, most: usize) -> String {
        let len = self.below(most);
        String::from_utf8_lossy(self.take(len)).into_owned()
    }

    /// Small, any, or one of the ends.
    fn number(&mut self) -> i64 {
        match self.byte() {
            n @ 0..200 => i64::from(n) * 500,
            200..230 => self.take(8).iter().fold(0, |sum, b| sum << 8 | i64::from(*b)),
            n @ 230..240 => -i64::from(n) * 333,
            240..248 => i64::MIN,
            _ => i64::MAX,
        }
    }
}

/// A repository made by what the bytes say, honest or not, and its tree walked. All that it ever holds is
/// the letter x.
pub fn repository(bytes: &[u8]) {
    let mut from = Source(bytes);
    let store = Store::memory();
    let key = RepoKey::from_bytes([42; 32]);
    let cipher = Cipher::new(&key);
    let put = |id: Id, plain: &[u8]| store.put(&layout::object(id), &cipher.seal(plain)).unwrap();
    let sizes = [0usize, 1, 2, 300];
    let mut chunks: Vec<ChunkId> = sizes
        .iter()
        .map(|len| {
            let plain = vec![b'x'; *len];
            let id = ChunkId::of(&plain);
            put(id.0, &plain);
            id
        })
        .collect();
    // One that is not there, and one that is another.
    chunks.push(ChunkId(Id::digest(b"missing")));
    let other = ChunkId(Id::digest(b"other"));
    put(other.0, b"no such thing");
    chunks.push(other);

    let mut files = Vec::new();
    for _ in 0..from.below(16) {
        let path = match from.below(4) {
            0 => format!("/a/{}", from.text(12)),
            1 => format!("/{}/b", from.text(12)),
            _ => from.text(24),
        };
        let picks: Vec<usize> = (0..1 + from.below(3)).map(|_| from.below(chunks.len())).collect();
        let honest: usize = picks.iter().filter_map(|pick| sizes.get(*pick)).sum();
        let size = if from.below(3) > 0 { honest as i64 } else { from.number() };
        let list = picks.iter().map(|pick| chunks[*pick]).collect();
        let record = FileRecord::new(path, size, from.number(), list);
        match from.below(8) {
            0 => put(record.id.0, from.take(40)),
            1 => put(Id::digest(b"elsewhere"), &record.encode()),
            2 => store.put(&layout::file(record.id), from.take(60)).unwrap(),
            _ => put(record.id.0, &record.encode()),
        }
        files.push(record.id);
    }
    let mut ids = vec![IndexId(Id::digest(b"no index"))];
    for n in 0..1 + from.below(3) as u8 {
        let id = IndexId(Id::from_bytes([n + 1; 20]));
        ids.push(id);
        let listed: Vec<FileId> = files.iter().filter(|_| from.below(4) > 0).copied().collect();
        let index = serde_json::json!({
            "id": id, "memo": from.text(40), "created": from.number(), "files": listed,
            "count": from.number(), "size": from.number(),
        });
        let index: Index = serde_json::from_value(index).expect("an index needs no more");
        let bytes = if from.below(6) == 0 { from.take(80).to_vec() } else { index.encode() };
        store.put(&layout::index(id), &bytes).unwrap();
    }
    let name = |from: &mut Source<'_>| match from.below(6) {
        0 => from.take(41).to_vec(),
        n => ids[n % ids.len()].to_string().into_bytes(),
    };
    store.put(layout::LATEST, &name(&mut from)).unwrap();
    for _ in 0..from.below(4) {
        let tag = from.text(20);
        if !tag.is_empty() {
            store.put(&layout::tag(&tag), &name(&mut from)).unwrap();
        }
    }
    let Ok(repo) = Repository::open(store, &key, Options { cache_bytes: 1 << 20 }) else { return };
    let vfs = Vfs::new(repo.into(), VfsOptions::default()).unwrap();
    for view in [ino::IDS, ino::SNAPSHOTS, ino::TAGS] {
        walk(&vfs, view, 0);
    }
}

fn walk(vfs: &Vfs, dir: u64, depth: usize) {
    assert!(depth <= escape::MAX_DEPTH + 2);
    let mut items = Vec::new();
    let listed = vfs.readdir(dir, 0, &mut |item| {
        let name = String::from_utf8(item.name.to_vec()).expect("names are UTF-8");
        if !matches!(&*name, "." | "..") {
            assert!(escape::is_plain(&name), "{name:?}");
            items.push((name, item.entry.attr));
        }
        true
    });
    // Of an index that does not decode.
    if listed.is_err() {
        assert_eq!(depth, 1);
        return;
    }
    for pair in items.windows(2) {
        assert_ne!(pair[0].0, pair[1].0, "a name comes once");
    }
    for (name, attr) in items {
        assert_eq!(vfs.lookup(dir, name.as_bytes()).unwrap().attr.ino, attr.ino, "{name:?}");
        match attr.kind {
            Kind::Dir => walk(vfs, attr.ino, depth + 1),
            Kind::Symlink => drop(vfs.readlink(attr.ino)),
            Kind::File => {
                if let Ok(bytes) = vfs.read(attr.ino, 0, 1 << 16) {
                    assert!(bytes.iter().all(|b| *b == b'x'));
                    assert_eq!(bytes.len() as u64, attr.size.min(1 << 16), "{name:?}");
                }
            }
        }
    }
}
