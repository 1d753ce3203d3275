//! `revu mounts`: the mounts of this user.

use serde_json::json;

use crate::mount::{self, Health};
use crate::ui::table::{Column, Table};
use crate::ui::text;

use super::context::Context;
use super::error::{End, FAILED, Failure};

const EXAMPLES: &str = "\
Examples:
  revu mounts
  revu mounts --json | jq -r .mountpoint";

/// List the mounts of this user
///
/// Columns: mount point, repository, state: `alive`, `dead` (its program has ended; `revu umount` clears
/// it away) or `silent` (it does not answer).
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, after_long_help = super::args::after_help(EXAMPLES))]
pub struct Args {}

/// Runs the command.
///
/// # Errors
/// Where the table of mounts cannot be read.
pub fn run(_: &Args, context: &mut Context) -> Result<(), End> {
    let mounts = mount::mounts().map_err(|error| Failure::new("mounts", FAILED, &error))?;
    let mut table = Table::new([
        Column::text("mount point"),
        Column::text("repository"),
        Column::text("state"),
    ]);
    for mount in mounts {
        let (point, source) = (mount.point.to_string_lossy(), mount.source.to_string_lossy());
        let state = match mount.health {
            Health::Alive => "alive",
            Health::Dead => "dead",
            Health::Silent => "silent",
        };
        if context.global.json {
            let line = json!({"mountpoint": point, "repository": source, "state": state});
            context.out.json(&line)?;
        } else {
            let (point, source) = (text::visible(&point), text::visible(&source));
            table.row([point.into_owned(), source.into_owned(), state.to_owned()]);
        }
    }
    Ok(table.write(&mut context.out)?)
}
