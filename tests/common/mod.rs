//! What several test programs need: the fixtures and what they should hold, and repositories made
//! on the spot.
#![allow(dead_code, reason = "each test program uses its part")]

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use revu::format::{
    ChunkId, Cipher, FileId, FileRecord, Id, Index, IndexId, RepoKey, latest::FullLatest, layout,
};
use revu::repo::{Options, Repository};
use revu::store::Store;
use revu::vfs::{Kind, ROOT, Vfs};

/// One file as a fixture's expectation has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    pub size: u64,
    pub updated: i64,
    pub sha256: String,
}

/// A repository of the fixtures with what it should hold.
#[derive(Debug, Clone)]
pub struct Case {
    pub name: &'static str,
    pub repo: PathBuf,
    pub key: RepoKey,
    /// Per snapshot: path, without the slash before it, to file.
    pub snapshots: BTreeMap<IndexId, BTreeMap<String, Expected>>,
}

impl Case {
    pub fn open(&self) -> Arc<Repository> {
        let store = Store::local(&self.repo);
        Arc::new(Repository::open(store, &self.key, Options::default()).expect(self.name))
    }

    /// Tags by name, read without revu.
    pub fn tags(&self) -> BTreeMap<String, IndexId> {
        let Ok(entries) = std::fs::read_dir(self.repo.join("refs/tags")) else {
            return BTreeMap::new();
        };
        entries
            .map(|entry| {
                let entry = entry.unwrap();
                let id = std::fs::read_to_string(entry.path()).unwrap();
                (entry.file_name().into_string().unwrap(), id.trim().parse().unwrap())
            })
            .collect()
    }
}

/// Says at its own end, also in a panic, that everybody is to end: a scope waits for its threads.
pub struct End<'a>(pub &'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// Fixtures that are not part of the project: beside it, or where `REVU_SHARED_FIXTURES` says.
pub fn shared_fixtures() -> PathBuf {
    match std::env::var_os("REVU_SHARED_FIXTURES") {
        Some(folder) => folder.into(),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures"),
    }
}

/// Every repository of the fixtures. Those that are absent are named and skipped.
pub fn cases(test: &str) -> Vec<Case> {
    let own = fixtures();
    let siyuan = own.join("siyuan-workspace");
    let mut cases = vec![
        golden(),
        case("siyuan-workspace", siyuan.join("workspace/repo"), &siyuan, &siyuan.join("expect")),
    ];
    let shared = shared_fixtures();
    let guide = shared.join("guide-en");
    if guide.is_dir() {
        cases.push(case("guide-en", guide.join("repo"), &guide, &guide.join("expect")));
    } else {
        println!("SKIPPED: {test}: guide-en is not there");
    }
    let cloud = shared.join("cloud-two-devices");
    if cloud.is_dir() {
        for (name, repo, expect) in [
            ("cloud-two-devices/a", "a/repo", "a-repo"),
            ("cloud-two-devices/b", "b/repo", "b-repo"),
            ("cloud-two-devices/cloud", "cloud/main", "cloud-main"),
        ] {
            cases.push(case(name, cloud.join(repo), &cloud, &cloud.join("expect").join(expect)));
        }
    } else {
        println!("SKIPPED: {test}: cloud-two-devices is not there");
    }
    cases
}

fn key(folder: &Path) -> RepoKey {
    let text = std::fs::read_to_string(folder.join("key.txt")).expect("a fixture has its key");
    RepoKey::parse(&text).expect("a fixture's key is a key")
}

pub fn golden() -> Case {
    let folder = fixtures().join("golden");
    let mut snapshots = BTreeMap::new();
    for state in 1..=7 {
        let text = std::fs::read_to_string(folder.join(format!("expect/{state}.json"))).unwrap();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        let files = json["files"].as_array().unwrap().iter().map(|file| {
            let expected = Expected {
                size: file["size"].as_u64().unwrap(),
                updated: file["updated"].as_i64().unwrap(),
                sha256: file["sha256"].as_str().unwrap().to_owned(),
            };
            (file["path"].as_str().unwrap()[1..].to_owned(), expected)
        });
        snapshots.insert(json["index"].as_str().unwrap().parse().unwrap(), files.collect());
    }
    Case { name: "golden", repo: folder.join("repo"), key: key(&folder), snapshots }
}

fn case(name: &'static str, repo: PathBuf, key_folder: &Path, expect: &Path) -> Case {
    let mut snapshots = BTreeMap::new();
    for entry in std::fs::read_dir(expect).expect(name) {
        let path = entry.unwrap().path();
        let id = path.file_stem().unwrap().to_str().unwrap().parse().expect("named by its index");
        let text = std::fs::read_to_string(&path).unwrap();
        let files = text.lines().map(|line| {
            let columns: Vec<_> = line.split('\t').collect();
            let [path, size, updated, sha256] = columns[..] else { panic!("{line}") };
            let expected = Expected {
                size: size.parse().unwrap(),
                updated: updated.parse().unwrap(),
                sha256: sha256.to_owned(),
            };
            (path[1..].to_owned(), expected)
        });
        snapshots.insert(id, files.collect());
    }
    Case { name, repo, key: key(key_folder), snapshots }
}

pub fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// Copies a folder, links left as they are.
pub fn copy_tree(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            // Not `fs::copy`: fixtures may be read-only, copies must not be.
            std::fs::write(&target, std::fs::read(entry.path()).unwrap()).unwrap();
        }
    }
}

/// A repository made on the spot.
pub struct Maker {
    pub store: Store,
    pub key: RepoKey,
    cipher: Cipher,
}

impl Maker {
    pub fn new(store: Store) -> Self {
        let key = RepoKey::from_bytes([42; 32]);
        Self { store, cipher: Cipher::new(&key), key }
    }

    /// Goes on with another key.
    pub fn take(&mut self, key: RepoKey) {
        self.cipher = Cipher::new(&key);
        self.key = key;
    }

    /// Writes the chunks and the record of a file, cut every `cut` bytes.
    pub fn file(&self, path: &str, updated: i64, content: &[u8], cut: usize) -> FileRecord {
        let pieces: Vec<&[u8]> =
            if content.is_empty() { vec![b""] } else { content.chunks(cut).collect() };
        let chunks = pieces.iter().map(|piece| self.chunk(piece)).collect();
        let record = FileRecord::new(path.into(), content.len() as i64, updated, chunks);
        self.record(&record);
        record
    }

    pub fn chunk(&self, plain: &[u8]) -> ChunkId {
        let id = ChunkId::of(plain);
        let key = layout::chunk(id);
        if self.store.size(&key).is_err() {
            self.store.put(&key, &self.cipher.seal(plain)).unwrap();
        }
        id
    }

    /// Writes a record as it is, however wrong.
    pub fn record(&self, record: &FileRecord) {
        self.put_sealed(record.id.0, &record.encode());
    }

    /// Seals any bytes under any ID.
    pub fn put_sealed(&self, id: Id, plain: &[u8]) {
        self.store.put(&layout::object(id), &self.cipher.seal(plain)).unwrap();
    }

    pub fn snapshot(&self, created: i64, records: &[FileRecord]) -> IndexId {
        self.snapshot_of(created, records.iter().map(|r| r.id).collect(), records)
    }

    pub fn snapshot_of(&self, created: i64, files: Vec<FileId>, records: &[FileRecord]) -> IndexId {
        let mut random = [0; 32];
        getrandom::fill(&mut random).unwrap();
        let id = IndexId(Id::digest(&random));
        let index = Index {
            id,
            memo: format!("memo of {created}"),
            created,
            count: files.len() as i64,
            size: records.iter().map(|r| r.size).fold(0, i64::wrapping_add),
            files,
            system_id: "device".into(),
            system_name: "name".into(),
            system_os: "linux".into(),
            check_index_id: String::new(),
            aes_key_verify_val: self.cipher.verify_val(),
        };
        self.index(&index);
        self.store.put(layout::LATEST, id.to_string().as_bytes()).unwrap();
        id
    }

    pub fn index(&self, index: &Index) {
        self.store.put(&layout::index(index.id), &index.encode()).unwrap();
    }

    pub fn tag(&self, name: &str, id: IndexId) {
        self.store.put(&layout::tag(name), id.to_string().as_bytes()).unwrap();
    }

    pub fn full_latest(&self, id: IndexId, records: &[FileRecord]) {
        let files = records.iter().cloned().map(Into::into).collect();
        let full = FullLatest { id, files, spec: 0 };
        self.store.put(layout::FULL_LATEST, &full.encode()).unwrap();
    }

    pub fn open(&self) -> Arc<Repository> {
        self.open_store(self.store.clone())
    }

    pub fn open_store(&self, store: Store) -> Arc<Repository> {
        Arc::new(Repository::open(store, &self.key, Options::default()).unwrap())
    }
}

/// Bytes that do not compress and differ from seed to seed.
pub fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    })
    .take(len)
    .collect()
}

/// All log lines of this program so far, for tests that count them.
pub fn logged() -> Vec<String> {
    static LOG: std::sync::OnceLock<&'static Log> = std::sync::OnceLock::new();
    struct Log(std::sync::Mutex<Vec<String>>);
    impl log::Log for Log {
        fn enabled(&self, _: &log::Metadata<'_>) -> bool {
            true
        }
        fn log(&self, record: &log::Record<'_>) {
            self.0.lock().unwrap().push(record.args().to_string());
        }
        fn flush(&self) {}
    }
    let log = LOG.get_or_init(|| {
        let log: &'static Log = Box::leak(Box::new(Log(Default::default())));
        log::set_logger(log).expect("no other logger in this program");
        log::set_max_level(log::LevelFilter::Warn);
        log
    });
    log.0.lock().unwrap().clone()
}

/// The lines that a map of calls has, for messages.
pub fn count<T: std::hash::Hash + Eq>(items: impl IntoIterator<Item = T>) -> HashMap<T, usize> {
    let mut counts = HashMap::new();
    for item in items {
        *counts.entry(item).or_default() += 1;
    }
    counts
}

/// Everything in a folder but `.` and `..`: names, inodes, kinds.
pub fn list(vfs: &Vfs, dir: u64) -> Vec<(String, u64, Kind)> {
    let mut all = Vec::new();
    vfs.readdir(dir, 0, &mut |item| {
        if !matches!(item.name, b"." | b"..") {
            let name = String::from_utf8_lossy(item.name).into_owned();
            all.push((name, item.entry.attr.ino, item.entry.attr.kind));
        }
        true
    })
    .unwrap();
    all
}

/// The inode at the end of a path of names.
pub fn enter(vfs: &Vfs, path: &str) -> u64 {
    path.split('/').fold(ROOT, |dir, name| vfs.lookup(dir, name.as_bytes()).unwrap().attr.ino)
}
