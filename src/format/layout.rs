//! Where things lie in a repository: keys, that is `/`-separated paths below its folder.

use super::{ChunkId, FileId, Id, IndexId};

/// The folder of the indexes.
pub const INDEXES: &str = "indexes";
/// The folder of the File records and chunks, in 256 folders.
pub const OBJECTS: &str = "objects";
/// The folder of the refs.
pub const REFS: &str = "refs";
/// The folder of the tags.
pub const TAGS: &str = "refs/tags";
/// The ref that names the newest index.
pub const LATEST: &str = "refs/latest";
/// The ref that names the base of the next sync.
pub const LATEST_SYNC: &str = "refs/latest-sync";
/// The plaintext cache of the newest index's File records, see [`super::latest`].
pub const FULL_LATEST: &str = "full-latest.json";

/// The folder of the check indexes, see [`super::check_index`].
pub const CHECK_INDEXES: &str = "check/indexes";

/// The key of an index.
pub fn index(id: IndexId) -> String {
    format!("{INDEXES}/{id}")
}

/// The key of a File record.
pub fn file(id: FileId) -> String {
    object(id.0)
}

/// The key of a chunk.
pub fn chunk(id: ChunkId) -> String {
    object(id.0)
}

/// The key of an object: two digits for the folder, 38 for the name.
pub fn object(id: Id) -> String {
    let hex = id.hex();
    let mut key = String::with_capacity(OBJECTS.len() + 42);
    key.push_str(OBJECTS);
    key.push('/');
    key.push_str(&hex[..2]);
    key.push('/');
    key.push_str(&hex[2..]);
    key
}

/// The ID of the object that a key names, if it names one.
pub fn object_id(key: &str) -> Option<Id> {
    let (folder, name) = key.strip_prefix(OBJECTS)?.strip_prefix('/')?.split_once('/')?;
    if folder.len() != 2 {
        return None;
    }
    let mut hex = [0; 40];
    hex[..2].copy_from_slice(folder.as_bytes());
    if name.len() != 38 {
        return None;
    }
    hex[2..].copy_from_slice(name.as_bytes());
    Id::from_hex(&hex).ok()
}

/// The key of a tag.
pub fn tag(name: &str) -> String {
    format!("{TAGS}/{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn object_keys_round_trip() {
        let id = Id::digest(b"x");
        assert_eq!(object_id(&object(id)), Some(id));
        for odd in ["objects/ab", "objects/a/b", "objects/ab/.tmp", "other/ab/cd", "objects/é/x"] {
            assert_eq!(object_id(odd), None, "{odd}");
        }
    }
}
