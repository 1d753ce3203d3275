//! Links between notes in the view.

use std::fmt::Write;
use std::sync::Arc;

use crate::repo::FileNo;

use super::super::tree::{Child, Dir};
use super::dirs::{Role, What};
use super::engine::Engine;
use super::shelf::Shelf;

/// Where a link in `note` to the note that holds `block` leads, relative, percent-encoded.
pub(super) fn link(engine: &Engine, shelf: &Shelf, note: FileNo, block: &str) -> Option<String> {
    let target = shelf.note_of(engine, block)?;
    let from = shown_path(engine, shelf, note)?;
    let to = shown_path(engine, shelf, target)?;
    let common = from[..from.len() - 1].iter().zip(&to).take_while(|(a, b)| a == b).count();
    let up = from.len() - 1 - common;
    let parts =
        std::iter::repeat_n("..".to_owned(), up).chain(to[common..].iter().map(|p| encoded(p)));
    Some(parts.collect::<Vec<_>>().join("/"))
}

/// The names that lead to a note from the folder of its snapshot.
pub(super) fn shown_path(engine: &Engine, shelf: &Shelf, note: FileNo) -> Option<Vec<String>> {
    let entry = engine.entry(note).ok()?;
    let path = entry.path.strip_prefix('/').unwrap_or(&entry.path);
    let mut here: Arc<Dir> = Arc::clone(&shelf.root);
    let mut role = Role::Snapshot;
    let mut shown = Vec::new();
    let mut parts = path.split('/').peekable();
    while let Some(part) = parts.next() {
        let dir = engine.dirs().get(engine, &here, role);
        let is_last = parts.peek().is_none();
        let id = part.strip_suffix(".sy").unwrap_or(part);
        let line = dir
            .lines
            .iter()
            .find(|line| *line.id == *id && matches!(line.what, What::Note(_)) == is_last)?;
        shown.push(line.name.to_string());
        if !is_last {
            here = engine.repo().catalog().with_files(|files| {
                match here.child(here.find(part, files)?)? {
                    Child::Dir(dir, _) => Some(dir),
                    Child::File(_) => None,
                }
            })?;
            role = Role::Notes;
        }
    }
    Some(shown)
}

/// A note as the view shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The names that lead to it from the folder of its snapshot, `.md` included.
    pub path: String,
    /// Its ID.
    pub id: Box<str>,
    /// The ID of its notebook.
    pub notebook: Box<str>,
    /// Its file.
    pub note: FileNo,
}

/// All notes of a snapshot by their names, but for those of locked notebooks: of these the names of the
/// notebooks.
pub(super) fn all(engine: &Engine, shelf: &Shelf) -> (Vec<Shown>, Vec<String>) {
    let walked = walk(engine, shelf, false);
    (walked.notes, walked.locked)
}

/// All databases of a snapshot by their names, `.csv` included, but for those of locked notebooks.
pub(super) fn sheets(engine: &Engine, shelf: &Shelf) -> Vec<Shown> {
    walk(engine, shelf, true).sheets
}

#[derive(Default)]
struct Walked {
    notes: Vec<Shown>,
    sheets: Vec<Shown>,
    locked: Vec<String>,
}

fn walk(engine: &Engine, shelf: &Shelf, with_sheets: bool) -> Walked {
    let mut walked = Walked::default();
    let mut left =
        vec![(Arc::clone(&shelf.root), Role::Snapshot, String::new(), Box::<str>::default())];
    while let Some((here, role, prefix, notebook)) = left.pop() {
        for line in &engine.dirs().get(engine, &here, role).lines {
            let path = format!("{prefix}{}", line.name);
            match line.what {
                What::Note(note) | What::Sheet(note) => {
                    let (id, notebook) = (line.id.clone(), notebook.clone());
                    let all = match line.what {
                        What::Note(_) => &mut walked.notes,
                        _ => &mut walked.sheets,
                    };
                    all.push(Shown { path, id, notebook, note });
                }
                // The folder of databases has no ID.
                What::Folder(_) if line.id.is_empty() && !with_sheets => {}
                What::Folder(first) => {
                    if let Some(found) = here.locate(first) {
                        let own = match role {
                            Role::Snapshot => line.id.clone(),
                            _ => notebook.clone(),
                        };
                        let role = if line.id.is_empty() { Role::Sheets } else { Role::Notes };
                        left.push((found.dir, role, format!("{path}/"), own));
                    }
                }
                What::Locked(_) => walked.locked.push(line.name.to_string()),
                What::Opened(_) | What::HowToUnlock => {}
            }
        }
    }
    walked.notes.sort_by(|a, b| a.path.cmp(&b.path));
    walked.sheets.sort_by(|a, b| a.path.cmp(&b.path));
    walked
}

/// A name in a link.
fn encoded(name: &str) -> String {
    let mut link = String::with_capacity(name.len());
    for letter in name.chars() {
        if letter.is_ascii() && !letter.is_ascii_alphanumeric() && !"-_.~!*'".contains(letter) {
            // Writing to a string does not fail.
            let _ = write!(link, "%{:02X}", letter as u32);
        } else {
            link.push(letter);
        }
    }
    link
}
