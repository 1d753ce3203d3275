//! The lists of snapshots at one moment: what stands in `snapshots/`, `ids/` and `tags/`, and where
//! `latest` leads.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::tz::TimeZone;

use crate::format::IndexId;
use crate::repo::{Snapshots, names};

use super::escape;
use super::ino::View;
use super::slots::Slots;
use super::vfs::Change;

/// A name in a list and the slot that it leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The name.
    pub name: Arc<str>,
    /// The slot.
    pub slot: u32,
    /// The snapshot's time, milliseconds since 1970.
    pub created: i64,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct Listing {
    /// Which state of the repository this shows.
    pub generation: u64,
    /// When it changed last, nanoseconds since 1970.
    pub mtime_ns: i128,
    snapshots: Vec<Line>,
    ids: Vec<Line>,
    tags: Vec<Line>,
    notes: Vec<Line>,
    notes_tags: Vec<Line>,
    /// Whether there is a folder of notes.
    pub has_notes: bool,
    /// Where the link `latest` leads, from the root of the mount.
    pub latest: Option<String>,
}

impl Listing {
    /// The lists for a state of the repository.
    pub fn new(
        snapshots: &Snapshots,
        zone: &TimeZone,
        slots: &Slots,
        mtime_ns: i128,
        has_notes: bool,
    ) -> Self {
        let by_name = names::names(snapshots, zone);
        let generation = snapshots.generation;
        let mut listing = Self { generation, mtime_ns, has_notes, ..Self::default() };
        let line = |view, name: String, id, created| {
            let name: Arc<str> = name.into();
            let slot = slots.give(view, &name, id, created);
            Line { name, slot, created }
        };
        for (snapshot, name) in snapshots.list.iter().zip(by_name) {
            let (id, created) = (snapshot.head.id, snapshot.head.created);
            if snapshots.latest == Some(id) {
                listing.latest = Some(format!("snapshots/{name}"));
            }
            if has_notes {
                listing.notes.push(line(View::Notes, name.clone(), id, created));
            }
            listing.snapshots.push(line(View::Snapshots, name, id, created));
            listing.ids.push(line(View::Ids, id.to_string(), id, created));
        }
        let times: HashMap<IndexId, i64> =
            snapshots.list.iter().map(|s| (s.head.id, s.head.created)).collect();
        for (tag, id) in &snapshots.tags {
            // A tag names a snapshot of the list: that is checked where the list is made.
            let Some(created) = times.get(id).copied() else { continue };
            let name = escape::shown(tag).into_owned();
            if has_notes {
                let line = line(View::NotesTags, name.clone(), *id, created);
                listing.notes_tags.push(line);
            }
            listing.tags.push(line(View::Tags, name, *id, created));
        }
        for lines in [
            &mut listing.snapshots,
            &mut listing.ids,
            &mut listing.tags,
            &mut listing.notes,
            &mut listing.notes_tags,
        ] {
            lines.sort_by(|a, b| a.name.as_bytes().cmp(b.name.as_bytes()));
        }
        listing
    }

    /// The name of the latest snapshot.
    pub fn latest_name(&self) -> Option<&str> {
        self.latest.as_deref()?.strip_prefix("snapshots/")
    }

    /// The lines of a list, in the order of their names' bytes.
    pub fn lines(&self, view: View) -> &[Line] {
        match view {
            View::Snapshots => &self.snapshots,
            View::Ids => &self.ids,
            View::Tags => &self.tags,
            View::Notes => &self.notes,
            View::NotesTags => &self.notes_tags,
        }
    }

    /// Finds a name in a list.
    pub fn find(&self, view: View, name: &[u8]) -> Option<&Line> {
        let lines = self.lines(view);
        let at = lines.binary_search_by(|line| line.name.as_bytes().cmp(name)).ok()?;
        Some(&lines[at])
    }

    /// What of `old` the kernel must no longer believe.
    pub fn changes_since(&self, old: &Self) -> Vec<Change> {
        let mut changes = Vec::new();
        for view in [View::Snapshots, View::Ids, View::Tags, View::Notes, View::NotesTags] {
            let (before, now) = (old.lines(view), self.lines(view));
            if before == now {
                continue;
            }
            changes.push(Change::Node(view.ino()));
            for line in before.iter().filter(|line| {
                self.find(view, line.name.as_bytes()).is_none_or(|l| l.slot != line.slot)
            }) {
                let name = line.name.as_bytes().to_vec();
                changes.push(Change::Name { parent: view.ino(), name });
            }
        }
        if self.latest != old.latest {
            changes.push(Change::Node(super::ino::LATEST));
            changes.push(Change::Name { parent: super::ino::ROOT, name: b"latest".to_vec() });
            changes.push(Change::Node(super::ino::NOTES_LATEST));
            changes.push(Change::Name { parent: super::ino::NOTES, name: b"latest".to_vec() });
        }
        if self.has_notes != old.has_notes {
            changes.push(Change::Name { parent: super::ino::ROOT, name: b"notes".to_vec() });
        }
        changes
    }
}
