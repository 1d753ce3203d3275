//! Tells the kernel what it must not believe any longer.
//!
//! From a thread of its own: the kernel takes locks for it that a request being answered may hold.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::sync::mpsc;

use fuser::{INodeNo, Notifier};

use crate::vfs::{Change, Vfs};

/// Passes the changes that `vfs` tells of on to the kernel, for as long as `vfs` lives.
pub(super) fn start(vfs: &Vfs, notifier: Notifier) -> io::Result<()> {
    let (tell, told) = mpsc::channel();
    std::thread::Builder::new().name("notify".to_owned()).spawn(move || {
        for change in told {
            if let Err(error) = pass_on(&notifier, &change) {
                log::debug!("the kernel was not told of {change:?}: {error}");
            }
        }
    })?;
    vfs.on_change(Box::new(move |change| {
        // The thread ends with this closure alone, so somebody listens.
        let _ = tell.send(change);
    }));
    Ok(())
}

/// That the kernel knows nothing of it (ENOENT) is no error to `fuser` either.
fn pass_on(notifier: &Notifier, change: &Change) -> io::Result<()> {
    match change {
        Change::Name { parent, name } => {
            notifier.inval_entry(INodeNo(*parent), OsStr::from_bytes(name))
        }
        // From 0, without end: attributes and all that is cached of it.
        Change::Node(ino) => notifier.inval_inode(INodeNo(*ino), 0, 0),
    }
}

/// Puts what somebody will read soon into the kernel's cache, so that he need not ask for it.
pub(super) fn hand_on(vfs: &Vfs, notifier: Notifier) {
    vfs.on_ahead(move |ino, content| {
        if let Err(error) = notifier.store(INodeNo(ino), 0, content) {
            log::debug!("the kernel did not take inode {ino:#x}: {error}");
        }
    });
}
