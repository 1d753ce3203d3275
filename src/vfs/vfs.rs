//! The model: questions about nodes and their answers.

use std::sync::{Arc, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use jiff::tz::TimeZone;
use parking_lot::{Mutex, RwLock};

use crate::repo::{Bytes, ReadError, Repository};

use super::attr::{Attr, Entry, Item, Lifetime, Stats};
use super::entries::{
    child_entry, dir_attr, file_attr, forever, latest_attr, latest_entry, line_entry, root_attr,
    short, view_attr, view_entry,
};
use super::escape::MAX_NAME;
use super::ino::{self, Node, View};
use super::listing::Listing;
use super::notes::{Engine, NotesOptions, NotesView, Place};
use super::slots::{Slot, Slots};
use super::tree::{self, Dir, Located, Shared};
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
    repo: Arc<Repository>,
    zone: TimeZone,
    slots: Slots,
    shared: Shared,
    listing: RwLock<Arc<Listing>>,
    /// Held while a new listing is made, so that one thread does it.
    refreshing: Mutex<()>,
    tell: Arc<OnceLock<Tell>>,
    size: super::attr::SizeMeter,
    notes: Option<NotesView>,
}

impl std::fmt::Debug for Vfs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Vfs({:?})", self.repo)
    }
}

/// The folders of the root, in the order of their names.
const VIEWS: [(&str, View); 3] =
    [("ids", View::Ids), ("snapshots", View::Snapshots), ("tags", View::Tags)];

const LATEST_NAME: &str = "latest";
const NOTES_NAME: &str = "notes";
const TAGS_NAME: &str = "tags";

impl Vfs {
    /// The tree of `repo`, with its lists of snapshots and tags read.
    ///
    /// # Errors
    /// [`VfsError::Damaged`] where the repository cannot be listed.
    pub fn new(repo: Arc<Repository>, options: VfsOptions) -> Result<Self, VfsError> {
        Self::build(repo, options, None)
    }

    /// The same, with the notes of SiYuan by their names beside it, where the repository holds some.
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
            let NotesOptions { links, vault, facts } = options;
            // Times in notes are those of the clock on the wall, whatever snapshots are called.
            let zone = TimeZone::system();
            NotesView::new(Engine::new(Arc::clone(&repo), zone, links, vault, facts))
        });
        let vfs = Self {
            notes,
            repo,
            zone: if options.utc { TimeZone::UTC } else { TimeZone::system() },
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

    fn listing(&self) -> Result<Arc<Listing>, VfsError> {
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
        self.slots.sweep(|id| snapshots.get(id).is_some());
        self.shared.sweep();
        if let Some(notes) = &self.notes {
            notes.sweep(|id| snapshots.get(id).is_some());
        }
        if let Some(tell) = self.tell.get() {
            fresh.changes_since(&old).into_iter().for_each(tell);
        }
        Ok(fresh)
    }

    /// The root folder of the snapshot in a slot, loaded if this is the first time.
    fn root_of(&self, slot: &Slot) -> Result<Arc<Dir>, VfsError> {
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
    fn in_notes<R>(
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

    fn of_notes(&self) -> Result<&NotesView, VfsError> {
        self.notes.as_ref().ok_or(VfsError::Stale)
    }

    fn folder(&self, slot: u32, nth: u32) -> Result<(Slot, Located), VfsError> {
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

    /// Lists a folder from `offset` on (0: from the beginning, with `.` and `..`) in the order of the
    /// names' bytes, until `take` answers `false`: that line was not taken and comes again. A
    /// listing that goes on after the list has changed misses and repeats nothing that stayed.
    ///
    /// # Errors
    /// [`VfsError::NotADir`], [`VfsError::Stale`], [`VfsError::Damaged`].
    pub fn readdir(
        &self,
        ino: u64,
        offset: u64,
        take: &mut dyn FnMut(Item<'_>) -> bool,
    ) -> Result<(), VfsError> {
        match ino::node(ino).ok_or(VfsError::Stale)? {
            Node::Root => self.read_root(offset, take),
            Node::View(view) => self.read_view(view, offset, take),
            Node::Folder { slot, nth } => self.read_folder(ino, slot, nth, offset, take),
            _ => Err(VfsError::NotADir),
        }
    }

    fn read_root(
        &self,
        offset: u64,
        take: &mut dyn FnMut(Item<'_>) -> bool,
    ) -> Result<(), VfsError> {
        let listing = self.listing()?;
        let root = short(root_attr(&listing));
        let [ids, snapshots, tags] = VIEWS;
        let view = |(name, view): (&'static str, View)| (name, view_entry(view, &listing));
        let latest =
            listing.latest.as_ref().map(|target| latest_entry(ino::LATEST, target, &listing));
        let lines = [
            Some((".", root)),
            Some(("..", root)),
            Some(view(ids)),
            latest.map(|entry| (LATEST_NAME, entry)),
            listing.has_notes.then(|| (NOTES_NAME, view_entry(View::Notes, &listing))),
            Some(view(snapshots)),
            Some(view(tags)),
        ];
        for (line, next) in
            lines.into_iter().zip(1..).skip(usize::try_from(offset).unwrap_or(usize::MAX))
        {
            let Some((name, entry)) = line else { continue };
            if !take(Item { name: name.as_bytes(), entry, next }) {
                break;
            }
        }
        Ok(())
    }

    fn read_view(
        &self,
        view: View,
        offset: u64,
        take: &mut dyn FnMut(Item<'_>) -> bool,
    ) -> Result<(), VfsError> {
        let listing = self.listing()?;
        if offset == 0 {
            let entry = view_entry(view, &listing);
            if !take(Item { name: b".", entry, next: 1 }) {
                return Ok(());
            }
        }
        if offset <= 1 {
            let entry = match view {
                View::NotesTags => view_entry(View::Notes, &listing),
                _ => short(root_attr(&listing)),
            };
            if !take(Item { name: b"..", entry, next: FIRST }) {
                return Ok(());
            }
        }
        let offset = match view {
            View::Notes => match self.read_notes_head(&listing, offset, take) {
                Some(offset) => offset,
                None => return Ok(()),
            },
            _ => offset,
        };
        let lines = listing.lines(view);
        let from = match offset.checked_sub(FIRST) {
            None | Some(0) => 0,
            // Places in a list shift, slots do not: go on behind the name of the last one.
            Some(slot) => match u32::try_from(slot).ok().and_then(|slot| self.slots.get(slot)) {
                Some(last) => {
                    lines.partition_point(|line| line.name.as_bytes() <= last.name.as_bytes())
                }
                None => lines.partition_point(|line| u64::from(line.slot) <= slot),
            },
        };
        for line in &lines[from..] {
            let next = FIRST + u64::from(line.slot);
            if !take(Item { name: line.name.as_bytes(), entry: line_entry(line), next }) {
                break;
            }
        }
        Ok(())
    }

    /// The two lines of `notes/` that are no snapshots. Gives the offset to go on at, unless the
    /// listing ends here.
    fn read_notes_head(
        &self,
        listing: &Listing,
        offset: u64,
        take: &mut dyn FnMut(Item<'_>) -> bool,
    ) -> Option<u64> {
        let latest = listing.latest_name();
        let latest = latest.map(|target| latest_entry(ino::NOTES_LATEST, target, listing));
        let tags = Some(view_entry(View::NotesTags, listing));
        for (at, (name, entry)) in
            [(LATEST_NAME, latest), (TAGS_NAME, tags)].into_iter().enumerate()
        {
            let place = NOTES_HEAD + at as u64;
            let done = offset > place || (offset > FIRST && offset < NOTES_HEAD);
            let Some(entry) = entry.filter(|_| !done) else { continue };
            if !take(Item { name: name.as_bytes(), entry, next: place + 1 }) {
                return None;
            }
        }
        Some(if offset >= NOTES_HEAD { FIRST } else { offset })
    }

    fn read_folder(
        &self,
        ino: u64,
        slot: u32,
        nth: u32,
        offset: u64,
        take: &mut dyn FnMut(Item<'_>) -> bool,
    ) -> Result<(), VfsError> {
        let (found, located) = self.folder(slot, nth)?;
        if offset == 0 {
            let attr = self.getattr(ino)?.0;
            if !take(Item { name: b".", entry: forever(attr), next: 1 }) {
                return Ok(());
            }
        }
        if offset <= 1 {
            let entry = match located.parent {
                Some(parent) => forever(self.getattr(ino::folder(slot, parent))?.0),
                None => view_entry(found.view, &*self.listing()?),
            };
            if !take(Item { name: b"..", entry, next: FIRST }) {
                return Ok(());
            }
        }
        if let Some(listed) = self.in_notes(slot, |n, place| n.readdir(place, nth, offset, take)) {
            return listed;
        }
        let from = usize::try_from(offset.saturating_sub(FIRST)).unwrap_or(usize::MAX);
        self.repo.catalog().with_files(|files| {
            for i in from..located.dir.len() {
                let child = located.dir.child(i).expect("within the folder's length");
                let entry = child_entry(slot, nth, &child, files);
                let name = located.dir.name(i, files).as_bytes();
                if !take(Item { name, entry, next: FIRST + i as u64 + 1 }) {
                    break;
                }
            }
        });
        Ok(())
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
            Node::Root | Node::View(_) | Node::Folder { .. } => Err(VfsError::IsADir),
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

/// Offset of the first line after `.` and `..`.
const FIRST: u64 = 2;
/// Offset of the lines of `notes/` that are no snapshots. Beyond all slots, so that it is none.
const NOTES_HEAD: u64 = 1 << 40;

fn now_ns() -> i128 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => since.as_nanos() as i128,
        Err(before) => -(before.duration().as_nanos() as i128),
    }
}
