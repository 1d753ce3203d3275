//! An opened repository: the key is right, objects are found, opened and verified, chunks are cached.
//!
//! Nothing is loaded before it is asked for: a snapshot's records when it is first entered, a
//! chunk when it is first read.

pub mod catalog;
mod catalog_cache;
mod chunks;
pub mod disposable;
mod heads_cache;
mod known;
mod locked;
pub mod names;
mod objects;
mod open;
pub mod parallel;
mod readahead;
mod reader;
mod room;
mod slab;
mod snapshots;
mod spans;
pub mod spare;

use std::path::Path;
use std::sync::{Arc, OnceLock};

use catalog_cache::CatalogCache;
use heads_cache::HeadsCache;

pub use catalog::{Catalog, File, FileEntry, FileNo};
pub use chunks::{Chunk, ChunkCache};
pub use objects::{ObjectError, ObjectKind, Objects, Problem};
pub use open::{OpenError, Verdict, judge};
pub use reader::{Bytes, ReadError};
pub use room::{Room, Taken};
pub use snapshots::{Damaged, Snapshot, Snapshots};

use crate::format::{Index, IndexId, layout};
use crate::store::{Store, StoreError, refs};

use readahead::ReadAhead;
use snapshots::Watch;

/// How a repository is opened.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// The most that the chunk cache holds, bytes.
    pub cache_bytes: usize,
}

/// Room for 32 chunks of the largest size, so that several readers of large files get on.
pub const DEFAULT_CACHE_BYTES: usize = 256 << 20;

impl Default for Options {
    fn default() -> Self {
        Self { cache_bytes: DEFAULT_CACHE_BYTES }
    }
}

/// An opened repository. Share it behind an [`Arc`]: everything takes `&self`.
pub struct Repository {
    core: Arc<Core>,
    ahead: ReadAhead,
    watch: Watch,
    on_correction: OnceLock<Box<dyn Fn(FileNo) + Send + Sync>>,
}

/// What read-ahead threads need too.
struct Core {
    objects: Objects,
    catalog: Catalog,
    chunks: ChunkCache,
    /// Where catalogs are kept from one run to the next, if anywhere.
    cache: OnceLock<CatalogCache>,
    /// Where the heads of indexes are, if anywhere.
    heads: OnceLock<HeadsCache>,
    /// Who takes whole files that somebody will read soon, if anybody.
    on_ahead: OnceLock<Ahead>,
}

/// Takes the number of a file and its whole content, see [`Repository::on_ahead`].
pub type Ahead = Box<dyn Fn(FileNo, &[u8]) + Send + Sync>;

impl std::fmt::Debug for Repository {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Repository({})", self.core.objects.store().place())
    }
}

/// A snapshot whose records have been read.
#[derive(Debug)]
pub struct Loaded {
    /// Its index.
    pub index: Index,
    /// Its files in the index's order, by their numbers in the catalog. A file whose record is
    /// damaged is among them, see [`File::Bad`].
    pub files: Vec<FileNo>,
}

impl Repository {
    /// Keeps what is known of files in this folder from now on, so that the next process need not
    /// read it from many small objects. Of no loss when it is lost. Only the first call counts.
    pub fn keep_catalogs_in(&self, folder: &Path) {
        let _ = self.core.cache.set(CatalogCache::new(folder));
    }

    /// Keeps what the list of snapshots says of each in this folder from now on, so that the next process
    /// need not read it from every index. To be called before the list is asked for first. Of no loss when
    /// it is lost. Only the first call counts.
    ///
    /// Each index is looked at all the same, since it may have been rewritten. With `later` this is left to
    /// the second list, for who asks again soon: as long as nothing was renamed into the folder of indexes,
    /// which is how all who write them do it, the first one takes what was kept as it is.
    pub fn keep_heads_in(&self, folder: &Path, later: bool) {
        let _ = self.core.heads.set(HeadsCache::new(folder, later));
    }

    /// Opened and verified objects.
    pub fn objects(&self) -> &Objects {
        &self.core.objects
    }

    /// The store behind.
    pub fn store(&self) -> &Store {
        self.core.objects.store()
    }

    /// What is known of files.
    pub fn catalog(&self) -> &Catalog {
        &self.core.catalog
    }

    /// The chunk cache.
    pub fn chunks(&self) -> &ChunkCache {
        &self.core.chunks
    }

    /// The snapshots as they are now, at most a tenth of a second old. Reads the heads of indexes that
    /// are new, see [`Self::keep_heads_in`], and nothing else of them.
    ///
    /// # Errors
    /// [`StoreError`] where the repository cannot be listed at all; what is damaged is logged and
    /// listed in [`Snapshots::damaged`].
    pub fn snapshots(&self) -> Result<Arc<Snapshots>, StoreError> {
        self.watch.current(&self.core.objects, self.core.heads.get())
    }

    /// The same for who has changed the list itself just now.
    ///
    /// # Errors
    /// As [`Self::snapshots`].
    pub fn snapshots_now(&self) -> Result<Arc<Snapshots>, StoreError> {
        self.watch.outdate();
        self.snapshots()
    }

    /// Reads a snapshot's index, and those of its records that are not known yet. Where this is asked more
    /// than once, the snapshot must stand in the list that [`Self::snapshots`] gave last: by that list it is
    /// seen what has gone meanwhile, see [`Catalog::load`].
    ///
    /// # Errors
    /// [`ObjectError`] where the index is damaged. Damaged records are logged, once each.
    pub fn load(&self, id: IndexId) -> Result<Loaded, ObjectError> {
        log::debug!("snapshot {id} is entered for the first time");
        let objects = &self.core.objects;
        let index =
            objects.index(id).inspect_err(|e| objects.tell(e, || "it cannot be shown".into()))?;
        let hint = || {
            // It can only fit the index that `refs/latest` names: do not read it for any other.
            let latest = refs::read(self.store(), layout::LATEST).ok().flatten();
            (latest == Some(id)).then(|| objects.full_latest()).flatten()
        };
        let cache = self.core.cache.get();
        let files = self.core.catalog.load(objects, &index, cache, self.watch.losses(), hint);
        self.tell_of_lost(id, &files);
        Ok(Loaded { index, files })
    }

    fn tell_of_lost(&self, id: IndexId, files: &[FileNo]) {
        self.core.catalog.with_files(|known| {
            for no in files {
                if let File::Bad(e) = &known[no.0 as usize] {
                    self.core
                        .objects
                        .tell(e, || format!("a file of snapshot {id} is lost, its path with it"));
                }
            }
        });
    }

    /// The numbers of a few files of a snapshot, `index` being its own with these files alone. Those that
    /// are not known yet are read; damaged ones are logged.
    pub fn some_files(&self, index: &Index) -> Vec<FileNo> {
        let files =
            self.core.catalog.load(&self.core.objects, index, None, self.watch.losses(), || None);
        self.tell_of_lost(index.id, &files);
        files
    }

    /// Notes that a folder was listed, whose first file is `no`: who walks through folders will read its files.
    pub fn listed(&self, no: FileNo) {
        self.ahead.listed(&self.core, no);
    }

    /// Calls `take` with the whole content of a file that somebody will read soon, from threads that nobody
    /// waits for. Only the first caller is served.
    pub fn on_ahead(&self, take: Ahead) {
        let _ = self.core.on_ahead.set(take);
    }

    /// Calls `tell` when what was shown of a file turns out wrong and has been corrected. Only the
    /// first caller is told.
    pub fn on_correction(&self, tell: Box<dyn Fn(FileNo) + Send + Sync>) {
        let _ = self.on_correction.set(tell);
    }
}
