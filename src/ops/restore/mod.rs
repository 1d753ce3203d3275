//! Restores: files of snapshots come back to a folder on disk.
//!
//! A restore is planned first, by looking at what is there ([`plan`]), and then carried out
//! ([`Plan::carry_out`]); a dry run stops in between. Files keep their paths below the target, whichever
//! part of a snapshot is asked for.
//!
//! What it holds to:
//! - nothing outside the target is touched, whatever the paths are and whatever links lie in the
//!   target, and nothing in the repository itself;
//! - a file has its name only when it is whole, with its time, and safe on the disk: files are written
//!   under temporary names beside their places, thousands of them share one wait for the disk
//!   (`syncfs`; a wait for each would take seven times as long), and then they are renamed;
//! - what is there already with equal content is not written again;
//! - every byte written was authenticated and identified; a damaged chunk costs its file, which is
//!   named, and all else is restored.

mod choose;
mod in_place;
mod large;
mod plan;
mod queue;
mod remove;
mod target;
mod write;

use std::path::PathBuf;

use crate::format::IndexId;
use crate::repo::ObjectError;

use super::disk::{Everything, Rules};
use super::paths::Scope;

pub use in_place::{Refusal, in_place};
pub use plan::{Plan, plan};

/// What to restore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// From which snapshot.
    pub snapshot: IndexId,
    /// Which file or folder of it, or all.
    pub scope: Scope,
}

impl Wanted {
    /// All of a snapshot.
    pub fn all(snapshot: IndexId) -> Self {
        Self { snapshot, scope: Scope::default() }
    }

    /// A file or folder of a snapshot.
    pub fn part(snapshot: IndexId, path: &str) -> Self {
        Self { snapshot, scope: Scope::new(path) }
    }
}

/// What happens to a file that is there already and differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Overwrite {
    /// It stays as it is, its time too.
    #[default]
    Never,
    /// It is replaced if it is older than the snapshot's.
    IfOlder,
    /// It is replaced.
    Always,
}

/// How to restore.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// What happens to files that are there already and differ.
    pub overwrite: Overwrite,
    /// Whether files go that are in the target, in what is being restored, but not in the snapshot:
    /// regular files alone, and the folders that this empties.
    pub delete: bool,
    /// Which files of the target count for `delete`, and which folders stay.
    pub rules: &'a dyn Rules,
}

impl std::fmt::Debug for Options<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { overwrite, delete, .. } = self;
        write!(f, "Options({overwrite:?}, delete: {delete})")
    }
}

impl Default for Options<'_> {
    fn default() -> Self {
        Self { overwrite: Overwrite::default(), delete: false, rules: &Everything }
    }
}

/// What is done to one path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// It is not there and is written.
    Create,
    /// It is there, differs, and is replaced.
    Replace,
    /// It is there and differs in its time alone, which is corrected.
    Retime,
    /// It is there, differs, and stays as it is.
    Keep,
    /// It is not in the snapshot and goes.
    Remove,
}

/// One path and what is done to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What is done.
    pub action: Action,
    /// The path below the target.
    pub path: String,
    /// Bytes: the snapshot's file, or for [`Action::Remove`] the one that goes.
    pub size: u64,
    /// The time, likewise, milliseconds since 1970.
    pub updated: i64,
}

/// Something that could not be restored, or removed; all else was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The path below the target, where it is known.
    pub path: Option<String>,
    /// One sentence that says what and where.
    pub sentence: String,
}

/// What a restore did, or would do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Files that were not there.
    pub created: u64,
    /// Files that were there, differed, and were replaced.
    pub replaced: u64,
    /// Files whose time alone was corrected.
    pub retimed: u64,
    /// Files that were there, differ, and stayed as they are.
    pub kept: u64,
    /// Files that were there and equal.
    pub equal: u64,
    /// Files that were not in the snapshot and went.
    pub removed: u64,
    /// Bytes of the files created and replaced.
    pub bytes: u64,
    /// What could not be done.
    pub problems: Vec<Problem>,
}

impl Report {
    /// Counts a step.
    fn count(&mut self, step: &Step) {
        match step.action {
            Action::Create => self.created += 1,
            Action::Replace => self.replaced += 1,
            Action::Retime => self.retimed += 1,
            Action::Keep => self.kept += 1,
            Action::Remove => self.removed += 1,
        }
        if matches!(step.action, Action::Create | Action::Replace) {
            self.bytes += step.size;
        }
    }
}

/// Why a restore could not be begun or had to end early. What had its name by then is whole; temporary
/// files are gone.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// The snapshot cannot be read.
    #[error("{0}; `revu check` tells what else is damaged")]
    Snapshot(#[from] ObjectError),
    /// The snapshot does not hold what was asked for.
    #[error("snapshot {} holds no `{path}`{}", .snapshot.short(), lost_note(*.lost))]
    NotFound {
        /// The snapshot.
        snapshot: IndexId,
        /// What was asked for.
        path: String,
        /// How many of its file records are damaged, so that their paths are not known.
        lost: usize,
    },
    /// Two of the things asked for give one path different files.
    #[error("`{path}` is asked for from two snapshots: restore them to two folders")]
    Twice {
        /// The path.
        path: String,
    },
    /// The target lies in the repository.
    #[error("{} lies in the repository itself: choose a folder outside of it", .0.display())]
    InRepository(PathBuf),
    /// The target cannot be used at all.
    #[error("cannot restore to {}: {cause}", .target.display())]
    Target {
        /// The target.
        target: PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },
    /// The disk is full.
    #[error(
        "{}: the disk is full; {done} of {of} files were restored, {missing} bytes are still to be written: make room and restore again", .target.display()
    )]
    DiskFull {
        /// The target.
        target: PathBuf,
        /// Files that were created or replaced.
        done: u64,
        /// How many were to be.
        of: u64,
        /// Bytes of those that were not.
        missing: u64,
    },
    /// The user wanted it to stop.
    #[error("stopped: {done} of {of} files were restored; restore again to go on")]
    Stopped {
        /// Files that were created or replaced.
        done: u64,
        /// How many were to be.
        of: u64,
    },
    /// SiYuan's data folder cannot be restored in place now.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

fn lost_note(lost: usize) -> String {
    match lost {
        0 => "; `revu ls` lists what it holds".to_owned(),
        _ => format!("; but {lost} of its file records are damaged, and it may be one of them"),
    }
}
