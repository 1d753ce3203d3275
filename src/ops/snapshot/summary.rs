//! What a snapshot tells of itself when it is done.

use std::collections::BTreeMap;
use std::fmt;

use crate::format::IndexId;

/// How many names of each kind are kept. A folder of software can hold a hundred thousand links;
/// their number is always told.
const NAMES: usize = 1_000;

/// What was done, or with [`dry_run`](super::Options::dry_run) what would have been.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// The new snapshot; `None` where nothing has changed, and in a dry run.
    pub index: Option<IndexId>,
    /// The snapshot that it was compared with.
    pub base: Option<IndexId>,
    /// How it differs from that.
    pub counts: Counts,
    /// Bytes of content that were read.
    pub read_bytes: u64,
    /// Bytes of the objects that were written.
    pub stored_bytes: u64,
    /// How many objects were written.
    pub stored_objects: u64,
    /// What could not be read: the snapshot is partial if there is any.
    pub problems: Vec<FileProblem>,
    /// What was left out because the format cannot hold it, or because rules say so.
    pub skipped: Skipped,
    /// What else the user should know, a sentence each.
    pub notes: Vec<String>,
}

/// How a snapshot differs from the one before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Files of the snapshot.
    pub files: u64,
    /// The sum of their sizes, bytes.
    pub size: u64,
    /// Files that the snapshot before does not have.
    pub added: u64,
    /// Files whose content or time is another than there.
    pub changed: u64,
    /// Files that it has and this one has not.
    pub removed: u64,
    /// Files that are the same in both.
    pub unchanged: u64,
}

impl Summary {
    /// Whether a snapshot would differ from the one before.
    pub fn is_changed(&self) -> bool {
        let Counts { added, changed, removed, .. } = self.counts;
        self.base.is_none() || added + changed + removed > 0
    }

    /// Whether something could not be read.
    pub fn is_partial(&self) -> bool {
        !self.problems.is_empty()
    }
}

/// A file or folder that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileProblem {
    /// Its path below the folder, starting with `/`.
    pub path: String,
    /// What is wrong.
    pub kind: ProblemKind,
    /// What the system says, or how it went on; a part of a sentence.
    pub reason: String,
    /// Whether the snapshot has it as the one before had it. A file that is there but cannot be
    /// read has not been removed, and a snapshot must not say so.
    pub kept_as_before: bool,
}

impl fmt::Display for FileProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, reason, .. } = self;
        match (self.kind, self.kept_as_before) {
            (ProblemKind::Vanished, _) => write!(f, "{path}: {reason}"),
            (_, true) => write!(f, "{path}: {reason}; it is kept as the snapshot before has it"),
            (_, false) => write!(f, "{path}: {reason}; it is not in the snapshot"),
        }
    }
}

/// What can be wrong with a file or folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProblemKind {
    /// It was there when its folder was listed, and gone when it was to be read.
    Vanished,
    /// The system does not give it.
    Unreadable,
    /// It changed each time while it was read.
    KeptChanging,
    /// No second is left for its time, see the module's documentation on times.
    NoTime,
    /// Its content would have to lie where another file's record lies.
    Unholdable,
}

impl ProblemKind {
    /// One word for it, as `--json` gives it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Vanished => "vanished",
            Self::Unreadable => "unreadable",
            Self::KeptChanging => "changing",
            Self::NoTime => "no-time",
            Self::Unholdable => "unholdable",
        }
    }
}

/// Why something was left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SkipKind {
    /// A symbolic link.
    Symlink,
    /// A device, a pipe, a socket.
    Special,
    /// A folder without anything in it.
    EmptyFolder,
    /// Its name is not UTF-8.
    NotUtf8,
    /// The rules of the profile or of the user say so.
    Excluded,
    /// The repository itself, revu's own cache, and what a killed restore has left.
    Own,
}

impl SkipKind {
    /// One word for it, as `--json` gives it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Symlink => "symlink",
            Self::Special => "special",
            Self::EmptyFolder => "empty-folder",
            Self::NotUtf8 => "not-utf8",
            Self::Excluded => "excluded",
            Self::Own => "own",
        }
    }
}

/// What was left out, by kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Skipped(BTreeMap<SkipKind, SkippedKind>);

/// What was left out for one reason.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SkippedKind {
    /// How many.
    pub count: u64,
    /// The first thousand of them: paths below the folder, starting with `/`.
    pub names: Vec<String>,
}

impl Skipped {
    /// Every kind of which there is any.
    pub fn kinds(&self) -> impl Iterator<Item = (SkipKind, &SkippedKind)> {
        self.0.iter().map(|(kind, skipped)| (*kind, skipped))
    }

    /// How many of one kind there are.
    pub fn count(&self, kind: SkipKind) -> u64 {
        self.0.get(&kind).map_or(0, |skipped| skipped.count)
    }

    pub(super) fn add(&mut self, kind: SkipKind, path: String) {
        let of_kind = self.0.entry(kind).or_default();
        of_kind.count += 1;
        if of_kind.names.len() < NAMES {
            of_kind.names.push(path);
        }
    }

    /// Adds what another thread has left out.
    pub(super) fn merge(&mut self, other: Self) {
        for (kind, skipped) in other.0 {
            let of_kind = self.0.entry(kind).or_default();
            of_kind.count += skipped.count;
            of_kind.names.extend(skipped.names);
        }
    }

    /// Puts the names into the order of the alphabet, whatever thread has met them first.
    pub(super) fn sort(&mut self) {
        for skipped in self.0.values_mut() {
            skipped.names.sort_unstable();
            skipped.names.truncate(NAMES);
        }
    }
}
