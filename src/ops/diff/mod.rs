//! What differs between two snapshots ([`snapshots`]), or between a snapshot and a folder on disk
//! ([`folder`]).
//!
//! Two snapshots are compared by their lists of File IDs, and records are read only of what is in
//! one list alone: the cost is what differs, not the size of the snapshots.

mod folder;
mod patch;
mod renames;
mod snapshots;

use std::sync::Arc;

use crate::format::index::walk_order;
use crate::format::{ChunkId, FileId};

pub use folder::{Compare, folder};
pub use patch::{PatchError, Patcher, quoted, unified};
pub use snapshots::snapshots;

/// What happened to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// It came.
    Added,
    /// It went.
    Removed,
    /// Its content is another one.
    Modified,
    /// Its time alone is another one.
    Touched,
    /// Its content was under another path, which went.
    Renamed,
}

impl Kind {
    /// In one word, as JSON has it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Modified => "modified",
            Self::Touched => "touched",
            Self::Renamed => "renamed",
        }
    }
}

/// A file on one side of a comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Side {
    /// Bytes.
    pub size: u64,
    /// Milliseconds since 1970.
    pub updated: i64,
    /// Its File ID; a file on disk has none.
    pub id: Option<FileId>,
    /// Its chunks. A file on disk has some only where it was found to have their content.
    chunks: Option<Arc<[ChunkId]>>,
}

/// One difference. Paths are relative, without a slash before them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What happened.
    pub kind: Kind,
    /// The path now; of what went, the path that it had.
    pub path: String,
    /// The path before, of what was renamed.
    pub from: Option<String>,
    /// The file before.
    pub old: Option<Side>,
    /// The file now.
    pub new: Option<Side>,
}

/// All differences, in walk order.
#[derive(Debug, Default)]
pub struct Differences {
    /// What differs.
    pub changes: Vec<Change>,
    /// What could not be compared, a sentence each.
    pub problems: Vec<String>,
}

/// Differences in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stat {
    /// Files that came.
    pub added: u64,
    /// Files that went.
    pub removed: u64,
    /// Files of another content.
    pub modified: u64,
    /// Files of another time alone.
    pub touched: u64,
    /// Files of another path alone.
    pub renamed: u64,
    /// Bytes of the files that came, and of the modified ones as they are now.
    pub bytes_new: u64,
    /// Bytes of the files that went, and of the modified ones as they were.
    pub bytes_old: u64,
}

impl Differences {
    /// The numbers.
    pub fn stat(&self) -> Stat {
        let mut stat = Stat::default();
        for change in &self.changes {
            match change.kind {
                Kind::Added => stat.added += 1,
                Kind::Removed => stat.removed += 1,
                Kind::Modified => stat.modified += 1,
                Kind::Touched => stat.touched += 1,
                Kind::Renamed => stat.renamed += 1,
            }
            if matches!(change.kind, Kind::Added | Kind::Removed | Kind::Modified) {
                stat.bytes_old += change.old.as_ref().map_or(0, |side| side.size);
                stat.bytes_new += change.new.as_ref().map_or(0, |side| side.size);
            }
        }
        stat
    }

    fn sort(&mut self) {
        self.changes.sort_by(|a, b| walk_order(&a.path, &b.path));
    }
}

impl Change {
    fn new(kind: Kind, path: String, old: Option<Side>, new: Option<Side>) -> Self {
        Self { kind, path, from: None, old, new }
    }
}
