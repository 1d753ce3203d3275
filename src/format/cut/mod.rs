//! Chunk boundaries: bytes in, chunks out.
//!
//! A [`Cutter`] is fed a file's bytes in buffers of any size and gives back its chunks; where the
//! cuts lie depends on the bytes alone, never on the buffers. It holds one unfinished chunk and
//! copies from the buffers in small steps, so its memory is bounded by the largest chunk and
//! one step, however large the file is.
//!
//! The chunks of a file, joined, are the file. A file has at least one chunk: an empty file has one
//! empty chunk.

mod gear;
mod rabin;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use gear::{BadFastCdc, FastCdc};

/// How many bytes are taken over from a buffer before they are searched for a cut. What lies behind
/// the cut is copied once more, so this is the price of a cut; a smaller step would call the search
/// more often than its set-up is worth.
const STEP: usize = 64 << 10;

/// Where a writer cuts. Serialises to what a repository's settings hold: an object with the name
/// of the algorithm at `algorithm` and its sizes in bytes beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "algorithm", rename_all = "kebab-case")]
pub enum Cutting {
    /// As SiYuan cuts: restic's Rabin chunker, so that large files share their chunks with
    /// SiYuan's snapshots of them.
    Rabin,
    /// FastCDC of 2020, faster and of freely chosen sizes.
    FastCdc(FastCdc),
}

impl Cutting {
    /// No chunk but a file's last is smaller, bytes. A file of at most this size is one chunk.
    pub const fn min_size(&self) -> usize {
        match self {
            Self::Rabin => rabin::MIN,
            Self::FastCdc(sizes) => sizes.min() as usize,
        }
    }

    /// No chunk is larger, bytes; at most [`MAX_CHUNK`](super::MAX_CHUNK).
    pub const fn max_size(&self) -> usize {
        match self {
            Self::Rabin => rabin::MAX,
            Self::FastCdc(sizes) => sizes.max() as usize,
        }
    }
}

/// Searches a growing chunk for its end. Resumes where it stopped: the search of a chunk costs one
/// pass, however it grows.
enum Search {
    Rabin(rabin::Search),
    FastCdc(gear::Search),
}

impl Search {
    fn new(cutting: &Cutting) -> Self {
        match cutting {
            Cutting::Rabin => Self::Rabin(rabin::Search::default()),
            Cutting::FastCdc(sizes) => Self::FastCdc(gear::Search::new(sizes)),
        }
    }

    /// Where the chunk that `bytes` starts with ends, if `bytes` are enough to tell. The next call
    /// after a `Some` starts a new chunk; after a `None` it continues with more of the same.
    fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        match self {
            Self::Rabin(search) => search.end(bytes),
            Self::FastCdc(search) => search.end(bytes),
        }
    }
}

/// Cuts one file, see the [module](self).
///
/// ```
/// use revu::format::cut::{Cutter, Cutting};
///
/// let mut cutter = Cutter::new(&Cutting::Rabin);
/// let mut chunks = Vec::new();
/// for buffer in [vec![7; 100_000], vec![8; 9_000_000]] {
///     let mut rest = &buffer[..];
///     while let Some(chunk) = cutter.feed(&mut rest) {
///         chunks.push(chunk);
///     }
/// }
/// chunks.extend(cutter.finish());
/// assert_eq!(chunks.iter().map(Vec::len).sum::<usize>(), 9_100_000);
/// ```
pub struct Cutter {
    search: Search,
    max: usize,
    /// Room that most chunks find enough, bytes: a chunk that grows in a vector that grows is copied twice.
    usual: usize,
    /// The unfinished chunk, and behind a `Some` of [`feed`](Self::feed) what was taken too much.
    pending: Vec<u8>,
    /// Whether `pending` holds bytes that have not been searched.
    unsearched: bool,
    cut_before: bool,
}

impl Cutter {
    /// A cutter at the start of a file.
    pub fn new(cutting: &Cutting) -> Self {
        Self {
            search: Search::new(cutting),
            max: cutting.max_size(),
            usual: (4 * cutting.min_size()).min(cutting.max_size()),
            pending: Vec::new(),
            unsearched: false,
            cut_before: false,
        }
    }

    /// Takes bytes off the front of `input` until a chunk is whole, and gives that chunk. `None`
    /// means that all of `input` was taken and more is needed; so call it until then.
    pub fn feed(&mut self, input: &mut &[u8]) -> Option<Vec<u8>> {
        loop {
            if self.unsearched {
                self.unsearched = false;
                if let Some(end) = self.search.end(&self.pending) {
                    let mut next = Vec::with_capacity(self.usual);
                    next.extend_from_slice(&self.pending[end..]);
                    self.pending.truncate(end);
                    self.unsearched = !next.is_empty();
                    self.cut_before = true;
                    return Some(std::mem::replace(&mut self.pending, next));
                }
            }
            if input.is_empty() {
                return None;
            }
            if self.pending.is_empty() {
                self.pending.reserve_exact(self.usual);
            }
            let take = input.len().min(STEP).min(self.max - self.pending.len());
            let (taken, rest) = input.split_at(take);
            self.pending.extend_from_slice(taken);
            self.unsearched = true;
            *input = rest;
        }
    }

    /// The file ends here: its last chunk, if the bytes since the last cut make one. Bytes given to
    /// [`feed`](Self::feed) but not yet taken by it are not part of it.
    pub fn finish(self) -> Option<Vec<u8>> {
        (!self.pending.is_empty() || !self.cut_before).then_some(self.pending)
    }
}
