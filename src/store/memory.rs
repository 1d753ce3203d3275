//! A store in memory, for tests.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::SystemTime;

use parking_lot::Mutex;

use super::StoreProblem;
use super::backend::{Backend, Listed, Meta, Staged, Stamp};

#[derive(Debug)]
struct Written {
    bytes: Vec<u8>,
    /// Counts up with every write to this store.
    nth: u64,
    at: SystemTime,
}

#[derive(Debug, Default)]
pub(super) struct Memory {
    keys: Mutex<BTreeMap<String, Written>>,
    writes: Mutex<u64>,
}

impl Memory {
    fn tick(&self) -> u64 {
        let mut writes = self.writes.lock();
        *writes += 1;
        *writes
    }
}

impl Backend for Memory {
    fn folder(&self) -> Option<&Path> {
        None
    }

    fn place(&self) -> String {
        "memory".into()
    }

    fn get(&self, key: &str, limit: u64) -> Result<Vec<u8>, StoreProblem> {
        let keys = self.keys.lock();
        let bytes = &keys.get(key).ok_or(StoreProblem::Missing)?.bytes;
        if bytes.len() as u64 > limit {
            return Err(StoreProblem::TooLarge(bytes.len() as u64));
        }
        Ok(bytes.clone())
    }

    fn get_head(&self, key: &str, len: usize) -> Result<Vec<u8>, StoreProblem> {
        let mut bytes = self.get(key, u64::MAX)?;
        bytes.truncate(len);
        Ok(bytes)
    }

    fn meta(&self, key: &str) -> Result<Meta, StoreProblem> {
        let keys = self.keys.lock();
        let written = keys.get(key).ok_or(StoreProblem::Missing)?;
        Ok(Meta { size: written.bytes.len() as u64, modified: Some(written.at) })
    }

    fn list(&self, folder: &str) -> Result<Vec<Listed>, StoreProblem> {
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let keys = self.keys.lock();
        let below = keys.keys().filter_map(|key| key.strip_prefix(&prefix));
        let listed: BTreeSet<Listed> = below
            .map(|rest| match rest.split_once('/') {
                Some((name, _)) => Listed { name: name.to_owned(), is_folder: true },
                None => Listed { name: rest.to_owned(), is_folder: false },
            })
            .collect();
        Ok(listed.into_iter().collect())
    }

    fn stamp(&self, key: &str) -> Option<Stamp> {
        let keys = self.keys.lock();
        if let Some(written) = keys.get(key) {
            return Some(Stamp { of: (i128::from(written.nth), 0, 0), settled: true });
        }
        // A folder: any write below it may have changed its list.
        let prefix = format!("{key}/");
        let below = keys.iter().filter(|(k, _)| k.starts_with(&prefix));
        let (count, newest) = below.fold((0, 0), |(n, t), (_, w)| (n + 1, t.max(w.nth)));
        Some(Stamp { of: (i128::from(newest), count, 0), settled: true })
    }

    fn put(&self, key: &str, bytes: &[u8]) -> Result<(), StoreProblem> {
        let written = Written { bytes: bytes.to_vec(), nth: self.tick(), at: SystemTime::now() };
        self.keys.lock().insert(key.to_owned(), written);
        Ok(())
    }

    fn stage(&self, bytes: &[u8]) -> Result<Staged, StoreProblem> {
        Ok(Staged::Bytes(bytes.to_vec()))
    }

    fn sync(&self) -> Result<(), StoreProblem> {
        Ok(())
    }

    fn publish(&self, staged: &Staged, key: &str) -> Result<(), StoreProblem> {
        let Staged::Bytes(bytes) = staged else { unreachable!("staged in memory") };
        self.put(key, bytes)
    }

    fn discard(&self, _: Staged) {}

    fn delete(&self, key: &str) -> Result<(), StoreProblem> {
        self.tick();
        self.keys.lock().remove(key);
        Ok(())
    }
}
