//! The versions of a file: each once, with the snapshots that hold it.

use std::sync::Arc;

use crate::format::{ChunkId, FileId, FileRecord, IndexId};
use crate::repo::{ObjectError, Repository};

use super::Monitor;
use super::follow::{Presence, follow};
use super::paths::Scope;

/// One version of a file: a content at a time.
#[derive(Debug, Clone)]
pub struct Version {
    /// Its File ID.
    pub id: FileId,
    /// Bytes.
    pub size: u64,
    /// Milliseconds since 1970.
    pub updated: i64,
    /// Of what it is made.
    pub chunks: Arc<[ChunkId]>,
    /// Whether its content is that of the version before, so that only its time is another.
    pub touched: bool,
    /// Which of the snapshots hold it.
    pub snapshots: Presence,
}

/// All versions of a path.
#[derive(Debug, Default)]
pub struct Versions {
    /// In the order in which they came.
    pub versions: Vec<Version>,
    /// Indexes and records that could not be read: a version may be missing for each.
    pub damaged: Vec<Arc<ObjectError>>,
    /// The user wanted it to stop: later snapshots were not looked at.
    pub stopped: bool,
}

/// The versions of the file at `path` in `snapshots`, which should be in the order of their times
/// (numbers in [`Version::snapshots`] are places in it). Slashes at the ends of the path do not count.
/// A version that comes back after another is one version. Lists of files are read, and of records
/// those that are not known to be another path's: no content.
pub fn versions(
    repo: &Repository,
    snapshots: &[IndexId],
    path: &str,
    monitor: &dyn Monitor,
) -> Versions {
    let scope = Scope::new(path);
    let mut records: Vec<FileRecord> = Vec::new();
    let is_it = |path: &str| path.strip_prefix('/').unwrap_or(path) == scope.path();
    let judge = |record| {
        records.push(record);
        let number = u32::try_from(records.len() - 1).expect("fewer than 2^32 records");
        Some(Box::from([number]))
    };
    let followed = follow(repo, snapshots, is_it, judge, monitor);
    let mut versions: Vec<Version> = records
        .into_iter()
        .zip(followed.present)
        .map(|(record, snapshots)| Version {
            id: record.id,
            size: u64::try_from(record.size).expect("verified: a size is not negative"),
            updated: record.updated,
            chunks: record.chunks.into(),
            touched: false,
            snapshots,
        })
        .collect();
    versions.sort_by_key(|version| (version.snapshots.first(), version.updated));
    for nth in 1..versions.len() {
        versions[nth].touched = versions[nth].chunks == versions[nth - 1].chunks
            && versions[nth].size == versions[nth - 1].size;
    }
    Versions { versions, damaged: followed.damaged, stopped: followed.stopped }
}
