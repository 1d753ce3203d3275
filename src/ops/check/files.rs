//! File records: each is opened once, its chunks are looked at, and a few numbers of it are kept.

use std::collections::HashMap;
use std::hash::BuildHasher;

use parking_lot::Mutex;

use crate::format::latest::LatestRecord;
use crate::format::{FileId, FileRecord, Id, layout};
use crate::ops::Unit;
use crate::ops::ids::IdSet;
use crate::repo::parallel;

use super::snapshots::First;
use super::{Check, CheckError, Finding, Kind};

/// The longest name that a file system takes, bytes.
const MAX_NAME: usize = 255;
/// The most folders below each other that a mount shows.
const MAX_DEPTH: usize = 1_024;

/// IDs in order, each with a number: 20 bytes for one.
#[derive(Debug, Default)]
pub(super) struct Table {
    ids: Vec<Id>,
    /// Where the IDs with these first 16 bits begin.
    starts: Vec<u32>,
}

impl Table {
    /// Of IDs in order.
    pub fn new(ids: Vec<Id>) -> Self {
        let mut starts = vec![0; (1 << 16) + 1];
        let mut at = 0;
        for (prefix, start) in starts.iter_mut().enumerate() {
            while ids.get(at).is_some_and(|id| prefix_of(*id) < prefix) {
                at += 1;
            }
            *start = u32::try_from(at).expect("fewer than 2^32 files");
        }
        Self { ids, starts }
    }

    /// The number of an ID.
    pub fn find(&self, id: Id) -> Option<u32> {
        let prefix = prefix_of(id);
        let (from, to) = (self.starts[prefix] as usize, self.starts[prefix + 1] as usize);
        let at = self.ids[from..to].binary_search(&id).ok()?;
        Some((from + at) as u32)
    }

    /// The ID of a number.
    pub fn id(&self, no: u32) -> FileId {
        FileId(self.ids[no as usize])
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ids.len()
    }
}

fn prefix_of(id: Id) -> usize {
    let [a, b, ..] = *id.as_bytes();
    usize::from(a) << 8 | usize::from(b)
}

/// What is kept of a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Info {
    /// Bytes; none where the record is bad.
    pub size: Option<u64>,
    /// A hash of its path.
    pub path: u64,
    /// The number of its folder.
    pub folder: u32,
    /// Whether something of it is lost.
    pub is_bad: bool,
}

/// The folders of all files, by hashes of their paths. The root is number 0.
#[derive(Debug)]
pub(super) struct Folders {
    by_hash: HashMap<u64, u32>,
    /// Hash of the path, and the number of the folder that it lies in.
    pub list: Vec<(u64, u32)>,
}

impl Folders {
    fn new(root: u64) -> Self {
        Self { by_hash: HashMap::from([(root, 0)]), list: vec![(root, 0)] }
    }

    fn add(&mut self, path: &str, hash: &impl Fn(&str) -> u64) -> u32 {
        let mut unknown = Vec::new();
        let mut rest = path;
        let mut at = loop {
            let this = hash(rest);
            match self.by_hash.get(&this) {
                Some(no) => break *no,
                None => unknown.push(this),
            }
            // A path without a slash before it lies in the root too.
            rest = rest.rsplit_once('/').map_or("", |(outer, _)| outer);
        };
        for this in unknown.into_iter().rev() {
            self.list.push((this, at));
            at = (self.list.len() - 1) as u32;
            self.by_hash.insert(this, at);
        }
        at
    }
}

/// What is known of all files.
#[derive(Debug)]
pub(super) struct Files {
    pub table: Table,
    pub infos: Vec<Info>,
    pub folders: Folders,
}

/// How a mount shows a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    AsItIs,
    Otherwise,
    Not,
}

impl Check<'_> {
    /// Reads every record that snapshots list, and looks at every chunk.
    ///
    /// # Errors
    /// [`CheckError::Stopped`].
    pub(super) fn read_files(&self, ids: IdSet, first: &First) -> Result<Files, CheckError> {
        let table = Table::new(ids.sorted());
        drop(ids);
        self.monitor.begin("checking files", Some(table.len() as u64), Unit::Items);
        let folders = Mutex::new(Folders::new(self.hash("")));
        let numbers: Vec<u32> = (0..table.len() as u32).collect();
        let infos = parallel::map(&numbers, |no| {
            if self.monitor.stopped() {
                return Info { size: None, path: 0, folder: 0, is_bad: true };
            }
            let info = self.file(*no, table.id(*no), first, &folders);
            self.monitor.advance(1);
            info
        });
        self.go_on()?;
        Ok(Files { table, infos, folders: folders.into_inner() })
    }

    pub(super) fn hash(&self, path: &str) -> u64 {
        self.chance.hash_one(path)
    }

    fn file(&self, no: u32, id: FileId, first: &First, folders: &Mutex<Folders>) -> Info {
        let (record, from_copy) = match self.objects.record(id) {
            Ok(record) => (record, None),
            Err(error) => match self.repair.map(|r| r.fetch_record(self.objects, id, &error)) {
                Some(Ok((record, sealed))) => (record, Some((sealed, error))),
                other => {
                    let why = other.and_then(Result::err).map(|why| format!("; {why}"));
                    return self.bad_record(no, id, &error, &why.unwrap_or_default(), first);
                }
            },
        };
        let mut is_bad = self.look_at_chunks(no, &record);
        if let (Some((sealed, error)), Some(repair)) = (from_copy, self.repair)
            && let Err(why) = repair.write_record(self.objects, id, &sealed, &error)
        {
            self.bad_record(no, id, &error, &format!("; {why}"), first);
            is_bad = true;
        }
        let shown = self.look_at_path(no, &record);
        is_bad |= shown == Shown::Not;
        self.compare_with_latest(&record, first);
        // What is shown under another name needs no folder of its own; and a path of many megabytes
        // would take for ever.
        let folder = match (shown, record.path.rsplit_once('/')) {
            (Shown::AsItIs, Some((folder, _))) => folder,
            _ => "",
        };
        Info {
            size: u64::try_from(record.size).ok(),
            path: self.hash(&record.path),
            folder: folders.lock().add(folder, &|path| self.hash(path)),
            is_bad,
        }
    }

    fn bad_record(
        &self,
        no: u32,
        id: FileId,
        error: &crate::repo::ObjectError,
        why: &str,
        first: &First,
    ) -> Info {
        // Not authenticated, but better than nothing: what it was called.
        let hint = first.said_of(id);
        let path = hint.map(|hint| hint.path.as_str());
        let finding = self.findings.add_once(Kind::Record, id.0, || {
            let unknown = match (path, error.is_missing()) {
                (Some(_), _) => "",
                (None, false) => "; its path is lost with it",
                // Nothing authenticates an index.
                (None, true) => "; its path is lost with it, unless it is the index that is wrong",
            };
            let detail = format!("{}{why}{unknown}", error.problem);
            Finding::new(Kind::Record, layout::file(id), error.word(), detail)
        });
        self.findings.costs(finding, no, path);
        let path = path.map_or(0, |path| self.hash(path));
        Info { size: None, path, folder: 0, is_bad: true }
    }

    /// Whether chunks are bad, or do not make what the record says.
    fn look_at_chunks(&self, no: u32, record: &FileRecord) -> bool {
        let mut is_bad = false;
        let mut sum = 0;
        for chunk in &record.chunks {
            match self.chunk(*chunk) {
                Ok(length) => sum += i64::from(length),
                Err(finding) => {
                    is_bad = true;
                    self.findings.costs(finding, no, Some(&record.path));
                }
            }
        }
        if !is_bad && sum != record.size {
            let detail = format!("it says {} bytes, its chunks have {sum}", record.size);
            let key = layout::file(record.id);
            let finding = self.findings.add(Finding::new(Kind::Size, key, "wrong-size", detail));
            self.findings.costs(finding, no, Some(&record.path));
            is_bad = true;
        }
        is_bad
    }

    /// How a mount shows the path.
    fn look_at_path(&self, no: u32, record: &FileRecord) -> Shown {
        let below = record.path.strip_prefix('/').unwrap_or(&record.path);
        let odd = below.split('/').find_map(|part| match part {
            "" => Some("a part of its path is empty"),
            "." | ".." => Some("a part of its path is `.` or `..`"),
            part if part.contains('\0') => Some("there is a NUL in its path"),
            part if part.len() > MAX_NAME => Some("a part of its path has more than 255 bytes"),
            _ => None,
        });
        let key = layout::file(record.id);
        let (shown, finding) = if below.split('/').count() > MAX_DEPTH {
            let detail = "it lies more than 1024 folders deep, so it is not shown in a mount";
            let finding = Finding::new(Kind::Path, key, "too-deep", detail);
            (Shown::Not, Finding { is_damage: true, ..finding })
        } else if let Some(odd) = odd {
            let detail = format!("{odd}, so it is shown under another name");
            (Shown::Otherwise, Finding::new(Kind::Path, key, "odd", detail))
        } else {
            return Shown::AsItIs;
        };
        self.findings.costs(self.findings.add(finding), no, Some(&record.path));
        shown
    }

    /// DejaVu takes what this file says for granted.
    fn compare_with_latest(&self, record: &FileRecord, first: &First) {
        let Some(said) = first.said_of(record.id) else {
            return;
        };
        if *said == LatestRecord::from(record.clone()) {
            return;
        }
        self.findings.add_once(Kind::FullLatest, record.id.0, || {
            let detail = format!("what it says of {} is not what its record says", record.path);
            let mut finding = Finding::new(Kind::FullLatest, layout::FULL_LATEST, "untrue", detail);
            finding.paths.listed.insert(record.path.clone());
            finding
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_finds_all_and_nothing_else() {
        let mut ids: Vec<_> = (0..3_000u32).map(|n| Id::digest(&n.to_le_bytes())).collect();
        ids.extend([Id::from_bytes([0; 20]), Id::from_bytes([255; 20])]);
        ids.sort_unstable();
        let table = Table::new(ids.clone());
        for (no, id) in ids.iter().enumerate() {
            assert_eq!(table.find(*id), Some(no as u32));
            assert_eq!(table.id(no as u32).0, *id);
        }
        assert_eq!(table.find(Id::digest(b"another")), None);
        assert_eq!(Table::new(Vec::new()).find(Id::digest(b"")), None);
        assert_eq!(table.len(), 3_002);
    }

    #[test]
    fn folders_have_their_outer_ones() {
        let hash = |path: &str| {
            Id::digest(path.as_bytes()).as_bytes()[..8]
                .iter()
                .fold(0, |n, b| n << 8 | u64::from(*b))
        };
        let mut folders = Folders::new(hash(""));
        let deep = folders.add("/a/b/c", &hash);
        assert_eq!(folders.add("/a/b", &hash), folders.list[deep as usize].1);
        assert_eq!(folders.add("", &hash), 0);
        assert_eq!(folders.add("odd", &hash), 4);
        assert_eq!(folders.list[4], (hash("odd"), 0));
        assert_eq!(folders.list.len(), 5);
    }
}
