//! Mount points: which are refused, which are made and removed again.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use nix::unistd::getuid;

use super::failure::{FAILED, Failure, IN_USE};
use super::table::{self, FSTYPE, Health, Line};
use super::umount::{self, Detach};

/// Why a folder cannot be a mount point.
#[derive(Debug, thiserror::Error)]
pub enum PointError {
    /// Neither it nor its parent is there.
    #[error("cannot mount at {point}: its parent folder is not there", point = .0.display())]
    NoParent(PathBuf),
    /// It is something else than a folder.
    #[error("cannot mount at {point}: it is not a folder", point = .0.display())]
    NotAFolder(PathBuf),
    /// There is something in it.
    #[error("cannot mount at {point}: the folder is not empty, choose an empty or a new one",
        point = .0.display())]
    NotEmpty(PathBuf),
    /// The kernel would ask us for the very files that we read.
    #[error("cannot mount at {point}: it lies on, in or above the repository {repository}, \
        choose a folder elsewhere", point = .point.display(), repository = .repository.display())]
    Overlaps {
        /// The mount point.
        point: PathBuf,
        /// The repository.
        repository: PathBuf,
    },
    /// A mount of revu is there already.
    #[error("a mount of revu is at {point} already: leave it with \"revu umount\" \
        or choose another folder", point = .0.display())]
    Mounted(PathBuf),
    /// Something that is not ours has died there.
    #[error("cannot mount at {point}: a dead mount of type {fstype} is there, unmount it first",
        point = .point.display())]
    Dead {
        /// The mount point.
        point: PathBuf,
        /// What is dead.
        fstype: String,
    },
    /// A dead mount of revu cannot be cleared away.
    #[error("cannot clear away the dead mount at {point}: {why}", point = .point.display())]
    NotCleared {
        /// The mount point.
        point: PathBuf,
        /// What was said.
        why: String,
    },
    /// It cannot be looked at or made.
    #[error("cannot use {point} as a mount point: {source}", point = .point.display())]
    Io {
        /// The mount point.
        point: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl From<PointError> for Failure {
    fn from(error: PointError) -> Self {
        let exit = if matches!(error, PointError::Mounted(_)) { IN_USE } else { FAILED };
        Self::new("mountpoint", exit, &error)
    }
}

/// A mount point that has passed all checks. What was made for it is removed when it is dropped.
#[derive(Debug)]
pub struct MountPoint {
    path: PathBuf,
    made: Vec<PathBuf>,
    cleared: bool,
}

impl MountPoint {
    /// Checks a folder that the user named. It may be absent if its parent is there. What a crashed
    /// revu has left mounted there is cleared away, see [`Self::cleared`].
    ///
    /// `repository` is the repository's folder, if it is one on this machine.
    ///
    /// # Errors
    /// [`PointError`]: each kind names its own reason.
    pub fn check(point: &Path, repository: Option<&Path>) -> Result<Self, PointError> {
        let fail = |source| PointError::Io { point: point.to_owned(), source };
        let mut table = table::read().map_err(fail)?;
        let path = locate(&table, point).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => PointError::NoParent(point.to_owned()),
            io::ErrorKind::NotADirectory => PointError::NotAFolder(point.to_owned()),
            _ => fail(source),
        })?;
        let mut cleared = false;
        // More than one may have died here, each on top of the one before.
        while let Some(line) = table::at(&table, &path).filter(|line| is_fuse(line)) {
            match table::health([path.as_path()].into_iter())[..] {
                [Health::Dead] if line.fstype == FSTYPE => {
                    clear(&path)?;
                    cleared = true;
                    table = table::read().map_err(fail)?;
                }
                [Health::Dead] => {
                    return Err(PointError::Dead { point: path, fstype: line.fstype.clone() });
                }
                _ if line.fstype == FSTYPE => return Err(PointError::Mounted(path)),
                _ => break,
            }
        }
        if let Some(repository) = repository {
            let real = repository.canonicalize().map_err(fail)?;
            if overlap(&table, &path, &real) {
                return Err(PointError::Overlaps { point: path, repository: real });
            }
        }
        match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(fail(error)),
            Ok(what) if !what.is_dir() => return Err(PointError::NotAFolder(path)),
            Ok(_) => {
                if fs::read_dir(&path).map_err(fail)?.next().is_some() {
                    return Err(PointError::NotEmpty(path));
                }
            }
        }
        Ok(Self { path, made: Vec::new(), cleared })
    }

    /// A fresh folder under the user's run-time folder, named after `name` as far as that is a name.
    ///
    /// # Errors
    /// [`PointError::Io`] where none can be made.
    pub fn fresh(name: &str, repository: Option<&Path>) -> Result<Self, PointError> {
        /// More mounts of one name than anybody has.
        const TRIES: u32 = 1000;
        let name: String = name
            .chars()
            .map(|c| if c == '/' || c.is_control() { '_' } else { c })
            .take(60) // a name has at most 255 bytes, a letter at most four
            .collect();
        let name = if matches!(name.as_str(), "" | "." | "..") { "repository" } else { &name };
        let base = Base::new()?;
        for nth in 1..=TRIES {
            let folder = if nth == 1 { name.to_owned() } else { format!("{name}-{nth}") };
            let folder = base.folder.join(folder);
            let mut point = match Self::check(&folder, repository) {
                Ok(point) => point,
                Err(PointError::Io { .. } | PointError::Overlaps { .. }) if nth == TRIES => break,
                Err(error @ (PointError::Io { .. } | PointError::Overlaps { .. })) => {
                    base.give_up();
                    return Err(error);
                }
                // Somebody's.
                Err(_) => continue,
            };
            match fs::create_dir(&point.path) {
                // A dead mount was there: the folder was made by whoever died.
                Err(_) if point.cleared => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(source) => {
                    base.give_up();
                    return Err(PointError::Io { point: folder, source });
                }
                Ok(()) => {}
            }
            point.made = base.made.into_iter().chain([point.path.clone()]).collect();
            return Ok(point);
        }
        let source = io::ErrorKind::AlreadyExists.into();
        base.give_up();
        Err(PointError::Io { point: PathBuf::from(name), source })
    }

    /// The folder: absolute, without links.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether a dead mount was cleared away, which the user should be told.
    pub fn cleared(&self) -> bool {
        self.cleared
    }

    /// Makes the folder if it is not there.
    ///
    /// # Errors
    /// [`PointError::Io`].
    pub(super) fn make(&mut self) -> Result<(), PointError> {
        match fs::create_dir(&self.path) {
            Ok(()) => self.made.push(self.path.clone()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(source) => return Err(PointError::Io { point: self.path.clone(), source }),
        }
        Ok(())
    }

    /// The folders that were made for it.
    pub(super) fn made(&self) -> &[PathBuf] {
        &self.made
    }

    /// Another process will remove what was made.
    pub(super) fn hand_over(mut self) {
        self.made.clear();
    }
}

impl Drop for MountPoint {
    fn drop(&mut self) {
        remove(&self.made);
    }
}

/// Removes folders, the last made first. One that is not empty, or still mounted on, stays.
pub(super) fn remove(made: &[PathBuf]) {
    for folder in made.iter().rev() {
        if let Err(error) = fs::remove_dir(folder) {
            log::debug!("{} stays: {error}", folder.display());
        }
    }
}

fn is_fuse(line: &Line) -> bool {
    line.fstype == "fuse" || line.fstype.starts_with("fuse.")
}

fn clear(path: &Path) -> Result<(), PointError> {
    let why = match umount::detach(path, true) {
        Ok(()) | Err(Detach::NotThere) => return Ok(()),
        Err(Detach::Busy) => "it is in use".to_owned(),
        Err(Detach::NoHelper) => "fusermount3 is missing, install the package fuse3".to_owned(),
        Err(Detach::Refused(why)) => why,
    };
    Err(PointError::NotCleared { point: path.to_owned(), why })
}

/// The folder for mount points without a name, and what had to be made for it.
struct Base {
    folder: PathBuf,
    made: Vec<PathBuf>,
}

impl Base {
    fn new() -> Result<Self, PointError> {
        let run = std::env::var_os("XDG_RUNTIME_DIR")
            .map(PathBuf::from)
            .filter(|folder| folder.is_absolute())
            .unwrap_or_else(|| PathBuf::from(format!("/run/user/{}", getuid())));
        let folder = run.join("revu");
        match fs::DirBuilder::new().mode(0o700).create(&folder) {
            Ok(()) => return Ok(Self { folder, made: Vec::new() }),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Ok(Self { folder, made: Vec::new() });
            }
            Err(error) => log::debug!("no {}: {error}", folder.display()),
        }
        // tempfile makes folders with mode 0700.
        let made = tempfile::Builder::new().prefix("revu-").tempdir();
        let made = made.map_err(|source| PointError::Io { point: std::env::temp_dir(), source })?;
        let folder = made.keep();
        Ok(Self { made: vec![folder.clone()], folder })
    }

    fn give_up(self) {
        remove(&self.made);
    }
}

/// Whether mounting at `point` would hide or enclose `repository`; both absolute and without links.
fn overlap(table: &[Line], point: &Path, repository: &Path) -> bool {
    let nested = |a: &Path, b: &Path| a.starts_with(b) || b.starts_with(a);
    let places = (table::place(table, point), table::place(table, repository));
    nested(point, repository)
        || matches!(places, (Some((a, x)), Some((b, y))) if a == b && nested(&x, &y))
}

/// `point` absolute and without links, but without a look at what is mounted there: that may hang.
pub(super) fn locate(table: &[Line], point: &Path) -> io::Result<PathBuf> {
    /// As many links as the kernel follows.
    const LINKS: usize = 40;
    let mut path = std::path::absolute(point)?;
    for _ in 0..LINKS {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return path.canonicalize();
        };
        let real = parent.canonicalize()?;
        path = real.join(name);
        if table::at(table, &path).is_some() {
            return Ok(path);
        }
        match fs::read_link(&path) {
            Ok(target) => path = real.join(target),
            Err(_) if real.is_dir() => return Ok(path),
            Err(_) => return Err(io::ErrorKind::NotADirectory.into()),
        }
    }
    Err(io::Error::from_raw_os_error(libc::ELOOP))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    struct Place {
        _folder: tempfile::TempDir,
        path: PathBuf,
    }

    fn place() -> Place {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap();
        fs::create_dir_all(path.join("repo/objects")).unwrap();
        fs::create_dir(path.join("empty")).unwrap();
        fs::write(path.join("file"), "x").unwrap();
        fs::create_dir(path.join("full")).unwrap();
        fs::write(path.join("full/x"), "x").unwrap();
        Place { _folder: folder, path }
    }

    #[test]
    fn takes_an_empty_or_a_new_folder() {
        let place = place();
        let repo = place.path.join("repo");
        let mut point = MountPoint::check(&place.path.join("empty"), Some(&repo)).unwrap();
        assert_eq!(point.path(), place.path.join("empty"));
        point.make().unwrap();
        drop(point);
        assert!(place.path.join("empty").is_dir(), "what was there stays");

        let mut point = MountPoint::check(&place.path.join("new"), Some(&repo)).unwrap();
        assert!(!place.path.join("new").exists(), "a check makes nothing");
        point.make().unwrap();
        assert!(place.path.join("new").is_dir());
        assert_eq!(point.made(), [place.path.join("new")]);
        assert!(!point.cleared());
        drop(point);
        assert!(!place.path.join("new").exists());

        let mut point = MountPoint::check(&place.path.join("new"), Some(&repo)).unwrap();
        point.make().unwrap();
        point.hand_over();
        assert!(place.path.join("new").is_dir());
    }

    #[test]
    fn refuses_each_for_its_reason() {
        let place = place();
        let at = |name: &str| place.path.join(name);
        symlink(at("repo"), at("link-to-repo")).unwrap();
        symlink(at("repo/objects"), at("link-into-repo")).unwrap();
        symlink("loop", at("loop")).unwrap();
        let table = [
            ("full", "not empty"),
            ("file", "not a folder"),
            ("file/below", "not a folder"),
            ("missing/below", "parent folder is not there"),
            ("repo", "on, in or above"),
            ("repo/objects", "on, in or above"),
            ("repo/new", "on, in or above"),
            (".", "on, in or above"),
            ("repo/..", "on, in or above"),
            ("link-to-repo", "on, in or above"),
            ("link-to-repo/new", "on, in or above"),
            ("link-into-repo", "on, in or above"),
            ("loop", "cannot use"),
        ];
        for (name, wanted) in table {
            let error = MountPoint::check(&at(name), Some(&at("repo"))).unwrap_err();
            assert!(error.to_string().contains(wanted), "{name}: {error}");
            assert_eq!(Failure::from(error).exit, 1, "{name}");
        }
        assert!(MountPoint::check(&at("repo/objects"), None).is_ok(), "no repository, no overlap");
    }

    #[test]
    fn sees_the_repository_through_bind_mounts() {
        let line = |device: &str, root: &str, point: &str| Line {
            id: 1,
            parent: 0,
            device: device.to_owned(),
            root: root.into(),
            point: point.into(),
            fstype: "ext4".to_owned(),
            source: "/dev/vda".into(),
            user: None,
        };
        let table = [
            line("8:1", "/", "/"),
            line("8:1", "/home/k/repo", "/mnt/repo"),
            line("8:1", "/home/k", "/mnt/home"),
            line("8:2", "/home/k/repo", "/mnt/other"),
        ];
        let repo = Path::new("/home/k/repo");
        for (point, wanted) in [
            ("/mnt/repo", true),
            ("/mnt/repo/m", true),
            ("/mnt/home", true),
            ("/mnt/home/repo/objects", true),
            ("/mnt/home/else", false),
            ("/mnt/other", false),
            ("/home/k/repository", false),
            ("/home", true),
        ] {
            assert_eq!(overlap(&table, Path::new(point), repo), wanted, "{point}");
        }
        assert!(overlap(&table, repo, Path::new("/mnt/home/repo")));
    }

    #[test]
    fn follows_links_to_the_folder() {
        let place = place();
        symlink("empty", place.path.join("one")).unwrap();
        symlink(place.path.join("one"), place.path.join("two")).unwrap();
        symlink("new", place.path.join("ahead")).unwrap();
        for (name, wanted) in [("one", "empty"), ("two", "empty"), ("ahead", "new")] {
            let point = MountPoint::check(&place.path.join(name), None).unwrap();
            assert_eq!(point.path(), place.path.join(wanted), "{name}");
        }
        let table = table::read().unwrap();
        assert_eq!(locate(&table, Path::new("/")).unwrap(), Path::new("/"));
        assert_eq!(locate(&table, Path::new("/proc/")).unwrap(), Path::new("/proc"));
    }

    #[test]
    fn names_fresh_folders_safely() {
        for (name, wanted) in
            [("SiYuan", "SiYuan"), ("a/b\n", "a_b_"), ("..", "repository"), ("", "repository")]
        {
            let point = MountPoint::fresh(name, None).unwrap();
            let path = point.path().to_owned();
            let got = path.file_name().unwrap().to_str().unwrap();
            assert!(got == wanted || got.starts_with(&format!("{wanted}-")), "{name}: {got}");
            assert!(path.is_dir());
            let second = MountPoint::fresh(name, None).unwrap();
            assert_ne!(second.path(), path);
            drop((point, second));
            assert!(!path.exists());
        }
        let long = "字".repeat(300);
        let point = MountPoint::fresh(&long, None).unwrap();
        assert!(point.path().file_name().unwrap().len() <= 255);
    }
}
