//! A snapshot and a folder on disk.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{self, Read};
use std::sync::Arc;

use crate::format::{ChunkId, IndexId, MAX_CHUNK};
use crate::ops::disk::{self, Dir, Found, Rules};
use crate::ops::paths::{self, Scope};
use crate::ops::{Monitor, Unit, content};
use crate::repo::{File, FileEntry, FileNo, ObjectError, Repository, parallel};

use super::{Change, Differences, Kind, Side, renames};

/// How a snapshot is compared with a folder.
#[derive(Clone, Copy)]
pub struct Compare<'a> {
    /// Which files of the folder count.
    pub rules: &'a dyn Rules,
    /// Whether the content is compared of files whose size and time are equal, too. That of files
    /// of equal size and another time always is.
    pub content: bool,
}

impl std::fmt::Debug for Compare<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Compare(content: {})", self.content)
    }
}

/// A file of the snapshot.
struct Own {
    no: FileNo,
    entry: Arc<FileEntry>,
}

/// A path that both have.
struct Both {
    path: String,
    own: Own,
    found: Found,
}

/// Compares a snapshot (old) with a folder on disk (new), or what `scope` says of them.
///
/// # Errors
/// [`ObjectError`] where the snapshot cannot be read. Damaged records and files that cannot be read
/// are among [`Differences::problems`].
pub fn folder(
    repo: &Repository,
    old: IndexId,
    new: &Dir,
    compare: Compare<'_>,
    scope: &Scope,
    monitor: &dyn Monitor,
) -> Result<Differences, ObjectError> {
    let mut found = Differences::default();
    let mut lost = Vec::new();
    let mut own = files(repo, old, scope, &mut lost)?;
    let walked = disk::walk(new, scope.path(), compare.rules);
    for (path, e) in walked.unreadable {
        found.problems.push(format!("{path}: it cannot be looked at: {e}"));
    }
    for path in walked.unnameable {
        let why = "its name is not UTF-8, so no snapshot can hold it";
        found.problems.push(format!("{path}: it is not compared: {why}"));
    }
    let mut both = Vec::new();
    for (path, disk) in walked.files {
        match own.remove(&path) {
            Some(own) => both.push(Both { path, own, found: disk }),
            None => {
                let side = Side::from(disk);
                found.changes.push(Change::new(Kind::Added, path, None, Some(side)));
            }
        }
    }
    monitor.begin("compared", Some(both.len() as u64), Unit::Items);
    let compared = parallel::map(&both, |both| {
        let compared = one(repo, new, both, compare.content);
        monitor.advance(1);
        compared
    });
    for (both, compared) in both.into_iter().zip(compared) {
        match compared {
            Ok(None) => {}
            Ok(Some((kind, entry))) => {
                let (old, new) = (Side::from(&*entry), Side::from(both.found));
                found.changes.push(Change::new(kind, both.path, Some(old), Some(new)));
            }
            Err(e) => found.problems.push(format!("{}: it cannot be compared: {e}", both.path)),
        }
    }
    for (path, own) in own {
        let entry = match repo.catalog().confirmed(repo.objects(), own.no, own.entry) {
            Ok((entry, _)) => entry,
            Err(e) => {
                found.problems.push(format!("{path}: it cannot be compared: {e}"));
                continue;
            }
        };
        found.changes.push(Change::new(Kind::Removed, path, Some(Side::from(&*entry)), None));
    }
    find_chunks(repo, new, &mut found);
    renames::find(&mut found);
    found.sort();
    for problem in &found.problems {
        monitor.problem(problem);
    }
    found.problems.extend(lost);
    Ok(found)
}

/// The files of the snapshot by their paths on disk. The lost ones were logged when it was read.
fn files(
    repo: &Repository,
    id: IndexId,
    scope: &Scope,
    lost: &mut Vec<String>,
) -> Result<BTreeMap<String, Own>, ObjectError> {
    let loaded = repo.load(id)?;
    let mut own = BTreeMap::new();
    repo.catalog().with_files(|files| {
        for no in &loaded.files {
            match &files[no.0 as usize] {
                File::Known(entry) => {
                    let path = entry.path.strip_prefix('/').unwrap_or(&entry.path);
                    if !scope.holds(path) {
                        continue;
                    }
                    if let Entry::Vacant(place) = own.entry(path.to_owned()) {
                        place.insert(Own { no: *no, entry: Arc::clone(entry) });
                    }
                }
                File::Bad(e) => lost.push(format!(
                    "a file of snapshot {} is lost, its path with it: {e}",
                    id.short()
                )),
            }
        }
    });
    Ok(own)
}

/// What became of a path and what it was before; `None` where it is equal.
type Verdict = Option<(Kind, Arc<FileEntry>)>;

/// Compares a path that both have.
fn one(
    repo: &Repository,
    root: &Dir,
    both: &Both,
    always: bool,
) -> Result<Verdict, Box<dyn std::error::Error + Send + Sync>> {
    let Both { path, own, found } = both;
    let same_time = found.updated() == own.entry.updated;
    let same_size = found.size == own.entry.size;
    if same_size && same_time && !always {
        return Ok(None);
    }
    let entry = Arc::clone(&own.entry);
    let (entry, _) = repo.catalog().confirmed(repo.objects(), own.no, entry)?;
    let same_content = found.size == entry.size
        && has_content(repo, root, path, entry.content.chunks(), entry.size)?;
    Ok(match (same_content, found.updated() == entry.updated) {
        (true, true) => None,
        (true, false) => Some((Kind::Touched, entry)),
        (false, _) => Some((Kind::Modified, entry)),
    })
}

fn has_content(
    repo: &Repository,
    root: &Dir,
    path: &str,
    chunks: &[ChunkId],
    size: u64,
) -> io::Result<bool> {
    let (folder, name) = paths::split(path);
    let mut file = root.sub(folder)?.read(name)?;
    content::is_same(repo.objects(), chunks, size, &mut file)
}

/// Files that came are read and hashed where files of their size went: then equal content has equal
/// chunks.
fn find_chunks(repo: &Repository, root: &Dir, found: &mut Differences) {
    let mut gone: HashMap<u64, HashSet<Arc<[ChunkId]>>> = HashMap::new();
    for change in found.changes.iter().filter(|change| change.kind == Kind::Removed) {
        if let Some(Side { size, chunks: Some(chunks), .. }) = &change.old {
            gone.entry(*size).or_default().insert(Arc::clone(chunks));
        }
    }
    let come: Vec<usize> =
        (0..found.changes.len()).filter(|nth| found.changes[*nth].kind == Kind::Added).collect();
    let chunks = parallel::map(&come, |nth| {
        let change = &found.changes[*nth];
        let size = change.new.as_ref()?.size;
        let alike = gone.get(&size)?;
        if let Some(one) = one_chunk(root, &change.path, size)
            && let Some(content) = alike.get(&[one][..])
        {
            return Some(Arc::clone(content));
        }
        let many = alike
            .iter()
            .filter(|chunks| chunks.len() > 1)
            .find(|chunks| has_content(repo, root, &change.path, chunks, size).unwrap_or(false));
        many.cloned()
    });
    for (nth, chunks) in come.into_iter().zip(chunks) {
        if let Some(side) = &mut found.changes[nth].new {
            side.chunks = chunks;
        }
    }
}

/// The ID of a file's content as one chunk, if it could be one.
fn one_chunk(root: &Dir, path: &str, size: u64) -> Option<ChunkId> {
    if size > MAX_CHUNK as u64 {
        return None;
    }
    let (folder, name) = paths::split(path);
    let mut bytes = Vec::new();
    let file = root.sub(folder).ok()?.read(name).ok()?;
    file.take(size + 1).read_to_end(&mut bytes).ok()?;
    (bytes.len() as u64 == size).then(|| ChunkId::of(&bytes))
}

impl From<Found> for Side {
    fn from(found: Found) -> Self {
        Self { size: found.size, updated: found.updated(), id: None, chunks: None }
    }
}

impl From<&FileEntry> for Side {
    fn from(entry: &FileEntry) -> Self {
        let chunks = Some(Arc::from(entry.content.chunks()));
        Self { size: entry.size, updated: entry.updated, id: Some(entry.id), chunks }
    }
}
