//! The content of files, chunk by chunk: told whether a file on disk has it, and read from the
//! repository.

use std::io::{self, Read};
use std::sync::Arc;

use crate::format::{ChunkId, MAX_CHUNK};
use crate::repo::{ObjectError, Objects};

/// Whether what `file` gives is exactly the content that these chunks make. Of a file of one chunk
/// the ID tells, of a larger one the lengths of the chunks are needed too: those are read from the
/// heads of their objects. No chunk is opened but where its head does not say its length.
///
/// A `true` is certain: every byte was hashed. Where an object that is needed cannot be read,
/// or lies about its length, the answer is `false`.
///
/// # Errors
/// Where `file` cannot be read.
pub fn is_same(
    objects: &Objects,
    chunks: &[ChunkId],
    size: u64,
    file: &mut impl Read,
) -> io::Result<bool> {
    let mut left = size;
    let mut piece = Vec::new();
    for (nth, id) in chunks.iter().enumerate() {
        let is_last = nth + 1 == chunks.len();
        let len = if is_last { Some(left) } else { length(objects, *id) };
        let Some(len) = len.filter(|len| *len <= left && *len <= MAX_CHUNK as u64) else {
            return Ok(false);
        };
        piece.clear();
        file.take(len).read_to_end(&mut piece)?;
        if ChunkId::of(&piece) != *id {
            return Ok(false);
        }
        left -= len;
    }
    // Larger than it was when its size was asked for.
    Ok(left == 0 && file.read(&mut [0])? == 0)
}

fn length(objects: &Objects, id: ChunkId) -> Option<u64> {
    match objects.chunk_len_hint(id) {
        Ok(Some(len)) => Some(len),
        // A chunk of less than 256 bytes: its object is as small, so open it.
        Ok(None) => objects.chunk(id).ok().map(|plain| plain.len() as u64),
        Err(_) => None,
    }
}

/// Why a content cannot be had.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ContentError {
    /// A chunk cannot be used.
    #[error(transparent)]
    Chunk(#[from] Arc<ObjectError>),
    /// The record and its chunks cannot both be right.
    #[error("its record says {size} bytes, its chunks make another number")]
    Disagree {
        /// What the record says.
        size: u64,
    },
}

/// The whole content of a file whose size is known to be bearable.
///
/// # Errors
/// [`ContentError`].
pub fn read_all(objects: &Objects, chunks: &[ChunkId], size: u64) -> Result<Vec<u8>, ContentError> {
    let mut all = Vec::new();
    for id in chunks {
        let plain = objects.chunk(*id).map_err(Arc::new)?;
        if (all.len() + plain.len()) as u64 > size {
            return Err(ContentError::Disagree { size });
        }
        if all.is_empty() {
            all = plain;
        } else {
            all.extend_from_slice(&plain);
        }
    }
    if all.len() as u64 != size {
        return Err(ContentError::Disagree { size });
    }
    Ok(all)
}
