//! What went under one path and came under another with equal content.

use std::collections::HashMap;
use std::sync::Arc;

use crate::format::ChunkId;
use crate::ops::paths;

use super::{Change, Differences, Kind, Side};

/// How many files of one content are looked at to find the most likely one that another was. Where
/// there are more, thousands of copies have moved, and no answer is better than another.
const CANDIDATES: usize = 64;

/// Joins removals and additions of equal chunks into renames. Empty files are left alone: their
/// content tells nothing.
///
/// Of several that a file may have been, the one of the same name is taken, else of the same time,
/// else the first.
pub(super) fn find(found: &mut Differences) {
    let mut by_content: HashMap<Arc<[ChunkId]>, Vec<usize>> = HashMap::new();
    for (nth, change) in found.changes.iter().enumerate() {
        if change.kind == Kind::Removed
            && let Some(content) = content(change.old.as_ref())
        {
            by_content.entry(content).or_default().push(nth);
        }
    }
    if by_content.is_empty() {
        return;
    }
    let mut was: Vec<Option<usize>> = vec![None; found.changes.len()];
    for (nth, change) in found.changes.iter().enumerate() {
        if change.kind != Kind::Added {
            continue;
        }
        let Some(content) = content(change.new.as_ref()) else { continue };
        let Some(alike) = by_content.get_mut(&content) else { continue };
        let updated = change.new.as_ref().map(|side| side.updated);
        let name = paths::split(&change.path).1;
        let best = (0..alike.len().min(CANDIDATES)).min_by_key(|at| {
            let Change { path, old, .. } = &found.changes[alike[*at]];
            let same_time = old.as_ref().map(|side| side.updated) == updated;
            (paths::split(path).1 != name, !same_time)
        });
        was[nth] = best.map(|at| alike.remove(at));
    }
    join(found, &was);
}

fn content(side: Option<&Side>) -> Option<Arc<[ChunkId]>> {
    side.filter(|side| side.size > 0)?.chunks.clone()
}

/// `was`: for each change that is a rename, the removal that it takes the place of.
fn join(found: &mut Differences, was: &[Option<usize>]) {
    let mut taken = vec![false; was.len()];
    for (nth, old) in was.iter().enumerate() {
        let Some(old) = *old else { continue };
        let Change { path, old: side, .. } = &mut found.changes[old];
        let (path, side) = (std::mem::take(path), side.take());
        taken[old] = true;
        let change = &mut found.changes[nth];
        change.kind = Kind::Renamed;
        change.from = Some(path);
        change.old = side;
    }
    let mut taken = taken.into_iter();
    found.changes.retain(|_| !taken.next().unwrap_or(false));
}
