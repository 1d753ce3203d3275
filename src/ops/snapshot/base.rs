//! The snapshot before: what of it is still so.

use std::collections::HashMap;
use std::sync::Arc;

use crate::format::{FileId, Index, IndexId, layout};
use crate::repo::{File, FileEntry, FileNo, Loaded, Repository};
use crate::store::refs::{self, RefError};

use super::SnapshotError;
use super::root::Seen;
use super::state::{Entry, State};
use super::walk::Found;

/// The snapshot that a new one is compared with.
#[derive(Debug)]
pub(super) struct Base {
    /// Its index.
    pub index: Index,
    /// Whether `refs/latest` names it: if not, it should not be left at that.
    pub is_latest: bool,
    /// Why `refs/latest` is of no use, a sentence.
    pub note: Option<String>,
}

impl Base {
    /// The snapshot that `refs/latest` names, else the newest that can be read; `None` where there
    /// is none.
    pub fn find(repo: &Repository) -> Result<Option<Self>, SnapshotError> {
        let note = match latest(repo) {
            Ok(None) => None,
            Ok(Some(id)) => match repo.objects().index(id) {
                Ok(index) => return Ok(Some(Self { index, is_latest: true, note: None })),
                Err(e) => Some(format!("refs/latest names a snapshot that cannot be read: {e}")),
            },
            Err(RefError::Store(e)) => return Err(e.into()),
            Err(e @ RefError::NotAnId { .. }) => Some(e.to_string()),
        };
        let listed = repo.snapshots()?;
        let mut newest_first = listed.list.iter().rev();
        let index = newest_first.find_map(|s| repo.objects().index(s.head.id).ok());
        Ok(index.map(|index| Self { index, is_latest: false, note }))
    }
}

/// What `refs/latest` names.
pub(super) fn latest(repo: &Repository) -> Result<Option<IndexId>, RefError> {
    refs::read(repo.store(), layout::LATEST)
}

/// A file of the base.
#[derive(Debug)]
pub(super) struct BaseFile {
    /// Its record.
    pub id: FileId,
    /// Its size, bytes.
    pub size: u64,
    /// What its record says; `None` where that was not read, or is damaged.
    pub entry: Option<Arc<FileEntry>>,
    /// The state on disk in which it was.
    pub seen: Option<Seen>,
    /// What can be believed of it.
    trust: Trust,
    /// Whether the folder has it, or may have it.
    pub met: bool,
}

/// What tells that a file is still as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trust {
    /// The state on disk in which it was.
    Seen,
    /// Its record's time, milliseconds since 1970, if nothing has touched it since.
    Time(i64),
    /// Nothing: it has to be read.
    Nothing,
}

/// The files of the base by their paths.
#[derive(Debug, Default)]
pub(super) struct BaseFiles {
    by_path: HashMap<String, BaseFile>,
    /// What was changed in this second since 1970 or later may have been read before the change.
    doubtful_from: i64,
}

/// The clocks of a file system and of who made the base may differ by this, seconds.
const DOUBT: i64 = 3;

impl State {
    /// Whether it is the state of this very index.
    pub fn is_of(&self, index: &Index) -> bool {
        self.index == index.id && self.entries.iter().map(|entry| &entry.id).eq(&index.files)
    }

    /// Whether all its files are there in the state in which they were read, and no other file.
    pub fn is_untouched(&self, found: &[Found]) -> bool {
        let is_same = |(entry, found): (&Entry, &Found)| {
            entry.seen == Some(found.seen) && entry.path == found.path
        };
        self.entries.len() == found.len() && self.entries.iter().zip(found).all(is_same)
    }
}

impl BaseFiles {
    /// The files of `base` as `state` knows them, and as their records say where the state is of
    /// another snapshot or `wants_records`.
    pub fn new(
        repo: &Repository,
        base: &Index,
        state: Option<State>,
        wants_records: bool,
    ) -> Result<Self, SnapshotError> {
        let doubtful_from = base.created.div_euclid(1_000).saturating_sub(DOUBT);
        let mut files = Self { by_path: HashMap::new(), doubtful_from };
        let loaded = |id| -> Result<Vec<File>, SnapshotError> {
            let Loaded { files, .. } = repo.load(id)?;
            let known = |no: &FileNo| repo.catalog().file(*no).expect("it was just loaded");
            Ok(files.iter().map(known).collect())
        };
        match state {
            Some(state) if state.is_of(base) => {
                let records = if wants_records { Some(loaded(base.id)?) } else { None };
                files.add_state(state, records);
            }
            state => {
                files.add_records(loaded(base.id)?);
                if let Some(state) = state {
                    files.believe(state);
                }
            }
        }
        Ok(files)
    }

    /// The state's files, with their records in the same order if they were read.
    fn add_state(&mut self, state: State, records: Option<Vec<File>>) {
        let mut records = records.map(Vec::into_iter);
        for entry in state.entries {
            let Entry { path, id, size, seen } = entry;
            let record = records.as_mut().and_then(Iterator::next);
            let (entry, trust) = match record {
                Some(File::Known(entry)) if *entry.path == *path => (Some(entry), Trust::Seen),
                // Damaged: reading the file is the way to have its record again.
                Some(_) => (None, Trust::Nothing),
                None => (None, Trust::Seen),
            };
            self.by_path.insert(path, BaseFile { id, size, entry, seen, trust, met: false });
        }
    }

    /// The files of records alone. Of a damaged one not even the path is known.
    fn add_records(&mut self, records: Vec<File>) {
        for file in records {
            let File::Known(entry) = file else { continue };
            let file = BaseFile {
                id: entry.id,
                size: entry.size,
                trust: Trust::Time(entry.updated),
                seen: None,
                met: false,
                entry: Some(Arc::clone(&entry)),
            };
            self.by_path.insert(entry.path.to_string(), file);
        }
    }

    /// Adds what the state of another snapshot of this folder knows. Where it knows a file by
    /// another record, that file had another content in the same second: its time proves nothing.
    fn believe(&mut self, state: State) {
        for Entry { path, id, seen, .. } in state.entries {
            let Some(file) = self.by_path.get_mut(&path) else { continue };
            let is_known = file.id == id && seen.is_some();
            (file.seen, file.trust) =
                if is_known { (seen, Trust::Seen) } else { (None, Trust::Nothing) };
        }
    }

    /// The file of the base at this path, marked as met.
    pub fn meet(&mut self, path: &str) -> Option<&BaseFile> {
        let file = self.by_path.get_mut(path)?;
        file.met = true;
        Some(file)
    }

    /// The file of the base at this path.
    pub fn get(&self, path: &str) -> Option<&BaseFile> {
        self.by_path.get(path)
    }

    /// Whether the file still is what its record in the base says.
    pub fn is_unchanged(&self, file: &BaseFile, found: &Found) -> bool {
        match file.trust {
            Trust::Seen => file.seen == Some(found.seen),
            Trust::Time(updated) => {
                file.size == found.seen.size
                    && updated == found.seen.updated()
                    && found.seen.ctime.0 < self.doubtful_from
            }
            Trust::Nothing => false,
        }
    }

    /// Marks the file at this path as gone after all.
    pub fn miss(&mut self, path: &str) {
        if let Some(file) = self.by_path.get_mut(path) {
            file.met = false;
        }
    }

    /// Marks all below a folder as met, and gives their paths.
    pub fn meet_below(&mut self, folder: &str) -> Vec<String> {
        let prefix = if folder == "/" { "/".to_owned() } else { format!("{folder}/") };
        let below =
            self.by_path.iter_mut().filter(|(path, file)| !file.met && path.starts_with(&prefix));
        below
            .map(|(path, file)| {
                file.met = true;
                path.clone()
            })
            .collect()
    }

    /// How many have not been met: they are gone.
    pub fn gone(&self) -> u64 {
        self.by_path.values().filter(|file| !file.met).count() as u64
    }
}
