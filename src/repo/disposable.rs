//! Files that only save time, beside the repository in a folder of the user's: sealed with the
//! repository's key, since names are secrets; read by nobody else; of no loss when they are lost.

use std::fs::{DirBuilder, File, FileTimes};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::format::Cipher;

/// What is kept is made of digests and of paths that are long at worst. What expands to more than this many
/// times its size, and [`ROOM`] on top, is none of ours: it is not expanded to see.
const RATIO: usize = 64;

/// Bytes that a file may expand to however small it is.
const ROOM: usize = 4 << 20;

/// Reads one. `None` where there is none, or none that this key has sealed and that has at most `limit`
/// bytes unpacked.
pub fn read(path: &Path, cipher: &Cipher, limit: usize) -> Option<Vec<u8>> {
    let mut sealed = Vec::new();
    let opened = std::fs::OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW)
        .open(path)
        .and_then(|file| {
            let meta = file.metadata()?;
            if !meta.is_file() || meta.len() > limit as u64 {
                return Err(io::Error::from(ErrorKind::InvalidData));
            }
            sealed.reserve_exact(meta.len() as usize);
            file.take(limit as u64).read_to_end(&mut sealed)
        });
    match opened {
        Ok(_) => {}
        Err(e) if e.kind() == ErrorKind::NotFound => return None,
        Err(e) => {
            log::debug!("{}: {e}", path.display());
            return None;
        }
    }
    let limit = limit.min(ROOM + RATIO * sealed.len());
    let plain = cipher.open(&mut sealed, limit);
    plain.inspect_err(|e| log::debug!("{}: it is of no use: {e}", path.display())).ok()
}

/// Writes one in the place of what was there. Not durable: half a file does not authenticate, so it is as
/// good as none.
///
/// # Errors
/// Those of the system.
pub fn write(path: &Path, cipher: &Cipher, plain: &[u8]) -> io::Result<()> {
    let folder = path.parent().ok_or_else(|| io::Error::from(ErrorKind::InvalidInput))?;
    // For its owner alone: also how large a file is tells something.
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let mut temp = tempfile::NamedTempFile::new_in(folder)?;
    temp.write_all(&cipher.seal(plain))?;
    temp.persist(path).map_err(|e| e.error)?;
    Ok(())
}

/// Notes that a file was of use, for [`thin_out`].
pub fn touch(path: &Path) {
    let now = FileTimes::new().set_modified(SystemTime::now());
    if let Err(e) = File::options().write(true).open(path).and_then(|file| file.set_times(now)) {
        log::debug!("{}: {e}", path.display());
    }
}

/// Removes those that were of use longest ago, until at most `most` bytes are left in the folder.
pub fn thin_out(folder: &Path, most: u64) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut files: Vec<(SystemTime, u64, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| {
            let meta = entry.metadata().ok().filter(|meta| meta.is_file())?;
            Some((meta.modified().ok()?, meta.len(), entry.path()))
        })
        .collect();
    let mut sum: u64 = files.iter().map(|(_, len, _)| len).sum();
    files.sort();
    for (_, len, path) in files {
        if sum <= most {
            break;
        }
        match std::fs::remove_file(&path) {
            Ok(()) => sum -= len,
            // Another process was faster.
            Err(e) if e.kind() == ErrorKind::NotFound => sum -= len,
            Err(e) => log::debug!("{}: {e}", path.display()),
        }
    }
}
