//! Chunks: looked at once each, as far as the options say.

use std::hash::BuildHasher;
use std::sync::Arc;

use crate::format::{ChunkId, FormatError, MAX_CHUNK, layout};
use crate::repo::{ObjectError, ObjectKind, Problem, Taken};
use crate::store::StoreError;

use super::findings::No;
use super::{Check, Finding, Kind, ReadData};

/// Instead of the length of a chunk that cannot be used. No chunk is longer than 8 MiB.
pub(super) const BAD: u32 = u32::MAX;

/// How much of a chunk is read first: what a disk reads anyway. Most notes are smaller, so they are
/// verified whole at the price of a look.
const HEAD: usize = 4096;

/// Bytes of chunks that are being verified at one time, on however many threads.
pub(super) const IN_FLIGHT: u64 = 64 << 20;

/// What was learnt of a chunk.
struct Looked {
    plain: usize,
    verified: bool,
}

impl Check<'_> {
    /// The plain length of a chunk, or the finding that says why there is none.
    pub(super) fn chunk(&self, id: ChunkId) -> Result<u32, No> {
        let known = self.chunks.get(id.0);
        if let Some(length) = known.filter(|length| *length != BAD) {
            return Ok(length);
        }
        let error = match known {
            // Its finding is there already.
            Some(_) => return Err(self.bad_chunk(id, || unreachable!("a bad chunk has a finding"))),
            None => match self.look(id) {
                Ok(looked) => return Ok(self.good_chunk(id, &looked)),
                Err(e) => e,
            },
        };
        let why = match self.repair.map(|repair| repair.chunk(self.objects, id, &error)) {
            Some(Ok(plain)) => return Ok(self.good_chunk(id, &Looked { plain, verified: true })),
            Some(Err(why)) => format!("; {why}"),
            None => String::new(),
        };
        let no = self.bad_chunk(id, || {
            let detail = format!("{}{why}", error.problem);
            Finding::new(Kind::Chunk, layout::chunk(id), error.word(), detail)
        });
        self.chunks.insert(id.0, BAD);
        Err(no)
    }

    fn bad_chunk(&self, id: ChunkId, finding: impl FnOnce() -> Finding) -> No {
        self.findings.add_once(Kind::Chunk, id.0, finding)
    }

    fn good_chunk(&self, id: ChunkId, looked: &Looked) -> u32 {
        let length = u32::try_from(looked.plain).expect("no chunk is longer than 8 MiB");
        // Two threads may have looked at one chunk; it counts once.
        if self.chunks.insert(id.0, length) && looked.verified {
            self.counts.verified(looked.plain);
        }
        length
    }

    fn look(&self, id: ChunkId) -> Result<Looked, ObjectError> {
        let problem = |problem: Problem| self.chunk_error(id, problem);
        let store = self.objects.store();
        let head = store.get_head(&layout::chunk(id), HEAD);
        let mut head = head.map_err(|e: StoreError| problem(e.into()))?;
        if head.len() < HEAD {
            let plain = self.objects.cipher().open(&mut head, MAX_CHUNK);
            let plain = plain.map_err(|e| problem(e.into()))?;
            let found = ChunkId::of(&plain);
            if found != id {
                return Err(problem(FormatError::WrongIdentity(found.to_string()).into()));
            }
            return Ok(Looked { plain: plain.len(), verified: true });
        }
        match self.objects.cipher().probe(&head).map_err(|e| problem(e.into()))? {
            Some(size) if size > MAX_CHUNK as u64 => {
                Err(problem(FormatError::TooLarge(size).into()))
            }
            Some(size) if !self.reads_whole(id) => {
                Ok(Looked { plain: size as usize, verified: false })
            }
            // Another program's frame may not say how much is in it.
            size => {
                let _room = self.room(size.unwrap_or(MAX_CHUNK as u64));
                let plain = self.objects.chunk(id)?;
                Ok(Looked { plain: plain.len(), verified: true })
            }
        }
    }

    /// Room for something of this plain length, bytes, sealed and plain.
    pub(super) fn room(&self, plain: u64) -> Taken<'_> {
        self.room.take(plain.saturating_mul(2))
    }

    /// Whether this object is among those that are read to the end.
    pub(super) fn reads_whole(&self, id: ChunkId) -> bool {
        match self.options.read_data {
            ReadData::Heads => false,
            ReadData::All => true,
            ReadData::Percent(percent) => {
                let draw = self.chance.hash_one(id) as f64 / u64::MAX as f64;
                draw * 100.0 < percent
            }
        }
    }

    fn chunk_error(&self, id: ChunkId, problem: Problem) -> ObjectError {
        ObjectError {
            kind: ObjectKind::Chunk,
            id: id.0,
            place: Arc::from(self.objects.store().place()),
            key: layout::chunk(id).into(),
            problem,
        }
    }
}
