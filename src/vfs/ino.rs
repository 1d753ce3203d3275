//! Inode numbers, computed and not handed out.

use crate::repo::FileNo;

/// The root of the mount.
pub const ROOT: u64 = 1;
/// The folder `snapshots`.
pub const SNAPSHOTS: u64 = 2;
/// The folder `ids`.
pub const IDS: u64 = 3;
/// The folder `tags`.
pub const TAGS: u64 = 4;
/// The link `latest`.
pub const LATEST: u64 = 5;

/// Set in the numbers of files. Not the highest bit: programs that take inode numbers for signed
/// would show negative ones.
const FILE: u64 = 1 << 62;

/// What a number stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Node {
    /// [`ROOT`].
    Root,
    /// [`SNAPSHOTS`], [`IDS`] or [`TAGS`].
    View(View),
    /// [`LATEST`].
    Latest,
    /// The `nth` folder of the walk through the snapshot in that slot; 0 is its root.
    Folder {
        /// See the model's `slots`.
        slot: u32,
        /// Place in the walk.
        nth: u32,
    },
    /// A file, in every snapshot that has it.
    File(FileNo),
}

/// The folders that list snapshots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum View {
    /// By time.
    Snapshots,
    /// By ID.
    Ids,
    /// By tag.
    Tags,
}

impl View {
    /// The folder's inode number.
    pub const fn ino(self) -> u64 {
        match self {
            Self::Snapshots => SNAPSHOTS,
            Self::Ids => IDS,
            Self::Tags => TAGS,
        }
    }
}

/// The number of a folder of a snapshot.
pub fn folder(slot: u32, nth: u32) -> u64 {
    debug_assert!(slot > 0 && slot < 1 << 30, "slots begin at 1: below are the fixed numbers");
    u64::from(slot) << 32 | u64::from(nth)
}

/// The number of a file.
pub fn file(no: FileNo) -> u64 {
    FILE | u64::from(no.0)
}

/// What a number stands for; `None` for one that was never used.
pub fn node(ino: u64) -> Option<Node> {
    Some(match ino {
        ROOT => Node::Root,
        SNAPSHOTS => Node::View(View::Snapshots),
        IDS => Node::View(View::Ids),
        TAGS => Node::View(View::Tags),
        LATEST => Node::Latest,
        _ if ino & FILE != 0 => Node::File(FileNo(u32::try_from(ino & !FILE).ok()?)),
        _ if ino >> 32 != 0 => {
            Node::Folder { slot: u32::try_from(ino >> 32).ok()?, nth: ino as u32 }
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_round_trip_and_do_not_meet() {
        let (slot, nth, no) = (3, 70_000, FileNo(u32::MAX));
        assert_eq!(node(folder(slot, nth)), Some(Node::Folder { slot, nth }));
        assert_eq!(node(file(no)), Some(Node::File(no)));
        assert_eq!(node(0), None);
        assert_eq!(node(77), None);
    }
}
