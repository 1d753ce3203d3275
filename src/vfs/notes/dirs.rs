//! Folders of the view: what stands in a folder of a snapshot that holds notes, by their names.
//!
//! Such a folder is a function of the snapshot's folder alone, so snapshots that share that share it, and
//! its inode is that of the snapshot's folder in a slot of its own.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::repo::FileNo;
use crate::siyuan::notes::names;
use crate::siyuan::notes::notebook::{self, Notebook};
use crate::siyuan::notes::{crypt, text::is_id};

use super::super::tree::{Child, Dir};
use super::engine::Engine;
use super::shelf::note_id;

/// Something in a folder of the view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its name.
    pub name: Box<str>,
    /// The ID of the note or notebook.
    pub id: Box<str>,
    /// What it is.
    pub what: What,
}

/// What something in a folder of the view is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// A note.
    Note(FileNo),
    /// A database.
    Sheet(FileNo),
    /// A folder: its place in the walk through the one that it lies in.
    Folder(u32),
    /// A notebook that was not unlocked, likewise.
    Locked(u32),
    /// A file of an encrypted notebook.
    Opened(FileNo),
    /// The text that says how to open a notebook.
    HowToUnlock,
}

/// A folder of the view, in the order of the names' bytes.
#[derive(Debug, PartialEq, Eq)]
pub struct NoteDir {
    /// What is in it.
    pub lines: Box<[Line]>,
}

impl NoteDir {
    /// Finds a name.
    pub fn find(&self, name: &[u8]) -> Option<&Line> {
        let at = self.lines.binary_search_by(|line| line.name.as_bytes().cmp(name)).ok()?;
        Some(&self.lines[at])
    }
}

/// What a folder of a snapshot is to this view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Role {
    /// The snapshot: its folders are notebooks.
    Snapshot,
    /// A notebook, or the children of a note.
    Notes,
    /// A notebook that was not unlocked.
    Locked,
    /// Attachments of a notebook that was.
    Assets,
    /// Databases.
    Sheets,
}

/// Folders that were made, by what they were made of.
#[derive(Debug, Default)]
pub(super) struct Dirs {
    made: Mutex<HashMap<(usize, Role), Made>>,
}

/// A folder of the view, and what it was made of.
type Made = (Weak<Dir>, Arc<NoteDir>);

/// The text of `LOCKED.txt`.
pub const LOCKED: &str = "This notebook is encrypted, and its password was not given.\n\
    Mount again with `revu mount --unlock NAME`, NAME being the notebook's, to read it.\n";
/// The folders that lead to databases in a snapshot or notebook.
pub(super) const STORAGE: [&str; 2] = ["storage", "av"];
/// The name of the folder of databases.
const DATABASES: &str = "databases";
/// The name of that file.
pub const LOCKED_NAME: &str = "LOCKED.txt";

impl Dirs {
    /// The view's folder for a folder of a snapshot.
    pub fn get(&self, engine: &Engine, dir: &Arc<Dir>, role: Role) -> Arc<NoteDir> {
        // The weak reference keeps the address from being used again.
        let key = (Arc::as_ptr(dir) as usize, role);
        if let Some((_, made)) = self.made.lock().get(&key) {
            return Arc::clone(made);
        }
        let databases = match role {
            Role::Snapshot | Role::Notes => databases(engine, dir),
            _ => None,
        };
        let mut lines = match role {
            Role::Snapshot => notebooks(engine, dir),
            Role::Notes => notes(engine, dir),
            Role::Assets => files(engine, dir),
            Role::Sheets => sheets(engine, dir),
            Role::Locked => {
                vec![Line { name: LOCKED_NAME.into(), id: Box::default(), what: What::HowToUnlock }]
            }
        };
        lines.extend(databases);
        lines.sort_by(|a, b| a.name.as_bytes().cmp(b.name.as_bytes()));
        let made = Arc::new(NoteDir { lines: lines.into() });
        self.made.lock().insert(key, (Arc::downgrade(dir), Arc::clone(&made)));
        made
    }

    /// Forgets folders of snapshots that are gone.
    pub fn sweep(&self) {
        self.made.lock().retain(|_, (dir, _)| dir.strong_count() > 0);
    }
}

/// What a snapshot says of a notebook whose folder this is.
pub(super) fn notebook(engine: &Engine, folder: &Arc<Dir>) -> Notebook {
    let read = |path: &str| {
        let no = engine.repo().catalog().with_files(|files| match folder.walk(path, files)? {
            Child::File(no) => Some(no),
            Child::Dir(..) => None,
        })?;
        engine.plain(no, notebook::LARGEST).ok()
    };
    let mut known =
        read(".siyuan/conf.json").map(|json| Notebook::parse(&json)).unwrap_or_default();
    if let Some(backup) = read(crypt::BACKUP) {
        known.add_backup(&backup);
    }
    known
}

fn notebooks(engine: &Engine, root: &Arc<Dir>) -> Vec<Line> {
    let found: Vec<(String, Arc<Dir>, u32)> = engine.repo().catalog().with_files(|files| {
        let of_child = |i: usize| match root.child(i)? {
            Child::Dir(dir, first) if is_id(root.name(i, files)) => {
                Some((root.name(i, files).to_owned(), dir, first))
            }
            _ => None,
        };
        (0..root.len()).filter_map(of_child).collect()
    });
    let titles: Vec<(String, bool)> = found
        .iter()
        .map(|(id, dir, _)| {
            let known = notebook(engine, dir);
            match known.encrypted && !engine.vault().has(id) {
                true => (format!("{} (encrypted)", known.name), true),
                false => (known.name, false),
            }
        })
        .collect();
    let ids_and_titles = found.iter().zip(&titles).map(|((id, ..), (title, _))| (&**id, &**title));
    let names = names::assign(ids_and_titles);
    let mut lines = Vec::with_capacity(found.len());
    for (((id, _, first), (_, locked)), name) in found.into_iter().zip(titles).zip(names) {
        let what = if locked { What::Locked(first) } else { What::Folder(first) };
        lines.push(Line { name: name.into(), id: id.into(), what });
    }
    lines
}

fn notes(engine: &Engine, dir: &Arc<Dir>) -> Vec<Line> {
    #[derive(Default)]
    struct Found {
        note: Option<FileNo>,
        folder: Option<u32>,
    }
    let mut found: HashMap<String, Found> = HashMap::new();
    engine.repo().catalog().with_files(|files| {
        for i in 0..dir.len() {
            let name = dir.name(i, files);
            match dir.child(i) {
                Some(Child::File(no)) => {
                    if let Some(id) = note_id(name) {
                        found.entry(id.to_owned()).or_default().note = Some(no);
                    }
                }
                Some(Child::Dir(_, first)) if is_id(name) => {
                    found.entry(name.to_owned()).or_default().folder = Some(first);
                }
                _ => {}
            }
        }
    });
    let mut found: Vec<(String, Found)> = found.into_iter().collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    let notes: Vec<FileNo> = found.iter().filter_map(|(_, found)| found.note).collect();
    let mut about = engine.about(&notes).into_iter();
    let titles: Vec<String> = found
        .iter()
        .map(|(_, found)| match found.note.and_then(|_| about.next()) {
            Some(about) => about.title.clone(),
            None => String::new(),
        })
        .collect();
    let names = names::assign(found.iter().zip(&titles).map(|((id, _), title)| (&**id, &**title)));
    let mut lines = Vec::new();
    for ((id, found), name) in found.into_iter().zip(names) {
        if let Some(no) = found.note {
            let name = format!("{name}.md").into();
            lines.push(Line { name, id: id.as_str().into(), what: What::Note(no) });
        }
        if let Some(first) = found.folder {
            lines.push(Line { name: name.into(), id: id.into(), what: What::Folder(first) });
        }
    }
    lines
}

/// The folder of databases, where a snapshot or notebook has some.
fn databases(engine: &Engine, dir: &Arc<Dir>) -> Option<Line> {
    let place = |dir: &Arc<Dir>, name: &str| {
        engine.repo().catalog().with_files(|files| match dir.child(dir.find(name, files)?)? {
            Child::Dir(sub, first) => Some((sub, first)),
            Child::File(_) => None,
        })
    };
    let (storage, first) = place(dir, STORAGE[0])?;
    let (av, second) = place(&storage, STORAGE[1])?;
    if sheets(engine, &av).is_empty() {
        return None;
    }
    let what = What::Folder(first + second);
    Some(Line { name: DATABASES.into(), id: Box::default(), what })
}

fn sheets(engine: &Engine, dir: &Arc<Dir>) -> Vec<Line> {
    let found: Vec<(String, FileNo)> = engine.repo().catalog().with_files(|files| {
        let of_child = |i: usize| match dir.child(i)? {
            Child::File(no) => {
                let id = dir.name(i, files).strip_suffix(".json").filter(|id| is_id(id))?;
                Some((id.to_owned(), no))
            }
            Child::Dir(..) => None,
        };
        (0..dir.len()).filter_map(of_child).collect()
    });
    let about = engine.about(&found.iter().map(|(_, no)| *no).collect::<Vec<_>>());
    let ids_and_titles = found.iter().zip(&about).map(|((id, _), about)| (&**id, &*about.title));
    let names = names::assign(ids_and_titles);
    let line = |((id, no), name): ((String, FileNo), String)| Line {
        name: format!("{name}.csv").into(),
        id: id.into(),
        what: What::Sheet(no),
    };
    found.into_iter().zip(names).map(line).collect()
}

fn files(engine: &Engine, dir: &Arc<Dir>) -> Vec<Line> {
    engine.repo().catalog().with_files(|files| {
        let line = |i: usize| {
            let what = match dir.child(i)? {
                Child::File(no) => What::Opened(no),
                Child::Dir(_, first) => What::Folder(first),
            };
            Some(Line { name: dir.name(i, files).into(), id: Box::default(), what })
        };
        (0..dir.len()).filter_map(line).collect()
    })
}
