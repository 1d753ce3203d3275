//! `revu mount`: snapshots as folders.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;

use crate::mount::{
    self, Failure, KNOWN, MountPoint, MountRequest, Opener, Options as MountOptions, Outcome,
};
use crate::repo::{self, Repository};
use crate::siyuan::Workspace;
use crate::store::Store;
use crate::ui::{self, size};
use crate::vfs::notes::{self, NotesOptions};
use crate::vfs::{Vfs, VfsOptions};

use super::context::Context;
use super::error::{End, FAILED};
use super::harden;
use super::locate::Located;
use super::notebooks::Unlock;

const EXAMPLES: &str = "\
Examples:
  revu mount ~/past                 mount in the background
  cd \"$(revu mount)\"                let revu make a folder for it
  revu mount -f ~/past              stay in front, Ctrl-C unmounts
  revu mount -o allow_other,umask=022 --utc ~/past
  revu umount ~/past

In the mount:
  latest                            the newest snapshot
  snapshots/2024-05-01T18.01.00+0800/  a snapshot by its time
  tags/v1/                          a snapshot by its tag
  versions/files/assets/plan.txt/   each version of a file, once
  notes/latest/Garden/Tomatoes.md   notes of SiYuan by their names, as Markdown
  ids/<40 digits>/                  a snapshot by its ID";

/// Mount the snapshots as folders, read-only
///
/// Returns when the mount can be used, and leaves a background process that serves it until it is
/// unmounted. Nothing is printed unless the mount point was made by revu: then that is.
#[derive(Debug, clap::Args)]
#[command(after_help = after_help(), after_long_help = super::args::after_help(&after_help()))]
pub struct Args {
    /// An empty folder, made if its parent is there
    ///
    /// Without it, one is made under the user's run-time folder and printed.
    #[arg(value_name = "MOUNTPOINT", value_hint = clap::ValueHint::DirPath)]
    point: Option<PathBuf>,
    /// Stay in front; Ctrl-C unmounts
    #[arg(short, long)]
    foreground: bool,
    /// Mount options, separated by commas; listed below
    #[arg(short = 'o', value_name = "OPT")]
    options: Vec<String>,
    /// Most memory for file content that was read: bytes, or with K, M, G
    #[arg(long, value_name = "N", value_parser = size::parse, default_value = "256M")]
    cache_size: u64,
    /// Name snapshots by their time in UTC
    #[arg(long)]
    utc: bool,
    #[command(flatten)]
    unlock: Unlock,
}

/// The examples, and the mount options as the mount itself knows them.
fn after_help() -> String {
    let widest = KNOWN.iter().map(|known| known.name.len()).max().unwrap_or(0);
    let options: Vec<String> =
        KNOWN.iter().map(|known| format!("  {:<widest$}  {}", known.name, known.help)).collect();
    format!("{EXAMPLES}\n\nMount options:\n{}", options.join("\n"))
}

/// Runs the command.
///
/// # Errors
/// Exit code 2 for mount options that are wrong, 10 and 12 as every command, 11 where something is
/// mounted there already; nothing is mounted then.
pub fn run(args: Args, context: &mut Context) -> Result<(), End> {
    harden::hold_little_memory();
    let options = MountOptions::parse(args.options.iter().map(String::as_str));
    let options = options.map_err(Failure::from)?;
    let located = context.locate(None)?;
    let point = match &args.point {
        Some(point) => MountPoint::check(point, Some(&located.repo)),
        None => MountPoint::fresh(&title(&located), Some(&located.repo)),
    };
    let point = point.map_err(Failure::from)?;
    if point.cleared() {
        ::log::warn!(
            "cleared away what a program that crashed had left mounted at {}",
            point.path().display()
        );
    }
    let request = MountRequest {
        open: opener(context, &located, &args, &options)?,
        source: OsString::from(&located.repo),
        options,
        foreground: args.foreground,
        point,
    };
    let path = request.point.path().to_owned();
    let json = context.global.json;
    let printed = json || args.point.is_none();
    let asks_for_ctrl_c =
        args.foreground && context.stderr.terminal && !json && !context.global.quiet;
    let out = &mut context.out;
    let mut told = Ok(());
    let outcome = mount::mount(request, |running| {
        let point = running.point.display();
        let line = if json {
            json!({"mountpoint": running.point.to_string_lossy()}).to_string()
        } else {
            point.to_string()
        };
        if asks_for_ctrl_c {
            ui::log::tell(&format!("{point} is mounted until Ctrl-C"));
        }
        if printed {
            told = out.line(&line).and_then(|()| out.flush());
        }
    })?;
    told?;
    let summary = match outcome {
        Outcome::Background { point, pid, log } => {
            json!({"mountpoint": point.to_string_lossy(), "pid": pid,
                "log": log.map(|log| log.to_string_lossy().into_owned())})
        }
        Outcome::Left => json!({"mountpoint": path.to_string_lossy(), "state": "unmounted"}),
    };
    if json {
        context.out.json(&json!({"summary": summary}))?;
    } else if printed && !args.foreground {
        context.out.line(&path.to_string_lossy())?;
    }
    Ok(())
}

/// How a mount point of our own is called: after the workspace that the repository is part of, or its
/// own folder.
fn title(located: &Located) -> String {
    let around = located.workspace.as_ref().filter(|ws| ws.repository() == located.repo);
    let folder = around.map_or(located.repo.as_path(), Workspace::root);
    // The root of the file system has no name: `MountPoint::fresh` has one for that.
    folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// What the process that mounts does first. Key and password are asked for here, where there is a
/// terminal.
fn opener(
    context: &Context,
    located: &Located,
    args: &Args,
    options: &MountOptions,
) -> Result<Opener, Failure> {
    let key = context.key(located)?;
    let unlocking = args.unlock.password(context)?;
    let store = Store::local(located.repo.clone());
    let cache_bytes = usize::try_from(args.cache_size).unwrap_or(usize::MAX);
    let shown = VfsOptions { utc: args.utc };
    let (nonotes, links) = (options.nonotes, options.notelinks);
    let (catalogs, heads) = (context.catalogs(), context.heads());
    let facts = context.facts_folder();
    Ok(Box::new(move || {
        let repo = Arc::new(Repository::open(store, &key, repo::Options { cache_bytes })?);
        if let Some(folder) = catalogs {
            repo.keep_catalogs_in(&folder);
        }
        if let Some(folder) = heads {
            repo.keep_heads_in(&folder, true);
        }
        let vault = unlocking.vault(&repo)?;
        let facts = notes::facts_in(facts.as_deref(), &repo);
        let notes = NotesOptions { shown: !nonotes, links, vault, facts };
        let tree = Vfs::with_notes(repo, shown, notes);
        tree.map(Arc::new).map_err(|error| Failure::new("unreadable", FAILED, &error))
    }))
}
