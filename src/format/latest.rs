//! `full-latest.json`: despite its name MessagePack, a plaintext cache of the File records of the
//! newest index. **Not authenticated**: what is read from it is a hint, see
//! [`crate::repo::Catalog`].

use serde::{Deserialize, Serialize};

use super::{ChunkId, FileId, FileRecord, FormatError, IndexId};

/// The map that the file holds (golden: keys in this order).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct FullLatest {
    /// The index that it belongs to; of no use when that is not the newest.
    #[serde(rename = "ID")]
    pub id: IndexId,
    /// The records in the index's order.
    #[serde(deserialize_with = "super::record::null_is_empty")]
    pub files: Vec<LatestRecord>,
    /// Version of this file: 0.
    #[serde(default)]
    pub spec: i64,
}

/// A File record as this file spells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct LatestRecord {
    /// See [`FileRecord::id`].
    #[serde(rename = "ID")]
    pub id: FileId,
    /// See [`FileRecord::path`].
    pub path: String,
    /// See [`FileRecord::size`].
    pub size: i64,
    /// See [`FileRecord::updated`].
    pub updated: i64,
    /// See [`FileRecord::chunks`].
    #[serde(deserialize_with = "super::record::null_is_empty")]
    pub chunks: Vec<ChunkId>,
}

impl From<LatestRecord> for FileRecord {
    fn from(r: LatestRecord) -> Self {
        Self { id: r.id, path: r.path, size: r.size, updated: r.updated, chunks: r.chunks }
    }
}

impl From<FileRecord> for LatestRecord {
    fn from(r: FileRecord) -> Self {
        Self { id: r.id, path: r.path, size: r.size, updated: r.updated, chunks: r.chunks }
    }
}

impl FullLatest {
    /// Reads the file's bytes.
    ///
    /// # Errors
    /// [`FormatError::Undecodable`].
    pub fn decode(bytes: &[u8]) -> Result<Self, FormatError> {
        rmp_serde::from_slice(bytes).map_err(|e| FormatError::Undecodable(e.to_string()))
    }

    /// The file's bytes. Integers are written in MessagePack's shortest form, where DejaVu writes
    /// 8 bytes; every reader takes both.
    pub fn encode(&self) -> Vec<u8> {
        rmp_serde::to_vec_named(self).expect("these records always encode")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_golden_file_reads_and_round_trips() {
        let golden = include_bytes!("../../tests/fixtures/golden/repo/full-latest.json");
        let full = FullLatest::decode(golden).unwrap();
        assert_eq!(full.id.to_string(), "1666729b22f1ea1818fcc731343101694319fc28");
        assert_eq!(full.files.len(), 23);
        for record in full.files.clone() {
            let record = FileRecord::from(record);
            record.verify(record.id).unwrap();
        }
        assert_eq!(FullLatest::decode(&full.encode()).unwrap(), full);
        assert!(FullLatest::decode(&golden[..golden.len() - 1]).is_err());
    }
}
