//! `revu find`: files by name, notes by title, text in files.

use serde::Serialize;
use serde_json::json;

use crate::format::{FileId, IndexId};
use crate::ops::find::{self as deed, Found, NamePattern, Query, TextPattern};
use crate::ops::paths::Scope;
use crate::repo::{Snapshots, names};
use crate::ui::table::{Column, Table};
use crate::ui::{Style, size, text, time};

use super::context::Context;
use super::error::{End, FAILED, Failure, failure, usage};
use super::target;
use super::watch::Watch;

const EXAMPLES: &str = "\
Examples:
  revu find '*.png'
  revu find '/assets/**/plan*' --snapshot v1 --snapshot latest
  revu find --title '*holiday*' -i
  revu find --content 'an old idea' --in /notes";

/// Find files by name, notes by title, or text in files, in all snapshots at once
///
/// Each file that is found comes once in each of its versions, with the snapshots that hold it. Columns:
/// path (a folder's ends in `/`), time, size, how many snapshots, the first and the last of them, title
/// or matching line.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, after_long_help = super::args::after_help(EXAMPLES))]
pub struct Args {
    /// Name with `*`, `?`, `[a-z]`, `{a,b}`; with a `/` in it a whole path, where `**` is any folders
    pattern: String,
    /// Compare PATTERN with the titles of notes
    #[arg(long)]
    title: bool,
    /// Look for PATTERN as a text in files (those that are text)
    #[arg(long, conflicts_with = "title")]
    content: bool,
    /// Upper and lower case are alike
    #[arg(long, short)]
    ignore_case: bool,
    /// Only in this snapshot; may be given more than once
    #[arg(long, value_name = "SNAPSHOT")]
    snapshot: Vec<String>,
    /// Only in this folder
    #[arg(long = "in", value_name = "PATH")]
    within: Option<String>,
}

#[derive(Debug, Serialize)]
struct Line<'a> {
    path: String,
    r#type: &'static str,
    size: Option<u64>,
    updated: Option<i64>,
    mtime: Option<String>,
    id: Option<FileId>,
    chunks: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    snapshots: Vec<IndexId>,
}

/// Runs the command.
///
/// # Errors
/// Exit code 3 where something is damaged, so that not all may have been found. To find nothing is no
/// failure.
pub fn run(args: &Args, context: &mut Context) -> Result<(), End> {
    let query = query(args)?;
    let (repo, snapshots) = context.snapshots(None)?;
    let chosen = chosen(args, &snapshots, context)?;
    let all_names = names::names(&snapshots, &context.zone);
    let ids: Vec<IndexId> = chosen.iter().map(|nth| snapshots.list[*nth].head.id).collect();
    let scope = Scope::new(&target::clean(args.within.as_deref().unwrap_or("")));
    let watch = Watch::new(context)?;
    let finds = deed::find(&repo, &ids, &query, &scope, &watch);
    watch.clear();
    if finds.stopped {
        return Err(Watch::interrupted().into());
    }
    let mut table = Table::new([
        Column::text("path"),
        Column::text("time"),
        Column::number("size"),
        Column::number("snapshots"),
        Column::text("first").styled(Style::Id),
        Column::text("last").styled(Style::Id),
        Column::text("found").cut(),
    ]);
    for found in &finds.found {
        if context.global.json {
            context.out.json(&line(found, &ids))?;
        } else {
            let name = |nth: Option<usize>| {
                nth.map_or(String::new(), |nth| all_names[chosen[nth]].clone())
            };
            let (first, last) = (name(found.snapshots.first()), name(found.snapshots.last()));
            table.row(row(found, first, last, context));
        }
    }
    table.write(&mut context.out)?;
    let damaged = finds.damaged.len() + snapshots.damaged.len();
    if context.global.json {
        context.out.json(&json!({"summary": {
            "found": finds.found.len(), "not_text": finds.not_text, "damaged": damaged,
        }}))?;
    }
    context.done(damaged)
}

fn query(args: &Args) -> Result<Query, Failure> {
    let bad = |error: &dyn std::error::Error| usage(error.to_string());
    let pattern = &args.pattern;
    Ok(if args.content {
        Query::Content(TextPattern::new(pattern, args.ignore_case).map_err(|e| bad(&e))?)
    } else if args.title {
        Query::Title(NamePattern::of_titles(pattern, args.ignore_case).map_err(|e| bad(&e))?)
    } else {
        Query::Name(NamePattern::new(pattern, args.ignore_case).map_err(|e| bad(&e))?)
    })
}

/// The places in the list of the snapshots to look into, oldest first.
fn chosen(args: &Args, snapshots: &Snapshots, context: &Context) -> Result<Vec<usize>, Failure> {
    if args.snapshot.is_empty() {
        return Ok((0..snapshots.list.len()).collect());
    }
    let mut chosen = args
        .snapshot
        .iter()
        .map(|text| {
            let id = target::resolve(snapshots, &context.zone, text)?;
            let nth = snapshots.list.iter().position(|snapshot| snapshot.head.id == id);
            nth.ok_or_else(|| failure("no_snapshot", FAILED, format!("`{text}` is gone")))
        })
        .collect::<Result<Vec<_>, Failure>>()?;
    chosen.sort_unstable();
    chosen.dedup();
    Ok(chosen)
}

fn line<'a>(found: &'a Found, ids: &[IndexId]) -> Line<'a> {
    let file = found.file.as_ref();
    Line {
        path: format!("/{}", found.path),
        r#type: if file.is_some() { "file" } else { "dir" },
        size: file.map(|file| file.size),
        updated: file.map(|file| file.updated),
        mtime: file.and_then(|file| time::rfc3339(file.updated)),
        id: file.map(|file| file.id),
        chunks: file.map(|file| file.chunks.len()),
        title: found.title.as_deref(),
        line: found.excerpt.as_ref().map(|excerpt| excerpt.line),
        text: found.excerpt.as_ref().map(|excerpt| excerpt.text.as_str()),
        snapshots: found.snapshots.numbers().map(|nth| ids[nth]).collect(),
    }
}

fn row(found: &Found, first: String, last: String, context: &Context) -> [String; 7] {
    let file = found.file.as_ref();
    let slash = if file.is_some() { "" } else { "/" };
    let what = match (&found.title, &found.excerpt) {
        (Some(title), _) => text::visible(title).into_owned(),
        (None, Some(excerpt)) => {
            format!("{}: {}", excerpt.line, text::visible(excerpt.text.trim()))
        }
        (None, None) => String::new(),
    };
    [
        format!("/{}{slash}", text::visible(&found.path)),
        file.map_or(String::new(), |file| time::local(file.updated, &context.zone)),
        file.map_or(String::new(), |file| size::human(file.size)),
        found.snapshots.count().to_string(),
        first,
        last,
        what,
    ]
}
