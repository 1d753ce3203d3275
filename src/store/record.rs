//! A decorator that notes every call, so that tests can assert the work and not only its result.

use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;

use super::StoreProblem;
use super::backend::{Backend, Listed, Meta, Staged, Stamp};

/// What was asked of a store. Stamps are not noted: they are asked all the time and read nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verb {
    /// A whole object was read.
    Get,
    /// The beginning of one was read.
    GetHead,
    /// Its size or its time was asked for.
    Size,
    /// A folder was listed.
    List,
    /// An object was written.
    Put,
    /// One was removed.
    Delete,
    /// What was written so far was made durable.
    Sync,
}

/// One call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// What was asked.
    pub verb: Verb,
    /// Of which key.
    pub key: String,
}

/// The calls noted so far; clones share the list.
#[derive(Debug, Clone, Default)]
pub struct Calls(Arc<Mutex<Vec<Call>>>);

impl Calls {
    /// Takes the calls noted since the last time.
    pub fn take(&self) -> Vec<Call> {
        std::mem::take(&mut self.0.lock())
    }

    fn note(&self, verb: Verb, key: &str) {
        self.0.lock().push(Call { verb, key: key.to_owned() });
    }
}

#[derive(Debug)]
pub(super) struct Recorded {
    inner: Arc<dyn Backend>,
    calls: Calls,
}

impl Recorded {
    pub(super) fn new(inner: Arc<dyn Backend>) -> (Self, Calls) {
        let calls = Calls::default();
        (Self { inner, calls: calls.clone() }, calls)
    }
}

impl Backend for Recorded {
    fn folder(&self) -> Option<&Path> {
        self.inner.folder()
    }

    fn place(&self) -> String {
        self.inner.place()
    }

    fn get(&self, key: &str, limit: u64) -> Result<Vec<u8>, StoreProblem> {
        self.calls.note(Verb::Get, key);
        self.inner.get(key, limit)
    }

    fn get_head(&self, key: &str, len: usize) -> Result<Vec<u8>, StoreProblem> {
        self.calls.note(Verb::GetHead, key);
        self.inner.get_head(key, len)
    }

    fn meta(&self, key: &str) -> Result<Meta, StoreProblem> {
        self.calls.note(Verb::Size, key);
        self.inner.meta(key)
    }

    fn list(&self, folder: &str) -> Result<Vec<Listed>, StoreProblem> {
        self.calls.note(Verb::List, folder);
        self.inner.list(folder)
    }

    fn stamp(&self, key: &str) -> Option<Stamp> {
        self.inner.stamp(key)
    }

    fn put(&self, key: &str, bytes: &[u8]) -> Result<(), StoreProblem> {
        self.calls.note(Verb::Put, key);
        self.inner.put(key, bytes)
    }

    fn stage(&self, bytes: &[u8]) -> Result<Staged, StoreProblem> {
        self.inner.stage(bytes)
    }

    fn sync(&self) -> Result<(), StoreProblem> {
        self.calls.note(Verb::Sync, "");
        self.inner.sync()
    }

    fn publish(&self, staged: &Staged, key: &str) -> Result<(), StoreProblem> {
        self.calls.note(Verb::Put, key);
        self.inner.publish(staged, key)
    }

    fn discard(&self, staged: Staged) {
        self.inner.discard(staged);
    }

    fn delete(&self, key: &str) -> Result<(), StoreProblem> {
        self.calls.note(Verb::Delete, key);
        self.inner.delete(key)
    }
}
