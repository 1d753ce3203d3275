//! The walk: which files are there, in the order of an index, and in which state.
//!
//! Entries of a folder come in the byte order of their names, a folder's content where the folder
//! comes: so `a/b` before `a.txt`. This is the order in which SiYuan walks (golden).

use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::sync::{Arc, OnceLock};

use parking_lot::{Condvar, Mutex};
use rustix::fs::{AtFlags, FileType, RawDir, Stat, fstat, statat};
use rustix::io::Errno;

use crate::ops::disk::is_temporary_name;
use crate::ops::{Monitor, Unit};

use super::root::{Root, Seen};
use super::rules::{Chain, IGNORE_FILE, Rules};
use super::summary::{FileProblem, ProblemKind, SkipKind, Skipped};

/// Folders listed side by side. On a disk that is not in memory yet each of them waits most of
/// the time.
const THREADS: usize = 4;

/// Room for some hundreds of names in one call.
const LISTING_BYTES: usize = 32 << 10;

/// A regular file.
#[derive(Debug)]
pub(super) struct Found {
    /// Its path below the root, starting with `/`.
    pub path: String,
    /// In which state the walk met it.
    pub seen: Seen,
}

/// What a walk has found.
#[derive(Debug, Default)]
pub(super) struct Walked {
    /// In the order of an index.
    pub files: Vec<Found>,
    /// What was left out.
    pub skipped: Skipped,
    /// What cannot be listed or looked at; all below such a path is unknown.
    pub problems: Vec<FileProblem>,
}

/// A folder by what it is, not by how it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FolderIdentity {
    dev: u64,
    ino: u64,
}

impl FolderIdentity {
    /// Of the folder at a path; `None` where there is none.
    pub fn of(path: &std::path::Path) -> Option<Self> {
        use std::os::unix::fs::MetadataExt;
        let meta = std::fs::metadata(path).ok()?;
        Some(Self { dev: meta.dev(), ino: meta.ino() })
    }
}

impl From<&Stat> for FolderIdentity {
    fn from(stat: &Stat) -> Self {
        Self { dev: stat.st_dev, ino: stat.st_ino }
    }
}

/// An entry of a folder that is part of the snapshot.
enum Entry {
    File(Found),
    Folder { path: String, listing: Arc<OnceLock<Listing>> },
}

impl Entry {
    fn path(&self) -> &str {
        match self {
            Self::File(found) => &found.path,
            Self::Folder { path, .. } => path,
        }
    }
}

/// The entries of a folder in order.
type Listing = Vec<Entry>;

/// A folder to be listed.
struct Task {
    path: String,
    chain: Option<Arc<Chain>>,
    listing: Arc<OnceLock<Listing>>,
}

struct Walk<'a> {
    root: &'a Root,
    rules: &'a Rules,
    own: &'a [FolderIdentity],
    monitor: &'a dyn Monitor,
    pending: Mutex<Pending>,
    changed: Condvar,
}

struct Pending {
    tasks: Vec<Task>,
    /// Threads that are listing a folder and may come back with more.
    busy: usize,
}

/// Walks all below the root. Folders that are one of `own` are left out. Ends early, with what it
/// has, when the monitor is stopped.
pub(super) fn walk(
    root: &Root,
    rules: &Rules,
    own: &[FolderIdentity],
    monitor: &dyn Monitor,
) -> Walked {
    monitor.begin("looking for changes", None, Unit::Items);
    let top = Arc::new(OnceLock::new());
    let task = Task { path: String::new(), chain: None, listing: Arc::clone(&top) };
    let pending = Mutex::new(Pending { tasks: vec![task], busy: 0 });
    let walk = Walk { root, rules, own, monitor, pending, changed: Condvar::new() };
    let mut walked = Walked::default();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (1..THREADS).map(|_| scope.spawn(|| walk.work())).collect();
        let mut parts = vec![walk.work()];
        for thread in threads {
            parts.push(thread.join().expect("listing a folder does not panic"));
        }
        for part in parts {
            walked.skipped.merge(part.skipped);
            walked.problems.extend(part.problems);
        }
    });
    walked.skipped.sort();
    walked.problems.sort_by(|a, b| a.path.cmp(&b.path));
    walked.files = flatten(top);
    walked
}

/// The files of a tree of listings, in order. Takes it apart as it goes: dropping a deep tree whole
/// would go as deep on the stack.
fn flatten(top: Arc<OnceLock<Listing>>) -> Vec<Found> {
    let take = |listing: Arc<OnceLock<Listing>>| {
        let listing = Arc::into_inner(listing).expect("the threads that shared it have ended");
        // A folder that could not be listed, or was not before the user stopped it all.
        listing.into_inner().into_iter().flatten()
    };
    let mut files = Vec::new();
    let mut stack = vec![take(top)];
    while let Some(entries) = stack.last_mut() {
        match entries.next() {
            Some(Entry::File(found)) => files.push(found),
            Some(Entry::Folder { listing, .. }) => stack.push(take(listing)),
            None => drop(stack.pop()),
        }
    }
    files
}

impl Walk<'_> {
    /// Lists folders until none is left.
    fn work(&self) -> Walked {
        let mut part = Walked::default();
        let mut buffer = vec![MaybeUninit::uninit(); LISTING_BYTES];
        while let Some(task) = self.next() {
            let before = part.files.len();
            let more = match self.monitor.stopped() {
                true => Vec::new(),
                false => self.list(&task, &mut buffer, &mut part),
            };
            debug_assert_eq!(before, part.files.len(), "files go into the listing");
            let mut pending = self.pending.lock();
            pending.busy -= 1;
            pending.tasks.extend(more);
            if pending.tasks.len() > 1 || pending.busy == 0 {
                self.changed.notify_all();
            }
        }
        part
    }

    fn next(&self) -> Option<Task> {
        let mut pending = self.pending.lock();
        loop {
            if let Some(task) = pending.tasks.pop() {
                pending.busy += 1;
                return Some(task);
            }
            if pending.busy == 0 {
                return None;
            }
            self.changed.wait(&mut pending);
        }
    }

    /// Lists one folder and gives those in it.
    fn list(&self, task: &Task, buffer: &mut [MaybeUninit<u8>], part: &mut Walked) -> Vec<Task> {
        let path = &task.path;
        let shown = || if path.is_empty() { "/".to_owned() } else { path.clone() };
        let folder = match self.root.folder(path) {
            Ok(folder) => folder,
            Err(e) if is_gone(&e) && !path.is_empty() => return Vec::new(),
            Err(e) => {
                part.problems.push(unreadable(shown(), format!("it cannot be entered: {e}")));
                return Vec::new();
            }
        };
        if !self.own.is_empty()
            && let Ok(stat) = fstat(&folder)
            && self.own.contains(&FolderIdentity::from(&stat))
        {
            part.skipped.add(SkipKind::Own, shown());
            return Vec::new();
        }
        let names = match read_names(&folder, buffer) {
            Ok(names) => names,
            Err(e) => {
                part.problems.push(unreadable(shown(), format!("it cannot be listed: {e}")));
                return Vec::new();
            }
        };
        if names.is_empty() && !path.is_empty() {
            part.skipped.add(SkipKind::EmptyFolder, path.clone());
        }
        let mut chain = task.chain.clone();
        if self.rules.has_files()
            && names.iter().any(|(name, _)| name.to_bytes() == IGNORE_FILE.as_bytes())
        {
            chain = self.rules.chain(self.root, path, chain);
        }
        let mut listing = Listing::new();
        for (name, kind) in &names {
            self.entry(&folder, path, name, *kind, chain.as_ref(), &mut listing, part);
        }
        listing.sort_unstable_by(|a, b| a.path().as_bytes().cmp(b.path().as_bytes()));
        let mut files = 0;
        let mut tasks = Vec::new();
        for entry in &listing {
            match entry {
                Entry::File(_) => files += 1,
                Entry::Folder { path, listing } => tasks.push(Task {
                    path: path.clone(),
                    chain: chain.clone(),
                    listing: Arc::clone(listing),
                }),
            }
        }
        self.monitor.advance(files);
        let set = task.listing.set(listing);
        debug_assert!(set.is_ok(), "a folder is listed once");
        // The last is taken first: so the walk goes about as the index does.
        tasks.reverse();
        tasks
    }

    #[allow(clippy::too_many_arguments, reason = "all of them are the entry's place")]
    fn entry(
        &self,
        folder: &OwnedFd,
        parent: &str,
        name: &std::ffi::CStr,
        mut kind: FileType,
        chain: Option<&Arc<Chain>>,
        listing: &mut Listing,
        part: &mut Walked,
    ) {
        let Ok(utf8) = name.to_str() else {
            let shown = format!("{parent}/{}", name.to_string_lossy());
            part.skipped.add(SkipKind::NotUtf8, shown);
            return;
        };
        let path = format!("{parent}/{utf8}");
        let mut seen = None;
        if matches!(kind, FileType::RegularFile | FileType::Unknown) {
            if self.rules.leaves_temporaries() && is_temporary_name(utf8) {
                part.skipped.add(SkipKind::Own, path);
                return;
            }
            // Rules first: what they leave out need not be readable. A file system that does not
            // tell kinds in its listings has to be asked before.
            if kind == FileType::RegularFile && !self.rules.takes(&path, utf8, chain) {
                part.skipped.add(SkipKind::Excluded, path);
                return;
            }
            match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => {
                    let was_unknown = kind == FileType::Unknown;
                    kind = FileType::from_raw_mode(stat.st_mode);
                    if was_unknown
                        && kind == FileType::RegularFile
                        && !self.rules.takes(&path, utf8, chain)
                    {
                        part.skipped.add(SkipKind::Excluded, path);
                        return;
                    }
                    seen = Some(Seen::from(&stat));
                }
                // Gone since it was listed: as if it had never been.
                Err(Errno::NOENT) => return,
                Err(e) => {
                    part.problems.push(unreadable(path, format!("it cannot be looked at: {e}")));
                    return;
                }
            }
        }
        match kind {
            FileType::RegularFile => {
                let seen = seen.expect("regular files were looked at");
                listing.push(Entry::File(Found { path, seen }));
            }
            FileType::Directory if self.rules.enters(&path, utf8, chain) => {
                listing.push(Entry::Folder { path, listing: Arc::default() });
            }
            FileType::Directory => part.skipped.add(SkipKind::Excluded, path),
            FileType::Symlink => part.skipped.add(SkipKind::Symlink, path),
            _ => part.skipped.add(SkipKind::Special, path),
        }
    }
}

fn unreadable(path: String, reason: String) -> FileProblem {
    FileProblem { path, kind: ProblemKind::Unreadable, reason, kept_as_before: false }
}

/// Whether nothing, or nothing that can be opened so, is there any more.
pub(super) fn is_gone(e: &std::io::Error) -> bool {
    matches!(e.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR | libc::ELOOP))
}

type Name = (std::ffi::CString, FileType);

fn read_names(folder: &OwnedFd, buffer: &mut [MaybeUninit<u8>]) -> Result<Vec<Name>, Errno> {
    let mut names = Vec::new();
    let mut dir = RawDir::new(folder, buffer);
    while let Some(entry) = dir.next() {
        let entry = entry?;
        let name = entry.file_name();
        if !matches!(name.to_bytes(), b"." | b"..") {
            names.push((name.to_owned(), entry.file_type()));
        }
    }
    Ok(names)
}
