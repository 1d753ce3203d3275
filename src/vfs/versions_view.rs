//! Questions about `versions/`, and their answers. Its trees are made when they are first entered, and
//! anew when a snapshot has come or gone.

use std::sync::Arc;

use jiff::tz::TimeZone;
use parking_lot::Mutex;

use crate::format::IndexId;
use crate::repo::{Repository, Snapshots};

use super::VfsError;
use super::attr::{Attr, Entry, Item, Lifetime};
use super::entries::{dir_attr, file_attr, short};
use super::ino::VersionsPlace;
use super::notes::{NotesView, Shelf};
use super::tree::Shared;
use super::versions::{All, Folder, Version, Versions, shelf};

/// Names of the folders of files and of notes.
const TOPS: [(&str, bool); 2] = [("files", false), ("notes", true)];
/// Offset of the first line after `.` and `..`.
const FIRST: u64 = 2;
/// Snapshots that are kept while a folder of versions is listed.
const SHELVES: usize = 8;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct VersionsView {
    repo: Arc<Repository>,
    zone: TimeZone,
    shared: Shared,
    state: Mutex<State>,
    shelves: Mutex<Vec<(IndexId, Arc<Shelf>)>>,
}

#[derive(Debug, Default)]
struct State {
    /// Of which state of the list of snapshots the rest is.
    generation: u64,
    build: u32,
    all: Option<Arc<All>>,
    files: Option<Arc<Versions>>,
    notes: Option<Arc<Versions>>,
}

/// A tree, and the snapshots that its versions name.
struct Built {
    build: u32,
    of_notes: bool,
    all: Arc<All>,
    tree: Arc<Versions>,
}

impl VersionsView {
    pub fn new(repo: Arc<Repository>, zone: TimeZone) -> Self {
        Self {
            repo,
            zone,
            shared: Shared::default(),
            state: Mutex::default(),
            shelves: Mutex::default(),
        }
    }

    pub fn root_entry(&self) -> Entry {
        let newest = self.repo.snapshots().map_or(0, |snapshots| newest(&snapshots));
        short(dir_attr(VersionsPlace::Root.ino(), newest))
    }

    fn top_entry(of_notes: bool, snapshots: &Snapshots) -> Entry {
        short(dir_attr(VersionsPlace::Top { of_notes }.ino(), newest(snapshots)))
    }

    /// The tree as it is now, made if it is not there. Whoever comes meanwhile waits.
    fn built(&self, of_notes: bool, snapshots: &Snapshots, notes: &NotesView) -> Built {
        let mut state = self.state.lock();
        if state.generation != snapshots.generation || state.all.is_none() {
            let build = state.build.wrapping_add(1);
            let all = Some(Arc::new(All::read(&self.repo, snapshots)));
            let generation = snapshots.generation;
            *state = State { generation, build, all, ..State::default() };
        }
        let all = Arc::clone(state.all.as_ref().expect("it was made"));
        let known = if of_notes { &state.notes } else { &state.files };
        let tree = match known {
            Some(tree) => Arc::clone(tree),
            None => Arc::new(match of_notes {
                true => all.notes(&self.repo, notes, &self.shared, &self.zone),
                false => all.files(&self.repo, &self.zone),
            }),
        };
        let place = if of_notes { &mut state.notes } else { &mut state.files };
        *place = Some(Arc::clone(&tree));
        Built { build: state.build & 0xff_ffff, of_notes, all, tree }
    }

    /// The tree that a folder is in, and its number there.
    fn tree_of(
        &self,
        place: VersionsPlace,
        snapshots: &Snapshots,
        notes: &NotesView,
    ) -> Result<Option<(Built, u32)>, VfsError> {
        match place {
            VersionsPlace::Root => Ok(None),
            VersionsPlace::Top { of_notes } => {
                Ok(Some((self.built(of_notes, snapshots, notes), 0)))
            }
            VersionsPlace::Folder { build, of_notes, nth } => {
                let built = self.built(of_notes, snapshots, notes);
                match built.build == build && (nth as usize) < built.tree.folders.len() {
                    true => Ok(Some((built, nth))),
                    false => Err(VfsError::Stale),
                }
            }
        }
    }

    /// Finds a name in a folder.
    ///
    /// # Errors
    /// [`VfsError`].
    pub fn lookup(
        &self,
        place: VersionsPlace,
        name: &[u8],
        snapshots: &Snapshots,
        notes: &NotesView,
    ) -> Result<Entry, VfsError> {
        let absent = VfsError::NotFound(Lifetime::Short);
        let Some((built, nth)) = self.tree_of(place, snapshots, notes)? else {
            let found = tops(notes).find(|(top, _)| top.as_bytes() == name);
            return found.map(|(_, of_notes)| Self::top_entry(of_notes, snapshots)).ok_or(absent);
        };
        let Ok(name) = std::str::from_utf8(name) else { return Err(absent) };
        let folder = &built.tree.folders[nth as usize];
        if let Some((_, version)) = folder.versions.iter().find(|(known, _)| **known == *name) {
            return self.version_entry(&built, *version, notes);
        }
        let found = built.tree.find(folder, name).ok_or(absent)?;
        Ok(built.folder_entry(found))
    }

    /// The attributes of a folder.
    ///
    /// # Errors
    /// [`VfsError::Stale`].
    pub fn getattr(
        &self,
        place: VersionsPlace,
        snapshots: &Snapshots,
        notes: &NotesView,
    ) -> Result<Attr, VfsError> {
        Ok(match place {
            VersionsPlace::Root => self.root_entry().attr,
            // What is in it need not be known for this.
            VersionsPlace::Top { of_notes } => Self::top_entry(of_notes, snapshots).attr,
            VersionsPlace::Folder { .. } => {
                let (built, nth) = self.tree_of(place, snapshots, notes)?.ok_or(VfsError::Stale)?;
                built.folder_entry(nth).attr
            }
        })
    }

    /// Lists a folder.
    ///
    /// # Errors
    /// [`VfsError`].
    pub fn readdir(
        &self,
        place: VersionsPlace,
        offset: u64,
        snapshots: &Snapshots,
        notes: &NotesView,
        root: Entry,
        take: &mut dyn FnMut(Item<'_>) -> bool,
    ) -> Result<(), VfsError> {
        let found = self.tree_of(place, snapshots, notes)?;
        let own = short(self.getattr(place, snapshots, notes)?);
        let above = match (&found, place) {
            (None, _) => root,
            (Some(_), VersionsPlace::Top { .. }) => self.root_entry(),
            (Some((built, nth)), _) => match built.tree.folders[*nth as usize].parent {
                0 => Self::top_entry(built.of_notes, snapshots),
                parent => built.folder_entry(parent),
            },
        };
        for (name, entry, at) in [(".", own, 0), ("..", above, 1)] {
            if offset <= at && !take(Item { name: name.as_bytes(), entry, next: at + 1 }) {
                return Ok(());
            }
        }
        let from = usize::try_from(offset.saturating_sub(FIRST)).unwrap_or(usize::MAX);
        let Some((built, nth)) = found else {
            for (i, (name, of_notes)) in tops(notes).enumerate().skip(from) {
                let entry = Self::top_entry(of_notes, snapshots);
                if !take(Item { name: name.as_bytes(), entry, next: FIRST + i as u64 + 1 }) {
                    break;
                }
            }
            return Ok(());
        };
        let Folder { versions, folders, .. } = &built.tree.folders[nth as usize];
        for i in from..versions.len() + folders.len() {
            let (name, entry) = match versions.get(i) {
                Some((name, version)) => match self.version_entry(&built, *version, notes) {
                    Ok(entry) => (name, entry),
                    // Its snapshot has just gone.
                    Err(_) => continue,
                },
                None => {
                    let folder = folders[i - versions.len()];
                    (&built.tree.folders[folder as usize].name, built.folder_entry(folder))
                }
            };
            if !take(Item { name: name.as_bytes(), entry, next: FIRST + i as u64 + 1 }) {
                break;
            }
        }
        Ok(())
    }

    fn version_entry(
        &self,
        built: &Built,
        version: Version,
        notes: &NotesView,
    ) -> Result<Entry, VfsError> {
        // The name leads elsewhere when another version of the same second comes.
        let of =
            |attr| Entry { attr, name_lifetime: Lifetime::Short, attr_lifetime: Lifetime::Forever };
        if !built.of_notes {
            let file = self.repo.catalog().file(version.no).ok_or(VfsError::Stale)?;
            return Ok(of(file_attr(version.no, &file)));
        }
        let shelf = self.shelf(built.all.snapshots[version.snapshot as usize])?;
        Ok(of(notes.note_attr(version.no, &shelf)?))
    }

    fn shelf(&self, id: IndexId) -> Result<Arc<Shelf>, VfsError> {
        let mut shelves = self.shelves.lock();
        if let Some((_, known)) = shelves.iter().find(|(known, _)| *known == id) {
            return Ok(Arc::clone(known));
        }
        let made = Arc::new(shelf(&self.repo, id, &self.shared).ok_or(VfsError::Stale)?);
        if shelves.len() == SHELVES {
            shelves.remove(0);
        }
        shelves.push((id, Arc::clone(&made)));
        Ok(made)
    }
}

/// The time of the newest snapshot.
fn newest(snapshots: &Snapshots) -> i64 {
    snapshots.list.last().map_or(0, |snapshot| snapshot.head.created)
}

/// The folders of `versions/` that there are.
fn tops(notes: &NotesView) -> impl Iterator<Item = (&'static str, bool)> {
    let shown = notes.shown();
    TOPS.into_iter().filter(move |(_, of_notes)| shown || !of_notes)
}

impl Built {
    fn folder_entry(&self, nth: u32) -> Entry {
        let place = VersionsPlace::Folder { build: self.build, of_notes: self.of_notes, nth };
        let attr = dir_attr(place.ino(), self.tree.folders[nth as usize].newest);
        Entry { attr, name_lifetime: Lifetime::Short, attr_lifetime: Lifetime::Short }
    }
}
