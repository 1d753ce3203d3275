//! What snapshots need.

use parking_lot::Mutex;

use crate::format::{FileId, FormatError, Index, IndexId};
use crate::ops::ids::IdSet;
use crate::ops::{Monitor, Unit};
use crate::repo::{ObjectError, Objects, parallel};

use super::PurgeError;

/// The records and chunks that some snapshots need: 20 bytes for each, however many snapshots share it.
#[derive(Debug, Default)]
pub(super) struct Reach {
    pub files: IdSet,
    pub chunks: IdSet,
}

impl Reach {
    /// Whether an object is needed.
    pub fn has(&self, id: crate::format::Id) -> bool {
        self.files.contains(id) || self.chunks.contains(id)
    }

    /// Adds what these snapshots need and `known` does not have. Every record is read once.
    ///
    /// # Errors
    /// [`PurgeError::Unreadable`], [`PurgeError::Stopped`].
    pub fn add(
        &self,
        known: Option<&Self>,
        objects: &Objects,
        snapshots: &[IndexId],
        monitor: &dyn Monitor,
    ) -> Result<(), PurgeError> {
        let is_known = |id| known.is_some_and(|known| known.files.contains(id));
        let errors = Errors::default();
        monitor.begin("reading snapshots", Some(snapshots.len() as u64), Unit::Items);
        let new = IdSet::default();
        parallel::map(snapshots, |id| {
            if monitor.stopped() || errors.are_many() {
                return;
            }
            match objects.index(*id) {
                Ok(index) => match doubt(&index) {
                    None => index.files.iter().for_each(|FileId(id)| {
                        if !is_known(*id) && !self.files.contains(*id) {
                            new.insert(*id, ());
                        }
                    }),
                    Some(problem) => errors.add(objects.unfit_index(*id, problem)),
                },
                Err(e) => errors.add(e),
            }
            monitor.advance(1);
        });
        errors.end(monitor)?;

        let list = new.sorted();
        drop(new);
        monitor.begin("reading file records", Some(list.len() as u64), Unit::Items);
        let errors = Errors::default();
        parallel::map(&list, |id| {
            if monitor.stopped() || errors.are_many() {
                return;
            }
            match objects.record(FileId(*id)) {
                Ok(record) => {
                    self.files.insert(*id, ());
                    for chunk in record.chunks {
                        self.chunks.insert(chunk.0, ());
                    }
                }
                Err(e) => errors.add(e),
            }
            monitor.advance(1);
        });
        errors.end(monitor)
    }
}

/// Why an index cannot list all that it did. Nothing authenticates one: where a changed byte has made
/// one file of another, what the other needs would pass for garbage.
fn doubt(index: &Index) -> Option<FormatError> {
    let (says, lists) = (index.count, index.files.len());
    if says != 0 && says != lists as i64 {
        let what = format!("it says {says} files and lists {lists}");
        return Some(FormatError::Undecodable(what));
    }
    let mut files = index.files.clone();
    files.sort_unstable();
    let twice = files.windows(2).find(|two| two[0] == two[1])?[0];
    Some(FormatError::Undecodable(format!("it lists file {twice} twice")))
}

/// What could not be read.
#[derive(Default)]
struct Errors(Mutex<(Option<Box<ObjectError>>, usize)>);

impl Errors {
    fn add(&self, error: ObjectError) {
        let mut all = self.0.lock();
        match &all.0 {
            Some(_) => all.1 += 1,
            None => all.0 = Some(Box::new(error)),
        }
    }

    /// Enough to see that this is not one bad object; more would only take time.
    fn are_many(&self) -> bool {
        self.0.lock().1 >= 100
    }

    fn end(self, monitor: &dyn Monitor) -> Result<(), PurgeError> {
        match self.0.into_inner() {
            (Some(error), others) => Err(PurgeError::Unreadable { error, others }),
            (None, _) if monitor.stopped() => Err(PurgeError::Stopped),
            (None, _) => Ok(()),
        }
    }
}
