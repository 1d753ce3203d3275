//! The folder that a restore writes to.

use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use lru::LruCache;
use parking_lot::Mutex;

use crate::ops::disk::{Dir, Kind};
use crate::ops::paths::{self, Scope};
use crate::repo::Repository;

use super::RestoreError;

/// Folders that are held open: files come folder by folder, so a few more than there are threads.
const HELD: NonZeroUsize = NonZeroUsize::new(64).expect("64 is not zero");

/// A target that may not be there yet.
#[derive(Debug)]
pub(super) struct Target {
    pub path: PathBuf,
    root: Option<Dir>,
    /// The repository, where it lies in the target: nothing in it is touched.
    protected: Option<Scope>,
    held: Mutex<LruCache<Box<str>, Dir>>,
}

impl Target {
    /// Looks at the target without making it.
    pub fn new(repo: &Repository, path: &Path) -> Result<Self, RestoreError> {
        let failed = |cause| RestoreError::Target { target: path.to_owned(), cause };
        let root = match Dir::open(path) {
            Ok(dir) => Some(dir),
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(e) => return Err(failed(e)),
        };
        let protected = match repo.store().folder().map(Path::canonicalize) {
            // Purged, unmounted, gone: the restore will find out by itself.
            None | Some(Err(_)) => None,
            Some(Ok(repo)) => {
                let real = real_path(path).map_err(failed)?;
                if real.starts_with(&repo) {
                    return Err(RestoreError::InRepository(path.to_owned()));
                }
                repo.strip_prefix(&real).ok().and_then(Path::to_str).map(Scope::new)
            }
        };
        let held = Mutex::new(LruCache::new(HELD));
        Ok(Self { path: path.to_owned(), root, protected, held })
    }

    /// Makes it if it is not there.
    pub fn make(&mut self) -> Result<(), RestoreError> {
        if self.root.is_none() {
            let made = std::fs::create_dir_all(&self.path).and_then(|()| Dir::open(&self.path));
            self.root = Some(made.map_err(|e| self.failed(e))?);
        }
        Ok(())
    }

    /// The target itself.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] where it is not there.
    pub fn root(&self) -> io::Result<&Dir> {
        self.root.as_ref().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// A folder of it.
    pub fn dir(&self, folder: &str) -> io::Result<Dir> {
        self.held_or(folder, |root| root.sub(folder))
    }

    /// A folder of it, made with all above it where it is not there.
    pub fn made_dir(&self, folder: &str) -> io::Result<Dir> {
        self.held_or(folder, |root| root.make(folder))
    }

    fn held_or(&self, folder: &str, open: impl FnOnce(&Dir) -> io::Result<Dir>) -> io::Result<Dir> {
        if let Some(dir) = self.held.lock().get(folder) {
            return Ok(dir.clone());
        }
        let dir = open(self.root()?)?;
        self.held.lock().put(folder.into(), dir.clone());
        Ok(dir)
    }

    /// Lets go of folders that may be removed or replaced.
    pub fn let_go(&self) {
        self.held.lock().clear();
    }

    /// Whether this path lies in the repository.
    pub fn is_protected(&self, path: &str) -> bool {
        self.protected.as_ref().is_some_and(|repo| repo.holds(path))
    }

    /// The first thing on the way to a path that is no folder, and what it is.
    pub fn obstacle<'a>(&self, path: &'a str) -> Option<(&'a str, Kind)> {
        paths::folders(path).find_map(|folder| {
            let (above, name) = paths::split(folder);
            let found = self.dir(above).ok()?.look(name).ok()??;
            (found.kind != Kind::Folder).then_some((folder, found.kind))
        })
    }

    /// A path below the target, for messages.
    pub fn show(&self, path: &str) -> String {
        self.path.join(path).display().to_string()
    }

    /// The error for a target that cannot be used.
    pub fn failed(&self, cause: io::Error) -> RestoreError {
        RestoreError::Target { target: self.path.clone(), cause }
    }
}

/// A path without links, where its last parts may not be there yet.
fn real_path(path: &Path) -> io::Result<PathBuf> {
    let absolute = std::path::absolute(path)?;
    let mut missing = Vec::new();
    let mut there = absolute.as_path();
    loop {
        match there.canonicalize() {
            Ok(real) => return Ok(missing.iter().rev().fold(real, |real, part| real.join(part))),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                let (Some(parent), Some(name)) = (there.parent(), there.file_name()) else {
                    return Err(e);
                };
                missing.push(name);
                there = parent;
            }
            Err(e) => return Err(e),
        }
    }
}
