//! Notes as Markdown, the way SiYuan's own export writes them: references as their text, embedded
//! blocks as quotations, no front matter, default settings.
//!
//! A note is read, its tree is prepared (`prepare`: what an export drops, flattens, embeds), and
//! then written node by node.

mod blocks;
mod embeds;
mod html_tables;
mod inline;
mod lists;
mod marks;
mod prepare;
mod refs;
mod tables;
#[cfg(test)]
mod tests;
mod writer;

pub(super) use inline::escaped;

use std::sync::Arc;

use super::tree::{NoteError, Tree};

/// The most Markdown that is written of one note, bytes.
pub const LARGEST: usize = 64 << 20;

/// What a note needs of its snapshot beside its own file. Whoever answers may remember what was
/// asked: where all answers are the same, the Markdown is.
pub trait Library {
    /// The note that holds the block of that ID.
    fn note_of(&self, block: &str) -> Option<Arc<Tree>>;
    /// The file of the database of that ID, plain JSON.
    fn database(&self, id: &str) -> Option<Arc<[u8]>>;
    /// The file that links in the note call `path` (`assets/…`).
    fn asset(&self, path: &str) -> Option<Arc<[u8]>>;
    /// Where a link to the block of that ID leads, percent-encoded; `None` to write references as
    /// their text, as SiYuan does.
    fn link(&self, block: &str) -> Option<String>;
    /// The zone in which times of databases are shown.
    fn zone(&self) -> jiff::tz::TimeZone {
        jiff::tz::TimeZone::system()
    }
}

/// A library without books.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nothing;

impl Library for Nothing {
    fn note_of(&self, _: &str) -> Option<Arc<Tree>> {
        None
    }
    fn database(&self, _: &str) -> Option<Arc<[u8]>> {
        None
    }
    fn asset(&self, _: &str) -> Option<Arc<[u8]>> {
        None
    }
    fn link(&self, _: &str) -> Option<String> {
        None
    }
}

/// The Markdown of a note.
///
/// # Errors
/// [`NoteError::TooLarge`], [`NoteError::TooMuchMarkdown`].
pub fn render(mut tree: Tree, library: &dyn Library) -> Result<String, NoteError> {
    prepare::prepare(&mut tree, library)?;
    blocks::write(&tree).ok_or(NoteError::TooMuchMarkdown)
}
