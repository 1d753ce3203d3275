//! Check indexes: what SiYuan's own cloud is told of a snapshot, zstd(JSON) of `{id, indexID, files}`,
//! under names of their own. Only which snapshot one belongs to matters here.

use serde::Deserialize;

use super::{FormatError, IndexId, MAX_INDEX, zst};

/// What is read of a check index.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct CheckIndex {
    /// Its own ID, by which an index names it.
    pub id: String,
    /// The index that it belongs to.
    #[serde(rename = "indexID")]
    pub index_id: IndexId,
}

impl CheckIndex {
    /// Reads a check index.
    ///
    /// # Errors
    /// [`FormatError::BadFrame`], [`FormatError::TooLarge`], [`FormatError::Undecodable`].
    pub fn decode(bytes: &[u8]) -> Result<Self, FormatError> {
        let json = zst::decompress(bytes, MAX_INDEX)?;
        serde_json::from_slice(&json).map_err(|e| FormatError::Undecodable(e.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_it_is() {
        let index_id: IndexId = "0123456789abcdef0123456789abcdef01234567".parse().unwrap();
        let json = format!(
            "{{\n\t\"id\": \"a\",\n\t\"indexID\": \"{index_id}\",\n\t\"files\": [{{\"id\": \"b\", \"chunks\": [\"c\"]}}]\n}}"
        );
        let check = CheckIndex { id: "a".into(), index_id };
        assert_eq!(CheckIndex::decode(&zst::compress(json.as_bytes())), Ok(check));
        assert!(CheckIndex::decode(&zst::compress(b"{\"id\":\"a\"}")).is_err());
        assert!(CheckIndex::decode(b"").is_err());
    }
}
