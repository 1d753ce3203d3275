//! From a file and an offset to bytes.

use std::ops::Deref;
use std::sync::Arc;

use crate::format::ChunkId;

use super::catalog::{Content, File, FileEntry, FileNo, Many};
use super::chunks::Chunk;
use super::objects::ObjectError;
use super::readahead::Stretch;
use super::spans::{self, Spans};
use super::{Core, Repository};

/// Bytes of a file, as a part of a cached chunk where one chunk has them all.
#[derive(Debug, Clone)]
pub enum Bytes {
    /// A part of one cached chunk: no copy was made.
    Part {
        /// The chunk.
        chunk: Chunk,
        /// Where the part begins in it.
        from: usize,
        /// Where it ends.
        to: usize,
    },
    /// Bytes of several chunks, copied together.
    Joined(Vec<u8>),
}

impl Deref for Bytes {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        match self {
            Self::Part { chunk, from, to } => &chunk[*from..*to],
            Self::Joined(bytes) => bytes,
        }
    }
}

/// Why a file cannot be read. What is damaged has been logged.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ReadError {
    /// No such number was ever given to a file.
    #[error("there is no such file")]
    NoSuchFile,
    /// An object that it needs cannot be used.
    #[error("{0}")]
    Object(#[from] Arc<ObjectError>),
    /// Its record and its chunks cannot both be right.
    #[error("{path}: its record says {size} bytes, its chunks make another number")]
    Disagree {
        /// Its path.
        path: String,
        /// What the record says.
        size: u64,
    },
    /// It lies among damaged chunks whose lengths cannot be told.
    #[error("{path}: the place of byte {offset} cannot be told, chunks around it are damaged")]
    Lost {
        /// Its path.
        path: String,
        /// The byte.
        offset: u64,
    },
    /// `full-latest.json` told another size than the record, so what was shown was wrong.
    #[error("{path}: full-latest.json is wrong about it; its size has been corrected")]
    Corrected {
        /// Its path.
        path: String,
    },
}

impl Repository {
    /// Reads `len` bytes of a file at `offset`: fewer at its end, none behind it. Every byte was
    /// authenticated and identified, or there is an error for all of them: never a short answer that
    /// looks like the end.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn read(&self, no: FileNo, offset: u64, len: usize) -> Result<Bytes, ReadError> {
        let entry = match self.core.catalog.file(no) {
            None => return Err(ReadError::NoSuchFile),
            Some(File::Bad(e)) => return Err(e.into()),
            Some(File::Known(entry)) => entry,
        };
        let entry = self.confirmed(no, entry)?;
        if offset >= entry.size || len == 0 {
            return Ok(Bytes::Joined(Vec::new()));
        }
        let end = entry.size.min(offset.saturating_add(len as u64));
        match &entry.content {
            Content::One(id) => {
                if offset == 0 {
                    self.ahead.opened(&self.core, no);
                }
                let chunk = self.core.chunk_of(&entry, *id)?;
                if chunk.len() as u64 != entry.size {
                    return Err(disagree(&entry));
                }
                Ok(Bytes::Part { chunk, from: offset as usize, to: end as usize })
            }
            Content::Many(many) => {
                if offset == 0 {
                    self.ahead.opened(&self.core, no);
                }
                let (bytes, stretch) = self.core.read_many(&entry, &many.chunks, offset, end)?;
                self.ahead.went_on(&self.core, no, &entry, &stretch);
                Ok(bytes)
            }
        }
    }

    /// The entry with its record confirmed, see [`super::Catalog::confirmed`].
    fn confirmed(&self, no: FileNo, entry: Arc<FileEntry>) -> Result<Arc<FileEntry>, ReadError> {
        let size_shown = entry.size;
        let (entry, corrected) = self
            .core
            .catalog
            .confirmed(&self.core.objects, no, entry)
            .inspect_err(|e| self.core.objects.tell(e, || format!("file number {}", no.0)))?;
        if corrected {
            log::error!("{}: full-latest.json is wrong about it; the record is used", entry.path);
            if let Some(tell) = self.on_correction.get() {
                tell(no);
            }
            if entry.size != size_shown {
                return Err(ReadError::Corrected { path: entry.path.to_string() });
            }
        }
        Ok(entry)
    }
}

fn disagree(entry: &FileEntry) -> ReadError {
    let error = ReadError::Disagree { path: entry.path.to_string(), size: entry.size };
    log::error!("{error}");
    error
}

impl Core {
    /// A chunk through the cache.
    pub(super) fn load(&self, id: ChunkId) -> Result<Chunk, Arc<ObjectError>> {
        self.chunks.get_or_load(id, || self.objects.chunk_in(id, |len| self.chunks.memory(len)))
    }

    /// A chunk through the cache; damage is logged with the path that it costs.
    pub(super) fn chunk_of(&self, entry: &FileEntry, id: ChunkId) -> Result<Chunk, ReadError> {
        self.load(id).map_err(|e| {
            self.objects.tell(&e, || format!("needed by {}", entry.path));
            e.into()
        })
    }

    /// Reads `offset..end` of a file of several chunks.
    fn read_many(
        &self,
        entry: &FileEntry,
        chunks: &[ChunkId],
        offset: u64,
        end: u64,
    ) -> Result<(Bytes, Stretch), ReadError> {
        let mut measured = false;
        'again: loop {
            let spans = self.spans(entry, measured)?;
            let mut at = offset;
            let mut joined = Vec::new();
            loop {
                let (i, begin, stop) = spans
                    .find(at)
                    .ok_or_else(|| ReadError::Lost { path: entry.path.to_string(), offset: at })?;
                let chunk = self.chunk_of(entry, chunks[i])?;
                if chunk.len() as u64 != stop - begin {
                    // A probed length was a lie. Opened chunks do not lie.
                    if measured {
                        return Err(disagree(entry));
                    }
                    measured = true;
                    continue 'again;
                }
                let stretch = || Stretch { offset, end, last: i, spans: Arc::clone(&spans) };
                let from = (at - begin) as usize;
                let to = (end.min(stop) - begin) as usize;
                if end <= stop && joined.is_empty() {
                    return Ok((Bytes::Part { chunk, from, to }, stretch()));
                }
                if joined.is_empty() {
                    joined.reserve_exact((end - offset) as usize);
                }
                joined.extend_from_slice(&chunk[from..to]);
                at = begin + to as u64;
                if at == end {
                    return Ok((Bytes::Joined(joined), stretch()));
                }
            }
        }
    }

    /// Where a file's chunks begin: from the headers of their frames, or, where those cannot be
    /// right or `measure` asks for it, from the opened chunks themselves.
    pub(super) fn spans(&self, entry: &FileEntry, measure: bool) -> Result<Arc<Spans>, ReadError> {
        let Content::Many(many) = &entry.content else {
            unreachable!("only files of several chunks have spans");
        };
        let Many { chunks, spans } = &**many;
        let mut known = spans.lock();
        if let Some(spans) = &*known
            && !measure
        {
            return Ok(Arc::clone(spans));
        }
        let by_header = || spans::lengths(chunks, |id| self.probed_len(id));
        let by_content = || spans::lengths(chunks, |id| self.measured_len(entry, id));
        let found = if measure {
            Spans::new(&by_content(), entry.size)
        } else {
            Spans::new(&by_header(), entry.size).or_else(|_| Spans::new(&by_content(), entry.size))
        };
        let found = Arc::new(found.map_err(|_| disagree(entry))?);
        *known = Some(Arc::clone(&found));
        Ok(found)
    }

    fn probed_len(&self, id: ChunkId) -> Option<u64> {
        if let Some(chunk) = self.chunks.peek(id) {
            return Some(chunk.len() as u64);
        }
        match self.objects.chunk_len_hint(id) {
            Ok(Some(len)) => Some(len),
            // A chunk of less than 256 bytes: its object is as small, so open it.
            Ok(None) => self.objects.chunk(id).ok().map(|plain| plain.len() as u64),
            Err(_) => None,
        }
    }

    fn measured_len(&self, entry: &FileEntry, id: ChunkId) -> Option<u64> {
        self.chunk_of(entry, id).ok().map(|chunk| chunk.len() as u64)
    }
}
