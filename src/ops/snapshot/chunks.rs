//! Chunks on their way into the repository: each is looked for and sealed once in a run.

use std::collections::HashSet;

use parking_lot::Mutex;

use crate::format::{ChunkId, FileId, layout};
use crate::repo::Objects;
use crate::store::StoreError;

use super::bare::Bare;
use super::groups::Writer;

/// An object of a chunk of the snapshot before is believed if its beginning is right, and one of a
/// smaller chunk is opened all the same: that costs no more than a look.
pub(super) const WORTH_A_LOOK: usize = 64 << 10;

/// What a File ID is the digest of is a path and a number of 20 digits at most, bytes.
const LONGEST_IDENTITY: usize = libc::PATH_MAX as usize + 20;

/// Where chunks go.
pub(super) struct Chunks<'a, 'w> {
    objects: &'a Objects,
    writer: &'a Writer<'w>,
    bare: &'a Bare,
    /// Chunks of the files that are read again, as the snapshot before has them: a large file that
    /// has grown must not be opened from beginning to end to be believed.
    trusted: HashSet<ChunkId>,
    met: Mutex<HashSet<ChunkId>>,
    /// See [`Met::misfits`].
    misfits: Mutex<HashSet<ChunkId>>,
}

/// What a run has learnt of chunks.
pub(super) struct Met {
    /// Those that the repository holds, or will as soon as all is committed.
    pub held: HashSet<ChunkId>,
    /// Those that the repository cannot hold. Records and chunks share one namespace, and what a
    /// File ID is the digest of (a path and a number) can be the content of a file: where its record
    /// is there first, that content has no place.
    pub misfits: HashSet<ChunkId>,
}

impl<'a, 'w> Chunks<'a, 'w> {
    pub fn new(
        objects: &'a Objects,
        writer: &'a Writer<'w>,
        bare: &'a Bare,
        trusted: HashSet<ChunkId>,
    ) -> Self {
        Self { objects, writer, bare, trusted, met: Mutex::default(), misfits: Mutex::default() }
    }

    /// Whether this chunk is met for the first time: then whoever asks has to [`Chunks::store`] it.
    pub fn is_new(&self, id: ChunkId) -> bool {
        self.met.lock().insert(id)
    }

    /// What was learnt, when all is stored.
    pub fn finish(self) -> Met {
        let (mut held, misfits) = (self.met.into_inner(), self.misfits.into_inner());
        held.retain(|id| !misfits.contains(id));
        Met { held, misfits }
    }

    /// Sees to it that the repository has this chunk.
    ///
    /// # Errors
    /// [`StoreError`] where it cannot be written.
    pub fn store(&self, id: ChunkId, plain: &[u8]) -> Result<(), StoreError> {
        let put = || self.writer.seal(self.objects.cipher(), layout::chunk(id), plain);
        match self.found(id, plain) {
            Found::Sound => Ok(()),
            Found::Nothing => put(),
            Found::Other => {
                if plain.len() <= LONGEST_IDENTITY && self.objects.record(FileId(id.0)).is_ok() {
                    self.misfits.lock().insert(id);
                    return Ok(());
                }
                put()
            }
        }
    }

    /// What is there in the chunk's place. An object that is cut short, empty or changed is written anew:
    /// the ID says what it has to hold, so that cannot be wrong.
    fn found(&self, id: ChunkId, plain: &[u8]) -> Found {
        if self.bare.lacks(id.0) {
            return Found::Nothing;
        }
        if plain.len() > WORTH_A_LOOK && self.trusted.contains(&id) {
            let stated = self.objects.chunk_len_hint(id);
            return match matches!(stated, Ok(Some(len)) if len == plain.len() as u64) {
                true => Found::Sound,
                false => Found::Other,
            };
        }
        // Its identity is verified, so its bytes need not be compared.
        match self.objects.chunk(id) {
            Ok(_) => Found::Sound,
            Err(e) if e.is_missing() => Found::Nothing,
            Err(_) => Found::Other,
        }
    }
}

/// What the repository has under a chunk's ID.
enum Found {
    /// This chunk.
    Sound,
    /// Nothing.
    Nothing,
    /// Something that is not this chunk, or not any more.
    Other,
}
