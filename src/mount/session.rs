//! A running mount: the threads that answer the kernel.

use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Sender;

use fuser::{Config, SessionACL};

use super::adapter::Adapter;
use super::attach::{AttachError, attach};
use super::look::Look;
use super::notify;
use super::options::Options;
use super::supervise::Event;
use super::table::{self, FSTYPE, Line};
use super::umount::{self, Detach};
use crate::vfs::Vfs;

/// Threads that answer requests, at least. They wait for the disk, not for a processor: reading small
/// objects from a cold disk is six times as fast with 16 side by side as with one, and no faster with
/// more. Each costs 16 MiB of address space, of which the kernel fills the first page.
const THREADS: usize = 16;

/// What is mounted, by the kernel's number of it: at the same place something else may be mounted
/// later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mounted {
    /// Where; absolute, without links.
    pub point: PathBuf,
    /// Number of its device.
    pub device: String,
}

impl Mounted {
    /// Its line in the kernel's table, while it is the uppermost at its place.
    pub fn line<'a>(&self, table: &'a [Line]) -> Option<&'a Line> {
        table::at(table, &self.point)
            .filter(|line| line.fstype == FSTYPE && line.device == self.device)
    }

    /// Unmounts it, but nothing else that may be mounted there by now.
    pub fn detach(&self, lazily: bool) -> Result<(), Detach> {
        let table = table::read().map_err(|error| Detach::Refused(error.to_string()))?;
        match self.line(&table) {
            Some(_) => umount::detach(&self.point, lazily),
            // Covered by another mount: that one has to go first.
            None if table.iter().any(|line| line.device == self.device) => Err(Detach::Busy),
            None => Err(Detach::NotThere),
        }
    }

    /// Lists the root through the kernel: whoever gets here can use the mount.
    pub fn list(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.point)? {
            entry?;
        }
        Ok(())
    }
}

/// Mounts `vfs` at `point` and starts the threads that answer; when they end, because somebody has
/// unmounted, `tell` gets [`Event::Ended`].
///
/// # Errors
/// [`AttachError`]; nothing is mounted then.
pub(super) fn start(
    vfs: Arc<Vfs>,
    point: &Path,
    source: &OsStr,
    options: &Options,
    tell: Sender<Event>,
) -> Result<Mounted, AttachError> {
    let device = attach(point, source, options)?;
    let mounted = mounted(point)?;
    let started = || -> io::Result<()> {
        let adapter = Adapter::new(Arc::clone(&vfs), Look::new(options));
        // The kernel itself lets in whom the options let in, and knows them better.
        let session = fuser::Session::from_fd(adapter, device, SessionACL::All, config())?;
        notify::start(&vfs, session.notifier())?;
        notify::hand_on(&vfs, session.notifier());
        std::thread::Builder::new().name("session".to_owned()).spawn(move || {
            // Nobody listens when the program is ending.
            let _ = tell.send(Event::Ended(session.run()));
        })?;
        Ok(())
    };
    started().map_err(|error| {
        if let Err(stuck) = mounted.detach(true) {
            log::error!("{} stays mounted: {stuck:?}", mounted.point.display());
        }
        AttachError::Handshake(error)
    })?;
    Ok(mounted)
}

/// What has just been mounted at `point`.
fn mounted(point: &Path) -> Result<Mounted, AttachError> {
    let table = table::read().map_err(AttachError::Handshake)?;
    let line = table::at(&table, point).filter(|line| line.fstype == FSTYPE);
    let line = line.ok_or_else(|| {
        AttachError::Refused(format!("{} does not show in the table of mounts", point.display()))
    })?;
    Ok(Mounted { point: point.to_owned(), device: line.device.clone() })
}

fn config() -> Config {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let mut config = Config::default();
    config.n_threads = Some(THREADS.max(processors + 1));
    // A channel for each thread spares them one lock. Where fusermount3 alone may open the device,
    // they share one.
    config.clone_fd = OpenOptions::new().read(true).write(true).open("/dev/fuse").is_ok();
    config
}
