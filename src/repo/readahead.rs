//! Read-ahead for sequential readers of large files. The kernel reads ahead too, but only 128 KiB,
//! and a chunk of a megabyte takes a while to decode: the next ones are decoded meanwhile, on other
//! cores.
//!
//! There are no file handles (the mount answers opens without us), so a reader is known by
//! the file that he reads.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::thread::JoinHandle;

use lru::LruCache;
use parking_lot::{Condvar, Mutex};

use crate::format::ChunkId;

use super::Core;
use super::catalog::FileNo;
use super::spans::Spans;

/// Files that are remembered as being read.
const STREAMS: usize = 64;

/// Chunks ahead of a reader at the most: 8 of them are about 12 MB, more than two cores decode while
/// a program looks at one.
const MAX_WINDOW: usize = 8;

/// Kernel threads answer out of order: a read this far from where the last one ended still goes on.
const TOLERANCE: u64 = 1 << 20;

/// Chunks that wait to be fetched at the most; what a reader needs now does not wait here.
const MAX_QUEUE: usize = 64;

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

/// The readers of large files, and the threads that fetch for them.
#[derive(Debug)]
pub struct Streams {
    streams: Mutex<LruCache<FileNo, Stream>>,
    queue: Arc<Queue>,
    workers: Mutex<Vec<JoinHandle<()>>>,
}

#[derive(Debug, Default)]
struct Queue {
    state: Mutex<QueueState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct QueueState {
    waiting: VecDeque<ChunkId>,
    closed: bool,
}

impl Streams {
    pub(super) fn new() -> Self {
        let capacity = std::num::NonZeroUsize::new(STREAMS).expect("not zero");
        Self {
            streams: Mutex::new(LruCache::new(capacity)),
            queue: Arc::default(),
            workers: Mutex::default(),
        }
    }

    /// Which chunks to fetch now that `stretch` has been read, at most `budget` bytes ahead.
    pub(super) fn ahead_of(&self, no: FileNo, stretch: &Stretch, budget: u64) -> Range<usize> {
        let mut streams = self.streams.lock();
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
        stream.next = stream.next.max(stretch.end);
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

    /// Lets the threads fetch chunks into the cache.
    pub(super) fn fetch(&self, core: &Arc<Core>, chunks: impl Iterator<Item = ChunkId>) {
        let mut wanted = chunks.filter(|id| !core.chunks.has_or_loads(*id)).peekable();
        if wanted.peek().is_none() {
            return;
        }
        self.start_workers(core);
        let mut state = self.queue.state.lock();
        for id in wanted {
            if state.waiting.len() >= MAX_QUEUE {
                state.waiting.pop_front();
            }
            state.waiting.push_back(id);
            self.queue.changed.notify_one();
        }
    }

    /// Threads start with the first need: never before a mount has gone to the background.
    fn start_workers(&self, core: &Arc<Core>) {
        let mut workers = self.workers.lock();
        if !workers.is_empty() {
            return;
        }
        let count = std::thread::available_parallelism().map_or(2, usize::from);
        for n in 0..count {
            let (core, queue) = (Arc::clone(core), Arc::clone(&self.queue));
            let worker = std::thread::Builder::new().name(format!("ahead-{n}"));
            match worker.spawn(move || queue.serve(&core)) {
                Ok(handle) => workers.push(handle),
                // No thread to be had: reading works without.
                Err(e) => log::warn!("no thread for read-ahead: {e}"),
            }
        }
    }
}

impl Queue {
    fn serve(&self, core: &Core) {
        loop {
            let mut state = self.state.lock();
            while state.waiting.is_empty() && !state.closed {
                self.changed.wait(&mut state);
            }
            if state.closed {
                return;
            }
            let Some(id) = state.waiting.pop_front() else { continue };
            drop(state);
            // What is damaged is told when somebody needs it.
            let _ = core.chunks.get_or_load(id, || core.objects.chunk(id));
        }
    }
}

impl Drop for Streams {
    fn drop(&mut self) {
        self.queue.state.lock().closed = true;
        self.queue.changed.notify_all();
        for worker in self.workers.get_mut().drain(..) {
            // A worker that panicked has said so itself.
            let _ = worker.join();
        }
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
        let streams = Streams::new();
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
        let streams = Streams::new();
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
        let streams = Streams::new();
        for at in (0..32 * chunk).step_by(128 << 10) {
            let range = streams.ahead_of(FileNo(1), &stretch(&spans, at, 128 << 10), 3 * chunk);
            assert!(
                range.is_empty() || range.end as u64 <= at / chunk + 1 + 3,
                "{range:?} at {at}"
            );
        }
    }
}
