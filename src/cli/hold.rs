//! Keeping SiYuan out of a repository while it is written to.

use crate::siyuan::WorkspaceLock;

use super::error::Failure;
use super::locate::Located;

/// Takes the lock of the workspace that a repository is part of. `None` where it is part of none: a
/// workspace that only gives the key has nothing to do with it.
///
/// # Errors
/// Exit code 11 where SiYuan is running.
pub fn keep_siyuan_out(located: &Located) -> Result<Option<WorkspaceLock>, Failure> {
    let own = located.own_workspace();
    own.map(WorkspaceLock::acquire).transpose().map_err(Failure::from)
}
