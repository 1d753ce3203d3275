//! The threads that fetch what somebody will want soon.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::{Condvar, Mutex};

use crate::format::ChunkId;
use crate::repo::Core;
use crate::repo::catalog::{Content, File, FileNo};

use super::walkers::{HANDED, Walkers};

/// Threads for each processor: half of the time a thread waits for the disk.
const PER_PROCESSOR: usize = 4;

/// Threads at the most; more reads in flight do not help a disk.
const MOST: usize = 16;

/// Jobs that wait at the most; what a reader needs now does not wait here, and the oldest were for
/// somebody who has gone on.
const MAX_QUEUE: usize = 256;

/// The largest file that is handed on ahead of its reader, bytes: it is copied, whether he comes or not.
const MOST_HANDED: usize = 1 << 20;

/// Something to have in the cache.
#[derive(Debug, Clone, Copy)]
pub enum Job {
    /// A chunk.
    Chunk(ChunkId),
    /// The first chunk of a file, with its record confirmed.
    Beginning(FileNo),
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct Workers {
    queue: Arc<Queue>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

#[derive(Debug, Default)]
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Job>,
    idle: usize,
    closed: bool,
}

impl Workers {
    /// Lets the threads fetch; returns at once.
    pub(in crate::repo) fn fetch(
        &self,
        core: &Arc<Core>,
        walkers: &Arc<Walkers>,
        jobs: impl Iterator<Item = Job>,
    ) {
        let mut jobs = jobs.peekable();
        if jobs.peek().is_none() {
            return;
        }
        self.start(core, walkers);
        let mut state = self.queue.state.lock();
        let before = state.waiting.len();
        state.waiting.extend(jobs);
        let more = state.waiting.len() - before;
        let too_many = state.waiting.len().saturating_sub(MAX_QUEUE);
        state.waiting.drain(..too_many);
        let wake = more.min(state.idle);
        drop(state);
        for _ in 0..wake {
            self.queue.changed.notify_one();
        }
    }

    /// Threads start with the first need: never before a mount has gone to the background.
    fn start(&self, core: &Arc<Core>, walkers: &Arc<Walkers>) {
        let mut threads = self.threads.lock();
        if !threads.is_empty() {
            return;
        }
        let processors = std::thread::available_parallelism().map_or(2, usize::from);
        for n in 0..(processors * PER_PROCESSOR).min(MOST) {
            let (core, walkers) = (Arc::clone(core), Arc::clone(walkers));
            let queue = Arc::clone(&self.queue);
            let worker = std::thread::Builder::new().name(format!("ahead-{n}"));
            match worker.spawn(move || queue.serve(&core, &walkers)) {
                Ok(handle) => threads.push(handle),
                // No thread to be had: reading works without.
                Err(e) => log::warn!("no thread for read-ahead: {e}"),
            }
        }
    }
}

impl Queue {
    fn serve(&self, core: &Core, walkers: &Walkers) {
        loop {
            let mut state = self.state.lock();
            let job = loop {
                if state.closed {
                    return;
                }
                if let Some(job) = state.waiting.pop_front() {
                    break job;
                }
                state.idle += 1;
                self.changed.wait(&mut state);
                state.idle -= 1;
            };
            drop(state);
            // What is damaged is told when somebody needs it.
            match job {
                Job::Chunk(id) => drop(core.load(id)),
                Job::Beginning(no) => beginning(core, walkers, no),
            }
        }
    }
}

/// Fetches the chunk that whoever opens this file reads first, and hands it on where it is the whole file.
fn beginning(core: &Core, walkers: &Walkers, no: FileNo) {
    let Some(File::Known(entry)) = core.catalog.file(no) else { return };
    // One whose record says something else than was shown is left to its reader, who tells it.
    if !core.catalog.is_confirmed(&core.objects, &entry) {
        return;
    }
    let Some(id) = entry.content.chunks().first() else { return };
    let Ok(chunk) = core.load(*id) else { return };
    if let (Content::One(_), Some(hand_on)) = (&entry.content, core.on_ahead.get())
        && !no.0.is_multiple_of(HANDED)
        && chunk.len() as u64 == entry.size
        && (1..=MOST_HANDED).contains(&chunk.len())
        && !walkers.has_passed(no)
    {
        hand_on(no, &chunk);
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.queue.state.lock().closed = true;
        self.queue.changed.notify_all();
        for thread in self.threads.get_mut().drain(..) {
            // One that panicked has said so itself.
            let _ = thread.join();
        }
    }
}
