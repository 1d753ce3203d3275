//! File records: what a file of a snapshot is called, how large and how old it is, and of which
//! chunks it is made.

use std::fmt::Write;

use serde::{Deserialize, Serialize};
use sha1::{Digest, Sha1};

use super::id::Id;
use super::{ChunkId, FileId, FormatError};

/// The longest path, bytes: Windows has the longest there are, 32,767 units of UTF-16, which are at most
/// three bytes each. Paths are held in memory, and a few hundred bytes can be made to hold one of
/// any length.
const MAX_PATH: usize = 128 << 10;

/// One file in one state. JSON with these keys in this order (golden).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRecord {
    /// Its own identity, see [`FileRecord::identity`].
    pub id: FileId,
    /// Absolute within the data folder, parts separated and preceded by `/`.
    pub path: String,
    /// Bytes.
    pub size: i64,
    /// Modification time, milliseconds since 1970; may be negative.
    pub updated: i64,
    /// The chunks in order; never empty, an empty file has the empty chunk.
    #[serde(deserialize_with = "null_is_empty")]
    pub chunks: Vec<ChunkId>,
}

/// Go writes `null` for a slice that was never made.
pub(super) fn null_is_empty<'de, D, T>(d: D) -> Result<Vec<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Option::<Vec<T>>::deserialize(d)?.unwrap_or_else(Vec::new))
}

impl FileRecord {
    /// The File ID of a path and a time: SHA-1 of the path followed by the decimal of
    /// `updated / 1000`, divided toward zero (golden, also for times before 1970).
    pub fn identity(path: &str, updated: i64) -> FileId {
        let mut seconds = String::with_capacity(20);
        write!(seconds, "{}", updated / 1000).expect("writing to a String cannot fail");
        let mut sha = Sha1::new();
        sha.update(path.as_bytes());
        sha.update(seconds.as_bytes());
        FileId(Id::from_bytes(sha.finalize().into()))
    }

    /// A record with the identity that its path and time give it.
    pub fn new(path: String, size: i64, updated: i64, chunks: Vec<ChunkId>) -> Self {
        Self { id: Self::identity(&path, updated), path, size, updated, chunks }
    }

    /// Reads a record and checks that it is the one called `expected`, by what it says of itself
    /// and by what its path and time give.
    ///
    /// # Errors
    /// [`FormatError::Undecodable`]; [`FormatError::WrongIdentity`] for another file's record.
    pub fn decode(json: &[u8], expected: FileId) -> Result<Self, FormatError> {
        let record: Self =
            serde_json::from_slice(json).map_err(|e| FormatError::Undecodable(e.to_string()))?;
        record.verify(expected)?;
        Ok(record)
    }

    /// Checks identity, and that size and chunks can belong together: what no writer would make
    /// is refused here once, so that nobody below has to expect it.
    ///
    /// # Errors
    /// [`FormatError::WrongIdentity`], [`FormatError::Undecodable`].
    pub fn verify(&self, expected: FileId) -> Result<(), FormatError> {
        let identity = Self::identity(&self.path, self.updated);
        if identity != expected || self.id != expected {
            return Err(FormatError::WrongIdentity(identity.to_string()));
        }
        if self.size < 0 {
            return Err(FormatError::Undecodable(format!("its size is {}", self.size)));
        }
        if self.path.len() > MAX_PATH {
            let len = self.path.len();
            return Err(FormatError::Undecodable(format!("its path has {len} bytes")));
        }
        if self.chunks.is_empty() {
            return Err(FormatError::Undecodable("it lists no chunk".into()));
        }
        if self.size as u64 > self.chunks.len() as u64 * super::MAX_CHUNK as u64 {
            return Err(FormatError::Undecodable(format!(
                "its size is {}, more than {} chunks can hold",
                self.size,
                self.chunks.len()
            )));
        }
        Ok(())
    }

    /// The record as JSON.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a record always encodes")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_under_another_name_is_refused() {
        let a = FileRecord::new("/a.sy".into(), 3, 1_000, vec![ChunkId::of(b"abc")]);
        let b = FileRecord::identity("/b.sy", 1_000);
        assert!(FileRecord::decode(&a.encode(), a.id).is_ok());
        assert!(matches!(FileRecord::decode(&a.encode(), b), Err(FormatError::WrongIdentity(_))));
    }

    #[test]
    fn the_identity_depends_on_whole_seconds_toward_zero() {
        let id = |t| FileRecord::identity("/x", t);
        assert_eq!(id(1_999), id(1_000));
        assert_eq!(id(-999), id(999));
        assert_ne!(id(-1_000), id(0));
    }

    #[test]
    fn absurd_records_are_refused() {
        let good = FileRecord::new("/x".into(), 1, 0, vec![ChunkId::of(b"x")]);
        for bad in [
            FileRecord { size: -1, ..good.clone() },
            FileRecord { size: i64::MAX, ..good.clone() },
            FileRecord { chunks: vec![], ..good.clone() },
            FileRecord::new(format!("/{}", "x".repeat(MAX_PATH)), 1, 0, good.chunks.clone()),
        ] {
            assert!(bad.verify(bad.id).is_err(), "{bad:?}");
        }
    }
}
