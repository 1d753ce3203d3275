//! `revu diff`: what differs between two snapshots, or a snapshot and a folder on disk.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::json;

use crate::format::FileId;
use crate::ops::diff::{self as deed, Change, Compare, Differences, Kind, Patcher, Side};
use crate::ops::disk::{Dir, Everything, Rules, SiyuanRules};
use crate::ops::keys;
use crate::ops::paths::Scope;
use crate::ops::snapshot::{self, PlainFolder};
use crate::repo::Repository;
use crate::ui::{Look, Style, size, text};

use super::context::Context;
use super::error::{End, FAILED, Failure, failure, usage};
use super::target::{self, Request};
use super::watch::Watch;

const EXAMPLES: &str = "\
Examples:
  revu diff latest~1 latest
  revu diff v1 latest /assets --stat
  revu diff latest                     what changed since the newest snapshot
  revu diff v1 --folder ~/restored
  revu diff latest~1 latest --patch | less
  revu diff --notes latest~7 latest";

/// Show what differs between two snapshots, or a snapshot and the folder on disk
///
/// A line for each file: A added, D removed, M modified, T touched (another time alone), R renamed (equal
/// content under another path). With one snapshot it is compared with the data folder of the SiYuan
/// workspace, as SiYuan would take a snapshot of it, or with --folder.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, after_long_help = super::args::after_help(EXAMPLES))]
pub struct Args {
    /// The older snapshot, or a file or folder in it
    #[arg(value_name = "SNAPSHOT[:PATH]")]
    old: String,
    /// The newer one
    #[arg(value_name = "SNAPSHOT")]
    new: Option<String>,
    /// Only this file or folder
    path: Option<String>,
    /// Compare with this folder on disk: with what a snapshot of it would hold, and where the
    /// repository is SiYuan's with all that is in it
    #[arg(long, value_name = "DIR", conflicts_with = "new", value_hint = clap::ValueHint::DirPath)]
    folder: Option<PathBuf>,
    /// Compare the content even of files whose size and time are equal (on disk only)
    #[arg(long, conflicts_with = "new")]
    content: bool,
    /// Only the numbers
    #[arg(long)]
    stat: bool,
    /// As a patch that git takes
    #[arg(long, short, conflicts_with = "stat")]
    patch: bool,
    /// Notes of SiYuan by their titles, with patches of their Markdown
    #[arg(long, conflicts_with_all = ["folder", "content", "patch", "path"], requires = "new")]
    notes: bool,
    #[command(flatten)]
    unlock: super::notebooks::Unlock,
}

#[derive(Debug, Serialize)]
struct Line<'a> {
    change: &'static str,
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    old: Option<SideLine>,
    new: Option<SideLine>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct SideLine {
    size: u64,
    updated: i64,
    id: Option<FileId>,
}

impl From<&Side> for SideLine {
    fn from(side: &Side) -> Self {
        Self { size: side.size, updated: side.updated, id: side.id }
    }
}

/// Runs the command.
///
/// # Errors
/// Exit code 3 where something could not be compared.
pub fn run(args: &Args, context: &mut Context) -> Result<(), End> {
    let request = Request::new(&args.old);
    let located = context.locate(request.hint())?;
    let (repo, key) = context.open_located(&located)?;
    if args.notes
        && let Some(new) = &args.new
    {
        let unlocking = args.unlock.password(context)?;
        let wanted = super::note_diff::Wanted { old: &request, new, stat: args.stat };
        return super::note_diff::run(repo, &wanted, &unlocking, context);
    }
    let snapshots = repo.snapshots()?;
    let old = request.resolve(&snapshots, &context.zone)?;
    let scope = match (&old.path, &args.path) {
        (Some(one), Some(other)) if target::clean(other) != *one => {
            return Err(usage("two paths are given: name one alone").into());
        }
        (_, Some(path)) => Scope::new(&target::clean(path)),
        (Some(path), None) => Scope::new(path),
        (None, None) => Scope::default(),
    };
    let watch = Watch::new(context)?;
    let mut folder = None;
    let found = match &args.new {
        Some(new) => {
            let new = target::resolve(&snapshots, &context.zone, new)?;
            deed::snapshots(&repo, old.id, new, &scope, &watch)?
        }
        None => {
            let data = located.workspace.as_ref().map(|workspace| workspace.data());
            let is_own = keys::settings(repo.store(), &key)?.is_some();
            let (place, rules) = match &args.folder {
                Some(folder) if is_own => {
                    let options =
                        snapshot::Options { states: context.states(), ..Default::default() };
                    (folder.clone(), OnDisk::Plain(PlainFolder::new(&repo, folder, &options)?))
                }
                Some(folder) => (folder.clone(), OnDisk::Everything),
                None => data_folder(data.as_deref())?,
            };
            let dir = folder.insert(open(&place)?);
            let compare = Compare { rules: rules.as_rules(), content: args.content };
            let found = deed::folder(&repo, old.id, dir, compare, &scope, &watch)?;
            rules.notes().iter().for_each(|note| ::log::warn!("{note}"));
            found
        }
    };
    watch.clear();
    let shown = show(args, &found, &repo, folder.as_ref(), context)?;
    end(args, &found, context)?;
    context.done(found.problems.len() + shown)
}

/// Which files of a folder on disk count.
enum OnDisk {
    Everything,
    Siyuan(SiyuanRules),
    Plain(PlainFolder),
}

impl OnDisk {
    fn as_rules(&self) -> &dyn Rules {
        match self {
            Self::Everything => &Everything,
            Self::Siyuan(rules) => rules,
            Self::Plain(rules) => rules,
        }
    }

    /// What the user should know of his rules.
    fn notes(&self) -> Vec<String> {
        match self {
            Self::Plain(rules) => rules.notes(),
            Self::Everything | Self::Siyuan(_) => Vec::new(),
        }
    }
}

/// The data folder of the workspace, which is compared where no folder is named.
fn data_folder(data: Option<&Path>) -> Result<(PathBuf, OnDisk), Failure> {
    let Some(data) = data else {
        return Err(usage(
            "the repository belongs to no SiYuan workspace: name the folder to compare with by --folder, or a second snapshot",
        ));
    };
    let rules = SiyuanRules::load(data).map_err(|e| Failure::new("unreadable", FAILED, &e))?;
    Ok((data.to_owned(), OnDisk::Siyuan(rules)))
}

fn open(place: &Path) -> Result<Dir, Failure> {
    Dir::open(place).map_err(|error| {
        failure("unreadable", FAILED, format!("cannot look into {}: {error}", place.display()))
    })
}

/// Prints the changes; tells how many could not be shown.
fn show(
    args: &Args,
    found: &Differences,
    repo: &Repository,
    folder: Option<&Dir>,
    context: &mut Context,
) -> Result<usize, End> {
    if args.stat {
        return Ok(0);
    }
    let patcher = Patcher { repo, folder };
    let mut failed = 0;
    for change in &found.changes {
        let patch = match args.patch.then(|| patcher.patch(change)) {
            None => None,
            Some(Ok(patch)) => Some(patch),
            Some(Err(error)) => {
                failed += 1;
                ::log::error!("{error}");
                None
            }
        };
        if context.global.json {
            let line = Line {
                change: change.kind.word(),
                path: format!("/{}", change.path),
                from: change.from.as_ref().map(|path| format!("/{path}")),
                old: change.old.as_ref().map(SideLine::from),
                new: change.new.as_ref().map(SideLine::from),
                patch: patch.as_deref(),
            };
            context.out.json(&line)?;
        } else if args.patch {
            // One that could not be made was named above.
            for line in patch.iter().flat_map(|patch| patch.split_inclusive('\n')) {
                let shown = coloured(line, context.out.look());
                context.out.bytes(shown.as_bytes())?;
            }
        } else {
            let line = summary_line(change, context.out.look());
            context.out.line(&line)?;
        }
    }
    Ok(failed)
}

fn summary_line(change: &Change, look: Look) -> String {
    let (letter, style) = match change.kind {
        Kind::Added => ("A", Style::Tag),
        Kind::Removed => ("D", Style::Bad),
        Kind::Modified => ("M", Style::Id),
        Kind::Touched => ("T", Style::Dim),
        Kind::Renamed => ("R", Style::Tag),
    };
    let visible = |path: &str| match look.terminal {
        true => text::visible(path).into_owned(),
        false => path.to_owned(),
    };
    let path = match &change.from {
        Some(from) => format!("/{} -> /{}", visible(from), visible(&change.path)),
        None => format!("/{}", visible(&change.path)),
    };
    format!("{} {path}", look.paint(style, letter))
}

/// A line of a patch, in colour where there are colours; on a terminal without what could command it.
pub(super) fn coloured(line: &str, look: Look) -> String {
    if !look.terminal && !look.color {
        return line.to_owned();
    }
    let (body, end) = line.strip_suffix('\n').map_or((line, ""), |body| (body, "\n"));
    let visible = match look.terminal {
        // A tab is no command.
        true => body.split('\t').map(text::visible).collect::<Vec<_>>().join("\t"),
        false => body.to_owned(),
    };
    let style = match body.as_bytes().first() {
        Some(b'+') => Style::Tag,
        Some(b'-') => Style::Bad,
        Some(b'@') => Style::Id,
        _ => Style::Plain,
    };
    format!("{}{end}", look.paint(style, &visible))
}

fn end(args: &Args, found: &Differences, context: &mut Context) -> Result<(), End> {
    let stat = found.stat();
    if context.global.json {
        context.out.json(&json!({"summary": {
            "added": stat.added, "removed": stat.removed, "modified": stat.modified,
            "touched": stat.touched, "renamed": stat.renamed,
            "bytes_new": stat.bytes_new, "bytes_old": stat.bytes_old,
            "problems": found.problems,
        }}))?;
    } else if args.stat {
        let line = format!(
            "{} added, {} removed, {} modified, {} renamed, {} touched; +{} -{}",
            stat.added,
            stat.removed,
            stat.modified,
            stat.renamed,
            stat.touched,
            size::human(stat.bytes_new),
            size::human(stat.bytes_old)
        );
        context.out.line(&line)?;
    }
    Ok(())
}
