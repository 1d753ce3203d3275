//! What may be remembered of notes between runs. Who keeps it, and how, is not this file's business: see
//! [`super::KeptFacts`].

use crate::format::Id;
use crate::repo::FileEntry;

/// What a list shows of one version of a note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// The note's title.
    pub title: String,
    /// When it was changed, as its file says: 14 digits, local time.
    pub updated: String,
    /// Bytes of its Markdown, where that needs nothing but its own file, and has been made.
    pub size: Option<u64>,
}

/// Which version of a note, shown how. It changes with all that the facts depend on but for the program
/// itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FactKey(pub(super) Id);

impl FactKey {
    /// The key of a file. A File ID says path and time; what the content is, its chunks say. `links`:
    /// references are links to the notes' files, so sizes differ.
    pub fn new(file: &FileEntry, links: bool) -> Self {
        let chunks = file.content.chunks();
        let mut all = Vec::with_capacity(20 * (1 + chunks.len()) + 1);
        all.extend_from_slice(file.id.0.as_bytes());
        all.push(u8::from(links));
        for chunk in chunks {
            all.extend_from_slice(chunk.0.as_bytes());
        }
        Self(Id::digest(&all))
    }
}

/// A memory of notes. It may forget whatever it likes.
pub trait Facts: Send + Sync {
    /// What is remembered of a note.
    fn get(&self, key: FactKey) -> Option<Fact>;
    /// Something to remember. Called again for the same key where more is known. Never called for notes
    /// of encrypted notebooks: nothing of them may be kept.
    fn put(&self, key: FactKey, fact: &Fact);
}

/// Remembers nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Forgetful;

impl Facts for Forgetful {
    fn get(&self, _: FactKey) -> Option<Fact> {
        None
    }
    fn put(&self, _: FactKey, _: &Fact) {}
}
