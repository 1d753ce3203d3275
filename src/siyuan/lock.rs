//! Whether SiYuan runs on a workspace, and keeping it from starting while we write.
//!
//! While it runs, SiYuan holds an exclusive `flock` on `<workspace>/.lock`, which it removes when it
//! ends; it takes the lock without waiting, and does not start where it fails (format page, Keys).
//! What is left behind by a crash is a file that nobody locks.
//!
//! # What a lock that can be removed leaves open
//!
//! A lock is on a file, not on its name: who opens the file, and locks it after another has removed
//! the name, holds a lock that nobody sees. SiYuan does not look whether that happened. So:
//!
//! - After locking we look whether the name still leads to the file that we locked, and start over
//!   if not: SiYuan, ending, may have removed it between our opening and our locking.
//! - It may also remove it right after that look, if it ends just then. Between its unlocking and
//!   its removing lie microseconds; [`WorkspaceLock::is_held`] tells, and who is about to do what
//!   cannot be undone asks it first.
//! - We remove the file only if we made it, and while we hold the lock. SiYuan may have opened it
//!   just before. For that we hold the nameless lock for [`GRACE`] longer: SiYuan then finds it
//!   locked and does not start, where otherwise it would run unseen until it ends.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::Workspace;

/// How long a removed lock stays locked. SiYuan opens and locks in one go, within microseconds; this
/// is enough for one that was suspended in between by a busy machine.
const GRACE: Duration = Duration::from_millis(10);
/// How often to start over. Each time takes another program that made or removed the file just then.
const ATTEMPTS: usize = 8;

/// A lock that cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// SiYuan, or another writer, has it.
    #[error(
        "SiYuan is running on the workspace {}, or another program is writing to it: \
         quit it and try again",
        workspace.display()
    )]
    InUse {
        /// The workspace's folder.
        workspace: PathBuf,
    },
    /// The system refuses.
    #[error("cannot lock the workspace by {}: {cause}", path.display())]
    Io {
        /// The lock's file.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
}

/// Whether SiYuan runs on a workspace, or another writer holds its lock. The answer is of the
/// moment; who wants to write takes a [`WorkspaceLock`] instead.
///
/// The probe shares the lock for a moment, so that two probes do not take each other for SiYuan. A
/// SiYuan that starts in that very moment does not.
///
/// # Errors
/// [`LockError::Io`].
pub fn is_running(workspace: &Workspace) -> Result<bool, LockError> {
    let path = workspace.lock();
    let probe =
        File::open(&path).map_err(TryLockError::Error).and_then(|file| file.try_lock_shared());
    match probe {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(TryLockError::Error(cause)) => Err(LockError::Io { path, cause }),
    }
}

/// Keeps SiYuan from starting on a workspace until it is dropped.
#[derive(Debug)]
pub struct WorkspaceLock {
    file: File,
    path: PathBuf,
    made: bool,
}

impl WorkspaceLock {
    /// Takes the lock, without waiting.
    ///
    /// # Errors
    /// [`LockError`].
    pub fn acquire(workspace: &Workspace) -> Result<Self, LockError> {
        let path = workspace.lock();
        let failed = |cause| LockError::Io { path: workspace.lock(), cause };
        for _ in 0..ATTEMPTS {
            let Some((file, made)) = open(&path).map_err(failed)? else { continue };
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => break,
                Err(TryLockError::Error(cause)) => return Err(failed(cause)),
            }
            if leads_to(&path, &file) {
                return Ok(Self { file, path, made });
            }
        }
        Err(LockError::InUse { workspace: workspace.root().into() })
    }

    /// Whether the lock is still one that SiYuan sees.
    pub fn is_held(&self) -> bool {
        leads_to(&self.path, &self.file)
    }

    /// Removes the name and keeps the lock; tells whether there was a name of ours to remove.
    fn remove_name(&self) -> bool {
        if !self.made || !self.is_held() {
            return false;
        }
        if let Err(error) = fs::remove_file(&self.path) {
            // What stays behind locks nothing; SiYuan takes it over.
            log::warn!("cannot remove {}: {error}", self.path.display());
            return false;
        }
        true
    }
}

impl Drop for WorkspaceLock {
    fn drop(&mut self) {
        if self.remove_name() {
            thread::sleep(GRACE);
        }
    }
}

/// Opens the lock's file or makes it, and tells which. `None`: it came and went meanwhile.
fn open(path: &Path) -> io::Result<Option<(File, bool)>> {
    let existing = File::options().read(true).write(true).open(path);
    let (file, made) = match existing {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            (File::options().write(true).create_new(true).mode(0o600).open(path), true)
        }
        existing => (existing, false),
    };
    match file {
        Ok(file) => Ok(Some((file, made))),
        Err(error) if made && error.kind() == io::ErrorKind::AlreadyExists => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether a name leads to this very file.
fn leads_to(path: &Path, file: &File) -> bool {
    match (fs::metadata(path), file.metadata()) {
        (Ok(named), Ok(open)) => (named.dev(), named.ino()) == (open.dev(), open.ino()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn workspace() -> (tempfile::TempDir, Workspace) {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["data", "conf"] {
            fs::create_dir(dir.path().join(folder)).unwrap();
        }
        fs::write(dir.path().join("conf/conf.json"), "{}").unwrap();
        let workspace = Workspace::at(dir.path()).unwrap();
        (dir, workspace)
    }

    /// What SiYuan does when it starts; dropping the file is its end or its crash. (A `flock` is of
    /// an open file, so one process can play both.)
    fn siyuan(workspace: &Workspace) -> Option<File> {
        let mut options = File::options();
        let file = options.write(true).create(true).truncate(false).open(workspace.lock()).unwrap();
        file.try_lock().is_ok().then_some(file)
    }

    #[test]
    fn siyuan_is_seen_while_it_runs() {
        let (_dir, workspace) = workspace();
        assert!(!is_running(&workspace).unwrap());
        assert!(!workspace.lock().exists(), "a probe leaves nothing behind");
        let running = siyuan(&workspace).unwrap();
        assert!(is_running(&workspace).unwrap());
        let error = WorkspaceLock::acquire(&workspace).unwrap_err();
        assert!(matches!(error, LockError::InUse { .. }), "{error}");
        drop(running);
        assert!(!is_running(&workspace).unwrap(), "what a crash leaves behind is no lock");
        assert!(siyuan(&workspace).is_some(), "a probe does not keep the lock");
    }

    #[test]
    fn siyuan_does_not_start_while_we_hold_the_lock() {
        let (_dir, workspace) = workspace();
        let lock = WorkspaceLock::acquire(&workspace).unwrap();
        assert!(lock.is_held());
        assert!(siyuan(&workspace).is_none());
        assert!(is_running(&workspace).unwrap());
        assert!(WorkspaceLock::acquire(&workspace).is_err(), "nor does a second writer");
        drop(lock);
        assert!(!workspace.lock().exists(), "what we made we remove");
        assert!(siyuan(&workspace).is_some());
    }

    #[test]
    fn a_file_that_was_there_stays() {
        let (_dir, workspace) = workspace();
        fs::write(workspace.lock(), "theirs").unwrap();
        drop(WorkspaceLock::acquire(&workspace).unwrap());
        assert_eq!(fs::read(workspace.lock()).unwrap(), b"theirs");
    }

    #[test]
    fn two_probes_do_not_see_each_other() {
        let (_dir, workspace) = workspace();
        let probe = File::create(workspace.lock()).unwrap();
        probe.try_lock_shared().unwrap();
        assert!(!is_running(&workspace).unwrap());
    }

    #[test]
    fn a_lock_whose_name_is_gone_is_not_held() {
        let (_dir, workspace) = workspace();
        let lock = WorkspaceLock::acquire(&workspace).unwrap();
        fs::remove_file(workspace.lock()).unwrap();
        assert!(!lock.is_held());
        // Another's file by that name is not ours to remove.
        let theirs = siyuan(&workspace).unwrap();
        assert!(!lock.is_held());
        drop(lock);
        assert!(is_running(&workspace).unwrap());
        drop(theirs);
    }

    #[test]
    fn who_opened_a_removed_lock_finds_it_locked() {
        let (_dir, workspace) = workspace();
        let lock = WorkspaceLock::acquire(&workspace).unwrap();
        let opened = File::open(workspace.lock()).unwrap();
        assert!(lock.remove_name());
        assert!(!workspace.lock().exists());
        assert!(matches!(opened.try_lock(), Err(TryLockError::WouldBlock)));

        let lock = WorkspaceLock::acquire(&workspace).unwrap();
        let start = Instant::now();
        drop(lock);
        assert!(start.elapsed() >= GRACE, "the name is gone longer than the lock");
    }

    #[test]
    fn a_workspace_that_cannot_be_locked() {
        let (_dir, workspace) = workspace();
        fs::create_dir(workspace.lock()).unwrap();
        let error = WorkspaceLock::acquire(&workspace).unwrap_err();
        assert!(error.to_string().starts_with("cannot lock the workspace by /"), "{error}");
        fs::remove_dir(workspace.lock()).unwrap();
        // A name that leads nowhere is not followed: it would make a file elsewhere.
        std::os::unix::fs::symlink("nowhere", workspace.lock()).unwrap();
        assert!(matches!(WorkspaceLock::acquire(&workspace), Err(LockError::InUse { .. })));
        assert!(!workspace.root().join("nowhere").exists());
    }
}
