//! Two snapshots.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use crate::format::{FileId, FileRecord, Index, IndexId};
use crate::ops::paths::Scope;
use crate::ops::{Monitor, Unit};
use crate::repo::{ObjectError, Repository, parallel};

use super::{Change, Differences, Kind, Side, renames};

/// Compares two snapshots, or what `scope` says of them.
///
/// # Errors
/// [`ObjectError`] where one of them cannot be read. Damaged records are among
/// [`Differences::problems`].
pub fn snapshots(
    repo: &Repository,
    old: IndexId,
    new: IndexId,
    scope: &Scope,
    monitor: &dyn Monitor,
) -> Result<Differences, ObjectError> {
    let old = repo.objects().index(old)?;
    let new = repo.objects().index(new)?;
    let gone = only_in(&old, &new);
    let come = only_in(&new, &old);
    monitor.begin("compared", Some((gone.len() + come.len()) as u64), Unit::Items);
    let mut found = Differences::default();
    let mut before = records(repo, &old, &gone, scope, monitor, &mut found);
    let after = records(repo, &new, &come, scope, monitor, &mut found);
    for (path, new) in after {
        let (kind, old) = match before.remove(&path) {
            None => (Kind::Added, None),
            Some(old) if old.chunks == new.chunks && old.size == new.size => {
                (Kind::Touched, Some(old))
            }
            Some(old) => (Kind::Modified, Some(old)),
        };
        found.changes.push(Change::new(kind, path, old, Some(new)));
    }
    let removed = before.into_iter();
    found
        .changes
        .extend(removed.map(|(path, old)| Change::new(Kind::Removed, path, Some(old), None)));
    renames::find(&mut found);
    found.sort();
    Ok(found)
}

/// The File IDs of one snapshot that the other does not have, each once.
fn only_in(this: &Index, other: &Index) -> Vec<FileId> {
    let other: HashSet<FileId> = other.files.iter().copied().collect();
    let mut seen = HashSet::new();
    let own = this.files.iter().copied();
    own.filter(|id| !other.contains(id) && seen.insert(*id)).collect()
}

/// Reads records, and keeps those within the scope by their paths. Of two with one path the first
/// counts, as everywhere.
fn records(
    repo: &Repository,
    of: &Index,
    ids: &[FileId],
    scope: &Scope,
    monitor: &dyn Monitor,
    found: &mut Differences,
) -> BTreeMap<String, Side> {
    let read = parallel::map(ids, |id| {
        let record = repo.objects().record(*id);
        monitor.advance(1);
        record
    });
    let mut sides = BTreeMap::new();
    for record in read {
        match record {
            Ok(record) => {
                let path = record.path.strip_prefix('/').unwrap_or(&record.path);
                if scope.holds(path) {
                    sides.entry(path.to_owned()).or_insert_with(|| Side::from(record));
                }
            }
            Err(e) => {
                let id = of.id.short();
                let sentence = format!("a file of snapshot {id} is lost, its path with it: {e}");
                monitor.problem(&sentence);
                found.problems.push(sentence);
            }
        }
    }
    sides
}

impl From<FileRecord> for Side {
    fn from(record: FileRecord) -> Self {
        Self {
            size: u64::try_from(record.size).expect("verified: a size is not negative"),
            updated: record.updated,
            id: Some(record.id),
            chunks: Some(Arc::from(record.chunks)),
        }
    }
}
