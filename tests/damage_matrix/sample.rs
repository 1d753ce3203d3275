//! The repository that is damaged: small, with every kind of file, and with what it should hold.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use revu::format::own::{Own, Secret, Settings, Style};
use revu::format::{ChunkId, FileRecord, IndexId, RepoKey, layout};
use revu::ops::Silent;
use revu::ops::snapshot::{Options, Profile, snapshot};
use revu::repo::Repository;
use revu::store::Store;
use revu::store::lock::{Kind, LOCKS, Lock};

use crate::common::{Maker, noise};

/// What a snapshot holds: path to content.
pub type Files = BTreeMap<String, Vec<u8>>;

/// A place with `repo`, `data` and `cache`.
pub struct Sample {
    place: tempfile::TempDir,
    pub key: RepoKey,
    /// What opens its key slot.
    pub slot: RepoKey,
    /// The snapshots: the first has the tag `v1`, the second nothing, the third is the latest.
    pub ids: [IndexId; 3],
    pub truth: BTreeMap<IndexId, Files>,
    pub records: BTreeMap<IndexId, Vec<FileRecord>>,
    pub lock: String,
}

/// In memory where that can be.
pub fn tempdir() -> tempfile::TempDir {
    let mut builder = tempfile::Builder::new();
    let builder = builder.prefix("revu-damage-");
    builder.tempdir_in("/dev/shm").or_else(|_| builder.tempdir()).unwrap()
}

const DAY: i64 = 86_400_000;
const THEN: i64 = 1_700_000_000_000;

impl Sample {
    pub fn new() -> Self {
        let place = tempdir();
        let (repo, data) = (place.path().join("repo"), place.path().join("data"));
        let store = Store::local(&repo);
        let maker = Maker::new(store.clone());
        let large = noise(1, 3_000);
        let note = |n: u8| format!("a needle in note {n}, {}", "and more ".repeat(30)).into_bytes();
        let contents: [&[(&str, i64, Vec<u8>)]; 2] = [
            &[
                ("/notes/a.md", THEN, note(1)),
                ("/notes/b.md", THEN, note(2)),
                ("/large.bin", THEN, large.clone()),
                ("/gone.md", THEN, note(9)),
            ],
            &[
                ("/notes/a.md", THEN + DAY, note(3)),
                ("/notes/b.md", THEN, note(2)),
                ("/large.bin", THEN, large.clone()),
                ("/empty", THEN, Vec::new()),
            ],
        ];
        // Later than any change of the files below: what was not touched since is believed.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
        let made = contents.map(|files| {
            let records: Vec<_> = files
                .iter()
                .map(|(path, time, bytes)| maker.file(path, *time, bytes, 1_000))
                .collect();
            let created = now + 60_000 + files[0].1 - THEN;
            maker.snapshot(created, &records)
        });
        maker.tag("v1", made[0]);
        maker.tag("other", made[1]);
        let slot = RepoKey::from_bytes([7; 32]);
        let mut own = Own::new(&maker.key, Settings::default());
        let style = Style {
            created: 0,
            label: Some("mine"),
            stretch: revu::format::own::Stretch::STANDARD,
        };
        let made_slot = own.make_slot(&maker.key, &Secret::Key(slot.clone()), style).unwrap();
        own.add(made_slot).unwrap();
        store.put("revu.json", &own.encode()).unwrap();

        let write = |path: &str, time: i64, bytes: &[u8]| {
            let path = data.join(&path[1..]);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, bytes).unwrap();
            let time = UNIX_EPOCH + std::time::Duration::from_millis(time as u64);
            std::fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
        };
        for (path, time, bytes) in contents[1] {
            write(path, *time, bytes);
        }
        write("/new.md", THEN + 2 * DAY, &note(4));
        let options =
            Options { states: Some(place.path().join("cache/states")), ..Options::default() };
        let profile = Profile::Plain { cutting: Settings::default().cutting };
        let summary = snapshot(&maker.open(), &data, &profile, &options, &Silent).unwrap();
        assert_eq!(summary.problems, [], "the sample is whole");
        let repo = maker.open();
        repo.keep_catalogs_in(&place.path().join("cache/catalogs"));
        let latest = repo.snapshots_now().unwrap().latest.unwrap();
        let ids = [made[0], made[1], latest];
        assert!(!made.contains(&latest));
        let mut truth = BTreeMap::new();
        let mut all = BTreeMap::new();
        for id in ids {
            repo.load(id).unwrap();
            let index = repo.objects().index(id).unwrap();
            let records: Vec<_> =
                index.files.iter().map(|file| repo.objects().record(*file).unwrap()).collect();
            let content = |record: &FileRecord| {
                let pieces = record.chunks.iter().map(|c| repo.objects().chunk(*c).unwrap());
                pieces.collect::<Vec<_>>().concat()
            };
            truth.insert(id, records.iter().map(|r| (r.path.clone(), content(r))).collect());
            all.insert(id, records);
        }
        maker.full_latest(latest, &all[&latest]);
        // What the next snapshot finds.
        write("/notes/a.md", THEN + 3 * DAY, &note(5));
        write("/later.md", THEN + 3 * DAY, &note(6));

        // Of somebody who has ended.
        let lock = Lock::take(&store, Kind::Exclusive, "purge", Default::default(), &|| false);
        let lock = lock.unwrap();
        let bytes = store.get(lock.key(), 1 << 16).unwrap();
        drop(lock);
        let mut note: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        note["pid"] = serde_json::json!(u32::MAX);
        let lock = format!("{LOCKS}/{:032x}.json", 7);
        store.put(&lock, &serde_json::to_vec(&note).unwrap()).unwrap();
        Self { place, key: maker.key, slot, ids, truth, records: all, lock }
    }

    pub fn path(&self) -> &Path {
        self.place.path()
    }

    pub fn latest(&self) -> IndexId {
        self.ids[2]
    }

    pub fn record(&self, path: &str) -> &FileRecord {
        self.records[&self.latest()].iter().find(|r| r.path == path).unwrap()
    }

    /// A copy of all of it, made of links: nothing of it is ever written in place.
    pub fn copy(&self, to: &Path) {
        fn link(from: &Path, to: &Path) {
            std::fs::create_dir(to).unwrap();
            for entry in std::fs::read_dir(from).unwrap() {
                let entry = entry.unwrap();
                let to = to.join(entry.file_name());
                match entry.file_type().unwrap().is_dir() {
                    true => link(&entry.path(), &to),
                    false => std::fs::hard_link(entry.path(), &to).unwrap(),
                }
            }
        }
        link(self.path(), to);
    }

    /// What a file of the repository may cost.
    pub fn costs(&self, row: &Row) -> Costs {
        let mut costs = BTreeSet::new();
        for (id, records) in &self.records {
            for record in records {
                let needs = match row {
                    Row::Index(n) => self.ids[*n] == *id,
                    Row::Record(path) => self.record(path).id == record.id,
                    Row::Chunk(path, n) => record.chunks.contains(&self.record(path).chunks[*n]),
                    _ => false,
                };
                if needs {
                    costs.insert((*id, record.path.clone()));
                }
            }
        }
        Costs(costs)
    }
}

/// Files of snapshots that need what is damaged.
#[derive(Debug, Clone)]
pub struct Costs(BTreeSet<(IndexId, String)>);

impl Costs {
    pub fn has(&self, id: IndexId, path: &str) -> bool {
        self.0.contains(&(id, path.to_owned()))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Which file is damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Row {
    Index(usize),
    Record(&'static str),
    Chunk(&'static str, usize),
    Latest,
    Tag,
    FullLatest,
    Settings,
    Catalog,
    State,
    Lock,
}

impl Row {
    pub fn name(self) -> &'static str {
        match self {
            Self::Index(2) => "index of the latest",
            Self::Index(_) => "index",
            Self::Record(_) => "File record",
            Self::Chunk(_, 0) => "chunk",
            Self::Chunk(..) => "chunk among others",
            Self::Latest => "refs/latest",
            Self::Tag => "tag",
            Self::FullLatest => "full-latest.json",
            Self::Settings => "revu.json",
            Self::Catalog => "catalog cache",
            Self::State => "snapshot state",
            Self::Lock => "lock",
        }
    }

    /// Where it lies in a repository.
    pub fn key(self, sample: &Sample) -> Option<String> {
        Some(match self {
            Self::Index(n) => layout::index(sample.ids[n]),
            Self::Record(path) => layout::file(sample.record(path).id),
            Self::Chunk(path, n) => layout::chunk(sample.record(path).chunks[n]),
            Self::Latest => layout::LATEST.into(),
            Self::Tag => layout::tag("v1"),
            Self::FullLatest => layout::FULL_LATEST.into(),
            Self::Settings => "revu.json".into(),
            Self::Lock => sample.lock.clone(),
            Self::Catalog | Self::State => return None,
        })
    }

    /// Where it lies below the place.
    pub fn path(self, sample: &Sample) -> PathBuf {
        match self {
            Self::Catalog => Path::new("cache/catalogs").join(sample.latest().to_string()),
            Self::State => {
                let folder = sample.path().join("cache/states");
                let mut entries = std::fs::read_dir(folder).unwrap();
                Path::new("cache/states").join(entries.next().unwrap().unwrap().file_name())
            }
            _ => Path::new("repo").join(self.key(sample).expect("all others have keys")),
        }
    }

    /// Another of its kind, which is whole.
    pub fn other(self, sample: &Sample) -> PathBuf {
        let object = |id: ChunkId| Path::new("repo").join(layout::chunk(id));
        match self {
            Self::Index(n) => Self::Index((n + 1) % 3).path(sample),
            Self::Record(_) => Self::Record("/new.md").path(sample),
            Self::Chunk(_, 0) => object(sample.record("/new.md").chunks[0]),
            // Of the same file: every byte of it authenticates.
            Self::Chunk(path, n) => object(sample.record(path).chunks[n - 1]),
            Self::Latest | Self::Tag => Path::new("repo").join(layout::tag("other")),
            Self::Catalog => Path::new("cache/catalogs").join(sample.ids[0].to_string()),
            Self::State => Self::Catalog.path(sample),
            Self::FullLatest | Self::Settings => Path::new("repo").join(layout::LATEST),
            Self::Lock => Self::Settings.path(sample),
        }
    }
}

/// Opens the repository at a place.
pub fn open(sample: &Sample, place: &Path) -> Result<Repository, String> {
    let store = Store::local(place.join("repo"));
    let options = revu::repo::Options { cache_bytes: 8 << 20 };
    Repository::open(store, &sample.key, options).map_err(|e| format!("it does not open: {e}"))
}
