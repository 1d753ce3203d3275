//! Sets and maps of millions of IDs that many threads fill: in 256 parts by their first byte, as the
//! objects' folders are. A part that grows doubles alone, so that the whole never takes twice its room.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use parking_lot::Mutex;

use crate::format::Id;

/// A map of IDs; with `()` for a value, a set.
#[derive(Debug)]
pub struct IdMap<V> {
    parts: Box<[Mutex<HashMap<Id, V>>]>,
}

/// A set of IDs.
pub type IdSet = IdMap<()>;

impl<V> Default for IdMap<V> {
    fn default() -> Self {
        Self { parts: std::iter::repeat_with(Mutex::default).take(256).collect() }
    }
}

impl<V: Copy> IdMap<V> {
    fn part(&self, id: Id) -> &Mutex<HashMap<Id, V>> {
        &self.parts[usize::from(id.as_bytes()[0])]
    }

    /// Puts a value where there is none yet. Whether there was none.
    pub fn insert(&self, id: Id, value: V) -> bool {
        match self.part(id).lock().entry(id) {
            Entry::Occupied(_) => false,
            Entry::Vacant(free) => {
                free.insert(value);
                true
            }
        }
    }

    /// Puts a value whether or not there is one.
    pub fn replace(&self, id: Id, value: V) {
        self.part(id).lock().insert(id, value);
    }

    /// The value of an ID.
    pub fn get(&self, id: Id) -> Option<V> {
        self.part(id).lock().get(&id).copied()
    }

    /// Whether an ID is here.
    pub fn contains(&self, id: Id) -> bool {
        self.part(id).lock().contains_key(&id)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.parts.iter().map(|part| part.lock().len()).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.parts.iter().all(|part| part.lock().is_empty())
    }

    /// All IDs, sorted.
    pub fn sorted(&self) -> Vec<Id> {
        let mut all = Vec::with_capacity(self.len());
        for part in &self.parts {
            let begin = all.len();
            all.extend(part.lock().keys());
            all[begin..].sort_unstable();
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_map_and_sorts_itself() {
        let map = IdMap::default();
        let mut ids: Vec<_> = (0..5_000u32).map(|i| Id::digest(&i.to_le_bytes())).collect();
        assert!(map.is_empty());
        for (value, id) in ids.iter().enumerate() {
            assert!(map.insert(*id, value) && !map.insert(*id, 0));
        }
        for (value, id) in ids.iter().enumerate() {
            assert_eq!(map.get(*id), Some(value));
        }
        map.replace(ids[7], 0);
        assert_eq!(map.get(ids[7]), Some(0));
        assert!(map.contains(ids[0]) && !map.contains(Id::digest(b"another")));
        ids.sort_unstable();
        assert_eq!(map.sorted(), ids);
        assert_eq!(map.len(), 5_000);
    }
}
