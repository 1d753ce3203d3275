//! Reads ahead of those who read on: the next chunks of a large file ([`streams`]), the next files of
//! a folder ([`walkers`]). Both only say what is worth having; [`workers`] fetches it into the cache.
//!
//! What is a whole small file is not only fetched but handed on, to the kernel's own cache: its reader then
//! finds it there, and two changes of the running program for each file are spared. One file of
//! [`walkers::HANDED`] is left out, so that he is seen to come by.
//!
//! There are no file handles (the mount answers opens without us), so a reader is known by what
//! he reads.

mod streams;
mod walkers;
mod workers;

use std::sync::Arc;

use super::Core;
use super::catalog::{FileEntry, FileNo};

use streams::Streams;
use walkers::Walkers;
use workers::{Job, Workers};

pub use streams::Stretch;

/// The share of the chunk cache that may be filled ahead of one reader.
const SHARE: u64 = 4;

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct ReadAhead {
    streams: Streams,
    walkers: Arc<Walkers>,
    workers: Workers,
}

impl ReadAhead {
    /// Notes where a reader of a large file is, and fetches ahead of him if he reads on.
    pub(super) fn went_on(
        &self,
        core: &Arc<Core>,
        no: FileNo,
        entry: &FileEntry,
        stretch: &Stretch,
    ) {
        let ahead = self.streams.ahead_of(no, stretch, core.chunks.cap() as u64 / SHARE);
        let chunks = &entry.content.chunks()[ahead];
        let wanted = chunks.iter().filter(|id| !core.chunks.has_or_loads(**id));
        self.workers.fetch(core, &self.walkers, wanted.map(|id| Job::Chunk(*id)));
    }

    /// Notes that the beginning of a file was read, and fetches those of the next ones if its reader
    /// walks through a folder.
    pub(super) fn opened(&self, core: &Arc<Core>, no: FileNo) {
        let budget = core.chunks.cap() as u64 / SHARE;
        let ahead =
            self.walkers.ahead_of(no, || core.catalog.sizes_from(no, walkers::MAX_WINDOW), budget);
        self.workers.fetch(core, &self.walkers, ahead.map(|no| Job::Beginning(FileNo(no))));
    }

    /// Notes that a folder was listed whose first file is `no`, and fetches its files if its reader walks on
    /// into it.
    pub(super) fn listed(&self, core: &Arc<Core>, no: FileNo) {
        let budget = core.chunks.cap() as u64 / SHARE;
        let sizes = || core.catalog.sizes_from(FileNo(no.0.saturating_sub(1)), walkers::MAX_WINDOW);
        let ahead = self.walkers.listed(no, sizes, budget);
        self.workers.fetch(core, &self.walkers, ahead.map(|no| Job::Beginning(FileNo(no))));
    }
}
