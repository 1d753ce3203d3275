//! `revu cat`: files as they were.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use crate::format::IndexId;
use crate::repo::{FileNo, ReadError, Repository, Snapshots};
use crate::vfs::notes::Shelf;
use crate::vfs::tree::Child;

use super::context::Context;
use super::error::{DAMAGED, End, FAILED, Failure, failure, usage};
use super::note_shelf::NoteReader;
use super::notebooks::Unlock;
use super::snapshot_tree::SnapshotTree;
use super::target::Request;

const EXAMPLES: &str = "\
Examples:
  revu cat v1:/assets/plan.txt
  revu cat 2024-05-01:/assets/a.png > a.png
  revu cat latest~1:/a.txt latest:/a.txt
  revu cat --markdown 'v1:/Garden/Tomatoes'";

/// Print files as they were in a snapshot
///
/// A file that is damaged is named, and those after it are printed all the same.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, after_long_help = super::args::after_help(EXAMPLES))]
pub struct Args {
    /// Files in snapshots, or paths in a mount
    #[arg(value_name = "SNAPSHOT:PATH", required = true)]
    targets: Vec<String>,
    /// Print notes of SiYuan as Markdown; PATH may be the note's name in a mount's `notes/`
    #[arg(long)]
    markdown: bool,
    #[command(flatten)]
    unlock: Unlock,
}

/// How much is read at once, bytes. Several pieces make a chunk, which stays in the cache meanwhile.
const PIECE: usize = 1 << 20;

/// Runs the command.
///
/// # Errors
/// Exit code 1 where a file is not there, 3 where one is damaged; the others have been printed.
pub fn run(args: &Args, context: &mut Context) -> Result<(), End> {
    let requests: Vec<Request> = args.targets.iter().map(|text| Request::new(text)).collect();
    let (repo, snapshots) = context.snapshots(requests.iter().find_map(Request::hint))?;
    let repo = Arc::new(repo);
    let notes = match args.markdown {
        true => {
            let vault = args.unlock.password(context)?.vault(&repo)?;
            Some(NoteReader::new(Arc::clone(&repo), vault, context.facts(&repo)))
        }
        false => None,
    };
    let mut printer = Printer {
        repo: &repo,
        snapshots: &snapshots,
        trees: HashMap::new(),
        notes: notes.as_ref(),
        shelves: HashMap::new(),
    };
    let mut worst = None;
    for (request, text) in requests.iter().zip(&args.targets) {
        match printer.print(request, text, context) {
            Ok(()) => {}
            Err(End::Failed(failure)) => {
                context.out.flush()?;
                context.tell(&failure);
                // A file that is not there is worse than one that is there in part.
                worst = match (worst, failure.exit) {
                    (Some(FAILED), _) => Some(FAILED),
                    (_, exit) => Some(exit),
                };
            }
            Err(end) => return Err(end),
        }
    }
    worst.map_or(Ok(()), |exit| Err(End::Told(exit)))
}

struct Printer<'a> {
    repo: &'a Repository,
    snapshots: &'a Snapshots,
    trees: HashMap<IndexId, SnapshotTree>,
    /// Where notes are printed as Markdown.
    notes: Option<&'a NoteReader>,
    shelves: HashMap<IndexId, Shelf>,
}

impl Printer<'_> {
    fn print(&mut self, request: &Request, text: &str, context: &mut Context) -> Result<(), End> {
        let target = request.resolve(self.snapshots, &context.zone)?;
        let Some(path) = target.path else {
            return Err(usage(format!("{text} names no file: write {text}:/PATH")).into());
        };
        if let Some(notes) = self.notes {
            let shelf = match self.shelves.entry(target.id) {
                Entry::Occupied(shelf) => shelf.into_mut(),
                Entry::Vacant(free) => free.insert(notes.shelf(target.id)?),
            };
            let note = notes.find(shelf, &path)?.note;
            return Ok(context.out.bytes(&notes.markdown(note, shelf)?)?);
        }
        let tree = match self.trees.entry(target.id) {
            Entry::Occupied(tree) => tree.into_mut(),
            Entry::Vacant(free) => free.insert(SnapshotTree::load(self.repo, target.id)?),
        };
        match tree.find(self.repo, &path)? {
            Child::File(no) => self.file(no, text, context),
            Child::Dir(..) => {
                let sentence = format!("{text} is a folder: `revu ls {text}` lists it");
                Err(failure("is_a_folder", FAILED, sentence).into())
            }
        }
    }

    fn file(&self, no: FileNo, text: &str, context: &mut Context) -> Result<(), End> {
        let mut offset = 0;
        loop {
            let piece = match self.repo.read(no, offset, PIECE) {
                Ok(piece) => piece,
                // What was known of it has been corrected before the first byte was read.
                Err(ReadError::Corrected { .. }) if offset == 0 => {
                    self.repo.read(no, offset, PIECE).map_err(|e| damaged(text, offset, &e))?
                }
                Err(error) => return Err(damaged(text, offset, &error).into()),
            };
            if piece.is_empty() {
                return Ok(());
            }
            context.out.bytes(&piece)?;
            offset += piece.len() as u64;
        }
    }
}

/// The object has been named, once, where it was met: here is what it costs.
fn damaged(text: &str, printed: u64, error: &ReadError) -> Failure {
    let sentence = format!("{text} is damaged: {printed} bytes of it were printed");
    let mut failure = failure("damaged", DAMAGED, sentence);
    failure.causes.push(error.to_string());
    failure
}
