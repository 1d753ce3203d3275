//! **The model of the mounted tree**: what a repository looks like as folders and files is said
//! here and only here. Plain Rust types in and out; nothing of FUSE, so that the same model can be
//! tested without a mount and served by other protocols.
//!
//! ```text
//! MOUNT/
//!   latest -> snapshots/<newest>
//!   snapshots/<local time>/…
//!   ids/<40 digits>/…
//!   tags/<tag>/…
//!   notes/<local time>/<notebook>/<title>.md
//!   versions/files/<path>/<local time><extension>
//!   versions/notes/<notebook>/<title>/<local time>.md
//! ```
//!
//! # Inode numbers
//! They are computed, not handed out, so that nothing has to be remembered for the kernel and
//! nothing grows with what was looked at ([`ino`]): a file's number is that of its File record in
//! the catalog, the same in every snapshot that shares it, so that the kernel's page cache is shared and
//! `diff -r` sees equal files without reading them. A folder's number is its snapshot's *slot* and
//! its place in a walk of that snapshot, so that no folder appears twice.

mod attr;
mod entries;
mod error;
pub mod escape;
pub mod ino;
mod listing;
pub mod notes;
mod readdir;
mod slots;
pub mod tree;
mod versions;
mod versions_view;
#[expect(clippy::module_inception, reason = "the model itself, beside its parts")]
mod vfs;
mod xattr;

pub use attr::{Attr, Entry, Item, Kind, Lifetime, Stats};
pub use error::VfsError;
pub use vfs::{Change, Vfs, VfsOptions};

/// Inode number of the root.
pub const ROOT: u64 = ino::ROOT;
