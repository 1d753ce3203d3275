//! The files of the new snapshot, one line each, from what the walk has found to what is recorded.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::SystemTime;

use crate::format::index::walk_order;
use crate::format::{ChunkId, FileId, FileRecord, IndexId};
use crate::ops::Monitor;
use crate::repo::{FileEntry, ObjectError, Objects, parallel};

use super::base::{BaseFile, BaseFiles};
use super::chunks::WORTH_A_LOOK;
use super::pool::{Job, Outcome};
use super::read::Unread;
use super::records::{New, Places};
use super::root::Seen;
use super::state::{self, State, is_settled};
use super::summary::{Counts, FileProblem, ProblemKind};
use super::walk::Walked;

/// See the module.
pub(super) struct Lines<'a> {
    lines: Vec<Line<'a>>,
    base: BaseFiles,
    /// What could not be read.
    pub problems: Vec<FileProblem>,
}

struct Line<'a> {
    path: Cow<'a, str>,
    fate: Fate,
}

/// What becomes of a file.
enum Fate {
    /// Its record in the base is that of the new snapshot too.
    Kept(Kept),
    /// It has to be read.
    Pending(u64),
    /// It has a record of its own.
    Recorded {
        record: FileRecord,
        /// The state in which it had this content, if every later change shows in that.
        seen: Option<Seen>,
        /// Whether the record's object has to be written.
        is_new: bool,
    },
    /// It is not in the snapshot.
    Missing,
}

struct Kept {
    id: FileId,
    size: u64,
    seen: Option<Seen>,
    entry: Option<Arc<FileEntry>>,
}

impl Kept {
    fn new(file: &BaseFile, seen: Option<Seen>) -> Self {
        Self { id: file.id, size: file.size, seen, entry: file.entry.clone() }
    }
}

impl<'a> Lines<'a> {
    /// Tells what has to be read. `now` is a moment before the walk.
    pub fn compare(walked: &'a Walked, mut base: BaseFiles, now: SystemTime) -> Self {
        let mut lines = Vec::with_capacity(walked.files.len());
        for found in &walked.files {
            base.meet(&found.path);
            let fate = match base.get(&found.path) {
                Some(file) if base.is_unchanged(file, found) => {
                    let settled = file.seen == Some(found.seen) || is_settled(&found.seen, now);
                    Fate::Kept(Kept::new(file, settled.then_some(found.seen)))
                }
                _ => Fate::Pending(found.seen.size),
            };
            lines.push(Line { path: Cow::Borrowed(found.path.as_str()), fate });
        }
        let mut all = Self { lines, base, problems: Vec::new() };
        all.keep_unlooked_at(&walked.problems);
        all
    }

    /// What the walk could not look at stays as the base has it.
    fn keep_unlooked_at(&mut self, problems: &[FileProblem]) {
        let before = self.lines.len();
        for problem in problems {
            let mut paths = self.base.meet_below(&problem.path);
            if self.base.meet(&problem.path).is_some() {
                paths.push(problem.path.clone());
            }
            self.problems
                .push(FileProblem { kept_as_before: !paths.is_empty(), ..problem.clone() });
            for path in paths {
                let file = self.base.get(&path).expect("it was just met");
                let fate = Fate::Kept(Kept::new(file, None));
                self.lines.push(Line { path: Cow::Owned(path), fate });
            }
        }
        if self.lines.len() > before {
            self.lines.sort_by(|a, b| walk_order(&a.path, &b.path));
        }
    }

    /// Whether the snapshot would be what the base is.
    pub fn is_as_base(&self) -> bool {
        let is_as_base = |line: &Line<'_>| matches!(line.fate, Fate::Kept(_) | Fate::Missing);
        self.lines.iter().all(is_as_base) && self.base.gone() == 0
    }

    /// The files to be read and the numbers of their lines.
    pub fn jobs(&self) -> (Vec<usize>, Vec<Job<'_>>) {
        let pending = self.lines.iter().enumerate().filter_map(|(no, line)| match line.fate {
            Fate::Pending(size) => Some((no, Job { path: &line.path, size })),
            _ => None,
        });
        pending.unzip()
    }

    /// The chunks that the base has of the files to be read.
    pub fn trusted_chunks(&self, objects: &Objects) -> HashSet<ChunkId> {
        let large = self.lines.iter().filter_map(|line| match line.fate {
            Fate::Pending(size) if size > WORTH_A_LOOK as u64 => self.base.get(&line.path),
            _ => None,
        });
        let large: Vec<_> = large.collect();
        let chunks = parallel::map(&large, |file| match &file.entry {
            Some(entry) => entry.content.chunks().to_vec(),
            // Damaged: nothing of it is trusted then.
            None => objects.record(file.id).map(|record| record.chunks).unwrap_or_else(|_| vec![]),
        });
        chunks.into_iter().flatten().collect()
    }

    /// Takes in what was read of the lines of these numbers. `misfits` are chunks that the
    /// repository cannot hold. What has to be recorded goes with its line's number.
    pub fn take_in(
        &mut self,
        numbers: Vec<usize>,
        outcomes: Vec<Outcome>,
        misfits: &HashSet<ChunkId>,
    ) -> Vec<(usize, New)> {
        let mut all_new = Vec::new();
        for (no, outcome) in numbers.into_iter().zip(outcomes) {
            let is_misfit = |id| misfits.contains(id);
            match outcome {
                Ok(content) if content.chunks.iter().any(is_misfit) => {
                    let reason = "what it holds is the name of an object in the repository";
                    self.lose(no, ProblemKind::Unholdable, reason.into());
                }
                Ok(content) => {
                    let Line { path, fate } = &mut self.lines[no];
                    let seen = content.seen;
                    let record = FileRecord::new(
                        path.to_string(),
                        i64::try_from(seen.size).expect("no file has 2^63 bytes"),
                        seen.updated(),
                        content.chunks,
                    );
                    let known = self.base.get(path);
                    let may_mend = known.is_some_and(|f| f.id == record.id && f.seen == Some(seen));
                    // Its place is not known yet; the state is.
                    *fate = Fate::Pending(seen.size);
                    let seen = content.settled.then_some(seen);
                    all_new.push((no, New { record, seen, may_mend }));
                }
                Err(Unread { kind, reason }) => self.lose(no, kind, reason),
            }
        }
        all_new
    }

    /// Finds the IDs of what was read.
    ///
    /// # Errors
    /// As [`Places::find`].
    pub fn place(
        &mut self,
        new: Vec<(usize, New)>,
        mut places: Places<'_>,
        monitor: &dyn Monitor,
    ) -> Result<(), ObjectError> {
        let (numbers, new): (Vec<_>, Vec<_>) = new.into_iter().unzip();
        let placed = places.find(new, monitor)?;
        for (no, placed) in numbers.into_iter().zip(placed) {
            let Some(placed) = placed else {
                self.lose(no, ProblemKind::NoTime, "no second is left for its time".into());
                continue;
            };
            let Line { path, fate } = &mut self.lines[no];
            *fate = match self.base.get(path) {
                Some(file) if file.id == placed.record.id && !placed.is_new => {
                    Fate::Kept(Kept::new(file, placed.seen))
                }
                _ => Fate::Recorded {
                    record: placed.record,
                    seen: placed.seen,
                    is_new: placed.is_new,
                },
            };
        }
        Ok(())
    }

    /// A file that is not recorded. One that is there all the same stays as the base has it.
    fn lose(&mut self, no: usize, kind: ProblemKind, reason: String) {
        let Line { path, fate } = &mut self.lines[no];
        let before = self.base.get(path).filter(|_| kind != ProblemKind::Vanished);
        let kept_as_before = before.is_some();
        *fate = match before {
            Some(file) => Fate::Kept(Kept::new(file, None)),
            None => Fate::Missing,
        };
        if kind == ProblemKind::Vanished {
            self.base.miss(path);
        }
        self.problems.push(FileProblem { path: path.to_string(), kind, reason, kept_as_before });
    }

    /// The IDs of the lines that stay as they are.
    pub fn kept_ids(&self) -> impl Iterator<Item = FileId> {
        self.lines.iter().filter_map(|line| match &line.fate {
            Fate::Kept(kept) => Some(kept.id),
            _ => None,
        })
    }

    /// The records whose objects have to be written.
    pub fn new_records(&self) -> Vec<&FileRecord> {
        let new = self.lines.iter().filter_map(|line| match &line.fate {
            Fate::Recorded { record, is_new: true, .. } => Some(record),
            _ => None,
        });
        new.collect()
    }

    /// IDs and sizes of the snapshot's files in its order.
    pub fn files(&self) -> impl Iterator<Item = (FileId, u64)> {
        self.lines.iter().filter_map(|line| match &line.fate {
            Fate::Kept(kept) => Some((kept.id, kept.size)),
            Fate::Recorded { record, .. } => Some((record.id, record.size as u64)),
            Fate::Pending(_) | Fate::Missing => None,
        })
    }

    /// How the snapshot differs from the base.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts { removed: self.base.gone(), ..Counts::default() };
        for (_, size) in self.files() {
            counts.files += 1;
            counts.size += size;
        }
        for line in &self.lines {
            match &line.fate {
                Fate::Kept(_) => counts.unchanged += 1,
                Fate::Recorded { record, .. } => match self.base.get(&line.path) {
                    // Its damaged record was mended.
                    Some(file) if file.id == record.id => counts.unchanged += 1,
                    Some(_) => counts.changed += 1,
                    None => counts.added += 1,
                },
                Fate::Pending(_) | Fate::Missing => {}
            }
        }
        counts
    }

    /// The local state after this snapshot.
    pub fn state(&self, index: IndexId) -> State {
        let entries = self.lines.iter().filter_map(|line| {
            let (id, size, seen) = match &line.fate {
                Fate::Kept(kept) => (kept.id, kept.size, kept.seen),
                Fate::Recorded { record, seen, .. } => (record.id, record.size as u64, *seen),
                Fate::Pending(_) | Fate::Missing => return None,
            };
            Some(state::Entry { path: line.path.to_string(), id, size, seen })
        });
        State { index, entries: entries.collect() }
    }

    /// All records in the snapshot's order; `None` where one is not known.
    pub fn into_records(self) -> Option<Vec<FileRecord>> {
        let records = self.lines.into_iter().filter_map(|line| match line.fate {
            Fate::Kept(kept) => Some(kept.entry.map(|entry| entry.to_record())),
            Fate::Recorded { record, .. } => Some(Some(record)),
            Fate::Pending(_) | Fate::Missing => None,
        });
        records.collect()
    }
}
