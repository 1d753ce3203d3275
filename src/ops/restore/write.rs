//! Carrying out a plan: chunks are read, opened and verified on many threads, files are written under
//! temporary names, made durable many at a time, and only then get their names.

mod groups;

use std::fs::File;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use parking_lot::Mutex;

use crate::ops::content::ContentError;
use crate::ops::disk::{self, Dir};
use crate::ops::{Monitor, Unit, paths};
use crate::repo::parallel;
use crate::repo::spare::Spare;
use crate::store::passing;

use super::large::{Large, Output};
use super::plan::{Plan, Planned};
use super::queue::{self, Queue, Work, is_written};
use super::{Action, Problem, Report, RestoreError, Step, remove};

use groups::Group;

/// So many bytes of memory are kept for the next chunks.
const SPARE: usize = 16 << 20;

/// Tells the temporary files of this process from those of others.
static RUN: LazyLock<u32> = LazyLock::new(|| {
    let mut bytes = [0; 4];
    // Without randomness the process's own number tells it apart well enough.
    getrandom::fill(&mut bytes).map_or_else(|_| std::process::id(), |()| u32::from_le_bytes(bytes))
});

impl Plan<'_> {
    /// Does what was planned. What cannot be done is named, in the report and to the monitor, and
    /// all else is done.
    ///
    /// # Errors
    /// [`RestoreError`] where it had to end early; no temporary file is left.
    pub fn carry_out(mut self, monitor: &dyn Monitor) -> Result<Report, RestoreError> {
        let mut report = Report {
            equal: self.equal,
            problems: std::mem::take(&mut self.problems),
            ..Report::default()
        };
        if self.is_empty() {
            self.files.iter().for_each(|file| report.count(&file.step));
            return Ok(report);
        }
        self.target.make()?;
        remove::remove(&self.target, &self.options, &self.obstacles, monitor, &mut report);
        self.obstacles.clear();
        let rules = self.options.rules;
        let last = |step: &Step| rules.come_from(&step.path);
        let files = self.files.extract_if(.., |file| last(&file.step)).collect();
        let extras = self.extras.extract_if(.., |step| last(step)).collect();
        self.write(monitor, &mut report)?;
        (self.files, self.extras) = (files, extras);
        if !self.is_empty() {
            self.write(monitor, &mut report)?;
        }
        Ok(report)
    }

    /// Writes the files and removes what goes.
    fn write(&self, monitor: &dyn Monitor, report: &mut Report) -> Result<(), RestoreError> {
        let writer = Writer::new(self, monitor);
        writer.run();
        writer.finish(report)?;
        remove::remove(&self.target, &self.options, &self.extras, monitor, report);
        if monitor.stopped() {
            return Err(writer.stopped());
        }
        // The names, times and removals of the last group.
        self.target.root().and_then(Dir::sync).map_err(|e| self.target.failed(e))
    }
}

/// A temporary file that is being written.
struct Open {
    dir: Dir,
    name: String,
    file: File,
    written: u64,
}

/// Why a file was not written.
enum Failure {
    Content(ContentError),
    Disk(io::Error),
}

impl From<ContentError> for Failure {
    fn from(e: ContentError) -> Self {
        Self::Content(e)
    }
}

impl From<io::Error> for Failure {
    fn from(e: io::Error) -> Self {
        Self::Disk(e)
    }
}

struct Writer<'a> {
    plan: &'a Plan<'a>,
    monitor: &'a dyn Monitor,
    queue: Mutex<Queue>,
    large: Vec<Option<Box<Large<Open>>>>,
    /// Memory for the next chunks.
    spare: Spare,
    group: Mutex<Group>,
    /// Only one thread waits for the disk; the others go on meanwhile.
    committing: Mutex<()>,
    temporary: AtomicU64,
    ended: AtomicBool,
    end: Mutex<Option<End>>,
    done: Mutex<Done>,
}

/// Why all of it ends early.
enum End {
    Stopped,
    Full,
    Failed(io::Error),
}

#[derive(Default)]
struct Done {
    report: Report,
    files: u64,
}

impl<'a> Writer<'a> {
    fn new(plan: &'a Plan<'a>, monitor: &'a dyn Monitor) -> Self {
        let many = |file: &Planned| queue::is_large(file).then(Box::default);
        Self {
            plan,
            monitor,
            queue: Mutex::new(Queue::new(&plan.files)),
            large: plan.files.iter().map(many).collect(),
            spare: Spare::new(SPARE),
            group: Mutex::default(),
            committing: Mutex::new(()),
            temporary: AtomicU64::new(0),
            ended: AtomicBool::new(false),
            end: Mutex::new(None),
            done: Mutex::default(),
        }
    }

    fn run(&self) {
        let bytes = self.to_write().map(|file| file.step.size).sum();
        self.monitor.begin("restored", Some(bytes), Unit::Bytes);
        std::thread::scope(|scope| {
            for _ in 0..parallel::IN_FLIGHT.min(self.plan.files.len()) {
                scope.spawn(|| {
                    while self.goes_on()
                        && let Some(work) = self.take()
                    {
                        self.work(work);
                    }
                });
            }
        });
        self.commit();
    }

    fn to_write(&self) -> impl Iterator<Item = &Planned> {
        self.plan.files.iter().filter(|file| is_written(file))
    }

    /// The next piece of work; `None` when there is none.
    fn take(&self) -> Option<Work> {
        self.queue.lock().take(&self.plan.files)
    }

    /// Whether nothing has ended all of it.
    fn goes_on(&self) -> bool {
        if self.monitor.stopped() {
            self.end_with(End::Stopped);
        }
        !self.ended.load(Ordering::Relaxed)
    }

    fn work(&self, work: Work) {
        match work {
            Work::Chunk { nth, chunk } => {
                let large = self.large[nth].as_ref().expect("it has several chunks");
                self.large(large, nth, chunk);
                self.queue.lock().chunk_is_done();
            }
            Work::Files(files) => {
                for nth in files.take_while(|_| self.goes_on()) {
                    self.file(nth);
                }
            }
        }
    }

    /// A file that is not written in several chunks.
    fn file(&self, nth: usize) {
        let file = &self.plan.files[nth];
        match file.step.action {
            Action::Create | Action::Replace => {
                if let Err(e) = self.small(nth) {
                    self.failed(nth, e);
                }
            }
            Action::Retime => self.retime(file),
            Action::Keep | Action::Remove => self.done.lock().report.count(&file.step),
        }
    }

    fn retime(&self, file: &Planned) {
        let (folder, name) = paths::split(&file.step.path);
        let dir = self.plan.target.dir(folder);
        match dir.and_then(|dir| dir.set_updated(name, file.step.updated)) {
            Ok(()) => self.done.lock().report.count(&file.step),
            Err(e) => self.problem(file, &format!("its time cannot be set: {e}")),
        }
    }

    /// A file of one chunk.
    fn small(&self, nth: usize) -> Result<(), Failure> {
        let entry = &self.plan.files[nth].entry;
        let plain = self.chunk(nth, 0, self.spare.take())?;
        if plain.len() as u64 != entry.size {
            return Err(ContentError::Disagree { size: entry.size }.into());
        }
        let mut open = self.open(nth)?;
        let written = self.append(nth, &mut open, &plain);
        self.spare.give(plain);
        match written.and_then(|()| self.complete(nth, &open)) {
            Ok(()) => {
                self.stage(nth, open);
                Ok(())
            }
            Err(e) => {
                discard(&open.dir, &open.name);
                Err(e)
            }
        }
    }

    /// One chunk of a file of several.
    fn large(&self, large: &Large<Open>, nth: usize, chunk: usize) {
        if !large.wait_for(chunk) {
            return;
        }
        let plain = self.chunk(nth, chunk, self.spare.take()).map_err(Failure::from);
        let chunks = self.plan.files[nth].entry.content.chunks().len();
        match large.take(chunk, plain, chunks, &Writing { writer: self, nth }) {
            Ok(Some(open)) => self.stage(nth, open),
            Ok(None) => {}
            Err(e) => self.failed(nth, e),
        }
    }

    fn chunk(&self, nth: usize, chunk: usize, memory: Vec<u8>) -> Result<Vec<u8>, ContentError> {
        let id = self.plan.files[nth].entry.content.chunks()[chunk];
        self.plan.repo.objects().chunk_reusing(id, memory).map_err(|e| Arc::new(e).into())
    }

    fn open(&self, nth: usize) -> io::Result<Open> {
        let planned = &self.plan.files[nth];
        let (folder, _) = paths::split(&planned.step.path);
        let dir = self.plan.target.made_dir(folder)?;
        loop {
            let n = self.temporary.fetch_add(1, Ordering::Relaxed);
            let name = disk::temporary_name(*RUN, n);
            match dir.create(&name) {
                Ok(file) => {
                    // At once, so that nobody reads what he could not read before.
                    if let Some(mode) = planned.mode
                        && let Err(e) = disk::set_mode(&file, mode & 0o777)
                    {
                        discard(&dir, &name);
                        return Err(e);
                    }
                    return Ok(Open { dir, name, file, written: 0 });
                }
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(e),
            }
        }
    }

    fn append(&self, nth: usize, open: &mut Open, plain: &[u8]) -> Result<(), Failure> {
        let size = self.plan.files[nth].entry.size;
        if open.written + plain.len() as u64 > size {
            return Err(ContentError::Disagree { size }.into());
        }
        match size >= passing::LARGE {
            true => passing::write_all_at(&open.file, plain, open.written)?,
            false => open.file.write_all(plain)?,
        }
        open.written += plain.len() as u64;
        self.monitor.advance(plain.len() as u64);
        Ok(())
    }

    /// Gives the file its time, and looks whether all of it is there.
    fn complete(&self, nth: usize, open: &Open) -> Result<(), Failure> {
        let entry = &self.plan.files[nth].entry;
        disk::set_updated(&open.file, entry.updated)?;
        let found = disk::look(&open.file)?;
        if open.written != entry.size {
            return Err(ContentError::Disagree { size: entry.size }.into());
        }
        if found.size != entry.size {
            let what = format!("the disk has kept {} of its {} bytes", found.size, entry.size);
            return Err(io::Error::other(what).into());
        }
        // FAT keeps times to two seconds, and that is not worth a word for each file.
        if found.updated().abs_diff(entry.updated) > 2_000 {
            let what = "the file system cannot keep its time".to_owned();
            return Err(io::Error::other(what).into());
        }
        Ok(())
    }

    /// Names a file that was not restored, or ends it all where no file could be.
    fn failed(&self, nth: usize, why: Failure) {
        let file = &self.plan.files[nth];
        match why {
            Failure::Disk(e) if is_full(&e) => self.end_with(End::Full),
            Failure::Disk(e) if is_hopeless(&e) => self.end_with(End::Failed(e)),
            Failure::Disk(e) => self.problem(file, &e.to_string()),
            Failure::Content(e) => self.problem(file, &e.to_string()),
        }
    }

    fn problem(&self, file: &Planned, why: &str) {
        let path = file.step.path.clone();
        let sentence = format!("{}: it is not restored: {why}", self.plan.target.show(&path));
        self.monitor.problem(&sentence);
        self.done.lock().report.problems.push(Problem { path: Some(path), sentence });
    }

    fn end_with(&self, end: End) {
        self.end.lock().get_or_insert(end);
        self.ended.store(true, Ordering::Relaxed);
        self.large.iter().flatten().for_each(|large| large.end());
    }

    /// Adds what was done to the report, or tells why it ended.
    fn finish(&self, report: &mut Report) -> Result<(), RestoreError> {
        for large in self.large.iter().flatten() {
            if let Some(open) = large.left() {
                discard(&open.dir, &open.name);
            }
        }
        match self.end.lock().take() {
            None => {}
            Some(End::Stopped) => return Err(self.stopped()),
            Some(End::Failed(e)) => return Err(self.plan.target.failed(e)),
            Some(End::Full) => {
                let (done, of) = self.progress();
                let all: u64 = self.to_write().map(|file| file.step.size).sum();
                return Err(RestoreError::DiskFull {
                    target: self.plan.target.path.clone(),
                    done,
                    of,
                    missing: all - self.done.lock().report.bytes,
                });
            }
        }
        let done = std::mem::take(&mut self.done.lock().report);
        report.created += done.created;
        report.replaced += done.replaced;
        report.retimed += done.retimed;
        report.kept += done.kept;
        report.bytes += done.bytes;
        report.problems.extend(done.problems);
        Ok(())
    }

    fn stopped(&self) -> RestoreError {
        let (done, of) = self.progress();
        RestoreError::Stopped { done, of }
    }

    fn progress(&self) -> (u64, u64) {
        (self.done.lock().files, self.to_write().count() as u64)
    }
}

/// One file of several chunks.
struct Writing<'a> {
    writer: &'a Writer<'a>,
    nth: usize,
}

impl Output<Open, Failure> for Writing<'_> {
    fn begin(&self) -> Result<Open, Failure> {
        Ok(self.writer.open(self.nth)?)
    }

    fn append(&self, open: &mut Open, plain: &[u8]) -> Result<(), Failure> {
        self.writer.append(self.nth, open, plain)
    }

    fn end(&self, open: &Open) -> Result<(), Failure> {
        self.writer.complete(self.nth, open)
    }

    fn discard(&self, open: Open) {
        discard(&open.dir, &open.name);
    }

    fn recycle(&self, memory: Vec<u8>) {
        self.writer.spare.give(memory);
    }
}

/// Removes a temporary file.
fn discard(dir: &Dir, name: &str) {
    // Nothing more can be done about one that does not go; its name says what it is.
    let _ = dir.remove(name);
}

fn is_full(e: &io::Error) -> bool {
    matches!(e.raw_os_error(), Some(libc::ENOSPC | libc::EDQUOT))
}

/// What would befall every other file too.
fn is_hopeless(e: &io::Error) -> bool {
    matches!(e.raw_os_error(), Some(libc::EROFS | libc::EMFILE | libc::ENFILE | libc::ENOMEM))
}
