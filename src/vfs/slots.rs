//! Slots: each appearance of a snapshot in the tree (by time, by ID, under a tag) has one, because no
//! folder may appear in two places under one inode number. A slot is never given to another
//! appearance, so a number that the kernel remembers can grow stale but never lead astray.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

use crate::format::IndexId;

use super::ino::View;
use super::tree::Dir;

/// One appearance of a snapshot.
#[derive(Debug, Clone)]
pub struct Slot {
    /// Where it appears.
    pub view: View,
    /// Which snapshot.
    pub id: IndexId,
    /// Its time, milliseconds since 1970.
    pub created: i64,
    /// Under which name it appeared last.
    pub name: Arc<str>,
    /// Its folders, loaded when it is first entered and shared by all its appearances.
    pub tree: Arc<Tree>,
}

/// The folders of one snapshot, once they are loaded.
#[derive(Debug, Default)]
pub struct Tree {
    root: Mutex<Option<Arc<Dir>>>,
}

impl Tree {
    /// The root folder, from `load` if nobody has loaded it before. Whoever comes meanwhile waits.
    ///
    /// # Errors
    /// What `load` answers; the next one tries again.
    pub fn get<E>(&self, load: impl FnOnce() -> Result<Arc<Dir>, E>) -> Result<Arc<Dir>, E> {
        let mut root = self.root.lock();
        if let Some(root) = &*root {
            return Ok(Arc::clone(root));
        }
        let loaded = load()?;
        *root = Some(Arc::clone(&loaded));
        Ok(loaded)
    }
}

/// All slots that were ever given.
#[derive(Debug, Default)]
pub struct Slots {
    table: RwLock<Table>,
}

#[derive(Debug, Default)]
struct Table {
    /// `None` for a snapshot that is gone. Slot `n` is at `n - 1`.
    slots: Vec<Option<Slot>>,
    by_place: HashMap<(View, Option<Arc<str>>, IndexId), u32>,
    trees: HashMap<IndexId, Arc<Tree>>,
}

impl Slots {
    /// What is in a slot; `None` if it was never given or its snapshot is gone.
    pub fn get(&self, slot: u32) -> Option<Slot> {
        let at = (slot as usize).checked_sub(1)?;
        self.table.read().slots.get(at).cloned().flatten()
    }

    /// The slot of an appearance, the same as long as the snapshot is there. Under a tag, the tag
    /// is part of the place: a tag that moves to another snapshot is another slot.
    pub fn give(&self, view: View, name: &Arc<str>, id: IndexId, created: i64) -> u32 {
        let mut table = self.table.write();
        let by_tag = matches!(view, View::Tags | View::NotesTags);
        let place = (view, by_tag.then(|| Arc::clone(name)), id);
        if let Some(slot) = table.by_place.get(&place).copied() {
            if let Some(known) = &mut table.slots[slot as usize - 1] {
                known.name = Arc::clone(name);
            }
            return slot;
        }
        let tree = Arc::clone(table.trees.entry(id).or_default());
        table.slots.push(Some(Slot { view, id, created, name: Arc::clone(name), tree }));
        let slot = u32::try_from(table.slots.len()).expect("fewer than 2^32 snapshots come and go");
        table.by_place.insert(place, slot);
        slot
    }

    /// Forgets the snapshots that `stays` does not know any more.
    pub fn sweep(&self, stays: impl Fn(IndexId) -> bool) {
        let mut table = self.table.write();
        let Table { slots, by_place, trees } = &mut *table;
        for slot in slots.iter_mut() {
            if slot.as_ref().is_some_and(|s| !stays(s.id)) {
                *slot = None;
            }
        }
        by_place.retain(|(.., id), _| stays(*id));
        trees.retain(|id, _| stays(*id));
    }
}
