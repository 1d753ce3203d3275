//! Indexes again, with all files known: what each snapshot has lost.

use std::collections::{BTreeSet, HashMap, HashSet};

use parking_lot::Mutex;

use crate::format::{Index, IndexId, layout};
use crate::ops::Unit;
use crate::ops::refs::Ref;
use crate::repo::parallel;

use super::files::{Files, Info};
use super::snapshots::{First, Restored, Snapshot};
use super::{Check, CheckError, Finding, Kind};

/// Paths for which a whole version is looked for in other snapshots.
const MAX_LOST: usize = 1_000;

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

fn names(found: &Ref, id: IndexId) -> bool {
    matches!(found.id, Ok(named) if named == id)
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
