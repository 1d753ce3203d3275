//! `revu diff --notes`: which notes differ between two snapshots, by their titles, as Markdown.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;

use crate::ops::diff::{quoted, unified};
use crate::repo::Repository;
use crate::ui::{Style, text};
use crate::vfs::notes::{Shelf, Shown};

use super::context::Context;
use super::diff::coloured;
use super::error::{End, Failure};
use super::note_shelf::NoteReader;
use super::notebooks::Unlocking;
use super::target::{self, Request};

/// What is asked for.
pub struct Wanted<'a> {
    /// The older snapshot.
    pub old: &'a Request,
    /// The newer one.
    pub new: &'a str,
    /// Only the notes' names.
    pub stat: bool,
}

/// A side of a difference.
struct Side<'a> {
    shown: &'a Shown,
    text: String,
}

/// Runs the command. A note is the same as long as its ID is, whatever it is called and wherever it lies.
///
/// # Errors
/// Exit code 3 where a note could not be read.
pub fn run(
    repo: Repository,
    wanted: &Wanted<'_>,
    unlocking: &Unlocking,
    context: &mut Context,
) -> Result<(), End> {
    let repo = Arc::new(repo);
    let snapshots = repo.snapshots()?;
    let old = wanted.old.resolve(&snapshots, &context.zone)?.id;
    let new = target::resolve(&snapshots, &context.zone, wanted.new)?;
    let vault = unlocking.vault(&repo)?;
    let reader = NoteReader::new(Arc::clone(&repo), vault, context.facts(&repo));
    let (old_shelf, new_shelf) = (reader.shelf(old)?, reader.shelf(new)?);
    let (old_notes, new_notes) = (reader.all(&old_shelf).0, reader.all(&new_shelf).0);
    // By path of the newer side, which is the one that a reader knows.
    let mut pairs: BTreeMap<&str, (Option<&Shown>, Option<&Shown>)> = BTreeMap::new();
    let by_id: BTreeMap<&str, &Shown> = old_notes.iter().map(|note| (&*note.id, note)).collect();
    for note in &new_notes {
        pairs.insert(&note.path, (by_id.get(&*note.id).copied(), Some(note)));
    }
    let still: std::collections::HashSet<&str> = new_notes.iter().map(|note| &*note.id).collect();
    let gone: Vec<&Shown> = old_notes.iter().filter(|note| !still.contains(&*note.id)).collect();

    let mut failed = 0;
    let (mut added, mut removed, mut modified, mut renamed) = (0, 0, 0, 0);
    let differing = pairs.into_values().chain(gone.into_iter().map(|note| (Some(note), None)));
    for (before, after) in differing {
        let same = |(a, b): (&Shown, &Shown)| a.note == b.note && a.path == b.path;
        // What it embeds may differ all the same, but that is told where it stands itself.
        if before.zip(after).is_some_and(same) {
            continue;
        }
        let sides = side(&reader, &old_shelf, before)
            .and_then(|a| Ok((a, side(&reader, &new_shelf, after)?)));
        let (a, b) = match sides {
            Ok(sides) => sides,
            Err(failure) => {
                context.tell(&failure);
                failed += 1;
                continue;
            }
        };
        let text_of =
            |side: &Option<Side<'_>>| side.as_ref().map_or("", |s| s.text.as_str()).to_owned();
        let hunks = unified(&text_of(&a), &text_of(&b));
        let moved = matches!((&a, &b), (Some(a), Some(b)) if a.shown.path != b.shown.path);
        if hunks.is_empty() && !moved && a.is_some() == b.is_some() {
            continue;
        }
        let (word, letter, style) = match (&a, &b) {
            (None, _) => ("added", "A", Style::Tag),
            (_, None) => ("removed", "D", Style::Bad),
            _ if moved => ("renamed", "R", Style::Tag),
            _ => ("modified", "M", Style::Id),
        };
        match letter {
            "A" => added += 1,
            "D" => removed += 1,
            "R" => renamed += 1,
            _ => modified += 1,
        }
        let name = |side: &Option<Side<'_>>| side.as_ref().map(|side| side.shown.path.clone());
        let (from, to) = (name(&a), name(&b));
        let path = to.clone().or(from.clone()).expect("a change has a side");
        let patch = patch(from.as_deref(), to.as_deref(), &hunks);
        if context.global.json {
            let from = from.filter(|_| moved);
            context
                .out
                .json(&json!({"change": word, "path": path, "from": from, "patch": patch}))?;
        } else if wanted.stat {
            let look = context.out.look();
            let shown = match from.filter(|_| moved) {
                Some(from) => format!("{} -> {}", text::visible(&from), text::visible(&path)),
                None => text::visible(&path).into_owned(),
            };
            context.out.line(&format!("{} {shown}", look.paint(style, letter)))?;
        } else {
            for line in patch.split_inclusive('\n') {
                let shown = coloured(line, context.out.look());
                context.out.bytes(shown.as_bytes())?;
            }
        }
    }
    if context.global.json {
        context.out.json(&json!({"summary": {"added": added, "removed": removed,
            "modified": modified, "renamed": renamed, "problems": failed}}))?;
    }
    context.done(failed)
}

fn side<'a>(
    reader: &NoteReader,
    shelf: &Shelf,
    note: Option<&'a Shown>,
) -> Result<Option<Side<'a>>, Failure> {
    let Some(shown) = note else { return Ok(None) };
    let text = reader.markdown(shown.note, shelf)?;
    Ok(Some(Side { shown, text: String::from_utf8_lossy(&text).into_owned() }))
}

/// A patch in git's form.
fn patch(from: Option<&str>, to: Option<&str>, hunks: &str) -> String {
    let (old, new) = (from.or(to).unwrap_or(""), to.or(from).unwrap_or(""));
    let (a, b) = (quoted("a/", old), quoted("b/", new));
    let mut patch = format!("diff --git {a} {b}\n");
    match (from, to) {
        (None, _) => patch.push_str("new file mode 100644\n"),
        (_, None) => patch.push_str("deleted file mode 100644\n"),
        (Some(from), Some(to)) if from != to => {
            let (from, to) = (quoted("", from), quoted("", to));
            patch.extend(["rename from ", &from, "\nrename to ", &to, "\n"]);
        }
        _ => {}
    }
    if !hunks.is_empty() {
        // A tab ends a name with a space in it.
        let end = |name: &str| if name.contains(' ') { "\t\n" } else { "\n" };
        let a = if from.is_some() { a } else { "/dev/null".to_owned() };
        let b = if to.is_some() { b } else { "/dev/null".to_owned() };
        patch.extend(["--- ", &a, end(&a), "+++ ", &b, end(&b), hunks]);
    }
    patch
}
