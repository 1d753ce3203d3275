//! Inode numbers, computed and not handed out.

use crate::repo::FileNo;

use super::notes::engine::TextNo;

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

/// The folder `notes`.
pub const NOTES: u64 = 6;
/// The folder `notes/tags`.
pub const NOTES_TAGS: u64 = 7;
/// The link `notes/latest`.
pub const NOTES_LATEST: u64 = 8;

/// The folder `versions`, then those in it.
pub const VERSIONS: [u64; 3] = [9, 10, 11];

/// Set in the numbers of folders of versions.
const VERSION: u64 = 1 << 57;
/// Set in those of notes.
const OF_NOTES: u64 = 1 << 32;

/// Set in the numbers of texts that were rendered.
const TEXT: u64 = 1 << 61;
/// Set in the numbers of files that were decrypted.
const OPENED: u64 = 1 << 60;
/// Set in the numbers of links to attachments, which else are those of the folders they stand in.
const ASSETS: u64 = 1 << 59;
/// Likewise, of the texts that say how to unlock a notebook.
const LOCKED: u64 = 1 << 58;
/// Slots beyond this would meet those flags.
const MAX_SLOTS: u32 = 1 << 25;

/// Set in the numbers of files. Not the highest bit: programs that take inode numbers for signed
/// would show negative ones.
const FILE: u64 = 1 << 62;

/// What a number stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Node {
    /// [`ROOT`].
    Root,
    /// [`SNAPSHOTS`], [`IDS`], [`TAGS`], [`NOTES`] or [`NOTES_TAGS`].
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
    /// [`NOTES_LATEST`].
    NotesLatest,
    /// The text of a note.
    Text(TextNo),
    /// A file of an encrypted notebook, decrypted.
    Opened(FileNo),
    /// The link to attachments in a folder of notes.
    Assets {
        /// The folder's slot.
        slot: u32,
        /// The folder's place in the walk.
        nth: u32,
    },
    /// A folder of `versions`.
    Versions(VersionsPlace),
    /// The text in a notebook that was not unlocked.
    Locked {
        /// The folder's slot.
        slot: u32,
        /// The folder's place in the walk.
        nth: u32,
    },
}

/// A folder of `versions`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionsPlace {
    /// The folder `versions` itself.
    Root,
    /// The folder of all files, or of all notes: 0 of its tree.
    Top {
        /// Whether of notes.
        of_notes: bool,
    },
    /// Another folder.
    Folder {
        /// Which tree: each that is made has its own number.
        build: u32,
        /// Whether of notes.
        of_notes: bool,
        /// Its number in the tree.
        nth: u32,
    },
}

impl VersionsPlace {
    /// The folder's inode number.
    pub fn ino(self) -> u64 {
        match self {
            Self::Root => VERSIONS[0],
            Self::Top { of_notes } => VERSIONS[1 + usize::from(of_notes)],
            Self::Folder { build, of_notes, nth } => {
                // Numbers begin anew after 16 million trees; nobody remembers the first then.
                let build = u64::from(build & 0xff_ffff) << 33;
                VERSION | build | if of_notes { OF_NOTES } else { 0 } | u64::from(nth)
            }
        }
    }
}

impl Node {
    /// Whether names are looked up in it.
    pub const fn is_folder(self) -> bool {
        matches!(self, Self::Root | Self::View(_) | Self::Folder { .. } | Self::Versions(_))
    }
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
    /// Their notes, by time.
    Notes,
    /// Their notes, by tag.
    NotesTags,
}

impl View {
    /// The folder's inode number.
    pub const fn ino(self) -> u64 {
        match self {
            Self::Snapshots => SNAPSHOTS,
            Self::Ids => IDS,
            Self::Tags => TAGS,
            Self::Notes => NOTES,
            Self::NotesTags => NOTES_TAGS,
        }
    }
}

/// The number of a folder of a snapshot.
pub fn folder(slot: u32, nth: u32) -> u64 {
    debug_assert!(slot > 0 && slot < MAX_SLOTS, "slots begin at 1: below are the fixed numbers");
    u64::from(slot) << 32 | u64::from(nth)
}

/// The number of a file.
pub fn file(no: FileNo) -> u64 {
    FILE | u64::from(no.0)
}

/// The number of a text.
pub fn text(no: TextNo) -> u64 {
    TEXT | u64::from(no.0)
}

/// The number of a file that was decrypted.
pub fn opened(no: FileNo) -> u64 {
    OPENED | u64::from(no.0)
}

/// The number of the link to attachments in a folder.
pub fn assets(slot: u32, nth: u32) -> u64 {
    ASSETS | folder(slot, nth)
}

/// The number of the text in a notebook that was not unlocked.
pub fn locked(slot: u32, nth: u32) -> u64 {
    LOCKED | folder(slot, nth)
}

/// What a number stands for; `None` for one that was never used.
pub fn node(ino: u64) -> Option<Node> {
    Some(match ino {
        ROOT => Node::Root,
        SNAPSHOTS => Node::View(View::Snapshots),
        IDS => Node::View(View::Ids),
        TAGS => Node::View(View::Tags),
        LATEST => Node::Latest,
        NOTES => Node::View(View::Notes),
        NOTES_TAGS => Node::View(View::NotesTags),
        NOTES_LATEST => Node::NotesLatest,
        _ if ino == VERSIONS[0] => Node::Versions(VersionsPlace::Root),
        _ if ino == VERSIONS[1] => Node::Versions(VersionsPlace::Top { of_notes: false }),
        _ if ino == VERSIONS[2] => Node::Versions(VersionsPlace::Top { of_notes: true }),
        _ if ino & FILE != 0 => Node::File(FileNo(u32::try_from(ino & !FILE).ok()?)),
        _ if ino & TEXT != 0 => Node::Text(TextNo(u32::try_from(ino & !TEXT).ok()?)),
        _ if ino & OPENED != 0 => Node::Opened(FileNo(u32::try_from(ino & !OPENED).ok()?)),
        _ if ino & VERSION != 0 => Node::Versions(VersionsPlace::Folder {
            build: (ino >> 33) as u32 & 0xff_ffff,
            of_notes: ino & OF_NOTES != 0,
            nth: ino as u32,
        }),
        _ if ino & (ASSETS | LOCKED) != 0 => {
            let place = ino & !(ASSETS | LOCKED);
            let (slot, nth) = (u32::try_from(place >> 32).ok()?, place as u32);
            match ino & ASSETS != 0 {
                true => Node::Assets { slot, nth },
                false => Node::Locked { slot, nth },
            }
        }
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
        assert_eq!(node(text(TextNo(7))), Some(Node::Text(TextNo(7))));
        assert_eq!(node(opened(no)), Some(Node::Opened(no)));
        assert_eq!(node(assets(slot, nth)), Some(Node::Assets { slot, nth }));
        assert_eq!(node(locked(slot, nth)), Some(Node::Locked { slot, nth }));
        for place in [
            VersionsPlace::Root,
            VersionsPlace::Top { of_notes: true },
            VersionsPlace::Folder { build: 0xff_ffff, of_notes: true, nth: u32::MAX },
            VersionsPlace::Folder { build: 1, of_notes: false, nth: 3 },
        ] {
            assert_eq!(node(place.ino()), Some(Node::Versions(place)));
        }
        assert_eq!(node(0), None);
        assert_eq!(node(77), None);
    }
}
