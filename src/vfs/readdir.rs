//! Listings of folders.

use super::VfsError;
use super::attr::Item;
use super::entries::{
    child_entry, forever, latest_entry, line_entry, root_attr, short, view_entry,
};
use super::ino::{self, Node, View};
use super::listing::Listing;
use super::vfs::Vfs;

/// The folders of the root, in the order of their names.
pub(super) const VIEWS: [(&str, View); 3] =
    [("ids", View::Ids), ("snapshots", View::Snapshots), ("tags", View::Tags)];

pub(super) const LATEST_NAME: &str = "latest";
pub(super) const VERSIONS_NAME: &str = "versions";
pub(super) const NOTES_NAME: &str = "notes";
pub(super) const TAGS_NAME: &str = "tags";

/// Offset of the first line after `.` and `..`.
const FIRST: u64 = 2;
/// Offset of the lines of `notes/` that are no snapshots. Beyond all slots, so that it is none.
const NOTES_HEAD: u64 = 1 << 40;

impl Vfs {
    /// Lists a folder from `offset` on (0: from the beginning, with `.` and `..`) in the order of the
    /// names' bytes, until `take` answers `false`: that line was not taken and comes again. A
    /// listing that goes on after the list has changed misses and repeats nothing that stayed.
    ///
    /// # Errors
    /// [`VfsError::NotADir`], [`VfsError::Stale`], [`VfsError::Damaged`].
    pub fn readdir(
        &self,
        ino: u64,
        offset: u64,
        take: &mut dyn FnMut(Item<'_>) -> bool,
    ) -> Result<(), VfsError> {
        match ino::node(ino).ok_or(VfsError::Stale)? {
            Node::Root => self.read_root(offset, take),
            Node::View(view) => self.read_view(view, offset, take),
            Node::Versions(place) => {
                let (versions, snapshots, notes) = self.of_versions()?;
                let root = short(root_attr(&*self.listing()?));
                versions.readdir(place, offset, &snapshots, notes, root, take)
            }
            Node::Folder { slot, nth } => self.read_folder(ino, slot, nth, offset, take),
            Node::Assets { slot, nth } => self.read_assets(ino, slot, nth, offset, take),
            _ => Err(VfsError::NotADir),
        }
    }

    fn read_root(
        &self,
        offset: u64,
        take: &mut dyn FnMut(Item<'_>) -> bool,
    ) -> Result<(), VfsError> {
        let listing = self.listing()?;
        let root = short(root_attr(&listing));
        let [ids, snapshots, tags] = VIEWS;
        let view = |(name, view): (&'static str, View)| (name, view_entry(view, &listing));
        let latest =
            listing.latest.as_ref().map(|target| latest_entry(ino::LATEST, target, &listing));
        let lines = [
            Some((".", root)),
            Some(("..", root)),
            Some(view(ids)),
            latest.map(|entry| (LATEST_NAME, entry)),
            listing.has_notes.then(|| (NOTES_NAME, view_entry(View::Notes, &listing))),
            Some(view(snapshots)),
            Some(view(tags)),
            self.versions.as_ref().map(|versions| (VERSIONS_NAME, versions.root_entry())),
        ];
        for (line, next) in
            lines.into_iter().zip(1..).skip(usize::try_from(offset).unwrap_or(usize::MAX))
        {
            let Some((name, entry)) = line else { continue };
            if !take(Item { name: name.as_bytes(), entry, next }) {
                break;
            }
        }
        Ok(())
    }

    fn read_view(
        &self,
        view: View,
        offset: u64,
        take: &mut dyn FnMut(Item<'_>) -> bool,
    ) -> Result<(), VfsError> {
        let listing = self.listing()?;
        if offset == 0 {
            let entry = view_entry(view, &listing);
            if !take(Item { name: b".", entry, next: 1 }) {
                return Ok(());
            }
        }
        if offset <= 1 {
            let entry = match view {
                View::NotesTags => view_entry(View::Notes, &listing),
                _ => short(root_attr(&listing)),
            };
            if !take(Item { name: b"..", entry, next: FIRST }) {
                return Ok(());
            }
        }
        let offset = match view {
            View::Notes => match self.read_notes_head(&listing, offset, take) {
                Some(offset) => offset,
                None => return Ok(()),
            },
            _ => offset,
        };
        let lines = listing.lines(view);
        let from = match offset.checked_sub(FIRST) {
            None | Some(0) => 0,
            // Places in a list shift, slots do not: go on behind the name of the last one.
            Some(slot) => match u32::try_from(slot).ok().and_then(|slot| self.slots.get(slot)) {
                Some(last) => {
                    lines.partition_point(|line| line.name.as_bytes() <= last.name.as_bytes())
                }
                None => lines.partition_point(|line| u64::from(line.slot) <= slot),
            },
        };
        for line in &lines[from..] {
            let next = FIRST + u64::from(line.slot);
            if !take(Item { name: line.name.as_bytes(), entry: line_entry(line), next }) {
                break;
            }
        }
        Ok(())
    }

    /// The two lines of `notes/` that are no snapshots. Gives the offset to go on at, unless the
    /// listing ends here.
    fn read_notes_head(
        &self,
        listing: &Listing,
        offset: u64,
        take: &mut dyn FnMut(Item<'_>) -> bool,
    ) -> Option<u64> {
        let latest = listing.latest_name();
        let latest = latest.map(|target| latest_entry(ino::NOTES_LATEST, target, listing));
        let tags = Some(view_entry(View::NotesTags, listing));
        for (at, (name, entry)) in
            [(LATEST_NAME, latest), (TAGS_NAME, tags)].into_iter().enumerate()
        {
            let place = NOTES_HEAD + at as u64;
            let done = offset > place || (offset > FIRST && offset < NOTES_HEAD);
            let Some(entry) = entry.filter(|_| !done) else { continue };
            if !take(Item { name: name.as_bytes(), entry, next: place + 1 }) {
                return None;
            }
        }
        Some(if offset >= NOTES_HEAD { FIRST } else { offset })
    }

    fn read_assets(
        &self,
        ino: u64,
        slot: u32,
        nth: u32,
        offset: u64,
        take: &mut dyn FnMut(Item<'_>) -> bool,
    ) -> Result<(), VfsError> {
        let lines = [(".", ino, 0), ("..", ino::folder(slot, nth), 1)];
        for (name, ino, at) in lines.into_iter().filter(|&(_, _, at)| offset <= at) {
            let entry = forever(self.getattr(ino)?.0);
            if !take(Item { name: name.as_bytes(), entry, next: at + 1 }) {
                return Ok(());
            }
        }
        self.in_notes(slot, |notes, place| notes.read_attachments(place, nth, offset, take))
            .ok_or(VfsError::Stale)?
    }

    fn read_folder(
        &self,
        ino: u64,
        slot: u32,
        nth: u32,
        offset: u64,
        take: &mut dyn FnMut(Item<'_>) -> bool,
    ) -> Result<(), VfsError> {
        let (found, located) = self.folder(slot, nth)?;
        if offset == 0 {
            if let Some(first) = located.dir.first_file() {
                self.repo.listed(first);
            }
            let attr = self.getattr(ino)?.0;
            if !take(Item { name: b".", entry: forever(attr), next: 1 }) {
                return Ok(());
            }
        }
        if offset <= 1 {
            let entry = match located.parent {
                Some(parent) => forever(self.getattr(ino::folder(slot, parent))?.0),
                None => view_entry(found.view, &*self.listing()?),
            };
            if !take(Item { name: b"..", entry, next: FIRST }) {
                return Ok(());
            }
        }
        if let Some(listed) = self.in_notes(slot, |n, place| n.readdir(place, nth, offset, take)) {
            return listed;
        }
        let from = usize::try_from(offset.saturating_sub(FIRST)).unwrap_or(usize::MAX);
        self.repo.catalog().with_files(|files| {
            for i in from..located.dir.len() {
                let child = located.dir.child(i).expect("within the folder's length");
                let entry = child_entry(slot, nth, &child, files);
                let name = located.dir.name(i, files).as_bytes();
                if !take(Item { name, entry, next: FIRST + i as u64 + 1 }) {
                    break;
                }
            }
        });
        Ok(())
    }
}
