//! The catalog: what is known of files, each File record once however many snapshots share it.
//!
//! A record gets a number when it is first met and keeps it: numbers are dense, so that trees and inodes
//! need four bytes for a file.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use parking_lot::{Mutex, RwLock};

use crate::format::index::walk_order;
use crate::format::latest::FullLatest;
use crate::format::{ChunkId, Cipher, FileId, FileRecord, Index};

use super::catalog_cache::{CatalogCache, Line};
use super::known::{Belief, Losses};
use super::objects::{ObjectError, Objects};
use super::parallel;
use super::spans::Spans;

/// The number of a file in the catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileNo(pub u32);

/// One file in one state, in compact form: of these there are as many as a repository has files.
#[derive(Debug)]
pub struct FileEntry {
    /// Its File ID.
    pub id: FileId,
    /// As its record has it.
    pub path: Box<str>,
    /// Bytes.
    pub size: u64,
    /// Milliseconds since 1970.
    pub updated: i64,
    /// Of what it is made.
    pub content: Content,
    /// How far this may be believed. What came from `full-latest.json` serves for names; before the
    /// content is read, the record must confirm it.
    belief: Belief,
}

/// The chunks of a file.
#[derive(Debug)]
pub enum Content {
    /// The usual note: its length is the file's size.
    One(ChunkId),
    /// A larger file.
    Many(Box<Many>),
}

/// The chunks of a larger file. Where each begins is learnt when it is first read.
#[derive(Debug)]
pub struct Many {
    /// The chunks in order.
    pub chunks: Box<[ChunkId]>,
    /// Where they begin, once known.
    pub spans: Mutex<Option<Arc<Spans>>>,
}

impl Content {
    /// The chunks in order.
    pub fn chunks(&self) -> &[ChunkId] {
        match self {
            Self::One(id) => std::slice::from_ref(id),
            Self::Many(many) => &many.chunks,
        }
    }
}

impl FileEntry {
    fn new(record: FileRecord, belief: Belief) -> Self {
        let content = match &record.chunks[..] {
            [one] => Content::One(*one),
            _ => Content::Many(Box::new(Many {
                chunks: record.chunks.into(),
                spans: Mutex::new(None),
            })),
        };
        Self {
            id: record.id,
            path: record.path.into(),
            size: u64::try_from(record.size).expect("verified: a size is not negative"),
            updated: record.updated,
            content,
            belief,
        }
    }

    /// Of a record that is known to be right.
    #[cfg(test)]
    pub(crate) fn of_record(record: FileRecord) -> Self {
        Self::new(record, Belief::authentic(Losses::new(0)))
    }

    /// The record that this was made of.
    pub fn to_record(&self) -> FileRecord {
        FileRecord {
            id: self.id,
            path: self.path.to_string(),
            size: self.size as i64,
            updated: self.updated,
            chunks: self.content.chunks().to_vec(),
        }
    }

    fn same_as(&self, record: &FileRecord) -> bool {
        *self.path == *record.path
            && self.size as i64 == record.size
            && self.updated == record.updated
            && self.content.chunks() == record.chunks
    }
}

/// A file of the catalog: known, or why it is not.
#[derive(Debug, Clone)]
pub enum File {
    /// Its record was read.
    Known(Arc<FileEntry>),
    /// Its record is damaged: not even its path is known.
    Bad(Arc<ObjectError>),
}

impl File {
    fn new(record: FileRecord, belief: Belief) -> Self {
        Self::Known(Arc::new(FileEntry::new(record, belief)))
    }

    fn id(&self) -> FileId {
        match self {
            Self::Known(entry) => entry.id,
            Self::Bad(error) => FileId(error.id),
        }
    }
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct Catalog {
    known: RwLock<Known>,
    /// Snapshots are loaded one after the other, each on many threads: two that share records
    /// would else read them twice.
    loading: Mutex<()>,
}

#[derive(Debug, Default)]
struct Known {
    /// Found by their IDs, which lie with the files.
    numbers: HashTable<FileNo>,
    hasher: RandomState,
    files: Vec<File>,
}

impl Known {
    /// Keeps a snapshot in the cache, if all its records could be read.
    fn keep(&self, cipher: &Cipher, index: &Index, cache: &CatalogCache) {
        let line = |id: &FileId| match self.get(id) {
            Some(File::Known(entry)) if entry.belief.is_authentic() => Some(Line {
                path: &entry.path,
                size: entry.size,
                updated: entry.updated,
                chunks: entry.content.chunks(),
            }),
            _ => None,
        };
        if let Some(lines) = index.files.iter().map(line).collect::<Option<Vec<_>>>() {
            cache.write(cipher, index, lines.into_iter());
        }
    }

    /// Gives numbers in an order in which the files of a folder stand together, by their names: who
    /// walks through the folder comes by them in this order, and read-ahead builds on it.
    fn add_all(&mut self, mut new: Vec<File>) {
        new.sort_by(|a, b| match (place(a), place(b)) {
            // What has no path comes last.
            (None, b) => b.is_some().cmp(&false),
            (_, None) => std::cmp::Ordering::Less,
            (Some((folder, a)), Some((other, b))) => {
                walk_order(folder, other).then_with(|| a.cmp(b))
            }
        });
        new.into_iter().for_each(|file| self.add(file));
    }

    fn no(&self, id: &FileId) -> Option<FileNo> {
        let is_it = |no: &FileNo| self.files[no.0 as usize].id() == *id;
        self.numbers.find(self.hasher.hash_one(id), is_it).copied()
    }

    fn get(&self, id: &FileId) -> Option<&File> {
        self.no(id).map(|no| &self.files[no.0 as usize])
    }

    /// Gives an ID that has another file now a new number.
    fn replace(&mut self, file: File) {
        let id = file.id();
        let is_it = |no: &FileNo| self.files[no.0 as usize].id() == id;
        if let Ok(old) = self.numbers.find_entry(self.hasher.hash_one(id), is_it) {
            old.remove();
        }
        self.add(file);
    }

    /// Takes a file in, unless its ID is known.
    fn add(&mut self, file: File) {
        let Self { numbers, hasher, files } = self;
        let next = FileNo(u32::try_from(files.len()).expect("fewer than 2^32 records"));
        let id_of = |no: &FileNo| files[no.0 as usize].id();
        let id = file.id();
        let place = numbers.entry(
            hasher.hash_one(id),
            |no| id_of(no) == id,
            |no| hasher.hash_one(id_of(no)),
        );
        if let Entry::Vacant(free) = place {
            free.insert(next);
            files.push(file);
        }
    }
}

/// Folder and name of a file.
fn place(file: &File) -> Option<(&str, &str)> {
    match file {
        File::Known(entry) => Some(entry.path.rsplit_once('/').unwrap_or(("", &entry.path))),
        File::Bad(_) => None,
    }
}

impl Catalog {
    /// A file by its number; `None` for a number that was never given.
    pub fn file(&self, no: FileNo) -> Option<File> {
        self.known.read().files.get(no.0 as usize).cloned()
    }

    /// How many files are known.
    pub fn len(&self) -> usize {
        self.known.read().files.len()
    }

    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Gives `see` a look at many files under one lock. It must not call the catalog.
    pub fn with_files<R>(&self, see: impl FnOnce(&[File]) -> R) -> R {
        see(&self.known.read().files)
    }

    /// The numbers of a snapshot's files, in its order. Records that are not known yet are read
    /// from `cache`, from `full-latest.json` where `hint` gives one that fits, else side by side from
    /// their objects. A damaged record is a number too: see [`File::Bad`].
    ///
    /// `losses` counts how often snapshots have gone so far. A File ID does not depend on the content:
    /// once nobody needs a file's record any more, the ID may come back with another. So
    /// what was known before the last loss is read again, and gets a new number where it is not the
    /// same: whoever has the old one open, the kernel too, must not take one for the other.
    pub fn load(
        &self,
        objects: &Objects,
        index: &Index,
        cache: Option<&CatalogCache>,
        losses: Losses,
        hint: impl FnOnce() -> Option<FullLatest>,
    ) -> Vec<FileNo> {
        let _one_at_a_time = self.loading.lock();
        self.doubt(objects, index, losses);
        let mut missing = self.unknown(index);
        // One read of the whole list is worth less than a few reads of what is new in it.
        let worth_a_list = index.files.len() / 8;
        if missing.len() > worth_a_list {
            if let Some(records) = cache.and_then(|cache| cache.read(objects.cipher(), index)) {
                self.add_kept(records, losses);
                missing = self.unknown(index);
            } else if let Some(full) = hint().filter(|full| fits(full, index)) {
                self.add_hinted(objects, full, losses);
                missing = self.unknown(index);
            }
        }
        let is_worth_keeping = missing.len() > worth_a_list;
        let read = parallel::map(&missing, |id| objects.record(*id));
        let new = read.into_iter().map(|result| found(result, losses)).collect();
        let mut known = self.known.write();
        known.add_all(new);
        if is_worth_keeping && let Some(cache) = cache {
            known.keep(objects.cipher(), index, cache);
        }
        let no = |id| known.no(id).expect("all that was unknown was added");
        index.files.iter().map(no).collect()
    }

    /// Looks again at what is known since before the last loss. What cannot be read any more stays as it
    /// was: its record was authentic once, and its chunks have names that depend on their content.
    fn doubt(&self, objects: &Objects, index: &Index, losses: Losses) {
        let doubtful: Vec<Arc<FileEntry>> = {
            let known = self.known.read();
            let entries = index.files.iter().filter_map(|id| match known.get(id)? {
                File::Known(entry) if entry.belief.is_before(losses) => Some(Arc::clone(entry)),
                _ => None,
            });
            entries.collect()
        };
        let again = parallel::map(&doubtful, |entry| objects.record(entry.id).ok());
        let mut known = self.known.write();
        for (entry, record) in doubtful.into_iter().zip(again) {
            if !entry.belief.is_before(losses) {
                // Listed twice.
                continue;
            }
            entry.belief.renew(losses);
            match record {
                Some(record) if !entry.same_as(&record) => {
                    known.replace(File::new(record, Belief::authentic(losses)));
                }
                _ => {}
            }
        }
    }

    /// What of a snapshot is not known yet, each ID once, in its order.
    fn unknown(&self, index: &Index) -> Vec<FileId> {
        let known = self.known.read();
        let mut seen = std::collections::HashSet::new();
        let new = index.files.iter().filter(|id| known.no(id).is_none());
        new.filter(|id| seen.insert(**id)).copied().collect()
    }

    /// Takes over what the cache on disk has kept of authenticated records.
    fn add_kept(&self, records: Vec<FileRecord>, losses: Losses) {
        let mut known = self.known.write();
        let new = records.into_iter().filter(|record| known.no(&record.id).is_none());
        let new = new.map(|record| File::new(record, Belief::authentic(losses))).collect();
        known.add_all(new);
    }

    /// Takes over what `full-latest.json` says. An empty file is confirmed at once: nobody ever
    /// reads it, so nobody would find out that it should not be empty.
    fn add_hinted(&self, objects: &Objects, full: FullLatest, losses: Losses) {
        let known = self.known.read();
        let new = full.files.into_iter().filter(|r| known.no(&r.id).is_none());
        let (empty, rest): (Vec<_>, Vec<_>) =
            new.map(FileRecord::from).partition(|record| record.size == 0);
        drop(known);
        let empty = parallel::map(&empty, |record| objects.record(record.id));
        let empty = empty.into_iter().map(|result| found(result, losses));
        let rest = rest.into_iter().map(|record| File::new(record, Belief::hinted(losses)));
        let new = empty.chain(rest).collect();
        self.known.write().add_all(new);
    }

    /// The sizes of the files behind `no`, at most `most` of them; a damaged one has none.
    pub(super) fn sizes_from(&self, no: FileNo, most: usize) -> Vec<u64> {
        let known = self.known.read();
        let behind = known.files.iter().skip(no.0 as usize + 1).take(most);
        behind
            .map(|file| match file {
                File::Known(entry) => entry.size,
                File::Bad(_) => 0,
            })
            .collect()
    }

    /// Whether the record of a file says what was shown of it, reading it if that is not known.
    pub(super) fn is_confirmed(&self, objects: &Objects, entry: &FileEntry) -> bool {
        if entry.belief.is_authentic() {
            return true;
        }
        let same = objects.record(entry.id).is_ok_and(|record| entry.same_as(&record));
        if same {
            entry.belief.confirm();
        }
        same
    }

    /// The file with its record confirmed, reading it if that has not been done. The flag says
    /// whether what was shown of it so far was wrong: then it has been corrected.
    ///
    /// # Errors
    /// [`ObjectError`] where the record is damaged; that is not remembered, so that a passing fault passes.
    pub fn confirmed(
        &self,
        objects: &Objects,
        no: FileNo,
        entry: Arc<FileEntry>,
    ) -> Result<(Arc<FileEntry>, bool), Arc<ObjectError>> {
        if entry.belief.is_authentic() {
            return Ok((entry, false));
        }
        let record = objects.record(entry.id)?;
        if entry.same_as(&record) {
            entry.belief.confirm();
            return Ok((entry, false));
        }
        let right = Arc::new(FileEntry::new(record, entry.belief.confirmed()));
        self.known.write().files[no.0 as usize] = File::Known(Arc::clone(&right));
        Ok((right, true))
    }
}

/// What a read has given.
fn found(result: Result<FileRecord, ObjectError>, losses: Losses) -> File {
    match result {
        Ok(record) => File::new(record, Belief::authentic(losses)),
        Err(e) => File::Bad(Arc::new(e)),
    }
}

/// Whether the cache is of this index and could be right: the same IDs in the same order, each
/// record giving its ID, count and sum as the index says. What is not covered by that (chunks, the
/// milliseconds) is confirmed before content is read.
fn fits(full: &FullLatest, index: &Index) -> bool {
    full.id == index.id
        && full.files.len() == index.files.len()
        && full.files.iter().map(|r| &r.id).eq(&index.files)
        && full.files.iter().map(|r| i128::from(r.size)).sum::<i128>() == i128::from(index.size)
        && full.files.iter().all(|r| {
            let record = FileRecord::from(r.clone());
            record.verify(record.id).is_ok()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With the two counters of its `Arc` it is 96 bytes, a size that allocators have; a mount has one for each
    /// state of each file.
    #[test]
    #[cfg(target_pointer_width = "64")]
    fn a_file_takes_little() {
        assert_eq!(size_of::<FileEntry>() + 2 * size_of::<usize>(), 96);
        assert_eq!(size_of::<File>(), 16);
    }

    fn bad(id: FileId) -> File {
        let objects = Objects::new(
            crate::store::Store::memory(),
            Cipher::new(&crate::format::RepoKey::from_bytes([7; 32])),
        );
        File::Bad(Arc::new(objects.record(id).unwrap_err()))
    }

    #[test]
    fn numbers_are_found_by_ids_and_replaced() {
        let mut known = Known::default();
        let records: Vec<_> = (0..3_000)
            .map(|n| FileRecord::new(format!("/{n}"), n, 0, vec![ChunkId::EMPTY]))
            .collect();
        let lost = FileId(crate::format::Id::digest(b"lost"));
        for record in records.iter().chain(&records) {
            known.add(File::Known(Arc::new(FileEntry::of_record(record.clone()))));
        }
        known.add(bad(lost));
        assert_eq!(known.files.len(), 3_001, "each ID once");
        for (record, n) in records.iter().zip(0..) {
            assert_eq!(known.no(&record.id), Some(FileNo(n)));
        }
        assert!(matches!(known.get(&lost), Some(File::Bad(_))));
        // Another content under the same ID.
        let other = FileRecord { size: 7, ..records[5].clone() };
        known.replace(File::Known(Arc::new(FileEntry::of_record(other))));
        assert_eq!(known.no(&records[5].id), Some(FileNo(3_001)));
        assert!(matches!(known.get(&records[5].id), Some(File::Known(entry)) if entry.size == 7));
        assert_eq!(known.no(&FileId(crate::format::Id::digest(b"none"))), None);
    }
}
