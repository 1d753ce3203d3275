//! Paths of File records, as the deeds may use them: relative and plain, or refused with a reason.

/// The longest name that a Linux file system takes, bytes.
const MAX_NAME: usize = 255;

/// The longest path that the kernel takes in one call, bytes, less the NUL at its end.
const MAX_PATH: usize = 4095;

/// Why a path of a snapshot cannot be one on disk. A part of a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Empty, or with two slashes in a row, or with one at its end.
    #[error("a part of its path is empty")]
    Empty,
    /// `.` or `..`: it would lead elsewhere.
    #[error("its path has a part `.` or `..`, which would lead elsewhere")]
    Dots,
    /// A NUL byte.
    #[error("its path holds a NUL byte, which no file system takes")]
    Nul,
    /// A part of more than 255 bytes.
    #[error("a name in its path is longer than 255 bytes, which no file system takes")]
    LongName,
    /// More than the kernel takes.
    #[error("its path is longer than 4,095 bytes, which the system does not take")]
    LongPath,
}

/// The path of a record relative to its snapshot's root, if it is safe to use on disk: plain names
/// with `/` between them. One slash at its beginning is how records have it.
///
/// # Errors
/// [`Unfit`].
pub fn relative(path: &str) -> Result<&str, Unfit> {
    let path = path.strip_prefix('/').unwrap_or(path);
    if path.len() > MAX_PATH {
        return Err(Unfit::LongPath);
    }
    for part in path.split('/') {
        match part {
            "" => return Err(Unfit::Empty),
            "." | ".." => return Err(Unfit::Dots),
            _ if part.len() > MAX_NAME => return Err(Unfit::LongName),
            _ if part.contains('\0') => return Err(Unfit::Nul),
            _ => {}
        }
    }
    Ok(path)
}

/// The folder and the name of a relative path; the folder of a path without a slash is `""`.
pub fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// The folders that a relative path lies in, the outermost first.
pub fn folders(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(at, _)| &path[..at])
}

/// A file or folder of a snapshot as a user names it, or all of the snapshot. Slashes at the ends do
/// not count.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scope(String);

impl Scope {
    /// The scope of a path; an empty one is everything.
    pub fn new(path: &str) -> Self {
        Self(path.trim_matches('/').to_owned())
    }

    /// The path without slashes at its ends; empty for everything.
    pub fn path(&self) -> &str {
        &self.0
    }

    /// Whether this is everything.
    pub fn is_all(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a relative path is the one named, or lies in it.
    pub fn holds(&self, path: &str) -> bool {
        self.is_all()
            || path
                .strip_prefix(&*self.0)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_paths_are_fit() {
        for good in ["/a", "/a/b.sy", "/标签 with space/…", "/...", "/a\nb", "a/b"] {
            assert_eq!(relative(good), Ok(good.trim_start_matches('/')), "{good:?}");
        }
        for (bad, why) in [
            ("", Unfit::Empty),
            ("/", Unfit::Empty),
            ("//a", Unfit::Empty),
            ("/a//b", Unfit::Empty),
            ("/a/", Unfit::Empty),
            ("/../x", Unfit::Dots),
            ("/a/..", Unfit::Dots),
            ("..", Unfit::Dots),
            ("/./a", Unfit::Dots),
            ("/a\0b", Unfit::Nul),
        ] {
            assert_eq!(relative(bad), Err(why), "{bad:?}");
        }
        assert_eq!(relative(&format!("/{}", "n".repeat(256))), Err(Unfit::LongName));
        assert!(relative(&format!("/{}", "界".repeat(85))).is_ok());
        assert_eq!(relative(&"/d".repeat(3_000)), Err(Unfit::LongPath));
    }

    #[test]
    fn a_scope_ends_at_slashes() {
        let scope = Scope::new("/a/b/");
        assert!(scope.holds("a/b") && scope.holds("a/b/c") && !scope.holds("a/bc"));
        assert!(!scope.holds("a"));
        assert!(Scope::new("").holds("x") && Scope::new("/").is_all());
    }

    #[test]
    fn parts() {
        assert_eq!(split("a/b/c"), ("a/b", "c"));
        assert_eq!(split("c"), ("", "c"));
        assert_eq!(folders("a/b/c").collect::<Vec<_>>(), ["a", "a/b"]);
    }
}
