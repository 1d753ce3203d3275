//! The tree of one snapshot, for the commands that look into it.

use std::sync::Arc;

use crate::format::IndexId;
use crate::repo::{File, Repository};
use crate::vfs::tree::{self, Child, Dir, Shared};

use super::error::Failure;
use super::target;

/// A snapshot with its folders.
#[derive(Debug)]
pub struct SnapshotTree {
    id: IndexId,
    root: Arc<Dir>,
    /// Of how many files not even the path is known. Each has been logged.
    pub lost: usize,
}

impl SnapshotTree {
    /// Reads a snapshot.
    ///
    /// # Errors
    /// Where its index is damaged.
    pub fn load(repo: &Repository, id: IndexId) -> Result<Self, Failure> {
        let loaded = repo.load(id)?;
        let root = tree::build(repo, &loaded, &Shared::default());
        let lost = repo.catalog().with_files(|files| {
            let is_lost = |no: &&crate::repo::FileNo| matches!(files[no.0 as usize], File::Bad(_));
            loaded.files.iter().filter(is_lost).count()
        });
        Ok(Self { id, root, lost })
    }

    /// What lies at a path without a slash before it, empty for the root.
    ///
    /// # Errors
    /// Where nothing does.
    pub fn find(&self, repo: &Repository, path: &str) -> Result<Child, Failure> {
        let found = repo.catalog().with_files(|files| self.root.walk(path, files));
        found.ok_or_else(|| target::no_such_path(self.id, path, self.lost))
    }
}
