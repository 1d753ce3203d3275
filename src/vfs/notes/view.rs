//! Questions about folders of notes, and their answers.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::format::{FileId, IndexId};
use crate::repo::{Bytes, File, FileNo, Repository, Snapshots, parallel};
use crate::siyuan::notes::crypt;
use crate::siyuan::notes::text::is_id;

use super::super::VfsError;
use super::super::attr::{Attr, Entry, Item, Kind, Lifetime};
use super::super::ino;
use super::super::tree::Dir;
use super::assets::ASSETS;
use super::dirs::{LOCKED, Line, NoteDir, Role, STORAGE, What};
use super::engine::{Engine, Text, TextNo};
use super::shelf::{Shelf, note_id};

/// Notes whose texts are made at a time for a listing.
const AT_ONCE: usize = 256;
/// Offset of the first line after `.` and `..`.
pub(super) const FIRST: u64 = 2;
/// Records that are read to find out whether a repository holds notes, before all of a snapshot is.
const SAMPLE: usize = 256;
/// Largest attachment of an encrypted notebook that is decrypted, bytes: it has to be done at once.
const LARGEST_OPENED: u64 = 1 << 30;

/// Where a question is asked: a snapshot as it appears in a list of notes.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Its slot.
    pub slot: u32,
    /// Which snapshot.
    pub id: IndexId,
    /// Folders between the root of the mount and the snapshot's own: 1 in `notes/`, 2 in `notes/tags/`.
    pub depth: usize,
    /// Its folders.
    pub root: &'a Arc<Dir>,
}

/// The view of notes.
#[derive(Debug)]
pub struct NotesView {
    engine: Engine,
    shown: bool,
    shelves: Mutex<HashMap<IndexId, Arc<Shelf>>>,
    /// The last snapshot that was looked at for notes, and whether it has some.
    present: Mutex<Option<(Option<IndexId>, bool)>>,
}

/// A folder of notes that was found.
pub(super) struct Found {
    pub dir: Arc<NoteDir>,
    pub role: Role,
    pub trail: Vec<(Box<str>, Arc<Dir>)>,
}

impl NotesView {
    /// The view that an engine makes; with `shown`, there is a folder for it.
    pub fn new(engine: Engine, shown: bool) -> Self {
        Self { engine, shown, shelves: Mutex::default(), present: Mutex::new(None) }
    }

    /// What makes the texts.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Whether the newest snapshot holds notes. Once some were found the answer stays.
    pub fn is_present(&self, repo: &Repository, snapshots: &Snapshots) -> bool {
        if !self.shown {
            return false;
        }
        let mut present = self.present.lock();
        match *present {
            Some((_, true)) => return true,
            Some((id, false)) if id == snapshots.latest => return false,
            _ => {}
        }
        let found = snapshots.latest.is_some_and(|id| holds_notes(repo, id));
        *present = Some((snapshots.latest, found));
        found
    }

    /// Forgets the snapshots that `stays` does not know any more.
    pub fn sweep(&self, stays: impl Fn(IndexId) -> bool) {
        self.shelves.lock().retain(|id, _| stays(*id));
        self.engine.dirs().sweep();
    }

    /// Whether there is a folder for it.
    pub fn shown(&self) -> bool {
        self.shown
    }

    /// A snapshot as its notes see it.
    pub fn shelf(&self, id: IndexId, root: &Arc<Dir>) -> Arc<Shelf> {
        let mut shelves = self.shelves.lock();
        // Each may hold the places of all blocks of its snapshot.
        if shelves.len() > 8 && !shelves.contains_key(&id) {
            shelves.clear();
        }
        let shelf = shelves.entry(id).or_insert_with(|| Arc::new(Shelf::new(Arc::clone(root))));
        Arc::clone(shelf)
    }

    pub(super) fn found(&self, place: Place<'_>, nth: u32) -> Result<Found, VfsError> {
        let trail = place.root.trail(nth).ok_or(VfsError::Stale)?;
        let notebooks = || self.engine.dirs().get(&self.engine, place.root, Role::Snapshot);
        let role = match &trail[..] {
            [_] => Role::Snapshot,
            [_, (notebook, _), rest @ ..] => {
                let is_locked =
                    |line: &Line| line.id == *notebook && matches!(line.what, What::Locked(_));
                let in_assets = rest.first().is_some_and(|(name, _)| &**name == ASSETS);
                if notebooks().lines.iter().any(is_locked) {
                    Role::Locked
                } else if in_assets && self.engine.vault().has(notebook) {
                    Role::Assets
                } else if is_storage(&trail) {
                    Role::Sheets
                } else if is_id(notebook) && rest.iter().all(|(name, _)| is_id(name)) {
                    Role::Notes
                } else {
                    // A folder of the snapshot that no name leads to here.
                    return Err(VfsError::Stale);
                }
            }
            [] => return Err(VfsError::Stale),
        };
        let here = &trail[trail.len() - 1].1;
        let dir = self.engine.dirs().get(&self.engine, here, role);
        Ok(Found { dir, role, trail })
    }

    /// Finds a name in a folder.
    ///
    /// # Errors
    /// [`VfsError::NotFound`], [`VfsError::Stale`], [`VfsError::Damaged`].
    pub fn lookup(&self, place: Place<'_>, nth: u32, name: &[u8]) -> Result<Entry, VfsError> {
        let found = self.found(place, nth)?;
        if name == ASSETS.as_bytes()
            && let Some(entry) = self.assets_entry(place, nth, &found)
        {
            return Ok(entry);
        }
        let line = found.dir.find(name).ok_or(VfsError::NotFound(Lifetime::Forever))?;
        let text = match line.what {
            What::Note(no) | What::Sheet(no) => {
                Some(self.engine.text(no, &self.shelf(place.id, place.root)))
            }
            _ => None,
        };
        self.entry(place, nth, line, text)
    }

    /// Lists a folder after `.` and `..`, which are the first two offsets.
    ///
    /// # Errors
    /// [`VfsError::Stale`], [`VfsError::Damaged`].
    pub fn readdir(
        &self,
        place: Place<'_>,
        nth: u32,
        offset: u64,
        take: &mut dyn FnMut(Item<'_>) -> bool,
    ) -> Result<(), VfsError> {
        let found = self.found(place, nth)?;
        if offset <= FIRST
            && let Some(entry) = self.assets_entry(place, nth, &found)
            && !take(Item { name: ASSETS.as_bytes(), entry, next: FIRST + 1 })
        {
            return Ok(());
        }
        let from = usize::try_from(offset.saturating_sub(FIRST + 1)).unwrap_or(usize::MAX);
        let lines = found.dir.lines.get(from..).unwrap_or(&[]);
        let shelf = self.shelf(place.id, place.root);
        let mut next = FIRST + 1 + from as u64;
        for lines in lines.chunks(AT_ONCE) {
            let note = |line: &Line| match line.what {
                What::Note(no) | What::Sheet(no) => Some(no),
                _ => None,
            };
            let notes: Vec<FileNo> = lines.iter().filter_map(note).collect();
            let mut texts = self.engine.texts(&notes, &shelf).into_iter();
            for line in lines {
                let text = note(line).and_then(|_| texts.next());
                next += 1;
                // What has vanished under our hands is no line.
                let Ok(entry) = self.entry(place, nth, line, text) else { continue };
                if !take(Item { name: line.name.as_bytes(), entry, next }) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn entry(
        &self,
        place: Place<'_>,
        nth: u32,
        line: &Line,
        text: Option<Result<Text, VfsError>>,
    ) -> Result<Entry, VfsError> {
        let attr = match (line.what, text) {
            (What::Folder(first) | What::Locked(first), _) => {
                let located = place.root.locate(nth + first).ok_or(VfsError::Stale)?;
                dir_attr(ino::folder(place.slot, nth + first), located.dir.newest())
            }
            (What::Note(_) | What::Sheet(_), Some(Ok(text))) => text_attr(text),
            // Shown with one byte, so that who copies it reads it, and gets the error.
            (What::Note(no) | What::Sheet(no), _) => file_attr(ino::opened(no), 1, self.mtime(no)?),
            (What::Opened(no), _) => self.opened_attr(no)?,
            (What::HowToUnlock, _) => {
                let ino = ino::locked(place.slot, nth);
                file_attr(ino, LOCKED.len() as u64, 0)
            }
        };
        Ok(forever(attr))
    }

    /// The attributes of a note's text in a snapshot.
    ///
    /// # Errors
    /// [`VfsError::Stale`].
    pub fn note_attr(&self, no: FileNo, shelf: &Shelf) -> Result<Attr, VfsError> {
        match self.engine.text(no, shelf) {
            Ok(text) => Ok(text_attr(text)),
            Err(_) => Ok(file_attr(ino::opened(no), 1, self.mtime(no)?)),
        }
    }

    fn mtime(&self, no: FileNo) -> Result<i64, VfsError> {
        Ok(self.engine.entry(no)?.updated)
    }

    /// The attributes of a text.
    ///
    /// # Errors
    /// [`VfsError::Stale`].
    pub fn text_attr(&self, no: TextNo) -> Result<Attr, VfsError> {
        self.engine.listed(no).map(text_attr).ok_or(VfsError::Stale)
    }

    /// The attributes of a file that is decrypted.
    ///
    /// # Errors
    /// [`VfsError::Stale`], [`VfsError::Damaged`].
    pub fn opened_attr(&self, no: FileNo) -> Result<Attr, VfsError> {
        let entry = self.engine.entry(no)?;
        if is_note(&entry.path) {
            return Ok(file_attr(ino::opened(no), 1, entry.updated));
        }
        let head = self.engine.repo().read(no, 0, 7);
        let size = head.map_or(1, |head| crypt::plain_size(&head, entry.size));
        Ok(file_attr(ino::opened(no), size, entry.updated))
    }

    /// Attributes of the text that says how to unlock.
    pub fn locked_attr(&self, slot: u32, nth: u32) -> Attr {
        file_attr(ino::locked(slot, nth), LOCKED.len() as u64, 0)
    }

    /// Bytes of a text.
    ///
    /// # Errors
    /// [`VfsError::Damaged`], [`VfsError::Stale`].
    pub fn read_text(&self, no: TextNo, offset: u64, len: usize) -> Result<Bytes, VfsError> {
        Ok(part(&self.engine.bytes(no)?, offset, len))
    }

    /// Bytes of a file that is decrypted.
    ///
    /// # Errors
    /// [`VfsError::Damaged`], [`VfsError::Stale`].
    pub fn read_opened(&self, no: FileNo, offset: u64, len: usize) -> Result<Bytes, VfsError> {
        let entry = self.engine.entry(no)?;
        if is_note(&entry.path) {
            // It is listed so because its text could not be made.
            self.engine.plain(no, u64::MAX)?;
            return Err(VfsError::Damaged(format!("{} could not be read at first", entry.path)));
        }
        Ok(part(&self.engine.opened(no, LARGEST_OPENED)?, offset, len))
    }

    /// Bytes of the text that says how to unlock.
    pub fn read_locked(&self, offset: u64, len: usize) -> Bytes {
        part(LOCKED.as_bytes(), offset, len)
    }
}

/// Whether this is the way to the databases of a snapshot or notebook.
fn is_storage(trail: &[(Box<str>, Arc<Dir>)]) -> bool {
    let names: Vec<&str> = trail[1..].iter().map(|(name, _)| &**name).collect();
    names == STORAGE || (names.len() == 3 && is_id(names[0]) && names[1..] == STORAGE)
}

/// Whether a path is that of a note.
fn is_note(path: &str) -> bool {
    note_id(path.rsplit_once('/').map_or(path, |(_, name)| name)).is_some()
}

fn part(bytes: &[u8], offset: u64, len: usize) -> Bytes {
    let from = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
    let to = from.saturating_add(len).min(bytes.len());
    Bytes::Joined(bytes[from..to].to_vec())
}

pub(super) fn forever(attr: Attr) -> Entry {
    Entry { attr, name_lifetime: Lifetime::Forever, attr_lifetime: Lifetime::Forever }
}

pub(super) fn dir_attr(ino: u64, newest: i64) -> Attr {
    Attr { kind: Kind::Dir, ..file_attr(ino, 0, newest) }
}

pub(super) fn file_attr(ino: u64, size: u64, mtime_ms: i64) -> Attr {
    Attr { ino, kind: Kind::File, size, mtime_ns: i128::from(mtime_ms) * 1_000_000 }
}

fn text_attr(text: Text) -> Attr {
    file_attr(ino::text(text.no), text.size, text.mtime)
}

/// Whether a snapshot holds notes. A sample of its records says so in most cases; otherwise all of them
/// do, but for a repository of our own, where notes are the exception.
fn holds_notes(repo: &Repository, id: IndexId) -> bool {
    let in_notebook = |path: &str| {
        let path = path.strip_prefix('/').unwrap_or(path);
        path.split('/').next().is_some_and(is_id) && is_note(path)
    };
    let Ok(index) = repo.objects().index(id) else { return false };
    let step = index.files.len().div_ceil(SAMPLE).max(1);
    let sample: Vec<_> = index.files.iter().step_by(step).copied().collect();
    let any = |sample: &[FileId]| {
        let read = parallel::map(sample, |file| repo.objects().record(*file));
        read.iter().flatten().any(|record| in_notebook(&record.path))
    };
    // Where there are notes, most files are: a few say so, and each is a cold look at a random place.
    let few: Vec<_> = sample.iter().step_by(SAMPLE / parallel::IN_FLIGHT).copied().collect();
    if any(&few) || any(&sample) {
        return true;
    }
    let is_siyuans = repo.store().size(crate::format::own::NAME).is_err();
    if step == 1 || !is_siyuans {
        return false;
    }
    let Ok(loaded) = repo.load(id) else { return false };
    repo.catalog().with_files(|files| {
        loaded.files.iter().any(|no| match &files[no.0 as usize] {
            File::Known(entry) => in_notebook(&entry.path),
            File::Bad(_) => false,
        })
    })
}
