//! What a place must be able to do.

use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::StoreProblem;

/// One name in a folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed {
    /// The name, without its folder.
    pub name: String,
    /// Whether it is a folder itself.
    pub is_folder: bool,
}

/// What is known of a key without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meta {
    /// Bytes.
    pub size: u64,
    /// When it was last written, by the clock of the place; `None` where the place does not say.
    pub modified: Option<SystemTime>,
}

/// See [`super::Store::stamp`]. Two equal stamps mean that nothing has changed, unless the place's
/// clock is too coarse to tell: then [`Stamp::settled`] is false and the stamp proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stamp {
    /// Modification time in nanoseconds, inode, and size; all 0 for what is not there.
    pub(super) of: (i128, u64, u64),
    /// Whether the last change lies far enough back that another one would have another time.
    pub settled: bool,
}

impl Stamp {
    /// Bytes of [`Self::to_bytes`].
    pub const LEN: usize = 32;

    /// What tells it from other stamps, for who keeps it. Whether it is settled is not in it: one that is
    /// not is not worth keeping.
    pub fn to_bytes(self) -> [u8; Self::LEN] {
        let (modified, inode, size) = self.of;
        let mut bytes = [0; Self::LEN];
        bytes[..16].copy_from_slice(&modified.to_le_bytes());
        bytes[16..24].copy_from_slice(&inode.to_le_bytes());
        bytes[24..].copy_from_slice(&size.to_le_bytes());
        bytes
    }

    /// The settled stamp that was written so.
    pub fn settled_from_bytes(bytes: [u8; Self::LEN]) -> Self {
        let word = |at: usize| {
            u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes are eight bytes"))
        };
        // The halves of a number in two's complement.
        let modified = (i128::from(word(8)) << 64) | i128::from(word(0));
        Self { of: (modified, word(16), word(24)), settled: true }
    }
}

/// Bytes that were written and have no key yet, see [`super::Batch`].
#[derive(Debug)]
pub(super) enum Staged {
    /// In a file of the staging folder.
    File(PathBuf),
    /// In memory.
    Bytes(Vec<u8>),
}

/// See the methods of [`super::Store`], which only add the place's name to errors.
pub(super) trait Backend: Debug + Send + Sync {
    fn folder(&self) -> Option<&Path>;
    fn place(&self) -> String;
    fn get(&self, key: &str, limit: u64) -> Result<Vec<u8>, StoreProblem>;
    /// As `get`, into memory that was used before.
    fn get_into(&self, key: &str, limit: u64, into: &mut Vec<u8>) -> Result<(), StoreProblem> {
        *into = self.get(key, limit)?;
        Ok(())
    }
    fn get_head(&self, key: &str, len: usize) -> Result<Vec<u8>, StoreProblem>;
    fn meta(&self, key: &str) -> Result<Meta, StoreProblem>;
    fn list(&self, folder: &str) -> Result<Vec<Listed>, StoreProblem>;
    fn stamp(&self, key: &str) -> Option<Stamp>;
    fn put(&self, key: &str, bytes: &[u8]) -> Result<(), StoreProblem>;
    fn put_new(&self, key: &str, bytes: &[u8]) -> Result<(), StoreProblem>;
    fn stage(&self, bytes: &[u8]) -> Result<Staged, StoreProblem>;
    fn sync(&self) -> Result<(), StoreProblem>;
    fn publish(&self, staged: &Staged, key: &str) -> Result<(), StoreProblem>;
    fn discard(&self, staged: Staged);
    fn delete(&self, key: &str) -> Result<(), StoreProblem>;
}
