//! In which snapshots a file or folder changed.

use serde::Serialize;

use crate::repo::{File, FileNo, Repository, Snapshots};
use crate::vfs::escape;

use super::error::{FAILED, Failure, failure};

/// What happened to a path between a snapshot and the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// It came.
    Added,
    /// It went.
    Removed,
    /// Its time or content, or that of something in it, is another one.
    Modified,
}

impl Change {
    /// In one word, as JSON has it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Modified => "modified",
        }
    }
}

/// The changes of a path.
#[derive(Debug)]
pub struct History {
    /// For each snapshot, oldest first, what happened in it.
    pub changes: Vec<Option<Change>>,
    /// Indexes and records that cannot be read. Each has been logged; what they hide is not in
    /// `changes`.
    pub damaged: usize,
}

/// Follows a path (without a slash before it; empty for everything) through all snapshots. A File ID
/// says whether a file changed, so no content is read, and each record once. `step` is called after each
/// snapshot.
pub fn of_path(
    repo: &Repository,
    snapshots: &Snapshots,
    path: &str,
    mut step: impl FnMut(),
) -> History {
    let mut changes = Vec::with_capacity(snapshots.list.len());
    let mut bad_records = std::collections::HashSet::new();
    let mut bad_indexes = 0;
    // Whether each file of the catalog lies at or below the path.
    let mut within: Vec<Option<bool>> = Vec::new();
    let mut before: Vec<FileNo> = Vec::new();
    for snapshot in &snapshots.list {
        step();
        let Ok(loaded) = repo.load(snapshot.head.id) else {
            bad_indexes += 1;
            changes.push(None);
            continue;
        };
        let now: Vec<FileNo> = repo.catalog().with_files(|files| {
            within.resize(files.len(), None);
            let is_within = |no: &FileNo| {
                let at = no.0 as usize;
                *within[at].get_or_insert_with(|| match &files[at] {
                    File::Known(entry) => is_at(&entry.path, path),
                    File::Bad(_) => {
                        bad_records.insert(*no);
                        false
                    }
                })
            };
            let mut is_within = is_within;
            loaded.files.into_iter().filter(|no| is_within(no)).collect()
        });
        changes.push(match (before.is_empty(), now.is_empty()) {
            _ if before == now => None,
            (true, _) => Some(Change::Added),
            (_, true) => Some(Change::Removed),
            _ => Some(Change::Modified),
        });
        before = now;
    }
    History { changes, damaged: bad_indexes + bad_records.len() }
}

/// Whether the path of a record, as it is shown, is `path` or lies below it.
fn is_at(record: &str, path: &str) -> bool {
    let Some(shown) = escape::shown_path(record) else { return false };
    path.is_empty()
        || shown.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The failure for a path that no snapshot has.
pub fn never_there(path: &str) -> Failure {
    let sentence =
        format!("no snapshot has /{path}: `revu ls latest` shows what there is in the newest");
    failure("no_path", FAILED, sentence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_itself_and_what_lies_below() {
        assert!(is_at("/a/b.sy", "a/b.sy") && is_at("/a/b.sy", "a") && is_at("/a/b.sy", ""));
        assert!(!is_at("/ab", "a") && !is_at("/b/a", "a") && !is_at("/a", "a/b"));
    }
}
