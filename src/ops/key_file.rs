//! Key files: 32 random bytes in base64 and a line end, which opens a key slot, or is the key of a
//! repository itself. Any key text will do for one that is read; this is how revu makes them.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::format::RepoKey;

/// A key file that cannot be made.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// Something has that name.
    #[error("{} is there already, and may be somebody's only key: name another file", .0.display())]
    Exists(PathBuf),
    /// The system refuses.
    #[error("cannot write the key file {}: {}", .0.display(), .1)]
    Io(PathBuf, Arc<std::io::Error>),
}

/// Writes a key into a new file that its owner alone can read. It is durable when this returns, so
/// that what it opens may be made; nothing is ever overwritten.
///
/// # Errors
/// [`KeyFileError`]; then there is no such file, or it is as it was.
pub fn write_new(path: &Path, key: &RepoKey) -> Result<(), KeyFileError> {
    let failed = |e: std::io::Error| match e.kind() {
        ErrorKind::AlreadyExists => KeyFileError::Exists(path.to_owned()),
        _ => KeyFileError::Io(path.to_owned(), Arc::new(e)),
    };
    let open = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = open.map_err(failed)?;
    let write = || {
        file.write_all(key.to_base64().as_bytes())?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    };
    let mut write = write;
    write().map_err(|e| {
        // It is ours, and a half one would stand in the way of the next attempt.
        let _ = fs::remove_file(path);
        failed(e)
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn it_is_read_again_its_owners_and_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let key = RepoKey::random();
        write_new(&path, &key).unwrap();
        assert_eq!(RepoKey::parse(&fs::read_to_string(&path).unwrap()), Ok(key));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let before = fs::read(&path).unwrap();
        let refused = write_new(&path, &RepoKey::random()).unwrap_err();
        assert!(refused.to_string().contains("there already"), "{refused}");
        assert_eq!(fs::read(&path).unwrap(), before);
        // Nor through a link that leads nowhere.
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(dir.path().join("none"), &link).unwrap();
        assert!(matches!(write_new(&link, &RepoKey::random()), Err(KeyFileError::Exists(_))));
    }

    #[test]
    fn what_cannot_be_written_leaves_nothing() {
        let nowhere = Path::new("/nowhere/at/all");
        let refused = write_new(nowhere, &RepoKey::random()).unwrap_err().to_string();
        assert!(refused.contains("/nowhere/at/all"), "{refused}");
        // A device that is always full.
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("full");
        std::os::unix::fs::symlink("/dev/full", &path).unwrap();
        assert!(write_new(&path, &RepoKey::random()).is_err(), "a link is something too");
        assert!(path.is_symlink());
    }
}
