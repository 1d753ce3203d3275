//! `revu ls`: what is in a snapshot.

use jiff::tz::TimeZone;
use serde::Serialize;

use crate::format::FileId;
use crate::repo::File;
use crate::ui::table::{Column, Table};
use crate::ui::{Look, Out, OutError, Style, size, text, time};
use crate::vfs::tree::{Child, Dir};

use super::context::Context;
use super::error::End;
use super::snapshot_tree::SnapshotTree;
use super::target::Request;

const EXAMPLES: &str = "\
Examples:
  revu ls latest
  revu ls v1:/assets -l
  revu ls 2024-05-01 -R | grep plan
  revu ls -l /run/user/1000/revu/SiYuan/latest/assets";

/// List what is in a snapshot, or in a folder of it
///
/// A line for each name; names of folders end in `/`. Control characters in names are escaped on a
/// terminal and left as they are in a pipe.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, after_long_help = super::args::after_help(EXAMPLES))]
pub struct Args {
    /// Snapshot, or a file or folder in it, or a path in a mount
    #[arg(value_name = "SNAPSHOT[:PATH]")]
    target: String,
    /// With sizes and times; a folder has the time of the newest file in it
    #[arg(short, long)]
    long: bool,
    /// Everything in all folders below, each with its whole path
    #[arg(short = 'R', long)]
    recursive: bool,
}

/// A line of the listing.
#[derive(Debug, Serialize)]
struct Line<'a> {
    path: &'a str,
    r#type: &'static str,
    /// Bytes; `None` for folders.
    size: Option<u64>,
    updated: Option<i64>,
    mtime: Option<String>,
    id: Option<FileId>,
    chunks: Option<usize>,
    /// What is wrong with its record.
    #[serde(skip_serializing_if = "Option::is_none")]
    damage: Option<&'static str>,
}

/// Runs the command.
///
/// # Errors
/// Exit code 3 where records of the snapshot's files are damaged: any folder may lack them.
pub fn run(args: &Args, context: &mut Context) -> Result<(), End> {
    let request = Request::new(&args.target);
    let (repo, snapshots) = context.snapshots(request.hint())?;
    let target = request.resolve(&snapshots, &context.zone)?;
    let tree = SnapshotTree::load(&repo, target.id)?;
    // A snapshot alone is its root.
    let path = target.path.unwrap_or_default();
    let found = tree.find(&repo, &path)?;
    let mut lister = Lister {
        json: context.global.json,
        long: args.long,
        recursive: args.recursive,
        look: context.out.look(),
        zone: &context.zone,
        out: &mut context.out,
        table: Table::new([
            Column::number(""),
            Column::text("").styled(Style::Dim),
            Column::text(""),
        ]),
    };
    repo.catalog().with_files(|files| match &found {
        Child::Dir(dir, _) => lister.folder(dir, &path, files),
        Child::File(no) => lister.file(&files[no.0 as usize], &path, &path),
    })?;
    let Lister { table, .. } = lister;
    table.write(&mut context.out)?;
    context.done(tree.lost)
}

struct Lister<'a> {
    json: bool,
    long: bool,
    recursive: bool,
    look: Look,
    zone: &'a TimeZone,
    out: &'a mut Out,
    /// Written at the end; stays empty but for `-l`.
    table: Table,
}

impl Lister<'_> {
    /// `path` is without a slash before it, empty for the root.
    fn folder(&mut self, dir: &Dir, path: &str, files: &[File]) -> Result<(), OutError> {
        for nth in 0..dir.len() {
            let name = dir.name(nth, files);
            let below = if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
            match dir.child(nth).expect("within the folder's length") {
                Child::File(no) => self.file(&files[no.0 as usize], &below, name)?,
                Child::Dir(inner, _) => {
                    let line = Line {
                        path: &format!("/{below}"),
                        r#type: "dir",
                        size: None,
                        updated: Some(inner.newest()),
                        mtime: time::rfc3339(inner.newest()),
                        id: None,
                        chunks: None,
                        damage: None,
                    };
                    self.line(&line, name)?;
                    if self.recursive {
                        self.folder(&inner, &below, files)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn file(&mut self, file: &File, path: &str, name: &str) -> Result<(), OutError> {
        let path = format!("/{path}");
        let line = match file {
            File::Known(entry) => Line {
                path: &path,
                r#type: "file",
                size: Some(entry.size),
                updated: Some(entry.updated),
                mtime: time::rfc3339(entry.updated),
                id: Some(entry.id),
                chunks: Some(entry.content.chunks().len()),
                damage: None,
            },
            File::Bad(error) => Line {
                path: &path,
                r#type: "file",
                size: None,
                updated: None,
                mtime: None,
                id: Some(FileId(error.id)),
                chunks: None,
                damage: Some(error.word()),
            },
        };
        self.line(&line, name)
    }

    fn line(&mut self, line: &Line<'_>, name: &str) -> Result<(), OutError> {
        if self.json {
            return self.out.json(line);
        }
        let is_dir = line.r#type == "dir";
        let name = if self.recursive { line.path } else { name };
        // In a pipe a name is data, on a terminal it must not be a command.
        let name = if self.look.terminal { text::visible(name) } else { name.into() };
        let style = match line.damage {
            Some(_) => Style::Bad,
            None if is_dir => Style::Folder,
            None => Style::Plain,
        };
        let name = self.look.paint(style, &name) + if is_dir { "/" } else { "" };
        if !self.long {
            return self.out.line(&name);
        }
        let size = match line.size {
            Some(size) if self.look.terminal => size::human(size),
            Some(size) => size.to_string(),
            None if is_dir => "-".to_owned(),
            None => "?".to_owned(),
        };
        let time = line.updated.map_or_else(|| "?".to_owned(), |ms| time::local(ms, self.zone));
        self.table.row([size, time, name]);
        Ok(())
    }
}
