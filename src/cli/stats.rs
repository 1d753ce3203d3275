//! `revu stats`: how much there is.

use std::collections::HashSet;

use serde::Serialize;

use crate::format::{FileId, layout};
use crate::repo::{Repository, Snapshots, parallel};
use crate::store::StoreError;
use crate::ui::{size, time};

use super::context::Context;
use super::error::End;

const EXAMPLES: &str = "\
Examples:
  revu stats
  revu stats --json | jq .bytes";

/// Count snapshots, files and bytes
///
/// Files are counted by their records: a file is counted once for each of its states. The size of all
/// snapshots is what they would take as plain copies.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, after_long_help = super::args::after_help(EXAMPLES))]
pub struct Args {}

#[derive(Debug, Serialize)]
struct Stats {
    repository: String,
    snapshots: usize,
    tags: usize,
    /// When the oldest and the newest were made.
    oldest: Option<String>,
    newest: Option<String>,
    /// Distinct File records that the snapshots name.
    files: usize,
    /// File records and chunks on disk.
    objects: u64,
    /// What objects and indexes take on disk.
    bytes: u64,
    latest_files: Option<u64>,
    /// Plain bytes of the newest snapshot.
    latest_size: Option<u64>,
    /// Plain bytes of all snapshots together; `None` where an old one does not say.
    total_size: Option<u64>,
    /// `total_size` over `bytes`.
    ratio: Option<f64>,
}

/// Runs the command.
///
/// # Errors
/// Exit code 3 where a snapshot or tag is damaged, or something cannot be measured.
pub fn run(_: &Args, context: &mut Context) -> Result<(), End> {
    let (repo, snapshots) = context.snapshots(None)?;
    let contents = read_indexes(context, &repo, &snapshots);
    let disk = measure(context, &repo)?;
    let stats = Stats {
        repository: repo.store().place(),
        snapshots: snapshots.list.len(),
        tags: snapshots.tags.len(),
        oldest: snapshots.list.first().and_then(|s| time::rfc3339(s.head.created)),
        newest: snapshots.list.last().and_then(|s| time::rfc3339(s.head.created)),
        files: contents.files.len(),
        objects: disk.objects,
        bytes: disk.bytes,
        latest_files: contents.latest.map(|(files, _)| files),
        latest_size: contents.latest.and_then(|(_, size)| size),
        total_size: contents.total,
        ratio: contents.total.and_then(|total| ratio(total, disk.bytes)),
    };
    if context.global.json {
        context.out.json(&stats)?;
    } else {
        let human = context.out.look().terminal;
        let ends = [snapshots.list.first(), snapshots.list.last()].into_iter().flatten();
        let ends: Vec<String> =
            ends.map(|snapshot| time::local(snapshot.head.created, &context.zone)).collect();
        for (name, value) in stats.lines(human, &ends) {
            context.out.line(&format!("{name:<22} {value}"))?;
        }
    }
    context.done(snapshots.damaged.len() + contents.damaged + disk.unreadable)
}

impl Stats {
    /// `ends`: when the oldest and the newest snapshot were made.
    fn lines(&self, human: bool, ends: &[String]) -> Vec<(&'static str, String)> {
        let bytes = |n: u64| if human { size::human(n) } else { n.to_string() };
        let unknown = || "?".to_owned();
        let mut lines = vec![
            ("repository", self.repository.clone()),
            ("snapshots", self.snapshots.to_string()),
            ("tags", self.tags.to_string()),
        ];
        lines.extend(["oldest", "newest"].into_iter().zip(ends.iter().cloned()));
        lines.push(("file states", self.files.to_string()));
        lines.push(("objects", self.objects.to_string()));
        lines.push(("bytes on disk", bytes(self.bytes)));
        if let Some(files) = self.latest_files {
            lines.push(("files of the latest", files.to_string()));
            lines.push(("bytes of the latest", self.latest_size.map_or_else(unknown, bytes)));
        }
        lines.push(("bytes of all snapshots", self.total_size.map_or_else(unknown, bytes)));
        lines.extend(self.ratio.map(|ratio| ("plain to disk", format!("{ratio:.1} : 1"))));
        lines
    }
}

fn ratio(plain: u64, disk: u64) -> Option<f64> {
    // Two places say enough, and the same for everybody.
    (disk > 0).then(|| (plain as f64 / disk as f64 * 100.0).round() / 100.0)
}

#[derive(Debug, Default)]
struct Contents {
    files: HashSet<FileId>,
    total: Option<u64>,
    /// Files and plain bytes of the latest snapshot.
    latest: Option<(u64, Option<u64>)>,
    damaged: usize,
}

/// Reads the indexes, a few at a time: the file lists of all of them at once could be more than
/// memory holds.
fn read_indexes(context: &Context, repo: &Repository, snapshots: &Snapshots) -> Contents {
    let progress = context.progress("snapshots", snapshots.list.len());
    let mut contents = Contents { total: Some(0), ..Contents::default() };
    for group in snapshots.list.chunks(parallel::IN_FLIGHT) {
        let indexes = parallel::map(group, |snapshot| {
            progress.step();
            repo.objects().index(snapshot.head.id)
        });
        for index in indexes {
            let index = match index {
                Ok(index) => index,
                Err(error) => {
                    repo.objects().tell(&error, || "its files are not counted".into());
                    contents.damaged += 1;
                    continue;
                }
            };
            let is_old = index.count == 0 && !index.files.is_empty();
            let size = if is_old { None } else { u64::try_from(index.size).ok() };
            contents.total = contents.total.zip(size).and_then(|(a, b)| a.checked_add(b));
            if snapshots.latest == Some(index.id) {
                contents.latest = Some((index.files.len() as u64, size));
            }
            contents.files.extend(index.files);
        }
    }
    contents
}

#[derive(Debug, Default)]
struct Disk {
    objects: u64,
    bytes: u64,
    unreadable: usize,
}

/// What objects and indexes take on disk.
fn measure(context: &Context, repo: &Repository) -> Result<Disk, StoreError> {
    let store = repo.store();
    let folders = store.list(layout::OBJECTS)?.into_iter().filter(|listed| listed.is_folder);
    let mut folders: Vec<String> =
        folders.map(|listed| format!("{}/{}", layout::OBJECTS, listed.name)).collect();
    folders.push(layout::INDEXES.to_owned());
    let progress = context.progress("folders", folders.len());
    let measured = parallel::map(&folders, |folder| {
        let mut disk = Disk::default();
        match store.list(folder) {
            Ok(files) => {
                for file in files.iter().filter(|listed| !listed.is_folder) {
                    let key = format!("{folder}/{}", file.name);
                    let is_object = layout::object_id(&key).is_some();
                    match store.size(&key) {
                        Ok(size) => {
                            disk.bytes += size;
                            disk.objects += u64::from(is_object);
                        }
                        // Purged since it was listed.
                        Err(error) if error.is_missing() => {}
                        Err(error) => {
                            ::log::error!("{error}; it is not counted");
                            disk.unreadable += 1;
                        }
                    }
                }
            }
            Err(error) => {
                ::log::error!("{error}; what is in it is not counted");
                disk.unreadable += 1;
            }
        }
        progress.step();
        disk
    });
    Ok(measured.into_iter().fold(Disk::default(), |a, b| Disk {
        objects: a.objects + b.objects,
        bytes: a.bytes + b.bytes,
        unreadable: a.unreadable + b.unreadable,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios() {
        assert_eq!(ratio(300, 100), Some(3.0));
        assert_eq!(ratio(1, 3), Some(0.33));
        assert_eq!(ratio(1, 0), None);
    }
}
