//! `revu versions`: all versions of a file.

use std::sync::Arc;

use serde::Serialize;
use serde_json::json;

use crate::format::{FileId, IndexId};
use crate::ops::history;
use crate::repo::{Repository, names};
use crate::siyuan::notes::crypt::Vault;
use crate::ui::table::{Column, Table};
use crate::ui::{Style, size, text, time};
use crate::vfs::notes::Facts;

use super::context::Context;
use super::error::End;
use super::note_shelf::NoteReader;
use super::target;
use super::watch::Watch;

const EXAMPLES: &str = "\
Examples:
  revu versions /assets/plan.txt
  revu versions --json /20240101120000-abcdefg/20240102120000-hijklmn.sy
  revu versions '/Garden/Tomatoes'
  revu cat 2024-05-01T18.01.00+0800:/assets/plan.txt";

/// List the versions of a file or note, newest first
///
/// A note of SiYuan may be named by its titles, as a mount shows it in `notes/`: it is then followed through
/// renames and moves.
///
/// Each version comes once, with the snapshots that hold it. Columns: time of the file, size, how many
/// snapshots, the first and the last of them, `time alone` where the content is that of the version
/// before.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, after_long_help = super::args::after_help(EXAMPLES))]
pub struct Args {
    /// The file: /assets/plan.txt, a path in a mount, or a note: /NOTEBOOK/TITLE
    path: String,
}

#[derive(Debug, Serialize)]
struct Line<'a> {
    path: String,
    size: u64,
    updated: i64,
    mtime: Option<String>,
    id: FileId,
    chunks: usize,
    touched: bool,
    first: &'a str,
    last: &'a str,
    snapshots: Vec<IndexId>,
}

/// Runs the command.
///
/// # Errors
/// Exit code 1 where no snapshot has the file, 3 where something is damaged.
pub fn run(args: &Args, context: &mut Context) -> Result<(), End> {
    let place = target::in_mount(&args.path);
    let hint = place.as_ref().map(|place| place.repo.clone());
    let path = place.map_or_else(|| target::clean(&args.path), |place| place.path);
    let (repo, snapshots) = context.snapshots(hint.as_deref())?;
    let ids: Vec<IndexId> = snapshots.list.iter().map(|snapshot| snapshot.head.id).collect();
    let names = names::names(&snapshots, &context.zone);
    let watch = Watch::new(context)?;
    let repo = Arc::new(repo);
    let mut found = history::versions(&repo, &ids, &path, &watch);
    if found.versions.is_empty()
        && !found.stopped
        && let Some(note) = note_called(&repo, context.facts(&repo), &ids, &path)
    {
        found = history::note_versions(&repo, &ids, &note, &watch);
    }
    watch.clear();
    if found.stopped {
        return Err(Watch::interrupted().into());
    }
    if found.versions.is_empty() && found.damaged.is_empty() {
        return Err(target::never_there(&path).into());
    }
    let mut table = Table::new([
        Column::text("time"),
        Column::number("size"),
        Column::number("snapshots"),
        Column::text("first").styled(Style::Id),
        Column::text("last").styled(Style::Id),
        Column::text("").styled(Style::Dim),
    ]);
    for version in found.versions.iter().rev() {
        let name = |nth: Option<usize>| nth.map_or("", |nth| names[nth].as_str());
        let (first, last) = (name(version.snapshots.first()), name(version.snapshots.last()));
        if context.global.json {
            context.out.json(&Line {
                path: format!("/{}", version.path),
                size: version.size,
                updated: version.updated,
                mtime: time::rfc3339(version.updated),
                id: version.id,
                chunks: version.chunks.len(),
                touched: version.touched,
                first,
                last,
                snapshots: version.snapshots.numbers().map(|nth| ids[nth]).collect(),
            })?;
        } else {
            table.row([
                time::local(version.updated, &context.zone),
                size::human(version.size),
                version.snapshots.count().to_string(),
                text::visible(first).into_owned(),
                text::visible(last).into_owned(),
                if version.touched { "time alone".to_owned() } else { String::new() },
            ]);
        }
    }
    table.write(&mut context.out)?;
    let damaged = found.damaged.len() + snapshots.damaged.len();
    if context.global.json {
        let summary = json!({"versions": found.versions.len(), "damaged": damaged});
        context.out.json(&json!({"summary": summary}))?;
    }
    context.done(damaged)
}

/// The ID of the note that was called so last, by its titles.
fn note_called(
    repo: &Arc<Repository>,
    facts: Arc<dyn Facts>,
    snapshots: &[IndexId],
    path: &str,
) -> Option<String> {
    let reader = NoteReader::new(Arc::clone(repo), Vault::default(), facts);
    snapshots.iter().rev().find_map(|id| {
        let shelf = reader.shelf(*id).ok()?;
        Some(reader.find(&shelf, path).ok()?.id.into())
    })
}
