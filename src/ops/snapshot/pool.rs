//! The pipeline: files are read, cut and hashed, their chunks compressed, sealed and written, on all
//! cores.
//!
//! Every thread does what is most urgent: a chunk that waits to be stored, else a large file, else
//! a small one, which it takes all the way by itself. A large file's reader hands its chunks to the
//! others, and stores one itself where too many are waiting: so nobody waits for somebody who
//! waits, and what is in memory is bounded whatever the sizes of the files.

use std::collections::VecDeque;
use std::sync::OnceLock;

use parking_lot::{Condvar, Mutex};

use crate::format::{ChunkId, MAX_CHUNK};

use super::chunks::Chunks;
use super::read::{Content, FileReader, Halt, Sink, Unread};

/// The most bytes of chunks that wait to be stored.
const WAITING_BYTES: usize = 2 * MAX_CHUNK;

/// The most large files that are read at a time: each holds a chunk that is still growing.
const LARGE_AT_A_TIME: usize = 2;

/// More threads than this find nothing to do while the disk is busy.
const MOST_THREADS: usize = 16;

/// What became of a file.
pub(super) type Outcome = Result<Content, Unread>;

/// A file to be read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Job<'a> {
    /// Its path below the root, starting with `/`.
    pub path: &'a str,
    /// Its size when the walk met it, bytes.
    pub size: u64,
}

struct Pool<'a, 'w> {
    jobs: &'a [Job<'a>],
    reader: FileReader<'a>,
    chunks: &'a Chunks<'a, 'w>,
    outcomes: Vec<OnceLock<Outcome>>,
    work: Mutex<Work>,
    changed: Condvar,
}

struct Work {
    waiting: VecDeque<(ChunkId, Vec<u8>)>,
    waiting_bytes: usize,
    /// Numbers of jobs.
    large: VecDeque<usize>,
    large_now: usize,
    small: VecDeque<usize>,
    halt: Option<Halt>,
}

enum Task {
    Store(ChunkId, Vec<u8>),
    Large(usize),
    Small(usize),
}

/// Threads that store: three for each core, so that those that wait for the disk leave none idle. Each may hold a
/// chunk of the largest size three times: plain, compressed and sealed.
pub(super) fn threads() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    (3 * cores).min(MOST_THREADS)
}

/// Reads all files and stores their chunks. The outcomes are in the order of the jobs.
///
/// # Errors
/// [`Halt`] where the repository cannot be written or the user has stopped it.
pub(super) fn read_all(
    jobs: &[Job<'_>],
    reader: FileReader<'_>,
    chunks: &Chunks<'_, '_>,
) -> Result<Vec<Outcome>, Halt> {
    let one_chunk = reader.cutting.min_size() as u64;
    let (large, small) = (0..jobs.len()).partition(|no| jobs[*no].size > one_chunk);
    let work =
        Work { waiting: VecDeque::new(), waiting_bytes: 0, large, large_now: 0, small, halt: None };
    let outcomes = jobs.iter().map(|_| OnceLock::new()).collect();
    let pool =
        Pool { jobs, reader, chunks, outcomes, work: Mutex::new(work), changed: Condvar::new() };
    std::thread::scope(|scope| {
        for _ in 0..threads().min(jobs.len()) {
            scope.spawn(|| pool.run());
        }
    });
    if let Some(halt) = pool.work.into_inner().halt {
        return Err(halt);
    }
    let outcomes = pool.outcomes.into_iter();
    Ok(outcomes
        .map(|o| o.into_inner().expect("no thread ends before all files are read"))
        .collect())
}

impl Pool<'_, '_> {
    fn run(&self) {
        while let Some(task) = self.next() {
            let done = match task {
                Task::Store(id, chunk) => self.chunks.store(id, &chunk).map_err(Halt::from),
                Task::Small(no) => self.file(no, &mut &*self.chunks),
                Task::Large(no) => {
                    let done = self.file(no, &mut &*self);
                    self.work.lock().large_now -= 1;
                    self.changed.notify_all();
                    done
                }
            };
            if let Err(halt) = done {
                self.work.lock().halt.get_or_insert(halt);
                self.changed.notify_all();
            }
        }
    }

    fn file(&self, no: usize, sink: &mut dyn Sink) -> Result<(), Halt> {
        let outcome = self.reader.read(self.jobs[no].path, sink)?;
        self.outcomes[no].set(outcome).expect("each file is taken once");
        Ok(())
    }

    fn next(&self) -> Option<Task> {
        let mut work = self.work.lock();
        loop {
            if work.halt.is_some() {
                return None;
            }
            if let Some((id, chunk)) = work.waiting.pop_front() {
                work.waiting_bytes -= chunk.len();
                return Some(Task::Store(id, chunk));
            }
            if work.large_now < LARGE_AT_A_TIME
                && let Some(no) = work.large.pop_front()
            {
                work.large_now += 1;
                return Some(Task::Large(no));
            }
            if let Some(no) = work.small.pop_front() {
                return Some(Task::Small(no));
            }
            if work.large_now == 0 {
                return None;
            }
            self.changed.wait(&mut work);
        }
    }
}

/// Stores the chunks of a small file where they are.
impl Sink for &Chunks<'_, '_> {
    fn take(&mut self, id: ChunkId, chunk: Vec<u8>) -> Result<(), Halt> {
        if self.is_new(id) {
            self.store(id, &chunk)?;
        }
        Ok(())
    }
}

/// Leaves the chunks of a large file to whoever has time.
impl Sink for &Pool<'_, '_> {
    fn take(&mut self, id: ChunkId, chunk: Vec<u8>) -> Result<(), Halt> {
        if !self.chunks.is_new(id) {
            return Ok(());
        }
        let mut work = self.work.lock();
        if work.waiting_bytes + chunk.len() <= WAITING_BYTES {
            work.waiting_bytes += chunk.len();
            work.waiting.push_back((id, chunk));
            drop(work);
            self.changed.notify_one();
            return Ok(());
        }
        drop(work);
        self.chunks.store(id, &chunk)?;
        Ok(())
    }
}
