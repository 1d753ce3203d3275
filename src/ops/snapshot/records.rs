//! File records: under which ID, and so with which time, a file that was read enters the snapshot.
//!
//! A File ID is made of a path and a time in whole seconds, so two contents of a file within one
//! second would have one ID. The one that is in the repository stays; the other's time moves on to
//! the next second that is free, or under which it is there already.

use std::cell::OnceCell;
use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::format::{ChunkId, FileId, FileRecord, FormatError, layout};
use crate::ops::Monitor;
use crate::repo::{ObjectError, Objects, Problem, parallel};
use crate::store::StoreError;

use super::bare::Bare;
use super::groups::Writer;
use super::pool::threads;
use super::root::Seen;

/// A file that was read.
#[derive(Debug)]
pub(super) struct New {
    /// With the time that the file has on disk.
    pub record: FileRecord,
    /// The state on disk in which it was, if every later change shows in that.
    pub seen: Option<Seen>,
    /// Whether this is known to be the content of the record of that ID, should that one turn out
    /// to be damaged.
    pub may_mend: bool,
}

/// A record that has found its ID.
#[derive(Debug)]
pub(super) struct Placed {
    /// With the time that goes into the snapshot.
    pub record: FileRecord,
    /// See [`New::seen`].
    pub seen: Option<Seen>,
    /// Whether its object has to be written.
    pub is_new: bool,
}

/// What is under an ID.
enum Look {
    /// Nothing.
    Free,
    /// The record of this very content; its time may differ within the second.
    Same(FileRecord),
    /// Something else, which must stay.
    Other,
    /// Something that the system does not give, for this reason.
    Unreadable(ObjectError),
    /// Bytes that no key opens.
    Damaged,
}

/// After so many objects that cannot be read, the search for a place ends.
const UNREADABLE: u32 = 8;

/// Finds IDs in one repository.
pub(super) struct Places<'a> {
    objects: &'a Objects,
    bare: &'a Bare,
    /// The chunks of this run; they may have no names yet.
    chunks: HashSet<ChunkId>,
    /// IDs of the snapshot so far: of two paths and times the digits may run together
    /// (`/f` and `/f1`), and then the ID is one.
    taken: HashSet<FileId>,
    /// What any snapshot refers to; `None` where one cannot be read.
    referred: OnceCell<Option<HashSet<FileId>>>,
}

impl<'a> Places<'a> {
    /// `taken` are the IDs of the files that stay as they are.
    pub fn new(
        objects: &'a Objects,
        bare: &'a Bare,
        chunks: HashSet<ChunkId>,
        taken: HashSet<FileId>,
    ) -> Self {
        Self { objects, bare, chunks, taken, referred: OnceCell::new() }
    }

    /// Places all of them; `None` for one for which no second is left, or where the monitor was
    /// stopped on the way.
    ///
    /// # Errors
    /// [`ObjectError`] where one object after the other cannot be read.
    pub fn find(
        &mut self,
        new: Vec<New>,
        monitor: &dyn Monitor,
    ) -> Result<Vec<Option<Placed>>, ObjectError> {
        let (objects, bare, chunks) = (self.objects, self.bare, &self.chunks);
        let looks = parallel::map(&new, |new| look(objects, bare, chunks, &new.record));
        new.into_iter().zip(looks).map(|(new, look)| self.place(new, look, monitor)).collect()
    }

    fn place(
        &mut self,
        new: New,
        mut look: Look,
        monitor: &dyn Monitor,
    ) -> Result<Option<Placed>, ObjectError> {
        let New { mut record, seen, mut may_mend } = new;
        let mut unreadable = 0;
        loop {
            // Others that were looked at before may have been placed here since.
            let is_free = !self.taken.contains(&record.id);
            let placed = match look {
                Look::Free if is_free => Some((record.clone(), true)),
                Look::Same(found) if is_free => Some((found, false)),
                Look::Damaged if is_free && (may_mend || !self.is_referred(record.id)) => {
                    Some((record.clone(), true))
                }
                // A bad place on a disk is passed by. A disk that gives nothing would be searched
                // for ever.
                Look::Unreadable(e) => {
                    unreadable += 1;
                    if unreadable == UNREADABLE {
                        return Err(e);
                    }
                    None
                }
                Look::Free | Look::Same(_) | Look::Damaged | Look::Other => None,
            };
            if let Some((record, is_new)) = placed {
                self.taken.insert(record.id);
                return Ok(Some(Placed { record, seen, is_new }));
            }
            if monitor.stopped() {
                return Ok(None);
            }
            let Some(next) = next_second(record) else { return Ok(None) };
            record = next;
            may_mend = false;
            look = self.look(&record);
        }
    }

    fn look(&self, record: &FileRecord) -> Look {
        look(self.objects, self.bare, &self.chunks, record)
    }

    /// Whether a snapshot has this record. One that none has is a leftover.
    fn is_referred(&self, id: FileId) -> bool {
        let referred = self.referred.get_or_init(|| {
            let listed = self.objects.store().list(layout::INDEXES).ok()?;
            let mut referred = HashSet::new();
            for id in listed.iter().filter_map(|listed| listed.name.parse().ok()) {
                referred.extend(self.objects.index(id).ok()?.files);
            }
            Some(referred)
        });
        referred.as_ref().is_none_or(|referred| referred.contains(&id))
    }
}

/// What is under the ID that a record would have.
fn look(objects: &Objects, bare: &Bare, chunks: &HashSet<ChunkId>, record: &FileRecord) -> Look {
    if chunks.contains(&ChunkId(record.id.0)) {
        return Look::Other;
    }
    if bare.lacks(record.id.0) {
        return Look::Free;
    }
    match objects.record(record.id) {
        Ok(found) if is_same_content(&found, record) => Look::Same(found),
        Ok(_) => Look::Other,
        Err(e) if e.is_missing() => Look::Free,
        Err(ObjectError { problem: Problem::Format(e), .. }) if is_damage(&e) => Look::Damaged,
        Err(ObjectError { problem: Problem::Format(_), .. }) => Look::Other,
        Err(e) => Look::Unreadable(e),
    }
}

/// Whether bytes are damaged, as opposed to being some other object.
fn is_damage(e: &FormatError) -> bool {
    use FormatError::{BadFrame, NotAuthentic, Truncated};
    matches!(e, Truncated { .. } | NotAuthentic | BadFrame(_))
}

/// Whether two records of one ID say the same but for the fraction of the second.
pub(super) fn is_same_content(a: &FileRecord, b: &FileRecord) -> bool {
    a.path == b.path && a.size == b.size && a.chunks == b.chunks
}

/// The record at the beginning of the next second that gives it another ID. The second of 1970 has
/// the fractions on both sides of it.
fn next_second(record: FileRecord) -> Option<FileRecord> {
    let FileRecord { id, path, size, mut updated, chunks } = record;
    while FileRecord::identity(&path, updated) == id {
        updated = updated.div_euclid(1_000).checked_add(1)?.checked_mul(1_000)?;
    }
    Some(FileRecord::new(path, size, updated, chunks))
}

/// Writes the records that are new, or some of them where the monitor is stopped.
///
/// # Errors
/// [`StoreError`].
pub(super) fn write(
    records: &[&FileRecord],
    objects: &Objects,
    writer: &Writer<'_>,
    monitor: &dyn Monitor,
) -> Result<(), StoreError> {
    let next = AtomicUsize::new(0);
    let work = || -> Result<(), StoreError> {
        while let Some(record) = records.get(next.fetch_add(1, Ordering::Relaxed)) {
            writer.seal(objects.cipher(), layout::file(record.id), &record.encode())?;
            monitor.advance(1);
            if monitor.stopped() {
                break;
            }
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..threads().min(records.len())).map(|_| scope.spawn(work)).collect();
        let join = |t: std::thread::ScopedJoinHandle<'_, _>| t.join().expect("sealing is safe");
        // All are joined before the first error is looked at.
        let done: Vec<Result<(), StoreError>> = threads.into_iter().map(join).collect();
        done.into_iter().collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_second_has_another_id() {
        for (updated, next) in [
            (0, 1_000),
            (999, 1_000),
            (1_999, 2_000),
            (-1, 1_000),
            (-1_000, 0),
            (-1_500, -1_000 + 1_000),
        ] {
            let record = FileRecord::new("/x".into(), 0, updated, vec![ChunkId::EMPTY]);
            let moved = next_second(record.clone()).unwrap();
            assert_eq!(moved.updated, next, "{updated}");
            assert_ne!(moved.id, record.id);
        }
        let last = FileRecord::new("/x".into(), 0, i64::MAX, vec![ChunkId::EMPTY]);
        assert!(next_second(last).is_none());
    }
}
