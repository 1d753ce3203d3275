//! Why there is no snapshot.

use std::io;
use std::path::PathBuf;

use crate::ops::tags::TagError;
use crate::repo::ObjectError;
use crate::siyuan::lock::LockError as SiyuanLockError;
use crate::store::lock::LockError;
use crate::store::{StoreError, StoreProblem};

use super::read::Halt;
use super::rules::RulesError;

/// Why there is no snapshot. The repository is as it was, but for objects that nothing refers to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// The folder is none, or cannot be entered.
    #[error("cannot make a snapshot of {}: {cause}", folder.display())]
    NotAFolder {
        /// The folder.
        folder: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// The folder is a part of the repository.
    #[error(
        "cannot make a snapshot of {}: it lies in the repository {} itself; name another folder",
        folder.display(),
        repository.display()
    )]
    InRepository {
        /// The folder.
        folder: PathBuf,
        /// The repository's folder.
        repository: PathBuf,
    },
    /// SiYuan makes no snapshot of nothing, and an empty one would empty every device that syncs.
    #[error("there is no file to make a snapshot of in {}: check that it is the data folder", folder.display())]
    NoFiles {
        /// The folder.
        folder: PathBuf,
    },
    /// A tag cannot have that name, or is there already.
    #[error(transparent)]
    Tag(#[from] TagError),
    /// What is to be left out cannot be told.
    #[error(transparent)]
    Rules(#[from] RulesError),
    /// SiYuan runs, or its lock cannot be had.
    #[error(transparent)]
    Siyuan(#[from] SiyuanLockError),
    /// A purge or another snapshot is at work, or the lock cannot be had.
    #[error(transparent)]
    Locked(LockError),
    /// SiYuan was started meanwhile, after all.
    #[error("SiYuan was started on the workspace meanwhile: quit it and make the snapshot again")]
    SiyuanStarted,
    /// There is no room for it.
    #[error(
        "cannot make the snapshot: the disk of {place} is full, or a quota is used up: make room and make the snapshot again; `revu purge` frees what this attempt has stored"
    )]
    DiskFull {
        /// The repository.
        place: String,
    },
    /// The repository cannot be read or written.
    #[error("cannot make the snapshot: {0}")]
    Store(StoreError),
    /// What is in the repository already cannot be read.
    #[error("cannot make the snapshot: {0}")]
    Object(#[from] ObjectError),
    /// The user has stopped it.
    #[error("stopped: no snapshot was made")]
    Stopped,
}

impl SnapshotError {
    /// Whether somebody else is at work, so that a later try may succeed.
    pub fn is_in_use(&self) -> bool {
        matches!(
            self,
            Self::Siyuan(SiyuanLockError::InUse { .. })
                | Self::Locked(LockError::Held { .. } | LockError::Lost { .. })
                | Self::SiyuanStarted
        )
    }
}

impl From<StoreError> for SnapshotError {
    fn from(e: StoreError) -> Self {
        use io::ErrorKind::{QuotaExceeded, StorageFull};
        match &e.problem {
            StoreProblem::Unwritable(cause)
                if matches!(cause.kind(), StorageFull | QuotaExceeded) =>
            {
                Self::DiskFull { place: e.place }
            }
            _ => Self::Store(e),
        }
    }
}

impl From<LockError> for SnapshotError {
    fn from(e: LockError) -> Self {
        match e {
            LockError::Store(e) => match Self::from(e) {
                Self::Store(e) => Self::Locked(LockError::Store(e)),
                full => full,
            },
            e => Self::Locked(e),
        }
    }
}

impl From<Halt> for SnapshotError {
    fn from(halt: Halt) -> Self {
        match halt {
            Halt::Store(e) => e.into(),
            Halt::Stopped => Self::Stopped,
        }
    }
}
