//! `versions/`: every version of every file and note, each once, newest first.
//!
//! ```text
//! versions/files/<path>/<time><extension>
//! versions/notes/<notebook>/<title>/<time>.md
//! ```
//!
//! Made of File IDs alone: lists of snapshots are read, and no content but the heads of notes, for their
//! titles. A note goes by its ID, so its versions stand together whatever it was called and wherever it
//! lay; it is called what the newest snapshot that has it calls it.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::tz::TimeZone;

use crate::format::{Index, IndexId, Lines};
use crate::repo::names::time_name;
use crate::repo::{File, FileEntry, FileNo, Repository, Snapshots, parallel};

use super::escape;
use super::notes::shelf::note_id;
use super::notes::{NotesView, Shelf};
use super::tree::{self, Shared};

/// Snapshots whose lists are in memory at a time: one of 20,000 files has 400 KB, and more when it is
/// read.
const AT_ONCE: usize = 8;

/// A version of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Version {
    /// Its file.
    pub no: FileNo,
    /// The newest snapshot that holds it, as a place in [`All::snapshots`].
    pub snapshot: u32,
}

/// A folder: of versions, of further folders, or of both, where a file became a folder.
#[derive(Debug, Default)]
pub(super) struct Folder {
    /// Its name.
    pub name: Box<str>,
    /// The folder that it lies in.
    pub parent: u32,
    /// Folders in it, by name.
    pub folders: Vec<u32>,
    /// Versions in it, newest first.
    pub versions: Vec<(Box<str>, Version)>,
    /// Time of the newest version in it, all the way down, milliseconds since 1970.
    pub newest: i64,
}

/// A tree of versions. Folder 0 is its root.
#[derive(Debug, Default)]
pub(super) struct Versions {
    pub folders: Vec<Folder>,
}

/// All versions there are, before they are named.
#[derive(Debug)]
pub(super) struct All {
    /// The snapshots, newest first.
    pub snapshots: Vec<IndexId>,
    versions: Vec<Version>,
}

impl All {
    /// Reads the lists of all snapshots. Damaged ones are logged where they are read, and have no versions
    /// here.
    pub fn read(repo: &Repository, snapshots: &Snapshots) -> Self {
        let ids: Vec<IndexId> = snapshots.list.iter().rev().map(|s| s.head.id).collect();
        let mut seen: Vec<bool> = Vec::new();
        let mut versions = Vec::new();
        // The list of a newer snapshot, all of which has been seen.
        let mut newer: Option<Lines> = None;
        for (batch, first) in ids.chunks(AT_ONCE).zip((0..).step_by(AT_ONCE)) {
            let read = parallel::map(batch, |id| repo.objects().lines(*id));
            for ((read, id), snapshot) in read.into_iter().zip(batch).zip(first..) {
                let (index, lines) = read.unzip();
                let beside = lines.as_ref().zip(newer.as_ref());
                let new = beside.and_then(|(lines, newer)| lines.beside(newer).ok());
                let list = match (index, new) {
                    (Some(index), Some(files)) => repo.some_files(&Index { files, ..index }),
                    _ => match repo.load(*id) {
                        Ok(loaded) => loaded.files,
                        Err(_) => continue,
                    },
                };
                newer = lines.or(newer);
                for no in list {
                    let at = no.0 as usize;
                    if at >= seen.len() {
                        seen.resize(at + 1, false);
                    }
                    if !std::mem::replace(&mut seen[at], true) {
                        versions.push(Version { no, snapshot });
                    }
                }
            }
        }
        Self { snapshots: ids, versions }
    }

    /// The versions of all files, by their paths.
    pub fn files(&self, repo: &Repository, zone: &TimeZone) -> Versions {
        let mut tree = Builder::new(zone);
        repo.catalog().with_files(|files| {
            for version in &self.versions {
                let File::Known(entry) = &files[version.no.0 as usize] else { continue };
                let Some(path) = escape::shown_path(&entry.path) else { continue };
                let name = path.rsplit_once('/').map_or(&*path, |(_, name)| name);
                let extension = match name.rfind('.') {
                    Some(dot) if dot > 0 => &name[dot..],
                    _ => "",
                };
                tree.add(&path, extension, entry, *version);
            }
        });
        tree.finish()
    }

    /// The versions of all notes, by their names.
    pub fn notes(
        &self,
        repo: &Arc<Repository>,
        view: &NotesView,
        shared: &Shared,
        zone: &TimeZone,
    ) -> Versions {
        let id_of = |entry: &FileEntry| {
            let name = entry.path.rsplit_once('/').map_or(&*entry.path, |(_, name)| name);
            note_id(name).map(str::to_owned)
        };
        // Per snapshot, the notes that are named after it: those that no newer one has.
        let mut named: HashMap<String, u32> = HashMap::new();
        let mut notes: Vec<(String, Version, Arc<FileEntry>)> = Vec::new();
        repo.catalog().with_files(|files| {
            for version in &self.versions {
                let File::Known(entry) = &files[version.no.0 as usize] else { continue };
                let Some(id) = id_of(entry) else { continue };
                let newest = named.entry(id.clone()).or_insert(version.snapshot);
                *newest = version.snapshot.min(*newest);
                notes.push((id, *version, Arc::clone(entry)));
            }
        });
        let mut of_snapshots: Vec<u32> = named.values().copied().collect();
        of_snapshots.sort_unstable();
        of_snapshots.dedup();
        // A name that a newer note has is given to an older one with a piece of its ID.
        let mut paths: HashMap<String, String> = HashMap::new();
        let mut taken: HashMap<String, String> = HashMap::new();
        for snapshot in of_snapshots {
            let Some(shelf) = shelf(repo, self.snapshots[snapshot as usize], shared) else {
                continue;
            };
            for shown in view.engine().all(&shelf).0 {
                if named.get(&*shown.id) != Some(&snapshot) || paths.contains_key(&*shown.id) {
                    continue;
                }
                let plain = shown.path.strip_suffix(".md").unwrap_or(&shown.path).to_owned();
                let path = match taken.contains_key(&plain) {
                    true => format!("{plain}~{}", shown.id.rsplit('-').next().unwrap_or("")),
                    false => plain,
                };
                taken.insert(path.clone(), shown.id.to_string());
                paths.insert(shown.id.into(), path);
            }
        }
        let mut tree = Builder::new(zone);
        for (id, version, entry) in &notes {
            // Notes of locked notebooks have no name.
            if let Some(path) = paths.get(id) {
                tree.add(path, ".md", entry, *version);
            }
        }
        tree.finish()
    }
}

/// The notes of a snapshot.
pub(super) fn shelf(repo: &Repository, id: IndexId, shared: &Shared) -> Option<Shelf> {
    let loaded = repo.load(id).ok()?;
    Some(Shelf::new(tree::build(repo, &loaded, shared)))
}

/// A tree that is being filled.
struct Builder<'a> {
    zone: &'a TimeZone,
    folders: Vec<Folder>,
    by_path: HashMap<String, u32>,
    /// Per folder: extension, time and File ID of its versions.
    found: Vec<Vec<(i64, String, Version, String)>>,
}

impl<'a> Builder<'a> {
    fn new(zone: &'a TimeZone) -> Self {
        let root = Folder { newest: i64::MIN, ..Folder::default() };
        Self { zone, folders: vec![root], by_path: HashMap::new(), found: vec![Vec::new()] }
    }

    fn folder(&mut self, path: &str) -> u32 {
        if let Some(known) = self.by_path.get(path) {
            return *known;
        }
        let mut parent = 0;
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        let mut begin = 0;
        for end in ends {
            let name = &path[begin..end];
            begin = end + 1;
            if let Some(known) = self.by_path.get(&path[..end]) {
                parent = *known;
                continue;
            }
            let no = u32::try_from(self.folders.len()).expect("fewer than 2^32 folders");
            let name = name.into();
            self.folders.push(Folder { name, parent, newest: i64::MIN, ..Folder::default() });
            self.found.push(Vec::new());
            self.folders[parent as usize].folders.push(no);
            self.by_path.insert(path[..end].to_owned(), no);
            parent = no;
        }
        parent
    }

    fn add(&mut self, path: &str, extension: &str, entry: &FileEntry, version: Version) {
        let folder = self.folder(path);
        let id = entry.id.to_string();
        self.found[folder as usize].push((entry.updated, extension.to_owned(), version, id));
    }

    fn finish(mut self) -> Versions {
        for (folder, mut found) in self.folders.iter_mut().zip(std::mem::take(&mut self.found)) {
            // Newest first; of one time in an order that stays.
            found.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.3.cmp(&b.3)));
            let mut last = String::new();
            for (updated, extension, version, id) in found {
                let time = time_name(updated, self.zone);
                let name = match time == last {
                    true => format!("{time}_{}{extension}", &id[..8]),
                    false => format!("{time}{extension}"),
                };
                last = time;
                folder.newest = folder.newest.max(updated);
                folder.versions.push((name.into(), version));
            }
        }
        // A folder comes before those in it, so this way each gives on what it was given.
        for no in (1..self.folders.len()).rev() {
            let (newest, parent) = (self.folders[no].newest, self.folders[no].parent as usize);
            self.folders[parent].newest = self.folders[parent].newest.max(newest);
        }
        let names: Vec<Box<str>> = self.folders.iter().map(|folder| folder.name.clone()).collect();
        for folder in &mut self.folders {
            folder.folders.sort_by(|a, b| names[*a as usize].cmp(&names[*b as usize]));
            if folder.newest == i64::MIN {
                folder.newest = 0;
            }
        }
        Versions { folders: self.folders }
    }
}

impl Versions {
    /// Finds a folder by its name.
    pub fn find(&self, folder: &Folder, name: &str) -> Option<u32> {
        let name_of = |no: &u32| &*self.folders[*no as usize].name;
        let at = folder.folders.binary_search_by(|no| name_of(no).cmp(name)).ok()?;
        Some(folder.folders[at])
    }
}
