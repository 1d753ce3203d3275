//! A repository in a local folder.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;
use tempfile::NamedTempFile;

use super::backend::{Backend, Listed, Meta, Staged, Stamp};
use super::passing;
use super::{StoreProblem, StoreProblem::Unreadable};

/// Coarser than the clock of any file system that people keep a repository on: FAT counts in
/// steps of two seconds. A folder that changed less than this ago may change again unseen.
const CLOCK_STEP: Duration = Duration::from_millis(2_100);

/// So many of them: whoever makes a file in a folder, or takes one away, has it for himself meanwhile.
const STAGINGS: u64 = 4;

/// Folders in which many objects are staged, see [`super::Batch`], are named so, with a random end.
/// One that is there while nobody writes is what a dead process has left.
pub const STAGING: &str = ".revu-staging-";

#[derive(Debug)]
pub(super) struct Local {
    folder: PathBuf,
    /// Made when something is staged first, removed with all in it when this store goes.
    staging: Mutex<Vec<tempfile::TempDir>>,
    staged: AtomicU64,
}

impl Local {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder, staging: Mutex::default(), staged: AtomicU64::new(0) }
    }

    /// A new name in a staging folder.
    fn staging_place(&self) -> Result<PathBuf, StoreProblem> {
        let n = self.staged.fetch_add(1, Ordering::Relaxed);
        let mut staging = self.staging.lock();
        let nth = (n % STAGINGS) as usize;
        while staging.len() <= nth {
            let made = tempfile::Builder::new().prefix(STAGING).tempdir_in(&self.folder);
            staging.push(made.map_err(write_problem)?);
        }
        Ok(staging[nth].path().join(n.to_string()))
    }

    fn path(&self, key: &str) -> PathBuf {
        self.folder.join(key)
    }

    /// As [`read_problem`], but a link to nothing is not nothing: its disk may not be mounted.
    fn read_problem(&self, key: &str, e: std::io::Error) -> StoreProblem {
        match read_problem(e) {
            StoreProblem::Missing if self.path(key).is_symlink() => {
                let what = "it is a symbolic link to something that is not there";
                Unreadable(Arc::new(std::io::Error::new(ErrorKind::NotFound, what)))
            }
            problem => problem,
        }
    }

    /// Writes a temporary file that `name` then gives its name.
    fn write(
        &self,
        key: &str,
        bytes: &[u8],
        name: impl FnOnce(NamedTempFile, &Path) -> Result<(), StoreProblem>,
    ) -> Result<(), StoreProblem> {
        let path = self.path(key);
        let folder = path.parent().expect("a key lies below the repository's folder");
        make_folders(folder).map_err(write_problem)?;
        let mut temp = tempfile::Builder::new()
            .prefix(".revu-")
            .suffix(".tmp")
            .tempfile_in(folder)
            .map_err(write_problem)?;
        temp.write_all(bytes).map_err(write_problem)?;
        temp.as_file().sync_all().map_err(write_problem)?;
        name(temp, &path)?;
        // The name is durable once its folder is.
        File::open(folder).and_then(|f| f.sync_all()).map_err(write_problem)
    }

    /// Opens what must be a regular file. Non-blocking, so that a pipe under an object's name
    /// cannot hold us up; on a regular file that flag means nothing.
    fn open(&self, key: &str) -> Result<(File, u64), StoreProblem> {
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
            .open(self.path(key))
            .map_err(|e| self.read_problem(key, e))?;
        let meta = file.metadata().map_err(read_problem)?;
        if !meta.is_file() {
            return Err(StoreProblem::NotAFile);
        }
        Ok((file, meta.len()))
    }
}

/// Makes a folder with all that it lies in. Their names are durable when this returns: a file in a
/// folder that a power failure forgets would be forgotten with it.
fn make_folders(folder: &Path) -> std::io::Result<()> {
    let missing: Vec<&Path> = folder.ancestors().take_while(|folder| !folder.exists()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    std::fs::create_dir_all(folder)?;
    missing.iter().filter_map(|folder| folder.parent()).try_for_each(|above| {
        // The folder that a relative path begins in has no name in that path.
        let above = if above.as_os_str().is_empty() { Path::new(".") } else { above };
        File::open(above)?.sync_all()
    })
}

fn read_problem(e: std::io::Error) -> StoreProblem {
    match e.kind() {
        ErrorKind::NotFound => StoreProblem::Missing,
        ErrorKind::IsADirectory => StoreProblem::NotAFile,
        // A socket or a device without a driver: ENXIO. A file where a folder should be: ENOTDIR.
        _ if e.raw_os_error() == Some(libc::ENXIO) => StoreProblem::NotAFile,
        ErrorKind::NotADirectory => StoreProblem::Missing,
        _ => Unreadable(Arc::new(e)),
    }
}

fn write_problem(e: std::io::Error) -> StoreProblem {
    StoreProblem::Unwritable(Arc::new(e))
}

/// Reads up to `len` bytes from the start. A file that has become shorter gives what is left.
fn read_upto(file: &File, len: usize, into: &mut Vec<u8>) -> Result<(), StoreProblem> {
    // What it held is overwritten: clearing it first would write everything twice.
    into.resize(len, 0);
    let mut have = 0;
    while have < len {
        match file.read_at(&mut into[have..], have as u64) {
            Ok(0) => break,
            Ok(n) => have += n,
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(read_problem(e)),
        }
    }
    into.truncate(have);
    Ok(())
}

impl Backend for Local {
    fn folder(&self) -> Option<&Path> {
        Some(&self.folder)
    }

    fn place(&self) -> String {
        self.folder.display().to_string()
    }

    fn get(&self, key: &str, limit: u64) -> Result<Vec<u8>, StoreProblem> {
        let mut bytes = Vec::new();
        self.get_into(key, limit, &mut bytes)?;
        Ok(bytes)
    }

    fn get_into(&self, key: &str, limit: u64, into: &mut Vec<u8>) -> Result<(), StoreProblem> {
        let (file, len) = self.open(key)?;
        if len > limit {
            return Err(StoreProblem::TooLarge(len));
        }
        read_upto(&file, len as usize, into)
    }

    fn get_head(&self, key: &str, len: usize) -> Result<Vec<u8>, StoreProblem> {
        let (file, whole) = self.open(key)?;
        let mut bytes = Vec::new();
        read_upto(&file, len.min(usize::try_from(whole).unwrap_or(usize::MAX)), &mut bytes)?;
        Ok(bytes)
    }

    fn meta(&self, key: &str) -> Result<Meta, StoreProblem> {
        let meta = std::fs::metadata(self.path(key)).map_err(|e| self.read_problem(key, e))?;
        if !meta.is_file() {
            return Err(StoreProblem::NotAFile);
        }
        Ok(Meta { size: meta.len(), modified: meta.modified().ok() })
    }

    fn list(&self, folder: &str) -> Result<Vec<Listed>, StoreProblem> {
        let entries = match std::fs::read_dir(self.path(folder)) {
            Ok(entries) => entries,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(Unreadable(Arc::new(e))),
        };
        let mut listed = Vec::new();
        for entry in entries {
            let entry = entry.map_err(read_problem)?;
            // A name that is not UTF-8 is none of the format's.
            let Ok(name) = entry.file_name().into_string() else { continue };
            // Removed since it was listed: as if it had never been.
            let Ok(kind) = entry.file_type() else { continue };
            // A link is followed: a repository may be put together of links. One that leads nowhere, a
            // pipe or a device has a name all the same: whoever overlooked it would take a snapshot
            // or a tag for removed, and a purge what only that needs for garbage.
            let is_folder = match kind.is_symlink() {
                true => std::fs::metadata(entry.path()).is_ok_and(|meta| meta.is_dir()),
                false => kind.is_dir(),
            };
            listed.push(Listed { name, is_folder });
        }
        Ok(listed)
    }

    fn stamp(&self, key: &str) -> Option<Stamp> {
        match std::fs::metadata(self.path(key)) {
            Ok(meta) => {
                let mtime =
                    i128::from(meta.mtime()) * 1_000_000_000 + i128::from(meta.mtime_nsec());
                let settled =
                    match meta.modified().ok().map(|t| SystemTime::now().duration_since(t)) {
                        Some(Ok(age)) => age > CLOCK_STEP,
                        // In the future: the clock was set back, or the disk is another machine's.
                        _ => false,
                    };
                Some(Stamp { of: (mtime, meta.ino(), meta.len()), settled })
            }
            Err(e) if e.kind() == ErrorKind::NotFound => {
                Some(Stamp { of: (0, 0, 0), settled: true })
            }
            Err(_) => None,
        }
    }

    fn put(&self, key: &str, bytes: &[u8]) -> Result<(), StoreProblem> {
        self.write(key, bytes, |temp, path| {
            temp.persist(path).map(drop).map_err(|e| write_problem(e.error))
        })
    }

    fn put_new(&self, key: &str, bytes: &[u8]) -> Result<(), StoreProblem> {
        self.write(key, bytes, |temp, path| match temp.persist_noclobber(path) {
            Ok(_) => Ok(()),
            Err(e) if e.error.kind() == ErrorKind::AlreadyExists => Err(StoreProblem::Exists),
            Err(e) => Err(write_problem(e.error)),
        })
    }

    fn stage(&self, bytes: &[u8]) -> Result<Staged, StoreProblem> {
        let path = self.staging_place()?;
        let write = || -> std::io::Result<()> {
            let mut file =
                OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
            match bytes.len() as u64 >= passing::LARGE {
                true => passing::write_all_at(&file, bytes, 0),
                false => file.write_all(bytes),
            }
        };
        match write() {
            Ok(()) => Ok(Staged::File(path)),
            Err(e) => {
                self.discard(Staged::File(path));
                Err(write_problem(e))
            }
        }
    }

    /// One wait for all that was written to the whole file system: a wait for each of thousands of
    /// small files takes seven times as long (measured: 70 s against 10.5 s for 158,000).
    fn sync(&self) -> Result<(), StoreProblem> {
        let folder = File::open(&self.folder).map_err(write_problem)?;
        // SAFETY: the descriptor is open for the duration of the call.
        if unsafe { libc::syncfs(folder.as_raw_fd()) } != 0 {
            return Err(write_problem(std::io::Error::last_os_error()));
        }
        Ok(())
    }

    fn publish(&self, staged: &Staged, key: &str) -> Result<(), StoreProblem> {
        let Staged::File(from) = staged else { unreachable!("staged in a file") };
        let to = self.path(key);
        match std::fs::rename(from, &to) {
            Err(e) if e.kind() == ErrorKind::NotFound => {
                let folder = to.parent().expect("a key lies below the repository's folder");
                std::fs::create_dir_all(folder).map_err(write_problem)?;
                std::fs::rename(from, &to).map_err(write_problem)
            }
            result => result.map_err(write_problem),
        }
    }

    fn discard(&self, staged: Staged) {
        if let Staged::File(path) = staged {
            // It may never have been made; the staging folder goes with all in it anyway.
            let _ = std::fs::remove_file(path);
        }
    }

    fn delete(&self, key: &str) -> Result<(), StoreProblem> {
        let path = self.path(key);
        let removed = match std::fs::remove_file(&path) {
            // POSIX says EPERM for a folder, Linux EISDIR.
            Err(e) if e.kind() == ErrorKind::IsADirectory => std::fs::remove_dir(&path),
            result => result,
        };
        match removed {
            Ok(()) => Ok(()),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
            Err(e) => Err(write_problem(e)),
        }
    }
}
