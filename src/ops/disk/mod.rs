//! A folder on disk that is never left, whatever a path says and whatever links lie in it: what
//! restores write into and what snapshots are compared with.
//!
//! Everything goes through descriptors of folders. The kernel resolves paths below them
//! (`openat2` with `RESOLVE_BENEATH` and `RESOLVE_NO_SYMLINKS`); where it cannot, each part is opened by
//! itself without following links, which comes to the same.

mod siyuan;
mod temporary;
mod walk;

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, RawMode, RenameFlags, ResolveFlags, Stat, Timespec,
    Timestamps, UTIME_OMIT,
};
use rustix::io::Errno;

pub use siyuan::SiyuanRules;
pub use temporary::{is_temporary_name, temporary_name};
pub use walk::{Everything, Rules, Walked, walk};

/// Permissions of a file that a restore makes, less the umask: the format stores none.
const NEW_FILE: Mode = Mode::from_raw_mode(0o644);
/// The same for a folder.
const NEW_FOLDER: Mode = Mode::from_raw_mode(0o755);

/// An open folder. Clones share the descriptor.
#[derive(Debug, Clone)]
pub struct Dir(Arc<OwnedFd>);

/// What has a name in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// What it is.
    pub kind: Kind,
    /// Bytes, of a file.
    pub size: u64,
    /// When it was last changed, nanoseconds since 1970.
    pub mtime_ns: i128,
    /// Its permission bits.
    pub mode: u32,
}

impl Found {
    /// When it was last changed in the unit of File records: whole milliseconds since 1970,
    /// rounded down.
    pub fn updated(&self) -> i64 {
        let ms = self.mtime_ns.div_euclid(1_000_000);
        i64::try_from(ms).unwrap_or(if ms < 0 { i64::MIN } else { i64::MAX })
    }
}

/// What something in a folder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link, wherever it leads.
    Link,
    /// A pipe, a socket, a device.
    Other,
}

impl Kind {
    fn of(kind: FileType) -> Self {
        match kind {
            FileType::RegularFile => Self::File,
            FileType::Directory => Self::Folder,
            FileType::Symlink => Self::Link,
            _ => Self::Other,
        }
    }

    /// What to call it in a sentence.
    pub fn word(self) -> &'static str {
        match self {
            Self::File => "a file",
            Self::Folder => "a folder",
            Self::Link => "a symbolic link",
            Self::Other => "a pipe, socket or device",
        }
    }
}

impl Found {
    fn of(stat: &Stat) -> Self {
        let ns = i128::from(stat.st_mtime) * 1_000_000_000 + i128::from(stat.st_mtime_nsec);
        Self {
            kind: Kind::of(FileType::from_raw_mode(stat.st_mode)),
            size: u64::try_from(stat.st_size).unwrap_or(0),
            mtime_ns: ns,
            mode: stat.st_mode & 0o7777,
        }
    }
}

/// What an open folder is held for: a place to resolve names in, not to read from.
const HOLD: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

impl Dir {
    /// Opens the folder that a user named. Links in *his* path are followed.
    ///
    /// # Errors
    /// As the system tells it.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(Arc::new(rustix::fs::openat(CWD, path, HOLD, Mode::empty())?)))
    }

    /// Opens a folder below this one, by a relative path of plain names; an empty path is this
    /// folder itself.
    ///
    /// # Errors
    /// As the system tells it: `ENOENT` where it is not there, `ENOTDIR` or `ELOOP` where something
    /// else than a folder is on the way.
    pub fn sub(&self, path: &str) -> io::Result<Self> {
        if path.is_empty() {
            return Ok(self.clone());
        }
        let confined = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        match rustix::fs::openat2(&*self.0, path, HOLD, Mode::empty(), confined) {
            Ok(fd) => Ok(Self(Arc::new(fd))),
            // Kernels before 5.6 do not know the call, and some sandboxes refuse what they do not know.
            Err(Errno::NOSYS | Errno::PERM | Errno::AGAIN) => self.sub_by_parts(path),
            Err(e) => Err(e.into()),
        }
    }

    /// What [`Dir::sub`] does, a part at a time.
    fn sub_by_parts(&self, path: &str) -> io::Result<Self> {
        path.split('/').try_fold(self.clone(), |dir, part| dir.child(part))
    }

    /// A folder in this one. A link is not followed: `ENOTDIR`.
    fn child(&self, name: &str) -> io::Result<Self> {
        if matches!(name, "" | "." | "..") || name.contains('/') {
            return Err(Errno::INVAL.into());
        }
        let flags = HOLD | OFlags::NOFOLLOW;
        Ok(Self(Arc::new(rustix::fs::openat(&*self.0, name, flags, Mode::empty())?)))
    }

    /// Opens a folder below this one and makes what is missing on the way.
    ///
    /// # Errors
    /// As [`Dir::sub`]; and where a folder cannot be made.
    pub fn make(&self, path: &str) -> io::Result<Self> {
        match self.sub(path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            result => return result,
        }
        path.split('/').try_fold(self.clone(), |dir, part| match dir.child(part) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                match rustix::fs::mkdirat(&*dir.0, part, NEW_FOLDER) {
                    // Another thread may have been faster.
                    Ok(()) | Err(Errno::EXIST) => dir.child(part),
                    Err(e) => Err(e.into()),
                }
            }
            result => result,
        })
    }

    /// What has this name; a link is not followed. `None` where nothing has it.
    ///
    /// # Errors
    /// As the system tells it.
    pub fn look(&self, name: &str) -> io::Result<Option<Found>> {
        self.look_os(OsStr::new(name))
    }

    fn look_os(&self, name: &OsStr) -> io::Result<Option<Found>> {
        match rustix::fs::statat(&*self.0, name.as_bytes(), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(Found::of(&stat))),
            Err(Errno::NOENT) => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    /// Opens a regular file for reading, and nothing else: `ELOOP` for a link, `EINVAL` for what
    /// is no file.
    ///
    /// # Errors
    /// As the system tells it.
    pub fn read(&self, name: &str) -> io::Result<File> {
        // Non-blocking, so that a pipe that has come in place of the file cannot hold us up.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::openat(&*self.0, name, flags, Mode::empty())?);
        if !file.metadata()?.is_file() {
            return Err(Errno::INVAL.into());
        }
        Ok(file)
    }

    /// Makes a file that must not be there yet.
    ///
    /// # Errors
    /// As the system tells it; `EEXIST` where anything has that name.
    pub fn create(&self, name: &str) -> io::Result<File> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(&*self.0, name, flags, NEW_FILE)?.into())
    }

    /// Makes a symbolic link that must not be there yet.
    ///
    /// # Errors
    /// As the system tells it; `EEXIST` where anything has that name.
    pub fn link(&self, target: &str, name: &str) -> io::Result<()> {
        Ok(rustix::fs::symlinkat(target, &*self.0, name)?)
    }

    /// Gives a file of this folder another name in it. With `replace`, what has that name (but a
    /// folder) goes; a link goes itself, not what it leads to.
    ///
    /// # Errors
    /// As the system tells it; without `replace`, `EEXIST` where anything has that name.
    pub fn rename(&self, from: &str, to: &str, replace: bool) -> io::Result<()> {
        let dir = &*self.0;
        if replace {
            return Ok(rustix::fs::renameat(dir, from, dir, to)?);
        }
        match rustix::fs::renameat_with(dir, from, dir, to, RenameFlags::NOREPLACE) {
            // File systems that do not know this flag know hard links, or are FAT.
            Err(Errno::INVAL | Errno::NOSYS) => {}
            result => return Ok(result?),
        }
        match rustix::fs::linkat(dir, from, dir, to, AtFlags::empty()) {
            Ok(()) => Ok(rustix::fs::unlinkat(dir, from, AtFlags::empty())?),
            Err(Errno::EXIST) => Err(Errno::EXIST.into()),
            Err(_) if self.look(to)?.is_some() => Err(Errno::EXIST.into()),
            Err(_) => Ok(rustix::fs::renameat(dir, from, dir, to)?),
        }
    }

    /// Removes a name that is no folder.
    ///
    /// # Errors
    /// As the system tells it.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&*self.0, name, AtFlags::empty())?)
    }

    /// Removes an empty folder; `Ok(false)` where it is not empty.
    ///
    /// # Errors
    /// As the system tells it.
    pub fn remove_empty(&self, name: &str) -> io::Result<bool> {
        match rustix::fs::unlinkat(&*self.0, name, AtFlags::REMOVEDIR) {
            Ok(()) => Ok(true),
            Err(Errno::NOTEMPTY | Errno::EXIST) => Ok(false),
            Err(e) => Err(e.into()),
        }
    }

    /// Sets when a file of this folder was last changed, milliseconds since 1970. A link is not
    /// followed.
    ///
    /// # Errors
    /// As the system tells it.
    pub fn set_updated(&self, name: &str, updated: i64) -> io::Result<()> {
        let times = times(updated);
        Ok(rustix::fs::utimensat(&*self.0, name, &times, AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// Returns when all that was written to this folder's file system is durable.
    ///
    /// # Errors
    /// As the system tells it: what was written may be lost.
    pub fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::syncfs(self.readable()?)?)
    }

    /// A descriptor that does more than hold its place: lists, syncs.
    fn readable(&self) -> io::Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(&*self.0, ".", flags, Mode::empty())?)
    }
}

fn times(updated: i64) -> Timestamps {
    Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        last_modification: Timespec {
            tv_sec: updated.div_euclid(1000),
            tv_nsec: updated.rem_euclid(1000) * 1_000_000,
        },
    }
}

/// Sets when an open file was last changed, milliseconds since 1970.
///
/// # Errors
/// As the system tells it.
pub fn set_updated(file: &File, updated: i64) -> io::Result<()> {
    Ok(rustix::fs::futimens(file, &times(updated))?)
}

/// Sets the permission bits of an open file.
///
/// # Errors
/// As the system tells it.
pub fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    Ok(rustix::fs::fchmod(file, Mode::from_raw_mode(mode as RawMode))?)
}

/// What an open file is.
///
/// # Errors
/// As the system tells it.
pub fn look(file: &File) -> io::Result<Found> {
    Ok(Found::of(&rustix::fs::fstat(file.as_fd())?))
}

#[cfg(test)]
mod tests;
