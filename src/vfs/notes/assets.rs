//! Where the attachments of a notebook are: what a link `assets/…` in its notes means.
//!
//! SiYuan looks in the data folder first, then in the note's notebook, then in the others. Most workspaces
//! have one folder of attachments, and `assets` beside notes is a link to that. Where there are more, it is
//! a folder of all that is in them, each name as SiYuan resolves it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::repo::FileNo;
use crate::siyuan::notes::text::is_id;

use super::super::tree::{Child, Dir};
use super::dirs;
use super::engine::Engine;

/// The name of folders of attachments.
pub const ASSETS: &str = "assets";

/// What `assets` beside the notes of a notebook is.
#[derive(Debug, Clone)]
pub enum Attached {
    /// There is none.
    Nowhere,
    /// A link to this folder of the snapshot.
    Folder(String),
    /// A folder of these names.
    Merged(Arc<[Attachment]>),
}

/// Something in a folder that is made of several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// Its name.
    pub name: Box<str>,
    /// Its path in the snapshot.
    pub path: Box<str>,
    /// What it is.
    pub(super) what: What,
}

/// What an attachment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    File(FileNo),
    /// A folder, by its place in the walk through the snapshot.
    Folder(u32),
}

/// The folders of attachments of a snapshot, but for those of encrypted notebooks.
#[derive(Debug)]
pub(super) struct Attachments {
    sources: Vec<Source>,
    merged: Mutex<HashMap<Box<str>, Arc<[Attachment]>>>,
}

/// A folder of a snapshot.
#[derive(Debug)]
struct Source {
    /// Its place in the walk through the snapshot.
    nth: u32,
    path: String,
    dir: Arc<Dir>,
    /// The notebook that it lies in, if any.
    notebook: Option<Box<str>>,
}

impl Attachments {
    /// Finds them.
    pub fn new(engine: &Engine, root: &Arc<Dir>) -> Self {
        let mut sources = Vec::new();
        // Folders of notes, and the snapshot itself.
        let root = Source { nth: 0, path: String::new(), dir: Arc::clone(root), notebook: None };
        let mut left = vec![root];
        while let Some(here) = left.pop() {
            let is_notebook = here.notebook.is_some() && !here.path.contains('/');
            if is_notebook && dirs::notebook(engine, &here.dir).encrypted {
                continue;
            }
            let below = left.len();
            engine.repo().catalog().with_files(|files| {
                for i in 0..here.dir.len() {
                    let Some(Child::Dir(dir, first)) = here.dir.child(i) else { continue };
                    let name = here.dir.name(i, files);
                    let path = match here.path.is_empty() {
                        true => name.to_owned(),
                        false => format!("{}/{name}", here.path),
                    };
                    let nth = here.nth + first;
                    if name == ASSETS {
                        let notebook = here.notebook.clone();
                        sources.push(Source { nth, path, dir, notebook });
                    } else if is_id(name) {
                        let notebook = Some(here.notebook.clone().unwrap_or_else(|| name.into()));
                        left.push(Source { nth, path, dir, notebook });
                    }
                }
            });
            left[below..].reverse();
        }
        Self { sources, merged: Mutex::default() }
    }

    /// The paths of all of them.
    pub fn folders(&self) -> Vec<String> {
        self.sources.iter().map(|source| source.path.clone()).collect()
    }

    /// What a notebook that is not encrypted has.
    pub fn of(&self, engine: &Engine, notebook: &str) -> Attached {
        match &self.sources[..] {
            [] => Attached::Nowhere,
            [one] => Attached::Folder(one.path.clone()),
            _ => {
                let mut merged = self.merged.lock();
                let known = merged.get(notebook).cloned();
                Attached::Merged(known.unwrap_or_else(|| {
                    let made = self.merge(engine, notebook);
                    merged.insert(notebook.into(), Arc::clone(&made));
                    made
                }))
            }
        }
    }

    fn merge(&self, engine: &Engine, notebook: &str) -> Arc<[Attachment]> {
        let mut order: Vec<&Source> = self.sources.iter().collect();
        order.sort_by_key(|source| match &source.notebook {
            None => 0,
            Some(own) if **own == *notebook => 1,
            Some(_) => 2,
        });
        let mut found: BTreeMap<Box<str>, Attachment> = BTreeMap::new();
        engine.repo().catalog().with_files(|files| {
            for source in order {
                for i in 0..source.dir.len() {
                    let name = source.dir.name(i, files);
                    let what = match source.dir.child(i) {
                        Some(Child::File(no)) => What::File(no),
                        Some(Child::Dir(_, first)) => What::Folder(source.nth + first),
                        None => continue,
                    };
                    let path = format!("{}/{name}", source.path).into();
                    let entry = found.entry(name.into());
                    entry.or_insert_with(|| Attachment { name: name.into(), path, what });
                }
            }
        });
        found.into_values().collect()
    }
}
