//! The data folder of a SiYuan workspace goes back to a snapshot: what SiYuan calls a rollback.

use crate::ops::disk::{Rules, SiyuanRules, is_temporary_name};
use crate::ops::{Monitor, paths};
use crate::repo::Repository;
use crate::siyuan::ignore::IgnoreError;
use crate::siyuan::lock::LockError;
use crate::siyuan::{Workspace, WorkspaceLock};

use super::{Options, Overwrite, Plan, Report, RestoreError, Wanted, plan};

/// Why a data folder is left as it is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// SiYuan runs, or the lock cannot be had.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// It is not known which files count.
    #[error(transparent)]
    Rules(#[from] IgnoreError),
    /// What is there now could not be saved first.
    #[error("nothing was restored, because what is there now could not be saved first: {0}")]
    NotSaved(String),
    /// SiYuan may have been started meanwhile.
    #[error(
        "nothing was restored, because the lock on the workspace was lost while what is there now was saved: try again"
    )]
    LockLost,
}

/// Restores to the data folder of a workspace, as SiYuan does: what differs is replaced, files that
/// the snapshot does not hold go, those that SiYuan ignores stay, and so do its own folders when they
/// are emptied. SiYuan cannot start meanwhile.
///
/// `look` is shown what would be done and says whether to go on; a dry run does not. `save` puts what
/// is there now into a snapshot, or says in a part of a sentence why it cannot; it is called while the
/// lock is held, and only if something is to be done.
///
/// # Errors
/// [`RestoreError`]; [`RestoreError::Refused`] where nothing was changed at all.
pub fn in_place(
    repo: &Repository,
    wanted: &[Wanted],
    workspace: &Workspace,
    look: impl FnOnce(&Plan<'_>) -> bool,
    save: impl FnOnce() -> Result<(), String>,
    monitor: &dyn Monitor,
) -> Result<Report, RestoreError> {
    let lock = WorkspaceLock::acquire(workspace).map_err(Refusal::from)?;
    let data = workspace.data();
    let rules = WithLeftovers(SiyuanRules::load(&data).map_err(Refusal::from)?);
    let options = Options { overwrite: Overwrite::Always, delete: true, rules: &rules };
    let first = plan(repo, wanted, &data, options, monitor)?;
    let goes_on = look(&first);
    if !goes_on || first.is_empty() {
        return Ok(first.forecast());
    }
    drop(first);
    save().map_err(Refusal::NotSaved)?;
    // SiYuan cannot have changed anything since, but other programs can.
    let plan = plan(repo, wanted, &data, options, &Unheard(monitor))?;
    if !lock.is_held() {
        return Err(Refusal::LockLost.into());
    }
    plan.carry_out(monitor)
}

/// What counts in the data folder, and what a killed restore has left in it: while the lock is held
/// there is no other one, so that goes with the files that the snapshot does not hold.
struct WithLeftovers(SiyuanRules);

impl Rules for WithLeftovers {
    fn enters(&self, folder: &str) -> bool {
        self.0.enters(folder)
    }
    fn takes(&self, file: &str) -> bool {
        self.0.takes(file) || is_temporary_name(paths::split(file).1)
    }
    fn stays(&self, folder: &str) -> bool {
        self.0.stays(folder)
    }
    fn come_from(&self, file: &str) -> bool {
        self.0.come_from(file)
    }
}

/// The second plan's problems are those of the first, which were told.
struct Unheard<'a>(&'a dyn Monitor);

impl Monitor for Unheard<'_> {
    fn stopped(&self) -> bool {
        self.0.stopped()
    }
}
