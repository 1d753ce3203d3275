//! An opened repository (under construction).

use std::ops::Deref;
use std::sync::Arc;

/// Placeholder
pub struct Repository {}

/// Bytes of a file, as a part of a cached chunk where one chunk has them all.
#[derive(Debug, Clone)]
pub enum Bytes {
    /// A part of one cached chunk: no copy was made.
    Part {
        /// The chunk.
        chunk: Arc<Vec<u8>>,
        /// Where the part begins in it.
        from: usize,
        /// Where it ends.
        to: usize,
    },
    /// Bytes of several chunks, copied together.
    Joined(Vec<u8>),
}

impl Deref for Bytes {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        match self {
            Self::Part { chunk, from, to } => &chunk[*from..*to],
            Self::Joined(bytes) => bytes,
        }
    }
}
