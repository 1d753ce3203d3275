//! The model: questions about nodes and their answers.

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use jiff::tz::TimeZone;
use parking_lot::{Mutex, RwLock};

use crate::format::IndexId;
use crate::repo::{Bytes, ReadError, Repository, Snapshots};

use super::attr::{Attr, Entry, Lifetime, Stats};
use super::entries::{
    child_entry, dir_attr, file_attr, latest_attr, latest_entry, line_entry, root_attr, view_attr,
    view_entry,
};
use super::escape::MAX_NAME;
use super::ino::{self, Node, View};
use super::listing::Listing;
use super::notes::{Engine, NotesOptions, NotesView, Place};
use super::readdir::{LATEST_NAME, NOTES_NAME, TAGS_NAME, VERSIONS_NAME, VIEWS};
use super::slots::{Slot, Slots};
use super::tree::{self, Dir, Located, Shared};
use super::versions_view::VersionsView;
use super::{VfsError, xattr};

/// How the tree is shown.
#[derive(Debug, Clone, Copy, Default)]
pub struct VfsOptions {
    /// Snapshot names in UTC instead of local time.
    pub utc: bool,
}

/// Something that the kernel may still believe has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The name in that folder leads elsewhere or nowhere now.
    Name {
        /// Inode of the folder.
        parent: u64,
        /// The name.
        name: Vec<u8>,
    },
    /// Attributes and listing of this inode are new.
    Node(u64),
}

/// Who is told of changes.
type Tell = Box<dyn Fn(Change) + Send + Sync>;

/// The mounted tree of one repository.
pub struct Vfs {
    pub(super) repo: Arc<Repository>,
    pub(super) zone: TimeZone,
    pub(super) slots: Slots,
    pub(super) shared: Shared,
    pub(super) listing: RwLock<Arc<Listing>>,
    /// Held while a new listing is made, so that one thread does it.
    pub(super) refreshing: Mutex<()>,
    pub(super) tell: Arc<OnceLock<Tell>>,
    pub(super) size: super::attr::SizeMeter,
    pub(super) notes: Option<NotesView>,
    pub(super) versions: Option<VersionsView>,
}

impl std::fmt::Debug for Vfs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Vfs({:?})", self.repo)
    }
}

impl Vfs {
    /// The tree of `repo`, with its lists of snapshots and tags read.
    ///
    /// # Errors
    /// [`VfsError::Damaged`] where the repository cannot be listed.
    pub fn new(repo: Arc<Repository>, options: VfsOptions) -> Result<Self, VfsError> {
        Self::build(repo, options, None)
    }

    /// The same, with the versions of all files beside it, and the notes of SiYuan by their names, where
    /// the repository holds some.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_notes(
        repo: Arc<Repository>,
        options: VfsOptions,
        notes: NotesOptions,
    ) -> Result<Self, VfsError> {
        Self::build(repo, options, Some(notes))
    }

    fn build(
        repo: Arc<Repository>,
        options: VfsOptions,
        notes: Option<NotesOptions>,
    ) -> Result<Self, VfsError> {
        let tell: Arc<OnceLock<Tell>> = Arc::default();
        repo.on_correction({
            let tell = Arc::clone(&tell);
            Box::new(move |no| {
                if let Some(tell) = tell.get() {
                    tell(Change::Node(ino::file(no)));
                }
            })
        });
        let notes = notes.map(|options| {
            let NotesOptions { shown, links, vault, facts } = options;
            // Times in notes are those of the clock on the wall, whatever snapshots are called.
            let zone = TimeZone::system();
            let engine = Engine::new(Arc::clone(&repo), zone, links, vault, facts);
            engine.on_resize({
                let tell = Arc::clone(&tell);
                Box::new(move |text| {
                    if let Some(tell) = tell.get() {
                        tell(Change::Node(ino::text(text)));
                    }
                })
            });
            NotesView::new(engine, shown)
        });
        let zone = if options.utc { TimeZone::UTC } else { TimeZone::system() };
        let versions = notes.is_some().then(|| VersionsView::new(Arc::clone(&repo), zone.clone()));
        let vfs = Self {
            notes,
            versions,
            repo,
            zone,
            slots: Slots::default(),
            shared: Shared::default(),
            listing: RwLock::default(),
            refreshing: Mutex::new(()),
            tell,
            size: super::attr::SizeMeter::default(),
        };
        vfs.listing()?;
        Ok(vfs)
    }

    /// Calls `tell` for whatever changes from now on, from whichever thread notices it. `tell`
    /// must not wait: it is called while requests are being answered. Only the first caller is told.
    pub fn on_change(&self, tell: Box<dyn Fn(Change) + Send + Sync>) {
        let _ = self.tell.set(tell);
    }

    /// Calls `take` with a file's inode and whole content when somebody will read it soon, from threads that
    /// nobody waits for. Only the first caller is served.
    pub fn on_ahead(&self, take: impl Fn(u64, &[u8]) + Send + Sync + 'static) {
        self.repo.on_ahead(Box::new(move |no, content| take(ino::file(no), content)));
    }

    /// The repository that is shown.
    pub fn repository(&self) -> &Arc<Repository> {
        &self.repo
    }

    /// How many folders the loaded snapshots take in memory; equal ones count once.
    pub fn distinct_folders(&self) -> usize {
        self.shared.len()
    }

    /// Looks whether snapshots or tags have come or gone. Whoever asks about a list does this
    /// anyway.
    ///
    /// # Errors
    /// [`VfsError::Damaged`] where the repository cannot be listed.
    pub fn refresh(&self) -> Result<(), VfsError> {
        self.listing().map(drop)
    }

    pub(super) fn listing(&self) -> Result<Arc<Listing>, VfsError> {
        let snapshots = self.repo.snapshots().map_err(|e| VfsError::Damaged(e.to_string()))?;
        let known = Arc::clone(&self.listing.read());
        if known.generation == snapshots.generation {
            return Ok(known);
        }
        let _one_at_a_time = self.refreshing.lock();
        let old = Arc::clone(&self.listing.read());
        if old.generation >= snapshots.generation {
            return Ok(old);
        }
        // Later than before, whatever the clock does: the kernel sees by it that the list changed.
        let mtime_ns = now_ns().max(old.mtime_ns + 1);
        let has_notes = self.notes.as_ref().is_some_and(|n| n.is_present(&self.repo, &snapshots));
        let fresh = Listing::new(&snapshots, &self.zone, &self.slots, mtime_ns, has_notes);
        let fresh = Arc::new(fresh);
        *self.listing.write() = Arc::clone(&fresh);
        let here: HashSet<IndexId> = snapshots.list.iter().map(|s| s.head.id).collect();
        self.slots.sweep(|id| here.contains(&id));
        self.shared.sweep();
        if let Some(notes) = &self.notes {
            notes.sweep(|id| here.contains(&id));
        }
        if let Some(tell) = self.tell.get() {
            fresh.changes_since(&old).into_iter().for_each(tell);
        }
        Ok(fresh)
    }

    /// The root folder of the snapshot in a slot, loaded if this is the first time.
    pub(super) fn root_of(&self, slot: &Slot) -> Result<Arc<Dir>, VfsError> {
        slot.tree.get(|| {
            let loaded = self.repo.load(slot.id).map_err(|e| match e.is_missing() {
                true => VfsError::Stale,
                false => VfsError::Damaged(e.to_string()),
            })?;
            Ok(tree::build(&self.repo, &loaded, &self.shared))
        })
    }

    /// The view of notes, where there is one.
    pub fn notes(&self) -> Option<&NotesView> {
        self.notes.as_ref()
    }

    /// Asks the view of notes about a folder, if the slot is one of its. `None` where it is not.
    pub(super) fn in_notes<R>(
        &self,
        slot: u32,
        ask: impl FnOnce(&NotesView, Place<'_>) -> Result<R, VfsError>,
    ) -> Option<Result<R, VfsError>> {
        let found = match self.slots.get(slot) {
            Some(found) => found,
            None => return Some(Err(VfsError::Stale)),
        };
        let depth = match found.view {
            View::Notes => 1,
            View::NotesTags => 2,
            View::Snapshots | View::Ids | View::Tags => return None,
        };
        let notes = self.notes.as_ref()?;
        Some(
            self.root_of(&found)
                .and_then(|root| ask(notes, Place { slot, id: found.id, depth, root: &root })),
        )
    }

    /// The view of versions, and what it needs.
    pub(super) fn of_versions(
        &self,
    ) -> Result<(&VersionsView, Arc<Snapshots>, &NotesView), VfsError> {
        let (Some(versions), Some(notes)) = (&self.versions, &self.notes) else {
            return Err(VfsError::Stale);
        };
        let snapshots = self.repo.snapshots().map_err(|e| VfsError::Damaged(e.to_string()))?;
        Ok((versions, snapshots, notes))
    }

    pub(super) fn of_notes(&self) -> Result<&NotesView, VfsError> {
        self.notes.as_ref().ok_or(VfsError::Stale)
    }

    pub(super) fn folder(&self, slot: u32, nth: u32) -> Result<(Slot, Located), VfsError> {
        let slot = self.slots.get(slot).ok_or(VfsError::Stale)?;
        let located = self.root_of(&slot)?.locate(nth).ok_or(VfsError::Stale)?;
        Ok((slot, located))
    }

    /// Finds a name in a folder.
    ///
    /// # Errors
    /// [`VfsError::NotFound`] with the lifetime of that fact, [`VfsError::NotADir`],
    /// [`VfsError::NameTooLong`], [`VfsError::Stale`], [`VfsError::Damaged`].
    pub fn lookup(&self, parent: u64, name: &[u8]) -> Result<Entry, VfsError> {
        let node = ino::node(parent).ok_or(VfsError::Stale)?;
        if name.len() > MAX_NAME && node.is_folder() {
            return Err(VfsError::NameTooLong);
        }
        match node {
            Node::Root => self.lookup_in_root(name),
            Node::View(View::Notes) if name == TAGS_NAME.as_bytes() => {
                Ok(view_entry(View::NotesTags, &*self.listing()?))
            }
            Node::View(View::Notes) if name == LATEST_NAME.as_bytes() => {
                let listing = self.listing()?;
                let target = listing.latest_name().ok_or(VfsError::NotFound(Lifetime::Short))?;
                Ok(latest_entry(ino::NOTES_LATEST, target, &listing))
            }
            Node::Versions(place) => {
                let (versions, snapshots, notes) = self.of_versions()?;
                versions.lookup(place, name, &snapshots, notes)
            }
            Node::View(view) => {
                let listing = self.listing()?;
                let line = listing.find(view, name).ok_or(VfsError::NotFound(Lifetime::Short))?;
                Ok(line_entry(line))
            }
            Node::Folder { slot, nth } => {
                if let Some(found) = self.in_notes(slot, |n, place| n.lookup(place, nth, name)) {
                    return found;
                }
                let (_, located) = self.folder(slot, nth)?;
                let absent = VfsError::NotFound(Lifetime::Forever);
                // Names in a repository are text; what is not, is not there.
                let Ok(name) = std::str::from_utf8(name) else { return Err(absent) };
                self.repo.catalog().with_files(|files| {
                    let i = located.dir.find(name, files).ok_or(absent)?;
                    let child = located.dir.child(i).expect("just found");
                    Ok(child_entry(slot, nth, &child, files))
                })
            }
            Node::Assets { slot, nth } => self
                .in_notes(slot, |notes, place| notes.lookup_attachment(place, nth, name))
                .ok_or(VfsError::Stale)?,
            _ => Err(VfsError::NotADir),
        }
    }

    fn lookup_in_root(&self, name: &[u8]) -> Result<Entry, VfsError> {
        let listing = self.listing()?;
        if let Some((_, view)) = VIEWS.iter().find(|(n, _)| n.as_bytes() == name) {
            return Ok(view_entry(*view, &listing));
        }
        if name == LATEST_NAME.as_bytes() {
            let target = listing.latest.as_ref().ok_or(VfsError::NotFound(Lifetime::Short))?;
            return Ok(latest_entry(ino::LATEST, target, &listing));
        }
        if name == NOTES_NAME.as_bytes() && self.notes.is_some() {
            return match listing.has_notes {
                true => Ok(view_entry(View::Notes, &listing)),
                false => Err(VfsError::NotFound(Lifetime::Short)),
            };
        }
        if name == VERSIONS_NAME.as_bytes()
            && let Some(versions) = &self.versions
        {
            return Ok(versions.root_entry());
        }
        Err(VfsError::NotFound(Lifetime::Forever))
    }

    /// The attributes of a node.
    ///
    /// # Errors
    /// [`VfsError::Stale`], [`VfsError::Damaged`].
    pub fn getattr(&self, ino: u64) -> Result<(Attr, Lifetime), VfsError> {
        match ino::node(ino).ok_or(VfsError::Stale)? {
            Node::Root => Ok((root_attr(&*self.listing()?), Lifetime::Short)),
            Node::View(view) => Ok((view_attr(view, &*self.listing()?), Lifetime::Short)),
            Node::Latest => {
                let listing = self.listing()?;
                let target = listing.latest.as_ref().ok_or(VfsError::Stale)?;
                Ok((latest_attr(ino, target, &listing), Lifetime::Short))
            }
            Node::NotesLatest => {
                let listing = self.listing()?;
                let target = listing.latest_name().ok_or(VfsError::Stale)?;
                Ok((latest_attr(ino, target, &listing), Lifetime::Short))
            }
            Node::Versions(place) => {
                let (versions, snapshots, notes) = self.of_versions()?;
                Ok((versions.getattr(place, &snapshots, notes)?, Lifetime::Short))
            }
            Node::Text(no) => Ok((self.of_notes()?.text_attr(no)?, Lifetime::Forever)),
            Node::Opened(no) => Ok((self.of_notes()?.opened_attr(no)?, Lifetime::Forever)),
            Node::Locked { slot, nth } => {
                Ok((self.of_notes()?.locked_attr(slot, nth), Lifetime::Forever))
            }
            Node::Assets { slot, nth } => {
                let attr = self.in_notes(slot, |notes, place| notes.link_attr(place, nth));
                Ok((attr.ok_or(VfsError::Stale)??, Lifetime::Forever))
            }
            Node::Folder { slot, nth: 0 } => {
                let found = self.slots.get(slot).ok_or(VfsError::Stale)?;
                Ok((dir_attr(ino, found.created), Lifetime::Forever))
            }
            Node::Folder { slot, nth } => {
                let (_, located) = self.folder(slot, nth)?;
                Ok((dir_attr(ino, located.dir.newest()), Lifetime::Forever))
            }
            Node::File(no) => {
                let file = self.repo.catalog().file(no).ok_or(VfsError::Stale)?;
                Ok((file_attr(no, &file), Lifetime::Forever))
            }
        }
    }

    /// Where a symbolic link leads.
    ///
    /// # Errors
    /// [`VfsError::NotALink`], [`VfsError::Stale`], [`VfsError::NotFound`] where nothing is there
    /// to link to.
    pub fn readlink(&self, ino: u64) -> Result<Vec<u8>, VfsError> {
        match ino::node(ino).ok_or(VfsError::Stale)? {
            Node::Latest => {
                let listing = self.listing()?;
                let target = listing.latest.clone();
                Ok(target.ok_or(VfsError::NotFound(Lifetime::Short))?.into_bytes())
            }
            Node::NotesLatest => {
                let listing = self.listing()?;
                let target = listing.latest_name().ok_or(VfsError::NotFound(Lifetime::Short))?;
                Ok(target.as_bytes().to_vec())
            }
            Node::Assets { slot, nth } => {
                let target = self.in_notes(slot, |notes, place| notes.readlink(place, nth));
                Ok(target.ok_or(VfsError::Stale)??.into_bytes())
            }
            _ => Err(VfsError::NotALink),
        }
    }

    /// Reads a file: `len` bytes at `offset`, less at its end, none behind it. Every byte has been
    /// authenticated and identified.
    ///
    /// # Errors
    /// [`VfsError::IsADir`], [`VfsError::Stale`], [`VfsError::Damaged`].
    pub fn read(&self, ino: u64, offset: u64, len: usize) -> Result<Bytes, VfsError> {
        match ino::node(ino).ok_or(VfsError::Stale)? {
            Node::File(no) => self.repo.read(no, offset, len).map_err(|e| match e {
                ReadError::NoSuchFile => VfsError::Stale,
                e => VfsError::Damaged(e.to_string()),
            }),
            Node::Text(no) => self.of_notes()?.read_text(no, offset, len),
            Node::Opened(no) => self.of_notes()?.read_opened(no, offset, len),
            Node::Locked { .. } => Ok(self.of_notes()?.read_locked(offset, len)),
            Node::Latest | Node::NotesLatest | Node::Assets { .. } => {
                Err(VfsError::NotFound(Lifetime::Short))
            }
            Node::Root | Node::View(_) | Node::Folder { .. } | Node::Versions(_) => {
                Err(VfsError::IsADir)
            }
        }
    }

    /// Names of the extended attributes of a node.
    ///
    /// # Errors
    /// [`VfsError::Stale`], [`VfsError::Damaged`].
    pub fn listxattr(&self, ino: u64) -> Result<Vec<&'static str>, VfsError> {
        Ok(self.xattrs(ino)?.into_iter().map(|(name, _)| name).collect())
    }

    /// The value of an extended attribute.
    ///
    /// # Errors
    /// [`VfsError::NoAttribute`], [`VfsError::Stale`], [`VfsError::Damaged`].
    pub fn getxattr(&self, ino: u64, name: &[u8]) -> Result<Vec<u8>, VfsError> {
        let found = self.xattrs(ino)?.into_iter().find(|(n, _)| n.as_bytes() == name);
        found.map(|(_, value)| value).ok_or(VfsError::NoAttribute)
    }

    fn xattrs(&self, ino: u64) -> Result<Vec<(&'static str, Vec<u8>)>, VfsError> {
        match ino::node(ino).ok_or(VfsError::Stale)? {
            Node::File(no) => {
                Ok(xattr::of_file(&self.repo.catalog().file(no).ok_or(VfsError::Stale)?))
            }
            Node::Folder { slot, nth: 0 } => {
                let slot = self.slots.get(slot).ok_or(VfsError::Stale)?;
                let snapshots =
                    self.repo.snapshots().map_err(|e| VfsError::Damaged(e.to_string()))?;
                Ok(xattr::of_snapshot(snapshots.get(slot.id).ok_or(VfsError::Stale)?))
            }
            _ => Ok(Vec::new()),
        }
    }

    /// What `df` shows. The size is measured when this is first asked; in a very large repository it
    /// is estimated.
    pub fn stats(&self) -> Stats {
        Stats { bytes: self.size.bytes(self.repo.store()), files: self.repo.catalog().len() as u64 }
    }
}

fn now_ns() -> i128 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => since.as_nanos() as i128,
        Err(before) => -(before.duration().as_nanos() as i128),
    }
}
