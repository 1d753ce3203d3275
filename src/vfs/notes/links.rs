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
