//! Where whole objects live. [`Store`] is a cheap handle over a private backend: a local folder, a
//! server, or memory for tests. It knows keys and bytes, not what they mean.
//!
//! Every object has a bounded size and fits in memory, so there are no streams: an object is read
//! whole, or its beginning is.

mod backend;
mod batch;
mod faulty;
mod forgetful;
mod local;
pub mod lock;
mod memory;
pub mod passing;
mod record;
pub mod refs;
mod remote;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use backend::Backend;
use parking_lot::Mutex;

pub use backend::{Listed, Meta, Stamp};
pub use batch::{Batch, Durable};
pub use faulty::{Fault, Faults};
pub use forgetful::{Event, Journal};
pub use local::STAGING;
pub use record::{Call, Calls, Verb};
pub use remote::{Address, AddressError, Credentials};

/// A place that holds a repository. Clones share the place.
#[derive(Debug, Clone)]
pub struct Store {
    backend: Arc<dyn Backend>,
}

/// A key could not be read, listed or written.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{place}/{key}: {problem}")]
pub struct StoreError {
    /// The repository's folder or address.
    pub place: String,
    /// The key below it.
    pub key: String,
    /// What is wrong.
    pub problem: StoreProblem,
}

/// What can be wrong with a key, apart from what its bytes mean.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StoreProblem {
    /// Nothing has that key.
    #[error("it is missing")]
    Missing,
    /// Something has that key, but the system does not give it.
    #[error("it cannot be read: {0}")]
    Unreadable(Arc<std::io::Error>),
    /// A folder, a pipe, a device: not a file.
    #[error("it is not a regular file")]
    NotAFile,
    /// Larger than any such thing may be.
    #[error("it has {0} bytes, which is absurd for what it should be")]
    TooLarge(u64),
    /// It could not be written.
    #[error("it cannot be written: {}", cure(.0))]
    Unwritable(Arc<std::io::Error>),
    /// Something has that key already.
    #[error("it is there already")]
    Exists,
}

/// What the system says, and what to do about it where that is known.
fn cure(error: &std::io::Error) -> String {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::StorageFull => "the disk is full; make room and run this again".to_owned(),
        ErrorKind::QuotaExceeded => {
            "the disk quota is used up; make room and run this again".to_owned()
        }
        ErrorKind::ReadOnlyFilesystem => "its file system is mounted read-only".to_owned(),
        ErrorKind::PermissionDenied => {
            "permission is denied; run this as the owner of the repository".to_owned()
        }
        ErrorKind::IsADirectory => {
            "a folder lies in its place; move it away and run this again".to_owned()
        }
        _ => error.to_string(),
    }
}

impl StoreError {
    /// Whether nothing has that key.
    pub fn is_missing(&self) -> bool {
        matches!(self.problem, StoreProblem::Missing)
    }

    /// Whether something has that key already.
    pub fn exists(&self) -> bool {
        matches!(self.problem, StoreProblem::Exists)
    }
}

impl Store {
    /// The repository in a local folder. Nothing is read yet.
    pub fn local(folder: impl Into<PathBuf>) -> Self {
        Self { backend: Arc::new(local::Local::new(folder.into())) }
    }

    /// The repository that a server holds: to be read, not to be written. Nothing is asked yet.
    ///
    /// # Errors
    /// [`StoreProblem::Unreadable`] where it cannot even be tried.
    pub fn remote(address: &Address, who: &Credentials) -> Result<Self, StoreError> {
        let remote = remote::Remote::new(address, who).map_err(|problem| StoreError {
            place: address.to_string(),
            key: String::new(),
            problem,
        })?;
        Ok(Self { backend: Arc::new(remote) })
    }

    /// An empty store in memory, for tests.
    pub fn memory() -> Self {
        Self { backend: Arc::new(memory::Memory::default()) }
    }

    /// The same place with every call noted, for tests that assert what was read.
    pub fn recorded(&self) -> (Self, Calls) {
        let (backend, calls) = record::Recorded::new(Arc::clone(&self.backend));
        (Self { backend: Arc::new(backend) }, calls)
    }

    /// The same place, where operations fail as `faults` says, for tests.
    pub fn faulty(&self, faults: &Faults) -> Self {
        Self { backend: Arc::new(faulty::Faulty::new(Arc::clone(&self.backend), faults.clone())) }
    }

    /// The same place with all noted that a power failure may forget, for tests.
    pub fn forgetful(&self) -> (Self, Journal) {
        let (backend, journal) = forgetful::Forgetful::new(Arc::clone(&self.backend));
        (Self { backend: Arc::new(backend) }, journal)
    }

    /// The folder of a local store.
    pub fn folder(&self) -> Option<&Path> {
        self.backend.folder()
    }

    /// How the place is called in messages.
    pub fn place(&self) -> String {
        self.backend.place()
    }

    /// All bytes of a key, at most `limit`.
    ///
    /// # Errors
    /// [`StoreProblem::Missing`], [`StoreProblem::Unreadable`], [`StoreProblem::NotAFile`],
    /// [`StoreProblem::TooLarge`].
    pub fn get(&self, key: &str, limit: u64) -> Result<Vec<u8>, StoreError> {
        self.backend.get(key, limit).map_err(|p| self.error(key, p))
    }

    /// As [`Store::get`], in place of what `into` holds, so that its memory is used again. After an error
    /// it may hold anything.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub fn get_into(&self, key: &str, limit: u64, into: &mut Vec<u8>) -> Result<(), StoreError> {
        self.backend.get_into(key, limit, into).map_err(|p| self.error(key, p))
    }

    /// The first `len` bytes of a key, or all of them if it has fewer.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub fn get_head(&self, key: &str, len: usize) -> Result<Vec<u8>, StoreError> {
        self.backend.get_head(key, len).map_err(|p| self.error(key, p))
    }

    /// The size of a key in bytes.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub fn size(&self, key: &str) -> Result<u64, StoreError> {
        self.meta(key).map(|meta| meta.size)
    }

    /// The size of a key, and when it was last written.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub fn meta(&self, key: &str) -> Result<Meta, StoreError> {
        self.backend.meta(key).map_err(|p| self.error(key, p))
    }

    /// What lies directly in a folder, in no order. A folder that is not there is empty. Whatever has a
    /// name is there, also a pipe or a link to nothing, which are no folders: to read them is an error.
    ///
    /// # Errors
    /// [`StoreProblem::Unreadable`].
    pub fn list(&self, folder: &str) -> Result<Vec<Listed>, StoreError> {
        self.backend.list(folder).map_err(|p| self.error(folder, p))
    }

    /// Something that differs when the content of a file or the list of names in a folder does:
    /// cheaper than reading either. `None` where the place cannot tell.
    pub fn stamp(&self, key: &str) -> Option<Stamp> {
        self.backend.stamp(key)
    }

    /// Writes a key: durable when this returns, and whole or not at all whatever happens.
    ///
    /// # Errors
    /// [`StoreProblem::Unwritable`].
    pub fn put(&self, key: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.backend.put(key, bytes).map_err(|p| self.error(key, p))
    }

    /// As [`Self::put`], if nothing has that key: of two who want it at the same moment one gets it.
    ///
    /// # Errors
    /// [`StoreProblem::Exists`], [`StoreProblem::Unwritable`].
    pub fn put_new(&self, key: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.backend.put_new(key, bytes).map_err(|p| self.error(key, p))
    }

    /// Begins to write many keys that become durable together.
    pub fn batch(&self) -> Batch<'_> {
        Batch { store: self, staged: Mutex::default() }
    }

    /// Returns when all that was written so far is durable, names included.
    ///
    /// # Errors
    /// [`StoreProblem::Unwritable`].
    pub fn sync(&self) -> Result<(), StoreError> {
        self.backend.sync().map_err(|p| self.error("", p))
    }

    /// Removes a key, or a folder that is empty; one that is not there is no error.
    ///
    /// # Errors
    /// [`StoreProblem::Unwritable`].
    pub fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.backend.delete(key).map_err(|p| self.error(key, p))
    }

    fn error(&self, key: &str, problem: StoreProblem) -> StoreError {
        StoreError { place: self.place(), key: key.to_owned(), problem }
    }
}

#[cfg(test)]
mod tests;
