//! Init: an empty repository.
//!
//! One of our own *is* its `revu.json`: that is written first, whole and for one of several who try,
//! and refers to nothing. The folders follow; without them it is as empty, and every writer makes
//! those that he needs. So a stop at any moment leaves no repository, or one that opens.
//!
//! SiYuan makes an empty folder, gives it everything else with the first snapshot, and keeps the key
//! in the workspace's configuration alone. The three folders that mark a repository as one are all
//! that ours has beside that; SiYuan neither needs nor minds them.

use std::fs::{self, DirBuilder};
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;

use crate::format::own::{self, OutOfMemory, Own, OwnId, Secret, Settings, SlotId, Style};
use crate::format::{RepoKey, layout};
use crate::store::{Store, StoreError};

/// What a file system puts into its top folder by itself: a disk of one's own is a usual place for a
/// repository.
const LOST_AND_FOUND: &str = "lost+found";

/// What the names begin with under which a store keeps what has no key yet.
const OURS: &str = ".revu-";

/// Why there is no new repository. Nothing was changed, but where the system failed half-way.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum InitError {
    /// There is one.
    #[error("there is a repository in {0} already, and it stays as it is: name another folder")]
    Taken(String),
    /// There is something else.
    #[error("{place} is not empty, `{name}` is in it: name a new folder or an empty one")]
    NotEmpty {
        /// The folder.
        place: String,
        /// One name in it.
        name: String,
    },
    /// The folder cannot be made or looked into.
    #[error("cannot make a repository in {0}: {1}")]
    Io(String, Arc<io::Error>),
    /// It cannot be written.
    #[error("cannot make a repository: {0}")]
    Store(#[from] StoreError),
    /// The passphrase takes too much memory.
    #[error(transparent)]
    Memory(#[from] OutOfMemory),
}

/// A new repository of our own.
#[derive(Debug)]
pub struct Made {
    /// Its key.
    pub key: RepoKey,
    /// Its name for itself.
    pub id: OwnId,
    /// Its only slot.
    pub slot: SlotId,
}

/// Whether a repository can be made there: who asks for a passphrase should know before.
///
/// # Errors
/// [`InitError`] if not.
pub fn check(store: &Store) -> Result<(), InitError> {
    let names = names(store)?;
    let is = |name: &str| names.iter().any(|other| other == name);
    if is(own::NAME) || (is(layout::INDEXES) && is(layout::OBJECTS)) {
        return Err(InitError::Taken(store.place()));
    }
    // What an interrupted attempt left behind is nothing of worth.
    let other = names.into_iter().find(|name| name != LOST_AND_FOUND && !name.starts_with(OURS));
    match other {
        Some(name) => Err(InitError::NotEmpty { place: store.place(), name }),
        None => Ok(()),
    }
}

/// All names in the folder, also of what no store lists.
fn names(store: &Store) -> Result<Vec<String>, InitError> {
    let Some(folder) = store.folder() else {
        return Ok(store.list("")?.into_iter().map(|listed| listed.name).collect());
    };
    let entries = match fs::read_dir(folder) {
        // Nothing, or a link that leads to nothing: that is for the one who makes it to meet.
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|e| io_error(store, e))?,
    };
    let name = |entry: io::Result<fs::DirEntry>| -> io::Result<String> {
        Ok(entry?.file_name().to_string_lossy().into_owned())
    };
    entries.map(name).collect::<io::Result<_>>().map_err(|e| io_error(store, e))
}

fn io_error(store: &Store, e: io::Error) -> InitError {
    InitError::Io(store.place(), Arc::new(e))
}

/// Makes a repository of our own with a random key, which `secret` opens.
///
/// # Errors
/// [`InitError`].
///
/// # Panics
/// If the operating system has no randomness to give.
pub fn own(
    store: &Store,
    secret: &Secret,
    settings: Settings,
    style: Style<'_>,
) -> Result<Made, InitError> {
    check(store)?;
    let key = RepoKey::random();
    let mut own = Own::new(&key, settings);
    let slot = own.make_slot(&key, secret, style)?;
    let made = Made { key, id: own.id(), slot: slot.id() };
    own.add(slot).expect("there is room for the first");
    // Nobody else needs to look into it.
    folder(store, 0o700)?;
    store.put_new(own::NAME, &own.encode()).map_err(|e| match e.exists() {
        true => InitError::Taken(store.place()),
        false => e.into(),
    })?;
    folders(store)?;
    Ok(made)
}

/// Makes an empty repository for SiYuan. Its key is whichever the first snapshot is made with.
///
/// # Errors
/// [`InitError`].
pub fn siyuan(store: &Store) -> Result<(), InitError> {
    check(store)?;
    folder(store, 0o755)?;
    folders(store)
}

/// The repository's own folder, and those above it, where they are not there.
fn folder(store: &Store, mode: u32) -> Result<(), InitError> {
    let Some(folder) = store.folder() else { return Ok(()) };
    let make = || {
        let above = folder.parent().filter(|above| !above.as_os_str().is_empty());
        above.map_or(Ok(()), fs::create_dir_all)?;
        make_dir(folder, mode)
    };
    make().map_err(|e| io_error(store, e))
}

/// The folders in it. A store that is no folder has none but those that something lies in.
fn folders(store: &Store) -> Result<(), InitError> {
    let Some(folder) = store.folder() else { return Ok(()) };
    for name in [layout::INDEXES, layout::OBJECTS, layout::REFS] {
        make_dir(&folder.join(name), 0o755).map_err(|e| io_error(store, e))?;
    }
    Ok(store.sync()?)
}

fn make_dir(folder: &Path, mode: u32) -> io::Result<()> {
    match DirBuilder::new().mode(mode).create(folder) {
        Err(e) if e.kind() == ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        result => result,
    }
}
