//! The folder that a snapshot is made of, as a descriptor: what is opened below it is below it.
//!
//! Between the walk and the reading of a file anybody may put a symbolic link in the place of one
//! of its folders; a path that is resolved anew from the root would then lead elsewhere.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, Stat, openat, openat2};
use rustix::io::Errno;

/// A folder below which files are opened without following any symbolic link.
#[derive(Debug)]
pub(super) struct Root {
    fd: OwnedFd,
    /// Linux before 5.6, and sandboxes that know no `openat2`: folder by folder then.
    step_by_step: AtomicBool,
}

/// What is found by a path below the root: no link on the way, no wait for a pipe's other end.
const SAFE: OFlags =
    OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK);
const BELOW: ResolveFlags =
    ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS).union(ResolveFlags::NO_MAGICLINKS);

impl Root {
    /// Opens the folder itself; the path to it may lead over links.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = openat(CWD, folder, flags, Mode::empty())?;
        Ok(Self { fd, step_by_step: AtomicBool::new(false) })
    }

    /// Opens a folder by its path below the root, which starts with `/`; the root's is empty.
    pub fn folder(&self, path: &str) -> io::Result<OwnedFd> {
        let below = if path.is_empty() { "." } else { &path[1..] };
        Ok(self.open_below(below, SAFE | OFlags::DIRECTORY)?)
    }

    /// Opens a file for reading by its path below the root, which starts with `/`. It need not be a
    /// regular file any more.
    pub fn file(&self, path: &str) -> io::Result<File> {
        // A backup that leaves its mark on every file that it reads would make the next one write
        // them all; only a file's owner may ask for this.
        let unmarked = self.open_below(&path[1..], SAFE | OFlags::NOATIME);
        let fd = match unmarked {
            Err(Errno::PERM) => self.open_below(&path[1..], SAFE)?,
            fd => fd?,
        };
        Ok(fd.into())
    }

    fn open_below(&self, path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
        if !self.step_by_step.load(Ordering::Relaxed) {
            match openat2(&self.fd, path, flags, Mode::empty(), BELOW) {
                Err(Errno::NOSYS) => self.step_by_step.store(true, Ordering::Relaxed),
                // What a sandbox answers; also what an owner's flag gets from the kernel, and then
                // the other way gets it too.
                Err(Errno::PERM) => {}
                fd => return fd,
            }
        }
        open_step_by_step(self.fd.as_fd(), path, flags)
    }
}

fn open_step_by_step(root: BorrowedFd<'_>, path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
    let step = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut at: Option<OwnedFd> = None;
    let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
    for folder in folders.split('/').filter(|part| !part.is_empty()) {
        let here = at.as_ref().map_or(root, AsFd::as_fd);
        at = Some(openat(here, folder, step, Mode::empty())?);
    }
    openat(at.as_ref().map_or(root, AsFd::as_fd), name, flags, Mode::empty())
}

/// What tells one state of a file from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    /// Bytes.
    pub size: u64,
    /// Modification time: seconds since 1970 and nanoseconds.
    pub mtime: (i64, u32),
    /// Time of the inode's last change, which nobody can set: likewise.
    pub ctime: (i64, u32),
    /// Inode number.
    pub ino: u64,
}

impl Seen {
    /// The modification time as a record has it: milliseconds since 1970, rounded down (golden).
    pub fn updated(&self) -> i64 {
        self.mtime.0.saturating_mul(1_000).saturating_add(i64::from(self.mtime.1 / 1_000_000))
    }
}

impl From<&Stat> for Seen {
    #[allow(clippy::unnecessary_cast, reason = "the widths differ between architectures")]
    fn from(stat: &Stat) -> Self {
        Self {
            size: stat.st_size as u64,
            mtime: (stat.st_mtime as i64, stat.st_mtime_nsec as u32),
            ctime: (stat.st_ctime as i64, stat.st_ctime_nsec as u32),
            ino: stat.st_ino,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::unix::fs::symlink;

    fn roots(folder: &Path) -> [Root; 2] {
        let stepping = Root::open(folder).unwrap();
        stepping.step_by_step.store(true, Ordering::Relaxed);
        [Root::open(folder).unwrap(), stepping]
    }

    #[test]
    fn no_link_is_followed_on_the_way_nor_at_its_end() {
        let place = tempfile::tempdir().unwrap();
        let (inside, outside) = (place.path().join("in"), place.path().join("out"));
        std::fs::create_dir_all(inside.join("a/b")).unwrap();
        std::fs::create_dir(&outside).unwrap();
        std::fs::write(inside.join("a/b/file"), "mine").unwrap();
        std::fs::write(inside.join("top"), "top").unwrap();
        std::fs::write(outside.join("file"), "another's").unwrap();
        symlink(&outside, inside.join("a/link")).unwrap();
        symlink("file", inside.join("a/b/to-file")).unwrap();
        for root in roots(&inside) {
            let mut text = String::new();
            root.file("/a/b/file").unwrap().read_to_string(&mut text).unwrap();
            root.file("/top").unwrap().read_to_string(&mut text).unwrap();
            assert_eq!(text, "minetop");
            assert!(root.folder("").is_ok() && root.folder("/a/b").is_ok());
            for bad in ["/a/link/file", "/a/b/to-file", "/a/b/none"] {
                assert!(root.file(bad).is_err(), "{bad}");
            }
            for bad in ["/a/link", "/a/b/file", "/none"] {
                assert!(root.folder(bad).is_err(), "{bad}");
            }
        }
    }

    #[test]
    fn a_pipe_does_not_hold_us_up() {
        let place = tempfile::tempdir().unwrap();
        let pipe = place.path().join("pipe");
        rustix::fs::mknodat(CWD, &pipe, rustix::fs::FileType::Fifo, Mode::RUSR, 0).unwrap();
        for root in roots(place.path()) {
            assert!(!root.file("/pipe").unwrap().metadata().unwrap().is_file());
        }
    }

    #[test]
    fn milliseconds_are_rounded_down_before_1970_too() {
        let at = |s, ns| Seen { size: 0, mtime: (s, ns), ctime: (0, 0), ino: 0 }.updated();
        assert_eq!(at(0, 1_999_999), 1);
        assert_eq!(at(-1, 0), -1_000);
        assert_eq!(at(-1, 500_000_000), -500);
        assert_eq!(at(-2, 999_999_999), -1_001);
        assert_eq!(at(i64::MAX, 0), i64::MAX);
    }
}
