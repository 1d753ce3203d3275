//! Indexes: one snapshot each, zstd(JSON), **neither encrypted nor authenticated**.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::{FileId, FormatError, IndexId, MAX_INDEX, zst};

/// IDs are digests: as hexadecimal digits between quotes they compress to a good half (golden). What
/// expands to this many times as much is no list of files.
const RATIO: usize = 16;

/// Bytes that an index may expand to however small it is: for memos.
const ROOM: usize = 16 << 20;

/// The longest memo that a list of snapshots holds, bytes: lists stay in memory, and a few hundred bytes
/// can be made to hold one of many megabytes.
const MOST_MEMO: usize = 64 << 10;

/// One snapshot. JSON with these keys in this order (golden); old indexes lack all but `id`,
/// `created` and `files`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    /// Its own ID.
    pub id: IndexId,
    /// What the user or SiYuan said of it.
    #[serde(default)]
    pub memo: String,
    /// When it was made, milliseconds since 1970.
    pub created: i64,
    /// Its files in walk order.
    #[serde(deserialize_with = "super::record::null_is_empty")]
    pub files: Vec<FileId>,
    /// How many files it says it has.
    #[serde(default)]
    pub count: i64,
    /// The sum of their sizes, bytes.
    #[serde(default)]
    pub size: i64,
    /// ID of the device that made it.
    #[serde(default, rename = "systemID")]
    pub system_id: String,
    /// Name of that device.
    #[serde(default, rename = "systemName")]
    pub system_name: String,
    /// Operating system of that device.
    #[serde(default, rename = "systemOS")]
    pub system_os: String,
    /// ID of its check index, for the cloud.
    #[serde(default, rename = "checkIndexID")]
    pub check_index_id: String,
    /// Tells a wrong key, see [`super::Cipher::verifies`]; empty in old indexes.
    #[serde(default, rename = "aesKeyVerifyVal")]
    pub aes_key_verify_val: String,
}

impl Index {
    /// Reads an index file and checks that it is the one called `expected`.
    ///
    /// # Errors
    /// [`FormatError::BadFrame`], [`FormatError::TooLarge`], [`FormatError::Undecodable`],
    /// [`FormatError::WrongIdentity`].
    pub fn decode(bytes: &[u8], expected: IndexId) -> Result<Self, FormatError> {
        let json = zst::decompress(bytes, Self::most_len(bytes.len()))?;
        let index: Self =
            serde_json::from_slice(&json).map_err(|e| FormatError::Undecodable(e.to_string()))?;
        if index.id != expected {
            return Err(FormatError::WrongIdentity(index.id.to_string()));
        }
        Ok(index)
    }

    /// The `aesKeyVerifyVal` of an index file alone. It stands behind the list of files, which is passed
    /// over: nothing is said of it.
    ///
    /// # Errors
    /// As [`Self::decode`].
    pub fn key_check(bytes: &[u8], expected: IndexId) -> Result<String, FormatError> {
        #[derive(Deserialize)]
        struct Check {
            id: IndexId,
            #[serde(default, rename = "aesKeyVerifyVal")]
            val: String,
        }
        let json = zst::decompress(bytes, Self::most_len(bytes.len()))?;
        let check: Check =
            serde_json::from_slice(&json).map_err(|e| FormatError::Undecodable(e.to_string()))?;
        if check.id != expected {
            return Err(FormatError::WrongIdentity(check.id.to_string()));
        }
        Ok(check.val)
    }

    /// How many bytes an index file says that it expands to, if it says so. A hint: nothing
    /// authenticates it, but [`Self::decode`] expands no more than that.
    pub fn stated_len(bytes: &[u8]) -> Option<u64> {
        zst::content_size(bytes).ok().flatten()
    }

    /// How many bytes an index file of so many bytes may expand to.
    pub fn most_len(bytes: usize) -> usize {
        MAX_INDEX.min(ROOM.saturating_add(bytes.saturating_mul(RATIO)))
    }

    /// The bytes of an index file.
    pub fn encode(&self) -> Vec<u8> {
        zst::compress(&serde_json::to_vec(self).expect("an index always encodes"))
    }
}

/// What a list of snapshots needs of an index. It stands before the file list, so that it can be
/// read from the first [`HEAD_LEN`] bytes of the file, however large the snapshot is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexHead {
    /// The index.
    pub id: IndexId,
    /// See [`Index::memo`].
    pub memo: String,
    /// See [`Index::created`].
    pub created: i64,
}

/// A zstd block expands to at most 128 KiB and is never stored larger than that, so the first
/// block of any frame lies within this many bytes of its start: header, block header, block.
pub const HEAD_LEN: usize = (128 << 10) + 32;

impl IndexHead {
    /// Reads the head of an index from the first [`HEAD_LEN`] bytes of its file, or from all of
    /// it if it is shorter. `None` where the head does not suffice (a long memo, another order of
    /// keys): then the whole index must be decoded.
    ///
    /// # Errors
    /// As [`Index::decode`]. An index that is damaged behind its head is not noticed here.
    pub fn decode(head: &[u8], expected: IndexId) -> Result<Option<Self>, FormatError> {
        let json = zst::decompress_head(head, 16 << 10)?;
        let found = RefCell::new(Found::default());
        let mut de = serde_json::Deserializer::from_slice(&json);
        let parsed = HeadSeed(&found).deserialize(&mut de);
        let Found { id, memo, created, at_files } = found.into_inner();
        match (parsed, id, created) {
            (_, Some(id), _) if id != expected => Err(FormatError::WrongIdentity(id.to_string())),
            (_, Some(id), Some(created)) if at_files => {
                // As for a whole index: one without a memo has an empty one.
                Ok(Some(Self { id, memo: memo.unwrap_or_default(), created }))
            }
            (Err(e), ..) if !e.is_eof() => Err(FormatError::Undecodable(e.to_string())),
            _ => Ok(None),
        }
    }
}

impl From<&Index> for IndexHead {
    fn from(index: &Index) -> Self {
        let memo = match index.memo.char_indices().find(|(at, _)| *at >= MOST_MEMO) {
            Some((at, _)) => format!("{}…", &index.memo[..at]),
            None => index.memo.clone(),
        };
        Self { id: index.id, memo, created: index.created }
    }
}

#[derive(Default)]
struct Found {
    id: Option<IndexId>,
    memo: Option<String>,
    created: Option<i64>,
    at_files: bool,
}

/// Reads keys into `Found` until `files` comes: then it stops with an error that nobody sees, so
/// that the list itself is not parsed.
struct HeadSeed<'a>(&'a RefCell<Found>);

impl<'de> DeserializeSeed<'de> for HeadSeed<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<(), D::Error> {
        d.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for HeadSeed<'_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an index")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "lowercase")]
        enum Key {
            Id,
            Memo,
            Created,
            Files,
            #[serde(other)]
            Other,
        }
        while let Some(key) = map.next_key()? {
            match key {
                Key::Id => self.0.borrow_mut().id = Some(map.next_value()?),
                Key::Memo => self.0.borrow_mut().memo = Some(map.next_value()?),
                Key::Created => self.0.borrow_mut().created = Some(map.next_value()?),
                Key::Files => {
                    let mut found = self.0.borrow_mut();
                    if found.id.is_some() && found.created.is_some() {
                        found.at_files = true;
                        return Err(A::Error::custom("the head ends here"));
                    }
                    map.next_value::<IgnoredAny>()?;
                }
                Key::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// The order of an index's files by their paths, which is that of a walk: entries of a folder by their names, its
/// content where its name comes. So `a/b` is before `a.txt`.
pub fn walk_order(a: &str, b: &str) -> std::cmp::Ordering {
    // No name has a zero byte.
    let low = |byte: u8| if byte == b'/' { 0 } else { byte };
    a.bytes().map(low).cmp(b.bytes().map(low))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_comes_where_its_name_does() {
        let walk = [
            "", "/a/b", "/a/b/c", "/a/b.c", "/a/标", "/a b", "/a!", "/a-x", "/a.txt", "/ab", "/标",
        ];
        for (i, a) in walk.iter().enumerate() {
            for (j, b) in walk.iter().enumerate() {
                assert_eq!(walk_order(a, b), i.cmp(&j), "{a:?} {b:?}");
            }
        }
    }

    fn index(files: usize) -> Index {
        Index {
            id: IndexId(super::super::Id::digest(b"an index")),
            memo: "Größe < 标签 & \"x\"".into(),
            created: 1_714_500_060_000,
            files: (0..files).map(|i| FileId(super::super::Id::digest(&i.to_le_bytes()))).collect(),
            count: files as i64,
            size: 1,
            system_id: "d".into(),
            system_name: "name".into(),
            system_os: "linux".into(),
            check_index_id: String::new(),
            aes_key_verify_val: "a value".into(),
        }
    }

    #[test]
    fn round_trip_and_head() {
        for files in [0, 1, 10, 50_000] {
            let index = index(files);
            let bytes = index.encode();
            assert_eq!(Index::decode(&bytes, index.id).unwrap(), index);
            assert_eq!(Index::key_check(&bytes, index.id).unwrap(), index.aes_key_verify_val);
            let head = &bytes[..bytes.len().min(HEAD_LEN)];
            let read = IndexHead::decode(head, index.id).unwrap();
            assert_eq!(read, Some(IndexHead::from(&index)), "{files} files");
        }
    }

    #[test]
    fn old_indexes_and_other_orders() {
        let id = index(0).id;
        let old = format!(r#"{{"files":null,"created":5,"id":"{id}"}}"#);
        let bytes = zst::compress(old.as_bytes());
        let read = Index::decode(&bytes, id).unwrap();
        assert_eq!((read.created, read.files.len(), read.memo.as_str()), (5, 0, ""));
        assert_eq!(IndexHead::decode(&bytes, id).unwrap(), None, "files come first: not enough");
    }

    #[test]
    fn a_long_memo_wants_the_whole_index() {
        let index = Index { memo: "m".repeat(1 << 20), ..index(3) };
        let bytes = index.encode();
        assert_eq!(IndexHead::decode(&bytes, index.id).unwrap(), None);
        assert_eq!(Index::decode(&bytes, index.id).unwrap(), index);
        let shown = IndexHead::from(&index).memo;
        assert_eq!(shown, format!("{}…", "m".repeat(MOST_MEMO)), "a list holds no more");
    }

    #[test]
    fn what_expands_as_no_list_of_ids_does_is_refused() {
        let whole = index(300_000);
        assert_eq!(Index::decode(&whole.encode(), whole.id).unwrap(), whole);
        let one = FileId(super::super::Id::digest(b"one"));
        let bomb = Index { files: vec![one; 1_000_000], ..index(0) };
        assert!(matches!(Index::decode(&bomb.encode(), bomb.id), Err(FormatError::TooLarge(_))));
    }

    #[test]
    fn another_index_under_this_name_is_refused() {
        let bytes = index(3).encode();
        let other = IndexId(super::super::Id::digest(b"another"));
        assert!(matches!(Index::decode(&bytes, other), Err(FormatError::WrongIdentity(_))));
        assert!(matches!(Index::key_check(&bytes, other), Err(FormatError::WrongIdentity(_))));
        assert!(matches!(IndexHead::decode(&bytes, other), Err(FormatError::WrongIdentity(_))));
    }

    #[test]
    fn damage_is_named() {
        let index = index(5_000);
        let bytes = index.encode();
        assert!(matches!(
            Index::decode(&bytes[..bytes.len() / 2], index.id),
            Err(FormatError::Truncated { .. } | FormatError::BadFrame(_))
        ));
        assert!(IndexHead::decode(b"garbage", index.id).is_err());
        assert!(Index::decode(b"", index.id).is_err());
    }
}
