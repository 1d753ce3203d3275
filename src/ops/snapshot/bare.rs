//! Where no object can be: a first snapshot would ask the file system for each of its objects whether it is
//! there, which was 3 % of its work.

use crate::format::{Id, layout};
use crate::store::Store;

/// Which of the 256 folders of objects were not there when the run began. Only what a run has under its lock
/// may use it.
#[derive(Debug)]
pub(super) struct Bare([bool; 256]);

impl Bare {
    /// Looks. Where that is not possible, no folder counts as missing.
    pub fn of(store: &Store) -> Self {
        let Ok(listed) = store.list(layout::OBJECTS) else { return Self([false; 256]) };
        let mut bare = [true; 256];
        for name in listed.iter().map(|listed| &listed.name) {
            // In upper case too: to some file systems that is the same name.
            if name.len() == 2
                && let Ok(folder) = u8::from_str_radix(name, 16)
            {
                bare[usize::from(folder)] = false;
            }
        }
        Self(bare)
    }

    /// Whether the repository had nothing under this ID.
    pub fn lacks(&self, id: Id) -> bool {
        self.0[usize::from(id.as_bytes()[0])]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_there_may_hold_anything() {
        let store = Store::memory();
        let id = |first: u8| Id::from_bytes([first; 20]);
        assert!((0..=255).all(|first| Bare::of(&store).lacks(id(first))));
        store.put(&layout::object(id(0xab)), b"x").unwrap();
        store.put("objects/CD/x", b"x").unwrap();
        store.put("objects/+1/x", b"not a folder of objects").unwrap();
        let bare = Bare::of(&store);
        assert!(!bare.lacks(id(0xab)) && !bare.lacks(id(0xcd)));
        assert!(bare.lacks(id(0xac)) && bare.lacks(id(0x00)));
    }
}
