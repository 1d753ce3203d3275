//! `revu restore`: files of snapshots come back.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::ops::paths::Scope;
use crate::ops::restore::{
    self as deed, Action, Options, Overwrite, Plan, Refusal, Report, RestoreError, Step, Wanted,
};
use crate::ops::snapshot::{self, Profile, SnapshotError};
use crate::repo::Repository;
use crate::siyuan::Workspace;
use crate::siyuan::lock::LockError;
use crate::ui::{Style, size, text, time};

use super::context::Context;
use super::error::{DAMAGED, End, FAILED, Failure, IN_USE, INTERRUPTED, USAGE, failure, usage};
use super::locate::Located;
use super::snapshot::device_of;
use super::target::{self, Request};
use super::watch::Watch;

const EXAMPLES: &str = "\
Examples:
  revu restore latest --to ~/restored
  revu restore v1:/assets/plan.txt --to .
  revu restore 2024-05-01:/assets latest~3:/notes --to /tmp/x --dry-run
  revu restore latest --to ~/restored --overwrite if-older --delete
  revu restore latest~1 --in-place --dry-run";

/// Bring files of snapshots back to a folder
///
/// Files keep their paths below the folder: `revu restore v1:/a/b.txt --to x` makes x/a/b.txt. A file
/// gets its name only when it is whole and safe on the disk, with its time. A file that is there already
/// and equal is not written again; one that differs stays as it is, unless --overwrite says otherwise.
/// Nothing outside the folder is touched, and no symbolic link in it is followed.
///
/// With --in-place the data folder of the SiYuan workspace goes back to the snapshot, or a part of it
/// does, as SiYuan itself would do it: what is there now is put into a snapshot first, files that the
/// snapshot does not hold go, those that SiYuan ignores stay. SiYuan must not be running.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, after_long_help = super::args::after_help(EXAMPLES))]
pub struct Args {
    /// Snapshots, or files or folders in them, or paths in a mount
    #[arg(value_name = "SNAPSHOT[:PATH]", required = true)]
    targets: Vec<String>,
    /// Folder to restore to; it is made if it is not there
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    #[arg(required_unless_present = "in_place")]
    to: Option<PathBuf>,
    /// Restore to the data folder of the workspace itself
    #[arg(long, conflicts_with_all = ["to", "overwrite", "delete"])]
    in_place: bool,
    /// What to do with files that are there and differ
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = When::Never)]
    overwrite: When,
    /// Remove files that the snapshot does not hold, within what is restored
    #[arg(long)]
    delete: bool,
    /// Only list what would be done
    #[arg(long)]
    dry_run: bool,
}

/// When a file that is there and differs is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum When {
    /// It stays as it is
    Never,
    /// If it is older than the snapshot's
    IfOlder,
    /// Always
    Always,
}

/// Runs the command.
///
/// # Errors
/// Exit code 3 where something could not be restored; all else was. 1 where it could not begin or the
/// disk is full, 130 where it was interrupted.
pub fn run(args: &Args, context: &mut Context) -> Result<(), End> {
    let requests: Vec<Request> = args.targets.iter().map(|text| Request::new(text)).collect();
    let located = context.locate(requests.iter().find_map(Request::hint))?;
    let (repo, _) = context.open_located(&located)?;
    let snapshots = repo.snapshots()?;
    let wanted = requests
        .iter()
        .map(|request| {
            let target = request.resolve(&snapshots, &context.zone)?;
            let scope = Scope::new(target.path.as_deref().unwrap_or(""));
            Ok(Wanted { snapshot: target.id, scope })
        })
        .collect::<Result<Vec<_>, Failure>>()?;
    let Some(to) = &args.to else {
        return in_place(&repo, &located, &wanted, args, context);
    };
    let overwrite = match args.overwrite {
        When::Never => Overwrite::Never,
        When::IfOlder => Overwrite::IfOlder,
        When::Always => Overwrite::Always,
    };
    let options = Options { overwrite, delete: args.delete, ..Options::default() };
    let watch = Watch::new(context)?;
    let plan = deed::plan(&repo, &wanted, to, options, &watch)?;
    watch.clear();
    if is_listed(args, context) {
        list(&plan, context)?;
    }
    let report = if args.dry_run { plan.forecast() } else { plan.carry_out(&watch)? };
    watch.clear();
    end(&report, to, args, context)
}

fn in_place(
    repo: &Repository,
    located: &Located,
    wanted: &[Wanted],
    args: &Args,
    context: &mut Context,
) -> Result<(), End> {
    let Some(workspace) = located.own_workspace() else {
        let sentence =
            "--in-place is for the repository of a SiYuan workspace: name a folder by --to";
        return Err(usage(sentence).into());
    };
    let watch = Watch::new(context)?;
    let listed = is_listed(args, context);
    let states = context.states();
    let mut printed = Ok(());
    let look = |plan: &Plan<'_>| {
        watch.clear();
        if listed {
            printed = list(plan, context);
        }
        !args.dry_run && printed.is_ok()
    };
    let save = || save(repo, workspace, states.clone(), &watch);
    let report = deed::in_place(repo, wanted, workspace, look, save, &watch);
    watch.clear();
    printed?;
    end(&report?, &workspace.data(), args, context)
}

/// Puts what is in the data folder now into a snapshot. The lock on the workspace is held already.
fn save(
    repo: &Repository,
    workspace: &Workspace,
    states: Option<PathBuf>,
    watch: &Watch,
) -> Result<(), String> {
    let device = device_of(workspace);
    let memo = "[revu] before a restore".to_owned();
    let options = snapshot::Options { memo, device, states, ..snapshot::Options::default() };
    let profile = Profile::Siyuan { workspace: None };
    let made = snapshot::snapshot(repo, &workspace.data(), &profile, &options, watch);
    match made {
        Ok(summary) => match &summary.problems[..] {
            [] => Ok(()),
            [one, ..] => Err(one.to_string()),
        },
        // All is lost, so there is nothing to save.
        Err(SnapshotError::NoFiles { .. }) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

/// Whether each step is said: where somebody asks for it; in JSON steps are results.
fn is_listed(args: &Args, context: &Context) -> bool {
    args.dry_run || context.global.json || context.global.verbose > 0
}

const fn word(action: Action) -> &'static str {
    match action {
        Action::Create => "create",
        Action::Replace => "replace",
        Action::Retime => "time",
        Action::Keep => "keep",
        Action::Remove => "remove",
    }
}

fn list(plan: &Plan<'_>, context: &mut Context) -> Result<(), End> {
    for Step { action, path, size, updated } in plan.steps() {
        let word = word(*action);
        if context.global.json {
            let mtime = time::rfc3339(*updated);
            let path = format!("/{path}");
            context.out.json(&json!({
                "action": word, "path": path, "size": size, "updated": updated, "mtime": mtime,
            }))?;
        } else {
            let style = if *action == Action::Remove { Style::Bad } else { Style::Plain };
            let word = context.out.look().paint(style, &format!("{word:<7}"));
            let path = match context.out.look().terminal {
                true => text::visible(path).into_owned(),
                false => path.clone(),
            };
            context.out.line(&format!("{word} {path}"))?;
        }
    }
    Ok(())
}

fn end(report: &Report, to: &Path, args: &Args, context: &mut Context) -> Result<(), End> {
    let Report { created, replaced, retimed, kept, equal, removed, bytes, problems } = report;
    if context.global.json {
        let problems: Vec<_> = problems
            .iter()
            .map(|problem| json!({"path": problem.path, "message": problem.sentence}))
            .collect();
        context.out.json(&json!({"summary": {
            "created": created, "replaced": replaced, "retimed": retimed, "kept": kept,
            "equal": equal, "removed": removed, "bytes": bytes, "dry_run": args.dry_run,
            "problems": problems,
        }}))?;
    } else if !context.global.quiet {
        let would = if args.dry_run { "would be " } else { "" };
        let place = to.display().to_string();
        let mut line = format!(
            "{} {would}restored to {}: {}",
            files(created + replaced),
            text::visible(&place),
            size::human(*bytes)
        );
        for (count, what) in [
            (*equal, "equal already"),
            (*retimed, "given back their times"),
            (*kept, "differ and stay as they are (--overwrite replaces them)"),
            (*removed, "removed"),
        ] {
            if count > 0 {
                line.push_str(&format!(", {count} {what}"));
            }
        }
        context.out.line(&line)?;
    }
    match problems.len() {
        0 => Ok(()),
        n => {
            let sentence = format!(
                "{} could not be restored or removed: each is named above",
                if n == 1 { "one thing".to_owned() } else { format!("{n} things") }
            );
            Err(failure("partial", DAMAGED, sentence).into())
        }
    }
}

fn files(count: u64) -> String {
    if count == 1 { "one file".to_owned() } else { format!("{count} files") }
}

impl From<RestoreError> for Failure {
    fn from(error: RestoreError) -> Self {
        let (kind, exit) = match error {
            RestoreError::Snapshot(error) => return error.into(),
            RestoreError::NotFound { snapshot, path, lost } => {
                return target::no_such_path(snapshot, &path, lost);
            }
            RestoreError::Twice { .. } => ("usage", USAGE),
            RestoreError::InRepository(_) => ("in_repository", FAILED),
            RestoreError::DiskFull { .. } => ("disk_full", FAILED),
            RestoreError::Stopped { .. } => ("interrupted", INTERRUPTED),
            RestoreError::Refused(Refusal::Lock(LockError::InUse { .. }) | Refusal::LockLost) => {
                ("in_use", IN_USE)
            }
            RestoreError::Refused(_) => ("refused", FAILED),
            _ => ("unwritable", FAILED),
        };
        Self::new(kind, exit, &error)
    }
}
