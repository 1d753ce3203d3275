//! `revu umount`: leaving a mount.

use std::path::PathBuf;

use serde_json::json;

use crate::mount::{self, Failure, Left};

use super::context::Context;
use super::error::End;

const EXAMPLES: &str = "\
Examples:
  revu umount ~/past
  revu mounts --json | jq -r .mountpoint | xargs -n1 revu umount";

/// Leave a mount
///
/// A mount in use stays as it is, and those who use it are named. What a program that crashed has left
/// mounted is cleared away.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, after_long_help = super::args::after_help(EXAMPLES))]
pub struct Args {
    /// Where it is mounted
    #[arg(value_name = "MOUNTPOINT", value_hint = clap::ValueHint::DirPath)]
    point: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// Exit code 11 where the mount is in use, 1 where nothing is mounted there.
pub fn run(args: &Args, context: &mut Context) -> Result<(), End> {
    let point = std::path::absolute(&args.point).unwrap_or_else(|_| args.point.clone());
    // Whoever types this within the mount keeps it busy; this program should not, too.
    let _ = std::env::set_current_dir("/");
    let left = mount::umount(&point).map_err(Failure::from)?;
    let state = match left {
        Left::Unmounted => "unmounted",
        Left::Cleared => {
            ::log::warn!(
                "the program behind {} had ended without unmounting: what was left is cleared away",
                point.display()
            );
            "cleared"
        }
    };
    if context.global.json {
        let point = point.to_string_lossy();
        context.out.json(&json!({"summary": {"mountpoint": point, "state": state}}))?;
    }
    Ok(())
}
