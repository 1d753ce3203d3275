//! Reads of single objects, opened and verified: the only way from a store's bytes to anything that
//! the floors above may believe.

use std::collections::HashSet;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::format::index::HEAD_LEN;
use crate::format::latest::FullLatest;
use crate::format::seal::{PROBE_LEN, TAG_LEN};
use crate::format::{
    ChunkId, Cipher, FileId, FileRecord, FormatError, Id, Index, IndexHead, IndexId, Lines,
    MAX_CHUNK, MAX_INDEX, MAX_RECORD, layout,
};
use crate::store::{Store, StoreError, StoreProblem};

use super::chunks::Plain;
use super::room::{Room, Taken};
use super::slab::Piece;
use super::spare::Spare;

/// What an object should have been.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ObjectKind {
    /// A snapshot.
    Index,
    /// A File record.
    Record,
    /// A chunk.
    Chunk,
}

impl fmt::Display for ObjectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Index => "snapshot",
            Self::Record => "file record",
            Self::Chunk => "chunk",
        })
    }
}

/// Why an object cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Problem {
    /// The store does not give it: missing, unreadable, not a file, too large.
    #[error("{0}")]
    Store(StoreProblem),
    /// Its bytes are not what they should be: truncated, not authentic, wrong identity, undecodable.
    #[error("{0}")]
    Format(#[from] FormatError),
}

/// An object that cannot be used. Cheap to clone: it is kept with all that it costs.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{kind} {id} ({place}/{key}): {problem}")]
pub struct ObjectError {
    /// What it should have been.
    pub kind: ObjectKind,
    /// Its ID.
    pub id: Id,
    /// The repository.
    pub place: Arc<str>,
    /// Its key.
    pub key: Arc<str>,
    /// What is wrong.
    pub problem: Problem,
}

impl ObjectError {
    /// Whether it is not there at all.
    pub fn is_missing(&self) -> bool {
        matches!(self.problem, Problem::Store(StoreProblem::Missing))
    }

    /// One word for the problem, as `check --json` gives it.
    pub fn word(&self) -> &'static str {
        match &self.problem {
            Problem::Store(StoreProblem::Missing) => "missing",
            Problem::Store(_) => "unreadable",
            Problem::Format(FormatError::Truncated { .. }) => "truncated",
            Problem::Format(FormatError::NotAuthentic) => "not-authentic",
            Problem::Format(FormatError::WrongIdentity(_)) => "wrong-identity",
            Problem::Format(_) => "undecodable",
        }
    }
}

/// Sealed bytes are never much longer than plain ones: zstd adds 1/256 at the worst.
fn sealed_limit(plain: usize) -> u64 {
    (plain + plain / 128 + 1024) as u64
}

/// Opens objects of one repository with one key. Shared by everything above.
#[derive(Debug)]
pub struct Objects {
    store: Store,
    cipher: Cipher,
    place: Arc<str>,
    told: Mutex<HashSet<(ObjectKind, Id)>>,
    /// For records and indexes that are being expanded.
    room: Room,
    /// Memory for the next sealed objects.
    spare: Spare,
}

/// Bytes of records and indexes that are being expanded at one time, on however many threads.
const EXPANDING: u64 = 256 << 20;

/// A frame expands to at most this many times its length: a block of 4 bytes gives 128 KiB.
const MOST_EXPANSION: u64 = 32 << 10;

/// A chunk's bytes, if they are that chunk's.
fn identified<T: Deref<Target = [u8]>>(id: ChunkId, plain: T) -> Result<T, FormatError> {
    match ChunkId::of(&plain) {
        found if found == id => Ok(plain),
        found => Err(FormatError::WrongIdentity(found.to_string())),
    }
}

/// So many bytes of memory for sealed objects are kept.
const SPARE: usize = 4 << 20;

impl Objects {
    pub(super) fn new(store: Store, cipher: Cipher) -> Self {
        let place = store.place().into();
        Self {
            store,
            cipher,
            place,
            told: Mutex::default(),
            room: Room::new(EXPANDING),
            spare: Spare::new(SPARE),
        }
    }

    /// The store behind.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The key's schedule.
    pub fn cipher(&self) -> &Cipher {
        &self.cipher
    }

    fn error(&self, kind: ObjectKind, id: Id, problem: impl Into<Problem>) -> ObjectError {
        let key = match kind {
            ObjectKind::Index => layout::index(IndexId(id)),
            ObjectKind::Record | ObjectKind::Chunk => layout::object(id),
        };
        ObjectError {
            kind,
            id,
            place: Arc::clone(&self.place),
            key: key.into(),
            problem: problem.into(),
        }
    }

    /// A whole snapshot.
    ///
    /// # Errors
    /// [`ObjectError`].
    pub fn index(&self, id: IndexId) -> Result<Index, ObjectError> {
        let (bytes, _room) = self.index_bytes(id)?;
        Index::decode(&bytes, id).map_err(|e| self.error(ObjectKind::Index, id.0, e))
    }

    /// What a snapshot says to tell a wrong key by, see [`Cipher::verifies`]; its list of files is not
    /// made. `None` where that cannot be had: [`Self::index`] says why.
    pub(super) fn key_check(&self, id: IndexId) -> Option<String> {
        let (bytes, _room) = self.index_bytes(id).ok()?;
        Index::key_check(&bytes, id).ok()
    }

    /// A snapshot with its list as it is stored, for who reads many of them. `None` where that cannot be
    /// had: [`Self::index`] says why, or gives it otherwise.
    pub fn lines(&self, id: IndexId) -> Option<(Index, Lines)> {
        let (bytes, _room) = self.index_bytes(id).ok()?;
        Lines::read(&bytes, id).ok().flatten()
    }

    /// An index as it is stored, with room for what it expands to.
    fn index_bytes(&self, id: IndexId) -> Result<(Vec<u8>, Taken<'_>), ObjectError> {
        let bytes = self
            .store
            .get(&layout::index(id), sealed_limit(MAX_INDEX))
            .map_err(|e| self.error(ObjectKind::Index, id.0, e))?;
        let room =
            self.room_for(Index::stated_len(&bytes), bytes.len(), Index::most_len(bytes.len()));
        Ok((bytes, room))
    }

    /// For something that says that it expands to `stated` bytes, has `len` as it is, and may expand to
    /// `most`: as plain bytes, and again as what they mean.
    fn room_for(&self, stated: Option<u64>, len: usize, most: usize) -> Taken<'_> {
        let plain = stated.unwrap_or(len as u64 * MOST_EXPANSION).min(most as u64);
        self.room.take(2 * plain)
    }

    /// What a list needs of a snapshot, from the beginning of its index where that suffices.
    ///
    /// # Errors
    /// [`ObjectError`].
    pub fn index_head(&self, id: IndexId) -> Result<IndexHead, ObjectError> {
        let head = self
            .store
            .get_head(&layout::index(id), HEAD_LEN)
            .map_err(|e| self.error(ObjectKind::Index, id.0, e))?;
        match IndexHead::decode(&head, id) {
            Ok(Some(head)) => Ok(head),
            Ok(None) => self.index(id).map(|index| IndexHead::from(&index)),
            Err(e) => Err(self.error(ObjectKind::Index, id.0, e)),
        }
    }

    /// A File record: authenticated, and the one that was asked for.
    ///
    /// # Errors
    /// [`ObjectError`].
    pub fn record(&self, id: FileId) -> Result<FileRecord, ObjectError> {
        self.with_sealed(ObjectKind::Record, id.0, MAX_RECORD, |sealed| {
            let stated = self.cipher.probe(sealed).ok().flatten();
            let _room = self.room_for(stated, sealed.len(), MAX_RECORD);
            let json = self.cipher.open(sealed, MAX_RECORD)?;
            FileRecord::decode(&json, id)
        })
    }

    /// A chunk's plain bytes: authenticated, and their SHA-1 is the chunk's ID.
    ///
    /// # Errors
    /// [`ObjectError`].
    pub fn chunk(&self, id: ChunkId) -> Result<Vec<u8>, ObjectError> {
        self.chunk_reusing(id, Vec::new())
    }

    /// The same in memory that is there, as far as it suffices; what it holds goes.
    ///
    /// # Errors
    /// [`ObjectError`].
    pub fn chunk_reusing(&self, id: ChunkId, memory: Vec<u8>) -> Result<Vec<u8>, ObjectError> {
        self.with_sealed(ObjectKind::Chunk, id.0, MAX_CHUNK, |sealed| {
            identified(id, self.cipher.frame(sealed)?.expand_in(MAX_CHUNK, memory)?)
        })
    }

    /// The same in memory that `memory` gives for so many bytes, if it does.
    ///
    /// # Errors
    /// [`ObjectError`].
    pub(super) fn chunk_in(
        &self,
        id: ChunkId,
        memory: impl FnOnce(usize) -> Option<Piece>,
    ) -> Result<Plain, ObjectError> {
        self.with_sealed(ObjectKind::Chunk, id.0, MAX_CHUNK, |sealed| {
            let frame = self.cipher.frame(sealed)?;
            let plain = match frame.plain_len(MAX_CHUNK)?.and_then(memory) {
                Some(mut piece) => {
                    frame.expand_into(piece.bytes_mut())?;
                    Plain::Piece(piece)
                }
                None => Plain::Own(frame.expand(MAX_CHUNK)?),
            };
            identified(id, plain)
        })
    }

    /// A chunk's plain length, from the first bytes of its object. `None` where they do not say.
    /// A hint: nothing was authenticated.
    ///
    /// # Errors
    /// [`ObjectError`].
    pub fn chunk_len_hint(&self, id: ChunkId) -> Result<Option<u64>, ObjectError> {
        let head = self
            .store
            .get_head(&layout::chunk(id), PROBE_LEN)
            .map_err(|e| self.error(ObjectKind::Chunk, id.0, e))?;
        self.cipher.probe(&head).map_err(|e| self.error(ObjectKind::Chunk, id.0, e))
    }

    /// The plaintext cache of the newest snapshot's records, `None` where there is none or it is
    /// of no use: it is disposable. **Not authenticated.**
    pub fn full_latest(&self) -> Option<FullLatest> {
        let bytes = self.store.get(layout::FULL_LATEST, MAX_INDEX as u64).ok()?;
        FullLatest::decode(&bytes).ok()
    }

    /// Opens an object that expands to at most `limit` bytes. Its bytes as they are lie in memory that is
    /// used again and again: they are gone as soon as they are open.
    fn with_sealed<T>(
        &self,
        kind: ObjectKind,
        id: Id,
        limit: usize,
        open: impl FnOnce(&mut [u8]) -> Result<T, FormatError>,
    ) -> Result<T, ObjectError> {
        let most = sealed_limit(limit) + TAG_LEN as u64;
        let mut sealed = self.spare.take();
        let opened = match self.store.get_into(&layout::object(id), most, &mut sealed) {
            Ok(()) => open(&mut sealed).map_err(Problem::from),
            Err(e) => Err(Problem::from(e)),
        };
        self.spare.give(sealed);
        opened.map_err(|e| self.error(kind, id, e))
    }

    /// Logs a damaged object with what it costs: one line for each object, however often it is met.
    pub fn tell(&self, error: &ObjectError, costs: impl FnOnce() -> String) {
        if self.told.lock().insert((error.kind, error.id)) {
            log::error!("{error}; {}", costs());
        }
    }
}

impl Objects {
    /// The error for an index that decodes, and cannot be what it was.
    pub(crate) fn unfit_index(&self, id: IndexId, problem: FormatError) -> ObjectError {
        self.error(ObjectKind::Index, id.0, problem)
    }

    /// The error for an index that a ref names and that is not there.
    pub(super) fn missing_index(&self, id: IndexId) -> ObjectError {
        self.error(ObjectKind::Index, id.0, Problem::Store(StoreProblem::Missing))
    }

    /// Logs a sentence once, however often it is true.
    pub(super) fn tell_once(&self, sentence: &str) {
        let id = Id::digest(sentence.as_bytes());
        if self.told.lock().insert((ObjectKind::Index, id)) {
            log::error!("{sentence}");
        }
    }
}

impl From<StoreError> for Problem {
    fn from(e: StoreError) -> Self {
        Self::Store(e.problem)
    }
}
