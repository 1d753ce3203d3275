//! What is there besides: objects that no snapshot needs, locks, leftovers, and what nobody knows.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::format::own::{self, Own, OwnError};
use crate::format::{ChunkId, FileId, Id, IndexId, layout};
use crate::ops::Unit;
use crate::repo::{Problem, parallel};
use crate::store::lock::{self, LOCKS};
use crate::store::refs::is_temporary;
use crate::store::{Listed, STAGING, StoreError};

use super::files::Files;
use super::{Check, CheckError, Finding, Kind};

/// What lies at the top of a repository: DejaVu's, then ours.
const KNOWN: [&str; 9] = [
    layout::INDEXES,
    layout::OBJECTS,
    layout::REFS,
    layout::FULL_LATEST,
    "check",
    "indexes-v2.json",
    "lock-sync",
    own::NAME,
    LOCKS,
];

/// How much of it there is.
#[derive(Debug, Default)]
pub(super) struct Rest {
    pub orphans: usize,
    pub orphan_bytes: u64,
}

impl Check<'_> {
    /// Looks through the whole repository.
    ///
    /// # Errors
    /// [`CheckError`].
    pub(super) fn rest(&self, files: &Files) -> Result<Rest, CheckError> {
        let store = self.objects.store();
        for listed in store.list("")? {
            if listed.is_folder && listed.name.starts_with(STAGING) {
                self.leftover(&listed.name);
            } else if !KNOWN.contains(&listed.name.as_str()) {
                self.stranger(&listed.name);
            }
        }
        for listed in store.list(layout::INDEXES)? {
            if listed.is_folder || listed.name.parse::<IndexId>().is_err() {
                self.stranger(&format!("{}/{}", layout::INDEXES, listed.name));
            }
        }
        self.settings();
        self.locks()?;
        self.orphans(files)
    }

    /// Whoever has the repository's own key gets in without this file; nobody else does.
    fn settings(&self) {
        let (problem, detail) = match self.objects.store().get(own::NAME, own::MOST_BYTES as u64) {
            Ok(bytes) => match Own::decode(&bytes) {
                // A later revu's is not damaged.
                Ok(_) | Err(OwnError::Version(_)) => return,
                Err(e) => ("undecodable", e.to_string()),
            },
            Err(e) if e.is_missing() => return,
            Err(e) => ("unreadable", e.problem.to_string()),
        };
        let detail = format!("{detail}; no passphrase and no key file opens the repository");
        self.findings.add(Finding::new(Kind::Settings, own::NAME, problem, detail));
    }

    fn locks(&self) -> Result<(), CheckError> {
        let own = self.repair.map(|repair| repair.lock_key());
        for found in lock::locks(self.objects.store())? {
            if Some(found.key.as_str()) == own {
                continue;
            }
            let (problem, detail) = match found.alive {
                true => ("held", format!("held by {found}")),
                false => {
                    let detail = format!("{found} has ended; who writes next removes its lock");
                    ("dead", detail)
                }
            };
            self.findings.add(Finding::new(Kind::Lock, found.key, problem, detail));
        }
        Ok(())
    }

    /// Something without a name of the format's.
    fn stranger(&self, key: &str) {
        if is_temporary(key.rsplit_once('/').map_or(key, |(_, name)| name)) {
            return self.leftover(key);
        }
        let detail = "it is none of the repository's, and is left alone";
        self.findings.add(Finding::new(Kind::Unknown, key, "unknown", detail));
    }

    fn leftover(&self, key: &str) {
        let detail = "a process of revu is writing it or was stopped; `revu purge` removes it then";
        self.findings.add(Finding::new(Kind::Leftover, key, "leftover", detail));
    }

    fn orphans(&self, files: &Files) -> Result<Rest, CheckError> {
        let store = self.objects.store();
        let mut folders = store.list(layout::OBJECTS)?;
        let is_known = |name: &str| {
            name.len() == 2 && name.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        };
        folders.retain(|listed| {
            let known = listed.is_folder && is_known(&listed.name);
            if !known {
                self.stranger(&format!("{}/{}", layout::OBJECTS, listed.name));
            }
            known
        });
        self.monitor.begin("looking through objects", Some(folders.len() as u64), Unit::Items);
        let (count, bytes) = (AtomicUsize::new(0), AtomicU64::new(0));
        parallel::map(&folders, |folder| {
            if self.monitor.stopped() {
                return;
            }
            let folder = format!("{}/{}", layout::OBJECTS, folder.name);
            match store.list(&folder) {
                Ok(listed) => listed.iter().for_each(|listed| {
                    if let Some(size) = self.object(&folder, listed, files) {
                        count.fetch_add(1, Ordering::Relaxed);
                        bytes.fetch_add(size, Ordering::Relaxed);
                    }
                }),
                Err(e) => self.unreadable(folder, &e),
            }
            self.monitor.advance(1);
        });
        self.go_on()?;
        Ok(Rest { orphans: count.into_inner(), orphan_bytes: bytes.into_inner() })
    }

    /// The size of an object that no snapshot needs.
    fn object(&self, folder: &str, listed: &Listed, files: &Files) -> Option<u64> {
        let key = format!("{folder}/{}", listed.name);
        let Some(id) = layout::object_id(&key) else {
            self.stranger(&key);
            return None;
        };
        if files.table.find(id).is_some() || self.chunks.contains(id) {
            return None;
        }
        if listed.is_folder {
            self.stranger(&key);
            return None;
        }
        match self.objects.store().size(&key) {
            Ok(size) => {
                self.orphan(id, key, size);
                Some(size)
            }
            // Purged, or renamed, since it was listed.
            Err(e) if e.is_missing() => None,
            Err(e) => {
                self.unreadable(key, &e);
                None
            }
        }
    }

    fn unreadable(&self, key: String, error: &StoreError) {
        let detail = error.problem.to_string();
        self.findings.add(Finding::new(Kind::Orphan, key, "unreadable", detail));
    }

    /// An object that no snapshot needs harms a later one if it is damaged: who finds an object there
    /// does not write it again.
    fn orphan(&self, id: Id, key: String, size: u64) {
        if !self.reads_whole(ChunkId(id)) {
            return;
        }
        let _room = self.room(size);
        let error = match self.objects.chunk(ChunkId(id)) {
            Ok(_) => return,
            Err(e) => e,
        };
        let (problem, detail) = match self.objects.record(FileId(id)) {
            Ok(record) => {
                let is_there =
                    |chunk: &ChunkId| self.objects.store().size(&layout::chunk(*chunk)).is_ok();
                if record.chunks.iter().all(is_there) {
                    return;
                }
                (
                    "incomplete",
                    format!("it is the record of {}, whose chunks are missing", record.path),
                )
            }
            Err(e) if e.is_missing() => return,
            Err(e) => match (&error.problem, &e.problem) {
                // What opens and is no chunk should have been a record.
                (
                    Problem::Format(crate::format::FormatError::WrongIdentity(_)),
                    Problem::Format(_),
                ) => (e.word(), "it is neither a chunk nor a record of that name".to_owned()),
                _ => (error.word(), error.problem.to_string()),
            },
        };
        let detail = format!("no snapshot needs it, but a later one may: {detail}");
        self.findings.add(Finding::new(Kind::Orphan, key, problem, detail));
    }
}
