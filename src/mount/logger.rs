//! The log of a mount: standard error, or in the background a file.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use log::{Level, LevelFilter, Log, Metadata, Record};
use sha1::{Digest, Sha1};

/// A log file of more bytes is put aside when the next mount starts.
const MOST: u64 = 1024 * 1024;

/// Writes to standard error, which in the background is the log file.
#[derive(Debug)]
struct Logger {
    stamped: AtomicBool,
}

static LOGGER: Logger = Logger { stamped: AtomicBool::new(false) };

/// Logs to standard error from now on; a program that has a logger of its own keeps that.
pub fn install(level: LevelFilter) {
    if log::set_logger(&LOGGER).is_ok() {
        log::set_max_level(level);
    }
}

/// Puts the time before each line, for a log that is read later.
pub(super) fn stamp() {
    LOGGER.stamped.store(true, Ordering::Relaxed);
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let text = record.args().to_string();
        if is_noise(record.target(), &text) && log::max_level() < LevelFilter::Debug {
            return;
        }
        let now = self.stamped.load(Ordering::Relaxed).then(Timestamp::now);
        // In one piece, so that lines of several threads do not mix. There is nobody to tell that
        // it failed.
        let _ = io::stderr().write_all(line(record.level(), &text, now).as_bytes());
    }

    fn flush(&self) {}
}

/// `fuser` calls it an error when the program that asked was killed before it had its answer (ENOENT).
fn is_noise(target: &str, text: &str) -> bool {
    target.starts_with("fuser") && text.contains("(os error 2)")
}

fn line(level: Level, text: &str, now: Option<Timestamp>) -> String {
    let word = match level {
        Level::Error => "error",
        Level::Warn => "warning",
        Level::Info => "info",
        Level::Debug | Level::Trace => "debug",
    };
    let time = now.map(|now| now.strftime("%Y-%m-%dT%H:%M:%S%.3fZ ").to_string());
    // Nothing stands before a line that has no time.
    let mut line = format!("{}{word}: ", time.unwrap_or_default());
    for letter in text.chars() {
        // Names come from repositories: they must not reach a terminal as commands.
        if letter.is_control() {
            line.extend(letter.escape_default());
        } else {
            line.push(letter);
        }
    }
    line.push('\n');
    line
}

/// Opens the log file for the mount at `point`, made if it is not there, for its owner alone.
///
/// # Errors
/// Where there is no folder for it, or it cannot be written.
pub(super) fn open(point: &Path) -> io::Result<(PathBuf, File)> {
    let folder = folder()?;
    DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
    let path = folder.join(file_name(point));
    if fs::metadata(&path).is_ok_and(|file| file.len() > MOST) {
        fs::rename(&path, path.with_extension("log.old"))?;
    }
    let file = OpenOptions::new().append(true).create(true).mode(0o600).open(&path)?;
    Ok((path, file))
}

/// The same place has the same file, so that its story stays together.
fn file_name(point: &Path) -> String {
    let digest = Sha1::digest(point.as_os_str().as_bytes());
    let id: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("mount-{id}.log")
}

fn folder() -> io::Result<PathBuf> {
    let absolute = |name: &str| {
        std::env::var_os(name).map(PathBuf::from).filter(|folder| folder.is_absolute())
    };
    let state = absolute("XDG_STATE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state")))
        .ok_or_else(|| io::Error::other("neither XDG_STATE_HOME nor HOME is set"))?;
    Ok(state.join("revu"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_single_and_harmless() {
        assert_eq!(line(Level::Warn, "a\nb\x1b[2J字", None), "warning: a\\nb\\u{1b}[2J字\n");
        let now = Timestamp::from_millisecond(1_714_557_660_007).unwrap();
        assert_eq!(line(Level::Error, "x", Some(now)), "2024-05-01T10:01:00.007Z error: x\n");
    }

    #[test]
    fn noise_is_what_a_killed_reader_causes() {
        let text = "Failed to send FUSE reply: No such file or directory (os error 2)";
        assert!(is_noise("fuser::reply", text));
        assert!(!is_noise("fuser::reply", "Failed: Invalid argument (os error 22)"));
        assert!(!is_noise("revu::repo", text));
    }

    #[test]
    fn one_file_for_each_place() {
        let name = file_name(Path::new("/mnt/a"));
        assert_eq!(name, file_name(Path::new("/mnt/a")));
        assert_ne!(name, file_name(Path::new("/mnt/b")));
        assert!(name.starts_with("mount-") && name.ends_with(".log") && name.len() == 18);
    }
}
