//! A decorator that fails on purpose: tests fail each operation of a deed in turn and look at what is
//! left.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::StoreProblem;
use super::backend::{Backend, Listed, Meta, Staged, Stamp};

/// How an operation fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// With this errno (`EIO`, `ENOSPC`, `EACCES`, `EROFS` …); later ones succeed again.
    Errno(i32),
    /// As if the process had been stopped: nothing from here on happens.
    Stop,
    /// A write leaves half of its bytes behind and then fails with `ENOSPC`.
    ShortWrite,
}

/// Which operation fails, and how many there were. Clones share the count.
#[derive(Debug, Clone)]
pub struct Faults {
    fault: Fault,
    at: u64,
    writes_only: bool,
    done: Arc<AtomicU64>,
}

impl Faults {
    /// The operation number `at`, counted from 0, fails.
    pub fn at(at: u64, fault: Fault) -> Self {
        Self { fault, at, writes_only: false, done: Arc::default() }
    }

    /// Counts operations that write, and lets all others pass.
    pub fn among_writes(at: u64, fault: Fault) -> Self {
        Self { writes_only: true, ..Self::at(at, fault) }
    }

    /// Counts and fails nothing.
    pub fn none() -> Self {
        Self::among_writes(u64::MAX, Fault::Stop)
    }

    /// How many operations there were.
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::SeqCst)
    }

    fn next(&self, writes: bool) -> Option<Fault> {
        if self.writes_only && !writes {
            let stopped = self.fault == Fault::Stop && self.done() > self.at;
            return stopped.then_some(Fault::Stop);
        }
        let n = self.done.fetch_add(1, Ordering::SeqCst);
        (n == self.at || (n > self.at && self.fault == Fault::Stop)).then_some(self.fault)
    }
}

#[derive(Debug)]
pub(super) struct Faulty {
    inner: Arc<dyn Backend>,
    faults: Faults,
}

impl Faulty {
    pub(super) fn new(inner: Arc<dyn Backend>, faults: Faults) -> Self {
        Self { inner, faults }
    }

    fn os_error(fault: Fault) -> Arc<std::io::Error> {
        Arc::new(std::io::Error::from_raw_os_error(match fault {
            Fault::Errno(errno) => errno,
            Fault::Stop => libc::EINTR,
            Fault::ShortWrite => libc::ENOSPC,
        }))
    }

    fn reading<T>(&self, go: impl FnOnce() -> Result<T, StoreProblem>) -> Result<T, StoreProblem> {
        match self.faults.next(false) {
            None => go(),
            Some(fault) => Err(StoreProblem::Unreadable(Self::os_error(fault))),
        }
    }

    fn writing<T>(
        &self,
        go: impl FnOnce(Option<Fault>) -> Result<T, StoreProblem>,
    ) -> Result<T, StoreProblem> {
        match self.faults.next(true) {
            None => go(None),
            Some(fault) => {
                if fault == Fault::ShortWrite {
                    let _ = go(Some(fault));
                }
                Err(StoreProblem::Unwritable(Self::os_error(fault)))
            }
        }
    }
}

impl Backend for Faulty {
    fn folder(&self) -> Option<&Path> {
        self.inner.folder()
    }

    fn place(&self) -> String {
        self.inner.place()
    }

    fn get(&self, key: &str, limit: u64) -> Result<Vec<u8>, StoreProblem> {
        self.reading(|| self.inner.get(key, limit))
    }

    fn get_head(&self, key: &str, len: usize) -> Result<Vec<u8>, StoreProblem> {
        self.reading(|| self.inner.get_head(key, len))
    }

    fn meta(&self, key: &str) -> Result<Meta, StoreProblem> {
        self.reading(|| self.inner.meta(key))
    }

    fn list(&self, folder: &str) -> Result<Vec<Listed>, StoreProblem> {
        self.reading(|| self.inner.list(folder))
    }

    fn stamp(&self, key: &str) -> Option<Stamp> {
        self.inner.stamp(key)
    }

    fn put(&self, key: &str, bytes: &[u8]) -> Result<(), StoreProblem> {
        self.writing(|fault| match fault {
            // What is put is staged first and named last, so a short write leaves no name.
            Some(_) => self.inner.stage(&bytes[..bytes.len() / 2]).map(drop),
            None => self.inner.put(key, bytes),
        })
    }

    fn stage(&self, bytes: &[u8]) -> Result<Staged, StoreProblem> {
        self.writing(|fault| match fault {
            Some(_) => self.inner.stage(&bytes[..bytes.len() / 2]),
            None => self.inner.stage(bytes),
        })
    }

    fn sync(&self) -> Result<(), StoreProblem> {
        self.writing(|fault| if fault.is_some() { Ok(()) } else { self.inner.sync() })
    }

    fn publish(&self, staged: &Staged, key: &str) -> Result<(), StoreProblem> {
        self.writing(|fault| if fault.is_some() { Ok(()) } else { self.inner.publish(staged, key) })
    }

    fn discard(&self, staged: Staged) {
        self.inner.discard(staged);
    }

    fn delete(&self, key: &str) -> Result<(), StoreProblem> {
        self.writing(|fault| if fault.is_some() { Ok(()) } else { self.inner.delete(key) })
    }
}
