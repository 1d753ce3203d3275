//! **The model of the mounted tree**: what a repository looks like as folders and files is said
//! here and only here. Plain Rust types in and out; nothing of FUSE, so that the same model can be
//! tested without a mount and served by other protocols.
//!
//! ```text
//! MOUNT/
//!   latest -> snapshots/<newest>
//!   snapshots/<local time>/…
//!   ids/<40 digits>/…
//!   tags/<tag>/…
//! ```
//!
//! # Inode numbers
//! They are computed, not handed out, so that nothing has to be remembered for the kernel and
//! nothing grows with what was looked at ([`ino`]): a file's number is that of its File record in
//! the catalog, the same in every snapshot that shares it, so that the kernel's page cache is shared and
//! `diff -r` sees equal files without reading them. A folder's number is its snapshot's *slot* and
//! its place in a walk of that snapshot, so that no folder appears twice.

mod attr;
mod error;

pub use attr::{Attr, Entry, Item, Kind, Lifetime, Stats};
pub use error::VfsError;

use std::sync::Arc;

use crate::repo::{Bytes, Repository};

/// How the tree is shown.
#[derive(Debug, Clone, Copy, Default)]
pub struct VfsOptions {
    /// Snapshot names in UTC instead of local time.
    pub utc: bool,
}

/// Something that the kernel may still believe has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The name in that folder leads elsewhere or nowhere now.
    Name {
        /// Inode of the folder.
        parent: u64,
        /// The name.
        name: Vec<u8>,
    },
    /// Attributes and listing of this inode are new.
    Node(u64),
}

/// Inode number of the root.
pub const ROOT: u64 = 1;

/// The mounted tree of one repository.
pub struct Vfs {
    repo: Arc<Repository>,
}

impl Vfs {
    /// The tree of `repo`, with its lists of snapshots and tags read.
    ///
    /// # Errors
    /// [`VfsError::Damaged`] where the repository cannot be listed.
    pub fn new(repo: Arc<Repository>, options: VfsOptions) -> Result<Self, VfsError> {
        let _ = options;
        Ok(Self { repo })
    }

    /// Calls `tell` for whatever changes from now on, from whichever thread notices it. `tell`
    /// must not wait: it is called while requests are being answered.
    pub fn on_change(&self, tell: Box<dyn Fn(Change) + Send + Sync>) {
        let _ = tell;
        todo!()
    }

    /// Finds a name in a folder.
    ///
    /// # Errors
    /// [`VfsError::NotFound`] with the lifetime of that fact, [`VfsError::NotADir`],
    /// [`VfsError::NameTooLong`], [`VfsError::Stale`], [`VfsError::Damaged`].
    pub fn lookup(&self, parent: u64, name: &[u8]) -> Result<Entry, VfsError> {
        let _ = (parent, name);
        todo!()
    }

    /// The attributes of a node.
    ///
    /// # Errors
    /// [`VfsError::Stale`], [`VfsError::Damaged`].
    pub fn getattr(&self, ino: u64) -> Result<(Attr, Lifetime), VfsError> {
        let _ = ino;
        todo!()
    }

    /// Where a symbolic link leads.
    ///
    /// # Errors
    /// [`VfsError::NotALink`], [`VfsError::Stale`], [`VfsError::NotFound`] where nothing is there
    /// to link to.
    pub fn readlink(&self, ino: u64) -> Result<Vec<u8>, VfsError> {
        let _ = ino;
        todo!()
    }

    /// Lists a folder from `offset` on (0: from the beginning, with `.` and `..`) in the order of the
    /// names' bytes, until `take` answers `false`: that line was not taken and comes again.
    ///
    /// # Errors
    /// [`VfsError::NotADir`], [`VfsError::Stale`], [`VfsError::Damaged`].
    pub fn readdir(
        &self,
        ino: u64,
        offset: u64,
        take: &mut dyn FnMut(Item<'_>) -> bool,
    ) -> Result<(), VfsError> {
        let _ = (ino, offset, take);
        todo!()
    }

    /// Reads a file: `len` bytes at `offset`, less at its end, none behind it. Every byte has been
    /// authenticated and identified.
    ///
    /// # Errors
    /// [`VfsError::IsADir`], [`VfsError::Stale`], [`VfsError::Damaged`].
    pub fn read(&self, ino: u64, offset: u64, len: usize) -> Result<Bytes, VfsError> {
        let _ = (ino, offset, len, &self.repo);
        todo!()
    }

    /// Names of the extended attributes of a node.
    ///
    /// # Errors
    /// [`VfsError::Stale`], [`VfsError::Damaged`].
    pub fn listxattr(&self, ino: u64) -> Result<Vec<&'static str>, VfsError> {
        let _ = ino;
        todo!()
    }

    /// The value of an extended attribute.
    ///
    /// # Errors
    /// [`VfsError::NoAttribute`], [`VfsError::Stale`], [`VfsError::Damaged`].
    pub fn getxattr(&self, ino: u64, name: &[u8]) -> Result<Vec<u8>, VfsError> {
        let _ = (ino, name);
        todo!()
    }

    /// What `df` shows.
    pub fn stats(&self) -> Stats {
        todo!()
    }
}
