//! A decorator that notes what a power failure may forget: tests make every state out of it that a disk
//! may be in afterwards, and open each.

use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;

use super::StoreProblem;
use super::backend::{Backend, Listed, Meta, Staged, Stamp};

/// Something that happened to a store, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A key is being written that is durable when that has ended.
    Putting {
        /// The key.
        key: String,
        /// What it is to hold.
        bytes: Vec<u8>,
    },
    /// That has ended: it succeeded, or not.
    Put {
        /// The key.
        key: String,
        /// Whether it was written.
        done: bool,
    },
    /// Bytes have got a name. The name is durable after the next [`Event::Sync`].
    Published {
        /// The name.
        key: String,
        /// What it holds.
        bytes: Vec<u8>,
        /// Whether the bytes were durable before: else the name may lead to any part of them.
        durable: bool,
    },
    /// A key was removed, which is durable after the next [`Event::Sync`].
    Deleted {
        /// The key.
        key: String,
    },
    /// All that had happened before the event number `began`, counted from 0, is durable.
    Sync {
        /// How many events there were when it began.
        began: usize,
    },
}

/// The events so far; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Journal(Arc<Mutex<Noted>>);

#[derive(Debug, Default)]
struct Noted {
    events: Vec<Event>,
    /// Bytes without a name, and whether they are durable.
    staged: Vec<(Vec<u8>, bool)>,
}

impl Journal {
    /// Takes the events since the last time.
    pub fn take(&self) -> Vec<Event> {
        std::mem::take(&mut self.0.lock().events)
    }

    fn note(&self, event: Event) {
        self.0.lock().events.push(event);
    }
}

#[derive(Debug)]
pub(super) struct Forgetful {
    inner: Arc<dyn Backend>,
    journal: Journal,
}

impl Forgetful {
    pub(super) fn new(inner: Arc<dyn Backend>) -> (Self, Journal) {
        let journal = Journal::default();
        (Self { inner, journal: journal.clone() }, journal)
    }

    fn putting(
        &self,
        key: &str,
        bytes: &[u8],
        put: impl FnOnce() -> Result<(), StoreProblem>,
    ) -> Result<(), StoreProblem> {
        self.journal.note(Event::Putting { key: key.to_owned(), bytes: bytes.to_vec() });
        let result = put();
        self.journal.note(Event::Put { key: key.to_owned(), done: result.is_ok() });
        result
    }
}

impl Backend for Forgetful {
    fn folder(&self) -> Option<&Path> {
        self.inner.folder()
    }

    fn place(&self) -> String {
        self.inner.place()
    }

    fn get(&self, key: &str, limit: u64) -> Result<Vec<u8>, StoreProblem> {
        self.inner.get(key, limit)
    }

    fn get_head(&self, key: &str, len: usize) -> Result<Vec<u8>, StoreProblem> {
        self.inner.get_head(key, len)
    }

    fn meta(&self, key: &str) -> Result<Meta, StoreProblem> {
        self.inner.meta(key)
    }

    fn list(&self, folder: &str) -> Result<Vec<Listed>, StoreProblem> {
        self.inner.list(folder)
    }

    fn stamp(&self, key: &str) -> Option<Stamp> {
        self.inner.stamp(key)
    }

    fn put(&self, key: &str, bytes: &[u8]) -> Result<(), StoreProblem> {
        self.putting(key, bytes, || self.inner.put(key, bytes))
    }

    fn put_new(&self, key: &str, bytes: &[u8]) -> Result<(), StoreProblem> {
        self.putting(key, bytes, || self.inner.put_new(key, bytes))
    }

    fn stage(&self, bytes: &[u8]) -> Result<Staged, StoreProblem> {
        let staged = self.inner.stage(bytes)?;
        self.journal.0.lock().staged.push((bytes.to_vec(), false));
        Ok(staged)
    }

    fn sync(&self) -> Result<(), StoreProblem> {
        let (began, staged) = {
            let noted = self.journal.0.lock();
            (noted.events.len(), noted.staged.len())
        };
        self.inner.sync()?;
        let mut noted = self.journal.0.lock();
        noted.staged[..staged].iter_mut().for_each(|(_, durable)| *durable = true);
        noted.events.push(Event::Sync { began });
        Ok(())
    }

    fn publish(&self, staged: &Staged, key: &str) -> Result<(), StoreProblem> {
        let bytes = match staged {
            Staged::Bytes(bytes) => bytes.clone(),
            Staged::File(path) => {
                std::fs::read(path).map_err(|e| StoreProblem::Unreadable(Arc::new(e)))?
            }
        };
        self.inner.publish(staged, key)?;
        let mut noted = self.journal.0.lock();
        let durable = noted.staged.iter().any(|(of, durable)| *durable && *of == bytes);
        noted.events.push(Event::Published { key: key.to_owned(), bytes, durable });
        Ok(())
    }

    fn discard(&self, staged: Staged) {
        self.inner.discard(staged);
    }

    fn delete(&self, key: &str) -> Result<(), StoreProblem> {
        self.inner.delete(key)?;
        self.journal.note(Event::Deleted { key: key.to_owned() });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::store::Store;

    use super::*;

    #[test]
    fn what_was_synced_is_told_from_what_was_not() {
        let (store, journal) = Store::memory().forgetful();
        let batch = store.batch();
        batch.put("a".into(), b"1").unwrap();
        batch.commit().unwrap();
        store.delete("a").unwrap();
        store.put("b", b"2").unwrap();
        let published = Event::Published { key: "a".into(), bytes: b"1".to_vec(), durable: true };
        assert_eq!(
            journal.take(),
            [
                Event::Sync { began: 0 },
                published,
                Event::Deleted { key: "a".into() },
                Event::Putting { key: "b".into(), bytes: b"2".to_vec() },
                Event::Put { key: "b".into(), done: true },
            ]
        );
        assert_eq!(journal.take(), []);
        let staged = store.backend.stage(b"3").unwrap();
        store.backend.publish(&staged, "c").unwrap();
        assert!(matches!(&journal.take()[..], [Event::Published { durable: false, .. }]));
    }
}
