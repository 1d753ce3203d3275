//! Tags: names for snapshots. A tagged snapshot stays, whatever a purge is told.

use std::time::Duration;

use crate::format::key::is_invisible;
use crate::format::{IndexId, layout};
use crate::repo::{ObjectError, Repository};
use crate::store::lock::{Kind, Lock, LockError};
use crate::store::refs::{self, RefError};
use crate::store::{Store, StoreError};

/// How long to wait for a purge to end.
const WAIT: Duration = Duration::from_secs(10);

/// Characters that SiYuan takes in no tag (its rule for names of files; the slash is one on every
/// system).
const RESERVED: &[char] = &['\\', '/', ':', '*', '?', '"', '\'', '<', '>', '|'];

/// The longest name, bytes: DejaVu writes a tag under its name with 11 bytes more, and a file system
/// takes 255.
const MOST: usize = 244;

/// Why a tag was not added or removed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum TagError {
    /// It cannot be a tag's name.
    #[error("`{name}` cannot be a tag: {why}")]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// There is such a tag.
    #[error("there is a tag `{name}` already, {}: remove it first with `revu tag remove`, or take another name", of(.id))]
    Exists {
        /// The name.
        name: String,
        /// The snapshot that it names, if that can be read.
        id: Option<IndexId>,
    },
    /// There is no such tag.
    #[error("there is no tag `{0}`: `revu tag list` shows those that there are")]
    Missing(String),
    /// What should be tagged went meanwhile.
    #[error("snapshot {0} was purged just now, so it has no tag")]
    Gone(IndexId),
    /// The snapshot cannot be read.
    #[error("no tag was added, since the snapshot is damaged: {0}")]
    Snapshot(#[from] ObjectError),
    /// A purge is under way.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The tag cannot be read or written.
    #[error("{0}")]
    Store(#[from] StoreError),
}

fn of(id: &Option<IndexId>) -> String {
    id.map_or_else(
        || "though it cannot be read".to_owned(),
        |id| format!("of snapshot {}", id.short()),
    )
}

/// Whether a name can be a tag's. All that SiYuan takes can, spaces and every script included, but
/// for hidden names and those that mean something else where a snapshot is named.
///
/// # Errors
/// [`TagError::Name`].
pub fn check_name(name: &str) -> Result<(), TagError> {
    let why = if name.is_empty() {
        "it is empty"
    } else if name.trim() != name {
        "it begins or ends with a space"
    } else if name.contains(is_invisible) {
        "it has characters that nobody sees"
    } else if name.contains(RESERVED) {
        r#"it has one of \ / : * ? " ' < > |, which SiYuan does not allow"#
    } else if name.starts_with('.') {
        "it begins with a dot, which makes it a hidden file"
    } else if name.len() > MOST {
        "it is too long (244 bytes are the most)"
    } else if name == "latest" || name.starts_with("latest~") {
        "it means the newest snapshot, or one before it"
    } else if name.parse::<IndexId>().is_ok() {
        "it is the ID of a snapshot"
    } else {
        return Ok(());
    };
    Err(TagError::Name { name: name.to_owned(), why })
}

/// Whether a tag can be added: who makes a snapshot to tag should know before.
///
/// # Errors
/// [`TagError::Name`], [`TagError::Exists`], [`TagError::Store`].
pub fn check_free(store: &Store, name: &str) -> Result<(), TagError> {
    check_name(name)?;
    match refs::read(store, &layout::tag(name)) {
        Ok(None) => Ok(()),
        Ok(id @ Some(_)) => Err(TagError::Exists { name: name.to_owned(), id }),
        Err(RefError::NotAnId { .. }) => Err(TagError::Exists { name: name.to_owned(), id: None }),
        Err(RefError::Store(e)) => Err(e.into()),
    }
}

/// Gives a snapshot a name that none has.
///
/// # Errors
/// [`TagError`]; then there is no such tag, or it is as it was.
pub fn add(repo: &Repository, name: &str, id: IndexId) -> Result<(), TagError> {
    let store = repo.store();
    check_free(store, name)?;
    let lock = Lock::take(store, Kind::Shared, "tag add", WAIT, &|| false)?;
    add_locked(repo, name, id, &lock)
}

/// As [`add`], for who holds a lock already.
///
/// # Errors
/// As [`add`].
pub fn add_locked(repo: &Repository, name: &str, id: IndexId, lock: &Lock) -> Result<(), TagError> {
    let store = repo.store();
    check_free(store, name)?;
    repo.objects().index(id)?;
    lock.still_held()?;
    let key = layout::tag(name);
    store.put_new(&key, id.to_string().as_bytes()).map_err(|e| match e.exists() {
        true => {
            TagError::Exists { name: name.to_owned(), id: refs::read(store, &key).ok().flatten() }
        }
        false => e.into(),
    })?;
    // SiYuan purges without a look at revu's locks: from now on it heeds the tag.
    match store.meta(&layout::index(id)) {
        Err(e) if e.is_missing() => {
            store.delete(&key)?;
            Err(TagError::Gone(id))
        }
        _ => Ok(()),
    }
}

/// Takes a name away; its snapshot stays until it is purged. The key is not needed.
///
/// # Errors
/// [`TagError`]; then the tag is there still, but where the system failed half-way.
pub fn remove(store: &Store, name: &str) -> Result<(), TagError> {
    let missing = || TagError::Missing(name.to_owned());
    // By the list, since a name that cannot be added may be there, and `..` be no tag.
    let is_it = |listed: &crate::store::Listed| !listed.is_folder && listed.name == name;
    if !store.list(layout::TAGS)?.iter().any(is_it) {
        return Err(missing());
    }
    let _lock = Lock::take(store, Kind::Shared, "tag remove", WAIT, &|| false)?;
    store.delete(&layout::tag(name))?;
    Ok(store.sync()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_siyuan_takes() {
        for good in ["v1", "发布 1.0", "a b", "été", "x.tmp", "2024-05-01", "latest2", "~", "a#b"]
        {
            check_name(good).unwrap();
        }
        check_name(&"x".repeat(MOST)).unwrap();
        let long = "签".repeat(MOST / 3 + 1);
        for bad in [
            "",
            " ",
            " a",
            "a ",
            "a/b",
            "..",
            ".",
            ".hidden",
            "a\0b",
            "a\nb",
            "a\u{200b}b",
            "a:b",
            "a\\b",
            "a*",
            "a?",
            "\"a\"",
            "it's",
            "<a>",
            "a|b",
            "latest",
            "latest~",
            "latest~2",
            &long,
            "0123456789abcdef0123456789abcdef01234567",
        ] {
            assert!(matches!(check_name(bad), Err(TagError::Name { .. })), "{bad:?}");
        }
    }
}
