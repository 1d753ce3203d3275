//! Purge: snapshots that are not to stay go, and with them what only they needed.
//!
//! First a [`Plan`] is made, which reads and removes nothing; then it may be executed. What stays is
//! believed only where it was read: one index or record that must stay and cannot be read ends it all,
//! since what it needs cannot be told from what nobody needs.
//!
//! The order is such that a stop at any moment harms nothing, each step durable before the next:
//! indexes, check indexes, File records, then chunks. Records go before chunks because DejaVu does not
//! write a record again that is there: one whose chunks are gone would pass for whole in a later snapshot.

mod execute;
mod garbage;
mod plan;
mod reach;

pub use execute::Done;
pub use garbage::Leftover;
pub use plan::{Candidate, Figures, Goes, Plan, Stays};

use crate::format::IndexId;
use crate::repo::ObjectError;
use crate::store::StoreError;
use crate::store::lock::LockError;
use crate::store::refs::RefError;

/// Why a purge did not begin, or why it ended early. However it ends, the repository is whole, and what
/// was not removed goes with the next one.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum PurgeError {
    /// The repository cannot be listed, or something cannot be removed.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// A ref cannot be read: what it names must stay.
    #[error(
        "nothing was removed, since a ref must be kept that cannot be read: {0}; write into it the ID that it should hold, or remove the file"
    )]
    Ref(#[from] RefError),
    /// A ref names an index that is not there.
    #[error(
        "nothing was removed, since {name} names snapshot {id}, which is missing: bring it back from a copy with `revu check --repair-from`, or {instead}"
    )]
    Dangling {
        /// The ref as messages call it.
        name: String,
        /// What it names.
        id: IndexId,
        /// What to do if there is no copy.
        instead: String,
    },
    /// An index or a record that must stay cannot be read.
    #[error(
        "nothing was removed, since what must stay cannot be read: {error}{}; bring it back from a copy with `revu check --repair-from`", and_others(*.others)
    )]
    Unreadable {
        /// One of them.
        error: Box<ObjectError>,
        /// How many others there were until the search was given up.
        others: usize,
    },
    /// An index cannot be read, and no ref says that it must stay.
    #[error(
        "nothing was removed, since it cannot be told whether a snapshot must stay: {error}; bring it back from a copy with `revu check --repair-from`, or remove that file if there is none"
    )]
    Undecided {
        /// The index.
        error: Box<ObjectError>,
    },
    /// Somebody writes to the repository who does not heed revu's locks.
    #[error(
        "something else writes to {place}: {what}; nothing more was removed, run it again when that has ended"
    )]
    Interfered {
        /// The repository.
        place: String,
        /// What was seen.
        what: String,
    },
    /// The lock was lost.
    #[error("{0}")]
    Lock(#[from] LockError),
    /// The user wanted it to stop.
    #[error("stopped; what was not removed goes with the next purge")]
    Stopped,
}

fn and_others(n: usize) -> String {
    if n == 0 { String::new() } else { format!(" (and {n} others)") }
}
