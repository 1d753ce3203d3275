//! Removing what a plan says, in an order that may end anywhere.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;

use crate::format::{Id, IndexId, layout};
use crate::ops::{Monitor, Unit};
use crate::repo::parallel;
use crate::store::lock::{Kind, Lock};
use crate::store::{Store, StoreError};

use super::reach::Reach;
use super::{Plan, PurgeError, plan};

/// So many objects go between two looks at the lock and at the user.
const STRIDE: usize = 4_096;

/// What was removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Done {
    /// Snapshots.
    pub snapshots: usize,
    /// File records and chunks.
    pub objects: usize,
    /// Bytes of all that went.
    pub bytes: u64,
}

impl Plan<'_> {
    /// Does what the plan says. The lock must be exclusive and have been taken before the plan was
    /// made.
    ///
    /// # Errors
    /// [`PurgeError`]. The repository is whole then, and what is left goes with the next purge.
    ///
    /// # Panics
    /// If the lock is a shared one.
    pub fn execute(&self, lock: &Lock, monitor: &dyn Monitor) -> Result<Done, PurgeError> {
        assert_eq!(lock.kind(), Kind::Exclusive, "a purge is alone in the repository");
        let store = self.repo.store();
        let mut done = Done::default();

        self.nobody_else_writes(monitor)?;
        lock.still_held()?;
        let indexes = self.goes.iter().map(|goes| (layout::index(goes.head.id), goes.size));
        done.snapshots = self.goes.len();
        done.bytes += remove_each(store, indexes, "removing snapshots", monitor)?;
        let check_indexes = self.check_indexes.iter().cloned();
        done.bytes += remove_each(store, check_indexes, "removing check indexes", monitor)?;

        // From here on no snapshot that goes can be read any more, so whatever is read after this
        // look was either known or is new.
        self.nobody_else_writes(monitor)?;
        for objects in [&self.garbage.records, &self.garbage.chunks] {
            let (count, bytes) = self.remove_objects(objects, lock, monitor)?;
            done.objects += count;
            done.bytes += bytes;
        }
        done.bytes += self.remove_leftovers(store, monitor)?;
        Ok(done)
    }

    /// Looks whether snapshots or refs have appeared that need what goes. Our locks are not heeded
    /// by DejaVu, and where SiYuan runs cannot always be known: on another computer, say.
    fn nobody_else_writes(&self, monitor: &dyn Monitor) -> Result<(), PurgeError> {
        let objects = self.repo.objects();
        let interfered =
            |what: String| PurgeError::Interfered { place: objects.store().place(), what };
        let going: HashSet<IndexId> = self.goes.iter().map(|goes| goes.head.id).collect();
        let listed = plan::indexes(objects)?;
        let named = plan::named(objects).map_err(|e| match e {
            PurgeError::Ref(e) => interfered(e.to_string()),
            e => e,
        })?;
        if let Some((id, names)) = named.iter().find(|(id, _)| going.contains(id)) {
            return Err(interfered(format!("{} now names snapshot {id}", names[0])));
        }
        let mut new: Vec<IndexId> = listed.iter().chain(named.keys()).copied().collect();
        new.retain(|id| !self.kept.contains(id) && !going.contains(id));
        new.sort_unstable();
        new.dedup();
        if new.is_empty() {
            return Ok(());
        }
        let reach = Reach::default();
        reach.add(Some(&self.reach), objects, &new, monitor).map_err(|e| match e {
            PurgeError::Unreadable { error, .. } => {
                interfered(format!("there is a new snapshot that cannot be read yet: {error}"))
            }
            e => e,
        })?;
        let needed = |id: &Id| self.garbage.has(*id);
        match reach.files.sorted().iter().chain(&reach.chunks.sorted()).find(|id| needed(id)) {
            Some(_) => Err(interfered(format!(
                "there is a new snapshot {}, which needs what was to go",
                new[0]
            ))),
            None => Ok(()),
        }
    }

    fn remove_objects(
        &self,
        objects: &[(Id, u64)],
        lock: &Lock,
        monitor: &dyn Monitor,
    ) -> Result<(usize, u64), PurgeError> {
        let store = self.repo.store();
        let (count, bytes) = (AtomicUsize::new(0), AtomicU64::new(0));
        monitor.begin("removing objects", Some(objects.len() as u64), Unit::Items);
        for some in objects.chunks(STRIDE) {
            lock.still_held()?;
            let failed: Mutex<Option<StoreError>> = Mutex::default();
            parallel::map(some, |(id, size)| {
                if monitor.stopped() || failed.lock().is_some() {
                    return;
                }
                match store.delete(&layout::object(*id)) {
                    Ok(()) => {
                        count.fetch_add(1, Ordering::Relaxed);
                        bytes.fetch_add(*size, Ordering::Relaxed);
                        monitor.advance(1);
                    }
                    Err(e) => *failed.lock() = Some(e),
                }
            });
            if let Some(e) = failed.into_inner() {
                return Err(e.into());
            }
            if monitor.stopped() {
                return Err(PurgeError::Stopped);
            }
        }
        if !objects.is_empty() {
            store.sync()?;
        }
        Ok((count.into_inner(), bytes.into_inner()))
    }

    fn remove_leftovers(&self, store: &Store, monitor: &dyn Monitor) -> Result<u64, PurgeError> {
        let mut bytes = 0;
        for leftover in &self.leftovers {
            if monitor.stopped() {
                return Err(PurgeError::Stopped);
            }
            for key in &leftover.files {
                store.delete(key)?;
            }
            store.delete(&leftover.key)?;
            bytes += leftover.size;
        }
        Ok(bytes)
    }
}

/// Removes keys, and returns when that is durable. Gives the sum of their sizes.
fn remove_each(
    store: &Store,
    keys: impl ExactSizeIterator<Item = (String, u64)>,
    what: &str,
    monitor: &dyn Monitor,
) -> Result<u64, PurgeError> {
    if keys.len() == 0 {
        return Ok(0);
    }
    monitor.begin(what, Some(keys.len() as u64), Unit::Items);
    let mut bytes = 0;
    for (key, size) in keys {
        if monitor.stopped() {
            return Err(PurgeError::Stopped);
        }
        store.delete(&key)?;
        monitor.advance(1);
        bytes += size;
    }
    store.sync()?;
    Ok(bytes)
}
