//! `assets` in folders of notes: a link, or a folder where attachments had to be decrypted or lie in
//! several folders; see [`super::assets`].

use std::sync::Arc;

use super::super::VfsError;
use super::super::attr::{Attr, Entry, Item, Kind, Lifetime};
use super::super::entries;
use super::super::ino;
use super::super::tree::{Child, Dir};
use super::assets::{ASSETS, Attached, Attachment, What};
use super::dirs::Role;
use super::view::{FIRST, Found, NotesView, Place, dir_attr, file_attr, forever};

impl NotesView {
    /// The link to the attachments, or their folder where they had to be decrypted, or lie in several.
    pub(super) fn assets_entry(&self, place: Place<'_>, nth: u32, found: &Found) -> Option<Entry> {
        if found.role != Role::Notes {
            return None;
        }
        let (notebook, dir) = found.trail.get(1)?;
        if found.trail.len() == 2 && self.engine().vault().has(notebook) {
            let first = self.subfolder(dir, ASSETS)?;
            let attr = dir_attr(ino::folder(place.slot, nth + first), dir.newest());
            return Some(forever(attr));
        }
        let ino = ino::assets(place.slot, nth);
        let newest = found.trail.last().map_or(0, |(_, dir)| dir.newest());
        if found.trail.len() == 2 && matches!(self.attached(place, notebook), Attached::Merged(_)) {
            return Some(forever(dir_attr(ino, newest)));
        }
        let target = self.assets_target(place, found)?;
        let attr = Attr { kind: Kind::Symlink, ..file_attr(ino, target.len() as u64, newest) };
        Some(forever(attr))
    }

    fn attached(&self, place: Place<'_>, notebook: &str) -> Attached {
        let shelf = self.shelf(place.id, place.root);
        shelf.attachments(self.engine()).of(self.engine(), notebook)
    }

    /// What is in the folder `assets` of the notebook at this place, where it is one.
    fn merged(&self, place: Place<'_>, nth: u32) -> Result<Arc<[Attachment]>, VfsError> {
        match &place.root.trail(nth).ok_or(VfsError::Stale)?[..] {
            [_, (notebook, _)] => match self.attached(place, notebook) {
                Attached::Merged(all) => Ok(all),
                Attached::Nowhere | Attached::Folder(_) => Err(VfsError::NotADir),
            },
            _ => Err(VfsError::NotADir),
        }
    }

    /// Finds a name in the folder of attachments beside the notes of a notebook.
    ///
    /// # Errors
    /// [`VfsError::NotFound`], [`VfsError::NotADir`], [`VfsError::Stale`].
    pub fn lookup_attachment(
        &self,
        place: Place<'_>,
        nth: u32,
        name: &[u8],
    ) -> Result<Entry, VfsError> {
        let all = self.merged(place, nth)?;
        let at = all.binary_search_by(|known| known.name.as_bytes().cmp(name));
        let at = at.map_err(|_| VfsError::NotFound(Lifetime::Forever))?;
        self.attachment_entry(place, &all[at])
    }

    /// Lists that folder, after `.` and `..`.
    ///
    /// # Errors
    /// [`VfsError::NotADir`], [`VfsError::Stale`].
    pub fn read_attachments(
        &self,
        place: Place<'_>,
        nth: u32,
        offset: u64,
        take: &mut dyn FnMut(Item<'_>) -> bool,
    ) -> Result<(), VfsError> {
        let all = self.merged(place, nth)?;
        let from = usize::try_from(offset.saturating_sub(FIRST)).unwrap_or(usize::MAX);
        for (attachment, next) in all.iter().zip(FIRST + 1..).skip(from) {
            let entry = self.attachment_entry(place, attachment)?;
            if !take(Item { name: attachment.name.as_bytes(), entry, next }) {
                break;
            }
        }
        Ok(())
    }

    fn attachment_entry(&self, place: Place<'_>, it: &Attachment) -> Result<Entry, VfsError> {
        Ok(forever(match it.what {
            What::File(no) => {
                let file = self.engine().repo().catalog().file(no).ok_or(VfsError::Stale)?;
                entries::file_attr(no, &file)
            }
            What::Folder(nth) => self.subfolder_attr(place, nth, &it.path),
        }))
    }

    /// A folder in such a folder is a link to the snapshot's.
    fn subfolder_attr(&self, place: Place<'_>, nth: u32, path: &str) -> Attr {
        let size = subfolder_target(place, path).len() as u64;
        let newest = place.root.locate(nth).map_or(0, |found| found.dir.newest());
        Attr { kind: Kind::Symlink, ..file_attr(ino::assets(place.slot, nth), size, newest) }
    }

    /// The path of a folder of attachments that such a link stands for.
    fn subfolder_path(&self, place: Place<'_>, nth: u32) -> Option<String> {
        let trail = place.root.trail(nth)?;
        let names: Vec<&str> = trail[1..].iter().map(|(name, _)| &**name).collect();
        names.contains(&ASSETS).then(|| names.join("/"))
    }

    fn subfolder(&self, dir: &Arc<Dir>, name: &str) -> Option<u32> {
        self.engine().repo().catalog().with_files(|files| {
            match dir.child(dir.find(name, files)?)? {
                Child::Dir(_, first) => Some(first),
                Child::File(_) => None,
            }
        })
    }

    /// Where the link to attachments in a folder leads: to the one folder that there is, else to that of the
    /// notebook.
    fn assets_target(&self, place: Place<'_>, found: &Found) -> Option<String> {
        let (notebook, dir) = found.trail.get(1)?;
        let of_notebook = || format!("{}{ASSETS}", "../".repeat(found.trail.len() - 2));
        if self.engine().vault().has(notebook) {
            self.subfolder(dir, ASSETS)?;
            return Some(of_notebook());
        }
        match self.attached(place, notebook) {
            Attached::Nowhere => None,
            Attached::Folder(path) => {
                let up = "../".repeat(place.depth + found.trail.len());
                Some(format!("{up}ids/{}/{path}", place.id))
            }
            Attached::Merged(_) => Some(of_notebook()),
        }
    }

    /// The target of the link to attachments in a folder.
    ///
    /// # Errors
    /// [`VfsError::Stale`], [`VfsError::NotALink`].
    pub fn readlink(&self, place: Place<'_>, nth: u32) -> Result<String, VfsError> {
        if self.link_attr(place, nth)?.kind != Kind::Symlink {
            return Err(VfsError::NotALink);
        }
        if let Some(path) = self.subfolder_path(place, nth) {
            return Ok(subfolder_target(place, &path));
        }
        let found = self.found(place, nth)?;
        self.assets_target(place, &found).ok_or(VfsError::Stale)
    }

    /// The attributes of the link to attachments in a folder, or of their folder.
    ///
    /// # Errors
    /// [`VfsError::Stale`].
    pub fn link_attr(&self, place: Place<'_>, nth: u32) -> Result<Attr, VfsError> {
        if let Some(path) = self.subfolder_path(place, nth) {
            return Ok(self.subfolder_attr(place, nth, &path));
        }
        let found = self.found(place, nth)?;
        self.assets_entry(place, nth, &found).map(|entry| entry.attr).ok_or(VfsError::Stale)
    }
}

/// Where the link leads that stands for a folder in the folder of attachments of a notebook.
fn subfolder_target(place: Place<'_>, path: &str) -> String {
    format!("{}ids/{}/{path}", "../".repeat(place.depth + 3), place.id)
}
