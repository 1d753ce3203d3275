//! The DejaVu repository format: bytes in, bytes out.
//!
//! This floor knows nothing of files, clocks or threads, so that it can be attacked by fuzzers and
//! pinned by the golden repositories under `tests/fixtures/golden`. The same code decodes and
//! encodes. What a fact of the format rests on is said beside it: "golden" means that it was
//! checked against repositories that DejaVu itself wrote.

pub mod check_index;
pub mod compact;
pub mod cut;
mod gcm;
pub mod id;
pub mod index;
pub mod key;
pub mod latest;
pub mod layout;
pub mod lines;
pub mod own;
pub mod record;
pub mod seal;
mod zst;

pub use gcm::open_bound;
pub use id::{ChunkId, FileId, Id, IndexId};
pub use index::{Index, IndexHead};
pub use key::RepoKey;
pub use lines::Lines;
pub use record::FileRecord;
pub use seal::Cipher;

/// Largest plain chunk, in bytes: the chunker's maximum (restic's Rabin chunker as DejaVu sets it).
/// Whatever claims to expand to more is refused, not allocated.
pub const MAX_CHUNK: usize = 8 << 20;

/// Largest plain File record, in bytes. A record holds a path and 43 bytes for each chunk; this is
/// room for 1.5 million chunks, that is for files of a terabyte.
pub const MAX_RECORD: usize = 64 << 20;

/// Largest plain index, in bytes: room for 6 million files at 43 bytes each.
pub const MAX_INDEX: usize = 256 << 20;

/// Bytes may not mean what they should. The texts are parts of a sentence: the caller says where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// Not 40 lower-case hexadecimal digits.
    #[error("it is not an ID of 40 hexadecimal digits")]
    BadId,
    /// Shorter than what its own headers say.
    #[error("it is cut short ({have} bytes, at least {need} needed)")]
    Truncated {
        /// Bytes at hand.
        have: u64,
        /// Bytes needed at the least.
        need: u64,
    },
    /// The authentication tag does not fit: another key, or a changed byte.
    #[error(
        "it does not authenticate: a byte of it was changed, or it was sealed with another key"
    )]
    NotAuthentic,
    /// Not a zstd frame, or one that does not decode.
    #[error("it does not decompress: {0}")]
    BadFrame(String),
    /// It would expand to more than any such thing may.
    #[error("it would expand to {0} bytes or more, which is absurd for what it should be")]
    TooLarge(u64),
    /// Decompressed, but not the record that it should be.
    #[error("it does not decode: {0}")]
    Undecodable(String),
    /// It decodes, but it is not the thing with that ID.
    #[error("it is not what its name says: its identity is {0}")]
    WrongIdentity(String),
}
