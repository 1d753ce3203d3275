//! Attributes of nodes, and how long they stay as they are.

use crate::repo::{File, FileNo};

use super::attr::{Attr, Entry, Kind, Lifetime};
use super::ino::{self, View};
use super::listing::{Line, Listing};
use super::tree::Child;

pub(super) fn short(attr: Attr) -> Entry {
    Entry { attr, name_lifetime: Lifetime::Forever, attr_lifetime: Lifetime::Short }
}

pub(super) fn forever(attr: Attr) -> Entry {
    Entry { attr, name_lifetime: Lifetime::Forever, attr_lifetime: Lifetime::Forever }
}

pub(super) fn dir_attr(ino: u64, mtime_ms: i64) -> Attr {
    Attr { ino, kind: Kind::Dir, size: 0, mtime_ns: i128::from(mtime_ms) * 1_000_000 }
}

pub(super) fn root_attr(listing: &Listing) -> Attr {
    Attr { ino: ino::ROOT, kind: Kind::Dir, size: 0, mtime_ns: listing.mtime_ns }
}

pub(super) fn view_attr(view: View, listing: &Listing) -> Attr {
    Attr { ino: view.ino(), kind: Kind::Dir, size: 0, mtime_ns: listing.mtime_ns }
}

pub(super) fn view_entry(view: View, listing: &Listing) -> Entry {
    short(view_attr(view, listing))
}

pub(super) fn latest_attr(ino: u64, target: &str, listing: &Listing) -> Attr {
    let size = target.len() as u64;
    Attr { ino, kind: Kind::Symlink, size, mtime_ns: listing.mtime_ns }
}

pub(super) fn latest_entry(ino: u64, target: &str, listing: &Listing) -> Entry {
    let attr = latest_attr(ino, target, listing);
    Entry { attr, name_lifetime: Lifetime::Short, attr_lifetime: Lifetime::Short }
}

/// A snapshot never changes, but its name may lead elsewhere or nowhere.
pub(super) fn line_entry(line: &Line) -> Entry {
    let attr = dir_attr(ino::folder(line.slot, 0), line.created);
    Entry { attr, name_lifetime: Lifetime::Short, attr_lifetime: Lifetime::Forever }
}

pub(super) fn child_entry(slot: u32, parent: u32, child: &Child, files: &[File]) -> Entry {
    forever(match child {
        Child::Dir(dir, first) => dir_attr(ino::folder(slot, parent + first), dir.newest()),
        Child::File(no) => file_attr(*no, &files[no.0 as usize]),
    })
}

/// A file whose record is damaged says that it has one byte: a file of none would never be read,
/// and so copied without an error.
pub(super) fn file_attr(no: FileNo, file: &File) -> Attr {
    let (size, updated) = match file {
        File::Known(entry) => (entry.size, entry.updated),
        File::Bad(_) => (1, 0),
    };
    Attr { ino: ino::file(no), kind: Kind::File, size, mtime_ns: i128::from(updated) * 1_000_000 }
}
