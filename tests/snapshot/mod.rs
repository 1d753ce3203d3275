//! What the tests of `revu snapshot`'s library part share: a folder, a repository, and looking into it.
#![allow(dead_code, reason = "each test program uses its part")]

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use revu::format::cut::{Cutting, FastCdc};
use revu::format::{FileRecord, IndexId, RepoKey, layout};
use revu::ops::Silent;
use revu::ops::snapshot::{Options, Profile, SnapshotError, Summary, snapshot};
use revu::repo::{File, Repository};
use revu::store::{Store, refs};

pub const KEY: [u8; 32] = [42; 32];

/// A folder that is fast to write durably, where there is one: these tests wait for the disk often.
pub fn tempdir() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    match tempfile::tempdir_in(memory) {
        Ok(dir) => dir,
        Err(_) => tempfile::tempdir().unwrap(),
    }
}

pub fn plain() -> Profile {
    Profile::Plain { cutting: Cutting::FastCdc(FastCdc::STANDARD) }
}

pub fn siyuan() -> Profile {
    Profile::Siyuan { workspace: None }
}

/// A place with a folder `data`, a repository and local states.
pub struct Bench {
    pub place: tempfile::TempDir,
    pub profile: Profile,
    pub options: Options,
}

impl Bench {
    pub fn new(profile: Profile) -> Self {
        let place = tempdir();
        std::fs::create_dir(place.path().join("data")).unwrap();
        std::fs::create_dir_all(place.path().join("repo/objects")).unwrap();
        let states = Some(place.path().join("states"));
        Self { profile, options: Options { states, ..Options::default() }, place }
    }

    pub fn data(&self) -> PathBuf {
        self.place.path().join("data")
    }

    pub fn store(&self) -> Store {
        Store::local(self.place.path().join("repo"))
    }

    pub fn open(&self) -> Repository {
        open(self.store())
    }

    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.data().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    pub fn remove(&self, path: &str) {
        std::fs::remove_file(self.data().join(path)).unwrap();
    }

    pub fn run(&self) -> Summary {
        self.try_run().unwrap()
    }

    pub fn try_run(&self) -> Result<Summary, SnapshotError> {
        self.run_in(&self.open())
    }

    pub fn run_in(&self, repo: &Repository) -> Result<Summary, SnapshotError> {
        snapshot(repo, &self.data(), &self.profile, &self.options, &Silent)
    }

    pub fn forget_state(&self) {
        match std::fs::remove_dir_all(self.place.path().join("states")) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => panic!("{e}"),
            _ => {}
        }
    }

    /// Every key of the repository with its inode and time: what was written anew differs.
    pub fn keys(&self) -> BTreeMap<PathBuf, (u64, i64, i64)> {
        fn walk(folder: &Path, found: &mut BTreeMap<PathBuf, (u64, i64, i64)>) {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(&path, found);
                } else {
                    let meta = path.metadata().unwrap();
                    found.insert(path, (meta.ino(), meta.mtime(), meta.mtime_nsec()));
                }
            }
        }
        let mut found = BTreeMap::new();
        walk(&self.place.path().join("repo"), &mut found);
        found
    }
}

pub fn open(store: Store) -> Repository {
    let options = revu::repo::Options { cache_bytes: 32 << 20 };
    Repository::open(store, &RepoKey::from_bytes(KEY), options).unwrap()
}

/// A file as a snapshot or a disk has it.
#[derive(Clone, PartialEq, Eq)]
pub struct Content {
    pub updated: i64,
    pub bytes: Vec<u8>,
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let begin = self.bytes[..self.bytes.len().min(16)].escape_ascii();
        write!(f, "{} bytes \"{begin}\" of {}", self.bytes.len(), self.updated)
    }
}

/// Two trees hold the same files with the same contents. Their times may differ where a test edits
/// within a second.
pub fn assert_same_contents(a: &BTreeMap<String, Content>, b: &BTreeMap<String, Content>) {
    assert!(a.keys().eq(b.keys()), "{a:?}\n{b:?}");
    for (path, content) in a {
        assert!(content.bytes == b[path].bytes, "{path}: {content:?} and {:?}", b[path]);
    }
}

/// All files of a snapshot by their paths, every byte read through the repository's reader.
pub fn read_back(repo: &Repository, id: IndexId) -> BTreeMap<String, Content> {
    let loaded = repo.load(id).unwrap();
    let mut files = BTreeMap::new();
    for no in loaded.files {
        let Some(File::Known(entry)) = repo.catalog().file(no) else { panic!("a damaged record") };
        let mut bytes = Vec::new();
        while (bytes.len() as u64) < entry.size {
            let piece = repo.read(no, bytes.len() as u64, 3 << 20).unwrap();
            assert!(!piece.is_empty());
            bytes.extend_from_slice(&piece);
        }
        let twice = files.insert(entry.path.to_string(), Content { updated: entry.updated, bytes });
        assert!(twice.is_none(), "{} is there twice", entry.path);
    }
    files
}

/// All regular files below a folder as a record would have them.
pub fn on_disk(folder: &Path) -> BTreeMap<String, Content> {
    fn walk(folder: &Path, prefix: &str, found: &mut BTreeMap<String, Content>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let path = format!("{prefix}/{}", entry.file_name().into_string().unwrap());
            let meta = entry.metadata().unwrap();
            if meta.is_dir() {
                walk(&entry.path(), &path, found);
            } else if meta.is_file() {
                let updated = meta.mtime() * 1_000 + meta.mtime_nsec() / 1_000_000;
                let bytes = std::fs::read(entry.path()).unwrap();
                found.insert(path, Content { updated, bytes });
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(folder, "", &mut found);
    found
}

/// The records of a snapshot in its order, each read from its object.
pub fn records(repo: &Repository, id: IndexId) -> Vec<FileRecord> {
    let index = repo.objects().index(id).unwrap();
    index.files.iter().map(|file| repo.objects().record(*file).unwrap()).collect()
}

/// Every index that a ref names is whole: its records and chunks are there and verify.
pub fn verify(store: &Store) -> usize {
    let repo = open(store.clone());
    let latest = refs::read(store, layout::LATEST).unwrap();
    let tags = refs::tags(store).unwrap().into_iter().map(|(_, id)| id.unwrap());
    let named: Vec<_> = latest.into_iter().chain(tags).collect();
    for id in &named {
        for record in records(&repo, *id) {
            let chunks = record.chunks.iter().map(|chunk| repo.objects().chunk(*chunk).unwrap());
            assert_eq!(chunks.map(|c| c.len() as i64).sum::<i64>(), record.size);
        }
    }
    named.len()
}

/// Sets a file's modification time.
pub fn set_time(path: &Path, seconds: i64, nanos: u32) {
    use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};
    let time = Timespec { tv_sec: seconds, tv_nsec: nanos.into() };
    let times = Timestamps { last_access: time, last_modification: time };
    utimensat(CWD, path, &times, AtFlags::empty()).unwrap();
}

pub fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}
