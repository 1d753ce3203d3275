//! Refs: small files that name an index.

use crate::format::{IndexId, layout};

use super::{Store, StoreError, StoreProblem};

/// More than any ref has: 40 digits and a line end.
const MAX_REF: u64 = 4096;

/// A ref that does not name an index.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RefError {
    /// It cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It holds something else.
    #[error("{place}/{key}: it should hold an index ID of 40 hexadecimal digits, but does not")]
    NotAnId {
        /// The repository.
        place: String,
        /// The ref's key.
        key: String,
    },
}

/// Reads a ref; white space around the ID does not count. `None` where there is no such ref.
///
/// # Errors
/// [`RefError`].
pub fn read(store: &Store, key: &str) -> Result<Option<IndexId>, RefError> {
    let bytes = match store.get(key, MAX_REF) {
        Ok(bytes) => bytes,
        Err(StoreError { problem: StoreProblem::Missing, .. }) => return Ok(None),
        Err(e) => return Err(e.into()),
    };
    let id = std::str::from_utf8(&bytes).ok().and_then(|text| text.trim().parse().ok());
    id.map(Some).ok_or_else(|| RefError::NotAnId { place: store.place(), key: key.to_owned() })
}

/// A tag as it was found: its name, and the index that it names or why it names none.
pub type Tag = (String, Result<IndexId, RefError>);

/// All tags, sorted by name.
///
/// # Errors
/// [`StoreError`] where the folder of the tags cannot be listed.
pub fn tags(store: &Store) -> Result<Vec<Tag>, StoreError> {
    let mut tags: Vec<_> = store
        .list(layout::TAGS)?
        .into_iter()
        .filter(|listed| !listed.is_folder && !is_temporary(&listed.name))
        .filter_map(|listed| match read(store, &layout::tag(&listed.name)) {
            Ok(Some(id)) => Some((listed.name, Ok(id))),
            // Removed since it was listed.
            Ok(None) => None,
            Err(e) => Some((listed.name, Err(e))),
        })
        .collect();
    tags.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(tags)
}

/// Whether this is a file that a writer has not finished, see the local backend's `put`.
pub fn is_temporary(name: &str) -> bool {
    name.starts_with(".revu-") && name.ends_with(".tmp")
}
