//! Read-ahead for sequential readers of large files. The kernel reads ahead too, but only 128 KiB,
//! and a chunk of a megabyte takes a while to decode: the next ones are decoded meanwhile, on other
//! cores.

use std::ops::Range;
use std::sync::Arc;

use lru::LruCache;
use parking_lot::Mutex;

use crate::repo::catalog::FileNo;
use crate::repo::spans::Spans;

/// Files that are remembered as being read.
const STREAMS: usize = 64;

/// Chunks ahead of a reader at the most: 8 of them are about 12 MB, more than two cores decode while
/// a program looks at one.
const MAX_WINDOW: usize = 8;

/// Kernel threads answer out of order: a read this far from where the last one ended still goes on.
const TOLERANCE: u64 = 1 << 20;

/// A part of a large file that was just read.
#[derive(Debug)]
pub struct Stretch {
    /// Where it begins.
    pub offset: u64,
    /// Where it ends.
    pub end: u64,
    /// The chunk of its last byte.
    pub last: usize,
    /// Where the file's chunks begin.
    pub spans: Arc<Spans>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Stream {
    /// Where a sequential reader would read next.
    next: u64,
    /// How many chunks ahead: doubles with success.
    window: usize,
    /// Chunks before this one have been asked for.
    fetched: usize,
}

/// The readers of large files.
#[derive(Debug)]
pub struct Streams(Mutex<LruCache<FileNo, Stream>>);

impl Default for Streams {
    fn default() -> Self {
        let capacity = std::num::NonZeroUsize::new(STREAMS).expect("not zero");
        Self(Mutex::new(LruCache::new(capacity)))
    }
}

impl Streams {
    /// Which chunks to fetch now that `stretch` has been read, at most `budget` bytes ahead.
    pub fn ahead_of(&self, no: FileNo, stretch: &Stretch, budget: u64) -> Range<usize> {
        let mut streams = self.0.lock();
        let Some(stream) = streams.get_mut(&no) else {
            // One read is no sequence.
            streams.put(no, Stream { next: stretch.end, ..Stream::default() });
            return 0..0;
        };
        let on =
            stretch.offset <= stream.next + TOLERANCE && stretch.end + TOLERANCE >= stream.next;
        if !on {
            *stream = Stream { next: stretch.end, ..Stream::default() };
            return 0..0;
        }
        if stretch.end <= stream.next {
            // The same again, or an answer that was overtaken: nobody went on.
            return 0..0;
        }
        stream.next = stretch.end;
        if stretch.last < stream.fetched
            && stream.window > 1
            && stretch.last + stream.window / 2 < stream.fetched
        {
            // Still far from the end of what was fetched.
            return 0..0;
        }
        stream.window = (stream.window * 2).clamp(1, MAX_WINDOW);
        let next = stretch.last + 1;
        let from = stream.fetched.max(next);
        let to = stretch.spans.within(next, next + stream.window, budget).max(from);
        stream.fetched = to;
        from..to
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stretch(spans: &Arc<Spans>, offset: u64, len: u64) -> Stretch {
        let (last, ..) = spans.find(offset + len - 1).unwrap();
        Stretch { offset, end: offset + len, last, spans: Arc::clone(spans) }
    }

    #[test]
    fn a_sequential_reader_is_served_ahead_and_every_chunk_once() {
        let chunk = 1 << 20;
        let spans = Arc::new(Spans::new(&[Some(chunk); 64], 64 * chunk).unwrap());
        let streams = Streams::default();
        let mut fetched = Vec::new();
        for at in (0..64 * chunk).step_by(128 << 10) {
            let range = streams.ahead_of(FileNo(1), &stretch(&spans, at, 128 << 10), 1 << 30);
            assert!(range.is_empty() || range.start > (at / chunk) as usize);
            assert!(range.end <= (at / chunk) as usize + 1 + MAX_WINDOW);
            fetched.extend(range);
        }
        assert_eq!(fetched, (1..64).collect::<Vec<_>>());
    }

    #[test]
    fn a_random_reader_is_left_alone() {
        let chunk = 1 << 20;
        let spans = Arc::new(Spans::new(&[Some(chunk); 64], 64 * chunk).unwrap());
        let streams = Streams::default();
        let mut fetched = 0;
        for n in 0..200u64 {
            let at = (n * 29 % 61 + 1) * chunk + 7;
            fetched += streams.ahead_of(FileNo(1), &stretch(&spans, at, 4096), 1 << 30).len();
        }
        assert!(fetched <= 6, "{fetched} chunks for 200 random reads");
    }

    #[test]
    fn the_budget_holds() {
        let chunk = 8 << 20;
        let spans = Arc::new(Spans::new(&[Some(chunk); 64], 64 * chunk).unwrap());
        let streams = Streams::default();
        for at in (0..32 * chunk).step_by(128 << 10) {
            let range = streams.ahead_of(FileNo(1), &stretch(&spans, at, 128 << 10), 3 * chunk);
            assert!(
                range.is_empty() || range.end as u64 <= at / chunk + 1 + 3,
                "{range:?} at {at}"
            );
        }
    }
}
