//! Every ref that a repository has: for who must not overlook one.

use crate::format::{IndexId, layout};
use crate::store::refs::{self, RefError};
use crate::store::{Store, StoreError};

/// Refs lie in `refs/` and `refs/tags/`; in folders deeper than this nobody has put one.
const MAX_DEPTH: usize = 8;

/// A ref as it was found.
#[derive(Debug, Clone)]
pub struct Ref {
    /// Its key.
    pub key: String,
    /// The index that it names, or why it names none.
    pub id: Result<IndexId, RefError>,
}

impl Ref {
    /// How it is called in messages: `latest`, `latest-sync`, `tag x`, or its key.
    pub fn name(&self) -> String {
        match (self.key.strip_prefix("refs/"), self.tag()) {
            (_, Some(tag)) => format!("tag {tag}"),
            (Some(name), None) => name.to_owned(),
            (None, None) => self.key.clone(),
        }
    }

    /// The tag, if it is one.
    pub fn tag(&self) -> Option<&str> {
        self.key.strip_prefix(layout::TAGS)?.strip_prefix('/')
    }
}

/// All refs, sorted by their keys. What is left of an interrupted write does not count, unless it
/// names an index.
///
/// # Errors
/// [`StoreError`] where they cannot be listed.
pub fn all(store: &Store) -> Result<Vec<Ref>, StoreError> {
    let mut found = Vec::new();
    walk(store, layout::REFS, 0, &mut found)?;
    found.sort_by(|a, b| a.key.cmp(&b.key));
    let keys: Vec<String> = found.iter().map(|found| found.key.clone()).collect();
    found.retain(|found| found.id.is_ok() || !is_leftover(&found.key, &keys));
    Ok(found)
}

fn walk(store: &Store, folder: &str, depth: usize, found: &mut Vec<Ref>) -> Result<(), StoreError> {
    let not_an_id = |key: String| {
        let id = Err(RefError::NotAnId { place: store.place(), key: key.clone() });
        Ref { key, id }
    };
    if has_unnameable(store, folder) {
        found.push(not_an_id(format!("{folder}/ (a name in it that is not UTF-8)")));
    }
    let listed = store.list(folder)?;
    // An empty folder is no ref: whoever makes and removes refs may leave one behind. In the place of
    // the one ref whose name is known it hides that ref.
    if folder == layout::LATEST {
        found.push(not_an_id(folder.to_owned()));
    }
    for listed in listed {
        let key = format!("{folder}/{}", listed.name);
        if listed.is_folder {
            if depth == MAX_DEPTH {
                found.push(not_an_id(key));
            } else {
                walk(store, &key, depth + 1, found)?;
            }
        } else if !refs::is_temporary(&listed.name) {
            match refs::read(store, &key) {
                Ok(Some(id)) => found.push(Ref { key, id: Ok(id) }),
                // Removed since it was listed.
                Ok(None) => {}
                Err(e) => found.push(Ref { key, id: Err(e) }),
            }
        }
    }
    Ok(())
}

/// Whether a name in a local folder is not UTF-8, which no list of a store has: a tag that was
/// copied from a system of another encoding is a tag all the same.
fn has_unnameable(store: &Store, folder: &str) -> bool {
    let Some(root) = store.folder() else { return false };
    let Ok(entries) = std::fs::read_dir(root.join(folder)) else { return false };
    entries.flatten().any(|entry| entry.file_name().to_str().is_none())
}

/// DejaVu writes `<name><7 letters or digits>.tmp` and renames it to `<name>`; a full disk leaves the
/// former behind.
fn is_leftover(key: &str, keys: &[String]) -> bool {
    let Some(stem) = key.strip_suffix(".tmp") else { return false };
    let Some((name, random)) = stem.len().checked_sub(7).and_then(|at| stem.split_at_checked(at))
    else {
        return false;
    };
    random.bytes().all(|b| b.is_ascii_alphanumeric()) && keys.iter().any(|other| other == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef01234567";

    #[test]
    fn none_is_overlooked() {
        let store = Store::memory();
        for key in [
            "refs/latest",
            "refs/latest-sync",
            "refs/latest-12-abc",
            "refs/tags/v1",
            "refs/tags/deep/er",
            "refs/tags/x.tmp",
            "refs/latestAb12345.tmp",
        ] {
            store.put(key, ID.as_bytes()).unwrap();
        }
        store.put("refs/tags/bad", b"").unwrap();
        store.put("refs/tags/v1Ab12345.tmp", b"0123").unwrap();
        store.put("refs/tags/v2Ab12345.tmp", b"0123").unwrap();
        store.put("refs/tags/.revu-1.tmp", b"0123").unwrap();
        let all = all(&store).unwrap();
        let told: Vec<_> = all.iter().map(|r| (r.name(), r.id.is_ok())).collect();
        let told: Vec<_> = told.iter().map(|(name, ok)| (name.as_str(), *ok)).collect();
        assert_eq!(
            told,
            [
                ("latest", true),
                ("latest-12-abc", true),
                ("latest-sync", true),
                ("latestAb12345.tmp", true),
                ("tag bad", false),
                ("tag deep/er", true),
                ("tag v1", true),
                ("tag v2Ab12345.tmp", false),
                ("tag x.tmp", true),
            ]
        );
    }

    #[test]
    fn what_lies_in_the_place_of_a_ref_is_no_silence() {
        let dir = tempfile::tempdir().unwrap();
        let tags = dir.path().join("refs/tags");
        std::fs::create_dir_all(tags.join("an/empty folder")).unwrap();
        std::fs::create_dir_all(dir.path().join("refs/other/empty")).unwrap();
        std::fs::create_dir(dir.path().join("refs/latest")).unwrap();
        std::os::unix::fs::symlink("nowhere", tags.join("a link")).unwrap();
        nix::unistd::mkfifo(&tags.join("a pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        let all = all(&Store::local(dir.path())).unwrap();
        let keys: Vec<_> = all.iter().map(|found| found.key.as_str()).collect();
        assert_eq!(keys, ["refs/latest", "refs/tags/a link", "refs/tags/a pipe"]);
        assert!(all.iter().all(|found| found.id.is_err()), "{all:?}");
    }

    #[test]
    fn a_name_of_another_encoding_and_a_circle_are_no_silence() {
        use std::os::unix::ffi::OsStrExt;
        let dir = tempfile::tempdir().unwrap();
        let tags = dir.path().join("refs/tags");
        std::fs::create_dir_all(&tags).unwrap();
        let store = Store::local(dir.path());
        assert!(all(&store).unwrap().is_empty());
        std::fs::write(tags.join(std::ffi::OsStr::from_bytes(b"\xb1\xea")), ID).unwrap();
        assert!(all(&store).unwrap().iter().any(|r| r.id.is_err()));
        std::fs::remove_dir_all(&tags).unwrap();
        std::os::unix::fs::symlink(dir.path().join("refs"), dir.path().join("refs/tags")).unwrap();
        assert!(all(&store).unwrap().iter().any(|r| r.id.is_err()));
    }
}
