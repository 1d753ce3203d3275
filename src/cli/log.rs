//! `revu log`: the snapshots, newest first; with a path, those in which it changed.

use serde::Serialize;

use crate::format::{Index, IndexId};
use crate::ops::history::{self, Change};
use crate::repo::{ObjectError, Repository, Snapshot, Snapshots, names, parallel};
use crate::ui::table::{Column, Table};
use crate::ui::{Style, size, text, time};
use crate::vfs::escape;

use super::context::Context;
use super::dates;
use super::error::End;
use super::target;
use super::watch::Watch;

const EXAMPLES: &str = "\
Examples:
  revu log
  revu log --since 2024-05-01 --tag v1
  revu log -n 5 /assets/plan.txt
  revu log --json | jq -r .name";

/// List the snapshots, newest first
///
/// Columns: name, ID, files, size, tags, first line of the memo.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, after_long_help = super::args::after_help(EXAMPLES))]
pub struct Args {
    /// Only snapshots made at or after the beginning of TIME, such as 2024-05-01 or 2024-05-01T18:00
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only snapshots made at or before the end of TIME
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only snapshots with this tag; may be given more than once
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
    /// Only the newest N of them
    #[arg(long, short = 'n', value_name = "N")]
    limit: Option<usize>,
    /// Only snapshots in which this file or folder changed: /assets/plan.txt, or a path in a mount
    path: Option<String>,
}

/// A line of the list.
#[derive(Debug, Serialize)]
struct Line<'a> {
    id: IndexId,
    name: &'a str,
    time: Option<String>,
    created: i64,
    memo: &'a str,
    tags: &'a [String],
    files: Option<u64>,
    size: Option<u64>,
    device: Option<&'a Device>,
    latest: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<&'static str>,
}

/// What a list needs of an index beside its head.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Body {
    files: u64,
    /// Bytes; old indexes do not say.
    size: Option<u64>,
    device: Device,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Device {
    id: String,
    name: String,
    os: String,
}

impl From<Index> for Body {
    /// The list of files, which is nearly all of an index, is dropped here.
    fn from(index: Index) -> Self {
        let listed = index.files.len() as u64;
        let is_old = index.count == 0 && listed > 0;
        Self {
            files: listed,
            size: if is_old { None } else { u64::try_from(index.size).ok() },
            device: Device { id: index.system_id, name: index.system_name, os: index.system_os },
        }
    }
}

/// Runs the command.
///
/// # Errors
/// Exit code 3 where a snapshot or tag is damaged.
pub fn run(args: &Args, context: &mut Context) -> Result<(), End> {
    let zone = context.zone.clone();
    let (since, until) = dates::bounds(args.since.as_deref(), args.until.as_deref(), &zone)?;
    let place = args.path.as_deref().and_then(target::in_mount);
    let (repo, snapshots) = context.snapshots(place.as_ref().map(|place| place.repo.as_path()))?;
    let names = names::names(&snapshots, &zone);
    let mut damaged = snapshots.damaged.len();

    let changes = match &args.path {
        None => None,
        Some(path) => {
            let path = place.map_or_else(|| target::clean(path), |place| place.path);
            let ids: Vec<_> = snapshots.list.iter().map(|snapshot| snapshot.head.id).collect();
            let watch = Watch::new(context)?;
            let found = history::changes(&repo, &ids, |record| is_at(record, &path), &watch);
            watch.clear();
            if found.stopped {
                return Err(Watch::interrupted().into());
            }
            if found.changes.iter().all(Option::is_none) && found.damaged.is_empty() {
                return Err(target::never_there(&path).into());
            }
            damaged += found.damaged.len();
            Some(found.changes)
        }
    };
    let wanted = |nth: usize, snapshot: &Snapshot| {
        changes.as_ref().is_none_or(|changes| changes[nth].is_some())
            && since.is_none_or(|since| snapshot.head.created >= since)
            && until.is_none_or(|until| snapshot.head.created <= until)
            && (args.tag.is_empty() || args.tag.iter().any(|tag| snapshot.tags.contains(tag)))
    };
    let numbered = snapshots.list.iter().enumerate();
    let chosen: Vec<usize> = numbered
        .rev()
        .filter(|(nth, snapshot)| wanted(*nth, snapshot))
        .map(|(nth, _)| nth)
        .take(args.limit.unwrap_or(usize::MAX))
        .collect();

    let bodies = read_bodies(context, &repo, &snapshots, &chosen);
    let mut table = table();
    for (nth, body) in chosen.iter().zip(bodies) {
        let snapshot = &snapshots.list[*nth];
        let body = match body {
            Ok(body) => Some(body),
            // A purge has removed it since the list was read.
            Err(error)
                if error.is_missing() && repo.snapshots_now()?.get(snapshot.head.id).is_none() =>
            {
                continue;
            }
            Err(error) => {
                repo.objects().tell(&error, || "its size and its files are not known".into());
                damaged += 1;
                None
            }
        };
        let line = Line {
            id: snapshot.head.id,
            name: &names[*nth],
            time: time::rfc3339(snapshot.head.created),
            created: snapshot.head.created,
            memo: &snapshot.head.memo,
            tags: &snapshot.tags,
            files: body.as_ref().map(|body| body.files),
            size: body.as_ref().and_then(|body| body.size),
            device: body.as_ref().map(|body| &body.device),
            latest: snapshots.latest == Some(snapshot.head.id),
            change: changes.as_ref().and_then(|changes| changes[*nth]).map(word),
        };
        if context.global.json {
            context.out.json(&line)?;
        } else {
            table.row(cells(&line, context.out.look().terminal));
        }
    }
    table.write(&mut context.out)?;
    context.done(damaged)
}

/// Whether the path of a record, as it is shown, is `path` (without a slash before it; empty for
/// everything) or lies below it.
fn is_at(record: &str, path: &str) -> bool {
    let Some(shown) = escape::shown_path(record) else { return false };
    path.is_empty()
        || shown.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A change in one word, as JSON has it too.
const fn word(change: Change) -> &'static str {
    match change {
        Change::Added => "added",
        Change::Removed => "removed",
        Change::Modified => "modified",
    }
}

/// Reads whole indexes, many at a time, and keeps of each what the list needs.
fn read_bodies(
    context: &Context,
    repo: &Repository,
    snapshots: &Snapshots,
    chosen: &[usize],
) -> Vec<Result<Body, ObjectError>> {
    let progress = context.progress("snapshots", chosen.len());
    parallel::map(chosen, |nth| {
        let body = repo.objects().index(snapshots.list[*nth].head.id).map(Body::from);
        progress.step();
        body
    })
}

fn table() -> Table {
    Table::new([
        Column::text("name"),
        Column::text("id").styled(Style::Id),
        Column::text("change"),
        Column::number("files"),
        Column::number("size"),
        Column::text("tags").styled(Style::Tag),
        Column::text("memo").cut(),
    ])
}

fn cells(line: &Line<'_>, human: bool) -> Vec<String> {
    let size = match line.size {
        Some(size) if human => size::human(size),
        Some(size) => size.to_string(),
        None => "?".to_owned(),
    };
    vec![
        line.name.to_owned(),
        line.id.short(),
        // Nothing to say: an empty cell.
        line.change.unwrap_or_default().to_owned(),
        line.files.map_or_else(|| "?".to_owned(), |files| files.to_string()),
        size,
        text::visible(&line.tags.join(", ")).into_owned(),
        text::visible(text::first_line(line.memo)).into_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::{FileId, Id};

    fn index(count: i64, size: i64) -> Index {
        Index {
            id: IndexId(Id::digest(b"x")),
            memo: String::new(),
            created: 0,
            files: vec![FileId(Id::digest(b"a")), FileId(Id::digest(b"b"))],
            count,
            size,
            system_id: "d".into(),
            system_name: "n".into(),
            system_os: "linux".into(),
            check_index_id: String::new(),
            aes_key_verify_val: String::new(),
        }
    }

    #[test]
    fn a_path_is_itself_and_what_lies_below() {
        assert!(is_at("/a/b.sy", "a/b.sy") && is_at("/a/b.sy", "a") && is_at("/a/b.sy", ""));
        assert!(!is_at("/ab", "a") && !is_at("/b/a", "a") && !is_at("/a", "a/b"));
    }

    #[test]
    fn old_indexes_have_files_and_no_size() {
        let body = Body::from(index(0, 0));
        assert_eq!((body.files, body.size), (2, None));
        let body = Body::from(index(2, 0));
        assert_eq!((body.files, body.size), (2, Some(0)));
        assert_eq!(Body::from(index(2, -1)).size, None);
    }
}
