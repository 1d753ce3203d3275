//! `revu snapshot`: a snapshot of a folder, or of a SiYuan workspace.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

use crate::ops::snapshot::{self, Counts, Options, Profile, SkipKind, SnapshotError, Summary};
use crate::ops::{keys, tags};
use crate::repo::{Repository, names};
use crate::siyuan::{Conf, Device, Place, Workspace};
use crate::store::Store;
use crate::ui::{Style, size, text, time};

use super::context::Context;
use super::error::{DAMAGED, End, FAILED, Failure, IN_USE, INTERRUPTED, USAGE, failure, usage};
use super::locate::{Located, same};
use super::watch::Watch;

const EXAMPLES: &str = "\
Examples:
  revu snapshot                          the workspace that the current folder lies in
  revu snapshot --workspace ~/SiYuan -m 'before the big tidy-up' --tag tidy
  revu --repo ~/backup snapshot ~/Documents --exclude '*.iso' --exclude /Downloads
  revu --repo ~/backup snapshot ~/Documents --dry-run

Patterns are those of .gitignore. A file .revuignore in any folder holds more of them; for
the data folder of a workspace .siyuan/syncignore counts, as in SiYuan.";

/// How long to wait for a purge or another snapshot.
const WAIT: Duration = Duration::from_secs(10);
/// How many names of what was left out are shown where nobody asked for more.
const SHOWN: usize = 5;

/// Make a snapshot of a folder, or of a SiYuan workspace as SiYuan would
///
/// Only what is new is stored. Where nothing has changed since the snapshot before, no new one is
/// made. A file that cannot be read is named and keeps the state that the snapshot before has of it;
/// what a snapshot cannot hold (symbolic links, devices, empty folders) is counted and named.
///
/// In a repository of SiYuan the snapshot is of the workspace's data folder, and SiYuan must not be
/// running. In a repository that `revu init` made it is of any folder.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, after_long_help = super::args::after_help(EXAMPLES))]
pub struct Args {
    /// The folder; for a workspace its data folder, which need not be named
    #[arg(value_name = "FOLDER", value_hint = clap::ValueHint::DirPath)]
    folder: Option<PathBuf>,
    /// What the snapshot is to say of itself
    #[arg(long, short, value_name = "MEMO", default_value = snapshot::DEFAULT_MEMO)]
    memo: String,
    /// Give it this tag; may be repeated. A snapshot with a tag is never purged
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
    /// Leave out what this pattern fits; may be repeated
    #[arg(long, value_name = "PATTERN")]
    exclude: Vec<String>,
    /// Leave out what the patterns in FILE fit, one a line
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    exclude_from: Vec<PathBuf>,
    /// Write nothing; say what would be done
    #[arg(long, short = 'n')]
    dry_run: bool,
}

/// Runs the command.
///
/// # Errors
/// Exit code 3 where something could not be read, and all else is in the snapshot; 11 while SiYuan runs
/// on the workspace, or a purge on the repository.
pub fn run(args: &Args, context: &mut Context) -> Result<(), End> {
    let located = context.locate(repository_of(args, context).as_deref())?;
    // Before anybody is asked for a passphrase.
    let store = Store::local(&located.repo);
    args.tag.iter().try_for_each(|tag| tags::check_free(&store, tag))?;
    let (repo, key) = context.open_located(&located)?;
    let (folder, profile, device) = match keys::settings(repo.store(), &key)? {
        Some(settings) => {
            let Some(folder) = args.folder.clone() else {
                return Err(usage("name the folder to make a snapshot of").into());
            };
            (folder, Profile::Plain { cutting: settings.cutting }, this_device())
        }
        None => {
            let (folder, workspace) = workspace(args, &located)?;
            let device = workspace.as_ref().map_or_else(this_device, device_of);
            (folder, Profile::Siyuan { workspace }, device)
        }
    };
    let options = Options {
        memo: args.memo.clone(),
        tags: args.tag.clone(),
        device,
        excludes: args.exclude.clone(),
        exclude_from: args.exclude_from.clone(),
        dry_run: args.dry_run,
        states: context.states(),
        wait: WAIT,
    };
    let watch = Watch::new(context)?;
    let made = snapshot::snapshot(&repo, &folder, &profile, &options, &watch);
    watch.clear();
    let summary = made?;
    for note in &summary.notes {
        ::log::warn!("{note}");
    }
    for problem in &summary.problems {
        ::log::error!("{problem}");
    }
    print(&summary, &repo, args, context)?;
    match summary.problems.len() {
        0 => Ok(()),
        n => {
            let sentence = format!(
                "{} could not be read: each is named above, and all else is in the snapshot",
                if n == 1 { "one thing".to_owned() } else { format!("{n} things") }
            );
            Err(failure("partial", DAMAGED, sentence).into())
        }
    }
}

/// The repository of the workspace that the folder belongs to, where no repository is named.
fn repository_of(args: &Args, context: &Context) -> Option<PathBuf> {
    let environment = &context.environment;
    if environment.repo.is_some() || environment.workspace.is_some() {
        return None;
    }
    let folder = args.folder.as_deref()?.canonicalize().ok()?;
    around(&folder).map(|workspace| workspace.repository())
}

/// The workspace that a folder lies in.
fn around(folder: &Path) -> Option<Workspace> {
    match Place::around(folder)? {
        Place::Workspace(workspace) => Some(workspace),
        Place::Repository(_) => None,
    }
}

/// The folder to make a snapshot of in SiYuan's manner, and the workspace that it belongs to.
fn workspace(args: &Args, located: &Located) -> Result<(PathBuf, Option<Workspace>), Failure> {
    match (located.own_workspace(), &args.folder) {
        (Some(own), None) => Ok((own.data(), Some(own.clone()))),
        (Some(own), Some(folder)) if same(folder, &own.data()) || same(folder, own.root()) => {
            Ok((own.data(), Some(own.clone())))
        }
        (Some(own), Some(folder)) => Err(usage(format!(
            "{} is the repository of the workspace {}: SiYuan would take a snapshot of {} for its notes; \
             make a repository for that with `revu init`",
            located.repo.display(),
            own.root().display(),
            folder.display()
        ))),
        (None, Some(folder)) => {
            let around = folder.canonicalize().ok().and_then(|folder| around(&folder));
            Ok((folder.clone(), around.filter(|around| same(folder, &around.data()))))
        }
        (None, None) => Err(usage(format!(
            "{} belongs to no workspace: name the folder to make a snapshot of",
            located.repo.display()
        ))),
    }
}

/// The device as the workspace's `conf.json` names it. A snapshot is worth more than its name.
pub(super) fn device_of(workspace: &Workspace) -> Device {
    Conf::read(workspace).map(|conf| conf.device).unwrap_or_else(|error| {
        ::log::warn!("the snapshot does not say which device it is of: {error}");
        this_device()
    })
}

/// This machine, which has no ID where there is no SiYuan.
fn this_device() -> Device {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    Device { id: String::new(), name, os: std::env::consts::OS.to_owned() }
}

fn print(
    summary: &Summary,
    repo: &Repository,
    args: &Args,
    context: &mut Context,
) -> Result<(), End> {
    if context.global.json {
        return print_json(summary, repo, args, context);
    }
    if context.global.quiet {
        return Ok(());
    }
    left_out(summary, context)?;
    let look = context.out.look();
    let Counts { files, size, added, changed, removed, .. } = summary.counts;
    let files = text::count(usize::try_from(files).unwrap_or(usize::MAX), "file");
    let whole = format!("{files}, {}", size::human(size));
    if !summary.is_changed() {
        let (name, id) = summary.base.map_or_else(
            || ("none".to_owned(), String::new()),
            |id| (name(repo, id, context), look.paint(Style::Id, &id.short())),
        );
        let line = format!("nothing has changed since {name}  {id}: no new snapshot ({whole})");
        context.out.line(&line)?;
    } else {
        let what = format!("{added} added, {changed} changed, {removed} removed");
        let head = match summary.index {
            Some(id) => {
                format!("{}  {}", name(repo, id, context), look.paint(Style::Id, &id.short()))
            }
            None => "would make a snapshot".to_owned(),
        };
        context.out.line(&format!("{head}  {whole}: {what}"))?;
        let objects = usize::try_from(summary.stored_objects).unwrap_or(usize::MAX);
        let objects = text::count(objects, "object");
        let (read, stored) = (size::human(summary.read_bytes), size::human(summary.stored_bytes));
        let line = match args.dry_run {
            true => format!("read {read}; nothing is written"),
            false => format!("read {read}, stored {stored} in {objects}"),
        };
        context.out.line(&line)?;
    }
    for tag in args.tag.iter().filter(|_| !args.dry_run) {
        context.out.line(&format!("its tag is {}", text::visible(tag)))?;
    }
    Ok(())
}

/// What is not in the snapshot, and why.
fn left_out(summary: &Summary, context: &mut Context) -> Result<(), End> {
    let all = context.global.verbose > 0;
    for (kind, skipped) in summary.skipped.kinds() {
        let (one, many, named) = match kind {
            SkipKind::Symlink => ("symbolic link", "symbolic links", true),
            SkipKind::Special => ("device, pipe or socket", "devices, pipes and sockets", true),
            SkipKind::EmptyFolder => ("empty folder", "empty folders", true),
            SkipKind::NotUtf8 => ("name that is not UTF-8", "names that are not UTF-8", true),
            SkipKind::Excluded => {
                ("thing that the rules exclude", "things that the rules exclude", all)
            }
            // Nobody misses it.
            SkipKind::Own => continue,
        };
        let what = if skipped.count == 1 { one } else { many };
        let mut line = format!("left out: {} {what}", skipped.count);
        if named {
            let most = if all { skipped.names.len() } else { SHOWN };
            let shown: Vec<_> =
                skipped.names.iter().take(most).map(|name| text::visible(name)).collect();
            line.push_str(&format!(" ({}", shown.join(", ")));
            match skipped.count.saturating_sub(shown.len() as u64) {
                0 => {}
                n if all => line.push_str(&format!(" and {n} more")),
                n => line.push_str(&format!(" and {n} more, which -v names")),
            }
            line.push(')');
        }
        context.out.line(&line)?;
    }
    Ok(())
}

/// How `log` and the mount name a snapshot.
fn name(repo: &Repository, id: crate::format::IndexId, context: &Context) -> String {
    let unknown = || id.short();
    let Ok(snapshots) = repo.snapshots_now() else { return unknown() };
    let names = names::names(&snapshots, &context.zone);
    let nth = snapshots.list.iter().position(|snapshot| snapshot.head.id == id);
    nth.and_then(|nth| names.into_iter().nth(nth)).unwrap_or_else(unknown)
}

fn print_json(
    summary: &Summary,
    repo: &Repository,
    args: &Args,
    context: &mut Context,
) -> Result<(), End> {
    let problems: Vec<_> = summary
        .problems
        .iter()
        .map(|problem| {
            json!({
                "path": problem.path, "kind": problem.kind.word(), "message": problem.to_string(),
                "kept_as_before": problem.kept_as_before,
            })
        })
        .collect();
    let skipped: serde_json::Map<_, _> = summary
        .skipped
        .kinds()
        .map(|(kind, of)| (kind.word().to_owned(), json!({"count": of.count, "names": of.names})))
        .collect();
    let id = summary.index;
    let head = id.and_then(|id| Some(repo.snapshots_now().ok()?.get(id)?.head.clone()));
    context.out.json(&json!({"summary": {
        "id": id,
        "name": id.map(|id| name(repo, id, context)),
        "created": head.as_ref().map(|head| head.created),
        "time": head.as_ref().and_then(|head| time::rfc3339(head.created)),
        "memo": head.as_ref().map(|head| &head.memo),
        "base": summary.base,
        "tags": args.tag,
        "dry_run": args.dry_run,
        "files": summary.counts.files,
        "size": summary.counts.size,
        "added": summary.counts.added,
        "changed": summary.counts.changed,
        "removed": summary.counts.removed,
        "unchanged": summary.counts.unchanged,
        "read_bytes": summary.read_bytes,
        "stored_bytes": summary.stored_bytes,
        "stored_objects": summary.stored_objects,
        "skipped": skipped,
        "problems": problems,
        "notes": summary.notes,
    }}))?;
    Ok(())
}

impl From<SnapshotError> for Failure {
    fn from(error: SnapshotError) -> Self {
        let in_use = error.is_in_use();
        let (kind, exit) = match error {
            _ if in_use => ("in_use", IN_USE),
            SnapshotError::Tag(error) => return error.into(),
            SnapshotError::InRepository { .. } => ("usage", USAGE),
            SnapshotError::Rules(_) => ("rules", FAILED),
            SnapshotError::NotAFolder { .. } | SnapshotError::NoFiles { .. } => {
                ("no_folder", FAILED)
            }
            SnapshotError::DiskFull { .. } => ("disk_full", FAILED),
            SnapshotError::Stopped => ("interrupted", INTERRUPTED),
            SnapshotError::Object(_) => ("damaged", FAILED),
            _ => ("unwritable", FAILED),
        };
        Self::new(kind, exit, &error)
    }
}
