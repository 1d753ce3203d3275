//! `-o auto_unmount`: a helper process that unmounts when the program dies without doing so.
//!
//! Off unless asked for: where a mount vanishes, a mirroring program sees an empty folder and deletes
//! its copies; where a dead one stays, it sees an error.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::{io, process};

use nix::unistd::{ForkResult, setsid};

use super::daemon::fork;
use super::point;
use super::session::Mounted;

/// The helper process, as the program sees it. That this socket closes tells it that the program has
/// ended.
#[derive(Debug)]
pub(super) struct Watcher(UnixStream);

/// Starts the helper. `kept` stays with the program: the helper must not hold it. Must be called while
/// this process has a single thread.
///
/// # Errors
/// Where no process can be made.
pub(super) fn start<T>(kept: T) -> io::Result<(Watcher, T)> {
    let (ours, theirs) = UnixStream::pair()?;
    match fork()? {
        ForkResult::Parent { .. } => Ok((Watcher(ours), kept)),
        ForkResult::Child => {
            drop((ours, kept));
            let done = catch_unwind(AssertUnwindSafe(|| watch(theirs)));
            process::exit(if matches!(done, Ok(Ok(()))) { 0 } else { 1 })
        }
    }
}

impl Watcher {
    /// Tells the helper what to unmount, and which folders to remove then.
    ///
    /// # Errors
    /// Where the helper is gone.
    pub fn guard(&mut self, mounted: &Mounted, made: &[PathBuf]) -> io::Result<()> {
        self.0.write_all(&encode(mounted, made))
    }
}

fn watch(mut program: UnixStream) -> io::Result<()> {
    // Ctrl-C is for the program, not for its helper.
    setsid()?;
    let mut told = Vec::new();
    program.read_to_end(&mut told)?;
    if let Some((mounted, made)) = decode(&told)
        && mounted.detach(true).is_ok()
    {
        point::remove(&made);
    }
    Ok(())
}

/// Device, mount point and folders, each ended by a NUL, which none of them can hold.
fn encode(mounted: &Mounted, made: &[PathBuf]) -> Vec<u8> {
    let paths = [&mounted.point].into_iter().chain(made);
    let parts =
        [mounted.device.as_bytes()].into_iter().chain(paths.map(|p| p.as_os_str().as_bytes()));
    parts.flat_map(|part| part.iter().copied().chain([0])).collect()
}

fn decode(told: &[u8]) -> Option<(Mounted, Vec<PathBuf>)> {
    let mut parts = told.strip_suffix(b"\0")?.split(|byte| *byte == 0);
    let device = String::from_utf8(parts.next()?.to_vec()).ok()?;
    let path = |part| PathBuf::from(OsStr::from_bytes(part));
    let point = path(parts.next()?);
    Some((Mounted { point, device }, parts.map(path).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_helper_understands_what_it_is_told() {
        let mounted = Mounted { point: "/mnt/a\nb".into(), device: "0:50".into() };
        for made in [vec![], vec![PathBuf::from("/tmp/x"), PathBuf::from("/tmp/x/y")]] {
            let told = encode(&mounted, &made);
            assert_eq!(decode(&told), Some((mounted.clone(), made)));
            assert_eq!(decode(&told[..told.len() - 1]), None, "cut short by a crash");
        }
        assert_eq!(decode(b""), None);
    }
}
