//! Notes of SiYuan for the commands that look into snapshots: the same names and the same Markdown as a
//! mount shows.

use std::sync::Arc;

use jiff::tz::TimeZone;

use crate::format::IndexId;
use crate::repo::{FileNo, Repository};
use crate::siyuan::notes::crypt::Vault;
use crate::vfs::notes::{Attached, Engine, Facts, Shelf, Shown};
use crate::vfs::tree::{self, Child, Shared};

use super::error::{DAMAGED, FAILED, Failure, failure};

/// Reads notes of one repository.
#[derive(Debug)]
pub struct NoteReader {
    repo: Arc<Repository>,
    engine: Engine,
    shared: Shared,
}

impl NoteReader {
    /// A reader that opens the notebooks whose keys it is given. `facts`: what is remembered between runs.
    pub fn new(repo: Arc<Repository>, vault: Vault, facts: Arc<dyn Facts>) -> Self {
        let zone = TimeZone::system();
        let engine = Engine::new(Arc::clone(&repo), zone, false, vault, facts);
        Self { repo, engine, shared: Shared::default() }
    }

    /// A snapshot's notes.
    ///
    /// # Errors
    /// Where its index is damaged.
    pub fn shelf(&self, id: IndexId) -> Result<Shelf, Failure> {
        let loaded = self.repo.load(id)?;
        Ok(Shelf::new(tree::build(&self.repo, &loaded, &self.shared)))
    }

    /// All notes of a snapshot, and its locked notebooks.
    pub fn all(&self, shelf: &Shelf) -> (Vec<Shown>, Vec<String>) {
        self.engine.all(shelf)
    }

    /// All databases of a snapshot.
    pub fn sheets(&self, shelf: &Shelf) -> Vec<Shown> {
        self.engine.sheets(shelf)
    }

    /// The paths of the folders of attachments of a snapshot.
    pub fn asset_folders(&self, shelf: &Shelf) -> Vec<String> {
        self.engine.asset_folders(shelf)
    }

    /// What `assets` beside the notes of a notebook is.
    pub fn attached(&self, shelf: &Shelf, notebook: &str) -> Attached {
        self.engine.attached(shelf, notebook)
    }

    /// The note at a path without a slash before it: that of its file, or its name in `notes/`, with
    /// `.md` or without.
    ///
    /// # Errors
    /// Where there is none, or it is in a locked notebook.
    pub fn find(&self, shelf: &Shelf, path: &str) -> Result<Shown, Failure> {
        let (all, locked) = self.all(shelf);
        let by_file =
            self.repo.catalog().with_files(|files| match shelf.root.walk(path, files)? {
                Child::File(no) => Some(no),
                Child::Dir(..) => None,
            });
        let named = |shown: &&Shown| {
            Some(shown.note) == by_file
                || shown.path == path
                || shown.path.strip_suffix(".md") == Some(path)
        };
        if let Some(found) = all.iter().find(named) {
            return Ok(found.clone());
        }
        let sentence = match locked.is_empty() {
            true => {
                format!("there is no note /{path} in the snapshot: `revu mount` shows their names")
            }
            false => format!(
                "there is no note /{path} in the snapshot, unless it is in an encrypted notebook ({})",
                locked.join(", ")
            ),
        };
        Err(failure("no_path", FAILED, sentence))
    }

    /// The Markdown of a note.
    ///
    /// # Errors
    /// Exit code 3 where its file is damaged.
    pub fn markdown(&self, note: FileNo, shelf: &Shelf) -> Result<Arc<[u8]>, Failure> {
        self.engine.markdown(note, shelf).map_err(|e| Failure::new("damaged", DAMAGED, &e))
    }

    /// When a note was changed, milliseconds since 1970.
    pub fn updated(&self, note: FileNo) -> i64 {
        self.engine.about(&[note])[0].mtime
    }
}
