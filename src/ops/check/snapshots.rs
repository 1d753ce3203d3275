//! Refs and indexes: first what snapshots need, then, with all files known, what each has lost.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use parking_lot::Mutex;

use crate::format::latest::{FullLatest, LatestRecord};
use crate::format::{FileId, FormatError, Index, IndexId, MAX_INDEX, layout};
use crate::ops::Unit;
use crate::ops::ids::IdSet;
use crate::ops::refs::{self, Ref};
use crate::repo::{ObjectError, ObjectKind, parallel};

use super::files::{Files, Info};
use super::{Check, CheckError, Finding, Kind};

/// Paths for which a whole version is looked for in other snapshots.
const MAX_LOST: usize = 1_000;

/// A snapshot whose index was read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Snapshot {
    pub id: IndexId,
    pub created: i64,
}

/// An index that only the copy has.
#[derive(Debug)]
pub(super) struct Restored {
    index: Index,
    bytes: Vec<u8>,
    error: ObjectError,
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
    /// Every file that a snapshot lists.
    pub files: IdSet,
    restored: HashMap<IndexId, Restored>,
    /// What `full-latest.json` says, if it is of the latest snapshot.
    latest: Option<(Vec<FileId>, HashMap<FileId, LatestRecord>)>,
}

impl First {
    /// What `full-latest.json` says of a file.
    pub fn said_of(&self, id: FileId) -> Option<&LatestRecord> {
        self.latest.as_ref().and_then(|(_, records)| records.get(&id))
    }
}

/// What became of a snapshot.
#[derive(Debug, Clone, Copy)]
pub(super) struct Second {
    pub snapshot: Snapshot,
    /// Whether nothing of it is lost, as far as was read.
    pub is_whole: bool,
    /// Whether its files are as many and as large as it says.
    is_consistent: bool,
}

/// All that became of snapshots.
#[derive(Debug, Default)]
pub(super) struct Crossed {
    /// Oldest first.
    pub snapshots: Vec<Second>,
    /// By the hash of a lost path: the newest snapshot that has it whole.
    pub whole_versions: HashMap<u64, Snapshot>,
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

    fn lost_index(&self, id: IndexId, named: &[&Ref], error: &ObjectError, why: &str) {
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

    /// Reads every index again, and sees what each snapshot has lost.
    ///
    /// # Errors
    /// [`CheckError::Stopped`].
    pub(super) fn cross(&self, first: &First, files: &Files) -> Result<Crossed, CheckError> {
        let lost: HashSet<u64> =
            self.findings.lost_paths(MAX_LOST).iter().map(|path| self.hash(path)).collect();
        let cross = Cross {
            check: self,
            first,
            files,
            affected: self.findings.files(),
            lost,
            whole_versions: Mutex::default(),
        };
        self.monitor.begin("checking snapshots", Some(first.snapshots.len() as u64), Unit::Items);
        let seconds = parallel::map(&first.snapshots, |snapshot| {
            if self.monitor.stopped() {
                return None;
            }
            let second = match first.restored.get(&snapshot.id) {
                Some(restored) => Some(cross.snapshot(*snapshot, &restored.index)),
                None => match self.objects.index(snapshot.id) {
                    Ok(index) => Some(cross.snapshot(*snapshot, &index)),
                    // It was there a moment ago: it has been purged.
                    Err(e) if e.is_missing() => None,
                    Err(e) => {
                        self.lost_index(snapshot.id, &[], &e, "");
                        None
                    }
                },
            };
            self.monitor.advance(1);
            second
        });
        self.go_on()?;
        let snapshots = seconds.into_iter().flatten().collect();
        Ok(Crossed { snapshots, whole_versions: cross.whole_versions.into_inner() })
    }

    /// Writes the indexes that were taken from the copy: last of all, when what they need is there.
    ///
    /// # Errors
    /// [`CheckError::Lock`].
    pub(super) fn restore_indexes(
        &self,
        first: &First,
        crossed: &Crossed,
    ) -> Result<(), CheckError> {
        let Some(repair) = self.repair.filter(|_| !first.restored.is_empty()) else {
            return Ok(());
        };
        repair.still_held()?;
        for second in &crossed.snapshots {
            let Some(restored) = first.restored.get(&second.snapshot.id) else { continue };
            let Restored { index, bytes, error } = restored;
            let written = match second.is_consistent {
                true => repair.write_index(self.objects, index.id, bytes, error),
                false => Err("the copy's is not what it should be either".into()),
            };
            if let Err(why) = written {
                let named: Vec<_> = first.refs.iter().filter(|r| names(r, index.id)).collect();
                self.lost_index(index.id, &named, error, &format!("; {why}"));
            }
        }
        Ok(())
    }
}

fn add(index: &Index, files: &IdSet) {
    for file in &index.files {
        files.insert(file.0, ());
    }
}

fn names(found: &Ref, id: IndexId) -> bool {
    matches!(found.id, Ok(named) if named == id)
}

enum Read {
    Good(Snapshot),
    Restored(Box<Restored>),
    Lost,
    Gone,
}

struct Cross<'a> {
    check: &'a Check<'a>,
    first: &'a First,
    files: &'a Files,
    affected: HashMap<u32, Vec<usize>>,
    lost: HashSet<u64>,
    whole_versions: Mutex<HashMap<u64, Snapshot>>,
}

impl Cross<'_> {
    fn snapshot(&self, snapshot: Snapshot, index: &Index) -> Second {
        let mut is_whole = true;
        let mut size = Some(0u64);
        let mut costs = BTreeSet::new();
        let mut paths = HashSet::with_capacity(index.files.len());
        let mut folders = vec![false; self.files.folders.list.len()];
        let mut twice = Vec::new();
        // An index's files never change, so what it lists was in the table's making.
        for no in index.files.iter().filter_map(|file| self.files.table.find(file.0)) {
            let info = &self.files.infos[no as usize];
            is_whole &= !info.is_bad;
            size = size.zip(info.size).and_then(|(sum, size)| sum.checked_add(size));
            if let Some(nos) = self.affected.get(&no) {
                costs.extend(nos);
            }
            if !info.is_bad && self.lost.contains(&info.path) {
                self.whole_version(info.path, snapshot);
            }
            if info.size.is_some() {
                if !paths.insert(info.path) {
                    twice.push(no);
                }
                self.enter(info.folder, &mut folders);
            }
        }
        self.check.findings.in_snapshot(costs, snapshot.id);
        for no in twice {
            let what =
                "another file of a snapshot has its path, so one is shown under another name";
            self.clash(no, "twice", what, snapshot);
        }
        self.files_for_folders(snapshot, index, &paths, &folders);
        let is_consistent = self.add_up(index, size);
        if Some(index.id) == self.first.latest_id {
            self.compare_order(index);
        }
        Second { snapshot, is_whole: is_whole && is_consistent, is_consistent }
    }

    fn whole_version(&self, path: u64, snapshot: Snapshot) {
        let mut whole = self.whole_versions.lock();
        let newest = whole.entry(path).or_insert(snapshot);
        if (newest.created, newest.id) < (snapshot.created, snapshot.id) {
            *newest = snapshot;
        }
    }

    /// Marks a folder and those that it lies in.
    fn enter(&self, mut folder: u32, entered: &mut [bool]) {
        while !std::mem::replace(&mut entered[folder as usize], true) {
            folder = self.files.folders.list[folder as usize].1;
        }
    }

    /// Finds files that lie where another path needs a folder.
    fn files_for_folders(
        &self,
        snapshot: Snapshot,
        index: &Index,
        paths: &HashSet<u64>,
        folders: &[bool],
    ) {
        let entered = self.files.folders.list.iter().zip(folders).filter(|(_, entered)| **entered);
        let clash: HashSet<u64> =
            entered.map(|((hash, _), _)| *hash).filter(|hash| paths.contains(hash)).collect();
        if clash.is_empty() {
            return;
        }
        for no in index.files.iter().filter_map(|file| self.files.table.find(file.0)) {
            let Info { path, size, .. } = self.files.infos[no as usize];
            if size.is_some() && clash.contains(&path) {
                let what = "another path needs a folder there, so it is shown under another name";
                self.clash(no, "file-and-folder", what, snapshot);
            }
        }
    }

    fn clash(&self, no: u32, problem: &'static str, what: &str, snapshot: Snapshot) {
        let check = self.check;
        let id = self.files.table.id(no);
        let finding = check.findings.add_once(Kind::Path, id.0, || {
            let mut finding = Finding::new(Kind::Path, layout::file(id), problem, what);
            if let Ok(record) = check.objects.record(id) {
                finding.paths.listed.insert(record.path);
            }
            finding
        });
        check.findings.in_snapshot(finding, snapshot.id);
    }

    /// Whether the files are as many and as large as the index says. Old ones say nothing.
    fn add_up(&self, index: &Index, size: Option<u64>) -> bool {
        if (index.count, index.size) == (0, 0) {
            return true;
        }
        let (problem, detail) = if index.count != index.files.len() as i64 {
            let detail = format!("it says {} files and lists {}", index.count, index.files.len());
            ("wrong-count", detail)
        } else if let Some(size) = size.filter(|size| i128::from(*size) != i128::from(index.size)) {
            let detail = format!(
                "it says {} bytes and its files have {size}: a file's record may be that of another device, whose file of that path and second was another",
                index.size
            );
            ("wrong-size", detail)
        } else {
            return true;
        };
        let finding = Finding::new(Kind::Index, layout::index(index.id), problem, detail);
        let findings = &self.check.findings;
        findings.in_snapshot(findings.add(finding), index.id);
        false
    }

    fn compare_order(&self, index: &Index) {
        let Some((order, _)) = &self.first.latest else { return };
        if *order != index.files {
            let detail = "it does not list the files that the latest snapshot lists";
            let finding = Finding::new(Kind::FullLatest, layout::FULL_LATEST, "untrue", detail);
            self.check.findings.add(finding);
        }
    }
}
