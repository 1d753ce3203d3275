//! Follows files through many snapshots. A File ID is one content of one path, so a snapshot's list
//! of IDs says what it has in common with those before, and each record is read once however many
//! snapshots have it. Lists are read side by side, looked at in order, and dropped.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};

use crate::format::{FileId, FileRecord, IndexId};
use crate::repo::{ObjectError, Repository, parallel};

use super::{Monitor, Unit};

/// Threads that read lists: decoding is work for the cores, and a few more reads than those are in
/// flight on a disk.
const READERS: usize = 4;

/// Lists that are read ahead at the most. One of 20,000 files has 400 KB.
const AHEAD: usize = 8;

/// In which of the snapshots that were followed something is, as ranges of their numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Presence(Vec<Range<u32>>);

impl Presence {
    fn note(&mut self, nth: u32) {
        match self.0.last_mut() {
            Some(last) if last.end > nth => {}
            Some(last) if last.end == nth => last.end += 1,
            _ => self.0.push(nth..nth + 1),
        }
    }

    /// The numbers, in order.
    pub fn numbers(&self) -> impl Iterator<Item = usize> {
        self.0.iter().cloned().flatten().map(|nth| nth as usize)
    }

    /// The numbers as ranges that do not touch, in order.
    pub(super) fn ranges(&self) -> impl Iterator<Item = Range<usize>> {
        self.0.iter().map(|range| range.start as usize..range.end as usize)
    }

    /// How many snapshots have it.
    pub fn count(&self) -> usize {
        self.0.iter().map(ExactSizeIterator::len).sum()
    }

    /// The first number.
    pub fn first(&self) -> Option<usize> {
        self.0.first().map(|range| range.start as usize)
    }

    /// The last number.
    pub fn last(&self) -> Option<usize> {
        self.0.last().map(|range| range.end as usize - 1)
    }
}

/// What a record belongs to: numbers of things that the caller keeps, few or none.
pub(super) type Things = Option<Box<[u32]>>;

/// What came of following.
#[derive(Debug, Default)]
pub(super) struct Followed {
    /// For each thing where it is.
    pub present: Vec<Presence>,
    /// Indexes and records that could not be read, each once.
    pub damaged: Vec<Arc<ObjectError>>,
    /// The numbers of the snapshots among them, in order: where a thing is missing, it may have been.
    pub unread: Vec<usize>,
    /// The user wanted it to stop.
    pub stopped: bool,
}

/// Follows files through `snapshots`, which should be in the order of their times. `wants` says by a
/// path (as records have it) whether a file is of interest; `judge` sees the record of each that is,
/// once, and says to which things it belongs.
pub(super) fn follow(
    repo: &Repository,
    snapshots: &[IndexId],
    wants: impl Fn(&str) -> bool + Sync,
    mut judge: impl FnMut(FileRecord) -> Things,
    monitor: &dyn Monitor,
) -> Followed {
    let hinted = hinted(repo, snapshots);
    let mut things: HashMap<FileId, Things> = HashMap::new();
    let mut followed = Followed::default();
    monitor.begin("snapshots", Some(snapshots.len() as u64), Unit::Items);
    each_list(repo, snapshots, |nth, list| {
        if monitor.stopped() {
            followed.stopped = true;
            return false;
        }
        monitor.advance(1);
        let list = match list {
            Ok(list) => list,
            Err(e) => {
                monitor.problem(&e.to_string());
                followed.damaged.push(Arc::new(e));
                followed.unread.push(nth);
                return true;
            }
        };
        let mut new = Vec::new();
        for id in &list {
            if let Entry::Vacant(place) = things.entry(*id) {
                place.insert(None);
                if hinted.get(id).is_none_or(|path| wants(path)) {
                    new.push(*id);
                }
            }
        }
        for (id, record) in new.iter().zip(parallel::map(&new, |id| repo.objects().record(*id))) {
            match record {
                Ok(record) if wants(&record.path) => {
                    things.insert(*id, judge(record));
                }
                Ok(_) => {}
                Err(e) => {
                    monitor.problem(&e.to_string());
                    followed.damaged.push(Arc::new(e));
                }
            }
        }
        for of in list.iter().filter_map(|id| things.get(id)?.as_ref()) {
            for thing in of {
                let thing = *thing as usize;
                if thing >= followed.present.len() {
                    followed.present.resize_with(thing + 1, Presence::default);
                }
                followed.present[thing].note(nth as u32);
            }
        }
        true
    });
    followed
}

/// Paths of the newest snapshot's files from `full-latest.json`: an ID is the SHA-1 of path and time, so
/// a path that fits its ID is right, whoever wrote it.
fn hinted(repo: &Repository, snapshots: &[IndexId]) -> HashMap<FileId, String> {
    let Some(full) = repo.objects().full_latest() else { return HashMap::new() };
    if !snapshots.contains(&full.id) {
        return HashMap::new();
    }
    let fits = |record: &FileRecord| record.verify(record.id).is_ok();
    let records = full.files.into_iter().map(FileRecord::from).filter(fits);
    records.map(|record| (record.id, record.path)).collect()
}

/// Lists that have been read and not looked at.
#[derive(Default)]
struct Read {
    /// The next to be read.
    next: usize,
    /// The next to be looked at.
    due: usize,
    ready: BTreeMap<usize, Result<Vec<FileId>, ObjectError>>,
    ended: bool,
}

/// Shows `each` the file list of each snapshot, in order, until it says no.
fn each_list(
    repo: &Repository,
    snapshots: &[IndexId],
    mut each: impl FnMut(usize, Result<Vec<FileId>, ObjectError>) -> bool,
) {
    let read = Mutex::new(Read::default());
    let moved = Condvar::new();
    std::thread::scope(|scope| {
        for _ in 0..READERS.min(snapshots.len()) {
            scope.spawn(|| {
                loop {
                    let nth = {
                        let mut read = read.lock();
                        while !read.ended && read.next >= read.due + AHEAD {
                            moved.wait(&mut read);
                        }
                        if read.ended || read.next >= snapshots.len() {
                            return;
                        }
                        read.next += 1;
                        read.next - 1
                    };
                    let list = repo.objects().index(snapshots[nth]).map(|index| index.files);
                    read.lock().ready.insert(nth, list);
                    moved.notify_all();
                }
            });
        }
        for nth in 0..snapshots.len() {
            let list = {
                let mut read = read.lock();
                loop {
                    if let Some(list) = read.ready.remove(&nth) {
                        read.due = nth + 1;
                        break list;
                    }
                    moved.wait(&mut read);
                }
            };
            moved.notify_all();
            if !each(nth, list) {
                break;
            }
        }
        read.lock().ended = true;
        moved.notify_all();
    });
}

/// Presence in these snapshots.
#[cfg(test)]
pub(super) fn presence(numbers: &[u32]) -> Presence {
    let mut presence = Presence::default();
    numbers.iter().for_each(|nth| presence.note(*nth));
    presence
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presence_is_kept_in_ranges() {
        let presence = presence(&[2, 2, 3, 4, 4, 7, 9, 10]);
        assert_eq!(presence.0, [2..5, 7..8, 9..11]);
        assert_eq!(presence.numbers().collect::<Vec<_>>(), [2, 3, 4, 7, 9, 10]);
        assert_eq!((presence.count(), presence.first(), presence.last()), (6, Some(2), Some(10)));
        assert_eq!(Presence::default().count(), 0);
    }
}
