//! The folders of a snapshot, made of the paths of its files.
//!
//! A folder is as small as it can be: four bytes for a file, whose name is the end of its path in the
//! catalog. Folders of equal content are one allocation however many snapshots have them, so a further
//! snapshot costs the folders on the way to what changed in it.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::format::index::walk_order;
use crate::repo::{File, FileNo, Loaded, Repository};

use super::escape;

/// The folder, in the root of a snapshot, of the files whose records are damaged. Each is there under
/// its File ID and cannot be read, so that a copy of the snapshot fails instead of missing them in
/// silence.
pub const DAMAGED: &str = "revu-damaged";

/// A folder.
#[derive(Debug)]
pub struct Dir {
    /// Files and folders in the order of their names' bytes. A number with the highest bit is a
    /// place in `dirs`, any other one a file's number in the catalog.
    entries: Box<[u32]>,
    dirs: Box<[SubDir]>,
    /// Names of files that are not the ends of their paths; in most folders none.
    odd: Option<Box<Odd>>,
    /// Folders in this one, all the way down, itself included.
    count: u32,
    /// The newest time of the files in it, all the way down, milliseconds since 1970.
    newest: i64,
}

/// Names by the files' numbers. Behind a pointer: nearly every folder has none.
type Odd = HashMap<u32, Box<str>>;

#[derive(Debug)]
struct SubDir {
    name: Box<str>,
    dir: Arc<Dir>,
    /// Its place in the walk through the folder that it lies in, which itself is 0.
    first: u32,
}

const IS_DIR: u32 = 1 << 31;

/// Something in a folder.
#[derive(Debug, Clone)]
pub enum Child {
    /// A file.
    File(FileNo),
    /// A folder, and its place in the walk through the one that it lies in.
    Dir(Arc<Dir>, u32),
}

impl Dir {
    /// How many things are in it.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is in it: only the root of an empty snapshot.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The newest time of the files in it, milliseconds since 1970.
    pub fn newest(&self) -> i64 {
        self.newest
    }

    /// The `i`th thing in it, in the order of names.
    pub fn child(&self, i: usize) -> Option<Child> {
        let entry = *self.entries.get(i)?;
        Some(match self.subdir(entry) {
            Some(sub) => Child::Dir(Arc::clone(&sub.dir), sub.first),
            None => Child::File(FileNo(entry)),
        })
    }

    /// The first file in it, in the order of names.
    pub fn first_file(&self) -> Option<FileNo> {
        self.entries.iter().find(|entry| **entry & IS_DIR == 0).map(|no| FileNo(*no))
    }

    fn subdir(&self, entry: u32) -> Option<&SubDir> {
        (entry & IS_DIR != 0).then(|| &self.dirs[(entry & !IS_DIR) as usize])
    }

    /// The name of the `i`th thing; `files` are the catalog's.
    pub fn name<'a>(&'a self, i: usize, files: &'a [File]) -> &'a str {
        let entry = self.entries[i];
        match self.subdir(entry) {
            Some(sub) => &sub.name,
            None => self.file_name(entry, files),
        }
    }

    fn file_name<'a>(&'a self, no: u32, files: &'a [File]) -> &'a str {
        if let Some(name) = self.odd.as_ref().and_then(|odd| odd.get(&no)) {
            return name;
        }
        match &files[no as usize] {
            File::Known(entry) => last_part(&entry.path),
            File::Bad(_) => unreachable!("a damaged file has an odd name"),
        }
    }

    /// Finds a name.
    pub fn find(&self, name: &str, files: &[File]) -> Option<usize> {
        let (mut low, mut high) = (0, self.entries.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match self.name(middle, files).as_bytes().cmp(name.as_bytes()) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Some(middle),
            }
        }
        None
    }

    /// The folder at a place of the walk through this one, the place of the one it lies in, and
    /// its path. `None` for a place that the walk does not have.
    pub fn locate(self: &Arc<Self>, nth: u32) -> Option<Located> {
        if nth >= self.count {
            return None;
        }
        let mut found = Located { dir: Arc::clone(self), parent: None };
        let (mut at, mut left) = (0, nth);
        while left > 0 {
            let i = found.dir.dirs.partition_point(|sub| sub.first <= left) - 1;
            let sub = &found.dir.dirs[i];
            found.parent = Some(at);
            at += sub.first;
            left -= sub.first;
            let dir = Arc::clone(&sub.dir);
            found.dir = dir;
        }
        Some(found)
    }

    /// The folders on the way to a place of the walk through this one, with their names: itself, which has
    /// none here, first. `None` for a place that the walk does not have.
    pub fn trail(self: &Arc<Self>, nth: u32) -> Option<Vec<(Box<str>, Arc<Self>)>> {
        if nth >= self.count {
            return None;
        }
        let mut trail = vec![(Box::default(), Arc::clone(self))];
        let mut here = Arc::clone(self);
        let mut left = nth;
        while left > 0 {
            let sub = &here.dirs[here.dirs.partition_point(|sub| sub.first <= left) - 1];
            left -= sub.first;
            let dir = Arc::clone(&sub.dir);
            trail.push((sub.name.clone(), Arc::clone(&dir)));
            here = dir;
        }
        Some(trail)
    }

    /// Follows a path of shown names, parted by `/`; empty parts do not count.
    pub fn walk(self: &Arc<Self>, path: &str, files: &[File]) -> Option<Child> {
        let mut here = Child::Dir(Arc::clone(self), 0);
        for part in path.split('/').filter(|part| !part.is_empty()) {
            let Child::Dir(dir, _) = &here else { return None };
            here = dir.child(dir.find(part, files)?)?;
        }
        Some(here)
    }

    fn same_as(&self, other: &Self) -> bool {
        self.entries == other.entries
            && self.odd.is_none()
            && other.odd.is_none()
            && self.dirs.len() == other.dirs.len()
            && self
                .dirs
                .iter()
                .zip(&other.dirs)
                .all(|(a, b)| a.name == b.name && Arc::ptr_eq(&a.dir, &b.dir))
    }

    fn content_hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.entries.hash(&mut hasher);
        for sub in &self.dirs {
            sub.name.hash(&mut hasher);
            Arc::as_ptr(&sub.dir).hash(&mut hasher);
        }
        hasher.finish()
    }
}

/// See [`Dir::locate`].
#[derive(Debug)]
pub struct Located {
    /// The folder.
    pub dir: Arc<Dir>,
    /// The place of the folder that it lies in; `None` for the root.
    pub parent: Option<u32>,
}

fn last_part(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// All folders that are in use, by their content.
#[derive(Debug, Default)]
pub struct Shared {
    by_content: Mutex<HashMap<u64, Vec<Weak<Dir>>>>,
}

impl Shared {
    /// The folder that is already there for this content, or this one from now on.
    fn intern(&self, dir: Dir) -> Arc<Dir> {
        if dir.odd.is_some() {
            return Arc::new(dir);
        }
        let mut by_content = self.by_content.lock();
        let alike = by_content.entry(dir.content_hash()).or_default();
        alike.retain(|weak| weak.strong_count() > 0);
        let known = alike.iter().filter_map(Weak::upgrade).find(|known| known.same_as(&dir));
        known.unwrap_or_else(|| {
            let new = Arc::new(dir);
            alike.push(Arc::downgrade(&new));
            new
        })
    }

    /// Forgets content that nobody uses any more.
    pub fn sweep(&self) {
        self.by_content.lock().retain(|_, alike| {
            alike.retain(|weak| weak.strong_count() > 0);
            !alike.is_empty()
        });
    }

    /// How many folders are in use.
    pub fn len(&self) -> usize {
        let by_content = self.by_content.lock();
        by_content.values().flatten().filter(|weak| weak.strong_count() > 0).count()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A folder that is being filled.
#[derive(Default)]
struct Open {
    name: String,
    files: Vec<(u32, Option<Box<str>>)>,
    dirs: Vec<(String, Arc<Dir>)>,
    newest: Option<i64>,
}

/// The root folder of a snapshot. What cannot be shown is logged, once for each snapshot.
pub fn build(repo: &Repository, loaded: &Loaded, shared: &Shared) -> Arc<Dir> {
    repo.catalog().with_files(|files| {
        let mut left_out = 0usize;
        let mut paths: Vec<(Cow<'_, str>, u32)> = Vec::with_capacity(loaded.files.len());
        for no in &loaded.files {
            match &files[no.0 as usize] {
                File::Known(entry) => match escape::shown_path(&entry.path) {
                    Some(path) => paths.push((path, no.0)),
                    None => left_out += 1,
                },
                File::Bad(e) => paths.push((format!("{DAMAGED}/{}", e.id).into(), no.0)),
            }
        }
        if left_out > 0 {
            log::warn!(
                "snapshot {}: {left_out} files lie more than {} folders deep and are not shown",
                loaded.index.id,
                escape::MAX_DEPTH
            );
        }
        // The order of the walk that made the snapshot, so this usually has nothing to do. The sort
        // is stable: of two files of one path, the first in the snapshot is the first here.
        paths.sort_by(|a, b| walk_order(&a.0, &b.0));
        paths.dedup_by(|a, b| a.1 == b.1);
        fill(&paths, files, shared)
    })
}

fn fill(paths: &[(Cow<'_, str>, u32)], files: &[File], shared: &Shared) -> Arc<Dir> {
    let mut open = vec![Open::default()];
    for (path, no) in paths {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
        let common = open[1..].iter().zip(&parts).take_while(|(o, p)| o.name == **p).count();
        while open.len() > common + 1 {
            close_last(&mut open, files, shared);
        }
        for part in &parts[common..] {
            open.push(Open { name: (*part).to_owned(), ..Open::default() });
        }
        let here = open.last_mut().expect("the root stays open");
        let (own_name, updated) = match &files[*no as usize] {
            File::Known(entry) => (last_part(&entry.path), entry.updated),
            File::Bad(_) => ("", 0),
        };
        here.newest = here.newest.max(Some(updated));
        here.files.push((*no, (own_name != name).then(|| name.into())));
    }
    while open.len() > 1 {
        close_last(&mut open, files, shared);
    }
    finish(open.pop().expect("the root stays open"), files, shared)
}

fn close_last(open: &mut Vec<Open>, files: &[File], shared: &Shared) {
    let done = open.pop().expect("called with a folder below the root");
    let newest = done.newest;
    let name = done.name.clone();
    let dir = finish(done, files, shared);
    let outer = open.last_mut().expect("the root stays open");
    outer.newest = outer.newest.max(newest);
    outer.dirs.push((name, dir));
}

/// Sorts a folder, and tells apart what would have one name: a folder keeps it, and of files the
/// first.
fn finish(open: Open, files: &[File], shared: &Shared) -> Arc<Dir> {
    enum Thing {
        File(u32),
        Dir(Arc<Dir>),
    }
    let mut things: Vec<(Cow<'_, str>, Thing)> =
        Vec::with_capacity(open.files.len() + open.dirs.len());
    let mut odd = Odd::new();
    let mut taken: std::collections::HashSet<String> = std::collections::HashSet::new();
    let crowded = crowded(&open, files);
    for (name, dir) in open.dirs {
        if crowded {
            taken.insert(name.clone());
        }
        things.push((name.into(), Thing::Dir(dir)));
    }
    for (no, own) in open.files {
        let is_own = own.is_some();
        let mut name: Cow<'_, str> = match (own, &files[no as usize]) {
            (Some(own), _) => String::from(own).into(),
            (None, File::Known(entry)) => last_part(&entry.path).into(),
            (None, File::Bad(_)) => unreachable!("a damaged file has an odd name"),
        };
        let mut is_odd = is_own;
        if crowded && !taken.insert(name.to_string()) {
            let id = match &files[no as usize] {
                File::Known(entry) => entry.id.0,
                File::Bad(e) => e.id,
            };
            for digits in [8, 40] {
                let other = escape::marked(&name, &id.hex()[..digits]);
                if taken.insert(other.clone()) {
                    log::warn!("{name}: another file or folder has that name; shown as {other}");
                    name = other.into();
                    is_odd = true;
                    break;
                }
            }
        }
        if is_odd {
            odd.insert(no, name.as_ref().into());
        }
        things.push((name, Thing::File(no)));
    }
    things.sort_by(|a, b| a.0.as_bytes().cmp(b.0.as_bytes()));
    let mut entries = Vec::with_capacity(things.len());
    let mut dirs = Vec::new();
    let mut count = 1;
    for (name, thing) in things {
        match thing {
            Thing::File(no) => entries.push(no),
            Thing::Dir(dir) => {
                entries.push(IS_DIR | dirs.len() as u32);
                let first = count;
                count += dir.count;
                dirs.push(SubDir { name: name.as_ref().into(), dir, first });
            }
        }
    }
    shared.intern(Dir {
        entries: entries.into(),
        dirs: dirs.into(),
        odd: (!odd.is_empty()).then(|| Box::new(odd)),
        count,
        newest: open.newest.unwrap_or(0),
    })
}

/// Whether two things in a folder may have one name. Names come sorted, so equal ones are
/// neighbours, but for those that were escaped.
fn crowded(open: &Open, files: &[File]) -> bool {
    if open.files.iter().any(|(_, own)| own.is_some()) {
        return true;
    }
    let name = |no: u32| match &files[no as usize] {
        File::Known(entry) => last_part(&entry.path),
        File::Bad(_) => "",
    };
    let twice = open.files.windows(2).any(|pair| name(pair[0].0) == name(pair[1].0));
    let mut dirs = open.dirs.iter().map(|(name, _)| name.as_str()).peekable();
    let both = open.files.iter().any(|(no, _)| {
        let name = name(*no);
        while dirs.next_if(|dir| dir.as_bytes() < name.as_bytes()).is_some() {}
        dirs.peek() == Some(&name)
    });
    twice || both
}
