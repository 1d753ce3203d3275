//! A snapshot as notes see it: where its files are, and which note holds which block.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use crate::repo::{File, FileNo};
use crate::siyuan::notes::text::is_id;

use super::super::tree::{Child, Dir};
use super::assets::Attachments;
use super::dirs;
use super::engine::Engine;

/// See the module's documentation.
#[derive(Debug)]
pub struct Shelf {
    /// The snapshot's folders.
    pub root: Arc<Dir>,
    blocks: OnceLock<HashMap<u64, FileNo>>,
    attachments: OnceLock<Attachments>,
}

impl Shelf {
    /// The shelf of a snapshot's folders.
    pub fn new(root: Arc<Dir>) -> Self {
        Self { root, blocks: OnceLock::new(), attachments: OnceLock::new() }
    }

    /// The file at a path.
    pub(super) fn file(&self, engine: &Engine, path: &str) -> Option<FileNo> {
        engine.repo().catalog().with_files(|files| match self.root.walk(path, files)? {
            Child::File(no) => Some(no),
            Child::Dir(..) => None,
        })
    }

    /// The IDs of its notebooks, sorted.
    pub(super) fn boxes(&self, engine: &Engine) -> Vec<String> {
        engine.repo().catalog().with_files(|files| {
            let names = (0..self.root.len()).filter_map(|i| {
                let is_dir = matches!(self.root.child(i)?, Child::Dir(..));
                let name = self.root.name(i, files);
                (is_dir && is_id(name)).then(|| name.to_owned())
            });
            names.collect()
        })
    }

    /// Its folders of attachments.
    pub(super) fn attachments(&self, engine: &Engine) -> &Attachments {
        self.attachments.get_or_init(|| Attachments::new(engine, &self.root))
    }

    /// All its notes, but for those of notebooks that are locked.
    fn notes(&self, engine: &Engine) -> Vec<FileNo> {
        let mut left: Vec<Arc<Dir>> = Vec::new();
        for notebook in self.boxes(engine) {
            let found =
                engine.repo().catalog().with_files(|files| self.root.walk(&notebook, files));
            let Some(Child::Dir(dir, _)) = found else { continue };
            // One of its files may be plain all the same: nothing else may show it.
            if engine.vault().has(&notebook) || !dirs::notebook(engine, &dir).encrypted {
                left.push(dir);
            }
        }
        engine.repo().catalog().with_files(|files| Self::notes_in(left, files))
    }

    fn notes_in(mut left: Vec<Arc<Dir>>, files: &[File]) -> Vec<FileNo> {
        let mut notes = Vec::new();
        while let Some(dir) = left.pop() {
            for i in 0..dir.len() {
                let name = dir.name(i, files);
                match dir.child(i) {
                    Some(Child::File(no)) if note_id(name).is_some() => notes.push(no),
                    Some(Child::Dir(sub, _)) if is_id(name) => left.push(sub),
                    _ => {}
                }
            }
        }
        notes
    }

    /// The note that holds a block. The first question reads all notes, unless it is for a note.
    pub(super) fn note_of(&self, engine: &Engine, block: &str) -> Option<FileNo> {
        let blocks = self.blocks.get_or_init(|| engine.index_blocks(&self.notes(engine)));
        blocks.get(&hash(block)).copied()
    }
}

/// The ID of the note whose file has this name.
pub fn note_id(name: &str) -> Option<&str> {
    name.strip_suffix(".sy").filter(|id| is_id(id))
}

/// IDs take much room; 64 bits of a digest tell a hundred million apart.
pub(super) fn hash(id: &str) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    hasher.finish()
}
