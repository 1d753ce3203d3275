//! The heads of all indexes of a repository in one file, so that the list of its snapshots is there at
//! once the next time: a head is small, but the beginning of an index that it is read from is 128 KiB.
//!
//! An index may be rewritten under the same ID, and nothing in it says so. So a head is kept with the
//! [`Stamp`] of the file that it was read from, and whoever takes it looks whether that is its stamp still; but
//! the first list of a mount believes it if nothing was renamed into the folder since, and the second looks.
//! Memos are secrets: the file is sealed with the repository's key.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::format::compact::{Reader, Writer};
use crate::format::{Cipher, Id, IndexHead, IndexId};
use crate::store::{Stamp, Store};

use super::disposable;

/// Changes with every change of the layout below.
const MAGIC: &[u8; 16] = b"revu heads    2\n";

/// The largest file that is read or written, bytes unpacked: room for a quarter of a million snapshots.
const LARGEST: usize = 32 << 20;

/// The most that those of all repositories may take, bytes.
const MOST: u64 = 64 << 20;

/// The longest memo that is kept, bytes: nobody writes a longer one by hand, and all of them are read
/// whenever one is wanted.
const MOST_MEMO: usize = 4 << 10;

/// Bytes of one with an empty memo.
const LEAST: usize = 20 + Stamp::LEN + 8 + 4;

/// What was kept of a repository.
#[derive(Debug, PartialEq)]
pub(super) struct KeptHeads {
    /// The stamp that the folder of indexes had before it was listed. All who write an index rename a file
    /// into that folder, so under an equal stamp nothing has changed, unless somebody writes into a file.
    pub folder: Stamp,
    /// The heads, each of another index.
    pub heads: Vec<Kept>,
}

/// A head, and the stamp of the file that it was read from.
pub(super) type Kept = (Stamp, IndexHead);

/// A folder of such files.
#[derive(Debug, Clone)]
pub struct HeadsCache {
    folder: PathBuf,
    /// Whether the first list believes what was kept without a look at each index, as long as the folder of
    /// indexes is as it was, see [`KeptHeads::folder`]. The second list looks.
    pub(super) believes: bool,
}

impl HeadsCache {
    /// In this folder, which need not be there yet.
    pub fn new(folder: &Path, believes: bool) -> Self {
        Self { folder: folder.to_owned(), believes }
    }

    fn file(&self, place: Id) -> PathBuf {
        self.folder.join(place.hex().as_str())
    }

    /// Whether a head can be kept at all: a stamp that proves nothing now never will.
    pub(super) fn keeps(stamp: Stamp, head: &IndexHead) -> bool {
        stamp.settled && head.memo.len() <= MOST_MEMO
    }

    /// What was kept of the repository in `store`, if there is something and it is of use.
    pub(super) fn read(&self, cipher: &Cipher, store: &Store) -> Option<KeptHeads> {
        let place = place(store);
        let path = self.file(place);
        let plain = disposable::read(&path, cipher, LARGEST)?;
        let kept = decode(&plain, place);
        match &kept {
            Some(_) => disposable::touch(&path),
            None => log::debug!("{}: it holds no heads of this repository", path.display()),
        }
        kept
    }

    /// Keeps those of these heads that can be, see [`Self::keeps`], in the place of what was kept of the
    /// repository in `store`; `folder` is the settled stamp of the folder of indexes, see
    /// [`KeptHeads::folder`]. That it cannot costs time alone, so it is only logged.
    pub(super) fn write<'a>(
        &self,
        cipher: &Cipher,
        store: &Store,
        folder: Stamp,
        heads: impl Iterator<Item = (Stamp, &'a IndexHead)>,
    ) {
        let place = place(store);
        let path = self.file(place);
        let kept: Vec<_> = heads.filter(|(stamp, head)| Self::keeps(*stamp, head)).collect();
        let plain = encode(place, folder, kept);
        if plain.len() > LARGEST {
            log::info!("{}: too many snapshots to keep their heads", path.display());
            return;
        }
        match disposable::write(&path, cipher, &plain) {
            Ok(()) => disposable::thin_out(&self.folder, MOST),
            Err(e) => log::info!("{}: no cache can be written: {e}", path.display()),
        }
    }
}

/// What tells a repository from others without saying where it is. Nothing is taken for true by it: it
/// only says which file to look into.
fn place(store: &Store) -> Id {
    match store.folder() {
        // However the way to it was written.
        Some(folder) => {
            let whole = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
            Id::digest(whole.as_os_str().as_bytes())
        }
        None => Id::digest(store.place().as_bytes()),
    }
}

/// Sorted by their IDs, so that the same heads make the same bytes.
fn encode(place: Id, folder: Stamp, mut heads: Vec<(Stamp, &IndexHead)>) -> Vec<u8> {
    heads.sort_by_key(|(_, head)| head.id);
    let mut out = Writer::with_capacity(64 + heads.len() * (LEAST + 40));
    out.raw(MAGIC);
    out.id(&place);
    out.raw(&folder.to_bytes());
    out.u32(u32::try_from(heads.len()).expect("fewer than 2^32 snapshots"));
    for (stamp, head) in heads {
        out.id(&head.id.0);
        out.raw(&stamp.to_bytes());
        out.i64(head.created);
        out.text(head.memo.as_bytes());
    }
    out.finish()
}

fn decode(plain: &[u8], place: Id) -> Option<KeptHeads> {
    let mut from = Reader::new(plain);
    if from.raw::<16>()? != *MAGIC || from.id()? != place {
        return None;
    }
    let folder = Stamp::settled_from_bytes(from.raw()?);
    let count = from.count(LEAST)?;
    let mut heads = Vec::with_capacity(count);
    for _ in 0..count {
        let id = IndexId(from.id()?);
        let stamp = Stamp::settled_from_bytes(from.raw()?);
        let created = from.i64()?;
        let memo = std::str::from_utf8(from.text()?).ok()?.to_owned();
        heads.push((stamp, IndexHead { id, memo, created }));
    }
    from.is_at_end().then_some(KeptHeads { folder, heads })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::RepoKey;

    fn head(n: u8, memo: &str) -> IndexHead {
        IndexHead { id: IndexId(Id::digest(&[n])), memo: memo.into(), created: i64::from(n) - 2 }
    }

    fn stamp(n: u8) -> Stamp {
        Stamp::settled_from_bytes([n; Stamp::LEN])
    }

    fn sample() -> Vec<Kept> {
        let mut kept = vec![(stamp(1), head(1, "Größe")), (stamp(255), head(2, ""))];
        kept.sort_by_key(|(_, head)| head.id);
        kept
    }

    fn kept(heads: Vec<Kept>) -> Option<KeptHeads> {
        Some(KeptHeads { folder: stamp(9), heads })
    }

    fn lines(kept: &[Kept]) -> impl Iterator<Item = (Stamp, &IndexHead)> {
        kept.iter().map(|(stamp, head)| (*stamp, head))
    }

    fn cipher(n: u8) -> Cipher {
        Cipher::new(&RepoKey::from_bytes([n; 32]))
    }

    #[test]
    fn what_was_kept_comes_back_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let cache = HeadsCache::new(&folder.path().join("new"), false);
        let (here, there) = (folder.path().join("here"), folder.path().join("there"));
        std::fs::create_dir(&here).unwrap();
        let (here, there) = (Store::local(here), Store::local(there));
        assert_eq!(cache.read(&cipher(7), &here), None);
        cache.write(&cipher(7), &here, stamp(9), lines(&sample()));
        assert_eq!(cache.read(&cipher(7), &here), kept(sample()));
        let roundabout = Store::local(folder.path().join("new/../here"));
        assert_eq!(cache.read(&cipher(7), &roundabout), kept(sample()), "the same folder");

        assert_eq!(cache.read(&cipher(8), &here), None, "another key");
        assert_eq!(cache.read(&cipher(7), &there), None, "another place");
        // A file in the place of another.
        std::fs::copy(cache.file(place(&here)), cache.file(place(&there))).unwrap();
        assert_eq!(cache.read(&cipher(7), &there), None);

        let names = std::fs::read_dir(folder.path().join("new")).unwrap();
        for name in names.map(|entry| entry.unwrap().file_name().into_string().unwrap()) {
            assert!(name.len() == 40 && !name.contains("here"), "{name}");
        }
    }

    #[test]
    fn a_stamp_that_proves_nothing_and_a_long_memo_are_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let cache = HeadsCache::new(folder.path(), false);
        let store = Store::memory();
        let mut unsettled = stamp(1);
        unsettled.settled = false;
        let most = "m".repeat(MOST_MEMO);
        let (short, long) = (head(1, &most), head(2, &format!("{most}m")));
        let heads = [(unsettled, &head(3, "new")), (stamp(2), &long), (stamp(4), &short)];
        cache.write(&cipher(7), &store, stamp(9), heads.into_iter());
        assert_eq!(cache.read(&cipher(7), &store), kept(vec![(stamp(4), short.clone())]));
    }

    #[test]
    fn every_damage_is_a_miss() {
        let folder = tempfile::tempdir().unwrap();
        let cache = HeadsCache::new(folder.path(), false);
        let store = Store::memory();
        cache.write(&cipher(7), &store, stamp(9), lines(&sample()));
        let path = cache.file(place(&store));
        let good = std::fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            std::fs::write(&path, &bad).unwrap();
            assert_eq!(cache.read(&cipher(7), &store), None, "byte {at}");
            std::fs::write(&path, &good[..at]).unwrap();
            assert_eq!(cache.read(&cipher(7), &store), None, "cut at {at}");
        }
        let plain = encode(place(&store), stamp(9), lines(&sample()).collect());
        assert_eq!(decode(&plain, place(&store)), kept(sample()));
        for at in 0..plain.len() {
            assert_eq!(decode(&plain[..at], place(&store)), None, "cut at {at}");
        }
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert_eq!(cache.read(&cipher(7), &store), None);
        cache.write(&cipher(7), &store, stamp(9), lines(&sample()));
    }
}
