//! Finds files by name, notes by title, and text in files, in many snapshots at once.
//!
//! Each file that was found comes once with all snapshots that hold it; each content is read once
//! however many files and snapshots have it.

mod glob;
mod names;
mod note;
mod text;
mod title;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use crate::format::index::walk_order;
use crate::format::{ChunkId, FileId, FileRecord, IndexId};
use crate::repo::{ObjectError, Repository, parallel};

use super::follow::{Presence, Things, follow};
use super::paths::{self, Scope};
use super::{Monitor, Unit};

pub use names::{BadPattern, NamePattern};
pub use text::{BadText, Excerpt, TextPattern};

/// What to look for.
#[derive(Debug)]
pub enum Query {
    /// Files and folders by their names or paths.
    Name(NamePattern),
    /// Notes of SiYuan by their titles.
    Title(NamePattern),
    /// Files by what is written in them.
    /// Notes of SiYuan by the Markdown that they read as.
    Content(TextPattern),
}

/// Something that was found.
#[derive(Debug, Clone)]
pub struct Found {
    /// Its path, without a slash before it.
    pub path: String,
    /// What there is to know of a file; `None` for a folder.
    pub file: Option<FoundFile>,
    /// The title that matched.
    pub title: Option<String>,
    /// The first place in it that matched.
    pub excerpt: Option<Excerpt>,
    /// Which of the snapshots hold it.
    pub snapshots: Presence,
}

/// A file that was found.
#[derive(Debug, Clone)]
pub struct FoundFile {
    /// Its File ID.
    pub id: FileId,
    /// Bytes.
    pub size: u64,
    /// Milliseconds since 1970.
    pub updated: i64,
    /// Its chunks.
    pub chunks: Arc<[ChunkId]>,
}

/// All that was found.
#[derive(Debug, Default)]
pub struct Finds {
    /// In walk order, and of one path in the order of time.
    pub found: Vec<Found>,
    /// Objects that could not be read: something may be missing for each.
    pub damaged: Vec<Arc<ObjectError>>,
    /// Files that were not searched because they are not text.
    pub not_text: u64,
    /// The user wanted it to stop: not all was looked at.
    pub stopped: bool,
}

/// Looks for `query` within `scope` in `snapshots`, which should be in the order of their times (numbers
/// in [`Found::snapshots`] are places in it).
pub fn find(
    repo: &Repository,
    snapshots: &[IndexId],
    query: &Query,
    scope: &Scope,
    monitor: &dyn Monitor,
) -> Finds {
    let mut finds = match query {
        Query::Name(pattern) => by_name(repo, snapshots, pattern, scope, monitor),
        Query::Title(pattern) => {
            let is_note = note::is_one;
            by_content(repo, snapshots, scope, is_note, monitor, |found, chunks, _| {
                let head = repo.objects().chunk(chunks[0])?;
                let title = title::of_note(&head).filter(|title| pattern.matches_name(title));
                Ok(match title {
                    Some(title) => {
                        found.title = Some(title);
                        Looked::Found
                    }
                    None => Looked::Nothing,
                })
            })
        }
        Query::Content(pattern) => by_content(
            repo,
            snapshots,
            scope,
            |_| true,
            monitor,
            |found, chunks, is_note| {
                // A note is searched as it is read, and not as it is stored.
                let markdown = if is_note { note::markdown(repo, chunks)? } else { None };
                let searched = match markdown {
                    Some(text) => pattern.search(&chunks[..1], |_| Ok(text.clone().into_bytes())),
                    None => pattern.search(chunks, |id| repo.objects().chunk(id)),
                }?;
                Ok(match searched {
                    text::Searched::Found(excerpt) => {
                        found.excerpt = Some(excerpt);
                        Looked::Found
                    }
                    text::Searched::Nothing => Looked::Nothing,
                    text::Searched::NotText => Looked::NotText,
                })
            },
        ),
    };
    finds.found.sort_by(|a, b| {
        let time = |found: &Found| found.snapshots.first();
        walk_order(&a.path, &b.path).then_with(|| time(a).cmp(&time(b)))
    });
    finds
}

fn relative(path: &str) -> &str {
    path.strip_prefix('/').unwrap_or(path)
}

impl Found {
    fn file(record: FileRecord) -> Self {
        let file = FoundFile {
            id: record.id,
            size: u64::try_from(record.size).expect("verified: a size is not negative"),
            updated: record.updated,
            chunks: record.chunks.into(),
        };
        Self { file: Some(file), ..Self::folder(relative(&record.path)) }
    }

    fn folder(path: &str) -> Self {
        Self {
            path: path.to_owned(),
            file: None,
            title: None,
            excerpt: None,
            snapshots: Presence::default(),
        }
    }
}

/// Names tell everything: no content is read.
fn by_name(
    repo: &Repository,
    snapshots: &[IndexId],
    pattern: &NamePattern,
    scope: &Scope,
    monitor: &dyn Monitor,
) -> Finds {
    let matches = |path: &str| scope.holds(path) && pattern.matches_path(path);
    let wants = |path: &str| {
        let path = relative(path);
        matches(path) || paths::folders(path).any(matches)
    };
    let mut found: Vec<Found> = Vec::new();
    let mut folders: HashMap<String, Option<u32>> = HashMap::new();
    let judge = |record: FileRecord| -> Things {
        let mut things = Vec::new();
        let mut add = |thing: Found| {
            found.push(thing);
            u32::try_from(found.len() - 1).expect("fewer than 2^32 files and folders")
        };
        for folder in paths::folders(relative(&record.path)) {
            let thing = match folders.get(folder) {
                Some(thing) => *thing,
                None => {
                    let thing = matches(folder).then(|| add(Found::folder(folder)));
                    folders.insert(folder.to_owned(), thing);
                    thing
                }
            };
            things.extend(thing);
        }
        if matches(relative(&record.path)) {
            things.push(add(Found::file(record)));
        }
        (!things.is_empty()).then(|| things.into())
    };
    let followed = follow(repo, snapshots, wants, judge, monitor);
    for (thing, present) in found.iter_mut().zip(followed.present) {
        thing.snapshots = present;
    }
    Finds { found, damaged: followed.damaged, not_text: 0, stopped: followed.stopped }
}

/// What a look into a content gave.
enum Looked {
    Found,
    Nothing,
    NotText,
}

/// Looks into each content once, side by side.
fn by_content(
    repo: &Repository,
    snapshots: &[IndexId],
    scope: &Scope,
    wants: impl Fn(&str) -> bool + Sync,
    monitor: &dyn Monitor,
    look: impl Fn(&mut Found, &[ChunkId], bool) -> Result<Looked, ObjectError> + Sync,
) -> Finds {
    let mut files: Vec<Found> = Vec::new();
    let judge = |record| {
        files.push(Found::file(record));
        let number = u32::try_from(files.len() - 1).expect("fewer than 2^32 records");
        Some(Box::from([number]))
    };
    let wants = |path: &str| scope.holds(relative(path)) && wants(path);
    let followed = follow(repo, snapshots, wants, judge, monitor);
    let mut finds =
        Finds { damaged: followed.damaged, stopped: followed.stopped, ..Finds::default() };
    if finds.stopped {
        return finds;
    }
    for (file, present) in files.iter_mut().zip(followed.present) {
        file.snapshots = present;
    }
    let mut number: HashMap<(Arc<[ChunkId]>, bool), usize> = HashMap::new();
    let mut contents: Vec<(Arc<[ChunkId]>, bool)> = Vec::new();
    let mut bytes = 0;
    let of_file: Vec<usize> = files
        .iter()
        .map(|found| {
            let file = found.file.as_ref().expect("only files were collected");
            let content = (Arc::clone(&file.chunks), note::is_one(&found.path));
            match number.entry(content.clone()) {
                Entry::Occupied(known) => *known.get(),
                Entry::Vacant(new) => {
                    bytes += file.size;
                    contents.push(content);
                    *new.insert(contents.len() - 1)
                }
            }
        })
        .collect();
    drop(number);
    monitor.begin("searched", Some(contents.len() as u64), Unit::Items);
    let looked = parallel::map(&contents, |(chunks, is_note)| {
        if monitor.stopped() {
            return None;
        }
        let mut found = Found::folder("");
        let looked = look(&mut found, chunks, *is_note).map(|looked| (looked, found));
        monitor.advance(1);
        Some(looked)
    });
    for result in &looked {
        match result {
            None => finds.stopped = true,
            Some(Err(e)) => {
                monitor.problem(&e.to_string());
                finds.damaged.push(Arc::new(e.clone()));
            }
            Some(Ok(_)) => {}
        }
    }
    for (mut file, content) in files.into_iter().zip(of_file) {
        match &looked[content] {
            Some(Ok((Looked::Found, found))) => {
                file.title = found.title.clone();
                file.excerpt = found.excerpt.clone();
                finds.found.push(file);
            }
            Some(Ok((Looked::NotText, _))) => finds.not_text += 1,
            _ => {}
        }
    }
    finds
}
