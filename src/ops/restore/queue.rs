//! Who does what next. Chunks of large files keep the processors busy, small files the disk and the system: both
//! are done side by side.

use std::ops::Range;

use crate::ops::paths;

use super::Action;
use super::plan::Planned;

/// Threads for each core that open chunks of large files, as long as there are small files for the others.
const FOR_EACH_CORE: usize = 2;

/// Small files that a thread takes at a time.
const TOGETHER: usize = 16;

/// A piece of work; files are named by their places in the plan.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// A chunk of a large file.
    Chunk { nth: usize, chunk: usize },
    /// Small files of one folder: threads that make files in the same folder wait for each other.
    Files(Range<usize>),
}

/// What is still to be done.
#[derive(Debug)]
pub(super) struct Queue {
    /// The next chunk of a large file; the number of files where there is none.
    large: (usize, usize),
    /// Threads that have one.
    at_large: usize,
    most_at_large: usize,
    /// The next of the others.
    small: usize,
}

/// Whether its content is written.
pub(super) fn is_written(file: &Planned) -> bool {
    matches!(file.step.action, Action::Create | Action::Replace)
}

/// Whether it is written in several chunks.
pub(super) fn is_large(file: &Planned) -> bool {
    is_written(file) && file.entry.content.chunks().len() > 1
}

impl Queue {
    pub fn new(files: &[Planned]) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let (large, small) = (next_large(files, 0), next_small(files, 0));
        Self { large: (large, 0), at_large: 0, most_at_large: cores * FOR_EACH_CORE, small }
    }

    /// The next piece; `None` when there is none. [`Self::chunk_is_done`] is owed for a chunk.
    pub fn take(&mut self, files: &[Planned]) -> Option<Work> {
        let is_large_due = self.large.0 < files.len();
        if is_large_due && (self.at_large < self.most_at_large || self.small == files.len()) {
            let (nth, chunk) = self.large;
            let is_last = chunk + 1 == files[nth].entry.content.chunks().len();
            self.large = if is_last { (next_large(files, nth + 1), 0) } else { (nth, chunk + 1) };
            self.at_large += 1;
            return Some(Work::Chunk { nth, chunk });
        }
        let begin = self.small;
        let first = files.get(begin)?;
        let folder = paths::split(&first.step.path).0;
        let of_it = |file: &&Planned| !is_large(file) && paths::split(&file.step.path).0 == folder;
        let end = begin + files[begin..].iter().take(TOGETHER).take_while(of_it).count();
        self.small = next_small(files, end);
        Some(Work::Files(begin..end))
    }

    /// A thread is done with a chunk of a large file.
    pub fn chunk_is_done(&mut self) {
        self.at_large -= 1;
    }
}

fn next_large(files: &[Planned], from: usize) -> usize {
    from + files[from..].iter().take_while(|file| !is_large(file)).count()
}

fn next_small(files: &[Planned], from: usize) -> usize {
    from + files[from..].iter().take_while(|file| is_large(file)).count()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::format::{ChunkId, FileRecord};
    use crate::ops::restore::Step;
    use crate::repo::FileEntry;

    /// Files of so many chunks each, in the folders that their names say; one of none stays as it is.
    fn plan(files: &[(&str, usize)]) -> Vec<Planned> {
        let planned = files.iter().map(|(path, chunks)| {
            let action = if *chunks == 0 { Action::Keep } else { Action::Create };
            let record = FileRecord::new(path.to_string(), 0, 0, vec![ChunkId::EMPTY; *chunks]);
            let step = Step { action, path: path.to_string(), size: 0, updated: 0 };
            Planned { step, entry: Arc::new(FileEntry::of_record(record)), mode: None }
        });
        planned.collect()
    }

    /// All pieces in the order in which one thread would take them.
    fn all(files: &[Planned], mut queue: Queue) -> Vec<Work> {
        std::iter::from_fn(|| {
            let work = queue.take(files)?;
            if matches!(work, Work::Chunk { .. }) {
                queue.chunk_is_done();
            }
            Some(work)
        })
        .collect()
    }

    #[test]
    fn each_file_and_chunk_is_taken_once() {
        let many: Vec<String> = (0..40).map(|n| format!("many/{n:02}")).collect();
        let mut files = vec![("a/1", 1), ("a/2", 3), ("a/3", 0), ("b/1", 1), ("c", 2)];
        files.extend(many.iter().map(|path| (&**path, 1)));
        let files = plan(&files);
        for most_at_large in [0, 1, 100] {
            let taken = all(&files, Queue { most_at_large, ..Queue::new(&files) });
            let mut pieces: Vec<(usize, usize)> = taken
                .iter()
                .flat_map(|work| match work {
                    Work::Chunk { nth, chunk } => vec![(*nth, *chunk)],
                    Work::Files(files) => files.clone().map(|nth| (nth, 0)).collect(),
                })
                .collect();
            pieces.sort_unstable();
            let whole = |nth: usize| (0..[3, 2][usize::from(nth == 4)]).map(move |c| (nth, c));
            let expected: Vec<(usize, usize)> = (0..files.len())
                .flat_map(|nth| match nth {
                    1 | 4 => whole(nth).collect(),
                    _ => vec![(nth, 0)],
                })
                .collect();
            assert_eq!(pieces, expected);
            let longest = taken.iter().filter_map(|work| match work {
                Work::Files(files) => Some(files.len()),
                Work::Chunk { .. } => None,
            });
            assert_eq!(longest.max(), Some(TOGETHER));
        }
    }

    #[test]
    fn large_files_leave_threads_for_small_ones() {
        let files = plan(&[("a", 9), ("b", 1), ("d/c", 1)]);
        let mut queue = Queue { most_at_large: 2, ..Queue::new(&files) };
        let mut take = || queue.take(&files).unwrap();
        assert_eq!(take(), Work::Chunk { nth: 0, chunk: 0 });
        assert_eq!(take(), Work::Chunk { nth: 0, chunk: 1 });
        assert_eq!(take(), Work::Files(1..2));
        assert_eq!(take(), Work::Files(2..3));
        assert_eq!(take(), Work::Chunk { nth: 0, chunk: 2 });
        assert_eq!(take(), Work::Chunk { nth: 0, chunk: 3 });
    }
}
