//! What became of a file or folder through many snapshots: its versions, each once with the snapshots
//! that hold it; the snapshots in which it changed.

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
    /// Its path, without a slash before it.
    pub path: String,
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
    let is_it = |path: &str| path.strip_prefix('/').unwrap_or(path) == scope.path();
    versions_where(repo, snapshots, is_it, monitor)
}

/// The same of a note of SiYuan, given by its ID, wherever it was moved.
pub fn note_versions(
    repo: &Repository,
    snapshots: &[IndexId],
    id: &str,
    monitor: &dyn Monitor,
) -> Versions {
    let file = format!("/{id}.sy");
    versions_where(repo, snapshots, |path: &str| path.ends_with(&file), monitor)
}

fn versions_where(
    repo: &Repository,
    snapshots: &[IndexId],
    is_it: impl Fn(&str) -> bool + Sync,
    monitor: &dyn Monitor,
) -> Versions {
    let mut records: Vec<FileRecord> = Vec::new();
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
            path: record.path.strip_prefix('/').unwrap_or(&record.path).to_owned(),
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

/// What happened to a path between a snapshot and the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It came.
    Added,
    /// It went.
    Removed,
    /// Its time or content, or that of something in it, is another one.
    Modified,
}

/// The changes of a path.
#[derive(Debug, Default)]
pub struct Changes {
    /// For each snapshot what happened in it, since the last one before it that can be read.
    pub changes: Vec<Option<Change>>,
    /// Indexes and records that could not be read: what they hide is not in `changes`.
    pub damaged: Vec<Arc<ObjectError>>,
    /// The user wanted it to stop: later snapshots were not looked at.
    pub stopped: bool,
}

/// In which of `snapshots`, which should be in the order of their times, a file or folder changed. `is_at`
/// says of the path of a record whether it is that file or lies in that folder. A File ID says whether
/// a file changed: no content is read, and of records those that are not known to be elsewhere.
pub fn changes(
    repo: &Repository,
    snapshots: &[IndexId],
    is_at: impl Fn(&str) -> bool + Sync,
    monitor: &dyn Monitor,
) -> Changes {
    let mut files = 0;
    let judge = |_: FileRecord| {
        files += 1;
        Some(Box::from([files - 1]))
    };
    let followed = follow(repo, snapshots, is_at, judge, monitor);
    Changes {
        changes: between(snapshots.len(), &followed.present, &followed.unread),
        damaged: followed.damaged,
        stopped: followed.stopped,
    }
}

/// What changes where things are in these of so many snapshots. `unread` are the snapshots of which
/// nothing is known, in order: they change nothing.
fn between(snapshots: usize, present: &[Presence], unread: &[usize]) -> Vec<Option<Change>> {
    // How many of those that are known come before each.
    let known = |nth: usize| nth - unread.partition_point(|unread| *unread < nth);
    let count = known(snapshots);
    // How many things come and go in each of the known ones.
    let mut moves = vec![(0_usize, 0_usize); count + 1];
    for presence in present {
        let mut last: Option<std::ops::Range<usize>> = None;
        for range in presence.ranges() {
            let range = known(range.start)..known(range.end);
            match &mut last {
                Some(last) if last.end == range.start => last.end = range.end,
                _ => {
                    let before = last.replace(range.clone());
                    if let Some(before) = before {
                        moves[before.end].1 += 1;
                    }
                    moves[range.start].0 += 1;
                }
            }
        }
        if let Some(last) = last {
            moves[last.end].1 += 1;
        }
    }
    let mut changes = vec![None; snapshots];
    let mut held = 0;
    let read = (0..snapshots).filter(|nth| unread.binary_search(nth).is_err());
    for (nth, (come, go)) in read.zip(moves) {
        let before = held;
        held = held + come - go;
        changes[nth] = match (before, held) {
            _ if come + go == 0 => None,
            (0, _) => Some(Change::Added),
            (_, 0) => Some(Change::Removed),
            _ => Some(Change::Modified),
        };
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::follow::presence;

    fn told(snapshots: usize, present: &[&[u32]], unread: &[usize]) -> String {
        let present: Vec<_> = present.iter().map(|numbers| presence(numbers)).collect();
        let letter = |change: Option<Change>| match change {
            None => '.',
            Some(Change::Added) => 'A',
            Some(Change::Removed) => 'R',
            Some(Change::Modified) => 'M',
        };
        between(snapshots, &present, unread).into_iter().map(letter).collect()
    }

    #[test]
    fn it_changes_where_something_comes_or_goes() {
        assert_eq!(told(0, &[], &[]), "");
        assert_eq!(told(3, &[], &[]), "...");
        assert_eq!(told(4, &[&[0, 1, 2, 3]], &[]), "A...");
        assert_eq!(told(6, &[&[1, 2, 4]], &[]), ".A.RAR");
        assert_eq!(told(5, &[&[0, 1], &[2, 3]], &[]), "A.M.R");
        assert_eq!(told(4, &[&[0, 1, 2, 3], &[1]], &[]), "AMM.");
    }

    #[test]
    fn what_cannot_be_read_changes_nothing() {
        assert_eq!(told(4, &[&[0, 1, 3]], &[2]), "A...");
        assert_eq!(told(4, &[&[0, 1], &[3]], &[2]), "A..M");
        assert_eq!(told(4, &[&[2]], &[0, 1, 3]), "..A.");
        assert_eq!(told(5, &[&[1]], &[0, 2, 3]), ".A..R");
        assert_eq!(told(2, &[], &[0, 1]), "..");
    }
}
