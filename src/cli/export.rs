//! `revu export`: a snapshot's notes as Markdown files.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;

use crate::ops::disk::{self, Dir};
use crate::ops::paths::{self, Scope};
use crate::ops::restore::{self, Options, Wanted};
use crate::ops::{Monitor, Unit};
use crate::siyuan::notes::crypt::Vault;
use crate::ui::text;
use crate::vfs::notes::{ASSETS, Attached, Shown};

use super::context::Context;
use super::error::{End, FAILED, failure};
use super::note_shelf::NoteReader;
use super::target::Request;
use super::watch::Watch;

const EXAMPLES: &str = "\
Examples:
  revu export --markdown latest --to ~/notes
  revu export --markdown 2024-05-01 --to ~/notes-in-may";

/// Write the notes of a snapshot as Markdown, with their attachments
///
/// Notes get the names that a mount shows in `notes/`, databases are tables (CSV); each folder of notes has
/// a link `assets` to the attachments, so that the links in notes work. What is in the folder already is never overwritten.
/// Encrypted notebooks are left out and named: their text is never written to disk.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, after_long_help = super::args::after_help(EXAMPLES))]
pub struct Args {
    /// The snapshot
    #[arg(value_name = "SNAPSHOT")]
    snapshot: String,
    /// As Markdown, the way SiYuan exports it
    #[arg(long, required = true)]
    markdown: bool,
    /// The folder to write into; made if it is not there
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    to: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// Exit code 3 where something could not be written; all else was.
pub fn run(args: &Args, context: &mut Context) -> Result<(), End> {
    let request = Request::new(&args.snapshot);
    let (repo, snapshots) = context.snapshots(request.hint())?;
    let id = request.resolve(&snapshots, &context.zone)?.id;
    let repo = Arc::new(repo);
    let reader = NoteReader::new(Arc::clone(&repo), Vault::default(), context.facts(&repo));
    let shelf = reader.shelf(id)?;
    let (notes, locked) = reader.all(&shelf);
    let sheets = reader.sheets(&shelf);

    let watch = Watch::new(context)?;
    let broken = |error: &io::Error| {
        let sentence = format!("cannot write into {}: {error}", args.to.display());
        failure("unwritable", FAILED, sentence)
    };
    std::fs::create_dir_all(&args.to).map_err(|e| broken(&e))?;
    let root = Dir::open(&args.to).map_err(|e| broken(&e))?;

    // Attachments as they are: what restores files writes them. Those of encrypted notebooks are of no use
    // to anybody.
    let attachments = reader.asset_folders(&shelf);
    let wanted: Vec<Wanted> =
        attachments.iter().map(|path| Wanted { snapshot: id, scope: Scope::new(path) }).collect();
    let mut problems = 0;
    let mut assets = 0;
    if !wanted.is_empty() {
        let plan = restore::plan(&repo, &wanted, &args.to, Options::default(), &watch)?;
        let report = plan.carry_out(&watch)?;
        problems += report.problems.len();
        assets = report.created;
    }

    watch.begin("exported", Some((notes.len() + sheets.len()) as u64), Unit::Items);
    let mut written = [0, 0];
    let mut folders: BTreeMap<&str, &str> = BTreeMap::new();
    let of_kinds = notes.iter().map(|note| (note, 0)).chain(sheets.iter().map(|sheet| (sheet, 1)));
    for (shown, kind) in of_kinds {
        if watch.stopped() {
            watch.clear();
            return Err(Watch::interrupted().into());
        }
        let result = reader.markdown(shown.note, &shelf).map_err(|e| e.message).and_then(|text| {
            put(&root, shown, &text, reader.updated(shown.note)).map_err(|e| match e.kind() {
                io::ErrorKind::AlreadyExists => "something has its name already, and stays".into(),
                _ => e.to_string(),
            })
        });
        match result {
            Ok(()) => written[kind] += 1,
            Err(why) => {
                watch.problem(&format!("{}: {why}", shown.path));
                problems += 1;
            }
        }
        if kind == 0 {
            folders.insert(paths::split(&shown.path).0, &shown.notebook);
        }
        watch.advance(1);
    }
    for (folder, notebook) in folders {
        if let Err(e) = attach(&root, folder, &reader.attached(&shelf, notebook)) {
            watch.problem(&format!("{folder}/assets: {e}"));
            problems += 1;
        }
    }
    root.sync().map_err(|e| broken(&e))?;
    watch.clear();
    for name in &locked {
        ::log::warn!("the notebook \"{name}\" was left out: its text is never written to disk");
    }
    if context.global.json {
        context.out.json(&json!({"summary": {"notes": written[0], "databases": written[1],
            "attachments": assets, "problems": problems, "locked": locked}}))?;
    } else if !context.global.quiet {
        let mut parts = vec![text::count(written[0], "note")];
        if written[1] > 0 {
            parts.push(text::count(written[1], "database"));
        }
        let assets = text::count(usize::try_from(assets).unwrap_or(usize::MAX), "attachment");
        let line = format!("{} and {assets} written to {}", parts.join(", "), args.to.display());
        context.out.line(&line)?;
    }
    context.done(problems)
}

/// Makes `assets` in a folder of notes what a mount shows there. What is there already stays.
fn attach(root: &Dir, folder: &str, attached: &Attached) -> io::Result<()> {
    let link = |dir: &Dir, target: &str, name: &str| match dir.link(target, name) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    };
    let depth = folder.split('/').count();
    match attached {
        Attached::Nowhere => Ok(()),
        Attached::Folder(path) => {
            link(&root.sub(folder)?, &format!("{}{path}", "../".repeat(depth)), ASSETS)
        }
        Attached::Merged(_) if depth > 1 => {
            link(&root.sub(folder)?, &format!("{}{ASSETS}", "../".repeat(depth - 1)), ASSETS)
        }
        Attached::Merged(all) => {
            let dir = root.make(&format!("{folder}/{ASSETS}"))?;
            all.iter().try_for_each(|it| link(&dir, &format!("../../{}", it.path), &it.name))
        }
    }
}

/// Writes a file under a temporary name, and gives it its own.
fn put(root: &Dir, shown: &Shown, text: &[u8], updated: i64) -> io::Result<()> {
    let (folder, name) = paths::split(&shown.path);
    let dir = root.make(folder)?;
    let temporary = format!(".revu-{}-{}.tmp", std::process::id(), shown.note.0);
    let mut file = dir.create(&temporary)?;
    let done = file
        .write_all(text)
        .and_then(|()| disk::set_updated(&file, updated))
        .and_then(|()| file.sync_all())
        .and_then(|()| dir.rename(&temporary, name, false));
    if done.is_err() {
        // It has no name that anybody would miss.
        let _ = dir.remove(&temporary);
    }
    done
}
