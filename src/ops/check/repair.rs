//! Taking what is missing or bad from a copy. Nothing is believed of the copy: what comes from it is
//! opened with this repository's key and must be what its name says. What is good is never written over.

use parking_lot::Mutex;

use crate::format::{
    ChunkId, FileId, FileRecord, FormatError, Index, IndexId, MAX_CHUNK, MAX_INDEX, MAX_RECORD,
    layout,
};
use crate::repo::{ObjectError, Objects, Problem, Repository, parallel};
use crate::store::lock::Lock;
use crate::store::{StoreError, StoreProblem};

use super::{CheckError, Kind};

/// More than that is only counted.
const MAX_LISTED: usize = 10_000;

/// Something that was taken from the copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repaired {
    /// What it is.
    pub kind: Kind,
    /// Its key.
    pub object: String,
    /// What was wrong with it, in a word as [`super::Finding::problem`] has it.
    pub problem: &'static str,
}

/// A copy of the repository, and the right to write: see [`super::check`].
#[derive(Debug)]
pub struct Repair<'a> {
    copy: &'a Repository,
    lock: &'a Lock,
    done: Mutex<Done>,
}

#[derive(Debug, Default)]
struct Done {
    list: Vec<Repaired>,
    count: usize,
    failed: Option<StoreError>,
}

impl<'a> Repair<'a> {
    /// From this copy, which has been opened with the repository's key. A shared lock suffices: things
    /// are only added.
    pub fn new(copy: &'a Repository, lock: &'a Lock) -> Self {
        Self { copy, lock, done: Mutex::default() }
    }

    pub(super) fn begin(&self, repo: &Repository) -> Result<(), CheckError> {
        let real = |repo: &Repository| repo.store().folder().and_then(|f| f.canonicalize().ok());
        if let (Some(here), Some(there)) = (real(repo), real(self.copy))
            && here == there
        {
            return Err(CheckError::SamePlace(repo.store().place()));
        }
        self.still_held()
    }

    pub(super) fn still_held(&self) -> Result<(), CheckError> {
        self.lock.still_held().map_err(CheckError::from)
    }

    pub(super) fn lock_key(&self) -> &str {
        self.lock.key()
    }

    pub(super) fn end(&self) -> (Vec<Repaired>, usize, Option<StoreError>) {
        let mut done = std::mem::take(&mut *self.done.lock());
        done.list.sort_by(|a, b| (a.kind, &a.object).cmp(&(b.kind, &b.object)));
        (done.list, done.count, done.failed)
    }

    /// The chunk from the copy, written; its plain length.
    ///
    /// # Errors
    /// Why not, as the end of a sentence.
    pub(super) fn chunk(
        &self,
        objects: &Objects,
        id: ChunkId,
        error: &ObjectError,
    ) -> Result<usize, String> {
        self.may_replace(error)?;
        let key = layout::chunk(id);
        let sealed = self.fetch(&key, MAX_CHUNK)?;
        let plain = objects.cipher().open(&mut sealed.clone(), MAX_CHUNK).map_err(bad_copy)?;
        let found = ChunkId::of(&plain);
        if found != id {
            return Err(bad_copy(FormatError::WrongIdentity(found.to_string())));
        }
        self.write(objects, Kind::Chunk, key, &sealed, error)?;
        objects.chunk(id).map(|plain| plain.len()).map_err(not_read_back)
    }

    /// The record from the copy, not written yet: its chunks come first.
    ///
    /// # Errors
    /// As [`Repair::chunk`].
    pub(super) fn fetch_record(
        &self,
        objects: &Objects,
        id: FileId,
        error: &ObjectError,
    ) -> Result<(FileRecord, Vec<u8>), String> {
        self.may_replace(error)?;
        let sealed = self.fetch(&layout::file(id), MAX_RECORD)?;
        let json = objects.cipher().open(&mut sealed.clone(), MAX_RECORD).map_err(bad_copy)?;
        let record = FileRecord::decode(&json, id).map_err(bad_copy)?;
        Ok((record, sealed))
    }

    /// Writes what [`Repair::fetch_record`] gave.
    ///
    /// # Errors
    /// As [`Repair::chunk`].
    pub(super) fn write_record(
        &self,
        objects: &Objects,
        id: FileId,
        sealed: &[u8],
        error: &ObjectError,
    ) -> Result<(), String> {
        self.write(objects, Kind::Record, layout::file(id), sealed, error)?;
        objects.record(id).map(drop).map_err(not_read_back)
    }

    /// The index from the copy, not written yet: what it needs comes first. Nothing authenticates an
    /// index but that its records are found and add up to what it says.
    ///
    /// # Errors
    /// As [`Repair::chunk`].
    pub(super) fn fetch_index(
        &self,
        objects: &Objects,
        id: IndexId,
        error: &ObjectError,
    ) -> Result<(Index, Vec<u8>), String> {
        self.may_replace(error)?;
        let bytes = self.fetch(&layout::index(id), MAX_INDEX)?;
        let index = Index::decode(&bytes, id).map_err(bad_copy)?;
        if objects.cipher().verifies(&index.aes_key_verify_val) == Some(false) {
            return Err("the copy's was made with another key".into());
        }
        Ok((index, bytes))
    }

    /// The copy's index in the place of one that reads well here: a changed byte in an index may go
    /// unnoticed, but for that it names files that are not there. `None` unless this one does not add up
    /// and the copy's does.
    pub(super) fn better_index(&self, objects: &Objects, here: &Index) -> Option<(Index, Vec<u8>)> {
        let bytes = self.fetch(&layout::index(here.id), MAX_INDEX).ok()?;
        let there = Index::decode(&bytes, here.id).ok()?;
        let same = (&there.files, there.count, there.size) == (&here.files, here.count, here.size);
        let better = !same && !self.adds_up(objects, here) && self.adds_up(objects, &there);
        better.then_some((there, bytes))
    }

    /// Whether all records of an index are here or there, and are as many and as large as it says.
    fn adds_up(&self, objects: &Objects, index: &Index) -> bool {
        let size = |id: &FileId| {
            let record = match objects.record(*id) {
                Ok(record) => Some(record),
                Err(e) => self.fetch_record(objects, *id, &e).ok().map(|(record, _)| record),
            };
            record.map(|record| i128::from(record.size))
        };
        let sizes = parallel::map(&index.files, size).into_iter();
        let sum: Option<i128> = sizes.sum();
        let is_silent = (index.count, index.size) == (0, 0);
        sum.is_some_and(|sum| {
            let says = (index.count == index.files.len() as i64, i128::from(index.size) == sum);
            is_silent || says == (true, true)
        })
    }

    /// Writes what [`Repair::fetch_index`] gave.
    ///
    /// # Errors
    /// As [`Repair::chunk`].
    pub(super) fn write_index(
        &self,
        objects: &Objects,
        id: IndexId,
        bytes: &[u8],
        error: &ObjectError,
    ) -> Result<(), String> {
        self.write(objects, Kind::Index, layout::index(id), bytes, error)?;
        objects.index(id).map(drop).map_err(not_read_back)
    }

    fn fetch(&self, key: &str, plain: usize) -> Result<Vec<u8>, String> {
        // What zstd adds at the worst, and the seal.
        let limit = plain + plain / 128 + 1024;
        self.copy.store().get(key, limit as u64).map_err(|e| match e.problem {
            StoreProblem::Missing => "the copy lacks it too".to_owned(),
            problem => bad_copy(problem),
        })
    }

    /// Whether what is here may be replaced: it is not there or known to be bad. What only cannot be
    /// read by this user may be good.
    fn may_replace(&self, error: &ObjectError) -> Result<(), String> {
        let is_bad = match &error.problem {
            Problem::Format(_) => true,
            Problem::Store(StoreProblem::Missing | StoreProblem::TooLarge(_)) => true,
            Problem::Store(StoreProblem::Unreadable(e)) => e.raw_os_error() == Some(libc::EIO),
            Problem::Store(_) => false,
        };
        if !is_bad {
            return Err("it may be good, so it was not replaced".into());
        }
        self.may_write()
    }

    fn may_write(&self) -> Result<(), String> {
        match self.done.lock().failed {
            None => Ok(()),
            Some(_) => Err("nothing more could be written".into()),
        }
    }

    fn write(
        &self,
        objects: &Objects,
        kind: Kind,
        key: String,
        bytes: &[u8],
        error: &ObjectError,
    ) -> Result<(), String> {
        // What could not be written may be what this one needs.
        self.may_write()?;
        if let Err(e) = objects.store().put(&key, bytes) {
            let sentence = format!("it could not be taken from the copy: {}", e.problem);
            self.done.lock().failed.get_or_insert(e);
            return Err(sentence);
        }
        let mut done = self.done.lock();
        done.count += 1;
        if done.list.len() < MAX_LISTED {
            done.list.push(Repaired { kind, object: key, problem: error.word() });
        }
        Ok(())
    }
}

fn bad_copy(problem: impl std::fmt::Display) -> String {
    format!("nor can the copy's be used: {problem}")
}

fn not_read_back(error: ObjectError) -> String {
    format!("it was taken from the copy, but cannot be read back: {}", error.problem)
}
