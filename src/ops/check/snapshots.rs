//! Refs and indexes: which there are, and which files they need.

use std::collections::{BTreeMap, HashMap};

use crate::format::latest::{FullLatest, LatestRecord};
use crate::format::{FileId, FormatError, Index, IndexId, MAX_INDEX, layout};
use crate::ops::Unit;
use crate::ops::ids::IdSet;
use crate::ops::refs::{self, Ref};
use crate::repo::{ObjectError, ObjectKind, parallel};

use super::{Check, CheckError, Finding, Kind};

/// A snapshot whose index was read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Snapshot {
    pub id: IndexId,
    pub created: i64,
}

/// An index that was taken from the copy.
#[derive(Debug)]
pub(super) struct Restored {
    pub index: Index,
    /// As the copy has it.
    pub bytes: Vec<u8>,
    /// What is wrong with the one that is here.
    pub error: ObjectError,
}

/// What was learnt from refs and indexes alone.
#[derive(Debug)]
pub(super) struct First {
    pub refs: Vec<Ref>,
    /// What `refs/latest` names.
    pub latest_id: Option<IndexId>,
    /// Oldest first.
    pub snapshots: Vec<Snapshot>,
    /// Indexes that cannot be read.
    pub lost: usize,
    /// Every file that a snapshot lists, until they have a table.
    pub files: IdSet,
    /// Indexes of the copy's that stand in for bad ones, not written yet.
    pub restored: HashMap<IndexId, Restored>,
    /// What `full-latest.json` says, if it is of the latest snapshot.
    pub latest: Option<(Vec<FileId>, HashMap<FileId, LatestRecord>)>,
}

impl First {
    /// What `full-latest.json` says of a file.
    pub fn said_of(&self, id: FileId) -> Option<&LatestRecord> {
        self.latest.as_ref().and_then(|(_, records)| records.get(&id))
    }
}

impl Check<'_> {
    /// Reads refs and indexes.
    ///
    /// # Errors
    /// [`CheckError`].
    pub(super) fn read_snapshots(&self) -> Result<First, CheckError> {
        let store = self.objects.store();
        let listed = store.list(layout::INDEXES)?;
        let refs = refs::all(store)?;
        let mut named: BTreeMap<IndexId, Vec<&Ref>> = BTreeMap::new();
        let mut latest_id = None;
        for found in &refs {
            match &found.id {
                Ok(id) => {
                    named.entry(*id).or_default().push(found);
                    if found.key == layout::LATEST {
                        latest_id = Some(*id);
                    }
                }
                Err(e) => {
                    let finding = Finding::new(Kind::Ref, &*found.key, "unreadable", e.to_string());
                    self.findings.add(finding);
                }
            }
        }
        let mut ids: Vec<IndexId> = listed.iter().filter_map(|l| l.name.parse().ok()).collect();
        ids.extend(named.keys());
        ids.sort_unstable();
        ids.dedup();

        let mut first = First {
            refs: Vec::new(),
            latest_id,
            snapshots: Vec::new(),
            lost: 0,
            files: IdSet::default(),
            restored: HashMap::new(),
            latest: self.full_latest(latest_id),
        };
        self.monitor.begin("reading snapshots", Some(ids.len() as u64), Unit::Items);
        let read = parallel::map(&ids, |id| {
            if self.monitor.stopped() {
                return Read::Gone;
            }
            let read = self.read_index(*id, named.get(id).map_or(&[], Vec::as_slice), &first.files);
            self.monitor.advance(1);
            read
        });
        self.go_on()?;
        for read in read {
            let restored = match read {
                Read::Good(snapshot) => {
                    first.snapshots.push(snapshot);
                    continue;
                }
                Read::Lost => {
                    first.lost += 1;
                    continue;
                }
                Read::Gone => continue,
                Read::Restored(restored) => *restored,
            };
            let Index { id, created, .. } = restored.index;
            first.snapshots.push(Snapshot { id, created });
            first.restored.insert(id, restored);
        }
        first.snapshots.sort_by_key(|snapshot| (snapshot.created, snapshot.id));
        drop(named);
        first.refs = refs;
        Ok(first)
    }

    fn read_index(&self, id: IndexId, named: &[&Ref], files: &IdSet) -> Read {
        let error = match self.objects.index(id) {
            Ok(index) => {
                if let Some((better, bytes)) =
                    self.repair.and_then(|repair| repair.better_index(self.objects, &index))
                {
                    add(&better, files);
                    let error = self.wrong_index(id);
                    return Read::Restored(Box::new(Restored { index: better, bytes, error }));
                }
                add(&index, files);
                return Read::Good(Snapshot { id, created: index.created });
            }
            // Purged since it was listed.
            Err(e) if e.is_missing() && named.is_empty() => return Read::Gone,
            Err(e) => e,
        };
        let why = match self.repair.map(|repair| repair.fetch_index(self.objects, id, &error)) {
            Some(Ok((index, bytes))) => {
                add(&index, files);
                return Read::Restored(Box::new(Restored { index, bytes, error }));
            }
            Some(Err(why)) => format!("; {why}"),
            None => String::new(),
        };
        self.lost_index(id, named, &error, &why);
        Read::Lost
    }

    fn wrong_index(&self, id: IndexId) -> ObjectError {
        let what = "it does not list the files that it should".to_owned();
        ObjectError {
            kind: ObjectKind::Index,
            id: id.0,
            place: self.objects.store().place().into(),
            key: layout::index(id).into(),
            problem: FormatError::Undecodable(what).into(),
        }
    }

    /// Tells of an index that cannot be used. `why` is the end of a sentence.
    pub(super) fn lost_index(&self, id: IndexId, named: &[&Ref], error: &ObjectError, why: &str) {
        let findings: Vec<Finding> = if error.is_missing() {
            let dangling = |found: &&Ref| {
                let detail = format!("it names snapshot {id}, which is missing{why}");
                Finding::new(Kind::Ref, &*found.key, "dangling", detail)
            };
            named.iter().map(dangling).collect()
        } else {
            let names: Vec<_> = named.iter().map(|found| found.name()).collect();
            let by = match &names[..] {
                [] => String::new(),
                names => format!(" (it is {})", names.join(", ")),
            };
            let detail = format!("{}{by}{why}", error.problem);
            vec![Finding::new(Kind::Index, layout::index(id), error.word(), detail)]
        };
        for finding in findings {
            self.findings.in_snapshot(self.findings.add(finding), id);
        }
    }

    /// What `full-latest.json` says, if it is of this snapshot: else DejaVu makes it anew, and so it
    /// may be as it likes.
    fn full_latest(
        &self,
        latest: Option<IndexId>,
    ) -> Option<(Vec<FileId>, HashMap<FileId, LatestRecord>)> {
        let (problem, detail) =
            match self.objects.store().get(layout::FULL_LATEST, MAX_INDEX as u64) {
                Ok(bytes) => match FullLatest::decode(&bytes) {
                    Ok(full) if Some(full.id) == latest => {
                        let order = full.files.iter().map(|record| record.id).collect();
                        let records = full.files.into_iter().map(|record| (record.id, record));
                        return Some((order, records.collect()));
                    }
                    Ok(_) => return None,
                    Err(e) => ("undecodable", e.to_string()),
                },
                Err(e) if e.is_missing() => return None,
                Err(e) => ("unreadable", e.problem.to_string()),
            };
        self.findings.add(Finding::new(Kind::FullLatest, layout::FULL_LATEST, problem, detail));
        None
    }
}

fn add(index: &Index, files: &IdSet) {
    for file in &index.files {
        files.insert(file.0, ());
    }
}

enum Read {
    Good(Snapshot),
    Restored(Box<Restored>),
    Lost,
    Gone,
}
