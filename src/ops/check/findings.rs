//! What a check finds: each thing with all that it costs, as far as that can be listed.

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use parking_lot::Mutex;

use crate::format::{Id, IndexId};

/// Findings beyond this many are only counted: whoever has so many needs another disk, not a list.
const MAX_FINDINGS: usize = 10_000;
/// Snapshots, and paths, that one finding lists at the most; the others are counted.
const MAX_LISTED: usize = 1_000;
/// Paths that all findings together list: about ten megabytes.
const MAX_PATHS: usize = 100_000;

/// What kind of thing is not as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A ref names nothing, or nothing that is there.
    Ref,
    /// A snapshot's index.
    Index,
    /// A File record.
    Record,
    /// A chunk.
    Chunk,
    /// A record and its chunks disagree on how large the file is.
    Size,
    /// A path that cannot be shown as it is.
    Path,
    /// The plaintext cache of the newest snapshot's records.
    FullLatest,
    /// The file of a repository of our own that holds its key slots.
    Settings,
    /// An object that no snapshot needs and that would harm a later one.
    Orphan,
    /// A lock of a process of revu.
    Lock,
    /// What a process of revu did not live to remove.
    Leftover,
    /// Something that is none of the format's.
    Unknown,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ref => "ref",
            Self::Index => "index",
            Self::Record => "record",
            Self::Chunk => "chunk",
            Self::Size => "size",
            Self::Path => "path",
            Self::FullLatest => "full-latest",
            Self::Settings => "settings",
            Self::Orphan => "orphan",
            Self::Lock => "lock",
            Self::Leftover => "leftover",
            Self::Unknown => "unknown",
        })
    }
}

/// A list that ends somewhere, and how many more there were.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capped<T> {
    /// In order.
    pub listed: BTreeSet<T>,
    /// Those that are not listed.
    pub more: usize,
}

impl<T: Ord> Default for Capped<T> {
    fn default() -> Self {
        Self { listed: BTreeSet::new(), more: 0 }
    }
}

impl<T: Ord> Capped<T> {
    /// All of them.
    pub fn total(&self) -> usize {
        self.listed.len() + self.more
    }

    fn add(&mut self, thing: T, room: bool) -> bool {
        if self.listed.contains(&thing) {
            return false;
        }
        if room && self.listed.len() < MAX_LISTED {
            return self.listed.insert(thing);
        }
        self.more += 1;
        false
    }
}

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What kind of thing it is.
    pub kind: Kind,
    /// Its key below the repository's folder.
    pub object: String,
    /// One word: `missing`, `unreadable`, `truncated`, `not-authentic`, `wrong-identity`,
    /// `undecodable`, or, of what is there and well, what it is instead.
    pub problem: &'static str,
    /// A sentence, without the object.
    pub detail: String,
    /// Whether data is lost, or may get lost; else it is only worth knowing.
    pub is_damage: bool,
    /// The snapshots in which something is lost by it.
    pub snapshots: Capped<IndexId>,
    /// The paths in them that are lost.
    pub paths: Capped<String>,
}

impl Finding {
    /// One that has cost nothing yet.
    pub(super) fn new(
        kind: Kind,
        object: impl Into<String>,
        problem: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        let is_damage = !matches!(kind, Kind::Path | Kind::Lock | Kind::Leftover | Kind::Unknown);
        Self {
            kind,
            object: object.into(),
            problem,
            detail: detail.into(),
            is_damage,
            snapshots: Capped::default(),
            paths: Capped::default(),
        }
    }
}

/// The number of a finding; `None` for one that is only counted.
pub(super) type No = Option<usize>;

/// Collects findings from many threads.
#[derive(Debug, Default)]
pub(super) struct Findings(Mutex<Found>);

#[derive(Debug, Default)]
struct Found {
    list: Vec<Finding>,
    hidden: usize,
    hidden_damage: usize,
    by_key: HashMap<(Kind, Id), No>,
    /// Which findings the files of a snapshot have a part in.
    by_file: HashMap<u32, Vec<usize>>,
    paths: usize,
}

impl Findings {
    /// Adds one.
    pub fn add(&self, finding: Finding) -> No {
        self.0.lock().add(finding)
    }

    /// Adds one of which there is only one for each ID, or finds the one that is there.
    pub fn add_once(&self, kind: Kind, id: Id, finding: impl FnOnce() -> Finding) -> No {
        if let Some(known) = self.0.lock().by_key.get(&(kind, id)) {
            return *known;
        }
        // Not under the lock: making one may read.
        let finding = finding();
        let mut found = self.0.lock();
        if let Some(known) = found.by_key.get(&(kind, id)) {
            return *known;
        }
        let no = found.add(finding);
        found.by_key.insert((kind, id), no);
        no
    }

    /// Notes that a finding costs this file of the table, and its path if that is known.
    pub fn costs(&self, no: No, file: u32, path: Option<&str>) {
        let Some(no) = no else { return };
        let mut found = self.0.lock();
        let of_file = found.by_file.entry(file).or_default();
        if !of_file.contains(&no) {
            of_file.push(no);
        }
        if let Some(path) = path {
            let room = found.paths < MAX_PATHS;
            let listed = found.list[no].paths.add(path.to_owned(), room);
            found.paths += usize::from(listed);
        }
    }

    /// The files that have a part in findings.
    pub fn files(&self) -> HashMap<u32, Vec<usize>> {
        self.0.lock().by_file.clone()
    }

    /// Notes that findings cost this snapshot something.
    pub fn in_snapshot(&self, nos: impl IntoIterator<Item = usize>, id: IndexId) {
        let mut found = self.0.lock();
        for no in nos {
            found.list[no].snapshots.add(id, true);
        }
    }

    /// Paths that damage costs, up to so many.
    pub fn lost_paths(&self, most: usize) -> BTreeSet<String> {
        let found = self.0.lock();
        let damage = found.list.iter().filter(|finding| finding.is_damage);
        damage.flat_map(|finding| &finding.paths.listed).take(most).cloned().collect()
    }

    /// Shows all that is listed so far.
    pub fn with<R>(&self, see: impl FnOnce(&[Finding]) -> R) -> R {
        see(&self.0.lock().list)
    }

    /// Forgets what only snapshots had lost that have been purged since the check began.
    pub fn forget_unneeded(&self) {
        let of_snapshots = [Kind::Record, Kind::Chunk, Kind::Size];
        let mut found = self.0.lock();
        found.list.retain(|f| f.snapshots.total() > 0 || !of_snapshots.contains(&f.kind));
        // Their numbers are others' now.
        (found.by_file, found.by_key) = Default::default();
    }

    /// The findings, by kind and key; how many more there were, and how many of those are damage.
    pub fn into_parts(self) -> (Vec<Finding>, usize, usize) {
        let mut found = self.0.into_inner();
        found.list.sort_by(|a, b| (a.kind, &a.object).cmp(&(b.kind, &b.object)));
        (found.list, found.hidden, found.hidden_damage)
    }
}

impl Found {
    fn add(&mut self, finding: Finding) -> No {
        if self.list.len() == MAX_FINDINGS {
            self.hidden += 1;
            self.hidden_damage += usize::from(finding.is_damage);
            return None;
        }
        self.list.push(finding);
        Some(self.list.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_bounded_and_counts_are_not() {
        let findings = Findings::default();
        let one = findings.add(Finding::new(Kind::Chunk, "objects/a", "missing", "it is missing"));
        for n in 0..3_000u32 {
            findings.costs(one, n, Some(&format!("/{}", n % 2_000)));
            findings.in_snapshot(one, IndexId(Id::digest(&n.to_le_bytes())));
        }
        for n in 0..MAX_FINDINGS as u32 + 5 {
            let id = Id::digest(&n.to_le_bytes());
            let make = || Finding::new(Kind::Record, id.to_string(), "missing", "");
            assert_eq!(
                findings.add_once(Kind::Record, id, make),
                findings.add_once(Kind::Record, id, || unreachable!("it is known"))
            );
        }
        assert_eq!(findings.files().len(), 3_000);
        let (list, hidden, damage) = findings.into_parts();
        assert_eq!((list.len(), hidden, damage), (MAX_FINDINGS, 6, 6));
        let chunk = list.iter().find(|finding| finding.kind == Kind::Chunk).unwrap();
        assert_eq!(chunk.snapshots.listed.len(), MAX_LISTED);
        assert_eq!(chunk.snapshots.total(), 3_000);
        assert_eq!(chunk.paths.listed.len(), MAX_LISTED);
        assert!(chunk.paths.total() >= 2_000);
    }
}
