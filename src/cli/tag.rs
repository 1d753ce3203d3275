//! `revu tag`: names for snapshots.

use serde::Serialize;

use crate::format::{IndexId, layout};
use crate::repo::Damaged;
use crate::ui::table::{Column, Table};
use crate::ui::{Style, text, time};

use super::context::Context;
use super::error::End;

const EXAMPLES: &str = "\
Examples:
  revu tag list
  revu tag list --json";

/// Tags: names for snapshots
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
/// Exit code 3 where a tag cannot be read or names no sound snapshot.
pub fn run(args: &Args, context: &mut Context) -> Result<(), End> {
    match args.what {
        What::List => list(context),
    }
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
