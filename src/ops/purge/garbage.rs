//! What nobody needs: objects, check indexes, and what dead processes of revu left behind.

use std::collections::HashSet;
use std::time::SystemTime;

use crate::format::check_index::CheckIndex;
use crate::format::index::HEAD_LEN;
use crate::format::{FileId, Id, IndexId, MAX_INDEX, layout};
use crate::ops::ids::IdSet;
use crate::ops::{Monitor, Unit};
use crate::repo::{ObjectError, Objects, Problem, parallel};
use crate::store::lock::LOCKS;
use crate::store::refs::is_temporary;
use crate::store::{Meta, STAGING, Store, StoreError};

use super::PurgeError;
use super::reach::Reach;

/// Objects that nobody needs, sorted, with their sizes in bytes.
#[derive(Debug, Default)]
pub(super) struct Garbage {
    /// What is a File record, or may be one.
    pub records: Vec<(Id, u64)>,
    pub chunks: Vec<(Id, u64)>,
    /// How many objects nobody needs so far, but are too young to go.
    pub young: usize,
}

impl Garbage {
    pub fn has(&self, id: Id) -> bool {
        let among = |list: &[(Id, u64)]| list.binary_search_by_key(&id, |(id, _)| *id).is_ok();
        among(&self.records) || among(&self.chunks)
    }
}

/// Whether something is older than the purge. Of what has no time nobody knows.
pub(super) fn is_old(meta: &Meta, start: SystemTime) -> bool {
    meta.modified.is_some_and(|modified| modified < start)
}

/// All objects that nobody needs. `going` are the snapshots that go: the files that they list are
/// known to be records.
///
/// # Errors
/// [`PurgeError::Store`], [`PurgeError::Unreadable`], [`PurgeError::Stopped`].
pub(super) fn objects(
    objects: &Objects,
    reach: &Reach,
    going: &[IndexId],
    start: SystemTime,
    monitor: &dyn Monitor,
) -> Result<Garbage, PurgeError> {
    let (mut old, young) = unneeded(objects.store(), reach, start, monitor)?;
    // Somebody who does not heed our locks may be making a snapshot: what he has written so far
    // stays, and so do the chunks that were there already and that he did not write again.
    let spared = IdSet::default();
    let read = parallel::map(&young, |id| match objects.record(FileId(*id)) {
        Ok(record) => {
            for chunk in record.chunks {
                spared.insert(chunk.0, ());
            }
            Ok(())
        }
        // It is a chunk, or it is damaged; or it was a temporary one of his.
        Err(ObjectError { problem: Problem::Format(_), .. }) => Ok(()),
        Err(e) if e.is_missing() => Ok(()),
        Err(error) => Err(PurgeError::Unreadable { error: Box::new(error), others: 0 }),
    });
    read.into_iter().collect::<Result<(), _>>()?;
    old.retain(|(id, _)| !spared.contains(*id));
    old.sort_unstable();

    let listed = IdSet::default();
    parallel::map(going, |id| {
        // One that is damaged behind its head goes all the same: then its records are found by their
        // look.
        if let Ok(index) = objects.index(*id) {
            for FileId(id) in index.files {
                if !reach.has(id) {
                    listed.insert(id, ());
                }
            }
        }
    });
    let are_records =
        parallel::map(&old, |(id, _)| listed.contains(*id) || may_be_record(objects, *id));
    let mut garbage = Garbage { young: young.len(), ..Garbage::default() };
    for (object, is_record) in old.into_iter().zip(are_records) {
        if is_record {
            garbage.records.push(object);
        } else {
            garbage.chunks.push(object);
        }
    }
    if monitor.stopped() { Err(PurgeError::Stopped) } else { Ok(garbage) }
}

type Unneeded = (Vec<(Id, u64)>, Vec<Id>);

/// The objects that nobody needs: the old ones with their sizes, and the young ones.
fn unneeded(
    store: &Store,
    reach: &Reach,
    start: SystemTime,
    monitor: &dyn Monitor,
) -> Result<Unneeded, PurgeError> {
    let mut folders = store.list(layout::OBJECTS)?;
    folders.retain(|listed| listed.is_folder);
    monitor.begin("looking through objects", Some(folders.len() as u64), Unit::Items);
    let found = parallel::map(&folders, |folder| -> Result<Unneeded, StoreError> {
        let (mut old, mut young) = (Vec::new(), Vec::new());
        if monitor.stopped() {
            return Ok((old, young));
        }
        let folder = format!("{}/{}", layout::OBJECTS, folder.name);
        for listed in store.list(&folder)? {
            let key = format!("{folder}/{}", listed.name);
            // What is not called like an object is not known, and left alone.
            let Some(id) = layout::object_id(&key).filter(|_| !listed.is_folder) else { continue };
            if reach.has(id) {
                continue;
            }
            match store.meta(&key) {
                Ok(meta) if is_old(&meta, start) => old.push((id, meta.size)),
                Ok(_) => young.push(id),
                Err(e) if e.is_missing() => {}
                Err(e) => return Err(e),
            }
        }
        monitor.advance(1);
        Ok((old, young))
    });
    let (mut old, mut young) = (Vec::new(), Vec::new());
    for found in found {
        let found = found?;
        old.extend(found.0);
        young.extend(found.1);
    }
    Ok((old, young))
}

/// Whether an object that no snapshot lists is a record, or cannot be told from one. Only its
/// beginning is read: it may be a large chunk, and all that hangs on it is whether it goes sooner or
/// later.
fn may_be_record(objects: &Objects, id: Id) -> bool {
    let Ok(head) = objects.store().get_head(&layout::object(id), HEAD_LEN) else { return true };
    let Ok(plain) = objects.cipher().peek(&head, 256) else { return true };
    let names_itself = plain.windows(40).take(256).any(|hex| hex == id.hex().as_bytes());
    plain.starts_with(b"{") && names_itself
}

/// Check indexes of snapshots that do not stay, with their sizes in bytes. One that cannot be read
/// is left alone.
///
/// # Errors
/// [`StoreError`] where they cannot be listed.
pub(super) fn check_indexes(
    store: &Store,
    kept: &HashSet<IndexId>,
    start: SystemTime,
) -> Result<Vec<(String, u64)>, StoreError> {
    let mut listed = store.list(layout::CHECK_INDEXES)?;
    listed.retain(|listed| !listed.is_folder && listed.name.parse::<IndexId>().is_ok());
    let found = parallel::map(&listed, |listed| {
        let key = format!("{}/{}", layout::CHECK_INDEXES, listed.name);
        let meta = store.meta(&key).ok().filter(|meta| is_old(meta, start))?;
        let check = CheckIndex::decode(&store.get(&key, MAX_INDEX as u64).ok()?).ok()?;
        (!kept.contains(&check.index_id)).then_some((key, meta.size))
    });
    Ok(found.into_iter().flatten().collect())
}

/// What a process of revu did not live to clear away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    /// Its key: a temporary file, or a folder with what was staged.
    pub key: String,
    /// The files in it, if it is a folder.
    pub(super) files: Vec<String>,
    /// Bytes of all its files.
    pub size: u64,
}

/// All that is left behind. With the exclusive lock held no process of revu can be writing, so all that
/// is older than that lock is a dead one's.
///
/// # Errors
/// [`StoreError`] where it cannot be listed.
pub(super) fn leftovers(store: &Store, start: SystemTime) -> Result<Vec<Leftover>, StoreError> {
    let mut found = Vec::new();
    let mut folders: Vec<String> =
        ["", layout::INDEXES, layout::REFS, layout::TAGS, layout::CHECK_INDEXES, LOCKS]
            .map(str::to_owned)
            .into();
    let objects = store.list(layout::OBJECTS)?.into_iter().filter(|listed| listed.is_folder);
    folders.extend(objects.map(|listed| format!("{}/{}", layout::OBJECTS, listed.name)));
    let of_each = parallel::map(&folders, |folder| in_folder(store, folder, start));
    for of_one in of_each {
        found.extend(of_one?);
    }
    Ok(found)
}

fn in_folder(store: &Store, folder: &str, start: SystemTime) -> Result<Vec<Leftover>, StoreError> {
    let key = |name: &str| {
        if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
    };
    let old = |key: &str| store.meta(key).ok().filter(|meta| is_old(meta, start));
    let mut found = Vec::new();
    for listed in store.list(folder)? {
        let key = key(&listed.name);
        if !listed.is_folder && is_temporary(&listed.name) {
            if let Some(meta) = old(&key) {
                found.push(Leftover { key, files: Vec::new(), size: meta.size });
            }
        } else if folder.is_empty() && listed.is_folder && listed.name.starts_with(STAGING) {
            let files: Vec<String> = store
                .list(&key)?
                .into_iter()
                .filter(|listed| !listed.is_folder)
                .map(|listed| format!("{key}/{}", listed.name))
                .collect();
            let sizes: Option<Vec<u64>> =
                files.iter().map(|key| old(key).map(|meta| meta.size)).collect();
            if let Some(sizes) = sizes {
                found.push(Leftover { key, files, size: sizes.iter().sum() });
            }
        }
    }
    Ok(found)
}
