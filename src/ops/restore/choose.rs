//! From what a user asks for to files with safe paths, each path once.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::format::FileId;
use crate::format::index::walk_order;
use crate::ops::paths::{self, Scope};
use crate::repo::{File, FileEntry, FileNo, ObjectError, Repository};

use super::{Problem, RestoreError, Wanted};

/// A file of a snapshot.
#[derive(Debug)]
pub(super) struct Choice {
    /// Its path below the target.
    pub path: String,
    pub no: FileNo,
    pub entry: Arc<FileEntry>,
}

/// All that is to be restored.
#[derive(Debug, Default)]
pub(super) struct Chosen {
    /// In walk order.
    pub files: Vec<Choice>,
    /// The folders that were asked for: what is in them and not among the files may go.
    pub folders: Vec<Scope>,
    /// Files whose records are damaged, so that it is not known where they would be. Each was
    /// logged when the snapshot was read.
    pub lost: Vec<Problem>,
    pub problems: Vec<Problem>,
}

/// Reads the snapshots and chooses from them.
pub(super) fn choose(repo: &Repository, wanted: &[Wanted]) -> Result<Chosen, RestoreError> {
    let mut chosen = Chosen::default();
    let mut places: HashMap<String, FileId> = HashMap::new();
    for wanted in wanted {
        one(repo, wanted, &mut places, &mut chosen)?;
    }
    drop_files_in_the_way(&mut chosen);
    chosen.files.sort_by(|a, b| walk_order(&a.path, &b.path));
    Ok(chosen)
}

fn one(
    repo: &Repository,
    wanted: &Wanted,
    places: &mut HashMap<String, FileId>,
    chosen: &mut Chosen,
) -> Result<(), RestoreError> {
    let Wanted { snapshot, scope } = wanted;
    let loaded = repo.load(*snapshot)?;
    let mut lost: Vec<Arc<ObjectError>> = Vec::new();
    let (mut held, mut is_file) = (0usize, false);
    // One ID may stand in a hostile list any number of times; it is one file.
    let mut seen = HashSet::with_capacity(loaded.files.len());
    let mut own = HashSet::new();
    repo.catalog().with_files(|files| {
        for no in loaded.files.iter().filter(|no| seen.insert(**no)) {
            let entry = match &files[no.0 as usize] {
                File::Known(entry) => entry,
                File::Bad(e) => {
                    lost.push(Arc::clone(e));
                    continue;
                }
            };
            let below = entry.path.strip_prefix('/').unwrap_or(&entry.path);
            if !scope.holds(below) {
                continue;
            }
            held += 1;
            is_file |= below == scope.path();
            let path = match paths::relative(&entry.path) {
                Ok(path) => path.to_owned(),
                Err(unfit) => {
                    let shown = short(&entry.path);
                    let sentence = format!("{shown}: it cannot be restored: {unfit}");
                    chosen.problems.push(Problem { path: Some(entry.path.to_string()), sentence });
                    continue;
                }
            };
            match places.get(&path) {
                Some(id) if *id == entry.id => continue,
                Some(_) if own.contains(&path) => {
                    let sentence = format!(
                        "{path}: the snapshot holds two files of this path; the first is restored"
                    );
                    chosen.problems.push(Problem { path: Some(path), sentence });
                    continue;
                }
                Some(_) => return Err(RestoreError::Twice { path }),
                None => {}
            }
            places.insert(path.clone(), entry.id);
            own.insert(path.clone());
            chosen.files.push(Choice { path, no: *no, entry: Arc::clone(entry) });
        }
        Ok(())
    })?;
    if held == 0 && !scope.is_all() {
        let (snapshot, path) = (*snapshot, scope.path().to_owned());
        return Err(RestoreError::NotFound { snapshot, path, lost: lost.len() });
    }
    if is_file && !scope.is_all() {
        // The file is there, so none of the lost ones was asked for.
        return Ok(());
    }
    chosen.folders.push(scope.clone());
    for e in lost {
        let sentence =
            format!("a file of snapshot {} is lost, its path with it: {e}", snapshot.short());
        chosen.lost.push(Problem { path: None, sentence });
    }
    Ok(())
}

/// Where a path is a file and the folder of other files, the folder has it, as in the mounted tree.
fn drop_files_in_the_way(chosen: &mut Chosen) {
    let mut folders: HashSet<&str> = HashSet::new();
    for choice in &chosen.files {
        // From the innermost out: the first one that is known has the others known.
        for (at, _) in choice.path.rmatch_indices('/') {
            if !folders.insert(&choice.path[..at]) {
                break;
            }
        }
    }
    let in_the_way: HashSet<String> = chosen
        .files
        .iter()
        .filter(|choice| folders.contains(&*choice.path))
        .map(|choice| choice.path.clone())
        .collect();
    if in_the_way.is_empty() {
        return;
    }
    chosen.files.retain(|choice| !in_the_way.contains(&choice.path));
    for path in in_the_way {
        let sentence = format!(
            "{path}: it cannot be restored: the snapshot holds this file and a folder of the same path"
        );
        chosen.problems.push(Problem { path: Some(path), sentence });
    }
}

/// A path for a sentence: a hostile one may have a megabyte.
fn short(path: &str) -> String {
    const ENOUGH: usize = 200;
    if path.len() <= ENOUGH {
        return if path.is_empty() { "a file without a path".to_owned() } else { path.to_owned() };
    }
    let end = (0..=ENOUGH).rev().find(|at| path.is_char_boundary(*at)).unwrap_or(0);
    format!("{}… ({} bytes)", &path[..end], path.len())
}
