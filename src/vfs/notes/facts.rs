//! What may be remembered of notes between runs. Who keeps it, and how, is not this room's business.

use crate::format::FileId;

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

/// A memory of notes by their File IDs. It may forget whatever it likes.
pub trait Facts: Send + Sync {
    /// What is remembered of a note.
    fn get(&self, id: FileId) -> Option<Fact>;
    /// Something to remember. Called again for the same ID where more is known. Never called for notes
    /// of encrypted notebooks: nothing of them may be kept.
    fn put(&self, id: FileId, fact: &Fact);
}

/// Remembers nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Forgetful;

impl Facts for Forgetful {
    fn get(&self, _: FileId) -> Option<Fact> {
        None
    }
    fn put(&self, _: FileId, _: &Fact) {}
}
