//! Files get their names: many at a time, after one wait for the disk.

use std::io;
use std::sync::atomic::Ordering;

use crate::ops::disk::Dir;
use crate::ops::paths;
use crate::ops::restore::Action;
use crate::repo::parallel;

use super::{End, Open, Writer, discard, is_full};

/// Files that share one wait for the disk, at the most. Measured on 158,000 small files: a `syncfs`
/// for each 16,384 costs little beside the writing itself.
const GROUP_FILES: usize = 16_384;
/// Bytes that share one wait, at the least if there are so many: so that a full disk or a crash
/// does not cost the work of hours.
const GROUP_BYTES: u64 = 1 << 30;

/// A file that has all its bytes and not its name.
struct Staged {
    folder: String,
    temporary: String,
    nth: usize,
}

/// Files that wait for the disk together.
#[derive(Default)]
pub(super) struct Group {
    staged: Vec<Staged>,
    bytes: u64,
}

impl Writer<'_> {
    /// Takes a complete file into the group, and ends the group if it is large enough.
    pub(super) fn stage(&self, nth: usize, open: Open) {
        let (folder, _) = paths::split(&self.plan.files[nth].step.path);
        let staged = Staged { folder: folder.to_owned(), temporary: open.name, nth };
        let mut group = self.group.lock();
        group.staged.push(staged);
        group.bytes += open.written;
        let is_full = group.staged.len() >= GROUP_FILES || group.bytes >= GROUP_BYTES;
        drop(group);
        if is_full {
            self.commit();
        }
    }

    /// Makes the group durable and gives its files their names.
    pub(super) fn commit(&self) {
        let _one = self.committing.lock();
        let group = std::mem::take(&mut *self.group.lock());
        if group.staged.is_empty() {
            return;
        }
        if !self.ended.load(Ordering::Relaxed)
            && let Err(e) = self.plan.target.root().and_then(Dir::sync)
        {
            self.end_with(if is_full(&e) { End::Full } else { End::Failed(e) });
        }
        parallel::map(&group.staged, |staged| match self.plan.target.dir(&staged.folder) {
            Ok(dir) if self.ended.load(Ordering::Relaxed) => discard(&dir, &staged.temporary),
            Ok(dir) => self.publish(&dir, staged),
            Err(e) => self.failed(staged.nth, e.into()),
        });
    }

    fn publish(&self, dir: &Dir, staged: &Staged) {
        let file = &self.plan.files[staged.nth];
        let (_, name) = paths::split(&file.step.path);
        let replace = file.step.action == Action::Replace;
        match dir.rename(&staged.temporary, name, replace) {
            Ok(()) => {
                let mut done = self.done.lock();
                done.report.count(&file.step);
                done.files += 1;
            }
            Err(e) => {
                discard(dir, &staged.temporary);
                if e.kind() == io::ErrorKind::AlreadyExists {
                    self.problem(file, "something with its name has come meanwhile, and stays");
                } else {
                    self.failed(staged.nth, e.into());
                }
            }
        }
    }
}
