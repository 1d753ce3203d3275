//! The deeds: one file each. They tell what they do to a [`Monitor`] and know nothing of
//! terminals.

pub mod check;
mod content;
pub mod diff;
pub mod disk;
pub mod find;
mod follow;
pub mod history;
pub mod ids;
pub mod init;
pub mod key_file;
pub mod keys;
pub mod paths;
pub mod purge;
pub mod refs;
pub mod restore;
pub mod retention;
pub mod snapshot;
pub mod tags;

pub use follow::Presence;

/// A deed under way speaks to whoever watches it. All methods may be called from several threads.
pub trait Monitor: Send + Sync {
    /// A part of the work begins: what it is, in a word or two, and how much of it there is, if that
    /// is known.
    fn begin(&self, what: &str, total: Option<u64>, unit: Unit) {
        let _ = (what, total, unit);
    }
    /// Some of it is done.
    fn advance(&self, done: u64) {
        let _ = done;
    }
    /// Something could not be done; the work goes on. One sentence that says what and where.
    fn problem(&self, sentence: &str) {
        let _ = sentence;
    }
    /// Whether the user wants it to stop: then the deed ends soon, with everything whole.
    fn stopped(&self) -> bool {
        false
    }
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// Files, objects, snapshots.
    Items,
}

/// A monitor that nobody looks at.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Monitor for Silent {}
