//! **The mount**: all that stands between the model of the tree ([`crate::vfs`]) and a folder on this
//! machine. The only place that knows FUSE.
//!
//! - `adapter`, `look`, `notify`: requests of the kernel, and news for it
//! - [`Options`]: the `-o` options; [`MountPoint`]: where a mount may be
//! - `attach`, `session`, `supervise`, `signals`: a mount's life
//! - `daemon`, `logger`, `watcher`: in the background
//! - [`umount()`], [`mounts()`], `busy`: mounts seen from outside, with the kernel's table as the only
//!   truth, so that those of a program that crashed are seen too
//!
//! A program that crashes leaves a dead mount on purpose, see `watcher`; [`umount()`] and the next
//! mount at that place clear it away.

mod adapter;
mod attach;
mod busy;
mod daemon;
mod failure;
pub mod logger;
mod look;
mod notify;
mod options;
mod point;
mod session;
mod signals;
mod supervise;
mod table;
mod umount;
mod watcher;

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};

pub use attach::AttachError;
pub use busy::{Holder, Use};
pub use failure::Failure;
pub use options::{Access, KNOWN, Known, Options, OptionsError};
pub use point::{MountPoint, PointError};
pub use supervise::Unmounter;
pub use table::{Health, RevuMount, mounts};
pub use umount::{Left, UmountError, umount};

use crate::vfs::Vfs;
use daemon::Waiting;
use failure::FAILED;
use watcher::Watcher;

/// Opens the repository and makes its tree.
pub type Opener = Box<dyn FnOnce() -> Result<Arc<Vfs>, Failure>>;

/// What is to be mounted, where and how.
pub struct MountRequest {
    /// Opens the repository and makes its tree. Called in the process that mounts, so that it may start
    /// threads; what needs a terminal (asking for a key) has to be done before. In the background the
    /// current folder becomes `/` after it: its paths have to be absolute.
    pub open: Opener,
    /// Where.
    pub point: MountPoint,
    /// How.
    pub options: Options,
    /// What `df` and the table of mounts show as the source unless the options say otherwise: the
    /// repository.
    pub source: OsString,
    /// Stay in front and return when the mount is left.
    pub foreground: bool,
}

/// A mount that can be used.
#[derive(Debug)]
pub struct Running<'a> {
    /// Where it is; absolute, without links.
    pub point: &'a Path,
    /// Leaves it.
    pub unmounter: Unmounter,
}

/// How [`mount()`] ended well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The mount can be used; a background process answers for it.
    Background {
        /// Where it is; absolute, without links.
        point: PathBuf,
        /// The process.
        pid: u32,
        /// Its log, if there is a place for one.
        log: Option<PathBuf>,
    },
    /// The mount was used and left.
    Left,
}

/// Mounts. In the background this returns when the root has been listed through the kernel; in front it
/// calls `ready` at that moment and returns when the mount is left. SIGINT, SIGTERM and SIGHUP leave
/// it: the first unmounts it, or names those who keep it busy and waits for them, the second leaves it
/// at once.
///
/// Must be called while this process has a single thread, because it forks: to go into the background,
/// and for `-o auto_unmount`.
///
/// # Errors
/// Whatever kept the mount from coming up, with the exit code for it; nothing is mounted then.
pub fn mount(request: MountRequest, ready: impl FnOnce(&Running<'_>)) -> Result<Outcome, Failure> {
    if request.foreground {
        let told = |running: &Running<'_>, ()| {
            ready(running);
            Ok(())
        };
        return run(request, (), told).map(|()| Outcome::Left).map_err(|(failure, _)| failure);
    }
    let point = request.point.path().to_owned();
    let (path, log) = match logger::open(&point) {
        Ok((path, file)) => (Some(path), file),
        Err(error) => {
            log::warn!("this mount has no log: {error}");
            let null = std::fs::File::options().write(true).open("/dev/null");
            (None, null.map_err(|error| Failure::new("background", FAILED, &error))?)
        }
    };
    // The child takes its own copy of all this; what is made for the mount is then its own to remove.
    let mut request = Some(request);
    let pid = daemon::start(&log, |waiting| {
        let request = request.take().expect("the work is done once");
        run(request, waiting, |_, waiting: Waiting| waiting.ready())
    })?;
    if let Some(request) = request {
        request.point.hand_over();
    }
    Ok(Outcome::Background { point, pid, log: path })
}

/// Mounts, tells `ready` and stays until the mount is left. `kept` goes to `ready`, or comes back with
/// the failure.
fn run<T>(
    request: MountRequest,
    kept: T,
    ready: impl FnOnce(&Running<'_>, T) -> io::Result<()>,
) -> Result<(), (Failure, Option<T>)> {
    let MountRequest { open, mut point, options, source, foreground } = request;
    let source = options.fsname.clone().map_or(source, OsString::from);
    let broken = |error: &io::Error| Failure::new("mount", FAILED, error);

    let (mut watcher, kept) = match options.auto_unmount.then_some(()) {
        None => (None::<Watcher>, kept),
        Some(()) => match watcher::start(kept) {
            Ok((watcher, kept)) => (Some(watcher), kept),
            Err(error) => return Err((broken(&error), None)),
        },
    };
    let (tell, events) = mpsc::channel();
    let begin = || -> Result<session::Mounted, Failure> {
        let vfs = open()?;
        if !foreground {
            // Otherwise the disk that the user happened to be on could not be unmounted.
            std::env::set_current_dir("/").map_err(|error| broken(&error))?;
        }
        point.make()?;
        // Before it is mounted: from then on a signal must not end the program as it is.
        signals::watch(tell.clone()).map_err(|error| broken(&error))?;
        let mounted = session::start(vfs, point.path(), &source, &options, tell.clone())?;
        let mut up = || -> io::Result<()> {
            if let Some(watcher) = &mut watcher {
                watcher.guard(&mounted, point.made())?;
            }
            mounted.list()
        };
        if let Err(error) = up() {
            leave_at_once(&mounted);
            return Err(broken(&error));
        }
        Ok(mounted)
    };
    let mounted = match begin() {
        Ok(mounted) => mounted,
        Err(failure) => return Err((failure, Some(kept))),
    };
    log::info!("mounted at {}", mounted.point.display());
    let running = Running { point: &mounted.point, unmounter: Unmounter(tell) };
    if let Err(error) = ready(&running, kept) {
        leave_at_once(&mounted);
        return Err((broken(&error), None));
    }
    match supervise::supervise(&mounted, &events) {
        Ok(()) => log::info!("left {}", mounted.point.display()),
        Err(error) => return Err((broken(&error), None)),
    }
    Ok(())
}

fn leave_at_once(mounted: &session::Mounted) {
    if let Err(why) = mounted.detach(true) {
        log::error!("{} stays mounted: {why:?}", mounted.point.display());
    }
}
