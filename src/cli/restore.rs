//! `revu restore`: files of snapshots come back.

use std::path::PathBuf;

use serde_json::json;

use crate::ops::paths::Scope;
use crate::ops::restore::{
    self as deed, Action, Options, Overwrite, Plan, Report, RestoreError, Step, Wanted,
};
use crate::ui::{Style, size, text, time};

use super::context::Context;
use super::error::{DAMAGED, End, FAILED, Failure, IN_USE, INTERRUPTED, failure};
use super::target::{self, Request};
use super::watch::Watch;

const EXAMPLES: &str = "\
Examples:
  revu restore latest --to ~/restored
  revu restore v1:/assets/plan.txt --to .
  revu restore 2024-05-01:/assets latest~3:/notes --to /tmp/x --dry-run
  revu restore latest --to ~/restored --overwrite if-older --delete";

/// Bring files of snapshots back to a folder
///
/// Files keep their paths below the folder: `revu restore v1:/a/b.txt --to x` makes x/a/b.txt. A file
/// gets its name only when it is whole and safe on the disk, with its time. A file that is there already
/// and equal is not written again; one that differs stays as it is, unless --overwrite says otherwise.
/// Nothing outside the folder is touched, and no symbolic link in it is followed.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, after_long_help = super::args::after_help(EXAMPLES))]
pub struct Args {
    /// Snapshots, or files or folders in them, or paths in a mount
    #[arg(value_name = "SNAPSHOT[:PATH]", required = true)]
    targets: Vec<String>,
    /// Folder to restore to; it is made if it is not there
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    to: PathBuf,
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
    let (repo, snapshots) = context.snapshots(requests.iter().find_map(Request::hint))?;
    let wanted = requests
        .iter()
        .map(|request| {
            let target = request.resolve(&snapshots, &context.zone)?;
            let scope = Scope::new(target.path.as_deref().unwrap_or(""));
            Ok(Wanted { snapshot: target.id, scope })
        })
        .collect::<Result<Vec<_>, Failure>>()?;
    let overwrite = match args.overwrite {
        When::Never => Overwrite::Never,
        When::IfOlder => Overwrite::IfOlder,
        When::Always => Overwrite::Always,
    };
    let options = Options { overwrite, delete: args.delete, ..Options::default() };
    let watch = Watch::new(context)?;
    let plan = deed::plan(&repo, &wanted, &args.to, options, &watch)?;
    watch.clear();
    if args.dry_run {
        list(&plan, context)?;
        let forecast = plan.forecast();
        return end(&forecast, args, context);
    }
    // Each step is said where somebody asks for it; in JSON they are results.
    if context.global.json || context.global.verbose > 0 {
        list(&plan, context)?;
    }
    let report = plan.carry_out(&watch)?;
    watch.clear();
    end(&report, args, context)
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

fn end(report: &Report, args: &Args, context: &mut Context) -> Result<(), End> {
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
        let place = args.to.display().to_string();
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
            RestoreError::Twice { .. } => ("usage", super::error::USAGE),
            RestoreError::InRepository(_) => ("in_repository", FAILED),
            RestoreError::DiskFull { .. } => ("disk_full", FAILED),
            RestoreError::Stopped { .. } => ("interrupted", INTERRUPTED),
            RestoreError::Refused(_) => ("in_use", IN_USE),
            _ => ("unwritable", FAILED),
        };
        Self::new(kind, exit, &error)
    }
}
