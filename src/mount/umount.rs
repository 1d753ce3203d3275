//! Leaving a mount.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::errno::Errno;
use nix::mount::{MntFlags, umount2};

use super::busy::{self, Holder};
use super::failure::{FAILED, Failure, IN_USE};
use super::point;
use super::table::{self, FSTYPE, Health};

/// How a mount was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// It was alive and is unmounted.
    Unmounted,
    /// Its program had ended without unmounting; what was left of it is cleared away.
    Cleared,
}

/// Why a mount could not be left.
#[derive(Debug, thiserror::Error)]
pub enum UmountError {
    /// Nothing of revu is mounted there.
    #[error("no mount of revu is at {point}: \"revu mounts\" lists them", point = .0.display())]
    NotAMount(PathBuf),
    /// Something is in use.
    #[error("the mount at {point} is in use by {who}: end that and try again",
        point = .point.display(), who = name(.holders))]
    Busy {
        /// Where it is mounted.
        point: PathBuf,
        /// Who keeps it busy, as far as this user may know.
        holders: Vec<Holder>,
    },
    /// `fusermount3` is needed and not there.
    #[error("cannot unmount {point}: fusermount3 is missing, install the package fuse3",
        point = .0.display())]
    NoHelper(PathBuf),
    /// The kernel or `fusermount3` refuses.
    #[error("cannot unmount {point}: {why}", point = .point.display())]
    Refused {
        /// Where it is mounted.
        point: PathBuf,
        /// What was said.
        why: String,
    },
    /// The place cannot be looked at.
    #[error("cannot look at {point}: {source}", point = .point.display())]
    Look {
        /// The place.
        point: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl From<UmountError> for Failure {
    fn from(error: UmountError) -> Self {
        match error {
            UmountError::Busy { .. } => Self::new("busy", IN_USE, &error),
            UmountError::NotAMount(_) => Self::new("not_mounted", FAILED, &error),
            _ => Self::new("umount", FAILED, &error),
        }
    }
}

/// The holders in one phrase.
pub(super) fn name(holders: &[Holder]) -> String {
    const SHOWN: usize = 5;
    let mut words: Vec<_> = holders.iter().take(SHOWN).map(ToString::to_string).collect();
    match holders.len() {
        0 => words.push("a program of another user".to_owned()),
        1..=SHOWN => {}
        all => words.push(format!("{} more", all - SHOWN)),
    }
    words.join(", ")
}

/// Unmounts the mount of revu at `point`; one whose program has ended is cleared away.
///
/// # Errors
/// [`UmountError`]; a mount in use stays as it is.
pub fn umount(point: &Path) -> Result<Left, UmountError> {
    let look = |source| UmountError::Look { point: point.to_owned(), source };
    let table = table::read().map_err(look)?;
    let point = match point::locate(&table, point) {
        Ok(point) => point,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(UmountError::NotAMount(point.to_owned()));
        }
        Err(source) => return Err(look(source)),
    };
    let line = table::at(&table, &point).filter(|line| line.fstype == FSTYPE);
    let Some(line) = line else { return Err(UmountError::NotAMount(point)) };
    let dead = table::health([point.as_path()].into_iter()) == [Health::Dead];
    match detach(&point, dead) {
        Ok(()) if dead => Ok(Left::Cleared),
        // Whoever was faster did what was asked.
        Ok(()) | Err(Detach::NotThere) => Ok(Left::Unmounted),
        Err(Detach::Busy) => {
            let holders = busy::holders(&table, line);
            Err(UmountError::Busy { point, holders })
        }
        Err(Detach::NoHelper) => Err(UmountError::NoHelper(point)),
        Err(Detach::Refused(why)) => Err(UmountError::Refused { point, why }),
    }
}

/// Why the kernel does not let go of a mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Detach {
    /// It is in use.
    Busy,
    /// Nothing is mounted there.
    NotThere,
    /// `fusermount3` is needed and not there.
    NoHelper,
    /// This was said.
    Refused(String),
}

/// Unmounts whatever is uppermost at `point` (absolute, without links), lazily if wished: it is gone
/// from the tree at once and from the kernel when its last user is gone.
pub(super) fn detach(point: &Path, lazily: bool) -> Result<(), Detach> {
    let lazy = if lazily { MntFlags::MNT_DETACH } else { MntFlags::empty() };
    match umount2(point, MntFlags::UMOUNT_NOFOLLOW | lazy) {
        Ok(()) => Ok(()),
        Err(Errno::EBUSY) => Err(Detach::Busy),
        Err(Errno::EINVAL | Errno::ENOENT) => Err(Detach::NotThere),
        // Only root may; for others there is a helper.
        Err(Errno::EPERM) => by_helper(point, lazily),
        Err(errno) => Err(Detach::Refused(errno.desc().to_owned())),
    }
}

fn by_helper(point: &Path, lazily: bool) -> Result<(), Detach> {
    let asked = helper().arg(if lazily { "-uz" } else { "-u" }).arg("--").arg(point).output();
    let output = match asked {
        Ok(output) => output,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Detach::NoHelper),
        Err(error) => return Err(Detach::Refused(error.to_string())),
    };
    let said = String::from_utf8_lossy(&output.stderr);
    match () {
        () if output.status.success() => Ok(()),
        () if said.contains("busy") => Err(Detach::Busy),
        () if said.contains("not found") => Err(Detach::NotThere),
        () => Err(Detach::Refused(said.trim().to_owned())),
    }
}

/// The program that mounts and unmounts for users; its words are read, so they have to be English.
pub(super) fn helper() -> Command {
    let mut command = Command::new("fusermount3");
    command.env("LC_ALL", "C").stdin(Stdio::null());
    command
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mount::busy::Use;

    #[test]
    fn refuses_what_is_no_mount_of_ours() {
        let folder = tempfile::tempdir().unwrap();
        for point in [folder.path(), Path::new("/proc"), Path::new("/"), Path::new("/no/such")] {
            let error = umount(point).unwrap_err();
            assert!(matches!(error, UmountError::NotAMount(_)), "{error}");
            assert_eq!(Failure::from(error).exit, 1);
        }
    }

    #[test]
    fn names_the_first_few_holders() {
        let holder = |pid| Holder::Process { pid, command: "cat".into(), what: Use::Root };
        let busy = |count| {
            let holders = (0..count).map(holder).collect();
            let error = UmountError::Busy { point: "/m".into(), holders };
            let text = error.to_string();
            assert_eq!(Failure::from(error).exit, 11);
            text
        };
        assert!(busy(0).contains("a program of another user"));
        assert!(busy(5).contains("process 4") && !busy(5).contains("more"));
        assert!(busy(7).contains("2 more") && !busy(7).contains("process 5"));
    }
}
