//! The catalog's cache on disk: the File records of a snapshot that was entered once, in one file, so
//! that it is entered at once the next time. Their objects are many thousand small files at random
//! places.
//!
//! Only records that were read from their authenticated objects are kept, sealed with the same key,
//! together with the snapshot that they belong to. So what comes back is as good as the objects; a record
//! that does not fit the index is one that the index does not ask for.

use std::path::{Path, PathBuf};

use crate::format::compact::{Reader, Writer};
use crate::format::{ChunkId, Cipher, FileRecord, Index};

use super::disposable;

/// Changes with every change of the layout below.
const MAGIC: &[u8; 16] = b"revu catalog  1\n";

/// The largest file that is read, bytes unpacked: room for ten million files.
const LARGEST: usize = 1 << 30;

/// The most that all of them may take, bytes.
const MOST: u64 = 256 << 20;

/// A folder of such files.
#[derive(Debug, Clone)]
pub struct CatalogCache {
    folder: PathBuf,
}

impl CatalogCache {
    /// In this folder, which need not be there yet.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    fn file(&self, index: &Index) -> PathBuf {
        // IDs of snapshots are random, so two repositories share one only if one is a copy.
        self.folder.join(index.id.hex().as_str())
    }

    /// The records of a snapshot in the order of its index, if they are there and fit it.
    pub(super) fn read(&self, cipher: &Cipher, index: &Index) -> Option<Vec<FileRecord>> {
        let path = self.file(index);
        let plain = disposable::read(&path, cipher, LARGEST)?;
        let records = decode(&plain, index);
        match &records {
            Some(_) => disposable::touch(&path),
            None => log::debug!("{}: it does not fit its snapshot", path.display()),
        }
        records
    }

    /// Keeps the records of a snapshot, which are in the order of its index. That it cannot costs time
    /// alone, so it is only logged.
    pub(super) fn write<'a>(
        &self,
        cipher: &Cipher,
        index: &Index,
        records: impl ExactSizeIterator<Item = Line<'a>>,
    ) {
        let path = self.file(index);
        let plain = encode(index, records);
        match disposable::write(&path, cipher, &plain) {
            Ok(()) => disposable::thin_out(&self.folder, MOST),
            Err(e) => log::info!("{}: no cache can be written: {e}", path.display()),
        }
    }
}

/// What is kept of a record; its ID stands in the index.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'a> {
    pub path: &'a str,
    pub size: u64,
    pub updated: i64,
    pub chunks: &'a [ChunkId],
}

fn encode<'a>(index: &Index, lines: impl ExactSizeIterator<Item = Line<'a>>) -> Vec<u8> {
    let mut out = Writer::with_capacity(64 + lines.len() * 90);
    out.raw(MAGIC);
    out.id(&index.id.0);
    out.u32(u32::try_from(lines.len()).expect("fewer than 2^32 records"));
    for line in lines {
        out.path(line.path);
        out.u64(line.size);
        out.i64(line.updated);
        out.u32(u32::try_from(line.chunks.len()).expect("fewer than 2^32 chunks"));
        for chunk in line.chunks {
            out.id(&chunk.0);
        }
    }
    out.finish()
}

fn decode(plain: &[u8], index: &Index) -> Option<Vec<FileRecord>> {
    let mut from = Reader::new(plain);
    if from.raw::<16>()? != *MAGIC || from.id()? != index.id.0 {
        return None;
    }
    // A path, two numbers and the number of chunks.
    let count = from.count(8 + 16 + 4)?;
    if count != index.files.len() {
        return None;
    }
    let mut records = Vec::with_capacity(count);
    for id in &index.files {
        let path = from.path()?.to_owned();
        let size = i64::try_from(from.u64()?).ok()?;
        let updated = from.i64()?;
        let chunks = from.count(20)?;
        let chunks = (0..chunks).map(|_| Some(ChunkId(from.id()?))).collect::<Option<Vec<_>>>()?;
        let record = FileRecord { id: *id, path, size, updated, chunks };
        // The index is not authenticated: it may have been changed since.
        record.verify(*id).ok()?;
        records.push(record);
    }
    from.is_at_end().then_some(records)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::{Id, IndexId, RepoKey};

    fn sample() -> (Index, Vec<FileRecord>) {
        let chunk = |n: u8| ChunkId::of(&[n]);
        let records = vec![
            FileRecord::new("/a".into(), 1, 1_714_500_000_123, vec![chunk(1)]),
            FileRecord::new("/a b/ü.sy".into(), 0, -5, vec![chunk(0)]),
            FileRecord::new("/a b/z".into(), 9 << 20, i64::MIN, vec![chunk(2), chunk(3)]),
        ];
        let files = records.iter().map(|r| r.id).collect();
        let id = IndexId(Id::digest(b"a snapshot"));
        let mut index: Index = serde_json::from_value(serde_json::json!({
            "id": id, "created": 1, "files": [],
        }))
        .unwrap();
        index.files = files;
        (index, records)
    }

    fn line(record: &FileRecord) -> Line<'_> {
        let FileRecord { path, size, updated, chunks, .. } = record;
        Line { path, size: *size as u64, updated: *updated, chunks }
    }

    #[test]
    fn what_was_kept_comes_back_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let cache = CatalogCache::new(&folder.path().join("new"));
        let cipher = Cipher::new(&RepoKey::from_bytes([7; 32]));
        let (index, records) = sample();
        assert_eq!(cache.read(&cipher, &index), None);
        cache.write(&cipher, &index, records.iter().map(line));
        assert_eq!(cache.read(&cipher, &index), Some(records.clone()));

        let other = Cipher::new(&RepoKey::from_bytes([8; 32]));
        assert_eq!(cache.read(&other, &index), None, "another key");
        let mut changed = index.clone();
        changed.files.swap(0, 1);
        assert_eq!(cache.read(&cipher, &changed), None, "another order");
        changed = index.clone();
        changed.files.pop();
        assert_eq!(cache.read(&cipher, &changed), None, "fewer files");
        // A file in the place of another.
        let twin = Index { id: IndexId(Id::digest(b"another")), ..index.clone() };
        std::fs::copy(cache.file(&index), cache.file(&twin)).unwrap();
        assert_eq!(cache.read(&cipher, &twin), None);
    }

    #[test]
    fn every_damage_is_a_miss() {
        let folder = tempfile::tempdir().unwrap();
        let cache = CatalogCache::new(folder.path());
        let cipher = Cipher::new(&RepoKey::from_bytes([7; 32]));
        let (index, records) = sample();
        cache.write(&cipher, &index, records.iter().map(line));
        let path = cache.file(&index);
        let good = std::fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            std::fs::write(&path, &bad).unwrap();
            assert_eq!(cache.read(&cipher, &index), None, "byte {at}");
            std::fs::write(&path, &good[..at]).unwrap();
            assert_eq!(cache.read(&cipher, &index), None, "cut at {at}");
        }
        let plain = encode(&index, records.iter().map(line));
        for at in 0..plain.len() {
            assert_eq!(decode(&plain[..at], &index), None, "cut at {at}");
        }
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert_eq!(cache.read(&cipher, &index), None);
        cache.write(&cipher, &index, records.iter().map(line));
    }

    #[test]
    fn the_folder_is_bounded_and_keeps_what_was_of_use() {
        let folder = tempfile::tempdir().unwrap();
        let file = |n: u32| folder.path().join(format!("{n}"));
        for n in 0..10 {
            std::fs::write(file(n), vec![0; 100]).unwrap();
            let time = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(n.into());
            std::fs::File::options().write(true).open(file(n)).unwrap().set_modified(time).unwrap();
        }
        disposable::touch(&file(0));
        disposable::thin_out(folder.path(), 350);
        let left: Vec<u32> = (0..10).filter(|n| file(*n).exists()).collect();
        assert_eq!(left, [0, 8, 9]);
    }
}
