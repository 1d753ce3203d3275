//! `revu tag`: names for snapshots.

use serde::Serialize;
use serde_json::json;

use crate::format::{IndexId, layout};
use crate::ops::tags;
use crate::repo::Damaged;
use crate::store::Store;
use crate::ui::table::{Column, Table};
use crate::ui::{Style, text, time};

use super::context::Context;
use super::error::End;
use super::target;

const EXAMPLES: &str = "\
Examples:
  revu tag add latest v1
  revu tag list --json
  revu tag remove v1";

/// Tags: names for snapshots
///
/// A snapshot that has a tag is never purged, neither by revu nor by SiYuan.
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
#[command(disable_help_subcommand = true)]
#[command(after_help = EXAMPLES, after_long_help = super::args::after_help(EXAMPLES))]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// List the tags
    ///
    /// Columns: tag, ID and time of its snapshot, first line of the memo.
    #[command(after_help = EXAMPLES, after_long_help = super::args::after_help(EXAMPLES))]
    List,
    /// Give a snapshot a tag
    ///
    /// A tag that is there already stays as it is.
    #[command(after_help = EXAMPLES, after_long_help = super::args::after_help(EXAMPLES))]
    Add {
        /// The snapshot: an ID, a tag, `latest`, a name or a time
        snapshot: String,
        /// The new tag: any text that SiYuan takes for one
        name: String,
    },
    /// Remove a tag; its snapshot stays
    ///
    /// The key is not needed.
    #[command(after_help = EXAMPLES, after_long_help = super::args::after_help(EXAMPLES))]
    Remove {
        /// The tag
        name: String,
    },
}

#[derive(Debug, Serialize)]
struct Line<'a> {
    name: &'a str,
    id: IndexId,
    time: Option<String>,
    created: i64,
    memo: &'a str,
}

/// Runs the command.
///
/// # Errors
/// Exit code 3 where a tag that is listed cannot be read or names no sound snapshot; 2 for what cannot be
/// a tag, 11 during a purge.
pub fn run(args: &Args, context: &mut Context) -> Result<(), End> {
    match &args.what {
        What::List => list(context),
        What::Add { snapshot, name } => add(snapshot, name, context),
        What::Remove { name } => remove(name, context),
    }
}

fn add(snapshot: &str, name: &str, context: &mut Context) -> Result<(), End> {
    let located = context.locate(None)?;
    // Before anybody is asked for a passphrase.
    tags::check_free(&Store::local(&located.repo), name)?;
    let (repo, _) = context.open_located(&located)?;
    let snapshots = repo.snapshots()?;
    let id = target::resolve(&snapshots, &context.zone, snapshot)?;
    tags::add(&repo, name, id)?;
    if context.global.json {
        let summary = json!({"name": name, "id": id, "state": "added"});
        context.out.json(&json!({"summary": summary}))?;
    } else {
        let line = format!("snapshot {} has the tag {} now", id.short(), text::visible(name));
        context.out.line(&line)?;
    }
    Ok(())
}

fn remove(name: &str, context: &mut Context) -> Result<(), End> {
    let located = context.locate(None)?;
    tags::remove(&Store::local(located.repo), name)?;
    if context.global.json {
        context.out.json(&json!({"summary": {"name": name, "state": "removed"}}))?;
    } else {
        context.out.line(&format!("the tag {} is removed", text::visible(name)))?;
    }
    Ok(())
}

fn list(context: &mut Context) -> Result<(), End> {
    let (_repo, snapshots) = context.snapshots(None)?;
    let mut table = Table::new([
        Column::text("tag").styled(Style::Tag),
        Column::text("id").styled(Style::Id),
        Column::text("time"),
        Column::text("memo").cut(),
    ]);
    for (name, id) in &snapshots.tags {
        // A tag that names nothing sound is among the damaged ones.
        let Some(snapshot) = snapshots.get(*id) else { continue };
        let head = &snapshot.head;
        if context.global.json {
            let (time, created) = (time::rfc3339(head.created), head.created);
            context.out.json(&Line { name, id: *id, time, created, memo: &head.memo })?;
        } else {
            table.row([
                text::visible(name).into_owned(),
                id.short(),
                time::local(head.created, &context.zone),
                text::visible(text::first_line(&head.memo)).into_owned(),
            ]);
        }
    }
    table.write(&mut context.out)?;
    let is_tag = |damaged: &&Damaged| match damaged {
        Damaged::Index(_) => false,
        Damaged::Ref(sentence) => sentence.contains(layout::TAGS),
        Damaged::Dangling { key, .. } => key.starts_with(layout::TAGS),
    };
    context.done(snapshots.damaged.iter().filter(is_tag).count())
}
