//! One error type, one errno each.

use super::attr::Lifetime;

/// Why the model cannot answer. Damage has been logged where it was found, once for each object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VfsError {
    /// There is no such name.
    #[error("no such file or folder")]
    NotFound(Lifetime),
    /// There is no such inode any more: its snapshot was purged.
    #[error("it is gone from the repository")]
    Stale,
    /// It is not a folder.
    #[error("it is not a folder")]
    NotADir,
    /// It is a folder.
    #[error("it is a folder")]
    IsADir,
    /// It is not a symbolic link.
    #[error("it is not a symbolic link")]
    NotALink,
    /// The name has more than 255 bytes.
    #[error("the name is too long")]
    NameTooLong,
    /// There is no such extended attribute.
    #[error("no such attribute")]
    NoAttribute,
    /// What it is made of is damaged or cannot be read.
    #[error("{0}")]
    Damaged(String),
}

impl VfsError {
    /// The errno that says this to a program. Never ENOSYS: to the kernel that means "never ask
    /// again".
    pub const fn errno(&self) -> i32 {
        match self {
            Self::NotFound(_) => libc::ENOENT,
            Self::Stale => libc::ESTALE,
            Self::NotADir => libc::ENOTDIR,
            Self::IsADir => libc::EISDIR,
            Self::NotALink => libc::EINVAL,
            Self::NameTooLong => libc::ENAMETOOLONG,
            Self::NoAttribute => libc::ENODATA,
            Self::Damaged(_) => libc::EIO,
        }
    }
}
