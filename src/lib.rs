//! revu ("seen again"): look back in time at notes and files.
//!
//! The library reads and writes DejaVu repositories, the encrypted, compressed and deduplicated
//! snapshots of the note-taking app SiYuan, and shows them as a read-only file system. It is built
//! in floors; a module uses only floors below its own, and `tests/architecture.rs` holds it to that:
//!
//! | floor | modules |
//! |---|---|
//! | 0 | [`mod@format`]: bytes in, bytes out |
//! | 1 | [`store`]: where objects live; [`siyuan`]: what only SiYuan means |
//! | 2 | [`repo`]: an opened repository, its catalog, its chunk cache, its reader |
//! | 3 | [`ops`]: one file per deed; [`vfs`]: the model of the mounted tree |
//! | 4 | [`mount`]: the FUSE adapter and all that a mount needs |
//! | 5 | [`cli`] and [`ui`]: what the user types and sees |
#![deny(missing_docs)]

pub mod cli;
pub mod format;
pub mod mount;
pub mod ops;
pub mod repo;
pub mod siyuan;
pub mod store;
pub mod ui;
pub mod vfs;
